#![no_main]

use cmcp_evidence::jose::Jws;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    if let Ok(token) = Jws::parse(text) {
        drop(token.claims());
    }
});

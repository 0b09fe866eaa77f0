#![no_main]

use cmcp_evidence::nitro;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    drop(nitro::parse(data));
});

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    drop(cmcp_json::parse(data, &cmcp_json::Limits::REQUEST));
    drop(cmcp_json::parse(data, &cmcp_json::Limits::DOCUMENT));
});

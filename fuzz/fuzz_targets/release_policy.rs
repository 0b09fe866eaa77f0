#![no_main]

use cmcp_evidence::azure;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    drop(azure::release::ReleasePolicy::parse(data));
});

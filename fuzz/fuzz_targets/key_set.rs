#![no_main]

use cmcp_evidence::jose::KeySet;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    drop(KeySet::parse(data));
});

#![no_main]

use cmcp_evidence::ReferenceValues;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Ok(document) = cmcp_json::parse(data, &cmcp_json::Limits::DOCUMENT) {
        drop(ReferenceValues::read(&document));
    }
});

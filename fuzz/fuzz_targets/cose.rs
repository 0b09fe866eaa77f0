#![no_main]

use cmcp_evidence::cose::{Sign1, TagRule};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    for rule in [TagRule::Required, TagRule::Optional] {
        if let Ok(document) = Sign1::parse(data, rule) {
            drop(document.x5chain());
        }
    }
});

#![no_main]

use cmcp_evidence::cbor::{self, Limits};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    for limits in [Limits::FOREIGN, Limits::OWN] {
        if let Ok(item) = cbor::parse(data, &limits) {
            drop(cbor::encode(&item));
        }
    }
});

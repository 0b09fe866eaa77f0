#![no_main]

use cmcp_evidence::eventlog::{self, HashAlg};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    for log in [eventlog::parse(data), eventlog::parse_ccel(data)].into_iter().flatten() {
        for bank in [HashAlg::Sha1, HashAlg::Sha256, HashAlg::Sha384] {
            drop(log.replay(bank));
        }
        for event in log.events() {
            let _ = event.payload(HashAlg::Sha256);
        }
    }
});

#![no_main]

use cmcp_evidence::dcap;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    drop(dcap::Collateral::parse(data));
    drop(dcap::Machine::read(Some(data)));
});

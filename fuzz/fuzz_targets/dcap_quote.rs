#![no_main]

use cmcp_evidence::dcap;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    drop(dcap::parse(data));
    drop(dcap::genuine_domain(data, dcap::Moment::Ever));
});

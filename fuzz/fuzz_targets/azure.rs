#![no_main]

use cmcp_evidence::azure;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    drop(azure::hcl::parse(data));
    drop(azure::runtime::Runtime::parse(data));
    drop(azure::uvm::Uvm::parse(data));
    drop(azure::HostCertificates::parse(data));
    drop(azure::cce::lint(data));
});

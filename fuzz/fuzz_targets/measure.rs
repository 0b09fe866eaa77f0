#![no_main]

use cmcp_evidence::measure;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    drop(measure::snp::Firmware::from_ovmf(data));
    drop(measure::tdx::mrtd(data, measure::tdx::PageOrder::PageByPage));
    drop(measure::uki::Uki::parse(data));
    drop(measure::sgx::Enclave::from_sigstruct(data));
    drop(measure::cce::host_data(data));
    drop(measure::oci::Files::from_tar(data));
});

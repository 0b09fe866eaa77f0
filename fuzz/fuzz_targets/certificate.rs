#![no_main]

use cmcp_evidence::x509::{self, Certificate, Crl};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    drop(Certificate::from_der(data));
    drop(Certificate::from_padded_der(data));
    drop(Crl::from_der(data));
    drop(x509::all_from_pem(data));
});

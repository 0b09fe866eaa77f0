#![no_main]

use cmcp_evidence::tpm;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    drop(tpm::Attest::parse(data));
    drop(tpm::QuoteSignature::parse_tpmt(data));
    drop(tpm::AkPublic::parse(data));
});

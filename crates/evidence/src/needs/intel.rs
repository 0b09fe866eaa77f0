//! What Intel's service has for a quote.

use super::{Need, NeedsError, PckAuthority};
use crate::{
    dcap::{self, Machine, Tee},
    x509::{Certificate, all_from_pem},
};

pub(super) fn needs(quote: &[u8]) -> Result<Vec<Need>, NeedsError> {
    let quote = dcap::parse(quote)?;
    let wrong = |error: &dyn ToString| NeedsError::Pck(error.to_string());
    let pem = quote.quoting.certificates;
    let pem = all_from_pem(pem.strip_suffix(&[0]).unwrap_or(pem)).map_err(|e| wrong(&e))?;
    let chain: Result<Vec<Certificate>, _> =
        pem.iter().map(|der| Certificate::from_der(der)).collect();
    let chain = chain.map_err(|error| wrong(&error))?;
    let leaf = chain.first().ok_or_else(|| wrong(&"there are none"))?;
    let machine = Machine::read(leaf.extension(PCK)).map_err(|error| wrong(&error))?;
    let authority = chain
        .iter()
        .find(|certificate| certificate.subject() == leaf.issuer())
        .and_then(Certificate::common_name);
    let authority = match authority.as_deref() {
        Some("Intel SGX PCK Platform CA") => PckAuthority::Platform,
        Some("Intel SGX PCK Processor CA") => PckAuthority::Processor,
        Some(other) => return Err(wrong(&format!("`{other}` is no authority for them"))),
        None => return Err(wrong(&"their authority is missing")),
    };
    let tee = quote.header.tee;
    Ok(vec![
        Need::IntelTcbInfo(tee, machine.fmspc),
        Need::IntelQeIdentity(tee),
        Need::IntelPckCrl(authority),
        Need::IntelRootCrl,
    ])
}

pub(super) const fn word(tee: Tee) -> &'static str {
    match tee {
        Tee::Sgx => "sgx",
        Tee::Tdx => "tdx",
    }
}

const PCK: &str = "1.2.840.113741.1.13.1";

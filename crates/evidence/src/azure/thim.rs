//! What a container group and a VM are given of their own endorsements: the JSON of the metadata
//! service, and the files of the security-context folder.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use cmcp_json::{Limits, Value};

use crate::{Endorsements, hex, x509};

/// Why endorsements were not read.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ThimError {
    /// A file of the folder is not base64.
    #[error("`{0}` is not base64 with padding, on one line")]
    Base64(&'static str),
    /// The certificates are not JSON that has one reading.
    #[error("host certificates are not strict JSON: {0}")]
    Json(#[from] cmcp_json::ParseError),
    /// A member is missing, or is not what it has to be.
    #[error("`{0}` of the host certificates {1}")]
    Member(&'static str, &'static str),
}

/// The host's certificates, as the metadata service gives them.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HostCertificates {
    /// VCEK, ASK and ARK, DER.
    pub certificates: Vec<Vec<u8>>,
    /// The TCB that the VCEK is for, in the order of bytes that a report has. The service writes it as
    /// one number, most significant byte first.
    pub tcb: [u8; 8],
}

impl HostCertificates {
    /// Reads the service's JSON.
    ///
    /// # Errors
    ///
    /// See [`ThimError`].
    pub fn parse(json: &[u8]) -> Result<Self, ThimError> {
        let document = cmcp_json::parse(json, &LIMITS)?;
        let text = |name: &'static str| {
            let found = document.get(name).and_then(Value::as_str);
            found.ok_or(ThimError::Member(name, "is not there or not a text"))
        };
        let mut certificates = Vec::new();
        for name in ["vcekCert", "certificateChain"] {
            let pem = x509::all_from_pem(text(name)?.as_bytes());
            let pem = pem.map_err(|_| ThimError::Member(name, "is not certificates in PEM"))?;
            certificates.extend(pem);
        }
        let tcb = hex::decode_array(&text("tcbm")?.to_ascii_lowercase());
        let mut tcb: [u8; 8] =
            tcb.map_err(|_| ThimError::Member("tcbm", "is not 16 hexadecimal digits"))?;
        tcb.reverse();
        Ok(Self { certificates, tcb })
    }
}

/// The contents of the three files of a security-context folder.
#[derive(Clone, Copy, Debug)]
pub struct SecurityContext<'a> {
    /// `host-amd-cert-base64`
    pub host_amd_cert: &'a [u8],
    /// `reference-info-base64`
    pub reference_info: &'a [u8],
    /// `security-policy-base64`
    pub security_policy: &'a [u8],
}

impl SecurityContext<'_> {
    /// What the files say, as endorsements of a report of that container group.
    ///
    /// # Errors
    ///
    /// See [`ThimError`].
    pub fn endorsements(&self) -> Result<Endorsements, ThimError> {
        let host = decode("host-amd-cert-base64", self.host_amd_cert)?;
        Ok(Endorsements {
            certificates: HostCertificates::parse(&host)?.certificates,
            uvm: vec![decode("reference-info-base64", self.reference_info)?],
            policies: vec![decode("security-policy-base64", self.security_policy)?],
            ..Endorsements::default()
        })
    }
}

fn decode(name: &'static str, text: &[u8]) -> Result<Vec<u8>, ThimError> {
    let decoded = STANDARD.decode(text.trim_ascii_end());
    decoded.map_err(|_| ThimError::Base64(name))
}

const LIMITS: Limits = Limits {
    bytes: 64 << 10,
    depth: 4,
    ..Limits::DOCUMENT
};

#[cfg(test)]
mod tests;

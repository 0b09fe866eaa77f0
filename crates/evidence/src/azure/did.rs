//! `did:x509` names (version 0): an authority by the digest of its certificate, and what the signer's
//! certificate must be for.

use crate::{Sha256Digest, b64};

/// Why a name is not read.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum DidError {
    /// It does not begin like one.
    #[error("is not `did:x509:0:sha256:DIGEST::eku:OID`")]
    Form,
    /// The digest is not 32 bytes in base64url.
    #[error("has a digest that is not 32 bytes in base64url")]
    Digest,
    /// It makes a demand that is not checked here.
    #[error("demands `{0}`, and only `eku:OID` is known here")]
    Demand(String),
}

/// A `did:x509` name that demands one extended key usage.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Did {
    /// The digest of the authority's certificate, DER.
    pub root: Sha256Digest,
    /// The extended key usage that the signer's certificate must have.
    pub eku: String,
}

impl Did {
    /// Reads a name.
    ///
    /// # Errors
    ///
    /// See [`DidError`].
    pub fn parse(name: &str) -> Result<Self, DidError> {
        let rest = name.strip_prefix(PREFIX).ok_or(DidError::Form)?;
        let (digest, demand) = rest.split_once("::").ok_or(DidError::Form)?;
        let digest = b64::decode_array(digest).map_err(|_| DidError::Digest)?;
        let eku = demand
            .strip_prefix("eku:")
            .filter(|oid| is_oid(oid))
            .ok_or_else(|| DidError::Demand(demand.to_owned()))?;
        Ok(Self {
            root: Sha256Digest::from_bytes(digest),
            eku: eku.to_owned(),
        })
    }
}

fn is_oid(text: &str) -> bool {
    text.contains('.')
        && text.split('.').all(|arc| {
            !arc.is_empty() && arc.len() <= 20 && arc.bytes().all(|byte| byte.is_ascii_digit())
        })
}

const PREFIX: &str = "did:x509:0:sha256:";

#[cfg(test)]
mod tests;

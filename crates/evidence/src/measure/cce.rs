//! HOST_DATA of a confidential container: the digest of its decoded policy.

use base64::{Engine as _, engine::general_purpose::STANDARD};

use crate::{Sha256Digest, azure::rego};

/// How the policy was written in the file.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Form {
    /// As text: hashed as it is.
    Text,
    /// In base64: decoded, then hashed.
    Base64,
}

impl Form {
    /// What was done, for a message.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Text => "the file is the policy's text and was hashed as it is",
            Self::Base64 => "the file is the policy in base64 and was decoded before it was hashed",
        }
    }
}

/// A container policy and what a report has to carry for it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HostData {
    /// How it was written.
    pub form: Form,
    /// The policy, decoded.
    pub policy: Vec<u8>,
    /// HOST_DATA.
    pub digest: Sha256Digest,
}

/// Why there is no digest.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum CceError {
    /// A hash over it would be of nothing that a report carries.
    #[error("neither a container policy nor one in base64: it has to begin with `package policy`")]
    NotPolicy,
    /// A hash over the decoded bytes would be of base64 text.
    #[error("a container policy in base64 twice over: decode it once before")]
    Twice,
}

/// Reads a policy file and computes HOST_DATA of it. The digest is never over base64 text: that one no
/// report carries, and a key that asks for it is never released.
///
/// # Errors
///
/// See [`CceError`].
pub fn host_data(file: &[u8]) -> Result<HostData, CceError> {
    if is_policy(file) {
        return Ok(of(Form::Text, file.to_vec()));
    }
    let decoded = decode(file).ok_or(CceError::NotPolicy)?;
    if is_policy(&decoded) {
        return Ok(of(Form::Base64, decoded));
    }
    let twice = decode(&decoded).is_some_and(|inner| is_policy(&inner));
    Err(if twice {
        CceError::Twice
    } else {
        CceError::NotPolicy
    })
}

fn of(form: Form, policy: Vec<u8>) -> HostData {
    let digest = Sha256Digest::of(&policy);
    HostData {
        form,
        policy,
        digest,
    }
}

// `package policy` has a blank in it, so that no text is both.
fn is_policy(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_ok_and(|text| rego::parse(text).package == "policy")
}

fn decode(text: &[u8]) -> Option<Vec<u8>> {
    STANDARD.decode(text.trim_ascii_end()).ok()
}

#[cfg(test)]
mod tests;

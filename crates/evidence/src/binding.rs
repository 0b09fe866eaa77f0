mod claims;
mod preimage;

pub use claims::{Claims, ClaimsError, NamedHash};
pub use preimage::{Preimage, Presented, Release, Role, Session, SuiteHash, Unbound};

use std::fmt;

use crate::{PublicKey, Sha256Digest, b64, hex};

/// The 64 bytes that a platform signs on a guest's behalf.
#[derive(Clone, Copy, Eq, PartialEq)]
pub struct ReportData([u8; 64]);

impl ReportData {
    /// What a trust record's evidence carries: the digest of the signing key, then the commitment.
    #[must_use]
    pub fn for_record(key: &PublicKey, commitment: &Commitment) -> Self {
        let key = Sha256Digest::of(key.as_bytes());
        let commitment = commitment.digest();
        let mut bytes = [0; 64];
        let halves = key.as_bytes().iter().chain(commitment.as_bytes());
        for (byte, half) in bytes.iter_mut().zip(halves) {
            *byte = *half;
        }
        Self(bytes)
    }

    /// The SHA-256 of a preimage, and zeros behind it.
    pub(crate) fn of_preimage(preimage: &[u8]) -> Self {
        let digest = Sha256Digest::of(preimage);
        let mut bytes = [0; 64];
        for (byte, digest) in bytes.iter_mut().zip(digest.as_bytes()) {
            *byte = *digest;
        }
        Self(bytes)
    }

    /// What a TPM quotes that cannot quote all 64 bytes.
    #[must_use]
    pub fn for_small_tpm(&self) -> Sha256Digest {
        Sha256Digest::of(&self.0)
    }

    /// Bytes found in evidence.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 64]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 64] {
        &self.0
    }

    /// 128 lower-case hexadecimal digits.
    #[must_use]
    pub fn hex(&self) -> String {
        hex::encode(&self.0)
    }
}

impl fmt::Debug for ReportData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ReportData({})", self.hex())
    }
}

/// What a claim commits hardware to, at the moment it is made.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Commitment {
    /// The verifier's challenge as it came; [`check_nonce`] says which are taken.
    pub nonce: Option<String>,
    /// The policy bundle.
    pub policy: Sha256Digest,
    /// The catalog.
    pub catalog: Sha256Digest,
    /// The effective configuration.
    pub config: Sha256Digest,
    /// Entries in the audit log.
    pub log_size: u64,
    /// The audit log's tree over them.
    pub log_root: Sha256Digest,
}

impl Commitment {
    /// Version 1 of the commitment: 195 bytes, hashed.
    #[must_use]
    pub fn digest(&self) -> Sha256Digest {
        Sha256Digest::of(&self.preimage())
    }

    fn preimage(&self) -> Vec<u8> {
        let Self {
            nonce,
            policy,
            catalog,
            config,
            log_size,
            log_root,
        } = self;
        let nonce = match nonce {
            Some(nonce) => Sha256Digest::of(nonce.as_bytes()),
            None => Sha256Digest::from_bytes([0; 32]),
        };
        let parts: [&[u8]; 7] = [
            COMMITMENT_TAG,
            nonce.as_bytes(),
            policy.as_bytes(),
            catalog.as_bytes(),
            config.as_bytes(),
            &log_size.to_be_bytes(),
            log_root.as_bytes(),
        ];
        parts.concat()
    }
}

/// Why a challenge is not taken.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NonceError {
    /// Longer than 1,024 characters.
    #[error("challenge is longer than 1024 characters")]
    Long,
    /// Not base64url.
    #[error("challenge is {0}")]
    Encoding(#[from] b64::B64Error),
    /// Fewer than 16 bytes: it could be guessed.
    #[error("challenge is shorter than 16 bytes; draw at least 16 at random")]
    Short,
}

/// Whether a verifier's challenge may be committed to: base64url, at least 16 bytes, at most 1,024
/// characters.
///
/// # Errors
///
/// Which of these it breaks.
pub fn check_nonce(nonce: &str) -> Result<(), NonceError> {
    if nonce.len() > 1024 {
        return Err(NonceError::Long);
    }
    if b64::decode(nonce)?.len() < 16 {
        return Err(NonceError::Short);
    }
    Ok(())
}

const COMMITMENT_TAG: &[u8] = b"cmcp/report-data/record/v1\0";

#[cfg(test)]
mod tests;

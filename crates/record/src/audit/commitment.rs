//! Commitment to a payload that stays outside the log.

use cmcp_evidence::Sha256Digest;

/// Commits to `bytes` under a salt that is kept apart from the log.
///
/// The plain hash of a short argument is the argument: whoever can guess it can check the guess.
#[must_use]
pub fn commit(salt: &[u8; 32], bytes: &[u8]) -> Sha256Digest {
    Sha256Digest::of_parts(&[TAG, salt, bytes])
}

const TAG: &[u8] = b"cmcp/commit/v1\0";

//! Digests, keys, times, report data and attestation evidence: pure functions of bytes.
//!
//! Everything that is hashed or signed is made of the types here. Nothing here reads a clock, a
//! file, the environment or a socket.
#![cfg_attr(
    not(test),
    deny(clippy::arithmetic_side_effects, clippy::as_conversions)
)]

pub mod b64;
mod binding;
mod digest;
pub mod hex;
mod key;
mod platform;
mod timestamp;

pub use binding::{Commitment, NonceError, ReportData, check_nonce};
pub use digest::{DigestError, Sha256Digest, Sha384Digest};
pub use key::{KeyError, PublicKey, Signature, SignatureError, SigningKey};
pub use platform::{
    AttestationResult, Attester, CollectError, Evidence, Platform, SoftwareAttester, Status,
};
pub use timestamp::{Timestamp, TimestampError};

//! Digests, keys, times, report data and attestation evidence: pure functions of bytes.
//!
//! Everything that is hashed or signed is made of the types here. Nothing here reads a clock, a
//! file, the environment or a socket. [`appraise()`] judges the evidence of every platform.
#![cfg_attr(
    not(test),
    deny(clippy::arithmetic_side_effects, clippy::as_conversions)
)]

pub mod appraise;
pub mod azure;
pub mod b64;
mod binding;
pub mod cbor;
pub mod check;
pub mod cose;
pub mod dcap;
mod digest;
pub mod ear;
pub mod endorse;
pub mod eventlog;
mod evidence;
#[cfg(test)]
pub(crate) mod forge;
pub mod gpu;
pub mod hex;
pub mod jose;
mod key;
pub mod measure;
pub mod needs;
pub mod nitro;
mod platform;
pub mod policy;
pub mod reader;
mod result;
pub mod show;
pub mod snp;
mod timestamp;
pub mod token;
pub mod tpm;
pub mod wire;
pub mod x509;

pub use appraise::{Binding, Input, appraise};
pub use binding::{
    Claims, ClaimsError, Commitment, NamedHash, NonceError, Preimage, Presented, Release,
    ReportData, Role, Session, SuiteHash, Unbound, check_nonce,
};
pub use digest::{DigestError, Sha256Digest, Sha384Digest};
pub use evidence::{
    Attester, CollectError, Collected, Endorsements, Evidence, Part, SoftwareAttester,
};
pub use key::{KeyError, PublicKey, Signature, SignatureError, SigningKey};
pub use platform::Platform;
pub use policy::ReferenceValues;
pub use result::{About, AttestationResult, Claim, Proved, Status};
pub use timestamp::{Timestamp, TimestampError};

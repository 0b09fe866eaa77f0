//! Everything that leaves the enclave to be checked later: audit log, trust records, verification.
//!
//! Pure functions of bytes, keys and times: no clock, no files, no randomness.

pub mod audit;
pub mod citation;
pub mod claim;
pub mod code;
pub mod conformance;
pub mod export;
mod projection;
pub mod repro;
pub mod revocation;
pub mod tree;
pub mod trust_record;
pub mod verdict;
pub mod verify;

mod shape;

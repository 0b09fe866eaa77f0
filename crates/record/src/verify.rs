//! Verification: what a record, a claim and an audit export prove, judged offline.
//!
//! A function of bytes, expectations and a time: no network, no clock, memory that does not grow
//! with the audit export, and a verdict for every input.

use std::io::Read;
use std::time::Duration;

use cmcp_evidence::Timestamp;
use cmcp_json::{Limits, Nul, Value};

use crate::revocation;
use crate::trust_record::{AcceptedProfiles, Digest, RecordError, TrustedKey};

mod anchor;
mod appraisal;
mod bundle;
mod claim;
mod claim_schema;
mod common;
mod hardware;
mod plain;
mod report;
mod sidecar;

pub use anchor::{Anchor, AnchorError, Receipt};
pub use appraisal::{Appraisal, Asked, NotAppraised};
pub use report::{Check, Document, Field, Grade, Outcome, Report, Status};
pub use sidecar::{Sidecar, SidecarError};

pub(crate) use plain::verify as verify_plain;

/// What the caller expects. Nothing here is optional: what is not pinned says so, and the report
/// repeats it.
#[derive(Clone, Debug)]
pub struct Expectations {
    /// The profiles this verifier accepts.
    pub profiles: AcceptedProfiles,
    /// Whose key the record must be signed with.
    pub trusted_key: Pin<TrustedKey>,
    /// The policy bundle in force.
    pub policy: Pin<Digest>,
    /// The tool catalog in force.
    pub catalog: Pin<Digest>,
    /// What reference values say of the evidence that the record carries. Without it, evidence is asked
    /// whether genuine hardware made it, and no more.
    pub evidence: Pin<Appraisal>,
    /// The measurements of releases the caller approved; an empty list approves none.
    pub measurements: Pin<Vec<Digest>>,
    /// How old the record may be.
    pub freshness: Freshness,
    /// The challenge the record must answer.
    pub challenge: Pin<String>,
    /// Where word of revoked keys comes from.
    pub revocation: revocation::Source,
    /// Where the record must stand.
    pub anchor: Anchor,
}

impl Expectations {
    /// Expects nothing in particular, but that the record is of TRACE v0.2 and fresh: what such a
    /// report shows is that a record is consistent, not whose it is.
    #[must_use]
    pub fn unpinned(freshness: Freshness) -> Self {
        Self {
            profiles: AcceptedProfiles::v0_2(),
            trusted_key: Pin::NotPinned,
            policy: Pin::NotPinned,
            catalog: Pin::NotPinned,
            evidence: Pin::NotPinned,
            measurements: Pin::NotPinned,
            freshness,
            challenge: Pin::NotPinned,
            revocation: revocation::Source::NotConsulted,
            anchor: Anchor::NotGiven,
        }
    }
}

/// A value the caller holds the record to, or the plain statement that there is none.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Pin<T> {
    /// The caller has no expectation; the report says `SKIP`.
    NotPinned,
    /// The record must agree with this.
    Pinned(T),
}

/// How the time of issue is judged.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Freshness {
    /// Both bounds inclusive.
    Checked {
        /// How old it may be.
        max_age: Duration,
        /// How far ahead of the verifier's clock it may be.
        max_skew: Duration,
    },
    /// At any time: for records read from an archive.
    NotChecked,
}

impl Freshness {
    /// A day, and five minutes of skew.
    pub const DEFAULT: Self = Self::Checked {
        max_age: Duration::from_hours(24),
        max_skew: Duration::from_mins(5),
    };
}

/// Judges a trust record, or a claim of the Python cMCP's form, and the audit export that goes
/// with it.
pub fn verify_record(
    record: &[u8],
    export: Option<&mut dyn Read>,
    expectations: &Expectations,
    now: Timestamp,
) -> Report {
    match read(record) {
        Ok(Parsed::Claim(claim)) => claim::verify(claim, export, expectations, now),
        Ok(Parsed::Record(record)) => plain::verify(record, export, expectations, now),
        Err(error) => common::malformed(Document::Unknown, &error),
    }
}

/// A document, told apart by what only a claim has: taking members out of a claim must not turn it
/// into a record.
enum Parsed {
    Claim(Value),
    Record(Value),
}

fn read(bytes: &[u8]) -> Result<Parsed, RecordError> {
    // A claim repeats tool names as callers sent them, whatever characters those hold.
    let limits = Limits {
        nul: Nul::Accept,
        ..Limits::DOCUMENT
    };
    let value = cmcp_json::parse(bytes, &limits)?;
    let object = value.as_object().ok_or(RecordError::NotAnObject)?;
    if ["cmcp_version", "trace", "gateway"]
        .iter()
        .any(|name| object.contains_key(name))
    {
        return Ok(Parsed::Claim(value));
    }
    Ok(Parsed::Record(cmcp_json::parse(bytes, &Limits::DOCUMENT)?))
}

#[cfg(test)]
mod tests;

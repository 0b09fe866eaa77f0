//! The reproducibility claim: a named function, its closed input, and the digest of what came out.
//!
//! Its shape is checked here. A claim earns no assurance, and its result is an appraisal made by
//! whoever ran the function again.

use cmcp_json::Object;

use crate::code::Code;
use crate::shape::{Problem, Violation};
use crate::trust_record::schema;

/// Why a claim or its result is refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fault {
    /// The claim lacks a member.
    ClaimIncomplete,
    /// An input lacks its digest, its name or whoever must produce it.
    ClosureEntryIncomplete,
    /// A divergence without the digest to compare with.
    DivergedWithoutDigest,
    /// A method without its result.
    MethodWithoutResult,
    /// Not attempted, and no reason given.
    NotAttemptedWithoutReason,
    /// A result without the method that it is a result of.
    ResultWithoutMethod,
    /// The record breaks its schema elsewhere.
    Schema,
    /// A method outside the closed set.
    UnknownMethod,
    /// An outcome outside the closed set.
    UnknownOutcome,
}

impl Fault {
    /// The word in reports and vectors.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ClaimIncomplete => "claim_incomplete",
            Self::ClosureEntryIncomplete => "closure_entry_incomplete",
            Self::DivergedWithoutDigest => "diverged_without_observed_digest",
            Self::MethodWithoutResult => "method_without_re_execution",
            Self::NotAttemptedWithoutReason => "not_attempted_without_reason",
            Self::ResultWithoutMethod => "re_execution_without_method",
            Self::Schema => Code::SchemaViolation.as_str(),
            Self::UnknownMethod => "unknown_method",
            Self::UnknownOutcome => "unknown_outcome",
        }
    }

    fn of(violation: &Violation) -> Self {
        let Violation { path, problem } = violation;
        match problem {
            Problem::DivergedWithoutDigest => Self::DivergedWithoutDigest,
            Problem::MethodWithoutResult => Self::MethodWithoutResult,
            Problem::NotAttemptedWithoutReason => Self::NotAttemptedWithoutReason,
            Problem::ResultWithoutMethod => Self::ResultWithoutMethod,
            Problem::NotOneOf(_) if path == "appraisal.method" => Self::UnknownMethod,
            Problem::NotOneOf(_) if path == "appraisal.re_execution.outcome" => {
                Self::UnknownOutcome
            }
            Problem::Absent if path.starts_with("reproducibility.input_closure.") => {
                Self::ClosureEntryIncomplete
            }
            Problem::Absent if path.starts_with("reproducibility.") => Self::ClaimIncomplete,
            Problem::Absent
            | Problem::Empty
            | Problem::EvidenceNotOne
            | Problem::Integer { .. }
            | Problem::KeyMaterial
            | Problem::OriginOnHardware
            | Problem::PrivateKey
            | Problem::Not(_)
            | Problem::NotOneOf(_)
            | Problem::Unknown => Self::Schema,
        }
    }
}

/// Everything that keeps this record's claim from being read; nothing when there is no claim.
#[must_use]
pub fn faults(record: &Object) -> Vec<Fault> {
    let mut faults: Vec<Fault> = Vec::new();
    for violation in schema::RECORD.violations(record) {
        let fault = Fault::of(&violation);
        if !faults.contains(&fault) {
            faults.push(fault);
        }
    }
    faults
}

#[cfg(test)]
mod tests;

//! What a verification found: one line for each thing checked, and the verdict they add up to.

use std::fmt;

use crate::code::Code;
use crate::revocation;

/// The verdict. A failed check is never a partial success.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Status {
    /// At least one check failed.
    Failed,
    /// Nothing failed, and something that matters is not established.
    PartiallyVerified,
    /// Not a document that could be judged.
    Unverified,
    /// Everything that was asked holds.
    Verified,
}

impl Status {
    /// The word in reports.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::PartiallyVerified => "partially_verified",
            Self::Unverified => "unverified",
            Self::Verified => "verified",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What was checked, in the order of reports.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Field {
    /// The document is of a known, closed shape.
    Schema,
    /// The signature by the key the record names.
    Signature,
    /// Evidence commits to that key.
    PublicKeyBinding,
    /// That key is the one the caller trusts.
    TrustedPublicKey,
    /// The key was not revoked.
    KeyRevocation,
    /// The policy is the pinned one.
    PolicyBundleHash,
    /// The catalog is the pinned one.
    ToolCatalogHash,
    /// The agent's identity is what was authenticated.
    AgentManifestBinding,
    /// The record and its evidence are recent.
    AttestationFreshness,
    /// The record answers the caller's challenge.
    Challenge,
    /// The record's account of its log is coherent.
    AuditChain,
    /// Evidence commits to the log.
    AuditChainBinding,
    /// Evidence commits to what was measured.
    MeasurementBinding,
    /// Evidence is rooted in hardware.
    HardwareAttestation,
    /// What ran is among the reference values.
    LaunchMeasurement,
    /// The record stands in the log it names.
    Transparency,
    /// The audit export is whole and is this record's.
    AuditBundle,
}

impl Field {
    /// The name in reports.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Schema => "schema",
            Self::Signature => "signature",
            Self::PublicKeyBinding => "public_key_binding",
            Self::TrustedPublicKey => "trusted_public_key",
            Self::KeyRevocation => "key_revocation",
            Self::PolicyBundleHash => "policy_bundle.hash",
            Self::ToolCatalogHash => "tool_catalog.hash",
            Self::AgentManifestBinding => "agent_manifest.binding",
            Self::AttestationFreshness => "attestation_freshness",
            Self::Challenge => "challenge",
            Self::AuditChain => "audit_chain",
            Self::AuditChainBinding => "audit_chain_binding",
            Self::MeasurementBinding => "measurement_binding",
            Self::HardwareAttestation => "hardware_attestation",
            Self::LaunchMeasurement => "launch_measurement",
            Self::Transparency => "transparency",
            Self::AuditBundle => "audit_bundle",
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What came of one check.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Outcome {
    /// It does not hold.
    Fail,
    /// Nobody can say from what was given.
    NotEstablished,
    /// It holds.
    Pass,
    /// It was not asked, or does not apply.
    Skip,
}

impl Outcome {
    /// The word in machine-readable reports.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fail => "fail",
            Self::NotEstablished => "not_established",
            Self::Pass => "pass",
            Self::Skip => "skip",
        }
    }
}

/// One line of a report.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Check {
    /// What was checked.
    pub field: Field,
    /// What came of it.
    pub outcome: Outcome,
    /// Why, when it did not pass.
    pub code: Option<Code>,
    /// What should have been found.
    pub expected: Option<String>,
    /// What was found.
    pub actual: Option<String>,
    /// What the reader can do about it, or what it means.
    pub remedy: Option<&'static str>,
}

impl Check {
    fn new(field: Field, outcome: Outcome, code: Option<Code>) -> Self {
        Self {
            field,
            outcome,
            code,
            expected: None,
            actual: None,
            remedy: None,
        }
    }

    pub(crate) fn pass(field: Field) -> Self {
        Self::new(field, Outcome::Pass, None)
    }

    pub(crate) fn fail(field: Field, code: Code) -> Self {
        Self::new(field, Outcome::Fail, Some(code))
    }

    pub(crate) fn not_established(field: Field, code: Code) -> Self {
        Self::new(field, Outcome::NotEstablished, Some(code))
    }

    pub(crate) fn skip(field: Field, why: &'static str) -> Self {
        Self::new(field, Outcome::Skip, None).remedy(why)
    }

    pub(crate) fn expected(mut self, expected: impl fmt::Display) -> Self {
        self.expected = Some(expected.to_string());
        self
    }

    pub(crate) fn actual(mut self, actual: impl fmt::Display) -> Self {
        self.actual = Some(actual.to_string());
        self
    }

    pub(crate) fn remedy(mut self, remedy: &'static str) -> Self {
        self.remedy = Some(remedy);
        self
    }

    pub(crate) fn code(mut self, code: Code) -> Self {
        self.code = Some(code);
        self
    }

    /// The note of this line, in one sentence; control characters in what was found are escaped.
    #[must_use]
    pub fn note(&self) -> String {
        let mut parts: Vec<String> = Vec::new();
        match self.outcome {
            Outcome::Fail | Outcome::NotEstablished => {
                parts.extend(self.code.map(|code| code.to_string()));
            }
            Outcome::Pass | Outcome::Skip => {}
        }
        if let Some(expected) = &self.expected {
            parts.push(format!("expected {}", shown(expected)));
        }
        if let Some(actual) = &self.actual {
            parts.push(match self.expected {
                Some(_) => format!("found {}", shown(actual)),
                None => shown(actual),
            });
        }
        parts.extend(self.remedy.map(str::to_owned));
        parts.join("; ")
    }
}

/// A record's own text on an operator's terminal: no escapes, no line breaks, bounded.
fn shown(text: &str) -> String {
    let mut shown: String = text
        .chars()
        .take(SHOWN)
        .flat_map(|c| {
            let (escaped, plain) = if c.is_control() {
                (Some(c.escape_unicode()), None)
            } else {
                (None, Some(c))
            };
            escaped.into_iter().flatten().chain(plain)
        })
        .collect();
    if text.chars().nth(SHOWN).is_some() {
        shown.push('…');
    }
    shown
}

const SHOWN: usize = 400;

/// Which document was verified.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Document {
    /// The Python cMCP's claim: ours or its own.
    Claim,
    /// A plain trust record.
    Record,
    /// Nothing that could be told apart.
    Unknown,
}

/// What evidence established about a document. Computed from what was verified: a platform's name,
/// an appraisal the record gives itself, or a log entry it names, raise nothing.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Grade {
    /// The document is refused.
    Reject,
    /// Nothing: no evidence came with it, or none that is understood.
    Unattested,
    /// Genuine hardware reported the measurement; nothing connects it to who signed the record.
    PlatformAttested,
    /// Genuine hardware reported the measurement and commits to the key that signed the record.
    Attested,
}

impl Grade {
    /// The word in reports and vectors.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Reject => "reject",
            Self::Unattested => "unattested",
            Self::PlatformAttested => "platform-attested",
            Self::Attested => "attested",
        }
    }
}

/// The result of a verification.
#[derive(Clone, Debug)]
pub struct Report {
    /// The verdict.
    pub status: Status,
    /// What kind of document it was.
    pub document: Document,
    /// What was checked, in the order of [`Field`]; every failure is here.
    pub checks: Vec<Check>,
    /// What is known about revocation of the key.
    pub revocation: revocation::Finding,
    /// What evidence established.
    pub grade: Grade,
    first_failure: Option<Code>,
}

impl Report {
    /// The report of something that is no document to judge.
    pub(crate) fn unverified(document: Document, check: Check) -> Self {
        Self {
            status: Status::Unverified,
            document,
            first_failure: check.code,
            checks: vec![check],
            revocation: revocation::Finding::NoCheckPerformed,
            grade: Grade::Reject,
        }
    }

    /// The report of a document that was judged; `checks` come in the order they were made.
    pub(crate) fn judged(
        document: Document,
        mut checks: Vec<Check>,
        revocation: revocation::Finding,
    ) -> Self {
        let first_failure = checks
            .iter()
            .find(|check| check.outcome == Outcome::Fail)
            .and_then(|check| check.code);
        checks.sort_by_key(|check| check.field);
        let any = |outcome| checks.iter().any(|check| check.outcome == outcome);
        let status = if any(Outcome::Fail) {
            Status::Failed
        } else if any(Outcome::NotEstablished) {
            Status::PartiallyVerified
        } else {
            Status::Verified
        };
        Self {
            status,
            document,
            checks,
            revocation,
            grade: if status == Status::Failed {
                Grade::Reject
            } else {
                Grade::Unattested
            },
            first_failure,
        }
    }

    /// With what its evidence established; a document that is refused stays refused.
    pub(crate) fn graded(mut self, grade: Grade) -> Self {
        if self.grade != Grade::Reject {
            self.grade = grade;
        }
        self
    }

    /// The code of the first check that failed, in the order checks are made; `None` if none did.
    #[must_use]
    pub fn first_failure(&self) -> Option<Code> {
        self.first_failure
    }

    /// Every check that did not hold.
    pub fn failures(&self) -> impl Iterator<Item = &Check> {
        self.checks
            .iter()
            .filter(|check| check.outcome == Outcome::Fail)
    }
}

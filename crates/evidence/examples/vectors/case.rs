//! A row while it is judged, and what came of it.

use cmcp_evidence::{
    AttestationResult, Binding, Collected, Endorsements, Evidence, Input, Status, Timestamp,
    appraise, b64, wire::container,
};
use cmcp_json::{Limits, Object, Value};

use super::{Result, policy::Policy, vectors::Stated};

/// One row of the table.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) id: String,
    pub(crate) files: Vec<String>,
    pub(crate) asks: String,
    pub(crate) at: Option<Timestamp>,
    pub(crate) policy: Option<Policy>,
    /// The stated verdict.
    pub(crate) stated: Verdict,
    /// The verdict on what the row asks.
    pub(crate) verdict: Verdict,
    /// The whole result's status, where there is one.
    pub(crate) status: Option<Status>,
    /// What speaks against it, or for it.
    pub(crate) found: String,
    /// A reason that was stated and not found.
    pub(crate) missed: Vec<String>,
    /// The same case as a question to another build of the verifier, and this build's answer.
    pub(crate) question: Option<(Value, Value)>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Verdict {
    Accept,
    Reject,
}

impl From<bool> for Verdict {
    fn from(accepts: bool) -> Self {
        match accepts {
            true => Self::Accept,
            false => Self::Reject,
        }
    }
}

impl Verdict {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Reject => "reject",
        }
    }
}

impl Row {
    /// Nothing but a stated verdict, and the other one found.
    pub(crate) fn stated(stated: Verdict) -> Self {
        Self {
            id: String::new(),
            files: Vec::new(),
            asks: String::new(),
            at: None,
            policy: None,
            stated,
            verdict: match stated {
                Verdict::Accept => Verdict::Reject,
                Verdict::Reject => Verdict::Accept,
            },
            status: None,
            found: String::new(),
            missed: Vec::new(),
            question: None,
        }
    }

    pub(crate) fn new(
        row: &Stated,
        verdict: impl Into<Verdict>,
        found: impl Into<String>,
    ) -> Result<Self> {
        Ok(Self {
            id: row.maybe("id").unwrap_or_default().to_owned(),
            files: row.files(),
            asks: row.maybe("check").unwrap_or_default().to_owned(),
            verdict: verdict.into(),
            found: found.into(),
            ..Self::stated(row.verdict()?)
        })
    }

    /// What is wrong with it: another verdict than stated, or the right one for another reason.
    pub(crate) fn wrong(&self) -> Option<String> {
        if self.stated != self.verdict {
            let (stated, verdict) = (self.stated.as_str(), self.verdict.as_str());
            return Some(format!(
                "{}: stated {stated}, found {verdict}: {}",
                self.id, self.found
            ));
        }
        if self.missed.is_empty() {
            return None;
        }
        let missed = self.missed.join(", ");
        Some(format!(
            "{}: {missed} did not fail: {}",
            self.id, self.found
        ))
    }
}

/// What a row judges, and by what.
pub(crate) struct Case<'a> {
    pub(crate) row: &'a Stated,
    pub(crate) evidence: Evidence,
    pub(crate) endorsements: Endorsements,
    pub(crate) binding: Binding,
    pub(crate) policy: Policy,
    pub(crate) at: Timestamp,
}

/// What a row asks about.
#[derive(Clone, Copy)]
pub(crate) enum Asks<'a> {
    /// The whole appraisal.
    All,
    /// Everything but these checks.
    Beside(&'a [&'a str]),
    /// These checks alone.
    Only(&'a [&'a str]),
}

impl Case<'_> {
    /// Judges it. `reasons` have to be among what fails where the row rejects.
    pub(crate) fn judge(self, asks: Asks<'_>, reasons: &[&str]) -> Result<Row> {
        let collected = Collected {
            evidence: self.evidence,
            endorsements: self.endorsements,
        };
        let result = decide(&collected, &self.policy, &self.binding, self.at)?;
        let question = question(&collected, &self.policy, &self.binding, self.at)?;
        let mut row = conclude(self.row, self.policy, &result, (asks, reasons))?;
        row.question = Some((question, result.document().into()));
        Ok(row)
    }
}

/// Judges evidence that no table has a row for.
pub(crate) fn decide(
    collected: &Collected,
    policy: &Policy,
    binding: &Binding,
    at: Timestamp,
) -> Result<AttestationResult> {
    Ok(appraise(&Input {
        evidence: &collected.evidence,
        endorsements: &collected.endorsements,
        binding,
        policy: &policy.values()?,
        at,
    }))
}

/// What a build without a command line is asked.
fn question(
    collected: &Collected,
    policy: &Policy,
    binding: &Binding,
    at: Timestamp,
) -> Result<Value> {
    let container = cmcp_json::parse(&container::encode(collected), &Limits::DOCUMENT)?;
    let binding = match binding {
        Binding::Unknown => Value::from("none"),
        Binding::Challenge(bytes) => Object::from([("challenge", b64::encode(bytes))]).into(),
        Binding::ReportData(data) => Object::from([("report_data", data.hex())]).into(),
    };
    Ok(Object::from([
        ("evidence", container),
        ("reference_values", policy.document.clone()),
        ("binding", binding),
        ("at", Value::from(at.rfc3339())),
    ])
    .into())
}

/// The row that a result makes.
pub(crate) fn conclude(
    row: &Stated,
    policy: Policy,
    result: &AttestationResult,
    (asks, reasons): (Asks<'_>, &[&str]),
) -> Result<Row> {
    let mut failed: Vec<&str> = Vec::new();
    for checked in result.failures() {
        if !failed.contains(&checked.check.code) {
            failed.push(checked.check.code);
        }
    }
    let counts = |code: &&&str| match asks {
        Asks::All => true,
        Asks::Beside(codes) => !codes.contains(*code),
        Asks::Only(codes) => codes.contains(*code),
    };
    let against = failed.iter().filter(counts).count();
    // Nothing was asked if none of the checks was made.
    let asked = result
        .checks
        .iter()
        .filter(|checked| counts(&&checked.check.code))
        .count();
    let accepts = against == 0 && asked > 0 && result.status != Status::None;
    let mut judged = Row::new(row, accepts, failed.join(", "))?;
    if judged.stated == Verdict::Reject {
        let missing = reasons.iter().filter(|reason| !failed.contains(reason));
        judged.missed = missing.map(|reason| (*reason).to_owned()).collect();
    }
    judged.at = Some(result.at);
    judged.policy = Some(policy);
    judged.status = Some(result.status);
    Ok(judged)
}

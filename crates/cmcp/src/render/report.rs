//! A verification's report.

use cmcp_json::{Object, Value};
use cmcp_record::verify::{Check, Outcome, Report, Status};

/// How a report is worded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wording {
    /// What is not established is `OPEN`: nothing failed.
    Ours,
    /// As the Python cMCP 0.7.1: `PASS` or `FAIL`, and a failure is `partially_verified`.
    V07,
}

/// The lines of `cmcp verify`.
pub(crate) fn lines(report: &Report, wording: Wording) -> Vec<String> {
    let mut lines: Vec<String> = report
        .checks
        .iter()
        .map(|check| line(check, wording))
        .collect();
    let result = if report.status == Status::Verified {
        "PASS"
    } else {
        "FAIL"
    };
    lines.push(format!(
        "[cmcp verify] RESULT: {result} ({})",
        status(report.status, wording)
    ));
    lines
}

fn line(check: &Check, wording: Wording) -> String {
    let word = match (check.outcome, wording) {
        (Outcome::Fail, _) | (Outcome::NotEstablished, Wording::V07) => "FAIL",
        (Outcome::NotEstablished, Wording::Ours) => "OPEN",
        (Outcome::Pass, _) => "PASS",
        (Outcome::Skip, _) => "SKIP",
    };
    format!("[cmcp verify] {:<24} {word}  {}", check.field, check.note())
        .trim_end()
        .to_owned()
}

fn status(status: Status, wording: Wording) -> &'static str {
    match (status, wording) {
        (Status::Failed, Wording::V07) => Status::PartiallyVerified.as_str(),
        (other, Wording::Ours | Wording::V07) => other.as_str(),
    }
}

/// The report as a document.
pub(crate) fn document(report: &Report, wording: Wording) -> Value {
    let checks = report.checks.iter().map(|check| {
        let mut members = Object::from([
            ("field", Value::from(check.field.as_str())),
            ("outcome", Value::from(check.outcome.as_str())),
        ]);
        for (name, text) in [
            ("code", check.code.map(|code| code.as_str().to_owned())),
            ("expected", check.expected.clone()),
            ("actual", check.actual.clone()),
            ("note", check.remedy.map(str::to_owned)),
        ] {
            if let Some(text) = text {
                members.insert(name, text);
            }
        }
        Value::from(members)
    });
    Object::from([
        ("status", Value::from(status(report.status, wording))),
        ("grade", Value::from(report.grade.as_str())),
        ("checks", Value::Array(checks.collect())),
    ])
    .into()
}

use std::time::Duration;

use cmcp_json::{Object, Value};
use cmcp_record::{
    trust_record::{AcceptedProfiles, TrustedKey},
    verify::{Expectations, Freshness, Pin, Report, verify_record},
};

use crate::question::{Question, QuestionError};

/// Judges a trust record, or a claim of the older form: the report, as a document.
pub(crate) fn verify(question: Question<'_>) -> Result<Object, QuestionError> {
    question.only(&[
        "record",
        "trusted_key",
        "challenge",
        "measurements",
        "max_age_seconds",
        "profiles",
        "at",
    ])?;
    let expectations = Expectations {
        profiles: profiles(question)?,
        trusted_key: pin(
            question,
            "trusted_key",
            "an Ed25519 key (JWK), or `not-pinned`",
            |key| TrustedKey::from_jwk(key).ok(),
        )?,
        challenge: pin(question, "challenge", "a text", |text| {
            text.as_str().map(str::to_owned)
        })?,
        measurements: pin(
            question,
            "measurements",
            "a list of digests, or `not-pinned`",
            |list| {
                let digest = |value: &Value| value.as_str()?.parse().ok();
                list.as_array()?.iter().map(digest).collect()
            },
        )?,
        ..Expectations::unpinned(freshness(question)?)
    };
    let record = question.bytes("record")?;
    let report = verify_record(&record, None, &expectations, question.time()?);
    Ok(document(&report))
}

fn profiles(question: Question<'_>) -> Result<AcceptedProfiles, QuestionError> {
    match question.value("profiles")?.as_str() {
        Some("v0.2") => Ok(AcceptedProfiles::v0_2()),
        Some("with-draft") => Ok(AcceptedProfiles::with_draft()),
        Some(_) | None => Err(QuestionError::Member {
            member: "profiles",
            expected: "`v0.2`, or `with-draft` for v0.3 beside it",
        }),
    }
}

fn freshness(question: Question<'_>) -> Result<Freshness, QuestionError> {
    let age = pin(
        question,
        "max_age_seconds",
        "a number of seconds, or `not-pinned`",
        Value::as_u64,
    )?;
    Ok(match age {
        Pin::NotPinned => Freshness::NotChecked,
        Pin::Pinned(seconds) => Freshness::Checked {
            max_age: Duration::from_secs(seconds),
            max_skew: MAX_SKEW,
        },
    })
}

fn pin<T>(
    question: Question<'_>,
    member: &'static str,
    expected: &'static str,
    read: impl FnOnce(&Value) -> Option<T>,
) -> Result<Pin<T>, QuestionError> {
    let value = question.value(member)?;
    if value.as_str() == Some("not-pinned") {
        return Ok(Pin::NotPinned);
    }
    let read = read(value).ok_or(QuestionError::Member { member, expected })?;
    Ok(Pin::Pinned(read))
}

fn document(report: &Report) -> Object {
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
        ("status", Value::from(report.status.as_str())),
        ("grade", Value::from(report.grade.as_str())),
        ("checks", Value::Array(checks.collect())),
    ])
}

/// As `cmcp verify` allows it.
const MAX_SKEW: Duration = Duration::from_mins(5);

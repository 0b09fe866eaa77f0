mod actions;
mod anchors;
mod appraised;
mod claims;
mod ended;
mod exports;
mod plain;
mod published;
mod tampering;

use cmcp_evidence::Timestamp;

use super::{Expectations, Field, Freshness, Outcome, Pin, Report, verify_record};
use crate::code::Code;
use crate::trust_record::TrustedKey;
use crate::trust_record::tests::key;

/// A hundred seconds after every test's record was issued.
fn now() -> Timestamp {
    Timestamp::from_unix_seconds(1_785_000_100)
}

fn expectations() -> Expectations {
    Expectations {
        trusted_key: Pin::Pinned(TrustedKey::new(key().public())),
        ..Expectations::unpinned(Freshness::DEFAULT)
    }
}

fn judge(record: &[u8], expectations: &Expectations) -> Report {
    verify_record(record, None, expectations, now())
}

fn judge_with(record: &[u8], export: &[u8], expectations: &Expectations) -> Report {
    let mut export = export;
    verify_record(record, Some(&mut export), expectations, now())
}

/// Everything that failed.
fn failures(report: &Report) -> Vec<(Field, Code)> {
    let failures = report.failures();
    failures
        .map(|check| (check.field, check.code.unwrap()))
        .collect()
}

/// Everything nobody could say.
fn not_established(report: &Report) -> Vec<(Field, Code)> {
    report
        .checks
        .iter()
        .filter(|check| check.outcome == Outcome::NotEstablished)
        .map(|check| (check.field, check.code.unwrap()))
        .collect()
}

fn outcome(report: &Report, field: Field) -> Outcome {
    let mut checks = report.checks.iter().filter(|check| check.field == field);
    let outcome = checks.next().unwrap().outcome;
    assert!(checks.next().is_none(), "more than one line about {field}");
    outcome
}

//! Logs in which more was asked for than calls of tools.

use super::exports::{assert_honest, claim_and_bundle_of, draft_of, export_of, judge, record_of};
use super::failures;
use crate::audit::samples::{at, called, later_kinds, log_of};
use crate::audit::{Kind, SessionEnd, Text};
use crate::code::Code;
use crate::trust_record::tests::key;
use crate::trust_record::{RecordDraft, Transcript};
use crate::verdict::Verdict;
use crate::verify::{Check, Field, Report};

fn log() -> Vec<Vec<u8>> {
    log_of(later_kinds().into_iter().chain([
        called("echo", Verdict::Allow),
        Kind::SessionEnd(SessionEnd {
            reason: Text::new("closed"),
            sensitivity: Text::new("public"),
            successor: None,
        }),
    ]))
}

fn seen(report: &Report) -> String {
    let bundle = |check: &&Check| check.field == Field::AuditBundle;
    report.checks.iter().find(bundle).unwrap().note()
}

#[test]
fn a_record_counts_whatever_was_asked_for() {
    let report = judge(&record_of(&log()), &export_of(&log(), &key()));
    assert_honest(&report);
    assert_eq!(
        seen(&report),
        "11 entries, 1 calls, 1 elicit, 1 read_resource, 1 subscribe"
    );
    let calls_alone = RecordDraft {
        transcript: Transcript {
            calls: 1,
            ..draft_of(&log()).transcript
        },
        issued_at: at(10),
        ..draft_of(&log())
    };
    let report = judge(
        &calls_alone.sign(&key()).unwrap(),
        &export_of(&log(), &key()),
    );
    assert_eq!(
        failures(&report),
        [(Field::AuditChain, Code::TranscriptMismatch)]
    );
}

#[test]
fn a_claim_counts_calls_of_tools_and_agrees_with_both_exports() {
    let (claim, bundle) = claim_and_bundle_of(&log());
    let report = judge(&claim, &bundle);
    assert_honest(&report);
    assert_eq!(seen(&report), "4 entries, 1 calls");
    let report = judge(&claim, &export_of(&log(), &key()));
    assert_honest(&report);
    assert!(seen(&report).ends_with("1 calls, 1 elicit, 1 read_resource, 1 subscribe"));
}

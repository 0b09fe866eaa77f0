//! What a document says of the session's end, against what its log says.

use cmcp_json::Value;

use super::exports::{assert_honest, claim_and_bundle_of, draft_of, export_of, judge};
use super::failures;
use crate::audit::samples::{called, json, log_of};
use crate::audit::{Kind, SessionEnd, Text};
use crate::code::Code;
use crate::trust_record::RecordDraft;
use crate::trust_record::tests::key;
use crate::verdict::Verdict;
use crate::verify::Field;

/// A session that ended at this, and whose last call was written late.
fn log_ended_at(label: &str) -> Vec<Vec<u8>> {
    log_of([
        called("echo", Verdict::Allow),
        Kind::SessionEnd(SessionEnd {
            reason: Text::new("closed"),
            sensitivity: Text::new(label),
            successor: None,
        }),
    ])
}

const LOWERED: (Field, Code) = (Field::AuditBundle, Code::SensitivityMismatch);

#[test]
fn a_record_that_states_another_sensitivity_than_its_log_ended_at_fails() {
    let failures_of = |stated: &str, log: &[Vec<u8>]| {
        let record = RecordDraft {
            data_class: stated.to_owned(),
            ..draft_of(log)
        };
        let report = judge(&record.sign(&key()).unwrap(), &export_of(log, &key()));
        let notes: Vec<String> = report.failures().map(crate::verify::Check::note).collect();
        (failures(&report), notes)
    };
    let (found, notes) = failures_of("public", &log_ended_at("phi"));
    assert_eq!(found, [LOWERED]);
    assert_eq!(
        notes,
        ["sensitivity_mismatch; expected `data_class` phi, as in the log; found public"]
    );
    assert_eq!(failures_of("phi", &log_ended_at("public")).0, [LOWERED]);
    assert_eq!(failures_of("phi", &log_ended_at("phi")).0, []);
    // What an entry has no room for is cut in the log, and not in the record.
    let long = "geheim".repeat(100);
    assert_eq!(failures_of(&long, &log_ended_at(&long)).0, []);
    let other = format!("{long}!");
    assert_eq!(failures_of(&other, &log_ended_at(&long)).0, [LOWERED]);
    // A log that has not ended does not say.
    let open = log_of([called("echo", Verdict::Allow)]);
    assert_eq!(failures_of("phi", &open).0, []);
}

#[test]
fn a_claim_that_states_another_sensitivity_than_its_log_ended_at_fails() {
    let log = log_ended_at("phi");
    let (claim, bundle) = claim_and_bundle_of(&log);
    for export in [&bundle, &export_of(&log, &key())] {
        assert_honest(&judge(&claim, export));
        for path in [
            &["trace", "data_class"][..],
            &["gateway", "call_summary", "session_max_sensitivity"],
        ] {
            let mut claim = json(&claim);
            let object = claim.as_object_mut().unwrap();
            *crate::trust_record::tests::member(object, path) = Value::from("public");
            let preimage = cmcp_json::canonical_without(&claim, "signature", cmcp_json::Form::Pyj);
            let signature = key().sign(&preimage.unwrap()).to_b64url();
            let object = claim.as_object_mut().unwrap();
            object.insert("signature", signature);
            let report = judge(&claim.to_vec(), export);
            assert_eq!(failures(&report), [LOWERED], "{path:?}");
            let note = report.failures().next().unwrap().note();
            assert!(note.contains(&path.join(".")), "{note}");
        }
    }
}

use cmcp_evidence::Sha256Digest;
use cmcp_json::{Limits, Object, Value};

use super::{Fault, faults};
use crate::trust_record::tests::{changed, member};

fn digest() -> String {
    Sha256Digest::of(b"x").to_string()
}

/// Faults of a record with a claim and these members of its appraisal.
fn with(appraisal: Value, change: impl FnOnce(&mut Object)) -> Vec<Fault> {
    let record = changed(|record| {
        let entry = Object::from([
            ("id", "config".to_owned()),
            ("digest", digest()),
            ("resolver", "https://artifacts.example".to_owned()),
        ]);
        let claim = Object::from([
            ("function", Value::from("coordination/v1")),
            ("code_identity", Value::from(digest())),
            ("input_closure", Value::from(vec![Value::Object(entry)])),
            ("transcript_digest", Value::from(digest())),
        ]);
        record.insert("reproducibility", claim);
        let own = member(record, &["appraisal"]).as_object_mut().unwrap();
        for (name, value) in appraisal.as_object().unwrap().iter() {
            own.insert(name, value.clone());
        }
        change(record);
    });
    let record = cmcp_json::parse(&record, &Limits::DOCUMENT).unwrap();
    faults(record.as_object().unwrap())
}

fn appraisal(text: &str) -> Value {
    cmcp_json::parse(
        text.replace("DIGEST", &digest()).as_bytes(),
        &Limits::DOCUMENT,
    )
    .unwrap()
}

#[test]
fn results_are_accepted_with_what_makes_them_readable() {
    for text in [
        r#"{}"#,
        r#"{"method":"re-execution","re_execution":{"outcome":"reproduced"}}"#,
        r#"{"method":"re-execution","re_execution":{"outcome":"diverged","observed_digest":"DIGEST"}}"#,
        r#"{"method":"re-execution","re_execution":{"outcome":"not-attempted","reason":"gone"}}"#,
    ] {
        assert_eq!(with(appraisal(text), |_| {}), [], "{text}");
    }
}

#[test]
fn results_are_refused_for_the_one_thing_they_lack() {
    for (text, fault) in [
        (
            r#"{"re_execution":{"outcome":"reproduced"}}"#,
            Fault::ResultWithoutMethod,
        ),
        (r#"{"method":"re-execution"}"#, Fault::MethodWithoutResult),
        (r#"{"method":"static-analysis"}"#, Fault::UnknownMethod),
        (
            r#"{"method":"re_execution","re_execution":{"outcome":"reproduced"}}"#,
            Fault::UnknownMethod,
        ),
        (
            r#"{"method":"re-execution","re_execution":{"outcome":"Reproduced"}}"#,
            Fault::UnknownOutcome,
        ),
        (
            r#"{"method":"re-execution","re_execution":{"outcome":"diverged","reason":"x"}}"#,
            Fault::DivergedWithoutDigest,
        ),
        (
            r#"{"method":"re-execution","re_execution":{"outcome":"not-attempted"}}"#,
            Fault::NotAttemptedWithoutReason,
        ),
    ] {
        assert_eq!(with(appraisal(text), |_| {}), [fault], "{text}");
    }
}

#[test]
fn a_claim_names_its_function_inputs_and_outcome() {
    for name in [
        "function",
        "code_identity",
        "input_closure",
        "transcript_digest",
    ] {
        let found = with(appraisal("{}"), |record| {
            let claim = member(record, &["reproducibility"])
                .as_object_mut()
                .unwrap();
            claim.remove(name);
        });
        assert_eq!(found, [Fault::ClaimIncomplete], "{name}");
    }
    for name in ["id", "digest", "resolver"] {
        let found = with(appraisal("{}"), |record| {
            let closure = member(record, &["reproducibility", "input_closure"]);
            let entry = &mut closure.as_array_mut().unwrap()[0];
            entry.as_object_mut().unwrap().remove(name);
        });
        assert_eq!(found, [Fault::ClosureEntryIncomplete], "{name}");
    }
    let elsewhere = with(appraisal("{}"), |record| drop(record.insert("extra", "x")));
    assert_eq!(elsewhere, [Fault::Schema]);
}

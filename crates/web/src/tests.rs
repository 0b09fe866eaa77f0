use cmcp_evidence::{
    Collected, Endorsements, Evidence, Part, Platform, SigningKey, b64, wire::container,
};
use cmcp_json::{Limits, Object, Value};

use crate::{Host, evidence, record};

fn read(answer: &[u8]) -> Value {
    cmcp_json::parse(answer, &Limits::DOCUMENT).expect("JSON")
}

fn error(answer: &[u8]) -> String {
    let answer = read(answer);
    let error = answer.get("error").and_then(Value::as_str);
    error.unwrap_or_else(|| panic!("{answer}")).to_owned()
}

fn ask(question: &Object, by: fn(&[u8]) -> Vec<u8>) -> Vec<u8> {
    by(&Value::Object(question.clone()).to_vec())
}

fn refused() -> Value {
    let mut values = Object::from([
        ("format", "cmcp-reference-values/v1"),
        ("freshness", "challenge-required"),
        ("withdrawn", "none"),
    ]);
    for platform in Platform::ALL {
        if platform != Platform::Software {
            values.insert(platform.as_str(), "refused");
        }
    }
    values.into()
}

fn evidence_question() -> Object {
    let collected = Collected {
        evidence: Evidence::new(Platform::Snp).with(Part::Report, *b"report"),
        endorsements: Endorsements::default(),
    };
    Object::from([
        ("evidence", read(&container::encode(&collected))),
        ("reference_values", refused()),
        (
            "binding",
            Object::from([("challenge", b64::encode(&[7; 16]))]).into(),
        ),
        ("at", Value::from("2026-06-05T00:00:00Z")),
    ])
}

fn record_question() -> Object {
    Object::from([
        ("record", Value::from(b64::encode(b"{}"))),
        (
            "trusted_key",
            SigningKey::from_seed(&[1; 32]).public().jwk(),
        ),
        ("challenge", Value::from("not-pinned")),
        ("measurements", Value::from("not-pinned")),
        ("max_age_seconds", Value::from(86_400_u64)),
        ("profiles", Value::from("v0.2")),
        ("at", Value::from("2026-06-05T00:00:00Z")),
    ])
}

#[test]
fn evidence_that_policy_refuses_is_refused_and_every_check_is_told() {
    let answer = read(&ask(&evidence_question(), evidence));
    assert_eq!(
        answer.get("status").and_then(Value::as_str),
        Some("contraindicated")
    );
    let checks = answer
        .get("checks")
        .and_then(Value::as_array)
        .expect("checks");
    let outcome = |code: &str| {
        let check = checks
            .iter()
            .find(|check| check.get("code").and_then(Value::as_str) == Some(code));
        check
            .and_then(|check| check.get("outcome"))
            .and_then(Value::as_str)
            .map(str::to_owned)
    };
    assert_eq!(outcome("evidence.fresh").as_deref(), Some("met"));
    assert_eq!(outcome("evidence.platform").as_deref(), Some("failed"));
}

#[test]
fn nothing_may_be_left_out_and_nothing_else_may_be_asked() {
    for (question, by) in [
        (evidence_question(), evidence as fn(&[u8]) -> Vec<u8>),
        (record_question(), record),
    ] {
        for member in question.keys() {
            let mut less = question.clone();
            less.remove(member);
            let error = error(&ask(&less, by));
            assert!(
                error.contains(&format!("`{member}` must be there")),
                "{error}"
            );
        }
        let mut more = question;
        more.insert("show", "x");
        assert!(error(&ask(&more, by)).starts_with("`show` is not known here"));
    }
}

#[test]
fn what_is_no_question_is_answered_by_an_error() {
    for question in ["", "[]", "{", "null"] {
        error(&evidence(question.as_bytes()));
        error(&record(question.as_bytes()));
    }
    let mut question = evidence_question();
    for binding in [
        Value::Null,
        Value::from("any"),
        Object::from([("report_data", "00")]).into(),
    ] {
        question.insert("binding", binding);
        assert!(error(&ask(&question, evidence)).starts_with("`binding` must be `none`"));
    }
    let mut question = evidence_question();
    question.insert("reference_values", Object::new());
    assert!(error(&ask(&question, evidence)).contains("`freshness`: is not decided"));
    let mut question = evidence_question();
    question.insert("at", "yesterday");
    assert!(error(&ask(&question, evidence)).starts_with("`at`: "));
    let mut question = record_question();
    question.insert("trusted_key", "any");
    assert!(error(&ask(&question, record)).starts_with("`trusted_key` must be"));
    let mut question = record_question();
    question.insert("profiles", "v0.1");
    assert!(error(&ask(&question, record)).starts_with("`profiles` must be `v0.2`"));
}

#[test]
fn a_record_is_judged() {
    let report = read(&ask(&record_question(), record));
    assert_eq!(report.get("grade").and_then(Value::as_str), Some("reject"));
}

#[test]
fn a_host_is_answered_for_the_room_it_was_given_and_no_other() {
    let host = Host::new();
    let echo = |question: &[u8]| question.to_vec();
    let room = host.alloc(3);
    assert!(!room.is_null());
    let answered = |question, length| {
        host.answer(question, length, echo);
        host.last()
    };
    assert_eq!(answered(room, 3), [3, 0, 0, 0, 0, 0, 0]);
    // It was taken, and is not there a second time.
    assert_eq!(answered(room, 3), [0; 4]);
    let room = host.alloc(3);
    assert_eq!(answered(room, 4), [0; 4]);
    assert!(host.alloc((32 << 20) + 1).is_null());
}

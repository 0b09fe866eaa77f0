use std::time::Duration;

use bytes::Bytes;
use cmcp_json::{Limits, Value, parse};

use crate::tasks::{
    Attached,
    Form::{self, Flat, Nested},
    Status, beside, created, described, related, server_id, status, ttl, unrelated,
};

const NESTED: &str = r#"{ "_meta":{"a":1.0} , "task":{"taskId":"s-1","status":"working","x":1e2,"createdAt":"\u0032026","lastUpdatedAt":"2026","ttl":6.0e4,"pollInterval":500},"more":12345678901234567890123}"#;
const FLAT: &str = r#"{"resultType":"task","taskId":"s-1", "status":"working","createdAt":"\u0032026","lastUpdatedAt":"2026","ttlMs":6.0e4,"pollIntervalMs":500,"_meta":{"a":1.0},"more":12345678901234567890123}"#;

fn bytes(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

fn value(text: &str) -> Value {
    parse(text.as_bytes(), &Limits::RESPONSE).unwrap()
}

fn text(made: Option<Bytes>) -> String {
    String::from_utf8(made.unwrap().to_vec()).unwrap()
}

#[test]
fn a_task_that_was_made_goes_from_one_form_into_the_other() {
    assert_eq!(
        text(created(&bytes(NESTED), (Nested, Flat), "own\"")),
        r#"{"resultType":"task","taskId":"own\"","status":"working","createdAt":"\u0032026","lastUpdatedAt":"2026","ttlMs":6.0e4,"pollIntervalMs":500,"x":1e2,"_meta":{"a":1.0},"more":12345678901234567890123}"#
    );
    assert_eq!(
        text(created(&bytes(FLAT), (Flat, Nested), "own")),
        r#"{"task":{"taskId":"own","status":"working","createdAt":"\u0032026","lastUpdatedAt":"2026","ttl":6.0e4,"pollInterval":500},"_meta":{"a":1.0},"more":12345678901234567890123}"#
    );
}

#[test]
fn within_one_form_only_the_id_changes() {
    for (form, raw) in [(Nested, NESTED), (Flat, FLAT)] {
        let made = text(created(&bytes(raw), (form, form), "own"));
        assert_eq!(made, raw.replace("s-1", "own"));
    }
    let raw = r#"{ "taskId" : "s-1","ttl":null,"resultType":"complete", "more":{"a":1e2}}"#;
    for form in [Nested, Flat] {
        let made = text(described(&bytes(raw), (form, form), "own", None));
        assert_eq!(made, raw.replace("s-1", "own"));
    }
}

#[test]
fn a_described_task_goes_from_one_form_into_the_other() {
    let nested = r#"{"taskId":"s","status":"completed","createdAt":"a","lastUpdatedAt":"b","ttl":null,"statusMessage":"\u0041","_meta":{"z":1}}"#;
    let result = Attached::Result(br#"{"content":[]}"#);
    assert_eq!(
        text(described(
            &bytes(nested),
            (Nested, Flat),
            "own",
            Some(result)
        )),
        r#"{"taskId":"own","status":"completed","createdAt":"a","lastUpdatedAt":"b","ttlMs":null,"statusMessage":"\u0041","_meta":{"z":1},"result":{"content":[]}}"#
    );
    let flat = r#"{"resultType":"complete","taskId":"s","status":"failed","createdAt":"a","lastUpdatedAt":"b","ttlMs":1,"pollIntervalMs":2,"error":{"code":1,"message":"m"},"z":1}"#;
    assert_eq!(
        text(described(&bytes(flat), (Flat, Nested), "own", Some(result))),
        r#"{"taskId":"own","status":"failed","createdAt":"a","lastUpdatedAt":"b","ttl":1,"pollInterval":2,"z":1}"#
    );
    // What made a task is all that is known of it at first.
    assert_eq!(
        text(described(&bytes(NESTED), (Nested, Nested), "own", None)),
        r#"{"taskId":"own","status":"working","createdAt":"\u0032026","lastUpdatedAt":"2026","ttl":6.0e4,"pollInterval":500,"x":1e2}"#
    );
    assert_eq!(
        text(described(&bytes(FLAT), (Flat, Nested), "own", None)),
        r#"{"taskId":"own","status":"working","createdAt":"\u0032026","lastUpdatedAt":"2026","ttl":6.0e4,"pollInterval":500,"_meta":{"a":1.0},"more":12345678901234567890123}"#
    );
}

#[test]
fn what_stands_beside_a_flat_task_is_replaced_by_what_was_inspected() {
    let flat = r#"{"taskId":"s","result": {"secret":1} ,"status":"completed"}"#;
    let clean = Attached::Result(br#"{"secret":null}"#);
    assert_eq!(
        text(described(&bytes(flat), (Flat, Flat), "own", Some(clean))),
        r#"{"taskId":"own","result": {"secret":null} ,"status":"completed"}"#
    );
    let waits = r#"{"taskId":"s","status":"input_required"}"#;
    let asked = Attached::InputRequests(br#"{"k":{}}"#);
    assert_eq!(
        text(described(&bytes(waits), (Nested, Flat), "own", Some(asked))),
        r#"{"taskId":"own","status":"input_required","inputRequests":{"k":{}}}"#
    );
    let failed = Attached::Error(br#"{"code":1,"message":""}"#);
    let made = text(described(&bytes(waits), (Flat, Flat), "own", Some(failed)));
    assert!(
        made.ends_with(r#""error":{"code":1,"message":""}}"#),
        "{made}"
    );
}

#[test]
fn a_member_that_only_the_other_form_knows_never_comes_to_mean_something() {
    let raw = r#"{"taskId":"s","ttlMs":9,"ttl":1,"pollInterval":2,"pollIntervalMs":8}"#;
    assert_eq!(
        text(described(&bytes(raw), (Nested, Flat), "o", None)),
        r#"{"taskId":"o","ttlMs":1,"pollIntervalMs":2}"#
    );
    assert_eq!(
        text(described(&bytes(raw), (Flat, Nested), "o", None)),
        r#"{"taskId":"o","ttl":9,"pollInterval":8}"#
    );
}

#[test]
fn what_tells_of_no_task_is_taken_for_none() {
    let cases = [
        (Nested, r#"{"taskId":"s"}"#),
        (Nested, r#"{"task":{}}"#),
        (Nested, r#"{"task":"s"}"#),
        (Flat, r#"{"task":{"taskId":"s"}}"#),
        (Flat, "[]"),
        (Flat, "null"),
        (Nested, ""),
    ];
    for (form, raw) in cases {
        for to in [Flat, Nested] {
            assert_eq!(created(&bytes(raw), (form, to), "o"), None, "{raw}");
        }
    }
    for raw in [r#"{"status":"working"}"#, "[]", "", r#"{"task":{}}"#] {
        for (from, to) in [
            (Flat, Flat),
            (Flat, Nested),
            (Nested, Flat),
            (Nested, Nested),
        ] {
            assert_eq!(described(&bytes(raw), (from, to), "o", None), None, "{raw}");
        }
    }
}

#[test]
fn id_status_and_time_are_read_where_the_form_has_them() {
    let (nested, flat) = (value(NESTED), value(FLAT));
    for (form, made) in [(Nested, &nested), (Flat, &flat)] {
        assert_eq!(server_id(made, form), Some("s-1"));
        assert_eq!(status(made, form), Some(Status::Working));
    }
    assert_eq!(server_id(&nested, Flat), None);
    assert_eq!(server_id(&value(r#"{"taskId":1}"#), Flat), None);
    assert_eq!(server_id(&value(r#"{"taskId":""}"#), Nested), Some(""));
    let ttl = |form: Form, raw: &str| ttl(&value(raw), form);
    assert_eq!(
        ttl(Flat, r#"{"ttlMs":1500}"#),
        Some(Some(Duration::from_millis(1_500)))
    );
    assert_eq!(ttl(Nested, r#"{"task":{"ttl":null}}"#), Some(None));
    assert_eq!(ttl(Nested, r#"{"ttl":0}"#), Some(Some(Duration::ZERO)));
    for raw in [
        r#"{"ttl":1}"#,
        r#"{"ttlMs":-1}"#,
        r#"{"ttlMs":"1"}"#,
        r#"{"ttlMs":1.5}"#,
        "{}",
    ] {
        assert_eq!(ttl(Flat, raw), None, "{raw}");
    }
}

#[test]
fn every_status_is_read_and_nothing_else_is_one() {
    for status in Status::ALL {
        assert_eq!(Status::parse(status.as_str()), Some(status));
    }
    for word in ["", "Working", "done", "input-required"] {
        assert_eq!(Status::parse(word), None);
    }
    let last: Vec<_> = Status::ALL.into_iter().filter(|s| s.is_final()).collect();
    assert_eq!(last, [Status::Cancelled, Status::Completed, Status::Failed]);
}

#[test]
fn what_stands_beside_a_task_is_found_by_its_status() {
    let raw = bytes(r#"{"result": {"a": 1e2},"error":1,"inputRequests":[ ]}"#);
    assert_eq!(beside(&raw, Status::Completed).unwrap(), r#"{"a": 1e2}"#);
    assert_eq!(beside(&raw, Status::Failed).unwrap(), "1");
    assert_eq!(beside(&raw, Status::InputRequired).unwrap(), "[ ]");
    assert_eq!(beside(&raw, Status::Working), None);
    assert_eq!(beside(&bytes("{}"), Status::Completed), None);
}

#[test]
fn a_result_is_told_apart_by_its_task_and_without_it_is_as_it_was() {
    let key = "io.modelcontextprotocol/related-task";
    let cases = [
        (
            r#"{"content":[], "x":1e2}"#.to_owned(),
            format!(r#"{{"content":[], "x":1e2,"_meta":{{"{key}":{{"taskId":"own"}}}}}}"#),
            r#"{"content":[], "x":1e2}"#.to_owned(),
        ),
        (
            format!(r#"{{"_meta":{{"{key}":{{"taskId":"s"}}}},"content":[]}}"#),
            format!(r#"{{"_meta":{{"{key}":{{"taskId":"own"}}}},"content":[]}}"#),
            r#"{"content":[]}"#.to_owned(),
        ),
        (
            format!(r#"{{"_meta":{{"a":1.0,"{key}":{{"taskId":"s"}}}},"content":[]}}"#),
            format!(r#"{{"_meta":{{"a":1.0,"{key}":{{"taskId":"own"}}}},"content":[]}}"#),
            r#"{"_meta":{"a":1.0},"content":[]}"#.to_owned(),
        ),
    ];
    for (raw, with, without) in cases {
        assert_eq!(text(related(&bytes(&raw), "own")), with);
        assert_eq!(text(unrelated(&bytes(&raw))), without);
    }
    for raw in ["[]", "", r#"{"_meta":1}"#] {
        assert_eq!(related(&bytes(raw), "own"), None, "{raw}");
    }
}

#[test]
fn nothing_that_was_not_looked_through_stands_beside_a_task() {
    let told = r#"{"taskId":"s-1","result":{"content":"raw"},"status":"working","error":{"m":"raw"},"inputRequests":{"k":"raw"},"n":1.0}"#;
    for (to, beside, expected) in [
        (Flat, None, r#"{"taskId":"own","status":"working","n":1.0}"#),
        (
            Flat,
            Some(Attached::Result(b"7")),
            r#"{"taskId":"own","result":7,"status":"working","n":1.0}"#,
        ),
        (
            Nested,
            None,
            r#"{"taskId":"own","status":"working","n":1.0}"#,
        ),
    ] {
        let shown = text(described(&bytes(told), (Flat, to), "own", beside));
        assert_eq!(shown, expected, "{to:?}");
    }
    let made = r#"{"content":["raw"],"resultType":"task","taskId":"s-1","structuredContent":{"a":"raw"},"status":"working","result":"raw","isError":false,"n":1.0}"#;
    assert_eq!(
        text(created(&bytes(made), (Flat, Flat), "own")),
        r#"{"resultType":"task","taskId":"own","status":"working","n":1.0}"#
    );
    assert_eq!(
        text(created(&bytes(made), (Flat, Nested), "own")),
        r#"{"task":{"taskId":"own","status":"working"},"n":1.0}"#
    );
    let made = r#"{"content":["raw"],"task":{"taskId":"s-1","status":"working"},"n":1.0}"#;
    assert_eq!(
        text(created(&bytes(made), (Nested, Nested), "own")),
        r#"{"task":{"taskId":"own","status":"working"},"n":1.0}"#
    );
}

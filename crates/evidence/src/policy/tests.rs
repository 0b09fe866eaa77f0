use cmcp_json::{Limits, Object, parse};

use super::*;

/// A document that refuses every platform, changed.
fn document(change: impl FnOnce(&mut Object)) -> Value {
    let mut document = Object::from([
        ("format", "cmcp-reference-values/v1"),
        ("freshness", "challenge-required"),
        ("withdrawn", "none"),
    ]);
    for platform in Platform::ALL {
        if platform != Platform::Software {
            document.insert(platform.as_str(), "refused");
        }
    }
    change(&mut document);
    Value::Object(document)
}

fn faults(document: &Value) -> Vec<String> {
    let faults = ReferenceValues::read(document).map(drop).unwrap_err();
    faults.iter().map(ToString::to_string).collect()
}

#[test]
fn a_document_that_refuses_everything_is_read() {
    let values = ReferenceValues::read(&document(|_| ())).unwrap();
    assert_eq!(values.freshness, Freshness::Required);
    assert!(values.snp.is_none() && values.tpm.is_none());
}

#[test]
fn c01_an_empty_document_accepts_nothing_and_is_an_error() {
    let faults = faults(&Value::Object(Object::new()));
    assert_eq!(faults.len(), 15);
    assert!(faults.iter().all(|fault| fault.contains("is not decided")));
}

#[test]
fn c02_a_misspelt_platform_is_an_error_twice() {
    let faults = faults(&document(|document| {
        document.remove("snp");
        document.insert("snpp", "refused");
    }));
    assert_eq!(faults.len(), 2, "{faults:?}");
    assert!(faults[0].starts_with("`snp`: is not decided"));
    assert!(faults[1].starts_with("`snpp`: is not known here"));
}

#[test]
fn software_has_no_section_because_no_policy_can_accept_it() {
    let faults = faults(&document(|document| {
        document.insert("software", "refused");
    }));
    assert!(faults[0].starts_with("`software`: is not known here"));
}

#[test]
fn another_format_is_not_read_as_this_one() {
    let faults = faults(&document(|document| {
        document.insert("format", "cmcp-reference-values/v2");
    }));
    assert_eq!(
        faults,
        ["`format`: must be one of: cmcp-reference-values/v1"]
    );
}

#[test]
fn what_is_withdrawn_needs_a_reason() {
    let read = |text: &str| {
        let withdrawn = parse(text.as_bytes(), &Limits::DOCUMENT).unwrap();
        ReferenceValues::read(&document(|document| {
            document.insert("withdrawn", withdrawn);
        }))
    };
    let values = read(r#"{"00ff":"leaks its key"}"#).unwrap();
    assert_eq!(values.withdrawn[0].value, [0, 0xff]);
    assert!(read("{}").is_err());
    assert!(read(r#"{"00ff":""}"#).is_err());
    assert!(read(r#"{"x":"reason"}"#).is_err());
    assert!(read("[]").is_err());
}

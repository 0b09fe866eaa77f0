use super::{InspectError, catalog, json, look};
use crate::{inspect::inspect, path::JsonPath};

const PERSON: &str = r#"{"type":"object","properties":{"name":{"type":"string"},"ssn":{"type":"string"},"age":{"type":"integer"}}}"#;

const SSN: &str = "$.structuredContent.ssn";

/// What is left of a result, and the paths that were hit.
fn redacted(schema: &str, paths: &[&str], result: &str) -> (String, Vec<String>) {
    let mut value = json(result);
    let inspected = look(&catalog(schema, paths), &mut value).unwrap();
    (value.to_string(), inspected.redactions)
}

#[test]
fn a_redacted_value_survives_nowhere() {
    let (left, hit) = redacted(
        PERSON,
        &[SSN],
        r#"{"content":[{"type":"text","text":"{\n  \"name\": \"Zoë\",\n  \"ssn\": \"219-09-1234\"\n}"},
            {"type":"text","text":"Zoë has 219-09-1234."},
            {"type":"resource","resource":{"uri":"x://219-09-1234","text":"{\"ssn\":\"219-09-1234\"}"}}],
            "structuredContent":{"name":"Zoë","ssn":"219-09-1234"},"_meta":{"trace":"for 219-09-1234"}}"#,
    );
    assert_eq!(hit, [SSN]);
    assert_eq!(
        left,
        r#"{"content":[{"type":"text","text":"{\"name\":\"Zoë\",\"ssn\":\"[redacted]\"}"},{"type":"text","text":"Zoë has [redacted]."},{"type":"resource","resource":{"uri":"x://[redacted]","text":"{\"ssn\":\"[redacted]\"}"}}],"structuredContent":{"name":"Zoë","ssn":"[redacted]"},"_meta":{"trace":"for [redacted]"}}"#
    );
}

#[test]
fn only_what_says_how_a_block_is_read_is_left_alone() {
    let (left, _) = redacted(
        "null",
        &["$.structuredContent.kind"],
        r#"{"content":[{"type":"text","text":"a text"},{"type":"image","mimeType":"text","data":"text"}],
            "structuredContent":{"kind":"text"},"_meta":{"data":{"type":"text"}}}"#,
    );
    assert_eq!(
        left,
        r#"{"content":[{"type":"text","text":"a [redacted]"},{"type":"image","mimeType":"text","data":"text"}],"structuredContent":{"kind":"[redacted]"},"_meta":{"data":{"type":"[redacted]"}}}"#
    );
}

#[test]
fn text_that_is_json_is_redacted_even_when_it_stands_alone_or_says_something_else() {
    let alone = r#"{"content":[{"type":"text","text":"{\"ssn\":\"219-09-1234\"}"}]}"#;
    let (left, hit) = redacted(PERSON, &[SSN], alone);
    assert_eq!((left.contains("219"), hit), (false, vec![SSN.to_owned()]));
    let (left, _) = redacted(
        PERSON,
        &[SSN],
        r#"{"content":[{"type":"text","text":"{\"ssn\":\"another 1\"}"}],"structuredContent":{"ssn":"219-09-1234"}}"#,
    );
    assert!(!left.contains("another"), "{left}");
}

#[test]
fn wrapped_lists_are_redacted_in_the_text_of_each_element() {
    let path = "$.structuredContent.result[*].ssn";
    let schema =
        r#"{"properties":{"result":{"type":"array","items":{"properties":{"n":{},"ssn":{}}}}}}"#;
    let (left, hit) = redacted(
        schema,
        &[path],
        r#"{"content":[{"type":"text","text":"{\"n\":1,\"ssn\":12}"},{"type":"text","text":"[{\"n\":2,\"ssn\":34}]"}],
            "structuredContent":{"result":[{"n":1,"ssn":12},{"n":2,"ssn":34}]}}"#,
    );
    assert_eq!(hit, [path]);
    assert_eq!(
        left,
        r#"{"content":[{"type":"text","text":"{\"n\":1,\"ssn\":\"[redacted]\"}"},{"type":"text","text":"[{\"n\":2,\"ssn\":\"[redacted]\"}]"}],"structuredContent":{"result":[{"n":1,"ssn":"[redacted]"},{"n":2,"ssn":"[redacted]"}]}}"#
    );
}

#[test]
fn what_replaces_a_value_satisfies_the_approved_schema() {
    let left = |v: &str, required: &str| {
        let schema = format!(r#"{{"properties":{{"v":{v},"w":{{}}}},"required":{required}}}"#);
        redacted(
            &schema,
            &["$.structuredContent.v"],
            r#"{"content":[],"structuredContent":{"v":1234,"w":1}}"#,
        )
        .0
    };
    assert!(left("{}", "[]").ends_with(r#"{"v":"[redacted]","w":1}}"#));
    assert!(left(r#"{"type":"integer"}"#, "[]").ends_with(r#"{"w":1}}"#));
    assert!(left(r#"{"type":["integer","null"]}"#, r#"["v"]"#).ends_with(r#"{"v":null,"w":1}}"#));
}

#[test]
fn a_value_the_approved_schema_insists_on_is_not_passed_on_unredacted() {
    let schema = r#"{"properties":{"v":{"type":"integer"}},"required":["v"]}"#;
    let mut value = json(r#"{"content":[],"structuredContent":{"v":1234}}"#);
    let before = value.to_string();
    let verdict = look(&catalog(schema, &["$.structuredContent.v"]), &mut value);
    assert_eq!(
        verdict,
        Err(InspectError::Redaction {
            paths: "$.structuredContent.v".to_owned()
        })
    );
    assert_eq!(value.to_string(), before);
}

#[test]
fn policy_adds_paths_to_those_of_the_catalog() {
    let catalog = catalog(PERSON, &[SSN]);
    let mut value =
        json(r#"{"content":[],"structuredContent":{"name":"Zoë","ssn":"219-09-1234","age":7}}"#);
    let extra: Vec<JsonPath> = vec!["$.structuredContent.name".parse().unwrap()];
    let inspected = inspect(&mut value, catalog.tool("t").unwrap(), &extra).unwrap();
    assert_eq!(inspected.redactions, ["$.structuredContent.name", SSN]);
    assert!(
        value
            .to_string()
            .ends_with(r#"{"name":"[redacted]","ssn":"[redacted]","age":7}}"#)
    );
}

#[test]
fn text_can_be_redacted_as_text_and_structure_as_a_whole() {
    let all = r#"{"content":[{"type":"text","text":"all of it"}],"_meta":{"m":"all of it"}}"#;
    let (left, hit) = redacted("null", &["$.content[*].text"], all);
    assert_eq!(hit, ["$.content[*].text"]);
    assert_eq!(
        left,
        r#"{"content":[{"type":"text","text":"[redacted]"}],"_meta":{"m":"[redacted]"}}"#
    );
    let (left, _) = redacted(
        PERSON,
        &["$.structuredContent"],
        r#"{"content":[{"type":"text","text":"{\"age\":7}"},{"type":"text","text":"Zoë"}],"structuredContent":{"name":"Zoë","age":7}}"#,
    );
    assert_eq!(
        left,
        r#"{"content":[{"type":"text","text":"[redacted]"},{"type":"text","text":"Zoë"}]}"#
    );
}

#[test]
fn nothing_is_touched_where_nothing_is_named() {
    let result = r#"{"content":[{"type":"text","text":"{ \"a\" : 1.50 }"}],"structuredContent":{"name":"x"}}"#;
    assert_eq!(
        redacted(PERSON, &[SSN], result),
        (result.to_owned(), Vec::new())
    );
}

#[test]
fn what_is_too_much_to_search_for_takes_all_text_with_it() {
    let long = "x".repeat(2 << 20);
    let result = format!(
        r#"{{"content":[{{"type":"text","text":"anything"}}],"structuredContent":{{"ssn":"{long}"}}}}"#
    );
    let (left, _) = redacted("null", &[SSN], &result);
    assert_eq!(
        left,
        r#"{"content":[{"type":"text","text":"[redacted]"}],"structuredContent":{"ssn":"[redacted]"}}"#
    );
}

#[test]
fn labels_are_those_of_what_is_left() {
    let mut value = json(r#"{"content":[],"structuredContent":{"ssn":"219-09-1234"}}"#);
    let inspected = look(&catalog(PERSON, &[SSN]), &mut value).unwrap();
    assert!(inspected.findings.is_empty() && inspected.sensitivity.is_none());
}

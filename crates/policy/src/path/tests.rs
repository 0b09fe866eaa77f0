use cmcp_json::{Limits, Value, parse};

use super::{JsonPath, PathErrorKind, Replacement};

fn json(text: &str) -> Value {
    parse(text.as_bytes(), &Limits::REQUEST).unwrap()
}

fn path(text: &str) -> JsonPath {
    text.parse().unwrap()
}

fn fault(text: &str) -> (usize, PathErrorKind) {
    let error = text.parse::<JsonPath>().unwrap_err();
    (error.at, error.kind)
}

#[test]
fn a_path_is_written_as_it_was_read() {
    for text in [
        "$.a",
        "$.a.b[*].c[0]",
        "$[\"odd name\"][3]",
        "$[\"a\\\"b\\\\c\"]",
        "$.straße",
        "$[0]",
        "$[\"0\"]",
    ] {
        assert_eq!(path(text).to_string(), text);
    }
    assert_eq!(path("$['a'].*").to_string(), "$.a[*]");
}

#[test]
fn what_is_no_path_is_refused_with_its_place() {
    assert_eq!(fault("a.b"), (1, PathErrorKind::Root));
    assert_eq!(fault(""), (1, PathErrorKind::Root));
    assert_eq!(fault("$"), (2, PathErrorKind::Everything));
    assert_eq!(fault("$a"), (2, PathErrorKind::Step));
    assert_eq!(fault("$..a"), (3, PathErrorKind::Step));
    assert_eq!(fault("$.a[?@.b]"), (5, PathErrorKind::Step));
    assert_eq!(fault("$.a[1:2]"), (6, PathErrorKind::Step));
    assert_eq!(fault("$.a[-1]"), (5, PathErrorKind::Step));
    assert_eq!(fault("$.a[01]"), (5, PathErrorKind::Index));
    assert_eq!(fault("$.a[2147483648]"), (5, PathErrorKind::Index));
    assert_eq!(fault("$.é[\"x"), (5, PathErrorKind::Quote));
    assert_eq!(fault("$[\"a\\n\"]"), (3, PathErrorKind::Quote));
    assert_eq!(fault("$.a b"), (4, PathErrorKind::Step));
    assert_eq!(fault("$.1"), (3, PathErrorKind::Step));
    assert_eq!(
        fault(&format!("${}", ".a".repeat(33))).1,
        PathErrorKind::Long
    );
}

#[test]
fn a_path_for_a_result_starts_at_one_of_its_members() {
    assert!(JsonPath::parse_in_result("$.structuredContent.ssn").is_ok());
    assert!(JsonPath::parse_in_result("$.content[*].text").is_ok());
    let error = JsonPath::parse_in_result("$.ssn").unwrap_err();
    assert_eq!(error.kind, PathErrorKind::NotInResult);
}

#[test]
fn every_named_place_is_replaced_and_what_was_there_returned() {
    let mut value = json(r#"{"p":[{"ssn":"1","n":2},{"ssn":"3"},{}],"q":1}"#);
    let taken = path("$.p[*].ssn").replace(&mut value, Replacement::Mark);
    assert_eq!(taken, [json(r#""1""#), json(r#""3""#)]);
    assert_eq!(
        value.to_string(),
        r#"{"p":[{"ssn":"[redacted]","n":2},{"ssn":"[redacted]"},{}],"q":1}"#
    );
}

#[test]
fn removal_keeps_the_places_of_array_elements() {
    let mut value = json(r#"{"a":[1,2],"b":{"c":1,"d":2}}"#);
    assert_eq!(
        path("$.a[0]")
            .replace(&mut value, Replacement::Removal)
            .len(),
        1
    );
    assert_eq!(
        path("$.b.c")
            .replace(&mut value, Replacement::Removal)
            .len(),
        1
    );
    assert_eq!(value.to_string(), r#"{"a":[null,2],"b":{"d":2}}"#);
    path("$.b[*]").replace(&mut value, Replacement::Removal);
    assert_eq!(value.to_string(), r#"{"a":[null,2],"b":{}}"#);
}

#[test]
fn a_path_that_names_nothing_changes_nothing() {
    let mut value = json(r#"{"a":{"b":[1]}}"#);
    for text in [
        "$.x",
        "$.a[0]",
        "$.a.b.c",
        "$.a.b[1]",
        "$.a.b[*].c",
        "$.a[*].c",
    ] {
        assert!(!path(text).found_in(&value), "{text}");
        assert!(
            path(text).replace(&mut value, Replacement::Null).is_empty(),
            "{text}"
        );
    }
    assert!(path("$.a.b[0]").found_in(&value));
    assert_eq!(value.to_string(), r#"{"a":{"b":[1]}}"#);
}

#[test]
fn the_rest_of_a_path_can_be_applied_below_its_first_step() {
    assert_eq!(
        path("$.structuredContent.a[0]").below("structuredContent"),
        Some(path("$.a[0]"))
    );
    assert_eq!(path("$.structuredContent").below("structuredContent"), None);
    assert_eq!(path("$.a[*].b").below("structuredContent"), None);
    assert_eq!(path("$[*].b").below_element(), Some(path("$.b")));
    assert_eq!(path("$.b").below_element(), None);
    assert!(path("$.structuredContent").is_member("structuredContent"));
}

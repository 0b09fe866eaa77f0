use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{from_value, to_value};
use crate::{Limits, Value, parse};

#[derive(Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
struct Document {
    name: String,
    count: u64,
    #[serde(default)]
    ratio: Option<f64>,
    mode: Mode,
    list: Vec<Inner>,
    map: BTreeMap<String, i32>,
    raw: Value,
    maybe: Option<Value>,
}

#[derive(Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Mode {
    Plain,
    WithData { at: i64 },
    Pair(u8, u8),
}

#[derive(Debug, Deserialize, PartialEq, Serialize)]
struct Inner {
    id: i64,
}

fn value(text: &str) -> Value {
    parse(text.as_bytes(), &Limits::DOCUMENT).expect("value")
}

const TEXT: &str = r#"{"name":"é","count":3,"ratio":1.5,"mode":{"with-data":{"at":-1}},"list":[{"id":1},{"id":2}],"map":{"a":1},"raw":{"n":[1.0,-0,123456789012345678901234567890]},"maybe":null}"#;

#[test]
fn documents_are_read_and_written_back_with_numbers_as_spelled() {
    let document: Document = from_value(&value(TEXT)).expect("document");
    assert_eq!(document.mode, Mode::WithData { at: -1 });
    assert_eq!(
        document.raw.to_string(),
        r#"{"n":[1.0,-0,123456789012345678901234567890]}"#
    );
    assert_eq!(to_value(&document).expect("value").to_string(), TEXT);
}

#[test]
fn a_built_value_has_no_spans() {
    let object = to_value(&BTreeMap::from([("a", 1)])).expect("value");
    assert_eq!(object.as_object().and_then(|object| object.span("a")), None);
}

#[test]
fn every_shape_of_an_enum_is_read() {
    for (text, mode) in [
        (r#""plain""#, Mode::Plain),
        (r#"{"with-data":{"at":2}}"#, Mode::WithData { at: 2 }),
        (r#"{"pair":[1,2]}"#, Mode::Pair(1, 2)),
    ] {
        assert_eq!(from_value(&value(text)), Ok(mode));
    }
}

#[test]
fn what_does_not_fit_is_named_with_its_place() {
    for (old, new, expected) in [
        (
            r#""id":2"#,
            r#""id":"2""#,
            "invalid type: string \"2\", expected i64 at `$.list[1].id`",
        ),
        (
            r#""count":3"#,
            r#""count":3.0"#,
            "invalid type: floating point `3.0`, expected u64 at `$.count`",
        ),
        (
            r#""count":3"#,
            r#""count":-3"#,
            "invalid value: integer `-3`, expected u64 at `$.count`",
        ),
        (r#""count":3,"#, "", "missing field `count`"),
    ] {
        let error =
            from_value::<Document>(&value(&TEXT.replacen(old, new, 1))).expect_err("refused");
        assert_eq!(error.to_string(), expected);
    }
    let unknown = TEXT.replacen("\"count\"", "\"extra\":0,\"count\"", 1);
    let error = from_value::<Document>(&value(&unknown)).expect_err("refused");
    assert!(error.to_string().starts_with("unknown field `extra`"));
    for text in ["[1,2,3]", "[1]"] {
        assert!(from_value::<(u8, u8)>(&value(text)).is_err(), "{text}");
    }
    for text in ["1", "{}", r#"{"plain":null,"pair":[1,2]}"#, r#""other""#] {
        assert!(from_value::<Mode>(&value(text)).is_err(), "{text}");
    }
}

#[test]
fn serde_json_writes_a_value_verbatim() {
    let text = r#"{"z":[1.0,1e5,-0,18446744073709551615,1.10],"a":"\u0000é"}"#;
    let value = parse(text.as_bytes(), &Limits::RESPONSE).expect("value");
    assert_eq!(serde_json::to_string(&value).expect("text"), text);
}

#[test]
fn a_value_for_schema_validation_is_the_same_value() {
    let value = value(r#"{"a":[1,-2,1.5,18446744073709551615,1e2,null,true,"x"]}"#);
    assert_eq!(
        value.to_serde(),
        serde_json::json!({"a": [1, -2, 1.5, u64::MAX, 100.0, null, true, "x"]})
    );
}

#[test]
fn a_value_is_not_read_by_another_reader() {
    let foreign = serde_json::json!({"a": 1.0});
    assert!(Value::deserialize(foreign).is_err());
}

#[test]
fn what_is_no_strict_json_cannot_be_a_value() {
    struct Twice;
    impl Serialize for Twice {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.collect_map([("a", 1), ("a", 2)])
        }
    }
    assert!(to_value(&Twice).is_err());
    assert!(to_value(&BTreeMap::from([(vec![1], 1)])).is_err());
}

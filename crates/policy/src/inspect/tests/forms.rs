//! Forms that servers ask people to fill in.

use proptest::prelude::*;

use super::asked::{answered, asked, form};
use crate::{
    fixture::json,
    inspect::{Asked, inspect_answer},
};
use cmcp_json::{Object, Value};

/// What is said of content that answers a form with one field `f`.
fn filled(field: &str, value: &str) -> Result<(), String> {
    let schema = json(&format!(
        r#"{{"type":"object","properties":{{"f":{field}}}}}"#
    ));
    let answer = json(&format!(
        r#"{{"action":"accept","content":{{"f":{value}}}}}"#
    ));
    inspect_answer(Asked::Elicit, &answer, Some(&schema))
        .map(drop)
        .map_err(|error| error.to_string())
}

#[test]
fn e12_a_form_is_flat() {
    for field in [
        r#"{"type":"string","title":"T","description":"D","minLength":1,"maxLength":3,"default":"ab"}"#,
        r#"{"type":"string","format":"email"}"#,
        r#"{"type":"string","format":"uri"}"#,
        r#"{"type":"string","format":"date"}"#,
        r#"{"type":"string","format":"date-time"}"#,
        r#"{"type":"number","minimum":0.5,"maximum":1e3,"default":1}"#,
        r#"{"type":"integer","minimum":-1,"maximum":99}"#,
        r#"{"type":"boolean","default":false}"#,
        r#"{"type":"string","enum":["a","b"],"default":"b"}"#,
        r#"{"type":"string","enum":["a","b"],"enumNames":["A","B"]}"#,
        r#"{"type":"string","oneOf":[{"const":"a","title":"A"},{"const":"b","title":"B"}]}"#,
        r#"{"type":"array","items":{"type":"string","enum":["a","b"]},"minItems":1,"maxItems":2,"default":["a"]}"#,
        r#"{"type":"array","items":{"anyOf":[{"const":"a","title":"A"}]}}"#,
    ] {
        assert_eq!(
            asked(Asked::Elicit, &form(&format!(r#"{{"f":{field}}}"#))),
            Ok(()),
            "{field}"
        );
    }
    for field in [
        "true",
        "{}",
        r#"{"type":"object","properties":{}}"#,
        r#"{"type":"null"}"#,
        r#"{"type":["string","null"]}"#,
        r#"{"type":"array","items":{"type":"string"}}"#,
        r#"{"type":"array","items":{"type":"object"}}"#,
        r#"{"type":"array"}"#,
        r#"{"type":"string","format":"password"}"#,
        r#"{"type":"string","minLength":-1}"#,
        r#"{"type":"string","minLength":"1"}"#,
        r#"{"type":"number","minimum":"0"}"#,
        r#"{"type":"integer","enum":[1,2]}"#,
        r#"{"type":"string","enum":[1,2]}"#,
        r#"{"type":"string","enum":"a"}"#,
        r#"{"type":"string","enum":["a"],"oneOf":[{"const":"a"}]}"#,
        r#"{"type":"string","anyOf":[{"const":"a"}]}"#,
        r#"{"type":"string","oneOf":[{"title":"A"}]}"#,
        r##"{"$ref":"#/x","type":"string"}"##,
        r#"{"type":"string","allOf":[]}"#,
    ] {
        assert_eq!(
            asked(Asked::Elicit, &form(&format!(r#"{{"f":{field}}}"#))),
            Err("field `f` of the form is not a string, number, integer, boolean or choice of strings: forms are flat".to_owned()),
            "{field}"
        );
    }
}

#[test]
fn forms_are_objects_that_say_what_they_require() {
    let schema = |schema: &str| {
        asked(
            Asked::Elicit,
            &format!(r#"{{"mode":"form","message":"m","requestedSchema":{schema}}}"#),
        )
    };
    assert_eq!(
        schema(r#"{"type":"object","properties":{"a":{"type":"string"}},"required":["a"]}"#),
        Ok(())
    );
    assert_eq!(schema(r#"{"type":"object","properties":{}}"#), Ok(()));
    for wrong in [
        "7",
        "{}",
        r#"{"type":"array","properties":{}}"#,
        r#"{"type":"object"}"#,
        r#"{"type":"object","properties":[]}"#,
        r#"{"type":"object","properties":{},"required":"a"}"#,
        r#"{"type":"object","properties":{},"required":[1]}"#,
        r#"{"type":"object","properties":{},"allOf":[{}]}"#,
        r##"{"type":"object","properties":{},"$ref":"#/a"}"##,
        r#"{"type":"object","properties":{},"patternProperties":{".":{}}}"#,
    ] {
        assert_eq!(
            schema(wrong),
            Err(
                "`requestedSchema` is not an object of `type: object` with `properties`".to_owned()
            ),
            "{wrong}"
        );
    }
    assert_eq!(
        schema(r#"{"type":"object","properties":{},"required":["a\u202eb"]}"#),
        Err("`required` names `a\\u{202e}b`, which is no field of the form".to_owned())
    );
    let many: Object = (0..101)
        .map(|n| (format!("f{n}"), json(r#"{"type":"boolean"}"#)))
        .collect();
    assert_eq!(
        schema(&format!(
            r#"{{"type":"object","properties":{}}}"#,
            Value::from(many)
        )),
        Err("the form has more than 100 fields, or a choice of more than 1000".to_owned())
    );
    let values = vec!["\"v\""; 1001].join(",");
    let choice = format!(r#"{{"f":{{"type":"string","enum":[{values}]}}}}"#);
    assert!(asked(Asked::Elicit, &form(&choice)).is_err());
}

#[test]
fn a_default_fits_its_own_field() {
    for (field, why) in [
        (r#"{"type":"string","default":1}"#, "it is not a string"),
        (
            r#"{"type":"string","maxLength":1,"default":"ab"}"#,
            "it is too short or too long",
        ),
        (
            r#"{"type":"string","format":"email","default":"x"}"#,
            "it is not an e-mail address",
        ),
        (
            r#"{"type":"string","enum":["a"],"default":"b"}"#,
            "it is none of the choices",
        ),
        (
            r#"{"type":"integer","default":1.5}"#,
            "it is not a whole number",
        ),
        (
            r#"{"type":"number","maximum":1,"default":2}"#,
            "it is out of bounds",
        ),
        (
            r#"{"type":"boolean","default":"true"}"#,
            "it is not a boolean",
        ),
        (
            r#"{"type":"array","items":{"type":"string","enum":["a"]},"default":["b"]}"#,
            "it is none of the choices",
        ),
    ] {
        assert_eq!(
            asked(Asked::Elicit, &form(&format!(r#"{{"f":{field}}}"#))),
            Err(format!("the default of field `f` does not fit it: {why}")),
            "{field}"
        );
    }
}

/// Fields, and values that fit.
const FITTING: [(&str, &str); 16] = [
    (r#"{"type":"string"}"#, "\"\""),
    (r#"{"type":"string","minLength":2,"maxLength":2}"#, "\"äö\""),
    (
        r#"{"type":"string","format":"email"}"#,
        "\"zoe.doe+x@mail.example\"",
    ),
    (r#"{"type":"string","format":"uri"}"#, "\"urn:x:y\""),
    (r#"{"type":"string","format":"date"}"#, "\"2028-02-29\""),
    (
        r#"{"type":"string","format":"date-time"}"#,
        "\"2026-06-05T10:00:00.5+02:00\"",
    ),
    (
        r#"{"type":"string","format":"date-time"}"#,
        "\"2026-06-05t10:00:00z\"",
    ),
    (r#"{"type":"number","minimum":0.1,"maximum":0.3}"#, "0.2"),
    (r#"{"type":"integer"}"#, "9007199254740993"),
    (r#"{"type":"integer"}"#, "5.0"),
    (
        r#"{"type":"integer","maximum":9007199254740993}"#,
        "9007199254740993",
    ),
    (r#"{"type":"boolean"}"#, "false"),
    (r#"{"type":"string","enum":["a",""]}"#, "\"\""),
    (
        r#"{"type":"string","oneOf":[{"const":"a","title":"A"}]}"#,
        "\"a\"",
    ),
    (
        r#"{"type":"array","items":{"type":"string","enum":["a","b"]}}"#,
        r#"["b","a"]"#,
    ),
    (
        r#"{"type":"array","items":{"anyOf":[{"const":"a","title":"A"}]}}"#,
        "[]",
    ),
];

/// Fields, values that do not fit, and why.
const MISFITS: [(&str, &str, &str); 21] = [
    (r#"{"type":"string"}"#, "null", "it is not a string"),
    (r#"{"type":"string"}"#, "7", "it is not a string"),
    (
        r#"{"type":"string","maxLength":1}"#,
        "\"äö\"",
        "it is too short or too long",
    ),
    (
        r#"{"type":"string","minLength":1}"#,
        "\"\"",
        "it is too short or too long",
    ),
    (
        r#"{"type":"string","format":"email"}"#,
        "\"zoe\"",
        "it is not an e-mail address",
    ),
    (
        r#"{"type":"string","format":"email"}"#,
        r#""a@b\r\nBcc: c@d""#,
        "it is not an e-mail address",
    ),
    (
        r#"{"type":"string","format":"email"}"#,
        "\"a@b@c\"",
        "it is not an e-mail address",
    ),
    (
        r#"{"type":"string","format":"uri"}"#,
        "\"no uri\"",
        "it is not a URI",
    ),
    (
        r#"{"type":"string","format":"date"}"#,
        "\"2026-02-29\"",
        "it is not a date",
    ),
    (
        r#"{"type":"string","format":"date"}"#,
        "\"2026-06-05T\"",
        "it is not a date",
    ),
    (
        r#"{"type":"string","format":"date-time"}"#,
        "\"2026-06-05T10:00:00\"",
        "it is not a time with a zone",
    ),
    (r#"{"type":"number"}"#, "\"1\"", "it is not a number"),
    (
        r#"{"type":"number","minimum":1}"#,
        "0.999",
        "it is out of bounds",
    ),
    (
        r#"{"type":"integer","maximum":9007199254740992}"#,
        "9007199254740993",
        "it is out of bounds",
    ),
    (r#"{"type":"integer"}"#, "1.5", "it is not a whole number"),
    (r#"{"type":"boolean"}"#, "0", "it is not a boolean"),
    (
        r#"{"type":"string","enum":["a"]}"#,
        "\"A\"",
        "it is none of the choices",
    ),
    (
        r#"{"type":"string","oneOf":[{"const":"a","title":"A"}]}"#,
        "\"A\"",
        "it is none of the choices",
    ),
    (
        r#"{"type":"array","items":{"type":"string","enum":["a"]}}"#,
        r#"["a","a"]"#,
        "it has one choice twice",
    ),
    (
        r#"{"type":"array","items":{"type":"string","enum":["a"]}}"#,
        "\"a\"",
        "it is not an array",
    ),
    (
        r#"{"type":"array","items":{"type":"string","enum":["a","b"]},"maxItems":1}"#,
        r#"["a","b"]"#,
        "it is too short or too long",
    ),
];

#[test]
fn content_fits_the_form_field_by_field() {
    for (field, value) in FITTING {
        assert_eq!(filled(field, value), Ok(()), "{field} {value}");
    }
    for (field, value, why) in MISFITS {
        assert_eq!(
            filled(field, value),
            Err(format!("field `f`: {why}")),
            "{field} {value}"
        );
    }
}

const FORM: &str = r#"{"type":"object","properties":{"a":{"type":"string"},"b":{"type":"boolean"}},"required":["a"]}"#;

#[test]
fn only_what_was_asked_for_is_answered() {
    let form = Some(FORM);
    let accepted = |content: &str| {
        answered(
            &format!(r#"{{"action":"accept","content":{content}}}"#),
            form,
        )
    };
    assert_eq!(accepted(r#"{"a":"x"}"#), Ok(()));
    assert_eq!(accepted(r#"{"b":true,"a":""}"#), Ok(()));
    assert_eq!(
        accepted(r#"{"b":true}"#),
        Err("field `a` is required and missing".to_owned())
    );
    assert_eq!(
        accepted("{}"),
        Err("field `a` is required and missing".to_owned())
    );
    assert_eq!(
        answered(r#"{"action":"accept"}"#, form),
        Err("field `a` is required and missing".to_owned())
    );
    assert_eq!(
        accepted(r#"{"a":"x","password":"p"}"#),
        Err("something was filled in that the form does not ask for".to_owned())
    );
    assert_eq!(
        accepted("[1]"),
        Err("what was filled in is not an object".to_owned())
    );
    let empty = Some(r#"{"type":"object","properties":{}}"#);
    for answer in [
        r#"{"action":"accept"}"#,
        r#"{"action":"accept","content":{}}"#,
    ] {
        assert_eq!(answered(answer, empty), Ok(()));
    }
}

#[test]
fn without_consent_there_is_no_content() {
    for action in ["decline", "cancel"] {
        for form in [Some(FORM), None] {
            for none in ["", r#","content":null"#, r#","content":{}"#] {
                assert_eq!(
                    answered(&format!(r#"{{"action":"{action}"{none}}}"#), form),
                    Ok(())
                );
            }
            assert_eq!(
                answered(
                    &format!(r#"{{"action":"{action}","content":{{"a":"x"}}}}"#),
                    form
                ),
                Err(
                    "the answer carries content, which only the acceptance of a form does"
                        .to_owned()
                )
            );
        }
    }
    // A link is consented to, and answered elsewhere.
    assert_eq!(answered(r#"{"action":"accept"}"#, None), Ok(()));
    assert!(answered(r#"{"action":"accept","content":{"a":"x"}}"#, None).is_err());
    for (answer, why) in [
        ("{}", "`action` is missing, not a string"),
        (
            r#"{"action":"ok"}"#,
            "`action` is none of `accept`, `decline` and `cancel`",
        ),
        (r#"{"action":true}"#, "`action` is boolean, not a string"),
        ("7", "`result` is number, not an object"),
    ] {
        assert_eq!(answered(answer, None), Err(why.to_owned()), "{answer}");
    }
}

#[test]
fn h09_nothing_of_an_answer_is_told() {
    let wrong = filled(r#"{"type":"string","enum":["a"]}"#, "\"hunter2 hunter2\"").unwrap_err();
    assert!(!wrong.contains("hunter2"), "{wrong}");
    let surplus = answered(
        r#"{"action":"accept","content":{"a":"x","hunter2":"y"}}"#,
        Some(FORM),
    );
    assert!(!surplus.unwrap_err().contains("hunter2"));
}

proptest! {
    /// A second opinion: what a form takes is what a JSON Schema validator takes, closed.
    #[test]
    fn a_form_is_judged_as_json_schema_has_it(
        (field, value) in field_and_value(),
        present in any::<bool>(),
        required in any::<bool>(),
    ) {
        let schema = format!(
            r#"{{"type":"object","properties":{{"f":{field}}},"required":[{}],"additionalProperties":false}}"#,
            if required { "\"f\"" } else { "" }
        );
        let content = if present { format!(r#"{{"f":{value}}}"#) } else { "{}".to_owned() };
        let whole: serde_json::Value = schema.parse().unwrap();
        let expected = jsonschema::is_valid(&whole, &content.parse().unwrap());
        let form = json(&schema.replace(r#","additionalProperties":false"#, ""));
        let answer = json(&format!(r#"{{"action":"accept","content":{content}}}"#));
        let ours = inspect_answer(Asked::Elicit, &answer, Some(&form)).is_ok();
        prop_assert_eq!(ours, expected, "{} {}", schema, content);
    }
}

/// A field of a form, and a value that may fit it.
fn field_and_value() -> impl Strategy<Value = (String, String)> {
    let field = prop_oneof![
        (0..4_u8, 0..4_u8).prop_map(|(least, most)| format!(
            r#"{{"type":"string","minLength":{least},"maxLength":{most}}}"#
        )),
        (-3..3_i8, -3..3_i8).prop_map(|(least, most)| format!(
            r#"{{"type":"integer","minimum":{least},"maximum":{most}}}"#
        )),
        (-3..3_i8, 1..9_u8).prop_map(|(least, tenth)| format!(
            r#"{{"type":"number","minimum":{least}.{tenth}}}"#
        )),
        Just(r#"{"type":"boolean"}"#.to_owned()),
        Just(r#"{"type":"string","enum":["a","b","abc"]}"#.to_owned()),
        Just(r#"{"type":"string","oneOf":[{"const":"a","title":"A"},{"const":"b","title":"B"}]}"#.to_owned()),
        (0..3_u8, 0..3_u8).prop_map(|(least, most)| format!(
            r#"{{"type":"array","items":{{"type":"string","enum":["a","b"]}},"minItems":{least},"maxItems":{most},"uniqueItems":true}}"#
        )),
    ];
    let value = prop_oneof![
        "[abé]{0,5}".prop_map(|text| format!("\"{text}\"")),
        (-5..5_i8).prop_map(|number| number.to_string()),
        (-5..5_i8, 0..9_u8).prop_map(|(whole, tenth)| format!("{whole}.{tenth}")),
        any::<bool>().prop_map(|truth| truth.to_string()),
        Just("null".to_owned()),
        prop::collection::vec("[abc]", 0..4).prop_map(|all| format!("{all:?}")),
    ];
    (field, value)
}

#[test]
fn g11_a_form_refers_to_nothing_and_runs_no_pattern() {
    let fields = |field: &str| asked(Asked::Elicit, &form(&format!(r#"{{"f":{field}}}"#)));
    for reference in [
        "https://example.com/x",
        "#/properties/f",
        "file:///etc/passwd",
    ] {
        let field = format!(r#"{{"$ref":"{reference}"}}"#);
        assert!(fields(&field).is_err(), "{reference}");
    }
    // What the protocol's forms do not have is left to whoever asked.
    let pattern = r#"{"type":"string","pattern":"(a+)+$"}"#;
    assert_eq!(fields(pattern), Ok(()));
    let long = format!("\"{}!\"", "a".repeat(100_000));
    assert_eq!(filled(pattern, &long), Ok(()));
}

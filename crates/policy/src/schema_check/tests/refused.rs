use super::{Bare, Schema, SchemaError, accepts, arguments, json, refused};

#[test]
fn references_that_leave_the_document() {
    for reference in [
        "https://example.com/s.json",
        "http://127.0.0.1:1/x#/a",
        "other.json",
        "file:///etc/passwd",
        "urn:x:y",
    ] {
        let text = format!(r#"{{"properties":{{"a":{{"$ref":"{reference}"}}}}}}"#);
        assert_eq!(
            refused(&text),
            SchemaError::External("/properties/a/$ref".into()),
            "{reference}"
        );
    }
    assert_eq!(
        refused(r##"{"$ref":"#/$defs/none"}"##),
        SchemaError::Reference("/$ref".into())
    );
    assert_eq!(
        refused(r##"{"$dynamicRef":"https://example.com/x"}"##),
        SchemaError::External("/$dynamicRef".into())
    );
    assert_eq!(
        refused(r##"{"$ref":7}"##),
        SchemaError::Reference("/$ref".into())
    );
}

#[test]
fn a_property_named_like_a_keyword_is_a_property() {
    let schema = arguments(
        r#"{"properties":{"$ref":{"type":"string"},"$id":{"type":"string"},"$schema":{}}}"#,
    );
    assert!(accepts(
        &schema,
        r#"{"$ref":"https://example.com","$id":"x"}"#
    ));
}

#[test]
fn documents_inside_the_document() {
    assert_eq!(
        refused(r#"{"properties":{"a":{"$id":"https://example.com/a"}}}"#),
        SchemaError::Nested("/properties/a/$id".into())
    );
    assert_eq!(
        refused(r#"{"properties":{"a":{"$schema":"http://json-schema.org/draft-04/schema#"}}}"#),
        SchemaError::Nested("/properties/a/$schema".into())
    );
}

#[test]
fn the_same_dialect_may_be_named_again() {
    let dialect = "http://json-schema.org/draft-07/schema#";
    let schema = arguments(&format!(
        r#"{{"$schema":"{dialect}","properties":{{"a":{{"$schema":"{dialect}","type":"string"}}}}}}"#
    ));
    assert!(accepts(&schema, r#"{"a":"x"}"#));
    assert!(!accepts(&schema, r#"{"a":1}"#));
}

#[test]
fn dialects_nobody_knows() {
    assert_eq!(
        refused(r#"{"$schema":"https://example.com/meta"}"#),
        SchemaError::Dialect(r#""https://example.com/meta""#.into())
    );
}

#[test]
fn schemas_that_refer_to_themselves_without_going_into_the_value() {
    for text in [
        r##"{"$ref":"#"}"##,
        r##"{"allOf":[{"$ref":"#"}]}"##,
        r##"{"$defs":{"a":{"$ref":"#/$defs/b"},"b":{"anyOf":[{"$ref":"#/$defs/a"}]}},"properties":{"x":{"$ref":"#/$defs/a"}}}"##,
        r##"{"not":{"$ref":"#"}}"##,
    ] {
        assert!(matches!(refused(text), SchemaError::Chain(_)), "{text}");
    }
}

#[test]
fn chains_and_fans_of_references() {
    let link = |i: usize, next: String| format!(r##""d{i}":{next}"##);
    let chain: Vec<String> = (0..20)
        .map(|i| link(i, format!(r##"{{"$ref":"#/$defs/d{}"}}"##, i + 1)))
        .collect();
    let text = format!(
        r##"{{"$ref":"#/$defs/d0","$defs":{{{},"d20":{{}}}}}}"##,
        chain.join(",")
    );
    assert!(matches!(refused(&text), SchemaError::Chain(_)));
    let fan: Vec<String> = (0..12)
        .map(|i| {
            link(
                i,
                format!(
                    r##"{{"anyOf":[{{"$ref":"#/$defs/d{0}"}},{{"$ref":"#/$defs/d{0}"}}]}}"##,
                    i + 1
                ),
            )
        })
        .collect();
    let text = format!(
        r##"{{"$ref":"#/$defs/d6","$defs":{{{},"d12":{{}}}}}}"##,
        fan.join(",")
    );
    let verdict = refused(&text);
    assert!(
        matches!(verdict, SchemaError::Chain(_) | SchemaError::Breadth(_)),
        "{verdict}"
    );
}

#[test]
fn more_than_256_kib() {
    let text = format!(r#"{{"description":"{}"}}"#, "x".repeat(256 << 10));
    assert_eq!(refused(&text), SchemaError::Size);
}

#[test]
fn patterns_that_need_backtracking() {
    for pattern in ["(?=a)b", "(?!a)b", "(?<!a)b", r"(a)\\1"] {
        let text = format!(r#"{{"properties":{{"a":{{"pattern":"{pattern}"}}}}}}"#);
        assert_eq!(
            refused(&text),
            SchemaError::Pattern("/properties/a/pattern".into()),
            "{pattern}"
        );
    }
    let huge = format!(
        r#"{{"properties":{{"a":{{"pattern":"{}"}}}}}}"#,
        "(a{1000}){1000}"
    );
    assert_eq!(
        refused(&huge),
        SchemaError::Pattern("/properties/a/pattern".into())
    );
}

#[test]
fn keywords_with_values_of_the_wrong_kind() {
    for text in [
        r#"{"type":"objekt"}"#,
        r#"{"properties":[]}"#,
        r#"{"required":"a"}"#,
        r#"{"minimum":"1"}"#,
    ] {
        assert!(matches!(refused(text), SchemaError::Rejected(_)), "{text}");
    }
    assert_eq!(
        Schema::compile(&json("true"), Bare::Open).unwrap_err(),
        SchemaError::Shape("boolean")
    );
}

use std::collections::{BTreeMap, BTreeSet};

use cedar_policy::Schema;

use super::*;
use crate::fixture::{catalog, json, raw_tool};

fn described(schema: &str) -> Vec<(String, String)> {
    let Shape { members, others: _ } = infer::shape(&json(schema));
    let described = members
        .into_iter()
        .map(|(name, parameter)| match parameter {
            Parameter::Typed { ty, .. } => (name, write::cedar_type(&ty)),
            Parameter::Untyped(why) => (name, format!("invisible to policy: {why}")),
        });
    described.collect()
}

fn one(parameter: &str) -> String {
    let schema = format!(
        r##"{{"type": "object", "properties": {{"p": {parameter}}},
            "$defs": {{"Name": {{"type": "string"}}, "Loop": {{"$ref": "#/$defs/Loop"}},
                       "Tree": {{"type": "object", "properties": {{"t": {{"$ref": "#/$defs/Tree"}}}}}}}}}}"##
    );
    let [(_, ty)] = described(&schema).try_into().unwrap();
    ty
}

#[test]
fn json_schema_types_become_cedar_types() {
    for (parameter, ty) in [
        (r#"{"type": "boolean"}"#, "Bool"),
        (r#"{"type": "integer"}"#, "Long"),
        (r#"{"type": "number"}"#, "decimal"),
        (r#"{"type": "string", "format": "uri"}"#, "String"),
        (r#"{"type": ["string", "null"]}"#, "String"),
        (
            r#"{"anyOf": [{"type": "integer"}, {"type": "null"}], "default": null}"#,
            "Long",
        ),
        (
            r#"{"anyOf": [{"type": "integer"}, {"type": "number"}]}"#,
            "decimal",
        ),
        (r#"{"enum": ["a", "b", null]}"#, "String"),
        (r#"{"const": 3}"#, "Long"),
        (r##"{"$ref": "#/$defs/Name"}"##, "String"),
        (r##"{"allOf": [{"$ref": "#/$defs/Name"}]}"##, "String"),
        (
            r#"{"type": "array", "items": {"type": "array", "items": {"type": "string"}}}"#,
            "Set<Set<String>>",
        ),
        (
            r#"{"type": "object", "properties": {"a b": {"type": "integer"}}}"#,
            "{\n  \"a b\"?: Long,\n}",
        ),
        (r#"{"type": "object", "additionalProperties": false}"#, "{}"),
    ] {
        assert_eq!(one(parameter), ty, "{parameter}");
    }
}

#[test]
fn what_cedar_cannot_type_is_invisible_and_says_why() {
    for (parameter, why) in [
        ("{}", Untyped::Anything),
        ("true", Untyped::Anything),
        (r#"{"type": "null"}"#, Untyped::Anything),
        (r#"{"type": ["string", "integer"]}"#, Untyped::Union),
        (
            r#"{"oneOf": [{"type": "string"}, {"type": "boolean"}]}"#,
            Untyped::Union,
        ),
        (r#"{"enum": ["a", 1]}"#, Untyped::Union),
        (r#"{"type": "object"}"#, Untyped::FreeForm),
        (
            r#"{"type": "object", "additionalProperties": {"type": "string"}}"#,
            Untyped::FreeForm,
        ),
        (r#"{"type": "array"}"#, Untyped::Elements),
        (
            r#"{"type": "array", "items": {"type": ["string", "null"]}}"#,
            Untyped::Elements,
        ),
        (
            r#"{"type": "array", "prefixItems": [{"type": "string"}]}"#,
            Untyped::Elements,
        ),
        (r##"{"$ref": "#/$defs/Loop"}"##, Untyped::Reference),
        (r##"{"$ref": "https://example.com/x"}"##, Untyped::Reference),
        (r##"{"$ref": "#/$defs/Absent"}"##, Untyped::Reference),
    ] {
        assert_eq!(
            one(parameter),
            format!("invisible to policy: {why}"),
            "{parameter}"
        );
    }
}

#[test]
fn a_schema_that_refers_to_itself_ends() {
    let ty = one(r##"{"$ref": "#/$defs/Tree"}"##);
    assert!(ty.contains("// \"t\" is left out"), "{ty}");
}

#[test]
fn the_union_keeps_what_agrees_and_merges_objects() {
    let shape = |properties: &str| {
        let schema = format!(r#"{{"type": "object", "properties": {properties}}}"#);
        Shape::of(&catalog(vec![raw_tool("t", &schema)]).tools()[0])
    };
    let a = shape(
        r#"{"path": {"type": "string"}, "n": {"type": "integer"},
            "o": {"type": "object", "properties": {"x": {"type": "string"}, "z": {"type": "string"}}}}"#,
    );
    let b = shape(
        r#"{"path": {"type": ["string", "null"]}, "n": {"type": "string"},
            "o": {"type": "object", "properties": {"y": {"type": "string"}, "z": {"type": "integer"}}}}"#,
    );
    let all = union([&a, &b]);
    assert_eq!(
        all.lookup(&["path"]),
        Some(Lookup::Typed(&ArgumentType::String))
    );
    assert_eq!(all.lookup(&["n"]), Some(Lookup::Untyped(Untyped::Clash)));
    assert_eq!(
        all.lookup(&["o", "x"]),
        Some(Lookup::Typed(&ArgumentType::String))
    );
    assert_eq!(
        all.lookup(&["o", "y"]),
        Some(Lookup::Typed(&ArgumentType::String))
    );
    assert_eq!(
        all.lookup(&["o", "z"]),
        Some(Lookup::Untyped(Untyped::Clash))
    );
    assert_eq!(all.lookup(&["o", "none"]), Some(Lookup::Absent));
    assert_eq!(
        all,
        union([&a, &b, &a]),
        "the union does not depend on repetition"
    );
}

#[test]
fn an_object_that_says_it_is_open_hides_what_it_does_not_declare() {
    let open = infer::shape(&json(
        r#"{"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": true}"#,
    ));
    assert_eq!(open.lookup(&["b"]), Some(Lookup::Untyped(Untyped::Open)));
    let closed = infer::shape(&json(
        r#"{"type": "object", "properties": {"a": {"type": "string"}}}"#,
    ));
    assert_eq!(closed.lookup(&["b"]), Some(Lookup::Absent));
    assert_eq!(closed.lookup(&["a", "b"]), Some(Lookup::Absent));
}

#[test]
fn the_text_is_a_schema_whatever_parameters_are_called() {
    let schema = r#"{"type": "object", "properties": {
        "a\"}; entity X; //": {"type": "string"}, "new\nline": {"type": "integer"}, "Größe 🔒": {"type": "number"},
        "back\\slash": {"type": "boolean"}, "u": {}, "if": {"type": "string"}, "": {"type": "string"}}}"#;
    let shape = infer::shape(&json(schema));
    let mut text = SchemaText::new(&BTreeMap::from([("name".to_owned(), ("String", true))]));
    text.declare(&Declaration {
        action: "call_tool",
        member_of: None,
        arguments: &shape,
    });
    text.declare(&Declaration {
        action: "it's \"quoted\"",
        member_of: Some("call_tool"),
        arguments: &shape,
    });
    let text = text.finish();
    let (parsed, _) = Schema::from_cedarschema_str(&text).unwrap();
    let actions: BTreeSet<String> = parsed
        .actions()
        .map(|action| action.id().unescaped().to_owned())
        .collect();
    assert_eq!(
        actions,
        BTreeSet::from(["call_tool".to_owned(), "it's \"quoted\"".to_owned()])
    );
    let types: BTreeSet<String> = parsed.entity_types().map(ToString::to_string).collect();
    assert_eq!(
        types,
        BTreeSet::from(["Agent".to_owned(), "Resource".to_owned()])
    );
}

#[test]
fn context_members_and_attributes_are_listed_in_order() {
    assert!(CONTEXT.is_sorted_by(|a, b| a.name < b.name));
    assert!(RESOURCE.is_sorted_by(|a, b| a.name < b.name));
}

//! JSON Schema of the configuration file.

use cmcp_json::{Number, Object, Value};

use crate::config::{
    key::{Default, Key, Kind, Status, Word},
    keys::KEYS,
};
use crate::render::pretty;

pub(crate) fn page() -> String {
    pretty(&schema())
}

/// The schema: closed at every level, with the defaults and the text of the reference.
pub(crate) fn schema() -> Value {
    let mut properties = Object::new();
    for key in KEYS {
        match key.path.split_once('.') {
            None => {
                properties.insert(key.path, property(key));
            }
            Some((section, name)) => {
                if !properties.contains_key(section) {
                    properties.insert(section, closed(Object::new()));
                }
                let members = properties
                    .get_mut(section)
                    .and_then(Value::as_object_mut)
                    .and_then(|section| section.get_mut("properties"))
                    .and_then(Value::as_object_mut);
                if let Some(members) = members {
                    members.insert(name, property(key));
                }
            }
        }
    }
    let mut schema = Object::new();
    schema.insert("$schema", "https://json-schema.org/draft/2020-12/schema");
    schema.insert("title", "cMCP configuration");
    schema.insert("type", "object");
    schema.insert("properties", properties);
    schema.insert("additionalProperties", false);
    schema.into()
}

fn property(key: &Key) -> Value {
    let mut schema = kind(key);
    schema.insert("description", key.doc);
    match &key.default {
        Default::Absent | Default::Empty => {}
        Default::Bool(flag) => {
            schema.insert("default", *flag);
        }
        Default::Fraction(text) => {
            if let Ok(number) = text.parse::<Number>() {
                schema.insert("default", number);
            }
        }
        Default::Integer(number) => {
            schema.insert("default", *number);
        }
        Default::Text(text) => {
            schema.insert("default", *text);
        }
    }
    schema.into()
}

fn kind(key: &Key) -> Object {
    // A part of a later version is accepted at its default alone.
    if key.later().is_some() {
        return match &key.default {
            Default::Bool(flag) => object([("const", (*flag).into())]),
            Default::Integer(number) => object([("const", (*number).into())]),
            Default::Absent | Default::Empty | Default::Fraction(_) | Default::Text(_) => {
                object([("type", "null".into())])
            }
        };
    }
    match &key.kind {
        Kind::Address => object([
            ("type", "string".into()),
            ("pattern", "^.+:[0-9]{1,5}$".into()),
        ]),
        Kind::Bool => typed("boolean"),
        Kind::Choice(words) => object([("enum", Value::Array(available(words)))]),
        Kind::Flags => map(typed("boolean")),
        Kind::Fraction(above, to) => {
            let mut schema = typed("number");
            for (bound, value) in [("exclusiveMinimum", above), ("maximum", to)] {
                if let Ok(number) = value.to_string().parse::<Number>() {
                    schema.insert(bound, number);
                }
            }
            schema
        }
        Kind::Integer(from, to) => object([
            ("type", "integer".into()),
            ("minimum", (*from).into()),
            ("maximum", (*to).into()),
        ]),
        Kind::List => object([("type", "array".into()), ("items", typed("string").into())]),
        Kind::Path => object([
            ("type", "string".into()),
            (
                "not",
                object([("pattern", r"(^|[/\\])\.\.([/\\]|$)".into())]).into(),
            ),
        ]),
        Kind::Principals => principals(),
        Kind::Ranks => map(object([
            ("type", "integer".into()),
            ("minimum", 0i64.into()),
        ])),
        Kind::Shaped(shape) => shape.schema(),
        Kind::Text => object([("type", "string".into()), ("minLength", 1i64.into())]),
        Kind::Texts => map(typed("string")),
    }
}

fn available(words: &[Word]) -> Vec<Value> {
    words
        .iter()
        .filter(|word| word.status == Status::Available)
        .map(|w| w.text.into())
        .collect()
}

fn principals() -> Object {
    let attribute = Value::Array(vec![
        typed("boolean").into(),
        typed("integer").into(),
        typed("string").into(),
        object([("type", "array".into()), ("items", typed("string").into())]).into(),
    ]);
    let token = object([
        ("type", "string".into()),
        ("pattern", "^(sha256:)?[0-9a-f]{64}$".into()),
    ]);
    let members = object([
        (
            "name",
            object([("type", "string".into()), ("minLength", 1i64.into())]).into(),
        ),
        ("token_sha256", token.into()),
        ("attributes", map(object([("anyOf", attribute)])).into()),
    ]);
    let required = Value::Array(vec!["name".into(), "token_sha256".into()]);
    let mut principal = object([("type", "object".into()), ("properties", members.into())]);
    principal.insert("additionalProperties", false);
    principal.insert("required", required);
    object([("type", "array".into()), ("items", principal.into())])
}

fn closed(properties: Object) -> Value {
    object([
        ("type", Value::Array(vec!["object".into(), "null".into()])),
        ("properties", properties.into()),
        ("additionalProperties", false.into()),
    ])
    .into()
}

fn map(values: Object) -> Object {
    object([
        ("type", "object".into()),
        ("additionalProperties", values.into()),
    ])
}

fn typed(name: &str) -> Object {
    object([("type", name.into())])
}

fn object<const N: usize>(members: [(&str, Value); N]) -> Object {
    members
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

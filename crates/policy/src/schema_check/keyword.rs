use cmcp_json::{Object, Value};

/// What a subschema is held against, seen from the schema it stands in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Edge {
    /// Something else, or the same value as a condition: to fail is not to refuse.
    Aside,
    /// A member or an element.
    Below,
    /// Nothing: it is kept for references.
    Store,
    /// The same value.
    Within,
}

enum Shape {
    Map,
    Many,
    One,
    OneOrMany,
}

fn keyword(name: &str) -> Option<(Edge, Shape)> {
    let known = match name {
        "$defs" | "definitions" => (Edge::Store, Shape::Map),
        "allOf" | "anyOf" | "oneOf" => (Edge::Within, Shape::Many),
        "then" | "else" => (Edge::Within, Shape::One),
        "dependentSchemas" | "dependencies" => (Edge::Within, Shape::Map),
        "contains" | "if" | "not" | "propertyNames" => (Edge::Aside, Shape::One),
        "properties" | "patternProperties" => (Edge::Below, Shape::Map),
        "items" => (Edge::Below, Shape::OneOrMany),
        "prefixItems" => (Edge::Below, Shape::Many),
        "additionalItems"
        | "additionalProperties"
        | "unevaluatedItems"
        | "unevaluatedProperties" => (Edge::Below, Shape::One),
        _ => return None,
    };
    Some(known)
}

/// A subschema and how it is reached.
pub(super) struct Sub<'v> {
    pub(super) edge: Edge,
    /// The keyword, and the name or index under it.
    pub(super) steps: (&'v str, Option<String>),
    pub(super) schema: &'v Value,
}

/// The subschemas that stand directly in a schema.
pub(super) fn subschemas(schema: &Object) -> Vec<Sub<'_>> {
    let mut subs = Vec::new();
    for (name, value) in schema.iter() {
        let Some((edge, shape)) = keyword(name) else {
            continue;
        };
        let mut push = |step, schema| {
            subs.push(Sub {
                edge,
                steps: (name, step),
                schema,
            })
        };
        match (shape, value) {
            (Shape::Map, Value::Object(map)) => {
                // A list of names under `dependencies` is no schema.
                let schemas = map.iter().filter(|(_, schema)| schema.as_array().is_none());
                schemas.for_each(|(key, schema)| push(Some(key.to_owned()), schema));
            }
            (Shape::Many | Shape::OneOrMany, Value::Array(schemas)) => {
                schemas
                    .iter()
                    .enumerate()
                    .for_each(|(index, schema)| push(Some(index.to_string()), schema));
            }
            (Shape::One | Shape::OneOrMany, schema) => push(None, schema),
            (Shape::Map | Shape::Many, _) => {}
        }
    }
    subs
}

/// As [`subschemas`], to be changed.
pub(super) fn each_mut(schema: &mut Object, visit: &mut dyn FnMut(Edge, &mut Value)) {
    for (name, value) in schema.iter_mut() {
        let Some((edge, shape)) = keyword(name) else {
            continue;
        };
        match (shape, value) {
            (Shape::Map, Value::Object(map)) => {
                map.iter_mut()
                    .filter(|(_, schema)| schema.as_array().is_none())
                    .for_each(|(_, schema)| visit(edge, schema));
            }
            (Shape::Many | Shape::OneOrMany, Value::Array(schemas)) => {
                schemas.iter_mut().for_each(|schema| visit(edge, schema));
            }
            (Shape::One | Shape::OneOrMany, schema) => visit(edge, schema),
            (Shape::Map | Shape::Many, _) => {}
        }
    }
}

/// References of a schema to others, with their keywords.
pub(super) fn references(schema: &Object) -> impl Iterator<Item = (&'static str, &Value)> {
    ["$ref", "$dynamicRef", "$recursiveRef"]
        .into_iter()
        .filter_map(|name| Some((name, schema.get(name)?)))
}

/// What a reference inside the document points to: `#`, `#/a/b` or `#anchor`.
pub(super) fn resolve<'v>(root: &'v Value, reference: &str) -> Option<&'v Value> {
    let fragment = reference.strip_prefix('#')?;
    if fragment.is_empty() {
        return Some(root);
    }
    let Some(pointer) = fragment.strip_prefix('/') else {
        return anchor(root, fragment);
    };
    let pointer = percent_decode(pointer)?;
    pointer.split('/').try_fold(root, |value, token| {
        let token = token.replace("~1", "/").replace("~0", "~");
        match value {
            Value::Object(object) => object.get(&token),
            Value::Array(elements) => elements.get(token.parse::<usize>().ok()?),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
        }
    })
}

fn anchor<'v>(schema: &'v Value, name: &str) -> Option<&'v Value> {
    let object = schema.as_object()?;
    let named =
        |keyword: &str, spelled: &str| object.get(keyword).and_then(Value::as_str) == Some(spelled);
    // Before 2019-09 an anchor was written as `"$id": "#name"`, in draft 4 as `"id"`.
    let old = format!("#{name}");
    if named("$anchor", name)
        || named("$dynamicAnchor", name)
        || named("$id", &old)
        || named("id", &old)
    {
        return Some(schema);
    }
    subschemas(object)
        .into_iter()
        .find_map(|sub| anchor(sub.schema, name))
}

fn percent_decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digit = |byte: Option<u8>| {
            char::from(byte?)
                .to_digit(16)
                .and_then(|digit| u8::try_from(digit).ok())
        };
        let (high, low) = (digit(rest.next())?, digit(rest.next())?);
        bytes.push(high << 4 | low);
    }
    String::from_utf8(bytes).ok()
}

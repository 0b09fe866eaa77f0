//! From JSON Schema to what Cedar can type.
//!
//! What is inferred here is not trusted to describe every value: a request is built from the value
//! itself, and one that does not fit the inferred type is denied. A mistake here costs a call, not
//! a rule.

use cmcp_json::Value;

use super::{ArgumentType, Nullable, Others, Parameter, Shape, Untyped};

/// The parameters that an input schema declares.
pub(super) fn shape(schema: &Value) -> Shape {
    let root = Inference { root: schema };
    match root.resolve(schema, MAX_DEPTH) {
        Some(schema) => root.members(schema, MAX_DEPTH),
        None => Shape {
            others: Others::Allowed,
            ..Shape::default()
        },
    }
}

#[derive(Clone, Copy)]
struct Inference<'a> {
    root: &'a Value,
}

impl<'a> Inference<'a> {
    fn members(self, schema: &'a Value, depth: usize) -> Shape {
        let declared = schema.get("properties").and_then(Value::as_object);
        let members = declared.map_or_else(Default::default, |declared| {
            let parameter = |schema| self.parameter(schema, depth);
            declared
                .iter()
                .map(|(name, schema)| (name.to_owned(), parameter(schema)))
                .collect()
        });
        let extensible = match schema.get("additionalProperties") {
            None | Some(Value::Bool(false)) => false,
            Some(_) => true,
        };
        let elsewhere = DECLARE_ELSEWHERE
            .iter()
            .any(|keyword| schema.get(keyword).is_some());
        let others = if extensible || elsewhere {
            Others::Allowed
        } else {
            Others::Refused
        };
        Shape { members, others }
    }

    fn parameter(self, schema: &'a Value, depth: usize) -> Parameter {
        let Some(depth) = depth.checked_sub(1) else {
            return Parameter::Untyped(Untyped::Deep);
        };
        let Some(schema) = self.resolve(schema, depth) else {
            return Parameter::Untyped(Untyped::Reference);
        };
        if let Some(types) = schema.get("type") {
            return self.of_types(types, schema, depth);
        }
        if let Some(values) = schema.get("enum").and_then(Value::as_array) {
            return of_values(values.iter());
        }
        if let Some(value) = schema.get("const") {
            return of_values(std::iter::once(value));
        }
        for keyword in ["anyOf", "oneOf"] {
            if let Some(branches) = schema.get(keyword).and_then(Value::as_array) {
                return self.of_branches(branches, depth);
            }
        }
        if let Some([only]) = schema.get("allOf").and_then(Value::as_array) {
            return self.parameter(only, depth);
        }
        match schema.get("properties") {
            Some(_) => self.object(schema, depth, Nullable::No),
            None => Parameter::Untyped(Untyped::Anything),
        }
    }

    fn of_types(self, types: &'a Value, schema: &'a Value, depth: usize) -> Parameter {
        let names: Vec<&str> = match types {
            Value::String(name) => vec![name],
            Value::Array(names) => names.iter().filter_map(Value::as_str).collect(),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => Vec::new(),
        };
        let null = if names.contains(&"null") {
            Nullable::Yes
        } else {
            Nullable::No
        };
        let others: Vec<&str> = names.into_iter().filter(|name| *name != "null").collect();
        let typed = |ty| Parameter::Typed { ty, null };
        match others.as_slice() {
            ["boolean"] => typed(ArgumentType::Bool),
            ["integer"] => typed(ArgumentType::Long),
            ["number"] | ["integer", "number"] | ["number", "integer"] => {
                typed(ArgumentType::Decimal)
            }
            ["string"] => typed(ArgumentType::String),
            ["array"] => self.array(schema, depth, null),
            ["object"] => self.object(schema, depth, null),
            [] => Parameter::Untyped(Untyped::Anything),
            _ => Parameter::Untyped(Untyped::Union),
        }
    }

    fn of_branches(self, branches: &'a [Value], depth: usize) -> Parameter {
        let mut null = Nullable::No;
        let mut found: Option<ArgumentType> = None;
        for branch in branches {
            if branch.get("type").and_then(Value::as_str) == Some("null") {
                null = Nullable::Yes;
                continue;
            }
            let ty = match self.parameter(branch, depth) {
                Parameter::Typed { ty, null: inner } => {
                    if inner == Nullable::Yes {
                        null = Nullable::Yes;
                    }
                    ty
                }
                Parameter::Untyped(why) => return Parameter::Untyped(why),
            };
            found = match (found, ty) {
                (None, ty) => Some(ty),
                (Some(known), ty) if known == ty => Some(known),
                (
                    Some(ArgumentType::Long | ArgumentType::Decimal),
                    ArgumentType::Long | ArgumentType::Decimal,
                ) => Some(ArgumentType::Decimal),
                (Some(_), _) => return Parameter::Untyped(Untyped::Union),
            };
        }
        match found {
            Some(ty) => Parameter::Typed { ty, null },
            None => Parameter::Untyped(Untyped::Anything),
        }
    }

    fn array(self, schema: &'a Value, depth: usize, null: Nullable) -> Parameter {
        if schema.get("prefixItems").is_some() {
            return Parameter::Untyped(Untyped::Elements);
        }
        match schema
            .get("items")
            .map(|items| self.parameter(items, depth))
        {
            Some(Parameter::Typed {
                ty,
                null: Nullable::No,
            }) => Parameter::Typed {
                ty: ArgumentType::Set(Box::new(ty)),
                null,
            },
            Some(
                Parameter::Typed {
                    null: Nullable::Yes,
                    ..
                }
                | Parameter::Untyped(_),
            )
            | None => Parameter::Untyped(Untyped::Elements),
        }
    }

    fn object(self, schema: &'a Value, depth: usize, null: Nullable) -> Parameter {
        let shape = self.members(schema, depth);
        let closed = schema.get("additionalProperties") == Some(&Value::Bool(false));
        if shape.members.is_empty() && !closed {
            return Parameter::Untyped(Untyped::FreeForm);
        }
        Parameter::Typed {
            ty: ArgumentType::Record(shape),
            null,
        }
    }

    /// The schema that a chain of local references leads to.
    fn resolve(self, mut schema: &'a Value, mut steps: usize) -> Option<&'a Value> {
        while let Some(reference) = schema.get("$ref") {
            steps = steps.checked_sub(1)?;
            let pointer = reference.as_str()?.strip_prefix('#')?;
            let mut place = self.root;
            for token in pointer.split('/').skip(1) {
                place = place.get(&token.replace("~1", "/").replace("~0", "~"))?;
            }
            schema = place;
        }
        Some(schema)
    }
}

fn of_values<'a>(values: impl Iterator<Item = &'a Value>) -> Parameter {
    let mut null = Nullable::No;
    let mut found = None;
    for value in values {
        let ty = match value {
            Value::Null => {
                null = Nullable::Yes;
                continue;
            }
            Value::Bool(_) => ArgumentType::Bool,
            Value::Number(number) if number.is_integer_spelling() => ArgumentType::Long,
            Value::Number(_) => ArgumentType::Decimal,
            Value::String(_) => ArgumentType::String,
            Value::Array(_) | Value::Object(_) => return Parameter::Untyped(Untyped::Union),
        };
        match &found {
            None => found = Some(ty),
            Some(known) if *known == ty => {}
            Some(_) => return Parameter::Untyped(Untyped::Union),
        }
    }
    match found {
        Some(ty) => Parameter::Typed { ty, null },
        None => Parameter::Untyped(Untyped::Anything),
    }
}

/// Keywords by which an object may gain members that `properties` does not name.
const DECLARE_ELSEWHERE: [&str; 11] = [
    "allOf",
    "anyOf",
    "dependencies",
    "dependentSchemas",
    "else",
    "if",
    "not",
    "oneOf",
    "patternProperties",
    "then",
    "unevaluatedProperties",
];

/// Objects and arrays inside one another.
const MAX_DEPTH: usize = 12;

//! `Mcp-Param-*`: arguments that a tool's input schema marks with `x-mcp-header`.

use std::collections::BTreeSet;

use cmcp_json::{Number, Object, Value};
use http::{HeaderMap, HeaderName, HeaderValue};

use super::{HeaderError, decode, encode, single};

/// An argument that a header mirrors.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Mirrored {
    /// The whole header name, `mcp-param-…`.
    pub header: HeaderName,
    /// The property names that lead from the arguments to the value.
    pub path: Vec<String>,
    /// What the value is.
    pub kind: Kind,
}

/// The types that can be mirrored.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// `true` or `false`.
    Boolean,
    /// Decimal, within ±(2^53−1).
    Integer,
    /// As it is, or base64.
    String,
}

/// Why a schema's `x-mcp-header` marks cannot be honoured. A client drops such a tool.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum SchemaError {
    /// The mark is not a non-empty header token.
    #[error("`x-mcp-header` of `{0}` is not a header token")]
    Token(String),
    /// Two marks differ in case at most.
    #[error("`x-mcp-header` of `{0}` is used twice")]
    Twice(String),
    /// The mark stands on something that is neither integer, string nor boolean.
    #[error("`x-mcp-header` of `{0}` needs type `integer`, `string` or `boolean`")]
    Type(String),
    /// The mark stands where `properties` alone do not lead.
    #[error("`x-mcp-header` stands where `properties` alone do not lead")]
    Place,
}

/// The arguments that a tool's input schema wants mirrored, in schema order.
///
/// # Errors
/// [`SchemaError`] when a mark breaks the rules.
pub fn mirrored(input_schema: &Value) -> Result<Vec<Mirrored>, SchemaError> {
    let mut found = Vec::new();
    visit(input_schema, Some(&[]), &mut found)?;
    let mut seen = BTreeSet::new();
    for mirror in &found {
        if !seen.insert(mirror.header.as_str()) {
            return Err(SchemaError::Twice(mirror.path.join(".")));
        }
    }
    Ok(found)
}

/// The headers that mirror these arguments.
///
/// # Errors
/// [`HeaderError::Differs`] when an argument has a type that no header can mirror.
pub fn encode_params(
    mirrored: &[Mirrored],
    arguments: &Object,
) -> Result<Vec<(HeaderName, HeaderValue)>, HeaderError> {
    let mut headers = Vec::new();
    for Mirrored {
        header,
        path,
        kind: _,
    } in mirrored
    {
        let value = match argument(arguments, path) {
            None | Some(Value::Null) => continue,
            Some(Value::Bool(true)) => HeaderValue::from_static("true"),
            Some(Value::Bool(false)) => HeaderValue::from_static("false"),
            Some(Value::String(text)) => encode(text),
            Some(Value::Number(number)) => match integer(number) {
                Some(integer) => HeaderValue::from(integer),
                None => return Err(HeaderError::Differs(header.clone())),
            },
            Some(Value::Array(_) | Value::Object(_)) => {
                return Err(HeaderError::Differs(header.clone()));
            }
        };
        headers.push((header.clone(), value));
    }
    Ok(headers)
}

/// Checks `Mcp-Param-*` headers against the arguments. Ask only about a tool that the caller may
/// see: the answer tells what its schema is.
///
/// # Errors
/// [`HeaderError`] when one is missing, malformed, different, or mirrors an absent argument.
pub fn check_params(
    headers: &HeaderMap,
    mirrored: &[Mirrored],
    arguments: &Object,
) -> Result<(), HeaderError> {
    for Mirrored {
        header,
        path,
        kind: _,
    } in mirrored
    {
        let body = argument(arguments, path).filter(|value| !value.is_null());
        match (single(headers, header)?, body) {
            (None, None) => {}
            (None, Some(_)) => return Err(HeaderError::Missing(header.clone())),
            (Some(text), Some(value)) if equals(&decode(text, header)?, value) => {}
            (Some(_), Some(_) | None) => return Err(HeaderError::Differs(header.clone())),
        }
    }
    Ok(())
}

/// `path` is `None` where `properties` alone do not lead.
fn visit(
    schema: &Value,
    path: Option<&[String]>,
    found: &mut Vec<Mirrored>,
) -> Result<(), SchemaError> {
    let Some(members) = schema.as_object() else {
        return Ok(());
    };
    if let Some(mark) = members.get(MARK) {
        let path = path
            .filter(|path| !path.is_empty())
            .ok_or(SchemaError::Place)?;
        found.push(mirror(mark, members, path)?);
    }
    for (keyword, value) in members.iter() {
        match keyword {
            "properties" => {
                for (name, child) in value.as_object().into_iter().flat_map(Object::iter) {
                    let below = path.map(|path| [path, &[name.to_owned()]].concat());
                    visit(child, below.as_deref(), found)?;
                }
            }
            "$defs" | "definitions" | "dependentSchemas" | "patternProperties" => {
                for (_, child) in value.as_object().into_iter().flat_map(Object::iter) {
                    visit(child, None, found)?;
                }
            }
            "allOf" | "anyOf" | "oneOf" | "prefixItems" => {
                for child in value.as_array().into_iter().flatten() {
                    visit(child, None, found)?;
                }
            }
            "additionalItems"
            | "additionalProperties"
            | "contains"
            | "contentSchema"
            | "else"
            | "if"
            | "items"
            | "not"
            | "propertyNames"
            | "then"
            | "unevaluatedItems"
            | "unevaluatedProperties" => visit(value, None, found)?,
            _ => {}
        }
    }
    Ok(())
}

fn mirror(mark: &Value, members: &Object, path: &[String]) -> Result<Mirrored, SchemaError> {
    let place = || path.join(".");
    let token = mark.as_str().filter(|token| !token.is_empty());
    let header = token
        .and_then(|token| HeaderName::try_from(format!("mcp-param-{token}")).ok())
        .ok_or_else(|| SchemaError::Token(place()))?;
    let kind = match members.get("type").and_then(Value::as_str) {
        Some("boolean") => Kind::Boolean,
        Some("integer") => Kind::Integer,
        Some("string") => Kind::String,
        _ => return Err(SchemaError::Type(place())),
    };
    Ok(Mirrored {
        header,
        path: path.to_vec(),
        kind,
    })
}

fn argument<'a>(arguments: &'a Object, path: &[String]) -> Option<&'a Value> {
    let (first, rest) = path.split_first()?;
    rest.iter()
        .try_fold(arguments.get(first)?, |value, name| value.get(name))
}

fn equals(text: &str, value: &Value) -> bool {
    match value {
        Value::Null | Value::Array(_) | Value::Object(_) => false,
        Value::Bool(true) => text == "true",
        Value::Bool(false) => text == "false",
        Value::String(body) => text == body,
        Value::Number(number) => {
            let digits = text.strip_prefix('-').unwrap_or(text);
            let decimal = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
            let header = text.parse().ok().filter(|_| decimal);
            header.is_some() && header == integer(number)
        }
    }
}

/// The whole number within ±(2^53−1) that a spelling means, if it means one.
fn integer(number: &Number) -> Option<i64> {
    let whole = match number.as_i64() {
        Some(integer) => Some(integer),
        // `5.0` and `5e0` are integers to JSON Schema.
        None => {
            let float = number.as_f64();
            (float.fract() == 0.0 && float.abs() <= 9_007_199_254_740_991.0)
                .then(|| format!("{float:.0}").parse().ok())
                .flatten()
        }
    };
    whole.filter(|integer| integer.unsigned_abs() <= 9_007_199_254_740_991)
}

const MARK: &str = "x-mcp-header";

//! The bodies of operators' requests: JSON objects, read member by member.

use axum::response::Response;
use cmcp_json::{Limits, Object, Value};

use crate::edge::Fault;

pub(super) fn object(body: &[u8]) -> Result<Object, Response> {
    let refuse = |text: &str| Fault::Parse.response(text);
    match cmcp_json::parse(body, &Limits::REQUEST) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(refuse("the body must be a JSON object")),
        Err(error) => Err(refuse(&error.to_string())),
    }
}

pub(super) fn required(body: &Object, name: &str) -> Result<String, Response> {
    match body.get(name) {
        None => Err(missing(name)),
        Some(value) => match value.as_str().map(str::trim) {
            Some(text) if !text.is_empty() && text.len() <= TEXT => Ok(text.to_owned()),
            Some(_) | None => Err(invalid(&format!(
                "`{name}` must be a non-empty string of at most {TEXT} bytes"
            ))),
        },
    }
}

pub(super) fn missing(name: &str) -> Response {
    let text = format!("`{name}` is missing");
    Fault::FieldMissing.response(&text)
}

/// A member that is there and cannot be what it is.
pub(super) fn invalid(text: &str) -> Response {
    Fault::FieldInvalid.response(text)
}

/// Refuses members that nothing reads: a misspelt one would silently not count.
pub(super) fn only(body: &Object, known: &[&str]) -> Result<(), Response> {
    match body.keys().find(|name| !known.contains(name)) {
        None => Ok(()),
        Some(name) => {
            let name = name.escape_debug();
            Err(invalid(&format!("`{name}` is not known here: remove it")))
        }
    }
}

/// Bytes of a reason or a name.
const TEXT: usize = 1024;

//! The parameters of the other methods, read strictly: nothing is coerced.

use bytes::Bytes;
use cmcp_json::{Object, Value};

use crate::{jsonrpc::Params, upstream::LogLevel};

use super::call::InvalidParams;

/// What a client repeats a request with, after it was asked for input.
#[derive(Clone, Debug, Default)]
pub struct Retry {
    /// Its answers, by the keys under which they were asked for; `None` where it sent none.
    pub responses: Option<Object>,
    /// The same as received.
    pub responses_bytes: Option<Bytes>,
    /// The `requestState` that it was given.
    pub state: Option<String>,
}

/// The cursor of a list method; `None` for its first page. The empty text is a cursor.
///
/// # Errors
/// [`InvalidParams`] when it is there and not a string.
pub fn cursor(params: &Params) -> Result<Option<&str>, InvalidParams> {
    match params.get("cursor") {
        None => Ok(None),
        Some(value) => value.as_str().map(Some).ok_or(InvalidParams::Cursor),
    }
}

/// The URI of `resources/read`, `resources/subscribe` and `resources/unsubscribe`.
///
/// # Errors
/// [`InvalidParams`] when it is not a string.
pub fn uri(params: &Params) -> Result<&str, InvalidParams> {
    text(params, "uri").ok_or(InvalidParams::Uri)
}

/// The level of `logging/setLevel`.
///
/// # Errors
/// [`InvalidParams`] when it is none.
pub fn level(params: &Params) -> Result<LogLevel, InvalidParams> {
    text(params, "level")
        .and_then(LogLevel::parse)
        .ok_or(InvalidParams::Level)
}

/// What a request is repeated with; nothing of it for a first attempt.
///
/// # Errors
/// [`InvalidParams`] when a member is not what it has to be.
pub fn retry(params: &Params) -> Result<Retry, InvalidParams> {
    let responses = match params.get("inputResponses") {
        None => None,
        Some(value) => Some(value.as_object().ok_or(InvalidParams::InputResponses)?),
    };
    let state = match params.get("requestState") {
        None => None,
        Some(value) => Some(value.as_str().ok_or(InvalidParams::RequestState)?),
    };
    Ok(Retry {
        responses: responses.cloned(),
        responses_bytes: params.raw("inputResponses"),
        state: state.map(str::to_owned),
    })
}

fn text<'a>(params: &'a Params, name: &str) -> Option<&'a str> {
    params.get(name).and_then(Value::as_str)
}

#[cfg(test)]
mod tests;

//! JSON-RPC 2.0 as MCP uses it: one strict reading of a message, and writers that splice bytes
//! which already are JSON, so that nothing is rewritten on the way through.

use std::{fmt, ops::Range};

use bytes::Bytes;
use cmcp_json::{Limits, Number, Object, ParseError, ParseErrorKind, Value};

mod write;

pub use write::{ReplyTo, error, error_raw, notification, request, result, with_members};

/// The identifier of a request, with its type and spelling kept: `1`, `1.0` and `"1"` are three.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum Id {
    /// A number, as spelled.
    Number(Number),
    /// A string; the empty string is one too.
    String(String),
}

impl Id {
    /// Reads an id; `None` for `null`, booleans, arrays and objects, which MCP does not allow.
    #[must_use]
    pub fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Number(number) => Some(Self::Number(number.clone())),
            Value::String(text) => Some(Self::String(text.clone())),
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
        }
    }

    /// The id as a JSON value.
    #[must_use]
    pub fn to_value(&self) -> Value {
        match self {
            Self::Number(number) => Value::Number(number.clone()),
            Self::String(text) => Value::String(text.clone()),
        }
    }
}

impl Id {
    /// Whether it is longer than any client needs it. It is kept while its request is served, and
    /// said again with every message about it.
    #[must_use]
    pub fn is_too_long(&self) -> bool {
        match self {
            Self::Number(number) => number.as_str().len() > LONGEST_ID,
            Self::String(text) => text.len() > LONGEST_ID,
        }
    }
}

impl From<u64> for Id {
    fn from(number: u64) -> Self {
        Self::Number(Number::from(number))
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_value().fmt(f)
    }
}

/// One message, as it stood on the wire.
#[derive(Clone, Debug)]
pub enum Message {
    /// Wants an answer.
    Request(Request),
    /// Wants none.
    Notification(Notification),
    /// Is an answer.
    Response(Response),
}

/// A request.
#[derive(Clone, Debug)]
pub struct Request {
    /// What the answer must carry.
    pub id: Id,
    /// The method, as received.
    pub method: String,
    /// The parameters; empty where absent.
    pub params: Params,
}

/// A notification.
#[derive(Clone, Debug)]
pub struct Notification {
    /// The method, as received.
    pub method: String,
    /// The parameters; empty where absent.
    pub params: Params,
}

/// A response to a request of ours.
#[derive(Clone, Debug)]
pub struct Response {
    /// The id of our request; `None` where the peer could not read it.
    pub id: Option<Id>,
    /// What came of it.
    pub outcome: Outcome,
}

/// What a response says.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// It went well.
    Result {
        /// The result, parsed.
        value: Value,
        /// The `result` member exactly as received.
        bytes: Bytes,
    },
    /// It did not.
    Error {
        /// The code.
        code: i64,
        /// The message.
        message: String,
        /// The error's `data`, where there is one.
        data: Option<Value>,
        /// The `error` member exactly as received.
        bytes: Bytes,
    },
}

/// Parameters, with the bytes that each of them was read from.
#[derive(Clone, Debug, Default)]
pub struct Params {
    members: Object,
    text: Bytes,
    span: Option<Range<usize>>,
}

impl Params {
    /// The parameters, parsed.
    #[must_use]
    pub fn members(&self) -> &Object {
        &self.members
    }

    /// One parameter, parsed.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.members.get(name)
    }

    /// One parameter exactly as received.
    #[must_use]
    pub fn raw(&self, name: &str) -> Option<Bytes> {
        cut(&self.text, self.members.span(name)?)
    }

    /// The whole `params` object exactly as received; `None` where there was none.
    #[must_use]
    pub fn bytes(&self) -> Option<Bytes> {
        cut(&self.text, self.span.clone()?)
    }

    /// One member of `params._meta`.
    #[must_use]
    pub fn meta(&self, name: &str) -> Option<&Value> {
        self.get("_meta")?.get(name)
    }

    /// One member of `params._meta` exactly as received.
    #[must_use]
    pub fn raw_meta(&self, name: &str) -> Option<Bytes> {
        cut(&self.text, self.get("_meta")?.as_object()?.span(name)?)
    }
}

/// Why bytes are not a JSON-RPC message. Those that carry an id could be read far enough to
/// answer it.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum RpcParseError {
    /// Not one strict JSON text.
    #[error("not JSON: {0}")]
    Json(#[from] ParseError),
    /// An array: batches are refused in every revision.
    #[error("a batch; send one message at a time")]
    Batch,
    /// Neither an object nor an array.
    #[error("not a JSON object")]
    NotAnObject,
    /// `jsonrpc` is missing or not the string `2.0`.
    #[error("`jsonrpc` must be the string `2.0`")]
    Version {
        /// The id, where it could be read.
        id: Option<Id>,
    },
    /// `id` is neither a string nor a number.
    #[error("`id` must be a string or a number")]
    Id,
    /// `method` is not a string.
    #[error("`method` must be a string")]
    Method {
        /// The id, where it could be read.
        id: Option<Id>,
    },
    /// `params` is not an object.
    #[error("`params` must be an object")]
    Params {
        /// The id, where it could be read.
        id: Option<Id>,
    },
    /// Neither a request, nor a notification, nor a response, or more than one of them.
    #[error("needs exactly one of `method`, `result` and `error`")]
    Shape {
        /// The id, where it could be read.
        id: Option<Id>,
    },
    /// `error` of a response lacks an integer `code` or a string `message`.
    #[error("`error` must hold an integer `code` and a string `message`")]
    ErrorObject {
        /// The id, where it could be read.
        id: Option<Id>,
    },
}

impl RpcParseError {
    /// The id to answer, where it could be read.
    #[must_use]
    pub fn id(&self) -> Option<&Id> {
        match self {
            Self::Json(_) | Self::Batch | Self::NotAnObject | Self::Id => None,
            Self::Version { id }
            | Self::Method { id }
            | Self::Params { id }
            | Self::Shape { id }
            | Self::ErrorObject { id } => id.as_ref(),
        }
    }
}

/// Reads one message.
///
/// # Errors
/// [`RpcParseError`] for everything that two readers could take differently or that is not
/// JSON-RPC 2.0 as MCP uses it.
pub fn parse(text: &Bytes, limits: &Limits) -> Result<Message, RpcParseError> {
    let mut root = match cmcp_json::parse(text, limits) {
        Ok(Value::Object(root)) => root,
        Ok(Value::Array(_)) => return Err(RpcParseError::Batch),
        Ok(Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => {
            return Err(RpcParseError::NotAnObject);
        }
        // Too much to be read to its end, and refused whatever stands there.
        Err(error) if is_too_much(error.kind) && text.trim_ascii_start().starts_with(b"[") => {
            return Err(RpcParseError::Batch);
        }
        Err(error) => return Err(error.into()),
    };
    let id = root
        .get("id")
        .map(|value| (value.is_null(), Id::from_value(value)));
    let is_response = root.contains_key("result") || root.contains_key("error");
    let id = match id {
        None => None,
        Some((_, Some(id))) => Some(id),
        // A peer that could not read our id answers with `null`.
        Some((true, None)) if root.contains_key("error") => None,
        Some((_, None)) => return Err(RpcParseError::Id),
    };
    if root.get("jsonrpc").and_then(Value::as_str) != Some("2.0") {
        return Err(RpcParseError::Version { id });
    }
    match (root.remove("method"), is_response) {
        (Some(Value::String(method)), false) => {
            let params = take_params(&mut root, text, id.as_ref())?;
            Ok(match id {
                Some(id) => Message::Request(Request { id, method, params }),
                None => Message::Notification(Notification { method, params }),
            })
        }
        (Some(_), false) => Err(RpcParseError::Method { id }),
        (None, true) => response(root, text, id).map(Message::Response),
        (Some(_), true) | (None, false) => Err(RpcParseError::Shape { id }),
    }
}

/// Whether a text is refused for how much is in it.
fn is_too_much(kind: ParseErrorKind) -> bool {
    matches!(
        kind,
        ParseErrorKind::Depth(_) | ParseErrorKind::Elements(_) | ParseErrorKind::Members(_)
    )
}

fn take_params(root: &mut Object, text: &Bytes, id: Option<&Id>) -> Result<Params, RpcParseError> {
    let span = root.span("params");
    match root.remove("params") {
        None => Ok(Params::default()),
        Some(Value::Object(members)) => Ok(Params {
            members,
            text: text.clone(),
            span,
        }),
        Some(
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_),
        ) => Err(RpcParseError::Params { id: id.cloned() }),
    }
}

fn response(mut root: Object, text: &Bytes, id: Option<Id>) -> Result<Response, RpcParseError> {
    let raw = |root: &Object, member| root.span(member).and_then(|span| cut(text, span));
    let (result_bytes, error_bytes) = (raw(&root, "result"), raw(&root, "error"));
    match (
        root.remove("result"),
        result_bytes,
        root.remove("error"),
        error_bytes,
    ) {
        (Some(value), Some(bytes), None, None) if id.is_some() => Ok(Response {
            id,
            outcome: Outcome::Result { value, bytes },
        }),
        (None, None, Some(error), Some(bytes)) => {
            let code = error.get("code").and_then(Value::as_i64);
            let message = error.get("message").and_then(Value::as_str);
            let (Some(code), Some(message)) = (code, message) else {
                return Err(RpcParseError::ErrorObject { id });
            };
            let (message, data) = (message.to_owned(), error.get("data").cloned());
            Ok(Response {
                id,
                outcome: Outcome::Error {
                    code,
                    message,
                    data,
                    bytes,
                },
            })
        }
        _ => Err(RpcParseError::Shape { id }),
    }
}

fn cut(text: &Bytes, span: Range<usize>) -> Option<Bytes> {
    text.get(span).map(|part| text.slice_ref(part))
}

/// The longest id of a request that is taken.
pub const LONGEST_ID: usize = 1_024;

#[cfg(test)]
mod tests;

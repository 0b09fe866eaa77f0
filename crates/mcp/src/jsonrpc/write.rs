//! Writers. Bytes named `raw` are JSON already and go out as they are.

use bytes::Bytes;
use cmcp_json::Value;

use super::Id;

/// Whose question an answer belongs to.
#[derive(Clone, Copy, Debug)]
pub enum ReplyTo<'a> {
    /// This request's.
    Request(&'a Id),
    /// An unreadable one's; the 0.7.1 dialect says `"id": null`.
    Null,
    /// An unreadable one's; everybody else leaves the member out.
    Unknown,
}

impl<'a> From<&'a Id> for ReplyTo<'a> {
    fn from(id: &'a Id) -> Self {
        Self::Request(id)
    }
}

/// A response whose `result` is `raw`.
#[must_use]
pub fn result<'a>(to: impl Into<ReplyTo<'a>>, raw: &[u8]) -> Bytes {
    answer(to.into(), "result", raw)
}

/// An error response.
#[must_use]
pub fn error<'a>(
    to: impl Into<ReplyTo<'a>>,
    code: i64,
    message: &str,
    data: Option<&Value>,
) -> Bytes {
    let mut object = format!("{{\"code\":{code},\"message\":").into_bytes();
    object.extend(string(message));
    if let Some(data) = data {
        object.extend_from_slice(b",\"data\":");
        object.extend(data.to_vec());
    }
    object.push(b'}');
    answer(to.into(), "error", &object)
}

/// An error response whose `error` is `raw`.
#[must_use]
pub fn error_raw<'a>(to: impl Into<ReplyTo<'a>>, raw: &[u8]) -> Bytes {
    answer(to.into(), "error", raw)
}

/// A request whose `params` are `raw`.
#[must_use]
pub fn request(id: &Id, method: &str, raw: Option<&[u8]>) -> Bytes {
    let mut out = b"{\"jsonrpc\":\"2.0\",\"id\":".to_vec();
    out.extend(id.to_value().to_vec());
    out.push(b',');
    finish_call(out, method, raw)
}

/// A notification whose `params` are `raw`.
#[must_use]
pub fn notification(method: &str, raw: Option<&[u8]>) -> Bytes {
    finish_call(b"{\"jsonrpc\":\"2.0\",".to_vec(), method, raw)
}

/// `raw`, an object, with members added behind its own; their values are JSON already. The
/// caller knows that it has no members of these names.
#[must_use]
pub fn with_members(raw: &[u8], members: &[(&str, &[u8])]) -> Bytes {
    let inner = raw
        .trim_ascii()
        .strip_suffix(b"}")
        .unwrap_or(raw)
        .trim_ascii_end();
    // Names are short and have nothing to escape; growing would copy all of it.
    let more = members
        .iter()
        .map(|(name, value)| name.len().saturating_add(value.len()).saturating_add(8));
    let size = more.fold(inner.len().saturating_add(1), usize::saturating_add);
    let mut out = Vec::with_capacity(size);
    out.extend_from_slice(inner);
    let mut separate = inner != b"{";
    for (name, value) in members {
        if separate {
            out.push(b',');
        }
        separate = true;
        out.extend(string(name));
        out.push(b':');
        out.extend_from_slice(value);
    }
    out.push(b'}');
    out.into()
}

fn answer(to: ReplyTo<'_>, member: &str, raw: &[u8]) -> Bytes {
    let mut out = Vec::with_capacity(raw.len().saturating_add(64));
    out.extend_from_slice(b"{\"jsonrpc\":\"2.0\",");
    match to {
        ReplyTo::Request(id) => {
            out.extend_from_slice(b"\"id\":");
            out.extend(id.to_value().to_vec());
            out.push(b',');
        }
        ReplyTo::Null => out.extend_from_slice(b"\"id\":null,"),
        ReplyTo::Unknown => {}
    }
    out.push(b'"');
    out.extend_from_slice(member.as_bytes());
    out.extend_from_slice(b"\":");
    out.extend_from_slice(raw);
    out.push(b'}');
    out.into()
}

fn finish_call(mut out: Vec<u8>, method: &str, raw: Option<&[u8]>) -> Bytes {
    out.extend_from_slice(b"\"method\":");
    out.extend(string(method));
    if let Some(raw) = raw {
        out.extend_from_slice(b",\"params\":");
        out.extend_from_slice(raw);
    }
    out.push(b'}');
    out.into()
}

fn string(text: &str) -> Vec<u8> {
    Value::String(text.to_owned()).to_vec()
}

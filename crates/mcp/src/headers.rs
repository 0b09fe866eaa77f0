//! The `Mcp-*` headers of the modern era: names, encoding, and agreement with the body.
//!
//! Decisions are made on the body alone; a header that says anything else refuses the request.

use std::borrow::Cow;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use cmcp_json::{Object, Value};
use http::{HeaderMap, HeaderName, HeaderValue};

mod params;

pub use params::{Kind, Mirrored, SchemaError, check_params, encode_params, mirrored};

/// `Mcp-Method`: the method of the body.
pub const METHOD: HeaderName = HeaderName::from_static("mcp-method");
/// `Mcp-Name`: the tool, prompt, resource or task of the body.
pub const NAME: HeaderName = HeaderName::from_static("mcp-name");
/// `MCP-Protocol-Version`.
pub const PROTOCOL_VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");
/// `Mcp-Session-Id`, of the legacy era.
pub const SESSION_ID: HeaderName = HeaderName::from_static("mcp-session-id");
/// `Last-Event-ID`: where a broken stream is taken up again, in the legacy era.
pub const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// `_meta` member that names the protocol revision of a modern request.
pub const META_VERSION: &str = "io.modelcontextprotocol/protocolVersion";
/// `_meta` member that holds the client's capabilities.
pub const META_CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";
/// `_meta` member that names the client.
pub const META_CLIENT_INFO: &str = "io.modelcontextprotocol/clientInfo";
/// `_meta` member of results that names the server.
pub const META_SERVER_INFO: &str = "io.modelcontextprotocol/serverInfo";
/// `_meta` member that asks for log messages of a level.
pub const META_LOG_LEVEL: &str = "io.modelcontextprotocol/logLevel";

/// `_meta` member on everything that belongs to a listen stream: the id of its request.
pub const META_SUBSCRIPTION: &str = "io.modelcontextprotocol/subscriptionId";

/// Why headers do not agree with a body.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum HeaderError {
    /// The header is there more than once.
    #[error("header `{0}` is there more than once")]
    Repeated(HeaderName),
    /// The header holds bytes that no value may hold.
    #[error("header `{0}` holds bytes outside printable ASCII")]
    Unreadable(HeaderName),
    /// `=?base64?…?=` holds something that is not padded base64 of UTF-8.
    #[error("header `{0}` is not base64 of UTF-8 between its marks")]
    Base64(HeaderName),
    /// The body has a value that the header must mirror.
    #[error("header `{0}` is missing")]
    Missing(HeaderName),
    /// Header and body disagree.
    #[error("header `{0}` differs from the body")]
    Differs(HeaderName),
}

/// The one value of a header, without the blanks around it.
///
/// # Errors
/// [`HeaderError`] when it is repeated or not printable ASCII.
pub fn single<'a>(
    headers: &'a HeaderMap,
    name: &HeaderName,
) -> Result<Option<&'a str>, HeaderError> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(HeaderError::Repeated(name.clone()));
    }
    let text = value
        .to_str()
        .map_err(|_| HeaderError::Unreadable(name.clone()))?;
    Ok(Some(text.trim_matches(BLANKS)))
}

/// Text as a header value: as it is where that survives, else marked base64.
#[must_use]
pub fn encode(text: &str) -> HeaderValue {
    let plain = text
        .bytes()
        .all(|byte| byte == b'\t' || (0x20..=0x7e).contains(&byte));
    let kept = plain && text.trim_matches(BLANKS) == text && marked(text).is_none();
    let value = if kept {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(format!("{MARK}{}{END}", STANDARD.encode(text)))
    };
    // INVARIANT: tab and 0x20 to 0x7E are all that `value` holds, and a header may hold them.
    HeaderValue::from_str(&value).unwrap_or(HeaderValue::from_static(""))
}

/// The text of a header value.
///
/// # Errors
/// [`HeaderError::Base64`] when it is marked but does not decode.
pub fn decode<'a>(value: &'a str, name: &HeaderName) -> Result<Cow<'a, str>, HeaderError> {
    let Some(inner) = marked(value) else {
        return Ok(Cow::Borrowed(value));
    };
    let bytes = STANDARD
        .decode(inner)
        .map_err(|_| HeaderError::Base64(name.clone()))?;
    String::from_utf8(bytes)
        .map(Cow::Owned)
        .map_err(|_| HeaderError::Base64(name.clone()))
}

/// The member of `params` that `Mcp-Name` mirrors for a method.
#[must_use]
pub fn named_member(method: &str) -> Option<&'static str> {
    match method {
        "tools/call" | "prompts/get" => Some("name"),
        "resources/read" => Some("uri"),
        _ if method.starts_with("tasks/") => Some("taskId"),
        _ => None,
    }
}

/// Checks `Mcp-Method` against the body.
///
/// # Errors
/// [`HeaderError`] when it is missing, malformed or different.
pub fn check_method(headers: &HeaderMap, method: &str) -> Result<(), HeaderError> {
    match single(headers, &METHOD)? {
        None => Err(HeaderError::Missing(METHOD)),
        Some(value) if value == method => Ok(()),
        Some(_) => Err(HeaderError::Differs(METHOD)),
    }
}

/// Checks `Mcp-Name` against the body. A member that is not a string mirrors nothing; it is
/// refused where parameters are read.
///
/// # Errors
/// [`HeaderError`] when it is missing, malformed or different.
pub fn check_name(headers: &HeaderMap, method: &str, params: &Object) -> Result<(), HeaderError> {
    let Some(member) = named_member(method) else {
        return Ok(());
    };
    let Some(body) = params.get(member).and_then(Value::as_str) else {
        return Ok(());
    };
    let value = single(headers, &NAME)?.ok_or(HeaderError::Missing(NAME))?;
    if decode(value, &NAME)? == body {
        Ok(())
    } else {
        Err(HeaderError::Differs(NAME))
    }
}

fn marked(value: &str) -> Option<&str> {
    value.strip_prefix(MARK)?.strip_suffix(END)
}

const BLANKS: [char; 2] = [' ', '\t'];
const MARK: &str = "=?base64?";
const END: &str = "?=";

#[cfg(test)]
mod tests;

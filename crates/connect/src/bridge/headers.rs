//! The headers that go with a message.

use cmcp_json::Value;
use cmcp_mcp::{
    headers::{
        self, META_VERSION, METHOD, Mirrored, NAME, PROTOCOL_VERSION, SESSION_ID, encode,
        named_member,
    },
    jsonrpc::Params,
    version::Version,
};
use http::{HeaderMap, HeaderValue, header};

use super::Token;

/// What a legacy client's `initialize` has led to.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Session {
    pub(super) id: Option<HeaderValue>,
    pub(super) version: Option<Version>,
}

/// What every message carries.
pub(super) fn common(token: Option<&Token>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    headers.insert(
        header::ACCEPT,
        HeaderValue::from_static("application/json, text/event-stream"),
    );
    if let Some(Token(value)) = token {
        headers.insert(header::AUTHORIZATION, value.clone());
    }
    headers
}

/// Adds what a legacy message carries.
pub(super) fn add_session(headers: &mut HeaderMap, session: &Session) {
    let Session { id, version } = session;
    if let Some(id) = id {
        headers.insert(SESSION_ID, id.clone());
    }
    if let Some(version) = version {
        headers.insert(PROTOCOL_VERSION, HeaderValue::from_static(version.as_str()));
    }
}

/// Adds what a modern message carries: the version, method and name of its body, and the arguments
/// that the tool wants mirrored. An argument that no header can mirror is left for the gateway to
/// refuse.
pub(super) fn add_modern(
    headers: &mut HeaderMap,
    method: &str,
    params: &Params,
    mirrored: &[Mirrored],
) {
    if let Some(version) = params.meta(META_VERSION).and_then(Value::as_str) {
        headers.insert(PROTOCOL_VERSION, encode(version));
    }
    headers.insert(METHOD, encode(method));
    let name = named_member(method).and_then(|member| params.get(member)?.as_str());
    if let Some(name) = name {
        headers.insert(NAME, encode(name));
    }
    if let Some(arguments) = params.get("arguments").and_then(Value::as_object)
        && let Ok(more) = headers::encode_params(mirrored, arguments)
    {
        headers.extend(more);
    }
}

//! The parameters of requests: the caller's bytes, and around them what the era demands.

use bytes::Bytes;
use cmcp_json::{Limits, Object, Value, parse};

use super::handshake::modern_meta;
use crate::{
    headers::{META_CAPABILITIES, META_CLIENT_INFO, META_VERSION},
    jsonrpc::{Id, notification, with_members},
    upstream::{ToolCall, UpstreamError},
    version::Version,
};

/// The parameters of `tools/call`.
pub(super) fn call_params(call: &ToolCall, version: Version) -> Result<Bytes, UpstreamError> {
    let name = Value::from(call.name.as_str()).to_vec();
    let meta = meta(call.meta.as_ref(), version)?;
    let mut members: Vec<(&str, &[u8])> = vec![("name", &name)];
    if let Some(arguments) = &call.arguments {
        members.push(("arguments", arguments));
    }
    if let Some(meta) = &meta {
        members.push(("_meta", meta));
    }
    Ok(with_members(b"{}", &members))
}

/// The parameters of `tools/list`.
pub(super) fn list_params(
    cursor: Option<&str>,
    version: Version,
) -> Result<Option<Bytes>, UpstreamError> {
    let cursor = cursor.map(|cursor| Value::from(cursor).to_vec());
    let meta = meta(None, version)?;
    let cursor = cursor.as_deref().map(|cursor| ("cursor", cursor));
    let meta = meta.as_deref().map(|meta| ("_meta", meta));
    let members: Vec<_> = cursor.into_iter().chain(meta).collect();
    Ok((!members.is_empty()).then(|| with_members(b"{}", &members)))
}

/// The notification that a request is no longer waited for.
pub(super) fn cancelled(id: &Id) -> Bytes {
    let params: Object = [("requestId", id.to_value())].into();
    notification(
        "notifications/cancelled",
        Some(&Value::Object(params).to_vec()),
    )
}

/// The caller's `_meta`, its members byte for byte, but for those that are ours to say.
fn meta(given: Option<&Bytes>, version: Version) -> Result<Option<Bytes>, UpstreamError> {
    let given = given.filter(|given| !given.is_empty());
    let parsed = given
        .map(|given| parse(given, &Limits::REQUEST))
        .transpose();
    let parsed = parsed.map_err(|_| UpstreamError::Meta)?;
    let mut members: Vec<(&str, &[u8])> = Vec::new();
    if let (Some(given), Some(parsed)) = (given, &parsed) {
        let object = parsed.as_object().ok_or(UpstreamError::Meta)?;
        for name in object.keys().filter(|name| !OURS.contains(name)) {
            let span = object.span(name).ok_or(UpstreamError::Meta)?;
            members.push((name, given.get(span).ok_or(UpstreamError::Meta)?));
        }
    }
    let ours = modern_meta(version);
    if version.is_modern() {
        members.extend(ours.iter().map(|(name, value)| (*name, value.as_slice())));
    }
    Ok((given.is_some() || version.is_modern()).then(|| with_members(b"{}", &members)))
}

const OURS: [&str; 3] = [META_VERSION, META_CLIENT_INFO, META_CAPABILITIES];

#[cfg(test)]
mod tests;

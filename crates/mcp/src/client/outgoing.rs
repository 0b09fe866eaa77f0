//! The parameters of requests: the caller's bytes, and around them what the era demands.

use bytes::Bytes;
use cmcp_json::{Limits, Object, Value, parse};

use super::own::Own;
use crate::{
    headers::{META_CAPABILITIES, META_CLIENT_INFO, META_LOG_LEVEL, META_VERSION},
    jsonrpc::{Id, notification, with_members},
    upstream::{Ask, Input, LogLevel, UpstreamError},
    version::Version,
};

/// The parameters of a request; `id` is its id and, where progress is wanted, its token.
///
/// # Errors
/// [`UpstreamError::Meta`] when `_meta` is no JSON object, [`UpstreamError::Stale`] when the
/// request carries input for a modern server and this one is none.
pub(super) fn ask_params(
    ask: &Ask,
    id: u64,
    version: Version,
    own: &Own,
) -> Result<Bytes, UpstreamError> {
    if ask.input.is_some() && !version.is_modern() {
        return Err(UpstreamError::Stale);
    }
    let said = Meta {
        given: ask.meta.as_ref(),
        token: ask.progress.then_some(id),
        level: ask.log_level,
    };
    let meta = said.write(version, own)?;
    let params = ask.params.iter().map(|(name, value)| (*name, value));
    let task = ask.task.iter().filter(|_| version == Version::V2025_11_25);
    let task = task.map(|task| ("task", task));
    let (responses, state) = match &ask.input {
        Some(Input { responses, state }) => (Some(responses), state.as_ref()),
        None => (None, None),
    };
    let members: Vec<(&str, &[u8])> = params
        .chain(task)
        .chain(responses.map(|responses| ("inputResponses", responses)))
        .chain(state.map(|state| ("requestState", state)))
        .chain(meta.as_ref().map(|meta| ("_meta", meta)))
        .map(|(name, value)| (name, value.as_ref()))
        .collect();
    Ok(with_members(b"{}", &members))
}

/// The parameters of a listing method.
pub(super) fn list_params(
    cursor: Option<&str>,
    version: Version,
    own: &Own,
) -> Result<Option<Bytes>, UpstreamError> {
    let cursor = cursor.map(|cursor| Value::from(cursor).to_vec());
    let meta = Meta::default().write(version, own)?;
    let cursor = cursor.as_deref().map(|cursor| ("cursor", cursor));
    let meta = meta.as_deref().map(|meta| ("_meta", meta));
    let members: Vec<_> = cursor.into_iter().chain(meta).collect();
    Ok((!members.is_empty()).then(|| with_members(b"{}", &members)))
}

/// The parameters of a request of our own to a legacy server: one member.
pub(super) fn own_params(name: &str, value: &Value) -> Bytes {
    with_members(b"{}", &[(name, &value.to_vec())])
}

/// The notification that a request is no longer waited for.
pub(super) fn cancelled(id: &Id) -> Bytes {
    let params: Object = [("requestId", id.to_value())].into();
    notification(
        "notifications/cancelled",
        Some(&Value::Object(params).to_vec()),
    )
}

/// What goes into `_meta`.
#[derive(Default)]
struct Meta<'a> {
    given: Option<&'a Bytes>,
    token: Option<u64>,
    level: Option<LogLevel>,
}

impl Meta<'_> {
    /// The caller's members byte for byte, but for those that are ours to say.
    fn write(&self, version: Version, own: &Own) -> Result<Option<Bytes>, UpstreamError> {
        let given = self.given.filter(|given| !given.is_empty());
        let parsed = given.map(|given| parse(given, &Limits::REQUEST));
        let parsed = parsed.transpose().map_err(|_| UpstreamError::Meta)?;
        let mut members: Vec<(&str, &[u8])> = Vec::new();
        if let (Some(given), Some(parsed)) = (given, &parsed) {
            let object = parsed.as_object().ok_or(UpstreamError::Meta)?;
            for name in object.keys().filter(|name| !OURS.contains(name)) {
                let span = object.span(name).ok_or(UpstreamError::Meta)?;
                members.push((name, given.get(span).ok_or(UpstreamError::Meta)?));
            }
        }
        let token = self.token.map(|token| token.to_string());
        members.extend(token.iter().map(|token| (TOKEN, token.as_bytes())));
        let modern = version.is_modern().then(|| own.meta(version, self.level));
        for (name, value) in modern.iter().flatten() {
            members.push((name, value));
        }
        let any = given.is_some() || !members.is_empty();
        Ok(any.then(|| with_members(b"{}", &members)))
    }
}

const TOKEN: &str = "progressToken";
const OURS: [&str; 5] = [
    TOKEN,
    META_VERSION,
    META_CLIENT_INFO,
    META_CAPABILITIES,
    META_LOG_LEVEL,
];

#[cfg(test)]
mod tests;

//! What both transports say and hear when they find out which era a server belongs to.

use bytes::Bytes;
use cmcp_json::{Object, Value};

use crate::{
    error::Code,
    headers::{META_CAPABILITIES, META_CLIENT_INFO, META_VERSION},
    jsonrpc::{self, Outcome},
    upstream::{ProtocolFault, UpstreamError},
    version::Version,
};

/// What a modern server is asked first: it changes nothing and every modern server answers it.
pub(super) const DISCOVER: &str = "server/discover";
pub(super) const INITIALIZE: &str = "initialize";
pub(super) const LISTEN: &str = "subscriptions/listen";
pub(super) const INITIALIZED: &str = "notifications/initialized";
/// The revision of the modern era that is spoken here.
pub(super) const MODERN: Version = Version::V2026_07_28;

/// What a handshake settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Settled {
    pub(super) version: Version,
    pub(super) changes: Changes,
}

/// Whether the server says that it will tell when its tools change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Changes {
    Announced,
    Silent,
}

impl Changes {
    /// Reads the capabilities in the result of either handshake.
    pub(super) fn of(answer: &Outcome) -> Self {
        let Outcome::Result { value, .. } = answer else {
            return Self::Silent;
        };
        let tools = value.get("capabilities").and_then(|all| all.get("tools"));
        match tools.and_then(|tools| tools.get("listChanged")?.as_bool()) {
            Some(true) => Self::Announced,
            Some(false) | None => Self::Silent,
        }
    }
}

/// What the answer to [`DISCOVER`] tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Era {
    Modern(Version),
    Legacy,
    /// Neither; what the server offered instead.
    Foreign(String),
}

/// Whether `-32601` speaks for a modern server: it does with HTTP status 404, where a legacy one
/// would not have looked at the method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum UnknownMethod {
    Modern,
    Legacy,
}

impl Era {
    pub(super) fn of(answer: &Outcome, unknown_method: UnknownMethod) -> Self {
        match answer {
            Outcome::Result { value, .. } => match value.get("supportedVersions") {
                Some(offered) => Self::among(offered),
                None => Self::Legacy,
            },
            Outcome::Error { code, data, .. } if *code == Code::UnsupportedVersion.value() => data
                .as_ref()
                .and_then(|data| data.get("supported"))
                .map_or(Self::Legacy, Self::among),
            Outcome::Error { code, .. } if is_modern_error(*code) => Self::Modern(MODERN),
            Outcome::Error { code, .. }
                if *code == Code::MethodNotFound.value()
                    && unknown_method == UnknownMethod::Modern =>
            {
                Self::Modern(MODERN)
            }
            Outcome::Error { .. } => Self::Legacy,
        }
    }

    /// The newest revision of a server's list that is known here.
    fn among(offered: &Value) -> Self {
        let names = offered
            .as_array()
            .unwrap_or_default()
            .iter()
            .filter_map(Value::as_str);
        match names.filter_map(Version::parse).max() {
            Some(version) if version.is_modern() => Self::Modern(version),
            Some(_) => Self::Legacy,
            None => Self::Foreign(shorten(&offered.to_string())),
        }
    }
}

/// Codes that only a modern server gives.
pub(super) fn is_modern_error(code: i64) -> bool {
    [
        Code::HeaderMismatch,
        Code::MissingClientCapability,
        Code::UnsupportedVersion,
    ]
    .iter()
    .any(|modern| modern.value() == code)
}

/// What `initialize` settled on.
pub(super) fn initialized(answer: &Outcome) -> Result<Settled, UpstreamError> {
    match answer {
        Outcome::Result { value, .. } => {
            let text = value.get("protocolVersion").and_then(Value::as_str);
            let text = text.ok_or(UpstreamError::Protocol(ProtocolFault::Handshake))?;
            let version = Version::parse(text).filter(|version| !version.is_modern());
            let version = version.ok_or_else(|| UpstreamError::NoCommonVersion {
                offered: shorten(text),
            })?;
            let changes = Changes::of(answer);
            Ok(Settled { version, changes })
        }
        Outcome::Error { code, message, .. } => Err(UpstreamError::Rpc {
            method: INITIALIZE,
            code: *code,
            message: shorten(message),
        }),
    }
}

pub(super) fn initialize_params() -> Bytes {
    let params: Object = [
        (
            "protocolVersion",
            Value::from(Version::NEWEST_LEGACY.as_str()),
        ),
        ("capabilities", Value::Object(Object::new())),
        ("clientInfo", client_info()),
    ]
    .into();
    Value::Object(params).to_vec().into()
}

/// The `_meta` members that make a request modern.
pub(super) fn modern_meta(version: Version) -> [(&'static str, Vec<u8>); 3] {
    [
        (META_VERSION, Value::from(version.as_str()).to_vec()),
        (META_CLIENT_INFO, client_info().to_vec()),
        (META_CAPABILITIES, b"{}".to_vec()),
    ]
}

pub(super) fn discover_params() -> Bytes {
    jsonrpc::with_members(b"{}", &[("_meta", &own_meta(MODERN))])
}

/// The parameters that ask a modern server to tell when its tools change.
pub(super) fn listen_params(version: Version) -> Bytes {
    let wanted = br#"{"toolsListChanged":true}"#.as_slice();
    let meta = own_meta(version);
    jsonrpc::with_members(b"{}", &[("notifications", wanted), ("_meta", &meta)])
}

fn own_meta(version: Version) -> Bytes {
    let meta = modern_meta(version);
    let meta = meta
        .each_ref()
        .map(|(name, value)| (*name, value.as_slice()));
    jsonrpc::with_members(b"{}", &meta)
}

fn client_info() -> Value {
    let info: Object = [
        ("name", Value::from("cmcp")),
        ("version", Value::from(env!("CARGO_PKG_VERSION"))),
    ]
    .into();
    Value::Object(info)
}

/// A peer's words, short enough for an error message.
pub(super) fn shorten(text: &str) -> String {
    let mut short: String = text
        .chars()
        .filter(|c| !c.is_control())
        .take(LONGEST_QUOTE)
        .collect();
    if text.chars().nth(LONGEST_QUOTE).is_some() {
        short.push('…');
    }
    short
}

const LONGEST_QUOTE: usize = 200;

#[cfg(test)]
mod tests;

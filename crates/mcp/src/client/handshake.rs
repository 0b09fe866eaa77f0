//! What both transports say and hear when they find out which era a server belongs to.

use std::collections::BTreeSet;

use bytes::Bytes;
use cmcp_json::{Object, Value};

use super::own::Own;
use crate::{
    error::Code,
    headers::META_SERVER_INFO,
    jsonrpc::{self, Outcome},
    upstream::{Kind, Offers, ProtocolFault, UpstreamError, Watch},
    version::Version,
};

/// What a modern server is asked first: it changes nothing and every modern server answers it.
pub(super) const DISCOVER: &str = "server/discover";
pub(super) const INITIALIZE: &str = "initialize";
pub(super) const LISTEN: &str = "subscriptions/listen";
pub(super) const INITIALIZED: &str = "notifications/initialized";
/// The revision of the modern era that is spoken here.
pub(super) const MODERN: Version = Version::V2026_07_28;

/// What the answer to `server/discover` says of a server; little, where it is an error.
pub(super) fn discovered(answer: &Outcome, version: Version) -> Offers {
    match answer {
        Outcome::Result { value, .. } => {
            let meta = value.get("_meta");
            let info = meta.and_then(|meta| meta.get(META_SERVER_INFO)).cloned();
            offers(value, version, info)
        }
        Outcome::Error { .. } => unknown(version),
    }
}

/// A server that has not said anything of itself.
pub(super) fn unknown(version: Version) -> Offers {
    offers(&Value::Null, version, None)
}

fn offers(result: &Value, version: Version, server_info: Option<Value>) -> Offers {
    let capabilities = result
        .get("capabilities")
        .filter(|all| all.as_object().is_some());
    let empty = || Value::Object(Object::new());
    let instructions = result.get("instructions").and_then(Value::as_str);
    Offers {
        version,
        capabilities: capabilities.cloned().unwrap_or_else(empty),
        instructions: instructions.map(str::to_owned),
        server_info,
    }
}

/// Whether the server says that it will tell when its listings of this kind change.
pub(super) fn announces(offers: &Offers, kind: Kind) -> bool {
    offers.has(&[kind.capability(), "listChanged"])
}

/// What is to be watched, as far as the server says that it can be.
pub(super) fn honoured(offers: &Offers, wanted: &Watch) -> Watch {
    let mut honoured = Watch {
        lists: Kind::ALL.iter().any(|kind| announces(offers, *kind)),
        ..wanted.clone()
    };
    if !offers.has(&["resources", "subscribe"]) {
        honoured.resources.clear();
    }
    if !offers.version.is_modern() || !offers.has(&["extensions", TASKS]) {
        honoured.tasks.clear();
    }
    honoured
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
pub(super) fn initialized(answer: &Outcome) -> Result<Offers, UpstreamError> {
    match answer {
        Outcome::Result { value, .. } => {
            let text = value.get("protocolVersion").and_then(Value::as_str);
            let text = text.ok_or(UpstreamError::Protocol(ProtocolFault::Handshake))?;
            let version = Version::parse(text).filter(|version| !version.is_modern());
            let version = version.ok_or_else(|| UpstreamError::NoCommonVersion {
                offered: shorten(text),
            })?;
            Ok(offers(value, version, value.get("serverInfo").cloned()))
        }
        Outcome::Error { code, message, .. } => Err(UpstreamError::Rpc {
            method: INITIALIZE,
            code: *code,
            message: shorten(message),
        }),
    }
}

pub(super) fn initialize_params(own: &Own) -> Bytes {
    let version = Value::from(Version::NEWEST_LEGACY.as_str()).to_vec();
    let members: [(&str, &[u8]); 3] = [
        ("protocolVersion", &version),
        ("capabilities", own.raw_capabilities()),
        ("clientInfo", own.raw_info()),
    ];
    jsonrpc::with_members(b"{}", &members)
}

pub(super) fn discover_params(own: &Own) -> Bytes {
    jsonrpc::with_members(b"{}", &[("_meta", &own_meta(own, MODERN))])
}

/// The parameters that ask a modern server to tell of all this, and of every listing that it says
/// it can tell of.
pub(super) fn listen_params(own: &Own, offers: &Offers, wanted: &Watch) -> Bytes {
    let mut members: Vec<(&str, Vec<u8>)> = Vec::new();
    let lists = [
        (Kind::Tools, "toolsListChanged"),
        (Kind::Prompts, "promptsListChanged"),
        (Kind::Resources, "resourcesListChanged"),
    ];
    for (_, member) in lists.iter().filter(|(kind, _)| announces(offers, *kind)) {
        members.push((member, b"true".to_vec()));
    }
    let texts = |all: &BTreeSet<String>| {
        let all = all.iter().map(|text| Value::from(text.as_str()));
        Value::Array(all.collect()).to_vec()
    };
    let Watch {
        resources,
        lists: _,
        tasks,
    } = honoured(offers, wanted);
    if !resources.is_empty() {
        members.push(("resourceSubscriptions", texts(&resources)));
    }
    if !tasks.is_empty() {
        members.push(("taskIds", texts(&tasks)));
    }
    let members: Vec<_> = members
        .iter()
        .map(|(name, value)| (*name, value.as_slice()))
        .collect();
    let wanted = jsonrpc::with_members(b"{}", &members);
    let meta = own_meta(own, offers.version);
    jsonrpc::with_members(b"{}", &[("notifications", &wanted), ("_meta", &meta)])
}

/// What a modern server says that it will tell of.
pub(super) fn acknowledged(params: &jsonrpc::Params) -> Watch {
    let said = params.get("notifications");
    let texts = |name| {
        let all = said
            .and_then(|said| said.get(name))
            .and_then(Value::as_array);
        let texts = all.unwrap_or_default().iter().filter_map(Value::as_str);
        texts.map(str::to_owned).collect()
    };
    let told = |name| {
        said.and_then(|said| said.get(name))
            .and_then(Value::as_bool)
    };
    let lists = [
        "toolsListChanged",
        "promptsListChanged",
        "resourcesListChanged",
    ];
    Watch {
        resources: texts("resourceSubscriptions"),
        lists: lists.iter().any(|name| told(name) == Some(true)),
        tasks: texts("taskIds"),
    }
}

fn own_meta(own: &Own, version: Version) -> Bytes {
    let meta = own.meta(version, None);
    let meta: Vec<_> = meta
        .iter()
        .map(|(name, value)| (*name, value.as_ref()))
        .collect();
    jsonrpc::with_members(b"{}", &meta)
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

/// The extension of the modern era in which calls become tasks.
const TASKS: &str = "io.modelcontextprotocol/tasks";
const LONGEST_QUOTE: usize = 200;

#[cfg(test)]
mod tests;

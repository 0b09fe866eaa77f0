//! Who we are to a server.

use bytes::Bytes;
use cmcp_json::{Object, Value};

use crate::{
    headers::{META_CAPABILITIES, META_CLIENT_INFO, META_LOG_LEVEL, META_VERSION},
    upstream::LogLevel,
    version::Version,
};

/// Who a client says it is, and what it lets a server ask of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Identity {
    /// The capabilities declared to the server, an object.
    pub capabilities: Value,
    /// The client's name.
    pub name: String,
    /// The client's version.
    pub version: String,
}

impl Default for Identity {
    /// This program, without capabilities.
    fn default() -> Self {
        Self {
            capabilities: Value::Object(Object::new()),
            name: "cmcp".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }
}

impl Identity {
    /// This program, with these capabilities.
    #[must_use]
    pub fn with_capabilities(capabilities: Value) -> Self {
        Self {
            capabilities,
            ..Self::default()
        }
    }
}

/// An identity as it is written into requests.
#[derive(Debug)]
pub(super) struct Own {
    capabilities: Value,
    raw_capabilities: Bytes,
    raw_info: Bytes,
}

impl Own {
    pub(super) fn new(identity: Identity) -> Self {
        let Identity {
            capabilities,
            name,
            version,
        } = identity;
        let info: Object = [
            ("name", Value::from(name)),
            ("version", Value::from(version)),
        ]
        .into();
        Self {
            raw_capabilities: capabilities.to_vec().into(),
            raw_info: Value::Object(info).to_vec().into(),
            capabilities,
        }
    }

    /// The client's capabilities as a JSON object.
    pub(super) fn raw_capabilities(&self) -> &Bytes {
        &self.raw_capabilities
    }

    /// The client's name and version as a JSON object.
    pub(super) fn raw_info(&self) -> &Bytes {
        &self.raw_info
    }

    /// Whether this was declared: a member of the capabilities, and below it these.
    pub(super) fn declares(&self, path: &[&str]) -> bool {
        let found = path
            .iter()
            .try_fold(&self.capabilities, |value, name| value.get(name));
        found.is_some_and(|value| !value.is_null() && value.as_bool() != Some(false))
    }

    /// Whether anything was declared that a server could ask for.
    pub(super) fn can_be_asked(&self) -> bool {
        ["sampling", "elicitation", "roots"]
            .iter()
            .any(|name| self.declares(&[name]))
    }

    /// Whether elicitation in this mode was declared; `{}` declares that by form.
    pub(super) fn elicits(&self, mode: &str) -> bool {
        let plain =
            !self.declares(&["elicitation", "form"]) && !self.declares(&["elicitation", "url"]);
        self.declares(&["elicitation", mode]) || (mode == "form" && plain)
    }

    /// The `_meta` members that make a request modern, as JSON.
    pub(super) fn meta(
        &self,
        version: Version,
        level: Option<LogLevel>,
    ) -> Vec<(&'static str, Bytes)> {
        let quoted = |text: &str| Bytes::from(format!("\"{text}\""));
        let mut members = vec![
            (META_VERSION, quoted(version.as_str())),
            (META_CLIENT_INFO, self.raw_info.clone()),
            (META_CAPABILITIES, self.raw_capabilities.clone()),
        ];
        members.extend(level.map(|level| (META_LOG_LEVEL, quoted(level.as_str()))));
        members
    }
}

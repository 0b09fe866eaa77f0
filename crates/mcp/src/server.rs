//! Front ends: what a message from a client means, over HTTP and over standard input.

use bytes::Bytes;
use cmcp_json::{Object, Value};

use crate::{headers::META_SERVER_INFO, jsonrpc, version::Version};

pub mod body;
pub mod call;
mod channel;
#[cfg(test)]
mod harness;
pub mod http;
mod incoming;
pub mod listen;
mod media;
mod meta;
pub mod origin;
pub mod params;
pub mod port;
mod rejection;
pub mod reply;
pub mod session;
pub mod stall;
pub mod stdio;

pub use channel::CutOff;
pub use incoming::{Dialect, Heard, Incoming, Notification, Request, Response};
pub use listen::{Filter, Listener};
pub use port::{AskError, Feed, Last, Port, Watched};
pub use rejection::Rejection;
pub use reply::{ReplyBody, StreamBody};
pub use session::{ClientSaid, Handshake, OpenError, Session};
pub use stdio::Handler;

/// Who a server says it is, in the handshakes of both eras.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Its name.
    pub name: String,
    /// Its release.
    pub version: String,
    /// What a model should know about it, if anything.
    pub instructions: Option<String>,
}

impl Identity {
    /// The result of `initialize`.
    #[must_use]
    pub fn initialize_result(&self, version: Version, capabilities: &Value) -> Bytes {
        let mut result = Object::from([
            ("protocolVersion", Value::from(version.as_str())),
            ("capabilities", capabilities.clone()),
            ("serverInfo", self.info()),
        ]);
        self.instruct(&mut result);
        Value::from(result).to_vec().into()
    }

    /// The result of `server/discover`; private to the authorization that asked.
    #[must_use]
    pub fn discover_result(&self, capabilities: &Value) -> Bytes {
        let versions: Vec<_> = Version::MODERN.into_iter().map(Version::as_str).collect();
        let mut result = Object::from([
            ("resultType", Value::from("complete")),
            ("supportedVersions", Value::from(versions)),
            ("capabilities", capabilities.clone()),
            ("ttlMs", Value::from(0_u64)),
            ("cacheScope", Value::from("private")),
            (
                "_meta",
                Object::from([(META_SERVER_INFO, self.info())]).into(),
            ),
        ]);
        self.instruct(&mut result);
        Value::from(result).to_vec().into()
    }

    fn info(&self) -> Value {
        let Self {
            name,
            version,
            instructions: _,
        } = self;
        Object::from([("name", name.as_str()), ("version", version)]).into()
    }

    fn instruct(&self, result: &mut Object) {
        if let Some(text) = &self.instructions {
            result.insert("instructions", text.as_str());
        }
    }
}

/// A result of the legacy era as the modern one wants it: `resultType` is added where it is
/// missing. `value` is `raw`, parsed.
#[must_use]
pub fn modern_result(raw: &Bytes, value: &Value) -> Bytes {
    add_missing(raw, value, &[("resultType", b"\"complete\"")])
}

/// A list of the legacy era as the modern one wants it: also not to be cached, and private.
/// `value` is `raw`, parsed.
#[must_use]
pub fn modern_list(raw: &Bytes, value: &Value) -> Bytes {
    let hints: [(&str, &[u8]); 3] = [
        ("resultType", b"\"complete\""),
        ("ttlMs", b"0"),
        ("cacheScope", b"\"private\""),
    ];
    add_missing(raw, value, &hints)
}

fn add_missing(raw: &Bytes, value: &Value, members: &[(&str, &[u8])]) -> Bytes {
    let missing: Vec<_> = members
        .iter()
        .copied()
        .filter(|(name, _)| value.get(name).is_none())
        .collect();
    if missing.is_empty() {
        raw.clone()
    } else {
        jsonrpc::with_members(raw, &missing)
    }
}

#[cfg(test)]
mod tests;

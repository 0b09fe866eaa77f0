//! What a client says of itself in the handshake.

use cmcp_json::{Object, Value};

use crate::{jsonrpc::Params, method::ClientMethod, version::Version};

/// What was agreed on by `initialize`.
#[derive(Clone, Debug, PartialEq)]
pub struct Handshake {
    /// The revision.
    pub version: Version,
    /// What the client said of itself.
    pub client: ClientSaid,
}

/// What a client says of itself.
#[derive(Clone, Debug, PartialEq)]
pub struct ClientSaid {
    /// Its capabilities; an object.
    pub capabilities: Value,
    /// Its name and version, if it gave any. For display only.
    pub info: Option<Value>,
}

impl Handshake {
    /// Reads the parameters of `initialize`: the revision asked for is agreed on where it is known
    /// and has a handshake, else the newest that has.
    #[must_use]
    pub fn read(params: &Params) -> Self {
        let asked = params.get("protocolVersion").and_then(Value::as_str);
        let member = |name: &str| params.get(name).filter(|value| value.as_object().is_some());
        let capabilities = member("capabilities").cloned();
        Self {
            version: Version::negotiate(asked.unwrap_or_default()),
            client: ClientSaid {
                capabilities: capabilities.unwrap_or_else(|| Object::new().into()),
                info: member("clientInfo").cloned(),
            },
        }
    }
}

impl ClientSaid {
    /// Whether it declared that it answers such requests at all; forms and URLs, tools and plain
    /// sampling are not told apart.
    #[must_use]
    pub fn can(&self, method: ClientMethod) -> bool {
        self.capabilities
            .get(method.capability())
            .is_some_and(|value| value.as_object().is_some())
    }
}

//! What a listener is told, and the message it becomes.

use bytes::Bytes;
use cmcp_json::{Object, Value};
use cmcp_mcp::jsonrpc::{self, Id};

use super::List;
use crate::splice;

/// What a listener is told. Parameters are as the server sent them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Notice {
    /// An elicitation was completed elsewhere; the id in it is the server's.
    ElicitationComplete {
        /// The link.
        upstream: u64,
        /// The notification's parameters.
        params: Bytes,
    },
    /// A list is another one.
    ListChanged(List),
    /// A log message.
    Message {
        /// The notification's parameters.
        params: Bytes,
    },
    /// A resource changed.
    ResourceUpdated {
        /// The notification's parameters.
        params: Bytes,
    },
    /// A task went on; the id is the server's.
    TaskStatus {
        /// The link.
        upstream: u64,
        /// The task.
        task: String,
        /// The notification's parameters.
        params: Bytes,
    },
}

/// Whom a message is written for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Audience<'a> {
    /// A session of the legacy era.
    Legacy,
    /// The listen stream that this request opened.
    Modern(&'a Id),
}

impl List {
    /// The notification that the list changed.
    pub(crate) fn notification(self, audience: Audience<'_>) -> Bytes {
        match audience {
            Audience::Legacy => jsonrpc::notification(self.method(), None),
            Audience::Modern(id) => {
                let meta = Value::from(Object::from([(SUBSCRIPTION, id.to_value())]));
                let params = Value::from(Object::from([("_meta", meta)]));
                jsonrpc::notification(self.method(), Some(&params.to_vec()))
            }
        }
    }
}

/// `params` of a server's notification, as this audience has to get them: the server's subscription
/// is exchanged for the audience's own, and every other byte stays. `None` where they are no object.
pub(crate) fn addressed(params: &Bytes, audience: Audience<'_>) -> Option<Bytes> {
    let members = splice::object(params)?;
    let id = match audience {
        Audience::Legacy => None,
        Audience::Modern(id) => Some(id.to_value().to_vec()),
    };
    let Some(meta) = splice::member(params, &members, "_meta") else {
        return Some(match id {
            None => params.clone(),
            Some(id) => {
                let meta = jsonrpc::with_members(b"{}", &[(SUBSCRIPTION, &id)]);
                splice::set(params, &members, "_meta", &meta)
            }
        });
    };
    let own = splice::object(&meta)?;
    let meta = match id {
        Some(id) => splice::set(&meta, &own, SUBSCRIPTION, &id),
        // The era has no such member; where nothing else is in it, the whole of it goes.
        None if own.len() == 1 && own.contains_key(SUBSCRIPTION) => {
            return Some(splice::without(params, &members, &["_meta"]));
        }
        None => splice::without(&meta, &own, &[SUBSCRIPTION]),
    };
    Some(splice::set(params, &members, "_meta", &meta))
}

/// The member of `_meta` that names the stream.
const SUBSCRIPTION: &str = "io.modelcontextprotocol/subscriptionId";

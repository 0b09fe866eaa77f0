//! `subscriptions/listen`: what a modern client wants to hear of, and the stream that it hears it
//! on.

use std::collections::BTreeSet;

use bytes::Bytes;
use cmcp_json::{Limits, Object, Value, parse};

use crate::{
    headers::META_SUBSCRIPTION,
    jsonrpc::{self, Params},
    method::ServerNote,
    upstream::Kind,
};

use super::{
    call::InvalidParams,
    port::{Last, Port},
};

/// What a client wants to hear of, or a server lets it hear of.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Filter {
    /// Changes of these lists; templates count as resources.
    pub lists: BTreeSet<Kind>,
    /// Changes of the resources of these URIs.
    pub resources: BTreeSet<String>,
    /// The status of these tasks.
    pub tasks: BTreeSet<String>,
}

/// A stream that is listened to.
#[derive(Debug)]
pub struct Listener {
    port: Port,
    subscription: Bytes,
}

impl Filter {
    /// Reads the parameters of the request. What is unknown is not honoured, and so left out.
    ///
    /// # Errors
    /// [`InvalidParams`] for a member that is not what it has to be.
    pub fn read(params: &Params) -> Result<Self, InvalidParams> {
        let wanted = params
            .get("notifications")
            .and_then(Value::as_object)
            .ok_or(InvalidParams::Notifications)?;
        let mut lists = BTreeSet::new();
        for (member, kind) in LISTS {
            match wanted.get(member) {
                None | Some(Value::Bool(false)) => {}
                Some(Value::Bool(true)) => {
                    lists.insert(kind);
                }
                Some(_) => return Err(InvalidParams::Notifications),
            }
        }
        Ok(Self {
            lists,
            resources: texts(wanted, RESOURCES)?,
            tasks: texts(wanted, TASKS)?,
        })
    }

    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let Self {
            lists,
            resources,
            tasks,
        } = self;
        lists.is_empty() && resources.is_empty() && tasks.is_empty()
    }

    fn to_value(&self) -> Value {
        let mut value = Object::new();
        for (member, kind) in LISTS {
            if self.lists.contains(&kind) {
                value.insert(member, true);
            }
        }
        for (member, texts) in [(RESOURCES, &self.resources), (TASKS, &self.tasks)] {
            if !texts.is_empty() {
                let texts: Vec<Value> = texts.iter().map(|text| text.as_str().into()).collect();
                value.insert(member, texts);
            }
        }
        value.into()
    }
}

impl Listener {
    /// Opens the stream: what is honoured of what was wanted is its first message.
    #[must_use]
    pub fn open(port: Port, honoured: &Filter) -> Self {
        let subscription = port.id().to_value().to_vec().into();
        let listener = Self { port, subscription };
        let params = Object::from([("notifications", honoured.to_value())]);
        let params = Bytes::from(Value::from(params).to_vec());
        listener.notify(ServerNote::Acknowledged, Some(&params));
        listener
    }

    /// Says something on the stream. `params` is an object as it came from elsewhere: it keeps its
    /// bytes, but for the subscription that it names.
    pub fn notify(&self, note: ServerNote, params: Option<&Bytes>) {
        let params = self.with_subscription(params);
        self.port
            .notify(jsonrpc::notification(note.as_str(), Some(&params)));
    }

    /// Resolves when the client listens no more.
    pub async fn closed(&self) {
        self.port.cancelled().await;
    }

    /// Whether the client listens no more.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.port.is_cancelled()
    }

    /// Ends the stream in good order: with the answer to the request.
    pub fn end(self) {
        let result = self.with_subscription(None);
        let result = jsonrpc::with_members(&result, &[("resultType", b"\"complete\"")]);
        let body = jsonrpc::result(self.port.id(), &result);
        self.port.finish(Last::ok(body));
    }

    /// `params` with the subscription in its `_meta`.
    fn with_subscription(&self, params: Option<&Bytes>) -> Bytes {
        let parsed = params.and_then(|raw| parse(raw, &Limits::RESPONSE).ok());
        let members = parsed.as_ref().and_then(Value::as_object);
        let (Some(raw), Some(members)) = (params, members) else {
            let meta = jsonrpc::with_members(b"{}", &[(META_SUBSCRIPTION, &self.subscription)]);
            return jsonrpc::with_members(b"{}", &[("_meta", &meta)]);
        };
        let slices = |object: &Object, but: &str| {
            let kept = object.keys().filter(|name| *name != but);
            kept.filter_map(|name| Some((name.to_owned(), raw.get(object.span(name)?)?.to_vec())))
                .collect::<Vec<_>>()
        };
        let mut meta = members
            .get("_meta")
            .and_then(Value::as_object)
            .map(|meta| slices(meta, META_SUBSCRIPTION))
            .unwrap_or_default();
        meta.push((META_SUBSCRIPTION.to_owned(), self.subscription.to_vec()));
        let mut all = slices(members, "_meta");
        all.push(("_meta".to_owned(), write(&meta)));
        write(&all).into()
    }
}

fn write(members: &[(String, Vec<u8>)]) -> Vec<u8> {
    let members: Vec<(&str, &[u8])> = members
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_slice()))
        .collect();
    jsonrpc::with_members(b"{}", &members).to_vec()
}

fn texts(wanted: &Object, member: &str) -> Result<BTreeSet<String>, InvalidParams> {
    let Some(value) = wanted.get(member) else {
        return Ok(BTreeSet::new());
    };
    let elements = value.as_array().ok_or(InvalidParams::Notifications)?;
    if elements.len() > MOST {
        return Err(InvalidParams::TooManySubscriptions);
    }
    elements
        .iter()
        .map(|element| element.as_str().map(str::to_owned))
        .collect::<Option<_>>()
        .ok_or(InvalidParams::Notifications)
}

const LISTS: [(&str, Kind); 3] = [
    ("toolsListChanged", Kind::Tools),
    ("promptsListChanged", Kind::Prompts),
    ("resourcesListChanged", Kind::Resources),
];
const RESOURCES: &str = "resourceSubscriptions";
const TASKS: &str = "taskIds";
/// Resources, and tasks, that one stream may be about.
const MOST: usize = 1_024;

#[cfg(test)]
mod tests;

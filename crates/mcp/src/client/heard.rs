//! What the messages mean that a server sends of its own accord.

use bytes::Bytes;
use cmcp_json::{Number, Value};

use super::own::Own;
use crate::{
    error::Code,
    jsonrpc::{self, Id, Notification},
    method::ClientMethod,
    upstream::Kind,
};

/// A notification.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Heard {
    /// Listings of these kinds are no longer true.
    Changed(&'static [Kind]),
    /// A resource has changed.
    Updated { uri: String, params: Bytes },
    /// How far the request with this token has come. Tokens of ours are whole numbers.
    Progress { token: u64, params: Bytes },
    /// A log message.
    Message(Bytes),
    /// A task has another status.
    TaskStatus(Bytes),
    /// An elicitation by URL is done.
    ElicitationComplete(Bytes),
    /// The server withdraws a request of its own, or ends a stream of ours.
    Cancelled(Id),
    /// What it will tell of. Read by whoever asked to be told.
    Acknowledged,
    /// Nothing that means anything here.
    Unknown,
}

impl Heard {
    pub(super) fn of(notification: &Notification) -> Self {
        let params = &notification.params;
        let raw = || params.bytes().unwrap_or(EMPTY);
        let text = |name| params.get(name).and_then(Value::as_str);
        match notification.method.as_str() {
            "notifications/tools/list_changed" => Self::Changed(&[Kind::Tools]),
            "notifications/prompts/list_changed" => Self::Changed(&[Kind::Prompts]),
            "notifications/resources/list_changed" => {
                Self::Changed(&[Kind::Resources, Kind::ResourceTemplates])
            }
            "notifications/resources/updated" => text("uri").map_or(Self::Unknown, |uri| {
                let (uri, params) = (uri.to_owned(), raw());
                Self::Updated { uri, params }
            }),
            "notifications/progress" => {
                let token = params.get("progressToken").and_then(own_token);
                let params = raw();
                token.map_or(Self::Unknown, |token| Self::Progress { token, params })
            }
            "notifications/message" => Self::Message(raw()),
            "notifications/tasks" | "notifications/tasks/status" => Self::TaskStatus(raw()),
            "notifications/elicitation/complete" => Self::ElicitationComplete(raw()),
            "notifications/cancelled" => params
                .get("requestId")
                .and_then(Id::from_value)
                .map_or(Self::Unknown, Self::Cancelled),
            "notifications/subscriptions/acknowledged" => Self::Acknowledged,
            _ => Self::Unknown,
        }
    }
}

/// Type and spelling count: `"1"` and `1.0` are no tokens of ours.
fn own_token(token: &Value) -> Option<u64> {
    match token {
        Value::Number(number) => Number::as_u64(number),
        Value::Null | Value::Bool(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => {
            None
        }
    }
}

/// A request of the server's.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Wanted {
    /// Something that was declared to it.
    Of(ClientMethod),
    /// Something to answer at once.
    Reply(Bytes),
    /// Something to refuse.
    Refuse(Bytes),
}

impl Wanted {
    pub(super) fn of(request: &jsonrpc::Request, own: &Own) -> Self {
        let refuse = |code: Code, message| {
            Self::Refuse(jsonrpc::error(&request.id, code.value(), message, None))
        };
        if request.method == "ping" {
            return Self::Reply(jsonrpc::result(&request.id, b"{}"));
        }
        let Some(method) = ClientMethod::parse(&request.method) else {
            return refuse(Code::MethodNotFound, "Method not found");
        };
        let undeclared = || {
            refuse(
                Code::MethodNotFound,
                "this client declared no such capability",
            )
        };
        let has = |name: &str| {
            request
                .params
                .get(name)
                .is_some_and(|value| !value.is_null())
        };
        match method {
            ClientMethod::ListRoots if own.declares(&["roots"]) => Self::Of(method),
            ClientMethod::Sample if own.declares(&["sampling"]) => {
                let tools = has("tools") || has("toolChoice");
                if tools && !own.declares(&["sampling", "tools"]) {
                    return refuse(
                        Code::InvalidParams,
                        "this client declared no `sampling.tools`",
                    );
                }
                Self::Of(method)
            }
            ClientMethod::Elicit if own.declares(&["elicitation"]) => {
                let mode = request.params.get("mode").and_then(Value::as_str);
                if own.elicits(mode.unwrap_or("form")) {
                    Self::Of(method)
                } else {
                    refuse(
                        Code::InvalidParams,
                        "this client declared no such mode of elicitation",
                    )
                }
            }
            ClientMethod::ListRoots | ClientMethod::Sample | ClientMethod::Elicit => undeclared(),
        }
    }
}

const EMPTY: Bytes = Bytes::from_static(b"{}");

#[cfg(test)]
mod tests;

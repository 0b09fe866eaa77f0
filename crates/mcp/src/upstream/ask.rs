//! A request to a server, what is said while it is served, and what comes of it.

use std::time::Duration;

use bytes::Bytes;
use cmcp_json::Value;
use tokio::sync::{mpsc, oneshot};

use super::LogLevel;
use crate::method::{ClientMethod, Method};

/// A request, apart from its envelope. Bytes in it are JSON already and are sent as they are.
#[derive(Clone, Debug)]
pub struct Ask {
    /// What is asked for.
    pub method: Method,
    /// The members of `params` but for `_meta`, in order.
    pub params: Vec<(&'static str, Bytes)>,
    /// The `_meta` object to send on, its members byte for byte but for those that are ours to
    /// say: the progress token, the log level, the revision, the client and its capabilities.
    pub meta: Option<Bytes>,
    /// Whether to ask for progress. The token is the client's own.
    pub progress: bool,
    /// The least severe log messages wanted. To a legacy server the level is said for the whole
    /// session, where it declares logging and the level is another than last time.
    pub log_level: Option<LogLevel>,
    /// What a modern server asked for in an earlier round of the same request.
    pub input: Option<Input>,
    /// The `task` member of revision 2025-11-25, sent to servers of that revision. Modern servers
    /// find the extension among the client's capabilities instead.
    pub task: Option<Bytes>,
    /// How long the server may be silent. Each progress starts it anew, and it stands still while
    /// the server waits for an [`Answer`]. All together may take ten times as long.
    pub deadline: Duration,
    /// Cap on the bytes of the `result` member.
    pub max_bytes: usize,
    /// The [`Listing::generation`](super::Listing::generation) that the decision to ask rests on,
    /// of the kind that the method belongs to. Where it is no longer current when the request
    /// would be sent, it fails with [`UpstreamError::Stale`](super::UpstreamError::Stale) instead.
    pub listed: Option<u64>,
    /// Where what is said meanwhile goes. While it is full, this request's answer is read no
    /// further.
    pub events: Option<mpsc::Sender<Event>>,
}

impl Ask {
    /// A request without anything optional.
    #[must_use]
    pub fn new(
        method: Method,
        params: Vec<(&'static str, Bytes)>,
        deadline: Duration,
        max_bytes: usize,
    ) -> Self {
        Self {
            method,
            params,
            meta: None,
            progress: false,
            log_level: None,
            input: None,
            task: None,
            deadline,
            max_bytes,
            listed: None,
            events: None,
        }
    }

    /// A call of the tool with this name, without anything optional but its arguments.
    #[must_use]
    pub fn tool(
        name: &str,
        arguments: Option<Bytes>,
        deadline: Duration,
        max_bytes: usize,
    ) -> Self {
        let mut params = vec![("name", Value::from(name).to_vec().into())];
        params.extend(arguments.map(|arguments| ("arguments", arguments)));
        Self::new(Method::ToolsCall, params, deadline, max_bytes)
    }

    /// One member of `params`.
    #[must_use]
    pub fn param(&self, name: &str) -> Option<&Bytes> {
        let found = self.params.iter().find(|(member, _)| *member == name);
        found.map(|(_, value)| value)
    }
}

/// What a request that was answered with `input_required` is repeated with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    /// The `inputResponses` object.
    pub responses: Bytes,
    /// The `requestState`, where the server gave one.
    pub state: Option<Bytes>,
}

/// What a server answered.
#[derive(Clone, Debug)]
pub enum Reply {
    /// A result: `isError` ones, those that ask for input, and tasks included.
    Result {
        /// The `result` member exactly as received.
        bytes: Bytes,
        /// The same, parsed.
        value: Value,
    },
    /// A JSON-RPC error.
    Error {
        /// Its `code`.
        code: i64,
        /// Its `message`.
        message: String,
        /// The `error` member exactly as received.
        bytes: Bytes,
    },
}

/// What a server says about a request while it serves it. Parameters are as received.
#[derive(Debug)]
pub enum Event {
    /// The parameters of `notifications/progress`; the token in it is the client's.
    Progress(Bytes),
    /// The parameters of `notifications/message`.
    Message(Bytes),
    /// The server wants something of its client.
    Request(Request),
    /// The parameters of `notifications/elicitation/complete`.
    ElicitationComplete(Bytes),
    /// The parameters of a task's change of status.
    TaskStatus(Bytes),
}

/// What a server wants of its client, of the capabilities that were declared to it.
#[derive(Debug)]
pub struct Request {
    /// What it wants.
    pub method: ClientMethod,
    /// Its parameters exactly as received.
    pub params: Option<Bytes>,
    /// Takes the answer. Dropped, the server is told of an error of ours. It is closed when the
    /// server withdraws the request or has answered without waiting.
    pub answer: oneshot::Sender<Answer>,
}

/// The answer to a [`Request`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The `result` member.
    Result(Bytes),
    /// An error.
    Error {
        /// Its code.
        code: i64,
        /// Its message.
        message: String,
    },
}

//! What every MCP server looks like to whoever calls it: a stranger's over HTTP, a child process,
//! or one of our own in the same process.

use std::{path::PathBuf, time::Duration};

use bytes::Bytes;
use cmcp_json::Value;
use futures_util::future::BoxFuture;

use crate::{child::SpawnError, version::Version};

/// A server of tools.
pub trait Server: Send + Sync {
    /// Every tool the server offers now, all pages.
    fn list(&self) -> BoxFuture<'_, Result<Listing, UpstreamError>>;

    /// One call. It is sent at most once, and never again after it may have run.
    fn call(&self, call: ToolCall) -> BoxFuture<'_, Result<ToolReply, UpstreamError>>;

    /// A number that grows whenever an earlier [`Listing`] may no longer be true: the server said
    /// so, its process ended, or it had to be reached or negotiated with anew.
    fn generation(&self) -> u64;

    /// What has been seen of the server so far.
    fn observed(&self) -> Observed;

    /// Ends connections and processes. Calls after it fail with [`UpstreamError::Closed`].
    fn close(&self) -> BoxFuture<'_, ()>;
}

/// The tools of a server at one moment.
#[derive(Clone, Debug)]
pub struct Listing {
    /// The `result` of each `tools/list` request, in order.
    pub pages: Vec<Page>,
    /// The definitions of all pages, in order.
    pub tools: Vec<Value>,
    /// False when the server offered more than the limits on pages, tools or bytes let in.
    pub complete: bool,
    /// [`Server::generation`] before the first page was asked for.
    pub generation: u64,
}

/// One page of a listing.
#[derive(Clone, Debug)]
pub struct Page {
    /// The cursor it was asked for with; `None` for the first page. The empty text is a cursor.
    pub cursor: Option<String>,
    /// Its `result` member exactly as received.
    pub bytes: Bytes,
}

/// A `tools/call` request, apart from its envelope.
#[derive(Clone, Debug)]
pub struct ToolCall {
    /// The name that the server itself uses.
    pub name: String,
    /// The `arguments` member, sent byte for byte; absent when the caller named none.
    pub arguments: Option<Bytes>,
    /// The `_meta` object. Its members are sent byte for byte, but for those that state the
    /// protocol version, the client and its capabilities: these are ours.
    pub meta: Option<Bytes>,
    /// How long everything together may take, from here to the last byte of the answer.
    pub deadline: Duration,
    /// Cap on the bytes of the `result` member.
    pub max_bytes: usize,
    /// The [`Listing::generation`] that the decision to call rests on. Where it is no longer
    /// current when the call would be sent, the call fails with [`UpstreamError::Stale`] instead.
    pub listed: Option<u64>,
}

/// What a server answered.
#[derive(Clone, Debug)]
pub enum ToolReply {
    /// A result, `isError` ones included.
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

/// Facts about a server that belong in the record of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observed {
    /// Where it is: a URL without query, or the path of the executable.
    pub endpoint: String,
    /// What ties this server to what was approved.
    pub evidence: EvidenceClass,
    /// The protocol revision in use, once negotiated.
    pub version: Option<Version>,
    /// The files measured when the process was last started.
    pub files: Vec<MeasuredFile>,
    /// How the process is confined, once started.
    pub confinement: Option<Confinement>,
    /// How often a server that had spoken the modern era was found to speak only the legacy one.
    pub downgrades: u64,
    /// Messages that were received and not acted on: notifications without meaning here, late,
    /// duplicate or unknown responses, lines that are not JSON.
    pub dropped: u64,
    /// Requests of the server to us that were refused.
    pub refused: u64,
}

/// What ties a server to what was approved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EvidenceClass {
    /// Only the digests of its tool definitions.
    HashOnly,
    /// Its certificate or key, compared on every connection.
    TlsPinned,
    /// The digests of the files it was started from.
    SpawnMeasured,
    /// It was started from files whose digests nobody pinned.
    SpawnUnmeasured,
}

impl EvidenceClass {
    /// The word in audit entries.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::HashOnly => "hash-only",
            Self::TlsPinned => "tls-pinned",
            Self::SpawnMeasured => "spawn-measured",
            Self::SpawnUnmeasured => "spawn-unmeasured",
        }
    }
}

/// A file that a child process was started from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MeasuredFile {
    /// The path it was opened by.
    pub path: PathBuf,
    /// SHA-256 of its content.
    pub digest: [u8; 32],
    /// What it is to the process.
    pub role: FileRole,
    /// Whether the digest was compared with an expected one.
    pub pinned: bool,
}

/// What a measured file is to the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileRole {
    /// The command itself, a binary.
    Executable,
    /// The program that a script's first line names.
    Interpreter,
    /// The command itself, a script.
    Script,
    /// A file named by an argument, or by a pin.
    Argument,
}

/// How a child process is kept within bounds on this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Confinement {
    /// What bounds its memory.
    pub memory: Bound,
    /// What bounds the number of its processes.
    pub processes: Bound,
}

/// The mechanism behind a bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// A control group over the process and all its descendants.
    Cgroup,
    /// A resource limit: per process for memory, per user for processes.
    Rlimit,
    /// Nothing on this machine could be used.
    None,
}

/// Why a server gave no answer.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum UpstreamError {
    /// No connection came about.
    #[error("no connection to `{endpoint}`: {cause}")]
    Connect {
        /// Where to.
        endpoint: String,
        /// What went wrong.
        cause: ConnectFault,
    },
    /// The deadline passed.
    #[error("no answer within {} ms ({})", after.as_millis(), sent_words(sent))]
    Timeout {
        /// Whether bytes of the request may have reached the server.
        sent: bool,
        /// The deadline.
        after: Duration,
    },
    /// The connection or the process ended before the answer was complete.
    #[error("the server went away before it had answered ({})", sent_words(sent))]
    Lost {
        /// Whether bytes of the request may have reached the server.
        sent: bool,
    },
    /// The answer passed the cap and was not read further.
    #[error(
        "the answer is larger than {limit} bytes; raise the response limit if that is expected"
    )]
    TooLarge {
        /// The cap.
        limit: usize,
    },
    /// The server broke a rule of the protocol.
    #[error("the server broke the protocol: {0}")]
    Protocol(ProtocolFault),
    /// The answer carries another request's id.
    #[error("the answer carries the id `{got}`, expected `{expected}`")]
    WrongId {
        /// The request's id as JSON.
        expected: String,
        /// The answer's id as JSON, shortened.
        got: String,
    },
    /// An HTTP status that is no answer.
    #[error("the server answered with HTTP status {status}")]
    Status {
        /// The status code.
        status: u16,
    },
    /// A JSON-RPC error in answer to something other than a call.
    #[error("`{method}` was answered with error {code}: {message}")]
    Rpc {
        /// The method asked for.
        method: &'static str,
        /// The error's code.
        code: i64,
        /// The error's message, shortened.
        message: String,
    },
    /// The handshake before the request failed; the request itself was not sent.
    #[error("negotiation failed: {0}")]
    Negotiation(Box<UpstreamError>),
    /// Server and client share no protocol revision.
    #[error("the server offers only {offered}, and none of these revisions is spoken here")]
    NoCommonVersion {
        /// What the server offered, shortened.
        offered: String,
    },
    /// The process was not started.
    #[error(transparent)]
    Spawn(#[from] SpawnError),
    /// The process ended too often; it is started again later.
    #[error("the server process keeps ending; it is started again in {} ms", remaining.as_millis())]
    BackOff {
        /// Time until the next start.
        remaining: Duration,
    },
    /// The server may offer other tools than when it was listed; the call was not sent.
    #[error("the server has changed since its tools were listed; list them again")]
    Stale,
    /// The call's `_meta` is not a JSON object, so nothing was sent.
    #[error("`_meta` of the call is not a JSON object")]
    Meta,
    /// As many requests as allowed are already waiting for this server.
    #[error("{limit} requests are already waiting for this server; try again later")]
    Overloaded {
        /// The bound.
        limit: usize,
    },
    /// [`Server::close`] was called.
    #[error("the connection to this server has been closed")]
    Closed,
}

impl UpstreamError {
    /// Whether bytes of the request may have reached the server, so that it may have run.
    #[must_use]
    pub fn sent(&self) -> bool {
        match self {
            Self::Timeout { sent, .. } | Self::Lost { sent } => *sent,
            Self::TooLarge { .. }
            | Self::Protocol(_)
            | Self::WrongId { .. }
            | Self::Status { .. }
            | Self::Rpc { .. } => true,
            Self::Connect { .. }
            | Self::Negotiation(_)
            | Self::NoCommonVersion { .. }
            | Self::Spawn(_)
            | Self::BackOff { .. }
            | Self::Stale
            | Self::Meta
            | Self::Overloaded { .. }
            | Self::Closed => false,
        }
    }
}

impl UpstreamError {
    /// The same, said of the handshake before a request: whatever happened then, the request
    /// itself was not sent.
    pub(crate) fn while_negotiating(self) -> Self {
        match self {
            Self::Timeout { .. }
            | Self::Lost { .. }
            | Self::TooLarge { .. }
            | Self::Protocol(_)
            | Self::WrongId { .. }
            | Self::Status { .. }
            | Self::Rpc { .. } => Self::Negotiation(Box::new(self)),
            Self::Connect { .. }
            | Self::Negotiation(_)
            | Self::NoCommonVersion { .. }
            | Self::Spawn(_)
            | Self::BackOff { .. }
            | Self::Stale
            | Self::Meta
            | Self::Overloaded { .. }
            | Self::Closed => self,
        }
    }
}

fn sent_words(sent: &bool) -> &'static str {
    if *sent {
        "the request may have run"
    } else {
        "the request was not sent"
    }
}

/// Why no connection came about.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ConnectFault {
    /// The name does not resolve.
    #[error("the host name does not resolve")]
    Resolve,
    /// The name resolves to an address that this upstream may not have.
    #[error(
        "the host resolves to `{0}`, which is not a public address; name the address itself or allow private addresses for this server"
    )]
    Address(std::net::IpAddr),
    /// The operating system refused.
    #[error("{0}")]
    Io(std::io::ErrorKind),
    /// The certificate or key is not the pinned one.
    #[error("the server's certificate does not match its pin")]
    Pin,
    /// Any other failure of the TLS handshake.
    #[error("the TLS handshake failed: {0}")]
    Tls(rustls::Error),
    /// The connection was not ready in time.
    #[error("the connection was not ready within {} ms", .0.as_millis())]
    Timeout(Duration),
    /// The peer closed the connection before a request could be sent.
    #[error("the peer closed the new connection")]
    Handshake,
}

/// Which rule of the protocol a server broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProtocolFault {
    /// The answer is not one strict JSON text.
    #[error("the answer is not valid JSON")]
    NotJson,
    /// The answer is JSON but no JSON-RPC 2.0 message.
    #[error("the answer is not a JSON-RPC message")]
    NotJsonRpc,
    /// The body or stream ended without an answer to the request.
    #[error("the answer never came")]
    NoAnswer,
    /// The body is neither JSON nor an event stream.
    #[error("the answer's content type is neither `application/json` nor `text/event-stream`")]
    ContentType,
    /// The body is compressed, which was not asked for.
    #[error("the answer is compressed, which was not asked for")]
    ContentEncoding,
    /// The HTTP message itself is malformed.
    #[error("the answer is not a valid HTTP message")]
    Http,
    /// The server sent more messages besides the answer than allowed.
    #[error("the server sent too many other messages before the answer")]
    Flood,
    /// `tools/list` did not give a list of objects with names.
    #[error("the listing is not a list of named tools")]
    Listing,
    /// `initialize` or `server/discover` gave no usable result.
    #[error("the handshake's result lacks what it must have")]
    Handshake,
    /// The session id that the server chose has characters that a header cannot carry.
    #[error("the session id has characters that are not allowed")]
    SessionId,
}

#[cfg(test)]
mod tests;

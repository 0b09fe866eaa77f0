//! Why a server gave no answer.

use std::time::Duration;

use crate::{child::SpawnError, client::oauth::CredentialError};

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
    /// The server failed too often in a row; it is tried again later.
    #[error("the server keeps failing; it is tried again in {} ms", remaining.as_millis())]
    BackOff {
        /// Time until it is tried again.
        remaining: Duration,
    },
    /// The server may offer other tools than when it was listed; the call was not sent.
    #[error("the server has changed since its tools were listed; list them again")]
    Stale,
    /// The call's `_meta` is not a JSON object, so nothing was sent.
    #[error("`_meta` of the call is not a JSON object")]
    Meta,
    /// As many requests as allowed are already waiting for this server.
    #[error("{limit} requests to this server are under way already; try again later")]
    Overloaded {
        /// The bound.
        limit: usize,
    },
    /// [`Server::close`](super::Server::close) was called.
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
        "the host resolves to `{0}`, which is not a public address; list the host in `upstreams.allow_private_hosts` if it is yours (link-local and metadata addresses are refused even so)"
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
    /// No credential for the server could be had.
    #[error("no credential: {0}")]
    Credential(Box<CredentialError>),
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
    /// A listing method did not give a list of objects with names.
    #[error("the listing is not a list of named items")]
    Listing,
    /// `initialize` or `server/discover` gave no usable result.
    #[error("the handshake's result lacks what it must have")]
    Handshake,
    /// The session id that the server chose has characters that a header cannot carry.
    #[error("the session id has characters that are not allowed")]
    SessionId,
    /// The event stream that a server of 2024-11-05 opens does not begin with where to send to, or
    /// names a place that is not its own.
    #[error("the event stream does not begin with an endpoint of the server's own")]
    Endpoint,
}

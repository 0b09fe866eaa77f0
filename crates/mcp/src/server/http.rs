//! What a POST to the MCP endpoint means. Pure: headers and bytes in, a typed request or a finished
//! refusal out.
//!
//! Three kinds of client are told apart. A *modern* one names revision 2026-07-28 in a header and
//! in every body. A *legacy* one carries a session id that `initialize` gave it. One with neither
//! is served as the Python cMCP 0.7.1 served it.

use bytes::Bytes;
use cmcp_json::{Limits, Object, Value};
use http::{HeaderMap, StatusCode, Uri};

use crate::{
    error::Code,
    headers::{self, HeaderError},
    jsonrpc::{self, Id, Message, Params},
    method::{Method, not_found_text},
    version::Version,
};

use super::{
    call::InvalidParams,
    media::{self, Acceptance, EVENTS, JSON, accepts},
};

mod marks;
mod rejection;

use marks::Marks;
pub use rejection::Rejection;

/// How this client speaks, and so how it must be answered.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Dialect {
    /// As to 0.7.1: no handshake needed, its HTTP statuses and codes.
    Compat,
    /// With a transport session from `initialize`.
    Legacy {
        /// The session's id.
        session: String,
        /// The revision that was negotiated for it.
        version: Version,
    },
    /// Every request stands alone.
    Modern {
        /// The revision that the request names.
        version: Version,
    },
}

/// A message that may be acted on.
#[derive(Clone, Debug)]
pub enum Incoming {
    /// Wants an answer.
    Request(Request),
    /// Wants HTTP 202 and no body.
    Notification(Notification),
    /// A legacy client's answer to a request of ours; wants HTTP 202 and no body.
    Response(Dialect),
}

/// A request for something that exists in the client's era.
#[derive(Clone, Debug)]
pub struct Request {
    /// How the client speaks.
    pub dialect: Dialect,
    /// What the answer must carry.
    pub id: Id,
    /// What is asked for.
    pub method: Method,
    /// The parameters.
    pub params: Params,
    /// The whole body.
    pub body: Bytes,
}

/// A notification; unknown ones are dropped by whoever reads them.
#[derive(Clone, Debug)]
pub struct Notification {
    /// How the client speaks.
    pub dialect: Dialect,
    /// The method, as received.
    pub method: String,
    /// The parameters.
    pub params: Params,
}

impl Dialect {
    /// The HTTP status that goes with an error code. In the 0.7.1 dialect this holds for what is
    /// wrong with a request; the outcomes of calls have statuses of their own there.
    #[must_use]
    pub fn status(&self, code: Code) -> StatusCode {
        let (compat, modern) = match self {
            Self::Compat => (true, false),
            Self::Legacy { .. } => (false, false),
            Self::Modern { .. } => (false, true),
        };
        match code {
            Code::ParseError
            | Code::InvalidRequest
            | Code::HeaderMismatch
            | Code::MissingClientCapability
            | Code::UnsupportedVersion => StatusCode::BAD_REQUEST,
            Code::SessionNotFound => StatusCode::NOT_FOUND,
            Code::SiteNotAllowed => StatusCode::FORBIDDEN,
            Code::RateLimited => StatusCode::TOO_MANY_REQUESTS,
            Code::MethodNotFound if compat || modern => StatusCode::NOT_FOUND,
            Code::InvalidParams if compat => StatusCode::BAD_REQUEST,
            Code::Internal if compat => StatusCode::INTERNAL_SERVER_ERROR,
            Code::Compat | Code::PolicyDenied | Code::KillSwitchTripped if compat => {
                StatusCode::FORBIDDEN
            }
            Code::UpstreamUnavailable | Code::UpstreamFailed | Code::GatewayUnreachable
                if compat =>
            {
                StatusCode::BAD_GATEWAY
            }
            Code::AttestationStale | Code::CatalogDrift if compat => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Code::MethodNotFound
            | Code::InvalidParams
            | Code::Internal
            | Code::Compat
            | Code::PolicyDenied
            | Code::UpstreamUnavailable
            | Code::UpstreamFailed
            | Code::AttestationStale
            | Code::CatalogDrift
            | Code::KillSwitchTripped
            | Code::GatewayUnreachable => StatusCode::OK,
        }
    }

    /// The revision whose methods exist for this client.
    fn era(&self) -> Version {
        match self {
            Self::Compat => Version::NEWEST_LEGACY,
            Self::Legacy {
                session: _,
                version,
            }
            | Self::Modern { version } => *version,
        }
    }
}

impl Request {
    /// A refusal of this request.
    #[must_use]
    pub fn reject(&self, code: Code, message: &str, data: Option<&Value>) -> Rejection {
        Rejection::of(&self.dialect, &self.id, code, message, data)
    }

    /// The refusal of bad parameters.
    #[must_use]
    pub fn reject_params(&self, error: InvalidParams) -> Rejection {
        self.reject(
            Code::InvalidParams,
            &format!("Invalid params: {error}"),
            None,
        )
    }

    /// The refusal of headers that differ from the body.
    #[must_use]
    pub fn reject_headers(&self, error: &HeaderError) -> Rejection {
        self.reject(Code::HeaderMismatch, &error.to_string(), None)
    }
}

/// Refuses a URL with a query: session ids and tokens in URLs end up in logs.
///
/// # Errors
/// HTTP 400; the query is not echoed.
pub fn check_target(uri: &Uri) -> Result<(), Rejection> {
    match uri.query() {
        None => Ok(()),
        Some(_) => Err(Rejection::unaddressed(
            StatusCode::BAD_REQUEST,
            Code::InvalidRequest,
            "the MCP endpoint takes no query; send credentials and session ids in headers",
            "MCP_INVALID_REQUEST",
        )),
    }
}

/// The refusal of a body that is longer than the caller of this module reads.
#[must_use]
pub fn too_large(headers: &HeaderMap) -> Rejection {
    Marks::read(headers).map_or_else(|refused| refused, |marks| marks.too_large())
}

/// Says what a POST means. `body` has been read up to the caller's cap; `sessions` tells the
/// revision of a transport session that is the caller's own, and nothing for all others.
///
/// # Errors
/// A [`Rejection`], ready to be sent. Nothing has been acted on.
pub fn receive(
    headers: &HeaderMap,
    body: &Bytes,
    sessions: &dyn Fn(&str) -> Option<Version>,
    limits: &Limits,
) -> Result<Incoming, Rejection> {
    let marks = Marks::read(headers)?;
    media::check_content(headers)
        .map_err(|error| marks.refuse(StatusCode::UNSUPPORTED_MEDIA_TYPE, &error.to_string()))?;
    if body.len() > limits.bytes {
        return Err(marks.too_large());
    }
    let message = jsonrpc::parse(body, limits).map_err(|error| marks.unreadable(&error, body))?;
    let dialect = match &message {
        Message::Request(request) => marks.of_request(request, sessions)?,
        Message::Notification(notification) => {
            marks.of_notification(&notification.params, sessions)?
        }
        Message::Response(_) => marks.of_response(sessions)?,
    };
    check_accept(headers, &dialect, &message)?;
    match message {
        Message::Request(request) => accept_request(headers, body, dialect, request),
        Message::Notification(jsonrpc::Notification { method, params }) => {
            Ok(Incoming::Notification(Notification {
                dialect,
                method,
                params,
            }))
        }
        Message::Response(_) => Ok(Incoming::Response(dialect)),
    }
}

fn accept_request(
    headers: &HeaderMap,
    body: &Bytes,
    dialect: Dialect,
    request: jsonrpc::Request,
) -> Result<Incoming, Rejection> {
    let jsonrpc::Request {
        id,
        method: name,
        params,
    } = request;
    let reject = |code, message: &str| Err(Rejection::of(&dialect, &id, code, message, None));
    let modern = dialect.era().is_modern();
    if modern && let Err(error) = headers::check_method(headers, &name) {
        return reject(Code::HeaderMismatch, &error.to_string());
    }
    let method = Method::parse(&name).filter(|method| method.exists_in(dialect.era()));
    let Some(method) = method else {
        return reject(Code::MethodNotFound, &not_found_text(&name));
    };
    if modern && let Err(error) = headers::check_name(headers, &name, params.members()) {
        return reject(Code::HeaderMismatch, &error.to_string());
    }
    match (&dialect, method) {
        (Dialect::Legacy { .. }, Method::Initialize) => reject(
            Code::InvalidRequest,
            "this session is initialized already; leave the session id out to open another",
        ),
        (Dialect::Legacy { .. }, _) | (Dialect::Compat | Dialect::Modern { .. }, _) => {
            Ok(Incoming::Request(Request {
                dialect,
                id,
                method,
                params,
                body: body.clone(),
            }))
        }
    }
}

/// A client of either handshake takes JSON and event streams; one of the 0.7.1 dialect is only ever
/// sent JSON, and may say nothing.
fn check_accept(
    headers: &HeaderMap,
    dialect: &Dialect,
    message: &Message,
) -> Result<(), Rejection> {
    let fine = match dialect {
        Dialect::Compat => accepts(headers, JSON) != Acceptance::No,
        Dialect::Legacy { .. } | Dialect::Modern { .. } => [JSON, EVENTS]
            .into_iter()
            .all(|kind| accepts(headers, kind) == Acceptance::Yes),
    };
    if fine {
        return Ok(());
    }
    let id = match message {
        Message::Request(request) => Some(&request.id),
        Message::Notification(_) | Message::Response(_) => None,
    };
    Err(Rejection::not_acceptable(dialect, id))
}

fn invalid_request() -> Value {
    Object::from([("error_code", "MCP_INVALID_REQUEST")]).into()
}

#[cfg(test)]
mod tests;

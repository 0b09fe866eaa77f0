//! What a POST to the MCP endpoint means. Pure: headers and bytes in, a typed request or a finished
//! refusal out.
//!
//! Three kinds of client are told apart. A *modern* one names revision 2026-07-28 in a header and
//! in every body. A *legacy* one carries a session id that `initialize` gave it. One with neither
//! is served as the Python cMCP 0.7.1 served it.

use bytes::Bytes;
use cmcp_json::Limits;
use http::{HeaderMap, StatusCode, Uri};

use crate::{
    error::Code,
    headers,
    jsonrpc::{self, Message},
    method::{ClientNote, Method, not_found_text},
};

use super::{
    media::{self, Acceptance, EVENTS, JSON, accepts},
    session::Session,
};

mod marks;
mod pair;
mod verbs;

pub use super::{
    incoming::{Dialect, Heard, Incoming, Notification, Request, Response},
    rejection::Rejection,
};
use marks::Marks;
pub use pair::receive_pair;
pub use verbs::{Get, receive_delete, receive_get};

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

/// Finds a transport session that is the caller's own, and nothing for all other ids.
pub type Finder<'a> = &'a dyn Fn(&str) -> Option<Session>;

/// Says what a POST means. `body` has been read up to the caller's cap.
///
/// # Errors
/// A [`Rejection`], ready to be sent. Nothing has been acted on.
pub fn receive(
    headers: &HeaderMap,
    body: &Bytes,
    sessions: Finder<'_>,
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
                note: note(&dialect, &method),
                dialect,
                method,
                params,
            }))
        }
        Message::Response(response) => Ok(Incoming::Response(Response { dialect, response })),
    }
}

/// The notification of that name, where it means something. Over HTTP a modern client cancels by
/// hanging up, and so says nothing; one without session has nothing to speak of.
fn note(dialect: &Dialect, method: &str) -> Option<ClientNote> {
    match dialect {
        Dialect::Compat | Dialect::Modern { version: _ } => None,
        Dialect::Legacy {
            session: _,
            version,
        } => ClientNote::parse(method).filter(|note| note.exists_in(*version)),
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
    if id.is_too_long() {
        return Err(Rejection::long_id());
    }
    let reject = |code, message: &str| Err(Rejection::of(&dialect, &id, code, message, None));
    let modern = dialect.is_modern();
    if modern && let Err(error) = headers::check_method(headers, &name) {
        return reject(Code::HeaderMismatch, &error.to_string());
    }
    let Some(method) = dialect.method(&name) else {
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
    let message = match dialect {
        Dialect::Compat => "`Accept` must allow `application/json`, or be absent",
        Dialect::Legacy { .. } | Dialect::Modern { .. } => {
            "`Accept` must allow `application/json` and `text/event-stream`"
        }
    };
    Err(Rejection::not_acceptable(message, id))
}

#[cfg(test)]
mod tests;

//! The pair of 2024-11-05: what is posted beside an open stream, and answered on it.

use bytes::Bytes;
use cmcp_json::Limits;
use http::{HeaderMap, StatusCode, Uri};

use crate::{
    error::Code,
    jsonrpc::{self, Id, Message, ReplyTo, RpcParseError},
    method::{Method, not_found_text},
};

use super::{
    super::{
        channel::Weight,
        media,
        rejection::invalid_request,
        session::{Handshake, Session},
    },
    Dialect, Finder, Incoming, Notification, Rejection, Request, Response, note,
};

/// Says what a POST to the pair's second address means. Here alone a session id stands in a URL:
/// the transport has no other place for it. It is random, and of use to its principal only.
///
/// # Errors
/// A [`Rejection`], ready to be sent. One with status 202 and no body has gone out on the stream,
/// where the client waits for it.
pub fn receive_pair(
    headers: &HeaderMap,
    uri: &Uri,
    body: &Bytes,
    sessions: Finder<'_>,
    limits: &Limits,
) -> Result<Incoming, Rejection> {
    let named = uri
        .query()
        .and_then(|query| query.strip_prefix("sessionId="));
    let session = named
        .and_then(sessions)
        .filter(Session::is_pair)
        .ok_or_else(|| Rejection::no_session(ReplyTo::Unknown))?;
    media::check_content(headers).map_err(|error| {
        let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        refuse(status, &error.to_string())
    })?;
    if body.len() > limits.bytes {
        return Err(refuse(
            StatusCode::PAYLOAD_TOO_LARGE,
            "Request body too large",
        ));
    }
    let message = jsonrpc::parse(body, limits).map_err(|error| unreadable(&session, &error))?;
    if let Message::Request(request) = &message
        && request.method == Method::Initialize.as_str()
        && !session.shake(Handshake::read(&request.params))
    {
        let message = "this session is initialized already; open another stream";
        return Err(on_stream(
            &session,
            &request.id,
            Code::InvalidRequest,
            message,
        ));
    }
    let dialect = Dialect::Legacy {
        version: session.version(),
        session,
    };
    match message {
        Message::Request(request) => accept(dialect, request, body),
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

fn accept(
    dialect: Dialect,
    request: jsonrpc::Request,
    body: &Bytes,
) -> Result<Incoming, Rejection> {
    let jsonrpc::Request {
        id,
        method: name,
        params,
    } = request;
    if id.is_too_long() {
        return Err(Rejection::long_id());
    }
    let refuse = |code, message: &str| match dialect.session() {
        Some(session) => on_stream(session, &id, code, message),
        None => Rejection::of(&dialect, &id, code, message, None),
    };
    let Some(method) = dialect.method(&name) else {
        return Err(refuse(Code::MethodNotFound, &not_found_text(&name)));
    };
    let ready = dialect.session().is_some_and(Session::is_initialized);
    if !ready && method != Method::Ping {
        let message = "Invalid Request: initialize first";
        return Err(refuse(Code::InvalidRequest, message));
    }
    Ok(Incoming::Request(Request {
        dialect,
        id,
        method,
        params,
        body: body.clone(),
    }))
}

fn unreadable(session: &Session, error: &RpcParseError) -> Rejection {
    let code = match error {
        RpcParseError::Json(_) => Code::ParseError,
        RpcParseError::Batch
        | RpcParseError::NotAnObject
        | RpcParseError::Version { .. }
        | RpcParseError::Id
        | RpcParseError::Method { .. }
        | RpcParseError::Params { .. }
        | RpcParseError::Shape { .. }
        | RpcParseError::ErrorObject { .. } => Code::InvalidRequest,
    };
    match error.id() {
        Some(id) => on_stream(session, id, code, &error.to_string()),
        None => Rejection {
            code,
            ..refuse(StatusCode::BAD_REQUEST, &error.to_string())
        },
    }
}

/// A refusal that goes where the client waits for an answer to this request.
fn on_stream(session: &Session, id: &Id, code: Code, message: &str) -> Rejection {
    let body = jsonrpc::error(id, code.value(), message, None);
    session.say(&body, Weight::Must);
    Rejection {
        status: StatusCode::ACCEPTED,
        code,
        body: Bytes::new(),
    }
}

fn refuse(status: StatusCode, message: &str) -> Rejection {
    let code = Code::InvalidRequest;
    let data = invalid_request();
    Rejection {
        status,
        code,
        body: jsonrpc::error(ReplyTo::Unknown, code.value(), message, Some(&data)),
    }
}

//! The MCP endpoint over HTTP: from bytes to a request and back.

use std::{sync::Arc, time::Duration};

use axum::{
    body::Body,
    extract::State,
    response::{IntoResponse as _, Response},
};
use cmcp_json::Limits;
use cmcp_mcp::{
    error::Code,
    headers::SESSION_ID,
    jsonrpc,
    legacy::{Lookup, Opening},
    method::Method,
    server::{
        Handshake, Heard, Incoming, Last, Rejection, Request, Session, StreamBody,
        body::{self, BodyError},
        http as wire,
    },
    sse,
    version::Version,
};
use cmcp_policy::{Compat, engine::Principal};
use http::{HeaderMap, HeaderValue, Request as HttpRequest, StatusCode, header};

use super::{Caller, Fault};
use crate::{call::BODY_DEADLINE, front::Begun, startup::Gateway, transport::OpenError};

/// One message of MCP.
pub(super) async fn post(
    State(gateway): State<Arc<Gateway>>,
    Caller(principal): Caller,
    request: HttpRequest<Body>,
) -> Response {
    let (parts, body) = request.into_parts();
    let limits = gateway.limits();
    if let Err(rejection) = wire::check_target(&parts.uri) {
        return gateway.reject(rejection);
    }
    let (body, weight) = gateway.limits.weigh(&principal.name, body);
    let body = match tokio::time::timeout(BODY_DEADLINE, body::read(body, limits.bytes)).await {
        Ok(Ok(body)) => weight.over(body),
        Ok(Err(BodyError::TooLarge { .. })) => {
            return gateway.reject(wire::too_large(&parts.headers));
        }
        Ok(Err(BodyError::Broken)) if weight.is_refused() => return busy(),
        Ok(Err(BodyError::Broken)) | Err(_) => {
            return Fault::BodyIncomplete.response("the request body did not arrive");
        }
    };
    let own = |id: &str| gateway.transport_session(id, &principal);
    let incoming = match wire::receive(&parts.headers, &body, &own, &limits) {
        Ok(incoming) => incoming,
        Err(rejection) => return gateway.reject(rejection),
    };
    gateway
        .take(&principal, incoming, Some(&parts.headers))
        .await
}

/// The stream of what belongs to no request, or one that broke off and is read on.
pub(super) async fn get(
    State(gateway): State<Arc<Gateway>>,
    Caller(principal): Caller,
    request: HttpRequest<Body>,
) -> Response {
    if let Err(rejection) = wire::check_target(request.uri()) {
        return gateway.reject(rejection);
    }
    let own = |id: &str| gateway.transport_session(id, &principal);
    match wire::receive_get(request.headers(), &own) {
        Ok(wire::Get {
            session,
            last_event_id: None,
        }) => stream(session.standalone(KEEP_ALIVE)),
        Ok(wire::Get {
            session,
            last_event_id: Some(id),
        }) => match session.resume(&id, KEEP_ALIVE) {
            Some(body) => stream(body),
            // Whoever waits for the rest of a stream must not wait for it on another.
            None => Fault::EventGone.response("nothing is kept from behind that event"),
        },
        Err(rejection) => gateway.reject(rejection),
    }
}

/// The end of a session.
pub(super) async fn delete(
    State(gateway): State<Arc<Gateway>>,
    Caller(principal): Caller,
    request: HttpRequest<Body>,
) -> Response {
    if let Err(rejection) = wire::check_target(request.uri()) {
        return gateway.reject(rejection);
    }
    let own = |id: &str| gateway.transport_session(id, &principal);
    match wire::receive_delete(request.headers(), &own) {
        Ok(session) => {
            if let Some(id) = session.id() {
                gateway.transport.end(id.as_str(), &principal.name);
            }
            StatusCode::NO_CONTENT.into_response()
        }
        Err(rejection) => gateway.reject(rejection),
    }
}

/// The stream of the pair of 2024-11-05.
pub(super) async fn pair_stream(
    State(gateway): State<Arc<Gateway>>,
    Caller(principal): Caller,
) -> Response {
    let session = match gateway.transport.open(&principal.name, Opening::Pair) {
        Ok(session) => session,
        Err(OpenError::Full(error)) => {
            return Fault::RateLimited.response(&error.to_string());
        }
        Err(OpenError::Fault(_)) => return Fault::Internal.response("Internal error"),
    };
    gateway.attach(&session, &principal);
    let id = session.id().map_or("", |id| id.as_str());
    let endpoint = format!("/messages/?sessionId={id}");
    match session.pair_stream(&endpoint, KEEP_ALIVE) {
        Some(body) => stream(body),
        None => Fault::Internal.response("Internal error"),
    }
}

/// What is posted beside the stream of a pair, and answered on it.
pub(super) async fn pair_post(
    State(gateway): State<Arc<Gateway>>,
    Caller(principal): Caller,
    request: HttpRequest<Body>,
) -> Response {
    let (parts, body) = request.into_parts();
    let limits = gateway.limits();
    let (body, weight) = gateway.limits.weigh(&principal.name, body);
    let Ok(Ok(body)) = tokio::time::timeout(BODY_DEADLINE, body::read(body, limits.bytes)).await
    else {
        if weight.is_refused() {
            return busy();
        }
        return Fault::BodyIncomplete.response("the request body did not arrive, or is too large");
    };
    let own = |id: &str| gateway.transport_session(id, &principal);
    let body = weight.over(body);
    match wire::receive_pair(&parts.headers, &parts.uri, &body, &own, &limits) {
        Ok(incoming) => gateway.take(&principal, incoming, None).await,
        Err(rejection) => gateway.reject(rejection),
    }
}

/// Too much of requests is held already.
fn busy() -> Response {
    let mut response = Fault::GatewayBusy.response("too much is in flight; try again later");
    let soon = HeaderValue::from_static("1");
    response.headers_mut().insert(header::RETRY_AFTER, soon);
    response
}

/// Whether a client names event streams before anything else: then it gets one, even for an answer
/// that is complete.
fn events_first(headers: &HeaderMap) -> bool {
    let accepted = headers.get(header::ACCEPT).map(HeaderValue::as_bytes);
    accepted.is_some_and(|accepted| accepted.starts_with(b"text/event-stream"))
}

fn one_event(message: &[u8]) -> Response {
    let mut response = (StatusCode::OK, sse::encode("message", None, message)).into_response();
    let headers = response.headers_mut();
    let value = HeaderValue::from_static;
    headers.insert(header::CONTENT_TYPE, value("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, value("no-cache"));
    response
}

fn stream(body: StreamBody) -> Response {
    body.into_response().map(Body::new)
}

/// `GET /tools/list`: the list, for clients that never speak JSON-RPC.
pub(super) async fn tools_list(
    State(gateway): State<Arc<Gateway>>,
    Caller(principal): Caller,
) -> Response {
    let body = jsonrpc::result(jsonrpc::ReplyTo::Null, &gateway.tools(&principal));
    super::bytes(StatusCode::OK, body)
}

impl Gateway {
    /// Acts on a message, and answers over HTTP.
    async fn take(
        self: &Arc<Self>,
        principal: &Arc<Principal>,
        incoming: Incoming,
        headers: Option<&HeaderMap>,
    ) -> Response {
        match incoming {
            Incoming::Request(request) => self
                .answer_request(principal, request, headers)
                .await
                .unwrap_or_else(|rejection| self.reject(rejection)),
            Incoming::Notification(notification) => {
                match notification.hear() {
                    Heard::Dropped => self.telemetry.dropped_message(),
                    Heard::Done | Heard::Initialized => {}
                    Heard::RootsChanged => self.roots_changed(&principal.name).await,
                }
                StatusCode::ACCEPTED.into_response()
            }
            Incoming::Response(response) => {
                if !response.deliver() {
                    self.telemetry.dropped_message();
                }
                StatusCode::ACCEPTED.into_response()
            }
        }
    }

    async fn answer_request(
        self: &Arc<Self>,
        principal: &Arc<Principal>,
        request: Request,
        headers: Option<&HeaderMap>,
    ) -> Result<Response, Rejection> {
        let on_pair = request.dialect.session().is_some_and(Session::is_pair);
        let begun = match (request.method, on_pair) {
            (Method::Initialize, false) => return self.initialize(principal, &request),
            // Its session has taken down what was agreed.
            (Method::Initialize, true) => {
                let version = request
                    .dialect
                    .session()
                    .map_or(Version::V2024_11_05, Session::version);
                let capabilities = self.capabilities(version);
                Ok(Begun::Known(
                    self.identity().initialize_result(version, &capabilities),
                ))
            }
            (_, true | false) => self.begin_apart(principal, &request, headers).await,
        };
        let ended = match begun {
            Ok(Begun::Known(result)) => Last::ok(jsonrpc::result(&request.id, &result)),
            Ok(Begun::Ended(last)) => last,
            Err(rejection) if on_pair => rejection.into(),
            Err(rejection) => return Err(rejection),
            Ok(Begun::Rest(rest)) => {
                let (port, feed) = request.open()?;
                self.run_rest(rest, &request, port);
                return Ok(feed
                    .into_response(KEEP_ALIVE, PATIENCE)
                    .await
                    .map(Body::new));
            }
        };
        // A pair has no other way than its stream.
        if on_pair {
            let (port, feed) = request.open()?;
            port.finish(ended);
            return Ok(feed
                .into_response(KEEP_ALIVE, PATIENCE)
                .await
                .map(Body::new));
        }
        let mut response = if ended.status == StatusCode::OK && headers.is_some_and(events_first) {
            one_event(&ended.body)
        } else {
            super::bytes(ended.status, ended.body)
        };
        response.headers_mut().extend(ended.headers);
        Ok(response)
    }

    pub(super) fn limits(&self) -> Limits {
        match self.settings.compat {
            Compat::Off => Limits::REQUEST,
            Compat::V07 => Limits::COMPAT,
        }
    }

    /// A transport session that is this principal's own.
    pub(super) fn transport_session(
        self: &Arc<Self>,
        id: &str,
        principal: &Arc<Principal>,
    ) -> Option<Session> {
        match self.transport.look_up(id, &principal.name) {
            Lookup::Own(session) => Some(session),
            Lookup::Foreign => {
                self.telemetry.foreign_session();
                tracing::warn!(principal = %principal.name, "somebody else's transport session was named");
                self.note_foreign(principal, id);
                None
            }
            Lookup::Unknown => None,
        }
    }

    pub(super) fn reject(&self, rejection: Rejection) -> Response {
        self.telemetry.refused_request();
        rejection.into_response().map(Body::new)
    }

    fn initialize(
        &self,
        principal: &Arc<Principal>,
        request: &Request,
    ) -> Result<Response, Rejection> {
        let handshake = Handshake::read(&request.params);
        let version = handshake.version;
        let session = self
            .transport
            .open(&principal.name, Opening::Http(handshake))
            .map_err(|error| match error {
                OpenError::Full(_) => request.reject(Code::RateLimited, &error.to_string(), None),
                OpenError::Fault(_) => request.reject(Code::Internal, "Internal error", None),
            })?;
        self.attach(&session, principal);
        let result = self
            .identity()
            .initialize_result(version, &self.capabilities(version));
        let body = jsonrpc::result(&request.id, &result);
        let mut response = super::bytes(StatusCode::OK, body);
        if let Some(id) = session
            .id()
            .and_then(|id| HeaderValue::from_str(id.as_str()).ok())
        {
            response.headers_mut().insert(SESSION_ID, id);
        }
        Ok(response)
    }
}

/// A silent stream carries a comment this often.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// After this long without an answer a stream is opened for it.
const PATIENCE: Duration = Duration::from_millis(500);

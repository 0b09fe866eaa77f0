//! `POST /mcp`: from bytes to a call and back.

use std::sync::Arc;

use axum::{body::Body, extract::State, response::Response};
use bytes::Bytes;
use cmcp_json::{Limits, Value};
use cmcp_mcp::{
    error::Code,
    headers::{SESSION_ID, check_params},
    jsonrpc,
    legacy::Lookup,
    method::Method,
    server::{
        Identity,
        body::{self, BodyError},
        call::{CallParams, Caps},
        http::{self as wire, Incoming, Rejection, Request},
        modern_list,
    },
    version::Version,
};
use cmcp_policy::Compat;
use http::{HeaderMap, HeaderName, HeaderValue, Request as HttpRequest, StatusCode};

use super::{Caller, Fault};
use crate::{
    call::{self, BODY_DEADLINE, Call, Cancel},
    reply::{self, CallHeaders, Dialect, Reply},
    startup::Gateway,
    transport::OpenError,
};

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
    let body = match tokio::time::timeout(BODY_DEADLINE, body::read(body, limits.bytes)).await {
        Ok(Ok(body)) => body,
        Ok(Err(BodyError::TooLarge { .. })) => {
            return gateway.reject(wire::too_large(&parts.headers));
        }
        Ok(Err(BodyError::Broken)) | Err(_) => {
            return Fault::BodyIncomplete.response("the request body did not arrive");
        }
    };
    let own = |id: &str| gateway.transport_session(id, &principal.name);
    let incoming = match wire::receive(&parts.headers, &body, &own, &limits) {
        Ok(incoming) => incoming,
        Err(rejection) => return gateway.reject(rejection),
    };
    match incoming {
        Incoming::Request(request) => gateway
            .serve(principal, &parts.headers, request)
            .await
            .unwrap_or_else(|r| gateway.reject(r)),
        Incoming::Notification(_) | Incoming::Response(_) => {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::ACCEPTED;
            response
        }
    }
}

/// `GET /tools/list`: the list, for clients that never speak JSON-RPC.
pub(super) async fn tools_list(
    State(gateway): State<Arc<Gateway>>,
    Caller(principal): Caller,
) -> Response {
    let body = jsonrpc::result(jsonrpc::ReplyTo::Null, &gateway.list(&principal));
    super::bytes(StatusCode::OK, body)
}

impl Gateway {
    fn limits(&self) -> Limits {
        match self.settings.compat {
            Compat::Off => Limits::REQUEST,
            Compat::V07 => Limits::COMPAT,
        }
    }

    /// The revision of a transport session that is this principal's own.
    fn transport_session(&self, id: &str, principal: &str) -> Option<Version> {
        match self.transport.look_up(id, principal) {
            Lookup::Own(version) => Some(version),
            Lookup::Foreign => {
                self.telemetry.foreign_session();
                tracing::warn!(%principal, "somebody else's transport session was named");
                None
            }
            Lookup::Unknown => None,
        }
    }

    fn reject(&self, rejection: Rejection) -> Response {
        self.telemetry.refused_request();
        super::bytes(rejection.status, rejection.body)
    }

    async fn serve(
        self: &Arc<Self>,
        principal: Arc<cmcp_policy::engine::Principal>,
        headers: &HeaderMap,
        request: Request,
    ) -> Result<Response, Rejection> {
        match request.method {
            Method::Initialize => self.initialize(&principal.name, &request),
            Method::ServerDiscover => Ok(answer(&request, &identity().discover_result())),
            Method::Ping => Ok(answer(&request, b"{}")),
            Method::ToolsList => {
                let list = self.list(&principal);
                Ok(match Dialect::from(&request.dialect) {
                    Dialect::Compat | Dialect::Legacy => answer(&request, &list),
                    Dialect::Modern => answer(&request, &modern_list(&list, &Value::Null)),
                })
            }
            Method::ToolsCall => self.tools_call(principal, headers, request).await,
        }
    }

    fn initialize(&self, principal: &str, request: &Request) -> Result<Response, Rejection> {
        let asked = request
            .params
            .get("protocolVersion")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let version = Version::negotiate(asked);
        let id = self
            .transport
            .open(principal, version)
            .map_err(|error| match error {
                OpenError::Full(_) => request.reject(Code::RateLimited, &error.to_string(), None),
                OpenError::Fault(_) => request.reject(Code::Internal, "Internal error", None),
            })?;
        let mut response = answer(request, &identity().initialize_result(version));
        if let Ok(id) = HeaderValue::from_str(&id) {
            response.headers_mut().insert(SESSION_ID, id);
        }
        Ok(response)
    }

    /// The approved definitions of the tools this principal may call, in the catalog's order.
    fn list(&self, principal: &cmcp_policy::engine::Principal) -> Bytes {
        let (rules, mode) = (self.rules(), self.settings.mode);
        let mut list = b"{\"tools\":[".to_vec();
        for (index, listing) in rules
            .listings(principal, mode, self.clock.now())
            .enumerate()
        {
            if index > 0 {
                list.push(b',');
            }
            list.extend_from_slice(listing);
        }
        list.extend_from_slice(b"]}");
        list.into()
    }

    async fn tools_call(
        self: &Arc<Self>,
        principal: Arc<cmcp_policy::engine::Principal>,
        headers: &HeaderMap,
        request: Request,
    ) -> Result<Response, Rejection> {
        let caps = match self.settings.compat {
            Compat::Off => Caps::Standard,
            Compat::V07 => Caps::V07,
        };
        let mut params =
            CallParams::read(&request.params, caps).map_err(|e| request.reject_params(e))?;
        if self.settings.compat == Compat::V07 {
            params.name = params.name.to_ascii_lowercase();
        }
        let dialect = Dialect::from(&request.dialect);
        let rules = self.rules();
        if dialect == Dialect::Modern
            && let Some(mirrored) = rules.mirrored(&principal, self.settings.mode, &params.name)
        {
            check_params(headers, mirrored, &params.arguments)
                .map_err(|e| request.reject_headers(&e))?;
        }
        let call = Call::new(principal, rules, &request, params);
        let (waiting, cancel) = match dialect {
            Dialect::Modern => {
                let (waiting, cancel) = call::pair();
                (Some(waiting), cancel)
            }
            Dialect::Compat | Dialect::Legacy => (None, Cancel::never()),
        };
        let gateway = Arc::clone(self);
        let task = tokio::spawn(async move {
            let answered = gateway.answer(&call, cancel).await;
            reply::reply(&gateway.settings, dialect, &call, answered)
        });
        let reply = task
            .await
            .map_err(|_| request.reject(Code::Internal, "Internal error", None))?;
        drop(waiting);
        Ok(call_response(reply))
    }
}

fn answer(request: &Request, result: &[u8]) -> Response {
    super::bytes(StatusCode::OK, jsonrpc::result(&request.id, result))
}

fn call_response(reply: Reply) -> Response {
    let Reply { status, body, call } = reply;
    let mut response = super::bytes(status, body);
    let CallHeaders {
        call_id,
        session_id,
        entry_hash,
    } = call;
    let values = [
        (CALL_ID, Some(call_id)),
        (GOVERNANCE_SESSION, session_id),
        (ENTRY_HASH, entry_hash),
    ];
    for (name, value) in values {
        if let Some(value) = value.and_then(|v| HeaderValue::from_str(&v).ok()) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

fn identity() -> Identity {
    Identity {
        name: "cmcp-runtime".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        instructions: None,
    }
}

impl From<&wire::Dialect> for Dialect {
    fn from(dialect: &wire::Dialect) -> Self {
        match dialect {
            wire::Dialect::Compat => Self::Compat,
            wire::Dialect::Legacy { .. } => Self::Legacy,
            wire::Dialect::Modern { .. } => Self::Modern,
        }
    }
}

/// The call's id, as in log and records.
const CALL_ID: HeaderName = HeaderName::from_static("cmcp-call-id");
/// The governance session it belongs to.
const GOVERNANCE_SESSION: HeaderName = HeaderName::from_static("cmcp-session-id");
/// Hash of its own entry in the exported log.
const ENTRY_HASH: HeaderName = HeaderName::from_static("cmcp-entry-hash");

//! The HTTP edge: listening, limits on peers, who is calling, and the routes. Everything behind
//! it speaks in types.

mod auth;
mod fault;
mod framing;
mod guarded;
mod mcp;
mod probes;
mod serve;

use std::sync::Arc;

use axum::{
    Router,
    extract::State,
    response::{IntoResponse, Response},
    routing::{any, get, post},
};
use bytes::Bytes;
use cmcp_json::{Object, Value};
use http::{HeaderValue, StatusCode, header};

use crate::{admin, oauth, startup::Gateway};
pub(crate) use auth::{Caller, Operator};
pub(crate) use fault::Fault;
pub(crate) use probes::Probes;
pub(crate) use serve::Background;
pub use serve::{ServeError, serve};

/// All routes of the gateway.
pub(crate) fn router(gateway: Arc<Gateway>) -> Router {
    Router::new()
        .route(
            "/mcp",
            post(mcp::post)
                .get(mcp::get)
                .delete(mcp::delete)
                .fallback(method_not_allowed),
        )
        .route("/sse", get(mcp::pair_stream))
        .route("/messages/", post(mcp::pair_post))
        .route("/tools/list", get(mcp::tools_list))
        .route(oauth::WELL_KNOWN, get(oauth::metadata))
        .route(oauth::BELOW_WELL_KNOWN, get(oauth::metadata))
        .route("/health", get(probes::health))
        .route("/readyz", get(probes::ready))
        .route("/metrics", get(admin::metrics))
        .route("/sessions/{id}/trace-claim", get(admin::claim))
        .route("/sessions/{id}/trust-record", get(admin::record))
        .route(
            "/sessions/{id}/calls/{call}/trust-record",
            get(admin::call_record),
        )
        .route("/sessions/{id}/close", post(admin::close))
        .route("/sessions/{id}/reset", post(admin::reset))
        .route("/audit/export", get(admin::export))
        .route("/catalog/exception", post(admin::exception))
        .route("/kill-switch/trip", post(admin::trip))
        .route("/kill-switch/unblock", post(admin::unblock))
        .fallback(any(not_found))
        .with_state(gateway)
}

async fn not_found() -> Response {
    Fault::NotFound.response("no such route")
}

async fn method_not_allowed(State(_): State<Arc<Gateway>>, _: Caller) -> Response {
    let mut response = StatusCode::METHOD_NOT_ALLOWED.into_response();
    response
        .headers_mut()
        .insert(header::ALLOW, HeaderValue::from_static("GET, POST, DELETE"));
    response
}

/// A JSON answer.
pub(crate) fn json(status: StatusCode, body: Object) -> Response {
    bytes(status, Bytes::from(Value::Object(body).to_vec()))
}

/// An answer whose body is JSON already.
pub(crate) fn bytes(status: StatusCode, body: Bytes) -> Response {
    let mut response = (status, body).into_response();
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

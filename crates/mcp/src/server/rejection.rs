//! Refusals of what never becomes a request.

use bytes::Bytes;
use cmcp_json::{Object, Value};
use http::{HeaderValue, StatusCode, header};

use crate::{
    error::Code,
    jsonrpc::{self, Id, LONGEST_ID, ReplyTo},
};

use super::{
    incoming::Dialect,
    reply::{self, ReplyBody},
};

/// A refusal, ready to be sent as `application/json`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Rejection {
    /// The HTTP status.
    pub status: StatusCode,
    /// The JSON-RPC error code in the body.
    pub code: Code,
    /// A JSON-RPC error response.
    pub body: Bytes,
}

impl Rejection {
    /// The refusal of a request that could be read.
    #[must_use]
    pub fn of(dialect: &Dialect, id: &Id, code: Code, message: &str, data: Option<&Value>) -> Self {
        Self {
            status: dialect.status(code),
            code,
            body: jsonrpc::error(id, code.value(), message, data),
        }
    }

    /// The refusal of something that has no readable id, or whose id is not looked for.
    #[must_use]
    pub fn unaddressed(status: StatusCode, code: Code, message: &str, error_code: &str) -> Self {
        let data = Object::from([("error_code", error_code)]).into();
        let body = jsonrpc::error(ReplyTo::Unknown, code.value(), message, Some(&data));
        Self { status, code, body }
    }

    /// The refusal of an HTTP method that this client has no use for here.
    #[must_use]
    pub fn not_allowed(message: &str) -> Self {
        Self::unaddressed(
            StatusCode::METHOD_NOT_ALLOWED,
            Code::InvalidRequest,
            message,
            "METHOD_NOT_ALLOWED",
        )
    }

    /// The whole HTTP response; 405 names what is allowed.
    #[must_use]
    pub fn into_response(self) -> http::Response<ReplyBody> {
        let Self {
            status,
            code: _,
            body,
        } = self;
        let mut response = reply::json(status, body);
        if status == StatusCode::METHOD_NOT_ALLOWED {
            let allowed = HeaderValue::from_static("POST");
            response.headers_mut().insert(header::ALLOW, allowed);
        }
        response
    }

    pub(super) fn not_acceptable(message: &str, id: Option<&Id>) -> Self {
        let code = Code::InvalidRequest;
        let to = id.map_or(ReplyTo::Unknown, ReplyTo::Request);
        let body = jsonrpc::error(to, code.value(), message, Some(&invalid_request()));
        Self {
            status: StatusCode::NOT_ACCEPTABLE,
            code,
            body,
        }
    }

    pub(super) fn long_id() -> Self {
        let message = format!("Invalid Request: `id` is longer than {LONGEST_ID} bytes");
        Self::unaddressed(
            StatusCode::BAD_REQUEST,
            Code::InvalidRequest,
            &message,
            "MCP_INVALID_REQUEST",
        )
    }

    pub(super) fn no_session(to: ReplyTo<'_>) -> Self {
        let message = "no such session; initialize again without a session id";
        let code = Code::SessionNotFound;
        let data = Object::from([("error_code", "SESSION_NOT_FOUND")]).into();
        Self {
            status: StatusCode::NOT_FOUND,
            code,
            body: jsonrpc::error(to, code.value(), message, Some(&data)),
        }
    }
}

pub(super) fn invalid_request() -> Value {
    Object::from([("error_code", "MCP_INVALID_REQUEST")]).into()
}

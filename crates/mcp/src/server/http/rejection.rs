//! Refusals of what never becomes a request.

use bytes::Bytes;
use cmcp_json::{Object, Value};
use http::StatusCode;

use crate::{
    error::Code,
    jsonrpc::{self, Id, ReplyTo},
};

use super::{Dialect, invalid_request};

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

    pub(super) fn not_acceptable(dialect: &Dialect, id: Option<&Id>) -> Self {
        let message = match dialect {
            Dialect::Compat => "`Accept` must allow `application/json`, or be absent",
            Dialect::Legacy { .. } | Dialect::Modern { .. } => {
                "`Accept` must allow `application/json` and `text/event-stream`"
            }
        };
        let code = Code::InvalidRequest;
        let to = id.map_or(ReplyTo::Unknown, ReplyTo::Request);
        let body = jsonrpc::error(to, code.value(), message, Some(&invalid_request()));
        Self {
            status: StatusCode::NOT_ACCEPTABLE,
            code,
            body,
        }
    }
}

//! The errors of routes that are not MCP's: a frozen word each, and its HTTP status.

use axum::response::Response;
use cmcp_json::{Object, Value};
use http::StatusCode;

/// Why such a request was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    AgentUnknown,
    AlreadyBlocked,
    AuditStore,
    BodyIncomplete,
    EventGone,
    FieldInvalid,
    FieldMissing,
    GatewayBusy,
    Internal,
    IssuerUnavailable,
    NotBlocked,
    NotFound,
    Parse,
    RateLimited,
    ScopeInsufficient,
    SessionClosing,
    TokenInvalid,
    TokenMissing,
    TokenTwice,
}

impl Fault {
    /// Every fault.
    pub(crate) const ALL: [Self; 19] = [
        Self::AgentUnknown,
        Self::AlreadyBlocked,
        Self::AuditStore,
        Self::BodyIncomplete,
        Self::EventGone,
        Self::FieldInvalid,
        Self::FieldMissing,
        Self::GatewayBusy,
        Self::Internal,
        Self::IssuerUnavailable,
        Self::NotBlocked,
        Self::NotFound,
        Self::Parse,
        Self::RateLimited,
        Self::ScopeInsufficient,
        Self::SessionClosing,
        Self::TokenInvalid,
        Self::TokenMissing,
        Self::TokenTwice,
    ];

    /// The word in `error_code`.
    pub(crate) fn code(self) -> &'static str {
        match self {
            Self::AgentUnknown => "NO_AGENT_IDENTITY",
            Self::AlreadyBlocked => "KILL_SWITCH_TRIPPED",
            Self::AuditStore => "AUDIT_STORE_UNAVAILABLE",
            Self::BodyIncomplete => "BODY_INCOMPLETE",
            Self::EventGone => "EVENT_GONE",
            Self::FieldInvalid => "INVALID_FIELD",
            Self::FieldMissing => "MISSING_FIELD",
            Self::GatewayBusy => "GATEWAY_BUSY",
            Self::Internal => "INTERNAL_ERROR",
            Self::IssuerUnavailable => "ISSUER_UNAVAILABLE",
            Self::NotBlocked => "NOT_BLOCKED",
            Self::NotFound => "NOT_FOUND",
            Self::Parse => "PARSE_ERROR",
            Self::RateLimited => "RATE_LIMITED",
            Self::ScopeInsufficient => "INSUFFICIENT_SCOPE",
            Self::SessionClosing => "SESSION_CLOSING",
            Self::TokenInvalid => "INVALID_BEARER_TOKEN",
            Self::TokenMissing => "MISSING_BEARER_TOKEN",
            Self::TokenTwice => "MULTIPLE_CREDENTIALS",
        }
    }

    pub(crate) fn status(self) -> StatusCode {
        match self {
            Self::AgentUnknown | Self::AlreadyBlocked | Self::SessionClosing => {
                StatusCode::CONFLICT
            }
            Self::AuditStore | Self::GatewayBusy | Self::IssuerUnavailable => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Self::BodyIncomplete => StatusCode::REQUEST_TIMEOUT,
            Self::FieldInvalid | Self::FieldMissing => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            Self::NotBlocked | Self::NotFound => StatusCode::NOT_FOUND,
            Self::EventGone | Self::Parse | Self::TokenTwice => StatusCode::BAD_REQUEST,
            Self::RateLimited => StatusCode::TOO_MANY_REQUESTS,
            Self::ScopeInsufficient => StatusCode::FORBIDDEN,
            Self::TokenInvalid | Self::TokenMissing => StatusCode::UNAUTHORIZED,
        }
    }

    /// What it means, for the reference.
    pub(crate) fn meaning(self) -> &'static str {
        match self {
            Self::AgentUnknown => "no principal has that `agent_id`",
            Self::AlreadyBlocked => "this agent is blocked already",
            Self::AuditStore => "the audit database takes no entry now; nothing was done",
            Self::BodyIncomplete => "the request's body did not arrive in time",
            Self::EventGone => {
                "what was said behind `Last-Event-ID` is not kept any more; the request it belongs to is lost"
            }
            Self::FieldInvalid => "a member of the body is not what it has to be, or is not known",
            Self::FieldMissing => "a member of the body is missing",
            Self::GatewayBusy => {
                "as much of requests is held as `limits.request_bytes` allows; nothing was read of this one"
            }
            Self::Internal => "a fault of the gateway's own; its log says more",
            Self::IssuerUnavailable => {
                "the token's issuer cannot be asked now, so that nobody can tell what the token is worth; `Retry-After` says when to come back"
            }
            Self::NotBlocked => "this agent is not blocked",
            Self::NotFound => "no such route, for this caller",
            Self::Parse => "the body is not one JSON object",
            Self::RateLimited => {
                "this address has used up its budget for this probe; `Retry-After` says when to come back"
            }
            Self::ScopeInsufficient => {
                "the token gives too little; `WWW-Authenticate` names all scopes that are needed"
            }
            Self::SessionClosing => "somebody else is closing the session already",
            Self::TokenInvalid => {
                "the token is nobody's, or does not count here; the text says why"
            }
            Self::TokenMissing => "no token came along",
            Self::TokenTwice => "more than one `Authorization` header came along",
        }
    }

    /// The answer that says so, with a text for people.
    pub(crate) fn response(self, text: &str) -> Response {
        super::json(
            self.status(),
            Object::from([
                ("error", Value::from(text)),
                ("error_code", Value::from(self.code())),
            ]),
        )
    }
}

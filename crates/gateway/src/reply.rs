//! What the caller hears: an exhaustive mapping that may say less than the log, never more.

mod details;
mod era;

use bytes::Bytes;
use cmcp_json::{Object, Value};
use cmcp_mcp::{
    error::Code,
    jsonrpc::{self, Id},
    server::Last,
    version::Version,
};
use cmcp_policy::{Compat, decide::Action, mode::Mode};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use details::{advice, details};

use crate::{
    call::{Answered, Call, Cleared},
    refusal::{Code as Ended, Denial, Refusal},
    settings::Settings,
};

/// The manner of speaking a caller is answered in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// 0.7.1's: HTTP status by outcome, one JSON-RPC code, `_cmcp` in results.
    Compat,
    /// A negotiated revision up to 2025-11-25.
    Legacy,
    /// 2026-07-28.
    Modern,
}

impl Dialect {
    /// The revision spoken, or the dialect's name.
    pub(crate) fn protocol(self, version: Version) -> &'static str {
        match self {
            Self::Compat => "0.7.1",
            Self::Legacy | Self::Modern => version.as_str(),
        }
    }
}

/// The answer to a call.
pub(crate) fn reply(settings: &Settings, call: &Call, answered: Answered) -> Last {
    let dialect = call.client.dialect;
    let id = call.client.rpc_id();
    let Answered {
        outcome,
        call_id,
        session_id,
        receipt,
        waived,
        latency_us,
    } = answered;
    let entry_hash = receipt.and_then(|r| r.entry_hash);
    let mut headers = match &outcome {
        Err(Refusal::Scope(insufficient)) => insufficient.headers.clone(),
        Ok(_) | Err(_) => HeaderMap::new(),
    };
    let (status, body) = match outcome {
        Ok(Cleared::Result { bytes, value }) => {
            let notes = Notes {
                settings,
                call,
                waived: waived.as_ref(),
                latency_us,
                call_id: &call_id,
                session_id: session_id.as_deref(),
                entry_hash: entry_hash.as_deref(),
            };
            (
                StatusCode::OK,
                jsonrpc::result(&id, &result(dialect, &notes, bytes, value)),
            )
        }
        Ok(Cleared::Task(_)) => (StatusCode::OK, jsonrpc::result(&id, b"{}")),
        Ok(Cleared::Asked { bytes }) => (StatusCode::OK, jsonrpc::result(&id, &bytes)),
        Ok(Cleared::Error { bytes }) => tool_error(dialect, &id, &call_id, &bytes),
        Err(refusal) => {
            let spoken = spoken(call, &refusal);
            let status =
                StatusCode::from_u16(spoken.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            (status, spoken.body(&id, &call_id, details(call, &refusal)))
        }
    };
    let values = [
        (CALL_ID, Some(call_id)),
        (GOVERNANCE_SESSION, session_id),
        (ENTRY_HASH, entry_hash),
    ];
    for (name, value) in values {
        if let Some(value) = value.and_then(|v| HeaderValue::from_str(&v).ok()) {
            headers.insert(name, value);
        }
    }
    Last {
        status,
        headers,
        body,
    }
}

/// The upstream's own error: 0.7.1 says only that there was one.
fn tool_error(dialect: Dialect, id: &Id, call_id: &str, error: &Bytes) -> (StatusCode, Bytes) {
    match dialect {
        Dialect::Compat => {
            let spoken = Spoken {
                status: 502,
                code: Code::Compat,
                message: UPSTREAM,
                error_code: "UPSTREAM_TOOL_ERROR",
            };
            (StatusCode::BAD_GATEWAY, spoken.body(id, call_id, None))
        }
        Dialect::Legacy => (
            StatusCode::OK,
            jsonrpc::error_raw(id, &era::legacy_error(error)),
        ),
        Dialect::Modern => {
            let (status, error) = era::modern_error(error);
            (status, jsonrpc::error_raw(id, &error))
        }
    }
}

struct Notes<'a> {
    settings: &'a Settings,
    call: &'a Call,
    waived: Option<&'a Denial>,
    latency_us: u64,
    call_id: &'a str,
    session_id: Option<&'a str>,
    entry_hash: Option<&'a str>,
}

/// The `result` member: the upstream's bytes, but for what the dialect must add or leave out.
fn result(dialect: Dialect, notes: &Notes<'_>, bytes: Bytes, value: Value) -> Bytes {
    match dialect {
        Dialect::Compat if notes.settings.compat == Compat::V07 => {
            drop(bytes);
            let joined = joined_result(value);
            jsonrpc::with_members(joined.as_bytes(), &[("_cmcp", &notes.member())])
        }
        Dialect::Compat => {
            let bytes = era::without(bytes, value, &["_cmcp"]);
            jsonrpc::with_members(&bytes, &[("_cmcp", &notes.member())])
        }
        Dialect::Legacy => era::legacy(bytes, value),
        Dialect::Modern => era::modern(bytes, value, notes.call.wanted.action),
    }
}

impl Notes<'_> {
    fn member(&self) -> Vec<u8> {
        let mut notes = Object::default();
        let text = |t: &str| Value::String(t.to_owned());
        notes.insert("call_id", text(self.call_id));
        if let Some(hash) = self.entry_hash {
            notes.insert("audit_entry_hash", text(hash));
        }
        let hint = self.settings.mode != Mode::Silent;
        let waived = self.waived.filter(|_| hint);
        notes.insert("would_have_denied", Value::Bool(waived.is_some()));
        notes.insert("latency_us", Value::from(self.latency_us));
        if let Some(id) = self.session_id {
            notes.insert("session_id", text(id));
        }
        if let Some(workflow) = &self.call.claims.workflow_id {
            notes.insert("workflow_id", text(workflow));
        }
        if let Some(advice) = waived.and_then(advice) {
            notes.insert("advice", advice);
        }
        Value::Object(notes).to_vec()
    }
}

/// 0.7.1's reading of a result: its text parts joined, or all of it as one text.
fn joined_result(value: Value) -> String {
    let text = Value::String(joined_text(&value));
    drop(value);
    format!("{{\"content\":[{{\"type\":\"text\",\"text\":{text}}}]}}")
}

/// The text parts joined by line ends, or the whole result as JSON where there are none.
pub(crate) fn joined_text(value: &Value) -> String {
    let parts = value
        .get("content")
        .and_then(Value::as_array)
        .unwrap_or_default();
    let texts: Vec<&str> = parts
        .iter()
        .filter_map(|p| p.get("text").and_then(Value::as_str))
        .collect();
    if texts.is_empty() {
        value.to_string()
    } else {
        texts.join("\n")
    }
}

/// An error as it is said.
struct Spoken {
    status: u16,
    code: Code,
    message: &'static str,
    error_code: &'static str,
}

impl Spoken {
    fn body(&self, id: &Id, call_id: &str, details: Option<Object>) -> Bytes {
        let mut data = Object::default();
        data.insert("error_code", Value::String(self.error_code.to_owned()));
        data.insert("call_id", Value::String(call_id.to_owned()));
        for (name, value) in details.iter().flat_map(Object::iter) {
            data.insert(name, value.clone());
        }
        jsonrpc::error(
            id,
            self.code.value(),
            self.message,
            Some(&Value::Object(data)),
        )
    }
}

/// What a refusal is called before a dialect is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Words {
    /// HTTP status in the 0.7.1 dialect.
    pub(crate) status: u16,
    /// JSON-RPC code for who negotiated; the 0.7.1 dialect has one code for nearly all.
    pub(crate) code: Code,
    pub(crate) message: &'static str,
    /// `error.data.error_code`.
    pub(crate) error_code: &'static str,
}

impl Words {
    const fn new(status: u16, code: Code, message: &'static str, error_code: &'static str) -> Self {
        Self {
            status,
            code,
            message,
            error_code,
        }
    }

    pub(crate) fn of(ended: Ended) -> Self {
        match ended {
            Ended::ArgumentsInvalid => ARGUMENTS,
            Ended::EgressDenied
            | Ended::ExecutionIdRefused
            | Ended::InputRequired
            | Ended::OutputSchema
            | Ended::PolicyDeny
            | Ended::PolicyError
            | Ended::PolicyKeyRevoked
            | Ended::ResponseSize
            | Ended::SinkPolicy => POLICY,
            Ended::CatalogMiss | Ended::ToolHidden => UNKNOWN,
            Ended::UpstreamBackOff
            | Ended::UpstreamClosed
            | Ended::UpstreamConnect
            | Ended::UpstreamLost
            | Ended::UpstreamMeta
            | Ended::UpstreamNegotiation
            | Ended::UpstreamOverloaded
            | Ended::UpstreamProtocol
            | Ended::UpstreamRpc
            | Ended::UpstreamSpawn
            | Ended::UpstreamStale
            | Ended::UpstreamStatus
            | Ended::UpstreamTimeout
            | Ended::UpstreamWrongId => UNAVAILABLE,
            Ended::AttestationStale => STALE,
            Ended::CatalogDrift | Ended::CatalogUnchecked => DRIFT,
            Ended::InsufficientScope => SCOPE,
            Ended::KillSwitch => KILLED,
            Ended::BudgetExhausted => BUDGET,
            Ended::GatewayBusy => BUSY,
            Ended::RateLimited => RATE,
            Ended::SessionLimit => SESSIONS,
            Ended::Cancelled | Ended::Fault => FAULT,
            Ended::AuditUnavailable => AUDIT,
        }
    }

    /// The JSON-RPC code in the 0.7.1 dialect.
    pub(crate) fn compat_code(self) -> Code {
        // 0.7.1 knows bad parameters by their HTTP status too; all else has one code.
        if self.code == Code::InvalidParams && self.status == 400 {
            Code::InvalidParams
        } else {
            Code::Compat
        }
    }

    /// The message for who negotiated.
    pub(crate) fn message(self) -> &'static str {
        if self == UNKNOWN {
            "Unknown tool"
        } else {
            self.message
        }
    }
}

fn spoken(call: &Call, refusal: &Refusal) -> Spoken {
    let words = Words::of(refusal.code());
    let error_code = words.error_code;
    let negotiated = Spoken {
        // RFC 6750 has this one in the HTTP status, whoever asks.
        status: if refusal.code() == Ended::InsufficientScope {
            words.status
        } else {
            200
        },
        code: words.code,
        message: words.message(),
        error_code,
    };
    match call.client.dialect {
        Dialect::Compat => Spoken {
            status: words.status,
            code: words.compat_code(),
            message: words.message,
            error_code,
        },
        // Whoever negotiated reads the JSON-RPC error; a bare HTTP status would hide it.
        Dialect::Legacy | Dialect::Modern if !refusal.is_absence() => negotiated,
        Dialect::Legacy | Dialect::Modern => match call.wanted.action {
            Action::ReadResource | Action::Subscribe => Spoken {
                code: era::no_resource(call.client.dialect),
                message: "Resource not found",
                error_code: "RESOURCE_NOT_IN_CATALOG",
                ..negotiated
            },
            Action::GetPrompt | Action::Complete => Spoken {
                message: "Unknown prompt or resource template",
                error_code: "ITEM_NOT_IN_CATALOG",
                ..negotiated
            },
            Action::CallTool
            | Action::ListResources
            | Action::Sample
            | Action::Elicit
            | Action::ListRoots => negotiated,
        },
    }
}

const DENIED: &str = "Request denied by policy";
const UPSTREAM: &str = "Upstream MCP server error";

const ARGUMENTS: Words = Words::new(
    400,
    Code::InvalidParams,
    "Invalid params: the arguments do not fit the tool's input schema",
    "INVALID_ARGUMENTS",
);
const AUDIT: Words = Words::new(
    503,
    Code::Internal,
    "The audit log cannot be written",
    "AUDIT_UNAVAILABLE",
);
const BUDGET: Words = Words::new(
    429,
    Code::RateLimited,
    "The calls that are allowed are used up",
    "BUDGET_EXHAUSTED",
);
const BUSY: Words = Words::new(
    503,
    Code::RateLimited,
    "Too much is in flight; try again later",
    "GATEWAY_BUSY",
);
const DRIFT: Words = Words::new(503, Code::CatalogDrift, "catalog_drift", "CATALOG_DRIFT");
const FAULT: Words = Words::new(500, Code::Internal, "Internal error", "TEE_FAULT");
const KILLED: Words = Words::new(
    403,
    Code::KillSwitchTripped,
    "Agent identity blocked by the kill switch",
    "KILL_SWITCH_TRIPPED",
);
const POLICY: Words = Words::new(403, Code::PolicyDenied, DENIED, "POLICY_DENY");
const RATE: Words = Words::new(
    429,
    Code::RateLimited,
    "Too many calls; try again later",
    "RATE_LIMITED",
);
const SCOPE: Words = Words::new(
    403,
    Code::PolicyDenied,
    "The token gives too little for this",
    "INSUFFICIENT_SCOPE",
);
const SESSIONS: Words = Words::new(
    429,
    Code::RateLimited,
    "Too many open sessions",
    "SESSION_LIMIT",
);
const STALE: Words = Words::new(
    503,
    Code::AttestationStale,
    "attestation_stale",
    "ATTESTATION_STALE",
);
const UNAVAILABLE: Words = Words::new(
    502,
    Code::UpstreamUnavailable,
    UPSTREAM,
    "UPSTREAM_UNAVAILABLE",
);
/// To a caller of the 0.7.1 dialect an unknown tool is a denied one.
const UNKNOWN: Words = Words::new(403, Code::InvalidParams, DENIED, "TOOL_NOT_IN_CATALOG");

/// The call's id, as in log and records.
const CALL_ID: HeaderName = HeaderName::from_static("cmcp-call-id");
/// The governance session it belongs to.
const GOVERNANCE_SESSION: HeaderName = HeaderName::from_static("cmcp-session-id");
/// Hash of its own entry in the exported log.
const ENTRY_HASH: HeaderName = HeaderName::from_static("cmcp-entry-hash");

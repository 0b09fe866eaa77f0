//! The codes that callers and operators meet, as rows of the reference: made from what the gateway
//! answers with.

use cmcp_mcp::error::Code as RpcCode;

use crate::{edge::Fault, refusal::Code, reply::Words};

/// One way a call can end without a result.
#[derive(Clone, Copy, Debug)]
pub struct CallEnd {
    /// The word in the log and in `/metrics`.
    pub code: &'static str,
    /// What happened.
    pub meaning: &'static str,
    /// `error.data.error_code` on the wire.
    pub error_code: &'static str,
    /// HTTP status and JSON-RPC code in the 0.7.1 dialect.
    pub compat: (u16, i64),
    /// JSON-RPC code for callers that negotiated; their HTTP status is 200.
    pub negotiated: i64,
}

/// An `error_code` of the routes beside MCP.
#[derive(Clone, Copy, Debug)]
pub struct RouteFault {
    /// The word.
    pub code: &'static str,
    /// Its HTTP status.
    pub status: u16,
    /// What it means.
    pub meaning: &'static str,
}

/// A JSON-RPC code.
#[derive(Clone, Copy, Debug)]
pub struct RpcError {
    /// The number.
    pub code: i64,
    /// What it means.
    pub meaning: &'static str,
}

/// Every way a call can end without a result.
pub fn call_ends() -> impl Iterator<Item = CallEnd> {
    Code::ALL.into_iter().map(|code| {
        let words = Words::of(code);
        CallEnd {
            code: code.as_str(),
            meaning: code.meaning(),
            error_code: words.error_code,
            compat: (words.status, words.compat_code().value()),
            negotiated: words.code.value(),
        }
    })
}

/// Every `error_code` of the routes beside MCP.
pub fn route_faults() -> impl Iterator<Item = RouteFault> {
    Fault::ALL.into_iter().map(|fault| RouteFault {
        code: fault.code(),
        status: fault.status().as_u16(),
        meaning: fault.meaning(),
    })
}

/// Every JSON-RPC code that an answer of the gateway can carry.
pub fn rpc_errors() -> impl Iterator<Item = RpcError> {
    RpcCode::ALL.into_iter().map(|code| RpcError {
        code: code.value(),
        meaning: meaning(code),
    })
}

fn meaning(code: RpcCode) -> &'static str {
    match code {
        RpcCode::ParseError => {
            "the body is not one strict JSON text; `MCP_PARSE_FAILURE` and the body's digest in `data`"
        }
        RpcCode::InvalidRequest => {
            "JSON, but no request that can be served here: a batch, no `jsonrpc`, a missing header; `MCP_INVALID_REQUEST`"
        }
        RpcCode::MethodNotFound => "no such method here",
        RpcCode::InvalidParams => {
            "the parameters are not what the method takes, or the tool is unknown"
        }
        RpcCode::Internal => "a fault of the gateway's own, or a log that cannot be written",
        RpcCode::ResourceNotFound => {
            "no such resource, for clients of the revisions up to 2025-11-25"
        }
        RpcCode::HeaderMismatch => {
            "a header that repeats part of the body is missing or differs from it"
        }
        RpcCode::MissingClientCapability => {
            "the client did not declare a capability that the request needs"
        }
        RpcCode::UnsupportedVersion => "a revision of the protocol that is not served",
        RpcCode::Compat => {
            "the 0.7.1 dialect's one code for a call without a result; `error_code` says why"
        }
        RpcCode::PolicyDenied => "policy, a sink limit or inspection refused the call",
        RpcCode::UpstreamUnavailable => {
            "the server could not be reached, broke off, or took too long"
        }
        RpcCode::UpstreamFailed => "the server's answer cannot be passed on",
        RpcCode::AttestationStale => "the gateway's evidence is past its validity",
        RpcCode::CatalogDrift => "the tool is not what was approved, or that could not be checked",
        RpcCode::KillSwitchTripped => "the caller is blocked",
        RpcCode::RateLimited => {
            "a limit on sessions, on calls or on what is in flight is reached; `retry_after` in `data` says in how many seconds it is worth coming back"
        }
        RpcCode::SessionNotFound => {
            "the transport session is unknown, has ended, or is somebody else's"
        }
        RpcCode::SiteNotAllowed => "`Host` or `Origin` names a site that is not allowed here",
        RpcCode::GatewayUnreachable => {
            "said by `cmcp client-bridge`: the gateway gave no usable answer"
        }
    }
}

#[cfg(test)]
mod tests;

//! What the host hears when the gateway gave no answer that could be passed on.

use bytes::Bytes;
use cmcp_json::{Object, Value};
use cmcp_mcp::{
    error::Code,
    jsonrpc::{self, Id},
};

use super::wire::WireError;

/// Why there is no answer.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub(super) enum Failure {
    /// No connection, or it broke.
    #[error("cMCP gateway {gateway}: {cause}; {}", advice(cause))]
    Wire { gateway: String, cause: WireError },
    /// An HTTP status with no JSON-RPC answer in the body.
    #[error("cMCP gateway {gateway} answered HTTP {status}{}{}", named(error_code.as_deref()), hint(*status))]
    Status {
        gateway: String,
        status: u16,
        error_code: Option<String>,
    },
    /// The body holds something else than an answer to the request.
    #[error(
        "cMCP gateway {gateway} gave no answer to this request; is this the URL of an MCP endpoint?"
    )]
    NoAnswer { gateway: String },
}

impl Failure {
    /// The failure as the answer to a request.
    pub(super) fn reply(&self, id: &Id) -> Bytes {
        let data = match self {
            Self::Status {
                status, error_code, ..
            } => {
                let mut data = Object::from([("status", Value::from(u64::from(*status)))]);
                if let Some(code) = error_code {
                    data.insert("error_code", code.as_str());
                }
                Some(Value::from(data))
            }
            Self::Wire { .. } | Self::NoAnswer { .. } => None,
        };
        let code = Code::GatewayUnreachable.value();
        jsonrpc::error(id, code, &self.to_string(), data.as_ref())
    }
}

fn advice(cause: &WireError) -> &'static str {
    if cause.sent() {
        "the call may have run"
    } else {
        "is it running, and is `--gateway-url` right?"
    }
}

fn named(error_code: Option<&str>) -> String {
    error_code
        .map(|code| format!(" ({code})"))
        .unwrap_or_default()
}

fn hint(status: u16) -> &'static str {
    match status {
        401 => "; check the token in the variable that `--token-env` names",
        300..=399 => "; redirections are not followed, use the gateway's own URL",
        404 => "; is the path of `--gateway-url` right?",
        429 => "; wait and try again",
        _ => "",
    }
}

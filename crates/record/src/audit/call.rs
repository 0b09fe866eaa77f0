//! What the log says about a call: the intent before dispatch, the outcome in every case. Whatever
//! else is asked for and governed, by a client or by a server, is told in the same form.

use cmcp_evidence::Sha256Digest;
use cmcp_json::Value;
use serde::{Deserialize, Serialize};

use super::{
    action::Action,
    text::{Advice, Count, Findings, Text, Texts},
};
use crate::verdict::Verdict;

/// What is known of a call before its outcome.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Call {
    /// What was asked for; absent when it is a call of a tool.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<Action>,
    /// Fresh for every attempt.
    pub attempt: Text,
    /// The call, as its caller was told.
    pub call_id: Text,
    /// Digest of the definition in force; absent when the catalog has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub declaration: Option<Sha256Digest>,
    /// The call on whose behalf a server asks for this; absent when it is nobody's in particular,
    /// and when a client asks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent: Option<Text>,
    /// Ids of the deciding policies.
    #[serde(default, skip_serializing_if = "Texts::is_empty")]
    pub policies: Texts,
    /// Hash of the policy bundle in force.
    pub policy: Sha256Digest,
    /// Protocol revision spoken with the caller.
    pub protocol: Text,
    /// Salted commitment to the arguments as received, or to whatever else was asked with.
    pub request: Sha256Digest,
    /// The attempt this one repeats.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_of: Option<Text>,
    /// The caller's JSON-RPC id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rpc_id: Option<RpcId>,
    /// The session's sensitivity before the call.
    pub sensitivity_before: Text,
    /// The server the call goes to or comes from; absent when the catalog does not tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server: Option<Server>,
    /// What it is about, as it was named: the tool or prompt, the URI of the resource, or the server.
    pub tool: Text,
}

/// A call is about to be dispatched.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Intent {
    /// The call.
    #[serde(flatten)]
    pub call: Call,
}

/// What became of a call.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Outcome {
    /// The call.
    #[serde(flatten)]
    pub call: Call,
    /// Annotations of the matched policies.
    #[serde(default, skip_serializing_if = "Advice::is_empty")]
    pub advice: Advice,
    /// Why there is no plain result.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<Text>,
    /// Compliance domain of what the call is about; `unknown` when it is not in the catalog.
    pub compliance_domain: Text,
    /// Sensitivity of this call's data: the catalog's, raised by what the caller declared;
    /// `unknown` when what it is about is not in the catalog.
    pub data_class: Text,
    /// What inspection found in the response.
    #[serde(default, skip_serializing_if = "Findings::is_empty")]
    pub findings: Findings,
    /// Sequence number of the intent, if one was written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub intent_seq: Option<Count>,
    /// Labels that inspection gave the response.
    #[serde(default, skip_serializing_if = "Texts::is_empty")]
    pub labels: Texts,
    /// From the request's arrival to the decision about the reply.
    pub latency_us: Count,
    /// Paths taken out of the response.
    #[serde(default, skip_serializing_if = "Texts::is_empty")]
    pub redactions: Texts,
    /// Plain digest of the arguments, only where the older format is wanted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_plain: Option<Sha256Digest>,
    /// Salted commitment to the response as received.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response: Option<Sha256Digest>,
    /// Plain digest of the response text, only where the older format is wanted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response_plain: Option<Sha256Digest>,
    /// What is known of the upstream's side.
    pub result: CallResult,
    /// The session's sensitivity after the call.
    pub sensitivity_after: Text,
    /// The caller's own name for the session; without meaning to us.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_label: Option<Text>,
    /// What became of the call.
    pub verdict: Verdict,
    /// The workflow the caller declared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workflow_id: Option<Text>,
    /// The mode in force let a denied call pass.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub would_have_denied: bool,
}

/// What is known of the upstream's side of a call. A time-out never proves that nothing ran.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum CallResult {
    /// Nothing was sent.
    NotDispatched,
    /// Something may have been sent; nobody knows what it did.
    OutcomeUnknown,
    /// The upstream answered.
    Response,
    /// The upstream could not be reached.
    TransportFailure,
}

impl CallResult {
    /// The word in the log.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotDispatched => "not-dispatched",
            Self::OutcomeUnknown => "outcome-unknown",
            Self::Response => "response",
            Self::TransportFailure => "transport-failure",
        }
    }
}

/// A server, as observed.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Server {
    /// URL or command.
    pub endpoint: Text,
    /// How it is known to be the approved one.
    pub evidence_class: EvidenceClass,
    /// Its name in the catalog.
    pub name: Text,
}

/// How a server is known to be the approved one.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum EvidenceClass {
    /// By the digest of its definitions only.
    HashOnly,
    /// Its executable was measured before it ran.
    SpawnMeasured,
    /// It was spawned without measurement.
    SpawnUnmeasured,
    /// By its TLS certificate or key.
    TlsPinned,
}

impl EvidenceClass {
    /// The word in the log.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::HashOnly => "hash-only",
            Self::SpawnMeasured => "spawn-measured",
            Self::SpawnUnmeasured => "spawn-unmeasured",
            Self::TlsPinned => "tls-pinned",
        }
    }
}

/// A JSON-RPC id with its type kept.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(untagged)]
pub enum RpcId {
    /// A number every reader takes alike.
    Integer(i64),
    /// A string.
    String(Text),
    /// Any other number, as it was spelled.
    Spelled {
        /// The spelling.
        number: Text,
    },
}

impl RpcId {
    /// The id in a request; `None` for what is no id.
    #[must_use]
    pub fn new(id: &Value) -> Option<Self> {
        match id {
            Value::Number(number) => Some(match number.as_i64() {
                Some(integer)
                    if integer.unsigned_abs() <= Count::MAX
                        && number.as_str() == integer.to_string() =>
                {
                    Self::Integer(integer)
                }
                Some(_) | None => Self::Spelled {
                    number: Text::new(number.as_str()),
                },
            }),
            Value::String(text) => Some(Self::String(Text::new(text))),
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
        }
    }
}

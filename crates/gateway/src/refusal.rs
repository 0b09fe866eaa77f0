//! Why a call produced no result. Each variant has one code in the log; what the caller hears is
//! [`crate::reply`]'s business, and may be less.

mod code;

use std::collections::BTreeMap;

use cmcp_json::Object;
use cmcp_mcp::upstream::UpstreamError;
use cmcp_policy::decide::Escalation;
use cmcp_record::{audit::CallResult, verdict::Verdict};

use crate::{
    call::Unanswered,
    ledger::LedgerError,
    limits::{Limited, What},
    oauth::Insufficient,
    sessions::Full,
    upstream::Drift,
};

pub(crate) use code::Code;

/// Any reason a call produced no result.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum Refusal {
    /// The arguments do not fit the approved input schema.
    #[error("arguments do not fit the approved input schema: {0}")]
    Arguments(String),
    /// The caller went away.
    #[error("the caller went away")]
    Cancelled {
        /// Whether the call had been dispatched, so that it may have run.
        sent: bool,
    },
    /// Policy said no, before dispatch.
    #[error("denied by policy")]
    Denied(Denial),
    /// The upstream no longer offers what was approved.
    #[error("the upstream's definition differs from the approved one: {0}")]
    Drift(Box<Drift>),
    /// Policy said no to the response.
    #[error("the response was denied by policy")]
    Egress(Denial),
    /// The caller claimed an execution id, which only a verified manifest may give.
    #[error("`_cmcp.execution_id` is not accepted from a caller")]
    ExecutionId,
    /// Something in the gateway itself failed.
    #[error("internal fault: {0}")]
    Fault(&'static str),
    /// The principal may never call this tool; answered as if it did not exist.
    #[error("the principal may never have this")]
    Hidden,
    /// The upstream wants something of the client first, and does not get it.
    #[error("the upstream needs input from the client: {0}")]
    Input(Box<Unanswered>),
    /// An operator has blocked the principal.
    #[error("the principal is blocked by the kill switch")]
    Killed(Box<Killed>),
    /// The log could not take the entry that has to exist before the call may proceed.
    #[error("the audit log cannot be written: {0}")]
    Ledger(LedgerError),
    /// A limit on calls was met.
    #[error("{0}")]
    Limited(Limited),
    /// The structured response does not fit the approved output schema.
    #[error("the response does not fit the approved output schema: {0}")]
    OutputSchema(String),
    /// The key that signed the policy in force was revoked.
    #[error("the policy in force is signed by a revoked key")]
    PolicyRevoked,
    /// The response is larger than the cap.
    #[error("the response is larger than {limit} bytes")]
    ResponseTooLarge {
        /// The cap in force, in bytes.
        limit: usize,
    },
    /// The caller's token gives too little for this.
    #[error("the token gives too little: {} are needed", .0.scopes.join(" "))]
    Scope(Box<Insufficient>),
    /// A configured sink limit is below the data's sensitivity.
    #[error("sink policy: {0}")]
    Sink(String),
    /// The evidence is past its validity.
    #[error("attestation evidence is stale")]
    Stale,
    /// Too many sessions are open.
    #[error("too many open sessions; close some, or use fewer names for them")]
    TooManySessions(Full),
    /// The upstream would not list its tools, so nothing could be compared.
    #[error("the upstream's definitions could not be checked: {0}")]
    Unchecked(String),
    /// No such tool in the catalog.
    #[error("nothing of that name is in the catalog")]
    UnknownTool,
    /// The upstream could not be reached, or broke off.
    #[error("upstream: {0}")]
    Upstream(UpstreamError),
}

/// What a blocked principal is shown.
#[derive(Clone, Debug)]
pub(crate) struct Killed {
    /// The principal.
    pub(crate) agent: String,
    /// The signed receipt of this refusal.
    pub(crate) receipt: Object,
}

/// A policy's no.
#[derive(Clone, Debug, Default)]
pub(crate) struct Denial {
    /// Ids of the deciding policies; empty when nothing permitted.
    pub(crate) policies: Vec<String>,
    /// Annotations of the matched policies, safe to show.
    pub(crate) advice: BTreeMap<String, String>,
    /// A person or a later time could still say yes.
    pub(crate) escalation: Option<Escalation>,
    /// Policies whose evaluation failed, which denies.
    pub(crate) errors: Vec<String>,
}

impl Refusal {
    /// An upstream that gave no answer.
    pub(crate) fn of_upstream(error: UpstreamError) -> Self {
        if let UpstreamError::TooLarge { limit } = error {
            return Self::ResponseTooLarge { limit };
        }
        Self::Upstream(error)
    }

    /// The code in log and metrics.
    pub(crate) fn code(&self) -> Code {
        match self {
            Self::Arguments(_) => Code::ArgumentsInvalid,
            Self::Cancelled { .. } => Code::Cancelled,
            Self::Denied(denial) if !denial.errors.is_empty() => Code::PolicyError,
            Self::Denied(_) => Code::PolicyDeny,
            Self::Drift(_) => Code::CatalogDrift,
            Self::Egress(_) => Code::EgressDenied,
            Self::ExecutionId => Code::ExecutionIdRefused,
            Self::Fault(_) => Code::Fault,
            Self::Hidden => Code::ToolHidden,
            Self::Input(_) => Code::InputRequired,
            Self::Killed(_) => Code::KillSwitch,
            Self::Ledger(_) => Code::AuditUnavailable,
            Self::Limited(limited) => match limited.what {
                What::Capacity => Code::GatewayBusy,
                What::Concurrent | What::Rate => Code::RateLimited,
                What::Day | What::Session => Code::BudgetExhausted,
            },
            Self::OutputSchema(_) => Code::OutputSchema,
            Self::PolicyRevoked => Code::PolicyKeyRevoked,
            Self::ResponseTooLarge { .. } => Code::ResponseSize,
            Self::Scope(_) => Code::InsufficientScope,
            Self::Sink(_) => Code::SinkPolicy,
            Self::Stale => Code::AttestationStale,
            Self::TooManySessions(_) => Code::SessionLimit,
            Self::Unchecked(_) => Code::CatalogUnchecked,
            Self::UnknownTool => Code::CatalogMiss,
            Self::Upstream(error) => upstream_code(error),
        }
    }

    /// Whether nothing of that name is there, as far as this caller is told.
    pub(crate) fn is_absence(&self) -> bool {
        matches!(self, Self::UnknownTool | Self::Hidden)
    }

    /// The audited word.
    pub(crate) fn verdict(&self) -> Verdict {
        match self {
            Self::Denied(denial) | Self::Egress(denial) => match denial.escalation {
                Some(Escalation::StepUp) => Verdict::StepUp,
                Some(Escalation::Defer) => Verdict::Defer,
                None => Verdict::Deny,
            },
            Self::Scope(_) => Verdict::StepUp,
            Self::Arguments(_)
            | Self::Drift(_)
            | Self::ExecutionId
            | Self::Hidden
            | Self::Input(_)
            | Self::Killed(_)
            | Self::Limited(_)
            | Self::OutputSchema(_)
            | Self::PolicyRevoked
            | Self::ResponseTooLarge { .. }
            | Self::Sink(_)
            | Self::Stale
            | Self::TooManySessions(_)
            | Self::Unchecked(_)
            | Self::UnknownTool => Verdict::Deny,
            Self::Cancelled { .. } | Self::Fault(_) | Self::Ledger(_) | Self::Upstream(_) => {
                Verdict::Fault
            }
        }
    }

    /// What is known of the upstream's side when this refusal ends the call.
    pub(crate) fn result(&self) -> CallResult {
        match self {
            Self::Egress(_)
            | Self::Input(_)
            | Self::OutputSchema(_)
            | Self::ResponseTooLarge { .. } => CallResult::Response,
            Self::Cancelled { sent: true } => CallResult::OutcomeUnknown,
            Self::Upstream(error) if error.sent() => CallResult::OutcomeUnknown,
            Self::Upstream(_) => CallResult::TransportFailure,
            Self::Arguments(_)
            | Self::Cancelled { sent: false }
            | Self::Denied(_)
            | Self::Drift(_)
            | Self::ExecutionId
            | Self::Fault(_)
            | Self::Hidden
            | Self::Killed(_)
            | Self::Ledger(_)
            | Self::Limited(_)
            | Self::PolicyRevoked
            | Self::Scope(_)
            | Self::Sink(_)
            | Self::Stale
            | Self::TooManySessions(_)
            | Self::Unchecked(_)
            | Self::UnknownTool => CallResult::NotDispatched,
        }
    }

    /// The policy's no, where one stands behind this refusal.
    pub(crate) fn denial(&self) -> Option<&Denial> {
        match self {
            Self::Denied(denial) | Self::Egress(denial) => Some(denial),
            Self::Input(unanswered) => unanswered.denial(),
            Self::Scope(insufficient) => insufficient.denial.as_ref(),
            Self::Arguments(_)
            | Self::Cancelled { .. }
            | Self::Drift(_)
            | Self::ExecutionId
            | Self::Fault(_)
            | Self::Hidden
            | Self::Killed(_)
            | Self::Ledger(_)
            | Self::Limited(_)
            | Self::OutputSchema(_)
            | Self::PolicyRevoked
            | Self::ResponseTooLarge { .. }
            | Self::Sink(_)
            | Self::Stale
            | Self::TooManySessions(_)
            | Self::Unchecked(_)
            | Self::UnknownTool
            | Self::Upstream(_) => None,
        }
    }
}

impl From<Limited> for Refusal {
    fn from(limited: Limited) -> Self {
        Self::Limited(limited)
    }
}

impl From<LedgerError> for Refusal {
    fn from(error: LedgerError) -> Self {
        Self::Ledger(error)
    }
}

fn upstream_code(error: &UpstreamError) -> Code {
    match error {
        UpstreamError::BackOff { .. } => Code::UpstreamBackOff,
        UpstreamError::Closed => Code::UpstreamClosed,
        UpstreamError::Connect { .. } => Code::UpstreamConnect,
        UpstreamError::Lost { .. } => Code::UpstreamLost,
        UpstreamError::Negotiation(_) | UpstreamError::NoCommonVersion { .. } => {
            Code::UpstreamNegotiation
        }
        UpstreamError::Overloaded { .. } => Code::UpstreamOverloaded,
        UpstreamError::Protocol(_) => Code::UpstreamProtocol,
        UpstreamError::Rpc { .. } => Code::UpstreamRpc,
        UpstreamError::Spawn(_) => Code::UpstreamSpawn,
        UpstreamError::Meta => Code::UpstreamMeta,
        UpstreamError::Stale => Code::UpstreamStale,
        UpstreamError::Status { .. } => Code::UpstreamStatus,
        UpstreamError::Timeout { .. } => Code::UpstreamTimeout,
        UpstreamError::TooLarge { .. } => Code::ResponseSize,
        UpstreamError::WrongId { .. } => Code::UpstreamWrongId,
    }
}

//! The words under which log, metrics and reference know how a call ended without a result.

/// How a call ended without a result. The words are frozen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Code {
    ArgumentsInvalid,
    AttestationStale,
    AuditUnavailable,
    BudgetExhausted,
    Cancelled,
    CatalogDrift,
    CatalogMiss,
    CatalogUnchecked,
    EgressDenied,
    ExecutionIdRefused,
    Fault,
    GatewayBusy,
    InputRequired,
    InsufficientScope,
    KillSwitch,
    OutputSchema,
    PolicyDeny,
    PolicyError,
    PolicyKeyRevoked,
    RateLimited,
    ResponseSize,
    SessionLimit,
    SinkPolicy,
    ToolHidden,
    UpstreamBackOff,
    UpstreamClosed,
    UpstreamConnect,
    UpstreamLost,
    UpstreamMeta,
    UpstreamNegotiation,
    UpstreamOverloaded,
    UpstreamProtocol,
    UpstreamRpc,
    UpstreamSpawn,
    UpstreamStale,
    UpstreamStatus,
    UpstreamTimeout,
    UpstreamWrongId,
}

impl Code {
    /// Every code.
    pub(crate) const ALL: [Self; 38] = [
        Self::ArgumentsInvalid,
        Self::AttestationStale,
        Self::AuditUnavailable,
        Self::BudgetExhausted,
        Self::Cancelled,
        Self::CatalogDrift,
        Self::CatalogMiss,
        Self::CatalogUnchecked,
        Self::EgressDenied,
        Self::ExecutionIdRefused,
        Self::Fault,
        Self::GatewayBusy,
        Self::InputRequired,
        Self::InsufficientScope,
        Self::KillSwitch,
        Self::OutputSchema,
        Self::PolicyDeny,
        Self::PolicyError,
        Self::PolicyKeyRevoked,
        Self::RateLimited,
        Self::ResponseSize,
        Self::SessionLimit,
        Self::SinkPolicy,
        Self::ToolHidden,
        Self::UpstreamBackOff,
        Self::UpstreamClosed,
        Self::UpstreamConnect,
        Self::UpstreamLost,
        Self::UpstreamMeta,
        Self::UpstreamNegotiation,
        Self::UpstreamOverloaded,
        Self::UpstreamProtocol,
        Self::UpstreamRpc,
        Self::UpstreamSpawn,
        Self::UpstreamStale,
        Self::UpstreamStatus,
        Self::UpstreamTimeout,
        Self::UpstreamWrongId,
    ];

    /// The word in log and metrics.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::ArgumentsInvalid => "arguments_invalid",
            Self::AttestationStale => "attestation_stale",
            Self::AuditUnavailable => "audit_unavailable",
            Self::BudgetExhausted => "budget_exhausted",
            Self::Cancelled => "cancelled",
            Self::CatalogDrift => "catalog_drift",
            Self::CatalogMiss => "catalog_miss",
            Self::CatalogUnchecked => "catalog_unchecked",
            Self::EgressDenied => "egress_denied",
            Self::ExecutionIdRefused => "execution_id_refused",
            Self::Fault => "fault",
            Self::GatewayBusy => "gateway_busy",
            Self::InputRequired => "input_required_refused",
            Self::InsufficientScope => "insufficient_scope",
            Self::KillSwitch => "kill_switch",
            Self::OutputSchema => "output_schema_violation",
            Self::PolicyDeny => "policy_deny",
            Self::PolicyError => "policy_error",
            Self::PolicyKeyRevoked => "policy_key_revoked",
            Self::RateLimited => "rate_limited",
            Self::ResponseSize => "response_size_exceeded",
            Self::SessionLimit => "session_limit",
            Self::SinkPolicy => "sink_policy",
            Self::ToolHidden => "tool_hidden",
            Self::UpstreamBackOff => "upstream:back_off",
            Self::UpstreamClosed => "upstream:closed",
            Self::UpstreamConnect => "upstream:connect",
            Self::UpstreamLost => "upstream_lost",
            Self::UpstreamMeta => "upstream:meta",
            Self::UpstreamNegotiation => "upstream:negotiation",
            Self::UpstreamOverloaded => "upstream:overloaded",
            Self::UpstreamProtocol => "upstream:protocol",
            Self::UpstreamRpc => "upstream:rpc",
            Self::UpstreamSpawn => "upstream:spawn",
            Self::UpstreamStale => "upstream:stale",
            Self::UpstreamStatus => "upstream:status",
            Self::UpstreamTimeout => "upstream_timeout",
            Self::UpstreamWrongId => "upstream:wrong_id",
        }
    }

    /// What it means, for the reference.
    #[expect(clippy::too_many_lines, reason = "one sentence for each code")]
    pub(crate) fn meaning(self) -> &'static str {
        match self {
            Self::ArgumentsInvalid => "the arguments do not fit the approved input schema",
            Self::AttestationStale => {
                "the gateway's evidence is past its validity, and `staleness_policy` refuses calls"
            }
            Self::AuditUnavailable => "the log could not take an entry that the call needs",
            Self::BudgetExhausted => {
                "the calls that `limits` allows in a day or in a session are used up"
            }
            Self::Cancelled => "the caller went away, or the session was closed over the call",
            Self::CatalogDrift => "the server offers something else than what was approved",
            Self::CatalogMiss => "no tool of the catalog has that name",
            Self::CatalogUnchecked => {
                "the server did not list its tools, so nothing could be compared"
            }
            Self::EgressDenied => "policy denied the response",
            Self::ExecutionIdRefused => "the caller claimed an execution id, which no caller may",
            Self::Fault => "something in the gateway itself failed",
            Self::GatewayBusy => {
                "as much is in flight as `limits` allows; nothing was wrong with the call"
            }
            Self::InputRequired => {
                "the server asked the caller for input, which is not let through"
            }
            Self::InsufficientScope => {
                "the caller's token gives too little for this call; HTTP 403 for everybody, with all scopes it needs in `WWW-Authenticate`"
            }
            Self::KillSwitch => "the operator has blocked the principal",
            Self::OutputSchema => "the structured response does not fit the approved output schema",
            Self::PolicyDeny => "policy denied the call",
            Self::PolicyError => "a policy could not be evaluated, which denies",
            Self::PolicyKeyRevoked => {
                "the policy in force is signed by a revoked key, so nothing may be decided by it"
            }
            Self::RateLimited => {
                "calls came faster, or more at once, than `limits` allows; `retry_after` says when to come back"
            }
            Self::ResponseSize => "the response is larger than `max_response_size_bytes`",
            Self::SessionLimit => "too many sessions are open",
            Self::SinkPolicy => "a limit of `sink_policy` is below the data's sensitivity",
            Self::ToolHidden => {
                "no call of this tool by this principal could ever be permitted; answered as an unknown tool"
            }
            Self::UpstreamBackOff => {
                "the server's process ended too often and is started again later"
            }
            Self::UpstreamClosed => "the connection to the server has been closed",
            Self::UpstreamConnect => "no connection to the server came about",
            Self::UpstreamLost => "the server went away before it had answered",
            Self::UpstreamMeta => "the call's `_meta` cannot be sent on",
            Self::UpstreamNegotiation => {
                "server and gateway found no common revision of the protocol"
            }
            Self::UpstreamOverloaded => "too many requests are waiting for the server",
            Self::UpstreamProtocol => "the server broke the protocol",
            Self::UpstreamRpc => "the server answered something else than the call with an error",
            Self::UpstreamSpawn => "the server's process was not started",
            Self::UpstreamStale => "the server changed again and again while it was compared",
            Self::UpstreamStatus => "the server answered with an HTTP status that is no answer",
            Self::UpstreamTimeout => "the server did not answer in time",
            Self::UpstreamWrongId => "the server's answer carries another request's id",
        }
    }
}

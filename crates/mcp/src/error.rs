//! JSON-RPC error codes: the specification's, and ours outside the range it reserves.

/// Why a request was answered with an error, as the number on the wire.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Code {
    /// -32700: the body is not one strict JSON text.
    ParseError,
    /// -32600: JSON, but not a JSON-RPC request that can be served here.
    InvalidRequest,
    /// -32601: no such method here.
    MethodNotFound,
    /// -32602: parameters, required `_meta` members, or an unknown tool.
    InvalidParams,
    /// -32603: a fault of ours.
    Internal,
    /// -32002: no such resource, in the words of the legacy era.
    ResourceNotFound,
    /// -32020: a mirrored header is missing or differs from the body.
    HeaderMismatch,
    /// -32021: the client did not declare a capability that the request needs.
    MissingClientCapability,
    /// -32022: a protocol revision that is not served.
    UnsupportedVersion,
    /// -32000: what the 0.7.1 dialect answers for every refusal of a call.
    Compat,
    /// Policy, a sink rule or response inspection refused the call.
    PolicyDenied,
    /// The upstream could not be reached, broke off, or took too long.
    UpstreamUnavailable,
    /// The upstream answered with something that cannot be passed on.
    UpstreamFailed,
    /// The gateway's own evidence is older than its validity.
    AttestationStale,
    /// The tool no longer equals its approved definition.
    CatalogDrift,
    /// The caller's identity is blocked.
    KillSwitchTripped,
    /// A quota of the caller is used up.
    RateLimited,
    /// The transport session is unknown, ended, or somebody else's.
    SessionNotFound,
    /// `Host` or `Origin` names a site that is not allowed here.
    SiteNotAllowed,
    /// The gateway at the other end of a bridge gave no usable answer.
    GatewayUnreachable,
}

impl Code {
    /// The number on the wire.
    #[must_use]
    pub fn value(self) -> i64 {
        match self {
            Self::ParseError => -32700,
            Self::InvalidRequest => -32600,
            Self::MethodNotFound => -32601,
            Self::InvalidParams => -32602,
            Self::Internal => -32603,
            Self::ResourceNotFound => -32002,
            Self::HeaderMismatch => -32020,
            Self::MissingClientCapability => -32021,
            Self::UnsupportedVersion => -32022,
            Self::Compat => -32000,
            Self::PolicyDenied => -31001,
            Self::UpstreamUnavailable => -31002,
            Self::UpstreamFailed => -31003,
            Self::AttestationStale => -31004,
            Self::CatalogDrift => -31005,
            Self::KillSwitchTripped => -31006,
            Self::RateLimited => -31007,
            Self::SessionNotFound => -31008,
            Self::SiteNotAllowed => -31009,
            Self::GatewayUnreachable => -31010,
        }
    }

    /// Every code there is.
    pub const ALL: [Self; 20] = [
        Self::ParseError,
        Self::InvalidRequest,
        Self::MethodNotFound,
        Self::InvalidParams,
        Self::Internal,
        Self::ResourceNotFound,
        Self::HeaderMismatch,
        Self::MissingClientCapability,
        Self::UnsupportedVersion,
        Self::Compat,
        Self::PolicyDenied,
        Self::UpstreamUnavailable,
        Self::UpstreamFailed,
        Self::AttestationStale,
        Self::CatalogDrift,
        Self::KillSwitchTripped,
        Self::RateLimited,
        Self::SessionNotFound,
        Self::SiteNotAllowed,
        Self::GatewayUnreachable,
    ];
}

#[cfg(test)]
mod tests;

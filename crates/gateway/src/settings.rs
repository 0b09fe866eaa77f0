//! What the binary's configuration becomes before any of it reaches the gateway: types that cannot
//! be wrong. Nothing here reads a file or the environment.

use std::{
    collections::BTreeMap, fmt, net::SocketAddr, path::PathBuf, str::FromStr, sync::Arc,
    time::Duration,
};

use cmcp_evidence::Sha256Digest;
use cmcp_mcp::child::Launcher;
use cmcp_policy::{Compat, engine::Principal, mode::Mode, path::JsonPath, sensitivity::Vocabulary};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::limits::LimitSettings;

use crate::oauth::{Oauth, Source};

/// Everything the gateway is told, parsed.
#[derive(Debug)]
pub struct Settings {
    /// Where it listens, and who may come.
    pub listen: Listen,
    /// Which `Host` and `Origin` headers are accepted.
    pub hosts: Hosts,
    /// Named principals and the hashes of their tokens.
    pub principals: Vec<PrincipalEntry>,
    /// The operator's credential; without one the operator routes answer 404.
    pub operator: Option<TokenHash>,
    /// What happens to a call that policy denies.
    pub mode: Mode,
    /// Whether the Python cMCP's quirks are wanted.
    pub compat: Compat,
    /// Ranks of sensitivity labels, built-in and configured.
    pub vocabulary: Vocabulary,
    /// Names of configured compliance domains that are regulated.
    pub regulated_domains: Vec<String>,
    /// One trust record per session, or one per call besides.
    pub record_per: RecordPer,
    /// The database that holds log and records.
    pub database: PathBuf,
    /// Cap on one upstream response, enforced while reading.
    pub max_response_bytes: usize,
    /// How long an upstream may take for one call.
    pub upstream_timeout: Duration,
    /// A session without calls for this long is closed.
    pub session_idle_timeout: Duration,
    /// How long closing a session waits for its calls in flight.
    pub session_drain: Duration,
    /// What a changed tool definition does.
    pub drift_policy: DriftPolicy,
    /// What evidence older than `validity` does.
    pub staleness_policy: StalenessPolicy,
    /// How long collected evidence counts as fresh.
    pub validity: Duration,
    /// Highest sensitivity per sink, if configured.
    pub sink_policy: Option<SinkPolicy>,
    /// Rates and budgets of calls.
    pub limits: LimitSettings,
    /// Redaction paths that apply to every tool.
    pub redact: Vec<JsonPath>,
    /// Trust domain of the record's subject.
    pub trust_domain: String,
    /// How children are started: this binary's supervising command.
    pub launcher: Launcher,
    /// Whether servers may be started of which no file is measured.
    pub spawning: Spawning,
    /// Host names, in lower case, that may resolve to addresses of private networks.
    pub private_hosts: Vec<String>,
    /// Issuers whose tokens let callers in, beside the tokens of `principals`.
    pub oauth: Option<Arc<Oauth>>,
    /// What is shown to servers over HTTP, by their names in the catalog.
    pub credentials: BTreeMap<String, UpstreamCredential>,
    /// Values of the environment variables that the catalog lets through to children.
    pub child_environment: BTreeMap<String, Secret>,
    /// SHA-256 over the canonical effective configuration, secrets left out.
    pub config_digest: Sha256Digest,
    /// SHA-256 of the running executable.
    pub binary_digest: Sha256Digest,
}

impl Settings {
    /// The principals that policy knows of: those that are configured, and those that stand for the
    /// principals of each issuer.
    #[must_use]
    pub fn known_principals(&self) -> Vec<Principal> {
        let own = self.principals.iter().map(|entry| entry.principal.clone());
        let families = self.oauth.iter().flat_map(|oauth| oauth.families());
        own.chain(families).collect()
    }
}

/// What is shown to one server.
#[derive(Clone, Debug)]
pub struct UpstreamCredential {
    /// The URL it is for: another server of that name gets nothing.
    pub url: String,
    /// Where it comes from.
    pub source: Arc<Source>,
}

/// Who may call the gateway, and from where.
#[derive(Clone, Debug)]
pub enum Listen {
    /// Every request carries a token: the shared one, or a principal's.
    Authenticated {
        /// Address to bind.
        addr: SocketAddr,
        /// The shared token's hash; its bearer is `Agent::"anonymous"`.
        shared: Option<TokenHash>,
    },
    /// Loopback only; no token, everybody is `Agent::"anonymous"`.
    Local {
        /// Address to bind; always loopback.
        addr: SocketAddr,
    },
}

impl Listen {
    /// Whether callers without a name of their own are let in.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        match self {
            Self::Authenticated { shared, .. } => shared.is_some(),
            Self::Local { .. } => true,
        }
    }

    /// The address to bind.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        match self {
            Self::Authenticated { addr, .. } | Self::Local { addr } => *addr,
        }
    }
}

/// `Host` and `Origin` values accepted besides those of the listening address.
#[derive(Clone, Debug, Default)]
pub struct Hosts {
    /// Host names, with or without a port.
    pub hosts: Vec<String>,
    /// Whole origins (`https://app.example`).
    pub origins: Vec<String>,
}

/// One configured caller.
#[derive(Clone, Debug)]
pub struct PrincipalEntry {
    /// Name and attributes, as Cedar sees them.
    pub principal: Principal,
    /// SHA-256 of its bearer token.
    pub token: TokenHash,
}

/// SHA-256 of a bearer token. Tokens themselves are not kept.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TokenHash([u8; 32]);

impl TokenHash {
    /// The hash of a token.
    #[must_use]
    pub fn of(token: &[u8]) -> Self {
        Self(*Sha256Digest::of(token).as_bytes())
    }

    /// Whether `token` hashes to this, in constant time.
    #[must_use]
    pub fn matches(&self, token: &[u8]) -> bool {
        self.is(&Sha256Digest::of(token))
    }

    /// Whether this is the hash of a token that hashes to `digest`, in constant time.
    #[must_use]
    pub fn is(&self, digest: &Sha256Digest) -> bool {
        self.0.ct_eq(digest.as_bytes()).into()
    }
}

impl FromStr for TokenHash {
    type Err = ();

    /// Reads `sha256:<hex>` or the bare hexadecimal digits.
    fn from_str(text: &str) -> Result<Self, ()> {
        let text = if text.starts_with("sha256:") {
            text.to_owned()
        } else {
            format!("sha256:{text}")
        };
        text.parse::<Sha256Digest>()
            .map(|digest| Self(*digest.as_bytes()))
            .map_err(|_| ())
    }
}

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenHash(..)")
    }
}

/// A value that is wiped on drop and never printed.
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes the value over.
    #[must_use]
    pub fn new(value: String) -> Self {
        Self(Zeroizing::new(value))
    }

    /// Opens it, where it is spent.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// How often a trust record is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordPer {
    /// One for every call, and one when the session closes.
    Call,
    /// One when the session closes.
    Session,
}

impl RecordPer {
    /// The configuration's word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Call => "call",
            Self::Session => "session",
        }
    }
}

/// What a changed tool definition does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DriftPolicy {
    /// The changed tool is refused until it is approved again.
    FailClosed,
    /// The call proceeds; log and record say so.
    WarnOnly,
}

/// What evidence past its validity does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StalenessPolicy {
    /// Calls are refused until evidence is renewed.
    FailClosed,
    /// Calls proceed; log and record say so.
    WarnOnly,
}

/// The highest sensitivity that may enter a tool, and that its response may bring.
#[derive(Clone, Debug)]
pub struct SinkPolicy {
    /// Tool name → label of the session that may still call it. A tool not named is refused.
    pub tool_max: BTreeMap<String, String>,
    /// Tool name → label of a response that may still return.
    pub response_max: BTreeMap<String, String>,
}

/// Which child processes may be started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spawning {
    /// Only those whose files the catalog pins.
    MeasuredOnly,
    /// Others too; log and record call them `spawn-unmeasured`.
    UnmeasuredToo,
}

//! The keys of the configuration: one table from which the reader, the JSON Schema and the
//! reference in `docs/` are all made.

mod limits;

use crate::config::{
    key::{Default, Key, Kind, Origin, Status, Word},
    shape::{Need, Part, Shape},
};

pub(crate) use limits::{
    LIMITS_BYTES, LIMITS_DEFAULT, LIMITS_IN_FLIGHT, LIMITS_PRINCIPALS, LIMITS_TOOLS, LIMITS_WAITING,
};

const fn word(text: &'static str) -> Word {
    Word {
        text,
        status: Status::Available,
    }
}

const fn later(text: &'static str) -> Word {
    Word {
        text,
        status: Status::Later(NO_HARDWARE),
    }
}

const NO_HARDWARE: &str = "use `auto` or `software-only`, with software evidence asked for";
const AVAILABLE: Origin = Origin::Inherited(Status::Available);
const YEAR: i64 = 31_536_000;

pub(crate) const PROVIDER: Key = Key {
    path: "attestation.provider",
    kind: Kind::Choice(&[
        word("auto"),
        later("azure-cvm"),
        later("opaque"),
        later("sev-snp"),
        word("software-only"),
        later("tdx"),
        later("tpm"),
    ]),
    default: Default::Text("auto"),
    origin: AVAILABLE,
    doc: "Where evidence comes from. `auto` never falls back to software by itself: software evidence is used in development mode (`CMCP_DEV_MODE=1`) or with `danger_software_evidence: true`. This version has no hardware provider; the other words are refused.",
};

pub(crate) const ENFORCEMENT_MODE: Key = Key {
    path: "attestation.enforcement_mode",
    kind: Kind::Choice(&[word("advisory"), word("enforcing"), word("silent")]),
    default: Default::Text("enforcing"),
    origin: AVAILABLE,
    doc: "What becomes of a call that policy denies. `enforcing` refuses it; `advisory` lets it pass and records `would_have_denied`; `silent` does the same without a log line or a hint to the caller. The trust record states the mode. `cmcp start --enforcement` overrides it.",
};

pub(crate) const VALIDITY_SECONDS: Key = Key {
    path: "attestation.validity_seconds",
    kind: Kind::Integer(1, YEAR),
    default: Default::Integer(86_400),
    origin: AVAILABLE,
    doc: "How long evidence counts as fresh. It is renewed before it ends.",
};

pub(crate) const STALENESS_POLICY: Key = Key {
    path: "attestation.staleness_policy",
    kind: Kind::Choice(&[word("fail_closed"), word("warn_only")]),
    default: Default::Text("fail_closed"),
    origin: AVAILABLE,
    doc: "What evidence past its validity does: `fail_closed` refuses calls until it is renewed, `warn_only` lets them pass and says so in log and record.",
};

pub(crate) const EXPECTED_MEASUREMENT: Key = Key {
    path: "attestation.expected_measurement",
    kind: Kind::Text,
    default: Default::Absent,
    origin: Origin::Inherited(Status::Later(
        "remove it: software evidence measures nothing",
    )),
    doc: "The measurement the hardware must report.",
};

pub(crate) const ALLOW_UNMEASURED_SPAWN: Key = Key {
    path: "attestation.allow_unmeasured_spawn",
    kind: Kind::Bool,
    default: Default::Bool(false),
    origin: AVAILABLE,
    doc: "Start stdio servers whose catalog entry pins no digest of the executable. Each of their calls is recorded as `spawn-unmeasured`.",
};

pub(crate) const REQUIRED_PROVENANCE_KIND: Key = Key {
    path: "attestation.required_provenance_kind",
    kind: Kind::Choice(&[
        word("observer-attested"),
        word("publisher-asserted"),
        word("tee-attested"),
    ]),
    default: Default::Absent,
    origin: Origin::Inherited(Status::Later(
        "remove it, and pin servers by digest or certificate",
    )),
    doc: "The least provenance a server must have.",
};

const MANIFEST: Origin = Origin::Inherited(Status::Later(
    "remove the key, and tell callers apart by `principals`",
));

pub(crate) const MANIFEST_PATH: Key = Key {
    path: "agent_manifest.path",
    kind: Kind::Path,
    default: Default::Absent,
    origin: MANIFEST,
    doc: "A signed agent manifest.",
};

pub(crate) const MANIFEST_TRUST_ANCHOR: Key = Key {
    path: "agent_manifest.trust_anchor_path",
    kind: Kind::Path,
    default: Default::Absent,
    origin: MANIFEST,
    doc: "The key that must have signed the manifest.",
};

pub(crate) const MANIFEST_SUBJECT: Key = Key {
    path: "agent_manifest.authenticated_subject",
    kind: Kind::Text,
    default: Default::Absent,
    origin: MANIFEST,
    doc: "The subject the manifest must name.",
};

pub(crate) const MANIFEST_REVOCATIONS: Key = Key {
    path: "agent_manifest.revocation_list_path",
    kind: Kind::Path,
    default: Default::Absent,
    origin: MANIFEST,
    doc: "Revoked manifests, JSON Lines.",
};

pub(crate) const DRIFT_POLICY: Key = Key {
    path: "catalog.drift_policy",
    kind: Kind::Choice(&[word("fail_closed"), word("warn_only")]),
    default: Default::Text("fail_closed"),
    origin: AVAILABLE,
    doc: "What a tool does whose live definition is not the approved one: `fail_closed` refuses its calls until it is approved again, `warn_only` lets them pass and says so in log and record.",
};

pub(crate) const KILL_SWITCH_ENABLED: Key = Key {
    path: "kill_switch.enabled",
    kind: Kind::Bool,
    default: Default::Bool(false),
    origin: Origin::Inherited(Status::Later("set it to `false`")),
    doc: "Stop an agent whose calls are denied too often.",
};

pub(crate) const KILL_SWITCH_WINDOW: Key = Key {
    path: "kill_switch.window_seconds",
    kind: Kind::Integer(1, YEAR),
    default: Default::Integer(300),
    origin: AVAILABLE,
    doc: "Window of the kill switch; without effect while it is off.",
};

pub(crate) const KILL_SWITCH_THRESHOLD: Key = Key {
    path: "kill_switch.deny_rate_threshold",
    kind: Kind::Fraction(0.0, 1.0),
    default: Default::Fraction("0.9"),
    origin: AVAILABLE,
    doc: "Share of denied calls that trips the kill switch; without effect while it is off.",
};

pub(crate) const KILL_SWITCH_MIN_CALLS: Key = Key {
    path: "kill_switch.min_calls",
    kind: Kind::Integer(1, 1_000_000_000),
    default: Default::Integer(10),
    origin: AVAILABLE,
    doc: "Calls in the window before the kill switch may trip; without effect while it is off.",
};

pub(crate) const VOCABULARY: Key = Key {
    path: "sensitivity.vocabulary",
    kind: Kind::Ranks,
    default: Default::Empty,
    origin: AVAILABLE,
    doc: "Further sensitivity labels and their ranks, beside `public` 0, `pii` 1, `confidential` 2, and `hipaa_phi`, `mnpi`, `trade_secret` 3.",
};

pub(crate) const COMPLIANCE_DOMAINS: Key = Key {
    path: "sensitivity.compliance_domains",
    kind: Kind::Flags,
    default: Default::Empty,
    origin: AVAILABLE,
    doc: "Further compliance domains; `true` where leaving the domain is a boundary crossing. Built in are `hipaa_phi`, `pci_data`, `mnpi`, `pii` (regulated), `internal`, `external`, `public` (not).",
};

pub(crate) const POLICY_BUNDLE_PATH: Key = Key {
    path: "policy_bundle_path",
    kind: Kind::Path,
    default: Default::Text("policy/"),
    origin: AVAILABLE,
    doc: "The folder with `manifest.json`, `*.cedar` and `schema.cedarschema`. Where the key is absent and `policy/` does not exist, `policies/` is used, and the log says so.",
};

pub(crate) const CATALOG_PATH: Key = Key {
    path: "catalog_path",
    kind: Kind::Path,
    default: Default::Text("catalog.json"),
    origin: AVAILABLE,
    doc: "The approved tools.",
};

pub(crate) const AUDIT_DB_PATH: Key = Key {
    path: "audit_db_path",
    kind: Kind::Path,
    default: Default::Text("audit.db"),
    origin: AVAILABLE,
    doc: "The SQLite database that holds log, sessions and records. It has to lie on a local disk.",
};

pub(crate) const SESSION_STATE_PATH: Key = Key {
    path: "session_state_path",
    kind: Kind::Path,
    default: Default::Absent,
    origin: AVAILABLE,
    doc: "Accepted for old files. What a session has seen is kept in the database of `audit_db_path`, always; no second file is written, and start says so.",
};

pub(crate) const LISTEN_ADDR: Key = Key {
    path: "listen_addr",
    kind: Kind::Address,
    default: Default::Absent,
    origin: AVAILABLE,
    doc: "`host:port` or `[v6]:port`; port 0 takes a free one. Absent: `0.0.0.0:8443`, or `127.0.0.1:8443` in development mode without a token. Without any token only loopback is accepted, and beyond loopback plain HTTP needs `danger_plain_http`.",
};

pub(crate) const MAX_RESPONSE_SIZE: Key = Key {
    path: "max_response_size_bytes",
    kind: Kind::Integer(1, 67_108_864),
    default: Default::Integer(2_097_152),
    origin: AVAILABLE,
    doc: "Largest response of a tool, enforced while it is read.",
};

pub(crate) const POLICY_RELOAD_INTERVAL: Key = Key {
    path: "policy_reload_interval_seconds",
    kind: Kind::Integer(0, YEAR),
    default: Default::Integer(0),
    origin: AVAILABLE,
    doc: "How often a newer policy bundle is looked for; 0 never. It replaces the running one when `CMCP_POLICY_SIGNING_KEY`, which is required here, signed it and its `version` (dotted integers) is higher; otherwise the running one stays and the log says why. `CMCP_POLICY_HASH` pins the bundle of the start.",
};

pub(crate) const CONFORMANCE_PROFILE: Key = Key {
    path: "conformance_profile",
    kind: Kind::Choice(&[word("aarm")]),
    default: Default::Absent,
    origin: Origin::Inherited(Status::Later(
        "remove it: the profile needs an agent manifest",
    )),
    doc: "A named set of stricter defaults.",
};

pub(crate) const SINK_TOOLS: Key = Key {
    path: "sink_policy.tool_max_sensitivity",
    kind: Kind::Texts,
    default: Default::Absent,
    origin: AVAILABLE,
    doc: "Tool → the highest sensitivity a session may have reached for the tool to be called. A tool not named is refused, whatever the enforcement mode. Together with `response_max_sensitivity`.",
};

pub(crate) const SINK_RESPONSES: Key = Key {
    path: "sink_policy.response_max_sensitivity",
    kind: Kind::Text,
    default: Default::Absent,
    origin: AVAILABLE,
    doc: "The highest sensitivity a response may have to reach the caller. Together with `tool_max_sensitivity`.",
};

pub(crate) const COMPAT: Key = Key {
    path: "compat",
    kind: Kind::Choice(&[word("cmcp-0.7")]),
    default: Default::Absent,
    origin: Origin::Ours,
    doc: "Serve what the Python cMCP 0.7.1 serves where it differs from its own documentation: lower-cased tool names, derived Cedar actions, joined text results. Logged at start.",
};

pub(crate) const PRINCIPALS: Key = Key {
    path: "principals",
    kind: Kind::Principals,
    default: Default::Empty,
    origin: Origin::Ours,
    doc: "Named callers: `name`, `token_sha256` (SHA-256 of the bearer token, hexadecimal) and `attributes` (true or false, whole numbers, texts, lists of texts), which policy sees as `principal.…`. The holder of `CMCP_BEARER_TOKEN` is `Agent::\"anonymous\"`.",
};

pub(crate) const RECORD_PER: Key = Key {
    path: "record_per",
    kind: Kind::Choice(&[word("call"), word("session")]),
    default: Default::Text("session"),
    origin: Origin::Ours,
    doc: "`session` signs one trust record when a session closes, `call` one for every call besides.",
};

pub(crate) const REDACT: Key = Key {
    path: "redact",
    kind: Kind::List,
    default: Default::Empty,
    origin: Origin::Ours,
    doc: "JSON paths (`$.structuredContent.a[*].b`) redacted from every tool's result, beside those of catalog and policy.",
};

pub(crate) const TRUST_DOMAIN: Key = Key {
    path: "trust_domain",
    kind: Kind::Text,
    default: Default::Text("cmcp.gateway"),
    origin: Origin::Ours,
    doc: "Trust domain of the record's subject, `spiffe://<trust_domain>/…`.",
};

pub(crate) const ALLOWED_HOSTS: Key = Key {
    path: "allowed_hosts",
    kind: Kind::List,
    default: Default::Empty,
    origin: Origin::Ours,
    doc: "`Host` headers accepted besides those of the listening address: names, with or without a port.",
};

pub(crate) const ALLOWED_ORIGINS: Key = Key {
    path: "allowed_origins",
    kind: Kind::List,
    default: Default::Empty,
    origin: Origin::Ours,
    doc: "`Origin` headers accepted, as `https://app.example`. A request without one is not from a browser and passes.",
};

pub(crate) const ALLOW_PRIVATE_HOSTS: Key = Key {
    path: "upstreams.allow_private_hosts",
    kind: Kind::List,
    default: Default::Empty,
    origin: Origin::Ours,
    doc: "Host names of servers that may resolve to loopback or private addresses, each as the catalog's URL spells it, without a port. A name that is not listed has to resolve to public addresses; `localhost` and addresses themselves say where they lead and need not be listed. Link-local, multicast and metadata addresses are refused even so. The address that was checked is the one connected to.",
};

pub(crate) const UPSTREAM_TIMEOUT: Key = Key {
    path: "upstream_timeout_seconds",
    kind: Kind::Integer(1, 3_600),
    default: Default::Integer(30),
    origin: Origin::Ours,
    doc: "How long a server may take for one call.",
};

pub(crate) const SESSION_IDLE_TIMEOUT: Key = Key {
    path: "session_idle_timeout_seconds",
    kind: Kind::Integer(1, YEAR),
    default: Default::Integer(3_600),
    origin: Origin::Ours,
    doc: "A session without a call for this long is closed and its record signed.",
};

pub(crate) const SESSION_DRAIN: Key = Key {
    path: "session_close_drain_seconds",
    kind: Kind::Integer(0, 3_600),
    default: Default::Integer(30),
    origin: Origin::Ours,
    doc: "How long closing a session waits for its calls in flight. `CMCP_SESSION_CLOSE_DRAIN_SECONDS` sets the same; setting both is refused.",
};

pub(crate) const DANGER_PLAIN_HTTP: Key = Key {
    path: "danger_plain_http",
    kind: Kind::Bool,
    default: Default::Bool(false),
    origin: Origin::Ours,
    doc: "Serve plain HTTP beyond loopback. Tokens and data cross the network in the clear unless something in front does TLS.",
};

pub(crate) const DANGER_SOFTWARE_EVIDENCE: Key = Key {
    path: "danger_software_evidence",
    kind: Kind::Bool,
    default: Default::Bool(false),
    origin: Origin::Ours,
    doc: "Start with software evidence, which proves nothing about the machine. Every record says so, and `cmcp verify` answers `partially_verified` at best.",
};

const fn part(name: &'static str, need: Need, shape: Shape) -> Part {
    Part { name, need, shape }
}

pub(crate) const OAUTH_RESOURCE: Key = Key {
    path: "oauth.resource",
    kind: Kind::Text,
    default: Default::Absent,
    origin: Origin::Ours,
    doc: "The URL that clients reach this gateway by, as `https://gateway.example/mcp`: no slash at its end, no query. Tokens have to name it in `aud`, letter by letter. Its host is accepted in `Host` headers. See [authorization.md](authorization.md).",
};

pub(crate) const OAUTH_ISSUERS: Key = Key {
    path: "oauth.issuers",
    kind: Kind::Shaped(Shape::Sequence(&Shape::Members(&[
        part("issuer", Need::Required, Shape::Text),
        part("principal_prefix", Need::Required, Shape::Text),
        part("jwks_uri", Need::Optional, Shape::Text),
        part("jwks", Need::Optional, Shape::Text),
        part(
            "introspection",
            Need::Optional,
            Shape::Members(&[
                part("endpoint", Need::Required, Shape::Text),
                part("client_id", Need::Required, Shape::Text),
                part("client_secret_env", Need::Optional, Shape::Text),
                part("client_secret_file", Need::Optional, Shape::Text),
            ]),
        ),
    ]))),
    default: Default::Absent,
    origin: Origin::Ours,
    doc: "Authorization servers whose tokens let callers in, beside the tokens of `principals`. `issuer` is compared with `iss` letter by letter; the holder of a token is `Agent::\"<principal_prefix>:<claim>\"`. Keys come from the issuer's metadata, from `jwks_uri`, or from the file `jwks` and then from nowhere else. `introspection` asks the issuer about tokens that are not signed JSON; one issuer may have it.",
};

pub(crate) const OAUTH_ALGORITHMS: Key = Key {
    path: "oauth.algorithms",
    kind: Kind::List,
    default: Default::Empty,
    origin: Origin::Ours,
    doc: "Signature algorithms that are accepted; empty means `ES256`, `EdDSA`, `RS256` and `PS256`. `none` and the symmetric ones are never accepted.",
};

pub(crate) const OAUTH_SCOPES: Key = Key {
    path: "oauth.scopes_supported",
    kind: Kind::List,
    default: Default::Empty,
    origin: Origin::Ours,
    doc: "Scopes that the gateway's metadata name. Keep it short: clients ask for all of them.",
};

pub(crate) const OAUTH_REQUIRED_SCOPES: Key = Key {
    path: "oauth.required_scopes",
    kind: Kind::List,
    default: Default::Empty,
    origin: Origin::Ours,
    doc: "Scopes without which a token opens nothing.",
};

pub(crate) const OAUTH_TOOL_SCOPES: Key = Key {
    path: "oauth.tool_scopes",
    kind: Kind::Shaped(Shape::Map(&Shape::List)),
    default: Default::Absent,
    origin: Origin::Ours,
    doc: "Tool → scopes that a token needs for it, checked before policy is asked. A call that lacks one is answered with HTTP 403 and all scopes it needs. Principals with tokens of `principals` have no scopes and are not asked for any.",
};

pub(crate) const OAUTH_IMPLIED_SCOPES: Key = Key {
    path: "oauth.implied_scopes",
    kind: Kind::Shaped(Shape::Map(&Shape::List)),
    default: Default::Absent,
    origin: Origin::Ours,
    doc: "Scope → narrower scopes that it gives as well, as `tools: [\"tools:read\", \"tools:write\"]`.",
};

pub(crate) const OAUTH_PRINCIPAL_CLAIM: Key = Key {
    path: "oauth.principal_claim",
    kind: Kind::Text,
    default: Default::Text("sub"),
    origin: Origin::Ours,
    doc: "The claim that names a principal within its issuer. It has to be one that the issuer gives to nobody else, ever.",
};

pub(crate) const OAUTH_ATTRIBUTES: Key = Key {
    path: "oauth.attributes",
    kind: Kind::Shaped(Shape::Map(&Shape::Members(&[
        part("claim", Need::Required, Shape::Text),
        part(
            "type",
            Need::Optional,
            Shape::Choice(&["flag", "number", "text", "texts"]),
        ),
    ]))),
    default: Default::Absent,
    origin: Origin::Ours,
    doc: "Attribute → the claim it is taken from, which policy sees as `principal.…`: `claim` and its `type`, `text` unless said otherwise. A token without the claim gives a principal without the attribute; one in which it is something else is refused. `principal.scopes`, `principal.issuer` and `principal.client_id` are there without being asked for.",
};

pub(crate) const OAUTH_DPOP: Key = Key {
    path: "oauth.dpop",
    kind: Kind::Choice(&[word("off"), word("optional"), word("required")]),
    default: Default::Text("off"),
    origin: Origin::Ours,
    doc: "Tokens bound to a key of the caller's (RFC 9449). `off` refuses them, since nothing would check the key; `optional` takes them with a proof, and unbound tokens too; `required` takes no others.",
};

pub(crate) const OAUTH_PRIVATE_HOSTS: Key = Key {
    path: "oauth.allow_private_hosts",
    kind: Kind::List,
    default: Default::Empty,
    origin: Origin::Ours,
    doc: "Host names of issuers that may resolve to loopback or private addresses, without a port. Others have to resolve to public ones.",
};

/// Every key about issuers.
pub(crate) const OAUTH: &[Key] = &[
    OAUTH_RESOURCE,
    OAUTH_ISSUERS,
    OAUTH_ALGORITHMS,
    OAUTH_SCOPES,
    OAUTH_REQUIRED_SCOPES,
    OAUTH_TOOL_SCOPES,
    OAUTH_IMPLIED_SCOPES,
    OAUTH_PRINCIPAL_CLAIM,
    OAUTH_ATTRIBUTES,
    OAUTH_DPOP,
    OAUTH_PRIVATE_HOSTS,
];

pub(crate) const UPSTREAM_CREDENTIALS: Key = Key {
    path: "upstreams.credentials",
    kind: Kind::Shaped(Shape::Map(&Shape::Members(&[
        part("bearer_env", Need::Optional, Shape::Text),
        part("bearer_file", Need::Optional, Shape::Text),
        part(
            "oauth",
            Need::Optional,
            Shape::Members(&[
                part("token_endpoint", Need::Optional, Shape::Text),
                part("issuer", Need::Optional, Shape::Text),
                part("client_id", Need::Required, Shape::Text),
                part("client_secret_env", Need::Optional, Shape::Text),
                part("client_secret_file", Need::Optional, Shape::Text),
                part(
                    "auth_method",
                    Need::Optional,
                    Shape::Choice(&["client_secret_basic", "client_secret_post"]),
                ),
                part("key_file", Need::Optional, Shape::Text),
                part("key_env", Need::Optional, Shape::Text),
                part(
                    "key_algorithm",
                    Need::Optional,
                    Shape::Choice(&[
                        "ES256", "ES384", "EdDSA", "PS256", "PS384", "PS512", "RS256", "RS384",
                        "RS512",
                    ]),
                ),
                part("key_id", Need::Optional, Shape::Text),
                part("scope", Need::Optional, Shape::Text),
                part("resource", Need::Optional, Shape::Text),
            ]),
        ),
    ]))),
    default: Default::Absent,
    origin: Origin::Ours,
    doc: "Server of the catalog → what it is shown: a bearer token from `bearer_env` or `bearer_file`, or under `oauth` a token that an authorization server gives for our own client id and secret, or signed assertion. Secrets stand in the variable or file that is named, never here. What callers show is never passed on. See [authorization.md](authorization.md).",
};

/// Every key, in the order of the reference.
pub(crate) const KEYS: &[Key] = &[
    PROVIDER,
    ENFORCEMENT_MODE,
    VALIDITY_SECONDS,
    STALENESS_POLICY,
    EXPECTED_MEASUREMENT,
    ALLOW_UNMEASURED_SPAWN,
    REQUIRED_PROVENANCE_KIND,
    MANIFEST_PATH,
    MANIFEST_TRUST_ANCHOR,
    MANIFEST_SUBJECT,
    MANIFEST_REVOCATIONS,
    DRIFT_POLICY,
    KILL_SWITCH_ENABLED,
    KILL_SWITCH_WINDOW,
    KILL_SWITCH_THRESHOLD,
    KILL_SWITCH_MIN_CALLS,
    VOCABULARY,
    COMPLIANCE_DOMAINS,
    SINK_TOOLS,
    SINK_RESPONSES,
    POLICY_BUNDLE_PATH,
    POLICY_RELOAD_INTERVAL,
    CATALOG_PATH,
    AUDIT_DB_PATH,
    SESSION_STATE_PATH,
    LISTEN_ADDR,
    MAX_RESPONSE_SIZE,
    CONFORMANCE_PROFILE,
    PRINCIPALS,
    OAUTH_RESOURCE,
    OAUTH_ISSUERS,
    OAUTH_ALGORITHMS,
    OAUTH_SCOPES,
    OAUTH_REQUIRED_SCOPES,
    OAUTH_TOOL_SCOPES,
    OAUTH_IMPLIED_SCOPES,
    OAUTH_PRINCIPAL_CLAIM,
    OAUTH_ATTRIBUTES,
    OAUTH_DPOP,
    OAUTH_PRIVATE_HOSTS,
    RECORD_PER,
    REDACT,
    TRUST_DOMAIN,
    ALLOWED_HOSTS,
    ALLOWED_ORIGINS,
    ALLOW_PRIVATE_HOSTS,
    UPSTREAM_CREDENTIALS,
    LIMITS_DEFAULT,
    LIMITS_PRINCIPALS,
    LIMITS_TOOLS,
    LIMITS_IN_FLIGHT,
    LIMITS_WAITING,
    LIMITS_BYTES,
    UPSTREAM_TIMEOUT,
    SESSION_IDLE_TIMEOUT,
    SESSION_DRAIN,
    COMPAT,
    DANGER_PLAIN_HTTP,
    DANGER_SOFTWARE_EVIDENCE,
];

#[cfg(test)]
mod tests;

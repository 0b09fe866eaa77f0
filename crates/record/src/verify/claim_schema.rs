//! The Python cMCP's claim as tables: `{cmcp_version, trace, gateway, signature}`, closed.

use crate::shape::{COUNT, EPOCH_SECONDS, Rule, SAFE_INTEGER, Shape, optional, required};
use crate::trust_record::schema::{CNF, PROFILE, RUNTIME};

pub(super) static CLAIM: Shape = Shape::of(&[
    required("cmcp_version", Rule::Constant("1.0")),
    required("trace", Rule::Object(&TRACE)),
    required("gateway", Rule::Object(&GATEWAY)),
    required("signature", Rule::Token),
]);

static TRACE: Shape = Shape::of(&[
    required("eat_profile", Rule::Constant(PROFILE)),
    required("iat", EPOCH_SECONDS),
    required("subject", Rule::Spiffe),
    required("runtime", Rule::Object(&RUNTIME)),
    required("policy", Rule::Object(&POLICY)),
    required("data_class", Rule::AnyText),
    required("cnf", Rule::Object(&CNF)),
    optional("tool_transcript", Rule::Object(&TRANSCRIPT)),
]);

static POLICY: Shape = Shape::of(&[
    required("bundle_hash", Rule::Digest),
    required(
        "enforcement_mode",
        Rule::OneOf(&["enforce", "advisory", "silent"]),
    ),
    optional("version", Rule::AnyText),
    optional("policy_uri", Rule::AnyText),
]);

static TRANSCRIPT: Shape = Shape::of(&[
    required("hash", Rule::Digest),
    optional("call_count", COUNT),
    optional("transcript_uri", Rule::AnyText),
    optional("entries", Rule::Each(&Rule::Object(&TRANSCRIPT_ENTRY))),
]);

static TRANSCRIPT_ENTRY: Shape = Shape::of(&[
    required("tool_name", Rule::AnyText),
    required("data_class", Rule::AnyText),
    required(
        "decision",
        Rule::OneOf(&["allow", "deny", "redact", "advisory_deny", "fault", "n/a"]),
    ),
]);

static GATEWAY: Shape = Shape::of(&[
    required("session_id", Rule::Text),
    required("gateway_version", Rule::Text),
    required("sequence_number", COUNT),
    required("audit_chain", Rule::Object(&AUDIT_CHAIN)),
    required("call_summary", Rule::Object(&CALL_SUMMARY)),
    required("catalog", Rule::Object(&CATALOG)),
    required("attestation_generated_at", Rule::Text),
    required("attestation_validity_seconds", COUNT),
    required("attestation_stale", Rule::Bool),
    optional("prev_claim_hash", Rule::Sha256),
    optional("catalog_exceptions", Rule::Each(&Rule::TextMap)),
    optional("call_log_summary", Rule::Object(&CALL_LOG_SUMMARY)),
    optional("agent_identity", Rule::Object(&AGENT_IDENTITY)),
    optional("kill_switch_triggered", Rule::Bool),
    optional("kill_switch", Rule::Object(&KILL_SWITCH)),
    optional("attestation_evidence", Rule::Object(&EVIDENCE)),
    optional("policy_signing", Rule::Object(&POLICY_SIGNING)),
]);

static AUDIT_CHAIN: Shape = Shape::of(&[
    required("root", Rule::AnyText),
    required("tip", Rule::AnyText),
    required("length", INTEGER),
]);

const INTEGER: Rule = Rule::Integer {
    least: -SAFE_INTEGER,
    most: SAFE_INTEGER,
};

static CALL_SUMMARY: Shape = Shape::of(&[
    required("tool_calls_total", COUNT),
    required("tool_calls_allowed", COUNT),
    required("tool_calls_denied", COUNT),
    required("tool_calls_faulted", COUNT),
    required("tools_invoked", Rule::Each(&Rule::AnyText)),
    required("session_max_sensitivity", Rule::AnyText),
    required("call_graph_summary", Rule::Object(&CALL_GRAPH)),
]);

static CALL_GRAPH: Shape = Shape::of(&[
    required("compliance_domains_touched", Rule::Each(&Rule::AnyText)),
    required("cross_boundary_events", Rule::Each(&Rule::AnyObject)),
    optional("edges_represent", Rule::AnyText),
]);

static CATALOG: Shape = Shape::of(&[
    required("hash", Rule::AnyText),
    optional("drift_detected", Rule::Bool),
]);

static CALL_LOG_SUMMARY: Shape = Shape::of(&[
    required("total_calls", COUNT),
    required("tools_called", Rule::Each(&Rule::AnyText)),
    required("suspicious_sequences_detected", COUNT),
]);

static AGENT_IDENTITY: Shape = Shape::of(&[
    required("manifest_id", Rule::AnyText),
    required("agent_id", Rule::Spiffe),
    required("authenticated_subject", Rule::Spiffe),
    required(
        "subject_source",
        Rule::OneOf(&["config", "svid", "manifest-dev"]),
    ),
    required("issuer", Rule::Spiffe),
    required("issuer_key_id", Rule::AnyText),
    required("policy_bundle_hash", Rule::AnyText),
    required("tool_catalog_hash", Rule::AnyText),
    optional("intent_hash", Rule::Sha256),
    optional("agent_key_thumbprint", Rule::Sha256),
    optional("enforcement_mode", Rule::AnyText),
]);

static KILL_SWITCH: Shape = Shape::of(&[
    required("enabled", Rule::Bool),
    required("window_seconds", COUNT),
    required("deny_rate_threshold", Rule::Number),
    required("min_calls", COUNT),
    optional("trigger", Rule::OneOf(&["deny_rate", "operator"])),
]);

static EVIDENCE: Shape = Shape::of(&[
    optional("raw_evidence", Rule::AnyText),
    optional("quote_signature", Rule::AnyText),
    optional("cert_chain", Rule::AnyText),
    optional("ek_cert_chain", Rule::AnyText),
]);

static POLICY_SIGNING: Shape = Shape::of(&[
    optional("key_id", Rule::Sha256),
    optional("revoked_key_ids", Rule::Each(&Rule::Sha256)),
]);

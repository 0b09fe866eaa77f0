//! The TRACE v0.2 record as tables: every member, and no other.

use cmcp_json::{Object, Value};

use crate::shape::{
    COUNT, EPOCH_SECONDS, Problem, Rule, SAFE_INTEGER, Shape, Violations, optional, required,
};

/// The profile these tables describe.
pub const PROFILE: &str = "tag:agentrust-io.com,2026:trace-v0.2";

/// The draft that adds `runtime.evidence`; only who asks for it accepts it.
pub const PROFILE_V0_3: &str = "tag:agentrust-io.com,2026:trace-v0.3";

/// The identifier that v0.2 superseded: recognised in order to be refused.
pub(crate) const PROFILE_V0_1: &str = "tag:agentrust.io,2026:trace-v0.1";

pub(crate) const SOFTWARE_ONLY: &str = "software-only";

/// The members of a record; profile and runtime differ between the versions.
macro_rules! record {
    ($profile:ident, $runtime:ident) => {
        Shape {
            members: &[
                required("eat_profile", Rule::Constant($profile)),
                required("iat", EPOCH_SECONDS),
                required("subject", Rule::Subject),
                required("model", Rule::Object(&MODEL)),
                required("runtime", Rule::Object(&$runtime)),
                required("policy", Rule::Object(&POLICY)),
                required("data_class", Rule::Text),
                required("build_provenance", Rule::Object(&BUILD_PROVENANCE)),
                required("appraisal", Rule::Object(&APPRAISAL)),
                required("cnf", Rule::Object(&CNF)),
                required("signature", Rule::Token),
                optional("tool_transcript", Rule::Object(&TRANSCRIPT)),
                optional("transparency", Rule::Https),
                optional("delegation", Rule::Object(&DELEGATION)),
                optional("origin", Rule::Object(&ORIGIN)),
                optional("references", Rule::Each(&Rule::Object(&REFERENCE))),
                optional("reproducibility", Rule::Object(&REPRODUCIBILITY)),
            ],
            relation: origin_forces_software,
        }
    };
}

pub(crate) static RECORD: Shape = record!(PROFILE, RUNTIME);
pub(crate) static RECORD_V0_3: Shape = record!(PROFILE_V0_3, RUNTIME_V0_3);

static MODEL: Shape = Shape::of(&[
    required("provider", Rule::Text),
    required("model_id", Rule::Text),
    optional("version", Rule::Text),
    optional("weights_digest", Rule::Digest),
    optional("aibom_uri", Rule::Uri),
]);

pub(crate) static RUNTIME: Shape = Shape::of(&[
    required("platform", Rule::OneOf(PLATFORMS)),
    required("measurement", Rule::Digest),
    optional("rim_uri", Rule::Uri),
    optional("nonce", Rule::Text),
    optional("firmware_version", Rule::Text),
]);

static RUNTIME_V0_3: Shape = Shape::of(&[
    required("platform", Rule::OneOf(PLATFORMS)),
    required("measurement", Rule::Digest),
    optional("rim_uri", Rule::Uri),
    optional("nonce", Rule::Text),
    optional("firmware_version", Rule::Text),
    optional("evidence", Rule::Object(&EVIDENCE)),
]);

static EVIDENCE: Shape = Shape {
    members: &[
        required(
            "format",
            Rule::OneOf(&[
                "tdx-quote-v4",
                "sev-snp-report-v2",
                "tpm2-quote",
                "nvidia-gpu-attestation-report",
            ]),
        ),
        optional("quote", Rule::Token),
        optional("quote_digest", Rule::Digest),
        optional("quote_uri", Rule::Uri),
        optional("collateral", Rule::OneOf(&["embedded", "required"])),
        optional("collateral_uri", Rule::Uri),
        optional(
            "binds",
            Rule::OneOf(&[
                "cnf-key",
                "weights-digest",
                "manifest-digest",
                "nonce",
                "unspecified",
            ]),
        ),
    ],
    relation: evidence_is_held_or_named,
};

const PLATFORMS: &[&str] = &[
    "intel-tdx",
    "amd-sev-snp",
    "azure-cvm-sev-snp",
    "nvidia-h100",
    "nvidia-blackwell",
    "aws-nitro",
    "arm-cca",
    "google-confidential-space",
    "tpm2",
    SOFTWARE_ONLY,
];

static POLICY: Shape = Shape::of(&[
    required("bundle_hash", Rule::Digest),
    required(
        "enforcement_mode",
        Rule::OneOf(&["enforce", "advisory", "silent", "declared"]),
    ),
    optional("version", Rule::Text),
    optional("policy_uri", Rule::Uri),
]);

static BUILD_PROVENANCE: Shape = Shape::of(&[
    required("slsa_level", Rule::Integer { least: 0, most: 3 }),
    required("digest", Rule::Digest),
    optional("builder", Rule::Text),
    optional("provenance_uri", Rule::Uri),
    optional("provenance_depth", DEPTH),
]);

const DEPTH: Rule = Rule::OneOf(&["surface", "builder", "transitive"]);

static APPRAISAL: Shape = Shape {
    members: &[
        required(
            "status",
            Rule::OneOf(&["affirming", "warning", "contraindicated", "none"]),
        ),
        required("verifier", Rule::Uri),
        optional("policy_ref", Rule::Uri),
        optional(
            "timestamp",
            Rule::Integer {
                least: -SAFE_INTEGER,
                most: SAFE_INTEGER,
            },
        ),
        optional("provenance_depth_verified", DEPTH),
        optional("method", Rule::OneOf(&[RE_EXECUTION_METHOD])),
        optional("re_execution", Rule::Object(&RE_EXECUTION)),
    ],
    relation: method_and_result_go_together,
};

const RE_EXECUTION_METHOD: &str = "re-execution";

static RE_EXECUTION: Shape = Shape {
    members: &[
        required(
            "outcome",
            Rule::OneOf(&["reproduced", "diverged", "not-attempted"]),
        ),
        optional("observed_digest", Rule::Digest),
        optional("reason", Rule::Text),
        optional("verifier_code_identity", Rule::Digest),
    ],
    relation: outcome_carries_what_makes_it_readable,
};

pub(crate) static CNF: Shape = Shape::of(&[required("jwk", Rule::Jwk)]);

static TRANSCRIPT: Shape = Shape::of(&[
    required("hash", Rule::Digest),
    optional("call_count", COUNT),
    optional("transcript_uri", Rule::Uri),
]);

static DELEGATION: Shape = Shape::of(&[
    required("parent_record_hash", Rule::Digest),
    required("credential_id", Rule::Text),
]);

static ORIGIN: Shape = Shape::of(&[
    required(
        "kind",
        Rule::OneOf(&["self", "third-party-control-plane", "log-import"]),
    ),
    required("producer", Rule::Text),
    optional("source_event_id", Rule::Text),
    optional("ingested_at", EPOCH_SECONDS),
]);

static REFERENCE: Shape = Shape::of(&[
    required("rel", Rule::Text),
    required("id", Rule::Text),
    required("resolver", Rule::Text),
    optional("retention", Rule::Duration),
    optional("digest", Rule::Digest),
]);

static REPRODUCIBILITY: Shape = Shape::of(&[
    required("function", Rule::Text),
    required("code_identity", Rule::Digest),
    required("input_closure", Rule::Each(&Rule::Object(&CLOSURE_ENTRY))),
    required("transcript_digest", Rule::Digest),
    optional("code_resolver", Rule::Text),
]);

static CLOSURE_ENTRY: Shape = Shape::of(&[
    required("id", Rule::Text),
    required("digest", Rule::Digest),
    required("resolver", Rule::Text),
]);

fn origin_forces_software(record: &Object, _: &str, found: &mut Violations) {
    let member = |object: &str, name: &str| {
        record
            .get(object)
            .and_then(|value| value.get(name))
            .and_then(Value::as_str)
    };
    let elsewhere = matches!(
        member("origin", "kind"),
        Some("third-party-control-plane" | "log-import")
    );
    if elsewhere && member("runtime", "platform").is_some_and(|name| name != SOFTWARE_ONLY) {
        found.add("runtime.platform", Problem::OriginOnHardware);
    }
}

fn evidence_is_held_or_named(evidence: &Object, path: &str, found: &mut Violations) {
    if evidence.contains_key("quote") == evidence.contains_key("quote_digest") {
        found.add(path, Problem::EvidenceNotOne);
    }
}

fn method_and_result_go_together(appraisal: &Object, path: &str, found: &mut Violations) {
    let method = appraisal.get("method");
    match (method, appraisal.contains_key("re_execution")) {
        (None, true) => found.add(path, Problem::ResultWithoutMethod),
        (Some(method), false) if method.as_str() == Some(RE_EXECUTION_METHOD) => {
            found.add(path, Problem::MethodWithoutResult);
        }
        // Another method is refused by its own rule.
        (None, false) | (Some(_), _) => {}
    }
}

fn outcome_carries_what_makes_it_readable(result: &Object, path: &str, found: &mut Violations) {
    match result.get("outcome").and_then(Value::as_str) {
        Some("diverged") if !result.contains_key("observed_digest") => {
            found.add(path, Problem::DivergedWithoutDigest);
        }
        Some("not-attempted") if !result.contains_key("reason") => {
            found.add(path, Problem::NotAttemptedWithoutReason);
        }
        Some(_) | None => {}
    }
}

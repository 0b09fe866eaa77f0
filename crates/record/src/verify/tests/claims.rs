use cmcp_evidence::{Sha256Digest, b64};
use cmcp_json::{Form, Limits, Object, Value};

use super::{expectations, failures, judge, not_established, outcome};
use crate::code::Code;
use crate::trust_record::tests::{key, member};
use crate::verify::{Document, Expectations, Field, Outcome, Pin, Status};

/// A claim as the Python cMCP 0.7.1 writes them for an empty session in software mode.
pub(super) fn claim() -> Value {
    let hash = Sha256Digest::of(b"entry").hex();
    let text = format!(
        r#"{{"cmcp_version":"1.0","trace":{{"eat_profile":"tag:agentrust-io.com,2026:trace-v0.2",
        "iat":1785000000,"subject":"spiffe://cmcp.gateway/tee/0011223344556677",
        "runtime":{{"platform":"software-only","measurement":"sha256:{zero}",
        "firmware_version":"software-only-dev-mode"}},
        "policy":{{"bundle_hash":"{policy}","enforcement_mode":"enforce","version":"é"}},
        "data_class":"public","tool_transcript":{{"hash":"sha256:{hash}","call_count":0,"entries":[]}},
        "cnf":{{"jwk":{jwk}}}}},
        "gateway":{{"session_id":"s1","gateway_version":"0.7.1","sequence_number":1,
        "audit_chain":{{"root":"{hash}","tip":"{hash}","length":1}},
        "call_summary":{{"tool_calls_total":0,"tool_calls_allowed":0,"tool_calls_denied":0,
        "tool_calls_faulted":0,"tools_invoked":[],"session_max_sensitivity":"public",
        "call_graph_summary":{{"compliance_domains_touched":[],"cross_boundary_events":[]}}}},
        "catalog":{{"hash":"{catalog}","drift_detected":false}},
        "attestation_generated_at":"2026-07-25T17:20:00.250000+00:00",
        "attestation_validity_seconds":86400,"attestation_stale":false,"catalog_exceptions":[],
        "kill_switch_triggered":false,
        "kill_switch":{{"enabled":true,"window_seconds":300,"deny_rate_threshold":0.9,"min_calls":10}}}}}}"#,
        zero = "0".repeat(64),
        policy = Sha256Digest::of(b"policy"),
        catalog = Sha256Digest::of(b"catalog"),
        jwk = key().public().jwk(),
    );
    cmcp_json::parse(text.as_bytes(), &Limits::DOCUMENT).unwrap()
}

/// The claim with something changed, signed again.
pub(super) fn changed(change: impl FnOnce(&mut Object)) -> Vec<u8> {
    let mut claim = claim();
    change(claim.as_object_mut().unwrap());
    let preimage = cmcp_json::canonical_without(&claim, "signature", Form::Pyj).unwrap();
    let signature = key().sign(&preimage).to_b64url();
    claim
        .as_object_mut()
        .unwrap()
        .insert("signature", signature);
    claim.to_vec()
}

fn honest() -> Vec<u8> {
    changed(|_| {})
}

/// On hardware, with report data as 0.7.1 lays it out.
fn on_hardware(change: impl FnOnce(&mut Object)) -> Vec<u8> {
    changed(|claim| {
        let entry = Sha256Digest::of(b"entry");
        let root = Sha256Digest::of(entry.as_bytes());
        let report_data = [*key().public().thumbprint().as_bytes(), *root.as_bytes()].concat();
        *member(claim, &["trace", "runtime"]) = Value::Object(Object::from([
            ("platform", "amd-sev-snp".to_owned()),
            ("measurement", format!("sha384:{}", "ab".repeat(48))),
            ("nonce", b64::encode(&report_data)),
        ]));
        change(claim);
    })
}

#[test]
fn of_an_honest_software_claim_only_hardware_is_not_established() {
    let report = judge(&honest(), &expectations());
    assert_eq!(report.status, Status::PartiallyVerified);
    assert_eq!(report.document, Document::Claim);
    assert_eq!(failures(&report), []);
    assert_eq!(
        not_established(&report),
        [(Field::HardwareAttestation, Code::SoftwareEvidence)]
    );
    for field in [Field::Signature, Field::TrustedPublicKey, Field::AuditChain] {
        assert_eq!(outcome(&report, field), Outcome::Pass, "{field}");
    }
}

#[test]
fn a_claim_is_signed_over_its_own_canonical_form() {
    // The JCS form of a claim with `é` in it is other bytes: a signature over those is none.
    let mut claim = claim();
    member(claim.as_object_mut().unwrap(), &["gateway"])
        .as_object_mut()
        .unwrap()
        .remove("kill_switch");
    let preimage = cmcp_json::canonical(&claim, Form::Jcs).unwrap();
    let signature = key().sign(&preimage).to_b64url();
    claim
        .as_object_mut()
        .unwrap()
        .insert("signature", signature);
    let report = judge(&claim.to_vec(), &expectations());
    assert_eq!(
        failures(&report),
        [(Field::Signature, Code::SignatureInvalid)]
    );
}

#[test]
fn pins_hold_a_claim_to_policy_and_catalog() {
    let pinned = |policy: &[u8], catalog: &[u8]| Expectations {
        policy: Pin::Pinned(Sha256Digest::of(policy).into()),
        catalog: Pin::Pinned(Sha256Digest::of(catalog).into()),
        ..expectations()
    };
    let right = judge(&honest(), &pinned(b"policy", b"catalog"));
    assert_eq!(outcome(&right, Field::PolicyBundleHash), Outcome::Pass);
    assert_eq!(outcome(&right, Field::ToolCatalogHash), Outcome::Pass);
    assert_eq!(
        failures(&judge(&honest(), &pinned(b"x", b"x"))),
        [
            (Field::PolicyBundleHash, Code::PolicyMismatch),
            (Field::ToolCatalogHash, Code::CatalogMismatch),
        ]
    );
}

#[test]
fn a_time_without_zone_or_in_the_future_is_refused() {
    let made = |at: &'static str| {
        judge(
            &changed(|claim| {
                *member(claim, &["gateway", "attestation_generated_at"]) = Value::from(at);
            }),
            &expectations(),
        )
    };
    let field = Field::AttestationFreshness;
    assert_eq!(
        failures(&made("2026-07-25T17:20:00")),
        [(field, Code::TimeInvalid)]
    );
    assert_eq!(failures(&made("yesterday")), [(field, Code::TimeInvalid)]);
    assert_eq!(
        failures(&made("2027-07-25T17:20:00Z")),
        [(field, Code::IssuedInFuture)]
    );
    assert_eq!(
        failures(&made("2026-07-20T17:20:00Z")),
        [(field, Code::Stale)]
    );
    assert_eq!(failures(&made("2026-07-25T19:20:00+02:00")), []);
}

#[test]
fn evidence_that_was_stale_stays_so() {
    let stale = changed(|claim| {
        *member(claim, &["gateway", "attestation_stale"]) = Value::from(true);
    });
    let report = judge(&stale, &expectations());
    assert_eq!(
        failures(&report),
        [(Field::AttestationFreshness, Code::Stale)]
    );
}

#[test]
fn a_claim_that_contradicts_itself_about_its_log_fails() {
    let cases: [(&[&str], Value, Code); 6] = [
        (
            &["gateway", "audit_chain", "root"],
            "".into(),
            Code::ChainInvalid,
        ),
        (
            &["gateway", "audit_chain", "root"],
            "zz".into(),
            Code::ChainInvalid,
        ),
        (
            &["gateway", "audit_chain", "length"],
            0_i64.into(),
            Code::ChainInvalid,
        ),
        (
            &["trace", "tool_transcript", "hash"],
            Sha256Digest::of(b"other").into(),
            Code::TranscriptMismatch,
        ),
        (
            &["trace", "tool_transcript", "call_count"],
            1_i64.into(),
            Code::TranscriptMismatch,
        ),
        (
            &["gateway", "audit_chain", "tip"],
            Sha256Digest::of(b"other").hex().into(),
            Code::TranscriptMismatch,
        ),
    ];
    for (path, value, code) in cases {
        let claim = changed(|claim| *member(claim, path) = value);
        let report = judge(&claim, &expectations());
        assert_eq!(failures(&report), [(Field::AuditChain, code)], "{path:?}");
    }
}

#[test]
fn an_agent_key_counts_only_from_a_live_credential() {
    let identity = |source: &'static str| {
        changed(|claim| {
            let digest = Sha256Digest::of(b"key").to_string();
            let identity = Object::from([
                ("manifest_id", "m1"),
                ("agent_id", "spiffe://x/agent"),
                ("authenticated_subject", "spiffe://x/agent"),
                ("subject_source", source),
                ("issuer", "spiffe://x/issuer"),
                ("issuer_key_id", "k1"),
                ("policy_bundle_hash", "p"),
                ("tool_catalog_hash", "c"),
                ("agent_key_thumbprint", &digest),
            ]);
            let gateway = member(claim, &["gateway"]).as_object_mut().unwrap();
            gateway.insert("agent_identity", identity);
        })
    };
    assert_eq!(failures(&judge(&identity("svid"), &expectations())), []);
    assert_eq!(
        failures(&judge(&identity("config"), &expectations())),
        [(Field::AgentManifestBinding, Code::AgentKeyUnbound)]
    );
}

#[test]
fn hardware_that_is_only_named_establishes_nothing() {
    let report = judge(&on_hardware(|_| {}), &expectations());
    assert_eq!(report.status, Status::PartiallyVerified);
    assert_eq!(
        not_established(&report),
        [
            (Field::PublicKeyBinding, Code::EvidenceUnsupported),
            (Field::AuditChainBinding, Code::EvidenceUnsupported),
            (Field::HardwareAttestation, Code::EvidenceAbsent),
        ]
    );
    let carrying = on_hardware(|claim| {
        let evidence = Object::from([("raw_evidence", "AAAA")]);
        let gateway = member(claim, &["gateway"]).as_object_mut().unwrap();
        gateway.insert("attestation_evidence", evidence);
    });
    let report = judge(&carrying, &expectations());
    assert_eq!(
        not_established(&report)[2],
        (Field::HardwareAttestation, Code::EvidenceUnsupported)
    );
}

#[test]
fn report_data_that_names_another_key_or_log_fails() {
    let nonce = |bytes: &[u8]| {
        let nonce = b64::encode(bytes);
        on_hardware(|claim| *member(claim, &["trace", "runtime", "nonce"]) = Value::from(nonce))
    };
    let both = [
        (Field::PublicKeyBinding, Code::CommitmentMismatch),
        (Field::AuditChainBinding, Code::CommitmentMismatch),
    ];
    assert_eq!(failures(&judge(&nonce(&[1; 64]), &expectations())), both);
    // A quote that covers the key alone binds no log.
    let key_alone = nonce(key().public().thumbprint().as_bytes());
    assert_eq!(
        failures(&judge(&key_alone, &expectations())),
        [(Field::AuditChainBinding, Code::CommitmentMismatch)]
    );
    let absent = on_hardware(|claim| {
        let runtime = member(claim, &["trace", "runtime"])
            .as_object_mut()
            .unwrap();
        runtime.remove("nonce");
    });
    assert_eq!(failures(&judge(&absent, &expectations())), both);
}

#[test]
fn early_software_claims_borrowed_the_tpms_name() {
    let early = changed(|claim| {
        *member(claim, &["trace", "runtime", "platform"]) = Value::from("tpm2");
    });
    assert_eq!(
        not_established(&judge(&early, &expectations())),
        [(Field::HardwareAttestation, Code::SoftwareEvidence)]
    );
}

#[test]
fn a_claim_that_lost_members_is_not_taken_for_a_record() {
    for name in ["cmcp_version", "trace", "gateway", "signature"] {
        let mut claim = cmcp_json::parse(&honest(), &Limits::DOCUMENT).unwrap();
        claim.as_object_mut().unwrap().remove(name);
        let report = judge(&claim.to_vec(), &expectations());
        assert_eq!(report.status, Status::Unverified, "{name}");
        assert_eq!(report.document, Document::Claim, "{name}");
    }
}

#[test]
fn claims_are_closed_and_absence_is_never_null() {
    for claim in [
        changed(|claim| drop(claim.insert("extra", "x"))),
        changed(|claim| *member(claim, &["trace", "tool_transcript"]) = Value::Null),
        changed(|claim| *member(claim, &["cmcp_version"]) = Value::from("2.0")),
        changed(|claim| *member(claim, &["gateway", "sequence_number"]) = Value::from("1")),
    ] {
        let report = judge(&claim, &expectations());
        assert_eq!(report.status, Status::Unverified);
        assert_eq!(report.first_failure(), Some(Code::SchemaViolation));
    }
}

#[test]
fn a_v0_1_claim_is_legacy() {
    let legacy = changed(|claim| {
        *member(claim, &["trace", "eat_profile"]) = Value::from("tag:agentrust.io,2026:trace-v0.1");
    });
    let report = judge(&legacy, &expectations());
    assert_eq!(report.status, Status::Unverified);
    assert_eq!(report.first_failure(), Some(Code::ProfileNotAccepted));
    assert!(report.checks[0].note().contains("legacy"));
}

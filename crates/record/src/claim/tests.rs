use cmcp_json::Limits;

use super::*;
use crate::{
    audit::{self, Action, Outcome, samples},
    export::{self, CompatExport},
    verdict::Verdict,
};

fn key() -> SigningKey {
    SigningKey::from_seed(&[7; 32])
}

fn input() -> ClaimInput {
    ClaimInput {
        gateway_version: "0.1.0".to_owned(),
        issued: samples::at(60),
        sequence_number: 1,
        previous: None,
        runtime: ClaimRuntime::Software,
        policy: ClaimPolicy {
            bundle_hash: samples::digest("policy"),
            mode: Mode::Enforcing,
            version: "modèle-1".to_owned(),
            signing: None,
        },
        catalog: samples::digest("catalog"),
        attestation: ClaimAttestation {
            generated_at: samples::at(0),
            validity_seconds: 86_400,
            stale: false,
            evidence: None,
        },
        regulated_domains: Vec::new(),
        catalog_exceptions: Vec::new(),
        kill_switch: None,
        agent_identity: None,
    }
}

fn claim_of(stored: &[Vec<u8>], input: ClaimInput) -> Claim {
    let mut builder = ClaimBuilder::new(samples::LOG, input);
    for entry in stored {
        builder.entry(entry).expect("the next entry");
    }
    builder.finish(&key()).expect("a claim")
}

fn value(claim: &Claim) -> Value {
    cmcp_json::parse(&claim.bytes, &Limits::DOCUMENT).expect("strict JSON")
}

fn at<'a>(value: &'a Value, path: &[&str]) -> &'a Value {
    path.iter().fold(value, |value, name| {
        value
            .get(name)
            .unwrap_or_else(|| panic!("no `{name}` in {value}"))
    })
}

/// The calls of the sample session, as ours would write them.
fn sample_calls() -> Vec<Vec<u8>> {
    let call = |tool: &str, verdict, domain: &str, class: &str| {
        Kind::Outcome(Box::new(Outcome {
            compliance_domain: domain.into(),
            data_class: class.into(),
            ..samples::outcome(tool, verdict)
        }))
    };
    samples::log_of([
        call("crm.contacts", Verdict::StepUp, "pii", "pii"),
        call("echo", Verdict::Allow, "internal", "public"),
        call("nope", Verdict::Deny, "unknown", "unknown"),
        call("echo", Verdict::Deny, "internal", "public"),
        call("email", Verdict::Deny, "internal", "public"),
        call("echo", Verdict::Deny, "internal", "public"),
        call("echo", Verdict::Deny, "internal", "public"),
    ])
}

#[test]
fn the_sample_session_gives_the_sample_claim_but_for_keys_and_hashes() {
    let Some(sample) = samples::shared("cmcp-sample/claim.json") else {
        return;
    };
    let sample = samples::json(&sample);
    let claim = value(&claim_of(&sample_calls(), input()));
    for path in [
        &["trace", "tool_transcript", "entries"][..],
        &["trace", "tool_transcript", "call_count"],
        &["trace", "runtime"],
        &["trace", "data_class"],
        &["trace", "eat_profile"],
        &["gateway", "call_summary", "tool_calls_total"],
        &["gateway", "call_summary", "tool_calls_allowed"],
        &["gateway", "call_summary", "tool_calls_denied"],
        &["gateway", "call_summary", "tool_calls_faulted"],
        &["gateway", "call_summary", "tools_invoked"],
        &["gateway", "call_summary", "session_max_sensitivity"],
        &["gateway", "call_summary", "call_graph_summary"],
        &["gateway", "catalog", "drift_detected"],
        &["gateway", "kill_switch_triggered"],
        &["gateway", "catalog_exceptions"],
        &[
            "gateway",
            "call_log_summary",
            "suspicious_sequences_detected",
        ],
    ] {
        assert_eq!(at(&claim, path), at(&sample, path), "{path:?}");
    }
    assert_eq!(
        names(&claim),
        names(&sample),
        "the same members in the same order"
    );
}

/// Every member's name, in the order of the document; lists are taken by their first element.
fn names(value: &Value) -> Vec<String> {
    match value {
        Value::Object(object) => object
            .iter()
            .flat_map(|(name, value)| std::iter::once(name.to_owned()).chain(names(value)))
            .collect(),
        Value::Array(elements) => elements.first().map(names).unwrap_or_default(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
    }
}

#[test]
fn the_signature_is_over_the_older_canonical_form() {
    let claim = claim_of(&sample_calls(), input());
    let value = value(&claim);
    let body = cmcp_json::canonical_without(&value, "signature", Form::Pyj).unwrap();
    let signature = Signature::from_b64url(at(&value, &["signature"]).as_str().unwrap()).unwrap();
    assert_eq!(key().public().verify(&body, &signature), Ok(()));
    let whole = cmcp_json::canonical(&value, Form::Pyj).unwrap();
    assert_eq!(claim.digest, Sha256Digest::of(&whole));
}

#[test]
fn claim_and_both_exports_tell_the_same() {
    let stored = samples::log_of(samples::every_kind());
    let claim = claim_of(&stored, input());
    let mut older = CompatExport::new(Vec::new(), samples::LOG).unwrap();
    for entry in &stored {
        older.entry(entry).unwrap();
    }
    let older = older.finish(&claim.bundle_signature).unwrap();
    let facts = export::check(&mut &*older, Some(&key().public())).expect("holds");
    let value = value(&claim);
    assert_eq!(facts.chain, Some(claim.chain));
    let gateway = |path: &[&str]| at(at(&value, &["gateway"]), path).clone();
    assert_eq!(
        gateway(&["session_id"]).as_str(),
        Some(facts.final_session.as_str())
    );
    assert_eq!(
        gateway(&["audit_chain", "tip"]).as_str(),
        Some(claim.chain.tip.hex().as_str())
    );
    assert_eq!(
        at(&value, &["trace", "tool_transcript", "hash"]).as_str(),
        Some(claim.chain.tip.to_string().as_str())
    );
    assert_eq!(
        gateway(&["call_summary", "tool_calls_total"]).as_u64(),
        Some(facts.calls)
    );
    assert_eq!(
        gateway(&["call_summary", "tool_calls_denied"]).as_u64(),
        Some(facts.verdicts.denied())
    );
    assert_eq!(gateway(&["catalog", "drift_detected"]), Value::Bool(true));
    assert_eq!(gateway(&["kill_switch_triggered"]), Value::Bool(true));
}

/// A call, or something else, and the domain and sensitivity that it touched.
fn touching(kind: Kind, domain: &str, (before, after): (&str, &str)) -> Kind {
    let Kind::Outcome(mut outcome) = kind else {
        panic!("{kind:?}")
    };
    outcome.compliance_domain = domain.into();
    outcome.call.sensitivity_before = before.into();
    outcome.sensitivity_after = after.into();
    Kind::Outcome(outcome)
}

#[test]
fn other_actions_are_no_calls_and_raise_the_session_all_the_same() {
    let call = |verdict| samples::called("echo", verdict);
    let calls = [call(Verdict::Allow), call(Verdict::Deny)];
    let among = [
        calls[0].clone(),
        samples::acted(Action::ReadResource, "file:///é", Verdict::Allow),
        samples::acted(Action::Sample, "démo", Verdict::Deny),
        calls[1].clone(),
    ];
    let alone = value(&claim_of(&samples::log_of(calls), input()));
    let claim = value(&claim_of(&samples::log_of(among), input()));
    for path in [
        &["trace", "tool_transcript", "call_count"][..],
        &["trace", "tool_transcript", "entries"],
        &["gateway", "call_summary"],
        &["gateway", "call_log_summary"],
        &["gateway", "audit_chain", "length"],
    ] {
        assert_eq!(at(&claim, path), at(&alone, path), "{path:?}");
    }

    let read = samples::acted(Action::ReadResource, "ehr://1", Verdict::Allow);
    let raised = claim_of(
        &samples::log_of([touching(read, "hipaa_phi", ("public", "hipaa_phi"))]),
        input(),
    );
    let raised = value(&raised);
    assert_eq!(
        at(&raised, &["trace", "data_class"]).as_str(),
        Some("hipaa_phi")
    );
}

#[test]
fn a_call_behind_a_resource_of_a_regulated_domain_crosses_its_boundary() {
    let read = samples::acted(Action::ReadResource, "ehr://1", Verdict::Allow);
    let asked = samples::acted(Action::ListRoots, "démo", Verdict::Allow);
    let stays = ("hipaa_phi", "hipaa_phi");
    let claim = value(&claim_of(
        &samples::log_of([
            touching(read, "hipaa_phi", stays),
            // Hides nothing: its own domain is not regulated.
            touching(asked, "external", stays),
            touching(samples::called("slack", Verdict::Allow), "external", stays),
        ]),
        input(),
    ));
    let graph = at(&claim, &["gateway", "call_summary", "call_graph_summary"]);
    let crossings = at(graph, &["cross_boundary_events"]).as_array().unwrap();
    assert_eq!(crossings.len(), 1);
    let crossing = |name: &str| at(&crossings[0], &[name]).as_str();
    assert_eq!(crossing("from_domain"), Some("hipaa_phi"));
    assert_eq!(crossing("tool_name"), Some("slack"));
    assert_eq!(
        *at(graph, &["compliance_domains_touched"]),
        Value::from(vec!["external", "hipaa_phi"])
    );
}

#[test]
fn a_run_of_calls_is_suspicious_once() {
    let call = |tool| samples::called(tool, Verdict::Allow);
    let runs = [
        vec![call("a"); 3],
        vec![call("b"); 9],
        vec![call("a"); 3],
        vec![call("c"); 4],
        vec![call("a")],
    ];
    let claim = value(&claim_of(&samples::log_of(runs.concat()), input()));
    let summary = at(&claim, &["gateway", "call_log_summary"]);
    assert_eq!(
        at(summary, &["suspicious_sequences_detected"]).as_u64(),
        Some(2)
    );
    assert_eq!(at(summary, &["total_calls"]).as_u64(), Some(20));
    assert_eq!(
        *at(summary, &["tools_called"]),
        Value::from(vec!["a", "b", "c"])
    );
}

#[test]
fn a_configured_domain_counts_as_regulated() {
    let call = |domain: &str| {
        Kind::Outcome(Box::new(Outcome {
            compliance_domain: domain.into(),
            ..samples::outcome("écho", Verdict::Allow)
        }))
    };
    let stored = samples::log_of([call("swiss_bank"), call("internal"), call("internal")]);
    let events = |regulated: &[&str]| {
        let regulated_domains = regulated.iter().map(|&domain| domain.to_owned()).collect();
        let claim = value(&claim_of(
            &stored,
            ClaimInput {
                regulated_domains,
                ..input()
            },
        ));
        at(
            &claim,
            &[
                "gateway",
                "call_summary",
                "call_graph_summary",
                "cross_boundary_events",
            ],
        )
        .clone()
    };
    assert_eq!(events(&[]), Value::Array(Vec::new()));
    let crossing = events(&["swiss_bank"]);
    assert_eq!(crossing.as_array().unwrap().len(), 1);
    assert_eq!(
        at(&crossing.as_array().unwrap()[0], &["sequence_number"]).as_u64(),
        Some(1)
    );
}

/// What a claim of this log says in both places.
fn sensitivity_of(kinds: impl IntoIterator<Item = Kind>) -> [String; 2] {
    let claim = value(&claim_of(&samples::log_of(kinds), input()));
    [
        &["trace", "data_class"][..],
        &["gateway", "call_summary", "session_max_sensitivity"],
    ]
    .map(|path| at(&claim, path).as_str().unwrap().to_owned())
}

fn rising(before: &str, after: &str) -> Kind {
    let call = audit::Call {
        sensitivity_before: before.into(),
        ..samples::call("echo")
    };
    Kind::Outcome(Box::new(Outcome {
        call,
        sensitivity_after: after.into(),
        ..samples::outcome("echo", Verdict::Allow)
    }))
}

#[test]
fn a_call_that_is_written_late_does_not_lower_the_claim() {
    let calls = [rising("public", "phi"), rising("public", "public")];
    assert_eq!(sensitivity_of(calls), ["phi", "phi"]);
    assert_eq!(sensitivity_of([]), ["public", "public"]);
}

#[test]
fn the_end_of_the_session_decides_on_its_sensitivity() {
    let end = |label: &str| {
        Kind::SessionEnd(audit::SessionEnd {
            reason: "closed".into(),
            sensitivity: label.into(),
            successor: None,
        })
    };
    let calls = [rising("public", "phi"), rising("public", "mnpi")];
    assert_eq!(
        sensitivity_of(calls.clone().into_iter().chain([end("phi")])),
        ["phi", "phi"]
    );
    // A session that could not be sealed goes on, and ends again.
    let more = calls
        .into_iter()
        .chain([end("mnpi"), rising("mnpi", "phi")]);
    assert_eq!(sensitivity_of(more.clone()), ["phi", "phi"]);
    assert_eq!(sensitivity_of(more.chain([end("top")])), ["top", "top"]);
}

/// Everything that may be absent, present.
fn full_input() -> ClaimInput {
    let evidence = ClaimEvidence {
        raw_evidence: Some(vec![1, 2, 3]),
        cert_chain: Some(b"-----BEGIN CERTIFICATE-----".to_vec()),
        ..ClaimEvidence::default()
    };
    let threshold = samples::json(b"{\"threshold\":0.9}");
    ClaimInput {
        previous: Some(samples::digest("claim")),
        runtime: ClaimRuntime::Hardware {
            platform: Platform::Snp,
            measurement: format!("sha384:{}", "ab".repeat(48)),
            report_data: [5; 64],
        },
        policy: ClaimPolicy {
            mode: Mode::Silent,
            signing: Some(PolicySigning {
                key_id: samples::digest("key"),
                revoked: vec![samples::digest("old key")],
            }),
            ..input().policy
        },
        attestation: ClaimAttestation {
            stale: true,
            evidence: Some(evidence),
            ..input().attestation
        },
        catalog_exceptions: vec![CatalogException {
            tool_name: "fix".to_owned(),
            reason: "outage".to_owned(),
            authorized_by: "Zoë".to_owned(),
            added_at: samples::at(3),
        }],
        kill_switch: Some(KillSwitchSettings {
            window_seconds: 300,
            deny_rate_threshold: at(&threshold, &["threshold"]).as_number().unwrap().clone(),
            min_calls: 10,
        }),
        ..input()
    }
}

#[test]
fn everything_optional_has_its_place() {
    let claim = value(&claim_of(
        &samples::log_of(samples::every_kind()),
        full_input(),
    ));
    let runtime = at(&claim, &["trace", "runtime"]);
    assert_eq!(at(runtime, &["platform"]).as_str(), Some("amd-sev-snp"));
    assert_eq!(at(runtime, &["nonce"]).as_str().unwrap().len(), 86);
    assert!(runtime.get("firmware_version").is_none());
    assert_eq!(
        at(&claim, &["trace", "policy", "enforcement_mode"]).as_str(),
        Some("advisory")
    );
    let gateway = at(&claim, &["gateway"]);
    assert_eq!(
        at(gateway, &["attestation_evidence"])
            .as_object()
            .unwrap()
            .len(),
        2
    );
    assert_eq!(
        at(gateway, &["attestation_evidence", "raw_evidence"]).as_str(),
        Some("AQID")
    );
    assert_eq!(
        at(gateway, &["kill_switch", "trigger"]).as_str(),
        Some("deny_rate")
    );
    assert_eq!(
        at(gateway, &["kill_switch", "deny_rate_threshold"]).to_string(),
        "0.9"
    );
    assert_eq!(
        at(gateway, &["policy_signing", "revoked_key_ids"])
            .as_array()
            .unwrap()
            .len(),
        1
    );
    assert!(
        at(gateway, &["prev_claim_hash"])
            .as_str()
            .unwrap()
            .starts_with("sha256:")
    );
    assert!(!claim.to_string().contains("null"));
}

#[test]
fn there_is_no_claim_without_a_word_for_it() {
    let sgx = ClaimRuntime::Hardware {
        platform: Platform::Sgx,
        measurement: String::new(),
        report_data: [0; 64],
    };
    let mut builder = ClaimBuilder::new(
        samples::LOG,
        ClaimInput {
            runtime: sgx,
            ..input()
        },
    );
    builder.entry(&samples::log_of([])[0]).unwrap();
    assert!(matches!(
        builder.finish(&key()),
        Err(ClaimError::Platform(Platform::Sgx))
    ));

    let empty = ClaimBuilder::new(samples::LOG, input());
    assert!(matches!(empty.finish(&key()), Err(ClaimError::Empty)));

    let mut broken = ClaimBuilder::new(samples::LOG, input());
    let stored = samples::log_of([samples::called("echo", Verdict::Allow)]);
    assert!(matches!(broken.entry(&stored[1]), Err(ClaimError::Log(_))));
}

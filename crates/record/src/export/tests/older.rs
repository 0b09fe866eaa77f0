//! The older format as its own gateway wrote it.

use cmcp_evidence::{Sha256Digest, Timestamp};
use cmcp_json::{Form, Object};

use super::*;

fn sample() -> Option<(Vec<u8>, Value)> {
    let bundle = samples::shared("cmcp-sample/audit_bundle.json")?;
    let claim = samples::json(&samples::shared("cmcp-sample/claim.json")?);
    Some((bundle, claim))
}

fn key_of(claim: &Value) -> PublicKey {
    let jwk = claim
        .get("trace")
        .unwrap()
        .get("cnf")
        .unwrap()
        .get("jwk")
        .unwrap();
    PublicKey::from_b64url(jwk.get("x").unwrap().as_str().unwrap()).unwrap()
}

#[test]
fn the_sample_bundle_holds_and_is_what_its_claim_says() {
    let Some((bundle, claim)) = sample() else {
        return;
    };
    let facts = read(&bundle, Some(&key_of(&claim))).expect("holds");
    let gateway = claim.get("gateway").unwrap();
    let chain = gateway.get("audit_chain").unwrap();
    let stated = facts.chain.unwrap();
    assert_eq!(
        chain.get("root").unwrap().as_str(),
        Some(stated.root.hex().as_str())
    );
    assert_eq!(
        chain.get("tip").unwrap().as_str(),
        Some(stated.tip.hex().as_str())
    );
    assert_eq!(chain.get("length").unwrap().as_u64(), Some(stated.length));
    let summary = gateway.get("call_summary").unwrap();
    assert_eq!(
        summary.get("tool_calls_total").unwrap().as_u64(),
        Some(facts.calls)
    );
    assert_eq!(
        summary.get("tool_calls_denied").unwrap().as_u64(),
        Some(facts.verdicts.denied())
    );
    assert_eq!(
        summary.get("tool_calls_allowed").unwrap().as_u64(),
        Some(facts.verdicts.of(Verdict::Allow))
    );
    assert_eq!(facts.verdicts.of(Verdict::StepUp), 1);
    let tools: Vec<&str> = facts.tools.iter().map(String::as_str).collect();
    assert_eq!(*summary.get("tools_invoked").unwrap(), Value::from(tools));
    assert_eq!(
        gateway.get("session_id").unwrap().as_str(),
        Some(facts.final_session.as_str())
    );
    assert_eq!(
        (facts.format, facts.size, facts.root),
        (Format::V07, 10, None)
    );
    assert_eq!(
        facts.first_time,
        Timestamp::parse_rfc3339("2026-11-20T09:12:41.438842+00:00").unwrap()
    );
}

/// The sample with one entry changed, hashed again from there on, under its old signature.
fn rehashed(bundle: &[u8], change: impl Fn(usize, &mut Object)) -> Vec<u8> {
    let mut document = samples::json(bundle);
    let entries = document
        .as_object_mut()
        .unwrap()
        .get_mut("entries")
        .unwrap();
    let mut prev = Value::from("genesis");
    for (place, entry) in entries.as_array_mut().unwrap().iter_mut().enumerate() {
        let members = entry.as_object_mut().unwrap();
        members.insert("prev_entry_hash", prev);
        change(place, members);
        let body = cmcp_json::canonical_without(entry, "entry_hash", Form::Pyj).unwrap();
        prev = Value::from(Sha256Digest::of(&body).hex());
        entry
            .as_object_mut()
            .unwrap()
            .insert("entry_hash", prev.clone());
    }
    document.to_vec()
}

fn entry_faults(bundle: &[u8]) -> Vec<(Option<u64>, &'static str)> {
    let failure = match read(bundle, None) {
        Ok(_) => return Vec::new(),
        Err(failure) => failure,
    };
    failure
        .problems
        .iter()
        .map(|problem| (problem.entry, problem.fault.code()))
        .collect()
}

#[test]
fn what_the_older_verifier_overlooks_is_reported() {
    let Some((bundle, claim)) = sample() else {
        return;
    };
    let at = |wanted: usize, name: &'static str, value: Value| {
        rehashed(&bundle, move |place, members| {
            if place == wanted {
                members.insert(name, value.clone());
            }
        })
    };
    assert_eq!(entry_faults(&rehashed(&bundle, |_, _| ())), []);
    let signed = read(&at(3, "latency_us", 1_i64.into()), Some(&key_of(&claim))).unwrap_err();
    assert_eq!(signed.problems[0].fault, Fault::SignatureInvalid);

    for (changed, entry, code) in [
        (at(3, "sequence_number", 4_i64.into()), 3, "sequence_gap"),
        (at(3, "sequence_number", 2_i64.into()), 3, "sequence_gap"),
        (
            at(3, "timestamp_utc", "2026-11-20T09:12:41+00:00".into()),
            3,
            "time_backwards",
        ),
        (
            at(3, "timestamp_utc", "2026-11-20T09:12:42".into()),
            3,
            "entry_malformed",
        ),
        (at(3, "session_id", "another".into()), 3, "session_changed"),
        (
            at(3, "entry_type", "tool_call_2".into()),
            3,
            "entry_malformed",
        ),
        (
            at(3, "entry_type", "session_start".into()),
            3,
            "session_start_misplaced",
        ),
        (
            at(3, "policy_decision", "maybe".into()),
            3,
            "entry_malformed",
        ),
        (at(3, "tool_name", 7_i64.into()), 3, "entry_malformed"),
        (at(3, "unknown", Value::Null), 3, "entry_malformed"),
        (at(3, "latency_us", (-1_i64).into()), 3, "entry_malformed"),
        (
            at(3, "prev_entry_hash", "genesis".into()),
            3,
            "chain_link_broken",
        ),
        (
            at(4, "entry_type", "session_reset".into()),
            4,
            "session_changed",
        ),
    ] {
        assert_eq!(entry_faults(&changed), [(Some(entry), code)]);
    }
}

#[test]
fn a_reset_carries_the_chain_over_to_its_successor() {
    let Some((bundle, _)) = sample() else { return };
    let reset = |closed: &'static str, successor: &'static str| {
        rehashed(&bundle, move |place, members| {
            if place == 4 {
                members.insert("entry_type", "session_reset");
                members.insert(
                    "detail",
                    Object::from([
                        ("closed_session_id", closed),
                        ("successor_session_id", successor),
                    ]),
                );
            }
            if place > 4 {
                members.insert("session_id", "successor");
            }
        })
    };
    let facts = read(&reset(samples::LOG, "successor"), None).expect("holds");
    assert_eq!(facts.final_session, "successor");
    assert_eq!(facts.session_id, samples::LOG);
    for wrong in [
        reset("another", "successor"),
        reset(samples::LOG, "another"),
        reset(samples::LOG, ""),
    ] {
        assert!(
            entry_faults(&wrong).contains(&(Some(4), "session_changed"))
                || entry_faults(&wrong).contains(&(Some(5), "session_changed"))
        );
    }
}

#[test]
fn entries_of_version_02_have_four_members_less() {
    let Some((bundle, _)) = sample() else { return };
    let older = rehashed(&bundle, |_, members| {
        for name in [
            "evidence_class",
            "external_execution_evidence",
            "effective_data_class",
            "execution_id",
        ] {
            members.remove(name);
        }
    });
    assert_eq!(entry_faults(&older), []);
}

#[test]
fn a_bundle_without_its_signature_or_with_other_members_is_refused() {
    let Some((bundle, _)) = sample() else { return };
    let document = samples::json(&bundle);
    for (change, code) in [
        (
            &(|d: &mut Object| drop(d.remove("bundle_signature"))) as &dyn Fn(&mut Object),
            "export_signature_missing",
        ),
        (
            &|d| drop(d.insert("bundle_signature", "AAAA")),
            "export_signature_missing",
        ),
        (&|d| drop(d.remove("session_id")), "export_member"),
        (&|d| drop(d.insert("checkpoint", 1_i64)), "export_member"),
    ] {
        let mut changed = document.clone();
        change(changed.as_object_mut().unwrap());
        assert_eq!(entry_faults(&changed.to_vec()), [(None, code)]);
    }
}

use cmcp_json::{Form, Limits, Value};

use super::*;
use crate::audit::{Chain, samples};
use crate::verdict::Verdict;

fn bundle(log: &[Vec<u8>]) -> Vec<Value> {
    let mut chain = Chain::new(samples::LOG);
    log.iter()
        .filter_map(|stored| chain.take_projected(stored).expect("next entry").1)
        .map(|projected| cmcp_json::parse(&projected.to_bytes(), &Limits::DOCUMENT).unwrap())
        .collect()
}

fn text<'a>(entry: &'a Value, name: &str) -> Option<&'a str> {
    entry.get(name).unwrap().as_str()
}

#[test]
fn known_entries_have_their_known_bytes_and_hashes() {
    let Some(vectors) = samples::shared("cmcp-vectors.json") else {
        return;
    };
    let vectors = samples::json(&vectors);
    let known = |name: &str| {
        let vector = vectors.get(name).unwrap();
        let text = |member: &str| vector.get(member).unwrap().as_str().unwrap().to_owned();
        (text("preimage_pyj"), text("hash"))
    };
    let start = Projected {
        entry_id: "b152cb47-145b-4aa7-9dfd-ff7d8f7bcd18".to_owned(),
        policy_decision: Some("n/a"),
        prev_entry_hash: "genesis".to_owned(),
        response_inspection_result: Some("n/a"),
        session_id: samples::LOG.to_owned(),
        session_sensitivity_after: Some("public".to_owned()),
        timestamp_utc: samples::at(0).python_iso(),
        ..Projected::new("session_start")
    };
    let (preimage, hash) = known("audit_entry_session_start");
    assert_eq!(String::from_utf8(start.to_bytes()).unwrap(), preimage);
    assert_eq!(start.hash_without_own().hex(), hash);

    let owned = |text: &str| Some(text.to_owned());
    let allowed = Projected {
        call_id: owned("9f13449c-9813-40bb-a08b-d5ac2bd6b0b6"),
        entry_id: "a0a0d9ee-d286-4dbe-b83a-3aa88d118b2c".to_owned(),
        latency_us: Some(43_653),
        policy_decision: Some("allow"),
        policy_rule_matched: owned("Cedar (cedarpy): allowed"),
        prev_entry_hash: "f69b9681538abb6042e5298d3ef97d60585e603c10666f08b70d56ffe168ab42"
            .to_owned(),
        request_payload_hash: owned(vector_hash(&vectors, "request_payload_hash")),
        response_payload_hash: owned(vector_hash(&vectors, "response_payload_hash")),
        sequence_number: 2,
        server_identity: owned("http://127.0.0.1:19001/mcp"),
        session_id: samples::LOG.to_owned(),
        session_sensitivity_after: owned("public"),
        session_sensitivity_before: owned("public"),
        timestamp_utc: "2026-11-20T09:12:41.559454+00:00".to_owned(),
        tool_name: owned("echo"),
        workflow_id: owned("demo"),
        ..Projected::new("tool_call")
    };
    let (preimage, hash) = known("audit_entry_allowed_call");
    assert_eq!(String::from_utf8(allowed.to_bytes()).unwrap(), preimage);
    assert_eq!(allowed.hash_without_own().hex(), hash);
}

fn vector_hash<'a>(vectors: &'a Value, name: &str) -> &'a str {
    vectors
        .get(name)
        .unwrap()
        .get("hash")
        .unwrap()
        .as_str()
        .unwrap()
}

#[test]
fn every_projected_entry_has_24_members_in_the_older_canonical_form() {
    let log = samples::log_of(samples::every_kind());
    for entry in bundle(&log) {
        assert_eq!(entry.as_object().unwrap().len(), 24);
        let body = cmcp_json::canonical_without(&entry, "entry_hash", Form::Pyj).unwrap();
        assert_eq!(
            text(&entry, "entry_hash").unwrap(),
            Sha256Digest::of(&body).hex()
        );
    }
    let mut chain = Chain::new(samples::LOG);
    for projected in log
        .iter()
        .filter_map(|stored| chain.take_projected(stored).unwrap().1)
    {
        let value = samples::json(&projected.to_bytes());
        let canonical = cmcp_json::canonical(&value, Form::Pyj).unwrap();
        assert_eq!(
            String::from_utf8(projected.to_bytes()).unwrap(),
            String::from_utf8(canonical).unwrap()
        );
    }
}

#[test]
fn characters_are_spelled_as_python_spells_them() {
    let mut chain = Chain::new("é🔒\u{7f}\u{1f}/\"");
    let stored = chain
        .append(&samples::start(), samples::at(0))
        .unwrap()
        .bytes;
    let mut reader = Chain::new("é🔒\u{7f}\u{1f}/\"");
    let projected = reader.take_projected(&stored).unwrap().1.unwrap();
    let bytes = String::from_utf8(projected.to_bytes()).unwrap();
    assert!(
        bytes.contains(r#""session_id":"\u00e9\ud83d\udd12\u007f\u001f/\"""#),
        "{bytes}"
    );
    assert!(bytes.is_ascii());
}

#[test]
fn sequence_and_links_are_whole_though_some_entries_have_no_projection() {
    let log = samples::log_of(samples::every_kind());
    let bundle = bundle(&log);
    // One start, and every kind but declarations, intent and recovered.
    assert_eq!(bundle.len(), log.len() - 3);
    let mut prev = "genesis".to_owned();
    for (place, entry) in bundle.iter().enumerate() {
        assert_eq!(
            entry.get("sequence_number").unwrap().as_u64(),
            Some(place as u64)
        );
        assert_eq!(text(entry, "prev_entry_hash"), Some(prev.as_str()));
        prev = text(entry, "entry_hash").unwrap().to_owned();
    }
    let types: Vec<_> = bundle
        .iter()
        .map(|entry| text(entry, "entry_type").unwrap())
        .collect();
    assert_eq!(
        types,
        [
            "session_start",
            "tool_call",
            "tool_call",
            "attestation_stale",
            "attestation_refresh",
            "policy_load",
            "catalog_load",
            "catalog_drift",
            "break_glass_used",
            "break_glass_used",
            "break_glass_used",
            "suspicious_call_sequence",
            "session_reset",
            "session_end"
        ]
    );
    assert_eq!(text(&bundle[12], "session_id"), Some(samples::LOG));
    assert_eq!(
        text(&bundle[13], "session_id"),
        Some("33d691a2-430b-4c95-9fc5-5b2c77eb7761")
    );
}

#[test]
fn what_is_no_call_of_a_tool_has_no_place_there() {
    let mut chain = Chain::new(samples::LOG);
    let mut told = Vec::new();
    for kind in std::iter::once(samples::start()).chain(samples::later_kinds()) {
        let appended = chain.append(&kind, samples::at(5)).unwrap();
        assert_eq!(appended.hash, Sha256Digest::of(&appended.bytes));
        told.extend(appended.compat_hash.map(|_| kind.as_str()));
    }
    assert_eq!(told, ["session_start", "catalog_drift"]);

    // And what follows it stands there as if it had never been.
    let call = || samples::called("echo", Verdict::Allow);
    let kinds = samples::later_kinds().into_iter().chain([call()]);
    let among: Vec<_> = bundle(&samples::log_of(kinds));
    let types: Vec<_> = among
        .iter()
        .map(|entry| text(entry, "entry_type"))
        .collect();
    let expected = ["session_start", "catalog_drift", "tool_call"].map(Some);
    assert_eq!(types, expected);
    assert_eq!(
        text(&among[2], "prev_entry_hash"),
        text(&among[1], "entry_hash")
    );
    assert_eq!(among[2].get("sequence_number").unwrap().as_u64(), Some(2));
}

#[test]
fn the_hash_told_when_appending_is_the_one_in_the_export() {
    let mut chain = Chain::new(samples::LOG);
    let mut told = Vec::new();
    let mut log = Vec::new();
    for kind in std::iter::once(samples::start()).chain(samples::every_kind()) {
        let appended = chain.append(&kind, samples::at(5)).unwrap();
        told.extend(appended.compat_hash);
        log.push(appended.bytes);
    }
    let exported: Vec<_> = bundle(&log)
        .iter()
        .map(|e| text(e, "entry_hash").unwrap().to_owned())
        .collect();
    assert_eq!(exported, told);
}

#[test]
fn payloads_are_told_by_commitment_unless_plain_digests_were_asked_for() {
    let mut plain = samples::outcome("echo", Verdict::Allow);
    let salted = plain.clone();
    plain.request_plain = Some(samples::digest("request"));
    plain.response_plain = Some(samples::digest("response"));
    let log = samples::log_of([
        Kind::Outcome(Box::new(salted.clone())),
        Kind::Outcome(Box::new(plain)),
    ]);
    let bundle = bundle(&log);
    let request = |entry| text(entry, "request_payload_hash").unwrap();
    let response = |entry| text(entry, "response_payload_hash").unwrap();
    assert_eq!(request(&bundle[1]), salted.call.request.to_string());
    assert_eq!(response(&bundle[1]), salted.response.unwrap().to_string());
    assert_eq!(request(&bundle[2]), samples::digest("request").to_string());
    assert_eq!(
        response(&bundle[2]),
        samples::digest("response").to_string()
    );
}

#[test]
fn rules_and_inspection_have_the_older_words() {
    let told = |code: Option<&str>, change: fn(&mut Outcome)| {
        let mut outcome = samples::outcome("echo", Verdict::Allow);
        outcome.code = code.map(Into::into);
        change(&mut outcome);
        let projected = Projected::of_outcome(&outcome);
        (
            projected.policy_rule_matched,
            projected.response_inspection_result,
        )
    };
    let some = |rule: &str| Some(rule.to_owned());
    assert_eq!(told(None, |_| ()), (some("policy0"), Some("pass")));
    assert_eq!(
        told(Some("policy_deny"), |o| o.response = None),
        (some("policy0"), None)
    );
    assert_eq!(
        told(Some("catalog_miss"), |o| o.response = None),
        (some("catalog_miss"), None)
    );
    assert_eq!(
        told(Some("upstream_unavailable"), |o| o.response = None),
        (some("upstream:UPSTREAM_UNAVAILABLE"), None)
    );
    assert_eq!(
        told(Some("response_size_exceeded"), |_| ()),
        (some("response_size_exceeded"), Some("size_exceeded"))
    );
    assert_eq!(
        told(Some("output_schema_violation"), |o| o.call.policies =
            [""; 0].into_iter().collect()),
        (some("output_schema_violation"), Some("schema_violation"))
    );
    assert_eq!(
        told(None, |o| o.findings =
            Findings::new([("injection/conceal", 1)]))
        .1,
        Some("injection_detected")
    );
    assert_eq!(
        told(None, |o| o.redactions = ["$.a"].into_iter().collect()).1,
        Some("surplus_stripped")
    );
}

#[test]
fn entry_ids_look_random_and_are_not() {
    let log = samples::log_of([]);
    let id = text(&bundle(&log)[0], "entry_id").unwrap().to_owned();
    assert_eq!(id, text(&bundle(&log)[0], "entry_id").unwrap());
    let groups: Vec<&str> = id.split('-').collect();
    assert_eq!(
        groups.iter().map(|group| group.len()).collect::<Vec<_>>(),
        [8, 4, 4, 4, 12]
    );
    assert!(groups[2].starts_with('4'));
    assert!(groups[3].starts_with(['8', '9', 'a', 'b']));
}

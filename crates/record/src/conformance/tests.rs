use cmcp_evidence::{Sha256Digest, b64};
use cmcp_json::{Limits, Object, Value};

use super::answer;
use crate::trust_record::tests::{changed, draft, key, member};

fn ask(family: &str, input: Object) -> String {
    let request = Object::from([
        ("family", Value::from(family)),
        ("input", Value::Object(input)),
    ]);
    String::from_utf8(answer(&Value::Object(request).to_vec())).unwrap()
}

fn json(bytes: &[u8]) -> Value {
    cmcp_json::parse(bytes, &Limits::DOCUMENT).unwrap()
}

fn bytes_input(record: &[u8]) -> Object {
    Object::from([
        ("record_base64", Value::from(b64::encode(record))),
        ("trusted_key", key().public().jwk()),
        ("now", Value::from(1_785_000_100_i64)),
        ("max_age_seconds", Value::from(86_400_i64)),
        ("max_future_skew_seconds", Value::from(300_i64)),
        (
            "accepted_profiles",
            Value::from(vec!["tag:agentrust-io.com,2026:trace-v0.2"]),
        ),
    ])
}

#[test]
fn bytes_answers_outcome_and_grade() {
    let record = draft().sign(&key()).unwrap();
    assert_eq!(
        ask("bytes", bytes_input(&record)),
        r#"{"outcome":"verified","failure":null,"grade":"unattested"}"#
    );
    let rejected = |input: Object, failure: &str| {
        let expected =
            format!(r#"{{"outcome":"rejected","failure":"{failure}","grade":"reject"}}"#);
        assert_eq!(ask("bytes", input), expected);
    };
    let input = |change: fn(&mut Object)| {
        let mut input = bytes_input(&draft().sign(&key()).unwrap());
        change(&mut input);
        input
    };
    rejected(
        input(|input| drop(input.remove("trusted_key"))),
        "trusted_key_absent",
    );
    rejected(
        input(|input| drop(input.insert("accepted_profiles", Vec::<&str>::new()))),
        "no_accepted_profiles",
    );
    rejected(
        input(|input| drop(input.insert("accepted_profiles", vec!["tag:x,2025:y"]))),
        "unschemaed_profile_in_accepted_set",
    );
    rejected(
        input(|input| drop(input.insert("max_age_seconds", -1_i64))),
        "age_invalid",
    );
    rejected(
        input(|input| drop(input.insert("now", 1_785_086_401_i64))),
        "stale",
    );
    rejected(
        input(|input| drop(input.insert("now", 1_784_999_699_i64))),
        "issued_in_future",
    );
    rejected(
        input(|input| drop(input.insert("expected_nonce", "Y2hhbGxlbmdlLTAxMjM0NTY3"))),
        "nonce_absent",
    );
    rejected(bytes_input(b"{\"a\":1,\"a\":1}"), "duplicate_member");
    rejected(bytes_input(&[b'['; 65]), "nesting_too_deep");
    rejected(bytes_input(b"\xef\xbb\xbf{}"), "json_malformed");
}

#[test]
fn bytes_takes_either_alphabet_of_base64() {
    let record = draft().sign(&key()).unwrap();
    let mut input = bytes_input(&record);
    let url = b64::encode(&record);
    let standard = url.replace('-', "+").replace('_', "/");
    let padding = "=".repeat((4 - standard.len() % 4) % 4);
    input.insert("record_base64", format!("{standard}{padding}"));
    assert!(ask("bytes", input).starts_with(r#"{"outcome":"verified""#));
}

#[test]
fn canon_answers_with_the_trusted_key_alone() {
    let record = draft().sign(&key()).unwrap();
    let input = |record: Value| {
        Object::from([
            ("record", record),
            ("trusted_key", key().public().jwk()),
            ("now", Value::from(1_785_000_000_i64)),
        ])
    };
    assert_eq!(
        ask("canon", input(json(&record))),
        r#"{"outcome":"verified","failure":null}"#
    );
    let mut altered = json(&record);
    altered.as_object_mut().unwrap().insert("data_class", "pii");
    assert_eq!(
        ask("canon", input(altered)),
        r#"{"outcome":"rejected","failure":"signature_invalid"}"#
    );
}

#[test]
fn vercompat_answers_under_which_profile_it_verified() {
    let input = |record: Vec<u8>| {
        let verifier = Object::from([
            (
                "accepted_profiles",
                Value::from(vec![crate::trust_record::PROFILE]),
            ),
            ("verification_time", Value::from(1_985_000_000_i64)),
            ("check_freshness", Value::from(false)),
        ]);
        Object::from([
            ("verifier", Value::Object(verifier)),
            ("trusted_key", key().public().jwk()),
            ("record", json(&record)),
        ])
    };
    let profile = crate::trust_record::PROFILE;
    assert_eq!(
        ask("vercompat", input(draft().sign(&key()).unwrap())),
        format!(
            r#"{{"outcome":"verified","failure":null,"statement":{{"profile":"{profile}","accepted_profiles":["{profile}"]}}}}"#
        )
    );
    let absent = changed(|record| drop(record.remove("eat_profile")));
    assert_eq!(
        ask("vercompat", input(absent)),
        r#"{"outcome":"refused","failure":"profile_absent","statement":null}"#
    );
}

#[test]
fn citation_lists_every_surface_in_order() {
    let record = changed(|record| {
        let appraisal = member(record, &["appraisal"]).as_object_mut().unwrap();
        appraisal.insert("policy_ref", "https://policy.example/1");
    });
    let object = Object::from([("bytes_base64", "cG9saWN5")]);
    let resolutions = Object::from([("https://policy.example/1", object)]);
    let context = Object::from([
        ("now", Value::from(1_785_000_000_i64)),
        ("trusted_key", key().public().jwk()),
        ("resolutions", Value::Object(resolutions)),
    ]);
    let input = Object::from([
        ("context", Value::Object(context)),
        ("record", json(&record)),
    ]);
    let digest = Sha256Digest::of(b"policy").hex();
    assert_eq!(
        ask("citation", input),
        format!(
            r#"{{"rejected":false,"codes":[],"citations":{{"appraisal.policy_ref":["resolved",null],"runtime.rim_uri":["not_attempted","field_absent"],"model.aibom_uri":["not_attempted","field_absent"],"transparency":["not_attempted","surface_deferred"]}},"evidence":{{"appraisal.policy_ref":{{"uri":"https://policy.example/1","sha256":"{digest}","bytes":6}},"runtime.rim_uri":{{}},"model.aibom_uri":{{}},"transparency":{{}}}}}}"#
        )
    );
}

#[test]
fn revocation_without_a_bundle_says_that_nothing_was_checked() {
    let context = Object::from([
        ("now", Value::from(1_785_000_000_i64)),
        ("trusted_key", key().public().jwk()),
        ("trusted_bundle_keys", Value::Array(Vec::new())),
        ("bundle", Value::Null),
    ]);
    let record = draft().sign(&key()).unwrap();
    let input = Object::from([
        ("context", Value::Object(context)),
        ("record", json(&record)),
    ]);
    assert_eq!(
        ask("revocation", input),
        r#"{"rejected":false,"outcome":"no_check_performed","cause":null,"codes":["no_check_performed"],"evidence":{}}"#
    );
}

#[test]
fn repro_answers_accept_or_reject_with_every_code() {
    let input = |record: Vec<u8>| Object::from([("record", json(&record))]);
    assert_eq!(
        ask("repro", input(draft().sign(&key()).unwrap())),
        r#"{"outcome":"accept","codes":[]}"#
    );
    let without = changed(|record| {
        let appraisal = member(record, &["appraisal"]).as_object_mut().unwrap();
        appraisal.insert("method", "re-execution");
    });
    assert_eq!(
        ask("repro", input(without)),
        r#"{"outcome":"reject","codes":["method_without_re_execution"]}"#
    );
}

#[test]
fn policy_tells_a_wrong_reference_from_a_lost_one() {
    let digest = Sha256Digest::of(b"bundle").to_string();
    let judged = |uri: Option<&str>, hash: &str, resolutions: Option<(&str, &str)>| {
        let mut policy = Object::from([("bundle_hash", hash)]);
        if let Some(uri) = uri {
            policy.insert("policy_uri", uri);
        }
        let record = Object::from([("policy", policy)]);
        let mut input = Object::from([("record", record)]);
        if let Some((uri, text)) = resolutions {
            let object = Object::from([("bytes_base64", b64::encode(text.as_bytes()))]);
            input.insert("resolutions", Object::from([(uri, object)]));
        }
        let answer = ask("policy", input);
        json(answer.as_bytes())
            .get("tr_pol_003")
            .unwrap()
            .as_str()
            .unwrap()
            .to_owned()
    };
    let uri = "https://policy.example/bundle";
    assert_eq!(judged(None, &digest, Some((uri, "bundle"))), "skip");
    assert_eq!(judged(Some(uri), &digest, None), "skip");
    assert_eq!(
        judged(Some(uri), "sha256:00", Some((uri, "bundle"))),
        "skip"
    );
    assert_eq!(judged(Some(uri), &digest, Some((uri, "bundle"))), "pass");
    assert_eq!(judged(Some(uri), &digest, Some((uri, "bundlf"))), "fail");
    assert_eq!(
        judged(Some(uri), &digest, Some(("https://x.example/", "bundle"))),
        "unverified"
    );
    for wrong in [
        "bundles/1",
        "//policy.example/x",
        "https://policy.example/a b",
        "1x:y",
        "",
    ] {
        assert_eq!(judged(Some(wrong), &digest, None), "fail", "{wrong}");
    }
}

#[test]
fn what_is_not_implemented_says_so() {
    for family in ["delegation", "receipts", "manifest", "x"] {
        let expected = format!(r#"{{"unsupported":"{family}"}}"#);
        assert_eq!(ask(family, Object::new()), expected);
    }
}

#[test]
fn what_is_no_vector_is_answered_with_an_error() {
    for (input, detail) in [
        (
            &b"{"[..],
            "expected a member name in double quotes at byte 1",
        ),
        (b"{}", "`family` is absent or of another type"),
        (
            b"{\"family\":\"bytes\"}",
            "`input` is absent or of another type",
        ),
        (
            b"{\"family\":\"bytes\",\"input\":{}}",
            "`record_base64` is absent or of another type",
        ),
    ] {
        let answered = json(&answer(input));
        assert_eq!(
            answered.get("error").unwrap().as_str(),
            Some("input_invalid")
        );
        let found = answered.get("detail").unwrap().as_str().unwrap();
        assert!(found == detail || input == b"{", "{found}");
    }
}

fn value(text: &str) -> Value {
    cmcp_json::parse(text.as_bytes(), &Limits::DOCUMENT).unwrap()
}

#[test]
fn a_claim_is_included_in_the_tree_that_its_receipt_proves() {
    let claim = r#"{"b":"\u00fc","a":1}"#;
    let leaf = crate::tree::leaf(br#"{"a":1,"b":"\u00fc"}"#);
    let other = crate::tree::leaf(b"other");
    let root = Sha256Digest::of_parts(&[&[1], leaf.as_bytes(), other.as_bytes()]);
    let ask = |receipt: String| {
        ask(
            "anchor",
            Object::from([("claim", value(claim)), ("receipt", value(&receipt))]),
        )
    };
    let receipt = |index: &str, count: &str, sibling: &str| {
        format!(
            r#"{{"leaf_index":{index},"leaf_count":{count},"audit_path":["{sibling}"],"merkle_root":"{root}"}}"#
        )
    };
    let other = other.to_string();
    let pass = r#"{"inclusion":"pass","tr_anc_002":"pass"}"#;
    let fail = r#"{"inclusion":"fail","tr_anc_002":"fail"}"#;
    assert_eq!(ask(receipt("0", "2", &other)), pass);
    for (index, count, sibling) in [
        ("1", "2", other.as_str()),
        ("0", "3", &other),
        ("true", "2", &other),
        ("-1", "2", &other),
        ("0", "0", &other),
        ("0", "2", "sha256:xyz"),
    ] {
        assert_eq!(ask(receipt(index, count, sibling)), fail, "{index} {count}");
    }
    assert_eq!(ask("null".to_owned()), fail);
}

/// Build provenance whose attestation and one dependency hold, changed by text.
fn depth(change: &[(&str, &str)]) -> String {
    let mut text = r#"{"context":{"artifact_digest":"sha256:aa","trusted_builders":["b"],
"trusted_publisher_issuers":["i"],"attestations":{"u":{"statement":{"subject":[{"digest":{"sha256":"aa"}}],
"predicate":{"buildDefinition":{"resolvedDependencies":[{"uri":"d","digest":{"sha256":"dd"}}]},
"runDetails":{"builder":{"id":"b"}}}}}},"dependency_attestations":{"d":{"statement":{"subject":
[{"digest":{"sha256":"dd"}}]},"verified_identity":{"issuer":"i"}}}},
"build_provenance":{"builder":"b","digest":"sha256:aa","provenance_uri":"u"}}"#
        .to_owned();
    for (from, to) in change {
        assert!(text.contains(from), "{from}");
        text = text.replace(from, to);
    }
    let Value::Object(input) = value(&text) else {
        panic!("an object");
    };
    ask("depth", input)
}

#[test]
fn each_depth_says_what_it_walked_and_what_contradicts() {
    let line = |depth: &str, outcome: &str, verified: &str, failures: &str, unresolved: &str| {
        format!(
            r#""{depth}":{{"outcome":"{outcome}","verified_depth":"{verified}","failures":[{failures}],"unresolved":[{unresolved}]}}"#
        )
    };
    let all = depth(&[]);
    for name in ["surface", "builder", "transitive"] {
        assert!(all.contains(&line(name, "accept", name, "", "")), "{all}");
    }
    let transitive = |change: &[(&str, &str)], expected: String| {
        let answer = depth(change);
        assert!(answer.contains(&expected), "{answer}");
    };
    let reject = |code: &str| line("transitive", "reject", "transitive", code, "");
    transitive(
        &[(
            r#""subject":[{"digest":{"sha256":"aa"}}]"#,
            r#""subject":[]"#,
        )],
        reject(r#""attestation_subject_mismatch""#),
    );
    transitive(
        &[(r#""builder":{"id":"b"}"#, r#""builder":{"id":"x"}"#)],
        reject(r#""attestation_builder_mismatch""#),
    );
    transitive(
        &[(r#""issuer":"i""#, r#""issuer":"x""#)],
        reject(r#""dependency_publisher_untrusted""#),
    );
    transitive(
        &[(r#"[{"uri":"d","digest":{"sha256":"dd"}}]"#, "[]")],
        line(
            "transitive",
            "accept",
            "builder",
            "",
            r#""resolved_dependencies_absent""#,
        ),
    );
    transitive(
        &[(r#""uri":"d""#, r#""uri":"e""#)],
        line(
            "transitive",
            "accept",
            "builder",
            "",
            r#""dependency_attestation_missing""#,
        ),
    );
    transitive(
        &[(r#""provenance_uri":"u""#, r#""provenance_uri":"v""#)],
        line(
            "transitive",
            "accept",
            "surface",
            "",
            r#""attestation_missing""#,
        ),
    );
}

#[test]
fn a_builder_that_nobody_trusts_is_rejected_at_the_surface() {
    let untrusted = depth(&[(r#""builder":"b""#, r#""builder":"x""#)]);
    let expected = r#""surface":{"outcome":"reject","verified_depth":"surface","failures":["builder_untrusted"],"unresolved":[]}"#;
    assert!(untrusted.contains(expected), "{untrusted}");
}

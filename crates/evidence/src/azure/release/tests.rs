use super::*;
use crate::Sha256Digest;

fn policy(conditions: &str) -> String {
    format!(
        r#"{{"version":"1.0.0","anyOf":[{{"authority":"https://maa.example","allOf":[{conditions}]}}]}}"#
    )
}

fn claims(text: &str) -> Value {
    cmcp_json::parse(text.as_bytes(), &Limits::DOCUMENT).expect("JSON")
}

fn released(policy: &str, of: &str) -> bool {
    let policy = ReleasePolicy::parse(policy.as_bytes()).expect("a policy");
    match policy.evaluate(claims(of).as_object().expect("an object")) {
        Decision::Released { .. } => true,
        Decision::Refused { why } => {
            assert!(!why.is_empty());
            false
        }
    }
}

#[test]
fn one_slash_at_the_end_of_an_issuer_does_not_count() {
    let text = policy(r#"{"claim":"a","equals":"1"}"#);
    for (issuer, holds) in [
        ("https://maa.example", true),
        ("https://maa.example/", true),
        ("https://maa.example//", false),
        ("https://MAA.example", false),
        ("https://maa.example.evil", false),
        ("", false),
    ] {
        assert_eq!(
            released(&text, &format!(r#"{{"iss":"{issuer}","a":1}}"#)),
            holds,
            "{issuer}"
        );
        let slashed = text.replace("maa.example", "maa.example/");
        assert_eq!(
            released(&slashed, &format!(r#"{{"iss":"{issuer}","a":1}}"#)),
            holds,
            "{issuer}"
        );
    }
    assert!(!released(&text, r#"{"a":1}"#));
}

#[test]
fn values_are_compared_in_string_form() {
    let holds = |equals: &str, value: &str| {
        let text = policy(&format!(r#"{{"claim":"a","equals":{equals}}}"#));
        released(
            &text,
            &format!(r#"{{"iss":"https://maa.example","a":{value}}}"#),
        )
    };
    assert!(holds("\"false\"", "false"));
    assert!(holds("false", "\"false\""));
    assert!(holds("\"0\"", "0"));
    assert!(holds("0", "\"0\""));
    assert!(!holds("\"0\"", "false"));
    assert!(!holds("\"\"", "null"));
    assert!(!holds("\"1\"", "[1]"));
    assert!(!holds("\"1\"", "{\"b\":1}"));
    assert!(!holds("\"False\"", "false"));
    assert!(!holds("1", "1.0"));
}

#[test]
fn names_walk_objects_and_never_lists() {
    let text = policy(r#"{"claim":"a.b.c","equals":"1"}"#);
    let of = |rest: &str| released(&text, &format!(r#"{{"iss":"https://maa.example",{rest}}}"#));
    assert!(of(r#""a":{"b":{"c":1}}"#));
    assert!(of(r#""a.b.c":1"#));
    assert!(
        !of(r#""a.b.c":2,"a":{"b":{"c":1}}"#),
        "the exact name comes first"
    );
    assert!(!of(r#""a":{"b":[{"c":1}]}"#));
    assert!(!of(r#""a":{"b":1}"#));
    assert!(!of(r#""a":{"b.c":1}"#));
    let index = policy(r#"{"claim":"a.0","equals":"1"}"#);
    assert!(!released(
        &index,
        r#"{"iss":"https://maa.example","a":[1]}"#
    ));
}

#[test]
fn lists_without_anything_are_false() {
    let with = |condition: &str| {
        format!(
            r#"{{"version":"1.0.0","anyOf":[{{"authority":"https://maa.example",{condition}}}]}}"#
        )
    };
    let token = r#"{"iss":"https://maa.example","a":1}"#;
    assert!(!released(&with(r#""allOf":[]"#), token));
    assert!(!released(&with(r#""anyOf":[]"#), token));
    assert!(!released(&with(r#""anyOf":[{"allOf":[]}]"#), token));
    assert!(!released(r#"{"version":"1.0.0","anyOf":[]}"#, token));
    let both = r#""anyOf":[{"claim":"b","equals":1},{"allOf":[{"claim":"a","equals":1},{"anyOf":[{"claim":"a","equals":1}]}]}]"#;
    assert!(released(&with(both), token));
    assert!(!released(
        &with(both),
        r#"{"iss":"https://maa.example","a":2}"#
    ));
}

#[test]
fn a_refusal_says_what_does_not_hold() {
    let text = policy(
        r#"{"claim":"a","equals":1},{"claim":"b","equals":"x"},{"claim":"c","equals":true}"#,
    );
    let policy = ReleasePolicy::parse(text.as_bytes()).expect("a policy");
    let of = |text: &str| policy.evaluate(claims(text).as_object().expect("an object"));
    let why = [
        "`b` is y, and has to be x",
        "`c` is absent, and has to be true",
    ];
    assert_eq!(
        of(r#"{"iss":"https://maa.example","a":1,"b":"y"}"#),
        Decision::Refused {
            why: why.map(str::to_owned).to_vec()
        }
    );
    let released = of(r#"{"iss":"https://maa.example/","a":1,"b":"x","c":true}"#);
    assert_eq!(
        released,
        Decision::Released {
            authority: "https://maa.example".to_owned()
        }
    );
    let Decision::Refused { why } = of(r#"{"iss":"https://other"}"#) else {
        panic!("released");
    };
    assert_eq!(
        why,
        ["issuer `https://other` is not one of the authorities, or nothing is asked of it"]
    );
}

#[test]
fn what_cannot_be_evaluated_is_an_error() {
    for operator in OPERATORS {
        let text = policy(&format!(r#"{{"claim":"a","{operator}":"1"}}"#));
        assert_eq!(
            ReleasePolicy::parse(text.as_bytes()),
            Err(ReleaseError::Operator {
                place: "anyOf[0].allOf[0]".to_owned(),
                operator: (*operator).to_owned(),
            })
        );
    }
    for (text, place) in [
        (r#"{"anyOf":[]}"#.to_owned(), "version"),
        (r#"{"version":"2.0.0","anyOf":[]}"#.to_owned(), "version"),
        (r#"{"version":"1.0.0"}"#.to_owned(), "anyOf"),
        (r#"{"version":"1.0.0","allOf":[]}"#.to_owned(), "anyOf"),
        (r#"{"version":"1.0.0","anyOf":[1]}"#.to_owned(), "anyOf[0]"),
        (
            r#"{"version":"1.0.0","anyOf":[{"allOf":[]}]}"#.to_owned(),
            "anyOf[0]",
        ),
        (
            r#"{"version":"1.0.0","anyOf":[{"authority":"x"}]}"#.to_owned(),
            "anyOf[0]",
        ),
        (
            r#"{"version":"1.0.0","anyOf":[{"authority":"x","allOf":[],"anyOf":[]}]}"#.to_owned(),
            "anyOf[0]",
        ),
        (
            r#"{"version":"1.0.0","anyOf":[{"authority":"x","allOf":{}}]}"#.to_owned(),
            "anyOf[0].allOf",
        ),
        ("[]".to_owned(), "policy"),
        (policy("1"), "anyOf[0].allOf[0]"),
        (policy(r#"{"equals":1}"#), "anyOf[0].allOf[0]"),
        (policy(r#"{"claim":"a"}"#), "anyOf[0].allOf[0]"),
        (
            policy(r#"{"claim":"a","equals":null}"#),
            "anyOf[0].allOf[0]",
        ),
        (policy(r#"{"claim":"a","equals":[1]}"#), "anyOf[0].allOf[0]"),
        (policy(r#"{"allOf":[],"anyOf":[]}"#), "anyOf[0].allOf[0]"),
    ] {
        match ReleasePolicy::parse(text.as_bytes()) {
            Err(ReleaseError::Form { place: found, .. }) => assert_eq!(found, place, "{text}"),
            other => panic!("{text}: {other:?}"),
        }
    }
    let deep = format!(
        "{}{{\"claim\":\"a\",\"equals\":1}}{}",
        r#"{"allOf":["#.repeat(12),
        "]}".repeat(12)
    );
    assert!(ReleasePolicy::parse(policy(&deep).as_bytes()).is_err());
    let twice = policy(r#"{"claim":"a","claim":"b","equals":1}"#);
    assert!(matches!(
        ReleasePolicy::parse(twice.as_bytes()),
        Err(ReleaseError::Json(_))
    ));
}

#[test]
fn the_document_of_the_service_is_opened() {
    let inner = policy(r#"{"claim":"a","equals":1}"#);
    let data = b64::encode(inner.as_bytes());
    let outer = format!(
        r#"{{"contentType":"application/json; charset=utf-8","data":"{data}","immutable":true}}"#
    );
    let opened = ReleasePolicy::parse(outer.as_bytes()).expect("a policy");
    let plain = ReleasePolicy::parse(inner.as_bytes()).expect("a policy");
    assert_eq!(opened.authorities, plain.authorities);
    assert!(opened.immutable && !plain.immutable);
    let padded = outer.replace(&data, &format!("{data}="));
    assert!(ReleasePolicy::parse(padded.as_bytes()).is_err());
}

#[test]
fn the_target_is_the_first_key_for_encryption() {
    let of = |keys: &str| {
        let claims = claims(&format!(r#"{{"x-ms-runtime":{{"keys":[{keys}]}}}}"#));
        let key = target_key(claims.as_object().expect("an object"));
        key.and_then(|key| key.get("kid"))
            .and_then(Value::as_str)
            .map(str::to_owned)
    };
    let sign = r#"{"kid":"s","key_ops":["sign"]}"#;
    assert_eq!(
        of(&format!(
            r#"{sign},{{"kid":"e","key_ops":["encrypt"]}},{{"kid":"f","use":"enc"}}"#
        ))
        .as_deref(),
        Some("e")
    );
    assert_eq!(
        of(&format!(r#"{sign},{{"kid":"f","use":"enc"}}"#)).as_deref(),
        Some("f")
    );
    assert_eq!(of(sign), None);
    assert_eq!(of(""), None);
}

const HOST_DATA: &str = "cadd74f71ebb8fbf9782baab649612520f3c416bc5ce9ac768808ddc8d9b031c";

fn strict(host_data: &str) -> String {
    format!(
        r#"{{"claim":"x-ms-sevsnpvm-hostdata","equals":"{host_data}"}},{{"claim":"x-ms-compliance-status","equals":"azure-compliant-uvm"}},{{"claim":"x-ms-sevsnpvm-is-debuggable","equals":"false"}},{{"claim":"x-ms-sevsnpvm-vmpl","equals":"0"}}"#
    )
}

fn found(policy: &str, context: &Context<'_>) -> Vec<&'static str> {
    let findings = lint(policy.as_bytes(), context).expect("a policy");
    findings.iter().map(|finding| finding.code).collect()
}

#[test]
fn a_policy_for_one_container_policy_has_no_findings() {
    let context = Context {
        maa: Some("https://maa.example/"),
        ..Context::default()
    };
    assert_eq!(found(&policy(&strict(HOST_DATA)), &context), [""; 0]);
}

#[test]
fn what_lets_the_wrong_party_have_the_key_is_an_error() {
    let context = Context::default();
    let with = |from: &str, to: &str| {
        let text = policy(&strict(HOST_DATA));
        let changed = text.replace(from, to);
        assert_ne!(text, changed);
        found(&changed, &context)
    };
    assert_eq!(with("sevsnpvm-hostdata", "sevsnpvm-other"), ["no-hostdata"]);
    assert_eq!(with("is-debuggable", "other"), ["debuggable"]);
    assert_eq!(with("\"false\"", "\"true\""), ["debuggable"]);
    assert_eq!(
        with("vmpl\",\"equals\":\"0\"", "vmpl\",\"equals\":\"2\""),
        ["no-vmpl"]
    );
    assert_eq!(with("x-ms-compliance-status", "other"), ["no-compliance"]);
    assert_eq!(
        with("azure-compliant-uvm", "azure-compliant-cvm"),
        ["cvm-uvm"]
    );
    assert_eq!(
        with(
            "x-ms-compliance-status",
            "x-ms-isolation-tee.x-ms-compliance-status"
        ),
        ["cvm-uvm"]
    );
    assert_eq!(
        with(
            "\"x-ms-sevsnpvm-vmpl\"",
            "\"x-ms-attestation-type\",\"equals\":\"azurevm\"},{\"claim\":\"x-ms-sevsnpvm-vmpl\""
        ),
        ["cvm-uvm"]
    );
    assert_eq!(with("https:", "http:"), ["http-authority"]);
    assert_eq!(
        with(HOST_DATA, "<hash-digest-of-the-security-policy>"),
        ["hash-malformed"]
    );
    assert_eq!(
        with(HOST_DATA, &HOST_DATA.to_uppercase()),
        ["hash-malformed"]
    );
    assert_eq!(with(HOST_DATA, &"0".repeat(64)), ["hash-placeholder"]);
    assert_eq!(
        with("\"equals\":\"0\"", "\"equals\":\"0\",\"comment\":\"x\""),
        ["unknown-member"]
    );
    let any = policy(&strict(HOST_DATA)).replace("allOf", "anyOf");
    assert!(found(&any, &context).contains(&"no-hostdata"));
    assert_eq!(found(&policy(""), &context), ["never"]);
}

#[test]
fn the_hash_is_compared_with_the_policies_at_hand() {
    let text = b"package policy\n".to_vec();
    let of_text = Sha256Digest::of(&text).hex();
    let base64 = "cGFja2FnZSBwb2xpY3kK";
    let of_base64 = Sha256Digest::of(base64.as_bytes()).hex();
    let policies = [text];
    let context = Context {
        policies: &policies,
        ..Context::default()
    };
    assert_eq!(found(&policy(&strict(&of_text)), &context), [""; 0]);
    assert_eq!(
        found(&policy(&strict(&of_base64)), &context),
        ["hash-of-base64"]
    );
    assert_eq!(found(&policy(&strict(HOST_DATA)), &context), ["hash-other"]);
}

#[test]
fn a_branch_that_demands_less_makes_the_others_idle() {
    let weak = r#"{"claim":"x-ms-sevsnpvm-hostdata","equals":"HOST"},{"claim":"x-ms-compliance-status","equals":"azure-compliant-uvm"},{"claim":"x-ms-sevsnpvm-is-debuggable","equals":"false"}"#
        .replace("HOST", HOST_DATA);
    let conditions = format!(
        r#"{{"anyOf":[{{"allOf":[{}]}},{{"allOf":[{weak}]}}]}}"#,
        strict(HOST_DATA)
    );
    let context = Context::default();
    assert_eq!(
        found(&policy(&conditions), &context),
        ["no-vmpl", "weaker-branch"]
    );
    let same = format!(
        r#"{{"anyOf":[{{"allOf":[{0}]}},{{"allOf":[{0}]}}]}}"#,
        strict(HOST_DATA)
    );
    assert_eq!(found(&policy(&same), &context), [""; 0]);
}

#[test]
fn what_is_known_beside_the_policy_counts() {
    let text = policy(&strict(HOST_DATA));
    let maa = Context {
        maa: Some("https://other.example"),
        ..Context::default()
    };
    assert_eq!(found(&text, &maa), ["other-authority"]);
    let other =
        ReleasePolicy::parse(policy(&strict(&"ab".repeat(32))).as_bytes()).expect("a policy");
    let existing = Context {
        existing: Some(&other),
        ..Context::default()
    };
    assert_eq!(found(&text, &existing), ["other-policy"]);
    let same = ReleasePolicy::parse(text.as_bytes()).expect("a policy");
    let existing = Context {
        existing: Some(&same),
        ..Context::default()
    };
    assert_eq!(found(&text, &existing), [""; 0]);
    let data = b64::encode(text.as_bytes());
    let outer = format!(r#"{{"data":"{data}","immutable":true}}"#);
    assert_eq!(found(&outer, &Context::default()), ["immutable"]);
}

#[test]
fn b23_a_policy_with_too_many_ways_to_hold_is_an_error_and_not_a_wait() {
    let pair = r#"{"anyOf":[{"claim":"a","equals":1},{"claim":"b","equals":1}]}"#;
    let conditions = vec![pair; 40].join(",");
    assert_eq!(
        found(&policy(&conditions), &Context::default()),
        ["too-many-branches"]
    );
    let single = r#"{"claim":"a","equals":1}"#;
    let any = format!(r#"{{"anyOf":[{}]}}"#, vec![single; 257].join(","));
    assert_eq!(
        found(&policy(&any), &Context::default()),
        ["too-many-branches"]
    );
    let authority = format!(
        r#"{{"authority":"https://maa.example","anyOf":[{}]}}"#,
        vec![single; 129].join(",")
    );
    let two = format!(r#"{{"version":"1.0.0","anyOf":[{authority},{authority}]}}"#);
    assert_eq!(found(&two, &Context::default()), ["too-many-branches"]);
}

use super::*;

#[test]
fn a_genuine_answer_is_accepted_and_says_what_it_proves() {
    let devices = two();
    let answer = answer(&sign(&overall(&devices)), &devices);
    let result = judge_answer(&answer, &policy(), &challenge());
    assert_eq!(failed(&result), Vec::<&str>::new());
    assert_eq!(result.status, Status::Affirming);
    assert_eq!(result.claim("gpu-id"), Some("1"));
    assert_eq!(result.claim("gpu-driver"), Some("570.00"));
    assert!(result.notes.iter().any(|note| note.contains("relay")));
}

#[test]
fn every_claim_of_a_device_is_checked() {
    for &(claim, value) in CHAIN_CASES {
        let path = format!("x-nvidia-gpu-driver-rim-cert-chain/x-nvidia-cert-{claim}");
        let failed = faults(&[(&path, value)], NONE);
        assert_eq!(failed, ["nras.certificates"], "{claim} = {value:?}");
    }
    for &(path, value, code) in CASES {
        assert_eq!(faults(&[(path, value)], NONE), [code], "{path} = {value:?}");
    }
    for claim in object(&device("1")).keys() {
        if claim.starts_with("x-nvidia-gpu-")
            && object(&device("1")).get(claim).unwrap().as_bool().is_some()
        {
            for value in [Some("false"), Some("\"true\""), None] {
                assert_eq!(
                    faults(&[(claim, value)], NONE),
                    ["nras.verdicts"],
                    "{claim}"
                );
            }
        }
    }
}

#[test]
fn b04_a_gpu_that_can_be_debugged_is_refused() {
    assert_eq!(
        faults(&[("dbgstat", Some("\"enabled-since-boot\""))], NONE),
        ["nras.debug"]
    );
}

#[test]
fn older_claims_with_one_verdict_for_a_chain_are_read() {
    let old = |value: &'static str| {
        [
            ("x-nvidia-gpu-vbios-rim-cert-chain", None),
            ("x-nvidia-gpu-vbios-rim-cert-validated", Some(value)),
            ("x-nvidia-gpu-claims-version", None),
            ("x-nvidia-device-type", None),
        ]
    };
    assert!(faults(&old("true"), NONE).is_empty());
    assert_eq!(
        faults(&old("false"), NONE),
        ["nras.verdicts", "nras.certificates"]
    );
}

#[test]
fn b25_an_overall_verdict_and_a_devices_verdict_must_both_be_good() {
    for (value, code) in [
        (Some("false"), "nras.overall"),
        (Some("\"true\""), "nras.overall"),
        (None, "nras.overall"),
    ] {
        let changes = [("x-nvidia-overall-att-result", value)];
        assert_eq!(overall_faults(&changes), [code]);
    }
    assert_eq!(
        faults(&[("measres", Some("\"fail\""))], NONE),
        ["nras.measurements"]
    );
}

#[test]
fn b25_an_answer_for_another_nonce_is_refused() {
    let devices = two();
    let answer = answer(&sign(&overall(&devices)), &devices);
    let other = Binding::Challenge(vec![1, 2, 4]);
    assert_eq!(
        failed(&judge_answer(&answer, &policy(), &other)),
        ["nras.binding"]
    );
    assert_eq!(
        overall_faults(&[("eat_nonce", Some("\"010204\""))]),
        ["nras.binding"]
    );
    assert_eq!(overall_faults(&[("eat_nonce", None)]), ["nras.binding"]);
    let unknown = judge_answer(&answer, &policy(), &Binding::Unknown);
    assert_eq!(unknown.status, Status::Affirming);
}

#[test]
fn b25_an_answer_for_another_gpu_is_refused() {
    assert_eq!(faults(&[("ueid", Some("\"9\""))], NONE), ["nras.device-id"]);
}

#[test]
fn the_claims_over_all_devices_are_checked() {
    for (path, value, code) in [
        (
            "iss",
            Some("\"https://nras.attestation-stg.nvidia.com\""),
            "nras.issuer",
        ),
        ("exp", None, "nras.time"),
        ("x-nvidia-ver", Some("\"1.0\""), "nras.version"),
        ("x-nvidia-ver", Some("3.0"), "nras.version"),
        ("x-nvidia-ver", None, "nras.version"),
    ] {
        assert_eq!(overall_faults(&[(path, value)]), [code], "{path}");
    }
    assert_eq!(
        overall_faults(&[("x-nvidia-ver", Some("\"2.0\""))]),
        Vec::<&str>::new()
    );
}

#[test]
fn devices_are_listed_with_the_digests_of_their_tokens() {
    let real = Sha256Digest::of(two()[1].1.as_bytes()).hex();
    for (value, devices_fail) in [
        (
            format!(r#"["DIGEST", ["SHA-256", "{}"]]"#, "00".repeat(32)),
            false,
        ),
        (format!(r#"["DIGEST", ["SHA-384", "{real}"]]"#), true),
        (
            format!(r#"["DIGEST", ["SHA-256", "{}"]]"#, real.to_uppercase()),
            true,
        ),
        (format!(r#"["OTHER", ["SHA-256", "{real}"]]"#), true),
        ("true".to_owned(), true),
        ("[]".to_owned(), true),
    ] {
        let failed = overall_faults(&[("submods/GPU-1", Some(&value))]);
        let expected = if devices_fail {
            vec!["nras.digests", "nras.devices"]
        } else {
            vec!["nras.digests"]
        };
        assert_eq!(failed, expected, "{value}");
    }
    let other_name = format!(r#"["DIGEST", ["SHA256", "{real}"]]"#);
    assert!(overall_faults(&[("submods/GPU-1", Some(&other_name))]).is_empty());
    assert_eq!(
        overall_faults(&[("submods/GPU-1", None)]),
        ["nras.digests", "nras.devices"]
    );
    assert_eq!(
        overall_faults(&[("submods/GPU-2", Some(&other_name))]),
        ["nras.digests", "nras.devices"]
    );
    assert_eq!(
        overall_faults(&[("submods", None)]),
        ["nras.digests", "nras.devices"]
    );
}

#[test]
fn tokens_of_two_answers_do_not_go_together() {
    let devices = two();
    let overall = sign(&overall(&devices));
    let mut mixed = devices.clone();
    mixed[1].1 = sign(&changed(&device("2"), &[("jti", Some("\"2\""))]));
    let result = judge_answer(&answer(&overall, &mixed), &policy(), &challenge());
    assert_eq!(failed(&result), ["nras.digests"]);
    let fewer = answer(&overall, &devices[..1]);
    let result = judge_answer(&fewer, &policy(), &challenge());
    assert_eq!(failed(&result), ["nras.digests", "nras.devices"]);
}

#[test]
fn as_many_devices_as_policy_says_are_needed_and_each_once() {
    for number in ["1", "3"] {
        assert_eq!(faults(NONE, &[("devices", Some(number))]), ["nras.devices"]);
    }
    assert_eq!(faults(&[("ueid", Some("\"1\""))], NONE), ["nras.devices"]);
}

#[test]
fn every_token_is_signed_by_whom_policy_names() {
    let other = Key::p384("other");
    for (header, by) in [
        (r#"{"alg":"ES384","kid":"one"}"#, &other),
        (r#"{"alg":"ES384","kid":"two"}"#, &key()),
        (r#"{"alg":"ES384"}"#, &key()),
        (r#"{"alg":"none","kid":"one"}"#, &key()),
        (r#"{"alg":"ES256","kid":"one"}"#, &key()),
    ] {
        let mut devices = two();
        devices[1].1 = forge::jws(header, &device("2"), Signed::EcdsaSha384, by);
        let text = answer(&sign(&overall(&devices)), &devices);
        let result = judge_answer(&text, &policy(), &challenge());
        assert_eq!(failed(&result), ["nras.signature"], "{header}");
        let devices = two();
        let over = forge::jws(header, &overall(&devices), Signed::EcdsaSha384, by);
        let result = judge_answer(&answer(&over, &devices), &policy(), &challenge());
        assert_eq!(failed(&result), ["nras.signature"], "{header}");
    }
}

#[test]
fn d03_certificates_in_a_header_count_only_where_roots_are_named() {
    use base64::Engine as _;
    let root = forge::Authority::root("root", Key::p384("root"), Signed::EcdsaSha384);
    let leaf = root.leaf("leaf", &key());
    let x5c = base64::engine::general_purpose::STANDARD.encode(&leaf);
    let header = format!(r#"{{"alg":"ES384","kid":"any","x5c":["{x5c}"]}}"#);
    let devices = vec![
        ("GPU-0", sign_as(&header, &device("1"))),
        ("GPU-1", sign_as(&header, &device("2"))),
    ];
    let text = answer(&sign_as(&header, &overall(&devices)), &devices);
    let result = judge_answer(&text, &policy(), &challenge());
    assert_eq!(failed(&result), ["nras.header", "nras.signature"]);
    let pem = cmcp_json::Value::from(forge::pem("CERTIFICATE", &root.der)).to_string();
    let roots = format!(r#"{{"keys":"none","roots":[{pem}]}}"#);
    let rooted = changed(&policy(), &[("signers", Some(&roots))]);
    let result = judge_answer(&text, &rooted, &challenge());
    assert_eq!(failed(&result), Vec::<&str>::new());
    let other = forge::Authority::root("root", Key::p384("other"), Signed::EcdsaSha384);
    let pem = cmcp_json::Value::from(forge::pem("CERTIFICATE", &other.der)).to_string();
    let roots = format!(r#"{{"keys":"none","roots":[{pem}]}}"#);
    let rooted = changed(&policy(), &[("signers", Some(&roots))]);
    let result = judge_answer(&text, &rooted, &challenge());
    assert_eq!(failed(&result), ["nras.signature"]);
    let plain = two();
    let plain = answer(&sign(&overall(&plain)), &plain);
    let result = judge_answer(&plain, &rooted, &challenge());
    assert_eq!(failed(&result), ["nras.signature"]);
}

#[test]
fn certificates_in_a_key_set_count_where_roots_are_named() {
    use base64::Engine as _;
    let root = forge::Authority::root("root", Key::p384("root"), Signed::EcdsaSha384);
    let pem = cmcp_json::Value::from(forge::pem("CERTIFICATE", &root.der)).to_string();
    let roots = format!(r#"{{"keys":"none","roots":[{pem}]}}"#);
    let rules = read(
        &changed(&policy(), &[("signers", Some(&roots))]),
        NrasPolicy::read,
    )
    .unwrap();
    let devices = two();
    let text = answer(&sign(&overall(&devices)), &devices);
    let judge = |leaf: Option<Vec<u8>>| {
        let member = leaf.map_or_else(String::new, |der| {
            let x5c = base64::engine::general_purpose::STANDARD.encode(der);
            format!(r#","x5c":["{x5c}"]}}"#)
        });
        let mut key = jwk("one", &key());
        if !member.is_empty() {
            key.pop();
            key.push_str(&member);
        }
        let rules = rules.clone();
        let result = appraise_token(
            Platform::Nras,
            text.as_bytes(),
            &key_set(&[key]),
            &challenge(),
            |values| values.nras = Some(rules),
        );
        failed(&result)
    };
    assert_eq!(judge(Some(root.leaf("leaf", &key()))), Vec::<&str>::new());
    assert_eq!(judge(None), ["nras.signature"]);
    let other = root.leaf("leaf", &Key::p384("other"));
    assert_eq!(judge(Some(other)), ["nras.signature"]);
    let stranger = forge::Authority::root("root", Key::p384("stranger"), Signed::EcdsaSha384);
    assert_eq!(
        judge(Some(stranger.leaf("leaf", &key()))),
        ["nras.signature"]
    );
    let late =
        forge::Cert::new("leaf", &key()).validity("2020-01-01T00:00:00Z", "2026-06-05T00:00:00Z");
    assert_eq!(judge(Some(root.issue(late))), ["nras.signature"]);
}

#[test]
fn a03_a_policy_made_in_code_that_pins_nothing_is_not_pinned() {
    let mut rules = read(&policy(), NrasPolicy::read).unwrap();
    rules.device_ids = crate::policy::Pin::Any;
    let keys = key_set(&[jwk("one", &key())]);
    let devices = two();
    let text = answer(&sign(&overall(&devices)), &devices);
    let binding = challenge();
    let result = appraise_token(Platform::Nras, text.as_bytes(), &keys, &binding, |values| {
        values.nras = Some(rules);
    });
    assert_eq!(failed(&result), ["nras.identity"]);
}

#[test]
fn a_warning_is_passed_on_where_policy_tolerates_it() {
    let warn = [("x-nvidia-attestation-warning", Some("\"HOLD\""))];
    let devices = vec![
        ("GPU-0", sign(&device("1"))),
        ("GPU-1", sign(&changed(&device("2"), &warn))),
    ];
    let text = answer(&sign(&overall(&devices)), &devices);
    let tolerant = changed(&policy(), &[("warnings", Some("\"tolerated\""))]);
    let result = judge_answer(&text, &tolerant, &challenge());
    assert_eq!(result.status, Status::Warning);
}

#[test]
fn what_is_no_answer_is_refused() {
    let devices = two();
    let over = sign(&overall(&devices));
    for bad in [
        String::new(),
        "{}".to_owned(),
        "[]".to_owned(),
        over.clone(),
        format!(r#"[["JWT", "{over}"]]"#),
        format!(r#"[["JWS", "{over}"], {{}}]"#),
        format!(r#"[["JWT", "{over}", 1], {{}}]"#),
        format!(r#"["{over}", {{}}]"#),
        format!(r#"[["JWT", "{over}"], []]"#),
        format!(r#"[["JWT", "{over}"], {{"GPU-0": 1}}]"#),
        format!(r#"[["JWT", "{over}"], {{"GPU-0": "a", "GPU-0": "b"}}]"#),
        r#"[["JWT", "a.b.c"], {}]"#.to_owned(),
        format!("{} 1", answer(&over, &devices)),
    ] {
        let result = judge_answer(&bad, &policy(), &challenge());
        assert!(failed(&result).contains(&"nras.answer"), "{bad}");
    }
    let mut broken = two();
    broken[1].1 = "a.b".to_owned();
    let text = answer(&sign(&overall(&broken)), &broken);
    let failed = failed(&judge_answer(&text, &policy(), &challenge()));
    assert_eq!(failed, ["nras.answer", "nras.devices"]);
}

#[test]
fn every_token_of_an_answer_is_shown() {
    let devices = two();
    let text = answer(&sign(&overall(&devices)), &devices);
    let fields = crate::token::show(Platform::Nras, text.as_bytes()).unwrap();
    let of = |name: &str| fields.iter().find(|field| field.name == name).unwrap();
    assert_eq!(
        of("overall.claims.x-nvidia-overall-att-result").value,
        "true"
    );
    assert_eq!(of("GPU-1.claims.ueid").value, "2");
    assert!(crate::token::show(Platform::Nras, b"[]").is_err());
}

/// A member of a device's claims, its new value, and the check that fails.
const CASES: &[(&str, Option<&str>, &str)] = &[
    ("iss", Some("\"https://other\""), "nras.issuer"),
    ("iss", None, "nras.issuer"),
    ("exp", Some("1780618100"), "nras.time"),
    ("iat", None, "nras.time"),
    ("measres", Some("\"fail\""), "nras.measurements"),
    ("measres", Some("\"absent\""), "nras.measurements"),
    ("measres", None, "nras.measurements"),
    (
        "x-nvidia-mismatch-measurement-records",
        Some("[1]"),
        "nras.measurements",
    ),
    ("dbgstat", Some("\"enabled\""), "nras.debug"),
    ("dbgstat", None, "nras.debug"),
    ("secboot", Some("false"), "nras.secure-boot"),
    ("secboot", Some("null"), "nras.secure-boot"),
    ("secboot", None, "nras.secure-boot"),
    ("x-nvidia-device-type", Some("\"nvswitch\""), "nras.devices"),
    (
        "x-nvidia-gpu-claims-version",
        Some("\"4.0\""),
        "nras.version",
    ),
    (
        "x-nvidia-gpu-driver-version",
        Some("\"571.00\""),
        "nras.driver",
    ),
    ("x-nvidia-gpu-vbios-version", Some("\"97\""), "nras.vbios"),
    ("hwmodel", Some("\"GB100\""), "nras.model"),
    ("ueid", Some("\"3\""), "nras.device-id"),
    ("ueid", None, "nras.device-id"),
    ("eat_nonce", Some("\"010204\""), "nras.binding"),
    ("eat_nonce", None, "nras.binding"),
    (
        "x-nvidia-attestation-warning",
        Some("\"REVOKED\""),
        "nras.warnings",
    ),
    ("x-nvidia-gpu-something-new", Some("false"), "nras.verdicts"),
    (
        "x-nvidia-gpu-vbios-rim-cert-chain",
        None,
        "nras.certificates",
    ),
    (
        "x-nvidia-gpu-vbios-rim-cert-chain",
        Some("true"),
        "nras.certificates",
    ),
];

/// A member of a chain's claims and its new value.
const CHAIN_CASES: &[(&str, Option<&str>)] = &[
    ("status", Some("\"invalid\"")),
    ("status", None),
    ("ocsp-status", Some("\"revoked\"")),
    ("ocsp-status", None),
    ("ocsp-nonce-matches", Some("false")),
    ("ocsp-response-valid", Some("false")),
    ("revocation-reason", Some("\"keyCompromise\"")),
    ("expiration-date", Some("\"2026-06-05T00:09:59\"")),
    ("expiration-date", Some("\"soon\"")),
    ("expiration-date", None),
];

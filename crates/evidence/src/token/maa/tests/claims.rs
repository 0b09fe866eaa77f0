use super::*;
use crate::ReportData;

const NONE: &[(&str, Option<&str>)] = &[];

/// A member, its new value, and the check that fails.
type Case = (&'static str, Option<&'static str>, &'static str);

/// Each change of the claims breaks exactly one check.
fn breaks(claims: &str, cases: &[Case]) {
    for (path, value, code) in cases {
        assert_eq!(
            faults(claims, &[(path, *value)], NONE),
            [*code],
            "{path} = {value:?}"
        );
    }
}

#[test]
fn every_claim_of_a_container_group_is_checked() {
    breaks(&container(), CONTAINER);
    let short = format!("\"{}\"", digits("ee", 47));
    let mut short_everywhere = faults(
        &container(),
        &[
            ("x-ms-sevsnpvm-launchmeasurement", Some(&short)),
            (
                "x-ms-sevsnpvm-uvm-endorsement/x-ms-sevsnpvm-launchmeasurement",
                Some(&short),
            ),
        ],
        NONE,
    );
    assert_eq!(short_everywhere.pop(), Some("maa.measurement"));
    assert!(short_everywhere.is_empty());
}

#[test]
fn b04_a_debuggable_guest_is_refused() {
    breaks(
        &container(),
        &[("x-ms-sevsnpvm-is-debuggable", Some("true"), "maa.debug")],
    );
    breaks(
        &machine(),
        &[(
            "x-ms-isolation-tee/x-ms-sevsnpvm-is-debuggable",
            Some("true"),
            "maa.debug",
        )],
    );
}

#[test]
fn every_claim_of_a_virtual_machine_is_checked() {
    breaks(&machine(), MACHINE);
}

#[test]
fn times_and_issuer_are_checked() {
    breaks(
        &container(),
        &[
            ("exp", Some("1780618100"), "maa.time"),
            ("nbf", Some("1780618300"), "maa.time"),
            ("iat", None, "maa.time"),
        ],
    );
    let name = "\"https://sharedweu.weu.attest.azure.net\"";
    assert_eq!(
        faults(&container(), &[("iss", Some(name))], NONE),
        ["maa.signature", "maa.issuer", "maa.policy-hash"]
    );
    let slash = format!("\"{ISSUER}/\"");
    assert!(faults(&container(), &[("iss", Some(&slash))], NONE).is_empty());
    let slashes = format!("\"{ISSUER}//\"");
    assert!(faults(&container(), &[("iss", Some(&slashes))], NONE).contains(&"maa.issuer"));
    assert_eq!(
        faults(
            &container(),
            NONE,
            &[("lifetime/max_age_seconds", Some("500"))]
        ),
        ["maa.time"]
    );
}

#[test]
fn the_policy_that_an_instance_applied_is_compared_where_it_is_pinned() {
    let issuer = |hash: &str| {
        format!(
            r#"[{{"issuer":"{ISSUER}","keys":["{}"],"policy_hashes":["{hash}"]}}]"#,
            pin(&key())
        )
    };
    let right = issuer("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
    assert!(faults(&container(), NONE, &[("issuers", Some(&right))]).is_empty());
    let wrong = issuer("AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
    assert_eq!(
        faults(&container(), NONE, &[("issuers", Some(&wrong))]),
        ["maa.policy-hash"]
    );
    assert_eq!(
        faults(
            &container(),
            &[("x-ms-policy-hash", None)],
            &[("issuers", Some(&right))]
        ),
        ["maa.policy-hash"]
    );
}

#[test]
fn only_workloads_that_are_named_are_accepted() {
    let cvm = [
        ("workloads", Some(r#"["cvm"]"#)),
        ("uvm", Some("\"not-required\"")),
    ];
    assert!(faults(&machine(), NONE, &cvm).is_empty());
    assert_eq!(
        faults(&container(), NONE, &cvm),
        ["maa.workload", "maa.uvm"]
    );
    let group = [("workloads", Some(r#"["container-group"]"#))];
    assert!(faults(&container(), NONE, &group).is_empty());
    assert_eq!(faults(&machine(), NONE, &group), ["maa.workload"]);
    let kata = [(
        "x-ms-compliance-status",
        Some("\"azure-signed-katacc-uvm\""),
    )];
    assert_eq!(faults(&container(), &kata, &group), ["maa.workload"]);
    assert!(faults(&container(), &kata, &[("workloads", Some(r#"["kata"]"#))]).is_empty());
}

#[test]
fn a_virtual_machine_does_not_pass_for_a_container_by_claims_of_its_own() {
    let inner = [
        ("x-ms-compliance-status", Some("\"azure-compliant-uvm\"")),
        ("x-ms-attestation-type", Some("\"sevsnpvm\"")),
    ];
    assert!(!faults(&machine(), &inner, NONE).is_empty());
}

#[test]
fn measurements_that_are_named_are_compared() {
    let named = |byte: &str| format!(r#"{{"release": "{}"}}"#, digits(byte, 48));
    let right = named("ee");
    let wrong = named("ef");
    for claims in [container(), machine()] {
        assert!(faults(&claims, NONE, &[("measurements", Some(&right))]).is_empty());
        for rule in [wrong.as_str(), "\"none\""] {
            assert_eq!(
                faults(&claims, NONE, &[("measurements", Some(rule))]),
                ["maa.measurement"]
            );
        }
    }
}

#[test]
fn threads_that_share_a_core_are_refused_where_policy_says_so() {
    let rule = [("smt", Some("\"refused\""))];
    assert_eq!(faults(&container(), NONE, &rule), ["maa.smt"]);
    let off = [("x-ms-sevsnpvm-smt-allowed", Some("false"))];
    assert!(faults(&container(), &off, &rule).is_empty());
}

#[test]
fn secure_boot_is_not_looked_at_where_policy_says_so() {
    let rule = [("secure_boot", Some("\"not-required\""))];
    let off = [("secureboot", Some("false"))];
    assert!(faults(&machine(), &off, &rule).is_empty());
}

#[test]
fn keys_in_the_runtime_data_are_compared_where_they_are_pinned() {
    let rule = |key: &Key| format!("[\"{}\"]", pin(key));
    let right = rule(&Key::rsa2048(1));
    let wrong = rule(&Key::rsa2048(2));
    let two = format!(
        "[{},{}]",
        jwk("k", &Key::rsa2048(1)),
        jwk("l", &Key::rsa2048(2))
    );
    let encrypt = jwk("k", &Key::rsa2048(1)).replace("\"sig\"", "\"enc\"");
    let encrypt = format!("[{encrypt}]");
    for claims in [container(), machine()] {
        assert!(faults(&claims, NONE, &[("runtime_keys", Some(&right))]).is_empty());
        let encrypt = [("x-ms-runtime/keys", Some(encrypt.as_str()))];
        assert!(faults(&claims, &encrypt, &[("runtime_keys", Some(&right))]).is_empty());
        assert_eq!(
            faults(&claims, NONE, &[("runtime_keys", Some(&wrong))]),
            ["maa.runtime-keys"]
        );
        for keys in [two.as_str(), "[]", "[1]", "{}"] {
            assert_eq!(
                faults(
                    &claims,
                    &[("x-ms-runtime/keys", Some(keys))],
                    &[("runtime_keys", Some(&right))]
                ),
                ["maa.runtime-keys"],
                "{keys}"
            );
        }
    }
}

#[test]
fn a_machine_is_compared_where_it_is_pinned() {
    let right = [("vm_ids", Some("[\"ABD9EA99\"]"))];
    assert!(faults(&machine(), NONE, &right).is_empty());
    let wrong = [("vm_ids", Some("[\"abd9ea99\"]"))];
    assert_eq!(faults(&machine(), NONE, &wrong), ["maa.vm-id"]);
    assert_eq!(faults(&container(), NONE, &right), ["maa.vm-id"]);
}

#[test]
fn a03_a_policy_made_in_code_that_pins_nothing_is_not_pinned() {
    let mut rules = read(&policy(), MaaPolicy::read).unwrap();
    rules.host_data = crate::policy::Pin::Any;
    let keys = key_set(&[jwk("one", &key())]);
    let token = sign(&container());
    let binding = challenge();
    let result = appraise_token(Platform::Maa, token.as_bytes(), &keys, &binding, |values| {
        values.maa = Some(rules);
    });
    assert_eq!(failed(&result), ["maa.identity"]);
}

#[test]
fn any_machine_is_taken_where_policy_says_so_aloud() {
    let rules = [
        ("host_data", Some("\"any\"")),
        ("identity", Some("\"danger-any-machine\"")),
    ];
    assert!(faults(&container(), NONE, &rules).is_empty());
}

#[test]
fn a11_all_of_the_report_data_is_compared() {
    let token = sign(&container());
    let data = |second: u8| {
        let mut bytes = [0xDA; 64];
        bytes[32..].fill(second);
        Binding::ReportData(ReportData::from_bytes(bytes))
    };
    assert!(failed(&judge_token(&token, &policy(), &data(0))).is_empty());
    assert_eq!(
        failed(&judge_token(&token, &policy(), &data(1))),
        ["maa.binding"]
    );
}

#[test]
fn a_virtual_machine_carries_report_data_in_its_payload() {
    use base64::Engine as _;
    let data = [7; 64];
    let nonce = base64::engine::general_purpose::STANDARD.encode(crate::b64::encode(&data));
    let nonce = format!("\"{nonce}\"");
    let claims = changed(
        &machine(),
        &[("x-ms-runtime/client-payload/nonce", Some(&nonce))],
    );
    let binding = Binding::ReportData(ReportData::from_bytes(data));
    assert!(failed(&judge_token(&sign(&claims), &policy(), &binding)).is_empty());
    assert_eq!(
        failed(&judge_token(&sign(&machine()), &policy(), &binding)),
        ["maa.binding"]
    );
}

#[test]
fn without_a_binding_nothing_is_said_about_it() {
    let result = judge_token(&sign(&container()), &policy(), &Binding::Unknown);
    assert_eq!(result.status, Status::Affirming);
}

const OTHER: &str = "\"ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff\"";

const CONTAINER: &[Case] = &[
    ("x-ms-ver", Some("\"2.0\""), "maa.version"),
    ("x-ms-ver", None, "maa.version"),
    (
        "x-ms-compliance-status",
        Some("\"azure-compliant-cvm\""),
        "maa.workload",
    ),
    (
        "x-ms-compliance-status",
        Some("\"azure-compliant-uvm \""),
        "maa.workload",
    ),
    ("x-ms-compliance-status", None, "maa.workload"),
    ("x-ms-attestation-type", Some("\"azurevm\""), "maa.workload"),
    ("x-ms-attestation-type", Some("\"tdxvm\""), "maa.workload"),
    ("x-ms-attestation-type", Some("\"sgx\""), "maa.workload"),
    (
        "x-ms-sevsnpvm-is-debuggable",
        Some("\"false\""),
        "maa.debug",
    ),
    ("x-ms-sevsnpvm-is-debuggable", None, "maa.debug"),
    (
        "x-ms-sevsnpvm-migration-allowed",
        Some("true"),
        "maa.migration",
    ),
    ("x-ms-sevsnpvm-migration-allowed", None, "maa.migration"),
    ("x-ms-sevsnpvm-vmpl", Some("1"), "maa.vmpl"),
    ("x-ms-sevsnpvm-vmpl", Some("\"0\""), "maa.vmpl"),
    ("x-ms-sevsnpvm-vmpl", None, "maa.vmpl"),
    ("x-ms-sevsnpvm-bootloader-svn", Some("2"), "maa.tcb"),
    ("x-ms-sevsnpvm-bootloader-svn", None, "maa.tcb"),
    ("x-ms-sevsnpvm-tee-svn", Some("-1"), "maa.tcb"),
    ("x-ms-sevsnpvm-snpfw-svn", Some("7"), "maa.tcb"),
    ("x-ms-sevsnpvm-microcode-svn", Some("114"), "maa.tcb"),
    ("x-ms-sevsnpvm-microcode-svn", Some("\"115\""), "maa.tcb"),
    ("x-ms-sevsnpvm-guestsvn", Some("1"), "maa.guest-svn"),
    ("x-ms-sevsnpvm-guestsvn", None, "maa.guest-svn"),
    ("x-ms-sevsnpvm-hostdata", Some(OTHER), "maa.host-data"),
    ("x-ms-sevsnpvm-hostdata", None, "maa.host-data"),
    ("x-ms-sevsnpvm-idkeydigest", Some(OTHER), "maa.id-key"),
    ("x-ms-sevsnpvm-uvm-endorsement", None, "maa.uvm"),
    ("x-ms-sevsnpvm-uvm-endorsement", Some("{}"), "maa.uvm"),
    ("x-ms-sevsnpvm-uvm-endorsement-headers", None, "maa.uvm"),
    (
        "x-ms-sevsnpvm-uvm-endorsement-headers/iss",
        Some("\"did:x509:0\""),
        "maa.uvm",
    ),
    (
        "x-ms-sevsnpvm-uvm-endorsement-headers/feed",
        Some("\"Other\""),
        "maa.uvm",
    ),
    (
        "x-ms-sevsnpvm-uvm-endorsement/x-ms-sevsnpvm-guestsvn",
        Some("\"99\""),
        "maa.uvm",
    ),
    (
        "x-ms-sevsnpvm-uvm-endorsement/x-ms-sevsnpvm-guestsvn",
        Some("\"+100\""),
        "maa.uvm",
    ),
    (
        "x-ms-sevsnpvm-uvm-endorsement/x-ms-sevsnpvm-guestsvn",
        Some("100"),
        "maa.uvm",
    ),
    (
        "x-ms-sevsnpvm-uvm-endorsement/x-ms-sevsnpvm-launchmeasurement",
        Some(OTHER),
        "maa.uvm",
    ),
    ("x-ms-sevsnpvm-launchmeasurement", Some(OTHER), "maa.uvm"),
    ("x-ms-runtime/nonce", Some("\"AQIE\""), "maa.binding"),
    ("x-ms-runtime", None, "maa.binding"),
];

const MACHINE: &[Case] = &[
    (
        "x-ms-isolation-tee/x-ms-compliance-status",
        Some("\"azure-compliant-uvm\""),
        "maa.workload",
    ),
    (
        "x-ms-isolation-tee/x-ms-attestation-type",
        Some("\"tdxvm\""),
        "maa.workload",
    ),
    (
        "x-ms-isolation-tee/x-ms-sevsnpvm-migration-allowed",
        Some("true"),
        "maa.migration",
    ),
    (
        "x-ms-isolation-tee/x-ms-sevsnpvm-vmpl",
        Some("2"),
        "maa.vmpl",
    ),
    (
        "x-ms-isolation-tee/x-ms-sevsnpvm-snpfw-svn",
        Some("7"),
        "maa.tcb",
    ),
    (
        "x-ms-isolation-tee/x-ms-sevsnpvm-guestsvn",
        Some("1"),
        "maa.guest-svn",
    ),
    (
        "x-ms-isolation-tee/x-ms-sevsnpvm-hostdata",
        Some(OTHER),
        "maa.host-data",
    ),
    (
        "x-ms-isolation-tee/x-ms-sevsnpvm-idkeydigest",
        Some(OTHER),
        "maa.id-key",
    ),
    (
        "x-ms-isolation-tee/x-ms-sevsnpvm-launchmeasurement",
        None,
        "maa.measurement",
    ),
    (
        "x-ms-azurevm-bootdebug-enabled",
        Some("true"),
        "maa.guest-debug",
    ),
    (
        "x-ms-azurevm-debuggersdisabled",
        Some("false"),
        "maa.guest-debug",
    ),
    (
        "x-ms-azurevm-flightsigning-enabled",
        Some("true"),
        "maa.guest-debug",
    ),
    (
        "x-ms-azurevm-hypervisordebug-enabled",
        Some("true"),
        "maa.guest-debug",
    ),
    (
        "x-ms-azurevm-kerneldebug-enabled",
        Some("true"),
        "maa.guest-debug",
    ),
    (
        "x-ms-azurevm-testsigning-enabled",
        Some("true"),
        "maa.guest-debug",
    ),
    ("x-ms-azurevm-testsigning-enabled", None, "maa.guest-debug"),
    ("secureboot", Some("false"), "maa.secure-boot"),
    ("secureboot", None, "maa.secure-boot"),
    (
        "x-ms-isolation-tee/x-ms-runtime/vm-configuration/secure-boot",
        Some("false"),
        "maa.secure-boot",
    ),
    ("x-ms-isolation-tee/x-ms-runtime", None, "maa.secure-boot"),
    (
        "x-ms-runtime/client-payload/nonce",
        Some("\"QVFJRQ==\""),
        "maa.binding",
    ),
    (
        "x-ms-runtime/client-payload/nonce",
        Some("\"AQID\""),
        "maa.binding",
    ),
    ("x-ms-runtime/client-payload", None, "maa.binding"),
];

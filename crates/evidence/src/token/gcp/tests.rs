mod vectors;

use super::*;
use crate::{
    AttestationResult, Binding, Platform, ReportData, Status,
    forge::{self, Alg as Signed, Key},
    token::fixture::{ISSUED, appraise_token, changed, failed, jwk, key_set, object, pin, read},
};

fn key() -> Key {
    Key::rsa2048(0)
}

fn policy() -> String {
    format!(
        r#"{{
        "keys": ["{}"],
        "lifetime": {{"skew_seconds": 60, "max_age_seconds": 3600}},
        "nonce": "base64url",
        "audience": "https://verifier.example",
        "hardware": ["GCP_AMD_SEV", "GCP_INTEL_TDX"],
        "minimum_version": 230600,
        "support": "stable",
        "images": {{"release": "{}"}},
        "env_override": "refused",
        "cmd_override": "refused",
        "projects": ["someone"],
        "zones": ["us-west1-b"],
        "instances": ["42"],
        "service_accounts": ["run@someone"],
        "identity": "pinned"
        }}"#,
        pin(&key()),
        "fe".repeat(32)
    )
}

/// A token with the nonce `AQID`.
fn claims() -> String {
    format!(
        r#"{{"aud": "https://verifier.example", "exp": {}, "iat": {ISSUED}, "nbf": {ISSUED},
        "iss": "https://confidentialcomputing.googleapis.com", "sub": "https://www.googleapis.com/x",
        "eat_nonce": "AQID", "secboot": true, "oemid": 11129, "hwmodel": "GCP_INTEL_TDX",
        "swname": "CONFIDENTIAL_SPACE", "swversion": ["230600"], "dbgstat": "disabled-since-boot",
        "submods": {{
            "confidential_space": {{"support_attributes": ["LATEST", "STABLE", "USABLE"]}},
            "container": {{"image_reference": "docker.pkg.dev/a:latest", "image_digest": "sha256:{}",
                "env_override": null, "cmd_override": null, "env": {{}}, "args": []}},
            "gce": {{"zone": "us-west1-b", "project_id": "someone", "instance_id": "42"}}}},
        "google_service_accounts": ["run@someone"]}}"#,
        ISSUED + 3600,
        "fe".repeat(32)
    )
}

fn sign(claims: &str) -> String {
    let header = r#"{"alg":"RS256","kid":"one","typ":"JWT"}"#;
    forge::jws(header, claims, Signed::RsaSha256, &key())
}

fn judge_token(token: &str, policy: &str, binding: &Binding) -> AttestationResult {
    let policy = read(policy, GcpPolicy::read).unwrap();
    let keys = key_set(&[jwk("one", &key())]);
    appraise_token(Platform::Gcp, token.as_bytes(), &keys, binding, |values| {
        values.gcp = Some(policy);
    })
}

fn challenge() -> Binding {
    Binding::Challenge(vec![1, 2, 3])
}

fn faults(changes: &[(&str, Option<&str>)], rules: &[(&str, Option<&str>)]) -> Vec<&'static str> {
    let token = sign(&changed(&claims(), changes));
    failed(&judge_token(
        &token,
        &changed(&policy(), rules),
        &challenge(),
    ))
}

const NONE: &[(&str, Option<&str>)] = &[];

#[test]
fn a_genuine_token_is_accepted_and_says_what_it_proves() {
    let result = judge_token(&sign(&claims()), &policy(), &challenge());
    assert_eq!(failed(&result), Vec::<&str>::new());
    assert_eq!(result.status, Status::Affirming);
    assert_eq!(result.claim("measurement"), Some("fe".repeat(32).as_str()));
    assert_eq!(result.claim("project"), Some("someone"));
    assert_eq!(result.claim("instance"), Some("42"));
    let end = crate::Timestamp::from_unix_seconds(ISSUED + 3600);
    assert_eq!(result.not_after, Some(end));
    assert!(
        result
            .notes
            .iter()
            .any(|note| note.contains("`env`, `args`"))
    );
}

#[test]
fn every_claim_is_checked() {
    for &(path, value, code) in CASES {
        assert_eq!(faults(&[(path, value)], NONE), [code], "{path} = {value:?}");
    }
    let gone = faults(&[("submods", None)], NONE);
    assert_eq!(
        gone,
        [
            "gcp.support",
            "gcp.image",
            "gcp.environment",
            "gcp.command",
            "gcp.project",
            "gcp.zone",
            "gcp.instance"
        ]
    );
}

#[test]
fn other_spellings_of_the_same_are_accepted() {
    for (path, value) in [
        ("aud", Some("[\"https://verifier.example\"]")),
        ("swversion", Some("\"230600\"")),
        ("swversion", Some("[\"250100\"]")),
        ("eat_nonce", Some("[\"AAAA\", \"AQID\"]")),
        ("submods/container/env_override", Some("{}")),
        ("submods/container/cmd_override", Some("[]")),
        ("submods/container/cmd_override", None),
        ("nbf", None),
    ] {
        assert_eq!(faults(&[(path, value)], NONE), Vec::<&str>::new(), "{path}");
    }
}

#[test]
fn b04_an_image_for_debugging_is_refused() {
    let changes = [
        ("dbgstat", Some("\"enabled\"")),
        (
            "submods/confidential_space/support_attributes",
            Some("null"),
        ),
    ];
    assert_eq!(faults(&changes, NONE), ["gcp.support", "gcp.debug"]);
}

#[test]
fn d15_an_audience_beside_ours_is_refused() {
    for aud in [
        "[\"https://verifier.example\", \"https://other\"]",
        "[]",
        "\"verifier.example\"",
        "\"https://verifier.example/\"",
        "[\"https://verifier.example\", 1]",
    ] {
        assert_eq!(
            faults(&[("aud", Some(aud))], NONE),
            ["gcp.audience"],
            "{aud}"
        );
    }
}

#[test]
fn what_policy_leaves_free_is_not_compared() {
    let rules = [
        ("env_override", Some("\"allowed\"")),
        ("cmd_override", Some("\"allowed\"")),
        ("zones", Some("\"any\"")),
        ("instances", Some("\"any\"")),
        ("service_accounts", Some("\"any\"")),
        ("support", Some("\"usable\"")),
    ];
    let changes = [
        ("submods/container/env_override", Some("{\"A\":\"b\"}")),
        ("submods/container/cmd_override", Some("[\"sh\"]")),
        ("submods/gce/zone", Some("\"elsewhere\"")),
        ("submods/gce/instance_id", Some("\"1\"")),
        ("google_service_accounts", Some("[]")),
        (
            "submods/confidential_space/support_attributes",
            Some("[\"USABLE\"]"),
        ),
    ];
    assert_eq!(faults(&changes, &rules), Vec::<&str>::new());
    assert_eq!(faults(NONE, &[("images", Some("\"none\""))]), ["gcp.image"]);
}

#[test]
fn a_token_signed_by_another_key_or_in_another_way_is_refused() {
    let other = Key::rsa2048(1);
    for (header, how, by) in [
        (r#"{"alg":"RS256","kid":"one"}"#, Signed::RsaSha256, &other),
        (r#"{"alg":"RS256","kid":"two"}"#, Signed::RsaSha256, &key()),
        (r#"{"alg":"none","kid":"one"}"#, Signed::RsaSha256, &key()),
        (r#"{"alg":"PS256","kid":"one"}"#, Signed::PssSha256, &key()),
    ] {
        let token = forge::jws(header, &claims(), how, by);
        let result = judge_token(&token, &policy(), &challenge());
        assert_eq!(failed(&result), ["gcp.signature"], "{header}");
    }
    let header = r#"{"alg":"RS256","kid":"one","x5c":[]}"#;
    let token = forge::jws(header, &claims(), Signed::RsaSha256, &key());
    let result = judge_token(&token, &policy(), &challenge());
    assert_eq!(failed(&result), ["gcp.header"]);
}

#[test]
fn a03_a_policy_made_in_code_that_pins_nothing_is_not_pinned() {
    let mut rules = read(&policy(), GcpPolicy::read).unwrap();
    rules.projects = crate::policy::Pin::Any;
    rules.instances = crate::policy::Pin::Any;
    rules.service_accounts = crate::policy::Pin::Any;
    let keys = key_set(&[jwk("one", &key())]);
    let token = sign(&claims());
    let binding = challenge();
    let result = appraise_token(Platform::Gcp, token.as_bytes(), &keys, &binding, |values| {
        values.gcp = Some(rules);
    });
    assert_eq!(failed(&result), ["gcp.identity"]);
}

#[test]
fn what_is_no_token_is_refused() {
    for bad in ["", "{}", "a.b.c", "e30.e30"] {
        let result = judge_token(bad, &policy(), &challenge());
        assert!(failed(&result).contains(&"gcp.token"));
    }
}

#[test]
fn all_64_bytes_of_report_data_fit_into_a_nonce() {
    let binding = Binding::ReportData(ReportData::from_bytes([9; 64]));
    let nonce = format!("\"{}\"", crate::b64::encode(&[9; 64]));
    assert!(nonce.len() - 2 <= 88);
    let token = sign(&changed(&claims(), &[("eat_nonce", Some(&nonce))]));
    assert!(failed(&judge_token(&token, &policy(), &binding)).is_empty());
    let token = sign(&claims());
    assert_eq!(
        failed(&judge_token(&token, &policy(), &binding)),
        ["gcp.binding"]
    );
}

#[test]
fn c01_every_field_is_decided() {
    let names: Vec<String> = object(&policy()).keys().map(str::to_owned).collect();
    assert_eq!(names.len(), 15);
    for name in names {
        let faults = read(&changed(&policy(), &[(&name, None)]), GcpPolicy::read).unwrap_err();
        assert!(
            faults
                .iter()
                .any(|fault| fault.starts_with(&format!("`{name}`: is not decided")))
        );
    }
}

#[test]
fn c01_c02_c05_empty_unknown_and_contradictory_fields_are_errors() {
    let fault = |changes: &[(&str, Option<&str>)]| {
        read(&changed(&policy(), changes), GcpPolicy::read).unwrap_err()
    };
    for name in [
        "keys",
        "hardware",
        "projects",
        "zones",
        "instances",
        "service_accounts",
    ] {
        assert!(!fault(&[(name, Some("[]"))]).is_empty(), "{name}");
    }
    assert!(!fault(&[("images", Some("{}"))]).is_empty());
    assert!(!fault(&[("debug", Some("true"))]).is_empty());
    assert!(!fault(&[("identity", Some("\"danger-any-machine\""))]).is_empty());
    let free = [
        ("projects", Some("\"any\"")),
        ("instances", Some("\"any\"")),
        ("service_accounts", Some("\"any\"")),
    ];
    assert!(fault(&free)[0].starts_with("`identity`"));
}

const OTHER: &str = "\"sha256:ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff\"";
const BARE: &str = "\"fefefefefefefefefefefefefefefefefefefefefefefefefefefefefefefefe\"";

/// A member, its new value, and the check that fails.
const CASES: &[(&str, Option<&str>, &str)] = &[
    (
        "iss",
        Some("\"https://confidentialcomputing.googleapis.com/\""),
        "gcp.issuer",
    ),
    ("iss", Some("\"https://accounts.google.com\""), "gcp.issuer"),
    ("iss", None, "gcp.issuer"),
    ("exp", Some("1780618100"), "gcp.time"),
    ("exp", None, "gcp.time"),
    (
        "aud",
        Some("\"https://verifier.example.org\""),
        "gcp.audience",
    ),
    ("aud", None, "gcp.audience"),
    ("hwmodel", Some("\"GCP_SHIELDED_VM\""), "gcp.hardware"),
    ("hwmodel", None, "gcp.hardware"),
    ("oemid", Some("1"), "gcp.hardware"),
    ("oemid", None, "gcp.hardware"),
    ("swname", Some("\"GCE\""), "gcp.software"),
    ("swname", None, "gcp.software"),
    ("swversion", Some("[\"230599\"]"), "gcp.version"),
    ("swversion", Some("[\"230600\", \"240000\"]"), "gcp.version"),
    ("swversion", Some("[230600]"), "gcp.version"),
    ("swversion", Some("[]"), "gcp.version"),
    ("swversion", None, "gcp.version"),
    (
        "submods/confidential_space/support_attributes",
        Some("[\"USABLE\"]"),
        "gcp.support",
    ),
    (
        "submods/confidential_space/support_attributes",
        Some("\"STABLE\""),
        "gcp.support",
    ),
    (
        "submods/confidential_space/support_attributes",
        Some("null"),
        "gcp.support",
    ),
    ("submods/confidential_space", None, "gcp.support"),
    ("dbgstat", Some("\"enabled\""), "gcp.debug"),
    ("dbgstat", Some("\"disabled\""), "gcp.debug"),
    ("dbgstat", None, "gcp.debug"),
    ("secboot", Some("false"), "gcp.secure-boot"),
    ("secboot", None, "gcp.secure-boot"),
    ("submods/container/image_digest", Some(OTHER), "gcp.image"),
    ("submods/container/image_digest", Some(BARE), "gcp.image"),
    ("submods/container/image_digest", None, "gcp.image"),
    (
        "submods/container/env_override",
        Some("{\"A\":\"b\"}"),
        "gcp.environment",
    ),
    (
        "submods/container/env_override",
        Some("\"\""),
        "gcp.environment",
    ),
    (
        "submods/container/cmd_override",
        Some("[\"sh\"]"),
        "gcp.command",
    ),
    ("submods/gce/project_id", Some("\"other\""), "gcp.project"),
    ("submods/gce/zone", Some("\"us-west1-c\""), "gcp.zone"),
    ("submods/gce/instance_id", Some("\"43\""), "gcp.instance"),
    ("submods/gce/instance_id", Some("42"), "gcp.instance"),
    (
        "google_service_accounts",
        Some("[\"run@other\"]"),
        "gcp.account",
    ),
    (
        "google_service_accounts",
        Some("[\"run@someone\", \"run@other\"]"),
        "gcp.account",
    ),
    ("google_service_accounts", Some("[]"), "gcp.account"),
    ("google_service_accounts", None, "gcp.account"),
    ("eat_nonce", Some("\"AQIE\""), "gcp.binding"),
    ("eat_nonce", Some("[\"AQIE\", \"AAAA\"]"), "gcp.binding"),
    ("eat_nonce", Some("[]"), "gcp.binding"),
    ("eat_nonce", None, "gcp.binding"),
];

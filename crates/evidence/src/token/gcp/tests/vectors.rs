//! Captured claims.

use super::*;
use crate::{
    check::Checks,
    result::Proved,
    token::fixture::{at, failed_checks, vector},
};

fn judged(file: &str, rules: &[(&str, Option<&str>)]) -> Option<Vec<&'static str>> {
    let claims = vector(&format!("azure/gcp-confidential-space/{file}"))?;
    let claims = object(str::from_utf8(&claims).unwrap());
    let images =
        r#"{"captured": "fedbd6eaf93394d5eb98d7e52d4cce17e0ea23f7fac1a6bd68e097ca85a4fffb"}"#;
    let captured = [
        ("audience", Some("\"https://sts.googleapis.com\"")),
        ("images", Some(images)),
        ("projects", Some("[\"someone-secundus-bank\"]")),
        ("instances", Some("\"any\"")),
        ("service_accounts", Some("\"any\"")),
    ];
    let rules = [captured.as_slice(), rules].concat();
    let policy = read(&changed(&policy(), &rules), GcpPolicy::read).unwrap();
    let mut checks = Checks::new();
    let case = ClaimsCase {
        claims: &claims,
        policy: &policy,
        binding: &Binding::Unknown,
        at: at("2023-06-30T13:00:00Z"),
    };
    judge_claims(&case, &mut checks, &mut Proved::default());
    Some(failed_checks(checks))
}

const ALLOWED: &[(&str, Option<&str>)] = &[
    ("env_override", Some("\"allowed\"")),
    ("cmd_override", Some("\"allowed\"")),
];

#[test]
fn captured_claims_of_a_production_image_are_accepted() {
    let Some(failed) = judged("jwt_payload_full.json", ALLOWED) else {
        return;
    };
    assert_eq!(failed, Vec::<&str>::new());
    let strict = judged("jwt_payload_full.json", NONE).unwrap();
    assert_eq!(strict, ["gcp.environment", "gcp.command"]);
    let other = [ALLOWED, &[("projects", Some("[\"other\"]"))]].concat();
    assert_eq!(
        judged("jwt_payload_full.json", &other).unwrap(),
        ["gcp.project"]
    );
}

#[test]
fn captured_claims_without_support_are_refused() {
    let Some(failed) = judged("jwt_payload_null.json", NONE) else {
        return;
    };
    assert_eq!(failed, ["gcp.support"]);
}

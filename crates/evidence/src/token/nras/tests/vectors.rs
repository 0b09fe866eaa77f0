//! Captured claims, and the certificates of a captured key.

use super::*;
use crate::{
    check::Checks,
    result::Proved,
    token::fixture::{at, failed_checks, json, vector},
    x509::{Certificate, ChainRules, verify_chain},
};

fn claims(file: &str) -> Option<Object> {
    let bytes = vector(&format!("nvidia/{file}"))?;
    Some(object(str::from_utf8(&bytes).unwrap()))
}

fn judged(device: &str, time: &str, rules: &[(&str, Option<&str>)]) -> Option<Vec<&'static str>> {
    let overall = claims("nvtrust-nras-gpu-overall_claims_remote.json")?;
    let devices = [("GPU-0".to_owned(), claims(device)?)];
    let captured = [
        (
            "issuers",
            Some(
                r#"["https://nras.attestation.nvidia.com","https://nras.attestation-stg.nvidia.com"]"#,
            ),
        ),
        ("devices", Some("1")),
        ("driver_versions", Some("\"any\"")),
        ("lifetime/max_age_seconds", Some("31000000")),
        (
            "device_ids",
            Some(
                r#"["481858311570236547493498289839486179865867984732","490457405999046854973671575630853621547794591064"]"#,
            ),
        ),
    ];
    let rules = [captured.as_slice(), rules].concat();
    let policy = read(&changed(&policy(), &rules), NrasPolicy::read).unwrap();
    let nonce = "931d8dd0add203ac3d8b4fbde75e115278eefcdceac5b87671a748f32364dfcb";
    let mut checks = Checks::new();
    let case = NrasClaims {
        overall: &overall,
        devices: &devices,
        policy: &policy,
        binding: &Binding::Challenge(crate::hex::decode(nonce).unwrap()),
        at: at(time),
    };
    judge_claims(&case, &mut checks, &mut Proved::default());
    Some(failed_checks(checks))
}

#[test]
fn captured_claims_of_the_service_are_accepted() {
    let file = "nvtrust-nras-gpu-detached_claims_remote.json";
    let Some(failed) = judged(file, "2024-09-27T00:00:00Z", NONE) else {
        return;
    };
    assert_eq!(failed, Vec::<&str>::new());
    let production = [(
        "issuers",
        Some(r#"["https://nras.attestation.nvidia.com"]"#),
    )];
    assert_eq!(
        judged(file, "2024-09-27T00:00:00Z", &production).unwrap(),
        ["nras.issuer"]
    );
}

#[test]
fn captured_claims_of_a_local_verifier_are_refused() {
    let file = "nvtrust-nras-gpu-detached_claims_local.json";
    let Some(failed) = judged(file, "2024-09-27T00:00:00Z", NONE) else {
        return;
    };
    assert_eq!(failed, ["nras.issuer"]);
}

#[test]
fn captured_claims_with_a_warning_are_refused_unless_tolerated() {
    let file = "nvtrust-nras-gpu-detached_granular_claims_remote.json";
    let then = "2025-01-06T21:30:00Z";
    let Some(failed) = judged(file, then, NONE) else {
        return;
    };
    assert_eq!(failed, ["nras.warnings"]);
    let tolerant = [("warnings", Some("\"tolerated\""))];
    assert_eq!(judged(file, then, &tolerant).unwrap(), Vec::<&str>::new());
    assert_eq!(
        judged(file, "2025-01-07T20:40:00Z", &tolerant).unwrap(),
        ["nras.time"]
    );
}

#[test]
fn d01_a_captured_answer_that_nobody_signed_is_refused() {
    let Some(bytes) = vector("nvidia/dstack-nvat-h100-claims.json") else {
        return;
    };
    let document = json(str::from_utf8(&bytes).unwrap());
    let answer = document.get("detached_eat").unwrap().to_string();
    let parsed = Answer::parse(answer.as_bytes()).unwrap();
    let rules = [
        ("issuers", Some(r#"["https://NVAT-LOCAL-VERIFIER"]"#)),
        ("devices", Some("1")),
        ("driver_versions", Some("\"any\"")),
        ("vbios_versions", Some("\"any\"")),
        (
            "device_ids",
            Some("[\"457723480349051719100670602112458195243836813799\"]"),
        ),
    ];
    let result = judge_answer(&answer, &changed(&policy(), &rules), &Binding::Unknown);
    assert_eq!(
        failed(&result),
        ["nras.signature", "nras.issuer", "nras.time"]
    );
    let overall = Jws::parse(parsed.overall()).unwrap().claims().unwrap();
    assert_eq!(answer::listed(&overall).unwrap().len(), 1);
}

#[test]
fn the_certificates_of_a_captured_key_lead_to_their_issuer() {
    let Some(bytes) = vector("nvidia/attestation-rs-nras_gpu_x5c_chain.json") else {
        return;
    };
    let document = json(str::from_utf8(&bytes).unwrap());
    let key = format!(
        r#"{{"keys":[{{"kty":"EC","kid":"k","x5c":{}}}]}}"#,
        document.get("x5c").unwrap()
    );
    let set = KeySet::parse(key.as_bytes()).unwrap();
    // An elliptic key has its coordinates in the set; only RSA keys are left to a certificate.
    assert!(set.keys.is_empty());
    use base64::Engine as _;
    let list = document.get("x5c").unwrap().as_array().unwrap();
    let certificates: Vec<Certificate> = list
        .iter()
        .map(|text| {
            let der = base64::engine::general_purpose::STANDARD
                .decode(text.as_str().unwrap())
                .unwrap();
            Certificate::from_der(&der).unwrap()
        })
        .collect();
    let rules = |time: &str| ChainRules::at(at(time));
    let roots = &certificates[1..];
    let path = verify_chain(&certificates[0], &[], roots, &rules("2026-06-09T00:00:00Z"));
    assert_eq!(path.unwrap().len(), 2);
    let late = verify_chain(&certificates[0], &[], roots, &rules("2026-06-11T00:00:00Z"));
    assert!(late.is_err());
}

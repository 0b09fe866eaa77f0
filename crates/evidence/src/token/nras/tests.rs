mod answers;
mod policy;
mod vectors;

use super::*;
use crate::{
    AttestationResult, Binding, Platform, Sha256Digest, Status,
    forge::{self, Alg as Signed, Key},
    token::fixture::{ISSUED, appraise_token, changed, failed, jwk, key_set, object, pin, read},
};

const ISSUER: &str = "https://nras.attestation.nvidia.com";
const NONCE: &str = "010203";

fn key() -> Key {
    Key::p384("nras")
}

fn policy() -> String {
    format!(
        r#"{{
        "issuers": ["{ISSUER}"],
        "signers": {{"keys": ["{}"], "roots": "none"}},
        "lifetime": {{"skew_seconds": 60, "max_age_seconds": 3600}},
        "devices": 2,
        "models": ["GH100 A01 GSP BROM"],
        "driver_versions": ["570.00"],
        "vbios_versions": ["96.00.9F.00.01"],
        "device_ids": ["1", "2"],
        "warnings": "refused",
        "identity": "pinned"
        }}"#,
        pin(&key())
    )
}

fn common() -> String {
    format!(
        r#""iss": "{ISSUER}", "eat_nonce": "{NONCE}", "iat": {ISSUED}, "nbf": {ISSUED}, "exp": {}, "jti": "1""#,
        ISSUED + 3600
    )
}

fn device(id: &str) -> String {
    let chain = r#"{"x-nvidia-cert-status": "valid", "x-nvidia-cert-ocsp-status": "good",
        "x-nvidia-cert-ocsp-nonce-matches": true, "x-nvidia-cert-ocsp-response-valid": true,
        "x-nvidia-cert-revocation-reason": null,
        "x-nvidia-cert-expiration-date": "2027-01-01T00:00:00"}"#;
    let verdicts: Vec<String> = [
        "arch-check",
        "attestation-report-nonce-match",
        "attestation-report-parsed",
        "attestation-report-signature-verified",
        "driver-rim-fetched",
        "driver-rim-measurements-available",
        "driver-rim-signature-verified",
        "vbios-index-no-conflict",
        "vbios-rim-fetched",
        "vbios-rim-measurements-available",
        "vbios-rim-signature-verified",
    ]
    .iter()
    .map(|name| format!(r#""x-nvidia-gpu-{name}": true"#))
    .collect();
    let chains: Vec<String> = ["attestation-report", "driver-rim", "vbios-rim"]
        .iter()
        .map(|name| format!(r#""x-nvidia-gpu-{name}-cert-chain": {chain}"#))
        .collect();
    format!(
        r#"{{{}, "measres": "success", "dbgstat": "disabled", "secboot": true,
        "hwmodel": "GH100 A01 GSP BROM", "ueid": "{id}", "oemid": "5703",
        "x-nvidia-device-type": "gpu", "x-nvidia-gpu-claims-version": "3.0",
        "x-nvidia-gpu-driver-version": "570.00", "x-nvidia-gpu-vbios-version": "96.00.9F.00.01",
        "x-nvidia-mismatch-measurement-records": null, {}, {}}}"#,
        common(),
        verdicts.join(", "),
        chains.join(", ")
    )
}

fn sign(claims: &str) -> String {
    sign_as(r#"{"alg":"ES384","kid":"one"}"#, claims)
}

fn sign_as(header: &str, claims: &str) -> String {
    forge::jws(header, claims, Signed::EcdsaSha384, &key())
}

/// The claims over devices' tokens.
fn overall(devices: &[(&str, String)]) -> String {
    let digests: Vec<String> = devices
        .iter()
        .map(|(name, token)| {
            let digest = Sha256Digest::of(token.as_bytes()).hex();
            format!(r#""{name}": ["DIGEST", ["SHA-256", "{digest}"]]"#)
        })
        .collect();
    format!(
        r#"{{{}, "sub": "NVIDIA-PLATFORM-ATTESTATION", "x-nvidia-ver": "3.0",
        "x-nvidia-overall-att-result": true, "submods": {{{}}}}}"#,
        common(),
        digests.join(", ")
    )
}

fn answer(overall: &str, devices: &[(&str, String)]) -> String {
    let devices: Vec<String> = devices
        .iter()
        .map(|(name, token)| format!(r#""{name}": "{token}""#))
        .collect();
    format!(r#"[["JWT", "{overall}"], {{{}}}]"#, devices.join(", "))
}

fn two() -> Vec<(&'static str, String)> {
    vec![("GPU-0", sign(&device("1"))), ("GPU-1", sign(&device("2")))]
}

fn judge_answer(answer: &str, policy: &str, binding: &Binding) -> AttestationResult {
    let policy = read(policy, NrasPolicy::read).unwrap();
    let keys = key_set(&[jwk("one", &key())]);
    appraise_token(
        Platform::Nras,
        answer.as_bytes(),
        &keys,
        binding,
        |values| {
            values.nras = Some(policy);
        },
    )
}

fn challenge() -> Binding {
    Binding::Challenge(vec![1, 2, 3])
}

/// What fails where the second device's claims are changed, under changed reference values.
fn faults(changes: &[(&str, Option<&str>)], rules: &[(&str, Option<&str>)]) -> Vec<&'static str> {
    let devices = vec![
        ("GPU-0", sign(&device("1"))),
        ("GPU-1", sign(&changed(&device("2"), changes))),
    ];
    let answer = answer(&sign(&overall(&devices)), &devices);
    failed(&judge_answer(
        &answer,
        &changed(&policy(), rules),
        &challenge(),
    ))
}

/// What fails where the claims over all devices are changed.
fn overall_faults(changes: &[(&str, Option<&str>)]) -> Vec<&'static str> {
    let devices = two();
    let overall = sign(&changed(&overall(&devices), changes));
    failed(&judge_answer(
        &answer(&overall, &devices),
        &policy(),
        &challenge(),
    ))
}

const NONE: &[(&str, Option<&str>)] = &[];

mod claims;
mod policy;
mod token;
mod vectors;

use super::*;
use crate::{
    AttestationResult, Binding, Platform, Status,
    forge::{self, Alg as Signed, Key},
    token::fixture::{ISSUED, appraise_token, changed, failed, jwk, key_set, pin, read},
};

const ISSUER: &str = "https://sharedeus.eus.attest.azure.net";
const DID: &str = "did:x509:0:sha256:AAAA::eku:1.3.6.1.4.1.311.76.59.1.2";

fn key() -> Key {
    Key::rsa2048(0)
}

fn digits(byte: &str, bytes: usize) -> String {
    byte.repeat(bytes)
}

/// Reference values that accept both tokens below.
fn policy() -> String {
    format!(
        r#"{{
        "issuers": [{{"issuer": "{ISSUER}", "keys": ["{}"], "policy_hashes": "any"}}],
        "lifetime": {{"skew_seconds": 60, "max_age_seconds": 28800}},
        "nonce": "base64url",
        "workloads": ["container-group", "kata", "cvm"],
        "measurements": "endorsed",
        "host_data": ["{}"],
        "id_key_digests": ["{}"],
        "runtime_keys": "any",
        "vm_ids": "any",
        "vmpl": [0],
        "smt": "allowed",
        "minimum": {{"guest_svn": 2, "bootloader": 3, "tee": 0, "snp": 8, "microcode": 115}},
        "uvm": {{"issuer": "{DID}", "feeds": ["ContainerPlat-AMD-UVM"], "minimum_svn": 100}},
        "secure_boot": "required",
        "identity": "pinned"
        }}"#,
        pin(&key()),
        digits("0d", 32),
        digits("1d", 48),
    )
}

fn hardware(status: &str) -> String {
    format!(
        r#"
        "x-ms-attestation-type": "sevsnpvm",
        "x-ms-compliance-status": "{status}",
        "x-ms-sevsnpvm-bootloader-svn": 3,
        "x-ms-sevsnpvm-guestsvn": 2,
        "x-ms-sevsnpvm-hostdata": "{}",
        "x-ms-sevsnpvm-idkeydigest": "{}",
        "x-ms-sevsnpvm-is-debuggable": false,
        "x-ms-sevsnpvm-launchmeasurement": "{}",
        "x-ms-sevsnpvm-microcode-svn": 115,
        "x-ms-sevsnpvm-migration-allowed": false,
        "x-ms-sevsnpvm-reportdata": "{}{}",
        "x-ms-sevsnpvm-reportid": "{}",
        "x-ms-sevsnpvm-smt-allowed": true,
        "x-ms-sevsnpvm-snpfw-svn": 8,
        "x-ms-sevsnpvm-tee-svn": 0,
        "x-ms-sevsnpvm-vmpl": 0"#,
        digits("0d", 32),
        digits("1d", 48),
        digits("ee", 48),
        digits("da", 32),
        digits("00", 32),
        digits("1f", 32),
    )
}

fn token_fields() -> String {
    format!(
        r#""exp": {}, "iat": {ISSUED}, "nbf": {ISSUED}, "iss": "{ISSUER}", "jti": "1",
        "x-ms-policy-hash": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "x-ms-ver": "1.0""#,
        ISSUED + 28800
    )
}

/// A container group whose runtime data has the nonce `AQID` and one key.
fn container() -> String {
    format!(
        r#"{{{}, {}, "x-ms-runtime": {{"keys": [{}], "nonce": "AQID"}},
        "x-ms-sevsnpvm-uvm-endorsement": {{"x-ms-sevsnpvm-guestsvn": "100",
            "x-ms-sevsnpvm-launchmeasurement": "{}"}},
        "x-ms-sevsnpvm-uvm-endorsement-headers": {{"feed": "ContainerPlat-AMD-UVM", "iss": "{DID}"}}}}"#,
        token_fields(),
        hardware("azure-compliant-uvm"),
        jwk("k", &Key::rsa2048(1)),
        digits("ee", 48),
    )
}

/// A virtual machine whose client asked with the nonce `AQID`.
fn machine() -> String {
    format!(
        r#"{{{}, "secureboot": true, "x-ms-attestation-type": "azurevm",
        "x-ms-azurevm-bootdebug-enabled": false,
        "x-ms-azurevm-debuggersdisabled": true,
        "x-ms-azurevm-flightsigning-enabled": false,
        "x-ms-azurevm-hypervisordebug-enabled": false,
        "x-ms-azurevm-kerneldebug-enabled": false,
        "x-ms-azurevm-testsigning-enabled": false,
        "x-ms-azurevm-vmid": "ABD9EA99",
        "x-ms-isolation-tee": {{{},
            "x-ms-runtime": {{"keys": [], "vm-configuration": {{"secure-boot": true}}}}}},
        "x-ms-runtime": {{"client-payload": {{"nonce": "QVFJRA=="}}, "keys": [{}]}}}}"#,
        token_fields(),
        hardware("azure-compliant-cvm"),
        jwk("k", &Key::rsa2048(1)),
    )
}

fn sign(claims: &str) -> String {
    let header = r#"{"alg":"RS256","jku":"https://x/certs","kid":"one","typ":"JWT"}"#;
    forge::jws(header, claims, Signed::RsaSha256, &key())
}

fn challenge() -> Binding {
    Binding::Challenge(vec![1, 2, 3])
}

fn judge_token(token: &str, policy: &str, binding: &Binding) -> AttestationResult {
    let policy = read(policy, MaaPolicy::read).unwrap();
    let keys = key_set(&[jwk("one", &key())]);
    appraise_token(Platform::Maa, token.as_bytes(), &keys, binding, |values| {
        values.maa = Some(policy);
    })
}

/// What fails of claims with members changed, under reference values with members changed.
fn faults(
    claims: &str,
    changes: &[(&str, Option<&str>)],
    rules: &[(&str, Option<&str>)],
) -> Vec<&'static str> {
    let token = sign(&changed(claims, changes));
    failed(&judge_token(
        &token,
        &changed(&policy(), rules),
        &challenge(),
    ))
}

//! A real TPM (swtpm): its endorsement certificate, keys that are activated against it, quotes, and
//! `tpm2_checkquote` as a second opinion on each of them.

use super::{
    machine::{failures, name, reference_values},
    swtpm::{ECC, Kind, Tpm, find_state},
};
use crate::{
    AttestationResult, Binding, Endorsements, Evidence, Input, Platform, Status, Timestamp,
    appraise,
    eventlog::{HashAlg, tests::build::sound},
    evidence::Part,
    forge::{Alg, Authority, Cert, Key, pem},
    hex, x509,
};

const BANK: HashAlg = HashAlg::Sha256;

/// Reference values for the sound log on any hardware, for a key or certificates, with these counters.
fn policy(trust: &str, counters: &str) -> crate::ReferenceValues {
    let loader = hex::encode(&BANK.digest(b"the boot loader"));
    let action = hex::encode(&BANK.digest(b"Calling EFI Application from Boot Option"));
    let file = hex::encode(&[2; 32]);
    let text = format!(
        r#"{{{trust}, "identity": "pinned", "quote": {{
            "bank": "sha256", "quoted": "0-11",
            "pcrs": {{"0-3,5-11": "replayed", "12-23": "ignored",
                "4": {{"allowed": {{"action": "{action}", "loader": "{loader}"}}, "required": ["loader"]}}}},
            "software": "pinned", "secure_boot": "required", "event_order": "refused",
            "payloads": "refused", "ima": {{"true": "{file}"}}, "qualifying_data": "whole",
            "counters": {counters}, "clock": "any", "firmware": "any"}}}}"#
    );
    reference_values(&text).unwrap_or_else(|faults| panic!("{faults:#?}"))
}

fn judge(
    evidence: &Evidence,
    policy: &crate::ReferenceValues,
    challenge: &[u8],
    certificates: &[Vec<u8>],
) -> AttestationResult {
    appraise(&Input {
        evidence,
        endorsements: &Endorsements {
            certificates: certificates.to_vec(),
            ..Endorsements::default()
        },
        binding: &Binding::Challenge(challenge.to_vec()),
        policy,
        at: Timestamp::parse_rfc3339("2026-06-09T00:00:00Z").expect("a time"),
    })
}

fn named(name: &[u8]) -> String {
    format!(
        "\"names\": [\"{}\"], \"certificates\": \"refused\"",
        hex::encode(name)
    )
}

#[test]
fn quotes_of_a_real_tpm_are_affirmed_for_every_kind_of_key() {
    let Some(mut tpm) = Tpm::manufacture("keys") else {
        return;
    };
    tpm.start();
    let log = sound(&[BANK]).bytes();
    tpm.boot(&log);
    let list = tpm.measure();
    for (algorithm, hash, scheme) in [
        ("ecc", "sha256", "ecdsa"),
        ("ecc384", "sha384", "ecdsa"),
        ("rsa", "sha256", "rsassa"),
        ("rsa", "sha256", "rsapss"),
    ] {
        let key = Kind {
            algorithm,
            hash,
            scheme,
        };
        let activated = tpm.activated(&key);
        let area = tpm.read("ak.pub");
        assert_eq!(name(&area[2..]), activated, "{algorithm} {scheme}");
        for size in [32, 64] {
            let challenge = vec![0x5a; size];
            let evidence = tpm.quote(&key, &challenge, (&log, &list));
            let policy = policy(&named(&activated), "\"any\"");
            let result = judge(&evidence, &policy, &challenge, &[]);
            assert_eq!(failures(&result), [""; 0], "{algorithm} {scheme} {size}");
            assert_eq!(result.status, Status::Affirming);
            assert_eq!(
                result.claim("ak-name"),
                Some(hex::encode(&activated).as_str())
            );
        }
    }
}

#[test]
fn tpm2_checkquote_agrees_on_good_and_changed_quotes() {
    let Some(mut tpm) = Tpm::manufacture("check") else {
        return;
    };
    tpm.start();
    let log = sound(&[BANK]).bytes();
    tpm.boot(&log);
    let list = tpm.measure();
    let challenge = [0x5a; 32];
    for key in [
        ECC,
        Kind {
            algorithm: "rsa",
            hash: "sha256",
            scheme: "rsassa",
        },
    ] {
        let activated = tpm.activated(&key);
        let evidence = tpm.quote(&key, &challenge, (&log, &list));
        let policy = policy(&named(&activated), "\"any\"");
        let attest = evidence.part(Part::Attest).expect("a quote").to_vec();
        let signature = evidence
            .part(Part::Signature)
            .expect("a signature")
            .to_vec();
        let both = |attest: &[u8], signature: &[u8], challenge: &[u8]| {
            let mut changed = Evidence::new(Platform::Tpm);
            for (part, bytes) in evidence.parts() {
                let bytes = if part == Part::Attest {
                    attest
                } else if part == Part::Signature {
                    signature
                } else {
                    bytes
                };
                changed = changed.with(part, bytes);
            }
            let ours = judge(&changed, &policy, challenge, &[]).status == Status::Affirming;
            let theirs = tpm.check(&key, challenge, attest, signature);
            assert_eq!(ours, theirs, "{}", key.algorithm);
            ours
        };
        assert!(both(&attest, &signature, &challenge));
        assert!(!both(&attest, &signature, &[0x5b; 32]));
        let step = |length: usize| (0..length).step_by(length / 12 + 1);
        for at in step(attest.len()) {
            let mut changed = attest.clone();
            changed[at] ^= 0x10;
            assert!(!both(&changed, &signature, &challenge), "{at}");
        }
        for at in step(signature.len()).skip(1) {
            let mut changed = signature.clone();
            changed[at] ^= 0x10;
            assert!(!both(&attest, &changed, &challenge), "{at}");
        }
    }
}

#[test]
fn a_key_of_a_real_tpm_is_trusted_by_its_certificate() {
    let Some(mut tpm) = Tpm::manufacture("certificate") else {
        return;
    };
    tpm.start();
    let log = sound(&[BANK]).bytes();
    tpm.boot(&log);
    let list = tpm.measure();
    tpm.activated(&ECC);
    let spki = x509::key_from_pem(&tpm.read("ak.pem")).expect("PEM");
    let root = Authority::root("root", Key::p384("root"), Alg::EcdsaSha384);
    let leaf = Cert::new("attestation key", &Key::p256("replaced")).spki(spki.clone());
    let leaf = leaf.key_usage(0x80).purposes(&["2.23.133.8.3"]);
    let certificate = root.issue(leaf);
    let trust = |keys: &str| {
        format!(
            "\"names\": \"none\", \"certificates\": {{\"roots\": [\"{}\"], \"keys\": [\"{keys}\"], \
             \"gce_projects\": \"any\", \"revocation\": \"not-checked\"}}",
            pem("CERTIFICATE", &root.der).replace('\n', "\\n")
        )
    };
    let challenge = [0x5a; 32];
    let evidence = tpm.quote(&ECC, &challenge, (&log, &list));
    let ours = policy(&trust(&hex::encode(&BANK.digest(&spki))), "\"any\"");
    let result = judge(
        &evidence,
        &ours,
        &challenge,
        std::slice::from_ref(&certificate),
    );
    assert_eq!(failures(&result), [""; 0]);
    let theirs = policy(&trust(&hex::encode(&[7; 32])), "\"any\"");
    let result = judge(&evidence, &theirs, &challenge, &[certificate]);
    assert_eq!(failures(&result), ["tpm.identity"]);
}

#[test]
fn b20_a_tpm_whose_state_was_set_back_is_refused() {
    let Some(mut tpm) = Tpm::manufacture("rollback") else {
        return;
    };
    let log = sound(&[BANK]).bytes();
    let challenge = [0x5a; 32];
    let count = |tpm: &Tpm| {
        tpm.boot(&log);
        let list = tpm.measure();
        let evidence = tpm.quote(&ECC, &challenge, (&log, &list));
        let attest = evidence.part(Part::Attest).expect("a quote");
        let read = crate::tpm::Attest::parse(attest).expect("a quote");
        (read.reset_count, read.restart_count, evidence.clone())
    };
    tpm.start();
    let activated = tpm.activated(&ECC);
    let (first, _, _) = count(&tpm);
    tpm.stop();
    let state = find_state(&tpm.path("state"));
    let before = std::fs::read(&state).expect("a state");
    tpm.start();
    // Contexts of the tools end with a reset; the key is made again from the same seed and so is not
    // the same key, but the TPM is.
    let again = tpm.activated(&ECC);
    assert_ne!(activated, again);
    let (second, restart, evidence) = count(&tpm);
    assert!(second > first);
    let seen = format!("{{\"reset\": {second}, \"restart\": {restart}}}");
    let result = judge(&evidence, &policy(&named(&again), &seen), &challenge, &[]);
    assert_eq!(failures(&result), [""; 0]);
    let later = format!("{{\"reset\": {}, \"restart\": 0}}", second + 1);
    tpm.stop();
    std::fs::write(&state, before).expect("written");
    tpm.start();
    let again = tpm.activated(&ECC);
    let (third, _, evidence) = count(&tpm);
    assert_eq!(third, second);
    let result = judge(&evidence, &policy(&named(&again), &later), &challenge, &[]);
    assert_eq!(failures(&result), ["tpm.counters"]);
}

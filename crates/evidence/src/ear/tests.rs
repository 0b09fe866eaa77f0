use cmcp_json::{Limits, parse};

use super::{
    aspect::{Aspect, listed},
    *,
};
use crate::{
    About, Platform, PublicKey, Timestamp, appraise,
    check::{Checks, all},
    result::Proved,
    snp,
};

fn check(code: &str) -> &'static crate::check::Check {
    all().into_iter().find(|check| check.code == code).unwrap()
}

fn at() -> Timestamp {
    Timestamp::from_unix_seconds(1_780_000_000)
}

fn result(decide: impl FnOnce(&mut Checks)) -> AttestationResult {
    let mut checks = Checks::new();
    let mut proved = Proved::default();
    decide(&mut checks);
    proved.claim(About::What, "measurement", "ab");
    proved.claim(About::What, "guest-svn", 3);
    proved.claim(About::Where, "chip-id", "cd");
    proved.note("a note");
    proved.until(Timestamp::from_unix_seconds(1_780_000_100));
    AttestationResult::conclude(Platform::Snp, checks, proved, at())
}

fn ear(result: &AttestationResult, binding: &Binding) -> Value {
    let context = Context {
        developer: "https://cmcp.dev",
        build: "cmcp 0.1.0",
        policy: Sha256Digest::of(b"policy"),
        binding,
    };
    claims(result, &context)
}

fn vector_of(ear: &Value) -> Vec<(String, u64)> {
    let submod = ear.get("submods").unwrap().get("snp").unwrap();
    let vector = submod.get("ear_trustworthiness_vector").unwrap();
    let members = vector.as_object().unwrap().iter();
    members
        .map(|(name, value)| (name.to_owned(), value.as_u64().unwrap()))
        .collect()
}

fn number_of(ear: &Value, name: &str) -> u64 {
    let found = vector_of(ear).into_iter().find(|(known, _)| known == name);
    found.unwrap().1
}

#[test]
fn every_check_speaks_of_one_aspect() {
    let unlisted: Vec<&str> = all()
        .iter()
        .map(|check| check.code)
        .filter(|code| listed(code).is_none())
        .collect();
    assert_eq!(unlisted, Vec::<&str>::new());
    assert_eq!(aspect_of("snp.nobody-thought-of-it"), Aspect::Signature);
}

#[test]
fn a_result_whose_checks_are_met_affirms_what_was_looked_at() {
    let result = result(|checks| {
        for code in [
            "snp.signature",
            "snp.measurement",
            "snp.tcb",
            "snp.debug",
            "snp.chip-id",
        ] {
            checks.met(check(code));
        }
        checks.not_applicable(check("snp.csp"), "no provider");
    });
    let ear = ear(&result, &Binding::Challenge(vec![7; 32]));
    assert_eq!(
        vector_of(&ear),
        [
            ("instance-identity", 2),
            ("configuration", 0),
            ("executables", 3),
            ("hardware", 2),
            ("runtime-opaque", 2),
            ("file-system", 0),
            ("storage-opaque", 0),
            ("sourced-data", 0),
        ]
        .map(|(name, value)| (name.to_owned(), value))
    );
    let submod = ear.get("submods").unwrap().get("snp").unwrap();
    for (now, before) in [
        ("ear_status", "ear.status"),
        ("ear_trustworthiness_vector", "ear.trustworthiness-vector"),
    ] {
        assert_eq!(submod.get(now), submod.get(before));
    }
    assert_eq!(
        submod.get("ear.status").unwrap().as_str(),
        Some("affirming")
    );
    let text = |name: &str| ear.get(name).and_then(Value::as_str).map(str::to_owned);
    assert_eq!(
        text("eat_profile").unwrap(),
        "tag:ietf.org,2026:rats/ear#04"
    );
    assert_eq!(text("eat_nonce").unwrap(), b64::encode(&[7; 32]));
    assert_eq!(ear.get("iat").unwrap().as_u64(), Some(1_780_000_000));
    assert_eq!(ear.get("exp").unwrap().as_u64(), Some(1_780_000_100));
    let ours = submod.get("ear_verifier_claims").unwrap().to_string();
    assert_eq!(
        ours,
        r#"{"failed":[],"what":{"measurement":"ab","guest-svn":"3"},"where":{"chip-id":"cd"},"notes":["a note"]}"#
    );
}

#[test]
fn what_is_tolerated_warns_and_what_failed_contraindicates() {
    let warned = result(|checks| {
        checks.met(check("snp.tcb"));
        checks.tolerate(check("dcap.tcb-status"), "SWHardeningNeeded", None);
        checks.met(check("snp.measurement"));
    });
    let ear_of = |result: &AttestationResult| ear(result, &Binding::Unknown);
    let warned = ear_of(&warned);
    assert_eq!(
        (
            number_of(&warned, "hardware"),
            number_of(&warned, "executables")
        ),
        (32, 3)
    );
    assert_eq!(warned.get("ear_status").unwrap().as_str(), Some("warning"));
    for (code, aspect, number) in [
        ("snp.chip-id", "instance-identity", 97),
        ("snp.vmpl", "configuration", 96),
        ("snp.measurement", "executables", 96),
        ("snp.tcb", "hardware", 96),
        ("snp.debug", "runtime-opaque", 96),
    ] {
        let failed = ear_of(&result(|checks| {
            checks.met(check("snp.signature"));
            checks.fail(check(code), "this", "that");
        }));
        assert_eq!(number_of(&failed, aspect), number, "{code}");
        assert_eq!(failed.get("exp"), None);
        let submod = failed.get("submods").unwrap().get("snp").unwrap();
        let ours = submod.get("ear_verifier_claims").unwrap().to_string();
        assert_eq!(
            ours,
            format!(r#"{{"failed":["{code}"],"notes":["a note"]}}"#)
        );
    }
}

#[test]
fn evidence_that_is_not_authentic_affirms_nothing() {
    let forged = result(|checks| {
        checks.require(snp::ALL);
        checks.fail(check("snp.signature"), "a signature", "none");
        checks.met(check("snp.measurement"));
        checks.met(check("snp.debug"));
    });
    let numbers: Vec<u64> = vector_of(&ear(&forged, &Binding::Unknown))
        .into_iter()
        .map(|(_, number)| number)
        .collect();
    assert_eq!(numbers, [99, 99, 99, 99, 99, 0, 0, 0]);
    // A signature that nobody looked at is none.
    let undone = result(|checks| {
        checks.require(snp::ALL);
        checks.met(check("snp.measurement"));
    });
    assert_eq!(
        number_of(&ear(&undone, &Binding::Unknown), "executables"),
        99
    );
}

#[test]
fn software_makes_no_claim() {
    let mut checks = Checks::new();
    checks.require(appraise::ALL);
    let result = AttestationResult::conclude(Platform::Software, checks, Proved::default(), at());
    let ear = ear(&result, &Binding::Unknown);
    let submod = ear.get("submods").unwrap().get("software").unwrap();
    assert_eq!(submod.get("ear_status").unwrap().as_str(), Some("none"));
    assert_eq!(ear.get("ear.status").unwrap().as_str(), Some("none"));
    assert_eq!(ear.get("eat_nonce"), None);
}

#[test]
fn a_signed_result_is_a_compact_jws_over_exactly_the_claims() {
    let result = result(|checks| checks.met(check("snp.measurement")));
    let claims = ear(&result, &Binding::Challenge(vec![1; 4]));
    assert_eq!(
        claims.get("eat_nonce"),
        None,
        "too short for a nonce of an EAT"
    );
    let key = SigningKey::from_seed(&[3; 32]);
    let token = sign(&claims, &key);
    let parts: Vec<&str> = token.split('.').collect();
    let [header, payload, signature] = parts.as_slice() else {
        panic!("{token}");
    };
    let header = parse(&b64::decode(header).unwrap(), &Limits::REQUEST).unwrap();
    assert_eq!(header.get("alg").unwrap().as_str(), Some("EdDSA"));
    assert_eq!(
        header.get("kid").unwrap().as_str(),
        Some(b64::encode(key.public().thumbprint().as_bytes()).as_str())
    );
    assert_eq!(b64::decode(payload).unwrap(), claims.to_vec());
    let input = token.rsplit_once('.').unwrap().0;
    let signature = crate::Signature::from_b64url(signature).unwrap();
    let public: PublicKey = key.public();
    assert_eq!(public.verify(input.as_bytes(), &signature), Ok(()));
    assert_eq!(
        sign(&claims, &key),
        token,
        "the same claims give the same bytes"
    );
}

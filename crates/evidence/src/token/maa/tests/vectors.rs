//! Captured tokens and claims.

use super::*;
use crate::{
    check::Checks,
    result::Proved,
    token::fixture::{at, failed_checks, object, vector},
};

const SHARED: &str = "https://sharedeus2.eus2.attest.azure.net";

/// Reference values for the captured virtual machine: what it is, and its instance's key.
fn captured(workloads: &str, uvm: &str) -> Option<MaaPolicy> {
    let set = vector("azure/maa/sharedeus2-jwks-recovered.json")?;
    let set = crate::jose::KeySet::parse(&set).unwrap();
    let pin = crate::b64::encode(set.keys[0].thumbprint().as_bytes());
    let issuers = format!(r#"[{{"issuer":"{SHARED}","keys":["{pin}"],"policy_hashes":"any"}}]"#);
    let rules = [
        ("issuers", Some(issuers.as_str())),
        ("workloads", Some(workloads)),
        ("uvm", Some(uvm)),
        ("host_data", Some("\"any\"")),
        ("id_key_digests", Some("\"any\"")),
        ("vm_ids", Some("[\"ABD9EA99-D837-4F68-AD3E-C87C88006AFA\"]")),
        ("nonce", Some("\"text\"")),
    ];
    Some(read(&changed(&policy(), &rules), MaaPolicy::read).unwrap())
}

fn verdict(file: &str, policy: MaaPolicy, time: &str, nonce: &str) -> AttestationResult {
    let token = vector(file).unwrap();
    let keys = vector("azure/maa/sharedeus2-jwks-recovered.json").unwrap();
    let evidence = crate::Evidence::new(Platform::Maa).with(Part::Token, token);
    let endorsements = crate::Endorsements {
        key_sets: vec![keys],
        ..crate::Endorsements::default()
    };
    let mut values = crate::ReferenceValues::refusing_all(crate::policy::Freshness::Required);
    values.maa = Some(policy);
    crate::appraise(&Input {
        evidence: &evidence,
        endorsements: &endorsements,
        binding: &Binding::Challenge(nonce.into()),
        policy: &values,
        at: at(time),
    })
}

const NEW: &str = "azure/maa/cvm-sharedeus2-2025-12.jwt";
const OLD: &str = "azure/maa/cvm-sharedweu-2023-03.jwt";
const THEN: &str = "2025-12-15T19:25:00Z";

#[test]
fn a_captured_token_is_accepted_in_its_time_with_its_nonce() {
    let Some(policy) = captured("[\"cvm\"]", "\"not-required\"") else {
        return;
    };
    let good = verdict(NEW, policy.clone(), THEN, "midnight-srs");
    assert_eq!(failed(&good), Vec::<&str>::new());
    assert_eq!(good.status, Status::Affirming);
    assert_eq!(
        good.claim("vm-id"),
        Some("ABD9EA99-D837-4F68-AD3E-C87C88006AFA")
    );
    let other = verdict(NEW, policy.clone(), THEN, "midnight-srt");
    assert_eq!(failed(&other), ["maa.binding"]);
    let late = verdict(NEW, policy.clone(), "2026-11-20T00:00:00Z", "midnight-srs");
    assert_eq!(failed(&late), ["maa.time"]);
    let early = verdict(NEW, policy, "2025-12-15T19:22:00Z", "midnight-srs");
    assert_eq!(failed(&early), ["maa.time"]);
}

#[test]
fn a_captured_virtual_machine_is_no_container() {
    let uvm =
        format!(r#"{{"issuer":"{DID}","feeds":["ContainerPlat-AMD-UVM"],"minimum_svn":100}}"#);
    let Some(policy) = captured("[\"container-group\"]", &uvm) else {
        return;
    };
    let result = verdict(NEW, policy, THEN, "midnight-srs");
    assert_eq!(failed(&result), ["maa.workload"]);
}

#[test]
fn a_captured_token_of_another_instance_is_refused() {
    let Some(policy) = captured("[\"cvm\"]", "\"not-required\"") else {
        return;
    };
    let result = verdict(OLD, policy, "2023-03-30T11:00:00Z", "ADE0101");
    let failed = failed(&result);
    assert!(failed.contains(&"maa.signature") && failed.contains(&"maa.issuer"));
}

#[test]
fn captured_claims_of_a_container_group_are_judged() {
    let Some(claims) = vector("azure/maa/aci-sharedeus-2023-09.payload.json") else {
        return;
    };
    let claims = object(str::from_utf8(&claims).unwrap());
    let host = "[\"fef932e0103f6132437e8a1223f32efc4bea63342f893b5124645224ef29ba73\"]";
    let did = "did:x509:0:sha256:I__iuL25oXEVFdTP_aBLx_eT1RPHbCQ_ECBQfYZpt9s::eku:1.3.6.1.4.1.311.76.59.1.2";
    let did = format!("\"{did}\"");
    let rules = [
        ("host_data", Some(host)),
        ("id_key_digests", Some("\"any\"")),
        ("uvm/issuer", Some(did.as_str())),
    ];
    let judge = |rules: &[(&str, Option<&str>)]| {
        let policy = read(&changed(&policy(), rules), MaaPolicy::read).unwrap();
        let mut checks = Checks::new();
        let case = ClaimsCase {
            claims: &claims,
            policy: &policy,
            binding: &Binding::Unknown,
            at: at("2023-09-21T09:00:00Z"),
        };
        judge_claims(&case, &mut checks, &mut Proved::default());
        failed_checks(checks)
    };
    assert_eq!(judge(&rules), Vec::<&str>::new());
    let newer = [rules.as_slice(), &[("uvm/minimum_svn", Some("101"))]].concat();
    assert_eq!(judge(&newer), ["maa.uvm"]);
    let other_host = digits("00", 32);
    let other_host = format!("[\"{other_host}\"]");
    let other = [rules.as_slice(), &[("host_data", Some(&other_host))]].concat();
    assert_eq!(judge(&other), ["maa.host-data"]);
}

#[test]
fn claims_of_a_test_instance_are_refused_for_their_issuer() {
    let Some(claims) = vector("azure/maa/cvm-sample.payload.json") else {
        return;
    };
    let claims = object(str::from_utf8(&claims).unwrap());
    let rules = [
        ("host_data", Some("\"any\"")),
        ("vm_ids", Some("[\"2DEDC52A-6832-46CE-9910-E8C9980BF5A7\"]")),
        ("id_key_digests", Some("\"any\"")),
        (
            "minimum",
            Some(r#"{"guest_svn":1,"bootloader":2,"tee":0,"snp":2,"microcode":55}"#),
        ),
    ];
    let policy = read(&changed(&policy(), &rules), MaaPolicy::read).unwrap();
    let mut checks = Checks::new();
    let case = ClaimsCase {
        claims: &claims,
        policy: &policy,
        binding: &Binding::Unknown,
        at: at("2022-05-19T21:00:00Z"),
    };
    judge_claims(&case, &mut checks, &mut Proved::default());
    assert_eq!(failed_checks(checks), ["maa.issuer", "maa.policy-hash"]);
}

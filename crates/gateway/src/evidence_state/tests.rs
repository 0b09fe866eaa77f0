//! Evidence that grows old while calls arrive.

use std::sync::atomic::Ordering;

use crate::{settings::StalenessPolicy, testing::World};

#[tokio::test(flavor = "multi_thread")]
async fn evidence_is_renewed_before_its_validity_ends_and_the_log_says_so() {
    let world = World::new(|_| {}).await;
    assert_eq!(world.call("echo").await, "ok");
    world.pass(399);
    world.gateway.tend_evidence().await;
    assert_eq!(world.attester.asked.lock().unwrap().len(), 1);
    world.pass(1);
    world.gateway.tend_evidence().await;
    assert_eq!(world.attester.asked.lock().unwrap().len(), 2);
    world.pass(599);
    assert_eq!(world.call("echo").await, "ok");
    assert!(world.kinds().contains(&"attestation_refresh".to_owned()));
    assert!(!world.kinds().contains(&"attestation_stale".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn past_its_validity_calls_are_refused_until_evidence_can_be_had_again() {
    let world = World::new(|_| {}).await;
    assert_eq!(world.call("echo").await, "ok");
    world.attester.fails.store(true, Ordering::SeqCst);
    world.pass(600);
    world.gateway.tend_evidence().await;
    for _ in 0..2 {
        assert_eq!(world.call("echo").await, "ATTESTATION_STALE");
    }
    assert_eq!(world.upstream.calls.load(Ordering::SeqCst), 1);
    let (status, ready) = world.request("GET /readyz", "", "").await;
    assert_eq!(status.as_u16(), 503, "{ready}");
    world.attester.fails.store(false, Ordering::SeqCst);
    world.gateway.tend_evidence().await;
    assert_eq!(world.call("echo").await, "ok");
    assert_eq!(world.request("GET /readyz", "", "").await.0.as_u16(), 200);
    let kinds = world.kinds();
    let told: Vec<&str> = kinds
        .iter()
        .map(String::as_str)
        .filter(|kind| *kind != "declarations")
        .collect();
    assert_eq!(
        told,
        [
            "session_start",
            "outcome",
            "attestation_stale",
            "outcome attestation_stale",
            "outcome attestation_stale",
            "attestation_refresh",
            "outcome",
            "suspicious_sequence",
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn warn_only_lets_calls_pass_and_says_so_in_every_outcome() {
    let world = World::new(|settings| settings.staleness_policy = StalenessPolicy::WarnOnly).await;
    world.attester.fails.store(true, Ordering::SeqCst);
    world.pass(600);
    world.gateway.tend_evidence().await;
    for _ in 0..2 {
        assert_eq!(world.call("echo").await, "ok");
    }
    let kinds = world.kinds();
    let stale = kinds.iter().filter(|kind| *kind == "attestation_stale");
    assert_eq!(stale.count(), 1, "{kinds:?}");
    let outcomes = world.log().into_iter().filter(|entry| {
        let findings = entry.get("findings").map(ToString::to_string);
        findings.is_some_and(|findings| findings.contains("attestation_stale"))
    });
    assert_eq!(outcomes.count(), 2);
    let claim = world.close().await;
    let stale = claim
        .get("gateway")
        .unwrap()
        .get("attestation_stale")
        .unwrap();
    assert_eq!(stale.as_bool(), Some(true));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_set_back_makes_evidence_due_at_once() {
    let world = World::new(|_| {}).await;
    world.pass(-3_600);
    world.gateway.tend_evidence().await;
    assert_eq!(world.attester.asked.lock().unwrap().len(), 2);
}

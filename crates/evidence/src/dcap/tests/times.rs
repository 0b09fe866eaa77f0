//! When collateral holds, and how old it is.

use super::{Section, Trial, assert_status, failures, forge::Mint};
use crate::{AttestationResult, Status};

fn judge_at(at: &str) -> AttestationResult {
    let forged = Mint::tdx().build();
    let mut trial = Trial::of(&forged, Section::tdx(&forged.root));
    trial.at = at.parse().unwrap();
    trial.judge()
}

#[test]
fn collateral_holds_from_its_issue_until_before_its_next_update() {
    assert_status(&judge_at("2026-05-20T00:00:00Z"), Status::Affirming);
    assert_status(&judge_at("2026-06-18T23:59:59Z"), Status::Affirming);
    for at in [
        "2026-05-19T23:59:59Z",
        "2026-06-19T00:00:00Z",
        "1969-06-01T00:00:00Z",
    ] {
        let codes = failures(&judge_at(at));
        for check in ["dcap.tcb-info-time", "dcap.qe-identity-time"] {
            assert!(codes.contains(&check), "{at}: {codes:?}");
        }
    }
}

#[test]
fn each_document_has_its_own_time() {
    let over = |text: &str| text.replace("2026-06-19T00:00:00Z", "2026-06-01T00:00:00Z");
    let mut info = Mint::tdx();
    info.info = over(&info.info);
    // At the moment of the next update itself the other verifier still accepts.
    assert_eq!(failures(&super::judge(&info)), ["dcap.tcb-info-time"]);
    let mut identity = Mint::tdx();
    identity.identity = over(&identity.identity);
    assert_eq!(
        failures(&super::judge(&identity)),
        ["dcap.qe-identity-time"]
    );
}

#[test]
fn half_of_a_life_gone_is_told_and_not_refused() {
    let told = |result: &AttestationResult, what: &str| {
        result
            .notes
            .iter()
            .any(|note| note.contains(what) && note.contains("half of its life"))
    };
    let early = judge_at("2026-06-03T23:59:59Z");
    assert!(!told(&early, "TCB info"), "{:?}", early.notes);
    let late = judge_at("2026-06-04T00:00:00Z");
    assert_status(&late, Status::Affirming);
    assert!(
        told(&late, "TCB info") && told(&late, "QE identity"),
        "{:?}",
        late.notes
    );
    assert!(!told(&late, "CRL"));
    let mut mint = Mint::tdx();
    mint.pck_crl = super::forge::crl_of(
        &mint.ca,
        "2026-05-01T00:00:00Z",
        Some("2026-06-02T00:00:00Z"),
    );
    let result = super::judge(&mint);
    assert_status(&result, Status::Affirming);
    assert!(told(&result, "PCK CRL"), "{:?}", result.notes);
    assert_eq!(
        result.not_after,
        Some("2026-06-02T00:00:00Z".parse().unwrap())
    );
}

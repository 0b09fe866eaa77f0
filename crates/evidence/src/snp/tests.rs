//! Forged machines with one field broken at a time, captured reports, and the policy's section.

mod chain;
mod flips;
mod guest;
mod machine;
mod policy;
mod report;
mod revocation;
mod vectors;

use super::{
    forge::{self, Forge, failed},
    *,
};
use crate::{Platform, Status};

#[test]
fn every_product_is_accepted_with_every_check_decided() {
    for product in [Product::Genoa, Product::Turin] {
        let forge = Forge::new(product);
        let result = forge.judge(&forge.policy());
        assert_eq!(failed(&result), [""; 0], "{product}");
        assert_eq!(result.status, Status::Affirming, "{product}");
        assert_eq!(result.platform, Platform::Snp);
        for check in ALL {
            assert!(
                result
                    .checks
                    .iter()
                    .any(|checked| checked.check.code == check.code),
                "{} is not decided",
                check.code
            );
        }
    }
}

#[test]
fn what_is_proved_answers_what_who_where_and_when() {
    let forge = Forge::new(Product::Genoa);
    let result = forge.judge(&forge.policy());
    let claims = [
        ("measurement", hex::encode(&forge::MEASUREMENT)),
        ("measurement-name", "forged".to_owned()),
        ("guest-policy", "0000000000030000".to_owned()),
        ("host-data", hex::encode(&forge::HOST_DATA)),
        ("chip-id", hex::encode(&forge::CHIP)),
        ("product", "genoa".to_owned()),
        ("signing-key", "vcek".to_owned()),
        (
            "reported-tcb",
            "fmc 0, bootloader 10, tee 0, snp 23, microcode 84".to_owned(),
        ),
        ("firmware", "1.55.40".to_owned()),
        ("mitigations", "000000000000000b".to_owned()),
        ("platform-info", "ecc alias-check-complete".to_owned()),
        ("report-data", hex::encode(&forge::CHALLENGE)),
    ];
    for (name, value) in claims {
        assert_eq!(result.claim(name), Some(value.as_str()), "{name}");
    }
    let about = |about: About| result.claims.iter().any(|claim| claim.about == about);
    assert!([About::What, About::Who, About::Where, About::When].map(about) == [true; 4]);
    let list_ends = Timestamp::parse_rfc3339("2027-01-01T00:00:00Z").unwrap();
    assert_eq!(result.not_after, Some(list_ends));
}

#[test]
fn milan_has_to_be_named() {
    let forge = Forge::new(Product::Milan);
    let mut policy = forge.policy();
    let refused = forge.judge(&policy);
    assert_eq!(failed(&refused), ["snp.product"]);
    assert_eq!(forge::not_done(&refused), ["snp.tcb", "snp.launch-tcb"]);
    policy.products.milan = Some(Floors::default());
    let accepted = forge.judge(&policy);
    assert_eq!(accepted.status, Status::Affirming);
    assert!(
        accepted.notes.iter().any(|note| note.contains("Milan")),
        "{:?}",
        accepted.notes
    );
}

#[test]
fn no_evidence_of_this_platform_without_exactly_one_report() {
    let forge = Forge::new(Product::Genoa);
    let twice = crate::Evidence::new(Platform::Snp)
        .with(Part::Report, forge.report())
        .with(Part::Report, forge.report());
    for evidence in [crate::Evidence::new(Platform::Snp), twice] {
        let result = crate::appraise(&Input {
            evidence: &evidence,
            endorsements: &forge.endorsements(),
            binding: &Binding::Unknown,
            policy: &forge::reference_values(forge.policy()),
            at: Timestamp::parse_rfc3339("2026-06-01T00:00:00Z").unwrap(),
        });
        assert_eq!(failed(&result), ["snp.report"]);
        assert_eq!(result.status, Status::Contraindicated);
    }
}

#[test]
fn c07_what_else_came_is_named_and_changes_nothing() {
    let forge = Forge::new(Product::Genoa);
    let evidence = crate::Evidence::new(Platform::Snp)
        .with(Part::Report, forge.report())
        .with(Part::EventLog, b"a log".to_vec());
    let result = crate::appraise(&Input {
        evidence: &evidence,
        endorsements: &forge.endorsements(),
        binding: &Binding::Unknown,
        policy: &forge::reference_values(forge.policy()),
        at: Timestamp::parse_rfc3339("2026-06-01T00:00:00Z").unwrap(),
    });
    assert_eq!(result.status, Status::Affirming);
    assert!(result.notes.iter().any(|note| note.contains("event_log")));
}

#[test]
fn a11_all_64_bytes_of_report_data_are_compared() {
    let forge = Forge::new(Product::Genoa);
    for at in [0x50, 0x6f, 0x70, 0x8f] {
        let byte = forge.signed[at] ^ 1;
        let result = forge.clone().put(at, &[byte]).judge(&forge.policy());
        assert_eq!(failed(&result), ["snp.binding"], "byte {at:#x}");
    }
}

#[test]
fn a_challenge_fills_the_report_data_from_the_left_and_zeros_follow() {
    let mut data = [0; 64];
    data[..5].copy_from_slice(b"nonce");
    let forge = Forge::new(Product::Genoa).put(0x50, &data);
    let judge = |challenge: &[u8]| {
        forge::judge_at(
            forge.report(),
            &forge.endorsements(),
            &forge.policy(),
            &Binding::Challenge(challenge.to_vec()),
            "2026-06-01T00:00:00Z",
        )
    };
    assert_eq!(judge(b"nonce").status, Status::Affirming);
    assert_eq!(failed(&judge(b"nonc")), ["snp.binding"]);
    assert_eq!(failed(&judge(&[0; 65])), ["evidence.fresh", "snp.binding"]);
}

#[test]
fn without_a_binding_the_check_says_so() {
    let forge = Forge::new(Product::Genoa);
    let result = forge::judge_at(
        forge.report(),
        &forge.endorsements(),
        &forge.policy(),
        &Binding::Unknown,
        "2026-06-01T00:00:00Z",
    );
    let checked = result
        .checks
        .iter()
        .find(|checked| checked.check.code == BINDING.code)
        .unwrap();
    assert_eq!(checked.outcome.as_str(), "not-applicable");
    assert_eq!(result.status, Status::Affirming);
}

#[test]
fn every_failed_check_is_told_at_once() {
    let forge = Forge::new(Product::Genoa)
        .put(0x0a, &[0x0d])
        .put(0x30, &[1])
        .put(0x40, &[0x05])
        .put(0x90, &[0])
        .put(0x1a0, &[0]);
    let result = forge.judge(&forge.policy());
    assert_eq!(
        failed(&result),
        [
            "snp.debug",
            "snp.policy-bit-17",
            "snp.migration",
            "snp.vmpl",
            "snp.measurement",
            "snp.alias-check",
            "snp.smt",
            "snp.chip-id",
            "snp.vek-chip",
        ]
    );
}

//! What is around a quote: padding, other parts, the binding, and words of danger.

use super::{Section, Trial, assert_refused, assert_status, failures, forge::Mint, judge};
use crate::{Binding, Evidence, Part, Status};

#[test]
fn b26_what_follows_a_quote_is_zeros_or_refused() {
    let mut mint = Mint::tdx();
    mint.rest = vec![0; 3065];
    let result = judge(&mint);
    assert_status(&result, Status::Affirming);
    assert!(
        result
            .notes
            .iter()
            .any(|note| note.starts_with("3065 bytes follow"))
    );
    mint.rest[3064] = 1;
    assert_refused(&judge(&mint), &["dcap.padding"]);
    mint.rest = Mint::tdx().quote();
    assert_refused(&judge(&mint), &["dcap.padding"]);
}

#[test]
fn a_quote_that_is_missing_or_there_twice_is_refused() {
    let forged = Mint::tdx().build();
    let section = Section::tdx(&forged.root);
    let none = Evidence::new(section.platform);
    let twice = none
        .clone()
        .with(Part::Quote, forged.quote.clone())
        .with(Part::Quote, forged.quote.clone());
    for evidence in [none, twice] {
        let mut trial = Trial::of(&forged, section.clone());
        trial.evidence = evidence;
        let result = trial.judge();
        assert_eq!(result.status, Status::Contraindicated);
        assert!(failures(&result).contains(&"dcap.format"));
    }
}

#[test]
fn c07_parts_that_are_not_looked_at_are_told() {
    let forged = Mint::tdx().build();
    let mut trial = Trial::of(&forged, Section::tdx(&forged.root));
    trial.evidence = trial
        .evidence
        .with(Part::Report, [1])
        .with(Part::EventLog, [1]);
    let result = trial.judge();
    assert_status(&result, Status::Affirming);
    assert!(
        result.notes.iter().any(|note| note.contains("`report`")),
        "{:?}",
        result.notes
    );
    assert!(
        result.notes.iter().any(|note| note.contains("event log")),
        "{:?}",
        result.notes
    );
}

#[test]
fn all_64_bytes_of_report_data_are_compared() {
    for (mint, check) in [(Mint::tdx(), "tdx.binding"), (Mint::sgx(), "sgx.binding")] {
        let forged = mint.build();
        for place in [0, 31, 32, 63] {
            let mut trial = Trial::of(&forged, super::section(&mint, &forged));
            let mut expected = vec![0x77; 64];
            expected[place] ^= 0x80;
            trial.binding = Binding::Challenge(expected);
            assert_refused(&trial.judge(), &[check]);
        }
        let mut trial = Trial::of(&forged, super::section(&mint, &forged));
        trial.binding = Binding::Challenge(vec![0x77; 63]);
        assert_refused(&trial.judge(), &[check]);
        // Longer than report data can be: it must not pass for no challenge at all.
        trial.binding = Binding::Challenge(vec![0x77; 65]);
        assert_refused(&trial.judge(), &["evidence.fresh", check]);
        trial.binding = Binding::Unknown;
        assert_status(&trial.judge(), Status::Affirming);
    }
}

#[test]
fn anybodys_machine_is_a_warning_at_best() {
    let forged = Mint::tdx().build();
    let section = Section::tdx(&forged.root)
        .with("identity", r#""danger-any-machine""#)
        .with("ppids", r#""any""#)
        .with("mrconfigid", r#""any""#)
        .with("rtmr3", r#""ignored""#);
    assert_status(&Trial::of(&forged, section).judge(), Status::Warning);
}

#[test]
fn without_collateral_it_is_a_warning_at_best() {
    for mint in [Mint::tdx(), Mint::sgx()] {
        let forged = mint.build();
        let section = super::section(&mint, &forged).chain_only();
        let mut trial = Trial::of(&forged, section);
        let result = trial.judge();
        assert_status(&result, Status::Warning);
        assert!(
            result
                .notes
                .iter()
                .any(|note| note.contains("collateral came"))
        );
        trial.endorsements.intel.clear();
        let result = trial.judge();
        assert_status(&result, Status::Warning);
        assert!(
            !result
                .notes
                .iter()
                .any(|note| note.contains("collateral came"))
        );
    }
}

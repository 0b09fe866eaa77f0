//! What a refusal tells: what would have been accepted, and what was found.

use super::{Section, Trial, forge::Mint, judge};
use crate::{AttestationResult, check::Outcome, dcap::TcbStatus};

fn told(result: &AttestationResult, code: &str) -> (String, String) {
    let failed = result.failures().find(|checked| checked.check.code == code);
    let Outcome::Failed { expected, actual } = &failed.unwrap().outcome else {
        panic!("{code} did not fail");
    };
    (expected.clone(), actual.clone())
}

#[test]
fn a_pinned_value_is_told_with_what_was_found() {
    let mut mint = Mint::tdx();
    mint.body[232] = 7;
    let (expected, actual) = told(&judge(&mint), "tdx.mrowner");
    assert_eq!(expected, format!("one of {}", "00".repeat(48)));
    assert_eq!(actual, format!("07{}", "00".repeat(47)));
    let forged = Mint::tdx().build();
    let many: Vec<String> = (0..6).map(|byte| format!(r#""{byte:032x}""#)).collect();
    let section = Section::tdx(&forged.root).with("ppids", format!("[{}]", many.join(",")));
    let (expected, _) = told(&Trial::of(&forged, section).judge(), "dcap.ppid");
    assert!(expected.ends_with("03 and 2 more"), "{expected}");
}

#[test]
fn a_measurement_without_a_name_is_told_with_the_names() {
    let mut mint = Mint::tdx();
    mint.body[136] ^= 1;
    let (expected, actual) = told(&judge(&mint), "tdx.measurement");
    assert_eq!(expected, "one of firmware");
    assert!(actual.starts_with("1011"), "{actual}");
    let mut mint = Mint::sgx();
    mint.body[64] ^= 1;
    let (expected, actual) = told(&judge(&mint), "sgx.measurement");
    assert_eq!(expected, "one of enclave, or a signer ()");
    assert!(actual.ends_with("product 7"), "{actual}");
}

#[test]
fn bits_are_told_in_hexadecimal_and_in_words() {
    let mut mint = Mint::tdx();
    mint.body[128..136].copy_from_slice(&1_u64.to_le_bytes());
    mint.body[123] |= 0x40;
    let result = judge(&mint);
    let (expected, actual) = told(&result, "tdx.xfam");
    assert_eq!(expected, "0x3 set, and nothing beyond 0x61ae7");
    assert_eq!(actual, "0x1");
    assert_eq!(
        told(&result, "tdx.pks"),
        ("clear".to_owned(), "set".to_owned())
    );
    let mut mint = Mint::sgx();
    mint.body[48] = 1;
    assert_eq!(
        told(&judge(&mint), "sgx.mode64"),
        ("set".to_owned(), "clear".to_owned())
    );
}

#[test]
fn what_differs_in_a_quoting_enclave_is_told() {
    let mut mint = Mint::tdx();
    mint.qe[128] ^= 1;
    mint.qe[256] = 9;
    mint.qe[16] = 2;
    mint.qe[49] = 1;
    let (expected, actual) = told(&judge(&mint), "dcap.qe-identity");
    assert!(
        expected.starts_with(&format!("MRSIGNER {}, ISVPRODID 2", "51".repeat(32))),
        "{expected}"
    );
    for part in [
        "MRSIGNER 5051",
        "ISVPRODID 9",
        "MISCSELECT 0x2",
        "ATTRIBUTES 1501",
    ] {
        assert!(actual.contains(part), "{actual}");
    }
}

#[test]
fn the_other_verifiers_words_for_a_status_are_ours() {
    use dcap_qvl::TcbStatus as Theirs;
    let all = [
        Theirs::UpToDate,
        Theirs::OutOfDateConfigurationNeeded,
        Theirs::OutOfDate,
        Theirs::ConfigurationAndSWHardeningNeeded,
        Theirs::ConfigurationNeeded,
        Theirs::SWHardeningNeeded,
        Theirs::Revoked,
        Theirs::TDRelaunchAdvised,
        Theirs::TDRelaunchAdvisedConfigurationNeeded,
    ];
    for status in all {
        let word = status.to_string();
        assert_eq!(TcbStatus::from(status).as_str(), word);
        assert_eq!(TcbStatus::parse(&word), Some(TcbStatus::from(status)));
    }
    assert_eq!(TcbStatus::parse("uptodate"), None);
}

//! The checks that need no collateral: signatures, the quoting enclave, certificates, the machine.

use sha2::{Digest as _, Sha256};

use super::{
    Section, Trial, assert_refused, assert_status, failures,
    forge::{Mint, certification},
    judge,
};
use crate::{
    Evidence, Part, Status,
    forge::{Alg, Authority, Cert, Key},
};

#[test]
fn what_is_forged_unbroken_is_affirmed() {
    for mint in [
        Mint::tdx(),
        Mint::tdx5(2),
        Mint::tdx5(3),
        Mint::tdx5(4),
        Mint::sgx(),
    ] {
        let result = judge(&mint);
        assert_status(&result, Status::Affirming);
        assert_eq!(result.claim("fmspc"), Some("00a06d080000"));
        assert_eq!(result.claim("tcb-status"), Some("UpToDate"));
        assert_eq!(result.notes, Vec::<String>::new());
        assert_eq!(
            result.not_after,
            Some("2026-06-19T00:00:00Z".parse().unwrap())
        );
    }
}

#[test]
fn a_quote_by_another_attestation_key_is_refused() {
    let mint = Mint::tdx();
    let forged = mint.build();
    let mut trial = Trial::of(&forged, Section::tdx(&forged.root));
    let at = mint.signed().len() + 4;
    let mut quote = forged.quote;
    let signature = Key::p256("another").sign_fixed(Alg::EcdsaSha256, &mint.signed());
    quote[at..at + 64].copy_from_slice(&signature);
    trial.evidence = Evidence::new(trial.section.platform).with(Part::Quote, quote);
    assert_refused(
        &trial.judge(),
        &[
            "dcap.quote-signature",
            "dcap.appraisal",
            "dcap.tcb-status",
            "dcap.advisories",
        ],
    );
}

#[test]
fn b16_signatures_of_zeros_are_refused() {
    let mint = Mint::tdx();
    let forged = mint.build();
    let at = mint.signed().len() + 4;
    for (range, check) in [
        (at..at + 64, "dcap.quote-signature"),
        (at + 128 + 6 + 384..at + 128 + 6 + 448, "dcap.qe-signature"),
    ] {
        let mut quote = forged.quote.clone();
        quote[range].fill(0);
        let mut trial = Trial::of(&forged, Section::tdx(&forged.root).chain_only());
        trial.evidence = Evidence::new(trial.section.platform).with(Part::Quote, quote);
        assert_refused(&trial.judge(), &[check]);
    }
}

#[test]
fn b11_a_quoting_enclave_that_commits_to_another_key_is_refused() {
    let mut mint = Mint::tdx();
    let other = Key::p256("another").point();
    let digest = Sha256::digest([&other[1..], &mint.auth].concat());
    mint.qe_data = Some([digest.as_slice(), &[0; 32]].concat());
    assert_refused(
        &judge(&mint),
        &[
            "dcap.qe-binding",
            "dcap.appraisal",
            "dcap.tcb-status",
            "dcap.advisories",
        ],
    );
}

#[test]
fn b11_the_second_half_of_the_quoting_enclaves_report_data_is_zero() {
    let mut mint = Mint::tdx();
    let digest = Sha256::digest([mint.attestation_key(), mint.auth.clone()].concat());
    mint.qe_data = Some([digest.as_slice(), &[0; 31], &[1]].concat());
    assert_refused(&judge(&mint), &["dcap.qe-binding"]);
}

#[test]
fn a_quoting_enclave_of_another_machine_is_refused() {
    let mut mint = Mint::tdx();
    let honest = mint.chain();
    mint.pck = Key::p256("another machine");
    let forged = mint.build();
    let length = honest.len();
    let mut quote = forged.quote.clone();
    let at = quote.len() - length - 1;
    quote[at..at + length].copy_from_slice(honest.as_bytes());
    let mut trial = Trial::of(&forged, Section::tdx(&forged.root));
    trial.evidence = Evidence::new(trial.section.platform).with(Part::Quote, quote);
    assert_refused(
        &trial.judge(),
        &[
            "dcap.qe-signature",
            "dcap.appraisal",
            "dcap.tcb-status",
            "dcap.advisories",
        ],
    );
}

#[test]
fn a_quoting_enclave_in_debug_mode_or_not_started_is_refused() {
    for (flags, more) in [
        (
            0x17,
            vec![
                "dcap.qe-identity",
                "dcap.appraisal",
                "dcap.tcb-status",
                "dcap.advisories",
            ],
        ),
        (
            0x14,
            vec![
                "dcap.qe-identity",
                "dcap.appraisal",
                "dcap.tcb-status",
                "dcap.advisories",
            ],
        ),
    ] {
        let mut mint = Mint::tdx();
        mint.qe[48] = flags;
        let expected = [vec!["dcap.qe-state"], more].concat();
        assert_refused(&judge(&mint), &expected);
        let forged = mint.build();
        let section = Section::tdx(&forged.root).chain_only();
        assert_refused(&Trial::of(&forged, section).judge(), &["dcap.qe-state"]);
    }
}

#[test]
fn a_quoting_enclave_of_another_vendor_is_refused() {
    let mut mint = Mint::tdx();
    mint.header[12] ^= 1;
    assert_refused(
        &judge(&mint),
        &[
            "dcap.qe-vendor",
            "dcap.appraisal",
            "dcap.tcb-status",
            "dcap.advisories",
        ],
    );
}

#[test]
fn a_chain_to_another_root_is_refused() {
    let mint = Mint::tdx();
    let forged = mint.build();
    let result = Trial::of(&forged, Section::tdx("")).judge();
    assert_refused(
        &result,
        &[
            "dcap.pck-chain",
            "dcap.tcb-signer",
            "dcap.tcb-info-signature",
            "dcap.qe-identity-signature",
            "dcap.revocation",
            "dcap.appraisal",
            "dcap.tcb-status",
            "dcap.advisories",
        ],
    );
}

/// The quoting enclave's certificates are replaced, whatever they lead to.
pub(super) fn with_chain(mint: &Mint, chain: &str) -> Trial {
    let forged = mint.build();
    let mut bytes = chain.as_bytes().to_vec();
    bytes.push(0);
    let honest = mint.chain().len() + 1;
    let mut block = mint.quoting();
    block.truncate(block.len() - honest - 6);
    block.extend(certification(5, &bytes));
    let signed = mint.signed();
    let signature = mint.attestation.sign_fixed(Alg::EcdsaSha256, &signed);
    let data = [signature, mint.attestation_key(), certification(6, &block)].concat();
    let length = u32::try_from(data.len()).unwrap().to_le_bytes();
    let quote = [signed, length.to_vec(), data].concat();
    let section = Section::tdx(&forged.root).chain_only();
    let mut trial = Trial::of(&forged, section);
    trial.evidence = Evidence::new(trial.section.platform).with(Part::Quote, quote);
    trial
}

#[test]
fn b14_a_chain_with_an_extra_root_or_a_loop_or_fifty_authorities_is_refused() {
    let mint = Mint::tdx();
    let own = [&mint.leaf_der(), &mint.ca.der];
    let stranger = Authority::root("Intel SGX Root CA", Key::p256("stranger"), Alg::EcdsaSha256);
    let own_and_stranger = [own.as_slice(), &[&stranger.der]].concat();
    let accepted = with_chain(&mint, &super::forge::chain(&own_and_stranger)).judge();
    assert_status(&accepted, Status::Warning);

    let leaf = stranger.issue(Cert::new("Intel SGX PCK Certificate", &mint.pck));
    let chain = super::forge::chain(&[&leaf, &stranger.der]);
    assert_refused(
        &with_chain(&mint, &chain).judge(),
        &[
            "dcap.pck-chain",
            "dcap.machine",
            "dcap.dynamic-platform",
            "dcap.cached-keys",
            "dcap.smt",
            "dcap.memory",
            "dcap.ppid",
        ],
    );

    let mut deep = vec![stranger.clone()];
    for number in 0..50 {
        let above = deep.last().unwrap();
        deep.push(above.sub(&format!("CA {number}"), Key::p256("deep"), Alg::EcdsaSha256));
    }
    let ders: Vec<&Vec<u8>> = deep.iter().rev().map(|authority| &authority.der).collect();
    let chain = super::forge::chain(&[&[&mint.leaf_der()], ders.as_slice()].concat());
    assert!(failures(&with_chain(&mint, &chain).judge()).contains(&"dcap.pck-chain"));
}

#[test]
fn a_pck_certificate_by_an_authority_without_that_task_is_refused() {
    let mint = Mint::tdx().authority("Intel SGX Attestation Report Signing CA");
    assert_refused(
        &judge(&mint),
        &[
            "dcap.pck-chain",
            "dcap.revocation",
            "dcap.appraisal",
            "dcap.tcb-status",
            "dcap.advisories",
        ],
    );
    let mint = Mint::tdx().authority("Intel SGX PCK Processor CA");
    assert_status(&judge(&mint), Status::Affirming);
}

#[test]
fn a_pck_certificate_straight_from_the_root_is_refused() {
    let mint = Mint::tdx();
    let leaf = Cert::new("Intel SGX PCK Certificate", &mint.pck)
        .key_usage(0xc0)
        .extension("1.2.840.113741.1.13.1", false, mint.machine.extension());
    let chain = super::forge::chain(&[&mint.root.issue(leaf)]);
    assert_refused(&with_chain(&mint, &chain).judge(), &["dcap.pck-chain"]);
}

#[test]
fn certificates_that_are_no_certificates_are_refused() {
    let mint = Mint::tdx();
    let rest = [
        "dcap.pck-chain",
        "dcap.qe-signature",
        "dcap.machine",
        "dcap.dynamic-platform",
        "dcap.cached-keys",
        "dcap.smt",
        "dcap.memory",
        "dcap.ppid",
    ];
    for chain in [
        "",
        "no certificates",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    ] {
        assert_refused(&with_chain(&mint, chain).judge(), &rest);
    }
}

#[test]
fn a_pck_certificate_of_another_time_is_refused() {
    let mut mint = Mint::tdx();
    mint.leaf = |leaf| leaf.validity("2020-01-01T00:00:00Z", "2026-05-31T23:59:59Z");
    let more = [
        "dcap.pck-chain",
        "dcap.revocation",
        "dcap.appraisal",
        "dcap.tcb-status",
        "dcap.advisories",
    ];
    assert_refused(&judge(&mint), &more);
    mint.leaf = |leaf| leaf.validity("2026-06-01T00:00:01Z", "2030-01-01T00:00:00Z");
    assert_refused(&judge(&mint), &more);
    mint.leaf = |leaf| leaf.validity("2026-06-01T00:00:00Z", "2026-06-02T00:00:00Z");
    let result = judge(&mint);
    assert_status(&result, Status::Affirming);
    assert_eq!(
        result.not_after,
        Some("2026-06-02T00:00:00Z".parse().unwrap())
    );
}

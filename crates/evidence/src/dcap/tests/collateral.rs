//! The checks that rest on Intel's collateral.

use super::{
    Section, Trial, assert_refused, assert_status,
    forge::{Forged, Mint, chain, crl, crl_of, revoking, text_of},
    judge,
};
use crate::{
    Status,
    forge::{Alg, Authority, Cert, Key},
};

/// What fails besides when the independent verifier refuses too.
pub(super) const ALSO: [&str; 3] = ["dcap.appraisal", "dcap.tcb-status", "dcap.advisories"];

#[track_caller]
fn refused_with_appraisal(mint: &Mint, checks: &[&str]) {
    assert_refused(&judge(mint), &[checks, &ALSO].concat());
}

fn judge_forged(forged: &Forged) -> crate::AttestationResult {
    Trial::of(forged, Section::tdx(&forged.root)).judge()
}

#[test]
fn missing_or_unreadable_collateral_is_refused() {
    let forged = Mint::tdx().build();
    let all: Vec<&str> = crate::dcap::checks::TCB
        .iter()
        .map(|check| check.code)
        .collect();
    let members: Vec<&'static str> = forged.collateral.iter().map(|(name, _)| *name).collect();
    let mut documents = vec![vec![], vec![b"{}".to_vec()], vec![b"no".to_vec()]];
    for name in members {
        let forged = Mint::tdx().build();
        documents.push(vec![forged.with(name, None).document()]);
        let forged = Mint::tdx().build();
        documents.push(vec![forged.with(name, Some("7".to_owned())).document()]);
    }
    let unknown = Mint::tdx()
        .build()
        .with("surprise", Some("\"\"".to_owned()));
    documents.push(vec![unknown.document()]);
    for intel in documents {
        let mut trial = Trial::of(&forged, Section::tdx(&forged.root));
        trial.endorsements.intel = intel;
        assert_refused(&trial.judge(), &all);
    }
}

#[test]
fn the_collateral_for_the_machine_is_chosen_and_the_others_are_told() {
    let forged = Mint::tdx().build();
    let mut other = Mint::tdx();
    other.info = other.info.replace("00A06D080000", "00A06D080001");
    let mut trial = Trial::of(&forged, Section::tdx(&forged.root));
    trial.endorsements.intel = vec![
        b"junk".to_vec(),
        other.build().document(),
        Mint::sgx().build().document(),
        forged.document(),
    ];
    let result = trial.judge();
    assert_status(&result, Status::Affirming);
    assert!(
        result
            .notes
            .iter()
            .any(|note| note.starts_with("4 collateral documents"))
    );
}

#[test]
fn collateral_with_the_certificates_of_another_machine_is_refused() {
    let mint = Mint::tdx();
    let own = text_of(&mint.chain());
    let same = mint.build().with("pck_certificate_chain", Some(own));
    assert_status(&judge_forged(&same), Status::Affirming);
    let null = mint
        .build()
        .with("pck_certificate_chain", Some("null".to_owned()));
    assert_status(&judge_forged(&null), Status::Affirming);

    let mut other = Mint::tdx();
    other.pck = Key::p256("another machine");
    for chain in [
        other.chain(),
        chain(&[&mint.leaf_der()]),
        String::new(),
        "junk".to_owned(),
    ] {
        let forged = mint
            .build()
            .with("pck_certificate_chain", Some(text_of(&chain)));
        assert_refused(&judge_forged(&forged), &["dcap.collateral-pck"]);
    }
}

#[test]
fn b12_a_tcb_info_or_qe_identity_signed_by_another_key_is_refused() {
    for (member, check) in [
        ("tcb_info_signature", "dcap.tcb-info-signature"),
        ("qe_identity_signature", "dcap.qe-identity-signature"),
    ] {
        let mint = Mint::tdx();
        let text = if member.starts_with("tcb") {
            &mint.info
        } else {
            &mint.identity
        };
        let other = Key::p256("another").sign_fixed(Alg::EcdsaSha256, text.as_bytes());
        for signature in [other.clone(), vec![0; 64], other[..63].to_vec(), Vec::new()] {
            let hex = text_of(&crate::hex::encode(&signature));
            let forged = mint.build().with(member, Some(hex));
            assert_refused(
                &judge_forged(&forged),
                &[&[check], ALSO.as_slice()].concat(),
            );
        }
    }
}

#[test]
fn b12_a_tcb_info_changed_after_signing_is_refused() {
    let mint = Mint::tdx();
    let changed = mint
        .info
        .replace(r#""tcbDate":"2026-03-01"#, r#""tcbDate":"2026-03-02"#);
    let forged = mint.build().with("tcb_info", Some(text_of(&changed)));
    assert_refused(
        &judge_forged(&forged),
        &[&["dcap.tcb-info-signature"], ALSO.as_slice()].concat(),
    );
}

#[test]
fn b12_a_signer_that_is_not_intels_is_refused() {
    let signatures = [
        "dcap.tcb-signer",
        "dcap.tcb-info-signature",
        "dcap.qe-identity-signature",
    ];
    // The name of another task, below the same root.
    let mut mint = Mint::tdx();
    mint.signer_name = "Intel SGX PCK Certificate";
    refused_with_appraisal(&mint, &signatures);
    // The right name, below another authority of the same root.
    let mint = Mint::tdx();
    let leaf = mint
        .ca
        .issue(Cert::new("Intel SGX TCB Signing", &mint.signer).key_usage(0xc0));
    let through = text_of(&chain(&[&leaf, &mint.ca.der, &mint.root.der]));
    let forged = mint
        .build()
        .with("tcb_info_issuer_chain", Some(through.clone()))
        .with("qe_identity_issuer_chain", Some(through));
    assert_refused(
        &judge_forged(&forged),
        &[signatures.as_slice(), &ALSO].concat(),
    );
    // The right name, below another root.
    let stranger = Authority::root("Intel SGX Root CA", Key::p256("stranger"), Alg::EcdsaSha256);
    let leaf = stranger.issue(Cert::new("Intel SGX TCB Signing", &mint.signer).key_usage(0xc0));
    let foreign = text_of(&chain(&[&leaf, &stranger.der]));
    let forged = mint
        .build()
        .with("tcb_info_issuer_chain", Some(foreign.clone()));
    assert_refused(
        &judge_forged(&forged),
        &[
            &["dcap.tcb-signer", "dcap.tcb-info-signature"],
            ALSO.as_slice(),
        ]
        .concat(),
    );
    let forged = mint.build().with("qe_identity_issuer_chain", Some(foreign));
    assert_refused(
        &judge_forged(&forged),
        &[
            &["dcap.tcb-signer", "dcap.qe-identity-signature"],
            ALSO.as_slice(),
        ]
        .concat(),
    );
}

#[test]
fn a_signer_of_another_time_is_refused() {
    let mut mint = Mint::tdx();
    mint.signer_leaf = |leaf| leaf.validity("2020-01-01T00:00:00Z", "2026-05-31T00:00:00Z");
    refused_with_appraisal(
        &mint,
        &[
            "dcap.tcb-signer",
            "dcap.tcb-info-signature",
            "dcap.qe-identity-signature",
        ],
    );
}

#[test]
fn b13_a_revoked_pck_authority_or_signer_is_refused() {
    let revoke = |authority: &Authority, serial: u8| revoking(authority, &[&[serial]]);
    let mut pck = Mint::tdx();
    pck.pck_crl = revoke(&pck.ca, 0x22);
    let mut signer = Mint::tdx();
    signer.root_crl = revoke(&signer.root, 0x33);
    let mut authority = Mint::tdx();
    authority.root_crl = revoke(&authority.root, 1);
    for mint in [pck, signer, authority] {
        refused_with_appraisal(&mint, &["dcap.revocation"]);
    }
    let mut unrelated = Mint::tdx();
    unrelated.pck_crl = revoke(&unrelated.ca, 0x23);
    unrelated.root_crl = revoke(&unrelated.root, 0x23);
    assert_status(&judge(&unrelated), Status::Affirming);
}

#[test]
fn b13_a_missing_revocation_list_is_refused() {
    // A list of the other authority stands where this one's should.
    let mut pck = Mint::tdx();
    pck.pck_crl = pck.root_crl.clone();
    let mut root = Mint::tdx();
    root.root_crl = root.pck_crl.clone();
    let mut empty = Mint::tdx();
    empty.pck_crl = Vec::new();
    let mut other = Mint::tdx();
    let processor = other.root.sub(
        "Intel SGX PCK Processor CA",
        Key::p256("x"),
        Alg::EcdsaSha256,
    );
    other.pck_crl = revoking(&processor, &[]);
    for mint in [pck, root, empty, other] {
        refused_with_appraisal(&mint, &["dcap.revocation"]);
    }
}

#[test]
fn b13_a_revocation_list_signed_by_another_is_refused() {
    let mut pck = Mint::tdx();
    pck.pck_crl = crl(&pck.ca.name).signed(Alg::EcdsaSha256, &Key::p256("another"));
    let mut root = Mint::tdx();
    root.root_crl = crl(&root.root.name).signed(Alg::EcdsaSha256, &Key::p256("another"));
    for mint in [pck, root] {
        refused_with_appraisal(&mint, &["dcap.revocation"]);
    }
}

#[test]
fn b13_a_revocation_list_of_another_time_is_refused() {
    let times = [
        ("2026-01-01T00:00:00Z", Some("2026-06-01T00:00:00Z")),
        ("2026-06-01T00:00:01Z", Some("2026-07-01T00:00:00Z")),
        ("2026-01-01T00:00:00Z", None),
    ];
    for (this, next) in times {
        let mut pck = Mint::tdx();
        pck.pck_crl = crl_of(&pck.ca, this, next);
        let mut root = Mint::tdx();
        root.root_crl = crl_of(&root.root, this, next);
        for mint in [pck, root] {
            let codes = super::failures(&judge(&mint));
            assert!(codes.contains(&"dcap.revocation"), "{this}: {codes:?}");
        }
    }
}

#[test]
fn b12_collateral_for_another_machine_is_refused() {
    let mut mint = Mint::tdx();
    mint.machine.fmspc[5] = 1;
    refused_with_appraisal(&mint, &["dcap.fmspc"]);
    // The independent verifier does not look at it.
    let mut mint = Mint::tdx();
    mint.machine.pce_id = vec![1, 0];
    assert_refused(&judge(&mint), &["dcap.pce-id"]);
}

#[test]
fn b12_a_tcb_info_of_the_other_technology_or_version_is_refused() {
    for (from, to) in [
        (r#"{"id":"TDX","version":3"#, r#"{"id":"SGX","version":3"#),
        (r#"{"id":"TDX","version":3"#, r#"{"id":"TDX","version":2"#),
    ] {
        let mut mint = Mint::tdx();
        mint.info = mint.info.replace(from, to);
        refused_with_appraisal(&mint, &["dcap.tcb-info-kind"]);
    }
    for (from, to) in [
        (r#"{"id":"TDX","version":3"#, r#"{"id":"TDX","version":4"#),
        (r#""tcbType":0"#, r#""tcbType":1"#),
    ] {
        let mut mint = Mint::tdx();
        mint.info = mint.info.replace(from, to);
        assert_refused(&judge(&mint), &["dcap.tcb-info-kind"]);
    }
}

#[test]
fn b12_a_qe_identity_of_another_enclave_or_version_is_refused() {
    for (from, to) in [
        (r#"{"id":"TD_QE","version":2"#, r#"{"id":"QE","version":2"#),
        (
            r#"{"id":"TD_QE","version":2"#,
            r#"{"id":"TD_QE","version":4"#,
        ),
    ] {
        let mut mint = Mint::tdx();
        mint.identity = mint.identity.replace(from, to);
        refused_with_appraisal(&mint, &["dcap.qe-identity-kind"]);
    }
    let mut mint = Mint::tdx();
    mint.identity = mint.identity.replace(r#""version":2"#, r#""version":3"#);
    assert_status(&judge(&mint), Status::Affirming);
    let mut mint = Mint::sgx();
    mint.identity = mint.identity.replace(r#""version":2"#, r#""version":3"#);
    refused_with_appraisal(&mint, &["dcap.qe-identity-kind"]);
}

#[test]
fn a_quoting_enclave_that_its_identity_does_not_describe_is_refused() {
    // Signer, product, attributes, features of the state save area.
    for place in [128, 256, 48, 56 - 1, 16] {
        let mut mint = Mint::tdx();
        mint.qe[place] ^= 0x40;
        refused_with_appraisal(&mint, &["dcap.qe-identity"]);
    }
    // Bits that do not count: 64-bit mode, processor features.
    for (place, bit) in [(48, 4), (56, 0x40)] {
        let mut mint = Mint::tdx();
        mint.qe[place] ^= bit;
        assert_status(&judge(&mint), Status::Affirming);
    }
}

#[test]
fn members_of_collateral_without_a_name_are_told() {
    let mut mint = Mint::tdx();
    mint.info = mint
        .info
        .replace(r#""tcbType":0"#, r#""tcbType":0,"novelty":1"#);
    let result = judge(&mint);
    assert_status(&result, Status::Affirming);
    assert!(
        result.notes.iter().any(|note| note.contains("`novelty`")),
        "{:?}",
        result.notes
    );
}

#[test]
fn a_member_twice_is_refused() {
    let mut mint = Mint::tdx();
    mint.info = mint
        .info
        .replace(r#""tcbType":0"#, r#""tcbType":0,"tcbType":0"#);
    let all: Vec<&str> = crate::dcap::checks::TCB
        .iter()
        .map(|check| check.code)
        .collect();
    assert_refused(&judge(&mint), &all);
}

#[test]
fn b16_a_signer_with_a_key_on_another_curve_is_refused() {
    let mut mint = Mint::tdx();
    mint.signer = Key::p384("signer");
    refused_with_appraisal(
        &mint,
        &["dcap.tcb-info-signature", "dcap.qe-identity-signature"],
    );
}

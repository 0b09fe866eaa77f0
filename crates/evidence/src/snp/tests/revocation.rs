//! AMD's revocation list, forged under the roots of the test.

use super::*;
use crate::forge::{Crl, Key};

#[test]
fn b13_a_revocation_list_has_to_be_there_and_valid() {
    let with = |crl: Option<Crl>, signer: Key| {
        let mut forge = Forge::new(Product::Genoa);
        forge.crl = crl;
        forge.crl_signer = signer;
        let mut policy = forge.policy();
        let required = failed(&forge.judge(&policy));
        policy.revocation = Revocation::NotChecked;
        (required, forge.judge(&policy).status)
    };
    let list = || Crl::new("ARK-Genoa");
    let tolerated = (vec!["snp.revocation"], Status::Warning);
    assert_eq!(
        with(Some(list()), forge::root_key()),
        (vec![], Status::Affirming)
    );
    assert_eq!(with(None, forge::root_key()), tolerated);
    let expired = list().updates("2026-01-01T00:00:00Z", Some("2026-05-31T23:59:59Z"));
    assert_eq!(with(Some(expired), forge::root_key()), tolerated);
    let later = list().updates("2026-06-01T00:00:01Z", Some("2027-01-01T00:00:00Z"));
    assert_eq!(with(Some(later), forge::root_key()), tolerated);
    let endless = list().updates("2026-01-01T00:00:00Z", None);
    assert_eq!(with(Some(endless), forge::root_key()), tolerated);
    assert_eq!(
        with(Some(Crl::new("ARK-Turin")), forge::root_key()),
        tolerated
    );
    assert_eq!(with(Some(list()), Key::rsa2048(4)), tolerated);
    assert_eq!(with(Some(list()), forge::intermediate_key()), tolerated);
}

#[test]
fn b13_a_revoked_certificate_is_refused_whatever_the_policy_says_of_lists() {
    for serial in [&forge::INTERMEDIATE_SERIAL[..], &[0], &[3, 0, 0]] {
        let mut forge = Forge::new(Product::Genoa);
        for until in ["2027-01-01T00:00:00Z", "2026-02-01T00:00:00Z"] {
            forge.crl = Some(
                Crl::new("ARK-Genoa")
                    .updates("2026-01-01T00:00:00Z", Some(until))
                    .revoke(&[9, 9])
                    .revoke(serial),
            );
            let mut policy = forge.policy();
            assert_eq!(
                failed(&forge.judge(&policy)),
                ["snp.revocation"],
                "{serial:?}"
            );
            policy.revocation = Revocation::NotChecked;
            assert_eq!(
                failed(&forge.judge(&policy)),
                ["snp.revocation"],
                "{serial:?}"
            );
        }
        forge.crl = Some(Crl::new("ARK-Genoa").revoke(serial));
        forge.crl_signer = Key::rsa2048(4);
        let mut policy = forge.policy();
        policy.revocation = Revocation::NotChecked;
        assert_eq!(
            forge.judge(&policy).status,
            Status::Warning,
            "a forged list revokes nothing"
        );
    }
}

#[test]
fn a_list_that_cannot_be_read_is_noted_and_does_not_count() {
    let forge = Forge::new(Product::Genoa);
    let mut endorsements = forge.endorsements();
    endorsements.crls.insert(0, b"no list".to_vec());
    let result = forge::judge(forge.report(), &endorsements, &forge.policy());
    assert_eq!(result.status, Status::Affirming);
    assert!(
        result
            .notes
            .iter()
            .any(|note| note.contains("revocation list 0"))
    );
    endorsements.crls = vec![endorsements.crls[1].clone(); 17];
    let result = forge::judge(forge.report(), &endorsements, &forge.policy());
    assert_eq!(result.status, Status::Affirming);
    assert!(result.notes.iter().any(|note| note.contains("first 16")));
    endorsements.crls = vec![b"no list".to_vec()];
    let result = forge::judge(forge.report(), &endorsements, &forge.policy());
    assert_eq!(failed(&result), ["snp.revocation"]);
}

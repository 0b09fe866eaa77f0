use super::*;
use crate::forge::{self, der as write};

fn list(crl: &forge::Crl) -> Vec<u8> {
    crl.signed(Alg::EcdsaSha256, &Key::p256("root"))
}

fn crl(der: &[u8]) -> Crl {
    Crl::from_der(der).unwrap()
}

/// A leaf with that serial number, and the root above it.
fn path(serial: &[u8]) -> Vec<Certificate> {
    let root = root();
    let leaf = root.issue(Cert::new("leaf", &Key::p256("leaf")).serial(serial));
    vec![read(&leaf), read(&root.der)]
}

fn check(serial: &[u8], lists: &[&[u8]]) -> Result<Timestamp, RevocationError> {
    let lists: Vec<Crl> = lists.iter().map(|der| crl(der)).collect();
    check_revocation(&path(serial), &lists, at(NOW))
}

#[test]
fn a_list_says_what_it_was_told() {
    let der = list(
        &forge::Crl::new("root")
            .revoke(&[5])
            .revoke_with(&[0x12, 0x34], &[reason()])
            .extension("2.5.29.20", false, write::number(77)),
    );
    let read = crl(&der);
    assert_eq!(read.der(), der);
    assert_eq!(read.issuer(), forge::name("root"));
    assert_eq!(read.this_update(), at("2026-01-01T00:00:00Z"));
    assert_eq!(read.next_update(), Some(at("2027-01-01T00:00:00Z")));
    assert_eq!(read.number(), Some([77].as_slice()));
    assert_eq!(read.len(), 2);
    assert!(!read.is_empty());
    assert!(read.lists(&[5]) && read.lists(&[0x12, 0x34]));
    assert!(!read.lists(&[0x12]) && !read.lists(&[]) && !read.lists(&[0, 5]));
    assert_eq!(read.verify(&root_certificate()), Ok(()));
}

#[test]
fn two_lists_are_one_if_their_bytes_are() {
    let (one, other) = (root().crl(&[]), root().crl(&[&[5]]));
    assert_eq!(crl(&one), crl(&one));
    assert_ne!(crl(&one), crl(&other));
}

#[test]
fn an_empty_list_revokes_nothing() {
    let der = list(&forge::Crl::new("root"));
    assert!(crl(&der).is_empty());
    assert_eq!(check(&[1], &[&der]), Ok(at("2027-01-01T00:00:00Z")));
}

#[test]
fn b13_a_missing_list_is_a_failure() {
    let issuer = "root".to_owned();
    assert_eq!(check(&[1], &[]), Err(RevocationError::Missing { issuer }));
    let other = forge::Crl::new("other").signed(Alg::EcdsaSha256, &Key::p256("other"));
    assert!(matches!(
        check(&[1], &[&other]),
        Err(RevocationError::Missing { .. })
    ));
}

#[test]
fn b13_a_revoked_certificate_is_refused() {
    let der = root().crl(&[&[9], &[7]]);
    assert_eq!(
        check(&[7], &[&der]),
        Err(RevocationError::Revoked {
            subject: "leaf".to_owned(),
            serial: "07".to_owned(),
            issuer: "root".to_owned()
        })
    );
    assert!(check(&[8], &[&der]).is_ok());
}

#[test]
fn b13_a_revocation_counts_in_any_genuine_list_whatever_its_time() {
    let current = list(&forge::Crl::new("root"));
    let old = list(
        &forge::Crl::new("root")
            .updates("2024-01-01T00:00:00Z", Some("2025-01-01T00:00:00Z"))
            .revoke(&[1]),
    );
    for lists in [[&current, &old], [&old, &current]] {
        assert!(matches!(
            check(&[1], &lists.map(Vec::as_slice)),
            Err(RevocationError::Revoked { .. })
        ));
    }
}

#[test]
fn b13_an_expired_list_is_a_failure_at_the_moment_its_successor_is_due() {
    let due = |next: &str| {
        let list = list(&forge::Crl::new("root").updates("2026-01-01T00:00:00Z", Some(next)));
        check(&[1], &[&list])
    };
    assert_eq!(
        due(NOW),
        Err(RevocationError::Expired {
            issuer: "root".to_owned(),
            until: at(NOW),
            at: at(NOW)
        })
    );
    assert_eq!(due("2026-06-05T00:00:01Z"), Ok(at("2026-06-05T00:00:01Z")));
}

#[test]
fn b13_a_list_of_later_is_a_failure() {
    let from = |this: &str| {
        let list = list(&forge::Crl::new("root").updates(this, Some("2027-01-01T00:00:00Z")));
        check(&[1], &[&list])
    };
    assert_eq!(
        from("2026-06-05T00:00:01Z"),
        Err(RevocationError::NotYet {
            issuer: "root".to_owned(),
            from: at("2026-06-05T00:00:01Z"),
            at: at(NOW)
        })
    );
    assert!(from(NOW).is_ok());
}

#[test]
fn a_list_without_an_end_is_a_failure() {
    let endless = list(&forge::Crl::new("root").updates("2026-01-01T00:00:00Z", None));
    let issuer = "root".to_owned();
    assert_eq!(
        check(&[1], &[&endless]),
        Err(RevocationError::Endless { issuer })
    );
}

#[test]
fn b13_a_good_list_beside_a_bad_one_is_enough() {
    let good = list(&forge::Crl::new("root"));
    let forged = forge::Crl::new("root").signed(Alg::EcdsaSha256, &Key::p256("other"));
    let old = list(
        &forge::Crl::new("root").updates("2024-01-01T00:00:00Z", Some("2025-01-01T00:00:00Z")),
    );
    assert!(check(&[1], &[&forged, &old, &good]).is_ok());
    assert!(check(&[1], &[&good, &forged, &old]).is_ok());
    assert!(matches!(
        check(&[1], &[&forged]),
        Err(RevocationError::Signature(ChainError::Signature { .. }))
    ));
}

#[test]
fn b13_a_list_signed_with_pss_is_verified() {
    let root = Authority::root("ARK", Key::rsa4096(0), Alg::PssSha384);
    let sub = root.sub("ASK", Key::rsa4096(1), Alg::PssSha384);
    let path = [read(&sub.der), read(&root.der)];
    let good = crl(&root.crl(&[]));
    assert!(check_revocation(&path, &[good], at(NOW)).is_ok());
    let revoked = crl(&root.crl(&[&[1]]));
    assert!(matches!(
        check_revocation(&path, &[revoked], at(NOW)),
        Err(RevocationError::Revoked { .. })
    ));
    let forged = crl(&forge::Crl::new("ARK").signed(Alg::PssSha384, &Key::rsa4096(2)));
    assert!(matches!(
        check_revocation(&path, &[forged], at(NOW)),
        Err(RevocationError::Signature(ChainError::Signature { .. }))
    ));
    let plain = crl(&forge::Crl::new("ARK").signed(Alg::RsaSha384, &Key::rsa4096(0)));
    assert!(check_revocation(&path, &[plain], at(NOW)).is_ok());
    let salt = crl(&forge::Crl::new("ARK").signed(Alg::PssSha384Salt(20), &Key::rsa4096(0)));
    assert!(matches!(
        check_revocation(&path, &[salt], at(NOW)),
        Err(RevocationError::Signature(ChainError::Algorithm { .. }))
    ));
}

#[test]
fn a_key_that_may_not_sign_lists_signs_none() {
    let key = Key::p256("root");
    let der = Cert::new("root", &key)
        .ca(None)
        .key_usage(0x04)
        .signed(Alg::EcdsaSha256, &key);
    assert_eq!(
        crl(&list(&forge::Crl::new("root"))).verify(&read(&der)),
        Err(ChainError::Usage {
            subject: "root".to_owned(),
            usage: "revocation lists"
        })
    );
    let silent = Cert::new("root", &key)
        .ca(None)
        .signed(Alg::EcdsaSha256, &key);
    assert_eq!(
        crl(&list(&forge::Crl::new("root"))).verify(&read(&silent)),
        Ok(())
    );
}

#[test]
fn every_link_of_a_chain_is_looked_up() {
    let root = root();
    let sub = root.sub("sub", Key::p256("sub"), Alg::EcdsaSha256);
    let leaf = sub.leaf("leaf", &Key::p256("leaf"));
    let path = [read(&leaf), read(&sub.der), read(&root.der)];
    let of_root = crl(&forge::Crl::new("root").signed(root.alg, &root.key));
    let of_sub = crl(&forge::Crl::new("sub")
        .updates("2026-06-01T00:00:00Z", Some("2026-07-01T00:00:00Z"))
        .signed(sub.alg, &sub.key));
    let both = [of_root.clone(), of_sub.clone()];
    assert_eq!(
        check_revocation(&path, &both, at(NOW)),
        Ok(at("2026-07-01T00:00:00Z"))
    );
    for (lists, missing) in [([of_root.clone()], "sub"), ([of_sub], "root")] {
        assert_eq!(
            check_revocation(&path, &lists, at(NOW)),
            Err(RevocationError::Missing {
                issuer: missing.to_owned()
            })
        );
    }
    assert!(check_revocation(&path[1..], &[of_root], at(NOW)).is_ok());
    assert_eq!(
        check_revocation(&path[2..], &[], at(NOW)),
        Ok(Timestamp::MAX)
    );
}

#[test]
fn lists_that_are_not_whole_are_refused_by_name() {
    for oid in ["2.5.29.27", "2.5.29.28", "1.2.3"] {
        let der = list(&forge::Crl::new("root").extension(oid, true, [0x30, 0]));
        let oid = oid.to_owned();
        assert_eq!(Crl::from_der(&der), Err(CrlError::Critical { oid }));
    }
    let other = write::sequence(&[
        write::oid("2.5.29.29"),
        write::yes(),
        write::octets([0x30, 0]),
    ]);
    let der = list(&forge::Crl::new("root").revoke_with(&[1], &[other]));
    let oid = "2.5.29.29".to_owned();
    assert_eq!(Crl::from_der(&der), Err(CrlError::Critical { oid }));
    let twice = list(
        &forge::Crl::new("root")
            .extension("1.2.3", false, [])
            .extension("1.2.3", false, []),
    );
    assert!(matches!(
        Crl::from_der(&twice),
        Err(CrlError::Extensions(CertError::DuplicateExtension { .. }))
    ));
}

#[test]
fn truncated_lists_and_bytes_behind_them_are_refused() {
    let der = list(&forge::Crl::new("root").revoke_with(&[5], &[reason()]));
    for length in 0..der.len() {
        assert!(Crl::from_der(&der[..length]).is_err(), "{length}");
    }
    assert!(Crl::from_der(&[der.as_slice(), &[0]].concat()).is_err());
    let huge = vec![0; (4 << 20) + 1];
    let size = huge.len();
    assert_eq!(Crl::from_der(&huge), Err(CrlError::Size { size }));
    assert!(matches!(
        Crl::from_der(&huge[1..]),
        Err(CrlError::Malformed(_))
    ));
}

#[test]
fn b01_no_bit_of_a_revocation_list_can_be_changed() {
    let der = list(&forge::Crl::new("root").revoke(&[5]));
    let issuer = root_certificate();
    for byte in 0..der.len() {
        for bit in 0..8 {
            let mut changed = der.clone();
            changed[byte] ^= 1 << bit;
            let refused = match Crl::from_der(&changed) {
                Err(_) => true,
                Ok(list) => list.verify(&issuer).is_err(),
            };
            assert!(refused, "bit {bit} of byte {byte}");
        }
    }
}

#[test]
fn the_algorithm_that_is_signed_is_the_one_that_is_used() {
    let der = list(&forge::Crl::new("root"));
    let mut outer = Der::new(&der).sequence("list").unwrap();
    let tbs = outer.any("tbs").unwrap().whole.to_vec();
    outer.any("algorithm").unwrap();
    let signature = outer.any("signature").unwrap().whole.to_vec();
    let changed = write::sequence(&[tbs, Alg::EcdsaSha384.identifier(), signature]);
    assert_eq!(Crl::from_der(&changed), Err(CrlError::AlgorithmsDiffer));
}

/// `keyCompromise`.
fn reason() -> Vec<u8> {
    let value = write::octets(write::element(0x0A, [1]));
    write::sequence(&[write::oid("2.5.29.21"), value])
}

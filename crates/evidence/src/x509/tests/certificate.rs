use super::*;
use crate::forge::{self, der as write};

fn leaf() -> Cert {
    Cert::new("leaf", &Key::p256("leaf"))
}

fn sign(certificate: &Cert) -> Vec<u8> {
    certificate.signed(Alg::EcdsaSha256, &Key::p256("root"))
}

#[test]
fn every_field_is_where_it_was_put() {
    let key = Key::p384("leaf");
    let certificate = Cert::new("leaf", &key)
        .issuer("root")
        .serial(&[0x12, 0x34])
        .validity("2001-01-01T00:00:00Z", "2050-01-01T00:00:00Z")
        .ca(Some(3))
        .key_usage(0x86)
        .purposes(&["2.23.133.8.3"])
        .extension("1.2.3.4", false, b"contents");
    let der = sign(&certificate);
    let read = read(&der);
    assert_eq!(read.der(), der);
    assert_eq!(read.tbs(), certificate.tbs(Alg::EcdsaSha256));
    assert_eq!(read.spki(), key.spki());
    assert_eq!(read.subject(), forge::name("leaf"));
    assert_eq!(read.issuer(), forge::name("root"));
    assert_eq!(read.common_name().unwrap(), "leaf");
    assert_eq!(read.issuer_common_name().unwrap(), "root");
    assert_eq!(read.serial(), [0x12, 0x34]);
    assert_eq!(read.not_before(), at("2001-01-01T00:00:00Z"));
    assert_eq!(read.not_after(), at("2050-01-01T00:00:00Z"));
    assert_eq!(read.key().unwrap().kind(), KeyKind::Ecdsa(Curve::P384));
    assert_eq!(read.scheme(), Ok(Scheme::EcdsaSha256));
    assert_eq!(read.extension("1.2.3.4"), Some(b"contents".as_slice()));
    assert_eq!(read.extension("1.2.3.5"), None);
    assert_eq!(read.extensions().count(), 4);
    assert!(read.is_ca());
    assert_eq!(read.path_len(), Some(3));
    let usage = read.key_usage().unwrap();
    assert!(usage.digital_signature() && usage.cert_sign() && usage.crl_sign());
    assert_eq!(read.extended_key_usages(), ["2.23.133.8.3"]);
    assert_eq!(read.unknown_critical(), Vec::<String>::new());
    assert_eq!(read.sha256(), Sha256Digest::of(&der));
    assert_eq!(read.verify_signed_by(&root_certificate()), Ok(()));
}

#[test]
fn a_serial_number_of_zero_is_read() {
    let der = sign(&leaf().serial(&[0]));
    assert_eq!(read(&der).serial(), [0]);
}

#[test]
fn a_certificate_without_extensions_is_read_and_is_no_authority() {
    for version in [None, Some(2)] {
        let certificate = read(&sign(&leaf().version(version)));
        assert!(!certificate.is_ca());
        assert_eq!(certificate.key_usage(), None);
    }
}

#[test]
fn unknown_versions_are_refused() {
    for version in [0, 1, 3, 0x80] {
        let der = sign(&leaf().version(Some(version)));
        assert!(matches!(
            Certificate::from_der(&der),
            Err(CertError::Malformed(Malformed {
                what: "version",
                ..
            }))
        ));
    }
    let der = sign(&leaf().version(None).ca(None));
    assert!(matches!(
        Certificate::from_der(&der),
        Err(CertError::Malformed(_))
    ));
}

#[test]
fn bytes_behind_it_are_refused() {
    let der = sign(&leaf());
    let two = [der.as_slice(), &der].concat();
    let extra = der.len();
    assert_eq!(
        Certificate::from_der(&two),
        Err(CertError::Trailing { extra })
    );
    let zero = [der.as_slice(), &[0]].concat();
    assert_eq!(
        Certificate::from_der(&zero),
        Err(CertError::Trailing { extra: 1 })
    );
}

#[test]
fn zero_padding_is_cut_off_where_it_is_expected_and_nothing_else_is() {
    let der = sign(&leaf());
    let mut padded = der.clone();
    padded.resize(4096, 0);
    assert_eq!(Certificate::from_padded_der(&padded).unwrap().der(), der);
    assert_eq!(Certificate::from_padded_der(&der).unwrap().der(), der);
    *padded.last_mut().unwrap() = 1;
    assert_eq!(
        Certificate::from_padded_der(&padded),
        Err(CertError::Padding { at: 4095 })
    );
    let mut early = der.clone();
    early.push(7);
    let at = der.len();
    assert_eq!(
        Certificate::from_padded_der(&early),
        Err(CertError::Padding { at })
    );
    assert!(Certificate::from_padded_der(&[0; 64]).is_err());
    assert!(Certificate::from_padded_der(&[]).is_err());
}

#[test]
fn the_size_is_bounded_before_anything_is_read() {
    let size = MAX_CERTIFICATE + 1;
    let bytes = vec![0; size];
    assert_eq!(Certificate::from_der(&bytes), Err(CertError::Size { size }));
    assert_eq!(
        Certificate::from_padded_der(&bytes),
        Err(CertError::Size { size })
    );
    for read in [Certificate::from_der, Certificate::from_padded_der] {
        assert!(matches!(read(&bytes[1..]), Err(CertError::Malformed(_))));
    }
}

#[test]
fn every_truncation_is_refused() {
    let der = sign(&leaf().ca(Some(0)).key_usage(0x80));
    for length in 0..der.len() {
        assert!(Certificate::from_der(&der[..length]).is_err(), "{length}");
    }
}

#[test]
fn an_extension_twice_is_refused() {
    let der = sign(&leaf().ca(None).extension("1.2.3", false, [1]).ca(None));
    let oid = "2.5.29.19".to_owned();
    assert_eq!(
        Certificate::from_der(&der),
        Err(CertError::DuplicateExtension { oid })
    );
}

#[test]
fn the_number_of_extensions_is_bounded() {
    let many = |count: usize| {
        (0..count).fold(leaf(), |certificate, number| {
            certificate.extension(&format!("1.2.{number}"), false, [])
        })
    };
    assert!(Certificate::from_der(&sign(&many(64))).is_ok());
    assert_eq!(
        Certificate::from_der(&sign(&many(65))),
        Err(CertError::TooManyExtensions)
    );
}

#[test]
fn the_algorithm_that_is_signed_is_the_one_that_is_used() {
    let key = Key::p256("root");
    let tbs = leaf().tbs(Alg::EcdsaSha256);
    let signature = write::bits(key.sign(Alg::EcdsaSha256, &tbs));
    let build = |alg: Alg| write::sequence(&[tbs.clone(), alg.identifier(), signature.clone()]);
    assert!(Certificate::from_der(&build(Alg::EcdsaSha256)).is_ok());
    for other in [Alg::EcdsaSha384, Alg::EcdsaSha256Null] {
        assert_eq!(
            Certificate::from_der(&build(other)),
            Err(CertError::AlgorithmsDiffer)
        );
    }
}

#[test]
fn ecdsa_with_null_parameters_verifies() {
    let key = Key::p384("self");
    let der = Cert::new("self", &key)
        .ca(None)
        .signed(Alg::EcdsaSha256Null, &key);
    let certificate = read(&der);
    assert_eq!(certificate.verify_signed_by(&certificate), Ok(()));
}

#[test]
fn every_algorithm_of_a_certificate_verifies() {
    for (key, alg) in [
        (Key::p256("r"), Alg::EcdsaSha256),
        (Key::p384("r"), Alg::EcdsaSha384),
        (Key::p384("r"), Alg::EcdsaSha512),
        (Key::rsa2048(0), Alg::RsaSha256),
        (Key::rsa2048(0), Alg::RsaSha384),
        (Key::rsa2048(0), Alg::RsaSha512),
        (Key::rsa2048(0), Alg::PssSha256),
        (Key::rsa4096(0), Alg::PssSha384),
        (Key::rsa2048(0), Alg::PssSha512),
    ] {
        let certificate = read(&Authority::root("r", key, alg).der);
        assert_eq!(
            certificate.verify_signed_by(&certificate),
            Ok(()),
            "{alg:?}"
        );
    }
}

#[test]
fn an_unknown_algorithm_is_named_when_the_signature_is_looked_at() {
    let key = Key::rsa2048(0);
    let der = Cert::new("old", &key).signed(Alg::PssSha384Salt(20), &key);
    let certificate = read(&der);
    let Err(ChainError::Algorithm { subject, oid }) = certificate.verify_signed_by(&certificate)
    else {
        panic!("a salt of 20 bytes was taken");
    };
    assert_eq!(subject, "old");
    assert!(oid.starts_with("1.2.840.113549.1.1.10 ("), "{oid}");
    assert!(oid.contains("a salt as long as the hash"), "{oid}");
}

#[test]
fn b17_a_weak_key_is_named_when_it_is_used() {
    let weak = Key::rsa1024();
    let der = Cert::new("weak", &weak)
        .ca(None)
        .signed(Alg::RsaSha256, &weak);
    let certificate = read(&der);
    assert_eq!(
        certificate.key(),
        Err(&KeyUnsupported::Modulus { bits: 1024 })
    );
    assert_eq!(
        certificate.verify_signed_by(&certificate),
        Err(ChainError::Key {
            subject: "weak".to_owned(),
            error: KeyUnsupported::Modulus { bits: 1024 }
        })
    );
}

#[test]
fn critical_extensions_that_are_not_understood_are_listed() {
    let certificate = leaf()
        .ca(None)
        .key_usage(0x80)
        .extension("2.5.29.30", true, [0x30, 0])
        .extension("1.2.3", false, [])
        .extension("1.2.4", true, []);
    assert_eq!(
        read(&sign(&certificate)).unknown_critical(),
        ["2.5.29.30", "1.2.4"]
    );
}

#[test]
fn what_the_extensions_of_an_authority_say_must_be_well_formed() {
    for value in [
        vec![],
        vec![0x05, 0x00],
        write::sequence(&[write::yes(), write::number(0), write::number(0)]),
        write::sequence(&[write::element(0x01, [0x01])]),
        write::sequence(&[write::yes(), write::element(0x02, [0xFF])]),
        [write::sequence(&[]), vec![0]].concat(),
    ] {
        let der = sign(&leaf().extension("2.5.29.19", true, value));
        assert!(Certificate::from_der(&der).is_err());
    }
    for value in [
        vec![0x03, 0x00],
        vec![0x03, 0x01, 0x00],
        vec![0x03, 0x02, 0x08, 0x80],
        vec![0x03, 0x03, 0x08, 0x04, 0x80],
        vec![0x03, 0x04, 0x00, 0x80, 0x80, 0x80],
        vec![0x03, 0x02, 0x07, 0x80, 0x00],
    ] {
        let der = sign(&leaf().extension("2.5.29.15", true, value));
        assert!(Certificate::from_der(&der).is_err());
    }
    for value in [
        vec![0x30, 0x01],
        write::sequence(&[write::null()]),
        write::sequence(&vec![write::oid("1.2.3"); 65]),
    ] {
        let der = sign(&leaf().extension("2.5.29.37", true, value));
        assert!(Certificate::from_der(&der).is_err());
    }
}

#[test]
fn a_key_usage_of_nine_bits_is_read() {
    let der = sign(&leaf().extension("2.5.29.15", true, [0x03, 0x03, 0x07, 0x04, 0x80]));
    let usage = read(&der).key_usage().unwrap();
    assert!(usage.cert_sign() && !usage.digital_signature() && !usage.crl_sign());
}

#[test]
fn the_last_common_name_counts_and_goes_into_messages_without_control_characters() {
    let attribute = |oid: &str, tag: u8, value: &[u8]| {
        let pair = write::sequence(&[write::oid(oid), write::element(tag, value)]);
        write::set(&[pair])
    };
    let name = write::sequence(&[
        attribute("2.5.4.3", 0x13, b"first"),
        attribute("2.5.4.10", 0x0C, b"organisation"),
        attribute("2.5.4.3", 0x0C, "a\u{1b}[2J".as_bytes()),
    ]);
    let certificate = read(&sign(&leaf().subject_name(name)));
    assert_eq!(certificate.common_name().unwrap(), "a\u{1b}[2J");
    assert_eq!(certificate.name(), "a\\u{1b}[2J");
    let nameless = read(&sign(&leaf().subject_name(write::sequence(&[]))));
    assert_eq!(nameless.common_name(), None);
    assert_eq!(nameless.name(), nameless.sha256().to_string());
    let long = read(&sign(&leaf().subject_name(forge::name(&"x".repeat(500)))));
    assert_eq!(long.name().len(), 64);
    let bmp = write::sequence(&[attribute("2.5.4.3", 0x1E, &[0, 65])]);
    assert_eq!(read(&sign(&leaf().subject_name(bmp))).common_name(), None);
}

#[test]
fn b01_no_bit_of_a_certificate_can_be_changed() {
    let key = Key::p256("leaf");
    let der = root().leaf("leaf", &key);
    let issuer = root_certificate();
    assert_eq!(read(&der).verify_signed_by(&issuer), Ok(()));
    for byte in 0..der.len() {
        for bit in 0..8 {
            let mut changed = der.clone();
            changed[byte] ^= 1 << bit;
            let refused = match Certificate::from_der(&changed) {
                Err(_) => true,
                Ok(certificate) => certificate.verify_signed_by(&issuer).is_err(),
            };
            assert!(refused, "bit {bit} of byte {byte}");
        }
    }
}

proptest::proptest! {
    #[test]
    fn certificates_and_lists_with_any_bytes_in_them_are_read_or_refused(
        at in 0_usize..2000,
        bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..12),
    ) {
        let root = root();
        for mut der in [root.leaf("leaf", &Key::p256("leaf")), root.crl(&[&[1], &[2, 3]])] {
            let at = at % der.len();
            let end = (at + bytes.len()).min(der.len());
            der.splice(at..end, bytes.iter().copied());
            if let Ok(certificate) = Certificate::from_der(&der) {
                let _ = (certificate.name(), certificate.unknown_critical());
                let _ = certificate.verify_signed_by(&certificate);
            }
            if let Ok(list) = Crl::from_der(&der) {
                let _ = (list.len(), list.number().is_some(), list.lists(&[1]));
            }
            let _ = Certificate::from_padded_der(&der);
            let _ = all_from_pem(&der);
        }
    }
}

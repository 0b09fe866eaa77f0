use super::*;
use crate::forge::{Alg, Key, der};

fn read(key: &Key) -> VerifyingKey {
    VerifyingKey::from_spki_der(&key.spki()).unwrap()
}

fn sequence_of(r: &[u8], s: &[u8]) -> Vec<u8> {
    der::sequence(&[der::unsigned(r), der::unsigned(s)])
}

/// Every kind of key with the ways it signs.
fn pairs() -> Vec<(Key, Alg, Scheme)> {
    vec![
        (Key::p256("k"), Alg::EcdsaSha256, Scheme::EcdsaSha256),
        (Key::p256("k"), Alg::EcdsaSha384, Scheme::EcdsaSha384),
        (Key::p384("k"), Alg::EcdsaSha256, Scheme::EcdsaSha256),
        (Key::p384("k"), Alg::EcdsaSha384, Scheme::EcdsaSha384),
        (Key::p384("k"), Alg::EcdsaSha512, Scheme::EcdsaSha512),
        (Key::rsa2048(0), Alg::RsaSha256, Scheme::RsaPkcs1Sha256),
        (Key::rsa2048(0), Alg::RsaSha384, Scheme::RsaPkcs1Sha384),
        (Key::rsa2048(0), Alg::RsaSha512, Scheme::RsaPkcs1Sha512),
        (Key::rsa2048(1), Alg::PssSha256, Scheme::RsaPssSha256),
        (Key::rsa4096(0), Alg::PssSha384, Scheme::RsaPssSha384),
        (Key::rsa4096(0), Alg::PssSha512, Scheme::RsaPssSha512),
    ]
}

fn in_certificate<'a>(key: &Key, signature: &'a [u8]) -> SignatureBytes<'a> {
    match key {
        Key::P256(_) | Key::P384(_) => SignatureBytes::Der(signature),
        Key::Rsa(_) => SignatureBytes::Rsa(signature),
    }
}

#[test]
fn every_scheme_verifies_what_was_signed_and_nothing_else() {
    let all = pairs();
    for (key, alg, scheme) in &all {
        let public = read(key);
        let signature = key.sign(*alg, b"message");
        let written = in_certificate(key, &signature);
        assert_eq!(
            public.verify(*scheme, b"message", written),
            Ok(()),
            "{alg:?}"
        );
        let mismatch = BadSignature::Mismatch { key: public.kind() };
        assert_eq!(public.verify(*scheme, b"massage", written), Err(mismatch));
        for (_, _, other) in all.iter().filter(|(_, _, other)| other != scheme) {
            assert!(
                public.verify(*other, b"message", written).is_err(),
                "{alg:?} as {other:?}"
            );
        }
    }
}

#[test]
fn b16_zero_and_the_order_are_no_r_and_no_s() {
    let order_256 =
        crate::hex::decode("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551")
            .unwrap();
    let order_384 = crate::hex::decode(
        "ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973",
    )
    .unwrap();
    for (key, order, scheme) in [
        (Key::p256("k"), order_256, Scheme::EcdsaSha256),
        (Key::p384("k"), order_384, Scheme::EcdsaSha384),
    ] {
        let public = read(&key);
        let one = [vec![0; order.len() - 1], vec![1]].concat();
        let zero = vec![0; order.len()];
        let mut above = order.clone();
        *above.last_mut().unwrap() += 1;
        for bad in [&zero, &order, &above] {
            for (r, s) in [(bad, &one), (&one, bad)] {
                let fixed = [r.as_slice(), s].concat();
                let fixed = SignatureBytes::Fixed(&fixed);
                assert_eq!(public.verify(scheme, b"m", fixed), Err(BadSignature::Range));
                let der = sequence_of(r, s);
                let der = SignatureBytes::Der(&der);
                assert_eq!(public.verify(scheme, b"m", der), Err(BadSignature::Range));
            }
        }
        let fixed = [one.as_slice(), &one].concat();
        let mismatch = BadSignature::Mismatch { key: public.kind() };
        assert_eq!(
            public.verify(scheme, b"m", SignatureBytes::Fixed(&fixed)),
            Err(mismatch)
        );
        let long = [&[1], one.as_slice()].concat();
        let der = sequence_of(&long, &one);
        assert_eq!(
            public.verify(scheme, b"m", SignatureBytes::Der(&der)),
            Err(BadSignature::Range)
        );
    }
}

#[test]
fn b16_a_high_s_is_accepted_because_hardware_makes_it() {
    let Key::P256(key) = Key::p256("k") else {
        panic!("a P-256 key is one");
    };
    let signature = Key::p256("k").sign_fixed(Alg::EcdsaSha256, b"m");
    let signature = p256::ecdsa::Signature::from_slice(&signature).unwrap();
    let other = p256::ecdsa::Signature::from_scalars(signature.r(), -*signature.s()).unwrap();
    assert_ne!(signature, other);
    let public = VerifyingKey::P256(*key.verifying_key());
    for signature in [signature, other] {
        let bytes = signature.to_bytes();
        assert_eq!(
            public.verify(Scheme::EcdsaSha256, b"m", SignatureBytes::Fixed(&bytes)),
            Ok(())
        );
    }
}

#[test]
fn b16_der_and_fixed_are_not_taken_for_each_other() {
    for key in [Key::p256("k"), Key::p384("k")] {
        let public = read(&key);
        let form = Err(BadSignature::Form { key: public.kind() });
        let der = key.sign(Alg::EcdsaSha384, b"m");
        let fixed = key.sign_fixed(Alg::EcdsaSha384, b"m");
        let scheme = Scheme::EcdsaSha384;
        assert_eq!(
            public.verify(scheme, b"m", SignatureBytes::Fixed(&fixed)),
            Ok(())
        );
        assert_eq!(
            public.verify(scheme, b"m", SignatureBytes::Fixed(&der)),
            form
        );
        assert_eq!(
            public.verify(scheme, b"m", SignatureBytes::Der(&fixed)),
            form
        );
        assert_eq!(
            public.verify(scheme, b"m", SignatureBytes::Rsa(&fixed)),
            form
        );
        for bad in [
            &fixed[1..],
            &fixed[..fixed.len() - 1],
            &[],
            &[&[0], fixed.as_slice()].concat(),
        ] {
            assert_eq!(
                public.verify(scheme, b"m", SignatureBytes::Fixed(bad)),
                form
            );
        }
        let trailing = [der.as_slice(), &[0]].concat();
        assert_eq!(
            public.verify(scheme, b"m", SignatureBytes::Der(&trailing)),
            form
        );
    }
}

#[test]
fn b16_der_of_a_signature_has_one_encoding() {
    let key = Key::p256("k");
    let public = read(&key);
    let fixed = key.sign_fixed(Alg::EcdsaSha256, b"m");
    let (r, s) = fixed.split_at(32);
    let form = Err(BadSignature::Form { key: public.kind() });
    let padded = der::element(0x02, [&[0, 0], r].concat());
    let negative = der::element(0x02, [&[0x80], r].concat());
    for bad in [
        der::sequence(&[padded, der::unsigned(s)]),
        der::sequence(&[negative, der::unsigned(s)]),
        der::sequence(&[der::unsigned(r), der::unsigned(s), der::null()]),
        der::sequence(&[der::unsigned(r)]),
        der::set(&[der::unsigned(r), der::unsigned(s)]),
    ] {
        let bad = SignatureBytes::Der(&bad);
        assert_eq!(public.verify(Scheme::EcdsaSha256, b"m", bad), form);
    }
}

#[test]
fn b16_a_signature_of_another_curve_is_refused() {
    let signature = Key::p256("k").sign_fixed(Alg::EcdsaSha256, b"m");
    let public = read(&Key::p384("k"));
    let form = BadSignature::Form { key: public.kind() };
    assert_eq!(
        public.verify(Scheme::EcdsaSha256, b"m", SignatureBytes::Fixed(&signature)),
        Err(form)
    );
}

#[test]
fn b16_keys_and_schemes_of_two_kinds_do_not_meet() {
    let rsa = read(&Key::rsa2048(0));
    let ecdsa = read(&Key::p256("k"));
    for scheme in [
        Scheme::EcdsaSha256,
        Scheme::EcdsaSha384,
        Scheme::EcdsaSha512,
    ] {
        let kind = Err(BadSignature::Kind {
            key: rsa.kind(),
            scheme,
        });
        assert_eq!(
            rsa.verify(scheme, b"m", SignatureBytes::Rsa(&[1; 256])),
            kind
        );
    }
    for scheme in [
        Scheme::RsaPkcs1Sha256,
        Scheme::RsaPkcs1Sha384,
        Scheme::RsaPkcs1Sha512,
        Scheme::RsaPssSha256,
        Scheme::RsaPssSha384,
        Scheme::RsaPssSha512,
    ] {
        let kind = Err(BadSignature::Kind {
            key: ecdsa.kind(),
            scheme,
        });
        assert_eq!(
            ecdsa.verify(scheme, b"m", SignatureBytes::Fixed(&[1; 64])),
            kind
        );
        let form = Err(BadSignature::Form { key: rsa.kind() });
        assert_eq!(
            rsa.verify(scheme, b"m", SignatureBytes::Der(&[1; 256])),
            form
        );
    }
}

#[test]
fn an_rsa_signature_is_as_long_as_the_modulus_and_below_it() {
    let key = Key::rsa2048(0);
    let public = read(&key);
    let form = Err(BadSignature::Form {
        key: KeyKind::Rsa(2048),
    });
    let signature = key.sign(Alg::RsaSha256, b"m");
    let scheme = Scheme::RsaPkcs1Sha256;
    let longer = [&[0], signature.as_slice()].concat();
    for bad in [&signature[1..], &longer, &[]] {
        assert_eq!(public.verify(scheme, b"m", SignatureBytes::Rsa(bad)), form);
    }
    let (modulus, _) = key.modulus_and_exponent();
    let mismatch = Err(BadSignature::Mismatch { key: public.kind() });
    assert_eq!(
        public.verify(scheme, b"m", SignatureBytes::Rsa(&modulus)),
        mismatch
    );
    assert_eq!(
        public.verify(scheme, b"m", SignatureBytes::Rsa(&[0xFF; 256])),
        mismatch
    );
    assert_eq!(
        public.verify(scheme, b"m", SignatureBytes::Rsa(&[0; 256])),
        mismatch
    );
}

#[test]
fn a_pss_salt_of_another_length_is_refused() {
    let key = Key::rsa2048(0);
    let public = read(&key);
    for salt in [0, 32, 47, 49] {
        let signature = key.sign(Alg::PssSha384Salt(salt), b"m");
        let signature = SignatureBytes::Rsa(&signature);
        assert!(
            public
                .verify(Scheme::RsaPssSha384, b"m", signature)
                .is_err()
        );
    }
}

#[test]
fn b17_weak_rsa_keys_are_refused() {
    let (modulus, exponent) = Key::rsa2048(0).modulus_and_exponent();
    assert!(VerifyingKey::from_rsa_components(&modulus, &exponent).is_ok());
    let with_zeros = [&[0, 0], modulus.as_slice()].concat();
    assert_eq!(
        VerifyingKey::from_rsa_components(&with_zeros, &[0, 0, 1, 0, 1]),
        VerifyingKey::from_rsa_components(&modulus, &exponent)
    );
    assert!(VerifyingKey::from_rsa_components(&modulus, &[0xFF, 0xFF, 0xFF, 0xFF]).is_ok());
    for bad in [
        &[][..],
        &[0],
        &[1],
        &[3],
        &[17],
        &[0xFF, 0xFF],
        &[1, 0, 0],
        &[1, 0, 2],
        &[1, 0, 0, 0, 1],
    ] {
        assert_eq!(
            VerifyingKey::from_rsa_components(&modulus, bad),
            Err(KeyUnsupported::Exponent),
            "{bad:?}"
        );
    }
    let (small, exponent) = Key::rsa1024().modulus_and_exponent();
    assert_eq!(
        VerifyingKey::from_rsa_components(&small, &exponent),
        Err(KeyUnsupported::Modulus { bits: 1024 })
    );
    let mut even = modulus.clone();
    *even.last_mut().unwrap() &= 0xFE;
    assert_eq!(
        VerifyingKey::from_rsa_components(&even, &exponent),
        Err(KeyUnsupported::EvenModulus)
    );
    let mut short = modulus.clone();
    short[0] &= 0x7F;
    assert_eq!(
        VerifyingKey::from_rsa_components(&short, &exponent),
        Err(KeyUnsupported::Modulus { bits: 2047 })
    );
    let long = [&[1], Key::rsa4096(0).modulus_and_exponent().0.as_slice()].concat();
    assert_eq!(
        VerifyingKey::from_rsa_components(&long, &exponent),
        Err(KeyUnsupported::Modulus { bits: 4097 })
    );
    assert_eq!(
        VerifyingKey::from_rsa_components(&[], &exponent),
        Err(KeyUnsupported::Modulus { bits: 0 })
    );
}

#[test]
fn points_are_uncompressed_and_on_the_curve() {
    let point = Key::p256("k").point();
    assert!(VerifyingKey::from_sec1(Curve::P256, &point).is_ok());
    assert_eq!(
        VerifyingKey::from_sec1(Curve::P256, &point).unwrap().sec1(),
        Some(point.clone())
    );
    assert_eq!(
        VerifyingKey::from_xy(Curve::P256, &point[1..33], &point[33..]),
        VerifyingKey::from_sec1(Curve::P256, &point)
    );
    let mut off = point.clone();
    off[64] ^= 1;
    let compressed = [&[2 + (point[64] & 1)], &point[1..33]].concat();
    let fault = Err(KeyUnsupported::Point { curve: Curve::P256 });
    for bad in [
        &off,
        &compressed,
        &vec![0],
        &vec![4; 65],
        &vec![],
        &Key::p384("k").point(),
    ] {
        assert_eq!(VerifyingKey::from_sec1(Curve::P256, bad), fault);
    }
    assert_eq!(
        VerifyingKey::from_xy(Curve::P256, &point[1..34], &point[34..]),
        fault
    );
    assert!(VerifyingKey::from_sec1(Curve::P384, &point).is_err());
}

#[test]
fn other_kinds_of_keys_are_named() {
    let spki = |algorithm: Vec<Vec<u8>>, key: &[u8]| {
        der::sequence(&[der::sequence(&algorithm), der::bits(key)])
    };
    let ed25519 = spki(vec![der::oid("1.3.101.112")], &[0; 32]);
    let oid = "1.3.101.112".to_owned();
    assert_eq!(
        VerifyingKey::from_spki_der(&ed25519),
        Err(KeyUnsupported::Algorithm { oid })
    );
    let ec = der::oid("1.2.840.10045.2.1");
    let p521 = spki(vec![ec.clone(), der::oid("1.3.132.0.35")], &[4]);
    let oid = "1.3.132.0.35".to_owned();
    assert_eq!(
        VerifyingKey::from_spki_der(&p521),
        Err(KeyUnsupported::Curve { oid })
    );
    let explicit = spki(vec![ec, der::sequence(&[])], &[4]);
    assert!(matches!(
        VerifyingKey::from_spki_der(&explicit),
        Err(KeyUnsupported::Curve { .. })
    ));
}

#[test]
fn a_key_has_nothing_behind_it_and_nothing_in_it_that_is_not_read() {
    for key in [Key::p256("k"), Key::rsa2048(0)] {
        let spki = key.spki();
        let read = VerifyingKey::from_spki_der;
        assert!(read(&spki).is_ok());
        assert!(matches!(
            read(&[spki.as_slice(), &[0]].concat()),
            Err(KeyUnsupported::Malformed(_))
        ));
        for length in 0..spki.len() {
            assert!(read(&spki[..length]).is_err());
        }
    }
    let (modulus, exponent) = Key::rsa2048(0).modulus_and_exponent();
    let key = der::sequence(&[der::unsigned(&modulus), der::unsigned(&exponent)]);
    let rsa = der::oid("1.2.840.113549.1.1.1");
    for parameters in [
        vec![rsa.clone(), der::number(1)],
        vec![rsa.clone(), der::element(0x05, [0])],
        vec![rsa.clone(), der::null(), der::null()],
    ] {
        let spki = der::sequence(&[der::sequence(&parameters), der::bits(&key)]);
        assert!(VerifyingKey::from_spki_der(&spki).is_err());
    }
    let bare = der::sequence(&[der::sequence(&[rsa]), der::bits(&key)]);
    assert_eq!(
        VerifyingKey::from_spki_der(&bare).unwrap().rsa_components(),
        Some((modulus, exponent))
    );
}

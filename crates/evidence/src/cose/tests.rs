use super::*;
use crate::{
    forge::{self, Key},
    nitro::forge::{array, bytes, head, int, map, text},
};

fn signed(key: &Key, alg: forge::Alg, protected: &[u8], payload: &[u8]) -> Vec<u8> {
    let input = array(&[
        text("Signature1"),
        bytes(protected),
        bytes([]),
        bytes(payload),
    ]);
    key.sign_fixed(alg, &input)
}

fn message(key: &Key, alg: forge::Alg, number: i64) -> Vec<u8> {
    let protected = map(&[(int(1), int(number))]);
    let signature = signed(key, alg, &protected, b"payload");
    array(&[
        bytes(&protected),
        map(&[]),
        bytes(b"payload"),
        bytes(signature),
    ])
}

fn public(key: &Key) -> VerifyingKey {
    VerifyingKey::from_spki_der(&key.spki()).unwrap()
}

#[test]
fn every_algorithm_verifies_what_was_signed_with_it() {
    let rsa = Key::rsa2048(0);
    let (p256, p384) = (Key::p256("cose"), Key::p384("cose"));
    for (alg, key, how) in [
        (Alg::Es256, &p256, forge::Alg::EcdsaSha256),
        (Alg::Es384, &p384, forge::Alg::EcdsaSha384),
        (Alg::Ps256, &rsa, forge::Alg::PssSha256),
        (Alg::Ps384, &rsa, forge::Alg::PssSha384),
        (Alg::Ps512, &rsa, forge::Alg::PssSha512),
    ] {
        let message = message(key, how, alg.number());
        let sign1 = Sign1::parse(&message, TagRule::Optional).unwrap();
        assert_eq!(sign1.verify(&public(key), alg), Ok(()), "{}", alg.as_str());
        for other in [Alg::Es256, Alg::Es384, Alg::Ps256, Alg::Ps384, Alg::Ps512] {
            assert_eq!(sign1.verify(&public(key), other).is_ok(), other == alg);
        }
    }
}

#[test]
fn b21_an_algorithm_for_another_key_is_refused() {
    let (p256, p384) = (Key::p256("cose"), Key::p384("cose"));
    let message = message(&p384, forge::Alg::EcdsaSha256, Alg::Es256.number());
    let sign1 = Sign1::parse(&message, TagRule::Optional).unwrap();
    assert!(matches!(
        sign1.verify(&public(&p384), Alg::Es256),
        Err(CoseError::Key { .. })
    ));
    assert!(matches!(
        sign1.verify(&public(&p256), Alg::Es256),
        Err(CoseError::Signature(_))
    ));
    assert!(matches!(
        sign1.verify(&public(&p384), Alg::Es384),
        Err(CoseError::Algorithm {
            expected: "ES384",
            ..
        })
    ));
}

#[test]
fn the_signature_is_over_what_came() {
    // The same header in more bytes than it needs: what was signed is what counts.
    let key = Key::p384("cose");
    let wide = [vec![0xb8, 1], int(1), vec![0x39, 0, 34]].concat();
    let signature = signed(&key, forge::Alg::EcdsaSha384, &wide, b"payload");
    let parts = [bytes(&wide), map(&[]), bytes(b"payload"), bytes(&signature)];
    let message = array(&parts);
    let sign1 = Sign1::parse(&message, TagRule::Optional).unwrap();
    assert_eq!(sign1.verify(&public(&key), Alg::Es384), Ok(()));
    let short = array(&[
        bytes(map(&[(int(1), int(-35))])),
        parts[1].clone(),
        parts[2].clone(),
        parts[3].clone(),
    ]);
    let sign1 = Sign1::parse(&short, TagRule::Optional).unwrap();
    assert!(sign1.verify(&public(&key), Alg::Es384).is_err());
}

#[test]
fn b01_any_bit_flipped_is_refused() {
    let key = Key::p384("cose");
    let message = message(&key, forge::Alg::EcdsaSha384, -35);
    let public = public(&key);
    for at in 0..message.len() {
        for bit in 0..8 {
            let mut flipped = message.clone();
            flipped[at] ^= 1 << bit;
            let verified = Sign1::parse(&flipped, TagRule::Optional)
                .and_then(|sign1| sign1.verify(&public, Alg::Es384));
            assert!(verified.is_err(), "byte {at} bit {bit}");
        }
    }
}

#[test]
fn b21_the_tag_is_there_where_it_is_required() {
    let message = message(&Key::p384("cose"), forge::Alg::EcdsaSha384, -35);
    let tagged = [head(6, 18), message.clone()].concat();
    assert_eq!(
        Sign1::parse(&message, TagRule::Required),
        Err(CoseError::TagMissing)
    );
    assert!(!Sign1::parse(&message, TagRule::Optional).unwrap().tagged);
    for rule in [TagRule::Required, TagRule::Optional] {
        assert!(Sign1::parse(&tagged, rule).unwrap().tagged);
        let other = [head(6, 98), message.clone()].concat();
        assert_eq!(Sign1::parse(&other, rule), Err(CoseError::Tag { tag: 98 }));
    }
}

#[test]
fn another_shape_is_refused() {
    let header = || bytes(map(&[(int(1), int(-35))]));
    let four = |place: usize, part: Vec<u8>| {
        let mut parts = [header(), map(&[]), bytes(b"payload"), bytes([1; 96])];
        parts[place] = part;
        array(&parts)
    };
    let fault = |message: &[u8]| Sign1::parse(message, TagRule::Optional).unwrap_err();
    assert!(matches!(fault(&int(7)), CoseError::Shape { .. }));
    assert!(matches!(
        fault(&array(&[header(), map(&[]), bytes([1])])),
        CoseError::Shape { .. }
    ));
    let five = array(&[header(), map(&[]), bytes([1]), bytes([1]), bytes([1])]);
    assert_eq!(
        fault(&five),
        CoseError::Shape {
            found: "an array of 5".to_owned()
        }
    );
    assert_eq!(fault(&four(2, vec![0xf6])), CoseError::Detached);
    for (place, part) in [
        (0, map(&[])),
        (0, bytes(int(1))),
        (1, bytes([])),
        (2, text("payload")),
        (3, text("signature")),
    ] {
        assert!(
            matches!(fault(&four(place, part)), CoseError::Part { .. }),
            "{place}"
        );
    }
    assert!(matches!(
        fault(&four(0, bytes([0xff]))),
        CoseError::Protected(_)
    ));
    assert!(matches!(
        fault(&[four(1, map(&[])), vec![0]].concat()),
        CoseError::Cbor(_)
    ));
}

#[test]
fn b21_headers_that_only_count_when_signed_are_refused_outside() {
    let with = |protected: &[(Vec<u8>, Vec<u8>)], unprotected: &[(Vec<u8>, Vec<u8>)]| {
        let message = array(&[
            bytes(map(protected)),
            map(unprotected),
            bytes(b"payload"),
            bytes([1; 96]),
        ]);
        Sign1::parse(&message, TagRule::Optional).map(|_| ())
    };
    let alg = (int(1), int(-35));
    let key = (int(4), bytes(b"key"));
    assert_eq!(
        with(std::slice::from_ref(&alg), std::slice::from_ref(&key)),
        Ok(())
    );
    assert_eq!(
        with(&[], std::slice::from_ref(&alg)),
        Err(CoseError::Unprotected { label: 1 })
    );
    let crit = (int(2), array(&[int(1)]));
    assert_eq!(
        with(std::slice::from_ref(&alg), std::slice::from_ref(&crit)),
        Err(CoseError::Unprotected { label: 2 })
    );
    assert_eq!(with(&[alg.clone(), crit], &[]), Err(CoseError::Critical));
    assert_eq!(
        with(&[alg.clone(), key.clone()], &[key]),
        Err(CoseError::Twice {
            label: "4".to_owned()
        })
    );
    let named = (text("iss"), text("x"));
    assert_eq!(
        with(&[alg, named.clone()], &[named]),
        Err(CoseError::Twice {
            label: "`iss`".to_owned()
        })
    );
}

#[test]
fn an_algorithm_that_is_not_named_is_refused() {
    let key = Key::p384("cose");
    for (protected, found) in [
        (Vec::new(), "not named"),
        (map(&[]), "not named"),
        (map(&[(int(1), text("ES384"))]), "a text string"),
        (map(&[(text("1"), int(-35))]), "not named"),
        (
            map(&[(
                int(1),
                vec![0x1b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
            )]),
            "a number",
        ),
    ] {
        let signature = signed(&key, forge::Alg::EcdsaSha384, &protected, b"payload");
        let message = array(&[
            bytes(&protected),
            map(&[]),
            bytes(b"payload"),
            bytes(signature),
        ]);
        let sign1 = Sign1::parse(&message, TagRule::Optional).unwrap();
        let error = sign1.verify(&public(&key), Alg::Es384).unwrap_err();
        assert_eq!(
            error,
            CoseError::Algorithm {
                expected: "ES384",
                found: found.to_owned()
            }
        );
    }
}

#[test]
fn certificates_come_from_either_header() {
    let chain = |place: usize, value: Vec<u8>| {
        let mut maps = [vec![(int(1), int(-35))], Vec::new()];
        maps[place].push((int(33), value));
        let message = array(&[bytes(map(&maps[0])), map(&maps[1]), bytes([]), bytes([])]);
        let sign1 = Sign1::parse(&message, TagRule::Optional).unwrap();
        sign1
            .x5chain()
            .map(|chain| chain.iter().map(|der| der.to_vec()).collect::<Vec<_>>())
    };
    for place in [0, 1] {
        assert_eq!(chain(place, bytes(b"leaf")), Ok(vec![b"leaf".to_vec()]));
        let two = array(&[bytes(b"leaf"), bytes(b"root")]);
        assert_eq!(
            chain(place, two),
            Ok(vec![b"leaf".to_vec(), b"root".to_vec()])
        );
        assert_eq!(
            chain(place, int(1)),
            Err(CoseError::Chain { found: "a number" })
        );
        let mixed = array(&[bytes(b"leaf"), text("root")]);
        assert_eq!(
            chain(place, mixed),
            Err(CoseError::Chain {
                found: "a text string"
            })
        );
    }
    let message = message(&Key::p384("cose"), forge::Alg::EcdsaSha384, -35);
    let sign1 = Sign1::parse(&message, TagRule::Optional).unwrap();
    assert_eq!(sign1.x5chain(), Ok(Vec::new()));
}

#[test]
fn headers_are_found_by_number_and_by_name() {
    let protected = map(&[
        (int(1), int(-35)),
        (text("iss"), text("did:x509:0")),
        (int(3), int(7)),
    ]);
    let message = array(&[bytes(&protected), map(&[]), bytes([]), bytes([])]);
    let sign1 = Sign1::parse(&message, TagRule::Optional).unwrap();
    assert_eq!(sign1.header(3).and_then(Item::as_int), Some(7));
    assert_eq!(
        sign1.named_header("iss").and_then(Item::as_text),
        Some("did:x509:0")
    );
    assert!(sign1.header(4).is_none() && sign1.named_header("sub").is_none());
}

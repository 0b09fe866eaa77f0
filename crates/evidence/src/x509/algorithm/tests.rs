use super::*;
use crate::forge::{Alg, der as write};

fn read(bytes: &[u8]) -> Result<Scheme, String> {
    scheme(Der::new(bytes).any("algorithm").unwrap())
}

fn hash(last: u8) -> Vec<u8> {
    let oid = write::oid(&format!("2.16.840.1.101.3.4.2.{last}"));
    write::sequence(&[oid, write::null()])
}

fn mask(oid: &str, hash: Vec<u8>) -> Vec<u8> {
    write::sequence(&[write::oid(oid), hash])
}

/// PSS with these parameters, each in its place.
fn pss_of(parameters: &[Vec<u8>]) -> Result<Scheme, String> {
    let oid = write::oid("1.2.840.113549.1.1.10");
    read(&write::sequence(&[oid, write::sequence(parameters)]))
}

fn parameters() -> Vec<Vec<u8>> {
    vec![
        write::explicit(0, hash(2)),
        write::explicit(1, mask(MGF1, hash(2))),
        write::explicit(2, write::number(48)),
    ]
}

#[test]
fn every_algorithm_is_known_by_its_identifier() {
    for (alg, scheme) in [
        (Alg::EcdsaSha256, Scheme::EcdsaSha256),
        (Alg::EcdsaSha256Null, Scheme::EcdsaSha256),
        (Alg::EcdsaSha384, Scheme::EcdsaSha384),
        (Alg::EcdsaSha512, Scheme::EcdsaSha512),
        (Alg::RsaSha256, Scheme::RsaPkcs1Sha256),
        (Alg::RsaSha384, Scheme::RsaPkcs1Sha384),
        (Alg::RsaSha512, Scheme::RsaPkcs1Sha512),
        (Alg::PssSha256, Scheme::RsaPssSha256),
        (Alg::PssSha384, Scheme::RsaPssSha384),
        (Alg::PssSha512, Scheme::RsaPssSha512),
    ] {
        assert_eq!(read(&alg.identifier()), Ok(scheme));
    }
}

#[test]
fn old_and_unknown_algorithms_are_named() {
    for oid in [
        "1.2.840.113549.1.1.4",
        "1.2.840.113549.1.1.5",
        "1.2.840.10045.4.1",
        "1.3.101.112",
    ] {
        let algorithm = write::sequence(&[write::oid(oid), write::null()]);
        assert_eq!(read(&algorithm), Err(oid.to_owned()));
    }
    assert!(read(&write::sequence(&[])).is_err());
}

#[test]
fn parameters_that_say_something_are_refused() {
    for oid in ["1.2.840.10045.4.3.2", "1.2.840.113549.1.1.11"] {
        for parameters in [
            vec![write::number(1)],
            vec![write::element(0x05, [0])],
            vec![write::null(), write::null()],
        ] {
            let fields = [vec![write::oid(oid)], parameters].concat();
            let error = read(&write::sequence(&fields)).unwrap_err();
            assert!(error.starts_with(&format!("{oid} (")), "{error}");
        }
    }
}

#[test]
fn pss_has_one_hash_and_a_salt_as_long() {
    assert_eq!(pss_of(&parameters()), Ok(Scheme::RsaPssSha384));
    let with = |place: usize, value: Vec<u8>| {
        let mut parameters = parameters();
        parameters[place] = value;
        pss_of(&parameters)
    };
    let tail = |inner: Vec<u8>| [inner, write::null()].concat();
    for (place, value) in [
        (0, write::explicit(0, hash(1))),
        (0, write::explicit(0, tail(hash(2)))),
        (
            0,
            write::explicit(0, write::sequence(&[write::oid(SHA384), write::number(1)])),
        ),
        (1, write::explicit(1, mask(MGF1, hash(3)))),
        (1, write::explicit(1, mask("1.2.840.113549.1.1.9", hash(2)))),
        (1, write::explicit(1, tail(mask(MGF1, hash(2))))),
        (2, write::explicit(2, write::number(20))),
        (2, write::explicit(2, tail(write::number(48)))),
        (2, write::explicit(2, write::null())),
        (2, Vec::new()),
    ] {
        assert!(with(place, value).is_err(), "{place}");
    }
    let other = |last: u8, salt: u64| {
        pss_of(&[
            write::explicit(0, hash(last)),
            write::explicit(1, mask(MGF1, hash(last))),
            write::explicit(2, write::number(salt)),
        ])
    };
    for (last, salt) in [(1, 48), (3, 48), (4, 28), (2, 0)] {
        assert!(other(last, salt).is_err(), "{last} {salt}");
    }
}

#[test]
fn a_trailer_of_pss_is_the_one_that_there_is() {
    let with = |trailer: Vec<u8>| {
        let mut parameters = parameters();
        parameters.push(write::explicit(3, trailer));
        pss_of(&parameters)
    };
    assert_eq!(with(write::number(1)), Ok(Scheme::RsaPssSha384));
    assert!(with(write::number(2)).is_err());
    assert!(with([write::number(1), write::null()].concat()).is_err());
    let mut more = parameters();
    more.push(write::explicit(4, write::number(1)));
    assert!(pss_of(&more).is_err());
    assert!(pss_of(&[]).is_err());
    let bare = write::sequence(&[write::oid("1.2.840.113549.1.1.10")]);
    assert!(read(&bare).is_err());
    let behind = write::sequence(&[
        write::oid("1.2.840.113549.1.1.10"),
        write::sequence(&parameters()),
        write::null(),
    ]);
    assert!(read(&behind).is_err());
}

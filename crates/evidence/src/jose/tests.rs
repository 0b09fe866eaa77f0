use super::*;
use crate::forge::{self, Authority, Cert, Key};

const CLAIMS: &str = r#"{"iss":"test"}"#;

fn forged(alg: Alg) -> (forge::Alg, Key) {
    match alg {
        Alg::Es256 => (forge::Alg::EcdsaSha256, Key::p256("token")),
        Alg::Es384 => (forge::Alg::EcdsaSha384, Key::p384("token")),
        Alg::Ps256 => (forge::Alg::PssSha256, Key::rsa2048(0)),
        Alg::Rs256 => (forge::Alg::RsaSha256, Key::rsa2048(0)),
    }
}

fn token(alg: Alg, header: &str) -> String {
    let (how, key) = forged(alg);
    forge::jws(header, CLAIMS, how, &key)
}

fn public(alg: Alg) -> VerifyingKey {
    VerifyingKey::from_spki_der(&forged(alg).1.spki()).unwrap()
}

fn header(alg: Alg) -> String {
    format!(r#"{{"alg":"{alg}","typ":"JWT"}}"#)
}

fn fault(token: &str) -> JwsError {
    Jws::parse(token).unwrap_err()
}

const ALL: [Alg; 4] = [Alg::Es256, Alg::Es384, Alg::Ps256, Alg::Rs256];

#[test]
fn a_token_verifies_under_its_key_and_algorithm_and_no_other() {
    for alg in ALL {
        let token = token(alg, &header(alg));
        let jws = Jws::parse(&token).unwrap();
        assert_eq!(jws.verify(&public(alg), alg), Ok(()));
        assert_eq!(jws.payload(), CLAIMS.as_bytes());
        assert_eq!(
            jws.claims().unwrap().get("iss").unwrap().as_str(),
            Some("test")
        );
        assert_eq!(jws.header_text("typ"), Some("JWT"));
        assert_eq!(jws.header_beyond(&["alg"]), ["typ"]);
        for other in ALL.into_iter().filter(|other| *other != alg) {
            let found = alg.to_string();
            assert_eq!(
                jws.verify(&public(other), other),
                Err(JwsError::Algorithm {
                    expected: other,
                    found
                })
            );
        }
    }
}

#[test]
fn d01_none_nothing_and_hmac_are_refused() {
    for (header, found) in [
        (r#"{"alg":"none"}"#, "none"),
        (r#"{"alg":"HS256"}"#, "HS256"),
        (r#"{"alg":"es256"}"#, "es256"),
        (r#"{"typ":"JWT"}"#, "nothing"),
        (r#"{"alg":256}"#, "nothing"),
        (r#"{"alg":["ES256"]}"#, "nothing"),
    ] {
        let token = token(Alg::Es256, header);
        let error = JwsError::Algorithm {
            expected: Alg::Es256,
            found: found.to_owned(),
        };
        let jws = Jws::parse(&token).unwrap();
        assert_eq!(jws.verify(&public(Alg::Es256), Alg::Es256), Err(error));
    }
    let unsigned = format!(
        "{}.{}.",
        forge::b64u(r#"{"alg":"ES256"}"#),
        forge::b64u(CLAIMS)
    );
    let jws = Jws::parse(&unsigned).unwrap();
    assert!(matches!(
        jws.verify(&public(Alg::Es256), Alg::Es256),
        Err(JwsError::Signature(BadSignature::Form { .. }))
    ));
}

#[test]
fn d03_a_key_in_the_header_is_never_used() {
    let attacker = Key::p256("attacker");
    let root = Authority::root("attacker", attacker.clone(), forge::Alg::EcdsaSha256);
    let x5c = STANDARD.encode(root.leaf("leaf", &attacker));
    let header = format!(
        r#"{{"alg":"ES256","x5c":["{x5c}"],"jku":"https://a","jwk":{{}},"x5u":"https://a"}}"#
    );
    let token = forge::jws(&header, CLAIMS, forge::Alg::EcdsaSha256, &attacker);
    let jws = Jws::parse(&token).unwrap();
    assert!(matches!(
        jws.verify(&public(Alg::Es256), Alg::Es256),
        Err(JwsError::Signature(_))
    ));
    assert_eq!(jws.header_beyond(&["alg"]), ["x5c", "jku", "jwk", "x5u"]);
}

#[test]
fn d04_critical_members_are_refused() {
    for (header, member) in [
        (r#"{"alg":"ES256","crit":["exp"]}"#, "crit"),
        (r#"{"alg":"ES256","crit":[]}"#, "crit"),
        (r#"{"alg":"ES256","b64":false}"#, "b64"),
        (r#"{"alg":"ES256","b64":true}"#, "b64"),
    ] {
        let error = JwsError::Critical { member };
        assert_eq!(fault(&token(Alg::Es256, header)), error);
    }
}

#[test]
fn d05_members_twice_are_refused_at_every_depth() {
    let twice = token(Alg::Es256, r#"{"alg":"ES256","alg":"none"}"#);
    assert!(matches!(
        fault(&twice),
        JwsError::Json { part: "header", .. }
    ));
    let escaped = token(Alg::Es256, r#"{"alg":"ES256","\u0061lg":"none"}"#);
    assert!(matches!(
        fault(&escaped),
        JwsError::Json { part: "header", .. }
    ));
    for payload in [r#"{"a":1,"a":2}"#, r#"{"x":{"a":1,"\u0061":2}}"#] {
        let (how, key) = forged(Alg::Es256);
        let token = forge::jws(&header(Alg::Es256), payload, how, &key);
        let jws = Jws::parse(&token).unwrap();
        assert_eq!(jws.verify(&public(Alg::Es256), Alg::Es256), Ok(()));
        assert!(matches!(
            jws.claims(),
            Err(JwsError::Json {
                part: "payload",
                ..
            })
        ));
    }
}

#[test]
fn d11_the_bytes_that_came_are_what_is_signed() {
    let token = token(Alg::Es256, &header(Alg::Es256));
    let (rest, signature) = token.rsplit_once('.').unwrap();
    let (head, _) = rest.split_once('.').unwrap();
    let spaced = format!("{head}.{}.{signature}", forge::b64u(r#"{ "iss":"test"}"#));
    let jws = Jws::parse(&spaced).unwrap();
    assert_eq!(
        jws.claims().unwrap().get("iss").unwrap().as_str(),
        Some("test")
    );
    assert!(jws.verify(&public(Alg::Es256), Alg::Es256).is_err());
}

#[test]
fn d13_an_ecdsa_signature_is_raw_and_of_its_length() {
    for alg in [Alg::Es256, Alg::Es384] {
        let (how, key) = forged(alg);
        let input = format!("{}.{}", forge::b64u(header(alg)), forge::b64u(CLAIMS));
        let der = key.sign(how, input.as_bytes());
        let raw = key.sign_fixed(how, input.as_bytes());
        for bad in [
            der.as_slice(),
            &raw[1..],
            &[raw.as_slice(), &[0]].concat(),
            &[],
        ] {
            let token = format!("{input}.{}", forge::b64u(bad));
            assert!(matches!(
                Jws::parse(&token).unwrap().verify(&public(alg), alg),
                Err(JwsError::Signature(BadSignature::Form { .. }))
            ));
        }
    }
}

#[test]
fn a_curve_goes_with_one_algorithm() {
    let key = Key::p384("token");
    let token = forge::jws(r#"{"alg":"ES256"}"#, CLAIMS, forge::Alg::EcdsaSha256, &key);
    let key = VerifyingKey::from_spki_der(&key.spki()).unwrap();
    assert_eq!(
        Jws::parse(&token).unwrap().verify(&key, Alg::Es256),
        Err(JwsError::Key {
            alg: Alg::Es256,
            key: key.kind()
        })
    );
}

#[test]
fn b27_only_canonical_base64url_is_read() {
    let good = token(Alg::Es256, &header(Alg::Es256));
    let parts: Vec<&str> = good.split('.').collect();
    for (index, part) in ["header", "payload", "signature"].into_iter().enumerate() {
        for bad in [
            format!("{}=", parts[index]),
            format!(" {}", parts[index]),
            format!("{}+", parts[index]),
            format!("{}\n", parts[index]),
        ] {
            let mut parts = parts.clone();
            parts[index] = &bad;
            assert_eq!(fault(&parts.join(".")), JwsError::Base64 { part });
        }
    }
    assert_eq!(fault("AB.AA.AA"), JwsError::Base64 { part: "header" });
}

#[test]
fn a_token_has_three_parts() {
    for bad in [
        "",
        ".",
        "..",
        "a",
        "e30",
        "e30.e30",
        ".e30.e30",
        "e30.e30.e30.e30",
        "e30.e30.e30.",
    ] {
        assert!(Jws::parse(bad).is_err(), "{bad}");
    }
    assert_eq!(fault("W10.e30.e30"), JwsError::NotObject { part: "header" });
    let size = MAX_TOKEN + 1;
    assert_eq!(fault(&"a".repeat(size)), JwsError::Size { size });
}

#[test]
fn d19_a_payload_of_many_nested_arrays_is_refused() {
    let deep = format!(r#"{{"a":{}{}}}"#, "[".repeat(10_000), "]".repeat(10_000));
    let (how, key) = forged(Alg::Es256);
    let token = forge::jws(&header(Alg::Es256), &deep, how, &key);
    let jws = Jws::parse(&token).unwrap();
    assert!(matches!(jws.claims(), Err(JwsError::Json { .. })));
}

#[test]
fn certificates_in_the_header_are_worth_their_chain() {
    let at = crate::Timestamp::parse_rfc3339("2026-06-05T00:00:00Z").unwrap();
    let root = Authority::root("root", Key::p384("root"), forge::Alg::EcdsaSha384);
    let sub = root.sub("sub", Key::p384("sub"), forge::Alg::EcdsaSha384);
    let (how, key) = forged(Alg::Es384);
    let leaf = sub.leaf("leaf", &key);
    let header = |ders: &[&[u8]]| {
        let list: Vec<String> = ders
            .iter()
            .map(|der| format!("\"{}\"", STANDARD.encode(der)))
            .collect();
        format!(r#"{{"alg":"ES384","x5c":[{}]}}"#, list.join(","))
    };
    let rules = ChainRules::at(at);
    let roots = [Certificate::from_der(&root.der).unwrap()];
    let check = |header: &str| {
        let token = forge::jws(header, CLAIMS, how, &key);
        Jws::parse(&token)
            .unwrap()
            .verify_by_chain(Alg::Es384, &roots, &rules)
    };
    assert_eq!(check(&header(&[&leaf, &sub.der])).unwrap().len(), 3);
    assert!(matches!(check(&header(&[&leaf])), Err(JwsError::Chain(_))));
    assert_eq!(check(&header(&[])), Err(JwsError::NoCertificates));
    assert_eq!(check(r#"{"alg":"ES384"}"#), Err(JwsError::NoCertificates));
    let other = sub.leaf("leaf", &Key::p384("other"));
    assert!(matches!(
        check(&header(&[&other, &sub.der])),
        Err(JwsError::Signature(_))
    ));
    let forged = Authority::root("root", Key::p384("forged"), forge::Alg::EcdsaSha384);
    let forged_leaf = forged.leaf("leaf", &key);
    assert!(matches!(
        check(&header(&[&forged_leaf, &forged.der])),
        Err(JwsError::Chain(_))
    ));
    assert!(matches!(
        check(r#"{"alg":"ES384","x5c":["!"]}"#),
        Err(JwsError::Certificate { number: 1, .. })
    ));
    let many = vec![leaf.as_slice(); 17];
    assert!(matches!(
        check(&header(&many)),
        Err(JwsError::Chain(ChainError::TooMany { found: 17 }))
    ));
}

#[test]
fn a_thumbprint_is_that_of_the_example() {
    // RFC 7638, section 3.1.
    let n = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";
    let set = format!(r#"{{"keys":[{{"kty":"RSA","e":"AQAB","n":"{n}"}}]}}"#);
    let set = KeySet::parse(set.as_bytes()).unwrap();
    assert_eq!(
        b64::encode(set.keys[0].thumbprint().as_bytes()),
        "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
    );
}

fn ec_jwk(seed: &str, more: &str) -> String {
    let point = Key::p256(seed).point();
    let (x, y) = point[1..].split_at(32);
    format!(
        r#"{{"kty":"EC","crv":"P-256","x":"{}","y":"{}"{more}}}"#,
        forge::b64u(x),
        forge::b64u(y)
    )
}

fn set_of(keys: &[String]) -> Result<KeySet, KeySetError> {
    KeySet::parse(format!(r#"{{"keys":[{}]}}"#, keys.join(",")).as_bytes())
}

#[test]
fn a_key_set_names_the_keys_that_it_does_not_use() {
    let set = set_of(&[
        ec_jwk("a", r#","kid":"a","alg":"ES256""#),
        ec_jwk("b", r#","kid":"b","use":"enc""#),
        r#"{"kty":"oct","kid":"c","k":"AA"}"#.to_owned(),
        r#"{"kty":"EC","kid":"d","crv":"P-521"}"#.to_owned(),
        r#"{"kty":"RSA","kid":"e"}"#.to_owned(),
        r#"{"kty":"RSA","kid":"f","n":"AQ==","e":"AQAB"}"#.to_owned(),
        r#"{"kty":"RSA","kid":"g","n":"AQ","e":"AQAB"}"#.to_owned(),
        r#"{"kid":"h"}"#.to_owned(),
    ])
    .unwrap();
    assert_eq!(set.keys.len(), 1);
    let key = set.by_kid("a").unwrap();
    assert!(key.is_for(Alg::Es256) && !key.is_for(Alg::Es384) && !key.is_for(Alg::Rs256));
    let text = str::to_owned;
    assert_eq!(
        set.unused,
        [
            (text("b"), JwkError::Use { found: text("enc") }),
            (text("c"), JwkError::Kind { kty: text("oct") }),
            (text("d"), JwkError::Curve { crv: text("P-521") }),
            (text("e"), JwkError::Member { member: "n" }),
            (text("f"), JwkError::Member { member: "n" }),
            (
                text("g"),
                JwkError::Unsupported(crate::x509::KeyUnsupported::Modulus { bits: 1 })
            ),
            (text("h"), JwkError::Kind { kty: text("?") }),
        ]
    );
    assert!(set.by_kid("b").is_none());
}

#[test]
fn a_key_set_is_bounded_and_has_one_key_of_a_name() {
    let twice = [ec_jwk("a", r#","kid":"a""#), ec_jwk("b", r#","kid":"a""#)];
    let kid = "a".to_owned();
    assert_eq!(
        set_of(&twice).unwrap_err(),
        KeySetError::DuplicateKid { kid }
    );
    let many = vec!["{}".to_owned(); 257];
    assert_eq!(
        set_of(&many).unwrap_err(),
        KeySetError::TooMany { found: 257 }
    );
    assert_eq!(KeySet::parse(b"{}").unwrap_err(), KeySetError::Form);
    assert_eq!(
        KeySet::parse(br#"{"keys":[1]}"#).unwrap_err(),
        KeySetError::Form
    );
    assert!(matches!(
        KeySet::parse(br#"{"keys":[],"keys":[]}"#),
        Err(KeySetError::Json(_))
    ));
}

#[test]
fn a_key_and_its_certificate_are_one() {
    let key = Key::rsa2048(0);
    let der = Cert::new("issuer", &key).signed(forge::Alg::RsaSha256, &key);
    let x5c = STANDARD.encode(der);
    let (modulus, exponent) = Key::rsa2048(1).modulus_and_exponent();
    let bare = format!(r#"{{"kty":"RSA","kid":"a","x5c":["{x5c}"]}}"#);
    let other = format!(
        r#"{{"kty":"RSA","kid":"b","x5c":["{x5c}"],"n":"{}","e":"{}"}}"#,
        forge::b64u(modulus),
        forge::b64u(exponent)
    );
    let bad = r#"{"kty":"RSA","kid":"c","x5c":["AA"]}"#.to_owned();
    let set = set_of(&[bare, other, bad]).unwrap();
    let read = set.by_kid("a").unwrap();
    assert_eq!(read.key, VerifyingKey::from_spki_der(&key.spki()).unwrap());
    assert_eq!(read.certificates.len(), 1);
    assert_eq!(set.unused[0], ("b".to_owned(), JwkError::Differs));
    assert!(matches!(set.unused[1].1, JwkError::Certificates(_)));
}

proptest::proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "[A-Za-z0-9_.-]{0,80}", bytes in ".{0,60}") {
        let _ = Jws::parse(&text);
        let _ = Jws::parse(&bytes);
        let _ = KeySet::parse(bytes.as_bytes());
    }

    #[test]
    fn any_header_and_payload_are_read_or_refused(header in ".{0,60}", payload in ".{0,60}") {
        let token = format!("{}.{}.AA", forge::b64u(header), forge::b64u(payload));
        if let Ok(jws) = Jws::parse(&token) {
            let _ = jws.claims();
            proptest::prop_assert!(jws.verify(&public(Alg::Es256), Alg::Es256).is_err());
        }
    }
}

use cmcp_json::Limits;

use super::*;

fn json(text: &str) -> Value {
    parse(text.as_bytes(), &Limits::DOCUMENT).unwrap()
}

fn key(jwk: &str) -> PublicKey {
    PublicKey::from_jwk(&json(jwk)).unwrap()
}

fn claims(text: &str) -> Object {
    json(text).as_object().unwrap().clone()
}

const EC: &str = r#"{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}"#;
const ED: &str =
    r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
const RSA: &str = r#"{"kty":"RSA","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ","e":"AQAB"}"#;

#[test]
fn the_examples_of_the_specifications_hold() {
    let ec = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
    let rsa = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";
    for (jwk, text) in [(EC, ec), (RSA, rsa)] {
        let said = Unverified::parse(text).unwrap().verify(&key(jwk)).unwrap();
        assert_eq!(said.get("iss").and_then(Value::as_str), Some("joe"));
    }
    // This one signs a text that is no object: the signature holds, and nothing is read from it.
    let ed = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
    let ed = Unverified::parse(ed).unwrap();
    assert_eq!(ed.verify(&key(ED)), Err(JwsError::Claims));
    assert_eq!(ed.verify(&key(EC)), Err(JwsError::Key));
}

#[test]
fn thumbprints_are_those_of_the_specifications() {
    let rsa = r#"{"kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw","e":"AQAB","alg":"RS256","kid":"2011-04-29"}"#;
    assert_eq!(
        key(rsa).thumbprint(),
        "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
    );
    assert_eq!(
        key(ED).thumbprint(),
        "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
    );
}

#[test]
fn what_every_algorithm_signs_it_verifies_and_no_other_key_or_text_passes() {
    let said = claims(r#"{"sub":"alice","n":1}"#);
    for algorithm in Algorithm::ALL {
        let own = PrivateKey::generate(algorithm).unwrap();
        let own = match &own {
            _ if own.algorithm() == algorithm => own,
            _ => panic!("{algorithm:?}"),
        };
        let text = own.sign(&Object::default(), &said).unwrap();
        let parsed = Unverified::parse(&text).unwrap();
        assert_eq!(parsed.header.algorithm, algorithm);
        assert_eq!(parsed.verify(&own.public().unwrap()), Ok(said.clone()));
        let jwk = Value::Object(own.public().unwrap().named("k").to_jwk());
        assert_eq!(
            parsed.verify(&PublicKey::from_jwk(&jwk).unwrap()),
            Ok(said.clone())
        );
        let other = PrivateKey::generate(algorithm).unwrap().public().unwrap();
        assert_eq!(parsed.verify(&other), Err(JwsError::Signature));
        let forged = format!(
            "{}.{}.{}",
            text.split('.').next().unwrap(),
            encode(br#"{"sub":"mallory","n":1}"#),
            text.rsplit('.').next().unwrap()
        );
        let forged = Unverified::parse(&forged).unwrap();
        assert_eq!(
            forged.verify(&own.public().unwrap()),
            Err(JwsError::Signature)
        );
    }
}

#[test]
fn a_header_cannot_choose_how_it_is_judged() {
    let refused = |header: &str| {
        let text = format!("{}.{}.{}", encode(header.as_bytes()), encode(b"{}"), "AAAA");
        Unverified::parse(&text).unwrap_err()
    };
    for alg in [
        "none", "None", "HS256", "HS384", "HS512", "ES256K", "RSA-OAEP", "",
    ] {
        assert_eq!(
            refused(&format!(r#"{{"alg":"{alg}"}}"#)),
            JwsError::Algorithm
        );
    }
    assert_eq!(refused(r#"{"typ":"JWT"}"#), JwsError::Header);
    assert_eq!(refused(r#"{"alg":["ES256"]}"#), JwsError::Header);
    assert_eq!(refused(r#"{"alg":"ES256","alg":"none"}"#), JwsError::Header);
    assert_eq!(refused(r#"{"alg":"ES256","kid":7}"#), JwsError::Header);
    assert_eq!(
        refused(r#"{"alg":"ES256","crit":["exp"]}"#),
        JwsError::Critical
    );
    assert_eq!(
        refused(r#"{"alg":"ES256","b64":false}"#),
        JwsError::Critical
    );
    assert_eq!(refused("[]"), JwsError::Header);
}

#[test]
fn the_compact_form_has_one_spelling() {
    let header = encode(br#"{"alg":"ES256"}"#);
    for text in [
        "",
        ".",
        "..",
        "a.b",
        &format!("{header}.e30.AA.AA"),
        &format!("{header}.e30=.AA"),
        &format!("{header}.e30.A"),
        // The last character has bits that are not used, and they are not zero.
        &format!("{header}.e31.AA"),
        &format!("{header}.e30.AB"),
        &format!(" {header}.e30.AA"),
        &format!("{header}.e3+.AA"),
    ] {
        assert!(
            matches!(
                Unverified::parse(text),
                Err(JwsError::Shape | JwsError::Header)
            ),
            "{text:?}"
        );
    }
    let long = format!("{header}.{}.AA", "A".repeat(MAX_BYTES));
    assert_eq!(Unverified::parse(&long).unwrap_err(), JwsError::Shape);
}

#[test]
fn keys_that_could_not_vouch_for_anything_are_refused() {
    let cases: [(&str, KeyError); 14] = [
        ("[]", KeyError::Malformed),
        (r#"{"kty":"oct","k":"AAAA"}"#, KeyError::Private),
        (r#"{"kty":"oct"}"#, KeyError::Unknown),
        (
            r#"{"kty":"EC","crv":"secp256k1","x":"AA","y":"AA"}"#,
            KeyError::Unknown,
        ),
        (
            r#"{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}"#,
            KeyError::Malformed,
        ),
        (
            r#"{"kty":"OKP","crv":"X25519","x":"AA"}"#,
            KeyError::Unknown,
        ),
        (
            r#"{"kty":"OKP","crv":"Ed25519","x":"AA"}"#,
            KeyError::Malformed,
        ),
        (r#"{"kty":"RSA","n":"AQAB","e":"AQAB"}"#, KeyError::Size),
        (r#"{"kty":"RSA","e":"AQAB"}"#, KeyError::Malformed),
        (&ED.replace('}', r#","use":"enc"}"#), KeyError::Purpose),
        (
            &ED.replace('}', r#","key_ops":["sign"]}"#),
            KeyError::Purpose,
        ),
        (&ED.replace('}', r#","d":"AAAA"}"#), KeyError::Private),
        (&ED.replace('}', r#","alg":"HS256"}"#), KeyError::Unknown),
        (&ED.replace('}', r#","kid":1}"#), KeyError::Malformed),
    ];
    for (jwk, error) in cases {
        assert_eq!(PublicKey::from_jwk(&json(jwk)), Err(error), "{jwk}");
    }
    // A point that is not on the curve is found out when it is used.
    let off = key(&EC.replace("f83OJ3D2", "f83OJ3D3"));
    assert_eq!(
        off.verify(Algorithm::Es256, b"x", &[1; 64]),
        Err(JwsError::Signature)
    );
}

#[test]
fn a_key_says_itself_which_algorithm_it_is_for() {
    let bound = key(&RSA.replace('}', r#","alg":"PS256"}"#));
    assert!(bound.fits(Algorithm::Ps256) && !bound.fits(Algorithm::Rs256));
    assert!(key(RSA).fits(Algorithm::Rs256));
    assert!(!key(EC).fits(Algorithm::Es384) && !key(EC).fits(Algorithm::EdDsa));
}

#[test]
fn a_key_is_found_by_its_name_or_by_being_the_only_one() {
    let set =
        |keys: &[&str]| KeySet::parse(format!(r#"{{"keys":[{}]}}"#, keys.join(",")).as_bytes());
    let header = |kid: Option<&str>| Header {
        algorithm: Algorithm::EdDsa,
        typ: None,
        kid: kid.map(str::to_owned),
        jwk: None,
    };
    let (a, b) = (
        ED.replace('}', r#","kid":"a"}"#),
        ED.replace('}', r#","kid":"b"}"#),
    );
    let one = set(&[&a, EC]).unwrap();
    assert!(one.find(&header(Some("a"))).is_some());
    assert!(one.find(&header(Some("A"))).is_none());
    assert!(one.find(&header(None)).is_some());
    let two = set(&[&a, &b]).unwrap();
    assert!(two.find(&header(Some("b"))).is_some());
    assert!(two.find(&header(None)).is_none());
    assert!(set(&[&a, &a]).unwrap().find(&header(Some("a"))).is_none());
    // What is of no use is left out.
    assert!(set(&[r#"{"kty":"oct","k":"AA"}"#, &a]).is_ok());
    assert_eq!(set(&[r#"{"kty":"oct","k":"AA"}"#]), Err(SetError::Empty));
    assert_eq!(set(&[]), Err(SetError::Empty));
    assert_eq!(set(&vec![ED; 101]), Err(SetError::Size));
    assert_eq!(KeySet::parse(b"{"), Err(SetError::Json));
    assert_eq!(KeySet::parse(br#"{"keys":{}}"#), Err(SetError::Shape));
}

#[test]
fn private_keys_are_read_from_pem_and_sign_with_what_was_asked_for() {
    let pem = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n-----END PRIVATE KEY-----\n";
    let key = PrivateKey::from_pem(pem, None).unwrap();
    assert_eq!(key.algorithm(), Algorithm::EdDsa);
    // RFC 8037, appendix A: the private key of the example above.
    assert_eq!(
        key.public().unwrap().thumbprint(),
        "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
    );
    assert_eq!(
        PrivateKey::from_pem(pem, Some(Algorithm::Es256)).unwrap_err(),
        PrivateKeyError::Algorithm(Algorithm::Es256)
    );
    assert_eq!(
        PrivateKey::from_pem("nothing", None).unwrap_err(),
        PrivateKeyError::Pem
    );
    assert!(!format!("{key:?}").contains("nWGx"));
}

proptest::proptest! {
    #[test]
    fn no_text_is_more_than_refused(text in "\\PC{0,200}", dots in "[A-Za-z0-9_.=-]{0,400}") {
        for text in [&text, &dots] {
            if let Ok(parsed) = Unverified::parse(text) {
                proptest::prop_assert!(parsed.verify(&key(ED)).is_err());
            }
        }
    }
}

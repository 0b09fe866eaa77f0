//! What the forge makes is what it was told to make.

use super::*;

#[test]
fn the_same_seed_makes_the_same_certificate() {
    let make = || {
        let key = Key::p384("root");
        let root = Authority::root("root", key, Alg::EcdsaSha384);
        root.leaf("leaf", &Key::p256("leaf"))
    };
    assert_eq!(make(), make());
}

#[test]
fn a_token_has_its_header_and_payload_as_they_were_written() {
    let token = jws(
        r#"{"alg":"ES256"}"#,
        "{}",
        Alg::EcdsaSha256,
        &Key::p256("k"),
    );
    assert!(token.starts_with("eyJhbGciOiJFUzI1NiJ9.e30."));
    assert_eq!(token.rsplit('.').next().unwrap().len(), 86);
}

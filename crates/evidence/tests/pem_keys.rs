//! Ed25519 keys as OpenSSL writes them.
#![cfg(test)]

use cmcp_evidence::{KeyError, PublicKey, SigningKey};

// RFC 8410, section 10.
const PRIVATE_PEM: &str = "-----BEGIN PRIVATE KEY-----\n\
    MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n\
    -----END PRIVATE KEY-----\n";
const PUBLIC_PEM: &str = "-----BEGIN PUBLIC KEY-----\n\
    MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n\
    -----END PUBLIC KEY-----\n";

#[test]
fn the_keys_of_the_rfc_belong_together() {
    let private = SigningKey::from_pem(PRIVATE_PEM.as_bytes()).unwrap();
    let public = PublicKey::from_pem(PUBLIC_PEM.as_bytes()).unwrap();
    assert_eq!(private.public(), public);
    assert_eq!(
        public.hex(),
        "19bf44096984cdfe8541bac167dc3b96c85086aa30b6b6cb0c5c38ad703166e1"
    );
}

#[test]
fn other_keys_and_files_are_refused() {
    let private = |pem: &str| SigningKey::from_pem(pem.as_bytes()).unwrap_err();
    let public = |pem: &str| PublicKey::from_pem(pem.as_bytes()).unwrap_err();
    assert_eq!(private(PUBLIC_PEM), KeyError::Pem);
    assert_eq!(public(PRIVATE_PEM), KeyError::Pem);
    // X25519 (1.3.101.110), a cut key, a key with something around it, no base64.
    for (from, to) in [
        ("BQYDK2Vw", "BQYDK2Vu"),
        ("dVhC", "dQ=="),
        ("-----BEGIN", "text -----BEGIN"),
        ("MC4C", "M*4C"),
        ("PRIVATE", "EC PRIVATE"),
    ] {
        assert_eq!(
            private(&PRIVATE_PEM.replace(from, to)),
            KeyError::Pem,
            "{to}"
        );
    }
    let small_order = PUBLIC_PEM.replace(
        "Gb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=",
        "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
    );
    assert_eq!(public(&small_order), KeyError::SmallOrder);
}

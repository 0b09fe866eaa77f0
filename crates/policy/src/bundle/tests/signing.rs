use super::*;

fn signed(by: &SigningKey) -> PolicyBundle {
    let unsigned = bundle("permit(principal, action, resource);", Compat::Off).unwrap();
    let manifest = String::from_utf8(files("")[0].1.clone()).unwrap();
    let signature = by.sign(&unsigned.signed_bytes()).to_b64url();
    let manifest = manifest.replace('}', &format!(r#", "signature": "{signature}"}}"#));
    let signed =
        PolicyBundle::parse(&with("manifest.json", manifest.as_bytes()), Compat::Off).unwrap();
    assert_eq!(signed.hash(), unsigned.hash());
    signed
}

fn revocation(of: &SigningKey, by: &SigningKey) -> String {
    let id = key_id(&of.public());
    let signature = by.sign(format!("cmcp-policy-key-revocation-v1|{id}").as_bytes());
    format!(
        r#"{{"revoked_key_id": "{id}", "signature": "{}"}}"#,
        signature.to_b64url()
    )
}

fn keys(current: &SigningKey, successor: Option<&SigningKey>) -> SigningKeys {
    SigningKeys::new(current.public(), successor.map(SigningKey::public)).unwrap()
}

#[test]
fn a_signature_over_the_domain_separated_hash_is_accepted() {
    let (current, other) = (key(1), key(2));
    assert_eq!(
        signed(&current).verify_signature(&keys(&current, None)),
        Ok(key_id(&current.public()))
    );
    assert_eq!(
        signed(&other).verify_signature(&keys(&current, None)),
        Err(BundleSignatureError::Mismatch {
            current: key_id(&current.public())
        })
    );
}

#[test]
fn a_missing_or_malformed_signature_is_refused() {
    let keys = keys(&key(1), None);
    let unsigned = bundle("permit(principal, action, resource);", Compat::Off).unwrap();
    assert_eq!(
        unsigned.verify_signature(&keys),
        Err(BundleSignatureError::Missing)
    );
    let manifest = String::from_utf8(files("")[0].1.clone()).unwrap();
    for (text, error) in [
        ("AAAA", BundleSignatureError::Encoding),
        ("", BundleSignatureError::Encoding),
    ] {
        let manifest = manifest.replace('}', &format!(r#", "signature": "{text}"}}"#));
        let bundle = PolicyBundle::parse(&with("manifest.json", manifest.as_bytes()), Compat::Off);
        assert_eq!(bundle.unwrap().verify_signature(&keys), Err(error));
    }
    let numbered = manifest.replace('}', r#", "signature": 1}"#);
    assert_eq!(
        refused(&with("manifest.json", numbered.as_bytes())),
        "`manifest.json`: `signature` is not a string: it is base64url text, or left out"
    );
}

#[test]
fn the_padding_of_python_writers_is_accepted() {
    let current = key(1);
    let bundle = signed(&current);
    let padded = format!("{}==", bundle.manifest().signature().unwrap());
    assert!(crate::bundle::signing::signature(&padded).is_ok());
    assert!(crate::bundle::signing::signature(&format!("{padded}=")).is_err());
}

#[test]
fn the_id_of_a_key_is_the_digest_of_its_bytes() {
    let public =
        cmcp_evidence::PublicKey::from_b64url("YHtmjOrPUKWPHdHYZVvf2sLC-NpeuCfWRIPg4MNjm5w");
    assert_eq!(
        key_id(&public.unwrap()).to_string(),
        "sha256:e9855f795b8ef16d419a14e5086ff5540dfe1d7587fb77d65f9b4aff6f0dfc8c"
    );
}

#[test]
fn a_key_revoked_by_itself_or_its_successor_is_followed_by_the_successor() {
    let (current, successor) = (key(1), key(2));
    for signer in [&current, &successor] {
        let mut keys = keys(&current, Some(&successor));
        let file = format!("[{}]", revocation(&current, signer));
        let id = key_id(&current.public());
        assert_eq!(
            keys.revoke(file.as_bytes()),
            Revocations {
                applied: vec![id],
                refused: vec![]
            }
        );
        assert_eq!(keys.current(), Some(&successor.public()));
        assert!(keys.is_revoked(&id));
        assert_eq!(
            signed(&current).verify_signature(&keys),
            Err(BundleSignatureError::Revoked { key: id })
        );
        assert!(signed(&successor).verify_signature(&keys).is_ok());
        // A statement already applied changes nothing.
        assert_eq!(keys.revoke(file.as_bytes()), Revocations::default());
    }
}

#[test]
fn when_every_key_is_revoked_no_bundle_is_accepted() {
    let current = key(1);
    let mut keys = keys(&current, None);
    keys.revoke(format!("[{}]", revocation(&current, &current)).as_bytes());
    assert_eq!(keys.current(), None);
    assert_eq!(
        signed(&current).verify_signature(&keys),
        Err(BundleSignatureError::AllRevoked)
    );
}

#[test]
fn a_bad_revocation_is_refused_and_does_not_stop_a_good_one() {
    let (current, successor, stranger) = (key(1), key(2), key(3));
    let mut keys = keys(&current, Some(&successor));
    let id = key_id(&current.public());
    let file = format!(
        "[{}, {}, {{}}, {}]",
        revocation(&current, &stranger),
        revocation(&successor, &current),
        revocation(&current, &current)
    );
    assert_eq!(
        keys.revoke(file.as_bytes()),
        Revocations {
            applied: vec![id],
            refused: vec![
                (0, RevocationError::Signature { key: id }),
                (
                    1,
                    RevocationError::NotCurrent {
                        key: key_id(&successor.public())
                    }
                ),
                (2, RevocationError::Statement),
            ],
        }
    );
    assert_eq!(keys.revoke(b"{}").refused, [(0, RevocationError::Shape)]);
    assert!(matches!(
        keys.revoke(b"[").refused[..],
        [(0, RevocationError::Syntax(_))]
    ));
}

#[test]
fn current_and_successor_are_two_keys() {
    let key = key(1).public();
    assert_eq!(
        SigningKeys::new(key, Some(key)).unwrap_err(),
        KeysError::Same
    );
}

use cmcp_evidence::{Commitment, Endorsements, Sha256Digest};
use cmcp_json::{Limits, Object, Value};

use super::{Sidecar, SidecarError};

fn sidecar() -> Sidecar {
    Sidecar {
        commitment: Commitment {
            nonce: None,
            policy: Sha256Digest::of(b"policy"),
            catalog: Sha256Digest::of(b"catalog"),
            config: Sha256Digest::of(b"config"),
            log_size: 0,
            log_root: Sha256Digest::of(b"root"),
        },
        endorsements: Endorsements {
            crls: vec![vec![1]],
            ..Endorsements::default()
        },
    }
}

fn changed(change: impl FnOnce(&mut Object)) -> Result<Sidecar, SidecarError> {
    let mut document = cmcp_json::parse(&sidecar().to_json(), &Limits::DOCUMENT).unwrap();
    change(document.as_object_mut().unwrap());
    Sidecar::parse(&document.to_vec())
}

#[test]
fn what_is_written_is_read_again() {
    assert_eq!(Sidecar::parse(&sidecar().to_json()), Ok(sidecar()));
}

#[test]
fn nothing_may_be_missing_and_nothing_is_passed_over() {
    for name in [
        "type",
        "policy",
        "catalog",
        "config",
        "log_size",
        "log_root",
        "endorsements",
    ] {
        let read = changed(|document| drop(document.remove(name)));
        assert!(matches!(read, Err(SidecarError::Member { member, .. }) if member == name));
    }
    let more = changed(|document| drop(document.insert("salt", "x")));
    assert!(matches!(more, Err(SidecarError::Member { member, .. }) if member == "salt"));
}

#[test]
fn what_is_not_as_it_has_to_be_is_refused() {
    for (name, value) in [
        ("type", Value::from("cmcp.commitment/v2")),
        ("policy", Value::from("00")),
        ("log_size", Value::from("7")),
        ("log_root", Value::Null),
    ] {
        let read = changed(|document| drop(document.insert(name, value)));
        assert!(matches!(read, Err(SidecarError::Member { member, .. }) if member == name));
    }
    let short = changed(|document| drop(document.insert("nonce", "AAAA")));
    assert!(matches!(short, Err(SidecarError::Nonce(_))));
    let padded = changed(|document| {
        document.insert("endorsements", Object::from([("crls", vec!["AQ=="])]));
    });
    assert!(matches!(padded, Err(SidecarError::Endorsements(_))));
    assert!(matches!(
        Sidecar::parse(b"[]"),
        Err(SidecarError::Member { .. })
    ));
    assert!(matches!(
        Sidecar::parse(b"{} {}"),
        Err(SidecarError::Json(_))
    ));
}

use super::{Commitment, NonceError, ReportData, check_nonce};
use crate::{Sha256Digest, SigningKey, b64, b64::B64Error};

fn commitment() -> Commitment {
    Commitment {
        nonce: Some(b64::encode(&[7; 16])),
        policy: Sha256Digest::of(b"policy"),
        catalog: Sha256Digest::of(b"catalog"),
        config: Sha256Digest::of(b"config"),
        log_size: 7,
        log_root: Sha256Digest::of(b"root"),
    }
}

#[test]
fn every_part_of_a_commitment_counts() {
    let whole = commitment();
    let other = Sha256Digest::of(b"other");
    let changed = [
        Commitment {
            nonce: None,
            ..commitment()
        },
        Commitment {
            nonce: Some(b64::encode(&[8; 16])),
            ..commitment()
        },
        Commitment {
            policy: other,
            ..commitment()
        },
        Commitment {
            catalog: other,
            ..commitment()
        },
        Commitment {
            config: other,
            ..commitment()
        },
        Commitment {
            log_size: 8,
            ..commitment()
        },
        Commitment {
            log_root: other,
            ..commitment()
        },
    ];
    for changed in changed {
        assert_ne!(changed.digest(), whole.digest(), "{changed:?}");
    }
}

#[test]
fn report_data_is_the_key_and_then_the_commitment() {
    let key = SigningKey::from_seed(&[1; 32]).public();
    let data = ReportData::for_record(&key, &commitment());
    let (first, second) = data.as_bytes().split_at(32);
    assert_eq!(first, Sha256Digest::of(key.as_bytes()).as_bytes());
    assert_eq!(second, commitment().digest().as_bytes());
    assert_eq!(ReportData::from_bytes(*data.as_bytes()), data);
    assert_eq!(format!("{data:?}"), format!("ReportData({})", data.hex()));
}

#[test]
fn challenges_are_base64url_and_neither_short_nor_long() {
    assert_eq!(check_nonce(&b64::encode(&[0; 16])), Ok(()));
    assert_eq!(check_nonce(&b64::encode(&[0; 768])), Ok(()));
    assert_eq!(check_nonce(&b64::encode(&[0; 769])), Err(NonceError::Long));
    assert_eq!(check_nonce(&b64::encode(&[0; 15])), Err(NonceError::Short));
    assert_eq!(check_nonce(""), Err(NonceError::Short));
    assert_eq!(
        check_nonce("AAAAAAAAAAAAAAAAAAAAAA=="),
        Err(NonceError::Encoding(B64Error))
    );
}

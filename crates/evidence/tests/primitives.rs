//! Encodings, digests and keys: one spelling each, and nothing weak.
#![cfg(test)]

use cmcp_evidence::{
    Attester as _, Commitment, KeyError, Platform, PublicKey, ReportData, Sha256Digest,
    Sha384Digest, Signature, SignatureError, SigningKey, SoftwareAttester, Status, b64, hex,
};
use proptest::prelude::*;

fn key() -> SigningKey {
    SigningKey::from_seed(&[42; 32])
}

#[test]
fn base64url_has_one_spelling() {
    assert_eq!(b64::encode(&[0xfb, 0xff]), "-_8");
    assert_eq!(b64::decode("-_8"), Ok(vec![0xfb, 0xff]));
    assert_eq!(b64::decode(""), Ok(vec![]));
    for text in [
        "-_8=", "+/8", "-_9", "-_8 ", " -_8", "-\n_8", "A", "-_8A=", "é",
    ] {
        assert_eq!(b64::decode(text), Err(b64::B64Error), "{text}");
    }
}

#[test]
fn hexadecimal_has_one_spelling() {
    assert_eq!(hex::encode(&[0x00, 0xaf]), "00af");
    assert_eq!(hex::decode("00af"), Ok(vec![0x00, 0xaf]));
    for text in ["0", "00AF", "0x00", "00 af", "gg", "é"] {
        assert_eq!(hex::decode(text), Err(hex::HexError), "{text}");
    }
}

#[test]
fn digests_are_those_of_fips_180_4() {
    assert_eq!(
        Sha256Digest::of(b"abc").to_string(),
        "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    );
    assert_eq!(
        Sha384Digest::of(b"abc").to_string(),
        "sha384:cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7"
    );
    assert_eq!(
        Sha256Digest::of_parts(&[b"a", b"", b"bc"]),
        Sha256Digest::of(b"abc")
    );
}

#[test]
fn digests_are_read_exactly() {
    let text = Sha256Digest::of(b"abc").to_string();
    assert_eq!(text.parse(), Ok(Sha256Digest::of(b"abc")));
    assert_eq!(format!("{:?}", Sha256Digest::of(b"abc")), text);
    for wrong in [
        text.to_uppercase(),
        text.replace("sha256:", "SHA256:"),
        text.replace("sha256:", "sha384:"),
        text.replace("sha256:", ""),
        format!("{text}0"),
        format!(" {text}"),
        text.chars().take(70).collect(),
    ] {
        assert!(wrong.parse::<Sha256Digest>().is_err(), "{wrong}");
    }
    assert_eq!(
        "sha256:"
            .parse::<Sha256Digest>()
            .expect_err("refused")
            .to_string(),
        "not a digest: expected `sha256:` and 64 lower-case hexadecimal digits"
    );
    let value = cmcp_json::Value::from(text.as_str());
    assert_eq!(cmcp_json::from_value(&value), Ok(Sha256Digest::of(b"abc")));
    assert_eq!(
        cmcp_json::to_value(&Sha256Digest::of(b"abc")).expect("value"),
        value
    );
}

#[test]
fn keys_and_signatures_have_one_spelling() {
    let key = key();
    let x = key.public().to_b64url();
    assert_eq!(x.len(), 43);
    assert_eq!(PublicKey::from_b64url(&x), Ok(key.public()));
    assert_eq!(PublicKey::from_hex(&key.public().hex()), Ok(key.public()));
    let signature = key.sign(b"message").to_b64url();
    assert_eq!(signature.len(), 86);
    assert!(signature.ends_with(['A', 'Q', 'g', 'w']));
    for text in [
        format!("{signature}=="),
        format!("{signature}A"),
        signature.replace(['-', '_'], "+"),
        second_spelling(&signature),
        String::new(),
    ] {
        assert!(
            text == signature || Signature::from_b64url(&text).is_err(),
            "{text}"
        );
    }
    for text in [
        format!("{x}="),
        second_spelling(&x),
        x.replace('-', "+"),
        hex::encode(&[1; 31]),
    ] {
        assert_eq!(
            PublicKey::from_b64url(&text),
            Err(KeyError::Encoding),
            "{text}"
        );
    }
    assert_eq!(
        PublicKey::from_hex(&key.public().hex().to_uppercase()),
        Err(KeyError::Encoding)
    );
}

/// The same bytes for a lenient decoder: the unused bits of the last character are set.
fn second_spelling(text: &str) -> String {
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let last = text.chars().last().expect("character");
    let place = alphabet.find(last).expect("in the alphabet");
    let other = alphabet.chars().nth(place + 1).expect("character");
    let others = text.strip_suffix(last).expect("last character");
    format!("{others}{other}")
}

#[test]
fn keys_that_anybody_could_sign_for_are_refused() {
    // The eight points of small order and their second encodings.
    for small in [
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "0000000000000000000000000000000000000000000000000000000000000080",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    ] {
        assert_eq!(
            PublicKey::from_hex(small),
            Err(KeyError::SmallOrder),
            "{small}"
        );
    }
    for other_spelling in [
        "0100000000000000000000000000000000000000000000000000000000000080",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    ] {
        assert_eq!(
            PublicKey::from_hex(other_spelling),
            Err(KeyError::Point),
            "{other_spelling}"
        );
    }
    // y = 2 is on no point of the curve.
    let mut bytes = [0; 32];
    bytes[0] = 2;
    assert_eq!(PublicKey::from_bytes(bytes), Err(KeyError::Point));
}

#[test]
fn a_signature_holds_for_one_key_and_one_message() {
    let (key, other) = (key(), SigningKey::from_seed(&[43; 32]));
    let signature = key.sign(b"message");
    assert_eq!(key.public().verify(b"message", &signature), Ok(()));
    assert_eq!(
        key.public().verify(b"messagf", &signature),
        Err(SignatureError::Mismatch)
    );
    assert_eq!(
        other.public().verify(b"message", &signature),
        Err(SignatureError::Mismatch)
    );
    for bit in 0..512 {
        let mut bytes = *signature.as_bytes();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let changed = Signature::from_bytes(bytes);
        assert_eq!(
            key.public().verify(b"message", &changed),
            Err(SignatureError::Mismatch),
            "{bit}"
        );
    }
}

#[test]
fn a_signature_with_a_second_scalar_is_refused() {
    // S + L is the same scalar to a verifier that does not insist on S < L.
    let order = hex::decode("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010")
        .expect("order");
    let mut bytes = *key().sign(b"message").as_bytes();
    let mut carry = 0_u16;
    for (byte, add) in bytes[32..].iter_mut().zip(order) {
        carry += u16::from(*byte) + u16::from(add);
        *byte = carry.to_le_bytes()[0];
        carry >>= 8;
    }
    assert_eq!(
        key()
            .public()
            .verify(b"message", &Signature::from_bytes(bytes)),
        Err(SignatureError::Mismatch)
    );
}

#[test]
fn a_signing_key_shows_nothing() {
    assert_eq!(format!("{:?}", key()), "SigningKey");
}

#[test]
fn rfc_8032_signatures_come_out() {
    let seed = hex::decode("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
        .expect("seed");
    let key = SigningKey::from_seed(&seed.try_into().expect("32 bytes"));
    assert_eq!(
        key.public().hex(),
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
    );
    assert_eq!(
        hex::encode(key.sign(b"").as_bytes()),
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
    );
    // RFC 8037, appendix A.3.
    assert_eq!(
        b64::encode(key.public().thumbprint().as_bytes()),
        "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
    );
}

#[test]
fn software_evidence_never_shows_anything() {
    let commitment = Commitment {
        nonce: None,
        policy: Sha256Digest::of(b""),
        catalog: Sha256Digest::of(b""),
        config: Sha256Digest::of(b""),
        log_size: 0,
        log_root: Sha256Digest::of(b""),
    };
    let data = ReportData::for_record(&key().public(), &commitment);
    let collected = SoftwareAttester.collect(&data).expect("evidence");
    assert_eq!(collected.evidence.platform(), SoftwareAttester.platform());
    assert_eq!(collected.evidence.size(), 0);
    assert_eq!(collected.evidence.digest(), None);
}

#[test]
fn no_platform_borrows_another_s_word() {
    assert_eq!(Platform::Sgx.trace_name(), None);
    assert_eq!(Platform::Software.trace_name(), Some("software-only"));
    assert_eq!(Platform::AzureSnp.trace_name(), Some("azure-cvm-sev-snp"));
    assert_eq!(Platform::Tpm.to_string(), "tpm");
    assert_eq!(Status::Contraindicated.to_string(), "contraindicated");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_base64url_reads_it_writes(text in "[A-Za-z0-9_-]{0,64}") {
        if let Ok(bytes) = b64::decode(&text) {
            prop_assert_eq!(b64::encode(&bytes), text);
        }
    }

    #[test]
    fn what_is_written_reads_back(bytes in prop::collection::vec(any::<u8>(), 0..96)) {
        prop_assert_eq!(b64::decode(&b64::encode(&bytes)), Ok(bytes.clone()));
        prop_assert_eq!(hex::decode(&hex::encode(&bytes)), Ok(bytes));
    }

    #[test]
    fn no_text_makes_a_reader_panic(text in any::<String>()) {
        let _ = b64::decode(&text);
        let _ = hex::decode(&text);
        let _ = text.parse::<Sha256Digest>();
        let _ = cmcp_evidence::Timestamp::parse_rfc3339(&text);
    }

    #[test]
    fn moments_read_back(micros in any::<i64>()) {
        let moment = cmcp_evidence::Timestamp::from_micros(micros);
        prop_assert_eq!(cmcp_evidence::Timestamp::parse_rfc3339(&moment.rfc3339()), Ok(moment));
        prop_assert_eq!(cmcp_evidence::Timestamp::parse_rfc3339(&moment.python_iso()), Ok(moment));
    }

    #[test]
    fn keys_are_canonical(bytes in any::<[u8; 32]>()) {
        if let Ok(key) = PublicKey::from_bytes(bytes) {
            prop_assert_eq!(*key.as_bytes(), bytes);
        }
    }
}

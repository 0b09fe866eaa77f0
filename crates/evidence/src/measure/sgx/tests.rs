use rsa::{BoxedUint, RsaPrivateKey, traits::PublicKeyParts as _};

use super::*;

/// Primes of a key of 3072 bits with exponent 3. They are in public: whatever it signs is a forgery by design.
const P: &str = "c88909f5d0e37b1a0e48d5be12d451f9e0c35e7ac27ab4719016c39093e8363d2b8bf8ed81f8c67032451cfe026ced0ee94f002c6db93c4b923637117ed09ed1876f9e2f032801b0e5b78d2d423c38e21f551320299a995196544af0bc3b9821a5e6b98272c596c1db30387ff6ef0a57fc3852e6cc79610944b9558ef7df1427610666d1dee414d68bfdb0ad6367bb088e2d5a9c3c150c5798aaad5d8b555429a72d547db0b9feb14c2f9504985430a859bdc9de69a6206e53c5f1f573d19579";
const Q: &str = "c3172418c0966efc6640e6c767e1efffb74586d9dd5bf7559e0153aa44a0b71238f2ec2a7daee6b1365eca4a251feb8073133835ee7624e5bd41c4f65e1cf25fe96639c636aec9bf85e35ac02dc69245ac45591276b6e786b1dedb1e8b2838634447dffcdd3f80261c826cac7734b2775dacfdbd4a6d9d75652e72f77255679360dab5245d2b889a7bfc923fa0216f44abb2d1eaddce8ccf0dc2ed9b37a9d7422823e639b38dc5a6a27e96e68712229d4782128566382afcf06fc2f9a56ac779";

fn key() -> RsaPrivateKey {
    let prime = |digits: &str| {
        let bytes = hex::decode(digits).unwrap();
        BoxedUint::from_be_slice_vartime(&bytes)
    };
    RsaPrivateKey::from_p_q(prime(P), prime(Q), BoxedUint::from(3_u8)).unwrap()
}

/// A SIGSTRUCT before and after it is signed.
fn unsigned() -> Vec<u8> {
    let mut bytes = vec![0; 1808];
    bytes[..16].copy_from_slice(&HEADER);
    bytes[20..24].copy_from_slice(&0x2026_0601_u32.to_le_bytes());
    bytes[24..40].copy_from_slice(&HEADER2);
    bytes[40] = 9;
    bytes[512] = 3;
    bytes[904..908].fill(0xff);
    bytes[912..928].fill(0xfa);
    bytes[928] = 5;
    bytes[936] = 0xe7;
    bytes[944..960].fill(0xfd);
    bytes[960..992].fill(0xe1);
    bytes[1008..1024].fill(0xed);
    bytes[1024..1026].copy_from_slice(&7_u16.to_le_bytes());
    bytes[1026..1028].copy_from_slice(&3_u16.to_le_bytes());
    bytes[1040..].fill(0x99);
    bytes
}

fn sign(bytes: &mut [u8]) {
    let key = key();
    let mut hash = Sha256::new();
    hash.update(&bytes[..128]);
    hash.update(&bytes[900..1028]);
    let signature = key
        .sign(Pkcs1v15Sign::new::<Sha256>(), &hash.finalize())
        .unwrap();
    let mut modulus = key.n().to_be_bytes().to_vec();
    modulus.reverse();
    bytes[128..512].copy_from_slice(&modulus);
    bytes[516..900].copy_from_slice(&reversed(&signature));
}

fn signed() -> Vec<u8> {
    let mut bytes = unsigned();
    sign(&mut bytes);
    bytes
}

#[test]
fn what_a_sigstruct_describes_is_read() {
    let bytes = signed();
    let enclave = Enclave::from_sigstruct(&bytes).unwrap();
    assert_eq!(enclave.mrenclave, [0xe1; 32]);
    assert_eq!(enclave.mrsigner, Sha256Digest::of(&bytes[128..512]));
    assert_eq!((enclave.isv_prod_id, enclave.isv_svn), (7, 3));
    assert_eq!(enclave.family_id, [0xfa; 16]);
    assert_eq!(enclave.ext_prod_id, [0xed; 16]);
    assert_eq!(
        enclave.attributes,
        Fixed {
            value: 5,
            mask: 0xfdfd_fdfd_fdfd_fdfd
        }
    );
    assert_eq!(enclave.xfrm.value, 0xe7);
    assert_eq!(
        enclave.miscselect,
        Fixed {
            value: 0,
            mask: u32::MAX
        }
    );
    assert_eq!(
        (enclave.date, enclave.software, enclave.vendor),
        (0x2026_0601, 9, 0)
    );
}

#[test]
fn every_byte_that_is_signed_counts() {
    let honest = signed();
    for place in (0..128).chain(900..1028) {
        let mut bytes = honest.clone();
        bytes[place] ^= 1;
        assert!(Enclave::from_sigstruct(&bytes).is_err(), "{place}");
    }
    for place in [128, 511, 516, 899] {
        let mut bytes = honest.clone();
        bytes[place] ^= 1;
        let error = Enclave::from_sigstruct(&bytes).unwrap_err();
        assert!(
            matches!(error, SigstructError::Signature | SigstructError::Key),
            "{place}: {error}"
        );
    }
}

#[test]
fn another_exponent_or_a_short_modulus_is_refused() {
    let mut bytes = signed();
    bytes[512] = 1;
    assert!(matches!(
        Enclave::from_sigstruct(&bytes),
        Err(SigstructError::Malformed(_))
    ));
    let mut bytes = signed();
    bytes[511] = 0;
    assert_eq!(Enclave::from_sigstruct(&bytes), Err(SigstructError::Key));
    let mut bytes = signed();
    bytes[516..900].fill(0);
    assert_eq!(
        Enclave::from_sigstruct(&bytes),
        Err(SigstructError::Signature)
    );
}

#[test]
fn fields_that_are_fixed_or_reserved_are_as_they_must_be() {
    for place in [0, 16, 24, 44, 127, 513, 910, 992, 1007] {
        let mut bytes = unsigned();
        bytes[place] ^= 1;
        sign(&mut bytes);
        if place == 513 {
            bytes[513] = 1;
        }
        assert!(
            matches!(
                Enclave::from_sigstruct(&bytes),
                Err(SigstructError::Malformed(_))
            ),
            "{place}"
        );
    }
    // Behind what is signed.
    for place in [1028, 1039] {
        let mut bytes = signed();
        bytes[place] = 1;
        assert!(
            matches!(
                Enclave::from_sigstruct(&bytes),
                Err(SigstructError::Malformed(_))
            ),
            "{place}"
        );
    }
}

#[test]
fn intels_own_mark_is_read() {
    let mut bytes = unsigned();
    bytes[16..18].copy_from_slice(&[0x86, 0x80]);
    sign(&mut bytes);
    assert_eq!(Enclave::from_sigstruct(&bytes).unwrap().vendor, 0x8086);
}

#[test]
fn it_has_its_length_and_no_other() {
    let honest = signed();
    for length in [0, 1, 128, 516, 1028, 1807] {
        assert!(
            Enclave::from_sigstruct(&honest[..length]).is_err(),
            "{length}"
        );
    }
    assert!(Enclave::from_sigstruct(&[honest, vec![0]].concat()).is_err());
}

//! Keys that are not secret.

use std::sync::LazyLock;

use p256::ecdsa::signature::hazmat::PrehashSigner as _;
use rsa::{
    BoxedUint, RsaPrivateKey,
    pkcs1v15::Pkcs1v15Sign,
    pss::Pss,
    rand_core::{TryCryptoRng, TryRng},
    traits::PublicKeyParts as _,
};
use sha2::{Digest as _, Sha256, Sha384, Sha512};

use super::{der, primes};

/// A key pair.
#[derive(Clone, Debug)]
pub(crate) enum Key {
    P256(p256::ecdsa::SigningKey),
    P384(p384::ecdsa::SigningKey),
    Rsa(&'static RsaPrivateKey),
}

/// How something is signed, and how that is called in a certificate.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Alg {
    EcdsaSha256,
    /// With NULL parameters, as Gramine writes it.
    EcdsaSha256Null,
    EcdsaSha384,
    EcdsaSha512,
    RsaSha256,
    RsaSha384,
    RsaSha512,
    PssSha256,
    /// What AMD signs with.
    PssSha384,
    PssSha512,
    /// PSS over SHA-384 with a salt of that many bytes.
    PssSha384Salt(usize),
}

impl Key {
    /// The P-256 key of a seed.
    pub(crate) fn p256(seed: &str) -> Self {
        let scalar = Sha256::digest(format!("p256 {seed}"));
        Self::P256(p256::ecdsa::SigningKey::from_slice(&scalar).unwrap())
    }

    /// The P-384 key of a seed.
    pub(crate) fn p384(seed: &str) -> Self {
        let mut scalar = Sha384::digest(format!("p384 {seed}"));
        scalar[0] &= 0x7F;
        Self::P384(p384::ecdsa::SigningKey::from_slice(&scalar).unwrap())
    }

    /// An RSA key too small to be trusted.
    pub(crate) fn rsa1024() -> Self {
        static KEYS: LazyLock<Vec<RsaPrivateKey>> = LazyLock::new(|| rsa_keys(&primes::RSA_1024));
        Self::Rsa(&KEYS[0])
    }

    /// One of six RSA keys of 2048 bits.
    pub(crate) fn rsa2048(which: usize) -> Self {
        static KEYS: LazyLock<Vec<RsaPrivateKey>> = LazyLock::new(|| rsa_keys(&primes::RSA_2048));
        Self::Rsa(&KEYS[which])
    }

    /// One of four RSA keys of 4096 bits.
    pub(crate) fn rsa4096(which: usize) -> Self {
        static KEYS: LazyLock<Vec<RsaPrivateKey>> = LazyLock::new(|| rsa_keys(&primes::RSA_4096));
        Self::Rsa(&KEYS[which])
    }

    /// The point of an ECDSA key: 04, x, y.
    pub(crate) fn point(&self) -> Vec<u8> {
        match self {
            Self::P256(key) => key.verifying_key().to_sec1_point(false).as_bytes().to_vec(),
            Self::P384(key) => key.verifying_key().to_sec1_point(false).as_bytes().to_vec(),
            Self::Rsa(_) => panic!("an RSA key has no point"),
        }
    }

    /// Modulus and exponent of an RSA key, big endian, without zeros in front.
    pub(crate) fn modulus_and_exponent(&self) -> (Vec<u8>, Vec<u8>) {
        let Self::Rsa(key) = self else {
            panic!("an ECDSA key has no modulus");
        };
        (trim(&key.n().to_be_bytes()), trim(&key.e().to_be_bytes()))
    }

    /// DER `SubjectPublicKeyInfo`.
    pub(crate) fn spki(&self) -> Vec<u8> {
        let ec = |curve: &str| {
            let algorithm = der::sequence(&[der::oid("1.2.840.10045.2.1"), der::oid(curve)]);
            der::sequence(&[algorithm, der::bits(self.point())])
        };
        match self {
            Self::P256(_) => ec("1.2.840.10045.3.1.7"),
            Self::P384(_) => ec("1.3.132.0.34"),
            Self::Rsa(_) => {
                let (modulus, exponent) = self.modulus_and_exponent();
                rsa_spki(&modulus, &exponent)
            }
        }
    }

    /// Signs as certificates do: ECDSA in DER.
    pub(crate) fn sign(&self, alg: Alg, message: &[u8]) -> Vec<u8> {
        match self {
            Self::P256(_) | Self::P384(_) => {
                let fixed = self.sign_fixed(alg, message);
                let (r, s) = fixed.split_at(fixed.len() / 2);
                der::sequence(&[der::unsigned(r), der::unsigned(s)])
            }
            Self::Rsa(_) => self.sign_fixed(alg, message),
        }
    }

    /// Signs as tokens do: ECDSA as r‖s, big endian.
    pub(crate) fn sign_fixed(&self, alg: Alg, message: &[u8]) -> Vec<u8> {
        let digest = alg.digest(message);
        match self {
            Self::P256(key) => {
                let signature: p256::ecdsa::Signature = key.sign_prehash(&digest).unwrap();
                signature.to_bytes().to_vec()
            }
            Self::P384(key) => {
                let signature: p384::ecdsa::Signature = key.sign_prehash(&digest).unwrap();
                signature.to_bytes().to_vec()
            }
            Self::Rsa(key) => sign_rsa(key, alg, &digest),
        }
    }
}

fn sign_rsa(key: &RsaPrivateKey, alg: Alg, digest: &[u8]) -> Vec<u8> {
    let rng = &mut Counter(0);
    match alg {
        Alg::EcdsaSha256 | Alg::EcdsaSha256Null | Alg::EcdsaSha384 | Alg::EcdsaSha512 => {
            panic!("{alg:?} with an RSA key")
        }
        Alg::RsaSha256 => key.sign(Pkcs1v15Sign::new::<Sha256>(), digest).unwrap(),
        Alg::RsaSha384 => key.sign(Pkcs1v15Sign::new::<Sha384>(), digest).unwrap(),
        Alg::RsaSha512 => key.sign(Pkcs1v15Sign::new::<Sha512>(), digest).unwrap(),
        Alg::PssSha256 => key
            .sign_with_rng(rng, Pss::<Sha256>::new(), digest)
            .unwrap(),
        Alg::PssSha384 => key
            .sign_with_rng(rng, Pss::<Sha384>::new(), digest)
            .unwrap(),
        Alg::PssSha512 => key
            .sign_with_rng(rng, Pss::<Sha512>::new(), digest)
            .unwrap(),
        Alg::PssSha384Salt(salt) => key
            .sign_with_rng(rng, Pss::<Sha384>::new_with_salt(salt), digest)
            .unwrap(),
    }
}

impl Alg {
    /// Its `AlgorithmIdentifier`.
    pub(crate) fn identifier(self) -> Vec<u8> {
        let plain = |oid: &str| der::sequence(&[der::oid(oid)]);
        let with_null = |oid: &str| der::sequence(&[der::oid(oid), der::null()]);
        match self {
            Self::EcdsaSha256 => plain("1.2.840.10045.4.3.2"),
            Self::EcdsaSha256Null => with_null("1.2.840.10045.4.3.2"),
            Self::EcdsaSha384 => plain("1.2.840.10045.4.3.3"),
            Self::EcdsaSha512 => plain("1.2.840.10045.4.3.4"),
            Self::RsaSha256 => with_null("1.2.840.113549.1.1.11"),
            Self::RsaSha384 => with_null("1.2.840.113549.1.1.12"),
            Self::RsaSha512 => with_null("1.2.840.113549.1.1.13"),
            Self::PssSha256 => pss(1, 32),
            Self::PssSha384 => pss(2, 48),
            Self::PssSha512 => pss(3, 64),
            Self::PssSha384Salt(salt) => pss(2, salt),
        }
    }

    fn digest(self, message: &[u8]) -> Vec<u8> {
        match self {
            Self::EcdsaSha256 | Self::EcdsaSha256Null | Self::RsaSha256 | Self::PssSha256 => {
                Sha256::digest(message).to_vec()
            }
            Self::EcdsaSha384 | Self::RsaSha384 | Self::PssSha384 | Self::PssSha384Salt(_) => {
                Sha384::digest(message).to_vec()
            }
            Self::EcdsaSha512 | Self::RsaSha512 | Self::PssSha512 => {
                Sha512::digest(message).to_vec()
            }
        }
    }
}

/// DER `SubjectPublicKeyInfo` of an RSA key that need not be one.
pub(crate) fn rsa_spki(modulus: &[u8], exponent: &[u8]) -> Vec<u8> {
    let algorithm = der::sequence(&[der::oid("1.2.840.113549.1.1.1"), der::null()]);
    let key = der::sequence(&[der::unsigned(modulus), der::unsigned(exponent)]);
    der::sequence(&[algorithm, der::bits(key)])
}

/// `hash` is the last arc of the hash's object identifier.
fn pss(hash: u8, salt: usize) -> Vec<u8> {
    let hash = der::sequence(&[
        der::oid(&format!("2.16.840.1.101.3.4.2.{hash}")),
        der::null(),
    ]);
    let mask = der::sequence(&[der::oid("1.2.840.113549.1.1.8"), hash.clone()]);
    let parameters = der::sequence(&[
        der::explicit(0, hash),
        der::explicit(1, mask),
        der::explicit(2, der::number(salt as u64)),
    ]);
    der::sequence(&[der::oid("1.2.840.113549.1.1.10"), parameters])
}

fn rsa_keys(primes: &[(&str, &str)]) -> Vec<RsaPrivateKey> {
    let read = |hex: &str| {
        let bytes: Vec<u8> = hex
            .as_bytes()
            .chunks(2)
            .map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap())
            .collect();
        BoxedUint::from_be_slice_vartime(&bytes)
    };
    primes
        .iter()
        .map(|(p, q)| {
            RsaPrivateKey::from_p_q(read(p), read(q), BoxedUint::from(65537_u32)).unwrap()
        })
        .collect()
}

fn trim(number: &[u8]) -> Vec<u8> {
    number
        .iter()
        .copied()
        .skip_while(|byte| *byte == 0)
        .collect()
}

/// Salts and blinding of keys that are no secret.
struct Counter(u64);

impl TryRng for Counter {
    type Error = std::convert::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        self.try_next_u64().map(|number| number as u32)
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        self.0 += 1;
        let digest = Sha256::digest(self.0.to_be_bytes());
        Ok(u64::from_be_bytes(digest[..8].try_into().unwrap()))
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Self::Error> {
        for chunk in out.chunks_mut(8) {
            let bytes = self.try_next_u64()?.to_be_bytes();
            chunk.copy_from_slice(&bytes[..chunk.len()]);
        }
        Ok(())
    }
}

impl TryCryptoRng for Counter {}

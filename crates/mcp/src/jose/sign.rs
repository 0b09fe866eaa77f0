//! Private keys, for assertions about ourselves.

use std::fmt;

use aws_lc_rs::{
    rand::SystemRandom,
    rsa,
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair,
        Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512,
        RSA_PSS_SHA256, RSA_PSS_SHA384, RSA_PSS_SHA512, RsaEncoding,
    },
};
use cmcp_json::{Object, Value};
use rustls::pki_types::{PrivateKeyDer, pem::PemObject as _};

use super::{Algorithm, PublicKey, encode};

/// A private key and the algorithm it signs with.
pub struct PrivateKey {
    pair: Pair,
    algorithm: Algorithm,
}

enum Pair {
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    Rsa(rsa::KeyPair),
}

/// Why a private key cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PrivateKeyError {
    /// No private key in PEM.
    #[error("it is no private key in PEM; `openssl genpkey` writes one")]
    Pem,
    /// Not of a kind that is known here.
    #[error("it is no key for P-256, P-384, Ed25519 or RSA with 2048 to 8192 bits")]
    Kind,
    /// Not for the algorithm asked for.
    #[error("the key is not one for `{}`", .0.as_str())]
    Algorithm(Algorithm),
    /// The library refused to sign.
    #[error("signing failed")]
    Signing,
}

impl PrivateKey {
    /// Reads the first private key of a PEM text: PKCS#8, or the older forms for EC and RSA. An RSA key
    /// signs with PS256 unless another algorithm is asked for.
    ///
    /// # Errors
    /// [`PrivateKeyError`].
    pub fn from_pem(pem: &str, wanted: Option<Algorithm>) -> Result<Self, PrivateKeyError> {
        let der =
            PrivateKeyDer::from_pem_slice(pem.as_bytes()).map_err(|_| PrivateKeyError::Pem)?;
        let key = Self::from_der(&der)?;
        let Some(wanted) = wanted else {
            return Ok(key);
        };
        if !key.public()?.fits(wanted) {
            return Err(PrivateKeyError::Algorithm(wanted));
        }
        Ok(Self {
            algorithm: wanted,
            ..key
        })
    }

    fn from_der(der: &PrivateKeyDer<'_>) -> Result<Self, PrivateKeyError> {
        let bytes = der.secret_der();
        if let Ok(pair) = Ed25519KeyPair::from_pkcs8_maybe_unchecked(bytes) {
            return Ok(Self::of(Pair::Ed25519(pair), Algorithm::EdDsa));
        }
        for (curve, algorithm) in [
            (&ECDSA_P256_SHA256_FIXED_SIGNING, Algorithm::Es256),
            (&ECDSA_P384_SHA384_FIXED_SIGNING, Algorithm::Es384),
        ] {
            if let Ok(pair) = EcdsaKeyPair::from_private_key_der(curve, bytes) {
                return Ok(Self::of(Pair::Ecdsa(pair), algorithm));
            }
        }
        let rsa = rsa::KeyPair::from_pkcs8(bytes).or_else(|_| rsa::KeyPair::from_der(bytes));
        let pair = rsa.map_err(|_| PrivateKeyError::Kind)?;
        if !(256..=1024).contains(&pair.public_modulus_len()) {
            return Err(PrivateKeyError::Kind);
        }
        Ok(Self::of(Pair::Rsa(pair), Algorithm::Ps256))
    }

    /// A new key for this algorithm.
    ///
    /// # Errors
    /// [`PrivateKeyError::Signing`] when the system gives no randomness.
    pub fn generate(algorithm: Algorithm) -> Result<Self, PrivateKeyError> {
        let failed = |_| PrivateKeyError::Signing;
        let pair = match algorithm {
            Algorithm::Es256 => Pair::Ecdsa(
                EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map_err(failed)?,
            ),
            Algorithm::Es384 => Pair::Ecdsa(
                EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).map_err(failed)?,
            ),
            Algorithm::EdDsa => Pair::Ed25519(Ed25519KeyPair::generate().map_err(failed)?),
            Algorithm::Ps256
            | Algorithm::Ps384
            | Algorithm::Ps512
            | Algorithm::Rs256
            | Algorithm::Rs384
            | Algorithm::Rs512 => {
                Pair::Rsa(rsa::KeyPair::generate(rsa::KeySize::Rsa2048).map_err(failed)?)
            }
        };
        Ok(Self::of(pair, algorithm))
    }

    fn of(pair: Pair, algorithm: Algorithm) -> Self {
        Self { pair, algorithm }
    }

    /// The algorithm it signs with.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Its public half.
    ///
    /// # Errors
    /// [`PrivateKeyError::Kind`] when the library cannot tell it.
    pub fn public(&self) -> Result<PublicKey, PrivateKeyError> {
        match &self.pair {
            Pair::Ecdsa(pair) => {
                let point = pair.public_key().as_ref();
                Ok(PublicKey::of_point(
                    point,
                    point.len().saturating_sub(1) / 2,
                ))
            }
            Pair::Ed25519(pair) => {
                let key = pair.public_key().as_ref().try_into();
                Ok(PublicKey::of_ed25519(
                    key.map_err(|_| PrivateKeyError::Kind)?,
                ))
            }
            Pair::Rsa(pair) => {
                let (modulus, exponent) =
                    numbers(pair.public_key().as_ref()).ok_or(PrivateKeyError::Kind)?;
                Ok(PublicKey::of_rsa(modulus, exponent))
            }
        }
    }

    /// The compact form of `claims`; `header` is what the header says besides `alg`.
    ///
    /// # Errors
    /// [`PrivateKeyError::Signing`].
    pub fn sign(&self, header: &Object, claims: &Object) -> Result<String, PrivateKeyError> {
        let mut all = Object::default();
        all.insert("alg", Value::from(self.algorithm.as_str()));
        for (name, value) in header.iter() {
            all.insert(name, value.clone());
        }
        let signed = format!(
            "{}.{}",
            encode(&Value::Object(all).to_vec()),
            encode(&Value::Object(claims.clone()).to_vec())
        );
        let signature = self.sign_bytes(signed.as_bytes())?;
        Ok(format!("{signed}.{}", encode(&signature)))
    }

    /// The signature over these bytes.
    ///
    /// # Errors
    /// [`PrivateKeyError::Signing`].
    pub fn sign_bytes(&self, message: &[u8]) -> Result<Vec<u8>, PrivateKeyError> {
        let failed = |_| PrivateKeyError::Signing;
        match &self.pair {
            Pair::Ecdsa(pair) => {
                let signature = pair.sign(&SystemRandom::new(), message).map_err(failed)?;
                Ok(signature.as_ref().to_vec())
            }
            Pair::Ed25519(pair) => Ok(pair.try_sign(message).map_err(failed)?.as_ref().to_vec()),
            Pair::Rsa(pair) => {
                let encoding = encoding(self.algorithm).ok_or(PrivateKeyError::Signing)?;
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(encoding, &SystemRandom::new(), message, &mut signature)
                    .map_err(failed)?;
                Ok(signature)
            }
        }
    }
}

fn encoding(algorithm: Algorithm) -> Option<&'static dyn RsaEncoding> {
    match algorithm {
        Algorithm::Ps256 => Some(&RSA_PSS_SHA256),
        Algorithm::Ps384 => Some(&RSA_PSS_SHA384),
        Algorithm::Ps512 => Some(&RSA_PSS_SHA512),
        Algorithm::Rs256 => Some(&RSA_PKCS1_SHA256),
        Algorithm::Rs384 => Some(&RSA_PKCS1_SHA384),
        Algorithm::Rs512 => Some(&RSA_PKCS1_SHA512),
        Algorithm::Es256 | Algorithm::Es384 | Algorithm::EdDsa => None,
    }
}

/// Modulus and exponent of an `RSAPublicKey` (RFC 8017): a sequence of two integers in DER.
fn numbers(der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (sequence, _) = element(der, 0x30)?;
    let (modulus, rest) = element(sequence, 0x02)?;
    let (exponent, _) = element(rest, 0x02)?;
    Some((modulus, exponent))
}

/// The content of the element of that tag which stands first, and what follows it.
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (head, rest) = der.split_at_checked(2)?;
    let &[found, length] = head else {
        return None;
    };
    let (length, rest) = match length {
        0..=0x7f => (usize::from(length), rest),
        0x81..=0x84 => {
            let (digits, rest) = rest.split_at_checked(usize::from(length & 0x7f))?;
            let length = digits
                .iter()
                .fold(0usize, |sum, digit| sum << 8 | usize::from(*digit));
            (length, rest)
        }
        0x80 | 0x85.. => return None,
    };
    (found == tag).then(|| rest.split_at_checked(length))?
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PrivateKey({}, ..)", self.algorithm.as_str())
    }
}

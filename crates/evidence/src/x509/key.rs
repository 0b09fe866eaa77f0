//! Public keys and the signatures that they verify.

use p256::ecdsa::signature::hazmat::PrehashVerifier as _;
use rsa::{BoxedUint, RsaPublicKey, pkcs1v15::Pkcs1v15Sign, pss::Pss, traits::PublicKeyParts as _};
use sha2::{Digest as _, Sha256, Sha384, Sha512};

use super::der::{self, Der};
use crate::reader::Malformed;

/// Why a public key is not used.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum KeyUnsupported {
    /// Its bytes are not what its format says.
    #[error("public key: {0}")]
    Malformed(#[from] Malformed),
    /// A kind of key that is not used here.
    #[error("public key algorithm `{oid}` is not supported: P-256, P-384 and RSA are")]
    Algorithm {
        /// Its object identifier.
        oid: String,
    },
    /// A curve that is not used here.
    #[error("curve `{oid}` is not supported: P-256 and P-384 are")]
    Curve {
        /// Its object identifier, or what stands in its place.
        oid: String,
    },
    /// No point of the curve, not in uncompressed form, or the point at infinity.
    #[error("public key is not an uncompressed point of {curve}")]
    Point {
        /// The curve.
        curve: Curve,
    },
    /// An RSA modulus of a size that is not used.
    #[error("RSA modulus has {bits} bits: it must have {MIN_RSA_BITS} to {MAX_RSA_BITS}")]
    Modulus {
        /// Its size.
        bits: usize,
    },
    /// An RSA modulus that is even.
    #[error("RSA modulus is even: it is no product of odd primes")]
    EvenModulus,
    /// An RSA exponent that is not used.
    #[error("RSA exponent must be odd, at least 65537 and below 2^32")]
    Exponent,
}

/// A curve of ECDSA.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Curve {
    /// NIST P-256, secp256r1.
    P256,
    /// NIST P-384, secp384r1.
    P384,
}

impl std::fmt::Display for Curve {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::P256 => "P-256",
            Self::P384 => "P-384",
        })
    }
}

/// What a key is, for messages and for formats that tie a curve to an algorithm.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum KeyKind {
    /// ECDSA on a curve.
    Ecdsa(Curve),
    /// RSA with a modulus of that many bits.
    Rsa(usize),
}

impl std::fmt::Display for KeyKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Ecdsa(curve) => write!(f, "ECDSA {curve}"),
            Self::Rsa(bits) => write!(f, "RSA {bits}"),
        }
    }
}

/// A public key that signatures are verified under.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum VerifyingKey {
    /// ECDSA on P-256.
    P256(p256::ecdsa::VerifyingKey),
    /// ECDSA on P-384.
    P384(p384::ecdsa::VerifyingKey),
    /// RSA.
    Rsa(RsaPublicKey),
}

/// How a message was signed: padding and hash. The curve is the key's: X.509 lets any hash go with any
/// curve, and a format that ties them compares [`VerifyingKey::kind`] too.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Scheme {
    /// ECDSA over SHA-256.
    EcdsaSha256,
    /// ECDSA over SHA-384.
    EcdsaSha384,
    /// ECDSA over SHA-512.
    EcdsaSha512,
    /// RSASSA-PKCS1-v1_5 over SHA-256.
    RsaPkcs1Sha256,
    /// RSASSA-PKCS1-v1_5 over SHA-384.
    RsaPkcs1Sha384,
    /// RSASSA-PKCS1-v1_5 over SHA-512.
    RsaPkcs1Sha512,
    /// RSASSA-PSS over SHA-256, MGF1 with the same hash, salt of 32 bytes.
    RsaPssSha256,
    /// RSASSA-PSS over SHA-384, MGF1 with the same hash, salt of 48 bytes.
    RsaPssSha384,
    /// RSASSA-PSS over SHA-512, MGF1 with the same hash, salt of 64 bytes.
    RsaPssSha512,
}

/// A signature, and how it is written. Which form a format uses is the caller's to say: none is guessed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SignatureBytes<'a> {
    /// ECDSA: DER, a SEQUENCE of r and s.
    Der(&'a [u8]),
    /// ECDSA: r‖s, big endian, each as long as the field.
    Fixed(&'a [u8]),
    /// RSA: as long as the modulus.
    Rsa(&'a [u8]),
}

/// Why a signature does not hold.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum BadSignature {
    /// The key is of another kind than the scheme.
    #[error("{scheme:?} needs another kind of key than {key}")]
    Kind {
        /// The key.
        key: KeyKind,
        /// The scheme.
        scheme: Scheme,
    },
    /// Not in the form that the format says: another length, or DER that is not the one encoding.
    #[error("the signature is not written as {key} signatures are here")]
    Form {
        /// The key.
        key: KeyKind,
    },
    /// r or s is zero, or not below the order of the curve.
    #[error("r or s of the signature is zero or not below the order of the curve")]
    Range,
    /// It is not the signature of this message under this key.
    #[error("the signature is not of these bytes under this key ({key})")]
    Mismatch {
        /// The key.
        key: KeyKind,
    },
}

impl VerifyingKey {
    /// Reads a DER `SubjectPublicKeyInfo`.
    ///
    /// # Errors
    ///
    /// It is not DER, or a key that is not used here.
    pub fn from_spki_der(spki: &[u8]) -> Result<Self, KeyUnsupported> {
        let mut outer = Der::new(spki);
        let mut info = outer.sequence("subject public key info")?;
        outer.end("subject public key info")?;
        let mut algorithm = info.sequence("public key algorithm")?;
        let oid = algorithm.oid("public key algorithm")?;
        let bits = info.bytes_of_bits("public key")?;
        info.end("subject public key info")?;
        match oid.as_str() {
            RSA_ENCRYPTION => {
                if let Some(null) = algorithm.optional("public key parameters", der::NULL)?
                    && !null.value.is_empty()
                {
                    return Err(
                        Malformed::new("public key parameters", null.at, "NULL", "more").into(),
                    );
                }
                algorithm.end("public key parameters")?;
                Self::from_rsa_der(bits)
            }
            EC_PUBLIC_KEY => {
                let curve = algorithm.any("curve")?;
                algorithm.end("public key parameters")?;
                Self::from_sec1(named_curve(curve)?, bits)
            }
            _ => Err(KeyUnsupported::Algorithm { oid }),
        }
    }

    /// Reads a DER `RSAPublicKey` (PKCS #1).
    ///
    /// # Errors
    ///
    /// It is not DER, or a key that is not used here.
    pub fn from_rsa_der(der: &[u8]) -> Result<Self, KeyUnsupported> {
        let mut outer = Der::new(der);
        let mut key = outer.sequence("RSA public key")?;
        outer.end("RSA public key")?;
        let modulus = key.unsigned("RSA modulus")?;
        let exponent = key.unsigned("RSA exponent")?;
        key.end("RSA public key")?;
        Self::from_rsa_components(modulus, exponent)
    }

    /// A point in SEC 1 uncompressed form: 04, x, y.
    ///
    /// # Errors
    ///
    /// It is no point of the curve in that form.
    pub fn from_sec1(curve: Curve, point: &[u8]) -> Result<Self, KeyUnsupported> {
        let fault = KeyUnsupported::Point { curve };
        if point.first() != Some(&0x04) {
            return Err(fault);
        }
        match curve {
            Curve::P256 => p256::ecdsa::VerifyingKey::from_sec1_bytes(point)
                .map(Self::P256)
                .map_err(|_| fault),
            Curve::P384 => p384::ecdsa::VerifyingKey::from_sec1_bytes(point)
                .map(Self::P384)
                .map_err(|_| fault),
        }
    }

    /// A point by its coordinates, big endian, each as long as the field.
    ///
    /// # Errors
    ///
    /// It is no point of the curve.
    pub fn from_xy(curve: Curve, x: &[u8], y: &[u8]) -> Result<Self, KeyUnsupported> {
        let field = field_bytes(curve);
        if x.len() != field || y.len() != field {
            return Err(KeyUnsupported::Point { curve });
        }
        Self::from_sec1(curve, &[&[0x04], x, y].concat())
    }

    /// An RSA key by its modulus and exponent, big endian; zeros in front say nothing.
    ///
    /// # Errors
    ///
    /// Its modulus is even or not of [`MIN_RSA_BITS`] to [`MAX_RSA_BITS`], or its exponent is even, below 65537 or not below 2^32.
    pub fn from_rsa_components(modulus: &[u8], exponent: &[u8]) -> Result<Self, KeyUnsupported> {
        let modulus = without_zeros(modulus);
        let bits = bit_length(modulus);
        if !(MIN_RSA_BITS..=MAX_RSA_BITS).contains(&bits) {
            return Err(KeyUnsupported::Modulus { bits });
        }
        if modulus.last().is_none_or(|last| last & 1 == 0) {
            return Err(KeyUnsupported::EvenModulus);
        }
        let exponent = without_zeros(exponent);
        let value = exponent.iter().fold(0_u32, |value, byte| {
            value.wrapping_shl(8) | u32::from(*byte)
        });
        if exponent.len() > 4 || value < 65537 || value & 1 == 0 {
            return Err(KeyUnsupported::Exponent);
        }
        let fault = |_| KeyUnsupported::Modulus { bits };
        let modulus = BoxedUint::from_be_slice_vartime(modulus);
        RsaPublicKey::new_with_size_limits(
            modulus,
            BoxedUint::from(value),
            MIN_RSA_BITS..=MAX_RSA_BITS,
        )
        .map(Self::Rsa)
        .map_err(fault)
    }

    /// What it is.
    #[must_use]
    pub fn kind(&self) -> KeyKind {
        match self {
            Self::P256(_) => KeyKind::Ecdsa(Curve::P256),
            Self::P384(_) => KeyKind::Ecdsa(Curve::P384),
            Self::Rsa(key) => {
                KeyKind::Rsa(usize::try_from(key.n().bits_vartime()).unwrap_or(usize::MAX))
            }
        }
    }

    /// Modulus and exponent of an RSA key, big endian, without zeros in front.
    #[must_use]
    pub fn rsa_components(&self) -> Option<(Vec<u8>, Vec<u8>)> {
        match self {
            Self::Rsa(key) => Some((
                without_zeros(&key.n().to_be_bytes()).to_vec(),
                without_zeros(&key.e().to_be_bytes()).to_vec(),
            )),
            Self::P256(_) | Self::P384(_) => None,
        }
    }

    /// The point of an ECDSA key: 04, x, y.
    #[must_use]
    pub fn sec1(&self) -> Option<Vec<u8>> {
        match self {
            Self::P256(key) => Some(key.to_sec1_point(false).as_bytes().to_vec()),
            Self::P384(key) => Some(key.to_sec1_point(false).as_bytes().to_vec()),
            Self::Rsa(_) => None,
        }
    }

    /// Verifies a signature over a message.
    ///
    /// ECDSA signatures whose s is in the upper half are accepted: the hardware that signs evidence does
    /// not normalise it, and no verdict here rests on a signature having one spelling.
    ///
    /// # Errors
    ///
    /// The key is of another kind, the signature is written otherwise, or it does not hold.
    pub fn verify(
        &self,
        scheme: Scheme,
        message: &[u8],
        signature: SignatureBytes<'_>,
    ) -> Result<(), BadSignature> {
        let key = self.kind();
        match self {
            Self::P256(point) => {
                let (digest, fixed) = ecdsa_parts(scheme, message, signature, key)?;
                let signature =
                    p256::ecdsa::Signature::from_slice(&fixed).map_err(|_| BadSignature::Range)?;
                point
                    .verify_prehash(&digest, &signature)
                    .map_err(|_| BadSignature::Mismatch { key })
            }
            Self::P384(point) => {
                let (digest, fixed) = ecdsa_parts(scheme, message, signature, key)?;
                let signature =
                    p384::ecdsa::Signature::from_slice(&fixed).map_err(|_| BadSignature::Range)?;
                point
                    .verify_prehash(&digest, &signature)
                    .map_err(|_| BadSignature::Mismatch { key })
            }
            Self::Rsa(public) => verify_rsa(public, scheme, message, signature),
        }
    }
}

fn verify_rsa(
    public: &RsaPublicKey,
    scheme: Scheme,
    message: &[u8],
    signature: SignatureBytes<'_>,
) -> Result<(), BadSignature> {
    let key = KeyKind::Rsa(public.size().saturating_mul(8));
    let SignatureBytes::Rsa(bytes) = signature else {
        return Err(BadSignature::Form { key });
    };
    if bytes.len() != public.size() {
        return Err(BadSignature::Form { key });
    }
    let result = match scheme {
        Scheme::EcdsaSha256 | Scheme::EcdsaSha384 | Scheme::EcdsaSha512 => {
            return Err(BadSignature::Kind { key, scheme });
        }
        Scheme::RsaPkcs1Sha256 => {
            let digest = Sha256::digest(message);
            public.verify(Pkcs1v15Sign::new::<Sha256>(), &digest, bytes)
        }
        Scheme::RsaPkcs1Sha384 => {
            let digest = Sha384::digest(message);
            public.verify(Pkcs1v15Sign::new::<Sha384>(), &digest, bytes)
        }
        Scheme::RsaPkcs1Sha512 => {
            let digest = Sha512::digest(message);
            public.verify(Pkcs1v15Sign::new::<Sha512>(), &digest, bytes)
        }
        Scheme::RsaPssSha256 => {
            public.verify(Pss::<Sha256>::new(), &Sha256::digest(message), bytes)
        }
        Scheme::RsaPssSha384 => {
            public.verify(Pss::<Sha384>::new(), &Sha384::digest(message), bytes)
        }
        Scheme::RsaPssSha512 => {
            public.verify(Pss::<Sha512>::new(), &Sha512::digest(message), bytes)
        }
    };
    result.map_err(|_| BadSignature::Mismatch { key })
}

/// The digest to verify against, and r‖s.
fn ecdsa_parts(
    scheme: Scheme,
    message: &[u8],
    signature: SignatureBytes<'_>,
    key: KeyKind,
) -> Result<(Vec<u8>, Vec<u8>), BadSignature> {
    let digest = match scheme {
        Scheme::EcdsaSha256 => Sha256::digest(message).to_vec(),
        Scheme::EcdsaSha384 => Sha384::digest(message).to_vec(),
        Scheme::EcdsaSha512 => Sha512::digest(message).to_vec(),
        Scheme::RsaPkcs1Sha256
        | Scheme::RsaPkcs1Sha384
        | Scheme::RsaPkcs1Sha512
        | Scheme::RsaPssSha256
        | Scheme::RsaPssSha384
        | Scheme::RsaPssSha512 => return Err(BadSignature::Kind { key, scheme }),
    };
    let field = match key {
        KeyKind::Ecdsa(curve) => field_bytes(curve),
        KeyKind::Rsa(_) => return Err(BadSignature::Kind { key, scheme }),
    };
    let form = BadSignature::Form { key };
    let fixed = match signature {
        SignatureBytes::Fixed(bytes) if bytes.len() == field.saturating_mul(2) => bytes.to_vec(),
        SignatureBytes::Fixed(_) | SignatureBytes::Rsa(_) => return Err(form),
        SignatureBytes::Der(bytes) => {
            let (r, s) = integers(bytes).map_err(|_| form)?;
            let mut fixed = padded(r, field).ok_or(BadSignature::Range)?;
            fixed.extend(padded(s, field).ok_or(BadSignature::Range)?);
            fixed
        }
    };
    Ok((digest, fixed))
}

fn integers(bytes: &[u8]) -> Result<(&[u8], &[u8]), Malformed> {
    let mut outer = Der::new(bytes);
    let mut pair = outer.sequence("signature")?;
    outer.end("signature")?;
    let r = pair.unsigned("r")?;
    let s = pair.unsigned("s")?;
    pair.end("signature")?;
    Ok((r, s))
}

/// None if it has more bytes than the field.
fn padded(number: &[u8], field: usize) -> Option<Vec<u8>> {
    let zeros = field.checked_sub(number.len())?;
    Some([vec![0; zeros].as_slice(), number].concat())
}

fn named_curve(parameters: der::Element<'_>) -> Result<Curve, KeyUnsupported> {
    let oid = Der::new(parameters.whole)
        .oid("curve")
        .unwrap_or_else(|_| "not a named curve".to_owned());
    match oid.as_str() {
        PRIME256V1 => Ok(Curve::P256),
        SECP384R1 => Ok(Curve::P384),
        _ => Err(KeyUnsupported::Curve { oid }),
    }
}

/// How many bytes a coordinate, or r, or s has.
const fn field_bytes(curve: Curve) -> usize {
    match curve {
        Curve::P256 => 32,
        Curve::P384 => 48,
    }
}

fn without_zeros(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number.get(zeros..).unwrap_or_default()
}

fn bit_length(number: &[u8]) -> usize {
    let unused = number.first().map_or(0, |first| first.leading_zeros());
    let unused = usize::try_from(unused).unwrap_or_default();
    number.len().saturating_mul(8).saturating_sub(unused)
}

/// Smaller RSA moduli are within reach of those who would forge.
pub const MIN_RSA_BITS: usize = 2048;
/// Larger ones are used by no vendor and cost whoever verifies.
pub const MAX_RSA_BITS: usize = 4096;

const RSA_ENCRYPTION: &str = "1.2.840.113549.1.1.1";
const EC_PUBLIC_KEY: &str = "1.2.840.10045.2.1";
const PRIME256V1: &str = "1.2.840.10045.3.1.7";
const SECP384R1: &str = "1.3.132.0.34";

#[cfg(test)]
mod tests;

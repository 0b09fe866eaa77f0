use super::attest::sized;
use crate::{
    eventlog::HashAlg,
    reader::{Malformed, Reader},
    x509::{BadSignature, Curve, KeyKind, Scheme, SignatureBytes, VerifyingKey},
};

/// A signature as a TPM writes it, or as a cloud hands it out.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum QuoteSignature<'a> {
    /// The bytes of an RSA signature alone. Who sends it so means RSASSA with SHA-256.
    Raw(&'a [u8]),
    /// RSASSA-PKCS1-v1_5.
    Rsassa(HashAlg, &'a [u8]),
    /// RSASSA-PSS.
    Rsapss(HashAlg, &'a [u8]),
    /// ECDSA: r and s.
    Ecdsa(HashAlg, &'a [u8], &'a [u8]),
}

/// Why a quote's signature does not hold.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum SignatureFault {
    /// It cannot be read.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// SHA-1 proves nothing any more.
    #[error("it is over a SHA-1 digest: give the attestation key a scheme with SHA-256 or better")]
    Weak,
    /// The hash is not the one that goes with the curve.
    #[error("{0} is not signed with {1}")]
    Curve(Curve, HashAlg),
    /// A number of it is empty or longer than the curve's.
    #[error("r or s has {0} bytes")]
    Number(usize),
    /// It was not made by this key over these bytes.
    #[error(transparent)]
    Bad(#[from] BadSignature),
}

impl<'a> QuoteSignature<'a> {
    /// Reads a signature made by this key: as long as its modulus, or a `TPMT_SIGNATURE`. The two
    /// never have the same length.
    ///
    /// # Errors
    ///
    /// It is neither.
    pub fn parse(bytes: &'a [u8], key: &VerifyingKey) -> Result<Self, Malformed> {
        match key.kind() {
            KeyKind::Rsa(bits) if bytes.len() == bits.div_ceil(8) => Ok(Self::Raw(bytes)),
            KeyKind::Rsa(_) | KeyKind::Ecdsa(_) => Self::parse_tpmt(bytes),
        }
    }

    /// Reads a `TPMT_SIGNATURE`.
    ///
    /// # Errors
    ///
    /// It is none, or of a scheme or hash that attestation keys do not use.
    pub fn parse_tpmt(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes);
        let scheme = reader.u16_be("signature scheme")?;
        let hash = reader.u16_be("hash of the signature")?;
        let hash = HashAlg::from_id(hash).ok_or_else(|| {
            let found = format!("{hash:#06x}");
            Malformed::new("hash of the signature", 2, "a hash that is known", found)
        })?;
        let signature = match scheme {
            RSASSA => Self::Rsassa(hash, sized(&mut reader, "RSA signature")?),
            RSAPSS => Self::Rsapss(hash, sized(&mut reader, "RSA signature")?),
            ECDSA => {
                let r = sized(&mut reader, "r of the signature")?;
                Self::Ecdsa(hash, r, sized(&mut reader, "s of the signature")?)
            }
            other => {
                let expected = "RSASSA (0x0014), RSAPSS (0x0016) or ECDSA (0x0018)";
                let found = format!("{other:#06x}");
                return Err(Malformed::new("signature scheme", 0, expected, found));
            }
        };
        reader.end("signature")?;
        Ok(signature)
    }

    /// The scheme's number and hash, as a key's public area names them.
    #[must_use]
    pub const fn scheme(&self) -> (u16, HashAlg) {
        match self {
            Self::Raw(_) => (RSASSA, HashAlg::Sha256),
            Self::Rsassa(hash, _) => (RSASSA, *hash),
            Self::Rsapss(hash, _) => (RSAPSS, *hash),
            Self::Ecdsa(hash, _, _) => (ECDSA, *hash),
        }
    }

    /// Verifies it over the bytes that came.
    ///
    /// # Errors
    ///
    /// It does not hold, or what it is made with is not accepted.
    pub fn verify(&self, key: &VerifyingKey, message: &[u8]) -> Result<(), SignatureFault> {
        match *self {
            Self::Raw(bytes) => rsa(key, Scheme::RsaPkcs1Sha256, message, bytes),
            Self::Rsassa(hash, bytes) => {
                let scheme = match hash {
                    HashAlg::Sha1 => return Err(SignatureFault::Weak),
                    HashAlg::Sha256 => Scheme::RsaPkcs1Sha256,
                    HashAlg::Sha384 => Scheme::RsaPkcs1Sha384,
                    HashAlg::Sha512 => Scheme::RsaPkcs1Sha512,
                };
                rsa(key, scheme, message, bytes)
            }
            Self::Rsapss(hash, bytes) => {
                let scheme = match hash {
                    HashAlg::Sha1 => return Err(SignatureFault::Weak),
                    HashAlg::Sha256 => Scheme::RsaPssSha256,
                    HashAlg::Sha384 => Scheme::RsaPssSha384,
                    HashAlg::Sha512 => Scheme::RsaPssSha512,
                };
                rsa(key, scheme, message, bytes)
            }
            Self::Ecdsa(hash, r, s) => ecdsa(key, hash, message, (r, s)),
        }
    }
}

fn rsa(
    key: &VerifyingKey,
    scheme: Scheme,
    message: &[u8],
    bytes: &[u8],
) -> Result<(), SignatureFault> {
    Ok(key.verify(scheme, message, SignatureBytes::Rsa(bytes))?)
}

/// A TPM's ECDSA key has one hash: that of its curve's strength.
fn ecdsa(
    key: &VerifyingKey,
    hash: HashAlg,
    message: &[u8],
    (r, s): (&[u8], &[u8]),
) -> Result<(), SignatureFault> {
    let (scheme, field): (_, usize) = match (key.kind(), hash) {
        (_, HashAlg::Sha1) => return Err(SignatureFault::Weak),
        (KeyKind::Ecdsa(Curve::P256) | KeyKind::Rsa(_), HashAlg::Sha256) => {
            (Scheme::EcdsaSha256, 32)
        }
        (KeyKind::Ecdsa(Curve::P384) | KeyKind::Rsa(_), HashAlg::Sha384) => {
            (Scheme::EcdsaSha384, 48)
        }
        (KeyKind::Rsa(_), HashAlg::Sha512) => (Scheme::EcdsaSha512, 66),
        (KeyKind::Ecdsa(curve), HashAlg::Sha256 | HashAlg::Sha384 | HashAlg::Sha512) => {
            return Err(SignatureFault::Curve(curve, hash));
        }
    };
    // Zeros in front may be left out.
    let mut fixed = vec![0; field.saturating_mul(2)];
    let (first, second) = fixed.split_at_mut(field);
    for (number, place) in [(r, first), (s, second)] {
        let zeros = field
            .checked_sub(number.len())
            .filter(|_| !number.is_empty());
        let place = zeros.and_then(|zeros| place.get_mut(zeros..));
        let place = place.ok_or(SignatureFault::Number(number.len()))?;
        place.copy_from_slice(number);
    }
    Ok(key.verify(scheme, message, SignatureBytes::Fixed(&fixed))?)
}

/// TPM_ALG_RSASSA.
pub(super) const RSASSA: u16 = 0x0014;
/// TPM_ALG_RSAPSS.
pub(super) const RSAPSS: u16 = 0x0016;
/// TPM_ALG_ECDSA.
pub(super) const ECDSA: u16 = 0x0018;

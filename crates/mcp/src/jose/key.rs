//! Public keys.

use aws_lc_rs::{
    rsa::PublicKeyComponents,
    signature::{
        ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256,
        RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256,
        RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512, RsaParameters, UnparsedPublicKey,
        VerificationAlgorithm,
    },
};
use cmcp_json::{Object, Value};
use sha2::{Digest, Sha256};

use super::{Algorithm, JwsError, decode, encode};

/// A public key that signatures are checked with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    material: Material,
    kid: Option<String>,
    /// The one algorithm it is for, where it says so.
    algorithm: Option<Algorithm>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Material {
    Ed25519([u8; 32]),
    /// The uncompressed point.
    P256(Vec<u8>),
    P384(Vec<u8>),
    /// Big-endian, without leading zeros.
    Rsa {
        modulus: Vec<u8>,
        exponent: Vec<u8>,
    },
}

/// Why a JSON Web Key cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not an object with the members that its type needs.
    #[error("the key lacks what its type needs, or spells it wrongly")]
    Malformed,
    /// Of a type, curve or algorithm that is not known here; a symmetric key is one.
    #[error("the key is of a type, curve or algorithm that is not known here")]
    Unknown,
    /// Not for checking signatures.
    #[error("the key is for something else than signatures")]
    Purpose,
    /// The private half came along: whoever published it can no longer vouch for anything.
    #[error("the key comes with its private half")]
    Private,
    /// RSA keys have 2048 to 8192 bits.
    #[error("the RSA key has fewer than 2048 bits, or more than 8192")]
    Size,
}

impl PublicKey {
    /// Reads a JSON Web Key.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn from_jwk(jwk: &Value) -> Result<Self, KeyError> {
        let jwk = jwk.as_object().ok_or(KeyError::Malformed)?;
        if PRIVATE.iter().any(|name| jwk.contains_key(name)) {
            return Err(KeyError::Private);
        }
        purpose(jwk)?;
        let material = match text(jwk, "kty")? {
            "EC" => point(jwk)?,
            "OKP" if text(jwk, "crv")? == "Ed25519" => {
                let x = bytes(jwk, "x")?.try_into();
                Material::Ed25519(x.map_err(|_| KeyError::Malformed)?)
            }
            "RSA" => rsa(jwk)?,
            _ => return Err(KeyError::Unknown),
        };
        let algorithm = match jwk.get("alg") {
            None => None,
            Some(name) => {
                let name = name.as_str().ok_or(KeyError::Malformed)?;
                Some(Algorithm::parse(name).ok_or(KeyError::Unknown)?)
            }
        };
        let kid = match jwk.get("kid") {
            None => None,
            Some(kid) => Some(kid.as_str().ok_or(KeyError::Malformed)?.to_owned()),
        };
        Ok(Self {
            material,
            kid,
            algorithm,
        })
    }

    /// Its name in the set it came from.
    #[must_use]
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// Whether signatures of that algorithm may be checked with it.
    #[must_use]
    pub fn fits(&self, algorithm: Algorithm) -> bool {
        let by_type = match (&self.material, algorithm) {
            (Material::P256(_), Algorithm::Es256)
            | (Material::P384(_), Algorithm::Es384)
            | (Material::Ed25519(_), Algorithm::EdDsa)
            | (
                Material::Rsa { .. },
                Algorithm::Ps256
                | Algorithm::Ps384
                | Algorithm::Ps512
                | Algorithm::Rs256
                | Algorithm::Rs384
                | Algorithm::Rs512,
            ) => true,
            (
                Material::P256(_) | Material::P384(_) | Material::Ed25519(_) | Material::Rsa { .. },
                Algorithm::Es256
                | Algorithm::Es384
                | Algorithm::EdDsa
                | Algorithm::Ps256
                | Algorithm::Ps384
                | Algorithm::Ps512
                | Algorithm::Rs256
                | Algorithm::Rs384
                | Algorithm::Rs512,
            ) => false,
        };
        by_type && self.algorithm.is_none_or(|only| only == algorithm)
    }

    /// The thumbprint of RFC 7638 with SHA-256, in base64url.
    #[must_use]
    pub fn thumbprint(&self) -> String {
        encode(&Sha256::digest(Value::Object(self.required()).to_vec()))
    }

    /// The key as a JSON Web Key with its required members, in the order that thumbprints have.
    fn required(&self) -> Object {
        let members: Vec<(&str, String)> = match &self.material {
            Material::Ed25519(x) => vec![
                ("crv", "Ed25519".to_owned()),
                ("kty", "OKP".to_owned()),
                ("x", encode(x)),
            ],
            Material::P256(point) => elliptic("P-256", point),
            Material::P384(point) => elliptic("P-384", point),
            Material::Rsa { modulus, exponent } => vec![
                ("e", encode(exponent)),
                ("kty", "RSA".to_owned()),
                ("n", encode(modulus)),
            ],
        };
        members.into_iter().collect()
    }

    /// The key as a JSON Web Key, with its name.
    #[must_use]
    pub fn to_jwk(&self) -> Object {
        let mut jwk = self.required();
        if let Some(kid) = &self.kid {
            jwk.insert("kid", Value::String(kid.clone()));
        }
        jwk
    }

    /// The same key under a name.
    #[must_use]
    pub fn named(self, kid: &str) -> Self {
        Self {
            kid: Some(kid.to_owned()),
            ..self
        }
    }

    /// Of a signing key: what it was generated with.
    pub(super) fn of_point(point: &[u8], coordinate: usize) -> Self {
        let material = if coordinate == P384 {
            Material::P384(point.to_vec())
        } else {
            Material::P256(point.to_vec())
        };
        Self::bare(material)
    }

    pub(super) fn of_ed25519(key: [u8; 32]) -> Self {
        Self::bare(Material::Ed25519(key))
    }

    pub(super) fn of_rsa(modulus: &[u8], exponent: &[u8]) -> Self {
        Self::bare(Material::Rsa {
            modulus: without_zeros(modulus),
            exponent: without_zeros(exponent),
        })
    }

    fn bare(material: Material) -> Self {
        Self {
            material,
            kid: None,
            algorithm: None,
        }
    }

    pub(super) fn verify(
        &self,
        algorithm: Algorithm,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), JwsError> {
        if !self.fits(algorithm) {
            return Err(JwsError::Key);
        }
        let holds = match &self.material {
            Material::Ed25519(key) => check(&ED25519, key, message, signature),
            Material::P256(point) => check(&ECDSA_P256_SHA256_FIXED, point, message, signature),
            Material::P384(point) => check(&ECDSA_P384_SHA384_FIXED, point, message, signature),
            Material::Rsa { modulus, exponent } => {
                let key = PublicKeyComponents {
                    n: modulus.as_slice(),
                    e: exponent.as_slice(),
                };
                let parameters = parameters(algorithm).ok_or(JwsError::Key)?;
                key.verify(parameters, message, signature).is_ok()
            }
        };
        if holds {
            Ok(())
        } else {
            Err(JwsError::Signature)
        }
    }
}

fn check(
    algorithm: &'static dyn VerificationAlgorithm,
    key: &[u8],
    message: &[u8],
    signature: &[u8],
) -> bool {
    UnparsedPublicKey::new(algorithm, key)
        .verify(message, signature)
        .is_ok()
}

fn parameters(algorithm: Algorithm) -> Option<&'static RsaParameters> {
    match algorithm {
        Algorithm::Ps256 => Some(&RSA_PSS_2048_8192_SHA256),
        Algorithm::Ps384 => Some(&RSA_PSS_2048_8192_SHA384),
        Algorithm::Ps512 => Some(&RSA_PSS_2048_8192_SHA512),
        Algorithm::Rs256 => Some(&RSA_PKCS1_2048_8192_SHA256),
        Algorithm::Rs384 => Some(&RSA_PKCS1_2048_8192_SHA384),
        Algorithm::Rs512 => Some(&RSA_PKCS1_2048_8192_SHA512),
        Algorithm::Es256 | Algorithm::Es384 | Algorithm::EdDsa => None,
    }
}

fn purpose(jwk: &Object) -> Result<(), KeyError> {
    let signs = jwk
        .get("use")
        .is_none_or(|purpose| purpose.as_str() == Some("sig"));
    let verifies = match jwk.get("key_ops") {
        None => true,
        Some(operations) => operations
            .as_array()
            .ok_or(KeyError::Malformed)?
            .iter()
            .any(|operation| operation.as_str() == Some("verify")),
    };
    if signs && verifies {
        Ok(())
    } else {
        Err(KeyError::Purpose)
    }
}

fn point(jwk: &Object) -> Result<Material, KeyError> {
    let size = match text(jwk, "crv")? {
        "P-256" => P256,
        "P-384" => P384,
        _ => return Err(KeyError::Unknown),
    };
    let (x, y) = (bytes(jwk, "x")?, bytes(jwk, "y")?);
    if x.len() != size || y.len() != size {
        return Err(KeyError::Malformed);
    }
    let point = [&[UNCOMPRESSED][..], &x, &y].concat();
    Ok(if size == P256 {
        Material::P256(point)
    } else {
        Material::P384(point)
    })
}

fn elliptic(curve: &str, point: &[u8]) -> Vec<(&'static str, String)> {
    let coordinates = point.get(1..).unwrap_or_default();
    let half = coordinates.len() / 2;
    let (x, y) = coordinates.split_at_checked(half).unwrap_or_default();
    vec![
        ("crv", curve.to_owned()),
        ("kty", "EC".to_owned()),
        ("x", encode(x)),
        ("y", encode(y)),
    ]
}

fn rsa(jwk: &Object) -> Result<Material, KeyError> {
    let modulus = without_zeros(&bytes(jwk, "n")?);
    let exponent = without_zeros(&bytes(jwk, "e")?);
    if !(256..=1024).contains(&modulus.len()) {
        return Err(KeyError::Size);
    }
    if exponent.is_empty() || exponent.len() > 8 {
        return Err(KeyError::Malformed);
    }
    Ok(Material::Rsa { modulus, exponent })
}

fn without_zeros(number: &[u8]) -> Vec<u8> {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number.get(zeros..).unwrap_or_default().to_vec()
}

fn text<'a>(jwk: &'a Object, name: &str) -> Result<&'a str, KeyError> {
    jwk.get(name)
        .and_then(Value::as_str)
        .ok_or(KeyError::Malformed)
}

fn bytes(jwk: &Object, name: &str) -> Result<Vec<u8>, KeyError> {
    decode(text(jwk, name)?).ok_or(KeyError::Malformed)
}

/// Members that only a private or symmetric key has.
const PRIVATE: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];
/// Bytes of a coordinate.
const P256: usize = 32;
const P384: usize = 48;
const UNCOMPRESSED: u8 = 4;

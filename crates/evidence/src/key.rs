mod pem;

use std::fmt;

use cmcp_json::{Object, Value};
use ed25519_dalek::{Signer as _, VerifyingKey};

use crate::{Sha256Digest, b64, hex};

/// Why bytes are not a key that signatures can be trusted under.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum KeyError {
    /// The text is not canonical base64url or hexadecimal of 32 bytes.
    #[error("key is not 32 bytes in canonical base64url (43 characters) or lower-case hexadecimal")]
    Encoding,
    /// Not a key in PEM as it is expected.
    #[error("key is not one Ed25519 key in PEM; `openssl genpkey -algorithm ed25519` writes one")]
    Pem,
    /// The bytes are no point of the curve, or not its one encoding.
    #[error("key is not a canonical Ed25519 public key")]
    Point,
    /// A point of small order: anybody can sign for it.
    #[error("key has small order")]
    SmallOrder,
}

/// A signature does not hold.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum SignatureError {
    /// The text is not canonical base64url of 64 bytes.
    #[error("signature is not 64 bytes in canonical base64url (86 characters)")]
    Encoding,
    /// It was made by another key, over other bytes, or not canonically.
    #[error("signature does not match key and message")]
    Mismatch,
}

/// An Ed25519 public key: canonically encoded, not of small order.
#[derive(Clone, Copy, Eq, PartialEq)]
pub struct PublicKey(VerifyingKey);

impl PublicKey {
    /// Takes the 32 bytes of RFC 8032.
    ///
    /// # Errors
    ///
    /// No point, a second encoding of one, or a point of small order.
    pub fn from_bytes(bytes: [u8; 32]) -> Result<Self, KeyError> {
        let key = VerifyingKey::from_bytes(&bytes).map_err(|_| KeyError::Point)?;
        if key.to_edwards().compress().to_bytes() != bytes {
            return Err(KeyError::Point);
        }
        if key.is_weak() {
            return Err(KeyError::SmallOrder);
        }
        Ok(Self(key))
    }

    /// Reads the `x` of a JWK: 43 characters.
    ///
    /// # Errors
    ///
    /// Another spelling, or bytes that are no key.
    pub fn from_b64url(text: &str) -> Result<Self, KeyError> {
        Self::from_bytes(b64::decode_array(text).map_err(|_| KeyError::Encoding)?)
    }

    /// Reads 64 lower-case hexadecimal digits.
    ///
    /// # Errors
    ///
    /// Another spelling, or bytes that are no key.
    pub fn from_hex(text: &str) -> Result<Self, KeyError> {
        Self::from_bytes(hex::decode_array(text).map_err(|_| KeyError::Encoding)?)
    }

    /// The 32 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }

    /// The `x` of a JWK.
    #[must_use]
    pub fn to_b64url(&self) -> String {
        b64::encode(self.as_bytes())
    }

    /// 64 lower-case hexadecimal digits.
    #[must_use]
    pub fn hex(&self) -> String {
        hex::encode(self.as_bytes())
    }

    /// The JWK of RFC 8037: `kty`, `crv`, `x`.
    #[must_use]
    pub fn jwk(&self) -> Value {
        Value::Object(Object::from([
            ("kty", "OKP".to_owned()),
            ("crv", "Ed25519".to_owned()),
            ("x", self.to_b64url()),
        ]))
    }

    /// The JWK thumbprint (RFC 7638).
    #[must_use]
    pub fn thumbprint(&self) -> Sha256Digest {
        let x = self.to_b64url();
        Sha256Digest::of_parts(&[
            br#"{"crv":"Ed25519","kty":"OKP","x":""#,
            x.as_bytes(),
            br#""}"#,
        ])
    }

    /// Checks a signature over exactly these bytes; non-canonical and small-order parts are refused.
    ///
    /// # Errors
    ///
    /// The signature does not hold.
    pub fn verify(&self, message: &[u8], signature: &Signature) -> Result<(), SignatureError> {
        let signature = ed25519_dalek::Signature::from_bytes(&signature.0);
        self.0
            .verify_strict(message, &signature)
            .map_err(|_| SignatureError::Mismatch)
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", self.to_b64url())
    }
}

/// An Ed25519 signing key: wiped when dropped, never shown, written or copied.
pub struct SigningKey(ed25519_dalek::SigningKey);

impl SigningKey {
    /// The key that this seed determines; the caller drew it at random and wipes it.
    #[must_use]
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(ed25519_dalek::SigningKey::from_bytes(seed))
    }

    /// The public half.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key())
    }

    /// Signs exactly these bytes.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> Signature {
        Signature(self.0.sign(message).to_bytes())
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey")
    }
}

/// An Ed25519 signature.
#[derive(Clone, Copy, Eq, PartialEq)]
pub struct Signature([u8; 64]);

impl Signature {
    /// Takes the 64 bytes of RFC 8032; whether they hold, [`PublicKey::verify`] says.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 64]) -> Self {
        Self(bytes)
    }

    /// Reads 86 characters.
    ///
    /// # Errors
    ///
    /// Another spelling or another length.
    pub fn from_b64url(text: &str) -> Result<Self, SignatureError> {
        b64::decode_array(text)
            .map(Self)
            .map_err(|_| SignatureError::Encoding)
    }

    /// The 64 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 64] {
        &self.0
    }

    /// 86 characters.
    #[must_use]
    pub fn to_b64url(&self) -> String {
        b64::encode(&self.0)
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signature({})", self.to_b64url())
    }
}

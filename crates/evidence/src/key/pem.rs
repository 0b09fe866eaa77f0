//! Ed25519 keys as OpenSSL writes them (RFC 8410): `openssl genpkey -algorithm ed25519`.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use zeroize::Zeroizing;

use super::{KeyError, PublicKey, SigningKey};

impl SigningKey {
    /// Reads a private key in PEM (PKCS#8, version 1: nothing but the seed).
    ///
    /// # Errors
    ///
    /// Another kind of key or file.
    pub fn from_pem(pem: &[u8]) -> Result<Self, KeyError> {
        let der = block(pem, "PRIVATE KEY").ok_or(KeyError::Pem)?;
        let seed = der.strip_prefix(PRIVATE).ok_or(KeyError::Pem)?;
        let seed: &[u8; 32] = seed.try_into().map_err(|_| KeyError::Pem)?;
        Ok(Self::from_seed(seed))
    }
}

impl PublicKey {
    /// Reads a public key in PEM (`SubjectPublicKeyInfo`).
    ///
    /// # Errors
    ///
    /// Another kind of key or file, or a key that [`Self::from_bytes`] refuses.
    pub fn from_pem(pem: &[u8]) -> Result<Self, KeyError> {
        let der = block(pem, "PUBLIC KEY").ok_or(KeyError::Pem)?;
        let key = der.strip_prefix(PUBLIC).ok_or(KeyError::Pem)?;
        Self::from_bytes(key.try_into().map_err(|_| KeyError::Pem)?)
    }
}

/// The one block of a text; whatever was copied on the way is wiped.
fn block(pem: &[u8], label: &str) -> Option<Zeroizing<Vec<u8>>> {
    let text = str::from_utf8(pem).ok()?.trim_ascii();
    let body = text
        .strip_prefix("-----BEGIN ")?
        .strip_prefix(label)?
        .strip_prefix("-----")?
        .strip_suffix("-----")?
        .strip_suffix(label)?
        .strip_suffix("-----END ")?;
    let digits: Vec<u8> = body
        .bytes()
        .filter(|byte| !byte.is_ascii_whitespace())
        .collect();
    let digits = Zeroizing::new(digits);
    STANDARD.decode(digits.as_slice()).ok().map(Zeroizing::new)
}

/// Sequence, version 0, algorithm 1.3.101.112, an octet string in an octet string.
const PRIVATE: &[u8] = &[
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];
/// Sequence, algorithm 1.3.101.112, a bit string without unused bits.
const PUBLIC: &[u8] = &[
    0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
];

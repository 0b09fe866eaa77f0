//! Signed JSON: the compact form of RFC 7515, public keys and sets of them (RFC 7517, 7518, 8037),
//! thumbprints (RFC 7638). As much of it as access tokens, proofs and assertions need, and nothing by
//! which a token could choose how it is judged: an algorithm is one of [`Algorithm`] and has to fit the
//! key, keys come from the caller, and `jku`, `x5u` and `x5c` are never looked at.
//!
//! Signatures are those of aws-lc-rs, which TLS uses as well. No symmetric algorithm is known here, so
//! that no public key can be taken for a secret, and `none` is a word like any other unknown one.

mod key;
mod set;
mod sign;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use cmcp_json::{Limits, Nul, Object, Value, parse};

pub use key::{KeyError, PublicKey};
pub use set::{KeySet, SetError};
pub use sign::{PrivateKey, PrivateKeyError};

/// A signature algorithm (RFC 7518, RFC 8037).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Algorithm {
    /// ECDSA over P-256 with SHA-256.
    Es256,
    /// ECDSA over P-384 with SHA-384.
    Es384,
    /// Ed25519.
    EdDsa,
    /// RSASSA-PSS with SHA-256.
    Ps256,
    /// RSASSA-PSS with SHA-384.
    Ps384,
    /// RSASSA-PSS with SHA-512.
    Ps512,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    Rs384,
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    Rs512,
}

impl Algorithm {
    /// Every algorithm.
    pub const ALL: [Self; 9] = [
        Self::Es256,
        Self::Es384,
        Self::EdDsa,
        Self::Ps256,
        Self::Ps384,
        Self::Ps512,
        Self::Rs256,
        Self::Rs384,
        Self::Rs512,
    ];

    /// Its registered name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::EdDsa => "EdDSA",
            Self::Ps256 => "PS256",
            Self::Ps384 => "PS384",
            Self::Ps512 => "PS512",
            Self::Rs256 => "RS256",
            Self::Rs384 => "RS384",
            Self::Rs512 => "RS512",
        }
    }

    /// The algorithm of exactly that name; `Ed25519` is the newer name of one of them (RFC 9864).
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        if name == "Ed25519" {
            return Some(Self::EdDsa);
        }
        Self::ALL.into_iter().find(|known| known.as_str() == name)
    }
}

/// Why a text is no signed JSON, or not signed by that key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JwsError {
    /// Not three parts in base64url.
    #[error("it is not three parts in base64url with dots between them")]
    Shape,
    /// The first part is not a JSON object with an `alg`.
    #[error("its header is not a JSON object that names an algorithm")]
    Header,
    /// The second part is not a JSON object.
    #[error("its content is not a JSON object")]
    Claims,
    /// The algorithm is none of [`Algorithm`].
    #[error("its algorithm is not one that is accepted here")]
    Algorithm,
    /// The header demands an extension.
    #[error("its header demands an extension that is not known here")]
    Critical,
    /// The key is not one for this algorithm.
    #[error("the key is not one for its algorithm")]
    Key,
    /// The signature does not hold.
    #[error("its signature does not hold")]
    Signature,
}

/// A signed text, taken apart and not yet believed.
#[derive(Debug)]
pub struct Unverified<'a> {
    /// What its header says.
    pub header: Header,
    signed: &'a [u8],
    claims: Vec<u8>,
    signature: Vec<u8>,
}

/// What a header says. The embedded key matters only to who asks for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// `alg`.
    pub algorithm: Algorithm,
    /// `typ`.
    pub typ: Option<String>,
    /// `kid`.
    pub kid: Option<String>,
    /// `jwk`, which a proof carries and a token may not choose.
    pub jwk: Option<Value>,
}

impl<'a> Unverified<'a> {
    /// Takes the compact form apart.
    ///
    /// # Errors
    /// [`JwsError`].
    pub fn parse(text: &'a str) -> Result<Self, JwsError> {
        if text.len() > MAX_BYTES {
            return Err(JwsError::Shape);
        }
        let (signed, signature) = text.rsplit_once('.').ok_or(JwsError::Shape)?;
        let (header, claims) = signed.split_once('.').ok_or(JwsError::Shape)?;
        if claims.contains('.') {
            return Err(JwsError::Shape);
        }
        Ok(Self {
            header: Header::read(&decode(header).ok_or(JwsError::Shape)?)?,
            signed: signed.as_bytes(),
            claims: decode(claims).ok_or(JwsError::Shape)?,
            signature: decode(signature).ok_or(JwsError::Shape)?,
        })
    }

    /// What it says, once the signature has been checked over the bytes that came.
    ///
    /// # Errors
    /// [`JwsError::Key`], [`JwsError::Signature`], and [`JwsError::Claims`] for signed nonsense.
    pub fn verify(&self, key: &PublicKey) -> Result<Object, JwsError> {
        key.verify(self.header.algorithm, self.signed, &self.signature)?;
        object(&self.claims).ok_or(JwsError::Claims)
    }

    /// What it says, unproven: for choosing whose keys to ask for, and nothing else.
    #[must_use]
    pub fn unproven(&self) -> Option<Object> {
        object(&self.claims)
    }
}

impl Header {
    fn read(bytes: &[u8]) -> Result<Self, JwsError> {
        let header = object(bytes).ok_or(JwsError::Header)?;
        if header.contains_key("crit") || header.contains_key("b64") {
            return Err(JwsError::Critical);
        }
        let text = |name: &str| match header.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(JwsError::Header),
        };
        let algorithm = text("alg")?.ok_or(JwsError::Header)?;
        Ok(Self {
            algorithm: Algorithm::parse(&algorithm).ok_or(JwsError::Algorithm)?,
            typ: text("typ")?,
            kid: text("kid")?,
            jwk: header.get("jwk").cloned(),
        })
    }

    /// Whether `typ` is this media type, with or without `application/`, in any case.
    #[must_use]
    pub fn is(&self, typ: &str) -> bool {
        let Some(own) = &self.typ else {
            return false;
        };
        let own = own.to_ascii_lowercase();
        own.strip_prefix("application/").unwrap_or(&own) == typ
    }
}

/// A JSON object, read as strictly as everything else.
fn object(bytes: &[u8]) -> Option<Object> {
    match parse(bytes, &LIMITS) {
        Ok(Value::Object(object)) => Some(object),
        Ok(_) | Err(_) => None,
    }
}

/// base64url without padding; the canonical spelling only.
#[must_use]
pub fn decode(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

/// base64url without padding.
#[must_use]
pub fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Longest text that is taken apart.
const MAX_BYTES: usize = 32 << 10;

pub(crate) const LIMITS: Limits = Limits {
    bytes: 512 << 10,
    depth: 16,
    members: 4_096,
    members_per_object: 512,
    elements: 4_096,
    string_bytes: 64 << 10,
    number_bytes: 64,
    nul: Nul::Refuse,
};

#[cfg(test)]
mod tests;

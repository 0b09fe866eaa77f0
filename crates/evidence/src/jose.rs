//! JWS (RFC 7515) in compact form and JWK (RFC 7517), verified only. The algorithm is the caller's to
//! say; a token never says which key to trust.

mod jwk;

pub use jwk::{Jwk, JwkError, KeySet, KeySetError, thumbprint};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cmcp_json::{Limits, Nul, Object, ParseError, Value};

use crate::{
    b64,
    x509::{
        BadSignature, CertError, Certificate, ChainError, ChainRules, Curve, KeyKind, Scheme,
        SignatureBytes, VerifyingKey, verify_chain,
    },
};

/// How a token must be signed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Alg {
    /// ECDSA on P-256 over SHA-256.
    Es256,
    /// ECDSA on P-384 over SHA-384.
    Es384,
    /// RSASSA-PSS over SHA-256.
    Ps256,
    /// RSASSA-PKCS1-v1_5 over SHA-256.
    Rs256,
}

impl Alg {
    /// Its name in a header.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::Ps256 => "PS256",
            Self::Rs256 => "RS256",
        }
    }

    const fn scheme(self) -> Scheme {
        match self {
            Self::Es256 => Scheme::EcdsaSha256,
            Self::Es384 => Scheme::EcdsaSha384,
            Self::Ps256 => Scheme::RsaPssSha256,
            Self::Rs256 => Scheme::RsaPkcs1Sha256,
        }
    }

    /// Whether it is for keys of that kind: a curve goes with one algorithm.
    #[must_use]
    pub const fn fits(self, key: KeyKind) -> bool {
        match (self, key) {
            (Self::Es256, KeyKind::Ecdsa(Curve::P256))
            | (Self::Es384, KeyKind::Ecdsa(Curve::P384))
            | (Self::Ps256 | Self::Rs256, KeyKind::Rsa(_)) => true,
            (Self::Es256 | Self::Es384 | Self::Ps256 | Self::Rs256, _) => false,
        }
    }
}

impl std::fmt::Display for Alg {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a text is not a token that is read here, or does not verify.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum JwsError {
    /// Too long to be read.
    #[error("token of {size} bytes: at most {MAX_TOKEN} are read")]
    Size {
        /// Its length.
        size: usize,
    },
    /// Not three parts between two full stops, each with something in it.
    #[error("not a compact JWS: header, payload and signature, with a full stop between each")]
    Form,
    /// A part that is not base64url in its one spelling.
    #[error("the token's {part} is not canonical base64url")]
    Base64 {
        /// The part.
        part: &'static str,
    },
    /// A part that is not JSON that every parser reads alike.
    #[error("the token's {part}: {error}")]
    Json {
        /// The part.
        part: &'static str,
        /// What is wrong with it.
        error: ParseError,
    },
    /// A part that is not an object.
    #[error("the token's {part} is not a JSON object")]
    NotObject {
        /// The part.
        part: &'static str,
    },
    /// A header member that changes what the signature means.
    #[error("the token's header has `{member}`, which is not understood here")]
    Critical {
        /// The member.
        member: &'static str,
    },
    /// Another algorithm than the one expected, or none.
    #[error("the token is signed with `{found}`: {expected} is expected")]
    Algorithm {
        /// What is expected.
        expected: Alg,
        /// What the header says.
        found: String,
    },
    /// A key of another kind than the algorithm needs.
    #[error("{key} is no key for {alg}")]
    Key {
        /// The algorithm.
        alg: Alg,
        /// The key.
        key: KeyKind,
    },
    /// The signature does not hold.
    #[error("the token: {0}")]
    Signature(BadSignature),
    /// A certificate in the header that is not one, or not in base64.
    #[error("certificate number {number} in the token's header: {error}")]
    Certificate {
        /// Which, counted from 1.
        number: usize,
        /// What is wrong with it.
        error: String,
    },
    /// No chain of certificates leads to a root that is trusted.
    #[error("the certificates of the token's key: {0}")]
    Chain(ChainError),
    /// A chain was asked for and the header has none.
    #[error("the token's header has no certificates (`x5c`)")]
    NoCertificates,
}

/// A token in its parts. Nothing in it is to be believed before [`Jws::verify`].
#[derive(Clone, Debug)]
pub struct Jws<'a> {
    header: Object,
    payload: Vec<u8>,
    signing_input: &'a str,
    signature: Vec<u8>,
}

impl<'a> Jws<'a> {
    /// Takes a compact JWS apart.
    ///
    /// # Errors
    ///
    /// It is too long, not in three parts, not canonical, its header is not JSON that every parser reads
    /// alike, or its header has `crit` or `b64`.
    pub fn parse(token: &'a str) -> Result<Self, JwsError> {
        if token.len() > MAX_TOKEN {
            return Err(JwsError::Size { size: token.len() });
        }
        let (signing_input, signature) = token.rsplit_once('.').ok_or(JwsError::Form)?;
        let (header, payload) = signing_input.split_once('.').ok_or(JwsError::Form)?;
        if header.is_empty() || payload.contains('.') {
            return Err(JwsError::Form);
        }
        let part = |text: &str, part: &'static str| {
            b64::decode(text).map_err(|_| JwsError::Base64 { part })
        };
        let header = object(&part(header, "header")?, "header")?;
        for member in ["crit", "b64"] {
            if header.contains_key(member) {
                return Err(JwsError::Critical { member });
            }
        }
        Ok(Self {
            header,
            payload: part(payload, "payload")?,
            signing_input,
            signature: part(signature, "signature")?,
        })
    }

    /// The header.
    #[must_use]
    pub const fn header(&self) -> &Object {
        &self.header
    }

    /// A text of the header.
    #[must_use]
    pub fn header_text(&self, member: &str) -> Option<&str> {
        self.header.get(member).and_then(Value::as_str)
    }

    /// The header's members that are not among these: what it says that is not looked at.
    #[must_use]
    pub fn header_beyond(&self, known: &[&str]) -> Vec<&str> {
        let names = self.header.keys();
        names.filter(|name| !known.contains(name)).collect()
    }

    /// The payload's bytes.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// The payload, which must be a JSON object that every parser reads alike.
    ///
    /// # Errors
    ///
    /// It is not.
    pub fn claims(&self) -> Result<Object, JwsError> {
        object(&self.payload, "payload")
    }

    /// The signature's bytes.
    #[must_use]
    pub fn signature(&self) -> &[u8] {
        &self.signature
    }

    /// Verifies that `key` signed this very text, in that way and no other.
    ///
    /// # Errors
    ///
    /// The header names another algorithm, the key is of another kind, or the signature does not hold.
    pub fn verify(&self, key: &VerifyingKey, alg: Alg) -> Result<(), JwsError> {
        self.expect_alg(alg)?;
        if !alg.fits(key.kind()) {
            let key = key.kind();
            return Err(JwsError::Key { alg, key });
        }
        let signature = match key.kind() {
            KeyKind::Ecdsa(_) => SignatureBytes::Fixed(&self.signature),
            KeyKind::Rsa(_) => SignatureBytes::Rsa(&self.signature),
        };
        key.verify(alg.scheme(), self.signing_input.as_bytes(), signature)
            .map_err(JwsError::Signature)
    }

    /// Verifies by the certificates in the header, which are worth what their chain to one of `roots` is
    /// worth. Returns the chain, leaf first.
    ///
    /// # Errors
    ///
    /// As for [`Self::verify`], or there is no chain to a root.
    pub fn verify_by_chain(
        &self,
        alg: Alg,
        roots: &[Certificate],
        rules: &ChainRules,
    ) -> Result<Vec<Certificate>, JwsError> {
        self.expect_alg(alg)?;
        let list = self.header.get("x5c").and_then(Value::as_array);
        let certificates = certificates(list.ok_or(JwsError::NoCertificates)?)?;
        let (leaf, others) = certificates.split_first().ok_or(JwsError::NoCertificates)?;
        let path = verify_chain(leaf, others, roots, rules).map_err(JwsError::Chain)?;
        let key = leaf.key().map_err(|error| JwsError::Certificate {
            number: 1,
            error: error.to_string(),
        })?;
        self.verify(key, alg)?;
        Ok(path)
    }

    fn expect_alg(&self, expected: Alg) -> Result<(), JwsError> {
        let found = self.header.get("alg").and_then(Value::as_str);
        if found == Some(expected.as_str()) {
            return Ok(());
        }
        let found: String = found.unwrap_or("nothing").chars().take(32).collect();
        let found = found.escape_debug().to_string();
        Err(JwsError::Algorithm { expected, found })
    }
}

/// The certificates of an `x5c` member: base64 of the standard alphabet, DER.
fn certificates(list: &[Value]) -> Result<Vec<Certificate>, JwsError> {
    if list.len() > MAX_CERTIFICATES {
        let found = list.len();
        return Err(JwsError::Chain(ChainError::TooMany { found }));
    }
    let numbered = list.iter().zip(1..);
    numbered
        .map(|(entry, number)| {
            certificate(entry).map_err(|error| JwsError::Certificate { number, error })
        })
        .collect()
}

fn certificate(entry: &Value) -> Result<Certificate, String> {
    let text = entry.as_str().ok_or("not a text")?;
    let der = STANDARD
        .decode(text)
        .map_err(|_| "not canonical base64 of the standard alphabet")?;
    Certificate::from_der(&der).map_err(|error: CertError| error.to_string())
}

fn object(bytes: &[u8], part: &'static str) -> Result<Object, JwsError> {
    match cmcp_json::parse(bytes, &LIMITS) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_),
        ) => Err(JwsError::NotObject { part }),
        Err(error) => Err(JwsError::Json { part, error }),
    }
}

/// NRAS answers for eight GPUs, and MAA with a whole policy, stay below it.
pub const MAX_TOKEN: usize = 512 << 10;
const MAX_CERTIFICATES: usize = 16;
/// Of a header, a payload or an answer.
pub(crate) const LIMITS: Limits = Limits {
    bytes: MAX_TOKEN,
    depth: 32,
    members: 4096,
    members_per_object: 1024,
    elements: 4096,
    string_bytes: MAX_TOKEN,
    number_bytes: 64,
    nul: Nul::Refuse,
};

#[cfg(test)]
mod tests;

//! Keys of token issuers.

use cmcp_json::{Limits, ParseError, Value};

use super::{Alg, JwsError, LIMITS, certificates};
use crate::{
    Sha256Digest, b64,
    x509::{Certificate, Curve, KeyKind, KeyUnsupported, VerifyingKey},
};

/// Why a key set is not read.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum KeySetError {
    /// Not JSON that every parser reads alike.
    #[error("key set: {0}")]
    Json(ParseError),
    /// Not an object with a list of keys.
    #[error("key set: `keys` is not a list of objects")]
    Form,
    /// More keys than are read.
    #[error("key set of {found} keys: at most {MAX_KEYS} are read")]
    TooMany {
        /// How many it has.
        found: usize,
    },
    /// Two keys by one name.
    #[error("key set: two keys are called `{kid}`")]
    DuplicateKid {
        /// The name.
        kid: String,
    },
}

/// Why a key of a set is not used.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum JwkError {
    /// No kind, or one that is not used here.
    #[error("key of kind `{kty}`: `RSA` and `EC` are used")]
    Kind {
        /// What it says.
        kty: String,
    },
    /// A curve that is not used here.
    #[error("key on curve `{crv}`: `P-256` and `P-384` are used")]
    Curve {
        /// What it says.
        crv: String,
    },
    /// A member is not there, or not canonical base64url.
    #[error("`{member}` of the key is missing or not canonical base64url")]
    Member {
        /// The member.
        member: &'static str,
    },
    /// The key is not used.
    #[error("{0}")]
    Unsupported(KeyUnsupported),
    /// Its certificates are not read.
    #[error("{0}")]
    Certificates(Box<JwsError>),
    /// Its certificate is for another key.
    #[error("the key's certificate is for another key")]
    Differs,
    /// It is not for signatures.
    #[error("key for `{found}`, not for signatures")]
    Use {
        /// What it is for.
        found: String,
    },
}

/// One key of a set. It is trusted only if its thumbprint is pinned, or its certificates lead to a root.
#[derive(Clone, Debug)]
pub struct Jwk {
    /// What its issuer calls it: an opaque text.
    pub kid: Option<String>,
    /// The algorithm that it is for, where it says so.
    pub alg: Option<String>,
    /// Its certificates, leaf first, where it has some.
    pub certificates: Vec<Certificate>,
    /// The key.
    pub key: VerifyingKey,
}

impl Jwk {
    /// Reads one key. Of a key without `n` and `e` the first certificate has it.
    ///
    /// # Errors
    ///
    /// It is not a key that is used here, or not for signatures, or not the one of its certificate.
    pub fn read(value: &Value) -> Result<Self, JwkError> {
        let text = |member: &str| value.get(member).and_then(Value::as_str);
        let what_for = text("use").unwrap_or("sig");
        if what_for != "sig" {
            let found = shown(what_for);
            return Err(JwkError::Use { found });
        }
        let certificates = match value.get("x5c") {
            None => Vec::new(),
            Some(list) => certificates(list.as_array().unwrap_or_default())
                .map_err(|error| JwkError::Certificates(Box::new(error)))?,
        };
        let certified = certificates.first().map(|leaf| leaf.key().cloned());
        let certified = certified
            .transpose()
            .map_err(|error| JwkError::Unsupported(error.clone()))?;
        let key = match (named_key(value)?, certified) {
            (Some(named), Some(certified)) if named != certified => return Err(JwkError::Differs),
            (Some(key), _) | (None, Some(key)) => key,
            (None, None) => return Err(JwkError::Member { member: "n" }),
        };
        Ok(Self {
            kid: text("kid").map(str::to_owned),
            alg: text("alg").map(str::to_owned),
            certificates,
            key,
        })
    }

    /// Whether it may be used in that way.
    #[must_use]
    pub fn is_for(&self, alg: Alg) -> bool {
        alg.fits(self.key.kind()) && self.alg.as_deref().is_none_or(|own| own == alg.as_str())
    }

    /// Its RFC 7638 thumbprint.
    #[must_use]
    pub fn thumbprint(&self) -> Sha256Digest {
        thumbprint(&self.key)
    }
}

/// The keys of an issuer.
#[derive(Clone, Debug)]
pub struct KeySet {
    /// Those that are used here.
    pub keys: Vec<Jwk>,
    /// What is wrong with the others, by their names.
    pub unused: Vec<(String, JwkError)>,
}

impl KeySet {
    /// Reads a JSON Web Key Set.
    ///
    /// # Errors
    ///
    /// It is not JSON that every parser reads alike, has no list of keys, too many, or two of one name.
    pub fn parse(json: &[u8]) -> Result<Self, KeySetError> {
        let document = cmcp_json::parse(json, &SET_LIMITS).map_err(KeySetError::Json)?;
        let keys = document.get("keys").and_then(Value::as_array);
        let list = keys.ok_or(KeySetError::Form)?;
        if list.len() > MAX_KEYS {
            let found = list.len();
            return Err(KeySetError::TooMany { found });
        }
        let mut kids: Vec<&str> = Vec::new();
        let mut set = Self {
            keys: Vec::new(),
            unused: Vec::new(),
        };
        for value in list {
            value.as_object().ok_or(KeySetError::Form)?;
            let kid = value.get("kid").and_then(Value::as_str);
            if let Some(kid) = kid {
                if kids.contains(&kid) {
                    let kid = shown(kid);
                    return Err(KeySetError::DuplicateKid { kid });
                }
                kids.push(kid);
            }
            match Jwk::read(value) {
                Ok(key) => set.keys.push(key),
                Err(error) => set.unused.push((shown(kid.unwrap_or("?")), error)),
            }
        }
        Ok(set)
    }

    /// The key of that name.
    #[must_use]
    pub fn by_kid(&self, kid: &str) -> Option<&Jwk> {
        self.keys.iter().find(|key| key.kid.as_deref() == Some(kid))
    }
}

/// The RFC 7638 thumbprint of a key: SHA-256 over its required members in their one spelling.
#[must_use]
pub fn thumbprint(key: &VerifyingKey) -> Sha256Digest {
    let text = match key.kind() {
        KeyKind::Rsa(_) => {
            let (modulus, exponent) = key.rsa_components().unwrap_or_default();
            let (n, e) = (b64::encode(&modulus), b64::encode(&exponent));
            format!(r#"{{"e":"{e}","kty":"RSA","n":"{n}"}}"#)
        }
        KeyKind::Ecdsa(curve) => {
            let point = key.sec1().unwrap_or_default();
            let coordinates = point.get(1..).unwrap_or_default();
            let (x, y) = coordinates
                .split_at_checked(coordinates.len() / 2)
                .unwrap_or_default();
            let (x, y) = (b64::encode(x), b64::encode(y));
            format!(r#"{{"crv":"{curve}","kty":"EC","x":"{x}","y":"{y}"}}"#)
        }
    };
    Sha256Digest::of(text.as_bytes())
}

/// The key by its own members; none if they are left to its certificate.
fn named_key(value: &Value) -> Result<Option<VerifyingKey>, JwkError> {
    let bytes = |member: &'static str| {
        let text = value.get(member).and_then(Value::as_str);
        text.and_then(|text| b64::decode(text).ok())
            .ok_or(JwkError::Member { member })
    };
    let text = |member: &str| value.get(member).and_then(Value::as_str).unwrap_or("?");
    let key = match text("kty") {
        "RSA" if value.get("n").is_none() && value.get("e").is_none() => return Ok(None),
        "RSA" => VerifyingKey::from_rsa_components(&bytes("n")?, &bytes("e")?),
        "EC" => {
            let curve = match text("crv") {
                "P-256" => Curve::P256,
                "P-384" => Curve::P384,
                other => return Err(JwkError::Curve { crv: shown(other) }),
            };
            VerifyingKey::from_xy(curve, &bytes("x")?, &bytes("y")?)
        }
        other => return Err(JwkError::Kind { kty: shown(other) }),
    };
    key.map(Some).map_err(JwkError::Unsupported)
}

/// What came from outside goes into a message without control characters, and shortened.
fn shown(text: &str) -> String {
    let text: String = text.chars().take(64).collect();
    text.escape_debug().to_string()
}

/// MAA's instances publish some dozens, each with a certificate that holds a quote.
const MAX_KEYS: usize = 256;
const SET_LIMITS: Limits = Limits {
    bytes: 4 << 20,
    ..LIMITS
};

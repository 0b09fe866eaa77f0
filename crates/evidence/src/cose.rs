//! COSE_Sign1 (RFC 9052): one signature over bytes that travel with it.

use crate::{
    cbor::{self, CborError, Item, Limits},
    x509::{BadSignature, Curve, KeyKind, Scheme, SignatureBytes, VerifyingKey},
};

/// Whether CBOR tag 18 has to stand before the message.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum TagRule {
    /// It has to.
    Required,
    /// It may; what stood there is in [`Sign1::tagged`].
    Optional,
}

/// The algorithms that evidence is signed with (RFC 9053).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Alg {
    /// ECDSA over P-256 with SHA-256.
    Es256,
    /// ECDSA over P-384 with SHA-384.
    Es384,
    /// RSASSA-PSS with SHA-256.
    Ps256,
    /// RSASSA-PSS with SHA-384.
    Ps384,
    /// RSASSA-PSS with SHA-512.
    Ps512,
}

impl Alg {
    /// Its number in a header.
    #[must_use]
    pub const fn number(self) -> i64 {
        match self {
            Self::Es256 => -7,
            Self::Es384 => -35,
            Self::Ps256 => -37,
            Self::Ps384 => -38,
            Self::Ps512 => -39,
        }
    }

    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::Ps256 => "PS256",
            Self::Ps384 => "PS384",
            Self::Ps512 => "PS512",
        }
    }

    // A digest does not fix a curve; the algorithm does (RFC 9053, section 2.1, as evidence is made).
    const fn fits(self, key: KeyKind) -> bool {
        match self {
            Self::Es256 => matches!(key, KeyKind::Ecdsa(Curve::P256)),
            Self::Es384 => matches!(key, KeyKind::Ecdsa(Curve::P384)),
            Self::Ps256 | Self::Ps384 | Self::Ps512 => matches!(key, KeyKind::Rsa(_)),
        }
    }

    const fn scheme(self) -> Scheme {
        match self {
            Self::Es256 => Scheme::EcdsaSha256,
            Self::Es384 => Scheme::EcdsaSha384,
            Self::Ps256 => Scheme::RsaPssSha256,
            Self::Ps384 => Scheme::RsaPssSha384,
            Self::Ps512 => Scheme::RsaPssSha512,
        }
    }

    const fn signature(self, bytes: &[u8]) -> SignatureBytes<'_> {
        match self {
            Self::Es256 | Self::Es384 => SignatureBytes::Fixed(bytes),
            Self::Ps256 | Self::Ps384 | Self::Ps512 => SignatureBytes::Rsa(bytes),
        }
    }
}

/// Why bytes are not a message that is taken, or its signature is not.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum CoseError {
    /// Not CBOR, or not the strict part of it.
    #[error("the message: {0}")]
    Cbor(#[from] CborError),
    /// The protected header is not CBOR.
    #[error("the protected header: {0}")]
    Protected(CborError),
    /// Tag 18 is missing.
    #[error("tag 18 does not stand before the message")]
    TagMissing,
    /// Another tag stands before it.
    #[error("tag {tag} stands before the message; COSE_Sign1 is tag 18")]
    Tag {
        /// The tag.
        tag: u64,
    },
    /// It is no array of four.
    #[error("the message is {found}, and must be an array of four")]
    Shape {
        /// What it is.
        found: String,
    },
    /// One of the four is of another kind.
    #[error("{part} is {found}, and must be {expected}")]
    Part {
        /// Which.
        part: &'static str,
        /// What it must be.
        expected: &'static str,
        /// What it is.
        found: &'static str,
    },
    /// The payload travels elsewhere.
    #[error("the payload is detached; it must be in the message")]
    Detached,
    /// A header is in both maps.
    #[error("header {label} is protected and unprotected")]
    Twice {
        /// Its label.
        label: String,
    },
    /// A header that only counts when it is signed is not.
    #[error("header {label} is unprotected; whoever carries the message could change it")]
    Unprotected {
        /// Its label.
        label: i64,
    },
    /// The message says that headers must be understood that are not known here.
    #[error("the message has critical headers, and none is known here")]
    Critical,
    /// Another algorithm.
    #[error("the algorithm is {found}, and must be {expected}")]
    Algorithm {
        /// What it must be.
        expected: &'static str,
        /// Its number, or that there is none.
        found: String,
    },
    /// The key is not for the algorithm.
    #[error("the key is {found}, and cannot make {expected}")]
    Key {
        /// The algorithm.
        expected: &'static str,
        /// The key.
        found: KeyKind,
    },
    /// The chain in the header is no list of byte strings.
    #[error("the certificates in header 33 are {found}, and must be byte strings")]
    Chain {
        /// What they are.
        found: &'static str,
    },
    /// The signature does not verify.
    #[error("{0}")]
    Signature(#[from] BadSignature),
}

/// A message as it came: nothing of it is believed before [`Sign1::verify`].
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Sign1<'a> {
    /// Whether tag 18 stood before it.
    pub tagged: bool,
    /// The protected header, as it was signed.
    pub protected: &'a [u8],
    /// The protected header, read.
    pub headers: Vec<(Item<'a>, Item<'a>)>,
    /// The header that nobody signed.
    pub unprotected: Vec<(Item<'a>, Item<'a>)>,
    /// What is signed.
    pub payload: &'a [u8],
    /// The signature.
    pub signature: &'a [u8],
}

impl<'a> Sign1<'a> {
    /// Reads a message that is the whole of `bytes`.
    ///
    /// # Errors
    ///
    /// It is of another form, or says things that must not be in it.
    pub fn parse(bytes: &'a [u8], rule: TagRule) -> Result<Self, CoseError> {
        let item = cbor::parse(bytes, &Limits::FOREIGN)?;
        let (tagged, message) = if let Item::Tag(tag, inner) = item {
            if tag != TAG {
                return Err(CoseError::Tag { tag });
            }
            (true, *inner)
        } else {
            (false, item)
        };
        if !tagged && rule == TagRule::Required {
            return Err(CoseError::TagMissing);
        }
        let found = message.as_array().map_or_else(
            || message.kind().to_owned(),
            |items| format!("an array of {}", items.len()),
        );
        let Item::Array(items) = message else {
            return Err(CoseError::Shape { found });
        };
        let Ok([protected, unprotected, payload, signature]) = <[Item<'a>; 4]>::try_from(items)
        else {
            return Err(CoseError::Shape { found });
        };
        if payload.is_null() {
            return Err(CoseError::Detached);
        }
        let protected = bytes_of("the protected header", &protected)?;
        let sign1 = Self {
            tagged,
            protected,
            headers: signed_headers(protected)?,
            unprotected: map_of("the unprotected header", unprotected)?,
            payload: bytes_of("the payload", &payload)?,
            signature: bytes_of("the signature", &signature)?,
        };
        sign1.check_headers()?;
        Ok(sign1)
    }

    /// Verifies the signature by one algorithm, which the protected header must name.
    ///
    /// # Errors
    ///
    /// It names another, the key is of another kind, or the signature is not its.
    pub fn verify(&self, key: &VerifyingKey, alg: Alg) -> Result<(), CoseError> {
        self.check_algorithm(alg)?;
        let found = key.kind();
        if !alg.fits(found) {
            let expected = alg.as_str();
            return Err(CoseError::Key { expected, found });
        }
        let signed = Item::Array(vec![
            Item::Text("Signature1"),
            Item::Bytes(self.protected),
            Item::Bytes(&[]),
            Item::Bytes(self.payload),
        ]);
        let signature = alg.signature(self.signature);
        Ok(key.verify(alg.scheme(), &cbor::encode(&signed), signature)?)
    }

    /// Whether the protected header names this algorithm.
    ///
    /// # Errors
    ///
    /// It names another or none.
    pub fn check_algorithm(&self, alg: Alg) -> Result<(), CoseError> {
        let named = self.header(ALG);
        if named.and_then(Item::as_int) == Some(alg.number()) {
            return Ok(());
        }
        let found = match named.map(|item| (item.as_int(), item)) {
            Some((Some(number), _)) => number.to_string(),
            Some((None, item)) => item.kind().to_owned(),
            None => "not named".to_owned(),
        };
        Err(CoseError::Algorithm {
            expected: alg.as_str(),
            found,
        })
    }

    /// A protected header by its number.
    #[must_use]
    pub fn header(&self, label: i64) -> Option<&Item<'a>> {
        find(&self.headers, label)
    }

    /// A protected header by its name.
    #[must_use]
    pub fn named_header(&self, label: &str) -> Option<&Item<'a>> {
        let is = |(known, _): &&(Item<'a>, Item<'a>)| known.as_text() == Some(label);
        self.headers.iter().find(is).map(|(_, value)| value)
    }

    /// The certificates of header 33 (RFC 9360), leaf first, from either map: they prove nothing until their
    /// chain is verified. Empty where there are none.
    ///
    /// # Errors
    ///
    /// The header holds something else.
    pub fn x5chain(&self) -> Result<Vec<&'a [u8]>, CoseError> {
        let Some(chain) = self
            .header(X5CHAIN)
            .or_else(|| find(&self.unprotected, X5CHAIN))
        else {
            return Ok(Vec::new());
        };
        let read = |item: &Item<'a>| {
            let found = item.kind();
            item.as_bytes().ok_or(CoseError::Chain { found })
        };
        match chain.as_array() {
            Some(certificates) => certificates.iter().map(read).collect(),
            None => Ok(vec![read(chain)?]),
        }
    }

    fn check_headers(&self) -> Result<(), CoseError> {
        for label in [ALG, CRIT] {
            if find(&self.unprotected, label).is_some() {
                return Err(CoseError::Unprotected { label });
            }
        }
        if self.header(CRIT).is_some() {
            return Err(CoseError::Critical);
        }
        for (label, _) in &self.unprotected {
            if self.headers.iter().any(|(known, _)| known == label) {
                let label = name_of(label);
                return Err(CoseError::Twice { label });
            }
        }
        Ok(())
    }
}

// An empty header may be no bytes at all (RFC 9052, section 3).
fn signed_headers(protected: &[u8]) -> Result<Vec<(Item<'_>, Item<'_>)>, CoseError> {
    if protected.is_empty() {
        return Ok(Vec::new());
    }
    let header = cbor::parse(protected, &Limits::FOREIGN).map_err(CoseError::Protected)?;
    map_of("the protected header", header)
}

fn map_of<'a>(part: &'static str, item: Item<'a>) -> Result<Vec<(Item<'a>, Item<'a>)>, CoseError> {
    let found = item.kind();
    match item {
        Item::Map(pairs) => Ok(pairs),
        Item::Uint(_)
        | Item::Nint(_)
        | Item::Bytes(_)
        | Item::Text(_)
        | Item::Array(_)
        | Item::Tag(..)
        | Item::Bool(_)
        | Item::Null => Err(CoseError::Part {
            part,
            expected: "a map",
            found,
        }),
    }
}

fn bytes_of<'a>(part: &'static str, item: &Item<'a>) -> Result<&'a [u8], CoseError> {
    item.as_bytes().ok_or(CoseError::Part {
        part,
        expected: "a byte string",
        found: item.kind(),
    })
}

fn name_of(label: &Item<'_>) -> String {
    let number = label.as_int().map(|number| number.to_string());
    let text = label.as_text().map(|text| format!("`{text}`"));
    number.or(text).unwrap_or_else(|| label.kind().to_owned())
}

fn find<'i, 'a>(pairs: &'i [(Item<'a>, Item<'a>)], label: i64) -> Option<&'i Item<'a>> {
    let found = pairs
        .iter()
        .find(|(known, _)| known.as_int() == Some(label));
    found.map(|(_, value)| value)
}

const TAG: u64 = 18;
const ALG: i64 = 1;
const CRIT: i64 = 2;
const X5CHAIN: i64 = 33;

#[cfg(test)]
mod tests;

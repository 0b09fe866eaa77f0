use sha2::{Sha256, Sha384, Sha512};

use crate::cbor::{self, CborError, Item, Limits};

/// A hash by its number in the registry of named information (RFC 6920).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum NamedHash {
    /// Number 1.
    Sha256,
    /// Number 7.
    Sha384,
    /// Number 8.
    Sha512,
}

impl NamedHash {
    /// The hash of that number.
    #[must_use]
    pub const fn of_number(number: u64) -> Option<Self> {
        match number {
            1 => Some(Self::Sha256),
            7 => Some(Self::Sha384),
            8 => Some(Self::Sha512),
            _ => None,
        }
    }

    /// Its number.
    #[must_use]
    pub const fn number(self) -> u64 {
        match self {
            Self::Sha256 => 1,
            Self::Sha384 => 7,
            Self::Sha512 => 8,
        }
    }

    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha384 => "sha384",
            Self::Sha512 => "sha512",
        }
    }

    /// How many bytes it gives.
    #[must_use]
    pub const fn bytes(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }

    /// The hash of these runs of bytes, one behind the other.
    #[must_use]
    pub fn digest(self, parts: &[&[u8]]) -> Vec<u8> {
        fn over<H: sha2::Digest>(parts: &[&[u8]]) -> Vec<u8> {
            let mut hash = H::new();
            for part in parts {
                hash.update(part);
            }
            hash.finalize().to_vec()
        }
        match self {
            Self::Sha256 => over::<Sha256>(parts),
            Self::Sha384 => over::<Sha384>(parts),
            Self::Sha512 => over::<Sha512>(parts),
        }
    }
}

/// Why a claims-buffer is none.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ClaimsError {
    /// It is not the CBOR that is read here.
    #[error("claims-buffer: {0}")]
    Cbor(#[from] CborError),
    /// It is something else than a map.
    #[error("the claims-buffer is {found}, and must be a map")]
    NotAMap {
        /// What it is.
        found: &'static str,
    },
    /// A claim's name is not a text.
    #[error("a claim is named by {found}, and must be named by a text")]
    Name {
        /// What it is named by.
        found: &'static str,
    },
    /// A claim's value is not a byte string.
    #[error("claim `{name}` is {found}, and must be a byte string")]
    Value {
        /// The claim.
        name: String,
        /// What it is.
        found: &'static str,
    },
    /// There is no `pubkey-hash`.
    #[error("the claims-buffer has no `pubkey-hash`: it binds no key")]
    KeyMissing,
    /// `pubkey-hash` is not an array of a number and a byte string.
    #[error("claim `pubkey-hash` is not an array of a hash's number and its bytes")]
    KeyShape,
    /// `pubkey-hash` names a hash that is not read here.
    #[error("claim `pubkey-hash` names hash {number}; known are 1, 7 and 8")]
    HashUnknown {
        /// The number.
        number: u64,
    },
    /// `pubkey-hash` is not as long as its hash.
    #[error("claim `pubkey-hash` has {actual} bytes, and {hash} has {expected}", hash = .hash.as_str())]
    HashLength {
        /// The hash it names.
        hash: NamedHash,
        /// How many bytes that has.
        expected: usize,
        /// How many there are.
        actual: usize,
    },
}

/// A claims-buffer that was read: what its evidence says about the key and the connection it was made
/// for. It holds only for evidence whose report data is its digest.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Claims<'a> {
    hash: NamedHash,
    key: &'a [u8],
    claims: Vec<(&'a str, &'a [u8])>,
}

impl<'a> Claims<'a> {
    /// Reads a claims-buffer: one CBOR map from texts to byte strings, `pubkey-hash` among them. The order
    /// of the map is not checked: real issuers keep none.
    ///
    /// # Errors
    ///
    /// What is not so.
    pub fn parse(buffer: &'a [u8]) -> Result<Self, ClaimsError> {
        let map = match cbor::parse(buffer, &LIMITS)? {
            Item::Map(map) => map,
            other @ (Item::Uint(_)
            | Item::Nint(_)
            | Item::Bytes(_)
            | Item::Text(_)
            | Item::Array(_)
            | Item::Tag(..)
            | Item::Bool(_)
            | Item::Null) => {
                let found = other.kind();
                return Err(ClaimsError::NotAMap { found });
            }
        };
        let mut claims = Vec::new();
        for (name, value) in &map {
            let found = name.kind();
            let name = name.as_text().ok_or(ClaimsError::Name { found })?;
            let value = value.as_bytes().ok_or_else(|| ClaimsError::Value {
                name: name.to_owned(),
                found: value.kind(),
            })?;
            claims.push((name, value));
        }
        let key = claims.iter().find(|(name, _)| *name == PUBKEY_HASH);
        let (_, key) = key.ok_or(ClaimsError::KeyMissing)?;
        let (hash, key) = key_hash(key)?;
        Ok(Self { hash, key, claims })
    }

    /// Which hash of the key it states, and its bytes.
    #[must_use]
    pub const fn key(&self) -> (NamedHash, &'a [u8]) {
        (self.hash, self.key)
    }

    /// Whether it states this key, given as DER `SubjectPublicKeyInfo`.
    #[must_use]
    pub fn states_key(&self, spki: &[u8]) -> bool {
        self.hash.digest(&[spki]) == self.key
    }

    /// The value of a claim.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&'a [u8]> {
        let found = self.claims.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| *value)
    }

    /// All claims, in the order they were written in.
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, &'a [u8])> {
        self.claims.iter().copied()
    }
}

fn key_hash(claim: &[u8]) -> Result<(NamedHash, &[u8]), ClaimsError> {
    let item = cbor::parse(claim, &LIMITS)?;
    let Some([number, bytes]) = item.as_array() else {
        return Err(ClaimsError::KeyShape);
    };
    let (Some(number), Some(bytes)) = (number.as_uint(), bytes.as_bytes()) else {
        return Err(ClaimsError::KeyShape);
    };
    let hash = NamedHash::of_number(number).ok_or(ClaimsError::HashUnknown { number })?;
    let (expected, actual) = (hash.bytes(), bytes.len());
    if expected != actual {
        return Err(ClaimsError::HashLength {
            hash,
            expected,
            actual,
        });
    }
    Ok((hash, bytes))
}

/// The claim that binds the key.
pub(super) const PUBKEY_HASH: &str = "pubkey-hash";

// Real claims-buffers have 51 to 500 bytes.
const LIMITS: Limits = Limits {
    bytes: 64 << 10,
    depth: 4,
    items: 256,
    ..Limits::FOREIGN
};

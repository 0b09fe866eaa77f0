//! Sets of public keys.

use cmcp_json::Value;

use super::{Header, LIMITS, PublicKey};

/// The keys of one issuer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeySet {
    keys: Vec<PublicKey>,
}

/// Why a document is no set of keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SetError {
    /// Not JSON.
    #[error("it is not one JSON text")]
    Json,
    /// Not an object with a list of keys.
    #[error("it is not an object with a list `keys`")]
    Shape,
    /// More keys than anybody has.
    #[error("it has more than {MAX_KEYS} keys")]
    Size,
    /// None of the keys can check a signature here.
    #[error("none of its keys is a public key for signatures that is known here")]
    Empty,
}

impl KeySet {
    /// Reads a JSON Web Key Set. Keys that are of no use here are left out: a set may hold keys for
    /// encryption, or of algorithms yet to come.
    ///
    /// # Errors
    /// [`SetError`].
    pub fn parse(document: &[u8]) -> Result<Self, SetError> {
        let document = cmcp_json::parse(document, &LIMITS).map_err(|_| SetError::Json)?;
        Self::of(&document)
    }

    /// The same, of a document that is parsed already.
    ///
    /// # Errors
    /// [`SetError`].
    pub fn of(document: &Value) -> Result<Self, SetError> {
        let keys = document.get("keys").and_then(Value::as_array);
        let keys = keys.ok_or(SetError::Shape)?;
        if keys.len() > MAX_KEYS {
            return Err(SetError::Size);
        }
        let keys: Vec<PublicKey> = keys
            .iter()
            .filter_map(|key| PublicKey::from_jwk(key).ok())
            .collect();
        if keys.is_empty() {
            return Err(SetError::Empty);
        }
        Ok(Self { keys })
    }

    /// The key that a header means: the one of that name, or without a name the only one there is for
    /// the algorithm. Two that could be meant are none.
    #[must_use]
    pub fn find(&self, header: &Header) -> Option<&PublicKey> {
        let named = |key: &&PublicKey| match &header.kid {
            Some(kid) => key.kid() == Some(kid),
            None => true,
        };
        let fitting = |key: &&PublicKey| key.fits(header.algorithm);
        let mut found = self.keys.iter().filter(named).filter(fitting);
        match (found.next(), found.next()) {
            (Some(key), None) => Some(key),
            (Some(_) | None, _) => None,
        }
    }
}

const MAX_KEYS: usize = 100;

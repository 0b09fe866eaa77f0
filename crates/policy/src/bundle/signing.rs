//! Who may sign a bundle, and how a key is revoked without a restart.

use cmcp_evidence::{PublicKey, Sha256Digest, Signature, SignatureError};
use cmcp_json::{Limits, ParseError, Value};

/// The keys a bundle may be signed by. It moves one way only: a revoked key stays revoked, and the
/// successor takes over at most once.
#[derive(Clone, Debug)]
pub struct SigningKeys {
    current: Option<PublicKey>,
    successor: Option<PublicKey>,
    revoked: Vec<PublicKey>,
}

/// Why keys cannot be pinned together.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum KeysError {
    /// The successor is the current key.
    #[error("the successor signing key is the current one: pin a key that is kept apart from it")]
    Same,
}

/// Why a bundle's signature was refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum BundleSignatureError {
    /// Every pinned key is revoked.
    #[error("every pinned policy signing key is revoked: pin a new one and restart")]
    AllRevoked,
    /// The text is not a signature.
    #[error("`manifest.json`: `signature` is not 64 bytes in base64url")]
    Encoding,
    /// It does not hold under the pinned key.
    #[error(
        "the bundle's signature does not hold under the pinned key `{current}`: sign its hash with that key"
    )]
    Mismatch {
        /// Id of the pinned key.
        current: Sha256Digest,
    },
    /// There is none, though a key is pinned.
    #[error("`manifest.json` has no `signature`, though a signing key is pinned: sign the bundle")]
    Missing,
    /// It was made by a revoked key.
    #[error("the bundle is signed by the revoked key `{key}`: sign it with the current one")]
    Revoked {
        /// Id of that key.
        key: Sha256Digest,
    },
}

/// What came of a file of revocations. One bad statement does not stop a good one.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Revocations {
    /// Ids of the keys revoked by it, in order; known revocations are not listed again.
    pub applied: Vec<Sha256Digest>,
    /// Statements refused: their place in the array, and why.
    pub refused: Vec<(usize, RevocationError)>,
}

/// Why a revocation was refused.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum RevocationError {
    /// The file is not an array of statements.
    #[error("the revocation file is not a JSON array of statements")]
    Shape,
    /// The file is not JSON that has one reading.
    #[error("the revocation file cannot be read: {0}")]
    Syntax(ParseError),
    /// A statement without its members.
    #[error(
        "a revocation has the members `revoked_key_id` (`sha256:…`) and `signature` (base64url)"
    )]
    Statement,
    /// Neither key signed it.
    #[error("the revocation of `{key}` is signed by neither the current nor the successor key")]
    Signature {
        /// The key that it speaks of.
        key: Sha256Digest,
    },
    /// Only the current key can be revoked.
    #[error("`{key}` is not the current signing key: only that one can be revoked")]
    NotCurrent {
        /// The key that it speaks of.
        key: Sha256Digest,
    },
}

/// What a key is named by: the digest of its 32 bytes.
#[must_use]
pub fn key_id(key: &PublicKey) -> Sha256Digest {
    Sha256Digest::of(key.as_bytes())
}

impl SigningKeys {
    /// The pinned key, and the one that may revoke and follow it.
    ///
    /// # Errors
    ///
    /// The two are one.
    pub fn new(current: PublicKey, successor: Option<PublicKey>) -> Result<Self, KeysError> {
        if successor == Some(current) {
            return Err(KeysError::Same);
        }
        Ok(Self {
            current: Some(current),
            successor,
            revoked: Vec::new(),
        })
    }

    /// The key that bundles are to be signed by; none once all are revoked.
    #[must_use]
    pub fn current(&self) -> Option<&PublicKey> {
        self.current.as_ref()
    }

    /// Ids of the revoked keys, in the order of their revocation.
    #[must_use]
    pub fn revoked_ids(&self) -> Vec<Sha256Digest> {
        self.revoked.iter().map(key_id).collect()
    }

    /// Whether a bundle signed by this key may no longer decide anything.
    #[must_use]
    pub fn is_revoked(&self, key: &Sha256Digest) -> bool {
        self.revoked.iter().any(|revoked| key_id(revoked) == *key)
    }

    /// Applies every statement of a revocation file.
    pub fn revoke(&mut self, file: &[u8]) -> Revocations {
        let mut outcome = Revocations::default();
        let document = match cmcp_json::parse(file, &Limits::DOCUMENT) {
            Ok(document) => document,
            Err(error) => {
                outcome.refused.push((0, RevocationError::Syntax(error)));
                return outcome;
            }
        };
        let Some(statements) = document.as_array() else {
            outcome.refused.push((0, RevocationError::Shape));
            return outcome;
        };
        for (place, statement) in statements.iter().enumerate() {
            match self.apply(statement) {
                Ok(key) => outcome.applied.extend(key),
                Err(error) => outcome.refused.push((place, error)),
            }
        }
        outcome
    }

    fn apply(&mut self, statement: &Value) -> Result<Option<Sha256Digest>, RevocationError> {
        let text = |name| statement.get(name).and_then(Value::as_str);
        let (Some(id), Some(by)) = (text("revoked_key_id"), text("signature")) else {
            return Err(RevocationError::Statement);
        };
        let key = id
            .parse::<Sha256Digest>()
            .map_err(|_| RevocationError::Statement)?;
        if self.is_revoked(&key) {
            return Ok(None);
        }
        let current = self.current.filter(|current| key_id(current) == key);
        let current = current.ok_or(RevocationError::NotCurrent { key })?;
        let message = format!("cmcp-policy-key-revocation-v1|{key}");
        let by = signature(by).map_err(|_| RevocationError::Signature { key })?;
        let signed = [self.successor, Some(current)]
            .into_iter()
            .flatten()
            .any(|signer| signer.verify(message.as_bytes(), &by).is_ok());
        if !signed {
            return Err(RevocationError::Signature { key });
        }
        self.revoked.push(current);
        self.current = self.successor.take();
        Ok(Some(key))
    }

    pub(super) fn verify(
        &self,
        message: &[u8],
        signature: &Signature,
    ) -> Result<Sha256Digest, BundleSignatureError> {
        let current = self.current.ok_or(BundleSignatureError::AllRevoked)?;
        if current.verify(message, signature).is_ok() {
            return Ok(key_id(&current));
        }
        let revoked = self
            .revoked
            .iter()
            .find(|key| key.verify(message, signature).is_ok());
        Err(match revoked {
            Some(key) => BundleSignatureError::Revoked { key: key_id(key) },
            None => BundleSignatureError::Mismatch {
                current: key_id(&current),
            },
        })
    }
}

/// The signature in a text; its Python writers pad it.
pub(super) fn signature(text: &str) -> Result<Signature, SignatureError> {
    Signature::from_b64url(text.strip_suffix("==").unwrap_or(text))
}

//! What a signature over a log stands for.

use cmcp_evidence::{PublicKey, Sha256Digest, Signature, SignatureError, SigningKey, Timestamp};
use cmcp_json::{Object, Value};
use serde::Deserialize;

use crate::audit::{Chain, Count};

/// Size and root of a log at a moment.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Checkpoint {
    /// The log's id.
    pub log: String,
    /// Root of the tree over all entries.
    pub root: Sha256Digest,
    /// Number of entries.
    pub size: u64,
    /// When it was made.
    pub time: Timestamp,
}

impl Checkpoint {
    /// Of the log as it is now.
    #[must_use]
    pub fn of(chain: &Chain, time: Timestamp) -> Self {
        Self {
            log: chain.log().to_owned(),
            root: chain.root(),
            size: chain.size(),
            time,
        }
    }

    /// With a signature under its own tag.
    #[must_use]
    pub fn sign(self, key: &SigningKey) -> SignedCheckpoint {
        let signature = key.sign(&self.signed_bytes());
        SignedCheckpoint {
            checkpoint: self,
            key: key.public(),
            signature,
        }
    }

    /// The members as they stand in an export.
    #[must_use]
    pub fn to_value(&self) -> Value {
        Value::Object(Object::from([
            ("log", Value::from(self.log.as_str())),
            ("root", Value::from(self.root)),
            ("size", Value::from(self.size)),
            ("time", Value::from(self.time.rfc3339())),
        ]))
    }

    /// Reads the members back; `None` unless they are exactly those.
    #[must_use]
    pub fn from_value(value: &Value) -> Option<Self> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Members {
            log: String,
            root: Sha256Digest,
            size: u64,
            time: String,
        }

        let Members {
            log,
            root,
            size,
            time,
        } = cmcp_json::from_value(value).ok()?;
        let time = Timestamp::parse_rfc3339(&time).ok()?;
        let checkpoint = Self {
            log,
            root,
            size,
            time,
        };
        (size <= Count::MAX && checkpoint.to_value() == *value).then_some(checkpoint)
    }

    /// Tag, and the members in canonical JSON: they are declared in its order.
    fn signed_bytes(&self) -> Vec<u8> {
        let mut bytes = TAG.to_vec();
        bytes.extend_from_slice(&self.to_value().to_vec());
        bytes
    }
}

/// A checkpoint and who says so.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SignedCheckpoint {
    /// What is said.
    pub checkpoint: Checkpoint,
    /// Who says so.
    pub key: PublicKey,
    /// Over the checkpoint, under its own tag.
    pub signature: Signature,
}

impl SignedCheckpoint {
    /// Checks the signature under `key`, which the caller trusts for reasons of its own.
    ///
    /// # Errors
    /// The signature is not that key's over this checkpoint.
    pub fn verify(&self, key: &PublicKey) -> Result<(), SignatureError> {
        key.verify(&self.checkpoint.signed_bytes(), &self.signature)
    }
}

const TAG: &[u8] = b"cmcp/checkpoint/v1\0";

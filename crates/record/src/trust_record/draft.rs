//! Building and signing a record of our own.

use cmcp_evidence::{
    NonceError, Platform, PublicKey, Sha256Digest, SigningKey, Timestamp, check_nonce,
};
use cmcp_json::{Form, Object, Value};

use super::schema::{PROFILE, RECORD, SOFTWARE_ONLY};
use super::{Digest, Violation};

/// What a gateway states about a session, before it is signed.
#[derive(Clone, Debug)]
pub struct RecordDraft {
    /// When the record is made.
    pub issued_at: Timestamp,
    /// `spiffe://<trust domain>/gateway/<id>`.
    pub subject: String,
    /// The policy in force.
    pub policy: Policy,
    /// The session's final sensitivity.
    pub data_class: String,
    /// The session's audit log.
    pub transcript: Transcript,
    /// The binary or image that ran.
    pub binary: Digest,
    /// The platform it ran on.
    pub runtime: Runtime,
    /// The verifier's challenge, copied unchanged.
    pub challenge: Option<String>,
}

/// The policy in force.
#[derive(Clone, Debug)]
pub struct Policy {
    /// The bundle's hash.
    pub bundle_hash: Digest,
    /// The bundle's version; left out when empty.
    pub version: String,
    /// What became of a denial.
    pub enforcement: Enforcement,
}

/// What became of a denial. A mode in which a denied call may pass is [`Self::Advisory`], whatever
/// it is called in the configuration; a gateway never merely declares a policy.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Enforcement {
    /// The call could pass.
    Advisory,
    /// The call was refused.
    Enforce,
    /// The call was refused and the operational log kept still.
    Silent,
}

impl Enforcement {
    /// The word in the record.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Advisory => "advisory",
            Self::Enforce => "enforce",
            Self::Silent => "silent",
        }
    }
}

/// The session's audit log, as the record commits to it.
#[derive(Clone, Copy, Debug)]
pub struct Transcript {
    /// The root of the log's tree.
    pub root: Sha256Digest,
    /// One for each call received, whatever became of it.
    pub calls: u64,
}

/// The platform a gateway ran on.
#[derive(Clone, Copy, Debug)]
pub enum Runtime {
    /// Measured by hardware.
    Hardware {
        /// The platform.
        platform: Platform,
        /// What it measured.
        measurement: Digest,
    },
    /// No hardware: the measurement is zero and says so.
    Software,
}

/// Why a draft cannot be signed.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum DraftError {
    /// The profile has no word for this platform, and another's is never borrowed.
    #[error("the profile has no word for the platform `{0}`")]
    PlatformUnnamed(Platform),
    /// The challenge is not one to answer.
    #[error(transparent)]
    Challenge(#[from] NonceError),
    /// The record would break its schema.
    #[error("the record would break its schema: {}", super::list(.0))]
    Schema(Vec<Violation>),
    /// A number has no canonical form.
    #[error(transparent)]
    Canonical(#[from] cmcp_json::CanonError),
}

impl RecordDraft {
    /// The signed record: RFC 8785 bytes, valid by the profile's schema.
    ///
    /// # Errors
    /// The draft states something the profile has no place for.
    pub fn sign(&self, key: &SigningKey) -> Result<Vec<u8>, DraftError> {
        let mut record = self.members(&key.public())?;
        let preimage = cmcp_json::canonical(&Value::Object(record.clone()), Form::JcsStrict)?;
        record.insert("signature", key.sign(&preimage).to_b64url());
        let violations = RECORD.violations(&record);
        if !violations.is_empty() {
            return Err(DraftError::Schema(violations));
        }
        Ok(cmcp_json::canonical(
            &Value::Object(record),
            Form::JcsStrict,
        )?)
    }

    fn members(&self, key: &PublicKey) -> Result<Object, DraftError> {
        let Self {
            issued_at,
            subject,
            policy,
            data_class,
            transcript,
            binary,
            runtime,
            challenge,
        } = self;
        Ok(Object::from([
            ("eat_profile", Value::from(PROFILE)),
            ("iat", Value::from(issued_at.unix_seconds())),
            ("subject", Value::from(subject.as_str())),
            (
                "model",
                object([("provider", "none"), ("model_id", "none")]),
            ),
            ("runtime", runtime.value(challenge.as_deref())?),
            ("policy", policy.value()),
            ("data_class", Value::from(data_class.as_str())),
            (
                "tool_transcript",
                object([
                    ("hash", Value::from(transcript.root.to_string())),
                    ("call_count", Value::from(transcript.calls)),
                ]),
            ),
            (
                "build_provenance",
                object([
                    // No provenance attestation is at hand, so no level is claimed.
                    ("slsa_level", Value::from(0_i64)),
                    ("digest", Value::from(binary.to_string())),
                ]),
            ),
            (
                "appraisal",
                // Another party's to give: a gateway that affirmed itself would say nothing.
                object([("status", "none"), ("verifier", VERIFIER)]),
            ),
            ("cnf", object([("jwk", key.jwk())])),
        ]))
    }
}

/// Where our records say their (absent) appraisal comes from.
const VERIFIER: &str = "https://cmcp.dev/gateway";

fn object<V: Into<Value>, const N: usize>(members: [(&str, V); N]) -> Value {
    Value::Object(members.into_iter().collect())
}

impl Policy {
    fn value(&self) -> Value {
        let Self {
            bundle_hash,
            version,
            enforcement,
        } = self;
        let mut policy = Object::from([
            ("bundle_hash", bundle_hash.to_string()),
            ("enforcement_mode", enforcement.as_str().to_owned()),
        ]);
        if !version.is_empty() {
            policy.insert("version", version.as_str());
        }
        Value::Object(policy)
    }
}

impl Runtime {
    fn value(self, challenge: Option<&str>) -> Result<Value, DraftError> {
        let (platform, measurement) = match self {
            Self::Software => (
                SOFTWARE_ONLY,
                Digest::Sha256(Sha256Digest::from_bytes([0; 32])),
            ),
            Self::Hardware {
                platform,
                measurement,
            } => match platform.trace_name() {
                Some(name) if name != SOFTWARE_ONLY => (name, measurement),
                Some(_) | None => return Err(DraftError::PlatformUnnamed(platform)),
            },
        };
        let mut runtime = Object::from([
            ("platform", platform.to_owned()),
            ("measurement", measurement.to_string()),
        ]);
        if let Some(challenge) = challenge {
            check_nonce(challenge)?;
            runtime.insert("nonce", challenge);
        }
        Ok(Value::Object(runtime))
    }
}

#[cfg(test)]
mod tests;

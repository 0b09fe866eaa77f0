//! The TRACE v0.2 trust record: drafted, signed, and read back strictly.
//!
//! Reading establishes the document only: one strict JSON object under an accepted profile, closed
//! by its schema, with a signature that is well spelled. Whether the signature holds and whose key
//! made it is for [`crate::verify`].

use std::fmt;
use std::str::FromStr;

use cmcp_evidence::{PublicKey, Sha256Digest, Sha384Digest, Signature, b64};
use cmcp_json::{CanonError, Form, Limits, Object, ParseError, ParseErrorKind, Value};

use crate::code::Code;

mod draft;
pub(crate) mod schema;

pub use crate::shape::{Problem, Violation};
pub use draft::{DraftError, Enforcement, Policy, RecordDraft, Runtime, Transcript};
pub use schema::{PROFILE, PROFILE_V0_3};

/// A digest as TRACE writes it: `sha256:` or `sha384:` and lower-case hexadecimal.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Digest {
    /// 32 bytes.
    Sha256(Sha256Digest),
    /// 48 bytes.
    Sha384(Sha384Digest),
}

impl Digest {
    /// Whether every byte is zero: what a producer without a measurement writes.
    #[must_use]
    pub fn is_zero(&self) -> bool {
        match self {
            Self::Sha256(digest) => digest.as_bytes().iter().all(|byte| *byte == 0),
            Self::Sha384(digest) => digest.as_bytes().iter().all(|byte| *byte == 0),
        }
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sha256(digest) => digest.fmt(f),
            Self::Sha384(digest) => digest.fmt(f),
        }
    }
}

/// Why a text is no digest.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("not a digest: write `sha256:` and 64, or `sha384:` and 96, lower-case hexadecimal digits")]
pub struct DigestError;

impl FromStr for Digest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        if text.starts_with("sha384:") {
            text.parse().map(Self::Sha384).map_err(|_| DigestError)
        } else {
            text.parse().map(Self::Sha256).map_err(|_| DigestError)
        }
    }
}

impl From<Sha256Digest> for Digest {
    fn from(digest: Sha256Digest) -> Self {
        Self::Sha256(digest)
    }
}

impl From<Sha384Digest> for Digest {
    fn from(digest: Sha384Digest) -> Self {
        Self::Sha384(digest)
    }
}

/// The profiles a verifier accepts: at least one, and each one it has a schema for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AcceptedProfiles(Vec<&'static str>);

impl AcceptedProfiles {
    /// TRACE v0.2 alone.
    #[must_use]
    pub fn v0_2() -> Self {
        Self(vec![PROFILE])
    }

    /// TRACE v0.2, and the draft of v0.3 that carries evidence inside the record.
    #[must_use]
    pub fn with_draft() -> Self {
        Self(vec![PROFILE, PROFILE_V0_3])
    }

    /// The set a caller declares. The draft is none that a set can name: see [`Self::with_draft`].
    ///
    /// # Errors
    /// The set is empty, or names a profile whose shape cannot be checked here; v0.1 is one.
    pub fn new<'a>(profiles: impl IntoIterator<Item = &'a str>) -> Result<Self, ProfilesError> {
        let known = profiles
            .into_iter()
            .map(|profile| {
                SCHEMAED
                    .iter()
                    .copied()
                    .find(|known| *known == profile)
                    .ok_or_else(|| ProfilesError::Unschemaed(profile.to_owned()))
            })
            .collect::<Result<Vec<_>, _>>()?;
        if known.is_empty() {
            return Err(ProfilesError::Empty);
        }
        Ok(Self(known))
    }

    /// The accepted profiles, as declared.
    #[must_use]
    pub fn as_slice(&self) -> &[&'static str] {
        &self.0
    }
}

/// The profiles this build carries a schema for.
const SCHEMAED: &[&str] = &[PROFILE];

/// Why a set of profiles can not be accepted.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ProfilesError {
    /// Nothing is accepted, so nothing can be verified.
    #[error("no profile is accepted: name at least `{PROFILE}`")]
    Empty,
    /// There is no schema for this profile.
    #[error("there is no schema for the profile `{0}`: accept only `{PROFILE}`")]
    Unschemaed(String),
}

impl ProfilesError {
    /// The word of this error.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::Empty => Code::NoAcceptedProfiles,
            Self::Unschemaed(_) => Code::UnschemaedProfile,
        }
    }
}

/// A document of the accepted profile: well formed, and not yet believed.
#[derive(Clone, Debug)]
pub struct TrustRecord {
    object: Object,
    /// What the signature covers.
    preimage: Vec<u8>,
    signature: Signature,
}

impl TrustRecord {
    /// Reads a record strictly.
    ///
    /// # Errors
    /// The first thing that keeps the bytes from being a record of an accepted profile.
    pub fn parse(bytes: &[u8], accepted: &AcceptedProfiles) -> Result<Self, RecordError> {
        Self::from_value(cmcp_json::parse(bytes, &Limits::DOCUMENT)?, accepted)
    }

    /// Reads a record from a value that was parsed strictly.
    ///
    /// # Errors
    /// As [`Self::parse`].
    pub fn from_value(value: Value, accepted: &AcceptedProfiles) -> Result<Self, RecordError> {
        let preimage = cmcp_json::canonical_without(&value, "signature", Form::JcsStrict)?;
        let Value::Object(object) = value else {
            return Err(RecordError::NotAnObject);
        };
        check_profile(&object, accepted)?;
        let signature = read_signature(&object)?;
        let draft = object.get("eat_profile").and_then(Value::as_str) == Some(PROFILE_V0_3);
        let shape = if draft {
            &schema::RECORD_V0_3
        } else {
            &schema::RECORD
        };
        let violations = shape.violations(&object);
        if !violations.is_empty() {
            return Err(RecordError::Schema(violations));
        }
        Ok(Self {
            object,
            preimage,
            signature,
        })
    }

    /// The document's members.
    #[must_use]
    pub fn members(&self) -> &Object {
        &self.object
    }

    /// The string at this place, if there is one.
    #[must_use]
    pub fn text(&self, path: &[&str]) -> Option<&str> {
        self.at(path).and_then(Value::as_str)
    }

    /// The integer at this place, if there is one.
    #[must_use]
    pub fn integer(&self, path: &[&str]) -> Option<i64> {
        self.at(path).and_then(Value::as_i64)
    }

    fn at(&self, path: &[&str]) -> Option<&Value> {
        let (first, rest) = path.split_first()?;
        rest.iter()
            .try_fold(self.object.get(first)?, |value, name| value.get(name))
    }

    /// The bytes the signature covers: RFC 8785 of everything but the signature.
    #[must_use]
    pub fn preimage(&self) -> &[u8] {
        &self.preimage
    }

    /// The signature, not yet checked.
    #[must_use]
    pub fn signature(&self) -> &Signature {
        &self.signature
    }

    /// The confirmation key the record names.
    ///
    /// # Errors
    /// The key is of a type or form that is not supported.
    pub fn confirmation_key(&self) -> Result<PublicKey, KeyError> {
        read_key(self.at(&["cnf", "jwk"]))
    }

    /// What an anchor covers: the second canonical form of the whole record, signature included.
    ///
    /// # Errors
    /// A number in the signature's place has no such form.
    pub fn anchor_bytes(&self) -> Result<Vec<u8>, CanonError> {
        cmcp_json::canonical(&Value::Object(self.object.clone()), Form::AsciiStrict)
    }
}

pub(crate) fn check_profile(
    object: &Object,
    accepted: &AcceptedProfiles,
) -> Result<(), RecordError> {
    match object.get("eat_profile").and_then(Value::as_str) {
        None | Some("") => Err(RecordError::ProfileAbsent),
        Some(profile) if accepted.0.contains(&profile) => Ok(()),
        Some(profile) => Err(RecordError::ProfileNotAccepted(profile.to_owned())),
    }
}

pub(crate) fn read_signature(object: &Object) -> Result<Signature, RecordError> {
    let signature = object
        .get("signature")
        .ok_or(RecordError::SignatureAbsent)?;
    signature
        .as_str()
        .and_then(|text| Signature::from_b64url(text).ok())
        .ok_or(RecordError::SignatureEncoding)
}

/// Why bytes are no record of an accepted profile.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum RecordError {
    /// Not strict JSON.
    #[error(transparent)]
    Json(#[from] ParseError),
    /// A value without canonical form.
    #[error(transparent)]
    Canonical(#[from] CanonError),
    /// JSON, but no object.
    #[error("a record is one JSON object")]
    NotAnObject,
    /// The profile is absent or empty.
    #[error("`eat_profile` is absent: a verifier cannot suppose what a record means")]
    ProfileAbsent,
    /// Another profile.
    #[error("the profile `{0}` is not accepted")]
    ProfileNotAccepted(String),
    /// No signature.
    #[error("`signature` is absent")]
    SignatureAbsent,
    /// A signature in another spelling.
    #[error("`signature` is not 64 bytes in canonical base64url without padding")]
    SignatureEncoding,
    /// The schema is broken in these places.
    #[error("the record breaks its schema: {}", list(.0))]
    Schema(Vec<Violation>),
}

fn list(violations: &[Violation]) -> String {
    let texts: Vec<String> = violations.iter().map(ToString::to_string).collect();
    texts.join("; ")
}

impl RecordError {
    /// The word of this error.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::Json(error) => match error.kind {
                ParseErrorKind::DuplicateMember => Code::DuplicateMember,
                ParseErrorKind::Depth(_) => Code::NestingTooDeep,
                ParseErrorKind::NumberRange | ParseErrorKind::NumberSize(_) => {
                    Code::NumberOutOfDomain
                }
                ParseErrorKind::Size(_)
                | ParseErrorKind::Utf8
                | ParseErrorKind::ByteOrderMark
                | ParseErrorKind::End
                | ParseErrorKind::Value
                | ParseErrorKind::MemberName
                | ParseErrorKind::Colon
                | ParseErrorKind::ArrayEnd
                | ParseErrorKind::ObjectEnd
                | ParseErrorKind::TrailingData
                | ParseErrorKind::Members(_)
                | ParseErrorKind::MembersOfObject(_)
                | ParseErrorKind::Elements(_)
                | ParseErrorKind::StringSize(_)
                | ParseErrorKind::ControlCharacter
                | ParseErrorKind::Escape
                | ParseErrorKind::LoneSurrogate
                | ParseErrorKind::Nul
                | ParseErrorKind::Number
                | ParseErrorKind::StreamedArray => Code::JsonMalformed,
            },
            Self::Canonical(CanonError::Depth(_)) => Code::NestingTooDeep,
            Self::Canonical(CanonError::Fraction(_) | CanonError::Integer(_)) => {
                Code::NumberOutOfDomain
            }
            Self::NotAnObject => Code::JsonMalformed,
            Self::ProfileAbsent => Code::ProfileAbsent,
            Self::ProfileNotAccepted(_) => Code::ProfileNotAccepted,
            Self::SignatureAbsent => Code::SignatureAbsent,
            Self::SignatureEncoding => Code::SignatureEncoding,
            Self::Schema(_) => Code::SchemaViolation,
        }
    }
}

/// A key the caller trusts, with the names a revocation may know it by.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TrustedKey {
    key: PublicKey,
    id: Option<String>,
}

impl TrustedKey {
    /// A key known by its thumbprint alone.
    #[must_use]
    pub fn new(key: PublicKey) -> Self {
        Self { key, id: None }
    }

    /// A key from a JSON Web Key, with its `kid`.
    ///
    /// # Errors
    /// The key is not Ed25519 in canonical form.
    pub fn from_jwk(jwk: &Value) -> Result<Self, KeyError> {
        let key = read_key(Some(jwk))?;
        let id = jwk
            .get("kid")
            .and_then(Value::as_str)
            .filter(|id| !id.is_empty());
        Ok(Self {
            key,
            id: id.map(str::to_owned),
        })
    }

    /// The key.
    #[must_use]
    pub fn key(&self) -> &PublicKey {
        &self.key
    }

    /// Whether a list that speaks of `id` speaks of this key.
    #[must_use]
    pub fn is_called(&self, id: &str) -> bool {
        id == thumbprint(&self.key) || self.id.as_deref() == Some(id)
    }
}

/// The RFC 7638 thumbprint in base64url, as revocations and reports name a key.
#[must_use]
pub fn thumbprint(key: &PublicKey) -> String {
    b64::encode(key.thumbprint().as_bytes())
}

/// Why a JSON Web Key cannot be used.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum KeyError {
    /// No public verifier supports this type.
    #[error("key type `{kty}` with curve `{curve}` is not supported: use `OKP` with `Ed25519`")]
    Unsupported {
        /// The key's `kty`.
        kty: String,
        /// The key's `crv`.
        curve: String,
    },
    /// The public point is misspelled or unsafe.
    #[error("`x` is not an Ed25519 public key in canonical base64url")]
    Point,
}

/// The Ed25519 key in a JSON Web Key.
pub(crate) fn read_key(jwk: Option<&Value>) -> Result<PublicKey, KeyError> {
    let member = |name: &str| jwk.and_then(|jwk| jwk.get(name)).and_then(Value::as_str);
    match (member("kty"), member("crv")) {
        (Some("OKP"), Some("Ed25519")) => member("x")
            .and_then(|x| PublicKey::from_b64url(x).ok())
            .ok_or(KeyError::Point),
        (kty, curve) => Err(KeyError::Unsupported {
            kty: kty.unwrap_or_default().to_owned(),
            curve: curve.unwrap_or_default().to_owned(),
        }),
    }
}

#[cfg(test)]
pub(crate) mod tests;

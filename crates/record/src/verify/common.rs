//! The checks that records and claims share.

use std::fmt;
use std::time::Duration;

use cmcp_evidence::{PublicKey, Signature, Timestamp};
use subtle::ConstantTimeEq;

use super::report::{Check, Document, Field, Report};
use super::{Expectations, Freshness, Pin};
use crate::code::Code;
use crate::revocation::{Finding, Outlives};
use crate::trust_record::schema::{PROFILE_V0_1, SOFTWARE_ONLY};
use crate::trust_record::{Digest, KeyError, PROFILE, RecordError, TrustedKey, thumbprint};

/// The report of bytes that are no document to judge.
pub(super) fn malformed(document: Document, error: &RecordError) -> Report {
    let (field, expected, remedy) = match error {
        RecordError::Json(_) | RecordError::NotAnObject => {
            (Field::Schema, "one strict JSON object", None)
        }
        RecordError::Canonical(_) => (
            Field::Schema,
            "integers within ±(2^53−1), at most 64 levels deep",
            None,
        ),
        RecordError::ProfileAbsent => (Field::Schema, PROFILE, None),
        RecordError::ProfileNotAccepted(profile) => (
            Field::Schema,
            PROFILE,
            (profile == PROFILE_V0_1)
                .then_some("a v0.1 document is legacy: it can be read, and nothing can verify it"),
        ),
        RecordError::SignatureAbsent | RecordError::SignatureEncoding => (
            Field::Signature,
            "64 bytes in canonical base64url without padding",
            None,
        ),
        RecordError::Schema(_) => (Field::Schema, "a document closed by its profile", None),
    };
    let mut check = Check::fail(field, error.code())
        .expected(expected)
        .actual(error);
    check.remedy = remedy;
    Report::unverified(document, check)
}

/// What is known about revocation of the key that matters: the trusted one, or for want of it the
/// record's own.
pub(super) fn revocation(
    expectations: &Expectations,
    own: &Result<PublicKey, KeyError>,
    now: Timestamp,
    checks: &mut Vec<Check>,
) -> Finding {
    let finding = match (&expectations.trusted_key, own) {
        (Pin::Pinned(key), _) => expectations.revocation.consult(key, now),
        (Pin::NotPinned, Ok(key)) => expectations.revocation.consult(&TrustedKey::new(*key), now),
        (Pin::NotPinned, Err(_)) => Finding::NoCheckPerformed,
    };
    let field = Field::KeyRevocation;
    checks.extend(match &finding {
        Finding::NoCheckPerformed => None,
        Finding::Verified { .. } => Some(Check::pass(field)),
        Finding::Unverified { cause, .. } => Some(
            Check::not_established(field, Code::RevocationUnverified)
                .actual(cause.as_str())
                .remedy("get a current revocation bundle from a signer you trust with them"),
        ),
        Finding::Revoked {
            named,
            outlives_bundle,
        } => {
            let check = Check::fail(field, Code::KeyRevoked)
                .expected("a key nobody revoked")
                .actual(named);
            Some(match outlives_bundle {
                Outlives::Nothing => check,
                Outlives::Bundle => {
                    check.remedy("the statement holds though its bundle is out of date")
                }
            })
        }
    });
    finding
}

/// Whether the record names the key the caller trusts.
pub(super) fn trusted_key(pin: &Pin<TrustedKey>, own: &Result<PublicKey, KeyError>) -> Check {
    let field = Field::TrustedPublicKey;
    match (pin, own) {
        (_, Err(error)) => Check::fail(field, Code::KeyUnsupported)
            .expected("an Ed25519 key")
            .actual(error),
        (Pin::NotPinned, Ok(key)) => Check::skip(
            field,
            "not pinned: the record is consistent with the key it names, whose key that is nobody said",
        )
        .code(Code::TrustedKeyAbsent)
        .actual(key.hex()),
        (Pin::Pinned(trusted), Ok(key)) => {
            let same = trusted
                .key()
                .thumbprint()
                .as_bytes()
                .ct_eq(key.thumbprint().as_bytes());
            if bool::from(same) {
                Check::pass(field)
            } else {
                Check::fail(field, Code::KeyMismatch)
                    .expected(thumbprint(trusted.key()))
                    .actual(thumbprint(key))
            }
        }
    }
}

/// Whether the signature holds under the key the record names.
pub(super) fn signature(
    own: &Result<PublicKey, KeyError>,
    preimage: &[u8],
    signature: &Signature,
) -> Check {
    let field = Field::Signature;
    match own {
        Ok(key) if key.verify(preimage, signature).is_ok() => Check::pass(field),
        Ok(key) => Check::fail(field, Code::SignatureInvalid)
            .expected(format_args!("a signature by {}", thumbprint(key)))
            .actual("one that does not verify"),
        Err(_) => Check::fail(field, Code::SignatureInvalid)
            .expected("a signature by an Ed25519 key")
            .actual("no such key"),
    }
}

/// Whether a moment lies within the caller's bounds; what is wrong with it otherwise.
pub(super) fn age(freshness: Freshness, issued: i64, now: Timestamp) -> Result<(), Check> {
    let Freshness::Checked { max_age, max_skew } = freshness else {
        return Ok(());
    };
    let field = Field::AttestationFreshness;
    let age = now.unix_seconds().saturating_sub(issued);
    if age.saturating_neg() > seconds(max_skew) {
        return Err(Check::fail(field, Code::IssuedInFuture)
            .expected(format_args!("at most {} s ahead of now", seconds(max_skew)))
            .actual(format_args!("{} s ahead", age.saturating_neg())));
    }
    if age > seconds(max_age) {
        return Err(Check::fail(field, Code::Stale)
            .expected(format_args!("at most {} s old", seconds(max_age)))
            .actual(format_args!("{age} s old")));
    }
    Ok(())
}

/// The line about time, when nothing is wrong with it.
pub(super) fn fresh(freshness: Freshness) -> Check {
    match freshness {
        Freshness::Checked { .. } => Check::pass(Field::AttestationFreshness),
        Freshness::NotChecked => Check::skip(Field::AttestationFreshness, "not asked for"),
    }
}

fn seconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)
}

/// The line about the caller's challenge, when there was one.
pub(super) fn challenge(pin: &Pin<String>, nonce: Option<&str>) -> Option<Check> {
    let Pin::Pinned(challenge) = pin else {
        return None;
    };
    let field = Field::Challenge;
    Some(match nonce {
        None => Check::fail(field, Code::NonceAbsent)
            .expected(challenge)
            .actual("no `runtime.nonce`"),
        Some(nonce) if bool::from(nonce.as_bytes().ct_eq(challenge.as_bytes())) => {
            Check::pass(field)
        }
        Some(nonce) => Check::fail(field, Code::NonceMismatch)
            .expected(challenge)
            .actual(nonce),
    })
}

/// Whether a stated value is the pinned one.
pub(super) fn pinned(
    field: Field,
    code: Code,
    pin: &Pin<Digest>,
    stated: impl fmt::Display,
) -> Check {
    match pin {
        Pin::NotPinned => Check::skip(field, "not pinned").actual(stated),
        Pin::Pinned(expected) if expected.to_string() == stated.to_string() => Check::pass(field),
        Pin::Pinned(expected) => Check::fail(field, code).expected(expected).actual(stated),
    }
}

/// The line about what ran.
pub(super) fn launch_measurement(
    pin: &Pin<Vec<Digest>>,
    platform: &str,
    measurement: &str,
) -> Check {
    let field = Field::LaunchMeasurement;
    let stated = measurement.parse::<Digest>();
    if platform != SOFTWARE_ONLY && stated.is_ok_and(|digest| digest.is_zero()) {
        return Check::fail(field, Code::MeasurementMismatch)
            .expected(format_args!("what `{platform}` measured"))
            .actual("zeros: a placeholder");
    }
    match pin {
        Pin::NotPinned => Check::skip(field, "not pinned").actual(measurement),
        Pin::Pinned(approved) if stated.is_ok_and(|digest| approved.contains(&digest)) => {
            Check::pass(field)
        }
        Pin::Pinned(approved) => Check::fail(field, Code::MeasurementMismatch)
            .expected(format_args!(
                "one of {} approved measurements",
                approved.len()
            ))
            .actual(measurement),
    }
}

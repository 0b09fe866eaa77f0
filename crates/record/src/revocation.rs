//! Revocation of record-signing keys: a list of key names, or a signed bundle of statements.
//!
//! The order of the checks is fixed, and a statement that names the key is heeded before any clock
//! is looked at: the bounds on a bundle's age say what its silence is worth, not its speech.
//! No record carries a log position that could place it before a revocation, so a revoked key takes
//! all its records with it.

use std::collections::BTreeSet;
use std::time::Duration;

use cmcp_evidence::{Sha256Digest, Signature, Timestamp};
use cmcp_json::{Form, Object, Value};

use crate::shape::{EPOCH_SECONDS, Rule, Shape, Violation, optional, required};
use crate::trust_record::TrustedKey;

/// Where word of a revocation may come from.
#[derive(Clone, Debug)]
pub enum Source {
    /// A signed bundle.
    Bundle(Box<BundleSource>),
    /// Names of revoked keys: thumbprints or key ids.
    Keys(BTreeSet<String>),
    /// Nothing is looked up, and the report says so.
    NotConsulted,
}

/// A bundle, and what the caller believes of bundles.
#[derive(Clone, Debug)]
pub struct BundleSource {
    /// The bundle, parsed strictly.
    pub bundle: Value,
    /// The keys whose bundles count.
    pub trusted: Vec<TrustedKey>,
    /// How old a bundle may be; its own horizon may be tighter.
    pub max_age: Duration,
    /// How far ahead of the verifier's clock its own may be.
    pub max_skew: Duration,
}

/// What is known about the key.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Finding {
    /// Nothing was consulted.
    NoCheckPerformed,
    /// The key is revoked.
    Revoked {
        /// The name the list or the statement uses.
        named: String,
        /// Whether the bundle that says so is itself past its age, or ahead of its time.
        outlives_bundle: Outlives,
    },
    /// The bundle cannot vouch for its silence.
    Unverified {
        /// Why.
        cause: Cause,
        /// What a second verifier needs to come to the same result.
        facts: Facts,
    },
    /// The key was not revoked, so far as the source can tell.
    Verified {
        /// What a second verifier needs to come to the same result.
        facts: Facts,
    },
}

/// Whether a statement comes in a bundle that is evidence no longer, or not yet.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Outlives {
    /// The bundle is past its age or ahead of its time.
    Bundle,
    /// It does not.
    Nothing,
}

/// What a second verifier needs to come to the same result.
pub type Facts = Object;

/// Why a bundle grounds nothing.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Cause {
    /// Past its own horizon, or older than the caller allows.
    Expired,
    /// Made after now.
    IssuedInFuture,
    /// Signed by a key the caller does not trust with bundles.
    KeyUntrusted,
    /// Not a bundle.
    Malformed,
    /// The signature does not verify.
    SignatureInvalid,
    /// Signed in a way that is not supported.
    SignatureUnsupported,
}

impl Cause {
    /// The word in reports and vectors.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Expired => "bundle_expired",
            Self::IssuedInFuture => "bundle_issued_in_future",
            Self::KeyUntrusted => "bundle_key_untrusted",
            Self::Malformed => "bundle_malformed",
            Self::SignatureInvalid => "bundle_signature_invalid",
            Self::SignatureUnsupported => "bundle_signature_unsupported",
        }
    }
}

impl Source {
    /// What this source says about `key`.
    #[must_use]
    pub fn consult(&self, key: &TrustedKey, now: Timestamp) -> Finding {
        match self {
            Self::NotConsulted => Finding::NoCheckPerformed,
            Self::Keys(revoked) => match revoked.iter().find(|id| key.is_called(id)) {
                Some(named) => Finding::Revoked {
                    named: named.clone(),
                    outlives_bundle: Outlives::Nothing,
                },
                None => Finding::Verified {
                    facts: Facts::from([("source", "list")]),
                },
            },
            Self::Bundle(source) => source.consult(key, now),
        }
    }
}

impl BundleSource {
    fn consult(&self, key: &TrustedKey, now: Timestamp) -> Finding {
        let bundle = match Bundle::read(&self.bundle) {
            Ok(bundle) => bundle,
            Err(finding) => return finding,
        };
        let facts = self.facts(&bundle, now);
        if let Err(cause) = self.authenticate(&bundle) {
            return Finding::Unverified { cause, facts };
        }
        let age = self.age(&bundle, now);
        if let Some(named) = bundle.statements().find(|id| key.is_called(id)) {
            return Finding::Revoked {
                named: named.to_owned(),
                outlives_bundle: match age {
                    Age::Within => Outlives::Nothing,
                    Age::Future | Age::Past(_) => Outlives::Bundle,
                },
            };
        }
        let with = |name: &str, value: Value| {
            let mut facts = facts.clone();
            facts.insert(name, value);
            facts
        };
        match age {
            Age::Future => Finding::Unverified {
                cause: Cause::IssuedInFuture,
                facts: with("max_future_skew_seconds", seconds(self.max_skew).into()),
            },
            Age::Past(bound) => Finding::Unverified {
                cause: Cause::Expired,
                facts: with("bound_tripped", bound.into()),
            },
            Age::Within => Finding::Verified {
                facts: with("statements_count", count(bundle.statements().count())),
            },
        }
    }

    fn facts(&self, bundle: &Bundle<'_>, now: Timestamp) -> Facts {
        Facts::from([
            ("bundle_digest", Value::from(bundle.digest.to_string())),
            ("log_id", Value::from(bundle.log)),
            ("bundle_key_id", Value::from(bundle.key_id)),
            ("alg", Value::from(bundle.algorithm)),
            ("issued_at", Value::from(bundle.issued_at)),
            ("valid_until", Value::from(bundle.valid_until)),
            ("now", Value::from(now.unix_seconds())),
            ("max_bundle_age_seconds", Value::from(seconds(self.max_age))),
        ])
    }

    fn authenticate(&self, bundle: &Bundle<'_>) -> Result<(), Cause> {
        if bundle.algorithm != "ed25519" {
            return Err(Cause::SignatureUnsupported);
        }
        let signer = self
            .trusted
            .iter()
            .find(|key| key.is_called(bundle.key_id))
            .ok_or(Cause::KeyUntrusted)?;
        let signature =
            Signature::from_b64url(bundle.signature).map_err(|_| Cause::SignatureInvalid)?;
        signer
            .key()
            .verify(&bundle.preimage, &signature)
            .map_err(|_| Cause::SignatureInvalid)
    }

    fn age(&self, bundle: &Bundle<'_>, now: Timestamp) -> Age {
        let now = now.unix_seconds();
        if bundle.issued_at > now.saturating_add(seconds(self.max_skew)) {
            return Age::Future;
        }
        let issuer = now > bundle.valid_until;
        let deployment = now.saturating_sub(bundle.issued_at) > seconds(self.max_age);
        match (issuer, deployment) {
            (true, true) => Age::Past("both"),
            (true, false) => Age::Past("issuer"),
            (false, true) => Age::Past("deployment"),
            (false, false) => Age::Within,
        }
    }
}

/// How a bundle's time compares with the verifier's.
enum Age {
    Future,
    /// Which bound was passed.
    Past(&'static str),
    Within,
}

/// A bundle of the right shape, about one log.
struct Bundle<'a> {
    log: &'a str,
    issued_at: i64,
    valid_until: i64,
    statements: &'a [Value],
    key_id: &'a str,
    algorithm: &'a str,
    signature: &'a str,
    preimage: Vec<u8>,
    digest: Sha256Digest,
}

impl<'a> Bundle<'a> {
    fn read(value: &'a Value) -> Result<Self, Finding> {
        let Some(object) = value.as_object() else {
            return Err(malformed("/"));
        };
        // The first by place, so that two verifiers name the same one.
        if let Some(path) = BUNDLE.violations(object).iter().map(reported).min() {
            return Err(malformed(&path));
        }
        let text = |name: &str| object.get(name).and_then(Value::as_str).unwrap_or_default();
        let integer = |name: &str| object.get(name).and_then(Value::as_i64).unwrap_or_default();
        let log = text("log_id");
        let statements = object
            .get("statements")
            .and_then(Value::as_array)
            .unwrap_or_default();
        let elsewhere =
            |statement: &Value| statement.get("log_id").and_then(Value::as_str) != Some(log);
        if let Some(index) = statements.iter().position(elsewhere) {
            return Err(malformed(&format!("statements/{index}/log_id")));
        }
        let sig = |name: &str| {
            let sig = object.get("sig");
            sig.and_then(|sig| sig.get(name))
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        let canonical = |result: Result<Vec<u8>, _>| result.map_err(|_| malformed("/"));
        Ok(Self {
            log,
            issued_at: integer("issued_at"),
            valid_until: integer("valid_until"),
            statements,
            key_id: text("bundle_key_id"),
            algorithm: sig("alg"),
            signature: sig("value"),
            preimage: canonical(cmcp_json::canonical_without(value, "sig", Form::JcsStrict))?,
            // With the signature: two signatures over one content are two pieces of evidence.
            digest: Sha256Digest::of(&canonical(cmcp_json::canonical(value, Form::JcsStrict))?),
        })
    }

    /// The names of the keys that are revoked.
    fn statements(&self) -> impl Iterator<Item = &'a str> {
        self.statements
            .iter()
            .filter_map(|statement| statement.get("compromised_key_id"))
            .filter_map(Value::as_str)
    }
}

fn malformed(path: &str) -> Finding {
    Finding::Unverified {
        cause: Cause::Malformed,
        facts: Facts::from([("path", path)]),
    }
}

/// Where a violation is reported: an object that lacks or exceeds its members is at fault itself.
fn reported(violation: &Violation) -> String {
    use crate::shape::Problem;
    let path = match violation.problem {
        Problem::Absent | Problem::Unknown => violation
            .path
            .rsplit_once('.')
            .map_or("", |(object, _)| object),
        Problem::DivergedWithoutDigest
        | Problem::Empty
        | Problem::EvidenceNotOne
        | Problem::Integer { .. }
        | Problem::KeyMaterial
        | Problem::MethodWithoutResult
        | Problem::NotAttemptedWithoutReason
        | Problem::OriginOnHardware
        | Problem::PrivateKey
        | Problem::ResultWithoutMethod
        | Problem::Not(_)
        | Problem::NotOneOf(_) => &violation.path,
    };
    if path.is_empty() {
        "/".to_owned()
    } else {
        path.replace('.', "/")
    }
}

fn seconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)
}

fn count(number: usize) -> Value {
    Value::from(u64::try_from(number).unwrap_or(u64::MAX))
}

static BUNDLE: Shape = Shape::of(&[
    required("type", Rule::Constant("TraceRevocationBundle/1.0")),
    required("log_id", Rule::Text),
    required("issued_at", EPOCH_SECONDS),
    required("valid_until", EPOCH_SECONDS),
    required("statements", Rule::Each(&Rule::Object(&STATEMENT))),
    required("bundle_key_id", Rule::Text),
    required("sig", Rule::Object(&SIG)),
]);

static STATEMENT: Shape = Shape::of(&[
    required("type", Rule::Constant("TraceRevocation/1.0")),
    required("compromised_key_id", Rule::Text),
    required("last_valid_entry_id", Rule::Text),
    required("log_id", Rule::Text),
    required("revocation_key_id", Rule::Text),
    required("sig", Rule::Object(&SIG)),
    optional("revoked_after_entry", Rule::Text),
    optional("reason", Rule::AnyText),
    optional("revoked_at", EPOCH_SECONDS),
]);

static SIG: Shape = Shape::of(&[
    required("alg", Rule::OneOf(&["ed25519", "ES256", "ES384"])),
    required("value", Rule::Token),
]);

#[cfg(test)]
mod tests;

//! Attestation results for other programs: the claims-set of draft-ietf-rats-ear-04, and its signed form.
//!
//! Drafts before the third spelt the claims of their own with a dot (`ear.status`). Both spellings are
//! written, since readers of either ignore what they do not know.

mod aspect;

pub use aspect::{Aspect, aspect_of};

use cmcp_json::{Object, Value};

use crate::{
    AttestationResult, Binding, Sha256Digest, SigningKey, Status, b64,
    check::{Checked, Outcome},
};

/// What a claims-set says beside the result itself.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// Whose verifier it is, a URI.
    pub developer: &'a str,
    /// Which build of it.
    pub build: &'a str,
    /// The digest of the reference values' bytes.
    pub policy: Sha256Digest,
    /// What the evidence had to be bound to.
    pub binding: &'a Binding,
}

/// The claims-set: one submodule, labelled with the platform's word. The time of issue is the time that
/// the evidence was judged at, so that the same inputs give the same bytes.
#[must_use]
pub fn claims(result: &AttestationResult, context: &Context<'_>) -> Value {
    let status = result.status.as_str();
    let verifier = Object::from([("developer", context.developer), ("build", context.build)]);
    let submods = Object::from([(result.platform.as_str(), appraisal(result, context))]);
    let mut claims = Object::from([("eat_profile", Value::from(PROFILE))]);
    claims.insert("iat", result.at.unix_seconds());
    if let (Status::Affirming | Status::Warning, Some(end)) = (result.status, result.not_after) {
        claims.insert("exp", end.unix_seconds());
    }
    spelt(&mut claims, "ear_verifier_id", "ear.verifier-id", verifier);
    spelt(&mut claims, "ear_status", "ear.status", status);
    let nonce = context.binding.challenge().filter(|nonce| {
        // What a nonce of an EAT may have.
        (8..=64).contains(&nonce.len())
    });
    if let Some(nonce) = nonce {
        claims.insert("eat_nonce", b64::encode(nonce));
    }
    claims.insert("submods", submods);
    claims.into()
}

/// A JWS in compact form over the claims-set: `EdDSA` (RFC 8037), the key named by its thumbprint.
#[must_use]
pub fn sign(claims: &Value, key: &SigningKey) -> String {
    let kid = b64::encode(key.public().thumbprint().as_bytes());
    let header = Object::from([("alg", "EdDSA"), ("kid", kid.as_str()), ("typ", "JWT")]);
    let header = b64::encode(&Value::from(header).to_vec());
    let payload = b64::encode(&claims.to_vec());
    let input = format!("{header}.{payload}");
    let signature = key.sign(input.as_bytes()).to_b64url();
    format!("{input}.{signature}")
}

fn appraisal(result: &AttestationResult, context: &Context<'_>) -> Value {
    let mut appraisal = Object::new();
    let status = result.status.as_str();
    spelt(&mut appraisal, "ear_status", "ear.status", status);
    spelt(
        &mut appraisal,
        "ear_trustworthiness_vector",
        "ear.trustworthiness-vector",
        vector(result),
    );
    let policy = context.policy.to_string();
    appraisal.insert("ear.appraisal-policy-id", policy.as_str());
    appraisal.insert(
        "ear_appraisal_policy_ids",
        Value::Array(vec![Value::from(policy)]),
    );
    let failed = result
        .failures()
        .map(|failed| Value::from(failed.check.code));
    let mut ours = Object::from([("failed", Value::Array(failed.collect()))]);
    // What the evidence states is nobody's claim where a check of it failed.
    let proved = matches!(result.status, Status::Affirming | Status::Warning);
    for claim in result.claims.iter().filter(|_| proved) {
        let about = claim.about.as_str();
        if !ours.contains_key(about) {
            ours.insert(about, Object::new());
        }
        let of_kind = ours.get_mut(about).and_then(Value::as_object_mut);
        if let Some(of_kind) = of_kind {
            let value = match of_kind.get(claim.name).and_then(Value::as_str) {
                Some(before) => format!("{before} {}", claim.value),
                None => claim.value.clone(),
            };
            of_kind.insert(claim.name, value);
        }
    }
    let notes = result.notes.iter().map(|note| Value::from(note.as_str()));
    ours.insert("notes", Value::Array(notes.collect()));
    appraisal.insert("ear_verifier_claims", ours);
    appraisal.into()
}

/// Whether everything between the evidence and a root holds.
#[derive(Clone, Copy, PartialEq)]
enum Seal {
    Broken,
    Intact,
}

/// The eight numbers of AR4SI. What no check speaks of is 0: no claim is made.
fn vector(result: &AttestationResult) -> Value {
    let mut vector = Object::new();
    let broken = result
        .checks
        .iter()
        .any(|checked| aspect_of(checked.check.code) == Aspect::Signature && is_bad(checked));
    let seal = if broken { Seal::Broken } else { Seal::Intact };
    for aspect in Aspect::VECTOR {
        let of_aspect: Vec<&Checked> = result
            .checks
            .iter()
            .filter(|checked| aspect_of(checked.check.code) == aspect)
            .collect();
        vector.insert(aspect.as_str(), number(aspect, &of_aspect, seal));
    }
    for name in ["file-system", "storage-opaque", "sourced-data"] {
        vector.insert(name, 0u64);
    }
    vector.into()
}

fn number(aspect: Aspect, checks: &[&Checked], seal: Seal) -> u64 {
    let decided = |wanted: fn(&Outcome) -> bool| checks.iter().any(|one| wanted(&one.outcome));
    if checks.is_empty() {
        NO_CLAIM
    } else if seal == Seal::Broken {
        // What is not signed says nothing, however good it looks.
        NOT_AUTHENTIC
    } else if checks.iter().any(|one| is_bad(one)) {
        aspect.contraindicated()
    } else if decided(|outcome| matches!(outcome, Outcome::Tolerated { .. })) {
        WARNING
    } else if decided(|outcome| matches!(outcome, Outcome::Met)) {
        aspect.affirming()
    } else {
        NO_CLAIM
    }
}

fn is_bad(checked: &Checked) -> bool {
    match checked.outcome {
        Outcome::Failed { .. } | Outcome::NotDone => true,
        Outcome::Met | Outcome::NotApplicable { .. } | Outcome::Tolerated { .. } => false,
    }
}

fn spelt(claims: &mut Object, now: &str, before: &str, value: impl Into<Value>) {
    let value = value.into();
    claims.insert(now, value.clone());
    claims.insert(before, value);
}

const PROFILE: &str = "tag:ietf.org,2026:rats/ear#04";
const NO_CLAIM: u64 = 0;
const WARNING: u64 = 32;
const NOT_AUTHENTIC: u64 = 99;

#[cfg(test)]
mod tests;

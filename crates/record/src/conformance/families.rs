//! The families that judge a record.

use std::time::Duration;

use cmcp_evidence::Timestamp;
use cmcp_json::{Limits, Object, Value};

use super::{AgeError, Input, InputError, Refusal, base64};
use crate::citation::{self, Citation};
use crate::code::Code;
use crate::repro;
use crate::revocation::{BundleSource, Finding, Outlives, Source};
use crate::trust_record::{AcceptedProfiles, RecordError, TrustRecord, TrustedKey, read_key};
use crate::verify::{Expectations, Freshness, Grade, Pin, Report, verify_plain};

type Answer = Result<Object, InputError>;

pub(super) fn bytes(input: &Input<'_>) -> Answer {
    let record = base64(input.text("record_base64")?).ok_or(InputError::Member("record_base64"))?;
    let judged =
        expectations(input, input.optional("accepted_profiles")).and_then(|expectations| {
            let record = cmcp_json::parse(&record, &Limits::DOCUMENT);
            let record = record.map_err(|error| Refusal::Code(RecordError::Json(error).code()))?;
            Ok((record, expectations))
        });
    let now = input.time("now")?;
    let (outcome, grade) = match judged.and_then(|(record, expected)| judge(record, &expected, now))
    {
        Ok(report) => (Ok(()), report.grade),
        Err(refusal) => (Err(refusal), Grade::Reject),
    };
    let mut answer = verdict(outcome, "rejected");
    answer.insert("grade", grade.as_str());
    Ok(answer)
}

/// The grade of a record under the draft that carries evidence. The vectors name no time: freshness is
/// no part of a grade.
pub(super) fn evidence(input: &Input<'_>) -> Answer {
    let record = input.value("record")?;
    let mut expected = Expectations::unpinned(Freshness::NotChecked);
    expected.profiles = AcceptedProfiles::with_draft();
    let report = verify_plain(record.clone(), None, &expected, Timestamp::MIN);
    let mut answer = Object::from([("grade", report.grade.as_str())]);
    if let Some(code) = report.first_failure() {
        answer.insert("reason", code.as_str());
    }
    // Evidence says what ran, and nothing of the model that was called.
    let claim = match (report.grade, model_digest(record)) {
        (Grade::Reject, _) => Value::Null,
        (_, Some(_)) => Value::from("model claim: self-reported"),
        (_, None) => Value::from("model claim: absent"),
    };
    answer.insert("model_claim", claim);
    let keys = input
        .optional("context")
        .and_then(|context| context.get("trusted_root_keys"))
        .and_then(Value::as_array);
    if let Some(keys) = keys {
        answer.insert("signer_trust", signer_trust(record, keys));
    }
    Ok(answer)
}

fn model_digest(record: &Value) -> Option<&Value> {
    record.get("model")?.get("weights_digest")
}

fn signer_trust(record: &Value, keys: &[Value]) -> &'static str {
    let key = |jwk: Option<&Value>| read_key(jwk).ok();
    let signer = key(record.get("cnf").and_then(|cnf| cnf.get("jwk")));
    if signer.is_some() && keys.iter().any(|trusted| key(Some(trusted)) == signer) {
        "established"
    } else {
        "not-established"
    }
}

pub(super) fn canon(input: &Input<'_>) -> Answer {
    let now = input.time("now")?;
    let record = input.value("record")?.clone();
    let judged = expectations(input, None).and_then(|expected| judge(record, &expected, now));
    Ok(verdict(judged.map(drop), "rejected"))
}

pub(super) fn vercompat(input: &Input<'_>) -> Answer {
    let verifier = input.object("verifier")?;
    let record = input.value("record")?.clone();
    let checked = verifier
        .optional("check_freshness")
        .and_then(Value::as_bool)
        != Some(false);
    let now = if checked || verifier.optional("verification_time").is_some() {
        verifier.time("verification_time")?
    } else {
        Timestamp::from_unix_seconds(0)
    };
    let empty = Value::Array(Vec::new());
    let profiles = verifier.optional("accepted_profiles").unwrap_or(&empty);
    let judged = expectations(input, Some(profiles)).and_then(|mut expected| {
        if !checked {
            expected.freshness = Freshness::NotChecked;
        }
        judge(record, &expected, now).map(|_| expected)
    });
    let statement = judged.as_ref().ok().map(|expected| {
        let accepted = expected.profiles.as_slice().to_vec();
        Object::from([
            (
                "profile",
                Value::from(accepted.first().copied().unwrap_or_default()),
            ),
            ("accepted_profiles", Value::from(accepted)),
        ])
    });
    let mut answer = verdict(judged.map(drop), "refused");
    answer.insert("statement", statement);
    Ok(answer)
}

pub(super) fn revocation(input: &Input<'_>) -> Answer {
    let context = input.object("context")?;
    let record = input.value("record")?.clone();
    let now = context.time("now")?;
    let skew = context.age("max_future_skew_seconds");
    let (Ok(skew), Ok(max_age)) = (skew, context.age("max_bundle_age_seconds")) else {
        return Ok(rejection(Refusal::Age));
    };
    let source = match context.optional("bundle") {
        None => Source::NotConsulted,
        Some(bundle) => Source::Bundle(Box::new(BundleSource {
            bundle: bundle.clone(),
            trusted: bundle_keys(&context)?,
            max_age: max_age.unwrap_or(DAY),
            max_skew: skew.unwrap_or(FIVE_MINUTES),
        })),
    };
    let expected = expectations(&context, None).map(|expected| Expectations {
        revocation: source,
        ..expected
    });
    let report = match expected {
        Ok(expected) => verify_plain(record, None, &expected, now),
        Err(refusal) => return Ok(rejection(refusal)),
    };
    Ok(match (report.first_failure(), &report.revocation) {
        (
            Some(Code::KeyRevoked),
            Finding::Revoked {
                outlives_bundle, ..
            },
        ) => {
            let mut codes = vec![Code::KeyRevoked.as_str()];
            if *outlives_bundle == Outlives::Bundle {
                codes.push("statement_outlives_bundle");
            }
            Object::from([("rejected", Value::Bool(true)), ("codes", codes.into())])
        }
        (Some(code), _) => rejection(Refusal::Code(code)),
        (None, finding) => reported(finding),
    })
}

fn bundle_keys(context: &Input<'_>) -> Result<Vec<TrustedKey>, InputError> {
    let keys = context.value("trusted_bundle_keys")?;
    let keys = keys.as_array().unwrap_or_default();
    keys.iter()
        .map(TrustedKey::from_jwk)
        .collect::<Result<_, _>>()
        .map_err(|_| InputError::Member("trusted_bundle_keys"))
}

fn reported(finding: &Finding) -> Object {
    let (outcome, cause, codes, evidence) = match finding {
        Finding::NoCheckPerformed | Finding::Revoked { .. } => {
            let none = "no_check_performed";
            (none, None, vec![none], Object::new())
        }
        Finding::Verified { facts } => ("verified", None, Vec::new(), facts.clone()),
        Finding::Unverified { cause, facts } => {
            let mut codes = vec![cause.as_str()];
            codes.extend(match facts.get("bound_tripped").and_then(Value::as_str) {
                Some("issuer") => &[ISSUER_TRIPPED][..],
                Some("deployment") => &[DEPLOYMENT_TRIPPED],
                Some("both") => &[ISSUER_TRIPPED, DEPLOYMENT_TRIPPED],
                Some(_) | None => &[],
            });
            let outcome = "unverified_for_revocation";
            (outcome, Some(cause.as_str()), codes, facts.clone())
        }
    };
    Object::from([
        ("rejected", Value::Bool(false)),
        ("outcome", outcome.into()),
        ("cause", cause.into()),
        ("codes", codes.into()),
        ("evidence", evidence.into()),
    ])
}

const ISSUER_TRIPPED: &str = "issuer_bound_tripped";
const DEPLOYMENT_TRIPPED: &str = "deployment_bound_tripped";

fn rejection(refusal: Refusal) -> Object {
    Object::from([
        ("rejected", Value::Bool(true)),
        ("codes", vec![refusal.as_str()].into()),
    ])
}

pub(super) fn citation(input: &Input<'_>) -> Answer {
    let context = input.object("context")?;
    let record = input.value("record")?.clone();
    let now = context.time("now")?;
    let judged =
        expectations(&context, None).and_then(|expected| judge(record.clone(), &expected, now));
    if let Err(refusal) = judged {
        return Ok(rejection(refusal));
    }
    let Ok(record) = TrustRecord::from_value(record, &AcceptedProfiles::v0_2()) else {
        return Ok(rejection(Refusal::Code(Code::SchemaViolation)));
    };
    let table = context.optional("resolutions");
    let resolver = |uri: &str| resolved(table, uri);
    let found = citation::resolve(&record, table.is_some().then_some(&resolver));
    let mut citations = Object::new();
    let mut evidence = Object::new();
    for (surface, citation) in found {
        let (outcome, cause, facts) = described(citation);
        let row = vec![Value::from(outcome), Value::from(cause)];
        citations.insert(surface.as_str(), row);
        evidence.insert(surface.as_str(), facts);
    }
    Ok(Object::from([
        ("rejected", Value::Bool(false)),
        ("codes", Value::Array(Vec::new())),
        ("citations", citations.into()),
        ("evidence", evidence.into()),
    ]))
}

fn described(citation: Citation) -> (&'static str, Option<&'static str>, Object) {
    match citation {
        Citation::NotAttempted(why) => ("not_attempted", Some(why.as_str()), Object::new()),
        Citation::Unresolvable { uri } => (
            "unresolvable",
            Some("resolver_raised"),
            Object::from([("uri", uri)]),
        ),
        Citation::Resolved { uri, digest, bytes } => (
            "resolved",
            None,
            Object::from([
                ("uri", Value::from(uri)),
                ("sha256", Value::from(digest.hex())),
                ("bytes", u64::try_from(bytes).ok().into()),
            ]),
        ),
    }
}

/// What a vector's table of resolutions has for a URI.
pub(super) fn resolved(table: Option<&Value>, uri: &str) -> Option<Vec<u8>> {
    let entry = table?.get(uri)?;
    base64(entry.get("bytes_base64").unwrap_or(entry).as_str()?)
}

pub(super) fn repro(input: &Input<'_>) -> Answer {
    let record = input.value("record")?;
    let record = record.as_object().ok_or(InputError::Member("record"))?;
    let codes: Vec<&str> = repro::faults(record)
        .iter()
        .map(|fault| fault.as_str())
        .collect();
    let outcome = if codes.is_empty() { "accept" } else { "reject" };
    Ok(Object::from([
        ("outcome", Value::from(outcome)),
        ("codes", codes.into()),
    ]))
}

/// What a vector tells its verifier to expect of the record.
fn expectations(input: &Input<'_>, profiles: Option<&Value>) -> Result<Expectations, Refusal> {
    let profiles = match profiles {
        None => AcceptedProfiles::v0_2(),
        Some(profiles) => {
            let profiles = profiles.as_array().unwrap_or_default();
            // What is no string is no profile there could be a schema for.
            let names = profiles
                .iter()
                .map(|name| name.as_str().unwrap_or_default());
            AcceptedProfiles::new(names).map_err(|error| Refusal::Code(error.code()))?
        }
    };
    let age = |name, default| match input.age(name) {
        Ok(age) => Ok(age.unwrap_or(default)),
        Err(AgeError) => Err(Refusal::Age),
    };
    let freshness = Freshness::Checked {
        max_age: age("max_age_seconds", DAY)?,
        max_skew: age("max_future_skew_seconds", FIVE_MINUTES)?,
    };
    let key = input.optional("trusted_key");
    let key = key.ok_or(Refusal::Code(Code::TrustedKeyAbsent))?;
    let key = TrustedKey::from_jwk(key).map_err(|_| Refusal::Code(Code::KeyUnsupported))?;
    let challenge = match input.optional("expected_nonce").map(Value::as_str) {
        None => Pin::NotPinned,
        Some(Some(challenge)) => Pin::Pinned(challenge.to_owned()),
        Some(None) => return Err(Refusal::Code(Code::NonceMismatch)),
    };
    Ok(Expectations {
        profiles,
        trusted_key: Pin::Pinned(key),
        challenge,
        ..Expectations::unpinned(freshness)
    })
}

const DAY: Duration = Duration::from_hours(24);
const FIVE_MINUTES: Duration = Duration::from_mins(5);

fn judge(record: Value, expected: &Expectations, now: Timestamp) -> Result<Report, Refusal> {
    let report = verify_plain(record, None, expected, now);
    match report.first_failure() {
        None => Ok(report),
        Some(code) => Err(Refusal::Code(code)),
    }
}

fn verdict(outcome: Result<(), Refusal>, refused: &str) -> Object {
    let failure = outcome.err().map(Refusal::as_str);
    let outcome = if failure.is_some() {
        refused
    } else {
        "verified"
    };
    Object::from([
        ("outcome", Value::from(outcome)),
        ("failure", failure.into()),
    ])
}

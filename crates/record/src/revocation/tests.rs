use std::time::Duration;

use cmcp_evidence::{SigningKey, Timestamp};
use cmcp_json::{Form, Object, Value};

use super::{BundleSource, Cause, Finding, Outlives, Source};
use crate::trust_record::{TrustedKey, thumbprint};

const NOW: i64 = 1_785_000_000;

fn issuer() -> SigningKey {
    SigningKey::from_seed(&[1; 32])
}

fn record_key() -> TrustedKey {
    TrustedKey::new(SigningKey::from_seed(&[2; 32]).public())
}

fn sign(bundle: &mut Object, key: &SigningKey) {
    bundle.remove("sig");
    let unsigned = Value::Object(bundle.clone());
    let preimage = cmcp_json::canonical(&unsigned, Form::JcsStrict).unwrap();
    let value = key.sign(&preimage).to_b64url();
    bundle.insert(
        "sig",
        Object::from([("alg", "ed25519".to_owned()), ("value", value)]),
    );
}

fn bundle(change: impl FnOnce(&mut Object)) -> Value {
    let mut bundle = Object::from([
        ("type", Value::from("TraceRevocationBundle/1.0")),
        ("log_id", Value::from("https://log.example/trace")),
        ("issued_at", Value::from(NOW - 3_600)),
        ("valid_until", Value::from(NOW + 3_600)),
        ("statements", Value::Array(Vec::new())),
        ("bundle_key_id", Value::from(thumbprint(&issuer().public()))),
    ]);
    change(&mut bundle);
    sign(&mut bundle, &issuer());
    Value::Object(bundle)
}

fn statement(key: &str) -> Value {
    let sig = Object::from([("alg", "ed25519"), ("value", "AA")]);
    let statement = Object::from([
        ("type", Value::from("TraceRevocation/1.0")),
        ("compromised_key_id", Value::from(key)),
        ("last_valid_entry_id", Value::from("41")),
        ("log_id", Value::from("https://log.example/trace")),
        ("revocation_key_id", Value::from("recovery")),
        ("sig", Value::Object(sig)),
    ]);
    Value::Array(vec![Value::Object(statement)])
}

fn consult(bundle: Value) -> Finding {
    let source = Source::Bundle(Box::new(BundleSource {
        bundle,
        trusted: vec![TrustedKey::new(issuer().public())],
        max_age: Duration::from_hours(24),
        max_skew: Duration::from_mins(5),
    }));
    source.consult(&record_key(), Timestamp::from_unix_seconds(NOW))
}

fn cause(bundle: Value) -> Option<Cause> {
    match consult(bundle) {
        Finding::Unverified { cause, .. } => Some(cause),
        Finding::Verified { .. } => None,
        Finding::NoCheckPerformed | Finding::Revoked { .. } => panic!("not about the bundle"),
    }
}

#[test]
fn a_current_bundle_without_our_key_verifies() {
    assert_eq!(cause(bundle(|_| {})), None);
    let about_another = bundle(|bundle| drop(bundle.insert("statements", statement("another"))));
    assert_eq!(cause(about_another), None);
}

#[test]
fn both_bounds_on_age_are_inclusive_and_the_tighter_governs() {
    let aged = |issued: i64, until: i64| {
        let bundle = bundle(|bundle| {
            bundle.insert("issued_at", NOW - issued);
            bundle.insert("valid_until", NOW + until);
        });
        let (Finding::Verified { facts } | Finding::Unverified { facts, .. }) = consult(bundle)
        else {
            panic!("not about age");
        };
        let bound = facts.get("bound_tripped");
        bound.map(|bound| bound.as_str().unwrap().to_owned())
    };
    assert_eq!(aged(86_400, 0), None);
    assert_eq!(aged(86_401, 0).as_deref(), Some("deployment"));
    assert_eq!(aged(86_400, -1).as_deref(), Some("issuer"));
    assert_eq!(aged(86_401, -1).as_deref(), Some("both"));
}

#[test]
fn a_bundle_from_the_future_vouches_for_nothing() {
    let ahead = |seconds: i64| {
        cause(bundle(|bundle| {
            bundle.insert("issued_at", NOW + seconds);
            bundle.insert("valid_until", NOW + 86_400);
        }))
    };
    assert_eq!(ahead(300), None);
    assert_eq!(ahead(301), Some(Cause::IssuedInFuture));
}

#[test]
fn a_statement_outlives_the_bundle_that_carries_it() {
    let named = thumbprint(record_key().key());
    for (issued, until, outlives_bundle) in [
        (-3_600, 3_600, Outlives::Nothing),
        (-3_600, -1, Outlives::Bundle),
        (-86_401, 3_600, Outlives::Bundle),
        (86_400, 90_000, Outlives::Bundle),
    ] {
        let found = consult(bundle(|bundle| {
            bundle.insert("issued_at", NOW + issued);
            bundle.insert("valid_until", NOW + until);
            bundle.insert("statements", statement(&named));
        }));
        let named = named.clone();
        assert_eq!(
            found,
            Finding::Revoked {
                named,
                outlives_bundle
            }
        );
    }
}

#[test]
fn a_bundle_counts_only_from_a_signer_trusted_with_bundles() {
    let mut own = bundle(|bundle| {
        bundle.insert("bundle_key_id", thumbprint(record_key().key()));
    });
    sign(
        own.as_object_mut().unwrap(),
        &SigningKey::from_seed(&[2; 32]),
    );
    assert_eq!(cause(own), Some(Cause::KeyUntrusted));
}

#[test]
fn a_bundle_whose_signature_does_not_hold_is_not_read_further() {
    let named = thumbprint(record_key().key());
    let mut altered = bundle(|_| {});
    altered
        .as_object_mut()
        .unwrap()
        .insert("statements", statement(&named));
    assert_eq!(cause(altered), Some(Cause::SignatureInvalid));
    let mut misspelled = bundle(|_| {});
    let sig = misspelled.as_object_mut().unwrap().get_mut("sig").unwrap();
    let sig = sig.as_object_mut().unwrap();
    let value = format!("{}A", sig.get("value").unwrap().as_str().unwrap());
    sig.insert("value", value);
    assert_eq!(cause(misspelled), Some(Cause::SignatureInvalid));
}

#[test]
fn an_algorithm_nobody_checks_grounds_nothing() {
    for algorithm in ["ES256", "ES384"] {
        let mut other = bundle(|_| {});
        let sig = other.as_object_mut().unwrap().get_mut("sig").unwrap();
        sig.as_object_mut().unwrap().insert("alg", algorithm);
        assert_eq!(cause(other), Some(Cause::SignatureUnsupported));
    }
}

#[test]
fn a_bundle_of_another_shape_is_malformed_and_names_the_place() {
    let place = |value: Value| {
        let Finding::Unverified {
            cause: Cause::Malformed,
            facts,
        } = consult(value)
        else {
            panic!("not malformed");
        };
        facts.get("path").unwrap().as_str().unwrap().to_owned()
    };
    assert_eq!(
        place(bundle(|bundle| drop(bundle.remove("valid_until")))),
        "/"
    );
    assert_eq!(
        place(bundle(|bundle| drop(bundle.insert("extra", "x")))),
        "/"
    );
    assert_eq!(place(Value::Null), "/");
    let other_log = bundle(|bundle| {
        let mut statements = statement("another");
        let first = &mut statements.as_array_mut().unwrap()[0];
        first
            .as_object_mut()
            .unwrap()
            .insert("log_id", "https://other.example");
        bundle.insert("statements", statements);
    });
    assert_eq!(place(other_log), "statements/0/log_id");
    let early = bundle(|bundle| drop(bundle.insert("issued_at", 1_i64)));
    assert_eq!(place(early), "issued_at");
}

use std::time::Duration;

use cmcp_evidence::{Sha256Digest, SigningKey, Timestamp};
use cmcp_json::{Object, Value};

use super::{expectations, failures, judge, not_established, now, outcome};
use crate::code::Code;
use crate::revocation::{Finding, Source};
use crate::trust_record::tests::{changed, draft, key, member};
use crate::trust_record::{RecordDraft, TrustedKey, thumbprint};
use crate::verify::{
    Document, Expectations, Field, Freshness, Grade, Outcome, Pin, Status, verify_record,
};

fn record() -> Vec<u8> {
    draft().sign(&key()).unwrap()
}

#[test]
fn of_an_honest_software_record_only_hardware_is_not_established() {
    let report = judge(&record(), &expectations());
    assert_eq!(report.status, Status::PartiallyVerified);
    assert_eq!(report.document, Document::Record);
    assert_eq!(report.grade, Grade::Unattested);
    assert_eq!(
        not_established(&report),
        [(Field::HardwareAttestation, Code::SoftwareEvidence)]
    );
    assert_eq!(failures(&report), []);
    for field in [
        Field::Schema,
        Field::Signature,
        Field::TrustedPublicKey,
        Field::AttestationFreshness,
    ] {
        assert_eq!(outcome(&report, field), Outcome::Pass, "{field}");
    }
    assert_eq!(report.revocation, Finding::NoCheckPerformed);
}

#[test]
fn what_is_not_pinned_is_skipped_and_says_what_was_found() {
    let unpinned = Expectations::unpinned(Freshness::DEFAULT);
    let report = judge(&record(), &unpinned);
    for (field, found) in [
        (Field::TrustedPublicKey, key().public().hex()),
        (
            Field::PolicyBundleHash,
            Sha256Digest::of(b"policy").to_string(),
        ),
    ] {
        let check = report
            .checks
            .iter()
            .find(|check| check.field == field)
            .unwrap();
        assert_eq!(check.outcome, Outcome::Skip);
        assert_eq!(check.actual.as_ref(), Some(&found));
        assert!(check.note().contains("not pinned"), "{}", check.note());
    }
    let trust = report
        .checks
        .iter()
        .find(|check| check.field == Field::TrustedPublicKey);
    assert_eq!(trust.unwrap().code, Some(Code::TrustedKeyAbsent));
    assert_eq!(outcome(&report, Field::ToolCatalogHash), Outcome::Skip);
    assert_eq!(outcome(&report, Field::AuditBundle), Outcome::Skip);
    assert_eq!(outcome(&report, Field::LaunchMeasurement), Outcome::Skip);
}

#[test]
fn another_key_than_the_trusted_one_fails_however_well_it_signs() {
    let other = SigningKey::from_seed(&[8; 32]);
    let report = judge(&draft().sign(&other).unwrap(), &expectations());
    assert_eq!(report.status, Status::Failed);
    assert_eq!(
        failures(&report),
        [(Field::TrustedPublicKey, Code::KeyMismatch)]
    );
    let check = report.failures().next().unwrap();
    assert_eq!(check.expected, Some(thumbprint(&key().public())));
    assert_eq!(check.actual, Some(thumbprint(&other.public())));
}

#[test]
fn a_signature_over_other_bytes_fails() {
    let mut altered = cmcp_json::parse(&record(), &cmcp_json::Limits::DOCUMENT).unwrap();
    altered.as_object_mut().unwrap().insert("data_class", "pii");
    let report = judge(&altered.to_vec(), &expectations());
    assert_eq!(report.status, Status::Failed);
    assert_eq!(
        failures(&report),
        [(Field::Signature, Code::SignatureInvalid)]
    );
    assert_eq!(report.grade, Grade::Reject);
}

#[test]
fn a_key_of_another_type_is_refused_by_name() {
    let record = changed(|record| {
        let jwk = Object::from([("kty", "EC"), ("crv", "P-256"), ("x", "AA"), ("y", "AA")]);
        *member(record, &["cnf", "jwk"]) = Value::Object(jwk);
    });
    let report = judge(&record, &expectations());
    assert_eq!(report.first_failure(), Some(Code::KeyUnsupported));
    let note = report
        .failures()
        .map(super::super::Check::note)
        .collect::<String>();
    assert!(note.contains("`EC`") && note.contains("`P-256`"), "{note}");
}

#[test]
fn a_revoked_key_takes_its_records_with_it() {
    let named = TrustedKey::from_jwk(&{
        let Value::Object(mut jwk) = key().public().jwk() else {
            panic!()
        };
        jwk.insert("kid", "gateway-2026");
        Value::Object(jwk)
    });
    for id in [thumbprint(&key().public()), "gateway-2026".to_owned()] {
        let expected = Expectations {
            trusted_key: Pin::Pinned(named.clone().unwrap()),
            revocation: Source::Keys([id.clone()].into()),
            ..expectations()
        };
        let report = judge(&record(), &expected);
        assert_eq!(
            failures(&report),
            [(Field::KeyRevocation, Code::KeyRevoked)]
        );
        assert_eq!(report.failures().next().unwrap().actual, Some(id));
    }
    let others = Expectations {
        revocation: Source::Keys(["another".to_owned()].into()),
        ..expectations()
    };
    assert_eq!(
        outcome(&judge(&record(), &others), Field::KeyRevocation),
        Outcome::Pass
    );
}

#[test]
fn the_bounds_of_time_are_inclusive() {
    let at = |second: i64| {
        let now = Timestamp::from_unix_seconds(1_785_000_000 + second);
        failures(&verify_record(&record(), None, &expectations(), now))
    };
    assert_eq!(at(-300), []);
    assert_eq!(
        at(-301),
        [(Field::AttestationFreshness, Code::IssuedInFuture)]
    );
    assert_eq!(at(86_400), []);
    assert_eq!(at(86_401), [(Field::AttestationFreshness, Code::Stale)]);
}

#[test]
fn time_is_judged_only_where_it_is_asked_for() {
    let archive = Expectations {
        freshness: Freshness::NotChecked,
        ..expectations()
    };
    let late = Timestamp::from_unix_seconds(4_000_000_000);
    let report = verify_record(&record(), None, &archive, late);
    assert_eq!(outcome(&report, Field::AttestationFreshness), Outcome::Skip);
    let strict = Expectations {
        freshness: Freshness::Checked {
            max_age: Duration::ZERO,
            max_skew: Duration::ZERO,
        },
        ..expectations()
    };
    let report = judge(&record(), &strict);
    assert_eq!(
        failures(&report),
        [(Field::AttestationFreshness, Code::Stale)]
    );
}

#[test]
fn a_challenge_is_answered_exactly_or_not_at_all() {
    let challenge = "Y2hhbGxlbmdlLTAxMjM0NTY3";
    let asked = Expectations {
        challenge: Pin::Pinned(challenge.to_owned()),
        ..expectations()
    };
    let silent = judge(&record(), &asked);
    assert_eq!(failures(&silent), [(Field::Challenge, Code::NonceAbsent)]);
    let answering = |challenge: &str| {
        let draft = RecordDraft {
            challenge: Some(challenge.to_owned()),
            ..draft()
        };
        judge(&draft.sign(&key()).unwrap(), &asked)
    };
    assert_eq!(
        outcome(&answering(challenge), Field::Challenge),
        Outcome::Pass
    );
    let other = answering("YW5vdGhlci1jaGFsbGVuZ2UtMDE");
    assert_eq!(failures(&other), [(Field::Challenge, Code::NonceMismatch)]);
}

#[test]
fn another_policy_than_the_pinned_one_fails() {
    let pinned = |policy: &[u8]| Expectations {
        policy: Pin::Pinned(Sha256Digest::of(policy).into()),
        ..expectations()
    };
    let same = judge(&record(), &pinned(b"policy"));
    assert_eq!(outcome(&same, Field::PolicyBundleHash), Outcome::Pass);
    let other = judge(&record(), &pinned(b"policy "));
    assert_eq!(
        failures(&other),
        [(Field::PolicyBundleHash, Code::PolicyMismatch)]
    );
}

#[test]
fn a_policy_nobody_evaluated_is_no_policy_of_a_gateway() {
    let declared = |provider: &'static str| {
        changed(move |record| {
            *member(record, &["policy", "enforcement_mode"]) = Value::from("declared");
            *member(record, &["model", "provider"]) = Value::from(provider);
        })
    };
    let gateway = judge(&declared("none"), &expectations());
    assert_eq!(
        failures(&gateway),
        [(Field::PolicyBundleHash, Code::PolicyNotEvaluated)]
    );
    let importer = judge(&declared("anthropic"), &expectations());
    assert_eq!(
        not_established(&importer),
        [
            (Field::PolicyBundleHash, Code::PolicyNotEvaluated),
            (Field::HardwareAttestation, Code::SoftwareEvidence),
        ]
    );
}

#[test]
fn a_pinned_catalog_needs_the_log_that_names_one() {
    let pinned = Expectations {
        catalog: Pin::Pinned(Sha256Digest::of(b"catalog").into()),
        ..expectations()
    };
    assert_eq!(
        not_established(&judge(&record(), &pinned)),
        [
            (Field::ToolCatalogHash, Code::CatalogNotStated),
            (Field::HardwareAttestation, Code::SoftwareEvidence),
        ]
    );
}

#[test]
fn a_platforms_name_is_no_evidence() {
    // A software key, a hardware name, an appraisal of its own: what a floor of string checks passes.
    let forged = changed(|record| {
        *member(record, &["runtime", "platform"]) = Value::from("intel-tdx");
        let measured = format!("sha384:{}", "ab".repeat(48));
        *member(record, &["runtime", "measurement"]) = Value::from(measured);
        *member(record, &["appraisal", "status"]) = Value::from("affirming");
    });
    let report = judge(&forged, &expectations());
    assert_eq!(report.status, Status::PartiallyVerified);
    assert_eq!(report.grade, Grade::Unattested);
    assert_eq!(
        not_established(&report),
        [(Field::HardwareAttestation, Code::EvidenceAbsent)]
    );
}

#[test]
fn zeros_are_no_measurement_of_hardware() {
    let placeholder = changed(|record| {
        *member(record, &["runtime", "platform"]) = Value::from("amd-sev-snp");
    });
    let report = judge(&placeholder, &expectations());
    assert_eq!(
        failures(&report),
        [(Field::LaunchMeasurement, Code::MeasurementMismatch)]
    );
}

#[test]
fn what_ran_is_among_the_approved_releases_or_fails() {
    let zero = format!("sha256:{}", "0".repeat(64));
    let approving = |approved: &[&str]| Expectations {
        measurements: Pin::Pinned(approved.iter().map(|text| text.parse().unwrap()).collect()),
        ..expectations()
    };
    let report = judge(&record(), &approving(&[&zero]));
    assert_eq!(outcome(&report, Field::LaunchMeasurement), Outcome::Pass);
    let other = format!("sha384:{}", "0".repeat(96));
    for approved in [&[][..], &[other.as_str()]] {
        let report = judge(&record(), &approving(approved));
        assert_eq!(
            failures(&report),
            [(Field::LaunchMeasurement, Code::MeasurementMismatch)]
        );
    }
}

#[test]
fn every_failure_is_listed_and_the_first_is_the_first_in_order() {
    let other = SigningKey::from_seed(&[8; 32]);
    let mut altered =
        cmcp_json::parse(&draft().sign(&other).unwrap(), &cmcp_json::Limits::DOCUMENT).unwrap();
    altered
        .as_object_mut()
        .unwrap()
        .insert("iat", 1_800_000_000_i64);
    let expected = Expectations {
        policy: Pin::Pinned(Sha256Digest::of(b"other").into()),
        challenge: Pin::Pinned("Y2hhbGxlbmdlLTAxMjM0NTY3".to_owned()),
        ..expectations()
    };
    let report = judge(&altered.to_vec(), &expected);
    assert_eq!(
        failures(&report),
        [
            (Field::Signature, Code::SignatureInvalid),
            (Field::TrustedPublicKey, Code::KeyMismatch),
            (Field::PolicyBundleHash, Code::PolicyMismatch),
            (Field::AttestationFreshness, Code::IssuedInFuture),
            (Field::Challenge, Code::NonceAbsent),
        ]
    );
    assert_eq!(report.first_failure(), Some(Code::KeyMismatch));
}

#[test]
fn what_is_malformed_is_unverified_and_not_judged() {
    let legacy = changed(|record| {
        record.insert("eat_profile", "tag:agentrust.io,2026:trace-v0.1");
    });
    let unknown = changed(|record| drop(record.insert("extra", "x")));
    let unsigned = changed(|record| drop(record.insert("signature", Value::Null)));
    for (bytes, code) in [
        (legacy, Code::ProfileNotAccepted),
        (unknown, Code::SchemaViolation),
        (b"{".to_vec(), Code::JsonMalformed),
        (b"{}".to_vec(), Code::ProfileAbsent),
        (b"[1]".to_vec(), Code::JsonMalformed),
        (b"{\"a\":1,\"a\":1}".to_vec(), Code::DuplicateMember),
    ] {
        let report = judge(&bytes, &expectations());
        assert_eq!(report.status, Status::Unverified, "{code}");
        assert_eq!(report.first_failure(), Some(code));
        assert_eq!(report.checks.len(), 1);
    }
    // Signed again by `changed`: the signature is well spelled whatever the change did.
    assert_eq!(
        judge(&unsigned, &expectations()).status,
        Status::PartiallyVerified
    );
}

#[test]
fn a_v0_1_record_is_called_legacy() {
    let legacy = changed(|record| {
        record.insert("eat_profile", "tag:agentrust.io,2026:trace-v0.1");
    });
    let report = judge(&legacy, &expectations());
    assert!(
        report.checks[0].note().contains("legacy"),
        "{}",
        report.checks[0].note()
    );
}

#[test]
fn what_a_record_says_cannot_write_on_a_terminal() {
    let record = changed(|record| {
        *member(record, &["runtime"]).as_object_mut().unwrap() = Object::from([
            ("platform", "software-only".to_owned()),
            ("measurement", format!("sha256:{}", "0".repeat(64))),
            ("nonce", "\u{1b}[2J\n".to_owned()),
        ]);
    });
    let asked = Expectations {
        challenge: Pin::Pinned("Y2hhbGxlbmdlLTAxMjM0NTY3".to_owned()),
        ..expectations()
    };
    let report = verify_record(&record, None, &asked, now());
    let note = report.failures().next().unwrap().note();
    assert!(!note.contains(char::is_control), "{note:?}");
    assert!(note.contains("\\u{1b}[2J\\u{a}"), "{note:?}");
}

use cmcp_evidence::{NonceError, Platform, Sha384Digest};
use cmcp_json::{Form, Limits};

use super::{DraftError, RecordDraft, Runtime};
use crate::shape::Problem;
use crate::trust_record::tests::{at, draft, key, parse};

#[test]
fn a_signed_draft_is_a_record_that_its_key_signed() {
    let record = parse(&draft().sign(&key()).unwrap()).unwrap();
    let public = record.confirmation_key().unwrap();
    assert_eq!(public, key().public());
    public
        .verify(record.preimage(), record.signature())
        .unwrap();
    assert_eq!(record.text(&["policy", "version"]), Some("modèle-🔒-1"));
    assert_eq!(record.text(&["appraisal", "status"]), Some("none"));
    assert_eq!(record.text(&["runtime", "platform"]), Some("software-only"));
    assert_eq!(record.integer(&["build_provenance", "slsa_level"]), Some(0));
}

#[test]
fn a_signed_draft_is_its_own_canonical_form() {
    let record = draft().sign(&key()).unwrap();
    let value = cmcp_json::parse(&record, &Limits::DOCUMENT).unwrap();
    assert_eq!(
        cmcp_json::canonical(&value, Form::JcsStrict).unwrap(),
        record
    );
}

#[test]
fn the_challenge_is_copied_unchanged() {
    let challenge = "Y2hhbGxlbmdlLTAxMjM0NTY3".to_owned();
    let record = RecordDraft {
        challenge: Some(challenge.clone()),
        ..draft()
    };
    let record = parse(&record.sign(&key()).unwrap()).unwrap();
    assert_eq!(record.text(&["runtime", "nonce"]), Some(challenge.as_str()));
}

#[test]
fn a_challenge_that_could_be_guessed_is_refused() {
    let record = RecordDraft {
        challenge: Some("c2hvcnQ".to_owned()),
        ..draft()
    };
    assert_eq!(
        record.sign(&key()),
        Err(DraftError::Challenge(NonceError::Short))
    );
}

#[test]
fn a_platform_without_a_word_in_the_profile_borrows_none() {
    for platform in [Platform::Sgx, Platform::Software] {
        let record = RecordDraft {
            runtime: Runtime::Hardware {
                platform,
                measurement: Sha384Digest::of(b"measured").into(),
            },
            ..draft()
        };
        assert_eq!(
            record.sign(&key()),
            Err(DraftError::PlatformUnnamed(platform))
        );
    }
}

#[test]
fn a_draft_that_would_break_the_schema_is_not_signed() {
    let record = RecordDraft {
        subject: "gateway".to_owned(),
        data_class: String::new(),
        ..draft()
    };
    let mut expected = at("subject", Problem::Not("a SPIFFE or DID identity"));
    expected.extend(at("data_class", Problem::Empty));
    assert_eq!(record.sign(&key()), Err(DraftError::Schema(expected)));
}

#[test]
fn an_empty_version_is_left_out() {
    let mut unversioned = draft();
    unversioned.policy.version.clear();
    let record = parse(&unversioned.sign(&key()).unwrap()).unwrap();
    assert_eq!(record.text(&["policy", "version"]), None);
}

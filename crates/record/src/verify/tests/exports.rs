use cmcp_evidence::{Sha256Digest, SigningKey};
use cmcp_json::Value;

use super::{failures, not_established};
use crate::audit::samples::{LOG, at, called, digest, json, log_of, shared};
use crate::audit::{Chain, Kind, PolicyLoad, SessionEnd, Text};
use crate::claim::{ClaimAttestation, ClaimBuilder, ClaimInput, ClaimPolicy, ClaimRuntime};
use crate::code::Code;
use crate::export::{self, CompatExport};
use crate::trust_record::tests::{draft, key};
use crate::trust_record::{Policy, RecordDraft, Transcript, TrustedKey};
use crate::verdict::Verdict;
use crate::verify::{Expectations, Field, Freshness, Outcome, Pin, Report, Status, verify_record};

pub(super) fn log() -> Vec<Vec<u8>> {
    log_of([
        called("echo 🔒", Verdict::Allow),
        called("crm.contacts", Verdict::StepUp),
        called("boom", Verdict::Fault),
        called("echo 🔒", Verdict::Redact),
        Kind::SessionEnd(SessionEnd {
            reason: Text::new("closed"),
            sensitivity: Text::new("public"),
            successor: None,
        }),
    ])
}

pub(super) fn draft_of(log: &[Vec<u8>]) -> RecordDraft {
    let chain = Chain::replay(LOG, log).unwrap();
    RecordDraft {
        issued_at: at(10),
        policy: Policy {
            bundle_hash: digest("policy").into(),
            ..draft().policy
        },
        transcript: Transcript {
            root: chain.root(),
            calls: chain.calls(),
        },
        binary: digest("binary").into(),
        ..draft()
    }
}

pub(super) fn record_of(log: &[Vec<u8>]) -> Vec<u8> {
    draft_of(log).sign(&key()).unwrap()
}

pub(super) fn export_of(log: &[Vec<u8>], key: &SigningKey) -> Vec<u8> {
    let mut export = Vec::new();
    export::write(&mut export, LOG, log, (key, at(10))).unwrap();
    export
}

pub(super) fn claim_and_bundle_of(log: &[Vec<u8>]) -> (Vec<u8>, Vec<u8>) {
    let mut builder = ClaimBuilder::new(
        LOG,
        ClaimInput {
            gateway_version: "0.1.0".to_owned(),
            issued: at(10),
            sequence_number: 1,
            previous: None,
            runtime: ClaimRuntime::Software,
            policy: ClaimPolicy {
                bundle_hash: digest("policy"),
                mode: crate::audit::Mode::Enforcing,
                version: String::new(),
                signing: None,
            },
            catalog: digest("catalog"),
            attestation: ClaimAttestation {
                generated_at: at(0),
                validity_seconds: 86_400,
                stale: false,
                evidence: None,
            },
            regulated_domains: Vec::new(),
            catalog_exceptions: Vec::new(),
            kill_switch: None,
            agent_identity: None,
        },
    );
    let mut bundle = CompatExport::new(Vec::new(), LOG).unwrap();
    for entry in log {
        builder.entry(entry).unwrap();
        bundle.entry(entry).unwrap();
    }
    let claim = builder.finish(&key()).unwrap();
    let bundle = bundle.finish(&claim.bundle_signature).unwrap();
    (claim.bytes, bundle)
}

fn expectations() -> Expectations {
    Expectations {
        trusted_key: Pin::Pinned(TrustedKey::new(key().public())),
        policy: Pin::Pinned(digest("policy").into()),
        catalog: Pin::Pinned(digest("catalog").into()),
        ..Expectations::unpinned(Freshness::DEFAULT)
    }
}

pub(super) fn judge(record: &[u8], mut export: &[u8]) -> Report {
    verify_record(record, Some(&mut export), &expectations(), at(20))
}

pub(super) fn assert_honest(report: &Report) {
    assert_eq!(failures(report), []);
    assert_eq!(report.status, Status::PartiallyVerified);
    assert_eq!(
        not_established(report),
        [(Field::HardwareAttestation, Code::SoftwareEvidence)]
    );
    for field in [
        Field::PolicyBundleHash,
        Field::ToolCatalogHash,
        Field::AuditChain,
        Field::AuditBundle,
    ] {
        assert_eq!(super::outcome(report, field), Outcome::Pass, "{field}");
    }
}

#[test]
fn a_record_and_its_log_agree_and_the_log_names_the_catalog() {
    assert_honest(&judge(&record_of(&log()), &export_of(&log(), &key())));
}

#[test]
fn our_claim_agrees_with_both_exports_of_its_log() {
    let (claim, bundle) = claim_and_bundle_of(&log());
    assert_honest(&judge(&claim, &bundle));
    assert_honest(&judge(&claim, &export_of(&log(), &key())));
}

#[test]
fn another_catalog_than_the_pinned_one_fails_by_the_log() {
    let pinned = Expectations {
        catalog: Pin::Pinned(digest("another").into()),
        ..expectations()
    };
    let export = export_of(&log(), &key());
    let report = verify_record(&record_of(&log()), Some(&mut &export[..]), &pinned, at(20));
    assert_eq!(
        failures(&report),
        [(Field::ToolCatalogHash, Code::CatalogMismatch)]
    );
}

#[test]
fn a_log_that_was_cut_or_is_another_fails() {
    let whole = log();
    let export = export_of(&whole[..5], &key());
    let chain = (Field::AuditChain, Code::TranscriptMismatch);
    assert_eq!(failures(&judge(&record_of(&whole), &export)), [chain]);
    let export = export_of(&whole[..4], &key());
    assert_eq!(
        failures(&judge(&record_of(&whole), &export)),
        [chain, chain]
    );
    let (claim, _) = claim_and_bundle_of(&whole);
    let found = failures(&judge(&claim, &export));
    let all = (Field::AuditBundle, Code::TranscriptMismatch);
    assert!(
        found.len() > 1 && found.iter().all(|found| *found == all),
        "{found:?}"
    );
}

#[test]
fn an_export_signed_by_another_key_fails() {
    let other = SigningKey::from_seed(&[9; 32]);
    let report = judge(&record_of(&log()), &export_of(&log(), &other));
    let invalid = (Field::AuditBundle, Code::ExportInvalid);
    assert_eq!(failures(&report), [invalid, invalid]);
}

#[test]
fn a_record_that_states_another_binary_or_enforcement_than_its_log_fails() {
    let other = RecordDraft {
        binary: digest("another").into(),
        policy: Policy {
            bundle_hash: digest("policy").into(),
            version: String::new(),
            enforcement: crate::trust_record::Enforcement::Advisory,
        },
        ..draft_of(&log())
    };
    let report = judge(&other.sign(&key()).unwrap(), &export_of(&log(), &key()));
    assert_eq!(
        failures(&report),
        [
            (Field::PolicyBundleHash, Code::PolicyMismatch),
            (Field::AuditBundle, Code::BinaryMismatch),
        ]
    );
}

#[test]
fn an_intent_without_an_outcome_fails_a_record_and_a_claim() {
    let intent = Kind::Intent(Box::new(crate::audit::Intent {
        call: crate::audit::samples::call("echo"),
    }));
    let end = SessionEnd {
        reason: Text::new("closed"),
        sensitivity: Text::new("public"),
        successor: None,
    };
    let log = log_of([intent, Kind::SessionEnd(end)]);
    let export = export_of(&log, &key());
    let (claim, _) = claim_and_bundle_of(&log);
    for document in [record_of(&log), claim] {
        let report = judge(&document, &export);
        assert_eq!(
            failures(&report),
            [(Field::AuditBundle, Code::ExportInvalid)]
        );
        let note = report.failures().next().unwrap().note();
        assert!(note.contains("entry 1: is an intent without"), "{note}");
        assert!(note.contains("(intent_open)"), "{note}");
    }
}

#[test]
fn the_policy_that_counts_is_the_one_in_force_at_the_end() {
    let log = log_of([Kind::PolicyLoad(PolicyLoad {
        policy: digest("policy 2"),
        previous: Some(digest("policy")),
        version: Text::new("2"),
    })]);
    let report = judge(&record_of(&log), &export_of(&log, &key()));
    assert_eq!(
        failures(&report),
        [(Field::PolicyBundleHash, Code::PolicyMismatch)]
    );
    let note = report.failures().next().unwrap().note();
    assert!(note.contains(&digest("policy 2").to_string()), "{note}");
}

#[test]
fn the_older_bundle_proves_claims_only() {
    let (_, bundle) = claim_and_bundle_of(&log());
    let report = judge(&record_of(&log()), &bundle);
    assert_eq!(
        failures(&report),
        [(Field::AuditBundle, Code::ExportKindMismatch)]
    );
}

#[test]
fn a_claim_that_tells_its_calls_otherwise_fails() {
    let (claim, bundle) = claim_and_bundle_of(&log());
    let altered = |change: fn(&mut Vec<Value>)| {
        let mut claim = json(&claim);
        let entries = crate::trust_record::tests::member(
            claim.as_object_mut().unwrap(),
            &["trace", "tool_transcript", "entries"],
        );
        change(entries.as_array_mut().unwrap());
        let preimage = cmcp_json::canonical_without(&claim, "signature", cmcp_json::Form::Pyj);
        let signature = key().sign(&preimage.unwrap()).to_b64url();
        claim
            .as_object_mut()
            .unwrap()
            .insert("signature", signature);
        failures(&judge(&claim.to_vec(), &bundle))
    };
    let log = (Field::AuditBundle, Code::TranscriptMismatch);
    let chain = (Field::AuditChain, Code::TranscriptMismatch);
    assert_eq!(altered(|entries| entries.swap(0, 1)), [log]);
    assert_eq!(altered(|entries| drop(entries.pop())), [chain, log]);
    assert_eq!(
        altered(|entries| entries.push(entries[0].clone())),
        [chain, log]
    );
}

#[test]
fn a_claim_that_states_no_transcript_is_not_proved_by_a_log() {
    let (claim, bundle) = claim_and_bundle_of(&log());
    for path in [&["trace"][..], &["trace", "tool_transcript"]] {
        let mut claim = json(&claim);
        let object = crate::trust_record::tests::member(claim.as_object_mut().unwrap(), path);
        let name = if path.len() == 1 {
            "tool_transcript"
        } else {
            "call_count"
        };
        object.as_object_mut().unwrap().remove(name);
        let preimage = cmcp_json::canonical_without(&claim, "signature", cmcp_json::Form::Pyj);
        let signature = key().sign(&preimage.unwrap()).to_b64url();
        claim
            .as_object_mut()
            .unwrap()
            .insert("signature", signature);
        let found = failures(&judge(&claim.to_vec(), &bundle));
        assert!(
            found.contains(&(Field::AuditBundle, Code::TranscriptMismatch)),
            "{name}"
        );
    }
}

#[test]
fn an_export_that_cannot_be_read_is_a_failure_and_not_a_partial_success() {
    let record = record_of(&log());
    let (claim, _) = claim_and_bundle_of(&log());
    for wrong in [
        &b""[..],
        b"{",
        b"{}",
        b"null",
        b"{\"entries\":[]}",
        b"{\"entries\":[{}]}",
    ] {
        for document in [&record, &claim] {
            let report = judge(document, wrong);
            assert_eq!(report.status, Status::Failed, "{wrong:?}");
            let invalid = (Field::AuditBundle, Code::ExportInvalid);
            assert!(failures(&report).contains(&invalid), "{wrong:?}");
        }
    }
}

#[test]
fn a_reader_that_fails_is_a_failure() {
    struct Broken;
    impl std::io::Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::Error::other("disk gone"))
        }
    }
    let report = verify_record(
        &record_of(&log()),
        Some(&mut Broken),
        &expectations(),
        at(20),
    );
    assert_eq!(
        failures(&report),
        [(Field::AuditBundle, Code::ExportInvalid)]
    );
    assert!(
        report
            .failures()
            .next()
            .unwrap()
            .note()
            .contains("disk gone")
    );
}

#[test]
fn no_altered_byte_of_an_export_passes() {
    let log = log_of([called("echo", Verdict::Allow)]);
    let record = record_of(&log);
    let export = export_of(&log, &key());
    let honest = judge(&record, &export);
    for place in 0..export.len() {
        let mut altered = export.clone();
        altered[place] ^= 1;
        let report = judge(&record, &altered);
        // White space between the parts of the document carries nothing.
        if json_alike(&altered, &export) {
            assert_eq!(report.status, honest.status);
        } else {
            assert_eq!(report.status, Status::Failed, "byte {place}");
        }
    }
}

fn json_alike(a: &[u8], b: &[u8]) -> bool {
    let limits = &cmcp_json::Limits::DOCUMENT;
    cmcp_json::parse(a, limits).is_ok_and(|a| cmcp_json::parse(b, limits) == Ok(a))
}

#[test]
fn the_sample_of_0_7_1_agrees_with_its_bundle_as_its_writer_counts() {
    let (Some(claim), Some(bundle)) = (
        shared("cmcp-sample/claim.json"),
        shared("cmcp-sample/audit_bundle.json"),
    ) else {
        return;
    };
    let report = judge_sample(&claim, &bundle);
    assert_eq!(failures(&report), []);
    assert_eq!(report.status, Status::PartiallyVerified);
    assert_eq!(
        not_established(&report),
        [(Field::HardwareAttestation, Code::SoftwareEvidence)]
    );
    let second = shared("cmcp-sample/claim-2.json").unwrap();
    let report = judge_sample(&second, &bundle);
    assert_eq!(report.status, Status::Failed);
}

fn judge_sample(claim: &[u8], mut bundle: &[u8]) -> Report {
    let expected = Expectations::unpinned(Freshness::DEFAULT);
    verify_record(claim, Some(&mut bundle), &expected, at(60))
}

#[test]
fn no_altered_byte_of_the_samples_bundle_passes() {
    let (Some(claim), Some(bundle)) = (
        shared("cmcp-sample/claim.json"),
        shared("cmcp-sample/audit_bundle.json"),
    ) else {
        return;
    };
    for place in (0..bundle.len()).step_by(7) {
        let mut altered = bundle.clone();
        altered[place] ^= 1;
        let report = judge_sample(&claim, &altered);
        // What differs in spelling only is the same bundle: the older format signs no spelling.
        let alike = json_alike(&altered, &bundle);
        assert_eq!(report.status == Status::Failed, !alike, "byte {place}");
    }
}

#[test]
fn a_digest_of_the_log_is_not_a_digest_of_something_else() {
    let other = RecordDraft {
        transcript: Transcript {
            root: Sha256Digest::of(b"elsewhere"),
            calls: 4,
        },
        ..draft_of(&log())
    };
    let report = judge(&other.sign(&key()).unwrap(), &export_of(&log(), &key()));
    assert_eq!(
        failures(&report),
        [(Field::AuditChain, Code::TranscriptMismatch)]
    );
}

//! Bytes that were changed on the way: never a success, and never a crash.

use proptest::prelude::*;

use super::{expectations, judge, judge_with, now};
use crate::audit::samples::{at, shared};
use crate::trust_record::tests::{draft, key};
use crate::verify::{Expectations, Freshness, Status, verify_record};

/// Whether two texts are one value: white space and the spelling of escapes carry nothing, and the
/// signature covers values.
fn alike(a: &[u8], b: &[u8]) -> bool {
    let limits = &cmcp_json::Limits::DOCUMENT;
    cmcp_json::parse(a, limits).is_ok_and(|a| cmcp_json::parse(b, limits) == Ok(a))
}

fn every_flip(document: &[u8], status: impl Fn(&[u8]) -> Status) {
    for place in 0..document.len() {
        for bit in 0..8 {
            let mut altered = document.to_vec();
            altered[place] ^= 1 << bit;
            let status = status(&altered);
            let refused = matches!(status, Status::Failed | Status::Unverified);
            assert!(
                refused || alike(&altered, document),
                "byte {place}, bit {bit}: {status}"
            );
        }
    }
}

#[test]
fn no_flipped_bit_of_a_record_passes() {
    let record = draft().sign(&key()).unwrap();
    every_flip(&record, |altered| judge(altered, &expectations()).status);
}

#[test]
fn no_flipped_bit_of_a_claim_passes() {
    let claim = super::claims::changed(|_| {});
    every_flip(&claim, |altered| judge(altered, &expectations()).status);
}

#[test]
fn no_flipped_bit_of_the_samples_claim_passes_though_its_key_is_not_pinned() {
    let Some(claim) = shared("cmcp-sample/claim.json") else {
        return;
    };
    let unpinned = Expectations::unpinned(Freshness::DEFAULT);
    every_flip(&claim, |altered| {
        verify_record(altered, None, &unpinned, at(60)).status
    });
}

/// A document with some bytes replaced, taken out, doubled or put in.
fn mutated(document: Vec<u8>) -> impl Strategy<Value = Vec<u8>> {
    let edit = (any::<prop::sample::Index>(), any::<u8>(), 0..6_u8);
    prop::collection::vec(edit, 1..8).prop_map(move |edits| {
        let mut bytes = document.clone();
        for (index, byte, what) in edits {
            if bytes.is_empty() {
                break;
            }
            let place = index.index(bytes.len());
            match what {
                0 => drop(bytes.remove(place)),
                1 => bytes.insert(place, byte),
                2 => bytes.insert(place, bytes[place]),
                3 => bytes.truncate(place),
                4 => bytes[place] = b"{}[]\",:\\0-e."[usize::from(byte) % 12],
                _ => bytes[place] = byte,
            }
        }
        bytes
    })
}

fn records() -> impl Strategy<Value = Vec<u8>> {
    let record = draft().sign(&key()).unwrap();
    let claim = super::claims::changed(|_| {});
    prop_oneof![mutated(record), mutated(claim)]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2_000) })]

    #[test]
    fn mutated_documents_never_crash_the_verifier(bytes in records()) {
        let report = judge(&bytes, &expectations());
        prop_assert!(!report.checks.is_empty());
        for check in &report.checks {
            prop_assert!(!check.note().contains(char::is_control));
        }
    }

    #[test]
    fn arbitrary_bytes_are_unverified(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert_eq!(judge(&bytes, &expectations()).status, Status::Unverified);
    }

    #[test]
    fn arbitrary_exports_never_crash_the_verifier(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let record = draft().sign(&key()).unwrap();
        let report = judge_with(&record, &bytes, &expectations());
        prop_assert_eq!(report.status, Status::Failed);
    }

    #[test]
    fn mutated_vectors_are_always_answered(bytes in mutated(VECTOR.to_vec())) {
        let answer = crate::conformance::answer(&bytes);
        prop_assert!(cmcp_json::parse(&answer, &cmcp_json::Limits::DOCUMENT).is_ok());
    }
}

const VECTOR: &[u8] = br#"{"family":"revocation","input":{"context":{"now":1785000000,
"max_bundle_age_seconds":86400,"max_future_skew_seconds":300,"trusted_key":{"kty":"OKP","crv":"Ed25519",
"x":"kSLjMUUzj7yIOGvh9Ff8WSHnNKiFBR0kchby761Uuaw"},"trusted_bundle_keys":[],"bundle":{"log_id":"l"}},
"record":{"eat_profile":"tag:agentrust-io.com,2026:trace-v0.2"}}}"#;

#[test]
fn the_same_input_gives_the_same_report() {
    let record = draft().sign(&key()).unwrap();
    let first = verify_record(&record, None, &expectations(), now());
    let second = verify_record(&record, None, &expectations(), now());
    assert_eq!(format!("{first:?}"), format!("{second:?}"));
}

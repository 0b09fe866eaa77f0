//! What verification costs: a record without its log.

use cmcp_evidence::{Sha256Digest, SigningKey, Timestamp};
use cmcp_record::trust_record::{
    Enforcement, Policy, RecordDraft, Runtime, Transcript, TrustedKey,
};
use cmcp_record::verify::{Expectations, Freshness, Pin, verify_record};
use divan::{Bencher, black_box};

fn main() {
    divan::main();
}

#[expect(clippy::expect_used, reason = "nothing to measure without a record")]
fn record() -> Vec<u8> {
    let draft = RecordDraft {
        issued_at: now(),
        subject: "spiffe://example.org/gateway/bench".to_owned(),
        policy: Policy {
            bundle_hash: Sha256Digest::of(b"policy").into(),
            version: "1.0.0".to_owned(),
            enforcement: Enforcement::Enforce,
        },
        data_class: "public".to_owned(),
        transcript: Transcript {
            root: Sha256Digest::of(b"root"),
            calls: 1_000,
        },
        binary: Sha256Digest::of(b"binary").into(),
        runtime: Runtime::Software,
        challenge: None,
    };
    draft.sign(&key()).expect("a valid draft")
}

fn key() -> SigningKey {
    SigningKey::from_seed(&[1; 32])
}

fn now() -> Timestamp {
    Timestamp::from_unix_seconds(1_785_000_000)
}

#[divan::bench]
fn plain_record(bencher: Bencher<'_, '_>) {
    let record = record();
    let expectations = Expectations {
        trusted_key: Pin::Pinned(TrustedKey::new(key().public())),
        ..Expectations::unpinned(Freshness::DEFAULT)
    };
    bencher.bench(|| verify_record(black_box(&record), None, &expectations, now()));
}

#![no_main]

use std::sync::LazyLock;

use cmcp_evidence::{
    Binding, Endorsements, Evidence, Input, ReferenceValues, Timestamp, appraise, show,
    wire::{self, Content},
};
use libfuzzer_sys::fuzz_target;

/// The shipped policy, as `cmcp --format json evidence reference-values` prints it.
static POLICY: LazyLock<ReferenceValues> = LazyLock::new(|| {
    let document = include_bytes!("../seeds/reference-values.json");
    let document = cmcp_json::parse(document, &cmcp_json::Limits::DOCUMENT).expect("JSON");
    ReferenceValues::read(&document).expect("the shipped policy")
});

fuzz_target!(|data: &[u8]| {
    let Ok(recognised) = wire::recognise(data) else {
        return;
    };
    match recognised.content {
        Content::Evidence(collected) => judge(&collected.evidence, &collected.endorsements),
        Content::Claimed(claimed) => judge(&claimed.evidence, &claimed.endorsements),
        Content::Certificate(der) => {
            drop(wire::certificate::Carrier::read(&der, &[]));
        }
    }
});

fn judge(evidence: &Evidence, endorsements: &Endorsements) {
    drop(show::show(evidence, endorsements));
    let result = appraise(&Input {
        evidence,
        endorsements,
        binding: &Binding::Unknown,
        policy: &POLICY,
        at: Timestamp::from_unix_seconds(1_780_000_000),
    });
    assert!(result.failures().next().is_some(), "the shipped policy accepts nothing");
}

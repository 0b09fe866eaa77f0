//! Both formats written, read, and damaged.

mod damage;
mod older;

use cmcp_evidence::{PublicKey, SigningKey};
use cmcp_json::Value;

use super::*;
use crate::{
    audit::{Action, CatalogLoad, Kind, SessionEnd, Text, samples},
    verdict::Verdict,
};

pub(super) fn key() -> SigningKey {
    SigningKey::from_seed(&[7; 32])
}

/// A session of a few calls and one entry of each other kind.
pub(super) fn stored() -> Vec<Vec<u8>> {
    samples::log_of(samples::every_kind())
}

pub(super) fn ours(stored: &[Vec<u8>]) -> Vec<u8> {
    let mut out = Vec::new();
    write(&mut out, samples::LOG, stored, (&key(), samples::at(100))).expect("written");
    out
}

pub(super) fn compat(stored: &[Vec<u8>]) -> Vec<u8> {
    let mut export = CompatExport::new(Vec::new(), samples::LOG).expect("written");
    for entry in stored {
        export.entry(entry).expect("written");
    }
    let signature = key().sign(export.digest().as_bytes());
    export.finish(&signature).expect("written")
}

pub(super) fn read(
    bytes: &[u8],
    key: Option<&PublicKey>,
) -> Result<ExportFacts, Box<ExportFailure>> {
    check(&mut &*bytes, key)
}

pub(super) fn faults(bytes: &[u8]) -> Vec<(Option<u64>, &'static str)> {
    let failure = read(bytes, Some(&key().public())).expect_err("something is wrong");
    failure
        .problems
        .iter()
        .map(|problem| (problem.entry, problem.fault.code()))
        .collect()
}

#[test]
fn our_export_holds_and_shows_the_session() {
    let stored = stored();
    let export = ours(&stored);
    let lines: Vec<&[u8]> = export.split(|&byte| byte == b'\n').collect();
    assert_eq!(
        lines[1].strip_suffix(b","),
        Some(stored[0].as_slice()),
        "entries stand as stored"
    );

    let facts = read(&export, Some(&key().public())).expect("holds");
    assert_eq!(facts.format, Format::Ours);
    assert_eq!(facts.session_id, samples::LOG);
    assert_eq!(facts.size, stored.len() as u64);
    assert_eq!(facts.signer, Some(key().public()));
    assert_eq!(facts.calls, 2);
    assert_eq!(facts.verdicts.of(Verdict::Allow), 1);
    assert_eq!(facts.verdicts.of(Verdict::AdvisoryDeny), 1);
    assert_eq!(facts.tools.len(), 2);
    assert_eq!(facts.tools_unlisted, 0);
    assert_eq!(facts.first_time, samples::at(0));
    assert_eq!(facts.policy, Some(samples::digest("policy 2")));
    assert_eq!(facts.ended_at.as_deref(), Some("public"));
    assert_eq!(facts.catalog, Some(samples::digest("catalog 2")));
    assert_eq!(
        facts.start.as_ref().unwrap().config,
        samples::digest("config")
    );
    assert_eq!(facts.final_session, "33d691a2-430b-4c95-9fc5-5b2c77eb7761");
    let signed = facts.checkpoint.unwrap();
    assert_eq!(Some(signed.checkpoint.root), facts.root);
    assert_eq!(signed.checkpoint.time, samples::at(100));

    let unpinned = read(&export, None).expect("consistent");
    assert_eq!(unpinned.signer, Some(key().public()));
}

#[test]
fn the_older_export_is_the_same_session() {
    let stored = stored();
    let facts = read(&ours(&stored), None).expect("holds");
    let older = read(&compat(&stored), Some(&key().public())).expect("holds");
    assert_eq!(older.format, Format::V07);
    assert_eq!(older.signer, Some(key().public()));
    assert_eq!(older.chain, facts.chain);
    assert_eq!(older.calls, facts.calls);
    assert_eq!(older.verdicts, facts.verdicts);
    assert_eq!(older.tools, facts.tools);
    assert_eq!(older.final_session, facts.final_session);
    assert_eq!(older.ended_at, facts.ended_at);
    assert_eq!(older.first_time, facts.first_time);
    assert_eq!(read(&compat(&stored), None).expect("holds").signer, None);
}

#[test]
fn other_actions_are_counted_apart_from_calls() {
    let kinds = [samples::every_kind(), samples::later_kinds()].concat();
    // The session went on behind its end, and its intents are numbered from there.
    let later = samples::log_of(samples::later_kinds());
    let facts = read(&ours(&later), Some(&key().public())).expect("holds");
    let counted = [Action::Elicit, Action::ReadResource, Action::Subscribe];
    assert_eq!(facts.calls, 0);
    assert_eq!(facts.outcomes(), 3);
    assert_eq!(facts.actions, counted.map(|action| (action, 1)).into());
    assert!(facts.tools.is_empty());
    assert_eq!(facts.verdicts.total(), 0);
    let mut shown = 0;
    check_calls(&mut &*ours(&later), None, &mut |_| shown += 1).expect("holds");
    assert_eq!(shown, 0);

    let older = read(&compat(&samples::log_of(kinds)), Some(&key().public())).expect("holds");
    assert_eq!((older.calls, older.outcomes()), (2, 2));
}

#[test]
fn calls_are_shown_in_their_order() {
    let kinds =
        [Verdict::Allow, Verdict::StepUp, Verdict::Fault].map(|v| samples::called("écho", v));
    let stored = samples::log_of(kinds);
    for export in [ours(&stored), compat(&stored)] {
        let mut seen = Vec::new();
        check_calls(&mut &*export, None, &mut |call| {
            assert_eq!(call.tool, Some("écho"));
            assert_eq!(call.data_class, Some("public"));
            seen.push((call.entry, call.verdict.unwrap()));
        })
        .expect("holds");
        assert_eq!(
            seen,
            [
                (1, Verdict::Allow),
                (2, Verdict::StepUp),
                (3, Verdict::Fault)
            ]
        );
    }
}

#[test]
fn the_sensitivity_at_the_end_is_the_last_ends_while_no_call_follows_it() {
    let end = |label: &str| {
        Kind::SessionEnd(SessionEnd {
            reason: Text::new("closed"),
            sensitivity: Text::new(label),
            successor: None,
        })
    };
    let call = || samples::called("echo", Verdict::Allow);
    let load = Kind::CatalogLoad(CatalogLoad {
        catalog: samples::digest("catalog 2"),
        previous: None,
    });
    let cases = [
        (vec![call()], None),
        (vec![call(), end("pii")], Some("pii")),
        (vec![end("pii"), load], Some("pii")),
        (vec![end("pii"), call()], None),
        (vec![end("pii"), call(), end("phi")], Some("phi")),
    ];
    for (kinds, expected) in cases {
        let stored = samples::log_of(kinds);
        for export in [ours(&stored), compat(&stored)] {
            let facts = read(&export, None).expect("holds");
            assert_eq!(facts.ended_at.as_deref(), expected);
        }
    }
}

#[test]
fn a_checkpoint_signed_earlier_ends_a_later_export() {
    let stored = stored();
    let mut first = Writer::new(Vec::new(), samples::LOG).unwrap();
    let mut second = Writer::new(Vec::new(), samples::LOG).unwrap();
    for entry in &stored {
        first.entry(entry).unwrap();
        second.entry(entry).unwrap();
    }
    let kept = first.checkpoint(samples::at(100)).sign(&key());
    let mut whole = first.finish(&kept).unwrap();
    assert_eq!(whole, second.finish(&kept).unwrap());
    assert_eq!(whole.pop(), Some(b'\n'));

    let mut shorter = Writer::new(Vec::new(), samples::LOG).unwrap();
    shorter.entry(&stored[0]).unwrap();
    assert!(matches!(shorter.finish(&kept), Err(WriteError::Checkpoint)));
}

#[test]
fn what_does_not_read_back_is_not_exported() {
    let stored = stored();
    let mut ours = Writer::new(Vec::new(), samples::LOG).unwrap();
    let mut older = CompatExport::new(Vec::new(), samples::LOG).unwrap();
    assert!(matches!(ours.entry(&stored[1]), Err(WriteError::Log(_))));
    assert!(matches!(older.entry(&stored[1]), Err(WriteError::Log(_))));
    let mut other = Writer::new(Vec::new(), "another").unwrap();
    assert!(matches!(other.entry(&stored[0]), Err(WriteError::Log(_))));
}

#[test]
fn another_key_is_refused() {
    let stored = stored();
    let other = SigningKey::from_seed(&[8; 32]).public();
    let failure = read(&ours(&stored), Some(&other)).unwrap_err();
    let codes: Vec<_> = failure
        .problems
        .iter()
        .map(|problem| problem.fault.code())
        .collect();
    assert_eq!(codes, ["export_key_mismatch", "export_signature_invalid"]);
    assert!(failure.facts.is_some_and(|facts| facts.signer.is_none()));
    let failure = read(&compat(&stored), Some(&other)).unwrap_err();
    assert_eq!(failure.problems[0].fault, Fault::SignatureInvalid);
}

#[test]
fn the_document_has_its_members_and_no_others() {
    let export = samples::json(&ours(&samples::log_of([])));
    let with = |change: &dyn Fn(&mut cmcp_json::Object)| {
        let mut changed = export.clone();
        change(changed.as_object_mut().unwrap());
        faults(&changed.to_vec())
    };
    for (member, code) in [
        ("type", "export_member"),
        ("session_id", "export_member"),
        ("checkpoint", "checkpoint_malformed"),
        ("key", "export_member"),
        ("signature", "export_signature_missing"),
    ] {
        assert_eq!(
            with(&|document| drop(document.remove(member))),
            [(None, code)]
        );
        assert_eq!(
            with(&|document| drop(document.insert(member, Value::Null))),
            [(None, code)]
        );
    }
    let other = |document: &mut cmcp_json::Object| drop(document.insert("session_id", "another"));
    assert_eq!(with(&other), [(None, "export_of_other_log")]);
    assert_eq!(
        with(&|document| drop(document.insert("more", 1_i64))),
        [(None, "export_member")]
    );
    assert_eq!(
        with(&|document| drop(document.remove("entries"))),
        [(Some(0), "export_malformed")]
    );
    assert_eq!(
        with(&|document| drop(document.insert("entries", Value::Array(Vec::new())))),
        [(None, "export_empty")]
    );
    for nonsense in [&b""[..], b"{", b"[]", b"null", b"{\"entries\":{}}", b"\xff"] {
        assert_eq!(faults(nonsense), [(Some(0), "export_malformed")]);
    }
}

#[test]
fn many_problems_are_counted_beyond_those_listed() {
    let garbage = vec!["1"; 1_000].join(",");
    let failure = read(format!("{{\"entries\":[{garbage}]}}").as_bytes(), None).unwrap_err();
    assert_eq!(failure.problems.len(), ExportFailure::LISTED);
    assert!(failure.unlisted > 800);
    assert!(failure.facts.is_none());
    assert!(failure.to_string().ends_with("more"));
}

#[test]
fn the_last_call_of_a_long_session_is_found_as_fast_as_the_first() {
    let calls = std::iter::repeat_n(samples::called("echo", Verdict::Allow), 300);
    let stored = samples::log_of(calls.chain([samples::called("last", Verdict::Deny)]));
    let facts = read(&ours(&stored), None).expect("holds");
    assert_eq!(facts.calls, 301);
    assert!(facts.tools.contains("last"));
    let root = facts.root.unwrap();
    let mut prover = crate::tree::Prover::inclusion(301, facts.size).unwrap();
    stored
        .iter()
        .for_each(|entry| prover.push(crate::tree::leaf(entry)));
    let path = prover.finish().unwrap();
    let leaf = crate::tree::leaf(&stored[301]);
    assert_eq!(
        crate::tree::verify_inclusion(&leaf, 301, facts.size, &path, &root),
        Ok(())
    );
}

#[test]
fn a_checkpoint_reads_back_only_as_written() {
    let checkpoint = Checkpoint {
        log: "é".to_owned(),
        root: samples::digest("root"),
        size: 7,
        time: samples::at(0),
    };
    let value = checkpoint.to_value();
    assert_eq!(Checkpoint::from_value(&value), Some(checkpoint.clone()));
    let canonical = cmcp_json::canonical(&value, cmcp_json::Form::JcsStrict).unwrap();
    assert_eq!(value.to_vec(), canonical, "signed bytes are canonical JSON");
    for (member, changed) in [
        ("time", Value::from("2026-11-20T10:12:41.438842+01:00")),
        ("size", Value::from(-1_i64)),
        ("size", Value::from(1_u64 << 53)),
        ("root", Value::from("sha256:00")),
        ("more", Value::Null),
    ] {
        let mut value = value.clone();
        value.as_object_mut().unwrap().insert(member, changed);
        assert_eq!(Checkpoint::from_value(&value), None);
    }
    let signed = checkpoint.sign(&key());
    assert!(signed.verify(&key().public()).is_ok());
    let mut other = signed.clone();
    other.checkpoint.size = 8;
    assert!(other.verify(&key().public()).is_err());
    assert!(
        signed
            .verify(&SigningKey::from_seed(&[9; 32]).public())
            .is_err()
    );
}

#[test]
fn the_formats_are_frozen() {
    let stored = stored();
    let facts = read(&ours(&stored), None).expect("holds");
    let chain = facts.chain.unwrap();
    let found = [
        facts.root.unwrap().hex(),
        facts.tip.hex(),
        chain.root.hex(),
        chain.tip.hex(),
        facts.checkpoint.unwrap().signature.to_b64url(),
    ];
    let frozen = [
        "887393398fce8aee8e21b78f47ad9b3e2947817ba539a777700cf69c094e49ce",
        "16df95d8a7fd899443edef8d807d7dd875fc7fb61b1dddf6e115baeef75d45fe",
        "6c3362cd113de6e1fe029c007ad26bd55a437588aefc307363f30180958b1c78",
        "dcdecb1b4bf965bd352c6afb9bbdd34d2fa4ebcf6730b2fbe81ee63316737e25",
        "PTqcAO38lg0a5eLUBh-YGoZgZmjhapkc-m6cYQXR_2cM3YRz_4gYwIF9k-uBLOCnn2gxGHc5Tx6rViIMeuyjAQ",
    ];
    assert_eq!(found, frozen);
}

use std::time::Duration;

use cmcp_evidence::{Sha256Digest, hex};
use cmcp_json::{Form, Value};

use super::samples::{
    LOG, at, call, called, digest, every_kind, full_outcome, json, later_kinds, log_of, outcome,
    shared, start,
};
use super::*;
use crate::{tree, verdict::Verdict};

#[test]
fn stored_bytes_are_canonical_json_and_read_back_as_what_was_written() {
    let mut chain = Chain::new(LOG);
    let kinds = [every_kind(), later_kinds()].concat();
    for (place, kind) in std::iter::once(&start()).chain(&kinds).enumerate() {
        let appended = chain.append(kind, at(1)).unwrap();
        let value = json(&appended.bytes);
        let canonical = cmcp_json::canonical(&value, Form::JcsStrict).unwrap();
        assert_eq!(
            String::from_utf8(appended.bytes.clone()).unwrap(),
            String::from_utf8(canonical).unwrap(),
        );
        let entry = Entry::parse(&appended.bytes).unwrap();
        assert_eq!(entry.kind, *kind);
        assert_eq!(value.get("kind").unwrap().as_str(), Some(kind.as_str()));
        assert_eq!(entry.seq, place as u64);
        assert_eq!(appended.seq, entry.seq);
        assert_eq!(appended.leaf, tree::leaf(&appended.bytes));
        assert!(!String::from_utf8(appended.bytes).unwrap().contains("null"));
    }
    assert_eq!(chain.size(), kinds.len() as u64 + 1);
    assert_eq!(chain.calls(), 5);
}

#[test]
fn a_small_entry_has_exactly_these_bytes() {
    let bytes = log_of([Kind::SessionEnd(SessionEnd {
        reason: Text::new("closed"),
        sensitivity: Text::new("public"),
        successor: None,
    })]);
    assert_eq!(
        std::str::from_utf8(&bytes[1]).unwrap(),
        format!(
            "{{\"kind\":\"session_end\",\"log\":\"{LOG}\",\"prev\":\"{}\",\"reason\":\"closed\",\
             \"sensitivity\":\"public\",\"seq\":1,\"time\":\"2026-11-20T09:12:42.438842Z\",\"v\":1}}",
            Sha256Digest::of(&bytes[0]),
        )
    );
    let first = json(&bytes[0]);
    assert_eq!(first.get("prev").unwrap().as_str(), Some("genesis"));
    assert_eq!(first.get("principal").unwrap().as_str(), Some("Zoë 🔒"));
}

/// As much as a caller can put into an outcome.
fn huge_outcome(long: &str) -> Outcome {
    let many = || std::iter::repeat_n(long, 1_000);
    let text = || Text::new(long);
    Outcome {
        call: Call {
            action: Some(Action::ListResources),
            attempt: text(),
            call_id: text(),
            parent: Some(text()),
            policies: Texts::new(many()),
            protocol: text(),
            retry_of: Some(text()),
            rpc_id: RpcId::new(&Value::from(long)),
            sensitivity_before: text(),
            server: Some(Server {
                endpoint: text(),
                name: text(),
                ..samples::server()
            }),
            ..call(long)
        },
        advice: Advice::new((0..1_000).map(|n| (format!("{n}{long}"), long))),
        code: Some(text()),
        compliance_domain: text(),
        data_class: text(),
        findings: Findings::new(many().map(|rule| (rule, u64::MAX))),
        intent_seq: Some(Count::new(u64::MAX)),
        labels: Texts::new(many()),
        latency_us: Count::new(u64::MAX),
        redactions: Texts::new(many()),
        sensitivity_after: text(),
        session_label: Some(text()),
        workflow_id: Some(text()),
        ..full_outcome()
    }
}

#[test]
fn the_largest_outcome_fits_its_bound() {
    for unit in ["x", "\u{1}", "🔒", "\""] {
        let huge = huge_outcome(&unit.repeat(10_000));
        let bytes = log_of([Kind::Outcome(Box::new(huge))]).remove(1);
        assert!(
            bytes.len() > 35_000 && bytes.len() <= 65_535,
            "{}",
            bytes.len()
        );
        Entry::parse(&bytes).unwrap();
    }
}

#[test]
fn the_largest_lists_of_pages_and_tools_fit_their_bound() {
    let text = || Text::new(&"\u{1}".repeat(10_000));
    let pages = (0..1_000).map(|_| Page {
        cursor: Some(text()),
        digest: digest("page"),
    });
    let declarations = Declarations::new(
        Server {
            endpoint: text(),
            name: text(),
            ..samples::server()
        },
        pages,
        (Completeness::Incomplete, ChangeNotice::None),
        at(0),
    );
    assert_eq!(declarations.page_count.get(), 1_000);
    let tools = (0..1_000).map(|_| Drifted {
        approved: digest("a"),
        item: None,
        offered: Some(digest("b")),
        tool: text(),
    });
    let places = Texts::new((0..1_000).map(|_| "\u{1}".repeat(10_000)));
    let drift = CatalogDrift::new(text(), tools).at(places);
    assert_eq!(drift.tool_count.get(), 1_000);
    for bytes in log_of([Kind::Declarations(declarations), Kind::CatalogDrift(drift)]) {
        assert!(bytes.len() <= 65_535, "{}", bytes.len());
        Entry::parse(&bytes).unwrap();
    }
}

#[test]
fn only_the_bytes_that_are_written_are_an_entry() {
    let bytes = log_of([called("echo", Verdict::Allow)]).remove(1);
    let text = String::from_utf8(bytes).unwrap();
    assert!(Entry::parse(text.as_bytes()).is_ok());
    for (from, to) in [
        ("\"v\":1", "\"v\":1 "),
        ("\"v\":1", "\"v\":1.0"),
        ("{\"attempt\"", "{\"a\":1,\"attempt\""),
        ("\"echo\"", "\"\\u0065cho\""),
        ("\"latency_us\":43653", "\"latency_us\":-1"),
        ("\"latency_us\":43653", "\"latency_us\":9007199254740993"),
        ("\"verdict\":\"allow\"", "\"verdict\":\"allowed\""),
        (".438842Z", ".4388420Z"),
        ("\"seq\":1", "\"seq\":1e0"),
        ("\"kind\":\"outcome\"", "\"kind\":\"intent\""),
        ("\"prev\":\"sha256:", "\"prev\":\"SHA256:"),
        ("\"kind\":\"outcome\",", ""),
        (
            "\"kind\":\"outcome\"",
            "\"kind\":\"outcome\",\"kind\":\"outcome\"",
        ),
    ] {
        assert!(text.contains(from), "{from}");
        assert!(
            Entry::parse(text.replacen(from, to, 1).as_bytes()).is_err(),
            "{to}"
        );
    }
    assert_eq!(
        Entry::parse(text.replace("\"v\":1", "\"v\":2").as_bytes()),
        Err(EntryError::Version { found: Some(2) })
    );
    assert_eq!(
        Entry::parse(&vec![b' '; 65_536]),
        Err(EntryError::Size { size: 65_536 })
    );
}

#[test]
fn entries_from_before_there_was_more_than_tools_keep_their_bytes() {
    let stored = log_of(every_kind());
    assert_eq!(
        Sha256Digest::of(stored.last().unwrap()).to_string(),
        "sha256:16df95d8a7fd899443edef8d807d7dd875fc7fb61b1dddf6e115baeef75d45fe",
        "the last entry names all before it"
    );
}

#[test]
fn another_action_is_told_by_its_word_and_a_call_by_none() {
    let text = |kind: Kind| String::from_utf8(log_of([kind]).remove(1)).unwrap();
    let read = samples::acted(Action::ReadResource, "file:///é", Verdict::Allow);
    let written = text(read);
    assert!(
        written.starts_with("{\"action\":\"read_resource\",\"attempt\":"),
        "{written}"
    );
    let call = text(called("echo", Verdict::Allow));
    for (written, from, to) in [
        (&written, "\"read_resource\"", "\"call_tool\""),
        (&written, "\"read_resource\"", "\"ReadResource\""),
        (&written, "\"read_resource\"", "null"),
        (
            &call,
            "{\"attempt\"",
            "{\"action\":\"call_tool\",\"attempt\"",
        ),
        (&call, "\"policies\"", "\"parent\":null,\"policies\""),
    ] {
        assert!(written.contains(from), "{from}");
        let altered = written.replacen(from, to, 1);
        assert!(Entry::parse(altered.as_bytes()).is_err(), "{to}");
    }
}

#[test]
fn every_action_has_the_word_that_policies_use() {
    let words = [
        (Action::Complete, "complete"),
        (Action::Elicit, "elicit"),
        (Action::GetPrompt, "get_prompt"),
        (Action::ListResources, "list_resources"),
        (Action::ListRoots, "list_roots"),
        (Action::ReadResource, "read_resource"),
        (Action::Sample, "sample"),
        (Action::Subscribe, "subscribe"),
    ];
    for (action, word) in words {
        assert_eq!(action.as_str(), word);
        assert_eq!(
            serde_json::to_string(&action).unwrap(),
            format!("\"{word}\"")
        );
    }
}

#[test]
fn a_long_uri_is_cut_and_stays_another_than_one_that_begins_alike() {
    let uri = |end: &str| format!("https://example.org/{}{end}", "ä/".repeat(40_000));
    let told = |uri: &str| {
        let kind = samples::acted(Action::ReadResource, uri, Verdict::Allow);
        let stored = log_of([kind]).remove(1);
        assert!(stored.len() < 4_096);
        let Kind::Outcome(outcome) = Entry::parse(&stored).unwrap().kind else {
            panic!("no outcome");
        };
        outcome.call.tool
    };
    assert!(told(&uri("1")).starts_with("https://example.org/ä/"));
    assert!(told(&uri("1")).ends_with(&digest(&uri("1")).to_string()));
    assert_ne!(told(&uri("1")), told(&uri("2")));
    let whole = format!("https://example.org/{}", "x".repeat(Text::MAX - 20));
    assert_eq!(*told(&whole), *whole);
}

#[test]
fn a_log_begins_with_its_start_and_has_one() {
    let mut chain = Chain::new(LOG);
    assert_eq!(
        chain.append(&called("echo", Verdict::Allow), at(0)),
        Err(AppendError::StartMissing { found: "outcome" })
    );
    chain.append(&start(), at(0)).unwrap();
    assert_eq!(chain.append(&start(), at(0)), Err(AppendError::StartAgain));
    assert_eq!(chain.size(), 1);
}

#[test]
fn a_clock_set_back_repeats_the_time_and_says_so() {
    let mut chain = Chain::new(LOG);
    chain.append(&start(), at(3_600)).unwrap();
    let set_back = chain
        .append(&called("echo", Verdict::Allow), at(0))
        .unwrap();
    let later = chain
        .append(&called("echo", Verdict::Allow), at(3_601))
        .unwrap();
    let far = at(0).checked_add(Duration::from_secs(315_360_000)).unwrap();
    let ten_years = chain.append(&called("echo", Verdict::Allow), far).unwrap();

    let set_back = Entry::parse(&set_back.bytes).unwrap();
    assert_eq!(set_back.time, at(3_600));
    assert!(set_back.clock_set_back);
    let later = Entry::parse(&later.bytes).unwrap();
    assert_eq!(later.time, at(3_601));
    assert!(!later.clock_set_back);
    assert_eq!(Entry::parse(&ten_years.bytes).unwrap().time, far);
    assert_eq!([set_back.seq, later.seq], [1, 2]);
}

#[test]
fn a_replayed_log_goes_on_as_if_it_had_never_stopped() {
    let kinds = every_kind();
    let stored = log_of(kinds.clone());
    let mut whole = Chain::new(LOG);
    for (kind, seconds) in std::iter::once(start()).chain(kinds).zip(0..) {
        whole.append(&kind, at(seconds)).unwrap();
    }
    let mut replayed = Chain::replay(LOG, &stored).unwrap();
    assert_eq!(replayed.root(), whole.root());
    assert_eq!(replayed.calls(), whole.calls());
    assert_eq!(replayed.last_time(), whole.last_time());
    let next = called("echo", Verdict::Deny);
    assert_eq!(
        replayed.append(&next, at(900)),
        whole.append(&next, at(900))
    );
}

#[test]
fn replay_names_the_first_entry_that_does_not_fit() {
    let stored = log_of(vec![called("echo", Verdict::Allow); 4]);
    let replay = |entries: Vec<&Vec<u8>>| Chain::replay(LOG, entries).map(|chain| chain.size());
    let [a, b, c, d, e] = [0, 1, 2, 3, 4].map(|place| &stored[place]);
    assert_eq!(replay(vec![a, b, c, d, e]), Ok(5));
    for (entries, entry, fault) in [
        (
            vec![a, b, d, e],
            2,
            EntryFault::Sequence {
                expected: 2,
                found: 3,
            },
        ),
        (
            vec![a, b, b, c],
            2,
            EntryFault::Sequence {
                expected: 2,
                found: 1,
            },
        ),
        (
            vec![a, c, b, d],
            1,
            EntryFault::Sequence {
                expected: 1,
                found: 2,
            },
        ),
        (
            vec![b, c],
            0,
            EntryFault::Sequence {
                expected: 0,
                found: 1,
            },
        ),
        (
            vec![a, a],
            1,
            EntryFault::Sequence {
                expected: 1,
                found: 0,
            },
        ),
    ] {
        assert_eq!(replay(entries), Err(ReplayError { entry, fault }));
    }
    let other = Chain::replay("another", &stored).unwrap_err();
    assert_eq!(
        other,
        ReplayError {
            entry: 0,
            fault: EntryFault::Log
        }
    );
}

#[test]
fn an_id_keeps_its_type_and_spelling() {
    for (id, written) in [
        ("7", "7"),
        ("-7", "-7"),
        ("\"7\"", "\"7\""),
        ("\"é\"", "\"é\""),
        ("1.0", "{\"number\":\"1.0\"}"),
        ("-0", "{\"number\":\"-0\"}"),
        ("1e2", "{\"number\":\"1e2\"}"),
        ("9007199254740991", "9007199254740991"),
        ("9007199254740992", "{\"number\":\"9007199254740992\"}"),
        (
            "18446744073709551616",
            "{\"number\":\"18446744073709551616\"}",
        ),
    ] {
        let id = RpcId::new(&json(id.as_bytes())).unwrap();
        assert_eq!(serde_json::to_string(&id).unwrap(), written);
        let entry = Outcome {
            call: Call {
                rpc_id: Some(id),
                ..call("echo")
            },
            ..outcome("echo", Verdict::Allow)
        };
        Entry::parse(&log_of([Kind::Outcome(Box::new(entry))])[1]).unwrap();
    }
    for no_id in ["null", "true", "[1]", "{}"] {
        assert_eq!(RpcId::new(&json(no_id.as_bytes())), None);
    }
}

#[test]
fn the_salted_commitment_is_the_known_one() {
    let Some(kat) = shared("trace-kat.json") else {
        return;
    };
    let kat = json(&kat);
    let known = kat
        .get("transcript_tree_v1")
        .unwrap()
        .get("salted_commitment")
        .unwrap();
    let text = |name: &str| known.get(name).unwrap().as_str().unwrap();
    let salt: [u8; 32] = hex::decode(text("salt_hex")).unwrap().try_into().unwrap();
    assert_eq!(
        commit(&salt, text("bytes").as_bytes()).to_string(),
        text("value")
    );
    assert_ne!(
        commit(&[0; 32], text("bytes").as_bytes()).to_string(),
        text("value")
    );
}

#[test]
fn the_samples_cover_every_kind() {
    let kinds = [every_kind(), later_kinds()].concat();
    let names: std::collections::BTreeSet<_> = kinds.iter().map(Kind::as_str).collect();
    assert_eq!(names.len(), 16, "one of each besides the start");
}

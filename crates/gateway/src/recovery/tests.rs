//! What a start makes of logs that a crash left open.

use std::path::Path;

use cmcp_json::Value;
use cmcp_record::{
    audit::{Call, Durability as LogDurability, Mode, RecordPer},
    export,
};

use super::*;
use crate::{
    Archive, ExportForm,
    store::{Row, Store},
    testing::World,
};

const ID: &str = "7c9e6679-7425-40de-944b-e07fc1f90ae7";
const LOG: i64 = 1;

fn at(second: i64) -> Timestamp {
    Timestamp::from_unix_seconds(1_799_999_000 + second)
}

fn start() -> Kind {
    let digest = Sha256Digest::of(b"x");
    Kind::SessionStart(Box::new(SessionStart {
        binary: digest,
        catalog: digest,
        config: digest,
        durability_read: LogDurability::Process,
        durability_write: LogDurability::Disk,
        evidence: None,
        inherited: false,
        label: None,
        mode: Mode::Enforcing,
        platform: Text::new("software-only"),
        policy: digest,
        predecessor: None,
        principal: Text::new("alice"),
        record_per: RecordPer::Session,
        sensitivity: Text::new("public"),
    }))
}

fn intent(id: &str) -> Kind {
    Kind::Intent(Box::new(Intent {
        call: Call {
            action: None,
            attempt: Text::new(id),
            call_id: Text::new(id),
            declaration: None,
            parent: None,
            policies: Texts::default(),
            policy: Sha256Digest::of(b"x"),
            protocol: Text::new("2025-11-25"),
            request: Sha256Digest::of(b"r"),
            retry_of: None,
            rpc_id: None,
            sensitivity_before: Text::new("public"),
            server: None,
            tool: Text::new("pay"),
        },
    }))
}

/// The outcome of the intent at `seq`, which raised what the session has seen.
fn outcome(of: &Kind, seq: u64) -> Kind {
    let Kind::Intent(intent) = of else {
        panic!("{of:?}")
    };
    let Kind::Outcome(mut outcome) = unknown(seq, (**intent).clone(), &Text::new("pii")) else {
        panic!("no outcome");
    };
    outcome.code = None;
    outcome.verdict = Verdict::Allow;
    outcome.result = CallResult::Response;
    Kind::Outcome(outcome)
}

fn bytes(kinds: &[Kind]) -> Vec<Vec<u8>> {
    let mut chain = Chain::new(ID);
    let kinds = kinds.iter().zip(0..);
    kinds
        .map(|(kind, second)| chain.append(kind, at(second)).unwrap().bytes)
        .collect()
}

/// Leaves an open log of these entries behind, as a crash does.
fn leave(path: &Path, entries: &[Vec<u8>]) {
    let mut store = Store::open(path).unwrap();
    let log = Row::Log {
        key: LOG,
        id: ID,
        principal: "alice",
        label: None,
        opened: 0,
    };
    let rows = entries.iter().zip(0..).map(|(body, seq)| Row::Entry {
        log: LOG,
        seq,
        body,
        salts: None,
    });
    store
        .write(&std::iter::once(log).chain(rows).collect::<Vec<_>>())
        .unwrap();
}

async fn restart(path: &Path) -> World {
    World::new(|settings| settings.database = path.to_owned()).await
}

/// The log after the start, which holds and is sealed.
fn sealed(path: &Path) -> Vec<Value> {
    let archive = Archive::open(path).unwrap();
    let session = archive.session(ID).unwrap().unwrap();
    assert!(session.is_closed());
    let mut out = Vec::new();
    archive
        .export(&session, ExportForm::Ours, &mut out)
        .unwrap();
    let facts = export::check(&mut out.as_slice(), None).unwrap();
    let entries = cmcp_json::parse(&out, &cmcp_json::Limits::DOCUMENT).unwrap();
    let entries = entries.get("entries").unwrap().as_array().unwrap().to_vec();
    assert_eq!(facts.size, entries.len() as u64);
    entries
}

fn text<'a>(entry: &'a Value, name: &str) -> &'a str {
    entry.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn number(entry: &Value, name: &str) -> Option<i64> {
    entry.get(name).and_then(Value::as_i64)
}

fn kinds(entries: &[Value]) -> Vec<&str> {
    entries.iter().map(|entry| text(entry, "kind")).collect()
}

fn left_open() -> Vec<Vec<u8>> {
    let (one, two) = (intent("one"), intent("two"));
    let done = outcome(&one, 1);
    bytes(&[start(), one, two, done])
}

#[tokio::test(flavor = "multi_thread")]
async fn v2_an_intent_without_outcome_ends_as_unknown_and_the_session_says_it_was_recovered() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.db");
    leave(&path, &left_open());
    let world = restart(&path).await;
    let entries = sealed(&path);
    assert_eq!(
        kinds(&entries)[4..],
        ["recovered", "outcome", "session_end"]
    );
    assert_eq!(
        (
            number(&entries[4], "entries"),
            number(&entries[4], "open_intents")
        ),
        (Some(4), Some(1))
    );
    let unknown = &entries[5];
    for (name, expected) in [
        ("call_id", "two"),
        ("result", "outcome-unknown"),
        ("verdict", "fault"),
        ("code", "outcome_unknown"),
        ("sensitivity_after", "pii"),
    ] {
        assert_eq!(text(unknown, name), expected, "{name}");
    }
    assert_eq!(number(unknown, "intent_seq"), Some(2));
    assert_eq!(
        (
            text(&entries[6], "reason"),
            text(&entries[6], "sensitivity")
        ),
        ("recovered", "pii")
    );
    let before = entries.len();
    drop(world);
    // Nothing is left to be done at the next start.
    assert_eq!(recovery_left(&path), 0);
    assert_eq!(sealed(&path).len(), before);
}

fn recovery_left(path: &Path) -> usize {
    find(&Reader::open(path).unwrap(), &Vocabulary::builtin())
        .unwrap()
        .len()
}

#[tokio::test(flavor = "multi_thread")]
async fn l01_a_crash_during_recovery_itself_leaves_one_outcome_for_every_intent() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.db");
    leave(&path, &left_open());
    drop(restart(&path).await);
    let reader = Reader::open(&path).unwrap();
    let mut whole = Vec::new();
    let read = reader.entries(LOG, &mut |body| {
        whole.push(body.to_vec());
        Ok::<(), ()>(())
    });
    read.unwrap().unwrap();
    assert_eq!(whole.len(), 7);
    for kept in 4..=whole.len() {
        let path = folder.path().join(format!("{kept}.db"));
        leave(&path, &whole[..kept]);
        drop(restart(&path).await);
        let entries = sealed(&path);
        let outcomes: Vec<_> = entries
            .iter()
            .filter(|entry| text(entry, "kind") == "outcome")
            .map(|entry| (text(entry, "call_id"), text(entry, "result")))
            .collect();
        assert_eq!(
            outcomes,
            [("one", "response"), ("two", "outcome-unknown")],
            "{kept}"
        );
        assert_eq!(kinds(&entries).last(), Some(&"session_end"), "{kept}");
        let ends = kinds(&entries)
            .iter()
            .filter(|kind| **kind == "session_end")
            .count();
        assert_eq!(ends, 1, "{kept}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_had_ended_gets_its_documents_and_no_further_entry() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.db");
    let end = Kind::SessionEnd(SessionEnd {
        reason: Text::new("closed"),
        sensitivity: Text::new("public"),
        successor: None,
    });
    let entries = bytes(&[start(), end]);
    leave(&path, &entries);
    drop(restart(&path).await);
    assert_eq!(kinds(&sealed(&path)), ["session_start", "session_end"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn l18_a_log_from_the_future_goes_on_in_its_order_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.db");
    let mut chain = Chain::new(ID);
    let ten_years = at(10 * 365 * 24 * 3600);
    let entries = [(start(), at(0)), (intent("one"), ten_years)];
    let entries = entries.map(|(kind, time)| chain.append(&kind, time).unwrap().bytes);
    leave(&path, &entries);
    let world = restart(&path).await;
    let entries = sealed(&path);
    assert_eq!(
        kinds(&entries)[2..],
        ["recovered", "outcome", "session_end"]
    );
    for entry in &entries[2..] {
        assert_eq!(text(entry, "time"), ten_years.rfc3339());
        assert_eq!(entry.get("clock_set_back"), Some(&Value::Bool(true)));
    }
    // A session of today is none the worse for it.
    assert_eq!(world.call("echo").await, "ok");
}

#[tokio::test(flavor = "multi_thread")]
async fn l18_a_session_across_an_hour_back_and_ten_years_on_is_sealed_in_its_order() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.db");
    let ten_years = 10 * 365 * 24 * 3600;
    let world = World::new(|settings| {
        settings.database = path.clone();
        settings.staleness_policy = crate::StalenessPolicy::WarnOnly;
    })
    .await;
    for seconds in [0, -3600, ten_years, -ten_years, 1] {
        world.pass(seconds);
        assert_eq!(world.call("echo").await, "ok", "after {seconds}");
    }
    world.close().await;
    let archive = Archive::open(&path).unwrap();
    let sessions = archive.sessions().unwrap();
    assert_eq!(sessions.len(), 1);
    let mut out = Vec::new();
    archive
        .export(&sessions[0], ExportForm::Ours, &mut out)
        .unwrap();
    export::check(&mut out.as_slice(), Some(&world.gateway.key.public())).unwrap();
    let entries = world.log();
    let set_back = |entry: &&Value| entry.get("clock_set_back").is_some();
    let times: Vec<&str> = entries.iter().map(|entry| text(entry, "time")).collect();
    assert!(times.is_sorted(), "{times:?}");
    assert!(entries.iter().filter(set_back).count() >= 3, "{entries:?}");
    let seqs: Vec<_> = entries
        .iter()
        .map(|entry| number(entry, "seq").unwrap())
        .collect();
    assert!(seqs.iter().copied().eq(0..seqs.len() as i64), "{seqs:?}");
}

//! The audit log as it is kept and given out: family L, with what must hold after a crash.

use std::{
    collections::BTreeSet,
    fs,
    path::Path,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use cmcp_evidence::Sha256Digest;
use cmcp_json::Value;
use cmcp_record::audit::commit;
use rusqlite::Connection as Database;

use crate::support::{
    ALICE, Answer, BOB, Gate, Gateway, Server, Setup,
    gateway::{call, private},
    member, text,
};

/// The database's files, one being in memory only.
const FILES: [&str; 2] = ["audit.db", "audit.db-wal"];

fn copy(from: &Path, to: &Path) {
    for name in FILES {
        fs::copy(from.join(name), to.join(name)).unwrap();
    }
}

fn ids(entries: &[Value], kind: &str) -> Vec<String> {
    let of_kind = entries.iter().filter(|entry| text(entry, "kind") == kind);
    of_kind
        .map(|entry| text(entry, "call_id").to_owned())
        .collect()
}

#[test]
fn v1_v2_the_files_as_a_server_finds_them_when_it_is_called_know_of_the_call() {
    let (server, setup) = Setup::usual();
    let gateway = setup.start();
    gateway.still_serves();
    let copies = tempfile::tempdir().unwrap();
    let taken = Arc::new(Mutex::new(0));
    let (folder, to, count) = (
        gateway.files.folder().to_owned(),
        copies.path().to_owned(),
        Arc::clone(&taken),
    );
    server.act_on_calls(move |seen| {
        let mut count = count.lock().unwrap();
        let to = to.join(count.to_string());
        *count += 1;
        fs::create_dir(&to).unwrap();
        copy(&folder, &to);
        seen.result(r#"{"content":[]}"#)
    });
    let answers: Vec<Answer> = (0..3)
        .map(|n| gateway.call("pay", &format!(r#"{{"amount":{n}}}"#)))
        .collect();
    gateway.finish();
    assert_eq!(*taken.lock().unwrap(), 3);
    for (n, answer) in answers.iter().enumerate() {
        assert_eq!(answer.status, 200, "{}", answer.text());
        let id = answer.header("cmcp-call-id").unwrap();
        let (_server, setup) = Setup::usual();
        let files = setup.prepare();
        copy(&copies.path().join(n.to_string()), files.folder());
        // As if power had failed there: the next start makes an end of it.
        let again = files.start();
        let log = again.log_of(answer);
        assert_eq!(ids(&log, "intent")[n..], [id], "{log:?}");
        let last = log
            .iter()
            .rfind(|entry| text(entry, "kind") == "outcome")
            .unwrap();
        assert_eq!(text(last, "call_id"), id);
        assert_eq!(text(last, "result"), "outcome-unknown");
        let (intent, seq) = (
            member(last, "intent_seq"),
            log.iter()
                .position(|entry| text(entry, "kind") == "intent" && text(entry, "call_id") == id),
        );
        assert_eq!(intent.as_i64(), seq.map(|seq| seq as i64), "{last}");
        assert_eq!(ids(&log, "outcome").len(), n + 1);
        // Bob's call before, and Alice's so far.
        again.end(n + 2);
    }
}

#[test]
fn v2_a_call_in_flight_when_the_gateway_is_killed_ends_once_and_as_unknown() {
    let (server, setup) = Setup::usual();
    let gateway = setup.start();
    gateway.still_serves();
    let gate = Gate::default();
    let held = gate.clone();
    server.act_on_calls(move |seen| {
        held.wait();
        seen.result(r#"{"content":[]}"#)
    });
    let bearer = format!("Bearer {ALICE}");
    let host = gateway.addr.to_string();
    let headers = [
        ("Host", host.as_str()),
        ("Authorization", bearer.as_str()),
        ("Content-Type", "application/json"),
    ];
    let mut waiting = Vec::new();
    for (tool, arguments) in [("pay", r#"{"amount":1}"#), ("echo", r#"{"text":"a"}"#)] {
        let mut connection = gateway.connect();
        connection
            .request("POST /mcp", &headers, call(tool, arguments).as_bytes())
            .unwrap();
        waiting.push(connection);
    }
    server.await_calls(3);
    let files = gateway.kill();
    for mut connection in waiting {
        assert!(connection.read().is_err(), "nobody was answered");
    }
    gate.open();
    server.behave();
    let gateway = files.start();
    gateway.await_log("sealed what a crash had left open", 1);
    let calls = server.calls().len();
    assert_eq!(calls, 3, "nothing is repeated by itself");
    let all = gateway.end(2);
    // The call that may have changed something, and Bob's before; the one that only read left nothing.
    let outcomes: Vec<_> = all
        .iter()
        .filter(|entry| text(entry, "kind") == "outcome")
        .collect();
    let results: BTreeSet<_> = outcomes
        .iter()
        .map(|outcome| (text(outcome, "tool"), text(outcome, "result")))
        .collect();
    assert_eq!(
        results,
        [("echo", "response"), ("pay", "outcome-unknown")].into()
    );
    assert_eq!(outcomes.len(), 2);
}

fn number(digits: u32) -> String {
    format!(r#"{{"note":"219-09-{digits:04}"}}"#)
}

/// Everything that is given out of a session, and the two salts of a call, which are not.
fn given_out(gateway: Gateway, answer: &Answer) -> (String, [[u8; 32]; 2]) {
    let select =
        "SELECT salts FROM entries WHERE salts IS NOT NULL AND instr(CAST(body AS TEXT), ?1) > 0";
    let id = answer.header("cmcp-call-id").unwrap();
    let read = |row: &rusqlite::Row<'_>| row.get::<_, Vec<u8>>(0);
    let salts = gateway.database().query_row(select, [id], read).unwrap();
    let (request, response) = salts.split_at(32);
    let session = answer.header("cmcp-session-id").unwrap().to_owned();
    let files = Arc::clone(&gateway.files);
    gateway.finish();
    let names = [
        "record.json",
        "claim.json",
        "audit.json",
        "audit-cmcp-0.7.json",
    ];
    let texts =
        names.map(|name| fs::read_to_string(files.path(&format!("{session}/{name}"))).unwrap());
    (
        texts.concat(),
        [request, response].map(|salt| salt.try_into().unwrap()),
    )
}

#[test]
fn l20_a_number_of_few_digits_cannot_be_guessed_from_anything_that_is_given_out() {
    let (_server, setup) = Setup::usual();
    let gateway = setup.start();
    let answers = [(); 2].map(|()| gateway.call("pay", &number(9_999)));
    let [first, second] = answers.each_ref().map(|answer| gateway.outcome(answer));
    let request = |outcome: &Value| text(outcome, "request").parse::<Sha256Digest>().unwrap();
    assert_ne!(request(&first), request(&second), "the same twice shows");
    let (given_out, salts) = given_out(gateway, &answers[0]);
    for salt in salts {
        assert_ne!(salt, [0; 32]);
        let hex = cmcp_evidence::hex::encode(&salt);
        let b64 = cmcp_evidence::b64::encode(&salt);
        assert!(
            !given_out.contains(&hex) && !given_out.contains(&b64),
            "a salt is given out"
        );
    }
    let known = digests(&given_out);
    assert!(known.len() > 10, "{known:?}");
    // Everything public that a salt could be, and none.
    let public: Vec<[u8; 32]> = known
        .iter()
        .map(|digest| *digest.as_bytes())
        .chain([[0; 32]])
        .collect();
    let words = ["call_id", "attempt", "log"].map(|name| text(&first, name).to_owned());
    for digits in 9_000..10_000 {
        let whole = number(digits);
        let value = whole.split('"').nth(3).unwrap();
        for guess in [
            whole.as_str(),
            value,
            &format!("\"{value}\""),
            &value.replace('-', ""),
        ] {
            let mut tried = vec![Sha256Digest::of(guess.as_bytes())];
            tried.extend(
                words
                    .iter()
                    .map(|word| Sha256Digest::of_parts(&[word.as_bytes(), guess.as_bytes()])),
            );
            tried.extend(public.iter().map(|salt| commit(salt, guess.as_bytes())));
            assert!(
                !tried.iter().any(|digest| known.contains(digest)),
                "{guess} shows"
            );
        }
    }
    // Whoever is given the salt can tell.
    assert_eq!(commit(&salts[0], number(9_999).as_bytes()), request(&first));
    assert_ne!(commit(&salts[0], number(9_998).as_bytes()), request(&first));
}

/// Everything in a text that could be a SHA-256 in hexadecimal.
fn digests(text: &str) -> BTreeSet<Sha256Digest> {
    let words = text.split(|c: char| !c.is_ascii_hexdigit());
    words
        .filter_map(|word| format!("sha256:{word}").parse().ok())
        .collect()
}

/// A gateway with one session of Alice's.
fn with_a_session() -> (Server, Gateway, String) {
    let (server, setup) = Setup::usual();
    let gateway = setup.start();
    let answer = gateway.call("pay", r#"{"amount":1}"#);
    let session = answer.header("cmcp-session-id").unwrap().to_owned();
    (server, gateway, session)
}

#[test]
fn l22_the_export_takes_an_id_and_a_format_and_nothing_else() {
    let (_server, gateway, session) = with_a_session();
    gateway.peak();
    let before = gateway.status("VmRSS");
    let (own, long) = (format!("session_id={session}"), "x".repeat(50_000));
    let unknown = [
        "../../../../etc/passwd",
        "..%2f..%2f..%2fetc%2fpasswd",
        "/etc/passwd%00.json",
        "file:///etc/passwd",
        "audit.db",
        "'%20OR%20'1'='1",
        "x';DROP%20TABLE%20entries;--",
        "%25",
        "1",
        "-1",
        "9223372036854775808",
        &session.to_uppercase(),
        &format!("{session}%20"),
        &long,
    ];
    let unknown = unknown.map(|id| (404, format!("session_id={id}")));
    let malformed = [
        String::new(),
        "session_id=".to_owned(),
        "format=cmcp".to_owned(),
        format!("{own}&{own}"),
        format!("{own}&format=../cmcp"),
        format!("{own}&format=CMCP"),
        format!("{own}&limit=1000000000"),
        format!("{own}&from=0&to=18446744073709551616"),
        format!("{own}&range=0-99999999999999999999"),
        format!("{own}&path=/etc/passwd"),
    ];
    for (status, query) in unknown
        .into_iter()
        .chain(malformed.map(|query| (400, query)))
    {
        let asked = Instant::now();
        let answer = gateway.asked(ALICE, &format!("GET /audit/export?{query}"), "");
        assert_eq!(answer.status, status, "{query:.100}: {}", answer.text());
        assert!(!answer.text().contains("root:"), "{query:.100}");
        assert!(answer.body.len() < 60_000 && asked.elapsed() < Duration::from_secs(5));
    }
    // Bytes that are no text are nobody's id.
    let odd = gateway.asked(ALICE, "GET /audit/export?session_id=%ff%fe", "");
    assert!([400, 404].contains(&odd.status), "{}", odd.text());
    let grown = gateway.peak().saturating_sub(before);
    assert!(grown < 16 << 10, "{grown} KiB");
    gateway.finish();
}

#[test]
fn l22_no_path_and_no_range_gives_out_more_than_ones_own_records() {
    let (_server, gateway, session) = with_a_session();
    for path in [
        "/sessions/..%2f..%2fetc%2fpasswd/trust-record".to_owned(),
        "/sessions/%00/trust-record".to_owned(),
        "/sessions/../trust-record".to_owned(),
        "/sessions//trust-record".to_owned(),
        format!("/sessions/{}/trace-claim", "x".repeat(50_000)),
        format!("/sessions/{session}/calls/..%2f..%2fetc%2fpasswd/trust-record"),
        format!("/sessions/{session}/calls/{}/trust-record", "9".repeat(400)),
        format!("/sessions/{session}/../../audit.db"),
        "/audit/export/../../audit.db".to_owned(),
    ] {
        let answer = gateway.asked(ALICE, &format!("GET {path}"), "");
        assert_eq!(answer.status, 404, "{path:.100}: {}", answer.text());
    }
    let line = format!("GET /audit/export?session_id={session}&format=cmcp");
    assert_eq!(
        gateway.asked(BOB, &line, "").status,
        404,
        "another principal's is like none"
    );
    let bearer = format!("Bearer {ALICE}");
    for range in [
        "bytes=0-999999999999",
        "bytes=18446744073709551615-",
        "entries=0-1000000000",
    ] {
        let answer = gateway.request(&line, &[("Authorization", &bearer), ("Range", range)], b"");
        assert_eq!(answer.status, 200, "{range}");
        private(&answer.text(), "the export");
    }
    gateway.finish();
}

#[test]
fn l23_a_second_gateway_on_one_database_is_refused_and_the_first_serves_on() {
    let (_server, setup) = Setup::usual();
    let files = setup.prepare();
    let gateway = files.start();
    assert_eq!(gateway.call("pay", r#"{"amount":1}"#).status, 200);
    let failed = files.fail();
    assert_eq!(
        (failed.code, failed.errors().len()),
        (Some(1), 1),
        "{failed:?}"
    );
    let said = failed.errors()[0].to_owned();
    assert!(
        said.contains("AUDIT_STORE_UNAVAILABLE") && said.contains("in use by another gateway"),
        "{said}"
    );
    gateway.still_serves();
    gateway.finish();
    // The lock ends with its process, however it ended.
    files.start().kill();
    let gateway = files.start();
    gateway.still_serves();
    gateway.end(2);
}

#[test]
fn l24_a_database_of_a_newer_version_is_refused_by_its_number_and_left_as_it_is() {
    let (_server, setup) = Setup::usual();
    let files = setup.prepare();
    let gateway = files.start();
    assert_eq!(gateway.call("pay", r#"{"amount":1}"#).status, 200);
    gateway.finish();
    let version = |number: u32| {
        let database = Database::open(files.path("audit.db")).unwrap();
        database
            .execute_batch(&format!("PRAGMA user_version = {number}"))
            .unwrap();
    };
    version(2);
    let bytes = fs::read(files.path("audit.db")).unwrap();
    let failed = files.fail();
    assert_eq!(
        (failed.code, failed.errors().len()),
        (Some(1), 1),
        "{failed:?}"
    );
    assert!(
        failed.errors()[0].contains("has format 2, this version reads up to 1"),
        "{failed:?}"
    );
    let (code, said) = files.run(&["audit", "export", "--database", "audit.db"]);
    assert_eq!(code, 1, "{said}");
    assert!(
        said.contains("has format 2, this version reads up to 1"),
        "{said}"
    );
    assert_eq!(fs::read(files.path("audit.db")).unwrap(), bytes);
    version(1);
    files.start().end(1);
}

#[test]
fn l05_an_altered_entry_is_named_by_the_verifier_that_is_given_the_export() {
    let (_server, setup) = Setup::usual();
    let gateway: Gateway = setup.start();
    let answers = [(); 3].map(|()| gateway.call("pay", r#"{"amount":1}"#));
    let session = answers[0].header("cmcp-session-id").unwrap().to_owned();
    let files = Arc::clone(&gateway.files);
    gateway.finish();
    let place = files.path(&format!("{session}/audit.json"));
    let export = fs::read_to_string(&place).unwrap();
    let entries = export
        .lines()
        .filter(|line| line.contains("\"kind\":"))
        .count();
    assert!(entries > 6, "{export}");
    for entry in 0..entries {
        // The log's own id is in every entry: one letter of it is another.
        let line = export.lines().nth(entry + 1).unwrap();
        let other = line.replace("\"v\":1", "\"v\":2");
        fs::write(&place, export.replace(line, &other)).unwrap();
        let (code, said) = files.run(&[
            "verify",
            &format!("{session}/record.json"),
            "--audit-bundle",
            &format!("{session}/audit.json"),
        ]);
        assert_eq!(code, 1, "{said}");
        assert!(
            said.contains(&format!("entry {entry}: ")),
            "{entry}: {said}"
        );
    }
}

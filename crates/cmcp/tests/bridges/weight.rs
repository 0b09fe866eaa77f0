//! Documents that are too much: policies, catalogs, configurations and logs that could keep a
//! machine busy or fill it.

use std::{
    fs,
    io::Write as _,
    process::{Command, Stdio},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use crate::{
    items::{ALL, Item, before, started, usual},
    support::{Gateway, Prepared, Setup},
    upstream::{Era, Upstream},
};

/// A start that has to fail, and soon.
fn refused(setup: Setup, words: &str) {
    let begun = Instant::now();
    let failed = setup.fail();
    let took = begun.elapsed();
    assert!(failed.stderr.contains(words), "{:?}", &failed.errors());
    assert!(took < Duration::from_secs(5), "{took:?}");
    assert!(
        failed.stderr.len() < 1 << 20,
        "{} bytes said",
        failed.stderr.len()
    );
}

#[test]
fn n02_policies_beyond_the_documented_size_do_not_start() {
    let (_, setup) = usual(Era::Legacy);
    let rule = |n: usize| {
        format!("forbid(principal, action, resource) when {{ context.workflow_id == \"w{n}\" }};\n")
    };
    let many: String = (0..100_000).map(rule).collect();
    // The first of the two limits that it meets.
    refused(setup.policy(&format!("{ALL}\n{many}")), "more than");
    let nested = |condition: &str| {
        format!("{ALL}\nforbid(principal, action, resource) when {{ {condition} }};")
    };
    let deep = format!("{}true{}", "(".repeat(100_000), ")".repeat(100_000));
    refused(
        usual(Era::Legacy).1.policy(&nested(&deep)),
        "nests more than 32 brackets",
    );
    let wide = vec!["\"x\""; 10_000].join(",");
    let wide = format!("[{wide}].contains(context.workflow_id)");
    refused(
        usual(Era::Legacy).1.policy(&nested(&wide)),
        "more than 4000 tokens",
    );
}

#[test]
fn n02_under_hundreds_of_policies_calls_are_served() {
    let rule = |n: usize| {
        format!("@id(\"r{n}\") forbid(principal == Agent::\"a{n}\", action, resource);\n")
    };
    let many: String = (0..500).map(rule).collect();
    let (upstream, setup) = usual(Era::Legacy);
    let gateway = setup.policy(&format!("{ALL}\n{many}")).start();
    let begun = Instant::now();
    for _ in 0..20 {
        assert_eq!(gateway.call("echo", r#"{"text":"x"}"#).status, 200);
    }
    assert!(
        begun.elapsed() < Duration::from_secs(2),
        "{:?}",
        begun.elapsed()
    );
    assert_eq!(upstream.of("tools/call").len(), 20);
    gateway.finish();
}

#[test]
fn n03_nothing_can_give_an_entity_a_parent_or_more_than_it_may_have() {
    let principals = |attributes: &str| {
        let (_, setup) = usual(Era::Legacy);
        let hash = "0".repeat(64);
        setup.open().settings(&format!(
            "principals:\n  - name: carol\n    token_sha256: \"{hash}\"\n    attributes: {attributes}\n"
        ))
    };
    for entity in [
        r#"{group: {__entity: {type: Agent, id: carol}}}"#,
        r#"{group: {type: Agent, id: root}}"#,
        r#"{parents: [[root]]}"#,
    ] {
        refused(principals(entity), "attributes");
    }
    // Policies find nobody in a group: there is none.
    for (policy, words) in [
        (
            r#"permit(principal in Group::"admins", action, resource);"#,
            "Group",
        ),
        (
            r#"permit(principal in Agent::"root", action, resource); permit(principal is Group, action, resource);"#,
            "Group",
        ),
    ] {
        refused(usual(Era::Legacy).1.policy(policy), words);
    }
}

#[test]
fn n04_names_without_end_in_headers_bodies_and_catalogs_cost_what_others_cost() {
    let (_, gateway) = started(Era::Legacy, ALL);
    // As many members as a request may have, all alike but for their ends.
    let members: Vec<String> = (0..9_000).map(|n| format!("\"{n:064}\":{n}")).collect();
    let meta = members.join(",");
    let begun = Instant::now();
    let body = format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"echo","arguments":{{"text":"x"}},"_meta":{{{meta}}}}}}}"#
    );
    let answer = gateway.post(&body);
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(
        begun.elapsed() < Duration::from_secs(1),
        "{:?}",
        begun.elapsed()
    );
    // As many headers as a request may have and more.
    let names: Vec<String> = (0..5_000).map(|n| format!("x-{n:016}")).collect();
    let headers: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "1")).collect();
    let begun = Instant::now();
    let host = gateway.addr.to_string();
    let all = [vec![("Host", host.as_str())], headers].concat();
    if let Ok(answer) = gateway.attempt("GET /health", &all, b"") {
        assert!(answer.status >= 400, "{}", answer.status);
    }
    assert!(
        begun.elapsed() < Duration::from_secs(1),
        "{:?}",
        begun.elapsed()
    );
    gateway.finish();
    // A catalog of many items, none of which is found by looking at the others.
    let items: Vec<Item> = (0..1_500)
        .map(|n| Item::resource(&format!("doc://{n:064}")))
        .collect();
    let upstream = Upstream::start(Era::Legacy, &items);
    let begun = Instant::now();
    let gateway = before(&[("up", &upstream)]).start();
    assert!(
        begun.elapsed() < Duration::from_secs(10),
        "{:?}",
        begun.elapsed()
    );
    drop(gateway);
}

#[test]
fn n08_a_log_without_end_is_verified_in_the_room_of_a_small_one() {
    let (_, gateway) = started(Era::Legacy, ALL);
    let answer = gateway.call("echo", r#"{"text":"x"}"#);
    let session = answer.header("cmcp-session-id").unwrap().to_owned();
    let files = Arc::clone(&gateway.files);
    end(gateway);
    let file = |name: &str| format!("{session}/{name}");
    let audit = fs::read_to_string(files.path(&file("audit.json"))).unwrap();
    let record = file("record.json");
    let small = peak(&files, &record, &audit, 0);
    // The same entries again and again: no log, but every byte of it is read.
    let large = peak(&files, &record, &audit, 3 << 20);
    assert!(large < small + 1_536, "{small} KiB, then {large} KiB");
}

/// Ends the gateway; its log is exported below.
fn end(gateway: Gateway) {
    gateway.finish();
}

/// The most memory, in KiB, that verifying takes of an export whose last entry is repeated until
/// there are so many bytes more.
fn peak(files: &Prepared, record: &str, audit: &str, more: usize) -> u64 {
    let pipe = files.path(&format!("pipe-{more}"));
    let made = Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());
    let mut verifier = Command::new(env!("CARGO_BIN_EXE_cmcp"))
        .args(["verify", record, "--audit-bundle"])
        .arg(&pipe)
        .current_dir(files.folder())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut input = fs::OpenOptions::new().write(true).open(&pipe).unwrap();
    let (begin, entry, end) = taken_apart(audit);
    input.write_all(begin.as_bytes()).unwrap();
    let again = format!(",{entry}").repeat(64);
    let mut left = more;
    // It may stop at the first entry that cannot be, and then has read as much as it needs.
    while left > 0 && input.write_all(again.as_bytes()).is_ok() {
        left = left.saturating_sub(again.len());
    }
    assert_eq!(left, 0, "the verifier stopped with {left} bytes to come");
    thread::sleep(Duration::from_millis(50));
    let status = fs::read_to_string(format!("/proc/{}/status", verifier.id())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM"));
    let peak = line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok());
    let _gone = input.write_all(end.as_bytes());
    drop(input);
    let code = verifier.wait().unwrap().code().unwrap();
    assert_eq!(code == 3, more == 0, "exit code {code}");
    peak.unwrap()
}

/// An export up to behind its last entry, that entry, and the rest.
fn taken_apart(audit: &str) -> (&str, &str, &str) {
    let parsed = crate::support::json(audit);
    let root = parsed.as_object().unwrap();
    let entries = root.span("entries").unwrap();
    let (rest, end) = audit.split_at(entries.end - 1);
    let last = root.get("entries").and_then(cmcp_json::Value::as_array);
    let last = last.unwrap().last().unwrap().to_string();
    let begin = last.get(..40).unwrap();
    let (_, entry) = rest.split_at(rest.rfind(begin).unwrap());
    (rest, entry.trim_end(), end)
}

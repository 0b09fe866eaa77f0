//! A gateway that runs: stopping an agent, and running short of what the system gives.

use std::{
    fs,
    io::{BufReader, Read as _, pipe},
    process::Stdio,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use cmcp_json::Value;

use crate::support::{
    ALICE, BOB, Connection, Gateway, PRIVATE, Reply, Setup, Tool, gateway::private, json, member,
    setup::ALL, text,
};

/// Calls until the switch refuses; how often it was let through.
fn call_until_stopped(
    gateway: &Gateway,
    tripped: &AtomicBool,
    (tool, arguments): (&str, &str),
) -> usize {
    let mut served = 0;
    loop {
        let late = tripped.load(Ordering::SeqCst);
        let answer = gateway.call(tool, arguments);
        if answer.status != 200 {
            assert_eq!(
                answer.refusal(),
                (403, -32000, "KILL_SWITCH_TRIPPED".to_owned())
            );
            return served;
        }
        assert!(!late, "let through after the switch had answered");
        served += 1;
    }
}

/// Behind the order's own entry stands no call that was let through. In how many logs it stands.
fn logs_that_stopped(all: &[Value]) -> usize {
    let mut logs: Vec<&str> = all.iter().map(|entry| text(entry, "log")).collect();
    logs.dedup();
    let mut stopped = 0;
    for log in logs {
        let entries = all.iter().filter(|entry| text(entry, "log") == log);
        let behind = entries.skip_while(|entry| text(entry, "kind") != "kill_switch");
        let behind: Vec<_> = behind.collect();
        stopped += usize::from(!behind.is_empty());
        for entry in behind {
            assert_ne!(text(entry, "kind"), "intent", "{entry}");
            assert_ne!(text(entry, "verdict"), "allow", "{entry}");
        }
    }
    stopped
}

#[test]
fn m07_after_the_kill_switch_no_call_is_let_through() {
    let (server, setup) = Setup::usual();
    let files = setup.prepare();
    let gateway = files.start();
    let tripped = AtomicBool::new(false);
    let order = |gateway: &Gateway, what: &str| {
        let body = r#"{"agent_id":"alice","reason":"a burst","authorized_by":"tests"}"#;
        let line = format!("POST /kill-switch/{what}");
        gateway.operator(&line, body).status
    };
    thread::scope(|scope| {
        let calls = [("pay", r#"{"amount":1}"#), ("echo", r#"{"text":"a"}"#)];
        let (gateway, tripped) = (&gateway, &tripped);
        let burst: Vec<_> = (0..8)
            .map(|at| scope.spawn(move || call_until_stopped(gateway, tripped, calls[at % 2])))
            .collect();
        server.await_calls(50);
        assert_eq!(order(gateway, "trip"), 200);
        tripped.store(true, Ordering::SeqCst);
        let served: usize = burst.into_iter().map(|calls| calls.join().unwrap()).sum();
        assert!(served >= 40, "{served}");
    });
    gateway.still_serves();
    assert_eq!(order(&gateway, "trip"), 409);
    let calls = gateway.called();
    assert_eq!(logs_that_stopped(&gateway.finish()), 1, "the log says when");
    // It outlives a restart, and the operator lifts it.
    let gateway = files.start();
    let refused = gateway.call("echo", r#"{"text":"a"}"#);
    assert_eq!(refused.refusal().2, "KILL_SWITCH_TRIPPED");
    gateway.still_serves();
    assert_eq!(order(&gateway, "unblock"), 200);
    assert_eq!(gateway.call("echo", r#"{"text":"a"}"#).status, 200);
    gateway.end(calls);
}

#[test]
fn m10_idle_peers_that_take_every_descriptor_cost_no_processor_and_end() {
    let (_server, setup) = Setup::usual();
    let gateway = setup
        .through(&["sh", "-c", "ulimit -n 64; exec \"$@\"", "sh"])
        .start();
    gateway.still_serves();
    let mut connected = gateway.connect();
    let host = gateway.addr.to_string();
    let health = |connection: &mut Connection| {
        connection
            .request("GET /health", &[("Host", &host)], b"")
            .unwrap();
        connection.read().unwrap().status
    };
    assert_eq!(health(&mut connected), 200);
    let idle: Vec<_> = (0..100).map(|_| gateway.connect()).collect();
    gateway.await_log("a connection was not accepted", 1);
    let (asked, cpu) = (Instant::now(), gateway.cpu());
    gateway.await_log("a connection was not accepted", 6);
    let waited = asked.elapsed();
    assert!(
        waited >= Duration::from_millis(200),
        "five refusals within {waited:?}: a busy loop"
    );
    assert!(
        gateway.cpu() - cpu < waited / 2,
        "{:?} of {waited:?}",
        gateway.cpu() - cpu
    );
    // Who was connected before goes on.
    assert_eq!(health(&mut connected), 200);
    drop(idle);
    gateway.still_serves();
    gateway.finish();
}

#[test]
fn m11_a_log_that_nobody_reads_holds_up_no_call() {
    let (_server, setup) = Setup::usual();
    let files = setup.variable("RUST_LOG", "trace").prepare();
    let (mut reader, writer) = pipe().unwrap();
    let gateway = Gateway::spawned(files.command().stderr(Stdio::from(writer)), &files).unwrap();
    // More than any pipe holds.
    for _ in 0..600 {
        let answer = gateway.call("pay", r#"{"amount":5000}"#);
        assert_eq!(answer.status, 403, "{}", answer.text());
    }
    gateway.still_serves();
    let log = thread::spawn(move || {
        let mut log = String::new();
        let read = reader.read_to_string(&mut log);
        read.map(|_| log)
    });
    gateway.finish();
    let log = log.join().unwrap().unwrap();
    assert!(log.contains("a call was refused"), "{log}");
    private(&log, "the log");
}

#[test]
fn m11_a_log_whose_reader_is_gone_fails_no_call() {
    let (_server, setup) = Setup::usual();
    let files = setup.variable("RUST_LOG", "trace").prepare();
    let (reader, writer) = pipe().unwrap();
    drop(reader);
    let gateway = Gateway::spawned(files.command().stderr(Stdio::from(writer)), &files).unwrap();
    for _ in 0..20 {
        let answer = gateway.call("pay", r#"{"amount":5000}"#);
        assert_eq!(answer.status, 403, "{}", answer.text());
        assert_eq!(gateway.verdict(&answer)[0], "policy_deny");
    }
    gateway.still_serves();
    gateway.finish();
}

#[test]
fn v5_no_secret_and_no_payload_is_logged_at_any_level() {
    let (server, setup) = Setup::usual();
    let gateway = setup.variable("RUST_LOG", "trace").start();
    let note = format!(r#"{{"note":"{PRIVATE}","amount":1}}"#);
    let echo = format!(r#"{{"text":"{PRIVATE}"}}"#);
    assert_eq!(gateway.call("pay", &note).status, 200);
    assert_eq!(gateway.call("echo", &echo).status, 200);
    gateway.call("pay", &note.replace("\"amount\":1", "\"amount\":5000"));
    gateway.call("pay", &note.replace("\"amount\":1", "\"amount\":\"x\""));
    gateway.post(format!("{{\"{PRIVATE}\":1,\"{PRIVATE}\":1}}"));
    gateway.asked(PRIVATE, "GET /tools/list", "");
    gateway.asked(ALICE, &format!("GET /{PRIVATE}"), "");
    server.act_on_calls(|seen| seen.error(-32000, PRIVATE));
    gateway.call("echo", &echo);
    server.act_on_calls(|_| Reply::Json(PRIVATE.to_owned()));
    gateway.call("echo", &echo);
    server.act_on_calls(|_| Reply::Http(500, "text/plain", PRIVATE.as_bytes().to_vec()));
    gateway.call("echo", &echo);
    server.behave();
    gateway.still_serves();
    private(&gateway.operator("GET /metrics", "").text(), "the metrics");
    gateway.finish();
}

#[test]
fn a_child_process_behind_the_gateway_is_governed_alike() {
    let definitions = sample_definitions();
    let tools: Vec<_> = definitions
        .iter()
        .map(|definition| Tool::reads(&definition.to_string()))
        .collect();
    let gateway = Setup::empty().child("up").tools(&tools).policy(ALL).start();
    let denied = gateway.call("nothing", "{}");
    assert_eq!(denied.status, 403);
    assert_eq!(children(&gateway), 0, "a denied call starts nothing");
    let answer = gateway.call_as(BOB, "echo", r#"{"message":"a"}"#);
    assert_eq!(answer.status, 200, "{}", answer.text());
    let outcome = gateway.outcome(&answer);
    assert_eq!(
        member(&outcome, "server.evidence_class").as_str(),
        Some("spawn-unmeasured")
    );
    assert_eq!(children(&gateway), 1);
    gateway.finish();
}

fn sample_definitions() -> Vec<Value> {
    use std::{
        io::{BufRead as _, Write as _},
        process::Command,
    };
    let mut server = Command::new(env!("CARGO_BIN_EXE_cmcp"))
        .arg("demo-server")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = server.stdin.take().unwrap();
    stdin.write_all(b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\",\"params\":{\"protocolVersion\":\"2025-11-25\",\"capabilities\":{},\"clientInfo\":{\"name\":\"t\",\"version\":\"1\"}}}\n{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}\n{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"tools/list\"}\n").unwrap();
    let lines = BufReader::new(server.stdout.take().unwrap()).lines();
    let mut answers = lines.map(|line| json(&line.unwrap()));
    let list = answers
        .find(|answer| member(answer, "id").as_i64() == Some(2))
        .unwrap();
    drop(stdin);
    server.wait().unwrap();
    member(&list, "result.tools").as_array().unwrap().to_vec()
}

fn children(gateway: &Gateway) -> usize {
    let pid = gateway.pid();
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let of =
        |task: fs::DirEntry| fs::read_to_string(task.path().join("children")).unwrap_or_default();
    tasks
        .flatten()
        .map(of)
        .map(|children| children.split_whitespace().count())
        .sum()
}

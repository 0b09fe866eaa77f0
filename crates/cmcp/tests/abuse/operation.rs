//! Configuration, start and operation: family M.

use std::{
    fs,
    io::{BufReader, Read as _, pipe},
    os::unix::fs::{PermissionsExt as _, symlink},
    process::Stdio,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

use cmcp_json::Value;

use crate::support::{
    ALICE, BOB, Gateway, OPERATOR, PRIVATE, Setup, json, member, text,
    gateway::private,
};

#[test]
fn m01_a_configuration_that_could_be_read_two_ways_is_refused_with_its_place() {
    for (lines, said) in [
        ("enforcement: silent\n", "`enforcement` is not a key"),
        ("record_per: session\nrecord_per: call\n", "`record_per` is set already on line 1"),
        ("record_per: &a session\n", "an anchor"),
        ("redact: [\"$.a\"]\nallowed_hosts: *a\n", "an alias"),
        ("record_per: !!str session\n", "the tag"),
        ("trust_domain: !<tag:yaml.org,2002:python/object:os.system> x\n", "the tag"),
        ("a: &a [1]\nb: &b [*a,*a]\nc: &c [*b,*b]\nd: [*c,*c]\n", "an anchor"),
        ("record_per: \"ca\\x00ll\"\n", "`record_per`"),
        ("listen_addr: \"127.0.0.1:99999\"\n", "`listen_addr`"),
        ("max_response_size_bytes: 0x200\n", "`max_response_size_bytes`"),
        ("---\n---\nrecord_per: call\n", "second document"),
        ("kill_switch:\n  enabled: true\n", "not available in this version"),
        ("policy_reload_interval_seconds: 60\n", "not available in this version"),
        ("redact: [", "malformed"),
    ] {
        let (server, setup) = Setup::usual();
        let failed = setup.settings(lines).fail();
        assert_eq!(failed.code, Some(1), "{lines}: {failed:?}");
        let found = failed.errors().iter().any(|error| error.contains(said) && error.contains("cmcp-config.yaml:"));
        assert!(found, "{lines}: {failed:?}");
        private(&failed.stderr, "the errors");
        assert!(server.is_untouched());
    }
}

#[test]
fn m01_the_environment_overrides_no_security_setting() {
    for (name, value, lines) in [
        // Development mode weakens nothing beyond this machine …
        ("CMCP_DEV_MODE", "1", "listen_addr: \"0.0.0.0:0\"\ndanger_plain_http: true\n"),
        // … and is asked for exactly.
        ("CMCP_DEV_MODE", "yes", ""),
        ("CMCP_DEV_MODE", "true", ""),
        ("CMCP_SESSION_CLOSE_DRAIN_SECONDS", "0", "session_close_drain_seconds: 30\n"),
        ("CMCP_OPERATOR_TOKEN", ALICE, ""),
        ("CMCP_BEARER_TOKEN", OPERATOR, ""),
        ("CMCP_POLICY_HASH", "sha256:00", ""),
        ("CMCP_CATALOG_HASH", &format!("sha256:{}", "0".repeat(64)), ""),
    ] {
        let (_server, setup) = Setup::usual();
        let failed = setup.variable(name, value).settings(lines).fail();
        assert_eq!(failed.code, Some(1), "{name}={value}: {failed:?}");
        assert!(!failed.errors().is_empty());
        private(&failed.stderr, "the errors");
    }
    // What looks like a setting and is none changes nothing, and is said.
    let (_server, setup) = Setup::usual();
    let gateway = setup.variable("CMCP_ENFORCEMENT_MODE", "silent").start();
    assert!(gateway.stderr().contains("`CMCP_ENFORCEMENT_MODE` is not read"), "{}", gateway.stderr());
    assert_eq!(gateway.call("pay", r#"{"amount":5000}"#).status, 403);
    gateway.finish();
}

#[test]
fn m03_development_mode_says_software_and_who_expects_hardware_is_refused() {
    let (_server, setup) = Setup::usual();
    let gateway = setup.start();
    let session = gateway.call("echo", r#"{"text":"a"}"#);
    let start = &gateway.log_of(&session)[0];
    assert_eq!(text(start, "platform"), "software-only");
    let id = session.header("cmcp-session-id").unwrap();
    let claim = gateway.asked(ALICE, &format!("POST /sessions/{id}/close"), "").json();
    assert_eq!(member(&claim, "trace.runtime.firmware_version").as_str(), Some("software-only-dev-mode"));
    let record = gateway.asked(ALICE, &format!("GET /sessions/{id}/trust-record"), "");
    fs::write(gateway.files.path("record.json"), &record.body).unwrap();
    assert_eq!(member(&record.json(), "appraisal.status").as_str(), Some("none"));
    let (code, said) = gateway.files.run(&["verify", "record.json"]);
    assert_eq!(code, 3, "{said}");
    assert!(said.contains("software_evidence"), "{said}");
    let measurement = format!("sha256:{}", "ab".repeat(32));
    let (code, said) = gateway.files.run(&["verify", "record.json", "--launch-measurement", &measurement]);
    assert_eq!(code, 1, "{said}");
    assert!(gateway.stderr().contains("software evidence, because of `CMCP_DEV_MODE=1`"));
    gateway.finish();
}

#[test]
fn m04_a_file_that_anybody_may_write_is_refused_and_a_link_is_said() {
    let (_server, setup) = Setup::usual();
    let files = setup.prepare();
    for name in ["cmcp-config.yaml", "catalog.json", "policies/main.cedar", "policies/manifest.json"] {
        let mode = |mode| fs::set_permissions(files.path(name), fs::Permissions::from_mode(mode)).unwrap();
        mode(0o666);
        let failed = files.fail();
        assert_eq!(failed.errors().len(), 1, "{name}: {failed:?}");
        assert!(failed.stderr.contains("chmod o-w") && failed.stderr.contains(name), "{failed:?}");
        mode(0o600);
    }
    fs::rename(files.path("cmcp-config.yaml"), files.path("real.yaml")).unwrap();
    symlink(files.path("real.yaml"), files.path("cmcp-config.yaml")).unwrap();
    let gateway = files.start();
    assert!(gateway.stderr().contains("symbolic link"), "{}", gateway.stderr());
    gateway.finish();
}

#[test]
fn m05_what_is_missing_is_one_line_and_never_a_default() {
    for (missing, said) in [
        ("policies", "policies"),
        ("catalog.json", "catalog.json"),
        ("cmcp-config.yaml", "cmcp-config.yaml"),
    ] {
        let (server, setup) = Setup::usual();
        let files = setup.prepare();
        fs::rename(files.path(missing), files.path("elsewhere")).unwrap();
        let failed = files.fail();
        assert_eq!((failed.code, failed.errors().len()), (Some(1), 1), "{missing}: {failed:?}");
        assert!(failed.errors()[0].contains(said), "{failed:?}");
        assert!(server.is_untouched());
    }
    // Nor does an empty one permit anything, or an empty catalog list anything.
    let (server, setup) = Setup::usual();
    let gateway = setup.policy("").start();
    assert_eq!(gateway.call("echo", r#"{"text":"a"}"#).status, 403);
    assert!(server.is_untouched());
    gateway.finish();
    let failed = Setup::usual().1.catalog("").fail();
    assert_eq!((failed.code, failed.errors().len()), (Some(1), 1), "{failed:?}");
    // Production asks for all that development mode lets one leave out.
    let failed = Setup::usual().1.open().without("CMCP_DEV_MODE").without("CMCP_OPERATOR_TOKEN").fail();
    for code in ["BEARER_TOKEN_REQUIRED", "OPERATOR_TOKEN_REQUIRED", "POLICY_HASH_REQUIRED", "CATALOG_HASH_REQUIRED"] {
        let told = failed.errors().iter().filter(|error| error.contains(code)).count();
        assert_eq!(told, 1, "{code}: {failed:?}");
    }
}

#[test]
fn e29_a_mode_that_lets_denied_calls_pass_is_stated_in_the_record() {
    for (mode, hint) in [("advisory", true), ("silent", false)] {
        let (server, setup) = Setup::usual();
        let pins = setup.prepare();
        let hash = |path: &str| {
            let (code, said) = pins.run(&["validate-bundle", "--bundle-path", path]);
            assert_eq!(code, 0, "{said}");
            let at = said.find("sha256:").unwrap();
            said[at..at + 71].to_owned()
        };
        let url = server.url.clone();
        let tools = [
            crate::support::Tool::reads(crate::support::setup::ECHO),
            crate::support::Tool::writes(crate::support::setup::PAY),
        ];
        let gateway = Setup::empty()
            .server("up", &url)
            .tools(&tools)
            .without("CMCP_DEV_MODE")
            .variable("CMCP_POLICY_HASH", &hash("policies"))
            .variable("CMCP_CATALOG_HASH", &hash("catalog.json"))
            .settings("danger_software_evidence: true\n")
            .attestation(&format!("enforcement_mode: {mode}"))
            .start();
        assert!(gateway.stderr().contains(&format!("enforcement mode `{mode}`")), "{}", gateway.stderr());
        let answer = gateway.call("pay", r#"{"amount":5000}"#);
        assert_eq!(answer.status, 200, "{}", answer.text());
        let told = member(&answer.json(), "result._cmcp.would_have_denied");
        assert_eq!(told.as_bool(), Some(hint), "{}", answer.text());
        let outcome = gateway.outcome(&answer);
        assert_eq!(text(&outcome, "verdict"), "advisory_deny");
        assert_eq!(member(&outcome, "would_have_denied").as_bool(), Some(true));
        assert_eq!(text(&gateway.log_of(&answer)[0], "mode"), mode);
        let id = answer.header("cmcp-session-id").unwrap();
        let close = format!("POST /sessions/{id}/close");
        let claim = gateway.asked(ALICE, &close, "").json();
        assert_eq!(member(&claim, "trace.policy.enforcement_mode").as_str(), Some(mode));
        let record = gateway.asked(ALICE, &format!("GET /sessions/{id}/trust-record"), "").json();
        assert_eq!(member(&record, "policy.enforcement_mode").as_str(), Some("advisory"), "{record}");
        gateway.finish();
    }
}

#[test]
fn m07_after_the_kill_switch_no_call_is_let_through() {
    let (server, setup) = Setup::usual();
    let files = setup.prepare();
    let gateway = files.start();
    let (served, tripped) = (AtomicUsize::new(0), AtomicBool::new(false));
    let order = |reason: &str| format!(r#"{{"agent_id":"alice","reason":"{reason}","authorized_by":"tests"}}"#);
    thread::scope(|scope| {
        for at in 0..8 {
            let (gateway, served, tripped) = (&gateway, &served, &tripped);
            scope.spawn(move || {
                loop {
                    let late = tripped.load(Ordering::SeqCst);
                    let answer = if at % 2 == 0 {
                        gateway.call("pay", r#"{"amount":1}"#)
                    } else {
                        gateway.call("echo", r#"{"text":"a"}"#)
                    };
                    if answer.status == 200 {
                        assert!(!late, "let through after the switch had answered");
                        served.fetch_add(1, Ordering::SeqCst);
                    } else {
                        let refusal = (403, -32000, "KILL_SWITCH_TRIPPED".to_owned());
                        assert_eq!(answer.refusal(), refusal);
                        return;
                    }
                }
            });
        }
        server.await_calls(50);
        let trip = gateway.operator("POST /kill-switch/trip", &order("stop"));
        tripped.store(true, Ordering::SeqCst);
        assert_eq!(trip.status, 200, "{}", trip.text());
    });
    assert!(served.load(Ordering::SeqCst) >= 40);
    gateway.still_serves();
    assert_eq!(gateway.operator("POST /kill-switch/trip", &order("again")).status, 409);
    let calls = gateway.called();
    let first = gateway.finish();
    let mut sessions: Vec<&str> = first.iter().map(|entry| text(entry, "log")).collect();
    sessions.dedup();
    let mut switched = 0;
    for session in sessions {
        let log: Vec<&Value> = first.iter().filter(|entry| text(entry, "log") == session).collect();
        let Some(at) = log.iter().position(|entry| text(entry, "kind") == "kill_switch") else {
            continue;
        };
        switched += 1;
        for entry in &log[at..] {
            assert_ne!(text(entry, "kind"), "intent", "{entry}");
            assert_ne!(text(entry, "verdict"), "allow", "{entry}");
        }
    }
    assert_eq!(switched, 1, "the log says when");
    // It outlives a restart, and the operator lifts it.
    let gateway = files.start();
    assert_eq!(gateway.call("echo", r#"{"text":"a"}"#).refusal().2, "KILL_SWITCH_TRIPPED");
    gateway.still_serves();
    assert_eq!(gateway.operator("POST /kill-switch/unblock", &order("over")).status, 200);
    assert_eq!(gateway.call("echo", r#"{"text":"a"}"#).status, 200);
    gateway.end(calls);
}

#[test]
fn m10_idle_peers_that_take_every_descriptor_cost_no_processor_and_end() {
    let (_server, setup) = Setup::usual();
    let gateway = setup.through(&["sh", "-c", "ulimit -n 64; exec \"$@\"", "sh"]).start();
    gateway.still_serves();
    let mut connected = gateway.connect();
    let host = gateway.addr.to_string();
    let health = |connection: &mut crate::support::Connection| {
        connection.request("GET /health", &[("Host", &host)], b"").unwrap();
        connection.read().unwrap().status
    };
    assert_eq!(health(&mut connected), 200);
    let idle: Vec<_> = (0..100).map(|_| gateway.connect()).collect();
    gateway.await_log("a connection was not accepted", 1);
    let (asked, cpu) = (Instant::now(), gateway.cpu());
    gateway.await_log("a connection was not accepted", 6);
    let waited = asked.elapsed();
    assert!(waited >= Duration::from_millis(200), "five refusals within {waited:?}: a busy loop");
    assert!(gateway.cpu() - cpu < waited / 2, "{:?} of {waited:?}", gateway.cpu() - cpu);
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
    gateway.call(PRIVATE, &echo);
    gateway.post(format!("{{\"{PRIVATE}\":1,\"{PRIVATE}\":1}}"));
    gateway.asked(PRIVATE, "GET /tools/list", "");
    gateway.asked(ALICE, &format!("GET /{PRIVATE}"), "");
    server.act_on_calls(|seen| seen.error(-32000, PRIVATE));
    gateway.call("echo", &echo);
    server.act_on_calls(|_| crate::support::Reply::Json(PRIVATE.to_owned()));
    gateway.call("echo", &echo);
    server.act_on_calls(|_| crate::support::Reply::Http(500, "text/plain", PRIVATE.as_bytes().to_vec()));
    gateway.call("echo", &echo);
    server.behave();
    gateway.still_serves();
    private(&gateway.operator("GET /metrics", "").text(), "the metrics");
    let log = gateway.stderr();
    assert!(!log.contains(PRIVATE), "{log}");
    gateway.kill();
}

#[test]
fn a_child_process_behind_the_gateway_is_governed_alike() {
    let definitions = sample_definitions();
    let tools: Vec<_> = definitions.iter().map(|definition| crate::support::Tool::reads(&definition.to_string())).collect();
    let gateway = Setup::empty().child("up").tools(&tools).policy("permit(principal, action, resource);").start();
    let denied = gateway.call("nothing", "{}");
    assert_eq!(denied.status, 403);
    assert_eq!(children(&gateway), 0, "a denied call starts nothing");
    let answer = gateway.call_as(BOB, "echo", r#"{"message":"a"}"#);
    assert_eq!(answer.status, 200, "{}", answer.text());
    let outcome = gateway.outcome(&answer);
    assert_eq!(member(&outcome, "server.evidence_class").as_str(), Some("spawn-unmeasured"));
    assert_eq!(children(&gateway), 1);
    gateway.finish();
}

fn sample_definitions() -> Vec<Value> {
    use std::{io::{BufRead as _, Write as _}, process::Command};
    let mut server = Command::new(env!("CARGO_BIN_EXE_cmcp"))
        .arg("demo-server")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = server.stdin.take().unwrap();
    stdin.write_all(b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\",\"params\":{\"protocolVersion\":\"2025-11-25\",\"capabilities\":{},\"clientInfo\":{\"name\":\"t\",\"version\":\"1\"}}}\n{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}\n{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"tools/list\"}\n").unwrap();
    let lines = BufReader::new(server.stdout.take().unwrap()).lines();
    let list = lines.map(Result::unwrap).find(|line| line.contains("\"tools\":[")).unwrap();
    drop(stdin);
    server.wait().unwrap();
    member(&json(&list), "result.tools").as_array().unwrap().to_vec()
}

fn children(gateway: &Gateway) -> usize {
    let pid = gateway.pid();
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let of = |task: fs::DirEntry| fs::read_to_string(task.path().join("children")).unwrap_or_default();
    tasks.flatten().map(of).map(|children| children.split_whitespace().count()).sum()
}

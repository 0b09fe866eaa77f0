//! The gateway as a process of its host: one client on standard input and output, of either era,
//! with the same calls and the same log behind it.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    process::{Child, ChildStdin, Stdio},
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError, channel},
    },
    thread,
    time::Duration,
};

use cmcp_json::{Limits, Value, parse};

use crate::{
    asked::{ELICIT, ROOTS, said},
    client::{at, calling, method_of},
    items::{ASKS, usual},
    support::{PATIENCE, Prepared, json, text},
    upstream::{Era, Reply, Upstream},
};

/// A running gateway, and the host's ends of its pipes.
struct Host {
    child: Child,
    input: Option<ChildStdin>,
    lines: Receiver<String>,
    files: Arc<Prepared>,
}

impl Host {
    fn start(files: &Arc<Prepared>, principal: &[&str]) -> Self {
        let mut command = files.command();
        command.arg("--stdio").args(principal).stdin(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().unwrap());
        let (said, lines) = channel();
        thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                let _gone = said.send(line);
            }
        });
        Self {
            child,
            input,
            lines,
            files: Arc::clone(files),
        }
    }

    fn say(&mut self, message: &str) {
        let input = self.input.as_mut().unwrap();
        writeln!(input, "{message}").unwrap();
    }

    /// A request as an older host makes it.
    fn send(&mut self, id: &str, method: &str, params: &str) {
        self.say(&format!(
            r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{params}}}"#
        ));
    }

    /// A request as a newer host makes it.
    fn modern(&mut self, id: &str, method: &str, params: &str, capabilities: &str) {
        let inner = params.strip_prefix('{').unwrap();
        let comma = if inner == "}" { "" } else { "," };
        self.send(
            id,
            method,
            &format!(
                r#"{{"_meta":{{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{capabilities}}}{comma}{inner}"#
            ),
        );
    }

    fn hear(&self) -> Value {
        let line = self.lines.recv_timeout(PATIENCE);
        json(&line.unwrap_or_else(|error| panic!("nothing was said: {error}")))
    }

    fn is_silent(&self) -> bool {
        let heard = self.lines.recv_timeout(Duration::from_millis(100));
        heard == Err(RecvTimeoutError::Timeout)
    }

    fn initialize(&mut self, capabilities: &str) -> Value {
        self.send(
            "0",
            "initialize",
            &format!(
                r#"{{"protocolVersion":"2025-11-25","capabilities":{capabilities},"clientInfo":{{"name":"h","version":"1"}}}}"#
            ),
        );
        let answer = self.hear();
        self.say(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#);
        at(&answer, "result")
    }

    /// Closes its input, and reads the log it leaves behind.
    fn finish(mut self) -> Vec<Value> {
        drop(self.input.take());
        assert_eq!(self.child.wait().unwrap().code(), Some(0));
        let run = |arguments: &[&str]| {
            let (code, said) = self.files.run(arguments);
            assert_eq!(code, 0, "{said}");
            said
        };
        let list = run(&[
            "--format",
            "json",
            "audit",
            "export",
            "--database",
            "audit.db",
        ]);
        let list = parse(list.as_bytes(), &Limits::DOCUMENT).unwrap();
        let mut all = Vec::new();
        for row in list.get("sessions").and_then(Value::as_array).unwrap() {
            let id = text(row, "session");
            assert_eq!(text(row, "state"), "closed", "{row}");
            run(&[
                "audit",
                "export",
                "--database",
                "audit.db",
                "--session",
                id,
                "--dir",
                id,
            ]);
            let audit = std::fs::read(self.files.path(&format!("{id}/audit.json"))).unwrap();
            let audit = parse(&audit, &Limits::DOCUMENT).unwrap();
            let entries = audit.get("entries").and_then(Value::as_array).unwrap();
            all.extend(entries.iter().cloned());
        }
        all
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _ended = self.child.wait();
    }
}

fn host(era: Era, policy: &str) -> (Upstream, Host) {
    let (upstream, setup) = usual(era);
    let files = setup.policy(policy).prepare();
    let host = Host::start(&files, &["--principal", "alice"]);
    (upstream, host)
}

fn first_text(message: &Value) -> String {
    let content = at(message, "result.content.0.text");
    content.as_str().unwrap_or_default().to_owned()
}

#[test]
fn hosts_of_both_eras_are_served_on_the_same_pipes() {
    let (_, mut host) = host(Era::Legacy, ASKS);
    // A newer host needs no handshake.
    host.modern("1", "server/discover", "{}", "{}");
    let discovered = host.hear();
    assert!(
        at(&discovered, "result.supportedVersions")
            .to_string()
            .contains("2026-07-28")
    );
    host.modern("2", "tools/call", &calling("echo"), "{}");
    let answer = host.hear();
    assert_eq!(at(&answer, "result.resultType").as_str(), Some("complete"));
    let agreed = host.initialize("{}");
    assert_eq!(at(&agreed, "protocolVersion").as_str(), Some("2025-11-25"));
    // Now either, in any order; answers find their requests by id.
    host.send("3", "tools/call", &calling("echo"));
    host.modern(r#""3""#, "tools/call", &calling("echo"), "{}");
    host.send("4", "ping", "{}");
    let mut answers: Vec<Value> = (0..3).map(|_| host.hear()).collect();
    answers.sort_by_key(|answer| at(answer, "id").to_string());
    let ids: Vec<String> = answers.iter().map(|a| at(a, "id").to_string()).collect();
    assert_eq!(ids, [r#""3""#, "3", "4"]);
    assert!(!at(&answers[0], "result.resultType").is_null());
    assert!(at(&answers[1], "result.resultType").is_null());
    // What is no message is answered, and the next line is read.
    host.say("nonsense");
    assert_eq!(at(&host.hear(), "error.code").as_i64(), Some(-32700));
    host.say(r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#);
    assert_eq!(at(&host.hear(), "error.code").as_i64(), Some(-32600));
    host.send("5", "tools/fly", "{}");
    assert_eq!(at(&host.hear(), "error.code").as_i64(), Some(-32601));
    let log = host.finish();
    let outcomes: Vec<&Value> = log
        .iter()
        .filter(|entry| text(entry, "kind") == "outcome")
        .collect();
    assert_eq!(outcomes.len(), 3);
}

#[test]
fn the_host_is_the_principal_it_was_started_as() {
    let policy = r#"permit(principal == Agent::"bob", action, resource);"#;
    let (_, setup) = usual(Era::Legacy);
    let files = setup.policy(policy).prepare();
    for (name, served) in [("alice", false), ("bob", true)] {
        let mut host = Host::start(&files, &["--principal", name]);
        host.initialize("{}");
        host.send("1", "tools/call", &calling("echo"));
        let answer = host.hear();
        assert_eq!(answer.get("result").is_some(), served, "{name}: {answer}");
        // What it says of itself changes nothing.
        host.send(
            "2",
            "tools/call",
            r#"{"name":"echo","arguments":{"text":"x"},"_meta":{"principal":"bob"},"_cmcp":{"agent":"bob"}}"#,
        );
        assert_eq!(host.hear().get("result").is_some(), served, "{name}");
        drop(host.input.take());
        assert_eq!(host.child.wait().unwrap().code(), Some(0));
    }
    for (wrong, words) in [
        (&["--principal", "mallory"][..], "no principal `mallory`"),
        (&[][..], "--principal"),
    ] {
        let mut command = files.command();
        let output = command.arg("--stdio").args(wrong).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && said.contains(words), "{said}");
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn a_host_is_asked_what_its_server_asks_and_so_is_a_newer_one() {
    let (upstream, mut host) = host(Era::Legacy, ASKS);
    ELICIT.asked_by(&upstream);
    host.initialize(ELICIT.declared);
    host.send("1", "tools/call", &calling("work"));
    let question = host.hear();
    assert_eq!(method_of(&question), ELICIT.method);
    let (id, answer) = (at(&question, "id"), ELICIT.answer);
    host.say(&format!(
        r#"{{"jsonrpc":"2.0","id":{id},"result":{answer}}}"#
    ));
    assert!(first_text(&host.hear()).contains("irst"));
    // A newer host is asked in its own way, on the same pipe.
    host.modern("2", "tools/call", &calling("work"), ELICIT.declared);
    let asked = host.hear();
    assert_eq!(
        at(&asked, "result.resultType").as_str(),
        Some("input_required")
    );
    let requests = at(&asked, "result.inputRequests");
    let (key, _) = requests.as_object().unwrap().iter().next().unwrap();
    let state = at(&asked, "result.requestState");
    let again = crate::client::again(
        &calling("work"),
        &state,
        &format!(r#"{{"{key}":{answer}}}"#),
    );
    host.modern("3", "tools/call", &again, ELICIT.declared);
    let answer = host.hear();
    assert_eq!(at(&answer, "id").to_string(), "3");
    assert!(first_text(&answer).contains("irst"), "{answer}");
    let log = host.finish();
    let exchanges = log.iter().filter(|entry| entry.get("parent").is_some());
    assert_eq!(exchanges.count(), 2);
}

#[test]
fn what_a_host_does_not_want_any_more_is_called_off_in_both_eras() {
    let (upstream, mut host) = host(Era::Legacy, ASKS);
    upstream.on("tools/call", |_| {
        Reply::talk(|talk| {
            talk.progress("1", "on the way");
            talk.await_hang_up();
        })
    });
    host.initialize("{}");
    let params = r#"{"name":"work","arguments":{"text":"x"},"_meta":{"progressToken":"p"}}"#;
    host.send("1", "tools/call", params);
    assert_eq!(method_of(&host.hear()), "notifications/progress");
    host.say(r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#);
    upstream.await_requests(1, "notifications/cancelled");
    host.modern(r#""m""#, "tools/call", &calling("work"), "{}");
    upstream.await_requests(2, "tools/call");
    host.say(r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"m"}}"#);
    upstream.await_requests(2, "notifications/cancelled");
    // Nothing is said of either any more.
    assert!(host.is_silent());
    upstream.act(|seen| (seen.method == "tools/call").then(|| seen.result(&said("well"))));
    host.send("2", "tools/call", &calling("work"));
    assert_eq!(first_text(&host.hear()), "well");
    let log = host.finish();
    let cancelled = log
        .iter()
        .filter(|entry| at(entry, "code").as_str() == Some("cancelled"));
    assert_eq!(cancelled.count(), 2);
}

#[test]
fn a_host_hears_of_changes_on_its_pipe() {
    let (upstream, mut host) = host(Era::Legacy, ASKS);
    host.initialize(ROOTS.declared);
    host.send("1", "tools/call", &calling("echo"));
    host.hear();
    upstream.await_listeners(1);
    upstream.announce("notifications/tools/list_changed", "{}");
    assert_eq!(method_of(&host.hear()), "notifications/tools/list_changed");
    let wanted = r#"{"notifications":{"toolsListChanged":true}}"#;
    host.modern("9", "subscriptions/listen", wanted, "{}");
    let acknowledged = host.hear();
    assert_eq!(
        method_of(&acknowledged),
        "notifications/subscriptions/acknowledged"
    );
    upstream.announce("notifications/tools/list_changed", "{}");
    let told = [host.hear(), host.hear()];
    let streams = told.iter().filter(|message| {
        let meta = at(message, "params._meta");
        meta.get("io.modelcontextprotocol/subscriptionId").is_some()
    });
    assert_eq!(streams.count(), 1, "{told:?}");
    host.say(r#"{"jsonrpc":"2.0","method":"notifications/roots/list_changed"}"#);
    upstream.await_requests(1, "notifications/roots/list_changed");
    host.finish();
}

#[test]
fn nothing_but_messages_is_on_the_pipe_and_no_port_is_open() {
    let (upstream, mut host) = host(Era::Legacy, ASKS);
    host.initialize("{}");
    host.send("1", "tools/call", &calling("echo"));
    host.hear();
    let pid = host.child.id();
    let sockets = std::fs::read_to_string(format!("/proc/{pid}/net/tcp")).unwrap();
    let own: Vec<String> = std::fs::read_dir(format!("/proc/{pid}/fd"))
        .unwrap()
        .flatten()
        .filter_map(|entry| std::fs::read_link(entry.path()).ok())
        .filter_map(|link| {
            let link = link.to_string_lossy().into_owned();
            let inode = link.strip_prefix("socket:[")?.strip_suffix(']')?;
            Some(inode.to_owned())
        })
        .collect();
    for line in sockets.lines().skip(1) {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let is_own = own.iter().any(|inode| inode == fields[9]);
        assert!(
            !is_own || fields[3] != "0A",
            "a port is listened at: {line}"
        );
    }
    assert_eq!(upstream.of("tools/call").len(), 1);
    host.finish();
}

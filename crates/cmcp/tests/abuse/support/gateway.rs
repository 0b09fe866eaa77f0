//! A gateway that runs, what can be asked of it, and what has to hold afterwards.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, BufRead as _, BufReader, Read as _},
    net::SocketAddr,
    path::Path,
    process::{Child, ChildStderr, Command},
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use cmcp_json::{Limits, Value, parse};
use rusqlite::{Connection as Database, OpenFlags};
use rustix::process::{Pid, Signal, kill_process};

use super::{
    ALICE, Answer, BOB, Connection, OPERATOR, PATIENCE, PRIVATE, Prepared, SECRET, setup::Failed,
};

/// A running gateway.
pub(crate) struct Gateway {
    pub(crate) addr: SocketAddr,
    pub(crate) files: Arc<Prepared>,
    child: Child,
    stderr: Arc<Lines>,
    reading: Option<JoinHandle<()>>,
    called: Mutex<Vec<String>>,
    unheard: AtomicUsize,
}

/// What the gateway has written on standard error.
#[derive(Default)]
pub(crate) struct Lines {
    text: Mutex<String>,
    grew: Condvar,
}

impl Gateway {
    pub(crate) fn start(files: &Arc<Prepared>) -> Result<Self, Failed> {
        Self::spawned(&mut files.command(), files)
    }

    /// A gateway started by this command.
    pub(crate) fn spawned(command: &mut Command, files: &Arc<Prepared>) -> Result<Self, Failed> {
        let mut child = command.spawn().unwrap();
        let stderr = Arc::new(Lines::default());
        let pipe = child.stderr.take();
        let reader = thread::spawn({
            let stderr = Arc::clone(&stderr);
            move || {
                if let Some(pipe) = pipe {
                    stderr.read(pipe);
                }
            }
        });
        let mut line = String::new();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        stdout.read_line(&mut line).unwrap();
        let addr = line.trim().rsplit_once("listen: ").map(|(_, addr)| addr);
        let Some(addr) = addr.and_then(|addr| addr.parse().ok()) else {
            let code = child.wait().unwrap().code();
            reader.join().unwrap();
            let stderr = stderr.text.lock().unwrap().clone();
            return Err(Failed { code, stderr });
        };
        Ok(Self {
            addr,
            files: Arc::clone(files),
            child,
            stderr,
            reading: Some(reader),
            called: Mutex::default(),
            unheard: AtomicUsize::new(0),
        })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn connect(&self) -> Connection {
        Connection::open(self.addr)
    }

    /// Any request, with exactly these headers besides `Host` and the length.
    pub(crate) fn request(&self, line: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let host = self.addr.to_string();
        let mut all = vec![("Host", host.as_str()), ("Connection", "close")];
        all.extend_from_slice(headers);
        self.heard(self.attempt(line, &all, body).unwrap())
    }

    /// The same, where the answer may break off.
    pub(crate) fn attempt(
        &self,
        line: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> io::Result<Answer> {
        let mut connection = self.connect();
        connection.request(line, headers, body)?;
        connection.read()
    }

    /// Notes the call that an answer speaks of.
    pub(crate) fn heard(&self, answer: Answer) -> Answer {
        let id = answer.header("cmcp-call-id").unwrap_or_default();
        if !id.is_empty() {
            self.called.lock().unwrap().push(id.to_owned());
        }
        answer
    }

    /// One more call was made whose answer nobody reads.
    pub(crate) fn unheard(&self) {
        self.unheard.fetch_add(1, Ordering::SeqCst);
    }

    pub(crate) fn post_as(&self, token: &str, body: &[u8], more: &[(&str, &str)]) -> Answer {
        let bearer = format!("Bearer {token}");
        let mut headers = vec![
            ("Authorization", bearer.as_str()),
            ("Accept", "application/json, text/event-stream"),
        ];
        if !more.iter().any(|(name, _)| *name == "Content-Type") {
            headers.push(("Content-Type", "application/json"));
        }
        headers.extend_from_slice(more);
        self.request("POST /mcp", &headers, body)
    }

    /// Posts as Alice, who never negotiated.
    pub(crate) fn post(&self, body: impl AsRef<[u8]>) -> Answer {
        self.post_as(ALICE, body.as_ref(), &[])
    }

    pub(crate) fn call(&self, tool: &str, arguments: &str) -> Answer {
        self.call_as(ALICE, tool, arguments)
    }

    pub(crate) fn call_as(&self, token: &str, tool: &str, arguments: &str) -> Answer {
        self.post_as(token, call(tool, arguments).as_bytes(), &[])
    }

    pub(crate) fn operator(&self, line: &str, body: &str) -> Answer {
        self.asked(OPERATOR, line, body)
    }

    pub(crate) fn asked(&self, token: &str, line: &str, body: &str) -> Answer {
        let bearer = format!("Bearer {token}");
        let headers = [
            ("Authorization", bearer.as_str()),
            ("Content-Type", "application/json"),
        ];
        self.request(line, &headers, body.as_bytes())
    }

    /// Opens a transport session of the revisions with a handshake.
    pub(crate) fn initialize(&self, token: &str) -> String {
        let body = r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}"#;
        let answer = self.post_as(token, body.as_bytes(), &[]);
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.header("mcp-session-id").unwrap().to_owned()
    }

    /// A request of the revision without a handshake.
    pub(crate) fn modern(&self, token: &str, method: &str, params: &str) -> Answer {
        let mut inner = parse(params.as_bytes(), &Limits::REQUEST).unwrap();
        let named = match method {
            "resources/read" => "uri",
            method if method.starts_with("tasks/") => "taskId",
            _ => "name",
        };
        let name = inner
            .get(named)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned();
        let meta = parse(META, &Limits::REQUEST).unwrap();
        inner.as_object_mut().unwrap().insert("_meta", meta);
        let body = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{inner}}}"#);
        let mut headers = vec![
            ("MCP-Protocol-Version", "2026-07-28"),
            ("Mcp-Method", method),
        ];
        if !name.is_empty() {
            headers.push(("Mcp-Name", &name));
        }
        self.post_as(token, body.as_bytes(), &headers)
    }

    /// The log of the session an answer belongs to.
    pub(crate) fn log_of(&self, answer: &Answer) -> Vec<Value> {
        self.log(answer.header("cmcp-session-id").unwrap())
    }

    pub(crate) fn log(&self, session: &str) -> Vec<Value> {
        let line = format!("GET /audit/export?session_id={session}&format=cmcp");
        let export = self.operator(&line, "");
        assert_eq!(export.status, 200, "{}", export.text());
        entries(&export.json())
    }

    /// The one outcome of a call.
    pub(crate) fn outcome(&self, answer: &Answer) -> Value {
        let id = answer
            .header("cmcp-call-id")
            .unwrap_or_else(|| panic!("{}", answer.text()));
        let mut found = self.log_of(answer);
        found.retain(|entry| text(entry, "kind") == "outcome" && text(entry, "call_id") == id);
        assert_eq!(found.len(), 1, "outcomes of `{id}`: {found:?}");
        found.remove(0)
    }

    /// Code, verdict and result of a call in the log.
    pub(crate) fn verdict(&self, answer: &Answer) -> [String; 3] {
        let outcome = self.outcome(answer);
        ["code", "verdict", "result"].map(|name| text(&outcome, name).to_owned())
    }

    /// The gateway's database, read beside it.
    pub(crate) fn database(&self) -> Database {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
        Database::open_with_flags(self.files.path("audit.db"), flags).unwrap()
    }

    /// A count that a query gives, from any database.
    pub(crate) fn count(path: &Path, query: &str) -> usize {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
        let database = Database::open_with_flags(path, flags).unwrap();
        let count: i64 = database.query_row(query, [], |row| row.get(0)).unwrap();
        usize::try_from(count).unwrap()
    }

    /// Calls made so far.
    pub(crate) fn called(&self) -> usize {
        self.called.lock().unwrap().len()
    }

    pub(crate) fn stderr(&self) -> String {
        self.stderr.text()
    }

    /// The operational log, to be read when the gateway has ended.
    pub(crate) fn operational_log(&self) -> Arc<Lines> {
        Arc::clone(&self.stderr)
    }

    /// Waits for a text in the operational log; so many times.
    pub(crate) fn await_log(&self, wanted: &str, times: usize) {
        let give_up = Instant::now() + PATIENCE;
        let mut text = self.stderr.text.lock().unwrap();
        while text.matches(wanted).count() < times {
            let left = give_up.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "waited for `{wanted}` in:\n{text}");
            text = self.stderr.grew.wait_timeout(text, left).unwrap().0;
        }
    }

    /// A number of `/proc/…/status`, in KiB where it is memory.
    pub(crate) fn status(&self, name: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// The most memory it has had since this was last asked, in KiB.
    pub(crate) fn peak(&self) -> u64 {
        let peak = self.status("VmHWM");
        fs::write(format!("/proc/{}/clear_refs", self.pid()), "5").unwrap();
        peak
    }

    pub(crate) fn descriptors(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.pid()))
            .unwrap()
            .count()
    }

    /// Processor time used so far.
    pub(crate) fn cpu(&self) -> Duration {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid())).unwrap();
        let fields: Vec<&str> = stat
            .rsplit_once(')')
            .unwrap()
            .1
            .split_whitespace()
            .collect();
        let ticks = |at: usize| fields[at].parse::<u64>().unwrap();
        Duration::from_millis((ticks(11) + ticks(12)) * 10)
    }

    /// Another principal notices nothing.
    pub(crate) fn still_serves(&self) {
        let health = self.request("GET /health", &[], b"");
        assert_eq!(
            (health.status, health.text()),
            (200, r#"{"status":"ok"}"#.to_owned())
        );
        let answer = self.call_as(BOB, "echo", r#"{"text":"still here"}"#);
        assert_eq!(answer.status, 200, "{}", answer.text());
    }

    /// As `kill -9` does.
    pub(crate) fn kill(mut self) -> Arc<Prepared> {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        Arc::clone(&self.files)
    }

    /// Stops it as an operator does, and then looks at everything it leaves behind: every call has
    /// one outcome, every session verifies, nothing private is in any of it.
    pub(crate) fn finish(self) -> Vec<Value> {
        self.end(0)
    }

    /// The same where so many calls of another run of the gateway are in the database.
    pub(crate) fn end(mut self, earlier: usize) -> Vec<Value> {
        let pid = Pid::from_raw(i32::try_from(self.pid()).unwrap()).unwrap();
        kill_process(pid, Signal::TERM).unwrap();
        assert_eq!(
            self.child.wait().unwrap().code(),
            Some(0),
            "{}",
            self.stderr()
        );
        let mut all = Vec::new();
        for session in self.sessions() {
            all.extend(self.verified(&session));
        }
        let mut outcomes: BTreeMap<String, usize> = BTreeMap::new();
        // What a server asks during a call is an entry of its own, and no call.
        let is_call =
            |entry: &&Value| text(entry, "kind") == "outcome" && entry.get("parent").is_none();
        for entry in all.iter().filter(is_call) {
            *outcomes
                .entry(text(entry, "call_id").to_owned())
                .or_default() += 1;
        }
        let called = self.called.lock().unwrap();
        for id in called.iter() {
            assert_eq!(outcomes.get(id), Some(&1), "outcomes of call `{id}`");
        }
        let calls = called.len() + self.unheard.load(Ordering::SeqCst) + earlier;
        assert_eq!(
            outcomes.values().sum::<usize>(),
            calls,
            "outcomes and calls"
        );
        drop(called);
        let reading = self.reading.take().unwrap();
        reading.join().unwrap();
        let log = self.stderr();
        assert!(!log.contains("panicked"), "{log}");
        private(&log, "the operational log");
        all
    }

    fn sessions(&self) -> Vec<String> {
        let (code, list) = self.files.run(&[
            "--format",
            "json",
            "audit",
            "export",
            "--database",
            "audit.db",
        ]);
        assert_eq!(code, 0, "{list}");
        let list = parse(list.as_bytes(), &Limits::DOCUMENT).unwrap();
        let rows = list.get("sessions").and_then(Value::as_array).unwrap();
        for row in rows {
            assert_eq!(text(row, "state"), "closed", "{row}");
        }
        rows.iter()
            .map(|row| text(row, "session").to_owned())
            .collect()
    }

    fn verified(&self, session: &str) -> Vec<Value> {
        let arguments = [
            "audit",
            "export",
            "--database",
            "audit.db",
            "--force",
            "--session",
            session,
            "--dir",
            session,
        ];
        let (code, said) = self.files.run(&arguments);
        assert_eq!(code, 0, "{said}");
        let file = |name: &str| format!("{session}/{name}");
        for (record, audit) in [
            ("record.json", "audit.json"),
            ("claim.json", "audit.json"),
            ("claim.json", "audit-cmcp-0.7.json"),
        ] {
            let arguments = ["verify", &file(record), "--audit-bundle", &file(audit)];
            let (code, said) = self.files.run(&arguments);
            assert!(
                said.contains("(partially_verified)") && code == 3,
                "{code}: {said}"
            );
        }
        for name in [
            "record.json",
            "claim.json",
            "audit.json",
            "audit-cmcp-0.7.json",
        ] {
            private(
                &fs::read_to_string(self.files.path(&file(name))).unwrap(),
                name,
            );
        }
        let audit = fs::read(self.files.path(&file("audit.json"))).unwrap();
        entries(&parse(&audit, &Limits::DOCUMENT).unwrap())
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        // Already ended where a test went to its end.
        let _ended = self.child.kill();
        let _ended = self.child.wait();
    }
}

impl Lines {
    pub(crate) fn text(&self) -> String {
        self.text.lock().unwrap().clone()
    }

    fn read(&self, mut pipe: ChildStderr) {
        let mut buffer = [0; 4096];
        while let Ok(read @ 1..) = pipe.read(&mut buffer) {
            let text = String::from_utf8_lossy(&buffer[..read]).into_owned();
            self.text.lock().unwrap().push_str(&text);
            self.grew.notify_all();
        }
    }
}

/// A `tools/call`.
pub(crate) fn call(tool: &str, arguments: &str) -> String {
    let tool = Value::from(tool);
    format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":{tool},"arguments":{arguments}}}}}"#
    )
}

/// No secret, no token, no payload.
pub(crate) fn private(shown: &str, what: &str) {
    for secret in [ALICE, BOB, OPERATOR, SECRET, PRIVATE] {
        assert!(!shown.contains(secret), "`{secret}` is in {what}");
    }
}

fn entries(export: &Value) -> Vec<Value> {
    export
        .get("entries")
        .and_then(Value::as_array)
        .unwrap()
        .to_vec()
}

/// A member that is text; empty where there is none.
pub(crate) fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// A member some levels down.
pub(crate) fn member(value: &Value, path: &str) -> Value {
    let mut at = value;
    for name in path.split('.') {
        at = at.get(name).unwrap_or(&Value::Null);
    }
    at.clone()
}

const META: &[u8] = br#"{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{},"io.modelcontextprotocol/clientInfo":{"name":"t","version":"1"}}"#;

//! An MCP server over standard input and output that does what its tools are called after, most
//! of it wrong. For the tests of the client.

use std::{
    error::Error,
    fs,
    io::{self, BufRead, Write},
    process::{Command, ExitCode, Stdio},
};

use cmcp_json::{Limits, Value, parse};

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let era = args.first().map_or("legacy", String::as_str).to_owned();
    let mut server = Server {
        era,
        mutated: false,
        listener: None,
        lines: Box::new(io::stdin().lock().lines()),
    };
    match server.serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

struct Server {
    era: String,
    mutated: bool,
    /// The id of the request that asked to be told of changes.
    listener: Option<String>,
    lines: Box<dyn Iterator<Item = io::Result<String>>>,
}

impl Server {
    fn serve(&mut self) -> Outcome<()> {
        if self.era == "banner" {
            say("Server is starting, please wait")?;
        }
        if self.era == "dead" {
            return Ok(());
        }
        while let Some(line) = self.lines.next() {
            let message = parse(line?.as_bytes(), &Limits::RESPONSE)?;
            let method = message
                .get("method")
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned();
            if let Some(id) = message.get("id") {
                self.answer(&id.to_string(), &method, &message)?;
            }
        }
        Ok(())
    }

    fn answer(&mut self, id: &str, method: &str, message: &Value) -> Outcome<()> {
        let modern = self.era == "modern";
        match method {
            "server/discover" if modern => result(
                id,
                r#"{"supportedVersions":["2026-07-28"],"capabilities":{"tools":{"listChanged":true}},"resultType":"complete"}"#,
            ),
            "server/discover" if self.era == "silent" => Ok(()),
            "server/discover" if self.era == "foreign" => say(&format!(
                r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":-32022,"message":"no","data":{{"supported":["2099-01-01"]}}}}}}"#
            )),
            "initialize" if !modern => result(
                id,
                r#"{"protocolVersion":"2025-06-18","capabilities":{"tools":{}},"serverInfo":{"name":"fixture","version":"1"}}"#,
            ),
            "subscriptions/listen" if modern => {
                self.listener = Some(id.to_owned());
                say(
                    r#"{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{}}"#,
                )
            }
            "tools/list" => self.list(id, message),
            "tools/call" => {
                let params = message.get("params").ok_or("no params")?;
                let name = params
                    .get("name")
                    .and_then(Value::as_str)
                    .unwrap_or_default()
                    .to_owned();
                self.call(id, &name, params)
            }
            _ => error(id, -32601, "Method not found"),
        }
    }

    fn list(&self, id: &str, message: &Value) -> Outcome<()> {
        let cursor = message
            .get("params")
            .and_then(|params| params.get("cursor"));
        match cursor.and_then(Value::as_str) {
            None => result(
                id,
                r#"{"tools":[{"name":"echo","inputSchema":{"type":"object"}}],"nextCursor":""}"#,
            ),
            Some(_) if self.mutated => result(id, r#"{"tools":[{"name":"evil"}]}"#),
            Some(_) => result(id, r#"{"tools":[{"name":"hang"}]}"#),
        }
    }

    fn call(&mut self, id: &str, name: &str, params: &Value) -> Outcome<()> {
        let argument = |name: &str| {
            let value = params
                .get("arguments")
                .and_then(|arguments| arguments.get(name));
            value.and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        match name {
            "params" => result(id, &params.to_string()),
            "hang" => Ok(()),
            "die" => Err("told to".into()),
            "wrong-id" => result("999999", "{}"),
            "id-as-text" => result(&format!("\"{id}\""), "{}"),
            "twice" => {
                result(id, "{}")?;
                result(id, r#"{"second":true}"#)
            }
            "garbage" => say("debug: not json at all"),
            "half-json" => say(&format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{"a":"#)),
            "long-line" => {
                let filler = "x".repeat(9 << 20);
                say(&format!(
                    r#"{{"jsonrpc":"2.0","id":{id},"result":{{"filler":"{filler}"}}}}"#
                ))
            }
            "size" => {
                let filler = "x".repeat(argument("bytes").parse::<usize>()?.saturating_sub(4));
                result(id, &format!(r#"["{filler}"]"#))
            }
            "flood" => {
                let chunk = [b'e'; 64 << 10];
                for _ in 0..argument("chunks").parse::<u32>()? {
                    io::stderr().write_all(&chunk)?;
                }
                result(id, "{}")
            }
            "mutate" => {
                self.mutated = true;
                if self.era == "modern" && self.listener.is_none() {
                    return result(id, "{}");
                }
                say(r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#)?;
                result(id, "{}")
            }
            "ask" => self.ask(id, &argument("method")),
            _ => look(id, name, &argument("file")),
        }
    }

    /// Asks the client for something and tells what it answered.
    fn ask(&mut self, id: &str, method: &str) -> Outcome<()> {
        say(&format!(
            r#"{{"jsonrpc":"2.0","id":"q","method":"{method}","params":{{}}}}"#
        ))?;
        let answer = self.lines.next().ok_or("gone")??;
        result(id, &answer)
    }
}

/// What the process sees of its surroundings.
fn look(id: &str, name: &str, file: &str) -> Outcome<()> {
    match name {
        "environment" => {
            let pairs = std::env::vars().map(|(name, value)| (name, Value::from(value)));
            let object: cmcp_json::Object = pairs.collect();
            result(id, &Value::Object(object).to_string())
        }
        "surroundings" => {
            let status = fs::read_to_string("/proc/self/status")?;
            let umask = status
                .lines()
                .find_map(|line| line.strip_prefix("Umask:\t"));
            let mut open: Vec<String> = Vec::new();
            for entry in fs::read_dir("/proc/self/fd")? {
                open.push(fs::read_link(entry?.path())?.display().to_string());
            }
            let object: cmcp_json::Object = [
                ("umask", Value::from(umask.unwrap_or_default())),
                (
                    "cwd",
                    Value::from(std::env::current_dir()?.display().to_string()),
                ),
                (
                    "name",
                    Value::from(std::env::args().next().unwrap_or_default()),
                ),
                ("open", Value::from(open)),
                ("privileges", Value::from(status.contains("NoNewPrivs:\t1"))),
            ]
            .into();
            result(id, &Value::Object(object).to_string())
        }
        _ => strain(id, name, file),
    }
}

/// What it can do to them.
fn strain(id: &str, name: &str, file: &str) -> Outcome<()> {
    match name {
        "descriptors" => {
            let mut open = Vec::new();
            while let Ok(file) = fs::File::open("/dev/null") {
                open.push(file);
            }
            result(id, &format!("[{}]", open.len()))
        }
        "memory" => {
            let mut hoard: Vec<Vec<u8>> = Vec::new();
            for _ in 0..8192 {
                hoard.push(vec![1; 1 << 20]);
            }
            result(id, &format!("[{}]", hoard.len()))
        }
        "processes" => {
            let mut started = 0_u32;
            while started < 2000 {
                let sleeper = Command::new("/bin/sleep")
                    .arg("1000")
                    .stdin(Stdio::null())
                    .spawn();
                if sleeper.is_err() {
                    break;
                }
                started = started.saturating_add(1);
            }
            result(id, &format!("[{started}]"))
        }
        "daemon" => {
            // Twice removed, in a session of its own, deaf to being asked to end.
            let body = format!(
                "trap '' TERM HUP; echo $$ >'{file}.new'; mv '{file}.new' '{file}'; while :; do sleep 1; done"
            );
            let script = format!("setsid sh -c \"{body}\" </dev/null >/dev/null 2>&1 &");
            let script = script.replace("$$", "\\$\\$");
            Command::new("/bin/sh").args(["-c", &script]).status()?;
            while fs::metadata(file).is_err() {
                std::thread::sleep(std::time::Duration::from_millis(2));
            }
            result(id, "{}")
        }
        _ => result(
            id,
            &format!(r#"{{"content":[{{"type":"text","text":"{name}"}}]}}"#),
        ),
    }
}

fn say(line: &str) -> Outcome<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    Ok(out.flush()?)
}

fn result(id: &str, result: &str) -> Outcome<()> {
    say(&format!(
        r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#
    ))
}

fn error(id: &str, code: i32, message: &str) -> Outcome<()> {
    say(&format!(
        r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":{code},"message":"{message}"}}}}"#
    ))
}

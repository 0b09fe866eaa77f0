//! An MCP server over standard input and output that says what it is told to, and remembers what it
//! was told. For the tests of the client.
//!
//! `talker legacy|modern|crash`: the last ends at a method that it does not know.

use std::{
    error::Error,
    io::{self, BufRead, Write},
    process::ExitCode,
    time::Duration,
};

use cmcp_json::{Limits, Object, Value, parse};

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> ExitCode {
    let mut talker = Talker {
        era: std::env::args().nth(1).unwrap_or_default(),
        heard: Vec::new(),
        listen: "0".to_owned(),
        parked: Vec::new(),
    };
    match talker.serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

struct Talker {
    era: String,
    /// Every message so far.
    heard: Vec<Value>,
    /// The id of the stream of announcements.
    listen: String,
    /// Calls that are answered with the next response that comes in.
    parked: Vec<String>,
}

impl Talker {
    fn serve(&mut self) -> Outcome<()> {
        for line in io::stdin().lock().lines() {
            let message = parse(line?.as_bytes(), &Limits::RESPONSE)?;
            self.heard.push(message.clone());
            let method = message.get("method").and_then(Value::as_str);
            match (method, message.get("id")) {
                (Some(method), Some(id)) => self.answer(&id.to_string(), method, &message)?,
                (Some(_), None) => {}
                (None, _) => {
                    if let Some(id) = self.parked.pop() {
                        result(&id, &message.to_string())?;
                    }
                }
            }
        }
        Ok(())
    }

    fn answer(&mut self, id: &str, method: &str, message: &Value) -> Outcome<()> {
        let empty = Value::Object(Object::new());
        let params = message.get("params").unwrap_or(&empty);
        let modern = self.era == "modern";
        match method {
            "server/discover" if modern => result(
                id,
                &format!(
                    r#"{{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{CAPABILITIES},"instructions":"Talk.","_meta":{{"io.modelcontextprotocol/serverInfo":{{"name":"talker"}}}}}}"#
                ),
            ),
            "initialize" if !modern => result(
                id,
                &format!(
                    r#"{{"protocolVersion":"2025-11-25","capabilities":{CAPABILITIES},"serverInfo":{{"name":"talker"}},"instructions":"Talk."}}"#
                ),
            ),
            "subscriptions/listen" if modern => {
                self.listen = id.to_owned();
                let wanted = params.get("notifications").unwrap_or(&empty);
                let meta = format!(r#"{{"io.modelcontextprotocol/subscriptionId":{id}}}"#);
                let mut honoured = wanted.as_object().cloned().unwrap_or_default();
                if let Some(Value::Array(uris)) = honoured.get_mut("resourceSubscriptions") {
                    uris.retain(|uri| !is_refused(uri));
                }
                let honoured = Value::Object(honoured);
                say(&format!(
                    r#"{{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{{"_meta":{meta},"notifications":{honoured}}}}}"#
                ))
            }
            "resources/subscribe" if params.get("uri").is_some_and(is_refused) => {
                error(id, -32002, "Resource not found")
            }
            "resources/subscribe" | "resources/unsubscribe" | "logging/setLevel" if !modern => {
                result(id, "{}")
            }
            "tools/list" => result(id, r#"{"tools":[{"name":"say"}]}"#),
            "resources/list" => result(id, r#"{"resources":[{"uri":"t://a","name":"a"}]}"#),
            "prompts/list" => result(id, r#"{"prompts":[{"name":"p"}]}"#),
            "resources/read" | "prompts/get" | "completion/complete" => {
                result(id, &params.to_string())
            }
            "tools/call" => self.call(id, params),
            _ if self.era == "crash" => Err("unheard of".into()),
            _ => error(id, -32601, "Method not found"),
        }
    }

    fn call(&mut self, id: &str, params: &Value) -> Outcome<()> {
        let name = params.get("name").and_then(Value::as_str);
        let argument = |name| params.get("arguments").and_then(|all| all.get(name));
        match name.unwrap_or_default() {
            "params" => result(id, &params.to_string()),
            "heard" => result(id, &Value::from(self.heard.clone()).to_string()),
            "die" => Err("told to".into()),
            "say" => {
                let token = params
                    .get("_meta")
                    .and_then(|meta| meta.get("progressToken"));
                let token = token.map_or_else(|| "null".to_owned(), ToString::to_string);
                let pause = argument("pause").and_then(Value::as_u64).unwrap_or(0);
                let lines = argument("lines").and_then(Value::as_array);
                for line in lines.unwrap_or_default().iter().filter_map(Value::as_str) {
                    let line = line.replace("$ID", id).replace("$TOKEN", &token);
                    say(&line.replace("$LISTEN", &self.listen))?;
                    std::thread::sleep(Duration::from_millis(pause));
                }
                match argument("then").and_then(Value::as_str) {
                    Some("park") => {
                        self.parked.push(id.to_owned());
                        Ok(())
                    }
                    Some("hang") => Ok(()),
                    _ => result(id, "{}"),
                }
            }
            _ => error(id, -32602, "Unknown tool"),
        }
    }
}

fn is_refused(uri: &Value) -> bool {
    uri.as_str().is_some_and(|uri| uri.contains("refused"))
}

const CAPABILITIES: &str = r#"{"tools":{"listChanged":true},"resources":{"subscribe":true,"listChanged":true},"prompts":{},"logging":{},"completions":{}}"#;

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

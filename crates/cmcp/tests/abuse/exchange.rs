//! A recorded exchange with the Python cMCP 0.7.1, held against what this gateway answers to the
//! same requests under the same configuration, policies and catalog. What differs is named here,
//! line by line.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use cmcp_json::{Form, Object, Value, canonical};

use super::support::{Answer, Gateway, Reply, Server, Setup, json, member, text};

/// Members that are new in every answer.
const FRESH: [&str; 4] = ["call_id", "audit_entry_hash", "latency_us", "session_id"];

/// What this gateway answers otherwise, by the name of the line, and why.
const OTHERWISE: [(&str, u16, &str); 5] = [
    // The version is this program's, and lists that change and log messages are told.
    (
        "initialize",
        200,
        r#"{"jsonrpc":"2.0","id":0,"result":{"protocolVersion":"2025-06-18","capabilities":{"tools":{"listChanged":true},"logging":{}},"serverInfo":{"name":"cmcp-runtime","version":"VERSION"}}}"#,
    ),
    // Notifications are taken.
    ("notification", 202, ""),
    // `ping` is answered.
    ("ping", 200, r#"{"jsonrpc":"2.0","id":1,"result":{}}"#),
    // An address in a response is a label; it blocks nothing.
    (
        "response-blocked",
        200,
        r#"{"jsonrpc":"2.0","id":6,"result":{"content":[{"type":"text","text":"mail zoe@example.com"}],"_cmcp":{"call_id":"…","audit_entry_hash":"…","would_have_denied":false,"latency_us":0,"session_id":"…","workflow_id":"demo"}}}"#,
    ),
    // Back-quotes in an argument are text.
    (
        "argument-blocked",
        200,
        r#"{"jsonrpc":"2.0","id":7,"result":{"content":[{"type":"text","text":"ok echo"}],"_cmcp":{"call_id":"…","audit_entry_hash":"…","would_have_denied":false,"latency_us":0,"session_id":"…","workflow_id":"demo"}}}"#,
    ),
];

#[test]
fn the_recorded_exchange_is_answered_alike_but_for_what_is_named_here() {
    let Some(sample) = sample() else { return };
    let server = upstream(&sample);
    let gateway = gateway(&sample, &server);
    let recorded = fs::read_to_string(sample.join("exchange.jsonl")).unwrap();
    let mut session = String::new();
    let mut replayed = 0;
    for line in recorded.lines().map(json) {
        let (name, status) = (text(&line, "name"), line.get("status").unwrap());
        let answer = replay(&gateway, &line, &session);
        if name == "allowed" {
            session = text(&member(&answer.json(), "result._cmcp"), "session_id").to_owned();
        }
        replayed += 1;
        if let Some((_, status, body)) = OTHERWISE.iter().find(|(known, ..)| *known == name) {
            let body = match body.replace("VERSION", env!("CARGO_PKG_VERSION")) {
                body if body.is_empty() => body,
                body => sorted(json(&body)),
            };
            assert_eq!((answer.status, settled(&answer)), (*status, body), "{name}");
            continue;
        }
        assert_eq!(
            i64::from(answer.status),
            status.as_i64().unwrap(),
            "{name}: {}",
            answer.text()
        );
        let kind = answer.header("content-type");
        assert_eq!(kind, Some(text(&line, "content_type")), "{name}");
        let recorded = line.get("response").unwrap();
        if let Some(file) = recorded.as_str() {
            same_members(&sample.join(file), &answer.json());
        } else {
            assert_eq!(settled(&answer), sorted(settle(recorded.clone())), "{name}");
        }
    }
    assert_eq!(replayed, 22, "every line was replayed");
}

fn sample() -> Option<PathBuf> {
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    let sample = shared.join("formats/cmcp-sample");
    if sample.is_dir() {
        return Some(sample);
    }
    assert_ne!(
        std::env::var_os("CI").as_deref(),
        Some("true".as_ref()),
        "../shared is not here"
    );
    println!("skipped: ../shared is not here");
    None
}

/// The recorded server: its definitions are the approved ones, and one of its tools fails.
fn upstream(sample: &Path) -> Server {
    let catalog = json(&fs::read_to_string(sample.join("catalog.json")).unwrap());
    let offered = catalog.as_array().unwrap().iter().map(|entry| {
        let approved = entry.get("approved_definition").unwrap();
        let mut definition = Object::from([("name", entry.get("tool_name").unwrap().clone())]);
        for (ours, theirs) in [
            ("description", "description"),
            ("inputSchema", "input_schema"),
            ("outputSchema", "output_schema"),
        ] {
            match approved.get(theirs) {
                None | Some(Value::Null) => {}
                Some(value) => drop(definition.insert(ours, value.clone())),
            }
        }
        definition.into()
    });
    let server = Server::offering(&offered.collect::<Vec<Value>>());
    server.act_on_calls(|seen| {
        let said = match seen.tool() {
            "boom" => return Reply::Http(500, "text/plain", b"no".to_vec()),
            "email" => "mail zoe@example.com".to_owned(),
            tool => format!("ok {tool}"),
        };
        seen.result(&format!(
            r#"{{"content":[{{"type":"text","text":"{said}"}}]}}"#
        ))
    });
    server
}

fn gateway(sample: &Path, server: &Server) -> Gateway {
    let prepared = Setup::empty().open().prepare();
    let read = |name: &str| fs::read_to_string(sample.join(name)).unwrap();
    fs::remove_file(prepared.path("policies/main.cedar")).unwrap();
    for file in fs::read_dir(sample.join("policies")).unwrap() {
        let file = file.unwrap();
        let text = fs::read(file.path()).unwrap();
        fs::write(prepared.path("policies").join(file.file_name()), text).unwrap();
    }
    // The same files, but for where the two listen.
    let catalog = read("catalog.json").replace("http://127.0.0.1:19001/mcp", &server.url);
    fs::write(prepared.path("catalog.json"), catalog).unwrap();
    let config = read("cmcp-config.yaml").replace("127.0.0.1:18443", "127.0.0.1:0");
    fs::write(prepared.path("cmcp-config.yaml"), config).unwrap();
    prepared.start()
}

fn replay(gateway: &Gateway, line: &Value, session: &str) -> Answer {
    let path = text(line, "path").replace(RECORDED, session);
    let body = match (line.get("request"), line.get("request_raw")) {
        (Some(request), _) => request.to_string(),
        (None, Some(raw)) => raw.as_str().unwrap().to_owned(),
        (None, None) => String::new(),
    };
    let headers = [("Content-Type", "application/json")];
    let line = format!("{} {path}", text(line, "method"));
    gateway.request(&line, &headers, body.as_bytes())
}

fn settled(answer: &Answer) -> String {
    if answer.body.is_empty() {
        return String::new();
    }
    sorted(settle(answer.json()))
}

/// The same text for the same members, whatever their order.
fn sorted(value: Value) -> String {
    String::from_utf8(canonical(&value, Form::Verbatim).unwrap()).unwrap()
}

/// With everything that is new each time made equal, and checked for its kind.
fn settle(mut value: Value) -> Value {
    if let Some(object) = value.as_object_mut() {
        let names: Vec<String> = object.keys().map(str::to_owned).collect();
        for name in names {
            let inner = object.get(&name).unwrap().clone();
            let fresh = FRESH.contains(&name.as_str());
            let settled = match &inner {
                Value::Number(number) if fresh => {
                    assert!(number.as_i64().is_some_and(|micros| micros >= 0));
                    Value::from(0i64)
                }
                Value::String(id) if fresh => {
                    assert!([36, 64].contains(&id.len()), "{name}: {id}");
                    Value::from("…")
                }
                Value::String(_) if name == "message" && object.contains_key("error") => {
                    Value::from("<free text>")
                }
                Value::Null
                | Value::Bool(_)
                | Value::Number(_)
                | Value::String(_)
                | Value::Array(_)
                | Value::Object(_) => settle(inner),
            };
            object.insert(name, settled);
        }
    }
    value
}

/// The same members at every level; values differ between two runs.
fn same_members(recorded: &Path, ours: &Value) {
    let recorded = json(&fs::read_to_string(recorded).unwrap());
    let (mut expected, mut found) = (BTreeSet::new(), BTreeSet::new());
    members(&recorded, "", &mut expected);
    members(ours, "", &mut found);
    assert_eq!(found, expected);
}

fn members(value: &Value, at: &str, paths: &mut BTreeSet<String>) {
    match value {
        Value::Object(object) => {
            for (name, inner) in object.iter() {
                let path = format!("{at}.{name}");
                // What an entry says in its own words is no part of the form.
                if name != "detail" {
                    members(inner, &path, paths);
                }
                paths.insert(path);
            }
        }
        Value::Array(elements) => {
            for element in elements {
                members(element, &format!("{at}[]"), paths);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// The session of the recording.
const RECORDED: &str = "843efa56-4307-47f3-a5fb-684b2d7cc5e2";

//! Every exchange of a recorded 0.7.1 session with the MCP endpoint.

use std::{fs, path::Path};

use cmcp_json::Object;

use super::*;
use crate::server::{
    Identity,
    call::{CallParams, Caps},
};

/// The lines of the recording, or nothing where the shared folder is not there.
fn recording() -> Option<Vec<Value>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared/formats/cmcp-sample/exchange.jsonl");
    let Ok(text) = fs::read_to_string(path) else {
        assert!(
            std::env::var_os("CI").is_none_or(|ci| ci != "true"),
            "../shared is not here"
        );
        println!("skipped: ../shared is not here");
        return None;
    };
    Some(
        text.lines()
            .map(|line| parse(line.as_bytes(), &Limits::DOCUMENT).unwrap())
            .collect(),
    )
}

/// What becomes of a body, up to where the gateway itself must answer.
#[derive(Debug)]
enum Answer {
    Refused(Rejection),
    Accepted,
    Gateway(Method),
}

fn answer(body: &str) -> Answer {
    match post(&[], body) {
        Err(rejection) => Answer::Refused(rejection),
        Ok(Incoming::Notification(_) | Incoming::Response(_)) => Answer::Accepted,
        Ok(Incoming::Request(request)) if request.method == Method::ToolsCall => {
            match CallParams::read(&request.params, Caps::V07) {
                Ok(_) => Answer::Gateway(request.method),
                Err(error) => Answer::Refused(request.reject_params(error)),
            }
        }
        Ok(Incoming::Request(request)) => Answer::Gateway(request.method),
    }
}

#[test]
fn every_exchange_of_the_recorded_session_is_answered_alike() {
    let Some(lines) = recording() else { return };
    let mut seen = 0;
    for line in lines
        .iter()
        .filter(|line| line.get("path") == Some(&Value::from("/mcp")))
    {
        seen += 1;
        let name = line.get("name").unwrap().as_str().unwrap();
        let body = match line.get("request_raw") {
            Some(raw) => raw.as_str().unwrap().to_owned(),
            None => line.get("request").unwrap().to_string(),
        };
        match (name, answer(&body)) {
            ("parse-error" | "batch" | "arguments-array", Answer::Refused(rejection)) => {
                let status = i64::from(rejection.status.as_u16());
                assert_eq!(line.get("status").unwrap().as_i64(), Some(status), "{name}");
                let ours = parse(&rejection.body, &Limits::REQUEST).unwrap();
                assert_eq!(line.get("response"), Some(&ours), "{name}");
            }
            // These two are answered better: 202 without body, and `{}`.
            ("notification", Answer::Accepted) | ("ping", Answer::Gateway(Method::Ping)) => {}
            ("initialize", Answer::Gateway(Method::Initialize)) => {
                let identity = Identity {
                    name: "cmcp-runtime".into(),
                    version: "0.1.0".into(),
                    instructions: None,
                };
                let ours = identity.initialize_result(
                    Version::negotiate("2025-06-18"),
                    &harness::value(br#"{"tools":{}}"#),
                );
                let ours = parse(&ours, &Limits::REQUEST).unwrap();
                assert_eq!(line.get("response").unwrap().get("result"), Some(&ours));
            }
            ("tools-list", Answer::Gateway(Method::ToolsList)) => {}
            (
                "denied" | "allowed" | "unknown-tool" | "no-workflow" | "response-blocked"
                | "argument-blocked" | "upstream-failed" | "execution-id",
                Answer::Gateway(Method::ToolsCall),
            ) => {}
            (name, answer) => panic!("{name}: {answer:?}"),
        }
    }
    assert_eq!(seen, 15);
}

#[test]
fn an_unknown_method_is_answered_as_0_7_1_did() {
    let (status, _, body) = refused(&[], &ask("resources/read"));
    assert_eq!(status, 404);
    let error = Object::from([
        ("code", Value::from(-32601_i64)),
        ("message", Value::from("Method not found: resources/read")),
    ]);
    assert_eq!(
        body,
        Object::from([
            ("jsonrpc", Value::from("2.0")),
            ("id", Value::from(7_u64)),
            ("error", error.into()),
        ])
        .into()
    );
}

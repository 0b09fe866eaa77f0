//! The pair of streams of the first revision.

use crate::{
    client::{Incoming, at, method_of},
    items::{ASKS, started},
    support::{ALICE, BOB, Gateway},
    upstream::Era,
};

/// A pair of the first revision: its stream, and the line that messages are posted with.
fn pair(gateway: &Gateway) -> (Incoming<'_>, String) {
    let bearer = format!("Bearer {ALICE}");
    let headers = [
        ("Authorization", bearer.as_str()),
        ("Accept", "text/event-stream"),
    ];
    let mut stream = Incoming::open(gateway, "GET /sse", &headers, b"");
    let endpoint = stream.event().unwrap();
    assert_eq!(endpoint.name, "endpoint");
    let line = format!("POST {}", endpoint.data);
    let initialize = r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2024-11-05","capabilities":{"roots":{}},"clientInfo":{"name":"t","version":"1"}}}"#;
    assert_eq!(post(gateway, &line, ALICE, initialize), 202);
    let agreed = at(&stream.message(), "result.protocolVersion");
    assert_eq!(agreed.as_str(), Some("2024-11-05"));
    let initialized = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
    assert_eq!(post(gateway, &line, ALICE, initialized), 202);
    (stream, line)
}

fn post(gateway: &Gateway, line: &str, token: &str, body: &str) -> u16 {
    let bearer = format!("Bearer {token}");
    let headers = [
        ("Authorization", bearer.as_str()),
        ("Content-Type", "application/json"),
    ];
    Incoming::open(gateway, line, &headers, body.as_bytes()).status()
}

#[test]
fn the_pair_of_the_first_revision_is_answered_on_its_stream() {
    let (upstream, gateway) = started(Era::Legacy, ASKS);
    crate::asked::ROOTS.asked_by(&upstream);
    let (mut stream, line) = pair(&gateway);
    let post = |token: &str, body: &str| post(&gateway, &line, token, body);
    let params = crate::client::calling("echo");
    let call = format!(r#"{{"jsonrpc":"2.0","id":"c","method":"tools/call","params":{params}}}"#);
    // Its address is of use to nobody else.
    assert_eq!(post(BOB, &call), 404);
    assert_eq!(post(ALICE, &call), 202);
    gateway.unheard();
    let question = stream.message();
    assert_eq!(method_of(&question), "roots/list");
    let (id, roots) = (at(&question, "id"), crate::asked::ROOTS.answer);
    let response = format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{roots}}}"#);
    assert_eq!(post(ALICE, &response), 202);
    let answer = stream.message();
    assert_eq!(at(&answer, "id").as_str(), Some("c"));
    assert!(answer.to_string().contains("file:///srv"), "{answer}");
    let unknown = r#"{"jsonrpc":"2.0","id":5,"method":"tools/fly"}"#;
    assert_eq!(post(ALICE, unknown), 202);
    assert_eq!(at(&stream.message(), "error.code").as_i64(), Some(-32601));
    drop(stream);
    // The stream's end is the session's.
    let give_up = std::time::Instant::now() + crate::support::PATIENCE;
    while post(ALICE, unknown) != 404 {
        let left = std::time::Instant::now() < give_up;
        assert!(left, "the pair outlives its stream");
    }
    let log = gateway.finish();
    crate::asked::exchange(&log);
}

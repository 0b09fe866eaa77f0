//! The HTTP surface beside MCP: the operator's routes, response headers, other sites.

use crate::{
    asked::said,
    client::{Session, calling},
    items::{ALL, started},
    support::{ALICE, Answer, BOB, Gateway, OPERATOR, client::find},
    upstream::Era,
};

/// Every route that is the operator's.
const OPERATORS: [&str; 7] = [
    "GET /metrics",
    "GET /audit/export?session_id=SESSION&format=cmcp",
    "GET /sessions/SESSION/trust-record",
    "POST /sessions/SESSION/reset",
    "POST /catalog/exception",
    "POST /kill-switch/trip",
    "POST /kill-switch/unblock",
];
/// Those that a caller has for sessions of its own.
const OWNERS: [&str; 3] = [
    "GET /sessions/SESSION/trace-claim",
    "GET /audit/export?session_id=SESSION",
    "POST /sessions/SESSION/close",
];
const ORDER: &str = r#"{"agent_id":"alice","reason":"r","authorized_by":"me","tool_name":"echo","new_definition_hash":"sha256:00","expires_in_seconds":60}"#;

/// The session of a call of this principal's.
fn session_of(gateway: &Gateway, token: &'static str) -> String {
    let session = Session::open(gateway, token, "{}");
    session.call("echo").header("cmcp-session-id").to_owned()
}

#[test]
fn f22_what_is_the_operators_is_not_there_for_anybody_else() {
    let (_, gateway) = started(Era::Legacy, ALL);
    let alices = session_of(&gateway, ALICE);
    let nowhere = gateway.asked(BOB, "POST /no-such-route", ORDER);
    let hidden = |line: &str| {
        let line = line.replace("SESSION", &alices);
        let shown = gateway.asked(BOB, &line, ORDER);
        assert_eq!(shown.status, 404, "{line}: {}", shown.text());
        shown
    };
    for line in OPERATORS.iter().filter(|line| line.starts_with("POST")) {
        assert_eq!(hidden(line).text(), nowhere.text(), "{line}");
    }
    for line in ["GET /metrics", "GET /sessions/SESSION/trust-record"] {
        hidden(line);
    }
    // Somebody else's session is like one that never was.
    for line in OWNERS {
        let other = hidden(line);
        let unknown = gateway.asked(BOB, &line.replace("SESSION", "never-was"), ORDER);
        assert_eq!(
            (other.status, other.text().replace(&alices, "ID")),
            (unknown.status, unknown.text().replace("never-was", "ID")),
            "{line}"
        );
    }
    // Without a token nobody learns even that.
    for line in OPERATORS.iter().chain(&OWNERS) {
        let line = line.replace("SESSION", &alices);
        assert_eq!(gateway.request(&line, &[], ORDER.as_bytes()).status, 401);
        let wrong = format!("{OPERATOR}x");
        assert_eq!(gateway.asked(&wrong, &line, ORDER).status, 401, "{line}");
        // A token in the address is none.
        let separator = if line.contains('?') { '&' } else { '?' };
        let line = format!("{line}{separator}access_token={OPERATOR}");
        assert_eq!(gateway.request(&line, &[], ORDER.as_bytes()).status, 401);
    }
    // Nothing was reset, tripped, closed or let through.
    let alice = Session::open(&gateway, ALICE, "{}");
    let again = alice.call("echo");
    assert_eq!(again.header("cmcp-session-id"), alices);
    gateway.finish();
}

/// Header names that answers may have.
const KNOWN: [&str; 16] = [
    "allow",
    "cache-control",
    "cmcp-call-id",
    "cmcp-entry-hash",
    "cmcp-session-id",
    "connection",
    "content-length",
    "content-type",
    "date",
    "mcp-session-id",
    "retry-after",
    "transfer-encoding",
    "vary",
    "www-authenticate",
    "x-accel-buffering",
    "x-content-type-options",
];

fn is_clean(answer: &Answer) {
    for (name, value) in &answer.headers {
        assert!(
            KNOWN.contains(&name.to_ascii_lowercase().as_str()),
            "{name}: {value}"
        );
        let printable = value.bytes().all(|byte| (0x20..0x7f).contains(&byte));
        assert!(printable && !value.contains("evil"), "{name}: {value}");
    }
}

#[test]
fn f24_no_text_of_callers_or_servers_becomes_a_header() {
    let (upstream, gateway) = started(Era::Legacy, ALL);
    let hostile = r"a\r\nSet-Cookie: evil=1\r\n\r\nHTTP/1.1 200 OK\r\nevil: \u0000\u2028";
    for body in [
        format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"{hostile}"}}}}"#
        ),
        format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{hostile}"}}"#),
        format!(r#"{{"jsonrpc":"2.0","id":"{hostile}","method":"ping"}}"#),
        format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{{"uri":"{hostile}"}}}}"#
        ),
        format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"echo","arguments":{{"text":"{hostile}"}},"_meta":{{"cmcp.dev/session":"{hostile}","cmcp.dev/workflow":"{hostile}"}}}}}}"#
        ),
    ] {
        is_clean(&gateway.post(&body));
    }
    // What a server says, in results, errors and headers.
    upstream.on("tools/call", move |seen| {
        seen.error(&format!(
            r#"{{"code":-1,"message":"{hostile}","data":"{hostile}"}}"#
        ))
    });
    is_clean(&gateway.call("echo", r#"{"text":"x"}"#));
    upstream.on("tools/call", move |seen| seen.result(&said(hostile)));
    is_clean(&gateway.call("echo", r#"{"text":"x"}"#));
    // Ids that are sent back stand in the body alone.
    let session = [("Mcp-Session-Id", "evil"), ("MCP-Protocol-Version", "evil")];
    is_clean(&gateway.post_as(ALICE, calling("echo").as_bytes(), &session));
    for line in [
        "GET /sessions/evil%0d%0aSet-Cookie:evil/trace-claim",
        "GET /evil%0d%0aevil",
        "POST /sessions/evil/close",
    ] {
        is_clean(&gateway.operator(line, ""));
    }
    is_clean(&gateway.request("GET /mcp", &[("Authorization", "Bearer evil")], b""));
    gateway.finish();
}

#[test]
fn f25_no_other_site_is_told_that_it_may_use_credentials() {
    let (upstream, setup) = crate::items::usual(Era::Legacy);
    let gateway = setup
        .settings("allowed_origins: [\"https://app.example\"]\n")
        .start();
    let bearer = format!("Bearer {ALICE}");
    for origin in ["https://evil.example", "null", "https://app.example"] {
        for line in ["OPTIONS /mcp", "OPTIONS /kill-switch/trip", "OPTIONS *"] {
            for credentials in [
                None,
                Some(("Authorization", bearer.as_str())),
                Some(("Cookie", "a=b")),
            ] {
                let mut headers = vec![
                    ("Origin", origin),
                    ("Access-Control-Request-Method", "POST"),
                    (
                        "Access-Control-Request-Headers",
                        "authorization, content-type",
                    ),
                    ("Access-Control-Request-Private-Network", "true"),
                ];
                headers.extend(credentials);
                let answer = gateway.request(line, &headers, b"");
                assert!(answer.status >= 400, "{line} {origin}: {}", answer.status);
                let granted = answer
                    .headers
                    .iter()
                    .find(|(name, _)| name.to_ascii_lowercase().starts_with("access-control-"));
                assert!(granted.is_none(), "{line} {origin}: {granted:?}");
            }
        }
    }
    // Nor with an answer to the request itself.
    let call = calling("echo");
    let body = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{call}}}"#);
    for (origin, status) in [
        ("https://app.example", 200),
        ("https://evil.example", 403),
        ("null", 403),
        ("https://app.example.evil.example", 403),
        ("http://app.example", 403),
    ] {
        let answer = gateway.post_as(ALICE, body.as_bytes(), &[("Origin", origin)]);
        assert_eq!(answer.status, status, "{origin}");
        assert_eq!(find(&answer.headers, "access-control-allow-origin"), None);
        assert_eq!(
            find(&answer.headers, "access-control-allow-credentials"),
            None
        );
    }
    assert_eq!(upstream.of("tools/call").len(), 1);
    gateway.finish();
}

#[test]
fn f14_a_session_in_an_address_is_refused_and_stands_in_no_log() {
    let (upstream, setup) = crate::items::usual(Era::Legacy);
    let gateway = setup.variable("RUST_LOG", "trace").start();
    let session = Session::open(&gateway, ALICE, "{}");
    let bearer = format!("Bearer {ALICE}");
    let headers = [
        ("Authorization", bearer.as_str()),
        ("Accept", "application/json, text/event-stream"),
        ("Content-Type", "application/json"),
    ];
    let id = session.id.clone();
    let call = calling("echo");
    let body = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{call}}}"#);
    for line in [
        format!("POST /mcp?sessionId={id}"),
        format!("POST /mcp?Mcp-Session-Id={id}"),
        format!("GET /mcp?session_id={id}"),
        format!("DELETE /mcp?sessionId={id}"),
        format!("POST /messages/?sessionId={id}"),
        format!("POST /messages/?session_id={id}"),
    ] {
        let answer = gateway.request(&line, &headers, body.as_bytes());
        assert!((400..500).contains(&answer.status), "{line}");
        assert!(!answer.text().contains(&id), "{line}: {}", answer.text());
    }
    assert!(upstream.of("tools/call").is_empty());
    session.call("echo").result();
    let log = gateway.operational_log();
    gateway.finish();
    assert!(!log.text().contains(&id), "the session's id is in the log");
}

#[test]
fn f20_a_server_that_is_only_known_by_its_address_is_called_that() {
    let (_, gateway) = started(Era::Legacy, ALL);
    let session = session_of(&gateway, ALICE);
    let files = std::sync::Arc::clone(&gateway.files);
    let log = gateway.finish();
    let outcome = log
        .iter()
        .find(|entry| crate::support::text(entry, "kind") == "outcome");
    let class = crate::client::at(outcome.unwrap(), "server.evidence_class");
    assert_eq!(class.as_str(), Some("hash-only"));
    // Records commit to the log, in its older form too.
    let older = files.path(&format!("{session}/audit-cmcp-0.7.json"));
    let older = std::fs::read_to_string(older).unwrap();
    assert!(older.contains("hash-only"), "{older}");
}

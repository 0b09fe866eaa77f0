//! Section 2: transport rules, sizes and shapes.

use super::*;

fn modern_list(accept: &str) -> Result<Incoming, Rejection> {
    let headers = [VERSION, ("mcp-method", "tools/list"), ("accept", accept)];
    post(&headers, &modern("tools/list", "", META))
}

#[test]
fn f12_an_accept_that_lacks_a_needed_type_is_406() {
    for accept in ["text/html", "text/event-stream", "application/json;q=0"] {
        let (status, code, body) = refused(&[("accept", accept)], &ask("tools/call"));
        assert_eq!((status, code), (406, -32600), "{accept}");
        assert_eq!(body.get("id"), Some(&Value::from(7_u64)));
    }
    for accept in ["application/json", "text/event-stream", "text/html", ""] {
        assert_eq!(
            modern_list(accept).unwrap_err().status.as_u16(),
            406,
            "{accept}"
        );
        let (status, _, _) = refused(&[SESSION, ("accept", accept)], &ask("tools/call"));
        assert_eq!(status, 406, "{accept}");
    }
}

#[test]
fn wildcards_count_in_accept() {
    for accept in ["*/*", "application/*, text/*", BOTH] {
        assert!(modern_list(accept).is_ok(), "{accept}");
    }
}

#[test]
fn e24_bodies_that_are_not_plain_json_in_utf8_are_415() {
    for header in [
        ("content-type", ""),
        ("content-type", "text/plain"),
        ("content-type", "application/json; charset=utf-16"),
        ("content-encoding", "gzip"),
        ("content-encoding", "x-unknown"),
    ] {
        let (status, code, _) = refused(&[header], &ask("tools/list"));
        assert_eq!((status, code), (415, -32600), "{header:?}");
    }
}

#[test]
fn e24_a_utf16_body_is_a_parse_error() {
    let utf16: Vec<u8> = ask("tools/list")
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    let rejection = receive(
        &headers(&[]),
        &Bytes::from(utf16),
        &sessions,
        &Limits::REQUEST,
    )
    .unwrap_err();
    assert_eq!(
        (rejection.status.as_u16(), rejection.code),
        (400, Code::ParseError)
    );
}

#[test]
fn a_body_over_the_cap_is_413() {
    let limits = Limits {
        bytes: 40,
        ..Limits::REQUEST
    };
    let body = Bytes::from(ask("tools/list"));
    let rejection = receive(&headers(&[]), &body, &sessions, &limits).unwrap_err();
    assert_eq!(rejection.status.as_u16(), 413);
    assert_eq!(
        rejection.body,
        r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"Request body too large"}}"#
    );
}

#[test]
fn e08_a_batch_is_400_invalid_request_in_every_dialect() {
    let batch = format!("[{}]", ask("tools/list"));
    for mark in [vec![], vec![SESSION], vec![VERSION]] {
        for body in ["[]", batch.as_str()] {
            let (status, code, _) = refused(&mark, body);
            assert_eq!((status, code), (400, -32600));
        }
    }
}

#[test]
fn e08_a_batch_of_a_million_is_refused_in_bounded_time() {
    let batch = format!("[{}1]", "1,".repeat(1_000_000));
    let started = std::time::Instant::now();
    for mark in [vec![], vec![SESSION], vec![VERSION]] {
        let (status, code, _) = refused(&mark, &batch);
        assert_eq!((status, code), (400, -32600));
    }
    assert!(started.elapsed() < std::time::Duration::from_secs(5));
}

#[test]
fn e16_jsonrpc_is_the_string_two() {
    for version in [
        "",
        r#""jsonrpc":"1.0","#,
        r#""jsonrpc":2.0,"#,
        r#""jsonrpc":2,"#,
        r#""jsonrpc":null,"#,
    ] {
        for mark in [vec![], vec![SESSION], vec![VERSION]] {
            let body = format!(r#"{{{version}"id":7,"method":"tools/list"}}"#);
            let (status, code, _) = refused(&mark, &body);
            assert_eq!((status, code), (400, -32600), "{version}");
        }
    }
}

#[test]
fn an_id_that_no_client_needs_is_refused_and_not_said_again() {
    let long = "x".repeat(1_025);
    for mark in [vec![], vec![SESSION]] {
        let body = ask("ping").replace("7", &format!("\"{long}\""));
        let (status, code, answer) = refused(&mark, &body);
        assert_eq!((status, code), (400, -32600));
        assert_eq!(answer.get("id"), None);
        let fits = body.replace(&long, &"x".repeat(1_024));
        assert!(post(&mark, &fits).is_ok());
    }
}

#[test]
fn e21_ids_made_to_collide_cost_no_more_than_others() {
    // Ids are keys of a table whose hash is keyed anew for every session: nobody can aim at it.
    // What can be shown is that many alike ones are taken at the speed of one.
    let session = harness::session(Version::V2025_11_25);
    let started = std::time::Instant::now();
    for n in 0..20_000 {
        let id = Id::String(format!("{n:0>1024}"));
        let (port, feed) = session.open(&id).unwrap();
        drop((port, feed));
    }
    assert!(started.elapsed() < std::time::Duration::from_secs(5));
}

#[test]
fn wrong_ids_and_a_missing_jsonrpc_are_400_invalid_request() {
    for id in ["null", "true", "[1]", "{}"] {
        let body = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/list"}}"#);
        let (status, code, answer) = refused(&[], &body);
        assert_eq!((status, code), (400, -32600), "{id}");
        assert_eq!(answer.get("id"), Some(&Value::Null));
    }
    let (status, code, answer) = refused(&[], r#"{"id":7,"method":"tools/list"}"#);
    assert_eq!((status, code), (400, -32600));
    assert_eq!(answer.get("id"), Some(&Value::from(7_u64)));
}

#[test]
fn an_unreadable_id_is_null_to_the_old_dialect_and_left_out_to_everybody_else() {
    let (_, _, old) = refused(&[], "{bad");
    assert_eq!(old.get("id"), Some(&Value::Null));
    assert_eq!(
        old.get("error").unwrap().get("message").unwrap().as_str(),
        Some("Parse error")
    );
    for mark in [SESSION, VERSION] {
        let (status, code, new) = refused(&[mark], "{bad");
        assert_eq!((status, code), (400, -32700));
        assert_eq!(new.get("id"), None);
        let message = new
            .get("error")
            .unwrap()
            .get("message")
            .unwrap()
            .as_str()
            .unwrap();
        assert!(message.starts_with("Parse error: "), "{message}");
    }
}

#[test]
fn e01_e20_e23_what_two_readers_could_take_differently_is_a_parse_error() {
    let call = r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":"#;
    let deep = format!(
        "{call}{}1{}}}",
        r#"{"a":"#.repeat(100_000),
        "}".repeat(100_000)
    );
    let nested = format!(r#"{call}{{"name":"a","arguments":{{"x":1,"x":2}}}}}}"#);
    for body in [
        r#"{"jsonrpc":"2.0","id":7,"method":"tools/list","method":"tools/call"}"#,
        r#"{"jsonrpc":"2.0","id":7,"method":"ping"}{"jsonrpc":"2.0","id":8,"method":"ping"}"#,
        r#"{"jsonrpc":"2.0","id":7,"method":"ping","params":{"a":NaN}}"#,
        r#"{"jsonrpc":"2.0","id":7,"method":"ping","params":{"a":"\ud800"}}"#,
        nested.as_str(),
        deep.as_str(),
    ] {
        let (status, code, _) = refused(&[], body);
        assert_eq!((status, code), (400, -32700));
    }
}

#[test]
fn e13_look_alike_methods_are_not_found_and_their_echo_is_short() {
    let million = "x".repeat(1 << 20);
    for method in ["tools/call ", "Tools/Call", "tооls/call", million.as_str()] {
        let (status, code, body) = refused(&[], &ask(method));
        assert_eq!((status, code), (404, -32601));
        assert!(
            body.get("error")
                .unwrap()
                .get("message")
                .unwrap()
                .as_str()
                .unwrap()
                .len()
                <= 82
        );
        let (status, code, _) = refused(&[SESSION], &ask(method));
        assert_eq!((status, code), (200, -32601));
    }
}

#[test]
fn f14_a_query_is_refused_and_not_echoed() {
    let uri: Uri = "/mcp?sessionId=abc123".parse().unwrap();
    let rejection = check_target(&uri).unwrap_err();
    assert_eq!(rejection.status.as_u16(), 400);
    assert!(!String::from_utf8_lossy(&rejection.body).contains("abc123"));
    assert_eq!(check_target(&"/mcp".parse().unwrap()), Ok(()));
    assert!(check_target(&"/mcp?".parse().unwrap()).is_err());
}

#[test]
fn f24_no_text_of_a_client_or_a_tool_becomes_a_header() {
    let evil = "x\\r\\nset-cookie: a=b\\r\\n\\r\\n<html>";
    for body in [
        ask(evil),
        format!(r#"{{"jsonrpc":"2.0","id":"{evil}","method":"x"}}"#),
        format!(r#"{{"jsonrpc":"2.0","id":7,"method":"tools/call","params":"{evil}"}}"#),
        format!(r#"{{"jsonrpc":"{evil}","id":7,"method":"ping"}}"#),
    ] {
        for mark in [vec![], vec![SESSION], vec![VERSION, ("mcp-method", "x")]] {
            let response = post(&mark, &body).unwrap_err().into_response();
            let names: Vec<_> = response.headers().keys().map(HeaderName::as_str).collect();
            assert_eq!(names, ["content-type", "cache-control"], "{body}");
        }
    }
    // What does go into headers is checked where it is made.
    assert!(HeaderValue::from_str("x\r\nset-cookie: a=b").is_err());
    let encoded = crate::headers::encode("x\r\nset-cookie: a=b");
    assert!(!encoded.as_bytes().contains(&b'\n'));
}

#[test]
fn statuses_go_with_dialects() {
    let modern = Dialect::Modern {
        version: Version::V2026_07_28,
    };
    let legacy = Dialect::Legacy {
        session: harness::session(Version::V2025_11_25),
        version: Version::V2025_11_25,
    };
    for (code, compat, old, new) in [
        (Code::ParseError, 400, 400, 400),
        (Code::InvalidRequest, 400, 400, 400),
        (Code::MethodNotFound, 404, 200, 404),
        (Code::InvalidParams, 400, 200, 200),
        (Code::Internal, 500, 200, 200),
        (Code::MissingClientCapability, 400, 400, 400),
        (Code::PolicyDenied, 403, 200, 200),
        (Code::UpstreamUnavailable, 502, 200, 200),
        (Code::CatalogDrift, 503, 200, 200),
        (Code::SessionNotFound, 404, 404, 404),
    ] {
        assert_eq!(Dialect::Compat.status(code).as_u16(), compat, "{code:?}");
        assert_eq!(legacy.status(code).as_u16(), old, "{code:?}");
        assert_eq!(modern.status(code).as_u16(), new, "{code:?}");
    }
}

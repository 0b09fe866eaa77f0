//! What a JSON-RPC message must not get away with: family E, but for names and arguments.

use std::time::{Duration, Instant};

use cmcp_evidence::Sha256Digest;
use cmcp_json::Value;

use crate::support::{ALICE, Answer, Gateway, Setup, gateway::call, member, text};

const PARSE: (u16, i64) = (400, -32700);
const SHAPE: (u16, i64) = (400, -32600);

/// A body that no two readers can take differently.
fn is_parse_error(answer: &Answer, body: &[u8]) {
    assert_eq!(
        answer.refusal(),
        (PARSE.0, PARSE.1, "MCP_PARSE_FAILURE".to_owned())
    );
    let hash = member(&answer.json(), "error.data.payload_hash");
    assert_eq!(
        hash.as_str(),
        Some(Sha256Digest::of(body).to_string().as_str())
    );
}

#[test]
fn e01_a_repeated_member_is_a_parse_error_and_nothing_is_dispatched() {
    let (server, setup) = Setup::usual();
    let gateway = setup.start();
    let session = gateway.initialize(ALICE);
    for body in [
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","method":"tools/call","params":{"name":"echo","arguments":{"text":"a"}}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"text":"a"}},"params":{"name":"pay","arguments":{}}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","name":"pay","arguments":{}}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"pay","arguments":{"amount":1},"arguments":{"amount":5000}}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"pay","arguments":{"amount":1,"amount":5000}}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"pay","arguments":{"amount":1,"\u0061mount":5000}}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"pay","arguments":{"extra":{"a":[{"b":1,"\u0062":2}]}}}}"#,
        r#"{"jsonrpc":"2.0","id":1,"id":2,"method":"tools/call","params":{"name":"pay","arguments":{}}}"#,
    ] {
        is_parse_error(&gateway.post(body), body.as_bytes());
        let negotiated = gateway.post_as(ALICE, body.as_bytes(), &[("Mcp-Session-Id", &session)]);
        is_parse_error(&negotiated, body.as_bytes());
    }
    assert!(server.is_untouched());
    gateway.still_serves();
    gateway.finish();
}

#[test]
fn e02_what_was_judged_is_what_is_sent_and_what_the_log_commits_to() {
    let (server, setup) = Setup::usual();
    let gateway = setup.start();
    let result = r#"{ "content" : [ {"type":"text","text":"\u00e9 1.50e1"} ],"x-more": 1.0 }"#;
    server.act_on_calls(move |seen| seen.result(result));
    for arguments in [
        r#"{ "note" : "A\/é", "amount":1 ,"price": 1.50e1 }"#,
        r#"{"price":10.0,"extra":{"z":1,"a":[1e2,-0.0,12345678901234567890123,0.10]},"note":"\ud83d\ude00"}"#,
        "{}",
    ] {
        let answer = gateway.call("pay", arguments);
        assert_eq!(answer.status, 200, "{}", answer.text());
        let sent = server.calls().pop().unwrap();
        assert_eq!(sent.arguments(), arguments.as_bytes());
        let outcome = gateway.outcome(&answer);
        let (request, response) = salts(&gateway, text(&outcome, "call_id"));
        let committed =
            |salt: &[u8; 32], bytes: &[u8]| cmcp_record::audit::commit(salt, bytes).to_string();
        assert_eq!(
            text(&outcome, "request"),
            committed(&request, arguments.as_bytes())
        );
        assert_eq!(
            text(&outcome, "response"),
            committed(&response, result.as_bytes())
        );
    }
    gateway.finish();
}

fn salts(gateway: &Gateway, call: &str) -> ([u8; 32], [u8; 32]) {
    let like = format!("%{call}%");
    let salts: Vec<u8> = gateway
        .database()
        .query_row(
            "SELECT salts FROM entries WHERE CAST(body AS TEXT) LIKE ?1 AND salts IS NOT NULL",
            [like],
            |row| row.get(0),
        )
        .unwrap();
    let (request, response) = salts.split_at(32);
    (request.try_into().unwrap(), response.try_into().unwrap())
}

#[test]
fn e02_what_two_readers_could_take_differently_is_not_read_at_all() {
    let (server, setup) = Setup::usual();
    let gateway = setup.start();
    for value in [
        r#""\ud800""#,
        r#""\udc00\ud800""#,
        r#""\u00""#,
        r#""\x41""#,
        "\"\t\"",
        "'a'",
        "NaN",
        "Infinity",
        "-Infinity",
        "01",
        "+1",
        ".5",
        "1.",
        "0x10",
        "1e400",
        "True",
        "undefined",
        "1,",
    ] {
        let body = call("pay", &format!(r#"{{"extra":{{"a":{value}}}}}"#));
        is_parse_error(&gateway.post(&body), body.as_bytes());
    }
    let mut bytes = call("echo", r#"{"text":"_"}"#).into_bytes();
    let at = bytes.iter().position(|byte| *byte == b'_').unwrap();
    for wrong in [
        &[0xff_u8][..],
        &[0xc0, 0xaf],
        &[0xed, 0xa0, 0x80],
        &[0xf4, 0x90, 0x80, 0x80],
    ] {
        let mut body = bytes.clone();
        body.splice(at..=at, wrong.iter().copied());
        is_parse_error(&gateway.post(&body), &body);
    }
    assert!(server.is_untouched());
    // Beyond what a double can hold, and sent as it was spelled.
    bytes = call("pay", r#"{"extra":{"a":9007199254740993}}"#).into_bytes();
    assert_eq!(gateway.post(&bytes).status, 200);
    assert_eq!(
        server.calls()[0].arguments(),
        br#"{"extra":{"a":9007199254740993}}"#
    );
    gateway.finish();
}

#[test]
fn a_header_that_disagrees_with_the_body_is_refused() {
    let (server, setup) = Setup::usual();
    let gateway = setup.start();
    let meta = r#""_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}"#;
    let body = format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"pay","arguments":{{"amount":1}},{meta}}}}}"#
    );
    let right = [
        ("MCP-Protocol-Version", "2026-07-28"),
        ("Mcp-Method", "tools/call"),
        ("Mcp-Name", "pay"),
    ];
    for (at, wrong) in [
        (0, "2025-11-25"),
        (0, ""),
        (1, "tools/list"),
        (1, "Tools/Call"),
        (1, ""),
        (2, "echo"),
        (2, "PAY"),
        (2, ""),
    ] {
        let mut headers = right.to_vec();
        headers[at].1 = wrong;
        let (status, code, _) = gateway.post_as(ALICE, body.as_bytes(), &headers).refusal();
        assert_eq!((status, code), (400, -32020), "{headers:?}");
        headers.remove(at);
        let (status, code, _) = gateway.post_as(ALICE, body.as_bytes(), &headers).refusal();
        assert_eq!((status, code), (400, -32020), "{headers:?}");
    }
    assert!(server.is_untouched());
    assert_eq!(gateway.post_as(ALICE, body.as_bytes(), &right).status, 200);
    gateway.finish();
}

#[test]
fn e08_a_batch_is_refused_whatever_is_in_it() {
    let (server, setup) = Setup::usual();
    let gateway = setup.start();
    let one = call("echo", r#"{"text":"a"}"#);
    let many = format!("[{}]", vec!["1"; 1_000_000].join(","));
    for (body, within) in [
        (format!("[{one}]"), 1),
        (format!("[{one},{one}]"), 1),
        ("[]".to_owned(), 1),
        (many, 10),
    ] {
        let asked = Instant::now();
        let answer = gateway.post(&body);
        assert!(
            asked.elapsed() < Duration::from_secs(within),
            "{:?}",
            asked.elapsed()
        );
        let (status, code, _) = answer.refusal();
        assert_eq!((status, code), SHAPE, "{}", answer.text());
    }
    assert!(server.is_untouched());
    gateway.still_serves();
    gateway.finish();
}

#[test]
fn e13_a_method_is_compared_by_its_bytes_and_echoed_in_part() {
    let (server, setup) = Setup::usual();
    let gateway = setup.start();
    let long = "m".repeat(1 << 20);
    for method in [
        "Tools/Call",
        "tools/call ",
        "tools/cаll",
        "tools\u{2215}call",
        "",
        long.as_str(),
    ] {
        let name = Value::from(method);
        let body = format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":{name},"params":{{"name":"echo","arguments":{{"text":"a"}}}}}}"#
        );
        let answer = gateway.post(&body);
        let (status, code, _) = answer.refusal();
        assert_eq!(
            (status, code),
            (404, -32601),
            "{method:.20}: {}",
            answer.text()
        );
        assert!(answer.body.len() < 300, "{}", answer.body.len());
    }
    assert!(server.is_untouched());
    gateway.finish();
}

#[test]
fn e14_no_method_that_carries_data_slips_past_governance() {
    let (server, setup) = Setup::usual();
    let gateway = setup.start();
    let session = gateway.initialize(ALICE);
    // Nothing of the kind was approved, so nothing of the kind is there.
    let governed = [
        ("resources/read", r#"{"uri":"file:///etc/passwd"}"#, -32002),
        (
            "resources/subscribe",
            r#"{"uri":"file:///etc/passwd"}"#,
            -32002,
        ),
        ("prompts/get", r#"{"name":"echo"}"#, -32602),
        (
            "completion/complete",
            r#"{"ref":{"type":"ref/prompt","name":"echo"},"argument":{"name":"a","value":""}}"#,
            -32602,
        ),
        ("tasks/get", r#"{"taskId":"1"}"#, -32602),
        ("tasks/result", r#"{"taskId":"1"}"#, -32602),
        ("tasks/cancel", r#"{"taskId":"1"}"#, -32602),
    ];
    for (method, params, code) in governed {
        let body = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{params}}}"#);
        let as_client = |answer: Answer| answer.refusal().1;
        let legacy = gateway.post_as(ALICE, body.as_bytes(), &[("Mcp-Session-Id", &session)]);
        assert_eq!(as_client(legacy), code, "{method}");
        let modern = gateway.modern(ALICE, method, params);
        let here = !matches!(method, "resources/subscribe" | "tasks/result");
        let expected = match method {
            _ if !here => -32601,
            // The extension was not declared.
            "tasks/get" | "tasks/cancel" => -32021,
            _ => -32602,
        };
        assert_eq!(as_client(modern), expected, "{method}");
        assert_eq!(as_client(gateway.post(&body)), -32601, "{method}");
    }
    // What no revision has, or only servers may ask, or only another era.
    for method in [
        "sampling/createMessage",
        "elicitation/create",
        "roots/list",
        "tools/call/now",
        "vendor.example/read",
    ] {
        let params = r#"{"uri":"file:///etc/passwd","name":"echo","taskId":"1"}"#;
        let body = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{params}}}"#);
        let old = gateway.post(&body);
        let negotiated = gateway.post_as(ALICE, body.as_bytes(), &[("Mcp-Session-Id", &session)]);
        let modern = gateway.modern(ALICE, method, params);
        for (answer, status) in [(old, 404), (negotiated, 200), (modern, 404)] {
            let (found, code, _) = answer.refusal();
            assert_eq!(
                (found, code),
                (status, -32601),
                "{method}: {}",
                answer.text()
            );
        }
    }
    assert!(server.is_untouched());
    gateway.still_serves();
    gateway.finish();
}

#[test]
fn e16_jsonrpc_is_the_string_two() {
    let (server, setup) = Setup::usual();
    let gateway = setup.start();
    for version in [
        "",
        r#""jsonrpc":"1.0","#,
        r#""jsonrpc":2.0,"#,
        r#""jsonrpc":2,"#,
        r#""jsonrpc":null,"#,
    ] {
        let body = format!(
            r#"{{{version}"id":1,"method":"tools/call","params":{{"name":"echo","arguments":{{"text":"a"}}}}}}"#
        );
        let (status, code, _) = gateway.post(&body).refusal();
        assert_eq!((status, code), SHAPE, "{version}");
    }
    for id in ["null", "true", "[1]", "{}"] {
        let body = format!(
            r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"echo","arguments":{{"text":"a"}}}}}}"#
        );
        let (status, code, _) = gateway.post(&body).refusal();
        assert_eq!((status, code), SHAPE, "{id}");
    }
    assert!(server.is_untouched());
    gateway.finish();
}

#[test]
fn e22_a_number_of_a_million_digits_is_refused_before_it_is_computed() {
    let (server, setup) = Setup::usual();
    let gateway = setup.start();
    let digits = "9".repeat(1_000_000);
    for number in [
        digits.clone(),
        format!("-{digits}"),
        format!("0.{digits}"),
        format!("1e{digits}"),
    ] {
        let body = call("pay", &format!(r#"{{"amount":{number}}}"#));
        let asked = Instant::now();
        is_parse_error(&gateway.post(&body), body.as_bytes());
        assert!(
            asked.elapsed() < Duration::from_secs(2),
            "{:?}",
            asked.elapsed()
        );
    }
    assert!(server.is_untouched());
    gateway.finish();
}

#[test]
fn e23_one_post_holds_one_value_and_nothing_else() {
    let (server, setup) = Setup::usual();
    let gateway = setup.start();
    let one = call("echo", r#"{"text":"a"}"#);
    for body in [
        format!("{one}{one}"),
        format!("{one}\n{one}\n"),
        format!("{one},"),
        format!("{one}\0"),
        format!("{one} x"),
        format!("\u{feff}{one}"),
        format!("{one}//"),
        one.replace('}', ""),
        String::new(),
    ] {
        is_parse_error(&gateway.post(&body), body.as_bytes());
    }
    assert!(server.is_untouched());
    gateway.finish();
}

#[test]
fn e24_a_body_is_plain_json_in_utf8() {
    let (server, setup) = Setup::usual();
    let gateway = setup.start();
    let one = call("echo", r#"{"text":"a"}"#);
    let utf16: Vec<u8> = one.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let utf32: Vec<u8> = one
        .chars()
        .flat_map(|c| u32::from(c).to_be_bytes())
        .collect();
    let with_mark = [&[0xff, 0xfe], utf16.as_slice()].concat();
    for body in [utf16.clone(), utf32, with_mark] {
        is_parse_error(&gateway.post(&body), &body);
    }
    for (body, kind, encoding) in [
        (
            one.as_bytes(),
            "application/json; charset=utf-16",
            "identity",
        ),
        (
            one.as_bytes(),
            "application/json; charset=latin1",
            "identity",
        ),
        (
            utf16.as_slice(),
            "application/json;charset=UTF-16LE",
            "identity",
        ),
        (one.as_bytes(), "text/plain", "identity"),
        (BOMB, "application/json", "gzip"),
        (BOMB, "application/json", "identity, gzip"),
        (one.as_bytes(), "application/json", "br"),
        (one.as_bytes(), "application/json", "made-up"),
    ] {
        let headers = [("Content-Type", kind), ("Content-Encoding", encoding)];
        let answer = gateway.post_as(ALICE, body, &headers);
        assert_eq!(answer.status, 415, "{headers:?}: {}", answer.text());
    }
    assert!(server.is_untouched());
    gateway.still_serves();
    gateway.finish();
}

/// The beginning of a gzip stream that would unpack to a gigabyte of zeros.
const BOMB: &[u8] = &[
    0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0xec, 0xc1, 1, 1, 0, 0, 0, 0x80, 0x90, 0xfe, 0xaf, 0xee,
];

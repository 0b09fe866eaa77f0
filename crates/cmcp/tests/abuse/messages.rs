//! What a JSON-RPC message must not get away with: family E, but for names and arguments.

use std::{thread, time::Duration, time::Instant};

use cmcp_evidence::Sha256Digest;
use cmcp_json::Value;

use crate::support::{
    ALICE, Answer, Connection, Gate, Gateway, PRIVATE, Reply, Setup, gateway::call, json, member,
    text,
};

const PARSE: (u16, i64) = (400, -32700);
const SHAPE: (u16, i64) = (400, -32600);

/// A body that no two readers can take differently.
fn is_parse_error(answer: &Answer, body: &[u8]) {
    assert_eq!(answer.refusal(), (PARSE.0, PARSE.1, "MCP_PARSE_FAILURE".to_owned()));
    let hash = member(&answer.json(), "error.data.payload_hash");
    assert_eq!(hash.as_str(), Some(Sha256Digest::of(body).to_string().as_str()));
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
        let committed = |salt: &[u8; 32], bytes: &[u8]| {
            cmcp_record::audit::commit(salt, bytes).to_string()
        };
        assert_eq!(text(&outcome, "request"), committed(&request, arguments.as_bytes()));
        assert_eq!(text(&outcome, "response"), committed(&response, result.as_bytes()));
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
        assert!(asked.elapsed() < Duration::from_secs(within), "{:?}", asked.elapsed());
        let (status, code, _) = answer.refusal();
        assert_eq!((status, code), SHAPE, "{}", answer.text());
    }
    assert!(server.is_untouched());
    gateway.still_serves();
    gateway.finish();
}

#[test]
fn e10_calls_with_one_id_get_each_its_own_answer() {
    let (server, setup) = Setup::usual();
    let gateway = setup.start();
    let both = Gate::default();
    let gate = both.clone();
    server.act(move |seen| {
        if seen.is_call() {
            gate.wait();
        }
        None
    });
    let texts = ["one", "two", "three"];
    thread::scope(|scope| {
        let asked: Vec<_> = texts
            .iter()
            .map(|text| {
                let gateway = &gateway;
                scope.spawn(move || gateway.call("echo", &format!(r#"{{"text":"{text}"}}"#)))
            })
            .collect();
        server.await_calls(texts.len());
        both.open();
        for (text, asked) in texts.iter().zip(asked) {
            let answer = asked.join().unwrap();
            let said = answer.result().to_string();
            assert!(said.contains(&format!(r#"\"text\":\"{text}\""#)), "{text}: {said}");
            assert_eq!(member(&answer.json(), "id").as_i64(), Some(1));
        }
    });
    gateway.finish();
}

#[test]
fn e12_what_a_server_asks_of_the_client_is_refused_and_not_passed_on() {
    let (server, setup) = Setup::usual();
    let gateway = setup.start();
    let asked = ["sampling/createMessage", "elicitation/create", "roots/list"];
    server.act(move |seen| {
        if !seen.is_call() {
            return None;
        }
        let requests = asked.iter().enumerate().map(|(at, method)| {
            format!(r#"{{"jsonrpc":"2.0","id":"srv-{at}","method":"{method}","params":{{"message":"ask-the-user"}}}}"#)
        });
        let result = seen.result_text(r#"{"content":[{"type":"text","text":"done"}]}"#);
        Some(Reply::Events(requests.chain([result]).collect()))
    });
    let answer = gateway.call("echo", r#"{"text":"a"}"#);
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(!answer.text().contains("ask-the-user") && !answer.text().contains("srv-"));
    let refused = |seen: &crate::support::server::Seen| seen.method.is_empty() && seen.id().contains("srv-");
    server.await_requests(asked.len(), refused);
    for reply in server.requests().iter().filter(|seen| refused(seen)) {
        let code = member(&json(&String::from_utf8(reply.body.clone()).unwrap()), "error.code");
        assert!(matches!(code.as_i64(), Some(-32601 | -32603)), "{reply:?}");
    }
    // The same question inside a result.
    server.act_on_calls(|seen| {
        seen.result(r#"{"resultType":"input_required","inputRequests":{"q":{"method":"elicitation/create","params":{"message":"ask-the-user"}}}}"#)
    });
    let answer = gateway.call("echo", r#"{"text":"a"}"#);
    assert_eq!(answer.refusal(), (403, -32000, "POLICY_DENY".to_owned()));
    assert!(!answer.text().contains("ask-the-user"));
    assert_eq!(gateway.verdict(&answer), ["input_required_refused", "deny", "response"]);
    server.behave();
    gateway.still_serves();
    gateway.finish();
}

#[test]
fn e13_a_method_is_compared_by_its_bytes_and_echoed_in_part() {
    let (server, setup) = Setup::usual();
    let gateway = setup.start();
    let long = "m".repeat(1 << 20);
    for method in ["Tools/Call", "tools/call ", "tools/cаll", "tools\u{2215}call", "", long.as_str()] {
        let name = Value::from(method);
        let body = format!(r#"{{"jsonrpc":"2.0","id":1,"method":{name},"params":{{"name":"echo","arguments":{{"text":"a"}}}}}}"#);
        let answer = gateway.post(&body);
        let (status, code, _) = answer.refusal();
        assert_eq!((status, code), (404, -32601), "{method:.20}: {}", answer.text());
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
    for method in [
        "resources/list",
        "resources/templates/list",
        "resources/read",
        "resources/subscribe",
        "resources/unsubscribe",
        "subscriptions/listen",
        "prompts/list",
        "prompts/get",
        "completion/complete",
        "logging/setLevel",
        "tasks/get",
        "tasks/list",
        "tasks/result",
        "tasks/update",
        "tasks/cancel",
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
            assert_eq!((found, code), (status, -32601), "{method}: {}", answer.text());
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
    for version in ["", r#""jsonrpc":"1.0","#, r#""jsonrpc":2.0,"#, r#""jsonrpc":2,"#, r#""jsonrpc":null,"#] {
        let body = format!(r#"{{{version}"id":1,"method":"tools/call","params":{{"name":"echo","arguments":{{"text":"a"}}}}}}"#);
        let (status, code, _) = gateway.post(&body).refusal();
        assert_eq!((status, code), SHAPE, "{version}");
    }
    for id in ["null", "true", "[1]", "{}"] {
        let body = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"echo","arguments":{{"text":"a"}}}}}}"#);
        let (status, code, _) = gateway.post(&body).refusal();
        assert_eq!((status, code), SHAPE, "{id}");
    }
    assert!(server.is_untouched());
    gateway.finish();
}

#[test]
fn e18_a_progress_token_stays_with_its_caller() {
    let (server, setup) = Setup::usual();
    let gateway = setup.start();
    let body = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"text":"a"},"_meta":{"progressToken":"shared","cmcp.dev/workflow":"w","vendor.example/kept":[1.0]}}}"#;
    server.act(|seen| {
        let progress = r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"shared","progress":1,"message":"of-somebody-else"}}"#;
        let result = seen.result_text(r#"{"content":[]}"#);
        seen.is_call().then(|| Reply::Events(vec![progress.to_owned(), result]))
    });
    let answer = gateway.post(body);
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(!answer.text().contains("of-somebody-else"));
    let sent = server.calls().pop().unwrap();
    assert_eq!(sent.param("_meta").unwrap().to_string(), r#"{"vendor.example/kept":[1.0]}"#);
    gateway.finish();
}

#[test]
fn e19_a_cancellation_of_somebody_elses_call_is_ignored() {
    let (server, setup) = Setup::usual();
    let gateway = setup.start();
    let gate = Gate::default();
    let held = gate.clone();
    server.act(move |seen| {
        if seen.is_call() {
            held.wait();
        }
        None
    });
    thread::scope(|scope| {
        let asked = scope.spawn(|| gateway.call("echo", r#"{"text":"mine"}"#));
        server.await_calls(1);
        let notice = br#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#;
        for token in [ALICE, crate::support::BOB] {
            let answer = gateway.post_as(token, notice, &[]);
            assert_eq!((answer.status, answer.body.len()), (202, 0));
        }
        gate.open();
        assert_eq!(asked.join().unwrap().status, 200);
    });
    gateway.finish();
}

#[test]
fn e22_a_number_of_a_million_digits_is_refused_before_it_is_computed() {
    let (server, setup) = Setup::usual();
    let gateway = setup.start();
    let digits = "9".repeat(1_000_000);
    for number in [digits.clone(), format!("-{digits}"), format!("0.{digits}"), format!("1e{digits}")] {
        let body = call("pay", &format!(r#"{{"amount":{number}}}"#));
        let asked = Instant::now();
        is_parse_error(&gateway.post(&body), body.as_bytes());
        assert!(asked.elapsed() < Duration::from_secs(2), "{:?}", asked.elapsed());
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
    let utf32: Vec<u8> = one.chars().flat_map(|c| u32::from(c).to_be_bytes()).collect();
    let with_mark = [&[0xff, 0xfe], utf16.as_slice()].concat();
    for body in [utf16.clone(), utf32, with_mark] {
        is_parse_error(&gateway.post(&body), &body);
    }
    for (body, headers) in [
        (one.as_bytes(), [("Content-Type", "application/json; charset=utf-16"), ("X-A", "b")]),
        (one.as_bytes(), [("Content-Type", "application/json; charset=latin1"), ("X-A", "b")]),
        (utf16.as_slice(), [("Content-Type", "application/json;charset=UTF-16LE"), ("X-A", "b")]),
        (one.as_bytes(), [("Content-Type", "text/plain"), ("X-A", "b")]),
        (BOMB, [("Content-Type", "application/json"), ("Content-Encoding", "gzip")]),
        (BOMB, [("Content-Type", "application/json"), ("Content-Encoding", "identity, gzip")]),
        (one.as_bytes(), [("Content-Type", "application/json"), ("Content-Encoding", "br")]),
        (one.as_bytes(), [("Content-Type", "application/json"), ("Content-Encoding", "made-up")]),
    ] {
        let answer = gateway.post_as(ALICE, body, &headers);
        assert_eq!(answer.status, 415, "{headers:?}: {}", answer.text());
    }
    assert!(server.is_untouched());
    gateway.still_serves();
    gateway.finish();
}

#[test]
fn wrong_kinds_of_messages_are_taken_in_and_dispatch_nothing() {
    let (server, setup) = Setup::usual();
    let gateway = setup.start();
    // Without an id it is a notification, whatever it is called.
    let silent = r#"{"jsonrpc":"2.0","method":"tools/call","params":{"name":"echo","arguments":{"text":"a"}}}"#;
    let response = r#"{"jsonrpc":"2.0","id":1,"result":{"content":[]}}"#;
    for body in [silent, response] {
        let answer = gateway.post(body);
        assert_eq!((answer.status, answer.body.len()), (202, 0), "{}", answer.text());
    }
    assert!(server.is_untouched());
    gateway.finish();
}

#[test]
fn a_caller_that_hangs_up_leaves_its_outcome_behind() {
    let (server, setup) = Setup::usual();
    let gateway = setup.start();
    let gate = Gate::default();
    let held = gate.clone();
    server.act(move |seen| {
        if seen.is_call() {
            held.wait();
        }
        None
    });
    let body = call("pay", &format!(r#"{{"amount":1,"note":"{PRIVATE}"}}"#));
    let bearer = format!("Bearer {ALICE}");
    let mut connection = Connection::open(gateway.addr);
    let host = gateway.addr.to_string();
    let headers = [
        ("Host", host.as_str()),
        ("Authorization", bearer.as_str()),
        ("Content-Type", "application/json"),
    ];
    connection.request("POST /mcp", &headers, body.as_bytes()).unwrap();
    server.await_calls(1);
    drop(connection);
    gateway.unheard();
    gate.open();
    let all = gateway.finish();
    let outcome = all.iter().find(|entry| text(entry, "kind") == "outcome").unwrap();
    assert_eq!((text(outcome, "verdict"), text(outcome, "result")), ("allow", "response"));
    assert!(all.iter().any(|entry| text(entry, "kind") == "intent"));
}

/// The beginning of a gzip stream that would unpack to a gigabyte of zeros.
const BOMB: &[u8] = &[
    0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0xec, 0xc1, 1, 1, 0, 0, 0, 0x80, 0x90, 0xfe, 0xaf, 0xee,
];

//! Calls that run at the same time, and messages beside them: what belongs to whom.

use std::thread;

use crate::support::{
    ALICE, BOB, Connection, Gate, PRIVATE, Reply, Setup, gateway::call, json, member, server::Seen,
    text,
};

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
            assert!(
                said.contains(&format!(r#"\"text\":\"{text}\""#)),
                "{text}: {said}"
            );
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
    let refused = |seen: &Seen| seen.method.is_empty() && seen.id().contains("srv-");
    server.await_requests(asked.len(), refused);
    for reply in server.requests().iter().filter(|seen| refused(seen)) {
        let code = member(
            &json(&String::from_utf8(reply.body.clone()).unwrap()),
            "error.code",
        );
        assert!(matches!(code.as_i64(), Some(-32601 | -32603)), "{reply:?}");
    }
    // The same question inside a result.
    server.act_on_calls(|seen| {
        seen.result(r#"{"resultType":"input_required","inputRequests":{"q":{"method":"elicitation/create","params":{"message":"ask-the-user"}}}}"#)
    });
    let answer = gateway.call("echo", r#"{"text":"a"}"#);
    assert_eq!(answer.refusal(), (403, -32000, "POLICY_DENY".to_owned()));
    assert!(!answer.text().contains("ask-the-user"));
    assert_eq!(
        gateway.verdict(&answer),
        ["input_required_refused", "deny", "response"]
    );
    server.behave();
    gateway.still_serves();
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
    // The server is given a token of ours, and knows no other caller's.
    let sent = server.calls().pop().unwrap().param("_meta").unwrap();
    assert_ne!(sent.get("progressToken").unwrap().as_str(), Some("shared"));
    assert_eq!(
        sent.get("vendor.example/kept").unwrap().to_string(),
        "[1.0]"
    );
    assert_eq!(sent.as_object().unwrap().len(), 2, "{sent}");
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
        let notice =
            br#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#;
        for token in [ALICE, BOB] {
            let answer = gateway.post_as(token, notice, &[]);
            assert_eq!((answer.status, answer.body.len()), (202, 0));
        }
        gate.open();
        assert_eq!(asked.join().unwrap().status, 200);
    });
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
        assert_eq!(
            (answer.status, answer.body.len()),
            (202, 0),
            "{}",
            answer.text()
        );
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
    connection
        .request("POST /mcp", &headers, body.as_bytes())
        .unwrap();
    server.await_calls(1);
    drop(connection);
    gateway.unheard();
    gate.open();
    let all = gateway.finish();
    let outcome = all
        .iter()
        .find(|entry| text(entry, "kind") == "outcome")
        .unwrap();
    assert_eq!(
        (text(outcome, "verdict"), text(outcome, "result")),
        ("allow", "response")
    );
    assert!(all.iter().any(|entry| text(entry, "kind") == "intent"));
}

//! Hosts of the handshake era, and those that never shake hands.

use super::*;

#[tokio::test]
async fn messages_pass_byte_for_byte_in_both_directions() {
    let gateway = Gateway::start().await;
    let mut host = Host::start(&gateway.url);
    let asked = call("\"a\"", "echo");
    assert_eq!(
        host.ask(&asked).await,
        r#"{"jsonrpc":"2.0","id":"a","result":{"content":[],"n": 1e2}}"#
    );
    let seen = gateway.seen();
    assert_eq!(seen[0].body, asked);
    assert_eq!(seen[0].header("authorization"), Some("Bearer s3cret-token"));
    assert_eq!(seen[0].header("content-type"), Some("application/json"));
    assert_eq!(
        seen[0].header("accept"),
        Some("application/json, text/event-stream")
    );
    assert_eq!(seen[0].header("mcp-session-id"), None);
    host.end().await;
}

#[tokio::test]
async fn session_id_and_version_are_kept_for_the_connection() {
    let gateway = Gateway::start().await;
    let mut host = Host::initialized(&gateway.url).await;
    host.ask(&call("1", "echo")).await;
    let seen = gateway.seen();
    assert_eq!(seen[0].header("mcp-session-id"), None);
    for later in &seen[1..] {
        assert_eq!(later.header("mcp-session-id"), Some("session-0"));
        assert_eq!(later.header("mcp-protocol-version"), Some("2025-06-18"));
    }
    assert_eq!(seen.len(), 3);
}

#[tokio::test]
async fn what_follows_initialize_waits_for_its_session() {
    let gateway = Gateway::start().await;
    let mut host = Host::start(&gateway.url);
    host.send(INITIALIZE).await;
    host.send(&call("1", "echo")).await;
    host.line().await;
    host.line().await;
    assert!(gateway.seen()[1].header("mcp-session-id").is_some());
}

#[tokio::test]
async fn a_json_rpc_error_passes_whatever_the_http_status() {
    let gateway = Gateway::start().await;
    let mut host = Host::start(&gateway.url);
    assert_eq!(
        host.ask(&call("1", "denied")).await,
        r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":"Request denied by policy","data":{"error_code":"POLICY_DENY"}}}"#
    );
    let unknown = host
        .ask(r#"{"jsonrpc":"2.0","id":2,"method":"resources/list"}"#)
        .await;
    assert_eq!(error_of(&unknown).0, -32601);
}

#[tokio::test]
async fn an_error_without_id_is_given_the_id_of_the_request_it_came_back_for() {
    let gateway = Gateway::start().await;
    let mut host = Host::start(&gateway.url);
    assert_eq!(
        host.ask(&call("\"x\"", "unaddressed")).await,
        r#"{"jsonrpc":"2.0","id":"x","error":{"code":-32600,"message":"unreadable"}}"#
    );
}

#[tokio::test]
async fn notifications_and_responses_are_answered_with_nothing_even_when_they_are_refused() {
    let gateway = Gateway::start().await;
    let mut host = Host::initialized(&gateway.url).await;
    host.send(r#"{"jsonrpc":"2.0","method":"notifications/whatever"}"#)
        .await;
    host.send(r#"{"jsonrpc":"2.0","id":7,"result":{}}"#).await;
    gateway.forget_sessions();
    host.send(r#"{"jsonrpc":"2.0","method":"notifications/roots/list_changed"}"#)
        .await;
    host.end().await;
    assert_eq!(gateway.seen().len(), 5);
}

#[tokio::test]
async fn f10_a_stream_gives_its_messages_one_by_one_and_text_in_them_begins_none() {
    let gateway = Gateway::start().await;
    let mut host = Host::start(&gateway.url);
    assert_eq!(
        host.ask(&call("1", "stream")).await,
        r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progress":1.0}}"#
    );
    assert_eq!(
        host.line().await,
        r#"{"jsonrpc":"2.0","id":7,"method":"ping"}"#
    );
    assert_eq!(
        host.line().await,
        r#"{"jsonrpc":"2.0","id":1,"result":{"text":"\n\ndata: {\"id\":1}\n"}}"#
    );
    host.end().await;
}

#[tokio::test]
async fn a_slow_call_holds_nobody_up() {
    let gateway = Gateway::start().await;
    let mut host = Host::start(&gateway.url);
    host.send(&call("1", "hang")).await;
    assert!(
        host.ask(&call("2", "echo"))
            .await
            .starts_with(r#"{"jsonrpc":"2.0","id":2,"#)
    );
}

#[tokio::test]
async fn the_end_of_input_waits_for_what_is_under_way() {
    let gateway = Gateway::start().await;
    let mut host = Host::start(&gateway.url);
    host.send(INITIALIZE).await;
    for id in 1..=20 {
        host.send(&call(&id.to_string(), "echo")).await;
    }
    let Host {
        input,
        mut output,
        bridge,
        stop: _stop,
    } = host;
    drop(input);
    let mut answers = 0;
    while output.next_line().await.unwrap().is_some() {
        answers += 1;
    }
    assert_eq!(answers, 21);
    bridge.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_session_that_the_gateway_lost_is_opened_anew_and_the_call_repeated_once() {
    let gateway = Gateway::start().await;
    let mut host = Host::initialized(&gateway.url).await;
    host.ask(&call("1", "echo")).await;
    gateway.forget_sessions();
    let reply = host.ask(&call("2", "echo")).await;
    assert_eq!(
        reply,
        r#"{"jsonrpc":"2.0","id":2,"result":{"content":[],"n": 1e2}}"#
    );
    let seen = gateway.seen();
    let bodies: Vec<_> = seen[3..].iter().map(|seen| seen.body.as_str()).collect();
    let lost = call("2", "echo");
    assert_eq!(
        bodies,
        [lost.as_str(), INITIALIZE, INITIALIZED, lost.as_str()]
    );
    assert_eq!(seen[6].header("mcp-session-id"), Some("session-1"));
    host.end().await;
}

#[tokio::test]
async fn lines_that_are_no_message_are_refused_here_and_never_sent() {
    let gateway = Gateway::start().await;
    let mut host = Host::start(&gateway.url);
    for (line, code) in [
        ("{bad", -32700),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"a","method":"b"}"#,
            -32700,
        ),
        ("[]", -32600),
        (r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#, -32600),
    ] {
        let reply = host.ask(line).await;
        assert_eq!(error_of(&reply).0, code, "{line}");
        assert!(!reply.contains(r#""id":"#), "{reply}");
    }
    host.end().await;
    assert!(gateway.seen().is_empty());
}

#[tokio::test]
async fn a_legacy_cancellation_is_sent_on() {
    let gateway = Gateway::start().await;
    let mut host = Host::initialized(&gateway.url).await;
    host.send(&call("1", "hang")).await;
    let cancel = r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#;
    host.send(cancel).await;
    host.ask(&call("2", "echo")).await;
    let seen = gateway.until(http::Method::POST, 5).await;
    assert!(seen.iter().any(|seen| seen.body == cancel));
}

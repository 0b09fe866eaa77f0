//! What comes on streams: as it comes, whoever asked for it, and over more than one connection.

use http::Method;

use super::*;

const CHANGED: &str = r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#;

#[tokio::test]
async fn an_event_reaches_the_host_before_the_stream_goes_on() {
    let gateway = Gateway::start().await;
    let mut host = Host::initialized(&gateway.url).await;
    let progress = host.ask(&call("1", "slow")).await;
    assert!(progress.contains("notifications/progress"), "{progress}");
    gateway.state.go.notify_one();
    assert_eq!(host.line().await, r#"{"jsonrpc":"2.0","id":1,"result":{}}"#);
    host.end().await;
}

#[tokio::test]
async fn a_question_of_the_gateways_is_asked_on_the_calls_stream_and_answered_in_the_session() {
    let gateway = Gateway::start().await;
    let mut host = Host::initialized(&gateway.url).await;
    assert_eq!(
        host.ask(&call("1", "ask")).await,
        r#"{"jsonrpc":"2.0","id":"of-the-gateway","method":"elicitation/create","params":{"mode":"form","message":"Quantit\u00e9?","requestedSchema":{"type":"object","properties":{"n":{"type":"integer"}}}}}"#
    );
    let answer = r#"{"jsonrpc":"2.0","id":"of-the-gateway","result":{"action":"accept","content":{"n" : 1.0}}}"#;
    let reply = host.ask(answer).await;
    assert!(reply.contains(r#""id":1,"#), "{reply}");
    assert_eq!(gateway.answered(), [answer]);
    let seen = gateway.seen().pop().unwrap();
    assert_eq!(seen.header("mcp-session-id"), Some("session-0"));
    host.end().await;
}

#[tokio::test]
async fn what_nobody_asked_for_comes_on_a_stream_of_its_own_once_the_handshake_is_complete() {
    let gateway = Gateway::start().await;
    let mut host = Host::start(&gateway.url);
    host.ask(INITIALIZE).await;
    host.ask(&call("1", "echo")).await;
    assert!(gateway.until(Method::GET, 0).await.is_empty());
    host.send(INITIALIZED).await;
    let asked = gateway.until(Method::GET, 1).await;
    assert_eq!(asked[0].header("accept"), Some("text/event-stream"));
    assert_eq!(asked[0].header("mcp-session-id"), Some("session-0"));
    assert_eq!(asked[0].header("mcp-protocol-version"), Some("2025-06-18"));
    assert_eq!(
        asked[0].header("authorization"),
        Some("Bearer s3cret-token")
    );
    assert_eq!(asked[0].header("last-event-id"), None);
    assert_eq!(asked[0].header("content-type"), None);
    gateway.until_streaming().await;
    gateway.announce("g-1", CHANGED);
    assert_eq!(host.line().await, CHANGED);
    host.end().await;
}

#[tokio::test]
async fn a_stream_of_unasked_messages_that_ends_is_taken_up_where_it_was() {
    let gateway = Gateway::start().await;
    let mut host = Host::initialized(&gateway.url).await;
    gateway.until(Method::GET, 1).await;
    gateway.until_streaming().await;
    gateway.announce("g-1", CHANGED);
    host.line().await;
    gateway.end_streams();
    let asked = gateway.until(Method::GET, 2).await;
    assert_eq!(asked[1].header("last-event-id"), Some("g-1"));
    gateway.until_streaming().await;
    gateway.announce("g-2", CHANGED);
    assert_eq!(host.line().await, CHANGED);
    host.end().await;
}

#[tokio::test]
async fn a_gateway_that_says_nothing_unasked_is_asked_once() {
    let gateway = Gateway::start().await;
    gateway
        .state
        .no_streams
        .store(true, std::sync::atomic::Ordering::SeqCst);
    let mut host = Host::initialized(&gateway.url).await;
    gateway.until(Method::GET, 1).await;
    for id in 1..5 {
        host.ask(&call(&id.to_string(), "echo")).await;
    }
    host.end().await;
    assert_eq!(gateway.until(Method::GET, 1).await.len(), 1);
}

#[tokio::test]
async fn an_answer_whose_stream_breaks_off_is_fetched_and_the_call_not_repeated() {
    let gateway = Gateway::start().await;
    gateway
        .state
        .no_streams
        .store(false, std::sync::atomic::Ordering::SeqCst);
    let mut host = Host::initialized(&gateway.url).await;
    gateway.until(Method::GET, 1).await;
    let progress = |n: u8| {
        format!(
            r#"{{"jsonrpc":"2.0","method":"notifications/progress","params":{{"progress":{n}}}}}"#
        )
    };
    assert_eq!(host.ask(&call("1", "broken")).await, progress(1));
    assert_eq!(host.line().await, progress(2));
    assert_eq!(
        host.line().await,
        r#"{"jsonrpc":"2.0","id":1,"result":{"whole": true}}"#
    );
    let asked = gateway.until(Method::GET, 3).await;
    let lasts: Vec<_> = asked
        .iter()
        .map(|seen| seen.header("last-event-id"))
        .collect();
    assert_eq!(lasts, [None, Some("s1-2"), Some("s1-3")]);
    let calls = gateway.seen();
    let calls = calls.iter().filter(|seen| seen.body.contains("broken"));
    assert_eq!(calls.count(), 1);
    host.end().await;
}

#[tokio::test]
async fn an_answer_that_nobody_can_fetch_is_an_error_that_says_what_may_have_happened() {
    let gateway = Gateway::start().await;
    // Without a session there is nothing to take up.
    let mut host = Host::start(&gateway.url);
    host.ask(&call("1", "broken")).await;
    let (code, message) = error_of(&host.line().await);
    assert_eq!(code, -31010);
    assert!(
        message.ends_with("the connection broke; the call may have run"),
        "{message}"
    );
    assert!(gateway.until(Method::GET, 0).await.is_empty());
    host.end().await;
}

#[tokio::test]
async fn a_cancelled_legacy_call_is_told_behind_its_request_and_left() {
    let gateway = Gateway::start().await;
    let mut host = Host::initialized(&gateway.url).await;
    host.ask(&call("1", "slow")).await;
    let cancel = r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#;
    host.send(cancel).await;
    let seen = gateway.until(Method::POST, 4).await;
    assert_eq!(seen[3].body, cancel);
    // What the gateway says to it after that is not for the host.
    gateway.state.go.notify_one();
    let again = host.ask(&call("2", "echo")).await;
    assert!(again.starts_with(r#"{"jsonrpc":"2.0","id":2,"#), "{again}");
    // One that nobody waits for is no news.
    host.send(cancel).await;
    host.ask(&call("3", "echo")).await;
    host.end().await;
    assert_eq!(gateway.seen().len(), 6);
}

#[tokio::test]
async fn the_session_is_ended_with_the_input() {
    let gateway = Gateway::start().await;
    let host = Host::initialized(&gateway.url).await;
    host.end().await;
    let ended = gateway.until(Method::DELETE, 1).await;
    assert_eq!(ended[0].header("mcp-session-id"), Some("session-0"));
    assert_eq!(ended[0].header("mcp-protocol-version"), Some("2025-06-18"));
}

#[tokio::test]
async fn a_bridge_that_is_stopped_leaves_its_calls_and_ends_the_session() {
    let gateway = Gateway::start().await;
    let mut host = Host::initialized(&gateway.url).await;
    host.send(&call("1", "hang")).await;
    gateway.until(Method::POST, 3).await;
    let Host {
        input,
        mut output,
        bridge,
        stop,
    } = host;
    stop.send(()).unwrap();
    bridge.await.unwrap().unwrap();
    assert_eq!(output.next_line().await.unwrap(), None);
    assert_eq!(gateway.until(Method::DELETE, 1).await.len(), 1);
    drop(input);
}

#[tokio::test]
async fn a_lost_session_that_only_listens_is_opened_anew_with_what_it_asked_for() {
    let gateway = Gateway::start().await;
    let mut host = Host::initialized(&gateway.url).await;
    gateway.until(Method::GET, 1).await;
    gateway.until_streaming().await;
    let level = r#"{"jsonrpc":"2.0","id":1,"method":"logging/setLevel","params":{"level":"info"}}"#;
    let subscribe = |id: u8, uri: &str, verb: &str| {
        format!(
            r#"{{"jsonrpc":"2.0","id":{id},"method":"resources/{verb}","params":{{"uri":"{uri}"}}}}"#
        )
    };
    host.ask(level).await;
    host.ask(&subscribe(2, "test://kept", "subscribe")).await;
    host.ask(&subscribe(3, "test://left", "subscribe")).await;
    host.ask(&subscribe(4, "test://left", "unsubscribe")).await;
    let before = gateway.seen().len();
    gateway.forget_sessions();
    let asked = gateway.until(Method::GET, 3).await;
    assert_eq!(asked[1].header("mcp-session-id"), Some("session-0"));
    assert_eq!(asked[2].header("mcp-session-id"), Some("session-1"));
    let bodies: Vec<_> = gateway.seen()[before..]
        .iter()
        .map(|seen| seen.body.clone())
        .collect();
    let kept = subscribe(2, "test://kept", "subscribe");
    assert_eq!(bodies, [INITIALIZE, INITIALIZED, level, &kept]);
    gateway.until_streaming().await;
    gateway.announce("g-1", CHANGED);
    assert_eq!(
        host.line().await,
        CHANGED,
        "and no answer to what it asked once"
    );
    host.end().await;
}

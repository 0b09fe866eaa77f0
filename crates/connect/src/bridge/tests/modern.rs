//! Hosts of the stateless era.

use super::*;

fn modern(id: u64, method: &str, more: &str) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{{{more}"_meta":{{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{{}}}}}}}}"#
    )
}

const REGION: &str = r#""name":"region","arguments":{"region":"zürich"},"#;

#[tokio::test]
async fn version_method_and_name_of_the_body_are_mirrored_and_no_session_is_sent() {
    let gateway = Gateway::start().await;
    let mut host = Host::initialized(&gateway.url).await;
    let reply = host
        .ask(&modern(1, "tools/call", r#""name":"échO","#))
        .await;
    assert!(reply.contains(r#""n": 1e2"#), "{reply}");
    let seen = gateway.seen().pop().unwrap();
    assert_eq!(seen.header("mcp-protocol-version"), Some("2026-07-28"));
    assert_eq!(seen.header("mcp-method"), Some("tools/call"));
    assert_eq!(seen.header("mcp-name"), Some("=?base64?w6ljaE8=?="));
    assert_eq!(seen.header("mcp-session-id"), None);
}

#[tokio::test]
async fn arguments_are_mirrored_once_a_listing_has_shown_which() {
    let gateway = Gateway::start().await;
    let mut host = Host::start(&gateway.url);
    host.ask(&modern(1, "tools/list", "")).await;
    let reply = host.ask(&modern(2, "tools/call", REGION)).await;
    assert_eq!(
        reply,
        r#"{"jsonrpc":"2.0","id":2,"result":{"mirrored": true}}"#
    );
    let seen = gateway.seen();
    assert_eq!(seen.len(), 2);
    assert_eq!(
        seen[1].header("mcp-param-region"),
        Some("=?base64?esO8cmljaA==?=")
    );
}

#[tokio::test]
async fn without_a_listing_a_mismatch_is_answered_by_listing_and_one_repetition() {
    let gateway = Gateway::start().await;
    let mut host = Host::start(&gateway.url);
    let asked = modern(2, "tools/call", REGION);
    let reply = host.ask(&asked).await;
    assert_eq!(
        reply,
        r#"{"jsonrpc":"2.0","id":2,"result":{"mirrored": true}}"#
    );
    let seen = gateway.seen();
    assert_eq!(seen.len(), 3);
    assert!(seen[1].body.contains(r#""method":"tools/list""#));
    assert_eq!((&seen[0].body, &seen[2].body), (&asked, &asked));
}

#[tokio::test]
async fn a_modern_cancellation_hangs_up_and_is_not_sent() {
    let gateway = Gateway::start().await;
    let mut host = Host::start(&gateway.url);
    host.send(&modern(1, "tools/call", r#""name":"hang","#))
        .await;
    gateway.until(http::Method::POST, 1).await;
    host.send(r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#)
        .await;
    let hung_up = gateway.state.hung_up.notified();
    tokio::time::timeout(Duration::from_secs(20), hung_up)
        .await
        .expect("the call was given up");
    host.end().await;
    assert_eq!(gateway.seen().len(), 1);
}

#[tokio::test]
async fn an_unsupported_version_is_answered_by_the_gateway() {
    let gateway = Gateway::start().await;
    let mut host = Host::start(&gateway.url);
    let reply = host
        .ask(&modern(1, "tools/list", "").replace("2026-07-28", "2027-01-01"))
        .await;
    assert_eq!(error_of(&reply).0, -32022);
}

const LISTEN: &str = r#""notifications":{"toolsListChanged":true},"#;

#[tokio::test]
async fn a_subscription_is_heard_as_it_speaks_and_ends_by_hanging_up() {
    let gateway = Gateway::start().await;
    let mut host = Host::start(&gateway.url);
    assert_eq!(
        host.ask(&modern(1, "subscriptions/listen", LISTEN)).await,
        r#"{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":1},"notifications":{"toolsListChanged":true}}}"#
    );
    gateway.state.go.notify_one();
    let changed = host.line().await;
    assert!(changed.contains("tools/list_changed"), "{changed}");
    let seen = gateway.seen().pop().unwrap();
    assert_eq!(seen.header("mcp-method"), Some("subscriptions/listen"));
    assert_eq!(seen.header("mcp-name"), None);
    host.send(r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#)
        .await;
    let hung_up = gateway.state.hung_up.notified();
    tokio::time::timeout(Duration::from_secs(20), hung_up)
        .await
        .expect("the subscription was given up");
    host.end().await;
    assert_eq!(gateway.seen().len(), 1);
}

#[tokio::test]
async fn an_open_subscription_does_not_keep_the_bridge_from_ending() {
    let gateway = Gateway::start().await;
    let mut host = Host::start(&gateway.url);
    host.ask(&modern(1, "subscriptions/listen", LISTEN)).await;
    host.end().await;
    // There was no session to end.
    assert!(gateway.until(http::Method::DELETE, 0).await.is_empty());
}

#[tokio::test]
async fn uris_and_tasks_are_named_in_headers_too() {
    let gateway = Gateway::start().await;
    let mut host = Host::start(&gateway.url);
    for (method, member, name) in [
        ("resources/read", "uri", "test://ein Ding"),
        ("prompts/get", "name", "greet"),
        ("tasks/get", "taskId", "t-1"),
    ] {
        host.ask(&modern(1, method, &format!(r#""{member}":"{name}","#)))
            .await;
        let seen = gateway.seen().pop().unwrap();
        assert_eq!(seen.header("mcp-method"), Some(method));
        assert_eq!(seen.header("mcp-name"), Some(name));
    }
}

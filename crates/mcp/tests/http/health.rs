//! How much a server is asked at once, and when it is left alone.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use cmcp_mcp::{
    Server, UpstreamError,
    client::{Bearing, Health, HttpClient, HttpTarget, Identity, Timing},
    tls::TlsPin,
    upstream::{Ask, Kind},
};

use super::support::{Act, Fake, ask, call, json, modern, result, until};

fn health(concurrency: usize, failures: u32) -> Arc<Health> {
    Arc::new(Health::new(Bearing {
        concurrency,
        failures,
        pause: Duration::from_millis(200),
        longest_pause: Duration::from_secs(1),
        ..Bearing::default()
    }))
}

fn quick(name: &str) -> Ask {
    Ask {
        deadline: Duration::from_millis(150),
        ..call(name)
    }
}

#[tokio::test]
async fn n01_calls_beyond_what_a_server_bears_wait_and_are_refused_at_their_deadline() {
    let fake = Fake::start(|r| {
        modern(r, |r| match r.tool() {
            "hang" => Act::Hang(Vec::new()),
            _ => result(r, "{}"),
        })
    })
    .await;
    let client = Arc::new(fake.client().with_health(health(2, 100)));
    client.list(Kind::Tools).await.unwrap();
    let mut hanging = tokio::task::JoinSet::new();
    for _ in 0..2 {
        let client = Arc::clone(&client);
        hanging.spawn(async move { ask(&client, call("hang")).await });
    }
    until("the calls", || fake.count("tools/call") == 2).await;
    let error = ask(&client, quick("echo")).await.unwrap_err();
    assert_eq!(error, UpstreamError::Overloaded { limit: 2 });
    assert!(!error.sent());
    hanging.shutdown().await;
    assert_eq!(ask(&client, quick("echo")).await.unwrap(), "{}");
    assert_eq!(fake.count("tools/call"), 3);
    client.close().await;
}

#[tokio::test]
async fn a_server_that_is_down_is_not_knocked_at_for_every_call_and_is_found_again() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let target = HttpTarget::parse(&format!("http://{address}/mcp"), TlsPin::WebPki).unwrap();
    let client = HttpClient::new(target, Timing::default(), Identity::default()).unwrap();
    let client = client.with_health(health(8, 2));
    for _ in 0..2 {
        let error = ask(&client, call("echo")).await.unwrap_err();
        assert!(matches!(error, UpstreamError::Connect { .. }), "{error}");
    }
    let error = ask(&client, call("echo")).await.unwrap_err();
    assert!(matches!(error, UpstreamError::BackOff { .. }), "{error}");
    let served = Fake::at(address, |r| modern(r, |r| result(r, "{}"))).await;
    tokio::time::sleep(Duration::from_millis(250)).await;
    assert_eq!(ask(&client, call("echo")).await.unwrap(), "{}");
    assert_eq!(ask(&client, call("echo")).await.unwrap(), "{}");
    drop(served);
    client.close().await;
}

#[tokio::test]
async fn a_server_that_is_silent_is_left_alone_and_one_that_refuses_is_not() {
    let fake = Fake::start(|r| modern(r, |_| Act::Hang(Vec::new()))).await;
    let client = fake.client().with_health(health(8, 2));
    for _ in 0..2 {
        let error = ask(&client, quick("echo")).await.unwrap_err();
        assert!(matches!(error, UpstreamError::Timeout { .. }), "{error}");
    }
    let error = ask(&client, quick("echo")).await.unwrap_err();
    assert!(matches!(error, UpstreamError::BackOff { .. }), "{error}");
    assert_eq!(fake.count("tools/call"), 2);

    let fake = Fake::start(|r| modern(r, |_| json(403, "", "{}"))).await;
    let client = fake.client().with_health(health(8, 2));
    for _ in 0..6 {
        let error = ask(&client, quick("echo")).await.unwrap_err();
        assert_eq!(error, UpstreamError::Status { status: 403 });
    }
    assert_eq!(fake.count("tools/call"), 6);
}

#[tokio::test]
async fn a_connection_that_fails_before_anything_is_sent_is_tried_once_more() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let target = HttpTarget::parse(&format!("http://{address}/mcp"), TlsPin::WebPki).unwrap();
    let client = HttpClient::new(target, Timing::default(), Identity::default()).unwrap();
    let starting = async {
        tokio::time::sleep(Duration::from_millis(20)).await;
        Fake::at(address, |r| modern(r, |r| result(r, "{}"))).await
    };
    let (reply, served) = tokio::join!(ask(&client, call("echo")), starting);
    assert_eq!(reply.unwrap(), "{}");
    assert_eq!(served.count("tools/call"), 1);
    assert!(served.connections.load(Ordering::SeqCst) >= 1);
    client.close().await;
}

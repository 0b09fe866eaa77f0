//! Streams that break off, and go on elsewhere.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use cmcp_mcp::{
    Server, UpstreamError,
    upstream::{Ask, ProtocolFault},
};

use super::support::{Act, Fake, Received, STREAM, ask, call, events, json, legacy, modern, note};

/// A legacy server whose calls answer with `first`, and whose GETs with what `more` says; a GET is
/// told the id that the call had.
async fn broken(
    first: &'static str,
    more: impl Fn(&Received, &str, usize) -> Act + Send + Sync + 'static,
) -> Fake {
    let id = Arc::new(std::sync::Mutex::new(String::new()));
    let gets = AtomicUsize::new(0);
    Fake::start(move |r| match r.verb.as_str() {
        "GET" => more(r, &id.lock().unwrap(), gets.fetch_add(1, Ordering::SeqCst)),
        _ => legacy(r, |r| {
            *id.lock().unwrap() = r.id();
            Act::WriteAndClose(format!("{STREAM}{first}").into_bytes())
        }),
    })
    .await
}

fn done(id: &str) -> String {
    format!("id: z\ndata: {{\"jsonrpc\":\"2.0\",\"id\":{id},\"result\":{{\"n\":1e0}}}}\n\n")
}

fn gets(fake: &Fake) -> Vec<Received> {
    let log = fake.log.lock().unwrap();
    log.iter().filter(|r| r.verb == "GET").cloned().collect()
}

#[tokio::test]
async fn a_stream_that_the_server_closes_goes_on_behind_its_last_event_after_the_pause_it_asks_for()
{
    let fake = broken("id: p-1\nretry: 300\ndata: \n\n", |_, id, n| match n {
        0 => Act::WriteAndClose(format!("{STREAM}id: p-2\nretry: 50\n\n").into_bytes()),
        _ => events(&done(id)),
    })
    .await;
    let client = fake.client();
    let begun = Instant::now();
    assert_eq!(ask(&client, call("echo")).await.unwrap(), r#"{"n":1e0}"#);
    assert!(begun.elapsed() >= Duration::from_millis(350));
    let gets = gets(&fake);
    let ids: Vec<_> = gets
        .iter()
        .map(|r| r.header("last-event-id").unwrap())
        .collect();
    assert_eq!(
        ids,
        ["p-1", "p-2"],
        "an event without data names its place too"
    );
    assert_eq!(gets[0].header("mcp-session-id"), Some("s-1"));
    assert_eq!(gets[0].header("mcp-protocol-version"), Some("2025-11-25"));
    assert_eq!(gets[0].header("accept"), Some("text/event-stream"));
    assert_eq!(gets[0].header("content-type"), None);
    assert_eq!(fake.count("tools/call"), 1);
    client.close().await;
}

#[tokio::test]
async fn a_stream_that_is_torn_off_goes_on_and_a_server_that_is_down_for_a_moment_is_tried_again() {
    let fake = broken(
        "id: 1\nretry: 20\ndata: \n\ndata: {\"json",
        |_, id, n| match n {
            0 => json(503, "", "{}"),
            1 => Act::WriteAndClose(Vec::new()),
            _ => events(&done(id)),
        },
    )
    .await;
    let client = fake.client();
    assert_eq!(ask(&client, call("echo")).await.unwrap(), r#"{"n":1e0}"#);
    assert_eq!(gets(&fake).len(), 3);
    assert_eq!(fake.count("tools/call"), 1, "it may have run");
    client.close().await;
}

#[tokio::test]
async fn a_call_is_lost_and_not_repeated_when_its_stream_cannot_go_on() {
    let no_answer = UpstreamError::Protocol(ProtocolFault::NoAnswer);
    let lost = UpstreamError::Lost { sent: true };
    for (first, status, asked, expected) in [
        ("data: \n\n", 200, 0, &no_answer),
        ("id: \ndata: \n\n", 200, 0, &no_answer),
        ("id: 1\nretry: 20\ndata: \n\n", 405, 1, &no_answer),
        ("id: 1\nretry: 20\ndata: \n\n", 400, 1, &no_answer),
        ("id: 1\nretry: 20\ndata: \n\n", 404, 1, &no_answer),
    ] {
        let fake = broken(first, move |_, _, _| json(status, "", "{}")).await;
        let client = fake.client();
        let error = ask(&client, call("echo")).await.unwrap_err();
        assert_eq!(error, *expected, "{first} {status}");
        assert!(error.sent());
        assert_eq!((gets(&fake).len(), fake.count("tools/call")), (asked, 1));
        client.close().await;
    }
    let fake = Fake::start(|r| {
        legacy(r, |_| {
            Act::WriteAndClose(
                b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n9\r\ndata: {\"a\r\n".to_vec(),
            )
        })
    })
    .await;
    assert_eq!(ask(&fake.client(), call("echo")).await.unwrap_err(), lost);
}

#[tokio::test]
async fn n01_a_server_that_never_answers_is_asked_for_the_rest_no_more_often_than_it_says() {
    let primed = "id: 1\nretry: 100\ndata: \n\n";
    let fake = broken(primed, move |_, _, _| {
        Act::WriteAndClose(format!("{STREAM}{primed}").into_bytes())
    })
    .await;
    let client = fake.client();
    let after = Duration::from_millis(650);
    let slow = Ask {
        deadline: after,
        ..call("echo")
    };
    let error = ask(&client, slow).await.unwrap_err();
    assert_eq!(error, UpstreamError::Timeout { sent: true, after });
    assert!(
        (2..=6).contains(&gets(&fake).len()),
        "{}",
        gets(&fake).len()
    );
    client.close().await;
}

#[tokio::test]
async fn what_was_asked_before_the_break_can_be_answered_behind_it() {
    let fake = broken(
        "id: 1\nretry: 20\ndata: {\"jsonrpc\":\"2.0\",\"id\":\"q\",\"method\":\"ping\"}\n\n",
        |_, id, _| {
            let progress = note("progress", &format!(r#"{{"progressToken":{id}}}"#));
            events(&format!("data: {progress}\n\n{}", done(id)))
        },
    )
    .await;
    let client = fake.client();
    assert_eq!(ask(&client, call("echo")).await.unwrap(), r#"{"n":1e0}"#);
    let pong = |r: &Received| r.body == r#"{"jsonrpc":"2.0","id":"q","result":{}}"#;
    super::support::until("the reply", || fake.log.lock().unwrap().iter().any(pong)).await;
    client.close().await;
}

#[tokio::test]
async fn a_modern_stream_that_breaks_off_is_lost() {
    let fake = Fake::start(|r| {
        modern(r, |_| {
            Act::WriteAndClose(format!("{STREAM}id: 1\nretry: 10\ndata: \n\n").into_bytes())
        })
    })
    .await;
    let error = ask(&fake.client(), call("echo")).await.unwrap_err();
    assert_eq!(error, UpstreamError::Protocol(ProtocolFault::NoAnswer));
    assert_eq!(fake.methods(), ["server/discover", "tools/call"]);
}

#[tokio::test]
async fn a_call_given_up_while_its_stream_is_down_is_cancelled() {
    let fake = broken("id: 1\nretry: 60000\ndata: \n\n", |_, id, _| {
        json(200, "", &answer_to(id))
    })
    .await;
    let client = fake.client();
    let slow = Ask {
        deadline: Duration::from_millis(200),
        ..call("echo")
    };
    ask(&client, slow).await.unwrap_err();
    let told = || fake.count("notifications/cancelled") == 1;
    super::support::until("the notice", told).await;
    assert_eq!(gets(&fake).len(), 0);
    client.close().await;
}

fn answer_to(id: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{}}}}"#)
}

//! Servers of 2024-11-05: one stream for all that comes, and a place to send to.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use cmcp_mcp::{
    Server, UpstreamError, Version,
    client::HttpClient,
    method::Method,
    upstream::{Answer, Ask, Event, Kind, ProtocolFault, Reply, Said, Watch},
};
use tokio::sync::mpsc;

use super::support::{
    Act, Fake, Feeds, Received, accepted, answer, ask, call, call_with, json, note, until,
};

/// A server whose endpoint is named so, and whose calls are answered as the test likes. What it
/// answers comes on the newest stream.
async fn paired(
    endpoint: &'static str,
    calls: impl Fn(&Received, &Feeds) -> Option<String> + Send + Sync + 'static,
) -> (Fake, Feeds) {
    let feeds = Feeds::default();
    let opened = feeds.clone();
    let fake = Fake::start(move |r| {
        if r.verb == "GET" {
            let act = opened.open();
            let last = opened.opened() - 1;
            opened.write(last, &format!("event: endpoint\ndata: {endpoint}\n\n"));
            return act;
        }
        if r.path == "/mcp" {
            return json(405, "", "{}");
        }
        let last = opened.opened() - 1;
        let reply = match r.method() {
            "initialize" => Some(answer(
                r,
                r#"{"protocolVersion":"2024-11-05","capabilities":{"tools":{"listChanged":true},"resources":{"subscribe":true},"logging":{}}}"#,
            )),
            "tools/list" => Some(answer(r, r#"{"tools":[{"name":"echo"}]}"#)),
            "resources/subscribe" | "logging/setLevel" => Some(answer(r, "{}")),
            "tools/call" => calls(r, &opened),
            _ => None,
        };
        if let Some(reply) = reply {
            opened.write(last, &format!("event: message\r\ndata: {reply}\r\n\r\n"));
        }
        accepted()
    })
    .await;
    (fake, feeds)
}

const OWN: &str = "/messages/?sessionId=abc";

async fn asked(client: &HttpClient, ask: Ask) -> Result<String, UpstreamError> {
    match client.ask(ask).await? {
        Reply::Result { bytes, .. } => Ok(String::from_utf8(bytes.to_vec()).unwrap()),
        Reply::Error { code, .. } => Ok(format!("error {code}")),
    }
}

#[tokio::test]
async fn a_server_of_the_oldest_revision_is_found_and_spoken_to() {
    let (fake, _) = paired(OWN, |r, _| Some(answer(r, r#"{ "n":1e0 }"#))).await;
    let client = fake.client();
    assert_eq!(client.list(Kind::Tools).await.unwrap().items.len(), 1);
    let exact = call_with("echo", "{ \"a\":1e2 }");
    assert_eq!(ask(&client, exact).await.unwrap(), r#"{ "n":1e0 }"#);
    assert_eq!(client.observed().version, Some(Version::V2024_11_05));
    let methods = fake.methods();
    assert_eq!(
        methods[..6],
        [
            "server/discover",
            "initialize",
            "",
            "initialize",
            "notifications/initialized",
            "tools/list"
        ]
    );
    let sent = fake.last("tools/call");
    assert_eq!(sent.path, OWN);
    assert!(sent.body.contains("\"arguments\":{ \"a\":1e2 }"));
    assert_eq!(sent.header("mcp-protocol-version"), None);
    assert_eq!(sent.header("mcp-session-id"), None);
    client.close().await;
    until("the hang-up", || {
        let all = fake.connections.load(std::sync::atomic::Ordering::SeqCst);
        fake.hung_up.load(std::sync::atomic::Ordering::SeqCst) == all
    })
    .await;
}

#[tokio::test]
async fn f18_an_endpoint_at_another_origin_is_sent_nothing() {
    for endpoint in [
        "http://127.0.0.1:1/messages",
        "//evil.example/m",
        "https://evil.example/m",
    ] {
        let (fake, _) = paired(endpoint, |_, _| None).await;
        let error = fake.client().list(Kind::Tools).await.unwrap_err();
        let inner = Box::new(UpstreamError::Protocol(ProtocolFault::Endpoint));
        assert_eq!(error, UpstreamError::Negotiation(inner), "{endpoint}");
        assert_eq!(fake.methods(), ["server/discover", "initialize", ""]);
    }
}

#[tokio::test]
async fn e10_answers_on_the_one_stream_reach_whoever_asked() {
    let held = std::sync::Mutex::new(Vec::new());
    let (fake, _) = paired(OWN, move |r, feeds| {
        let mut held = held.lock().unwrap();
        held.push(answer(r, &format!(r#"{{"tool":"{}"}}"#, r.tool())));
        if held.len() == 8 {
            // Late, and in another order.
            for answer in held.drain(..).rev() {
                feeds.say(feeds.opened() - 1, &answer);
            }
        }
        None
    })
    .await;
    let client = fake.client();
    client.list(Kind::Tools).await.unwrap();
    let names: Vec<_> = (0..8).map(|n| format!("t{n}")).collect();
    let calls = names.iter().map(|name| ask(&client, call(name)));
    let replies = futures_util::future::join_all(calls).await;
    for (name, reply) in names.iter().zip(replies) {
        assert_eq!(reply.unwrap(), format!(r#"{{"tool":"{name}"}}"#));
    }
    client.close().await;
}

#[tokio::test]
async fn progress_and_requests_come_on_the_one_stream_and_replies_go_to_the_endpoint() {
    let (fake, feeds) = paired(OWN, |_, _| None).await;
    let client = fake.client_of(r#"{"roots":{}}"#);
    let (sender, mut events) = mpsc::channel(8);
    let params = vec![("name", Bytes::from_static(br#""t""#))];
    let wanted = Ask {
        progress: true,
        events: Some(sender),
        ..Ask::new(Method::ToolsCall, params, Duration::from_secs(20), 1 << 20)
    };
    let conversation = async {
        until("the call", || fake.count("tools/call") == 1).await;
        let received = fake.last("tools/call");
        let id = received.id();
        feeds.say(
            0,
            &note("progress", &format!(r#"{{"progressToken":{id}}}"#)),
        );
        assert!(matches!(events.recv().await, Some(Event::Progress(_))));
        feeds.say(0, r#"{"jsonrpc":"2.0","id":"q","method":"roots/list"}"#);
        let Some(Event::Request(request)) = events.recv().await else {
            panic!("a request")
        };
        let roots = Answer::Result(Bytes::from_static(br#"{"roots":[]}"#));
        request.answer.send(roots).unwrap();
        let replied = |r: &Received| {
            r.path == OWN && r.body == r#"{"jsonrpc":"2.0","id":"q","result":{"roots":[]}}"#
        };
        until("the reply", || fake.log.lock().unwrap().iter().any(replied)).await;
        feeds.say(0, &answer(&received, "{}"));
    };
    let (reply, ()) = tokio::join!(asked(&client, wanted), conversation);
    assert_eq!(reply.unwrap(), "{}");
    client.close().await;
}

#[tokio::test]
async fn calls_are_lost_with_the_stream_and_the_next_one_opens_another() {
    let (fake, feeds) = paired(OWN, |r, feeds| {
        (feeds.opened() > 1).then(|| answer(r, "{}"))
    })
    .await;
    let client = Arc::new(fake.client());
    let listed = client.list(Kind::Tools).await.unwrap().generation;
    let mut said = client.said();
    let breaking = async {
        until("the call", || fake.count("tools/call") == 1).await;
        feeds.end(0);
    };
    let (reply, ()) = tokio::join!(ask(&client, call("echo")), breaking);
    assert_eq!(reply.unwrap_err(), UpstreamError::Lost { sent: true });
    assert_eq!(ask(&client, call("echo")).await.unwrap(), "{}");
    assert_eq!(fake.count("tools/call"), 2, "the lost one is not repeated");
    assert_ne!(client.generation(Kind::Tools), listed);
    assert_eq!(said.try_recv(), Ok(Said::Reconnected));
    client.close().await;
}

#[tokio::test]
async fn a_watched_server_is_reached_anew_without_being_asked() {
    let (fake, feeds) = paired(OWN, |_, _| None).await;
    let client = fake.client();
    let wanted = Watch {
        resources: ["a://1".to_owned()].into(),
        ..Watch::default()
    };
    let honoured = client.watch(wanted.clone()).await.unwrap();
    assert_eq!(honoured.resources, wanted.resources);
    let mut said = client.said();
    feeds.end(0);
    until("the subscription", || {
        fake.count("resources/subscribe") == 2
    })
    .await;
    assert_eq!(said.recv().await, Ok(Said::Reconnected));
    feeds.say(1, &note("resources/updated", r#"{"uri":"a://1"}"#));
    assert!(matches!(
        said.recv().await,
        Ok(Said::ResourceUpdated { .. })
    ));
    client.close().await;
}

#[tokio::test]
async fn a_call_that_is_given_up_is_cancelled_at_the_endpoint() {
    let (fake, _) = paired(OWN, |_, _| None).await;
    let client = fake.client();
    let after = Duration::from_millis(200);
    client.list(Kind::Tools).await.unwrap();
    let slow = Ask {
        deadline: after,
        ..call("echo")
    };
    let error = ask(&client, slow).await.unwrap_err();
    assert_eq!(error, UpstreamError::Timeout { sent: true, after });
    until("the notice", || fake.count("notifications/cancelled") == 1).await;
    assert_eq!(fake.last("notifications/cancelled").path, OWN);
    client.close().await;
}

#[tokio::test]
async fn f07_an_event_that_is_larger_than_any_answer_may_be_ends_the_stream() {
    let (fake, _) = paired(OWN, |r, _| {
        Some(answer(r, &format!(r#""{}""#, "x".repeat(3 << 20))))
    })
    .await;
    let client = fake.client();
    client.list(Kind::Tools).await.unwrap();
    let error = ask(&client, call("echo")).await.unwrap_err();
    assert!(matches!(error, UpstreamError::TooLarge { .. }), "{error}");
    client.close().await;
}

#[tokio::test]
async fn what_makes_no_sense_fails_the_one_call_that_it_can_be_for() {
    let (fake, _) = paired(OWN, |_, _| Some("{\"jsonrpc\":".to_owned())).await;
    let client = fake.client();
    let error = ask(&client, call("echo")).await.unwrap_err();
    assert_eq!(error, UpstreamError::Protocol(ProtocolFault::NotJsonRpc));
    client.close().await;
}

#[tokio::test]
async fn a_stream_without_an_endpoint_is_none() {
    let feeds = Feeds::default();
    let opening = feeds.clone();
    let fake = Fake::start(move |r| match r.verb.as_str() {
        "GET" => {
            let act: Act = opening.open();
            opening.write(0, "event: message\ndata: /messages\n\n");
            act
        }
        _ => json(404, "", "{}"),
    })
    .await;
    let error = fake.client().list(Kind::Tools).await.unwrap_err();
    let inner = Box::new(UpstreamError::Protocol(ProtocolFault::Endpoint));
    assert_eq!(error, UpstreamError::Negotiation(inner));
}

//! What servers ask of their client while they serve one of its requests.

use std::time::Duration;

use cmcp_mcp::{
    Server,
    method::ClientMethod,
    upstream::{Answer, Ask, Event, Request},
};

use super::{
    asks::{ALL, asked, fed, heard, old, progress_of, raw, tool},
    support::{
        Act, Fake, Feeds, Received, STREAM, answer, events, legacy, modern, note, result, until,
    },
};

fn request_of(event: Option<Event>) -> Request {
    match event {
        Some(Event::Request(request)) => request,
        other => panic!("{other:?} is no request"),
    }
}

#[tokio::test]
async fn several_requests_of_the_server_wait_at_once_and_its_stream_is_read_on_meanwhile() {
    let (fake, feeds) = fed(old).await;
    let client = fake.client_of(ALL);
    let (ask, mut events) = heard(tool(), 8);
    let asking = asked(&client, ask);
    let replies = |fake: &Fake| -> Vec<String> {
        let log = fake.log.lock().unwrap();
        let replies = log
            .iter()
            .filter(|r| r.verb == "POST" && r.method().is_empty());
        replies.map(|r| r.body.clone()).collect()
    };
    let conversation = async {
        until("the call", || feeds.opened() == 1).await;
        let received = fake.last("tools/call");
        feeds.say(0, r#"{"jsonrpc":"2.0","id":0,"method":"roots/list"}"#);
        feeds.say(
            0,
            r#"{"jsonrpc":"2.0","id":"","method":"elicitation/create","params":{ "message":"?" }}"#,
        );
        let token = received.id();
        feeds.say(
            0,
            &note("progress", &format!(r#"{{"progressToken":{token}}}"#)),
        );
        let roots = request_of(events.recv().await);
        let elicit = request_of(events.recv().await);
        progress_of(events.recv().await);
        assert_eq!(roots.method, ClientMethod::ListRoots);
        assert_eq!(elicit.method, ClientMethod::Elicit);
        assert_eq!(
            elicit.params.as_deref(),
            Some(&b"{ \"message\":\"?\" }"[..])
        );
        let declined = Answer::Result(raw(r#"{ "action":"decline" }"#));
        elicit.answer.send(declined).unwrap();
        until("the first reply", || replies(&fake).len() == 1).await;
        drop(roots);
        until("the second reply", || replies(&fake).len() == 2).await;
        feeds.say(0, &answer(&received, "{}"));
    };
    let (reply, ()) = tokio::join!(asking, conversation);
    assert_eq!(reply.unwrap(), "{}");
    let replies = replies(&fake);
    assert_eq!(
        replies[0],
        r#"{"jsonrpc":"2.0","id":"","result":{ "action":"decline" }}"#
    );
    assert!(replies[1].starts_with(r#"{"jsonrpc":"2.0","id":0,"error":{"code":-32603"#));
    client.close().await;
}

#[tokio::test]
async fn e12_a_modern_server_that_asks_for_something_hears_nothing() {
    let fake = Fake::start(|r| {
        modern(r, |r| {
            let request = r#"{"jsonrpc":"2.0","id":1,"method":"roots/list"}"#;
            events(&format!("data: {request}\n\ndata: {}\n\n", answer(r, "{}")))
        })
    })
    .await;
    let client = fake.client_of(ALL);
    let (ask, mut events) = heard(tool(), 8);
    assert_eq!(asked(&client, ask).await.unwrap(), "{}");
    assert!(events.try_recv().is_err());
    assert_eq!(client.observed().refused, 1);
    assert_eq!(fake.methods(), ["server/discover", "tools/call"]);
}

#[tokio::test]
async fn e12_what_a_server_asks_on_its_own_stream_goes_to_the_only_call_there_is() {
    let feeds = Feeds::default();
    let opening = feeds.clone();
    let fake = Fake::start(move |r| match r.verb.as_str() {
        "GET" => opening.open(),
        _ => legacy(r, |r| match r.tool() {
            "quick" => result(r, "{}"),
            _ => opening.open(),
        }),
    })
    .await;
    let client = fake.client_of(ALL);
    let (first, mut first_events) = heard(tool(), 8);
    let (second, mut second_events) = heard(tool(), 8);
    let conversation = async {
        until("the stream and the call", || feeds.opened() == 2).await;
        let own = fake.last("tools/call");
        feeds.say(0, r#"{"jsonrpc":"2.0","id":"a","method":"roots/list"}"#);
        let roots = request_of(first_events.recv().await);
        roots
            .answer
            .send(Answer::Result(raw(r#"{"roots":[]}"#)))
            .unwrap();
        let replied = || {
            fake.log
                .lock()
                .unwrap()
                .iter()
                .any(|r| r.body.contains(r#""roots":[]"#))
        };
        until("the reply", replied).await;
        let two = async {
            until("the second call", || feeds.opened() == 3).await;
            feeds.say(0, r#"{"jsonrpc":"2.0","id":"b","method":"roots/list"}"#);
            let refused = || {
                let log = fake.log.lock().unwrap();
                log.iter()
                    .any(|r| r.body.contains(r#""id":"b","error":{"code":-32603"#))
            };
            until("the refusal", refused).await;
            feeds.say(2, &answer(&fake.last("tools/call"), "{}"));
        };
        tokio::join!(asked(&client, second), two).0.unwrap();
        feeds.say(1, &answer(&own, "{}"));
    };
    let (reply, ()) = tokio::join!(asked(&client, first), conversation);
    reply.unwrap();
    assert!(first_events.try_recv().is_err() && second_events.try_recv().is_err());
    client.close().await;
}

#[tokio::test]
async fn time_does_not_pass_while_the_server_waits_for_an_answer() {
    let (fake, feeds) = fed(old).await;
    let client = fake.client_of(ALL);
    let silence = Duration::from_millis(300);
    let (ask, mut events) = heard(
        Ask {
            deadline: silence,
            ..tool()
        },
        8,
    );
    let conversation = async {
        until("the call", || feeds.opened() == 1).await;
        feeds.say(0, r#"{"jsonrpc":"2.0","id":1,"method":"roots/list"}"#);
        let roots = request_of(events.recv().await);
        tokio::time::sleep(silence * 3).await;
        roots.answer.send(Answer::Result(raw("{}"))).unwrap();
        feeds.say(0, &answer(&fake.last("tools/call"), "{}"));
    };
    let (reply, ()) = tokio::join!(asked(&client, ask), conversation);
    assert_eq!(reply.unwrap(), "{}");
    client.close().await;
}

#[tokio::test]
async fn whoever_was_asked_is_told_when_the_server_withdraws_or_answers_without_waiting() {
    let (fake, feeds) = fed(old).await;
    let client = fake.client_of(ALL);
    let (ask, mut events) = heard(tool(), 8);
    let conversation = async {
        until("the call", || feeds.opened() == 1).await;
        for id in [1, 2] {
            let request = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"roots/list"}}"#);
            feeds.say(0, &request);
        }
        let mut first = request_of(events.recv().await);
        let second = request_of(events.recv().await);
        feeds.say(0, &note("cancelled", r#"{"requestId":1}"#));
        first.answer.closed().await;
        feeds.say(0, &answer(&fake.last("tools/call"), "{}"));
        second
    };
    let (reply, mut second) = tokio::join!(asked(&client, ask), conversation);
    reply.unwrap();
    second.answer.closed().await;
    client.close().await;
    let replies = |r: &&Received| r.verb == "POST" && r.method().is_empty();
    assert_eq!(fake.log.lock().unwrap().iter().filter(replies).count(), 0);
}

#[tokio::test]
async fn a_stream_whose_head_is_kept_back_holds_calls_up_once_and_is_heard_even_so() {
    let (send, receive) = tokio::sync::mpsc::unbounded_channel();
    let silent = std::sync::Mutex::new(Some(receive));
    let feeds = Feeds::default();
    let opening = feeds.clone();
    let fake = Fake::start(move |r| match r.verb.as_str() {
        "GET" => Act::Feed(silent.lock().unwrap().take().unwrap()),
        _ => legacy(r, |r| match r.tool() {
            "quick" => result(r, "{}"),
            _ => opening.open(),
        }),
    })
    .await;
    let client = fake.client_of(ALL);
    let quick = || {
        heard(
            Ask::tool("quick", None, Duration::from_secs(20), 1 << 20),
            8,
        )
        .0
    };
    asked(&client, quick()).await.unwrap();
    let begun = std::time::Instant::now();
    asked(&client, quick()).await.unwrap();
    assert!(begun.elapsed() < Duration::from_millis(400), "only once");
    let (ask, mut events) = heard(tool(), 8);
    let conversation = async {
        until("the call", || feeds.opened() == 1).await;
        let request = "data: {\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"roots/list\"}\n\n";
        send.send(format!("{STREAM}{request}").into_bytes())
            .unwrap();
        drop(request_of(events.recv().await));
        feeds.say(0, &answer(&fake.last("tools/call"), "{}"));
    };
    let (reply, ()) = tokio::join!(asked(&client, ask), conversation);
    assert_eq!(reply.unwrap(), "{}");
    client.close().await;
}

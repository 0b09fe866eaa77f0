use std::time::Duration;

use super::*;
use crate::{
    client::Identity,
    jsonrpc::{Message, parse as parse_message},
    method::{ClientMethod, Method},
};

fn message(text: String) -> Message {
    parse_message(&text.into(), &Limits::REQUEST).unwrap()
}

fn request(id: &str, method: &str) -> jsonrpc::Request {
    let text =
        format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{{ "a":1e0 }}}}"#);
    let Message::Request(request) = message(text) else {
        panic!("it is a request")
    };
    request
}

fn notification(method: &str, params: &str) -> Notification {
    let text = format!(r#"{{"jsonrpc":"2.0","method":"{method}","params":{params}}}"#);
    let Message::Notification(notification) = message(text) else {
        panic!("it is a notification")
    };
    notification
}

struct World {
    turn: Turn,
    events: mpsc::Receiver<Event>,
    context: Context,
}

fn world(version: Version) -> World {
    let capabilities = br#"{"sampling":{},"elicitation":{},"roots":{}}"#;
    let capabilities = parse(capabilities, &Limits::REQUEST).unwrap();
    let context = Context {
        counters: Arc::default(),
        own: Arc::new(Own::new(Identity::with_capabilities(capabilities))),
        clock: Arc::new(Clock::start(Duration::from_secs(10))),
    };
    let (sender, events) = mpsc::channel(64);
    let ask = Ask {
        progress: true,
        events: Some(sender),
        ..Ask::new(Method::ToolsCall, Vec::new(), Duration::ZERO, 0)
    };
    World {
        turn: Turn::new(&ask, 7, version, &context),
        events,
        context,
    }
}

fn asked(event: Event) -> Request {
    let Event::Request(request) = event else {
        panic!("{event:?} is no request")
    };
    request
}

#[tokio::test]
async fn several_requests_of_a_server_are_answered_in_any_order_under_their_own_ids() {
    let mut world = world(Version::V2025_11_25);
    for id in ["1", "\"1\"", "1.0"] {
        let now = world.turn.asked(request(id, "roots/list")).await;
        assert_eq!(now, None);
    }
    let mut requests = Vec::new();
    for _ in 0..3 {
        requests.push(asked(world.events.recv().await.unwrap()));
    }
    assert_eq!(requests[0].params.as_deref(), Some(&b"{ \"a\":1e0 }"[..]));
    assert_eq!(requests[0].method, ClientMethod::ListRoots);
    let last = requests.pop().unwrap();
    last.answer
        .send(Answer::Result(Bytes::from_static(b"{ }")))
        .unwrap();
    let reply = world.turn.reply().await;
    assert_eq!(&reply[..], br#"{"jsonrpc":"2.0","id":1.0,"result":{ }}"#);
    let error = Answer::Error {
        code: -1,
        message: "no".to_owned(),
    };
    requests.pop().unwrap().answer.send(error).unwrap();
    let reply = world.turn.reply().await;
    assert_eq!(
        &reply[..],
        br#"{"jsonrpc":"2.0","id":"1","error":{"code":-1,"message":"no"}}"#
    );
    drop(requests);
    let reply = world.turn.reply().await;
    assert!(reply.starts_with(br#"{"jsonrpc":"2.0","id":1,"error":{"code":-32603,"#));
}

#[tokio::test]
async fn e10_a_second_request_under_an_id_that_is_not_answered_is_refused() {
    let mut world = world(Version::V2025_11_25);
    assert_eq!(world.turn.asked(request("1", "roots/list")).await, None);
    let refused = world.turn.asked(request("1", "roots/list")).await.unwrap();
    assert!(refused.starts_with(br#"{"jsonrpc":"2.0","id":1,"error":"#));
    assert_eq!(world.context.counters.refused(), 1);
}

#[tokio::test]
async fn n01_requests_of_a_server_that_wait_are_bounded() {
    let mut world = world(Version::V2025_11_25);
    for id in 0..MOST_WAITING {
        assert_eq!(
            world
                .turn
                .asked(request(&id.to_string(), "roots/list"))
                .await,
            None
        );
    }
    assert!(
        world
            .turn
            .asked(request("99", "roots/list"))
            .await
            .is_some()
    );
}

#[tokio::test]
async fn a_request_that_the_server_withdraws_is_answered_no_more() {
    let mut world = world(Version::V2025_11_25);
    world.turn.asked(request("1", "roots/list")).await;
    world.turn.asked(request("2", "roots/list")).await;
    let mut first = asked(world.events.recv().await.unwrap());
    let second = asked(world.events.recv().await.unwrap());
    let withdrawal = notification("notifications/cancelled", r#"{"requestId":1}"#);
    world.turn.notified(&withdrawal).await;
    second
        .answer
        .send(Answer::Result(Bytes::from_static(b"{}")))
        .unwrap();
    let reply = world.turn.reply().await;
    assert_eq!(&reply[..], br#"{"jsonrpc":"2.0","id":2,"result":{}}"#);
    let next = tokio::time::timeout(Duration::from_millis(20), world.turn.reply()).await;
    assert!(next.is_err(), "nothing else is owed");
    first.answer.closed().await;
}

#[tokio::test]
async fn e18_only_progress_of_this_request_is_its_own() {
    let mut world = world(Version::V2025_11_25);
    for token in ["7", "8", "\"7\"", "7.0"] {
        let params = format!(r#"{{"progressToken":{token},"progress":1e0}}"#);
        let said = notification("notifications/progress", &params);
        world.turn.notified(&said).await;
    }
    let Some(Event::Progress(params)) = world.events.recv().await else {
        panic!("there was progress")
    };
    assert_eq!(&params[..], br#"{"progressToken":7,"progress":1e0}"#);
    assert!(world.events.try_recv().is_err());
    assert_eq!(world.context.counters.dropped(), 3);
}

#[tokio::test]
async fn a_modern_server_that_was_named_no_level_logs_nothing() {
    for (version, heard) in [(Version::V2025_11_25, true), (Version::V2026_07_28, false)] {
        let mut world = world(version);
        let said = notification("notifications/message", r#"{"level":"info","data":1}"#);
        world.turn.notified(&said).await;
        assert_eq!(world.events.try_recv().is_ok(), heard, "{version}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_clock_stands_still_until_the_last_answer() {
    let mut world = world(Version::V2025_11_25);
    world.turn.asked(request("1", "roots/list")).await;
    let request = asked(world.events.recv().await.unwrap());
    tokio::time::sleep(Duration::from_secs(30)).await;
    request
        .answer
        .send(Answer::Result(Bytes::from_static(b"{}")))
        .unwrap();
    world.turn.reply().await;
    let begun = tokio::time::Instant::now();
    world.context.clock.run_out().await;
    assert_eq!(begun.elapsed(), Duration::from_secs(10));
}

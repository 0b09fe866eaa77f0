//! What a server is to tell of: subscriptions of both eras, and what becomes of them.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use cmcp_mcp::{
    Server, UpstreamError,
    upstream::{Kind, Said, Watch},
};
use tokio::sync::broadcast;

use super::support::{
    Act, Fake, Feeds, Received, accepted, discovered, error, initialized, json, legacy, modern,
    note, result, until,
};

const WATCHED: &str = r#"{"resources":{"subscribe":true}}"#;

fn of(uris: &[&str]) -> Watch {
    Watch {
        resources: uris.iter().map(|uri| (*uri).to_owned()).collect(),
        ..Watch::default()
    }
}

fn uris(fake: &Fake, method: &str) -> Vec<String> {
    let log = fake.log.lock().unwrap();
    let asked = log.iter().filter(|r| r.method() == method);
    let uri = |r: &Received| {
        let params = r.message.get("params")?;
        params.get("uri")?.as_str().map(str::to_owned)
    };
    asked.filter_map(uri).collect()
}

async fn next(said: &mut broadcast::Receiver<Said>) -> Said {
    let next = tokio::time::timeout(std::time::Duration::from_secs(20), said.recv());
    next.await.expect("something is said").unwrap()
}

fn updated(uri: &str) -> Said {
    let params = format!(r#"{{"uri":"{uri}"}}"#).into();
    let uri = uri.to_owned();
    Said::ResourceUpdated { uri, params }
}

#[tokio::test]
async fn an_old_server_is_told_the_difference_and_heard_on_its_own_stream() {
    let feeds = Feeds::default();
    let opening = feeds.clone();
    let fake = Fake::start(move |r| match (r.verb.as_str(), r.method()) {
        ("GET", _) => opening.open(),
        (_, "initialize") => initialized(r, WATCHED),
        (_, "resources/subscribe") if r.body.contains("a://refused") => error(r, 200, -32002, ""),
        (_, "resources/subscribe" | "resources/unsubscribe") => result(r, "{}"),
        _ => legacy(r, |r| result(r, "{}")),
    })
    .await;
    let client = fake.client();
    let mut said = client.said();
    let wanted = of(&["a://1", "a://2", "a://refused"]);
    assert_eq!(client.watch(wanted).await.unwrap(), of(&["a://1", "a://2"]));
    assert_eq!(
        client.watch(of(&["a://2", "a://3"])).await.unwrap(),
        of(&["a://2", "a://3"])
    );
    assert_eq!(
        client.watch(of(&["a://2", "a://3"])).await.unwrap(),
        of(&["a://2", "a://3"])
    );
    let subscribed = uris(&fake, "resources/subscribe");
    assert_eq!(subscribed, ["a://1", "a://2", "a://refused", "a://3"]);
    assert_eq!(uris(&fake, "resources/unsubscribe"), ["a://1"]);
    feeds.say(0, &note("resources/updated", r#"{"uri":"a://2"}"#));
    assert_eq!(next(&mut said).await, updated("a://2"));
    client.close().await;
}

#[tokio::test]
async fn what_cannot_be_heard_is_not_honoured() {
    let fake = Fake::start(|r| match (r.verb.as_str(), r.method()) {
        ("GET", _) => json(405, "", "{}"),
        (_, "initialize") => initialized(r, WATCHED),
        _ => legacy(r, |r| result(r, "{}")),
    })
    .await;
    let client = fake.client();
    assert_eq!(client.watch(of(&["a://1"])).await.unwrap(), of(&[]));
    client.close().await;
    let fake = Fake::start(|r| legacy(r, |r| result(r, "{}"))).await;
    let client = fake.client();
    assert_eq!(client.watch(of(&["a://1"])).await.unwrap(), of(&[]));
    client.close().await;
    let fake = Fake::start(|r| modern(r, |r| result(r, "{}"))).await;
    assert_eq!(fake.client().watch(of(&["a://1"])).await.unwrap(), of(&[]));
    assert_eq!(fake.methods(), ["server/discover"]);
}

#[tokio::test]
async fn a_new_session_is_subscribed_to_what_the_lost_one_was() {
    let feeds = Feeds::default();
    let (opening, session) = (feeds.clone(), Arc::new(AtomicU32::new(1)));
    let current = Arc::clone(&session);
    let fake = Fake::start(move |r| {
        let id = format!("s-{}", current.load(Ordering::SeqCst));
        match (r.verb.as_str(), r.method()) {
            (_, "server/discover") => error(r, 400, -32000, ""),
            (_, "initialize") => json(
                200,
                &format!("Mcp-Session-Id: {id}\r\n"),
                &super::support::answer(
                    r,
                    &format!(r#"{{"protocolVersion":"2025-11-25","capabilities":{WATCHED}}}"#),
                ),
            ),
            _ if r.header("mcp-session-id") != Some(&id) => error(r, 404, -32001, ""),
            ("GET", _) => opening.open(),
            (_, "resources/subscribe") => result(r, "{}"),
            _ => accepted(),
        }
    })
    .await;
    let client = fake.client();
    assert_eq!(client.watch(of(&["a://1"])).await.unwrap(), of(&["a://1"]));
    until("the stream", || feeds.opened() == 1).await;
    let mut said = client.said();
    // The server is started anew: its stream ends, and it does not know the session any more.
    session.store(2, Ordering::SeqCst);
    feeds.end(0);
    until("the subscription", || {
        uris(&fake, "resources/subscribe").len() == 2
    })
    .await;
    assert_eq!(
        fake.last("resources/subscribe").header("mcp-session-id"),
        Some("s-2")
    );
    assert_eq!(next(&mut said).await, Said::Reconnected);
    until("the stream", || feeds.opened() == 2).await;
    feeds.say(1, &note("resources/updated", r#"{"uri":"a://1"}"#));
    assert_eq!(next(&mut said).await, updated("a://1"));
    client.close().await;
}

fn listening(feeds: &Feeds) -> impl Fn(&Received) -> Act + Send + Sync + 'static {
    let opening = feeds.clone();
    move |r| match r.method() {
        "server/discover" => discovered(
            r,
            r#"{"tools":{"listChanged":true},"resources":{"subscribe":true},"extensions":{"io.modelcontextprotocol/tasks":{}}}"#,
        ),
        "subscriptions/listen" => opening.open(),
        _ => modern(r, |r| result(r, "{}")),
    }
}

fn acknowledged(told: &str) -> String {
    note(
        "subscriptions/acknowledged",
        &format!(r#"{{"notifications":{told}}}"#),
    )
}

#[tokio::test]
async fn a_new_server_is_asked_on_one_stream_and_says_what_it_honours() {
    let feeds = Feeds::default();
    let fake = Fake::start(listening(&feeds)).await;
    let client = fake.client();
    let mut said = client.said();
    client.offers().await.unwrap();
    until("the first stream", || feeds.opened() == 1).await;
    let wanted = Watch {
        tasks: ["k".to_owned()].into(),
        ..of(&["a://1", "a://2"])
    };
    let telling = async {
        feeds.say(0, &acknowledged(r#"{"toolsListChanged":true}"#));
        until("the second stream", || feeds.opened() == 2).await;
        assert!(
            !feeds.is_gone(0),
            "the old stream is heard until the new one stands"
        );
        feeds.say(
            1,
            &acknowledged(
                r#"{"toolsListChanged":true,"resourceSubscriptions":["a://1"],"taskIds":["k"]}"#,
            ),
        );
        until("the hang-up", || feeds.is_gone(0)).await;
    };
    let (honoured, ()) = tokio::join!(client.watch(wanted), telling);
    let expected = Watch {
        lists: true,
        tasks: ["k".to_owned()].into(),
        ..of(&["a://1"])
    };
    assert_eq!(honoured.unwrap(), expected);
    let body = fake.last("subscriptions/listen").body;
    let asked = r#""notifications":{"toolsListChanged":true,"resourceSubscriptions":["a://1","a://2"],"taskIds":["k"]}"#;
    assert!(body.contains(asked), "{body}");
    feeds.say(1, &note("resources/updated", r#"{"uri":"a://1"}"#));
    assert_eq!(next(&mut said).await, updated("a://1"));
    feeds.say(1, &note("tasks", r#"{"taskId":"k","status":"working"}"#));
    assert!(matches!(next(&mut said).await, Said::TaskStatus(_)));
    client.close().await;
    until("the hang-up", || feeds.is_gone(1)).await;
}

#[tokio::test]
async fn a_listen_stream_that_breaks_is_opened_again_and_what_was_missed_is_said_to_be() {
    let feeds = Feeds::default();
    let fake = Fake::start(listening(&feeds)).await;
    let client = fake.client();
    let listed = client.list(Kind::Tools).await.unwrap().generation;
    until("the stream", || feeds.opened() == 1).await;
    feeds.say(0, &acknowledged(r#"{"toolsListChanged":true}"#));
    let mut said = client.said();
    feeds.end(0);
    until("another stream", || feeds.opened() == 2).await;
    feeds.say(1, &acknowledged(r#"{"toolsListChanged":true}"#));
    assert_eq!(next(&mut said).await, Said::Reconnected);
    assert_ne!(client.generation(Kind::Tools), listed);
    client.close().await;
}

#[tokio::test]
async fn a_server_that_refuses_to_be_listened_to_is_asked_again_only_for_something_else() {
    let fake = Fake::start(|r| match r.method() {
        "server/discover" => discovered(r, WATCHED),
        "subscriptions/listen" => error(r, 404, -32601, ""),
        _ => modern(r, |r| result(r, "{}")),
    })
    .await;
    let client = fake.client();
    assert_eq!(client.watch(of(&["a://1"])).await.unwrap(), of(&[]));
    assert_eq!(client.watch(of(&["a://2"])).await.unwrap(), of(&[]));
    assert_eq!(fake.count("subscriptions/listen"), 2);
    client.close().await;
}

#[tokio::test]
async fn g03_other_tools_do_not_outdate_prompts() {
    let feeds = Feeds::default();
    let opening = feeds.clone();
    let fake = Fake::start(move |r| match (r.verb.as_str(), r.method()) {
        ("GET", _) => opening.open(),
        (_, "initialize") => initialized(
            r,
            r#"{"tools":{"listChanged":true},"prompts":{},"resources":{"listChanged":true}}"#,
        ),
        (_, "prompts/list") => result(r, r#"{"prompts":[{"name":"p"}],"nextCursor":null}"#),
        (_, "resources/list") => result(r, r#"{"resources":[{"uri":"a://1","name":"n"}]}"#),
        _ => legacy(r, |r| result(r, "{}")),
    })
    .await;
    let client = fake.client();
    let mut said = client.said();
    let prompts = client.list(Kind::Prompts).await.unwrap();
    assert_eq!((prompts.items.len(), prompts.complete), (1, true));
    assert_eq!(client.list(Kind::Resources).await.unwrap().items.len(), 1);
    let templates = client.list(Kind::ResourceTemplates).await.unwrap();
    assert_eq!((templates.items.len(), templates.complete), (0, true));
    until("the stream", || feeds.opened() == 1).await;
    feeds.say(0, &note("tools/list_changed", "{}"));
    assert_eq!(next(&mut said).await, Said::ListChanged(Kind::Tools));
    feeds.say(0, &note("resources/list_changed", "{}"));
    assert_eq!(next(&mut said).await, Said::ListChanged(Kind::Resources));
    assert_eq!(
        next(&mut said).await,
        Said::ListChanged(Kind::ResourceTemplates)
    );
    let generations = Kind::ALL.map(|kind| client.generation(kind));
    assert_eq!(generations, [1, 1, 1, 0]);
    client.close().await;
    let closed = client.watch(of(&["a://1"])).await.unwrap_err();
    assert_eq!(closed, UpstreamError::Closed);
}

//! Streams on which clients hear what belongs to no request of theirs: the legacy era's own stream
//! and the pair before it, listen streams of the modern one, and what servers announce behind them.

use std::time::Duration;

use cmcp_json::Value;
use rustix::process::{Pid, Signal, kill_process};

use crate::{
    client::{Event, Incoming, Modern, Session, at, method_of},
    items::{ALL, Item, before},
    support::{ALICE, BOB, Gateway},
    upstream::{Era, Upstream},
};

const ONE: &str = r#"{"uri":"doc://one"}"#;
const MOMENT: Duration = Duration::from_millis(400);

fn library() -> Vec<Item> {
    vec![
        Item::tool("echo"),
        Item::resource("doc://one"),
        Item::resource("doc://two"),
        Item::prompt("letter"),
    ]
}

fn started(era: Era, policy: &str) -> (Upstream, Gateway) {
    let upstream = Upstream::start(era, &library());
    let gateway = before(&[("up", &upstream)]).policy(policy).start();
    (upstream, gateway)
}

/// A session with its stream open.
fn open<'g>(gateway: &'g Gateway, token: &'static str) -> (Session<'g>, Incoming<'g>) {
    let session = Session::open(gateway, token, "{}");
    let mut stream = session.get(None);
    let priming = stream.event().unwrap();
    assert!(
        priming.id.is_some() && priming.data.is_empty(),
        "{priming:?}"
    );
    (session, stream)
}

fn uri(message: &Value) -> String {
    let uri = at(message, "params.uri");
    uri.as_str().unwrap_or_default().to_owned()
}

#[test]
fn a_changed_list_is_told_once_however_often_an_older_server_says_so() {
    told_once(Era::Legacy);
}

#[test]
fn a_changed_list_is_told_once_however_often_a_newer_server_says_so() {
    told_once(Era::Modern);
}

fn told_once(era: Era) {
    let (upstream, gateway) = started(era, ALL);
    let (session, mut stream) = open(&gateway, ALICE);
    let wanted = r#"{"notifications":{"toolsListChanged":true}}"#;
    let modern = Modern::new(&gateway, ALICE);
    let mut listening = modern.send("subscriptions/listen", wanted);
    let acknowledged = listening.message();
    assert_eq!(
        method_of(&acknowledged),
        "notifications/subscriptions/acknowledged"
    );
    session.call("echo");
    upstream.await_listeners(1);
    for _ in 0..10 {
        upstream.announce("notifications/tools/list_changed", "{}");
    }
    for stream in [&mut stream, &mut listening] {
        let told = stream.message();
        assert_eq!(method_of(&told), "notifications/tools/list_changed");
        assert!(stream.is_silent(MOMENT), "told again");
    }
    // Another list was not asked for on the listen stream.
    upstream.announce("notifications/prompts/list_changed", "{}");
    assert_eq!(
        method_of(&stream.message()),
        "notifications/prompts/list_changed"
    );
    assert!(listening.is_silent(Duration::from_millis(100)));
    gateway.finish();
}

#[test]
fn an_older_server_that_is_only_reached_anew_has_changed_nothing() {
    reached_anew(Era::Legacy);
}

#[test]
fn a_newer_server_that_is_only_reached_anew_has_changed_nothing() {
    reached_anew(Era::Modern);
}

fn reached_anew(era: Era) {
    let (upstream, gateway) = started(era, ALL);
    let (session, mut stream) = open(&gateway, ALICE);
    session.call("echo");
    upstream.await_listeners(1);
    upstream.break_streams();
    upstream.await_listeners(1);
    session.call("echo");
    assert!(stream.is_silent(MOMENT));
    // It was found out by listing: what is offered really is another now.
    let mut changed = library();
    changed[0] = Item::tool("echo").with("title", r#""Changed""#);
    upstream.offer(&changed);
    upstream.break_streams();
    upstream.await_listeners(1);
    // Its new stream is noticed a moment after the server has opened it.
    let give_up = std::time::Instant::now() + crate::support::PATIENCE;
    let drifted = loop {
        let got = session.call("echo");
        if got.last.get("error").is_some() {
            break got;
        }
        assert!(std::time::Instant::now() < give_up, "nothing was noticed");
    };
    assert_eq!(drifted.refusal().1, "CATALOG_DRIFT");
    gateway.finish();
}

#[test]
fn who_may_see_nothing_of_a_list_is_not_told_of_it() {
    let policy = r#"
@id("all") permit(principal, action, resource);
@id("no-prompts") forbid(principal == Agent::"bob", action == Action::"get_prompt", resource);
"#;
    let (upstream, gateway) = started(Era::Legacy, policy);
    let (alice, mut alices) = open(&gateway, ALICE);
    let (_bob, mut bobs) = open(&gateway, BOB);
    alice.call("echo");
    upstream.await_listeners(1);
    upstream.announce("notifications/prompts/list_changed", "{}");
    assert_eq!(
        method_of(&alices.message()),
        "notifications/prompts/list_changed"
    );
    assert!(bobs.is_silent(MOMENT));
    gateway.finish();
}

#[test]
fn an_older_servers_updated_resource_is_told_to_those_who_subscribed_and_nobody_else() {
    updated(Era::Legacy);
}

#[test]
fn a_newer_servers_updated_resource_is_told_to_those_who_subscribed_and_nobody_else() {
    updated(Era::Modern);
}

fn updated(era: Era) {
    let (upstream, gateway) = started(era, ALL);
    let (alice, mut alices) = open(&gateway, ALICE);
    let (_other, mut others) = open(&gateway, ALICE);
    let (bob, mut bobs) = open(&gateway, BOB);
    bob.call("echo");
    let subscribed = alice.ask("resources/subscribe", ONE);
    assert_eq!(subscribed.result().to_string(), "{}");
    gateway.unheard();
    let bobs_wish = r#"{"notifications":{"resourceSubscriptions":["doc://two","doc://none"]}}"#;
    let modern = Modern::new(&gateway, BOB);
    let mut listening = modern.send_as(r#""7""#, "subscriptions/listen", bobs_wish);
    gateway.unheard();
    gateway.unheard();
    let acknowledged = listening.message();
    let granted = at(&acknowledged, "params.notifications").to_string();
    assert_eq!(granted, r#"{"resourceSubscriptions":["doc://two"]}"#);
    assert_eq!(subscription(&acknowledged), r#""7""#);
    await_watched(&upstream, "doc://one");
    await_watched(&upstream, "doc://two");
    for uri in ["doc://one", "doc://two", "doc://none"] {
        let params = format!(r#"{{"uri":"{uri}","n":1.0}}"#);
        upstream.announce("notifications/resources/updated", &params);
    }
    let told = alices.message();
    assert_eq!(uri(&told), "doc://one");
    // Older clients are told of no subscription, and every other byte is the server's.
    assert_eq!(
        at(&told, "params").to_string(),
        r#"{"uri":"doc://one","n":1.0}"#
    );
    let told = listening.message();
    assert_eq!(uri(&told), "doc://two");
    assert_eq!(subscription(&told), r#""7""#);
    for stream in [&mut alices, &mut others, &mut bobs, &mut listening] {
        assert!(stream.is_silent(Duration::from_millis(100)));
    }
    alice.ask("resources/unsubscribe", ONE);
    if era == Era::Legacy {
        upstream.await_requests(1, "resources/unsubscribe");
    }
    gateway.finish();
}

/// The subscription that a message of a listen stream names, as JSON.
fn subscription(message: &Value) -> String {
    let meta = at(message, "params._meta");
    let id = meta.get("io.modelcontextprotocol/subscriptionId");
    id.map_or_else(String::new, Value::to_string)
}

/// Waits until the server was told to watch a resource.
fn await_watched(upstream: &Upstream, uri: &str) {
    let give_up = std::time::Instant::now() + crate::support::PATIENCE;
    loop {
        let told = |seen: &crate::upstream::Seen| match upstream.era() {
            Era::Legacy => seen.method == "resources/subscribe" && seen.target() == uri,
            Era::Modern => {
                let wanted = seen.at(&["params", "notifications", "resourceSubscriptions"]);
                wanted.to_string().contains(uri)
            }
        };
        if upstream.requests().iter().any(told) {
            // Its stream stands a moment after the request.
            std::thread::sleep(Duration::from_millis(100));
            return;
        }
        assert!(std::time::Instant::now() < give_up, "nobody watches {uri}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn e14_policy_decides_about_each_subscription() {
    let policy = r#"
@id("all") permit(principal, action, resource);
@id("no-two") forbid(principal, action == Action::"subscribe", resource == McpResource::"doc://two");
"#;
    let (upstream, gateway) = started(Era::Legacy, policy);
    let session = Session::open(&gateway, ALICE, "{}");
    let got = session.ask("resources/subscribe", r#"{"uri":"doc://two"}"#);
    let (code, data) = got.error();
    assert_eq!(
        (code, at(&data, "policies.0").as_str()),
        (-31001, Some("no-two"))
    );
    let got = session.ask("resources/subscribe", r#"{"uri":"doc://none"}"#);
    assert_eq!(got.error().0, -32002);
    let wanted = r#"{"notifications":{"resourceSubscriptions":["doc://one","doc://two"]}}"#;
    let modern = Modern::new(&gateway, ALICE);
    let mut listening = modern.send("subscriptions/listen", wanted);
    gateway.unheard();
    gateway.unheard();
    let granted = at(&listening.message(), "params.notifications");
    assert_eq!(
        granted.to_string(),
        r#"{"resourceSubscriptions":["doc://one"]}"#
    );
    await_watched(&upstream, "doc://one");
    let told = upstream.of("resources/subscribe");
    assert!(told.iter().all(|seen| seen.target() == "doc://one"));
    let log = gateway.finish();
    let subscribed = log
        .iter()
        .filter(|entry| entry.get("action").and_then(Value::as_str) == Some("subscribe"));
    assert_eq!(subscribed.count(), 4);
}

#[test]
fn a_listen_stream_ends_well_when_the_gateway_does() {
    let (_, gateway) = started(Era::Modern, ALL);
    let modern = Modern::new(&gateway, ALICE);
    let wanted = r#"{"notifications":{"promptsListChanged":true,"taskIds":["t"]}}"#;
    let mut listening = modern.send_as("7", "subscriptions/listen", wanted);
    let acknowledged = listening.message();
    let granted = at(&acknowledged, "params.notifications").to_string();
    assert!(
        granted.contains(r#""promptsListChanged":true"#),
        "{granted}"
    );
    assert_eq!(listening.header("x-accel-buffering"), "no");
    assert_eq!(listening.header("cache-control"), "no-cache");
    let pid = Pid::from_raw(i32::try_from(gateway.pid()).unwrap()).unwrap();
    kill_process(pid, Signal::TERM).unwrap();
    let last = listening.message();
    assert_eq!(at(&last, "id").to_string(), "7");
    assert_eq!(at(&last, "result.resultType").as_str(), Some("complete"));
    assert!(listening.next().is_none());
    drop(listening);
    gateway.finish();
}

#[test]
fn what_was_missed_on_the_sessions_own_stream_is_read_behind_its_last_event() {
    let (upstream, gateway) = started(Era::Legacy, ALL);
    let (session, mut stream) = open(&gateway, ALICE);
    session.ask("resources/subscribe", ONE);
    gateway.unheard();
    await_watched(&upstream, "doc://one");
    let update = |n: usize| {
        let params = format!(r#"{{"uri":"doc://one","n":{n}}}"#);
        upstream.announce("notifications/resources/updated", &params);
    };
    update(1);
    let first = stream.event().unwrap();
    assert!(first.data.contains(r#""n":1"#), "{first:?}");
    drop(stream);
    (2..=4).for_each(update);
    // What nobody could read yet has arrived at the gateway by the time a call is answered.
    std::thread::sleep(Duration::from_millis(100));
    let mut stream = session.get(first.id.as_deref());
    let mut ids = vec![first.id];
    for n in 2..=4 {
        let event: Event = stream.event().unwrap();
        let n = format!(r#""n":{n}"#);
        assert!(event.data.contains(&n), "{event:?}");
        assert!(!ids.contains(&event.id), "an id twice: {event:?}");
        ids.push(event.id);
    }
    assert!(stream.is_silent(Duration::from_millis(50)));
    // A newer stream takes the place of the older one.
    let mut newer = session.get(None);
    newer.event().unwrap();
    update(5);
    assert!(newer.message().to_string().contains(r#""n":5"#));
    // Events of another session are nobody else's.
    let (_, mut bobs) = open(&gateway, BOB);
    let bob = Session::open(&gateway, BOB, "{}");
    let mut stolen = bob.get(ids[1].as_deref());
    stolen.event();
    assert!(
        stolen.is_silent(Duration::from_millis(50)) && bobs.is_silent(Duration::from_millis(50))
    );
    gateway.finish();
}

#[test]
fn f13_a_deleted_session_is_gone_for_everything() {
    let (_, gateway) = started(Era::Legacy, ALL);
    let (session, mut stream) = open(&gateway, ALICE);
    // Somebody else cannot end it.
    let mut stolen = Session::open(&gateway, BOB, "{}");
    let own = std::mem::replace(&mut stolen.id, session.id.clone());
    assert_eq!(stolen.delete(), 404);
    assert_eq!(stolen.get(None).status(), 404);
    stolen.id = own;
    session.call("echo");
    assert_eq!(session.delete(), 204);
    assert!(stream.event().is_none(), "its stream ends with it");
    assert_eq!(session.delete(), 404);
    assert_eq!(session.get(None).status(), 404);
    assert_eq!(session.get(Some("1-1")).status(), 404);
    let mut call = session.send("tools/call", &crate::client::calling("echo"));
    assert_eq!(call.status(), 404);
    assert_eq!(session.notify("notifications/initialized", "{}"), 404);
    gateway.finish();
}

#[test]
fn modern_clients_have_nothing_to_get_or_delete() {
    let (_, gateway) = started(Era::Legacy, ALL);
    let bearer = format!("Bearer {ALICE}");
    for line in ["GET /mcp", "DELETE /mcp"] {
        for version in [Some("2026-07-28"), None] {
            let mut headers = vec![
                ("Authorization", bearer.as_str()),
                ("Accept", "text/event-stream"),
            ];
            headers.extend(version.map(|version| ("MCP-Protocol-Version", version)));
            let mut answer = Incoming::open(&gateway, line, &headers, b"");
            assert_eq!(answer.status(), 405, "{line} {version:?}");
        }
    }
    gateway.finish();
}

#[test]
fn a_message_of_a_server_of_its_own_accord_goes_to_its_own_principal() {
    let (upstream, gateway) = started(Era::Legacy, ALL);
    let (alice, mut alices) = open(&gateway, ALICE);
    let (bob, mut bobs) = open(&gateway, BOB);
    alice.call("echo");
    let hers: Vec<String> = upstream.sessions_of("tools/call").into_iter().collect();
    bob.call("echo");
    upstream.await_listeners(2);
    upstream.announce_to(
        |session| hers.contains(&session.to_owned()),
        "notifications/message",
        r#"{"level":"info","data":"for alice"}"#,
    );
    let told = alices.message();
    assert_eq!(at(&told, "params.data").as_str(), Some("for alice"));
    assert!(bobs.is_silent(Duration::from_millis(100)));
    gateway.finish();
}

#[test]
fn what_no_server_tells_of_is_not_acknowledged() {
    for (era, capabilities) in [
        (Era::Legacy, r#"{"tools":{},"resources":{}}"#),
        (Era::Modern, r#"{"tools":{},"resources":{}}"#),
    ] {
        let upstream = Upstream::with(era, &library(), capabilities);
        let gateway = before(&[("up", &upstream)]).policy(ALL).start();
        let modern = Modern::new(&gateway, ALICE);
        let wanted =
            r#"{"notifications":{"resourceSubscriptions":["doc://one"],"toolsListChanged":true}}"#;
        let mut listening = modern.send("subscriptions/listen", wanted);
        gateway.unheard();
        let granted = at(&listening.message(), "params.notifications");
        assert_eq!(at(&granted, "resourceSubscriptions").to_string(), "[]");
        // Lists are compared by the gateway itself.
        assert_eq!(at(&granted, "toolsListChanged").to_string(), "true");
        assert!(upstream.of("resources/subscribe").is_empty());
        drop(listening);
        gateway.finish();
    }
}

#[test]
fn n01_one_stream_asks_for_so_many_resources_and_no_more() {
    let (_, gateway) = started(Era::Legacy, ALL);
    let uris: Vec<String> = (0..2_000).map(|n| format!("\"doc://{n}\"")).collect();
    let wanted = format!(
        r#"{{"notifications":{{"resourceSubscriptions":[{}]}}}}"#,
        uris.join(",")
    );
    let modern = Modern::new(&gateway, ALICE);
    let mut listening = modern.send("subscriptions/listen", &wanted);
    let granted = at(&listening.message(), "params.notifications");
    assert_eq!(granted.to_string(), r#"{"resourceSubscriptions":[]}"#);
    drop(listening);
    (0..256).for_each(|_| gateway.unheard());
    gateway.finish();
}

#[test]
fn a_subscriber_that_hangs_up_leaves_its_outcome_behind() {
    let (upstream, gateway) = started(Era::Legacy, ALL);
    let gate = crate::support::Gate::default();
    let held = gate.clone();
    upstream.act(move |seen| {
        if seen.method == "resources/list" {
            held.wait();
        }
        None
    });
    let session = Session::open(&gateway, ALICE, "{}");
    let subscribing = session.send("resources/subscribe", ONE);
    upstream.await_requests(1, "resources/list");
    drop(subscribing);
    gateway.unheard();
    // Long enough for the gateway to notice.
    std::thread::sleep(Duration::from_millis(100));
    gate.open();
    let log = gateway.finish();
    let outcome = log
        .iter()
        .find(|entry| at(entry, "action").as_str() == Some("subscribe"));
    assert_eq!(at(outcome.unwrap(), "verdict").as_str(), Some("allow"));
}

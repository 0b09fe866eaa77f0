//! Several servers behind one gateway: each item has one owner, found by its exact name, and one
//! server that is down is nobody else's trouble.

use std::time::{Duration, Instant};

use cmcp_json::Value;

use crate::{
    client::{Modern, Session, at},
    items::{Item, approving, before, http},
    support::{ALICE, text},
    upstream::{Era, Upstream},
};

fn shelf(name: &str) -> Vec<Item> {
    vec![
        Item::tool("echo"),
        Item::resource(&format!("{name}://doc")),
        Item::prompt("letter"),
    ]
}

fn names(result: &Value, list: &str, key: &str) -> Vec<String> {
    let all = at(result, list);
    let name = |item: &Value| text(item, key).to_owned();
    all.as_array().unwrap().iter().map(name).collect()
}

#[test]
fn one_server_that_is_down_stays_listed_and_stops_no_other() {
    let up = Upstream::start(Era::Legacy, &shelf("a"));
    let approved = [
        (http("a", &up.url), shelf("a")),
        (http("b", &Upstream::nowhere()), shelf("b")),
    ];
    let gateway = approving(&approved).start();
    let begun = Instant::now();
    let session = Session::open(&gateway, ALICE, "{}");
    let modern = Modern::new(&gateway, ALICE);
    assert!(
        begun.elapsed() < Duration::from_secs(1),
        "a handshake waited"
    );
    for tools in [
        session.ask("tools/list", "{}").result(),
        modern.ask("tools/list", "{}").result(),
    ] {
        assert_eq!(names(&tools, "tools", "name"), ["a__echo", "b__echo"]);
    }
    let listed = session.ask("resources/list", "{}").result();
    assert_eq!(names(&listed, "resources", "uri"), ["a://doc", "b://doc"]);
    // One decision for each server that has any.
    gateway.unheard();
    gateway.unheard();
    let listed = session.ask("prompts/list", "{}").result();
    assert_eq!(
        names(&listed, "prompts", "name"),
        ["a__letter", "b__letter"]
    );
    for (method, down, up) in [
        (
            "tools/call",
            r#"{"name":"b__echo","arguments":{"text":"x"}}"#,
            r#"{"name":"a__echo","arguments":{"text":"x"}}"#,
        ),
        (
            "resources/read",
            r#"{"uri":"b://doc"}"#,
            r#"{"uri":"a://doc"}"#,
        ),
        (
            "prompts/get",
            r#"{"name":"b__letter","arguments":{"to":"Ann"}}"#,
            r#"{"name":"a__letter","arguments":{"to":"Ann"}}"#,
        ),
    ] {
        let got = session.ask(method, down);
        assert_eq!(got.refusal().1, "UPSTREAM_UNAVAILABLE", "{got:?}");
        session.ask(method, up).result();
    }
    let log = gateway.finish();
    let failed = log.iter().filter(|entry| {
        text(entry, "kind") == "outcome" && at(entry, "code").as_str() == Some("upstream:connect")
    });
    assert!(failed.count() >= 1, "{log:?}");
}

#[test]
fn each_item_goes_to_its_own_server_under_its_own_name() {
    let legacy = Upstream::start(Era::Legacy, &shelf("a"));
    let modern = Upstream::start(Era::Modern, &shelf("b"));
    let gateway = before(&[("a", &legacy), ("b", &modern)]).start();
    let session = Session::open(&gateway, ALICE, "{}");
    let client = Modern::new(&gateway, ALICE);
    for name in ["a", "b"] {
        let call = format!(r#"{{"name":"{name}__echo","arguments":{{"text":"for {name}"}}}}"#);
        let read = format!(r#"{{"uri":"{name}://doc"}}"#);
        let letter = format!(r#"{{"name":"{name}__letter","arguments":{{"to":"{name}"}}}}"#);
        for (method, params) in [
            ("tools/call", &call),
            ("resources/read", &read),
            ("prompts/get", &letter),
        ] {
            session.ask(method, params).result();
            client.ask(method, params).result();
        }
        let complete = format!(
            r#"{{"ref":{{"type":"ref/prompt","name":"{name}__letter"}},"argument":{{"name":"to","value":"x"}}}}"#
        );
        client.ask("completion/complete", &complete).result();
    }
    for (upstream, name) in [(&legacy, "a"), (&modern, "b")] {
        let calls = upstream.of("tools/call");
        assert_eq!(calls.len(), 2);
        for seen in calls {
            assert_eq!(seen.target(), "echo");
            assert_eq!(
                seen.text(&["params", "arguments", "text"]),
                format!("for {name}")
            );
            // The header of the newer era says what the body says.
            let header = seen.header("mcp-name");
            assert!(
                header.is_empty() && name == "a" || header == "echo",
                "{header}"
            );
        }
        for seen in upstream.of("resources/read") {
            assert_eq!(seen.target(), format!("{name}://doc"));
        }
        for seen in upstream.of("prompts/get") {
            assert_eq!(seen.target(), "letter");
        }
        let completed = upstream.of("completion/complete");
        assert_eq!(completed[0].text(&["params", "ref", "name"]), "letter");
    }
    gateway.finish();
}

#[test]
fn names_are_whole_and_not_taken_apart() {
    let [first, second] = ["a", "b"].map(|name| Upstream::start(Era::Legacy, &shelf(name)));
    let gateway = before(&[("a", &first), ("b", &second)]).start();
    let session = Session::open(&gateway, ALICE, "{}");
    for name in [
        "echo",
        "a__",
        "a__echo__",
        "A__echo",
        "b__a__echo",
        "__echo",
    ] {
        let got = session.ask(
            "tools/call",
            &format!(r#"{{"name":"{name}","arguments":{{"text":"x"}}}}"#),
        );
        assert_eq!(
            got.refusal(),
            (-32602, "TOOL_NOT_IN_CATALOG".to_owned()),
            "{name}"
        );
    }
    assert!(first.of("tools/call").is_empty() && second.of("tools/call").is_empty());
    gateway.finish();
}

#[test]
fn a_change_of_one_servers_list_stops_no_item_of_another() {
    let first = Upstream::start(Era::Legacy, &shelf("a"));
    let second = Upstream::start(Era::Legacy, &shelf("b"));
    let gateway = before(&[("a", &first), ("b", &second)]).start();
    let session = Session::open(&gateway, ALICE, "{}");
    let call = |name: &str| {
        let params = format!(r#"{{"name":"{name}__echo","arguments":{{"text":"x"}}}}"#);
        session.ask("tools/call", &params)
    };
    call("a").result();
    call("b").result();
    let mut changed = shelf("a");
    changed[0] = Item::tool("echo").with("title", r#""Changed""#);
    first.offer(&changed);
    first.await_listeners(1);
    first.announce("notifications/tools/list_changed", "{}");
    let give_up = Instant::now() + crate::support::PATIENCE;
    while call("a").last.get("error").is_none() {
        assert!(Instant::now() < give_up, "the change was not noticed");
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(call("a").refusal().1, "CATALOG_DRIFT");
    call("b").result();
    gateway.finish();
}

#[test]
fn a_servers_session_that_it_ended_is_opened_anew_and_its_clients_keep_theirs() {
    let upstream = Upstream::start(Era::Legacy, &shelf("a"));
    let gateway = before(&[("up", &upstream)]).start();
    let session = Session::open(&gateway, ALICE, "{}");
    session.call("echo").result();
    let old = upstream.sessions_of("tools/call");
    let gone = old.clone();
    upstream.act(move |seen| {
        gone.contains(seen.session())
            .then_some(crate::upstream::Reply::Status(404))
    });
    session.call("echo").result();
    let sessions = upstream.sessions_of("tools/call");
    assert!(sessions.len() > old.len(), "{sessions:?}");
    gateway.finish();
}

//! Requests of every kind, and what is said while they are served.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use bytes::Bytes;
use cmcp_mcp::{
    Server, UpstreamError,
    client::HttpClient,
    method::Method,
    upstream::{Ask, Event, Input, LogLevel, ProtocolFault, Reply, Said, Told},
};
use tokio::sync::mpsc;

use super::support::{
    Act, Fake, Feeds, Received, STREAM, accepted, answer, discovered, error, events, initialized,
    legacy, modern, note, result, until,
};

pub(super) const ALL: &str = r#"{"sampling":{},"elicitation":{},"roots":{"listChanged":true}}"#;

pub(super) fn raw(text: &'static str) -> Bytes {
    Bytes::from_static(text.as_bytes())
}

pub(super) fn tool() -> Ask {
    let params = vec![("name", raw(r#""t""#)), ("arguments", raw("{}"))];
    Ask::new(Method::ToolsCall, params, Duration::from_secs(20), 1 << 20)
}

pub(super) fn heard(ask: Ask, room: usize) -> (Ask, mpsc::Receiver<Event>) {
    let (events, receiver) = mpsc::channel(room);
    let ask = Ask {
        progress: true,
        events: Some(events),
        ..ask
    };
    (ask, receiver)
}

pub(super) async fn asked(client: &HttpClient, ask: Ask) -> Result<String, UpstreamError> {
    match client.ask(ask).await? {
        Reply::Result { bytes, .. } => Ok(String::from_utf8(bytes.to_vec()).unwrap()),
        Reply::Error { code, .. } => Ok(format!("error {code}")),
    }
}

pub(super) fn progress_of(event: Option<Event>) -> String {
    match event {
        Some(Event::Progress(params)) => String::from_utf8(params.to_vec()).unwrap(),
        other => panic!("{other:?} is no progress"),
    }
}

type Calls = Box<dyn FnOnce(&Received) -> Act>;
/// How a server of an era answers.
type Era = fn(&Received, Calls) -> Act;

/// A server whose calls are streams that the test writes to.
pub(super) async fn fed(era: Era) -> (Fake, Feeds) {
    let feeds = Feeds::default();
    let opening = feeds.clone();
    let fake = Fake::start(move |r| {
        let opening = opening.clone();
        era(r, Box::new(move |_| opening.open()))
    })
    .await;
    (fake, feeds)
}

pub(super) fn old(received: &Received, call: Calls) -> Act {
    legacy(received, call)
}

pub(super) fn new(received: &Received, call: Calls) -> Act {
    modern(received, call)
}

#[tokio::test]
async fn progress_is_told_before_the_server_has_sent_the_next_byte() {
    for era in [old, new] {
        let (fake, feeds) = fed(era).await;
        let client = fake.client();
        let (ask, mut events) = heard(tool(), 8);
        let asking = asked(&client, ask);
        let conversation = async {
            until("the call", || feeds.opened() == 1).await;
            let received = fake.last("tools/call");
            let token = received.id();
            let meta = received
                .message
                .get("params")
                .unwrap()
                .get("_meta")
                .unwrap();
            assert_eq!(meta.get("progressToken").unwrap().to_string(), token);
            for step in ["1e0", "2.50"] {
                let params = format!(r#"{{"progressToken":{token}, "progress":{step}}}"#);
                feeds.say(0, &note("progress", &params));
                assert_eq!(progress_of(events.recv().await), params);
            }
            feeds.say(0, &answer(&received, r#"{"done":true}"#));
        };
        let (reply, ()) = tokio::join!(asking, conversation);
        assert_eq!(reply.unwrap(), r#"{"done":true}"#);
        client.close().await;
    }
}

#[tokio::test]
async fn capabilities_are_declared_in_the_handshake_or_with_every_request() {
    for era in [old, new] {
        let fake = Fake::start(move |r| era(r, Box::new(|r| result(r, "{}")))).await;
        let client = fake.client_of(ALL);
        asked(&client, tool()).await.unwrap();
        client.close().await;
        let declared = |method: &str| fake.last(method).body.contains(ALL);
        assert!(declared("server/discover"));
        if fake.count("initialize") == 0 {
            assert!(declared("tools/call"));
        } else {
            assert!(declared("initialize") && !declared("tools/call"));
        }
    }
}

#[tokio::test]
async fn every_method_carries_its_parameters_and_its_name() {
    let requests = [
        (
            Method::ResourcesRead,
            ("uri", r#""a://\u0062 c""#),
            Some("a://b c"),
        ),
        (Method::PromptsGet, ("name", r#""p""#), Some("p")),
        (
            Method::CompletionComplete,
            ("ref", r#"{ "type":"ref/prompt" }"#),
            None,
        ),
        (Method::TasksGet, ("taskId", r#""k""#), Some("k")),
        (Method::TasksCancel, ("taskId", r#""k""#), Some("k")),
        (Method::TasksUpdate, ("taskId", r#""k""#), Some("k")),
    ];
    let fake = Fake::start(|r| match r.method() {
        "server/discover" => discovered(r, "{}"),
        _ => result(r, r#"{ "ok":1e0 }"#),
    })
    .await;
    let client = fake.client();
    for (method, (member, value), name) in requests {
        let ask = Ask::new(
            method,
            vec![(member, raw(value))],
            Duration::from_secs(20),
            1 << 20,
        );
        assert_eq!(asked(&client, ask).await.unwrap(), r#"{ "ok":1e0 }"#);
        let received = fake.last(method.as_str());
        assert_eq!(received.header("mcp-method"), Some(method.as_str()));
        assert_eq!(received.header("mcp-name"), name, "{method}");
        assert!(
            received
                .body
                .contains(&format!(r#""params":{{"{member}":{value},"_meta""#))
        );
    }
}

#[tokio::test]
async fn an_answer_to_input_is_sent_byte_for_byte_under_a_new_id() {
    let fake = Fake::start(|r| {
        modern(r, |r| {
            if r.body.contains("inputResponses") {
                result(r, "{}")
            } else {
                result(
                    r,
                    r#"{"resultType":"input_required","requestState":"\u0061"}"#,
                )
            }
        })
    })
    .await;
    let client = fake.client_of(ALL);
    let first = asked(&client, tool()).await.unwrap();
    assert!(first.contains("input_required"));
    let again = Ask {
        input: Some(Input {
            responses: raw(r#"{ "k":{"action":"cancel"} }"#),
            state: Some(raw(r#""\u0061""#)),
        }),
        ..tool()
    };
    assert_eq!(asked(&client, again).await.unwrap(), "{}");
    let sent = fake.last("tools/call");
    let expected = r#""arguments":{},"inputResponses":{ "k":{"action":"cancel"} },"requestState":"\u0061","_meta":{"#;
    assert!(sent.body.contains(expected), "{}", sent.body);
    let ids: Vec<_> = fake.log.lock().unwrap().iter().map(Received::id).collect();
    assert_ne!(ids[1], ids[2]);
}

#[tokio::test]
async fn a_log_level_is_said_with_each_request_to_the_new_and_once_per_change_to_the_old() {
    let level = |level| Ask {
        log_level: level,
        ..tool()
    };
    let fake = Fake::start(|r| modern(r, |r| result(r, "{}"))).await;
    let client = fake.client();
    asked(&client, level(Some(LogLevel::Warning)))
        .await
        .unwrap();
    let sent = fake.last("tools/call").body;
    assert!(sent.contains(r#""io.modelcontextprotocol/logLevel":"warning""#));
    asked(&client, level(None)).await.unwrap();
    assert!(!fake.last("tools/call").body.contains("logLevel"));

    let fake = Fake::start(|r| match r.method() {
        "initialize" => initialized(r, r#"{"logging":{}}"#),
        "logging/setLevel" => result(r, "{}"),
        _ => legacy(r, |r| result(r, "{}")),
    })
    .await;
    let client = fake.client();
    let wanted = [
        None,
        Some(LogLevel::Info),
        Some(LogLevel::Info),
        None,
        Some(LogLevel::Error),
    ];
    for wanted in wanted {
        asked(&client, level(wanted)).await.unwrap();
    }
    let log = fake.log.lock().unwrap().clone();
    let said = log.iter().filter(|r| r.method() == "logging/setLevel");
    let said: Vec<_> = said
        .map(|r| r.message.get("params").unwrap().to_string())
        .collect();
    assert_eq!(said, [r#"{"level":"info"}"#, r#"{"level":"error"}"#]);
    client.close().await;

    let fake = Fake::start(|r| legacy(r, |r| result(r, "{}"))).await;
    asked(&fake.client(), level(Some(LogLevel::Info)))
        .await
        .unwrap();
    assert_eq!(fake.count("logging/setLevel"), 0, "it declares no logging");
}

#[tokio::test]
async fn progress_winds_the_deadline_up_and_silence_ends_the_call() {
    let (fake, feeds) = fed(new).await;
    let client = fake.client();
    let silence = Duration::from_millis(400);
    let (ask, mut events) = heard(
        Ask {
            deadline: silence,
            ..tool()
        },
        8,
    );
    let begun = Instant::now();
    let conversation = async {
        until("the call", || feeds.opened() == 1).await;
        let token = fake.last("tools/call").id();
        for _ in 0..4 {
            tokio::time::sleep(silence / 2).await;
            feeds.say(
                0,
                &note("progress", &format!(r#"{{"progressToken":{token}}}"#)),
            );
            progress_of(events.recv().await);
        }
    };
    let (reply, ()) = tokio::join!(asked(&client, ask), conversation);
    let after = silence;
    assert_eq!(
        reply.unwrap_err(),
        UpstreamError::Timeout { sent: true, after }
    );
    assert!(begun.elapsed() >= silence * 3);
    until("the hang-up", || feeds.is_gone(0)).await;
}

#[tokio::test]
async fn f09_a_listener_that_is_behind_holds_up_its_own_call_and_no_other() {
    let flooded = "data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{\"progressToken\":ID}}\n\n";
    let fake = Fake::start(move |r| {
        modern(r, |r| match r.tool() {
            "t" => {
                let event = flooded.replace("ID", &r.id()).repeat(64);
                Act::Flood(STREAM.as_bytes().to_vec(), event.into_bytes())
            }
            _ => result(r, "{}"),
        })
    })
    .await;
    let client = Arc::new(fake.client());
    let (ask, mut events) = heard(tool(), 1);
    let held = Arc::clone(&client);
    let slow = tokio::spawn(async move { asked(&held, ask).await });
    until("the flood", || fake.count("tools/call") == 1).await;
    let quick = Ask::new(
        Method::ToolsCall,
        vec![("name", raw(r#""quick""#))],
        Duration::from_secs(5),
        1 << 20,
    );
    assert_eq!(asked(&client, quick).await.unwrap(), "{}");
    assert!(!slow.is_finished(), "nobody took its progress");
    // Read on, it is cut off at the bound on what may be said.
    let mut taken = 0_usize;
    while events.recv().await.is_some() {
        taken += 1;
    }
    assert!(taken <= 10_000, "{taken}");
    let flood = UpstreamError::Protocol(ProtocolFault::Flood);
    assert_eq!(slow.await.unwrap().unwrap_err(), flood);
}

#[tokio::test]
async fn what_is_said_of_other_things_reaches_those_who_listen() {
    let fake = Fake::start(|r| {
        legacy(r, |r| {
            let said = [
                note("resources/updated", r#"{"uri":"a://b", "x":1e0}"#),
                note("prompts/list_changed", "{}"),
                note("message", r#"{"level":"info","data":1e0}"#),
                note("elicitation/complete", r#"{"elicitationId":"e"}"#),
                note("tasks/status", r#"{"taskId":"k"}"#),
                answer(r, "{}"),
            ];
            let said = said.map(|message| format!("data: {message}\n\n"));
            events(&said.concat())
        })
    })
    .await;
    let client = fake.client_of(ALL);
    let mut said = client.said();
    let (ask, mut events) = heard(tool(), 8);
    asked(&client, ask).await.unwrap();
    let updated = Said::ResourceUpdated {
        uri: "a://b".to_owned(),
        params: raw(r#"{"uri":"a://b", "x":1e0}"#),
    };
    assert_eq!(said.try_recv(), Ok(updated));
    let changed = Said::ListChanged(cmcp_mcp::upstream::Kind::Prompts);
    assert_eq!(said.try_recv(), Ok(changed));
    assert!(said.try_recv().is_err(), "the rest is about the call");
    let Some(Event::Message(params)) = events.recv().await else {
        panic!("a log message")
    };
    assert_eq!(params, raw(r#"{"level":"info","data":1e0}"#));
    assert!(matches!(
        events.recv().await,
        Some(Event::ElicitationComplete(_))
    ));
    assert!(matches!(events.recv().await, Some(Event::TaskStatus(_))));
    client.close().await;
}

#[tokio::test]
async fn a_legacy_server_is_told_of_other_roots_where_it_was_told_of_roots() {
    let fake = Fake::start(|r| legacy(r, |r| result(r, "{}"))).await;
    let client = fake.client_of(ALL);
    client.tell(Told::RootsChanged).await.unwrap();
    let progress = raw(r#"{"progressToken":"theirs","progress":1e0}"#);
    client.tell(Told::Progress(progress)).await.unwrap();
    assert_eq!(fake.count("notifications/roots/list_changed"), 1);
    let told = fake.last("notifications/progress").body;
    assert!(told.contains(r#""params":{"progressToken":"theirs","progress":1e0}"#));
    client.close().await;
    let silent = fake.client();
    silent.tell(Told::RootsChanged).await.unwrap();
    assert_eq!(fake.count("notifications/roots/list_changed"), 1);
    silent.close().await;
    let fake = Fake::start(|r| modern(r, |r| result(r, "{}"))).await;
    fake.client_of(ALL).tell(Told::RootsChanged).await.unwrap();
    assert_eq!(fake.methods(), ["server/discover"]);
}

#[tokio::test]
async fn offers_are_what_the_handshake_said() {
    let fake = Fake::start(|r| match r.method() {
        "server/discover" => result(
            r,
            r#"{"supportedVersions":["2026-07-28"],"capabilities":{"prompts":{}},"instructions":"do","_meta":{"io.modelcontextprotocol/serverInfo":{"name":"n"}}}"#,
        ),
        _ => accepted(),
    })
    .await;
    let client = fake.client();
    let offers = client.offers().await.unwrap();
    assert!(offers.has(&["prompts"]) && !offers.has(&["tools"]));
    assert_eq!(offers.instructions.as_deref(), Some("do"));
    assert_eq!(
        offers.server_info.as_ref().unwrap().to_string(),
        r#"{"name":"n"}"#
    );
    client.offers().await.unwrap();
    assert_eq!(fake.methods(), ["server/discover"]);
}

#[tokio::test]
async fn a_missing_capability_is_the_server_s_answer_and_no_other_era() {
    let fake = Fake::start(|r| {
        modern(r, |r| {
            error(r, 400, -32021, r#","data":{"requiredCapabilities":{}}"#)
        })
    })
    .await;
    let client = fake.client();
    for _ in 0..2 {
        assert_eq!(asked(&client, tool()).await.unwrap(), "error -32021");
    }
    assert_eq!(fake.count("server/discover"), 1);
    assert_eq!(fake.count("initialize"), 0);
}

#[tokio::test]
async fn e10_a_response_of_another_call_is_not_taken_for_this_one_s() {
    let ids = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&ids);
    let fake = Fake::start(move |r| {
        modern(r, |r| {
            let mut ids = seen.lock().unwrap();
            ids.push(r.id());
            let id = ids[0].clone();
            events(&format!(
                "data: {{\"jsonrpc\":\"2.0\",\"id\":{id},\"result\":{{}}}}\n\n"
            ))
        })
    })
    .await;
    let client = fake.client();
    assert_eq!(asked(&client, tool()).await.unwrap(), "{}");
    let crossed = asked(&client, tool()).await.unwrap_err();
    assert!(
        matches!(crossed, UpstreamError::WrongId { .. }),
        "{crossed}"
    );
}

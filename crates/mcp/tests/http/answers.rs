//! Answers in every shape they may have.

use std::{sync::atomic::Ordering, time::Duration};

use cmcp_mcp::{
    Server, UpstreamError,
    upstream::{Ask, Kind, ProtocolFault},
};

use super::support::{
    Act, Fake, Received, accepted, ask, call, events, json, legacy, modern, result, until,
};

fn answer(r: &Received, result: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{},"result":{result}}}"#, r.id())
}

#[tokio::test]
async fn an_answer_in_an_event_stream_is_found_among_comments_and_line_ends_of_all_kinds() {
    let fake = Fake::start(|r| {
        modern(r, |r| {
            let (head, tail) = (format!(r#"{{"jsonrpc":"2.0","id":{},"#, r.id()), "\"result\":{\"a\":1.0}}");
            events(&format!(
                "\u{feff}: hello\r\n\r\nid: 7\r\ndata:\r\n\r\nretry: 100\r\n: x\revent: message\r\ndata: {{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{{}}}}\r\n\r\nevent: other\ndata: not json\n\ndata: {head}\rdata:{tail}\r\r"
            ))
        })
    })
    .await;
    let client = fake.client();
    assert_eq!(ask(&client, call("echo")).await.unwrap(), r#"{"a":1.0}"#);
    assert_eq!(client.observed().dropped, 1);
    client.close().await;
}

#[tokio::test]
async fn an_event_stream_may_come_a_byte_at_a_time() {
    let fake = Fake::start(|r| {
        modern(r, |r| {
            let mut out = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream;charset=utf-8\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
            for byte in format!("event: message\r\ndata: {}\r\n\r\n", answer(r, r#"{"é":1}"#)).bytes() {
                out.extend([b'1', b'\r', b'\n', byte, b'\r', b'\n']);
            }
            out.extend(b"0\r\n\r\n");
            Act::Write(out)
        })
    })
    .await;
    assert_eq!(
        ask(&fake.client(), call("echo")).await.unwrap(),
        r#"{"é":1}"#
    );
}

#[tokio::test]
async fn a_stream_that_stays_open_behind_its_answer_keeps_nobody_waiting() {
    let fake = Fake::start(|r| {
        modern(r, |r| {
            let event = format!("data: {}\n\n", answer(r, "{}"));
            Act::Hang(
                format!("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n{event}")
                    .into_bytes(),
            )
        })
    })
    .await;
    let client = fake.client();
    ask(
        &client,
        Ask {
            deadline: Duration::from_secs(5),
            ..call("echo")
        },
    )
    .await
    .unwrap();
    until("the hang-up", || fake.hung_up.load(Ordering::SeqCst) >= 1).await;
}

#[tokio::test]
async fn e12_a_legacy_server_that_asks_for_something_on_the_stream_is_refused_and_ping_answered() {
    let fake = Fake::start(|r| {
        legacy(r, |r| {
            let asks = [
                ("a", "sampling/createMessage"),
                ("b", "roots/list"),
                ("c", "ping"),
            ];
            let asks = asks.map(|(id, method)| {
                format!("data: {{\"jsonrpc\":\"2.0\",\"id\":\"{id}\",\"method\":\"{method}\"}}\n\n")
            });
            events(&format!("{}data: {}\n\n", asks.concat(), answer(r, "{}")))
        })
    })
    .await;
    let client = fake.client();
    assert_eq!(ask(&client, call("echo")).await.unwrap(), "{}");
    // They are sent beside the stream, which is read on meanwhile.
    let replies = || {
        let log = fake.log.lock().unwrap();
        let replies = log.iter().filter(|r| r.method().is_empty());
        replies.cloned().collect::<Vec<_>>()
    };
    until("the replies", || replies().len() == 3).await;
    let mut bodies: Vec<_> = replies().iter().map(|r| r.body.clone()).collect();
    bodies.sort();
    let refused = r#""error":{"code":-32601,"message":"this client declared no such capability"}"#;
    assert_eq!(
        bodies,
        [
            format!(r#"{{"jsonrpc":"2.0","id":"a",{refused}}}"#),
            format!(r#"{{"jsonrpc":"2.0","id":"b",{refused}}}"#),
            r#"{"jsonrpc":"2.0","id":"c","result":{}}"#.to_owned(),
        ]
    );
    let session = |r: &Received| r.header("mcp-session-id") == Some("s-1");
    assert!(replies().iter().all(session));
    assert_eq!(client.observed().refused, 2);
    client.close().await;
}

#[tokio::test]
async fn g03_list_changed_on_a_call_s_stream_moves_the_generation_on() {
    let fake = Fake::start(|r| {
        modern(r, |r| {
            events(&format!(
                "data: {{\"jsonrpc\":\"2.0\",\"method\":\"notifications/tools/list_changed\"}}\n\ndata: {}\n\n",
                answer(r, "{}")
            ))
        })
    })
    .await;
    let client = fake.client();
    let listed = client.list(Kind::Tools).await.unwrap().generation;
    let decided = Ask {
        listed: Some(listed),
        ..call("echo")
    };
    ask(&client, decided.clone()).await.unwrap();
    assert_ne!(client.generation(Kind::Tools), listed);
    let calls = fake.methods().len();
    assert_eq!(ask(&client, decided).await, Err(UpstreamError::Stale));
    assert_eq!(fake.methods().len(), calls, "nothing was sent");
}

#[tokio::test]
async fn an_answer_with_another_id_is_refused_whatever_its_shape() {
    for id in ["999", "\"{id}\"", "{id}.0", "true"] {
        for stream in [false, true] {
            let fake = Fake::start(move |r| {
                modern(r, |r| {
                    let id = id.replace("{id}", &r.id());
                    let body = format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{}}}}"#);
                    if stream {
                        events(&format!("data: {body}\n\n"))
                    } else {
                        json(200, "", &body)
                    }
                })
            })
            .await;
            let error = ask(&fake.client(), call("echo")).await.unwrap_err();
            let refused = matches!(
                error,
                UpstreamError::WrongId { .. } | UpstreamError::Protocol(ProtocolFault::NotJsonRpc)
            );
            assert!(refused && error.sent(), "{id}: {error:?}");
        }
    }
}

#[tokio::test]
async fn e10_answers_reach_whoever_asked_when_many_ask_at_once() {
    let fake =
        Fake::start(|r| modern(r, |r| result(r, &format!(r#"{{"for":"{}"}}"#, r.tool())))).await;
    let client = fake.client();
    let calls = (0..200).map(|n| {
        let client = &client;
        async move {
            let name = format!("tool-{n}");
            assert_eq!(
                ask(client, call(&name)).await.unwrap(),
                format!(r#"{{"for":"{name}"}}"#)
            );
        }
    });
    futures_util::future::join_all(calls).await;
    client.close().await;
}

#[tokio::test]
async fn a_connection_serves_one_call_after_the_other() {
    let fake = Fake::start(|r| {
        modern(r, |r| {
            if r.tool() == "stream" {
                events(&format!("data: {}\n\n", answer(r, "{}")))
            } else {
                result(r, "{}")
            }
        })
    })
    .await;
    let client = fake.client();
    for name in ["plain", "plain", "stream", "plain"] {
        ask(&client, call(name)).await.unwrap();
    }
    let connections = fake.connections.load(Ordering::SeqCst);
    // The stream's end may be read only after the next call has begun.
    assert!(connections <= 2, "{connections}");
}

#[tokio::test]
async fn json_rpc_errors_are_replies_whatever_the_status() {
    for status in [200, 400, 500] {
        let fake = Fake::start(move |r| {
            modern(r, |r| json(status, "", &format!(r#"{{"jsonrpc":"2.0","id":{},"error":{{"code":-32602,"message":"m","data":[1e0]}}}}"#, r.id())))
        })
        .await;
        assert_eq!(
            ask(&fake.client(), call("echo")).await.unwrap(),
            "error -32602"
        );
    }
}

#[tokio::test]
async fn a_tool_s_own_failure_and_a_request_for_input_are_results() {
    for body in [
        r#"{"isError":true,"content":[]}"#,
        r#"{"resultType":"input_required","requestState":"\u0061"}"#,
    ] {
        let fake = Fake::start(move |r| modern(r, |r| result(r, body))).await;
        assert_eq!(ask(&fake.client(), call("echo")).await.unwrap(), body);
    }
}

#[tokio::test]
async fn pages_are_followed_to_the_end_and_a_repeated_cursor_is_refused() {
    let fake = Fake::start(|r| match r.method() {
        "tools/list" => {
            let cursor = r
                .message
                .get("params")
                .unwrap()
                .get("cursor")
                .map(ToString::to_string);
            match cursor.as_deref() {
                None => result(r, r#"{"tools":[{"name":"a"}],"nextCursor":""}"#),
                Some("\"\"") => result(r, r#"{"tools":[{"name":"b"}],"nextCursor":"x"}"#),
                Some(_) => result(r, r#"{"tools":[{"name":"c"}],"nextCursor":null}"#),
            }
        }
        _ => modern(r, |_| accepted()),
    })
    .await;
    let listing = fake.client().list(Kind::Tools).await.unwrap();
    assert_eq!(
        (listing.items.len(), listing.pages.len(), listing.complete),
        (3, 3, true)
    );
    assert_eq!(
        &listing.pages[2].bytes[..],
        br#"{"tools":[{"name":"c"}],"nextCursor":null}"#
    );

    let fake = Fake::start(|r| match r.method() {
        "tools/list" => result(r, r#"{"tools":[],"nextCursor":"again"}"#),
        _ => modern(r, |_| accepted()),
    })
    .await;
    let error = fake.client().list(Kind::Tools).await.unwrap_err();
    assert_eq!(error, UpstreamError::Protocol(ProtocolFault::Listing));
}

#[tokio::test]
async fn a_listing_that_is_none_is_refused() {
    for body in [
        "{}",
        r#"{"tools":{}}"#,
        r#"{"tools":[1]}"#,
        r#"{"tools":[{}]}"#,
        "[]",
    ] {
        let fake = Fake::start(move |r| match r.method() {
            "tools/list" => result(r, body),
            _ => modern(r, |_| accepted()),
        })
        .await;
        let error = fake.client().list(Kind::Tools).await.unwrap_err();
        assert_eq!(
            error,
            UpstreamError::Protocol(ProtocolFault::Listing),
            "{body}"
        );
    }
}

const CHANGED: &str =
    "data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/tools/list_changed\"}\n\n";

#[tokio::test]
async fn g03_a_legacy_server_that_announces_changes_is_listened_to() {
    let fake = Fake::start(|r| match (r.verb.as_str(), r.method()) {
        ("GET", _) => Act::Hang(
            format!("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n: hi\n\n{CHANGED}")
                .into_bytes(),
        ),
        (_, "initialize") => json(
            200,
            "Mcp-Session-Id: s-1\r\n",
            &answer(
                r,
                r#"{"protocolVersion":"2025-11-25","capabilities":{"tools":{"listChanged":true}}}"#,
            ),
        ),
        _ => legacy(r, |r| result(r, "{}")),
    })
    .await;
    let client = fake.client();
    client.list(Kind::Tools).await.unwrap();
    until("the change", || client.generation(Kind::Tools) == 1).await;
    let listening = fake
        .log
        .lock()
        .unwrap()
        .iter()
        .find(|r| r.verb == "GET")
        .unwrap()
        .clone();
    assert_eq!(listening.header("mcp-session-id"), Some("s-1"));
    assert_eq!(listening.header("content-type"), None);
    client.close().await;
    until("the hang-up", || {
        fake.hung_up.load(Ordering::SeqCst) == fake.connections.load(Ordering::SeqCst)
    })
    .await;
}

#[tokio::test]
async fn g03_a_modern_server_that_announces_changes_is_listened_to() {
    let fake = Fake::start(|r| match r.method() {
        "server/discover" => result(
            r,
            r#"{"supportedVersions":["2026-07-28"],"capabilities":{"tools":{"listChanged":true}}}"#,
        ),
        "subscriptions/listen" => Act::Hang(
            format!("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n{CHANGED}")
                .into_bytes(),
        ),
        _ => modern(r, |r| result(r, "{}")),
    })
    .await;
    let client = fake.client();
    client.list(Kind::Tools).await.unwrap();
    until("the change", || client.generation(Kind::Tools) == 1).await;
    let listening = fake.last("subscriptions/listen");
    assert_eq!(listening.header("mcp-method"), Some("subscriptions/listen"));
    assert!(listening.body.contains(r#""notifications":{"toolsListChanged":true},"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28""#));
    drop(client);
    until("the hang-up", || {
        fake.hung_up.load(Ordering::SeqCst) == fake.connections.load(Ordering::SeqCst)
    })
    .await;
}

#[tokio::test]
async fn a_server_without_a_stream_for_changes_is_not_asked_again() {
    let fake = Fake::start(|r| match (r.verb.as_str(), r.method()) {
        ("GET", _) => {
            Act::Write(b"HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 0\r\n\r\n".to_vec())
        }
        (_, "initialize") => json(
            200,
            "Mcp-Session-Id: s-1\r\n",
            &answer(
                r,
                r#"{"protocolVersion":"2025-11-25","capabilities":{"tools":{"listChanged":true}}}"#,
            ),
        ),
        _ => legacy(r, |r| result(r, "{}")),
    })
    .await;
    let client = fake.client();
    client.list(Kind::Tools).await.unwrap();
    until("the question", || {
        fake.log.lock().unwrap().iter().any(|r| r.verb == "GET")
    })
    .await;
    ask(&client, call("echo")).await.unwrap();
    client.close().await;
    let asked = fake
        .log
        .lock()
        .unwrap()
        .iter()
        .filter(|r| r.verb == "GET")
        .count();
    assert_eq!(asked, 1);
}

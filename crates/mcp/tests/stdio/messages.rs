//! What is said over the pipes, and what is made of what comes back.

use std::time::Duration;

use bytes::Bytes;
use cmcp_json::Value;
use cmcp_mcp::{
    Server, UpstreamError, Version,
    upstream::{Ask, EvidenceClass, Kind, ProtocolFault, Reply},
};

use super::support::{ask, call, call_with, client, fixture};

#[tokio::test]
async fn a_legacy_server_is_initialized_and_listed_page_by_page() {
    let client = client(fixture("legacy"));
    let listing = client.list(Kind::Tools).await.unwrap();
    let names: Vec<_> = listing
        .items
        .iter()
        .map(|tool| tool.get("name").unwrap().as_str())
        .collect();
    assert_eq!(names, [Some("echo"), Some("hang")]);
    assert!(listing.complete);
    assert_eq!(listing.pages.len(), 2);
    assert_eq!(listing.pages[0].cursor, None);
    assert_eq!(
        listing.pages[1].cursor.as_deref(),
        Some(""),
        "the empty text is a cursor"
    );
    assert_eq!(
        &listing.pages[1].bytes[..],
        br#"{"tools":[{"name":"hang"}]}"#
    );
    let observed = client.observed();
    assert_eq!(observed.version, Some(Version::V2025_06_18));
    assert_eq!(observed.evidence, EvidenceClass::SpawnUnmeasured);
    client.close().await;
}

#[tokio::test]
async fn a_modern_server_gets_the_members_that_make_a_request_stand_alone() {
    let client = client(fixture("modern"));
    let meta = r#"{"progressToken":1.0,"io.modelcontextprotocol/protocolVersion":"1999-01-01","x":{"b":1,"a":[2e0]}}"#;
    let call = Ask {
        meta: Some(Bytes::from_static(meta.as_bytes())),
        ..call_with("params", "{ \"z\":1e2,\n\"a\" : 12345678901234567890123 }")
    };
    let Reply::Result { bytes, .. } = client.ask(call).await.unwrap() else {
        panic!()
    };
    assert_eq!(client.observed().version, Some(Version::V2026_07_28));
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(
        std::str::from_utf8(&bytes).unwrap(),
        format!(
            r#"{{"name":"params","arguments":{{"z":1e2,"a":12345678901234567890123}},"_meta":{{"x":{{"b":1,"a":[2e0]}},"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{{"name":"cmcp","version":"{version}"}},"io.modelcontextprotocol/clientCapabilities":{{}}}}}}"#
        )
    );
    client.close().await;
}

#[tokio::test]
async fn a_legacy_server_gets_neither_the_members_nor_a_meta_object_nobody_gave() {
    let client = client(fixture("legacy"));
    let plain = ask(&client, call("params")).await.unwrap();
    assert_eq!(plain.to_string(), r#"{"name":"params"}"#);
    let meta = r#"{"io.modelcontextprotocol/clientInfo":{"name":"agent"},"x":""}"#;
    let call = Ask {
        meta: Some(Bytes::from_static(meta.as_bytes())),
        ..call("params")
    };
    let stripped = ask(&client, call).await.unwrap();
    assert_eq!(
        stripped.to_string(),
        r#"{"name":"params","_meta":{"x":""}}"#
    );
    client.close().await;
}

#[tokio::test]
async fn a_banner_on_standard_output_does_not_spoil_the_start() {
    let client = client(fixture("banner"));
    client.list(Kind::Tools).await.unwrap();
    assert_eq!(client.observed().dropped, 1);
    client.close().await;
}

#[tokio::test]
async fn a_server_of_unknown_revisions_is_refused_and_not_initialized() {
    let client = client(fixture("foreign"));
    let error = client.list(Kind::Tools).await.unwrap_err();
    assert_eq!(
        error,
        UpstreamError::NoCommonVersion {
            offered: r#"["2099-01-01"]"#.to_owned()
        }
    );
    client.close().await;
}

#[tokio::test]
async fn answers_reach_whoever_asked_when_many_ask_at_once() {
    let client = client(fixture("legacy"));
    let calls = (0..64).map(|n| {
        let client = &client;
        async move {
            let value = ask(client, call_with("params", &format!("{{\"n\":{n}}}")))
                .await
                .unwrap();
            assert_eq!(
                value.get("arguments").unwrap().to_string(),
                format!("{{\"n\":{n}}}")
            );
        }
    });
    futures_util::future::join_all(calls).await;
    client.close().await;
}

#[tokio::test]
async fn answers_with_a_foreign_id_or_of_another_type_are_dropped_and_counted() {
    let client = client(fixture("legacy"));
    client.list(Kind::Tools).await.unwrap();
    for name in ["wrong-id", "id-as-text"] {
        let call = Ask {
            deadline: Duration::from_millis(300),
            ..call(name)
        };
        let after = call.deadline;
        assert_eq!(
            ask(&client, call).await,
            Err(UpstreamError::Timeout { sent: true, after })
        );
    }
    ask(&client, call("twice")).await.unwrap();
    ask(&client, call("echo")).await.unwrap();
    assert_eq!(client.observed().dropped, 3);
    client.close().await;
}

#[tokio::test]
async fn a_line_that_is_no_message_fails_the_call_and_the_next_one_is_answered() {
    let client = client(fixture("legacy"));
    let not_json = UpstreamError::Protocol(ProtocolFault::NotJson);
    assert_eq!(ask(&client, call("garbage")).await, Err(not_json.clone()));
    assert_eq!(ask(&client, call("half-json")).await, Err(not_json));
    ask(&client, call("echo")).await.unwrap();
    client.close().await;
}

#[tokio::test]
async fn a_broken_line_fails_the_call_it_names_and_spares_the_others() {
    let client = client(fixture("legacy"));
    let hang = client.ask(Ask {
        deadline: Duration::from_secs(1),
        ..call("hang")
    });
    let broken = async {
        assert_eq!(
            ask(&client, call("half-json")).await,
            Err(UpstreamError::Protocol(ProtocolFault::NotJson))
        );
    };
    let (hang, ()) = tokio::join!(hang, broken);
    assert!(
        matches!(hang, Err(UpstreamError::Timeout { sent: true, .. })),
        "{hang:?}"
    );
    client.close().await;
}

#[tokio::test]
async fn an_over_long_line_fails_its_call_and_stays_in_step() {
    let client = client(fixture("legacy"));
    assert_eq!(
        ask(&client, call("long-line")).await,
        Err(UpstreamError::TooLarge { limit: 1 << 20 })
    );
    ask(&client, call("echo")).await.unwrap();
    client.close().await;
}

#[tokio::test]
async fn a_line_may_be_as_long_as_the_largest_answer_that_is_waited_for() {
    let client = client(fixture("legacy"));
    let call_long = Ask {
        max_bytes: 10 << 20,
        ..call("long-line")
    };
    let long = ask(&client, call_long).await.unwrap();
    let filler = long.get("filler").and_then(Value::as_str);
    assert_eq!(filler.map(str::len), Some(9 << 20));
    client.close().await;
}

#[tokio::test]
async fn a_result_of_exactly_the_cap_passes_and_one_byte_more_does_not() {
    let client = client(fixture("legacy"));
    let sized = |bytes: u32| Ask {
        max_bytes: 5000,
        ..call_with("size", &format!("{{\"bytes\":\"{bytes}\"}}"))
    };
    let Reply::Result { bytes, .. } = client.ask(sized(5000)).await.unwrap() else {
        panic!()
    };
    assert_eq!(bytes.len(), 5000);
    assert_eq!(
        ask(&client, sized(5001)).await,
        Err(UpstreamError::TooLarge { limit: 5000 })
    );
    client.close().await;
}

#[tokio::test]
async fn e12_what_a_server_asks_of_us_is_refused_but_for_ping() {
    let client = client(fixture("legacy"));
    for method in ["sampling/createMessage", "elicitation/create", "roots/list"] {
        let answer = ask(
            &client,
            call_with("ask", &format!("{{\"method\":\"{method}\"}}")),
        )
        .await;
        let answer = answer.unwrap();
        let code = answer
            .get("error")
            .unwrap()
            .get("code")
            .and_then(Value::as_i64);
        assert_eq!(code, Some(-32601));
    }
    let pong = ask(&client, call_with("ask", "{\"method\":\"ping\"}"))
        .await
        .unwrap();
    assert_eq!(
        pong.to_string(),
        r#"{"jsonrpc":"2.0","id":"q","result":{}}"#
    );
    assert_eq!(client.observed().refused, 3);
    client.close().await;
}

#[tokio::test]
async fn g03_a_changed_list_moves_the_generation_on_and_stops_calls_decided_before() {
    let client = client(fixture("legacy"));
    let listing = client.list(Kind::Tools).await.unwrap();
    let decided = Ask {
        listed: Some(listing.generation),
        ..call("echo")
    };
    ask(&client, decided.clone()).await.unwrap();
    ask(&client, call("mutate")).await.unwrap();
    assert_ne!(client.generation(Kind::Tools), listing.generation);
    assert_eq!(ask(&client, decided).await, Err(UpstreamError::Stale));
    let again = client.list(Kind::Tools).await.unwrap();
    assert_eq!(again.items[1].get("name").unwrap().as_str(), Some("evil"));
    client.close().await;
}

#[tokio::test]
async fn meta_that_is_no_object_sends_nothing() {
    let client = client(fixture("legacy"));
    let call = Ask {
        meta: Some(Bytes::from_static(b"[1]")),
        ..call("echo")
    };
    let error = client.ask(call).await.unwrap_err();
    assert_eq!(error, UpstreamError::Meta);
    assert!(!error.sent());
    client.close().await;
}

#[tokio::test]
async fn g03_a_modern_server_that_announces_changes_is_listened_to() {
    let client = client(fixture("modern"));
    let listed = client.list(Kind::Tools).await.unwrap().generation;
    ask(&client, call("mutate")).await.unwrap();
    assert_ne!(client.generation(Kind::Tools), listed);
    assert_eq!(client.observed().dropped, 0);
    client.close().await;
}

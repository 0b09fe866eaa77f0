//! Which era a server speaks, how that is found out, and when it is found out again.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use bytes::Bytes;
use cmcp_mcp::{
    Server, UpstreamError, Version,
    upstream::{Ask, EvidenceClass, Kind},
};

use super::support::{
    Act, Fake, accepted, ask, call, call_with, error, json, legacy, modern, result,
};

#[tokio::test]
async fn a_modern_server_gets_headers_and_members_on_every_request() {
    let fake = Fake::start(|r| {
        modern(r, |r| {
            result(r, r#"{ "n" : 1.0e0,"resultType":"complete" }"#)
        })
    })
    .await;
    let client = fake.client();
    let meta = Bytes::from_static(
        br#"{"traceparent":"00-1","io.modelcontextprotocol/clientInfo":{"name":"agent"}}"#,
    );
    let exact = Ask {
        meta: Some(meta),
        ..call_with("grüße", "{ \"z\":1e2, \"a\":\"\\u0041\" }")
    };
    assert_eq!(
        ask(&client, exact).await.unwrap(),
        r#"{ "n" : 1.0e0,"resultType":"complete" }"#
    );
    assert_eq!(fake.methods(), ["server/discover", "tools/call"]);
    let received = fake.last("tools/call");
    assert_eq!(received.header("mcp-protocol-version"), Some("2026-07-28"));
    assert_eq!(received.header("mcp-method"), Some("tools/call"));
    assert_eq!(received.header("mcp-name"), Some("=?base64?Z3LDvMOfZQ==?="));
    assert_eq!(received.header("mcp-session-id"), None);
    assert_eq!(
        received.header("accept"),
        Some("application/json, text/event-stream")
    );
    assert_eq!(received.header("accept-encoding"), None);
    assert_eq!(
        received.header("host"),
        Some(fake.address.to_string().as_str())
    );
    assert!(
        received
            .body
            .contains("\"arguments\":{ \"z\":1e2, \"a\":\"\\u0041\" }"),
        "{}",
        received.body
    );
    assert!(received.body.contains(r#""_meta":{"traceparent":"00-1","io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"cmcp""#));
    let observed = client.observed();
    assert_eq!(observed.version, Some(Version::V2026_07_28));
    assert_eq!(observed.evidence, EvidenceClass::HashOnly);
    client.close().await;
}

#[tokio::test]
async fn a_legacy_server_is_initialized_once_and_keeps_its_session() {
    let fake = Fake::start(|r| legacy(r, |r| result(r, "{}"))).await;
    let client = fake.client();
    ask(&client, call("echo")).await.unwrap();
    ask(&client, call("echo")).await.unwrap();
    client.close().await;
    assert_eq!(
        fake.methods(),
        [
            "server/discover",
            "initialize",
            "notifications/initialized",
            "tools/call",
            "tools/call",
            ""
        ]
    );
    let received = fake.last("tools/call");
    assert_eq!(received.header("mcp-session-id"), Some("s-1"));
    assert_eq!(received.header("mcp-protocol-version"), Some("2025-11-25"));
    assert_eq!(received.header("mcp-method"), None);
    assert!(!received.body.contains("_meta"), "{}", received.body);
    assert_eq!(fake.last("initialize").header("mcp-protocol-version"), None);
    assert_eq!(fake.log.lock().unwrap().last().unwrap().verb, "DELETE");
}

#[tokio::test]
async fn a_revision_without_the_version_header_is_not_sent_one() {
    let fake = Fake::start(|r| match r.method() {
        "server/discover" => error(r, 200, -32601, ""),
        "initialize" => result(r, r#"{"protocolVersion":"2025-03-26","capabilities":{}}"#),
        "notifications/initialized" => accepted(),
        _ => result(r, "{}"),
    })
    .await;
    let client = fake.client();
    ask(&client, call("echo")).await.unwrap();
    assert_eq!(fake.last("tools/call").header("mcp-protocol-version"), None);
    assert_eq!(client.observed().version, Some(Version::V2025_03_26));
}

#[tokio::test]
async fn credentials_load_and_faults_say_nothing_about_the_era() {
    for status in [401, 403, 429, 500, 503] {
        let fake = Fake::start(move |_| json(status, "", "{}")).await;
        let client = fake.client();
        let inner = Box::new(UpstreamError::Status { status });
        assert_eq!(
            client.list(Kind::Tools).await.unwrap_err(),
            UpstreamError::Negotiation(inner)
        );
        assert_eq!(fake.methods(), ["server/discover"], "{status}");
    }
}

#[tokio::test]
async fn an_unsupported_version_is_not_followed_by_initialize() {
    let fake = Fake::start(|r| {
        error(
            r,
            400,
            -32022,
            r#","data":{"supported":["2099-01-01"],"requested":"2026-07-28"}"#,
        )
    })
    .await;
    let offered = r#"["2099-01-01"]"#.to_owned();
    assert_eq!(
        fake.client().list(Kind::Tools).await.unwrap_err(),
        UpstreamError::NoCommonVersion { offered }
    );
    assert_eq!(fake.methods(), ["server/discover"]);
}

#[tokio::test]
async fn a_version_that_is_refused_and_offered_at_once_is_asked_for_again() {
    let refused = AtomicU32::new(0);
    let fake = Fake::start(move |r| {
        if refused.fetch_add(1, Ordering::SeqCst) == 0 {
            let data = r#","data":{"supported":["2026-07-28"],"requested":"2026-07-28"}"#;
            return error(r, 400, -32022, data);
        }
        modern(r, |r| result(r, "{}"))
    })
    .await;
    let client = fake.client();
    client.list(Kind::Tools).await.unwrap();
    assert_eq!(client.observed().version, Some(Version::V2026_07_28));
    assert_eq!(
        fake.methods(),
        ["server/discover", "server/discover", "tools/list"]
    );
}

#[tokio::test]
async fn what_refuses_a_call_of_a_known_server_says_nothing_about_its_era() {
    for old in [false, true] {
        let refusing = Arc::new(AtomicU32::new(0));
        let status = Arc::clone(&refusing);
        let fake = Fake::start(move |r| {
            let call = |r: &super::support::Received| match status.load(Ordering::SeqCst) {
                0 => result(r, "{}"),
                status => json(u16::try_from(status).unwrap(), "", "{}"),
            };
            if old {
                legacy(r, call)
            } else {
                modern(r, call)
            }
        })
        .await;
        let client = fake.client();
        ask(&client, call("echo")).await.unwrap();
        let generation = client.generation(Kind::Tools);
        for status in [401, 403, 429, 500, 503] {
            refusing.store(status, Ordering::SeqCst);
            let status = u16::try_from(status).unwrap();
            assert_eq!(
                ask(&client, call("echo")).await,
                Err(UpstreamError::Status { status })
            );
        }
        refusing.store(0, Ordering::SeqCst);
        ask(&client, call("echo")).await.unwrap();
        assert_eq!(fake.count("server/discover"), 1);
        assert_eq!(fake.count("initialize"), usize::from(old));
        assert_eq!(client.generation(Kind::Tools), generation);
        client.close().await;
    }
}

#[tokio::test]
async fn an_old_server_is_initialized_again_at_once_and_one_that_became_new_is_found_out() {
    let step = Arc::new(AtomicU32::new(0));
    let now = Arc::clone(&step);
    let fake = Fake::start(move |r| match (now.load(Ordering::SeqCst), r.method()) {
        (1, "tools/call") => {
            now.store(2, Ordering::SeqCst);
            json(404, "", "{}")
        }
        (3, "tools/call") if r.header("mcp-method").is_none() => json(404, "", "{}"),
        (3, "initialize") => error(r, 400, -32022, r#","data":{"supported":["2026-07-28"]}"#),
        (3, _) => modern(r, |r| result(r, r#"{"new":true}"#)),
        _ => legacy(r, |r| result(r, "{}")),
    })
    .await;
    let client = fake.client();
    ask(&client, call("echo")).await.unwrap();
    step.store(1, Ordering::SeqCst);
    assert_eq!(ask(&client, call("echo")).await.unwrap(), "{}");
    assert_eq!(fake.count("server/discover"), 1, "it is remembered");
    assert_eq!(fake.count("initialize"), 2);
    step.store(3, Ordering::SeqCst);
    assert_eq!(ask(&client, call("echo")).await.unwrap(), r#"{"new":true}"#);
    assert_eq!(client.observed().version, Some(Version::V2026_07_28));
    assert_eq!(client.observed().downgrades, 0);
    client.close().await;
}

#[tokio::test]
async fn an_unknown_method_with_404_is_modern_and_with_200_is_legacy() {
    let fake = Fake::start(|r| match r.method() {
        "tools/list" => result(r, r#"{"tools":[]}"#),
        _ => error(r, 404, -32601, ""),
    })
    .await;
    let client = fake.client();
    client.list(Kind::Tools).await.unwrap();
    assert_eq!(client.observed().version, Some(Version::V2026_07_28));
    assert_eq!(fake.methods(), ["server/discover", "tools/list"]);
}

#[tokio::test]
async fn a_lost_session_is_opened_again_and_the_refused_call_sent_once_more() {
    let session = Arc::new(AtomicU32::new(1));
    let current = Arc::clone(&session);
    let fake = Fake::start(move |r| {
        let id = format!("s-{}", current.load(Ordering::SeqCst));
        match r.method() {
            "server/discover" => error(r, 400, -32000, ""),
            "initialize" => json(
                200,
                &format!("Mcp-Session-Id: {id}\r\n"),
                &format!(
                    r#"{{"jsonrpc":"2.0","id":{},"result":{{"protocolVersion":"2025-11-25"}}}}"#,
                    r.id()
                ),
            ),
            "notifications/initialized" => accepted(),
            _ if r.header("mcp-session-id") != Some(&id) => error(r, 404, -32001, ""),
            "tools/list" => result(r, r#"{"tools":[]}"#),
            _ => result(r, "{}"),
        }
    })
    .await;
    let client = fake.client();
    let listed = client.list(Kind::Tools).await.unwrap().generation;
    session.store(2, Ordering::SeqCst);
    ask(&client, call("echo")).await.unwrap();
    let calls = fake
        .methods()
        .iter()
        .filter(|method| *method == "tools/call")
        .count();
    assert_eq!(calls, 2);
    assert_ne!(client.generation(Kind::Tools), listed);
    // Decided on the old listing, the second attempt is not made.
    session.store(3, Ordering::SeqCst);
    let decided = Ask {
        listed: Some(client.generation(Kind::Tools)),
        ..call("echo")
    };
    assert_eq!(ask(&client, decided).await, Err(UpstreamError::Stale));
    let calls = fake
        .methods()
        .iter()
        .filter(|method| *method == "tools/call")
        .count();
    assert_eq!(calls, 3);
    client.close().await;
}

#[tokio::test]
async fn a_downgrade_from_the_modern_era_is_counted_and_the_failed_call_not_repeated() {
    let old = Arc::new(AtomicU32::new(0));
    let switch = Arc::clone(&old);
    let fake = Fake::start(move |r| {
        if switch.load(Ordering::SeqCst) == 0 {
            modern(r, |r| result(r, "{}"))
        } else {
            legacy(r, |r| result(r, r#"{"old":true}"#))
        }
    })
    .await;
    let client = fake.client();
    ask(&client, call("echo")).await.unwrap();
    old.store(1, Ordering::SeqCst);
    assert_eq!(ask(&client, call("echo")).await.unwrap(), "error -32000");
    assert_eq!(ask(&client, call("echo")).await.unwrap(), r#"{"old":true}"#);
    let observed = client.observed();
    assert_eq!(
        (observed.downgrades, observed.version),
        (1, Some(Version::V2025_11_25))
    );
    client.close().await;
}

#[tokio::test]
async fn a_listing_is_repeated_when_the_server_has_become_another() {
    let old = Arc::new(AtomicU32::new(0));
    let switch = Arc::clone(&old);
    let fake = Fake::start(move |r| {
        if switch.load(Ordering::SeqCst) == 0 {
            modern(r, |r| result(r, "{}"))
        } else {
            legacy(r, |r| result(r, "{}"))
        }
    })
    .await;
    let client = fake.client();
    client.list(Kind::Tools).await.unwrap();
    old.store(1, Ordering::SeqCst);
    assert_eq!(client.list(Kind::Tools).await.unwrap().items.len(), 1);
    client.close().await;
}

#[tokio::test]
async fn arguments_are_mirrored_as_the_schema_says_and_a_mismatch_lists_and_tries_once_more() {
    let named = Arc::new(AtomicU32::new(0));
    let switch = Arc::clone(&named);
    let fake = Fake::start(move |r| {
        let region = if switch.load(Ordering::SeqCst) == 0 { "Region" } else { "Place" };
        match r.method() {
            "tools/list" => result(
                r,
                &format!(
                    r#"{{"tools":[{{"name":"t","inputSchema":{{"properties":{{"r":{{"type":"string","x-mcp-header":"{region}"}},"n":{{"type":"integer","x-mcp-header":"N"}}}}}}}},{{"name":"bad","inputSchema":{{"properties":{{"r":{{"type":"number","x-mcp-header":"R"}}}}}}}}]}}"#
                ),
            ),
            _ => modern(r, |r| {
                let header = format!("mcp-param-{}", region.to_ascii_lowercase());
                if r.header(&header) == Some("eu") { result(r, "{}") } else { error(r, 400, -32020, "") }
            }),
        }
    })
    .await;
    let client = fake.client();
    let listing = client.list(Kind::Tools).await.unwrap();
    assert_eq!(
        listing.items.len(),
        1,
        "a tool whose marks cannot be honoured is dropped"
    );
    ask(&client, call_with("t", r#"{"r":"eu","n":42}"#))
        .await
        .unwrap();
    assert_eq!(fake.last("tools/call").header("mcp-param-n"), Some("42"));
    named.store(1, Ordering::SeqCst);
    assert_eq!(
        ask(&client, call_with("t", r#"{"r":"eu","n":null}"#))
            .await
            .unwrap(),
        "{}"
    );
    assert_eq!(
        fake.methods()[2..],
        ["tools/call", "tools/call", "tools/list", "tools/call"]
    );
    assert_eq!(fake.last("tools/call").header("mcp-param-n"), None);
}

#[tokio::test]
async fn a_session_id_that_no_header_may_carry_is_refused() {
    let fake = Fake::start(|r| match r.method() {
        "initialize" => json(
            200,
            "Mcp-Session-Id: a b\r\n",
            &format!(
                r#"{{"jsonrpc":"2.0","id":{},"result":{{"protocolVersion":"2025-11-25"}}}}"#,
                r.id()
            ),
        ),
        _ => error(r, 400, -32000, ""),
    })
    .await;
    let error = fake.client().list(Kind::Tools).await.unwrap_err();
    assert!(error.to_string().contains("session id"), "{error}");
    assert!(!error.sent());
}

#[tokio::test]
async fn a_server_that_speaks_neither_era_is_told_from_one_that_refuses() {
    let fake = Fake::start(|_| {
        Act::Write(
            b"HTTP/1.1 404 Not Found\r\nContent-Type: text/html\r\nContent-Length: 4\r\n\r\nnope"
                .to_vec(),
        )
    })
    .await;
    let inner = Box::new(UpstreamError::Status { status: 404 });
    assert_eq!(
        fake.client().list(Kind::Tools).await.unwrap_err(),
        UpstreamError::Negotiation(inner)
    );
    // The GET is the last way in.
    assert_eq!(fake.methods(), ["server/discover", "initialize", ""]);
}

#[tokio::test]
async fn many_first_callers_negotiate_once() {
    let fake = Fake::start(|r| legacy(r, |r| result(r, "{}"))).await;
    let client = fake.client();
    let calls = (0..32).map(|_| ask(&client, call("echo")));
    for reply in futures_util::future::join_all(calls).await {
        reply.unwrap();
    }
    let initialized = fake
        .methods()
        .iter()
        .filter(|method| *method == "initialize")
        .count();
    assert_eq!(initialized, 1);
    client.close().await;
}

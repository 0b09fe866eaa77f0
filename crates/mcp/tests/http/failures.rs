//! Servers that fail, lie, stall and flood.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use cmcp_mcp::{
    Server, UpstreamError,
    client::{
        HttpClient, HttpTarget, Identity, Reach, Timing,
        oauth::{SecretSource, Source},
    },
    tls::TlsPin,
    upstream::{Ask, ConnectFault, Kind, ProtocolFault},
};

use super::support::{Act, Fake, ask, call, events, json, legacy, modern, result, until};

#[tokio::test]
async fn a_port_where_nobody_listens_is_told_and_nothing_was_sent() {
    let free = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    let target =
        HttpTarget::parse(&format!("http://{free}/mcp?key=secret"), TlsPin::WebPki).unwrap();
    let client = HttpClient::new(target, Timing::default(), Identity::default()).unwrap();
    let error = ask(&client, call("echo")).await.unwrap_err();
    let cause = ConnectFault::Io(std::io::ErrorKind::ConnectionRefused);
    assert_eq!(
        error,
        UpstreamError::Connect {
            endpoint: format!("http://{free}/mcp"),
            cause
        }
    );
    assert!(!error.sent());
}

#[tokio::test]
async fn a_server_that_hangs_ends_at_the_deadline_and_is_hung_up_on() {
    let fake = Fake::start(|r| modern(r, |_| Act::Hang(Vec::new()))).await;
    let client = fake.client();
    client.list(Kind::Tools).await.unwrap();
    let after = Duration::from_millis(100);
    let error = ask(
        &client,
        Ask {
            deadline: after,
            ..call("echo")
        },
    )
    .await
    .unwrap_err();
    assert_eq!(error, UpstreamError::Timeout { sent: true, after });
    until("the hang-up", || fake.hung_up.load(Ordering::SeqCst) >= 1).await;
    let cancelled = fake
        .methods()
        .iter()
        .filter(|m| *m == "notifications/cancelled")
        .count();
    assert_eq!(cancelled, 0, "hanging up is the cancelling");
}

#[tokio::test]
async fn a_legacy_server_is_told_which_call_is_no_longer_waited_for() {
    let fake = Fake::start(|r| legacy(r, |_| Act::Hang(Vec::new()))).await;
    let client = fake.client();
    client.list(Kind::Tools).await.unwrap();
    let after = Duration::from_millis(100);
    ask(
        &client,
        Ask {
            deadline: after,
            ..call("echo")
        },
    )
    .await
    .unwrap_err();
    let told = || {
        fake.methods()
            .iter()
            .any(|method| method == "notifications/cancelled")
    };
    until("the notice", told).await;
    let notice = fake.last("notifications/cancelled");
    let asked = fake.last("tools/call").id();
    assert_eq!(
        notice.message.get("params").unwrap().to_string(),
        format!(r#"{{"requestId":{asked}}}"#)
    );
    client.close().await;
}

#[tokio::test]
async fn a_stream_that_trickles_comments_ends_at_the_deadline() {
    let fake = Fake::start(|r| {
        modern(r, |_| {
            Act::Hang(
                b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n: wait\n\n".to_vec(),
            )
        })
    })
    .await;
    let after = Duration::from_millis(100);
    let error = ask(
        &fake.client(),
        Ask {
            deadline: after,
            ..call("echo")
        },
    )
    .await
    .unwrap_err();
    assert_eq!(error, UpstreamError::Timeout { sent: true, after });
}

#[tokio::test]
async fn a_server_that_hangs_before_it_is_known_has_not_been_sent_the_call() {
    let fake = Fake::start(|_| Act::Hang(Vec::new())).await;
    let after = Duration::from_millis(100);
    let error = ask(
        &fake.client(),
        Ask {
            deadline: after,
            ..call("echo")
        },
    )
    .await
    .unwrap_err();
    assert_eq!(error, UpstreamError::Timeout { sent: false, after });
    assert_eq!(fake.methods(), ["server/discover"]);
}

#[tokio::test]
async fn a_server_that_dies_mid_answer_loses_the_call_once() {
    let deaths = [
        "",
        "HTTP/1.1 200 OK\r\nContent-Ty",
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{\"jsonrpc\"",
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"jso\r\n",
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n9\r\ndata: {\"a\r\n",
    ];
    for death in deaths {
        let fake =
            Fake::start(move |r| modern(r, |_| Act::WriteAndClose(death.as_bytes().to_vec())))
                .await;
        let client = fake.client();
        let error = ask(&client, call("echo")).await.unwrap_err();
        assert_eq!(error, UpstreamError::Lost { sent: true }, "{death}");
        let calls = fake
            .methods()
            .iter()
            .filter(|method| *method == "tools/call")
            .count();
        assert_eq!(calls, 1, "never sent again");
    }
}

#[tokio::test]
async fn a_stream_that_ends_without_an_answer_is_told_apart() {
    let fake = Fake::start(|r| modern(r, |_| events(": bye\n\n"))).await;
    let error = ask(&fake.client(), call("echo")).await.unwrap_err();
    assert_eq!(error, UpstreamError::Protocol(ProtocolFault::NoAnswer));
}

#[tokio::test]
async fn f07_a_chunked_flood_is_stopped_at_the_cap_and_not_behind_it() {
    for kind in ["application/json", "text/event-stream"] {
        let fake = Fake::start(move |r| {
            modern(r, |r| {
                let head = format!(
                    "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nTransfer-Encoding: chunked\r\n\r\n"
                );
                let start = format!(
                    "data: {{\"jsonrpc\":\"2.0\",\"id\":{},\"result\":\"",
                    r.id()
                );
                let start = format!("{head}{:x}\r\n{start}\r\n", start.len());
                let chunk = [b"10000\r\n".as_slice(), &[b'x'; 65536], b"\r\n"].concat();
                Act::Flood(start.into_bytes(), chunk)
            })
        })
        .await;
        let client = fake.client();
        let error = ask(
            &client,
            Ask {
                max_bytes: 2 << 20,
                ..call("echo")
            },
        )
        .await
        .unwrap_err();
        assert_eq!(error, UpstreamError::TooLarge { limit: 2 << 20 });
        until("the hang-up", || fake.hung_up.load(Ordering::SeqCst) >= 1).await;
        let flooded = fake.flooded.load(Ordering::SeqCst);
        assert!(
            flooded < 20 << 20,
            "{flooded} bytes of what could have been 200 MB"
        );
    }
}

#[tokio::test]
async fn a_declared_length_above_the_cap_is_refused_before_it_is_read() {
    let fake = Fake::start(|r| {
        modern(r, |_| Act::Hang(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 209715200\r\n\r\n".to_vec()))
    })
    .await;
    let error = ask(&fake.client(), call("echo")).await.unwrap_err();
    assert_eq!(error, UpstreamError::TooLarge { limit: 1 << 20 });
}

#[tokio::test]
async fn h11_a_result_of_exactly_the_cap_passes_and_one_byte_more_does_not() {
    for stream in [false, true] {
        let fake = Fake::start(move |r| {
            modern(r, |r| {
                let body = format!(
                    r#"{{"jsonrpc":"2.0","id":{},"result":["{}"]}}"#,
                    r.id(),
                    "x".repeat(r.tool().parse::<usize>().unwrap() - 4)
                );
                if stream {
                    events(&format!("data: {body}\n\n"))
                } else {
                    json(200, "", &body)
                }
            })
        })
        .await;
        let client = fake.client();
        let sized = |bytes: &str| Ask {
            max_bytes: 5000,
            ..call(bytes)
        };
        assert_eq!(ask(&client, sized("5000")).await.unwrap().len(), 5000);
        assert_eq!(
            ask(&client, sized("5001")).await,
            Err(UpstreamError::TooLarge { limit: 5000 })
        );
    }
}

#[tokio::test]
async fn a_flood_of_notifications_is_cut_off() {
    let fake = Fake::start(|r| {
        modern(r, |_| {
            let event = b"data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\"}\n\n";
            let chunk = [format!("{:x}\r\n", event.len() * 64).as_bytes(), &event.repeat(64), b"\r\n"].concat();
            let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
            Act::Flood(head.as_bytes().to_vec(), chunk)
        })
    })
    .await;
    let error = ask(&fake.client(), call("echo")).await.unwrap_err();
    assert_eq!(error, UpstreamError::Protocol(ProtocolFault::Flood));
}

const JSON: &str = "200 OK\r\nContent-Type: application/json";

/// Answers a call with this head and body, and tells what became of the call.
async fn answered_with(head: &'static str, body: &'static str) -> UpstreamError {
    let fake = Fake::start(move |r| {
        let length = body.len();
        let text = format!("HTTP/1.1 {head}\r\nContent-Length: {length}\r\n\r\n{body}");
        modern(r, |_| Act::Write(text.into_bytes()))
    })
    .await;
    let error = ask(&fake.client(), call("echo")).await.unwrap_err();
    assert!(error.sent());
    assert_eq!(fake.methods(), ["server/discover", "tools/call"], "{head}");
    error
}

#[tokio::test]
async fn bodies_that_are_not_what_was_asked_for_are_refused() {
    let html = "200 OK\r\nContent-Type: text/html";
    let gzip = "200 OK\r\nContent-Type: application/json\r\nContent-Encoding: gzip";
    let twice = r#"{"jsonrpc":"2.0","id":1,"id":1,"result":{}}"#;
    let cases = [
        (html, "<html>", ProtocolFault::ContentType),
        (JSON, "nope", ProtocolFault::NotJson),
        (JSON, twice, ProtocolFault::NotJson),
        (JSON, "[]", ProtocolFault::NotJsonRpc),
        (gzip, "\x1f", ProtocolFault::ContentEncoding),
        ("202 Accepted", "", ProtocolFault::NoAnswer),
    ];
    for (head, body, fault) in cases {
        assert_eq!(
            answered_with(head, body).await,
            UpstreamError::Protocol(fault),
            "{head} {body}"
        );
    }
}

#[tokio::test]
async fn statuses_are_told_and_redirects_not_followed() {
    let redirect = "302 Found\r\nLocation: http://169.254.169.254/";
    for (head, status) in [
        (redirect, 302),
        ("401 Unauthorized", 401),
        ("502 Bad Gateway\r\nContent-Type: text/html", 502),
    ] {
        assert_eq!(
            answered_with(head, "").await,
            UpstreamError::Status { status }
        );
    }
}

#[tokio::test]
async fn a_malformed_http_answer_is_told_apart() {
    let fake = Fake::start(|r| {
        modern(r, |_| {
            Act::WriteAndClose(b"SSH-2.0-OpenSSH_9.2\r\n\r\n".to_vec())
        })
    })
    .await;
    let error = ask(&fake.client(), call("echo")).await.unwrap_err();
    assert_eq!(error, UpstreamError::Protocol(ProtocolFault::Http));
}

#[tokio::test]
async fn a_kept_connection_that_the_server_has_closed_costs_no_call() {
    let fake = Fake::start(|r| {
        let (Act::Write(bytes) | Act::WriteAndClose(bytes)) = modern(r, |r| result(r, "{}")) else {
            panic!()
        };
        // Without `Connection: close`: as a server whose time for idle connections is over.
        Act::WriteAndClose(bytes)
    })
    .await;
    let client = fake.client();
    for _ in 0..20 {
        ask(&client, call("echo")).await.unwrap();
    }
}

#[tokio::test]
async fn f18_an_address_that_is_not_public_has_to_be_named_or_allowed() {
    let fake = Fake::start(|r| modern(r, |r| result(r, "{}"))).await;
    let target = HttpTarget::parse(&fake.url(), TlsPin::WebPki)
        .unwrap()
        .with_reach(Reach::Public);
    let client = HttpClient::new(target, Timing::default(), Identity::default()).unwrap();
    let error = ask(&client, call("echo")).await.unwrap_err();
    let cause = ConnectFault::Address(fake.address.ip());
    assert_eq!(
        error,
        UpstreamError::Connect {
            endpoint: fake.url(),
            cause
        }
    );
    assert_eq!(fake.connections.load(Ordering::SeqCst), 0);
    let target = HttpTarget::parse("http://169.254.169.254/latest", TlsPin::WebPki).unwrap();
    let client = HttpClient::new(target, Timing::default(), Identity::default()).unwrap();
    let error = ask(&client, call("echo")).await.unwrap_err();
    assert!(
        matches!(
            error,
            UpstreamError::Connect {
                cause: ConnectFault::Address(_),
                ..
            }
        ),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_credential_is_sent_with_every_request_and_never_shown() {
    let fake = Fake::start(|r| legacy(r, |r| result(r, "{}"))).await;
    let target = HttpTarget::parse(&fake.url(), TlsPin::WebPki).unwrap();
    let source = Source::bearer(SecretSource::fixed("t0ken".to_owned()), Arc::new(|| 0));
    let target = target.with_credential(Arc::new(source));
    assert!(!format!("{target:?}").contains("t0ken"));
    let client = HttpClient::new(target, Timing::default(), Identity::default()).unwrap();
    ask(&client, call("echo")).await.unwrap();
    client.close().await;
    let log = fake.log.lock().unwrap();
    assert!(
        log.iter()
            .all(|received| received.header("authorization") == Some("Bearer t0ken"))
    );
}

#[tokio::test]
async fn a_call_that_nobody_waits_for_any_more_is_cancelled() {
    let fake = Fake::start(|r| legacy(r, |_| Act::Hang(Vec::new()))).await;
    let client = fake.client();
    client.list(Kind::Tools).await.unwrap();
    {
        let abandoned = client.ask(call("echo"));
        tokio::pin!(abandoned);
        let arrived = until("the call", || {
            fake.methods().iter().any(|method| method == "tools/call")
        });
        tokio::select! {
            _ = &mut abandoned => panic!("it hangs"),
            () = arrived => {}
        }
    }
    until("the notice", || {
        fake.methods()
            .iter()
            .any(|m| m == "notifications/cancelled")
    })
    .await;
    client.close().await;
}

#[tokio::test]
async fn a_server_that_comes_back_may_be_another_one() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let target = HttpTarget::parse(&format!("http://{address}/mcp"), TlsPin::WebPki).unwrap();
    let client = HttpClient::new(target, Timing::default(), Identity::default()).unwrap();
    let before = client.generation(Kind::Tools);
    client.list(Kind::Tools).await.unwrap_err();
    let listener = tokio::net::TcpListener::bind(address).await.unwrap();
    let served = tokio::spawn(async move {
        let _ = listener.accept().await;
    });
    client.list(Kind::Tools).await.unwrap_err();
    assert_ne!(client.generation(Kind::Tools), before);
    served.await.unwrap();
}

#[tokio::test]
async fn nothing_is_sent_after_close() {
    let fake = Fake::start(|r| modern(r, |r| result(r, "{}"))).await;
    let client = fake.client();
    ask(&client, call("echo")).await.unwrap();
    client.close().await;
    assert_eq!(ask(&client, call("echo")).await, Err(UpstreamError::Closed));
    until("the hang-up", || {
        fake.hung_up.load(Ordering::SeqCst) == fake.connections.load(Ordering::SeqCst)
    })
    .await;
}

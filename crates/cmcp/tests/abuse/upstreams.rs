//! Servers that lie, hang, flood or die. Each call has a clear error and one outcome, and the
//! gateway serves on.

use std::{
    thread,
    time::{Duration, Instant},
};

use crate::support::{ALICE, Answer, Gate, Gateway, Reply, Server, Setup, server::Seen};

fn echo(gateway: &Gateway) -> Answer {
    gateway.call("echo", r#"{"text":"a"}"#)
}

fn failed(answer: &Answer) {
    let expected = (502, -32000, "UPSTREAM_UNAVAILABLE".to_owned());
    assert_eq!(answer.refusal(), expected, "{}", answer.text());
    assert!(!answer.text().contains("inner-detail"), "{}", answer.text());
}

/// Alone with one way of misbehaving in calls.
fn against(
    (server, gateway): (&Server, &Gateway),
    way: impl Fn(&Seen) -> Reply + Send + Sync + 'static,
    code: &str,
) {
    server.act_on_calls(way);
    let answer = echo(gateway);
    failed(&answer);
    assert_eq!(gateway.verdict(&answer), [code, "fault", "outcome-unknown"]);
    server.behave();
    gateway.still_serves();
}

#[test]
fn an_answer_under_another_id_is_nobodys_answer() {
    let (server, setup) = Setup::usual();
    let gateway = setup.start();
    let result = r#"{"content":[{"type":"text","text":"inner-detail"}]}"#;
    for id in ["999", "\"1\"", "1.0", "-1", "\"x\""] {
        let way = move |_: &Seen| {
            Reply::Json(format!(
                r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#
            ))
        };
        against((&server, &gateway), way, "upstream:wrong_id");
    }
    gateway.finish();
}

#[test]
fn an_answer_that_is_no_answer_is_a_fault() {
    let (server, setup) = Setup::usual();
    let gateway = setup.start();
    type Way = fn(&Seen) -> Reply;
    let ways: [(Way, &str); 14] = [
        (
            |_| Reply::Json("{\"jsonrpc\":\"2.0\"".to_owned()),
            "upstream:protocol",
        ),
        (
            |_| Reply::Json("inner-detail".to_owned()),
            "upstream:protocol",
        ),
        (|_| Reply::Json("[]".to_owned()), "upstream:protocol"),
        (|_| Reply::Json("null".to_owned()), "upstream:protocol"),
        (
            |seen| Reply::Json(format!("{0}{0}", seen.result_text("{}"))),
            "upstream:protocol",
        ),
        (
            |seen| seen.result(r#"{"content":[],"content":[]}"#),
            "upstream:protocol",
        ),
        (|seen| seen.result(r#"{"n":NaN}"#), "upstream:protocol"),
        (|seen| seen.result(r#"{"t":"\ud800"}"#), "upstream:protocol"),
        (
            |seen| seen.result(&"[".repeat(100_000)),
            "upstream:protocol",
        ),
        (
            |_| Reply::Http(200, "text/html", b"<p>inner-detail</p>".to_vec()),
            "upstream:protocol",
        ),
        (
            |_| Reply::Http(302, "text/html", b"inner-detail".to_vec()),
            "upstream:status",
        ),
        (
            |_| Reply::Http(500, "text/plain", b"inner-detail".to_vec()),
            "upstream:status",
        ),
        (
            |_| Reply::Events(vec!["not json".to_owned()]),
            "upstream:protocol",
        ),
        (|_| Reply::Events(Vec::new()), "upstream:protocol"),
    ];
    for (way, code) in ways {
        against((&server, &gateway), way, code);
    }
    gateway.finish();
}

#[test]
fn a_server_that_dies_mid_answer_loses_the_call_and_nothing_is_repeated() {
    let (server, setup) = Setup::usual();
    let gateway = setup.start();
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{\"jsonrpc\":\"2.0\",\"id\":1,";
    let events = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n5\r\ndata:\r\n";
    for (bytes, code) in [
        ("", "upstream_lost"),
        (head, "upstream_lost"),
        (events, "upstream_lost"),
        ("HTTP/1.1 200", "upstream_lost"),
        ("inner-detail\r\n\r\n", "upstream:protocol"),
    ] {
        let before = server.calls().len();
        let way = move |_: &Seen| Reply::Wire(bytes.as_bytes().to_vec());
        server.act_on_calls(way);
        let answer = gateway.call("pay", r#"{"amount":1}"#);
        failed(&answer);
        assert_eq!(
            gateway.verdict(&answer),
            [code, "fault", "outcome-unknown"],
            "{bytes:?}"
        );
        assert_eq!(
            server.calls().len(),
            before + 1,
            "a call that may have run is not repeated"
        );
        server.behave();
        gateway.still_serves();
    }
    gateway.finish();
}

#[test]
fn a_server_that_hangs_is_given_up_at_the_deadline() {
    let (server, setup) = Setup::usual();
    let gateway = setup.settings("upstream_timeout_seconds: 1\n").start();
    let gate = Gate::default();
    let held = gate.clone();
    server.act(move |seen| {
        if seen.is_call() && seen.tool() == "pay" {
            held.wait();
        }
        None
    });
    let asked = Instant::now();
    let answer = thread::scope(|scope| {
        let hanging = scope.spawn(|| gateway.call("pay", r#"{"amount":1}"#));
        server.await_calls(1);
        // Nobody else waits meanwhile.
        gateway.still_serves();
        hanging.join().unwrap()
    });
    failed(&answer);
    assert!(
        asked.elapsed() < Duration::from_secs(10),
        "{:?}",
        asked.elapsed()
    );
    assert_eq!(
        gateway.verdict(&answer),
        ["upstream_timeout", "fault", "outcome-unknown"]
    );
    // The older revisions are told, since hanging up says nothing there.
    server.await_requests(1, |seen| seen.method == "notifications/cancelled");
    gate.open();
    gateway.finish();
}

#[test]
fn an_answer_in_crumbs_without_end_is_given_up_at_the_same_deadline() {
    let (server, setup) = Setup::usual();
    let gateway = setup.settings("upstream_timeout_seconds: 1\n").start();
    server.act_on_calls(|_| {
        let head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
        Reply::Endless(head.to_vec(), b"4\r\n:a\n\n\r\n".to_vec())
    });
    let asked = Instant::now();
    let answer = echo(&gateway);
    failed(&answer);
    assert!(
        asked.elapsed() < Duration::from_secs(5),
        "{:?}",
        asked.elapsed()
    );
    let verdict = gateway.verdict(&answer);
    // What comes first depends on how fast they are read.
    assert!(
        ["upstream_timeout", "upstream:protocol"].contains(&verdict[0].as_str()),
        "{verdict:?}"
    );
    server.behave();
    gateway.still_serves();
    gateway.finish();
}

#[test]
fn a_flood_is_cut_off_and_its_bytes_are_not_kept() {
    let (server, setup) = Setup::usual();
    let gateway = setup.start();
    gateway.still_serves();
    gateway.peak();
    let before = gateway.status("VmRSS");
    let json = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n".to_vec();
    let events = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n".to_vec();
    let notice =
        b"data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{}}\n\n"
            .repeat(100);
    let asked = b"data: {\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"roots/list\"}\n\n".repeat(10);
    let line = [b'x'; 0x10000].to_vec();
    let floods = [
        (
            json.clone(),
            line.clone(),
            (403, "response_size_exceeded", "deny", "response"),
        ),
        (
            events.clone(),
            [b"data: ".as_slice(), &line].concat(),
            (403, "response_size_exceeded", "deny", "response"),
        ),
        (
            events.clone(),
            notice,
            (502, "upstream:protocol", "fault", "outcome-unknown"),
        ),
        (
            events,
            asked,
            (502, "upstream:protocol", "fault", "outcome-unknown"),
        ),
        (
            b"HTTP/1.1 200 OK\r\nX-A: ".to_vec(),
            line,
            (502, "upstream:protocol", "fault", "outcome-unknown"),
        ),
    ];
    for (first, again, (status, code, verdict, result)) in floods {
        server.act_on_calls(move |_| Reply::Endless(first.clone(), again.clone()));
        let answer = echo(&gateway);
        assert_eq!(answer.status, status, "{}", answer.text());
        assert_eq!(gateway.verdict(&answer), [code, verdict, result]);
        server.behave();
        gateway.still_serves();
    }
    let grown = gateway.peak().saturating_sub(before);
    assert!(grown < 32 << 10, "{grown} KiB for answers of at most 2048");
    gateway.finish();
}

#[test]
fn the_cap_is_on_the_bytes_that_come_whatever_length_was_declared() {
    let (server, setup) = Setup::usual();
    let gateway = setup.settings("max_response_size_bytes: 1000\n").start();
    let filled = |size: usize| {
        let empty = r#"{"content":[{"type":"text","text":""}]}"#;
        empty.replace(
            r#""text":"""#,
            &format!(r#""text":"{}""#, "a".repeat(size - empty.len())),
        )
    };
    for (size, status) in [(1000, 200), (1001, 403), (100_000, 403)] {
        server.act_on_calls(move |seen| seen.result(&filled(size)));
        let answer = echo(&gateway);
        assert_eq!(answer.status, status, "{size}: {}", answer.text());
        if status == 403 {
            assert_eq!(
                gateway.verdict(&answer),
                ["response_size_exceeded", "deny", "response"]
            );
        }
    }
    // A length that promises little, and one that promises much.
    server.act_on_calls(move |seen| {
        let body = seen.result_text(&filled(2000));
        Reply::Wire(format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 20\r\n\r\n{body}").into_bytes())
    });
    failed(&echo(&gateway));
    server.act_on_calls(|_| {
        Reply::Wire(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 99999999999\r\n\r\n{}".to_vec())
    });
    assert_eq!(
        gateway.verdict(&echo(&gateway))[0],
        "response_size_exceeded"
    );
    server.behave();
    gateway.still_serves();
    gateway.finish();
}

#[test]
fn a_compressed_answer_is_not_unpacked() {
    let (server, setup) = Setup::usual();
    let gateway = setup.start();
    let way = |_: &Seen| {
        Reply::Wire(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\n\x1f\x8b\x08\x00".to_vec())
    };
    against((&server, &gateway), way, "upstream:protocol");
    let sent = server.requests();
    assert!(
        sent.iter()
            .all(|seen| seen.header("accept-encoding").is_none()),
        "{sent:?}"
    );
    gateway.finish();
}

#[test]
fn a_callers_credentials_go_no_further() {
    let (server, setup) = Setup::usual();
    let gateway = setup.start();
    let body = crate::support::gateway::call("echo", r#"{"text":"a"}"#);
    let more = [
        ("Cookie", "session=mine"),
        ("X-Api-Key", "mine"),
        ("Mcp-Param-Text", "mine"),
    ];
    assert_eq!(gateway.post_as(ALICE, body.as_bytes(), &more).status, 200);
    for seen in server.requests() {
        for name in [
            "authorization",
            "cookie",
            "x-api-key",
            "mcp-param-text",
            "origin",
        ] {
            assert_eq!(seen.header(name), None, "{seen:?}");
        }
        crate::support::gateway::private(&format!("{seen:?}"), "what the server was sent");
    }
    gateway.finish();
}

#[test]
fn a_server_that_is_not_there_is_a_clear_error_and_comes_back_by_itself() {
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/mcp", gone.local_addr().unwrap());
    drop(gone);
    let (server, setup) = Setup::usual();
    let far = crate::support::Tool::named("far").of("far");
    let setup = setup.policy(crate::support::setup::ALL);
    let gateway = setup.server("far", &url).tools(&[far]).start();
    let answer = gateway.call("far__far", "{}");
    failed(&answer);
    assert_eq!(
        gateway.verdict(&answer),
        ["upstream:connect", "fault", "transport-failure"]
    );
    assert_eq!(gateway.call("up__echo", r#"{"text":"a"}"#).status, 200);
    assert_eq!(server.calls().len(), 1);
    gateway.finish();
}

#[test]
fn v6_descriptors_and_memory_return_to_where_they_were() {
    let (server, setup) = Setup::usual();
    let gateway = setup.start();
    gateway.still_serves();
    let (descriptors, threads) = (gateway.descriptors(), gateway.status("Threads"));
    let round = |times: usize| {
        for _ in 0..times {
            server.act_on_calls(|_| Reply::Wire(Vec::new()));
            failed(&echo(&gateway));
            server.behave();
            gateway.post("{\"a\":1,\"a\":2}");
            gateway.call("pay", r#"{"amount":5000}"#);
            gateway.still_serves();
        }
    };
    round(5);
    let resident = gateway.status("VmRSS");
    round(20);
    let grown = gateway.status("VmRSS").saturating_sub(resident);
    assert!(grown < 4 << 10, "{grown} KiB more");
    assert!(
        gateway.descriptors() <= descriptors + 2,
        "{} after {descriptors}",
        gateway.descriptors()
    );
    assert!(gateway.status("Threads") <= threads + 2);
    gateway.finish();
}

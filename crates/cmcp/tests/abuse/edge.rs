//! The HTTP edge: sites, sizes, framing.

use std::time::{Duration, Instant};

use crate::support::{ALICE, Gateway, OPERATOR, Setup, gateway::call};

const LIMIT: usize = 4 << 20;

fn raw(gateway: &Gateway, headers: &[(&str, &str)], body: &[u8]) -> (u16, String) {
    let bearer = format!("Bearer {ALICE}");
    let mut all = vec![
        ("Authorization", bearer.as_str()),
        ("Content-Type", "application/json"),
        ("Connection", "close"),
    ];
    all.extend_from_slice(headers);
    let mut connection = gateway.connect();
    connection.request("POST /mcp", &all, body).unwrap();
    let answer = gateway.heard(connection.read().unwrap());
    (answer.status, answer.text())
}

#[test]
fn a_page_of_another_site_is_turned_away_before_its_body_is_looked_at() {
    let (server, setup) = Setup::usual();
    let gateway = setup.start();
    let own = gateway.addr.to_string();
    let body = call("echo", r#"{"text":"a"}"#);
    for headers in [
        vec![("Host", "evil.example")],
        vec![("Host", "127.0.0.1.evil.example")],
        vec![("Host", "")],
        vec![("Host", own.as_str()), ("Host", own.as_str())],
        vec![("Host", own.as_str()), ("Origin", "https://evil.example")],
        vec![("Host", own.as_str()), ("Origin", "null")],
        vec![("Host", own.as_str()), ("Origin", "http://127.0.0.1:1")],
        vec![("Host", own.as_str()), ("Origin", "")],
    ] {
        for body in [body.as_bytes(), b"{not json"] {
            let (status, text) = raw(&gateway, &headers, body);
            assert!(
                status == 403 || status == 400,
                "{headers:?}: {status} {text}"
            );
            assert!(!text.contains("evil.example"), "{text}");
            assert!(!text.contains("-32700"), "the body was not read: {text}");
        }
        for line in ["GET /tools/list", "GET /metrics", "POST /kill-switch/trip"] {
            let mut all = headers.clone();
            let operator = format!("Bearer {OPERATOR}");
            all.push(("Authorization", &operator));
            let mut connection = gateway.connect();
            connection.request(line, &all, b"").unwrap();
            let status = connection.read().unwrap().status;
            assert!(
                status == 403 || status == 400,
                "{line} {headers:?}: {status}"
            );
        }
    }
    assert!(server.is_untouched());
    assert_eq!(
        raw(
            &gateway,
            &[("Host", &own), ("Origin", &format!("http://{own}"))],
            body.as_bytes()
        )
        .0,
        200
    );
    gateway.finish();
}

#[test]
fn a_chunked_body_of_200_megabytes_is_stopped_at_the_cap() {
    let (server, setup) = Setup::usual();
    let gateway = setup.start();
    gateway.still_serves();
    gateway.peak();
    let before = gateway.status("VmRSS");
    let mut connection = gateway.connect();
    let head = format!(
        "POST /mcp HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {ALICE}\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n",
        gateway.addr
    );
    connection.write(head.as_bytes()).unwrap();
    let chunk = [b"10000\r\n".as_slice(), &[b' '; 0x10000], b"\r\n"].concat();
    let mut sent = 0;
    while sent < 200 << 20 && connection.write(&chunk).is_ok() {
        sent += 0x10000;
    }
    // What the kernel's buffers take comes on top of what was read.
    assert!(sent < LIMIT + (32 << 20), "{sent} bytes were taken");
    match connection.read() {
        Ok(answer) => assert_eq!(answer.refusal().0, 413),
        // The refusal may be lost where the rest of the body was still on its way.
        Err(error) => assert!(connection.is_closed(), "{error}"),
    }
    let grown = gateway.peak().saturating_sub(before);
    assert!(grown < 3 * 4096, "{grown} KiB for a body of at most 4096");
    assert_eq!(server.calls().len(), 1);
    gateway.still_serves();
    gateway.finish();
}

#[test]
fn a_body_in_crumbs_takes_no_more_room_than_any_other() {
    let (_server, setup) = Setup::usual();
    let gateway = setup.start();
    gateway.still_serves();
    gateway.peak();
    let before = gateway.status("VmRSS");
    let mut connection = gateway.connect();
    let head = format!(
        "POST /mcp HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {ALICE}\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n",
        gateway.addr
    );
    let blanks = b"1\r\n \r\n".repeat(200_000);
    connection.write(head.as_bytes()).unwrap();
    connection
        .write(&[blanks.as_slice(), b"0\r\n\r\n"].concat())
        .unwrap();
    assert_eq!(connection.read().unwrap().refusal().1, -32700);
    let grown = gateway.peak().saturating_sub(before);
    assert!(grown < 2048, "{grown} KiB for a body of 200");
    gateway.finish();
}

#[test]
fn a_declared_length_beyond_the_cap_is_refused_before_the_first_byte() {
    let (_server, setup) = Setup::usual();
    let gateway = setup.start();
    for length in ["4194305", "209715200", "99999999999999"] {
        let mut connection = gateway.connect();
        let head = format!(
            "POST /mcp HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {ALICE}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n",
            gateway.addr
        );
        connection.write(head.as_bytes()).unwrap();
        let answer = connection.read().unwrap();
        let (status, code, _) = answer.refusal();
        assert_eq!((status, code), (413, -32600), "{length}: {}", answer.text());
    }
    gateway.finish();
}

fn deep(levels: usize) -> String {
    format!("{}1{}", r#"{"a":"#.repeat(levels), "}".repeat(levels))
}

fn wide(members: usize) -> String {
    let members: Vec<String> = (0..members).map(|at| format!("\"{at}\":1")).collect();
    format!("{{{}}}", members.join(","))
}

/// Bodies that are too much of something, and how they are refused.
fn hostile() -> [(String, u16, i64); 8] {
    let extra = |value: &str| call("pay", &format!(r#"{{"extra":{value}}}"#));
    let text = |text: &str| call("echo", &format!(r#"{{"text":"{text}"}}"#));
    [
        (extra(&deep(100_000)), 400, -32700),
        (extra(&"[".repeat(1_000_000)), 400, -32700),
        (extra(&deep(64)), 400, -32700),
        (extra(&wide(200_000)), 400, -32700),
        (extra(&wide(1_000_000)), 413, -32600),
        (text(&"a".repeat(100 << 20)), 413, -32600),
        (text(&"\\u0000".repeat(1_000_000)), 413, -32600),
        (text(&"\\u0000".repeat(600_000)), 400, -32700),
    ]
}

#[test]
fn e20_depth_members_and_sizes_are_bounded_in_time_and_memory() {
    let (server, setup) = Setup::usual();
    let gateway = setup.start();
    gateway.still_serves();
    gateway.peak();
    let before = gateway.status("VmRSS");
    for (body, status, code) in hostile() {
        let asked = Instant::now();
        let answer = gateway.post(&body);
        let within = asked.elapsed();
        let refusal = answer.refusal();
        assert_eq!(
            (refusal.0, refusal.1),
            (status, code),
            "{body:.80}: {}",
            answer.text()
        );
        // The time of an unoptimized build that shares its processor with other tests.
        assert!(within < Duration::from_secs(3), "{within:?}: {body:.80}");
    }
    let grown = gateway.peak().saturating_sub(before);
    assert!(grown < 3 * 4096, "{grown} KiB for bodies of at most 4096");
    assert!(server.calls().len() == 1);
    // Exactly the limits are fine.
    let most = call("pay", &format!(r#"{{"extra":{}}}"#, deep(60)));
    assert_eq!(gateway.post(&most).status, 200);
    let text = "a".repeat(LIMIT - call("echo", r#"{"text":""}"#).len());
    assert_eq!(
        gateway
            .call("echo", &format!(r#"{{"text":"{text}"}}"#))
            .status,
        403,
        "too large an answer"
    );
    gateway.still_serves();
    gateway.finish();
}

#[test]
fn a_request_that_two_servers_could_frame_differently_is_not_read_on() {
    let (server, setup) = Setup::usual();
    let gateway = setup.start();
    let inner = call("pay", r#"{"amount":1}"#);
    let smuggled = format!(
        "POST /mcp HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {ALICE}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{inner}",
        gateway.addr,
        inner.len()
    );
    let list = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
    for framing in [
        format!(
            "Content-Length: {}\r\nContent-Length: {}",
            list.len(),
            list.len() + smuggled.len()
        ),
        format!(
            "Content-Length: {}\r\nTransfer-Encoding: chunked",
            list.len()
        ),
        "Transfer-Encoding: chunked, identity".to_owned(),
        "Transfer-Encoding : chunked".to_owned(),
        format!("Content-Length: +{}", list.len()),
        format!("X-A: b\r\n folded\r\nContent-Length: {}", list.len()),
    ] {
        let mut connection = gateway.connect();
        let head = format!(
            "POST /mcp HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {ALICE}\r\nContent-Type: application/json\r\n{framing}\r\n\r\n",
            gateway.addr
        );
        let _closed_early = connection.write(format!("{head}{list}{smuggled}").as_bytes());
        while let Ok(answer) = connection.read() {
            assert!(
                answer.header("cmcp-call-id").is_none(),
                "{framing}: {}",
                answer.text()
            );
        }
    }
    assert!(server.is_untouched());
    gateway.still_serves();
    gateway.finish();
}

#[test]
fn m08_there_is_nothing_to_debug_with_and_nothing_of_a_caller_in_the_metrics() {
    let (_server, setup) = Setup::usual();
    let gateway = setup.start();
    gateway.call(
        "pay",
        &format!(r#"{{"amount":5000,"note":"{}"}}"#, crate::support::PRIVATE),
    );
    gateway.call("never-heard-of-\"it\"\nx", "{}");
    gateway.still_serves();
    for path in [
        "/debug",
        "/debug/pprof",
        "/debug/pprof/heap",
        "/debug/vars",
        "/pprof",
        "/trace",
        "/env",
        "/config",
        "/actuator",
        "/console",
        "/dump",
        "/status",
        "/admin",
        "/.env",
        "/metrics/",
        "/mcp/..;/metrics",
        "/%2e%2e/metrics",
        "//metrics",
        "/health/",
        "/sessions",
    ] {
        for token in [ALICE, OPERATOR] {
            let answer = gateway.asked(token, &format!("GET {path}"), "");
            assert_eq!(answer.status, 404, "{path}: {}", answer.text());
        }
    }
    assert_eq!(gateway.asked(ALICE, "GET /metrics", "").status, 404);
    assert_eq!(gateway.request("GET /metrics", &[], b"").status, 401);
    let metrics = gateway.operator("GET /metrics", "").text();
    for word in [
        "alice",
        "bob",
        "echo",
        "pay",
        "heard",
        "finance",
        "127.0.0.1",
    ] {
        assert!(!metrics.contains(word), "`{word}` in {metrics}");
    }
    crate::support::gateway::private(&metrics, "the metrics");
    assert!(
        metrics.contains("cmcp_calls_total{outcome=\"policy_deny\"} 1"),
        "{metrics}"
    );
    gateway.finish();
}

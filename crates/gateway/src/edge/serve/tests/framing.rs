use super::{CLOSE, PING, Served, call, request, statuses};

/// A request that could end at two places, with a call behind the earlier one.
fn hidden(framing: &str, body: &str) -> String {
    let head = request("POST /mcp", &format!("{framing}\r\n"), "");
    format!("{head}{body}{}", call(CLOSE))
}

#[tokio::test(flavor = "multi_thread")]
async fn f05_a_connection_that_could_be_read_in_two_ways_ends_and_nothing_behind_is_read() {
    let served = Served::usual().await;
    let (length, all) = (PING.len(), PING.len() + call(CLOSE).len());
    let chunked = format!("{length:x}\r\n{PING}\r\n0\r\n\r\n");
    let cases = [
        hidden(
            &format!("Content-Length: {length}\r\nContent-Length: {all}"),
            PING,
        ),
        hidden(
            &format!("Content-Length: {length}\r\nContent-Length: {length}"),
            PING,
        ),
        hidden(&format!("Content-Length: {length}, {length}"), PING),
        hidden(&format!("Content-Length: +{length}"), PING),
        hidden(&format!("Content-Length : {length}"), PING),
        hidden(
            &format!("Content-Length: {length}\r\nTransfer-Encoding: chunked"),
            &chunked,
        ),
        hidden(
            &format!("Transfer-Encoding: chunked\r\nContent-Length: {length}"),
            &chunked,
        ),
        hidden(
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
            &chunked,
        ),
        hidden("Transfer-Encoding: xchunked", &chunked),
        hidden("Transfer-Encoding: identity, chunked", &chunked),
        hidden("Transfer-Encoding:\u{b}chunked", &chunked),
        hidden("Transfer-Encoding : chunked", &chunked),
        hidden(
            &format!("X: a\r\n Content-Length: 0\r\nContent-Length: {length}"),
            PING,
        ),
        hidden(&format!("X: a\nContent-Length: {length}"), PING),
        hidden(&format!("X: a\rContent-Length: {length}"), PING),
        hidden(&format!("X\0: a\r\nContent-Length: {length}"), PING),
        call("").replace("\r\n", "\n"),
        format!("\n{}", call(CLOSE)),
    ];
    for case in &cases {
        let read = served.exchange(case.as_bytes()).await;
        assert_eq!(statuses(&read), ["400"], "{case}\n{read}");
        assert!(!read.contains("cmcp-call-id"), "{read}");
    }
    assert_eq!(served.calls(), 0);
    // The same call behind an honest request is one.
    let length = format!("Content-Length: {length}");
    let read = served.exchange(hidden(&length, PING).as_bytes()).await;
    assert_eq!(statuses(&read), ["200", "200"], "{read}");
    let read = served
        .exchange(hidden("Transfer-Encoding: chunked", &chunked).as_bytes())
        .await;
    assert_eq!(statuses(&read), ["200", "200"], "{read}");
    assert_eq!(served.calls(), 2);
    served.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f05_a_chunk_that_could_end_at_two_places_ends_the_connection() {
    let served = Served::usual().await;
    let length = PING.len();
    let bodies = [
        format!("{length:x};a=b\r\n{PING}\r\n0\r\n\r\n"),
        format!("{length:x} \r\n{PING}\r\n0\r\n\r\n"),
        format!("{length:x}\n{PING}\n0\n\n"),
        format!("0x{length:x}\r\n{PING}\r\n0\r\n\r\n"),
        format!("{length:x}\r\n{PING}0\r\n\r\n"),
        format!("{length:x}\r\n{PING}\r\n0\r\nContent-Length: 5\r\n\r\n"),
        format!("ffffffffffffffff\r\n{PING}\r\n0\r\n\r\n"),
    ];
    for body in &bodies {
        let case = hidden("Transfer-Encoding: chunked", body);
        let read = served.exchange(case.as_bytes()).await;
        let told = statuses(&read);
        assert!(told.len() <= 1 && !told.contains(&"200"), "{body}\n{read}");
    }
    assert_eq!(served.calls(), 0);
    served.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f06_http_2_is_not_spoken_and_a_flood_of_its_frames_reaches_nothing() {
    let served = Served::usual().await;
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".as_slice();
    let frame = |kind: u8, stream: u8, payload: &[u8]| {
        let length = u8::try_from(payload.len()).unwrap();
        [&[0, 0, length, kind, 0, 0, 0, 0, stream], payload].concat()
    };
    let settings = frame(4, 0, &[]);
    let resets = frame(3, 1, &[0, 0, 0, 8]).repeat(100_000);
    let continuations = frame(9, 1, &[0x40; 64]).repeat(20_000);
    // Indexed fields that a decoder would blow up.
    let bomb = frame(1, 1, &[0x82; 200]).repeat(10_000);
    for flood in [&settings, &resets, &continuations, &bomb] {
        let read = served.exchange(&[preface, &settings, flood].concat()).await;
        assert!(read.is_empty() || statuses(&read) == ["400"], "{read}");
    }
    // What their counterparts in HTTP/1.1 are: fields without end, and one that has none.
    let many = request("GET /tools/list", &"X: a\r\n".repeat(100_000), "");
    let long = request(
        "GET /tools/list",
        &format!("X: {}\r\n", "a".repeat(1 << 20)),
        "",
    );
    for flood in [many, long] {
        let read = served.exchange(flood.as_bytes()).await;
        assert!(read.is_empty() || statuses(&read) == ["431"], "{read}");
    }
    assert_eq!(
        statuses(&served.exchange(call(CLOSE).as_bytes()).await),
        ["200"]
    );
    served.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f23_no_connection_becomes_another_protocols() {
    let served = Served::usual().await;
    let websocket = "Connection: Upgrade, close\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let h2c = "Connection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n";
    for upgrade in [websocket, h2c] {
        for line in ["GET /mcp", "GET /health", "GET /tools/list"] {
            let read = served.exchange(request(line, upgrade, "").as_bytes()).await;
            assert!(!statuses(&read).contains(&"101"), "{line}: {read}");
            assert!(!read.to_ascii_lowercase().contains("upgrade:"), "{read}");
        }
        // A client that only offers it is served as it is (RFC 9110 section 7.8).
        let read = served.exchange(call(upgrade).as_bytes()).await;
        assert_eq!(statuses(&read), ["200"], "{read}");
    }
    // What stands behind such an offer is no request of the other protocol.
    let offer = request("GET /health", "Connection: Upgrade\r\nUpgrade: h2c\r\n", "");
    let read = served
        .exchange(format!("{offer}PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").as_bytes())
        .await;
    assert_eq!(statuses(&read), ["200", "400"], "{read}");
    served.end().await;
}

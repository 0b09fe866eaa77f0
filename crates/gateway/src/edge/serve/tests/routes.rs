use super::{CALL, CLOSE, Served, call, request, statuses};
use crate::testing::ALICE;

#[tokio::test(flavor = "multi_thread")]
async fn f21_other_methods_and_other_spellings_reach_nothing() {
    let served = Served::usual().await;
    for line in [
        "PUT /mcp",
        "PATCH /mcp",
        "OPTIONS /mcp",
        "TRACE /mcp",
        "PROPFIND /mcp",
        "post /mcp",
    ] {
        let read = served.exchange(request(line, CLOSE, "").as_bytes()).await;
        assert_eq!(statuses(&read), ["405"], "{line}: {read}");
        let stranger = request(line, CLOSE, "").replace(ALICE, "nobody");
        let read = served.exchange(stranger.as_bytes()).await;
        assert_eq!(statuses(&read), ["401"], "{line}: {read}");
    }
    for target in [
        "//mcp",
        "/mcp/",
        "/mcp//",
        "/MCP",
        "/mcp%2f",
        "/%6dcp",
        "/mcp/.",
        "/./mcp",
        "/x/../mcp",
        "/mcp/..;/admin",
        "/mcp;a=b",
        "/mcp/..%2fmetrics",
        "/%2e%2e/mcp",
        "/mcp%00",
        "/mcp%20",
        "*",
        "/",
        "/.well-known",
        "/mcp/..;/metrics",
        "/metrics;",
        "//metrics",
    ] {
        let length = format!("{CLOSE}Content-Length: {}\r\n", CALL.len());
        let read = served
            .exchange(request(&format!("POST {target}"), &length, CALL).as_bytes())
            .await;
        assert_eq!(statuses(&read), ["404"], "{target}: {read}");
    }
    for line in [
        "CONNECT 127.0.0.1:8443",
        "CONNECT evil.example:443",
        "GET /sse/",
        "DELETE /metrics",
    ] {
        let read = served.exchange(request(line, CLOSE, "").as_bytes()).await;
        let told = statuses(&read);
        assert!(
            told == ["404"] || told == ["405"] || told == ["403"],
            "{line}: {read}"
        );
    }
    assert_eq!(served.calls(), 0);
    served.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f01_a_host_in_the_target_counts_and_the_header_beside_it_does_not() {
    let served = Served::usual().await;
    let ours = call(CLOSE).replace("POST /mcp", "POST http://localhost:8443/mcp");
    let read = served.exchange(ours.as_bytes()).await;
    assert_eq!(statuses(&read), ["200"], "{read}");
    let theirs = call(CLOSE).replace("POST /mcp", "POST http://evil.example/mcp");
    let read = served.exchange(theirs.as_bytes()).await;
    assert_eq!(statuses(&read), ["403"], "{read}");
    let hidden = ours.replace("Host: 127.0.0.1:8443", "Host: evil.example");
    let read = served.exchange(hidden.as_bytes()).await;
    assert_eq!(
        statuses(&read),
        ["200"],
        "the target is what counts: {read}"
    );
    let two = ours.replace("\r\nHost: ", "\r\nHost: evil.example\r\nHost: ");
    let read = served.exchange(two.as_bytes()).await;
    assert!(["400", "403"].contains(&statuses(&read)[0]), "{read}");
    assert_eq!(served.calls(), 2);
    served.end().await;
}

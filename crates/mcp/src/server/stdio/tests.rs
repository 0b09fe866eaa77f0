use std::{
    collections::BTreeSet,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use cmcp_json::{Limits, Value, parse};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines},
    net::unix::pipe,
    task::JoinHandle,
};

use super::{Bounds, serve};
use crate::{
    server::Identity,
    upstream::{Kind, Said, Server, Told},
};

mod both_ways;
mod fixture;

use fixture::{Fixture, raw};

/// A client at the other end of two pipes of the operating system.
struct Client {
    server: Arc<Fixture>,
    input: pipe::Sender,
    output: Lines<BufReader<pipe::Receiver>>,
    task: JoinHandle<std::io::Result<()>>,
}

impl Client {
    fn start() -> Self {
        let (input, server_input) = pipe::pipe().unwrap();
        let (server_output, output) = pipe::pipe().unwrap();
        let server = Arc::new(Fixture::default());
        let identity = Identity {
            name: "fixture".into(),
            version: "1".into(),
            instructions: None,
        };
        let task = tokio::spawn(serve(
            Arc::clone(&server) as Arc<dyn Server>,
            identity,
            server_input,
            server_output,
        ));
        Self {
            server,
            input,
            output: BufReader::new(output).lines(),
            task,
        }
    }

    async fn initialized() -> Self {
        let mut client = Self::start();
        let reply = client
            .ask(r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{"sampling":{}}}}"#)
            .await;
        assert_eq!(
            reply,
            r#"{"jsonrpc":"2.0","id":0,"result":{"protocolVersion":"2025-06-18","capabilities":{"tools":{}},"serverInfo":{"name":"fixture","version":"1"}}}"#
        );
        client
            .send(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#)
            .await;
        client
    }

    /// Lets the server say something unasked.
    fn hears(&self, said: Said) {
        self.server.said.send(said).unwrap();
    }

    async fn send(&mut self, line: &str) {
        self.input
            .write_all(format!("{line}\n").as_bytes())
            .await
            .unwrap();
    }

    async fn line(&mut self) -> String {
        let line = tokio::time::timeout(Duration::from_secs(20), self.output.next_line());
        line.await
            .expect("an answer in time")
            .unwrap()
            .expect("an answer")
    }

    async fn ask(&mut self, line: &str) -> String {
        self.send(line).await;
        self.line().await
    }

    async fn call(&mut self, id: u64, tool: &str) -> String {
        self.ask(&call(id, tool)).await
    }
}

fn call(id: u64, tool: &str) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"{tool}","arguments":{{"n" :1.0}}}}}}"#
    )
}

fn modern(id: &str, method: &str, more: &str) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{{{more}"_meta":{{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{{}}}}}}}}"#
    )
}

fn error_code(line: &str) -> i64 {
    let value = parse(line.as_bytes(), &Limits::REQUEST).unwrap();
    value
        .get("error")
        .and_then(|error| error.get("code"))
        .and_then(Value::as_i64)
        .expect(line)
}

#[tokio::test]
async fn a_legacy_client_initializes_lists_and_calls_and_arguments_and_result_keep_their_bytes() {
    let mut client = Client::initialized().await;
    assert_eq!(
        client
            .ask(r#"{"jsonrpc":"2.0","id":"l","method":"tools/list"}"#)
            .await,
        r#"{"jsonrpc":"2.0","id":"l","result":{"tools":[{"name":"echo"}],"nextCursor":""}}"#
    );
    assert_eq!(
        client
            .ask(r#"{"jsonrpc":"2.0","id":"l","method":"tools/list","params":{"cursor":""}}"#)
            .await,
        r#"{"jsonrpc":"2.0","id":"l","result":{"tools":[ {"name":"hang"} ]}}"#
    );
    let line = client
        .ask(r#"{"jsonrpc":"2.0","id":"l","method":"tools/list","params":{"cursor":"x"}}"#)
        .await;
    assert_eq!(error_code(&line), -32602);
    assert_eq!(
        client.call(1, "echo").await,
        r#"{"jsonrpc":"2.0","id":1,"result":{"got": {"n" :1.0}}}"#
    );
    assert_eq!(
        client.call(2, "refuse").await,
        r#"{"jsonrpc":"2.0","id":2,"error":{"code":-32602, "message":"Unknown tool"}}"#
    );
    assert_eq!(error_code(&client.call(3, "gone").await), -31002);
}

#[tokio::test]
async fn a_modern_client_needs_no_handshake_and_both_eras_interleave() {
    let mut client = Client::start();
    let discovered = client.ask(&modern("\"d\"", "server/discover", "")).await;
    assert!(discovered.starts_with(r#"{"jsonrpc":"2.0","id":"d","result":{"resultType":"complete","supportedVersions":["2026-07-28"]"#), "{discovered}");
    assert_eq!(
        client
            .ask(&modern(
                "1",
                "tools/call",
                r#""name":"echo","arguments":{},"#
            ))
            .await,
        r#"{"jsonrpc":"2.0","id":1,"result":{"got": {},"resultType":"complete"}}"#
    );
    assert_eq!(
        client
            .ask(&modern("2", "tools/list", r#""cursor":"","#))
            .await,
        r#"{"jsonrpc":"2.0","id":2,"result":{"tools":[ {"name":"hang"} ],"resultType":"complete","ttlMs":0,"cacheScope":"private"}}"#
    );
    for method in ["initialize", "ping", "logging/setLevel"] {
        assert_eq!(
            error_code(&client.ask(&modern("3", method, "")).await),
            -32601
        );
    }
    let old = client
        .ask(r#"{"jsonrpc":"2.0","id":4,"method":"initialize"}"#)
        .await;
    assert!(old.contains(r#""protocolVersion":"2025-11-25""#));
    assert_eq!(
        client
            .ask(r#"{"jsonrpc":"2.0","id":5,"method":"ping"}"#)
            .await,
        r#"{"jsonrpc":"2.0","id":5,"result":{}}"#
    );
}

#[tokio::test]
async fn modern_meta_is_checked_as_over_http() {
    let mut client = Client::start();
    let line = client
        .ask(&modern("1", "tools/list", "").replace("2026-07-28", "v9"))
        .await;
    assert!(
        line.contains(r#""code":-32022"#) && line.contains(r#""requested":"v9""#),
        "{line}"
    );
    let without = modern("1", "tools/list", "").replace("clientCapabilities", "other");
    assert_eq!(error_code(&client.ask(&without).await), -32602);
}

#[tokio::test]
async fn before_the_handshake_only_ping_is_answered() {
    let mut client = Client::start();
    assert_eq!(
        client
            .ask(r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#)
            .await,
        r#"{"jsonrpc":"2.0","id":1,"result":{}}"#
    );
    assert_eq!(error_code(&client.call(2, "echo").await), -32600);
    assert_eq!(
        error_code(
            &client
                .ask(r#"{"jsonrpc":"2.0","id":3,"method":"tools/list"}"#)
                .await
        ),
        -32600
    );
}

#[tokio::test]
async fn bad_lines_are_answered_one_by_one_and_the_stream_stays_in_step() {
    let mut client = Client::initialized().await;
    for (line, code) in [
        ("{bad", -32700),
        (r#"{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}"#, -32700),
        ("[]", -32600),
        (r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#, -32600),
        (r#"{"id":1,"method":"ping"}"#, -32600),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"server/discover"}"#,
            -32601,
        ),
        (r#"{"jsonrpc":"2.0","id":1,"method":"tasks/list"}"#, -32601),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":1}}"#,
            -32602,
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":[]}}"#,
            -32602,
        ),
    ] {
        assert_eq!(error_code(&client.ask(line).await), code, "{line}");
    }
    let long = format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"ping","params":{{"a":"{}"}}}}"#,
        "x".repeat(5 << 20)
    );
    assert_eq!(error_code(&client.ask(&long).await), -32600);
    assert_eq!(
        client
            .ask(r#"{"jsonrpc":"2.0","id":9,"method":"ping"}"#)
            .await,
        r#"{"jsonrpc":"2.0","id":9,"result":{}}"#
    );
}

#[tokio::test]
async fn notifications_and_responses_are_answered_with_nothing() {
    let mut client = Client::initialized().await;
    for line in [
        r#"{"jsonrpc":"2.0","method":"notifications/unheard_of","params":{"a":1}}"#,
        r#"{"jsonrpc":"2.0","method":"tools/call","params":{"name":"echo"}}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":77}}"#,
        r#"{"jsonrpc":"2.0","id":1,"result":{}}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1}}"#,
        "",
    ] {
        client.send(line).await;
    }
    assert_eq!(
        client
            .ask(r#"{"jsonrpc":"2.0","id":9,"method":"ping"}"#)
            .await,
        r#"{"jsonrpc":"2.0","id":9,"result":{}}"#
    );
}

#[tokio::test]
async fn a_slow_call_holds_nobody_up_and_a_cancelled_one_is_never_answered() {
    let mut client = Client::initialized().await;
    client.send(&call(1, "hang")).await;
    assert_eq!(
        client.call(2, "echo").await,
        r#"{"jsonrpc":"2.0","id":2,"result":{"got": {"n" :1.0}}}"#
    );
    client
        .send(r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#)
        .await;
    // Its id is free again once it has gone.
    loop {
        let line = client.call(1, "echo").await;
        if line == r#"{"jsonrpc":"2.0","id":1,"result":{"got": {"n" :1.0}}}"# {
            break;
        }
        assert_eq!(error_code(&line), -32600);
    }
}

#[tokio::test]
async fn e10_an_id_that_is_in_use_is_refused_without_answering_the_first_request() {
    let mut client = Client::initialized().await;
    client.send(&call(1, "hang")).await;
    let line = client.call(1, "echo").await;
    assert_eq!(error_code(&line), -32600);
    assert!(!line.contains(r#""id":"#), "{line}");
    // `1.0` and `"1"` are other ids.
    let other = call(1, "echo").replace(r#""id":1"#, r#""id":"1""#);
    assert!(client.ask(&other).await.contains(r#""id":"1","result""#));
}

#[tokio::test]
async fn too_many_requests_at_once_are_refused_not_queued() {
    let mut client = Client::initialized().await;
    for id in 0..Bounds::default().in_flight {
        client.send(&call(id as u64, "hang")).await;
    }
    assert_eq!(error_code(&client.call(9999, "echo").await), -31007);
}

#[tokio::test]
async fn a_panic_in_a_tool_is_that_calls_error_and_nothing_more() {
    let mut client = Client::initialized().await;
    assert_eq!(
        client.call(1, "panic").await,
        r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32603,"message":"Internal error"}}"#
    );
    assert!(client.call(2, "echo").await.contains("result"));
}

#[tokio::test]
async fn the_end_of_input_ends_serving_after_what_is_under_way_and_closes_the_server() {
    let mut client = Client::initialized().await;
    client.send(&call(1, "echo")).await;
    let Client {
        server,
        input,
        mut output,
        task,
    } = client;
    drop(input);
    let line = output.next_line().await.unwrap().unwrap();
    assert_eq!(
        line,
        r#"{"jsonrpc":"2.0","id":1,"result":{"got": {"n" :1.0}}}"#
    );
    assert_eq!(output.next_line().await.unwrap(), None);
    task.await.unwrap().unwrap();
    assert!(server.closed.load(Ordering::SeqCst));
}

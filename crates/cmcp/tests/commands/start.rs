use std::{
    fs,
    io::{self, BufRead, BufReader, Write},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use crate::support::{command, initialised, line, run};

struct Gateway(Child);

impl Drop for Gateway {
    fn drop(&mut self) {
        let _gone = self.0.kill();
        let _ended = self.0.wait();
    }
}

#[test]
fn start_says_where_it_listens_and_ends_on_a_signal() {
    let folder = initialised();
    let config = folder.path().join("cmcp-config.yaml");
    let text = fs::read_to_string(&config)
        .unwrap()
        .replace("127.0.0.1:8443", "127.0.0.1:0");
    fs::write(&config, text).unwrap();
    let arguments = ["start", "--config", "cmcp-config.yaml"];
    let refused = run(folder.path(), &arguments, &[]);
    assert_eq!(refused.code, 1);
    for code in [
        "BEARER_TOKEN_REQUIRED",
        "OPERATOR_TOKEN_REQUIRED",
        "POLICY_HASH_REQUIRED",
        "CATALOG_HASH_REQUIRED",
        "ATTESTATION_PROVIDER_UNSUPPORTED",
    ] {
        assert!(
            refused.err.contains(&format!("error: {code}: ")),
            "{}",
            refused.err
        );
    }
    let mut start = command(folder.path(), &arguments, &[("CMCP_DEV_MODE", "1")]);
    let mut gateway = Gateway(
        start
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap(),
    );
    let mut line = String::new();
    BufReader::new(gateway.0.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    assert!(
        line.starts_with("cMCP Runtime starting: TEE: software-only, listen: 127.0.0.1:"),
        "{line}"
    );
    let port = line.trim().rsplit(':').next().unwrap().to_owned();
    bridged(folder.path(), &format!("http://127.0.0.1:{port}/mcp"));
    let signal = Command::new("kill")
        .arg(gateway.0.id().to_string())
        .status()
        .unwrap();
    assert!(signal.success());
    let patience = Instant::now();
    let status = loop {
        match gateway.0.try_wait().unwrap() {
            Some(status) => break status,
            None => assert!(
                patience.elapsed() < Duration::from_secs(30),
                "it did not end"
            ),
        }
        std::thread::yield_now();
    };
    assert_eq!(status.code(), Some(0));
}

/// A client that speaks stdio uses the gateway.
fn bridged(folder: &Path, url: &str) {
    let mut bridge = command(folder, &["client-bridge", "--gateway-url", url], &[]);
    let mut bridge = bridge
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = bridge.stdin.take().unwrap();
    let initialize = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"0"}}}"#;
    let call = r#"{"jsonrpc":"2.0","id":"x","method":"tools/call","params":{"name":"list_orders","arguments":{"customer_id":"C-1001"}}}"#;
    let mut lines = BufReader::new(bridge.stdout.take().unwrap()).lines();
    writeln!(input, "{initialize}").unwrap();
    let answer = lines.next().unwrap().unwrap();
    assert!(
        answer.contains("\"protocolVersion\":\"2025-11-25\""),
        "{answer}"
    );
    writeln!(
        input,
        r#"{{"jsonrpc":"2.0","method":"notifications/initialized"}}"#
    )
    .unwrap();
    writeln!(input, "{call}").unwrap();
    let answer = lines.next().unwrap().unwrap();
    assert!(
        answer.contains("\"id\":\"x\"") && answer.contains("O-5001"),
        "{answer}"
    );
    either_era(&mut input, &mut lines);
    // A subscription is open, and no reason to stay.
    let meta = MODERN;
    writeln!(
        input,
        r#"{{"jsonrpc":"2.0","id":6,"method":"subscriptions/listen","params":{{"notifications":{{"toolsListChanged":true}},{meta}}}}}"#
    )
    .unwrap();
    let answer = lines.next().unwrap().unwrap();
    assert!(
        answer.contains("notifications/subscriptions/acknowledged"),
        "{answer}"
    );
    drop(input);
    assert!(bridge.wait().unwrap().success());
}

/// The other things that a server offers, in either era, on the same pipes.
fn either_era(input: &mut impl Write, lines: &mut impl Iterator<Item = io::Result<String>>) {
    let meta = MODERN;
    let prompt = r#""name":"refund_letter","arguments":{"order_id":"O-5001"}"#;
    for (id, method, params, expected) in [
        (
            2,
            "resources/read",
            r#""uri":"shop://prices""#.to_owned(),
            "Desk lamp",
        ),
        (
            3,
            "resources/read",
            format!(r#""uri":"orders://O-5003",{meta}"#),
            "Office chair",
        ),
        (4, "prompts/get", prompt.to_owned(), "O-5001"),
        (
            5,
            "prompts/get",
            format!("{prompt},{meta}"),
            "\"resultType\":\"complete\"",
        ),
    ] {
        writeln!(
            input,
            r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{{{params}}}}}"#
        )
        .unwrap();
        let answer = lines.next().unwrap().unwrap();
        assert!(
            answer.contains(&format!("\"id\":{id}")) && answer.contains(expected),
            "{answer}"
        );
    }
}

const MODERN: &str = r#""_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}"#;

#[test]
fn a_bridge_ends_on_a_signal_though_its_input_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let url = "http://127.0.0.1:9/mcp";
    let mut bridge = command(folder.path(), &["client-bridge", "--gateway-url", url], &[])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = bridge.stdin.take().unwrap();
    writeln!(input, r#"{{"jsonrpc":"2.0","id":1,"method":"ping"}}"#).unwrap();
    let mut lines = BufReader::new(bridge.stdout.take().unwrap()).lines();
    let answer = lines.next().unwrap().unwrap();
    assert!(answer.contains("-31010"), "{answer}");
    let signal = Command::new("kill").arg(bridge.id().to_string()).status();
    assert!(signal.unwrap().success());
    assert!(bridge.wait().unwrap().success());
    drop(input);
}

#[test]
fn a_bridge_beyond_this_machine_needs_a_token() {
    let folder = tempfile::tempdir().unwrap();
    let ran = line(
        folder.path(),
        "client-bridge --gateway-url https://gateway.example/mcp",
    );
    assert_eq!(ran.code, 1);
    assert_eq!(
        ran.err,
        "error: environment CMCP_BEARER_TOKEN: it is not set; export the bearer token, a gateway beyond this machine asks for it\n"
    );
}

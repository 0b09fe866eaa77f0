use std::time::Duration;

use cmcp_json::{Limits, Value, parse};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines},
    net::unix::pipe,
    sync::oneshot,
    task::JoinHandle,
};

use super::{Bridge, BridgeError, TargetError, Token, run};

mod gateway;
mod legacy;
mod modern;
mod streams;
mod unreachable;

use gateway::Gateway;

/// A host at the other end of two pipes of the operating system.
struct Host {
    input: pipe::Sender,
    output: Lines<BufReader<pipe::Receiver>>,
    bridge: JoinHandle<Result<(), BridgeError>>,
    stop: oneshot::Sender<()>,
}

const SECRET: &str = "s3cret-token";

impl Host {
    fn start(url: &str) -> Self {
        let (input, bridge_input) = pipe::pipe().unwrap();
        let (bridge_output, output) = pipe::pipe().unwrap();
        let bridge = Bridge {
            url: url.to_owned(),
            token: Some(Token::new(SECRET).unwrap()),
        };
        let (stop, stopped) = oneshot::channel();
        let bridge = tokio::spawn(run(bridge, bridge_input, bridge_output, async {
            if stopped.await.is_err() {
                std::future::pending().await
            }
        }));
        Self {
            input,
            output: BufReader::new(output).lines(),
            bridge,
            stop,
        }
    }

    async fn initialized(url: &str) -> Self {
        let mut host = Self::start(url);
        let reply = host.ask(INITIALIZE).await;
        assert!(
            reply.contains(r#""protocolVersion":"2025-06-18""#),
            "{reply}"
        );
        host.send(INITIALIZED).await;
        host
    }

    async fn send(&mut self, line: &str) {
        self.input
            .write_all(format!("{line}\n").as_bytes())
            .await
            .unwrap();
    }

    async fn line(&mut self) -> String {
        let line = tokio::time::timeout(Duration::from_secs(20), self.output.next_line()).await;
        line.expect("an answer in time")
            .unwrap()
            .expect("an answer")
    }

    async fn ask(&mut self, line: &str) -> String {
        self.send(line).await;
        self.line().await
    }

    /// Ends the input; whatever is still said must be nothing.
    async fn end(self) {
        let Self {
            input,
            mut output,
            bridge,
            stop: _stop,
        } = self;
        drop(input);
        assert_eq!(output.next_line().await.unwrap(), None);
        bridge.await.unwrap().unwrap();
    }
}

const INITIALIZE: &str = r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"h","version":"0"}}}"#;

const INITIALIZED: &str = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;

fn call(id: &str, tool: &str) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"{tool}","arguments":{{"n" : 1.0}}}}}}"#
    )
}

fn error_of(line: &str) -> (i64, String) {
    let value = parse(line.as_bytes(), &Limits::REQUEST).unwrap();
    let error = value.get("error").expect(line);
    let message = error
        .get("message")
        .and_then(Value::as_str)
        .unwrap()
        .to_owned();
    (error.get("code").and_then(Value::as_i64).unwrap(), message)
}

#[test]
fn a_token_is_never_shown() {
    let bridge = Bridge {
        url: "http://127.0.0.1/mcp".into(),
        token: Token::new(SECRET).ok(),
    };
    assert!(!format!("{bridge:?}").contains(SECRET));
}

#[test]
fn a_token_that_no_header_can_carry_is_refused() {
    for token in ["", "  ", "a b", "a\nb", "tökén"] {
        assert!(
            matches!(Token::new(token), Err(BridgeError::Token)),
            "{token:?}"
        );
    }
    assert!(Token::new(" padded\n").is_ok());
}

#[tokio::test]
async fn a_url_that_cannot_be_a_gateways_is_refused_at_once() {
    for (url, expected) in [
        ("", TargetError::Malformed),
        ("gateway.example", TargetError::Scheme),
        ("ftp://gateway.example/mcp", TargetError::Scheme),
        ("https://user:pw@gateway.example/mcp", TargetError::UserInfo),
        ("https://gateway.example/mcp?token=x", TargetError::Query),
    ] {
        let bridge = Bridge {
            url: url.into(),
            token: None,
        };
        let stop = std::future::pending();
        match run(bridge, tokio::io::empty(), tokio::io::sink(), stop).await {
            Err(BridgeError::Target(error)) => assert_eq!(error, expected, "{url}"),
            other => panic!("{url}: {other:?}"),
        }
    }
}

#[test]
fn a_token_over_plain_http_is_exposed_unless_it_stays_on_this_machine() {
    use super::target::Target;
    for (url, exposed) in [
        ("http://gateway.example/mcp", true),
        ("http://10.0.0.1:8443", true),
        ("http://127.0.0.1:8443", false),
        ("http://[::1]:8443", false),
        ("http://localhost", false),
        ("https://gateway.example", false),
    ] {
        assert_eq!(Target::parse(url).unwrap().is_exposed(), exposed, "{url}");
    }
}

#[test]
fn a_url_without_path_means_mcp() {
    use super::target::Target;
    for url in ["https://gateway.example", "https://gateway.example/"] {
        assert_eq!(
            Target::parse(url).unwrap().to_string(),
            "https://gateway.example/mcp"
        );
    }
    let other = Target::parse("http://[::1]:8443/deep/mcp").unwrap();
    assert_eq!((other.host.as_str(), other.port), ("::1", 8443));
    assert_eq!(other.path, "/deep/mcp");
}

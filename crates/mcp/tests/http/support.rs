//! A server that answers as its script says, byte for byte where that matters.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use cmcp_json::{Limits, Value, parse};
use cmcp_mcp::{
    Server, ToolCall, ToolReply, UpstreamError,
    client::{HttpClient, HttpTarget, Timing},
    tls::TlsPin,
};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader},
    net::TcpListener,
    task::JoinHandle,
};

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub(crate) verb: String,
    pub(crate) headers: HashMap<String, String>,
    pub(crate) body: String,
    pub(crate) message: Value,
}

impl Received {
    pub(crate) fn method(&self) -> &str {
        self.message
            .get("method")
            .and_then(Value::as_str)
            .unwrap_or_default()
    }

    pub(crate) fn id(&self) -> String {
        self.message
            .get("id")
            .map(Value::to_string)
            .unwrap_or_default()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    pub(crate) fn tool(&self) -> &str {
        let name = self
            .message
            .get("params")
            .and_then(|params| params.get("name"));
        name.and_then(Value::as_str).unwrap_or_default()
    }
}

/// What to do about a request.
pub(crate) enum Act {
    /// Write these bytes, and read the next request from the same connection.
    Write(Vec<u8>),
    /// Write these bytes and close.
    WriteAndClose(Vec<u8>),
    /// Write the first, then the second for ever, until nobody takes it any more.
    Flood(Vec<u8>, Vec<u8>),
    /// Write these bytes and keep the connection, silently.
    Hang(Vec<u8>),
}

pub(crate) fn json(status: u16, headers: &str, body: &str) -> Act {
    Act::Write(
        format!(
            "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {}\r\n{headers}\r\n{body}",
            body.len()
        )
        .into_bytes(),
    )
}

pub(crate) fn result(received: &Received, result: &str) -> Act {
    json(
        200,
        "",
        &format!(
            r#"{{"jsonrpc":"2.0","id":{},"result":{result}}}"#,
            received.id()
        ),
    )
}

pub(crate) fn error(received: &Received, status: u16, code: i32, rest: &str) -> Act {
    let id = received.id();
    let body =
        format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":{code},"message":"no"{rest}}}}}"#);
    json(status, "", &body)
}

pub(crate) fn accepted() -> Act {
    Act::Write(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n".to_vec())
}

/// The head of an event stream that goes on until the connection is closed, or in chunks.
pub(crate) fn events(body: &str) -> Act {
    Act::Write(
        format!(
            "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n",
            body.len()
        )
        .into_bytes(),
    )
}

/// Answers as a modern server would, but for calls.
pub(crate) fn modern(received: &Received, call: impl FnOnce(&Received) -> Act) -> Act {
    match received.method() {
        "server/discover" => result(
            received,
            r#"{"supportedVersions":["2026-07-28"],"capabilities":{}}"#,
        ),
        "tools/call" => call(received),
        "tools/list" => result(received, r#"{"tools":[{"name":"echo"}]}"#),
        _ => error(received, 404, -32601, ""),
    }
}

/// Answers as a legacy server with a session would, but for calls.
pub(crate) fn legacy(received: &Received, call: impl FnOnce(&Received) -> Act) -> Act {
    let session = received.header("mcp-session-id");
    match (received.verb.as_str(), received.method()) {
        ("DELETE", _) => Act::Write(b"HTTP/1.1 204 No Content\r\n\r\n".to_vec()),
        (_, "initialize") => json(
            200,
            "Mcp-Session-Id: s-1\r\n",
            &format!(
                r#"{{"jsonrpc":"2.0","id":{},"result":{{"protocolVersion":"2025-11-25","capabilities":{{}},"serverInfo":{{"name":"s","version":"1"}}}}}}"#,
                received.id()
            ),
        ),
        (_, _) if session != Some("s-1") => json(
            400,
            "",
            r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32000,"message":"Bad Request: no session"}}"#,
        ),
        (_, method) if method.starts_with("notifications/") || method.is_empty() => accepted(),
        (_, "tools/list") => result(received, r#"{"tools":[{"name":"echo"}]}"#),
        (_, "tools/call") => call(received),
        _ => error(received, 200, -32601, ""),
    }
}

type Script = Arc<dyn Fn(&Received) -> Act + Send + Sync>;

pub(crate) struct Fake {
    pub(crate) address: SocketAddr,
    pub(crate) log: Arc<Mutex<Vec<Received>>>,
    pub(crate) connections: Arc<AtomicUsize>,
    /// Connections that the client has closed.
    pub(crate) hung_up: Arc<AtomicUsize>,
    /// Bytes written into floods.
    pub(crate) flooded: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Fake {
    pub(crate) async fn start(script: impl Fn(&Received) -> Act + Send + Sync + 'static) -> Self {
        Self::with_tls(script, None).await
    }

    pub(crate) async fn with_tls(
        script: impl Fn(&Received) -> Act + Send + Sync + 'static,
        tls: Option<tokio_rustls::TlsAcceptor>,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let script: Script = Arc::new(script);
        let state = State {
            script,
            log: Arc::default(),
            hung_up: Arc::default(),
            flooded: Arc::default(),
        };
        let (log, hung_up, flooded) = (
            state.log.clone(),
            state.hung_up.clone(),
            state.flooded.clone(),
        );
        let connections = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&connections);
        let task = tokio::spawn(async move {
            loop {
                let (tcp, _) = listener.accept().await.unwrap();
                tcp.set_nodelay(true).unwrap();
                count.fetch_add(1, Ordering::SeqCst);
                let (state, tls) = (state.clone(), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        None => state.serve(tcp).await,
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(tcp).await {
                                state.serve(stream).await;
                            }
                        }
                    }
                });
            }
        });
        Self {
            address,
            log,
            connections,
            hung_up,
            flooded,
            task,
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/mcp", self.address)
    }

    pub(crate) fn client(&self) -> HttpClient {
        self.client_with(Timing::default())
    }

    pub(crate) fn client_with(&self, timing: Timing) -> HttpClient {
        let target = HttpTarget::parse(&self.url(), TlsPin::WebPki).unwrap();
        HttpClient::new(target, timing).unwrap()
    }

    /// The methods of all requests, in order.
    pub(crate) fn methods(&self) -> Vec<String> {
        self.log
            .lock()
            .unwrap()
            .iter()
            .map(|received| received.method().to_owned())
            .collect()
    }

    pub(crate) fn last(&self, method: &str) -> Received {
        let log = self.log.lock().unwrap();
        log.iter()
            .rev()
            .find(|received| received.method() == method)
            .expect(method)
            .clone()
    }
}

#[derive(Clone)]
struct State {
    script: Script,
    log: Arc<Mutex<Vec<Received>>>,
    hung_up: Arc<AtomicUsize>,
    flooded: Arc<AtomicUsize>,
}

impl State {
    async fn serve(self, stream: impl AsyncRead + AsyncWrite + Unpin) {
        let mut stream = BufReader::new(stream);
        while let Some(received) = read(&mut stream).await {
            self.log.lock().unwrap().push(received.clone());
            match (self.script)(&received) {
                Act::Write(bytes) => {
                    if stream.write_all(&bytes).await.is_err() || stream.flush().await.is_err() {
                        break;
                    }
                }
                Act::WriteAndClose(bytes) => {
                    let _ = stream.write_all(&bytes).await;
                    let _ = stream.shutdown().await;
                    return;
                }
                Act::Flood(first, more) => {
                    let mut written = stream.write_all(&first).await;
                    while written.is_ok() {
                        written = stream.write_all(&more).await;
                        self.flooded.fetch_add(more.len(), Ordering::SeqCst);
                    }
                    break;
                }
                Act::Hang(bytes) => {
                    let _ = stream.write_all(&bytes).await;
                    let _ = stream.flush().await;
                    let _ = stream.read_u8().await;
                    break;
                }
            }
        }
        self.hung_up.fetch_add(1, Ordering::SeqCst);
    }
}

async fn read(stream: &mut (impl AsyncBufReadExt + Unpin)) -> Option<Received> {
    let mut line = String::new();
    if stream.read_line(&mut line).await.ok()? == 0 {
        return None;
    }
    let verb = line.split(' ').next()?.to_owned();
    let mut headers = HashMap::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await.ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else {
            break;
        };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = headers
        .get("content-length")
        .map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    let message = if body.is_empty() {
        Value::Null
    } else {
        parse(&body, &Limits::REQUEST).expect("the client sends strict JSON")
    };
    let body = String::from_utf8(body).unwrap();
    Some(Received {
        verb,
        headers,
        body,
        message,
    })
}

pub(crate) fn call(name: &str) -> ToolCall {
    ToolCall {
        name: name.to_owned(),
        arguments: None,
        meta: None,
        deadline: Duration::from_secs(20),
        max_bytes: 1 << 20,
        listed: None,
    }
}

pub(crate) fn call_with(name: &str, arguments: &'static str) -> ToolCall {
    ToolCall {
        arguments: Some(Bytes::from_static(arguments.as_bytes())),
        ..call(name)
    }
}

pub(crate) async fn ask(client: &HttpClient, call: ToolCall) -> Result<String, UpstreamError> {
    match client.call(call).await? {
        ToolReply::Result { bytes, .. } => Ok(String::from_utf8(bytes.to_vec()).unwrap()),
        ToolReply::Error { code, .. } => Ok(format!("error {code}")),
    }
}

/// Waits for something that happens at the other end. Nothing tells when it has.
pub(crate) async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let give_up = std::time::Instant::now() + Duration::from_secs(20);
    while !condition() {
        assert!(std::time::Instant::now() < give_up, "{what} did not happen");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

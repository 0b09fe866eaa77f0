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
    Server, UpstreamError,
    client::{HttpClient, HttpTarget, Identity, Timing},
    tls::TlsPin,
    upstream::{Ask, Reply},
};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader},
    net::TcpListener,
    sync::mpsc,
    task::JoinHandle,
};

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub(crate) verb: String,
    /// Path and query.
    pub(crate) path: String,
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
    /// Write what the test sends, as it comes, and close when it sends no more.
    Feed(mpsc::UnboundedReceiver<Vec<u8>>),
}

/// The streams that a server has open, written to by the test or by the answers to other requests.
#[derive(Clone, Default)]
pub(crate) struct Feeds(Arc<Mutex<Vec<mpsc::UnboundedSender<Vec<u8>>>>>);

impl Feeds {
    /// Opens one more, an event stream.
    pub(crate) fn open(&self) -> Act {
        let (sender, receiver) = mpsc::unbounded_channel();
        sender.send(STREAM.as_bytes().to_vec()).unwrap();
        self.0.lock().unwrap().push(sender);
        Act::Feed(receiver)
    }

    pub(crate) fn opened(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    /// Writes to one of them, by the order in which they were opened.
    pub(crate) fn write(&self, index: usize, text: &str) {
        let _ = self.0.lock().unwrap()[index].send(text.as_bytes().to_vec());
    }

    /// Sends a message on one of them.
    pub(crate) fn say(&self, index: usize, message: &str) {
        self.write(index, &format!("data: {message}\n\n"));
    }

    /// Ends one of them.
    pub(crate) fn end(&self, index: usize) {
        let (sender, _) = mpsc::unbounded_channel();
        self.0.lock().unwrap()[index] = sender;
    }

    /// Whether the client has hung up on one of them.
    pub(crate) fn is_gone(&self, index: usize) -> bool {
        self.0.lock().unwrap()[index].is_closed()
    }
}

/// The head of an event stream that goes on until the connection is closed.
pub(crate) const STREAM: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n";

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

/// Answers `server/discover` with these capabilities.
pub(crate) fn discovered(received: &Received, capabilities: &str) -> Act {
    let text = format!(r#"{{"supportedVersions":["2026-07-28"],"capabilities":{capabilities}}}"#);
    result(received, &text)
}

/// Answers `initialize` with these capabilities, and opens the session that [`legacy`] knows.
pub(crate) fn initialized(received: &Received, capabilities: &str) -> Act {
    let id = received.id();
    json(
        200,
        "Mcp-Session-Id: s-1\r\n",
        &format!(
            r#"{{"jsonrpc":"2.0","id":{id},"result":{{"protocolVersion":"2025-11-25","capabilities":{capabilities},"serverInfo":{{"name":"s","version":"1"}}}}}}"#
        ),
    )
}

/// An answer as it stands in an event.
pub(crate) fn answer(received: &Received, result: &str) -> String {
    let id = received.id();
    format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#)
}

/// A notification.
pub(crate) fn note(method: &str, params: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","method":"notifications/{method}","params":{params}}}"#)
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
        (_, "initialize") => initialized(received, "{}"),
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

    /// A server at an address that was chosen before.
    pub(crate) async fn at(
        address: SocketAddr,
        script: impl Fn(&Received) -> Act + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        Self::on(listener, script, None)
    }

    pub(crate) async fn with_tls(
        script: impl Fn(&Received) -> Act + Send + Sync + 'static,
        tls: Option<tokio_rustls::TlsAcceptor>,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self::on(listener, script, tls)
    }

    fn on(
        listener: TcpListener,
        script: impl Fn(&Received) -> Act + Send + Sync + 'static,
        tls: Option<tokio_rustls::TlsAcceptor>,
    ) -> Self {
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
        HttpClient::new(target, timing, Identity::default()).unwrap()
    }

    /// A client that lets the server ask for what these capabilities declare.
    pub(crate) fn client_of(&self, capabilities: &str) -> HttpClient {
        let capabilities = parse(capabilities.as_bytes(), &Limits::REQUEST).unwrap();
        let target = HttpTarget::parse(&self.url(), TlsPin::WebPki).unwrap();
        let identity = Identity::with_capabilities(capabilities);
        HttpClient::new(target, Timing::default(), identity).unwrap()
    }

    /// How many requests of this method came.
    pub(crate) fn count(&self, method: &str) -> usize {
        self.methods().iter().filter(|m| *m == method).count()
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
                Act::Feed(mut feed) => {
                    while let Some(bytes) = next(&mut stream, &mut feed).await {
                        if stream.write_all(&bytes).await.is_err() || stream.flush().await.is_err()
                        {
                            break;
                        }
                    }
                    let _ = stream.shutdown().await;
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

/// What to write next; `None` when there is no more or nobody listens.
async fn next(
    stream: &mut (impl AsyncRead + Unpin),
    feed: &mut mpsc::UnboundedReceiver<Vec<u8>>,
) -> Option<Vec<u8>> {
    tokio::select! {
        biased;
        bytes = feed.recv() => bytes,
        _ = stream.read_u8() => None,
    }
}

async fn read(stream: &mut (impl AsyncBufReadExt + Unpin)) -> Option<Received> {
    let mut line = String::new();
    if stream.read_line(&mut line).await.ok()? == 0 {
        return None;
    }
    let mut start = line.split(' ');
    let (verb, path) = (start.next()?.to_owned(), start.next()?.to_owned());
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
        path,
        headers,
        body,
        message,
    })
}

pub(crate) fn call(name: &str) -> Ask {
    Ask::tool(name, None, Duration::from_secs(20), 1 << 20)
}

pub(crate) fn call_with(name: &str, arguments: &'static str) -> Ask {
    let arguments = Bytes::from_static(arguments.as_bytes());
    Ask::tool(name, Some(arguments), Duration::from_secs(20), 1 << 20)
}

pub(crate) async fn ask(client: &HttpClient, call: Ask) -> Result<String, UpstreamError> {
    match client.ask(call).await? {
        Reply::Result { bytes, .. } => Ok(String::from_utf8(bytes.to_vec()).unwrap()),
        Reply::Error { code, .. } => Ok(format!("error {code}")),
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

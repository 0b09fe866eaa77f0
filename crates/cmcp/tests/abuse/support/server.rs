//! An MCP server over HTTP that records every byte it is sent, and does whatever a test says.

use std::{
    io::{BufReader, Write as _},
    net::{TcpListener, TcpStream},
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Instant,
};

use cmcp_json::{Limits, Object, Value, parse};

use super::{
    PATIENCE,
    client::{find, read_body, read_head},
};

/// A running server.
pub(crate) struct Server {
    pub(crate) url: String,
    shared: Arc<Shared>,
}

struct Shared {
    tools: Mutex<String>,
    script: Mutex<Script>,
    requests: Mutex<Vec<Seen>>,
    arrived: Condvar,
    connections: AtomicUsize,
}

/// What to do instead of the ordinary; `None` for the ordinary.
type Script = Arc<dyn Fn(&Seen) -> Option<Reply> + Send + Sync>;

/// One request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// The JSON-RPC method, empty where there is none.
    pub(crate) method: String,
    message: Value,
}

/// An answer as a test makes it.
pub(crate) enum Reply {
    /// Status 200 and this JSON.
    Json(String),
    /// Any status, type and body.
    Http(u16, &'static str, Vec<u8>),
    /// An event stream of these messages.
    Events(Vec<String>),
    /// These bytes as they are, then the end of the connection.
    Wire(Vec<u8>),
    /// Bytes without end, until the other side has had enough.
    Endless(Vec<u8>, Vec<u8>),
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        find(&self.headers, name)
    }

    /// The id, as JSON.
    pub(crate) fn id(&self) -> String {
        self.message
            .get("id")
            .map_or_else(|| "null".to_owned(), Value::to_string)
    }

    pub(crate) fn is_call(&self) -> bool {
        self.method == "tools/call"
    }

    /// The tool that is called.
    pub(crate) fn tool(&self) -> &str {
        let params = self.message.get("params");
        let name = params.and_then(|params| params.get("name"));
        name.and_then(Value::as_str).unwrap_or_default()
    }

    /// The bytes of `params.arguments` as they came; none where there were no arguments.
    pub(crate) fn arguments(&self) -> Vec<u8> {
        let params = self.message.as_object().unwrap();
        let params = &self.body[params.span("params").unwrap()];
        let inner = parse(params, &Limits::REQUEST).unwrap();
        let span = inner.as_object().unwrap().span("arguments");
        span.map_or_else(Vec::new, |span| params[span].to_vec())
    }

    pub(crate) fn param(&self, name: &str) -> Option<Value> {
        self.message.get("params")?.get(name).cloned()
    }

    /// A result for this request.
    pub(crate) fn result(&self, result: &str) -> Reply {
        Reply::Json(self.result_text(result))
    }

    pub(crate) fn result_text(&self, result: &str) -> String {
        format!(
            r#"{{"jsonrpc":"2.0","id":{},"result":{result}}}"#,
            self.id()
        )
    }

    pub(crate) fn error(&self, code: i64, message: &str) -> Reply {
        let message = Value::from(message);
        let id = self.id();
        Reply::Json(format!(
            r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":{code},"message":{message}}}}}"#
        ))
    }
}

impl Server {
    /// A server of the revisions with a handshake that offers these definitions.
    pub(crate) fn offering(definitions: &[Value]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/mcp", listener.local_addr().unwrap());
        let shared = Arc::new(Shared {
            tools: Mutex::new(array(definitions)),
            script: Mutex::new(Arc::new(|_| None)),
            requests: Mutex::default(),
            arrived: Condvar::new(),
            connections: AtomicUsize::new(0),
        });
        let accepting = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                accepting.connections.fetch_add(1, Ordering::SeqCst);
                let shared = Arc::clone(&accepting);
                thread::spawn(move || shared.serve(stream));
            }
        });
        Self { url, shared }
    }

    /// Offers something else from now on, without saying so.
    pub(crate) fn offer(&self, definitions: &[Value]) {
        *self.shared.tools.lock().unwrap() = array(definitions);
    }

    /// Acts as told from now on.
    pub(crate) fn act(&self, script: impl Fn(&Seen) -> Option<Reply> + Send + Sync + 'static) {
        *self.shared.script.lock().unwrap() = Arc::new(script);
    }

    /// Acts so on calls only.
    pub(crate) fn act_on_calls(&self, script: impl Fn(&Seen) -> Reply + Send + Sync + 'static) {
        self.act(move |seen| seen.is_call().then(|| script(seen)));
    }

    pub(crate) fn behave(&self) {
        self.act(|_| None);
    }

    pub(crate) fn requests(&self) -> Vec<Seen> {
        self.shared.requests.lock().unwrap().clone()
    }

    pub(crate) fn calls(&self) -> Vec<Seen> {
        self.requests().into_iter().filter(Seen::is_call).collect()
    }

    /// Waits until that many calls have arrived.
    pub(crate) fn await_calls(&self, wanted: usize) {
        self.await_requests(wanted, Seen::is_call);
    }

    /// Waits until that many such requests have arrived.
    pub(crate) fn await_requests(&self, wanted: usize, of: impl Fn(&Seen) -> bool) {
        let give_up = Instant::now() + PATIENCE;
        let mut requests = self.shared.requests.lock().unwrap();
        while requests.iter().filter(|seen| of(seen)).count() < wanted {
            let left = give_up.saturating_duration_since(Instant::now());
            assert!(
                !left.is_zero(),
                "waited for {wanted} requests: {requests:?}"
            );
            requests = self.shared.arrived.wait_timeout(requests, left).unwrap().0;
        }
    }

    /// Nothing was sent, nobody even connected.
    pub(crate) fn is_untouched(&self) -> bool {
        self.shared.connections.load(Ordering::SeqCst) == 0
    }
}

impl Shared {
    fn serve(&self, stream: TcpStream) {
        let mut stream = BufReader::new(stream);
        while let Ok((_, headers)) = read_head(&mut stream) {
            let length = find(&headers, "content-length").is_some();
            let body = if length {
                read_body(&mut stream, &headers)
            } else {
                Ok(Vec::new())
            };
            let Ok(body) = body else { return };
            let message = parse(&body, &Limits::REQUEST).unwrap_or(Value::Null);
            let method = message
                .get("method")
                .and_then(Value::as_str)
                .unwrap_or_default();
            let seen = Seen {
                headers,
                body,
                method: method.to_owned(),
                message,
            };
            self.requests.lock().unwrap().push(seen.clone());
            self.arrived.notify_all();
            let script = Arc::clone(&self.script.lock().unwrap());
            let reply = script(&seen).unwrap_or_else(|| self.ordinary(&seen));
            if !reply.write(stream.get_mut()) {
                return;
            }
        }
    }

    fn ordinary(&self, seen: &Seen) -> Reply {
        match seen.method.as_str() {
            "initialize" => seen.result(INITIALIZED),
            "tools/list" => {
                let tools = self.tools.lock().unwrap();
                seen.result(&format!(r#"{{"tools":{tools}}}"#))
            }
            "tools/call" => {
                let text = String::from_utf8(seen.arguments()).unwrap();
                let text = Value::from(text);
                seen.result(&format!(
                    r#"{{"content":[{{"type":"text","text":{text}}}]}}"#
                ))
            }
            method if method.starts_with("notifications/") || seen.id() == "null" => {
                Reply::Http(202, "text/plain", Vec::new())
            }
            _ => seen.error(-32601, "Method not found"),
        }
    }
}

impl Reply {
    /// Writes it; false when the connection is over.
    fn write(self, stream: &mut TcpStream) -> bool {
        match self {
            Self::Json(text) => write(stream, 200, "application/json", text.as_bytes()),
            Self::Http(status, kind, body) => write(stream, status, kind, &body),
            Self::Events(messages) => {
                let events = messages
                    .iter()
                    .map(|message| format!("event: message\ndata: {message}\n\n"));
                let body: String = events.collect();
                write(stream, 200, "text/event-stream", body.as_bytes())
            }
            Self::Wire(bytes) => {
                let _gone = stream.write_all(&bytes);
                false
            }
            Self::Endless(first, again) => {
                let _gone = stream.write_all(&first);
                while stream.write_all(&again).is_ok() {}
                false
            }
        }
    }
}

/// A stop that a test lifts.
#[derive(Clone, Default)]
pub(crate) struct Gate(Arc<(Mutex<bool>, Condvar)>);

impl Gate {
    pub(crate) fn open(&self) {
        *self.0.0.lock().unwrap() = true;
        self.0.1.notify_all();
    }

    pub(crate) fn wait(&self) {
        let opened = self.0.0.lock().unwrap();
        let waited = self
            .0
            .1
            .wait_timeout_while(opened, PATIENCE, |opened| !*opened);
        drop(waited.unwrap());
    }
}

fn write(stream: &mut TcpStream, status: u16, kind: &str, body: &[u8]) -> bool {
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status} Status\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n"
    );
    stream.write_all(&[head.as_bytes(), body].concat()).is_ok()
}

fn array(definitions: &[Value]) -> String {
    Value::Array(definitions.to_vec()).to_string()
}

/// A definition with one member replaced or added.
pub(crate) fn with(definition: &Value, member: &str, value: &str) -> Value {
    let mut changed: Object = definition.as_object().unwrap().clone();
    changed.insert(member, json(value));
    changed.into()
}

pub(crate) fn json(text: &str) -> Value {
    parse(text.as_bytes(), &Limits::RESPONSE).unwrap_or_else(|error| panic!("{error}: {text}"))
}

const INITIALIZED: &str = r#"{"protocolVersion":"2025-11-25","capabilities":{"tools":{"listChanged":true}},"serverInfo":{"name":"scripted","version":"1"}}"#;

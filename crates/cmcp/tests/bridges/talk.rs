//! What a server sees of one request, and how it answers it.

use std::{
    fmt,
    io::{Read as _, Write as _},
    net::TcpStream,
};

use cmcp_json::{Limits, Value, parse};

use crate::{
    support::{PATIENCE, client::find},
    upstream::Upstream,
};

/// One request as it came.
#[derive(Clone)]
pub(crate) struct Seen {
    pub(crate) verb: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// The JSON-RPC method, empty where there is none.
    pub(crate) method: String,
    pub(crate) message: Value,
}

/// What a script answers.
pub(crate) enum Reply {
    /// Status 200 and this JSON.
    Json(String),
    /// A status alone.
    Status(u16),
    /// A stream of events that is written as it goes.
    Talk(Box<dyn FnOnce(&mut Talk) + Send>),
}

/// A stream of events that stands open.
pub(crate) struct Talk {
    pub(crate) upstream: Upstream,
    pub(crate) seen: Seen,
    pub(crate) stream: TcpStream,
}

impl fmt::Debug for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { verb, body, .. } = self;
        write!(f, "{verb} {}", String::from_utf8_lossy(body))
    }
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> &str {
        find(&self.headers, name).unwrap_or_default()
    }

    /// The session it was sent in.
    pub(crate) fn session(&self) -> &str {
        self.header("mcp-session-id")
    }

    /// The id as JSON.
    pub(crate) fn id(&self) -> String {
        let id = self.message.get("id");
        id.map_or_else(|| "null".to_owned(), Value::to_string)
    }

    /// A member of the message by its path; null where there is none.
    pub(crate) fn at(&self, path: &[&str]) -> Value {
        let found = path
            .iter()
            .try_fold(&self.message, |value, name| value.get(name));
        found.cloned().unwrap_or(Value::Null)
    }

    /// The text at a path.
    pub(crate) fn text(&self, path: &[&str]) -> String {
        self.at(path).as_str().unwrap_or_default().to_owned()
    }

    /// What is called, read or got.
    pub(crate) fn target(&self) -> String {
        let name = self.text(&["params", "name"]);
        if name.is_empty() {
            self.text(&["params", "uri"])
        } else {
            name
        }
    }

    /// The bytes of a member of `params`, as they came.
    pub(crate) fn raw(&self, member: &str) -> String {
        let message = parse(&self.body, &Limits::REQUEST).unwrap();
        let params = &self.body[message.as_object().unwrap().span("params").unwrap()];
        let inner = parse(params, &Limits::REQUEST).unwrap();
        let span = inner.as_object().unwrap().span(member);
        span.map_or_else(String::new, |span| {
            String::from_utf8(params[span].to_vec()).unwrap()
        })
    }

    pub(crate) fn result(&self, result: &str) -> Reply {
        Reply::Json(self.result_text(result))
    }

    pub(crate) fn result_text(&self, result: &str) -> String {
        let id = self.id();
        format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#)
    }

    pub(crate) fn error(&self, error: &str) -> Reply {
        let id = self.id();
        Reply::Json(format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{error}}}"#))
    }
}

impl Reply {
    pub(crate) fn talk(talk: impl FnOnce(&mut Talk) + Send + 'static) -> Self {
        Self::Talk(Box::new(talk))
    }
}

impl Talk {
    /// Writes one event; false when nobody reads any more.
    pub(crate) fn say(&mut self, message: &str) -> bool {
        self.write(&format!("event: message\ndata: {message}\n\n"))
    }

    /// Writes bytes of the stream as they are.
    pub(crate) fn write(&mut self, bytes: &str) -> bool {
        write_chunk(&mut self.stream, bytes)
    }

    /// Asks the client, and waits for its answer: the whole message.
    pub(crate) fn ask(&mut self, method: &str, params: &str) -> Value {
        let id = self.upstream.question();
        self.say(&format!(
            r#"{{"jsonrpc":"2.0","id":"{id}","method":"{method}","params":{params}}}"#
        ));
        self.upstream.await_answer(&id)
    }

    /// Tells of progress with the request, if its client wants to hear of it.
    pub(crate) fn progress(&mut self, progress: &str, message: &str) -> bool {
        let token = self.seen.at(&["params", "_meta", "progressToken"]);
        self.say(&format!(
            r#"{{"jsonrpc":"2.0","method":"notifications/progress","params":{{"progressToken":{token},"progress":{progress},"message":"{message}"}}}}"#
        ))
    }

    /// Logs something.
    pub(crate) fn log(&mut self, level: &str, data: &str) -> bool {
        self.say(&format!(
            r#"{{"jsonrpc":"2.0","method":"notifications/message","params":{{"level":"{level}","data":"{data}"}}}}"#
        ))
    }

    /// Answers the request.
    pub(crate) fn result(&mut self, result: &str) {
        let message = self.seen.result_text(result);
        self.say(&message);
    }

    /// Waits until whoever reads this stream has gone.
    pub(crate) fn await_hang_up(&mut self) {
        self.stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let read = self.stream.read(&mut [0; 1]);
        assert!(!matches!(read, Ok(1..)), "more was sent: {read:?}");
    }
}

pub(crate) fn open_stream(stream: &mut TcpStream) -> bool {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\nTransfer-Encoding: chunked\r\n\r\n";
    stream.write_all(head.as_bytes()).is_ok()
}

pub(crate) fn write_chunk(stream: &mut TcpStream, text: &str) -> bool {
    let chunk = format!("{:x}\r\n{text}\r\n", text.len());
    stream.write_all(chunk.as_bytes()).is_ok()
}

pub(crate) fn write(
    stream: &mut TcpStream,
    status: u16,
    headers: &[(&str, &str)],
    body: &[u8],
) -> bool {
    let mut head = format!(
        "HTTP/1.1 {status} Status\r\nContent-Length: {}\r\n",
        body.len()
    );
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    stream.write_all(&[head.as_bytes(), body].concat()).is_ok()
}

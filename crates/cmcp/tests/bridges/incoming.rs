//! Answers byte for byte: what is said while a request is served comes one event at a time.

use std::{
    io::{BufRead as _, BufReader, Read, Write as _},
    net::TcpStream,
    time::Duration,
};

use cmcp_json::{Limits, Value, parse};

use crate::{
    client::method_of,
    support::{
        Answer, Gateway, PATIENCE,
        client::{find, read_head},
        json,
    },
};

/// An answer that arrives bit by bit.
pub(crate) struct Incoming<'g> {
    gateway: &'g Gateway,
    method: String,
    head: Option<Head>,
    raw: Option<BufReader<TcpStream>>,
    body: Option<BufReader<Body>>,
    socket: TcpStream,
}

struct Head {
    status: u16,
    headers: Vec<(String, String)>,
}

/// What is left of a body.
struct Body {
    raw: BufReader<TcpStream>,
    form: Form,
}

enum Form {
    /// In chunks; what is left of the current one, and nothing behind the last.
    Chunks(Option<usize>),
    Length(usize),
}

/// One event of a stream.
#[derive(Clone, Debug, Default)]
pub(crate) struct Event {
    pub(crate) id: Option<String>,
    pub(crate) name: String,
    pub(crate) data: String,
}

/// A whole answer: what was said before it, and it.
#[derive(Debug)]
pub(crate) struct Got {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    /// Requests and notifications, in order.
    pub(crate) before: Vec<Value>,
    pub(crate) last: Value,
}

impl Got {
    pub(crate) fn header(&self, name: &str) -> &str {
        find(&self.headers, name).unwrap_or_default()
    }

    pub(crate) fn result(&self) -> Value {
        let result = self.last.get("result").cloned();
        result.unwrap_or_else(|| panic!("no result: {self:?}"))
    }

    /// The text of the first content.
    pub(crate) fn text(&self) -> String {
        let result = self.result();
        let content = result.get("content").and_then(Value::as_array);
        let first = content.and_then(|all| all.first());
        let text = first.and_then(|first| first.get("text"));
        text.and_then(Value::as_str).unwrap_or_default().to_owned()
    }

    /// Code and `data` of an error.
    pub(crate) fn error(&self) -> (i64, Value) {
        let error = self.last.get("error");
        let error = error.unwrap_or_else(|| panic!("no error: {self:?}"));
        let code = error.get("code").and_then(Value::as_i64).unwrap();
        (code, error.get("data").cloned().unwrap_or(Value::Null))
    }

    /// Code and `data.error_code` of an error.
    pub(crate) fn refusal(&self) -> (i64, String) {
        let (code, data) = self.error();
        let word = data.get("error_code").and_then(Value::as_str);
        (code, word.unwrap_or_default().to_owned())
    }

    /// Parameters of the notifications of a method.
    pub(crate) fn told(&self, method: &str) -> Vec<Value> {
        let of = |message: &&Value| method_of(message) == method;
        let told = self.before.iter().filter(of);
        told.map(|message| message.get("params").cloned().unwrap_or(Value::Null))
            .collect()
    }
}

impl Read for Body {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let left = match &mut self.form {
            Form::Chunks(None) | Form::Length(0) => return Ok(0),
            Form::Chunks(Some(0)) => {
                let mut line = String::new();
                self.raw.read_line(&mut line)?;
                let size = usize::from_str_radix(line.trim(), 16).unwrap_or(0);
                self.form = Form::Chunks((size > 0).then_some(size));
                return self.read(buffer);
            }
            Form::Chunks(Some(left)) | Form::Length(left) => left,
        };
        let most = buffer.len().min(*left);
        let read = self.raw.read(&mut buffer[..most])?;
        *left -= read;
        if matches!(self.form, Form::Chunks(Some(0))) {
            self.raw.read_line(&mut String::new())?;
        }
        Ok(read)
    }
}

impl<'g> Incoming<'g> {
    pub(crate) fn open(
        gateway: &'g Gateway,
        line: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Self {
        let stream = TcpStream::connect(gateway.addr).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        let mut head = format!("{line} HTTP/1.1\r\nHost: {}\r\n", gateway.addr);
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if line.starts_with("POST") {
            head.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        head.push_str("\r\n");
        (&stream)
            .write_all(&[head.as_bytes(), body].concat())
            .unwrap();
        let message = parse(body, &Limits::REQUEST).unwrap_or(Value::Null);
        Self {
            gateway,
            method: method_of(&message).to_owned(),
            head: None,
            socket: stream.try_clone().unwrap(),
            raw: Some(BufReader::new(stream)),
            body: None,
        }
    }

    fn head(&mut self) -> &Head {
        if let Some(mut raw) = self.raw.take() {
            let (line, headers) = read_head(&mut raw).unwrap();
            let status = line.split(' ').nth(1).unwrap().parse().unwrap();
            let form = match find(&headers, "content-length") {
                Some(length) => Form::Length(length.parse().unwrap()),
                None if find(&headers, "transfer-encoding").is_some() => Form::Chunks(Some(0)),
                None => Form::Length(0),
            };
            self.body = Some(BufReader::new(Body { raw, form }));
            self.head = Some(Head { status, headers });
        }
        self.head.as_ref().unwrap()
    }

    pub(crate) fn status(&mut self) -> u16 {
        self.head().status
    }

    pub(crate) fn header(&mut self, name: &str) -> String {
        find(&self.head().headers, name)
            .unwrap_or_default()
            .to_owned()
    }

    pub(crate) fn is_stream(&mut self) -> bool {
        self.header("content-type") == "text/event-stream"
    }

    /// The next event, priming ones included; none at the end, however it comes.
    pub(crate) fn event(&mut self) -> Option<Event> {
        self.head();
        let body = self.body.as_mut()?;
        let mut event = Event::default();
        let mut any = false;
        loop {
            let mut line = String::new();
            match body.read_line(&mut line) {
                Ok(1..) => {}
                Ok(0) | Err(_) => return None,
            }
            let line = line.trim_end_matches(['\r', '\n']);
            if line.is_empty() && any {
                return Some(event);
            }
            let (field, value) = line.split_once(':').unwrap_or((line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match field {
                "data" => event.data.push_str(value),
                "event" => value.clone_into(&mut event.name),
                "id" => event.id = Some(value.to_owned()),
                _ => continue,
            }
            any = true;
        }
    }

    /// The next message, from a stream or as the whole body; none at the end.
    pub(crate) fn next(&mut self) -> Option<Value> {
        if self.is_stream() {
            loop {
                let event = self.event()?;
                if !event.data.is_empty() {
                    return Some(json(&event.data));
                }
            }
        }
        let mut body = Vec::new();
        self.body.as_mut()?.read_to_end(&mut body).unwrap();
        (!body.is_empty()).then(|| json(&String::from_utf8(body).unwrap()))
    }

    pub(crate) fn message(&mut self) -> Value {
        let next = self.next();
        next.unwrap_or_else(|| panic!("{} ended without a word", self.method))
    }

    /// Nothing comes for so long.
    pub(crate) fn is_silent(&mut self, during: Duration) -> bool {
        self.head();
        let body = self.body.as_ref().unwrap();
        if !body.buffer().is_empty() || !body.get_ref().raw.buffer().is_empty() {
            return false;
        }
        self.socket.set_read_timeout(Some(during)).unwrap();
        let peeked = self.socket.peek(&mut [0; 1]);
        self.socket.set_read_timeout(Some(PATIENCE)).unwrap();
        peeked.is_err()
    }

    /// Reads up to the answer, and tells the gateway of the call it was.
    pub(crate) fn answer(mut self) -> Got {
        let mut before = Vec::new();
        let last = loop {
            let message = self.message();
            if message.get("method").is_none() {
                break message;
            }
            before.push(message);
        };
        let got = self.got(before, last);
        self.count(&got);
        got
    }

    /// The answer that `last` is; nobody counts it.
    pub(crate) fn got(&mut self, before: Vec<Value>, last: Value) -> Got {
        let Head { status, headers } = self.head();
        Got {
            status: *status,
            headers: headers.clone(),
            before,
            last,
        }
    }

    /// Every governed request leaves one outcome behind. Its id is in the head, unless the answer
    /// took so long that a stream was opened for it.
    fn count(&mut self, got: &Got) {
        let kind = got.last.get("result").and_then(|r| r.get("resultType"));
        let parked = kind.and_then(Value::as_str) == Some("input_required");
        if self.method.starts_with("tasks/") {
            // The call that the task belongs to was counted when it was made.
            return;
        }
        if !got.header("cmcp-call-id").is_empty() {
            self.gateway.heard(Answer {
                status: got.status,
                headers: got.headers.clone(),
                body: Vec::new(),
            });
        } else if GOVERNED.contains(&&*self.method) && self.is_stream() && !parked {
            self.gateway.unheard();
        }
    }
}

const GOVERNED: [&str; 4] = [
    "tools/call",
    "resources/read",
    "prompts/get",
    "completion/complete",
];

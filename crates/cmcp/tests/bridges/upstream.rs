//! A server of either era behind the gateway. It answers plainly what no test has a script for,
//! keeps every message it is sent, and speaks of its own accord when a test says so.

use std::{
    collections::BTreeSet,
    io::{BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::{
        Arc, Condvar, Mutex, MutexGuard,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use cmcp_json::{Limits, Value, parse};

pub(crate) use crate::talk::{Reply, Seen, Talk};
use crate::{
    items::{Item, Kind},
    support::{
        PATIENCE,
        client::{find, read_body, read_head},
        json,
    },
    talk::{open_stream, write, write_chunk},
};

/// Which era a server is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Era {
    Legacy,
    Modern,
}

/// A running server. Clones are the same one.
#[derive(Clone)]
pub(crate) struct Upstream {
    pub(crate) url: String,
    shared: Arc<Shared>,
}

struct Shared {
    era: Era,
    capabilities: String,
    items: Mutex<Vec<Item>>,
    script: Mutex<Script>,
    requests: Mutex<Vec<Seen>>,
    listeners: Mutex<Vec<Listener>>,
    changed: Condvar,
    numbers: AtomicUsize,
}

type Script = Arc<dyn Fn(&Seen) -> Option<Reply> + Send + Sync>;

/// An open stream on which this server speaks of its own accord.
struct Listener {
    /// Of the legacy era: whose.
    session: String,
    /// Of the modern era: the id of the request that opened it, as JSON.
    id: String,
    stream: TcpStream,
}
impl Upstream {
    /// A server that offers these items, and every capability of its era.
    pub(crate) fn start(era: Era, items: &[Item]) -> Self {
        let capabilities = match era {
            Era::Legacy => LEGACY,
            Era::Modern => MODERN,
        };
        Self::with(era, items, capabilities)
    }

    /// A server that says it can do this.
    pub(crate) fn with(era: Era, items: &[Item], capabilities: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/mcp", listener.local_addr().unwrap());
        let upstream = Self {
            url,
            shared: Arc::new(Shared {
                era,
                capabilities: capabilities.to_owned(),
                items: Mutex::new(items.to_vec()),
                script: Mutex::new(Arc::new(|_| None)),
                requests: Mutex::default(),
                listeners: Mutex::default(),
                changed: Condvar::new(),
                numbers: AtomicUsize::new(0),
            }),
        };
        let accepting = upstream.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let upstream = accepting.clone();
                thread::spawn(move || upstream.serve(stream));
            }
        });
        upstream
    }

    /// An address at which nobody answers.
    pub(crate) fn nowhere() -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}/mcp", listener.local_addr().unwrap())
    }

    pub(crate) fn era(&self) -> Era {
        self.shared.era
    }

    /// What it offers now.
    pub(crate) fn items(&self) -> Vec<Item> {
        self.shared.items.lock().unwrap().clone()
    }

    /// Offers something else from now on, without saying so.
    pub(crate) fn offer(&self, items: &[Item]) {
        *self.shared.items.lock().unwrap() = items.to_vec();
    }

    /// Acts as told from now on; `None` for the ordinary.
    pub(crate) fn act(&self, script: impl Fn(&Seen) -> Option<Reply> + Send + Sync + 'static) {
        *self.shared.script.lock().unwrap() = Arc::new(script);
    }

    /// Acts so on requests of one method.
    pub(crate) fn on(
        &self,
        method: &'static str,
        script: impl Fn(&Seen) -> Reply + Send + Sync + 'static,
    ) {
        self.act(move |seen| (seen.method == method).then(|| script(seen)));
    }

    pub(crate) fn requests(&self) -> Vec<Seen> {
        self.seen().clone()
    }

    /// The requests of one method so far.
    pub(crate) fn of(&self, method: &str) -> Vec<Seen> {
        of_method(&self.seen(), method)
    }

    /// Waits for that many requests of a method.
    pub(crate) fn await_requests(&self, wanted: usize, method: &str) -> Vec<Seen> {
        self.await_that(&format!("{wanted} of {method}"), |seen| {
            let found: Vec<Seen> = of_method(seen, method);
            (found.len() >= wanted).then_some(found)
        })
    }

    /// Waits for the answer to a question of ours: the whole message.
    pub(crate) fn await_answer(&self, id: &str) -> Value {
        self.await_that(&format!("an answer to {id}"), |seen| {
            let is_it = |seen: &&Seen| seen.method.is_empty() && seen.text(&["id"]) == id;
            seen.iter().find(is_it).map(|seen| seen.message.clone())
        })
    }

    fn await_that<T>(&self, what: &str, found: impl Fn(&[Seen]) -> Option<T>) -> T {
        let give_up = Instant::now() + PATIENCE;
        let mut requests = self.seen();
        loop {
            if let Some(found) = found(&requests) {
                return found;
            }
            let left = give_up.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "waited for {what}: {requests:?}");
            requests = self.shared.changed.wait_timeout(requests, left).unwrap().0;
        }
    }

    /// Waits until so many streams are open on which this server may speak of its own accord.
    pub(crate) fn await_listeners(&self, wanted: usize) {
        let give_up = Instant::now() + PATIENCE;
        while self.shared.listeners.lock().unwrap().len() < wanted {
            assert!(Instant::now() < give_up, "waited for {wanted} listeners");
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Says something of its own accord, to everybody who listens.
    pub(crate) fn announce(&self, method: &str, params: &str) {
        self.announce_to(|_| true, method, params);
    }

    /// Says it on the streams of these sessions alone.
    pub(crate) fn announce_to(&self, whom: impl Fn(&str) -> bool, method: &str, params: &str) {
        let mut listeners = self.shared.listeners.lock().unwrap();
        listeners.retain_mut(|listener| {
            if !whom(&listener.session) {
                return true;
            }
            let params = match self.shared.era {
                Era::Legacy => params.to_owned(),
                Era::Modern => subscribed(params, &listener.id),
            };
            let message = format!(r#"{{"jsonrpc":"2.0","method":"{method}","params":{params}}}"#);
            let event = format!("event: message\ndata: {message}\n\n");
            write_chunk(&mut listener.stream, &event)
        });
    }

    /// Asks something on the streams on which it speaks of its own accord, and waits for an answer.
    pub(crate) fn ask(&self, method: &str, params: &str) -> Value {
        let id = self.question();
        let message =
            format!(r#"{{"jsonrpc":"2.0","id":"{id}","method":"{method}","params":{params}}}"#);
        let event = format!("event: message\ndata: {message}\n\n");
        for listener in self.shared.listeners.lock().unwrap().iter_mut() {
            write_chunk(&mut listener.stream, &event);
        }
        self.await_answer(&id)
    }

    /// An id for a question.
    pub(crate) fn question(&self) -> String {
        format!("q-{}", self.shared.numbers.fetch_add(1, Ordering::SeqCst))
    }

    /// Breaks every such stream off.
    pub(crate) fn break_streams(&self) {
        for listener in self.shared.listeners.lock().unwrap().drain(..) {
            let _gone = listener.stream.shutdown(std::net::Shutdown::Both);
        }
    }

    fn seen(&self) -> MutexGuard<'_, Vec<Seen>> {
        self.shared.requests.lock().unwrap()
    }

    fn serve(&self, stream: TcpStream) {
        let mut stream = BufReader::new(stream);
        while let Ok((line, headers)) = read_head(&mut stream) {
            let body = match find(&headers, "content-length") {
                Some(_) => read_body(&mut stream, &headers),
                None => Ok(Vec::new()),
            };
            let Ok(body) = body else { return };
            let message = parse(&body, &Limits::REQUEST).unwrap_or(Value::Null);
            let method = message.get("method").and_then(Value::as_str);
            let seen = Seen {
                verb: line.split(' ').next().unwrap_or_default().to_owned(),
                method: method.unwrap_or_default().to_owned(),
                headers,
                body,
                message,
            };
            self.seen().push(seen.clone());
            self.shared.changed.notify_all();
            let script = Arc::clone(&self.shared.script.lock().unwrap());
            let stays = match script(&seen) {
                Some(reply) => self.write(reply, seen, stream.get_mut()),
                None => self.ordinary(&seen, stream.get_mut()),
            };
            if !stays {
                return;
            }
        }
    }

    /// Writes an answer; false when the connection is over.
    fn write(&self, reply: Reply, seen: Seen, stream: &mut TcpStream) -> bool {
        match reply {
            Reply::Json(text) => write(stream, 200, &[JSON], text.as_bytes()),
            Reply::Status(status) => write(stream, status, &[], b""),
            Reply::Talk(script) => {
                if !open_stream(stream) {
                    return false;
                }
                let mut talk = Talk {
                    upstream: self.clone(),
                    seen,
                    stream: stream.try_clone().unwrap(),
                };
                script(&mut talk);
                stream.write_all(b"0\r\n\r\n").is_ok()
            }
        }
    }

    fn ordinary(&self, seen: &Seen, stream: &mut TcpStream) -> bool {
        let legacy = self.shared.era == Era::Legacy;
        match (seen.verb.as_str(), seen.method.as_str()) {
            ("GET", _) if legacy => return self.listen(seen, stream),
            ("POST", "subscriptions/listen") if !legacy => return self.listen(seen, stream),
            ("DELETE", _) if legacy => return write(stream, 200, &[], b""),
            ("POST", "initialize") if legacy => {
                let number = self.shared.numbers.fetch_add(1, Ordering::SeqCst);
                let session = format!("s-{number}");
                let capabilities = &self.shared.capabilities;
                let result = seen.result_text(&format!(
                    r#"{{"protocolVersion":"2025-11-25","capabilities":{capabilities},"serverInfo":{{"name":"scripted","version":"1"}}}}"#
                ));
                let headers = [JSON, ("Mcp-Session-Id", session.as_str())];
                return write(stream, 200, &headers, result.as_bytes());
            }
            ("POST", method) if method.starts_with("notifications/") || method.is_empty() => {
                return write(stream, 202, &[], b"");
            }
            ("POST", _) => {}
            _ => return write(stream, 405, &[], b""),
        }
        let reply = match self.plain(seen) {
            Some(result) if legacy => seen.result_text(&result),
            Some(result) => seen.result_text(&format!(
                r#"{{"resultType":"complete","ttlMs":0,"cacheScope":"private",{}"#,
                result.strip_prefix('{').unwrap()
            )),
            None => {
                let id = seen.id();
                let error = format!(
                    r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":-32601,"message":"Method not found"}}}}"#
                );
                let status = if legacy { 200 } else { 404 };
                return write(stream, status, &[JSON], error.as_bytes());
            }
        };
        write(stream, 200, &[JSON], reply.as_bytes())
    }

    /// The members of a plain result, without those of the era.
    fn plain(&self, seen: &Seen) -> Option<String> {
        let listed = |kind| {
            let items = self.items();
            let of: Vec<Value> = items
                .iter()
                .filter(|item| item.kind == kind)
                .map(|item| item.definition.clone())
                .collect();
            format!(r#"{{"{}":{}}}"#, Kind::member(kind), Value::Array(of))
        };
        let quoted = |text: &str| Value::from(text).to_string();
        let legacy = self.shared.era == Era::Legacy;
        Some(match seen.method.as_str() {
            "server/discover" if !legacy => {
                let capabilities = &self.shared.capabilities;
                format!(
                    r#"{{"supportedVersions":["2026-07-28"],"capabilities":{capabilities},"_meta":{{"io.modelcontextprotocol/serverInfo":{{"name":"scripted","version":"1"}}}}}}"#
                )
            }
            "tools/list" => listed(Kind::Tool),
            "resources/list" => listed(Kind::Resource),
            "resources/templates/list" => listed(Kind::Template),
            "prompts/list" => listed(Kind::Prompt),
            "tools/call" => {
                let text = quoted(&seen.raw("arguments"));
                format!(r#"{{"content":[{{"type":"text","text":{text}}}]}}"#)
            }
            "resources/read" => {
                let (uri, text) = (seen.target(), "the content");
                format!(
                    r#"{{"contents":[{{"uri":{},"mimeType":"text/plain","text":"{text}"}}]}}"#,
                    quoted(&uri)
                )
            }
            "prompts/get" => {
                let text = quoted(&format!("say {}", seen.raw("arguments")));
                format!(
                    r#"{{"messages":[{{"role":"user","content":{{"type":"text","text":{text}}}}}]}}"#
                )
            }
            "completion/complete" => {
                r#"{"completion":{"values":["one","two"],"total":2,"hasMore":false}}"#.to_owned()
            }
            "resources/subscribe" | "resources/unsubscribe" | "logging/setLevel" if legacy => {
                "{}".to_owned()
            }
            "ping" if legacy => "{}".to_owned(),
            _ => return None,
        })
    }

    /// Keeps a stream open on which this server speaks of its own accord.
    fn listen(&self, seen: &Seen, stream: &mut TcpStream) -> bool {
        if !open_stream(stream) {
            return false;
        }
        let mut own = stream.try_clone().unwrap();
        if self.shared.era == Era::Modern {
            let wanted = seen.at(&["params", "notifications"]);
            let params = subscribed(&format!(r#"{{"notifications":{wanted}}}"#), &seen.id());
            let message = format!(
                r#"{{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{params}}}"#
            );
            write_chunk(&mut own, &format!("event: message\ndata: {message}\n\n"));
        }
        self.shared.listeners.lock().unwrap().push(Listener {
            session: seen.session().to_owned(),
            id: seen.id(),
            stream: own,
        });
        // Until the other side has gone.
        let _gone = stream.set_read_timeout(None);
        while matches!(stream.read(&mut [0; 64]), Ok(1..)) {}
        let peer = stream.peer_addr().ok();
        let mut listeners = self.shared.listeners.lock().unwrap();
        listeners.retain(|listener| listener.stream.peer_addr().ok() != peer);
        false
    }

    /// The sessions in which requests of a method came.
    pub(crate) fn sessions_of(&self, method: &str) -> BTreeSet<String> {
        let seen = self.of(method);
        seen.iter().map(|seen| seen.session().to_owned()).collect()
    }
}

fn of_method(seen: &[Seen], method: &str) -> Vec<Seen> {
    let of = seen.iter().filter(|seen| seen.method == method);
    of.cloned().collect()
}

/// Parameters with the subscription that they belong to.
fn subscribed(params: &str, id: &str) -> String {
    let mut params = json(params);
    let meta = json(&format!(
        r#"{{"io.modelcontextprotocol/subscriptionId":{id}}}"#
    ));
    params.as_object_mut().unwrap().insert("_meta", meta);
    params.to_string()
}

const JSON: (&str, &str) = ("Content-Type", "application/json");
const LEGACY: &str = r#"{"tools":{"listChanged":true},"resources":{"subscribe":true,"listChanged":true},"prompts":{"listChanged":true},"completions":{},"logging":{},"tasks":{"list":{},"cancel":{},"requests":{"tools":{"call":{}}}}}"#;
const MODERN: &str = r#"{"tools":{"listChanged":true},"resources":{"subscribe":true,"listChanged":true},"prompts":{"listChanged":true},"completions":{},"logging":{},"extensions":{"io.modelcontextprotocol/tasks":{}}}"#;

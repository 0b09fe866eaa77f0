//! A gateway to bridge to: real HTTP, messages and headers read as gateways read them, tools that show
//! how they were asked.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use cmcp_json::{Limits, Object, Value, parse};
use cmcp_mcp::{
    error::Code,
    headers::{HeaderError, META_VERSION, check_method, check_name, check_params, mirrored},
    jsonrpc::{self, Id, Message, Request},
    sse,
    version::Version,
};
use http::{HeaderMap, Method, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, StreamBody, combinators::BoxBody};
use hyper::{body::Frame, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    net::TcpListener,
    sync::{Notify, mpsc},
    task::JoinHandle,
};

pub(super) struct Gateway {
    pub(super) url: String,
    pub(super) state: Arc<State>,
    accepting: JoinHandle<()>,
}

#[derive(Default)]
pub(super) struct State {
    /// Everything that came.
    seen: Mutex<Vec<Seen>>,
    arrived: Notify,
    /// Open sessions, by id, and where their stream of unasked messages ends.
    sessions: Mutex<BTreeMap<String, Option<Events>>>,
    minted: AtomicUsize,
    pub(super) hung_up: Notify,
    /// Lets the answers go that wait for it.
    pub(super) go: Notify,
    /// What is left of streams that broke off, by the id of their last event.
    left: Mutex<BTreeMap<String, Vec<Bytes>>>,
    /// Answers of the client to requests of ours.
    answered: Mutex<Vec<String>>,
    pub(super) no_streams: AtomicBool,
}

#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) method: Method,
    pub(super) headers: HeaderMap,
    pub(super) body: String,
}

impl Seen {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

type Body = BoxBody<Bytes, Infallible>;
type Events = mpsc::UnboundedSender<Bytes>;

impl Gateway {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/mcp", listener.local_addr().unwrap());
        let state = Arc::new(State::default());
        let shared = Arc::clone(&state);
        let accepting = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let state = Arc::clone(&shared);
                tokio::spawn(async move {
                    let service = service_fn(move |request| answer(Arc::clone(&state), request));
                    let _ = http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                });
            }
        });
        Self {
            url,
            state,
            accepting,
        }
    }

    /// As a restarted gateway would; what was open breaks off.
    pub(super) fn forget_sessions(&self) {
        self.state.sessions.lock().unwrap().clear();
    }

    /// Messages alone, in the order they came.
    pub(super) fn seen(&self) -> Vec<Seen> {
        let seen = self.state.seen.lock().unwrap();
        let posted = seen.iter().filter(|seen| seen.method == Method::POST);
        posted.cloned().collect()
    }

    /// Waits until this many requests of a method came, and gives them.
    pub(super) async fn until(&self, method: Method, count: usize) -> Vec<Seen> {
        let waiting = async {
            loop {
                let arrived = self.state.arrived.notified();
                let seen = self.state.seen.lock().unwrap().clone();
                let these: Vec<_> = seen.into_iter().filter(|s| s.method == method).collect();
                if these.len() >= count {
                    return these;
                }
                arrived.await;
            }
        };
        let limit = Duration::from_secs(20);
        tokio::time::timeout(limit, waiting).await.expect("in time")
    }

    /// Sends an event to every open session.
    pub(super) fn announce(&self, id: &str, message: &str) {
        let sessions = self.state.sessions.lock().unwrap();
        for events in sessions.values().flatten() {
            let event = sse::encode("message", Some(id), message.as_bytes());
            events.send(event).unwrap();
        }
    }

    /// Ends the streams of unasked messages; sessions stay.
    pub(super) fn end_streams(&self) {
        let mut sessions = self.state.sessions.lock().unwrap();
        sessions.values_mut().for_each(|events| *events = None);
    }

    /// Waits until every session has a stream to announce on.
    pub(super) async fn until_streaming(&self) {
        let streaming = || {
            let sessions = self.state.sessions.lock().unwrap();
            !sessions.is_empty() && sessions.values().all(Option::is_some)
        };
        while !streaming() {
            tokio::task::yield_now().await;
        }
    }

    pub(super) fn answered(&self) -> Vec<String> {
        self.state.answered.lock().unwrap().clone()
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn answer(
    state: Arc<State>,
    request: http::Request<hyper::body::Incoming>,
) -> Result<Response<Body>, Infallible> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    state.seen.lock().unwrap().push(Seen {
        method: head.method.clone(),
        headers: head.headers.clone(),
        body: String::from_utf8(body.to_vec()).unwrap(),
    });
    state.arrived.notify_waiters();
    let path = head.uri.path();
    if let Some(response) = elsewhere(path) {
        return Ok(response);
    }
    let session = head.headers.get("mcp-session-id");
    let session = session.map(|id| id.to_str().unwrap().to_owned());
    let known = session
        .as_ref()
        .map(|id| state.sessions.lock().unwrap().contains_key(id));
    if known == Some(false) {
        let error = jsonrpc::error(jsonrpc::ReplyTo::Unknown, -31008, "no such session", None);
        return Ok(json(StatusCode::NOT_FOUND, &error));
    }
    if head.method == Method::GET {
        return Ok(get(&state, session, &head.headers));
    }
    if head.method == Method::DELETE {
        state.sessions.lock().unwrap().remove(&session.unwrap());
        return Ok(plain(StatusCode::OK, "", ""));
    }
    Ok(match jsonrpc::parse(&body, &Limits::REQUEST).unwrap() {
        Message::Request(request) => serve(&state, &head.headers, request).await,
        Message::Response(_) => {
            let text = String::from_utf8(body.to_vec()).unwrap();
            state.answered.lock().unwrap().push(text);
            state.go.notify_one();
            plain(StatusCode::ACCEPTED, "", "")
        }
        Message::Notification(_) => plain(StatusCode::ACCEPTED, "", ""),
    })
}

/// What stands where no gateway does.
fn elsewhere(path: &str) -> Option<Response<Body>> {
    Some(match path {
        "/html" => {
            let body = "<html>bad gateway</html>";
            plain(StatusCode::BAD_GATEWAY, "text/html", body)
        }
        "/guarded" => {
            let body = r#"{"error":"missing","error_code":"MISSING_BEARER_TOKEN"}"#;
            plain(StatusCode::UNAUTHORIZED, "application/json", body)
        }
        "/elsewhere" => plain(StatusCode::FOUND, "text/plain", ""),
        "/wrong-id" => {
            let body = r#"{"jsonrpc":"2.0","id":"somebody else","result":{}}"#;
            plain(StatusCode::OK, "application/json", body)
        }
        _ => return None,
    })
}

fn get(state: &State, session: Option<String>, headers: &HeaderMap) -> Response<Body> {
    if state.no_streams.load(Ordering::SeqCst) {
        return plain(StatusCode::METHOD_NOT_ALLOWED, "", "");
    }
    let last = headers.get("last-event-id").map(|id| id.to_str().unwrap());
    if let Some(events) = last.and_then(|last| state.left.lock().unwrap().remove(last)) {
        return events_of(events);
    }
    let (events, stream) = mpsc::unbounded_channel();
    let session = session.expect("a session");
    state.sessions.lock().unwrap().insert(session, Some(events));
    open_events(stream)
}

async fn serve(state: &Arc<State>, headers: &HeaderMap, request: Request) -> Response<Body> {
    let modern = request.params.meta(META_VERSION).and_then(Value::as_str);
    if let Some(version) = modern {
        if Version::parse(version).is_none_or(|version| !version.is_modern()) {
            let error = jsonrpc::error(&request.id, -32022, "Unsupported protocol version", None);
            return json(StatusCode::BAD_REQUEST, &error);
        }
        let name = check_name(headers, &request.method, request.params.members());
        if let Err(error) = check_method(headers, &request.method).and(name) {
            return mismatch(&request.id, &error);
        }
    }
    match request.method.as_str() {
        "initialize" => initialize(state, &request).await,
        "tools/list" => done(&request.id, TOOLS.as_bytes()),
        "tools/call" => call(state, headers, request).await,
        "subscriptions/listen" => listen(state, &request),
        "logging/setLevel" | "resources/subscribe" | "resources/unsubscribe" | "ping" => {
            done(&request.id, b"{}")
        }
        _ => {
            let code = Code::MethodNotFound.value();
            let error = jsonrpc::error(&request.id, code, "Method not found", None);
            json(StatusCode::NOT_FOUND, &error)
        }
    }
}

async fn initialize(state: &State, request: &Request) -> Response<Body> {
    let requested = request.params.get("protocolVersion");
    let requested = requested.and_then(Value::as_str).unwrap_or_default();
    let number = state.minted.fetch_add(1, Ordering::SeqCst);
    // Slow, so that what the host sends next has to wait.
    tokio::time::sleep(Duration::from_millis(50)).await;
    let id = format!("session-{number}");
    state.sessions.lock().unwrap().insert(id.clone(), None);
    let result = Object::from([
        (
            "protocolVersion",
            Value::from(Version::negotiate(requested).as_str()),
        ),
        ("capabilities", Value::from(Object::new())),
    ]);
    let mut response = done(&request.id, &Value::from(result).to_vec());
    response
        .headers_mut()
        .insert("mcp-session-id", id.parse().unwrap());
    response
}

async fn call(state: &Arc<State>, headers: &HeaderMap, request: Request) -> Response<Body> {
    let name = request.params.get("name").and_then(Value::as_str).unwrap();
    match name {
        "hang" => {
            let _guard = HungUp(Arc::clone(state));
            std::future::pending().await
        }
        "stream" => stream(&request.id),
        "slow" => slow(state, request.id),
        "ask" => ask(state, request.id),
        "broken" => broken(state, &request.id),
        "denied" => {
            let data = parse(br#"{"error_code":"POLICY_DENY"}"#, &Limits::REQUEST).unwrap();
            let message = "Request denied by policy";
            let code = Code::Compat.value();
            let body = jsonrpc::error(&request.id, code, message, Some(&data));
            json(StatusCode::FORBIDDEN, &body)
        }
        "unaddressed" => {
            let body = jsonrpc::error(jsonrpc::ReplyTo::Null, -32600, "unreadable", None);
            json(StatusCode::BAD_REQUEST, &body)
        }
        "region" => {
            let tools = parse(TOOLS.as_bytes(), &Limits::REQUEST).unwrap();
            let tool = &tools.get("tools").unwrap().as_array().unwrap()[0];
            let marks = mirrored(tool.get("inputSchema").unwrap()).unwrap();
            let arguments = request.params.get("arguments").unwrap();
            match check_params(headers, &marks, arguments.as_object().unwrap()) {
                Ok(()) => done(&request.id, br#"{"mirrored": true}"#),
                Err(error) => mismatch(&request.id, &error),
            }
        }
        _ => done(&request.id, br#"{"content":[],"n": 1e2}"#),
    }
}

/// A notification, a question to the host, and only then the answer.
fn stream(id: &Id) -> Response<Body> {
    let messages = [
        jsonrpc::notification("notifications/progress", Some(br#"{"progress":1.0}"#)),
        jsonrpc::request(&7.into(), "ping", None),
        jsonrpc::result(id, br#"{"text":"\n\ndata: {\"id\":1}\n"}"#),
    ];
    let events = messages.map(|message| sse::encode("message", None, &message));
    events_of(events.into())
}

/// An event now; the answer when it may go.
fn slow(state: &Arc<State>, id: Id) -> Response<Body> {
    let (events, stream) = mpsc::unbounded_channel();
    let state = Arc::clone(state);
    tokio::spawn(async move {
        let note = jsonrpc::notification("notifications/progress", Some(br#"{"progress":1}"#));
        events.send(sse::encode("message", None, &note)).unwrap();
        state.go.notified().await;
        let _ = events.send(sse::encode("message", None, &jsonrpc::result(&id, b"{}")));
    });
    open_events(stream)
}

/// A request of the gateway's; the answer when the host has given its own.
fn ask(state: &Arc<State>, id: Id) -> Response<Body> {
    let (events, stream) = mpsc::unbounded_channel();
    let state = Arc::clone(state);
    tokio::spawn(async move {
        let asked = Id::String("of-the-gateway".to_owned());
        let params = br#"{"mode":"form","message":"Quantit\u00e9?","requestedSchema":{"type":"object","properties":{"n":{"type":"integer"}}}}"#;
        let request = jsonrpc::request(&asked, "elicitation/create", Some(params));
        events.send(sse::encode("message", None, &request)).unwrap();
        state.go.notified().await;
        let heard = state.answered.lock().unwrap().last().cloned().unwrap();
        let result = Value::from(Object::from([("heard", Value::from(heard))]));
        let result = jsonrpc::result(&id, &result.to_vec());
        events.send(sse::encode("message", None, &result)).unwrap();
    });
    open_events(stream)
}

/// A stream that breaks off twice before its answer.
fn broken(state: &State, id: &Id) -> Response<Body> {
    let note = |number: &str| {
        let params = format!(r#"{{"progress":{number}}}"#);
        jsonrpc::notification("notifications/progress", Some(params.as_bytes()))
    };
    let mut left = state.left.lock().unwrap();
    left.insert(
        "s1-2".to_owned(),
        vec![sse::encode("message", Some("s1-3"), &note("2"))],
    );
    left.insert(
        "s1-3".to_owned(),
        vec![sse::encode(
            "message",
            Some("s1-4"),
            &jsonrpc::result(id, br#"{"whole": true}"#),
        )],
    );
    events_of(vec![
        Bytes::from_static(b"retry: 60\nid: s1-1\ndata:\n\n"),
        sse::encode("message", Some("s1-2"), &note("1")),
    ])
}

/// The acknowledgement now, a change when it may go, and no end.
fn listen(state: &Arc<State>, request: &Request) -> Response<Body> {
    let (events, stream) = mpsc::unbounded_channel();
    let state = Arc::clone(state);
    let meta = format!(
        r#"{{"_meta":{{"io.modelcontextprotocol/subscriptionId":{}}}"#,
        request.id
    );
    tokio::spawn(async move {
        let _guard = HungUp(Arc::clone(&state));
        let acknowledged = "notifications/subscriptions/acknowledged";
        let params = format!(r#"{meta},"notifications":{{"toolsListChanged":true}}}}"#);
        let message = jsonrpc::notification(acknowledged, Some(params.as_bytes()));
        events.send(sse::encode("message", None, &message)).unwrap();
        state.go.notified().await;
        let changed = "notifications/tools/list_changed";
        let message = jsonrpc::notification(changed, Some(format!("{meta}}}").as_bytes()));
        events.send(sse::encode("message", None, &message)).unwrap();
        events.closed().await;
    });
    open_events(stream)
}

fn events_of(events: Vec<Bytes>) -> Response<Body> {
    let frames = events.into_iter().map(|event| Ok(Frame::data(event)));
    let body = StreamBody::new(futures_util::stream::iter(frames));
    respond(StatusCode::OK, "text/event-stream", body.boxed())
}

fn open_events(stream: mpsc::UnboundedReceiver<Bytes>) -> Response<Body> {
    let frames = futures_util::stream::unfold(stream, |mut stream| async move {
        let event = stream.recv().await?;
        Some((Ok(Frame::data(event)), stream))
    });
    let body = StreamBody::new(Box::pin(frames));
    respond(StatusCode::OK, "text/event-stream", body.boxed())
}

struct HungUp(Arc<State>);

impl Drop for HungUp {
    fn drop(&mut self) {
        self.0.hung_up.notify_one();
    }
}

fn mismatch(id: &Id, error: &HeaderError) -> Response<Body> {
    let code = Code::HeaderMismatch.value();
    let body = jsonrpc::error(id, code, &error.to_string(), None);
    json(StatusCode::BAD_REQUEST, &body)
}

fn done(id: &Id, result: &[u8]) -> Response<Body> {
    json(StatusCode::OK, &jsonrpc::result(id, result))
}

fn json(status: StatusCode, body: &Bytes) -> Response<Body> {
    respond(status, "application/json", Full::new(body.clone()).boxed())
}

fn plain(status: StatusCode, kind: &str, body: &'static str) -> Response<Body> {
    let body = Full::new(Bytes::from_static(body.as_bytes()));
    respond(status, kind, body.boxed())
}

fn respond(status: StatusCode, kind: &str, body: Body) -> Response<Body> {
    Response::builder()
        .status(status)
        .header("content-type", kind)
        .body(body)
        .unwrap()
}

const TOOLS: &str = r#"{"tools":[{"name":"region","inputSchema":{"type":"object","properties":{"region":{"type":"string","x-mcp-header":"Region"}}}}],"resultType":"complete","ttlMs":0,"cacheScope":"private"}"#;

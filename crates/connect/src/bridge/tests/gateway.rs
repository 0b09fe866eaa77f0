//! A gateway to bridge to: real HTTP, real reading of requests, tools that show how they were asked.

use std::{
    convert::Infallible,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use cmcp_json::{Limits, Value, parse};
use cmcp_mcp::{
    error::Code,
    headers::{check_params, mirrored},
    jsonrpc,
    legacy::{Bounds, Lookup, Sessions},
    method::Method,
    server::{
        Identity,
        call::{CallParams, Caps},
        http::{Dialect, Incoming, Rejection, Request, receive},
    },
    sse,
    version::Version,
};
use http::{HeaderMap, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, StreamBody, combinators::BoxBody};
use hyper::{body::Frame, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpListener, sync::Notify, task::JoinHandle};

pub(super) struct Gateway {
    pub(super) url: String,
    pub(super) state: Arc<State>,
    accepting: JoinHandle<()>,
}

pub(super) struct State {
    /// Method, headers and body of everything that came.
    pub(super) seen: Mutex<Vec<Seen>>,
    sessions: Mutex<Sessions>,
    minted: AtomicUsize,
    pub(super) hung_up: Notify,
}

#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) headers: HeaderMap,
    pub(super) body: String,
}

impl Seen {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

type Body = BoxBody<Bytes, Infallible>;

impl Gateway {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/mcp", listener.local_addr().unwrap());
        let state = Arc::new(State {
            seen: Mutex::default(),
            sessions: Mutex::new(empty()),
            minted: AtomicUsize::new(0),
            hung_up: Notify::new(),
        });
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

    /// As a restarted gateway would.
    pub(super) fn forget_sessions(&self) {
        *self.state.sessions.lock().unwrap() = empty();
    }

    pub(super) fn seen(&self) -> Vec<Seen> {
        self.state.seen.lock().unwrap().clone()
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

fn empty() -> Sessions {
    Sessions::new(Bounds {
        total: 10,
        per_principal: 10,
        idle: Duration::from_secs(600),
    })
}

async fn answer(
    state: Arc<State>,
    request: http::Request<hyper::body::Incoming>,
) -> Result<Response<Body>, Infallible> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    state.seen.lock().unwrap().push(Seen {
        headers: head.headers.clone(),
        body: String::from_utf8(body.to_vec()).unwrap(),
    });
    match head.uri.path() {
        "/html" => {
            let body = "<html>bad gateway</html>";
            return Ok(plain(StatusCode::BAD_GATEWAY, "text/html", body));
        }
        "/guarded" => {
            let body = r#"{"error":"missing","error_code":"MISSING_BEARER_TOKEN"}"#;
            return Ok(plain(StatusCode::UNAUTHORIZED, "application/json", body));
        }
        "/elsewhere" => return Ok(plain(StatusCode::FOUND, "text/plain", "")),
        "/wrong-id" => {
            let body = r#"{"jsonrpc":"2.0","id":"somebody else","result":{}}"#;
            return Ok(plain(StatusCode::OK, "application/json", body));
        }
        _ => {}
    }
    let known = |id: &str| {
        let found = state
            .sessions
            .lock()
            .unwrap()
            .look_up(id, "host", Instant::now());
        match found {
            Lookup::Own(version) => Some(version),
            Lookup::Foreign | Lookup::Unknown => None,
        }
    };
    Ok(
        match receive(&head.headers, &body, &known, &Limits::REQUEST) {
            Err(rejection) => refusal(rejection),
            Ok(Incoming::Notification(_) | Incoming::Response(_)) => {
                plain(StatusCode::ACCEPTED, "", "")
            }
            Ok(Incoming::Request(request)) => serve(&state, &head.headers, request).await,
        },
    )
}

async fn serve(state: &State, headers: &HeaderMap, request: Request) -> Response<Body> {
    match request.method {
        Method::Initialize => {
            let requested = request
                .params
                .get("protocolVersion")
                .and_then(Value::as_str);
            let version = Version::negotiate(requested.unwrap_or_default());
            let number = state.minted.fetch_add(1, Ordering::SeqCst) as u8;
            // Slow, so that what the host sends next has to wait.
            tokio::time::sleep(Duration::from_millis(50)).await;
            let id =
                state
                    .sessions
                    .lock()
                    .unwrap()
                    .open(&[number; 32], "host", version, Instant::now());
            let mut response = json(&jsonrpc::result(
                &request.id,
                &identity().initialize_result(version),
            ));
            response
                .headers_mut()
                .insert("mcp-session-id", id.unwrap().as_str().parse().unwrap());
            response
        }
        Method::Ping => json(&jsonrpc::result(&request.id, b"{}")),
        Method::ServerDiscover => {
            json(&jsonrpc::result(&request.id, &identity().discover_result()))
        }
        Method::ToolsList => json(&jsonrpc::result(&request.id, TOOLS.as_bytes())),
        Method::ToolsCall => call(state, headers, request).await,
    }
}

async fn call(state: &State, headers: &HeaderMap, request: Request) -> Response<Body> {
    let call = CallParams::read(&request.params, Caps::Standard).unwrap();
    match call.name.as_str() {
        "hang" => {
            let _guard = HungUp(&state.hung_up);
            std::future::pending().await
        }
        "stream" => stream(&request),
        "denied" => {
            let data = parse(br#"{"error_code":"POLICY_DENY"}"#, &Limits::REQUEST).unwrap();
            let message = "Request denied by policy";
            let body = jsonrpc::error(&request.id, Code::Compat.value(), message, Some(&data));
            respond(
                StatusCode::FORBIDDEN,
                "application/json",
                Full::new(body).boxed(),
            )
        }
        "unaddressed" => {
            let body = jsonrpc::error(jsonrpc::ReplyTo::Null, -32600, "unreadable", None);
            respond(
                StatusCode::BAD_REQUEST,
                "application/json",
                Full::new(body).boxed(),
            )
        }
        "region" if matches!(request.dialect, Dialect::Modern { .. }) => {
            let schema = parse(TOOLS.as_bytes(), &Limits::REQUEST).unwrap();
            let schema = schema.get("tools").unwrap().as_array().unwrap()[0]
                .get("inputSchema")
                .unwrap()
                .clone();
            match check_params(headers, &mirrored(&schema).unwrap(), &call.arguments) {
                Ok(()) => json(&jsonrpc::result(&request.id, br#"{"mirrored": true}"#)),
                Err(error) => refusal(request.reject_headers(&error)),
            }
        }
        _ => json(&jsonrpc::result(&request.id, br#"{"content":[],"n": 1e2}"#)),
    }
}

/// A notification, a question to the host, and only then the answer.
fn stream(request: &Request) -> Response<Body> {
    let messages = [
        jsonrpc::notification("notifications/progress", Some(br#"{"progress":1.0}"#)),
        jsonrpc::request(&7.into(), "ping", None),
        jsonrpc::result(&request.id, br#"{"text":"\n\ndata: {\"id\":1}\n"}"#),
    ];
    let frames = messages.map(|message| Ok(Frame::data(sse::encode("message", None, &message))));
    let body = StreamBody::new(futures(frames));
    respond(StatusCode::OK, "text/event-stream", body.boxed())
}

fn futures<T: Send + Sync + Unpin + 'static, const N: usize>(
    items: [T; N],
) -> impl futures_util::Stream<Item = T> + Send + Sync {
    futures_util::stream::iter(items)
}

struct HungUp<'a>(&'a Notify);

impl Drop for HungUp<'_> {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

fn identity() -> Identity {
    Identity {
        name: "cmcp-runtime".into(),
        version: "0.1.0".into(),
        instructions: None,
    }
}

fn refusal(rejection: Rejection) -> Response<Body> {
    respond(
        rejection.status,
        "application/json",
        Full::new(rejection.body).boxed(),
    )
}

fn json(body: &Bytes) -> Response<Body> {
    respond(
        StatusCode::OK,
        "application/json",
        Full::new(body.clone()).boxed(),
    )
}

fn plain(status: StatusCode, kind: &str, body: &'static str) -> Response<Body> {
    respond(
        status,
        kind,
        Full::new(Bytes::from_static(body.as_bytes())).boxed(),
    )
}

fn respond(status: StatusCode, kind: &str, body: Body) -> Response<Body> {
    Response::builder()
        .status(status)
        .header("content-type", kind)
        .body(body)
        .unwrap()
}

const TOOLS: &str = r#"{"tools":[{"name":"region","inputSchema":{"type":"object","properties":{"region":{"type":"string","x-mcp-header":"Region"}}}}],"resultType":"complete","ttlMs":0,"cacheScope":"private"}"#;

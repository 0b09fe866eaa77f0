//! The upstream: stateless, one JSON object for every request, nothing computed. It serves clients
//! of the handshake revisions and of 2026-07-28 alike.

use std::{
    convert::Infallible,
    future::Future as _,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use cmcp_json::{Limits, Value, parse};
use http::{HeaderValue, Method, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper::{
    Request, Response,
    body::{Body, Frame, Incoming, SizeHint},
};
use tokio::time::{Sleep, sleep};

use crate::{
    stream::{MADE, PAUSE, STEPS, now},
    wire::{self, Fault},
};

/// Serves until killed.
pub(crate) async fn serve(filler: usize, eras: Eras) -> Result<(), Fault> {
    let listing: Rc<str> = listing(filler).into();
    wire::serve(move |request| answer(request, Rc::clone(&listing), eras)).await
}

/// Which clients it serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Eras {
    Both,
    Legacy,
}

/// An answer: one text, or the events of one call.
enum Reply {
    Whole(Full<Bytes>),
    Steps(Steps),
}

/// So many events, each with the time when it was made, and the answer.
struct Steps {
    left: u32,
    token: String,
    answer: Option<String>,
    pause: Pin<Box<Sleep>>,
}

async fn answer(
    request: Request<Incoming>,
    listing: Rc<str>,
    eras: Eras,
) -> Result<Response<Reply>, Fault> {
    if request.method() != Method::POST {
        return Ok(reply(StatusCode::METHOD_NOT_ALLOWED, String::new()));
    }
    let body = request.into_body().collect().await?.to_bytes();
    let message = parse(&body, &Limits::REQUEST)?;
    let Some(id) = message.get("id") else {
        return Ok(reply(StatusCode::ACCEPTED, String::new()));
    };
    let method = message
        .get("method")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let params = message.get("params").unwrap_or(&Value::Null);
    if let Some(token) = params
        .get("_meta")
        .and_then(|meta| meta.get("progressToken"))
        && params.get("name").and_then(Value::as_str) == Some("steps")
    {
        return Ok(steps(id, token));
    }
    let known = match eras {
        Eras::Legacy if method == "server/discover" => None,
        Eras::Both | Eras::Legacy => result(method, params, &listing),
    };
    let (status, member) = match known {
        Some(result) => (StatusCode::OK, format!(r#""result":{result}"#)),
        None => (
            StatusCode::NOT_FOUND,
            r#""error":{"code":-32601,"message":"Method not found"}"#.to_owned(),
        ),
    };
    Ok(reply(
        status,
        format!(r#"{{"jsonrpc":"2.0","id":{id},{member}}}"#),
    ))
}

fn result(method: &str, params: &Value, listing: &str) -> Option<String> {
    match method {
        "initialize" => Some(INITIALIZED.to_owned()),
        "ping" => Some("{}".to_owned()),
        "server/discover" => Some(DISCOVERED.to_owned()),
        "tools/list" => Some(listing.to_owned()),
        "tools/call" => {
            let message = params.get("arguments")?.get("message")?.as_str()?;
            let long = match params.get("name")?.as_str()? {
                "bulk" => "x".repeat(message.parse().unwrap_or(0)),
                _ => String::new(),
            };
            let message = Value::from(format!("{message}{long}"));
            Some(format!(
                r#"{{"resultType":"complete","content":[{{"type":"text","text":{message}}}],"isError":false}}"#
            ))
        }
        _ => None,
    }
}

fn steps(id: &Value, token: &Value) -> Response<Reply> {
    let done = r#"{"resultType":"complete","content":[],"isError":false}"#;
    let steps = Steps {
        left: STEPS,
        token: token.to_string(),
        answer: Some(format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{done}}}"#)),
        pause: Box::pin(sleep(PAUSE)),
    };
    let mut response = Response::new(Reply::Steps(steps));
    let events = HeaderValue::from_static("text/event-stream");
    response.headers_mut().insert(header::CONTENT_TYPE, events);
    response
}

impl Steps {
    /// The next event; the answer is the last one.
    fn next(&mut self) -> Option<String> {
        let Some(left) = self.left.checked_sub(1) else {
            let answer = self.answer.take()?;
            return Some(format!("data: {answer}\n\n"));
        };
        self.left = left;
        let (token, step, made) = (&self.token, STEPS - left, now().as_nanos());
        Some(format!(
            "data: {{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{{\"progressToken\":{token},\"progress\":{step},\"message\":\"{MADE}{made}\"}}}}\n\n"
        ))
    }
}

impl Body for Reply {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.get_mut() {
            Self::Whole(whole) => Pin::new(whole).poll_frame(context),
            Self::Steps(steps) => {
                ready!(steps.pause.as_mut().poll(context));
                steps.pause.set(sleep(PAUSE));
                let event = steps.next();
                Poll::Ready(event.map(|event| Ok(Frame::data(Bytes::from(event)))))
            }
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(whole) => whole.size_hint(),
            Self::Steps(_) => SizeHint::default(),
        }
    }
}

fn reply(status: StatusCode, body: String) -> Response<Reply> {
    let mut response = Response::new(Reply::Whole(Full::new(Bytes::from(body))));
    *response.status_mut() = status;
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}

fn listing(filler: usize) -> String {
    let tool = |name: &str, read_only: bool| {
        format!(
            r#"{{"name":"{name}","description":"Takes a message and gives it back.","inputSchema":{{"type":"object","properties":{{"message":{{"type":"string"}}}},"required":["message"]}},"annotations":{{"readOnlyHint":{read_only}}}}}"#
        )
    };
    let named = [
        ("echo", true),
        ("note", false),
        ("steps", true),
        ("bulk", true),
    ];
    let filler = (0..filler).map(|number| tool(&format!("filler_{number:03}"), true));
    let tools: Vec<String> = named
        .into_iter()
        .map(|(name, reads)| tool(name, reads))
        .chain(filler)
        .collect();
    let tools = tools.join(",");
    format!(r#"{{"resultType":"complete","ttlMs":60000,"cacheScope":"private","tools":[{tools}]}}"#)
}

const INITIALIZED: &str = r#"{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"bench-upstream","version":"1"}}"#;
const DISCOVERED: &str = r#"{"resultType":"complete","ttlMs":60000,"cacheScope":"private","supportedVersions":["2026-07-28","2025-11-25"],"capabilities":{"tools":{}},"_meta":{"io.modelcontextprotocol/serverInfo":{"name":"bench-upstream","version":"1"}}}"#;

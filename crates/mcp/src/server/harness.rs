//! What the tests of front ends share.

use std::time::Duration;

use bytes::Bytes;
use cmcp_json::{Limits, Value, parse};
use http::Response;
use http_body_util::BodyExt as _;

use super::{
    port::{Feed, Last},
    reply::{ReplyBody, StreamBody},
    session::{Handshake, Session, Shared},
};
use crate::{
    jsonrpc::{self, Id, Message, Outcome, Params},
    legacy::SessionId,
    sse,
    version::Version,
};

pub(super) const HOUR: Duration = Duration::from_secs(3600);
const LONG: Duration = Duration::from_secs(20);

pub(super) fn value(text: &[u8]) -> Value {
    parse(text, &Limits::RESPONSE).unwrap()
}

/// The parameters of a message with these, an object.
pub(super) fn params(object: &str) -> Params {
    let text = format!(r#"{{"jsonrpc":"2.0","method":"m","params":{object}}}"#);
    match jsonrpc::parse(&text.into(), &Limits::REQUEST) {
        Ok(Message::Notification(notification)) => notification.params,
        other => panic!("{other:?}"),
    }
}

pub(super) fn handshake(version: Version, capabilities: &str) -> Handshake {
    Handshake::read(&params(&format!(
        r#"{{"protocolVersion":"{version}","capabilities":{capabilities},"clientInfo":{{"name":"t","version":"1"}}}}"#
    )))
}

/// A session of Streamable HTTP, of a client that can do everything.
pub(super) fn session(version: Version) -> Session {
    let all = r#"{"sampling":{},"elicitation":{},"roots":{}}"#;
    let id = SessionId::from_random(&[7; 32]);
    Session::http(id, handshake(version, all), &Shared::default())
}

pub(super) fn note(n: usize) -> Bytes {
    Bytes::from(format!(
        r#"{{"jsonrpc":"2.0","method":"n","params":{{"n":{n}}}}}"#
    ))
}

pub(super) fn last(text: &'static str) -> Last {
    Last::ok(Bytes::from_static(text.as_bytes()))
}

pub(super) fn answer(id: u64, result: &str) -> jsonrpc::Response {
    jsonrpc::Response {
        id: Some(Id::from(id)),
        outcome: Outcome::Result {
            value: value(result.as_bytes()),
            bytes: Bytes::copy_from_slice(result.as_bytes()),
        },
    }
}

pub(super) async fn respond(feed: Feed) -> Response<ReplyBody> {
    feed.into_response(HOUR, HOUR).await
}

/// The stream of a response that is one.
pub(super) fn stream(response: Response<ReplyBody>) -> Box<StreamBody> {
    match response.into_body() {
        ReplyBody::Events(events) => events,
        ReplyBody::Whole(bytes) => panic!("{bytes:?}"),
    }
}

/// The text of a response that is one body.
pub(super) async fn whole(response: Response<ReplyBody>) -> String {
    match response.into_body() {
        ReplyBody::Whole(bytes) => String::from_utf8(bytes.unwrap_or_default().to_vec()).unwrap(),
        ReplyBody::Events(_) => panic!("a stream"),
    }
}

/// The next event of a stream, comments and opened streams left out; `None` at its end.
pub(super) async fn next(stream: &mut StreamBody) -> Option<sse::Event> {
    let mut decoder = sse::Decoder::new(64 << 20);
    let mut events = Vec::new();
    while events.is_empty() {
        let frame = tokio::time::timeout(LONG, stream.frame())
            .await
            .expect("an event in time")?;
        let bytes = frame.unwrap().into_data().unwrap();
        decoder.push(&bytes, &mut events).unwrap();
    }
    assert_eq!(events.len(), 1);
    events.pop()
}

/// The data of the next event that has any.
pub(super) async fn data(stream: &mut StreamBody) -> Option<String> {
    loop {
        let event = next(stream).await?;
        if !event.data.is_empty() {
            return Some(String::from_utf8(event.data.to_vec()).unwrap());
        }
    }
}

/// Whether nothing is to be read now.
pub(super) async fn is_silent(stream: &mut StreamBody) -> bool {
    let frame = tokio::time::timeout(Duration::from_millis(20), stream.frame());
    frame.await.is_err()
}

//! The pair of 2024-11-05.

use std::time::Duration;

use super::*;
use crate::{
    legacy::SessionId,
    server::{
        Heard, StreamBody,
        harness::{data, is_silent, last, next},
        http::receive_pair,
        session::Shared,
    },
};

struct Pair {
    session: Session,
    stream: StreamBody,
    uri: Uri,
}

async fn pair() -> Pair {
    let id = SessionId::from_random(&[0xcd; 32]);
    let endpoint = format!("/messages/?sessionId={id}");
    let session = Session::pair(id, &Shared::default());
    let keep_alive = Duration::from_secs(15);
    let mut stream = session.pair_stream(&endpoint, keep_alive).unwrap();
    let endpoint = next(&mut stream).await.unwrap().data;
    Pair {
        session,
        stream,
        uri: Uri::try_from(&endpoint[..]).unwrap(),
    }
}

impl Pair {
    fn post(&self, body: &str) -> Result<Incoming, Rejection> {
        self.post_to(&self.uri.to_string(), body)
    }

    fn post_to(&self, uri: &str, body: &str) -> Result<Incoming, Rejection> {
        let id = self.session.id().unwrap().as_str();
        let find = |asked: &str| (asked == id).then(|| self.session.clone());
        let json = headers(&[("accept", "")]);
        let body = Bytes::copy_from_slice(body.as_bytes());
        receive_pair(&json, &uri.parse().unwrap(), &body, &find, &Limits::REQUEST)
    }

    /// The code of a refusal that went out on the stream.
    async fn refused(&mut self, body: &str) -> i64 {
        let rejection = self.post(body).unwrap_err();
        assert_eq!((rejection.status.as_u16(), rejection.body.len()), (202, 0));
        let answer = harness::value(data(&mut self.stream).await.unwrap().as_bytes());
        let code = answer.get("error").unwrap().get("code").unwrap().as_i64();
        assert_eq!(code, Some(rejection.code.value()));
        code.unwrap()
    }
}

const INITIALIZE: &str = r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2024-11-05","capabilities":{"roots":{}}}}"#;

#[tokio::test]
async fn a_pair_shakes_hands_and_is_answered_on_its_stream() {
    let mut pair = pair().await;
    assert_eq!(pair.refused(&ask("tools/list")).await, -32600);
    assert!(matches!(pair.post(&ask("ping")), Ok(Incoming::Request(_))));
    let Ok(Incoming::Request(request)) = pair.post(INITIALIZE) else {
        panic!("initialize")
    };
    assert_eq!(request.method, Method::Initialize);
    assert_eq!(pair.session.version(), Version::V2024_11_05);
    assert!(request.capabilities().unwrap().get("roots").is_some());
    let (port, feed) = request.open().unwrap();
    port.finish(last("\"agreed\""));
    let response = feed.into_response(Duration::MAX, Duration::MAX).await;
    assert_eq!(response.status().as_u16(), 202);
    assert_eq!(data(&mut pair.stream).await.unwrap(), "\"agreed\"");
    let note = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
    match pair.post(note) {
        Ok(Incoming::Notification(notification)) => {
            assert_eq!(notification.hear(), Heard::Initialized);
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(pair.refused(INITIALIZE).await, -32600);
    for method in ["tools/list", "prompts/get", "resources/subscribe"] {
        assert!(
            matches!(pair.post(&ask(method)), Ok(Incoming::Request(_))),
            "{method}"
        );
    }
    for method in ["tasks/get", "server/discover", "subscriptions/listen", "x"] {
        assert_eq!(pair.refused(&ask(method)).await, -32601, "{method}");
    }
    let response = r#"{"jsonrpc":"2.0","id":1,"result":{}}"#;
    match pair.post(response) {
        Ok(Incoming::Response(response)) => assert!(!response.deliver()),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn what_can_be_answered_goes_out_on_the_stream_and_the_rest_is_400() {
    let mut pair = pair().await;
    assert_eq!(pair.refused(r#"{"id":1,"method":"ping"}"#).await, -32600);
    for body in [
        "{bad",
        "[]",
        "1",
        r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#,
    ] {
        let rejection = pair.post(body).unwrap_err();
        assert_eq!(rejection.status.as_u16(), 400, "{body}");
        assert!(!rejection.body.is_empty());
    }
    assert!(is_silent(&mut pair.stream).await);
}

#[tokio::test]
async fn e10_an_id_in_use_is_refused_in_a_pair_too() {
    let pair = pair().await;
    let Ok(Incoming::Request(first)) = pair.post(INITIALIZE) else {
        panic!("initialize")
    };
    let _open = first.open().unwrap();
    let rejection = first.open().unwrap_err();
    assert_eq!(rejection.code, Code::InvalidRequest);
}

#[tokio::test]
async fn f13_f14_the_id_of_a_pair_is_good_in_its_own_address_alone() {
    let pair = pair().await;
    let id = pair.session.id().unwrap().as_str().to_owned();
    for uri in [
        "/messages/".to_owned(),
        "/messages/?".to_owned(),
        "/messages/?sessionId=".to_owned(),
        "/messages/?sessionId=abc".to_owned(),
        format!("/messages/?session_id={id}"),
        format!("/messages/?sessionId={id}&x=1"),
        format!("/messages/?x=1&sessionId={id}"),
        format!("/messages/?sessionId={}", id.to_uppercase()),
    ] {
        let rejection = pair.post_to(&uri, &ask("ping")).unwrap_err();
        assert_eq!(rejection.status.as_u16(), 404, "{uri}");
        assert!(!String::from_utf8_lossy(&rejection.body).contains(&id));
    }
    // A session of the other transport is not reached this way.
    let http = harness::session(Version::V2025_11_25);
    let find = |_: &str| Some(http.clone());
    let uri: Uri = format!("/messages/?sessionId={id}").parse().unwrap();
    let body = Bytes::from(ask("ping"));
    let rejection = receive_pair(&headers(&[]), &uri, &body, &find, &Limits::REQUEST).unwrap_err();
    assert_eq!(rejection.status.as_u16(), 404);
}

#[tokio::test]
async fn e24_a_pair_s_bodies_are_plain_json_in_utf8_within_the_cap() {
    let pair = pair().await;
    let id = pair.session.id().unwrap().as_str().to_owned();
    let find = |asked: &str| (asked == id).then(|| pair.session.clone());
    let body = Bytes::from(ask("ping"));
    for header in [
        ("content-type", ""),
        ("content-type", "text/plain"),
        ("content-encoding", "gzip"),
    ] {
        let found = receive_pair(
            &headers(&[header]),
            &pair.uri,
            &body,
            &find,
            &Limits::REQUEST,
        );
        assert_eq!(found.unwrap_err().status.as_u16(), 415);
    }
    let small = Limits {
        bytes: 10,
        ..Limits::REQUEST
    };
    let found = receive_pair(&headers(&[]), &pair.uri, &body, &find, &small);
    assert_eq!(found.unwrap_err().status.as_u16(), 413);
}

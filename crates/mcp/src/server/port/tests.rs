use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};
use http_body_util::BodyExt as _;
use tokio::sync::mpsc;

use super::*;
use crate::{
    legacy::SessionId,
    method::ClientNote,
    server::{
        channel::{CutOff, UNREAD, UNREAD_BYTES},
        harness::{
            HOUR, answer, data, handshake, is_silent, last, next, note, params, respond, session,
            stream, value, whole,
        },
        incoming::Heard,
        session::{Bounds, OpenError, Shared},
    },
    version::Version,
};

const NOW: Duration = Duration::from_millis(5);
const NEW: Version = Version::V2025_11_25;

fn id(n: u64) -> Id {
    Id::from(n)
}

mod asking;
mod hanging;
mod streams;

#[tokio::test]
async fn an_answer_that_comes_first_is_one_json_body_with_its_status_and_headers() {
    for (port, feed) in [
        Port::plain(&id(1)),
        Port::modern(&id(1)),
        session(NEW).open(&id(1)).unwrap(),
    ] {
        let mut answer = Last::new(StatusCode::FORBIDDEN, Bytes::from_static(b"{}"));
        let value = HeaderValue::from_static("abc");
        answer.headers.insert("cmcp-call-id", value.clone());
        port.finish(answer);
        let response = respond(feed).await;
        assert_eq!(response.status(), StatusCode::FORBIDDEN);
        let headers = response.headers();
        assert_eq!(headers.get("cmcp-call-id"), Some(&value));
        assert_eq!(headers[header::CONTENT_TYPE], "application/json");
        assert_eq!(headers[header::CACHE_CONTROL], "no-store");
        assert_eq!(whole(response).await, "{}");
    }
}

#[tokio::test]
async fn an_answer_that_comes_while_it_is_waited_for_is_one_json_body() {
    let (port, feed) = session(NEW).open(&id(1)).unwrap();
    let waiting = tokio::spawn(respond(feed));
    tokio::task::yield_now().await;
    port.finish(last("{}"));
    assert_eq!(whole(waiting.await.unwrap()).await, "{}");
}

#[tokio::test]
async fn a_port_dropped_without_answer_is_an_internal_error_and_only_once() {
    let (port, feed) = Port::modern(&Id::String("a".into()));
    let clone = port.clone();
    drop(port);
    assert!(!clone.is_cancelled());
    drop(clone);
    let response = respond(feed).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(
        whole(response).await,
        r#"{"jsonrpc":"2.0","id":"a","error":{"code":-32603,"message":"Internal error"}}"#
    );
    let (port, feed) = Port::plain(&id(1));
    drop(port);
    let response = respond(feed).await;
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    let (port, feed) = Port::plain(&id(1));
    let clone = port.clone();
    port.finish(last("1"));
    clone.finish(last("2"));
    assert_eq!(whole(respond(feed).await).await, "1");
}

#[tokio::test]
async fn e10_an_id_in_flight_is_refused_and_free_again_once_it_is_answered() {
    let session = session(NEW);
    let (first, feed) = session.open(&id(1)).unwrap();
    assert_eq!(session.open(&id(1)).unwrap_err(), OpenError::InUse);
    // `1.0` and `"1"` are other ids.
    let spelled = Id::from_value(&value(b"1.0")).unwrap();
    let text = Id::String("1".into());
    let (second, second_feed) = session.open(&spelled).unwrap();
    let (third, third_feed) = session.open(&text).unwrap();
    third.finish(last("3"));
    second.finish(last("2"));
    first.finish(last("1"));
    for (feed, expected) in [(feed, "1"), (second_feed, "2"), (third_feed, "3")] {
        assert_eq!(whole(respond(feed).await).await, expected);
    }
    assert!(session.open(&id(1)).is_ok());
}

#[tokio::test]
async fn an_abandoned_request_frees_its_id() {
    let session = session(NEW);
    drop(session.open(&id(1)).unwrap());
    assert!(session.open(&id(1)).is_ok());
}

#[test]
fn n01_one_client_has_so_many_requests_in_flight_and_no_more() {
    let most = Bounds::default().in_flight;
    let session = session(NEW);
    let open: Vec<_> = (0..most as u64)
        .map(|n| session.open(&id(n)).unwrap())
        .collect();
    assert_eq!(
        session.open(&id(9_999)).unwrap_err(),
        OpenError::TooMany { most }
    );
    drop(open);
    assert!(session.open(&id(9_999)).is_ok());
}

#[tokio::test]
async fn e19_a_cancellation_reaches_the_session_s_own_request_and_no_other() {
    let (mine, other) = (session(NEW), session(NEW));
    let (first, _feed) = mine.open(&id(1)).unwrap();
    let (second, _second_feed) = mine.open(&id(2)).unwrap();
    let (foreign, _foreign_feed) = other.open(&id(1)).unwrap();
    let cancel = |n: &str| params(&format!(r#"{{"requestId":{n}}}"#));
    assert_eq!(
        other.hear(ClientNote::Cancelled, &cancel("2")),
        Heard::Dropped
    );
    assert_eq!(
        mine.hear(ClientNote::Cancelled, &cancel("\"1\"")),
        Heard::Dropped
    );
    assert!(!first.is_cancelled() && !second.is_cancelled());
    assert_eq!(mine.hear(ClientNote::Cancelled, &cancel("1")), Heard::Done);
    first.cancelled().await;
    assert!(first.is_cancelled() && !second.is_cancelled() && !foreign.is_cancelled());
}

#[tokio::test]
async fn a_cancelled_request_over_http_is_still_answered_or_its_post_would_hang() {
    let session = session(NEW);
    let (port, feed) = session.open(&id(1)).unwrap();
    assert!(session.cancel(&id(1)));
    port.finish(last("{}"));
    assert_eq!(whole(respond(feed).await).await, "{}");
}

#[tokio::test]
async fn cancellation_is_heard_by_who_waits_and_by_who_comes_later() {
    let (port, feed) = Port::modern(&id(1));
    let waiting = tokio::spawn({
        let port = port.clone();
        async move { port.cancelled().await }
    });
    tokio::task::yield_now().await;
    drop(feed);
    waiting.await.unwrap();
    port.cancelled().await;
}

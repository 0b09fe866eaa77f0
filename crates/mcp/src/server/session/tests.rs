use bytes::Bytes;
use http_body_util::BodyExt as _;

use super::*;
use crate::server::{
    channel::{CutOff, UNREAD},
    harness::{HOUR, answer, data, handshake, is_silent, last, next, note, params, session, value},
    reply::{ReplyBody, StreamBody},
};

const NEW: Version = Version::V2025_11_25;

fn pair() -> Session {
    Session::pair(SessionId::from_random(&[0xab; 32]), &Shared::default())
}

#[test]
fn a_handshake_agrees_on_a_revision_and_keeps_what_the_client_said() {
    let session = session(Version::V2025_06_18);
    assert_eq!(session.version(), Version::V2025_06_18);
    let client = session.client().unwrap();
    assert_eq!(
        client.capabilities.to_vec(),
        br#"{"sampling":{},"elicitation":{},"roots":{}}"#
    );
    assert_eq!(client.info, Some(value(br#"{"name":"t","version":"1"}"#)));
    // What was agreed on stays.
    assert!(!session.shake(handshake(NEW, "{}")));
    assert_eq!(session.version(), Version::V2025_06_18);
}

#[test]
fn an_unknown_or_stateless_revision_is_answered_with_the_newest_that_has_a_handshake() {
    for asked in [r#""2026-07-28""#, r#""1999-01-01""#, "7", "null"] {
        let read = Handshake::read(&params(&format!(
            r#"{{"protocolVersion":{asked},"capabilities":[],"clientInfo":"x"}}"#
        )));
        assert_eq!(read.version, NEW);
        assert_eq!(read.client.capabilities, value(b"{}"));
        assert_eq!(read.client.info, None);
    }
}

#[test]
fn the_level_is_unset_until_the_client_sets_it() {
    let session = session(NEW);
    assert_eq!(session.level(), None);
    session.set_level(LogLevel::Warning);
    assert_eq!(session.level(), Some(LogLevel::Warning));
}

#[test]
fn what_others_keep_with_a_session_is_made_once_and_gone_with_its_end() {
    let session = session(NEW);
    let first = session.attached(|| Mutex::new(1));
    *first.lock().unwrap() = 2;
    assert_eq!(*session.attached(|| Mutex::new(3)).lock().unwrap(), 2);
    let weak = Arc::downgrade(&first);
    drop(first);
    session.end();
    assert!(weak.upgrade().is_none());
}

#[tokio::test]
async fn what_belongs_to_no_request_goes_out_on_the_standalone_stream() {
    let session = session(NEW);
    // Before there is one it is lost, and counted.
    session.announce(note(0));
    assert_eq!(session.dropped(), 1);
    let mut stream = session.standalone(HOUR);
    let first = next(&mut stream).await.unwrap();
    assert!(first.data.is_empty() && first.id.is_some());
    session.announce(note(1));
    assert!(data(&mut stream).await.unwrap().contains("\"n\":1"));
    assert!(is_silent(&mut stream).await);
    assert_eq!(session.dropped(), 1);
}

#[tokio::test]
async fn a_newer_standalone_stream_takes_the_place_of_the_older() {
    let session = session(NEW);
    let mut old = session.standalone(HOUR);
    let mut new = session.standalone(HOUR);
    next(&mut old).await.unwrap();
    assert!(next(&mut old).await.is_none());
    drop(old);
    session.announce(note(1));
    assert!(data(&mut new).await.unwrap().contains("\"n\":1"));
}

#[tokio::test]
async fn a_standalone_stream_that_broke_goes_on_where_it_was() {
    let session = session(NEW);
    let mut stream = session.standalone(HOUR);
    let id = next(&mut stream).await.unwrap().id.unwrap();
    drop(stream);
    for n in 1..4 {
        session.announce(note(n));
    }
    let id = String::from_utf8(id.to_vec()).unwrap();
    let mut stream = session.resume(&id, HOUR).unwrap();
    for n in 1..4 {
        assert!(
            data(&mut stream)
                .await
                .unwrap()
                .contains(&format!("\"n\":{n}}}"))
        );
    }
    session.announce(note(4));
    let event = next(&mut stream).await.unwrap();
    assert!(String::from_utf8_lossy(&event.data).contains("\"n\":4"));
    // A stream that is new begins now.
    let mut fresh = session.standalone(HOUR);
    let event_after = next(&mut fresh).await.unwrap();
    assert_ne!(event_after.id, event.id);
    assert!(is_silent(&mut fresh).await);
}

#[tokio::test]
async fn the_end_of_a_session_ends_its_streams_cancels_its_requests_and_lets_nothing_in() {
    let session = session(NEW);
    let mut standalone = session.standalone(HOUR);
    let (port, feed) = session.open(&Id::from(1)).unwrap();
    port.notify(note(1));
    let ended = tokio::spawn({
        let session = session.clone();
        async move { session.ended().await }
    });
    tokio::task::yield_now().await;
    session.end();
    ended.await.unwrap();
    assert!(session.is_ended() && port.is_cancelled());
    next(&mut standalone).await.unwrap();
    assert!(next(&mut standalone).await.is_none());
    assert_eq!(session.open(&Id::from(2)).unwrap_err(), OpenError::Ended);
    assert!(session.resume("1-0", HOUR).is_none());
    // Who waits for an answer gets one.
    port.finish(last("{}"));
    let response = feed.into_response(HOUR, HOUR).await;
    let ReplyBody::Events(mut events) = response.into_body() else {
        panic!("a stream")
    };
    data(&mut events).await.unwrap();
    assert_eq!(data(&mut events).await.unwrap(), "{}");
    let mut late = session.standalone(HOUR);
    late.frame().await;
    assert!(late.frame().await.is_none());
}

#[tokio::test]
async fn a_client_is_busy_while_it_is_served_or_reads() {
    let session = session(NEW);
    assert!(!session.is_busy());
    let (port, _feed) = session.open(&Id::from(1)).unwrap();
    assert!(session.is_busy());
    port.finish(last("{}"));
    assert!(!session.is_busy());
    let stream = session.standalone(HOUR);
    assert!(session.is_busy());
    drop(stream);
    assert!(!session.is_busy());
}

#[tokio::test]
async fn a_pair_says_everything_on_its_one_stream_endpoint_first() {
    let session = pair();
    let mut stream = session.pair_stream("/messages/?sessionId=x", HOUR).unwrap();
    let first = next(&mut stream).await.unwrap();
    assert_eq!(first.name, "endpoint");
    assert_eq!(first.data, "/messages/?sessionId=x");
    assert_eq!(first.id, None);
    session.shake(handshake(Version::V2024_11_05, r#"{"roots":{}}"#));
    let (port, feed) = session.open(&Id::from(1)).unwrap();
    let response = feed.into_response(HOUR, HOUR).await;
    assert_eq!(response.status().as_u16(), 202);
    port.notify(note(1));
    session.announce(note(2));
    let asking = tokio::spawn({
        let port = port.clone();
        async move { port.ask(ClientMethod::ListRoots, None).await }
    });
    for n in 1..3 {
        let event = next(&mut stream).await.unwrap();
        assert_eq!(event.name, "message");
        assert!(String::from_utf8_lossy(&event.data).contains(&format!("\"n\":{n}}}")));
    }
    assert!(data(&mut stream).await.unwrap().contains("roots/list"));
    assert!(session.respond(answer(1, "{}")));
    asking.await.unwrap().unwrap();
    port.finish(last("\"answer\""));
    assert_eq!(data(&mut stream).await.unwrap(), "\"answer\"");
    assert!(is_silent(&mut stream).await);
}

#[tokio::test]
async fn the_end_of_a_pair_s_stream_is_the_end_of_its_session() {
    let session = pair();
    let stream = session.pair_stream("/messages/?sessionId=x", HOUR).unwrap();
    assert!(!session.is_ended());
    drop(stream);
    assert!(session.is_ended());
}

#[tokio::test]
async fn f09_a_pair_whose_client_reads_too_slowly_ends() {
    let session = pair();
    let mut stream = session.pair_stream("/messages/?sessionId=x", HOUR).unwrap();
    for n in 0..UNREAD {
        session.announce(note(n));
    }
    assert!(!session.is_ended());
    session.announce(note(0));
    assert!(session.is_ended());
    next(&mut stream).await.unwrap();
    assert!(matches!(stream.frame().await, None | Some(Err(CutOff))));
}

#[tokio::test]
async fn on_standard_output_a_slow_client_loses_notifications_but_no_answers() {
    let session = Session::stdio(Bounds::default());
    let line = session.line().unwrap();
    let (nth, _) = line.take_over();
    for n in 0..2 * UNREAD {
        session.announce(note(n));
    }
    assert_eq!(session.dropped(), UNREAD as u64);
    let (port, _feed) = session.open(&Id::from(1)).unwrap();
    port.finish(last("\"answer\""));
    let mut lines = Vec::new();
    let waker = futures_util::task::noop_waker();
    let context = std::task::Context::from_waker(&waker);
    while let std::task::Poll::Ready(Some(Ok([text, ..]))) = line.poll_next(nth, &context) {
        lines.push(text);
    }
    assert_eq!(lines.len(), UNREAD + 1);
    assert_eq!(lines.last().unwrap(), &Bytes::from_static(b"\"answer\"\n"));
    assert!(!session.is_ended());
}

#[tokio::test]
async fn before_a_stop_streams_end_and_what_is_being_served_is_still_answered() {
    let session = session(NEW);
    let mut standalone = session.standalone(HOUR);
    let (port, feed) = session.open(&Id::from(1)).unwrap();
    session.announce(note(1));
    session.close_streams();
    // What was said before is still read.
    assert!(data(&mut standalone).await.unwrap().contains("\"n\":1"));
    assert!(next(&mut standalone).await.is_none());
    let mut late = session.standalone(HOUR);
    next(&mut late).await.unwrap();
    assert!(next(&mut late).await.is_none());
    assert!(!port.is_cancelled() && !session.is_ended());
    port.finish(last("{}"));
    assert!(matches!(
        feed.into_response(HOUR, HOUR).await.into_body(),
        ReplyBody::Whole(Some(_))
    ));
}

#[tokio::test]
async fn before_a_stop_a_pair_s_stream_ends_behind_its_last_answer() {
    let session = pair();
    let mut stream = session.pair_stream("/m", HOUR).unwrap();
    next(&mut stream).await.unwrap();
    let (port, _feed) = session.open(&Id::from(1)).unwrap();
    session.close_streams();
    assert!(is_silent(&mut stream).await);
    port.finish(last("\"answer\""));
    assert_eq!(data(&mut stream).await.unwrap(), "\"answer\"");
    assert!(next(&mut stream).await.is_none());
}

#[test]
fn a_session_tells_nobody_its_id() {
    let session = session(NEW);
    let id = session.id().unwrap().as_str().to_owned();
    assert!(!format!("{session:?}").contains(&id));
}

#[test]
fn sessions_streams_and_requests_are_small() {
    // 1,000 clients that only listen: what each holds beside its connection.
    let each = size_of::<Inner>()
        + size_of::<Channel>()
        + size_of::<StreamBody>()
        + size_of::<tokio::time::Sleep>();
    assert!(each < 2 << 10, "{each}");
}

use bytes::Bytes;

use super::*;
use crate::jsonrpc;

fn message(text: &str) -> Message {
    jsonrpc::parse(&Bytes::from(text.to_owned()), &cmcp_json::Limits::REQUEST).unwrap()
}

fn request() -> Message {
    message(r#"{"jsonrpc":"2.0","id":"q","method":"roots/list"}"#)
}

fn progress(token: &str) -> Message {
    message(&format!(
        r#"{{"jsonrpc":"2.0","method":"notifications/progress","params":{{"progressToken":{token}}}}}"#
    ))
}

fn answer(id: &str) -> Message {
    message(&format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{}}}}"#))
}

#[tokio::test]
async fn e10_answers_and_progress_find_their_own_request_and_nobody_else_s() {
    let calls = Arc::new(Calls::default());
    let one = calls.enter(1, Hears::Nothing, 0);
    let two = calls.enter(2, Hears::Nothing, 0);
    for unknown in [
        answer("\"1\""),
        answer("1.0"),
        answer("3"),
        progress("\"1\""),
        progress("9"),
    ] {
        assert!(calls.route(unknown, 1).is_some());
    }
    assert!(calls.route(progress("2"), 1).is_none());
    assert!(calls.route(answer("1"), 1).is_none());
    assert!(matches!(one.next().await, Ok((Message::Response(_), 1))));
    assert!(matches!(
        two.next().await,
        Ok((Message::Notification(_), 1))
    ));
    drop(one);
    assert!(calls.route(answer("1"), 1).is_some(), "too late");
}

#[tokio::test]
async fn e12_a_request_of_the_server_s_belongs_to_the_only_one_who_can_be_asked() {
    let calls = Arc::new(Calls::default());
    let _deaf = calls.enter(1, Hears::Nothing, 0);
    assert!(calls.route(request(), 1).is_some(), "nobody can be asked");
    let one = calls.enter(2, Hears::Requests, 0);
    assert!(calls.route(request(), 1).is_none());
    assert!(matches!(one.next().await, Ok((Message::Request(_), 1))));
    let _two = calls.enter(3, Hears::Requests, 0);
    assert!(
        calls.route(request(), 1).is_some(),
        "whose it is, is not clear"
    );
}

#[tokio::test]
async fn n01_what_nobody_reads_is_bounded_and_the_answer_has_room_even_so() {
    let calls = Arc::new(Calls::default());
    let one = calls.enter(1, Hears::Nothing, 8 << 20);
    assert!(calls.route(answer("1"), 8 << 20).is_none());
    assert!(matches!(one.next().await, Ok((Message::Response(_), _))));
    for _ in 0..1_000 {
        assert!(calls.route(progress("1"), 1).is_none());
    }
    for _ in 0..MOST_MESSAGES {
        one.next().await.unwrap();
    }
    let flood = UpstreamError::Protocol(ProtocolFault::Flood);
    assert_eq!(one.next().await.unwrap_err(), flood);
    let two = calls.enter(2, Hears::Nothing, 0);
    calls.route(progress("2"), MOST_BYTES + 1);
    assert_eq!(two.next().await.unwrap_err(), flood);
}

#[tokio::test]
async fn the_end_of_the_stream_is_told_behind_what_came_before_it() {
    let calls = Arc::new(Calls::default());
    let one = calls.enter(1, Hears::Nothing, 0);
    calls.route(answer("1"), 1);
    calls.end(&UpstreamError::Lost { sent: true });
    assert!(one.next().await.is_ok());
    assert_eq!(
        one.next().await.unwrap_err(),
        UpstreamError::Lost { sent: true }
    );
    assert!(!calls.spoil(&UpstreamError::Closed) || calls.largest() == 0);
}

//! GET and DELETE.

use std::time::Duration;

use http_body_util::BodyExt as _;

use super::*;
use crate::server::http::{receive_delete, receive_get};

const EVENTS: (&str, &str) = ("accept", "text/event-stream");

#[test]
fn f21_who_has_no_session_gets_and_deletes_nothing() {
    for marks in [
        vec![EVENTS],
        vec![EVENTS, VERSION],
        vec![EVENTS, VERSION, SESSION],
        vec![EVENTS, ("mcp-protocol-version", "2025-11-25")],
    ] {
        let headers = headers(&marks);
        let got = receive_get(&headers, &sessions).unwrap_err();
        let deleted = receive_delete(&headers, &sessions).unwrap_err();
        for rejection in [got, deleted] {
            let response = rejection.into_response();
            assert_eq!(response.status().as_u16(), 405, "{marks:?}");
            assert_eq!(response.headers()["allow"], "POST");
        }
    }
}

#[test]
fn f13_a_session_that_is_not_the_caller_s_is_404_and_not_echoed() {
    for id in ["chosen-by-me", "KNOWN-SESSION"] {
        let headers = headers(&[EVENTS, ("mcp-session-id", id)]);
        let got = receive_get(&headers, &sessions).unwrap_err();
        let deleted = receive_delete(&headers, &sessions).unwrap_err();
        for rejection in [got, deleted] {
            assert_eq!(rejection.status.as_u16(), 404);
            assert_eq!(rejection.code, Code::SessionNotFound);
            assert!(!String::from_utf8_lossy(&rejection.body).contains(id));
        }
    }
}

#[test]
fn f12_a_get_without_event_streams_in_accept_is_406() {
    for accept in ["", "application/json", "text/html", "text/event-stream;q=0"] {
        let headers = headers(&[SESSION, ("accept", accept)]);
        let rejection = receive_get(&headers, &sessions).unwrap_err();
        assert_eq!(rejection.status.as_u16(), 406, "{accept}");
    }
    for accept in ["text/event-stream", "text/*", "*/*", BOTH] {
        let headers = headers(&[SESSION, ("accept", accept)]);
        assert!(receive_get(&headers, &sessions).is_ok(), "{accept}");
    }
}

#[test]
fn f23_no_connection_is_made_another() {
    for protocol in ["websocket", "h2c", "WebSocket"] {
        let headers = headers(&[
            SESSION,
            EVENTS,
            ("connection", "upgrade"),
            ("upgrade", protocol),
        ]);
        let rejection = receive_get(&headers, &sessions).unwrap_err();
        assert_eq!(rejection.status.as_u16(), 405);
    }
}

#[test]
fn an_unknown_version_header_is_400_as_for_post() {
    let headers = headers(&[SESSION, EVENTS, ("mcp-protocol-version", "1.0")]);
    assert_eq!(
        receive_get(&headers, &sessions)
            .unwrap_err()
            .status
            .as_u16(),
        400
    );
}

#[test]
fn a_get_says_which_session_and_behind_which_event() {
    let session = harness::session(Version::V2025_11_25);
    let find = |_: &str| Some(session.clone());
    for (more, expected) in [
        (vec![], None),
        (vec![("last-event-id", "0-1")], Some("0-1")),
        (vec![("last-event-id", "nonsense")], Some("nonsense")),
    ] {
        let marks = [vec![SESSION, EVENTS], more].concat();
        let get = receive_get(&headers(&marks), &find).unwrap();
        assert_eq!(get.session, session);
        assert_eq!(get.last_event_id.as_deref(), expected);
    }
}

#[tokio::test]
async fn a_stream_s_response_has_the_headers_of_one() {
    let get = receive_get(&headers(&[SESSION, EVENTS]), &sessions).unwrap();
    let stream = get.session.standalone(Duration::from_secs(15));
    let response = stream.into_response();
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    assert_eq!(response.headers()["cache-control"], "no-cache");
    let first = response.into_body().frame().await.unwrap().unwrap();
    assert!(!first.into_data().unwrap().is_empty());
}

#[test]
fn a_pair_is_not_reached_by_the_header_of_other_sessions() {
    let id = crate::legacy::SessionId::from_random(&[1; 32]);
    let pair = Session::pair(id, &crate::server::session::Shared::default());
    let find = |_: &str| Some(pair.clone());
    let headers = headers(&[SESSION, EVENTS]);
    assert_eq!(
        receive_get(&headers, &find).unwrap_err().status.as_u16(),
        404
    );
    assert_eq!(
        receive_delete(&headers, &find).unwrap_err().status.as_u16(),
        404
    );
    let body = Bytes::from(ask("ping"));
    let rejection = receive(&headers, &body, &find, &Limits::REQUEST).unwrap_err();
    assert_eq!(rejection.status.as_u16(), 404);
}

use bytes::Bytes;
use cmcp_json::{Number, Value};

use super::*;

fn response(id: Option<Id>) -> Response {
    Response {
        id,
        outcome: Outcome::Result {
            value: Value::Null,
            bytes: Bytes::from_static(b"null"),
        },
    }
}

#[test]
fn e10_an_answer_goes_to_its_request_once_and_to_no_other() {
    let table = Table::default();
    let mut first = table.enter(1, 100, Purpose::Call).unwrap();
    let mut second = table.enter(2, 100, Purpose::Call).unwrap();
    assert!(!table.answer(response(Some(Id::String("1".to_owned())))));
    assert!(!table.answer(response(Some(Id::Number("1.0".parse::<Number>().unwrap())))));
    assert!(!table.answer(response(Some(Id::from(3)))));
    assert!(table.answer(response(Some(Id::from(1)))));
    assert!(!table.answer(response(Some(Id::from(1)))), "a duplicate");
    assert!(first.try_recv().unwrap().is_ok());
    assert!(second.try_recv().is_err());
}

#[test]
fn an_error_without_an_id_is_somebody_s_only_when_there_is_only_one() {
    let table = Table::default();
    let _first = table.enter(1, 100, Purpose::Call).unwrap();
    assert!(table.answer(response(None)));
    let _second = table.enter(2, 100, Purpose::Call).unwrap();
    let _third = table.enter(3, 100, Purpose::Call).unwrap();
    assert!(!table.answer(response(None)));
}

#[test]
fn a_broken_line_that_names_nobody_spoils_every_call_but_no_handshake() {
    let table = Table::default();
    let mut handshake = table.enter(1, 100, Purpose::Other).unwrap();
    assert!(!table.spoil(Broken::NotJson(b"starting up")));
    let mut calls = [2, 3].map(|id| table.enter(id, 100, Purpose::Call).unwrap());
    assert!(table.spoil(Broken::NotJson(b"oops")));
    let not_json = Err(UpstreamError::Protocol(ProtocolFault::NotJson));
    for call in &mut calls {
        assert_eq!(call.try_recv().unwrap().map(|_| ()), not_json);
    }
    assert!(handshake.try_recv().is_err());
}

#[test]
fn a_request_is_written_or_withdrawn_and_never_both() {
    let written = Progress::default();
    assert!(written.begin());
    assert!(written.withdraw(), "too late");
    let withdrawn = Progress::default();
    assert!(!withdrawn.withdraw());
    assert!(!withdrawn.begin());
    assert!(!withdrawn.withdraw());
}

#[test]
fn what_waits_when_the_server_ends_is_lost_and_nothing_more_is_entered() {
    let table = Table::default();
    let mut waiting = table.enter(1, 100, Purpose::Call).unwrap();
    assert!(table.end());
    assert!(!table.end());
    assert_eq!(
        waiting.try_recv().unwrap().map(|_| ()),
        Err(UpstreamError::Lost { sent: true })
    );
    assert_eq!(
        table.enter(2, 100, Purpose::Call).map(|_| ()),
        Err(UpstreamError::Lost { sent: false })
    );
}

#[test]
fn no_more_than_the_bound_wait_at_once() {
    let table = Table::default();
    let held: Vec<_> = (0..256)
        .map(|id| table.enter(id, 1, Purpose::Call).unwrap())
        .collect();
    assert_eq!(
        table.enter(999, 1, Purpose::Call).map(|_| ()),
        Err(UpstreamError::Overloaded { limit: MOST })
    );
    assert!(table.leave(0));
    assert!(table.enter(999, 1, Purpose::Call).is_ok());
    drop(held);
}

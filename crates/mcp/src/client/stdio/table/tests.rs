use bytes::Bytes;
use cmcp_json::{Number, Value};

use super::*;
use crate::{client::stdio::inbox, jsonrpc::Params};

fn response(id: Option<Id>) -> Response {
    Response {
        id,
        outcome: Outcome::Result {
            value: Value::Null,
            bytes: Bytes::from_static(b"null"),
        },
    }
}

fn entry(max_bytes: usize, purpose: Purpose) -> Entry {
    Entry {
        max_bytes,
        purpose,
        inbox: None,
    }
}

#[test]
fn e10_an_answer_goes_to_its_request_once_and_to_no_other() {
    let table = Table::default();
    let mut first = table.enter(1, entry(100, Purpose::Call)).unwrap();
    let mut second = table.enter(2, entry(100, Purpose::Call)).unwrap();
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
    let _first = table.enter(1, entry(100, Purpose::Call)).unwrap();
    assert!(table.answer(response(None)));
    let _second = table.enter(2, entry(100, Purpose::Call)).unwrap();
    let _third = table.enter(3, entry(100, Purpose::Call)).unwrap();
    assert!(!table.answer(response(None)));
}

#[test]
fn a_broken_line_that_names_nobody_spoils_every_call_but_no_handshake() {
    let table = Table::default();
    let mut handshake = table.enter(1, entry(100, Purpose::Other)).unwrap();
    assert!(!table.spoil(Broken::NotJson(b"starting up")));
    let mut calls = [2, 3].map(|id| table.enter(id, entry(100, Purpose::Call)).unwrap());
    assert!(table.spoil(Broken::NotJson(b"oops")));
    let not_json = Err(UpstreamError::Protocol(ProtocolFault::NotJson));
    for call in &mut calls {
        assert_eq!(call.try_recv().unwrap().map(|_| ()), not_json);
    }
    assert!(handshake.try_recv().is_err());
}

#[test]
fn a_request_is_written_or_withdrawn_and_never_both() {
    let written = Passage::default();
    assert!(written.begin());
    assert!(written.withdraw(), "too late");
    let withdrawn = Passage::default();
    assert!(!withdrawn.withdraw());
    assert!(!withdrawn.begin());
    assert!(!withdrawn.withdraw());
}

#[test]
fn what_waits_when_the_server_ends_is_lost_and_nothing_more_is_entered() {
    let table = Table::default();
    let mut waiting = table.enter(1, entry(100, Purpose::Call)).unwrap();
    assert!(table.end());
    assert!(!table.end());
    assert_eq!(
        waiting.try_recv().unwrap().map(|_| ()),
        Err(UpstreamError::Lost { sent: true })
    );
    assert_eq!(
        table.enter(2, entry(100, Purpose::Call)).map(|_| ()),
        Err(UpstreamError::Lost { sent: false })
    );
}

#[test]
fn no_more_than_the_bound_wait_at_once() {
    let table = Table::default();
    let held: Vec<_> = (0..256)
        .map(|id| table.enter(id, entry(1, Purpose::Call)).unwrap())
        .collect();
    assert_eq!(
        table.enter(999, entry(1, Purpose::Call)).map(|_| ()),
        Err(UpstreamError::Overloaded { limit: MOST })
    );
    assert!(table.leave(0));
    assert!(table.enter(999, entry(1, Purpose::Call)).is_ok());
    drop(held);
}

fn hearing(takes: Takes) -> (Entry, inbox::Letters) {
    let (inbox, letters) = inbox::open(takes);
    let entry = Entry {
        inbox: Some(inbox),
        ..entry(100, Purpose::Call)
    };
    (entry, letters)
}

fn question(id: u64) -> Request {
    Request {
        id: id.into(),
        method: "roots/list".to_owned(),
        params: Params::default(),
    }
}

#[tokio::test]
async fn e12_a_question_goes_to_the_only_request_that_can_answer_and_else_to_none() {
    let table = Table::default();
    assert!(table.put(question(7), 1).is_err(), "nobody is there");
    let _plain = table.enter(1, entry(100, Purpose::Call)).unwrap();
    let (progress, _kept) = hearing(Takes::Progress);
    let _progress = table.enter(2, progress).unwrap();
    assert!(table.put(question(7), 1).is_err(), "nobody can answer");
    let (first, mut letters) = hearing(Takes::Everything);
    let _first = table.enter(3, first).unwrap();
    table.put(question(7), 1).unwrap();
    assert!(matches!(letters.next().await, Some(Mail::Request(request)) if request.id == 7.into()));
    assert_eq!(table.asked(&7.into()), Some(3));
    assert_eq!(table.asked(&8.into()), None);
    let (second, _kept) = hearing(Takes::Requests);
    let _second = table.enter(4, second).unwrap();
    assert!(table.put(question(8), 1).is_err(), "two could");
    assert_eq!(table.sole(Takes::messages), Some(3));
    assert!(table.leave(3));
    table.put(question(8), 1).unwrap();
    assert_eq!(table.asked(&7.into()), None, "it has left");
}

#[test]
fn a_stream_is_known_by_its_id_and_no_call_is_one() {
    let table = Table::default();
    let _call = table.enter(1, entry(1, Purpose::Call)).unwrap();
    let _stream = table.enter(2, entry(1, Purpose::Listen)).unwrap();
    assert_eq!(
        [1, 2, 3].map(|id| table.is_stream(id)),
        [false, true, false]
    );
}

#[test]
fn a_line_may_be_as_long_as_the_largest_answer_waited_for_and_never_without_bound() {
    let table = Table::default();
    assert_eq!(table.longest_line(), MAX_LINE);
    let _small = table.enter(1, entry(1, Purpose::Call)).unwrap();
    assert_eq!(table.longest_line(), MAX_LINE);
    let _large = table.enter(2, entry(20 << 20, Purpose::Call)).unwrap();
    assert_eq!(table.longest_line(), (20 << 20) + ENVELOPE);
    let _huge = table.enter(3, entry(usize::MAX, Purpose::Call)).unwrap();
    assert_eq!(table.longest_line(), LONGEST_LINE);
}

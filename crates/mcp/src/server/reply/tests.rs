use http_body_util::BodyExt as _;
use hyper::body::Body as _;

use super::*;

#[tokio::test]
async fn one_body_knows_its_length_and_is_sent_once() {
    let response = json(StatusCode::OK, Bytes::from_static(b"{}"));
    let mut body = response.into_body();
    assert_eq!(body.size_hint().exact(), Some(2));
    assert!(!body.is_end_stream());
    let frame = body.frame().await.unwrap().unwrap();
    assert_eq!(frame.into_data().unwrap(), "{}");
    assert!(body.is_end_stream());
    assert!(body.frame().await.is_none());
}

#[test]
fn what_wants_no_answer_gets_202_and_nothing() {
    let response = accepted();
    assert_eq!(response.status(), StatusCode::ACCEPTED);
    assert!(response.headers().is_empty());
    assert_eq!(response.body().size_hint().exact(), Some(0));
    assert!(response.body().is_end_stream());
}

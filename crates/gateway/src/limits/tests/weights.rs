use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};

use crate::limits::{LimitSettings, Limits, weight::TooMuch};

fn limits(bytes: usize) -> Limits {
    let settings = LimitSettings {
        request_bytes: bytes,
        ..LimitSettings::default()
    };
    Limits::new(settings, std::time::Instant::now())
}

fn body(bytes: usize) -> Full<Bytes> {
    Full::new(Bytes::from(vec![b' '; bytes]))
}

#[tokio::test]
async fn n01_what_is_held_of_requests_is_bounded_in_all_and_for_each() {
    let limits = limits(100);
    let mut held = Vec::new();
    for (who, bytes, fits) in [
        ("alice", 30, true),
        ("alice", 30, false),
        ("alice", 20, true),
        ("alice", 1, false),
        ("bob", 50, true),
        ("carol", 1, false),
        ("carol", 0, true),
    ] {
        let (weighed, weight) = limits.weigh(who, body(bytes));
        let read = weighed.collect().await;
        assert_eq!(
            (read.is_ok(), weight.is_refused()),
            (fits, !fits),
            "{who} {bytes}"
        );
        if let Err(error) = read {
            assert!(error.is::<TooMuch>());
        }
        held.push(weight);
    }
    assert_eq!(limits.bytes(), 100);
    held.clear();
    assert_eq!(limits.bytes(), 0);
    let (weighed, _weight) = limits.weigh("carol", body(50));
    assert!(weighed.collect().await.is_ok());
}

#[tokio::test]
async fn a_body_weighs_while_it_is_read_or_used_and_not_a_moment_longer() {
    let limits = limits(100);
    let (mut weighed, weight) = limits.weigh("alice", body(30));
    assert_eq!(limits.bytes(), 0, "nothing has come");
    weighed.frame().await.unwrap().unwrap();
    drop(weight);
    assert_eq!(limits.bytes(), 30);
    drop(weighed);
    assert_eq!(limits.bytes(), 0);
}

#[tokio::test]
async fn any_part_of_a_body_keeps_its_weight() {
    let limits = limits(100);
    let (weighed, weight) = limits.weigh("alice", body(30));
    let read = weighed.collect().await.unwrap().to_bytes();
    let whole = weight.over(read);
    assert_eq!((whole.len(), limits.bytes()), (30, 30));
    let part = whole.slice(3..4);
    drop(whole);
    assert_eq!(limits.bytes(), 30);
    drop(part);
    assert_eq!(limits.bytes(), 0);
}

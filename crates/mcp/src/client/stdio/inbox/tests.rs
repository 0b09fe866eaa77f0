use std::time::Duration;

use bytes::Bytes;
use cmcp_json::Limits;
use tokio::sync::mpsc as channel;

use super::*;
use crate::{
    jsonrpc::{self, Message},
    method::Method,
    upstream::LogLevel,
};

fn mail() -> Mail {
    let text = Bytes::from_static(br#"{"jsonrpc":"2.0","method":"notifications/message"}"#);
    match jsonrpc::parse(&text, &Limits::REQUEST).unwrap() {
        Message::Notification(notification) => Mail::Notification(notification),
        other @ (Message::Request(_) | Message::Response(_)) => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn what_there_is_no_room_for_is_given_back_and_room_comes_with_taking() {
    let (inbox, mut letters) = open(Takes::Everything);
    inbox.put(mail(), MOST_BYTES * 2).unwrap();
    assert!(inbox.put(mail(), 1).is_err(), "the first one fills it");
    assert!(letters.next().await.is_some());
    for _ in 0..MOST {
        inbox.put(mail(), 1).unwrap();
    }
    assert!(inbox.put(mail(), 1).is_err());
    letters.next().await.unwrap();
    inbox.put(mail(), 1).unwrap();
    drop(inbox);
    for _ in 0..MOST {
        letters.next().await.unwrap();
    }
    assert!(letters.next().await.is_none());
    assert_eq!(letters.held.load(Ordering::Acquire), 0);
}

#[test]
fn what_a_request_hears_follows_from_what_it_asks_for() {
    let plain = Ask::new(Method::ToolsCall, Vec::new(), Duration::from_secs(1), 1);
    let modern = Version::V2026_07_28;
    assert_eq!(Takes::of(&plain, modern), None);
    let progress = Ask {
        progress: true,
        ..plain.clone()
    };
    assert_eq!(Takes::of(&progress, modern), Some(Takes::Progress));
    let (events, _kept) = channel::channel(1);
    let listening = Ask {
        events: Some(events),
        ..plain
    };
    assert_eq!(Takes::of(&listening, modern), Some(Takes::Requests));
    assert_eq!(
        Takes::of(&listening, Version::V2025_06_18),
        Some(Takes::Everything)
    );
    let logging = Ask {
        log_level: Some(LogLevel::Info),
        ..listening
    };
    assert_eq!(Takes::of(&logging, modern), Some(Takes::Everything));
}

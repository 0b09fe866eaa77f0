//! What hanging up means.

use super::*;

#[tokio::test]
async fn a_modern_client_that_hangs_up_cancels_before_and_after_a_stream_is_open() {
    let (port, feed) = Port::modern(&id(1));
    drop(feed);
    assert!(port.is_cancelled());
    let (port, feed) = Port::modern(&id(1));
    port.notify(note(1));
    let mut events = stream(respond(feed).await);
    assert!(data(&mut events).await.unwrap().contains("\"n\":1"));
    assert!(!port.is_cancelled());
    drop(events);
    assert!(port.is_cancelled());
    // Nothing more is kept for it.
    port.notify(note(2));
    port.finish(last("{}"));
}

#[tokio::test]
async fn the_future_of_a_response_dropped_while_it_waits_is_hanging_up() {
    let (port, feed) = Port::modern(&id(1));
    let waiting = tokio::spawn(respond(feed));
    tokio::task::yield_now().await;
    waiting.abort();
    port.cancelled().await;
}

#[tokio::test]
async fn a_legacy_or_plain_client_that_hangs_up_cancels_nothing() {
    let session = session(NEW);
    for (port, feed) in [session.open(&id(1)).unwrap(), Port::plain(&id(1))] {
        drop(feed);
        assert!(!port.is_cancelled());
        port.finish(last("{}"));
    }
    let (port, feed) = session.open(&id(2)).unwrap();
    port.notify(note(1));
    drop(stream(respond(feed).await));
    assert!(!port.is_cancelled());
}

#[tokio::test]
async fn nothing_is_kept_for_a_legacy_client_that_left_before_it_had_an_id_to_come_back_with() {
    let session = session(NEW);
    let (port, feed) = session.open(&id(1)).unwrap();
    drop(feed);
    port.notify(note(1));
    assert!(session.resume("1-0", HOUR).is_none());
    let asked = port.ask(ClientMethod::ListRoots, None).await;
    assert_eq!(asked.unwrap_err(), AskError::Gone);
}

#[tokio::test]
async fn f09_a_modern_client_that_reads_too_slowly_loses_its_stream_and_its_request() {
    let (port, feed) = Port::modern(&id(1));
    let (other, other_feed) = Port::modern(&id(2));
    other.notify(note(0));
    port.notify(note(0));
    let mut events = stream(respond(feed).await);
    for n in 1..UNREAD {
        port.notify(note(n));
    }
    assert!(!port.is_cancelled());
    port.notify(note(UNREAD));
    assert!(port.is_cancelled());
    assert_eq!(events.frame().await.unwrap().unwrap_err(), CutOff);
    // Nobody else notices.
    assert!(!other.is_cancelled());
    let mut events = stream(respond(other_feed).await);
    assert!(data(&mut events).await.unwrap().contains("\"n\":0"));
}

#[tokio::test]
async fn f09_a_slow_reader_is_bounded_by_bytes_too() {
    let (port, _feed) = Port::modern(&id(1));
    let large = Bytes::from(format!("\"{}\"", "x".repeat(UNREAD_BYTES / 4)));
    for _ in 0..4 {
        port.notify(large.clone());
    }
    assert!(!port.is_cancelled());
    port.notify(large);
    assert!(port.is_cancelled());
}

#[tokio::test]
async fn f09_a_slow_legacy_client_loses_its_stream_but_not_its_request() {
    let session = session(NEW);
    let (port, feed) = session.open(&id(1)).unwrap();
    port.notify(note(0));
    let mut events = stream(respond(feed).await);
    assert!(next(&mut events).await.unwrap().data.is_empty());
    for n in 1..=UNREAD {
        port.notify(note(n));
    }
    assert_eq!(events.frame().await.unwrap().unwrap_err(), CutOff);
    drop(events);
    assert!(!port.is_cancelled());
    port.finish(last("\"answer\""));
    // It comes back, and gets the latest of what it missed.
    let mut events = session.resume("1-1", HOUR).unwrap();
    let mut seen = Vec::new();
    while let Some(text) = data(&mut events).await {
        seen.push(text);
    }
    assert_eq!(seen.len(), 256);
    assert!(seen[254].contains(&format!("\"n\":{UNREAD}")));
    assert_eq!(seen[255], "\"answer\"");
}

#[tokio::test]
async fn an_answer_of_any_size_is_taken_however_much_waits() {
    let (port, feed) = Port::modern(&id(1));
    for n in 0..UNREAD {
        port.notify(note(n));
    }
    let text = format!("\"{}\"", "x".repeat(2 * UNREAD_BYTES));
    port.finish(Last::ok(Bytes::from(text.clone())));
    let mut events = stream(respond(feed).await);
    for n in 0..UNREAD {
        assert!(
            data(&mut events)
                .await
                .unwrap()
                .contains(&format!("\"n\":{n}}}"))
        );
    }
    assert_eq!(collect(&mut events).await, text);
}

/// The rest of a stream that holds one event.
async fn collect(events: &mut StreamBody) -> String {
    let mut decoder = sse::Decoder::new(64 << 20);
    let mut found = Vec::new();
    while let Some(frame) = events.frame().await {
        let bytes = frame.unwrap().into_data().unwrap();
        decoder.push(&bytes, &mut found).unwrap();
    }
    assert_eq!(found.len(), 1);
    String::from_utf8(found[0].data.to_vec()).unwrap()
}

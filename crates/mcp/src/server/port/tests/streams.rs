//! Streams: when they open, what they look like, how they are taken up again.

use super::*;

#[tokio::test]
async fn something_said_before_the_answer_makes_a_stream_with_the_headers_of_one() {
    let (port, feed) = Port::modern(&id(1));
    port.notify(note(1));
    port.finish(last("{}"));
    let response = respond(feed).await;
    assert_eq!(response.status(), StatusCode::OK);
    let headers = response.headers();
    assert_eq!(headers[header::CONTENT_TYPE], "text/event-stream");
    assert_eq!(headers[header::CACHE_CONTROL], "no-cache");
    assert_eq!(headers["x-accel-buffering"], "no");
    assert_eq!(headers.len(), 3);
    let mut text = Vec::new();
    let mut events = stream(response);
    while let Some(frame) = events.frame().await {
        text.extend_from_slice(&frame.unwrap().into_data().unwrap());
    }
    assert_eq!(
        String::from_utf8(text).unwrap(),
        "event: message\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"n\",\"params\":{\"n\":1}}\n\n\
         event: message\ndata: {}\n\n"
    );
}

#[tokio::test]
async fn each_event_can_be_read_as_soon_as_it_is_said() {
    let (port, feed) = Port::modern(&id(1));
    port.notify(note(0));
    let mut events = stream(respond(feed).await);
    for n in 0..3 {
        assert!(
            data(&mut events)
                .await
                .unwrap()
                .contains(&format!("\"n\":{n}}}"))
        );
        assert!(is_silent(&mut events).await);
        port.notify(note(n + 1));
    }
}

#[tokio::test]
async fn a_client_of_the_old_dialect_gets_one_body_whatever_is_said_and_however_long_it_takes() {
    let (port, feed) = Port::plain(&id(1));
    port.notify(note(1));
    let waiting = tokio::spawn(feed.into_response(NOW, NOW));
    tokio::time::sleep(10 * NOW).await;
    port.notify(note(2));
    port.finish(last("{}"));
    assert_eq!(whole(waiting.await.unwrap()).await, "{}");
}

#[tokio::test]
async fn a_stream_opens_by_itself_when_nothing_is_said_for_a_while() {
    let (port, feed) = Port::modern(&id(1));
    let mut events = stream(feed.into_response(HOUR, NOW).await);
    // Something goes out at once, so that nobody between thinks the connection dead.
    let frame = events.frame().await.unwrap().unwrap().into_data().unwrap();
    assert_eq!(&frame[..], b": keep-alive\n\n");
    port.finish(last("{}"));
    assert_eq!(data(&mut events).await.unwrap(), "{}");
    assert!(next(&mut events).await.is_none());
}

#[tokio::test]
async fn a_silent_stream_carries_comments() {
    let (_port, feed) = Port::modern(&id(1));
    let mut events = stream(feed.into_response(NOW, NOW).await);
    for _ in 0..3 {
        let frame = events.frame().await.unwrap().unwrap().into_data().unwrap();
        assert_eq!(&frame[..], b": keep-alive\n\n");
    }
}

#[tokio::test]
async fn a_legacy_stream_begins_with_an_id_no_data_and_how_long_to_wait() {
    let (port, feed) = session(NEW).open(&id(1)).unwrap();
    port.notify(note(1));
    let mut events = stream(respond(feed).await);
    let frame = events.frame().await.unwrap().unwrap().into_data().unwrap();
    assert_eq!(&frame[..], b"id: 1-0\nretry: 1000\ndata: \n\n");
    let event = next(&mut events).await.unwrap();
    assert_eq!(event.id.as_deref(), Some(&b"1-1"[..]));
    assert!(event.is_message());
}

#[tokio::test]
async fn clients_before_2025_11_25_are_never_sent_an_event_without_data() {
    for version in [Version::V2025_03_26, Version::V2025_06_18] {
        let (port, feed) = session(version).open(&id(1)).unwrap();
        port.notify(note(1));
        let mut events = stream(respond(feed).await);
        let frame = events.frame().await.unwrap().unwrap().into_data().unwrap();
        assert_eq!(&frame[..], b": keep-alive\n\n");
        assert_eq!(
            next(&mut events).await.unwrap().id.as_deref(),
            Some(&b"1-1"[..])
        );
    }
}

#[tokio::test]
async fn ids_are_unique_in_a_session_and_name_their_stream() {
    let session = session(NEW);
    let mut seen = std::collections::BTreeSet::new();
    let mut keep = Vec::new();
    for n in 1..=3 {
        let (port, feed) = session.open(&id(n)).unwrap();
        for n in 0..3 {
            port.notify(note(n));
        }
        let mut events = stream(respond(feed).await);
        for _ in 0..4 {
            let event = next(&mut events).await.unwrap();
            let id = String::from_utf8(event.id.unwrap().to_vec()).unwrap();
            assert!(id.starts_with(&format!("{n}-")));
            assert!(seen.insert(id));
        }
        keep.push((port, events));
    }
    let mut standalone = session.standalone(HOUR);
    for n in 0..3 {
        session.announce(note(n));
        let event = next(&mut standalone).await.unwrap();
        assert!(seen.insert(String::from_utf8(event.id.unwrap().to_vec()).unwrap()));
    }
}

#[tokio::test]
async fn a_broken_stream_goes_on_behind_the_event_that_was_read_last_and_is_no_other_one() {
    let session = session(NEW);
    let (port, feed) = session.open(&id(1)).unwrap();
    let (other, other_feed) = session.open(&id(2)).unwrap();
    port.notify(note(1));
    other.notify(note(100));
    let mut events = stream(respond(feed).await);
    let _other_events = stream(respond(other_feed).await);
    next(&mut events).await.unwrap();
    let read = next(&mut events).await.unwrap();
    port.notify(note(2));
    drop(events);
    port.notify(note(3));
    let read = String::from_utf8(read.id.unwrap().to_vec()).unwrap();
    let mut events = session.resume(&read, HOUR).unwrap();
    for n in 2..4 {
        assert!(
            data(&mut events)
                .await
                .unwrap()
                .contains(&format!("\"n\":{n}}}"))
        );
    }
    port.notify(note(4));
    assert!(data(&mut events).await.unwrap().contains("\"n\":4}"));
    port.finish(last("\"answer\""));
    assert_eq!(data(&mut events).await.unwrap(), "\"answer\"");
    assert!(next(&mut events).await.is_none());
    // Once more, and from the beginning: what was read is still there.
    let mut again = session.resume("1-0", HOUR).unwrap();
    for n in 1..5 {
        assert!(
            data(&mut again)
                .await
                .unwrap()
                .contains(&format!("\"n\":{n}}}"))
        );
    }
    assert_eq!(data(&mut again).await.unwrap(), "\"answer\"");
}

#[tokio::test]
async fn whoever_takes_a_stream_over_ends_it_for_who_read_it_before() {
    let session = session(NEW);
    let (port, feed) = session.open(&id(1)).unwrap();
    port.notify(note(1));
    let mut old = stream(respond(feed).await);
    let mut new = session.resume("1-0", HOUR).unwrap();
    next(&mut old).await.unwrap();
    assert!(next(&mut old).await.is_none());
    // Its going away changes nothing for the new reader.
    drop(old);
    port.notify(note(2));
    for n in 1..3 {
        assert!(
            data(&mut new)
                .await
                .unwrap()
                .contains(&format!("\"n\":{n}}}"))
        );
    }
}

#[tokio::test]
async fn event_ids_that_were_never_given_resume_nothing() {
    let session = session(NEW);
    let (port, feed) = session.open(&id(1)).unwrap();
    port.notify(note(1));
    let _events = stream(respond(feed).await);
    for id in [
        "", "1", "1-", "-1", "1-9", "2-0", "0-0", "+1-0", "1-+0", "1-0-0", "x",
    ] {
        assert!(session.resume(id, HOUR).is_none(), "{id}");
    }
    assert!(self::session(NEW).resume("1-0", HOUR).is_none());
}

#[tokio::test]
async fn what_is_kept_for_coming_back_is_bounded_and_the_answer_outlives_the_rest() {
    let session = session(NEW);
    let (port, feed) = session.open(&id(1)).unwrap();
    port.notify(note(0));
    drop(stream(respond(feed).await));
    for n in 1..2_000 {
        port.notify(note(n));
    }
    port.finish(last("\"answer\""));
    let mut events = session.resume("1-0", HOUR).unwrap();
    let mut count = 0;
    let mut latest = String::new();
    while let Some(text) = data(&mut events).await {
        (count, latest) = (count + 1, text);
    }
    assert_eq!((count, latest.as_str()), (256, "\"answer\""));
}

#[tokio::test]
async fn a_session_keeps_four_mebibytes_and_lets_the_oldest_ended_streams_go() {
    let session = session(NEW);
    let large = Bytes::from(format!("\"{}\"", "x".repeat(900 << 10)));
    for n in 1..=8 {
        let (port, feed) = session.open(&id(n)).unwrap();
        port.notify(note(0));
        drop(stream(respond(feed).await));
        port.finish(Last::ok(large.clone()));
    }
    let kept: Vec<_> = (1..=8)
        .filter(|n| session.resume(&format!("{n}-0"), HOUR).is_some())
        .collect();
    assert_eq!(kept, [5, 6, 7, 8]);
}

#[tokio::test]
async fn an_answer_too_large_to_keep_is_not_promised_to_who_comes_back() {
    let session = session(NEW);
    let (port, feed) = session.open(&id(1)).unwrap();
    port.notify(note(0));
    drop(stream(respond(feed).await));
    port.finish(Last::ok(Bytes::from(format!(
        "\"{}\"",
        "x".repeat(5 << 20)
    ))));
    assert!(session.resume("1-0", HOUR).is_none());
}

#[tokio::test]
async fn all_sessions_together_keep_no_more_than_their_bound() {
    let shared = Shared::default();
    let large = Bytes::from(format!("\"{}\"", "x".repeat(4_000_000)));
    let sessions: Vec<_> = (0..80)
        .map(|_| {
            let id = SessionId::from_random(&[1; 32]);
            Session::http(id, handshake(NEW, "{}"), &shared)
        })
        .collect();
    for session in &sessions {
        let (port, feed) = session.open(&id(1)).unwrap();
        port.notify(note(0));
        drop(stream(respond(feed).await));
        port.finish(Last::ok(large.clone()));
    }
    let kept = sessions
        .iter()
        .filter(|session| session.resume("1-0", HOUR).is_some())
        .count();
    assert_eq!(kept, (256 << 20) / 4_000_000 + 1);
}

#[tokio::test]
async fn f10_tool_text_cannot_end_an_event_or_begin_another() {
    for text in [
        r#"{"text":"\n\ndata: {\"forged\":1}\n\n"}"#,
        "{\"text\":1,\n\n\"event\":\"data: x\"}",
        "{\"text\":1,\r\"data: forged\":2}",
        "{\"a\":1}\r\n\r\nevent: forged\r\ndata: x",
    ] {
        let session = session(NEW);
        for (port, feed) in [Port::modern(&id(1)), session.open(&id(1)).unwrap()] {
            port.notify(note(1));
            port.finish(Last::ok(Bytes::copy_from_slice(text.as_bytes())));
            let mut events = stream(respond(feed).await);
            data(&mut events).await.unwrap();
            let event = next(&mut events).await.unwrap();
            assert!(event.is_message());
            let expected = text.replace(['\r', '\n'], " ");
            assert_eq!(event.data, expected);
            assert!(next(&mut events).await.is_none());
        }
    }
}

#[tokio::test]
async fn a_large_answer_is_sent_from_where_it_lies() {
    let (port, feed) = Port::modern(&id(1));
    port.notify(note(1));
    let large = Bytes::from(format!("\"{}\"", "x".repeat(10 << 20)));
    port.finish(Last::ok(large.clone()));
    let mut events = stream(respond(feed).await);
    data(&mut events).await.unwrap();
    let mut frames = Vec::new();
    while let Some(frame) = events.frame().await {
        frames.push(frame.unwrap().into_data().unwrap());
    }
    assert_eq!(frames.len(), 3);
    assert_eq!(frames[1].as_ptr(), large.as_ptr());
    assert_eq!(
        (&frames[0][..], &frames[2][..]),
        (&b"event: message\ndata: "[..], &b"\n\n"[..])
    );
}

use proptest::prelude::*;

use super::*;

fn decode(text: &[u8]) -> Vec<Event> {
    let mut events = Vec::new();
    Decoder::new(1 << 20).push(text, &mut events).unwrap();
    events
}

fn data(text: &[u8]) -> Vec<String> {
    decode(text)
        .iter()
        .map(|event| String::from_utf8(event.data.to_vec()).unwrap())
        .collect()
}

#[test]
fn line_ends_of_all_kinds_end_lines_and_events() {
    assert_eq!(
        data(b"data: a\n\ndata: b\r\rdata: c\r\n\r\n"),
        ["a", "b", "c"]
    );
    assert_eq!(data(b"data: a\r\ndata: b\rdata: c\n\r\n"), ["a\nb\nc"]);
}

#[test]
fn comments_unknown_fields_and_a_byte_order_mark_mean_nothing() {
    assert_eq!(
        data(b"\xef\xbb\xbfdata: a\n: data: b\nfoo: c\ndata2: d\n\n"),
        ["a"]
    );
    assert_eq!(data(b"\xef\xbb\xbf\xef\xbb\xbfdata: a\n\n"), [""; 0]);
}

#[test]
fn one_blank_behind_the_colon_belongs_to_the_framing() {
    assert_eq!(
        data(b"data:a\n\ndata: a\n\ndata:  a\n\ndata\n\ndata:\n\n"),
        ["a", "a", " a", "", ""]
    );
}

#[test]
fn an_event_without_data_is_none_and_one_that_is_cut_off_neither() {
    assert_eq!(decode(b"event: x\nid: 1\n\n: c\n\n\n"), []);
    assert_eq!(decode(b"data: a\n"), []);
}

#[test]
fn name_and_id_belong_to_their_event_alone() {
    let events = decode(b"event: ping\nid: 7\ndata: a\n\ndata: b\nid: x\0y\n\n");
    assert_eq!(events[0].name, "ping");
    assert_eq!(events[0].id.as_deref(), Some(b"7".as_slice()));
    assert!(!events[0].is_message());
    assert!(events[1].is_message());
    assert_eq!(events[1].id, None);
}

#[test]
fn retry_takes_digits_only() {
    let mut decoder = Decoder::new(100);
    decoder
        .push(
            b"retry: 1500\nretry: +3\nretry: 1e3\nretry:\n",
            &mut Vec::new(),
        )
        .unwrap();
    assert_eq!(decoder.retry(), Some(1500));
}

#[test]
fn an_event_above_the_cap_is_refused_however_it_is_cut() {
    for cut in [1, 7, 1000] {
        let mut decoder = Decoder::new(64);
        let mut events = Vec::new();
        let text = [b"data: ok\n\n".as_slice(), &b"data: xxxxxxxx\n".repeat(100)].concat();
        let refused = text
            .chunks(cut)
            .try_for_each(|chunk| decoder.push(chunk, &mut events));
        assert_eq!(refused, Err(SseError::TooLarge { limit: 64 }));
        assert_eq!(events.len(), 1);
    }
}

#[test]
fn f10_no_text_ends_its_event_or_begins_another() {
    for hostile in [
        "a\n\ndata: {}\n\n",
        "a\r\revent: x\r\r",
        "\r\n\r\nid: 1",
        "\n",
        "",
    ] {
        let out = encode("message", Some("1\n\nevent: evil"), hostile.as_bytes());
        let events = decode(&out);
        assert_eq!(events.len(), 1, "{hostile:?}");
        assert_eq!(events[0].name, "message");
        assert_eq!(
            events[0].data,
            hostile.replace("\r\n", "\n").replace('\r', "\n")
        );
    }
    assert_eq!(decode(&keep_alive()), []);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn how_a_stream_is_cut_changes_nothing(
        text in proptest::collection::vec(prop_oneof![
            Just(b'\n'), Just(b'\r'), Just(b':'), Just(b' '), Just(b'x'), Just(0xef_u8),
        ], 0..64).prop_map(|noise| [b"\xef\xbb\xbfdata: a\r\n".as_slice(), &noise, b"\ndata:b\revent: c\r\n\r\n"].concat()),
        cuts in proptest::collection::vec(1_usize..9, 1..64),
    ) {
        let whole = decode(&text);
        let mut decoder = Decoder::new(1 << 20);
        let (mut rest, mut events) = (text.as_slice(), Vec::new());
        for cut in cuts.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (part, tail) = rest.split_at(rest.len().min(*cut));
            decoder.push(part, &mut events).unwrap();
            rest = tail;
        }
        prop_assert_eq!(events, whole);
    }

    #[test]
    fn what_is_encoded_decodes_to_one_event(data in "[a-z\\r\\n :]{0,40}", name in "[a-z]{0,5}") {
        let events = decode(&encode(&name, None, data.as_bytes()));
        prop_assert_eq!(events.len(), 1);
        prop_assert_eq!(&events[0].data, &data.replace("\r\n", "\n").replace('\r', "\n"));
        prop_assert_eq!(&events[0].name, &name);
    }

    #[test]
    fn no_bytes_whatever_make_it_panic(chunks in proptest::collection::vec(any::<Vec<u8>>(), 0..8)) {
        let mut decoder = Decoder::new(32);
        for chunk in chunks {
            let _ = decoder.push(&chunk, &mut Vec::new());
        }
    }
}

#[test]
fn a_message_is_one_event_of_one_data_line_whatever_its_size_and_line_ends() {
    for text in [
        "{\"a\":1}".to_owned(),
        "{\n\"a\":1,\r\n\"b\":2\r}".to_owned(),
        format!("{{\"a\":\"{}\"}}", "x".repeat(100_000)),
        format!("{{\"a\":\n\"{}\"}}", "x".repeat(100_000)),
    ] {
        for id in [None, Some("1-2")] {
            let parts = message(id, &Bytes::from(text.clone()));
            let sent = parts.concat();
            let events = decode(&sent);
            assert_eq!(events.len(), 1);
            assert_eq!(events[0].name, "message");
            assert_eq!(events[0].data, text.replace(['\n', '\r'], " "));
            assert_eq!(events[0].id.as_deref(), id.map(str::as_bytes));
            let lines = sent.split(|byte| *byte == b'\n').count();
            assert_eq!(lines, if id.is_some() { 5 } else { 4 });
        }
    }
}

#[test]
fn a_priming_event_has_an_id_no_data_and_a_time_to_wait() {
    let mut decoder = Decoder::new(1_000);
    let mut events = Vec::new();
    decoder.push(&priming("1-0", 1_500), &mut events).unwrap();
    assert_eq!(decoder.retry(), Some(1_500));
    assert_eq!(events.len(), 1);
    assert!(events[0].data.is_empty());
    assert_eq!(events[0].id.as_deref(), Some(&b"1-0"[..]));
}

#[test]
fn the_place_of_a_stream_is_the_last_id_of_an_event_that_ended() {
    let mut decoder = Decoder::new(1000);
    let mut events = Vec::new();
    assert_eq!(decoder.last_id(), None);
    decoder
        .push(b"id: 1\nretry: 5\n\ndata: x\n\n", &mut events)
        .unwrap();
    assert_eq!(decoder.last_id().map(Bytes::as_ref), Some(&b"1"[..]));
    decoder.push(b"id: 2\ndata: y\n", &mut events).unwrap();
    assert_eq!(decoder.last_id().map(Bytes::as_ref), Some(&b"1"[..]));
    decoder.push(b"\nid\ndata\n\n", &mut events).unwrap();
    assert_eq!(decoder.last_id(), None, "the empty id takes it back");
    assert_eq!(events.len(), 3);
}

#[test]
fn a_limit_can_be_raised_and_lowered_on_the_way() {
    let mut decoder = Decoder::new(10);
    let mut events = Vec::new();
    decoder.set_limit(100);
    decoder.push(&[b'x'; 60], &mut events).unwrap();
    decoder.set_limit(10);
    assert_eq!(
        decoder.push(b"x", &mut events),
        Err(SseError::TooLarge { limit: 10 })
    );
}

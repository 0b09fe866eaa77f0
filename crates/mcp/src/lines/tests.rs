use proptest::prelude::*;

use super::*;

fn decode(limit: usize, chunks: &[&[u8]]) -> Vec<Line> {
    let mut decoder = Decoder::new(limit);
    let mut lines = Vec::new();
    for chunk in chunks {
        decoder.push(chunk);
        lines.extend(std::iter::from_fn(|| decoder.next_line()));
    }
    lines
}

fn whole(text: &'static str) -> Line {
    Line::Whole(Bytes::from_static(text.as_bytes()))
}

#[test]
fn lines_end_with_a_line_feed_and_blank_ones_are_left_out() {
    let lines = decode(10, &[b"a\nb", b"c\r\n\n\r\n", b"d"]);
    assert_eq!(lines, [whole("a"), whole("bc")]);
}

#[test]
fn a_line_of_exactly_the_cap_passes_and_one_byte_more_is_skipped() {
    let lines = decode(4, &[b"1234\n12345\n123\n"]);
    let skipped = Line::TooLong {
        head: "12345".into(),
        tail: "12345".into(),
    };
    assert_eq!(lines, [whole("1234"), skipped, whole("123")]);
}

#[test]
fn what_may_come_next_may_be_longer_or_shorter_than_what_came() {
    let mut decoder = Decoder::new(4);
    decoder.push(b"123");
    assert_eq!(decoder.next_line(), None);
    decoder.allow(6);
    decoder.push(b"456\n123");
    assert_eq!(decoder.next_line(), Some(whole("123456")));
    decoder.allow(2);
    assert_eq!(decoder.next_line(), None);
    decoder.push(b"\n12\n");
    assert!(matches!(decoder.next_line(), Some(Line::TooLong { .. })));
    assert_eq!(decoder.next_line(), Some(whole("12")));
}

#[test]
fn a_skipped_line_keeps_its_ends_and_nothing_else() {
    let mut decoder = Decoder::new(1000);
    let mut longest = 0;
    for round in 0..1000_u32 {
        decoder.push(format!("{round:04}").repeat(100).as_bytes());
        assert_eq!(decoder.next_line(), None);
        longest = longest.max(decoder.buffer.len());
    }
    decoder.push(b"end\nnext\n");
    let Some(Line::TooLong { head, tail }) = decoder.next_line() else {
        panic!()
    };
    assert!(head.starts_with(b"00000000") && head.len() == KEPT);
    assert!(tail.ends_with(b"09990999end") && tail.len() == KEPT);
    assert_eq!(decoder.next_line(), Some(whole("next")));
    assert!(longest <= 1400, "{longest}");
}

#[test]
fn line_ends_between_tokens_become_blanks() {
    assert_eq!(encode(b"{\"a\":\r\n 1}"), "{\"a\":   1}\n");
}

#[tokio::test]
async fn a_reader_gives_its_lines_and_what_is_cut_off_is_none() {
    let mut decoder = Decoder::new(8);
    let mut reader = b"one\ntoo long it is\ntwo\nthr".as_slice();
    assert_eq!(
        decoder.read_from(&mut reader).await.unwrap(),
        Some(whole("one"))
    );
    assert!(matches!(
        decoder.read_from(&mut reader).await.unwrap(),
        Some(Line::TooLong { .. })
    ));
    assert_eq!(
        decoder.read_from(&mut reader).await.unwrap(),
        Some(whole("two"))
    );
    assert_eq!(decoder.read_from(&mut reader).await.unwrap(), None);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn how_a_stream_is_cut_changes_nothing(
        text in proptest::collection::vec(prop_oneof![Just(b'\n'), Just(b'\r'), Just(b'a'), Just(b'b')], 0..80),
        cuts in proptest::collection::vec(1_usize..9, 1..80),
        limit in 1_usize..12,
    ) {
        let mut parts = Vec::new();
        let mut rest = text.as_slice();
        for cut in cuts.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (part, tail) = rest.split_at(rest.len().min(*cut));
            parts.push(part);
            rest = tail;
        }
        prop_assert_eq!(decode(limit, &parts), decode(limit, &[&text]));
    }

    #[test]
    fn every_line_comes_whole_or_is_told_to_be_too_long(lines in proptest::collection::vec("[a-z]{1,20}", 0..20)) {
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        let decoded = decode(10, &[text.as_bytes()]);
        prop_assert_eq!(decoded.len(), lines.len());
        for (line, decoded) in lines.iter().zip(decoded) {
            match decoded {
                Line::Whole(bytes) => prop_assert_eq!(&bytes, line),
                Line::TooLong { .. } => prop_assert!(line.len() > 10),
            }
        }
    }
}

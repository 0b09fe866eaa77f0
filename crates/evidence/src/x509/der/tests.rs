use super::*;
use proptest::prelude::*;

fn found(bytes: &[u8]) -> Result<Element<'_>, Malformed> {
    Der::new(bytes).any("thing")
}

#[test]
fn an_element_says_where_it_is() {
    let bytes = [0x30, 0x05, 0x02, 0x01, 0x07, 0x05, 0x00];
    let mut inside = Der::new(&bytes).sequence("outer").unwrap();
    assert_eq!(inside.next_tag(), Some(INTEGER));
    let at = inside;
    assert_eq!(inside.number("number"), Ok(7));
    let number = { at }.any("number").unwrap();
    assert_eq!((number.range(), number.value_range()), (2..5, 4..5));
    assert_eq!(number.whole, &bytes[2..5]);
    assert_eq!(inside.optional("null", NULL).unwrap().unwrap().at, 5);
    assert!(inside.is_done());
    assert_eq!(inside.end("outer"), Ok(()));
}

#[test]
fn only_the_shortest_definite_length_is_read() {
    for bad in [
        &[0x04_u8, 0x80, 0x00, 0x00][..],
        &[0x04, 0x81, 0x01, 0x00],
        &[0x04, 0x82, 0x00, 0x81],
        &[0x04, 0x85, 0x00, 0x00, 0x00, 0x00, 0x01],
        &[0x04, 0xFF],
    ] {
        let error = found(bad).unwrap_err();
        assert_eq!(error.expected, "a definite length in its shortest form");
    }
}

#[test]
fn b23_a_claimed_length_allocates_nothing() {
    let error = found(&[0x04, 0x84, 0xFF, 0xFF, 0xFF, 0xFF]).unwrap_err();
    assert_eq!(error.expected, "4294967295 bytes");
    assert_eq!(error.found, "0 left");
}

#[test]
fn tags_of_several_bytes_are_not_read() {
    assert_eq!(
        found(&[0x1F, 0x81, 0x00, 0x00]).unwrap_err().expected,
        "a tag of one byte"
    );
}

#[test]
fn errors_inside_are_placed_in_the_outermost_bytes() {
    let bytes = [0x30, 0x04, 0x30, 0x02, 0x02, 0x05];
    let mut inside = Der::new(&bytes).sequence("a").unwrap();
    let mut inner = inside.sequence("b").unwrap();
    assert_eq!(inner.number("c").unwrap_err().at, 6);
    let mut other = Der::new(&bytes).sequence("a").unwrap();
    assert_eq!(other.number("c").unwrap_err().at, 2);
}

#[test]
fn an_integer_has_one_encoding() {
    let read = |bytes: &[u8]| Der::new(bytes).integer("n").map(<[u8]>::to_vec);
    assert_eq!(read(&[2, 1, 0]).unwrap(), [0]);
    assert_eq!(read(&[2, 2, 0, 0x80]).unwrap(), [0, 0x80]);
    assert_eq!(read(&[2, 1, 0xFF]).unwrap(), [0xFF]);
    assert_eq!(read(&[2, 2, 0xFF, 0x7F]).unwrap(), [0xFF, 0x7F]);
    for padded in [&[2_u8, 0][..], &[2, 2, 0, 0x7F], &[2, 2, 0xFF, 0x80]] {
        assert_eq!(
            read(padded).unwrap_err().expected,
            "the fewest bytes of an INTEGER"
        );
    }
}

#[test]
fn unsigned_numbers_drop_their_sign_byte_and_refuse_a_sign() {
    assert_eq!(Der::new(&[2, 2, 0, 0x80]).unsigned("n").unwrap(), [0x80]);
    assert_eq!(Der::new(&[2, 1, 0]).unsigned("n").unwrap(), [0]);
    assert_eq!(
        Der::new(&[2, 1, 0x80]).unsigned("n").unwrap_err().found,
        "a negative one"
    );
    let most = [2, 9, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF];
    assert_eq!(Der::new(&most).number("n"), Ok(u64::MAX));
    let more = [2, 9, 1, 0, 0, 0, 0, 0, 0, 0, 0];
    assert_eq!(
        Der::new(&more).number("n").unwrap_err().expected,
        "at most 8 bytes"
    );
}

#[test]
fn a_boolean_is_00_or_ff() {
    assert_eq!(Der::new(&[1, 1, 0]).boolean("b"), Ok(false));
    assert_eq!(Der::new(&[1, 1, 0xFF]).boolean("b"), Ok(true));
    assert_eq!(Der::new(&[1, 1, 1]).boolean("b").unwrap_err().found, "01");
    assert!(Der::new(&[1, 0]).boolean("b").is_err());
    assert!(Der::new(&[1, 2, 0xFF, 0xFF]).boolean("b").is_err());
}

#[test]
fn object_identifiers_are_written_with_dots() {
    let read = |bytes: &[u8]| Der::new(bytes).oid("oid");
    assert_eq!(
        read(&[6, 6, 0x67, 0x81, 0x05, 0x05, 0x04, 0x09]).unwrap(),
        "2.23.133.5.4.9"
    );
    let gramine = [
        6, 11, 6, 9, 0x2A, 0x86, 0x48, 0x86, 0xF8, 0x4D, 0x8A, 0x39, 6,
    ];
    assert_eq!(read(&gramine).unwrap(), "0.6.9.42.840.113741.1337.6");
    assert_eq!(read(&[6, 2, 0x88, 0x37]).unwrap(), "2.999");
    for bad in [
        &[6_u8, 0][..],
        &[6, 1, 0x80],
        &[6, 2, 0x80, 0x01],
        &[6, 2, 0x2A, 0x86],
    ] {
        assert!(read(bad).is_err());
    }
    let endless = [[6, 21].as_slice(), &[0xFF; 20], &[0x7F]].concat();
    assert!(read(&endless).is_err());
}

#[test]
fn a_bit_string_of_keys_and_signatures_has_whole_bytes() {
    assert_eq!(Der::new(&[3, 2, 0, 9]).bytes_of_bits("b").unwrap(), [9]);
    assert!(Der::new(&[3, 2, 1, 8]).bytes_of_bits("b").is_err());
    assert!(Der::new(&[3, 0]).bytes_of_bits("b").is_err());
}

#[test]
fn times_have_seconds_and_end_in_z() {
    let read = |tag: u8, text: &str| {
        let bytes = [&[tag, text.len() as u8], text.as_bytes()].concat();
        Der::new(&bytes).time("time").map(|time| time.to_string())
    };
    for (tag, text, time) in [
        (UTC_TIME, "491231235959Z", "2049-12-31T23:59:59Z"),
        (UTC_TIME, "500101000000Z", "1950-01-01T00:00:00Z"),
        (UTC_TIME, "991231235959Z", "1999-12-31T23:59:59Z"),
        (GENERALIZED_TIME, "20500101000000Z", "2050-01-01T00:00:00Z"),
        (GENERALIZED_TIME, "99991231235959Z", "9999-12-31T23:59:59Z"),
    ] {
        assert_eq!(read(tag, text).unwrap(), time);
    }
    for (tag, text) in [
        (UTC_TIME, "4912312359Z"),
        (UTC_TIME, "491231235959+0100"),
        (UTC_TIME, "20500101000000Z"),
        (UTC_TIME, "49123123595 Z"),
        (UTC_TIME, "+91231235959Z"),
        (GENERALIZED_TIME, "20500101000000.5Z"),
        (GENERALIZED_TIME, "20501301000000Z"),
        (GENERALIZED_TIME, "20500230000000Z"),
        (GENERALIZED_TIME, "20500101000060Z"),
        (UTF8_STRING, "491231235959Z"),
    ] {
        assert!(read(tag, text).is_err(), "{text}");
    }
}

#[test]
fn what_is_left_is_an_error() {
    let mut der = Der::new(&[5, 0, 0]);
    der.any("null").unwrap();
    assert_eq!(der.end("null").unwrap_err().found, "1 more bytes");
    assert_eq!(der.at(), 2);
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        let mut der = Der::new(&bytes);
        while let Ok(element) = der.any("thing") {
            prop_assert_eq!(&bytes[element.range()], element.whole);
            prop_assert_eq!(&bytes[element.value_range()], element.value);
            let _ = element.inside().oid("oid");
            let _ = Der::new(element.whole).time("time");
        }
    }

    #[test]
    fn what_the_forge_writes_is_read(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let written = crate::forge::der::octets(&bytes);
        prop_assert_eq!(Der::new(&written).any("thing").unwrap().value, &bytes);
        prop_assert!(Der::new(&written[..written.len() - 1]).any("thing").is_err());
    }
}

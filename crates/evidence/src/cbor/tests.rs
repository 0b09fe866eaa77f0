use proptest::prelude::*;

use super::{CborError, Item, Limits, Width, encode, parse};

fn read(hex: &str) -> Result<Vec<u8>, CborError> {
    let bytes = crate::hex::decode(hex).expect("hex");
    parse(&bytes, &Limits::FOREIGN).map(|item| encode(&item))
}

#[test]
fn what_the_standard_lists_is_read_and_written_alike() {
    // RFC 8949, appendix A, without floating point and indefinite lengths.
    let known = [
        "00",
        "17",
        "1818",
        "1903e8",
        "1a000f4240",
        "1b000000e8d4a51000",
        "1bffffffffffffffff",
        "20",
        "3903e7",
        "3bffffffffffffffff",
        "f4",
        "f5",
        "f6",
        "c11a514b67b0",
        "d74401020304",
        "40",
        "4401020304",
        "60",
        "6449455446",
        "62c3bc",
        "64f0908591",
        "80",
        "83010203",
        "8301820203820405",
        "a0",
        "a201020304",
        "a26161016162820203",
        "98190102030405060708090a0b0c0d0e0f101112131415161718181819",
    ];
    for hex in known {
        assert_eq!(
            read(hex).map(|bytes| crate::hex::encode(&bytes)),
            Ok(hex.to_owned())
        );
    }
}

#[test]
fn what_ends_too_early_is_refused_where_it_began() {
    let ended = |hex: &str, what: &'static str, at| {
        assert_eq!(read(hex), Err(CborError::Ended { what, at }), "{hex}")
    };
    for hex in ["", "19", "1903"] {
        ended(hex, "the head of an item", 0);
    }
    ended("8201", "the head of an item", 2);
    ended("4401", "a byte string", 0);
}

#[test]
fn b23_a_length_that_is_claimed_and_not_there_is_refused() {
    let ended = |hex: &str, what: &'static str, at| {
        assert_eq!(read(hex), Err(CborError::Ended { what, at }), "{hex}")
    };
    ended("5b7fffffffffffffff00", "a byte string", 0);
    ended("5bffffffffffffffff00", "a byte string", 0);
    ended("7affffffff00", "a text string", 0);
    ended("9bffffffffffffffff", "the head of an item", 9);
    ended("ba00989680", "the head of an item", 5);
    let deep = vec![0x81; 100_000];
    assert_eq!(
        parse(&deep, &Limits::FOREIGN),
        Err(CborError::Deep { at: 16, limit: 16 })
    );
    let tags = vec![0xc1; 100_000];
    assert_eq!(
        parse(&tags, &Limits::FOREIGN),
        Err(CborError::Deep { at: 16, limit: 16 })
    );
    let mut many = vec![0x9a, 0, 0x0f, 0xff, 0xff];
    many.resize(1 << 20, 0);
    assert_eq!(
        parse(&many, &Limits::FOREIGN),
        Err(CborError::Many {
            at: 16_388,
            limit: 1 << 14
        })
    );
}

#[test]
fn heads_that_evidence_is_not_made_of_are_refused() {
    for (hex, at) in [
        ("5f4101ff", 0),
        ("7f6101ff", 0),
        ("819f01ff", 1),
        ("bf0101ff", 0),
    ] {
        assert_eq!(read(hex), Err(CborError::Indefinite { at }), "{hex}");
    }
    let unknown = [
        ("ff", 0xff),
        ("1c", 0x1c),
        ("df", 0xdf),
        ("f90000", 0xf9),
        ("fb0000000000000000", 0xfb),
        ("f7", 0xf7),
        ("f814", 0xf8),
        ("f0", 0xf0),
    ];
    for (hex, byte) in unknown {
        assert_eq!(read(hex), Err(CborError::Unknown { at: 0, byte }), "{hex}");
    }
    assert_eq!(read("62c328"), Err(CborError::NotUtf8 { at: 0 }));
}

#[test]
fn a_maps_keys_are_numbers_or_strings_each_once() {
    for (hex, at) in [
        ("a201000102", 3),
        ("a20100180102", 3),
        ("a26161006161f6", 4),
    ] {
        assert_eq!(read(hex), Err(CborError::Duplicate { at }), "{hex}");
    }
    for (hex, found) in [("a18000", "an array"), ("a1f600", "null")] {
        assert_eq!(read(hex), Err(CborError::Key { at: 1, found }), "{hex}");
    }
}

#[test]
fn b26_nothing_may_follow_the_one_item() {
    for hex in ["0000", "a0a0"] {
        assert_eq!(
            read(hex),
            Err(CborError::Trailing { at: 1, left: 1 }),
            "{hex}"
        );
    }
}

#[test]
fn numbers_in_long_form_are_refused_where_the_shortest_is_asked_for() {
    for hex in [
        "1800",
        "1817",
        "190000",
        "1900ff",
        "1a0000ffff",
        "1b00000000ffffffff",
        "580100",
        "9800",
        "b800",
        "d81700",
    ] {
        let bytes = crate::hex::decode(hex).expect("hex");
        assert!(parse(&bytes, &Limits::FOREIGN).is_ok(), "{hex}");
        assert_eq!(
            parse(&bytes, &Limits::OWN),
            Err(CborError::Wide { at: 0 }),
            "{hex}"
        );
    }
}

#[test]
fn size_depth_and_number_of_items_are_bounded() {
    let limits = Limits {
        bytes: 8,
        depth: 3,
        items: 4,
        width: Width::Any,
    };
    assert_eq!(
        parse(&[0; 9], &limits),
        Err(CborError::Large {
            length: 9,
            limit: 8
        })
    );
    assert!(parse(&[0x81, 0x81, 0x00], &limits).is_ok());
    assert_eq!(
        parse(&[0x81, 0x81, 0x81, 0x00], &limits),
        Err(CborError::Deep { at: 3, limit: 3 })
    );
    assert_eq!(
        parse(&[0xc1, 0xc1, 0xc1, 0x00], &limits),
        Err(CborError::Deep { at: 3, limit: 3 })
    );
    assert!(parse(&[0x83, 0, 0, 0], &limits).is_ok());
    assert_eq!(
        parse(&[0x84, 0, 0, 0, 0], &limits),
        Err(CborError::Many { at: 4, limit: 4 })
    );
}

#[test]
fn a_maps_values_are_found_by_their_keys() {
    let bytes = crate::hex::decode("a4010220616161620261634101").expect("hex");
    let item = parse(&bytes, &Limits::OWN).expect("a map");
    assert_eq!(item.get_int(1).and_then(Item::as_uint), Some(2));
    assert_eq!(item.get_int(-1).and_then(Item::as_text), Some("a"));
    assert_eq!(item.get("b").and_then(Item::as_int), Some(2));
    assert_eq!(item.get("c").and_then(Item::as_bytes), Some(&[1][..]));
    assert_eq!(item.get("d"), None);
    assert_eq!(Item::Nint(0).as_int(), Some(-1));
    assert_eq!(Item::Nint(u64::MAX).as_int(), None);
    assert_eq!(Item::Uint(u64::MAX).as_int(), None);
}

fn items() -> impl Strategy<Value = Item<'static>> {
    let leaf = prop_oneof![
        any::<u64>().prop_map(Item::Uint),
        any::<u64>().prop_map(Item::Nint),
        Just(Item::Bytes(b"bytes")),
        Just(Item::Text("text")),
        any::<bool>().prop_map(Item::Bool),
        Just(Item::Null),
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Item::Array),
            (any::<u64>(), inner.clone()).prop_map(|(tag, item)| Item::Tag(tag, Box::new(item))),
            prop::collection::btree_map(any::<u64>(), inner, 0..4).prop_map(|map| {
                Item::Map(
                    map.into_iter()
                        .map(|(key, value)| (Item::Uint(key), value))
                        .collect(),
                )
            }),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read_again(item in items()) {
        let bytes = encode(&item);
        prop_assert_eq!(parse(&bytes, &Limits::OWN), Ok(item));
    }

    #[test]
    fn no_bytes_do_harm(bytes in prop::collection::vec(any::<u8>(), 0..256)) {
        if let Ok(item) = parse(&bytes, &Limits::OWN) {
            let again = encode(&item);
            prop_assert_eq!(parse(&again, &Limits::OWN).map(|item| encode(&item)), Ok(again));
        }
    }
}

use super::{Cmw, CmwError, Collection, Kind, Label, Purpose, Record};
use crate::{b64, cbor::CborError, hex, wire::vectors::shared, x509::Certificate};

fn record(kind: &str, value: &[u8]) -> Record {
    Record {
        kind: Kind::Media(kind.to_owned()),
        value: value.to_vec(),
        purpose: None,
    }
}

fn text(label: &str) -> Label {
    Label::Text(label.to_owned())
}

#[test]
fn captured_collections_are_read() {
    let Some(cbor) = shared("eat/cmw-crate-collection-cbor-ok.cbor") else {
        return;
    };
    let Ok(Cmw::Collection(collection)) = Cmw::from_cbor(&cbor) else {
        panic!("{cbor:?}")
    };
    assert_eq!(collection.kind, None);
    let [
        (first, Cmw::Record(signed)),
        (second, Cmw::Record(tagged)),
        (third, Cmw::Record(numbered)),
    ] = collection.entries.as_slice()
    else {
        panic!("{collection:?}")
    };
    assert_eq!(
        (first, second, third),
        (&Label::Number(1), &Label::Number(2), &text("s"))
    );
    assert_eq!(
        signed.kind,
        Kind::Media("application/signed-corim+cbor".to_owned())
    );
    assert_eq!(tagged.kind, Kind::ContentFormat(29_884));
    assert_eq!(numbered.kind, Kind::ContentFormat(30_001));
    assert_eq!(tagged.value, numbered.value);

    let Some(cbor) = shared("eat/cmw-crate-collection-cbor-ok-2.cbor") else {
        return;
    };
    let one = Cmw::Collection(Collection {
        kind: None,
        entries: vec![(
            Label::Number(1),
            Cmw::Record(record("application/vnd.1", &[0xde, 0xad, 0xbe, 0xef])),
        )],
    });
    assert_eq!(Cmw::from_cbor(&cbor).as_ref(), Ok(&one));
    assert_eq!(one.to_cbor(), cbor);

    let Some(json) = shared("eat/cmw-crate-collection-ok.json") else {
        return;
    };
    let two = Cmw::Collection(Collection {
        kind: None,
        entries: vec![
            (text("a"), Cmw::Record(record("application/vnd.a", b"a"))),
            (text("b"), Cmw::Record(record("application/vnd.b", b"b"))),
        ],
    });
    assert_eq!(Cmw::from_json(&json).as_ref(), Ok(&two));
    assert_eq!(Cmw::from_json(&two.to_json()), Ok(two));
}

#[test]
fn captured_certificates_hold_collections_in_both_forms() {
    let expected = [
        ("eat/cmw-crate-x509-cert+cbor-cmw.der", vec!["1", "2", "s"]),
        ("eat/cmw-crate-x509-cert+json-cmw.der", vec!["a", "b"]),
    ];
    for (name, labels) in expected {
        let Some(der) = shared(name) else { return };
        let certificate = Certificate::from_der(&der).expect("a certificate");
        let value = certificate
            .extension("1.3.6.1.5.5.7.1.35")
            .expect("the extension");
        let cmw = Cmw::from_extension(value).expect("a wrapper");
        let found: Vec<String> = cmw.records().into_iter().map(|(place, _)| place).collect();
        assert_eq!(found, labels, "{name}");
    }
}

#[test]
fn what_is_written_is_read_again() {
    let inner = Cmw::Collection(Collection {
        kind: Some("tag:example.com,2026:inner".to_owned()),
        entries: vec![(
            text("evidence"),
            Cmw::Record(record("application/eat+cwt", &[1, 2])),
        )],
    });
    let numbered = Record {
        kind: Kind::ContentFormat(10_571),
        value: vec![],
        purpose: Some(Purpose::EVIDENCE),
    };
    let outer = Cmw::Collection(Collection {
        kind: None,
        entries: vec![(text("a"), inner), (text("b"), Cmw::Record(numbered))],
    });
    assert_eq!(Cmw::from_json(&outer.to_json()).as_ref(), Ok(&outer));
    assert_eq!(Cmw::from_cbor(&outer.to_cbor()).as_ref(), Ok(&outer));
    let places: Vec<String> = outer
        .records()
        .into_iter()
        .map(|(place, _)| place)
        .collect();
    assert_eq!(places, ["a.evidence", "b"]);
    let negative = Cmw::Collection(Collection {
        kind: None,
        entries: vec![(
            Label::Number(-7),
            Cmw::Record(record("text/plain; charset=utf-8", b"x")),
        )],
    });
    assert_eq!(Cmw::from_cbor(&negative.to_cbor()), Ok(negative));
}

#[test]
fn a_tag_stands_for_the_content_format_that_rfc_9277_says() {
    let read = |tag: u64| {
        let item = crate::cbor::Item::Tag(tag, Box::new(crate::cbor::Item::Bytes(b"")));
        match Cmw::from_cbor(&crate::cbor::encode(&item)) {
            Ok(Cmw::Record(Record {
                kind: Kind::ContentFormat(number),
                ..
            })) => Some(number),
            Ok(other) => panic!("{other:?}"),
            Err(_) => None,
        }
    };
    assert_eq!(read(0x6374_0101), Some(0));
    assert_eq!(read(0x6374_01ff), Some(254));
    assert_eq!(read(0x6374_0200), None);
    assert_eq!(read(0x6374_0201), Some(255));
    assert_eq!(read(0x6375_01ff), Some(65_534));
    assert_eq!(read(0x6375_0201), None);
    assert_eq!(read(0x6374_0100), None);
    assert_eq!(read(60_000), None);
}

fn refused(json: &str, error: CmwError) {
    assert_eq!(Cmw::from_json(json.as_bytes()), Err(error), "{json}");
}

fn shape(place: &str, found: &'static str) -> CmwError {
    let place = place.to_owned();
    CmwError::Shape { place, found }
}

fn kind(found: &str) -> CmwError {
    let (place, found) = (String::new(), found.to_owned());
    CmwError::Kind { place, found }
}

#[test]
fn records_that_are_none_are_refused_in_json() {
    refused(r#""a""#, shape("", "a string"));
    for json in [r#"["a/b"]"#, r#"["a/b","AA",4,4]"#] {
        refused(json, shape("", "a list of another length"));
    }
    refused(r#"{"x":["a/b",7]}"#, shape("x", "a number"));
    refused(r#"["a/b","AA","4"]"#, shape("", "a string"));
    for name in ["ab", "a/", "a/b/c", "/b", "a b/c"] {
        refused(&format!(r#"["{name}","AA"]"#), kind(&format!("`{name}`")));
    }
    refused(r#"[65536,"AA"]"#, kind("a number"));
    refused(r#"[null,"AA"]"#, kind("null"));
    for bits in [0, 16] {
        refused(
            &format!(r#"["a/b","AA",{bits}]"#),
            CmwError::Purpose { bits },
        );
    }
    let (place, error) = (String::new(), b64::B64Error);
    refused(r#"["a/b","A"]"#, CmwError::Base64 { place, error });
    for json in [
        r#"["a/b","AA"] []"#,
        r#"{"a":["a/b","AA"],"a":["a/b","AA"]}"#,
    ] {
        assert!(matches!(
            Cmw::from_json(json.as_bytes()),
            Err(CmwError::Json(_))
        ));
    }
}

#[test]
fn collections_that_are_none_are_refused_in_json() {
    for json in ["{}", r#"{"__cmwc_t":"x"}"#] {
        let place = String::new();
        refused(json, CmwError::Empty { place });
    }
    refused(
        r#"{"__cmwc_t":7,"a":["a/b","AA"]}"#,
        shape("__cmwc_t", "a number"),
    );
    let place = "a.b.c.d".to_owned();
    refused(
        r#"{"a":{"b":{"c":{"d":{"e":["a/b","AA"]}}}}}"#,
        CmwError::Deep { place },
    );
}

#[test]
fn departures_are_refused_in_cbor() {
    let shape = |found| shape("", found);
    let cases = [
        ("00", shape("a number")),
        ("8163612f62", shape("a list of another length")),
        ("8263612f6200", shape("a number")),
        (
            "8363612f62",
            CmwError::Cbor(CborError::Ended {
                what: "the head of an item",
                at: 5,
            }),
        ),
        ("8363612f624010", CmwError::Purpose { bits: 16 }),
        ("8363612f624020", shape("a negative number")),
        (
            "82626162 40",
            CmwError::Kind {
                place: String::new(),
                found: "`ab`".to_owned(),
            },
        ),
        (
            "82f640",
            CmwError::Kind {
                place: String::new(),
                found: "null".to_owned(),
            },
        ),
        (
            "a0",
            CmwError::Empty {
                place: String::new(),
            },
        ),
        (
            "a141788263612f6240",
            CmwError::Label {
                place: String::new(),
                found: "a byte string",
            },
        ),
        (
            "d9ea6040",
            CmwError::Tag {
                place: String::new(),
                tag: 60_000,
            },
        ),
        ("da6374010100", shape("a number")),
    ];
    for (digits, error) in cases {
        let bytes = hex::decode(&digits.replace(' ', "")).expect("hex");
        assert_eq!(Cmw::from_cbor(&bytes), Err(error), "{digits}");
    }
}

#[test]
fn an_extension_holds_one_wrapper_and_nothing_behind_it() {
    let cmw = Cmw::Record(record("a/b", b"x"));
    let octets: Vec<u8> = crate::forge::der::element(0x04, cmw.to_cbor());
    let text: Vec<u8> = crate::forge::der::element(0x0c, cmw.to_json());
    assert_eq!(Cmw::from_extension(&octets).as_ref(), Ok(&cmw));
    assert_eq!(Cmw::from_extension(&text).as_ref(), Ok(&cmw));
    for wrong in [
        [octets.clone(), vec![0]].concat(),
        [text, vec![0]].concat(),
        cmw.to_cbor(),
        vec![],
    ] {
        assert!(
            matches!(Cmw::from_extension(&wrong), Err(CmwError::Der(_))),
            "{wrong:?}"
        );
    }
    assert!(matches!(
        Cmw::from_extension(&crate::forge::der::element(0x04, cmw.to_json())),
        Err(CmwError::Cbor(_))
    ));
}

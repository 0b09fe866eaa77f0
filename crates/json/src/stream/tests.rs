use std::convert::Infallible;
use std::io::{self, Read};

use super::{StreamError, read_elements};
use crate::{Limits, Nul, ParseErrorKind as Kind, Value, parse};

/// Gives one byte at a time, and every other time an interruption.
struct Trickle<'a>(&'a [u8], bool);

impl Read for Trickle<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.1 = !self.1;
        if self.1 {
            return Err(io::ErrorKind::Interrupted.into());
        }
        self.0.read(&mut buffer[..1])
    }
}

fn read(text: &str) -> Result<(Value, Vec<String>), (Kind, usize)> {
    let mut elements = Vec::new();
    let rest = read_elements(
        Trickle(text.as_bytes(), false),
        "entries",
        &LIMITS,
        &mut |element| {
            elements.push(String::from_utf8(element.to_vec()).expect("text"));
            Ok::<_, Infallible>(())
        },
    );
    match rest {
        Ok(rest) => Ok((rest, elements)),
        Err(StreamError::Parse(error)) => Err((error.kind, error.offset)),
        Err(error) => panic!("{error}"),
    }
}

const LIMITS: Limits = Limits {
    bytes: 64,
    depth: 4,
    members: 8,
    members_per_object: 8,
    elements: 8,
    string_bytes: 64,
    number_bytes: 16,
    nul: Nul::Refuse,
};

#[test]
fn elements_come_as_received_and_the_rest_without_them() {
    let text = "{ \"t\" : \"x\" ,\n\"entries\" : [ {\"b\": 1.0,\t\"a\":\"]}\\\"\"} , [1 ,[ ]],\"\\u0041,]\",-0 ,true,null] , \"end\":[ 1 ] } \n";
    let (rest, elements) = read(text).expect("document");
    assert_eq!(rest.to_string(), r#"{"t":"x","entries":[],"end":[1]}"#);
    assert_eq!(
        elements,
        [
            "{\"b\": 1.0,\t\"a\":\"]}\\\"\"}",
            "[1 ,[ ]]",
            "\"\\u0041,]\"",
            "-0",
            "true",
            "null"
        ]
    );
    assert_eq!(rest.as_object().and_then(|rest| rest.span("end")), None);
}

#[test]
fn the_array_may_be_empty_and_may_be_named_with_escapes() {
    for text in [
        r#"{"entries":[]}"#,
        r#"{"entries":[ ]}"#,
        r#"{"\u0065ntries":[]}"#,
    ] {
        let (rest, elements) = read(text).expect("document");
        assert_eq!(rest.to_string(), r#"{"entries":[]}"#);
        assert!(elements.is_empty());
    }
}

#[test]
fn a_second_array_or_member_of_one_name_is_refused() {
    assert_eq!(
        read(r#"{"entries":[1],"entries":[2]}"#),
        Err((Kind::DuplicateMember, 15))
    );
    assert_eq!(
        read(r#"{"entries":[1],"entrie\u0073":[2]}"#),
        Err((Kind::DuplicateMember, 15))
    );
    assert_eq!(
        read(r#"{"a":1,"entries":[],"a":1}"#),
        Err((Kind::DuplicateMember, 20))
    );
    assert_eq!(
        read(r#"{"entries":[{"a":1,"\u0061":1}]}"#),
        Err((Kind::DuplicateMember, 19))
    );
}

#[test]
fn faults_are_placed_in_the_document() {
    for (text, kind, offset) in [
        ("", Kind::End, 0),
        ("[]", Kind::StreamedArray, 0),
        ("{}", Kind::MemberName, 1),
        (r#"{"a":1}"#, Kind::StreamedArray, 7),
        (r#"{"entries":{}}"#, Kind::StreamedArray, 11),
        (r#"{"entries":null}"#, Kind::StreamedArray, 11),
        (r#"{"entries":[1,]}"#, Kind::Value, 14),
        (r#"{"entries":[,1]}"#, Kind::Value, 12),
        (r#"{"entries":[1 2]}"#, Kind::ArrayEnd, 14),
        (r#"{"entries":[1}"#, Kind::ArrayEnd, 13),
        (r#"{"entries":[1"#, Kind::End, 13),
        (r#"{"entries":[{"a":1]]}"#, Kind::ObjectEnd, 18),
        (r#"{"entries":[01]}"#, Kind::Number, 12),
        (r#"{"entries":[1e400]}"#, Kind::NumberRange, 12),
        (r#"{"entries":["\ud800"]}"#, Kind::LoneSurrogate, 13),
        (r#"{"entries":[[[[[[1]]]]]]}"#, Kind::Depth(4), 16),
        (r#"{"entries":[],}"#, Kind::MemberName, 14),
        (r#"{"entries":[]"#, Kind::End, 13),
        (r#"{"entries":[]} 1"#, Kind::TrailingData, 15),
        (r#"{"entries":[],"a":nul}"#, Kind::Value, 18),
        (r#"{"a" 1,"entries":[]}"#, Kind::Colon, 5),
        (r#"{"a":1 "entries":[]}"#, Kind::ObjectEnd, 7),
        ("\u{feff}{\"entries\":[]}", Kind::StreamedArray, 0),
    ] {
        assert_eq!(read(text).map(|_| ()), Err((kind, offset)), "{text}");
    }
}

#[test]
fn elements_are_bounded_one_by_one_and_the_rest_altogether() {
    let element = format!("\"{}\"", "x".repeat(62));
    let many = vec![element.clone(); 20].join(",");
    assert_eq!(
        read(&format!("{{\"entries\":[{many}]}}")).map(|(_, elements)| elements.len()),
        Ok(20)
    );
    let long = format!("\"{}\"", "x".repeat(63));
    assert_eq!(
        read(&format!("{{\"entries\":[{long}]}}")),
        Err((Kind::Size(64), 12))
    );
    let rest = format!(r#"{{"a":"{0}","b":"{0}","entries":[]}}"#, "x".repeat(30));
    assert!(matches!(read(&rest), Err((Kind::Size(_), _))));
}

#[test]
fn memory_is_constant_in_the_number_of_elements() {
    struct Endless(u64);
    impl Read for Endless {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let text: &[u8] = match self.0 {
                0 => b"{\"entries\":[0",
                1..100_000 => b",{\"seq\":12345678}",
                100_000 => b"]}",
                _ => b"",
            };
            self.0 += 1;
            buffer[..text.len()].copy_from_slice(text);
            Ok(text.len())
        }
    }
    let mut count = 0_u64;
    read_elements(Endless(0), "entries", &LIMITS, &mut |_| {
        count += 1;
        Ok::<_, Infallible>(())
    })
    .expect("document");
    assert_eq!(count, 100_000);
}

#[test]
fn the_receiver_can_refuse_an_element() {
    let error = read_elements(
        &br#"{"entries":[1,2,3]}"#[..],
        "entries",
        &LIMITS,
        &mut |element| match element {
            b"2" => Err("two"),
            _ => Ok(()),
        },
    );
    assert!(matches!(
        error,
        Err(StreamError::Element {
            place: 1,
            source: "two"
        })
    ));
}

#[test]
fn a_reader_that_fails_is_reported() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::ErrorKind::ConnectionReset.into())
        }
    }
    let result = read_elements(Broken, "entries", &LIMITS, &mut |_| Ok::<_, Infallible>(()));
    assert!(matches!(result, Err(StreamError::Read(_))));
}

#[test]
fn a_streamed_document_reads_as_a_whole_one() {
    let text = r#"{"z":{"y":[1]},"entries":[{"a":1},[2]],"k":"v"}"#;
    let (rest, elements) = read(text).expect("document");
    let mut whole = parse(text.as_bytes(), &LIMITS).expect("value");
    let entries = whole
        .as_object_mut()
        .and_then(|whole| whole.insert("entries", Vec::<Value>::new()))
        .expect("entries");
    assert_eq!(rest, whole);
    assert_eq!(format!("[{}]", elements.join(",")), entries.to_string());
}

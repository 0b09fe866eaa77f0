use std::time::{Duration, Instant};

use super::ParseErrorKind as Kind;
use crate::{Limits, Nul, ParseErrorKind, Value, parse};

fn fault(text: impl AsRef<[u8]>) -> (ParseErrorKind, usize) {
    let error = parse(text.as_ref(), &Limits::REQUEST).expect_err("refused");
    (error.kind, error.offset)
}

fn read(text: &str) -> Value {
    parse(text.as_bytes(), &Limits::REQUEST).unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn values_are_read_as_spelled() {
    for text in [
        "null",
        "true",
        "false",
        "0",
        "-0",
        "1.0",
        "1e2",
        "1E+2",
        "-12.50e-3",
        "9007199254740993",
        "123456789012345678901234567890",
        "\"\"",
        "\"é机🔒\"",
        "[]",
        "[1,[2,[]]]",
        "{}",
        "{\"b\":1,\"a\":{\"b\":[null]}}",
    ] {
        assert_eq!(read(text).to_string(), text);
    }
}

#[test]
fn white_space_is_taken_anywhere_between_tokens() {
    assert_eq!(
        read(" \t\r\n{ \"a\" : [ 1 , 2 ] , \"b\" : { } }\n").to_string(),
        "{\"a\":[1,2],\"b\":{}}"
    );
    assert_eq!(fault("\u{a0}1"), (Kind::Value, 0));
    assert_eq!(fault("1\u{c}"), (Kind::TrailingData, 1));
}

#[test]
fn escapes_are_resolved() {
    assert_eq!(
        read(r#""\"\\\/\b\f\n\r\t\u00e9\u673A\ud83d\uDD12x""#).as_str(),
        Some("\"\\/\u{8}\u{c}\n\r\té机🔒x")
    );
}

#[test]
fn duplicate_names_are_refused_at_every_depth_and_after_unescaping() {
    assert_eq!(fault(r#"{"a":1,"a":1}"#), (Kind::DuplicateMember, 7));
    assert_eq!(
        fault(r#"{"sub":1,"s\u0075b":2}"#),
        (Kind::DuplicateMember, 9)
    );
    assert_eq!(
        fault(r#"{"s\u0075b":1,"sub":2}"#),
        (Kind::DuplicateMember, 14)
    );
    assert_eq!(fault(r#"[{"x":{"":1,"":2}}]"#), (Kind::DuplicateMember, 12));
    for place in [0, 1, 15, 16, 17, 98, 99] {
        let mut names: Vec<_> = (0..100).map(|name| format!("\"m{name}\":0")).collect();
        names.push(format!("\"\\u006d{place}\":1"));
        let text = format!("{{{}}}", names.join(","));
        assert_eq!(fault(&text).0, Kind::DuplicateMember, "{place}");
    }
}

#[test]
fn names_that_only_look_alike_are_distinct() {
    let value = read("{\"\u{e9}\":1,\"e\u{301}\":2}");
    assert_eq!(value.get("\u{e9}").and_then(Value::as_i64), Some(1));
    assert_eq!(value.get("e\u{301}").and_then(Value::as_i64), Some(2));
}

#[test]
fn bytes_that_are_no_text_are_refused() {
    assert_eq!(fault(b"\xef\xbb\xbf{}"), (Kind::ByteOrderMark, 0));
    assert_eq!(fault(b"\"\xff\""), (Kind::Utf8, 1));
    assert_eq!(fault(b"\"\xc0\xaf\""), (Kind::Utf8, 1));
    assert_eq!(fault(b"\"\xed\xa0\x80\""), (Kind::Utf8, 1));
    assert_eq!(fault(b"\"\xf4\x90\x80\x80\""), (Kind::Utf8, 1));
    assert_eq!(fault(b"\xff\xfe{\x00}\x00"), (Kind::Utf8, 0));
}

#[test]
fn lone_surrogates_are_refused() {
    for text in [
        r#""\ud800""#,
        r#""\udc00""#,
        r#""\ud800\ud800""#,
        r#""\udc00\ud800""#,
        r#""\ud800x\udc00""#,
        r#""\ud800\n""#,
        r#"{"\udfff":1}"#,
    ] {
        assert_eq!(fault(text).0, Kind::LoneSurrogate, "{text}");
    }
}

#[test]
fn raw_control_characters_and_unknown_escapes_are_refused() {
    for control in 0_u8..0x20 {
        let text = [b'"', b'a', control, b'"'];
        assert_eq!(fault(text), (Kind::ControlCharacter, 2));
    }
    assert_eq!(read("\"\u{7f}\u{85}\"").as_str(), Some("\u{7f}\u{85}"));
    for text in [r#""\x""#, r#""\u12g4""#, r#""\U0041""#, r#""\'""#] {
        assert_eq!(fault(text).0, Kind::Escape, "{text}");
    }
}

#[test]
fn nul_is_refused_but_from_servers() {
    let text = br#"["\u0000"]"#;
    for limits in [Limits::REQUEST, Limits::DOCUMENT, Limits::COMPAT] {
        assert_eq!(limits.nul, Nul::Refuse);
        assert_eq!(
            parse(text, &limits).map_err(|error| error.kind),
            Err(Kind::Nul)
        );
    }
    let value = parse(text, &Limits::RESPONSE).expect("taken");
    assert_eq!(value.to_string(), "[\"\\u0000\"]");
}

#[test]
fn malformed_numbers_are_refused() {
    for text in ["01", "-01", "00", "1.e2", "-x", "1e+x"] {
        assert_eq!(fault(text).0, Kind::Number, "{text}");
    }
    for text in ["-", "1.", "1e", "1e+"] {
        assert_eq!(fault(text).0, Kind::End, "{text}");
    }
    for text in [
        "+1",
        ".5",
        "NaN",
        "Infinity",
        "nul",
        "True",
        "'a'",
        "undefined",
    ] {
        assert_eq!(fault(text).0, Kind::Value, "{text}");
    }
    assert_eq!(fault("-Infinity").0, Kind::Number);
}

#[test]
fn numbers_beyond_every_double_are_refused() {
    for text in ["1e400", "-1e400", "1e309", "1.7976931348623159e308"] {
        assert_eq!(fault(text).0, Kind::NumberRange, "{text}");
    }
    let nines = "9".repeat(400);
    assert_eq!(fault(&nines).0, Kind::NumberRange);
    assert_eq!(read("1.7976931348623157e308").to_string().len(), 22);
    assert_eq!(read(&"9".repeat(308)).to_string().len(), 308);
}

#[test]
fn a_million_digits_are_refused_without_computing_them() {
    let digits = "1".repeat(1_000_000);
    assert_eq!(fault(&digits), (Kind::NumberSize(1024), 0));
    assert_eq!(
        fault(format!("0.{}", "0".repeat(1_000_000))).0,
        Kind::NumberSize(1024)
    );
}

#[test]
fn anything_after_the_value_is_refused() {
    for (text, offset) in [
        ("{} {}", 3),
        ("1\n2", 2),
        ("[]]", 2),
        ("null\0", 4),
        ("{}//", 2),
    ] {
        assert_eq!(fault(text), (Kind::TrailingData, offset));
    }
}

#[test]
fn what_is_cut_short_or_wrongly_joined_is_refused() {
    for text in [
        "",
        " ",
        "{",
        "[",
        "[1",
        "[1,",
        "{\"a\"",
        "{\"a\":",
        "{\"a\":1,",
        "\"a",
        "\"\\",
        "\"\\u00",
    ] {
        assert_eq!(fault(text).0, Kind::End, "{text}");
    }
    assert_eq!(fault("[1,]"), (Kind::Value, 3));
    assert_eq!(fault("[,1]"), (Kind::Value, 1));
    assert_eq!(fault("[1 2]"), (Kind::ArrayEnd, 3));
    assert_eq!(fault("[1}"), (Kind::ArrayEnd, 2));
    assert_eq!(fault("{\"a\":1,}"), (Kind::MemberName, 7));
    assert_eq!(fault("{a:1}"), (Kind::MemberName, 1));
    assert_eq!(fault("{1:1}"), (Kind::MemberName, 1));
    assert_eq!(fault("{\"a\" 1}"), (Kind::Colon, 5));
    assert_eq!(fault("{\"a\":1;}"), (Kind::ObjectEnd, 6));
}

#[test]
fn depth_is_bounded() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(parse(nested(64).as_bytes(), &Limits::REQUEST).is_ok());
    assert_eq!(fault(nested(65)), (Kind::Depth(64), 64));
    assert_eq!(fault("[".repeat(1_000_000)), (Kind::Depth(64), 64));
    assert_eq!(fault("{\"a\":".repeat(100_000)).0, Kind::Depth(64));
    let unbounded = Limits {
        depth: usize::MAX,
        ..Limits::DOCUMENT
    };
    let error = parse("[".repeat(1_000_000).as_bytes(), &unbounded).expect_err("refused");
    assert_eq!(error.kind, Kind::Depth(Limits::MAX_DEPTH));
}

#[test]
fn every_limit_holds_exactly() {
    let limits = Limits {
        bytes: 60,
        depth: 3,
        members: 3,
        members_per_object: 2,
        elements: 3,
        string_bytes: 4,
        number_bytes: 3,
        nul: Nul::Refuse,
    };
    let kind = |text: &str| {
        parse(text.as_bytes(), &limits)
            .map(|_| ())
            .map_err(|error| error.kind)
    };
    assert_eq!(kind(&format!("{}1", " ".repeat(59))), Ok(()));
    assert_eq!(kind(&format!("{}1", " ".repeat(60))), Err(Kind::Size(60)));
    assert_eq!(kind(r#"[{"a":1,"b":2},{"c":3}]"#), Ok(()));
    assert_eq!(
        kind(r#"[{"a":1,"b":2},{"c":3,"d":4}]"#),
        Err(Kind::Members(3))
    );
    assert_eq!(
        kind(r#"{"a":1,"b":2,"c":3}"#),
        Err(Kind::MembersOfObject(2))
    );
    assert_eq!(kind("[[1],2]"), Ok(()));
    assert_eq!(kind("[[1],[2]]"), Err(Kind::Elements(3)));
    assert_eq!(kind(r#""éé""#), Ok(()));
    assert_eq!(kind(r#""éé1""#), Err(Kind::StringSize(4)));
    assert_eq!(kind(r#""\u00e9\u00e9""#), Ok(()));
    assert_eq!(kind(r#""\u00e9\u00e91""#), Err(Kind::StringSize(4)));
    assert_eq!(kind(r#"{"éé1":1}"#), Err(Kind::StringSize(4)));
    assert_eq!(kind("123"), Ok(()));
    assert_eq!(kind("-123"), Err(Kind::NumberSize(3)));
}

#[test]
fn hostile_sizes_are_refused_quickly() {
    let many_names: Vec<_> = (0..1_000_000).map(|name| format!("\"{name}\":0")).collect();
    for (text, kind) in [
        (format!("{{{}}}", many_names.join(",")), Kind::Size(4 << 20)),
        (
            format!("{{{}}}", many_names.split_at(200_000).0.join(",")),
            Kind::MembersOfObject(10_000),
        ),
        (
            format!("\"{}\"", "x".repeat(100 << 20)),
            Kind::Size(4 << 20),
        ),
        (format!("\"{}\"", "\\u0000".repeat(600_000)), Kind::Nul),
        (
            format!("[{}0]", "0,".repeat(2_000_000)),
            Kind::Elements(100_000),
        ),
    ] {
        let begin = Instant::now();
        assert_eq!(fault(&text).0, kind);
        assert!(begin.elapsed() < Duration::from_millis(500), "{kind}");
    }
}

#[test]
fn spans_give_back_the_bytes_received() {
    let text = br#" {"a" : [1, 2] ,"b":{"c": "x\u0041" }, "d":1.0}"#;
    let value = parse(text, &Limits::REQUEST).expect("value");
    let object = value.as_object().expect("object");
    let slice = |object: &crate::Object, name| {
        object
            .span(name)
            .map(|span| std::str::from_utf8(&text[span]).expect("text"))
    };
    assert_eq!(slice(object, "a"), Some("[1, 2]"));
    assert_eq!(slice(object, "b"), Some(r#"{"c": "x\u0041" }"#));
    assert_eq!(slice(object, "d"), Some("1.0"));
    assert_eq!(slice(object, "e"), None);
    let inner = value.get("b").and_then(Value::as_object).expect("inner");
    assert_eq!(slice(inner, "c"), Some(r#""x\u0041""#));
}

#[test]
fn a_fault_is_shown_with_its_place() {
    let text = "{\n  \"é\": nil\n}".as_bytes();
    let error = parse(text, &Limits::REQUEST).expect_err("refused");
    assert_eq!(error.to_string(), "expected a value at byte 10");
    assert_eq!(error.position(text), (2, 8));
    assert_eq!(error.position(b""), (1, 1));
}

#[test]
fn a_single_number_is_read_by_the_same_rules() {
    assert_eq!(
        "1.50".parse::<crate::Number>().expect("number").as_str(),
        "1.50"
    );
    for text in ["", " 1", "1 ", "01", "1e400", "NaN", "1,2"] {
        assert!(text.parse::<crate::Number>().is_err(), "{text}");
    }
}

//! What holds for every text and every value.
#![cfg(test)]

use cmcp_json::{Form, Limits, Number, Object, Value, canonical, parse, read_elements};
use proptest::prelude::*;
use serde::Deserialize as _;

fn number() -> impl Strategy<Value = Number> {
    prop_oneof![
        any::<i64>().prop_map(Number::from),
        any::<u64>().prop_map(Number::from),
        any::<f64>()
            .prop_filter("finite", |double| double.is_finite())
            .prop_map(|double| format!("{double:e}").parse().expect("number")),
        "-?(0|[1-9][0-9]{0,20})(\\.[0-9]{1,20})?([eE][+-]?[0-9]{1,2})?"
            .prop_map(|spelling| spelling.parse().expect("number")),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        number().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 64, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Value::Array),
            prop::collection::vec((any::<String>(), inner), 0..24)
                .prop_map(|members| Value::Object(members.into_iter().collect::<Object>())),
        ]
    })
}

/// Bytes that are close to JSON, so that they reach deep into the parser.
fn nearly_json() -> impl Strategy<Value = Vec<u8>> {
    (
        value(),
        any::<prop::sample::Index>(),
        any::<u8>(),
        any::<bool>(),
    )
        .prop_map(|(value, place, byte, cut)| {
            let mut text = value.to_vec();
            let place = place.index(text.len());
            if cut {
                text.truncate(place);
            } else {
                text[place] = byte;
            }
            text
        })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_written_value_reads_back(value in value()) {
        prop_assert_eq!(parse(&value.to_vec(), &Limits::RESPONSE), Ok(value));
    }

    #[test]
    fn a_canonical_text_is_its_own_canonical_text(value in value()) {
        for form in [Form::Jcs, Form::Pyj, Form::Verbatim] {
            let once = canonical(&value, form).expect("canonical");
            let again = parse(&once, &Limits::RESPONSE).expect("value");
            prop_assert_eq!(canonical(&again, form).expect("canonical"), once);
        }
    }

    #[test]
    fn strict_forms_refuse_or_agree_with_the_loose_ones(value in value()) {
        for (strict, loose) in [(Form::JcsStrict, Form::Jcs), (Form::AsciiStrict, Form::Pyj)] {
            if let Ok(bytes) = canonical(&value, strict) {
                prop_assert_eq!(bytes, canonical(&value, loose).expect("canonical"));
            }
        }
    }

    #[test]
    fn canonical_doubles_are_the_same_doubles(double in any::<f64>().prop_filter("finite", |double| double.is_finite())) {
        let number: Number = format!("{double}").parse().expect("number");
        for form in [Form::Jcs, Form::Pyj] {
            let text = canonical(&number.clone().into(), form).expect("canonical");
            let text = String::from_utf8(text).expect("text");
            prop_assert_eq!(text.parse::<f64>(), Ok(double));
        }
    }

    #[test]
    fn no_bytes_make_the_parser_panic(bytes in prop::collection::vec(any::<u8>(), 0..256)) {
        let _ = parse(&bytes, &Limits::REQUEST);
    }

    #[test]
    fn what_is_accepted_is_json_to_another_reader_too(bytes in nearly_json()) {
        if parse(&bytes, &Limits::RESPONSE).is_ok() {
            prop_assert!(is_json_elsewhere(&bytes));
        }
    }

    #[test]
    fn spans_hold_the_text_of_their_members(value in value()) {
        let text = value.to_vec();
        let parsed = parse(&text, &Limits::RESPONSE).expect("value");
        if let Some(object) = parsed.as_object() {
            for (name, member) in object.iter() {
                let span = object.span(name).expect("span");
                prop_assert_eq!(&text[span], member.to_vec());
            }
        }
    }

    #[test]
    fn streaming_gives_the_elements_that_parsing_gives(elements in prop::collection::vec(value(), 0..8)) {
        let document = Value::from(Object::from([
            ("before", Value::from("x")),
            ("entries", Value::Array(elements.clone())),
        ]));
        let mut streamed = Vec::new();
        read_elements(document.to_vec().as_slice(), "entries", &Limits::RESPONSE, &mut |element| {
            streamed.push(parse(element, &Limits::RESPONSE)?);
            Ok::<_, cmcp_json::ParseError>(())
        }).expect("document");
        prop_assert_eq!(streamed, elements);
    }
}

fn is_json_elsewhere(bytes: &[u8]) -> bool {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    serde::de::IgnoredAny::deserialize(&mut reader).is_ok() && reader.end().is_ok()
}

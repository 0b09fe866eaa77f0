use super::{CanonError, Form, canonical, canonical_without};
use crate::{Limits, Number, Object, Value, parse};

fn write(text: &str, form: Form) -> Result<String, CanonError> {
    let value = parse(text.as_bytes(), &Limits::DOCUMENT).expect("value");
    canonical(&value, form).map(|bytes| String::from_utf8(bytes).expect("text"))
}

#[track_caller]
fn assert_form(text: &str, form: Form, expected: &str) {
    assert_eq!(write(text, form).as_deref(), Ok(expected), "{text}");
}

fn number(spelling: &str) -> Number {
    spelling.parse().expect("number")
}

#[test]
fn ecmascript_numbers_are_those_of_rfc_8785() {
    // Appendix B.
    for (bits, expected) in [
        (0x0000_0000_0000_0000, "0"),
        (0x8000_0000_0000_0000, "0"),
        (0x0000_0000_0000_0001, "5e-324"),
        (0x8000_0000_0000_0001, "-5e-324"),
        (0x7fef_ffff_ffff_ffff, "1.7976931348623157e+308"),
        (0xffef_ffff_ffff_ffff, "-1.7976931348623157e+308"),
        (0x4340_0000_0000_0000, "9007199254740992"),
        (0xc340_0000_0000_0000, "-9007199254740992"),
        (0x4430_0000_0000_0000, "295147905179352830000"),
        (0x44b5_2d02_c7e1_4af5, "9.999999999999997e+22"),
        (0x44b5_2d02_c7e1_4af6, "1e+23"),
        (0x44b5_2d02_c7e1_4af7, "1.0000000000000001e+23"),
        (0x444b_1ae4_d6e2_ef4e, "999999999999999700000"),
        (0x444b_1ae4_d6e2_ef4f, "999999999999999900000"),
        (0x444b_1ae4_d6e2_ef50, "1e+21"),
        (0x3eb0_c6f7_a0b5_ed8c, "9.999999999999997e-7"),
        (0x3eb0_c6f7_a0b5_ed8d, "0.000001"),
        (0x41b3_de43_5555_5553, "333333333.3333332"),
        (0x41b3_de43_5555_5554, "333333333.33333325"),
        (0x41b3_de43_5555_5555, "333333333.3333333"),
        (0x41b3_de43_5555_5556, "333333333.3333334"),
        (0x41b3_de43_5555_5557, "333333333.33333343"),
        (0xbecb_f647_612f_3696, "-0.0000033333333333333333"),
        (0x4314_3ff3_c1cb_0959, "1424953923781206.2"),
    ] {
        let double = f64::from_bits(bits);
        assert_form(&format!("{double}"), Form::Jcs, expected);
        assert_form(&format!("{double:e}"), Form::Jcs, expected);
    }
}

#[test]
fn ecmascript_numbers_have_one_spelling() {
    for (text, expected) in [
        ("-0", "0"),
        ("-0.0", "0"),
        ("0e7", "0"),
        ("1.0", "1"),
        ("1e2", "100"),
        ("1E-2", "0.01"),
        ("123e-5", "0.00123"),
        ("1e21", "1e+21"),
        ("1e20", "100000000000000000000"),
        ("1e-7", "1e-7"),
        ("0.0000001", "1e-7"),
        ("1e-6", "0.000001"),
        ("333333333.33333329", "333333333.3333333"),
        ("4.50", "4.5"),
        ("2e-3", "0.002"),
        ("0.000000000000000000000000001", "1e-27"),
        ("9007199254740991", "9007199254740991"),
        ("9007199254740992", "9007199254740992"),
        ("9007199254740993", "9007199254740992"),
        ("-9007199254740993", "-9007199254740992"),
        ("18446744073709551615", "18446744073709552000"),
        ("1e-400", "0"),
    ] {
        assert_form(text, Form::Jcs, expected);
    }
}

#[test]
fn python_numbers_are_repr() {
    // Each as CPython 3.11 prints `json.dumps(json.loads(text))`.
    for (text, expected) in [
        ("0.9", "0.9"),
        ("1.0", "1.0"),
        ("1e2", "100.0"),
        ("-0", "0"),
        ("-0.0", "-0.0"),
        ("0.0", "0.0"),
        ("1e-7", "1e-07"),
        ("1e-5", "1e-05"),
        ("0.0001", "0.0001"),
        ("0.00012345", "0.00012345"),
        ("0.000099", "9.9e-05"),
        ("1e15", "1000000000000000.0"),
        ("1e16", "1e+16"),
        ("12345678901234567.0", "1.2345678901234568e+16"),
        ("9999999999999998.0", "9999999999999998.0"),
        ("1e22", "1e+22"),
        ("1.5e300", "1.5e+300"),
        ("1e-100", "1e-100"),
        ("5e-324", "5e-324"),
        ("1.7976931348623157e308", "1.7976931348623157e+308"),
        ("-2.5", "-2.5"),
        ("10000000000000000", "10000000000000000"),
        (
            "123456789012345678901234567890",
            "123456789012345678901234567890",
        ),
        ("-9007199254740993", "-9007199254740993"),
        ("1e-400", "0.0"),
    ] {
        assert_form(text, Form::Pyj, expected);
    }
}

#[test]
fn strict_forms_take_safe_integers_only() {
    for form in [Form::JcsStrict, Form::AsciiStrict] {
        assert_form("9007199254740991", form, "9007199254740991");
        assert_form("-9007199254740991", form, "-9007199254740991");
        assert_form("-0", form, "0");
        for text in [
            "9007199254740992",
            "-9007199254740992",
            "18446744073709551616",
        ] {
            assert_eq!(write(text, form), Err(CanonError::Integer(number(text))));
        }
        for text in ["1.0", "1e2", "0.5", "-0.0", "1785000000.0"] {
            assert_eq!(write(text, form), Err(CanonError::Fraction(number(text))));
        }
    }
}

#[test]
fn verbatim_numbers_are_left_alone() {
    for text in ["-0", "1.0", "1E+02", "9007199254740993", "0.10"] {
        assert_form(text, Form::Verbatim, text);
    }
}

#[test]
fn strings_are_escaped_as_little_or_as_much_as_the_form_says() {
    let text = r#""\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/\b\f\t\r\u001f\u007f\u00e9\ud83d\udd12\u2028</script>""#;
    let minimal =
        "\"€$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\\b\\f\\t\\r\\u001f\u{7f}é🔒\u{2028}</script>\"";
    let ascii = "\"\\u20ac$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\\b\\f\\t\\r\\u001f\\u007f\\u00e9\\ud83d\\udd12\\u2028</script>\"";
    for form in [Form::Jcs, Form::JcsStrict, Form::Verbatim] {
        assert_form(text, form, minimal);
    }
    for form in [Form::AsciiStrict, Form::Pyj] {
        assert_form(text, form, ascii);
    }
}

#[test]
fn members_are_ordered_by_utf_16_or_by_code_point() {
    // RFC 8785, section 3.2.3: U+FB33 sorts behind the astral U+1F600 in UTF-16 alone.
    let text = r#"{"\u20ac":1,"\r":2,"\ufb33":3,"1":4,"\ud83d\ude00":5,"\u0080":6,"\u00f6":7,"":8,"a":9,"aa":10,"\ue000":11,"\ud7ff":12}"#;
    assert_form(
        text,
        Form::JcsStrict,
        "{\"\":8,\"\\r\":2,\"1\":4,\"a\":9,\"aa\":10,\"\u{80}\":6,\"ö\":7,\"€\":1,\"\u{d7ff}\":12,\"😀\":5,\"\u{e000}\":11,\"\u{fb33}\":3}",
    );
    assert_form(
        text,
        Form::Pyj,
        r#"{"":8,"\r":2,"1":4,"a":9,"aa":10,"\u0080":6,"\u00f6":7,"\u20ac":1,"\ud7ff":12,"\ue000":11,"\ufb33":3,"\ud83d\ude00":5}"#,
    );
}

#[test]
fn order_without_making_code_units_is_order_of_code_units() {
    let characters = [
        "",
        "a",
        "\u{7f}",
        "é",
        "\u{7ff}",
        "\u{d7ff}",
        "\u{e000}",
        "\u{efff}",
        "\u{f000}",
        "\u{ffff}",
        "\u{10000}",
        "\u{3ffff}",
        "\u{10ffff}",
    ];
    let strings: Vec<String> = characters
        .iter()
        .flat_map(|a| characters.iter().map(move |b| format!("{a}{b}")))
        .collect();
    for a in &strings {
        for b in &strings {
            let expected = a.encode_utf16().cmp(b.encode_utf16());
            assert_eq!(super::order::utf16(a, b), expected, "{a:?} {b:?}");
        }
    }
}

#[test]
fn objects_are_ordered_at_every_depth() {
    assert_form(
        r#"[{"b":{"d":1,"c":[{"z":0,"y":0}]},"a":0}]"#,
        Form::Jcs,
        r#"[{"a":0,"b":{"c":[{"y":0,"z":0}],"d":1}}]"#,
    );
}

#[test]
fn one_top_level_member_can_be_left_out() {
    let value = parse(
        br#"{"signature":"x","a":{"signature":"y"}}"#,
        &Limits::DOCUMENT,
    )
    .expect("value");
    let without = |member| canonical_without(&value, member, Form::JcsStrict);
    assert_eq!(
        without("signature").as_deref(),
        Ok(&br#"{"a":{"signature":"y"}}"#[..])
    );
    assert_eq!(without("absent"), canonical(&value, Form::JcsStrict));
    let array = Value::from(vec!["signature"]);
    assert_eq!(
        canonical_without(&array, "signature", Form::Jcs),
        canonical(&array, Form::Jcs)
    );
}

#[test]
fn depth_is_bounded() {
    let nested = |depth| (1..depth).fold(Value::Array(Vec::new()), |inner, _| vec![inner].into());
    for (form, limit) in [
        (Form::JcsStrict, 64),
        (Form::AsciiStrict, 64),
        (Form::Jcs, Limits::MAX_DEPTH),
    ] {
        assert!(canonical(&nested(limit), form).is_ok());
        assert_eq!(
            canonical(&nested(limit + 1), form),
            Err(CanonError::Depth(limit))
        );
    }
}

#[test]
fn the_two_forms_of_the_same_object_differ() {
    let object = Value::from(Object::from([
        ("name", Value::from("Zoë")),
        ("n", number("1.0").into()),
        ("lock", "🔒".into()),
    ]));
    assert_eq!(
        canonical(&object, Form::Jcs).as_deref(),
        Ok("{\"lock\":\"🔒\",\"n\":1,\"name\":\"Zoë\"}".as_bytes())
    );
    assert_eq!(
        canonical(&object, Form::Pyj).as_deref(),
        Ok(&br#"{"lock":"\ud83d\udd12","n":1.0,"name":"Zo\u00eb"}"#[..])
    );
}

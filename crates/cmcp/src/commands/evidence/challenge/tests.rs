use super::*;

#[test]
fn a_challenge_is_hexadecimal_or_base64url_and_its_reading_is_said() {
    for (text, bytes, how) in [
        ("00ff", vec![0, 0xff], "hexadecimal digits"),
        ("AP8", vec![0, 0xff], "base64url"),
        ("hex:00ff", vec![0, 0xff], "hexadecimal digits"),
        // Four letters that are digits of both: the first reading, unless a prefix decides.
        ("abcd", vec![0xab, 0xcd], "hexadecimal digits"),
        ("base64url:abcd", vec![0x69, 0xb7, 0x1d], "base64url"),
    ] {
        let named = challenge(text).unwrap();
        assert!(named.says.ends_with(how), "{text}: {}", named.says);
        assert_eq!(named.binding, Binding::Challenge(bytes), "{text}");
    }
}

#[test]
fn b27_a_challenge_that_is_not_canonical_is_refused() {
    for text in [
        "",
        "hex:",
        "AP8=",
        "AP9",
        "A+/8",
        "hex:0",
        "hex:AB",
        "base64url:a b",
    ] {
        assert!(
            matches!(challenge(text), Err(Failure::Flag { .. })),
            "{text}"
        );
    }
    assert!(report_data(&"0".repeat(126)).is_err());
    assert!(report_data(&"AB".repeat(64)).is_err());
    let named = report_data(&"ab".repeat(64)).unwrap();
    assert_eq!(
        named.binding,
        Binding::ReportData(ReportData::from_bytes([0xab; 64]))
    );
}

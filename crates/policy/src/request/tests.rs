use super::*;
use crate::fixture::json;
use crate::schema::Shape;

fn spelled(number: &str) -> Result<String, ArgumentError> {
    decimal::spell(&number.parse().unwrap())
}

#[test]
fn a_number_becomes_the_same_decimal_or_none() {
    for (number, decimal) in [
        ("5", "5.0000"),
        ("-5.5", "-5.5000"),
        ("0.0001", "0.0001"),
        ("0.00010000", "0.0001"),
        ("1e3", "1000.0000"),
        ("1.5E-3", "0.0015"),
        ("12.3400e1", "123.4000"),
        ("100", "100.0000"),
        ("-0", "0.0"),
        ("0e-99999999999999999999", "0.0"),
        ("922337203685477.5807", "922337203685477.5807"),
        ("-922337203685477.5807", "-922337203685477.5807"),
    ] {
        assert_eq!(spelled(number).as_deref(), Ok(decimal), "{number}");
    }
}

#[test]
fn a_number_that_no_decimal_equals_is_refused() {
    for number in [
        "0.00001",
        "1e-5",
        "3.141592653589793",
        "1.5e-99999999999999999999",
        "1e-300",
    ] {
        assert_eq!(spelled(number), Err(ArgumentError::Digits), "{number}");
    }
    for number in [
        "922337203685477.5808",
        "1e15",
        "1e300",
        "123456789012345678901234567890",
    ] {
        assert_eq!(spelled(number), Err(ArgumentError::Range), "{number}");
    }
}

/// What policy sees of arguments, or what is wrong with them.
fn typed(properties: &str, arguments: &str) -> Result<(String, Vec<String>), String> {
    let schema = json(&format!(
        r#"{{"type": "object", "properties": {properties}}}"#
    ));
    let tool = crate::fixture::catalog(vec![crate::fixture::raw_tool("t", &schema.to_string())]);
    match argument::typed(&Shape::of(&tool.tools()[0]), &json(arguments)) {
        Ok(seen) => Ok((seen_as(seen.record), seen.nulls)),
        Err(faults) => Err(crate::fixture::told(&faults)),
    }
}

fn seen_as(record: RestrictedExpression) -> String {
    let context = Context::from_pairs([("a".to_owned(), record)]).unwrap();
    context.get("a").unwrap().to_string()
}

#[test]
fn arguments_take_the_types_of_the_approved_schema() {
    let properties = r#"{"b": {"type": "boolean"}, "d": {"type": "number"},
        "i": {"type": "integer"}, "s": {"type": "string"},
        "l": {"type": "array", "items": {"type": "string"}},
        "o": {"type": "object", "properties": {"x": {"type": "integer"}}}}"#;
    let arguments = r#"{"b": true, "d": 1.5, "i": 7, "s": "t", "l": ["u", "u"], "o": {"x": 1}}"#;
    let (seen, nulls) = typed(properties, arguments).unwrap();
    assert_eq!(
        seen,
        r#"{"b": true, "d": decimal("1.5000"), "i": 7, "l": ["u"], "o": {"x": 1}, "s": "t"}"#
    );
    assert!(nulls.is_empty());
}

#[test]
fn what_does_not_fit_its_type_is_refused_with_its_path_and_without_its_value() {
    let properties = r#"{"n": {"type": "integer"}, "d": {"type": "number"},
        "o": {"type": "object", "properties": {"x": {"type": "array", "items": {"type": "boolean"}}}}}"#;
    for (arguments, fault) in [
        (
            r#"{"n": "5000"}"#,
            "argument `n`: it is a string where the approved schema has an integer",
        ),
        (
            r#"{"n": true}"#,
            "argument `n`: it is a boolean where the approved schema has an integer",
        ),
        (
            r#"{"n": [5000]}"#,
            "argument `n`: it is an array where the approved schema has an integer",
        ),
        (
            r#"{"n": 5000.0}"#,
            "argument `n`: it is spelled with a point or an exponent where an integer is expected",
        ),
        (
            r#"{"n": 5e3}"#,
            "argument `n`: it is spelled with a point or an exponent where an integer is expected",
        ),
        (
            r#"{"n": null}"#,
            "argument `n`: it is null: leave it out instead",
        ),
        (
            r#"{"n": 9223372036854775808}"#,
            "argument `n`: it is beyond the range that policy can compare (integers of 64 bits, numbers up to 9.2e14)",
        ),
        (
            r#"{"d": 0.123456}"#,
            "argument `d`: it has more than 4 digits behind the point, which policy cannot compare: round it",
        ),
        (
            r#"{"o": {"x": [true, 1]}}"#,
            "argument `o.x.1`: it is a number where the approved schema has a boolean",
        ),
        (
            r#"{"o": {"y": 1}}"#,
            "argument `o.y`: the approved schema does not declare it",
        ),
        (
            r#"{"z": 1}"#,
            "argument `z`: the approved schema does not declare it",
        ),
        (
            r#"[]"#,
            "arguments: it is an array where the approved schema has an object",
        ),
    ] {
        assert_eq!(
            typed(properties, arguments),
            Err(fault.to_owned()),
            "{arguments}"
        );
    }
}

#[test]
fn null_where_the_schema_allows_it_is_told_apart_from_absence() {
    let properties = r#"{"a": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        "o": {"type": "object", "properties": {"b": {"type": ["integer", "null"]}}}}"#;
    let none = typed(properties, r#"{"o": {}}"#).unwrap();
    let nulls = typed(properties, r#"{"a": null, "o": {"b": null}}"#).unwrap();
    assert_eq!(none, (r#"{"o": {}}"#.to_owned(), vec![]));
    assert_eq!(
        nulls,
        (
            r#"{"o": {}}"#.to_owned(),
            vec!["a".to_owned(), "o.b".to_owned()]
        )
    );
}

#[test]
fn what_cedar_would_read_as_an_entity_or_a_call_is_plain_data() {
    let properties = r#"{"o": {"type": "object", "properties": {
        "__entity": {"type": "object", "properties": {"type": {"type": "string"}, "id": {"type": "string"}}},
        "__extn": {"type": "string"}}}}"#;
    let arguments = r#"{"o": {"__entity": {"type": "User", "id": "alice"}, "__extn": "x"}}"#;
    let (seen, _) = typed(properties, arguments).unwrap();
    assert_eq!(
        seen,
        r#"{"o": {"__entity": {"id": "alice", "type": "User"}, "__extn": "x"}}"#
    );
    let undeclared = typed(r#"{"o": {"type": "string"}}"#, arguments).unwrap_err();
    assert_eq!(
        undeclared,
        "argument `o`: it is an object where the approved schema has a string"
    );
}

#[test]
fn what_the_caller_names_is_told_only_in_part() {
    let name = "x".repeat(5000);
    let fault = typed("{}", &format!(r#"{{"{name}": 1}}"#)).unwrap_err();
    assert!(fault.len() < 200, "{fault}");
}

#[test]
fn the_python_reading_spells_fractions_and_drops_nulls() {
    let arguments = json(r#"{"f": 5000.0, "e": 1e3, "n": null, "l": [1, null, 0.1], "i": -3}"#);
    let seen = seen_as(argument::loose(&arguments).unwrap().record);
    assert_eq!(
        seen,
        r#"{"e": "1000.0", "f": "5000.0", "i": -3, "l": [1, "0.1"]}"#
    );
    let beyond = argument::loose(&json(r#"{"i": 9223372036854775808}"#)).unwrap_err();
    assert_eq!(beyond[0].error, ArgumentError::Range);
}

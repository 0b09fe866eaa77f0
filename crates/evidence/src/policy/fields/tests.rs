use cmcp_json::{Limits, parse};

use super::*;

/// Reads `text` and returns what was read and every fault, as lines.
fn read<T>(text: &str, read: impl FnOnce(&mut Fields<'_>) -> T) -> (Option<T>, Vec<String>) {
    let value = parse(text.as_bytes(), &Limits::DOCUMENT).unwrap();
    let mut faults = Vec::new();
    let value = Fields::open(&value, "snp", &mut faults).map(|mut fields| {
        let value = read(&mut fields);
        fields.close();
        value
    });
    (value, faults.iter().map(ToString::to_string).collect())
}

#[test]
fn c02_a_member_that_nobody_knows_is_a_fault() {
    let (_, faults) = read(r#"{"smt":"refused","stm":"any"}"#, |fields| {
        fields.word("smt", &[("refused", 1), ("any", 2)])
    });
    assert_eq!(faults, ["`snp.stm`: is not known here; known are smt"]);
}

#[test]
fn c02_a_field_that_is_left_out_is_a_fault() {
    let (word, faults) = read("{}", |fields| fields.word("smt", &[("any", ())]));
    assert_eq!(word, Some(None));
    assert_eq!(
        faults,
        ["`snp.smt`: is not decided; a field that is left out is never taken for granted"]
    );
}

#[test]
fn c01_an_empty_list_is_a_fault_and_never_anything_goes() {
    let (_, faults) = read(r#"{"chips":[],"measurements":{}}"#, |fields| {
        (
            fields.hex_pin("chips", 2),
            fields.measurements("measurements", 2),
        )
    });
    assert_eq!(
        faults,
        [
            "`snp.chips`: is an empty list: write what is accepted, or `any`",
            "`snp.measurements`: is empty: name a measurement, or write `none`",
        ]
    );
}

#[test]
fn c04_a_digest_of_another_length_is_a_fault() {
    let (_, faults) = read(r#"{"measurements":{"mine":"00ff"}}"#, |fields| {
        fields.measurements("measurements", 3)
    });
    assert_eq!(
        faults,
        ["`snp.measurements`: `mine` has 4 digits, and must have 6"]
    );
}

#[test]
fn every_fault_is_told_at_once() {
    let text = r#"{"a":"x","b":-1,"c":"soon","d":"","e":[1],"f":{"g":1}}"#;
    let (_, faults) = read(text, |fields| {
        fields.word("a", &[("y", ()), ("z", ())]);
        fields.number("b", 7);
        fields.time("c");
        fields.text("d");
        fields.hex_pin("e", 1);
        fields.section("f", |nested| nested.word("g", &[("h", ())]));
    });
    assert_eq!(faults.len(), 6);
    assert_eq!(faults[0], "`snp.a`: must be one of: y, z");
    assert_eq!(faults[1], "`snp.b`: must be a whole number from 0 to 7");
    assert_eq!(faults[3], "`snp.d`: must be a text that is not empty");
    assert_eq!(faults[5], "`snp.f.g`: must be one of: h");
}

#[test]
fn pins_and_names_are_read() {
    let text = r#"{"chips":["00ff"],"any":"any","measurements":{"mine":"0a0b"},"rest":"none","x":"refused"}"#;
    let (read, faults) = read(text, |fields| {
        (
            fields.hex_pin("chips", 2),
            fields.hex_pin("any", 2),
            fields.measurements("measurements", 2),
            fields.measurements("rest", 2),
            fields.section_or("x", "refused", |_| Some(())),
        )
    });
    assert_eq!(faults, [""; 0]);
    let (chips, any, measurements, rest, refused) = read.unwrap();
    let chips = chips.unwrap();
    assert!(chips.allows(&vec![0, 0xff]) && !chips.allows(&vec![0, 0]));
    assert!(any.unwrap().is_any());
    let measurements = measurements.unwrap();
    assert_eq!(measurements.name_of(&[10, 11]), Some("mine"));
    assert_eq!(measurements.name_of(&[10, 12]), None);
    assert_eq!(rest.unwrap().name_of(&[10, 11]), None);
    assert_eq!(refused, Some(None));
}

#[test]
fn what_is_no_mapping_is_a_fault() {
    let (value, faults) = read("[]", |_| ());
    assert_eq!(value, None);
    assert_eq!(faults, ["`snp`: is array, and must be a mapping"]);
}

use cmcp_evidence::Sha256Digest;
use cmcp_json::{Form, Limits, Object, Value};

use super::{expectations, failures, judge, not_established, outcome};
use crate::code::Code;
use crate::tree::{Frontier, leaf};
use crate::trust_record::tests::changed;
use crate::verify::{Anchor, AnchorError, Expectations, Field, Outcome, Receipt};

fn anchored() -> Vec<u8> {
    changed(|record| drop(record.insert("transparency", "https://log.example.org/entries/1")))
}

/// A log of three in which the record comes second: its receipt, and its root.
fn log(record: &[u8]) -> (Object, Sha256Digest) {
    let value = cmcp_json::parse(record, &Limits::DOCUMENT).unwrap();
    let ours = leaf(&cmcp_json::canonical(&value, Form::AsciiStrict).unwrap());
    let (before, after) = (leaf(b"before"), leaf(b"after"));
    let mut tree = Frontier::new();
    for leaf in [before, ours, after] {
        tree.push(leaf);
    }
    let path: Vec<Value> = [before, after].map(Value::from).into();
    let receipt = Object::from([
        ("leaf_index", Value::from(1_i64)),
        ("leaf_count", Value::from(3_i64)),
        ("audit_path", Value::from(path)),
        ("merkle_root", Value::from(tree.root())),
    ]);
    (receipt, tree.root())
}

fn given(receipt: Object, root: Sha256Digest) -> Expectations {
    let receipt = Receipt::parse(&Value::Object(receipt).to_vec()).unwrap();
    Expectations {
        anchor: Anchor::Given { receipt, root },
        ..expectations()
    }
}

#[test]
fn a_record_stands_where_its_receipt_and_the_published_root_say() {
    let record = anchored();
    let (receipt, root) = log(&record);
    let report = judge(&record, &given(receipt, root));
    assert_eq!(outcome(&report, Field::Transparency), Outcome::Pass);
    assert_eq!(failures(&report), []);
}

#[test]
fn a_log_entry_nobody_checked_is_not_established() {
    assert_eq!(
        not_established(&judge(&anchored(), &expectations())),
        [
            (Field::HardwareAttestation, Code::SoftwareEvidence),
            (Field::Transparency, Code::AnchorNotChecked),
        ]
    );
}

#[test]
fn a_receipt_proves_membership_in_its_own_tree_only() {
    let record = anchored();
    let (receipt, _) = log(&record);
    let report = judge(&record, &given(receipt, Sha256Digest::of(b"published")));
    assert_eq!(
        failures(&report),
        [(Field::Transparency, Code::AnchorInvalid)]
    );
}

#[test]
fn a_receipt_of_another_record_place_or_size_fails() {
    let record = anchored();
    let (receipt, root) = log(&record);
    let other = changed(|record| {
        record.insert("transparency", "https://log.example.org/entries/2");
    });
    let mut cases = vec![(other, receipt.clone())];
    for (name, value) in [
        ("leaf_index", 0_i64),
        ("leaf_index", 3),
        ("leaf_count", 0),
        ("leaf_count", 2),
    ] {
        let mut receipt = receipt.clone();
        receipt.insert(name, value);
        cases.push((record.clone(), receipt));
    }
    let mut short = receipt;
    short
        .get_mut("audit_path")
        .unwrap()
        .as_array_mut()
        .unwrap()
        .pop();
    cases.push((record, short));
    for (record, receipt) in cases {
        let report = judge(&record, &given(receipt.clone(), root));
        let found = failures(&report);
        assert_eq!(
            found,
            [(Field::Transparency, Code::AnchorInvalid)],
            "{receipt:?}"
        );
    }
}

#[test]
fn a_receipt_is_read_strictly() {
    let (receipt, _) = log(&anchored());
    for (name, value) in [
        ("leaf_index", Value::from(-1_i64)),
        ("leaf_index", Value::from(true)),
        ("leaf_count", Value::from("3")),
        ("merkle_root", Value::from("00")),
        ("audit_path", Value::Null),
        ("extra", Value::Null),
    ] {
        let mut wrong = receipt.clone();
        wrong.insert(name, value);
        let error = Receipt::parse(&Value::Object(wrong).to_vec()).unwrap_err();
        match error {
            AnchorError::Shape(violations) => assert_eq!(violations[0].path, name),
            AnchorError::Json(_) | AnchorError::NotAnObject => panic!("{error}"),
        }
    }
    assert_eq!(Receipt::parse(b"[]").unwrap_err(), AnchorError::NotAnObject);
}

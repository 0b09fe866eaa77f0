use std::collections::BTreeSet;

use super::KEYS;
use crate::config::{
    fault::Problem,
    key::{Default, Kind},
    values::{Value, Values, default},
    yaml,
};

#[test]
fn every_path_is_there_once_and_none_is_both_key_and_section() {
    let paths: BTreeSet<&str> = KEYS.iter().map(|key| key.path).collect();
    assert_eq!(paths.len(), KEYS.len());
    for path in &paths {
        assert!(
            !paths
                .iter()
                .any(|other| other.starts_with(&format!("{path}."))),
            "{path}"
        );
        assert!(path.split('.').count() <= 2, "{path}");
    }
}

#[test]
fn every_default_is_a_value_that_the_key_accepts() {
    for key in KEYS {
        let text = match &key.default {
            Default::Absent => continue,
            Default::Empty if matches!(key.kind, Kind::List | Kind::Principals) => "[]".to_owned(),
            Default::Empty => "{}".to_owned(),
            Default::Bool(flag) => flag.to_string(),
            Default::Fraction(text) | Default::Text(text) => (*text).to_owned(),
            Default::Integer(number) => number.to_string(),
        };
        let mut document = String::new();
        for (depth, name) in key.path.split('.').enumerate() {
            document.push_str(&format!("\n{}{name}: ", "  ".repeat(depth)));
        }
        document.push_str(&text);
        let mut problems: Vec<Problem> = Vec::new();
        let root = yaml::parse(document.as_bytes()).unwrap();
        let values = Values::read("f", &root, &mut problems);
        assert_eq!(problems, Vec::new(), "{}", key.path);
        assert_eq!(values.value(key), default(key), "{}", key.path);
    }
}

#[test]
fn numbers_truths_and_choices_have_a_default_or_belong_to_a_later_part() {
    for key in KEYS {
        let needs = matches!(
            key.kind,
            Kind::Bool | Kind::Integer(..) | Kind::Fraction(..)
        );
        assert!(!needs || default(key).is_some(), "{}", key.path);
        if let (Kind::Integer(from, _), Some(Value::Integer(number))) = (&key.kind, default(key)) {
            assert!(*from >= 0 && number >= *from, "{}", key.path);
        }
    }
}

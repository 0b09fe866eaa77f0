//! The list of all checks.
#![cfg(test)]

use std::{collections::BTreeSet, fs, path::Path};

use cmcp_evidence::{
    Platform,
    check::{all, groups},
};

/// The codes that sources declare, tests left out.
fn declared(folder: &Path, codes: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if path.is_dir() && name != "tests" {
            declared(&path, codes);
        } else if path.extension().is_some_and(|kind| kind == "rs") && name != "tests.rs" {
            codes.extend(codes_of(&fs::read_to_string(&path).unwrap()));
        }
    }
}

/// `NAME = "platform.name", "…"` between `checks! {` and the brace that closes it.
fn codes_of(source: &str) -> Vec<String> {
    let mut codes = Vec::new();
    for block in source.split("\nchecks! {\n").skip(1) {
        let block = block.split("\n}").next().unwrap();
        for line in block.lines() {
            let Some((name, rest)) = line.trim().split_once(" = \"") else {
                continue;
            };
            assert!(
                name.chars()
                    .all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_'),
                "{line}"
            );
            codes.push(rest.split('"').next().unwrap().to_owned());
        }
    }
    codes
}

#[test]
fn every_check_that_is_declared_is_listed_once() {
    let mut declared = BTreeSet::new();
    self::declared(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
        &mut declared,
    );
    let listed: Vec<String> = all().iter().map(|check| check.code.to_owned()).collect();
    let set: BTreeSet<String> = listed.iter().cloned().collect();
    assert_eq!(set.len(), listed.len(), "a code is listed twice");
    assert_eq!(set, declared);
    assert!(set.len() > 200);
}

#[test]
fn every_check_has_a_code_a_sentence_and_a_remedy() {
    let mut first: BTreeSet<&str> = Platform::ALL
        .iter()
        .map(|platform| platform.as_str())
        .collect();
    first.extend(["evidence", "certificate", "dcap", "azure"]);
    for check in all() {
        let (platform, name) = check.code.split_once('.').unwrap();
        assert!(first.contains(platform), "{}", check.code);
        assert!(
            !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-'),
            "{}",
            check.code
        );
        for text in [check.says, check.remedy] {
            let plain = text
                .chars()
                .next()
                .is_some_and(|c| c.is_alphanumeric() || c == '`');
            assert!(plain && !text.ends_with('.'), "{}: {text}", check.code);
        }
    }
}

#[test]
fn every_group_has_checks() {
    assert!(groups().iter().all(|group| !group.checks.is_empty()));
}

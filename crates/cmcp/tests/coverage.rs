//! `docs/abuse-coverage.md` names tests that exist, and leaves no line out.
#![cfg(test)]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// Families whose lines of the highest two priorities are tests.
const FAMILIES: [char; 10] = ['B', 'C', 'D', 'E', 'F', 'G', 'J', 'L', 'M', 'N'];
/// Lines whose part comes later, or which need another machine.
const LATER: [&str; 9] = [
    "C13", "G14", "J08", "L06", "L07", "L08", "L09", "L15", "L25",
];

/// What the table says of one line: names in backticks, and whether it says `later`.
struct Row {
    named: Vec<String>,
    later: bool,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The rows of all tables, each by its first cell.
fn table() -> BTreeMap<String, Row> {
    let page = fs::read_to_string(root().join("docs/abuse-coverage.md")).unwrap();
    let mut rows = BTreeMap::new();
    for line in page.lines().filter(|line| line.starts_with("| ")) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let (first, last) = (cells[0], cells[cells.len() - 1]);
        if last == "tests" {
            continue;
        }
        let named = last
            .split('`')
            .skip(1)
            .step_by(2)
            .map(ToOwned::to_owned)
            .collect();
        let later = last.starts_with("later: ");
        let before = rows.insert(first.to_owned(), Row { named, later });
        assert!(before.is_none(), "`{first}` has two rows");
    }
    rows
}

/// The rows of the catalogue's lines.
fn rows() -> BTreeMap<String, Row> {
    let mut rows = table();
    rows.retain(|first, _| is_id(first));
    rows
}

fn is_id(word: &str) -> bool {
    let digits = word.strip_prefix(|c: char| c.is_ascii_uppercase());
    digits.is_some_and(|digits| {
        (1..=2).contains(&digits.len()) && digits.chars().all(|c| c.is_ascii_digit())
    })
}

/// The names of all tests in the sources.
fn tests() -> BTreeSet<String> {
    let mut tests = BTreeSet::new();
    let mut folders = vec![root().join("crates"), root().join("bench")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                tests.extend(tests_of(&fs::read_to_string(path).unwrap()));
            }
        }
    }
    tests
}

fn tests_of(source: &str) -> Vec<String> {
    let mut tests = Vec::new();
    let mut marked = false;
    for line in source.lines().map(str::trim) {
        if line.starts_with("#[") {
            marked |= line.starts_with("#[test]") || line.starts_with("#[tokio::test");
            continue;
        }
        let function = line
            .strip_prefix("async ")
            .unwrap_or(line)
            .strip_prefix("fn ");
        if let (true, Some(function)) = (marked, function) {
            let name = function.split('(').next().unwrap_or_default();
            tests.push(name.to_owned());
        }
        marked = false;
    }
    tests
}

#[test]
fn every_test_that_is_named_exists() {
    let (rows, tests) = (table(), tests());
    assert!(
        rows.len() > 50 && tests.len() > 500,
        "{} rows, {} tests",
        rows.len(),
        tests.len()
    );
    for (id, row) in &rows {
        for name in &row.named {
            let found = if name.contains('/') {
                root().join(name).is_file()
            } else {
                tests.contains(name)
            };
            assert!(found, "{id}: there is no `{name}`");
        }
        assert!(
            row.later || !row.named.is_empty(),
            "{id}: neither a test nor a reason"
        );
    }
}

#[test]
fn every_line_of_the_highest_priorities_has_its_tests() {
    let Ok(cases) = fs::read_to_string(root().join("../shared/security/abuse-cases.md")) else {
        assert!(std::env::var_os("CI").is_none_or(|value| value != "true"));
        println!("skipped: ../shared is not here");
        return;
    };
    let rows = rows();
    let mut known = BTreeSet::new();
    for line in cases.lines().filter_map(|line| line.strip_prefix("- ")) {
        let mut words = line.split(' ');
        let (Some(id), Some(priority)) = (words.next(), words.next()) else {
            continue;
        };
        if !is_id(id) {
            continue;
        }
        known.insert(id);
        if !id.starts_with(FAMILIES) || !["P0", "P1"].contains(&priority) {
            continue;
        }
        let row = rows.get(id).unwrap_or_else(|| panic!("`{id}` has no row"));
        let tested = !row.named.is_empty() && !row.later;
        assert_eq!(
            tested,
            !LATER.contains(&id),
            "{id}: only what comes later has no test"
        );
    }
    let unknown: Vec<_> = rows
        .keys()
        .filter(|id| !known.contains(id.as_str()))
        .collect();
    assert!(unknown.is_empty(), "rows of no line: {unknown:?}");
}

//! Every file of the shared vectors has its stated verdict, and the page that says so is current.
#![cfg(test)]

use std::path::{Path, PathBuf};

#[path = "../src/forge.rs"]
#[expect(
    dead_code,
    unused_imports,
    reason = "one signature of it is needed here"
)]
mod forge;
#[path = "../examples/vectors/table.rs"]
mod table;

/// The folder of vectors; without it, outside CI, the test is skipped.
fn vectors() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/vectors");
    if folder.is_dir() {
        return Some(folder);
    }
    let in_ci = std::env::var_os("CI").is_some_and(|value| value == "true");
    assert!(!in_ci, "{} is not here", folder.display());
    println!("skipped: ../shared is not here");
    None
}

#[test]
fn every_file_has_the_verdict_that_is_stated_for_it_and_the_page_says_so() {
    let Some(folder) = vectors() else { return };
    let table = table::Table::judge(&folder).expect("a table");
    assert_eq!(table.wrong(), Vec::<String>::new());
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/vectors.md");
    let page = std::fs::read_to_string(page).expect("docs/vectors.md");
    assert!(table.questions().lines().count() > 60);
    assert!(
        page == table.render(),
        "docs/vectors.md is not current: run `just vectors`"
    );
}

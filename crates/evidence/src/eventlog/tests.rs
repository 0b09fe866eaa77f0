pub(crate) mod build;
mod forged;
mod ima;
mod oracle;
mod vectors;

use std::path::PathBuf;

use cmcp_json::{Limits, Value};

/// A file of the shared vectors; without them, outside CI, the test is skipped.
pub(crate) fn shared(name: &str) -> Option<Vec<u8>> {
    read("vectors", name)
}

/// A file of the shared tools.
pub(crate) fn shared_tool(name: &str) -> Option<Vec<u8>> {
    read("tools", name)
}

fn read(folder: &str, name: &str) -> Option<Vec<u8>> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared")
        .join(folder)
        .join(name);
    match std::fs::read(&path) {
        Ok(bytes) => Some(bytes),
        Err(error) if in_ci() => panic!("{}: {error}", path.display()),
        Err(_) => {
            eprintln!("skipped: ../shared is not here");
            None
        }
    }
}

/// Whether nothing may be skipped.
pub(crate) fn in_ci() -> bool {
    std::env::var_os("CI").is_some_and(|value| value == "true")
}

/// The rows of `expectations-other.json` of a kind.
pub(crate) fn rows(kind: &str) -> Vec<Value> {
    let Some(bytes) = shared("expectations-other.json") else {
        return Vec::new();
    };
    let rows = cmcp_json::parse(&bytes, &Limits::DOCUMENT).expect("strict JSON");
    let rows = rows.as_array().expect("a list").iter();
    let rows: Vec<Value> = rows
        .filter(|row| row.get("kind").and_then(Value::as_str) == Some(kind))
        .cloned()
        .collect();
    assert!(!rows.is_empty(), "no row of kind {kind}");
    rows
}

/// The member of a row at a path of names.
pub(crate) fn at<'a>(value: &'a Value, path: &str) -> &'a Value {
    path.split('.').fold(value, |value, name| {
        value.get(name).unwrap_or_else(|| panic!("no `{name}`"))
    })
}

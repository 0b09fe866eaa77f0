//! The shared vectors, for tests.

use std::path::PathBuf;

use cmcp_json::{Limits, Value};

/// A file of them; without them, outside CI, the test is skipped.
pub(crate) fn shared(name: &str) -> Option<Vec<u8>> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared/vectors")
        .join(name);
    match std::fs::read(&path) {
        Ok(bytes) => Some(bytes),
        Err(error) if std::env::var_os("CI").is_some_and(|value| value == "true") => {
            panic!("{}: {error}", path.display())
        }
        Err(_) => {
            eprintln!("skipped: ../shared is not here");
            None
        }
    }
}

/// The rows of a kind of `expectations-other.json`.
pub(crate) fn rows(kind: &str) -> Vec<Value> {
    let Some(bytes) = shared("expectations-other.json") else {
        return Vec::new();
    };
    let rows = cmcp_json::parse(&bytes, &Limits::DOCUMENT).expect("JSON");
    let rows = rows.as_array().expect("rows").iter();
    let of_kind = |row: &&Value| row.get("kind").and_then(Value::as_str) == Some(kind);
    rows.filter(of_kind).cloned().collect()
}

//! The captured files, and what is stated about them.

use std::path::Path;

use cmcp_json::{Limits, Value};

/// A file of the shared folder; without it, outside CI, the test is skipped.
pub(crate) fn shared(name: &str) -> Option<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/vectors");
    match std::fs::read(folder.join(name)) {
        Ok(bytes) => Some(bytes),
        Err(error) if std::env::var_os("CI").is_some_and(|value| value == "true") => {
            panic!("{name}: {error}")
        }
        Err(_) => {
            eprintln!("skipped: ../shared is not here");
            None
        }
    }
}

/// The rows of a kind.
pub(crate) fn rows(kind: &str) -> Vec<Row> {
    let Some(text) = shared("expectations-other.json") else {
        return Vec::new();
    };
    let rows = json(&text);
    let rows = rows.as_array().expect("a list").iter();
    let of_kind = rows.filter(|row| row.get("kind").and_then(Value::as_str) == Some(kind));
    of_kind.cloned().map(Row).collect()
}

/// A row of `expectations-other.json`.
pub(crate) struct Row(Value);

impl Row {
    pub(crate) fn id(&self) -> &str {
        self.0.get("id").and_then(Value::as_str).expect("an id")
    }

    pub(crate) fn accepts(&self) -> bool {
        match self.0.get("expect").and_then(Value::as_str) {
            Some("accept") => true,
            Some("reject") => false,
            other => panic!("{}: {other:?}", self.id()),
        }
    }

    pub(crate) fn at(&self) -> Option<&str> {
        self.0.get("at").and_then(Value::as_str)
    }

    pub(crate) fn value(&self, name: &str) -> Option<&Value> {
        self.0.get("values")?.get(name)
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.0
            .get("files")
            .is_some_and(|files| files.get(name).is_some())
    }

    /// The files of that name.
    pub(crate) fn files(&self, name: &str) -> Vec<Vec<u8>> {
        let files = self.0.get("files").and_then(|files| files.get(name));
        let names: Vec<&str> = match files {
            None => Vec::new(),
            Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).collect(),
            Some(one) => one.as_str().into_iter().collect(),
        };
        names
            .into_iter()
            .map(|name| shared(name).expect("the file"))
            .collect()
    }

    pub(crate) fn file(&self, name: &str) -> Vec<u8> {
        let mut files = self.files(name);
        assert_eq!(files.len(), 1, "{}: {name}", self.id());
        files.remove(0)
    }
}

pub(crate) fn json(text: &[u8]) -> Value {
    cmcp_json::parse(text, &Limits::DOCUMENT).expect("strict JSON")
}

//! The folder of vectors, and the rows of its tables.

use std::path::{Path, PathBuf};

use cmcp_evidence::{Timestamp, hex, x509};
use cmcp_json::{Limits, Value};

use super::{Result, case::Verdict};

#[derive(Debug)]
pub(crate) struct Vectors {
    root: PathBuf,
}

impl Vectors {
    pub(crate) fn open(root: &Path) -> Result<Self> {
        let root = root.to_owned();
        match root.join("README.md").is_file() {
            true => Ok(Self { root }),
            false => Err(format!("{} is no folder of vectors", root.display()).into()),
        }
    }

    /// The bytes of a file.
    pub(crate) fn file(&self, name: &str) -> Result<Vec<u8>> {
        std::fs::read(self.root.join(name)).map_err(|error| format!("{name}: {error}").into())
    }

    /// A certificate in PEM or DER.
    pub(crate) fn certificate(&self, name: &str) -> Result<Vec<u8>> {
        let bytes = self.file(name)?;
        match bytes.starts_with(b"-----BEGIN") {
            true => Ok(x509::one_from_pem(&bytes)?),
            false => Ok(bytes),
        }
    }

    /// AMD's intermediates, which captures leave out.
    pub(crate) fn amd(&self) -> Result<Vec<Vec<u8>>> {
        ["milan", "genoa", "turin"]
            .iter()
            .map(|product| self.certificate(&format!("snp/amd-{product}-ask.pem")))
            .collect()
    }

    pub(crate) fn json(&self, name: &str) -> Result<Value> {
        Ok(cmcp_json::parse(&self.file(name)?, &Limits::DOCUMENT)?)
    }

    pub(crate) fn rows(&self, name: &str) -> Result<Vec<Stated>> {
        let document = self.json(name)?;
        let rows = document.as_array().ok_or("a table is a list")?;
        Ok(rows.iter().cloned().map(Stated).collect())
    }

    /// Every file below the folder, by its name with forward slashes.
    pub(crate) fn names(&self) -> Result<Vec<String>> {
        let mut names = Vec::new();
        let mut folders = vec![self.root.clone()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder)? {
                let path = entry?.path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    let name = path.strip_prefix(&self.root)?;
                    names.push(name.to_string_lossy().replace('\\', "/"));
                }
            }
        }
        names.sort();
        Ok(names)
    }
}

/// A row as it is stated.
#[derive(Clone, Debug)]
pub(crate) struct Stated(Value);

impl Stated {
    pub(crate) fn get(&self, path: &[&str]) -> Option<&Value> {
        let found = path.iter().try_fold(&self.0, |value, name| value.get(name));
        found.filter(|value| !value.is_null())
    }

    pub(crate) fn maybe(&self, name: &str) -> Option<&str> {
        self.get(&[name]).and_then(Value::as_str)
    }

    pub(crate) fn text(&self, name: &str) -> Result<&str> {
        self.maybe(name)
            .ok_or_else(|| format!("no `{name}`").into())
    }

    pub(crate) fn value(&self, name: &str) -> Option<&Value> {
        self.get(&["values", name])
    }

    /// The name of its file for a purpose.
    pub(crate) fn file(&self, purpose: &str) -> Result<&str> {
        let name = self.get(&["files", purpose]).and_then(Value::as_str);
        name.ok_or_else(|| format!("no file `{purpose}`").into())
    }

    pub(crate) fn has_file(&self, purpose: &str) -> bool {
        self.get(&["files", purpose]).is_some()
    }

    /// All its files.
    pub(crate) fn files(&self) -> Vec<String> {
        let files = self.get(&["files"]).and_then(Value::as_object);
        let lists = files.into_iter().flat_map(|files| files.values());
        let names = lists.flat_map(|value| match value.as_array() {
            Some(list) => list.iter().filter_map(Value::as_str).collect(),
            None => value.as_str().into_iter().collect::<Vec<_>>(),
        });
        names.map(str::to_owned).collect()
    }

    pub(crate) fn verdict(&self) -> Result<Verdict> {
        match self.text("expect")? {
            "accept" => Ok(Verdict::Accept),
            "reject" => Ok(Verdict::Reject),
            other => Err(format!("`expect` is `{other}`").into()),
        }
    }

    pub(crate) fn hex(&self, name: &str) -> Result<Vec<u8>> {
        let text = self.value(name).and_then(Value::as_str);
        Ok(hex::decode(
            text.ok_or_else(|| format!("no value `{name}`"))?,
        )?)
    }

    /// Its time, or another where the row says that time does not matter.
    pub(crate) fn time(&self, otherwise: &str) -> Result<Timestamp> {
        let text = self.maybe("at").or_else(|| self.maybe("now"));
        Ok(Timestamp::parse_rfc3339(text.unwrap_or(otherwise))?)
    }
}

//! Secrets by reference: the file names the variable or the file that holds one.

use std::path::PathBuf;

use cmcp_gateway::oauth::{SecretFault, SecretSource};

use crate::config::{
    environment::Environment,
    fault::{Fault, Problem},
    files,
    shape::Shaped,
};

/// Where to find the secrets that a file refers to.
pub(crate) struct Secrets<'a> {
    pub(crate) environment: &'a Environment,
    /// What relative paths count from.
    pub(crate) folder: PathBuf,
    pub(crate) wanted: Wanted,
}

/// Whether the secrets have to be there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    Now,
    /// They belong to the machine that starts.
    Later,
}

impl Secrets<'_> {
    /// The secret that `<name>_env` or `<name>_file` refers to; `None` when neither does. Both are
    /// refused, as is a reference that leads nowhere.
    pub(crate) fn read(
        &self,
        (file, path): (&str, &str),
        (holder, name): (&Shaped, &str),
        problems: &mut Vec<Problem>,
    ) -> Option<SecretSource> {
        let (variable, place) = (format!("{name}_env"), format!("{name}_file"));
        match (holder.text(&variable), holder.text(&place)) {
            (None, None) => None,
            (Some(item), Some(_)) => {
                let keys = (format!("{path}.{variable}"), format!("{path}.{place}"));
                let fault = Fault::OneOfTwo {
                    first: keys.0,
                    second: keys.1,
                };
                problems.push(Problem::at(file, item.at, fault));
                None
            }
            (Some(item), None) => {
                if let Some(value) = self.environment.value(&item.text) {
                    return Some(SecretSource::fixed(value));
                }
                if self.wanted == Wanted::Now {
                    let (key, name) = (format!("{path}.{variable}"), item.text);
                    let fault = Fault::SecretVariable { key, name };
                    problems.push(Problem::at(file, item.at, fault));
                }
                Some(SecretSource::new(|| Err(SecretFault::Empty)))
            }
            (None, Some(item)) => {
                let key = format!("{path}.{place}");
                if item.text.split(['/', '\\']).any(|part| part == "..") {
                    problems.push(Problem::at(file, item.at, Fault::Traversal { key }));
                    return None;
                }
                let place = self.folder.join(&item.text);
                if self.wanted == Wanted::Now {
                    match files::read(&place, MAX_BYTES) {
                        Ok(read) => problems.extend(read.problems),
                        Err(problem) => problems.push(problem),
                    }
                }
                Some(of_file(place))
            }
        }
    }
}

/// A secret that is read from its file each time: whoever replaces the file replaces the secret.
fn of_file(place: PathBuf) -> SecretSource {
    SecretSource::new(move || {
        use std::io::Read as _;
        let mut text = String::new();
        let file = std::fs::File::open(&place);
        let limit = u64::try_from(MAX_BYTES)
            .unwrap_or(u64::MAX)
            .saturating_add(1);
        file.and_then(|file| file.take(limit).read_to_string(&mut text))
            .map_err(|error| SecretFault::Read(error.kind()))?;
        if text.len() > MAX_BYTES {
            return Err(SecretFault::TooLong);
        }
        Ok(text.into())
    })
}

/// Largest file with a secret.
const MAX_BYTES: usize = 64 * 1024;

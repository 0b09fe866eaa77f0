//! Reading the operator's files, with an eye on who else may write them.

use std::{
    fs::File,
    io::{self, Read},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use crate::config::fault::{Fault, Problem};

/// A file's bytes, and what is odd about it.
pub(crate) struct ReadFile {
    pub(crate) bytes: Vec<u8>,
    pub(crate) problems: Vec<Problem>,
    pub(crate) notices: Vec<String>,
}

/// Reads a file of at most `limit` bytes. Everybody's right to write it is a problem: whoever has
/// an account could choose the next start's policy.
pub(crate) fn read(path: &Path, limit: usize) -> Result<ReadFile, Problem> {
    let unreadable = |error: &io::Error| Problem::file(path, unreadable(error));
    let mut file = File::open(path).map_err(|error| unreadable(&error))?;
    let metadata = file.metadata().map_err(|error| unreadable(&error))?;
    if metadata.is_dir() {
        return Err(unreadable(&io::Error::from(io::ErrorKind::IsADirectory)));
    }
    let mut bytes = Vec::new();
    let bound = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    (&mut file)
        .take(bound)
        .read_to_end(&mut bytes)
        .map_err(|error| unreadable(&error))?;
    if bytes.len() > limit {
        return Err(Problem::file(path, Fault::Size { limit }));
    }
    let (mut problems, mut notices) = (Vec::new(), Vec::new());
    if metadata.is_file() && metadata.mode() & EVERYBODY_WRITES != 0 {
        problems.push(Problem::file(path, Fault::Writable));
    }
    if path.symlink_metadata().is_ok_and(|link| link.is_symlink()) {
        notices.push(format!(
            "`{}` is a symbolic link; it was followed",
            path.display()
        ));
    }
    Ok(ReadFile {
        bytes,
        problems,
        notices,
    })
}

/// Every file below a folder that `wanted` names, as POSIX path and bytes, in order of path.
pub(crate) fn read_tree(
    folder: &Path,
    wanted: fn(&str) -> bool,
    problems: &mut Vec<Problem>,
) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    let mut folders = vec![(folder.to_owned(), String::new(), 0usize)];
    while let Some((folder, prefix, depth)) = folders.pop() {
        let entries = match folder
            .read_dir()
            .and_then(Iterator::collect::<io::Result<Vec<_>>>)
        {
            Ok(entries) => entries,
            Err(error) => {
                problems.push(Problem::file(folder, unreadable(&error)));
                continue;
            }
        };
        for entry in entries {
            let Some(name) = entry.file_name().to_str().map(str::to_owned) else {
                problems.push(Problem::file(entry.path(), Fault::Encoding));
                continue;
            };
            let path = format!("{prefix}{name}");
            // A link to a folder is not followed: it could lead around in circles.
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                if depth < MAX_DEPTH {
                    folders.push((entry.path(), format!("{path}/"), depth.saturating_add(1)));
                }
            } else if wanted(&path) {
                match read(&entry.path(), MAX_POLICY_FILE) {
                    Ok(read) => {
                        problems.extend(read.problems);
                        files.push((path, read.bytes));
                    }
                    Err(problem) => problems.push(problem),
                }
            }
        }
    }
    files.sort();
    files
}

/// The name of the network file system a path lies on. A database there has neither the locks nor
/// the durability that SQLite's journal counts on.
pub(crate) fn network_filesystem(path: &Path) -> Option<&'static str> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        Some(_) | None => PathBuf::from("."),
    };
    let kind = rustix::fs::statfs(&folder).ok()?.f_type;
    NETWORK
        .iter()
        .find(|(magic, _)| kind == *magic)
        .map(|(_, name)| *name)
}

pub(crate) fn unreadable(error: &io::Error) -> Fault {
    let known = REASONS.iter().find(|(kind, ..)| *kind == error.kind());
    match known {
        Some((_, cause, remedy)) => Fault::Unreadable {
            cause: (*cause).to_owned(),
            remedy,
        },
        None => Fault::Unreadable {
            cause: error.to_string(),
            remedy: "check path and disk",
        },
    }
}

/// Largest catalog.
pub(crate) const MAX_CATALOG: usize = 64 * 1024 * 1024;
const MAX_POLICY_FILE: usize = 16 * 1024 * 1024;
const MAX_DEPTH: usize = 16;
const EVERYBODY_WRITES: u32 = 0o002;

const REASONS: [(io::ErrorKind, &str, &str); 4] = [
    (
        io::ErrorKind::NotFound,
        "it does not exist",
        "check the path, which counts from the configuration file's folder",
    ),
    (
        io::ErrorKind::PermissionDenied,
        "permission denied",
        "let this user read it",
    ),
    (
        io::ErrorKind::IsADirectory,
        "it is a folder",
        "name a file, not a folder",
    ),
    (
        io::ErrorKind::NotADirectory,
        "it is not a folder",
        "name a folder, not a file",
    ),
];

/// `f_type` of statfs(2).
const NETWORK: [(i64, &str); 4] = [
    (0x6969, "NFS"),
    (0x517B, "SMB"),
    (0xFF53_4D42, "CIFS"),
    (0xFE53_4D42, "SMB 2"),
];

#[cfg(test)]
mod tests;

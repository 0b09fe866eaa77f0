//! `cmcp init`: from servers somebody already uses to a catalog, a policy and a configuration.

pub(crate) mod assemble;
pub(crate) mod clients;
pub(crate) mod command;
mod jsonc;
pub(crate) mod servers;
pub(crate) mod starter;

use std::{
    io,
    path::{Path, PathBuf},
};

use cmcp_policy::{
    bundle::{BundleError, PolicyError},
    catalog::CatalogError,
};

use crate::{
    init::{assemble::Assembled, clients::ClientError},
    write,
};

/// Why nothing was written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InitError {
    #[error("the starter bundle is not valid: {0}")]
    Bundle(Box<BundleError>),
    #[error("the catalog is not valid: {0}")]
    Catalog(Box<CatalogError>),
    #[error("{0}")]
    Client(Box<ClientError>),
    #[error("a definition has no canonical form: {0}; leave its server out")]
    Canonical(Box<cmcp_json::CanonError>),
    #[error("{} exists; choose another folder with `--dir`, or add `--force` to replace it", .0.display())]
    Exists(PathBuf),
    #[error("no server answered with anything that can be approved; the reasons are above")]
    Nothing,
    #[error("no server is named; use `--from FILE` or `--server NAME=WHERE`")]
    NoServers,
    #[error("the starter policy does not fit the catalog: {0}")]
    Policy(Box<PolicyError>),
    #[error("`--read-only` names `{name}`, which is none of the tools found: {known}")]
    ReadOnly { name: String, known: String },
    #[error("two servers would be called `{name}`; rename one")]
    Twice { name: String },
    #[error("{}: {error}; check the folder and the rights to it", .path.display())]
    Write { path: PathBuf, error: io::Error },
}

impl From<ClientError> for InitError {
    fn from(error: ClientError) -> Self {
        Self::Client(Box::new(error))
    }
}

impl From<cmcp_json::CanonError> for InitError {
    fn from(error: cmcp_json::CanonError) -> Self {
        Self::Canonical(Box::new(error))
    }
}

/// The files below `dir`.
pub(crate) fn files(dir: &Path, config: &str, assembled: &Assembled) -> Vec<(PathBuf, String)> {
    let mut files = vec![
        (dir.join("cmcp-config.yaml"), config.to_owned()),
        (dir.join("catalog.json"), assembled.catalog_text.clone()),
    ];
    for (path, bytes) in &assembled.bundle_files {
        let text = String::from_utf8_lossy(bytes).into_owned();
        files.push((dir.join("policies").join(path), text));
    }
    files
}

/// Refuses to replace what is there.
pub(crate) fn check_free(files: &[(PathBuf, String)]) -> Result<(), InitError> {
    match files
        .iter()
        .find(|(path, _)| path.symlink_metadata().is_ok())
    {
        Some((path, _)) => Err(InitError::Exists(path.clone())),
        None => Ok(()),
    }
}

/// Writes every file, the configuration last: without it nothing starts.
pub(crate) fn write_all(files: &[(PathBuf, String)]) -> Result<(), InitError> {
    for (path, text) in files.iter().rev() {
        write::replace(path, text).map_err(|error| InitError::Write {
            path: path.clone(),
            error,
        })?;
    }
    Ok(())
}

//! Policy bundle and catalog: read, checked against their pins, and against each other.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use cmcp_gateway::BundleFiles;
use cmcp_policy::{
    Compat,
    bundle::{BundleSignatureError, PolicyBundle, SigningKeys},
    catalog::{Catalog, CatalogError, CatalogErrorKind},
    engine::{Engine, EngineInput},
    sensitivity::Vocabulary,
};

use crate::config::{
    Config,
    fault::{Fault, Problem},
    files, keys,
    pins::Pins,
    values::Values,
};

/// Where the documents are, as far as the file says.
#[derive(Debug)]
pub(crate) struct Sources {
    /// What relative paths count from.
    pub(crate) folder: PathBuf,
    pub(crate) policy: Option<PathBuf>,
    pub(crate) catalog: PathBuf,
    pub(crate) compat: Compat,
}

/// The documents, valid by themselves and together.
#[derive(Debug)]
pub(crate) struct Documents {
    pub(crate) bundle: PolicyBundle,
    pub(crate) catalog: Catalog,
    pub(crate) engine: Engine,
    /// The keys that may sign bundles, less the revoked ones.
    pub(crate) signing: Option<SigningKeys>,
    /// The folder the bundle was read from.
    pub(crate) folder: PathBuf,
}

impl Sources {
    pub(crate) fn of(values: &Values) -> Self {
        Self {
            folder: values.folder().to_owned(),
            policy: values
                .set(&keys::POLICY_BUNDLE_PATH)
                .and_then(|_| values.path(&keys::POLICY_BUNDLE_PATH)),
            catalog: values.path(&keys::CATALOG_PATH).unwrap_or_default(),
            compat: values.pick(&keys::COMPAT, Compat::Off, &[("cmcp-0.7", Compat::V07)]),
        }
    }

    /// The folder the file names; otherwise `policy/`, and `policies/` where there is none.
    fn policy_folder(&self, notices: &mut Vec<String>) -> PathBuf {
        match &self.policy {
            Some(folder) => folder.clone(),
            None => {
                let [first, second] = FOLDERS.map(|name| self.folder.join(name));
                let folder = if !first.is_dir() && second.is_dir() {
                    second
                } else {
                    first
                };
                notices.push(format!(
                    "the policy bundle is read from `{}`",
                    folder.display()
                ));
                folder
            }
        }
    }
}

/// Reads both, and compiles the policies against the catalog. `config` is `None` when it has faults
/// of its own; then what can be checked without it is.
pub(crate) fn load(
    sources: &Sources,
    config: Option<&Config>,
    problems: &mut Vec<Problem>,
    notices: &mut Vec<String>,
) -> Option<Documents> {
    let (vocabulary, pins) = match config {
        Some(config) => (config.vocabulary.clone(), config.pins.clone()),
        None => (Vocabulary::builtin(), Pins::default()),
    };
    let folder = sources.policy_folder(notices);
    let bundle = read_bundle(&folder, sources.compat, problems);
    let catalog = read_catalog(&sources.catalog, &vocabulary, sources.compat, problems);
    let signing = bundle
        .as_ref()
        .and_then(|bundle| check_bundle(&folder, bundle, &pins, problems, notices));
    if let (Some(expected), Some(catalog)) = (pins.catalog, &catalog)
        && expected != catalog.hash()
    {
        let (expected, actual) = (expected.to_string(), catalog.hash().to_string());
        let fault = Fault::CatalogHash { expected, actual };
        problems.push(Problem::file(&sources.catalog, fault));
    }
    let (bundle, catalog) = (bundle?, catalog?);
    let principals = config.map_or_else(Vec::new, Config::known_principals);
    let input = EngineInput {
        bundle: &bundle,
        catalog: &catalog,
        principals: &principals,
        vocabulary: &vocabulary,
        compat: sources.compat,
    };
    match Engine::load(input) {
        Ok((engine, warnings)) => {
            notices.extend(warnings.iter().map(|warning| format!("policy: {warning}")));
            Some(Documents {
                bundle,
                catalog,
                engine,
                signing,
                folder,
            })
        }
        Err(errors) => {
            let faults = errors.into_iter().map(|error| Fault::Policy(error.into()));
            problems.extend(faults.map(|fault| Problem::file(&folder, fault)));
            None
        }
    }
}

/// Reads a bundle from its folder.
pub(crate) fn read_bundle(
    folder: &Path,
    compat: Compat,
    problems: &mut Vec<Problem>,
) -> Option<PolicyBundle> {
    let before = problems.len();
    let files = files::read_tree(folder, is_bundle_file, problems);
    // Without the folder there is one thing to say, not one for every file that is not in it.
    if problems
        .iter()
        .skip(before)
        .any(|problem| problem.fault.is_unreadable())
    {
        return None;
    }
    match PolicyBundle::parse(&files, compat) {
        Ok(bundle) => Some(bundle),
        Err(errors) => {
            let faults = errors.into_iter().map(|error| Fault::Bundle(error.into()));
            problems.extend(faults.map(|fault| Problem::file(folder, fault)));
            None
        }
    }
}

/// Reads a bundle's files again, for a gateway that runs.
pub(crate) fn read_bundle_files(folder: &Path) -> Result<BundleFiles, String> {
    let mut problems = Vec::new();
    let files = files::read_tree(folder, is_bundle_file, &mut problems);
    if problems.is_empty() {
        return Ok(files);
    }
    let texts: Vec<String> = problems.iter().map(ToString::to_string).collect();
    Err(texts.join("; "))
}

/// Reads a catalog of either form.
pub(crate) fn read_catalog(
    path: &Path,
    vocabulary: &Vocabulary,
    compat: Compat,
    problems: &mut Vec<Problem>,
) -> Option<Catalog> {
    let read = match files::read(path, files::MAX_CATALOG) {
        Ok(read) => read,
        Err(problem) => {
            problems.push(problem);
            return None;
        }
    };
    problems.extend(read.problems);
    match Catalog::parse(&read.bytes, vocabulary, compat) {
        Ok(catalog) => Some(catalog),
        Err(errors) => {
            problems.extend(errors.into_iter().map(|error| catalog_problem(path, error)));
            None
        }
    }
}

/// Reads a catalog without the configuration it belongs to: labels and domains that only that
/// configuration declares are taken as they come. Neither the digest nor a definition depends on
/// their ranks.
pub(crate) fn read_catalog_alone(
    path: &Path,
    compat: Compat,
    problems: &mut Vec<Problem>,
) -> Option<Catalog> {
    let read = match files::read(path, files::MAX_CATALOG) {
        Ok(read) => read,
        Err(problem) => {
            problems.push(problem);
            return None;
        }
    };
    let errors = match Catalog::parse(&read.bytes, &Vocabulary::builtin(), compat) {
        Ok(catalog) => return Some(catalog),
        Err(errors) => errors,
    };
    let (mut labels, mut domains) = (BTreeMap::new(), BTreeMap::new());
    for error in &errors {
        if let CatalogErrorKind::Sensitivity { name, .. } = &error.kind {
            labels.insert(name.clone(), 0);
        } else if let CatalogErrorKind::Domain { name, .. } = &error.kind {
            domains.insert(name.clone(), false);
        }
    }
    let vocabulary =
        Vocabulary::extended(labels, domains).unwrap_or_else(|_| Vocabulary::builtin());
    match Catalog::parse(&read.bytes, &vocabulary, compat) {
        Ok(catalog) => Some(catalog),
        Err(errors) => {
            problems.extend(errors.into_iter().map(|error| catalog_problem(path, error)));
            None
        }
    }
}

fn catalog_problem(path: &Path, error: CatalogError) -> Problem {
    match error.line {
        0 => Problem::file(path, Fault::Catalog(error.into())),
        line => Problem::line(path, line, Fault::Catalog(error.into())),
    }
}

fn check_bundle(
    folder: &Path,
    bundle: &PolicyBundle,
    pins: &Pins,
    problems: &mut Vec<Problem>,
    notices: &mut Vec<String>,
) -> Option<SigningKeys> {
    if let Some(expected) = pins.policy.filter(|expected| *expected != bundle.hash()) {
        if expected == bundle.hash_v02() {
            notices.push(format!(
                "the pinned policy digest is the one the Python cMCP 0.2 gave; pin `{}`",
                bundle.hash()
            ));
        }
        let (expected, actual) = (expected.to_string(), bundle.hash().to_string());
        problems.push(Problem::file(
            folder,
            Fault::PolicyHash { expected, actual },
        ));
    }
    let mut keys = match SigningKeys::new(pins.signing_key?, pins.successor_key) {
        Ok(keys) => keys,
        Err(error) => {
            problems.push(Problem::file(folder, Fault::SigningKeys(error)));
            return None;
        }
    };
    if let Some(file) = bundle.revocations() {
        for (place, error) in keys.revoke(file).refused {
            notices.push(format!("policy: revocation {place} is ignored: {error}"));
        }
    }
    if let Err(error) = bundle.verify_signature(&keys) {
        problems.push(Problem::file(folder, Fault::Signature(error)));
    }
    Some(keys)
}

/// Whether a signature's fault is that its key is revoked.
pub(crate) fn is_revoked(error: &BundleSignatureError) -> bool {
    match error {
        BundleSignatureError::AllRevoked | BundleSignatureError::Revoked { .. } => true,
        BundleSignatureError::Encoding
        | BundleSignatureError::Mismatch { .. }
        | BundleSignatureError::Missing => false,
    }
}

fn is_bundle_file(path: &str) -> bool {
    path.ends_with(".cedar")
        || matches!(
            path,
            "manifest.json" | "schema.cedarschema" | "signing-key-revocations.json"
        )
}

const FOLDERS: [&str; 2] = ["policy/", "policies/"];

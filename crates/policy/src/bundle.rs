//! A policy bundle: files in, one hash and the parsed policies out.

mod alias;
mod error;
mod manifest;
pub(crate) mod rule;
mod signing;
mod statement;
mod version;

use std::collections::{BTreeMap, BTreeSet};

use cmcp_evidence::{Sha256Digest, SignatureError};
use cmcp_json::{Form, Object, Value, canonical};

pub use self::error::{BundleError, Cause, Place, PolicyError, Warning};
pub use self::manifest::Manifest;
use self::rule::Reader;
pub(crate) use self::rule::{Rule, merged};
pub use self::signing::{
    BundleSignatureError, KeysError, RevocationError, Revocations, SigningKeys, key_id,
};
pub use self::version::{Version, VersionError};
use crate::Compat;

/// A policy bundle whose files have been read, checked and parsed.
#[derive(Clone, Debug)]
pub struct PolicyBundle {
    manifest: Manifest,
    rules: Vec<Rule>,
    hash: Sha256Digest,
    hash_v02: Sha256Digest,
    revocations: Option<Vec<u8>>,
}

impl PolicyBundle {
    /// Reads a bundle from its files: paths relative to its folder, separated by `/`, and contents.
    /// Files that are no part of a bundle are left alone.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with it.
    pub fn parse(files: &[(String, Vec<u8>)], compat: Compat) -> Result<Self, Vec<BundleError>> {
        let mut errors = Vec::new();
        let parts = Parts::sort(files, compat, &mut errors);
        let manifest = match parts.manifest {
            Some(bytes) => Manifest::parse(bytes)
                .map_err(|found| errors.extend(found))
                .ok(),
            None => {
                errors.push(BundleError::ManifestMissing);
                None
            }
        };
        if parts.schema.is_none() {
            errors.push(BundleError::SchemaMissing);
        }
        if !files.iter().any(|(path, _)| is_policy(path)) {
            errors.push(BundleError::NoPolicies);
        }
        let rules = read(&parts.policies, compat)
            .map_err(|found| errors.extend(found))
            .ok();
        match (manifest, parts.schema, rules) {
            (Some(manifest), Some(schema), Some(rules)) if errors.is_empty() => {
                let content = content(&manifest, &parts.policies, &schema);
                let digest = |form| canonical(&content, form).map(|bytes| Sha256Digest::of(&bytes));
                Ok(Self {
                    hash: digest(Form::Jcs).map_err(|error| vec![error.into()])?,
                    hash_v02: digest(Form::Pyj).map_err(|error| vec![error.into()])?,
                    manifest,
                    rules,
                    revocations: parts.revocations.map(<[u8]>::to_vec),
                })
            }
            _ => Err(errors),
        }
    }

    /// What record, evidence and pin name: the digest over manifest, policies and schema.
    #[must_use]
    pub fn hash(&self) -> Sha256Digest {
        self.hash
    }

    /// The hash that the Python cMCP 0.2 gave the same bundle; another one when the manifest holds
    /// letters beyond ASCII or fractions.
    #[must_use]
    pub fn hash_v02(&self) -> Sha256Digest {
        self.hash_v02
    }

    /// Who wrote it, when, and from what.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The manifest's version, as written.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.manifest.version
    }

    /// The bytes that a signature of this bundle covers.
    #[must_use]
    pub fn signed_bytes(&self) -> Vec<u8> {
        format!("cmcp-policy-bundle-v1|{}", self.hash).into_bytes()
    }

    /// Checks the manifest's signature against the pinned keys, and returns the id of the key that
    /// made it.
    ///
    /// # Errors
    ///
    /// No signature, one that does not hold, or one of a revoked key.
    pub fn verify_signature(
        &self,
        keys: &SigningKeys,
    ) -> Result<Sha256Digest, BundleSignatureError> {
        let text = self
            .manifest
            .signature
            .as_deref()
            .ok_or(BundleSignatureError::Missing)?;
        let signature =
            signing::signature(text).map_err(|_: SignatureError| BundleSignatureError::Encoding)?;
        keys.verify(&self.signed_bytes(), &signature)
    }

    /// Whether this bundle may replace `running`: its version is strictly greater.
    ///
    /// # Errors
    ///
    /// A version that cannot be ordered, or one that is not greater.
    pub fn supersedes(&self, running: &Self) -> Result<(), VersionError> {
        let (ours, theirs) = (
            self.version().parse::<Version>()?,
            running.version().parse::<Version>()?,
        );
        if ours > theirs {
            return Ok(());
        }
        Err(VersionError::NotGreater {
            offered: self.version().to_owned(),
            running: running.version().to_owned(),
        })
    }

    /// The key revocations that came with it; not part of its hash.
    #[must_use]
    pub fn revocations(&self) -> Option<&[u8]> {
        self.revocations.as_deref()
    }

    /// How many policies it holds.
    #[must_use]
    pub fn policies(&self) -> usize {
        self.rules.len()
    }

    pub(crate) fn rules(&self) -> &[Rule] {
        &self.rules
    }
}

/// The files of a bundle, by what they are.
#[derive(Default)]
struct Parts<'a> {
    manifest: Option<&'a [u8]>,
    schema: Option<String>,
    policies: BTreeMap<&'a str, String>,
    revocations: Option<&'a [u8]>,
}

impl<'a> Parts<'a> {
    fn sort(files: &'a [(String, Vec<u8>)], compat: Compat, errors: &mut Vec<BundleError>) -> Self {
        let mut parts = Self::default();
        let mut seen = BTreeSet::new();
        let mut left = MAX_BYTES;
        for (path, bytes) in files {
            let hashed = path == MANIFEST || path == SCHEMA || is_policy(path);
            if !hashed && path != REVOCATIONS {
                continue;
            }
            match left.checked_sub(bytes.len()) {
                Some(rest) => left = rest,
                None => {
                    errors.push(BundleError::TooLarge);
                    return Self::default();
                }
            }
            if !inside(path) {
                errors.push(BundleError::Path { file: path.clone() });
            } else if !seen.insert(path) {
                errors.push(BundleError::Twice { file: path.clone() });
            } else if !hashed {
                parts.revocations = Some(bytes);
            } else if let Some(text) = text(path, bytes, compat, errors) {
                parts.place(path, bytes, text);
            }
        }
        parts
    }

    fn place(&mut self, path: &'a str, bytes: &'a [u8], text: String) {
        match path {
            MANIFEST => self.manifest = Some(bytes),
            SCHEMA => self.schema = Some(text),
            _ => {
                self.policies.insert(path, text);
            }
        }
    }
}

/// What the hash is taken over: the text of a file, with one kind of line end.
fn text(path: &str, bytes: &[u8], compat: Compat, errors: &mut Vec<BundleError>) -> Option<String> {
    let Ok(text) = std::str::from_utf8(bytes) else {
        errors.push(BundleError::Utf8 {
            file: path.to_owned(),
        });
        return None;
    };
    match (text.find('\r'), compat) {
        (None, Compat::Off | Compat::V07) => Some(text.to_owned()),
        (Some(_), Compat::V07) => Some(text.replace("\r\n", "\n").replace('\r', "\n")),
        (Some(at), Compat::Off) => {
            let before = text.get(..at).unwrap_or_default();
            let line = before.matches('\n').count().saturating_add(1);
            errors.push(BundleError::CarriageReturn {
                file: path.to_owned(),
                line,
            });
            None
        }
    }
}

fn read(policies: &BTreeMap<&str, String>, compat: Compat) -> Result<Vec<Rule>, Vec<BundleError>> {
    let mut reader = Reader::new(compat);
    for (file, text) in policies {
        for (index, statement) in statement::split(text).enumerate() {
            if reader.count() >= MAX_POLICIES {
                return Err(vec![BundleError::TooMany]);
            }
            reader.read(file, index, &statement);
        }
    }
    reader.finish()
}

fn content(manifest: &Manifest, policies: &BTreeMap<&str, String>, schema: &str) -> Value {
    let hash = |text: &str| Value::from(Sha256Digest::of(text.as_bytes()).hex());
    let files = policies
        .iter()
        .map(|(path, text)| ((*path).to_owned(), hash(text)));
    Value::Object(Object::from_iter([
        ("manifest".to_owned(), manifest.hashed.clone()),
        ("policy_files".to_owned(), Value::Object(files.collect())),
        ("schema_hash".to_owned(), hash(schema)),
    ]))
}

fn is_policy(path: &str) -> bool {
    path.ends_with(".cedar")
}

fn inside(path: &str) -> bool {
    !path.contains(['\\', '\0']) && path.split('/').all(|name| !matches!(name, "" | "." | ".."))
}

const MANIFEST: &str = "manifest.json";
const SCHEMA: &str = "schema.cedarschema";
const REVOCATIONS: &str = "signing-key-revocations.json";

/// Bytes of all its files.
const MAX_BYTES: usize = 4 << 20;
/// Policies of all its files.
const MAX_POLICIES: usize = 2_000;

#[cfg(test)]
mod tests;

//! A newer policy bundle, taken over while the gateway runs: signed by the pinned key, with a version
//! above the running one's. Whatever is wrong with it, the running one stays.

use std::{fmt, sync::Arc, time::Duration};

use cmcp_evidence::{CollectError, Sha256Digest};
use cmcp_policy::bundle::{
    BundleError, BundleSignatureError, PolicyBundle, SigningKeys, VersionError,
};

use super::{Parts, RulesError, all};
use crate::startup::Gateway;

/// The files of a bundle: paths relative to its folder, separated by `/`, and contents.
pub type BundleFiles = Vec<(String, Vec<u8>)>;

/// Reads a bundle's files each time it is asked; handed in, because the gateway itself reads none.
pub struct BundleSource(Box<dyn Fn() -> Result<BundleFiles, String> + Send + Sync>);

impl BundleSource {
    /// A source that `read` stands behind. It is called off the event loop.
    pub fn new(read: impl Fn() -> Result<BundleFiles, String> + Send + Sync + 'static) -> Self {
        Self(Box::new(read))
    }
}

impl fmt::Debug for BundleSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BundleSource")
    }
}

/// How newer bundles are looked for.
#[derive(Debug)]
pub struct Reload {
    /// How often.
    pub every: Duration,
    /// Where.
    pub source: BundleSource,
}

/// What came of a look.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Looked {
    /// A newer bundle is in force.
    Loaded(Sha256Digest),
    /// The files are those of the running bundle, or have not changed since they were refused.
    Unchanged,
    /// The running bundle stays.
    Refused,
}

/// Why the running bundle stays.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReloadError {
    /// The files cannot be had.
    #[error("its files cannot be read: {0}")]
    Files(String),
    /// It is no bundle.
    #[error("{}", all(.0))]
    Bundle(Vec<BundleError>),
    /// No key is pinned, so nobody could have signed it.
    #[error("no policy signing key is pinned")]
    NoKey,
    /// Its signature.
    #[error("{0}")]
    Signature(#[from] BundleSignatureError),
    /// Its version.
    #[error("{0}")]
    Version(#[from] VersionError),
    /// Its policies do not fit the catalog.
    #[error("{0}")]
    Rules(#[from] RulesError),
    /// No evidence could be had that commits to it.
    #[error("no evidence could be collected that commits to it: {0}")]
    Evidence(#[from] CollectError),
}

impl Gateway {
    /// Looks for a newer bundle, once.
    pub(crate) async fn look_for_bundle(self: &Arc<Self>) -> Looked {
        let files = self.bundle_files().await;
        let these = files.as_ref().map(digest).unwrap_or_default();
        let loaded = match files {
            Ok(files) => self.load_bundle(files).await,
            Err(error) => Err(error),
        };
        match loaded {
            Ok(None) => {
                self.reload_refused.forget();
                Looked::Unchanged
            }
            Ok(Some(hash)) => {
                self.reload_refused.forget();
                self.telemetry.policy_loaded();
                Looked::Loaded(hash)
            }
            // The same files are looked at again and again; one line and one count for them.
            Err(error) if self.reload_refused.is_news(&format!("{these} {error}")) => {
                self.telemetry.policy_refused();
                tracing::error!(why = %error, "a new policy bundle was refused; the running one stays in force");
                Looked::Refused
            }
            Err(_) => Looked::Unchanged,
        }
    }

    /// Takes a newer bundle over; its hash, or nothing when it is the running one.
    async fn load_bundle(
        self: &Arc<Self>,
        files: BundleFiles,
    ) -> Result<Option<Sha256Digest>, ReloadError> {
        let mut parts = self.rulebook.parts.lock().await;
        self.revoke(&mut parts, &files);
        if parts.in_force() != self.rules().bundle {
            // In force before anything else is looked at: the files may hold nothing better.
            let rules = self.make(&parts).await?;
            self.rulebook.replace(rules);
        }
        let running = parts.bundle.hash();
        let (offered, next) = {
            let (parts, compat) = (parts.clone(), self.settings.compat);
            let judged = tokio::task::spawn_blocking(move || {
                let bundle = PolicyBundle::parse(&files, compat).map_err(ReloadError::Bundle)?;
                Ok::<_, ReloadError>((bundle.hash(), succeed(parts, bundle)?))
            });
            judged.await.map_err(|_| RulesError::Broken)??
        };
        let Some(next) = next else {
            return Ok(None);
        };
        let rules = self.make(&next).await?;
        if offered != running {
            self.commit_to(offered).await?;
        }
        self.rulebook.replace(Arc::clone(&rules));
        *parts = next;
        drop(parts);
        tracing::info!(policy = %offered, version = %rules.bundle.version, "a newer policy bundle is in force");
        self.tell_all().await;
        Ok(Some(offered))
    }

    async fn bundle_files(self: &Arc<Self>) -> Result<BundleFiles, ReloadError> {
        let gateway = Arc::clone(self);
        let read = tokio::task::spawn_blocking(move || match &gateway.reload {
            Some(reload) => (reload.source.0)(),
            None => Err("no place to look in is configured".to_owned()),
        });
        read.await
            .map_err(|_| ReloadError::Files("reading them broke down".to_owned()))?
            .map_err(ReloadError::Files)
    }

    /// Applies the revocations among the files.
    fn revoke(&self, parts: &mut Parts, files: &BundleFiles) {
        let file = files.iter().find(|(path, _)| path == REVOCATIONS);
        let (Some((_, bytes)), Some(keys)) = (file, parts.keys.as_mut()) else {
            return;
        };
        let outcome = keys.revoke(bytes);
        let refused: Vec<String> = outcome
            .refused
            .iter()
            .map(|(place, error)| format!("revocation {place}: {error}"))
            .collect();
        if self.revocation_refused.is_news(&refused.join("; ")) && !refused.is_empty() {
            tracing::warn!(why = %refused.join("; "), "key revocations are ignored");
        }
        for key in &outcome.applied {
            tracing::warn!(%key, "a policy signing key is revoked");
        }
    }
}

/// Tells these files from others.
fn digest(files: &BundleFiles) -> String {
    let mut all = Vec::new();
    for (path, bytes) in files {
        for part in [path.as_bytes(), bytes] {
            all.extend_from_slice(Sha256Digest::of(part).as_bytes());
        }
    }
    Sha256Digest::of(&all).to_string()
}

/// What follows when this bundle is offered; nothing when it is the one that runs already.
fn succeed(parts: Parts, offered: PolicyBundle) -> Result<Option<Parts>, ReloadError> {
    let keys: &SigningKeys = parts.keys.as_ref().ok_or(ReloadError::NoKey)?;
    let same = offered.hash() == parts.bundle.hash();
    let trusted = !parts.in_force().is_revoked();
    if same && trusted {
        return Ok(None);
    }
    let signer = offered.verify_signature(keys)?;
    // The running text under a new signature, after its old one was revoked, is no downgrade.
    if !same {
        offered.supersedes(&parts.bundle)?;
    }
    Ok(Some(Parts {
        bundle: Arc::new(offered),
        signer: Some(signer),
        ..parts
    }))
}

/// The part of a bundle that holds revocations.
const REVOCATIONS: &str = "signing-key-revocations.json";

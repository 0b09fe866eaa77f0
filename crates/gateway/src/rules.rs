//! The rules in force, as one value. A call takes it when it starts and keeps it to its end; whatever
//! changes (a newer bundle, an exception that comes or goes) makes another value and leaves this
//! one alone.

mod bundle;
mod exception;

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock},
};

use cmcp_evidence::{Sha256Digest, Timestamp};
use cmcp_mcp::headers::{self, Mirrored};
use cmcp_policy::{
    bundle::{PolicyBundle, PolicyError, SigningKeys},
    catalog::{Approved, Catalog, CatalogError, ItemKind},
    engine::{Engine, EngineInput, Principal},
    mode::Mode,
};
use tokio::sync::mpsc;

use crate::{
    call::Operation,
    oauth::Reachable,
    refusal::Refusal,
    reply::Dialect,
    settings::Settings,
    startup::Gateway,
    upstream::{Checked, Heard, Link, Seat, Upstreams},
};
pub use bundle::{BundleFiles, BundleSource, Reload};
pub(crate) use exception::{Exception, ExceptionError, Wanted};

/// What decides about calls.
#[derive(Debug)]
pub(crate) struct Rules {
    /// Grows with every change.
    pub(crate) generation: u64,
    /// The approved tools, and those that an operator lets through for now.
    pub(crate) catalog: Catalog,
    pub(crate) policy: Engine,
    /// What records say of the policy.
    pub(crate) bundle: InForce,
    /// Exceptions in force, oldest first.
    pub(crate) exceptions: Vec<Arc<Exception>>,
    pub(crate) upstreams: Upstreams,
    /// What tokens could give besides what they give.
    pub(crate) reachable: Reachable,
    listings: [Vec<Listing>; 4],
    mirrored: BTreeMap<String, Vec<Mirrored>>,
}

/// What records say of the policy bundle in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct InForce {
    /// Its hash.
    pub(crate) hash: Sha256Digest,
    /// Its version.
    pub(crate) version: String,
    /// Whose signature it carries, where a key is pinned.
    pub(crate) signed: Option<Signed>,
}

/// The signature of a bundle, as records tell of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Signed {
    /// Id of the key.
    pub(crate) key: Sha256Digest,
    /// Ids of the keys revoked so far.
    pub(crate) revoked: Vec<Sha256Digest>,
}

impl InForce {
    /// Whether the key that signed it was revoked since: then it may decide nothing any more.
    pub(crate) fn is_revoked(&self) -> bool {
        self.signed
            .as_ref()
            .is_some_and(|signed| signed.revoked.contains(&signed.key))
    }
}

/// Why rules cannot come into force.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RulesError {
    /// The catalog with an exception in it.
    #[error("{}", all(.0))]
    Catalog(Vec<CatalogError>),
    /// The policies, held against the catalog.
    #[error("{}", all(.0))]
    Policy(Vec<PolicyError>),
    /// A tool's schema asks for headers that cannot be.
    #[error("tool `{tool}`: {cause}")]
    Mirrored {
        /// The tool.
        tool: String,
        /// What is wrong.
        cause: String,
    },
    /// Making them broke down.
    #[error("the rules could not be made")]
    Broken,
}

/// What rules are made of.
#[derive(Clone, Debug)]
pub(crate) struct Parts {
    /// What a person approved; exceptions are no part of it.
    approved: Arc<Catalog>,
    bundle: Arc<PolicyBundle>,
    keys: Option<SigningKeys>,
    signer: Option<Sha256Digest>,
    exceptions: Vec<Arc<Exception>>,
    links: Vec<Arc<Link>>,
    // Links of ended exceptions, closed once no call uses them any more.
    retired: Vec<Arc<Link>>,
    next_link: u64,
    // Where links pass on what servers say unasked.
    heard: mpsc::Sender<Heard>,
}

impl Parts {
    /// What was loaded at start.
    pub(crate) fn new(
        catalog: Catalog,
        bundle: PolicyBundle,
        keys: Option<SigningKeys>,
        links: Vec<Arc<Link>>,
        heard: mpsc::Sender<Heard>,
    ) -> Result<Self, cmcp_policy::bundle::BundleSignatureError> {
        let signer = match &keys {
            Some(keys) => Some(bundle.verify_signature(keys)?),
            None => None,
        };
        Ok(Self {
            approved: Arc::new(catalog),
            bundle: Arc::new(bundle),
            keys,
            signer,
            exceptions: Vec::new(),
            next_link: u64::try_from(links.len()).unwrap_or(u64::MAX),
            links,
            retired: Vec::new(),
            heard,
        })
    }

    fn in_force(&self) -> InForce {
        InForce {
            hash: self.bundle.hash(),
            version: self.bundle.version().to_owned(),
            signed: self
                .signer
                .zip(self.keys.as_ref())
                .map(|(key, keys)| Signed {
                    key,
                    revoked: keys.revoked_ids(),
                }),
        }
    }

    fn catalog(&self) -> Result<Catalog, RulesError> {
        let mut catalog = Catalog::clone(&self.approved);
        for exception in &self.exceptions {
            catalog = exception.added_to(&catalog).map_err(RulesError::Catalog)?;
        }
        Ok(catalog)
    }

    fn engine(&self, catalog: &Catalog, settings: &Settings) -> Result<Engine, RulesError> {
        let principals = settings.known_principals();
        let input = EngineInput {
            bundle: &self.bundle,
            catalog,
            principals: &principals,
            vocabulary: &settings.vocabulary,
            compat: settings.compat,
        };
        let (engine, warnings) = Engine::load(input).map_err(RulesError::Policy)?;
        for warning in warnings {
            tracing::warn!("policy: {warning}");
        }
        Ok(engine)
    }
}

impl Rules {
    /// The rules that a gateway starts with.
    pub(crate) fn first(
        parts: &Parts,
        engine: Engine,
        settings: &Settings,
    ) -> Result<Self, RulesError> {
        let catalog = Catalog::clone(&parts.approved);
        let upstreams = Upstreams::new(&parts.links, &catalog, settings.drift_policy)
            .ok_or(RulesError::Broken)?;
        Self::of(parts, catalog, (engine, settings), upstreams)
    }

    /// The rules that follow these.
    fn next(&self, parts: &Parts, settings: &Settings) -> Result<Self, RulesError> {
        let catalog = parts.catalog()?;
        let engine = parts.engine(&catalog, settings)?;
        let upstreams = self
            .upstreams
            .next(&self.catalog, &parts.links, &catalog)
            .ok_or(RulesError::Broken)?;
        let next = Self::of(parts, catalog, (engine, settings), upstreams)?;
        Ok(Self {
            generation: self.generation.saturating_add(1),
            ..next
        })
    }

    fn of(
        parts: &Parts,
        catalog: Catalog,
        (policy, settings): (Engine, &Settings),
        upstreams: Upstreams,
    ) -> Result<Self, RulesError> {
        Ok(Self {
            generation: 1,
            reachable: Reachable::of(&policy, settings.oauth.as_ref()),
            listings: KINDS.map(|kind| catalog.items(kind).map(Listing::of).collect()),
            mirrored: mirrored(&catalog)?,
            bundle: parts.in_force(),
            exceptions: parts.exceptions.clone(),
            catalog,
            policy,
            upstreams,
        })
    }

    /// The item that is wanted, by its exact name, unless it is an exception whose time is over.
    pub(crate) fn item(&self, wanted: &Operation, now: Timestamp) -> Option<&Approved> {
        let name = wanted.target.as_str();
        match wanted.kind {
            ItemKind::Tool => {
                let tool = self.catalog.tool(name)?;
                let over = self.exception(tool).is_some_and(|e| e.is_over(now));
                (!over).then_some(tool)
            }
            ItemKind::Prompt => self.catalog.prompt(name),
            ItemKind::Resource => self.catalog.resource(name),
            ItemKind::ResourceTemplate => self
                .catalog
                .items(ItemKind::ResourceTemplate)
                .find(|template| template.name == name),
        }
    }

    /// The exception that lets a tool through.
    pub(crate) fn exception(&self, tool: &Approved) -> Option<&Arc<Exception>> {
        if !tool.is_exception() {
            return None;
        }
        self.exceptions
            .iter()
            .find(|exception| exception.tools.contains(&tool.name))
    }

    /// Compares an item with what its server offers on this seat now.
    pub(crate) async fn check(&self, item: &Approved, seat: &Seat) -> Result<Checked, Refusal> {
        self.upstreams.check(&self.catalog, item, seat).await
    }

    /// Refuses to decide by a bundle whose signing key was revoked.
    pub(crate) fn trusted(&self) -> Result<(), Refusal> {
        if self.bundle.is_revoked() {
            Err(Refusal::PolicyRevoked)
        } else {
            Ok(())
        }
    }

    /// Whether any use of this item by this principal could be permitted, with the token it has or
    /// with one that gives more.
    pub(crate) fn visible(&self, principal: &Principal, item: &Approved) -> bool {
        self.reachable.visible(&self.policy, principal, item)
    }

    /// What a list shows of each item of a kind that this principal may ever have, in the catalog's
    /// order, with the item. Modes that let denied calls pass hide nothing.
    pub(crate) fn listings(
        &self,
        (kind, dialect): (ItemKind, Dialect),
        principal: &Principal,
        mode: Mode,
        now: Timestamp,
    ) -> impl Iterator<Item = (&Approved, &[u8])> {
        let [tools, resources, templates, prompts] = &self.listings;
        let listings = match kind {
            ItemKind::Tool => tools,
            ItemKind::Resource => resources,
            ItemKind::ResourceTemplate => templates,
            ItemKind::Prompt => prompts,
        };
        self.catalog
            .items(kind)
            .zip(listings)
            .filter(move |(item, _)| {
                let over = self.exception(item).is_some_and(|e| e.is_over(now));
                !over && (!mode.refuses() || self.visible(principal, item))
            })
            .map(move |(item, listing)| (item, listing.to(dialect)))
    }

    /// The arguments of a tool that a modern client repeats in headers; none for a tool this
    /// principal may not see.
    pub(crate) fn mirrored(
        &self,
        principal: &Principal,
        mode: Mode,
        tool: &str,
    ) -> Option<&[Mirrored]> {
        let approved = self.catalog.tool(tool)?;
        let seen = !mode.refuses() || self.visible(principal, approved);
        self.mirrored.get(tool).filter(|_| seen).map(Vec::as_slice)
    }
}

/// What lists show of an item.
#[derive(Debug)]
struct Listing {
    legacy: Vec<u8>,
    modern: Vec<u8>,
}

impl Listing {
    fn of(item: &Approved) -> Self {
        let listing = item.listing();
        let without = |names: &[&str]| {
            let mut listing = listing.clone();
            if let Some(members) = listing.as_object_mut() {
                for name in names {
                    members.remove(name);
                }
            }
            listing.to_vec()
        };
        let schema = item.output_schema().filter(|_| item.kind == ItemKind::Tool);
        let odd = schema.is_some_and(|schema| {
            let kind = schema.get("type").and_then(cmcp_json::Value::as_str);
            kind.is_some_and(|kind| kind != "object")
        });
        Self {
            // Clients of the legacy era know structured results that are objects.
            legacy: without(if odd { &["outputSchema"] } else { &[] }),
            modern: without(&["execution"]),
        }
    }

    fn to(&self, dialect: Dialect) -> &[u8] {
        match dialect {
            Dialect::Compat | Dialect::Legacy => &self.legacy,
            Dialect::Modern => &self.modern,
        }
    }
}

/// The order of [`Rules::listings`].
const KINDS: [ItemKind; 4] = [
    ItemKind::Tool,
    ItemKind::Resource,
    ItemKind::ResourceTemplate,
    ItemKind::Prompt,
];

/// The rules in force, and the one place where they change.
#[derive(Debug)]
pub(crate) struct Rulebook {
    current: RwLock<Arc<Rules>>,
    // One change at a time; a reader never waits for it.
    parts: tokio::sync::Mutex<Parts>,
}

impl Rulebook {
    pub(crate) fn new(rules: Rules, parts: Parts) -> Self {
        Self {
            current: RwLock::new(Arc::new(rules)),
            parts: tokio::sync::Mutex::new(parts),
        }
    }

    /// The rules in force now.
    pub(crate) fn current(&self) -> Arc<Rules> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Ends every upstream, its process included.
    pub(crate) async fn close(&self) {
        let parts = self.parts.lock().await;
        for link in parts.links.iter().chain(&parts.retired) {
            link.close().await;
        }
    }

    /// While this is held, the rules do not change.
    pub(crate) async fn hold(&self) -> tokio::sync::MutexGuard<'_, Parts> {
        self.parts.lock().await
    }

    fn replace(&self, rules: Arc<Rules>) {
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = rules;
    }
}

impl Gateway {
    /// The rules in force now.
    pub(crate) fn rules(&self) -> Arc<Rules> {
        self.rulebook.current()
    }

    /// Makes the rules of these parts, off the event loop. Nothing is in force yet.
    async fn make(self: &Arc<Self>, parts: &Parts) -> Result<Arc<Rules>, RulesError> {
        let (gateway, parts) = (Arc::clone(self), parts.clone());
        let made =
            tokio::task::spawn_blocking(move || gateway.rules().next(&parts, &gateway.settings));
        made.await.map_err(|_| RulesError::Broken)?.map(Arc::new)
    }
}

fn mirrored(catalog: &Catalog) -> Result<BTreeMap<String, Vec<Mirrored>>, RulesError> {
    let mut table = BTreeMap::new();
    for tool in catalog.tools() {
        let Some(schema) = tool.input_schema() else {
            continue;
        };
        let found = headers::mirrored(schema).map_err(|e| RulesError::Mirrored {
            tool: tool.name.clone(),
            cause: e.to_string(),
        })?;
        if !found.is_empty() {
            table.insert(tool.name.clone(), found);
        }
    }
    Ok(table)
}

fn all<E: std::fmt::Display>(errors: &[E]) -> String {
    let texts: Vec<String> = errors.iter().map(ToString::to_string).collect();
    texts.join("; ")
}

#[cfg(test)]
mod tests;

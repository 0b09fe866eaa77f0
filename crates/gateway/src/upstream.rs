//! Upstreams: one client per approved server, and what it last offered compared with what was
//! approved. Text from a live listing goes no further than the comparison.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use cmcp_evidence::Sha256Digest;
use cmcp_mcp::upstream::{Listing, Observed, Server, ToolCall, ToolReply, UpstreamError};
use cmcp_policy::catalog::{Approved, Catalog, ServerSpec};
use cmcp_record::audit::{Page, Text};

use crate::{refusal::Refusal, settings::DriftPolicy};

/// All upstreams of one generation of the rules, in the catalog's order of servers.
#[derive(Debug)]
pub(crate) struct Upstreams {
    list: Vec<Upstream>,
    drift_policy: DriftPolicy,
}

/// One upstream, and how its last listing compares with these rules' catalog.
#[derive(Debug)]
pub(crate) struct Upstream {
    link: Arc<Link>,
    offered: Mutex<Option<Arc<Offered>>>,
}

/// The client of one server. It outlives the rules: the next ones use it too.
pub(crate) struct Link {
    /// Never given to another link.
    pub(crate) id: u64,
    spec: ServerSpec,
    server: Arc<dyn Server>,
    // One listing at a time; the others wait for its result.
    listing: tokio::sync::Mutex<()>,
    used: AtomicBool,
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Link")
            .field("name", &self.spec.name)
            .finish_non_exhaustive()
    }
}

impl Link {
    pub(crate) fn new(id: u64, spec: ServerSpec, server: Arc<dyn Server>) -> Self {
        Self {
            id,
            spec,
            server,
            listing: tokio::sync::Mutex::new(()),
            used: AtomicBool::new(false),
        }
    }

    /// The server, as the catalog describes it.
    pub(crate) fn spec(&self) -> &ServerSpec {
        &self.spec
    }

    /// Ends it, its process included.
    pub(crate) async fn close(&self) {
        self.server.close().await;
    }
}

/// A complete listing, reduced to what the comparison and the log need.
#[derive(Debug)]
pub(crate) struct Offered {
    pub(crate) generation: u64,
    listed_at: Instant,
    /// Digests of the result pages as received, in order.
    pub(crate) pages: Vec<Page>,
    /// Whether the last page was reached.
    pub(crate) complete: bool,
    tools: HashMap<String, Found>,
}

/// One approved tool in a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// As approved.
    Same,
    /// Differs.
    Changed {
        /// The digest of what is offered now; none when it cannot be hashed.
        now: Option<Sha256Digest>,
        /// Where it differs, and how; never what stands there.
        places: Vec<String>,
    },
    /// Not offered any more.
    Missing,
    /// Offered twice under one name.
    Twice,
}

/// What comparing said for one call.
#[derive(Debug)]
pub(crate) struct Checked {
    pub(crate) offered: Arc<Offered>,
    /// The link that was listed.
    pub(crate) link: u64,
    /// Drift that configuration lets pass, for the log.
    pub(crate) tolerated: Option<Drift>,
}

/// A tool that is not what was approved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Drift {
    /// The server's name in the catalog.
    pub(crate) server: String,
    /// The tool, as callers know it.
    pub(crate) tool: String,
    /// Digest of the approved definition.
    pub(crate) approved: Sha256Digest,
    /// Digest of what is offered, where there is one.
    pub(crate) offered: Option<Sha256Digest>,
    /// Where what is offered differs, and how.
    pub(crate) places: Vec<String>,
    how: &'static str,
}

impl std::fmt::Display for Drift {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.offered {
            Some(offered) => write!(f, "approved {}, offered {offered}", self.approved),
            None => f.write_str(self.how),
        }
    }
}

impl Upstreams {
    /// One for each server of the catalog; none where a server has no link.
    pub(crate) fn new(
        links: &[Arc<Link>],
        catalog: &Catalog,
        drift_policy: DriftPolicy,
    ) -> Option<Self> {
        let of = |spec: &ServerSpec| {
            let link = links.iter().find(|link| link.spec == *spec)?;
            Some(Upstream {
                link: Arc::clone(link),
                offered: Mutex::new(None),
            })
        };
        let list = catalog.servers().iter().map(of).collect::<Option<_>>()?;
        Some(Self { list, drift_policy })
    }

    /// Those of the next rules. What a server was seen to offer still holds where the catalog asks
    /// the same tools of it.
    pub(crate) fn next(&self, old: &Catalog, links: &[Arc<Link>], new: &Catalog) -> Option<Self> {
        let next = Self::new(links, new, self.drift_policy)?;
        for (index, (before, after)) in self.list.iter().zip(&next.list).enumerate() {
            if Arc::ptr_eq(&before.link, &after.link) && asked(old, index) == asked(new, index) {
                *after.offered.lock().unwrap_or_else(PoisonError::into_inner) = before.last();
            }
        }
        Some(next)
    }

    /// What is known of the server a tool belongs to.
    pub(crate) fn observed(&self, tool: &Approved) -> Option<Observed> {
        self.list
            .get(tool.server)
            .map(|upstream| upstream.link.server.observed())
    }

    /// Compares the tool with what its server offers now.
    pub(crate) async fn check(
        &self,
        catalog: &Catalog,
        tool: &Approved,
    ) -> Result<Checked, Refusal> {
        let upstream = self.of(tool)?;
        upstream.link.used.store(true, Ordering::Relaxed);
        let offered = match upstream.fresh() {
            Some(offered) => offered,
            None => match upstream.list(tool.server, catalog).await {
                Ok(offered) => offered,
                Err(error @ (UpstreamError::Connect { .. } | UpstreamError::Spawn { .. })) => {
                    return Err(Refusal::Upstream(error));
                }
                Err(error) => return Err(Refusal::Unchecked(error.to_string())),
            },
        };
        let (how, now, places) = match offered.found(&tool.upstream_name) {
            Found::Same => return Ok(upstream.checked(offered, None)),
            Found::Changed { now, places } => {
                ("the offered definition cannot be hashed", now, places)
            }
            Found::Missing => ("not offered any more", None, Vec::new()),
            Found::Twice => ("offered twice under one name", None, Vec::new()),
        };
        let drift = Drift {
            server: upstream.link.spec.name.clone(),
            tool: tool.name.clone(),
            approved: tool.digest,
            offered: now,
            places,
            how,
        };
        match self.drift_policy {
            DriftPolicy::FailClosed => Err(Refusal::Drift(Box::new(drift))),
            DriftPolicy::WarnOnly => Ok(upstream.checked(offered, Some(drift))),
        }
    }

    /// Sends a permitted call.
    pub(crate) async fn dispatch(
        &self,
        tool: &Approved,
        call: ToolCall,
    ) -> Result<ToolReply, Refusal> {
        self.of(tool)?
            .link
            .server
            .call(call)
            .await
            .map_err(Refusal::of_upstream)
    }

    /// Lists again every upstream that was used since the last time, so that a change is seen
    /// even by those that announce none; returns the tools that drifted.
    pub(crate) async fn recheck(&self, catalog: &Catalog) -> Vec<(String, Found)> {
        let mut drifted = Vec::new();
        for (index, upstream) in self.list.iter().enumerate() {
            if !upstream.link.used.swap(false, Ordering::Relaxed) {
                continue;
            }
            if let Ok(offered) = upstream.list(index, catalog).await {
                let changed = offered
                    .tools
                    .iter()
                    .filter(|(_, found)| **found != Found::Same);
                drifted.extend(changed.map(|(name, found)| (name.clone(), found.clone())));
            }
        }
        drifted
    }

    fn of(&self, tool: &Approved) -> Result<&Upstream, Refusal> {
        self.list
            .get(tool.server)
            .ok_or(Refusal::Fault("the catalog names no such server"))
    }
}

impl Upstream {
    fn checked(&self, offered: Arc<Offered>, tolerated: Option<Drift>) -> Checked {
        Checked {
            offered,
            link: self.link.id,
            tolerated,
        }
    }

    fn last(&self) -> Option<Arc<Offered>> {
        self.offered
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn fresh(&self) -> Option<Arc<Offered>> {
        let offered = self.last()?;
        let current = offered.generation == self.link.server.generation();
        (current && offered.listed_at.elapsed() < MAX_AGE).then_some(offered)
    }

    async fn list(&self, index: usize, catalog: &Catalog) -> Result<Arc<Offered>, UpstreamError> {
        let asked = Instant::now();
        let _one = self.link.listing.lock().await;
        if let Some(offered) = self.fresh().filter(|o| o.listed_at >= asked) {
            return Ok(offered);
        }
        let listing = self.link.server.list().await?;
        let offered = Arc::new(Offered::compare(index, catalog, &listing));
        if let Some((name, _)) = offered
            .tools
            .iter()
            .find(|(_, found)| **found != Found::Same)
        {
            let upstream = &self.link.spec.name;
            tracing::warn!(%upstream, tool = %name, "the upstream's definition differs from the approved one");
        }
        *self.offered.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&offered));
        Ok(offered)
    }
}

impl Offered {
    fn compare(index: usize, catalog: &Catalog, listing: &Listing) -> Self {
        let tools = catalog
            .tools()
            .iter()
            .filter(|tool| tool.server == index)
            .map(|tool| (tool.upstream_name.clone(), compare(tool, listing)))
            .collect();
        let pages = listing
            .pages
            .iter()
            .map(|page| Page {
                digest: Sha256Digest::of(&page.bytes),
                cursor: page.cursor.as_deref().map(Text::new),
            })
            .collect();
        Self {
            generation: listing.generation,
            listed_at: Instant::now(),
            pages,
            complete: listing.complete,
            tools,
        }
    }

    fn found(&self, upstream_name: &str) -> Found {
        self.tools
            .get(upstream_name)
            .cloned()
            .unwrap_or(Found::Missing)
    }
}

/// The tools that a catalog asks of one server, by the server's own names.
fn asked(catalog: &Catalog, server: usize) -> Vec<&str> {
    let of = |tool: &&Approved| tool.server == server;
    let tools = catalog.tools().iter().filter(of);
    tools.map(|tool| tool.upstream_name.as_str()).collect()
}

fn compare(tool: &Approved, listing: &Listing) -> Found {
    let named = |offered: &&cmcp_json::Value| {
        offered.get("name").and_then(cmcp_json::Value::as_str) == Some(tool.upstream_name.as_str())
    };
    let mut offered = listing.tools.iter().filter(named);
    match (offered.next(), offered.next()) {
        (None, _) => Found::Missing,
        (Some(_), Some(_)) => Found::Twice,
        (Some(one), None) => match tool.offered_digest(one) {
            Ok(digest) if digest == tool.digest => Found::Same,
            digest => Found::Changed {
                now: digest.ok(),
                places: places(tool, one),
            },
        },
    }
}

fn places(tool: &Approved, offered: &cmcp_json::Value) -> Vec<String> {
    let differences = tool.differences(offered);
    differences
        .iter()
        .map(|place| format!("{} {}", place.change, place.pointer))
        .collect()
}

/// A listing older than this is taken again before the next call.
const MAX_AGE: Duration = Duration::from_secs(60);
/// Used upstreams are listed again this often, so that calls rarely wait for it.
pub(crate) const RECHECK_EVERY: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests;

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
use cmcp_policy::catalog::{Approved, Catalog};
use cmcp_record::audit::{Page, Text};

use crate::{refusal::Refusal, settings::DriftPolicy};

/// All upstreams, in the catalog's order of servers.
#[derive(Debug)]
pub(crate) struct Upstreams {
    list: Vec<Upstream>,
    drift_policy: DriftPolicy,
}

/// One upstream.
pub(crate) struct Upstream {
    name: String,
    server: Arc<dyn Server>,
    offered: Mutex<Option<Arc<Offered>>>,
    // One listing at a time; the others wait for its result.
    listing: tokio::sync::Mutex<()>,
    used: AtomicBool,
}

impl std::fmt::Debug for Upstream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Upstream")
            .field("name", &self.name)
            .finish_non_exhaustive()
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
    /// Differs; the digest of what is offered now, none when it cannot be hashed.
    Changed(Option<Sha256Digest>),
    /// Not offered any more.
    Missing,
    /// Offered twice under one name.
    Twice,
}

/// What comparing said for one call.
#[derive(Debug)]
pub(crate) struct Checked {
    pub(crate) offered: Arc<Offered>,
    /// Drift that configuration lets pass, for the log.
    pub(crate) tolerated: Option<String>,
}

impl Upstreams {
    pub(crate) fn new(servers: Vec<(String, Arc<dyn Server>)>, drift_policy: DriftPolicy) -> Self {
        let list = servers
            .into_iter()
            .map(|(name, server)| Upstream {
                name,
                server,
                offered: Mutex::new(None),
                listing: tokio::sync::Mutex::new(()),
                used: AtomicBool::new(false),
            })
            .collect();
        Self { list, drift_policy }
    }

    /// What is known of the server a tool belongs to.
    pub(crate) fn observed(&self, tool: &Approved) -> Option<Observed> {
        self.list
            .get(tool.server)
            .map(|upstream| upstream.server.observed())
    }

    /// Compares the tool with what its server offers now.
    pub(crate) async fn check(
        &self,
        catalog: &Catalog,
        tool: &Approved,
    ) -> Result<Checked, Refusal> {
        let upstream = self.of(tool)?;
        upstream.used.store(true, Ordering::Relaxed);
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
        let drift = match offered.found(&tool.upstream_name) {
            Found::Same => None,
            Found::Changed(Some(now)) => Some(format!("approved {}, offered {now}", tool.digest)),
            Found::Changed(None) => Some("the offered definition cannot be hashed".to_owned()),
            Found::Missing => Some("not offered any more".to_owned()),
            Found::Twice => Some("offered twice under one name".to_owned()),
        };
        match (drift, self.drift_policy) {
            (Some(what), DriftPolicy::FailClosed) => Err(Refusal::Drift(what)),
            (tolerated, _) => Ok(Checked { offered, tolerated }),
        }
    }

    /// Sends a permitted call.
    pub(crate) async fn dispatch(
        &self,
        tool: &Approved,
        call: ToolCall,
    ) -> Result<ToolReply, Refusal> {
        self.of(tool)?
            .server
            .call(call)
            .await
            .map_err(|error| match error {
                UpstreamError::TooLarge { limit } => Refusal::ResponseTooLarge { limit },
                error => Refusal::Upstream(error),
            })
    }

    /// Lists again every upstream that was used since the last time, so that a change is seen
    /// even by those that announce none; returns the tools that drifted.
    pub(crate) async fn recheck(&self, catalog: &Catalog) -> Vec<(String, Found)> {
        let mut drifted = Vec::new();
        for (index, upstream) in self.list.iter().enumerate() {
            if !upstream.used.swap(false, Ordering::Relaxed) {
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

    /// Ends every upstream, its process included.
    pub(crate) async fn close(&self) {
        for upstream in &self.list {
            upstream.server.close().await;
        }
    }

    fn of(&self, tool: &Approved) -> Result<&Upstream, Refusal> {
        self.list
            .get(tool.server)
            .ok_or(Refusal::Fault("the catalog names no such server"))
    }
}

impl Upstream {
    fn fresh(&self) -> Option<Arc<Offered>> {
        let offered = self
            .offered
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()?;
        let current = offered.generation == self.server.generation();
        (current && offered.listed_at.elapsed() < MAX_AGE).then_some(offered)
    }

    async fn list(&self, index: usize, catalog: &Catalog) -> Result<Arc<Offered>, UpstreamError> {
        let asked = Instant::now();
        let _one = self.listing.lock().await;
        if let Some(offered) = self.fresh().filter(|o| o.listed_at >= asked) {
            return Ok(offered);
        }
        let listing = self.server.list().await?;
        let offered = Arc::new(Offered::compare(index, catalog, &listing));
        if let Some((name, _)) = offered
            .tools
            .iter()
            .find(|(_, found)| **found != Found::Same)
        {
            tracing::warn!(upstream = %self.name, tool = %name, "the upstream's definition differs from the approved one");
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
            Ok(digest) => Found::Changed(Some(digest)),
            Err(_) => Found::Changed(None),
        },
    }
}

/// A listing older than this is taken again before the next call.
const MAX_AGE: Duration = Duration::from_secs(60);
/// Used upstreams are listed again this often, so that calls rarely wait for it.
pub(crate) const RECHECK_EVERY: Duration = Duration::from_secs(30);

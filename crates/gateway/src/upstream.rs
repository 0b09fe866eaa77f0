//! Upstreams: the approved servers, and what each of their clients was last offered compared with what
//! was approved. Text from a live listing goes no further than the comparison.

mod seat;

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use cmcp_evidence::Sha256Digest;
use cmcp_mcp::upstream::{Kind, Listing, Observed, UpstreamError};
use cmcp_policy::catalog::{Approved, Catalog, ItemKind, ServerSpec};
use cmcp_record::audit::{Page, Text};

use crate::{refusal::Refusal, settings::DriftPolicy};
pub(crate) use seat::{Heard, Lease, Link, NO_CAPABILITIES, Seat};

/// All upstreams of one generation of the rules, in the catalog's order of servers.
#[derive(Debug)]
pub(crate) struct Upstreams {
    list: Vec<Upstream>,
    drift_policy: DriftPolicy,
}

/// One upstream, and how the last listing of each of its seats compares with these rules' catalog.
#[derive(Debug)]
pub(crate) struct Upstream {
    link: Arc<Link>,
    offered: Mutex<HashMap<(u64, Kind), Arc<Offered>>>,
    // What a seat was found to be offered otherwise than before, announced or not.
    changed: Mutex<BTreeSet<Kind>>,
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
    items: HashMap<String, Found>,
}

/// One approved item in a listing.
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
    /// Which listing it is: of which seat, and of what.
    pub(crate) listing: (u64, Kind),
    /// Drift that configuration lets pass, for the log.
    pub(crate) tolerated: Option<Drift>,
}

/// An item that is not what was approved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Drift {
    /// The server's name in the catalog.
    pub(crate) server: String,
    /// The tool, prompt or resource, as callers know it.
    pub(crate) tool: String,
    /// Digest of the approved definition.
    pub(crate) approved: Sha256Digest,
    /// Digest of what is offered, where there is one.
    pub(crate) offered: Option<Sha256Digest>,
    /// Where what is offered differs, and how.
    pub(crate) places: Vec<String>,
    /// What it is.
    pub(crate) kind: ItemKind,
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
            let link = links.iter().find(|link| link.spec() == spec)?;
            Some(Upstream {
                link: Arc::clone(link),
                offered: Mutex::default(),
                changed: Mutex::default(),
            })
        };
        let list = catalog.servers().iter().map(of).collect::<Option<_>>()?;
        Some(Self { list, drift_policy })
    }

    /// Those of the next rules. What a server was seen to offer still holds where the catalog asks
    /// the same of it.
    pub(crate) fn next(&self, old: &Catalog, links: &[Arc<Link>], new: &Catalog) -> Option<Self> {
        let next = Self::new(links, new, self.drift_policy)?;
        for (index, (before, after)) in self.list.iter().zip(&next.list).enumerate() {
            if Arc::ptr_eq(&before.link, &after.link) && asked(old, index) == asked(new, index) {
                after.table().clone_from(&before.table());
            }
        }
        Some(next)
    }

    /// The lists that were found to be others than the last time, each with its link, since this was
    /// last asked. A server that was only reached anew, and offers what it did, is none of them.
    pub(crate) fn take_changed(&self) -> Vec<(u64, Kind)> {
        let of = |upstream: &Upstream| {
            let mut changed = upstream
                .changed
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            let link = upstream.link.id;
            std::mem::take(&mut *changed)
                .into_iter()
                .map(move |kind| (link, kind))
        };
        self.list.iter().flat_map(of).collect()
    }

    /// What is known of a server without asking it.
    pub(crate) fn observed(&self, server: usize) -> Option<Observed> {
        self.list
            .get(server)
            .map(|upstream| upstream.link.observed())
    }

    /// The link to a server.
    pub(crate) fn link(&self, server: usize) -> Option<&Arc<Link>> {
        self.list.get(server).map(|upstream| &upstream.link)
    }

    /// Where in the catalog the server of a link stands.
    pub(crate) fn server_of(&self, link: u64) -> Option<usize> {
        self.list
            .iter()
            .position(|upstream| upstream.link.id == link)
    }

    /// Compares an item with what its server offers on this seat now.
    pub(crate) async fn check(
        &self,
        catalog: &Catalog,
        item: &Approved,
        seat: &Seat,
    ) -> Result<Checked, Refusal> {
        let upstream = self.of(item.server)?;
        let kind = kind_of(item.kind);
        let offered = match upstream.fresh(seat, kind) {
            Some(offered) => offered,
            None => match upstream.list((item.server, catalog), seat, kind).await {
                Ok(offered) => offered,
                Err(error @ (UpstreamError::Connect { .. } | UpstreamError::Spawn { .. })) => {
                    return Err(Refusal::Upstream(error));
                }
                Err(error) => return Err(Refusal::Unchecked(error.to_string())),
            },
        };
        let listing = (seat.id, kind);
        let (how, now, places) = match offered.found(&item.upstream_name) {
            Found::Same => {
                return Ok(Checked {
                    offered,
                    listing,
                    tolerated: None,
                });
            }
            Found::Changed { now, places } => {
                ("the offered definition cannot be hashed", now, places)
            }
            Found::Missing => ("not offered any more", None, Vec::new()),
            Found::Twice => ("offered twice under one name", None, Vec::new()),
        };
        let drift = Drift {
            server: upstream.link.spec().name.clone(),
            tool: item.name.clone(),
            approved: item.digest,
            offered: now,
            places,
            kind: item.kind,
            how,
        };
        match self.drift_policy {
            DriftPolicy::FailClosed => Err(Refusal::Drift(Box::new(drift))),
            DriftPolicy::WarnOnly => Ok(Checked {
                offered,
                listing,
                tolerated: Some(drift),
            }),
        }
    }

    /// Lists again, on every seat that was used since the last time, what was listed there before, so
    /// that a change is seen even by those that announce none; returns the items that drifted.
    pub(crate) async fn recheck(&self, catalog: &Catalog) -> Vec<(String, Found)> {
        let mut drifted = Vec::new();
        for (index, upstream) in self.list.iter().enumerate() {
            for seat in upstream.link.seats() {
                if !seat.was_used() {
                    continue;
                }
                for kind in upstream.listed_kinds(&seat) {
                    if let Ok(offered) = upstream.list((index, catalog), &seat, kind).await {
                        drifted.extend(offered.drifted());
                    }
                }
            }
            upstream.forget_ended();
        }
        drifted
    }

    /// Ends the seats that have been idle for that long.
    pub(crate) async fn shed(&self, idle: Duration) {
        for upstream in &self.list {
            upstream.link.shed(idle).await;
        }
    }

    /// The seats of a principal, at every server.
    pub(crate) fn seats_of(&self, principal: &str) -> Vec<Arc<Seat>> {
        let links = self.list.iter().map(|upstream| &upstream.link);
        links.flat_map(|link| link.seats_of(principal)).collect()
    }

    /// What a seat offers of a kind, compared anew.
    pub(crate) async fn relist(
        &self,
        (server, catalog): (usize, &Catalog),
        seat: &Seat,
        kind: Kind,
    ) -> Option<Arc<Offered>> {
        let upstream = self.list.get(server)?;
        match upstream.fresh(seat, kind) {
            Some(offered) => Some(offered),
            None => upstream.list((server, catalog), seat, kind).await.ok(),
        }
    }

    fn of(&self, server: usize) -> Result<&Upstream, Refusal> {
        self.list
            .get(server)
            .ok_or(Refusal::Fault("the catalog names no such server"))
    }
}

impl Upstream {
    /// The last comparison, unless the server may offer something else by now.
    fn fresh(&self, seat: &Seat, kind: Kind) -> Option<Arc<Offered>> {
        let offered = self.last(seat.id, kind)?;
        let current = offered.generation == seat.server.generation(kind)
            && offered.listed_at.elapsed() < MAX_AGE;
        current.then_some(offered)
    }

    fn last(&self, seat: u64, kind: Kind) -> Option<Arc<Offered>> {
        self.table().get(&(seat, kind)).cloned()
    }

    fn listed_kinds(&self, seat: &Seat) -> Vec<Kind> {
        let table = self.table();
        let listed = |kind: &Kind| table.contains_key(&(seat.id, *kind));
        Kind::ALL.into_iter().filter(listed).collect()
    }

    async fn list(
        &self,
        (index, catalog): (usize, &Catalog),
        seat: &Seat,
        kind: Kind,
    ) -> Result<Arc<Offered>, UpstreamError> {
        let asked = Instant::now();
        let _one = seat.listing.lock().await;
        if let Some(offered) = self.fresh(seat, kind).filter(|o| o.listed_at >= asked) {
            return Ok(offered);
        }
        let listing = seat.server.list(kind).await?;
        let offered = Arc::new(Offered::compare((index, catalog), kind, &listing));
        if let Some((name, _)) = offered.drifted().next() {
            let upstream = &self.link.spec().name;
            tracing::warn!(%upstream, item = %name, "the upstream's definition differs from the approved one");
        }
        let before = self.table().insert((seat.id, kind), Arc::clone(&offered));
        if before.is_some_and(|before| !before.offers_as(&offered)) {
            let mut changed = self.changed.lock().unwrap_or_else(PoisonError::into_inner);
            changed.insert(kind);
        }
        Ok(offered)
    }

    /// Lets go of what seats offered that are gone.
    fn forget_ended(&self) {
        let seats: Vec<u64> = self.link.seats().iter().map(|seat| seat.id).collect();
        self.table().retain(|(seat, _), _| seats.contains(seat));
    }

    fn table(&self) -> MutexGuard<'_, HashMap<(u64, Kind), Arc<Offered>>> {
        self.offered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Offered {
    /// Whether the pages are the same, byte for byte; their cursors may be others each time.
    fn offers_as(&self, other: &Self) -> bool {
        let digests = |offered: &'_ Self| -> Vec<Sha256Digest> {
            offered.pages.iter().map(|page| page.digest).collect()
        };
        digests(self) == digests(other)
    }

    fn compare((index, catalog): (usize, &Catalog), kind: Kind, listing: &Listing) -> Self {
        let items = catalog
            .items(item_kind(kind))
            .filter(|item| item.server == index)
            .map(|item| (item.upstream_name.clone(), compare(item, kind, listing)))
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
            items,
        }
    }

    /// What is not as approved, by the server's own names.
    pub(crate) fn drifted(&self) -> impl Iterator<Item = (String, Found)> {
        self.items
            .iter()
            .filter(|(_, found)| **found != Found::Same)
            .map(|(name, found)| (name.clone(), found.clone()))
    }

    fn found(&self, upstream_name: &str) -> Found {
        self.items
            .get(upstream_name)
            .cloned()
            .unwrap_or(Found::Missing)
    }
}

/// What a catalog asks of one server, by the server's own names.
fn asked(catalog: &Catalog, server: usize) -> Vec<(ItemKind, &str)> {
    let of = |kind: ItemKind| {
        let items = catalog
            .items(kind)
            .filter(move |item| item.server == server);
        items.map(move |item| (kind, item.upstream_name.as_str()))
    };
    Kind::ALL
        .into_iter()
        .flat_map(|kind| of(item_kind(kind)))
        .collect()
}

fn compare(item: &Approved, kind: Kind, listing: &Listing) -> Found {
    let named = |offered: &&cmcp_json::Value| {
        offered.get(kind.key()).and_then(cmcp_json::Value::as_str)
            == Some(item.upstream_name.as_str())
    };
    let mut offered = listing.items.iter().filter(named);
    match (offered.next(), offered.next()) {
        (None, _) => Found::Missing,
        (Some(_), Some(_)) => Found::Twice,
        (Some(one), None) => match item.offered_digest(one) {
            Ok(digest) if digest == item.digest => Found::Same,
            digest => Found::Changed {
                now: digest.ok(),
                places: places(item, one),
            },
        },
    }
}

fn places(item: &Approved, offered: &cmcp_json::Value) -> Vec<String> {
    let differences = item.differences(offered);
    differences
        .iter()
        .map(|place| format!("{} {}", place.change, place.pointer))
        .collect()
}

/// The listing that an approved item is found in.
pub(crate) fn kind_of(item: ItemKind) -> Kind {
    match item {
        ItemKind::Tool => Kind::Tools,
        ItemKind::Resource => Kind::Resources,
        ItemKind::ResourceTemplate => Kind::ResourceTemplates,
        ItemKind::Prompt => Kind::Prompts,
    }
}

/// What a listing lists.
pub(crate) fn item_kind(kind: Kind) -> ItemKind {
    match kind {
        Kind::Tools => ItemKind::Tool,
        Kind::Resources => ItemKind::Resource,
        Kind::ResourceTemplates => ItemKind::ResourceTemplate,
        Kind::Prompts => ItemKind::Prompt,
    }
}

/// A listing older than this is taken again before the next call.
const MAX_AGE: Duration = Duration::from_secs(60);
/// Used upstreams are listed again this often, so that calls rarely wait for it.
pub(crate) const RECHECK_EVERY: Duration = Duration::from_secs(30);
/// Seats that nobody has used for this long are given up.
pub(crate) const SEAT_IDLE: Duration = Duration::from_secs(3_600);

#[cfg(test)]
mod tests;

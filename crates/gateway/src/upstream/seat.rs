//! Seats: one client of one server for one principal and one set of client capabilities. What a
//! server remembers of a session is never shared between principals, and what it may ask of a
//! client it asks of the one whose call it serves.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use cmcp_json::{Limits, Object, Value, parse};
use cmcp_mcp::{
    client::Health,
    upstream::{Observed, Said, Server, UpstreamError, Watch},
};
use cmcp_policy::catalog::ServerSpec;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, broadcast, mpsc};

use crate::{
    dial::{self, DialError},
    refusal::Refusal,
    settings::Settings,
};

/// How the clients of a server are made.
pub(crate) enum Maker {
    /// By reaching it as the catalog says.
    Dial {
        settings: Arc<Settings>,
        /// What is known of the server's health.
        health: Arc<Health>,
    },
    /// There is one, which everybody shares.
    #[cfg(test)]
    Given(Arc<dyn Server>),
}

/// What a server said unasked, and whose seat heard it.
#[derive(Debug)]
pub(crate) struct Heard {
    /// The link.
    pub(crate) link: u64,
    /// The seat's principal.
    pub(crate) principal: Arc<str>,
    /// The seat.
    pub(crate) seat: Arc<Seat>,
    /// What it said.
    pub(crate) said: Said,
}

/// The client of one server. It outlives the rules: the next ones use it too.
pub(crate) struct Link {
    /// Never given to another link.
    pub(crate) id: u64,
    spec: ServerSpec,
    maker: Maker,
    // Made with the link, so that a server that cannot be reached as described is known at start;
    // it serves the first principal that comes.
    first: Arc<dyn Server>,
    first_taken: AtomicBool,
    // By principal; one group for each set of capabilities.
    groups: Mutex<HashMap<Arc<str>, Vec<Arc<Group>>>>,
    heard: mpsc::Sender<Heard>,
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Link")
            .field("name", &self.spec.name)
            .finish_non_exhaustive()
    }
}

/// The seats of one key. A lease holds it too, so that it is not idle while one is out.
struct Group {
    principal: Arc<str>,
    capabilities: Arc<str>,
    /// With capabilities a server may ask back, and then a seat carries one call at a time.
    places: Option<Arc<Semaphore>>,
    seats: Mutex<Vec<Arc<Seat>>>,
    last_used: Mutex<Instant>,
}

/// One client.
pub(crate) struct Seat {
    /// Never given to another seat.
    pub(crate) id: u64,
    pub(crate) server: Arc<dyn Server>,
    /// One listing at a time; the others wait for its result.
    pub(crate) listing: tokio::sync::Mutex<()>,
    used: AtomicBool,
    taken: AtomicBool,
    // Somebody wants to hear of it even without calls.
    watched: AtomicBool,
    downgrades: AtomicU64,
}

impl std::fmt::Debug for Seat {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Seat")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

impl Seat {
    fn new(server: Arc<dyn Server>) -> Arc<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Arc::new(Self {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            server,
            listing: tokio::sync::Mutex::new(()),
            used: AtomicBool::new(false),
            taken: AtomicBool::new(false),
            watched: AtomicBool::new(false),
            downgrades: AtomicU64::new(0),
        })
    }

    /// Whether its server was found to have gone back to an older era since this was last asked.
    pub(crate) fn went_back(&self, observed: &Observed) -> bool {
        self.downgrades.swap(observed.downgrades, Ordering::Relaxed) < observed.downgrades
    }

    /// Whether it was used since this was last asked.
    pub(crate) fn was_used(&self) -> bool {
        self.used.swap(false, Ordering::Relaxed)
    }

    /// Whether somebody wants to hear of it even without calls.
    pub(crate) fn note_watch(&self, wanted: &Watch) {
        let something = *wanted != Watch::default();
        self.watched.store(something, Ordering::Relaxed);
    }
}

/// A seat in use.
pub(crate) struct Lease {
    pub(crate) seat: Arc<Seat>,
    _group: Arc<Group>,
    _place: Option<OwnedSemaphorePermit>,
}

impl std::fmt::Debug for Lease {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.seat.fmt(f)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.seat.taken.store(false, Ordering::Release);
    }
}

impl Link {
    /// A link to a server of the catalog. Nothing is contacted or started yet.
    pub(crate) fn dial(
        id: u64,
        spec: ServerSpec,
        settings: &Arc<Settings>,
        heard: mpsc::Sender<Heard>,
    ) -> Result<Self, DialError> {
        let health = Arc::default();
        let first = dial::client(&spec, settings, &Value::Object(Object::new()), &health)?;
        let maker = Maker::Dial {
            settings: Arc::clone(settings),
            health,
        };
        Ok(Self::new(id, spec, (maker, first), heard))
    }

    /// A link to a server that is there already.
    #[cfg(test)]
    pub(crate) fn given(id: u64, spec: ServerSpec, server: Arc<dyn Server>) -> Self {
        let (heard, _) = mpsc::channel(1);
        Self::new(id, spec, (Maker::Given(Arc::clone(&server)), server), heard)
    }

    fn new(
        id: u64,
        spec: ServerSpec,
        (maker, first): (Maker, Arc<dyn Server>),
        heard: mpsc::Sender<Heard>,
    ) -> Self {
        Self {
            id,
            spec,
            maker,
            first,
            first_taken: AtomicBool::new(false),
            groups: Mutex::default(),
            heard,
        }
    }

    /// The server, as the catalog describes it.
    pub(crate) fn spec(&self) -> &ServerSpec {
        &self.spec
    }

    /// What is known of it without asking.
    pub(crate) fn observed(&self) -> Observed {
        self.first.observed()
    }

    /// A seat of this principal, with these capabilities declared to the server: JSON as
    /// [`NO_CAPABILITIES`] is.
    pub(crate) async fn seat(
        &self,
        principal: &str,
        capabilities: &Arc<str>,
    ) -> Result<Lease, Refusal> {
        let group = self.group(principal, capabilities)?;
        let place = match &group.places {
            None => None,
            Some(places) => {
                let place = Arc::clone(places).acquire_owned();
                let place = tokio::time::timeout(QUEUE, place).await;
                Some(place.ok().and_then(Result::ok).ok_or(OVERLOADED)?)
            }
        };
        let seat = self.free_seat(&group)?;
        seat.used.store(true, Ordering::Relaxed);
        *lock(&group.last_used) = Instant::now();
        Ok(Lease {
            seat,
            _group: group,
            _place: place,
        })
    }

    /// Every seat there is now.
    pub(crate) fn seats(&self) -> Vec<Arc<Seat>> {
        let groups = lock(&self.groups);
        groups
            .values()
            .flatten()
            .flat_map(|group| lock(&group.seats).clone())
            .collect()
    }

    /// The seats of one principal.
    pub(crate) fn seats_of(&self, principal: &str) -> Vec<Arc<Seat>> {
        let groups = lock(&self.groups);
        let own = groups.get(principal).into_iter().flatten();
        own.flat_map(|group| lock(&group.seats).clone()).collect()
    }

    /// Ends the seats that nobody has used for long; a principal that comes again gets new ones.
    pub(crate) async fn shed(&self, idle: Duration) {
        let ended: Vec<Arc<Group>> = {
            let mut groups = lock(&self.groups);
            let is_idle = |group: &Arc<Group>| {
                let watched = |seat: &Arc<Seat>| seat.watched.load(Ordering::Relaxed);
                Arc::strong_count(group) == 1
                    && lock(&group.last_used).elapsed() >= idle
                    && !lock(&group.seats).iter().any(watched)
            };
            let ended = groups
                .values_mut()
                .flat_map(|groups| groups.extract_if(.., |group| is_idle(group)))
                .collect();
            groups.retain(|_, groups| !groups.is_empty());
            ended
        };
        for group in ended {
            close_all(&group).await;
        }
    }

    /// Ends all of it, processes included.
    pub(crate) async fn close(&self) {
        let groups: Vec<_> = lock(&self.groups).drain().flat_map(|(_, g)| g).collect();
        for group in groups {
            close_all(&group).await;
        }
        self.first.close().await;
    }

    fn group(&self, principal: &str, capabilities: &Arc<str>) -> Result<Arc<Group>, Refusal> {
        let mut groups = lock(&self.groups);
        if let Some(own) = groups.get(principal)
            && let Some(group) = own.iter().find(|g| g.capabilities == *capabilities)
        {
            return Ok(Arc::clone(group));
        }
        if groups.len() >= MAX_PRINCIPALS {
            return Err(OVERLOADED);
        }
        let name: Arc<str> = Arc::from(principal);
        let own = groups.entry(Arc::clone(&name)).or_default();
        if own.len() >= MAX_GROUPS {
            return Err(OVERLOADED);
        }
        let asks_back = **capabilities != *NO_CAPABILITIES;
        let group = Arc::new(Group {
            principal: name,
            capabilities: Arc::clone(capabilities),
            places: asks_back.then(|| Arc::new(Semaphore::new(MAX_SEATS))),
            seats: Mutex::default(),
            last_used: Mutex::new(Instant::now()),
        });
        own.push(Arc::clone(&group));
        Ok(group)
    }

    fn free_seat(&self, group: &Group) -> Result<Arc<Seat>, Refusal> {
        let mut seats = lock(&group.seats);
        let free =
            |seat: &&Arc<Seat>| group.places.is_none() || !seat.taken.swap(true, Ordering::AcqRel);
        if let Some(seat) = seats.iter().find(free) {
            return Ok(Arc::clone(seat));
        }
        let seat = Seat::new(self.client(group)?);
        seat.taken.store(true, Ordering::Release);
        self.hear(&seat, &group.principal);
        seats.push(Arc::clone(&seat));
        Ok(seat)
    }

    fn client(&self, group: &Group) -> Result<Arc<dyn Server>, Refusal> {
        let plain = group.places.is_none();
        if plain && !self.first_taken.swap(true, Ordering::AcqRel) {
            return Ok(Arc::clone(&self.first));
        }
        match &self.maker {
            Maker::Dial { settings, health } => {
                let capabilities = parse(group.capabilities.as_bytes(), &Limits::REQUEST)
                    .map_err(|_| Refusal::Fault("the capabilities of a seat are no JSON"))?;
                dial::client(&self.spec, settings, &capabilities, health)
                    .map_err(|_| Refusal::Fault("a server that could be reached no longer can"))
            }
            #[cfg(test)]
            Maker::Given(server) => Ok(Arc::clone(server)),
        }
    }

    /// Passes on what the server says unasked, until its client is gone.
    fn hear(&self, seat: &Arc<Seat>, principal: &Arc<str>) {
        let mut said = seat.server.said();
        let (heard, link, principal) = (self.heard.clone(), self.id, Arc::clone(principal));
        let seat = Arc::downgrade(seat);
        tokio::spawn(async move {
            loop {
                let said = match said.recv().await {
                    Ok(said) => said,
                    // What was missed can be asked for again: that something changed is enough.
                    Err(broadcast::error::RecvError::Lagged(_)) => Said::Reconnected,
                    Err(broadcast::error::RecvError::Closed) => return,
                };
                let Some(seat) = seat.upgrade() else {
                    return;
                };
                let principal = Arc::clone(&principal);
                let now = Heard {
                    link,
                    principal,
                    seat,
                    said,
                };
                if heard.send(now).await.is_err() {
                    return;
                }
            }
        });
    }
}

async fn close_all(group: &Group) {
    let seats = std::mem::take(&mut *lock(&group.seats));
    for seat in seats {
        seat.server.close().await;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Every change under these locks is a single insertion or removal.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Of a client that is asked nothing back.
pub(crate) const NO_CAPABILITIES: &str = "{}";
const OVERLOADED: Refusal = Refusal::Upstream(UpstreamError::Overloaded { limit: MAX_SEATS });
/// Calls of one principal that may wait for its answers at once, per server.
const MAX_SEATS: usize = 8;
/// Principals that one server serves at once.
const MAX_PRINCIPALS: usize = 4_096;
/// Sets of capabilities that the clients of one principal declare.
const MAX_GROUPS: usize = 16;
/// How long a call waits for one of the principal's seats.
const QUEUE: Duration = Duration::from_secs(30);

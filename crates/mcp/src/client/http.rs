//! A server reached over Streamable HTTP, or over the pair of streams that came before it.

mod ask;
mod calls;
mod chores;
pub(crate) mod link;
mod listen;
mod negotiate;
mod pair;
mod pool;
mod reading;
mod send;
mod talk;
mod target;
mod watching;

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use futures_util::future::BoxFuture;
use http::{
    HeaderMap, HeaderValue,
    header::{ACCEPT, CONTENT_TYPE, HOST, USER_AGENT},
};
use tokio::{sync::broadcast, time::timeout};

use self::{
    chores::Chores,
    negotiate::{Known, Peer},
    pool::Pool,
    watching::Watching,
};
use super::{Health, Identity, Timing, clock::Clock, counters::Counters, flight::Flight, own::Own};
use crate::{
    headers::Mirrored,
    tls,
    upstream::{
        Ask, EvidenceClass, Kind, Listing, Observed, Offers, Reply, Said, Server, Told,
        UpstreamError, Watch,
    },
};

pub use target::{HttpTarget, Reach, TargetError};

/// A server reached over HTTP, in whichever era it speaks.
pub struct HttpClient {
    inner: Arc<Inner>,
}

struct Inner {
    target: HttpTarget,
    timing: Timing,
    base: HeaderMap,
    pool: Arc<Pool>,
    own: Arc<Own>,
    health: Arc<Health>,
    counters: Arc<Counters>,
    known: Mutex<Known>,
    negotiation: Flight<Arc<Peer>>,
    /// Per tool, the arguments that headers mirror; from the last listing.
    mirrored: Mutex<HashMap<String, Arc<[Mirrored]>>>,
    watching: Watching,
    unreachable: AtomicBool,
    closed: AtomicBool,
    chores: Chores,
    /// The task that hears what the server says unasked. It holds the client's inner half.
    listener: Chores,
}

impl HttpClient {
    /// A client that connects when it is first asked something.
    ///
    /// # Errors
    /// [`TargetError::Tls`] when the pin is a placeholder.
    pub fn new(
        target: HttpTarget,
        timing: Timing,
        identity: Identity,
    ) -> Result<Self, TargetError> {
        let tls = target
            .tls
            .is_some()
            .then(|| tls::client_config(target.pin))
            .transpose()?;
        let mut base = HeaderMap::new();
        base.insert(HOST, target.authority.clone());
        base.insert(
            ACCEPT,
            HeaderValue::from_static("application/json, text/event-stream"),
        );
        base.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        base.insert(USER_AGENT, HeaderValue::from_static(AGENT));
        let pool = Arc::new(Pool::new(tls, timing.connect));
        Ok(Self {
            inner: Arc::new(Inner {
                target,
                timing,
                base,
                pool,
                own: Arc::new(Own::new(identity)),
                health: Arc::default(),
                counters: Arc::default(),
                known: Mutex::default(),
                negotiation: Flight::new(),
                mirrored: Mutex::default(),
                watching: Watching::default(),
                unreachable: AtomicBool::new(false),
                closed: AtomicBool::new(false),
                chores: Chores::default(),
                listener: Chores::default(),
            }),
        })
    }

    /// Lets this client share what is known of the server's health with its other clients.
    #[must_use]
    pub fn with_health(mut self, health: Arc<Health>) -> Self {
        // Nobody else holds it before the first request.
        if let Some(inner) = Arc::get_mut(&mut self.inner) {
            inner.health = health;
        }
        self
    }
}

impl fmt::Debug for HttpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let endpoint = self.inner.target.endpoint();
        f.debug_struct("HttpClient")
            .field("endpoint", &endpoint)
            .finish_non_exhaustive()
    }
}

impl Drop for HttpClient {
    fn drop(&mut self) {
        self.inner.closed.store(true, Ordering::Release);
        self.inner.listener.abort();
    }
}

impl Server for HttpClient {
    fn list(&self, kind: Kind) -> BoxFuture<'_, Result<Listing, UpstreamError>> {
        Box::pin(async move {
            let within = self.inner.timing.list;
            let place = self.inner.health.enter(Clock::start(within).due()).await?;
            let late = UpstreamError::Timeout {
                sent: true,
                after: within,
            };
            let listing = timeout(within, self.inner.list(kind)).await;
            let listing = listing.unwrap_or(Err(late));
            place.leave(&listing);
            listing
        })
    }

    fn ask(&self, ask: Ask) -> BoxFuture<'_, Result<Reply, UpstreamError>> {
        Box::pin(async move { self.inner.ask(&ask).await })
    }

    fn watch(&self, wanted: Watch) -> BoxFuture<'_, Result<Watch, UpstreamError>> {
        Box::pin(async move { self.inner.watch(wanted).await })
    }

    fn tell(&self, told: Told) -> BoxFuture<'_, Result<(), UpstreamError>> {
        Box::pin(async move { self.inner.tell(told).await })
    }

    fn said(&self) -> broadcast::Receiver<Said> {
        self.inner.counters.listen()
    }

    fn offers(&self) -> BoxFuture<'_, Result<Arc<Offers>, UpstreamError>> {
        Box::pin(async { Ok(Arc::clone(&self.inner.peer().await?.offers)) })
    }

    fn generation(&self, kind: Kind) -> u64 {
        self.inner.counters.generation(kind)
    }

    fn observed(&self) -> Observed {
        let Inner {
            target, counters, ..
        } = &*self.inner;
        let pinned = target.tls.is_some() && target.pin.is_pinned();
        Observed {
            endpoint: target.endpoint.clone(),
            evidence: if pinned {
                EvidenceClass::TlsPinned
            } else {
                EvidenceClass::HashOnly
            },
            version: self.inner.known().last,
            files: Vec::new(),
            confinement: None,
            downgrades: counters.downgrades(),
            dropped: counters.dropped(),
            refused: counters.refused(),
        }
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            if !self.inner.closed.swap(true, Ordering::AcqRel) {
                self.inner.end_session().await;
            }
            self.inner.listener.end().await;
            self.inner.chores.end().await;
            self.inner.pool.clear();
        })
    }
}

impl Inner {
    fn headers(&self, peer: Option<&Peer>) -> HeaderMap {
        peer.map_or(&self.base, |peer| &peer.headers).clone()
    }

    fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }
}

const AGENT: &str = concat!("cmcp/", env!("CARGO_PKG_VERSION"));

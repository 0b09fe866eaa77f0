//! Connections put aside for the next request.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use rustls::ClientConfig;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{chores::Chores, link::Link, target::HttpTarget};
use crate::upstream::UpstreamError;

pub(super) struct Pool {
    tls: Option<Arc<ClientConfig>>,
    within: Duration,
    idle: Mutex<VecDeque<Link>>,
    sweeping: AtomicBool,
    places: Arc<Semaphore>,
}

/// A connection in use, and its place among those that may be.
pub(super) struct Lease {
    pub(super) link: Link,
    _place: OwnedSemaphorePermit,
}

impl Pool {
    pub(super) fn new(tls: Option<Arc<ClientConfig>>, within: Duration) -> Self {
        let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        Self {
            tls,
            within,
            idle: Mutex::default(),
            sweeping: AtomicBool::new(false),
            places,
        }
    }

    /// A connection that was put aside, or a new one.
    pub(super) async fn lease(&self, target: &HttpTarget) -> Result<Lease, UpstreamError> {
        let place = self.place()?;
        while let Some(mut link) = self.take() {
            if link.idle_since.elapsed() < KEEP && link.is_alive().await {
                return Ok(Lease {
                    link,
                    _place: place,
                });
            }
        }
        let link = Link::open(target, self.tls.as_ref(), self.within).await?;
        Ok(Lease {
            link,
            _place: place,
        })
    }

    /// A new connection, whatever has been put aside.
    pub(super) async fn fresh(&self, target: &HttpTarget) -> Result<Lease, UpstreamError> {
        let place = self.place()?;
        let link = Link::open(target, self.tls.as_ref(), self.within).await?;
        Ok(Lease {
            link,
            _place: place,
        })
    }

    /// Puts a connection aside, if it can be used again.
    pub(super) async fn put(self: &Arc<Self>, mut lease: Lease, chores: &Chores) {
        if !lease.link.is_reusable().await {
            return;
        }
        lease.link.idle_since = Instant::now();
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() >= MAX_IDLE {
            idle.pop_front();
        }
        idle.push_back(lease.link);
        drop(idle);
        if !self.sweeping.swap(true, Ordering::AcqRel) {
            chores.spawn(sweep(Sweeping(Arc::downgrade(self))));
        }
    }

    pub(super) fn clear(&self) {
        self.idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }

    fn place(&self) -> Result<OwnedSemaphorePermit, UpstreamError> {
        let place = Arc::clone(&self.places).try_acquire_owned();
        place.map_err(|_| UpstreamError::Overloaded {
            limit: MAX_CONNECTIONS,
        })
    }

    /// The one used last: it is the least likely to have been closed meanwhile.
    fn take(&self) -> Option<Link> {
        self.idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop_back()
    }

    /// Closes what has been idle too long; says whether anything is left.
    fn shed(&self) -> bool {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        while idle
            .front()
            .is_some_and(|link| link.idle_since.elapsed() >= KEEP)
        {
            idle.pop_front();
        }
        !idle.is_empty()
    }
}

/// The one sweep of a pool. Dropped, another may begin.
struct Sweeping(Weak<Pool>);

impl Drop for Sweeping {
    fn drop(&mut self) {
        if let Some(pool) = self.0.upgrade() {
            pool.sweeping.store(false, Ordering::Release);
        }
    }
}

/// Runs while there are idle connections.
async fn sweep(pool: Sweeping) {
    loop {
        tokio::time::sleep(KEEP).await;
        match pool.0.upgrade() {
            Some(pool) if pool.shed() => {}
            Some(_) | None => return,
        }
    }
}

// Common servers close after five idle seconds. A request that meets a connection just being
// closed is lost, for it may have run; so ours are given up earlier.
const KEEP: Duration = Duration::from_secs(3);
const MAX_IDLE: usize = 128;
const MAX_CONNECTIONS: usize = 512;

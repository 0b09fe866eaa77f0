//! How much a server is asked at once, and when it is left alone for a while.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, timeout_at},
};

use crate::upstream::{ConnectFault, UpstreamError};

/// What a server is thought to bear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bearing {
    /// Requests under way at once. More wait, each as long as its deadline lets it.
    pub concurrency: usize,
    /// Requests that may wait.
    pub queue: usize,
    /// Requests in a row for which it could not be reached or kept silent, before it is left
    /// alone.
    pub failures: u32,
    /// How long it is left alone at first; then one request tries, and if that fails the pause
    /// doubles.
    pub pause: Duration,
    /// The longest pause.
    pub longest_pause: Duration,
}

impl Default for Bearing {
    fn default() -> Self {
        Self {
            concurrency: 256,
            queue: 4_096,
            failures: 5,
            pause: Duration::from_secs(1),
            longest_pause: Duration::from_secs(30),
        }
    }
}

/// How a server has fared of late. Clients of one server may share it.
#[derive(Debug)]
pub struct Health {
    bearing: Bearing,
    places: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
    circuit: Mutex<Circuit>,
}

#[derive(Debug)]
enum Circuit {
    /// Requests pass; so many have failed in a row.
    Closed { failed: u32 },
    /// None passes until then.
    Open { until: Instant, pause: Duration },
    /// One is under way that tells whether others may pass.
    Probing { pause: Duration },
}

/// A request that may be sent. Dropped without a verdict it says nothing about the server.
#[derive(Debug)]
pub(super) struct Place {
    health: Arc<Health>,
    role: Role,
    _permit: OwnedSemaphorePermit,
}

/// What a request is to the circuit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    /// The one that tries whether others may pass.
    Probe,
    /// One of those that pass.
    Other,
}

impl Default for Health {
    fn default() -> Self {
        Self::new(Bearing::default())
    }
}

impl Health {
    /// A server of which nothing bad is known.
    #[must_use]
    pub fn new(bearing: Bearing) -> Self {
        Self {
            bearing,
            places: places(bearing.concurrency),
            waiting: places(bearing.queue),
            circuit: Mutex::new(Circuit::Closed { failed: 0 }),
        }
    }

    /// Waits for a place among the requests under way.
    ///
    /// # Errors
    /// [`UpstreamError::BackOff`] while the server is left alone, [`UpstreamError::Overloaded`]
    /// when no place came free in time.
    pub(super) async fn enter(self: &Arc<Self>, until: Instant) -> Result<Place, UpstreamError> {
        self.look()?;
        let permit = self.place(until).await;
        let permit = permit.ok_or(UpstreamError::Overloaded {
            limit: self.bearing.concurrency,
        })?;
        let role = self.pass()?;
        Ok(Place {
            health: Arc::clone(self),
            role,
            _permit: permit,
        })
    }

    async fn place(&self, until: Instant) -> Option<OwnedSemaphorePermit> {
        // Neither semaphore is ever closed.
        if let Ok(free) = Arc::clone(&self.places).try_acquire_owned() {
            return Some(free);
        }
        let _waiting = self.waiting.try_acquire().ok()?;
        let free = Arc::clone(&self.places).acquire_owned();
        timeout_at(until, free).await.ok()?.ok()
    }

    /// Refuses at once what would be refused at the end of the queue.
    fn look(&self) -> Result<(), UpstreamError> {
        match self.circuit().left() {
            Some(remaining) if !remaining.is_zero() => Err(UpstreamError::BackOff { remaining }),
            Some(_) | None => Ok(()),
        }
    }

    /// Passes through the circuit.
    fn pass(&self) -> Result<Role, UpstreamError> {
        let mut circuit = self.circuit();
        match (circuit.left(), &*circuit) {
            (None, _) => Ok(Role::Other),
            (Some(remaining), Circuit::Open { pause, .. }) if remaining.is_zero() => {
                *circuit = Circuit::Probing { pause: *pause };
                Ok(Role::Probe)
            }
            (Some(remaining), _) => Err(UpstreamError::BackOff { remaining }),
        }
    }

    fn judge(&self, role: Role, verdict: Verdict) {
        let mut circuit = self.circuit();
        let first = self.bearing.pause;
        let next = match (&*circuit, verdict) {
            (Circuit::Closed { failed }, Verdict::Failed) => {
                let failed = failed.saturating_add(1);
                if failed >= self.bearing.failures.max(1) {
                    tracing::warn!(failed, "a server keeps failing and is left alone");
                    opened(first)
                } else {
                    Circuit::Closed { failed }
                }
            }
            // Whatever was under way when the circuit opened: an answer is an answer.
            (_, Verdict::Answered) => Circuit::Closed { failed: 0 },
            (Circuit::Probing { pause }, Verdict::Failed) if role == Role::Probe => {
                opened(pause.saturating_mul(2).min(self.bearing.longest_pause))
            }
            // The next one tries.
            (Circuit::Probing { pause }, Verdict::Silent) if role == Role::Probe => Circuit::Open {
                until: Instant::now(),
                pause: *pause,
            },
            (_, Verdict::Failed | Verdict::Silent) => return,
        };
        *circuit = next;
    }

    fn circuit(&self) -> MutexGuard<'_, Circuit> {
        self.circuit.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Circuit {
    /// How long nothing passes; `None` when everything does.
    fn left(&self) -> Option<Duration> {
        match self {
            Self::Closed { .. } => None,
            Self::Open { until, .. } => Some(until.saturating_duration_since(Instant::now())),
            Self::Probing { .. } => Some(PROBE_LASTS),
        }
    }
}

fn places(count: usize) -> Arc<Semaphore> {
    Arc::new(Semaphore::new(count.min(Semaphore::MAX_PERMITS)))
}

fn opened(pause: Duration) -> Circuit {
    let now = Instant::now();
    Circuit::Open {
        until: now.checked_add(pause).unwrap_or(now),
        pause,
    }
}

#[derive(Clone, Copy, Debug)]
enum Verdict {
    Answered,
    Failed,
    Silent,
}

impl Verdict {
    fn of(error: &UpstreamError) -> Self {
        match error {
            UpstreamError::Connect { cause, .. } => match cause {
                // What we refuse to connect to says nothing about who is there.
                ConnectFault::Address(_) | ConnectFault::Pin | ConnectFault::Credential(_) => {
                    Self::Silent
                }
                ConnectFault::Resolve
                | ConnectFault::Io(_)
                | ConnectFault::Tls(_)
                | ConnectFault::Timeout(_)
                | ConnectFault::Handshake => Self::Failed,
            },
            UpstreamError::Timeout { .. } => Self::Failed,
            UpstreamError::Negotiation(inner) => Self::of(inner),
            UpstreamError::TooLarge { .. }
            | UpstreamError::Protocol(_)
            | UpstreamError::WrongId { .. }
            | UpstreamError::Status { .. }
            | UpstreamError::Rpc { .. }
            | UpstreamError::NoCommonVersion { .. } => Self::Answered,
            UpstreamError::Lost { .. }
            | UpstreamError::Spawn(_)
            | UpstreamError::BackOff { .. }
            | UpstreamError::Stale
            | UpstreamError::Meta
            | UpstreamError::Overloaded { .. }
            | UpstreamError::Closed => Self::Silent,
        }
    }
}

impl Place {
    /// Leaves, with what came of the request.
    pub(super) fn leave<T>(mut self, outcome: &Result<T, UpstreamError>) {
        let verdict = match outcome {
            Ok(_) => Verdict::Answered,
            Err(error) => Verdict::of(error),
        };
        self.health.judge(self.role, verdict);
        self.role = Role::Other;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.role == Role::Probe {
            self.health.judge(Role::Probe, Verdict::Silent);
        }
    }
}

/// Said to those who come while another request tries; nobody knows how long that takes.
const PROBE_LASTS: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests;

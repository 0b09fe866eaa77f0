//! Who wants to hear what the servers say unasked, and the telling of it.
//!
//! A listener is a legacy session's stream, a client on stdio, or a listen stream of the modern era.
//! It hears what the seats of its own principal hear, and of changed lists what its principal may
//! see. All bookkeeping is in [`state`]; this is the part that waits.

mod notice;
mod state;

use std::{
    collections::HashMap,
    fmt,
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use cmcp_json::{Limits, Value, parse};
use cmcp_mcp::upstream::{Said, Watch};
use tokio::{
    sync::Notify,
    time::{Instant, sleep_until},
};

pub(crate) use notice::{Audience, Notice, addressed};
pub(crate) use state::{Bounds, JoinError, List, Seat, Wants};
use state::{Due, State};

/// Where a listener is told. It never waits: what a slow client cannot take is its stream's
/// business.
type Sink = Arc<dyn Fn(&Notice) + Send + Sync>;

/// All listeners.
pub(crate) struct Hub {
    state: Mutex<State<Sink>>,
    // Something is due at another time than before.
    due: Notify,
    // Servers are to tell of other things than before.
    unsettled: Notify,
    // What each seat was last told to watch. One at a time, so that the last word is the newest.
    settled: Mutex<HashMap<Seat, Arc<tokio::sync::Mutex<Option<Settled>>>>>,
}

/// What a server was told to watch, and what of it it does.
#[derive(Clone, Debug)]
struct Settled {
    wanted: Watch,
    honoured: Watch,
}

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub")
            .field("listeners", &self.len())
            .finish_non_exhaustive()
    }
}

impl Hub {
    pub(crate) fn new(bounds: Bounds) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new(State::new(bounds)),
            due: Notify::new(),
            unsettled: Notify::new(),
            settled: Mutex::default(),
        })
    }

    /// A listener of `principal`, which hears what it wants until its [`Listening`] is dropped.
    pub(crate) fn join(
        self: &Arc<Self>,
        principal: &str,
        wants: Wants,
        sink: impl Fn(&Notice) + Send + Sync + 'static,
    ) -> Result<Listening, JoinError> {
        let id = self.lock().join(principal, wants, Arc::new(sink))?;
        self.stir();
        Ok(Listening {
            hub: Arc::clone(self),
            id,
        })
    }

    /// Passes on what the seat of one principal heard its server say; how many were told.
    ///
    /// [`Said::Reconnected`] changes nothing by itself: lists are compared when they are taken
    /// again, and the seat states what it watches itself.
    pub(crate) fn heard(&self, seat: &Seat, said: Said) -> usize {
        let (notice, sinks) = match said {
            Said::ListChanged(kind) => {
                self.changed(seat.upstream, List::of(kind));
                return 0;
            }
            Said::Reconnected => return 0,
            Said::ResourceUpdated { uri, params } => {
                let sinks = self.lock().watchers(seat, &uri);
                (Notice::ResourceUpdated { params }, sinks)
            }
            Said::Message(params) => (Notice::Message { params }, self.lock().sessions(seat)),
            Said::ElicitationComplete(params) => {
                let notice = Notice::ElicitationComplete {
                    upstream: seat.upstream,
                    params,
                };
                (notice, self.lock().sessions(seat))
            }
            Said::TaskStatus(params) => {
                let Some(task) = task_id(&params) else {
                    return 0;
                };
                let sinks = self.lock().owners(seat, &task);
                let upstream = seat.upstream;
                let notice = Notice::TaskStatus {
                    upstream,
                    task,
                    params,
                };
                (notice, sinks)
            }
        };
        // Not under the lock: whoever is told may leave at that moment.
        for sink in &sinks {
            sink(&notice);
        }
        sinks.len()
    }

    /// A list of this server is another one: said by the server itself, or found when it was taken.
    pub(crate) fn changed(&self, upstream: u64, list: List) {
        if self.lock().changed(upstream, list, Instant::now()) {
            self.due.notify_one();
        }
    }

    /// Tells of changed lists as they become due; `sees` says whether a principal may know of that
    /// list of that server at all. It never ends.
    pub(crate) async fn run(&self, sees: impl Fn(&str, u64, List) -> bool) {
        loop {
            let due = self.lock().due();
            match due {
                None => self.due.notified().await,
                Some(at) => {
                    sleep_until(at).await;
                    self.flush(&sees);
                }
            }
        }
    }

    fn flush(&self, sees: &impl Fn(&str, u64, List) -> bool) {
        let due = self.lock().take_due(sees);
        for Due { sink, list } in due {
            sink(&Notice::ListChanged(list));
        }
    }

    /// The seats whose servers are to tell of other things than before, as soon as there are any.
    pub(crate) async fn unsettled(&self) -> Vec<Seat> {
        loop {
            let changed = self.unsettled.notified();
            let seats = self.lock().take_unsettled();
            if !seats.is_empty() {
                return seats;
            }
            changed.await;
        }
    }

    /// All that this seat's listeners want together.
    pub(crate) fn wanted(&self, seat: &Seat) -> Watch {
        self.lock().wanted(seat)
    }

    /// Tells a server what its listeners want now, unless it was told so; what it honours of it.
    pub(crate) async fn settle<F, E>(
        &self,
        seat: &Seat,
        watch: impl FnOnce(Watch) -> F,
    ) -> Result<Watch, E>
    where
        F: Future<Output = Result<Watch, E>>,
    {
        let turn = {
            let mut settled = lock(&self.settled);
            Arc::clone(settled.entry(seat.clone()).or_default())
        };
        let mut last = turn.lock().await;
        let wanted = self.wanted(seat);
        let is_nothing = wanted == Watch::default();
        if let Some(settled) = &*last
            && settled.wanted == wanted
        {
            return Ok(settled.honoured.clone());
        }
        if last.is_none() && is_nothing {
            self.forget(seat, &turn);
            return Ok(wanted);
        }
        // Whatever becomes of it, what held before does not any more.
        *last = None;
        let honoured = watch(wanted.clone()).await?;
        if is_nothing {
            self.forget(seat, &turn);
        } else {
            *last = Some(Settled {
                wanted,
                honoured: honoured.clone(),
            });
        }
        Ok(honoured)
    }

    /// How many listeners there are.
    pub(crate) fn len(&self) -> usize {
        self.lock().len()
    }

    fn forget(&self, seat: &Seat, turn: &Arc<tokio::sync::Mutex<Option<Settled>>>) {
        let mut settled = lock(&self.settled);
        // The table's and this one's own: nobody else waits for a turn.
        if Arc::strong_count(turn) == 2 {
            settled.remove(seat);
        }
    }

    fn stir(&self) {
        if self.lock().is_unsettled() {
            self.unsettled.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<Sink>> {
        lock(&self.state)
    }
}

/// A listener's place. Dropped, it hears nothing more.
#[derive(Debug)]
pub(crate) struct Listening {
    hub: Arc<Hub>,
    id: u64,
}

impl Listening {
    /// From now on the listener wants something else.
    pub(crate) fn change(&self, change: impl FnOnce(&mut Wants)) -> Result<(), JoinError> {
        self.hub.lock().change(self.id, change)?;
        self.hub.stir();
        Ok(())
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        let gone = self.hub.lock().leave(self.id);
        self.hub.stir();
        // Not under the lock: it may hold another listener's last handle.
        drop(gone);
    }
}

fn task_id(params: &[u8]) -> Option<String> {
    let params = parse(params, &Limits::RESPONSE).ok()?;
    params
        .get("taskId")
        .and_then(Value::as_str)
        .map(ToOwned::to_owned)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Changes of lists that come within this time of the first are told as one.
pub(crate) const DEBOUNCE: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests;

//! Tasks of clients: ids of our own for what servers do in the background. An id is random, and
//! good for its owner alone; to everybody else it names nothing.

mod shape;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use bytes::Bytes;

use crate::ids;
pub(crate) use shape::{
    Attached, Form, Status, beside, created, described, related, server_id, status, ttl, unrelated,
};

/// How many tasks are kept, and for how long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) per_principal: usize,
    pub(crate) total: usize,
    /// However long a server says that it keeps a task.
    pub(crate) longest: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            per_principal: 1_000,
            total: 10_000,
            longest: Duration::from_secs(86_400),
        }
    }
}

/// Why there is no room for a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TaskError {
    /// Too many are open.
    #[error("too many tasks are open; wait for some of them to end")]
    Full,
    /// No id could be drawn.
    #[error("the system gives no randomness")]
    Randomness,
    /// The server gave an id that another task of the same owner has.
    #[error("the server gave two tasks one id")]
    Reused,
}

/// A task. `P` is what the call that made it left open.
pub(crate) struct Task<P> {
    /// Our id.
    pub(crate) id: String,
    pub(crate) principal: Arc<str>,
    /// The link.
    pub(crate) upstream: u64,
    /// The server's id.
    pub(crate) upstream_id: String,
    /// How the server speaks of tasks.
    pub(crate) form: Form,
    pub(crate) payload: P,
    number: u64,
    until: Instant,
    // The last the server said of it, as it said it.
    told: Mutex<Bytes>,
}

impl<P> fmt::Debug for Task<P> {
    // Neither the payload nor the id: whoever knows the id may not own it, but must not guess.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Task")
            .field("principal", &self.principal)
            .field("upstream", &self.upstream)
            .finish_non_exhaustive()
    }
}

impl<P> Task<P> {
    /// Notes what the server said of it last: a result or notification that describes it.
    pub(crate) fn tell(&self, told: Bytes) {
        *lock(&self.told) = told;
    }

    /// What the server said of it last.
    pub(crate) fn told(&self) -> Bytes {
        lock(&self.told).clone()
    }
}

/// A task as it was made.
#[derive(Debug)]
pub(crate) struct Made<P> {
    /// The link.
    pub(crate) upstream: u64,
    /// The server's id.
    pub(crate) upstream_id: String,
    pub(crate) form: Form,
    /// How long the server keeps it; `None` for as long as it likes.
    pub(crate) ttl: Option<Duration>,
    /// The server's description.
    pub(crate) told: Bytes,
    pub(crate) payload: P,
}

/// The tasks of all principals.
#[derive(Debug)]
pub(crate) struct Tasks<P>(Arc<Mutex<Table<P>>>);

#[derive(Debug)]
struct Table<P> {
    bounds: Bounds,
    next: u64,
    by_id: HashMap<String, Arc<Task<P>>>,
    // By owner, link and the server's id.
    by_upstream: HashMap<(Arc<str>, u64, String), String>,
    // Tasks in the order in which they were made, and the room that was promised besides.
    of: HashMap<Arc<str>, Own>,
    ends: BTreeSet<(Instant, u64, String)>,
    promised: usize,
}

#[derive(Debug, Default)]
struct Own {
    tasks: BTreeMap<u64, String>,
    promised: usize,
}

impl<P> Tasks<P> {
    pub(crate) fn new(bounds: Bounds) -> Self {
        Self(Arc::new(Mutex::new(Table {
            bounds,
            next: 0,
            by_id: HashMap::new(),
            by_upstream: HashMap::new(),
            of: HashMap::new(),
            ends: BTreeSet::new(),
            promised: 0,
        })))
    }

    /// Room for one task, before the server is asked to make it: what it made could not be undone.
    pub(crate) fn room(&self, principal: &str) -> Result<Room<P>, TaskError> {
        let mut table = lock(&self.0);
        let own = table.of.get(principal);
        let own = own.map_or(0, |own| own.tasks.len().saturating_add(own.promised));
        let all = table.by_id.len().saturating_add(table.promised);
        if own >= table.bounds.per_principal || all >= table.bounds.total {
            return Err(TaskError::Full);
        }
        let principal = match table.of.get_key_value(principal) {
            Some((name, _)) => Arc::clone(name),
            None => Arc::from(principal),
        };
        table.promised = table.promised.saturating_add(1);
        let own = table.of.entry(Arc::clone(&principal)).or_default();
        own.promised = own.promised.saturating_add(1);
        drop(table);
        Ok(Room {
            table: Arc::clone(&self.0),
            principal,
        })
    }

    /// The task of that id, if `principal` owns it and it is kept still.
    pub(crate) fn find(&self, principal: &str, id: &str, now: Instant) -> Option<Arc<Task<P>>> {
        let table = lock(&self.0);
        let task = table.by_id.get(id)?;
        (*task.principal == *principal && task.until > now).then(|| Arc::clone(task))
    }

    /// The task that a server speaks of to a seat of its owner.
    pub(crate) fn of_upstream(
        &self,
        principal: &Arc<str>,
        upstream: u64,
        upstream_id: &str,
    ) -> Option<Arc<Task<P>>> {
        let table = lock(&self.0);
        let key = (Arc::clone(principal), upstream, upstream_id.to_owned());
        let id = table.by_upstream.get(&key)?;
        table.by_id.get(id).cloned()
    }

    /// At most `size` of the principal's tasks behind a place in the order in which they were made,
    /// and the place behind them where there are more.
    pub(crate) fn page(
        &self,
        principal: &str,
        (behind, size): (Option<u64>, usize),
        now: Instant,
    ) -> (Vec<Arc<Task<P>>>, Option<u64>) {
        let table = lock(&self.0);
        let from = behind.map_or(0, |place| place.saturating_add(1));
        let Some(own) = table.of.get(principal) else {
            return (Vec::new(), None);
        };
        let mut kept = own
            .tasks
            .range(from..)
            .filter_map(|(_, id)| table.by_id.get(id))
            .filter(|task| task.until > now);
        let page: Vec<_> = kept.by_ref().take(size.max(1)).cloned().collect();
        let more = kept.next().and(page.last()).map(|task| task.number);
        (page, more)
    }

    /// Takes a task out; what its call left open is the caller's to close.
    pub(crate) fn end(&self, task: &Task<P>) -> Option<Arc<Task<P>>> {
        lock(&self.0).remove(&task.id)
    }

    /// Takes out the tasks whose time is over; what their calls left open is the caller's to close.
    pub(crate) fn expired(&self, now: Instant) -> Vec<Arc<Task<P>>> {
        let mut table = lock(&self.0);
        let mut expired = Vec::new();
        while let Some((until, _, id)) = table.ends.first().cloned()
            && until <= now
        {
            expired.extend(table.remove(&id));
        }
        expired
    }

    /// How many tasks are kept.
    pub(crate) fn len(&self) -> usize {
        lock(&self.0).by_id.len()
    }
}

impl<P> Table<P> {
    fn insert(&mut self, task: Arc<Task<P>>) {
        self.by_upstream
            .insert(upstream_key(&task), task.id.clone());
        self.ends.insert((task.until, task.number, task.id.clone()));
        let own = self.of.entry(Arc::clone(&task.principal)).or_default();
        own.tasks.insert(task.number, task.id.clone());
        self.by_id.insert(task.id.clone(), task);
    }

    fn remove(&mut self, id: &str) -> Option<Arc<Task<P>>> {
        let task = self.by_id.remove(id)?;
        self.by_upstream.remove(&upstream_key(&task));
        self.ends
            .remove(&(task.until, task.number, task.id.clone()));
        if let Some(own) = self.of.get_mut(&task.principal) {
            own.tasks.remove(&task.number);
        }
        self.forget(&task.principal);
        Some(task)
    }

    fn forget(&mut self, principal: &Arc<str>) {
        let is_empty = |own: &Own| own.tasks.is_empty() && own.promised == 0;
        if self.of.get(principal).is_some_and(is_empty) {
            self.of.remove(principal);
        }
    }
}

/// Room for one task. Dropped, it is given back.
#[derive(Debug)]
#[must_use]
pub(crate) struct Room<P> {
    table: Arc<Mutex<Table<P>>>,
    principal: Arc<str>,
}

impl<P> Room<P> {
    /// Keeps a task that a server made.
    pub(crate) fn keep(self, made: Made<P>, now: Instant) -> Result<Arc<Task<P>>, (TaskError, P)> {
        let Made {
            upstream,
            upstream_id,
            form,
            ttl,
            told,
            payload,
        } = made;
        let Ok(id) = ids::uuid() else {
            return Err((TaskError::Randomness, payload));
        };
        let mut table = lock(&self.table);
        let key = (Arc::clone(&self.principal), upstream, upstream_id.clone());
        if table.by_upstream.contains_key(&key) {
            return Err((TaskError::Reused, payload));
        }
        let number = table.next;
        table.next = number.saturating_add(1);
        let ttl = ttl.unwrap_or(Duration::MAX).min(table.bounds.longest);
        let task = Arc::new(Task {
            id,
            principal: Arc::clone(&self.principal),
            upstream,
            upstream_id,
            form,
            payload,
            number,
            until: now + ttl,
            told: Mutex::new(told),
        });
        table.insert(Arc::clone(&task));
        Ok(task)
    }
}

impl<P> Drop for Room<P> {
    fn drop(&mut self) {
        let mut table = lock(&self.table);
        table.promised = table.promised.saturating_sub(1);
        if let Some(own) = table.of.get_mut(&self.principal) {
            own.promised = own.promised.saturating_sub(1);
        }
        table.forget(&self.principal);
    }
}

fn upstream_key<P>(task: &Task<P>) -> (Arc<str>, u64, String) {
    let principal = Arc::clone(&task.principal);
    (principal, task.upstream, task.upstream_id.clone())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;

//! Calls that wait for their client to come back: a server of the legacy era asked something in the
//! middle of a call, and the client of the modern era answers with its next request.
//!
//! The running call holds a [`Stall`], the table the other end of it under a [`Handle`]. Whichever
//! of the two goes, the other learns of it, and the entry is gone.

use std::{
    collections::HashMap,
    future::pending,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::oneshot,
    time::{Instant, sleep_until},
};

use crate::sealed::Handle;

/// How many calls may wait.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) per_principal: usize,
    pub(crate) total: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            per_principal: 256,
            total: 4_096,
        }
    }
}

/// Why a call cannot wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ParkError {
    /// The principal's calls, or all, that wait already.
    #[error("too many calls wait for their client's answers; answer or cancel some of them")]
    Full,
    /// No handle could be drawn.
    #[error("the system gives no randomness")]
    Randomness,
}

/// The calls that wait. `T` is what the client's next request hands over.
#[derive(Debug)]
pub(crate) struct Parking<T> {
    table: Arc<Mutex<Table<T>>>,
    bounds: Bounds,
}

#[derive(Debug)]
struct Table<T> {
    waiting: HashMap<Handle, Entry<T>>,
    of: HashMap<Arc<str>, usize>,
}

#[derive(Debug)]
struct Entry<T> {
    principal: Arc<str>,
    until: Instant,
    resume: oneshot::Sender<T>,
}

impl<T> Parking<T> {
    pub(crate) fn new(bounds: Bounds) -> Self {
        Self {
            table: Arc::new(Mutex::new(Table {
                waiting: HashMap::new(),
                of: HashMap::new(),
            })),
            bounds,
        }
    }

    /// Lets a call of `principal` wait for at most `lifetime`.
    pub(crate) fn park(
        &self,
        principal: &str,
        lifetime: Duration,
    ) -> Result<(Handle, Stall<T>), ParkError> {
        let mut bytes = [0u8; 16];
        getrandom::fill(&mut bytes).map_err(|_| ParkError::Randomness)?;
        let (handle, until) = (Handle(bytes), Instant::now() + lifetime);
        let (resume, resumed) = oneshot::channel();
        let mut table = lock(&self.table);
        if table.waiting.len() >= self.bounds.total
            || table.count(principal) >= self.bounds.per_principal
        {
            return Err(ParkError::Full);
        }
        let principal = table.enter(principal);
        let entry = Entry {
            principal,
            until,
            resume,
        };
        table.waiting.insert(handle, entry);
        drop(table);
        let stall = Stall {
            table: Arc::clone(&self.table),
            handle,
            until,
            resumed,
        };
        Ok((handle, stall))
    }

    /// Takes the call that waits under `handle`; `None` where none does, or none of this principal.
    pub(crate) fn take(&self, principal: &str, handle: &Handle) -> Option<Resume<T>> {
        let mut table = lock(&self.table);
        let entry = table.waiting.get(handle)?;
        if *entry.principal != *principal || entry.until <= Instant::now() {
            return None;
        }
        let entry = table.remove(handle)?;
        // Its call may have ended just now.
        (!entry.resume.is_closed()).then_some(Resume(entry.resume))
    }

    /// Tells the calls of a principal that nobody comes back for them.
    pub(crate) fn forget(&self, principal: &str) {
        let mut table = lock(&self.table);
        table
            .waiting
            .retain(|_, entry| *entry.principal != *principal);
        table.of.remove(principal);
    }

    /// Tells every call that nobody comes back for it.
    pub(crate) fn close(&self) {
        let mut table = lock(&self.table);
        table.waiting.clear();
        table.of.clear();
    }

    /// How many calls wait.
    pub(crate) fn len(&self) -> usize {
        lock(&self.table).waiting.len()
    }
}

impl<T> Table<T> {
    fn count(&self, principal: &str) -> usize {
        self.of.get(principal).copied().unwrap_or_default()
    }

    fn enter(&mut self, principal: &str) -> Arc<str> {
        let name = match self.of.get_key_value(principal) {
            Some((name, _)) => Arc::clone(name),
            None => Arc::from(principal),
        };
        let count = self.of.entry(Arc::clone(&name)).or_default();
        *count = count.saturating_add(1);
        name
    }

    fn remove(&mut self, handle: &Handle) -> Option<Entry<T>> {
        let entry = self.waiting.remove(handle)?;
        if let Some(count) = self.of.get_mut(&entry.principal) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.of.remove(&entry.principal);
            }
        }
        Some(entry)
    }
}

/// The running call's end. Dropped, nobody can take the call any more.
#[derive(Debug)]
pub(crate) struct Stall<T> {
    table: Arc<Mutex<Table<T>>>,
    handle: Handle,
    until: Instant,
    resumed: oneshot::Receiver<T>,
}

impl<T> Stall<T> {
    /// What the client's next request handed over; `None` when none came in time, or it was dropped
    /// on the way.
    pub(crate) async fn resumed(mut self) -> Option<T> {
        let (table, handle, until) = (Arc::clone(&self.table), self.handle, self.until);
        let expired = async move {
            sleep_until(until).await;
            if lock(&table).remove(&handle).is_none() {
                // It was taken before, and is handed over at once or dropped.
                pending::<()>().await;
            }
        };
        tokio::select! {
            biased;
            handed = &mut self.resumed => handed.ok(),
            () = expired => None,
        }
    }
}

impl<T> Drop for Stall<T> {
    fn drop(&mut self) {
        lock(&self.table).remove(&self.handle);
    }
}

/// The end of whoever took a call. Dropped, the call is told that nothing comes.
#[derive(Debug)]
pub(crate) struct Resume<T>(oneshot::Sender<T>);

impl<T> Resume<T> {
    /// Hands over; what could not be, since the call has ended, comes back.
    pub(crate) fn hand(self, what: T) -> Result<(), T> {
        self.0.send(what)
    }
}

fn lock<T>(table: &Mutex<Table<T>>) -> MutexGuard<'_, Table<T>> {
    table.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;

//! Governance sessions: a span of audit and sensitivity, ours, keyed by principal and label.
//!
//! A session ends by its caller's wish, by idling, by the operator, or with the gateway. What it
//! has seen outlives it: the next session of the same principal starts at the same mark, until an
//! operator resets it.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering},
    },
};

use cmcp_evidence::Timestamp;
use cmcp_policy::{
    engine::Principal,
    sensitivity::Sensitivity,
    session::{SessionState, SessionView},
};
use tokio::sync::{Notify, watch};

use crate::{
    keeper::Noted,
    ledger::Pending,
    store::MarkRow,
};

/// One governance session.
#[derive(Debug)]
pub(crate) struct Session {
    /// Random, never chosen by a caller.
    pub(crate) id: String,
    /// The session's log in the store.
    pub(crate) log: i64,
    pub(crate) principal: Arc<Principal>,
    /// The caller's own name for it, if it gave one.
    pub(crate) label: Option<String>,
    /// The session before this one, of the same principal and label.
    pub(crate) predecessor: Option<String>,
    state: Mutex<SessionState>,
    // What the session's log has been told of the world around it.
    noted: Mutex<Noted>,
    // The receipt of the log's first entry, until somebody has waited for it.
    first: Mutex<Option<Pending>>,
    // Listing generation of each upstream that this session's log has declared.
    declared: Mutex<HashMap<u64, u64>>,
    last_call: AtomicI64,
    // The tool called last, and how often in a row.
    run: Mutex<(String, u64)>,
    in_flight: AtomicUsize,
    idle: Notify,
    closing: AtomicBool,
    abort: watch::Sender<bool>,
}

impl Session {
    /// A copy of what policy may see; no lock is held afterwards.
    pub(crate) fn view(&self) -> SessionView {
        lock(&self.state).view()
    }

    /// Changes the state; the state itself only ever rises.
    pub(crate) fn update<T>(&self, change: impl FnOnce(&mut SessionState) -> T) -> T {
        change(&mut lock(&self.state))
    }

    /// What the log has been told; entries that go with a change are queued under the lock.
    pub(crate) fn noted(&self) -> MutexGuard<'_, Noted> {
        lock(&self.noted)
    }

    /// The receipt of the log's first entry, for the first who asks.
    pub(crate) fn first_entry(&self) -> Option<Pending> {
        lock(&self.first).take()
    }

    /// Whether the log must declare `generation` of that upstream before the next dispatch.
    pub(crate) fn declare(&self, link: u64, generation: u64) -> bool {
        lock(&self.declared).insert(link, generation) != Some(generation)
    }

    /// Counts calls of one tool in a row; the count at the moment it becomes suspicious.
    pub(crate) fn count_run(&self, tool: &str) -> Option<u64> {
        let mut run = lock(&self.run);
        if run.0 == tool {
            run.1 = run.1.saturating_add(1);
        } else {
            run.0.clear();
            run.0.extend(tool.chars().take(MAX_TOOL_NAME));
            run.1 = 1;
        }
        (run.1 == SUSPICIOUS_RUN).then_some(run.1)
    }

    /// Whether no further call may enter.
    pub(crate) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Acquire)
    }

    /// Stops further calls; false when somebody else is closing it already.
    pub(crate) fn start_closing(&self) -> bool {
        !self.closing.swap(true, Ordering::AcqRel)
    }

    /// Lets calls in again, after closing failed.
    pub(crate) fn reopen(&self) {
        self.abort.send_replace(false);
        self.closing.store(false, Ordering::Release);
    }

    /// Waits until no call is in flight.
    pub(crate) async fn drained(&self) {
        loop {
            let idle = self.idle.notified();
            if self.in_flight.load(Ordering::Acquire) == 0 {
                return;
            }
            idle.await;
        }
    }

    /// Ends the calls in flight: each writes its outcome as unknown.
    pub(crate) fn abort(&self) {
        self.abort.send_replace(true);
    }

    /// Resolves when the calls in flight are to end.
    pub(crate) async fn aborted(&self) {
        // The sender lives as long as the session, so waiting cannot fail.
        let _ = self.abort.subscribe().wait_for(|aborted| *aborted).await;
    }

    fn idle_since(&self) -> Option<Timestamp> {
        (self.in_flight.load(Ordering::Acquire) == 0)
            .then(|| Timestamp::from_micros(self.last_call.load(Ordering::Relaxed)))
    }
}

/// A call's stay in a session; the session is not closed under it.
#[derive(Debug)]
pub(crate) struct Stay(pub(crate) Arc<Session>);

impl Drop for Stay {
    fn drop(&mut self) {
        if self.0.in_flight.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.idle.notify_waiters();
        }
    }
}

/// What a session is found by.
type Key = (String, Option<String>);

/// All open sessions, and the marks that outlive them.
#[derive(Debug)]
pub(crate) struct Sessions {
    open: Mutex<Open>,
    marks: Mutex<HashMap<String, Marked>>,
    next_log: AtomicI64,
}

#[derive(Debug, Default)]
struct Open {
    by_key: HashMap<Key, Arc<Session>>,
    by_id: HashMap<String, Arc<Session>>,
}

/// What a principal's sessions have seen.
#[derive(Clone, Debug)]
pub(crate) struct Marked {
    pub(crate) sensitivity: Sensitivity,
    pub(crate) resets: u64,
}

/// Why no session could be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Full {
    /// The principal has too many.
    Principal,
    /// The gateway has too many.
    Gateway,
}

impl Sessions {
    pub(crate) fn new(next_log: i64, marks: Vec<(MarkRow, Sensitivity)>) -> Self {
        let marks = marks
            .into_iter()
            .map(|(row, sensitivity)| {
                (
                    row.principal,
                    Marked {
                        sensitivity,
                        resets: row.resets,
                    },
                )
            })
            .collect();
        Self {
            open: Mutex::new(Open::default()),
            marks: Mutex::new(marks),
            next_log: AtomicI64::new(next_log),
        }
    }

    /// A log key never used before.
    pub(crate) fn fresh_log(&self) -> i64 {
        self.next_log.fetch_add(1, Ordering::Relaxed)
    }

    /// Enters the open session of `principal` under `label`, or opens one with `open`, which
    /// queues the log's first entry while the table is locked, so that it stays the first.
    pub(crate) fn enter<E>(
        &self,
        principal: &Arc<Principal>,
        label: Option<&str>,
        now: Timestamp,
        new: impl FnOnce() -> Result<NewSession, E>,
        open: impl FnOnce(&Session) -> Result<Pending, E>,
    ) -> Result<Stay, EnterError<E>> {
        let mut table = lock(&self.open);
        let key = (principal.name.clone(), label.map(ToOwned::to_owned));
        let previous = table.by_key.get(&key).cloned();
        if let Some(session) = previous.as_ref().filter(|s| !s.is_closing()) {
            session.last_call.store(now.micros(), Ordering::Relaxed);
            session.in_flight.fetch_add(1, Ordering::AcqRel);
            return Ok(Stay(Arc::clone(session)));
        }
        table.room(&principal.name).map_err(EnterError::Full)?;
        let new = new().map_err(EnterError::Open)?;
        let session = Arc::new(Session {
            id: new.id,
            log: self.fresh_log(),
            principal: Arc::clone(principal),
            label: key.1.clone(),
            predecessor: new.predecessor.or_else(|| previous.map(|p| p.id.clone())),
            state: Mutex::new(self.initial_state(&principal.name)),
            noted: Mutex::new(new.noted),
            first: Mutex::default(),
            declared: Mutex::default(),
            last_call: AtomicI64::new(now.micros()),
            run: Mutex::default(),
            in_flight: AtomicUsize::new(1),
            idle: Notify::new(),
            closing: AtomicBool::new(false),
            abort: watch::Sender::new(false),
        });
        let first = open(&session).map_err(EnterError::Open)?;
        *lock(&session.first) = Some(first);
        table.by_id.insert(session.id.clone(), Arc::clone(&session));
        table.by_key.insert(key, Arc::clone(&session));
        Ok(Stay(session))
    }

    /// The open session with this id, if `principal` owns it; anybody's for the operator.
    pub(crate) fn find(&self, id: &str, principal: Option<&str>) -> Option<Arc<Session>> {
        let table = lock(&self.open);
        let session = table.by_id.get(id).cloned().or_else(|| {
            let key = (principal?.to_owned(), Some(id.to_owned()));
            table.by_key.get(&key).cloned()
        })?;
        principal
            .is_none_or(|name| name == session.principal.name)
            .then_some(session)
    }

    /// Takes a session out of the table.
    pub(crate) fn remove(&self, session: &Arc<Session>) {
        let mut table = lock(&self.open);
        table.by_id.remove(&session.id);
        let key = (session.principal.name.clone(), session.label.clone());
        if table
            .by_key
            .get(&key)
            .is_some_and(|s| Arc::ptr_eq(s, session))
        {
            table.by_key.remove(&key);
        }
    }

    /// Sessions without a call since `before`.
    pub(crate) fn idle_before(&self, before: Timestamp) -> Vec<Arc<Session>> {
        let table = lock(&self.open);
        table
            .by_id
            .values()
            .filter(|s| !s.is_closing() && s.idle_since().is_some_and(|since| since < before))
            .cloned()
            .collect()
    }

    /// Every open session.
    pub(crate) fn all(&self) -> Vec<Arc<Session>> {
        lock(&self.open).by_id.values().cloned().collect()
    }

    /// Number of open sessions.
    pub(crate) fn count(&self) -> usize {
        lock(&self.open).by_id.len()
    }

    /// Raises the principal's mark; the new mark when it rose, to be written with the entry.
    pub(crate) fn raise_mark(&self, principal: &str, to: &Sensitivity) -> Option<Marked> {
        let mut marks = lock(&self.marks);
        match marks.get_mut(principal) {
            Some(mark) if mark.sensitivity.rank() >= to.rank() => None,
            Some(mark) => {
                mark.sensitivity = to.clone();
                Some(mark.clone())
            }
            None if to.rank() == 0 => None,
            None => {
                let mark = Marked {
                    sensitivity: to.clone(),
                    resets: 0,
                };
                marks.insert(principal.to_owned(), mark.clone());
                Some(mark)
            }
        }
    }

    /// Lowers the principal's mark to `to`: the operator's reset.
    pub(crate) fn reset_mark(&self, principal: &str, to: Sensitivity) -> Marked {
        let mut marks = lock(&self.marks);
        let resets = marks
            .get(principal)
            .map_or(0, |m| m.resets)
            .saturating_add(1);
        let mark = Marked {
            sensitivity: to,
            resets,
        };
        marks.insert(principal.to_owned(), mark.clone());
        mark
    }

    /// How often the principal's mark was reset.
    pub(crate) fn mark(&self, principal: &str) -> Option<Marked> {
        lock(&self.marks).get(principal).cloned()
    }

    fn initial_state(&self, principal: &str) -> SessionState {
        match lock(&self.marks).get(principal) {
            Some(mark) => SessionState::inherit(mark.sensitivity.clone(), mark.resets),
            None => SessionState::default(),
        }
    }
}

/// What a new session gets from outside.
#[derive(Debug)]
pub(crate) struct NewSession {
    pub(crate) id: String,
    pub(crate) predecessor: Option<String>,
    /// What the log's first entry tells.
    pub(crate) noted: Noted,
}

/// Why a call could not enter a session.
#[derive(Debug)]
pub(crate) enum EnterError<E> {
    /// A limit on the number of sessions.
    Full(Full),
    /// The log could not be opened.
    Open(E),
}

impl Open {
    fn room(&self, principal: &str) -> Result<(), Full> {
        if self.by_id.len() >= MAX_OPEN {
            return Err(Full::Gateway);
        }
        let own = self
            .by_key
            .keys()
            .filter(|(name, label)| name == principal && label.is_some());
        if own.count() >= MAX_PER_PRINCIPAL {
            Err(Full::Principal)
        } else {
            Ok(())
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Every change under these locks is a single insertion or a monotone raise: a panic elsewhere
    // leaves nothing half done.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Calls of one tool in a row that the log notes, once per run.
const SUSPICIOUS_RUN: u64 = 4;
/// Characters of a tool's name kept for that; a caller may name anything.
const MAX_TOOL_NAME: usize = 256;
/// Open sessions of one principal.
const MAX_PER_PRINCIPAL: usize = 1_000;
/// Open sessions in all.
const MAX_OPEN: usize = 20_000;

//! Governance sessions: a span of audit and sensitivity, ours, keyed by principal and label.
//!
//! A session ends by its caller's wish, by idling, by the operator, or with the gateway. What it
//! has seen outlives it: it is the principal's ([`crate::seen`]), and every session of the same
//! principal sees it, until an operator resets it.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering},
    },
};

use cmcp_evidence::Timestamp;
use cmcp_mcp::upstream::Kind;
use cmcp_policy::{
    engine::Principal,
    session::{SessionState, SessionView},
};
use tokio::sync::{Notify, watch};

use crate::{
    keeper::{Noted, Sealing},
    ledger::{LedgerError, Pending},
    limits::Made,
    seen::Seen,
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
    /// How many calls it has made, for limits on that.
    pub(crate) made: Made,
    // What this session has seen itself, which even the operator's reset of another leaves.
    own: Mutex<SessionState>,
    // What all sessions of the principal have seen.
    seen: Arc<Seen>,
    // What the session's log has been told of the world around it.
    noted: Mutex<Noted>,
    first: tokio::sync::Mutex<First>,
    // Generation of each listing, by seat and kind, that this session's log has declared.
    declared: Mutex<HashMap<(u64, Kind), u64>>,
    last_call: AtomicI64,
    // The tool called last, and how often in a row.
    run: Mutex<(String, u64)>,
    in_flight: AtomicUsize,
    idle: Notify,
    closing: AtomicBool,
    // Somebody is at it now.
    sealing: AtomicBool,
    // What is to be sealed, once the last entry is written.
    ended: Mutex<Option<Sealing>>,
    abort: watch::Sender<bool>,
}

impl Session {
    /// A copy of what policy may see; no lock is held afterwards.
    pub(crate) fn view(&self) -> SessionView {
        let own = lock(&self.own).view();
        self.seen.view().join(&own)
    }

    /// Raises what this session and its principal have seen.
    pub(crate) fn update(&self, change: impl Fn(&mut SessionState)) {
        change(&mut lock(&self.own));
        self.seen.update(change);
    }

    /// What all sessions of the principal have seen.
    pub(crate) fn seen(&self) -> &Arc<Seen> {
        &self.seen
    }

    /// What the log has been told; entries that go with a change are queued under the lock.
    pub(crate) fn noted(&self) -> MutexGuard<'_, Noted> {
        lock(&self.noted)
    }

    /// The first entry's fate; whoever asks first waits for it, and all others with it.
    pub(crate) fn first(&self) -> &tokio::sync::Mutex<First> {
        &self.first
    }

    /// Whether the log must declare `generation` of that listing before the next dispatch.
    pub(crate) fn declare(&self, listing: (u64, Kind), generation: u64) -> bool {
        lock(&self.declared).insert(listing, generation) != Some(generation)
    }

    /// The declaration could not be written; the next call tries again.
    pub(crate) fn undeclare(&self, listing: (u64, Kind)) {
        lock(&self.declared).remove(&listing);
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

    /// Stops further calls; false when somebody else is closing it at this moment.
    pub(crate) fn start_closing(&self) -> bool {
        self.closing.store(true, Ordering::Release);
        !self.sealing.swap(true, Ordering::AcqRel)
    }

    /// Closing failed. Calls are let in again, unless the last entry is written already: then only
    /// the sealing is left to be tried again.
    pub(crate) fn stop_closing(&self) {
        if self.ended().is_none() {
            self.abort.send_replace(false);
            self.closing.store(false, Ordering::Release);
        }
        self.sealing.store(false, Ordering::Release);
    }

    /// What is to be sealed, once the last entry is written; no entry follows it.
    pub(crate) fn ended(&self) -> Option<Sealing> {
        lock(&self.ended).clone()
    }

    /// The last entry is written.
    pub(crate) fn end(&self, sealing: Sealing) {
        *lock(&self.ended) = Some(sealing);
    }

    fn waits_for_seal(&self) -> bool {
        !self.sealing.load(Ordering::Acquire) && lock(&self.ended).is_some()
    }

    /// Keeps the session from being closed for a moment; not when it is being closed already.
    pub(crate) fn hold(self: &Arc<Self>) -> Option<Stay> {
        self.in_flight.fetch_add(1, Ordering::SeqCst);
        let stay = Stay(Arc::clone(self));
        (!self.closing.load(Ordering::SeqCst)).then_some(stay)
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

/// How far the log's first entry is.
#[derive(Debug)]
pub(crate) enum First {
    /// Not handed over yet.
    Nobody,
    /// Queued, and nobody has waited for it.
    Queued(Pending),
    /// Written, or refused.
    Known(Result<(), LedgerError>),
}

/// What a session is found by.
type Key = (String, Option<String>);

/// All open sessions, and the marks that outlive them.
#[derive(Debug)]
pub(crate) struct Sessions {
    open: Mutex<Open>,
    seen: Mutex<HashMap<String, Arc<Seen>>>,
    next_log: AtomicI64,
}

#[derive(Debug, Default)]
struct Open {
    by_key: HashMap<Key, Arc<Session>>,
    by_id: HashMap<String, Arc<Session>>,
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
    /// With what principals had seen before.
    pub(crate) fn new(next_log: i64, seen: HashMap<String, Arc<Seen>>) -> Self {
        Self {
            open: Mutex::new(Open::default()),
            seen: Mutex::new(seen),
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
        (principal, label): (&Arc<Principal>, Option<&str>),
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
        table
            .room(&principal.name, label)
            .map_err(EnterError::Full)?;
        let new = new().map_err(EnterError::Open)?;
        let session = Arc::new(Session {
            id: new.id,
            log: self.fresh_log(),
            principal: Arc::clone(principal),
            label: key.1.clone(),
            predecessor: new.predecessor.or_else(|| previous.map(|p| p.id.clone())),
            made: Made::default(),
            own: Mutex::default(),
            seen: self.seen(&principal.name),
            noted: Mutex::new(new.noted),
            first: tokio::sync::Mutex::new(First::Nobody),
            declared: Mutex::default(),
            last_call: AtomicI64::new(now.micros()),
            run: Mutex::default(),
            in_flight: AtomicUsize::new(1),
            idle: Notify::new(),
            closing: AtomicBool::new(false),
            sealing: AtomicBool::new(false),
            ended: Mutex::default(),
            abort: watch::Sender::new(false),
        });
        let first = open(&session).map_err(EnterError::Open)?;
        // Nobody else has the session yet, so the lock is free.
        if let Ok(mut slot) = session.first.try_lock() {
            *slot = First::Queued(first);
        }
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

    /// Sessions without a call since `before`, and those that ended and are not sealed.
    pub(crate) fn idle_before(&self, before: Timestamp) -> Vec<Arc<Session>> {
        let table = lock(&self.open);
        table
            .by_id
            .values()
            .filter(|s| {
                let idle = s.idle_since().is_some_and(|since| since < before);
                s.waits_for_seal() || (!s.is_closing() && idle)
            })
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

    /// What all sessions of a principal have seen.
    pub(crate) fn seen(&self, principal: &str) -> Arc<Seen> {
        let mut seen = lock(&self.seen);
        let one = seen
            .entry(principal.to_owned())
            .or_insert_with(|| Arc::new(Seen::nothing(principal)));
        Arc::clone(one)
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
    fn room(&self, principal: &str, label: Option<&str>) -> Result<(), Full> {
        if self.by_id.len() >= MAX_OPEN {
            return Err(Full::Gateway);
        }
        // The one without a name of its own takes what is refused to the others.
        if label.is_none() {
            return Ok(());
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

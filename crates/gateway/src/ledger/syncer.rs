//! Making commits durable: one sync for everybody who waits.
//!
//! Syncs may overlap: each covers everything that was committed before it began, whatever the others
//! cover. Each has a descriptor of its own, for the kernel tells of a failed write once to each.

use std::{
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
        mpsc::{Receiver, Sender},
    },
    thread::JoinHandle,
    time::Instant,
};

use super::{Answer, LedgerError, Receipt};
use crate::store::{StoreError, WalSync};

/// What the ledger's threads tell each other and the rest of the gateway.
#[derive(Debug, Default)]
pub(crate) struct Health {
    failure: OnceLock<String>,
    behind: AtomicBool,
    under_way: AtomicUsize,
    last_sync_micros: AtomicU64,
}

impl Health {
    /// Why nothing can be appended any more, if so.
    pub(crate) fn failure(&self) -> Option<String> {
        self.failure.get().cloned()
    }

    /// The first failure stands; later ones are its consequences.
    pub(super) fn poison(&self, error: &StoreError) {
        if self.failure.set(error.to_string()).is_ok() {
            tracing::error!(%error, "the audit log stopped; no call is answered any more");
        }
    }

    /// Whether outcomes wait for the store to take entries again.
    pub(super) fn is_behind(&self) -> bool {
        self.behind.load(Ordering::Acquire)
    }

    /// An outcome has to wait for the store.
    pub(super) fn fell_behind(&self) {
        self.behind.store(true, Ordering::Release);
    }

    /// Everything that had waited is written.
    pub(super) fn caught_up(&self) {
        self.behind.store(false, Ordering::Release);
    }

    /// How many syncs are under way.
    pub(super) fn under_way(&self) -> usize {
        self.under_way.load(Ordering::Acquire)
    }

    /// Duration of the last sync, in microseconds.
    pub(super) fn last_sync_micros(&self) -> u64 {
        self.last_sync_micros.load(Ordering::Relaxed)
    }
}

/// Callers to answer once everything committed so far is durable.
#[derive(Debug, Default)]
pub(super) struct SyncJob(pub(super) Vec<(Answer, Receipt)>, pub(super) Vec<Done>);

pub(super) type Done = tokio::sync::oneshot::Sender<Result<(), LedgerError>>;

/// The way to the syncing threads, which end when it is dropped.
#[derive(Debug)]
pub(super) struct Syncers {
    jobs: Sender<SyncJob>,
    health: Arc<Health>,
    count: usize,
}

type Jobs = Arc<Mutex<Receiver<SyncJob>>>;

impl Syncers {
    /// Starts a thread for each of `wals`.
    pub(super) fn start(
        wals: Vec<WalSync>,
        health: &Arc<Health>,
    ) -> Result<(Vec<JoinHandle<()>>, Self), StoreError> {
        let (jobs, queue) = std::sync::mpsc::channel();
        let syncers = Self {
            jobs,
            health: Arc::clone(health),
            count: wals.len(),
        };
        let queue: Jobs = Arc::new(Mutex::new(queue));
        let start = |wal: WalSync| {
            let (health, queue) = (Arc::clone(health), Arc::clone(&queue));
            std::thread::Builder::new()
                .name("ledger-sync".to_owned())
                .spawn(move || run(&wal, &health, &queue))
                .map_err(|e| StoreError::Io(e.to_string()))
        };
        let threads = wals.into_iter().map(start).collect::<Result<_, _>>()?;
        Ok((threads, syncers))
    }

    /// How many syncs may be under way at once.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// Syncs what is committed by now, and answers.
    pub(super) fn begin(&self, job: SyncJob) {
        self.health.under_way.fetch_add(1, Ordering::AcqRel);
        if let Err(std::sync::mpsc::SendError(job)) = self.jobs.send(job) {
            let ended = || LedgerError::Poisoned("the syncing threads have ended".to_owned());
            answer(job, &Err(ended()));
        }
    }
}

fn run(wal: &WalSync, health: &Health, queue: &Jobs) {
    let next = || {
        let queue = queue.lock().unwrap_or_else(PoisonError::into_inner);
        queue.recv()
    };
    while let Ok(job) = next() {
        let started = Instant::now();
        let result = sync_once(wal, health);
        let micros = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
        health.last_sync_micros.store(micros, Ordering::Relaxed);
        health.under_way.fetch_sub(1, Ordering::AcqRel);
        answer(job, &result);
    }
}

fn answer(SyncJob(receipts, done): SyncJob, result: &Result<(), LedgerError>) {
    for (answer, receipt) in receipts {
        // The caller's task cannot go away before its answer; a closed channel is shutdown.
        let _ = answer.send(result.clone().map(|()| receipt));
    }
    for answer in done {
        let _ = answer.send(result.clone());
    }
}

fn sync_once(wal: &WalSync, health: &Health) -> Result<(), LedgerError> {
    if let Some(cause) = health.failure() {
        return Err(LedgerError::Poisoned(cause));
    }
    wal.sync().map_err(|error| {
        // Never again: a second sync may report success for pages the kernel has dropped.
        health.poison(&error);
        LedgerError::Poisoned(error.to_string())
    })?;
    // What another sync failed on meanwhile may lie before what this one was for.
    health
        .failure()
        .map_or(Ok(()), |cause| Err(LedgerError::Poisoned(cause)))
}

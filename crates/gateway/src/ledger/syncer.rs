//! Making commits durable: one sync for everybody who waits.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
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
    syncing: AtomicBool,
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

    /// Whether a sync is under way.
    pub(super) fn syncing(&self) -> bool {
        self.syncing.load(Ordering::Acquire)
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

pub(super) fn start(
    wal: WalSync,
    health: Arc<Health>,
) -> Result<(JoinHandle<()>, Sender<SyncJob>), StoreError> {
    let (jobs, queue) = std::sync::mpsc::channel();
    let thread = std::thread::Builder::new()
        .name("ledger-sync".to_owned())
        .spawn(move || run(&wal, &health, &queue))
        .map_err(|e| StoreError::Io(e.to_string()))?;
    Ok((thread, jobs))
}

fn run(wal: &WalSync, health: &Health, queue: &Receiver<SyncJob>) {
    while let Ok(first) = queue.recv() {
        health.syncing.store(true, Ordering::Release);
        let SyncJob(mut receipts, mut done) = first;
        while let Ok(SyncJob(more_receipts, more_done)) = queue.try_recv() {
            receipts.extend(more_receipts);
            done.extend(more_done);
        }
        let started = Instant::now();
        let result = sync_once(wal, health);
        let micros = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
        health.last_sync_micros.store(micros, Ordering::Relaxed);
        health.syncing.store(false, Ordering::Release);
        for (answer, receipt) in receipts {
            // The caller's task cannot go away before its answer; a closed channel is shutdown.
            let _ = answer.send(result.clone().map(|()| receipt));
        }
        for answer in done {
            let _ = answer.send(result.clone());
        }
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
    })
}

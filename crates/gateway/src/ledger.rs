//! The one append site. An entry handed to [`Ledger::append`] is durable, as far as its
//! [`Durability`] says, when the receipt comes back; without a receipt nobody may be told that
//! anything happened.
//!
//! One thread owns the chains and the store and commits what has arrived ([`writer`]); others make
//! commits durable ([`syncer`]). The queue between callers and writer is bounded: when it is
//! full, callers are refused instead of being kept waiting without end.

mod group;
mod placed;
mod syncer;
mod writer;

use std::{
    sync::{
        Arc,
        mpsc::{SyncSender, TrySendError},
    },
    thread::JoinHandle,
};

use cmcp_evidence::Sha256Digest;
use cmcp_record::audit::{Chain, Kind};
use tokio::sync::oneshot;

use crate::{
    clock::Clock,
    seen::Mark,
    store::{Seal, Store, StoreError, WalSync},
};
pub(crate) use syncer::Health;

/// How far an entry is safe when its receipt arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// Synced to disk: survives a power cut.
    Disk,
    /// Written: survives the end of this process, and is synced within ten milliseconds.
    Process,
}

/// Proof that an entry is in the log.
#[derive(Clone, Debug)]
pub struct Receipt {
    /// The entry's position in its log.
    pub seq: u64,
    /// Hash of the projected 0.7.1 entry, in hexadecimal; none for kinds without a projection.
    pub entry_hash: Option<String>,
    /// Root over the log up to and including this entry.
    pub root: Sha256Digest,
    /// Number of entries up to and including this one.
    pub size: u64,
    /// Number of outcomes among them.
    pub calls: u64,
}

/// Why an entry was not taken.
#[derive(Clone, Debug, thiserror::Error)]
pub enum LedgerError {
    /// Too many entries wait for the disk.
    #[error("the audit log is overloaded; try again later")]
    Overloaded,
    /// The entry itself cannot be written.
    #[error("the audit entry is not valid: {0}")]
    Entry(String),
    /// The store refused; the next attempt may succeed.
    #[error("{0}")]
    Unavailable(String),
    /// A sync failed or the store is damaged; this process acknowledges nothing more.
    #[error(
        "the audit log stopped after a storage failure ({0}); check the disk, then restart the gateway"
    )]
    Poisoned(String),
}

impl LedgerError {
    /// What callers are told: nothing of paths and disks.
    pub(crate) fn outside(&self) -> &'static str {
        match self {
            Self::Overloaded => "the audit log is overloaded; try again later",
            Self::Entry(_) | Self::Poisoned(_) | Self::Unavailable(_) => {
                "the audit log takes no entry; the gateway's own log says why"
            }
        }
    }
}

/// The log, seen from those who append.
#[derive(Clone, Debug)]
pub struct Ledger {
    queue: SyncSender<Command>,
    health: Arc<Health>,
}

/// The ledger's threads; they end when the last [`Ledger`] is dropped.
#[derive(Debug)]
pub(crate) struct LedgerThreads(Vec<JoinHandle<()>>);

impl LedgerThreads {
    /// Waits until everything queued is on disk.
    pub(crate) fn join(self) {
        for thread in self.0 {
            // A panic there has already poisoned the ledger; there is nothing to add to it.
            let _ = thread.join();
        }
    }
}

pub(crate) type Answer = oneshot::Sender<Result<Receipt, LedgerError>>;

/// A receipt that is still to come.
pub(crate) type Pending = oneshot::Receiver<Result<Receipt, LedgerError>>;

/// The salts of an entry's two payload commitments, kept outside the log.
pub(crate) type Salts = [u8; 64];

/// What the writer is asked to do.
#[derive(Debug)]
pub(crate) enum Command {
    Append(Append),
    Open {
        log: i64,
        id: String,
        principal: String,
        label: Option<String>,
        entry: Append,
    },
    Seal {
        log: i64,
        seal: Box<Seal>,
        answer: oneshot::Sender<Result<(), LedgerError>>,
    },
    CallRecord {
        log: i64,
        call: String,
        record: Vec<u8>,
        answer: oneshot::Sender<Result<(), LedgerError>>,
    },
    Block {
        principal: String,
        reason: Option<String>,
        answer: oneshot::Sender<Result<(), LedgerError>>,
    },
}

/// One entry on its way.
#[derive(Debug)]
pub(crate) struct Append {
    pub(crate) log: i64,
    pub(crate) kind: Kind,
    pub(crate) durability: Durability,
    pub(crate) salts: Option<Box<Salts>>,
    pub(crate) mark: Option<Arc<Mark>>,
    pub(crate) answer: Answer,
}

impl Ledger {
    /// Starts the threads over an open store, with the logs that go on.
    pub(crate) fn start(
        store: Store,
        chains: Vec<(i64, Chain)>,
        clock: Clock,
    ) -> Result<(Self, LedgerThreads), StoreError> {
        let wals = (0..SYNCS).map(|_| store.wal_sync());
        let wals = wals.collect::<Result<_, _>>()?;
        Self::start_with(store, wals, chains, clock)
    }

    fn start_with(
        store: Store,
        wals: Vec<WalSync>,
        chains: Vec<(i64, Chain)>,
        clock: Clock,
    ) -> Result<(Self, LedgerThreads), StoreError> {
        let health = Arc::new(Health::default());
        let (queue, commands) = std::sync::mpsc::sync_channel(QUEUE);
        let (mut threads, syncers) = syncer::Syncers::start(wals, &health)?;
        let writer = writer::Writer::new(store, chains, clock, syncers, Arc::clone(&health));
        let write_thread = std::thread::Builder::new()
            .name("ledger-write".to_owned())
            .spawn(move || writer.run(&commands))
            .map_err(|e| StoreError::Io(e.to_string()))?;
        threads.push(write_thread);
        Ok((Self { queue, health }, LedgerThreads(threads)))
    }

    /// Appends one entry and waits until it is as safe as `durability` says.
    pub(crate) async fn append(&self, entry: AppendRequest) -> Result<Receipt, LedgerError> {
        // What has happened has to be written; only what has not begun yet can be refused.
        let happened = matches!(entry.kind, Kind::Outcome(_));
        let (answer, pending) = oneshot::channel();
        let command = Command::Append(entry.into_append(answer));
        if happened {
            self.send_patiently(command).await?;
        } else {
            self.send(command)?;
        }
        self.receive(pending).await
    }

    /// Queues one entry; [`Ledger::receive`] waits for it. Whatever is queued later for that log
    /// follows it.
    pub(crate) fn queue(&self, entry: AppendRequest) -> Result<Pending, LedgerError> {
        let (answer, receipt) = oneshot::channel();
        self.send(Command::Append(entry.into_append(answer)))?;
        Ok(receipt)
    }

    /// Waits for the receipt of a queued entry.
    pub(crate) async fn receive(&self, pending: Pending) -> Result<Receipt, LedgerError> {
        pending.await.unwrap_or_else(|_| Err(self.gone()))
    }

    /// Queues a new log with its first entry. Whatever is queued later for that log follows it.
    pub(crate) fn open(
        &self,
        id: String,
        principal: String,
        label: Option<String>,
        first: AppendRequest,
    ) -> Result<Pending, LedgerError> {
        let (answer, receipt) = oneshot::channel();
        let log = first.log;
        let entry = first.into_append(answer);
        self.send(Command::Open {
            log,
            id,
            principal,
            label,
            entry,
        })?;
        Ok(receipt)
    }

    /// Stores the records of a log and marks it closed.
    pub(crate) async fn seal(&self, log: i64, seal: Seal) -> Result<(), LedgerError> {
        let (answer, done) = oneshot::channel();
        self.send(Command::Seal {
            log,
            seal: Box::new(seal),
            answer,
        })?;
        done.await.unwrap_or_else(|_| Err(self.gone()))
    }

    /// Stores the record of one call.
    pub(crate) async fn call_record(
        &self,
        log: i64,
        call: String,
        record: Vec<u8>,
    ) -> Result<(), LedgerError> {
        let (answer, done) = oneshot::channel();
        self.send(Command::CallRecord {
            log,
            call,
            record,
            answer,
        })?;
        done.await.unwrap_or_else(|_| Err(self.gone()))
    }

    /// Stores that a principal is blocked for `reason`, or with none that it is not any more.
    pub(crate) async fn block(
        &self,
        principal: String,
        reason: Option<String>,
    ) -> Result<(), LedgerError> {
        let (answer, done) = oneshot::channel();
        self.send(Command::Block {
            principal,
            reason,
            answer,
        })?;
        done.await.unwrap_or_else(|_| Err(self.gone()))
    }

    /// Why nothing can be appended any more, if so.
    pub(crate) fn failure(&self) -> Option<String> {
        self.health.failure()
    }

    /// Whether the store took no entries when it was last asked: what happens now may leave no trace.
    pub(crate) fn is_behind(&self) -> bool {
        self.health.is_behind() || self.health.failure().is_some()
    }

    async fn send_patiently(&self, mut command: Command) -> Result<(), LedgerError> {
        loop {
            if let Some(cause) = self.health.failure() {
                return Err(LedgerError::Poisoned(cause));
            }
            command = match self.queue.try_send(command) {
                Ok(()) => return Ok(()),
                Err(TrySendError::Disconnected(_)) => return Err(self.gone()),
                Err(TrySendError::Full(command)) => command,
            };
            tokio::time::sleep(QUEUE_FULL).await;
        }
    }

    fn send(&self, command: Command) -> Result<(), LedgerError> {
        if let Some(cause) = self.health.failure() {
            return Err(LedgerError::Poisoned(cause));
        }
        self.queue.try_send(command).map_err(|e| match e {
            TrySendError::Full(_) => LedgerError::Overloaded,
            TrySendError::Disconnected(_) => self.gone(),
        })
    }

    fn gone(&self) -> LedgerError {
        LedgerError::Poisoned(
            self.health
                .failure()
                .unwrap_or_else(|| "the writer has ended".to_owned()),
        )
    }
}

/// An entry to append, without the way back.
#[derive(Debug)]
pub(crate) struct AppendRequest {
    pub(crate) log: i64,
    pub(crate) kind: Kind,
    pub(crate) durability: Durability,
    pub(crate) salts: Option<Box<Salts>>,
    pub(crate) mark: Option<Arc<Mark>>,
}

impl AppendRequest {
    /// An entry without payload commitments.
    pub(crate) fn plain(log: i64, kind: Kind, durability: Durability) -> Self {
        Self {
            log,
            kind,
            durability,
            salts: None,
            mark: None,
        }
    }

    fn into_append(self, answer: Answer) -> Append {
        let Self {
            log,
            kind,
            durability,
            salts,
            mark,
        } = self;
        Append {
            log,
            kind,
            durability,
            salts,
            mark,
            answer,
        }
    }
}

/// How long an outcome waits before it tries a full queue again.
const QUEUE_FULL: std::time::Duration = std::time::Duration::from_millis(5);
/// Syncs under way at once. On a disk that takes them one after the other they merely share turns.
const SYNCS: usize = 4;
/// Entries that may wait for the writer.
const QUEUE: usize = 8192;

#[cfg(test)]
mod tests;

//! When to commit: what arrives while a sync runs shares the next one.

use std::{
    sync::mpsc::{Receiver, RecvTimeoutError},
    time::{Duration, Instant},
};

use super::{Command, Durability, syncer::Health};

/// Everything to write in one transaction.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) commands: Vec<Command>,
}

/// Collects commands into batches.
#[derive(Debug)]
pub(super) struct Group {
    waiting: Vec<Command>,
    last_disk: usize,
    disk_due: Option<Instant>,
    dirty_since: Option<Instant>,
    closed: bool,
}

/// What the writer should do next.
#[derive(Debug)]
pub(super) enum Step {
    /// Commit these; nobody waits for the disk.
    Commit(Batch),
    /// Commit these and sync.
    CommitAndSync(Batch),
    /// Nothing arrived, but something written still waits for its sync.
    Sync,
    /// Everybody is gone and everything is written.
    End,
}

impl Group {
    pub(super) fn new() -> Self {
        Self {
            waiting: Vec::new(),
            last_disk: 1,
            disk_due: None,
            dirty_since: None,
            closed: false,
        }
    }

    /// Waits for the next thing to do.
    pub(super) fn next(&mut self, commands: &Receiver<Command>, health: &Health) -> Step {
        loop {
            let mut quick = Vec::new();
            self.drain(commands, &mut quick);
            if !quick.is_empty() {
                self.dirty_since.get_or_insert_with(Instant::now);
                return Step::Commit(Batch { commands: quick });
            }
            if self.disk_ready(health) {
                self.last_disk = self.waiting.len();
                self.disk_due = None;
                self.dirty_since = None;
                return Step::CommitAndSync(Batch {
                    commands: std::mem::take(&mut self.waiting),
                });
            }
            if self
                .dirty_since
                .is_some_and(|since| since.elapsed() >= SYNC_WITHIN)
            {
                self.dirty_since = None;
                return Step::Sync;
            }
            if self.closed {
                return Step::End;
            }
            if self.waiting.len() >= BATCH {
                // What comes behind stays in the queue, which is bounded: callers are refused
                // there, not hoarded here.
                std::thread::sleep(self.patience(health));
                continue;
            }
            match commands.recv_timeout(self.patience(health)) {
                Ok(command) => self.take(command, &mut quick),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => self.closed = true,
            }
            if !quick.is_empty() {
                self.drain(commands, &mut quick);
                self.dirty_since.get_or_insert_with(Instant::now);
                return Step::Commit(Batch { commands: quick });
            }
        }
    }

    fn drain(&mut self, commands: &Receiver<Command>, quick: &mut Vec<Command>) {
        while quick.len() < BATCH && self.waiting.len() < BATCH {
            match commands.try_recv() {
                Ok(command) => self.take(command, quick),
                Err(_) => break,
            }
        }
    }

    fn take(&mut self, command: Command, quick: &mut Vec<Command>) {
        if durability(&command) == Durability::Process {
            quick.push(command);
        } else {
            self.waiting.push(command);
        }
    }

    // While a sync runs, later arrivals share the next one. When it has ended, its callers come
    // back at nearly the same moment: a short wait for about as many as last time keeps them
    // together, instead of one taking a whole sync for itself and the rest waiting twice.
    fn disk_ready(&mut self, health: &Health) -> bool {
        if self.waiting.is_empty() || (health.syncing() && !self.closed) {
            return false;
        }
        if self.closed || self.waiting.len() >= self.last_disk {
            return true;
        }
        let window = Duration::from_micros((health.last_sync_micros() / 2).min(GATHER_MICROS));
        let due = *self.disk_due.get_or_insert_with(|| Instant::now() + window);
        Instant::now() >= due
    }

    fn patience(&self, health: &Health) -> Duration {
        let mut wait = IDLE;
        if let Some(since) = self.dirty_since {
            wait = wait.min(SYNC_WITHIN.saturating_sub(since.elapsed()));
        }
        if !self.waiting.is_empty() {
            let due = if health.syncing() {
                POLL
            } else {
                self.disk_due
                    .map_or(POLL, |due| due.saturating_duration_since(Instant::now()))
            };
            wait = wait.min(due);
        }
        wait
    }
}

fn durability(command: &Command) -> Durability {
    match command {
        Command::Append(append) => append.durability,
        Command::Open { entry, .. } => entry.durability,
        Command::Block { .. } | Command::CallRecord { .. } | Command::Seal { .. } => {
            Durability::Disk
        }
    }
}

/// Entries in one transaction.
const BATCH: usize = 1024;
/// A `process` entry is synced within this time.
const SYNC_WITHIN: Duration = Duration::from_millis(8);
/// The longest wait for the callers of the last sync to come back.
const GATHER_MICROS: u64 = 2_000;
/// How often the end of a running sync is looked for.
const POLL: Duration = Duration::from_micros(100);
/// Nothing to do: wait for a command.
const IDLE: Duration = Duration::from_secs(3600);

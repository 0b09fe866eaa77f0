//! When to commit, and when to sync: what arrives before the next sync may begin shares it.

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
    // How many syncs may be under way, and when the last one began.
    syncs: usize,
    began: Option<Instant>,
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
    pub(super) fn new(syncs: usize) -> Self {
        Self {
            waiting: Vec::new(),
            syncs,
            began: None,
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
                self.began = Some(Instant::now());
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

    fn disk_ready(&self, health: &Health) -> bool {
        let due = || self.next_sync(health).is_some_and(|due| due.is_zero());
        !self.waiting.is_empty() && (self.closed || due())
    }

    // In how long the next sync may begin; `None` while as many as may be are under way. They begin
    // evenly apart: what arrives meanwhile shares the next one, and no caller of a sync that has
    // just ended waits for the whole of another before its own begins.
    fn next_sync(&self, health: &Health) -> Option<Duration> {
        let under_way = health.under_way();
        match (under_way, self.began) {
            (0, _) | (_, None) => Some(Duration::ZERO),
            (_, Some(_)) if under_way >= self.syncs => None,
            (_, Some(began)) => {
                let syncs = u64::try_from(self.syncs).unwrap_or(u64::MAX).max(1);
                let apart = Duration::from_micros(health.last_sync_micros() / syncs);
                Some(apart.saturating_sub(began.elapsed()))
            }
        }
    }

    fn patience(&self, health: &Health) -> Duration {
        let mut wait = IDLE;
        if let Some(since) = self.dirty_since {
            wait = wait.min(SYNC_WITHIN.saturating_sub(since.elapsed()));
        }
        if !self.waiting.is_empty() {
            wait = wait.min(self.next_sync(health).unwrap_or(POLL));
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
/// How often the end of a running sync is looked for.
const POLL: Duration = Duration::from_micros(100);
/// Nothing to do: wait for a command.
const IDLE: Duration = Duration::from_secs(3600);

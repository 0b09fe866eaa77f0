//! The one owner of chains and store: gives entries their place, commits them, answers.

use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc,
        mpsc::{Receiver, Sender},
    },
};

use cmcp_evidence::Timestamp;
use cmcp_record::{
    audit::{Appended, Chain, Kind, Outcome, Text},
    verdict::Verdict,
};

use super::{
    Answer, Append, Command, LedgerError, Mark, Receipt, Salts,
    group::{Batch, Group, Step},
    syncer::{Done, Health, SyncJob},
};
use crate::{
    clock::Clock,
    store::{Row, Seal, Store, StoreError},
};

#[derive(Debug)]
pub(super) struct Writer {
    store: Store,
    chains: HashMap<i64, Chain>,
    clock: Clock,
    syncs: Sender<SyncJob>,
    health: Arc<Health>,
    // Outcomes of calls that did happen but could not be written; they go first when the store
    // takes entries again.
    late: VecDeque<(i64, Kind)>,
}

/// A command that has got its place and waits for the commit.
#[derive(Debug)]
enum Placed {
    Opened {
        log: i64,
        id: String,
        principal: String,
        label: Option<String>,
        opened: Timestamp,
    },
    Entry(Box<Entry>),
    Sealed {
        log: i64,
        seal: Box<Seal>,
        closed: Timestamp,
        answer: Done,
    },
    CallRecord {
        log: i64,
        call: String,
        record: Vec<u8>,
        answer: Done,
    },
    Block {
        principal: String,
        reason: Option<String>,
        since: Timestamp,
        answer: Done,
    },
}

#[derive(Debug)]
struct Entry {
    log: i64,
    appended: Appended,
    receipt: Receipt,
    salts: Option<Box<Salts>>,
    mark: Option<Mark>,
    // The call's outcome, kept until it is written; none for other kinds.
    outcome: Option<Kind>,
    answer: Option<Answer>,
}

impl Writer {
    pub(super) fn new(
        store: Store,
        chains: Vec<(i64, Chain)>,
        clock: Clock,
        syncs: Sender<SyncJob>,
        health: Arc<Health>,
    ) -> Self {
        Self {
            store,
            chains: chains.into_iter().collect(),
            clock,
            syncs,
            health,
            late: VecDeque::new(),
        }
    }

    pub(super) fn run(mut self, commands: &Receiver<Command>) {
        let mut group = Group::new();
        loop {
            match group.next(commands, &self.health) {
                Step::Commit(batch) => {
                    let job = self.commit(batch);
                    for (answer, receipt) in job.0 {
                        let _ = answer.send(Ok(receipt));
                    }
                    for answer in job.1 {
                        let _ = answer.send(Ok(()));
                    }
                }
                Step::CommitAndSync(batch) => {
                    let job = self.commit(batch);
                    self.sync(job);
                }
                Step::Sync => self.sync(SyncJob::default()),
                Step::End => return,
            }
        }
    }

    fn sync(&self, job: SyncJob) {
        if let Err(std::sync::mpsc::SendError(job)) = self.syncs.send(job) {
            for (answer, _) in job.0 {
                let _ = answer.send(Err(LedgerError::Poisoned(
                    "the syncing thread has ended".to_owned(),
                )));
            }
        }
    }

    /// Commits a batch and returns whom to answer; those that failed are answered already.
    fn commit(&mut self, batch: Batch) -> SyncJob {
        let now = self.clock.now();
        let mut undo: HashMap<i64, Option<Chain>> = HashMap::new();
        let mut placed = self.place_late(now, &mut undo);
        let late = placed.len();
        for command in batch.commands {
            self.place(command, now, &mut undo, &mut placed);
        }
        match self.write(&placed) {
            Ok(()) => {
                for _ in 0..late {
                    self.late.pop_front();
                }
                answer(placed)
            }
            Err(error) => {
                for (log, chain) in undo {
                    match chain {
                        Some(chain) => self.chains.insert(log, chain),
                        None => self.chains.remove(&log),
                    };
                }
                self.refuse(placed, &error);
                SyncJob::default()
            }
        }
    }

    fn place_late(
        &mut self,
        now: Timestamp,
        undo: &mut HashMap<i64, Option<Chain>>,
    ) -> Vec<Placed> {
        let mut placed = Vec::new();
        let late: Vec<(i64, Kind)> = self.late.iter().cloned().collect();
        for (log, kind) in late {
            // Only what was placed once before is here, so placing it again cannot fail.
            if let Ok(entry) = self.append(log, &kind, now, undo) {
                placed.push(Placed::Entry(Box::new(Entry {
                    outcome: None,
                    answer: None,
                    ..entry
                })));
            }
        }
        placed
    }

    fn place(
        &mut self,
        command: Command,
        now: Timestamp,
        undo: &mut HashMap<i64, Option<Chain>>,
        placed: &mut Vec<Placed>,
    ) {
        match command {
            Command::Append(append) => self.place_entry(append, now, undo, placed),
            Command::Open {
                log,
                id,
                principal,
                label,
                entry,
            } => {
                undo.entry(log).or_insert(None);
                self.chains.insert(log, Chain::new(&id));
                placed.push(Placed::Opened {
                    log,
                    id,
                    principal,
                    label,
                    opened: now,
                });
                self.place_entry(entry, now, undo, placed);
            }
            Command::Seal { log, seal, answer } => {
                placed.push(Placed::Sealed {
                    log,
                    seal,
                    closed: now,
                    answer,
                });
            }
            Command::CallRecord {
                log,
                call,
                record,
                answer,
            } => {
                placed.push(Placed::CallRecord {
                    log,
                    call,
                    record,
                    answer,
                });
            }
            Command::Block {
                principal,
                reason,
                answer,
            } => {
                placed.push(Placed::Block {
                    principal,
                    reason,
                    since: now,
                    answer,
                });
            }
        }
    }

    fn place_entry(
        &mut self,
        append: Append,
        now: Timestamp,
        undo: &mut HashMap<i64, Option<Chain>>,
        placed: &mut Vec<Placed>,
    ) {
        let Append {
            log,
            kind,
            durability: _,
            salts,
            mark,
            answer,
        } = append;
        match self.append(log, &kind, now, undo) {
            Ok(entry) => {
                let outcome = matches!(kind, Kind::Outcome(_)).then_some(kind);
                let entry = Entry {
                    salts,
                    mark,
                    outcome,
                    answer: Some(answer),
                    ..entry
                };
                placed.push(Placed::Entry(Box::new(entry)));
            }
            Err(error) => {
                let _ = answer.send(Err(error));
            }
        }
    }

    fn append(
        &mut self,
        log: i64,
        kind: &Kind,
        now: Timestamp,
        undo: &mut HashMap<i64, Option<Chain>>,
    ) -> Result<Entry, LedgerError> {
        let chain = self
            .chains
            .get_mut(&log)
            .ok_or_else(|| LedgerError::Entry("the log is not open".to_owned()))?;
        undo.entry(log).or_insert_with(|| Some(chain.clone()));
        let appended = chain
            .append(kind, now)
            .map_err(|e| LedgerError::Entry(e.to_string()))?;
        let receipt = Receipt {
            seq: appended.seq,
            entry_hash: appended.compat_hash.clone(),
            root: chain.root(),
            size: chain.size(),
            calls: chain.calls(),
        };
        Ok(Entry {
            log,
            appended,
            receipt,
            salts: None,
            mark: None,
            outcome: None,
            answer: None,
        })
    }

    fn write(&mut self, placed: &[Placed]) -> Result<(), StoreError> {
        if let Some(cause) = self.health.failure() {
            return Err(StoreError::Io(cause));
        }
        let mut rows = Vec::with_capacity(placed.len());
        for one in placed {
            one.rows(&mut rows);
        }
        self.store.write(&rows).inspect_err(|error| {
            if error.is_fatal() {
                self.health.poison(error);
            }
        })?;
        for one in placed {
            if let Placed::Sealed { log, .. } = one {
                self.chains.remove(log);
            }
        }
        Ok(())
    }

    fn refuse(&mut self, placed: Vec<Placed>, error: &StoreError) {
        tracing::error!(%error, "audit entries were not written");
        let refused = || {
            if error.is_fatal() {
                LedgerError::Poisoned(error.to_string())
            } else {
                LedgerError::Unavailable(error.to_string())
            }
        };
        for one in placed {
            match one {
                Placed::Entry(entry) => {
                    if let Some(Kind::Outcome(mut outcome)) = entry.outcome {
                        withhold(&mut outcome);
                        if self.late.len() < LATE {
                            self.late.push_back((entry.log, Kind::Outcome(outcome)));
                        }
                    }
                    if let Some(answer) = entry.answer {
                        let _ = answer.send(Err(refused()));
                    }
                }
                Placed::Block { answer, .. }
                | Placed::CallRecord { answer, .. }
                | Placed::Sealed { answer, .. } => {
                    let _ = answer.send(Err(refused()));
                }
                Placed::Opened { .. } => {}
            }
        }
    }
}

impl Placed {
    fn rows<'a>(&'a self, rows: &mut Vec<Row<'a>>) {
        match self {
            Self::Opened {
                log,
                id,
                principal,
                label,
                opened,
            } => rows.push(Row::Log {
                key: *log,
                id,
                principal,
                label: label.as_deref(),
                opened: opened.micros(),
            }),
            Self::Entry(entry) => {
                rows.push(Row::Entry {
                    log: entry.log,
                    seq: entry.appended.seq,
                    body: &entry.appended.bytes,
                    salts: entry.salts.as_deref(),
                });
                if let Some(Mark {
                    principal,
                    sensitivity,
                    resets,
                }) = &entry.mark
                {
                    rows.push(Row::Mark {
                        principal,
                        sensitivity,
                        resets: *resets,
                    });
                }
            }
            Self::Sealed {
                log, seal, closed, ..
            } => {
                rows.push(Row::Seal {
                    log: *log,
                    closed: closed.micros(),
                    seal,
                });
            }
            Self::CallRecord {
                log, call, record, ..
            } => {
                rows.push(Row::CallRecord {
                    log: *log,
                    call,
                    record,
                });
            }
            Self::Block {
                principal,
                reason: Some(reason),
                since,
                ..
            } => {
                rows.push(Row::Block {
                    principal,
                    since: since.micros(),
                    reason,
                });
            }
            Self::Block {
                principal,
                reason: None,
                ..
            } => rows.push(Row::Unblock { principal }),
        }
    }
}

/// The call happened, and its caller was told that it failed.
fn withhold(outcome: &mut Outcome) {
    outcome.verdict = Verdict::Fault;
    outcome.code = Some(Text::new("audit_unavailable"));
}

fn answer(placed: Vec<Placed>) -> SyncJob {
    let mut job = SyncJob::default();
    for one in placed {
        match one {
            Placed::Entry(entry) => {
                if let Some(answer) = entry.answer {
                    job.0.push((answer, entry.receipt));
                }
            }
            Placed::Block { answer, .. }
            | Placed::CallRecord { answer, .. }
            | Placed::Sealed { answer, .. } => job.1.push(answer),
            Placed::Opened { .. } => {}
        }
    }
    job
}

/// Outcomes kept while the store takes none; beyond it, an intent is closed at the next start.
const LATE: usize = 4096;

//! The one owner of chains and store: gives entries their place, commits them, answers.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, mpsc::Receiver},
};

use cmcp_evidence::Timestamp;
use cmcp_record::{
    audit::{Chain, Kind, Outcome, Text},
    verdict::Verdict,
};

use super::{
    Append, Command, LedgerError, Receipt, Salts,
    group::{Batch, Group, Step},
    placed::{Entry, Placed, answer},
    syncer::{Health, SyncJob, Syncers},
};
use crate::{
    clock::Clock,
    seen::Mark,
    store::{Store, StoreError},
};

#[derive(Debug)]
pub(super) struct Writer {
    store: Store,
    chains: HashMap<i64, Chain>,
    clock: Clock,
    syncers: Syncers,
    health: Arc<Health>,
    // Outcomes of calls that did happen but could not be written; they go first when the store
    // takes entries again.
    late: VecDeque<Late>,
    // The newest mark stored of each principal.
    marked: HashMap<String, u64>,
}

/// An outcome that could not be written yet, with what belongs to it.
#[derive(Debug)]
struct Late {
    log: i64,
    outcome: Kind,
    salts: Option<Box<Salts>>,
    mark: Option<Arc<Mark>>,
}

impl Writer {
    pub(super) fn new(
        store: Store,
        chains: Vec<(i64, Chain)>,
        clock: Clock,
        syncers: Syncers,
        health: Arc<Health>,
    ) -> Self {
        Self {
            store,
            chains: chains.into_iter().collect(),
            clock,
            syncers,
            health,
            late: VecDeque::new(),
            marked: HashMap::new(),
        }
    }

    pub(super) fn run(mut self, commands: &Receiver<Command>) {
        let mut group = Group::new(self.syncers.count());
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
                    self.syncers.begin(job);
                }
                Step::Sync => self.syncers.begin(SyncJob::default()),
                Step::End => return,
            }
        }
    }

    /// Commits a batch and returns whom to answer; those that failed are answered already.
    fn commit(&mut self, batch: Batch) -> SyncJob {
        let now = self.clock.now();
        let mut undo: HashMap<i64, Option<Chain>> = HashMap::new();
        let mut placed = Vec::new();
        for late in std::mem::take(&mut self.late) {
            self.place_late(late, now, &mut undo, &mut placed);
        }
        for command in batch.commands {
            self.place(command, now, &mut undo, &mut placed);
        }
        match self.write(&placed) {
            Ok(()) => {
                self.health.caught_up();
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
        late: Late,
        now: Timestamp,
        undo: &mut HashMap<i64, Option<Chain>>,
        placed: &mut Vec<Placed>,
    ) {
        let Late {
            log,
            outcome,
            salts,
            mark,
        } = late;
        match self.append(log, &outcome, now, undo) {
            Ok(entry) => placed.push(Placed::Entry(Box::new(Entry {
                salts,
                mark,
                outcome: Some(outcome),
                ..entry
            }))),
            // Its log was never opened, or has been sealed since: there is no place for it.
            Err(error) => {
                tracing::error!(%error, "an outcome that had waited for the disk is lost")
            }
        }
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
            one.rows(&mut rows, &self.marked);
        }
        self.store.write(&rows).inspect_err(|error| {
            if error.is_fatal() {
                self.health.poison(error);
            }
        })?;
        for one in placed {
            match one {
                Placed::Sealed { log, .. } => {
                    self.chains.remove(log);
                }
                Placed::Entry(entry) => self.note_mark(entry.mark.as_deref()),
                Placed::Block { .. } | Placed::CallRecord { .. } | Placed::Opened { .. } => {}
            }
        }
        Ok(())
    }

    fn note_mark(&mut self, mark: Option<&Mark>) {
        let Some(mark) = mark else { return };
        match self.marked.get_mut(&mark.principal) {
            Some(version) => *version = (*version).max(mark.version),
            None => {
                self.marked.insert(mark.principal.clone(), mark.version);
            }
        }
    }

    fn keep(&mut self, late: Late) {
        self.health.fell_behind();
        if self.late.len() < LATE {
            self.late.push_back(late);
        } else {
            tracing::error!("an outcome is lost: too many wait for the disk");
        }
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
                        self.keep(Late {
                            log: entry.log,
                            outcome: Kind::Outcome(outcome),
                            salts: entry.salts,
                            mark: entry.mark,
                        });
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

/// The call happened, and its caller was told that it failed.
fn withhold(outcome: &mut Outcome) {
    outcome.verdict = Verdict::Fault;
    outcome.code = Some(Text::new("audit_unavailable"));
}

/// Outcomes kept while the store takes none.
const LATE: usize = 4096;

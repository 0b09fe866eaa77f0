//! What has got its place in a log and waits for the commit.

use std::{collections::HashMap, sync::Arc};

use cmcp_evidence::Timestamp;
use cmcp_record::audit::{Appended, Kind};

use super::{
    Answer, Receipt, Salts,
    syncer::{Done, SyncJob},
};
use crate::{
    seen::Mark,
    store::{Row, Seal},
};

/// A command that has got its place and waits for the commit.
#[derive(Debug)]
pub(super) enum Placed {
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

/// An entry of a log.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) log: i64,
    pub(super) appended: Appended,
    pub(super) receipt: Receipt,
    pub(super) salts: Option<Box<Salts>>,
    pub(super) mark: Option<Arc<Mark>>,
    // The call's outcome, kept until it is written; none for other kinds.
    pub(super) outcome: Option<Kind>,
    pub(super) answer: Option<Answer>,
}

impl Placed {
    /// The rows to write; `marked` is the newest mark stored of each principal.
    pub(super) fn rows<'a>(&'a self, rows: &mut Vec<Row<'a>>, marked: &HashMap<String, u64>) {
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
            Self::Entry(entry) => entry.rows(rows, marked),
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

impl Entry {
    fn rows<'a>(&'a self, rows: &mut Vec<Row<'a>>, marked: &HashMap<String, u64>) {
        rows.push(Row::Entry {
            log: self.log,
            seq: self.appended.seq,
            body: &self.appended.bytes,
            salts: self.salts.as_deref(),
        });
        // Every entry carries its principal's mark; only what is newer is written.
        let newer = |mark: &&Arc<Mark>| {
            let stored = marked.get(&mark.principal);
            stored.is_none_or(|stored| mark.version > *stored)
        };
        if let Some(mark) = self.mark.as_ref().filter(newer) {
            rows.push(Row::Mark(mark));
        }
    }
}

/// Whom to answer once these are written.
pub(super) fn answer(placed: Vec<Placed>) -> SyncJob {
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

//! One log as it grows, and as it is followed by a reader.

use cmcp_evidence::{Sha256Digest, Timestamp};

use super::{
    entry::{Entry, EntryError, Prev},
    event::Kind,
};
use crate::{
    projection::{Projected, Projector},
    tree::{self, Frontier},
};

/// One log: what the next entry needs to know of all before it. Memory does not grow with the log.
#[derive(Clone, Debug)]
pub struct Chain {
    log: String,
    prev: Prev,
    next: Next,
    last: Option<Timestamp>,
    calls: u64,
    tree: Frontier,
    projector: Projector,
}

/// The sequence number that the next entry should have.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Next {
    number: u64,
    /// After an entry with another number than expected: the one behind that. Either the entry's
    /// number is wrong, or entries are missing; the next one tells.
    otherwise: Option<u64>,
}

/// An entry that was added.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Appended {
    /// Its place.
    pub seq: u64,
    /// What is stored and hashed: canonical JSON.
    pub bytes: Vec<u8>,
    /// Its leaf in the tree.
    pub leaf: Sha256Digest,
    /// SHA-256 of `bytes`: what the next entry names.
    pub hash: Sha256Digest,
    /// Hash of the entry in the older format that is projected from it, if one is.
    pub compat_hash: Option<String>,
}

/// Why an entry cannot be added.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum AppendError {
    /// The first entry is something else than the session's start.
    #[error("the first entry of a log is `session_start`, not `{found}`")]
    StartMissing {
        /// What it is.
        found: &'static str,
    },
    /// A second start.
    #[error("`session_start` is the first entry of a log and nowhere else")]
    StartAgain,
    /// It has no bytes.
    #[error(transparent)]
    Entry(#[from] EntryError),
}

impl Chain {
    /// An empty log.
    #[must_use]
    pub fn new(log_id: &str) -> Self {
        Self {
            log: log_id.to_owned(),
            prev: Prev::Genesis,
            next: Next::default(),
            last: None,
            calls: 0,
            tree: Frontier::new(),
            projector: Projector::new(log_id),
        }
    }

    /// Adds what happened at `now`. When the clock stands earlier than at the entry before, that
    /// entry's time is repeated and the new one says so: the order is the sequence number's.
    ///
    /// # Errors
    /// The log would not begin with the session's start, or the entry has no bytes.
    pub fn append(&mut self, kind: &Kind, now: Timestamp) -> Result<Appended, AppendError> {
        match (self.tree.size(), kind) {
            (0, Kind::SessionStart(_)) => {}
            (0, _) => {
                return Err(AppendError::StartMissing {
                    found: kind.as_str(),
                });
            }
            (_, Kind::SessionStart(_)) => return Err(AppendError::StartAgain),
            (_, _) => {}
        }
        let time = self.last.map_or(now, |last| last.max(now));
        let entry = Entry {
            clock_set_back: now < time,
            log: self.log.clone(),
            prev: self.prev,
            seq: self.tree.size(),
            time,
            v: 1,
            kind,
        };
        let bytes = entry.to_bytes()?;
        let seq = entry.seq;
        let leaf = tree::leaf(&bytes);
        let projected = self.projector.project(kind, time, &leaf);
        let compat_hash = projected.map(|projected| projected.hash().hex());
        self.advance(kind, time, leaf);
        self.next.take(seq);
        let hash = Sha256Digest::of(&bytes);
        self.prev = Prev::Entry(hash);
        Ok(Appended {
            seq,
            bytes,
            leaf,
            hash,
            compat_hash,
        })
    }

    /// Reads a stored log back, so that it can go on.
    ///
    /// # Errors
    /// The first entry that is not where and what it should be.
    pub fn replay<B: AsRef<[u8]>>(
        log_id: &str,
        entries: impl IntoIterator<Item = B>,
    ) -> Result<Self, ReplayError> {
        let mut chain = Self::new(log_id);
        for bytes in entries {
            let entry = chain.size();
            chain
                .take(bytes.as_ref())
                .map_err(|fault| ReplayError { entry, fault })?;
        }
        Ok(chain)
    }

    /// Reads the next stored entry back. After a refusal the log is of no further use.
    ///
    /// # Errors
    /// It is not where and what it should be.
    pub fn take(&mut self, stored: &[u8]) -> Result<Entry, EntryFault> {
        self.take_projected(stored).map(|(entry, _)| entry)
    }

    /// As [`Self::take`], with the entry's projection into the older format, if it has one.
    pub(crate) fn take_projected(
        &mut self,
        stored: &[u8],
    ) -> Result<(Entry, Option<Projected>), EntryFault> {
        let followed = self.follow(stored);
        match (followed.faults.into_iter().next(), followed.entry) {
            (None, Some(entry)) => Ok((entry, followed.projected)),
            (Some(fault), _) => Err(fault),
            (None, None) => Err(EntryError::NotCanonical.into()),
        }
    }

    /// A log whose id is the first entry's.
    pub(crate) fn unnamed() -> Self {
        Self::new("")
    }

    /// Takes the next entry of a log that somebody else wrote. Whatever is wrong with it, the next
    /// one is compared with it: one altered entry does not condemn all that follow.
    pub(crate) fn follow(&mut self, bytes: &[u8]) -> Followed {
        let leaf = tree::leaf(bytes);
        let prev = std::mem::replace(&mut self.prev, Prev::Entry(Sha256Digest::of(bytes)));
        let entry = match Entry::parse(bytes) {
            Ok(entry) => entry,
            Err(error) => {
                self.tree.push(leaf);
                self.next.skip();
                return Followed {
                    entry: None,
                    projected: None,
                    faults: vec![EntryFault::Malformed(error)],
                };
            }
        };
        if self.log.is_empty() {
            self.log.clone_from(&entry.log);
            self.projector = Projector::new(&entry.log);
        }
        let faults = self.faults(&entry, prev);
        let projected = self.projector.project(&entry.kind, entry.time, &leaf);
        self.log.clone_from(&entry.log);
        self.advance(&entry.kind, entry.time, leaf);
        Followed {
            entry: Some(entry),
            projected,
            faults,
        }
    }

    fn faults(&mut self, entry: &Entry, prev: Prev) -> Vec<EntryFault> {
        let mut faults = Vec::new();
        if let Some(expected) = self.next.take(entry.seq) {
            faults.push(EntryFault::Sequence {
                expected,
                found: entry.seq,
            });
        }
        if matches!(entry.kind, Kind::SessionStart(_)) != (self.tree.size() == 0) {
            faults.push(EntryFault::Start);
        }
        if entry.prev != prev {
            // The entry before is not the one that stood here: nothing else is compared with it.
            faults.push(EntryFault::Link);
            return faults;
        }
        if entry.log != self.log {
            faults.push(EntryFault::Log);
        }
        let late_enough = match self.last {
            Some(last) if entry.clock_set_back => entry.time == last,
            Some(last) => entry.time >= last,
            None => !entry.clock_set_back,
        };
        if !late_enough {
            faults.push(EntryFault::Time);
        }
        faults
    }

    fn advance(&mut self, kind: &Kind, time: Timestamp, leaf: Sha256Digest) {
        self.tree.push(leaf);
        self.last = Some(time);
        if matches!(kind, Kind::Outcome(_)) {
            self.calls = self.calls.saturating_add(1);
        }
    }

    /// The log's id.
    #[must_use]
    pub fn log(&self) -> &str {
        &self.log
    }

    /// Number of entries.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.tree.size()
    }

    /// Root of the tree over all entries.
    #[must_use]
    pub fn root(&self) -> Sha256Digest {
        self.tree.root()
    }

    /// Number of outcomes, one for each call received and for everything else that was asked for.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.calls
    }

    /// Time of the last entry.
    #[must_use]
    pub fn last_time(&self) -> Option<Timestamp> {
        self.last
    }

    /// What the next entry has to name.
    pub(crate) fn prev(&self) -> Prev {
        self.prev
    }

    pub(crate) fn projector(&self) -> &Projector {
        &self.projector
    }

    pub(crate) fn tree(&self) -> &Frontier {
        &self.tree
    }
}

impl Next {
    /// Notes an entry's number; answers the expected one if it is another.
    pub(crate) fn take(&mut self, found: u64) -> Option<u64> {
        let expected = self.number;
        if found == expected || Some(found) == self.otherwise {
            *self = Self {
                number: found.saturating_add(1),
                otherwise: None,
            };
            return None;
        }
        *self = Self {
            number: expected.saturating_add(1),
            otherwise: Some(found.saturating_add(1)),
        };
        Some(expected)
    }

    /// Passes an entry whose number cannot be read.
    pub(crate) fn skip(&mut self) {
        self.number = self.number.saturating_add(1);
        self.otherwise = self.otherwise.map(|number| number.saturating_add(1));
    }
}

/// What following one entry showed.
#[derive(Debug)]
pub(crate) struct Followed {
    /// Absent when malformed.
    pub(crate) entry: Option<Entry>,
    /// Its projection into the older format, if it has one.
    pub(crate) projected: Option<Projected>,
    pub(crate) faults: Vec<EntryFault>,
}

/// What is wrong with one entry of a log.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum EntryFault {
    /// It does not name the hash of the entry before.
    #[error("does not name the hash of the entry before")]
    Link,
    /// It belongs to another log.
    #[error("belongs to another log")]
    Log,
    /// It is no entry.
    #[error(transparent)]
    Malformed(#[from] EntryError),
    /// It has another sequence number than its place.
    #[error("has sequence number {found} where {expected} is expected")]
    Sequence {
        /// The number at its place.
        expected: u64,
        /// The number it has.
        found: u64,
    },
    /// `session_start` is missing at the beginning, or stands elsewhere.
    #[error("`session_start` is the first entry of a log and nowhere else")]
    Start,
    /// It is earlier than the entry before.
    #[error("is earlier than the entry before")]
    Time,
}

/// A stored log does not read back.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("entry {entry} of the log: {fault}")]
pub struct ReplayError {
    /// Which entry, from 0.
    pub entry: u64,
    /// What is wrong with it.
    #[source]
    pub fault: EntryFault,
}

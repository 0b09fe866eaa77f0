//! Everything that can be wrong with an export.

use std::fmt;

use crate::{
    audit::{EntryError, EntryFault},
    export::ExportFacts,
};

/// One thing that is wrong.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Problem {
    /// With which entry, counted from 0 in the order of the export; `None` for the document around them.
    pub entry: Option<u64>,
    /// What it is.
    pub fault: Fault,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.entry {
            Some(entry) => write!(f, "entry {entry}: {}", self.fault),
            None => self.fault.fmt(f),
        }
    }
}

/// What is wrong.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Fault {
    /// The entry is not the one that its successor or the checkpoint names.
    #[error("was altered: its successor or the signed checkpoint names another hash")]
    Altered,
    /// The checkpoint's members are not what they must be.
    #[error("`checkpoint` is not exactly `log`, `root`, `size` and `time`")]
    CheckpointMalformed,
    /// The document cannot be read further.
    #[error("the document cannot be read: {0}")]
    Document(String),
    /// There are no entries.
    #[error("there are no entries")]
    Empty,
    /// The entry alone shows it.
    #[error(transparent)]
    Entry(#[from] EntryFault),
    /// An entry of the older format does not hash to its `entry_hash`.
    #[error("does not hash to its `entry_hash`: it was altered")]
    EntryHash,
    /// An outcome leaves out `intent_seq` while an intent of its call is open.
    #[error("is an outcome that does not name the open intent of its call")]
    IntentNotNamed,
    /// An outcome names something else than an intent of its call that has no outcome yet.
    #[error(
        "names entry {intent} as its intent, which is no intent of this call without an outcome"
    )]
    IntentNotOpen {
        /// The sequence number it names.
        intent: u64,
    },
    /// An intent has no outcome when the session ends.
    #[error("is an intent without an outcome, and the session ended")]
    IntentOpen,
    /// More intents are open than calls can be in flight.
    #[error("is one intent too many: more are open than any gateway has calls in flight")]
    IntentsTooMany,
    /// `key` is not the key that was expected.
    #[error("`key` is not the expected key")]
    KeyMismatch,
    /// A member of the document is missing, unknown or of the wrong type.
    #[error("`{0}` is missing, unknown or not what it must be")]
    Member(String),
    /// An entry of the older format lacks a member or has a value it cannot have.
    #[error("is no audit entry: {0}")]
    OlderEntry(String),
    /// The checkpoint or document is of another log than the entries.
    #[error("the document is of log `{stated}`, its entries are of `{found}`")]
    OtherLog {
        /// The log the document says it is.
        stated: String,
        /// The log of the entries.
        found: String,
    },
    /// The entries have another root than was signed.
    #[error("the entries do not have the root that the checkpoint states")]
    Root,
    /// The session changes without a reset that says so.
    #[error("the session changes without a `session_reset` that names both")]
    Session,
    /// The signature is not over this document, or not by the expected key.
    #[error("the signature does not hold under the expected key")]
    SignatureInvalid,
    /// There is no signature, or not in its one encoding.
    #[error("the signature is missing or not 86 characters of base64url")]
    SignatureMissing,
    /// The export has more or fewer entries than was signed.
    #[error("{found} entries, and the checkpoint states {stated}")]
    Size {
        /// What was signed.
        stated: u64,
        /// What is there.
        found: u64,
    },
}

impl Fault {
    /// The code in reports; stable.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Altered => "entry_altered",
            Self::CheckpointMalformed => "checkpoint_malformed",
            Self::Document(_) => "export_malformed",
            Self::Empty => "export_empty",
            Self::Entry(EntryFault::Link) => "chain_link_broken",
            Self::Entry(EntryFault::Log) => "entry_of_other_log",
            Self::Entry(EntryFault::Malformed(EntryError::Version { .. })) => {
                "entry_version_unknown"
            }
            Self::Entry(EntryFault::Malformed(_)) | Self::OlderEntry(_) => "entry_malformed",
            Self::Entry(EntryFault::Sequence { .. }) => "sequence_gap",
            Self::Entry(EntryFault::Start) => "session_start_misplaced",
            Self::Entry(EntryFault::Time) => "time_backwards",
            Self::EntryHash => "entry_hash_mismatch",
            Self::IntentNotNamed => "intent_not_named",
            Self::IntentNotOpen { .. } => "intent_not_open",
            Self::IntentOpen => "intent_open",
            Self::IntentsTooMany => "intents_too_many",
            Self::KeyMismatch => "export_key_mismatch",
            Self::Member(_) => "export_member",
            Self::OtherLog { .. } => "export_of_other_log",
            Self::Root => "checkpoint_root_mismatch",
            Self::Session => "session_changed",
            Self::SignatureInvalid => "export_signature_invalid",
            Self::SignatureMissing => "export_signature_missing",
            Self::Size { .. } => "checkpoint_size_mismatch",
        }
    }
}

/// An export that does not hold.
#[derive(Clone, Debug)]
pub struct ExportFailure {
    /// What is wrong, entry by entry, then the document; at most [`ExportFailure::LISTED`].
    pub problems: Vec<Problem>,
    /// How many more there were.
    pub unlisted: u64,
    /// What could be read all the same; `None` when there is no readable entry.
    pub facts: Option<ExportFacts>,
}

impl ExportFailure {
    /// Problems listed one by one.
    pub const LISTED: usize = 100;
}

impl fmt::Display for ExportFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, problem) in self.problems.iter().enumerate() {
            if place > 0 {
                f.write_str("; ")?;
            }
            problem.fmt(f)?;
        }
        if self.unlisted > 0 {
            write!(f, "; and {} more", self.unlisted)?;
        }
        Ok(())
    }
}

impl std::error::Error for ExportFailure {}

/// Problems as they are found.
#[derive(Debug, Default)]
pub(super) struct Problems {
    listed: Vec<Problem>,
    unlisted: u64,
}

impl Problems {
    pub(super) fn entry(&mut self, entry: u64, fault: impl Into<Fault>) {
        self.add(Problem {
            entry: Some(entry),
            fault: fault.into(),
        });
    }

    pub(super) fn document(&mut self, fault: Fault) {
        self.add(Problem { entry: None, fault });
    }

    fn add(&mut self, problem: Problem) {
        if self.listed.len() < ExportFailure::LISTED {
            self.listed.push(problem);
        } else {
            self.unlisted = self.unlisted.saturating_add(1);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.listed.is_empty()
    }

    /// Whether something is wrong with an entry.
    pub(super) fn blame_entries(&self) -> bool {
        self.listed.iter().any(|problem| problem.entry.is_some())
    }

    /// Takes over what was found elsewhere.
    pub(super) fn adopt(&mut self, others: &Self) {
        for problem in &others.listed {
            self.add(problem.clone());
        }
        self.unlisted = self.unlisted.saturating_add(others.unlisted);
    }

    /// `facts` when nothing is wrong.
    pub(super) fn conclude(
        self,
        facts: Option<ExportFacts>,
    ) -> Result<ExportFacts, Box<ExportFailure>> {
        match facts {
            Some(facts) if self.is_empty() => Ok(facts),
            facts => Err(self.failure(facts)),
        }
    }

    /// All of them, in the order of the entries.
    pub(super) fn failure(mut self, facts: Option<ExportFacts>) -> Box<ExportFailure> {
        self.listed
            .sort_by_key(|problem| problem.entry.unwrap_or(u64::MAX));
        Box::new(ExportFailure {
            problems: self.listed,
            unlisted: self.unlisted,
            facts,
        })
    }
}

//! Reading an export: every entry from the first, then the document around them.

use std::{
    collections::{BTreeMap, BTreeSet},
    convert::Infallible,
    io::Read,
};

use cmcp_evidence::{PublicKey, Sha256Digest, Timestamp};
use cmcp_json::{Limits, Nul, StreamError, Value};

use super::{
    checkpoint::SignedCheckpoint,
    older::Older,
    ours::Ours,
    problem::{ExportFailure, Fault, Problems},
};
use crate::{
    audit::{Action, SessionStart},
    verdict::{Verdict, VerdictCounts},
};

/// What an export shows about a session.
#[derive(Clone, Debug)]
pub struct ExportFacts {
    /// Which format it is in.
    pub format: Format,
    /// The session, as the document names it.
    pub session_id: String,
    /// The session that the last entry leaves in force: another one after a reset.
    pub final_session: String,
    /// Number of entries.
    pub size: u64,
    /// Root of the tree over the stored bytes; only our format has them.
    pub root: Option<Sha256Digest>,
    /// SHA-256 of the first entry: of its bytes in ours, its `entry_hash` in the older format.
    pub genesis: Sha256Digest,
    /// SHA-256 of the last entry, likewise.
    pub tip: Sha256Digest,
    /// The chain of the older format, as a compatibility claim states it; `None` when no entry has a place there.
    pub chain: Option<ChainFacts>,
    /// Number of calls of tools, one for each received.
    pub calls: u64,
    /// How often something else was asked for; only our format has it.
    pub actions: BTreeMap<Action, u64>,
    /// Calls of tools by verdict.
    pub verdicts: VerdictCounts,
    /// Tools called.
    pub tools: BTreeSet<String>,
    /// Calls of tools that no longer fit into `tools`; 0 means that it is complete.
    pub tools_unlisted: u64,
    /// Time of the first entry.
    pub first_time: Timestamp,
    /// Time of the last entry.
    pub last_time: Timestamp,
    /// Sensitivity that the session ended at; `None` when its end is not there, or does not say it.
    pub ended_at: Option<String>,
    /// What the session's first entry says; only our format says it.
    pub start: Option<Box<SessionStart>>,
    /// Policy bundle in force at the end; only our format says it.
    pub policy: Option<Sha256Digest>,
    /// Catalog in force at the end; only our format says it.
    pub catalog: Option<Sha256Digest>,
    /// The checkpoint; only our format has one.
    pub checkpoint: Option<SignedCheckpoint>,
    /// The key whose signature was checked and holds; `None` for an older export read without a key.
    pub signer: Option<PublicKey>,
}

impl ExportFacts {
    /// Number of outcomes: calls of tools, and everything else that was asked for.
    #[must_use]
    pub fn outcomes(&self) -> u64 {
        let others = self.actions.values();
        others.fold(self.calls, |sum, count| sum.saturating_add(*count))
    }
}

/// The format of an export.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Format {
    /// `cmcp.audit-export/v1`.
    Ours,
    /// The audit bundle of the Python cMCP 0.2 to 0.7.
    V07,
}

/// The chain of the older format.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ChainFacts {
    /// Hash of its first entry.
    pub root: Sha256Digest,
    /// Hash of its last entry.
    pub tip: Sha256Digest,
    /// Number of its entries.
    pub length: u64,
}

/// One call of a tool, in the order of the log.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct CallSeen<'a> {
    /// Place of its entry in the export.
    pub entry: u64,
    /// The call's id.
    pub call_id: Option<&'a str>,
    /// The tool.
    pub tool: Option<&'a str>,
    /// Sensitivity of its data, if the entry says so.
    pub data_class: Option<&'a str>,
    /// What became of it; `None` when the entry says `n/a` or nothing.
    pub verdict: Option<Verdict>,
}

/// Reads an export of either format from its first byte to its last, in constant memory: hashes from
/// the first entry on, sequence, times, intents and their outcomes, tree root, number of calls,
/// signature.
///
/// With `key`, the signature must be that key's: take it from a trusted record. Without, our format is
/// checked under the key it names, which proves consistency only, and an older export's signature
/// is not checked at all: [`ExportFacts::signer`] says which.
///
/// # Errors
/// Everything that is wrong with it.
pub fn check(
    reader: &mut dyn Read,
    key: Option<&PublicKey>,
) -> Result<ExportFacts, Box<ExportFailure>> {
    check_calls(reader, key, &mut |_| {})
}

/// As [`check`], and shows each call of a tool on the way. What is shown counts only if this returns `Ok`.
///
/// # Errors
/// Everything that is wrong with it.
pub fn check_calls(
    reader: &mut dyn Read,
    key: Option<&PublicKey>,
    on_call: &mut dyn FnMut(CallSeen<'_>),
) -> Result<ExportFacts, Box<ExportFailure>> {
    let mut reading = Reading::Begun;
    let mut problems = Problems::default();
    let read =
        cmcp_json::read_elements::<_, Infallible>(reader, "entries", &LIMITS, &mut |bytes| {
            reading.entry(bytes, &mut problems, on_call);
            Ok(())
        });
    let document = match read {
        Ok(document) => document,
        Err(error) => {
            let error = match error {
                StreamError::Read(error) => error.to_string(),
                StreamError::Parse(error) => error.to_string(),
                StreamError::Element { source, .. } => match source {},
            };
            problems.entry(reading.size(), Fault::Document(error));
            let facts = reading.facts();
            return problems.conclude(facts);
        }
    };
    let mut facts = reading.facts();
    match (&reading, &mut facts) {
        (Reading::Ours(ours), Some(facts)) => ours.conclude(&document, key, facts, &mut problems),
        (Reading::Older(older), Some(facts)) => {
            older.conclude(&document, key, facts, &mut problems)
        }
        (Reading::Begun | Reading::Ours(_) | Reading::Older(_), _) => {
            problems.document(Fault::Empty);
        }
    }
    problems.conclude(facts)
}

/// What the entries so far amount to.
enum Reading {
    Begun,
    Older(Box<Older>),
    Ours(Box<Ours>),
}

impl Reading {
    fn entry(
        &mut self,
        bytes: &[u8],
        problems: &mut Problems,
        on_call: &mut dyn FnMut(CallSeen<'_>),
    ) {
        if matches!(self, Self::Begun) {
            let older = cmcp_json::parse(bytes, &LIMITS)
                .is_ok_and(|entry| entry.get("entry_hash").is_some());
            *self = if older {
                Self::Older(Box::default())
            } else {
                Self::Ours(Box::default())
            };
        }
        match self {
            Self::Begun => {}
            Self::Older(older) => older.entry(bytes, problems, on_call),
            Self::Ours(ours) => ours.entry(bytes, problems, on_call),
        }
    }

    fn size(&self) -> u64 {
        match self {
            Self::Begun => 0,
            Self::Older(older) => older.size(),
            Self::Ours(ours) => ours.size(),
        }
    }

    fn facts(&self) -> Option<ExportFacts> {
        match self {
            Self::Begun => None,
            Self::Older(older) => older.facts(),
            Self::Ours(ours) => ours.facts(),
        }
    }
}

/// Calls as they are counted.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) calls: u64,
    pub(super) verdicts: VerdictCounts,
    pub(super) tools: BTreeSet<String>,
    pub(super) tools_unlisted: u64,
}

impl Tally {
    pub(super) fn note(&mut self, call: &CallSeen<'_>) {
        self.calls = self.calls.saturating_add(1);
        if let Some(verdict) = call.verdict {
            self.verdicts.note(verdict);
        }
        match call.tool {
            Some(tool) if self.tools.contains(tool) => {}
            Some(tool) if self.tools.len() < TOOLS_MAX => {
                self.tools.insert(tool.to_owned());
            }
            Some(_) => self.tools_unlisted = self.tools_unlisted.saturating_add(1),
            None => {}
        }
    }
}

/// A member of the document that must be a string.
pub(super) fn text<'a>(
    document: &'a Value,
    name: &str,
    problems: &mut Problems,
) -> Option<&'a str> {
    let text = document.get(name).and_then(Value::as_str);
    if text.is_none() {
        problems.document(Fault::Member(name.to_owned()));
    }
    text
}

/// Reports members that the format does not have.
pub(super) fn no_others(document: &Value, names: &[&str], problems: &mut Problems) {
    for name in document
        .as_object()
        .into_iter()
        .flat_map(|object| object.keys())
    {
        if !names.contains(&name) {
            problems.document(Fault::Member(name.to_owned()));
        }
    }
}

/// Tool names kept; a session that calls more is told apart by `tools_unlisted`.
const TOOLS_MAX: usize = 65_536;
pub(super) const LIMITS: Limits = Limits {
    bytes: 1 << 20,
    depth: 32,
    members: 16_384,
    members_per_object: 4_096,
    elements: 16_384,
    string_bytes: 1 << 20,
    number_bytes: 64,
    nul: Nul::Accept,
};

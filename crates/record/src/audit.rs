//! The audit log: one entry for everything that happened in a session, each a line of canonical JSON
//! that names the hash of the line before.
//!
//! [`Chain`] makes entries, [`Entry::parse`] reads one back, [`crate::export`] packages a log for a
//! verifier. An entry is valid when this writer would have written exactly its bytes: that one rule
//! covers unknown members, other spellings and values out of bounds.

mod action;
mod call;
mod chain;
mod commitment;
mod declarations;
mod entry;
mod event;
mod text;

pub use action::{Action, Item};
pub use call::{Call, CallResult, EvidenceClass, Intent, Outcome, RpcId, Server};
pub(crate) use chain::Next;
pub use chain::{AppendError, Appended, Chain, EntryFault, ReplayError};
pub use commitment::commit;
pub use declarations::{ChangeNotice, Completeness, Declarations, Page};
pub use entry::{Entry, EntryError, Prev};
pub use event::{
    AttestationRefresh, AttestationStale, BreakGlass, CatalogDrift, CatalogLoad, Drifted,
    Durability, EraDowngrade, Exception, ForeignSession, KillSwitch, Kind, Mode, PolicyLoad,
    RecordPer, Recovered, SessionEnd, SessionReset, SessionStart, SuspiciousSequence, Switched,
};
pub use text::{Advice, Count, Finding, Findings, Text, Texts};

#[cfg(test)]
pub(crate) mod samples;
#[cfg(test)]
mod tests;

//! A log packaged for a verifier, in our format and in the older one; written and read as a stream.
//!
//! Ours carries the stored bytes of every entry, one per line, and a signed [`Checkpoint`]: size and
//! root of the tree over them. The older one carries the projected entries and a signature over
//! their hash. [`check`] reads either in constant memory and lists everything that is wrong.
//!
//! In ours, intents are paired with outcomes as far as that goes without keeping every call: noticed
//! are an intent without an outcome when the session ends, an outcome whose `intent_seq` names no
//! open intent of its call (a second outcome of an intent is one of these), an outcome that does not
//! name the open intent of its call, and more than 65,536 open intents. Not noticed is a second
//! outcome without `intent_seq` of a call that never had an intent or whose intent was answered
//! before. The older format has no intents.
//!
//! A call here is anything that was asked for and governed, not of tools alone; only calls of tools
//! are counted as such, shown to who asks for them, and known to the older format.

mod checkpoint;
mod examine;
mod intents;
mod older;
mod ours;
mod problem;
mod read;
mod write;

pub use checkpoint::{Checkpoint, SignedCheckpoint};
pub use examine::Examination;
pub use problem::{ExportFailure, Fault, Problem};
pub use read::{CallSeen, ChainFacts, ExportFacts, Format, check, check_calls};
pub use write::{CompatExport, WriteError, Writer, write};

pub(crate) use write::Bundle;

#[cfg(test)]
mod tests;

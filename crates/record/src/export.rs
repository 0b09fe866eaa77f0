//! A log packaged for a verifier, in our format and in the older one; written and read as a stream.
//!
//! Ours carries the stored bytes of every entry, one per line, and a signed [`Checkpoint`]: size and
//! root of the tree over them. The older one carries the projected entries and a signature over
//! their hash. [`check`] reads either in constant memory and lists everything that is wrong.

mod checkpoint;
mod examine;
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

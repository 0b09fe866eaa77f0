//! Every intent has one outcome.

use std::collections::BTreeMap;

use cmcp_evidence::Sha256Digest;

use super::problem::{Fault, Problems};
use crate::audit::{Call, Outcome};

/// The intents that have no outcome so far: as many as calls are in flight, and no more than
/// [`Intents::MAX`]. Calls are known by the digest of their id, so memory has a bound.
#[derive(Debug, Default)]
pub(super) struct Intents {
    /// By sequence number.
    open: BTreeMap<u64, Open>,
    /// The same, by call.
    calls: BTreeMap<Sha256Digest, u64>,
    problems: Problems,
}

#[derive(Debug)]
struct Open {
    /// Its place in the export.
    place: u64,
    call: Sha256Digest,
}

impl Intents {
    /// Intents open at a time; a log with more is not paired, and faulty.
    pub(super) const MAX: usize = 65_536;

    /// A call is about to be dispatched.
    pub(super) fn begin(&mut self, (place, seq): (u64, u64), call: &Call) {
        if self.open.len() >= Self::MAX {
            return self.problems.entry(place, Fault::IntentsTooMany);
        }
        let call = id(call);
        self.calls.insert(call, seq);
        self.open.insert(seq, Open { place, call });
    }

    /// A call ended.
    pub(super) fn finish(&mut self, place: u64, outcome: &Outcome) {
        let call = id(&outcome.call);
        let Some(intent) = outcome.intent_seq else {
            if self.calls.contains_key(&call) {
                self.problems.entry(place, Fault::IntentNotNamed);
            }
            return;
        };
        let intent = intent.get();
        if self.open.get(&intent).is_some_and(|open| open.call == call) {
            self.open.remove(&intent);
            if self.calls.get(&call) == Some(&intent) {
                self.calls.remove(&call);
            }
        } else {
            self.problems.entry(place, Fault::IntentNotOpen { intent });
        }
    }

    /// The session ended.
    pub(super) fn end(&mut self) {
        self.calls.clear();
        for open in std::mem::take(&mut self.open).into_values() {
            self.problems.entry(open.place, Fault::IntentOpen);
        }
    }

    /// Tells what is wrong, unless entries are faulty in themselves: one that cannot be read leaves
    /// its counterpart alone, and the fault is not that one's.
    pub(super) fn report(&self, problems: &mut Problems) {
        if !problems.blame_entries() {
            problems.adopt(&self.problems);
        }
    }
}

fn id(call: &Call) -> Sha256Digest {
    Sha256Digest::of(call.call_id.as_bytes())
}

#[cfg(test)]
mod tests;

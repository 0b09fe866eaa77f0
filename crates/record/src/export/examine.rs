//! A stored log that does not read back, read to its end all the same.

use super::{
    checkpoint::SignedCheckpoint,
    ours::Ours,
    problem::{ExportFailure, Problems},
};

/// Finds out which entries of a stored log were altered, moved or lost. Writing an export stops at
/// the first entry that does not fit, which may be the one behind the culprit.
#[derive(Debug, Default)]
pub struct Examination {
    entries: Ours,
    problems: Problems,
}

impl Examination {
    /// Takes the next entry as it is stored.
    pub fn entry(&mut self, stored: &[u8]) {
        self.entries.entry(stored, &mut self.problems, &mut |_| {});
    }

    /// Everything that is wrong, for a log that should be `log` and, if it was sealed, end with
    /// `signed`. Nothing when all holds.
    #[must_use]
    pub fn conclude(mut self, log: &str, signed: Option<&SignedCheckpoint>) -> Box<ExportFailure> {
        self.entries.examined(log, signed, &mut self.problems);
        self.problems.failure(self.entries.facts())
    }
}

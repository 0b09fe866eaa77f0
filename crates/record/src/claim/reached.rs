//! How sensitive a session has become.

use std::collections::BTreeSet;

/// What a log says of it, without a ranking of the labels: within a session it only rises.
///
/// Where the session begins or ends, the log says it in so many words. Calls may be written in
/// another order than they ended in, so a call does not lower it to what another call was seen to
/// rise from. Of labels that no call connects, the one seen last counts.
#[derive(Debug, Default)]
pub(super) struct Reached {
    stated: String,
    /// What calls left behind them, the last one last; none of them is in `left`.
    risen: Vec<String>,
    /// What is lower than something else that was seen.
    left: BTreeSet<String>,
}

impl Reached {
    /// From here on it is this, and rises from it.
    pub(super) fn state(&mut self, label: &str) {
        *self = Self {
            stated: label.to_owned(),
            risen: Vec::new(),
            left: BTreeSet::from([label.to_owned()]),
        };
    }

    /// One call, and what it was before and after that.
    pub(super) fn note(&mut self, before: &str, after: &str) {
        if before != after {
            self.left.insert(before.to_owned());
        }
        self.risen
            .retain(|label| label != after && !self.left.contains(label));
        if !self.left.contains(after) {
            self.risen.push(after.to_owned());
        }
    }

    pub(super) fn as_str(&self) -> &str {
        self.risen.last().unwrap_or(&self.stated)
    }
}

#[cfg(test)]
mod tests;

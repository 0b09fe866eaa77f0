//! The wire vocabulary of outcomes. Frozen: a word may be added, none may change.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// What became of a call, in one audited word.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Policy said no, and the mode in force let the call pass.
    AdvisoryDeny,
    /// Policy said yes.
    Allow,
    /// Policy said not now.
    Defer,
    /// Policy, catalog or structure said no.
    Deny,
    /// The gateway or the upstream failed.
    Fault,
    /// Policy said yes to a response with parts taken out.
    Redact,
    /// Policy said no without somebody's approval.
    StepUp,
}

impl Verdict {
    /// Every verdict.
    pub const ALL: [Self; 7] = [
        Self::AdvisoryDeny,
        Self::Allow,
        Self::Defer,
        Self::Deny,
        Self::Fault,
        Self::Redact,
        Self::StepUp,
    ];

    /// The word in log and records.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AdvisoryDeny => "advisory_deny",
            Self::Allow => "allow",
            Self::Defer => "defer",
            Self::Deny => "deny",
            Self::Fault => "fault",
            Self::Redact => "redact",
            Self::StepUp => "step_up",
        }
    }

    /// The word in a compatibility claim's transcript, whose vocabulary is older and smaller.
    #[must_use]
    pub fn claim_word(self) -> &'static str {
        match self {
            Self::Defer | Self::StepUp => Self::Deny.as_str(),
            Self::AdvisoryDeny | Self::Allow | Self::Deny | Self::Fault | Self::Redact => {
                self.as_str()
            }
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Verdict {
    type Err = UnknownVerdict;

    fn from_str(word: &str) -> Result<Self, UnknownVerdict> {
        Self::ALL
            .into_iter()
            .find(|verdict| verdict.as_str() == word)
            .ok_or(UnknownVerdict)
    }
}

/// The word names no verdict.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "the verdict is not one of `advisory_deny`, `allow`, `defer`, `deny`, `fault`, `redact`, `step_up`"
)]
pub struct UnknownVerdict;

/// How many calls ended with which verdict.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct VerdictCounts {
    counts: [u64; Verdict::ALL.len()],
}

impl VerdictCounts {
    /// Counts one call.
    pub fn note(&mut self, verdict: Verdict) {
        if let Some(count) = self.counts.get_mut(place(verdict)) {
            *count = count.saturating_add(1);
        }
    }

    /// The calls that ended with `verdict`.
    #[must_use]
    pub fn of(&self, verdict: Verdict) -> u64 {
        self.counts.get(place(verdict)).copied().unwrap_or(0)
    }

    /// All calls counted.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.counts
            .iter()
            .fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// The calls a compatibility claim counts as denied: `deny` and `advisory_deny`.
    #[must_use]
    pub fn denied(&self) -> u64 {
        self.of(Verdict::Deny)
            .saturating_add(self.of(Verdict::AdvisoryDeny))
    }
}

fn place(verdict: Verdict) -> usize {
    match verdict {
        Verdict::AdvisoryDeny => 0,
        Verdict::Allow => 1,
        Verdict::Defer => 2,
        Verdict::Deny => 3,
        Verdict::Fault => 4,
        Verdict::Redact => 5,
        Verdict::StepUp => 6,
    }
}

#[cfg(test)]
mod tests;

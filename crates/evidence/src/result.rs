//! What an appraisal found.

mod document;

use std::fmt;

use crate::{
    Platform, Timestamp,
    check::{Checked, Checks, Outcome},
};

/// How an appraisal ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Status {
    /// Nothing was shown.
    None,
    /// Every check was met and nothing is out of date.
    Affirming,
    /// Met, but for something that policy tolerates by name.
    Warning,
    /// A check failed or could not be done.
    Contraindicated,
}

impl Status {
    /// Its word in a TRACE record.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Affirming => "affirming",
            Self::Warning => "warning",
            Self::Contraindicated => "contraindicated",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Which question a claim answers.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum About {
    /// Which code and configuration runs.
    What,
    /// Whose it is.
    Who,
    /// On which machine.
    Where,
    /// Made when, and for whose challenge.
    When,
}

impl About {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::What, Self::Who, Self::Where, Self::When];

    /// Its word in a report.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::What => "what",
            Self::Who => "who",
            Self::Where => "where",
            Self::When => "when",
        }
    }
}

/// One fact that the evidence states. It is proved only if the result's status is not
/// [`Status::Contraindicated`] or [`Status::None`].
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Claim {
    /// The question it answers.
    pub about: About,
    /// Its name: lower case with dashes.
    pub name: &'static str,
    /// Its value: hexadecimal digits in lower case, a number, or a word.
    pub value: String,
}

/// What the evidence states, gathered while it is appraised.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Proved {
    claims: Vec<Claim>,
    notes: Vec<String>,
    not_after: Option<Timestamp>,
}

impl Proved {
    /// Adds a fact.
    pub fn claim(&mut self, about: About, name: &'static str, value: impl fmt::Display) {
        let value = value.to_string();
        self.claims.push(Claim { about, name, value });
    }

    /// Whether a fact about this has that value.
    pub(crate) fn states(&self, about: About, value: &str) -> bool {
        let mut claims = self.claims.iter();
        claims.any(|claim| claim.about == about && claim.value == value)
    }

    /// Adds a sentence that whoever reads the result has to know: a limit of the platform, a bit without a name.
    pub fn note(&mut self, sentence: impl Into<String>) {
        self.notes.push(sentence.into());
    }

    /// The result does not hold after this time: the earliest one told counts.
    pub fn until(&mut self, end: Timestamp) {
        self.not_after = Some(self.not_after.map_or(end, |known| known.min(end)));
    }
}

/// What an appraisal found; made by [`crate::appraise()`] alone.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct AttestationResult {
    /// How it ended.
    pub status: Status,
    /// Whose evidence it was.
    pub platform: Platform,
    /// Every check, those not done included.
    pub checks: Vec<Checked>,
    /// What the evidence states.
    pub claims: Vec<Claim>,
    /// What to know beside it.
    pub notes: Vec<String>,
    /// When the first of the things it rests on ends.
    pub not_after: Option<Timestamp>,
    /// The time it was judged at.
    pub at: Timestamp,
}

impl AttestationResult {
    /// Draws the conclusion: what failed or was not done contradicts, what is tolerated warns, and
    /// software shows nothing whatever its checks say.
    pub(crate) fn conclude(
        platform: Platform,
        checks: Checks,
        proved: Proved,
        at: Timestamp,
    ) -> Self {
        let checks = checks.finish();
        let Proved {
            claims,
            notes,
            not_after,
        } = proved;
        Self {
            status: status(platform, &checks),
            platform,
            checks,
            claims,
            notes,
            not_after,
            at,
        }
    }

    /// The checks that failed or were not done.
    pub fn failures(&self) -> impl Iterator<Item = &Checked> {
        self.checks
            .iter()
            .filter(|checked| matches!(checked.outcome, Outcome::Failed { .. } | Outcome::NotDone))
    }

    /// The value of a claim.
    #[must_use]
    pub fn claim(&self, name: &str) -> Option<&str> {
        let found = self.claims.iter().find(|claim| claim.name == name);
        found.map(|claim| claim.value.as_str())
    }
}

fn status(platform: Platform, checks: &[Checked]) -> Status {
    if platform == Platform::Software {
        return Status::None;
    }
    let mut status = Status::Affirming;
    for checked in checks {
        match checked.outcome {
            Outcome::Failed { .. } | Outcome::NotDone => return Status::Contraindicated,
            Outcome::Tolerated { .. } => status = Status::Warning,
            Outcome::Met | Outcome::NotApplicable { .. } => {}
        }
    }
    if checks.iter().any(|checked| checked.outcome == Outcome::Met) {
        status
    } else {
        Status::Contraindicated
    }
}

#[cfg(test)]
mod tests;

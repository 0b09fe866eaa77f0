//! Checks: what an appraisal looked at, one line each, and how each of them ended.

mod all;

pub use all::{Group, all, groups};

use std::fmt;

use crate::Timestamp;

/// One line of an appraisal: it has a name that scripts can rely on, and says what to do when it fails.
#[derive(Debug, Eq, Hash, PartialEq)]
pub struct Check {
    /// Stable name: platform, dot, words with dashes.
    pub code: &'static str,
    /// What holds when it is met.
    pub says: &'static str,
    /// What to do when it is not.
    pub remedy: &'static str,
}

/// Declares checks, and the list of them that an appraisal must decide.
macro_rules! checks {
    ($(#[$doc:meta])* $all:ident: $($name:ident = $code:literal, $says:literal, $remedy:literal;)+) => {
        $(
            #[doc = $says]
            pub(crate) static $name: $crate::check::Check = $crate::check::Check {
                code: $code,
                says: $says,
                remedy: $remedy,
            };
        )+
        $(#[$doc])*
        pub(crate) static $all: &[&$crate::check::Check] = &[$(&$name),+];
    };
}
pub(crate) use checks;

/// How one check ended.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// It holds.
    Met,
    /// It does not hold, and policy tolerates that by name.
    Tolerated {
        /// What is tolerated.
        what: String,
        /// Until when.
        until: Option<Timestamp>,
    },
    /// It says nothing about this evidence.
    NotApplicable {
        /// Why not.
        why: String,
    },
    /// It does not hold.
    Failed {
        /// What would have held.
        expected: String,
        /// What was found.
        actual: String,
    },
    /// It was not reached: what it would have looked at could not be had.
    NotDone,
}

impl Outcome {
    /// Its word in a report.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Met => "met",
            Self::Tolerated { .. } => "tolerated",
            Self::NotApplicable { .. } => "not-applicable",
            Self::Failed { .. } => "failed",
            Self::NotDone => "not-done",
        }
    }
}

/// A check and how it ended.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Checked {
    /// The check.
    pub check: &'static Check,
    /// How it ended.
    pub outcome: Outcome,
}

/// The checks of one appraisal while it runs. A check that was required and is never decided ends as
/// [`Outcome::NotDone`], which is never good enough: to forget one is to refuse.
#[derive(Debug, Default)]
pub struct Checks {
    required: Vec<&'static Check>,
    decided: Vec<Checked>,
}

impl Checks {
    /// None yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// From now on each of these has to be decided.
    pub fn require(&mut self, checks: &'static [&'static Check]) {
        for check in checks {
            if !self.required.iter().any(|known| known.code == check.code) {
                self.required.push(check);
            }
        }
    }

    /// Decides a check by what was found; says whether it is met.
    #[expect(
        clippy::fn_params_excessive_bools,
        reason = "the caller's comparison, handed back so that it can go on with it"
    )]
    pub fn expect(
        &mut self,
        check: &'static Check,
        met: bool,
        expected: impl fmt::Display,
        actual: impl fmt::Display,
    ) -> bool {
        if met {
            self.met(check);
        } else {
            self.fail(check, expected, actual);
        }
        met
    }

    /// The check is met.
    pub fn met(&mut self, check: &'static Check) {
        self.decide(check, Outcome::Met);
    }

    /// The check failed.
    pub fn fail(
        &mut self,
        check: &'static Check,
        expected: impl fmt::Display,
        actual: impl fmt::Display,
    ) {
        let (expected, actual) = (expected.to_string(), actual.to_string());
        self.decide(check, Outcome::Failed { expected, actual });
    }

    /// The check failed, and policy names what it tolerates.
    pub fn tolerate(
        &mut self,
        check: &'static Check,
        what: impl fmt::Display,
        until: Option<Timestamp>,
    ) {
        let what = what.to_string();
        self.decide(check, Outcome::Tolerated { what, until });
    }

    /// The check says nothing about this evidence.
    pub fn not_applicable(&mut self, check: &'static Check, why: impl fmt::Display) {
        let why = why.to_string();
        self.decide(check, Outcome::NotApplicable { why });
    }

    /// Takes what succeeded; a failure fails the check.
    pub fn take<T, E: fmt::Display>(
        &mut self,
        check: &'static Check,
        result: Result<T, E>,
        expected: impl fmt::Display,
    ) -> Option<T> {
        match result {
            Ok(value) => {
                self.met(check);
                Some(value)
            }
            Err(error) => {
                self.fail(check, expected, error);
                None
            }
        }
    }

    /// Whether a check was decided and never failed.
    #[must_use]
    pub fn is_met(&self, check: &'static Check) -> bool {
        let mut decided = self
            .decided
            .iter()
            .filter(|checked| checked.check.code == check.code)
            .peekable();
        decided.peek().is_some()
            && decided.all(|checked| !matches!(checked.outcome, Outcome::Failed { .. }))
    }

    /// Everything decided, and what was required and is not.
    #[must_use]
    pub fn finish(self) -> Vec<Checked> {
        let Self { required, decided } = self;
        let done = |check: &&Check| decided.iter().any(|it| it.check.code == check.code);
        let missing = required
            .into_iter()
            .filter(|check| !done(check))
            .map(|check| Checked {
                check,
                outcome: Outcome::NotDone,
            });
        let missing: Vec<Checked> = missing.collect();
        decided.into_iter().chain(missing).collect()
    }

    fn decide(&mut self, check: &'static Check, outcome: Outcome) {
        #[cfg(test)]
        let outcome = blind::see(check, outcome);
        let checked = Checked { check, outcome };
        if !self.decided.contains(&checked) {
            self.decided.push(checked);
        }
    }
}

#[cfg(test)]
mod blind;
#[cfg(test)]
mod tests;

//! The proof that policy allowed a value. [`judge`] alone makes one; dispatch and reply take
//! nothing else.

use cmcp_policy::{
    decide::{Decision, Effect, Facts},
    engine::Engine,
    mode::Mode,
};

use crate::refusal::Denial;

/// A value that policy permitted, or whose denial the mode lets pass and the log records.
#[must_use]
#[derive(Debug)]
pub(crate) struct Permitted<T>(T);

impl<T> Permitted<T> {
    /// Spends the proof.
    pub(crate) fn spend(self) -> T {
        self.0
    }
}

/// What policy said of a permitted value.
#[derive(Debug)]
pub(crate) struct Judged<T> {
    pub(crate) value: Permitted<T>,
    pub(crate) decision: Decision,
    /// The denial that would have stood in enforcing mode.
    pub(crate) waived: Option<Denial>,
}

/// Asks policy, and applies the mode to its answer.
pub(crate) fn judge<T>(
    engine: &Engine,
    mode: Mode,
    facts: &Facts<'_>,
    value: T,
) -> Result<Judged<T>, Denial> {
    let decision = engine.decide(facts);
    match (decision.effect, mode) {
        (Effect::Permit, _) => Ok(Judged {
            value: Permitted(value),
            decision,
            waived: None,
        }),
        (Effect::Deny, Mode::Advisory | Mode::Silent) => {
            let waived = Some(denial(&decision));
            Ok(Judged {
                value: Permitted(value),
                decision,
                waived,
            })
        }
        (Effect::Deny, Mode::Enforcing) => Err(denial(&decision)),
    }
}

fn denial(decision: &Decision) -> Denial {
    Denial {
        policies: decision.policies.clone(),
        advice: decision.advice.clone(),
        escalation: decision.escalation,
        errors: decision.errors.clone(),
    }
}

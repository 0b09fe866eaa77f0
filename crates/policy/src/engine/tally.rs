//! From Cedar's answers to ours.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use cedar_policy::{AuthorizationError, EvaluationError, PolicyId, Response};

use crate::{
    bundle::{Rule, merged},
    decide::{Decision, Effect, Escalation},
    path::JsonPath,
};

/// Which policies matched, by their place in the bundle, over every action that was asked about.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    permits: BTreeSet<usize>,
    forbids: BTreeSet<usize>,
    failed: BTreeMap<usize, &'static str>,
}

impl Tally {
    /// Adds the answer under one action.
    pub(crate) fn add(
        &mut self,
        response: &Response,
        rules: &[Rule],
        places: &HashMap<PolicyId, usize>,
    ) {
        for id in response.diagnostics().reason() {
            let Some(place) = places.get(id) else {
                continue;
            };
            match rules.get(*place) {
                Some(rule) if rule.permits() => self.permits.insert(*place),
                Some(_) | None => self.forbids.insert(*place),
            };
        }
        for error in response.diagnostics().errors() {
            let AuthorizationError::PolicyEvaluationError(error) = error;
            let place = places.get(error.policy_id()).copied().unwrap_or(usize::MAX);
            self.failed.insert(place, reason(error.inner()));
        }
    }

    /// Whether some permit matched, no forbid did, and none failed.
    pub(crate) fn permitted(&self) -> bool {
        self.failed.is_empty() && self.forbids.is_empty() && !self.permits.is_empty()
    }

    /// The answer. `redactions` are those of every permit that covers the tool.
    pub(crate) fn decision(
        &self,
        rules: &[Rule],
        redactions: impl FnOnce() -> Vec<JsonPath>,
    ) -> Decision {
        let named = |places: &mut dyn Iterator<Item = usize>| -> Vec<String> {
            places
                .filter_map(|place| rules.get(place))
                .map(|rule| rule.id.clone())
                .collect()
        };
        if self.permitted() {
            let permits = self.permits.iter().filter_map(|place| rules.get(*place));
            return Decision {
                effect: Effect::Permit,
                policies: named(&mut self.permits.iter().copied()),
                advice: BTreeMap::new(),
                escalation: None,
                errors: Vec::new(),
                redact: distinct(permits),
            };
        }
        let advice = merged(self.forbids.iter().filter_map(|place| rules.get(*place)));
        let (policies, escalation) = if self.failed.is_empty() {
            (
                named(&mut self.forbids.iter().copied()),
                Escalation::of(&advice),
            )
        } else {
            (named(&mut self.failed.keys().copied()), None)
        };
        let errors = self.failed.iter().map(|(place, why)| {
            let id = rules.get(*place).map_or("?", |rule| rule.id.as_str());
            format!("policy `{id}` could not be evaluated: {why}")
        });
        Decision {
            effect: Effect::Deny,
            policies,
            advice,
            escalation,
            errors: errors.collect(),
            redact: redactions(),
        }
    }
}

/// The redaction paths of several permits.
pub(crate) fn distinct<'a>(permits: impl IntoIterator<Item = &'a Rule>) -> Vec<JsonPath> {
    let paths: BTreeSet<&JsonPath> = permits.into_iter().flat_map(|rule| &rule.redact).collect();
    paths.into_iter().cloned().collect()
}

/// What went wrong, without the values it went wrong with: these are the caller's.
fn reason(error: &EvaluationError) -> &'static str {
    match error {
        EvaluationError::EntityDoesNotExist(_) => "it reads an attribute of an unknown entity",
        EvaluationError::EntityAttrDoesNotExist(_) => {
            "it reads an attribute that the entity does not have"
        }
        EvaluationError::RecordAttrDoesNotExist(_) => {
            "it reads an attribute that this call does not have: guard it with `has`"
        }
        EvaluationError::TypeError(_) => "a value has another type than it expects",
        EvaluationError::IntegerOverflow(_) => "its arithmetic overflows",
        EvaluationError::RecursionLimit(_) => "it is nested too deeply",
        EvaluationError::FailedExtensionFunctionLookup(_)
        | EvaluationError::WrongNumArguments(_)
        | EvaluationError::FailedExtensionFunctionExecution(_) => "a function it calls failed",
        EvaluationError::UnlinkedSlot(_) | EvaluationError::NonValue(_) => {
            "it has no value for this call"
        }
    }
}

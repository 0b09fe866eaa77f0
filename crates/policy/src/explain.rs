//! Why a call is decided as it is: policy by policy, in plain words.

use cedar_policy::{
    Context, Entities, EntityUid, Policy, PolicyId, PolicySet, Request, Response, pst,
};
use serde::Serialize;

use crate::{
    bundle::Rule,
    decide::{Action, Decision, Effect, Facts},
    engine::{Engine, Studied, spots::Spot},
};

/// An answer with its reasons.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Explanation {
    /// `permit` or `deny`.
    pub effect: &'static str,
    /// Why, in one sentence.
    pub summary: String,
    /// Every policy of the bundle, in its order.
    pub policies: Vec<PolicyTrace>,
    /// What kept the call from being judged at all.
    pub errors: Vec<String>,
    /// What a denied caller is told.
    pub advice: std::collections::BTreeMap<String, String>,
    /// What is taken out of the response.
    pub redact: Vec<String>,
}

/// What one policy says of the call.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct PolicyTrace {
    /// Its id.
    pub policy: String,
    /// Its file.
    pub file: String,
    /// Its line there.
    pub line: usize,
    /// `permit` or `forbid`.
    pub effect: &'static str,
    /// What came of it.
    pub outcome: Outcome,
    /// Why, in plain words.
    pub because: String,
}

/// What came of one policy.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Scope and conditions hold.
    Matched,
    /// Its scope is for other calls.
    OutOfScope,
    /// A condition does not hold.
    ConditionFalse,
    /// It could not be evaluated, which denies.
    Failed,
}

impl Engine {
    /// Why a call is decided as [`Engine::decide`] decides it.
    #[must_use]
    pub fn explain(&self, facts: &Facts<'_>) -> Explanation {
        let decision = self.decide(facts);
        let policies = match self.trace(facts) {
            Some(trace) => self
                .rules()
                .iter()
                .zip(self.studied())
                .map(|(rule, known)| trace.of(rule, known))
                .collect(),
            None => Vec::new(),
        };
        Explanation {
            effect: match decision.effect {
                Effect::Permit => "permit",
                Effect::Deny => "deny",
            },
            summary: summary(&decision),
            policies,
            redact: decision.redact.iter().map(ToString::to_string).collect(),
            errors: decision.errors,
            advice: decision.advice,
        }
    }
}

fn summary(decision: &Decision) -> String {
    let ids = decision
        .policies
        .iter()
        .map(|id| format!("`{id}`"))
        .collect::<Vec<_>>()
        .join(", ");
    match (decision.effect, decision.errors.first()) {
        (Effect::Permit, _) => format!("permitted by {ids}; no policy forbids it"),
        (Effect::Deny, Some(error)) => format!("denied, because it cannot be judged: {error}"),
        (Effect::Deny, None) if ids.is_empty() => "denied, because no policy permits it".to_owned(),
        (Effect::Deny, None) => format!("denied, because {ids} forbids it"),
    }
}

/// One call, asked about again and again.
#[derive(Debug)]
pub(crate) struct Trace<'a> {
    pub(crate) engine: &'a Engine,
    pub(crate) context: Context,
    pub(crate) entities: Entities,
    pub(crate) principal: &'a str,
    pub(crate) spot: &'a Spot,
    pub(crate) target: &'a str,
    pub(crate) resource: EntityUid,
    /// The actions that the call is judged under.
    pub(crate) actions: Vec<String>,
}

impl Trace<'_> {
    fn of(&self, rule: &Rule, known: &Studied) -> PolicyTrace {
        let (outcome, because) = self.outcome(rule, known);
        PolicyTrace {
            policy: rule.id.clone(),
            file: rule.file.clone(),
            line: rule.line,
            effect: if rule.permits() { "permit" } else { "forbid" },
            outcome,
            because,
        }
    }

    fn outcome(&self, rule: &Rule, known: &Studied) -> (Outcome, String) {
        let target = &known.target;
        if !target.principal.covers(self.principal) {
            return (
                Outcome::OutOfScope,
                format!("it is not about principal `{}`", self.principal),
            );
        }
        if !target.resource.covers_target(self.spot, self.target) {
            let what = self.spot.kind.noun();
            return (
                Outcome::OutOfScope,
                format!("it is not about {what} `{}`", self.target),
            );
        }
        let action = self.spot.action;
        let covers = |id: &str| match action == Action::CallTool {
            true => target.covers_call(&rule.body, id),
            false => target.covers_other(&rule.body, action, id),
        };
        let actions: Vec<&str> = self
            .actions
            .iter()
            .map(String::as_str)
            .filter(|id| covers(id))
            .collect();
        if actions.is_empty() {
            let unnamed = action.is_asked_of_clients() && target.actions.is_none();
            return (
                Outcome::OutOfScope,
                match unnamed {
                    true => format!(
                        "a permit of `{action}` has to name it: `action == Action::\"{action}\"`"
                    ),
                    false => format!("it is not about action `{action}`"),
                },
            );
        }
        let mut unmet = None;
        for action in actions {
            match self.ask(action, &rule.policy) {
                Some(Answer::Yes) => return (Outcome::Matched, matched(rule)),
                Some(Answer::Failed(why)) => return (Outcome::Failed, why),
                Some(Answer::No) | None => {
                    unmet = unmet.or_else(|| self.unmet(action, &rule.body));
                }
            }
        }
        (
            Outcome::ConditionFalse,
            unmet.unwrap_or_else(|| "its conditions do not hold".to_owned()),
        )
    }

    /// The first part of the conditions that does not hold.
    fn unmet(&self, action: &str, policy: &pst::Template) -> Option<String> {
        for clause in policy.clauses() {
            let (parts, word, wanted) = match clause {
                pst::Clause::When(body) => (conjuncts(body), "when", Answer::Yes),
                pst::Clause::Unless(body) => (vec![body.as_ref()], "unless", Answer::No),
            };
            for part in parts {
                if self.holds(action, part)? != wanted {
                    let state = if wanted == Answer::Yes {
                        "does not hold"
                    } else {
                        "holds"
                    };
                    return Some(format!("`{word}`: `{part}` {state}"));
                }
            }
        }
        None
    }

    fn holds(&self, action: &str, part: &pst::Expr) -> Option<Answer> {
        let alone = pst::Template::new(
            "part",
            pst::Effect::Permit,
            pst::PrincipalConstraint::Any,
            pst::ActionConstraint::Any,
            pst::ResourceConstraint::Any,
        );
        let alone = alone
            .try_with_clauses([pst::Clause::When(part.clone().into())])
            .ok()?;
        let alone = pst::StaticPolicy::try_from(alone).ok()?;
        let policy = Policy::from_pst(pst::Policy::Static(alone)).ok()?;
        self.ask(action, &policy.new_id(PolicyId::new("part")))
    }

    fn ask(&self, action: &str, policy: &Policy) -> Option<Answer> {
        let set = PolicySet::from_policies([policy.clone()]).ok()?;
        let types = self.engine.types();
        let request = Request::new(
            types.agent(self.principal),
            types.action(action),
            self.resource.clone(),
            self.context.clone(),
            None,
        );
        let response = self
            .engine
            .authorizer()
            .is_authorized(&request.ok()?, &set, &self.entities);
        Some(answer(&response))
    }
}

fn matched(rule: &Rule) -> String {
    let conditions = if rule.body.clauses().is_empty() {
        "scope"
    } else {
        "scope and conditions"
    };
    format!("its {conditions} hold for this call")
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum Answer {
    Yes,
    No,
    Failed(String),
}

fn answer(response: &Response) -> Answer {
    if let Some(error) = response.diagnostics().errors().next() {
        return Answer::Failed(error.to_string());
    }
    match response.diagnostics().reason().next() {
        Some(_) => Answer::Yes,
        None => Answer::No,
    }
}

/// The parts of a conjunction, in the order of their evaluation.
fn conjuncts(body: &pst::Expr) -> Vec<&pst::Expr> {
    if let pst::Expr::BinaryOp { op, left, right } = body
        && *op == pst::BinaryOp::And
    {
        return [conjuncts(left), conjuncts(right)].concat();
    }
    vec![body]
}

#[cfg(test)]
mod tests;

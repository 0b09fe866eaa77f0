//! Whether anything at a spot could ever be permitted, whatever the arguments and the session.

use cedar_policy::{Effect, PolicyId, Request};

use super::{
    Engine, Principal,
    slice::{Question, Slice},
    spots::Spot,
};
use crate::{bundle::merged, decide::Escalation, request::unknown_context};

/// What could come of a call, as far as it can be told beforehand.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Outlook {
    /// It is denied for good: by a forbid or a failure that depends on nothing unknown.
    Denied,
    /// No permit could match.
    Unpermitted,
    /// Some permit could match.
    Possible,
}

impl Engine {
    /// False only when every call would be denied for good, or no permit could match. A forbid that
    /// names an approver is no end: its caller is to hear whom to ask. Decides what is shown, never
    /// what is allowed.
    pub(super) fn could_permit(
        &self,
        principal: &Principal,
        spot: &Spot,
        slices: &[Slice],
    ) -> Option<bool> {
        Some(self.outlook(principal, spot, slices)? == Outlook::Possible)
    }

    /// The same for some URI of a template. Policies that tell its URIs apart could go either way: a
    /// permit among them is a possibility, a forbid no end.
    pub(super) fn could_permit_some(
        &self,
        principal: &Principal,
        spot: &Spot,
        questions: &[Question],
    ) -> Option<bool> {
        let template = &spot.name;
        let alike = self.slicer.slices(questions, &principal.name, &|rule| {
            !rule.tells_apart(template)
        })?;
        let apart = |place: &usize| {
            let rule = self.rules().get(*place).zip(self.studied().get(*place));
            rule.is_some_and(|(rule, known)| {
                rule.permits()
                    && known.tells_apart(template)
                    && known.target.principal.covers(&principal.name)
            })
        };
        let mut rules = questions.iter().flat_map(|question| &question.rules);
        Some(match self.outlook(principal, spot, &alike)? {
            Outlook::Possible => true,
            Outlook::Unpermitted => rules.any(apart),
            Outlook::Denied => false,
        })
    }

    fn outlook(&self, principal: &Principal, spot: &Spot, slices: &[Slice]) -> Option<Outlook> {
        let context = unknown_context(&spot.constants, &self.wanted)?;
        let agent = self.types.agent(&principal.name);
        let (resource, entities) = self.asked_with(principal, spot, &spot.name)?;
        let mut outlook = Outlook::Unpermitted;
        for Slice { action, policies } in slices {
            let (action, resource) = (action.clone(), resource.clone());
            let request =
                Request::new(agent.clone(), action, resource, context.clone(), None).ok()?;
            let answer = self
                .authorizer
                .is_authorized_partial(&request, policies, &entities);
            if answer.definitely_errored().next().is_some()
                || answer
                    .definitely_satisfied()
                    .any(|policy| policy.effect() == Effect::Forbid && !self.escalates(policy.id()))
            {
                return Some(Outlook::Denied);
            }
            if answer
                .definitely_satisfied()
                .chain(answer.nontrivial_residuals())
                .any(|policy| policy.effect() == Effect::Permit)
            {
                outlook = Outlook::Possible;
            }
        }
        Some(outlook)
    }

    /// Whether somebody could still turn this forbid's no into a yes.
    fn escalates(&self, policy: &PolicyId) -> bool {
        let rule = self.places.get(policy).and_then(|at| self.rules().get(*at));
        rule.is_some_and(|rule| Escalation::of(&merged([rule])).is_some())
    }
}

//! Whether a tool could ever be permitted, whatever the arguments and the session.

use cedar_policy::{Effect, PolicyId, Request};

use super::{Engine, Principal, slice::Slice, tools::Tool};
use crate::{bundle::merged, decide::Escalation, request::unknown_context};

impl Engine {
    /// False only when every call would be denied for good: a forbid or a failure that depends on
    /// nothing unknown, or no permit that could match. A forbid that names an approver is no end: its
    /// caller is to hear whom to ask. Decides what is shown, never what is allowed.
    pub(super) fn could_permit(
        &self,
        principal: &Principal,
        tool: &Tool,
        slices: &[Slice],
    ) -> Option<bool> {
        let context = unknown_context(&tool.constants)?;
        let agent = self.types.agent(&principal.name);
        let stranger = match self.is_known(principal) {
            true => None,
            false => Some(self.with(principal, &agent)?),
        };
        let entities = stranger.as_ref().unwrap_or(&self.entities);
        let mut possible = false;
        for Slice { action, policies } in slices {
            let (action, resource) = (action.clone(), tool.uid.clone());
            let request =
                Request::new(agent.clone(), action, resource, context.clone(), None).ok()?;
            let answer = self
                .authorizer
                .is_authorized_partial(&request, policies, entities);
            if answer.definitely_errored().next().is_some()
                || answer
                    .definitely_satisfied()
                    .any(|policy| policy.effect() == Effect::Forbid && !self.escalates(policy.id()))
            {
                return Some(false);
            }
            possible |= answer
                .definitely_satisfied()
                .chain(answer.nontrivial_residuals())
                .any(|policy| policy.effect() == Effect::Permit);
        }
        Some(possible)
    }

    /// Whether somebody could still turn this forbid's no into a yes.
    fn escalates(&self, policy: &PolicyId) -> bool {
        let rule = self.places.get(policy).and_then(|at| self.rules().get(*at));
        rule.is_some_and(|rule| Escalation::of(&merged([rule])).is_some())
    }
}

//! Calls for which the caller's token gives too little.

use cmcp_policy::decide::{Action, Facts};

use super::Call;
use crate::{
    refusal::{Denial, Refusal},
    startup::Gateway,
};

impl Gateway {
    /// Refuses a call that lacks a scope which configuration demands for its tool.
    pub(super) fn scoped(&self, call: &Call) -> Result<(), Refusal> {
        let tool = Some(call.wanted.target.as_str());
        let tool = tool.filter(|_| call.wanted.action == Action::CallTool);
        let lacking = self.authorization.as_ref().zip(tool);
        let lacking = lacking.and_then(|(judge, tool)| judge.lacking(&call.principal, tool));
        lacking.map_or(Ok(()), |lacking| Err(Refusal::Scope(Box::new(lacking))))
    }

    /// Policy's no, or, where a token that gives more would turn it into a yes, that.
    pub(super) fn denied(&self, call: &Call, facts: &Facts<'_>, denial: Denial) -> Refusal {
        let rules = &call.rules;
        let turning = self
            .authorization
            .as_ref()
            .and_then(|judge| judge.turning(&rules.reachable, &rules.policy, facts, &denial));
        match turning {
            Some(insufficient) => Refusal::Scope(Box::new(insufficient)),
            None => Refusal::Denied(denial),
        }
    }
}

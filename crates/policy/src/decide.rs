//! The question that is put to policy, and its answer.

use std::collections::{BTreeMap, BTreeSet};

use cmcp_json::Value;

use crate::{
    catalog::{Approved, ServerSpec},
    engine::Principal,
    path::JsonPath,
    session::SessionView,
};

/// What is known of a call when policy is asked about it.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// Before the call, or when its response is there.
    pub phase: Phase<'a>,
    /// Who calls.
    pub principal: &'a Principal,
    /// Which tool.
    pub tool: &'a Approved,
    /// The tool's server.
    pub server: &'a ServerSpec,
    /// The arguments, already held against the approved input schema.
    pub arguments: &'a Value,
    /// What the session has seen.
    pub session: &'a SessionView,
    /// What the caller says it works on; `default` when it says nothing.
    pub workflow_id: &'a str,
    /// What attests this gateway.
    pub attestation_platform: &'a str,
}

/// When policy is asked.
#[derive(Clone, Copy, Debug)]
pub enum Phase<'a> {
    /// Before the call.
    Ingress,
    /// When its response is there, before the caller sees it.
    Egress {
        /// The response's size.
        response_size_bytes: u64,
        /// What inspection found in it.
        labels: &'a BTreeSet<String>,
    },
}

/// What policy says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Decision {
    /// Yes or no.
    pub effect: Effect,
    /// The deciding policies in the bundle's order: the permits of a yes; of a no, those that could
    /// not be evaluated, else the forbids; none when nothing permitted.
    pub policies: Vec<String>,
    /// The annotations of the forbids that matched.
    pub advice: BTreeMap<String, String>,
    /// Who or what could still turn the no into a yes.
    pub escalation: Option<Escalation>,
    /// What kept the call from being judged; not empty means no, whatever the policies say.
    pub errors: Vec<String>,
    /// What is to be taken out of the response. After a no these are the paths of every permit that
    /// covers the tool, for a mode that lets the call proceed all the same.
    pub redact: Vec<JsonPath>,
}

/// Yes or no.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Effect {
    /// At least one permit matched, no forbid did, and every policy could be evaluated.
    Permit,
    /// Everything else.
    Deny,
}

/// What could turn a no into a yes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Escalation {
    /// A person who may approve it.
    StepUp,
    /// A later answer.
    Defer,
}

impl Decision {
    /// Whether the call may proceed.
    #[must_use]
    pub fn is_permit(&self) -> bool {
        match self.effect {
            Effect::Permit => true,
            Effect::Deny => false,
        }
    }
}

impl Escalation {
    /// What the annotations of the matching forbids ask for: `@aarm_decision` outright, else
    /// whether one of them names an approver.
    pub(crate) fn of(advice: &BTreeMap<String, String>) -> Option<Self> {
        let declared = advice
            .get("aarm_decision")
            .map(|word| word.trim().to_lowercase());
        match declared.as_deref() {
            Some("deny") => None,
            Some("step_up") => Some(Self::StepUp),
            Some("defer") => Some(Self::Defer),
            // Any other word is a mistake, and a mistake never turns a no into something else.
            Some(_) | None => APPROVERS
                .iter()
                .any(|key| advice.contains_key(*key))
                .then_some(Self::StepUp),
        }
    }
}

const APPROVERS: [&str; 4] = ["approver", "escalate", "escalation", "hitl"];

#[cfg(test)]
mod tests;

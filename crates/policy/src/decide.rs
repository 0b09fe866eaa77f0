//! The question that is put to policy, and its answer.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use cmcp_json::Value;

use crate::{
    catalog::{Approved, ServerSpec},
    engine::Principal,
    path::JsonPath,
    session::SessionView,
};

/// What is done: the action that policy is asked about.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Action {
    /// A principal calls a tool.
    CallTool,
    /// A principal reads a resource.
    ReadResource,
    /// A principal lists the resources and templates of a server.
    ListResources,
    /// A principal gets a prompt.
    GetPrompt,
    /// A principal has an argument of a prompt or template completed.
    Complete,
    /// A principal subscribes to a resource.
    Subscribe,
    /// A server asks a principal's model for a completion.
    Sample,
    /// A server asks the person at a principal's client.
    Elicit,
    /// A server asks a principal's client for its roots.
    ListRoots,
}

impl Action {
    /// Every action.
    pub const ALL: [Self; 9] = [
        Self::CallTool,
        Self::ReadResource,
        Self::ListResources,
        Self::GetPrompt,
        Self::Complete,
        Self::Subscribe,
        Self::Sample,
        Self::Elicit,
        Self::ListRoots,
    ];

    /// The id of its Cedar action.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CallTool => "call_tool",
            Self::ReadResource => "read_resource",
            Self::ListResources => "list_resources",
            Self::GetPrompt => "get_prompt",
            Self::Complete => "complete",
            Self::Subscribe => "subscribe",
            Self::Sample => "sample",
            Self::Elicit => "elicit",
            Self::ListRoots => "list_roots",
        }
    }

    /// The action of that id.
    #[must_use]
    pub fn of(id: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.as_str() == id)
    }

    /// Whether a server asks it of a client. It is permitted only by a policy whose scope names it.
    #[must_use]
    pub fn is_asked_of_clients(self) -> bool {
        match self {
            Self::Sample | Self::Elicit | Self::ListRoots => true,
            Self::CallTool
            | Self::ReadResource
            | Self::ListResources
            | Self::GetPrompt
            | Self::Complete
            | Self::Subscribe => false,
        }
    }

    /// Whether it has arguments that policy sees.
    pub(crate) fn has_arguments(self) -> bool {
        match self {
            Self::CallTool | Self::GetPrompt | Self::Complete => true,
            Self::ReadResource
            | Self::ListResources
            | Self::Subscribe
            | Self::Sample
            | Self::Elicit
            | Self::ListRoots => false,
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What is known of a call when policy is asked about it.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// What is done.
    pub action: Action,
    /// Before the call, or when its response is there.
    pub phase: Phase<'a>,
    /// Who calls, or is asked.
    pub principal: &'a Principal,
    /// With what. `None` is the server itself: listing its resources, and all that it asks.
    pub item: Option<&'a Approved>,
    /// The name of the tool or prompt, the URI that is read or subscribed to, the template whose
    /// variable is completed, or the server.
    pub target: &'a str,
    /// The server of the item, or the one that asks.
    pub server: &'a ServerSpec,
    /// What was called when a server asks, by its name or URI; else empty.
    pub asked_by: &'a str,
    /// `form` or `url` when a server asks a person; else empty.
    pub elicit_mode: &'a str,
    /// The arguments, already held against what was approved: of a tool or prompt its own; of a
    /// completion `argument` and `value`, its name and what was typed so far. Others have none.
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

//! What a policy's scope says: which calls it can apply to, before any condition is looked at.

use cedar_policy::pst::{
    ActionConstraint, EntityOrSlot, EntityUID, PrincipalConstraint, ResourceConstraint, Template,
};

use super::tools::CALL_TOOL;

/// The scope of a policy.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Target {
    pub(crate) principal: Scope,
    pub(crate) resource: Scope,
    /// The actions it names; `None` where it takes any.
    pub(crate) actions: Option<Vec<String>>,
}

/// Which principals, or which tools.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Scope {
    /// All.
    Any,
    /// The one of this name.
    One(String),
    /// None: it names an entity of another type.
    Nothing,
}

impl Scope {
    pub(crate) fn covers(&self, name: &str) -> bool {
        match self {
            Self::Any => true,
            Self::One(one) => one == name,
            Self::Nothing => false,
        }
    }

    // Agents and tools are in no groups, so `in` is `==`.
    fn entity(entity: &EntityOrSlot, ty: &str) -> Self {
        match entity {
            EntityOrSlot::Entity(uid) if uid.ty.to_string() == ty => Self::One(uid.eid.to_string()),
            EntityOrSlot::Entity(_) | EntityOrSlot::Slot(_) => Self::Nothing,
        }
    }
}

impl Target {
    pub(crate) fn of(policy: &Template) -> Self {
        let is = |found: &dyn std::fmt::Display, ty: &str| {
            if found.to_string() == ty {
                Scope::Any
            } else {
                Scope::Nothing
            }
        };
        let principal = match &policy.principal {
            PrincipalConstraint::Any => Scope::Any,
            PrincipalConstraint::Eq(entity) | PrincipalConstraint::In(entity) => {
                Scope::entity(entity, AGENT)
            }
            PrincipalConstraint::Is(ty) => is(ty, AGENT),
            PrincipalConstraint::IsIn(ty, entity) => match is(ty, AGENT) {
                Scope::Nothing => Scope::Nothing,
                Scope::Any | Scope::One(_) => Scope::entity(entity, AGENT),
            },
        };
        let resource = match &policy.resource {
            ResourceConstraint::Any => Scope::Any,
            ResourceConstraint::Eq(entity) | ResourceConstraint::In(entity) => {
                Scope::entity(entity, RESOURCE)
            }
            ResourceConstraint::Is(ty) => is(ty, RESOURCE),
            ResourceConstraint::IsIn(ty, entity) => match is(ty, RESOURCE) {
                Scope::Nothing => Scope::Nothing,
                Scope::Any | Scope::One(_) => Scope::entity(entity, RESOURCE),
            },
        };
        let actions = match &policy.action {
            ActionConstraint::Any => None,
            ActionConstraint::Eq(action) => Some(vec![action.eid.to_string()]),
            ActionConstraint::In(actions) => Some(
                actions
                    .iter()
                    .map(|action| action.eid.to_string())
                    .collect(),
            ),
        };
        Self {
            principal,
            resource,
            actions,
        }
    }

    /// Whether it covers that action. Every tool's own action is in `call_tool`, which `in` sees
    /// and `==` does not.
    pub(crate) fn covers_action(&self, policy: &Template, action: &str) -> bool {
        let named = |name: &str| match &self.actions {
            None => true,
            Some(actions) => actions.iter().any(|known| known == name),
        };
        match &policy.action {
            ActionConstraint::Any | ActionConstraint::Eq(_) => named(action),
            ActionConstraint::In(_) => named(action) || named(CALL_TOOL),
        }
    }
}

/// The entities that a policy's scope names, as type and id.
pub(crate) fn scope_entities(policy: &Template) -> Vec<(String, String)> {
    let slot = |entity: &EntityOrSlot| match entity {
        EntityOrSlot::Entity(uid) => Some(pair(uid)),
        EntityOrSlot::Slot(_) => None,
    };
    let principal = match &policy.principal {
        PrincipalConstraint::Any | PrincipalConstraint::Is(_) => None,
        PrincipalConstraint::Eq(entity)
        | PrincipalConstraint::In(entity)
        | PrincipalConstraint::IsIn(_, entity) => slot(entity),
    };
    let resource = match &policy.resource {
        ResourceConstraint::Any | ResourceConstraint::Is(_) => None,
        ResourceConstraint::Eq(entity)
        | ResourceConstraint::In(entity)
        | ResourceConstraint::IsIn(_, entity) => slot(entity),
    };
    let actions = match &policy.action {
        ActionConstraint::Any => Vec::new(),
        ActionConstraint::Eq(action) => vec![pair(action)],
        ActionConstraint::In(actions) => actions.iter().map(pair).collect(),
    };
    principal
        .into_iter()
        .chain(resource)
        .chain(actions)
        .collect()
}

/// The entity types that a policy's scope tests for.
pub(crate) fn scope_types(policy: &Template) -> Vec<String> {
    let principal = match &policy.principal {
        PrincipalConstraint::Is(ty) | PrincipalConstraint::IsIn(ty, _) => Some(ty.to_string()),
        PrincipalConstraint::Any | PrincipalConstraint::Eq(_) | PrincipalConstraint::In(_) => None,
    };
    let resource = match &policy.resource {
        ResourceConstraint::Is(ty) | ResourceConstraint::IsIn(ty, _) => Some(ty.to_string()),
        ResourceConstraint::Any | ResourceConstraint::Eq(_) | ResourceConstraint::In(_) => None,
    };
    principal.into_iter().chain(resource).collect()
}

fn pair(uid: &EntityUID) -> (String, String) {
    (uid.ty.to_string(), uid.eid.to_string())
}

const AGENT: &str = "Agent";
const RESOURCE: &str = "Resource";

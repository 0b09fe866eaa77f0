//! What a policy's scope says: which calls it can apply to, before any condition is looked at.

use std::collections::BTreeSet;

use cedar_policy::pst::{
    ActionConstraint, EntityOrSlot, EntityUID, PrincipalConstraint, ResourceConstraint, Template,
};

use super::spots::{Actions, CALL_TOOL, Spot};
use crate::{decide::Action, request::Kind};

/// The scope of a policy.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Target {
    pub(crate) principal: Scope,
    pub(crate) resource: Reach,
    /// The actions it names; `None` where it takes any.
    pub(crate) actions: Option<Vec<String>>,
}

/// Which principals.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Scope {
    /// All.
    Any,
    /// The one of this name.
    One(String),
    /// None: it names an entity of another type.
    Nothing,
}

/// Which tools, resources, prompts, servers.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Reach {
    /// All.
    Any,
    /// All of one kind.
    Every(Kind),
    /// The one of this name.
    One(Kind, String),
    /// The one of this name, and what is in it: the URIs of a template.
    Within(Kind, String),
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

    // Agents are in no groups, so `in` is `==`.
    fn entity(entity: &EntityOrSlot) -> Self {
        match entity {
            EntityOrSlot::Entity(uid) if uid.ty.to_string() == AGENT => {
                Self::One(uid.eid.to_string())
            }
            EntityOrSlot::Entity(_) | EntityOrSlot::Slot(_) => Self::Nothing,
        }
    }
}

impl Reach {
    /// Whether a call at that spot can be about what it covers.
    pub(crate) fn covers(&self, spot: &Spot) -> bool {
        match self {
            Self::Any => true,
            Self::Every(kind) => *kind == spot.kind,
            Self::One(kind, name) => *kind == spot.kind && spot.can_be(name),
            Self::Within(kind, name) => {
                *kind == spot.kind && (spot.can_be(name) || spot.is_in(name))
            }
            Self::Nothing => false,
        }
    }

    /// Whether a call at that spot, with that target, is about what it covers.
    pub(crate) fn covers_target(&self, spot: &Spot, target: &str) -> bool {
        match self {
            Self::Any | Self::Every(_) | Self::Nothing => self.covers(spot),
            Self::One(kind, name) => *kind == spot.kind && name == target,
            Self::Within(kind, name) => {
                *kind == spot.kind && (name == target || *name == spot.name || spot.is_in(name))
            }
        }
    }

    /// Whether it could cover something of that kind.
    pub(crate) fn admits(&self, kind: Kind) -> bool {
        match self {
            Self::Any => true,
            Self::Every(known) | Self::One(known, _) | Self::Within(known, _) => *known == kind,
            Self::Nothing => false,
        }
    }

    /// Whether it tells one URI of a template from another.
    pub(crate) fn is_narrower_than(&self, template: &str) -> bool {
        match self {
            Self::Any | Self::Every(_) | Self::Nothing => false,
            Self::One(_, _) => true,
            Self::Within(_, name) => name != template,
        }
    }

    fn entity(entity: &EntityOrSlot, of: fn(Kind, String) -> Self) -> Self {
        match entity {
            EntityOrSlot::Entity(uid) => Kind::of_type(&uid.ty.to_string())
                .map_or(Self::Nothing, |kind| of(kind, uid.eid.to_string())),
            EntityOrSlot::Slot(_) => Self::Nothing,
        }
    }

    fn of(scope: &ResourceConstraint) -> Self {
        match scope {
            ResourceConstraint::Any => Self::Any,
            ResourceConstraint::Eq(entity) => Self::entity(entity, Self::One),
            ResourceConstraint::In(entity) => Self::entity(entity, Self::Within),
            ResourceConstraint::Is(ty) => {
                Kind::of_type(&ty.to_string()).map_or(Self::Nothing, Self::Every)
            }
            ResourceConstraint::IsIn(ty, entity) => {
                let within = Self::entity(entity, Self::Within);
                match Kind::of_type(&ty.to_string()) {
                    Some(kind) if within.admits(kind) => within,
                    Some(_) | None => Self::Nothing,
                }
            }
        }
    }
}

impl Target {
    pub(crate) fn of(policy: &Template) -> Self {
        let is = |found: &dyn std::fmt::Display| {
            if found.to_string() == AGENT {
                Scope::Any
            } else {
                Scope::Nothing
            }
        };
        let principal = match &policy.principal {
            PrincipalConstraint::Any => Scope::Any,
            PrincipalConstraint::Eq(entity) | PrincipalConstraint::In(entity) => {
                Scope::entity(entity)
            }
            PrincipalConstraint::Is(ty) => is(ty),
            PrincipalConstraint::IsIn(ty, entity) => match is(ty) {
                Scope::Nothing => Scope::Nothing,
                Scope::Any | Scope::One(_) => Scope::entity(entity),
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
            resource: Reach::of(&policy.resource),
            actions,
        }
    }

    /// Whether it covers a call of a tool under that action. Every tool's own action is in
    /// `call_tool`, which `in` sees and `==` does not.
    pub(crate) fn covers_call(&self, policy: &Template, action: &str) -> bool {
        match &policy.action {
            ActionConstraint::Any | ActionConstraint::Eq(_) => self.names(action),
            ActionConstraint::In(_) => self.names(action) || self.names(CALL_TOOL),
        }
    }

    /// Whether it covers an action that is no call of a tool. What servers ask of clients is
    /// permitted by nothing but a policy that names it.
    pub(crate) fn covers_other(&self, policy: &Template, action: Action, id: &str) -> bool {
        let named = self.actions.is_some();
        let open = match policy.effect {
            cedar_policy::pst::Effect::Permit => !action.is_asked_of_clients(),
            cedar_policy::pst::Effect::Forbid => true,
        };
        (named || open) && self.names(id)
    }

    /// Every action that it covers, under whichever name.
    pub(crate) fn actions(&self, policy: &Template, actions: &Actions) -> BTreeSet<Action> {
        let is_call = |name: &String| name == CALL_TOOL || actions.tool(name).is_some();
        let covered = |action: &Action| {
            if *action == Action::CallTool {
                let names = self.actions.as_ref();
                return names.is_none_or(|names| names.iter().any(is_call));
            }
            self.covers_other(policy, *action, actions.id(*action))
        };
        Action::ALL.into_iter().filter(covered).collect()
    }

    fn names(&self, action: &str) -> bool {
        match &self.actions {
            None => true,
            Some(actions) => actions.iter().any(|known| known == action),
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

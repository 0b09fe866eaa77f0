//! Which policies are asked about which call.
//!
//! Cedar evaluates every policy of a set. Here a set holds only those whose scope covers the
//! principal, the action and the tool; the others could neither match nor fail. Sets are made once
//! and shared between all calls they are right for.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use cedar_policy::{EntityUid, PolicySet};

use super::{
    mention::Mentions,
    target::Target,
    tools::{Actions, CALL_TOOL, Tool},
};
use crate::{Compat, bundle::Rule, request::Types};

/// A policy with what is known of it.
#[derive(Debug)]
pub(crate) struct Studied {
    pub(crate) target: Target,
    pub(crate) mentions: Mentions,
}

impl Studied {
    pub(crate) fn new(rule: &Rule) -> Self {
        Self {
            target: Target::of(&rule.body),
            mentions: Mentions::of(&rule.body),
        }
    }

    /// Every action it names.
    pub(crate) fn actions(&self) -> impl Iterator<Item = &str> {
        let scope = self.target.actions.iter().flatten();
        let conditions = self
            .mentions
            .entities
            .iter()
            .filter(|(ty, _)| ty == "Action");
        scope
            .chain(conditions.map(|(_, id)| id))
            .map(String::as_str)
    }

    /// Whether it says the same under every action.
    fn ignores_action(&self) -> bool {
        self.target.actions.is_none() && !self.mentions.action
    }
}

/// One question about a tool: under which action, to which policies, before the principal is known.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    pub(crate) action: EntityUid,
    /// Places in the bundle.
    pub(crate) rules: Vec<usize>,
}

/// The questions about every tool. Under `call_tool` always, unless a bundle for the Python cMCP
/// names the tool's own action and never `call_tool`; under the tool's own action where the bundle
/// names it, leaving out the policies that would only repeat themselves.
pub(crate) fn questions(
    tools: &[Tool],
    actions: &Actions,
    (rules, studied): (&[Rule], &[Studied]),
    (types, compat): (&Types, Compat),
) -> Vec<Vec<Question>> {
    let named: Vec<&str> = studied.iter().flat_map(Studied::actions).collect();
    let general = compat == Compat::Off || named.contains(&CALL_TOOL);
    let ask = |index: usize, tool: &Tool| {
        let own = actions
            .names()
            .filter(|action| actions.tool(action) == Some(index));
        let own: Vec<&str> = own.filter(|action| named.contains(action)).collect();
        let first = (general || own.is_empty()).then_some(CALL_TOOL);
        let mut questions = Vec::new();
        for action in first.into_iter().chain(own) {
            let repeated = !questions.is_empty();
            let covering = rules
                .iter()
                .zip(studied)
                .enumerate()
                .filter(|(_, (rule, known))| {
                    known.target.resource.covers(&tool.name)
                        && known.target.covers_action(&rule.body, action)
                        && !(repeated && known.ignores_action())
                });
            let rules = covering.map(|(place, _)| place).collect();
            questions.push(Question {
                action: types.action(action),
                rules,
            });
        }
        questions
    };
    tools
        .iter()
        .enumerate()
        .map(|(index, tool)| ask(index, tool))
        .collect()
}

/// A question to Cedar.
#[derive(Clone, Debug)]
pub(crate) struct Slice {
    pub(crate) action: EntityUid,
    pub(crate) policies: Arc<PolicySet>,
}

/// Policy sets by the places of their policies, each made once.
#[derive(Debug, Default)]
pub(crate) struct Sets(Mutex<HashMap<Vec<usize>, Arc<PolicySet>>>);

impl Sets {
    /// The set of these policies.
    pub(crate) fn of(&self, places: Vec<usize>, rules: &[Rule]) -> Arc<PolicySet> {
        // A panic elsewhere leaves a map that only lacks an entry.
        let mut sets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(set) = sets.get(&places) {
            return Arc::clone(set);
        }
        let policies = places.iter().filter_map(|place| rules.get(*place));
        // Ids are unique in a bundle, which is all that this could object to; an empty set denies.
        let set = PolicySet::from_policies(policies.map(|rule| rule.policy.clone()));
        let set = Arc::new(set.unwrap_or_default());
        sets.insert(places, Arc::clone(&set));
        set
    }
}

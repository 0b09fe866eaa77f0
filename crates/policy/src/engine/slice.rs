//! Which policies are asked about which call.
//!
//! Cedar evaluates every policy of a set, at about a microsecond each. Here a set holds only those
//! whose scope covers the principal, the action and the tool, and whose conditions do not begin by
//! demanding another tool or workflow; the others could neither match nor fail. Sets are made once
//! and shared between all calls they are right for.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, PoisonError},
};

use cedar_policy::{EntityUid, PolicySet};

use super::{
    mention::Mentions,
    needs::Needs,
    target::Target,
    tools::{Actions, CALL_TOOL, Tool},
};
use crate::{Compat, bundle::Rule, request::Types};

/// A policy with what is known of it.
#[derive(Debug)]
pub(crate) struct Studied {
    pub(crate) target: Target,
    pub(crate) mentions: Mentions,
    pub(crate) needs: Needs,
}

impl Studied {
    pub(crate) fn new(rule: &Rule) -> Self {
        let body = &rule.body;
        Self {
            target: Target::of(body),
            mentions: Mentions::of(body),
            needs: Needs::of(body),
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

    /// Whether it could say anything about that tool.
    fn covers_tool(&self, tool: &str) -> bool {
        self.target.resource.covers(tool)
            && self
                .needs
                .tools
                .as_ref()
                .is_none_or(|tools| tools.contains(tool))
    }

    /// Whether it could say anything about that workflow; `None` is one that no policy names.
    pub(crate) fn covers_workflow(&self, workflow: Option<&str>) -> bool {
        match (&self.needs.workflows, workflow) {
            (None, _) => true,
            (Some(named), Some(workflow)) => named.contains(workflow),
            (Some(_), None) => false,
        }
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
                    known.covers_tool(&tool.name)
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

/// What is asked about one tool for one principal.
#[derive(Debug)]
pub(crate) struct Cell {
    pub(crate) visible: bool,
    /// For workflows that some policy demands.
    named: HashMap<String, Vec<Slice>>,
    /// For every other workflow.
    others: Vec<Slice>,
}

impl Cell {
    /// The questions about a call.
    pub(crate) fn slices(&self, workflow: &str) -> &[Slice] {
        self.named.get(workflow).unwrap_or(&self.others)
    }
}

/// The policies of a bundle, studied, and the sets that were made of them.
#[derive(Debug)]
pub(crate) struct Slicer {
    pub(crate) rules: Vec<Rule>,
    pub(crate) studied: Vec<Studied>,
    sets: Sets,
}

impl Slicer {
    pub(crate) fn new(rules: Vec<Rule>, studied: Vec<Studied>) -> Self {
        Self {
            rules,
            studied,
            sets: Sets::default(),
        }
    }

    /// What is asked for a principal; `visible` judges it over every workflow at once.
    pub(crate) fn cell(
        &self,
        questions: &[Question],
        principal: &str,
        visible: impl FnOnce(&[Slice]) -> Option<bool>,
    ) -> Option<Cell> {
        let mine = |place: &usize| {
            let studied = self.studied.get(*place);
            studied.is_some_and(|rule| rule.target.principal.covers(principal))
        };
        let rules = questions.iter().flat_map(|question| &question.rules);
        let studied = rules
            .filter(|place| mine(place))
            .filter_map(|place| self.studied.get(*place));
        let workflows: BTreeSet<&str> = studied
            .flat_map(|rule| rule.needs.workflows.iter().flatten())
            .map(String::as_str)
            .collect();
        let sliced = |covers: &dyn Fn(&Studied) -> bool| -> Option<Vec<Slice>> {
            let slice = |Question { action, rules }: &Question| {
                let places = rules.iter().copied().filter(mine);
                let places = places.filter(|place| self.studied.get(*place).is_some_and(covers));
                let policies = self.sets.of(places.collect(), &self.rules)?;
                let action = action.clone();
                Some(Slice { action, policies })
            };
            questions.iter().map(slice).collect()
        };
        let of = |workflow: Option<&str>| sliced(&|rule| rule.covers_workflow(workflow));
        Some(Cell {
            visible: visible(&sliced(&|_| true)?)?,
            named: workflows
                .into_iter()
                .map(|name| Some((name.to_owned(), of(Some(name))?)))
                .collect::<Option<_>>()?,
            others: of(None)?,
        })
    }
}

/// Policy sets by the places of their policies, each made once.
#[derive(Debug, Default)]
struct Sets(Mutex<HashMap<Vec<usize>, Arc<PolicySet>>>);

impl Sets {
    /// The set of these policies; `None` when Cedar refuses it, which it does for an id used twice.
    fn of(&self, places: Vec<usize>, rules: &[Rule]) -> Option<Arc<PolicySet>> {
        // A panic elsewhere leaves a map that only lacks an entry.
        let mut sets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(set) = sets.get(&places) {
            return Some(Arc::clone(set));
        }
        let policies = places.iter().filter_map(|place| rules.get(*place));
        let set = PolicySet::from_policies(policies.map(|rule| rule.policy.clone())).ok()?;
        let set = Arc::new(set);
        sets.insert(places, Arc::clone(&set));
        Some(set)
    }
}

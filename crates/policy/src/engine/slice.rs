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
    spots::{Actions, CALL_TOOL, Spot},
    target::Target,
};
use crate::{
    Compat,
    bundle::Rule,
    decide::Action,
    request::{Kind, Types},
};

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

    /// Whether it could say anything about calls at that spot, whatever they are called.
    pub(crate) fn covers_spot(&self, spot: &Spot) -> bool {
        let names = self.needs.names.as_ref();
        self.target.resource.covers(spot)
            && names.is_none_or(|names| names.iter().any(|name| spot.can_be(name)))
    }

    /// Whether it tells one URI of a template from another.
    pub(crate) fn tells_apart(&self, template: &str) -> bool {
        self.target.resource.is_narrower_than(template) || self.mentions.names_resource()
    }

    /// The entities that its conditions name: those that they can read.
    pub(crate) fn entities<'a>(
        &'a self,
        types: &'a Types,
    ) -> impl Iterator<Item = EntityUid> + use<'a> {
        let named = self.mentions.entities.iter();
        named.filter_map(|(ty, id)| match ty.as_str() {
            "Agent" => Some(types.agent(id)),
            "Action" => Some(types.action(id)),
            ty => Kind::of_type(ty).map(|kind| types.thing(kind, id)),
        })
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
        self.target.actions.is_none() && !self.mentions.names_action()
    }
}

/// One question about a spot: under which action, to which policies, before the principal is known.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    pub(crate) action: EntityUid,
    /// Places in the bundle.
    pub(crate) rules: Vec<usize>,
}

/// The questions about every spot.
pub(crate) fn questions(
    spots: &[Spot],
    actions: &Actions,
    bundle: (&[Rule], &[Studied]),
    (types, compat): (&Types, Compat),
) -> Vec<Vec<Question>> {
    let (rules, studied) = bundle;
    let named: Vec<&str> = studied.iter().flat_map(Studied::actions).collect();
    let ask = |(index, spot): (usize, &Spot)| {
        if spot.action == Action::CallTool {
            return of_tool(bundle, spot, &own(actions, index, &named, compat), types);
        }
        let id = actions.id(spot.action);
        let covering = rules
            .iter()
            .zip(studied)
            .enumerate()
            .filter(|(_, (rule, known))| {
                known.covers_spot(spot) && known.target.covers_other(&rule.body, spot.action, id)
            });
        vec![Question {
            action: types.action(id),
            rules: covering.map(|(place, _)| place).collect(),
        }]
    };
    spots.iter().enumerate().map(ask).collect()
}

/// The actions that a tool is judged under. `call_tool` always, unless a bundle for the Python cMCP
/// names the tool's own action and never `call_tool`; the tool's own action where the bundle names it.
fn own<'a>(actions: &'a Actions, tool: usize, named: &[&str], compat: Compat) -> Vec<&'a str> {
    let general = compat == Compat::Off || named.contains(&CALL_TOOL);
    let own = actions
        .names()
        .filter(|action| actions.tool(action) == Some(tool) && named.contains(action));
    let own: Vec<&str> = own.collect();
    let first = (general || own.is_empty()).then_some(CALL_TOOL);
    first.into_iter().chain(own).collect()
}

/// The questions about a tool under these actions, leaving out the policies that would only repeat
/// themselves.
fn of_tool(
    (rules, studied): (&[Rule], &[Studied]),
    tool: &Spot,
    actions: &[&str],
    types: &Types,
) -> Vec<Question> {
    let mut questions = Vec::new();
    for action in actions {
        let repeated = !questions.is_empty();
        let covering = rules
            .iter()
            .zip(studied)
            .enumerate()
            .filter(|(_, (rule, known))| {
                known.covers_spot(tool)
                    && known.target.covers_call(&rule.body, action)
                    && !(repeated && known.ignores_action())
            });
        let rules = covering.map(|(place, _)| place).collect();
        questions.push(Question {
            action: types.action(action),
            rules,
        });
    }
    questions
}

/// A question to Cedar.
#[derive(Clone, Debug)]
pub(crate) struct Slice {
    pub(crate) action: EntityUid,
    pub(crate) policies: Arc<PolicySet>,
}

/// What is asked about one spot for one principal.
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
        let of = |workflow: Option<&str>| {
            self.slices(questions, principal, &|rule| rule.covers_workflow(workflow))
        };
        Some(Cell {
            visible: visible(&self.slices(questions, principal, &|_| true)?)?,
            named: workflows
                .into_iter()
                .map(|name| Some((name.to_owned(), of(Some(name))?)))
                .collect::<Option<_>>()?,
            others: of(None)?,
        })
    }
}

impl Slicer {
    /// The questions for a principal, to those of their policies that `covers` picks.
    pub(crate) fn slices(
        &self,
        questions: &[Question],
        principal: &str,
        covers: &dyn Fn(&Studied) -> bool,
    ) -> Option<Vec<Slice>> {
        let picked = |place: &usize| {
            let studied = self.studied.get(*place);
            studied.is_some_and(|rule| rule.target.principal.covers(principal) && covers(rule))
        };
        let slice = |Question { action, rules }: &Question| {
            let places = rules.iter().copied().filter(picked);
            let policies = self.sets.of(places.collect(), &self.rules)?;
            let action = action.clone();
            Some(Slice { action, policies })
        };
        questions.iter().map(slice).collect()
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

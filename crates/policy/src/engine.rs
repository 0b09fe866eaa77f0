//! Policies, catalog and principals, loaded and checked together, ready to be asked.

mod agents;
mod check;
mod load;
pub(crate) mod mention;
mod near;
mod needs;
mod slice;
mod tally;
pub(crate) mod target;
mod tools;
mod validate;
mod visible;

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, OnceLock},
};

use cedar_policy::{Authorizer, Context, Entities, EntityUid, PolicyId, Request};

pub use self::load::schema_of;
use self::{
    load::agent_entity,
    slice::{Cell, Question, Slice, Slicer},
    tally::{Tally, distinct},
    tools::Tool,
};
pub(crate) use self::{slice::Studied, tools::CALL_TOOL};
use crate::{
    Compat,
    bundle::{PolicyBundle, Rule},
    catalog::{Approved, Catalog},
    decide::{Decision, Effect, Facts},
    explain::Trace,
    path::JsonPath,
    request::{ArgumentFault, Types, context},
    sensitivity::Vocabulary,
};

/// A caller, as policy sees it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Principal {
    /// The id of its `Agent`.
    pub name: String,
    /// Its attributes, besides `name`.
    pub attributes: BTreeMap<String, AttributeValue>,
}

/// The value of a principal's attribute.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum AttributeValue {
    /// `Bool`.
    Bool(bool),
    /// `Long`.
    Long(i64),
    /// `String`.
    String(String),
    /// `Set<String>`.
    Set(Vec<String>),
}

impl Principal {
    /// Whoever calls without an identity of its own.
    #[must_use]
    pub fn anonymous() -> Self {
        Self {
            name: "anonymous".to_owned(),
            attributes: BTreeMap::new(),
        }
    }
}

/// What an engine is made of.
#[derive(Clone, Copy, Debug)]
pub struct EngineInput<'a> {
    /// The policies.
    pub bundle: &'a PolicyBundle,
    /// The tools.
    pub catalog: &'a Catalog,
    /// The configured callers; [`Principal::anonymous`] is always among them.
    pub principals: &'a [Principal],
    /// The labels and domains that policies may name.
    pub vocabulary: &'a Vocabulary,
    /// Whether bundles are read as the Python cMCP read them.
    pub compat: Compat,
}

/// A loaded policy.
#[derive(Debug)]
pub struct Engine {
    slicer: Slicer,
    places: HashMap<PolicyId, usize>,
    tools: Vec<Tool>,
    questions: Vec<Vec<Question>>,
    by_name: HashMap<String, usize>,
    principals: HashMap<String, (usize, Principal)>,
    entities: Entities,
    types: Types,
    authorizer: Authorizer,
    /// Principal after principal, tool after tool.
    cells: Vec<OnceLock<Arc<Cell>>>,
    schema: String,
    compat: Compat,
}

impl Engine {
    /// What policy says of a call.
    #[must_use]
    pub fn decide(&self, facts: &Facts<'_>) -> Decision {
        let Some(at) = self.by_name.get(&facts.tool.name).copied() else {
            return unjudged(vec![
                "the tool is not in the catalog that policies were loaded with".to_owned(),
            ]);
        };
        let Some((tool, cell)) = self.tools.get(at).zip(self.cell(facts.principal, at)) else {
            return unjudged(vec!["the principal cannot be put to policy".to_owned()]);
        };
        let context = match context(facts, &tool.shape, &tool.constants, self.compat) {
            Ok(context) => context,
            Err(faults) => return unjudged(faults.iter().map(ArgumentFault::to_string).collect()),
        };
        let Some(tally) = self.ask(facts, tool, cell.slices(facts.workflow_id), &context) else {
            return unjudged(vec!["the call cannot be put to policy".to_owned()]);
        };
        tally.decision(self.rules(), || self.redactions(at))
    }

    /// Whether any call of this tool by this principal could be permitted.
    #[must_use]
    pub fn visible(&self, principal: &Principal, tool: &Approved) -> bool {
        let at = self.by_name.get(&tool.name).copied();
        at.and_then(|at| self.cell(principal, at))
            .is_some_and(|cell| cell.visible)
    }

    /// The Cedar schema that the catalog implies, every tool's own action included.
    #[must_use]
    pub fn schema_text(&self) -> &str {
        &self.schema
    }

    /// The call as [`Engine::explain`] asks about it; `None` when it cannot be judged.
    pub(crate) fn trace<'a>(&'a self, facts: &Facts<'a>) -> Option<Trace<'a>> {
        let at = self.by_name.get(&facts.tool.name).copied()?;
        let tool = self.tools.get(at)?;
        let agent = self.types.agent(&facts.principal.name);
        let asked = self.questions.get(at)?.iter();
        Some(Trace {
            engine: self,
            context: context(facts, &tool.shape, &tool.constants, self.compat).ok()?,
            entities: match self.is_known(facts.principal) {
                true => self.entities.clone(),
                false => self.with(facts.principal, &agent)?,
            },
            principal: &facts.principal.name,
            tool: &facts.tool.name,
            actions: asked
                .map(|asked| asked.action.id().unescaped().to_owned())
                .collect(),
        })
    }

    pub(crate) fn rules(&self) -> &[Rule] {
        &self.slicer.rules
    }

    pub(crate) fn studied(&self) -> &[Studied] {
        &self.slicer.studied
    }

    pub(crate) fn types(&self) -> &Types {
        &self.types
    }

    pub(crate) fn authorizer(&self) -> &Authorizer {
        &self.authorizer
    }

    fn ask(
        &self,
        facts: &Facts<'_>,
        tool: &Tool,
        slices: &[Slice],
        context: &Context,
    ) -> Option<Tally> {
        let principal = facts.principal;
        let agent = self.types.agent(&principal.name);
        let stranger = match self.is_known(principal) {
            true => None,
            false => Some(self.with(principal, &agent)?),
        };
        let entities = stranger.as_ref().unwrap_or(&self.entities);
        let mut tally = Tally::default();
        for Slice { action, policies } in slices {
            let (action, resource) = (action.clone(), tool.uid.clone());
            let request =
                Request::new(agent.clone(), action, resource, context.clone(), None).ok()?;
            let response = self.authorizer.is_authorized(&request, policies, entities);
            tally.add(&response, self.rules(), &self.places);
        }
        Some(tally)
    }

    fn is_known(&self, principal: &Principal) -> bool {
        self.known(principal).is_some()
    }

    /// The place of a configured principal.
    fn known(&self, principal: &Principal) -> Option<usize> {
        let (at, known) = self.principals.get(&principal.name)?;
        (known == principal).then_some(*at)
    }

    /// The entities with a principal that is not configured, or not with these attributes.
    fn with(&self, principal: &Principal, agent: &EntityUid) -> Option<Entities> {
        let entity = agent_entity(agent.clone(), principal).ok()?;
        self.entities.clone().upsert_entities([entity], None).ok()
    }

    fn redactions(&self, tool: usize) -> Vec<JsonPath> {
        let places = self
            .questions
            .get(tool)
            .into_iter()
            .flatten()
            .flat_map(|asked| &asked.rules);
        let covering = places.filter_map(|place| self.rules().get(*place));
        distinct(covering.filter(|rule| rule.permits()))
    }

    /// What is asked about a tool for a principal; kept for the configured ones.
    fn cell(&self, principal: &Principal, tool: usize) -> Option<Arc<Cell>> {
        let place = self.known(principal).and_then(|at| {
            self.cells
                .get(at.checked_mul(self.tools.len())?.checked_add(tool)?)
        });
        if let Some(cell) = place.and_then(OnceLock::get) {
            return Some(Arc::clone(cell));
        }
        let cell = Arc::new(self.make_cell(principal, tool)?);
        Some(match place {
            Some(place) => Arc::clone(place.get_or_init(|| cell)),
            None => cell,
        })
    }

    fn make_cell(&self, principal: &Principal, at: usize) -> Option<Cell> {
        let tool = self.tools.get(at)?;
        let visible = |slices: &[Slice]| self.could_permit(principal, tool, slices);
        self.slicer
            .cell(self.questions.get(at)?, &principal.name, visible)
    }
}

fn unjudged(errors: Vec<String>) -> Decision {
    Decision {
        effect: Effect::Deny,
        policies: Vec::new(),
        advice: BTreeMap::new(),
        escalation: None,
        errors,
        redact: Vec::new(),
    }
}

#[cfg(test)]
mod tests;

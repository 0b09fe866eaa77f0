//! Policies, catalog and principals, loaded and checked together, ready to be asked.

mod agents;
mod annotated;
mod check;
mod entities;
mod load;
pub(crate) mod mention;
mod near;
mod needs;
mod places;
mod slice;
pub(crate) mod spots;
mod strangers;
mod tally;
pub(crate) mod target;
mod validate;
mod visible;

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, OnceLock},
};

use cedar_policy::{Authorizer, Context, PolicyId, Request};

pub use self::load::schema_of;
pub(crate) use self::slice::Studied;
use self::{
    entities::Made,
    places::Places,
    slice::{Cell, Question, Slice, Slicer},
    spots::Spot,
    strangers::Strangers,
    tally::{Tally, distinct},
};
use crate::{
    Compat,
    bundle::{PolicyBundle, Rule},
    catalog::{Approved, Catalog, ItemKind, ServerSpec},
    decide::{Action, Decision, Effect, Facts},
    explain::Trace,
    path::JsonPath,
    request::{ArgumentFault, Kind, Types, Wanted, constants, context},
    sensitivity::Vocabulary,
};

/// A caller, as policy sees it.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Principal {
    /// The id of its `Agent`.
    pub name: String,
    /// Its attributes, besides `name`.
    pub attributes: BTreeMap<String, AttributeValue>,
}

/// The value of a principal's attribute.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
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
    spots: Vec<Spot>,
    questions: Vec<Vec<Question>>,
    by_name: Places,
    principals: HashMap<String, (usize, Principal)>,
    entities: Made,
    types: Types,
    wanted: Wanted,
    authorizer: Authorizer,
    /// Principal after principal, spot after spot.
    cells: Vec<OnceLock<Arc<Cell>>>,
    strangers: Strangers,
    schema: String,
    compat: Compat,
}

impl Engine {
    /// What policy says of a call.
    #[must_use]
    pub fn decide(&self, facts: &Facts<'_>) -> Decision {
        let Some((at, spot)) = self.spot(facts) else {
            return unjudged(vec![unknown(facts).to_owned()]);
        };
        let Some(cell) = self.cell(facts.principal, at) else {
            return unjudged(vec!["the principal cannot be put to policy".to_owned()]);
        };
        let how = (&self.wanted, self.compat);
        let context = match context(facts, &spot.shape, &spot.constants, how) {
            Ok(context) => context,
            Err(faults) => return unjudged(faults.iter().map(ArgumentFault::to_string).collect()),
        };
        let Some(tally) = self.ask(facts, spot, cell.slices(facts.workflow_id), &context) else {
            return unjudged(vec!["the call cannot be put to policy".to_owned()]);
        };
        tally.decision(self.rules(), || self.redactions(at))
    }

    /// Whether any use of this item by this principal could be permitted: a call of the tool, reading
    /// the resource or some URI of the template, getting the prompt.
    #[must_use]
    pub fn visible(&self, principal: &Principal, item: &Approved) -> bool {
        let action = match item.kind {
            ItemKind::Tool => Action::CallTool,
            ItemKind::Resource | ItemKind::ResourceTemplate => Action::ReadResource,
            ItemKind::Prompt => Action::GetPrompt,
        };
        let kind = Kind::of_item(item.kind);
        self.by_name
            .at(action, kind, &item.name)
            .is_some_and(|at| self.could(principal, at))
    }

    /// Whether that action with anything of a server could be permitted to this principal: whether
    /// the server may ask its client at all, whether any of its prompts may be got.
    #[must_use]
    pub fn may(&self, principal: &Principal, action: Action, server: &ServerSpec) -> bool {
        let of_server = |spot: &Spot| spot.action == action && spot.about.server() == server.name;
        let mut spots = self.spots.iter().enumerate();
        spots.any(|(at, spot)| of_server(spot) && self.could(principal, at))
    }

    /// The Cedar schema that the catalog implies, every tool's own action included.
    #[must_use]
    pub fn schema_text(&self) -> &str {
        &self.schema
    }

    /// The call as [`Engine::explain`] asks about it; `None` when it cannot be judged.
    pub(crate) fn trace<'a>(&'a self, facts: &Facts<'a>) -> Option<Trace<'a>> {
        let (at, spot) = self.spot(facts)?;
        let asked = self.questions.get(at)?.iter();
        let (resource, entities) = self.asked_with(facts.principal, spot, facts.target)?;
        let (all, constants) = (Wanted::all(), constants(spot.action, &spot.about));
        let how = (&all, self.compat);
        Some(Trace {
            engine: self,
            context: context(facts, &spot.shape, &constants, how).ok()?,
            entities: entities.into_owned(),
            principal: &facts.principal.name,
            spot,
            target: facts.target,
            resource,
            actions: asked
                .map(|asked| asked.action.id().unescaped().to_owned())
                .collect(),
        })
    }

    /// The place of the spot that a call is about.
    fn spot(&self, facts: &Facts<'_>) -> Option<(usize, &Spot)> {
        let (kind, name) = match facts.item {
            Some(item) => (Kind::of_item(item.kind), &item.name),
            None => (Kind::Server, &facts.server.name),
        };
        let at = self.by_name.at(facts.action, kind, name)?;
        let spot = self.spots.get(at)?;
        // What is judged is what is recorded and sent, or nothing is.
        spot.takes(facts.target).then_some((at, spot))
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
        spot: &Spot,
        slices: &[Slice],
        context: &Context,
    ) -> Option<Tally> {
        let principal = facts.principal;
        let agent = self.types.agent(&principal.name);
        let (resource, entities) = self.asked_with(principal, spot, facts.target)?;
        let mut tally = Tally::default();
        for Slice { action, policies } in slices {
            let (action, resource) = (action.clone(), resource.clone());
            let request =
                Request::new(agent.clone(), action, resource, context.clone(), None).ok()?;
            let response = self.authorizer.is_authorized(&request, policies, &entities);
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

    fn redactions(&self, spot: usize) -> Vec<JsonPath> {
        let places = self
            .questions
            .get(spot)
            .into_iter()
            .flatten()
            .flat_map(|asked| &asked.rules);
        let covering = places.filter_map(|place| self.rules().get(*place));
        distinct(covering.filter(|rule| rule.permits()))
    }

    fn could(&self, principal: &Principal, spot: usize) -> bool {
        self.cell(principal, spot).is_some_and(|cell| cell.visible)
    }

    /// What is asked about a spot for a principal.
    fn cell(&self, principal: &Principal, spot: usize) -> Option<Arc<Cell>> {
        let Some(at) = self.known(principal) else {
            let cells = self.strangers.cells(principal, self.spots.len());
            return self.cell_in(cells.get(spot)?, principal, spot);
        };
        let place = at.checked_mul(self.spots.len())?.checked_add(spot)?;
        self.cell_in(self.cells.get(place)?, principal, spot)
    }

    fn cell_in(
        &self,
        place: &OnceLock<Arc<Cell>>,
        principal: &Principal,
        spot: usize,
    ) -> Option<Arc<Cell>> {
        if let Some(cell) = place.get() {
            return Some(Arc::clone(cell));
        }
        let cell = Arc::new(self.make_cell(principal, spot)?);
        Some(Arc::clone(place.get_or_init(|| cell)))
    }

    fn make_cell(&self, principal: &Principal, at: usize) -> Option<Cell> {
        let (spot, questions) = (self.spots.get(at)?, self.questions.get(at)?);
        let visible = |slices: &[Slice]| match spot.template {
            None => self.could_permit(principal, spot, slices),
            Some(_) => self.could_permit_some(principal, spot, questions),
        };
        self.slicer.cell(questions, &principal.name, visible)
    }
}

/// Why there is nothing to be asked about a call.
fn unknown(facts: &Facts<'_>) -> &'static str {
    match facts.action {
        Action::CallTool => "the tool is not in the catalog that policies were loaded with",
        Action::GetPrompt => "the prompt is not in the catalog that policies were loaded with",
        Action::ReadResource | Action::Subscribe => {
            "the resource is not in the catalog that policies were loaded with"
        }
        Action::Complete => {
            "neither a prompt nor a template of that name is in the catalog that policies were loaded with"
        }
        Action::ListResources | Action::Sample | Action::Elicit | Action::ListRoots => {
            "the server is not in the catalog that policies were loaded with"
        }
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

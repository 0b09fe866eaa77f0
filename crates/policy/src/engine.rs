//! Policies, catalog and principals, loaded and checked together, ready to be asked.

mod agents;
mod check;
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
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, OnceLock},
};

use cedar_policy::{Authorizer, Context, Entities, Entity, EntityUid, PolicyId, Request};

use self::{
    check::{Known, Values},
    slice::{Cell, Question, Slice, Slicer, Studied, questions},
    tally::{Tally, distinct},
    tools::{Actions, Tool},
    validate::{AgentTypes, Validation},
};
pub(crate) use self::{slice::Studied as StudiedRule, tools::CALL_TOOL};
use crate::{
    Compat,
    bundle::{PolicyBundle, PolicyError, Rule, Warning},
    catalog::{Approved, Catalog},
    decide::{Decision, Effect, Facts},
    explain::Trace,
    request::{ArgumentFault, Types, agent_attributes, context, resource_attributes},
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
    /// Checks policies against catalog and principals, and makes them ready.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with them. Under `compat: cmcp-0.7` a policy that names what is not
    /// there is only warned of: it is what the Python cMCP let pass.
    pub fn load(input: EngineInput<'_>) -> Result<(Self, Vec<Warning>), Vec<PolicyError>> {
        let EngineInput {
            bundle,
            catalog,
            principals,
            vocabulary,
            compat,
        } = input;
        let types = Types::new().ok_or_else(|| schema_error("entity type names"))?;
        let anonymous = Principal::anonymous();
        let mut principals = principals.to_vec();
        if principals
            .iter()
            .all(|principal| principal.name != anonymous.name)
        {
            principals.push(anonymous);
        }
        let agent = agents::types(&principals)?;
        let tools = tools::tools(catalog, &types);
        let actions = Actions::of(&tools, compat)?;
        let rules = bundle.rules().to_vec();
        let studied: Vec<Studied> = rules.iter().map(Studied::new).collect();
        let known = Known {
            tools: &tools,
            actions: &actions,
            principals: principals
                .iter()
                .map(|principal| principal.name.as_str())
                .collect(),
            agent: &agent,
            values: Values::of(catalog, vocabulary),
        };
        let (warnings, schema) = examine(&known, &rules, &studied, compat)?;
        let questions = questions(&tools, &actions, (&rules, &studied), (&types, compat));
        let entities = entities(&types, catalog, &tools, (&principals, &actions))?;
        let places = rules
            .iter()
            .enumerate()
            .map(|(place, rule)| (rule.policy.id().clone(), place));
        let cells = principals.len().saturating_mul(tools.len());
        let engine = Self {
            places: places.collect(),
            by_name: tools
                .iter()
                .enumerate()
                .map(|(at, tool)| (tool.name.clone(), at))
                .collect(),
            principals: principals
                .into_iter()
                .enumerate()
                .map(|(at, one)| (one.name.clone(), (at, one)))
                .collect(),
            slicer: Slicer::new(rules, studied),
            tools,
            questions,
            entities,
            types,
            authorizer: Authorizer::new(),
            cells: (0..cells).map(|_| OnceLock::new()).collect(),
            schema,
            compat,
        };
        Ok((engine, warnings))
    }

    /// What policy says of a call.
    #[must_use]
    pub fn decide(&self, facts: &Facts<'_>) -> Decision {
        let Some(at) = self.by_name.get(&facts.tool.name).copied() else {
            return unjudged(vec![
                "the tool is not in the catalog that policies were loaded with".to_owned(),
            ]);
        };
        let Some((tool, cell)) = self.tools.get(at).zip(self.cell(facts.principal, at)) else {
            return unjudged(vec!["the principal cannot be given to policy".to_owned()]);
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

    fn redactions(&self, tool: usize) -> Vec<crate::path::JsonPath> {
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

/// Holds every policy against what there is, then lets Cedar validate those that passed.
fn examine(
    known: &Known<'_>,
    rules: &[Rule],
    studied: &[Studied],
    compat: Compat,
) -> Result<(Vec<Warning>, String), Vec<PolicyError>> {
    let mut errors = Vec::new();
    let mut warnings = Vec::new();
    let mut groups: BTreeMap<BTreeSet<usize>, Vec<&Rule>> = BTreeMap::new();
    for (rule, about) in rules.iter().zip(studied) {
        let (found, doubts) = known.findings(rule, &about.target, &about.mentions);
        if found.is_empty() {
            groups
                .entry(known.targets(&about.target))
                .or_default()
                .push(rule);
        }
        errors.extend(found);
        warnings.extend(doubts);
        if !rule.redact.is_empty() && !rule.permits() {
            warnings.push(Warning::RedactOnForbid {
                place: rule.place(),
            });
        }
    }
    if !rules.iter().any(Rule::permits) {
        warnings.push(Warning::NothingPermitted);
    }
    let names = studied
        .iter()
        .flat_map(Studied::actions)
        .filter(|name| *name != CALL_TOOL);
    let named = names.map(ToOwned::to_owned).collect();
    let agent: &AgentTypes = known.agent;
    let validation = Validation {
        tools: known.tools,
        actions: known.actions,
        agent,
        named: &named,
    };
    let (found, doubts) = validation.run(groups).map_err(|error| vec![error])?;
    errors.extend(found);
    warnings.extend(doubts);
    match compat {
        Compat::Off if !errors.is_empty() => return Err(errors),
        Compat::Off => {}
        Compat::V07 => warnings.extend(errors.into_iter().map(Warning::Finding)),
    }
    let all = (0..known.tools.len()).collect();
    Ok((warnings, validation.schema(&all, |_| true)))
}

fn entities(
    types: &Types,
    catalog: &Catalog,
    tools: &[Tool],
    (principals, actions): (&[Principal], &Actions),
) -> Result<Entities, Vec<PolicyError>> {
    let mut all = Vec::new();
    for tool in catalog.tools() {
        let Some(server) = catalog.server_of(tool) else {
            continue;
        };
        let attributes = resource_attributes(tool, server).collect();
        let entity = Entity::new(types.resource(&tool.name), attributes, Default::default());
        all.push(entity.map_err(|error| schema_error(&error.to_string()))?);
    }
    for principal in principals {
        let entity = agent_entity(types.agent(&principal.name), principal);
        all.push(entity.map_err(|error| schema_error(&error.to_string()))?);
    }
    let general = types.action(CALL_TOOL);
    all.push(Entity::new_no_attrs(general.clone(), Default::default()));
    for action in actions.names() {
        all.push(Entity::new_no_attrs(
            types.action(action),
            [general.clone()].into(),
        ));
    }
    debug_assert!(
        tools.len() == catalog.tools().len(),
        "every tool has its server"
    );
    Entities::from_entities(all, None).map_err(|error| schema_error(&error.to_string()))
}

fn agent_entity(
    uid: EntityUid,
    principal: &Principal,
) -> Result<Entity, cedar_policy::EntityAttrEvaluationError> {
    let attributes = agent_attributes(&principal.name, &principal.attributes).collect();
    Entity::new(uid, attributes, Default::default())
}

fn schema_error(message: &str) -> Vec<PolicyError> {
    vec![PolicyError::Schema(message.to_owned())]
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

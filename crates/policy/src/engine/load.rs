//! Checking policies, catalog and principals against one another.

use std::collections::{BTreeMap, BTreeSet};

use cedar_policy::{Authorizer, Entities, Entity, EntityUid};

use super::{
    Engine, EngineInput, Principal, agents,
    check::{Known, Values},
    slice::{Slicer, Studied, questions},
    tools::{Actions, CALL_TOOL, Tool, tools},
    validate::{Validation, schema_error},
};
use crate::{
    Compat,
    bundle::{PolicyError, Rule, Warning},
    catalog::Catalog,
    request::{Types, agent_attributes, resource_attributes},
};

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
        let types = Types::new().ok_or_else(|| schema_error("entity types".to_owned()))?;
        let principals = with_anonymous(principals);
        let agent = agents::types(&principals)?;
        let tools = tools(catalog, &types);
        let actions = Actions::of(&tools, compat)?;
        let rules = bundle.rules().to_vec();
        let studied: Vec<Studied> = rules.iter().map(Studied::new).collect();
        let known = Known {
            tools: &tools,
            actions: &actions,
            principals: principals.iter().map(|one| one.name.as_str()).collect(),
            agent: &agent,
            values: Values::of(catalog, vocabulary),
        };
        let (warnings, schema) = examine(&known, &rules, &studied, compat)?;
        let entities = entities(&types, catalog, &principals, &actions).map_err(schema_error)?;
        let questions = questions(&tools, &actions, (&rules, &studied), (&types, compat));
        let engine = Self {
            places: (0..)
                .zip(&rules)
                .map(|(at, rule)| (rule.policy.id().clone(), at))
                .collect(),
            by_name: (0..)
                .zip(&tools)
                .map(|(at, tool)| (tool.name.clone(), at))
                .collect(),
            cells: principals
                .iter()
                .flat_map(|_| &tools)
                .map(|_| Default::default())
                .collect(),
            principals: (0..)
                .zip(principals)
                .map(|(at, one)| (one.name.clone(), (at, one)))
                .collect(),
            slicer: Slicer::new(rules, studied),
            tools,
            questions,
            entities,
            types,
            authorizer: Authorizer::new(),
            schema,
            compat,
        };
        Ok((engine, warnings))
    }
}

/// The Cedar schema that a catalog implies, every tool's own action included: what policies are
/// written against, before there are any.
///
/// # Errors
///
/// What keeps catalog and principals from being loaded, whatever the policies are.
pub fn schema_of(
    catalog: &Catalog,
    principals: &[Principal],
    compat: Compat,
) -> Result<String, Vec<PolicyError>> {
    let types = Types::new().ok_or_else(|| schema_error("entity types".to_owned()))?;
    let agent = agents::types(&with_anonymous(principals))?;
    let tools = tools(catalog, &types);
    let actions = Actions::of(&tools, compat)?;
    let (tools, actions, agent) = (&tools, &actions, &agent);
    let validation = Validation {
        tools,
        actions,
        agent,
        named: &BTreeSet::new(),
    };
    Ok(validation.schema(&all(tools), |_| true))
}

fn with_anonymous(principals: &[Principal]) -> Vec<Principal> {
    let anonymous = Principal::anonymous();
    let missing = principals.iter().all(|known| known.name != anonymous.name);
    principals
        .iter()
        .cloned()
        .chain(missing.then_some(anonymous))
        .collect()
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
        let (found, doubts) = known.findings(rule, about);
        if found.is_empty() {
            groups
                .entry(known.targets(&about.target, &about.needs))
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
    let names = studied.iter().flat_map(Studied::actions);
    let named = names
        .filter(|name| *name != CALL_TOOL)
        .map(ToOwned::to_owned)
        .collect();
    let Known {
        tools,
        actions,
        agent,
        ..
    } = known;
    let validation = Validation {
        tools,
        actions,
        agent,
        named: &named,
    };
    let (found, doubts) = validation.run(groups)?;
    errors.extend(found);
    warnings.extend(doubts);
    match compat {
        Compat::Off if !errors.is_empty() => return Err(errors),
        Compat::Off => {}
        Compat::V07 => warnings.extend(errors.into_iter().map(Warning::Finding)),
    }
    Ok((warnings, validation.schema(&all(tools), |_| true)))
}

fn all(tools: &[Tool]) -> BTreeSet<usize> {
    (0..tools.len()).collect()
}

fn entities(
    types: &Types,
    catalog: &Catalog,
    principals: &[Principal],
    actions: &Actions,
) -> Result<Entities, String> {
    let mut all = Vec::new();
    for tool in catalog.tools() {
        let Some(server) = catalog.server_of(tool) else {
            continue;
        };
        let attributes = resource_attributes(tool, server).collect();
        let entity = Entity::new(types.resource(&tool.name), attributes, Default::default());
        all.push(entity.map_err(|error| error.to_string())?);
    }
    for principal in principals {
        all.push(agent_entity(types.agent(&principal.name), principal)?);
    }
    let general = types.action(CALL_TOOL);
    for action in actions.names() {
        let member_of = [general.clone()].into();
        all.push(Entity::new_no_attrs(types.action(action), member_of));
    }
    all.push(Entity::new_no_attrs(general, Default::default()));
    Entities::from_entities(all, None).map_err(|error| error.to_string())
}

/// The entity of a principal.
pub(super) fn agent_entity(uid: EntityUid, principal: &Principal) -> Result<Entity, String> {
    let attributes = agent_attributes(&principal.name, &principal.attributes).collect();
    Entity::new(uid, attributes, Default::default()).map_err(|error| error.to_string())
}

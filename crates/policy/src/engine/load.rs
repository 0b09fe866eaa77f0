//! Checking policies, catalog and principals against one another.

use std::collections::{BTreeMap, BTreeSet};

use cedar_policy::Authorizer;

use super::{
    Engine, EngineInput, Principal, agents,
    check::{Covers, Group, Known, Values},
    entities::Made,
    mention::Root,
    places::Places,
    slice::{Slicer, Studied, questions},
    spots::{Actions, CALL_TOOL, Spot, spots},
    strangers::Strangers,
    validate::{Validation, schema_error},
};
use crate::{
    Compat,
    bundle::{PolicyError, Rule, Warning},
    catalog::Catalog,
    request::{Kind, Types, Wanted},
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
        let mut spots = spots(catalog, &types);
        let actions = Actions::of(&spots, compat)?;
        let rules = bundle.rules().to_vec();
        let studied: Vec<Studied> = rules.iter().map(Studied::new).collect();
        let known = Known {
            spots: &spots,
            actions: &actions,
            principals: principals.iter().map(|one| one.name.as_str()).collect(),
            agent: &agent,
            values: Values::of(catalog, vocabulary),
        };
        let (warnings, schema, covers) = examine(&known, &rules, &studied, compat)?;
        let about = (&actions, studied.as_slice());
        let entities =
            Made::of(&types, (&spots, covers), &principals, about).map_err(schema_error)?;
        let wanted = wanted(&studied, compat);
        for spot in &mut spots {
            spot.constants = wanted.constants(&spot.constants);
        }
        let questions = questions(&spots, &actions, (&rules, &studied), (&types, compat));
        let engine = Self {
            places: (0..)
                .zip(&rules)
                .map(|(at, rule)| (rule.policy.id().clone(), at))
                .collect(),
            by_name: Places::of(&spots),
            cells: principals
                .iter()
                .flat_map(|_| &spots)
                .map(|_| Default::default())
                .collect(),
            principals: (0..)
                .zip(principals)
                .map(|(at, one)| (one.name.clone(), (at, one)))
                .collect(),
            slicer: Slicer::new(rules, studied),
            strangers: Strangers::default(),
            spots,
            questions,
            entities,
            types,
            wanted,
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
    let spots = spots(catalog, &types);
    let actions = Actions::of(&spots, compat)?;
    let (spots, actions, agent) = (&spots, &actions, &agent);
    let validation = Validation {
        spots,
        actions,
        agent,
        named: &BTreeSet::new(),
    };
    Ok(validation.schema(&all(spots, &[]), |_| true))
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
) -> Result<(Vec<Warning>, String, Covers), Vec<PolicyError>> {
    let mut errors = Vec::new();
    let mut warnings = Vec::new();
    let mut groups: BTreeMap<Group, Vec<&Rule>> = BTreeMap::new();
    for (rule, about) in rules.iter().zip(studied) {
        let (found, doubts) = known.findings(rule, about);
        if found.is_empty() {
            groups
                .entry(known.group(rule, about))
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
        spots,
        actions,
        agent,
        ..
    } = known;
    let groups_about: Vec<Covers> = groups.keys().map(|group| group.covers).collect();
    let validation = Validation {
        spots,
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
    let all = all(spots, &groups_about);
    Ok((warnings, validation.schema(&all, |_| true), all.covers))
}

/// What of the context policies read. Under `compat: cmcp-0.7` they may also look at it as a whole.
fn wanted(studied: &[Studied], compat: Compat) -> Wanted {
    Wanted::of(|name| {
        let mut paths = studied.iter().flat_map(|about| &about.mentions.paths);
        compat == Compat::V07
            || paths.any(|path| {
                path.root == Root::Context && path.names.first().is_some_and(|first| first == name)
            })
    })
}

/// Everything there is. Where there are tools alone, and no policy speaks of anything else, the
/// schema is about tools alone.
fn all(spots: &[Spot], policies: &[Covers]) -> Group {
    let mut named = policies.iter();
    let mut spoken_of = spots.iter();
    let others = named.any(|covers| *covers == Covers::Everything)
        || spoken_of.any(|spot| !matches!(spot.kind, Kind::Tool | Kind::Server));
    Group {
        spots: (0..spots.len()).collect(),
        covers: if others {
            Covers::Everything
        } else {
            Covers::Tools
        },
    }
}

//! The entities that requests are asked with.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet, HashSet},
};

use cedar_policy::{Entities, Entity, EntityUid};

use super::{
    Engine, Principal,
    check::Covers,
    slice::Studied,
    spots::{Actions, CALL_TOOL, Spot},
};
use crate::request::{Kind, Types, agent_attributes};

/// Entities that were made once.
#[derive(Debug)]
pub(super) struct Made {
    /// Every one that the schema has: what most calls are asked with.
    pub(super) every: Entities,
    /// Those that policies name, and can come to from elsewhere. A call about something that is not
    /// among `every`, or by somebody, takes these and adds its own: that costs as little as they are
    /// few.
    named: Entities,
}

impl Made {
    pub(super) fn of(
        types: &Types,
        (spots, covers): (&[Spot], Covers),
        principals: &[Principal],
        (actions, studied): (&Actions, &[Studied]),
    ) -> Result<Self, String> {
        let mut things = BTreeMap::new();
        for spot in spots {
            if spot.kind != Kind::Server || covers == Covers::Everything {
                things.insert((spot.kind, &spot.name), spot.entity(types, &spot.name)?);
            }
        }
        let mut all: Vec<Entity> = things.into_values().collect();
        for principal in principals {
            all.push(agent(types, principal)?);
        }
        let general = types.action(CALL_TOOL);
        for action in actions.names() {
            let member_of = [general.clone()].into();
            all.push(Entity::new_no_attrs(types.action(action), member_of));
        }
        all.push(Entity::new_no_attrs(general, HashSet::new()));
        let actions = studied.iter().flat_map(Studied::actions);
        let spoken_of: BTreeSet<EntityUid> = studied
            .iter()
            .flat_map(|about| about.entities(types))
            .chain(actions.map(|action| types.action(action)))
            .chain([types.action(CALL_TOOL)])
            .collect();
        let named = all
            .iter()
            .filter(|entity| spoken_of.contains(&entity.uid()));
        let made = |entities: Vec<Entity>| {
            Entities::from_entities(entities, None).map_err(|error| error.to_string())
        };
        Ok(Self {
            named: made(named.cloned().collect())?,
            every: made(all)?,
        })
    }
}

impl Engine {
    /// What a call at a spot is about, and the entities that it is asked with.
    pub(super) fn asked_with(
        &self,
        principal: &Principal,
        spot: &Spot,
        target: &str,
    ) -> Option<(EntityUid, Cow<'_, Entities>)> {
        let is_made = spot.kind != Kind::Server && spot.name == target;
        if is_made && self.is_known(principal) {
            return Some((spot.uid.clone(), Cow::Borrowed(&self.entities.every)));
        }
        let thing = spot.entity(&self.types, target).ok()?;
        let uid = thing.uid();
        let own = [thing, agent(&self.types, principal).ok()?];
        let entities = self.entities.named.clone().upsert_entities(own, None);
        Some((uid, Cow::Owned(entities.ok()?)))
    }
}

impl Spot {
    /// The entity of a target here. A URI of a template has the template's attributes, and is in it.
    fn entity(&self, types: &Types, target: &str) -> Result<Entity, String> {
        let templates = self.templates.iter();
        let templates = templates.map(|template| types.thing(Kind::Resource, template));
        let own = (self.name != target).then(|| self.uid.clone());
        let attributes = match self.name == target {
            true => self.about.attributes().collect(),
            false => self.about.named(target).attributes().collect(),
        };
        let uid = types.thing(self.kind, target);
        Entity::new(uid, attributes, templates.chain(own).collect())
            .map_err(|error| error.to_string())
    }
}

fn agent(types: &Types, principal: &Principal) -> Result<Entity, String> {
    let attributes = agent_attributes(&principal.name, &principal.attributes).collect();
    let uid = types.agent(&principal.name);
    Entity::new(uid, attributes, HashSet::new()).map_err(|error| error.to_string())
}

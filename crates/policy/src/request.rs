//! What Cedar is asked: built by typed constructors from what is known, never parsed from what a
//! caller sent.

mod argument;
mod decimal;

use std::collections::BTreeMap;

use cedar_policy::{Context, EntityId, EntityTypeName, EntityUid, RestrictedExpression};

pub use self::argument::{ArgumentError, ArgumentFault};
use crate::{
    Compat,
    catalog::{Approved, Baa, Effect, ItemKind, ServerSpec},
    decide::{Action, Facts, Phase},
    engine::AttributeValue,
    schema::{CONTEXT, Shape},
    sensitivity::Sensitivity,
};

/// What a policy's `resource` is: each is a Cedar entity type.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) enum Kind {
    Tool,
    Resource,
    Prompt,
    Server,
}

impl Kind {
    pub(crate) const ALL: [Self; 4] = [Self::Tool, Self::Resource, Self::Prompt, Self::Server];

    /// The Cedar entity type.
    pub(crate) fn type_name(self) -> &'static str {
        match self {
            Self::Tool => "Resource",
            Self::Resource => "McpResource",
            Self::Prompt => "Prompt",
            Self::Server => "Server",
        }
    }

    pub(crate) fn of_type(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.type_name() == name)
    }

    pub(crate) fn of_item(kind: ItemKind) -> Self {
        match kind {
            ItemKind::Tool => Self::Tool,
            ItemKind::Resource | ItemKind::ResourceTemplate => Self::Resource,
            ItemKind::Prompt => Self::Prompt,
        }
    }

    /// What people call it.
    pub(crate) fn noun(self) -> &'static str {
        match self {
            Self::Tool => "tool",
            Self::Resource => "resource",
            Self::Prompt => "prompt",
            Self::Server => "server",
        }
    }
}

impl Action {
    /// What it is done with.
    pub(crate) fn kinds(self) -> &'static [Kind] {
        match self {
            Self::CallTool => &[Kind::Tool],
            Self::ReadResource | Self::Subscribe => &[Kind::Resource],
            Self::GetPrompt => &[Kind::Prompt],
            Self::Complete => &[Kind::Resource, Kind::Prompt],
            Self::ListResources | Self::Sample | Self::Elicit | Self::ListRoots => &[Kind::Server],
        }
    }
}

/// The entity types of a request.
#[derive(Clone, Debug)]
pub(crate) struct Types {
    agent: EntityTypeName,
    action: EntityTypeName,
    tool: EntityTypeName,
    resource: EntityTypeName,
    prompt: EntityTypeName,
    server: EntityTypeName,
}

impl Types {
    /// `None` never happens: the names are constant.
    pub(crate) fn new() -> Option<Self> {
        let of = |kind: Kind| kind.type_name().parse().ok();
        Some(Self {
            agent: "Agent".parse().ok()?,
            action: "Action".parse().ok()?,
            tool: of(Kind::Tool)?,
            resource: of(Kind::Resource)?,
            prompt: of(Kind::Prompt)?,
            server: of(Kind::Server)?,
        })
    }

    /// The principal of that name.
    pub(crate) fn agent(&self, name: &str) -> EntityUid {
        EntityUid::from_type_name_and_id(self.agent.clone(), EntityId::new(name))
    }

    /// The action of that name.
    pub(crate) fn action(&self, name: &str) -> EntityUid {
        EntityUid::from_type_name_and_id(self.action.clone(), EntityId::new(name))
    }

    /// The thing of that name: a tool, a URI, a prompt, a server.
    pub(crate) fn thing(&self, kind: Kind, name: &str) -> EntityUid {
        let ty = match kind {
            Kind::Tool => &self.tool,
            Kind::Resource => &self.resource,
            Kind::Prompt => &self.prompt,
            Kind::Server => &self.server,
        };
        EntityUid::from_type_name_and_id(ty.clone(), EntityId::new(name))
    }
}

/// What the catalog says of a thing, for policy.
#[derive(Clone, Debug)]
pub(crate) struct About {
    kind: &'static str,
    name: String,
    baa: Baa,
    compliance_domain: String,
    effect: Effect,
    sensitivity: String,
    server: String,
    endpoint: String,
}

impl About {
    pub(crate) fn item(item: &Approved, server: &ServerSpec) -> Self {
        Self {
            kind: item.kind.as_str(),
            name: item.name.clone(),
            baa: item.baa,
            compliance_domain: item.compliance_domain.clone(),
            effect: item.effect,
            sensitivity: item.sensitivity.name().to_owned(),
            server: server.name.clone(),
            endpoint: server.endpoint().to_owned(),
        }
    }

    /// A server as a whole, by what is approved of it: each statement holds for all of that, or the
    /// one that denies more is made.
    pub(crate) fn of_server(server: &ServerSpec, items: &[&Approved]) -> Self {
        let mut domains = items.iter().map(|item| item.compliance_domain.as_str());
        let domain = domains
            .next()
            .filter(|first| domains.all(|other| other == *first));
        let all = |holds: fn(&Approved) -> bool| {
            !items.is_empty() && items.iter().all(|item| holds(item))
        };
        Self {
            kind: "server",
            name: server.name.clone(),
            baa: match all(Approved::baa_covered) {
                true => Baa::Covered,
                false => Baa::NotCovered,
            },
            compliance_domain: domain.unwrap_or("external").to_owned(),
            effect: match all(Approved::read_only) {
                true => Effect::Reads,
                false => Effect::Writes,
            },
            sensitivity: Sensitivity::public().name().to_owned(),
            server: server.name.clone(),
            endpoint: server.endpoint().to_owned(),
        }
    }

    /// The name of its server.
    pub(crate) fn server(&self) -> &str {
        &self.server
    }

    /// The same of one URI of a template.
    pub(crate) fn named(&self, uri: &str) -> Self {
        Self {
            name: uri.to_owned(),
            ..self.clone()
        }
    }

    /// The members of the context that depend on the thing alone.
    pub(crate) fn constants(&self) -> Constants {
        vec![
            (
                "baa_covered",
                RestrictedExpression::new_bool(self.baa == Baa::Covered),
            ),
            ("compliance_domain", string(&self.compliance_domain)),
            ("destination_class", string(DESTINATION)),
            ("server_identity", string(&self.endpoint)),
        ]
    }

    /// The attributes of its entity.
    pub(crate) fn attributes(&self) -> impl Iterator<Item = (String, RestrictedExpression)> {
        let own = [
            ("kind", string(self.kind)),
            (
                "read_only",
                RestrictedExpression::new_bool(self.effect == Effect::Reads),
            ),
            ("sensitivity", string(&self.sensitivity)),
            ("sensitivity_level", string(&self.sensitivity)),
            ("server", string(&self.server)),
            ("tool_name", string(&self.name)),
        ];
        own.into_iter()
            .chain(self.constants())
            .map(|(name, value)| (name.to_owned(), value))
    }
}

/// What the context says of a thing in every call.
pub(crate) type Constants = Vec<(&'static str, RestrictedExpression)>;

/// The constants of an action with a thing: whatever does not differ from call to call.
pub(crate) fn constants(action: Action, about: &About) -> Constants {
    let mut constants = about.constants();
    if !action.is_asked_of_clients() {
        constants.push(("asked_by", string("")));
    }
    if action != Action::Elicit {
        constants.push(("elicit_mode", string("")));
    }
    if !action.has_arguments() {
        let none = RestrictedExpression::new_record([]).ok();
        constants.extend(none.map(|none| ("arguments", none)));
        constants.push(("null_arguments", strings(std::iter::empty())));
    }
    constants
}

/// The attributes of an `Agent`.
pub(crate) fn agent_attributes(
    name: &str,
    attributes: &BTreeMap<String, AttributeValue>,
) -> impl Iterator<Item = (String, RestrictedExpression)> {
    let own = std::iter::once(("name".to_owned(), string(name)));
    own.chain(attributes.iter().map(|(name, value)| {
        let value = match value {
            AttributeValue::Bool(value) => RestrictedExpression::new_bool(*value),
            AttributeValue::Long(value) => RestrictedExpression::new_long(*value),
            AttributeValue::String(value) => string(value),
            AttributeValue::Set(values) => strings(values.iter().map(String::as_str)),
        };
        (name.clone(), value)
    }))
}

/// The members of the context that some policy reads. The others are left out of requests: nothing
/// can tell, for the context is never looked at as a whole, and each of them costs.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Wanted(Vec<&'static str>);

impl Wanted {
    /// Every member.
    pub(crate) fn all() -> Self {
        Self::of(|_| true)
    }

    /// Those that are read.
    pub(crate) fn of(is_read: impl Fn(&str) -> bool) -> Self {
        let names = CONTEXT.iter().map(|member| member.name);
        Self(names.filter(|name| is_read(name)).collect())
    }

    /// Of the constants those that are read.
    pub(crate) fn constants(&self, constants: &Constants) -> Constants {
        let read = constants.iter().filter(|(name, _)| self.has(name));
        read.cloned().collect()
    }

    fn has(&self, name: &str) -> bool {
        self.0.contains(&name)
    }
}

/// The context of a call: its arguments by their approved types, and what the gateway knows.
pub(crate) fn context(
    facts: &Facts<'_>,
    shape: &Shape,
    constants: &Constants,
    (wanted, compat): (&Wanted, Compat),
) -> Result<Context, Vec<ArgumentFault>> {
    // Arguments that cannot be typed deny the call, whoever reads them.
    let arguments = match (facts.action.has_arguments(), compat) {
        (true, Compat::Off) => argument::typed(shape, facts.arguments)?,
        (true, Compat::V07) => argument::loose(facts.arguments)?,
        (false, Compat::Off | Compat::V07) => argument::none()?,
    };
    let (egress, size, labels) = match facts.phase {
        Phase::Ingress => (false, 0, None),
        Phase::Egress {
            response_size_bytes,
            labels,
        } => (true, response_size_bytes, Some(labels)),
    };
    let session = facts.session;
    let public = Sensitivity::public();
    let own = facts.item.map_or(&public, |item| &item.sensitivity);
    let highest = session.max_sensitivity.clone().join(own);
    let seen = || session.sensitivities.iter().map(String::as_str);
    let labels = || labels.into_iter().flatten().map(String::as_str);
    // Made only if wanted.
    let members: [(&str, &dyn Fn() -> RestrictedExpression); 15] = [
        ("after", &|| {
            strings(session.tools_used.iter().map(String::as_str))
        }),
        ("arguments", &|| arguments.record.clone()),
        ("asked_by", &|| string(facts.asked_by)),
        ("attestation_platform", &|| {
            string(facts.attestation_platform)
        }),
        ("egress", &|| RestrictedExpression::new_bool(egress)),
        ("elicit_mode", &|| string(facts.elicit_mode)),
        ("injection_events", &|| counted(session.injection_events)),
        ("labels", &|| strings(labels())),
        ("null_arguments", &|| {
            strings(arguments.nulls.iter().map(String::as_str))
        }),
        ("reset_count", &|| counted(session.reset_count)),
        ("response_size_bytes", &|| counted(size)),
        ("sensitivity_level", &|| counted(highest.rank().into())),
        ("session_max_sensitivity", &|| string(highest.name())),
        ("session_sensitivities", &|| {
            strings(seen().chain([own.name(), highest.name()]))
        }),
        ("workflow_id", &|| string(facts.workflow_id)),
    ];
    let is_constant = |name: &str| constants.iter().any(|(constant, _)| *constant == name);
    let members = members
        .into_iter()
        .filter(|(name, _)| wanted.has(name) && !is_constant(name))
        .map(|(name, make)| (name, make()));
    pairs(members.chain(constants.iter().cloned()))
}

/// A context of which only the constants are known.
pub(crate) fn unknown_context(constants: &Constants, wanted: &Wanted) -> Option<Context> {
    let known = |name: &str| constants.iter().any(|(constant, _)| *constant == name);
    let unknown = wanted
        .0
        .iter()
        .filter(|name| !known(name))
        .map(|name| (*name, RestrictedExpression::new_unknown(name)));
    pairs(unknown.chain(constants.iter().cloned())).ok()
}

fn pairs(
    members: impl Iterator<Item = (&'static str, RestrictedExpression)>,
) -> Result<Context, Vec<ArgumentFault>> {
    Context::from_pairs(members.map(|(name, value)| (name.to_owned(), value)))
        .map_err(|_| vec![ArgumentFault::whole(ArgumentError::Refused)])
}

fn counted(count: u64) -> RestrictedExpression {
    RestrictedExpression::new_long(i64::try_from(count).unwrap_or(i64::MAX))
}

pub(crate) fn string(text: &str) -> RestrictedExpression {
    RestrictedExpression::new_string(text.to_owned())
}

fn strings<'a>(texts: impl Iterator<Item = &'a str>) -> RestrictedExpression {
    RestrictedExpression::new_set(texts.map(string))
}

/// Nothing says yet where a server sends what it is given.
pub(crate) const DESTINATION: &str = "external";

#[cfg(test)]
mod tests;

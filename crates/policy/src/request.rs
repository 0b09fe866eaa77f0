//! What Cedar is asked: built by typed constructors from what is known, never parsed from what a
//! caller sent.

mod argument;
mod decimal;

use std::collections::BTreeMap;

use cedar_policy::{Context, EntityId, EntityTypeName, EntityUid, RestrictedExpression};

pub use self::argument::{ArgumentError, ArgumentFault};
use crate::{
    Compat,
    catalog::{Approved, ServerSpec},
    decide::{Facts, Phase},
    engine::AttributeValue,
    schema::Shape,
};

/// The entity types of a request.
#[derive(Clone, Debug)]
pub(crate) struct Types {
    agent: EntityTypeName,
    action: EntityTypeName,
    resource: EntityTypeName,
}

impl Types {
    /// `None` never happens: the names are constant.
    pub(crate) fn new() -> Option<Self> {
        Some(Self {
            agent: "Agent".parse().ok()?,
            action: "Action".parse().ok()?,
            resource: "Resource".parse().ok()?,
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

    /// The tool of that name.
    pub(crate) fn resource(&self, name: &str) -> EntityUid {
        EntityUid::from_type_name_and_id(self.resource.clone(), EntityId::new(name))
    }
}

/// What the context says of a tool in every call.
pub(crate) type Constants = Vec<(&'static str, RestrictedExpression)>;

/// The members of the context that depend on the tool alone.
pub(crate) fn constants(tool: &Approved, server: &ServerSpec) -> Constants {
    vec![
        (
            "baa_covered",
            RestrictedExpression::new_bool(tool.baa_covered()),
        ),
        ("compliance_domain", string(&tool.compliance_domain)),
        ("destination_class", string(DESTINATION)),
        ("server_identity", string(server.endpoint())),
    ]
}

/// The attributes of a tool's `Resource`.
pub(crate) fn resource_attributes(
    tool: &Approved,
    server: &ServerSpec,
) -> impl Iterator<Item = (String, RestrictedExpression)> {
    let own = [
        (
            "read_only",
            RestrictedExpression::new_bool(tool.read_only()),
        ),
        ("sensitivity", string(tool.sensitivity.name())),
        ("sensitivity_level", string(tool.sensitivity.name())),
        ("server", string(&server.name)),
        ("tool_name", string(&tool.name)),
    ];
    own.into_iter()
        .chain(constants(tool, server))
        .map(|(name, value)| (name.to_owned(), value))
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

/// The context of a call: its arguments by their approved types, and what the gateway knows.
pub(crate) fn context(
    facts: &Facts<'_>,
    shape: &Shape,
    constants: &Constants,
    compat: Compat,
) -> Result<Context, Vec<ArgumentFault>> {
    let arguments = match compat {
        Compat::Off => argument::typed(shape, facts.arguments)?,
        Compat::V07 => argument::loose(facts.arguments)?,
    };
    let (egress, size, labels) = match facts.phase {
        Phase::Ingress => (false, 0, strings(std::iter::empty())),
        Phase::Egress {
            response_size_bytes,
            labels,
        } => (
            true,
            response_size_bytes,
            strings(labels.iter().map(String::as_str)),
        ),
    };
    let session = facts.session;
    let own = &facts.tool.sensitivity;
    let highest = session.max_sensitivity.clone().join(own);
    let seen = session.sensitivities.iter().map(String::as_str);
    let counted =
        |count: u64| RestrictedExpression::new_long(i64::try_from(count).unwrap_or(i64::MAX));
    let members = [
        (
            "after",
            strings(session.tools_used.iter().map(String::as_str)),
        ),
        ("arguments", arguments.record),
        ("attestation_platform", string(facts.attestation_platform)),
        ("egress", RestrictedExpression::new_bool(egress)),
        ("injection_events", counted(session.injection_events)),
        ("labels", labels),
        (
            "null_arguments",
            strings(arguments.nulls.iter().map(String::as_str)),
        ),
        ("reset_count", counted(session.reset_count)),
        ("response_size_bytes", counted(size)),
        ("sensitivity_level", counted(highest.rank().into())),
        ("session_max_sensitivity", string(highest.name())),
        (
            "session_sensitivities",
            strings(seen.chain([own.name(), highest.name()])),
        ),
        ("workflow_id", string(facts.workflow_id)),
    ];
    let members = members.into_iter().chain(constants.iter().cloned());
    pairs(members)
}

/// A context of which only the tool's constants are known.
pub(crate) fn unknown_context(constants: &Constants) -> Option<Context> {
    let known = |name: &str| constants.iter().any(|(constant, _)| *constant == name);
    let unknown = crate::schema::CONTEXT
        .iter()
        .map(|member| member.name)
        .filter(|name| !known(name))
        .map(|name| (name, RestrictedExpression::new_unknown(name)));
    pairs(unknown.chain(constants.iter().cloned())).ok()
}

fn pairs(
    members: impl Iterator<Item = (&'static str, RestrictedExpression)>,
) -> Result<Context, Vec<ArgumentFault>> {
    Context::from_pairs(members.map(|(name, value)| (name.to_owned(), value)))
        .map_err(|_| vec![ArgumentFault::whole(ArgumentError::Refused)])
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

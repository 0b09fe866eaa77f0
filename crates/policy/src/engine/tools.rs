//! The approved tools as policy sees them, and what their actions are called.

use std::collections::BTreeMap;

use cedar_policy::EntityUid;

use crate::{
    Compat,
    bundle::PolicyError,
    catalog::Catalog,
    request::{Constants, Types, constants},
    schema::{Others, Shape, union},
};

/// An approved tool.
#[derive(Clone, Debug)]
pub(crate) struct Tool {
    pub(crate) name: String,
    pub(crate) uid: EntityUid,
    pub(crate) shape: Shape,
    pub(crate) constants: Constants,
    /// Whether an operator let it through without an approved definition.
    pub(crate) exception: bool,
}

/// Every tool of the catalog, in its order.
///
/// A tool without an approved definition has every parameter that policies can name, by the type
/// that they were validated with: it cannot dodge a rule, and takes whatever no rule names.
pub(crate) fn tools(catalog: &Catalog, types: &Types) -> Vec<Tool> {
    let mut tools: Vec<Tool> = catalog
        .tools()
        .iter()
        .filter_map(|tool| {
            let server = catalog.server_of(tool)?;
            Some(Tool {
                name: tool.name.clone(),
                uid: types.resource(&tool.name),
                shape: Shape::of(tool),
                constants: constants(tool, server),
                exception: tool.is_exception(),
            })
        })
        .collect();
    let mut known = union(
        tools
            .iter()
            .filter(|tool| !tool.exception)
            .map(|tool| &tool.shape),
    );
    known.others = Others::Allowed;
    for tool in tools.iter_mut().filter(|tool| tool.exception) {
        tool.shape = known.clone();
    }
    tools
}

/// What tools' own actions are called: exactly their names; under `compat: cmcp-0.7` also the names
/// that 0.7.1 derived from them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Actions(BTreeMap<String, usize>);

impl Actions {
    pub(crate) fn of(tools: &[Tool], compat: Compat) -> Result<Self, Vec<PolicyError>> {
        let mut actions = BTreeMap::<String, usize>::new();
        let mut errors = Vec::new();
        for (index, tool) in tools.iter().enumerate() {
            let names = match compat {
                Compat::Off => vec![tool.name.clone()],
                Compat::V07 => vec![tool.name.clone(), derived(&tool.name)],
            };
            for action in names {
                if action == CALL_TOOL {
                    errors.push(PolicyError::ToolNamedAction(tool.name.clone()));
                }
                let other = actions
                    .insert(action.clone(), index)
                    .filter(|other| *other != index);
                if let Some(other) = other.and_then(|other| tools.get(other)) {
                    errors.push(PolicyError::ActionTwice {
                        action,
                        first: other.name.clone(),
                        second: tool.name.clone(),
                    });
                }
            }
        }
        if errors.is_empty() {
            Ok(Self(actions))
        } else {
            Err(errors)
        }
    }

    /// The tool whose action it is.
    pub(crate) fn tool(&self, action: &str) -> Option<usize> {
        self.0.get(action).copied()
    }

    /// Every action of one tool, by name.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

/// The action that the Python cMCP made of a tool's name: parts between `_`, each capitalised.
fn derived(tool: &str) -> String {
    tool.split('_')
        .map(|part| {
            let mut chars = part.chars();
            let first = chars.next().map(|first| first.to_uppercase().to_string());
            first.unwrap_or_default() + &chars.as_str().to_lowercase()
        })
        .collect()
}

/// The action that covers every tool.
pub(crate) const CALL_TOOL: &str = "call_tool";

//! What policy can be asked about: every action with every approved thing, and what tools' own
//! actions are called.

use std::collections::BTreeMap;

use cedar_policy::EntityUid;

use crate::{
    Compat,
    bundle::PolicyError,
    catalog::{Approved, Catalog, ItemKind, ServerSpec, Template},
    decide::Action,
    request::{About, Constants, Kind, Types, constants},
    schema::{ArgumentType, Nullable, Others, Parameter, Shape, union},
};

/// An action with an approved thing.
#[derive(Clone, Debug)]
pub(crate) struct Spot {
    pub(crate) action: Action,
    pub(crate) kind: Kind,
    /// The name of the thing: of a template the template.
    pub(crate) name: String,
    pub(crate) uid: EntityUid,
    pub(crate) about: About,
    pub(crate) shape: Shape,
    pub(crate) constants: Constants,
    /// Whether an operator let it through without an approved definition.
    pub(crate) exception: bool,
    /// The template whose URIs are the targets here, each an entity of its own.
    pub(crate) template: Option<Template>,
    /// Templates that a listed resource is of.
    pub(crate) templates: Vec<String>,
}

impl Spot {
    /// Whether a target here can have that name.
    pub(crate) fn can_be(&self, name: &str) -> bool {
        self.name == name || self.has(name)
    }

    /// Whether the target of a call is one of this spot.
    pub(crate) fn takes(&self, target: &str) -> bool {
        match &self.template {
            Some(template) => template.matches(target),
            None => self.name == target,
        }
    }

    /// Whether it is listed, and also of that template.
    pub(crate) fn is_in(&self, template: &str) -> bool {
        self.templates.iter().any(|known| known == template)
    }

    fn has(&self, uri: &str) -> bool {
        let template = self.template.as_ref();
        template.is_some_and(|template| template.matches(uri))
    }
}

/// Every spot: those of tools first, in the catalog's order, one for each.
///
/// A tool without an approved definition has every parameter that policies can name, by the type
/// that they were validated with: it cannot dodge a rule, and takes whatever no rule names. So has a
/// prompt.
pub(crate) fn spots(catalog: &Catalog, types: &Types) -> Vec<Spot> {
    let mut spots: Vec<Spot> = Vec::new();
    for item in catalog.all() {
        let Some(server) = catalog.server_of(item) else {
            continue;
        };
        for action in actions_with(item.kind) {
            spots.push(of_item((catalog, types), (item, server), *action));
        }
    }
    for (at, server) in catalog.servers().iter().enumerate() {
        let own: Vec<&Approved> = catalog.all().filter(|item| item.server == at).collect();
        let about = About::of_server(server, &own);
        for action in WITH_SERVERS {
            spots.push(Spot {
                action,
                kind: Kind::Server,
                name: server.name.clone(),
                uid: types.thing(Kind::Server, &server.name),
                shape: Shape::default(),
                constants: constants(action, &about),
                about: about.clone(),
                exception: false,
                template: None,
                templates: Vec::new(),
            });
        }
    }
    for action in [Action::CallTool, Action::GetPrompt] {
        open_exceptions(&mut spots, action);
    }
    spots
}

fn actions_with(kind: ItemKind) -> &'static [Action] {
    match kind {
        ItemKind::Tool => &[Action::CallTool],
        ItemKind::Resource => &[Action::ReadResource, Action::Subscribe],
        ItemKind::ResourceTemplate => &[Action::ReadResource, Action::Subscribe, Action::Complete],
        ItemKind::Prompt => &[Action::GetPrompt, Action::Complete],
    }
}

fn of_item(
    (catalog, types): (&Catalog, &Types),
    (item, server): (&Approved, &ServerSpec),
    action: Action,
) -> Spot {
    let kind = Kind::of_item(item.kind);
    let about = About::item(item, server);
    let templates = match item.kind {
        ItemKind::Resource => catalog
            .items(ItemKind::ResourceTemplate)
            .filter(|template| template.covers(&item.name))
            .map(|template| template.name.clone())
            .collect(),
        ItemKind::Tool | ItemKind::ResourceTemplate | ItemKind::Prompt => Vec::new(),
    };
    Spot {
        action,
        kind,
        name: item.name.clone(),
        uid: types.thing(kind, &item.name),
        shape: match action {
            Action::Complete => completion(),
            Action::CallTool | Action::GetPrompt => Shape::of(item),
            Action::ReadResource
            | Action::ListResources
            | Action::Subscribe
            | Action::Sample
            | Action::Elicit
            | Action::ListRoots => Shape::default(),
        },
        constants: constants(action, &about),
        about,
        exception: item.is_exception(),
        template: item
            .template()
            .filter(|_| action != Action::Complete)
            .cloned(),
        templates,
    }
}

/// What policy sees of a completion: the argument's name, and what was typed of it.
fn completion() -> Shape {
    let string = || Parameter::Typed {
        ty: ArgumentType::String,
        null: Nullable::No,
    };
    let members = ["argument", "value"].map(|name| (name.to_owned(), string()));
    Shape {
        members: members.into(),
        others: Others::Refused,
    }
}

fn open_exceptions(spots: &mut [Spot], action: Action) {
    let approved = spots
        .iter()
        .filter(|spot| spot.action == action && !spot.exception);
    let mut known = union(approved.map(|spot| &spot.shape));
    known.others = Others::Allowed;
    for spot in spots
        .iter_mut()
        .filter(|spot| spot.action == action && spot.exception)
    {
        spot.shape = known.clone();
    }
}

/// What tools' own actions are called: exactly their names; under `compat: cmcp-0.7` also the names
/// that 0.7.1 derived from them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Actions(BTreeMap<String, usize>);

impl Actions {
    pub(crate) fn of(spots: &[Spot], compat: Compat) -> Result<Self, Vec<PolicyError>> {
        let mut actions = BTreeMap::<String, usize>::new();
        let mut errors = Vec::new();
        let tools = spots.iter().enumerate();
        for (index, tool) in tools.filter(|(_, spot)| spot.action == Action::CallTool) {
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
                if let Some(other) = other.and_then(|other| spots.get(other)) {
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

    /// The action of that id that is no tool's own. A tool of the same name keeps it: what a bundle
    /// says of the tool is never taken for a word about anything else.
    pub(crate) fn other(&self, id: &str) -> Option<Action> {
        Action::of(id).filter(|_| self.tool(id).is_none())
    }

    /// Whether a tool has taken the name of another action.
    pub(crate) fn is_taken(&self, id: &str) -> bool {
        Action::of(id).is_some() && self.tool(id).is_some()
    }

    /// The id under which policy is asked. Where a tool has the action's name it is one that no policy
    /// can name.
    pub(crate) fn id(&self, action: Action) -> &'static str {
        if self.tool(action.as_str()).is_none() {
            action.as_str()
        } else {
            UNNAMED
        }
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
/// The action of what a tool has taken the name of.
const UNNAMED: &str = "another action of that name";
/// What is asked of servers as a whole, and what they ask.
const WITH_SERVERS: [Action; 4] = [
    Action::ListResources,
    Action::Sample,
    Action::Elicit,
    Action::ListRoots,
];

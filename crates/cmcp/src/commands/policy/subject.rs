//! What `cmcp policy explain` is asked about.

use cmcp_json::Value;
use cmcp_policy::{
    catalog::{Approved, Catalog, ItemKind, ServerSpec},
    decide::Action,
};

use super::unknown;
use crate::{cli::SubjectArgs, commands::Failure, render::table::shown};

/// An action with something of the catalog.
#[derive(Clone, Copy, Debug)]
pub(super) struct Subject<'a> {
    pub(super) action: Action,
    pub(super) item: Option<&'a Approved>,
    pub(super) target: &'a str,
    pub(super) server: &'a ServerSpec,
}

/// What a flag names, and what can be done with it: the first, unless another is asked for.
struct Named<'a> {
    flag: &'static str,
    name: &'a str,
    actions: &'static [Action],
    expected: &'static str,
}

impl<'a> Subject<'a> {
    pub(super) fn of(
        arguments: &'a SubjectArgs,
        action: Option<Action>,
        catalog: &'a Catalog,
    ) -> Result<Self, Failure> {
        let named = named(arguments);
        let action = match (action, named.actions) {
            (None, [usual, ..]) => *usual,
            (Some(action), possible) if possible.contains(&action) => action,
            (action, _) => {
                return Err(Failure::Flag {
                    flag: "--action",
                    value: action.map_or_else(String::new, |action| action.to_string()),
                    expected: named.expected,
                });
            }
        };
        let item = named.item(action, catalog)?;
        let server = match item {
            Some(item) => catalog.server_of(item),
            None => named.server(catalog),
        };
        Ok(Self {
            action,
            item,
            target: named.name,
            server: server.ok_or_else(|| named.unknown(catalog))?,
        })
    }

    /// Holds the call's arguments against what was approved.
    pub(super) fn check(&self, arguments: &Value) -> Result<(), Failure> {
        let takes = matches!(self.action, Action::CallTool | Action::GetPrompt);
        let item = self.item.filter(|_| takes);
        let checked = item.map_or(Ok(()), |item| item.check_arguments(arguments));
        checked.map_err(|violation| Failure::Arguments {
            rule: violation.rule,
            place: shown(&violation.instance, 200),
        })
    }
}

fn named(arguments: &SubjectArgs) -> Named<'_> {
    let SubjectArgs {
        tool,
        resource,
        prompt,
        server,
    } = arguments;
    // The command line has one of them.
    if let Some(name) = resource {
        return Named {
            flag: "--resource",
            name,
            actions: &[Action::ReadResource, Action::Subscribe, Action::Complete],
            expected: "`read_resource`, `subscribe` or, for a template, `complete`",
        };
    }
    if let Some(name) = prompt {
        return Named {
            flag: "--prompt",
            name,
            actions: &[Action::GetPrompt, Action::Complete],
            expected: "`get_prompt` or `complete`",
        };
    }
    if let Some(name) = server {
        return Named {
            flag: "--server",
            name,
            actions: &[
                Action::ListResources,
                Action::Sample,
                Action::Elicit,
                Action::ListRoots,
            ],
            expected: "`list_resources`, `sample`, `elicit` or `list_roots`",
        };
    }
    Named {
        flag: "--tool",
        name: tool.as_deref().unwrap_or_default(),
        actions: &[Action::CallTool],
        expected: "`call_tool`",
    }
}

impl<'a> Named<'a> {
    /// What the catalog has under that name; nothing for a server.
    fn item<'c>(
        &self,
        action: Action,
        catalog: &'c Catalog,
    ) -> Result<Option<&'c Approved>, Failure> {
        let found = match (self.flag, action) {
            ("--server", _) => return Ok(None),
            ("--resource", Action::Complete) => catalog.template(self.name),
            ("--resource", _) => catalog.resource(self.name),
            ("--prompt", _) => catalog.prompt(self.name),
            (_, _) => catalog.tool(self.name),
        };
        found.map(Some).ok_or_else(|| self.unknown(catalog))
    }

    fn server<'c>(&self, catalog: &'c Catalog) -> Option<&'c ServerSpec> {
        let mut servers = catalog.servers().iter();
        servers.find(|server| server.name == self.name)
    }

    fn unknown(&self, catalog: &Catalog) -> Failure {
        let kinds: &[ItemKind] = match self.flag {
            "--tool" => &[ItemKind::Tool],
            "--resource" => &[ItemKind::Resource, ItemKind::ResourceTemplate],
            "--prompt" => &[ItemKind::Prompt],
            _ => &[],
        };
        let items = kinds.iter().flat_map(|kind| catalog.items(*kind));
        let items = items.map(|item| item.name.as_str());
        let servers = catalog.servers().iter().map(|server| server.name.as_str());
        let servers = servers.filter(|_| kinds.is_empty());
        unknown(self.flag, self.name, items.chain(servers))
    }
}

//! Holding what a policy names against what there is.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    mention::{Mentions, Path, Root, Usage},
    near::nearest,
    needs::Needs,
    slice::Studied,
    target::{Scope, Target, scope_entities, scope_types},
    tools::{Actions, CALL_TOOL, Tool},
};
use crate::{
    bundle::{Cause, PolicyError, Rule, Warning},
    catalog::Catalog,
    request::DESTINATION,
    schema::{ArgumentType, CONTEXT, Lookup, RESOURCE},
    sensitivity::Vocabulary,
};

/// Everything that a policy may name.
#[derive(Debug)]
pub(super) struct Known<'a> {
    pub(super) tools: &'a [Tool],
    pub(super) actions: &'a Actions,
    pub(super) principals: BTreeSet<&'a str>,
    pub(super) agent: &'a BTreeMap<String, (&'static str, bool)>,
    pub(super) values: Values,
}

/// The values that some attributes can have, all told.
#[derive(Debug)]
pub(super) struct Values {
    tools: Vec<String>,
    servers: Vec<String>,
    labels: Vec<String>,
    domains: Vec<String>,
    destinations: Vec<String>,
}

impl Values {
    pub(super) fn of(catalog: &Catalog, vocabulary: &Vocabulary) -> Self {
        let tools = catalog.tools();
        let labels = tools.iter().map(|tool| tool.sensitivity.name().to_owned());
        let domains = tools.iter().map(|tool| tool.compliance_domain.clone());
        Self {
            tools: tools.iter().map(|tool| tool.name.clone()).collect(),
            servers: catalog
                .servers()
                .iter()
                .map(|server| server.name.clone())
                .collect(),
            labels: vocabulary
                .labels()
                .map(|(name, _)| name.to_owned())
                .chain(labels)
                .collect(),
            domains: vocabulary
                .domains()
                .map(|(name, _)| name.to_owned())
                .chain(domains)
                .collect(),
            destinations: vec![DESTINATION.to_owned()],
        }
    }

    /// The values of an attribute, where they are known.
    fn of_attribute(&self, path: &Path) -> Option<&[String]> {
        let [name] = path.names.as_slice() else {
            return None;
        };
        match (path.root, name.as_str()) {
            (Root::Resource, "tool_name") | (Root::Context, "after") => Some(&self.tools),
            (Root::Resource, "server") => Some(&self.servers),
            (Root::Resource, "sensitivity" | "sensitivity_level")
            | (Root::Context, "session_max_sensitivity" | "session_sensitivities") => {
                Some(&self.labels)
            }
            (Root::Resource | Root::Context, "compliance_domain") => Some(&self.domains),
            (Root::Resource | Root::Context, "destination_class") => Some(&self.destinations),
            _ => None,
        }
    }
}

impl Known<'_> {
    /// The tools that a policy is asked about.
    pub(super) fn targets(&self, target: &Target, needs: &Needs) -> BTreeSet<usize> {
        let needed = |tool: &str| {
            needs
                .tools
                .as_ref()
                .is_none_or(|tools| tools.contains(tool))
        };
        let by_action = |index: usize| match &target.actions {
            None => true,
            Some(actions) => actions
                .iter()
                .any(|action| action == CALL_TOOL || self.actions.tool(action) == Some(index)),
        };
        self.tools
            .iter()
            .enumerate()
            .filter(|(index, tool)| {
                target.resource.covers(&tool.name) && needed(&tool.name) && by_action(*index)
            })
            .map(|(index, _)| index)
            .collect()
    }

    /// What is wrong with a policy.
    pub(super) fn findings(
        &self,
        rule: &Rule,
        studied: &Studied,
    ) -> (Vec<PolicyError>, Vec<Warning>) {
        let Studied {
            target,
            mentions,
            needs,
        } = studied;
        let mut findings = Findings {
            rule,
            errors: Vec::new(),
            warnings: Vec::new(),
        };
        self.entities(&mut findings, mentions);
        for expression in &mentions.computed {
            findings.add(expression, Cause::Computed(expression.clone()));
        }
        let targets = self.targets(target, needs);
        let mut refused: Vec<&Path> = Vec::new();
        for path in &mentions.paths {
            if refused.iter().any(|shorter| shorter.leads_to(path)) {
                continue;
            }
            if let Some(cause) = self.attribute(path, &targets) {
                findings.add(path.names.last().map_or("context", String::as_str), cause);
                refused.push(path);
            }
        }
        for (path, value) in &mentions.compared {
            if let Some(known) = self
                .values
                .of_attribute(path)
                .filter(|known| !known.contains(value))
            {
                let nearest = nearest(value, known.iter().map(String::as_str));
                let (path, written) = (path.written(), value.clone());
                findings.add(
                    value,
                    Cause::UnknownValue {
                        path,
                        value: written,
                        nearest,
                    },
                );
            }
        }
        if findings.errors.is_empty() && self.never(target, &targets) {
            findings.add("", Cause::Never);
        }
        (findings.errors, findings.warnings)
    }

    fn never(&self, target: &Target, targets: &BTreeSet<usize>) -> bool {
        let nobody = target.principal == Scope::Nothing || target.resource == Scope::Nothing;
        nobody || (targets.is_empty() && !self.tools.is_empty())
    }

    fn entities(&self, findings: &mut Findings<'_>, mentions: &Mentions) {
        let rule = findings.rule;
        for ty in scope_types(&rule.body).iter().chain(&mentions.types) {
            if !TYPES.contains(&ty.as_str()) {
                findings.add(ty, Cause::UnknownType { name: ty.clone() });
            }
        }
        let scope = scope_entities(&rule.body);
        for (ty, id) in scope.iter().chain(&mentions.entities) {
            match ty.as_str() {
                "Action" => {
                    if id != CALL_TOOL && self.actions.tool(id).is_none() {
                        let nearest = nearest(id, self.actions.names().chain([CALL_TOOL]));
                        findings.add(
                            id,
                            Cause::UnknownAction {
                                name: id.clone(),
                                nearest,
                            },
                        );
                    }
                }
                "Resource" => {
                    if !self.tools.iter().any(|tool| tool.name == *id) {
                        let nearest = nearest(id, self.tools.iter().map(|tool| tool.name.as_str()));
                        findings.add(
                            id,
                            Cause::UnknownTool {
                                name: id.clone(),
                                nearest,
                            },
                        );
                    }
                }
                "Agent" => {
                    if !self.principals.contains(id.as_str()) {
                        let nearest = nearest(id, self.principals.iter().copied());
                        let (place, name) = (rule.place_of(id), id.clone());
                        findings.warnings.push(Warning::UnknownPrincipal {
                            place,
                            name,
                            nearest,
                        });
                    }
                }
                _ => findings.add(ty, Cause::UnknownType { name: ty.clone() }),
            }
        }
    }

    fn attribute(&self, path: &Path, targets: &BTreeSet<usize>) -> Option<Cause> {
        let names: Vec<&str> = path.names.iter().map(String::as_str).collect();
        let unknown = |candidates: &mut dyn Iterator<Item = &str>| {
            let last = names.last().copied().unwrap_or_default();
            let nearest = replacement(path).or_else(|| nearest(last, candidates));
            Some(Cause::UnknownAttribute {
                path: path.written(),
                nearest,
            })
        };
        match (path.root, names.as_slice()) {
            (Root::Context, []) => Some(Cause::Whole(path.written())),
            (Root::Context, ["arguments"]) => {
                (path.usage == Usage::Value).then(|| Cause::Whole(path.written()))
            }
            (Root::Context, ["arguments", parameter @ ..]) => {
                self.parameter(path, parameter, targets)
            }
            (Root::Context, [name]) if CONTEXT.iter().any(|member| member.name == *name) => None,
            (Root::Context, _) => unknown(&mut CONTEXT.iter().map(|member| member.name)),
            (Root::Resource, [name]) if RESOURCE.iter().any(|member| member.name == *name) => None,
            (Root::Resource, _) => unknown(&mut RESOURCE.iter().map(|member| member.name)),
            (Root::Agent, [name]) if self.agent.contains_key(*name) => None,
            (Root::Agent, _) => unknown(&mut self.agent.keys().map(String::as_str)),
            (Root::Action, _) => unknown(&mut std::iter::empty()),
        }
    }

    fn parameter(&self, path: &Path, names: &[&str], targets: &BTreeSet<usize>) -> Option<Cause> {
        let mut found: Option<(&Tool, &ArgumentType)> = None;
        let tools = targets.iter().filter_map(|index| self.tools.get(*index));
        for tool in tools.clone().filter(|tool| !tool.exception) {
            match tool.shape.lookup(names) {
                None | Some(Lookup::Absent) => {}
                Some(Lookup::Untyped(why)) => {
                    let (path, tool) = (path.written(), tool.name.clone());
                    return Some(Cause::Untyped { path, tool, why });
                }
                Some(Lookup::Typed(ty)) => match found {
                    Some((other, known)) if !known.agrees(ty) => {
                        return Some(Cause::Clash {
                            path: path.written(),
                            first: other.name.clone(),
                            first_type: known.to_string(),
                            second: tool.name.clone(),
                            second_type: ty.to_string(),
                        });
                    }
                    Some(_) => {}
                    None => found = Some((tool, ty)),
                },
            }
        }
        match found {
            None => {
                let known = tools.flat_map(|tool| tool.shape.members.keys());
                let nearest = match names {
                    [name] => nearest(name, known.map(String::as_str)),
                    _ => None,
                };
                Some(Cause::UnknownAttribute {
                    path: path.written(),
                    nearest,
                })
            }
            Some((_, ArgumentType::Record(_))) if path.usage == Usage::Value => {
                Some(Cause::Whole(path.written()))
            }
            Some(_) => None,
        }
    }
}

struct Findings<'a> {
    rule: &'a Rule,
    errors: Vec<PolicyError>,
    warnings: Vec<Warning>,
}

impl Findings<'_> {
    fn add(&mut self, word: &str, cause: Cause) {
        self.errors.push(PolicyError::Policy {
            place: self.rule.place_of(word),
            cause,
        });
    }
}

/// What documents of the Python cMCP called something that is there under another name.
fn replacement(path: &Path) -> Option<String> {
    let written = path.written();
    REPLACED
        .iter()
        .find(|(old, _)| *old == written)
        .map(|(_, new)| (*new).to_owned())
}

const TYPES: [&str; 3] = ["Action", "Agent", "Resource"];

const REPLACED: [(&str, &str); 6] = [
    ("context.session", "context.session_max_sensitivity"),
    (
        "context.session_sensitivity",
        "context.session_max_sensitivity",
    ),
    ("principal.workflow_id", "context.workflow_id"),
    ("resource.requires_baa", "resource.baa_covered"),
    ("resource.server_domain", "resource.compliance_domain"),
    ("resource.tool", "resource.tool_name"),
];

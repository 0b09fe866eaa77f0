//! Holding what a policy names against what there is.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    mention::{Mentions, Path, Root, Usage},
    near::nearest,
    slice::Studied,
    spots::{Actions, CALL_TOOL, Spot},
    target::{Reach, Scope, scope_entities, scope_types},
};
use crate::{
    bundle::{Cause, PolicyError, Rule, Warning},
    catalog::{Catalog, ItemKind},
    decide::Action,
    request::{DESTINATION, Kind},
    schema::{ArgumentType, CONTEXT, Lookup, RESOURCE, Shape},
    sensitivity::Vocabulary,
};

/// Everything that a policy may name.
#[derive(Debug)]
pub(super) struct Known<'a> {
    pub(super) spots: &'a [Spot],
    pub(super) actions: &'a Actions,
    pub(super) principals: BTreeSet<&'a str>,
    pub(super) agent: &'a BTreeMap<String, (&'static str, bool)>,
    pub(super) values: Values,
}

/// The values that some attributes can have, all told.
#[derive(Debug)]
pub(super) struct Values {
    tools: Vec<String>,
    /// Of everything that is approved; of templates the templates.
    items: Vec<String>,
    servers: Vec<String>,
    labels: Vec<String>,
    domains: Vec<String>,
    destinations: Vec<String>,
}

impl Values {
    pub(super) fn of(catalog: &Catalog, vocabulary: &Vocabulary) -> Self {
        let labels = catalog.all().map(|item| item.sensitivity.name().to_owned());
        let domains = catalog.all().map(|item| item.compliance_domain.clone());
        Self {
            tools: catalog
                .tools()
                .iter()
                .map(|tool| tool.name.clone())
                .collect(),
            items: catalog.all().map(|item| item.name.clone()).collect(),
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
    fn of_attribute(&self, path: &Path) -> Option<Vec<&str>> {
        let [name] = path.names.as_slice() else {
            return None;
        };
        let texts: fn(&[String]) -> Vec<&str> = |all| all.iter().map(String::as_str).collect();
        Some(match (path.root, name.as_str()) {
            (Root::Resource, "tool_name") | (Root::Context, "asked_by") => {
                [texts(&self.items), texts(&self.servers), vec![""]].concat()
            }
            (Root::Context, "after") => texts(&self.tools),
            (Root::Resource, "kind") => {
                let kinds = ItemKind::ALL.into_iter().map(ItemKind::as_str);
                kinds.chain(["server"]).collect()
            }
            (Root::Context, "elicit_mode") => vec!["", "form", "url"],
            (Root::Resource, "server") => texts(&self.servers),
            (Root::Resource, "sensitivity" | "sensitivity_level")
            | (Root::Context, "session_max_sensitivity" | "session_sensitivities") => {
                texts(&self.labels)
            }
            (Root::Resource | Root::Context, "compliance_domain") => texts(&self.domains),
            (Root::Resource | Root::Context, "destination_class") => texts(&self.destinations),
            _ => return None,
        })
    }
}

/// What of the spots a policy is held against.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Group {
    pub(super) spots: BTreeSet<usize>,
    pub(super) covers: Covers,
}

/// Whether a policy is about tools alone.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Covers {
    /// It names nothing else. Cedar then holds it against calls of tools, as it did when there was
    /// nothing else: everything has the same attributes and the same context, and parameters that
    /// differ are found before.
    Tools,
    Everything,
}

impl Known<'_> {
    /// The spots that a policy is asked about.
    pub(super) fn targets(&self, rule: &Rule, studied: &Studied) -> BTreeSet<usize> {
        let by_action = |index: usize, spot: &Spot| {
            let Studied { target, .. } = studied;
            match (spot.action, &target.actions) {
                (Action::CallTool, None) => true,
                (Action::CallTool, Some(actions)) => actions
                    .iter()
                    .any(|action| action == CALL_TOOL || self.actions.tool(action) == Some(index)),
                (other, _) => target.covers_other(&rule.body, other, self.actions.id(other)),
            }
        };
        self.spots
            .iter()
            .enumerate()
            .filter(|(index, spot)| studied.covers_spot(spot) && by_action(*index, spot))
            .map(|(index, _)| index)
            .collect()
    }

    /// What Cedar's validator holds a policy against.
    pub(super) fn group(&self, rule: &Rule, studied: &Studied) -> Group {
        let spots = self.targets(rule, studied);
        let is_call = |index: &usize| {
            let spot = self.spots.get(*index);
            spot.is_some_and(|spot| spot.action == Action::CallTool)
        };
        let calls: BTreeSet<usize> = spots.iter().copied().filter(is_call).collect();
        if self.is_about_tools(rule, studied, &calls) {
            let (spots, covers) = (calls, Covers::Tools);
            return Group { spots, covers };
        }
        let covers = Covers::Everything;
        Group { spots, covers }
    }

    /// Whether a policy names nothing but tools, and what these take.
    fn is_about_tools(&self, rule: &Rule, studied: &Studied, calls: &BTreeSet<usize>) -> bool {
        let Studied {
            target, mentions, ..
        } = studied;
        let is_tool = |kind: Option<Kind>| kind.is_none_or(|kind| kind == Kind::Tool);
        let by_scope = match &target.resource {
            Reach::Any | Reach::Nothing => target.actions.is_none(),
            Reach::Every(kind) | Reach::One(kind, _) | Reach::Within(kind, _) => {
                *kind == Kind::Tool
            }
        };
        let by_action = target.actions.as_ref().is_some_and(|_| {
            let actions = target.actions(&rule.body, self.actions);
            actions.iter().all(|action| *action == Action::CallTool)
        });
        let types = mentions.types.iter().all(|ty| is_tool(Kind::of_type(ty)));
        let entities = mentions.entities.iter().all(|(ty, id)| {
            let other = ty == "Action"
                && self
                    .actions
                    .other(id)
                    .is_some_and(|action| action != Action::CallTool);
            is_tool(Kind::of_type(ty)) && !other
        });
        let parameters = mentions
            .paths
            .iter()
            .all(|path| match path.names.as_slice() {
                [first, names @ ..] if path.root == Root::Context && first == "arguments" => {
                    let names: Vec<&str> = names.iter().map(String::as_str).collect();
                    let tools = calls.iter().filter_map(|index| self.spots.get(*index));
                    let mut tools = tools.filter(|tool| !tool.exception);
                    let takes = |shape: &Shape| {
                        !matches!(shape.lookup(&names), None | Some(Lookup::Absent))
                    };
                    names.is_empty() || tools.any(|tool| takes(&tool.shape))
                }
                _ => true,
            });
        (by_scope || by_action) && types && entities && parameters
    }

    /// Whether a principal of that name may come: a name that ends in a colon stands for all that begin
    /// with it.
    fn knows(&self, id: &str) -> bool {
        let family = |known: &&str| known.ends_with(':') && id.starts_with(*known);
        self.principals.contains(id) || self.principals.iter().any(family)
    }

    /// What is wrong with a policy.
    pub(super) fn findings(
        &self,
        rule: &Rule,
        studied: &Studied,
    ) -> (Vec<PolicyError>, Vec<Warning>) {
        let Studied { mentions, .. } = studied;
        let mut findings = Findings {
            rule,
            errors: Vec::new(),
            warnings: Vec::new(),
        };
        self.entities(&mut findings, mentions);
        for expression in &mentions.computed {
            findings.add(expression, Cause::Computed(expression.clone()));
        }
        self.unnamed(&mut findings, studied);
        let targets = self.targets(rule, studied);
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
            if let Some(cause) = self.value(path, value) {
                findings.add(value, cause);
            }
        }
        if findings.errors.is_empty() && self.never(rule, studied, &targets) {
            findings.add("", Cause::Never);
        }
        (findings.errors, findings.warnings)
    }

    /// Warns of a permit whose conditions speak of what servers ask while its scope does not.
    fn unnamed(&self, findings: &mut Findings<'_>, studied: &Studied) {
        let rule = findings.rule;
        if !rule.permits() || studied.target.actions.is_some() {
            return;
        }
        let named = studied.mentions.entities.iter();
        let named = named.filter(|(ty, _)| ty == "Action");
        for (_, id) in named {
            let asked = self.actions.other(id);
            if let Some(action) = asked.filter(|action| action.is_asked_of_clients()) {
                let place = rule.place_of(id);
                findings
                    .warnings
                    .push(Warning::AskedUnnamed { place, action });
            }
        }
    }

    fn value(&self, path: &Path, value: &str) -> Option<Cause> {
        let known = self.values.of_attribute(path)?;
        let is_name = matches!(
            (path.root, path.names.first().map(String::as_str)),
            (Root::Resource, Some("tool_name")) | (Root::Context, Some("asked_by"))
        );
        let of_template = || self.spots.iter().any(|spot| spot.can_be(value));
        if known.contains(&value) || is_name && of_template() {
            return None;
        }
        Some(Cause::UnknownValue {
            path: path.written(),
            value: value.to_owned(),
            nearest: nearest(value, known),
        })
    }

    /// Whether no call is about what it covers, though there are calls of that kind.
    fn never(&self, rule: &Rule, studied: &Studied, targets: &BTreeSet<usize>) -> bool {
        let target = &studied.target;
        let actions = target.actions(&rule.body, self.actions);
        let fits =
            |action: Action, kind: Kind| actions.contains(&action) && target.resource.admits(kind);
        let possible = Action::ALL
            .into_iter()
            .any(|action| action.kinds().iter().any(|kind| fits(action, *kind)));
        let there = || {
            let mut spots = self.spots.iter();
            spots.any(|spot| fits(spot.action, spot.kind))
        };
        target.principal == Scope::Nothing || !possible || (targets.is_empty() && there())
    }

    fn entities(&self, findings: &mut Findings<'_>, mentions: &Mentions) {
        let rule = findings.rule;
        for ty in scope_types(&rule.body).iter().chain(&mentions.types) {
            let known = matches!(ty.as_str(), "Action" | "Agent") || Kind::of_type(ty).is_some();
            if !known {
                findings.add(ty, Cause::UnknownType { name: ty.clone() });
            }
        }
        let scope = scope_entities(&rule.body);
        for (ty, id) in scope.iter().chain(&mentions.entities) {
            match ty.as_str() {
                "Action" => {
                    if self.actions.is_taken(id) {
                        let (place, action) = (rule.place_of(id), id.clone());
                        findings
                            .warnings
                            .push(Warning::ActionTaken { place, action });
                    }
                    if self.actions.other(id).is_none() && self.actions.tool(id).is_none() {
                        let others = Action::ALL.iter().map(|action| -> &str { action.as_str() });
                        let nearest = nearest(id, self.actions.names().chain(others));
                        findings.add(
                            id,
                            Cause::UnknownAction {
                                name: id.clone(),
                                nearest,
                            },
                        );
                    }
                }
                "Agent" => {
                    if !self.knows(id) {
                        let nearest = nearest(id, self.principals.iter().copied());
                        let (place, name) = (rule.place_of(id), id.clone());
                        findings.warnings.push(Warning::UnknownPrincipal {
                            place,
                            name,
                            nearest,
                        });
                    }
                }
                _ => match Kind::of_type(ty) {
                    Some(kind) => findings.errors.extend(self.thing(rule, kind, id)),
                    None => findings.add(ty, Cause::UnknownType { name: ty.clone() }),
                },
            }
        }
    }

    /// That there is no such thing, if there is none.
    fn thing(&self, rule: &Rule, kind: Kind, name: &str) -> Option<PolicyError> {
        let mut of_kind = self.spots.iter().filter(|spot| spot.kind == kind);
        if of_kind.clone().any(|spot| spot.can_be(name)) {
            return None;
        }
        let nearest = nearest(name, of_kind.by_ref().map(|spot| spot.name.as_str()));
        let (name, place) = (name.to_owned(), rule.place_of(name));
        let cause = match kind {
            Kind::Tool => Cause::UnknownTool { name, nearest },
            Kind::Resource | Kind::Prompt | Kind::Server => Cause::UnknownThing {
                what: kind.noun(),
                name,
                nearest,
            },
        };
        Some(PolicyError::Policy { place, cause })
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
        let mut found: Option<(&Spot, &ArgumentType)> = None;
        let spots = targets.iter().filter_map(|index| self.spots.get(*index));
        for spot in spots.clone().filter(|spot| !spot.exception) {
            match spot.shape.lookup(names) {
                None | Some(Lookup::Absent) => {}
                Some(Lookup::Untyped(why)) => {
                    let (path, tool) = (path.written(), spot.name.clone());
                    return Some(Cause::Untyped { path, tool, why });
                }
                Some(Lookup::Typed(ty)) => match found {
                    Some(known) if !known.1.agrees(ty) => {
                        return Some(clash(path, known, (spot, ty)));
                    }
                    Some(_) => {}
                    None => found = Some((spot, ty)),
                },
            }
        }
        match found {
            None => {
                let known = spots.flat_map(|spot| spot.shape.members.keys());
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

/// That a parameter has two types.
fn clash(
    path: &Path,
    (one, known): (&Spot, &ArgumentType),
    (other, ty): (&Spot, &ArgumentType),
) -> Cause {
    let path = path.written();
    let (first_type, second_type) = (known.to_string(), ty.to_string());
    let (first, second) = (one.name.clone(), other.name.clone());
    if (one.action, other.action) == (Action::CallTool, Action::CallTool) {
        return Cause::Clash {
            path,
            first,
            first_type,
            second,
            second_type,
        };
    }
    Cause::ClashOfActions {
        path,
        first: one.action.as_str(),
        first_type,
        second: other.action.as_str(),
        second_type,
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

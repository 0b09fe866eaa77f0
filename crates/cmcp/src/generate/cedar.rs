//! The reference of policies: a text with the tables of the policy engine in it.

pub(crate) mod cookbook;
pub(crate) mod refused;

use std::fmt::Write;

use cmcp_policy::{
    bundle::{BundleError, Cause},
    decide::Action,
    inspect::{Family, Rule},
    schema::{CONTEXT, Member, RESOURCE, Untyped},
    sensitivity::Vocabulary,
};

pub(crate) fn page() -> String {
    let vocabulary = Vocabulary::builtin();
    let labels = vocabulary
        .labels()
        .map(|(name, rank)| format!("`{name}` {rank}"));
    let domains = vocabulary.domains().map(|(name, _)| format!("`{name}`"));
    let parts = [
        ("{{resource}}", members(&RESOURCE)),
        ("{{context}}", members(&CONTEXT)),
        ("{{sensitivities}}", listed(labels)),
        ("{{domains}}", listed(domains)),
        ("{{labels}}", found()),
        ("{{untyped}}", items(Untyped::ALL)),
        ("{{refused}}", refused::table()),
        ("{{limits}}", limits()),
        ("{{actions}}", actions()),
        ("{{tools}}", cookbook::tools()),
        ("{{others}}", cookbook::others()),
        ("{{configuration}}", cookbook::configuration()),
        ("{{recipes}}", cookbook::recipes()),
    ];
    parts
        .into_iter()
        .fold(REFERENCE.to_owned(), |page, (place, text)| {
            page.replace(place, text.trim_end())
        })
}

fn members(members: &[Member]) -> String {
    let mut table = "| | type | |\n|---|---|---|\n".to_owned();
    for Member {
        name,
        cedar_type,
        meaning,
    } in members
    {
        let _infallible = writeln!(table, "| `{name}` | `{cedar_type}` | {meaning} |");
    }
    table
}

/// Every action, with what it is done with and what its arguments are.
fn actions() -> String {
    let mut table =
        "| action | resource | asked when | `context.arguments` |\n|---|---|---|---|\n".to_owned();
    for action in Action::ALL {
        let (resource, when, arguments) = match action {
            Action::CallTool => (
                "`Resource::\"TOOL\"`",
                "a tool is called; and which tools are listed",
                "the tool's",
            ),
            Action::ReadResource => (
                "`McpResource::\"URI\"`",
                "a resource is read; and which are listed",
                "–",
            ),
            Action::ListResources => (
                "`Server::\"NAME\"`",
                "resources or templates of a server are listed",
                "–",
            ),
            Action::GetPrompt => (
                "`Prompt::\"NAME\"`",
                "a prompt is got; and which are listed",
                "the prompt's, all of them texts",
            ),
            Action::Complete => (
                "`Prompt::\"NAME\"`, `McpResource::\"TEMPLATE\"`",
                "an argument or a variable is completed",
                "`argument` and `value`, two texts",
            ),
            Action::Subscribe => ("`McpResource::\"URI\"`", "a resource is subscribed to", "–"),
            Action::Sample => (
                "`Server::\"NAME\"`",
                "a server asks the client's model",
                "–",
            ),
            Action::Elicit => (
                "`Server::\"NAME\"`",
                "a server asks a person; `context.elicit_mode` says how",
                "–",
            ),
            Action::ListRoots => (
                "`Server::\"NAME\"`",
                "a server asks for the client's folders",
                "–",
            ),
        };
        let _infallible = writeln!(table, "| `{action}` | {resource} | {when} | {arguments} |");
    }
    table
}

/// Every label, with the findings that give it.
fn found() -> String {
    let mut table = "| label | a response with |\n|---|---|\n".to_owned();
    for family in Family::ALL {
        let mut labels: Vec<(&str, Vec<&str>)> = Vec::new();
        for rule in Rule::ALL.iter().filter(|rule| rule.family() == family) {
            match labels.iter_mut().find(|(label, _)| *label == rule.label()) {
                Some((_, rules)) => rules.push(rule.name()),
                None => labels.push((rule.label(), vec![rule.name()])),
            }
        }
        for (label, rules) in labels {
            let rules = listed(rules.into_iter().map(|rule| format!("`{rule}`")));
            let _infallible = writeln!(table, "| `{label}` | {rules} |");
        }
    }
    table
}

/// The limits, as a bundle that exceeds them is told.
fn limits() -> String {
    let of_bundle = [BundleError::TooMany, BundleError::TooLarge].map(|error| error.to_string());
    let of_policy = [Cause::Operators, Cause::Tokens, Cause::Nesting]
        .map(|cause| format!("of one policy: {cause}"));
    items(of_bundle.into_iter().chain(of_policy))
}

fn items(texts: impl IntoIterator<Item = impl ToString>) -> String {
    let lines = texts
        .into_iter()
        .map(|text| format!("* {}", text.to_string()));
    lines.collect::<Vec<_>>().join("\n")
}

fn listed(words: impl Iterator<Item = String>) -> String {
    words.collect::<Vec<_>>().join(", ")
}

const REFERENCE: &str = include_str!("cedar/reference.md");

#[cfg(test)]
mod tests;

//! What policies can speak of beside tools.

use super::{items::*, *};

fn said(policies: &str) -> String {
    told(&load(policies, catalog_of(document()), &[], Compat::Off).unwrap_err())
}

/// Policies, and what is said of them.
const REFUSED: [(&str, &str); 14] = [
    (
        "permit(principal, action == Action::\"read_resources\", resource);",
        "there is no `Action::\"read_resources\"`: did you mean `read_resource`?",
    ),
    (
        "permit(principal, action, resource == McpResource::\"notes://al\");",
        "there is no resource `notes://al` in the catalog: did you mean `notes://all`?",
    ),
    (
        "permit(principal, action, resource) when { resource == Prompt::\"plans\" };",
        "there is no prompt `plans` in the catalog: did you mean `plan`?",
    ),
    (
        "permit(principal, action, resource == Server::\"file\");",
        "there is no server `file` in the catalog: did you mean `files`?",
    ),
    (
        "permit(principal, action, resource == Prompt::\"notes://all\");",
        "there is no prompt `notes://all` in the catalog",
    ),
    (
        "permit(principal, action == Action::\"get_prompt\", resource == Resource::\"read\");",
        "it can never apply to any call: remove it, or correct its conditions",
    ),
    (
        "permit(principal, action == Action::\"elicit\", resource is Prompt);",
        "it can never apply to any call: remove it, or correct its conditions",
    ),
    (
        "permit(principal, action == Action::\"subscribe\", resource) when { context.arguments has city };",
        "there is no `context.arguments.city`",
    ),
    (
        "permit(principal, action == Action::\"get_prompt\", resource) when { context.arguments has cty && context.arguments.cty == \"x\" };",
        "there is no `context.arguments.cty`: did you mean `city`?",
    ),
    (
        "permit(principal, action == Action::\"elicit\", resource) when { context.elicit_mode == \"link\" };",
        "`context.elicit_mode` is never `link`",
    ),
    (
        "permit(principal, action, resource) when { resource.kind == \"prompts\" };",
        "`resource.kind` is never `prompts`: did you mean `prompt`?",
    ),
    (
        "permit(principal, action == Action::\"elicit\", resource) when { context.asked_by == \"pays\" };",
        "`context.asked_by` is never `pays`: did you mean `pay`?",
    ),
    (
        "permit(principal, action == Action::\"get_prompt\", resource) when { context.arguments.city == \"x\" };",
        "unable to guarantee safety of access to optional attribute",
    ),
    (
        "permit(principal, action == Action::\"get_prompt\", resource) when { context.arguments has city && context.arguments.city > 3 };",
        "unexpected type",
    ),
];

#[test]
fn names_that_are_not_there_are_refused() {
    for (policy, expected) in REFUSED {
        let said = said(policy);
        assert_eq!(said.lines().count(), 1, "{said}");
        assert!(said.contains(expected), "{said}");
    }
}

#[test]
fn a_bundle_may_speak_of_what_the_catalog_does_not_have_yet() {
    let policies = "permit(principal, action in [Action::\"get_prompt\", Action::\"read_resource\"], resource);
        permit(principal, action, resource is Prompt);
        forbid(principal, action == Action::\"elicit\", resource) when { context.elicit_mode == \"url\" };";
    let world = world(policies, vec![tool("read", "{}")]);
    assert!(!world.permits("read", "{}"));
    assert!(world.warnings.is_empty(), "{}", told(&world.warnings));
}

#[test]
fn a_policy_about_tools_is_held_against_tools_alone() {
    // Set membership of `resource` type-checks for one entity type only.
    for policies in [
        "permit(principal, action, resource) when { [Resource::\"read\"].contains(resource) };",
        "permit(principal, action, resource) when { context.arguments has n && context.arguments.n > 3 };",
        "permit(principal, action, resource == Resource::\"read\");",
        "permit(principal, action == Action::\"read\", resource);",
    ] {
        let with = whole(policies);
        assert!(with.permits("read", r#"{"n": 4}"#), "{policies}");
        assert!(!with.permits("pay", "{}"), "{policies}");
        for (action, target) in [
            (Action::ReadResource, "notes://all"),
            (Action::GetPrompt, "greet"),
            (Action::ListResources, "files"),
        ] {
            assert!(!with.allows(action, target), "{action}: {policies}");
        }
        let alone = world(policies, document().tools);
        for (name, arguments) in [
            ("read", r#"{"n": 4}"#),
            ("read", "{}"),
            ("pay", r#"{"amount": 1}"#),
        ] {
            assert_eq!(
                alone.decide(name, arguments),
                with.decide(name, arguments),
                "{policies}"
            );
        }
    }
}

#[test]
fn a_parameter_with_two_types_is_told_apart_by_the_action() {
    let clash = "permit(principal, action, resource) when { context.arguments has value && context.arguments.value > 3 };";
    let mut both = document();
    both.tools
        .push(tool("set", r#"{"value": {"type": "integer"}}"#));
    let load = |policies: &str| load(policies, catalog_of(both.clone()), &[], Compat::Off);
    assert!(
        told(&load(clash).unwrap_err()).ends_with(
            "parameter `context.arguments.value` is an integer under `call_tool` and a string under `complete`: keep the policy to one of them (`action == Action::\"call_tool\"`)"
        )
    );
    let kept = clash.replacen("action,", "action == Action::\"call_tool\",", 1);
    assert!(load(&kept).unwrap().permits("set", r#"{"value": 4}"#));
    let mut prompts = document();
    prompts
        .prompts
        .push(prompt("charge", r#"[{"name": "amount"}]"#));
    let clash = clash.replace("value", "amount");
    let errors = super::load(&clash, catalog_of(prompts), &[], Compat::Off).unwrap_err();
    assert!(told(&errors).contains("an integer under `call_tool` and a string under `get_prompt`"));
}

#[test]
fn a_tool_keeps_its_own_action_where_another_has_the_name() {
    let named = ["sample", "elicit", "complete", "read_resource", "subscribe"];
    for name in named {
        let mut document = document();
        document.tools.push(tool(name, "{}"));
        let policies = format!("permit(principal, action == Action::\"{name}\", resource);");
        let world = whole_of(&policies, document.clone());
        assert!(world.permits(name, "{}"), "{name}");
        for (action, target) in [
            (Action::Sample, "files"),
            (Action::Elicit, "files"),
            (Action::ReadResource, "notes://all"),
            (Action::Subscribe, "notes://all"),
        ] {
            assert!(!world.allows(action, target), "{action} by {policies}");
        }
        let warned = told(&world.warnings);
        assert_eq!(
            warned,
            format!(
                "`p.cedar`, line 1, policy `p.cedar:0`: `Action::\"{name}\"` is the tool `{name}` here, and not what the gateway calls so: give the tool an alias, or nothing can be said of the other"
            )
        );
        // A bundle that never names it loads without a word, and covers what it covered.
        let world = whole_of(ALL, document);
        assert!(world.warnings.is_empty() && world.permits(name, "{}"));
        assert!(world.allows(Action::ReadResource, "notes://all"));
        assert!(!world.allows(Action::Sample, "files"));
    }
}

#[test]
fn the_schema_has_what_the_catalog_and_the_policies_speak_of() {
    let actions = |schema: &str| -> BTreeSet<String> {
        let schema: cedar_policy::Schema = schema.parse().unwrap();
        let actions = schema
            .actions()
            .map(|action| action.id().unescaped().to_owned());
        actions.collect()
    };
    let world = whole(ALL);
    let all = actions(world.engine.schema_text());
    assert!(
        Action::ALL
            .iter()
            .all(|action| all.contains(action.as_str())),
        "{all:?}"
    );
    let before = schema_of(&world.catalog, &[], Compat::Off);
    assert_eq!(before.as_deref(), Ok(world.engine.schema_text()));
    let elicits = "permit(principal, action == Action::\"elicit\", resource);";
    let tools = super::world(elicits, document().tools);
    assert!(actions(tools.engine.schema_text()).contains("elicit"));
}

#[test]
fn requests_conform_to_the_schema() {
    let policies = "permit(principal, action, resource is Prompt);
        permit(principal, action == Action::\"elicit\", resource);";
    let world = whole(policies);
    let schema: cedar_policy::Schema = world.engine.schema_text().parse().unwrap();
    let anonymous = Principal::anonymous();
    let (none, complete) = (json("{}"), json(r#"{"argument": "id", "value": "a"}"#));
    for (action, target, arguments) in [
        (Action::ReadResource, "notes://all", &none),
        (Action::ReadResource, "notes://a/text", &none),
        (Action::Subscribe, "notes://a/text", &none),
        (Action::GetPrompt, "greet", &none),
        (Action::Complete, TEMPLATE, &complete),
        (Action::ListResources, "files", &none),
        (Action::Elicit, "files", &none),
    ] {
        let facts = world.about(&anonymous, (action, target), arguments);
        let trace = world.engine.trace(&facts).unwrap();
        assert_eq!(trace.actions, [action.as_str()]);
        let request = Request::new(
            world.engine.types().agent("anonymous"),
            world.engine.types().action(action.as_str()),
            trace.resource.clone(),
            trace.context.clone(),
            Some(&schema),
        );
        assert!(request.is_ok(), "{action}: {request:?}");
        let known = cedar_policy::Entities::from_entities(trace.entities, Some(&schema));
        assert!(known.is_ok(), "{action}: {known:?}");
    }
}

#[test]
fn older_bundles_are_judged_as_before_under_compat() {
    let policies = "permit(principal, action, resource);
        forbid(principal, action == cMCP::Action::\"call_tool\", resource == cMCP::Resource::\"pay\");";
    let world = load(policies, catalog_of(document()), &[], Compat::V07).unwrap();
    assert!(world.permits("read", "{}") && !world.permits("pay", "{}"));
    assert!(world.allows(Action::ReadResource, "notes://a/text"));
    assert!(!world.allows(Action::Elicit, "files"));
}

//! Under which actions a call is judged.

use super::*;

fn tools() -> Vec<crate::catalog::Tool> {
    vec![
        tool("read_file", "{}"),
        tool("write_file", "{}"),
        tool("crm.contacts", "{}"),
    ]
}

fn v07(policies: &str) -> World {
    load(policies, catalog(tools()), &[], Compat::V07).unwrap()
}

#[test]
fn the_general_action_covers_every_tool_and_a_tools_own_action_that_tool() {
    let general = world(
        "permit(principal, action == Action::\"call_tool\", resource);",
        tools(),
    );
    assert!(general.permits("read_file", "{}") && general.permits("write_file", "{}"));
    let own = world(
        "permit(principal, action == Action::\"read_file\", resource);",
        tools(),
    );
    assert!(own.permits("read_file", "{}"));
    assert!(!own.permits("write_file", "{}"));
}

#[test]
fn a_bundle_that_names_both_is_judged_under_both_and_any_forbid_denies() {
    let permit_general = "permit(principal, action == Action::\"call_tool\", resource);\n";
    let forbid_own = "forbid(principal, action == Action::\"read_file\", resource);";
    let world = world(&format!("{permit_general}{forbid_own}"), tools());
    assert!(!world.permits("read_file", "{}"));
    assert!(world.permits("write_file", "{}"));
    let permit_own = "permit(principal, action == Action::\"read_file\", resource);\n";
    let forbid_general = "forbid(principal, action == Action::\"call_tool\", resource);";
    let world = super::world(&format!("{permit_own}{forbid_general}"), tools());
    assert!(!world.permits("read_file", "{}"));
}

#[test]
fn a_tools_own_action_is_in_the_general_one() {
    let policies = "permit(principal, action, resource);
        permit(principal, action == Action::\"read_file\", resource);
        @id(\"group\") forbid(principal, action in Action::\"call_tool\", resource == Resource::\"write_file\");";
    let world = world(policies, tools());
    assert!(world.permits("read_file", "{}"));
    assert_eq!(world.decide("write_file", "{}").policies, ["group"]);
}

#[test]
fn a_condition_on_the_action_is_judged_under_each() {
    let policies = "permit(principal, action, resource);
        @id(\"own\") forbid(principal, action, resource) when { action == Action::\"read_file\" };";
    let world = world(policies, tools());
    assert_eq!(world.decide("read_file", "{}").policies, ["own"]);
    assert!(world.permits("write_file", "{}"));
}

#[test]
fn names_derived_by_the_python_cmcp_are_known_under_compat_only() {
    let policies = "permit(principal, action == Action::\"ReadFile\", resource);
        permit(principal, action == Action::\"Crm.contacts\", resource);";
    assert!(
        refused(policies, tools())
            .contains("there is no `Action::\"ReadFile\"`: did you mean `read_file`?")
    );
    let world = v07(policies);
    assert!(world.warnings.is_empty(), "{}", told(&world.warnings));
    assert!(world.permits("read_file", "{}"));
    assert!(world.permits("crm.contacts", "{}"));
    assert!(!world.permits("write_file", "{}"));
}

#[test]
fn a_bundle_with_derived_names_only_is_judged_under_them_only() {
    let policies = "permit(principal, action == Action::\"ReadFile\", resource);
        permit(principal, action, resource) when { action != Action::\"ReadFile\" };";
    let world = v07(policies);
    assert_eq!(world.decide("read_file", "{}").policies, ["policy0"]);
    assert_eq!(world.decide("write_file", "{}").policies, ["policy1"]);
    let both = v07(&format!(
        "{policies}\nforbid(principal, action == Action::\"call_tool\", resource == Resource::\"write_file\");"
    ));
    assert_eq!(
        both.decide("read_file", "{}").policies,
        ["policy0", "policy1"]
    );
    assert!(!both.permits("write_file", "{}"));
}

#[test]
fn two_tools_are_never_one_action() {
    let tools = vec![tool("read_file", "{}"), tool("read__file", "{}")];
    assert!(load(ALL, catalog(tools.clone()), &[], Compat::Off).is_ok());
    assert_eq!(
        told(&load(ALL, catalog(tools), &[], Compat::V07).unwrap_err()),
        "tools `read_file` and `read__file` are both `Action::\"ReadFile\"`: give one of them an alias"
    );
}

#[test]
fn the_schema_shows_the_general_action_and_every_tools_own() {
    let world = world(ALL, tools());
    let schema: cedar_policy::Schema = world.engine.schema_text().parse().unwrap();
    let mut actions: Vec<&str> = schema
        .actions()
        .map(|action| action.id().unescaped())
        .collect();
    actions.sort_unstable();
    assert_eq!(
        actions,
        ["call_tool", "crm.contacts", "read_file", "write_file"]
    );
    let before = schema_of(&world.catalog, &[], Compat::Off);
    assert_eq!(before.as_deref(), Ok(world.engine.schema_text()));
}

//! What `tools/list` shows.

use super::*;

fn tools() -> Vec<crate::catalog::Tool> {
    vec![
        tool("read", "{}"),
        tool("pay", r#"{"amount": {"type": "integer"}}"#),
    ]
}

fn shown(policies: &str) -> Vec<&'static str> {
    let world = world(policies, tools());
    ["read", "pay"]
        .into_iter()
        .filter(|tool| world.shows(&Principal::anonymous(), tool))
        .collect()
}

/// Policies, and which of the two tools they show.
const SHOWN: [(&str, &[&str]); 17] = [
    ("", &[]),
    (ALL, &["read", "pay"]),
    (
        "permit(principal, action, resource == Resource::\"read\");",
        &["read"],
    ),
    (
        "permit(principal, action, resource) when { resource.tool_name == \"read\" };",
        &["read"],
    ),
    (
        "permit(principal, action, resource) when { context.workflow_id == \"w\" };",
        &["read", "pay"],
    ),
    (
        "permit(principal, action, resource) when { context.workflow_id == \"w\" && resource.tool_name == \"pay\" };",
        &["pay"],
    ),
    (
        "permit(principal, action, resource) when { context.arguments has amount && context.arguments.amount < 10 };",
        &["read", "pay"],
    ),
    (
        "permit(principal, action, resource) when { context.compliance_domain == \"internal\" };",
        &["read", "pay"],
    ),
    (
        "permit(principal, action, resource) when { context.compliance_domain == \"public\" };",
        &[],
    ),
    (
        "permit(principal, action, resource) when { context.baa_covered };",
        &[],
    ),
    (
        "permit(principal == Agent::\"bob\", action, resource);",
        &[],
    ),
    (
        "permit(principal, action, resource); forbid(principal, action, resource == Resource::\"pay\");",
        &["read"],
    ),
    (
        "permit(principal, action, resource); forbid(principal, action, resource) when { resource.tool_name == \"pay\" };",
        &["read"],
    ),
    (
        "permit(principal, action, resource); forbid(principal, action, resource) when { context.injection_events > 0 };",
        &["read", "pay"],
    ),
    (
        "permit(principal, action, resource); forbid(principal, action, resource) unless { context.workflow_id == \"w\" };",
        &["read", "pay"],
    ),
    (
        "permit(principal, action == Action::\"read\", resource);",
        &["read"],
    ),
    (
        "permit(principal, action == Action::\"call_tool\", resource); forbid(principal, action == Action::\"pay\", resource);",
        &["read"],
    ),
];

#[test]
fn a_tool_is_hidden_only_when_no_call_could_be_permitted() {
    for (policies, expected) in SHOWN {
        assert_eq!(shown(policies), expected, "{policies}");
    }
}

#[test]
fn a_tool_that_an_approver_could_allow_is_shown_so_that_its_caller_hears_whom_to_ask() {
    for (annotations, expected) in [
        ("@approver(\"zoe\")", vec!["read", "pay"]),
        ("@aarm_decision(\"defer\")", vec!["read", "pay"]),
        ("@approver(\"zoe\") @aarm_decision(\"deny\")", vec!["read"]),
        ("@note(\"never\")", vec!["read"]),
    ] {
        let policies = format!(
            "{ALL} {annotations} forbid(principal, action, resource == Resource::\"pay\");"
        );
        assert_eq!(shown(&policies), expected, "{annotations}");
    }
    let plain = "forbid(principal, action, resource == Resource::\"pay\");";
    let both = format!("{ALL} @approver(\"zoe\") {plain} {plain}");
    assert_eq!(shown(&both), ["read"]);
}

#[test]
fn what_is_shown_depends_on_the_principal() {
    let principals = [
        principal("bob", &[]),
        principal("ops", &[("team", AttributeValue::String("ops".to_owned()))]),
    ];
    let policies = "permit(principal == Agent::\"bob\", action, resource == Resource::\"read\");
        permit(principal, action, resource) when { principal has team && principal.team == \"ops\" };";
    let world = load(policies, catalog(tools()), &principals, Compat::Off).unwrap();
    let shown = |who: &Principal| ["read", "pay"].map(|tool| world.shows(who, tool));
    assert_eq!(shown(&principals[0]), [true, false]);
    assert_eq!(shown(&principals[1]), [true, true]);
    assert_eq!(shown(&Principal::anonymous()), [false, false]);
    assert_eq!(shown(&principal("zed", &[])), [false, false]);
}

#[test]
fn what_is_permitted_is_shown() {
    let policies = "permit(principal, action, resource) when { context.workflow_id == \"default\" };
        forbid(principal, action, resource) when { context.arguments has amount && context.arguments.amount > 5 };
        forbid(principal, action, resource) when { context.sensitivity_level > 2 };";
    let world = world(policies, tools());
    for (name, arguments) in [("read", "{}"), ("pay", r#"{"amount": 5}"#)] {
        assert!(world.permits(name, arguments));
        assert!(world.shows(&Principal::anonymous(), name));
    }
}

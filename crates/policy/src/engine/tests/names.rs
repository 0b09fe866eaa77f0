//! Policies that name what is not there.

use super::*;

fn tools() -> Vec<crate::catalog::Tool> {
    vec![
        tool(
            "read_file",
            r#"{"path": {"type": "string"}, "o": {"type": "object", "properties": {"x": {"type": "string"}}}}"#,
        ),
        tool("pay", r#"{"amount": {"type": "integer"}}"#),
    ]
}

fn finding(policy: &str) -> String {
    let said = refused(&format!("{ALL}\n\n{policy}"), tools());
    let (place, finding) = said
        .split_once(", policy `p.cedar:1`: ")
        .unwrap_or_else(|| panic!("{said}"));
    assert!(place.starts_with("`p.cedar`, line "), "{said}");
    finding.to_owned()
}

fn when(condition: &str) -> String {
    finding(&format!(
        "forbid(principal, action, resource) when {{ {condition} }};"
    ))
}

#[test]
fn an_unknown_tool_is_refused_with_what_was_perhaps_meant() {
    for policy in [
        "forbid(principal, action, resource == Resource::\"read_fil\");",
        "forbid(principal, action, resource) when { resource == Resource::\"read_fil\" };",
        "forbid(principal, action, resource) when { resource in [Resource::\"read_fil\"] };",
    ] {
        assert_eq!(
            finding(policy),
            "there is no tool `read_fil` in the catalog: did you mean `read_file`?",
            "{policy}"
        );
    }
    assert_eq!(
        finding("forbid(principal, action, resource == Resource::\"nothing.like.it\");"),
        "there is no tool `nothing.like.it` in the catalog"
    );
}

#[test]
fn an_unknown_action_is_refused() {
    for (name, meant) in [
        ("ReadFile", ": did you mean `read_file`?"),
        ("calltool", ": did you mean `call_tool`?"),
        ("READ_FILE", ": did you mean `read_file`?"),
        ("view", ""),
    ] {
        let expected = format!("there is no `Action::\"{name}\"`{meant}");
        assert_eq!(
            finding(&format!(
                "forbid(principal, action == Action::\"{name}\", resource);"
            )),
            expected
        );
        assert_eq!(
            finding(&format!(
                "forbid(principal, action in [Action::\"pay\", Action::\"{name}\"], resource);"
            )),
            expected
        );
        assert_eq!(when(&format!("action == Action::\"{name}\"")), expected);
    }
}

#[test]
fn an_unknown_entity_type_is_refused() {
    let expected = "there is no entity type `User`: principals are `Agent`, tools `Resource`, actions `Action`";
    for policy in [
        "forbid(principal == User::\"a\", action, resource);",
        "forbid(principal is User, action, resource);",
        "forbid(principal, action, resource) when { principal == User::\"a\" };",
        "forbid(principal, action, resource) when { principal is User };",
    ] {
        assert_eq!(finding(policy), expected, "{policy}");
    }
    assert!(when("principal == cMCP::User::\"a\"").contains("there is no entity type `User`"));
    assert!(
        when("principal == other::Agent::\"a\"").contains("there is no entity type `other::Agent`")
    );
}

#[test]
fn an_unknown_attribute_is_refused_also_behind_has() {
    for (path, finding) in [
        (
            "context.workflow",
            "there is no `context.workflow`: did you mean `workflow_id`?",
        ),
        (
            "context.session.max_sensitivity",
            "there is no `context.session`: did you mean `context.session_max_sensitivity`?",
        ),
        (
            "principal.workflow_id",
            "there is no `principal.workflow_id`: did you mean `context.workflow_id`?",
        ),
        (
            "resource.tool.category",
            "there is no `resource.tool`: did you mean `resource.tool_name`?",
        ),
        (
            "resource.toolname",
            "there is no `resource.toolname`: did you mean `tool_name`?",
        ),
        (
            "context.arguments.pth",
            "there is no `context.arguments.pth`: did you mean `path`?",
        ),
        (
            "context.arguments.o.y",
            "there is no `context.arguments.o.y`",
        ),
        (
            "context.arguments.path.x",
            "there is no `context.arguments.path.x`",
        ),
        ("action.name", "there is no `action.name`"),
    ] {
        let (owner, name) = path.rsplit_once('.').unwrap();
        assert_eq!(when(&format!("{path} == \"z\"")), finding, "{path}");
        assert_eq!(
            when(&format!("{owner} has {name} && {path} == \"z\"")),
            finding,
            "{path}"
        );
    }
}

#[test]
fn the_line_is_that_of_the_name() {
    let policies = format!(
        "{ALL}\n// a comment\n@id(\"x\")\nforbid(\n  principal,\n  action,\n  resource == Resource::\"read_fil\"\n);"
    );
    assert!(refused(&policies, tools()).starts_with("`p.cedar`, line 7, policy `x`: "));
}

#[test]
fn a_parameter_used_without_has_is_refused_with_the_remedy() {
    let finding = when("context.arguments.amount > 1000");
    assert!(
        finding.contains("unable to guarantee safety of access to optional attribute"),
        "{finding}"
    );
    assert!(
        finding.contains("parameters may be absent: write `context.arguments has x"),
        "{finding}"
    );
}

#[test]
fn the_documented_in_of_strings_is_refused_with_the_remedy() {
    let finding = when("resource.tool_name in [\"read_file\", \"pay\"]");
    assert!(
        finding.contains("write `[\"a\", \"b\"].contains(resource.tool_name)`"),
        "{finding}"
    );
}

#[test]
fn values_that_cannot_occur_are_refused() {
    assert_eq!(
        when("context.session_max_sensitivity == \"hippa_phi\""),
        "`context.session_max_sensitivity` is never `hippa_phi`: did you mean `hipaa_phi`?"
    );
    assert_eq!(
        when("[\"pay\", \"read_fil\"].contains(resource.tool_name)"),
        "`resource.tool_name` is never `read_fil`: did you mean `read_file`?"
    );
    assert_eq!(
        when("context.after.contains(\"pays\")"),
        "`context.after` is never `pays`: did you mean `pay`?"
    );
    assert_eq!(
        when("resource.compliance_domain != \"interal\""),
        "`resource.compliance_domain` is never `interal`: did you mean `internal`?"
    );
    assert_eq!(
        when("\"elsewhere\" == resource.server"),
        "`resource.server` is never `elsewhere`"
    );
}

#[test]
fn a_policy_that_can_never_apply_is_refused() {
    for policy in [
        "forbid(principal, action == Action::\"pay\", resource == Resource::\"read_file\");",
        "forbid(principal is Resource, action, resource);",
        "forbid(principal, action, resource == Agent::\"anonymous\");",
        "forbid(principal, action, resource) when { false };",
        "forbid(principal, action, resource) when { principal is Resource };",
    ] {
        let finding = finding(policy);
        assert_eq!(
            finding, "it can never apply to any call: remove it, or correct its conditions",
            "{policy}"
        );
    }
}

#[test]
fn records_are_not_compared_as_a_whole() {
    for (condition, whole) in [
        ("context.arguments == {}", "context.arguments"),
        ("context == context", "context"),
        (
            "context.arguments has o && [context.arguments.o].contains({x: \"1\"})",
            "context.arguments.o",
        ),
    ] {
        assert_eq!(
            when(condition),
            format!(
                "`{whole}` is used as a whole, though policy may not see all of it: name its members"
            ),
        );
    }
}

#[test]
fn attributes_of_computed_values_are_refused() {
    assert!(
        when("(if true then context else context) has workflow")
            .contains("is read from a computed value")
    );
    assert!(when("{a: 1}.a == 1").contains("is read from a computed value"));
}

#[test]
fn hidden_characters_are_refused() {
    assert!(
        when("context.workflow_id == \"a\u{202e}b\"")
            .to_lowercase()
            .contains("bidi")
    );
}

#[test]
fn every_finding_is_told_at_once() {
    let policies = "permit(principal, action, resource == Resource::\"no\");\n
        forbid(principal, action == Action::\"no\", resource);\n
        forbid(principal, action, resource) when { context.no == 1 };\n
        forbid(principal, action, resource) when { 1 == \"a\" };";
    assert_eq!(refused(policies, tools()).lines().count(), 4);
}

#[test]
fn a_principal_that_is_not_configured_is_warned_of() {
    let principals = [principal("alice", &[]), principal("bob", &[])];
    let policies = "permit(principal == Agent::\"allice\", action, resource);";
    let world = load(policies, catalog(tools()), &principals, Compat::Off).unwrap();
    assert_eq!(
        told(&world.warnings),
        "`p.cedar`, line 1, policy `p.cedar:0`: no principal `allice` is configured: did you mean `alice`?"
    );
}

#[test]
fn a_bundle_that_permits_nothing_and_a_redaction_of_a_forbid_are_warned_of() {
    let policies = "@redact(\"$.structuredContent.x\") forbid(principal, action, resource);";
    let world = world(policies, tools());
    let said = told(&world.warnings);
    assert!(
        said.contains("no policy permits anything: every call is denied"),
        "{said}"
    );
    assert!(
        said.contains("`@redact` on a `forbid` does nothing: put it on a `permit`"),
        "{said}"
    );
}

#[test]
fn principals_are_checked() {
    let twice = [
        principal("a", &[("team", AttributeValue::Long(1))]),
        principal("a", &[]),
    ];
    let clash = [
        principal(
            "a",
            &[
                ("team", AttributeValue::Long(1)),
                ("name", AttributeValue::Bool(true)),
            ],
        ),
        principal("b", &[("team", AttributeValue::String("x".to_owned()))]),
    ];
    let said = |principals: &[Principal]| {
        told(&load(ALL, catalog(tools()), principals, Compat::Off).unwrap_err())
    };
    assert_eq!(said(&twice), "principal `a` is configured twice");
    assert_eq!(
        said(&clash),
        "attribute `name` of principal `a` has a name of the gateway's own: rename it\n\
         attribute `team` of principals `a` and `b` has two types: give it one"
    );
}

#[test]
fn a_tool_may_not_be_called_like_the_general_action() {
    assert_eq!(
        refused(ALL, vec![tool("call_tool", "{}")]),
        "tool `call_tool` bears the name of the action that covers every tool: give it an alias"
    );
}

//! Tools that give one parameter two types.

use super::*;

fn tools() -> Vec<crate::catalog::Tool> {
    vec![
        tool("pay", r#"{"amount": {"type": "integer"}}"#),
        tool("order", r#"{"amount": {"type": "string"}}"#),
        tool("list", "{}"),
    ]
}

#[test]
fn tools_that_clash_are_governed_side_by_side_while_no_policy_names_the_clash() {
    let world = world(ALL, tools());
    assert!(world.permits("pay", r#"{"amount": 5}"#));
    assert!(world.permits("order", r#"{"amount": "five"}"#));
    assert!(
        !world.permits("order", r#"{"amount": 5}"#),
        "its own type holds all the same"
    );
}

#[test]
fn a_policy_for_every_tool_that_names_the_clash_is_refused_with_both_tools() {
    for condition in [
        "context.arguments has amount && context.arguments.amount > 1000",
        "context.arguments has amount",
    ] {
        let policies =
            format!("{ALL}\nforbid(principal, action, resource)\nwhen {{ {condition} }};");
        assert_eq!(
            refused(&policies, tools()),
            "`p.cedar`, line 3, policy `p.cedar:1`: parameter `context.arguments.amount` is an integer \
             in tool `pay` and a string in tool `order`: write one policy per tool (`resource == \
             Resource::\"pay\"`)"
        );
    }
}

#[test]
fn a_policy_for_one_tool_uses_that_tools_types() {
    for scope in [
        "action == Action::\"pay\", resource)",
        "action, resource == Resource::\"pay\")",
        "action == Action::\"call_tool\", resource in Resource::\"pay\")",
        "action, resource is Resource in Resource::\"pay\")",
        "action, resource) when { resource.tool_name == \"pay\" }",
    ] {
        let policies = format!(
            "{ALL}\nforbid(principal, {scope} when {{ context.arguments has amount && context.arguments.amount > 1000 }};"
        );
        let world = world(&policies, tools());
        assert!(world.permits("pay", r#"{"amount": 1000}"#), "{scope}");
        assert!(!world.permits("pay", r#"{"amount": 1001}"#), "{scope}");
        assert!(world.permits("order", r#"{"amount": "9999"}"#), "{scope}");
    }
}

#[test]
fn a_policy_for_two_tools_that_agree_is_accepted() {
    let mut tools = tools();
    tools.push(tool(
        "refund",
        r#"{"amount": {"type": ["integer", "null"]}}"#,
    ));
    let policies = format!(
        "{ALL}\nforbid(principal, action in [Action::\"pay\", Action::\"refund\", Action::\"list\"], resource)
         when {{ context.arguments has amount && context.arguments.amount > 1000 }};"
    );
    let world = world(&policies, tools);
    assert!(!world.permits("refund", r#"{"amount": 1001}"#));
    assert!(world.permits("list", "{}"));
}

#[test]
fn a_clash_deeper_down_is_found_there() {
    let nested = |ty: &str| {
        format!(
            r#"{{"o": {{"type": "object", "properties": {{"x": {{"type": "{ty}"}}, "y": {{"type": "string"}}}}}}}}"#
        )
    };
    let tools = vec![tool("a", &nested("integer")), tool("b", &nested("string"))];
    let of = |member: &str| {
        format!(
            "{ALL}\nforbid(principal, action, resource) when {{ context.arguments has o.{member} && context.arguments.o.{member} == \"z\" }};"
        )
    };
    assert!(
        refused(&of("x"), tools.clone())
            .contains("`context.arguments.o.x` is an integer in tool `a`")
    );
    let world = world(&of("y"), tools);
    assert!(!world.permits("a", r#"{"o": {"y": "z"}}"#));
    assert!(world.permits("b", r#"{"o": {"x": "z"}}"#));
}

#[test]
fn a_parameter_that_policy_does_not_see_is_named_by_no_policy() {
    let mut tools = tools();
    tools.push(tool("odd", r#"{"path": {"type": ["string", "array"]}}"#));
    tools.push(tool("even", r#"{"path": {"type": "string"}}"#));
    let policies = format!(
        "{ALL}\nforbid(principal, action, resource) when {{ context.arguments has path }};"
    );
    assert_eq!(
        refused(&policies, tools.clone()),
        "`p.cedar`, line 2, policy `p.cedar:1`: parameter `context.arguments.path` of tool `odd` is \
         invisible to policy: its schema allows several types; approve a definition that types it, or \
         keep this policy away from that tool (`resource == …`)"
    );
    let pinned = policies.replace("resource) when", "resource == Resource::\"even\") when");
    let world = world(&pinned, tools);
    assert!(!world.permits("even", r#"{"path": "x"}"#));
    assert!(world.permits("odd", r#"{"path": ["x"]}"#));
}

#[test]
fn an_open_object_may_hide_what_another_tool_declares() {
    let open = r#"{"type": "object", "properties": {}, "additionalProperties": true}"#;
    let tools = vec![
        raw_tool("open", open),
        tool("pay", r#"{"amount": {"type": "integer"}}"#),
    ];
    let policies = format!(
        "{ALL}\nforbid(principal, action, resource) when {{ context.arguments has amount }};"
    );
    assert!(
        refused(&policies, tools)
            .contains("of tool `open` is invisible to policy: its object may have members")
    );
}

#[test]
fn under_compat_a_clash_is_only_warned_of() {
    let policies = format!(
        "{ALL}\nforbid(principal, action, resource) when {{ context.arguments has amount && context.arguments.amount > 1000 }};"
    );
    let world = load(&policies, catalog(tools()), &[], Compat::V07).unwrap();
    assert!(
        told(&world.warnings).contains("is an integer in tool `pay` and a string in tool `order`")
    );
    assert!(!world.permits("pay", r#"{"amount": 1001}"#));
    assert_eq!(
        world.decide("order", r#"{"amount": "9"}"#).errors,
        ["policy `p.cedar:1` could not be evaluated: a value has another type than it expects"]
            .map(|error| error.replace("p.cedar:1", "policy1"))
    );
}

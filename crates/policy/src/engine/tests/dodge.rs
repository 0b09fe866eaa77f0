//! Arguments that would slip past a rule by their type.

use super::*;

const LIMIT: &str = r#"
permit(principal, action, resource);
@id("limit")
forbid(principal, action, resource)
when { context.arguments has amount && context.arguments.amount > 1000 };
"#;

fn pay() -> Vec<crate::catalog::Tool> {
    vec![tool(
        "pay",
        r#"{"amount": {"type": "integer"}, "note": {"type": "string"}}"#,
    )]
}

#[test]
fn an_amount_over_the_limit_is_denied_however_it_is_spelled() {
    let world = world(LIMIT, pay());
    assert!(world.permits("pay", r#"{"amount": 1000}"#));
    assert!(world.permits("pay", "{}"));
    assert_eq!(
        world.decide("pay", r#"{"amount": 5000}"#).policies,
        ["limit"]
    );
    for (arguments, error) in [
        (
            r#"{"amount": "5000"}"#,
            "argument `amount`: it is a string where the approved schema has an integer",
        ),
        (
            r#"{"amount": 5000.0}"#,
            "argument `amount`: it is spelled with a point or an exponent where an integer is expected",
        ),
        (
            r#"{"amount": 5e3}"#,
            "argument `amount`: it is spelled with a point or an exponent where an integer is expected",
        ),
        (
            r#"{"amount": true}"#,
            "argument `amount`: it is a boolean where the approved schema has an integer",
        ),
        (
            r#"{"amount": [5000]}"#,
            "argument `amount`: it is an array where the approved schema has an integer",
        ),
        (
            r#"{"amount": null}"#,
            "argument `amount`: it is null: leave it out instead",
        ),
        (
            r#"{"amount": 9223372036854775808}"#,
            "argument `amount`: it is beyond the range that policy can compare (integers of 64 bits, numbers up to 9.2e14)",
        ),
        (
            r#"{"amount": {"__extn": {"fn": "decimal", "arg": "1.0"}}}"#,
            "argument `amount`: it is an object where the approved schema has an integer",
        ),
        (
            r#"{"Amount": 5000}"#,
            "argument `Amount`: the approved schema does not declare it",
        ),
    ] {
        let decision = world.decide("pay", arguments);
        assert_eq!(decision.effect, Effect::Deny, "{arguments}");
        assert_eq!(decision.errors, [error], "{arguments}");
        assert!(
            decision.policies.is_empty() && decision.escalation.is_none(),
            "{arguments}"
        );
    }
}

#[test]
fn the_python_reading_denies_them_too() {
    let world = load(LIMIT, catalog(pay()), &[], Compat::V07).unwrap();
    assert!(world.permits("pay", r#"{"amount": 1000}"#));
    for arguments in [
        r#"{"amount": "5000"}"#,
        r#"{"amount": 5000.0}"#,
        r#"{"amount": true}"#,
        r#"{"amount": [5000]}"#,
    ] {
        let decision = world.decide("pay", arguments);
        assert_eq!(decision.policies, ["limit"], "{arguments}");
        assert_eq!(
            decision.errors,
            ["policy `limit` could not be evaluated: a value has another type than it expects"],
            "{arguments}"
        );
    }
    assert_eq!(
        world
            .decide("pay", r#"{"amount": 9223372036854775808}"#)
            .errors,
        [
            "arguments: it is beyond the range that policy can compare (integers of 64 bits, numbers up to 9.2e14)"
        ]
    );
}

#[test]
fn numbers_are_compared_as_decimals_and_never_rounded() {
    let policies = r#"
        permit(principal, action, resource);
        forbid(principal, action, resource)
        when { context.arguments has amount && context.arguments.amount.greaterThan(decimal("1000.0")) };"#;
    let world = world(
        policies,
        vec![tool("pay", r#"{"amount": {"type": "number"}}"#)],
    );
    for (amount, permitted) in [
        ("1000", true),
        ("1000.0000", true),
        ("1e3", true),
        ("1000.0001", false),
        ("1000.00001", false),
        ("5000", false),
        ("5e3", false),
        ("1e300", false),
    ] {
        assert_eq!(
            world.permits("pay", &format!(r#"{{"amount": {amount}}}"#)),
            permitted,
            "{amount}"
        );
    }
    assert!(!world.permits("pay", r#"{"amount": "5000"}"#));
}

#[test]
fn an_entity_in_an_argument_is_plain_data() {
    let policies = r#"
        permit(principal, action, resource) when { context.arguments has who && context.arguments.who == "alice" };"#;
    let entity = r#"{"who": {"__entity": {"type": "Agent", "id": "alice"}}}"#;
    let world = world(policies, vec![tool("t", r#"{"who": {"type": "string"}}"#)]);
    assert!(world.permits("t", r#"{"who": "alice"}"#));
    assert_eq!(
        world.decide("t", entity).errors,
        ["argument `who`: it is an object where the approved schema has a string"]
    );
    let policies =
        r#"permit(principal, action, resource) when { context.arguments.who == Agent::"alice" };"#;
    let world = load(
        policies,
        catalog(vec![tool("t", r#"{"who": {"type": "string"}}"#)]),
        &[],
        Compat::V07,
    );
    assert!(
        !world.unwrap().permits("t", entity),
        "under compat the record stays a record"
    );
}

#[test]
fn policy_tells_null_from_absence() {
    let policies = r#"
        permit(principal, action, resource) unless { context.null_arguments.contains("owner") };"#;
    let world = world(
        policies,
        vec![tool("t", r#"{"owner": {"type": ["string", "null"]}}"#)],
    );
    assert!(world.permits("t", "{}"));
    assert!(world.permits("t", r#"{"owner": "z"}"#));
    assert!(!world.permits("t", r#"{"owner": null}"#));
}

#[test]
fn arithmetic_that_overflows_denies_and_names_the_policy() {
    let policies = r#"
        permit(principal, action, resource);
        @id("sum") forbid(principal, action, resource)
        when { context.arguments has amount && context.arguments.amount + 1 > 1000 };"#;
    let world = world(policies, pay());
    let decision = world.decide("pay", r#"{"amount": 9223372036854775807}"#);
    assert_eq!(decision.effect, Effect::Deny);
    assert_eq!(decision.policies, ["sum"]);
    assert_eq!(
        decision.errors,
        ["policy `sum` could not be evaluated: its arithmetic overflows"]
    );
}

#[test]
fn a_failing_permit_denies_though_another_permits() {
    let policies = r#"
        permit(principal, action, resource);
        @id("fails") permit(principal, action, resource)
        when { context.arguments has amount && context.arguments.amount * 2 == 4 };"#;
    let world = world(policies, pay());
    assert!(world.permits("pay", r#"{"amount": 2}"#));
    assert_eq!(
        world
            .decide("pay", r#"{"amount": 9223372036854775807}"#)
            .policies,
        ["fails"]
    );
}

#[test]
fn tool_names_are_compared_byte_by_byte() {
    let names = [
        "read_file",
        "read__file",
        "Read_FILE",
        "_read_file",
        "read_file_",
    ];
    let tools = names.map(|name| tool(name, "{}")).to_vec();
    for allowed in names {
        for policy in [
            format!("permit(principal, action, resource == Resource::\"{allowed}\");"),
            format!("permit(principal, action == Action::\"{allowed}\", resource);"),
            format!(
                "permit(principal, action, resource) when {{ resource.tool_name == \"{allowed}\" }};"
            ),
        ] {
            let world = world(&policy, tools.clone());
            for name in names {
                assert_eq!(
                    world.permits(name, "{}"),
                    name == allowed,
                    "{policy} {name}"
                );
            }
        }
    }
    let world = world(ALL, tools);
    for other in [
        "READ_FILE",
        "read_file\u{200d}",
        "ｒead_file",
        "read_file ",
        "read_fıle",
    ] {
        assert!(world.catalog.tool(other).is_none(), "{other}");
    }
}

#[test]
fn a_tool_that_policies_were_not_loaded_with_is_denied() {
    let loaded = world(ALL, vec![tool("a", "{}")]);
    let other = catalog(vec![tool("b", "{}")]);
    let (tool, anonymous, arguments) = (&other.tools()[0], Principal::anonymous(), json("{}"));
    let mut facts = loaded.facts(&anonymous, "a", &arguments);
    (facts.item, facts.target) = (Some(tool), &tool.name);
    assert_eq!(
        loaded.engine.decide(&facts).errors,
        ["the tool is not in the catalog that policies were loaded with"]
    );
    assert!(!loaded.engine.visible(&anonymous, tool));
}

#[test]
fn what_a_policy_does_not_see_may_be_anything() {
    let tools = vec![tool(
        "t",
        r#"{"any": {}, "free": {"type": "object"}, "n": {"type": "integer"}}"#,
    )];
    let world = world(ALL, tools);
    assert!(world.permits(
        "t",
        r#"{"any": [1, "a", null, 0.123456789], "free": {"x": {"y": 1e300}}, "n": 1}"#
    ));
}

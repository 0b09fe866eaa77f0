//! Slicing changes what a call costs, never what is decided.

use cedar_policy::{Entities, PolicySet};

use super::*;

fn tools() -> Vec<crate::catalog::Tool> {
    (0..6)
        .map(|n| tool(&format!("t{n}"), r#"{"n": {"type": "integer"}}"#))
        .collect()
}

/// A bundle that uses every kind of scope, drawn from a seed.
fn policies(mut seed: u64) -> String {
    let mut draw = |below: u64| {
        seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % below
    };
    let mut text = String::new();
    for _ in 0..24 {
        let effect = if draw(3) == 0 { "forbid" } else { "permit" };
        let principal = match draw(5) {
            0 => format!("principal == Agent::\"p{}\"", draw(3)),
            1 => "principal is Agent".to_owned(),
            _ => "principal".to_owned(),
        };
        let tool = draw(6);
        let action = match draw(7) {
            0 => format!("action == Action::\"t{tool}\""),
            1 => format!(
                "action in [Action::\"t{tool}\", Action::\"t{}\"]",
                (tool + 1) % 6
            ),
            2 => "action == Action::\"call_tool\"".to_owned(),
            3 => "action in Action::\"call_tool\"".to_owned(),
            _ => "action".to_owned(),
        };
        let resource = match draw(4) {
            0 => format!("resource == Resource::\"t{tool}\""),
            1 => format!("resource is Resource in Resource::\"t{tool}\""),
            _ => "resource".to_owned(),
        };
        let condition = match draw(9) {
            0 => "when { context.arguments has n && context.arguments.n > 3 }".to_owned(),
            1 => format!("unless {{ action == Action::\"t{}\" }}", draw(6)),
            2 => format!("when {{ resource.tool_name == \"t{}\" }}", draw(6)),
            3 => "when { context.arguments has n && context.arguments.n + 1 > 3 }".to_owned(),
            4 => format!("when {{ context.workflow_id == \"w{}\" && resource.tool_name != \"t1\" }}", draw(2)),
            5 => format!(
                "when {{ [\"w0\", \"w1\"].contains(context.workflow_id) && \"t{}\" == resource.tool_name }}
                 when {{ !(context.arguments has n) || context.arguments.n + 1 > 3 }}",
                draw(6)
            ),
            6 => format!(
                "when {{ !(context.arguments has n) || context.arguments.n + 1 > 3 }}
                 when {{ context.workflow_id == \"w{}\" && resource.tool_name == \"t{}\" }}",
                draw(2), draw(6)
            ),
            _ => String::new(),
        };
        text.push_str(&format!(
            "{effect}({principal}, {action}, {resource}) {condition};\n"
        ));
    }
    text
}

/// The decision over the whole bundle, under every action that the call is judged under.
fn whole(world: &World, facts: &Facts<'_>) -> Tally {
    let rules = world.engine.rules();
    let set = PolicySet::from_policies(rules.iter().map(|rule| rule.policy.clone())).unwrap();
    let trace = world.engine.trace(facts).unwrap();
    let mut tally = Tally::default();
    for action in &trace.actions {
        let types = world.engine.types();
        let (agent, resource) = (types.agent(trace.principal), trace.resource.clone());
        let request = Request::new(
            agent,
            types.action(action),
            resource,
            trace.context.clone(),
            None,
        );
        let response = Authorizer::new().is_authorized(&request.unwrap(), &set, &trace.entities);
        tally.add(&response, rules, &world.engine.places);
    }
    tally
}

#[test]
fn a_slice_decides_as_the_whole_bundle_would() {
    let principals = [principal("p0", &[]), principal("p1", &[])];
    let strangers = [principal("p2", &[]), Principal::anonymous()];
    let (mut permitted, mut failed) = (0, 0);
    for seed in 0..60 {
        let Ok(mut world) = load(&policies(seed), catalog(tools()), &principals, Compat::V07)
        else {
            panic!("{}", policies(seed));
        };
        world.workflow = ["w0", "w1", "default"][seed as usize % 3].to_owned();
        for who in principals.iter().chain(&strangers) {
            for at in 0..6 {
                for arguments in ["{}", r#"{"n": 4}"#, r#"{"n": 9223372036854775807}"#] {
                    let arguments = json(arguments);
                    let facts =
                        world.facts(who, world.catalog.tools()[at].name.as_str(), &arguments);
                    let decision = world.engine.decide(&facts);
                    let expected = whole(&world, &facts)
                        .decision(world.engine.rules(), || decision.redact.clone());
                    assert_eq!(
                        decision, expected,
                        "seed {seed}, {who:?}, t{at}, {arguments}"
                    );
                    permitted += usize::from(decision.is_permit());
                    failed += usize::from(!decision.errors.is_empty());
                    if decision.is_permit() {
                        assert!(world.engine.visible(who, facts.item.unwrap()));
                    }
                }
            }
        }
    }
    assert!(
        permitted > 100 && failed > 100,
        "{permitted} {failed}: the drawn bundles say too little"
    );
}

#[test]
fn a_request_conforms_to_the_schema_that_policies_were_validated_against() {
    let properties = r#"{"b": {"type": "boolean"}, "d": {"type": "number"}, "i": {"type": "integer"},
        "s": {"type": ["string", "null"]}, "l": {"type": "array", "items": {"type": "object",
        "properties": {"x": {"type": "string"}}}}, "any": {}}"#;
    let world = world(ALL, vec![tool("t", properties)]);
    let schema: cedar_policy::Schema = world.engine.schema_text().parse().unwrap();
    let anonymous = Principal::anonymous();
    for arguments in [
        "{}",
        r#"{"b": true, "d": 0.5, "i": 1, "s": null, "l": [{"x": "a"}, {}], "any": 1.23456}"#,
    ] {
        let arguments = json(arguments);
        let trace = world
            .engine
            .trace(&world.facts(&anonymous, "t", &arguments))
            .unwrap();
        let types = world.engine.types();
        for action in ["call_tool", "t"] {
            let (agent, resource) = (types.agent("anonymous"), types.thing(Kind::Tool, "t"));
            let context = trace.context.clone();
            Request::new(
                agent,
                types.action(action),
                resource,
                context,
                Some(&schema),
            )
            .unwrap();
        }
    }
    let entities = world.engine.entities.every.iter().cloned();
    Entities::from_entities(entities, Some(&schema)).unwrap();
}

#[test]
fn a_policy_is_asked_only_about_the_tool_and_workflow_that_its_conditions_begin_with() {
    let policies = "
        permit(principal, action, resource) when { context.workflow_id == \"a\" && resource.tool_name == \"t1\" };
        permit(principal, action, resource) when { [\"a\", \"b\"].contains(context.workflow_id) };
        permit(principal, action, resource) when { context.sensitivity_level < 3 && context.workflow_id == \"a\" };
        permit(principal, action, resource) unless { context.workflow_id == \"a\" };";
    let world = world(policies, tools());
    let asked = |tool: usize, workflow: &str| -> usize {
        let cell = world.engine.cell(&Principal::anonymous(), tool).unwrap();
        cell.slices(workflow)
            .iter()
            .map(|slice| slice.policies.num_of_policies())
            .sum()
    };
    assert_eq!([asked(1, "a"), asked(1, "b"), asked(1, "c")], [4, 3, 2]);
    assert_eq!([asked(2, "a"), asked(2, "b"), asked(2, "c")], [3, 3, 2]);
}

#[test]
fn policy_sets_are_shared() {
    let world = world(ALL, tools());
    for tool in world.catalog.tools() {
        assert!(world.permits(&tool.name, "{}"));
    }
    let cells = world.engine.cells.iter().filter_map(OnceLock::get);
    let sets: BTreeSet<*const PolicySet> = cells
        .flat_map(|cell| cell.slices("default"))
        .map(|slice| Arc::as_ptr(&slice.policies))
        .collect();
    assert_eq!(sets.len(), 1);
}

//! Policies as the Python cMCP's documents and its recorded session show them.

use cmcp_json::Value;

use super::*;
use crate::{
    bundle::PolicyBundle, catalog::Catalog, fixture::load_bundle, sensitivity::Vocabulary,
    session::SessionState,
};

fn sample(compat: Compat) -> Option<World> {
    let files: Option<Vec<_>> = ["demo.cedar", "manifest.json", "schema.cedarschema"]
        .into_iter()
        .map(|name| {
            let bytes = shared(&format!("formats/cmcp-sample/policies/{name}"))?;
            Some((name.to_owned(), bytes))
        })
        .collect();
    let bundle = PolicyBundle::parse(&files?, compat).unwrap();
    let catalog = shared("formats/cmcp-sample/catalog.json")?;
    let catalog = Catalog::parse(&catalog, &Vocabulary::builtin(), compat).unwrap();
    Some(load_bundle(&bundle, catalog, &[], compat).unwrap())
}

/// The recorded calls that policy decided: name, tool, arguments, workflow, status. What the others
/// show is not policy's: inspection, patterns in arguments, `execution_id`, shape.
fn recorded(world: &World) -> Vec<(String, String, Value, String, i64)> {
    let exchange =
        String::from_utf8(shared("formats/cmcp-sample/exchange.jsonl").unwrap()).unwrap();
    let text = |value: Option<&Value>| {
        value
            .and_then(Value::as_str)
            .unwrap_or("default")
            .to_owned()
    };
    exchange
        .lines()
        .filter_map(|line| {
            let exchange = json(line);
            let params = exchange.get("request")?.get("params")?;
            let (name, tool) = (text(exchange.get("name")), text(params.get("name")));
            let judged = ["denied", "allowed", "no-workflow", "upstream-failed"];
            world
                .catalog
                .tool(&tool)
                .filter(|_| judged.contains(&name.as_str()))?;
            let workflow = params.get("_cmcp").and_then(|own| own.get("workflow_id"));
            let status = exchange.get("status")?.as_i64()?;
            Some((
                name,
                tool,
                params.get("arguments")?.clone(),
                text(workflow),
                status,
            ))
        })
        .collect()
}

#[test]
fn the_recorded_session_is_decided_as_it_was() {
    for (compat, forbid) in [(Compat::Off, "demo.cedar:1"), (Compat::V07, "policy1")] {
        let Some(mut world) = sample(compat) else {
            return;
        };
        assert!(world.warnings.is_empty(), "{}", told(&world.warnings));
        let recorded = recorded(&world);
        assert_eq!(recorded.len(), 4);
        for (name, tool, arguments, workflow, status) in recorded {
            world.workflow = workflow;
            let anonymous = Principal::anonymous();
            let decision = world
                .engine
                .decide(&world.facts(&anonymous, &tool, &arguments));
            assert_eq!(decision.is_permit(), status != 403, "{name}");
            if name == "denied" {
                assert_eq!(decision.advice["approver"], "zoe@example.com");
                assert_eq!(decision.policies, [forbid]);
            }
        }
    }
}

fn quickstart() -> Vec<crate::catalog::Tool> {
    let mut contacts = tool(
        "salesforce.contacts",
        r#"{"query": {"type": "string"}, "max_records": {"type": "integer"}}"#,
    );
    contacts.sensitivity = "pii".to_owned();
    vec![contacts, tool("echo", r#"{"message": {"type": "string"}}"#)]
}

#[test]
fn the_later_quickstart_forbids_its_sensitive_tool_and_permits_the_named_workflow() {
    let policies = r#"
        permit(principal, action, resource) when { context.workflow_id == "demo-agent" };
        forbid(principal, action, resource == Resource::"salesforce.contacts");"#;
    for compat in [Compat::Off, Compat::V07] {
        let mut world = load(policies, catalog(quickstart()), &[], compat).unwrap();
        assert!(
            !world.permits("echo", r#"{"message": "hello"}"#),
            "no workflow named"
        );
        world.workflow = "demo-agent".to_owned();
        assert!(world.permits("echo", r#"{"message": "hello"}"#));
        assert!(!world.permits(
            "salesforce.contacts",
            r#"{"query": "Acme Corp", "max_records": 10}"#
        ));
    }
}

#[test]
fn the_first_quickstart_loads_with_its_namespaced_names() {
    let policies = r#"
        permit(principal, action == cMCP::Action::"call_tool", resource)
        when { context.workflow_id == "demo-agent" };
        forbid(principal, action == cMCP::Action::"call_tool", resource == cMCP::Resource::"salesforce.contacts")
        when { context.session_max_sensitivity == "pii" };
        permit(principal, action == cMCP::Action::"call_tool", resource);"#;
    for compat in [Compat::Off, Compat::V07] {
        let world = load(policies, catalog(quickstart()), &[], compat).unwrap();
        assert!(world.warnings.is_empty(), "{}", told(&world.warnings));
        assert!(world.permits("echo", r#"{"message": "hello"}"#));
        // The label of the tool itself counts, as section 8 of the compatibility notes has it.
        let denied = world.decide("salesforce.contacts", r#"{"query": "Acme Corp"}"#);
        assert_eq!(denied.policies.len(), 1);
        let mut public = quickstart();
        public[0].sensitivity = "public".to_owned();
        let mut world = load(policies, catalog(public), &[], compat).unwrap();
        assert!(world.permits("salesforce.contacts", "{}"));
        let mut state = SessionState::default();
        state.raise(&Vocabulary::builtin().sensitivity("pii").unwrap());
        world.session = state.view();
        assert!(!world.permits("salesforce.contacts", "{}"));
        assert!(world.permits("echo", "{}"));
    }
}

#[test]
fn boundaries_around_protected_data_hold() {
    let policies = r#"
        permit(principal, action, resource);
        forbid(principal, action, resource)
        when { context.session_max_sensitivity == "hipaa_phi" && !context.baa_covered };
        forbid(principal, action == Action::"call_tool", resource)
        when { context.session_max_sensitivity == "trade_secret" && resource.destination_class == "external" };
        forbid(principal, action, resource == Resource::"communication.send")
        when { context.session_max_sensitivity == "mnpi" };"#;
    let mut records = tool("ehr.get_patient", "{}");
    records.baa = crate::catalog::Baa::Covered;
    let tools = vec![
        records,
        tool("communication.send", "{}"),
        tool("slack.post", "{}"),
    ];
    let mut world = world(policies, tools);
    let mut after = |label: &str| {
        let mut state = SessionState::default();
        state.raise(&Vocabulary::builtin().sensitivity(label).unwrap());
        world.session = state.view();
        ["ehr.get_patient", "communication.send", "slack.post"]
            .map(|tool| world.permits(tool, "{}"))
    };
    assert_eq!(after("public"), [true, true, true]);
    assert_eq!(after("hipaa_phi"), [true, false, false]);
    assert_eq!(after("mnpi"), [true, false, true]);
    assert_eq!(after("trade_secret"), [false, false, false]);
}

#[test]
fn documented_policies_that_cannot_work_are_refused_with_what_to_write() {
    for (condition, remedy) in [
        (
            "resource.tool_name in [\"salesforce.contacts\", \"echo\"]",
            ".contains(resource.tool_name)`",
        ),
        (
            "context.session.max_sensitivity == \"hipaa_phi\"",
            "did you mean `context.session_max_sensitivity`?",
        ),
        (
            "resource.tool_category == \"publishing\"",
            "there is no `resource.tool_category`",
        ),
        (
            "resource.tool_name in context.workflow_allowed_tools",
            "there is no `context.workflow_allowed_tools`",
        ),
    ] {
        let policies = format!(
            "{ALL}\nforbid(principal, action == Action::\"call_tool\", resource) when {{ {condition} }};"
        );
        let said = refused(&policies, quickstart());
        assert!(said.contains(remedy), "{said}");
    }
    let advice = "permit(principal, action, resource) advice { redact_fields: [\"ssn\"] };";
    assert!(
        told(&bundle(advice, Compat::Off).unwrap_err()).contains("Cedar has no `advice` block")
    );
}

#[test]
fn under_compat_what_cannot_work_is_warned_of_and_denies_when_it_fails() {
    let policies = format!(
        "{ALL}\nforbid(principal, action, resource) when {{ resource.tool_name in [\"echo\"] }};"
    );
    let world = load(&policies, catalog(quickstart()), &[], Compat::V07).unwrap();
    assert!(!world.warnings.is_empty());
    let decision = world.decide("echo", "{}");
    assert_eq!(
        decision.errors,
        ["policy `policy1` could not be evaluated: a value has another type than it expects"]
    );
}

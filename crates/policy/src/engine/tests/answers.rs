//! What comes with a yes or a no.

use std::collections::BTreeSet;

use super::*;
use crate::{
    decide::{Escalation, Phase},
    sensitivity::Vocabulary,
    session::SessionState,
};

fn tools() -> Vec<crate::catalog::Tool> {
    vec![tool("t", r#"{"n": {"type": "integer"}}"#), tool("u", "{}")]
}

#[test]
fn the_annotations_of_the_matching_forbids_are_merged_and_the_later_counts() {
    let policies = r#"
        @id("a") @note("ignored") permit(principal, action, resource);
        @id("b") @reason("first") @approver("zoe@example.com") forbid(principal, action, resource);
        @id("c") @reason("second") forbid(principal, action, resource == Resource::"t");
        @id("d") @other("x") forbid(principal, action, resource == Resource::"u");"#;
    let decision = world(policies, tools()).decide("t", "{}");
    assert_eq!(decision.policies, ["b", "c"]);
    assert_eq!(decision.escalation, Some(Escalation::StepUp));
    let advice: Vec<_> = decision
        .advice
        .iter()
        .map(|(k, v)| (k.as_str(), v.as_str()))
        .collect();
    assert_eq!(
        advice,
        [
            ("approver", "zoe@example.com"),
            ("id", "c"),
            ("reason", "second")
        ]
    );
}

#[test]
fn nothing_that_permits_means_no_and_names_nobody() {
    let policies = "permit(principal, action, resource == Resource::\"u\");";
    let decision = world(policies, tools()).decide("t", "{}");
    assert_eq!(decision.effect, Effect::Deny);
    assert!(
        decision.policies.is_empty() && decision.advice.is_empty() && decision.errors.is_empty()
    );
    assert_eq!(decision.escalation, None);
}

#[test]
fn a_failure_is_never_escalated() {
    let policies = r#"permit(principal, action, resource);
        @hitl forbid(principal, action, resource);
        @id("sum") forbid(principal, action, resource) when { context.arguments has n && context.arguments.n + 1 == 0 };"#;
    let decision = world(policies, tools()).decide("t", r#"{"n": 9223372036854775807}"#);
    assert_eq!(decision.policies, ["sum"]);
    assert_eq!(decision.escalation, None);
    assert!(decision.advice.contains_key("hitl"));
}

#[test]
fn the_redactions_of_every_matching_permit_apply() {
    let policies = r#"
        @redact("$.structuredContent.ssn") permit(principal, action, resource);
        @redact("$.structuredContent.ssn $.structuredContent.phone") permit(principal, action, resource == Resource::"t");
        @redact("$.structuredContent.never") permit(principal, action, resource) when { context.workflow_id == "w" };
        forbid(principal, action, resource == Resource::"u");"#;
    let world = world(policies, tools());
    let paths = |tool: &str| -> Vec<String> {
        world
            .decide(tool, "{}")
            .redact
            .iter()
            .map(ToString::to_string)
            .collect()
    };
    assert_eq!(
        paths("t"),
        ["$.structuredContent.phone", "$.structuredContent.ssn"]
    );
    // A mode that lets a denied call proceed takes out whatever any permit would have.
    assert_eq!(
        paths("u"),
        ["$.structuredContent.never", "$.structuredContent.ssn"]
    );
}

#[test]
fn policy_sees_the_session_and_the_phase() {
    let policies = r#"
        permit(principal, action, resource);
        @id("level") forbid(principal, action, resource) when { context.sensitivity_level >= 3 };
        @id("label") forbid(principal, action, resource) when { context.session_max_sensitivity == "mnpi" };
        @id("seen") forbid(principal, action, resource) when { context.session_sensitivities.contains("mnpi") };
        @id("after") forbid(principal, action, resource) when { context.after.contains("u") };
        @id("resets") forbid(principal, action, resource) when { context.reset_count > 1 };
        @id("injected") forbid(principal, action, resource) when { context.injection_events > 0 };
        @id("size") forbid(principal, action, resource) when { context.egress && context.response_size_bytes > 10 };
        @id("labelled") forbid(principal, action, resource) when { context.labels.contains("suspicious") };
        @id("flow") forbid(principal, action, resource) when { context.workflow_id == "w" };
        @id("hardware") forbid(principal, action, resource) when { context.attestation_platform != "software" };"#;
    let mut world = world(policies, tools());
    assert!(world.permits("t", "{}"));
    let mut state = SessionState::inherit(crate::sensitivity::Sensitivity::public(), 2);
    for label in ["hipaa_phi", "mnpi"] {
        state.raise(&Vocabulary::builtin().sensitivity(label).unwrap());
    }
    state.note_call(world.catalog.tool("u").unwrap());
    state.note_injection();
    world.session = state.view();
    world.workflow = "w".to_owned();
    let (anonymous, arguments) = (Principal::anonymous(), json("{}"));
    let labels = BTreeSet::from(["suspicious".to_owned()]);
    let mut facts = world.facts(&anonymous, "t", &arguments);
    facts.phase = Phase::Egress {
        response_size_bytes: 11,
        labels: &labels,
    };
    facts.attestation_platform = "snp";
    // `label` is not among them: of two labels with equal rank the earlier is the session's mark.
    assert_eq!(
        world.engine.decide(&facts).policies,
        [
            "level", "seen", "after", "resets", "injected", "size", "labelled", "flow", "hardware"
        ]
    );
}

#[test]
fn the_tools_own_sensitivity_counts() {
    let mut tools = tools();
    tools[0].sensitivity = "pii".to_owned();
    let policies = r#"permit(principal, action, resource) when {
        context.session_max_sensitivity == "public" && context.sensitivity_level == 0 };"#;
    let world = world(policies, tools);
    assert!(!world.permits("t", "{}"));
    assert!(world.permits("u", "{}"));
}

#[test]
fn policy_sees_what_the_catalog_says_of_a_tool() {
    let mut tools = tools();
    tools[0].effect = crate::catalog::Effect::Reads;
    tools[0].baa = crate::catalog::Baa::Covered;
    tools[0].compliance_domain = "pii".to_owned();
    let policies = r#"permit(principal, action, resource) when {
        resource.read_only && resource.baa_covered && context.baa_covered && resource.tool_name == "t" &&
        resource.compliance_domain == "pii" && context.compliance_domain == "pii" &&
        resource.server == "files" && resource.server_identity == "https://files.example/mcp" &&
        context.server_identity == resource.server_identity && resource.sensitivity == "public" &&
        resource.sensitivity_level == "public" && resource.destination_class == "external" };"#;
    let world = world(policies, tools);
    assert!(world.permits("t", "{}"));
    assert!(!world.permits("u", "{}"));
}

#[test]
fn what_a_server_says_of_its_tool_is_not_what_a_person_confirmed() {
    let mut tools = tools();
    tools[0].definition = json(
        r#"{"name": "t", "inputSchema": {"type": "object"}, "annotations": {"readOnlyHint": true}}"#,
    );
    let policies = "permit(principal, action, resource) when { resource.read_only };";
    assert!(!world(policies, tools).permits("t", "{}"));
}

#[test]
fn policy_sees_the_principal_and_its_attributes() {
    let policies = r#"
        permit(principal == Agent::"alice", action, resource);
        permit(principal, action, resource) when { principal has team && principal.team == "ops" };
        permit(principal, action, resource) when { principal has roles && principal.roles.contains("admin") };
        forbid(principal, action, resource) when { principal has level && principal.level < 3 };
        forbid(principal, action, resource) when { principal has locked && principal.locked };"#;
    let text = |value: &str| AttributeValue::String(value.to_owned());
    let principals = [
        principal("alice", &[]),
        principal(
            "bob",
            &[("team", text("ops")), ("level", AttributeValue::Long(3))],
        ),
        principal(
            "carol",
            &[
                ("roles", AttributeValue::Set(vec!["admin".to_owned()])),
                ("level", AttributeValue::Long(2)),
            ],
        ),
        principal(
            "dave",
            &[
                ("team", text("ops")),
                ("locked", AttributeValue::Bool(true)),
            ],
        ),
    ];
    let world = load(policies, catalog(tools()), &principals, Compat::Off).unwrap();
    let permitted: Vec<&str> = principals
        .iter()
        .filter(|principal| world.decide_as(principal, "t", "{}").is_permit())
        .map(|principal| principal.name.as_str())
        .collect();
    assert_eq!(permitted, ["alice", "bob"]);
    assert!(!world.permits("t", "{}"), "anonymous");
    // Neither a stranger nor a known name with other attributes gets what the configured one has.
    assert!(
        !world
            .decide_as(&principal("zed", &[]), "t", "{}")
            .is_permit()
    );
    assert!(
        world
            .decide_as(&principal("zed", &[("team", text("ops"))]), "t", "{}")
            .is_permit()
    );
    assert!(
        !world
            .decide_as(&principal("bob", &[]), "t", "{}")
            .is_permit()
    );
}

#[test]
fn an_exception_is_callable_and_cannot_dodge_a_rule() {
    let policies = r#"permit(principal, action, resource);
        forbid(principal, action, resource) when { context.arguments has n && context.arguments.n > 10 };"#;
    let plain = catalog(tools());
    let server = plain.servers()[0].clone();
    let opened = plain.with_exception(
        server,
        &["emergency".to_owned()],
        &crate::catalog::Approval::default(),
    );
    let world = load(policies, opened.unwrap(), &[], Compat::Off).unwrap();
    assert!(world.permits("emergency", r#"{"n": 1, "anything": {"x": [1.23456789]}}"#));
    for arguments in [
        r#"{"n": 11}"#,
        r#"{"n": "11"}"#,
        r#"{"n": 11.0}"#,
        r#"{"n": null}"#,
    ] {
        assert!(!world.permits("emergency", arguments), "{arguments}");
    }
}

use super::*;
use crate::{
    engine::Principal,
    fixture::{json, principal, tool, world},
};

const POLICIES: &str = r#"
@id("reads")
permit(principal, action, resource)
when { context.workflow_id == "default" && resource.tool_name != "pay" };

@id("payments")
permit(principal, action == Action::"call_tool", resource == Resource::"pay")
unless { context.arguments has amount && context.arguments.amount > 100 };

@id("bob")
permit(principal == Agent::"bob", action, resource);

@id("large")
@approver("zoe@example.com")
forbid(principal, action, resource)
when { context.arguments has amount && context.arguments.amount > 1000 };
"#;

fn tools() -> Vec<crate::catalog::Tool> {
    vec![
        tool("read", "{}"),
        tool("pay", r#"{"amount": {"type": "integer"}}"#),
    ]
}

fn explained(name: &str, arguments: &str) -> Explanation {
    let world = world(POLICIES, tools());
    let (anonymous, arguments) = (Principal::anonymous(), json(arguments));
    world
        .engine
        .explain(&world.facts(&anonymous, name, &arguments))
}

fn because(explanation: &Explanation, id: &str) -> (Outcome, String) {
    let trace = explanation
        .policies
        .iter()
        .find(|trace| trace.policy == id)
        .unwrap();
    (trace.outcome, trace.because.clone())
}

#[test]
fn every_policy_says_why_it_matched_or_did_not() {
    let told = explained("pay", r#"{"amount": 5000}"#);
    assert_eq!(told.effect, "deny");
    assert_eq!(told.summary, "denied, because `large` forbids it");
    assert_eq!(told.advice["approver"], "zoe@example.com");
    assert_eq!(
        because(&told, "reads"),
        (
            Outcome::ConditionFalse,
            r#"`when`: `resource.tool_name != "pay"` does not hold"#.to_owned()
        )
    );
    let (outcome, why) = because(&told, "payments");
    assert_eq!(outcome, Outcome::ConditionFalse);
    assert!(
        why.starts_with("`unless`: ") && why.ends_with(" holds"),
        "{why}"
    );
    assert_eq!(
        because(&told, "bob"),
        (
            Outcome::OutOfScope,
            "it is not about principal `anonymous`".to_owned()
        )
    );
    assert_eq!(
        because(&told, "large"),
        (
            Outcome::Matched,
            "its scope and conditions hold for this call".to_owned()
        )
    );
    assert_eq!(
        (told.policies[3].file.as_str(), told.policies[3].line),
        ("p.cedar", 13)
    );
}

#[test]
fn a_permitted_call_names_its_permits() {
    let told = explained("read", "{}");
    assert_eq!(told.effect, "permit");
    assert_eq!(told.summary, "permitted by `reads`; no policy forbids it");
    assert_eq!(
        because(&told, "payments"),
        (
            Outcome::OutOfScope,
            "it is not about tool `read`".to_owned()
        )
    );
}

#[test]
fn a_call_that_cannot_be_judged_says_so() {
    let told = explained("pay", r#"{"amount": "5000"}"#);
    assert_eq!(
        told.summary,
        "denied, because it cannot be judged: argument `amount`: it is a string where the approved \
         schema has an integer"
    );
    assert!(told.policies.is_empty());
}

#[test]
fn an_explanation_agrees_with_the_decision() {
    let world = world(POLICIES, tools());
    let bob = principal("bob", &[]);
    for who in [Principal::anonymous(), bob] {
        for (name, arguments) in [
            ("read", "{}"),
            ("pay", "{}"),
            ("pay", r#"{"amount": 500}"#),
            ("pay", r#"{"amount": 5000}"#),
        ] {
            let arguments = json(arguments);
            let facts = world.facts(&who, name, &arguments);
            let decision = world.engine.decide(&facts);
            let matched: Vec<String> = world
                .engine
                .explain(&facts)
                .policies
                .into_iter()
                .filter(|trace| trace.outcome == Outcome::Matched)
                .filter(|trace| (trace.effect == "permit") == decision.is_permit())
                .map(|trace| trace.policy)
                .collect();
            assert_eq!(matched, decision.policies, "{name} {arguments}");
        }
    }
}

#[test]
fn it_can_be_written_as_json() {
    let told = serde_json::to_value(explained("read", "{}")).unwrap();
    assert_eq!(told["effect"], "permit");
    assert_eq!(told["policies"][1]["outcome"], "out_of_scope");
}

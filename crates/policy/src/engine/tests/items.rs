//! Resources, prompts, and what servers ask: every action that is no call of a tool.

use super::*;
pub(super) use crate::{
    catalog::Document,
    decide::{Action, Phase},
    fixture::{catalog_of, prompt, resource, template},
};

pub(super) const TEMPLATE: &str = "notes://{id}/text";

pub(super) fn document() -> Document {
    Document {
        tools: vec![
            tool("read", r#"{"n": {"type": "integer"}}"#),
            tool("pay", r#"{"amount": {"type": "integer"}}"#),
        ],
        resources: vec![resource("notes://all"), resource("notes://first/text")],
        resource_templates: vec![template(TEMPLATE)],
        prompts: vec![
            prompt(
                "plan",
                r#"[{"name": "city", "required": true}, {"name": "tone"}]"#,
            ),
            prompt("greet", "[]"),
        ],
        ..Document::default()
    }
}

pub(super) fn whole(policies: &str) -> World {
    whole_of(policies, document())
}

pub(super) fn whole_of(policies: &str, document: Document) -> World {
    match load(policies, catalog_of(document), &[], Compat::Off) {
        Ok(world) => world,
        Err(errors) => panic!("{}", told(&errors)),
    }
}

/// What is permitted of every action with something.
pub(super) fn permitted(policies: &str) -> Vec<&'static str> {
    let world = whole(policies);
    let targets = [
        (Action::CallTool, "read"),
        (Action::ReadResource, "notes://all"),
        (Action::ListResources, "files"),
        (Action::GetPrompt, "greet"),
        (Action::Complete, TEMPLATE),
        (Action::Subscribe, "notes://all"),
        (Action::Sample, "files"),
        (Action::Elicit, "files"),
        (Action::ListRoots, "files"),
    ];
    let complete = json(r#"{"argument": "id", "value": "a"}"#);
    let (anonymous, none) = (Principal::anonymous(), json("{}"));
    let permitted = targets.into_iter().filter(|(action, target)| {
        let arguments = if *action == Action::Complete {
            &complete
        } else {
            &none
        };
        let facts = world.about(&anonymous, (*action, target), arguments);
        let decision = world.engine.decide(&facts);
        assert_eq!(decision.errors, Vec::<String>::new(), "{action}");
        decision.is_permit()
    });
    permitted.map(|(action, _)| action.as_str()).collect()
}

#[test]
fn e14_every_action_is_asked_about_and_none_is_permitted_by_itself() {
    assert_eq!(permitted(""), Vec::<&str>::new());
    assert_eq!(
        permitted("permit(principal, action == Action::\"call_tool\", resource);"),
        ["call_tool"]
    );
    for action in Action::ALL {
        let policies = format!("permit(principal, action == Action::\"{action}\", resource);");
        assert_eq!(permitted(&policies), [action.as_str()]);
    }
    assert_eq!(
        permitted(
            "permit(principal, action in [Action::\"call_tool\", Action::\"elicit\"], resource);"
        ),
        ["call_tool", "elicit"]
    );
}

#[test]
fn resources_prompts_and_servers_are_named_by_their_entities() {
    let world = whole(
        r#"permit(principal, action, resource == McpResource::"notes://all");
           permit(principal, action == Action::"get_prompt", resource == Prompt::"greet");
           permit(principal, action == Action::"list_resources", resource == Server::"files");"#,
    );
    assert!(world.allows(Action::ReadResource, "notes://all"));
    assert!(world.allows(Action::Subscribe, "notes://all"));
    assert!(!world.allows(Action::ReadResource, "notes://first/text"));
    assert!(!world.allows(Action::ReadResource, "notes://other/text"));
    assert!(world.allows(Action::GetPrompt, "greet"));
    assert!(world.allows(Action::ListResources, "files"));
    assert!(!world.allows(Action::CallTool, "read"));
}

#[test]
fn a_uri_of_a_template_is_named_itself_or_by_its_template() {
    let read = |policies: &str| -> Vec<&'static str> {
        let world = whole(policies);
        let uris = [
            "notes://all",
            "notes://first/text",
            "notes://a/text",
            "notes://b/text",
        ];
        uris.into_iter()
            .filter(|uri| world.allows(Action::ReadResource, uri))
            .collect()
    };
    let one = "permit(principal, action, resource == McpResource::\"notes://a/text\");";
    assert_eq!(read(one), ["notes://a/text"]);
    // A listed resource is in every template that it is of.
    let within = "permit(principal, action, resource in McpResource::\"notes://{id}/text\");";
    assert_eq!(
        read(within),
        ["notes://first/text", "notes://a/text", "notes://b/text"]
    );
    let is_in =
        "permit(principal, action, resource is McpResource in McpResource::\"notes://{id}/text\");";
    assert_eq!(read(is_in), read(within));
    let condition = "permit(principal, action, resource) when { resource in McpResource::\"notes://{id}/text\" };";
    assert_eq!(read(condition), read(within));
    let by_name =
        "permit(principal, action, resource) when { resource.tool_name == \"notes://a/text\" };";
    assert_eq!(read(by_name), ["notes://a/text"]);
    let like = "permit(principal, action == Action::\"read_resource\", resource) when { resource.tool_name like \"notes://a*\" };";
    assert_eq!(read(like), ["notes://all", "notes://a/text"]);
    let but_one =
        format!("{ALL} forbid(principal, action, resource == McpResource::\"notes://b/text\");");
    assert_eq!(
        read(&but_one),
        ["notes://all", "notes://first/text", "notes://a/text"]
    );
    let not_the_template = format!(
        "{ALL} forbid(principal, action, resource in McpResource::\"notes://{{id}}/text\");"
    );
    assert_eq!(read(&not_the_template), ["notes://all"]);
}

#[test]
fn attributes_of_a_uri_are_those_of_its_template() {
    let mut document = document();
    document.resource_templates[0].sensitivity = "pii".to_owned();
    document.resource_templates[0].compliance_domain = "pii".to_owned();
    document.resource_templates[0].baa = crate::catalog::Baa::Covered;
    let world = whole_of(
        r#"permit(principal, action == Action::"read_resource", resource) when {
             resource.sensitivity == "pii" && resource.compliance_domain == "pii" && resource.baa_covered &&
             context.compliance_domain == "pii" && context.session_max_sensitivity == "pii" &&
             resource.kind == "resource_template" && resource.read_only && resource.server == "files" &&
             context.asked_by == "" && context.elicit_mode == "" };"#,
        document,
    );
    assert!(world.allows(Action::ReadResource, "notes://a/text"));
    assert!(!world.allows(Action::ReadResource, "notes://all"));
}

#[test]
fn a_server_is_what_all_of_its_items_are() {
    let lists = |change: &dyn Fn(&mut Document), condition: &str| {
        let mut document = document();
        for kind in ItemKind::ALL {
            for item in document.items_mut(kind) {
                item.effect = crate::catalog::Effect::Reads;
                item.baa = crate::catalog::Baa::Covered;
            }
        }
        change(&mut document);
        let policy = format!(
            "permit(principal, action == Action::\"list_resources\", resource) when {{ {condition} }};"
        );
        whole_of(&policy, document).allows(Action::ListResources, "files")
    };
    let same = |_: &mut Document| {};
    assert!(lists(&same, "resource.read_only && resource.baa_covered"));
    assert!(lists(&same, "resource.compliance_domain == \"internal\""));
    assert!(lists(&same, "resource.sensitivity == \"public\""));
    let writes =
        |document: &mut Document| document.prompts[0].effect = crate::catalog::Effect::Writes;
    assert!(!lists(&writes, "resource.read_only"));
    let uncovered =
        |document: &mut Document| document.resources[0].baa = crate::catalog::Baa::NotCovered;
    assert!(!lists(&uncovered, "resource.baa_covered"));
    let other = |document: &mut Document| document.tools[0].compliance_domain = "pii".to_owned();
    assert!(lists(&other, "resource.compliance_domain == \"external\""));
}

#[test]
fn a_prompts_arguments_are_texts_and_typed_as_such() {
    let world = whole(
        r#"permit(principal, action == Action::"get_prompt", resource);
           forbid(principal, action, resource == Prompt::"plan")
           when { context.arguments has city && context.arguments.city like "*;*" };"#,
    );
    let get = |arguments: &str| {
        let (anonymous, arguments) = (Principal::anonymous(), json(arguments));
        let facts = world.about(&anonymous, (Action::GetPrompt, "plan"), &arguments);
        world.engine.decide(&facts)
    };
    assert!(get(r#"{"city": "Rome", "tone": "dry"}"#).is_permit());
    assert_eq!(get(r#"{"city": "Rome; rm -rf"}"#).policies, ["p.cedar:1"]);
    for arguments in [
        r#"{"city": 7}"#,
        r#"{"city": null}"#,
        r#"{"other": "x"}"#,
        "[]",
    ] {
        let decision = get(arguments);
        assert!(
            !decision.is_permit() && !decision.errors.is_empty(),
            "{arguments}"
        );
    }
}

#[test]
fn a_completion_is_judged_by_what_was_typed() {
    let world = whole(
        r#"permit(principal, action == Action::"complete", resource)
           when { context.arguments has argument && context.arguments.argument == "city" &&
                  context.arguments has value && context.arguments.value like "R*" };"#,
    );
    let complete = |target: &str, arguments: &str| {
        let (anonymous, arguments) = (Principal::anonymous(), json(arguments));
        let facts = world.about(&anonymous, (Action::Complete, target), &arguments);
        world.engine.decide(&facts).is_permit()
    };
    assert!(complete("plan", r#"{"argument": "city", "value": "Ro"}"#));
    assert!(complete(TEMPLATE, r#"{"argument": "city", "value": "Ro"}"#));
    assert!(!complete("plan", r#"{"argument": "tone", "value": "Ro"}"#));
    assert!(!complete("plan", r#"{"argument": "city", "value": "Lo"}"#));
    assert!(!complete(
        "plan",
        r#"{"argument": "city", "value": "Ro", "x": 1}"#
    ));
    // Only prompts and templates have anything to complete.
    assert!(!complete(
        "notes://all",
        r#"{"argument": "city", "value": "Ro"}"#
    ));
}

#[test]
fn e02_what_is_judged_is_what_is_named() {
    let world = whole(ALL);
    let (anonymous, arguments) = (Principal::anonymous(), json("{}"));
    let all = world.catalog.resource("notes://all").unwrap();
    let notes = world.catalog.template(TEMPLATE).unwrap();
    let read = world.catalog.tool("read").unwrap();
    for (action, item, target) in [
        (Action::ReadResource, Some(all), "notes://first/text"),
        (Action::ReadResource, Some(notes), "notes://all"),
        (Action::ReadResource, Some(notes), TEMPLATE),
        (Action::ReadResource, Some(notes), "notes://a/../text"),
        (Action::Complete, Some(notes), "notes://a/text"),
        (Action::CallTool, Some(read), "pay"),
        (Action::CallTool, Some(all), "notes://all"),
        (Action::GetPrompt, Some(read), "read"),
        (Action::ReadResource, None, "notes://all"),
        (Action::ListResources, Some(all), "notes://all"),
        (Action::ListResources, None, "elsewhere"),
    ] {
        let mut facts = world.about(&anonymous, (Action::ListResources, "files"), &arguments);
        (facts.action, facts.item, facts.target) = (action, item, target);
        let decision = world.engine.decide(&facts);
        assert!(!decision.is_permit(), "{action} {target}");
        assert_eq!(decision.errors.len(), 1, "{action} {target}");
        assert_eq!(world.engine.explain(&facts).effect, "deny");
    }
}

//! What lists of resources and prompts show.

use super::{items::*, *};

/// Policies, and which items they show: two resources, the template, two prompts.
const SHOWN: [(&str, [bool; 5]); 16] = [
    ("", [false; 5]),
    (ALL, [true; 5]),
    (
        "permit(principal, action == Action::\"call_tool\", resource);",
        [false; 5],
    ),
    (
        "permit(principal, action == Action::\"read_resource\", resource);",
        [true, true, true, false, false],
    ),
    // What may only be subscribed to or completed is not to be read.
    (
        "permit(principal, action in [Action::\"subscribe\", Action::\"complete\"], resource);",
        [false; 5],
    ),
    (
        "permit(principal, action, resource is Prompt);",
        [false, false, false, true, true],
    ),
    (
        "permit(principal, action, resource == McpResource::\"notes://all\");",
        [true, false, false, false, false],
    ),
    // One URI of it is enough to show a template.
    (
        "permit(principal, action, resource == McpResource::\"notes://a/text\");",
        [false, false, true, false, false],
    ),
    (
        "permit(principal, action, resource) when { resource.tool_name == \"notes://a/text\" };",
        [false, false, true, false, false],
    ),
    (
        "permit(principal, action, resource) when { resource.tool_name == \"greet\" };",
        [false, false, false, false, true],
    ),
    // And to forbid one of it does not hide it.
    (
        "permit(principal, action, resource); forbid(principal, action, resource == McpResource::\"notes://a/text\");",
        [true; 5],
    ),
    (
        "permit(principal, action, resource); forbid(principal, action, resource in McpResource::\"notes://{id}/text\");",
        [true, false, false, true, true],
    ),
    (
        "permit(principal, action, resource); forbid(principal, action, resource) when { resource.kind == \"resource_template\" };",
        [true, true, false, true, true],
    ),
    (
        "permit(principal, action, resource == McpResource::\"notes://a/text\"); forbid(principal, action, resource is McpResource);",
        [false; 5],
    ),
    (
        "permit(principal, action, resource) when { context.arguments has city && context.arguments.city == \"Rome\" };",
        [false, false, false, true, true],
    ),
    (
        "permit(principal, action, resource); @approver(\"zoe\") forbid(principal, action, resource is McpResource);",
        [true; 5],
    ),
];

#[test]
fn an_item_is_hidden_only_when_no_use_of_it_could_be_permitted() {
    for (policies, expected) in SHOWN {
        let world = whole(policies);
        let items = world
            .catalog
            .all()
            .filter(|item| item.kind != ItemKind::Tool);
        let shown: Vec<bool> = items
            .map(|item| world.engine.visible(&Principal::anonymous(), item))
            .collect();
        assert_eq!(shown, expected, "{policies}");
    }
}

#[test]
fn what_is_permitted_is_shown() {
    for (policies, _) in SHOWN {
        let world = whole(policies);
        for uri in [
            "notes://all",
            "notes://first/text",
            "notes://a/text",
            "notes://b/text",
        ] {
            let item = world.catalog.resource(uri).unwrap();
            let shown = world.engine.visible(&Principal::anonymous(), item);
            assert!(
                shown || !world.allows(Action::ReadResource, uri),
                "{uri}: {policies}"
            );
        }
    }
}

//! Resources, templates and prompts.

use cmcp_evidence::Sha256Digest;
use cmcp_json::{Form, canonical};

use super::{
    Approval, Baa, Document, Effect, ServerSpec, Tool, definition, document, http, json, load,
    stdio, tool,
};
use crate::catalog::{Catalog, ItemKind, OfferError};

pub(super) fn entry(server: &str, definition: &str) -> Tool {
    Tool {
        definition: json(definition),
        effect: Effect::Reads,
        ..tool(server, "any")
    }
}

pub(super) fn resource(server: &str, uri: &str) -> Tool {
    entry(
        server,
        &format!(r#"{{"uri":"{uri}","name":"r","mimeType":"text/plain","size":3,"x-own":1.50}}"#),
    )
}

pub(super) fn template(server: &str, uri_template: &str) -> Tool {
    entry(
        server,
        &format!(r#"{{"uriTemplate":"{uri_template}","name":"t"}}"#),
    )
}

pub(super) fn prompt(server: &str, name: &str) -> Tool {
    let arguments = r#"[{"name":"city","required":true},{"name":"tone","description":"How."}]"#;
    entry(
        server,
        &format!(r#"{{"name":"{name}","title":"P","arguments":{arguments}}}"#),
    )
}

pub(super) fn servers() -> Vec<ServerSpec> {
    vec![http("web"), stdio("local")]
}

pub(super) fn whole() -> Document {
    Document {
        servers: servers(),
        tools: vec![tool("web", "one")],
        resources: vec![
            resource("web", "notes://a"),
            resource("local", "file:///b%20c"),
        ],
        resource_templates: vec![template("local", "file:///{name}")],
        prompts: vec![
            prompt("web", "plan"),
            Tool {
                alias: Some("greeting".to_owned()),
                ..prompt("local", "greet")
            },
        ],
    }
}

pub(super) fn loaded(document: &Document) -> Catalog {
    load(&document.to_text().unwrap()).unwrap()
}

#[test]
fn what_is_written_is_read_back() {
    let mut written = whole();
    written.resources[0] = Tool {
        effect: Effect::Writes,
        sensitivity: "hipaa_phi".to_owned(),
        compliance_domain: "hipaa_phi".to_owned(),
        baa: Baa::Covered,
        redact: vec!["$.contents[*].text".parse().unwrap()],
        approval: Approval {
            by: Some("zoe".to_owned()),
            at: None,
        },
        ..resource("web", "notes://a")
    };
    let text = written.to_text().unwrap();
    let catalog = load(&text).unwrap();
    assert_eq!(catalog.to_document(), written);
    assert_eq!(catalog.to_document().to_text().unwrap(), text);
    let names = |kind| -> Vec<_> {
        let items = catalog.items(kind);
        items.map(|item| item.name.clone()).collect()
    };
    assert_eq!(names(ItemKind::Tool), ["web__one"]);
    assert_eq!(names(ItemKind::Resource), ["notes://a", "file:///b%20c"]);
    assert_eq!(names(ItemKind::ResourceTemplate), ["file:///{name}"]);
    assert_eq!(names(ItemKind::Prompt), ["web__plan", "greeting"]);
    assert_eq!(catalog.all().count(), 6);
    for kind in ItemKind::ALL {
        assert!(catalog.items(kind).all(|item| item.kind == kind));
    }
}

#[test]
fn a_document_of_tools_alone_is_what_it_was() {
    let text = document(vec![http("web")], vec![tool("web", "one")]);
    for kind in [
        ItemKind::Resource,
        ItemKind::ResourceTemplate,
        ItemKind::Prompt,
    ] {
        assert!(!text.contains(&format!("\"{}\"", kind.member())));
    }
}

#[test]
fn the_hash_covers_every_kind() {
    let before = loaded(&whole()).hash();
    for kind in ItemKind::ALL {
        let mut document = whole();
        document.items_mut(kind).pop();
        assert_ne!(loaded(&document).hash(), before, "{kind}");
    }
}

#[test]
fn g02_any_change_of_a_definition_is_drift_whatever_it_defines() {
    let catalog = loaded(&whole());
    for item in catalog.all().filter(|item| item.kind != ItemKind::Tool) {
        let bytes = canonical(&item.definition, Form::Verbatim).unwrap();
        let digest = Sha256Digest::of_parts(&[b"cmcp/definition/v1\0", &bytes]);
        assert_eq!(item.digest, digest);
        assert_eq!(item.offered_digest(&item.definition), Ok(digest));
        let mut offered = item.definition.clone();
        offered.as_object_mut().unwrap().insert("description", "x");
        assert_ne!(item.offered_digest(&offered), Ok(digest));
        let places = item.differences(&offered);
        assert_eq!(places.len(), 1, "{}", item.name);
        assert_eq!(
            (places[0].pointer.as_str(), places[0].change),
            ("/description", "added")
        );
    }
}

#[test]
fn lists_show_the_approved_definition_under_the_exposed_name() {
    let catalog = loaded(&whole());
    let shown = catalog.prompt("greeting").unwrap().listing();
    let upstream = prompt("local", "greet").definition.to_string();
    assert_eq!(
        shown.to_string(),
        upstream.replacen("\"greet\"", "\"greeting\"", 1)
    );
    for uri in ["notes://a", "file:///b%20c"] {
        let item = catalog.listed(uri).unwrap();
        assert_eq!(item.listing(), item.definition);
        assert!(item.listing().to_string().contains("\"x-own\":1.50"));
    }
    let template = catalog.template("file:///{name}").unwrap();
    assert_eq!(template.listing(), template.definition);
}

#[test]
fn a_uri_belongs_to_whoever_lists_it_else_to_the_one_template_it_is_of() {
    let mut document = whole();
    document.resource_templates = vec![
        template("local", "file:///{name}"),
        template("web", "file:///x{name}"),
        template("web", "notes://{+path}"),
    ];
    let catalog = loaded(&document);
    let owner = |uri: &str| {
        let item = catalog.resource(uri)?;
        Some((catalog.server_of(item).unwrap().name.as_str(), item.kind))
    };
    for (uri, expected) in [
        ("notes://a", Some(("web", ItemKind::Resource))),
        ("file:///b%20c", Some(("local", ItemKind::Resource))),
        // Bytes are compared, not what they mean.
        ("file:///b%20C", Some(("local", ItemKind::ResourceTemplate))),
        ("file:///y", Some(("local", ItemKind::ResourceTemplate))),
        ("notes://b/c", Some(("web", ItemKind::ResourceTemplate))),
        // Of two templates: nobody's.
        ("file:///xy", None),
        ("file:///a/b", None),
        ("mail://a", None),
        ("", None),
    ] {
        assert_eq!(owner(uri), expected, "{uri}");
    }
}

#[test]
fn prompts_are_named_as_tools_are() {
    let name = |servers: Vec<ServerSpec>, alias: Option<&str>| {
        let alias = alias.map(str::to_owned);
        let document = Document {
            servers,
            prompts: vec![Tool {
                alias,
                ..prompt("web", "plan")
            }],
            ..Document::default()
        };
        loaded(&document)
            .items(ItemKind::Prompt)
            .next()
            .unwrap()
            .name
            .clone()
    };
    assert_eq!(name(vec![http("web")], None), "plan");
    assert_eq!(name(servers(), None), "web__plan");
    assert_eq!(name(servers(), Some("p.1")), "p.1");
    // Tools and prompts are asked for by different methods, so they may share a name.
    let mut both = whole();
    both.prompts = vec![prompt("web", "one")];
    let catalog = loaded(&both);
    assert_eq!(catalog.tool("web__one").unwrap().kind, ItemKind::Tool);
    assert_eq!(catalog.prompt("web__one").unwrap().kind, ItemKind::Prompt);
    for other in ["web__One", "web__onе", "web__one ", "one", ""] {
        assert!(catalog.prompt(other).is_none(), "{other:?}");
    }
}

#[test]
fn reading_changes_nothing_unless_an_entry_says_so() {
    let mut document = whole().to_value().unwrap();
    let prompts = document
        .as_object_mut()
        .unwrap()
        .get_mut("prompts")
        .unwrap();
    let prompts = prompts.as_array_mut().unwrap();
    prompts[0]
        .as_object_mut()
        .unwrap()
        .remove("read_only")
        .unwrap();
    prompts[1]
        .as_object_mut()
        .unwrap()
        .insert("read_only", false);
    let catalog = load(&document.to_string()).unwrap();
    assert!(catalog.prompt("web__plan").unwrap().read_only());
    assert!(!catalog.prompt("greeting").unwrap().read_only());
}

#[test]
fn prompt_arguments_are_declared_strings_and_the_required_ones_are_there() {
    let catalog = loaded(&whole());
    let plan = catalog.prompt("web__plan").unwrap();
    let check = |arguments: &str| plan.check_arguments(&json(arguments));
    for arguments in [r#"{"city":"Rome"}"#, r#"{"tone":"dry","city":""}"#] {
        assert!(check(arguments).is_ok(), "{arguments}");
    }
    for arguments in [
        "{}",
        r#"{"tone":"dry"}"#,
        r#"{"city":1}"#,
        r#"{"city":null}"#,
        r#"{"city":["Rome"]}"#,
        r#"{"city":"Rome","other":"x"}"#,
        r#"{"City":"Rome"}"#,
        "[]",
        "null",
        "\"Rome\"",
    ] {
        assert!(check(arguments).is_err(), "{arguments}");
    }
    // What takes no arguments is given none.
    let resource = catalog.listed("notes://a").unwrap();
    assert!(resource.check_arguments(&json("{}")).is_ok());
    assert!(resource.check_arguments(&json(r#"{"a":1}"#)).is_err());
    assert!(plan.input_schema().is_none() && plan.output_schema().is_none());
}

#[test]
fn a_prompt_that_declares_none_takes_none() {
    let mut document = whole();
    document.prompts[0] = entry("web", r#"{"name":"plan"}"#);
    let catalog = loaded(&document);
    let plan = catalog.prompt("web__plan").unwrap();
    assert!(plan.check_arguments(&json("{}")).is_ok());
    assert!(plan.check_arguments(&json(r#"{"a":"x"}"#)).is_err());
}

#[test]
fn a_schema_that_a_prompt_carries_is_not_its_own() {
    let mut document = whole();
    let sly = r#"{"name":"plan","inputSchema":{"properties":{"a":{}}},"outputSchema":{"type":1}}"#;
    document.prompts[0] = entry("web", sly);
    let catalog = loaded(&document);
    let plan = catalog.prompt("web__plan").unwrap();
    assert!(plan.check_arguments(&json(r#"{"a":1}"#)).is_err());
    assert!(!plan.promises_structure());
}

#[test]
fn an_exception_of_any_kind_is_marked_and_leaves_the_rest_alone() {
    let catalog = loaded(&whole());
    let approval = Approval {
        by: Some("ops".to_owned()),
        at: None,
    };
    for (kind, name, other) in [
        (ItemKind::Prompt, "restart", "web__plan"),
        (ItemKind::Resource, "status://now", "notes://a"),
        (
            ItemKind::ResourceTemplate,
            "status://{id}",
            "file:///{name}",
        ),
    ] {
        let names = |name: &str| [name.to_owned()];
        let with = catalog
            .with_exceptions(http("emergency"), kind, &names(name), &approval)
            .unwrap();
        assert_eq!(with.hash(), catalog.hash());
        let item = with.items(kind).last().unwrap();
        assert!(item.is_exception() && !item.read_only());
        assert_eq!((item.name.as_str(), item.kind), (name, kind));
        let offered: Result<_, OfferError> = item.offered_digest(&definition("x"));
        assert_eq!(offered, Ok(item.digest));
        assert!(!with.items(kind).next().unwrap().is_exception());
        for taken in [other, "no such name", ""] {
            let refused =
                catalog.with_exceptions(http("emergency"), kind, &names(taken), &approval);
            assert!(refused.is_err(), "{taken}");
        }
    }
    let opened = catalog
        .with_exceptions(
            http("emergency"),
            ItemKind::Prompt,
            &["restart".to_owned()],
            &approval,
        )
        .unwrap();
    let restart = opened.prompt("restart").unwrap();
    assert!(restart.check_arguments(&json(r#"{"any":"x"}"#)).is_ok());
    assert!(restart.check_arguments(&json(r#"{"any":1}"#)).is_err());
}

#[test]
fn a_catalog_of_thousands_of_resources_is_read_in_reasonable_time() {
    let mut document = whole();
    document.resources = (0..2_000)
        .map(|n| resource("web", &format!("notes://{n}")))
        .collect();
    let catalog = loaded(&document);
    assert_eq!(catalog.items(ItemKind::Resource).len(), 2_000);
    assert_eq!(
        catalog
            .resource("notes://1999")
            .map(|item| &item.definition),
        Some(&resource("web", "notes://1999").definition)
    );
}

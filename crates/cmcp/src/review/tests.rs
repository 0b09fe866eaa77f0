use cmcp_json::{Limits, Value, parse};
use cmcp_policy::{
    Compat,
    catalog::{Catalog, ItemKind},
    sensitivity::Vocabulary,
};

use super::{Change, Compare, Listed, against_catalog, against_servers};
use crate::init::{assemble, starter};

fn value(text: &str) -> Value {
    parse(text.as_bytes(), &Limits::REQUEST).unwrap()
}

fn definition(name: &str, description: &str) -> Value {
    value(&format!(
        r#"{{"name":"{name}","description":"{description}","inputSchema":{{"type":"object"}}}}"#
    ))
}

fn catalog(tools: Vec<Value>) -> Catalog {
    let tools = tools.into_iter().map(|tool| (ItemKind::Tool, tool));
    catalog_of(tools.collect())
}

fn catalog_of(items: Vec<(ItemKind, Value)>) -> Catalog {
    let transport = cmcp_policy::catalog::Transport::Http {
        url: "https://files.example/mcp".to_owned(),
        pin: cmcp_policy::catalog::TlsPin::WebPki,
    };
    let spec = cmcp_policy::catalog::ServerSpec {
        name: "files".to_owned(),
        display_name: None,
        transport,
    };
    let now = cmcp_evidence::Timestamp::from_unix_seconds(1_785_000_000);
    let draft = assemble::draft(vec![assemble::Offer { spec, items }], "zoe", now).unwrap();
    draft
        .approve(&Default::default(), ("zoe", now), starter::STARTER)
        .unwrap()
        .catalog
}

fn listed(tools: Result<Vec<Value>, String>) -> Vec<Listed> {
    vec![list(ItemKind::Tool, tools)]
}

fn list(kind: ItemKind, items: Result<Vec<Value>, String>) -> Listed {
    Listed {
        server: "files".to_owned(),
        kind,
        items,
    }
}

#[test]
fn every_way_a_live_tool_can_differ() {
    let approved = ["same", "changed", "gone", "twice"].map(|name| definition(name, "d"));
    let catalog = catalog(approved.to_vec());
    let offered = vec![
        definition("same", "d"),
        definition("changed", "other"),
        definition("twice", "d"),
        definition("twice", "d"),
        definition("new", "d"),
    ];
    let reviewed = against_servers(&catalog, &listed(Ok(offered)), Compare::Digests);
    let changes: Vec<(&str, &Change)> = reviewed
        .iter()
        .map(|item| (item.name.as_str(), &item.change))
        .collect();
    assert_eq!(
        changes,
        [
            ("same", &Change::Same),
            (
                "changed",
                &Change::Changed(vec!["/description changed".to_owned()])
            ),
            ("gone", &Change::Removed),
            ("twice", &Change::Twice),
            ("new", &Change::Added),
        ]
    );
    let silent = against_servers(&catalog, &listed(Err("no".to_owned())), Compare::Digests);
    assert!(
        silent
            .iter()
            .all(|tool| tool.change == Change::Unlisted("no".to_owned()))
    );
}

fn resource(uri: &str, name: &str) -> (ItemKind, Value) {
    let text = format!(r#"{{"uri":"{uri}","name":"{name}"}}"#);
    (ItemKind::Resource, value(&text))
}

fn template(uri: &str) -> (ItemKind, Value) {
    let text = format!(r#"{{"uriTemplate":"{uri}","name":"t"}}"#);
    (ItemKind::ResourceTemplate, value(&text))
}

fn prompt(name: &str, argument: &str) -> (ItemKind, Value) {
    let text = format!(r#"{{"name":"{name}","arguments":[{{"name":"{argument}"}}]}}"#);
    (ItemKind::Prompt, value(&text))
}

fn seen(reviewed: &[super::Reviewed]) -> Vec<(ItemKind, &str, &Change)> {
    let seen = reviewed.iter();
    seen.map(|item| (item.kind, item.name.as_str(), &item.change))
        .collect()
}

#[test]
fn resources_templates_and_prompts_are_held_against_lists_of_their_own() {
    let approved = catalog_of(vec![
        (ItemKind::Tool, definition("same", "d")),
        resource("notes://a", "a"),
        resource("notes://b", "b"),
        template("notes://all/{id}"),
        prompt("same", "x"),
    ]);
    let values = |items: Vec<(ItemKind, Value)>| Ok(items.into_iter().map(|i| i.1).collect());
    let offered = [
        list(ItemKind::Tool, Ok(vec![definition("same", "d")])),
        list(
            ItemKind::Resource,
            values(vec![
                resource("notes://a", "other"),
                resource("notes://c", "c"),
            ]),
        ),
        list(ItemKind::ResourceTemplate, Err("it has none".to_owned())),
        list(ItemKind::Prompt, values(vec![prompt("same", "y")])),
    ];
    let reviewed = against_servers(&approved, &offered, Compare::Digests);
    let changed = |place: &str| Change::Changed(vec![place.to_owned()]);
    assert_eq!(
        seen(&reviewed),
        [
            (ItemKind::Tool, "same", &Change::Same),
            (ItemKind::Resource, "notes://a", &changed("/name changed")),
            (ItemKind::Resource, "notes://b", &Change::Removed),
            (
                ItemKind::ResourceTemplate,
                "notes://all/{id}",
                &Change::Unlisted("it has none".to_owned())
            ),
            (
                ItemKind::Prompt,
                "same",
                &changed("/arguments/0/name changed")
            ),
            (ItemKind::Resource, "notes://c", &Change::Added),
        ]
    );
}

#[test]
fn two_catalogs_differ_in_what_is_no_tool_too() {
    let of = |template_of: &str, resources: Vec<(ItemKind, Value)>| {
        let others = [template(template_of), prompt("same", "x")];
        let tool = (ItemKind::Tool, definition("same", "d"));
        catalog_of([vec![tool], resources, others.into()].concat())
    };
    let a = || resource("notes://a", "a");
    let newer = of("notes://all/{id}", vec![a(), resource("notes://b", "b")]);
    let older = of("notes://all/{other}", vec![a()]);
    let differing: Vec<_> = against_catalog(&newer, &older)
        .into_iter()
        .filter(|item| item.change != Change::Same)
        .collect();
    assert_eq!(
        seen(&differing),
        [
            (ItemKind::Resource, "notes://b", &Change::Added),
            (
                ItemKind::ResourceTemplate,
                "notes://all/{id}",
                &Change::Added
            ),
            (
                ItemKind::ResourceTemplate,
                "notes://all/{other}",
                &Change::Removed
            ),
        ]
    );
}

#[test]
fn two_catalogs() {
    let older = catalog(vec![definition("a", "d"), definition("b", "d")]);
    let newer = catalog(vec![definition("b", "e"), definition("c", "d")]);
    let reviewed = against_catalog(&newer, &older);
    let changes: Vec<(&str, &Change)> = reviewed
        .iter()
        .map(|item| (item.name.as_str(), &item.change))
        .collect();
    assert_eq!(
        changes,
        [
            (
                "b",
                &Change::Changed(vec!["/description changed".to_owned()])
            ),
            ("c", &Change::Added),
            ("a", &Change::Removed),
        ]
    );
}

#[test]
fn an_entry_of_the_old_form_covers_description_and_schemas() {
    let text = r#"[{"tool_name":"echo","server":{"display_name":"m","url":"http://127.0.0.1:1/mcp","tls_fingerprint":"SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=","transport":"streamable-http"},"approved_definition":{"description":"d","input_schema":{"type":"object"}},"definition_hash":"DIGEST","added_at":"2026-06-05T00:00:00Z","approved_by":"z"}]"#;
    let hash =
        cmcp_evidence::Sha256Digest::of(br#"{"description":"d","input_schema":{"type":"object"}}"#);
    let text = text.replace("DIGEST", &hash.to_string());
    let catalog = Catalog::parse(text.as_bytes(), &Vocabulary::builtin(), Compat::Off).unwrap();
    let server = catalog.servers()[0].name.clone();
    let offered =
        value(r#"{"name":"echo","title":"E","description":"d","inputSchema":{"type":"object"}}"#);
    let listed = vec![Listed {
        server,
        kind: ItemKind::Tool,
        items: Ok(vec![offered]),
    }];
    let change = |compare| {
        against_servers(&catalog, &listed, compare)[0]
            .change
            .clone()
    };
    assert_eq!(change(Compare::Digests), Change::Same);
    assert_eq!(
        change(Compare::Members),
        Change::Changed(vec!["/title added".to_owned()])
    );
}

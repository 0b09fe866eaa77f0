use cmcp_json::{Limits, Value, parse};
use cmcp_policy::{Compat, catalog::Catalog, sensitivity::Vocabulary};

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
    let draft = assemble::draft(vec![assemble::Offer { spec, tools }], "zoe", now).unwrap();
    draft
        .approve(&Default::default(), ("zoe", now), starter::STARTER)
        .unwrap()
        .catalog
}

fn listed(tools: Result<Vec<Value>, String>) -> Vec<Listed> {
    vec![Listed {
        server: "files".to_owned(),
        tools,
    }]
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
        .map(|tool| (tool.tool.as_str(), &tool.change))
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

#[test]
fn two_catalogs() {
    let older = catalog(vec![definition("a", "d"), definition("b", "d")]);
    let newer = catalog(vec![definition("b", "e"), definition("c", "d")]);
    let reviewed = against_catalog(&newer, &older);
    let changes: Vec<(&str, &Change)> = reviewed
        .iter()
        .map(|tool| (tool.tool.as_str(), &tool.change))
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
        tools: Ok(vec![offered]),
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

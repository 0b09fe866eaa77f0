mod array;
mod document;
mod drift;
mod items;
mod names;
mod servers;
mod templates;
mod unsound;

use super::{
    Approval, Baa, Catalog, CatalogError, Document, Effect, ServerSpec, TlsPin, Tool, Transport,
};
use crate::{Compat, fixture::json, sensitivity::Vocabulary};
use cmcp_json::Value;

fn load(text: &str) -> Result<Catalog, Vec<CatalogError>> {
    Catalog::parse(text.as_bytes(), &Vocabulary::builtin(), Compat::Off)
}

/// The faults, as people read them.
fn faults(text: &str) -> Vec<String> {
    load(text)
        .unwrap_err()
        .iter()
        .map(ToString::to_string)
        .collect()
}

fn definition(name: &str) -> Value {
    json(&format!(
        r#"{{"name":"{name}","title":"T","description":"Does.","inputSchema":{{"type":"object","properties":{{"a":{{"type":"string"}}}}}},"icons":[],"x-own":1.50}}"#
    ))
}

fn http(name: &str) -> ServerSpec {
    ServerSpec {
        name: name.to_owned(),
        display_name: Some("A server".to_owned()),
        transport: Transport::Http {
            url: "https://example.com/mcp".to_owned(),
            pin: TlsPin::WebPki,
        },
    }
}

fn stdio(name: &str) -> ServerSpec {
    ServerSpec {
        name: name.to_owned(),
        display_name: None,
        transport: Transport::Stdio {
            command: "/usr/bin/server".to_owned(),
            args: vec!["--all".to_owned()],
            env: vec!["GITHUB_TOKEN".to_owned()],
            cwd: Some("/srv/data".to_owned()),
            measured: [(
                "/usr/bin/server".to_owned(),
                cmcp_evidence::Sha256Digest::of(b"server"),
            )]
            .into(),
        },
    }
}

fn tool(server: &str, name: &str) -> Tool {
    Tool {
        server: server.to_owned(),
        alias: None,
        definition: definition(name),
        effect: Effect::Writes,
        sensitivity: "public".to_owned(),
        compliance_domain: "external".to_owned(),
        baa: Baa::NotCovered,
        redact: Vec::new(),
        approval: Approval::default(),
    }
}

fn document(servers: Vec<ServerSpec>, tools: Vec<Tool>) -> String {
    let document = Document {
        servers,
        tools,
        ..Document::default()
    };
    document.to_value().unwrap().to_string()
}

/// The faults of a document with one tool, whose definition is the given one and whose digest fits.
fn faults_of_definition(definition: &str) -> Vec<String> {
    let definition = json(definition);
    faults(&document(
        vec![http("web")],
        vec![Tool {
            definition,
            ..tool("web", "one")
        }],
    ))
}

/// A sound document with one member, named by its path, replaced; or removed.
fn with(path: &[&str], value: Option<Value>) -> String {
    let mut document = json(&document(
        vec![http("web"), stdio("local")],
        vec![tool("web", "one"), tool("local", "two")],
    ));
    let mut at = &mut document;
    let (last, before) = path.split_last().unwrap();
    for step in before {
        at = if at.as_array().is_some() {
            &mut at.as_array_mut().unwrap()[step.parse::<usize>().unwrap()]
        } else {
            at.as_object_mut().unwrap().get_mut(step).unwrap()
        };
    }
    let object = at.as_object_mut().unwrap();
    match value {
        Some(value) => {
            object.insert(*last, value);
        }
        None => {
            object.remove(last).unwrap();
        }
    }
    document.to_string()
}

/// The only fault of a sound document with one member replaced.
fn fault(path: &[&str], value: &str) -> String {
    let faults = faults(&with(path, Some(json(value))));
    assert_eq!(faults.len(), 1, "{faults:?}");
    faults[0].clone()
}

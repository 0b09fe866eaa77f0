//! What a decision costs, with few policies and with many.
//!
//! `decide` has the mixture of a real bundle: four policies about every call, as a starter bundle
//! has, and the rest about one tool, one principal or one workflow each. `decide_unsliced` is the
//! worst case, in which every policy is about every call: Cedar has to evaluate them all.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a benchmark stops when its input is wrong"
)]

use std::collections::BTreeMap;

use cmcp_json::{Limits, Value};
use cmcp_policy::{
    Compat,
    bundle::PolicyBundle,
    catalog::{Approval, Baa, Catalog, Document, Effect, ServerSpec, TlsPin, Tool, Transport},
    decide::{Action, Facts, Phase},
    engine::{Engine, EngineInput, Principal},
    sensitivity::Vocabulary,
    session::SessionView,
};

fn main() {
    divan::main();
}

const SIZES: [usize; 2] = [12, 500];
const TOOLS: usize = 50;
const PRINCIPALS: usize = 10;

struct World {
    engine: Engine,
    catalog: Catalog,
    principals: Vec<Principal>,
    arguments: Value,
    session: SessionView,
}

impl World {
    fn new(policies: usize, policy: fn(usize) -> String) -> Self {
        Self::over(catalog(0), policies, policy)
    }

    fn over(catalog: Catalog, policies: usize, policy: fn(usize) -> String) -> Self {
        let principals: Vec<Principal> = (0..PRINCIPALS).map(principal).collect();
        let bundle = bundle(policies, policy);
        let vocabulary = Vocabulary::builtin();
        let input = EngineInput {
            bundle: &bundle,
            catalog: &catalog,
            principals: &principals,
            vocabulary: &vocabulary,
            compat: Compat::Off,
        };
        let engine = match Engine::load(input) {
            Ok((engine, _)) => engine,
            Err(errors) => panic!("{errors:?}"),
        };
        let arguments = json(r#"{"path": "/srv/data/report.txt", "amount": 12, "deep": true}"#);
        Self {
            engine,
            catalog,
            principals,
            arguments,
            session: SessionView::default(),
        }
    }

    fn facts(&self) -> Facts<'_> {
        let tool = &self.catalog.tools()[0];
        Facts {
            action: Action::CallTool,
            phase: Phase::Ingress,
            principal: &self.principals[0],
            item: Some(tool),
            target: &tool.name,
            asked_by: "",
            elicit_mode: "",
            server: self.catalog.server_of(tool).unwrap(),
            arguments: &self.arguments,
            session: &self.session,
            workflow_id: "default",
            attestation_platform: "software",
        }
    }
}

#[divan::bench(args = SIZES)]
fn decide(bencher: divan::Bencher<'_, '_>, policies: usize) {
    let world = World::new(policies, mixed);
    assert!(world.engine.decide(&world.facts()).is_permit());
    bencher.bench_local(|| world.engine.decide(&world.facts()));
}

#[divan::bench(args = SIZES)]
fn decide_unsliced(bencher: divan::Bencher<'_, '_>, policies: usize) {
    let world = World::new(policies, unsliced);
    assert!(world.engine.decide(&world.facts()).is_permit());
    bencher.bench_local(|| world.engine.decide(&world.facts()));
}

/// For a caller whom a token names and nobody configured.
#[divan::bench(args = SIZES)]
fn decide_for_a_stranger(bencher: divan::Bencher<'_, '_>, policies: usize) {
    let world = World::new(policies, mixed);
    let stranger = Principal {
        name: "https://issuer.example#1234".to_owned(),
        attributes: BTreeMap::new(),
    };
    let facts = Facts {
        principal: &stranger,
        ..world.facts()
    };
    assert!(world.engine.decide(&facts).is_permit());
    bencher.bench_local(|| world.engine.decide(&facts));
}

/// Of one URI of a template, among a thousand resources.
#[divan::bench(args = SIZES)]
fn decide_read(bencher: divan::Bencher<'_, '_>, policies: usize) {
    let world = World::over(catalog(1_000), policies, mixed);
    let uri = "notes://1234/text";
    let item = world.catalog.resource(uri).unwrap();
    let facts = Facts {
        action: Action::ReadResource,
        item: Some(item),
        target: uri,
        ..world.facts()
    };
    assert!(world.engine.decide(&facts).is_permit());
    bencher.bench_local(|| world.engine.decide(&facts));
}

#[divan::bench(args = SIZES)]
fn first_decision(bencher: divan::Bencher<'_, '_>, policies: usize) {
    bencher
        .with_inputs(|| World::new(policies, mixed))
        .bench_local_refs(|world| world.engine.decide(&world.facts()));
}

#[divan::bench(args = SIZES, sample_count = 10)]
fn load(bencher: divan::Bencher<'_, '_>, policies: usize) {
    bencher.bench_local(|| World::new(policies, mixed));
}

#[divan::bench(args = SIZES, sample_count = 10)]
fn list_tools(bencher: divan::Bencher<'_, '_>, policies: usize) {
    bencher
        .with_inputs(|| World::new(policies, mixed))
        .bench_local_refs(|world| {
            let tools = world.catalog.tools().iter();
            tools
                .filter(|tool| world.engine.visible(&world.principals[0], tool))
                .count()
        });
}

fn bundle(policies: usize, policy: fn(usize) -> String) -> PolicyBundle {
    let text: String = (0..policies).map(policy).collect();
    let manifest =
        r#"{"version": "1", "authored_at": "t", "author_identity": "a", "commit_sha": "0"}"#;
    let files = [
        ("manifest.json", manifest),
        ("schema.cedarschema", "{}"),
        ("p.cedar", &text),
    ];
    let files = files.map(|(path, text)| (path.to_owned(), text.as_bytes().to_vec()));
    PolicyBundle::parse(&files, Compat::Off).unwrap()
}

fn mixed(n: usize) -> String {
    let (tool, agent) = (n % TOOLS, n % PRINCIPALS);
    match (n, n % 4) {
        (0, _) => "permit(principal, action, resource) when { resource.read_only };".to_owned(),
        (1, _) => "forbid(principal, action, resource) when { context.sensitivity_level > 2 && !context.baa_covered };".to_owned(),
        (2, _) => "forbid(principal, action, resource) when { context.injection_events > 3 };".to_owned(),
        (3, _) => "forbid(principal, action, resource) when { context.arguments has path && context.arguments.path like \"*..*\" };".to_owned(),
        (4, _) => "permit(principal, action, resource == Resource::\"tool_0\") when { context.workflow_id == \"default\" };".to_owned(),
        (_, 0) => format!("forbid(principal, action, resource == Resource::\"tool_{tool}\") when {{ context.arguments has amount && context.arguments.amount > 1000 }};"),
        (_, 1) => format!("permit(principal, action == Action::\"tool_{tool}\", resource) when {{ context.arguments has path && context.arguments.path like \"/srv/*\" }};"),
        (_, 2) => format!("permit(principal == Agent::\"agent_{agent}\", action, resource == Resource::\"tool_{tool}\") unless {{ context.sensitivity_level > 2 }};"),
        _ => format!("permit(principal, action == Action::\"call_tool\", resource) when {{ context.workflow_id == \"flow_{n}\" && [\"tool_1\", \"tool_2\"].contains(resource.tool_name) }};"),
    }
}

fn unsliced(n: usize) -> String {
    match n {
        0 => "permit(principal, action, resource);".to_owned(),
        _ => format!(
            "forbid(principal, action, resource) when {{ context.sensitivity_level > 2 && context.workflow_id == \"flow_{n}\" }};"
        ),
    }
}

/// With that many resources, and a template.
fn catalog(resources: usize) -> Catalog {
    let definition = |n: usize| {
        json(&format!(
            r#"{{"name": "tool_{n}", "description": "D.", "inputSchema": {{"type": "object", "properties": {{
                "path": {{"type": "string"}}, "amount": {{"type": "integer"}}, "deep": {{"type": "boolean"}}}}}}}}"#
        ))
    };
    let entry = |definition: Value, effect: Effect| Tool {
        server: "files".to_owned(),
        alias: None,
        definition,
        effect,
        sensitivity: "public".to_owned(),
        compliance_domain: "internal".to_owned(),
        baa: Baa::NotCovered,
        redact: Vec::new(),
        approval: Approval::default(),
    };
    let tools = (0..TOOLS).map(|n| entry(definition(n), Effect::Writes));
    let template =
        (resources > 0).then(|| json(r#"{"uriTemplate": "notes://{id}/text", "name": "Notes"}"#));
    let resource = |n: usize| {
        let definition = json(&format!(r#"{{"uri": "list://{n}", "name": "List"}}"#));
        entry(definition, Effect::Reads)
    };
    let transport = Transport::Http {
        url: "https://files.example/mcp".to_owned(),
        pin: TlsPin::WebPki,
    };
    let server = ServerSpec {
        name: "files".to_owned(),
        display_name: None,
        transport,
    };
    let document = Document {
        servers: vec![server],
        tools: tools.collect(),
        resources: (0..resources).map(resource).collect(),
        resource_templates: Vec::from_iter(template.map(|one| entry(one, Effect::Reads))),
        ..Document::default()
    };
    let text = document.to_text().unwrap();
    Catalog::parse(text.as_bytes(), &Vocabulary::builtin(), Compat::Off).unwrap()
}

fn principal(n: usize) -> Principal {
    Principal {
        name: format!("agent_{n}"),
        attributes: BTreeMap::new(),
    }
}

fn json(text: &str) -> Value {
    cmcp_json::parse(text.as_bytes(), &Limits::REQUEST).unwrap()
}

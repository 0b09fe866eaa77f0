//! What it costs to look at an answer, at arguments, at a definition.
#![expect(
    clippy::expect_used,
    reason = "a bench that cannot be set up has nothing to measure"
)]

use cmcp_json::{Limits, Object, Value, parse};
use cmcp_policy::{
    Compat,
    catalog::{Approval, Baa, Catalog, Document, Effect, ServerSpec, TlsPin, Tool, Transport},
    inspect::{Family, inspect, inspect_text},
    scan::scan_definition,
    sensitivity::Vocabulary,
};
use divan::{Bencher, black_box, counter::BytesCount};

fn main() {
    divan::main();
}

const DEFINITION: &str = r#"{"name":"find","description":"Finds records.",
    "inputSchema":{"type":"object","properties":{"query":{"type":"string","maxLength":200},
        "limit":{"type":"integer","minimum":1,"maximum":100},"fields":{"type":"array","items":{"enum":["id","name","mail"]}},
        "where":{"type":"object","properties":{"city":{"type":"string"},"since":{"type":"string"}}}},"required":["query"]},
    "outputSchema":{"type":"object","properties":{"records":{"type":"array","items":{"type":"object",
        "properties":{"id":{"type":"integer"},"name":{"type":"string"},"ssn":{"type":"string"},"note":{"type":"string"}}}}}}}"#;

fn json(text: &str) -> Value {
    parse(text.as_bytes(), &Limits::RESPONSE).expect("the text is ours")
}

fn catalog(redact: &[&str]) -> Catalog {
    let transport = Transport::Http {
        url: "https://example.com/mcp".to_owned(),
        pin: TlsPin::WebPki,
    };
    let tool = Tool {
        server: "web".to_owned(),
        alias: None,
        definition: json(DEFINITION),
        effect: Effect::Reads,
        sensitivity: "public".to_owned(),
        compliance_domain: "external".to_owned(),
        baa: Baa::NotCovered,
        redact: redact
            .iter()
            .map(|path| path.parse().expect("the path is ours"))
            .collect(),
        approval: Approval::default(),
    };
    let servers = vec![ServerSpec {
        name: "web".to_owned(),
        display_name: None,
        transport,
    }];
    let text = Document {
        servers,
        tools: vec![tool],
        ..Document::default()
    }
    .to_text()
    .expect("the document is ours");
    Catalog::parse(text.as_bytes(), &Vocabulary::builtin(), Compat::Off)
        .expect("the catalog is ours")
}

/// Ordinary prose, markdown, code and numbers.
fn prose(bytes: usize) -> String {
    let page = "## Usage\n\nThe service reads `config.toml` and answers on port 8080; see https://example.com/docs?id=42.\n\
        Write to docs@example.com with questions, or open an issue. On 2026-06-05 it served 1,204,117 requests.\n\n\
        ```rust\nlet total: u64 = items.iter().map(|item| item.price * 100).sum();\nassert_eq!(total, 129_900);\n```\n\n\
        | name | kind | note |\n|---|---|---|\n| alpha | string | the token count is 4096 |\n| beta | integer | ignore case |\n\n---\n";
    page.chars().cycle().take(bytes).collect()
}

fn records(count: usize) -> Value {
    let record = |id: usize| {
        format!(
            r#"{{"id":{id},"name":"Person {id}","ssn":"219-09-{:04}","note":"Lives in town {id} since 2019."}}"#,
            id % 9000 + 1000
        )
    };
    let structured = format!(
        r#"{{"records":[{}]}}"#,
        (0..count).map(record).collect::<Vec<_>>().join(",")
    );
    let text = Object::from([("type", "text"), ("text", structured.as_str())]);
    Object::from([
        ("content", Value::from(vec![Value::from(text)])),
        ("structuredContent", json(&structured)),
    ])
    .into()
}

#[divan::bench(args = [4 << 10, 64 << 10, 2 << 20])]
fn look_through_prose(bencher: Bencher<'_, '_>, bytes: usize) {
    let text = prose(bytes);
    bencher
        .counter(BytesCount::of_str(&text))
        .bench(|| inspect_text(black_box(&text), &Family::ALL));
}

#[divan::bench(args = [10, 1000])]
fn inspect_records(bencher: Bencher<'_, '_>, count: usize) {
    let (catalog, result) = (catalog(&[]), records(count));
    let tool = catalog.tool("find").expect("the tool is ours");
    bencher
        .counter(BytesCount::new(result.to_vec().len()))
        .with_inputs(|| result.clone())
        .bench_values(|mut result| inspect(&mut result, tool, &[]));
}

#[divan::bench(args = [10, 1000])]
fn inspect_and_redact_records(bencher: Bencher<'_, '_>, count: usize) {
    let (catalog, result) = (
        catalog(&["$.structuredContent.records[*].ssn"]),
        records(count),
    );
    let tool = catalog.tool("find").expect("the tool is ours");
    bencher
        .counter(BytesCount::new(result.to_vec().len()))
        .with_inputs(|| result.clone())
        .bench_values(|mut result| inspect(&mut result, tool, &[]));
}

#[divan::bench]
fn check_arguments(bencher: Bencher<'_, '_>) {
    let catalog = catalog(&[]);
    let tool = catalog.tool("find").expect("the tool is ours");
    let arguments =
        json(r#"{"query":"name:zoe","limit":20,"fields":["id","mail"],"where":{"city":"Oslo"}}"#);
    bencher.bench(|| tool.check_arguments(black_box(&arguments)));
}

#[divan::bench]
fn look_at_a_definition(bencher: Bencher<'_, '_>) {
    let definition = json(DEFINITION);
    bencher.bench(|| scan_definition(black_box(&definition)));
}

#[divan::bench]
fn digest_of_an_offer(bencher: Bencher<'_, '_>) {
    let catalog = catalog(&[]);
    let tool = catalog.tool("find").expect("the tool is ours");
    let offered = json(DEFINITION);
    bencher.bench(|| tool.offered_digest(black_box(&offered)));
}

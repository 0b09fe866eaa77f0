//! The product's own sample server, as the child process that it is.

use cmcp_json::Value;
use cmcp_policy::catalog::Transport;

use crate::{
    client::{Modern, Session},
    items::{Item, Kind, approving, http},
    resources::contents,
    support::{ALICE, BOB, Gateway, Setup},
};

#[test]
fn the_sample_server_on_a_pipe_is_read_and_asked_alike() {
    let gateway = sample().start();
    let session = Session::open(&gateway, ALICE, "{}");
    let modern = Modern::new(&gateway, BOB);
    for got in [
        session.ask("resources/read", r#"{"uri":"shop://prices"}"#),
        modern.ask("resources/read", r#"{"uri":"shop://prices"}"#),
    ] {
        assert!(contents(&got, "contents").contains("price"), "{got:?}");
    }
    let got = modern.ask("resources/read", r#"{"uri":"orders://O-5001"}"#);
    assert!(contents(&got, "contents").contains("O-5001"), "{got:?}");
    let got = session.ask("resources/read", r#"{"uri":"orders://O-0000"}"#);
    assert_eq!(got.error().0, -32002);
    let got = modern.ask("resources/read", r#"{"uri":"orders://O-0000"}"#);
    assert_eq!(got.error().0, -32602);
    let letter = r#"{"name":"refund_letter","arguments":{"order_id":"O-5001","tone":"formal"}}"#;
    let got = session.ask("prompts/get", letter);
    assert!(contents(&got, "messages").contains("formal"), "{got:?}");
    let completing = r#"{"ref":{"type":"ref/resource","uri":"orders://{id}"},"argument":{"name":"id","value":"O-5"}}"#;
    let got = modern.ask("completion/complete", completing);
    assert!(contents(&got, "completion").contains("O-5001"), "{got:?}");
    // Each principal has a process of its own.
    assert_eq!(children(&gateway), 2);
    session.ask("resources/read", r#"{"uri":"shop://prices"}"#);
    assert_eq!(children(&gateway), 2);
    gateway.finish();
}

/// The product's own sample server as a child process, with what it offers approved.
fn sample() -> Setup {
    let offered = |text: &str, member: &str, item: fn(&str) -> Item| -> Vec<Item> {
        let page = crate::support::json(text);
        let all = page.get(member).and_then(Value::as_array).unwrap().to_vec();
        all.iter().map(|one| item(&one.to_string())).collect()
    };
    let tools = include_str!("../../../tools/src/sample/tools.json");
    let resources = include_str!("../../../tools/src/sample/resources.json");
    let templates = include_str!("../../../tools/src/sample/resource_templates.json");
    let prompts = include_str!("../../../tools/src/sample/prompts.json");
    let items = [
        offered(tools, "tools", |one| Item::new(Kind::Tool, one)),
        offered(resources, "resources", |one| Item::new(Kind::Resource, one)),
        offered(templates, "resourceTemplates", |one| {
            Item::new(Kind::Template, one)
        }),
        offered(prompts, "prompts", |one| Item::new(Kind::Prompt, one)),
    ];
    let mut spec = http("shop", "http://127.0.0.1:1/");
    spec.transport = Transport::Stdio {
        command: env!("CARGO_BIN_EXE_cmcp").to_owned(),
        args: vec!["demo-server".to_owned()],
        env: Vec::new(),
        cwd: None,
        measured: std::collections::BTreeMap::new(),
    };
    approving(&[(spec, items.concat())]).attestation("allow_unmeasured_spawn: true")
}

/// Sample servers that this gateway has running.
fn children(gateway: &Gateway) -> usize {
    let mut parents = vec![gateway.pid()];
    let mut servers = 0;
    while let Some(parent) = parents.pop() {
        for entry in std::fs::read_dir("/proc").unwrap().flatten() {
            let name = entry.file_name().into_string().unwrap_or_default();
            let Ok(pid) = name.parse::<u32>() else {
                continue;
            };
            let read = |file: &str| std::fs::read_to_string(entry.path().join(file));
            let stat = read("stat").unwrap_or_default();
            let fields = stat.rsplit_once(')').map(|(_, rest)| rest.to_owned());
            let fields = fields.unwrap_or_default();
            if fields.split_whitespace().nth(1) == Some(&parent.to_string()) {
                parents.push(pid);
                // Not those that only look after one.
                let line = read("cmdline").unwrap_or_default();
                servers +=
                    usize::from(line.ends_with("demo-server\0") && !line.contains("supervise"));
            }
        }
    }
    servers
}

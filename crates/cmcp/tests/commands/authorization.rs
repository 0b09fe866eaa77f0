//! What `docs/authorization.md` shows is what works.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
};

use cmcp_json::{Limits, parse};
use cmcp_policy::catalog::{Approval, Baa, Document, Effect, ServerSpec, TlsPin, Tool, Transport};

use crate::support::{initialised, run};

fn page() -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/authorization.md");
    fs::read_to_string(file).unwrap()
}

/// The blocks of one language, in order.
fn blocks(language: &str) -> Vec<String> {
    let (page, fence) = (page(), format!("```{language}\n"));
    let opened = page.split(&fence).skip(1);
    opened
        .map(|rest| rest.split("```").next().unwrap().to_owned())
        .collect()
}

/// The servers that the page names, one with a tool.
fn catalog() -> String {
    let server = |name: &str| ServerSpec {
        name: name.to_owned(),
        display_name: None,
        transport: Transport::Http {
            url: format!("https://{name}.example/mcp"),
            pin: TlsPin::WebPki,
        },
    };
    let definition = r#"{"name":"refund_order","inputSchema":{"type":"object"}}"#;
    let tool = Tool {
        server: "shop".to_owned(),
        alias: Some("refund_order".to_owned()),
        definition: parse(definition.as_bytes(), &Limits::DOCUMENT).unwrap(),
        effect: Effect::Writes,
        sensitivity: "public".to_owned(),
        compliance_domain: "external".to_owned(),
        baa: Baa::NotCovered,
        redact: Vec::new(),
        approval: Approval::default(),
    };
    let document = Document {
        servers: ["shop", "tickets", "billing", "reports"].map(server).into(),
        tools: vec![tool],
        ..Document::default()
    };
    document.to_text().unwrap()
}

#[test]
fn every_block_of_configuration_is_one() {
    let yaml = blocks("yaml");
    assert_eq!(yaml.len(), 3);
    let cedar = blocks("cedar").join("\n");
    for block in yaml {
        let folder = initialised();
        fs::write(folder.path().join("catalog.json"), catalog()).unwrap();
        if block.starts_with("oauth:") {
            fs::write(folder.path().join("policies/starter.cedar"), &cedar).unwrap();
        } else {
            let all = "permit(principal, action, resource);";
            fs::write(folder.path().join("policies/starter.cedar"), all).unwrap();
        }
        let config = folder.path().join("cmcp-config.yaml");
        let text = fs::read_to_string(&config).unwrap();
        fs::write(&config, format!("{text}\n{block}")).unwrap();
        let arguments = ["validate-config", "--config", "cmcp-config.yaml"];
        let ran = run(folder.path(), &arguments, &[]);
        assert_eq!(ran.code, 0, "{block}\n{}", ran.err);
    }
}

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _gone = self.0.kill();
        let _ended = self.0.wait();
    }
}

#[test]
fn an_issuer_of_ones_own_lets_its_principals_in() {
    if Command::new("openssl").arg("version").output().is_err() {
        println!("skipped: openssl is not here");
        return;
    }
    let [first, second] = blocks("sh").try_into().unwrap();
    let folder = initialised();
    let config = folder.path().join("cmcp-config.yaml");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, text.replace("127.0.0.1:8443", "127.0.0.1:0")).unwrap();
    let shell = |script: &str| {
        let program = Path::new(env!("CARGO_BIN_EXE_cmcp")).parent().unwrap();
        let mut command = Command::new("bash");
        command
            .args(["-euc", script])
            .current_dir(folder.path())
            .env_clear()
            .env("PATH", format!("{}:/usr/bin:/bin", program.display()))
            .stdin(Stdio::null());
        command
    };
    let first = first.replace("CMCP_DEV_MODE=1 cmcp", "exec env CMCP_DEV_MODE=1 cmcp");
    let mut child = shell(&first).stdout(Stdio::piped()).spawn().unwrap();
    let out = child.stdout.take().unwrap();
    let _running = Running(child);
    let line = BufReader::new(out).lines().next().unwrap().unwrap();
    let port = line.rsplit(':').next().unwrap().to_owned();
    let url = format!("http://127.0.0.1:{port}/tools/list");
    let second = second.replace("http://127.0.0.1:8443/tools/list", &url);
    let answered = shell(&second).output().unwrap();
    let text = String::from_utf8(answered.stdout).unwrap();
    assert!(answered.status.success(), "{text}");
    assert!(
        text.starts_with(r#"{"jsonrpc":"2.0","id":null,"result":{"tools":["#),
        "{text}"
    );
    // Without the token, or with another's, there is no way in.
    let nobody = shell(&second.replace("Bearer $token", "Bearer x$token"))
        .output()
        .unwrap();
    let text = String::from_utf8(nobody.stdout).unwrap();
    assert!(text.contains("INVALID_BEARER_TOKEN"), "{text}");
}

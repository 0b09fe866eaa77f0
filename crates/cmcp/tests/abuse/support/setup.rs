//! The files of a gateway: configuration, catalog, policies, in a folder of their own.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
};

use cmcp_evidence::Sha256Digest;
use cmcp_json::Value;
use cmcp_policy::catalog::{
    Approval, Baa, Document, Effect, ServerSpec, TlsPin, Tool as Entry, Transport,
};
use tempfile::TempDir;

use super::{ALICE, BOB, Gateway, OPERATOR, SECRET, Server, json};

/// One approved tool.
#[derive(Clone)]
pub(crate) struct Tool {
    pub(crate) definition: Value,
    server: &'static str,
    effect: Effect,
    sensitivity: &'static str,
}

impl Tool {
    /// Confirmed as only reading.
    pub(crate) fn reads(definition: &str) -> Self {
        Self {
            definition: json(definition),
            server: "up",
            effect: Effect::Reads,
            sensitivity: "public",
        }
    }

    pub(crate) fn writes(definition: &str) -> Self {
        Self {
            effect: Effect::Writes,
            ..Self::reads(definition)
        }
    }

    /// A tool that takes nothing in particular.
    pub(crate) fn named(name: &str) -> Self {
        let name = Value::from(name);
        Self::reads(&format!(
            r#"{{"name":{name},"description":"Does something.","inputSchema":{{"type":"object","properties":{{"n":{{"type":"integer"}}}}}}}}"#
        ))
    }

    pub(crate) fn labelled(self, sensitivity: &'static str) -> Self {
        Self {
            sensitivity,
            ..self
        }
    }

    pub(crate) fn of(self, server: &'static str) -> Self {
        Self { server, ..self }
    }

    fn entry(&self) -> Entry {
        Entry {
            server: self.server.to_owned(),
            alias: None,
            definition: self.definition.clone(),
            effect: self.effect,
            sensitivity: self.sensitivity.to_owned(),
            compliance_domain: "external".to_owned(),
            baa: Baa::NotCovered,
            redact: Vec::new(),
            approval: Approval::default(),
        }
    }
}

/// Gives a text back.
pub(crate) const ECHO: &str = r#"{"name":"echo","title":"Echo","description":"Gives a text back.","inputSchema":{"type":"object","properties":{"text":{"type":"string","description":"What to give back."}},"required":["text"],"additionalProperties":false},"annotations":{"title":"Echo","readOnlyHint":true}}"#;
/// Moves money.
pub(crate) const PAY: &str = r#"{"name":"pay","description":"Pays an amount.","inputSchema":{"type":"object","properties":{"amount":{"type":"integer"},"price":{"type":"number"},"note":{"type":"string"},"owner":{"type":["string","null"]},"extra":{"type":"object"}}}}"#;
/// Everything is permitted but large payments.
pub(crate) const POLICY: &str = r#"
@id("all")
permit(principal, action, resource);
@id("limit")
@approver("finance@example.com")
forbid(principal, action == Action::"call_tool", resource == Resource::"pay")
when { context.arguments has amount && context.arguments.amount > 1000 };
"#;

/// Everything is permitted.
pub(crate) const ALL: &str = "permit(principal, action, resource);";

/// What a gateway is started with.
pub(crate) struct Setup {
    servers: Vec<ServerSpec>,
    tools: Vec<Tool>,
    policy: String,
    settings: String,
    attestation: String,
    catalog: Option<String>,
    environment: BTreeMap<String, String>,
    principals: Vec<(&'static str, &'static str)>,
    prefix: Vec<String>,
}

impl Setup {
    /// A gateway before nothing yet.
    pub(crate) fn empty() -> Self {
        let environment = [
            ("CMCP_DEV_MODE", "1"),
            ("CMCP_OPERATOR_TOKEN", OPERATOR),
            ("BACKUP_PASSPHRASE", SECRET),
        ];
        let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned()));
        Self {
            servers: Vec::new(),
            tools: Vec::new(),
            policy: POLICY.to_owned(),
            settings: String::new(),
            attestation: String::new(),
            catalog: None,
            environment: environment.into(),
            principals: vec![("alice", ALICE), ("bob", BOB)],
            prefix: Vec::new(),
        }
    }

    /// A gateway before one server.
    pub(crate) fn before(server: &Server, tools: &[Tool]) -> Self {
        Self::empty().server("up", &server.url).tools(tools)
    }

    /// A server with the usual two tools, and a gateway before it.
    pub(crate) fn usual() -> (Server, Self) {
        let tools = [Tool::reads(ECHO), Tool::writes(PAY)];
        let server = Server::offering(&definitions(&tools));
        let setup = Self::before(&server, &tools);
        (server, setup)
    }

    pub(crate) fn server(mut self, name: &str, url: &str) -> Self {
        self.servers.push(ServerSpec {
            name: name.to_owned(),
            display_name: None,
            transport: Transport::Http {
                url: url.to_owned(),
                pin: TlsPin::WebPki,
            },
        });
        self
    }

    /// The product's own sample server, as a child process that nobody measured.
    pub(crate) fn child(mut self, name: &str) -> Self {
        self.servers.push(ServerSpec {
            name: name.to_owned(),
            display_name: None,
            transport: Transport::Stdio {
                command: env!("CARGO_BIN_EXE_cmcp").to_owned(),
                args: vec!["demo-server".to_owned()],
                env: Vec::new(),
                cwd: None,
                measured: BTreeMap::new(),
            },
        });
        self.attestation("allow_unmeasured_spawn: true")
    }

    /// A child process as the catalog would describe it.
    pub(crate) fn process(mut self, name: &str, transport: Transport) -> Self {
        self.servers.push(ServerSpec {
            name: name.to_owned(),
            display_name: None,
            transport,
        });
        self
    }

    pub(crate) fn tools(mut self, tools: &[Tool]) -> Self {
        self.tools.extend_from_slice(tools);
        self
    }

    pub(crate) fn policy(self, policy: &str) -> Self {
        Self {
            policy: policy.to_owned(),
            ..self
        }
    }

    /// Lines of the configuration.
    pub(crate) fn settings(mut self, lines: &str) -> Self {
        self.settings.push_str(lines);
        self
    }

    /// A line of the configuration's section `attestation`.
    pub(crate) fn attestation(mut self, line: &str) -> Self {
        self.attestation.push_str(&format!("  {line}\n"));
        self
    }

    /// The catalog's text, whatever it says.
    pub(crate) fn catalog(self, text: &str) -> Self {
        Self {
            catalog: Some(text.to_owned()),
            ..self
        }
    }

    pub(crate) fn variable(mut self, name: &str, value: &str) -> Self {
        self.environment.insert(name.to_owned(), value.to_owned());
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.environment.remove(name);
        self
    }

    /// Nobody has a token.
    pub(crate) fn open(self) -> Self {
        let principals = Vec::new();
        Self { principals, ..self }
    }

    /// The binary is started by this shell script, which has to `exec "$@"`.
    pub(crate) fn through(self, command: &[&str]) -> Self {
        Self {
            prefix: command.iter().map(|&word| word.to_owned()).collect(),
            ..self
        }
    }

    /// Writes the files.
    pub(crate) fn prepare(self) -> Arc<Prepared> {
        let folder = tempfile::tempdir().unwrap();
        let place = |name: &str| folder.path().join(name);
        fs::create_dir(place("policies")).unwrap();
        fs::write(place("policies/main.cedar"), &self.policy).unwrap();
        fs::write(place("policies/manifest.json"), MANIFEST).unwrap();
        fs::write(place("policies/schema.cedarschema"), "").unwrap();
        let document = Document {
            servers: self.servers,
            tools: self.tools.iter().map(Tool::entry).collect(),
            ..Document::default()
        };
        let catalog = self.catalog.unwrap_or_else(|| document.to_text().unwrap());
        fs::write(place("catalog.json"), catalog).unwrap();
        let mut settings = self.settings;
        if !self.attestation.is_empty() {
            settings.push_str(&format!("attestation:\n{}", self.attestation));
        }
        for (key, name) in [
            ("policy_bundle_path", "policies"),
            ("catalog_path", "catalog.json"),
            ("audit_db_path", "audit.db"),
        ] {
            if !settings.contains(key) {
                let path = Value::from(place(name).display().to_string());
                settings.push_str(&format!("{key}: {path}\n"));
            }
        }
        if !settings.contains("listen_addr") {
            settings.push_str("listen_addr: \"127.0.0.1:0\"\n");
        }
        if !self.principals.is_empty() {
            settings.push_str("principals:\n");
        }
        for (name, token) in self.principals {
            let hash = Sha256Digest::of(token.as_bytes()).hex();
            settings.push_str(&format!("  - name: {name}\n    token_sha256: \"{hash}\"\n"));
        }
        fs::write(place("cmcp-config.yaml"), settings).unwrap();
        Arc::new(Prepared {
            folder,
            environment: self.environment,
            prefix: self.prefix,
        })
    }

    pub(crate) fn start(self) -> Gateway {
        self.prepare().start()
    }

    /// What a start that has to fail says.
    pub(crate) fn fail(self) -> Failed {
        self.prepare().fail()
    }
}

/// Files, written; gateways may be started on them one after the other.
pub(crate) struct Prepared {
    folder: TempDir,
    environment: BTreeMap<String, String>,
    prefix: Vec<String>,
}

/// A start that failed.
#[derive(Debug)]
pub(crate) struct Failed {
    pub(crate) code: Option<i32>,
    pub(crate) stderr: String,
}

impl Failed {
    /// The failure is told in so many lines, and nothing else is.
    pub(crate) fn errors(&self) -> Vec<&str> {
        let lines = self.stderr.lines();
        lines.filter(|line| line.starts_with("error: ")).collect()
    }
}

impl Prepared {
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// `cmcp start`, ready to be run.
    pub(crate) fn command(&self) -> Command {
        let mut words = self.prefix.clone();
        words.push(env!("CARGO_BIN_EXE_cmcp").to_owned());
        let mut command = Command::new(&words[0]);
        command
            .args(&words[1..])
            .arg("start")
            .arg("--config")
            .arg(self.path("cmcp-config.yaml"))
            .current_dir(self.folder())
            .env_clear()
            .env("PATH", "/usr/bin:/bin:/usr/sbin:/sbin")
            .envs(&self.environment)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    pub(crate) fn start(self: &Arc<Self>) -> Gateway {
        Gateway::start(self).unwrap_or_else(|failed| panic!("did not start: {failed:?}"))
    }

    pub(crate) fn fail(self: &Arc<Self>) -> Failed {
        match Gateway::start(self) {
            Ok(_) => panic!("it started"),
            Err(failed) => failed,
        }
    }

    /// Another command of the binary.
    pub(crate) fn run(&self, arguments: &[&str]) -> (i32, String) {
        let output = Command::new(env!("CARGO_BIN_EXE_cmcp"))
            .args(arguments)
            .current_dir(self.folder())
            .output()
            .unwrap();
        let text = [output.stdout, output.stderr].concat();
        (
            output.status.code().unwrap(),
            String::from_utf8(text).unwrap(),
        )
    }
}

pub(crate) fn definitions(tools: &[Tool]) -> Vec<Value> {
    tools.iter().map(|tool| tool.definition.clone()).collect()
}

const MANIFEST: &str = r#"{"version":"1","authored_at":"2026-11-01T00:00:00Z","author_identity":"tests","commit_sha":"0000000"}"#;

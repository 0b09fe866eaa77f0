//! Small catalogs, bundles and calls for tests.

use std::{collections::BTreeMap, path::PathBuf};

use cmcp_json::{Limits, Value};

use crate::{
    Compat,
    bundle::{BundleError, PolicyBundle, PolicyError, Warning},
    catalog::{Approval, Baa, Catalog, Document, Effect, ServerSpec, TlsPin, Tool, Transport},
    decide::{Action, Decision, Facts, Phase},
    engine::{AttributeValue, Engine, EngineInput, Principal},
    sensitivity::Vocabulary,
    session::SessionView,
};

pub(crate) fn json(text: &str) -> Value {
    cmcp_json::parse(text.as_bytes(), &Limits::REQUEST).unwrap()
}

/// The files of a bundle with this one policy file.
pub(crate) fn files(policies: &str) -> Vec<(String, Vec<u8>)> {
    let manifest = r#"{"version": "1.0.0", "authored_at": "2026-06-05T00:00:00Z",
        "author_identity": "a@example.com", "commit_sha": "0"}"#;
    [
        ("manifest.json", manifest),
        ("schema.cedarschema", "{}"),
        ("p.cedar", policies),
    ]
    .map(|(path, text)| (path.to_owned(), text.as_bytes().to_vec()))
    .to_vec()
}

pub(crate) fn bundle(policies: &str, compat: Compat) -> Result<PolicyBundle, Vec<BundleError>> {
    PolicyBundle::parse(&files(policies), compat)
}

/// A tool of the only server, with the properties of its input schema.
pub(crate) fn tool(name: &str, properties: &str) -> Tool {
    raw_tool(
        name,
        &format!(r#"{{"type": "object", "properties": {properties}}}"#),
    )
}

pub(crate) fn raw_tool(name: &str, input_schema: &str) -> Tool {
    Tool {
        server: "files".to_owned(),
        alias: Some(name.to_owned()),
        definition: json(&format!(
            r#"{{"name": "{name}", "description": "D.", "inputSchema": {input_schema}}}"#
        )),
        effect: Effect::Writes,
        sensitivity: "public".to_owned(),
        compliance_domain: "internal".to_owned(),
        baa: Baa::NotCovered,
        redact: Vec::new(),
        approval: Approval::default(),
    }
}

/// A resource of the only server.
pub(crate) fn resource(uri: &str) -> Tool {
    defined(&format!(
        r#"{{"uri": "{uri}", "name": "R", "mimeType": "text/plain"}}"#
    ))
}

/// A resource template of the only server.
pub(crate) fn template(uri_template: &str) -> Tool {
    defined(&format!(
        r#"{{"uriTemplate": "{uri_template}", "name": "T"}}"#
    ))
}

/// A prompt of the only server, with the arguments that it declares.
pub(crate) fn prompt(name: &str, arguments: &str) -> Tool {
    let definition = format!(r#"{{"name": "{name}", "arguments": {arguments}}}"#);
    Tool {
        alias: Some(name.to_owned()),
        ..defined(&definition)
    }
}

fn defined(definition: &str) -> Tool {
    Tool {
        alias: None,
        definition: json(definition),
        effect: Effect::Reads,
        ..tool("any", "{}")
    }
}

pub(crate) fn catalog(tools: Vec<Tool>) -> Catalog {
    catalog_of(Document {
        tools,
        ..Document::default()
    })
}

/// The catalog of a document, all of it of the one server `files`.
pub(crate) fn catalog_of(document: Document) -> Catalog {
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
        ..document
    };
    let text = document.to_text().unwrap();
    Catalog::parse(text.as_bytes(), &Vocabulary::builtin(), Compat::Off).unwrap()
}

/// An engine with its catalog, and a call waiting to be judged.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) engine: Engine,
    pub(crate) catalog: Catalog,
    pub(crate) warnings: Vec<Warning>,
    pub(crate) session: SessionView,
    pub(crate) workflow: String,
}

pub(crate) fn load(
    policies: &str,
    catalog: Catalog,
    principals: &[Principal],
    compat: Compat,
) -> Result<World, Vec<PolicyError>> {
    let bundle = bundle(policies, compat).unwrap();
    load_bundle(&bundle, catalog, principals, compat)
}

pub(crate) fn load_bundle(
    bundle: &PolicyBundle,
    catalog: Catalog,
    principals: &[Principal],
    compat: Compat,
) -> Result<World, Vec<PolicyError>> {
    let vocabulary = Vocabulary::builtin();
    let input = EngineInput {
        bundle,
        catalog: &catalog,
        principals,
        vocabulary: &vocabulary,
        compat,
    };
    let (engine, warnings) = Engine::load(input)?;
    let (session, workflow) = (SessionView::default(), "default".to_owned());
    Ok(World {
        engine,
        catalog,
        warnings,
        session,
        workflow,
    })
}

/// An engine that loads, without principals.
pub(crate) fn world(policies: &str, tools: Vec<Tool>) -> World {
    match load(policies, catalog(tools), &[], Compat::Off) {
        Ok(world) => world,
        Err(errors) => panic!("{}", told(&errors)),
    }
}

/// What is said of policies that do not load.
pub(crate) fn refused(policies: &str, tools: Vec<Tool>) -> String {
    told(&load(policies, catalog(tools), &[], Compat::Off).unwrap_err())
}

pub(crate) fn told<T: ToString>(errors: &[T]) -> String {
    errors
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("\n")
}

impl World {
    pub(crate) fn facts<'a>(
        &'a self,
        principal: &'a Principal,
        tool: &str,
        arguments: &'a Value,
    ) -> Facts<'a> {
        let tool = self.catalog.tool(tool).unwrap();
        Facts {
            action: Action::CallTool,
            phase: Phase::Ingress,
            principal,
            item: Some(tool),
            target: &tool.name,
            asked_by: "",
            elicit_mode: "",
            server: self.catalog.server_of(tool).unwrap(),
            arguments,
            session: &self.session,
            workflow_id: &self.workflow,
            attestation_platform: "software",
        }
    }

    /// A question about what is not a tool: the item that the catalog has for the target, or the server
    /// where it has none.
    pub(crate) fn about<'a>(
        &'a self,
        principal: &'a Principal,
        (action, target): (Action, &'a str),
        arguments: &'a Value,
    ) -> Facts<'a> {
        let item = match action {
            Action::CallTool => self.catalog.tool(target),
            Action::ReadResource | Action::Subscribe => self.catalog.resource(target),
            Action::GetPrompt => self.catalog.prompt(target),
            Action::Complete => self
                .catalog
                .prompt(target)
                .or_else(|| self.catalog.template(target)),
            Action::ListResources | Action::Sample | Action::Elicit | Action::ListRoots => None,
        };
        Facts {
            action,
            phase: Phase::Ingress,
            principal,
            item,
            target,
            asked_by: "",
            elicit_mode: "",
            server: &self.catalog.servers()[0],
            arguments,
            session: &self.session,
            workflow_id: &self.workflow,
            attestation_platform: "software",
        }
    }

    /// Whether that is permitted to the anonymous principal.
    pub(crate) fn allows(&self, action: Action, target: &str) -> bool {
        let (anonymous, arguments) = (Principal::anonymous(), json("{}"));
        let facts = self.about(&anonymous, (action, target), &arguments);
        self.engine.decide(&facts).is_permit()
    }

    pub(crate) fn decide_as(&self, principal: &Principal, tool: &str, arguments: &str) -> Decision {
        self.engine
            .decide(&self.facts(principal, tool, &json(arguments)))
    }

    pub(crate) fn decide(&self, tool: &str, arguments: &str) -> Decision {
        self.decide_as(&Principal::anonymous(), tool, arguments)
    }

    pub(crate) fn permits(&self, tool: &str, arguments: &str) -> bool {
        self.decide(tool, arguments).is_permit()
    }

    pub(crate) fn shows(&self, principal: &Principal, tool: &str) -> bool {
        self.engine
            .visible(principal, self.catalog.tool(tool).unwrap())
    }
}

pub(crate) fn principal(name: &str, attributes: &[(&str, AttributeValue)]) -> Principal {
    let attributes: BTreeMap<_, _> = attributes
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.clone()))
        .collect();
    Principal {
        name: name.to_owned(),
        attributes,
    }
}

/// A file shared with the project; `None`, said aloud, where it is not.
#[expect(
    clippy::disallowed_methods,
    reason = "whether its absence is a failure is said by `CI`"
)]
pub(crate) fn shared(path: &str) -> Option<Vec<u8>> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    if !root.exists() {
        assert!(
            std::env::var("CI").as_deref() != Ok("true"),
            "../shared is not here"
        );
        println!("skipped: ../shared is not here");
        return None;
    }
    Some(std::fs::read(root.join(path)).unwrap())
}

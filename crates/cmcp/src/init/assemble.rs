//! The catalog and the starter bundle for what was found: pure, so that it is tested without
//! servers.

use std::collections::BTreeSet;

use cmcp_evidence::Timestamp;
use cmcp_json::Value;
use cmcp_policy::{
    Compat,
    bundle::PolicyBundle,
    catalog::{
        Approval, Baa, Catalog, CatalogError, CatalogErrorKind, Document, Effect, ServerSpec, Tool,
        Transport,
    },
    engine::{Engine, EngineInput},
    scan::{OtherTool, ScanFinding, Severity, scan_against, scan_definition},
    sensitivity::Vocabulary,
};

use crate::init::{
    InitError,
    starter::{self, PolicyFile},
};

/// A server with the tools it offers.
#[derive(Clone, Debug)]
pub(crate) struct Offer {
    pub(crate) spec: ServerSpec,
    pub(crate) tools: Vec<Value>,
}

/// Tools as they would stand in the catalog, before anybody said what they do.
#[derive(Debug)]
pub(crate) struct Draft {
    document: Document,
    catalog: Catalog,
    /// One for each tool of the catalog, in its order.
    pub(crate) candidates: Vec<Candidate>,
    /// Tools and variables that cannot be taken over, with the reason.
    pub(crate) left_out: Vec<String>,
}

/// A tool that may be approved.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    /// The name callers would use.
    pub(crate) name: String,
    pub(crate) server: String,
    /// What the server says of its effects; never authority.
    pub(crate) hint: Hint,
    pub(crate) findings: Vec<ScanFinding>,
}

/// What a server says of a tool's effects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hint {
    Nothing,
    Reads,
    Writes,
}

impl Hint {
    fn of(definition: &Value) -> Self {
        let hint = definition
            .get("annotations")
            .and_then(|hints| hints.get("readOnlyHint"));
        match hint.and_then(Value::as_bool) {
            Some(true) => Self::Reads,
            Some(false) => Self::Writes,
            None => Self::Nothing,
        }
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Nothing => "",
            Self::Reads => "reads",
            Self::Writes => "writes",
        }
    }
}

impl Candidate {
    /// Whether its server's hint may be taken: a definition that looks unusual gets no credit.
    pub(crate) fn hint_is_acceptable(&self) -> bool {
        self.hint == Hint::Reads
            && self
                .findings
                .iter()
                .all(|finding| finding.severity == Severity::Hint)
    }
}

/// Everything that is written, and what it comes to.
#[derive(Debug)]
pub(crate) struct Assembled {
    pub(crate) catalog: Catalog,
    pub(crate) catalog_text: String,
    pub(crate) bundle: PolicyBundle,
    pub(crate) bundle_files: Vec<(String, Vec<u8>)>,
}

/// Drafts the catalog. What the catalog's reader would refuse is left out, with its reason.
pub(crate) fn draft(
    offers: Vec<Offer>,
    approver: &str,
    now: Timestamp,
) -> Result<Draft, InitError> {
    let approval = Approval {
        by: Some(approver.to_owned()),
        at: Some(now),
    };
    let mut document = Document {
        servers: Vec::new(),
        tools: Vec::new(),
    };
    for Offer { spec, tools } in offers {
        document
            .tools
            .extend(tools.into_iter().map(|definition| Tool {
                server: spec.name.clone(),
                alias: None,
                definition,
                effect: Effect::Writes,
                sensitivity: "public".to_owned(),
                compliance_domain: "external".to_owned(),
                baa: Baa::NotCovered,
                redact: Vec::new(),
                approval: approval.clone(),
            }));
        document.servers.push(spec);
    }
    let mut left_out = Vec::new();
    let catalog = settle(&mut document, &mut left_out)?;
    if catalog.tools().is_empty() {
        return Err(InitError::Nothing);
    }
    let candidates = candidates(&document, &catalog);
    Ok(Draft {
        document,
        catalog,
        candidates,
        left_out,
    })
}

/// Takes out what the reader faults, until nothing is left to fault.
fn settle(document: &mut Document, left_out: &mut Vec<String>) -> Result<Catalog, InitError> {
    loop {
        let text = document.to_text()?;
        let errors = match parse(&text) {
            Ok(catalog) => return Ok(catalog),
            Err(errors) => errors,
        };
        let before = (document.tools.len(), left_out.len());
        let mut doomed = BTreeSet::new();
        for error in &errors {
            match (&error.kind, tool_index(&error.place)) {
                (
                    CatalogErrorKind::ForbiddenVariable(name) | CatalogErrorKind::Variable(name),
                    None,
                ) => {
                    forget_variable(document, name);
                    left_out.push(format!("variable `{name}`: {}", error.kind));
                }
                (_, Some(index)) => {
                    if doomed.insert(index) {
                        left_out.push(format!("{}: {}", tool_name(document, index), error.kind));
                    }
                }
                (_, None) => {}
            }
        }
        let mut index = 0usize;
        document.tools.retain(|_| {
            let keep = !doomed.contains(&index);
            index = index.saturating_add(1);
            keep
        });
        if before == (document.tools.len(), left_out.len()) {
            return match errors.into_iter().next() {
                Some(error) => Err(InitError::Catalog(Box::new(error))),
                None => Err(InitError::Nothing),
            };
        }
    }
}

impl Draft {
    /// The whole, with the named tools confirmed as only reading and `policy` as the bundle's.
    pub(crate) fn approve(
        mut self,
        reading: &BTreeSet<String>,
        (author, now): (&str, Timestamp),
        policy: PolicyFile,
    ) -> Result<Assembled, InitError> {
        for name in reading {
            if !self
                .candidates
                .iter()
                .any(|candidate| candidate.name == *name)
            {
                let known: Vec<String> = self
                    .candidates
                    .iter()
                    .map(|known| format!("`{}`", known.name))
                    .collect();
                return Err(InitError::ReadOnly {
                    name: name.clone(),
                    known: known.join(", "),
                });
            }
        }
        for (tool, approved) in self.document.tools.iter_mut().zip(self.catalog.tools()) {
            if reading.contains(&approved.name) {
                tool.effect = Effect::Reads;
            }
        }
        let catalog_text = self.document.to_text()?;
        let catalog = parse(&catalog_text).map_err(|errors| first(errors, InitError::Catalog))?;
        let manifest = starter::manifest(author, now);
        // The schema follows from the catalog; the bundle holds it as a document of its own.
        let schema = engine(&bundle(&manifest, "", policy)?, &catalog)?
            .schema_text()
            .to_owned();
        let bundle_files = starter::bundle(&manifest, &schema, policy);
        let bundle = bundle(&manifest, &schema, policy)?;
        Ok(Assembled {
            catalog,
            catalog_text,
            bundle,
            bundle_files,
        })
    }
}

fn candidates(document: &Document, catalog: &Catalog) -> Vec<Candidate> {
    let others: Vec<OtherTool<'_>> = document
        .tools
        .iter()
        .zip(catalog.tools())
        .map(|(tool, approved)| OtherTool {
            server: &tool.server,
            name: &approved.upstream_name,
        })
        .collect();
    document
        .tools
        .iter()
        .zip(catalog.tools())
        .map(|(tool, approved)| {
            let mut findings = scan_definition(&tool.definition);
            findings.extend(scan_against(&tool.server, &tool.definition, &others));
            Candidate {
                name: approved.name.clone(),
                server: tool.server.clone(),
                hint: Hint::of(&tool.definition),
                findings,
            }
        })
        .collect()
}

fn parse(text: &str) -> Result<Catalog, Vec<CatalogError>> {
    Catalog::parse(text.as_bytes(), &Vocabulary::builtin(), Compat::Off)
}

fn bundle(manifest: &str, schema: &str, policy: PolicyFile) -> Result<PolicyBundle, InitError> {
    PolicyBundle::parse(&starter::bundle(manifest, schema, policy), Compat::Off)
        .map_err(|errors| first(errors, InitError::Bundle))
}

fn engine(bundle: &PolicyBundle, catalog: &Catalog) -> Result<Engine, InitError> {
    let vocabulary = Vocabulary::builtin();
    let input = EngineInput {
        bundle,
        catalog,
        principals: &[],
        vocabulary: &vocabulary,
        compat: Compat::Off,
    };
    Engine::load(input)
        .map(|(engine, _)| engine)
        .map_err(|errors| first(errors, InitError::Policy))
}

fn first<E>(errors: Vec<E>, wrap: fn(Box<E>) -> InitError) -> InitError {
    let first = errors.into_iter().next();
    first.map_or(InitError::Nothing, |error| wrap(Box::new(error)))
}

/// The index in `tools[3]…`.
fn tool_index(place: &str) -> Option<usize> {
    place
        .strip_prefix("tools[")?
        .split(']')
        .next()?
        .parse()
        .ok()
}

fn tool_name(document: &Document, index: usize) -> String {
    let tool = document.tools.get(index);
    let name = tool
        .and_then(|tool| tool.definition.get("name"))
        .and_then(Value::as_str);
    let server = tool.map_or("", |tool| tool.server.as_str());
    format!(
        "tool `{}` of `{server}`",
        name.unwrap_or_default().escape_debug()
    )
}

fn forget_variable(document: &mut Document, name: &str) {
    for server in &mut document.servers {
        match &mut server.transport {
            Transport::Stdio { env, .. } => env.retain(|known| known != name),
            Transport::Http { .. } => {}
        }
    }
}

#[cfg(test)]
mod tests;

//! The catalog and the starter bundle for what was found: pure, so that it is tested without
//! servers.

use std::collections::BTreeSet;

use cmcp_evidence::Timestamp;
use cmcp_json::Value;
use cmcp_policy::{
    Compat,
    bundle::PolicyBundle,
    catalog::{
        Approval, Baa, Catalog, CatalogError, CatalogErrorKind, Document, Effect, ItemKind,
        ServerSpec, Tool, Transport,
    },
    engine::{Engine, EngineInput},
    scan::{OtherTool, ScanFinding, Severity, scan_against, scan_definition},
    sensitivity::Vocabulary,
};

use crate::init::{
    InitError,
    starter::{self, PolicyFile},
};

/// A server with what it offers.
#[derive(Clone, Debug)]
pub(crate) struct Offer {
    pub(crate) spec: ServerSpec,
    pub(crate) items: Vec<(ItemKind, Value)>,
}

/// What servers offer as it would stand in the catalog, before anybody said what the tools do.
#[derive(Debug)]
pub(crate) struct Draft {
    document: Document,
    catalog: Catalog,
    /// One for each item of the catalog: tools, resources, templates, prompts.
    pub(crate) candidates: Vec<Candidate>,
    /// Items and variables that cannot be taken over, with the reason.
    pub(crate) left_out: Vec<String>,
}

/// Something that may be approved.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    pub(crate) kind: ItemKind,
    /// The name callers would use, or its URI.
    pub(crate) name: String,
    pub(crate) server: String,
    /// What the server says of a tool's effects; never authority.
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
        self.kind == ItemKind::Tool
            && self.hint == Hint::Reads
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
    let mut document = Document::default();
    for Offer { spec, items } in offers {
        for (kind, definition) in items {
            let entry = entry(kind, &spec.name, definition, &approval);
            document.items_mut(kind).push(entry);
        }
        document.servers.push(spec);
    }
    let mut left_out = Vec::new();
    let catalog = settle(&mut document, &mut left_out)?;
    if catalog.all().next().is_none() {
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

/// An item that nobody has looked at yet: a tool may do anything, whatever its server says of it; the
/// others are read.
pub(crate) fn entry(kind: ItemKind, server: &str, definition: Value, approval: &Approval) -> Tool {
    Tool {
        server: server.to_owned(),
        alias: None,
        definition,
        effect: match kind {
            ItemKind::Tool => Effect::Writes,
            ItemKind::Resource | ItemKind::ResourceTemplate | ItemKind::Prompt => Effect::Reads,
        },
        sensitivity: "public".to_owned(),
        compliance_domain: "external".to_owned(),
        baa: Baa::NotCovered,
        redact: Vec::new(),
        approval: approval.clone(),
    }
}

/// Takes out what the reader faults, until nothing is left to fault.
fn settle(document: &mut Document, left_out: &mut Vec<String>) -> Result<Catalog, InitError> {
    loop {
        let text = document.to_text()?;
        let errors = match parse(&text) {
            Ok(catalog) => return Ok(catalog),
            Err(errors) => errors,
        };
        let before = (count(document), left_out.len());
        let mut doomed = BTreeSet::new();
        for error in &errors {
            match (&error.kind, item_of(&error.place)) {
                (
                    CatalogErrorKind::ForbiddenVariable(name) | CatalogErrorKind::Variable(name),
                    None,
                ) => {
                    forget_variable(document, name);
                    left_out.push(format!("variable `{name}`: {}", error.kind));
                }
                (_, Some(item)) => {
                    if doomed.insert(item) {
                        left_out.push(format!("{}: {}", item_name(document, item), error.kind));
                    }
                }
                (_, None) => {}
            }
        }
        for kind in ItemKind::ALL {
            let mut index = 0usize;
            document.items_mut(kind).retain(|_| {
                let keep = !doomed.contains(&(kind, index));
                index = index.saturating_add(1);
                keep
            });
        }
        if before == (count(document), left_out.len()) {
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
        let tools = || {
            let tools = self.candidates.iter();
            tools.filter(|candidate| candidate.kind == ItemKind::Tool)
        };
        for name in reading {
            if !tools().any(|tool| tool.name == *name) {
                let known: Vec<String> = tools().map(|tool| format!("`{}`", tool.name)).collect();
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
    let entries = ItemKind::ALL
        .into_iter()
        .flat_map(|kind| document.items(kind));
    entries
        .zip(catalog.all())
        .map(|(entry, approved)| {
            let mut findings = scan_definition(&entry.definition);
            findings.extend(scan_against(&entry.server, &entry.definition, &others));
            Candidate {
                kind: approved.kind,
                name: approved.name.clone(),
                server: entry.server.clone(),
                hint: Hint::of(&entry.definition),
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

/// The kind and the index in `tools[3]…`, `prompts[0]…`.
fn item_of(place: &str) -> Option<(ItemKind, usize)> {
    let (member, rest) = place.split_once('[')?;
    let kind = ItemKind::ALL
        .into_iter()
        .find(|kind| kind.member() == member)?;
    let index = rest.split(']').next()?.parse().ok()?;
    Some((kind, index))
}

fn item_name(document: &Document, (kind, index): (ItemKind, usize)) -> String {
    let entry = document.items(kind).get(index);
    let name = entry
        .and_then(|entry| entry.definition.get(kind.identity()))
        .and_then(Value::as_str);
    let server = entry.map_or("", |entry| entry.server.as_str());
    format!(
        "{kind} `{}` of `{server}`",
        name.unwrap_or_default().escape_debug()
    )
}

fn count(document: &Document) -> usize {
    let counts = ItemKind::ALL.map(|kind| document.items(kind).len());
    counts.into_iter().fold(0, usize::saturating_add)
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

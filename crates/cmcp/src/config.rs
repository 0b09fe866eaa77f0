//! The configuration: the one reader of the environment and of the operator's files.
//!
//! A file becomes a tree with places ([`yaml`]), the tree one checked value per key of one table
//! ([`values`], [`keys`]), and those, with the environment, types that cannot be wrong
//! ([`Config`]). Whatever is wrong on the way is collected, so that one run names every problem.

pub(crate) mod code;
pub(crate) mod digest;
pub(crate) mod documents;
pub(crate) mod environment;
pub(crate) mod evidence;
pub(crate) mod fault;
pub(crate) mod files;
pub(crate) mod handover;
pub(crate) mod key;
pub(crate) mod keys;
pub(crate) mod listen;
pub(crate) mod pins;
pub(crate) mod principals;
pub(crate) mod secret;
mod settings;
pub(crate) mod shape;
pub(crate) mod suggest;
pub(crate) mod values;
pub(crate) mod yaml;

pub(crate) use settings::host_name;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use cmcp_gateway::{
    Hosts, LimitSettings, Listen, PrincipalEntry, SinkPolicy, TokenHash, UpstreamCredential,
    oauth::Oauth,
};
use cmcp_policy::{
    Compat, catalog::Catalog, engine::Principal, mode::Mode, path::JsonPath,
    sensitivity::Vocabulary,
};

use crate::config::{
    digest::Effective,
    documents::{Documents, Sources},
    environment::Environment,
    evidence::EvidenceSource,
    fault::{Fault, Problem},
    pins::Pins,
    settings::Credentials,
    values::Values,
    yaml::{Node, Position, Tree},
};

/// What is asked of the reader.
pub(crate) struct Request<'a> {
    pub(crate) file: &'a Path,
    pub(crate) environment: &'a Environment,
    pub(crate) purpose: Purpose,
    /// Overrides `attestation.enforcement_mode`.
    pub(crate) enforcement: Option<Mode>,
}

/// Whether a gateway is about to start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Everything a start needs has to be there.
    Start,
    /// Tokens, pins and hardware may still be missing: those belong to the machine that starts.
    Validate,
}

/// A configuration without a fault in it.
#[derive(Debug)]
pub(crate) struct Config {
    pub(crate) values: Values,
    pub(crate) listen: Listen,
    pub(crate) hosts: Hosts,
    /// Names of upstreams that may resolve to private addresses, in lower case.
    pub(crate) private_hosts: Vec<String>,
    pub(crate) principals: Vec<PrincipalEntry>,
    /// Issuers whose tokens let callers in.
    pub(crate) oauth: Option<Arc<Oauth>>,
    /// What servers are shown, by their names in the catalog.
    pub(crate) credentials: BTreeMap<String, UpstreamCredential>,
    pub(crate) limits: LimitSettings,
    pub(crate) operator: Option<TokenHash>,
    pub(crate) mode: Mode,
    pub(crate) compat: Compat,
    pub(crate) vocabulary: Vocabulary,
    pub(crate) sink_policy: Option<SinkPolicy>,
    pub(crate) redact: Vec<JsonPath>,
    pub(crate) trust_domain: String,
    pub(crate) pins: Pins,
    pub(crate) evidence: EvidenceSource,
    pub(crate) session_drain: std::time::Duration,
    pub(crate) database: PathBuf,
    /// What the operator should hear though nothing is wrong.
    pub(crate) notices: Vec<String>,
}

impl Config {
    /// What the configuration digest is taken over.
    pub(crate) fn effective(&self) -> Effective<'_> {
        Effective { config: self }
    }

    /// The principals that policies may name.
    pub(crate) fn known_principals(&self) -> Vec<Principal> {
        let own = self.principals.iter().map(|entry| entry.principal.clone());
        let families = self.oauth.iter().flat_map(|oauth| oauth.families());
        own.chain(families).collect()
    }

    /// Holds what names servers and tools against the catalog.
    fn bind(
        &mut self,
        request: &Request<'_>,
        file: &str,
        catalog: &Catalog,
        problems: &mut Vec<Problem>,
    ) {
        let credentials = Credentials::new(request, file, &self.values, &self.private_hosts);
        self.credentials = credentials.bind(catalog, problems);
        let scopes = self.oauth.iter().flat_map(|oauth| oauth.tool_scopes.keys());
        let scopes = scopes.map(|tool| (&keys::OAUTH_TOOL_SCOPES, tool));
        let limits = self.limits.tools.keys();
        let limits = limits.map(|tool| (&keys::LIMITS_TOOLS, tool));
        for (key, tool) in scopes.chain(limits) {
            if catalog.tool(tool).is_none() {
                let at = self.values.position(key);
                let (key, tool) = (key.path.to_owned(), tool.clone());
                problems.push(Problem::at(file, at, Fault::UnknownTool { key, tool }));
            }
        }
    }

    /// What weakens a check, for the log of every start.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let mut warnings: Vec<String> = self
            .evidence
            .warning()
            .into_iter()
            .map(str::to_owned)
            .collect();
        if self.values.flag(&keys::DANGER_PLAIN_HTTP) {
            warnings.push("`danger_plain_http: true`: tokens and data cross the network in the clear unless something in front does TLS".to_owned());
        }
        if self.values.flag(&keys::ALLOW_UNMEASURED_SPAWN) {
            warnings.push(
                "`attestation.allow_unmeasured_spawn: true`: servers may run that nobody measured"
                    .to_owned(),
            );
        }
        if !self.private_hosts.is_empty() {
            warnings.push(format!(
                "`upstreams.allow_private_hosts`: these names may resolve to addresses of private networks: {}",
                self.private_hosts.join(", ")
            ));
        }
        if self.compat == Compat::V07 {
            warnings.push(
                "`compat: cmcp-0.7`: quirks of the Python cMCP 0.7.1 are in force".to_owned(),
            );
        }
        if self.mode != Mode::Enforcing {
            warnings.push(format!(
                "enforcement mode `{}`: calls that policy denies are let through",
                self.mode
            ));
        }
        if self.values.set(&keys::SESSION_STATE_PATH).is_some() {
            warnings.push("`session_state_path` is not written: what sessions have seen is kept in the database of `audit_db_path`".to_owned());
        }
        warnings
    }
}

/// Reads configuration, policy bundle and catalog, or names every problem of the three.
pub(crate) fn load(request: &Request<'_>) -> Result<(Config, Documents), Vec<Problem>> {
    let Request {
        file, environment, ..
    } = request;
    let mut problems = Vec::new();
    let mut notices = environment.review(&mut problems);
    let name = file.display().to_string();
    let root = match files::read(file, yaml::MAX_BYTES) {
        Ok(read) => {
            problems.extend(read.problems);
            notices.extend(read.notices);
            yaml::parse(&read.bytes).unwrap_or_else(|faults| {
                problems.extend(
                    faults
                        .into_iter()
                        .map(|(at, fault)| Problem::at(&name, at, fault)),
                );
                EMPTY
            })
        }
        Err(problem) => {
            problems.push(problem);
            EMPTY
        }
    };
    let values = Values::read(&name, &root, &mut problems);
    notices.extend(environment.unread(&values.variables()));
    let sources = Sources::of(&values);
    let mut config = settings::build(request, &name, values, &mut problems);
    let documents = documents::load(&sources, config.as_ref(), &mut problems, &mut notices);
    if let Some(documents) = &documents {
        child_variables(request, documents, &sources, &mut problems);
        if let Some(config) = &mut config {
            config.bind(request, &name, &documents.catalog, &mut problems);
        }
    }
    match (config, documents) {
        (Some(config), Some(documents)) if problems.is_empty() => {
            Ok((Config { notices, ..config }, documents))
        }
        _ => Err(problems),
    }
}

/// A gateway that starts has every variable that its servers are to see.
fn child_variables(
    request: &Request<'_>,
    documents: &Documents,
    sources: &Sources,
    problems: &mut Vec<Problem>,
) {
    if request.purpose != Purpose::Start {
        return;
    }
    for (server, name) in handover::child_variables(&documents.catalog) {
        if request.environment.value(name).is_none() {
            let (server, name) = (server.to_owned(), name.to_owned());
            let fault = Fault::ChildVariable { server, name };
            problems.push(Problem::file(&sources.catalog, fault));
        }
    }
}

const EMPTY: Node = Node {
    at: Position::START,
    tree: Tree::Null,
};

#[cfg(test)]
mod tests;

//! `cmcp catalog show`, `diff` and `pin`.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use cmcp_evidence::Sha256Digest;
use cmcp_gateway::{Clock, Discovered};
use cmcp_json::{Object, Value};
use cmcp_policy::catalog::{Approval, Baa, Catalog, Document, Effect, ServerSpec, Tool, Transport};

use crate::{
    cli::{CatalogArgs, CatalogDiffArgs, CatalogPinArgs},
    commands::{
        Context, Exit, Failure,
        init::{author, measured},
        look::{self, LookError},
        validate::compat_of,
    },
    config::{documents, environment::Environment},
    output::Output,
    render::table::{Table, shown},
    review::{self, Change, Compare, Listed, Reviewed},
    write,
};

pub(crate) fn show(arguments: &CatalogArgs, context: Context<'_>) -> Result<Exit, Failure> {
    let output = context.output;
    let catalog = read(arguments)?;
    let mut table = Table::new(["tool", "server", "effect", "sensitivity", "domain"]);
    let mut rows = Vec::new();
    for tool in catalog.tools() {
        let server = catalog
            .server_of(tool)
            .map_or("", |server| server.name.as_str());
        let effect = match tool.effect {
            Effect::Reads => "reads",
            Effect::Writes => "writes",
        };
        let (label, domain) = (tool.sensitivity.name(), tool.compliance_domain.as_str());
        table.row([&tool.name, server, effect, label, domain]);
        rows.push(Value::from(Object::from([
            ("tool", tool.name.clone()),
            ("server", server.to_owned()),
            ("effect", effect.to_owned()),
            ("sensitivity", label.to_owned()),
            ("compliance_domain", domain.to_owned()),
            ("digest", tool.digest.to_string()),
        ])));
    }
    for line in table.lines() {
        output.line(line);
    }
    for server in catalog.servers() {
        output.line(format!("server {}: {}", server.name, described(server)));
    }
    output.line(format!("catalog {}", catalog.hash()));
    let digest = catalog.hash().to_string();
    output.json(&Object::from([("digest", digest.into()), ("tools", Value::Array(rows))]).into());
    Ok(Exit::Ok)
}

fn described(server: &ServerSpec) -> String {
    match &server.transport {
        Transport::Http { url, pin } => format!("{url}, TLS {pin:?}"),
        Transport::Stdio {
            command, measured, ..
        } => {
            format!("{command}, {} files measured", measured.len())
        }
    }
}

pub(crate) fn diff(arguments: &CatalogDiffArgs, context: Context<'_>) -> Result<Exit, Failure> {
    let catalog = read(&arguments.catalog)?;
    let (reviewed, files) = match &arguments.against {
        Some(path) => {
            let compat = arguments.catalog.compat;
            let older = read(&CatalogArgs {
                catalog: path.clone(),
                compat,
            })?;
            (review::against_catalog(&catalog, &older), Vec::new())
        }
        None => {
            let live = Live::of(&catalog, context.environment)?;
            let reviewed = review::against_servers(&catalog, &live.listed, Compare::Digests);
            (reviewed, live.changed_files(&catalog))
        }
    };
    let changes = show_changes(&reviewed, &files, context.output);
    context.output.json(&changes.into());
    let same = files.is_empty() && reviewed.iter().all(|tool| tool.change == Change::Same);
    Ok(if same { Exit::Ok } else { Exit::Failed })
}

pub(crate) fn pin(arguments: &CatalogPinArgs, context: Context<'_>) -> Result<Exit, Failure> {
    let Context {
        environment,
        output,
    } = context;
    let path = &arguments.catalog.catalog;
    let catalog = read(&arguments.catalog)?;
    let live = Live::of(&catalog, environment)?;
    let reviewed = review::against_servers(&catalog, &live.listed, Compare::Members);
    let files = live.changed_files(&catalog);
    let mut changes = show_changes(&reviewed, &files, output);
    let old_form = catalog.as_read().as_array().is_some();
    if old_form && !arguments.tool.is_empty() {
        return Err(Failure::ConvertWhole { path: path.clone() });
    }
    let wanted = wanted(&reviewed, &arguments.tool)?;
    if wanted.is_empty() && files.is_empty() && !old_form {
        output.line("nothing to approve");
        output.json(&changes.into());
        return Ok(Exit::Ok);
    }
    if !arguments.yes {
        let question = format!(
            "Approve {} tools and {} files? Type `yes`:",
            wanted.len(),
            files.len()
        );
        match output.ask(&question).as_deref() {
            Some("yes") => {}
            Some(_) | None => return Err(Failure::NotApproved),
        }
    }
    let approval = Approval {
        by: Some(author(arguments.approver.as_deref(), environment)),
        at: Some(Clock::system().now()),
    };
    let document = live.approve(catalog.to_document(), &wanted, &approval);
    let text = document.to_text().map_err(Failure::Canonical)?;
    write::replace(path, &text).map_err(|error| Failure::Write {
        path: path.clone(),
        error,
    })?;
    // Read back as a start reads it.
    let next = read(&CatalogArgs {
        catalog: path.clone(),
        compat: None,
    })?;
    output.line(format!("catalog {}", next.hash()));
    changes.insert("digest", next.hash().to_string());
    output.json(&changes.into());
    Ok(Exit::Ok)
}

/// The changed tools, or those of them that were named.
fn wanted<'a>(
    reviewed: &'a [Reviewed],
    named: &[String],
) -> Result<BTreeSet<(&'a str, &'a str)>, Failure> {
    let changed = reviewed
        .iter()
        .filter(|tool| matches!(tool.change, Change::Changed(_)));
    if named.is_empty() {
        return Ok(changed
            .map(|tool| (tool.server.as_str(), tool.tool.as_str()))
            .collect());
    }
    let mut wanted = BTreeSet::new();
    for name in named {
        let tool = reviewed.iter().find(|tool| tool.tool == *name);
        let Some(tool) = tool else {
            let (flag, value) = ("--tool", name.clone());
            return Err(Failure::Unknown {
                flag,
                value,
                hint: String::new(),
            });
        };
        match tool.change {
            Change::Added | Change::Changed(_) => {
                wanted.insert((tool.server.as_str(), tool.tool.as_str()));
            }
            Change::Removed | Change::Same | Change::Twice | Change::Unlisted(_) => {}
        }
    }
    Ok(wanted)
}

/// What the servers of a catalog offer now.
struct Live {
    listed: Vec<Listed>,
    /// Files of each child process, by the server's name.
    files: BTreeMap<String, Vec<(String, Sha256Digest)>>,
}

impl Live {
    fn of(catalog: &Catalog, environment: &Environment) -> Result<Self, Failure> {
        let servers = catalog.servers().iter().map(|spec| {
            let names = match &spec.transport {
                Transport::Stdio { env, .. } => env.as_slice(),
                Transport::Http { .. } => &[],
            };
            let values = names
                .iter()
                .filter_map(|name| Some((name.clone(), environment.value(name)?)));
            // Without the pins: what changed is to be seen, not only that something did.
            (measured(spec.clone(), Vec::new()), values.collect())
        });
        let (mut listed, mut files) = (Vec::new(), BTreeMap::new());
        for look::Looked { spec, found } in look::look(servers.collect())? {
            let tools = match found {
                Ok(Discovered {
                    tools, measured, ..
                }) => {
                    files.insert(spec.name.clone(), measured);
                    Ok(tools)
                }
                Err(error) => Err(LookError::to_string(&error)),
            };
            listed.push(Listed {
                server: spec.name,
                tools,
            });
        }
        Ok(Self { listed, files })
    }

    /// Servers whose files differ from the catalog's, with the paths.
    fn changed_files(&self, catalog: &Catalog) -> Vec<(String, String)> {
        let mut changed = Vec::new();
        for spec in catalog.servers() {
            let Transport::Stdio { measured, .. } = &spec.transport else {
                continue;
            };
            for (path, digest) in self.files.get(&spec.name).into_iter().flatten() {
                if measured.get(path) != Some(digest) {
                    changed.push((spec.name.clone(), path.clone()));
                }
            }
        }
        changed
    }

    /// The document with what is offered now for the wanted tools, and every file measured anew.
    fn approve(
        &self,
        mut document: Document,
        wanted: &BTreeSet<(&str, &str)>,
        approval: &Approval,
    ) -> Document {
        let exposed: Vec<String> = document
            .tools
            .iter()
            .map(|tool| exposed(&document, tool))
            .collect();
        for (tool, name) in document.tools.iter_mut().zip(exposed) {
            if !wanted.contains(&(tool.server.as_str(), name.as_str())) {
                continue;
            }
            let upstream = review::name_of(&tool.definition);
            if let Some(definition) = self.definition(&tool.server, upstream) {
                tool.definition = definition.clone();
                tool.approval = approval.clone();
            }
        }
        let known: BTreeSet<(String, String)> = document
            .tools
            .iter()
            .map(|tool| {
                (
                    tool.server.clone(),
                    review::name_of(&tool.definition).to_owned(),
                )
            })
            .collect();
        for (server, name) in wanted {
            if known.contains(&((*server).to_owned(), (*name).to_owned())) {
                continue;
            }
            if let Some(definition) = self.definition(server, name) {
                document.tools.push(fresh(server, definition, approval));
            }
        }
        let servers = std::mem::take(&mut document.servers);
        document.servers = servers
            .into_iter()
            .map(|spec| match self.files.get(&spec.name) {
                Some(files) => measured(spec, files.clone()),
                None => spec,
            })
            .collect();
        document
    }

    fn definition(&self, server: &str, name: &str) -> Option<&Value> {
        let listed = self.listed.iter().find(|listed| listed.server == server)?;
        listed
            .tools
            .as_ref()
            .ok()?
            .iter()
            .find(|offered| review::name_of(offered) == name)
    }
}

/// A tool approved for the first time: nobody confirmed yet that it only reads.
fn fresh(server: &str, definition: &Value, approval: &Approval) -> Tool {
    Tool {
        server: server.to_owned(),
        alias: None,
        definition: definition.clone(),
        effect: Effect::Writes,
        sensitivity: "public".to_owned(),
        compliance_domain: "external".to_owned(),
        baa: Baa::NotCovered,
        redact: Vec::new(),
        approval: approval.clone(),
    }
}

fn exposed(document: &Document, tool: &Tool) -> String {
    let name = review::name_of(&tool.definition);
    match &tool.alias {
        Some(alias) => alias.clone(),
        None if document.servers.len() == 1 => name.to_owned(),
        None => format!("{}__{name}", tool.server),
    }
}

/// Shows what differs; the same as a document.
fn show_changes(reviewed: &[Reviewed], files: &[(String, String)], output: Output) -> Object {
    let mut table = Table::new(["tool", "server", "state"]);
    let mut rows = Vec::new();
    for Reviewed {
        tool,
        server,
        change,
    } in reviewed
    {
        let (state, places): (&str, &[String]) = match change {
            Change::Added => ("not approved", &[]),
            Change::Changed(places) => ("changed", places),
            Change::Removed => ("not offered", &[]),
            Change::Same => ("same", &[]),
            Change::Twice => ("offered twice", &[]),
            Change::Unlisted(reason) => ("not listed", std::slice::from_ref(reason)),
        };
        table.row([tool, server, state]);
        rows.push((tool, server, state, places));
    }
    for line in table.lines() {
        output.line(line);
    }
    for (tool, _, _, places) in &rows {
        for place in *places {
            output.line(format!("  {}: {}", shown(tool, 128), shown(place, 300)));
        }
    }
    for (server, path) in files {
        output.line(format!(
            "  {server}: {path} is not the file that was measured"
        ));
    }
    let tools = rows.iter().map(|(tool, server, state, places)| {
        let places = places
            .iter()
            .map(|place| Value::from(place.as_str()))
            .collect();
        Value::from(Object::from([
            ("tool", Value::from(tool.as_str())),
            ("server", Value::from(server.as_str())),
            ("state", Value::from(*state)),
            ("places", Value::Array(places)),
        ]))
    });
    let files = files.iter().map(|(server, path)| {
        Value::from(Object::from([
            ("server", server.as_str()),
            ("path", path.as_str()),
        ]))
    });
    Object::from([
        ("tools", Value::Array(tools.collect())),
        ("files", Value::Array(files.collect())),
    ])
}

fn read(arguments: &CatalogArgs) -> Result<Catalog, Failure> {
    let path: &Path = &arguments.catalog;
    let mut problems = Vec::new();
    let compat = compat_of(arguments.compat);
    documents::read_catalog_alone(path, compat, &mut problems).ok_or(Failure::Config(problems))
}

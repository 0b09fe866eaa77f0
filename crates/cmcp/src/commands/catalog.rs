//! `cmcp catalog show`, `diff` and `pin`.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use cmcp_evidence::Sha256Digest;
use cmcp_gateway::{Clock, Discovered};
use cmcp_json::{Object, Value};
use cmcp_policy::catalog::{
    Approval, Catalog, Document, Effect, ItemKind, ServerSpec, Tool, Transport,
};

use crate::{
    cli::{CatalogArgs, CatalogDiffArgs, CatalogPinArgs, Reach},
    commands::{
        Context, Exit, Failure,
        init::{author, measured},
        look,
        validate::compat_of,
    },
    config::{documents, environment::Environment},
    init::assemble,
    output::Output,
    render::table::{Table, shown},
    review::{self, Change, Compare, Listed, Reviewed},
    write,
};

pub(crate) fn show(arguments: &CatalogArgs, context: Context<'_>) -> Result<Exit, Failure> {
    let output = context.output;
    let catalog = read(arguments)?;
    let mut table = Table::new(["name", "kind", "server", "effect", "sensitivity", "domain"]);
    let mut rows = Rows::default();
    for item in catalog.all() {
        let server = catalog
            .server_of(item)
            .map_or("", |server| server.name.as_str());
        let effect = match item.effect {
            Effect::Reads => "reads",
            Effect::Writes => "writes",
        };
        let (label, domain) = (item.sensitivity.name(), item.compliance_domain.as_str());
        let kind = item.kind.to_string();
        table.row([&item.name, &kind, server, effect, label, domain]);
        let members = [
            ("server", server.to_owned()),
            ("effect", effect.to_owned()),
            ("sensitivity", label.to_owned()),
            ("compliance_domain", domain.to_owned()),
            ("digest", item.digest.to_string()),
        ];
        let members = members.map(|(name, value)| (name, Value::from(value)));
        rows.push(item.kind, &item.name, members);
    }
    for line in table.lines() {
        output.line(line);
    }
    for server in catalog.servers() {
        output.line(format!("server {}: {}", server.name, described(server)));
    }
    output.line(format!("catalog {}", catalog.hash()));
    let mut shown = Object::from([("digest", Value::from(catalog.hash().to_string()))]);
    rows.write(&mut shown);
    output.json(&shown.into());
    Ok(Exit::Ok)
}

/// What is said of each item, as a document: one list for each kind.
#[derive(Default)]
struct Rows(BTreeMap<ItemKind, Vec<Value>>);

impl Rows {
    fn push<const N: usize>(&mut self, kind: ItemKind, name: &str, members: [(&str, Value); N]) {
        let identity = match kind {
            ItemKind::Tool => "tool",
            ItemKind::Resource => "uri",
            ItemKind::ResourceTemplate => "uri_template",
            ItemKind::Prompt => "prompt",
        };
        let mut row = Object::from([(identity, Value::from(name))]);
        for (name, value) in members {
            row.insert(name, value);
        }
        self.0.entry(kind).or_default().push(row.into());
    }

    fn write(mut self, document: &mut Object) {
        for kind in ItemKind::ALL {
            let rows = self.0.remove(&kind).unwrap_or_default();
            document.insert(kind.member(), Value::Array(rows));
        }
    }
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
            let live = Live::of(&catalog, context.environment, &arguments.reach)?;
            let reviewed = review::against_servers(&catalog, &live.listed, Compare::Digests);
            (reviewed, live.changed_files(&catalog))
        }
    };
    let changes = show_changes(&reviewed, &files, context.output);
    context.output.json(&changes.into());
    let same = files.is_empty() && reviewed.iter().all(|item| item.change == Change::Same);
    Ok(if same { Exit::Ok } else { Exit::Failed })
}

pub(crate) fn pin(arguments: &CatalogPinArgs, context: Context<'_>) -> Result<Exit, Failure> {
    let Context {
        environment,
        output,
    } = context;
    let path = &arguments.catalog.catalog;
    let catalog = read(&arguments.catalog)?;
    let live = Live::of(&catalog, environment, &arguments.reach)?;
    let reviewed = review::against_servers(&catalog, &live.listed, Compare::Members);
    let files = live.changed_files(&catalog);
    let mut changes = show_changes(&reviewed, &files, output);
    let old_form = catalog.as_read().as_array().is_some();
    let named = named(arguments);
    if old_form && !named.is_empty() {
        return Err(Failure::ConvertWhole { path: path.clone() });
    }
    let wanted = wanted(&reviewed, &named)?;
    if wanted.is_empty() && files.is_empty() && !old_form {
        output.line("nothing to approve");
        output.json(&changes.into());
        return Ok(Exit::Ok);
    }
    if !arguments.yes {
        let question = format!(
            "Approve {} definitions and {} files? Type `yes`:",
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

/// What the command line names, with the flag that names it.
fn named(arguments: &CatalogPinArgs) -> Vec<(&'static str, &[ItemKind], &str)> {
    let flags: [(_, &[ItemKind], _); 3] = [
        ("--tool", &[ItemKind::Tool], &arguments.tool),
        (
            "--resource",
            &[ItemKind::Resource, ItemKind::ResourceTemplate],
            &arguments.resource,
        ),
        ("--prompt", &[ItemKind::Prompt], &arguments.prompt),
    ];
    let names = flags.into_iter().flat_map(|(flag, kinds, names)| {
        let names = names.iter();
        names.map(move |name| (flag, kinds, name.as_str()))
    });
    names.collect()
}

/// An item as its server or the catalog names it.
type Wanted<'a> = (ItemKind, &'a str, &'a str);

/// What changed, or that of it and of what is new that was named.
fn wanted<'a>(
    reviewed: &'a [Reviewed],
    named: &[(&'static str, &[ItemKind], &str)],
) -> Result<BTreeSet<Wanted<'a>>, Failure> {
    let key = |item: &'a Reviewed| (item.kind, item.server.as_str(), item.name.as_str());
    let changed = reviewed
        .iter()
        .filter(|item| matches!(item.change, Change::Changed(_)));
    if named.is_empty() {
        return Ok(changed.map(key).collect());
    }
    let mut wanted = BTreeSet::new();
    for (flag, kinds, name) in named {
        let item = reviewed
            .iter()
            .find(|item| item.name == *name && kinds.contains(&item.kind));
        let Some(item) = item else {
            return Err(Failure::Unknown {
                flag,
                value: (*name).to_owned(),
                hint: String::new(),
            });
        };
        match item.change {
            Change::Added | Change::Changed(_) => {
                wanted.insert(key(item));
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
    fn of(catalog: &Catalog, environment: &Environment, reach: &Reach) -> Result<Self, Failure> {
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
        for look::Looked { spec, found } in look::look(servers.collect(), reach, environment)? {
            let (mut lists, silent) = match found {
                Ok(Discovered {
                    lists, measured, ..
                }) => {
                    files.insert(spec.name.clone(), measured);
                    (lists, String::new())
                }
                Err(error) => (BTreeMap::new(), error.to_string()),
            };
            listed.extend(ItemKind::ALL.map(|kind| {
                let items = match lists.remove(&kind) {
                    Some(items) => items.map_err(|error| error.to_string()),
                    None => Err(silent.clone()),
                };
                Listed {
                    server: spec.name.clone(),
                    kind,
                    items,
                }
            }));
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

    /// The document with what is offered now for what is wanted, and every file measured anew.
    fn approve(
        &self,
        mut document: Document,
        wanted: &BTreeSet<Wanted<'_>>,
        approval: &Approval,
    ) -> Document {
        for kind in ItemKind::ALL {
            self.approve_kind(kind, &mut document, wanted, approval);
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

    fn approve_kind(
        &self,
        kind: ItemKind,
        document: &mut Document,
        wanted: &BTreeSet<Wanted<'_>>,
        approval: &Approval,
    ) {
        let servers = document.servers.len();
        let mut known = BTreeSet::new();
        for entry in document.items_mut(kind) {
            let name = exposed(kind, entry, servers);
            let upstream = review::name_of(kind, &entry.definition).to_owned();
            if wanted.contains(&(kind, entry.server.as_str(), name.as_str()))
                && let Some(definition) = self.definition(kind, &entry.server, &upstream)
            {
                entry.definition = definition.clone();
                entry.approval = approval.clone();
            }
            known.insert((entry.server.clone(), upstream));
        }
        for (_, server, name) in wanted.iter().filter(|(of, _, _)| *of == kind) {
            let is_new = !known.contains(&((*server).to_owned(), (*name).to_owned()));
            if is_new && let Some(definition) = self.definition(kind, server, name) {
                let entry = assemble::entry(kind, server, definition.clone(), approval);
                document.items_mut(kind).push(entry);
            }
        }
    }

    fn definition(&self, kind: ItemKind, server: &str, name: &str) -> Option<&Value> {
        let mut listed = self.listed.iter();
        let listed = listed.find(|listed| listed.kind == kind && listed.server == server)?;
        let mut items = listed.items.as_ref().ok()?.iter();
        items.find(|offered| review::name_of(kind, offered) == name)
    }
}

fn exposed(kind: ItemKind, entry: &Tool, servers: usize) -> String {
    let name = review::name_of(kind, &entry.definition);
    match (kind, &entry.alias) {
        (ItemKind::Tool | ItemKind::Prompt, Some(alias)) => alias.clone(),
        (ItemKind::Tool | ItemKind::Prompt, None) if servers != 1 => {
            format!("{}__{name}", entry.server)
        }
        (ItemKind::Tool | ItemKind::Prompt, None)
        | (ItemKind::Resource | ItemKind::ResourceTemplate, _) => name.to_owned(),
    }
}

/// Shows what differs; the same as a document.
fn show_changes(reviewed: &[Reviewed], files: &[(String, String)], output: Output) -> Object {
    let mut table = Table::new(["name", "kind", "server", "state"]);
    let (mut rows, mut differing) = (Rows::default(), Vec::new());
    for Reviewed {
        kind,
        name,
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
        table.row([name, &kind.to_string(), server, state]);
        differing.extend(places.iter().map(|place| (name, place)));
        let places = places.iter().map(|place| Value::from(place.as_str()));
        let members = [
            ("server", Value::from(server.as_str())),
            ("state", Value::from(state)),
            ("places", Value::Array(places.collect())),
        ];
        rows.push(*kind, name, members);
    }
    for line in table.lines() {
        output.line(line);
    }
    for (name, place) in differing {
        output.line(format!("  {}: {}", shown(name, 128), shown(place, 300)));
    }
    for (server, path) in files {
        output.line(format!(
            "  {server}: {path} is not the file that was measured"
        ));
    }
    let files = files.iter().map(|(server, path)| {
        Value::from(Object::from([
            ("server", server.as_str()),
            ("path", path.as_str()),
        ]))
    });
    let mut changes = Object::new();
    rows.write(&mut changes);
    changes.insert("files", Value::Array(files.collect()));
    changes
}

fn read(arguments: &CatalogArgs) -> Result<Catalog, Failure> {
    let path: &Path = &arguments.catalog;
    let mut problems = Vec::new();
    let compat = compat_of(arguments.compat);
    documents::read_catalog_alone(path, compat, &mut problems).ok_or(Failure::Config(problems))
}

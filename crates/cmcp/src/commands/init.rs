//! `cmcp init`.

use std::{collections::BTreeSet, fs, path::Path};

use cmcp_gateway::{Clock, Discovered};
use cmcp_json::{Object, Value};
use cmcp_policy::catalog::{ItemKind, ServerSpec, Transport};

use crate::{
    cli::InitArgs,
    commands::{Context, Exit, Failure, look},
    config::{documents, environment::Environment, handover},
    init::{
        self, InitError,
        assemble::{self, Assembled, Candidate, Draft, Offer},
        clients::{self, Found},
        servers::{self, LeftOut, Planned},
        starter,
    },
    output::Output,
    render::table::{Table, shown},
};

pub(crate) fn run(arguments: &InitArgs, context: Context<'_>) -> Result<Exit, Failure> {
    let Context {
        environment,
        output,
    } = context;
    let (planned, left_out) = plan(arguments, environment)?;
    let author = author(arguments.approver.as_deref(), environment);
    let now = Clock::system().now();
    let offers = look_at(planned, left_out, arguments, context)?;
    let draft = assemble::draft(offers, &author, now)?;
    show(&draft, output);
    let reading = reading(arguments, &draft, output);
    let assembled = draft.approve(&reading, (&author, now), starter::STARTER)?;
    let files = init::files(
        &arguments.dir,
        &starter::config(&arguments.reach.allow_private_hosts),
        &assembled,
    );
    if !arguments.overwrite.force {
        init::check_free(&files)?;
    }
    init::write_all(&files)?;
    for (path, _) in &files {
        output.line(format!("wrote {}", path.display()));
    }
    report(&arguments.dir, &assembled, reading.len(), output);
    Ok(Exit::Ok)
}

fn plan(
    arguments: &InitArgs,
    environment: &Environment,
) -> Result<(Vec<Planned>, Vec<LeftOut>), Failure> {
    let mut found: Vec<Found> = Vec::new();
    for path in &arguments.from {
        let text = fs::read_to_string(path).map_err(|error| Failure::Read {
            path: path.clone(),
            error,
        })?;
        found.extend(clients::read(path, &text).map_err(InitError::from)?);
    }
    for text in &arguments.server {
        found.push(clients::from_argument(text).map_err(InitError::from)?);
    }
    if found.is_empty() {
        return Err(InitError::NoServers.into());
    }
    let value = |name: &str| environment.value(name);
    Ok(servers::plan(found, environment.get("PATH"), &value)?)
}

/// Whoever runs this approves, unless told otherwise.
pub(crate) fn author(given: Option<&str>, environment: &Environment) -> String {
    let login = || {
        environment
            .value("USER")
            .or_else(|| environment.value("LOGNAME"))
    };
    given
        .map(str::to_owned)
        .or_else(login)
        .unwrap_or_else(|| "unknown".to_owned())
}

fn look_at(
    planned: Vec<Planned>,
    left_out: Vec<LeftOut>,
    arguments: &InitArgs,
    context: Context<'_>,
) -> Result<Vec<Offer>, Failure> {
    let Context {
        environment,
        output,
    } = context;
    for LeftOut { name, reason } in left_out {
        output.note(format!("left out: `{}`: {reason}", shown(&name, 80)));
    }
    for warning in planned.iter().flat_map(|planned| &planned.warnings) {
        output.note(format!("warning: {warning}"));
    }
    for planned in &planned {
        output.note(format!(
            "looking at `{}` ({})",
            planned.spec.name,
            planned.spec.endpoint()
        ));
    }
    let servers = planned
        .into_iter()
        .map(|planned| (planned.spec, planned.values))
        .collect();
    let mut offers = Vec::new();
    for look::Looked { spec, found } in look::look(servers, &arguments.reach, environment)? {
        match found {
            Ok(found) => {
                for (kind, list) in &found.lists {
                    if let Err(error) = list {
                        output.note(format!("left out: {kind}s of `{}`: {error}", spec.name));
                    }
                }
                offers.push(offer(spec, found));
            }
            Err(error) => output.note(format!("left out: `{}`: {error}", spec.name)),
        }
    }
    if offers.is_empty() {
        Err(InitError::Nothing.into())
    } else {
        Ok(offers)
    }
}

/// A server with its files and whatever it listed.
pub(crate) fn offer(spec: ServerSpec, found: Discovered) -> Offer {
    let Discovered {
        lists, measured, ..
    } = found;
    let items = lists.into_iter().flat_map(|(kind, list)| {
        let items = list.unwrap_or_default().into_iter();
        items.map(move |definition| (kind, definition))
    });
    Offer {
        spec: self::measured(spec, measured),
        items: items.collect(),
    }
}

/// The server with the digests of the files it was started from.
pub(crate) fn measured(
    mut spec: ServerSpec,
    files: Vec<(String, cmcp_evidence::Sha256Digest)>,
) -> ServerSpec {
    match &mut spec.transport {
        Transport::Stdio { measured, .. } => *measured = files.into_iter().collect(),
        Transport::Http { .. } => {}
    }
    spec
}

fn show(draft: &Draft, output: Output) {
    let mut table = Table::new(["name", "kind", "server", "says it", "findings"]);
    for Candidate {
        kind,
        name,
        server,
        hint,
        findings,
    } in &draft.candidates
    {
        let findings: BTreeSet<&str> = findings.iter().map(|finding| finding.what).collect();
        let findings: Vec<&str> = findings.into_iter().collect();
        let (kind, findings) = (kind.to_string(), findings.join("; "));
        table.row([name, &kind, server, hint.as_str(), &findings]);
    }
    for line in table.lines() {
        output.line(line);
    }
    for reason in &draft.left_out {
        output.note(format!("left out: {reason}"));
    }
}

/// The tools that only read: named, asked for, or hinted at by servers that the user chose to trust.
/// Without any of these nothing is: what a server says of itself is not authority.
fn reading(arguments: &InitArgs, draft: &Draft, output: Output) -> BTreeSet<String> {
    let hinted = || {
        let trusted = draft
            .candidates
            .iter()
            .filter(|candidate| candidate.hint_is_acceptable());
        trusted
            .map(|candidate| candidate.name.clone())
            .collect::<BTreeSet<_>>()
    };
    let mut reading: BTreeSet<String> = arguments.read_only.iter().cloned().collect();
    if arguments.trust_hints {
        reading.extend(hinted());
    }
    if !reading.is_empty() || arguments.trust_hints {
        return reading;
    }
    let question = "Which of these tools only read? Names with commas, `hints` for those that say so, nothing for none:";
    match output.ask(question).as_deref() {
        Some("hints") => hinted(),
        Some(names) => names
            .split(',')
            .map(|name| name.trim().to_owned())
            .filter(|name| !name.is_empty())
            .collect(),
        None => reading,
    }
}

fn report(dir: &Path, assembled: &Assembled, reading: usize, output: Output) {
    // Read back as a start reads it: policies that were there before are part of the bundle too.
    let mut problems = Vec::new();
    let folder = dir.join("policies");
    let read = documents::read_bundle(&folder, cmcp_policy::Compat::Off, &mut problems);
    for problem in &problems {
        output.note(format!("warning: {problem}"));
    }
    let policy = read
        .as_ref()
        .map_or_else(|| assembled.bundle.hash(), |bundle| bundle.hash());
    let catalog = assembled.catalog.hash();
    let items = |kind| count(assembled.catalog.items(kind).len());
    output.json(
        &Object::from([
            ("policy_digest", Value::from(policy.to_string())),
            ("catalog_digest", Value::from(catalog.to_string())),
            ("tools", items(ItemKind::Tool)),
            ("resources", items(ItemKind::Resource)),
            ("resource_templates", items(ItemKind::ResourceTemplate)),
            ("prompts", items(ItemKind::Prompt)),
            ("read_only", count(reading)),
        ])
        .into(),
    );
    let variables: BTreeSet<&str> = handover::child_variables(&assembled.catalog)
        .map(|(_, name)| name)
        .collect();
    for line in next_steps(
        dir,
        &policy.to_string(),
        &catalog.to_string(),
        &variables,
        reading,
    ) {
        output.line(line);
    }
}

fn count(number: usize) -> Value {
    Value::from(u64::try_from(number).unwrap_or(u64::MAX))
}

fn next_steps(
    dir: &Path,
    policy: &str,
    catalog: &str,
    variables: &BTreeSet<&str>,
    reading: usize,
) -> Vec<String> {
    let mut lines = vec![
        String::new(),
        format!("policy   {policy}"),
        format!("catalog  {catalog}"),
        String::new(),
    ];
    if reading == 0 {
        lines.push("No tool is confirmed as only reading, so the starter policy permits none of them yet: run again".to_owned());
        lines.push(
            "with `--read-only TOOLS --force`, or permit tools by name in policies/starter.cedar."
                .to_owned(),
        );
        lines.push(String::new());
    }
    lines.push("Next:".to_owned());
    if dir != Path::new(".") {
        lines.push(format!("  cd {}", dir.display()));
    }
    lines.push("  cmcp policy check --config cmcp-config.yaml".to_owned());
    for name in variables {
        lines.push(format!(
            "  export {name}=…            # a server needs it; its value was not written"
        ));
    }
    lines.push("On this machine, for yourself:".to_owned());
    lines.push("  CMCP_DEV_MODE=1 cmcp start --config cmcp-config.yaml".to_owned());
    lines.push("For others:".to_owned());
    lines.push(format!("  export CMCP_POLICY_HASH={policy}"));
    lines.push(format!("  export CMCP_CATALOG_HASH={catalog}"));
    lines.push("  export CMCP_BEARER_TOKEN=$(openssl rand -hex 32) CMCP_OPERATOR_TOKEN=$(openssl rand -hex 32)".to_owned());
    lines.push("  cmcp start --config cmcp-config.yaml   # needs hardware, or `danger_software_evidence: true`".to_owned());
    lines
}

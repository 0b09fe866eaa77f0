//! `cmcp policy check` and `cmcp policy explain`.

mod subject;

use cmcp_json::{Limits, Object, Value, parse};
use cmcp_policy::{
    catalog::{Catalog, ItemKind},
    decide::{Action, Facts, Phase},
    engine::Principal,
    explain::Explanation,
    session::SessionState,
};

use self::subject::Subject;
use crate::{
    cli::{PolicyArgs, PolicyExplainArgs},
    commands::{Context, Exit, Failure},
    config::{self, Config, Purpose, Request, documents::Documents, suggest},
    output::Output,
    render::table::{Table, shown},
};

pub(crate) fn check(arguments: &PolicyArgs, context: Context<'_>) -> Result<Exit, Failure> {
    let output = context.output;
    let (config, documents) = load(arguments, context)?;
    for notice in &config.notices {
        output.note(format!("note: {notice}"));
    }
    let (policies, tools) = (documents.bundle.policies(), documents.catalog.tools().len());
    output.line(format!(
        "✓ Policy valid: {policies} policies for {tools} tools"
    ));
    if let Some(others) = others(&documents.catalog) {
        output.line(format!("  and for  {others}"));
    }
    output.line(format!("  policy   {}", documents.bundle.hash()));
    output.line(format!("  catalog  {}", documents.catalog.hash()));
    let notices = config
        .notices
        .iter()
        .map(|notice| Value::from(notice.as_str()))
        .collect();
    let number = |kind| count(documents.catalog.items(kind).len());
    output.json(
        &Object::from([
            ("valid", Value::from(true)),
            ("policies", count(policies)),
            ("tools", number(ItemKind::Tool)),
            ("resources", number(ItemKind::Resource)),
            ("resource_templates", number(ItemKind::ResourceTemplate)),
            ("prompts", number(ItemKind::Prompt)),
            ("policy_digest", documents.bundle.hash().to_string().into()),
            (
                "catalog_digest",
                documents.catalog.hash().to_string().into(),
            ),
            ("notes", Value::Array(notices)),
        ])
        .into(),
    );
    Ok(Exit::Ok)
}

pub(crate) fn explain(
    arguments: &PolicyExplainArgs,
    context: Context<'_>,
) -> Result<Exit, Failure> {
    let (config, documents) = load(&arguments.policy, context)?;
    let explanation = explained(arguments, &config, &documents)?;
    show(&explanation, context.output);
    let document = cmcp_json::to_value(&explanation).map_err(Failure::Explanation)?;
    context.output.json(&document);
    Ok(if explanation.effect == "permit" {
        Exit::Ok
    } else {
        Exit::Failed
    })
}

fn load(arguments: &PolicyArgs, context: Context<'_>) -> Result<(Config, Documents), Failure> {
    let request = Request {
        file: &arguments.config,
        environment: context.environment,
        purpose: Purpose::Validate,
        enforcement: None,
    };
    config::load(&request).map_err(Failure::Config)
}

fn explained(
    arguments: &PolicyExplainArgs,
    config: &Config,
    documents: &Documents,
) -> Result<Explanation, Failure> {
    let PolicyExplainArgs {
        policy: _,
        subject,
        action,
        asked_by,
        elicit_mode,
        arguments: call,
        principal,
        scopes,
        workflow,
        sensitivity,
    } = arguments;
    let subject = Subject::of(subject, *action, &documents.catalog)?;
    let caller = match principal {
        None => Principal::anonymous(),
        Some(name) => known_principal(config, name, scopes)?,
    };
    let Some(mark) = config.vocabulary.sensitivity(sensitivity) else {
        let known = config.vocabulary.labels().map(|(name, _)| name);
        return Err(unknown("--sensitivity", sensitivity, known));
    };
    let call = parse(call.as_bytes(), &Limits::REQUEST).map_err(|_| Failure::Flag {
        flag: "--arguments",
        value: shown(call, 80),
        expected: "a JSON object, as '{\"path\": \"/srv/a\"}'",
    })?;
    subject.check(&call)?;
    let is_asked = subject.action.is_asked_of_clients();
    let mode = (subject.action == Action::Elicit).then_some(elicit_mode.as_str());
    Ok(documents.engine.explain(&Facts {
        action: subject.action,
        phase: Phase::Ingress,
        principal: &caller,
        item: subject.item,
        target: subject.target,
        asked_by: if is_asked { asked_by } else { "" },
        elicit_mode: mode.unwrap_or_default(),
        server: subject.server,
        arguments: &call,
        session: &SessionState::inherit(mark, 0).view(),
        workflow_id: workflow,
        attestation_platform: "software-only",
    }))
}

fn known_principal(config: &Config, name: &str, scopes: &[String]) -> Result<Principal, Failure> {
    let mut known = config.principals.iter().map(|entry| &entry.principal);
    if let Some(known) = known.find(|known| known.name == name) {
        return Ok(known.clone());
    }
    let oauth = config.oauth.as_ref();
    let vouched = oauth.and_then(|oauth| oauth.principal(name, scopes));
    vouched.ok_or_else(|| {
        let names = config
            .principals
            .iter()
            .map(|entry| entry.principal.name.as_str());
        unknown("--principal", name, names)
    })
}

fn unknown<'a>(flag: &'static str, value: &str, known: impl Iterator<Item = &'a str>) -> Failure {
    let similar = suggest::closest(value, known);
    let hint = similar
        .map(|known| format!("; did you mean `{known}`?"))
        .unwrap_or_default();
    Failure::Unknown {
        flag,
        value: value.to_owned(),
        hint,
    }
}

/// What the catalog approves beside tools, and how much of each.
fn others(catalog: &Catalog) -> Option<String> {
    let kinds = ItemKind::ALL
        .into_iter()
        .filter(|kind| *kind != ItemKind::Tool);
    let told = kinds.filter_map(|kind| match catalog.items(kind).len() {
        0 => None,
        1 => Some(format!("1 {kind}")),
        number => Some(format!("{number} {kind}s")),
    });
    Some(told.collect::<Vec<_>>().join(", ")).filter(|told| !told.is_empty())
}

fn show(explanation: &Explanation, output: Output) {
    output.line(format!("{}: {}", explanation.effect, explanation.summary));
    let mut table = Table::new(["policy", "effect", "place", "why"]);
    for trace in &explanation.policies {
        let place = format!("{}:{}", trace.file, trace.line);
        table.row([&trace.policy, trace.effect, &place, &trace.because]);
    }
    if !explanation.policies.is_empty() {
        for line in table.lines() {
            output.line(format!("  {line}"));
        }
    }
    for error in &explanation.errors {
        output.line(format!("  not judged: {}", shown(error, 200)));
    }
    for (name, text) in &explanation.advice {
        output.line(format!(
            "  advice to the caller: {name} = {}",
            shown(text, 200)
        ));
    }
    for path in &explanation.redact {
        output.line(format!("  taken out of the response: {path}"));
    }
}

fn count(number: usize) -> Value {
    Value::from(u64::try_from(number).unwrap_or(u64::MAX))
}

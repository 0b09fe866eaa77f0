//! `cmcp evidence show`.

use cmcp_evidence::show::show;
use cmcp_json::{Object, Value};

use super::{EvidenceFailure, Opened};
use crate::{
    cli::EvidenceShowArgs,
    commands::{Context, Exit, Failure},
    render::table::shown,
};

pub(crate) fn run(arguments: &EvidenceShowArgs, context: Context<'_>) -> Result<Exit, Failure> {
    let output = context.output;
    let opened = Opened::read(&arguments.file)?;
    let evidence = opened.evidence();
    let fields =
        show(evidence, opened.endorsements()).map_err(|error| EvidenceFailure::Malformed {
            path: arguments.file.evidence.clone(),
            error,
        })?;
    output.line(format!(
        "{} of platform {}; nothing of it is judged",
        opened.format,
        evidence.platform()
    ));
    for field in &fields {
        let at = field.at.map_or_else(String::new, |at| format!(" @{at}"));
        let value = shown(&field.value, MAX_VALUE);
        output.line(format!("{}{at} = {value}", shown(&field.name, MAX_VALUE)));
        if !field.says.is_empty() {
            output.line(format!("    {}", shown(&field.says, MAX_VALUE)));
        }
    }
    for note in &opened.notes {
        output.line(format!("note: {}", shown(note, MAX_VALUE)));
    }
    let fields = fields.iter().map(|field| {
        let mut members = Object::from([
            ("name", field.name.as_str()),
            ("value", field.value.as_str()),
            ("says", field.says.as_str()),
        ]);
        if let Some(at) = field.at.and_then(|at| u64::try_from(at).ok()) {
            members.insert("at", at);
        }
        Value::from(members)
    });
    let document = Object::from([
        ("format", Value::from(opened.format.as_str())),
        ("platform", Value::from(evidence.platform().as_str())),
        ("fields", Value::Array(fields.collect())),
    ]);
    output.json(&document.into());
    Ok(Exit::Ok)
}

/// What a terminal can bear; `--format json` says all.
const MAX_VALUE: usize = 1_000;

//! `cmcp validate-config` and `cmcp validate-bundle`.

use cmcp_json::{Object, Value};
use cmcp_policy::Compat;

use crate::{
    cli::{CompatWord, ConfigArgs, ValidateBundleArgs},
    commands::{Context, Exit, Failure},
    config::{self, Purpose, Request, documents, pins},
};

pub(crate) fn config(arguments: &ConfigArgs, context: Context<'_>) -> Result<Exit, Failure> {
    let Context {
        environment,
        output,
    } = context;
    let file = &arguments.config;
    let request = Request {
        file,
        environment,
        purpose: Purpose::Validate,
        enforcement: None,
    };
    let (config, documents) = match config::load(&request) {
        Ok(loaded) => loaded,
        Err(problems) => {
            output.json(&invalid(&problems));
            let mut texts: Vec<String> = problems.iter().map(ToString::to_string).collect();
            texts.dedup();
            output.note(format!("✗ Config invalid: {}", texts.join("\n  ")));
            return Ok(Exit::Failed);
        }
    };
    for notice in &config.notices {
        output.note(format!("note: {notice}"));
    }
    let digests = [
        (
            "config",
            config.effective().digest().map_err(Failure::Canonical)?,
        ),
        ("policy", documents.bundle.hash()),
        ("catalog", documents.catalog.hash()),
    ];
    output.line(format!("✓ Config valid: {}", file.display()));
    let mut document = Object::from([("valid", Value::from(true))]);
    for (name, digest) in digests {
        output.line(format!("  {name:<8} {digest}"));
        document.insert(format!("{name}_digest"), digest.to_string());
    }
    output.json(&document.into());
    Ok(Exit::Ok)
}

fn invalid(problems: &[config::fault::Problem]) -> Value {
    let problems = problems
        .iter()
        .map(config::fault::Problem::to_json)
        .collect();
    Object::from([
        ("valid", Value::from(false)),
        ("problems", Value::Array(problems)),
    ])
    .into()
}

pub(crate) fn bundle(
    arguments: &ValidateBundleArgs,
    context: Context<'_>,
) -> Result<Exit, Failure> {
    let Context { output, .. } = context;
    let ValidateBundleArgs {
        bundle_path,
        expected_hash,
        compat,
    } = arguments;
    let compat = compat_of(*compat);
    let mut problems = Vec::new();
    // A catalog is a file, a bundle a folder.
    let digest = if bundle_path.is_file() {
        documents::read_catalog_alone(bundle_path, compat, &mut problems)
            .map(|catalog| catalog.hash())
    } else {
        documents::read_bundle(bundle_path, compat, &mut problems).map(|bundle| bundle.hash())
    };
    let Some(digest) = digest.filter(|_| problems.is_empty()) else {
        output.json(&invalid(&problems));
        let texts: Vec<String> = problems.iter().map(ToString::to_string).collect();
        output.note(format!("✗ Bundle load error: {}", texts.join("\n  ")));
        return Ok(Exit::Failed);
    };
    let Some(expected) = expected_hash else {
        output.line(digest.to_string());
        output.json(&Object::from([("digest", digest.to_string())]).into());
        return Ok(Exit::Ok);
    };
    let matches = pins::parse_digest(expected) == Some(digest);
    output.json(
        &Object::from([
            ("digest", Value::from(digest.to_string())),
            ("expected", Value::from(expected.as_str())),
            ("valid", Value::from(matches)),
        ])
        .into(),
    );
    if matches {
        output.line(format!("✓ Bundle valid: {digest}"));
        return Ok(Exit::Ok);
    }
    output.note(format!(
        "✗ Bundle hash mismatch: expected {expected}, got {digest}"
    ));
    Ok(Exit::Failed)
}

/// The reading that `--compat` asks for.
pub(crate) fn compat_of(word: Option<CompatWord>) -> Compat {
    match word {
        Some(CompatWord::V07) => Compat::V07,
        None => Compat::Off,
    }
}

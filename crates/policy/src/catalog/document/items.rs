use std::sync::Arc;

use cmcp_evidence::Sha256Digest;
use cmcp_json::Value;

use super::{
    read::{Labels, approval, digested, owner, redact},
    servers::unattested,
};
use crate::catalog::{
    Approved, Baa, CatalogErrorKind, Context, Effect, ItemKind, ServerSpec,
    approved::{Checks, Origin},
    name,
    reader::{Fields, Reader},
};

/// Reads what a document approves beside tools.
pub(super) fn items(
    reader: &mut Reader<'_>,
    document: &Fields<'_>,
    kind: ItemKind,
    (servers, context): (&[ServerSpec], &Context<'_>),
) -> Vec<Approved> {
    let mut items = Vec::new();
    let mut names = Vec::new();
    let member = kind.member();
    let entries = document.array(reader, member).unwrap_or_default();
    for (index, entry) in entries.iter().enumerate() {
        let at = (format!("{member}[{index}]"), document.offset_of(member));
        let known = match kind {
            ItemKind::Prompt => &PROMPT[..],
            ItemKind::Tool | ItemKind::Resource | ItemKind::ResourceTemplate => &RESOURCE,
        };
        let Some(entry) = Fields::closed(reader, entry, at, known) else {
            continue;
        };
        if let Some(item) = item(reader, &entry, kind, (servers, context)) {
            let offset = entry.offset;
            names.push(name::Exposed {
                place: entry.place,
                offset,
                name: item.name.clone(),
            });
            items.push(item);
        }
    }
    match kind {
        ItemKind::Prompt | ItemKind::Tool => name::distinct(reader, &names),
        ItemKind::Resource | ItemKind::ResourceTemplate => name::owned_once(reader, &names),
    }
    items
}

fn item(
    reader: &mut Reader<'_>,
    fields: &Fields<'_>,
    kind: ItemKind,
    (servers, context): (&[ServerSpec], &Context<'_>),
) -> Option<Approved> {
    unattested(reader, fields);
    let server = owner(reader, fields, servers);
    let definition = definition(reader, fields, kind);
    let labels = Labels::read(reader, fields, context.vocabulary);
    let redact = redact(reader, fields, kind);
    let approval = approval(reader, fields);
    let effect = match fields.flag(reader, "read_only") {
        Some(true) | None => Effect::Reads,
        Some(false) => Effect::Writes,
    };
    let baa = match fields.flag(reader, "baa_covered") {
        Some(true) => Baa::Covered,
        Some(false) | None => Baa::NotCovered,
    };
    let exposed = exposed(reader, fields, (definition.as_ref(), kind), servers);
    let (server, labels) = (server?, labels?);
    let Defined {
        name,
        value,
        digest,
        checks,
    } = definition?;
    Some(Approved {
        kind,
        name: exposed?,
        upstream_name: name,
        server,
        definition: value,
        digest,
        effect,
        sensitivity: labels.sensitivity,
        compliance_domain: labels.domain,
        baa,
        redact,
        approval,
        checks,
        origin: Origin::Document,
    })
}

/// The name callers use: of a prompt as of a tool, of everything else what its server says.
fn exposed(
    reader: &mut Reader<'_>,
    fields: &Fields<'_>,
    (definition, kind): (Option<&Defined>, ItemKind),
    servers: &[ServerSpec],
) -> Option<String> {
    let upstream = &definition?.name;
    match kind {
        ItemKind::Resource | ItemKind::ResourceTemplate => return Some(upstream.clone()),
        ItemKind::Tool | ItemKind::Prompt => {}
    }
    let alias = fields.optional_string(reader, "alias");
    if let Some(Err(kind)) = alias.map(name::legal_prompt) {
        fields.fault(reader, "alias", kind);
    }
    let server = fields.optional("server").and_then(Value::as_str)?;
    let exposed = name::exposed(alias, server, upstream, servers.len());
    // A name that is illegal by itself was reported where it stands.
    if let (None, Ok(()), Err(kind)) = (
        alias,
        name::legal_prompt(upstream),
        name::legal_prompt(&exposed),
    ) {
        fields.fault(reader, "definition", kind);
    }
    Some(exposed)
}

/// What a definition comes to.
struct Defined {
    /// What its server knows it by.
    name: String,
    value: Value,
    digest: Sha256Digest,
    checks: Checks,
}

fn definition(reader: &mut Reader<'_>, fields: &Fields<'_>, kind: ItemKind) -> Option<Defined> {
    let value = fields.required(reader, "definition")?;
    let definition = Fields::open(reader, value, fields.child("definition"))?;
    let digest = digested(reader, fields, value)?;
    let name = definition.string(reader, kind.identity());
    let checks = match kind {
        ItemKind::Tool => None,
        ItemKind::Resource => {
            definition.string(reader, "name");
            checked(reader, &definition, "uri", name::uri(name?)).map(|()| Checks::Resource)
        }
        ItemKind::ResourceTemplate => {
            definition.string(reader, "name");
            let template = name::template(name?);
            checked(reader, &definition, "uriTemplate", template)
                .map(|template| Checks::Template(Arc::new(template)))
        }
        ItemKind::Prompt => {
            let arguments = arguments(reader, &definition);
            checked(reader, &definition, "name", name::legal_prompt(name?));
            let checks = Checks::prompt(arguments?.into_iter());
            let checks = checks.map_err(|error| CatalogErrorKind::Schema {
                which: "arguments",
                error,
            });
            checked(reader, &definition, "arguments", checks)
        }
    };
    Some(Defined {
        name: name?.to_owned(),
        value: value.clone(),
        digest,
        checks: checks?,
    })
}

fn checked<T>(
    reader: &mut Reader<'_>,
    definition: &Fields<'_>,
    member: &str,
    result: Result<T, CatalogErrorKind>,
) -> Option<T> {
    result
        .map_err(|kind| definition.fault(reader, member, kind))
        .ok()
}

/// The arguments that a prompt declares, with whether they are required.
fn arguments<'v>(reader: &mut Reader<'_>, definition: &Fields<'v>) -> Option<Vec<(&'v str, bool)>> {
    let mut arguments: Vec<(&str, bool)> = Vec::new();
    let mut sound = true;
    let declared = definition.array(reader, "arguments").unwrap_or_default();
    for (index, argument) in declared.iter().enumerate() {
        let place = format!("{}[{index}]", definition.at("arguments"));
        let near = definition.offset_of("arguments");
        let Some(argument) = Fields::open(reader, argument, (place, near)) else {
            sound = false;
            continue;
        };
        let required = argument.flag(reader, "required").unwrap_or(false);
        let Some(name) = argument.string(reader, "name") else {
            sound = false;
            continue;
        };
        if arguments.iter().any(|(known, _)| *known == name) {
            let name = name.escape_default().to_string();
            argument.fault(reader, "name", CatalogErrorKind::Duplicate(name));
            sound = false;
        }
        arguments.push((name, required));
    }
    sound.then_some(arguments)
}

const RESOURCE: [&str; 11] = [
    "server",
    "definition",
    "digest",
    "read_only",
    "sensitivity",
    "compliance_domain",
    "baa_covered",
    "redact",
    "approved_by",
    "approved_at",
    "attestation",
];
const PROMPT: [&str; 12] = [
    "server",
    "alias",
    "definition",
    "digest",
    "read_only",
    "sensitivity",
    "compliance_domain",
    "baa_covered",
    "redact",
    "approved_by",
    "approved_at",
    "attestation",
];

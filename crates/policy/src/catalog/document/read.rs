use std::sync::Arc;

use cmcp_evidence::{Sha256Digest, Timestamp};
use cmcp_json::{Form, Value, canonical_without};

use super::{
    Approval,
    items::items,
    servers::{servers, unattested},
};
use crate::{
    catalog::{
        Approved, Baa, CatalogErrorKind, Context, Effect, ItemKind, Items, Parts, ServerSpec,
        approved::{Checks, Origin, definition_digest},
        name,
        reader::{Fields, Reader, list},
    },
    path::JsonPath,
    scan::{self, Severity},
    schema_check::{Bare, Schema},
    sensitivity::{Sensitivity, Vocabulary},
};

/// Reads our document. Whatever is wrong is left with the reader.
pub(in crate::catalog) fn read(
    reader: &mut Reader<'_>,
    document: &Value,
    context: &Context<'_>,
) -> Option<Parts> {
    let fields = Fields::closed(reader, document, ("$".to_owned(), 0), &DOCUMENT)?;
    match fields.required(reader, "cmcp_catalog") {
        Some(version) if version.as_i64() == Some(1) => {}
        Some(version) => {
            fields.fault(
                reader,
                "cmcp_catalog",
                CatalogErrorKind::Version(version.to_string()),
            );
            return None;
        }
        None => return None,
    }
    if fields
        .array(reader, "signatures")
        .is_some_and(|signatures| !signatures.is_empty())
    {
        let remedy = "leave it empty";
        fields.fault(
            reader,
            "signatures",
            CatalogErrorKind::Reserved {
                member: "signatures",
                remedy,
            },
        );
    }
    let servers = servers(reader, &fields);
    let tools = tools(reader, &fields, &servers, context);
    let others = [
        ItemKind::Resource,
        ItemKind::ResourceTemplate,
        ItemKind::Prompt,
    ]
    .map(|kind| items(reader, &fields, kind, (&servers, context)));
    let [resources, templates, prompts] = others;
    let canonical = canonical_without(document, "signatures", Form::Verbatim).ok()?;
    let hash = Sha256Digest::of_parts(&[b"cmcp/catalog/v1\0", &canonical]);
    Some(Parts {
        hash,
        items: Items {
            tools,
            resources,
            templates,
            prompts,
        },
        servers,
    })
}

fn tools(
    reader: &mut Reader<'_>,
    fields: &Fields<'_>,
    servers: &[ServerSpec],
    context: &Context<'_>,
) -> Vec<Approved> {
    let mut tools = Vec::new();
    let mut names = Vec::new();
    fields.required(reader, "tools");
    for (index, entry) in fields
        .array(reader, "tools")
        .unwrap_or_default()
        .iter()
        .enumerate()
    {
        let at = (format!("tools[{index}]"), fields.offset_of("tools"));
        let Some(entry) = Fields::closed(reader, entry, at, &TOOL) else {
            continue;
        };
        if let Some(tool) = tool(reader, &entry, servers, context) {
            let offset = entry.offset;
            names.push(name::Exposed {
                place: entry.place,
                offset,
                name: tool.name.clone(),
            });
            tools.push(tool);
        }
    }
    name::distinct(reader, &names);
    tools
}

fn tool(
    reader: &mut Reader<'_>,
    fields: &Fields<'_>,
    servers: &[ServerSpec],
    context: &Context<'_>,
) -> Option<Approved> {
    unattested(reader, fields);
    let names = Names::read(reader, fields, servers);
    let definition = definition(reader, fields);
    let labels = Labels::read(reader, fields, context.vocabulary);
    let redact = redact(reader, fields, ItemKind::Tool);
    let approval = approval(reader, fields);
    let effect = match fields.flag(reader, "read_only") {
        Some(true) => Effect::Reads,
        Some(false) | None => Effect::Writes,
    };
    let baa = match fields.flag(reader, "baa_covered") {
        Some(true) => Baa::Covered,
        Some(false) | None => Baa::NotCovered,
    };
    fields.required(reader, "read_only");
    let (names, (definition, digest, checks), labels) = (names?, definition?, labels?);
    Some(Approved {
        kind: ItemKind::Tool,
        name: names.exposed,
        upstream_name: names.upstream,
        server: names.server,
        definition,
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

/// What a tool is called, and whose it is.
struct Names {
    exposed: String,
    upstream: String,
    server: usize,
}

impl Names {
    fn read(reader: &mut Reader<'_>, fields: &Fields<'_>, servers: &[ServerSpec]) -> Option<Self> {
        let upstream = fields.string(reader, "name");
        let alias = fields.optional_string(reader, "alias");
        for (member, name) in [("name", upstream), ("alias", alias)] {
            if let Some(Err(kind)) = name.map(name::legal) {
                fields.fault(reader, member, kind);
            }
        }
        let at = owner(reader, fields, servers);
        let server = fields.optional("server").and_then(Value::as_str)?;
        let exposed = name::exposed(alias, server, upstream?, servers.len());
        if let (None, Err(kind)) = (alias, name::legal(&exposed)) {
            fields.fault(reader, "name", kind);
        }
        Some(Self {
            exposed,
            upstream: upstream?.to_owned(),
            server: at?,
        })
    }
}

/// Which of the servers an entry names.
pub(super) fn owner(
    reader: &mut Reader<'_>,
    fields: &Fields<'_>,
    servers: &[ServerSpec],
) -> Option<usize> {
    let server = fields.string(reader, "server")?;
    let at = servers.iter().position(|spec| spec.name == server);
    if at.is_none() {
        let known = list(servers.iter().map(|spec| &spec.name));
        let name = server.escape_default().to_string();
        fields.fault(
            reader,
            "server",
            CatalogErrorKind::UnknownServer { name, known },
        );
    }
    at
}

type Definition = (Value, Sha256Digest, Checks);

/// The digest of an entry's definition, which is held against the stated one and looked through.
pub(super) fn digested(
    reader: &mut Reader<'_>,
    fields: &Fields<'_>,
    definition: &Value,
) -> Option<Sha256Digest> {
    let actual = definition_digest(definition).ok()?;
    if let Some(stated) = fields
        .string(reader, "digest")
        .filter(|stated| *stated != actual.to_string())
    {
        let stated = stated.escape_debug().to_string();
        fields.fault(
            reader,
            "digest",
            CatalogErrorKind::Digest { stated, actual },
        );
    }
    harmless(reader, fields, definition);
    Some(actual)
}

fn definition(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Option<Definition> {
    let value = fields.required(reader, "definition")?;
    let definition = Fields::open(reader, value, fields.child("definition"))?;
    let named = definition.string(reader, "name")?;
    if fields
        .optional("name")
        .and_then(Value::as_str)
        .is_some_and(|name| name != named)
    {
        let kind = CatalogErrorKind::DefinitionName(named.escape_default().to_string());
        definition.fault(reader, "name", kind);
    }
    let actual = digested(reader, fields, value)?;
    definition.required(reader, "inputSchema")?;
    let arguments = schema(reader, &definition, "inputSchema", Bare::Closed)?;
    let output = match value.get("outputSchema") {
        Some(Value::Null) | None => None,
        Some(_) => Some(schema(reader, &definition, "outputSchema", Bare::Open)?),
    };
    Some((value.clone(), actual, Checks::Tool { arguments, output }))
}

/// Reports text that shows a person something else than it tells a model.
pub(in crate::catalog) fn harmless(
    reader: &mut Reader<'_>,
    fields: &Fields<'_>,
    definition: &Value,
) {
    for finding in scan::scan_definition(definition) {
        if finding.severity == Severity::Refuse {
            let kind = CatalogErrorKind::Scan {
                what: finding.what,
                at: finding.place,
            };
            reader.fault(&fields.place, fields.offset, kind);
        }
    }
}

pub(in crate::catalog) fn schema(
    reader: &mut Reader<'_>,
    definition: &Fields<'_>,
    which: &'static str,
    bare: Bare,
) -> Option<Arc<Schema>> {
    match Schema::compile(definition.optional(which)?, bare) {
        Ok(schema) => Some(Arc::new(schema)),
        Err(error) => {
            definition.fault(reader, which, CatalogErrorKind::Schema { which, error });
            None
        }
    }
}

/// How sensitive a tool is, and where it belongs.
pub(in crate::catalog) struct Labels {
    pub(in crate::catalog) sensitivity: Sensitivity,
    pub(in crate::catalog) domain: String,
}

impl Labels {
    pub(super) fn read(
        reader: &mut Reader<'_>,
        fields: &Fields<'_>,
        vocabulary: &Vocabulary,
    ) -> Option<Self> {
        Self::of(reader, fields, "sensitivity", vocabulary)
    }

    pub(in crate::catalog) fn of(
        reader: &mut Reader<'_>,
        fields: &Fields<'_>,
        member: &str,
        vocabulary: &Vocabulary,
    ) -> Option<Self> {
        let label = fields.optional_string(reader, member).unwrap_or("public");
        let sensitivity = vocabulary.sensitivity(label);
        if sensitivity.is_none() {
            let known = list(vocabulary.labels().map(|(name, _)| name));
            let name = label.escape_default().to_string();
            fields.fault(
                reader,
                member,
                CatalogErrorKind::Sensitivity { name, known },
            );
        }
        let domain = fields
            .optional_string(reader, "compliance_domain")
            .unwrap_or("external");
        if vocabulary.regulated(domain).is_none() {
            let known = list(vocabulary.domains().map(|(name, _)| name));
            let name = domain.escape_default().to_string();
            fields.fault(
                reader,
                "compliance_domain",
                CatalogErrorKind::Domain { name, known },
            );
        }
        Some(Self {
            sensitivity: sensitivity?,
            domain: domain.to_owned(),
        })
    }
}

pub(super) fn redact(
    reader: &mut Reader<'_>,
    fields: &Fields<'_>,
    kind: ItemKind,
) -> Vec<JsonPath> {
    let mut paths = Vec::new();
    for text in fields.strings(reader, "redact") {
        match JsonPath::parse_in_result_of(kind, text) {
            Ok(path) => paths.push(path),
            Err(error) => fields.fault(reader, "redact", CatalogErrorKind::RedactionPath(error)),
        }
    }
    paths
}

pub(super) fn approval(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Approval {
    let by = fields
        .optional_string(reader, "approved_by")
        .map(str::to_owned);
    let at = fields
        .optional_string(reader, "approved_at")
        .and_then(|text| {
            let time = Timestamp::parse_rfc3339(text).ok();
            if time.is_none() {
                fields.fault(
                    reader,
                    "approved_at",
                    CatalogErrorKind::Time(text.escape_debug().to_string()),
                );
            }
            time
        });
    Approval { by, at }
}

const DOCUMENT: [&str; 7] = [
    "cmcp_catalog",
    "servers",
    "tools",
    "resources",
    "resource_templates",
    "prompts",
    "signatures",
];
const TOOL: [&str; 13] = [
    "server",
    "name",
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

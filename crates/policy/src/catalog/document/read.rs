use std::{collections::BTreeMap, sync::Arc};

use cmcp_evidence::{Sha256Digest, Timestamp};
use cmcp_json::{Form, Value, canonical_without};

use super::Approval;
use crate::{
    catalog::{
        Approved, Baa, CatalogErrorKind, Context, Effect, Parts, ServerSpec, TlsPin, Transport,
        approved::{Checks, Origin, definition_digest},
        name,
        reader::{Fields, Reader, list},
        server,
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
    let fields = Fields::closed(reader, document, "$".to_owned(), &DOCUMENT)?;
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
    let mut tools = Vec::new();
    let mut names = Vec::new();
    fields.required(reader, "tools");
    for (index, entry) in fields
        .array(reader, "tools")
        .unwrap_or_default()
        .iter()
        .enumerate()
    {
        let Some(entry) = Fields::closed(reader, entry, format!("tools[{index}]"), &TOOL) else {
            continue;
        };
        if let Some(tool) = tool(reader, &entry, &servers, context) {
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
    let canonical = canonical_without(document, "signatures", Form::Verbatim).ok()?;
    let hash = Sha256Digest::of_parts(&[b"cmcp/catalog/v1\0", &canonical]);
    Some(Parts {
        hash,
        servers,
        tools,
    })
}

fn servers(reader: &mut Reader<'_>, document: &Fields<'_>) -> Vec<ServerSpec> {
    let mut servers = Vec::new();
    let Some(value) = document.required(reader, "servers") else {
        return servers;
    };
    let Some(named) = Fields::open(reader, value, "servers".to_owned()) else {
        return servers;
    };
    for (name, value) in named.iter() {
        if let Err(kind) = name::legal_server(name) {
            named.fault(reader, name, kind);
        }
        let Some(fields) = Fields::open(reader, value, named.at(name)) else {
            continue;
        };
        let transport = match fields.string(reader, "transport") {
            Some("stdio") => stdio(reader, value, &fields),
            Some("streamable-http") => http(reader, value, &fields),
            Some(word) => {
                let kind = CatalogErrorKind::Word {
                    word: word.to_owned(),
                    known: "`stdio` and `streamable-http`",
                };
                fields.fault(reader, "transport", kind);
                None
            }
            None => None,
        };
        unattested(reader, &fields);
        let display_name = fields
            .optional_string(reader, "display_name")
            .map(str::to_owned);
        // A server that has faults still counts, so that its tools are not reported as homeless.
        servers.push(ServerSpec {
            name: name.to_owned(),
            display_name,
            transport: transport.unwrap_or_else(|| Transport::Http {
                url: String::new(),
                pin: TlsPin::WebPki,
            }),
        });
    }
    servers
}

fn stdio(reader: &mut Reader<'_>, value: &Value, fields: &Fields<'_>) -> Option<Transport> {
    let fields = Fields::closed(reader, value, fields.place.clone(), &STDIO)?;
    let command = fields.string(reader, "command");
    let cwd = fields.optional_string(reader, "cwd");
    for (name, path) in [("command", command), ("cwd", cwd)] {
        if let Some(Err(kind)) = path.map(server::absolute) {
            fields.fault(reader, name, kind);
        }
    }
    let env = fields.strings(reader, "env");
    for name in &env {
        if let Err(kind) = server::variable(name) {
            fields.fault(reader, "env", kind);
        }
    }
    let mut measured = BTreeMap::new();
    if let Some(files) = fields.optional("measured") {
        let files = Fields::open(reader, files, fields.at("measured"))?;
        for (path, _) in files.iter() {
            if let Err(kind) = server::absolute(path) {
                files.fault(reader, path, kind);
            }
            if let Some(digest) = digest(reader, &files, path) {
                measured.insert(path.to_owned(), digest);
            }
        }
    }
    let owned = |strings: Vec<&str>| strings.into_iter().map(str::to_owned).collect();
    Some(Transport::Stdio {
        command: command?.to_owned(),
        args: owned(fields.strings(reader, "args")),
        env: owned(env),
        cwd: cwd.map(str::to_owned),
        measured,
    })
}

fn http(reader: &mut Reader<'_>, value: &Value, fields: &Fields<'_>) -> Option<Transport> {
    let fields = Fields::closed(reader, value, fields.place.clone(), &HTTP)?;
    let url = fields.string(reader, "url");
    if let Some(Err(kind)) = url.map(server::url) {
        fields.fault(reader, "url", kind);
    }
    let tls = fields.required(reader, "tls")?;
    let tls = Fields::open(reader, tls, fields.at("tls"))?;
    let known: &[&str] = if tls.optional("pin").and_then(Value::as_str) == Some("webpki") {
        &["pin"]
    } else {
        &["pin", "sha256"]
    };
    let tls = Fields::closed(reader, fields.optional("tls")?, tls.place, known)?;
    let pin = match tls.string(reader, "pin")? {
        "certificate" => TlsPin::Certificate(pinned(reader, &tls)?),
        "key" => TlsPin::Key(pinned(reader, &tls)?),
        "webpki" => TlsPin::WebPki,
        word => {
            let known = "`certificate`, `key` and `webpki`";
            tls.fault(
                reader,
                "pin",
                CatalogErrorKind::Word {
                    word: word.to_owned(),
                    known,
                },
            );
            return None;
        }
    };
    Some(Transport::Http {
        url: url?.to_owned(),
        pin,
    })
}

fn pinned(reader: &mut Reader<'_>, tls: &Fields<'_>) -> Option<Sha256Digest> {
    tls.required(reader, "sha256")?;
    digest(reader, tls, "sha256")
}

fn digest(reader: &mut Reader<'_>, fields: &Fields<'_>, name: &str) -> Option<Sha256Digest> {
    let text = fields.optional_string(reader, name)?;
    let digest = text.parse().ok();
    if digest.is_none() {
        fields.fault(
            reader,
            name,
            CatalogErrorKind::Pin(text.escape_debug().to_string()),
        );
    }
    digest
}

fn unattested(reader: &mut Reader<'_>, fields: &Fields<'_>) {
    if fields
        .optional("attestation")
        .is_some_and(|demand| !demand.is_null())
    {
        let remedy = "write `null`";
        fields.fault(
            reader,
            "attestation",
            CatalogErrorKind::Reserved {
                member: "attestation",
                remedy,
            },
        );
    }
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
    let redact = redact(reader, fields);
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

type Definition = (Value, Sha256Digest, Checks);

fn definition(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Option<Definition> {
    let value = fields.required(reader, "definition")?;
    let definition = Fields::open(reader, value, fields.at("definition"))?;
    let named = definition.string(reader, "name")?;
    if fields
        .optional("name")
        .and_then(Value::as_str)
        .is_some_and(|name| name != named)
    {
        let kind = CatalogErrorKind::DefinitionName(named.escape_default().to_string());
        definition.fault(reader, "name", kind);
    }
    let actual = definition_digest(value).ok()?;
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
    harmless(reader, fields, value);
    definition.required(reader, "inputSchema")?;
    let arguments = schema(reader, &definition, "inputSchema", Bare::Closed)?;
    let output = match value.get("outputSchema") {
        Some(Value::Null) | None => None,
        Some(_) => Some(schema(reader, &definition, "outputSchema", Bare::Open)?),
    };
    Some((value.clone(), actual, Checks { arguments, output }))
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
    fn read(reader: &mut Reader<'_>, fields: &Fields<'_>, vocabulary: &Vocabulary) -> Option<Self> {
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

fn redact(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Vec<JsonPath> {
    let mut paths = Vec::new();
    for text in fields.strings(reader, "redact") {
        match JsonPath::parse_in_result(text) {
            Ok(path) => paths.push(path),
            Err(error) => fields.fault(reader, "redact", CatalogErrorKind::RedactionPath(error)),
        }
    }
    paths
}

fn approval(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Approval {
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

const DOCUMENT: [&str; 4] = ["cmcp_catalog", "servers", "tools", "signatures"];
const STDIO: [&str; 8] = [
    "transport",
    "command",
    "args",
    "env",
    "cwd",
    "measured",
    "display_name",
    "attestation",
];
const HTTP: [&str; 5] = ["transport", "url", "tls", "display_name", "attestation"];
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

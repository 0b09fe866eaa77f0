use std::collections::{BTreeMap, HashMap};

use cmcp_evidence::{Sha256Digest, Timestamp, b64};
use cmcp_json::{Form, Object, Value, canonical};

use super::{
    Approval, Approved, Baa, CatalogErrorKind, Context, Effect, ItemKind, Items, Parts, ServerSpec,
    TlsPin, Transport,
    approved::{Checks, Origin, drift_digest},
    document,
    name::{self, Exposed},
    reader::{Fields, Reader},
    server,
};
use crate::{Compat, schema_check::Bare};

/// Reads the array of the Python cMCP 0.7.1: its hash, its members, its names.
pub(super) fn read(
    reader: &mut Reader<'_>,
    entries: &[Value],
    context: &Context<'_>,
) -> Option<Parts> {
    let mut servers = Servers::default();
    let mut tools = Vec::new();
    let mut names = Vec::new();
    // Elements have no place in the text but that of their first member.
    let mut near = 0;
    for (index, entry) in entries.iter().enumerate() {
        let at = (format!("[{index}]"), near);
        let Some(fields) = Fields::closed(reader, entry, at, &ENTRY) else {
            continue;
        };
        near = fields.offset;
        if let Some(tool) = tool(reader, &fields, &mut servers, context) {
            names.push(Exposed {
                place: fields.place,
                offset: fields.offset,
                name: tool.name.clone(),
            });
            tools.push(tool);
        }
    }
    name::distinct(reader, &names);
    if context.compat == Compat::V07 {
        distinct_actions(reader, &names);
    }
    let mut sorted: Vec<Value> = entries.to_vec();
    sorted.sort_by(|a, b| tool_name(a).cmp(&tool_name(b)));
    let hash = Sha256Digest::of(&canonical(&Value::Array(sorted), Form::Pyj).ok()?);
    Some(Parts {
        hash,
        items: Items {
            tools,
            ..Items::default()
        },
        servers: servers.specs,
    })
}

fn tool_name(entry: &Value) -> Option<&str> {
    entry.get("tool_name").and_then(Value::as_str)
}

fn tool(
    reader: &mut Reader<'_>,
    fields: &Fields<'_>,
    servers: &mut Servers,
    context: &Context<'_>,
) -> Option<Approved> {
    let name = name(reader, fields);
    let server = fields
        .required(reader, "server")
        .and_then(|server| Fields::open(reader, server, fields.child("server")))
        .and_then(|server| server_of(reader, &server, context.compat));
    let definition = definition(reader, fields, context.compat);
    let labels = document::Labels::of(reader, fields, "sensitivity_level", context.vocabulary);
    let baa = match (
        fields.flag(reader, "requires_baa").unwrap_or(false),
        context.compat,
    ) {
        (true, Compat::Off) | (false, Compat::V07) => Baa::Covered,
        (false, Compat::Off) | (true, Compat::V07) => Baa::NotCovered,
    };
    let origin = match fields.flag(reader, "catalog_exception") {
        Some(true) => Origin::ArrayException,
        Some(false) | None => Origin::Array,
    };
    let by = fields.string(reader, "approved_by");
    let at = fields.string(reader, "added_at");
    let (name, server, (mut definition, digest, checks), labels) =
        (name?, server?, definition?, labels?);
    definition.insert("name", name);
    Some(Approved {
        kind: ItemKind::Tool,
        name: name.to_owned(),
        upstream_name: name.to_owned(),
        server: servers.add(server),
        definition: definition.into(),
        digest,
        effect: Effect::Writes,
        sensitivity: labels.sensitivity,
        compliance_domain: labels.domain,
        baa,
        redact: Vec::new(),
        approval: Approval {
            by: by.map(str::to_owned),
            at: at.and_then(|at| Timestamp::parse_rfc3339(at).ok()),
        },
        checks,
        origin,
    })
}

fn name<'v>(reader: &mut Reader<'_>, fields: &Fields<'v>) -> Option<&'v str> {
    let name = fields.string(reader, "tool_name")?;
    if let Err(kind) = name::legal(name) {
        fields.fault(reader, "tool_name", kind);
    } else if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        fields.fault(
            reader,
            "tool_name",
            CatalogErrorKind::NotLowerCase(name.to_owned()),
        );
    }
    Some(name)
}

fn definition(
    reader: &mut Reader<'_>,
    fields: &Fields<'_>,
    compat: Compat,
) -> Option<(Object, Sha256Digest, Checks)> {
    let value = fields.required(reader, "approved_definition")?;
    let approved = Fields::closed(
        reader,
        value,
        fields.child("approved_definition"),
        &DEFINITION,
    )?;
    if let Some(stated) = fields.string(reader, "definition_hash") {
        let actual = Sha256Digest::of(&canonical(value, Form::Pyj).ok()?);
        if stated != actual.to_string() {
            let stated = stated.escape_debug().to_string();
            fields.fault(
                reader,
                "definition_hash",
                CatalogErrorKind::Digest { stated, actual },
            );
        }
    }
    document::harmless(reader, fields, value);
    let description = approved.string(reader, "description");
    approved.required(reader, "input_schema")?;
    // 0.7.1 never looked at the schema, so under its rules one that says nothing asks for nothing.
    let bare = match compat {
        Compat::Off => Bare::Closed,
        Compat::V07 => Bare::Open,
    };
    let arguments = document::schema(reader, &approved, "input_schema", bare);
    let output_schema = approved
        .optional("output_schema")
        .filter(|schema| !schema.is_null());
    let output = match output_schema {
        Some(_) => Some(document::schema(
            reader,
            &approved,
            "output_schema",
            Bare::Open,
        )?),
        None => None,
    };
    let input_schema = approved.optional("input_schema")?.clone();
    let mut definition = Object::from([
        ("name", Value::Null),
        ("description", Value::from(description?)),
        ("inputSchema", input_schema),
    ]);
    if let Some(schema) = output_schema {
        definition.insert("outputSchema", schema.clone());
    }
    let digest = drift_digest(&definition.clone().into()).ok()?;
    Some((
        definition,
        digest,
        Checks::Tool {
            arguments: arguments?,
            output,
        },
    ))
}

/// Reads one `server` object of this form by itself, as the request for an exception carries one.
pub(super) fn identity(
    reader: &mut Reader<'_>,
    value: &Value,
    compat: Compat,
) -> Option<ServerSpec> {
    let fields = Fields::open(reader, value, ("server_identity".to_owned(), 0))?;
    let mut servers = Servers::default();
    servers.add(server_of(reader, &fields, compat)?);
    servers.specs.pop()
}

fn server_of(
    reader: &mut Reader<'_>,
    server: &Fields<'_>,
    compat: Compat,
) -> Option<(String, Transport)> {
    server.only(reader, &SERVER);
    let display_name = server.string(reader, "display_name");
    if server.nullable_string(reader, "spiffe_id").is_some() && compat == Compat::Off {
        let remedy = "remove it, or set `compat: cmcp-0.7` to have it ignored as 0.7.1 does";
        server.fault(
            reader,
            "spiffe_id",
            CatalogErrorKind::Reserved {
                member: "spiffe_id",
                remedy,
            },
        );
    }
    if server.optional("provenance").is_some() {
        let remedy = "remove it";
        server.fault(
            reader,
            "provenance",
            CatalogErrorKind::Reserved {
                member: "provenance",
                remedy,
            },
        );
    }
    let transport = match server.string(reader, "transport")? {
        "http-sse" | "streamable-http" => network(reader, server, compat),
        "stdio" => spawn(reader, server),
        word => {
            let known = "`http-sse`, `streamable-http` and `stdio`";
            server.fault(
                reader,
                "transport",
                CatalogErrorKind::Word {
                    word: word.to_owned(),
                    known,
                },
            );
            None
        }
    };
    Some((display_name?.to_owned(), transport?))
}

fn network(reader: &mut Reader<'_>, server: &Fields<'_>, compat: Compat) -> Option<Transport> {
    let url = server.string(reader, "url")?;
    if let Err(kind) = server::any_url(url) {
        server.fault(reader, "url", kind);
    }
    let mode = match server.optional_string(reader, "rotation_mode") {
        None | Some("key-pinned") => TlsPin::Key,
        Some("cert-pinned") => TlsPin::Certificate,
        Some(word) => {
            let known = "`key-pinned` and `cert-pinned`";
            server.fault(
                reader,
                "rotation_mode",
                CatalogErrorKind::Word {
                    word: word.to_owned(),
                    known,
                },
            );
            return None;
        }
    };
    let text = server.string(reader, "tls_fingerprint")?;
    // 0.7.1 compares the whole certificate, whatever the mode.
    let mode = if compat == Compat::V07 {
        TlsPin::Certificate
    } else {
        mode
    };
    let pin = if url.starts_with("https://") {
        fingerprint(text).map(|digest| digest.map_or(TlsPin::Placeholder, mode))
    } else {
        shaped(text).map(|_| TlsPin::Placeholder)
    };
    if pin.is_none() {
        server.fault(
            reader,
            "tls_fingerprint",
            CatalogErrorKind::Pin(text.escape_debug().to_string()),
        );
    }
    Some(Transport::Http {
        url: url.to_owned(),
        pin: pin?,
    })
}

/// The base64 of a fingerprint that has the form 0.7.1 demands.
fn shaped(text: &str) -> Option<&str> {
    let base64 = text.strip_prefix("SHA256:")?;
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=');
    Some(base64).filter(|base64| (43..=44).contains(&base64.len()) && base64.bytes().all(legal))
}

/// The digest in a fingerprint; `Some(None)` for the placeholder.
fn fingerprint(text: &str) -> Option<Option<Sha256Digest>> {
    let base64 = shaped(text)?;
    let url_safe = base64
        .strip_suffix('=')
        .unwrap_or(base64)
        .replace('+', "-")
        .replace('/', "_");
    let digest: [u8; 32] = b64::decode(&url_safe).ok()?.try_into().ok()?;
    Some(
        Some(digest)
            .filter(|digest| *digest != [0; 32])
            .map(Sha256Digest::from_bytes),
    )
}

fn spawn(reader: &mut Reader<'_>, server: &Fields<'_>) -> Option<Transport> {
    let value = server.required(reader, "spawn")?;
    let spawn = Fields::closed(reader, value, server.child("spawn"), &SPAWN)?;
    let command = spawn.string(reader, "command");
    let target = spawn.nullable_string(reader, "measure_target");
    for (name, path) in [("command", command), ("measure_target", target)] {
        if let Some(Err(kind)) = path.map(server::absolute) {
            spawn.fault(reader, name, kind);
        }
    }
    let mut measured = BTreeMap::new();
    if let Some(text) = spawn.nullable_string(reader, "binary_digest") {
        match text.parse() {
            Ok(digest) => {
                measured.insert(target.or(command)?.to_owned(), digest);
            }
            Err(_) => spawn.fault(
                reader,
                "binary_digest",
                CatalogErrorKind::Pin(text.escape_debug().to_string()),
            ),
        }
    }
    let args = spawn
        .strings(reader, "args")
        .into_iter()
        .map(str::to_owned)
        .collect();
    Some(Transport::Stdio {
        command: command?.to_owned(),
        args,
        env: Vec::new(),
        cwd: None,
        measured,
    })
}

/// The distinct servers of the entries, each with a name of its own.
#[derive(Default)]
struct Servers {
    specs: Vec<ServerSpec>,
}

impl Servers {
    fn add(&mut self, (display_name, transport): (String, Transport)) -> usize {
        let same = |spec: &ServerSpec| {
            spec.display_name.as_deref() == Some(&display_name) && spec.transport == transport
        };
        if let Some(at) = self.specs.iter().position(same) {
            return at;
        }
        let name = self.free_name(&display_name);
        self.specs.push(ServerSpec {
            name,
            display_name: Some(display_name),
            transport,
        });
        self.specs.len().saturating_sub(1)
    }

    fn free_name(&self, display_name: &str) -> String {
        let words = display_name
            .split(|c: char| !c.is_ascii_alphanumeric())
            .filter(|word| !word.is_empty());
        let slug = words.collect::<Vec<_>>().join("-").to_ascii_lowercase();
        let slug = slug.trim_start_matches(|c: char| !c.is_ascii_lowercase());
        let slug: String = if slug.is_empty() { "server" } else { slug }
            .chars()
            .take(24)
            .collect();
        let taken = |name: &str| self.specs.iter().any(|spec| spec.name == name);
        let numbered = (2_usize..).map(|number| format!("{slug}-{number}"));
        std::iter::once(slug.clone())
            .chain(numbered)
            .find(|name| !taken(name))
            .unwrap_or(slug)
    }
}

fn distinct_actions(reader: &mut Reader<'_>, names: &[Exposed]) {
    let mut actions: HashMap<String, &Exposed> = HashMap::new();
    for this in names {
        let action = name::derived_action(&this.name);
        if let Some(other) = actions.insert(action.clone(), this)
            && other.name != this.name
        {
            let kind = CatalogErrorKind::ActionCollision(other.name.clone(), action);
            reader.fault(&this.place, this.offset, kind);
        }
    }
}

const ENTRY: [&str; 10] = [
    "tool_name",
    "server",
    "approved_definition",
    "definition_hash",
    "added_at",
    "approved_by",
    "compliance_domain",
    "requires_baa",
    "sensitivity_level",
    "catalog_exception",
];
const DEFINITION: [&str; 3] = ["description", "input_schema", "output_schema"];
const SERVER: [&str; 8] = [
    "display_name",
    "transport",
    "url",
    "tls_fingerprint",
    "rotation_mode",
    "spiffe_id",
    "spawn",
    "provenance",
];
const SPAWN: [&str; 4] = ["command", "args", "binary_digest", "measure_target"];

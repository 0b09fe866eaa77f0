use std::collections::BTreeMap;

use cmcp_evidence::Sha256Digest;
use cmcp_json::Value;

use crate::catalog::{
    CatalogErrorKind, ServerSpec, TlsPin, Transport, name,
    reader::{Fields, Reader},
    server,
};

pub(super) fn servers(reader: &mut Reader<'_>, document: &Fields<'_>) -> Vec<ServerSpec> {
    let mut servers = Vec::new();
    let Some(value) = document.required(reader, "servers") else {
        return servers;
    };
    let Some(named) = Fields::open(reader, value, document.child("servers")) else {
        return servers;
    };
    for (name, value) in named.iter() {
        if let Err(kind) = name::legal_server(name) {
            named.fault(reader, name, kind);
        }
        let Some(fields) = Fields::open(reader, value, named.child(name)) else {
            continue;
        };
        let transport = match fields.string(reader, "transport") {
            Some("stdio") => stdio(reader, &fields),
            Some("streamable-http") => http(reader, &fields),
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

fn stdio(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Option<Transport> {
    fields.only(reader, &STDIO);
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
        let files = Fields::open(reader, files, fields.child("measured"))?;
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

fn http(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Option<Transport> {
    fields.only(reader, &HTTP);
    let url = fields.string(reader, "url");
    if let Some(Err(kind)) = url.map(server::url) {
        fields.fault(reader, "url", kind);
    }
    let tls = fields.required(reader, "tls")?;
    let tls = Fields::open(reader, tls, fields.child("tls"))?;
    let known: &[&str] = if tls.optional("pin").and_then(Value::as_str) == Some("webpki") {
        &["pin"]
    } else {
        &["pin", "sha256"]
    };
    tls.only(reader, known);
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

pub(super) fn unattested(reader: &mut Reader<'_>, fields: &Fields<'_>) {
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

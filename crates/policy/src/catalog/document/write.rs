use cmcp_json::{CanonError, Object, Value};

use super::{Document, Tool};
use crate::catalog::{
    Baa, Effect, ItemKind, ServerSpec, TlsPin, Transport, approved::definition_digest,
};

pub(super) fn value(document: &Document) -> Result<Value, CanonError> {
    let servers: Object = document
        .servers
        .iter()
        .map(|spec| (spec.name.clone(), server(spec)))
        .collect();
    let mut members = Object::from([
        ("cmcp_catalog", Value::from(1_i64)),
        ("servers", servers.into()),
    ]);
    for kind in ItemKind::ALL {
        let items = document.items(kind);
        let items = items.iter().map(|item| entry(item, kind));
        let items = items.collect::<Result<Vec<_>, _>>()?;
        // A document that approves tools alone is what it was before there was anything else.
        if kind == ItemKind::Tool || !items.is_empty() {
            members.insert(kind.member(), Value::Array(items));
        }
    }
    members.insert("signatures", Value::Array(Vec::new()));
    Ok(members.into())
}

/// Indented by one blank per level; empty and all-scalar arrays on one line.
pub(super) fn text(value: &Value) -> String {
    let mut out = String::new();
    indent(&mut out, value, 0);
    out.push('\n');
    out
}

fn server(spec: &ServerSpec) -> Value {
    let mut members = Object::new();
    match &spec.transport {
        Transport::Http { url, pin } => {
            members.insert("transport", "streamable-http");
            members.insert("url", url.as_str());
            members.insert("tls", tls(pin));
        }
        Transport::Stdio {
            command,
            args,
            env,
            cwd,
            measured,
        } => {
            members.insert("transport", "stdio");
            members.insert("command", command.as_str());
            members.insert("args", strings(args));
            members.insert("env", strings(env));
            if let Some(cwd) = cwd {
                members.insert("cwd", cwd.as_str());
            }
            let measured: Object = measured
                .iter()
                .map(|(path, digest)| (path.as_str(), digest.to_string()))
                .collect();
            members.insert("measured", measured);
        }
    }
    if let Some(name) = &spec.display_name {
        members.insert("display_name", name.as_str());
    }
    members.insert("attestation", Value::Null);
    members.into()
}

fn tls(pin: &TlsPin) -> Value {
    let members = match pin {
        TlsPin::Certificate(digest) => Object::from([
            ("pin", "certificate".to_owned()),
            ("sha256", digest.to_string()),
        ]),
        TlsPin::Key(digest) => {
            Object::from([("pin", "key".to_owned()), ("sha256", digest.to_string())])
        }
        TlsPin::Placeholder | TlsPin::WebPki => Object::from([("pin", "webpki".to_owned())]),
    };
    members.into()
}

fn entry(tool: &Tool, kind: ItemKind) -> Result<Value, CanonError> {
    let mut members = Object::new();
    members.insert("server", tool.server.as_str());
    if kind == ItemKind::Tool {
        members.insert(
            "name",
            tool.definition.get("name").cloned().unwrap_or(Value::Null),
        );
    }
    if let Some(alias) = &tool.alias {
        members.insert("alias", alias.as_str());
    }
    members.insert("definition", tool.definition.clone());
    members.insert("digest", definition_digest(&tool.definition)?.to_string());
    members.insert("read_only", tool.effect == Effect::Reads);
    members.insert("sensitivity", tool.sensitivity.as_str());
    members.insert("compliance_domain", tool.compliance_domain.as_str());
    members.insert("baa_covered", tool.baa == Baa::Covered);
    let redact: Vec<String> = tool.redact.iter().map(ToString::to_string).collect();
    members.insert("redact", strings(&redact));
    if let Some(by) = &tool.approval.by {
        members.insert("approved_by", by.as_str());
    }
    if let Some(at) = &tool.approval.at {
        members.insert("approved_at", at.rfc3339());
    }
    members.insert("attestation", Value::Null);
    Ok(members.into())
}

fn strings(strings: &[String]) -> Value {
    Value::Array(
        strings
            .iter()
            .map(|string| Value::from(string.as_str()))
            .collect(),
    )
}

fn indent(out: &mut String, value: &Value, level: usize) {
    let is_scalar = |value: &Value| !matches!(value, Value::Array(_) | Value::Object(_));
    match value {
        Value::Object(object) if !object.is_empty() => {
            let members = object.iter().map(|(name, value)| (Some(name), value));
            block(out, ('{', '}'), members, level);
        }
        Value::Array(elements) if !elements.iter().all(is_scalar) => {
            block(
                out,
                ('[', ']'),
                elements.iter().map(|value| (None, value)),
                level,
            );
        }
        Value::Array(_)
        | Value::Object(_)
        | Value::Null
        | Value::Bool(_)
        | Value::Number(_)
        | Value::String(_) => {
            out.push_str(&value.to_string());
        }
    }
}

fn block<'v>(
    out: &mut String,
    (open, close): (char, char),
    parts: impl Iterator<Item = (Option<&'v str>, &'v Value)>,
    level: usize,
) {
    let inner = level.saturating_add(1);
    out.push(open);
    for (index, (name, value)) in parts.enumerate() {
        out.push_str(if index == 0 { "\n" } else { ",\n" });
        out.push_str(&" ".repeat(inner));
        if let Some(name) = name {
            out.push_str(&Value::from(name).to_string());
            out.push_str(": ");
        }
        indent(out, value, inner);
    }
    out.push('\n');
    out.push_str(&" ".repeat(level));
    out.push(close);
}

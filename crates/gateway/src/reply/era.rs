//! Results and errors of one era as the other wants them. Only what a gateway may rewrite is
//! rewritten; every other byte stays. A result may be long: what was parsed of it goes before another
//! copy is made.

use bytes::Bytes;
use cmcp_json::Value;
use cmcp_mcp::{error::Code, jsonrpc};
use cmcp_policy::decide::Action;
use http::StatusCode;

use super::Dialect;
use crate::splice;

/// A result for a client of the legacy era. `value` is `raw`, parsed.
pub(super) fn legacy(raw: Bytes, value: Value) -> Bytes {
    let odd = value
        .get("structuredContent")
        .is_some_and(|content| content.as_object().is_none());
    let names = ["resultType", "ttlMs", "cacheScope", "structuredContent"];
    let (always, _) = names.split_at(3);
    without(raw, value, if odd { &names } else { always })
}

/// A result for a client of the modern era. `value` is `raw`, parsed.
pub(super) fn modern(raw: Bytes, value: Value, action: Action) -> Bytes {
    let mut missing: Vec<(&str, &[u8])> = Vec::new();
    if value.get("resultType").is_none() {
        missing.push(("resultType", b"\"complete\""));
    }
    if action == Action::ReadResource {
        if value.get("ttlMs").is_none() {
            missing.push(("ttlMs", b"0"));
        }
        match value.get("cacheScope").and_then(Value::as_str) {
            Some("private") => {}
            // What policy let one caller see is no other's.
            Some(_) => {
                drop(value);
                let private = own(&raw, "cacheScope", b"\"private\"");
                return with(private, &missing);
            }
            None => missing.push(("cacheScope", b"\"private\"")),
        }
    }
    drop(value);
    with(raw, &missing)
}

/// `raw` without these members; `value` is `raw`, parsed.
pub(super) fn without(raw: Bytes, value: Value, names: &[&str]) -> Bytes {
    if names.iter().all(|name| value.get(name).is_none()) {
        return raw;
    }
    drop(value);
    match splice::object(&raw) {
        Some(members) => splice::without(&raw, &members, names),
        None => raw,
    }
}

/// An upstream's error for a client of the legacy era.
pub(super) fn legacy_error(raw: &Bytes) -> Bytes {
    let Some(members) = splice::object(raw) else {
        return raw.clone();
    };
    let code = members.get("code").and_then(Value::as_i64);
    let names_resource = members
        .get("data")
        .and_then(|data| data.get("uri"))
        .is_some();
    if code == Some(Code::InvalidParams.value()) && names_resource {
        return splice::set(raw, &members, "code", NO_RESOURCE.to_string().as_bytes());
    }
    if code == Some(Code::MissingClientCapability.value()) {
        let code = Code::InvalidParams.value().to_string();
        return splice::set(raw, &members, "code", code.as_bytes());
    }
    raw.clone()
}

/// An upstream's error for a client of the modern era, and the HTTP status that goes with it.
pub(super) fn modern_error(raw: &Bytes) -> (StatusCode, Bytes) {
    let Some(members) = splice::object(raw) else {
        return (StatusCode::OK, raw.clone());
    };
    match members.get("code").and_then(Value::as_i64) {
        Some(NO_RESOURCE) => {
            let code = Code::InvalidParams.value().to_string();
            (
                StatusCode::OK,
                splice::set(raw, &members, "code", code.as_bytes()),
            )
        }
        Some(code) if code == Code::MissingClientCapability.value() => {
            (StatusCode::BAD_REQUEST, raw.clone())
        }
        Some(_) | None => (StatusCode::OK, raw.clone()),
    }
}

/// The code for a resource that is not there.
pub(super) fn no_resource(dialect: Dialect) -> Code {
    match dialect {
        Dialect::Legacy => Code::ResourceNotFound,
        Dialect::Compat | Dialect::Modern => Code::InvalidParams,
    }
}

fn own(raw: &Bytes, name: &str, value: &[u8]) -> Bytes {
    match splice::object(raw) {
        Some(members) => splice::set(raw, &members, name, value),
        None => raw.clone(),
    }
}

fn with(raw: Bytes, members: &[(&str, &[u8])]) -> Bytes {
    if members.is_empty() {
        raw
    } else {
        jsonrpc::with_members(&raw, members)
    }
}

/// The legacy era's code for a resource that is not there.
const NO_RESOURCE: i64 = -32002;

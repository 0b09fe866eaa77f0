//! `POST /catalog/exception`: break-glass.

use std::{sync::Arc, time::Duration};

use axum::{extract::State, response::Response};
use bytes::Bytes;
use cmcp_json::{Object, Value};
use cmcp_policy::{
    Compat,
    catalog::{CatalogErrorKind, ServerSpec},
};
use http::StatusCode;

use super::body::{invalid, missing, object, only, required};
use crate::{
    edge::{self, Fault, Operator},
    rules::{ExceptionError, Wanted},
    startup::Gateway,
};

/// The operator lets tools through that nobody approved, for a while.
pub(crate) async fn exception(
    State(gateway): State<Arc<Gateway>>,
    _: Operator,
    body: Bytes,
) -> Response {
    let wanted = match read(&body, gateway.settings.compat) {
        Ok(wanted) => wanted,
        Err(response) => return response,
    };
    // In a task of its own: a caller that hangs up cannot leave it half told.
    let allowing = tokio::spawn(async move { gateway.allow(wanted).await });
    match allowing.await {
        Ok(Ok(exception)) => {
            let tools = exception
                .tools
                .iter()
                .map(|tool| Value::from(tool.as_str()));
            edge::json(
                StatusCode::CREATED,
                Object::from([
                    ("status", Value::from("ok")),
                    ("added_tools", Value::Array(tools.collect())),
                    ("reason", Value::from(exception.reason.as_str())),
                    (
                        "authorized_by",
                        Value::from(exception.authorized_by.as_str()),
                    ),
                    ("expires_at", Value::from(exception.expires.rfc3339())),
                ]),
            )
        }
        Ok(Err(error)) => refused(&error),
        Err(_) => Fault::Internal.response("the exception was not made"),
    }
}

fn read(body: &[u8], compat: Compat) -> Result<Wanted, Response> {
    let body = object(body)?;
    only(&body, &MEMBERS)?;
    let reason = required(&body, "reason")?;
    let authorized_by = required(&body, "authorized_by")?;
    let tools = tools(&body)?;
    let server = server(&body, compat)?;
    let seconds = match body.get("expires_in_seconds") {
        None => USUAL,
        Some(value) => value
            .as_i64()
            .and_then(|seconds| u64::try_from(seconds).ok())
            .filter(|seconds| (1..=LONGEST).contains(seconds))
            .ok_or_else(|| {
                invalid(&format!(
                    "`expires_in_seconds` must be a whole number from 1 to {LONGEST}"
                ))
            })?,
    };
    Ok(Wanted {
        tools,
        reason,
        authorized_by,
        server,
        lasts: Duration::from_secs(seconds),
    })
}

fn tools(body: &Object) -> Result<Vec<String>, Response> {
    let value = body
        .get("tool_names")
        .ok_or_else(|| missing("tool_names"))?;
    let names: Option<Vec<String>> = value
        .as_array()
        .unwrap_or_default()
        .iter()
        .map(|name| name.as_str().map(ToOwned::to_owned))
        .collect();
    names
        .filter(|names| !names.is_empty())
        .ok_or_else(|| invalid("`tool_names` must be a non-empty array of strings"))
}

/// A server as 0.7.1 describes one; over HTTP unless it says otherwise, and then it is refused.
fn server(body: &Object, compat: Compat) -> Result<ServerSpec, Response> {
    let mut identity = match body.get("server_identity") {
        None => return Err(missing("server_identity")),
        Some(Value::Object(identity)) => identity.clone(),
        Some(_) => return Err(invalid("`server_identity` must be an object")),
    };
    for name in ["display_name", "url", "tls_fingerprint"] {
        if !identity.contains_key(name) {
            return Err(missing(&format!("server_identity.{name}")));
        }
    }
    match identity.get("transport") {
        None => drop(identity.insert("transport", "streamable-http")),
        Some(word) if word.as_str() == Some("stdio") => {
            return Err(refused(&ExceptionError::Process));
        }
        Some(_) => {}
    }
    ServerSpec::parse_identity(&Value::Object(identity), compat).map_err(|errors| {
        let absent = errors.iter().find_map(|error| {
            if let CatalogErrorKind::Missing(name) = &error.kind {
                return Some(*name);
            }
            None
        });
        match absent {
            Some(name) => missing(&format!("server_identity.{name}")),
            None => {
                let texts: Vec<String> = errors.iter().map(ToString::to_string).collect();
                invalid(&texts.join("; "))
            }
        }
    })
}

fn refused(error: &ExceptionError) -> Response {
    invalid(&error.to_string())
}

const MEMBERS: [&str; 5] = [
    "reason",
    "authorized_by",
    "tool_names",
    "server_identity",
    "expires_in_seconds",
];
/// How long an exception lasts that says nothing: an hour.
const USUAL: u64 = 3_600;
/// The longest: a day.
const LONGEST: u64 = 86_400;

#[cfg(test)]
mod tests;

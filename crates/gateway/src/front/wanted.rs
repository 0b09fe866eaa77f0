//! The parameters of governed requests, read strictly.

use bytes::Bytes;
use cmcp_json::{Object, Value};
use cmcp_mcp::{
    error::Code,
    method::Method,
    server::{
        Rejection, Request,
        call::{CallParams, Caps},
    },
};
use cmcp_policy::{catalog::ItemKind, decide::Action};

use crate::call::{Meta, Operation};

/// What a request wants, and its `_meta`.
pub(super) fn read(request: &Request, caps: Caps) -> Result<(Operation, Meta), Rejection> {
    match request.method {
        Method::ResourcesRead | Method::ResourcesSubscribe => resource(request),
        Method::PromptsGet => prompt(request),
        Method::CompletionComplete => completion(request),
        Method::Initialize
        | Method::LoggingSetLevel
        | Method::Ping
        | Method::PromptsList
        | Method::ResourcesList
        | Method::ResourcesTemplatesList
        | Method::ResourcesUnsubscribe
        | Method::ServerDiscover
        | Method::SubscriptionsListen
        | Method::TasksCancel
        | Method::TasksGet
        | Method::TasksList
        | Method::TasksResult
        | Method::TasksUpdate
        | Method::ToolsCall
        | Method::ToolsList => {
            let params = CallParams::read(&request.params, caps);
            Ok(Operation::tool(
                params.map_err(|e| request.reject_params(e))?,
            ))
        }
    }
}

fn resource(request: &Request) -> Result<(Operation, Meta), Rejection> {
    let uri = text(request, "uri")?;
    let action = if request.method == Method::ResourcesSubscribe {
        Action::Subscribe
    } else {
        Action::ReadResource
    };
    let wanted = Operation::other(
        (action, request.method),
        (ItemKind::Resource, uri),
        Object::new(),
        vec![("uri", raw(request, "uri")?)],
    );
    Ok((wanted, meta(request)?))
}

/// A resource that a stream is to tell of.
pub(super) fn subscription(request: &Request, uri: &str) -> (Operation, Meta) {
    let wanted = Operation::other(
        (Action::Subscribe, request.method),
        (ItemKind::Resource, uri.to_owned()),
        Object::new(),
        vec![("uri", Value::from(uri).to_vec().into())],
    );
    (wanted, meta(request).unwrap_or_default())
}

fn prompt(request: &Request) -> Result<(Operation, Meta), Rejection> {
    let name = text(request, "name")?;
    let arguments = optional_object(request, "arguments")?;
    let params = request.params.raw("arguments");
    let wanted = Operation::other(
        (Action::GetPrompt, request.method),
        (ItemKind::Prompt, name),
        arguments,
        params.map(|raw| ("arguments", raw)).into_iter().collect(),
    );
    Ok((wanted, meta(request)?))
}

fn completion(request: &Request) -> Result<(Operation, Meta), Rejection> {
    let invalid = |what: &str| invalid(request, what);
    let reference = request.params.get("ref").and_then(Value::as_object);
    let reference = reference.ok_or_else(|| invalid("ref must be an object"))?;
    let member = |name: &str| reference.get(name).and_then(Value::as_str);
    let target = match member("type") {
        Some("ref/prompt") => member("name").map(|name| (ItemKind::Prompt, name.to_owned())),
        Some("ref/resource") => {
            member("uri").map(|uri| (ItemKind::ResourceTemplate, uri.to_owned()))
        }
        Some(_) | None => return Err(invalid("ref.type must be ref/prompt or ref/resource")),
    };
    let target = target.ok_or_else(|| invalid("ref names nothing"))?;
    let argument = request.params.get("argument").and_then(Value::as_object);
    let argument = argument.ok_or_else(|| invalid("argument must be an object"))?;
    let part = |name: &str| argument.get(name).and_then(Value::as_str);
    let (Some(name), Some(value)) = (part("name"), part("value")) else {
        return Err(invalid("argument.name and argument.value must be strings"));
    };
    optional_object(request, "context")?;
    let mut params = vec![
        ("ref", raw(request, "ref")?),
        ("argument", raw(request, "argument")?),
    ];
    params.extend(request.params.raw("context").map(|raw| ("context", raw)));
    let wanted = Operation::other(
        (Action::Complete, request.method),
        target,
        Object::from([("argument", name), ("value", value)]),
        params,
    );
    Ok((wanted, meta(request)?))
}

fn meta(request: &Request) -> Result<Meta, Rejection> {
    Ok(Meta {
        claims: Object::new(),
        members: optional_object(request, "_meta")?,
        bytes: request.params.raw("_meta"),
    })
}

fn text(request: &Request, name: &str) -> Result<String, Rejection> {
    let value = request.params.get(name).and_then(Value::as_str);
    let value = value.ok_or_else(|| invalid(request, &format!("{name} must be a string")));
    value.map(ToOwned::to_owned)
}

fn raw(request: &Request, name: &str) -> Result<Bytes, Rejection> {
    let bytes = request.params.raw(name);
    bytes.ok_or_else(|| invalid(request, &format!("{name} is missing")))
}

fn optional_object(request: &Request, name: &str) -> Result<Object, Rejection> {
    match request.params.get(name) {
        None => Ok(Object::new()),
        Some(value) => {
            let object = value.as_object().cloned();
            object.ok_or_else(|| invalid(request, &format!("{name} must be an object")))
        }
    }
}

fn invalid(request: &Request, what: &str) -> Rejection {
    request.reject(
        Code::InvalidParams,
        &format!("Invalid params: {what}"),
        None,
    )
}

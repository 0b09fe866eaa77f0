//! The upstream: stateless, one JSON object for every request, nothing computed. It serves clients
//! of the handshake revisions and of 2026-07-28 alike.

use std::rc::Rc;

use bytes::Bytes;
use cmcp_json::{Limits, Value, parse};
use http::{HeaderValue, Method, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper::{Request, Response, body::Incoming};

use crate::wire::{self, Fault};

/// Serves until killed.
pub(crate) async fn serve(filler: usize) -> Result<(), Fault> {
    let listing: Rc<str> = listing(filler).into();
    wire::serve(move |request| answer(request, Rc::clone(&listing))).await
}

async fn answer(
    request: Request<Incoming>,
    listing: Rc<str>,
) -> Result<Response<Full<Bytes>>, Fault> {
    if request.method() != Method::POST {
        return Ok(reply(StatusCode::METHOD_NOT_ALLOWED, String::new()));
    }
    let body = request.into_body().collect().await?.to_bytes();
    let message = parse(&body, &Limits::REQUEST)?;
    let Some(id) = message.get("id") else {
        return Ok(reply(StatusCode::ACCEPTED, String::new()));
    };
    let method = message
        .get("method")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let params = message.get("params").unwrap_or(&Value::Null);
    let (status, member) = match result(method, params, &listing) {
        Some(result) => (StatusCode::OK, format!(r#""result":{result}"#)),
        None => (
            StatusCode::NOT_FOUND,
            r#""error":{"code":-32601,"message":"Method not found"}"#.to_owned(),
        ),
    };
    Ok(reply(
        status,
        format!(r#"{{"jsonrpc":"2.0","id":{id},{member}}}"#),
    ))
}

fn result(method: &str, params: &Value, listing: &str) -> Option<String> {
    match method {
        "initialize" => Some(INITIALIZED.to_owned()),
        "ping" => Some("{}".to_owned()),
        "server/discover" => Some(DISCOVERED.to_owned()),
        "tools/list" => Some(listing.to_owned()),
        "tools/call" => {
            let message = params.get("arguments")?.get("message")?;
            Some(format!(
                r#"{{"resultType":"complete","content":[{{"type":"text","text":{message}}}],"isError":false}}"#
            ))
        }
        _ => None,
    }
}

fn reply(status: StatusCode, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}

fn listing(filler: usize) -> String {
    let tool = |name: &str, read_only: bool| {
        format!(
            r#"{{"name":"{name}","description":"Takes a message and gives it back.","inputSchema":{{"type":"object","properties":{{"message":{{"type":"string"}}}},"required":["message"]}},"annotations":{{"readOnlyHint":{read_only}}}}}"#
        )
    };
    let named = [tool("echo", true), tool("note", false)];
    let filler = (0..filler).map(|number| tool(&format!("filler_{number:03}"), true));
    let tools: Vec<String> = named.into_iter().chain(filler).collect();
    let tools = tools.join(",");
    format!(r#"{{"resultType":"complete","ttlMs":60000,"cacheScope":"private","tools":[{tools}]}}"#)
}

const INITIALIZED: &str = r#"{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"bench-upstream","version":"1"}}"#;
const DISCOVERED: &str = r#"{"resultType":"complete","ttlMs":60000,"cacheScope":"private","supportedVersions":["2026-07-28","2025-11-25"],"capabilities":{"tools":{}},"_meta":{"io.modelcontextprotocol/serverInfo":{"name":"bench-upstream","version":"1"}}}"#;

use bytes::Bytes;
use cmcp_json::{Limits, Value, parse};
use http::{HeaderMap, HeaderName, HeaderValue, Uri};

use super::{Dialect, Incoming, Rejection, Request, check_target, receive};
use crate::{
    error::Code,
    jsonrpc::Id,
    method::Method,
    server::{harness, session::Session},
    version::Version,
};

mod era;
mod pair;
mod refused;
mod sample;
mod verbs;

const BOTH: &str = "application/json, text/event-stream";
const KNOWN: &str = "known-session";

fn sessions(id: &str) -> Option<Session> {
    (id == KNOWN).then(|| harness::session(Version::V2025_06_18))
}

/// Headers of a client that sends JSON; an empty value takes a header out.
fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    let mut map = HeaderMap::new();
    map.insert("content-type", HeaderValue::from_static("application/json"));
    map.insert("accept", HeaderValue::from_static(BOTH));
    for (name, value) in pairs {
        let name = HeaderName::try_from(*name).unwrap();
        if value.is_empty() {
            map.remove(name);
        } else {
            map.insert(name, HeaderValue::from_str(value).unwrap());
        }
    }
    map
}

fn post(pairs: &[(&str, &str)], body: &str) -> Result<Incoming, Rejection> {
    let body = Bytes::copy_from_slice(body.as_bytes());
    receive(&headers(pairs), &body, &sessions, &Limits::REQUEST)
}

fn request(pairs: &[(&str, &str)], body: &str) -> Request {
    match post(pairs, body) {
        Ok(Incoming::Request(request)) => request,
        other => panic!("{other:?}"),
    }
}

/// Status, code and body of a refusal.
fn refused(pairs: &[(&str, &str)], body: &str) -> (u16, i64, Value) {
    let rejection = post(pairs, body).unwrap_err();
    let value = parse(&rejection.body, &Limits::REQUEST).unwrap();
    let code = value
        .get("error")
        .unwrap()
        .get("code")
        .unwrap()
        .as_i64()
        .unwrap();
    assert_eq!(code, rejection.code.value());
    assert_eq!(value.get("jsonrpc").unwrap().as_str(), Some("2.0"));
    (rejection.status.as_u16(), code, value)
}

fn ask(method: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":7,"method":"{method}"}}"#)
}

const META: &str = r#""io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}"#;

/// A modern body: `more` are further params with a comma behind, `meta` are the `_meta` members.
fn modern(method: &str, more: &str, meta: &str) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","id":7,"method":"{method}","params":{{{more}"_meta":{{{meta}}}}}}}"#
    )
}

const VERSION: (&str, &str) = ("mcp-protocol-version", "2026-07-28");
const SESSION: (&str, &str) = ("mcp-session-id", KNOWN);

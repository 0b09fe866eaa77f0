//! What we say of ourselves as a protected resource (RFC 9728).

use std::sync::Arc;

use axum::{extract::State, response::Response};
use bytes::Bytes;
use cmcp_json::{Object, Value};
use cmcp_mcp::client::oauth::metadata::PROTECTED;
use http::{HeaderMap, HeaderValue, StatusCode, Uri, header};

use super::settings::{Dpop, Oauth};
use crate::{
    edge::{self, Fault},
    startup::Gateway,
};

/// `GET /.well-known/oauth-protected-resource`, and the same with our own path behind it: a client finds
/// it wherever it looks first.
pub(crate) async fn metadata(
    State(gateway): State<Arc<Gateway>>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    if let Err(response) = gateway.check_site(&headers) {
        return response;
    }
    let Some(authorization) = &gateway.authorization else {
        return Fault::NotFound.response("no such route");
    };
    let words = &authorization.words;
    let below = uri.path().strip_prefix(WELL_KNOWN).unwrap_or_default();
    if ![words.path.as_str(), "", "/mcp"].contains(&below) {
        return Fault::NotFound.response("no such route");
    }
    let mut response = edge::bytes(StatusCode::OK, words.document.clone());
    let cache = HeaderValue::from_static("public, max-age=300");
    response.headers_mut().insert(header::CACHE_CONTROL, cache);
    response
}

pub(super) fn of(settings: &Oauth) -> Bytes {
    let texts =
        |texts: &mut dyn Iterator<Item = &str>| Value::Array(texts.map(Value::from).collect());
    let mut document = Object::default();
    document.insert("resource", Value::from(settings.resource.as_str()));
    let mut issuers = settings.issuers.iter().map(|one| one.issuer.as_str());
    document.insert("authorization_servers", texts(&mut issuers));
    // A session that lasts is for the client and its issuer to agree on.
    let scopes = settings.scopes_supported.iter().map(String::as_str);
    let mut scopes = scopes.filter(|scope| *scope != "offline_access").peekable();
    if scopes.peek().is_some() {
        document.insert("scopes_supported", texts(&mut scopes));
    }
    document.insert(
        "bearer_methods_supported",
        texts(&mut ["header"].into_iter()),
    );
    document.insert("resource_name", Value::from("cMCP"));
    let mut algorithms = settings.algorithms.iter().map(|one| one.as_str());
    match settings.dpop {
        Dpop::Off => {}
        Dpop::Optional => {
            document.insert("dpop_signing_alg_values_supported", texts(&mut algorithms));
        }
        Dpop::Required => {
            document.insert("dpop_signing_alg_values_supported", texts(&mut algorithms));
            document.insert("dpop_bound_access_tokens_required", true);
        }
    }
    Bytes::from(Value::Object(document).to_vec())
}

/// Where metadata of a protected resource are; the path of its name stands behind it.
pub(crate) const WELL_KNOWN: &str = PROTECTED;
/// The same with a path behind it.
pub(crate) const BELOW_WELL_KNOWN: &str = "/.well-known/oauth-protected-resource/{*path}";

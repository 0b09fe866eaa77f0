use std::{collections::BTreeMap, sync::Arc};

use axum::body::Body;
use bytes::Bytes;
use cmcp_json::{Limits, Object, Value, parse};
use cmcp_mcp::{
    fetch::Url,
    jose::{Algorithm, KeySet, PrivateKey},
};
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;

use self::issuer::Issuer;
use super::*;
use crate::{
    edge,
    testing::{ALICE, ALL, OPERATOR, World},
};

mod beside;
mod issuer;
mod opaque;
mod proofs;
mod rotation;
mod scoped;
mod tokens;

const NOON: i64 = 1_800_000_000;
const US: &str = "https://gateway.example/mcp";
const METADATA: &str = "https://gateway.example/.well-known/oauth-protected-resource/mcp";
const CALL: &str =
    r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{}}}"#;

fn json(text: &str) -> Value {
    parse(text.as_bytes(), &Limits::DOCUMENT).unwrap()
}

fn url(text: &str) -> Url {
    text.parse().unwrap()
}

/// What a gateway is told that takes this issuer's tokens.
fn oauth(issuer: &Issuer) -> Oauth {
    Oauth {
        resource: url(US),
        issuers: vec![OauthIssuer {
            issuer: url(&issuer.name),
            prefix: "corp".to_owned(),
            keys: IssuerKeys::Discovered,
            introspection: None,
        }],
        algorithms: vec![
            Algorithm::Es256,
            Algorithm::EdDsa,
            Algorithm::Rs256,
            Algorithm::Ps256,
        ],
        scopes_supported: vec!["tools:read".to_owned(), "offline_access".to_owned()],
        required_scopes: Vec::new(),
        tool_scopes: BTreeMap::new(),
        implied_scopes: BTreeMap::new(),
        principal_claim: "sub".to_owned(),
        attributes: BTreeMap::new(),
        dpop: Dpop::Off,
        private_hosts: Vec::new(),
    }
}

/// A gateway that takes this issuer's tokens, as `change` wants it.
async fn world(issuer: &Issuer, change: impl FnOnce(&mut Oauth)) -> World {
    governed(ALL, issuer, change).await
}

/// The same with this policy.
async fn governed(policy: &str, issuer: &Issuer, change: impl FnOnce(&mut Oauth)) -> World {
    let mut oauth = oauth(issuer);
    change(&mut oauth);
    World::signed(policy, None, |settings| {
        settings.oauth = Some(Arc::new(oauth));
        settings.validity = std::time::Duration::from_secs(1_000_000);
        settings.hosts.hosts.push("gateway.example".to_owned());
    })
    .await
}

/// What came back.
#[derive(Debug)]
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Value,
}

impl Answer {
    /// The error's word, of a route or of a call.
    fn code(&self) -> &str {
        let of_call = || self.body.get("error")?.get("data")?.get("error_code");
        let code = self.body.get("error_code").or_else(of_call);
        code.and_then(Value::as_str).unwrap_or_default()
    }

    fn text(&self) -> &str {
        let text = self.body.get("error").and_then(Value::as_str);
        text.unwrap_or_default()
    }

    /// The challenges, in order.
    fn challenges(&self) -> Vec<&str> {
        let values = self.headers.get_all("www-authenticate").iter();
        values.map(|value| value.to_str().unwrap()).collect()
    }
}

async fn ask(world: &World, line: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let (method, path) = line.split_once(' ').unwrap();
    let mut request = Request::builder().method(method).uri(path);
    if !headers.iter().any(|(name, _)| *name == "host") {
        request = request.header("host", "gateway.example");
    }
    request = request.header("content-type", "application/json");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request
        .body(Body::from(Bytes::from(body.to_owned())))
        .unwrap();
    let router = TowerToHyperService::new(edge::router(Arc::clone(&world.gateway)));
    let response = router.call(request).await.unwrap();
    let (head, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    Answer {
        status: head.status,
        headers: head.headers,
        body: parse(&body, &Limits::RESPONSE).unwrap_or(Value::Null),
    }
}

/// A call with this token.
async fn call(world: &World, token: &str) -> Answer {
    let authorization = format!("Bearer {token}");
    ask(
        world,
        "POST /mcp",
        &[("authorization", &authorization)],
        CALL,
    )
    .await
}

/// The call is let through.
async fn admits(world: &World, token: &str) {
    let answer = call(world, token).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    assert!(answer.body.get("result").is_some(), "{answer:?}");
}

/// The token lets nobody in: what the caller is told.
async fn refuses(world: &World, token: &str) -> String {
    let before = world.upstream.headers.lock().unwrap().len();
    let answer = call(world, token).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{answer:?}");
    assert_eq!(answer.code(), "INVALID_BEARER_TOKEN");
    let challenges = answer.challenges();
    assert_eq!(challenges.len(), 1, "{challenges:?}");
    let expected = format!(
        "Bearer resource_metadata=\"{METADATA}\", scope=\"tools:read offline_access\", error=\"invalid_token\", error_description=\""
    );
    assert!(challenges[0].starts_with(&expected), "{challenges:?}");
    assert_eq!(world.upstream.headers.lock().unwrap().len(), before);
    answer.text().to_owned()
}

/// Who called last, by the log.
fn caller(world: &World) -> String {
    let sessions = world.gateway.sessions.all();
    sessions.last().unwrap().principal.name.clone()
}

//! An authorization server on a real socket, with real keys.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    response::Response,
};
use cmcp_json::{Object, Value};
use cmcp_mcp::jose::{Algorithm, PrivateKey};
use http_body_util::BodyExt;

use super::{NOON, US};

/// An issuer.
pub(super) struct Issuer {
    pub(super) name: String,
    shared: Arc<Mutex<Shared>>,
}

#[derive(Default)]
struct Shared {
    name: String,
    keys: Vec<(String, PrivateKey)>,
    /// Documents that stand in for those that would be given.
    instead: BTreeMap<String, String>,
    /// Nothing is answered.
    down: bool,
    /// What introspection says of tokens.
    tokens: BTreeMap<String, String>,
    /// What was asked, with header and body.
    asked: Vec<(String, String, String)>,
}

impl Issuer {
    /// With one key of this algorithm, called `k1`.
    pub(super) async fn start(algorithm: Algorithm) -> Self {
        let shared = Arc::new(Mutex::new(Shared::default()));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let name = format!("http://{}/realm", listener.local_addr().unwrap());
        shared.lock().unwrap().name.clone_from(&name);
        let router = Router::new()
            .fallback(answer)
            .with_state(Arc::clone(&shared));
        tokio::spawn(async move { axum::serve(listener, router).await });
        let issuer = Self { name, shared };
        issuer.publish("k1", algorithm);
        issuer
    }

    /// Another key besides those there are.
    pub(super) fn publish(&self, kid: &str, algorithm: Algorithm) {
        let key = PrivateKey::generate(algorithm).unwrap();
        self.shared.lock().unwrap().keys.push((kid.to_owned(), key));
    }

    /// A key that is published no more, though tokens may still be signed with it.
    pub(super) fn withdraw(&self, kid: &str) -> PrivateKey {
        let mut shared = self.shared.lock().unwrap();
        let at = shared
            .keys
            .iter()
            .position(|(name, _)| name == kid)
            .unwrap();
        shared.keys.remove(at).1
    }

    /// Answers nothing any more.
    pub(super) fn leave(&self) {
        self.shared.lock().unwrap().down = true;
    }

    /// Answers again.
    pub(super) fn come_back(&self) {
        self.shared.lock().unwrap().down = false;
    }

    /// Gives this document under that path, whatever would be there.
    pub(super) fn instead(&self, path: &str, document: &str) {
        let mut shared = self.shared.lock().unwrap();
        shared.instead.insert(path.to_owned(), document.to_owned());
    }

    /// What introspection says of a token from now on.
    pub(super) fn knows(&self, token: &str, answer: &str) {
        let mut shared = self.shared.lock().unwrap();
        shared.tokens.insert(token.to_owned(), answer.to_owned());
    }

    pub(super) fn place(&self, path: &str) -> String {
        format!("{}{path}", self.name.strip_suffix("/realm").unwrap())
    }

    /// How often a path was asked for.
    pub(super) fn asked(&self, path: &str) -> usize {
        let shared = self.shared.lock().unwrap();
        shared
            .asked
            .iter()
            .filter(|(known, ..)| known == path)
            .count()
    }

    /// Everything that was asked.
    pub(super) fn heard(&self) -> Vec<(String, String, String)> {
        self.shared.lock().unwrap().asked.clone()
    }

    pub(super) fn keys(&self) -> String {
        self.shared.lock().unwrap().keys()
    }

    /// Claims that make a good token.
    pub(super) fn claims(&self) -> Object {
        let mut claims = Object::from([
            ("iss", self.name.as_str()),
            ("aud", US),
            ("sub", "alice"),
            ("scope", "tools:read"),
            ("client_id", "app"),
        ]);
        claims.insert("iat", NOON - 10);
        claims.insert("exp", NOON + 3_600);
        claims
    }

    /// A good token, as `change` wants it.
    pub(super) fn token(&self, change: impl FnOnce(&mut Object)) -> String {
        let header = Object::from([("typ", "at+jwt"), ("kid", "k1")]);
        self.token_with(header, change)
    }

    /// The same with this header, signed with the key that it names, else with the last.
    pub(super) fn token_with(&self, header: Object, change: impl FnOnce(&mut Object)) -> String {
        let mut claims = self.claims();
        change(&mut claims);
        let shared = self.shared.lock().unwrap();
        let kid = header.get("kid").and_then(Value::as_str);
        let named = shared
            .keys
            .iter()
            .find(|(name, _)| Some(name.as_str()) == kid);
        let (_, key) = named.or(shared.keys.last()).unwrap();
        key.sign(&header, &claims).unwrap()
    }
}

impl Shared {
    fn keys(&self) -> String {
        let keys = self.keys.iter().map(|(kid, key)| {
            let mut jwk = key.public().unwrap().named(kid).to_jwk();
            jwk.insert("use", "sig");
            jwk.insert("alg", key.algorithm().as_str());
            Value::Object(jwk)
        });
        Value::Object(Object::from([("keys", Value::Array(keys.collect()))])).to_string()
    }
}

async fn answer(State(shared): State<Arc<Mutex<Shared>>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let body = String::from_utf8(body.to_vec()).unwrap();
    let path = head.uri.path().to_owned();
    let authorization = head.headers.get("authorization");
    let authorization = authorization.map(|value| value.to_str().unwrap().to_owned());
    let mut shared = shared.lock().unwrap();
    let asked = head.uri.to_string();
    shared
        .asked
        .push((asked, authorization.unwrap_or_default(), body.clone()));
    let base = shared.name.strip_suffix("/realm").unwrap().to_owned();
    let document = match (shared.instead.get(&path), path.as_str()) {
        _ if shared.down => None,
        (Some(document), _) => Some(document.clone()),
        (None, "/.well-known/oauth-authorization-server/realm") => Some(format!(
            r#"{{"issuer":"{base}/realm","jwks_uri":"{base}/keys"}}"#
        )),
        (None, "/keys") => Some(shared.keys()),
        (None, "/introspect") => {
            let token = body
                .split('&')
                .find_map(|field| field.strip_prefix("token="));
            let inactive = r#"{"active":false}"#.to_owned();
            Some(
                shared
                    .tokens
                    .get(token.unwrap())
                    .cloned()
                    .unwrap_or(inactive),
            )
        }
        (None, _) => None,
    };
    let mut response = match document {
        Some(document) => Response::new(Body::from(document)),
        None => {
            let mut response = Response::new(Body::from("{}"));
            *response.status_mut() = http::StatusCode::SERVICE_UNAVAILABLE;
            response
        }
    };
    let kind = http::HeaderValue::from_static("application/json");
    response.headers_mut().insert("content-type", kind);
    response
}

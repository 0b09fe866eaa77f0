use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicUsize, Ordering},
    },
};

use cmcp_json::{Limits, Object, Value, parse};
use cmcp_mcp::{
    Server,
    client::{
        HttpClient, HttpTarget, Identity, Timing,
        oauth::{Authority, Client, ClientSettings, Proof, SecretMethod, SecretSource, Source},
    },
    fetch::{Fetcher, Listed},
    jose::{Algorithm, KeySet, PrivateKey, Unverified},
    tls::TlsPin,
    upstream::{Ask, ConnectFault, Reply, UpstreamError},
};

use super::support::{Seen, Site, json, with};

const NOW: i64 = 1_800_000_000;

/// An MCP server of the modern era that takes these tokens, and an issuer on the same site.
fn answer(seen: &Seen, addr: SocketAddr, accepts: &dyn Fn(&str) -> bool, token: &str) -> Vec<u8> {
    let base = format!("http://{addr}");
    match seen.path.as_str() {
        "/mcp" => {
            let authorized = seen.header("authorization").is_some_and(accepts);
            if !authorized {
                let challenge = format!(
                    "WWW-Authenticate: Bearer resource_metadata=\"{base}/.well-known/oauth-protected-resource/mcp\", scope=\"tools:call\"\r\n"
                );
                return with(401, &challenge, "");
            }
            mcp(seen)
        }
        "/.well-known/oauth-protected-resource/mcp" => json(
            200,
            &format!(
                r#"{{"resource":"{base}/mcp","authorization_servers":["{base}/as"],"scopes_supported":["other"]}}"#
            ),
        ),
        "/.well-known/oauth-authorization-server/as" => json(
            200,
            &format!(r#"{{"issuer":"{base}/as","token_endpoint":"{base}/token"}}"#),
        ),
        "/token" => json(
            200,
            &format!(r#"{{"access_token":"{token}","token_type":"Bearer","expires_in":3600}}"#),
        ),
        _ => json(404, "{}"),
    }
}

/// A server that knows `server/discover` and one call.
fn mcp(seen: &Seen) -> Vec<u8> {
    let message = parse(seen.body.as_bytes(), &Limits::REQUEST).unwrap();
    let id = message.get("id").map(Value::to_string).unwrap_or_default();
    let result = match message.get("method").and_then(Value::as_str) {
        Some("server/discover") => {
            r#"{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{"tools":{}},"ttlMs":0,"cacheScope":"private"}"#
        }
        _ => r#"{"resultType":"complete","content":[{"type":"text","text":"done"}]}"#,
    };
    json(
        200,
        &format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#),
    )
}

fn source(site: &Site, change: impl FnOnce(&mut ClientSettings)) -> Arc<Source> {
    source_at(site, &Arc::new(AtomicI64::new(NOW)), change)
}

/// The same with a clock that the test sets.
fn source_at(
    site: &Site,
    time: &Arc<AtomicI64>,
    change: impl FnOnce(&mut ClientSettings),
) -> Arc<Source> {
    let mut settings = ClientSettings {
        upstream: site.url("/mcp").parse().unwrap(),
        authority: Authority::Issuer(site.url("/as").parse().unwrap()),
        client_id: "gate way".to_owned(),
        proof: Proof::Secret {
            secret: SecretSource::fixed("s3cr/t".to_owned()),
            method: None,
        },
        scope: None,
        resource: None,
    };
    change(&mut settings);
    let listed = Listed::default().and(&settings.upstream);
    let fetcher = Fetcher::new(listed).unwrap();
    let time = Arc::clone(time);
    let now = Arc::new(move || time.load(Ordering::SeqCst));
    Arc::new(Source::client(Client::new(settings, fetcher, now)))
}

fn client(site: &Site, source: &Arc<Source>) -> HttpClient {
    let target = HttpTarget::parse(&site.url("/mcp"), TlsPin::WebPki).unwrap();
    let target = target.with_credential(Arc::clone(source));
    HttpClient::new(target, Timing::default(), Identity::default()).unwrap()
}

fn call() -> Ask {
    Ask::tool("echo", None, std::time::Duration::from_secs(20), 10_000)
}

async fn works(client: &HttpClient) {
    let reply = client.ask(call()).await.unwrap();
    assert!(matches!(reply, Reply::Result { .. }), "{reply:?}");
}

/// Why no credential could be had.
async fn fails(client: &HttpClient) -> String {
    let error = client.ask(call()).await.unwrap_err();
    if let UpstreamError::Connect { cause, .. } = &error
        && let ConnectFault::Credential(cause) = cause
    {
        return cause.to_string();
    }
    panic!("{error}");
}

fn count(site: &Site, path: &str) -> usize {
    site.paths().iter().filter(|known| *known == path).count()
}

#[tokio::test]
async fn a_challenge_leads_to_the_issuer_and_one_token_serves_all_clients() {
    let site = Site::start(|seen, addr| answer(seen, addr, &|v| v == "Bearer t1", "t1")).await;
    let source = source(&site, |_| {});
    let (one, two) = (client(&site, &source), client(&site, &source));
    let both = tokio::join!(works(&one), works(&two));
    assert_eq!(both, ((), ()));
    works(&one).await;
    assert_eq!(count(&site, "/token"), 1);
    let seen = site.seen();
    let token = seen.iter().find(|seen| seen.path == "/token").unwrap();
    // What the challenge names is asked for, not what the metadata name.
    assert_eq!(token.field("scope").as_deref(), Some("tools:call"));
    assert_eq!(token.field("resource"), Some(site.url("/mcp")));
    assert_eq!(
        token.field("grant_type").as_deref(),
        Some("client_credentials")
    );
    assert_eq!(token.field("client_secret"), None);
    // `gate+way:s3cr%2Ft`
    assert_eq!(
        token.header("authorization"),
        Some("Basic Z2F0ZSt3YXk6czNjciUyRnQ=")
    );
    // The secret goes to the token endpoint and nowhere else, and the token to the server alone.
    for other in seen.iter().filter(|seen| seen.path != "/token") {
        assert!(!format!("{other:?}").contains("Z2F0ZSt3YXk6"), "{other:?}");
        assert!(other.path == "/mcp" || other.header("authorization").is_none());
    }
    assert!(!format!("{source:?}").contains("s3cr"));
}

#[tokio::test]
async fn a_token_endpoint_that_is_named_is_asked_before_the_server() {
    let site = Site::start(|seen, addr| answer(seen, addr, &|v| v == "Bearer t1", "t1")).await;
    let source = source(&site, |settings| {
        settings.authority = Authority::Endpoint(site.url("/token").parse().unwrap());
        settings.proof = Proof::Secret {
            secret: SecretSource::fixed("a&b".to_owned()),
            method: Some(SecretMethod::Post),
        };
        settings.scope = Some("a b".to_owned());
        settings.resource = Some("https://tools.example".to_owned());
    });
    works(&client(&site, &source)).await;
    let seen = site.seen();
    assert_eq!(seen[0].path, "/token");
    assert_eq!(seen[0].field("client_secret").as_deref(), Some("a&b"));
    assert_eq!(seen[0].field("client_id").as_deref(), Some("gate way"));
    assert_eq!(seen[0].field("scope").as_deref(), Some("a b"));
    assert_eq!(
        seen[0].field("resource").as_deref(),
        Some("https://tools.example")
    );
    assert_eq!(seen[0].header("authorization"), None);
    assert!(!site.paths().iter().any(|path| path.contains("well-known")));
}

#[tokio::test]
async fn a_key_signs_an_assertion_for_the_issuer() {
    for algorithm in [Algorithm::Es256, Algorithm::EdDsa, Algorithm::Ps256] {
        let site = Site::start(|seen, addr| answer(seen, addr, &|v| v == "Bearer t1", "t1")).await;
        let (pem, public) = pem(algorithm);
        let source = source(&site, |settings| {
            settings.proof = Proof::Key {
                key: SecretSource::fixed(pem),
                algorithm: None,
                kid: Some("k1".to_owned()),
            };
        });
        works(&client(&site, &source)).await;
        let seen = site.seen();
        let token = seen.iter().find(|seen| seen.path == "/token").unwrap();
        assert_eq!(
            token.field("client_assertion_type").as_deref(),
            Some("urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
        );
        let assertion = token.field("client_assertion").unwrap();
        let assertion = Unverified::parse(&assertion).unwrap();
        assert_eq!(assertion.header.kid.as_deref(), Some("k1"));
        let claims = assertion
            .verify(public.find(&assertion.header).unwrap())
            .unwrap();
        let text = |name: &str| claims.get(name).and_then(Value::as_str).unwrap().to_owned();
        assert_eq!(
            (text("iss"), text("sub")),
            ("gate way".into(), "gate way".into())
        );
        assert_eq!(text("aud"), site.url("/as"));
        assert!(text("jti").len() >= 22);
        assert_eq!(claims.get("exp").and_then(Value::as_i64), Some(NOW + 60));
    }
}

/// A new private key in PEM, and the set with its public half under the name `k1`.
fn pem(algorithm: Algorithm) -> (String, KeySet) {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    let der = if algorithm == Algorithm::EdDsa {
        let pair = aws_lc_rs::signature::Ed25519KeyPair::generate().unwrap();
        pair.to_pkcs8().unwrap().as_ref().to_vec()
    } else if algorithm == Algorithm::Es256 {
        let curve = &aws_lc_rs::signature::ECDSA_P256_SHA256_FIXED_SIGNING;
        let pair = aws_lc_rs::signature::EcdsaKeyPair::generate(curve).unwrap();
        pair.to_pkcs8v1().unwrap().as_ref().to_vec()
    } else {
        use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
        let pair = aws_lc_rs::rsa::KeyPair::generate(aws_lc_rs::rsa::KeySize::Rsa2048);
        let der: Pkcs8V1Der<'static> = pair.unwrap().as_der().unwrap();
        der.as_ref().to_vec()
    };
    let body = STANDARD.encode(der);
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n");
    let public = PrivateKey::from_pem(&pem, None).unwrap().public().unwrap();
    let keys = Value::Array(vec![Value::Object(public.named("k1").to_jwk())]);
    let set = Object::from([("keys", keys)]);
    (pem, KeySet::of(&Value::Object(set)).unwrap())
}

/// A site that gives the tokens `t1`, `t2`, … and takes the one of this number.
async fn counting() -> (Site, Arc<AtomicUsize>) {
    let given = AtomicUsize::new(0);
    let valid = Arc::new(AtomicUsize::new(1));
    let good = Arc::clone(&valid);
    let site = Site::start(move |seen, addr| {
        let token = match seen.path.as_str() {
            "/token" => format!("t{}", given.fetch_add(1, Ordering::SeqCst) + 1),
            _ => String::new(),
        };
        let good = format!("Bearer t{}", good.load(Ordering::SeqCst));
        answer(seen, addr, &|value| value == good, &token)
    });
    (site.await, valid)
}

#[tokio::test]
async fn a_refused_token_is_replaced_once_and_the_request_sent_once_more() {
    let (site, valid) = counting().await;
    let time = Arc::new(AtomicI64::new(NOW));
    let source = source_at(&site, &time, |_| {});
    let client = client(&site, &source);
    works(&client).await;
    // A token that was given just now and is refused all the same is not asked for again and again.
    valid.store(99, Ordering::SeqCst);
    for _ in 0..3 {
        let error = client.ask(call()).await.unwrap_err();
        assert_eq!(error, UpstreamError::Status { status: 401 });
    }
    assert_eq!(count(&site, "/token"), 1);
    // Later another one is asked for, and the call that was refused is sent once more.
    time.fetch_add(5, Ordering::SeqCst);
    valid.store(2, Ordering::SeqCst);
    let before = calls(&site);
    works(&client).await;
    assert_eq!((count(&site, "/token"), calls(&site)), (2, before + 2));
}

/// How often the tool was called, let in or not.
fn calls(site: &Site) -> usize {
    let seen = site.seen();
    let called = seen.iter().filter(|seen| seen.body.contains("tools/call"));
    called.count()
}

#[tokio::test]
async fn a_token_is_renewed_before_it_ends_and_used_while_the_endpoint_is_away() {
    let down = Arc::new(AtomicUsize::new(0));
    let given = AtomicUsize::new(0);
    let away = Arc::clone(&down);
    let site = Site::start(move |seen, addr| match seen.path.as_str() {
        "/token" if away.load(Ordering::SeqCst) == 1 => Vec::new(),
        "/token" => {
            let n = given.fetch_add(1, Ordering::SeqCst) + 1;
            answer(seen, addr, &|_| true, &format!("t{n}"))
        }
        _ => answer(seen, addr, &|_| true, ""),
    })
    .await;
    let time = Arc::new(AtomicI64::new(NOW));
    let source = source_at(&site, &time, |settings| {
        settings.authority = Authority::Endpoint(site.url("/token").parse().unwrap());
    });
    let shown = || async { source.header().await.unwrap().unwrap() };
    assert_eq!(shown().await, "Bearer t1");
    time.fetch_add(3_539, Ordering::SeqCst);
    assert_eq!(shown().await, "Bearer t1");
    // A minute before its end the next one is asked for; one that cannot be had is no loss yet.
    down.store(1, Ordering::SeqCst);
    time.fetch_add(1, Ordering::SeqCst);
    assert_eq!(shown().await, "Bearer t1");
    down.store(0, Ordering::SeqCst);
    time.fetch_add(2, Ordering::SeqCst);
    assert_eq!(shown().await, "Bearer t2");
    // Behind its end it is not sent.
    down.store(1, Ordering::SeqCst);
    time.fetch_add(3_600, Ordering::SeqCst);
    assert!(source.header().await.is_err());
}

#[tokio::test]
async fn a_server_may_ask_for_more_scope_a_few_times_and_only_where_none_is_configured() {
    async fn run(scope: Option<&str>) -> (Site, Result<Reply, UpstreamError>) {
        let given = Arc::new(AtomicUsize::new(0));
        let asked = Arc::new(AtomicI64::new(0));
        let site = Site::start(move |seen, addr| {
            let token = match seen.path.as_str() {
                "/token" => format!("t{}", given.fetch_add(1, Ordering::SeqCst)),
                _ => String::new(),
            };
            let more = seen.path == "/mcp" && seen.header("authorization").is_some();
            if more && seen.body.contains("tools/call") {
                let n = asked.fetch_add(1, Ordering::SeqCst);
                let challenge = format!(
                    "WWW-Authenticate: Bearer error=\"insufficient_scope\", scope=\"more:{n}\"\r\n"
                );
                return with(403, &challenge, "");
            }
            answer(seen, addr, &|_| true, &token)
        })
        .await;
        let source = source(&site, |settings| {
            settings.scope = scope.map(str::to_owned);
            settings.authority = Authority::Endpoint(site.url("/token").parse().unwrap());
        });
        let reply = client(&site, &source).ask(call()).await;
        (site, reply)
    }
    let scopes = |site: &Site| -> Vec<Option<String>> {
        let seen = site.seen().into_iter().filter(|seen| seen.path == "/token");
        seen.map(|seen| seen.field("scope")).collect()
    };
    let refused = UpstreamError::Status { status: 403 };
    let (site, reply) = run(None).await;
    assert_eq!(reply.unwrap_err(), refused);
    assert_eq!(
        scopes(&site),
        [
            None,
            Some("more:0".to_owned()),
            Some("more:0 more:1".to_owned()),
            Some("more:0 more:1 more:2".to_owned())
        ]
    );
    let (site, reply) = run(Some("mine")).await;
    assert_eq!(reply.unwrap_err(), refused);
    assert_eq!(scopes(&site), [Some("mine".to_owned())]);
}

#[tokio::test]
async fn f17_a_server_that_names_another_issuer_gets_no_secret_sent_there() {
    let evil = Site::start(|seen, addr| answer(seen, addr, &|_| true, "t")).await;
    let there = evil.url("/as");
    let site = Site::start(move |seen, addr| match seen.path.as_str() {
        "/.well-known/oauth-protected-resource/mcp" => json(
            200,
            &format!(r#"{{"resource":"http://{addr}/mcp","authorization_servers":["{there}"]}}"#),
        ),
        _ => answer(seen, addr, &|_| false, "t"),
    })
    .await;
    let source = source(&site, |_| {});
    let why = fails(&client(&site, &source)).await;
    assert!(why.contains("takes no tokens of"), "{why}");
    assert_eq!(count(&site, "/token"), 0);
    assert!(evil.seen().is_empty());
}

/// Documents that stand in for good ones, and what is said of them. `HERE` is the site itself.
const ASTRAY: [(&str, &str, &str); 6] = [
    (
        "/.well-known/oauth-protected-resource/mcp",
        r#"{"resource":"https://other.example/mcp","authorization_servers":["HERE/as"]}"#,
        "another resource",
    ),
    (
        "/.well-known/oauth-authorization-server/as",
        r#"{"issuer":"HERE/as2","token_endpoint":"HERE/token"}"#,
        "are those of",
    ),
    (
        "/.well-known/oauth-authorization-server/as",
        r#"{"issuer":"HERE/as","token_endpoint":"file:///etc/passwd"}"#,
        "is not followed",
    ),
    (
        "/.well-known/oauth-authorization-server/as",
        r#"{"issuer":"HERE/as","token_endpoint":"http://169.254.169.254/token"}"#,
        "is not followed",
    ),
    (
        "/.well-known/oauth-authorization-server/as",
        r#"{"issuer":"HERE/as","token_endpoint":"http://127.0.0.1:1/token"}"#,
        "not a public address",
    ),
    (
        "/.well-known/oauth-authorization-server/as",
        r#"{"issuer":"HERE/as"}"#,
        "no usable `token_endpoint`",
    ),
];

#[tokio::test]
async fn f17_metadata_that_lie_or_lead_astray_give_no_token() {
    for (path, document, expected) in ASTRAY {
        let site = Site::start(move |seen, addr| {
            if seen.path == path {
                return json(200, &document.replace("HERE", &format!("http://{addr}")));
            }
            answer(seen, addr, &|_| false, "t")
        })
        .await;
        let source = source(&site, |_| {});
        let why = fails(&client(&site, &source)).await;
        assert!(why.contains(expected), "{why}");
        assert_eq!(count(&site, "/token"), 0, "{why}");
    }
}

#[tokio::test]
async fn f17_a_challenge_cannot_send_us_into_the_private_network() {
    for place in [
        "http://127.0.0.1:1/x",
        "http://169.254.169.254/latest/meta-data",
        "https://10.0.0.1/x",
        "file:///etc/passwd",
        "https://[::1]/x",
    ] {
        let site = Site::start(move |seen, addr| match seen.path.as_str() {
            "/mcp" => {
                let challenge =
                    format!("WWW-Authenticate: Bearer resource_metadata=\"{place}\"\r\n");
                with(401, &challenge, "")
            }
            _ => answer(seen, addr, &|_| false, "t"),
        })
        .await;
        let source = source(&site, |_| {});
        let why = fails(&client(&site, &source)).await;
        assert!(
            why.contains("not a public address") || why.contains("is not followed"),
            "{place}: {why}"
        );
        assert_eq!(count(&site, "/token"), 0);
    }
}

#[tokio::test]
async fn metadata_are_looked_for_where_they_may_be() {
    // No challenge but the status; the issuer is one of OpenID Connect with a path.
    let site = Site::start(|seen, addr| {
        let base = format!("http://{addr}");
        match seen.path.as_str() {
            "/mcp" if seen.header("authorization").is_none() => with(401, "", ""),
            "/.well-known/oauth-protected-resource/mcp"
            | "/.well-known/oauth-authorization-server/as" => with(404, "Content-Type: text/html\r\n", "<p>"),
            "/.well-known/openid-configuration/as" => with(200, "Content-Type: text/html\r\n", "<p>"),
            "/.well-known/oauth-protected-resource" => json(
                200,
                &format!(r#"{{"resource":"{base}","authorization_servers":["{base}/as"],"scopes_supported":["a","b"]}}"#),
            ),
            "/as/.well-known/openid-configuration" => json(
                200,
                &format!(r#"{{"issuer":"{base}/as","token_endpoint":"{base}/token","token_endpoint_auth_methods_supported":["client_secret_post"]}}"#),
            ),
            _ => answer(seen, addr, &|v| v == "Bearer t1", "t1"),
        }
    })
    .await;
    let source = source(&site, |settings| settings.authority = Authority::OfServer);
    works(&client(&site, &source)).await;
    let paths = site.paths();
    let asked: Vec<&str> = paths
        .iter()
        .map(String::as_str)
        .filter(|path| path.contains("well-known"))
        .collect();
    assert_eq!(
        asked,
        [
            "/.well-known/oauth-protected-resource/mcp",
            "/.well-known/oauth-protected-resource",
            "/.well-known/oauth-authorization-server/as",
            "/.well-known/openid-configuration/as",
            "/as/.well-known/openid-configuration",
        ]
    );
    let seen = site.seen();
    let token = seen.iter().find(|seen| seen.path == "/token").unwrap();
    assert_eq!(token.field("scope").as_deref(), Some("a b"));
    assert_eq!(token.field("resource"), Some(site.url("")));
    assert_eq!(token.field("client_secret").as_deref(), Some("s3cr/t"));
}

#[tokio::test]
async fn a_refusal_of_the_token_endpoint_is_named_and_not_repeated_at_once() {
    let site = Site::start(|seen, addr| match seen.path.as_str() {
        "/token" => json(
            401,
            r#"{"error":"invalid_client","error_description":"s3cr/t"}"#,
        ),
        _ => answer(seen, addr, &|_| false, "t"),
    })
    .await;
    let source = source(&site, |settings| {
        settings.authority = Authority::Endpoint(site.url("/token").parse().unwrap());
    });
    let client = client(&site, &source);
    for _ in 0..3 {
        let why = fails(&client).await;
        assert!(
            why.contains("`invalid_client`") && !why.contains("s3cr"),
            "{why}"
        );
    }
    assert_eq!(count(&site, "/token"), 1);
    assert_eq!(count(&site, "/mcp"), 0);
}

//! Callers that an issuer vouches for, and servers that want to see something: the product as it is
//! started, with an issuer's keys in a file.

use std::{fs, sync::Arc};

use cmcp_evidence::{SigningKey, b64};
use cmcp_gateway::Clock;
use cmcp_json::Value;

use crate::support::{ALICE, Answer, Gateway, Reply, Server, Setup, member};

const ISSUER: &str = "https://idp.example";
const US: &str = "http://127.0.0.1:8443/mcp";
const OAUTH: &str = "oauth:\n  resource: http://127.0.0.1:8443/mcp\n  issuers:\n    - issuer: https://idp.example\n      principal_prefix: corp\n      jwks: keys.json\n";

/// The issuer's key.
fn key() -> SigningKey {
    SigningKey::from_seed(&[7; 32])
}

/// The files of a gateway that takes the issuer's tokens.
fn start(setup: Setup, more: &str) -> Gateway {
    let files = setup.settings(&format!("{OAUTH}{more}")).prepare();
    let x = key().public().to_b64url();
    let keys = format!(r#"{{"keys":[{{"kty":"OKP","crv":"Ed25519","kid":"k1","x":"{x}"}}]}}"#);
    fs::write(files.path("keys.json"), keys).unwrap();
    Arc::clone(&files).start()
}

/// A token with these claims besides `iss`, signed by that key.
fn signed_by(key: &SigningKey, claims: &str) -> String {
    let end = Clock::system().unix_seconds() + 300;
    let header = b64::encode(br#"{"alg":"EdDSA","typ":"at+jwt","kid":"k1"}"#);
    let claims = format!(r#"{{"iss":"{ISSUER}","exp":{end},{claims}}}"#);
    let signed = format!("{header}.{}", b64::encode(claims.as_bytes()));
    let signature = key.sign(signed.as_bytes()).to_b64url();
    format!("{signed}.{signature}")
}

fn token(claims: &str) -> String {
    signed_by(&key(), claims)
}

fn alice() -> String {
    token(&format!(
        r#""aud":"{US}","sub":"alice","scope":"tools:read""#
    ))
}

fn echo(gateway: &Gateway, token: &str) -> Answer {
    gateway.call_as(token, "echo", r#"{"text":"a"}"#)
}

#[test]
fn f15_only_tokens_of_the_issuer_for_this_gateway_let_anybody_in_and_none_goes_further() {
    let (server, setup) = Setup::usual();
    let gateway = start(setup.variable("RUST_LOG", "trace"), "");
    let good = alice();
    assert_eq!(echo(&gateway, &good).status, 200);
    let refused = [
        token(&format!(r#""aud":"{}","sub":"alice""#, server.url)),
        token(&format!(r#""aud":"{US}","sub":"alice","nbf":99999999999"#)),
        token(r#""sub":"alice""#),
        token(&format!(r#""aud":"{US}""#)),
        signed_by(
            &SigningKey::from_seed(&[8; 32]),
            &format!(r#""aud":"{US}","sub":"alice""#),
        ),
        good.replace('.', ".."),
        good.strip_suffix(good.chars().last().unwrap())
            .unwrap()
            .to_owned(),
    ];
    for token in &refused {
        let answer = echo(&gateway, token);
        assert_eq!(answer.status, 401, "{token}: {}", answer.text());
        let challenge = answer.header("www-authenticate").unwrap();
        let metadata = "http://127.0.0.1:8443/.well-known/oauth-protected-resource/mcp";
        let expected = format!("Bearer resource_metadata=\"{metadata}\", error=\"invalid_token\"");
        assert!(challenge.starts_with(&expected), "{challenge}");
    }
    assert_eq!(server.calls().len(), 1);
    // Tokens of our own count as before.
    assert_eq!(echo(&gateway, ALICE).status, 200);
    for seen in server.requests() {
        assert_eq!(seen.header("authorization"), None, "{seen:?}");
    }
    let log = gateway.operational_log().text();
    for token in refused.iter().chain([&good]) {
        let payload = token.split('.').nth(1).unwrap_or_default();
        assert!(
            payload.is_empty() || !log.contains(payload),
            "a token was logged"
        );
    }
    gateway.finish();
}

#[test]
fn a_token_says_who_calls_and_policy_and_log_take_it_from_there() {
    let (_server, setup) = Setup::usual();
    let policy = r#"
        @id("reader")
        permit(principal, action, resource)
        when { principal has scopes && principal.scopes.contains("tools:read") };
        @id("bob")
        @approver("zoe")
        forbid(principal == Agent::"corp:bob", action, resource);
    "#;
    let gateway = start(
        setup.policy(policy),
        "  tool_scopes: {pay: [\"payments:write\"]}\n",
    );
    let answer = echo(&gateway, &alice());
    assert_eq!(answer.status, 200, "{}", answer.text());
    let outcome = gateway.outcome(&answer);
    assert_eq!(
        member(&outcome, "policies"),
        Value::Array(vec!["reader".into()])
    );
    let bob = token(&format!(r#""aud":"{US}","sub":"bob","scope":"tools:read""#));
    let answer = echo(&gateway, &bob);
    assert_eq!(answer.refusal().2, "POLICY_DENY");
    assert_eq!(
        gateway.verdict(&answer),
        ["policy_deny", "step_up", "not-dispatched"]
    );
    let answer = gateway.call_as(&alice(), "pay", r#"{"amount":1}"#);
    assert_eq!(answer.refusal().2, "INSUFFICIENT_SCOPE");
    let challenge = answer.header("www-authenticate").unwrap();
    assert!(
        challenge.contains(r#"scope="payments:write", error="insufficient_scope""#),
        "{challenge}"
    );
    assert_eq!(
        gateway.verdict(&answer),
        ["insufficient_scope", "step_up", "not-dispatched"]
    );
    let line = "GET /.well-known/oauth-protected-resource";
    let metadata = gateway.request(line, &[], b"").json();
    assert_eq!(member(&metadata, "resource"), Value::from(US));
    assert_eq!(
        member(&metadata, "authorization_servers"),
        Value::Array(vec![ISSUER.into()])
    );
    gateway.finish();
}

#[test]
fn f15_a_server_is_shown_our_credential_and_never_a_callers() {
    let (server, setup) = Setup::usual();
    let more = "upstreams:\n  credentials:\n    up: {bearer_file: up.token}\n";
    let files = setup.settings(&format!("{OAUTH}{more}")).prepare();
    let x = key().public().to_b64url();
    let keys = format!(r#"{{"keys":[{{"kty":"OKP","crv":"Ed25519","kid":"k1","x":"{x}"}}]}}"#);
    fs::write(files.path("keys.json"), keys).unwrap();
    fs::write(files.path("up.token"), "first\n").unwrap();
    let gateway = Arc::clone(&files).start();
    assert_eq!(echo(&gateway, &alice()).status, 200);
    let shown = |server: &Server| -> Vec<String> {
        let seen = server.requests().into_iter();
        seen.map(|seen| seen.header("authorization").unwrap_or("-").to_owned())
            .collect()
    };
    assert!(
        shown(&server).iter().all(|value| value == "Bearer first"),
        "{:?}",
        shown(&server)
    );
    // The server wants another one by now, which is in the file: the call was not run, and is sent again.
    fs::write(files.path("up.token"), "second\n").unwrap();
    std::thread::sleep(std::time::Duration::from_millis(1_100));
    server.act(|seen| match seen.header("authorization") {
        Some("Bearer second") => None,
        _ => Some(Reply::Http(401, "text/plain", b"no".to_vec())),
    });
    let before = server.calls().len();
    let answer = gateway.call_as(&alice(), "pay", r#"{"amount":1}"#);
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(server.calls().len(), before + 2);
    assert_eq!(
        shown(&server).last().map(String::as_str),
        Some("Bearer second")
    );
    let log = gateway.operational_log().text();
    assert!(!log.contains("second") && !log.contains("first"), "{log}");
    gateway.finish();
}

use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};

use cmcp_json::{Limits, Value, parse};

use super::{
    challenge,
    metadata::{DiscoveryError, Issuer, Resource},
    *,
};
use crate::fetch::{Fetched, Url, UrlError};

fn json(text: &str) -> Value {
    parse(text.as_bytes(), &Limits::DOCUMENT).unwrap()
}

fn url(text: &str) -> Url {
    text.parse().unwrap()
}

#[test]
fn challenges_are_read_as_http_writes_them() {
    let read = challenge::parse(
        r#"Basic realm="a, b", Bearer error="insufficient_scope", scope="a b",resource_metadata="https://r.example/\"x" , DPoP algs="ES256", Negotiate"#,
    );
    let schemes: Vec<&str> = read.iter().map(|one| one.scheme.as_str()).collect();
    assert_eq!(schemes, ["Basic", "Bearer", "DPoP", "Negotiate"]);
    assert_eq!(read[0].get("realm"), Some("a, b"));
    assert_eq!(read[1].get("scope"), Some("a b"));
    assert_eq!(
        read[1].get("resource_metadata"),
        Some("https://r.example/\"x")
    );
    assert_eq!(read[1].get("error"), Some("insufficient_scope"));
    assert_eq!(read[2].get("algs"), Some("ES256"));
    assert_eq!(read[3].get("algs"), None);
    let twice = challenge::parse("Bearer scope=a, SCOPE=b");
    assert_eq!(twice[0].get("scope"), Some("a"));
}

#[test]
fn challenges_that_cannot_be_read_end_where_they_can_no_more() {
    assert!(challenge::parse("").is_empty());
    assert!(challenge::parse("=").is_empty());
    assert_eq!(challenge::parse("Bearer scope=\"a").len(), 1);
    assert_eq!(challenge::parse("Bearer scope=\"a")[0].get("scope"), None);
    assert_eq!(challenge::parse("Bearer \u{e4}").len(), 1);
    assert_eq!(challenge::parse(&"a ".repeat(10_000)).len(), 16);
}

#[test]
fn f17_metadata_are_those_of_the_issuer_that_was_asked_letter_by_letter() {
    let issuer = url("https://idp.example/realm");
    let document = |issuer: &str| {
        json(&format!(
            r#"{{"issuer":"{issuer}","jwks_uri":"https://keys.example/k","token_endpoint":"https://idp.example/token"}}"#
        ))
    };
    let read = Issuer::read(&issuer, &document("https://idp.example/realm")).unwrap();
    assert_eq!(read.keys, Some(url("https://keys.example/k")));
    for other in [
        "https://idp.example/realm/",
        "https://IDP.example/realm",
        "https://idp.example",
        "https://evil.example/realm",
        "https://idp.example:443/realm",
    ] {
        assert!(
            matches!(
                Issuer::read(&issuer, &document(other)),
                Err(DiscoveryError::OtherIssuer { .. })
            ),
            "{other}"
        );
    }
    assert!(matches!(
        Issuer::read(&issuer, &json("{}")),
        Err(DiscoveryError::Member {
            member: "issuer",
            ..
        })
    ));
}

#[test]
fn f17_a_url_in_metadata_that_would_not_be_followed_refuses_the_metadata() {
    let issuer = url("https://idp.example");
    for (value, cause) in [
        ("file:///etc/passwd", UrlError::Malformed),
        ("http://idp.example/token", UrlError::Plain),
        ("a:$(touch /tmp/x)?response_type=code", UrlError::Malformed),
        ("https://idp.example/$(calc) | calc", UrlError::Malformed),
        ("https://idp.example/\\u0000", UrlError::Malformed),
        ("ssh://idp.example/token", UrlError::Scheme),
    ] {
        for member in ["token_endpoint", "jwks_uri"] {
            let value = value.replace("\\u0000", "\\\\u0000");
            let document = json(&format!(
                r#"{{"issuer":"https://idp.example","{member}":"{value}"}}"#
            ));
            let of = "https://idp.example".to_owned();
            let refused = DiscoveryError::Url { of, member, cause };
            assert_eq!(Issuer::read(&issuer, &document), Err(refused), "{value}");
        }
    }
}

#[test]
fn a_resource_covers_itself_and_what_lies_below_it() {
    let of = |resource: &str| Resource {
        resource: resource.to_owned(),
        issuers: Vec::new(),
        scopes: Vec::new(),
    };
    let asked = url("https://mcp.example/team/mcp");
    for (resource, covers) in [
        ("https://mcp.example/team/mcp", true),
        ("https://MCP.example:443/team/mcp/", true),
        ("https://mcp.example/team", true),
        ("https://mcp.example", true),
        ("https://mcp.example/tea", false),
        ("https://mcp.example/team/mcp/x", false),
        ("https://mcp.example/team?x", false),
        ("https://other.example/team/mcp", false),
        ("http://mcp.example/team/mcp", false),
        ("urn:mcp", false),
    ] {
        assert_eq!(of(resource).covers(&asked), covers, "{resource}");
    }
}

#[test]
fn a_token_is_what_the_endpoint_must_say_and_lives_as_long_as_it_says() {
    let read = |status: u16, document: &str| {
        let answer = Fetched {
            status: StatusCode::from_u16(status).unwrap(),
            document: json(document),
        };
        token::Token::read(&answer, 1_000)
    };
    let good = read(
        200,
        r#"{"access_token":"t","token_type":"bearer","expires_in":3600}"#,
    );
    let good = good.unwrap();
    assert_eq!(good.header, "Bearer t");
    assert!(good.header.is_sensitive() && good.is_new(1_004) && !good.is_new(1_005));
    assert!(!good.is_due(4_539) && good.is_due(4_540));
    assert!(good.is_good(4_599) && !good.is_good(4_600) && good.is_good(0));
    let ended = read(
        200,
        r#"{"access_token":"t","token_type":"Bearer","expires_in":0}"#,
    );
    assert!(!ended.unwrap().is_good(1_000));
    for document in [
        "{}",
        r#"{"access_token":"t"}"#,
        r#"{"access_token":"t","token_type":"DPoP"}"#,
        r#"{"access_token":"a b","token_type":"Bearer"}"#,
        r#"{"access_token":"a\r\nX: y","token_type":"Bearer"}"#,
        r#"{"access_token":"","token_type":"Bearer"}"#,
        r#"{"access_token":"t","token_type":"Bearer","expires_in":"soon"}"#,
    ] {
        assert_eq!(
            read(200, document).unwrap_err(),
            CredentialError::Answer,
            "{document}"
        );
    }
    let refused = |code: &str| CredentialError::Refused {
        code: code.to_owned(),
        status: 401,
    };
    assert_eq!(
        read(401, r#"{"error":"invalid_client"}"#).unwrap_err(),
        refused("invalid_client")
    );
    assert_eq!(
        read(401, r#"{"error":"x\u001b[31m <b>"}"#).unwrap_err(),
        refused("x31mb")
    );
    assert_eq!(read(401, "{}").unwrap_err(), refused("no error code"));
}

#[tokio::test]
async fn a_secret_has_no_line_end_and_is_read_again_after_a_while_or_a_refusal() {
    let (reads, time) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicI64::new(0)));
    let (counted, clock) = (Arc::clone(&reads), Arc::clone(&time));
    let secret = SecretSource::new(move || {
        let n = counted.fetch_add(1, Ordering::SeqCst);
        Ok(format!("token{n}\r\n").into())
    });
    let source = Source::bearer(secret, Arc::new(move || clock.load(Ordering::SeqCst)));
    let first = source.header().await.unwrap();
    assert_eq!(first.as_ref().unwrap(), "Bearer token0");
    time.store(59, Ordering::SeqCst);
    assert_eq!(source.header().await.unwrap(), first);
    time.store(60, Ordering::SeqCst);
    let second = source.header().await.unwrap();
    assert_eq!(second.as_ref().unwrap(), "Bearer token1");
    // A crowd of refusals does not make a crowd of reads, and no token is tried twice.
    let none = HeaderMap::new();
    let refused = source.rejected(second.as_ref(), StatusCode::UNAUTHORIZED, &none);
    assert_eq!(refused.await.unwrap(), None);
    let refused = source.rejected(first.as_ref(), StatusCode::UNAUTHORIZED, &none);
    assert_eq!(refused.await.unwrap(), second);
    time.store(61, Ordering::SeqCst);
    let refused = source.rejected(second.as_ref(), StatusCode::UNAUTHORIZED, &none);
    assert_eq!(refused.await.unwrap().unwrap(), "Bearer token2");
    let forbidden = source.rejected(second.as_ref(), StatusCode::FORBIDDEN, &none);
    assert_eq!(forbidden.await.unwrap(), None);
    assert_eq!(reads.load(Ordering::SeqCst), 3);
    assert_eq!(format!("{source:?}"), "Bearer(..)");
    for (secret, fault) in [
        ("", SecretFault::Empty),
        ("\n", SecretFault::Empty),
        ("a b", SecretFault::Characters),
        ("a\nb", SecretFault::Characters),
    ] {
        let secret = SecretSource::fixed(secret.to_owned());
        let source = Source::bearer(secret, Arc::new(|| 0));
        assert_eq!(source.header().await, Err(CredentialError::Secret(fault)));
    }
}

proptest::proptest! {
    #[test]
    fn no_challenge_is_more_than_read(text in "\\PC{0,300}", likely in "[A-Za-z=\", \\\\]{0,300}") {
        for text in [text, likely] {
            for challenge in challenge::parse(&text) {
                proptest::prop_assert!(text.contains(&challenge.scheme));
            }
        }
    }
}

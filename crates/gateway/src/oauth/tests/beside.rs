//! Tokens of issuers beside everything else: our own tokens, operators, sessions, other routes.

use super::*;

#[tokio::test]
async fn our_own_tokens_count_as_before() {
    let issuer = Issuer::start(Algorithm::Es256).await;
    let world = world(&issuer, |_| {}).await;
    assert_eq!(world.call("echo").await, "ok");
    assert_eq!(caller(&world), "alice");
    let answer = call(&world, OPERATOR).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    let (status, _) = world.request("GET /metrics", OPERATOR, "").await;
    assert_eq!(status, StatusCode::OK);
    // Whoever is known by a token of the issuer is no operator, and learns nothing.
    let (status, _) = world
        .request("GET /metrics", &issuer.token(|_| {}), "")
        .await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    let (status, _) = world.request("GET /metrics", "x", "").await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn every_mcp_route_tells_a_stranger_where_to_get_a_token() {
    let issuer = Issuer::start(Algorithm::Es256).await;
    let world = world(&issuer, |_| {}).await;
    let expected =
        format!("Bearer resource_metadata=\"{METADATA}\", scope=\"tools:read offline_access\"");
    let discover = r#"{"jsonrpc":"2.0","id":1,"method":"server/discover","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}}"#;
    for (line, body) in [
        ("POST /mcp", CALL),
        ("POST /mcp", discover),
        ("POST /mcp", "not even JSON"),
        ("GET /mcp", ""),
        ("DELETE /mcp", ""),
        ("GET /sse", ""),
        ("POST /messages/", CALL),
        ("GET /tools/list", ""),
    ] {
        let answer = ask(&world, line, &[], body).await;
        assert_eq!(
            answer.status,
            StatusCode::UNAUTHORIZED,
            "{line}: {answer:?}"
        );
        assert_eq!(answer.challenges(), [expected.as_str()], "{line}");
        assert_eq!(answer.code(), "MISSING_BEARER_TOKEN");
    }
    for scheme in ["Basic YTpi", "Bearer", "Negotiate x", "bearer", ""] {
        let answer = ask(&world, "POST /mcp", &[("authorization", scheme)], CALL).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{scheme}");
    }
}

#[tokio::test]
async fn our_metadata_are_open_to_everybody_at_our_own_hosts() {
    let issuer = Issuer::start(Algorithm::Es256).await;
    let world = world(&issuer, |_| {}).await;
    let root = "GET /.well-known/oauth-protected-resource";
    for line in [root.to_owned(), format!("{root}/mcp")] {
        let answer = ask(&world, &line, &[], "").await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(answer.headers["content-type"], "application/json");
        let expected = format!(
            r#"{{"resource":"{US}","authorization_servers":["{}"],"scopes_supported":["tools:read"],"bearer_methods_supported":["header"],"resource_name":"cMCP"}}"#,
            issuer.name
        );
        assert_eq!(answer.body.to_string(), expected);
        let elsewhere = ask(&world, &line, &[("host", "evil.example")], "").await;
        assert_eq!(elsewhere.status, StatusCode::FORBIDDEN);
        let page = [("origin", "https://evil.example")];
        assert_eq!(
            ask(&world, &line, &page, "").await.status,
            StatusCode::FORBIDDEN
        );
    }
    for path in ["/other", "/mcp/", "/mcp/x", "/../mcp"] {
        let answer = ask(&world, &format!("{root}{path}"), &[], "").await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
    }
    // Nobody to get a token from, nothing to say.
    let plain = World::new(|_| {}).await;
    let (status, _) = plain.request(root, "", "").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn behind_a_balancer_we_go_by_the_name_that_clients_know() {
    let issuer = Issuer::start(Algorithm::Es256).await;
    let world = world(&issuer, |oauth| {
        oauth.resource = url("https://edge.example/team/mcp");
    })
    .await;
    let answer = ask(&world, "POST /mcp", &[], CALL).await;
    assert_eq!(
        answer.challenges(),
        [
            "Bearer resource_metadata=\"https://edge.example/.well-known/oauth-protected-resource/team/mcp\", scope=\"tools:read offline_access\""
        ]
    );
    let line = "GET /.well-known/oauth-protected-resource/team/mcp";
    assert_eq!(ask(&world, line, &[], "").await.status, StatusCode::OK);
}

#[tokio::test]
async fn two_credentials_are_none() {
    let issuer = Issuer::start(Algorithm::Es256).await;
    let world = world(&issuer, |_| {}).await;
    let token = format!("Bearer {}", issuer.token(|_| {}));
    let own = format!("Bearer {ALICE}");
    for second in [token.as_str(), own.as_str(), "Basic x", "DPoP x"] {
        let both = [("authorization", token.as_str()), ("authorization", second)];
        let answer = ask(&world, "POST /mcp", &both, CALL).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{answer:?}");
        assert_eq!(answer.code(), "MULTIPLE_CREDENTIALS");
    }
    let joined = format!("{token}, {own}");
    let answer = ask(&world, "POST /mcp", &[("authorization", &joined)], CALL).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_token_in_a_url_or_body_is_not_looked_at() {
    let issuer = Issuer::start(Algorithm::Es256).await;
    let world = world(&issuer, |_| {}).await;
    let token = issuer.token(|_| {});
    let line = format!("POST /mcp?access_token={token}");
    assert_eq!(
        ask(&world, &line, &[], CALL).await.status,
        StatusCode::UNAUTHORIZED
    );
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let body = format!("access_token={token}");
    let answer = ask(&world, "POST /mcp", &form, &body).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn f15_what_a_caller_shows_goes_no_further() {
    let issuer = Issuer::start(Algorithm::Es256).await;
    let world = world(&issuer, |_| {}).await;
    let token = issuer.token(|_| {});
    admits(&world, &token).await;
    let seen = world.upstream.headers.lock().unwrap().clone();
    assert!(!seen.is_empty());
    for headers in seen {
        assert!(!headers.contains_key("authorization"), "{headers:?}");
        assert!(
            !format!("{headers:?}").contains(token.split('.').nth(1).unwrap()),
            "{headers:?}"
        );
    }
    let log = format!("{:?}", world.log());
    let payload = token.split('.').nth(1).unwrap();
    assert!(!log.contains(payload), "the log holds the token");
    assert!(!format!("{:?}", world.gateway.settings).contains(payload));
}

#[tokio::test]
async fn f13_a_transport_session_is_its_principals_whatever_the_subject() {
    let one = Issuer::start(Algorithm::Es256).await;
    let two = Issuer::start(Algorithm::Es256).await;
    let world = world(&one, |oauth| {
        oauth.issuers.push(OauthIssuer {
            issuer: url(&two.name),
            prefix: "guests".to_owned(),
            keys: IssuerKeys::Discovered,
            introspection: None,
        });
    })
    .await;
    let initialize = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}"#;
    let accept = ("accept", "application/json, text/event-stream");
    let own = format!("Bearer {}", one.token(|_| {}));
    let begun = ask(
        &world,
        "POST /mcp",
        &[("authorization", &own), accept],
        initialize,
    )
    .await;
    let id = begun.headers["mcp-session-id"].to_str().unwrap().to_owned();
    let list = r#"{"jsonrpc":"2.0","id":2,"method":"tools/list"}"#;
    let named = |token: String| {
        let (world, id) = (&world, id.clone());
        async move {
            let token = format!("Bearer {token}");
            let headers = [
                ("authorization", token.as_str()),
                ("mcp-session-id", id.as_str()),
                accept,
            ];
            ask(world, "POST /mcp", &headers, list).await.status
        }
    };
    assert_eq!(named(one.token(|_| {})).await, StatusCode::OK);
    // A newer token of the same principal goes on with it; nobody else does.
    let newer = one.token(|claims| {
        claims.insert("jti", "2");
    });
    assert_eq!(named(newer).await, StatusCode::OK);
    assert_eq!(named(two.token(|_| {})).await, StatusCode::NOT_FOUND);
    assert_eq!(named(ALICE.to_owned()).await, StatusCode::NOT_FOUND);
    let other = one.token(|claims| {
        claims.insert("sub", "bob");
    });
    assert_eq!(named(other).await, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn an_operator_can_stop_a_principal_that_came_by_a_token() {
    let issuer = Issuer::start(Algorithm::Es256).await;
    let world = world(&issuer, |_| {}).await;
    let order =
        |agent: &str| format!(r#"{{"agent_id":"{agent}","reason":"r","authorized_by":"z"}}"#);
    let (status, _) = world
        .operator("POST /kill-switch/trip", &order("corp:alice"))
        .await;
    assert_eq!(status, StatusCode::OK);
    let answer = call(&world, &issuer.token(|_| {})).await;
    assert_eq!(answer.code(), "KILL_SWITCH_TRIPPED", "{answer:?}");
    for nobody in ["corp:", "other:alice", "corp"] {
        let (status, _) = world
            .operator("POST /kill-switch/trip", &order(nobody))
            .await;
        assert_eq!(status, StatusCode::CONFLICT, "{nobody}");
    }
}

//! What a token gives, and what it does not.

use super::*;

/// What a policy may ask of a principal that came by a token.
const CLAIMED: &str = r#"
    permit(principal, action, resource) when {
        principal has scopes && principal.scopes.contains("tools:read")
        && principal has department && principal.department == "finance"
        && principal has groups && principal.groups.contains("b")
        && principal has level && principal.level > 3
        && principal has staff && principal.staff
        && principal has client_id && principal.client_id == "app"
        && principal has issuer
    };
    forbid(principal == Agent::"corp:mallory", action, resource);
"#;

/// A gateway with that policy, and its attributes' claims.
async fn claimed(issuer: &Issuer) -> World {
    governed(CLAIMED, issuer, |oauth| {
        for (name, claim, kind) in [
            ("department", "dept", ClaimKind::Text),
            ("groups", "groups", ClaimKind::Texts),
            ("level", "level", ClaimKind::Number),
            ("staff", "staff", ClaimKind::Flag),
        ] {
            let claim = claim.to_owned();
            let attribute = ClaimAttribute { claim, kind };
            oauth.attributes.insert(name.to_owned(), attribute);
        }
    })
    .await
}

/// A token with all that the policy asks for, but for this claim.
fn with(issuer: &Issuer, name: &str, value: &str) -> String {
    issuer.token(|claims| {
        claims.insert("dept", "finance");
        claims.insert("groups", json(r#"["a","b"]"#));
        claims.insert("level", 4i64);
        claims.insert("staff", true);
        claims.remove(name);
        if !value.is_empty() {
            claims.insert(name, json(value));
        }
    })
}

#[tokio::test]
async fn policy_sees_scopes_and_claims_as_attributes() {
    let issuer = Issuer::start(Algorithm::Es256).await;
    let world = claimed(&issuer).await;
    admits(&world, &with(&issuer, "x", "")).await;
    // One text is a list of one.
    admits(&world, &with(&issuer, "groups", "\"b\"")).await;
    // Hidden, since no call of this principal could ever be permitted.
    for (name, value) in [
        ("scope", "\"tools\""),
        ("dept", "\"sales\""),
        ("level", "3"),
        ("sub", "\"mallory\""),
        ("staff", ""),
        ("groups", "[]"),
    ] {
        let answer = call(&world, &with(&issuer, name, value)).await;
        assert_eq!(answer.code(), "TOOL_NOT_IN_CATALOG", "{name}: {answer:?}");
    }
    // A principal of ours has none of these.
    assert_eq!(world.call("echo").await, "TOOL_NOT_IN_CATALOG");
}

#[tokio::test]
async fn a_claim_of_another_type_refuses_the_token() {
    let issuer = Issuer::start(Algorithm::Es256).await;
    let world = claimed(&issuer).await;
    // A policy that forbids by it would pass everybody otherwise.
    for (name, value) in [
        ("dept", "7"),
        ("groups", "[7]"),
        ("level", "\"4\""),
        ("level", "4.5"),
        ("staff", "\"true\""),
        ("staff", "null"),
    ] {
        refuses(&world, &with(&issuer, name, value)).await;
    }
}

#[tokio::test]
async fn scopes_are_read_as_issuers_write_them_and_broad_ones_imply_narrow_ones() {
    let issuer = Issuer::start(Algorithm::Es256).await;
    let policy = r#"permit(principal, action, resource) when {
        principal has scopes && principal.scopes.contains("tools:read")
    };"#;
    let world = governed(policy, &issuer, |oauth| {
        let scopes = |scopes: &[&str]| scopes.iter().map(|&one| one.to_owned()).collect();
        let implied = &mut oauth.implied_scopes;
        implied.insert("all".to_owned(), scopes(&["tools"]));
        implied.insert("tools".to_owned(), scopes(&["tools:read", "all"]));
    })
    .await;
    let with = |name: &'static str, value: &str| {
        let value = json(value);
        issuer.token(move |claims| {
            claims.remove("scope");
            claims.insert(name, value);
        })
    };
    for (name, value, good) in [
        ("scope", r#""tools:read""#, true),
        ("scope", r#""a tools:read  b""#, true),
        ("scope", r#"["a","tools:read"]"#, true),
        ("scp", r#""tools:read""#, true),
        ("scp", r#"["tools:read"]"#, true),
        ("scope", r#""tools""#, true),
        ("scope", r#""all""#, true),
        ("scope", r#""tools:reader""#, false),
        ("scope", r#""TOOLS:READ""#, false),
        ("scope", r#""""#, false),
        ("x", r#""tools:read""#, false),
    ] {
        let answer = call(&world, &with(name, value)).await;
        assert_eq!(
            answer.body.get("result").is_some(),
            good,
            "{value}: {answer:?}"
        );
    }
}

#[tokio::test]
async fn without_the_scopes_that_all_need_a_token_opens_nothing() {
    let issuer = Issuer::start(Algorithm::Es256).await;
    let world = world(&issuer, |oauth| {
        oauth.required_scopes = vec!["mcp".to_owned(), "tools:read".to_owned()];
    })
    .await;
    let challenge = format!("Bearer resource_metadata=\"{METADATA}\", scope=\"mcp tools:read\"");
    let stranger = ask(&world, "POST /mcp", &[], CALL).await;
    assert_eq!(stranger.challenges(), [challenge.as_str()]);
    let answer = call(&world, &issuer.token(|_| {})).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN, "{answer:?}");
    assert_eq!(answer.code(), "INSUFFICIENT_SCOPE");
    assert_eq!(
        answer.challenges(),
        [format!(
            "{challenge}, error=\"insufficient_scope\", error_description=\"the token gives too little\""
        )]
    );
    let enough = issuer.token(|claims| {
        claims.insert("scope", "tools:read mcp");
    });
    admits(&world, &enough).await;
}

/// A call of the modern era: statuses are what clients of it go by.
const MODERN: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{},"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}}"#;

async fn modern(world: &World, token: &str) -> Answer {
    let authorization = format!("Bearer {token}");
    let headers = [
        ("authorization", authorization.as_str()),
        ("accept", "application/json, text/event-stream"),
        ("mcp-protocol-version", "2026-07-28"),
        ("mcp-method", "tools/call"),
        ("mcp-name", "echo"),
    ];
    ask(world, "POST /mcp", &headers, MODERN).await
}

/// The call is refused for want of these scopes, in every dialect, and the log says so.
async fn lacks(world: &World, token: &str, scopes: &str) {
    let expected = format!(
        "Bearer resource_metadata=\"{METADATA}\", scope=\"{scopes}\", error=\"insufficient_scope\", error_description=\"the token gives too little for this\""
    );
    for answer in [call(world, token).await, modern(world, token).await] {
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{answer:?}");
        assert_eq!(answer.code(), "INSUFFICIENT_SCOPE");
        assert_eq!(answer.challenges(), [expected.as_str()]);
    }
    let log = world.log();
    let outcome = |entry: &&Value| entry.get("kind").and_then(Value::as_str) == Some("outcome");
    let last = log.iter().rfind(outcome).unwrap();
    let text = |name: &str| last.get(name).and_then(Value::as_str);
    assert_eq!(text("code"), Some("insufficient_scope"), "{last}");
    assert_eq!(text("verdict"), Some("step_up"));
    assert_eq!(text("result"), Some("not-dispatched"));
}

#[tokio::test]
async fn a_tool_may_need_scopes_and_a_call_without_them_hears_all_of_them_at_once() {
    let issuer = Issuer::start(Algorithm::Es256).await;
    let world = world(&issuer, |oauth| {
        let scopes = vec!["pay".to_owned(), "tools:write".to_owned()];
        oauth.tool_scopes.insert("echo".to_owned(), scopes);
        oauth.required_scopes = vec!["tools:read".to_owned()];
    })
    .await;
    let with = |scope: &'static str| {
        issuer.token(move |claims| {
            claims.insert("scope", scope);
        })
    };
    lacks(&world, &with("tools:read"), "pay tools:read tools:write").await;
    lacks(
        &world,
        &with("tools:read pay"),
        "pay tools:read tools:write",
    )
    .await;
    assert!(world.upstream.headers.lock().unwrap().is_empty());
    admits(&world, &with("tools:read pay tools:write")).await;
    assert!(
        modern(&world, &with("tools:read pay tools:write"))
            .await
            .status
            .is_success()
    );
    // Whoever comes with a token of ours has no scopes, and needs none.
    assert_eq!(world.call("echo").await, "ok");
}

#[tokio::test]
async fn a_policy_may_name_the_scopes_that_would_turn_its_no() {
    let issuer = Issuer::start(Algorithm::Es256).await;
    let permit = r#"
        @required_scopes("tools:call tools:read")
        permit(principal, action, resource) when {
            principal has scopes && principal.scopes.containsAll(["tools:call", "tools:read"])
        };
        permit(principal == Agent::"alice", action, resource);
    "#;
    let forbid = r#"
        permit(principal, action, resource);
        @required_scopes("tools:call")
        forbid(principal, action, resource) unless {
            principal has scopes && principal.scopes.contains("tools:call")
        };
    "#;
    let with = |scope: &'static str| {
        issuer.token(move |claims| {
            claims.insert("scope", scope);
        })
    };
    let world = governed(permit, &issuer, |_| {}).await;
    lacks(&world, &with("tools:read"), "tools:call tools:read").await;
    lacks(&world, &with(""), "tools:call tools:read").await;
    admits(&world, &with("tools:call tools:read")).await;
    assert_eq!(world.call("echo").await, "ok");
    // What could be had is shown.
    let token = format!("Bearer {}", with("x"));
    let list = ask(&world, "GET /tools/list", &[("authorization", &token)], "").await;
    assert!(list.body.to_string().contains("\"echo\""), "{list:?}");
    let world = governed(forbid, &issuer, |_| {}).await;
    lacks(&world, &with("tools:read"), "tools:call").await;
    admits(&world, &with("tools:call")).await;
    // For a principal that can come by no scopes it is the plain no it always was.
    assert_eq!(world.call("echo").await, "TOOL_NOT_IN_CATALOG");
}

#[tokio::test]
async fn a_no_that_no_scope_would_turn_is_a_plain_no() {
    let issuer = Issuer::start(Algorithm::Es256).await;
    let policy = r#"
        permit(principal, action, resource);
        @required_scopes("tools:call")
        forbid(principal, action, resource) unless {
            principal has scopes && principal.scopes.contains("tools:call")
        };
        @approver("zoe")
        forbid(principal == Agent::"corp:alice", action, resource);
    "#;
    let world = governed(policy, &issuer, |_| {}).await;
    let answer = modern(&world, &issuer.token(|_| {})).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    assert_eq!(answer.code(), "POLICY_DENY");
    assert!(answer.challenges().is_empty());
    // Somebody else hears what to ask for.
    let bob = issuer.token(|claims| {
        claims.insert("sub", "bob");
    });
    lacks(&world, &bob, "tools:call").await;
}

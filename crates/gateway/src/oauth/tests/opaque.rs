//! Tokens that only their issuer can read.

use super::*;

async fn asking(issuer: &Issuer) -> World {
    let endpoint = url(&issuer.place("/introspect"));
    world(issuer, |oauth| {
        oauth.issuers[0].introspection = Some(Introspection {
            endpoint,
            client_id: "gateway".to_owned(),
            client_secret: SecretSource::fixed("s3cret".to_owned()),
        });
    })
    .await
}

/// What the issuer says of an active token, as `change` wants it.
fn active(issuer: &Issuer, change: impl FnOnce(&mut Object)) -> String {
    let mut answer = issuer.claims();
    answer.insert("active", true);
    change(&mut answer);
    Value::Object(answer).to_string()
}

#[tokio::test]
async fn an_opaque_token_counts_as_far_as_its_issuer_says_and_is_asked_about_now_and_then() {
    let issuer = Issuer::start(Algorithm::Es256).await;
    let world = asking(&issuer).await;
    issuer.knows("opaque-1", &active(&issuer, |_| {}));
    admits(&world, "opaque-1").await;
    assert_eq!(caller(&world), "corp:alice");
    admits(&world, "opaque-1").await;
    assert_eq!(issuer.asked("/introspect"), 1);
    // Revoked: known half a minute later at the latest.
    issuer.knows("opaque-1", r#"{"active":false}"#);
    world.pass(29);
    admits(&world, "opaque-1").await;
    world.pass(1);
    assert_eq!(refuses(&world, "opaque-1").await, "the token is not active");
    refuses(&world, "opaque-1").await;
    assert_eq!(issuer.asked("/introspect"), 2);
    // The token is in the body, our name and secret in the header, and nothing in the URL.
    for (path, authorization, body) in issuer.heard() {
        assert_eq!(path, "/introspect");
        assert_eq!(authorization, "Basic Z2F0ZXdheTpzM2NyZXQ=");
        assert_eq!(body, "token=opaque-1&token_type_hint=access_token");
    }
}

#[tokio::test]
async fn f15_what_an_issuer_says_of_a_token_is_checked_like_what_it_signs() {
    let issuer = Issuer::start(Algorithm::Es256).await;
    let world = asking(&issuer).await;
    let set = |name: &'static str, value: Value| {
        active(&issuer, move |answer| {
            answer.insert(name, value);
        })
    };
    let without = |name: &'static str| {
        active(&issuer, move |answer| {
            answer.remove(name);
        })
    };
    let cases = [
        (
            set("aud", Value::from(world.upstream.url.as_str())),
            "the token is for another resource",
        ),
        (
            without("aud"),
            "the token's `aud` is missing, or not what it has to be",
        ),
        (
            set("iss", Value::from("https://evil.example")),
            "the token is of another issuer",
        ),
        (set("exp", json("1799999000")), "the token has expired"),
        (
            without("exp"),
            "the token's `exp` is missing, or not what it has to be",
        ),
        (set("nbf", json("1900000000")), "the token is not valid yet"),
        (
            without("sub"),
            "the token's `subject` is missing, or not what it has to be",
        ),
        (
            set("cnf", json(r#"{"jkt":"A"}"#)),
            "the token is bound to a key, and no proof of it came along",
        ),
    ];
    for (n, (answer, told)) in cases.iter().enumerate() {
        let token = format!("opaque-{n}");
        issuer.knows(&token, answer);
        assert_eq!(refuses(&world, &token).await, *told, "{answer}");
    }
    // An answer need not repeat whose it is.
    issuer.knows("short", &without("iss"));
    admits(&world, "short").await;
}

#[tokio::test]
async fn an_answer_that_is_none_lets_nobody_in() {
    let issuer = Issuer::start(Algorithm::Es256).await;
    let world = asking(&issuer).await;
    for (n, answer) in ["{}", "[]", r#"{"active":"true"}"#, r#"{"active":1}"#, "x"]
        .iter()
        .enumerate()
    {
        let token = format!("odd-{n}");
        issuer.knows(&token, answer);
        let answer = call(&world, &token).await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{answer:?}");
    }
    issuer.leave();
    let answer = call(&world, "other").await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{answer:?}");
}

#[tokio::test]
async fn f15_no_token_of_another_issuer_is_shown_to_this_one() {
    let issuer = Issuer::start(Algorithm::Es256).await;
    let other = Issuer::start(Algorithm::Es256).await;
    let world = asking(&issuer).await;
    // It says whose it is, so that nobody needs to be asked.
    assert_eq!(
        refuses(&world, &other.token(|_| {})).await,
        "the token is of another issuer"
    );
    for odd in ["a b", "a\tb", "ä", "a,b", "="] {
        let answer = call(&world, odd).await;
        assert_eq!(
            answer.status,
            StatusCode::UNAUTHORIZED,
            "{odd:?}: {answer:?}"
        );
    }
    assert_eq!(issuer.asked("/introspect"), 0);
    // Without an endpoint an opaque token is nobody's.
    let silent = world_without(&issuer).await;
    assert_eq!(
        refuses(&silent, "opaque").await,
        "the token is none that is known here"
    );
}

async fn world_without(issuer: &Issuer) -> World {
    world(issuer, |_| {}).await
}

//! Keys that come and go, and issuers that are away.

use super::*;

#[tokio::test]
async fn keys_are_fetched_once_and_a_token_is_checked_once() {
    let issuer = Issuer::start(Algorithm::Es256).await;
    let world = world(&issuer, |_| {}).await;
    let token = issuer.token(|_| {});
    for _ in 0..3 {
        admits(&world, &token).await;
        admits(&world, &issuer.token(|_| {})).await;
    }
    assert_eq!(issuer.asked("/keys"), 1);
    assert_eq!(
        issuer.asked("/.well-known/oauth-authorization-server/realm"),
        1
    );
}

#[tokio::test]
async fn many_at_once_wait_for_one_look() {
    let issuer = Issuer::start(Algorithm::Es256).await;
    let world = world(&issuer, |_| {}).await;
    let token = issuer.token(|_| {});
    let all = (0..20).map(|_| call(&world, &token));
    for answer in futures_util::future::join_all(all).await {
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    }
    assert_eq!(issuer.asked("/keys"), 1);
}

#[tokio::test]
async fn a_new_key_is_found_when_a_token_names_it() {
    let issuer = Issuer::start(Algorithm::Es256).await;
    let world = world(&issuer, |_| {}).await;
    admits(&world, &issuer.token(|_| {})).await;
    issuer.publish("k2", Algorithm::EdDsa);
    world.pass(30);
    let header = || Object::from([("kid", "k2")]);
    admits(&world, &issuer.token_with(header(), |_| {})).await;
    assert_eq!(issuer.asked("/keys"), 2);
    // Tokens of the older key are as good as before.
    admits(&world, &issuer.token(|_| {})).await;
}

#[tokio::test]
async fn names_of_keys_that_nobody_has_make_us_look_once_in_a_while_and_no_more() {
    let issuer = Issuer::start(Algorithm::Es256).await;
    let world = world(&issuer, |_| {}).await;
    admits(&world, &issuer.token(|_| {})).await;
    let stranger = PrivateKey::generate(Algorithm::Es256).unwrap();
    let invented = |n: usize| {
        let header = Object::from([("kid", format!("invented-{n}"))]);
        stranger.sign(&header, &issuer.claims()).unwrap()
    };
    for n in 0..20 {
        refuses(&world, &invented(n)).await;
    }
    // Keys were fetched just now, so that none of these names could be new.
    assert_eq!(issuer.asked("/keys"), 1);
    world.pass(30);
    for n in 0..20 {
        refuses(&world, &invented(n)).await;
    }
    assert_eq!(issuer.asked("/keys"), 2);
    admits(&world, &issuer.token(|_| {})).await;
}

#[tokio::test]
async fn a_key_that_is_withdrawn_vouches_for_nothing_from_the_next_look_on() {
    let issuer = Issuer::start(Algorithm::Es256).await;
    let world = world(&issuer, |_| {}).await;
    let token = issuer.token(|_| {});
    admits(&world, &token).await;
    issuer.publish("k2", Algorithm::Es256);
    issuer.withdraw("k1");
    // Fetched again away from calls: a token that was believed before is looked at anew.
    world.pass(299);
    world
        .gateway
        .authorization
        .as_ref()
        .unwrap()
        .tend(world.gateway.clock.now())
        .await;
    assert_eq!(issuer.asked("/keys"), 1);
    world.pass(1);
    world
        .gateway
        .authorization
        .as_ref()
        .unwrap()
        .tend(world.gateway.clock.now())
        .await;
    assert_eq!(issuer.asked("/keys"), 2);
    assert_eq!(
        refuses(&world, &token).await,
        "the token is signed with a key that the issuer does not publish"
    );
    let header = Object::from([("kid", "k2")]);
    admits(&world, &issuer.token_with(header, |_| {})).await;
}

#[tokio::test]
async fn while_an_issuer_is_away_its_keys_count_for_an_hour_and_then_nobody_gets_in() {
    let issuer = Issuer::start(Algorithm::Es256).await;
    let world = world(&issuer, |_| {}).await;
    let late = |name: &str| {
        let name = name.to_owned();
        issuer.token(move |claims| {
            claims.insert("exp", NOON + 90_000);
            claims.insert("jti", name);
        })
    };
    admits(&world, &late("a")).await;
    issuer.leave();
    world.pass(3_599);
    admits(&world, &late("a")).await;
    admits(&world, &late("b")).await;
    world.pass(1);
    let answer = call(&world, &late("c")).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{answer:?}");
    assert_eq!(answer.code(), "ISSUER_UNAVAILABLE");
    assert_eq!(answer.headers["retry-after"], "5");
    assert!(answer.challenges().is_empty());
    // Those with tokens of ours are not concerned.
    assert_eq!(world.call("echo").await, "ok");
    issuer.come_back();
    world.pass(30);
    admits(&world, &late("c")).await;
}

#[tokio::test]
async fn an_issuer_that_was_never_there_lets_nobody_in_and_is_asked_now_and_then() {
    let issuer = Issuer::start(Algorithm::Es256).await;
    issuer.leave();
    let world = world(&issuer, |_| {}).await;
    let token = issuer.token(|_| {});
    for _ in 0..5 {
        let answer = call(&world, &token).await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    }
    assert_eq!(issuer.heard().len(), 1);
    issuer.come_back();
    world.pass(3);
    admits(&world, &token).await;
}

#[tokio::test]
async fn keys_that_are_pinned_are_never_fetched() {
    let issuer = Issuer::start(Algorithm::Es256).await;
    let keys = KeySet::parse(issuer.keys().as_bytes()).unwrap();
    let world = world(&issuer, |oauth| {
        oauth.issuers[0].keys = IssuerKeys::Pinned(keys);
    })
    .await;
    admits(&world, &issuer.token(|_| {})).await;
    issuer.publish("k2", Algorithm::Es256);
    let header = Object::from([("kid", "k2")]);
    refuses(&world, &issuer.token_with(header, |_| {})).await;
    world.pass(10_000);
    let late = issuer.token(|claims| {
        claims.insert("exp", NOON + 90_000);
    });
    admits(&world, &late).await;
    assert!(issuer.heard().is_empty());
}

#[tokio::test]
async fn f17_metadata_of_an_issuer_that_lie_or_lead_astray_give_no_keys() {
    let place = "/.well-known/oauth-authorization-server/realm";
    let evil = Issuer::start(Algorithm::Es256).await;
    let port = evil.place("").rsplit(':').next().unwrap().to_owned();
    let documents: [String; 8] = [
        format!(
            r#"{{"issuer":"{}","jwks_uri":"{}"}}"#,
            evil.name,
            evil.place("/keys")
        ),
        format!(
            r#"{{"issuer":"ISSUER","jwks_uri":"{}"}}"#,
            evil.place("/keys")
        ),
        format!(r#"{{"issuer":"ISSUER","jwks_uri":"http://localhost:{port}/keys"}}"#),
        r#"{"issuer":"ISSUER","jwks_uri":"file:///etc/passwd"}"#.to_owned(),
        r#"{"issuer":"ISSUER","jwks_uri":"http://169.254.169.254/keys"}"#.to_owned(),
        r#"{"issuer":"ISSUER","jwks_uri":"https://10.0.0.1/keys"}"#.to_owned(),
        r#"{"issuer":"ISSUER","jwks_uri":"a:$(touch /tmp/x)?"}"#.to_owned(),
        r#"{"issuer":"ISSUER"}"#.to_owned(),
    ];
    for document in documents {
        let issuer = Issuer::start(Algorithm::Es256).await;
        issuer.instead(place, &document.replace("ISSUER", &issuer.name));
        let world = world(&issuer, |_| {}).await;
        let answer = call(&world, &issuer.token(|_| {})).await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{document}");
        // What went wrong is the operator's business.
        assert_eq!(answer.text(), "the issuer cannot be asked now");
        assert_eq!(issuer.asked("/keys"), 0);
    }
    assert!(evil.heard().is_empty());
}

#[tokio::test]
async fn keys_may_lie_at_another_place_than_the_issuer_where_configuration_says_so() {
    let issuer = Issuer::start(Algorithm::Es256).await;
    let other = Issuer::start(Algorithm::Es256).await;
    other.instead("/keys", &issuer.keys());
    let world = world(&issuer, |oauth| {
        oauth.issuers[0].keys = IssuerKeys::At(url(&other.place("/keys")));
    })
    .await;
    admits(&world, &issuer.token(|_| {})).await;
    assert!(issuer.heard().is_empty());
}

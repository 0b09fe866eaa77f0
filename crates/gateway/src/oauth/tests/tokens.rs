//! Which tokens let somebody in, and which do not.

use super::*;

#[tokio::test]
async fn a_token_of_the_issuer_names_its_holder_whatever_it_is_signed_with() {
    for algorithm in [
        Algorithm::Es256,
        Algorithm::EdDsa,
        Algorithm::Rs256,
        Algorithm::Ps256,
    ] {
        let issuer = Issuer::start(algorithm).await;
        let world = world(&issuer, |_| {}).await;
        admits(&world, &issuer.token(|_| {})).await;
        assert_eq!(caller(&world), "corp:alice");
    }
}

#[tokio::test]
async fn f15_a_token_for_somebody_else_is_refused() {
    let issuer = Issuer::start(Algorithm::Es256).await;
    let world = world(&issuer, |_| {}).await;
    let upstream = Value::from(world.upstream.url.as_str()).to_string();
    // For an upstream of ours; for us by another name; for a client, as an identity token is.
    for other in [
        upstream.as_str(),
        r#""https://gateway.example""#,
        r#""https://gateway.example/mcp/""#,
        r#""https://GATEWAY.example/mcp""#,
        r#""https://gateway.example:443/mcp""#,
        r#""http://gateway.example/mcp""#,
        r#""https://gateway.example/mcp?x""#,
        r#""app""#,
        r#""""#,
        "[]",
        r#"["a",["https://gateway.example/mcp"]]"#,
    ] {
        let token = issuer.token(|claims| {
            claims.insert("aud", json(other));
        });
        let told = refuses(&world, &token).await;
        assert_eq!(told, "the token is for another resource", "{other}");
    }
}

/// A claim that is another one, or none, and what is said of it.
const OTHERWISE: [(&str, &str, &str); 25] = [
    (
        "aud",
        "null",
        "the token's `aud` is missing, or not what it has to be",
    ),
    (
        "aud",
        "7",
        "the token's `aud` is missing, or not what it has to be",
    ),
    ("iss", "null", "the token is of another issuer"),
    (
        "iss",
        "\"https://evil.example\"",
        "the token is of another issuer",
    ),
    ("iss", "\"ISSUER/\"", "the token is of another issuer"),
    ("iss", "[\"ISSUER\"]", "the token is of another issuer"),
    (
        "exp",
        "null",
        "the token's `exp` is missing, or not what it has to be",
    ),
    (
        "exp",
        "\"1900000000\"",
        "the token's `exp` is missing, or not what it has to be",
    ),
    (
        "exp",
        "1e10",
        "the token's `exp` is missing, or not what it has to be",
    ),
    (
        "exp",
        "1800000000.5e9",
        "the token's `exp` is missing, or not what it has to be",
    ),
    (
        "nbf",
        "\"x\"",
        "the token's `nbf` is missing, or not what it has to be",
    ),
    (
        "sub",
        "null",
        "the token's `subject` is missing, or not what it has to be",
    ),
    (
        "sub",
        "7",
        "the token's `subject` is missing, or not what it has to be",
    ),
    (
        "sub",
        "\"\"",
        "the token's `subject` is missing, or not what it has to be",
    ),
    (
        "sub",
        "\" alice\"",
        "the token's `subject` is missing, or not what it has to be",
    ),
    (
        "sub",
        "\"al\\u202eice\"",
        "the token's `subject` is missing, or not what it has to be",
    ),
    (
        "sub",
        "\"al\\nice\"",
        "the token's `subject` is missing, or not what it has to be",
    ),
    (
        "sub",
        "\"LONG\"",
        "the token's `subject` is missing, or not what it has to be",
    ),
    (
        "scope",
        "7",
        "the token's `scope` is missing, or not what it has to be",
    ),
    (
        "scope",
        "[\"a b\"]",
        "the token's `scope` is missing, or not what it has to be",
    ),
    (
        "scope",
        "[7]",
        "the token's `scope` is missing, or not what it has to be",
    ),
    (
        "cnf",
        "7",
        "the token's `cnf` is missing, or not what it has to be",
    ),
    (
        "cnf",
        r#"{"x5t#S256":"A"}"#,
        "the token is bound in a way that cannot be checked here",
    ),
    (
        "cnf",
        r#"{"jkt":"A","x5t#S256":"A"}"#,
        "the token is bound in a way that cannot be checked here",
    ),
    (
        "cnf",
        r#"{"jkt":"A"}"#,
        "the token is bound to a key, and no proof of it came along",
    ),
];

#[tokio::test]
async fn f15_a_token_says_what_it_has_to_say() {
    let issuer = Issuer::start(Algorithm::Es256).await;
    let world = world(&issuer, |_| {}).await;
    for (name, value, told) in OTHERWISE {
        let value = value.replace("ISSUER", &issuer.name);
        let value = json(&value.replace("LONG", &"a".repeat(257)));
        let token = issuer.token(|claims| {
            claims.remove(name);
            if !value.is_null() {
                claims.insert(name, value);
            }
        });
        assert_eq!(refuses(&world, &token).await, told, "{name}");
    }
}

#[tokio::test]
async fn a_token_counts_within_its_times_and_half_a_minute_around_them() {
    let issuer = Issuer::start(Algorithm::EdDsa).await;
    let world = world(&issuer, |_| {}).await;
    let at = |name: &'static str, seconds: i64| {
        issuer.token(|claims| {
            claims.insert(name, NOON + seconds);
        })
    };
    for (token, good) in [
        (at("exp", 0), true),
        (at("exp", -29), true),
        (at("exp", -30), false),
        (at("exp", -4_000), false),
    ] {
        let answer = call(&world, &token).await;
        assert_eq!(answer.status.is_success(), good, "{answer:?}");
        assert!(
            good || answer.text() == "the token has expired",
            "{answer:?}"
        );
    }
    for name in ["nbf", "iat"] {
        admits(&world, &at(name, 30)).await;
        assert_eq!(
            refuses(&world, &at(name, 31)).await,
            "the token is not valid yet"
        );
    }
    let fraction = issuer.token(|claims| {
        claims.insert("exp", json("1800000000.9"));
    });
    admits(&world, &fraction).await;
    // What was believed before is not believed behind its end.
    let token = at("exp", 60);
    admits(&world, &token).await;
    world.pass(89);
    admits(&world, &token).await;
    world.pass(1);
    assert_eq!(refuses(&world, &token).await, "the token has expired");
}

/// The issuer's claims below a header of one's own, signed in a way of one's own.
fn compact(issuer: &Issuer, header: &str, signature: impl Fn(&[u8]) -> Vec<u8>) -> String {
    let claims = Value::Object(issuer.claims()).to_vec();
    let signed = format!("{}.{}", encode(header.as_bytes()), encode(&claims));
    let signature = encode(&signature(signed.as_bytes()));
    format!("{signed}.{signature}")
}

#[tokio::test]
async fn f15_a_token_without_a_signature_or_with_a_symmetric_one_is_refused() {
    let issuer = Issuer::start(Algorithm::Rs256).await;
    let world = world(&issuer, |_| {}).await;
    let told = "the token's algorithm is not accepted here";
    for name in ["none", "None", "NONE", "nOnE", ""] {
        let header = format!(r#"{{"alg":"{name}","typ":"at+jwt","kid":"k1"}}"#);
        let token = compact(&issuer, &header, |_| Vec::new());
        assert_eq!(refuses(&world, &token).await, told);
    }
    // The public key taken for a secret, in every form that somebody could have it in.
    let jwk = json(&issuer.keys())
        .get("keys")
        .unwrap()
        .as_array()
        .unwrap()[0]
        .clone();
    let modulus = jwk.get("n").unwrap().as_str().unwrap().to_owned();
    let secrets = [
        issuer.keys().into_bytes(),
        jwk.to_vec(),
        cmcp_mcp::jose::decode(&modulus).unwrap(),
        modulus.into_bytes(),
        Vec::new(),
    ];
    for secret in secrets {
        let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, &secret);
        let header = r#"{"alg":"HS256","typ":"at+jwt","kid":"k1"}"#;
        let token = compact(&issuer, header, |signed| {
            aws_lc_rs::hmac::sign(&key, signed).as_ref().to_vec()
        });
        assert_eq!(refuses(&world, &token).await, told);
    }
}

#[tokio::test]
async fn f15_a_signature_is_the_issuers_over_these_very_bytes() {
    let issuer = Issuer::start(Algorithm::Rs256).await;
    let world = world(&issuer, |_| {}).await;
    let good = issuer.token(|_| {});
    let signature = good.rsplit('.').next().unwrap();
    let signature = cmcp_mcp::jose::decode(signature).unwrap();
    // The issuer's key, for another algorithm than the key is for, and for one that is not allowed.
    let unknown = "the token is signed with a key that the issuer does not publish";
    for (name, told) in [
        ("PS256", unknown),
        ("ES256", unknown),
        ("RS512", "the token's algorithm is not accepted here"),
    ] {
        let header = format!(r#"{{"alg":"{name}","typ":"at+jwt","kid":"k1"}}"#);
        let token = compact(&issuer, &header, |_| signature.clone());
        assert_eq!(refuses(&world, &token).await, told, "{name}");
        world.pass(31);
    }
    let told = "the token's signature does not hold";
    // Somebody else's key under the issuer's name for it.
    let header = Object::from([("typ", "at+jwt"), ("kid", "k1")]);
    let stranger = PrivateKey::generate(Algorithm::Rs256).unwrap();
    let signed = stranger.sign(&header, &issuer.claims()).unwrap();
    assert_eq!(refuses(&world, &signed).await, told);
    // A token that was changed behind its signature.
    let mut claims = issuer.claims();
    claims.insert("sub", "root");
    let claims = encode(&Value::Object(claims).to_vec());
    let mut parts: Vec<&str> = good.split('.').collect();
    parts[1] = &claims;
    assert_eq!(refuses(&world, &parts.join(".")).await, told);
    admits(&world, &good).await;
}

fn encode(bytes: &[u8]) -> String {
    cmcp_mcp::jose::encode(bytes)
}

#[tokio::test]
async fn f15_a_token_cannot_bring_its_own_key_nor_say_where_to_fetch_one() {
    let issuer = Issuer::start(Algorithm::Es256).await;
    let evil = Issuer::start(Algorithm::Es256).await;
    let world = world(&issuer, |_| {}).await;
    let stranger = PrivateKey::generate(Algorithm::Es256).unwrap();
    let own = Value::Object(stranger.public().unwrap().named("k1").to_jwk());
    let members: [(&str, Value); 5] = [
        ("jwk", own.clone()),
        ("jku", Value::from(evil.place("/keys"))),
        ("x5u", Value::from(evil.place("/keys"))),
        ("x5c", json(r#"["MIIB"]"#)),
        ("jwks", own),
    ];
    for (name, value) in members {
        let mut header = Object::from([("typ", "at+jwt"), ("kid", "k1")]);
        header.insert(name, value);
        let token = stranger.sign(&header, &issuer.claims()).unwrap();
        assert_eq!(
            refuses(&world, &token).await,
            "the token's signature does not hold"
        );
    }
    // A name of a key is a name, whatever it spells.
    let unknown = "the token is signed with a key that the issuer does not publish";
    for kid in [
        "../../../../dev/null",
        "/dev/null",
        "k1' UNION SELECT 'x",
        "http://169.254.169.254/latest",
        "k1\u{0}",
        "K1",
        "",
        "k1|id",
    ] {
        let mut header = Object::from([("typ", "at+jwt")]);
        header.insert("kid", kid);
        let token = stranger.sign(&header, &issuer.claims()).unwrap();
        let told = refuses(&world, &token).await;
        assert!(
            told == unknown || told.contains("not well formed"),
            "{kid}: {told}"
        );
    }
    assert!(evil.heard().is_empty());
    // The key is fetched from the issuer alone, and by nothing that a token said.
    let expected = ["/.well-known/oauth-authorization-server/realm", "/keys"];
    assert!(
        issuer
            .heard()
            .iter()
            .all(|(path, ..)| expected.contains(&path.as_str()))
    );
}

#[tokio::test]
async fn a_token_of_another_type_gives_no_access() {
    let issuer = Issuer::start(Algorithm::Es256).await;
    let world = world(&issuer, |_| {}).await;
    let typed = |typ: Option<&str>| {
        let mut header = Object::from([("kid", "k1")]);
        if let Some(typ) = typ {
            header.insert("typ", typ);
        }
        issuer.token_with(header, |_| {})
    };
    for typ in [
        None,
        Some("at+jwt"),
        Some("AT+JWT"),
        Some("application/at+jwt"),
        Some("JWT"),
    ] {
        admits(&world, &typed(typ)).await;
    }
    for typ in ["dpop+jwt", "logout+jwt", "secevent+jwt", "id+jwt", "x", ""] {
        assert_eq!(
            refuses(&world, &typed(Some(typ))).await,
            "the token is of a type that gives no access"
        );
    }
}

#[tokio::test]
async fn what_is_no_token_at_all_is_refused_without_asking_anybody() {
    let issuer = Issuer::start(Algorithm::Es256).await;
    let world = world(&issuer, |_| {}).await;
    for token in [
        "x",
        "a.b",
        "a.b.c",
        "....",
        "-----BEGIN",
        &"a".repeat(40_000),
    ] {
        refuses(&world, token).await;
    }
    let twice = format!(
        "{}.{}.{}",
        encode(br#"{"alg":"ES256","alg":"none"}"#),
        encode(b"{}"),
        encode(b"x")
    );
    refuses(&world, &twice).await;
    assert!(issuer.heard().is_empty());
}

#[tokio::test]
async fn several_audiences_are_a_list_with_ours_in_it() {
    let issuer = Issuer::start(Algorithm::Es256).await;
    let world = world(&issuer, |_| {}).await;
    let token = issuer.token(|claims| {
        claims.insert(
            "aud",
            json(r#"["https://other.example","https://gateway.example/mcp"]"#),
        );
    });
    admits(&world, &token).await;
}

#[tokio::test]
async fn two_issuers_with_one_subject_have_two_principals() {
    let one = Issuer::start(Algorithm::Es256).await;
    let two = Issuer::start(Algorithm::Es256).await;
    let world = world(&one, |oauth| {
        oauth.issuers.push(OauthIssuer {
            issuer: url(&two.name),
            prefix: "guests".to_owned(),
            keys: IssuerKeys::At(url(&two.place("/keys"))),
            introspection: None,
        });
    })
    .await;
    admits(&world, &one.token(|_| {})).await;
    admits(&world, &two.token(|_| {})).await;
    let sessions = world.gateway.sessions.all();
    let mut names: Vec<&str> = sessions.iter().map(|s| s.principal.name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["corp:alice", "guests:alice"]);
    // A token that says it is the one's, signed with the other's key of the same name.
    let header = Object::from([("kid", "k1")]);
    let forged = two.token_with(header, |claims| {
        claims.insert("iss", one.name.as_str());
    });
    assert_eq!(
        refuses(&world, &forged).await,
        "the token's signature does not hold"
    );
}

#[tokio::test]
async fn another_claim_may_name_the_principal() {
    let issuer = Issuer::start(Algorithm::Es256).await;
    let world = world(&issuer, |oauth| oauth.principal_claim = "oid".to_owned()).await;
    let token = issuer.token(|claims| {
        claims.insert("oid", "0001");
    });
    admits(&world, &token).await;
    assert_eq!(caller(&world), "corp:0001");
    refuses(&world, &issuer.token(|_| {})).await;
}

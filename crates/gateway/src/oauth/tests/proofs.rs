//! Tokens that are bound to a key.

use cmcp_evidence::Sha256Digest;

use super::*;

/// A client with a key of its own.
struct Holder {
    key: PrivateKey,
}

/// What is shown: a token and a proof.
struct Bound {
    token: String,
    proof: String,
}

impl Holder {
    fn new(algorithm: Algorithm) -> Self {
        let key = PrivateKey::generate(algorithm).unwrap();
        Self { key }
    }

    fn thumbprint(&self) -> String {
        self.key.public().unwrap().thumbprint()
    }

    /// A token that is bound to this key.
    fn token(&self, issuer: &Issuer) -> String {
        let thumbprint = self.thumbprint();
        issuer.token(|claims| {
            claims.insert("cnf", Object::from([("jkt", thumbprint)]));
        })
    }

    fn header(&self) -> Object {
        let mut header = Object::from([("typ", "dpop+jwt")]);
        header.insert("jwk", self.key.public().unwrap().to_jwk());
        header
    }

    /// A good proof for a call with that token, as `change` wants it.
    fn proof(&self, token: &str, nonce: &str, change: impl FnOnce(&mut Object)) -> String {
        let mut claims = self.claims(token, nonce);
        change(&mut claims);
        self.key.sign(&self.header(), &claims).unwrap()
    }

    fn claims(&self, token: &str, nonce: &str) -> Object {
        let hash = cmcp_mcp::jose::encode(Sha256Digest::of(token.as_bytes()).as_bytes());
        let mut claims = Object::from([
            ("htm", "POST"),
            ("htu", US),
            ("ath", hash.as_str()),
            ("nonce", nonce),
        ]);
        claims.insert("iat", NOON);
        claims.insert("jti", uuid::Uuid::from_u128(next()).to_string());
        claims
    }
}

/// A number that was never given before.
fn next() -> u128 {
    use std::sync::atomic::{AtomicU64, Ordering};
    static LAST: AtomicU64 = AtomicU64::new(0);
    u128::from(LAST.fetch_add(1, Ordering::SeqCst))
}

async fn bound(world: &World, shown: &Bound) -> Answer {
    let token = format!("DPoP {}", shown.token);
    let headers = [
        ("authorization", token.as_str()),
        ("dpop", shown.proof.as_str()),
    ];
    ask(world, "POST /mcp", &headers, CALL).await
}

async fn with_proofs(issuer: &Issuer, dpop: Dpop) -> World {
    world(issuer, |oauth| oauth.dpop = dpop).await
}

/// The nonce that the gateway asks for.
async fn nonce(world: &World, token: &str, holder: &Holder) -> String {
    let proof = holder.proof(token, "", |claims| {
        claims.remove("nonce");
    });
    let token = token.to_owned();
    let answer = bound(world, &Bound { token, proof }).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    let challenge = answer.challenges();
    assert_eq!(challenge.len(), 1, "{challenge:?}");
    assert!(
        challenge[0].starts_with("DPoP resource_metadata=\""),
        "{challenge:?}"
    );
    assert!(
        challenge[0].contains("error=\"use_dpop_nonce\""),
        "{challenge:?}"
    );
    answer.headers["dpop-nonce"].to_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_bound_token_is_good_with_a_proof_of_its_key_and_the_nonce_that_was_asked_for() {
    for algorithm in [Algorithm::Es256, Algorithm::EdDsa, Algorithm::Ps256] {
        let issuer = Issuer::start(Algorithm::Es256).await;
        let world = with_proofs(&issuer, Dpop::Required).await;
        let holder = Holder::new(algorithm);
        let token = holder.token(&issuer);
        let nonce = nonce(&world, &token, &holder).await;
        for _ in 0..3 {
            let proof = holder.proof(&token, &nonce, |_| {});
            let token = token.clone();
            let answer = bound(&world, &Bound { token, proof }).await;
            assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        }
        assert_eq!(caller(&world), "corp:alice");
    }
}

#[tokio::test]
async fn f15_a_bound_token_without_its_proof_lets_nobody_in() {
    let issuer = Issuer::start(Algorithm::Es256).await;
    let holder = Holder::new(Algorithm::Es256);
    let token = holder.token(&issuer);
    for dpop in [Dpop::Off, Dpop::Optional, Dpop::Required] {
        let world = with_proofs(&issuer, dpop).await;
        // Stolen, and shown as if it were unbound.
        let answer = call(&world, &token).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{dpop:?}");
        assert_eq!(
            answer.text(),
            "the token is bound to a key, and no proof of it came along"
        );
        let scheme = format!("DPoP {token}");
        let answer = ask(&world, "POST /mcp", &[("authorization", &scheme)], CALL).await;
        assert_eq!(
            answer.status,
            StatusCode::UNAUTHORIZED,
            "{dpop:?}: {answer:?}"
        );
    }
    // Two proofs are none.
    let world = with_proofs(&issuer, Dpop::Required).await;
    let nonce = nonce(&world, &token, &holder).await;
    let proof = holder.proof(&token, &nonce, |_| {});
    let scheme = format!("DPoP {token}");
    let twice = [
        ("authorization", scheme.as_str()),
        ("dpop", proof.as_str()),
        ("dpop", proof.as_str()),
    ];
    let answer = ask(&world, "POST /mcp", &twice, CALL).await;
    assert_eq!(answer.text(), "the proof is missing, or there are two");
}

#[tokio::test]
async fn unbound_tokens_are_taken_unless_all_have_to_be_bound() {
    let issuer = Issuer::start(Algorithm::Es256).await;
    let token = issuer.token(|_| {});
    let world = with_proofs(&issuer, Dpop::Optional).await;
    admits(&world, &token).await;
    let required = with_proofs(&issuer, Dpop::Required).await;
    let answer = call(&required, &token).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert_eq!(
        answer.text(),
        "the token is not bound to a key, and has to be"
    );
    // A proof beside a token that is bound to nothing proves nothing.
    let holder = Holder::new(Algorithm::Es256);
    let proof = holder.proof(&token, "", |_| {});
    let answer = bound(&world, &Bound { token, proof }).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    // Tokens of our own are no business of an issuer.
    assert_eq!(required.call("echo").await, "ok");
}

/// A claim of a proof that is another one, or none, and what is said of it.
const OTHERWISE: [(&str, &str, &str); 19] = [
    ("htm", "\"GET\"", "the proof is for another method"),
    ("htm", "\"post\"", "the proof is for another method"),
    (
        "htu",
        "\"https://gateway.example/sse\"",
        "the proof is for another URL",
    ),
    (
        "htu",
        "\"https://evil.example/mcp\"",
        "the proof is for another URL",
    ),
    (
        "htu",
        "\"http://gateway.example/mcp\"",
        "the proof is for another URL",
    ),
    ("htu", "\"/mcp\"", "the proof is for another URL"),
    (
        "htu",
        "\"https://gateway.example:8443/mcp\"",
        "the proof is for another URL",
    ),
    (
        "htu",
        "7",
        "the proof's `htu` is missing, or not what it has to be",
    ),
    ("ath", "\"OTHER\"", "the proof is for another token"),
    (
        "ath",
        "\"\"",
        "the proof's `ath` is missing, or not what it has to be",
    ),
    (
        "ath",
        "null",
        "the proof's `ath` is missing, or not what it has to be",
    ),
    (
        "jti",
        "null",
        "the proof's `jti` is missing, or not what it has to be",
    ),
    (
        "jti",
        "\"\"",
        "the proof's `jti` is missing, or not what it has to be",
    ),
    (
        "iat",
        "null",
        "the proof's `iat` is missing, or not what it has to be",
    ),
    (
        "iat",
        "1799999939",
        "the proof is too old, or from the future",
    ),
    (
        "iat",
        "1800000061",
        "the proof is too old, or from the future",
    ),
    (
        "iat",
        "-9223372036854775808",
        "the proof is too old, or from the future",
    ),
    (
        "nonce",
        "\"made-up\"",
        "the proof needs the nonce that this answer carries",
    ),
    (
        "nonce",
        "null",
        "the proof needs the nonce that this answer carries",
    ),
];

#[tokio::test]
async fn f15_a_proof_is_for_this_request_this_token_and_this_moment() {
    let issuer = Issuer::start(Algorithm::Es256).await;
    let world = with_proofs(&issuer, Dpop::Optional).await;
    let (holder, thief) = (Holder::new(Algorithm::Es256), Holder::new(Algorithm::Es256));
    let token = holder.token(&issuer);
    let nonce = nonce(&world, &token, &holder).await;
    let other = cmcp_mcp::jose::encode(Sha256Digest::of(b"other").as_bytes());
    let told = async |proof: String| {
        let token = token.clone();
        let answer = bound(&world, &Bound { token, proof }).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{answer:?}");
        answer.text().to_owned()
    };
    for (name, value, expected) in OTHERWISE {
        let value = json(&value.replace("OTHER", &other));
        let proof = holder.proof(&token, &nonce, |claims| {
            claims.remove(name);
            if !value.is_null() {
                claims.insert(name, value);
            }
        });
        assert_eq!(told(proof).await, expected, "{name}");
    }
    let stolen = thief.proof(&token, &nonce, |_| {});
    assert_eq!(
        told(stolen).await,
        "the proof is by another key than the token's"
    );
    let long = holder.proof(&token, &nonce, |claims| {
        claims.insert("jti", "a".repeat(3_000));
    });
    assert_eq!(
        told(long).await,
        "the proof's `jti` is missing, or not what it has to be"
    );
    for nothing in ["x", "", "a.b.c"] {
        assert!(
            told(nothing.to_owned())
                .await
                .starts_with("the proof is not well formed")
        );
    }
}

#[tokio::test]
async fn a_proofs_url_is_compared_as_a_url() {
    let issuer = Issuer::start(Algorithm::Es256).await;
    let world = with_proofs(&issuer, Dpop::Optional).await;
    let holder = Holder::new(Algorithm::Es256);
    let token = holder.token(&issuer);
    let nonce = nonce(&world, &token, &holder).await;
    // What is said behind `?` and `#` does not matter, nor how host and port are spelled.
    for htu in [
        "https://gateway.example/mcp?a=b#c",
        "https://GATEWAY.example:443/mcp",
        "HTTPS://gateway.example/mcp",
    ] {
        let proof = holder.proof(&token, &nonce, |claims| {
            claims.insert("htu", htu);
        });
        let token = token.clone();
        let answer = bound(&world, &Bound { token, proof }).await;
        assert_eq!(answer.status, StatusCode::OK, "{htu}: {answer:?}");
    }
}

#[tokio::test]
async fn f15_a_proof_brings_a_public_key_of_its_own_and_is_signed_as_what_it_is() {
    let issuer = Issuer::start(Algorithm::Es256).await;
    let world = with_proofs(&issuer, Dpop::Optional).await;
    let holder = Holder::new(Algorithm::Es256);
    let token = holder.token(&issuer);
    let nonce = nonce(&world, &token, &holder).await;
    let claims = holder.claims(&token, &nonce);
    let shown = |header: Object| {
        let proof = holder.key.sign(&header, &claims).unwrap();
        let token = token.clone();
        Bound { token, proof }
    };
    let mut headers: Vec<(Object, &str)> = Vec::new();
    let mut header = holder.header();
    header.insert("typ", "at+jwt");
    headers.push((header, "the proof is of another type than `dpop+jwt`"));
    let mut header = holder.header();
    header.remove("typ");
    headers.push((header, "the proof is of another type than `dpop+jwt`"));
    let mut header = holder.header();
    header.remove("jwk");
    headers.push((
        header,
        "the proof is not well formed: its header is not a JSON object that names an algorithm",
    ));
    let mut header = holder.header();
    let mut private = holder.key.public().unwrap().to_jwk();
    private.insert("d", "AAAA");
    header.insert("jwk", private);
    headers.push((
        header,
        "the proof's key cannot be used: the key comes with its private half",
    ));
    let mut header = holder.header();
    header.insert("jwk", json(r#"{"kty":"oct","k":"AAAA"}"#));
    headers.push((
        header,
        "the proof's key cannot be used: the key comes with its private half",
    ));
    let mut header = holder.header();
    header.insert("alg", "none");
    headers.push((header, "the proof's algorithm is not accepted here"));
    let mut header = holder.header();
    header.insert("alg", "HS256");
    headers.push((header, "the proof's algorithm is not accepted here"));
    let mut header = holder.header();
    let stranger = Holder::new(Algorithm::Es256);
    header.insert("jwk", stranger.key.public().unwrap().to_jwk());
    headers.push((header, "the proof's signature does not hold"));
    for (header, told) in headers {
        let answer = bound(&world, &shown(header)).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{answer:?}");
        assert_eq!(answer.text(), told);
    }
}

#[tokio::test]
async fn f15_a_proof_counts_once() {
    let issuer = Issuer::start(Algorithm::Es256).await;
    let world = with_proofs(&issuer, Dpop::Optional).await;
    let holder = Holder::new(Algorithm::Es256);
    let token = holder.token(&issuer);
    let nonce = nonce(&world, &token, &holder).await;
    let proof = holder.proof(&token, &nonce, |claims| {
        claims.insert("iat", NOON + 60);
    });
    let shown = Bound { token, proof };
    assert_eq!(bound(&world, &shown).await.status, StatusCode::OK);
    for seconds in [0, 1, 59, 60] {
        world.pass(seconds);
        let answer = bound(&world, &shown).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
        assert_eq!(
            answer.text(),
            "the proof was used before",
            "after {seconds} s"
        );
    }
    // Forgotten only when it counts no more.
    world.pass(1);
    let answer = bound(&world, &shown).await;
    assert_eq!(answer.text(), "the proof is too old, or from the future");
}

#[tokio::test]
async fn a_nonce_counts_for_a_while() {
    let issuer = Issuer::start(Algorithm::Es256).await;
    let world = with_proofs(&issuer, Dpop::Optional).await;
    let holder = Holder::new(Algorithm::Es256);
    let token = holder.token(&issuer);
    let first = nonce(&world, &token, &holder).await;
    world.pass(120);
    let now = |at: i64, nonce: &str| {
        holder.proof(&token, nonce, |claims| {
            claims.insert("iat", NOON + at);
        })
    };
    let shown = Bound {
        token: token.clone(),
        proof: now(120, &first),
    };
    assert_eq!(bound(&world, &shown).await.status, StatusCode::OK);
    world.pass(120);
    let shown = Bound {
        token: token.clone(),
        proof: now(240, &first),
    };
    let answer = bound(&world, &shown).await;
    let newer = answer.headers["dpop-nonce"].to_str().unwrap().to_owned();
    assert_ne!(newer, first);
    let shown = Bound {
        token: token.clone(),
        proof: now(240, &newer),
    };
    assert_eq!(bound(&world, &shown).await.status, StatusCode::OK);
    // Another gateway's nonce is none of ours.
    let other = with_proofs(&issuer, Dpop::Optional).await;
    let shown = Bound {
        token: token.clone(),
        proof: now(0, &first),
    };
    assert_eq!(bound(&other, &shown).await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn whoever_wants_proofs_says_so() {
    let issuer = Issuer::start(Algorithm::Es256).await;
    let line = "GET /.well-known/oauth-protected-resource";
    let algorithms = "ES256 EdDSA RS256 PS256";
    let first = format!("resource_metadata=\"{METADATA}\", scope=\"tools:read offline_access\"");
    let optional = with_proofs(&issuer, Dpop::Optional).await;
    assert_eq!(
        ask(&optional, "POST /mcp", &[], CALL).await.challenges(),
        [
            format!("Bearer {first}"),
            format!("DPoP {first}, algs=\"{algorithms}\"")
        ]
    );
    let document = ask(&optional, line, &[], "").await.body;
    assert!(document.get("dpop_signing_alg_values_supported").is_some());
    assert!(document.get("dpop_bound_access_tokens_required").is_none());
    let required = with_proofs(&issuer, Dpop::Required).await;
    assert_eq!(
        ask(&required, "POST /mcp", &[], CALL).await.challenges(),
        [format!("DPoP {first}, algs=\"{algorithms}\"")]
    );
    let document = ask(&required, line, &[], "").await.body;
    let bound = document.get("dpop_bound_access_tokens_required");
    assert_eq!(bound.and_then(Value::as_bool), Some(true));
}

#[test]
fn no_more_proofs_are_remembered_than_there_is_room_for() {
    use super::super::replay::{Known, MAX_OF_KEY, Replay};
    let replay = Replay::default();
    for n in 0..MAX_OF_KEY {
        assert_eq!(replay.note("one", &n.to_string(), NOON), Known::New);
    }
    assert_eq!(replay.note("one", "more", NOON), Known::Full);
    assert_eq!(replay.note("one", "7", NOON), Known::Seen);
    // One key's proofs keep nobody else's out.
    assert_eq!(replay.note("two", "7", NOON), Known::New);
    assert_eq!(replay.note("one", "more", NOON + 121), Known::New);
    assert_eq!(replay.note("one", "7", NOON + 121), Known::Seen);
    // A clock that is set back forgets nothing.
    assert_eq!(replay.note("one", "7", NOON - 10_000), Known::Seen);
    assert_eq!(replay.note("one", "7", NOON + 242), Known::New);
}

use super::*;
use crate::{About, Timestamp};

#[test]
fn genuine_tokens_are_accepted_and_say_what_they_prove() {
    for (claims, status) in [
        (container(), "azure-compliant-uvm"),
        (machine(), "azure-compliant-cvm"),
    ] {
        let result = judge_token(&sign(&claims), &policy(), &challenge());
        assert_eq!(failed(&result), Vec::<&str>::new());
        assert_eq!(result.status, Status::Affirming);
        assert_eq!(result.claim("measurement"), Some(digits("ee", 48).as_str()));
        assert_eq!(result.claim("compliance-status"), Some(status));
        assert_eq!(result.claim("host-data"), Some(digits("0d", 32).as_str()));
        assert_eq!(result.claim("issuer"), Some(ISSUER));
        let end = Timestamp::from_unix_seconds(ISSUED + 28800);
        assert_eq!(result.not_after, Some(end));
        assert!(result.claims.iter().any(|claim| claim.about == About::When));
        assert!(result.notes.iter().any(|note| note.contains("AMD's root")));
    }
}

#[test]
fn d01_a_token_without_a_signature_or_with_another_algorithm_is_refused() {
    for (header, how) in [
        (r#"{"alg":"none","kid":"one"}"#, Signed::RsaSha256),
        (r#"{"alg":"HS256","kid":"one"}"#, Signed::RsaSha256),
        (r#"{"alg":"PS256","kid":"one"}"#, Signed::PssSha256),
        (r#"{"alg":"RS512","kid":"one"}"#, Signed::RsaSha512),
        (r#"{"kid":"one"}"#, Signed::RsaSha256),
    ] {
        let token = forge::jws(header, &container(), how, &key());
        let result = judge_token(&token, &policy(), &challenge());
        assert_eq!(failed(&result), ["maa.signature"], "{header}");
    }
}

#[test]
fn d03_a_header_that_brings_a_key_is_refused() {
    for member in ["jwk", "x5u", "x5c", "x5t", "other"] {
        let header = format!(r#"{{"alg":"RS256","kid":"one","{member}":"https://a"}}"#);
        let token = forge::jws(&header, &container(), Signed::RsaSha256, &key());
        let result = judge_token(&token, &policy(), &challenge());
        assert_eq!(failed(&result), ["maa.header"]);
    }
}

#[test]
fn a_key_that_is_not_pinned_is_refused_although_the_key_set_has_it() {
    let other = Key::rsa2048(2);
    let header = r#"{"alg":"RS256","kid":"two"}"#;
    let token = forge::jws(header, &container(), Signed::RsaSha256, &other);
    let rules = read(&policy(), MaaPolicy::read).unwrap();
    let keys = key_set(&[jwk("one", &key()), jwk("two", &other)]);
    let binding = challenge();
    let result = appraise_token(Platform::Maa, token.as_bytes(), &keys, &binding, |values| {
        values.maa = Some(rules);
    });
    assert_eq!(failed(&result), ["maa.signature"]);
}

#[test]
fn a_token_whose_key_is_not_named_or_not_there_is_refused() {
    for header in [
        r#"{"alg":"RS256"}"#,
        r#"{"alg":"RS256","kid":"two"}"#,
        r#"{"alg":"RS256","kid":1}"#,
        r#"{"alg":"RS256","kid":"ONE"}"#,
    ] {
        let token = forge::jws(header, &container(), Signed::RsaSha256, &key());
        let result = judge_token(&token, &policy(), &challenge());
        assert_eq!(failed(&result), ["maa.signature"]);
    }
    let rules = read(&policy(), MaaPolicy::read).unwrap();
    let token = sign(&container());
    let binding = challenge();
    for set in [&b"{}"[..], b"", b"{\"keys\":[]}"] {
        let rules = rules.clone();
        let result = appraise_token(Platform::Maa, token.as_bytes(), set, &binding, |values| {
            values.maa = Some(rules);
        });
        assert_eq!(failed(&result), ["maa.signature"]);
    }
}

#[test]
fn a_key_of_one_issuer_does_not_speak_for_another() {
    let other = "https://sharedweu.weu.attest.azure.net";
    let list = format!(
        r#"[{{"issuer":"{ISSUER}","keys":["{}"],"policy_hashes":"any"}},
            {{"issuer":"{other}","keys":["{}"],"policy_hashes":"any"}}]"#,
        pin(&key()),
        pin(&Key::rsa2048(2)),
    );
    let name = format!("\"{other}\"");
    assert_eq!(
        faults(
            &container(),
            &[("iss", Some(&name))],
            &[("issuers", Some(&list))]
        ),
        ["maa.signature"]
    );
}

#[test]
fn b01_no_letter_of_a_token_can_be_changed() {
    let token = sign(&container());
    for index in (0..token.len()).step_by(7) {
        let mut bytes = token.clone().into_bytes();
        bytes[index] = if bytes[index] == b'A' { b'B' } else { b'A' };
        let token = String::from_utf8(bytes).unwrap();
        let result = judge_token(&token, &policy(), &challenge());
        assert_eq!(result.status, Status::Contraindicated, "letter {index}");
    }
}

#[test]
fn b26_anything_but_one_token_is_refused() {
    let token = sign(&container());
    for bad in [
        format!("{token}.{token}"),
        format!("{token} {token}"),
        format!(" {token}"),
        format!("{token}\n\n"),
        format!("\"{token}\""),
        String::new(),
        "a.b.c".to_owned(),
    ] {
        let result = judge_token(&bad, &policy(), &challenge());
        assert!(failed(&result).contains(&"maa.token"), "{bad}");
        assert_eq!(result.status, Status::Contraindicated);
    }
    let result = judge_token(&format!("{token}\n"), &policy(), &challenge());
    assert_eq!(result.status, Status::Affirming);
}

#[test]
fn d05_claims_twice_are_refused() {
    let twice = container().replacen("{\"exp\"", "{\"x-ms-ver\":\"1.0\",\"exp\"", 1);
    let result = judge_token(&sign(&twice), &policy(), &challenge());
    assert!(failed(&result).contains(&"maa.token"));
}

#[test]
fn what_is_not_looked_at_is_named() {
    let token = sign(&changed(&container(), &[("x-ms-new", Some("1"))]));
    let result = judge_token(&token, &policy(), &challenge());
    assert_eq!(result.status, Status::Affirming);
    assert!(result.notes.iter().any(|note| note.contains("`x-ms-new`")));
}

#[test]
fn every_member_of_a_token_is_shown() {
    let token = sign(&container());
    let fields = crate::token::show(Platform::Maa, token.as_bytes()).unwrap();
    let of = |name: &str| fields.iter().find(|field| field.name == name).unwrap();
    assert_eq!(of("token.header.alg").value, "RS256");
    assert_eq!(of("token.claims.iat").says, "made at 2026-06-05T00:00:00Z");
    assert_eq!(of("token.claims.x-ms-runtime.nonce").value, "AQID");
    assert_eq!(of("token.signature").value.len(), 512);
    assert!(crate::token::show(Platform::Maa, b"a.b").is_err());
}

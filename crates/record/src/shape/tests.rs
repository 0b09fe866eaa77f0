use super::text::{is_digest, is_duration, is_subject, is_uri};

#[test]
fn a_digest_is_exact() {
    assert!(is_digest(&format!("sha256:{}", "a0".repeat(32))));
    assert!(is_digest(&format!("sha384:{}", "0f".repeat(48))));
    for wrong in [
        format!("sha256:{}\n", "a0".repeat(32)),
        format!("sha256:{}", "A0".repeat(32)),
        format!("sha384:{}", "a0".repeat(32)),
        format!("sha512:{}", "a0".repeat(64)),
        "a0".repeat(32),
    ] {
        assert!(!is_digest(&wrong), "{wrong:?}");
    }
}

#[test]
fn a_subject_is_complete_only_behind_its_prefix() {
    for right in [
        "spiffe://trust.example.org/gateway/g1",
        "spiffe://x//",
        "did:web:acme.example",
        "did:key:z6Mk",
    ] {
        assert!(is_subject(right), "{right}");
    }
    for wrong in [
        "spiffe://trust.example.org",
        "spiffe://trust.example.org/",
        "spiffe:///path",
        "did:web:",
        "did:Web:x",
        "did::x",
        "https://x/y",
        "spiffe://x/y\n",
        "spiffe://x/y\u{2028}",
    ] {
        assert!(!is_subject(wrong), "{wrong:?}");
    }
}

#[test]
fn a_duration_has_its_parts_in_order() {
    for right in [
        "P1W", "P1Y", "P1Y2M3D", "P1M", "P1YT2S", "PT1H2S", "PT0S", "P10D",
    ] {
        assert!(is_duration(right), "{right}");
    }
    for wrong in [
        "", "P", "PT", "P1", "1Y", "P1D2M", "P1W1D", "PT1D", "P1YT", "P-1Y", "P1.5Y", "p1y",
        "P1Y\n",
    ] {
        assert!(!is_duration(wrong), "{wrong:?}");
    }
}

#[test]
fn a_uri_follows_the_grammar() {
    for right in [
        "https://verifier.example/v1",
        "urn:a:b",
        "a:",
        "https://[::1]:8443/x?y#z",
        "https://[v1.x:]/",
        "http://u:p@h:/",
        "x:/",
        "x://",
        "mailto:a@b.example",
        "https://h/%20",
    ] {
        assert!(is_uri(right), "{right}");
    }
    for wrong in [
        "self",
        "",
        "://x",
        "1a:b",
        "https://h/a b",
        "https://h/%2",
        "https://h/\u{e9}",
        "https://[::1/",
        "https://[::g]/",
        "https://h:8a/",
        "https://a@b@c/",
        "x:a#b#c",
        "x:y\n",
    ] {
        assert!(!is_uri(wrong), "{wrong:?}");
    }
}

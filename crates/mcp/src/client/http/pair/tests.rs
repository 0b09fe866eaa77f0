use super::*;
use crate::tls::TlsPin;

fn within(base: &str, named: &str) -> Option<String> {
    let target = HttpTarget::parse(base, TlsPin::WebPki).unwrap();
    target.within(named).map(|path| path.to_string())
}

#[test]
fn an_endpoint_is_a_place_of_the_server_s_own() {
    let base = "http://h.example:81/api/sse?k=1";
    for (named, path) in [
        ("/messages/?sessionId=a", "/messages/?sessionId=a"),
        ("messages?sessionId=a", "/api/messages?sessionId=a"),
        ("?sessionId=a", "/api/sse?sessionId=a"),
        ("http://h.example:81/m?s=a", "/m?s=a"),
        ("http://H.EXAMPLE:81/m", "/m"),
    ] {
        assert_eq!(within(base, named).as_deref(), Some(path), "{named}");
    }
    assert_eq!(
        within("https://h.example/", "https://h.example:443/m").as_deref(),
        Some("/m")
    );
}

#[test]
fn f18_an_endpoint_elsewhere_is_refused() {
    let base = "http://h.example:81/api/sse";
    for named in [
        "",
        "//evil.example/m",
        "http://evil.example:81/m",
        "http://h.example:82/m",
        "http://h.example/m",
        "https://h.example:81/m",
        "http://u:p@h.example:81/m",
        "http://h.example:81@evil.example/m",
        "ftp://h.example:81/m",
        "/a/../admin",
        "../admin",
        "/m\r\nHost: evil",
        "/m space",
    ] {
        assert_eq!(within(base, named), None, "{named}");
    }
}

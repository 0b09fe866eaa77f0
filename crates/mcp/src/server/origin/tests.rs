use http::{HeaderMap, HeaderValue, StatusCode, header};

use super::{Allowed, Host, Origin, SiteError, check};

fn request(host: Option<&str>, origin: Option<&str>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    if let Some(host) = host {
        headers.insert(header::HOST, HeaderValue::from_str(host).unwrap());
    }
    if let Some(origin) = origin {
        headers.insert(header::ORIGIN, HeaderValue::from_str(origin).unwrap());
    }
    headers
}

fn passes(host: Option<&str>, origin: Option<&str>, allowed: &Allowed) -> bool {
    match check(&request(host, origin), allowed) {
        Ok(()) => true,
        Err(rejection) => {
            assert_eq!(rejection.status, StatusCode::FORBIDDEN);
            false
        }
    }
}

fn site() -> Allowed {
    Allowed::new(
        [
            "gateway.example".parse().unwrap(),
            "Fixed.Example:8443".parse().unwrap(),
        ],
        ["https://app.example".parse().unwrap()],
    )
}

#[test]
fn f01_a_host_that_is_not_allowed_is_403_on_loopback_too() {
    let loopback = Allowed::loopback();
    for host in [
        "evil.example",
        "evil.example:8443",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "localhost@evil.example",
        "evil.example#localhost",
        "localhost.",
        "127.0.0.2",
        "[::2]",
        "[::1",
        "::1",
        "localhost:",
        "localhost:-",
        "localhost:+80",
        "localhost:port",
        "localhost:99999",
        "localhost:80:80",
        "",
    ] {
        assert!(!passes(Some(host), None, &loopback), "{host}");
    }
    assert!(!passes(None, None, &loopback));
}

#[test]
fn f01_loopback_names_pass_in_every_case_with_any_port() {
    for host in [
        "localhost",
        "LocalHost:9000",
        "127.0.0.1:1",
        "[::1]",
        "[::1]:8443",
        "[0:0:0:0:0:0:0:1]:80",
    ] {
        assert!(passes(Some(host), None, &Allowed::loopback()), "{host}");
    }
}

#[test]
fn f01_two_host_headers_are_refused() {
    let mut headers = request(Some("localhost"), None);
    headers.append(header::HOST, HeaderValue::from_static("localhost"));
    assert!(check(&headers, &Allowed::loopback()).is_err());
}

#[test]
fn f01_a_configured_port_is_the_only_one() {
    assert!(passes(Some("fixed.example:8443"), None, &site()));
    assert!(!passes(Some("fixed.example:8444"), None, &site()));
    assert!(!passes(Some("fixed.example"), None, &site()));
    assert!(passes(Some("GATEWAY.example:1234"), None, &site()));
}

#[test]
fn f02_an_origin_that_is_not_allowed_is_403_and_null_is_none_of_ours() {
    let host = Some("gateway.example");
    for origin in [
        "null",
        "",
        "https://evil.example",
        "https://app.example.evil.example",
        "http://app.example",
        "https://app.example:444",
        "https://app.example/",
        "https://app.example, https://evil.example",
        "https://user@app.example",
        "file://",
        "app.example",
    ] {
        assert!(!passes(host, Some(origin), &site()), "{origin}");
    }
    assert!(!passes(
        Some("localhost"),
        Some("null"),
        &Allowed::loopback()
    ));
}

#[test]
fn f02_an_allowed_origin_passes_in_every_case_and_with_its_default_port_spelled_out() {
    for origin in [
        "https://app.example",
        "HTTPS://App.Example",
        "https://app.example:443",
    ] {
        assert!(
            passes(Some("gateway.example"), Some(origin), &site()),
            "{origin}"
        );
    }
}

#[test]
fn f02_a_page_of_the_same_host_and_port_passes_and_of_another_port_does_not() {
    let loopback = Allowed::loopback();
    assert!(passes(
        Some("localhost:8443"),
        Some("http://localhost:8443"),
        &loopback
    ));
    assert!(passes(
        Some("[::1]:8443"),
        Some("http://[::1]:8443"),
        &loopback
    ));
    assert!(passes(
        Some("localhost"),
        Some("http://localhost"),
        &loopback
    ));
    assert!(!passes(
        Some("localhost:8443"),
        Some("http://localhost:3000"),
        &loopback
    ));
    assert!(!passes(
        Some("localhost:8443"),
        Some("http://localhost"),
        &loopback
    ));
    assert!(!passes(
        Some("localhost:8443"),
        Some("http://127.0.0.1:8443"),
        &loopback
    ));
}

#[test]
fn f02_two_origin_headers_are_refused() {
    let mut headers = request(Some("gateway.example"), Some("https://app.example"));
    headers.append(
        header::ORIGIN,
        HeaderValue::from_static("https://app.example"),
    );
    assert!(check(&headers, &site()).is_err());
}

#[test]
fn the_refusal_is_json_rpc_without_id_and_echoes_nothing() {
    let rejection = check(&request(Some("evil.example"), None), &site()).unwrap_err();
    assert_eq!(
        rejection.body,
        r#"{"jsonrpc":"2.0","error":{"code":-31009,"message":"this server is not reached under that host name; add it to the allowed hosts if it should be","data":{"error_code":"HOST_NOT_ALLOWED"}}}"#
    );
}

#[test]
fn a_site_that_cannot_be_meant_is_a_configuration_error() {
    assert_eq!("a b".parse::<Host>(), Err(SiteError::Host("a b".into())));
    assert_eq!("*".parse::<Host>(), Err(SiteError::Host("*".into())));
    assert_eq!(
        "null".parse::<Origin>(),
        Err(SiteError::Origin("null".into()))
    );
    assert_eq!(
        "[::1]:8443".parse::<Host>().unwrap().to_string(),
        "[::1]:8443"
    );
}

#[test]
fn sites_add_up() {
    let both = Allowed::loopback().and(site());
    assert!(passes(Some("localhost"), None, &both));
    assert!(passes(
        Some("gateway.example"),
        Some("https://app.example"),
        &both
    ));
}

use super::*;

fn url(text: &str) -> Url {
    text.parse().unwrap()
}

#[test]
fn a_url_of_a_document_is_https_or_on_this_machine() {
    let refused: [(&str, UrlError); 25] = [
        ("", UrlError::Malformed),
        ("idp.example", UrlError::Malformed),
        ("/keys", UrlError::Malformed),
        ("file:///etc/passwd", UrlError::Malformed),
        ("ftp://idp.example/keys", UrlError::Scheme),
        ("javascript:alert(1)", UrlError::Malformed),
        ("gopher://idp.example/keys", UrlError::Scheme),
        ("http://idp.example/keys", UrlError::Plain),
        ("http://10.0.0.1/keys", UrlError::Plain),
        ("http://169.254.169.254/latest", UrlError::Plain),
        ("http://localhost.idp.example/", UrlError::Plain),
        ("https://user@idp.example/keys", UrlError::UserInfo),
        ("https://idp.example@evil.example/", UrlError::UserInfo),
        ("https://idp.example/keys#top", UrlError::Fragment),
        ("https://idp.example/a b", UrlError::Malformed),
        ("https://idp.example/`id`", UrlError::Malformed),
        ("https://idp.example/\"|calc", UrlError::Malformed),
        ("https://idp.example\\@evil.example/", UrlError::Malformed),
        ("https://idp.example\r\nX: y/", UrlError::Malformed),
        ("https://2130706433/", UrlError::Host),
        ("https://0x7f.1/", UrlError::Host),
        ("https://a..b/", UrlError::Host),
        ("https://idp.example:99999/", UrlError::Malformed),
        ("https://idp.example:/", UrlError::Malformed),
        ("https://[::1]:x/", UrlError::Malformed),
    ];
    for (text, error) in refused {
        assert_eq!(text.parse::<Url>(), Err(error), "{text:?}");
    }
    for text in [
        "https://idp.example",
        "https://idp.example:8443/realms/a?b=c",
        "https://[2001:db8::1]/keys",
        "http://127.0.0.1:9000/keys",
        "http://[::1]/keys",
        "http://LOCALHOST:80",
    ] {
        assert!(text.parse::<Url>().is_ok(), "{text}");
    }
}

#[test]
fn a_url_keeps_its_bytes_and_tells_its_parts() {
    let one = url("https://IDP.example:443/realms/a/?x=1");
    assert_eq!(one.as_str(), "https://IDP.example:443/realms/a/?x=1");
    assert_eq!(one.origin(), "https://idp.example");
    assert_eq!(one.place(), "https://idp.example/realms/a");
    assert_eq!((one.path(), one.has_query()), ("/realms/a", true));
    assert_eq!(
        one.at("/keys").unwrap().as_str(),
        "https://idp.example/keys"
    );
    let two = url("http://[::1]:9000");
    assert_eq!((two.host(), two.port(), two.path()), ("::1", 9000, ""));
    assert_eq!(two.origin(), "http://[::1]:9000");
    assert!(two.same_origin(&url("http://[::1]:9000/a")));
    assert!(!two.same_origin(&url("http://[::1]:9001")));
    assert!(!url("https://a.example").same_origin(&url("https://a.example:444")));
}

#[test]
fn f18_a_private_address_is_reached_only_where_configuration_names_it() {
    let listed = Listed::hosts(["IDP.internal".to_owned()])
        .and(&url("http://127.0.0.1:9000/issuer"))
        .and(&url("https://name.example/issuer"));
    for (text, reach) in [
        ("https://idp.internal/keys", Reach::Private),
        ("https://idp.internal:8443/keys", Reach::Private),
        ("http://127.0.0.1:9000/keys", Reach::Private),
        ("http://127.0.0.1:9001/keys", Reach::Public),
        ("http://127.0.0.2:9000/keys", Reach::Public),
        ("http://localhost:9000/keys", Reach::Public),
        ("https://10.0.0.1/keys", Reach::Public),
        // A name that is configured still has to lead to a public address.
        ("https://name.example/keys", Reach::Public),
    ] {
        assert_eq!(listed.reach(&url(text)), reach, "{text}");
    }
}

#[test]
fn a_form_is_encoded_byte_by_byte_and_never_shown() {
    let form = Form::new()
        .with("scope", "a b")
        .with("client_secret", "ä&=+%\n");
    assert_eq!(form.0, "scope=a+b&client_secret=%C3%A4%26%3D%2B%25%0A");
    assert_eq!(format!("{form:?}"), "Form(..)");
}

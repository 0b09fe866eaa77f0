use super::*;

fn parse(url: &str) -> Result<HttpTarget, TargetError> {
    HttpTarget::parse(url, TlsPin::WebPki)
}

#[test]
fn a_url_becomes_what_the_request_needs() {
    let target = parse("https://Example.com/mcp?key=secret").unwrap();
    assert_eq!(
        (target.host.as_str(), target.port, target.path.to_string()),
        ("Example.com", 443, "/mcp?key=secret".to_owned())
    );
    assert_eq!(target.authority, "Example.com");
    assert_eq!(target.endpoint(), "https://Example.com/mcp", "no query");
    let target = parse("http://[::1]:8080").unwrap();
    assert_eq!(
        (target.host.as_str(), target.port, target.path.to_string()),
        ("::1", 8080, "/".to_owned())
    );
    assert_eq!(target.authority, "[::1]:8080");
}

#[test]
fn what_is_no_target_is_told_apart() {
    assert_eq!(parse("ftp://h/").unwrap_err(), TargetError::Scheme);
    assert_eq!(
        parse("file:///etc/passwd").unwrap_err(),
        TargetError::Malformed
    );
    assert_eq!(parse("/mcp").unwrap_err(), TargetError::Scheme);
    assert_eq!(
        parse("https://user:pw@h/").unwrap_err(),
        TargetError::UserInfo
    );
    assert_eq!(parse("https://h h/").unwrap_err(), TargetError::Malformed);
    assert_eq!(
        parse("https://a_b..c/").unwrap_err(),
        TargetError::Host {
            host: "a_b..c".to_owned()
        }
    );
}

#[test]
fn f18_a_name_reaches_public_addresses_only_unless_it_is_an_address_itself() {
    assert_eq!(
        parse("http://tools.internal/").unwrap().reach,
        Reach::Public
    );
    assert_eq!(parse("http://localhost:1/").unwrap().reach, Reach::Private);
    assert_eq!(parse("http://10.1.2.3/").unwrap().reach, Reach::Private);
}

#[test]
fn f18_addresses_are_public_private_or_nobody_s() {
    let admitted = |address: &str| {
        let address = address.parse().unwrap();
        (
            Reach::Public.admits(address),
            Reach::Private.admits(address),
        )
    };
    for public in [
        "8.8.8.8",
        "2606:4700::1",
        "::ffff:1.1.1.1",
        "64:ff9b::808:808",
    ] {
        assert_eq!(admitted(public), (true, true), "{public}");
    }
    for private in [
        "127.0.0.1",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "198.18.0.1",
        "::1",
        "fd00::1",
        "::ffff:127.0.0.1",
        "::127.0.0.1",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
        "fec0::1",
    ] {
        assert_eq!(admitted(private), (false, true), "{private}");
    }
    for forbidden in [
        "169.254.169.254",
        "::ffff:169.254.169.254",
        "0.0.0.0",
        "255.255.255.255",
        "224.0.0.1",
        "fe80::1",
        "ff02::1",
        "::",
        "fd00:ec2::254",
        "100.100.100.200",
        "64:ff9b::a9fe:a9fe",
        "240.0.0.1",
    ] {
        assert_eq!(admitted(forbidden), (false, false), "{forbidden}");
    }
}

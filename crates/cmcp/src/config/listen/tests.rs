use std::net::SocketAddr;

use cmcp_gateway::{Listen, TokenHash};

use super::{Credentials, Danger, RawListen, Stage, fallback, parse};
use crate::config::fault::Fault;

fn listen(
    addr: &str,
    credentials: Credentials,
    stage: Stage,
    dangers: &[Danger],
) -> Result<Listen, Fault> {
    let addr: SocketAddr = addr.parse().unwrap();
    RawListen {
        addr,
        credentials,
        stage,
        dangers,
    }
    .try_into()
}

fn token() -> Credentials {
    Credentials::Tokens {
        shared: Some(TokenHash::of(b"t")),
    }
}

#[test]
fn loopback_needs_neither_token_nor_danger() {
    for addr in [
        "127.0.0.1:1",
        "127.9.9.9:1",
        "[::1]:1",
        "[::ffff:127.0.0.1]:1",
    ] {
        let local = listen(addr, Credentials::None, Stage::Development, &[]);
        assert!(matches!(local, Ok(Listen::Local { .. })), "{addr}");
        assert!(matches!(
            listen(addr, token(), Stage::Production, &[]),
            Ok(Listen::Authenticated { .. })
        ));
    }
}

#[test]
fn beyond_loopback_a_token_is_needed_whatever_is_dangerous() {
    let addr = "0.0.0.0:8443";
    let dangers = [Danger::PlainHttp, Danger::SoftwareEvidence];
    let fault = Fault::TokenlessBeyondLoopback {
        addr: addr.to_owned(),
    };
    assert_eq!(
        listen(addr, Credentials::None, Stage::Development, &dangers).unwrap_err(),
        fault
    );
}

#[test]
fn beyond_loopback_plain_http_is_asked_for_by_name() {
    let addr = "[::]:8443";
    let fault = Fault::PlainHttp {
        addr: addr.to_owned(),
    };
    assert_eq!(
        listen(addr, token(), Stage::Production, &[]).unwrap_err(),
        fault
    );
    assert!(listen(addr, token(), Stage::Production, &[Danger::PlainHttp]).is_ok());
}

#[test]
fn the_environment_alone_weakens_nothing_beyond_loopback() {
    let addr = "10.0.0.1:8443";
    let fault = Fault::DevelopmentBeyondLoopback {
        addr: addr.to_owned(),
    };
    assert_eq!(
        listen(addr, token(), Stage::Development, &[Danger::PlainHttp]).unwrap_err(),
        fault
    );
    let both = [Danger::PlainHttp, Danger::SoftwareEvidence];
    assert!(listen(addr, token(), Stage::Development, &both).is_ok());
}

#[test]
fn addresses() {
    for (text, expected) in [
        ("127.0.0.1:18443", "127.0.0.1:18443"),
        (" 0.0.0.0:8443 ", "0.0.0.0:8443"),
        ("localhost:80", "127.0.0.1:80"),
        ("[::1]:9", "[::1]:9"),
    ] {
        assert_eq!(
            parse(text).map(|addr| addr.to_string()).as_deref(),
            Some(expected)
        );
    }
    for text in [
        "",
        "8443",
        "127.0.0.1",
        "::1:80",
        "[::1]",
        "gateway.example:80",
        "1.2.3.4:99999",
    ] {
        assert_eq!(parse(text), None, "{text}");
    }
    assert_eq!(
        fallback(Stage::Development, Credentials::None).to_string(),
        "127.0.0.1:8443"
    );
    assert_eq!(
        fallback(Stage::Development, token()).to_string(),
        "0.0.0.0:8443"
    );
    assert_eq!(
        fallback(Stage::Production, Credentials::ToCome).to_string(),
        "0.0.0.0:8443"
    );
}

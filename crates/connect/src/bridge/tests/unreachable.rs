//! Gateways that cannot be reached, or are none.

use std::sync::Arc;

use tokio::net::TcpListener;
use tokio_rustls::{TlsAcceptor, rustls};

use super::*;

async fn at(path: &str) -> (Gateway, Host) {
    let gateway = Gateway::start().await;
    let host = Host::start(&gateway.url.replace("/mcp", path));
    (gateway, host)
}

#[tokio::test]
async fn an_unreachable_gateway_is_an_error_for_that_request_and_the_next_one_tries_again() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let mut host = Host::start(&format!("http://127.0.0.1:{port}"));
    for id in ["1", "\"two\""] {
        let reply = host.ask(&call(id, "echo")).await;
        assert!(
            reply.starts_with(&format!(r#"{{"jsonrpc":"2.0","id":{id},"#)),
            "{reply}"
        );
        let (code, message) = error_of(&reply);
        assert_eq!(code, -31010);
        assert_eq!(
            message,
            format!(
                "cMCP gateway http://127.0.0.1:{port}/mcp: connection refused; is it running, and is `--gateway-url` right?"
            )
        );
    }
    host.send(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#)
        .await;
    host.end().await;
}

#[tokio::test]
async fn a_refused_token_is_named_and_not_shown() {
    let (gateway, mut host) = at("/guarded").await;
    let reply = host.ask(&call("1", "echo")).await;
    let (code, message) = error_of(&reply);
    assert_eq!(code, -31010);
    assert!(
        message.contains("HTTP 401 (MISSING_BEARER_TOKEN)"),
        "{message}"
    );
    assert!(message.contains("--token-env"), "{message}");
    assert!(!reply.contains(SECRET));
    drop(gateway);
}

#[tokio::test]
async fn a_page_of_html_is_not_passed_on() {
    let (_gateway, mut host) = at("/html").await;
    let (code, message) = error_of(&host.ask(&call("1", "echo")).await);
    assert_eq!(code, -31010);
    assert!(message.ends_with("answered HTTP 502"), "{message}");
}

#[tokio::test]
async fn a_redirection_is_not_followed() {
    let (gateway, mut host) = at("/elsewhere").await;
    let (_, message) = error_of(&host.ask(&call("1", "echo")).await);
    assert!(
        message.contains("HTTP 302; redirections are not followed"),
        "{message}"
    );
    assert_eq!(gateway.seen().len(), 1);
}

#[tokio::test]
async fn an_answer_to_another_request_is_no_answer() {
    let (_gateway, mut host) = at("/wrong-id").await;
    let reply = host.ask(&call("1", "echo")).await;
    assert!(
        reply.starts_with(r#"{"jsonrpc":"2.0","id":1,"error""#),
        "{reply}"
    );
    assert!(
        error_of(&reply)
            .1
            .contains("gave no answer to this request")
    );
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_is_refused_before_the_token_is_sent() {
    let certificate = include_bytes!("self-signed.crt.der").to_vec().into();
    let key =
        rustls::pki_types::PrivatePkcs8KeyDer::from(include_bytes!("self-signed.key.der").to_vec());
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key.into())
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        acceptor.accept(stream).await.is_ok()
    });
    let mut host = Host::start(&format!("https://localhost:{port}/mcp"));
    let (code, message) = error_of(&host.ask(&call("1", "echo")).await);
    assert_eq!(code, -31010);
    assert!(
        message.contains("the TLS handshake failed: invalid peer certificate"),
        "{message}"
    );
    assert!(!server.await.unwrap(), "the handshake went through");
}

//! TLS, and what ties an upstream to what was approved. The certificate is self-signed and nobody
//! issued it: only a pin can make it acceptable.

use std::sync::Arc;

use cmcp_mcp::{
    Server, UpstreamError,
    client::{HttpClient, HttpTarget, Identity, TargetError, Timing},
    tls::{TlsError, TlsPin},
    upstream::{ConnectFault, EvidenceClass},
};
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer},
    server::ParsedCertificate,
};
use sha2::{Digest, Sha256};
use tokio_rustls::TlsAcceptor;

use super::support::{Fake, ask, call, modern, result};

const CERTIFICATE: &[u8] = include_bytes!("../fixtures/server.crt.der");
const KEY: &[u8] = include_bytes!("../fixtures/server.key.der");

async fn server(versions: &[&'static rustls::SupportedProtocolVersion]) -> Fake {
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(KEY));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![CertificateDer::from(CERTIFICATE)], key)
        .unwrap();
    let tls = Some(TlsAcceptor::from(Arc::new(config)));
    Fake::with_tls(|r| modern(r, |r| result(r, "{}")), tls).await
}

fn client(fake: &Fake, pin: TlsPin) -> HttpClient {
    let target = HttpTarget::parse(&format!("https://{}/mcp", fake.address), pin).unwrap();
    HttpClient::new(target, Timing::default(), Identity::default()).unwrap()
}

fn certificate_pin() -> [u8; 32] {
    Sha256::digest(CERTIFICATE).into()
}

fn key_pin() -> [u8; 32] {
    let certificate = CertificateDer::from(CERTIFICATE);
    let key = ParsedCertificate::try_from(&certificate)
        .unwrap()
        .subject_public_key_info();
    Sha256::digest(&key).into()
}

#[tokio::test]
async fn f20_the_pinned_certificate_or_key_is_accepted() {
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let fake = server(&[version]).await;
        for pin in [
            TlsPin::Certificate(certificate_pin()),
            TlsPin::Key(key_pin()),
        ] {
            let client = client(&fake, pin);
            ask(&client, call("echo")).await.unwrap();
            assert_eq!(client.observed().evidence, EvidenceClass::TlsPinned);
        }
    }
}

#[tokio::test]
async fn f20_another_certificate_or_key_is_refused_before_a_byte_is_sent() {
    let fake = server(rustls::ALL_VERSIONS).await;
    let (mut certificate, mut key) = (certificate_pin(), key_pin());
    certificate[31] ^= 1;
    key[0] ^= 1;
    let wrong = [
        TlsPin::Certificate(certificate),
        TlsPin::Key(key),
        TlsPin::Certificate(key_pin()),
    ];
    for pin in wrong {
        let error = ask(&client(&fake, pin), call("echo")).await.unwrap_err();
        assert!(
            matches!(
                &error,
                UpstreamError::Connect {
                    cause: ConnectFault::Pin,
                    ..
                }
            ),
            "{error:?}"
        );
        assert!(!error.sent());
    }
    assert!(fake.methods().is_empty());
}

#[tokio::test]
async fn a_certificate_that_nobody_issued_is_refused_without_a_pin() {
    let fake = server(rustls::ALL_VERSIONS).await;
    let error = ask(&client(&fake, TlsPin::WebPki), call("echo"))
        .await
        .unwrap_err();
    assert!(
        matches!(
            &error,
            UpstreamError::Connect {
                cause: ConnectFault::Tls(_),
                ..
            }
        ),
        "{error:?}"
    );
    assert!(fake.methods().is_empty());
}

#[test]
fn f20_a_placeholder_is_no_pin_and_a_pin_needs_tls() {
    for byte in [0, 0xaa, 0xff] {
        for pin in [TlsPin::Certificate([byte; 32]), TlsPin::Key([byte; 32])] {
            let target = HttpTarget::parse("https://example.com/mcp", pin).unwrap();
            let refused =
                HttpClient::new(target, Timing::default(), Identity::default()).unwrap_err();
            assert_eq!(refused, TargetError::Tls(TlsError::Placeholder));
        }
    }
    let refused = HttpTarget::parse("http://example.com/mcp", TlsPin::Key(key_pin())).unwrap_err();
    assert_eq!(refused, TargetError::PinWithoutTls);
}

#[tokio::test]
async fn a_server_without_tls_is_no_answer_to_a_pinned_client() {
    let fake = Fake::start(|r| modern(r, |r| result(r, "{}"))).await;
    let client = client(&fake, TlsPin::Key(key_pin()));
    let error = ask(&client, call("echo")).await.unwrap_err();
    assert!(matches!(error, UpstreamError::Connect { .. }), "{error:?}");
}

//! TLS toward upstreams: Mozilla's roots compiled in, or one pinned certificate or key.

use std::{fmt, sync::Arc};

use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{
        CryptoProvider, WebPkiSupportedAlgorithms, aws_lc_rs, verify_tls12_signature,
        verify_tls13_signature,
    },
    pki_types::{CertificateDer, ServerName, UnixTime},
    server::ParsedCertificate,
};
use sha2::{Digest, Sha256};

/// What a server's certificate is held against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsPin {
    /// The public web's roots, with name and validity.
    WebPki,
    /// This certificate and no other: SHA-256 over its DER. Who issued it, for which name and
    /// until when does not matter, since the pin says more.
    Certificate([u8; 32]),
    /// This key and no other: SHA-256 over the certificate's `SubjectPublicKeyInfo`.
    Key([u8; 32]),
}

impl TlsPin {
    /// Whether the connection is tied to one server, not to whoever holds a certificate.
    #[must_use]
    pub fn is_pinned(&self) -> bool {
        match self {
            Self::WebPki => false,
            Self::Certificate(_) | Self::Key(_) => true,
        }
    }
}

/// Why no TLS configuration came about.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum TlsError {
    /// All bytes of the pin are the same: somebody left the example's value in place.
    #[error(
        "the TLS pin is a placeholder; replace it with the digest of the server's certificate or key"
    )]
    Placeholder,
    /// The library refuses its own defaults.
    #[error("TLS is not available: {0}")]
    Provider(Error),
}

/// The client side of TLS 1.2 and 1.3 for one upstream.
///
/// # Errors
/// [`TlsError`].
pub fn client_config(pin: TlsPin) -> Result<Arc<ClientConfig>, TlsError> {
    let provider = Arc::new(provider());
    let algorithms = provider.signature_verification_algorithms;
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Provider)?;
    let mut config = match pin {
        TlsPin::WebPki => {
            let roots = RootCertStore {
                roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
            };
            builder.with_root_certificates(roots).with_no_client_auth()
        }
        TlsPin::Certificate(digest) | TlsPin::Key(digest) => {
            if digest.iter().all(|byte| Some(byte) == digest.first()) {
                return Err(TlsError::Placeholder);
            }
            let verifier = Arc::new(PinVerifier { pin, algorithms });
            builder
                .dangerous()
                .with_custom_certificate_verifier(verifier)
                .with_no_client_auth()
        }
    };
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// aws-lc-rs with the post-quantum hybrid first, so that it is offered in the first flight.
fn provider() -> CryptoProvider {
    CryptoProvider {
        kx_groups: vec![
            aws_lc_rs::kx_group::X25519MLKEM768,
            aws_lc_rs::kx_group::X25519,
            aws_lc_rs::kx_group::SECP256R1,
            aws_lc_rs::kx_group::SECP384R1,
        ],
        ..aws_lc_rs::default_provider()
    }
}

struct PinVerifier {
    pin: TlsPin,
    algorithms: WebPkiSupportedAlgorithms,
}

impl PinVerifier {
    fn matches(&self, certificate: &CertificateDer<'_>) -> Result<bool, Error> {
        let (expected, actual) = match self.pin {
            // Never built with it: see `client_config`.
            TlsPin::WebPki => return Ok(false),
            TlsPin::Certificate(digest) => (digest, Sha256::digest(certificate)),
            TlsPin::Key(digest) => {
                let key = ParsedCertificate::try_from(certificate)?.subject_public_key_info();
                (digest, Sha256::digest(&key))
            }
        };
        Ok(actual.as_slice() == expected)
    }
}

impl fmt::Debug for PinVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PinVerifier")
            .field("pin", &self.pin)
            .finish_non_exhaustive()
    }
}

impl ServerCertVerifier for PinVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if self.matches(end_entity)? {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(pin_mismatch())
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// What a handshake fails with when the pin does not match.
pub(crate) fn pin_mismatch() -> Error {
    Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure)
}

#[cfg(test)]
mod tests;

use super::*;

#[test]
fn the_post_quantum_hybrid_is_offered_first() {
    let config = client_config(TlsPin::WebPki).unwrap();
    let first = config.crypto_provider().kx_groups.first().unwrap().name();
    assert_eq!(first, rustls::NamedGroup::X25519MLKEM768);
}

#[test]
fn a_placeholder_is_no_pin() {
    assert_eq!(
        client_config(TlsPin::Key([0; 32])).unwrap_err(),
        TlsError::Placeholder
    );
    assert_eq!(
        client_config(TlsPin::Certificate([7; 32])).unwrap_err(),
        TlsError::Placeholder
    );
}

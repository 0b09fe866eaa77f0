//! Forges certificates, revocation lists and tokens under keys of its own, with any field broken that a
//! test wants broken.
//!
//! It writes DER by itself and uses nothing of this crate, so a parser's mistake cannot hide in it. A test
//! outside of the crate includes the same file:
//!
//! ```text
//! #[path = "../src/forge.rs"]
//! mod forge;
//! ```
//!
//! Everything is deterministic: ECDSA keys come from a seed, RSA keys from fixed primes, and nonces and
//! salts from what is signed. RSA keys are made once in a process and cost milliseconds to sign with; where
//! the kind of key is not the point, use P-384.

#[path = "forge/certificate.rs"]
mod certificate;
#[path = "forge/der.rs"]
pub(crate) mod der;
#[path = "forge/key.rs"]
mod key;
#[path = "forge/primes.rs"]
mod primes;

pub(crate) use certificate::{Authority, Cert, Crl, name, pem};
pub(crate) use key::{Alg, Key, rsa_spki};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// base64url without padding.
pub(crate) fn b64u(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A compact JWS over a header and a payload, as they are written.
pub(crate) fn jws(header: &str, payload: &str, alg: Alg, key: &Key) -> String {
    let input = format!("{}.{}", b64u(header), b64u(payload));
    let signature = key.sign_fixed(alg, input.as_bytes());
    format!("{input}.{}", b64u(signature))
}

#[cfg(test)]
#[path = "forge/tests.rs"]
mod tests;

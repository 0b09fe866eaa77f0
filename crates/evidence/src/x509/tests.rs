mod certificate;
mod chain;
mod crl;
mod vectors;

use super::*;
use crate::forge::{Alg, Authority, Cert, Key};

fn at(time: &str) -> Timestamp {
    Timestamp::parse_rfc3339(time).unwrap()
}

fn read(der: &[u8]) -> Certificate {
    Certificate::from_der(der).unwrap()
}

/// A root that signs with ECDSA, for tests in which the algorithm is not the point.
fn root() -> Authority {
    Authority::root("root", Key::p256("root"), Alg::EcdsaSha256)
}

const NOW: &str = "2026-06-05T00:00:00Z";

fn root_certificate() -> Certificate {
    read(&root().der)
}

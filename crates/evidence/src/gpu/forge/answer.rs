//! Status answers with any content, signed.

use super::{rim_issuer, rim_root, serial_of};
use crate::{
    Sha256Digest, Sha384Digest,
    forge::{Alg, Authority, Cert, Key, der, name},
};

/// Good answers for the certificates of forged manifests.
pub(crate) fn rim_answers() -> Vec<Vec<u8>> {
    let issuer = rim_issuer();
    vec![
        Answer::of(b"rim leaf", &issuer).signed(),
        Answer::of(&serial_of(&issuer.name), &rim_root()).signed(),
    ]
}

/// A status answer before it is signed: good, from April to June, signed by a responder of the issuer.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) issuer: Authority,
    pub(crate) serial: Vec<u8>,
    pub(crate) hash: &'static str,
    pub(crate) status: Vec<u8>,
    pub(crate) from: String,
    pub(crate) until: Option<String>,
    /// Who signs: none is the issuer itself.
    pub(crate) responder: Option<Cert>,
    pub(crate) key: Key,
    pub(crate) alg: Alg,
    /// The outermost status.
    pub(crate) code: u8,
}

impl Answer {
    /// A good one about a serial number.
    pub(crate) fn of(serial: &[u8], issuer: &Authority) -> Self {
        let key = Key::p384("responder");
        Self {
            issuer: issuer.clone(),
            serial: serial.to_vec(),
            hash: "2.16.840.1.101.3.4.2.1",
            status: good(),
            from: "2026-04-01T00:00:00Z".to_owned(),
            until: Some("2026-06-01T00:00:00Z".to_owned()),
            responder: Some(responder(&key)),
            key,
            alg: Alg::EcdsaSha384,
            code: 0,
        }
    }

    /// Signed, DER.
    pub(crate) fn signed(&self) -> Vec<u8> {
        let hashed = |bytes: &[u8]| match self.hash {
            "1.3.14.3.2.26" => <sha1::Sha1 as sha1::Digest>::digest(bytes).to_vec(),
            "2.16.840.1.101.3.4.2.2" => Sha384Digest::of(bytes).as_bytes().to_vec(),
            _ => Sha256Digest::of(bytes).as_bytes().to_vec(),
        };
        let identifier = der::sequence(&[
            der::sequence(&[der::oid(self.hash), der::null()]),
            der::octets(hashed(&name(&self.issuer.name))),
            der::octets(hashed(&self.issuer.key.point())),
            der::element(2, &self.serial),
        ]);
        let mut single = vec![identifier, self.status.clone(), time(&self.from)];
        single.extend(
            self.until
                .as_ref()
                .map(|until| der::explicit(0, time(until))),
        );
        let (signer, certificates) = match &self.responder {
            None => (name(&self.issuer.name), Vec::new()),
            Some(responder) => {
                let certificate = self.issuer.issue(responder.clone());
                (name("test responder"), vec![certificate])
            }
        };
        let data = der::sequence(&[
            der::explicit(1, signer),
            time("2026-04-01T00:00:00Z"),
            der::sequence(&[der::sequence(&single)]),
        ]);
        let key = match &self.responder {
            None => &self.issuer.key,
            Some(_) => &self.key,
        };
        let mut basic = vec![
            data.clone(),
            self.alg.identifier(),
            der::bits(key.sign(self.alg, &data)),
        ];
        if !certificates.is_empty() {
            basic.push(der::explicit(0, der::sequence(&certificates)));
        }
        wrapped(self.code, "1.3.6.1.5.5.7.48.1.1", &der::sequence(&basic))
    }
}

/// An answer around a basic one.
pub(crate) fn wrapped(code: u8, kind: &str, basic: &[u8]) -> Vec<u8> {
    let typed = der::sequence(&[der::oid(kind), der::octets(basic)]);
    der::sequence(&[der::element(0x0a, [code]), der::explicit(0, typed)])
}

/// A responder's certificate before it is issued.
pub(crate) fn responder(key: &Key) -> Cert {
    Cert::new("test responder", key)
        .serial(b"responder")
        .key_usage(0x80)
        .purposes(&["1.3.6.1.5.5.7.3.9"])
}

pub(crate) fn good() -> Vec<u8> {
    der::element(0x80, [])
}

pub(crate) fn unknown() -> Vec<u8> {
    der::element(0x82, [])
}

pub(crate) fn revoked() -> Vec<u8> {
    der::explicit(1, time("2026-04-20T00:00:00Z"))
}

fn time(rfc3339: &str) -> Vec<u8> {
    let digits: String = rfc3339.chars().filter(char::is_ascii_digit).collect();
    der::element(0x18, format!("{digits}Z"))
}

//! Answers of certificate status responders (OCSP, RFC 6960): signed by the issuer, or by a responder that
//! it certified for this.

use sha1::Digest as _;

use crate::{
    Sha256Digest, Sha384Digest, Timestamp,
    reader::Malformed,
    x509::{
        self, Certificate, ChainRules, Scheme, SignatureBytes,
        der::{self, Der, Element},
    },
};

/// Why an answer does not settle a certificate's status.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum OcspError {
    /// Not DER, or not an answer.
    #[error("status answer: {0}")]
    Malformed(#[from] Malformed),
    /// The responder gave none.
    #[error("status answer: the responder answered with error {status}")]
    Status {
        /// Its number.
        status: u8,
    },
    /// Another kind of answer.
    #[error("status answer: `{oid}` is not a basic answer")]
    Kind {
        /// Its object identifier.
        oid: String,
    },
    /// Nobody who may sign it did.
    #[error("status answer: {0}")]
    Signer(String),
    /// Of another time.
    #[error("status answer: it holds from {from} until {until}, and not at {at}")]
    Time {
        /// From when.
        from: Timestamp,
        /// Until when; the year 1 where it does not say.
        until: Timestamp,
        /// The time it is judged at.
        at: Timestamp,
    },
    /// The certificate is revoked.
    #[error("{subject} was revoked at {since}")]
    Revoked {
        /// The certificate.
        subject: String,
        /// Since when.
        since: Timestamp,
    },
    /// The responder does not know the certificate.
    #[error("status answer: the responder does not know {subject}")]
    Unknown {
        /// The certificate.
        subject: String,
    },
}

/// What an answer says of one certificate.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Said {
    Good,
    Unknown,
    Revoked(Timestamp),
}

/// An answer as it came: nothing of it is believed before [`Answer::status`].
#[derive(Clone, Debug)]
pub struct Answer<'a> {
    responses: Vec<Response<'a>>,
    responder: Element<'a>,
    signed: &'a [u8],
    scheme: Scheme,
    signature: &'a [u8],
    certificates: Vec<Certificate>,
}

#[derive(Clone, Debug)]
struct Response<'a> {
    hash: String,
    issuer_name: &'a [u8],
    issuer_key: &'a [u8],
    serial: &'a [u8],
    said: Said,
    from: Timestamp,
    until: Option<Timestamp>,
}

impl<'a> Answer<'a> {
    /// Reads an answer that is the whole of `bytes`.
    ///
    /// # Errors
    ///
    /// The first thing in it that is not as it has to be.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, OcspError> {
        if bytes.len() > MAX_ANSWER {
            let expected = format!("at most {MAX_ANSWER} bytes");
            return Err(Malformed::new("status answer", 0, expected, bytes.len()).into());
        }
        let basic = unwrap(bytes)?;
        let mut outer = Der::new(basic);
        let mut fields = outer.sequence("basic answer")?;
        outer.end("basic answer")?;
        let data = fields.expect("answer data", der::SEQUENCE)?;
        let mut algorithm = fields.sequence("answer algorithm")?;
        let scheme = scheme(&algorithm.oid("answer algorithm")?)?;
        algorithm.end("answer algorithm")?;
        let signature = fields.bytes_of_bits("answer signature")?;
        let certificates = certificates(&mut fields)?;
        fields.end("basic answer")?;
        let (responder, responses) = responses(data)?;
        Ok(Self {
            responses,
            responder,
            signed: data.whole,
            scheme,
            signature,
            certificates,
        })
    }

    /// Whether it is about a certificate.
    #[must_use]
    pub fn is_about(&self, certificate: &Certificate, issuer: &Certificate) -> bool {
        self.about(certificate, issuer).is_some()
    }

    /// Until when the certificate is known to be good.
    ///
    /// # Errors
    ///
    /// It is not: the answer says so, is of another time, or is not signed by the issuer or for it.
    pub fn status(
        &self,
        certificate: &Certificate,
        issuer: &Certificate,
        at: Timestamp,
    ) -> Result<Timestamp, OcspError> {
        let subject = || certificate.name();
        let signer_end = self.signer(issuer, at)?;
        let Some(response) = self.about(certificate, issuer) else {
            return Err(OcspError::Unknown { subject: subject() });
        };
        // A revocation is not undone, so it counts at any time.
        if let Said::Revoked(since) = response.said {
            let subject = subject();
            return Err(OcspError::Revoked { subject, since });
        }
        let from = response.from;
        let until = response.until.unwrap_or(Timestamp::MIN);
        if at < from || at >= until {
            return Err(OcspError::Time { from, until, at });
        }
        match response.said {
            Said::Good => Ok(until.min(signer_end)),
            Said::Unknown | Said::Revoked(_) => Err(OcspError::Unknown { subject: subject() }),
        }
    }

    // Where it says several things of one certificate, the worst counts.
    fn about(&self, certificate: &Certificate, issuer: &Certificate) -> Option<&Response<'a>> {
        let about = self.responses.iter().filter(|response| {
            let digest = |bytes: &[u8]| digest(&response.hash, bytes);
            response.serial == certificate.serial()
                && digest(issuer.subject()).as_deref() == Some(response.issuer_name)
                && key_bytes(issuer).and_then(digest).as_deref() == Some(response.issuer_key)
        });
        about.max_by_key(|response| response.said)
    }

    // The issuer, or one that it certified for nothing but this and that is valid (RFC 6960, section 4.2.2.2).
    fn signer(&self, issuer: &Certificate, at: Timestamp) -> Result<Timestamp, OcspError> {
        let is_responder = |certificate: &Certificate| self.is_named(certificate);
        if is_responder(issuer) {
            return self.verify(issuer).map(|()| issuer.not_after());
        }
        let delegate = self.certificates.iter().find(|known| is_responder(known));
        let Some(delegate) = delegate else {
            let found = "signed by nobody whose certificate is in it".to_owned();
            return Err(OcspError::Signer(found));
        };
        let purposes = delegate.extended_key_usages();
        if !purposes.iter().any(|purpose| purpose == OCSP_SIGNING) {
            let found = format!("{} is not certified to sign it", delegate.name());
            return Err(OcspError::Signer(found));
        }
        x509::verify_chain(
            delegate,
            &[],
            std::slice::from_ref(issuer),
            &ChainRules::at(at),
        )
        .map_err(|error| OcspError::Signer(error.to_string()))?;
        self.verify(delegate).map(|()| delegate.not_after())
    }

    fn is_named(&self, certificate: &Certificate) -> bool {
        let inside = self.responder.value;
        if self.responder.tag == der::context(1) {
            return inside == certificate.subject();
        }
        let hash = key_bytes(certificate).map(sha1);
        let octets = Der::new(inside).expect("responder", der::OCTET_STRING);
        match (hash, octets) {
            (Some(hash), Ok(octets)) => octets.value == hash.as_slice(),
            (_, _) => false,
        }
    }

    fn verify(&self, signer: &Certificate) -> Result<(), OcspError> {
        let fault = |error: String| OcspError::Signer(error);
        let key = signer.key().map_err(|error| fault(error.to_string()))?;
        let signature = SignatureBytes::Der(self.signature);
        key.verify(self.scheme, self.signed, signature)
            .map_err(|error| fault(error.to_string()))
    }
}

fn unwrap(bytes: &[u8]) -> Result<&[u8], OcspError> {
    let mut outer = Der::new(bytes);
    let mut answer = outer.sequence("status answer")?;
    outer.end("status answer")?;
    let status = answer.expect("answer status", der::ENUMERATED)?;
    if status.value != [0] {
        let status = status.value.last().copied().unwrap_or_default();
        return Err(OcspError::Status { status });
    }
    let mut explicit = answer.expect("answer bytes", der::context(0))?.inside();
    answer.end("status answer")?;
    let mut typed = explicit.sequence("answer bytes")?;
    explicit.end("answer bytes")?;
    let oid = typed.oid("answer type")?;
    if oid != BASIC {
        return Err(OcspError::Kind { oid });
    }
    let basic = typed.expect("answer bytes", der::OCTET_STRING)?;
    typed.end("answer bytes")?;
    Ok(basic.value)
}

fn scheme(oid: &str) -> Result<Scheme, OcspError> {
    match oid {
        "1.2.840.10045.4.3.2" => Ok(Scheme::EcdsaSha256),
        "1.2.840.10045.4.3.3" => Ok(Scheme::EcdsaSha384),
        other => Err(OcspError::Signer(format!(
            "signed with `{other}`; ECDSA with SHA-256 or SHA-384 is taken"
        ))),
    }
}

fn certificates(fields: &mut Der<'_>) -> Result<Vec<Certificate>, OcspError> {
    let Some(explicit) = fields.optional("answer certificates", der::context(0))? else {
        return Ok(Vec::new());
    };
    let mut outer = explicit.inside();
    let mut list = outer.sequence("answer certificates")?;
    outer.end("answer certificates")?;
    let mut certificates = Vec::new();
    while !list.is_done() {
        let element = list.any("answer certificates")?;
        if certificates.len() >= MAX_CERTIFICATES {
            let found = "more";
            return Err(
                Malformed::new("answer certificates", element.at, "at most 4", found).into(),
            );
        }
        let certificate = Certificate::from_der(element.whole)
            .map_err(|error| OcspError::Signer(error.to_string()))?;
        certificates.push(certificate);
    }
    Ok(certificates)
}

fn responses<'a>(data: Element<'a>) -> Result<(Element<'a>, Vec<Response<'a>>), OcspError> {
    let mut fields = data.inside();
    if let Some(version) = fields.optional("answer version", der::context(0))? {
        let mut inside = version.inside();
        if inside.number("answer version")? != 0 {
            return Err(Malformed::new("answer version", version.at, "1", "another").into());
        }
        inside.end("answer version")?;
    }
    let responder = fields.any("responder")?;
    if ![der::context(1), der::context(2)].contains(&responder.tag) {
        let found = format!("tag {:#04x}", responder.tag);
        return Err(Malformed::new("responder", responder.at, "a name or a key", found).into());
    }
    fields.time("produced at")?;
    let mut list = fields.sequence("answers")?;
    fields.optional("answer extensions", der::context(1))?;
    fields.end("answer data")?;
    let mut responses = Vec::new();
    while !list.is_done() {
        let at = list.at();
        if responses.len() >= MAX_RESPONSES {
            return Err(Malformed::new("answers", at, "at most 64", "more").into());
        }
        responses.push(response(list.sequence("answer")?)?);
    }
    Ok((responder, responses))
}

fn response(mut fields: Der<'_>) -> Result<Response<'_>, OcspError> {
    let mut identifier = fields.sequence("certificate identifier")?;
    let mut algorithm = identifier.sequence("identifier digest")?;
    let hash = algorithm.oid("identifier digest")?;
    algorithm.optional("identifier digest", der::NULL)?;
    algorithm.end("identifier digest")?;
    let issuer_name = identifier.expect("issuer name", der::OCTET_STRING)?.value;
    let issuer_key = identifier.expect("issuer key", der::OCTET_STRING)?.value;
    let serial = identifier.integer("serial number")?;
    identifier.end("certificate identifier")?;
    let said = said(&mut fields)?;
    let from = fields.time("this update")?;
    let until = match fields.optional("next update", der::context(0))? {
        None => None,
        Some(next) => {
            let mut inside = next.inside();
            let until = inside.time("next update")?;
            inside.end("next update")?;
            Some(until)
        }
    };
    fields.optional("answer extensions", der::context(1))?;
    fields.end("answer")?;
    Ok(Response {
        hash,
        issuer_name,
        issuer_key,
        serial,
        said,
        from,
        until,
    })
}

fn said(fields: &mut Der<'_>) -> Result<Said, OcspError> {
    let status = fields.any("certificate status")?;
    if status.tag == der::implicit(0) && status.value.is_empty() {
        return Ok(Said::Good);
    }
    if status.tag == der::implicit(2) && status.value.is_empty() {
        return Ok(Said::Unknown);
    }
    if status.tag == der::context(1) {
        return Ok(Said::Revoked(status.inside().time("revocation time")?));
    }
    let found = format!("tag {:#04x}", status.tag);
    let expected = "good, revoked or unknown";
    Err(Malformed::new("certificate status", status.at, expected, found).into())
}

// The bits of the public key, without the algorithm before them.
fn key_bytes(certificate: &Certificate) -> Option<&[u8]> {
    let mut info = Der::new(certificate.spki()).sequence("key").ok()?;
    info.expect("key", der::SEQUENCE).ok()?;
    info.bytes_of_bits("key").ok()
}

fn digest(oid: &str, bytes: &[u8]) -> Option<Vec<u8>> {
    match oid {
        "1.3.14.3.2.26" => Some(sha1(bytes)),
        "2.16.840.1.101.3.4.2.1" => Some(Sha256Digest::of(bytes).as_bytes().to_vec()),
        "2.16.840.1.101.3.4.2.2" => Some(Sha384Digest::of(bytes).as_bytes().to_vec()),
        _ => None,
    }
}

// Names a certificate, and protects nothing: the serial number and the signature do.
fn sha1(bytes: &[u8]) -> Vec<u8> {
    sha1::Sha1::digest(bytes).to_vec()
}

const BASIC: &str = "1.3.6.1.5.5.7.48.1.1";
const OCSP_SIGNING: &str = "1.3.6.1.5.5.7.3.9";
const MAX_ANSWER: usize = 64 << 10;
const MAX_CERTIFICATES: usize = 4;
const MAX_RESPONSES: usize = 64;

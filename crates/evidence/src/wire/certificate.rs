//! Certificates that carry evidence of the key they are for.

mod dice;
mod legacy;

pub use legacy::Legacy;

use crate::{
    AttestationResult, Binding, Endorsements, Evidence, Input, Platform, Preimage, ReferenceValues,
    ReportData, Timestamp, Unbound,
    appraise::appraise_after,
    cbor::CborError,
    check::{Checks, checks},
    policy::Freshness,
    reader::Malformed,
    result::{About, Proved},
    wire::{
        cmw::{Cmw, CmwError, Kind},
        collateral::CollateralError,
        own::{MEDIA_TYPE, Own, OwnError},
    },
    x509::{CertError, Certificate},
};

/// Evidence with what its report data is a digest of: what a certificate's extension and the messages of a
/// connection hold.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Claimed {
    /// The evidence.
    pub evidence: Evidence,
    /// The claims-buffer, as it came.
    pub claims: Vec<u8>,
    /// What came with it.
    pub endorsements: Endorsements,
}

/// A certificate and the evidence it carries: read, and nothing in it believed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Carrier {
    /// The certificate.
    pub certificate: Certificate,
    /// The evidence.
    pub evidence: Evidence,
    /// What came with it in the certificate.
    pub endorsements: Endorsements,
    /// Where it was found.
    pub form: Form,
}

/// Where a certificate carries evidence.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Form {
    /// The interoperable extension, or a wrapper with our type: both bind by a claims-buffer.
    Claims(Vec<u8>),
    /// An extension of one issuer.
    Legacy(Legacy),
}

/// Why no evidence was read from a certificate or message.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum CarrierError {
    /// The certificate cannot be read.
    #[error(transparent)]
    Certificate(#[from] CertError),
    /// No extension with evidence.
    #[error("the certificate carries no evidence")]
    Absent,
    /// No interoperable extension, and an older one that was not named.
    #[error("evidence in the extension of {found} alone, and reading that was not allowed by name")]
    Unnamed {
        /// Whose.
        found: &'static str,
    },
    /// An extension that binds no key.
    #[error("evidence in the Intel SGX SDK's extension alone, which binds no key")]
    BindsNothing,
    /// Two extensions with evidence.
    #[error("two extensions with evidence: which of them is meant cannot be told")]
    Two,
    /// Not the CBOR that is read here.
    #[error("evidence extension: {0}")]
    Cbor(#[from] CborError),
    /// Another tag than that of a quote.
    #[error("evidence extension: tag {tag}; only 60000, a quote, is read")]
    Tag {
        /// The tag.
        tag: u64,
    },
    /// Not a tagged array of the right items.
    #[error("evidence extension: {place} is {found}, and must be {expected}")]
    Shape {
        /// Which item.
        place: &'static str,
        /// What it has to be.
        expected: &'static str,
        /// What it is.
        found: &'static str,
    },
    /// A quote of no known kind.
    #[error(transparent)]
    Quote(#[from] Malformed),
    /// A wrapper that cannot be read.
    #[error("evidence extension: {0}")]
    Cmw(#[from] CmwError),
    /// A wrapper with another type, or with several messages.
    #[error("evidence extension: a wrapper with {found}; one record `{MEDIA_TYPE}` is read")]
    Wrapped {
        /// What it holds.
        found: String,
    },
    /// Our own type, which cannot be read.
    #[error("evidence extension: {0}")]
    Own(#[from] OwnError),
    /// Endorsements that cannot be read.
    #[error("endorsement extension: {0}")]
    Collateral(#[from] CollateralError),
}

/// How the certificate itself has to be signed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Issuer {
    /// By its own key.
    Itself,
    /// By an authority whose chain the caller has checked.
    Checked,
}

/// What a certificate is appraised for.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// What came beside the certificate.
    pub endorsements: &'a Endorsements,
    /// How it has to be signed.
    pub issuer: Issuer,
    /// What is accepted.
    pub policy: &'a ReferenceValues,
    /// The time at which it is judged.
    pub at: Timestamp,
}

checks! {
    /// What is checked of a certificate before its evidence.
    ALL:
    KEY = "certificate.key", "the evidence was made for the certificate's key",
        "take the certificate from whoever made the evidence";
    SIGNATURE = "certificate.signature", "the certificate is signed by its own key, or by an authority that was checked",
        "take the certificate as it was issued";
    VALIDITY = "certificate.validity", "the certificate is valid at the time of judgement",
        "take a certificate that is valid, or judge at a time when this was";
    CRITICAL = "certificate.critical", "no critical extension is unknown",
        "issue the certificate without the extension";
    FRESH = "certificate.fresh", "a certificate binds a key and not a moment, and policy takes that",
        "ask for evidence of the connection, or decide `freshness: unproven`";
}

impl Carrier {
    /// Reads a certificate, DER, and the evidence in it. Extensions are walked; exactly one may carry
    /// evidence. Older extensions are read only where there is no other and they are named.
    ///
    /// # Errors
    ///
    /// The certificate cannot be read, or carries none, or two.
    pub fn read(der: &[u8], legacy: &[Legacy]) -> Result<Self, CarrierError> {
        let certificate = Certificate::from_der(der)?;
        let claimed = match (certificate.extension(DICE), certificate.extension(CMW)) {
            (Some(_), Some(_)) => return Err(CarrierError::Two),
            (Some(value), None) => {
                let endorsements = certificate.extension(ENDORSEMENTS);
                Some(dice::read(value, endorsements.unwrap_or_default())?)
            }
            (None, Some(value)) => Some(wrapped(Cmw::from_extension(value)?)?),
            (None, None) => None,
        };
        let Some(claimed) = claimed else {
            return legacy::read(certificate, legacy);
        };
        Ok(Self {
            certificate,
            evidence: claimed.evidence,
            endorsements: claimed.endorsements,
            form: Form::Claims(claimed.claims),
        })
    }

    /// The 64 bytes that the evidence has to carry to be of this certificate's key.
    ///
    /// # Errors
    ///
    /// The claims-buffer states another key, none, or a connection's.
    pub fn report_data(&self) -> Result<ReportData, Unbound> {
        let spki = self.certificate.spki();
        match &self.form {
            Form::Claims(claims) => Preimage::Certificate { spki }.accepts(Some(claims)),
            Form::Legacy(legacy) => Ok(legacy.report_data(spki)),
        }
    }

    /// Judges the certificate and the evidence in it.
    #[must_use]
    pub fn appraise(&self, question: &Question<'_>) -> AttestationResult {
        let mut checks = Checks::new();
        let mut proved = Proved::default();
        checks.require(ALL);
        let data = checks.take(
            &KEY,
            self.report_data(),
            "evidence of the certificate's key",
        );
        self.judge(question, &mut checks, &mut proved);
        let binding = data.map_or(Binding::Unknown, Binding::ReportData);
        let endorsements = self.endorsements.clone().and(question.endorsements);
        let input = Input {
            evidence: &self.evidence,
            endorsements: &endorsements,
            binding: &binding,
            policy: question.policy,
            at: question.at,
        };
        appraise_after(&input, checks, proved)
    }

    fn judge(&self, question: &Question<'_>, checks: &mut Checks, proved: &mut Proved) {
        let (certificate, at) = (&self.certificate, question.at);
        match question.issuer {
            Issuer::Checked => {
                checks.not_applicable(&SIGNATURE, "the caller checked who issued it");
            }
            Issuer::Itself => {
                let signed = certificate.verify_signed_by(certificate);
                checks.take(&SIGNATURE, signed, "a signature by its own key");
            }
        }
        let (from, to) = (certificate.not_before(), certificate.not_after());
        checks.expect(
            &VALIDITY,
            from <= at && at <= to,
            format_args!("a certificate that is valid at {at}"),
            format_args!("valid from {from} to {to}"),
        );
        proved.until(to);
        let critical = certificate.unknown_critical();
        checks.expect(&CRITICAL, critical.is_empty(), "none", critical.join(", "));
        checks.expect(
            &FRESH,
            question.policy.freshness == Freshness::Unproven,
            "evidence of the connection",
            "evidence of a certificate",
        );
        proved.claim(
            About::Who,
            "certificate-key",
            crate::Sha256Digest::of(certificate.spki()),
        );
        if let Form::Legacy(legacy) = &self.form {
            proved.note(format!(
                "the evidence was read from the extension of {}, which has no claims-buffer",
                legacy.as_str()
            ));
        }
    }
}

impl Claimed {
    /// Reads what a message of a connection holds: the content of the interoperable extension, or a wrapper's
    /// record with our type.
    ///
    /// # Errors
    ///
    /// It is neither.
    pub fn read(bytes: &[u8]) -> Result<Self, CarrierError> {
        match bytes.first() {
            Some(0xd9) => dice::read(bytes, &[]),
            Some(_) | None => wrapped(Cmw::from_cbor(bytes)?),
        }
    }

    /// Writes it as a message or extension holds it: SGX and TDX quotes in the interoperable form, others in a
    /// wrapper. Endorsements but certificates are left out.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        match dice::write(self) {
            Some(bytes) => bytes,
            None => {
                let own = Own {
                    evidence: self.evidence.clone(),
                    claims: self.claims.clone(),
                    certificates: self.endorsements.certificates.clone(),
                };
                Cmw::Record(own.record()).to_cbor()
            }
        }
    }
}

fn wrapped(cmw: Cmw) -> Result<Claimed, CarrierError> {
    let found = match cmw {
        Cmw::Record(record) => match &record.kind {
            Kind::Media(kind) if kind == MEDIA_TYPE => {
                if record.purpose.is_some_and(|purpose| !purpose.is_evidence()) {
                    return Err(CarrierError::Wrapped {
                        found: "a record that is not said to be evidence".to_owned(),
                    });
                }
                let own = Own::decode(&record.value)?;
                return Ok(Claimed {
                    endorsements: own.endorsements(),
                    evidence: own.evidence,
                    claims: own.claims,
                });
            }
            kind @ (Kind::Media(_) | Kind::ContentFormat(_)) => format!("a record `{kind}`"),
        },
        Cmw::Collection(collection) => format!("a collection of {}", collection.entries.len()),
    };
    Err(CarrierError::Wrapped { found })
}

/// Which platform a quote of Intel's is of.
pub(super) fn quote_platform(quote: &[u8]) -> Result<Platform, Malformed> {
    let mut reader = crate::reader::Reader::new(quote);
    let version = reader.u16_le("quote.version")?;
    reader.u16_le("quote.att_key_type")?;
    let at = reader.at();
    match (version, reader.u32_le("quote.tee_type")?) {
        (_, 0) => Ok(Platform::Sgx),
        (_, 0x81) => Ok(Platform::Tdx),
        (_, other) => Err(Malformed::new(
            "quote.tee_type",
            at,
            "0 (SGX) or 0x81 (TDX)",
            format_args!("{other:#x}"),
        )),
    }
}

const DICE: &str = "2.23.133.5.4.9";
const ENDORSEMENTS: &str = "2.23.133.5.4.2";
const CMW: &str = "1.3.6.1.5.5.7.1.35";

#[cfg(test)]
mod tests;

//! What reference values say of the evidence that a record or claim carries.
//!
//! It is judged apart from the document, and handed to the verification as a finished result: a build that only
//! verifies records links no verifier of evidence.

use cmcp_evidence::{
    AttestationResult, Binding, Commitment, Endorsements, Evidence, Input, Part, Platform,
    Preimage, ReferenceValues, ReportData, Sha256Digest, Status, Timestamp, appraise, b64,
    check::Outcome,
    dcap::{self, Body},
    reader::Malformed,
    snp,
};
use cmcp_json::Value;

use super::report::{Check, Field};
use super::{Parsed, Pin, read};
use crate::code::Code;
use crate::trust_record::{KeyError, RecordError, read_key};

/// By what a document's evidence is judged.
#[derive(Clone, Debug)]
pub struct Asked<'a> {
    /// Which evidence is accepted.
    pub reference_values: &'a ReferenceValues,
    /// What vouches for it.
    pub endorsements: &'a Endorsements,
    /// What a record's producer says that its evidence commits to; see [`super::Sidecar`].
    pub commitment: Pin<Commitment>,
    /// The time it is judged at.
    pub at: Timestamp,
}

/// Why a document's evidence was not judged.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NotAppraised {
    /// It is no document that can be read.
    #[error(transparent)]
    Document(#[from] RecordError),
    /// It carries no evidence, or names evidence that lies elsewhere.
    #[error("it carries no evidence")]
    Nothing,
    /// It carries evidence of a kind that is not read here.
    #[error("evidence `{format}` is not read here; a TDX quote and an SEV-SNP report are")]
    Unsupported {
        /// What it says it is.
        format: String,
    },
    /// Its evidence is not base64url.
    #[error("its evidence is {0}")]
    Encoding(#[from] b64::B64Error),
    /// Its evidence is not what it says it is.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// It names no key that evidence could commit to.
    #[error(transparent)]
    Key(#[from] KeyError),
}

/// What became of the evidence in one document. Only [`Appraisal::judge`] makes one.
#[derive(Clone, Debug)]
pub struct Appraisal {
    of: Sha256Digest,
    measurement: Vec<u8>,
    report_data: ReportData,
    commitment: Pin<Commitment>,
    result: AttestationResult,
}

impl Appraisal {
    /// Judges the evidence in a record or claim. Nothing else in the document is believed for it, and nothing
    /// in it is verified: that is what the verification does with the result.
    ///
    /// # Errors
    ///
    /// There is no evidence to judge.
    pub fn judge(document: &[u8], asked: &Asked<'_>) -> Result<Self, NotAppraised> {
        let (evidence, binding) = carried(document, &asked.commitment)?;
        let (measurement, report_data) = stated(&evidence)?;
        let result = appraise(&Input {
            evidence: &evidence,
            endorsements: asked.endorsements,
            binding: &binding,
            policy: asked.reference_values,
            at: asked.at,
        });
        let quote = evidence.parts().next().map(|(_, bytes)| bytes);
        Ok(Self {
            of: Sha256Digest::of(quote.unwrap_or_default()),
            measurement,
            report_data,
            commitment: asked.commitment.clone(),
            result,
        })
    }

    /// The evidence that would be judged: what endorses it may lie in it.
    ///
    /// # Errors
    ///
    /// There is none.
    pub fn evidence(document: &[u8]) -> Result<Evidence, NotAppraised> {
        carried(document, &Pin::NotPinned).map(|(evidence, _)| evidence)
    }

    /// Every check that was made.
    #[must_use]
    pub const fn result(&self) -> &AttestationResult {
        &self.result
    }

    /// Whether these bytes were judged.
    pub(super) fn is_of(&self, quote: &[u8]) -> bool {
        self.of == Sha256Digest::of(quote)
    }

    pub(super) fn platform(&self) -> Platform {
        self.result.platform
    }

    /// What the hardware measured.
    pub(super) fn measurement(&self) -> &[u8] {
        &self.measurement
    }

    pub(super) const fn report_data(&self) -> &ReportData {
        &self.report_data
    }

    pub(super) const fn commitment(&self) -> &Pin<Commitment> {
        &self.commitment
    }

    /// Whether all 64 bytes are those that were expected.
    pub(super) fn is_bound(&self) -> bool {
        let mut bindings = self
            .result
            .checks
            .iter()
            .filter(|checked| is_binding(checked.check.code));
        bindings
            .next()
            .is_some_and(|checked| checked.outcome == Outcome::Met)
    }

    /// Whether the reference values accept it, its binding and its measurement left to lines of their own.
    pub(super) fn hardware(&self) -> Check {
        let field = Field::HardwareAttestation;
        let mut against = Vec::new();
        for checked in self.result.failures() {
            let code = checked.check.code;
            if !is_binding(code) && !is_measurement(code) && !against.contains(&code) {
                against.push(code);
            }
        }
        if against.is_empty() && self.result.status != Status::None {
            let status = match self.result.status {
                Status::Warning => "but for what the reference values tolerate",
                Status::Affirming | Status::Contraindicated | Status::None => "all of it",
            };
            return Check::pass(field)
                .actual(format_args!("accepted by the reference values, {status}"));
        }
        Check::fail(field, Code::EvidenceRefused)
            .expected("evidence that the reference values accept")
            .actual(against.join(", "))
            .remedy("`cmcp evidence verify` says of each what was found and what to do")
    }

    /// Whether the measurement is one that the reference values name.
    pub(super) fn launch(&self) -> Check {
        let field = Field::LaunchMeasurement;
        let failed = self
            .result
            .failures()
            .find(|checked| is_measurement(checked.check.code));
        match failed.map(|checked| &checked.outcome) {
            None => {
                let name = self.result.claim("measurement-name");
                Check::pass(field).actual(name.unwrap_or("named by the reference values"))
            }
            Some(Outcome::Failed { expected, actual }) => {
                Check::fail(field, Code::MeasurementMismatch)
                    .expected(expected)
                    .actual(actual)
            }
            Some(
                Outcome::Met
                | Outcome::NotApplicable { .. }
                | Outcome::NotDone
                | Outcome::Tolerated { .. },
            ) => Check::fail(field, Code::MeasurementMismatch)
                .expected("a measurement that the reference values name")
                .actual("none that could be compared"),
        }
    }
}

fn is_binding(code: &str) -> bool {
    code.ends_with(".binding")
}

fn is_measurement(code: &str) -> bool {
    code.ends_with(".measurement")
}

fn text<'a>(document: &'a Value, path: &[&str]) -> Option<&'a str> {
    let found = path
        .iter()
        .try_fold(document, |value, name| value.get(name));
    found.and_then(Value::as_str)
}

fn carried(
    document: &[u8],
    commitment: &Pin<Commitment>,
) -> Result<(Evidence, Binding), NotAppraised> {
    match read(document)? {
        Parsed::Record(record) => of_record(&record, commitment),
        Parsed::Claim(claim) => of_claim(&claim),
    }
}

fn of_record(
    record: &Value,
    commitment: &Pin<Commitment>,
) -> Result<(Evidence, Binding), NotAppraised> {
    let at = |name| text(record, &["runtime", "evidence", name]);
    let format = at("format").ok_or(NotAppraised::Nothing)?;
    let quote = b64::decode(at("quote").ok_or(NotAppraised::Nothing)?)?;
    let evidence = match format {
        "tdx-quote-v4" => Evidence::new(Platform::Tdx).with(Part::Quote, quote),
        "sev-snp-report-v2" => Evidence::new(Platform::Snp).with(Part::Report, quote),
        other => {
            let format = other.to_owned();
            return Err(NotAppraised::Unsupported { format });
        }
    };
    let binding = match commitment {
        Pin::NotPinned => Binding::Unknown,
        Pin::Pinned(commitment) => {
            let key = read_key(record.get("cnf").and_then(|cnf| cnf.get("jwk")))?;
            let key = &key;
            Binding::ReportData(Preimage::Record { key, commitment }.report_data())
        }
    };
    Ok((evidence, binding))
}

/// A claim says itself what its report data was: its key's thumbprint, and the hash of its log's first entry.
fn of_claim(claim: &Value) -> Result<(Evidence, Binding), NotAppraised> {
    let raw = text(claim, &["gateway", "attestation_evidence", "raw_evidence"]);
    let raw = b64::decode(raw.ok_or(NotAppraised::Nothing)?)?;
    let evidence = match text(claim, &["trace", "runtime", "platform"]) {
        Some("intel-tdx") => Evidence::new(Platform::Tdx).with(Part::Quote, raw),
        Some("amd-sev-snp") => Evidence::new(Platform::Snp).with(Part::Report, raw),
        other => {
            let format = other.unwrap_or_default().to_owned();
            return Err(NotAppraised::Unsupported { format });
        }
    };
    let nonce = text(claim, &["trace", "runtime", "nonce"]).map(b64::decode);
    let nonce = nonce
        .and_then(Result::ok)
        .and_then(|nonce| <[u8; 64]>::try_from(nonce).ok());
    let binding = match nonce {
        Some(nonce) => Binding::ReportData(ReportData::from_bytes(nonce)),
        None => Binding::Unknown,
    };
    Ok((evidence, binding))
}

/// Measurement and report data, as the evidence states them.
fn stated(evidence: &Evidence) -> Result<(Vec<u8>, ReportData), NotAppraised> {
    let (measurement, data) = if let Some(quote) = evidence.part(Part::Quote) {
        match dcap::parse(quote)?.body {
            Body::Domain(domain) => (domain.mrtd, domain.report_data),
            Body::Enclave(_) => {
                let format = "sgx-quote".to_owned();
                return Err(NotAppraised::Unsupported { format });
            }
        }
    } else {
        let report = snp::parse(evidence.part(Part::Report).unwrap_or_default())?;
        (report.measurement, report.report_data)
    };
    let mut bytes = [0; 64];
    for (byte, stated) in bytes.iter_mut().zip(data) {
        *byte = *stated;
    }
    Ok((measurement.to_vec(), ReportData::from_bytes(bytes)))
}

//! Says what a file of evidence is, by what stands in it and never by its name.

mod binary;
mod dstack;
mod json;
mod text;

use crate::{
    Collected, Endorsements, Evidence, Part, Platform,
    appraise::MAX_BYTES,
    reader::Malformed,
    wire::{
        certificate::{CarrierError, Claimed},
        cmw::CmwError,
        container::ContainerError,
        own::OwnError,
    },
    x509::PemError,
};

/// A format that evidence is kept in.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Format {
    /// The JSON envelope of attestation-rs: platform and evidence.
    AttestationRs,
    /// Azure vTPM evidence as JSON, version 1: trustee, attestation-rs.
    AzureVtpm,
    /// The same before it had versions: arrays of numbers.
    AzureVtpmUnversioned,
    /// A certificate with evidence in it.
    Certificate,
    /// The content of a certificate's evidence extension.
    Claimed,
    /// A conceptual message wrapper.
    Cmw,
    /// `cmcp-evidence/v1`.
    Container,
    /// dstack's attestation: a quote, report or document, and its own description behind it.
    DstackAttestation,
    /// dstack's answer to a request for a quote.
    DstackQuote,
    /// A list of NVIDIA's evidence of several devices.
    GpuList,
    /// An HCL report.
    HclReport,
    /// A compact JWS.
    Jws,
    /// A Nitro document.
    NitroDocument,
    /// NRAS's answer: a list of tokens.
    NrasAnswer,
    /// A result of NVIDIA's attestation SDK, with NRAS's answer in it.
    NvatResult,
    /// A trust record.
    TrustRecord,
    /// An SGX quote.
    SgxQuote,
    /// An SEV-SNP report.
    SnpReport,
    /// An SPDM measurement request with its response.
    SpdmMeasurements,
    /// A TDX quote.
    TdxQuote,
    /// A TPM's attestation structure alone.
    TpmsAttest,
    /// A TPM's quote as JSON: message, signature and PCR values.
    TpmQuote,
}

impl Format {
    /// What it is called in output.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AttestationRs => "attestation-rs evidence (JSON)",
            Self::AzureVtpm => "Azure vTPM evidence, version 1 (JSON)",
            Self::AzureVtpmUnversioned => "Azure vTPM evidence, unversioned (JSON)",
            Self::Certificate => "certificate with evidence",
            Self::Claimed => "evidence with its claims-buffer (CBOR, tag 60000)",
            Self::Cmw => "conceptual message wrapper",
            Self::Container => "cmcp-evidence/v1",
            Self::DstackAttestation => "dstack attestation",
            Self::DstackQuote => "dstack quote (JSON)",
            Self::GpuList => "NVIDIA GPU evidence (JSON list)",
            Self::HclReport => "Azure HCL report",
            Self::Jws => "JSON Web Signature",
            Self::NitroDocument => "AWS Nitro attestation document",
            Self::NrasAnswer => "NVIDIA attestation service's answer",
            Self::NvatResult => "NVIDIA attestation SDK's result",
            Self::TrustRecord => "TRACE trust record with evidence",
            Self::SgxQuote => "SGX quote",
            Self::SnpReport => "SEV-SNP report",
            Self::SpdmMeasurements => "SPDM measurements of an NVIDIA device",
            Self::TdxQuote => "TDX quote",
            Self::TpmsAttest => "TPMS_ATTEST without its signature",
            Self::TpmQuote => "TPM quote (JSON)",
        }
    }
}

/// A file that was recognised.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Recognised {
    /// What it is.
    pub format: Format,
    /// How it was written, where that is not the format's own way: base64, hexadecimal digits.
    pub encoding: Option<&'static str>,
    /// What it holds.
    pub content: Content,
    /// What was passed over, each in a sentence.
    pub notes: Vec<String>,
}

/// What a file holds.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Content {
    /// Evidence, and what came with it.
    Evidence(Collected),
    /// Evidence with the claims-buffer that binds it.
    Claimed(Claimed),
    /// A certificate, DER, with evidence in it: [`crate::wire::certificate::Carrier`] reads it.
    Certificate(Vec<u8>),
}

/// Why a file holds no evidence that is read here.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Unrecognised {
    /// Nothing.
    #[error("the file is empty")]
    Empty,
    /// More than is read.
    #[error("the file has {size} bytes, more than the {} that are read", MAX_FILE)]
    Large {
        /// How many.
        size: usize,
    },
    /// None of the formats.
    #[error("none of the formats of evidence: {why}")]
    Unknown {
        /// What was seen.
        why: String,
    },
    /// Something known that is not evidence.
    #[error("{what}, which is not evidence: {instead}")]
    NotEvidence {
        /// What it is.
        what: String,
        /// What to do with it.
        instead: &'static str,
    },
    /// A known format with something behind its end that is not zero.
    #[error("{format}, and {left} bytes behind its end that are not zero: give one piece of evidence", format = .format.as_str())]
    Trailing {
        /// The format.
        format: Format,
        /// How many bytes.
        left: usize,
    },
    /// A known format that cannot be read.
    #[error("{format}: {fault}", format = .format.as_str())]
    Broken {
        /// The format.
        format: Format,
        /// What is wrong with it.
        fault: Fault,
    },
}

/// What is wrong with a file of a known format.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Fault {
    /// A field of it.
    #[error(transparent)]
    Field(#[from] Malformed),
    /// A member of a JSON document.
    #[error("`{member}` must be {expected}")]
    Member {
        /// Which.
        member: String,
        /// What it has to be.
        expected: &'static str,
    },
    /// A container.
    #[error(transparent)]
    Container(#[from] ContainerError),
    /// A wrapper.
    #[error(transparent)]
    Cmw(#[from] CmwError),
    /// Our own type in a wrapper.
    #[error(transparent)]
    Own(#[from] OwnError),
    /// A certificate's evidence.
    #[error(transparent)]
    Carrier(#[from] CarrierError),
    /// PEM.
    #[error(transparent)]
    Pem(#[from] PemError),
    /// A wrapper without evidence that is read here.
    #[error("holds {found}; one record `{}` is read", crate::wire::own::MEDIA_TYPE)]
    Wrapped {
        /// The types it holds.
        found: String,
    },
}

/// Says what a file is, and takes its evidence out. One reading is tried, the one that the bytes announce.
///
/// # Errors
///
/// It is nothing that is known, not evidence, or not as its format has it.
pub fn recognise(bytes: &[u8]) -> Result<Recognised, Unrecognised> {
    match bytes.len() {
        0 => return Err(Unrecognised::Empty),
        size if size > MAX_FILE => return Err(Unrecognised::Large { size }),
        _ => {}
    }
    match binary::recognise(bytes) {
        Some(recognised) => recognised,
        None => text::recognise(bytes),
    }
}

/// Evidence of one part.
fn single(format: Format, platform: Platform, part: Part, bytes: &[u8]) -> Recognised {
    of(format, Evidence::new(platform).with(part, bytes))
}

/// Evidence without endorsements.
fn of(format: Format, evidence: Evidence) -> Recognised {
    with(format, evidence, Endorsements::default())
}

fn with(format: Format, evidence: Evidence, endorsements: Endorsements) -> Recognised {
    Recognised {
        format,
        encoding: None,
        content: Content::Evidence(Collected {
            evidence,
            endorsements,
        }),
        notes: Vec::new(),
    }
}

fn broken(format: Format, fault: impl Into<Fault>) -> Unrecognised {
    let fault = fault.into();
    Unrecognised::Broken { format, fault }
}

/// [`MAX_BYTES`] as hexadecimal digits or in JSON, and names.
const MAX_FILE: usize = MAX_BYTES.saturating_mul(2);

#[cfg(test)]
mod tests;

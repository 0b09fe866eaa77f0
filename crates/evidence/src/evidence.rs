//! Evidence, what endorses it, and the joint that it is collected through.

use crate::{Platform, ReportData, Sha256Digest};

/// A piece of evidence. A platform's evidence has few of them, each once; only GPUs repeat theirs.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Part {
    /// TPM: the attestation key, as `TPM2B_PUBLIC`, `TPMT_PUBLIC` or DER `SubjectPublicKeyInfo`.
    AkPublic,
    /// TPM: the signed `TPMS_ATTEST`.
    Attest,
    /// GPU: the certificates of a device, PEM, leaf first; as many as reports and in their order.
    Certificates,
    /// Nitro: the attestation document (COSE).
    Document,
    /// TPM, TDX: the boot event log (TCG2, or CCEL).
    EventLog,
    /// Azure: the paravisor's report.
    HclReport,
    /// TPM: the kernel's binary measurement list.
    ImaLog,
    /// TPM: the values of the quoted PCRs, concatenated in the order of the selection.
    Pcrs,
    /// SGX, TDX, Azure TDX: the quote.
    Quote,
    /// SNP, ACI: the attestation report. GPU: SPDM request, response and signature, one for each device.
    Report,
    /// ACI: what the report data is a digest of.
    RuntimeData,
    /// TPM: the signature over `Attest`, raw RSA or `TPMT_SIGNATURE`.
    Signature,
    /// Tokens: the compact JWS, or NRAS's JSON answer.
    Token,
}

impl Part {
    /// All of them, by name.
    pub const ALL: [Self; 13] = [
        Self::AkPublic,
        Self::Attest,
        Self::Certificates,
        Self::Document,
        Self::EventLog,
        Self::HclReport,
        Self::ImaLog,
        Self::Pcrs,
        Self::Quote,
        Self::Report,
        Self::RuntimeData,
        Self::Signature,
        Self::Token,
    ];

    /// Its name in the container.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AkPublic => "ak_public",
            Self::Attest => "attest",
            Self::Certificates => "certificates",
            Self::Document => "document",
            Self::EventLog => "event_log",
            Self::HclReport => "hcl_report",
            Self::ImaLog => "ima_log",
            Self::Pcrs => "pcrs",
            Self::Quote => "quote",
            Self::Report => "report",
            Self::RuntimeData => "runtime_data",
            Self::Signature => "signature",
            Self::Token => "token",
        }
    }
}

/// What a platform said about a program: nothing until it is appraised. The bytes are those that came.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Evidence {
    platform: Platform,
    parts: Vec<(Part, Vec<u8>)>,
}

impl Evidence {
    /// Evidence without any part.
    #[must_use]
    pub const fn new(platform: Platform) -> Self {
        let parts = Vec::new();
        Self { platform, parts }
    }

    /// With one more part.
    #[must_use]
    pub fn with(mut self, part: Part, bytes: impl Into<Vec<u8>>) -> Self {
        self.parts.push((part, bytes.into()));
        self
    }

    /// Who is said to have made it.
    #[must_use]
    pub const fn platform(&self) -> Platform {
        self.platform
    }

    /// A part that is there once; none if it is there twice.
    #[must_use]
    pub fn part(&self, part: Part) -> Option<&[u8]> {
        let mut found = self.all(part);
        match (found.next(), found.next()) {
            (Some(bytes), None) => Some(bytes),
            (None | Some(_), _) => None,
        }
    }

    /// Every part of a kind, in order.
    pub fn all(&self, part: Part) -> impl Iterator<Item = &[u8]> {
        let of_kind = self.parts.iter().filter(move |(kind, _)| *kind == part);
        of_kind.map(|(_, bytes)| bytes.as_slice())
    }

    /// All parts, in order.
    pub fn parts(&self) -> impl Iterator<Item = (Part, &[u8])> {
        self.parts
            .iter()
            .map(|(part, bytes)| (*part, bytes.as_slice()))
    }

    /// How many bytes its parts have.
    #[must_use]
    pub fn size(&self) -> usize {
        self.parts.iter().map(|(_, bytes)| bytes.len()).sum()
    }

    /// A digest over platform and parts; none where there are no bytes.
    #[must_use]
    pub fn digest(&self) -> Option<Sha256Digest> {
        if self.size() == 0 {
            return None;
        }
        if let [(_, only)] = self.parts.as_slice() {
            return Some(Sha256Digest::of(only));
        }
        let digests: Vec<Sha256Digest> = self
            .parts
            .iter()
            .map(|(part, bytes)| {
                Sha256Digest::of_parts(&[
                    part.as_str().as_bytes(),
                    b"\0",
                    Sha256Digest::of(bytes).as_bytes(),
                ])
            })
            .collect();
        let mut parts: Vec<&[u8]> = vec![b"cmcp/evidence/v1\0", self.platform.as_str().as_bytes()];
        parts.extend(digests.iter().map(|digest| digest.as_bytes().as_slice()));
        Some(Sha256Digest::of_parts(&parts))
    }
}

/// What vouches for evidence: certificates, revocation lists, collateral. It travels beside the evidence
/// and is not trusted for that: each is checked up to a root that policy names.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Endorsements {
    /// X.509 certificates, DER: leaf and intermediates in any order, roots ignored.
    pub certificates: Vec<Vec<u8>>,
    /// X.509 revocation lists, DER.
    pub crls: Vec<Vec<u8>>,
    /// Intel's collateral, each a JSON document of the members of `QuoteCollateralV3`.
    pub intel: Vec<Vec<u8>>,
    /// JSON Web Key Sets of token issuers; policy pins the keys.
    pub key_sets: Vec<Vec<u8>>,
    /// OCSP responses, DER.
    pub ocsp: Vec<Vec<u8>>,
    /// Container policies (Rego), decoded.
    pub policies: Vec<Vec<u8>>,
    /// NVIDIA's reference integrity manifests (SWID, XML).
    pub rims: Vec<Vec<u8>>,
    /// Endorsements of Azure's utility VM (COSE).
    pub uvm: Vec<Vec<u8>>,
}

impl Endorsements {
    /// These, and what came by another way.
    #[must_use]
    pub fn and(mut self, other: &Self) -> Self {
        let Self {
            certificates,
            crls,
            intel,
            key_sets,
            ocsp,
            policies,
            rims,
            uvm,
        } = &mut self;
        certificates.extend_from_slice(&other.certificates);
        crls.extend_from_slice(&other.crls);
        intel.extend_from_slice(&other.intel);
        key_sets.extend_from_slice(&other.key_sets);
        ocsp.extend_from_slice(&other.ocsp);
        policies.extend_from_slice(&other.policies);
        rims.extend_from_slice(&other.rims);
        uvm.extend_from_slice(&other.uvm);
        self
    }
}

/// Evidence and what was stapled to it when it was made.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Collected {
    /// The evidence.
    pub evidence: Evidence,
    /// What vouches for it.
    pub endorsements: Endorsements,
}

/// Why no evidence was collected.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum CollectError {
    /// The platform's device or service is not there.
    #[error("no {0} device to collect evidence from")]
    DeviceMissing(Platform),
    /// The platform's device or service refused or broke down.
    #[error("the {0} device did not give evidence")]
    DeviceFailed(Platform),
}

/// Whatever can speak for the machine that this program runs on.
pub trait Attester: Send + Sync {
    /// Which platform it speaks for.
    fn platform(&self) -> Platform;

    /// Has evidence made that carries these 64 bytes.
    ///
    /// # Errors
    ///
    /// The platform gave none.
    fn collect(&self, report_data: &ReportData) -> Result<Collected, CollectError>;
}

/// The attester of a machine without hardware to vouch for it. Its evidence is empty and proves
/// nothing: it exists so that a development gateway runs the same code and says what it is.
#[derive(Clone, Copy, Debug, Default)]
pub struct SoftwareAttester;

impl Attester for SoftwareAttester {
    fn platform(&self) -> Platform {
        Platform::Software
    }

    fn collect(&self, _report_data: &ReportData) -> Result<Collected, CollectError> {
        Ok(Collected {
            evidence: Evidence::new(Platform::Software),
            endorsements: Endorsements::default(),
        })
    }
}

#[cfg(test)]
mod tests;

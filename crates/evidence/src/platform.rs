use std::fmt;

use crate::ReportData;

/// Where a program runs, as far as attestation is concerned.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Platform {
    /// SEV-SNP behind Azure's paravisor and its vTPM.
    AzureSnp,
    /// Intel SGX.
    Sgx,
    /// AMD SEV-SNP.
    Snp,
    /// No hardware vouches for anything.
    Software,
    /// Intel TDX.
    Tdx,
    /// A TPM 2.0.
    Tpm,
}

impl Platform {
    /// The word for it in a TRACE record; TRACE has none for SGX, and another platform's is never borrowed.
    #[must_use]
    pub const fn trace_name(self) -> Option<&'static str> {
        match self {
            Self::AzureSnp => Some("azure-cvm-sev-snp"),
            Self::Sgx => None,
            Self::Snp => Some("amd-sev-snp"),
            Self::Software => Some("software-only"),
            Self::Tdx => Some("intel-tdx"),
            Self::Tpm => Some("tpm2"),
        }
    }

    /// Its name in configuration and in output.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AzureSnp => "azure-snp",
            Self::Sgx => "sgx",
            Self::Snp => "snp",
            Self::Software => "software",
            Self::Tdx => "tdx",
            Self::Tpm => "tpm",
        }
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a platform said about a program: nothing until it is appraised.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Evidence {
    /// Who is said to have made it.
    pub platform: Platform,
    /// As collected, in the platform's own format.
    pub bytes: Vec<u8>,
    /// What it was asked to carry.
    pub report_data: ReportData,
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
    fn collect(&self, report_data: &ReportData) -> Result<Evidence, CollectError>;
}

/// The attester of a machine without hardware to vouch for it. Its evidence is empty and proves
/// nothing: it exists so that a development gateway runs the same code and says what it is.
#[derive(Clone, Copy, Debug, Default)]
pub struct SoftwareAttester;

impl Attester for SoftwareAttester {
    fn platform(&self) -> Platform {
        Platform::Software
    }

    fn collect(&self, report_data: &ReportData) -> Result<Evidence, CollectError> {
        Ok(Evidence {
            platform: Platform::Software,
            bytes: Vec::new(),
            report_data: *report_data,
        })
    }
}

/// How an appraisal ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Status {
    /// Nothing was shown.
    None,
    /// Every check was met and nothing is out of date.
    Affirming,
    /// Met, but for something that policy tolerates by name.
    Warning,
    /// A check failed.
    Contraindicated,
}

impl Status {
    /// Its word in a TRACE record.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Affirming => "affirming",
            Self::Warning => "warning",
            Self::Contraindicated => "contraindicated",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What an appraisal found; made by [`AttestationResult::new`] alone.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct AttestationResult {
    /// How it ended.
    pub status: Status,
    /// Whose evidence it was.
    pub platform: Platform,
}

impl AttestationResult {
    /// The result of appraising that platform's evidence. Software evidence shows nothing, so that
    /// its result is never better than [`Status::None`].
    #[must_use]
    pub const fn new(platform: Platform, status: Status) -> Self {
        let status = match (platform, status) {
            (Platform::Software, Status::Affirming | Status::Warning) => Status::None,
            (_, status) => status,
        };
        Self { status, platform }
    }
}

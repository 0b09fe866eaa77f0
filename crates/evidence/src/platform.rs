use std::fmt;

/// Whose evidence it is: one word for each kind that is appraised by rules of its own.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Platform {
    /// An Azure confidential container: SEV-SNP, the utility VM's endorsement and the container policy.
    Aci,
    /// SEV-SNP behind Azure's paravisor and its vTPM.
    AzureSnp,
    /// TDX behind Azure's paravisor and its vTPM.
    AzureTdx,
    /// A token of Google's Confidential Space.
    Gcp,
    /// NVIDIA GPUs: SPDM measurements.
    Gpu,
    /// A token of Microsoft Azure Attestation.
    Maa,
    /// An AWS Nitro enclave, or an instance with NitroTPM.
    Nitro,
    /// Tokens of NVIDIA's remote attestation service.
    Nras,
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
    /// All of them, by name.
    pub const ALL: [Self; 13] = [
        Self::Aci,
        Self::AzureSnp,
        Self::AzureTdx,
        Self::Gcp,
        Self::Gpu,
        Self::Maa,
        Self::Nitro,
        Self::Nras,
        Self::Sgx,
        Self::Snp,
        Self::Software,
        Self::Tdx,
        Self::Tpm,
    ];

    /// The word for it in a TRACE record; where TRACE has none, another platform's is never borrowed.
    #[must_use]
    pub const fn trace_name(self) -> Option<&'static str> {
        match self {
            Self::AzureSnp => Some("azure-cvm-sev-snp"),
            Self::Snp => Some("amd-sev-snp"),
            Self::Software => Some("software-only"),
            Self::Tdx => Some("intel-tdx"),
            Self::Tpm => Some("tpm2"),
            Self::Aci
            | Self::AzureTdx
            | Self::Gcp
            | Self::Gpu
            | Self::Maa
            | Self::Nitro
            | Self::Nras
            | Self::Sgx => None,
        }
    }

    /// Its name in configuration, reference values and output.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Aci => "aci",
            Self::AzureSnp => "azure-snp",
            Self::AzureTdx => "azure-tdx",
            Self::Gcp => "gcp",
            Self::Gpu => "gpu",
            Self::Maa => "maa",
            Self::Nitro => "nitro",
            Self::Nras => "nras",
            Self::Sgx => "sgx",
            Self::Snp => "snp",
            Self::Software => "software",
            Self::Tdx => "tdx",
            Self::Tpm => "tpm",
        }
    }

    /// The platform of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|platform| platform.as_str() == name)
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

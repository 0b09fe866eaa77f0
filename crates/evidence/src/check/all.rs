//! Every check there is.

use super::Check;
use crate::{appraise, azure, dcap, gpu, nitro, snp, token, tpm, wire};

/// Checks that belong together.
#[derive(Clone, Copy, Debug)]
pub struct Group {
    /// What they are about.
    pub title: &'static str,
    /// The checks, in the order in which they are declared.
    pub checks: &'static [&'static Check],
}

/// Every check, by what it is about.
#[must_use]
pub fn groups() -> Vec<Group> {
    let group = |title, checks| Group { title, checks };
    vec![
        group("Every piece of evidence", appraise::ALL),
        group("Certificates that carry evidence", wire::certificate::ALL),
        group("SEV-SNP reports", snp::ALL),
        group("SGX and TDX quotes", dcap::checks::QUOTE),
        group("Intel's collateral", dcap::checks::TCB),
        group("SGX enclaves", dcap::checks::SGX),
        group("TDX guests", dcap::checks::TDX),
        group("Azure confidential VMs", azure::CVM_CHECKS),
        group("Azure confidential containers", azure::aci::ALL),
        group("TPM attestation keys", tpm::KEY),
        group(
            "Certificates of TPM attestation keys",
            tpm::CERTIFICATE_CHECKS,
        ),
        group("TPM quotes and event logs", tpm::QUOTE_CHECKS),
        group("AWS Nitro documents", nitro::ALL),
        group("NVIDIA GPUs", gpu::ALL),
        group("Tokens of Microsoft Azure Attestation", token::MAA_TOKEN),
        group("Their claims", token::MAA_CLAIMS),
        group("Tokens of Confidential Space", token::GCP_TOKEN),
        group("Their claims", token::GCP_CLAIMS),
        group("Tokens of NVIDIA's attestation service", token::NRAS_TOKEN),
        group("Their claims", token::NRAS_CLAIMS),
    ]
}

/// Every check there is, each once.
#[must_use]
pub fn all() -> Vec<&'static Check> {
    let groups = groups().into_iter();
    groups
        .flat_map(|group| group.checks.iter().copied())
        .collect()
}

//! Azure: confidential VMs behind a paravisor, and confidential containers.

pub mod aci;
pub mod cce;
pub mod cvm;
pub mod did;
pub mod hcl;
pub mod rego;
pub mod release;
pub mod runtime;
mod show;
pub mod thim;
pub mod uvm;

pub use aci::AciPolicy;
pub(crate) use aci::appraise as appraise_aci;
pub(crate) use cvm::ALL as CVM_CHECKS;
pub use cvm::{AzureSnpPolicy, AzureTdxPolicy};
pub(crate) use cvm::{appraise_snp, appraise_tdx};
pub(crate) use show::{show_container_policy, show_hcl, show_uvm};
pub use thim::{HostCertificates, SecurityContext, ThimError};

use crate::Sha256Digest;

/// The report data that is a digest of `bytes`: SHA-256, then zeros.
fn digest_and_zeros(bytes: &[u8]) -> [u8; 64] {
    let mut data = [0; 64];
    let digest = Sha256Digest::of(bytes);
    for (place, byte) in data.iter_mut().zip(digest.as_bytes()) {
        *place = *byte;
    }
    data
}

#[cfg(test)]
pub(crate) mod tests;

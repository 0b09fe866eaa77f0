//! Expected measurements, recomputed from artefacts.

pub mod cce;
pub mod oci;
pub mod sgx;
pub mod snp;
pub mod tdx;
pub mod uki;

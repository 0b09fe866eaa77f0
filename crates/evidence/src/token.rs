//! Tokens of attestation services: Microsoft Azure Attestation, Confidential Space, NVIDIA's.
//!
//! A token says what a service concluded. Keys are pinned by their RFC 7638 thumbprints, or lead by
//! certificates to a root that policy names; the keys themselves come as endorsements. No address in a
//! token is ever fetched.

mod common;
#[cfg(test)]
mod fixture;
mod gcp;
mod maa;
mod nras;
mod show;

pub use common::{Identity, Lifetime, NonceForm, Overrides};
pub use gcp::{GcpPolicy, judge_claims as judge_gcp_claims};
pub use maa::{
    Boot, Issuer, Least, MaaMeasurements, MaaPolicy, Uvm, Workload,
    judge_claims as judge_maa_claims,
};
pub use nras::{
    Answer, NrasClaims, NrasPolicy, Signers, Warnings, judge_claims as judge_nras_claims,
};

pub(crate) use gcp::appraise as appraise_gcp;
pub(crate) use maa::appraise as appraise_maa;
pub(crate) use nras::appraise as appraise_nras;
pub(crate) use show::show;
pub(crate) use {
    gcp::{CLAIMS_ALL as GCP_CLAIMS, TOKEN_ALL as GCP_TOKEN},
    maa::{CLAIMS_ALL as MAA_CLAIMS, TOKEN_ALL as MAA_TOKEN},
    nras::{CLAIMS_ALL as NRAS_CLAIMS, TOKEN_ALL as NRAS_TOKEN},
};

use cmcp_json::Object;

use crate::{Timestamp, appraise::Binding};

/// What the claims of a token are judged by, once it is known who signed them.
#[derive(Clone, Copy, Debug)]
pub struct ClaimsCase<'a, P> {
    /// The claims.
    pub claims: &'a Object,
    /// What is accepted.
    pub policy: &'a P,
    /// What they must have been made for.
    pub binding: &'a Binding,
    /// The time they are judged at.
    pub at: Timestamp,
}

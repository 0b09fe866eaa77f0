//! NVIDIA GPUs.

mod chain;
mod checks;
mod golden;
mod ocsp;
mod opaque;
mod policy;
mod report;
mod rim;
mod show;
mod xml;

pub(crate) use checks::ALL;
pub use checks::judge;
pub use ocsp::{Answer, OcspError};
pub use opaque::Opaque;
pub use policy::{Architecture, Comparison, GpuPolicy, Identity, Revocation, RimSignature};
pub use report::{Measurement, Mode, Report};
pub use rim::{Golden, Rim, RimError};
pub(crate) use show::{show, show_rim};
pub use xml::XmlError;

use crate::{
    Input, Part, Proved, Sha256Digest, Timestamp, appraise::Binding, check::Checks,
    reader::Malformed,
};

/// Reads a report that is the whole of `bytes`.
///
/// # Errors
///
/// The first thing in it that is not as it has to be.
pub fn parse(bytes: &[u8]) -> Result<Report<'_>, Malformed> {
    Report::parse(bytes)
}

/// What devices are asked with when the machine's own evidence is bound to `binder`: both are then made for
/// one challenge. It does not prove that the devices are in that machine.
#[must_use]
pub fn nonce(binder: &[u8]) -> Sha256Digest {
    Sha256Digest::of_parts(&[b"cmcp-gpu\0", binder])
}

/// Everything that devices are judged by.
#[derive(Clone, Debug)]
pub struct Case<'a> {
    /// The report of each device.
    pub reports: Vec<&'a [u8]>,
    /// The certificates of each device, PEM, leaf first, in the same order.
    pub certificates: Vec<&'a [u8]>,
    /// NVIDIA's manifests.
    pub rims: &'a [Vec<u8>],
    /// Answers of certificate status responders, DER.
    pub ocsp: &'a [Vec<u8>],
    /// Certificate revocation lists, DER.
    pub crls: &'a [Vec<u8>],
    /// What is accepted.
    pub policy: &'a GpuPolicy,
    /// What the devices must have been asked with, where that is known.
    pub nonce: Option<Vec<u8>>,
    /// The time they are judged at.
    pub at: Timestamp,
}

/// Judges the devices of a machine.
pub(crate) fn appraise(
    input: &Input<'_>,
    policy: &GpuPolicy,
    checks: &mut Checks,
    proved: &mut Proved,
) {
    // A challenge is the nonce itself, as NVIDIA's tools have it; 64 bytes of report data are digested.
    let nonce = match input.binding {
        Binding::ReportData(data) => Some(nonce(data.as_bytes()).as_bytes().to_vec()),
        Binding::Challenge(challenge) => Some(challenge.clone()),
        Binding::Unknown => None,
    };
    let case = Case {
        reports: input.evidence.all(Part::Report).collect(),
        certificates: input.evidence.all(Part::Certificates).collect(),
        rims: &input.endorsements.rims,
        ocsp: &input.endorsements.ocsp,
        crls: &input.endorsements.crls,
        policy,
        nonce,
        at: input.at,
    };
    judge(&case, checks, proved);
}

/// NVIDIA's root for devices.
pub const DEVICE_ROOT: &[u8] = include_bytes!("../roots/nvidia-device-identity-ca.pem");
/// NVIDIA's root for manifests.
pub const RIM_ROOT: &[u8] = include_bytes!("../roots/nvidia-corim-signing-root.pem");

#[cfg(test)]
pub(crate) mod forge;
#[cfg(test)]
mod tests;

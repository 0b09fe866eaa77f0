//! Documents of AWS Nitro: of enclaves, and of instances with a NitroTPM.

mod carried;
mod checks;
mod document;
mod policy;
mod registers;
mod show;

pub(crate) use checks::ALL;
pub use checks::judge;
pub(crate) use checks::trusted;
pub use document::{Document, Framing, Kind, Pcrs};
pub use policy::{
    EnclavePolicy, FieldRule, Identity, InstancePolicy, NitroPolicy, Registers, Revocation,
};
pub(crate) use show::{offset, show};

use crate::{Input, Part, Proved, appraise::Binding, check::Checks};

/// Reads a document that is the whole of `bytes`.
///
/// # Errors
///
/// The first thing in it that is not as AWS says.
pub fn parse(bytes: &[u8]) -> Result<Document<'_>, Malformed> {
    Document::parse(bytes)
}

pub use crate::reader::Malformed;

/// Everything that a document is judged by.
#[derive(Clone, Copy, Debug)]
pub struct Case<'a> {
    /// The document as it came.
    pub document: &'a [u8],
    /// Certificate revocation lists, DER.
    pub crls: &'a [Vec<u8>],
    /// What is accepted.
    pub policy: &'a NitroPolicy,
    /// What it must be bound to, where that is known.
    pub binding: Option<&'a [u8]>,
    /// The time it is judged at.
    pub at: crate::Timestamp,
}

/// What a register says.
pub(crate) const fn registers_say(kind: Kind, index: u8) -> &'static str {
    match (kind, index) {
        (Kind::Enclave, 0) => "the enclave's image",
        (Kind::Enclave, 1) => "kernel and boot ramdisk",
        (Kind::Enclave, 2) => "the application",
        (Kind::Enclave, 3) => "the role of the parent instance",
        (Kind::Enclave, 4) => "the parent instance",
        (Kind::Enclave, 8) => "the certificate that the image is signed with",
        (Kind::Enclave, _) => "extended by the enclave, or unused",
        (Kind::Instance, 0..=3 | 5 | 6) => "AWS's firmware, its configuration and tables",
        (Kind::Instance, 4) => "what UEFI started",
        (Kind::Instance, 7) => "the keys of UEFI's secure boot",
        (Kind::Instance, 11) => "the parts of a unified kernel image",
        (Kind::Instance, 12) => "the command line",
        (Kind::Instance, 16) => "for debugging: any software can reset it",
        (Kind::Instance, 17..=22) => "for a dynamic launch; all ones without one",
        (Kind::Instance, _) => "extended by the operating system, or unused",
    }
}

/// Judges the document of an enclave or an instance.
pub(crate) fn appraise(
    input: &Input<'_>,
    policy: &NitroPolicy,
    checks: &mut Checks,
    proved: &mut Proved,
) {
    checks.require(ALL);
    let Some(document) = input.evidence.part(Part::Document) else {
        checks.fail(&checks::DOCUMENT, "one document", "none, or several");
        return;
    };
    let known = *input.binding != Binding::Unknown;
    let case = Case {
        document,
        crls: &input.endorsements.crls,
        policy,
        binding: input.binding.challenge().filter(|_| known),
        at: input.at,
    };
    judge(&case, checks, proved);
}

/// The root that signs for every region of AWS's commercial partition.
pub const AWS_ROOT: &[u8] = include_bytes!("../roots/aws-nitro-enclaves-g1.pem");

#[cfg(test)]
pub(crate) mod forge;
#[cfg(test)]
pub(crate) mod tests;

//! The one entrance to every appraisal.

use crate::{
    About, AttestationResult, Endorsements, Evidence, Platform, ReportData, Timestamp, azure,
    check::{Checks, checks},
    dcap, gpu, hex, nitro,
    policy::{Freshness, ReferenceValues},
    result::Proved,
    snp, token, tpm,
};

/// What the verifier says the evidence must have been made for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Binding {
    /// All 64 bytes that a guest can have signed: a digest over a key, a session or a record.
    ReportData(ReportData),
    /// A challenge that travels where the platform has a place for one: the first bytes of the report
    /// data with zeros behind it, a TPM's qualifying data, a token's or document's nonce.
    Challenge(Vec<u8>),
    /// Nothing is known of it. Only a policy with [`Freshness::Unproven`] takes that.
    Unknown,
}

impl Binding {
    /// The 64 bytes of report data that are expected, where they are known. A challenge longer than that fits nowhere.
    #[must_use]
    pub fn report_data(&self) -> Option<[u8; 64]> {
        match self {
            Self::ReportData(data) => Some(*data.as_bytes()),
            Self::Challenge(bytes) => {
                let mut data = [0; 64];
                data.get_mut(..bytes.len())?.copy_from_slice(bytes);
                Some(data)
            }
            Self::Unknown => None,
        }
    }

    /// The exact bytes expected where a platform carries as many as it is given.
    #[must_use]
    pub fn challenge(&self) -> Option<&[u8]> {
        match self {
            Self::ReportData(data) => Some(data.as_bytes()),
            Self::Challenge(bytes) => Some(bytes),
            Self::Unknown => None,
        }
    }
}

/// Everything that an appraisal looks at. There is nothing else: no clock, no file, no network.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// What is judged.
    pub evidence: &'a Evidence,
    /// What came with it.
    pub endorsements: &'a Endorsements,
    /// What it must be bound to.
    pub binding: &'a Binding,
    /// What is accepted.
    pub policy: &'a ReferenceValues,
    /// The time at which it is judged.
    pub at: Timestamp,
}

checks! {
    /// What is checked of every piece of evidence.
    ALL:
    SIZE = "evidence.size", "the evidence and what came with it are within the size that is read",
        "send one piece of evidence with its own endorsements";
    ACCEPTED = "evidence.platform", "the reference values accept this platform",
        "write a section for the platform into the reference values, or take evidence of another";
    FRESH = "evidence.fresh", "the verifier says what the evidence must be bound to, or policy takes evidence without",
        "name the challenge, or decide `freshness: unproven`";
    WITHDRAWN = "evidence.withdrawn", "nothing that the evidence says of what runs was withdrawn",
        "run a release that is not withdrawn; the reference values say why this one is";
}

/// Judges evidence: a pure function of its arguments.
#[must_use]
pub fn appraise(input: &Input<'_>) -> AttestationResult {
    appraise_after(input, Checks::new(), Proved::default())
}

/// Judges evidence that came in something that was judged before: a certificate.
pub(crate) fn appraise_after(
    input: &Input<'_>,
    mut checks: Checks,
    mut proved: Proved,
) -> AttestationResult {
    let platform = input.evidence.platform();
    checks.require(ALL);
    let size = size(input);
    let read = checks.expect(
        &SIZE,
        size <= MAX_BYTES,
        format_args!("at most {MAX_BYTES} bytes"),
        size,
    );
    fresh(input, &mut checks);
    if read {
        judge(input, &mut checks, &mut proved);
        not_withdrawn(input.policy, &proved, &mut checks);
    }
    AttestationResult::conclude(platform, checks, proved, input.at)
}

/// A challenge that the platform has no room for is never taken for none.
fn fresh(input: &Input<'_>, checks: &mut Checks) {
    let room = room(input.evidence.platform());
    let expected = format!("a challenge of 1 to {room} bytes, or report data");
    match input.binding {
        Binding::ReportData(_) => checks.met(&FRESH),
        Binding::Challenge(bytes) => {
            let fits = (1..=room).contains(&bytes.len());
            let actual = format_args!("a challenge of {} bytes", bytes.len());
            checks.expect(&FRESH, fits, expected, actual);
        }
        Binding::Unknown => {
            let taken = input.policy.freshness == Freshness::Unproven;
            checks.expect(&FRESH, taken, expected, "none was named");
        }
    }
}

/// How long a challenge can be at most for each platform, in bytes; some take less, and say so themselves.
const fn room(platform: Platform) -> usize {
    match platform {
        Platform::Aci
        | Platform::AzureSnp
        | Platform::AzureTdx
        | Platform::Gpu
        | Platform::Nras
        | Platform::Sgx
        | Platform::Snp
        | Platform::Software
        | Platform::Tdx
        | Platform::Tpm => 64,
        Platform::Gcp | Platform::Maa | Platform::Nitro => 1024,
    }
}

fn judge(input: &Input<'_>, checks: &mut Checks, proved: &mut Proved) {
    let policy = input.policy;
    let accepted = match input.evidence.platform() {
        Platform::Aci => policy
            .aci
            .as_ref()
            .map(|policy| azure::appraise_aci(input, policy, checks, proved)),
        Platform::AzureSnp => policy
            .azure_snp
            .as_ref()
            .map(|policy| azure::appraise_snp(input, policy, checks, proved)),
        Platform::AzureTdx => policy
            .azure_tdx
            .as_ref()
            .map(|policy| azure::appraise_tdx(input, policy, checks, proved)),
        Platform::Gcp => policy
            .gcp
            .as_ref()
            .map(|policy| token::appraise_gcp(input, policy, checks, proved)),
        Platform::Gpu => policy
            .gpu
            .as_ref()
            .map(|policy| gpu::appraise(input, policy, checks, proved)),
        Platform::Maa => policy
            .maa
            .as_ref()
            .map(|policy| token::appraise_maa(input, policy, checks, proved)),
        Platform::Nitro => policy
            .nitro
            .as_ref()
            .map(|policy| nitro::appraise(input, policy, checks, proved)),
        Platform::Nras => policy
            .nras
            .as_ref()
            .map(|policy| token::appraise_nras(input, policy, checks, proved)),
        Platform::Sgx => policy
            .sgx
            .as_ref()
            .map(|policy| dcap::appraise_sgx(input, policy, checks, proved)),
        Platform::Snp => policy
            .snp
            .as_ref()
            .map(|policy| snp::appraise(input, policy, checks, proved)),
        Platform::Software => None,
        Platform::Tdx => policy
            .tdx
            .as_ref()
            .map(|policy| dcap::appraise_tdx(input, policy, checks, proved)),
        Platform::Tpm => policy
            .tpm
            .as_ref()
            .map(|policy| tpm::appraise(input, policy, checks, proved)),
    };
    let refused = "refused by the reference values";
    checks.expect(
        &ACCEPTED,
        accepted.is_some(),
        "a platform with a section of its own",
        format_args!("{}, {refused}", input.evidence.platform()),
    );
}

fn not_withdrawn(policy: &ReferenceValues, proved: &Proved, checks: &mut Checks) {
    let found = policy
        .withdrawn
        .iter()
        .find(|withdrawn| proved.states(About::What, &hex::encode(&withdrawn.value)));
    match found {
        None => checks.met(&WITHDRAWN),
        Some(withdrawn) => checks.fail(
            &WITHDRAWN,
            "a release that was not withdrawn",
            format_args!("{}: {}", hex::encode(&withdrawn.value), withdrawn.reason),
        ),
    }
}

fn size(input: &Input<'_>) -> usize {
    let Endorsements {
        certificates,
        crls,
        intel,
        key_sets,
        ocsp,
        policies,
        rims,
        uvm,
    } = input.endorsements;
    [
        certificates,
        crls,
        intel,
        key_sets,
        ocsp,
        policies,
        rims,
        uvm,
    ]
    .into_iter()
    .flatten()
    .map(Vec::len)
    .fold(input.evidence.size(), usize::saturating_add)
}

/// An event log of a long-lived machine and eight GPUs with their manifests stay far below it.
pub const MAX_BYTES: usize = 16 << 20;

#[cfg(test)]
mod tests;

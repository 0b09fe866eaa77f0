//! The sections `azure-snp` and `azure-tdx` of the appraisal policy.

use crate::{
    dcap::TdxPolicy,
    policy::{Fields, Pin},
    snp::SnpPolicy,
    tpm::{CertificatePolicy, QuotePolicy},
};

/// What is accepted of SEV-SNP behind the paravisor.
#[derive(Clone, Debug)]
pub struct AzureSnpPolicy {
    /// What is accepted of the SNP report: the paravisor's.
    pub snp: SnpPolicy,
    /// What is accepted of the machine.
    pub machine: MachineRules,
}

/// What is accepted of TDX behind the paravisor.
#[derive(Clone, Debug)]
pub struct AzureTdxPolicy {
    /// What is accepted of the quote: the paravisor's.
    pub tdx: TdxPolicy,
    /// What is accepted of the machine.
    pub machine: MachineRules,
}

/// What is accepted of a confidential VM, whatever its hardware.
#[derive(Clone, Debug)]
pub struct MachineRules {
    /// What the vTPM's quote must say.
    pub quote: QuotePolicy,
    /// Which certificate the attestation key must have; none where the hardware's word is enough.
    pub ak_certificate: Option<CertificatePolicy>,
    /// Whether the runtime data must say that secure boot is on.
    pub secure_boot: Demand,
    /// Whether it may say that the host has a console.
    pub console: ConsoleRule,
    /// The 64 bytes of the guest.
    pub user_data: Pin<Vec<u8>>,
    /// Digests of attestation keys: SHA-256 of the `SubjectPublicKeyInfo`.
    pub attestation_keys: Pin<Vec<u8>>,
    /// Digests of endorsement keys, likewise.
    pub endorsement_keys: Pin<Vec<u8>>,
    /// Whether something says which machine it is.
    pub identity: IdentityRule,
}

/// Whether something is demanded.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Demand {
    /// It is.
    Required,
    /// It is not looked at.
    NotJudged,
}

/// Whether the host may have a console.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ConsoleRule {
    /// It may.
    Allowed,
    /// It may not.
    Refused,
}

/// Whether something says which machine it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum IdentityRule {
    /// A pin does.
    Pinned,
    /// Anybody's genuine machine passes.
    DangerAnyMachine,
}

impl AzureSnpPolicy {
    /// Reads its section.
    pub(crate) fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let snp = fields.section("snp", SnpPolicy::read_inner);
        let machine = MachineRules::read(fields);
        let policy = Self {
            snp: snp?,
            machine: machine?,
        };
        let chips = &policy.snp.chip_ids;
        policy.machine.agrees(chips, fields).then_some(policy)
    }
}

impl AzureTdxPolicy {
    /// Reads its section.
    pub(crate) fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let tdx = fields.section("tdx", TdxPolicy::read_inner);
        let machine = MachineRules::read(fields);
        let policy = Self {
            tdx: tdx?,
            machine: machine?,
        };
        let chips = &policy.tdx.trust.ppids;
        policy.machine.agrees(chips, fields).then_some(policy)
    }
}

impl MachineRules {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let quote = fields.section("vtpm", QuotePolicy::read);
        let ak_certificate =
            fields.section_or("ak_certificate", "not-required", CertificatePolicy::read);
        let secure_boot = fields.word(
            "secure_boot",
            &[
                ("required", Demand::Required),
                ("not-judged", Demand::NotJudged),
            ],
        );
        let console = fields.word(
            "console",
            &[
                ("allowed", ConsoleRule::Allowed),
                ("refused", ConsoleRule::Refused),
            ],
        );
        let user_data = fields.hex_pin("user_data", 64);
        let attestation_keys = fields.hex_pin("attestation_keys", 32);
        let endorsement_keys = fields.hex_pin("endorsement_keys", 32);
        let identity = fields.word(
            "identity",
            &[
                ("pinned", IdentityRule::Pinned),
                ("danger-any-machine", IdentityRule::DangerAnyMachine),
            ],
        );
        Some(Self {
            quote: quote?,
            ak_certificate: ak_certificate?,
            secure_boot: secure_boot?,
            console: console?,
            user_data: user_data?,
            attestation_keys: attestation_keys?,
            endorsement_keys: endorsement_keys?,
            identity: identity?,
        })
    }

    fn pins_keys(&self) -> bool {
        let certified = self.ak_certificate.as_ref();
        !self.attestation_keys.is_any()
            || !self.endorsement_keys.is_any()
            || certified.is_some_and(|certificates| !certificates.keys.is_any())
    }

    // What the host says at launch is Azure's here, and names no operator.
    fn agrees(&self, chips: &Pin<Vec<u8>>, fields: &mut Fields<'_>) -> bool {
        let pinned = !chips.is_any() || self.pins_keys();
        let what = match (self.identity, pinned) {
            (IdentityRule::Pinned, false) => {
                "is `pinned`, and neither a chip nor a key of the vTPM is: pin `endorsement_keys`, `attestation_keys` or the chip"
            }
            (IdentityRule::DangerAnyMachine, true) => {
                "is `danger-any-machine`, and a chip or a key of the vTPM is pinned: write `pinned`"
            }
            (IdentityRule::Pinned, true) | (IdentityRule::DangerAnyMachine, false) => return true,
        };
        fields.fault("identity", what);
        false
    }
}

#[cfg(test)]
mod tests;

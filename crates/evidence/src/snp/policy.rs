//! The section `snp` of the appraisal policy.

mod read;

use super::{
    report::Firmware,
    tcb::{Product, Tcb},
};
use crate::policy::{Measurements, Pin, fields::Roots};

/// What is accepted of SEV-SNP. Debug guests never are: there is no field for them.
#[derive(Clone, Debug)]
pub struct SnpPolicy {
    /// AMD's roots, or those of a test.
    pub roots: Roots,
    /// What is accepted of each product.
    pub products: Products,
    /// The product of reports of version 2, which do not say theirs; none: they are refused.
    pub unnamed_product: Option<Product>,
    /// Which keys may sign.
    pub signing_keys: SigningKeys,
    /// Whether AMD's revocation list has to be there.
    pub revocation: Revocation,
    /// What the guest was launched with.
    pub guest: GuestRules,
    /// How the machine must be set up.
    pub machine: MachineRules,
    /// Who must have signed the ID block, and what it must say.
    pub id_block: IdBlockRules,
    /// Launch digests by name.
    pub measurements: Measurements,
    /// What the host must have said at launch, 32 bytes.
    pub host_data: Pin<Vec<u8>>,
    /// The chips, 64 bytes each.
    pub chip_ids: Pin<Vec<u8>>,
    /// Whether something says which machine or operator it is.
    pub identity: Identity,
}

/// What is accepted of each product; none where it is refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Products {
    /// Third generation.
    pub milan: Option<Floors>,
    /// Fourth generation.
    pub genoa: Option<Floors>,
    /// Fifth generation.
    pub turin: Option<Floors>,
}

impl Products {
    /// What is accepted of a product.
    #[must_use]
    pub const fn of(&self, product: Product) -> Option<Floors> {
        match product {
            Product::Milan => self.milan,
            Product::Genoa => self.genoa,
            Product::Turin => self.turin,
        }
    }
}

/// The least versions of a product's firmware.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Floors {
    /// Of what signs the report.
    pub tcb: Tcb,
    /// Of what the guest was launched on.
    pub launch_tcb: Tcb,
}

/// Which keys may sign a report.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SigningKeys {
    /// The chip's own.
    pub vcek: Vcek,
    /// A provider's, which names no chip.
    pub vlek: Vlek,
}

/// Whether the chip's own key may sign.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Vcek {
    /// It may.
    Accepted,
    /// It may not.
    Refused,
}

/// Whether a provider's key may sign.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Vlek {
    /// Those of these providers may.
    Accepted {
        /// Their identifiers, as the certificate has them.
        csp_ids: Pin<String>,
    },
    /// It may not.
    Refused,
}

/// Whether AMD's revocation list has to be there.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Revocation {
    /// It has to, and has to be valid.
    CrlRequired,
    /// It need not; one that is there and valid still counts.
    NotChecked,
}

/// Whether something is demanded.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Demand {
    /// It is.
    Required,
    /// It is not.
    NotRequired,
}

/// Whether something is put up with.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Allowance {
    /// It is.
    Allowed,
    /// It is not.
    Forbidden,
}

/// Whether another platform's agent may take the guest along.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Migration {
    /// No agent may.
    Refused,
    /// These may: the report ids of the agents, 32 bytes each; never empty.
    By(Vec<Vec<u8>>),
}

/// What the guest policy and the report must say of the guest.
#[derive(Clone, Debug)]
pub struct GuestRules {
    /// Privilege levels that may have asked for the report; never empty.
    pub vmpl: Vec<u32>,
    /// The least interface version that the guest policy asks for: major, minor.
    pub abi: (u8, u8),
    /// The guest policy may let the guest run where SMT is on.
    pub smt: Allowance,
    /// The guest policy must keep it on one socket.
    pub single_socket: Demand,
    /// Whether a migration agent may be bound to it.
    pub migration: Migration,
    /// The guest policy must demand that ciphertext is hidden from the host.
    pub ciphertext_hiding: Demand,
    /// The guest policy may let it use memory behind CXL.
    pub cxl: Allowance,
    /// The guest policy must demand AES-256-XTS.
    pub aes_256_xts: Demand,
    /// The guest policy must demand that the power meter is off.
    pub rapl_disabled: Demand,
    /// The guest policy must demand that pages are not moved or swapped.
    pub page_swap_disabled: Demand,
}

/// How the machine must be set up.
#[derive(Clone, Debug)]
pub struct MachineRules {
    /// The least firmware version that it cannot go back behind.
    pub firmware: Firmware,
    /// The check for two addresses of one memory cell must be complete (BadRAM).
    pub alias_check: Demand,
    /// SMT may be on.
    pub smt: Allowance,
    /// All memory must be encrypted.
    pub tsme: Demand,
    /// Bits of the mitigation vectors that must be set.
    pub mitigations: MitigationRules,
}

/// Bits of the mitigation vectors that must be set; 0 demands none.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct MitigationRules {
    /// When the guest was launched.
    pub launch: u64,
    /// Now.
    pub current: u64,
}

/// Who must have signed the ID block, and what it must say. The host picks an ID block and its signer:
/// without a pinned signer the rest of it proves nothing.
#[derive(Clone, Debug)]
pub struct IdBlockRules {
    /// Digests of the signing key, 48 bytes each.
    pub id_key_digests: Pin<Vec<u8>>,
    /// Digests of the key that certified it, 48 bytes each.
    pub author_key_digests: Pin<Vec<u8>>,
    /// Families, 16 bytes each.
    pub family_ids: Pin<Vec<u8>>,
    /// Images, 16 bytes each.
    pub image_ids: Pin<Vec<u8>>,
    /// The least security version of the guest.
    pub guest_svn: u32,
}

/// Whether something says which machine or operator it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Identity {
    /// Chips or the host's data are pinned.
    Pinned,
    /// Any machine that runs the measurement is taken for the one that was meant.
    DangerAnyMachine,
    /// The platform that the report is part of decides it.
    Outer,
}

impl SnpPolicy {
    /// Whether the policy says which machine or operator it must be.
    #[must_use]
    pub const fn pins_identity(&self) -> bool {
        !self.chip_ids.is_any() || !self.host_data.is_any()
    }
}

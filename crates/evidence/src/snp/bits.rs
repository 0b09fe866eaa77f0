//! The bits of a report's words, by name.

/// One bit: the mask, its name, and what it says when it is set.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bit {
    pub(crate) mask: u64,
    pub(crate) name: &'static str,
    pub(crate) says: &'static str,
}

const fn bit(mask: u64, name: &'static str, says: &'static str) -> Bit {
    Bit { mask, name, says }
}

impl Bit {
    /// Whether it is set.
    pub(crate) const fn is_set(&self, word: u64) -> bool {
        word & self.mask != 0
    }
}

/// Names of the bits that are set, and of those without a name.
pub(crate) fn names(word: u64, known: &[Bit]) -> Vec<String> {
    let set = known.iter().filter(|bit| bit.is_set(word));
    let unknown = unknown(word, known);
    set.map(|bit| bit.name.to_owned())
        .chain(
            numbers(unknown)
                .into_iter()
                .map(|number| format!("bit {number}")),
        )
        .collect()
}

/// The bits that have no name here.
pub(crate) fn unknown(word: u64, known: &[Bit]) -> u64 {
    known.iter().fold(word, |left, bit| left & !bit.mask)
}

/// The numbers of the bits that are set.
pub(crate) fn numbers(word: u64) -> Vec<u32> {
    (0..64)
        .filter(|number| {
            1_u64
                .checked_shl(*number)
                .is_some_and(|mask| word & mask != 0)
        })
        .collect()
}

/// A mask of these bits; numbers beyond 63 are left out.
pub(crate) fn mask(numbers: &[u32]) -> u64 {
    let masks = numbers
        .iter()
        .filter_map(|number| 1_u64.checked_shl(*number));
    masks.fold(0, |all, mask| all | mask)
}

/// The guest policy's bits 0 to 15: the interface version that the guest asks for, minor then major.
pub(crate) const ABI: u64 = 0xffff;
pub(crate) const GUEST_SMT: Bit = bit(1 << 16, "smt", "the guest may run where SMT is on");
pub(crate) const MUST_BE_ONE: Bit = bit(1 << 17, "reserved-one", "always set");
pub(crate) const MIGRATE_MA: Bit = bit(
    1 << 18,
    "migrate-ma",
    "a migration agent may take the guest along",
);
pub(crate) const DEBUG: Bit = bit(
    1 << 19,
    "debug",
    "the host may read and write the guest's memory",
);
pub(crate) const SINGLE_SOCKET: Bit = bit(
    1 << 20,
    "single-socket",
    "the guest runs on one socket only",
);
pub(crate) const CXL: Bit = bit(1 << 21, "cxl", "the guest may use memory behind CXL");
pub(crate) const AES_256_XTS: Bit = bit(
    1 << 22,
    "aes-256-xts",
    "memory has to be encrypted with AES-256-XTS",
);
pub(crate) const GUEST_RAPL: Bit = bit(
    1 << 23,
    "rapl-disabled",
    "the machine's power meter has to be off",
);
pub(crate) const GUEST_HIDING: Bit = bit(
    1 << 24,
    "ciphertext-hiding",
    "the host must not see ciphertext",
);
pub(crate) const SWAP_DISABLED: Bit = bit(
    1 << 25,
    "page-swap-disabled",
    "the host must not move or swap the guest's pages",
);

/// The bits of the guest policy above the interface version.
pub(crate) const POLICY: [Bit; 10] = [
    GUEST_SMT,
    MUST_BE_ONE,
    MIGRATE_MA,
    DEBUG,
    SINGLE_SOCKET,
    CXL,
    AES_256_XTS,
    GUEST_RAPL,
    GUEST_HIDING,
    SWAP_DISABLED,
];

pub(crate) const SMT: Bit = bit(1, "smt", "SMT is on");
pub(crate) const TSME: Bit = bit(1 << 1, "tsme", "all memory is encrypted");
pub(crate) const ECC: Bit = bit(1 << 2, "ecc", "memory has error correction");
pub(crate) const RAPL_DISABLED: Bit = bit(1 << 3, "rapl-disabled", "the power meter is off");
pub(crate) const HIDING: Bit = bit(
    1 << 4,
    "ciphertext-hiding",
    "the host does not see ciphertext",
);
pub(crate) const ALIAS_CHECK: Bit = bit(
    1 << 5,
    "alias-check-complete",
    "the firmware found no two addresses for one cell of memory",
);
pub(crate) const TIO: Bit = bit(1 << 7, "tio", "trusted devices can be attached");

/// The bits of the platform information.
pub(crate) const PLATFORM: [Bit; 7] = [SMT, TSME, ECC, RAPL_DISABLED, HIDING, ALIAS_CHECK, TIO];

pub(crate) const AUTHOR_KEY: Bit = bit(
    1,
    "author-key",
    "an author certified the key that signed the ID block",
);
pub(crate) const MASK_CHIP_KEY: Bit = bit(
    1 << 1,
    "mask-chip-key",
    "the report is not signed by the chip's key",
);
/// Bits 2 to 4 of the flags: the key that signed.
pub(crate) const SIGNING_KEY: u64 = 0b11100;

/// The single bits of the flags.
pub(crate) const FLAGS: [Bit; 2] = [AUTHOR_KEY, MASK_CHIP_KEY];

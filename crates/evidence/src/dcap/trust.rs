//! The part of the policies that SGX and TDX share: whom to believe, and how far behind a machine may be.

use cmcp_json::Value;

use super::{pck::Memory, status::TcbStatus};
use crate::{
    Timestamp,
    policy::{
        Fields, Pin,
        fields::{self, Roots},
    },
};

/// Whom to believe, and how far behind a machine may be.
#[derive(Clone, Debug)]
pub struct Trust {
    /// Which authorities are trusted.
    pub roots: Roots,
    /// Whether Intel's collateral is needed.
    pub collateral: CollateralRule,
    /// The least evaluation that collateral may follow from.
    pub evaluation_at_least: u64,
    /// Statuses that are tolerated besides `UpToDate`.
    pub statuses: Vec<ToleratedStatus>,
    /// Advisories that are tolerated.
    pub advisories: Vec<ToleratedAdvisory>,
    /// What the PCK certificate may say of the machine.
    pub platform: PlatformRules,
    /// Machines, by PPID.
    pub ppids: Pin<Vec<u8>>,
}

/// Whether Intel's collateral is needed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum CollateralRule {
    /// TCB level, revocation and the quoting enclave's identity are judged.
    Required,
    /// Only signatures and certificates are: a machine that lacks every update passes, and one that was revoked.
    DangerChainOnly,
}

/// Whether something says whose machine it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Identity {
    /// At least one pin does.
    Pinned,
    /// Anybody's genuine machine passes.
    DangerAnyMachine,
    /// The platform that the quote is part of decides it.
    Outer,
}

impl Identity {
    pub(super) fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let words = [
            ("pinned", Self::Pinned),
            ("danger-any-machine", Self::DangerAnyMachine),
        ];
        fields.word("identity", &words)
    }

    /// Reports a word that the pins contradict; `pins` are the names of those that say whose machine it is.
    pub(super) fn contradictions(self, fields: &mut Fields<'_>, pinned: Pinned, pins: &str) {
        match (self, pinned) {
            (Self::Pinned, Pinned::Nothing) => {
                let what = format!("is `pinned`, and nothing is: pin one of {pins}");
                fields.fault("identity", what);
            }
            (Self::DangerAnyMachine, Pinned::Something) => {
                let what =
                    format!("is `danger-any-machine`, and one of {pins} is pinned: write `pinned`");
                fields.fault("identity", what);
            }
            (Self::Pinned, Pinned::Something)
            | (Self::DangerAnyMachine, Pinned::Nothing)
            | (Self::Outer, _) => {}
        }
    }
}

/// Whether any pin says whose machine it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Pinned {
    Something,
    Nothing,
}

impl Pinned {
    /// A pin to zeros says nothing: everybody's unused field is like that.
    pub(super) fn by(pins: &[&Pin<Vec<u8>>]) -> Self {
        let names = |value: &Vec<u8>| value.iter().any(|byte| *byte != 0);
        let pinned = pins.iter().any(|pin| match pin {
            Pin::Any => false,
            Pin::OneOf(values) => values.iter().all(names),
        });
        if pinned {
            Self::Something
        } else {
            Self::Nothing
        }
    }
}

/// What the PCK certificate may say of the machine.
#[derive(Clone, Debug)]
pub struct PlatformRules {
    /// Packages can be added to it.
    pub dynamic_platform: FlagRule,
    /// Intel keeps a copy of its root keys.
    pub cached_keys: FlagRule,
    /// Simultaneous multithreading is on.
    pub smt: FlagRule,
    /// How memory is protected.
    pub memory: Vec<Memory>,
}

/// What a flag of the machine may be.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum FlagRule {
    /// Set or not.
    Allowed,
    /// Not set.
    Refused,
}

/// A status that is tolerated for a while.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ToleratedStatus {
    /// Which one.
    pub status: TcbStatus,
    /// Until when, whatever the machine's level.
    pub until: Timestamp,
    /// How long after the date of the machine's level.
    pub grace: Grace,
}

/// How long after the date of its level a machine is tolerated.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Grace {
    /// So many days.
    Days(u64),
    /// The level's date does not matter.
    Unlimited,
}

/// An advisory that is tolerated for a while.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ToleratedAdvisory {
    /// Its name, like `INTEL-SA-00615`.
    pub id: String,
    /// Until when.
    pub until: Timestamp,
}

impl Trust {
    pub(super) fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let roots = fields.roots("roots");
        let collateral = fields.word(
            "collateral",
            &[
                ("required", CollateralRule::Required),
                ("danger-chain-only", CollateralRule::DangerChainOnly),
            ],
        );
        let evaluation = fields.number("tcb_evaluation_at_least", u64::from(u32::MAX));
        let statuses = fields.list("tolerated_statuses", status);
        let advisories = fields.list("tolerated_advisories", advisory);
        let platform = fields.section("platform", PlatformRules::read);
        let ppids = fields.hex_pin("ppids", 16);
        let trust = Self {
            roots: roots?,
            collateral: collateral?,
            evaluation_at_least: evaluation?,
            statuses: statuses?,
            advisories: advisories?,
            platform: platform?,
            ppids: ppids?,
        };
        trust.contradictions(fields);
        Some(trust)
    }

    fn contradictions(&self, fields: &mut Fields<'_>) {
        if self.collateral == CollateralRule::DangerChainOnly {
            let without = "cannot be judged with `collateral: danger-chain-only`";
            if self.evaluation_at_least != 0 {
                fields.fault("tcb_evaluation_at_least", format!("{without}; write 0"));
            }
            if !self.statuses.is_empty() {
                fields.fault("tolerated_statuses", format!("{without}; write []"));
            }
            if !self.advisories.is_empty() {
                fields.fault("tolerated_advisories", format!("{without}; write []"));
            }
        }
    }

    /// The entry that tolerates a status.
    pub(super) fn tolerated(&self, status: TcbStatus) -> Option<&ToleratedStatus> {
        self.statuses.iter().find(|entry| entry.status == status)
    }

    /// The entry that tolerates an advisory.
    pub(super) fn advisory(&self, id: &str) -> Option<&ToleratedAdvisory> {
        self.advisories.iter().find(|entry| entry.id == id)
    }
}

impl PlatformRules {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let words = [
            ("allowed", FlagRule::Allowed),
            ("refused", FlagRule::Refused),
        ];
        let dynamic_platform = fields.word("dynamic_platform", &words);
        let cached_keys = fields.word("cached_keys", &words);
        let smt = fields.word("smt", &words);
        let memory = fields.list("memory", memory);
        if memory.as_ref().is_some_and(Vec::is_empty) {
            fields.fault("memory", "is an empty list: write what is accepted");
        }
        Some(Self {
            dynamic_platform: dynamic_platform?,
            cached_keys: cached_keys?,
            smt: smt?,
            memory: memory?,
        })
    }
}

fn memory(value: &Value) -> Result<Memory, String> {
    let all = [
        Memory::Standard,
        Memory::Scalable,
        Memory::ScalableWithIntegrity,
    ];
    let found = all
        .into_iter()
        .find(|kind| value.as_str() == Some(kind.as_str()));
    found.ok_or_else(|| format!("must be one of: {}", all.map(Memory::as_str).join(", ")))
}

fn status(value: &Value) -> Result<ToleratedStatus, String> {
    inner(value, |fields| {
        let status = fields.read("status", |value| {
            let status = value.as_str().and_then(TcbStatus::parse);
            match status {
                Some(TcbStatus::UpToDate) => Err("is always accepted: leave it out".to_owned()),
                Some(TcbStatus::Revoked) => Err("is never tolerated".to_owned()),
                Some(status) => Ok(status),
                None => {
                    let known = TcbStatus::ALL.map(TcbStatus::as_str).join(", ");
                    Err(format!("must be one of: {known}"))
                }
            }
        });
        let until = fields.time("until");
        let grace = fields.read("grace_days", |value| match value.as_str() {
            Some("unlimited") => Ok(Grace::Unlimited),
            Some(_) | None => fields::number(value, 36_500)
                .map(Grace::Days)
                .map_err(|what| format!("{what}, or `unlimited`")),
        });
        Some(ToleratedStatus {
            status: status?,
            until: until?,
            grace: grace?,
        })
    })
}

fn advisory(value: &Value) -> Result<ToleratedAdvisory, String> {
    inner(value, |fields| {
        let id = fields.text("id");
        let until = fields.time("until");
        Some(ToleratedAdvisory {
            id: id?,
            until: until?,
        })
    })
}

/// Reads a mapping inside a list; its faults become one text.
pub(super) fn inner<T>(
    value: &Value,
    read: impl FnOnce(&mut Fields<'_>) -> Option<T>,
) -> Result<T, String> {
    let mut faults = Vec::new();
    let entry = Fields::open(value, "", &mut faults).and_then(|mut fields| {
        let entry = read(&mut fields);
        fields.close();
        entry
    });
    match entry {
        Some(entry) if faults.is_empty() => Ok(entry),
        Some(_) | None => {
            let faults = faults.iter().map(ToString::to_string);
            Err(faults.collect::<Vec<String>>().join("; "))
        }
    }
}

/// A number in hexadecimal digits behind `0x`, as manuals write masks.
pub(super) fn mask(value: &Value, most: u64) -> Result<u64, String> {
    let digits = value.as_str().and_then(|text| text.strip_prefix("0x"));
    let number = digits
        .filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
        .and_then(|digits| u64::from_str_radix(digits, 16).ok());
    match number {
        Some(number) if number <= most => Ok(number),
        Some(_) | None => Err(format!(
            "must be hexadecimal, from \"0x0\" to \"{most:#x}\""
        )),
    }
}

/// Bits that must be set, and bits that may be.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Bits {
    /// Each of these must be set.
    pub required: u64,
    /// No other than these may be set.
    pub allowed: u64,
}

impl Bits {
    pub(super) fn read(fields: &mut Fields<'_>, most: u64) -> Option<Self> {
        let required = fields.read("required", |value| mask(value, most));
        let allowed = fields.read("allowed", |value| mask(value, most));
        let bits = Self {
            required: required?,
            allowed: allowed?,
        };
        if bits.required & !bits.allowed != 0 {
            fields.fault("required", "has bits that are not in `allowed`");
        }
        Some(bits)
    }

    /// Whether a value obeys.
    #[must_use]
    pub const fn allow(self, value: u64) -> bool {
        value & self.required == self.required && value & !self.allowed == 0
    }

    pub(super) fn expected(self) -> String {
        format!(
            "{:#x} set, and nothing beyond {:#x}",
            self.required, self.allowed
        )
    }
}

/// What a bit must be.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum BitRule {
    /// Set.
    Required,
    /// Not set.
    Refused,
    /// One or the other.
    Either,
}

impl BitRule {
    pub(super) fn read(fields: &mut Fields<'_>, name: &'static str) -> Option<Self> {
        let words = [
            ("required", Self::Required),
            ("refused", Self::Refused),
            ("either", Self::Either),
        ];
        fields.word(name, &words)
    }

    /// Whether a bit obeys.
    #[must_use]
    pub const fn allows(self, set: Bit) -> bool {
        match (self, set) {
            (Self::Either, _) | (Self::Required, Bit::Set) | (Self::Refused, Bit::Clear) => true,
            (Self::Required, Bit::Clear) | (Self::Refused, Bit::Set) => false,
        }
    }

    pub(super) const fn expected(self) -> &'static str {
        match self {
            Self::Required => "set",
            Self::Refused => "clear",
            Self::Either => "set or clear",
        }
    }
}

/// What a bit is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Bit {
    /// One.
    Set,
    /// Zero.
    Clear,
}

impl Bit {
    /// The bit of that number.
    #[must_use]
    pub const fn of(value: u64, number: u32) -> Self {
        match value.checked_shr(number) {
            Some(shifted) if shifted & 1 == 1 => Self::Set,
            Some(_) | None => Self::Clear,
        }
    }

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Set => "set",
            Self::Clear => "clear",
        }
    }
}

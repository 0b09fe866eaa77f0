//! What is accepted of GPUs.

use cmcp_json::Value;

use super::report::Mode;
use crate::policy::{
    Fields, Pin,
    fields::{Roots, text},
};

/// A generation of devices whose reports are read here.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Architecture {
    /// GH100.
    Hopper,
    /// GB100 and its successors, whose reports have the same form.
    Blackwell,
}

impl Architecture {
    /// Its word in a policy.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hopper => "hopper",
            Self::Blackwell => "blackwell",
        }
    }

    /// The architecture of a chip.
    #[must_use]
    pub fn of(chip: &str) -> Option<Self> {
        let (letters, digits) = chip.split_at_checked(2)?;
        if digits.len() != 3 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        match letters {
            "GH" => Some(Self::Hopper),
            "GB" => Some(Self::Blackwell),
            _ => None,
        }
    }
}

/// What measurements are compared with.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Comparison {
    /// NVIDIA's manifests for the driver and the VBIOS that the report names.
    Rim,
    /// Nothing: any firmware and driver, in any state.
    DangerNotCompared,
}

/// Whether the manifests' own signatures are verified.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum RimSignature {
    /// Up to the pinned root.
    Required,
    /// They are not looked at; the manifests are known by their digests.
    NotChecked,
}

/// Whether revocation is looked at.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Revocation {
    /// Every certificate between the device's signing key and the root, and every certificate of a manifest,
    /// has an answer or a list of its issuer.
    Required,
    /// It is not looked at.
    NotChecked,
}

/// Whether it must be known whose devices they are.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Identity {
    /// The list of devices says so.
    Pinned,
    /// Anybody's.
    DangerAnyMachine,
}

/// What is accepted of GPUs.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct GpuPolicy {
    /// Whose devices count.
    pub roots: Roots,
    /// Whose manifests count.
    pub rim_roots: Roots,
    /// Which generations.
    pub architectures: Vec<Architecture>,
    /// How many devices there have to be.
    pub device_count: usize,
    /// Whether it must be known whose devices they are.
    pub identity: Identity,
    /// The devices: SHA-256 of the public key of each one's own certificate.
    pub devices: Pin<Vec<u8>>,
    /// Drivers.
    pub drivers: Pin<String>,
    /// VBIOSes.
    pub vbios: Pin<String>,
    /// Ways of confidential computing.
    pub modes: Pin<Mode>,
    /// What measurements are compared with.
    pub measurements: Comparison,
    /// Whether the manifests' own signatures are verified.
    pub rim_signature: RimSignature,
    /// The manifests: SHA-256 of each.
    pub rims: Pin<Vec<u8>>,
    /// Whether revocation is looked at.
    pub revocation: Revocation,
}

impl GpuPolicy {
    /// Reads its section.
    pub(crate) fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let roots = fields.roots("roots");
        let rim_roots = fields.roots("rim_roots");
        let architectures = fields.read("architectures", architectures);
        let device_count = fields.number("device_count", MAX_DEVICES);
        let identity = fields.word(
            "identity",
            &[
                ("pinned", Identity::Pinned),
                ("danger-any-machine", Identity::DangerAnyMachine),
            ],
        );
        let devices = fields.hex_pin("devices", 32);
        let drivers = fields.pin("drivers", text);
        let vbios = fields.pin("vbios", text);
        let modes = fields.pin("modes", mode);
        let measurements = fields.word(
            "measurements",
            &[
                ("rim", Comparison::Rim),
                ("danger-not-compared", Comparison::DangerNotCompared),
            ],
        );
        let rim_signature = fields.word(
            "rim_signature",
            &[
                ("required", RimSignature::Required),
                ("not-checked", RimSignature::NotChecked),
            ],
        );
        let rims = fields.hex_pin("rims", 32);
        let revocation = fields.word(
            "revocation",
            &[
                ("required", Revocation::Required),
                ("not-checked", Revocation::NotChecked),
            ],
        );
        let policy = Self {
            roots: roots?,
            rim_roots: rim_roots?,
            architectures: architectures?,
            device_count: usize::try_from(device_count?).ok()?,
            identity: identity?,
            devices: devices?,
            drivers: drivers?,
            vbios: vbios?,
            modes: modes?,
            measurements: measurements?,
            rim_signature: rim_signature?,
            rims: rims?,
            revocation: revocation?,
        };
        policy.contradictions(fields);
        Some(policy)
    }

    fn contradictions(&self, fields: &mut Fields<'_>) {
        if self.device_count == 0 {
            fields.fault(
                "device_count",
                "is 0: refuse the platform instead, or say how many there are",
            );
        }
        if self.identity == Identity::Pinned && self.devices.is_any() {
            fields.fault(
                "identity",
                "is pinned, and `devices` is any: list the devices, or write `danger-any-machine`",
            );
        }
        if self.measurements == Comparison::Rim
            && self.rim_signature == RimSignature::NotChecked
            && self.rims.is_any()
        {
            fields.fault(
                "rims",
                "is any, and `rim_signature` is not checked: anybody's manifest would be taken; list their digests",
            );
        }
    }
}

fn architectures(value: &Value) -> Result<Vec<Architecture>, String> {
    let known = [Architecture::Hopper, Architecture::Blackwell];
    let list = value.as_array().ok_or("must be a list")?;
    if list.is_empty() {
        return Err("is an empty list: name `hopper` or `blackwell`".to_owned());
    }
    let read = |value: &Value| {
        let found = known
            .into_iter()
            .find(|known| Some(known.as_str()) == value.as_str());
        found.ok_or_else(|| "must be a list of `hopper` and `blackwell`".to_owned())
    };
    list.iter().map(read).collect()
}

fn mode(value: &Value) -> Result<Mode, String> {
    let known = [Mode::Unstated, Mode::Flag0, Mode::Flag1, Mode::Flag2];
    let found = known
        .into_iter()
        .find(|known| Some(known.as_str()) == value.as_str());
    found.ok_or_else(|| "must be one of: unstated, flag-0, flag-1, flag-2".to_owned())
}

/// Digests that a reader wrote into a policy have this length.
pub(super) fn is_listed(pin: &Pin<Vec<u8>>, digest: &[u8; 32]) -> bool {
    match pin {
        Pin::Any => true,
        Pin::OneOf(list) => list.iter().any(|known| known == digest),
    }
}

const MAX_DEVICES: u64 = 16;

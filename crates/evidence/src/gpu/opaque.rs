//! What NVIDIA's devices add to a response: fields of a type, a length and a value.

use crate::reader::{Malformed, Reader};

/// One field.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Opaque<'a> {
    /// Its type.
    pub kind: u16,
    /// Its value.
    pub value: &'a [u8],
}

/// Reads them; `base` is where they begin in the report.
pub(super) fn parse(bytes: &[u8], base: usize) -> Result<Vec<Opaque<'_>>, Malformed> {
    let mut reader = Reader::new(bytes);
    let moved = |error: Malformed| Malformed {
        at: base.saturating_add(error.at),
        ..error
    };
    let mut fields: Vec<Opaque<'_>> = Vec::new();
    while reader.left() > 0 {
        let at = base.saturating_add(reader.at());
        let kind = reader.u16_le("opaque field").map_err(moved)?;
        let length = usize::from(reader.u16_le("opaque field").map_err(moved)?);
        let value = reader.take("opaque field", length).map_err(moved)?;
        if fields.len() >= MAX_FIELDS {
            let found = "more of them";
            return Err(Malformed::new(
                "opaque field",
                at,
                "at most 64 fields",
                found,
            ));
        }
        if fields.iter().any(|known| known.kind == kind) {
            let found = format!("type {kind} again");
            return Err(Malformed::new("opaque field", at, "each type once", found));
        }
        fields.push(Opaque { kind, value });
    }
    Ok(fields)
}

/// The name of a type, and what its value says.
pub(super) const fn name(kind: u16) -> Option<(&'static str, &'static str)> {
    Some(match kind {
        1 => ("issuer-name", "who issued the device's certificate"),
        2 => ("authority-key", "the key that issued it"),
        DRIVER_VERSION => (
            "driver-version",
            "the driver that runs, as it told the device",
        ),
        4 => ("gpu-info", "flags of the device"),
        5 => ("sku", "the product"),
        VBIOS_VERSION => ("vbios-version", "the firmware in the device's ROM"),
        7 => ("manufacturer", "who made the board"),
        8 => ("tamper-detection", "what its detectors saw"),
        9 => ("smc", "system management controller"),
        10 => ("vpr", "video protected region"),
        NVDEC0 => (
            "nvdec0",
            "55: the video decoder is off, and measurement 36 says nothing; aa: it is on",
        ),
        12 => (
            "measurement-counts",
            "how often each measurement was extended",
        ),
        13 => ("cpr-info", "compute protected region"),
        14 => ("board", "the board"),
        15 => ("chip-sku", "the product of the chip"),
        16 => ("chip-sku-variant", "its variant"),
        17 => ("project", "the board's project"),
        18 => ("project-sku", "its product"),
        19 => ("project-sku-variant", "its variant"),
        FWID => (
            "firmware-id",
            "the firmware that holds the signing key; also in its certificate",
        ),
        21 => ("protected-pcie", "aa: on, 55: off"),
        22 => ("switch-ids", "the switches that its links lead to"),
        23 => ("disabled-ports", "links that are fused off"),
        24 => ("position", "where in the machine"),
        25 => ("locked", "whether a switch takes no more commands"),
        32 => ("gpu-links", "the devices behind a switch's links"),
        33 => ("enabled", "whether the system may use it"),
        OPAQUE_VERSION => ("version", "of these fields"),
        CHIP_INFO => ("chip", "the chip's name"),
        FEATURE_FLAG => (
            "feature-flag",
            "which way of confidential computing is on; 2 is protected PCIe",
        ),
        _ => return None,
    })
}

pub(super) const DRIVER_VERSION: u16 = 3;
pub(super) const VBIOS_VERSION: u16 = 6;
pub(super) const NVDEC0: u16 = 11;
pub(super) const FWID: u16 = 20;
pub(super) const OPAQUE_VERSION: u16 = 34;
pub(super) const CHIP_INFO: u16 = 35;
pub(super) const FEATURE_FLAG: u16 = 36;
const MAX_FIELDS: usize = 64;

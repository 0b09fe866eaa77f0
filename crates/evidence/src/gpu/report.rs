//! The format: an SPDM 1.1 request for measurements, the response, and a signature over both.

use super::opaque::{self, Opaque};
use crate::reader::{Malformed, Reader};

/// One measurement of the response.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Measurement<'a> {
    /// Its number, from 1. A manifest counts from 0.
    pub index: u8,
    /// What was measured, as SPDM counts it: 0 immutable ROM, 1 mutable firmware, 2 hardware configuration,
    /// 3 firmware configuration.
    pub kind: u8,
    /// Its value.
    pub value: &'a [u8],
}

/// A report as it came: nothing of it is believed before its signature and chain are verified.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Report<'a> {
    /// What the signature is over: everything before it.
    pub signed: &'a [u8],
    /// The nonce of whoever asked.
    pub nonce: &'a [u8],
    /// The certificate slot that was asked for.
    pub slot: u8,
    /// The measurements, in the order of their numbers.
    pub measurements: Vec<Measurement<'a>>,
    /// The device's own nonce: a request that comes twice is answered differently.
    pub device_nonce: &'a [u8],
    /// What NVIDIA's devices add, as they wrote it.
    pub opaque: Vec<Opaque<'a>>,
    /// The signature.
    pub signature: &'a [u8],
}

impl<'a> Report<'a> {
    /// Reads a report that is the whole of `bytes`.
    ///
    /// # Errors
    ///
    /// The first thing in it that is not as it has to be.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Malformed> {
        if bytes.len() > MAX_REPORT {
            let expected = format!("at most {MAX_REPORT} bytes");
            return Err(Malformed::new("report", 0, expected, bytes.len()));
        }
        let mut reader = Reader::new(bytes);
        exactly(&mut reader, "request", REQUEST)?;
        let nonce = reader.take("request nonce", NONCE)?;
        let slot = reader.u8("request slot")?;
        exactly(&mut reader, "response", RESPONSE)?;
        let answered = reader.at();
        let answer_slot = reader.u8("response slot")?;
        if answer_slot != slot {
            let expected = format!("slot {slot}, as asked for");
            return Err(Malformed::new(
                "response slot",
                answered,
                expected,
                answer_slot,
            ));
        }
        let count = reader.u8("measurements")?;
        let length = u24(&mut reader, "measurements")?;
        let at = reader.at();
        let record = reader.take("measurements", length)?;
        let measurements = measurements(record, at, count)?;
        let device_nonce = reader.take("device nonce", NONCE)?;
        let length = usize::from(reader.u16_le("opaque data")?);
        let at = reader.at();
        let opaque = opaque::parse(reader.take("opaque data", length)?, at)?;
        let signed = reader.read();
        let signature = reader.take("signature", SIGNATURE)?;
        reader.end("report")?;
        Ok(Self {
            signed,
            nonce,
            slot,
            measurements,
            device_nonce,
            opaque,
            signature,
        })
    }

    /// A measurement by its number.
    #[must_use]
    pub fn measurement(&self, index: u8) -> Option<&Measurement<'a>> {
        self.measurements.iter().find(|known| known.index == index)
    }

    /// A field of the opaque data.
    #[must_use]
    pub fn field(&self, kind: u16) -> Option<&'a [u8]> {
        let found = self.opaque.iter().find(|known| known.kind == kind);
        found.map(|field| field.value)
    }

    /// The driver's version.
    #[must_use]
    pub fn driver_version(&self) -> Option<String> {
        text(self.field(opaque::DRIVER_VERSION)?)
    }

    /// The VBIOS's version, as manifests write it: `96.00.9F.00.01`.
    #[must_use]
    pub fn vbios_version(&self) -> Option<String> {
        match self.field(opaque::VBIOS_VERSION)? {
            [d, c, b, a, e, 0, 0, 0] => Some(format!("{a:02X}.{b:02X}.{c:02X}.{d:02X}.{e:02X}")),
            [..] => None,
        }
    }

    /// The chip, where the device names it.
    #[must_use]
    pub fn chip(&self) -> Option<String> {
        text(self.field(opaque::CHIP_INFO)?)
    }

    /// Which way of confidential computing is on.
    #[must_use]
    pub fn mode(&self) -> Mode {
        match self.field(opaque::FEATURE_FLAG) {
            None => Mode::Unstated,
            Some([0] | [0, 0]) => Mode::Flag0,
            Some([1] | [1, 0]) => Mode::Flag1,
            Some([2] | [2, 0]) => Mode::Flag2,
            Some(_) => Mode::Unknown,
        }
    }
}

/// Which way of confidential computing is on. NVIDIA's tools call 2 `ppcie`; the newer ones call 0 `spt`
/// and 1 `mpt`, an older one the other way round, so policy names the number.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Mode {
    /// The report does not say: devices before opaque data version 1.
    Unstated,
    /// 0.
    Flag0,
    /// 1.
    Flag1,
    /// 2: protected PCIe, where the switches between devices are trusted too.
    Flag2,
    /// Another number.
    Unknown,
}

impl Mode {
    /// Its word in a policy.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unstated => "unstated",
            Self::Flag0 => "flag-0",
            Self::Flag1 => "flag-1",
            Self::Flag2 => "flag-2",
            Self::Unknown => "unknown",
        }
    }
}

/// A text that ends at its first zero, where it is one: visible ASCII.
pub(super) fn text(value: &[u8]) -> Option<String> {
    let end = value.iter().position(|byte| *byte == 0);
    let (text, padding) = value.split_at_checked(end.unwrap_or(value.len()))?;
    let visible = !text.is_empty() && text.iter().all(u8::is_ascii_graphic);
    let padded = padding.iter().all(|byte| *byte == 0);
    if visible && padded {
        String::from_utf8(text.to_vec()).ok()
    } else {
        None
    }
}

fn measurements(record: &[u8], base: usize, count: u8) -> Result<Vec<Measurement<'_>>, Malformed> {
    let mut reader = Reader::new(record);
    let place = |reader: &Reader<'_>| base.saturating_add(reader.at());
    let mut found: Vec<Measurement<'_>> = Vec::new();
    while reader.left() > 0 {
        let at = place(&reader);
        let moved = |error: Malformed| Malformed {
            at: base.saturating_add(error.at),
            ..error
        };
        let index = reader.u8("measurement").map_err(moved)?;
        let specification = reader.u8("measurement").map_err(moved)?;
        if specification != DMTF {
            return Err(Malformed::new(
                "measurement",
                at,
                "specification 1",
                specification,
            ));
        }
        let size = usize::from(reader.u16_le("measurement").map_err(moved)?);
        let kind = reader.u8("measurement").map_err(moved)?;
        let length = usize::from(reader.u16_le("measurement").map_err(moved)?);
        if length.checked_add(DMTF_HEAD) != Some(size) {
            let found = format!("{length} in a block of {size}");
            return Err(Malformed::new(
                "measurement",
                at,
                "a value that fills its block",
                found,
            ));
        }
        let value = reader.take("measurement", length).map_err(moved)?;
        if found.iter().any(|known| known.index == index) {
            return Err(Malformed::new("measurement", at, "each number once", index));
        }
        let place = found.partition_point(|known: &Measurement<'_>| known.index < index);
        found.insert(place, Measurement { index, kind, value });
    }
    if found.len() != usize::from(count) {
        return Err(Malformed::new("measurements", base, count, found.len()));
    }
    Ok(found)
}

fn exactly(
    reader: &mut Reader<'_>,
    what: &'static str,
    bytes: &'static [u8],
) -> Result<(), Malformed> {
    let at = reader.at();
    let found = reader.take(what, bytes.len())?;
    if found == bytes {
        return Ok(());
    }
    let hex = crate::hex::encode;
    Err(Malformed::new(what, at, hex(bytes), hex(found)))
}

fn u24(reader: &mut Reader<'_>, what: &'static str) -> Result<usize, Malformed> {
    let at = reader.at();
    let [low, middle, high] = reader.array(what)?;
    usize::try_from(u32::from_le_bytes([low, middle, high, 0]))
        .map_err(|_| Malformed::new(what, at, "a length", "one beyond this machine's memory"))
}

const NONCE: usize = 32;
// SPDM 1.1, GET_MEASUREMENTS, with a signature, all of them.
const REQUEST: &[u8] = &[0x11, 0xe0, 0x01, 0xff];
// SPDM 1.1, MEASUREMENTS, no count of indices: blocks follow.
const RESPONSE: &[u8] = &[0x11, 0x60, 0x00];
const DMTF: u8 = 1;
const DMTF_HEAD: usize = 3;
const SIGNATURE: usize = 96;
// 255 blocks and opaque data of 64 KiB stay below.
const MAX_REPORT: usize = 128 << 10;

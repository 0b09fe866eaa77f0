//! What a TD's quote should say: MRTD from the firmware volume, RTMR1 and RTMR2 from the parts of an image.

use sha2::{Digest as _, Sha384};

use crate::{
    Sha384Digest,
    reader::{Malformed, Reader},
};

/// In which order the host adds and measures the firmware's pages. It changes MRTD: what a host does is
/// told by its kernel and VMM, and is no choice of the verifier's.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PageOrder {
    /// Each page is added and measured before the next.
    PageByPage,
    /// All pages of a section are added, and then measured.
    SectionBySection,
}

/// Computes MRTD from a firmware volume (TDVF), by the sections that its metadata lists.
///
/// # Errors
///
/// The volume has no metadata, or a section does not fit.
pub fn mrtd(firmware: &[u8], order: PageOrder) -> Result<Sha384Digest, Malformed> {
    if firmware.len() > MAX_FIRMWARE {
        let most = format!("at most {MAX_FIRMWARE} bytes");
        return Err(Malformed::new("firmware", 0, most, firmware.len()));
    }
    let sections = sections(firmware)?;
    let mut measured = Measured(Sha384::new());
    for section in sections.iter().filter(|section| section.is_added()) {
        match order {
            PageOrder::PageByPage => {
                for page in section.pages() {
                    measured.add(page.address);
                    if section.is_extended() {
                        measured.extend(&page);
                    }
                }
            }
            PageOrder::SectionBySection => {
                for page in section.pages() {
                    measured.add(page.address);
                }
                if section.is_extended() {
                    for page in section.pages() {
                        measured.extend(&page);
                    }
                }
            }
        }
    }
    Ok(Sha384Digest::from_bytes(measured.0.finalize().into()))
}

/// The parts of an image that the firmware and the kernel's loader measure, each by its SHA-384 digest.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ImageParts {
    /// Of the partition table, as the firmware writes it into the event.
    pub gpt: Sha384Digest,
    /// Authenticode of the unified kernel image.
    pub uki: Sha384Digest,
    /// Authenticode of the kernel in it.
    pub kernel: Sha384Digest,
    /// Of the command line.
    pub command_line: Sha384Digest,
    /// Of the initial disk.
    pub initrd: Sha384Digest,
}

impl ImageParts {
    /// RTMR1: what is booted, and that the firmware has handed over.
    #[must_use]
    pub fn rtmr1(&self) -> Sha384Digest {
        register(&[
            Sha384Digest::of(b"Calling EFI Application from Boot Option"),
            Sha384Digest::of(&[0; 4]),
            self.gpt,
            self.uki,
            self.kernel,
            Sha384Digest::of(b"Exit Boot Services Invocation"),
            Sha384Digest::of(b"Exit Boot Services Returned with Success"),
        ])
    }

    /// RTMR2: how it is booted.
    #[must_use]
    pub fn rtmr2(&self) -> Sha384Digest {
        register(&[self.command_line, self.initrd])
    }
}

/// The value of a register that was extended with these digests, in this order.
#[must_use]
pub fn register(digests: &[Sha384Digest]) -> Sha384Digest {
    digests
        .iter()
        .fold(Sha384Digest::from_bytes([0; 48]), |value, digest| {
            Sha384Digest::of_parts(&[value.as_bytes(), digest.as_bytes()])
        })
}

/// One run of memory that the metadata lists.
struct Section<'a> {
    raw: &'a [u8],
    address: u64,
    pages: u64,
    attributes: u32,
}

struct Page<'a> {
    address: u64,
    content: &'a [u8],
}

impl<'a> Section<'a> {
    fn read(reader: &mut Reader<'_>, firmware: &'a [u8]) -> Result<Self, Malformed> {
        let at = reader.at();
        let offset = reader.u32_le("data offset of a section")?;
        let size = reader.u32_le("raw size of a section")?;
        let address = reader.u64_le("memory address of a section")?;
        let memory = reader.u64_le("memory size of a section")?;
        reader.u32_le("type of a section")?;
        let attributes = reader.u32_le("attributes of a section")?;
        let mut data = Reader::new(firmware);
        data.take("section before its data", to_usize(offset))?;
        let raw = data.take("data of a section", to_usize(size))?;
        let fault = |what, expected, found: u64| Err(Malformed::new(what, at, expected, found));
        if address.checked_rem(PAGE) != Some(0) || address.checked_add(memory).is_none() {
            return fault("memory address of a section", "a page", address);
        }
        if memory.checked_rem(PAGE) != Some(0) || memory > MAX_MEMORY {
            return fault(
                "memory size of a section",
                "whole pages, 16 MiB at most",
                memory,
            );
        }
        if u64::from(size) > memory {
            return fault(
                "raw size of a section",
                "no more than its memory",
                size.into(),
            );
        }
        // Only what is in the file is worth measuring; and work stays in proportion to the file.
        if attributes & EXTEND != 0 && u64::from(size).saturating_add(PAGE) <= memory {
            return fault("memory size of a section", "the pages of its data", memory);
        }
        if attributes & !(EXTEND | AUGMENT) != 0 {
            return fault("attributes of a section", "0 to 3", attributes.into());
        }
        Ok(Self {
            raw,
            address,
            pages: memory.checked_div(PAGE).unwrap_or_default(),
            attributes,
        })
    }

    /// Pages that the guest accepts later are not part of what was built.
    const fn is_added(&self) -> bool {
        self.attributes & AUGMENT == 0
    }

    const fn is_extended(&self) -> bool {
        self.attributes & EXTEND != 0
    }

    fn pages(&self) -> impl Iterator<Item = Page<'a>> {
        let (raw, address) = (self.raw, self.address);
        (0..self.pages).map(move |number| {
            let offset = number.saturating_mul(PAGE);
            let begin = usize::try_from(offset).unwrap_or(usize::MAX);
            let rest = raw.get(begin..).unwrap_or_default();
            Page {
                address: address.saturating_add(offset),
                content: rest.get(..PAGE_BYTES).unwrap_or(rest),
            }
        })
    }
}

/// What the TDX module hashes while it builds a domain: one record of 128 bytes for each page and for each
/// run of 256 bytes that is measured, the latter followed by those bytes.
struct Measured(Sha384);

impl Measured {
    fn add(&mut self, address: u64) {
        self.record(b"MEM.PAGE.ADD\0\0\0\0", address);
    }

    fn extend(&mut self, page: &Page<'_>) {
        let mut rest = page.content;
        for number in 0..RUNS {
            let address = page.address.saturating_add(number.saturating_mul(256));
            self.record(b"MR.EXTEND\0\0\0\0\0\0\0", address);
            let (run, after) = rest.split_at_checked(256).unwrap_or((rest, &[]));
            self.0.update(run);
            // What the file does not hold is zero in memory.
            self.0.update(ZEROS.get(run.len()..).unwrap_or_default());
            rest = after;
        }
    }

    fn record(&mut self, name: &[u8; 16], address: u64) {
        self.0.update(name);
        self.0.update(address.to_le_bytes());
        self.0.update([0; 104]);
    }
}

/// The sections that the metadata lists.
fn sections(firmware: &[u8]) -> Result<Vec<Section<'_>>, Malformed> {
    let from_end = metadata_offset(firmware)?;
    let begin = firmware.len().saturating_sub(from_end);
    let mut reader = Reader::new(firmware);
    reader.take("firmware before its metadata", begin)?;
    let signature = reader.take("signature of the metadata", 4)?;
    if signature != b"TDVF" {
        let found = crate::hex::encode(signature);
        return Err(Malformed::new(
            "signature of the metadata",
            begin,
            "TDVF",
            found,
        ));
    }
    let length = reader.u32_le("length of the metadata")?;
    let version = reader.u32_le("version of the metadata")?;
    let count = reader.u32_le("number of sections")?;
    if version != 1 {
        return Err(Malformed::new("version of the metadata", begin, 1, version));
    }
    if count == 0 || count > MAX_SECTIONS {
        let expected = format!("1 to {MAX_SECTIONS}");
        return Err(Malformed::new("number of sections", begin, expected, count));
    }
    let expected = count.saturating_mul(32).saturating_add(16);
    if length != expected {
        return Err(Malformed::new(
            "length of the metadata",
            begin,
            expected,
            length,
        ));
    }
    let sections = (0..count).map(|_| Section::read(&mut reader, firmware));
    sections.collect()
}

/// How far before its end the firmware has its metadata. The table of GUIDs ends 32 bytes before the end and
/// is read backwards: GUID, length, data.
fn metadata_offset(firmware: &[u8]) -> Result<usize, Malformed> {
    let absent = |at| Malformed::new("table of GUIDs", at, "an entry for TDX metadata", "none");
    let table_end = firmware.len().saturating_sub(32);
    let mut rest = firmware.get(..table_end).unwrap_or_default();
    let (footer, length) = entry(&mut rest).ok_or_else(|| absent(table_end))?;
    if footer != TABLE_FOOTER {
        return Err(absent(table_end));
    }
    let begin = rest.len().saturating_sub(length);
    let mut rest = rest.get(begin..).unwrap_or_default();
    while let Some((guid, length)) = entry(&mut rest) {
        let begin = rest.len().saturating_sub(length);
        let (before, data) = rest.split_at_checked(begin).unwrap_or_default();
        if guid == METADATA_OFFSET {
            let offset = Reader::new(data).u32_le("offset of the metadata")?;
            return Ok(to_usize(offset));
        }
        rest = before;
    }
    Err(absent(table_end))
}

/// Takes GUID and length of the last entry off; says which it was and how long its data is.
fn entry<'a>(rest: &mut &'a [u8]) -> Option<(&'a [u8], usize)> {
    let (before, guid) = rest.split_at_checked(rest.len().checked_sub(16)?)?;
    let (before, length) = before.split_last_chunk::<2>()?;
    // The length counts itself and the GUID.
    let length = usize::from(u16::from_le_bytes(*length)).checked_sub(18)?;
    if length > before.len() {
        return None;
    }
    *rest = before;
    Some((guid, length))
}

fn to_usize(value: u32) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}

/// 96b582de-1fb2-45f7-baea-a366c55a082d
const TABLE_FOOTER: [u8; 16] = [
    0xde, 0x82, 0xb5, 0x96, 0xb2, 0x1f, 0xf7, 0x45, 0xba, 0xea, 0xa3, 0x66, 0xc5, 0x5a, 0x08, 0x2d,
];
/// e47a6535-984a-4798-865e-4685a7bf8ec2
const METADATA_OFFSET: [u8; 16] = [
    0x35, 0x65, 0x7a, 0xe4, 0x4a, 0x98, 0x98, 0x47, 0x86, 0x5e, 0x46, 0x85, 0xa7, 0xbf, 0x8e, 0xc2,
];
const EXTEND: u32 = 1;
const AUGMENT: u32 = 2;
const PAGE: u64 = 4096;
const PAGE_BYTES: usize = 4096;
/// Runs of 256 bytes in a page.
const RUNS: u64 = 16;
const ZEROS: [u8; 256] = [0; 256];
const MAX_SECTIONS: u32 = 32;
/// Firmware volumes have 2 to 16 MiB.
const MAX_FIRMWARE: usize = 64 << 20;
const MAX_MEMORY: u64 = 16 << 20;

#[cfg(test)]
mod tests;

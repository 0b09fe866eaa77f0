//! OVMF: the table at its end, and what it says of memory that the hypervisor has to prepare.

use super::{LaunchDigest, MAX_PAGES, NORMAL, NOTHING, PAGE, PAGE_BYTES, SnpMeasureError};
use crate::{
    Sha384Digest,
    reader::{Malformed, Reader},
};

/// What a firmware adds to the launch digest.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Firmware {
    /// The launch digest over its own pages.
    pub digest: Sha384Digest,
    /// Memory that the hypervisor prepares, in the order in which it does.
    pub sections: Vec<Section>,
    /// Where it looks for the digests of kernel, initrd and command line; none or 0: it does not.
    pub hashes_table: Option<u32>,
    /// Where other processors than the first start.
    pub reset_entry: Option<u32>,
}

/// Memory that the hypervisor prepares.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Section {
    /// Where it begins.
    pub gpa: u32,
    /// Its bytes.
    pub size: u32,
    /// What is in it.
    pub kind: SectionKind,
}

/// What is in memory that the hypervisor prepares.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SectionKind {
    /// Zeros.
    Memory,
    /// Keys for messages to the secure processor.
    Secrets,
    /// The processor's features, as the secure processor checked them.
    Cpuid,
    /// The calling area of a service module.
    CallingArea,
    /// Digests of kernel, initrd and command line.
    KernelHashes,
}

impl SectionKind {
    /// The kind of that number.
    #[must_use]
    pub const fn from_number(number: u32) -> Option<Self> {
        match number {
            1 => Some(Self::Memory),
            2 => Some(Self::Secrets),
            3 => Some(Self::Cpuid),
            4 => Some(Self::CallingArea),
            0x10 => Some(Self::KernelHashes),
            _ => None,
        }
    }
}

impl Firmware {
    /// Reads an OVMF image.
    ///
    /// # Errors
    ///
    /// It is not whole pages, has no table at its end, or its metadata is not what OVMF writes.
    pub fn from_ovmf(image: &[u8]) -> Result<Self, SnpMeasureError> {
        let (pages, rest) = image.as_chunks::<PAGE>();
        if pages.is_empty() || !rest.is_empty() || image.len() > MAX_IMAGE {
            return Err(Malformed::new(
                "image",
                0,
                format_args!(
                    "1 to {} whole pages of {PAGE_BYTES} bytes",
                    MAX_IMAGE / PAGE
                ),
                format_args!("{} bytes", image.len()),
            )
            .into());
        }
        let table = table(image)?;
        let size = u64::try_from(image.len()).map_err(|_| SnpMeasureError::TooLarge)?;
        let mut gpa = FOUR_GIB.saturating_sub(size);
        let mut digest = LaunchDigest(NOTHING);
        for page in pages {
            digest.page(NORMAL, gpa, Some(page));
            gpa = gpa.saturating_add(PAGE_BYTES.into());
        }
        let number = |guid: [u8; 16]| {
            let entry = table.iter().find(|(known, _)| *known == guid);
            entry
                .map(|(_, data)| Reader::new(data).u32_le("table entry"))
                .transpose()
        };
        let sections = match number(METADATA)? {
            Some(from_end) => metadata(image, from_end)?,
            None => {
                return Err(Malformed::new(
                    "table",
                    image.len(),
                    "an entry for SEV metadata",
                    "none: the firmware was not built for SNP",
                )
                .into());
            }
        };
        Self {
            digest: digest.0,
            sections,
            hashes_table: number(HASHES_TABLE)?,
            reset_entry: number(RESET_BLOCK)?,
        }
        .bounded()
    }

    /// Refuses firmware that claims more memory than any does.
    pub(super) fn bounded(self) -> Result<Self, SnpMeasureError> {
        let pages = self
            .sections
            .iter()
            .map(|section| section.size.div_ceil(PAGE_BYTES))
            .fold(0, u32::saturating_add);
        if pages > MAX_PAGES {
            return Err(SnpMeasureError::TooLarge);
        }
        for Section { gpa, size, .. } in &self.sections {
            if *size == 0 || size % PAGE_BYTES != 0 || gpa % PAGE_BYTES != 0 {
                return Err(Malformed::new(
                    "metadata section",
                    0,
                    "whole pages",
                    format_args!("{size} bytes at {gpa:#x}"),
                )
                .into());
            }
        }
        Ok(self)
    }
}

type Entry<'a> = ([u8; 16], &'a [u8]);

/// The table of entries by GUID that ends 32 bytes before the image does. It is read backwards: each entry
/// is followed by its size, which counts itself, and its GUID; the last one is the table's own.
fn table(image: &[u8]) -> Result<Vec<Entry<'_>>, Malformed> {
    let end = image.len().saturating_sub(RESET_VECTOR);
    let before = image.get(..end).unwrap_or_default();
    if !before.ends_with(&FOOTER) {
        return Err(Malformed::new(
            "table",
            end.saturating_sub(FOOTER.len()),
            "the GUID that OVMF's table ends with",
            "another",
        ));
    }
    let (_, _, size, start) = last(before)?;
    let mut left = before
        .get(end.saturating_sub(size)..start)
        .unwrap_or_default();
    let mut entries = Vec::new();
    while !left.is_empty() {
        let (guid, data, size, _) = last(left)?;
        entries.push((guid, data));
        if entries.len() > MAX_ENTRIES {
            let expected = format_args!("at most {MAX_ENTRIES} entries");
            return Err(Malformed::new("table", start, expected, "more"));
        }
        left = left
            .get(..left.len().saturating_sub(size))
            .unwrap_or_default();
    }
    Ok(entries)
}

type Last<'a> = ([u8; 16], &'a [u8], usize, usize);

/// The last entry of a run: its GUID, its data, its size, and where size and GUID begin.
fn last(run: &[u8]) -> Result<Last<'_>, Malformed> {
    let start = run.len().saturating_sub(ENTRY_END);
    let mut reader = Reader::new(run.get(start..).unwrap_or_default());
    let size = usize::from(reader.u16_le("table entry")?);
    let guid = reader.array("table entry")?;
    let data = run
        .len()
        .checked_sub(size)
        .and_then(|begin| run.get(begin..start));
    match data {
        Some(data) => Ok((guid, data, size, start)),
        None => Err(Malformed::new(
            "table entry",
            start,
            format_args!("{ENTRY_END} to {} bytes", run.len()),
            size,
        )),
    }
}

fn metadata(image: &[u8], from_end: u32) -> Result<Vec<Section>, Malformed> {
    let start = usize::try_from(from_end)
        .ok()
        .and_then(|from_end| image.len().checked_sub(from_end));
    let start = start.ok_or_else(|| {
        Malformed::new(
            "metadata",
            0,
            "a place in the image",
            format_args!("{from_end} bytes before its end"),
        )
    })?;
    let mut reader = Reader::new(image.get(start..).unwrap_or_default());
    let header: [u8; 4] = reader.array("metadata")?;
    let size = reader.u32_le("metadata size")?;
    let version = reader.u32_le("metadata version")?;
    let count = reader.u32_le("metadata sections")?;
    if header != *b"ASEV" || version != 1 {
        return Err(Malformed::new(
            "metadata",
            start,
            "`ASEV` of version 1",
            format_args!("{} of version {version}", crate::hex::encode(&header)),
        ));
    }
    if count
        .checked_mul(12)
        .and_then(|items| items.checked_add(16))
        != Some(size)
    {
        return Err(Malformed::new(
            "metadata size",
            start,
            format_args!("that of {count} sections"),
            size,
        ));
    }
    let mut sections = Vec::new();
    for _ in 0..count {
        let at = start.saturating_add(reader.at());
        let gpa = reader.u32_le("section")?;
        let size = reader.u32_le("section")?;
        let number = reader.u32_le("section")?;
        let kind = SectionKind::from_number(number)
            .ok_or_else(|| Malformed::new("section type", at, "1 to 4 or 16", number))?;
        sections.push(Section { gpa, size, kind });
    }
    Ok(sections)
}

const FOUR_GIB: u64 = 1 << 32;
/// OVMF's largest build has 16 MiB.
const MAX_IMAGE: usize = 64 << 20;
/// What stands behind the table: the code that the first processor starts with.
const RESET_VECTOR: usize = 32;
const ENTRY_END: usize = 18;
const MAX_ENTRIES: usize = 64;
// 96b582de-1fb2-45f7-baea-a366c55a082d
const FOOTER: [u8; 16] = *b"\xde\x82\xb5\x96\xb2\x1f\xf7\x45\xba\xea\xa3\x66\xc5\x5a\x08\x2d";
// 7255371f-3a3b-4b04-927b-1da6efa8d454
const HASHES_TABLE: [u8; 16] = *b"\x1f\x37\x55\x72\x3b\x3a\x04\x4b\x92\x7b\x1d\xa6\xef\xa8\xd4\x54";
// 00f771de-1a7e-4fcb-890e-68c77e2fb44e
const RESET_BLOCK: [u8; 16] = *b"\xde\x71\xf7\x00\x7e\x1a\xcb\x4f\x89\x0e\x68\xc7\x7e\x2f\xb4\x4e";
// dc886566-984a-4798-a75e-5585a7bf67cc
const METADATA: [u8; 16] = *b"\x66\x65\x88\xdc\x4a\x98\x98\x47\xa7\x5e\x55\x85\xa7\xbf\x67\xcc";

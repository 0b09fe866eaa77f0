//! The report of Azure's paravisor (HCL): what the hardware signed, and the runtime data it signed for.

use crate::reader::{Malformed, Reader};

/// The hardware's own report inside the paravisor's.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Hardware<'a> {
    /// A SEV-SNP attestation report.
    Snp(&'a [u8]),
    /// A TDREPORT. Its MAC holds on its own machine only: what counts is the quote made of it.
    Tdx(&'a [u8]),
}

impl Hardware<'_> {
    /// The name of its kind.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Snp(_) => "an SNP report",
            Self::Tdx(_) => "a TDREPORT",
        }
    }
}

/// The paravisor's report. The hash over the runtime data is always SHA-256: other types are refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Hcl<'a> {
    /// Version of the layout: 1 or 2.
    pub version: u32,
    /// What the hardware signed.
    pub hardware: Hardware<'a>,
    /// The JSON document whose digest is the hardware's report data.
    pub runtime: &'a [u8],
}

/// Reads the report as it lies in its NV index: zeros may stand behind it, and nothing else.
///
/// # Errors
///
/// The field that is not what the format says, with its place.
pub fn parse(bytes: &[u8]) -> Result<Hcl<'_>, Malformed> {
    let mut reader = Reader::new(bytes);
    let (version, size) = header(&mut reader)?;
    let slot = reader.take("hardware report", SLOT)?;
    let lengths = reader;
    let data_size = reader.u32_le("runtime data size")?;
    one_of(&mut reader, "runtime data version", &[(1, ())], "version 1")?;
    let kind = reader;
    let report_type = one_of(
        &mut reader,
        "report type",
        &[(2, ReportType::Snp), (4, ReportType::Tdx)],
        "2 (SNP) or 4 (TDX)",
    )?;
    one_of(&mut reader, "hash type", &[(1, ())], "1 (SHA-256)")?;
    let var_size = reader.u32_le("runtime data length")?;
    let what = "runtime data size";
    if data_size.checked_sub(20) != Some(var_size) {
        let expected = format!("20 and the {var_size} of the runtime data");
        return Err(Malformed::new(what, lengths.at(), expected, data_size));
    }
    let length = usize::try_from(var_size).unwrap_or(usize::MAX);
    let runtime = reader.take("runtime data", length)?;
    if usize::try_from(size).ok() != Some(reader.at()) {
        return Err(Malformed::new("size", SIZE_AT, reader.at(), size));
    }
    zeros("bytes behind the report", reader.at(), reader.rest())?;
    let hardware = match report_type {
        ReportType::Snp => Hardware::Snp(slot),
        ReportType::Tdx => {
            let (report, rest) = slot.split_at_checked(TDREPORT).ok_or_else(|| {
                Malformed::new("hardware report", kind.at(), TDREPORT, slot.len())
            })?;
            zeros(
                "bytes behind the TDREPORT",
                HEADER.saturating_add(TDREPORT),
                rest,
            )?;
            Hardware::Tdx(report)
        }
    };
    Ok(Hcl {
        version,
        hardware,
        runtime,
    })
}

fn header(reader: &mut Reader<'_>) -> Result<(u32, u32), Malformed> {
    let magic = reader.take("magic", 4)?;
    if magic != b"HCLA" {
        let found = crate::hex::encode(magic);
        return Err(Malformed::new("magic", 0, "`HCLA`", found));
    }
    let version = one_of(reader, "version", &[(1, 1), (2, 2)], "version 1 or 2")?;
    let size = reader.u32_le("size")?;
    one_of(reader, "request type", &[(2, ())], "2 (a report)")?;
    one_of(reader, "status", &[(0, ())], "0 (success)")?;
    let at = reader.at();
    zeros("reserved", at, reader.take("reserved", 12)?)?;
    Ok((version, size))
}

fn one_of<T: Copy>(
    reader: &mut Reader<'_>,
    what: &'static str,
    known: &[(u32, T)],
    expected: &'static str,
) -> Result<T, Malformed> {
    let at = reader.at();
    let found = reader.u32_le(what)?;
    let meaning = known.iter().find(|(number, _)| *number == found);
    meaning
        .map(|(_, meaning)| *meaning)
        .ok_or_else(|| Malformed::new(what, at, expected, named(what, found)))
}

// Numbers that Microsoft's documentation names, though no report with them is read here.
fn named(what: &str, number: u32) -> String {
    let name = match (what, number) {
        ("hash type", 2) => " (SHA-384)",
        ("hash type", 3) => " (SHA-512)",
        _ => "",
    };
    format!("{number}{name}")
}

fn zeros(what: &'static str, at: usize, bytes: &[u8]) -> Result<(), Malformed> {
    match bytes.iter().position(|byte| *byte != 0) {
        None => Ok(()),
        Some(place) => Err(Malformed::new(
            what,
            at.saturating_add(place),
            "zeros",
            "something else",
        )),
    }
}

#[derive(Clone, Copy)]
enum ReportType {
    Snp,
    Tdx,
}

const SIZE_AT: usize = 8;
/// Where the hardware's report begins.
pub(crate) const HEADER: usize = 0x20;
/// Where the runtime data begins.
pub(crate) const RUNTIME: usize = 0x4d4;
const SLOT: usize = 1184;
const TDREPORT: usize = 1024;

#[cfg(test)]
mod tests;

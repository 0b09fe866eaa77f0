//! dstack's attestation: a version, which kind, the evidence with its length before it, and what the producer
//! says of itself behind it (SCALE).

use super::{Format, Recognised, Unrecognised, single};
use crate::{Part, Platform, reader::Reader};

/// `None`: the bytes do not announce it, or the evidence in it is not of its kind.
pub(super) fn recognise(bytes: &[u8]) -> Option<Result<Recognised, Unrecognised>> {
    let mut reader = Reader::new(bytes);
    if reader.u8("version").ok()? != 0 {
        return None;
    }
    let (platform, part, expected) = match reader.u8("kind").ok()? {
        0 => (Platform::Tdx, Part::Quote, Format::TdxQuote),
        2 => (Platform::Nitro, Part::Document, Format::NitroDocument),
        3 => (Platform::Snp, Part::Report, Format::SnpReport),
        _ => return None,
    };
    let length = compact(&mut reader)?;
    let evidence = reader.take("evidence", length).ok()?;
    let left = reader.left();
    let inner = super::binary::recognise(evidence)?;
    let note = format!(
        "{left} bytes behind the evidence are the producer's own words and were passed over"
    );
    Some(inner.and_then(|inner| {
        if inner.format != expected {
            return Err(Unrecognised::Unknown {
                why: format!("dstack's attestation that holds {}", inner.format.as_str()),
            });
        }
        let mut notes = inner.notes;
        notes.push(note);
        Ok(Recognised {
            notes,
            ..single(Format::DstackAttestation, platform, part, evidence)
        })
    }))
}

/// A length in one, two or four bytes; the lowest two bits say in how many.
fn compact(reader: &mut Reader<'_>) -> Option<usize> {
    let first = reader.u8("length").ok()?;
    let length = match first & 3 {
        0 => u32::from(first) >> 2,
        1 => {
            let second = reader.u8("length").ok()?;
            u32::from(u16::from_le_bytes([first, second])) >> 2
        }
        2 => {
            let [second, third, fourth] = reader.array("length").ok()?;
            u32::from_le_bytes([first, second, third, fourth]) >> 2
        }
        _ => return None,
    };
    usize::try_from(length).ok()
}

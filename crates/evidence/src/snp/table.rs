//! The certificate table that the host hands to a guest (`auxblob`, GHCB extended guest request).

use crate::{
    Endorsements,
    reader::{Malformed, Reader},
};

/// One entry of the table. The host fills it: nothing in it is trusted for being there.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TableEntry<'a> {
    /// What it is.
    pub kind: EntryKind,
    /// Its bytes: a certificate or a revocation list, DER.
    pub data: &'a [u8],
}

/// What an entry says that it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum EntryKind {
    /// AMD's root.
    Ark,
    /// What AMD signs chips' keys with.
    Ask,
    /// The chip's key.
    Vcek,
    /// A key lent to a provider.
    Vlek,
    /// AMD's revocation list.
    Crl,
    /// A kind that is not known, by its bytes.
    Other([u8; 16]),
}

impl EntryKind {
    fn from_guid(guid: [u8; 16]) -> Self {
        match guid {
            VCEK => Self::Vcek,
            VLEK => Self::Vlek,
            ASK => Self::Ask,
            ARK => Self::Ark,
            CRL => Self::Crl,
            other => Self::Other(other),
        }
    }
}

/// Reads a certificate table; entries may lie in any order and may not reach beyond it.
///
/// # Errors
///
/// No closing entry, more than 16 entries, or an entry whose bytes are not there.
pub fn parse_table(table: &[u8]) -> Result<Vec<TableEntry<'_>>, Malformed> {
    let mut reader = Reader::new(table);
    let mut entries = Vec::new();
    loop {
        let at = reader.at();
        let guid: [u8; 16] = reader.array("entry kind")?;
        if guid == [0; 16] {
            return Ok(entries);
        }
        if entries.len() >= MAX_ENTRIES {
            let expected = format_args!("at most {MAX_ENTRIES} entries");
            return Err(Malformed::new("certificate table", at, expected, "more"));
        }
        let offset = reader.u32_le("entry offset")?;
        let length = reader.u32_le("entry length")?;
        let data = slice(table, offset, length).ok_or_else(|| {
            let found = format_args!("offset {offset}, length {length}");
            let expected = format_args!("bytes within {}", table.len());
            Malformed::new("certificate table entry", at, expected, found)
        })?;
        let kind = EntryKind::from_guid(guid);
        entries.push(TableEntry { kind, data });
    }
}

/// What a certificate table holds, as endorsements; entries of kinds that are not known are left out.
///
/// # Errors
///
/// Those of [`parse_table`].
pub fn endorsements(table: &[u8]) -> Result<Endorsements, Malformed> {
    let mut endorsements = Endorsements::default();
    for TableEntry { kind, data } in parse_table(table)? {
        match kind {
            EntryKind::Ark | EntryKind::Ask | EntryKind::Vcek | EntryKind::Vlek => {
                endorsements.certificates.push(data.to_vec());
            }
            EntryKind::Crl => endorsements.crls.push(data.to_vec()),
            EntryKind::Other(_) => {}
        }
    }
    Ok(endorsements)
}

fn slice(table: &[u8], offset: u32, length: u32) -> Option<&[u8]> {
    let offset = usize::try_from(offset).ok()?;
    let end = offset.checked_add(usize::try_from(length).ok()?)?;
    table.get(offset..end)
}

const MAX_ENTRIES: usize = 16;

// The first three groups of a GUID are stored least significant byte first in UEFI's tables, but this
// table stores all of it in the order it is written in.
const VCEK: [u8; 16] = *b"\x63\xda\x75\x8d\xe6\x64\x45\x64\xad\xc5\xf4\xb9\x3b\xe8\xac\xcd";
const VLEK: [u8; 16] = *b"\xa8\x07\x4b\xc2\xa2\x5a\x48\x3e\xaa\xe6\x39\xc0\x45\xa0\xb8\xa1";
const ASK: [u8; 16] = *b"\x4a\xb7\xb3\x79\xbb\xac\x4f\xe4\xa0\x2f\x05\xae\xf3\x27\xc7\x82";
const ARK: [u8; 16] = *b"\xc0\xb4\x06\xa4\xa8\x03\x49\x52\x97\x43\x3f\xb6\x01\x4c\xd0\xae";
const CRL: [u8; 16] = *b"\x92\xf8\x1b\xc3\x58\x11\x4d\x3d\x97\xff\xd1\x9f\x88\xdc\x67\xea";

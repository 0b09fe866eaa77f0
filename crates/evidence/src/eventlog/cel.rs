use std::collections::BTreeMap;

use super::{HashAlg, length};
use crate::reader::{Malformed, Reader};

/// A canonical event log in its TLV form, read in place.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CelLog<'a> {
    events: Vec<CelEvent<'a>>,
}

/// One record of it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CelEvent<'a> {
    /// The byte it begins at.
    pub at: usize,
    /// Its number in the log.
    pub number: u64,
    /// Whether its register is a PCR, or a TD's measurement register.
    pub registers: super::Registers,
    /// The register that it extended.
    pub register: u32,
    /// What was extended, for each algorithm.
    pub digests: Vec<(u16, &'a [u8])>,
    /// The type of its content.
    pub kind: u8,
    /// Its content.
    pub content: &'a [u8],
    /// Its content with type and length before it: what the digests are over.
    pub measured: &'a [u8],
}

impl<'a> CelLog<'a> {
    /// Reads a log.
    ///
    /// # Errors
    ///
    /// It ends in the middle of a record, its records are not numbered from 0 on, or a field is not the
    /// one that stands at its place.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes);
        let mut events: Vec<CelEvent<'a>> = Vec::new();
        while reader.left() > 0 {
            let event = CelEvent::read(&mut reader)?;
            let number = u64::try_from(events.len()).unwrap_or(u64::MAX);
            if event.number != number {
                return Err(Malformed::new(
                    "number of a record",
                    event.at,
                    number,
                    event.number,
                ));
            }
            events.push(event);
        }
        Ok(Self { events })
    }

    /// Its records.
    #[must_use]
    pub fn events(&self) -> &[CelEvent<'a>] {
        &self.events
    }

    /// The values that its records lead to, from zeros on, by the register's index.
    ///
    /// # Errors
    ///
    /// A record has no digest of this algorithm.
    pub fn replay(&self, bank: HashAlg) -> Result<BTreeMap<u32, Vec<u8>>, super::LogError> {
        let mut values: BTreeMap<u32, Vec<u8>> = BTreeMap::new();
        for (number, event) in self.events.iter().enumerate() {
            let digest = event.digest(bank).ok_or(super::LogError::DigestMissing {
                number,
                at: event.at,
                bank,
            })?;
            let value = values
                .entry(event.register)
                .or_insert_with(|| vec![0; bank.size()]);
            *value = bank.extend(value, digest);
        }
        Ok(values)
    }
}

impl<'a> CelEvent<'a> {
    /// What was extended into a bank.
    #[must_use]
    pub fn digest(&self, bank: HashAlg) -> Option<&'a [u8]> {
        let found = self.digests.iter().find(|(id, _)| *id == bank.id());
        found.map(|(_, digest)| *digest)
    }

    /// Whether its digest of a bank is over its content.
    #[must_use]
    pub fn is_measured(&self, bank: HashAlg) -> bool {
        self.digest(bank) == Some(bank.digest(self.measured).as_slice())
    }

    fn read(reader: &mut Reader<'a>) -> Result<Self, Malformed> {
        let at = reader.at();
        let (kind, number) = tlv(reader, "number of a record")?;
        let number = <[u8; 8]>::try_from(number).ok().filter(|_| kind == NUMBER);
        let number = number
            .ok_or_else(|| Malformed::new("number of a record", at, "type 0, 8 bytes", kind))?;
        let (kind, register) = tlv(reader, "register of a record")?;
        let (registers, register) = match (kind, register) {
            (PCR, [index]) => (super::Registers::Pcr, u32::from(*index)),
            (CC_REGISTER, [index]) => (super::Registers::Cc, u32::from(*index)),
            (_, _) => {
                let expected = "type 1 or 108, one byte";
                return Err(Malformed::new("register of a record", at, expected, kind));
            }
        };
        let (kind, list) = tlv(reader, "digests of a record")?;
        if kind != DIGESTS {
            return Err(Malformed::new("digests of a record", at, "type 3", kind));
        }
        let digests = digests(list, at)?;
        let mut content = *reader;
        let (kind, value) = tlv(reader, "content of a record")?;
        let size = reader.at().saturating_sub(content.at());
        let measured = content.take("content of a record", size)?;
        Ok(Self {
            at,
            number: u64::from_be_bytes(number),
            registers,
            register,
            digests,
            kind,
            content: value,
            measured,
        })
    }
}

fn digests(list: &[u8], at: usize) -> Result<Vec<(u16, &[u8])>, Malformed> {
    let mut reader = Reader::new(list);
    let mut digests: Vec<(u16, &[u8])> = Vec::new();
    while reader.left() > 0 {
        let (id, digest) = tlv(&mut reader, "digest of a record")?;
        let id = u16::from(id);
        let sized = HashAlg::from_id(id).is_none_or(|alg| alg.size() == digest.len());
        if !sized || digests.iter().any(|(known, _)| *known == id) {
            let expected = "each algorithm once, with its size";
            return Err(Malformed::new(
                "digest of a record",
                at,
                expected,
                format!("{id:#06x}"),
            ));
        }
        digests.push((id, digest));
    }
    Ok(digests)
}

fn tlv<'a>(reader: &mut Reader<'a>, what: &'static str) -> Result<(u8, &'a [u8]), Malformed> {
    let kind = reader.u8(what)?;
    let size = reader.u32_be(what)?;
    Ok((kind, reader.take(what, length(size))?))
}

const NUMBER: u8 = 0;
const PCR: u8 = 1;
const DIGESTS: u8 = 3;
const CC_REGISTER: u8 = 108;

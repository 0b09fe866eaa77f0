//! Boot event logs: TCG2 logs of a TPM, CCEL of a TD, and what the kernel adds to them.
//!
//! A log is a claim. A replay that arrives at quoted registers proves the digests in it and their
//! order. It proves neither the type of an event, which is not measured, nor its data: an event's data
//! counts only where its digest is recomputed from it ([`Event::payload`]).

mod cel;
mod hash;
mod ima;
mod json;
mod kind;
mod order;
mod payload;
mod show;

use std::collections::BTreeMap;

pub use cel::{CelEvent, CelLog};
pub use hash::{HashAlg, Hasher};
pub use ima::{ImaEntry, ImaLog};
pub use json::{JsonEvent, JsonLog};
pub use kind::{Kind, kind_name};
pub use order::Oddity;
pub use payload::{Payload, Preimage, Variable};
pub(crate) use show::{show, show_ima};

use crate::reader::{Malformed, Reader};

/// Which registers a log's indexes mean.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Registers {
    /// PCRs of a TPM.
    Pcr,
    /// A TD's measurement registers: 0 is MRTD, n is RTMR n-1.
    Cc,
}

/// A log, read in place.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct EventLog<'a> {
    registers: Registers,
    banks: Vec<Bank>,
    events: Vec<Event<'a>>,
    locality: Option<u8>,
    end: usize,
}

/// An algorithm that the log lists, and how long its digests are.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Bank {
    /// The number that TCG gave the algorithm.
    pub id: u16,
    /// How many bytes a digest has.
    pub size: usize,
}

/// One event of a log.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Event<'a> {
    /// Its place in the log, from 1 on; the header is not counted.
    pub number: usize,
    /// The byte it begins at.
    pub at: usize,
    /// The register that it extended: a PCR, or an MR index in a CCEL.
    pub register: u32,
    /// Its type. It is not measured.
    pub kind: u32,
    /// What was extended, for each algorithm.
    pub digests: Vec<(u16, &'a [u8])>,
    /// Its data. It is measured only where a digest is over it.
    pub data: &'a [u8],
}

/// Why a log says nothing about a register.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum LogError {
    /// The log has no digests of the algorithm.
    #[error("the log has no {0} digests")]
    NoBank(HashAlg),
    /// An event has no digest of an algorithm that the log lists.
    #[error("event {number} at byte {at} has no {bank} digest")]
    DigestMissing {
        /// The event.
        number: usize,
        /// Where it begins.
        at: usize,
        /// The algorithm.
        bank: HashAlg,
    },
}

/// Reads a TPM's log.
///
/// # Errors
///
/// It is not a crypto-agile TCG2 log, or it ends in the middle of an event, or something else than
/// filler follows its last event.
pub fn parse(bytes: &[u8]) -> Result<EventLog<'_>, Malformed> {
    EventLog::read(bytes, Registers::Pcr)
}

/// Reads a TD's log, as the ACPI table CCEL points to it.
///
/// # Errors
///
/// As [`parse`].
pub fn parse_ccel(bytes: &[u8]) -> Result<EventLog<'_>, Malformed> {
    EventLog::read(bytes, Registers::Cc)
}

impl<'a> EventLog<'a> {
    /// Which registers its indexes mean.
    #[must_use]
    pub const fn registers(&self) -> Registers {
        self.registers
    }

    /// The algorithms that it lists.
    #[must_use]
    pub fn banks(&self) -> &[Bank] {
        &self.banks
    }

    /// Its events, without the header.
    #[must_use]
    pub fn events(&self) -> &[Event<'a>] {
        &self.events
    }

    /// The locality that the TPM was started from, where the log says so. It is PCR 0's first value.
    #[must_use]
    pub const fn locality(&self) -> Option<u8> {
        self.locality
    }

    /// How many bytes it has without the filler behind it.
    #[must_use]
    pub const fn end(&self) -> usize {
        self.end
    }

    /// The values that its events lead to, for every register that an event extended.
    ///
    /// # Errors
    ///
    /// The log, or one of its events, has no digest of this algorithm.
    pub fn replay(&self, bank: HashAlg) -> Result<BTreeMap<u32, Vec<u8>>, LogError> {
        if !self.banks.iter().any(|known| known.id == bank.id()) {
            return Err(LogError::NoBank(bank));
        }
        let mut values: BTreeMap<u32, Vec<u8>> = BTreeMap::new();
        for event in self.extended() {
            let digest = event.digest(bank).ok_or(LogError::DigestMissing {
                number: event.number,
                at: event.at,
                bank,
            })?;
            let value = values
                .entry(event.register)
                .or_insert_with(|| self.first_value(event.register, bank));
            *value = bank.extend(value, digest);
        }
        Ok(values)
    }

    /// The value of a register before its first event.
    #[must_use]
    pub fn first_value(&self, register: u32, bank: HashAlg) -> Vec<u8> {
        let mut value = vec![0; bank.size()];
        if let (0, Some(locality), Some(last)) = (register, self.locality, value.last_mut()) {
            *last = locality;
        }
        value
    }

    /// The events that extended a register: all but those that only tell something.
    pub fn extended(&self) -> impl Iterator<Item = &Event<'a>> {
        self.events
            .iter()
            .filter(|event| event.kind != Kind::NoAction.id())
    }

    fn read(bytes: &'a [u8], registers: Registers) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes);
        let banks = header(&mut reader)?;
        let mut log = Self {
            registers,
            banks,
            events: Vec::new(),
            locality: None,
            end: 0,
        };
        while !at_end(&reader)? {
            let event = log.event(&mut reader)?;
            if log.events.len() >= MOST_EVENTS {
                let expected = format!("at most {MOST_EVENTS}");
                return Err(Malformed::new(
                    "number of events",
                    event.at,
                    expected,
                    "more",
                ));
            }
            log.startup(&event)?;
            log.events.push(event);
        }
        log.end = reader.at();
        Ok(log)
    }

    fn event(&self, reader: &mut Reader<'a>) -> Result<Event<'a>, Malformed> {
        let at = reader.at();
        let register = reader.u32_le("register of an event")?;
        let kind = reader.u32_le("type of an event")?;
        let last = match self.registers {
            Registers::Pcr => LAST_PCR,
            Registers::Cc => LAST_MR,
        };
        if register > last && kind != Kind::NoAction.id() {
            let expected = format!("at most {last}");
            return Err(Malformed::new(
                "register of an event",
                at,
                expected,
                register,
            ));
        }
        let digests = self.digests(reader)?;
        let size = reader.u32_le("size of an event's data")?;
        let data = reader.take("data of an event", length(size))?;
        Ok(Event {
            number: self.events.len().saturating_add(1),
            at,
            register,
            kind,
            digests,
            data,
        })
    }

    fn digests(&self, reader: &mut Reader<'a>) -> Result<Vec<(u16, &'a [u8])>, Malformed> {
        let at = reader.at();
        let count = reader.u32_le("number of an event's digests")?;
        if length(count) > self.banks.len() {
            return Err(Malformed::new(
                "number of an event's digests",
                at,
                format!("at most {}, one for each bank", self.banks.len()),
                count,
            ));
        }
        let mut digests: Vec<(u16, &'a [u8])> = Vec::new();
        for _ in 0..count {
            let at = reader.at();
            let id = reader.u16_le("algorithm of a digest")?;
            let bank = self.banks.iter().find(|bank| bank.id == id);
            let fresh = !digests.iter().any(|(known, _)| *known == id);
            let (Some(bank), true) = (bank, fresh) else {
                let expected = "an algorithm of the log's header, once";
                return Err(Malformed::new(
                    "algorithm of a digest",
                    at,
                    expected,
                    format!("{id:#06x}"),
                ));
            };
            digests.push((id, reader.take("digest of an event", bank.size)?));
        }
        Ok(digests)
    }

    /// Takes the locality from a `StartupLocality` event. It says what PCR 0 began with, so a second
    /// one, or one after PCR 0 was extended, would rewrite what has been replayed.
    fn startup(&mut self, event: &Event<'a>) -> Result<(), Malformed> {
        let told = event.data.strip_prefix(STARTUP_LOCALITY);
        let (Registers::Pcr, true, Some(told)) =
            (self.registers, event.kind == Kind::NoAction.id(), told)
        else {
            return Ok(());
        };
        let late = self.extended().any(|event| event.register == 0);
        match (told, self.locality) {
            ([locality @ 0..=4], None) if !late => {
                self.locality = Some(*locality);
                Ok(())
            }
            (_, _) => Err(Malformed::new(
                "StartupLocality",
                event.at,
                "one locality from 0 to 4, once, before the first event of PCR 0",
                crate::hex::encode(told),
            )),
        }
    }
}

impl<'a> Event<'a> {
    /// What was extended into a bank.
    #[must_use]
    pub fn digest(&self, bank: HashAlg) -> Option<&'a [u8]> {
        let found = self.digests.iter().find(|(id, _)| *id == bank.id());
        found.map(|(_, digest)| *digest)
    }
}

/// The header: a legacy event that lists the algorithms.
fn header(reader: &mut Reader<'_>) -> Result<Vec<Bank>, Malformed> {
    // The header extends nothing, and firmware of TDs names register 1 here.
    reader.take("register of the header", 4)?;
    let kind = reader.u32_le("type of the header")?;
    reader.take("digest of the header", 20)?;
    let size = reader.u32_le("size of the header")?;
    let at = reader.at();
    let mut header = Reader::new(reader.take("header", length(size))?);
    let signature = header.take("signature of the header", SPEC_ID.len())?;
    if kind != Kind::NoAction.id() || signature != SPEC_ID {
        return Err(Malformed::new(
            "header",
            at,
            "`Spec ID Event03` (a crypto-agile log)",
            crate::hex::encode(signature),
        ));
    }
    header.take("class and version", 8)?;
    let count = header.u32_le("number of algorithms")?;
    let mut banks: Vec<Bank> = Vec::new();
    if count == 0 || count > MOST_BANKS {
        return Err(Malformed::new(
            "number of algorithms",
            at,
            format!("1 to {MOST_BANKS}"),
            count,
        ));
    }
    for _ in 0..count {
        let id = header.u16_le("algorithm")?;
        let size = usize::from(header.u16_le("size of its digests")?);
        let known = HashAlg::from_id(id).is_none_or(|alg| alg.size() == size);
        let twice = banks.iter().any(|bank| bank.id == id);
        if !known || twice || size == 0 {
            let found = format!("{id:#06x} with {size} bytes");
            return Err(Malformed::new(
                "algorithm",
                at,
                "each once, with its size",
                found,
            ));
        }
        banks.push(Bank { id, size });
    }
    let vendor = header.u8("size of the vendor's data")?;
    header.take("vendor's data", usize::from(vendor))?;
    header.end("header")?;
    Ok(banks)
}

/// Whether the log ends here: with the bytes, or with filler of one kind up to their end. Anything
/// else behind the last event would be evidence that nobody looks at.
fn at_end(reader: &Reader<'_>) -> Result<bool, Malformed> {
    let rest = reader.rest();
    let filler = match (rest.first_chunk::<4>(), rest.first_chunk::<8>()) {
        (None, _) => return Ok(rest.is_empty()),
        // Without a register; but an event that only tells something may name none.
        (Some([0xff, 0xff, 0xff, 0xff]), Some([.., 3, 0, 0, 0])) => return Ok(false),
        (Some([0xff, 0xff, 0xff, 0xff]), _) => 0xff,
        (_, Some([0, 0, 0, 0, 0, 0, 0, 0])) => 0,
        (_, _) => return Ok(false),
    };
    match rest.iter().position(|byte| *byte != filler) {
        None => Ok(true),
        Some(place) => Err(Malformed::new(
            "end of the log",
            reader.at().saturating_add(place),
            format!("{filler:#04x} up to the end"),
            "other bytes",
        )),
    }
}

/// A length that was read; one that does not fit a `usize` is longer than anything that can be there.
pub(crate) fn length(value: u32) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}

const SPEC_ID: &[u8] = b"Spec ID Event03\0";
const STARTUP_LOCALITY: &[u8] = b"StartupLocality\0";
/// PCRs 0 to 23 are all that a platform has.
const LAST_PCR: u32 = 23;
/// MRTD and four RTMRs.
const LAST_MR: u32 = 4;
/// Logs of real machines have some hundreds.
const MOST_EVENTS: usize = 1 << 16;
/// TCG has given numbers to fewer hash algorithms.
const MOST_BANKS: u32 = 16;

#[cfg(test)]
pub(crate) mod tests;

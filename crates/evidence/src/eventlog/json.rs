use std::collections::BTreeMap;

use cmcp_json::{Limits, Value, parse};

use super::HashAlg;
use crate::{hex, reader::Malformed};

/// A TD's log as dstack writes it: a JSON array, with RTMRs by their own number.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct JsonLog {
    events: Vec<JsonEvent>,
}

/// One event of it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct JsonEvent {
    /// The RTMR that it extended, 0 to 3.
    pub rtmr: u32,
    /// Its type.
    pub kind: u32,
    /// What was extended; empty where the log leaves that to its reader.
    pub digest: Vec<u8>,
    /// Its name.
    pub name: String,
    /// Its data.
    pub payload: Vec<u8>,
}

impl JsonLog {
    /// Reads a log.
    ///
    /// # Errors
    ///
    /// It is not an array of events with exactly these members.
    pub fn parse(text: &[u8]) -> Result<Self, Malformed> {
        let wrong =
            |expected: &'static str, found: String| Malformed::new("event log", 0, expected, found);
        let value = parse(text, &Limits::DOCUMENT)
            .map_err(|error| wrong("one JSON document", error.to_string()))?;
        let list = value
            .as_array()
            .ok_or_else(|| wrong("an array of events", value.kind().to_string()))?;
        let events: Result<Vec<JsonEvent>, Malformed> = list
            .iter()
            .enumerate()
            .map(|(number, value)| JsonEvent::read(value, number))
            .collect();
        events.map(|events| Self { events })
    }

    /// Its events.
    #[must_use]
    pub fn events(&self) -> &[JsonEvent] {
        &self.events
    }

    /// The values that the digests it lists lead to, by the number of the RTMR. An event without a
    /// digest is taken for what it says: nothing of the right length was extended, so its RTMR gets
    /// no value.
    #[must_use]
    pub fn replay(&self) -> BTreeMap<u32, Option<Vec<u8>>> {
        let bank = HashAlg::Sha384;
        let mut values: BTreeMap<u32, Option<Vec<u8>>> = BTreeMap::new();
        for event in &self.events {
            let value = values
                .entry(event.rtmr)
                .or_insert_with(|| Some(vec![0; bank.size()]));
            let whole = event.digest.len() == bank.size();
            *value = match value.take() {
                Some(before) if whole => Some(bank.extend(&before, &event.digest)),
                Some(_) | None => None,
            };
        }
        values
    }
}

impl JsonEvent {
    /// Whether its digest is over its name and payload. Only events of the application's own type are
    /// made that way; for the others this says nothing.
    #[must_use]
    pub fn is_measured(&self) -> Option<bool> {
        let kind = self.kind.to_le_bytes();
        let over =
            HashAlg::Sha384.digest_of(&[&kind, b":", self.name.as_bytes(), b":", &self.payload]);
        (self.kind == APPLICATION_EVENT).then(|| over == self.digest)
    }

    fn read(value: &Value, number: usize) -> Result<Self, Malformed> {
        let wrong = |what: &'static str, expected: &'static str| {
            Malformed::new(what, number, expected, "something else")
        };
        let object = value
            .as_object()
            .ok_or_else(|| wrong("event of the log", "an object"))?;
        if object.keys().any(|name| !MEMBERS.contains(&name)) {
            return Err(wrong(
                "event of the log",
                "no other members than known ones",
            ));
        }
        let number = |name: &'static str, most: u64| {
            let number = value.get(name).and_then(Value::as_u64);
            number
                .filter(|number| *number <= most)
                .and_then(|number| u32::try_from(number).ok())
                .ok_or_else(|| wrong(name, "a number that is not too large"))
        };
        let text = |name: &'static str| {
            let text = value.get(name).and_then(Value::as_str);
            text.ok_or_else(|| wrong(name, "a text"))
        };
        let bytes = |name: &'static str| {
            hex::decode(text(name)?).map_err(|_| wrong(name, "hexadecimal digits"))
        };
        Ok(Self {
            rtmr: number("imr", 3)?,
            kind: number("event_type", u32::MAX.into())?,
            digest: bytes("digest")?,
            name: text("event")?.to_owned(),
            payload: bytes("event_payload")?,
        })
    }
}

const MEMBERS: [&str; 5] = ["imr", "event_type", "digest", "event", "event_payload"];
/// The type of events that the application's runtime extends into RTMR3.
const APPLICATION_EVENT: u32 = 0x0800_0001;

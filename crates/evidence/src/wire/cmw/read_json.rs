use cmcp_json::{Limits, Value};

use super::{Cmw, CmwError, Collection, DEPTH, KIND, Kind, Label, Purpose, Record, join, media};
use crate::b64;

/// Reads a record or a collection.
pub(super) fn read(value: &Value, place: &str, depth: u8) -> Result<Cmw, CmwError> {
    match value {
        Value::Array(items) => record(items, place).map(Cmw::Record),
        Value::Object(members) => {
            if depth >= DEPTH {
                let place = place.to_owned();
                return Err(CmwError::Deep { place });
            }
            let mut collection = Collection {
                kind: None,
                entries: Vec::new(),
            };
            for (label, value) in members.iter() {
                let place = join(place, label);
                if label == KIND {
                    let found = named(value);
                    let kind = value.as_str().ok_or(CmwError::Shape { place, found })?;
                    collection.kind = Some(kind.to_owned());
                } else {
                    let cmw = read(value, &place, depth.saturating_add(1))?;
                    let label = Label::Text(label.to_owned());
                    collection.entries.push((label, cmw));
                }
            }
            if collection.entries.is_empty() {
                let place = place.to_owned();
                return Err(CmwError::Empty { place });
            }
            Ok(Cmw::Collection(collection))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            Err(CmwError::Shape {
                place: place.to_owned(),
                found: named(value),
            })
        }
    }
}

fn record(items: &[Value], place: &str) -> Result<Record, CmwError> {
    let (kind, value, purpose) = match items {
        [kind, value] => (kind, value, None),
        [kind, value, purpose] => (kind, value, Some(purpose)),
        _ => {
            return Err(CmwError::Shape {
                place: place.to_owned(),
                found: "a list of another length",
            });
        }
    };
    let bytes = value.as_str().ok_or_else(|| CmwError::Shape {
        place: place.to_owned(),
        found: named(value),
    })?;
    let value = b64::decode(bytes).map_err(|error| CmwError::Base64 {
        place: place.to_owned(),
        error,
    })?;
    let purpose = purpose.map(|purpose| {
        let bits = purpose.as_u64().ok_or_else(|| CmwError::Shape {
            place: place.to_owned(),
            found: named(purpose),
        })?;
        Purpose::of(bits)
    });
    Ok(Record {
        kind: kind_of(kind, place)?,
        value,
        purpose: purpose.transpose()?,
    })
}

fn kind_of(kind: &Value, place: &str) -> Result<Kind, CmwError> {
    let number = kind.as_u64().and_then(|number| u16::try_from(number).ok());
    match (kind.as_str(), number) {
        (Some(name), _) => media(name, place),
        (None, Some(number)) => Ok(Kind::ContentFormat(number)),
        (None, None) => Err(CmwError::Kind {
            place: place.to_owned(),
            found: named(kind).to_owned(),
        }),
    }
}

/// What it is, for a message.
const fn named(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

pub(super) const LIMITS: Limits = Limits {
    bytes: 24 << 20,
    depth: 16,
    members: 4096,
    members_per_object: 256,
    elements: 4096,
    string_bytes: 24 << 20,
    ..Limits::DOCUMENT
};

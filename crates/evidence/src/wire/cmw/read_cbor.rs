use super::{Cmw, CmwError, Collection, DEPTH, KIND, Kind, Label, Purpose, Record, join, media};
use crate::cbor::Item;

/// Reads a record, one with a tag for its type, or a collection.
pub(super) fn read(item: &Item<'_>, place: &str, depth: u8) -> Result<Cmw, CmwError> {
    match item {
        Item::Array(items) => record(items, place).map(Cmw::Record),
        Item::Tag(tag, value) => {
            let number = content_format(*tag).ok_or_else(|| CmwError::Tag {
                place: place.to_owned(),
                tag: *tag,
            })?;
            Ok(Cmw::Record(Record {
                kind: Kind::ContentFormat(number),
                value: bytes(value, place)?,
                purpose: None,
            }))
        }
        Item::Map(pairs) => collection(pairs, place, depth).map(Cmw::Collection),
        Item::Uint(_)
        | Item::Nint(_)
        | Item::Bytes(_)
        | Item::Text(_)
        | Item::Bool(_)
        | Item::Null => Err(shape(item, place)),
    }
}

fn collection(
    pairs: &[(Item<'_>, Item<'_>)],
    place: &str,
    depth: u8,
) -> Result<Collection, CmwError> {
    if depth >= DEPTH {
        let place = place.to_owned();
        return Err(CmwError::Deep { place });
    }
    let mut collection = Collection {
        kind: None,
        entries: Vec::new(),
    };
    for (label, value) in pairs {
        if label.as_text() == Some(KIND) {
            let kind = value.as_text().ok_or_else(|| shape(value, place))?;
            collection.kind = Some(kind.to_owned());
            continue;
        }
        let label = match (label.as_text(), label.as_int()) {
            (Some(text), _) => Label::Text(text.to_owned()),
            (None, Some(number)) => Label::Number(number),
            (None, None) => {
                return Err(CmwError::Label {
                    place: place.to_owned(),
                    found: label.kind(),
                });
            }
        };
        let place = join(place, &label.to_string());
        let cmw = read(value, &place, depth.saturating_add(1))?;
        collection.entries.push((label, cmw));
    }
    if collection.entries.is_empty() {
        let place = place.to_owned();
        return Err(CmwError::Empty { place });
    }
    Ok(collection)
}

fn record(items: &[Item<'_>], place: &str) -> Result<Record, CmwError> {
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
    let purpose = purpose.map(|purpose| {
        let bits = purpose.as_uint().ok_or_else(|| shape(purpose, place))?;
        Purpose::of(bits)
    });
    Ok(Record {
        kind: kind_of(kind, place)?,
        value: bytes(value, place)?,
        purpose: purpose.transpose()?,
    })
}

fn kind_of(kind: &Item<'_>, place: &str) -> Result<Kind, CmwError> {
    let number = kind.as_uint().and_then(|number| u16::try_from(number).ok());
    match (kind.as_text(), number) {
        (Some(name), _) => media(name, place),
        (None, Some(number)) => Ok(Kind::ContentFormat(number)),
        (None, None) => Err(CmwError::Kind {
            place: place.to_owned(),
            found: kind.kind().to_owned(),
        }),
    }
}

/// The content format that a tag stands for (RFC 9277, section 4.3): 255 of them to each run of 256 tags.
fn content_format(tag: u64) -> Option<u16> {
    let place = tag.checked_sub(FIRST_TAG)?;
    let (high, low) = (place >> 8, place & 0xff);
    if low == 255 {
        return None;
    }
    let number = high.checked_mul(255)?.checked_add(low)?;
    u16::try_from(number)
        .ok()
        .filter(|number| *number < u16::MAX)
}

fn bytes(item: &Item<'_>, place: &str) -> Result<Vec<u8>, CmwError> {
    let bytes = item.as_bytes().ok_or_else(|| shape(item, place))?;
    Ok(bytes.to_vec())
}

fn shape(item: &Item<'_>, place: &str) -> CmwError {
    CmwError::Shape {
        place: place.to_owned(),
        found: item.kind(),
    }
}

const FIRST_TAG: u64 = 0x6374_0101;

use std::collections::BTreeSet;

use super::{Item, Limits, Width};
use crate::reader::Reader;

/// Why bytes are not the CBOR that is read here, and at which byte.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum CborError {
    /// More bytes than are read.
    #[error("{length} bytes of CBOR are more than the {limit} that are read")]
    Large {
        /// How many there are.
        length: usize,
        /// How many are read.
        limit: usize,
    },
    /// The bytes end inside an item.
    #[error("byte {at}: the CBOR ends inside {what}")]
    Ended {
        /// What is cut.
        what: &'static str,
        /// Where it begins.
        at: usize,
    },
    /// An indefinite length.
    #[error("byte {at}: an indefinite length; write definite lengths only")]
    Indefinite {
        /// Where it is.
        at: usize,
    },
    /// A number is written in more bytes than it needs.
    #[error("byte {at}: a number is not in its shortest form")]
    Wide {
        /// Where it is.
        at: usize,
    },
    /// A head that has no meaning, a floating-point number or a simple value other than true, false and null.
    #[error("byte {at}: `{byte:02x}` begins no item that evidence is made of")]
    Unknown {
        /// Where it is.
        at: usize,
        /// The byte.
        byte: u8,
    },
    /// Items inside each other, too deep.
    #[error("byte {at}: items are nested deeper than {limit}")]
    Deep {
        /// Where it gets too deep.
        at: usize,
        /// How deep they may be.
        limit: u8,
    },
    /// Too many items.
    #[error("byte {at}: more than {limit} items")]
    Many {
        /// Where the first of too many is.
        at: usize,
        /// How many are read.
        limit: usize,
    },
    /// A text string is not UTF-8.
    #[error("byte {at}: a text string is not UTF-8")]
    NotUtf8 {
        /// Where it begins.
        at: usize,
    },
    /// A map has a key twice.
    #[error("byte {at}: a map has this key twice")]
    Duplicate {
        /// Where the second is.
        at: usize,
    },
    /// A map's key is not a number or a string.
    #[error("byte {at}: a map's key is {found}; keys are numbers or strings")]
    Key {
        /// Where it is.
        at: usize,
        /// What it is.
        found: &'static str,
    },
    /// Something stands behind the one item.
    #[error("byte {at}: {left} bytes behind the end of the item")]
    Trailing {
        /// Where the item ends.
        at: usize,
        /// What is left.
        left: usize,
    },
}

/// Reads one item that is the whole of `bytes`. What is allocated is bounded by the items that are there,
/// never by a length that is claimed.
///
/// # Errors
///
/// The first thing that is not as it has to be.
pub fn parse<'a>(bytes: &'a [u8], limits: &Limits) -> Result<Item<'a>, CborError> {
    if bytes.len() > limits.bytes {
        return Err(CborError::Large {
            length: bytes.len(),
            limit: limits.bytes,
        });
    }
    let mut parser = Parser {
        reader: Reader::new(bytes),
        limits,
        items: 0,
    };
    let item = parser.item(0)?;
    match parser.reader.left() {
        0 => Ok(item),
        left => Err(CborError::Trailing {
            at: parser.reader.at(),
            left,
        }),
    }
}

/// Reads a map that is the whole of `bytes` and whose own length may be indefinite: so the Nitro
/// hypervisor writes its documents. What is inside has definite lengths.
///
/// # Errors
///
/// The first thing that is not as it has to be.
pub fn parse_open_map<'a>(bytes: &'a [u8], limits: &Limits) -> Result<Item<'a>, CborError> {
    if bytes.first() != Some(&OPEN_MAP) {
        return parse(bytes, limits);
    }
    if bytes.len() > limits.bytes {
        let (length, limit) = (bytes.len(), limits.bytes);
        return Err(CborError::Large { length, limit });
    }
    let mut parser = Parser {
        reader: Reader::new(bytes),
        limits,
        items: 0,
    };
    let _head = parser.head_byte();
    let mut pairs = Vec::new();
    let mut seen = BTreeSet::new();
    while parser.reader.rest().first() != Some(&BREAK) {
        pairs.push(parser.pair(&mut seen, 1)?);
    }
    let _break = parser.head_byte();
    match parser.reader.left() {
        0 => Ok(Item::Map(pairs)),
        left => Err(CborError::Trailing {
            at: parser.reader.at(),
            left,
        }),
    }
}

struct Parser<'a, 'l> {
    reader: Reader<'a>,
    limits: &'l Limits,
    items: usize,
}

impl<'a> Parser<'a, '_> {
    fn item(&mut self, depth: u8) -> Result<Item<'a>, CborError> {
        let at = self.reader.at();
        if depth >= self.limits.depth {
            let limit = self.limits.depth;
            return Err(CborError::Deep { at, limit });
        }
        self.items = self.items.saturating_add(1);
        if self.items > self.limits.items {
            let limit = self.limits.items;
            return Err(CborError::Many { at, limit });
        }
        let inner = depth.saturating_add(1);
        let head = self.head(at)?;
        let number = head.number;
        match head.major {
            0 => Ok(Item::Uint(number)),
            1 => Ok(Item::Nint(number)),
            2 => self.string(at, "a byte string", number).map(Item::Bytes),
            3 => {
                let bytes = self.string(at, "a text string", number)?;
                let text = str::from_utf8(bytes).map_err(|_| CborError::NotUtf8 { at })?;
                Ok(Item::Text(text))
            }
            4 => self.array(number, inner),
            5 => self.map(number, inner),
            6 => Ok(Item::Tag(number, Box::new(self.item(inner)?))),
            _ => simple(at, head),
        }
    }

    fn array(&mut self, length: u64, depth: u8) -> Result<Item<'a>, CborError> {
        let mut items = Vec::new();
        for _ in 0..length {
            items.push(self.item(depth)?);
        }
        Ok(Item::Array(items))
    }

    fn map(&mut self, length: u64, depth: u8) -> Result<Item<'a>, CborError> {
        let mut pairs = Vec::new();
        let mut seen = BTreeSet::new();
        for _ in 0..length {
            pairs.push(self.pair(&mut seen, depth)?);
        }
        Ok(Item::Map(pairs))
    }

    fn pair(
        &mut self,
        seen: &mut BTreeSet<Name<'a>>,
        depth: u8,
    ) -> Result<(Item<'a>, Item<'a>), CborError> {
        let at = self.reader.at();
        let key = self.item(depth)?;
        if !seen.insert(name(&key, at)?) {
            return Err(CborError::Duplicate { at });
        }
        Ok((key, self.item(depth)?))
    }

    fn string(
        &mut self,
        at: usize,
        what: &'static str,
        length: u64,
    ) -> Result<&'a [u8], CborError> {
        let ended = CborError::Ended { what, at };
        let length = usize::try_from(length).map_err(|_| ended.clone())?;
        self.reader.take(what, length).map_err(|_| ended)
    }

    fn head_byte(&mut self) -> Option<u8> {
        self.reader.u8("head").ok()
    }

    fn head(&mut self, at: usize) -> Result<Head, CborError> {
        let ended = |_| CborError::Ended {
            what: "the head of an item",
            at,
        };
        let byte = self.reader.u8("head").map_err(ended)?;
        let (major, low) = (byte >> 5, byte & 0x1f);
        let (number, least) = match low {
            0..=23 => (u64::from(low), 0),
            24 => (self.reader.u8("head").map_err(ended)?.into(), 24),
            25 => (self.reader.u16_be("head").map_err(ended)?.into(), 1 << 8),
            26 => (self.reader.u32_be("head").map_err(ended)?.into(), 1 << 16),
            27 => (self.reader.u64_be("head").map_err(ended)?, 1 << 32),
            31 if (2..=5).contains(&major) => return Err(CborError::Indefinite { at }),
            _ => return Err(CborError::Unknown { at, byte }),
        };
        if self.limits.width == Width::Shortest && number < least {
            return Err(CborError::Wide { at });
        }
        Ok(Head {
            major,
            byte,
            number,
        })
    }
}

struct Head {
    major: u8,
    byte: u8,
    number: u64,
}

// Two bytes (`f8 14`) can also stand for false; nobody may write it (RFC 8949, section 3.3).
fn simple<'a>(at: usize, head: Head) -> Result<Item<'a>, CborError> {
    match head.byte {
        0xf4 => Ok(Item::Bool(false)),
        0xf5 => Ok(Item::Bool(true)),
        0xf6 => Ok(Item::Null),
        byte => Err(CborError::Unknown { at, byte }),
    }
}

#[derive(Eq, Ord, PartialEq, PartialOrd)]
enum Name<'a> {
    Uint(u64),
    Nint(u64),
    Bytes(&'a [u8]),
    Text(&'a str),
}

fn name<'a>(key: &Item<'a>, at: usize) -> Result<Name<'a>, CborError> {
    match key {
        Item::Uint(number) => Ok(Name::Uint(*number)),
        Item::Nint(number) => Ok(Name::Nint(*number)),
        Item::Bytes(bytes) => Ok(Name::Bytes(bytes)),
        Item::Text(text) => Ok(Name::Text(text)),
        Item::Array(_) | Item::Map(_) | Item::Tag(..) | Item::Bool(_) | Item::Null => {
            let found = key.kind();
            Err(CborError::Key { at, found })
        }
    }
}

const OPEN_MAP: u8 = 0xbf;
const BREAK: u8 = 0xff;

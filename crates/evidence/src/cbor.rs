//! CBOR (RFC 8949), the strict part that evidence is written in: definite lengths, no floating point,
//! no key twice, nothing behind the end.

mod read;
mod write;

pub use read::{CborError, parse, parse_open_map};
pub use write::encode;

/// How wide a number or a length may be written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Width {
    /// As real issuers write it: any width that fits.
    Any,
    /// The shortest only, as deterministic encoding (RFC 8949, section 4.2.1) has it.
    Shortest,
}

/// What is read before a document is refused for its size alone.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Limits {
    /// Bytes of the document.
    pub bytes: usize,
    /// Arrays, maps and tags inside each other.
    pub depth: u8,
    /// Items of the whole document, keys included.
    pub items: usize,
    /// How wide a number may be written.
    pub width: Width,
}

impl Limits {
    /// A document of somebody else's: certificates of evidence, Nitro and COSE documents, CMW.
    pub const FOREIGN: Self = Self {
        bytes: 1 << 20,
        depth: 16,
        items: 1 << 14,
        width: Width::Any,
    };

    /// A document that only we write.
    pub const OWN: Self = Self {
        width: Width::Shortest,
        ..Self::FOREIGN
    };
}

/// One data item; strings are views into the bytes that were read.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Item<'a> {
    /// A number from zero.
    Uint(u64),
    /// The number `-1 - n`.
    Nint(u64),
    /// A byte string.
    Bytes(&'a [u8]),
    /// A text string.
    Text(&'a str),
    /// An array.
    Array(Vec<Item<'a>>),
    /// A map in the order it was written in. Keys are numbers, byte strings or text strings, each once.
    Map(Vec<(Item<'a>, Item<'a>)>),
    /// A tag and what it stands before.
    Tag(u64, Box<Item<'a>>),
    /// `true` or `false`.
    Bool(bool),
    /// `null`.
    Null,
}

impl<'a> Item<'a> {
    /// The number, where it is one from zero.
    #[must_use]
    pub const fn as_uint(&self) -> Option<u64> {
        match self {
            Self::Uint(number) => Some(*number),
            Self::Nint(_)
            | Self::Bytes(_)
            | Self::Text(_)
            | Self::Array(_)
            | Self::Map(_)
            | Self::Tag(..)
            | Self::Bool(_)
            | Self::Null => None,
        }
    }

    /// The number, where it is one of 63 bits and a sign.
    #[must_use]
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Self::Uint(number) => i64::try_from(*number).ok(),
            Self::Nint(number) => i64::try_from(*number).ok().map(|number| !number),
            Self::Bytes(_)
            | Self::Text(_)
            | Self::Array(_)
            | Self::Map(_)
            | Self::Tag(..)
            | Self::Bool(_)
            | Self::Null => None,
        }
    }

    /// The byte string.
    #[must_use]
    pub const fn as_bytes(&self) -> Option<&'a [u8]> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            Self::Uint(_)
            | Self::Nint(_)
            | Self::Text(_)
            | Self::Array(_)
            | Self::Map(_)
            | Self::Tag(..)
            | Self::Bool(_)
            | Self::Null => None,
        }
    }

    /// The text string.
    #[must_use]
    pub const fn as_text(&self) -> Option<&'a str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Uint(_)
            | Self::Nint(_)
            | Self::Bytes(_)
            | Self::Array(_)
            | Self::Map(_)
            | Self::Tag(..)
            | Self::Bool(_)
            | Self::Null => None,
        }
    }

    /// The items of the array.
    #[must_use]
    pub fn as_array(&self) -> Option<&[Self]> {
        match self {
            Self::Array(items) => Some(items),
            Self::Uint(_)
            | Self::Nint(_)
            | Self::Bytes(_)
            | Self::Text(_)
            | Self::Map(_)
            | Self::Tag(..)
            | Self::Bool(_)
            | Self::Null => None,
        }
    }

    /// The pairs of the map.
    #[must_use]
    pub fn as_map(&self) -> Option<&[(Self, Self)]> {
        match self {
            Self::Map(pairs) => Some(pairs),
            Self::Uint(_)
            | Self::Nint(_)
            | Self::Bytes(_)
            | Self::Text(_)
            | Self::Array(_)
            | Self::Tag(..)
            | Self::Bool(_)
            | Self::Null => None,
        }
    }

    /// The tag and what it stands before.
    #[must_use]
    pub fn as_tag(&self) -> Option<(u64, &Self)> {
        match self {
            Self::Tag(tag, item) => Some((*tag, item)),
            Self::Uint(_)
            | Self::Nint(_)
            | Self::Bytes(_)
            | Self::Text(_)
            | Self::Array(_)
            | Self::Map(_)
            | Self::Bool(_)
            | Self::Null => None,
        }
    }

    /// Whether it is `null`.
    #[must_use]
    pub const fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// The value of a map's text key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.find(|known| known.as_text() == Some(key))
    }

    /// The value of a map's number key.
    #[must_use]
    pub fn get_int(&self, key: i64) -> Option<&Self> {
        self.find(|known| known.as_int() == Some(key))
    }

    fn find(&self, is: impl Fn(&Self) -> bool) -> Option<&Self> {
        let found = self.as_map()?.iter().find(|(known, _)| is(known));
        found.map(|(_, value)| value)
    }

    /// What it is, for a message.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Uint(_) => "a number",
            Self::Nint(_) => "a negative number",
            Self::Bytes(_) => "a byte string",
            Self::Text(_) => "a text string",
            Self::Array(_) => "an array",
            Self::Map(_) => "a map",
            Self::Tag(..) => "a tag",
            Self::Bool(_) => "true or false",
            Self::Null => "null",
        }
    }
}

#[cfg(test)]
mod tests;

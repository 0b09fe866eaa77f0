//! An entry and its bytes.

use std::io;

use cmcp_evidence::{Sha256Digest, Timestamp};
use cmcp_json::{FromValueError, Limits, Nul, ParseError, Value};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::ser::{Formatter, Serializer as Writer};

use super::event::Kind;

/// One entry with its place in the log.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Entry<K = Kind> {
    /// The clock stood earlier than at the entry before; `time` repeats that entry's.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub clock_set_back: bool,
    /// The log, which is the session it was opened for.
    pub log: String,
    /// The entry before.
    pub prev: Prev,
    /// Its place, from 0.
    pub seq: u64,
    /// When it was written; never earlier than the entry before.
    #[serde(with = "time")]
    pub time: Timestamp,
    /// Format version.
    pub(crate) v: u64,
    /// What happened.
    #[serde(flatten)]
    pub kind: K,
}

impl Entry {
    /// Reads an entry back from its stored bytes.
    ///
    /// # Errors
    /// The bytes are not exactly what this version writes for any entry.
    pub fn parse(bytes: &[u8]) -> Result<Self, EntryError> {
        if bytes.len() > MAX {
            return Err(EntryError::Size { size: bytes.len() });
        }
        let value = cmcp_json::parse(bytes, &LIMITS)?;
        let version = value.get("v").and_then(Value::as_i64);
        if version != Some(1) {
            return Err(EntryError::Version { found: version });
        }
        let entry: Self = cmcp_json::from_value(&value)?;
        if entry.to_bytes()? == bytes {
            Ok(entry)
        } else {
            Err(EntryError::NotCanonical)
        }
    }
}

impl<K: Serialize> Entry<K> {
    /// The bytes that are stored and hashed.
    pub(crate) fn to_bytes(&self) -> Result<Vec<u8>, EntryError> {
        let mut marked = Vec::with_capacity(1_024);
        self.serialize(&mut Writer::with_formatter(
            &mut marked,
            Marking { depth: 0 },
        ))
        .map_err(|_| EntryError::Unwritable)?;
        let inner = marked
            .strip_prefix(b"{")
            .and_then(|rest| rest.strip_suffix(b"}"));
        let mut members: Vec<&[u8]> = inner
            .unwrap_or_default()
            .split(|&byte| byte == MARK)
            .skip(1)
            .collect();
        // Names are ASCII and unescaped, so bytes order as UTF-16 code units do.
        members.sort_unstable();
        let mut bytes = Vec::with_capacity(marked.len());
        bytes.push(b'{');
        for (place, member) in members.into_iter().enumerate() {
            if place > 0 {
                bytes.push(b',');
            }
            bytes.extend_from_slice(member);
        }
        bytes.push(b'}');
        if bytes.len() > MAX {
            return Err(EntryError::Size { size: bytes.len() });
        }
        Ok(bytes)
    }
}

/// Compact JSON, with a byte that JSON never has in front of each outermost member.
struct Marking {
    depth: usize,
}

impl Formatter for Marking {
    fn begin_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.depth = self.depth.saturating_add(1);
        writer.write_all(b"{")
    }

    fn end_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.depth = self.depth.saturating_sub(1);
        writer.write_all(b"}")
    }

    fn begin_object_key<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        match (self.depth, first) {
            (1, _) => writer.write_all(&[MARK]),
            (_, true) => Ok(()),
            (_, false) => writer.write_all(b","),
        }
    }
}

/// What the entry before was.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Prev {
    /// There is none.
    Genesis,
    /// SHA-256 of its stored bytes.
    Entry(Sha256Digest),
}

impl Serialize for Prev {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Genesis => serializer.serialize_str(GENESIS),
            Self::Entry(digest) => digest.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Prev {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text == GENESIS {
            return Ok(Self::Genesis);
        }
        text.parse()
            .map(Self::Entry)
            .map_err(|_| de::Error::custom("`prev` is neither a digest nor `genesis`"))
    }
}

/// Why bytes are not an entry.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum EntryError {
    /// A member is missing, or has a value it cannot have.
    #[error("a member is missing or has a value it cannot have: {0}")]
    Members(String),
    /// Not strict JSON.
    #[error("not strict JSON: {0}")]
    Json(#[from] ParseError),
    /// Another spelling of an entry, or members that no entry has.
    #[error("not the bytes that are written for this entry")]
    NotCanonical,
    /// Larger than an entry may be.
    #[error("{size} bytes are more than the {MAX} an entry may have")]
    Size {
        /// Bytes found.
        size: usize,
    },
    /// The entry has no JSON form.
    #[error("the entry cannot be written as JSON")]
    Unwritable,
    /// Another format version.
    #[error("format version {} is not 1; verify with the release that wrote it", shown(*found))]
    Version {
        /// What `v` says, if it is an integer.
        found: Option<i64>,
    },
}

impl From<FromValueError> for EntryError {
    fn from(error: FromValueError) -> Self {
        Self::Members(error.to_string())
    }
}

fn shown(version: Option<i64>) -> String {
    version.map_or_else(|| "(none)".to_owned(), |version| format!("`{version}`"))
}

/// Times as RFC 3339 text in UTC.
pub(crate) mod time {
    use super::{Deserialize, Deserializer, Serializer, Timestamp, de};

    pub(crate) fn serialize<S: Serializer>(
        time: &Timestamp,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&time.rfc3339())
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Timestamp, D::Error> {
        let text = String::deserialize(deserializer)?;
        Timestamp::parse_rfc3339(&text).map_err(|_| de::Error::custom("not an RFC 3339 time"))
    }

    /// The same for a time that may be absent.
    pub(crate) mod optional {
        use super::{Deserializer, Serializer, Timestamp};

        pub(crate) fn serialize<S: Serializer>(
            time: &Option<Timestamp>,
            serializer: S,
        ) -> Result<S::Ok, S::Error> {
            match time {
                Some(time) => super::serialize(time, serializer),
                None => serializer.serialize_none(),
            }
        }

        pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
            deserializer: D,
        ) -> Result<Option<Timestamp>, D::Error> {
            super::deserialize(deserializer).map(Some)
        }
    }
}

/// Bytes of the largest entry.
pub(crate) const MAX: usize = 65_535;
const GENESIS: &str = "genesis";
const MARK: u8 = 0xff;
const LIMITS: Limits = Limits {
    bytes: MAX,
    depth: 8,
    members: 4_096,
    members_per_object: 1_024,
    elements: 4_096,
    string_bytes: MAX,
    number_bytes: 32,
    // A path taken out of a response may name a member that has one.
    nul: Nul::Accept,
};

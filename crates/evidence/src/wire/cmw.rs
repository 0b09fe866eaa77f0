//! Conceptual message wrappers (RFC 9999): a media type, bytes, and what they are for; alone or in a
//! collection, as JSON, as CBOR, or in a certificate's extension.

mod read_cbor;
mod read_json;

use cmcp_json::{Object, ParseError, Value};

use crate::{
    b64,
    cbor::{self, CborError, Item},
    reader::Malformed,
};

/// What a wrapper holds.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Cmw {
    /// One message.
    Record(Record),
    /// Several, by label.
    Collection(Collection),
}

/// One message.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Record {
    /// What the bytes are.
    pub kind: Kind,
    /// The bytes.
    pub value: Vec<u8>,
    /// What they are for, where that is said.
    pub purpose: Option<Purpose>,
}

/// What a message's bytes are.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Kind {
    /// A media type.
    Media(String),
    /// A content format of CoAP, which is a media type's number.
    ContentFormat(u16),
}

/// What a message is for: bit 0 reference values, 1 endorsements, 2 evidence, 3 results.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Purpose(u8);

impl Purpose {
    /// Evidence, and nothing else.
    pub const EVIDENCE: Self = Self(4);

    fn of(bits: u64) -> Result<Self, CmwError> {
        match u8::try_from(bits) {
            Ok(bits @ 1..=15) => Ok(Self(bits)),
            Ok(_) | Err(_) => Err(CmwError::Purpose { bits }),
        }
    }

    /// Whether it is said to be evidence.
    #[must_use]
    pub const fn is_evidence(self) -> bool {
        self.0 & 4 != 0
    }

    /// The bits.
    #[must_use]
    pub const fn bits(self) -> u8 {
        self.0
    }
}

/// Several messages.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Collection {
    /// What the collection is: an object identifier or a URI.
    pub kind: Option<String>,
    /// The messages, in the order they were written in.
    pub entries: Vec<(Label, Cmw)>,
}

/// A message's name in a collection.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Label {
    /// A text.
    Text(String),
    /// A number; CBOR only.
    Number(i64),
}

/// Why bytes are no wrapper.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum CmwError {
    /// Not the JSON that is read here.
    #[error(transparent)]
    Json(#[from] ParseError),
    /// Not the CBOR that is read here.
    #[error(transparent)]
    Cbor(#[from] CborError),
    /// Not the DER that an extension holds.
    #[error(transparent)]
    Der(#[from] Malformed),
    /// Not an array of type, value and perhaps an indicator.
    #[error(
        "`{place}` is {found}, and a wrapper's record is a list of type, value and perhaps an indicator"
    )]
    Shape {
        /// Where.
        place: String,
        /// What is there.
        found: &'static str,
    },
    /// A type that is neither a media type nor a content format.
    #[error("`{place}`: {found} is no media type and no content format")]
    Kind {
        /// Where.
        place: String,
        /// What is there.
        found: String,
    },
    /// Bytes that are not canonical base64url.
    #[error("`{place}`: the value is {error}")]
    Base64 {
        /// Where.
        place: String,
        /// What is wrong.
        error: b64::B64Error,
    },
    /// An indicator with bits that have no meaning, or without any.
    #[error("indicator {bits}: bits 0 to 3 have a meaning, and one is set at least")]
    Purpose {
        /// The indicator.
        bits: u64,
    },
    /// A tag that stands for no content format.
    #[error("`{place}`: tag {tag} stands for no content format")]
    Tag {
        /// Where.
        place: String,
        /// The tag.
        tag: u64,
    },
    /// A label that is no text and no number.
    #[error("`{place}` has {found} as a label")]
    Label {
        /// In which collection.
        place: String,
        /// What the label is.
        found: &'static str,
    },
    /// A collection without a message.
    #[error("collection `{place}` is empty")]
    Empty {
        /// Which.
        place: String,
    },
    /// Collections inside each other, too deep.
    #[error("`{place}`: collections are nested deeper than {DEPTH}")]
    Deep {
        /// Where.
        place: String,
    },
}

impl Cmw {
    /// Reads one as JSON.
    ///
    /// # Errors
    ///
    /// What is wrong, and where.
    pub fn from_json(bytes: &[u8]) -> Result<Self, CmwError> {
        let document = cmcp_json::parse(bytes, &read_json::LIMITS)?;
        Self::from_value(&document)
    }

    pub(super) fn from_value(document: &Value) -> Result<Self, CmwError> {
        read_json::read(document, "", 0)
    }

    /// Reads one as CBOR.
    ///
    /// # Errors
    ///
    /// What is wrong, and where.
    pub fn from_cbor(bytes: &[u8]) -> Result<Self, CmwError> {
        let item = cbor::parse(bytes, &cbor::Limits::FOREIGN)?;
        read_cbor::read(&item, "", 0)
    }

    /// Reads one out of a certificate's extension 1.3.6.1.5.5.7.1.35: CBOR in a DER OCTET STRING, or JSON in a
    /// UTF8String.
    ///
    /// # Errors
    ///
    /// What is wrong, and where.
    pub fn from_extension(value: &[u8]) -> Result<Self, CmwError> {
        use crate::x509::der::{Der, OCTET_STRING, UTF8_STRING};
        let mut der = Der::new(value);
        match der.next_tag() {
            Some(UTF8_STRING) => {
                let text = der.expect("wrapper", UTF8_STRING)?;
                der.end("wrapper")?;
                Self::from_json(text.value)
            }
            Some(_) | None => {
                let bytes = der.expect("wrapper", OCTET_STRING)?;
                der.end("wrapper")?;
                Self::from_cbor(bytes.value)
            }
        }
    }

    /// Writes it as CBOR.
    #[must_use]
    pub fn to_cbor(&self) -> Vec<u8> {
        cbor::encode(&self.item())
    }

    fn item(&self) -> Item<'_> {
        match self {
            Self::Record(record) => {
                let mut items = vec![
                    match &record.kind {
                        Kind::Media(name) => Item::Text(name),
                        Kind::ContentFormat(number) => Item::Uint((*number).into()),
                    },
                    Item::Bytes(&record.value),
                ];
                items.extend(record.purpose.map(|it| Item::Uint(it.bits().into())));
                Item::Array(items)
            }
            Self::Collection(Collection { kind, entries }) => {
                let kind = kind
                    .as_deref()
                    .map(|kind| (Item::Text(KIND), Item::Text(kind)));
                let entries = entries.iter().map(|(label, cmw)| {
                    let label = match label {
                        Label::Text(text) => Item::Text(text),
                        Label::Number(number) => match u64::try_from(*number) {
                            Ok(number) => Item::Uint(number),
                            Err(_) => Item::Nint((!*number).unsigned_abs()),
                        },
                    };
                    (label, cmw.item())
                });
                Item::Map(kind.into_iter().chain(entries).collect())
            }
        }
    }

    /// Writes it as JSON; a number that labels a message is written as a text.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        self.value().to_vec()
    }

    fn value(&self) -> Value {
        match self {
            Self::Record(record) => {
                let mut items = vec![
                    match &record.kind {
                        Kind::Media(name) => Value::from(name.as_str()),
                        Kind::ContentFormat(number) => Value::from(u64::from(*number)),
                    },
                    Value::from(b64::encode(&record.value)),
                ];
                items.extend(record.purpose.map(|it| Value::from(u64::from(it.bits()))));
                Value::Array(items)
            }
            Self::Collection(Collection { kind, entries }) => {
                let mut members = Object::new();
                if let Some(kind) = kind {
                    members.insert(KIND, kind.as_str());
                }
                for (label, cmw) in entries {
                    let label = match label {
                        Label::Text(text) => text.clone(),
                        Label::Number(number) => number.to_string(),
                    };
                    members.insert(label, cmw.value());
                }
                Value::Object(members)
            }
        }
    }

    /// The messages, those of collections inside collections too, each with its place.
    #[must_use]
    pub fn records(&self) -> Vec<(String, &Record)> {
        match self {
            Self::Record(record) => vec![(String::new(), record)],
            Self::Collection(collection) => collection
                .entries
                .iter()
                .flat_map(|(label, cmw)| {
                    let label = label.to_string();
                    cmw.records().into_iter().map(move |(place, record)| {
                        let place = join(&label, &place);
                        (place, record)
                    })
                })
                .collect(),
        }
    }
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Media(name) => f.write_str(name),
            Self::ContentFormat(number) => write!(f, "content format {number}"),
        }
    }
}

impl std::fmt::Display for Label {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Number(number) => write!(f, "{number}"),
        }
    }
}

/// A media type is a type, a slash and a subtype (RFC 6838), perhaps with parameters.
fn media(name: &str, place: &str) -> Result<Kind, CmwError> {
    let plain = |text: &str| {
        !text.is_empty()
            && text
                .bytes()
                .all(|byte| byte.is_ascii_graphic() && byte != b'/')
    };
    let (whole, parameters) = name.split_once(';').unwrap_or((name, "a"));
    let printable = parameters.bytes().all(|byte| (0x20..0x7f).contains(&byte));
    match whole.split_once('/') {
        Some((kind, subtype)) if plain(kind) && plain(subtype) && printable => {
            Ok(Kind::Media(name.to_owned()))
        }
        Some(_) | None => Err(CmwError::Kind {
            place: place.to_owned(),
            found: format!("`{name}`"),
        }),
    }
}

fn join(place: &str, label: &str) -> String {
    match (place.is_empty(), label.is_empty()) {
        (true, _) => label.to_owned(),
        (_, true) => place.to_owned(),
        (false, false) => format!("{place}.{label}"),
    }
}

/// The member that says what a collection is.
const KIND: &str = "__cmwc_t";
const DEPTH: u8 = 4;

#[cfg(test)]
mod tests;

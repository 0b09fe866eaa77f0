//! The format: a signed CBOR map.

use crate::{
    Timestamp,
    cbor::{self, Item, Limits},
    cose::{Sign1, TagRule},
    reader::{Malformed, Reader},
};

/// What stands around the signed message.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Framing {
    /// Nothing: as the hypervisor gives it.
    Bare,
    /// CBOR tag 18.
    Tagged,
    /// The length of the message in four bytes, most significant first.
    LengthBigEndian,
    /// The length of the message in four bytes, least significant first.
    LengthLittleEndian,
}

impl Framing {
    /// What it is, for a reader.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Bare => "untagged",
            Self::Tagged => "tag 18",
            Self::LengthBigEndian => "four bytes of length, big endian",
            Self::LengthLittleEndian => "four bytes of length, little endian",
        }
    }
}

/// Whose registers a document holds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// An enclave's, measured by the hypervisor when it is made.
    Enclave,
    /// An instance's: those of its NitroTPM.
    Instance,
}

impl Kind {
    /// Its word in a policy.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Enclave => "enclave",
            Self::Instance => "instance",
        }
    }

    /// What the second part of a module's name begins with.
    #[must_use]
    pub const fn infix(self) -> &'static str {
        match self {
            Self::Enclave => "-enc",
            Self::Instance => "-tpm",
        }
    }
}

/// Registers by their numbers.
pub type Pcrs<'a> = Vec<(u8, &'a [u8])>;

/// A document as it came: nothing of it is believed before its signature and chain are verified.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Document<'a> {
    /// What stands around the message.
    pub framing: Framing,
    /// The signed message.
    pub cose: Sign1<'a>,
    /// Whose registers it holds.
    pub kind: Kind,
    /// The instance, and its enclave or TPM.
    pub module_id: &'a str,
    /// The digest of the registers.
    pub digest: &'a str,
    /// Milliseconds since 1970.
    pub timestamp: u64,
    /// The registers, in the order of their numbers.
    pub pcrs: Pcrs<'a>,
    /// The signing certificate, DER.
    pub certificate: &'a [u8],
    /// The chain above it, DER: the root first, the issuer last.
    pub cabundle: Vec<&'a [u8]>,
    /// What the enclave had signed with it: a key.
    pub public_key: Option<&'a [u8]>,
    /// What the enclave had signed with it.
    pub user_data: Option<&'a [u8]>,
    /// What the enclave had signed with it: somebody's challenge.
    pub nonce: Option<&'a [u8]>,
    /// Members of the map that no specification names.
    pub unknown: Vec<String>,
}

impl<'a> Document<'a> {
    /// Reads a document that is the whole of `bytes`.
    ///
    /// # Errors
    ///
    /// The first thing in it that is not as AWS says.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let (framing, message, start) = unframe(bytes)?;
        let fault = |error: &dyn std::fmt::Display| {
            Malformed::new(
                "document",
                start,
                "an untagged COSE_Sign1, or tag 18",
                error,
            )
        };
        let cose = Sign1::parse(message, TagRule::Optional).map_err(|error| fault(&error))?;
        let framing = match (framing, cose.tagged) {
            (Framing::Bare, true) => Framing::Tagged,
            (framing, _) => framing,
        };
        let map = cbor::parse_open_map(cose.payload, &Limits::FOREIGN)
            .map_err(|error| fault(&format_args!("in its payload: {error}")))?;
        let members = Members::new(&map)?;
        let (kind, pcrs) = members.registers()?;
        Ok(Self {
            framing,
            kind,
            module_id: members.text("module_id")?,
            digest: members.text("digest")?,
            timestamp: members.required("timestamp", Item::as_uint, "a number")?,
            pcrs,
            certificate: members.certificate()?,
            cabundle: members.bundle()?,
            public_key: members.optional("public_key")?,
            user_data: members.optional("user_data")?,
            nonce: members.optional("nonce")?,
            unknown: members.unknown(),
            cose,
        })
    }

    /// When it was made; beyond the years of [`Timestamp`], the last of them.
    #[must_use]
    pub fn made_at(&self) -> Timestamp {
        let micros = i64::try_from(self.timestamp.saturating_mul(1000)).unwrap_or(i64::MAX);
        Timestamp::from_micros(micros)
    }

    /// A register by its number.
    #[must_use]
    pub fn pcr(&self, index: u8) -> Option<&'a [u8]> {
        let found = self.pcrs.iter().find(|(known, _)| *known == index);
        found.map(|(_, value)| *value)
    }

    /// The instance that it ran on: what stands before the second part of the module's name.
    #[must_use]
    pub fn instance(&self) -> Option<&'a str> {
        let (instance, rest) = self.module_id.split_once(self.kind.infix())?;
        let named = instance.starts_with("i-") && !rest.is_empty();
        named.then_some(instance)
    }
}

fn unframe(bytes: &[u8]) -> Result<(Framing, &[u8], usize), Malformed> {
    let mut reader = Reader::new(bytes);
    let Ok(prefix) = reader.array::<4>("length") else {
        return Ok((Framing::Bare, bytes, 0));
    };
    let length = u32::try_from(reader.left()).ok();
    if Some(u32::from_be_bytes(prefix)) == length {
        return Ok((Framing::LengthBigEndian, reader.rest(), reader.at()));
    }
    if Some(u32::from_le_bytes(prefix)) == length {
        return Ok((Framing::LengthLittleEndian, reader.rest(), reader.at()));
    }
    match prefix {
        [ARRAY_OF_FOUR | TAG_18 | TAG_8_BIT, ..] => Ok((Framing::Bare, bytes, 0)),
        _ => Err(Malformed::new(
            "document",
            0,
            format_args!(
                "a COSE_Sign1, or the {} bytes that follow counted in four",
                reader.left()
            ),
            crate::hex::encode(&prefix),
        )),
    }
}

struct Members<'i, 'a> {
    map: &'i Item<'a>,
    pairs: &'i [(Item<'a>, Item<'a>)],
}

impl<'i, 'a> Members<'i, 'a> {
    fn new(map: &'i Item<'a>) -> Result<Self, Malformed> {
        let pairs = map
            .as_map()
            .ok_or_else(|| Malformed::new("payload", 0, "a map", map.kind()))?;
        Ok(Self { map, pairs })
    }

    fn required<T>(
        &self,
        name: &'static str,
        read: impl FnOnce(&'i Item<'a>) -> Option<T>,
        expected: &'static str,
    ) -> Result<T, Malformed> {
        let item = self
            .map
            .get(name)
            .ok_or_else(|| Malformed::new(name, 0, expected, "nothing"))?;
        read(item).ok_or_else(|| Malformed::new(name, 0, expected, item.kind()))
    }

    fn text(&self, name: &'static str) -> Result<&'a str, Malformed> {
        let text = self.required(name, Item::as_text, "a text string")?;
        if text.is_empty() || text.len() > MAX_TEXT {
            let expected = format!("1 to {MAX_TEXT} bytes of text");
            return Err(Malformed::new(name, 0, expected, text.len()));
        }
        Ok(text)
    }

    // `null` and nothing are the same to the hypervisor, which writes the former.
    fn optional(&self, name: &'static str) -> Result<Option<&'a [u8]>, Malformed> {
        match self.map.get(name) {
            None | Some(Item::Null) => Ok(None),
            Some(item) => item
                .as_bytes()
                .map(Some)
                .ok_or_else(|| Malformed::new(name, 0, "a byte string or null", item.kind())),
        }
    }

    fn certificate(&self) -> Result<&'a [u8], Malformed> {
        let der = self.required("certificate", Item::as_bytes, "a byte string")?;
        sized("certificate", der)
    }

    fn bundle(&self) -> Result<Vec<&'a [u8]>, Malformed> {
        let list = self.required("cabundle", Item::as_array, "an array")?;
        if list.is_empty() || list.len() > MAX_BUNDLE {
            let expected = format!("1 to {MAX_BUNDLE} certificates");
            return Err(Malformed::new("cabundle", 0, expected, list.len()));
        }
        let read = |item: &Item<'a>| {
            let der = item.as_bytes().ok_or_else(|| {
                Malformed::new("cabundle", 0, "an array of byte strings", item.kind())
            })?;
            sized("cabundle", der)
        };
        list.iter().map(read).collect()
    }

    fn registers(&self) -> Result<(Kind, Pcrs<'a>), Malformed> {
        let (kind, map) = match (self.map.get(ENCLAVE_PCRS), self.map.get(INSTANCE_PCRS)) {
            (Some(map), None) => (Kind::Enclave, map),
            (None, Some(map)) => (Kind::Instance, map),
            (found, _) => {
                let found = if found.is_some() { "both" } else { "neither" };
                let expected = "`pcrs` of an enclave, or `nitrotpm_pcrs` of an instance";
                return Err(Malformed::new("pcrs", 0, expected, found));
            }
        };
        let pairs = map
            .as_map()
            .ok_or_else(|| Malformed::new("pcrs", 0, "a map", map.kind()))?;
        if pairs.is_empty() {
            return Err(Malformed::new("pcrs", 0, "1 to 32 registers", "none"));
        }
        let mut pcrs = Vec::new();
        for (index, value) in pairs {
            let number = index.as_uint().and_then(|index| u8::try_from(index).ok());
            let number = number.filter(|index| *index < PCRS).ok_or_else(|| {
                let found = index.as_uint().map(|index| index.to_string());
                let found = found.unwrap_or_else(|| index.kind().to_owned());
                Malformed::new("pcrs", 0, "numbers from 0 to 31", found)
            })?;
            let bytes = value.as_bytes().unwrap_or_default();
            if bytes.len() != PCR_BYTES {
                let found = format!("{} of {} bytes", value.kind(), bytes.len());
                return Err(Malformed::new("pcrs", 0, "byte strings of 48 bytes", found));
            }
            let place = pcrs.partition_point(|(known, _)| *known < number);
            pcrs.insert(place, (number, bytes));
        }
        Ok((kind, pcrs))
    }

    fn unknown(&self) -> Vec<String> {
        let name = |key: &Item<'a>| match key.as_text() {
            Some(name) if KNOWN.contains(&name) => None,
            Some(name) => Some(name.chars().take(MAX_NAME).collect()),
            None => Some(format!("{} as a name", key.kind())),
        };
        self.pairs.iter().filter_map(|(key, _)| name(key)).collect()
    }
}

fn sized<'a>(what: &'static str, der: &'a [u8]) -> Result<&'a [u8], Malformed> {
    if (1..=MAX_CERTIFICATE).contains(&der.len()) {
        return Ok(der);
    }
    let expected = format!("1 to {MAX_CERTIFICATE} bytes");
    Err(Malformed::new(what, 0, expected, der.len()))
}

/// How many registers there can be.
pub(super) const PCRS: u8 = 32;
/// SHA-384.
pub(super) const PCR_BYTES: usize = 48;
/// What `user_data` and `nonce` can hold in an enclave's document.
pub(super) const MAX_DATA: usize = 512;
/// What `public_key` can hold, and `user_data` and `nonce` in an instance's document.
pub(super) const MAX_KEY: usize = 1024;
const MAX_CERTIFICATE: usize = 1024;
// A real chain has four above the leaf.
const MAX_BUNDLE: usize = 8;
const MAX_TEXT: usize = 256;
const MAX_NAME: usize = 32;
const ENCLAVE_PCRS: &str = "pcrs";
const INSTANCE_PCRS: &str = "nitrotpm_pcrs";
const KNOWN: [&str; 10] = [
    "module_id",
    "digest",
    "timestamp",
    ENCLAVE_PCRS,
    INSTANCE_PCRS,
    "certificate",
    "cabundle",
    "public_key",
    "user_data",
    "nonce",
];
const ARRAY_OF_FOUR: u8 = 0x84;
const TAG_18: u8 = 0xd2;
const TAG_8_BIT: u8 = 0xd8;

//! `application/vnd.cmcp.evidence+cbor`: evidence of platforms that have no registered container, with
//! the claims-buffer that its report data is a digest of.
//!
//! ```cddl
//! { 1: platform,                        ; tstr, as in configuration
//!   2: bstr / { + part => bstr / [2* bstr] },   ; the one part that the platform is known by, or all by name
//!   3: claims-buffer,                   ; bstr
//!   ? 4: [+ bstr] }                     ; certificates, DER
//! ```
//!
//! Deterministic encoding only. Parts are read in the order of their names.

use crate::{
    Endorsements, Evidence, Part, Platform,
    appraise::MAX_BYTES,
    cbor::{self, CborError, Item, Limits},
    wire::{
        cmw::{Kind, Purpose, Record},
        container::repeats,
    },
};

/// The media type.
pub const MEDIA_TYPE: &str = "application/vnd.cmcp.evidence+cbor";

/// Evidence with its claims-buffer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Own {
    /// The evidence.
    pub evidence: Evidence,
    /// What its report data is a digest of.
    pub claims: Vec<u8>,
    /// Certificates that came with it.
    pub certificates: Vec<Vec<u8>>,
}

/// Why bytes are none.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum OwnError {
    /// Not the CBOR that is read here.
    #[error(transparent)]
    Cbor(#[from] CborError),
    /// Something is not there, or is of another kind.
    #[error("`{place}` must be {expected}")]
    Shape {
        /// Where.
        place: &'static str,
        /// What it has to be.
        expected: &'static str,
    },
    /// A key of the map that is not known.
    #[error(
        "a member is not known here; known are 1 (platform), 2 (evidence), 3 (claims), 4 (certificates)"
    )]
    Unknown,
    /// A platform that is not known.
    #[error("platform `{name}` is not known here")]
    Platform {
        /// What it says.
        name: String,
    },
    /// A part that is not known, or not one of this platform's.
    #[error("part `{name}` is not known here")]
    Part {
        /// What it says.
        name: String,
    },
    /// Bytes without a name, of a platform whose evidence has several parts.
    #[error("evidence of `{platform}` has several parts: name them")]
    Unnamed {
        /// The platform.
        platform: Platform,
    },
    /// A part is there more than once, and its platform has it once.
    #[error("part `{part}` is there more than once; `{platform}` has it once")]
    Twice {
        /// The part.
        part: &'static str,
        /// The platform.
        platform: Platform,
    },
    /// The map's keys are not in order.
    #[error("not in deterministic encoding: keys are out of order")]
    Order,
}

impl Own {
    /// The record that carries it.
    #[must_use]
    pub fn record(&self) -> Record {
        Record {
            kind: Kind::Media(MEDIA_TYPE.to_owned()),
            value: self.encode(),
            purpose: Some(Purpose::EVIDENCE),
        }
    }

    /// Certificates as endorsements.
    #[must_use]
    pub fn endorsements(&self) -> Endorsements {
        Endorsements {
            certificates: self.certificates.clone(),
            ..Endorsements::default()
        }
    }

    /// Writes it.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let Self {
            evidence,
            claims,
            certificates,
        } = self;
        let mut members = vec![
            (Item::Uint(1), Item::Text(evidence.platform().as_str())),
            (Item::Uint(2), parts(evidence)),
            (Item::Uint(3), Item::Bytes(claims)),
        ];
        if !certificates.is_empty() {
            let list = certificates.iter().map(|it| Item::Bytes(it)).collect();
            members.push((Item::Uint(4), Item::Array(list)));
        }
        cbor::encode(&Item::Map(members))
    }

    /// Reads it.
    ///
    /// # Errors
    ///
    /// What is wrong.
    pub fn decode(bytes: &[u8]) -> Result<Self, OwnError> {
        let item = cbor::parse(bytes, &LIMITS)?;
        let map = item.as_map().ok_or(OwnError::Shape {
            place: "evidence",
            expected: "a map",
        })?;
        if !map
            .iter()
            .all(|(key, _)| matches!(key.as_uint(), Some(1..=4)))
        {
            return Err(OwnError::Unknown);
        }
        let platform = item
            .get_int(1)
            .and_then(Item::as_text)
            .ok_or(OwnError::Shape {
                place: "platform",
                expected: "a text",
            })?;
        let platform = Platform::parse(platform).ok_or_else(|| OwnError::Platform {
            name: platform.to_owned(),
        })?;
        let claims = item
            .get_int(3)
            .and_then(Item::as_bytes)
            .ok_or(OwnError::Shape {
                place: "claims-buffer",
                expected: "a byte string",
            })?;
        let own = Self {
            evidence: evidence(platform, item.get_int(2))?,
            claims: claims.to_vec(),
            certificates: certificates(item.get_int(4))?,
        };
        if own.encode() == bytes {
            Ok(own)
        } else {
            Err(OwnError::Order)
        }
    }
}

/// The part that stands for the whole where there is no other.
const fn main_part(platform: Platform) -> Option<Part> {
    match platform {
        Platform::Snp => Some(Part::Report),
        Platform::Sgx | Platform::Tdx => Some(Part::Quote),
        Platform::Nitro => Some(Part::Document),
        Platform::Gcp | Platform::Maa | Platform::Nras => Some(Part::Token),
        Platform::Aci
        | Platform::AzureSnp
        | Platform::AzureTdx
        | Platform::Gpu
        | Platform::Software
        | Platform::Tpm => None,
    }
}

fn parts(evidence: &Evidence) -> Item<'_> {
    let mut all = evidence.parts();
    if let (Some((part, bytes)), None) = (all.next(), all.next())
        && main_part(evidence.platform()) == Some(part)
    {
        return Item::Bytes(bytes);
    }
    let named = Part::ALL.into_iter().filter_map(|part| {
        let all: Vec<Item<'_>> = evidence.all(part).map(Item::Bytes).collect();
        let value = match all.as_slice() {
            [] => return None,
            [only] => only.clone(),
            [..] => Item::Array(all),
        };
        Some((Item::Text(part.as_str()), value))
    });
    Item::Map(named.collect())
}

fn evidence(platform: Platform, item: Option<&Item<'_>>) -> Result<Evidence, OwnError> {
    let shape = OwnError::Shape {
        place: "evidence",
        expected: "a byte string, or a map of parts by name",
    };
    let item = item.ok_or_else(|| shape.clone())?;
    if let Some(bytes) = item.as_bytes() {
        let part = main_part(platform).ok_or(OwnError::Unnamed { platform })?;
        return Ok(Evidence::new(platform).with(part, bytes));
    }
    let map = item.as_map().ok_or_else(|| shape.clone())?;
    for (name, _) in map {
        let name = name.as_text().ok_or_else(|| shape.clone())?;
        if !Part::ALL.iter().any(|part| part.as_str() == name) {
            let name = name.to_owned();
            return Err(OwnError::Part { name });
        }
    }
    let mut evidence = Evidence::new(platform);
    for part in Part::ALL {
        let Some(value) = item.get(part.as_str()) else {
            continue;
        };
        let list = match value.as_array() {
            Some(list) => list,
            None => std::slice::from_ref(value),
        };
        if list.len() > 1 && !repeats(platform, part) {
            let part = part.as_str();
            return Err(OwnError::Twice { part, platform });
        }
        for bytes in list {
            let bytes = bytes.as_bytes().ok_or_else(|| shape.clone())?;
            evidence = evidence.with(part, bytes);
        }
    }
    Ok(evidence)
}

fn certificates(item: Option<&Item<'_>>) -> Result<Vec<Vec<u8>>, OwnError> {
    let Some(item) = item else {
        return Ok(Vec::new());
    };
    let shape = OwnError::Shape {
        place: "certificates",
        expected: "a list of byte strings",
    };
    let list = item.as_array().ok_or_else(|| shape.clone())?;
    let bytes = |item: &Item<'_>| {
        item.as_bytes()
            .map(<[u8]>::to_vec)
            .ok_or_else(|| shape.clone())
    };
    list.iter().map(bytes).collect()
}

const LIMITS: Limits = Limits {
    bytes: MAX_BYTES,
    depth: 4,
    items: 256,
    ..Limits::OWN
};

#[cfg(test)]
mod tests;

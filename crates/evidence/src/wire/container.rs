//! `cmcp-evidence/v1`: evidence and what vouches for it, in one JSON document that a person can read.
//!
//! ```json
//! {
//!   "format": "cmcp-evidence/v1",
//!   "platform": "snp",
//!   "evidence": [{"part": "report", "bytes": "AgAAAA..."}],
//!   "endorsements": {"certificates": ["MIIF..."], "crls": ["MIIB..."]}
//! }
//! ```
//!
//! Bytes are base64url without padding. Kinds of endorsements that are empty are left out.

use cmcp_json::{Limits, Object, ParseError, Value};

use crate::{Collected, Endorsements, Evidence, Part, Platform, appraise::MAX_BYTES, b64};

/// Why a document is no container.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ContainerError {
    /// It is not the JSON that is read here.
    #[error(transparent)]
    Json(#[from] ParseError),
    /// Another format, or another version of this.
    #[error("`format` is `{found}`, and only `{FORMAT}` is read")]
    Format {
        /// What it says.
        found: String,
    },
    /// Something is not there, or is of another kind.
    #[error("`{place}` must be {expected}")]
    Shape {
        /// Where.
        place: String,
        /// What it has to be.
        expected: &'static str,
    },
    /// A member that is not known.
    #[error("`{place}` is not known here; known are {known}")]
    Unknown {
        /// The member.
        place: String,
        /// Which are known.
        known: String,
    },
    /// Bytes are not canonical base64url.
    #[error("`{place}` is {error}")]
    Base64 {
        /// Where.
        place: String,
        /// What is wrong.
        error: b64::B64Error,
    },
    /// A part is there twice, and its platform has it once.
    #[error("part `{part}` is there twice; `{platform}` has it once")]
    Twice {
        /// The part.
        part: &'static str,
        /// The platform.
        platform: Platform,
    },
    /// More bytes than are appraised.
    #[error("the container holds {size} bytes, more than the {MAX_BYTES} that are read")]
    Large {
        /// How many.
        size: usize,
    },
}

/// Writes a container.
#[must_use]
pub fn encode(collected: &Collected) -> Vec<u8> {
    let Collected {
        evidence,
        endorsements,
    } = collected;
    let parts: Vec<Value> = evidence
        .parts()
        .map(|(part, bytes)| {
            Value::Object(Object::from([
                ("part", part.as_str().to_owned()),
                ("bytes", b64::encode(bytes)),
            ]))
        })
        .collect();
    let mut document = Object::new();
    document.insert("format", FORMAT);
    document.insert("platform", evidence.platform().as_str());
    document.insert("evidence", Value::Array(parts));
    document.insert("endorsements", write_endorsements(endorsements));
    Value::Object(document).to_vec()
}

/// The value of `endorsements`.
#[must_use]
pub fn write_endorsements(endorsements: &Endorsements) -> Object {
    let mut kinds = Object::new();
    for kind in Kind::ALL {
        let of_kind: Vec<String> = kind
            .of(endorsements)
            .iter()
            .map(|it| b64::encode(it))
            .collect();
        if !of_kind.is_empty() {
            kinds.insert(kind.as_str(), of_kind);
        }
    }
    kinds
}

/// Reads a container.
///
/// # Errors
///
/// What is wrong with it, and where.
pub fn decode(bytes: &[u8]) -> Result<Collected, ContainerError> {
    read(&cmcp_json::parse(bytes, &LIMITS)?)
}

/// Reads a container that was parsed before.
///
/// # Errors
///
/// As [`decode`].
pub fn read(document: &Value) -> Result<Collected, ContainerError> {
    let document = object(document, "")?;
    let format = text(document, "format")?;
    if format != FORMAT {
        let found = format.to_owned();
        return Err(ContainerError::Format { found });
    }
    only(
        document,
        "",
        &["format", "platform", "evidence", "endorsements"],
    )?;
    let platform = text(document, "platform")?;
    let platform = Platform::parse(platform).ok_or_else(|| ContainerError::Unknown {
        place: format!("platform: {platform}"),
        known: Platform::ALL.map(Platform::as_str).join(", "),
    })?;
    let evidence = parts(document, platform)?;
    let endorsements = document.get("endorsements");
    let endorsements = read_endorsements(endorsements.unwrap_or(&Value::Null))?;
    let kinds = Kind::ALL
        .into_iter()
        .flat_map(|kind| kind.of(&endorsements));
    let size = kinds
        .map(Vec::len)
        .fold(evidence.size(), usize::saturating_add);
    if size > MAX_BYTES {
        return Err(ContainerError::Large { size });
    }
    Ok(Collected {
        evidence,
        endorsements,
    })
}

/// Whether a platform's evidence has a part more than once: a host has several GPUs.
#[must_use]
pub const fn repeats(platform: Platform, part: Part) -> bool {
    matches!(
        (platform, part),
        (Platform::Gpu, Part::Report | Part::Certificates)
    )
}

/// The value of `format`.
pub const FORMAT: &str = "cmcp-evidence/v1";

fn parts(document: &Object, platform: Platform) -> Result<Evidence, ContainerError> {
    let mut evidence = Evidence::new(platform);
    for (place, part) in array(document, "evidence", "evidence")?.iter().enumerate() {
        let place = format!("evidence[{place}]");
        let fields = object(part, &place)?;
        only(fields, &place, &["part", "bytes"])?;
        let name = member(fields, "part", &place)?;
        let part = Part::ALL.into_iter().find(|part| part.as_str() == name);
        let part = part.ok_or_else(|| ContainerError::Unknown {
            place: format!("{place}.part: {name}"),
            known: Part::ALL.map(Part::as_str).join(", "),
        })?;
        let repeated = evidence.all(part).next().is_some();
        if repeated && !repeats(platform, part) {
            let part = part.as_str();
            return Err(ContainerError::Twice { part, platform });
        }
        let bytes = member(fields, "bytes", &place)?;
        evidence = evidence.with(part, base64(bytes, &format!("{place}.bytes"))?);
    }
    Ok(evidence)
}

/// Reads the value of `endorsements`.
///
/// # Errors
///
/// What is wrong with it, and where.
pub fn read_endorsements(value: &Value) -> Result<Endorsements, ContainerError> {
    let mut endorsements = Endorsements::default();
    let found = object(value, "endorsements")?;
    only(found, "endorsements", &Kind::ALL.map(Kind::as_str))?;
    for kind in Kind::ALL {
        if !found.contains_key(kind.as_str()) {
            continue;
        }
        let place = format!("endorsements.{}", kind.as_str());
        for value in array(found, kind.as_str(), &place)? {
            let text = value
                .as_str()
                .ok_or_else(|| shape(&place, "a list of texts"))?;
            kind.of_mut(&mut endorsements).push(base64(text, &place)?);
        }
    }
    Ok(endorsements)
}

/// A kind of endorsement, by the name it has here.
#[derive(Clone, Copy)]
enum Kind {
    Certificates,
    Crls,
    Intel,
    KeySets,
    Ocsp,
    Policies,
    Rims,
    Uvm,
}

impl Kind {
    const ALL: [Self; 8] = [
        Self::Certificates,
        Self::Crls,
        Self::Intel,
        Self::KeySets,
        Self::Ocsp,
        Self::Policies,
        Self::Rims,
        Self::Uvm,
    ];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Certificates => "certificates",
            Self::Crls => "crls",
            Self::Intel => "intel",
            Self::KeySets => "key_sets",
            Self::Ocsp => "ocsp",
            Self::Policies => "policies",
            Self::Rims => "rims",
            Self::Uvm => "uvm",
        }
    }

    const fn of(self, endorsements: &Endorsements) -> &Vec<Vec<u8>> {
        match self {
            Self::Certificates => &endorsements.certificates,
            Self::Crls => &endorsements.crls,
            Self::Intel => &endorsements.intel,
            Self::KeySets => &endorsements.key_sets,
            Self::Ocsp => &endorsements.ocsp,
            Self::Policies => &endorsements.policies,
            Self::Rims => &endorsements.rims,
            Self::Uvm => &endorsements.uvm,
        }
    }

    const fn of_mut(self, endorsements: &mut Endorsements) -> &mut Vec<Vec<u8>> {
        match self {
            Self::Certificates => &mut endorsements.certificates,
            Self::Crls => &mut endorsements.crls,
            Self::Intel => &mut endorsements.intel,
            Self::KeySets => &mut endorsements.key_sets,
            Self::Ocsp => &mut endorsements.ocsp,
            Self::Policies => &mut endorsements.policies,
            Self::Rims => &mut endorsements.rims,
            Self::Uvm => &mut endorsements.uvm,
        }
    }
}

fn object<'a>(value: &'a Value, place: &str) -> Result<&'a Object, ContainerError> {
    value.as_object().ok_or_else(|| shape(place, "an object"))
}

fn text<'a>(object: &'a Object, name: &str) -> Result<&'a str, ContainerError> {
    let text = object.get(name).and_then(Value::as_str);
    text.ok_or_else(|| shape(name, "a text"))
}

fn member<'a>(object: &'a Object, name: &str, place: &str) -> Result<&'a str, ContainerError> {
    let text = object.get(name).and_then(Value::as_str);
    text.ok_or_else(|| shape(&format!("{place}.{name}"), "a text"))
}

fn array<'a>(object: &'a Object, name: &str, place: &str) -> Result<&'a [Value], ContainerError> {
    let array = object.get(name).and_then(Value::as_array);
    array.ok_or_else(|| shape(place, "a list"))
}

fn only(object: &Object, place: &str, known: &[&str]) -> Result<(), ContainerError> {
    match object.keys().find(|name| !known.contains(name)) {
        None => Ok(()),
        Some(name) => Err(ContainerError::Unknown {
            place: if place.is_empty() {
                name.to_owned()
            } else {
                format!("{place}.{name}")
            },
            known: known.join(", "),
        }),
    }
}

fn base64(text: &str, place: &str) -> Result<Vec<u8>, ContainerError> {
    b64::decode(text).map_err(|error| ContainerError::Base64 {
        place: place.to_owned(),
        error,
    })
}

fn shape(place: &str, expected: &'static str) -> ContainerError {
    let place = if place.is_empty() {
        "the document"
    } else {
        place
    };
    ContainerError::Shape {
        place: place.to_owned(),
        expected,
    }
}

/// Room for [`MAX_BYTES`] in base64, and for names.
const LIMITS: Limits = Limits {
    bytes: 24 << 20,
    depth: 8,
    members: 4096,
    members_per_object: 64,
    elements: 4096,
    string_bytes: 24 << 20,
    ..Limits::DOCUMENT
};

#[cfg(test)]
mod tests;

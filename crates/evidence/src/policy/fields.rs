//! Strict reading of one mapping of the appraisal policy.

use cmcp_json::{Object, Value};

use crate::{Platform, Timestamp, hex};

/// What is wrong with an appraisal policy, and where.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("`{path}`: {what}")]
pub struct PolicyFault {
    /// Members from the root, joined by dots.
    pub path: String,
    /// What is wrong and what to write instead.
    pub what: String,
}

/// A value that is pinned, or said to be free.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Pin<T> {
    /// The word `any`.
    Any,
    /// One of these; never empty.
    OneOf(Vec<T>),
}

impl<T: PartialEq> Pin<T> {
    /// Whether the value is allowed.
    pub fn allows(&self, value: &T) -> bool {
        match self {
            Self::Any => true,
            Self::OneOf(list) => list.contains(value),
        }
    }

    /// Whether anything goes.
    pub const fn is_any(&self) -> bool {
        matches!(self, Self::Any)
    }
}

/// Which authorities are trusted.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Roots {
    /// The word `vendor`: those compiled in.
    Vendor,
    /// These certificates, DER; never empty.
    These(Vec<Vec<u8>>),
}

/// Measurements by name.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Measurements {
    /// The word `none`: nothing is accepted yet, and the check says what was found.
    None,
    /// Name and value; never empty.
    Named(Vec<(String, Vec<u8>)>),
}

impl Measurements {
    /// The name that this value goes by.
    #[must_use]
    pub fn name_of(&self, value: &[u8]) -> Option<&str> {
        match self {
            Self::None => None,
            Self::Named(list) => {
                let found = list.iter().find(|(_, known)| known == value);
                found.map(|(name, _)| name.as_str())
            }
        }
    }

    /// What would have been accepted, for a message.
    #[must_use]
    pub fn expected(&self) -> String {
        match self {
            Self::None => {
                "a measurement that the reference values name (they name none)".to_owned()
            }
            Self::Named(list) => {
                let names: Vec<&str> = list.iter().map(|(name, _)| name.as_str()).collect();
                format!("one of {}", names.join(", "))
            }
        }
    }
}

/// One mapping while it is read. Every getter reports what is wrong and goes on, so that a reader
/// hears of every fault at once; [`Fields::close`] reports the members that nobody asked for.
#[derive(Debug)]
pub struct Fields<'a> {
    path: String,
    object: &'a Object,
    asked: Vec<&'static str>,
    faults: &'a mut Vec<PolicyFault>,
}

impl<'a> Fields<'a> {
    /// Begins to read a mapping at `path`.
    pub fn open(value: &'a Value, path: &str, faults: &'a mut Vec<PolicyFault>) -> Option<Self> {
        let Some(object) = value.as_object() else {
            faults.push(PolicyFault {
                path: path.to_owned(),
                what: format!("is {}, and must be a mapping", value.kind()),
            });
            return None;
        };
        Some(Self {
            path: path.to_owned(),
            object,
            asked: Vec::new(),
            faults,
        })
    }

    /// Reports every member that was not asked for.
    pub fn close(self) {
        for name in self.object.keys() {
            if !self.asked.contains(&name) {
                self.faults.push(PolicyFault {
                    path: join(&self.path, name),
                    what: format!("is not known here; known are {}", self.asked.join(", ")),
                });
            }
        }
    }

    /// A fault of this mapping as a whole: fields that contradict each other.
    pub fn fault(&mut self, name: &str, what: impl Into<String>) {
        self.faults.push(PolicyFault {
            path: join(&self.path, name),
            what: what.into(),
        });
    }

    /// The member's value, which must be there.
    pub fn value(&mut self, name: &'static str) -> Option<&'a Value> {
        self.asked.push(name);
        let found = self.object.get(name);
        if found.is_none() {
            self.fault(
                name,
                "is not decided; a field that is left out is never taken for granted",
            );
        }
        found
    }

    /// Reads the member with a function that says what is wrong with it.
    pub fn read<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(&'a Value) -> Result<T, String>,
    ) -> Option<T> {
        match read(self.value(name)?) {
            Ok(value) => Some(value),
            Err(what) => {
                self.fault(name, what);
                None
            }
        }
    }

    /// One of a few words.
    pub fn word<T: Copy>(&mut self, name: &'static str, words: &[(&'static str, T)]) -> Option<T> {
        let known: Vec<&str> = words.iter().map(|(known, _)| *known).collect();
        let place = self.place_of_word(name, &known)?;
        words.get(place).map(|(_, meaning)| *meaning)
    }

    /// Which of these words the member is.
    fn place_of_word(&mut self, name: &'static str, known: &[&str]) -> Option<usize> {
        self.read(name, |value| {
            let word = value.as_str();
            let found = known.iter().position(|known| Some(*known) == word);
            found.ok_or_else(|| format!("must be one of: {}", known.join(", ")))
        })
    }

    /// A whole number from 0 to `most`.
    pub fn number(&mut self, name: &'static str, most: u64) -> Option<u64> {
        self.read(name, |value| number(value, most))
    }

    /// A text that is not empty.
    pub fn text(&mut self, name: &'static str) -> Option<String> {
        self.read(name, text)
    }

    /// A time, RFC 3339.
    pub fn time(&mut self, name: &'static str) -> Option<Timestamp> {
        self.read(name, time)
    }

    /// `any`, or a list that is not empty.
    pub fn pin<T>(
        &mut self,
        name: &'static str,
        mut read: impl FnMut(&'a Value) -> Result<T, String>,
    ) -> Option<Pin<T>> {
        self.read(name, |value| match (value.as_str(), value.as_array()) {
            (Some("any"), _) => Ok(Pin::Any),
            (_, Some([])) => Err("is an empty list: write what is accepted, or `any`".to_owned()),
            (_, Some(list)) => {
                let values: Result<Vec<T>, String> = list.iter().map(&mut read).collect();
                values.map(Pin::OneOf)
            }
            (_, None) => Err("must be `any` or a list".to_owned()),
        })
    }

    /// `any`, or a list of values of `bytes` bytes, in hexadecimal digits.
    pub fn hex_pin(&mut self, name: &'static str, bytes: usize) -> Option<Pin<Vec<u8>>> {
        self.pin(name, |value| hex_of(value, bytes))
    }

    /// A list that may be empty.
    pub fn list<T>(
        &mut self,
        name: &'static str,
        mut read: impl FnMut(&'a Value) -> Result<T, String>,
    ) -> Option<Vec<T>> {
        self.read(name, |value| {
            let list = value.as_array().ok_or("must be a list")?;
            list.iter().map(&mut read).collect()
        })
    }

    /// `none`, or a mapping of names to values of `bytes` bytes, in hexadecimal digits.
    pub fn measurements(&mut self, name: &'static str, bytes: usize) -> Option<Measurements> {
        self.read(name, |value| match (value.as_str(), value.as_object()) {
            (Some("none"), _) => Ok(Measurements::None),
            (_, Some(named)) if named.iter().len() > 0 => {
                let read = |(name, value): (&str, &'a Value)| {
                    let value = hex_of(value, bytes).map_err(|what| format!("`{name}` {what}"))?;
                    Ok((name.to_owned(), value))
                };
                let list: Result<Vec<(String, Vec<u8>)>, String> = named.iter().map(read).collect();
                list.map(Measurements::Named)
            }
            (_, Some(_)) => Err("is empty: name a measurement, or write `none`".to_owned()),
            (_, None) => Err("must be `none` or a mapping of names to measurements".to_owned()),
        })
    }

    /// `vendor`, or a list of certificates, PEM.
    pub fn roots(&mut self, name: &'static str) -> Option<Roots> {
        self.read(name, |value| match (value.as_str(), value.as_array()) {
            (Some("vendor"), _) => Ok(Roots::Vendor),
            (_, Some(list)) if !list.is_empty() => {
                let read = |value: &Value| {
                    let pem = value
                        .as_str()
                        .ok_or("must be a list of certificates, PEM")?;
                    crate::x509::one_from_pem(pem.as_bytes()).map_err(|error| error.to_string())
                };
                let list: Result<Vec<Vec<u8>>, String> = list.iter().map(read).collect();
                list.map(Roots::These)
            }
            (_, _) => Err("must be `vendor` or a list of certificates, PEM".to_owned()),
        })
    }

    /// A nested mapping.
    pub fn section<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(&mut Fields<'_>) -> Option<T>,
    ) -> Option<T> {
        let value = self.value(name)?;
        let path = join(&self.path, name);
        let mut fields = Fields::open(value, &path, self.faults)?;
        let section = read(&mut fields);
        fields.close();
        section
    }

    /// A nested mapping, or a word that stands in its place.
    pub fn section_or<T>(
        &mut self,
        name: &'static str,
        word: &'static str,
        read: impl FnOnce(&mut Fields<'_>) -> Option<T>,
    ) -> Option<Option<T>> {
        let value = self.value(name)?;
        if value.as_str() == Some(word) {
            return Some(None);
        }
        if value.as_object().is_none() {
            self.fault(name, format!("must be `{word}` or a mapping"));
            return None;
        }
        self.asked.pop();
        self.section(name, read).map(Some)
    }

    /// A platform's section, or the word `refused`.
    pub(crate) fn platform<T>(
        &mut self,
        platform: Platform,
        read: impl FnOnce(&mut Fields<'_>) -> Option<T>,
    ) -> Option<Option<T>> {
        self.section_or(platform.as_str(), "refused", read)
    }
}

/// A whole number from 0 to `most`.
///
/// # Errors
///
/// What to write instead.
pub(crate) fn number(value: &Value, most: u64) -> Result<u64, String> {
    match value.as_u64() {
        Some(number) if number <= most => Ok(number),
        Some(_) | None => Err(format!("must be a whole number from 0 to {most}")),
    }
}

/// A text that is not empty.
///
/// # Errors
///
/// What to write instead.
pub(crate) fn text(value: &Value) -> Result<String, String> {
    match value.as_str() {
        Some(text) if !text.is_empty() => Ok(text.to_owned()),
        Some(_) | None => Err("must be a text that is not empty".to_owned()),
    }
}

/// A time, RFC 3339.
///
/// # Errors
///
/// What to write instead.
pub(crate) fn time(value: &Value) -> Result<Timestamp, String> {
    let text = value
        .as_str()
        .ok_or("must be a time like `2026-06-05T00:00:00Z`")?;
    Timestamp::parse_rfc3339(text).map_err(|error| error.to_string())
}

/// Exactly `bytes` bytes, in hexadecimal digits.
///
/// # Errors
///
/// What to write instead.
pub(crate) fn hex_of(value: &Value, bytes: usize) -> Result<Vec<u8>, String> {
    let digits = bytes.saturating_mul(2);
    let text = value
        .as_str()
        .ok_or_else(|| format!("must be {digits} hexadecimal digits, in quotes"))?;
    let decoded = hex::decode(text).map_err(|error| error.to_string())?;
    if decoded.len() == bytes {
        Ok(decoded)
    } else {
        Err(format!("has {} digits, and must have {digits}", text.len()))
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}

#[cfg(test)]
mod tests;

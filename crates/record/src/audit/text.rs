//! Values that came from somebody else, cut to a size an entry can bear.
//!
//! What is cut off leaves its digest, so that nobody can say afterwards that something else stood
//! there.

use std::{borrow::Borrow, fmt, ops::Deref};

use cmcp_evidence::Sha256Digest;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser::SerializeMap};

/// A string of at most [`Text::MAX`] bytes as written in JSON.
#[derive(Clone, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct Text(String);

impl Text {
    /// Bytes between the quotation marks, escapes counted.
    pub const MAX: usize = 512;

    /// The string itself, or its beginning and the digest of the whole.
    #[must_use]
    pub fn new(text: &str) -> Self {
        if fits(text, Self::MAX) {
            return Self(text.to_owned());
        }
        let mut room = Self::MAX.saturating_sub(CUT_MARK);
        let mut kept: String = text
            .chars()
            .take_while(|&c| {
                let cost = written(c);
                let fits = cost <= room;
                room = room.saturating_sub(cost);
                fits
            })
            .collect();
        kept.push('…');
        kept.push_str(&Sha256Digest::of(text.as_bytes()).to_string());
        Self(kept)
    }

    /// The string as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn cost(&self) -> usize {
        self.0.chars().map(written).sum()
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if fits(&text, Self::MAX) {
            Ok(Self(text))
        } else {
            Err(de::Error::custom(
                "a string is longer than an entry may carry",
            ))
        }
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        if fits(&text, Self::MAX) {
            Self(text)
        } else {
            Self::new(&text)
        }
    }
}

impl From<&String> for Text {
    fn from(text: &String) -> Self {
        Self::new(text)
    }
}

impl Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for Text {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for Text {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl PartialEq<str> for Text {
    fn eq(&self, other: &str) -> bool {
        self.0 == other
    }
}

impl PartialEq<&str> for Text {
    fn eq(&self, other: &&str) -> bool {
        self.0 == *other
    }
}

/// A list of strings that fits an entry; a longer one ends with the number and digest of the rest.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Texts(Vec<Text>);

impl Texts {
    /// The strings in their order.
    pub fn new<S: AsRef<str>>(texts: impl IntoIterator<Item = S>) -> Self {
        let mut kept = Vec::new();
        let rest = fill(texts.into_iter(), |text| {
            let text = Text::new(text.as_ref());
            let cost = text.cost();
            kept.push(text);
            cost
        });
        if let Some(rest) = Rest::of(rest.iter().map(|text| [text.as_ref()])) {
            kept.push(Text(rest.to_string()));
        }
        Self(kept)
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The strings in their order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(Text::as_str)
    }
}

impl<S: AsRef<str>> FromIterator<S> for Texts {
    fn from_iter<I: IntoIterator<Item = S>>(texts: I) -> Self {
        Self::new(texts)
    }
}

impl<'de> Deserialize<'de> for Texts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        bounded(Vec::deserialize(deserializer)?, Text::cost).map(Self)
    }
}

/// Annotations of the matched policies: an object of strings.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Advice(Vec<(Text, Text)>);

impl Advice {
    /// The annotations by key.
    pub fn new<K: AsRef<str>, V: AsRef<str>>(pairs: impl IntoIterator<Item = (K, V)>) -> Self {
        let mut kept = Vec::new();
        let rest = fill(pairs.into_iter(), |(key, value)| {
            let pair = (Text::new(key.as_ref()), Text::new(value.as_ref()));
            let cost = pair.0.cost().saturating_add(pair.1.cost());
            kept.push(pair);
            cost
        });
        if let Some(rest) = Rest::of(
            rest.iter()
                .map(|(key, value)| [key.as_ref(), value.as_ref()]),
        ) {
            kept.push((Text::new("…"), Text(rest.to_string())));
        }
        // Canonical JSON sorts by UTF-16 code unit, which is not the order of UTF-8 bytes.
        kept.sort_by(|(a, _), (b, _)| a.encode_utf16().cmp(b.encode_utf16()));
        kept.dedup_by(|(a, _), (b, _)| a == b);
        Self(kept)
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The annotations by key.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()))
    }
}

impl Serialize for Advice {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (key, value) in &self.0 {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Advice {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pairs;

        impl<'de> de::Visitor<'de> for Pairs {
            type Value = Vec<(Text, Text)>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of strings")
            }

            fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(pairs)
            }
        }

        let pairs = deserializer.deserialize_map(Pairs)?;
        bounded(pairs, |(key, value): &(Text, Text)| {
            key.cost().saturating_add(value.cost())
        })
        .map(Self)
    }
}

/// What inspection found in a response: the rule and how often, never what it matched.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Finding {
    /// How often the rule matched.
    pub count: Count,
    /// The rule.
    pub rule: Text,
}

/// A list of findings that fits an entry; of a longer one the rest is counted under the rule `…`.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Findings(Vec<Finding>);

impl Findings {
    /// Rules and how often each matched.
    pub fn new<S: AsRef<str>>(findings: impl IntoIterator<Item = (S, u64)>) -> Self {
        let mut kept = Vec::new();
        let rest = fill(findings.into_iter(), |(rule, count)| {
            let finding = Finding {
                count: Count::new(*count),
                rule: Text::new(rule.as_ref()),
            };
            let cost = finding_cost(&finding);
            kept.push(finding);
            cost
        });
        if !rest.is_empty() {
            let count = rest
                .iter()
                .fold(0u64, |sum, (_, count)| sum.saturating_add(*count));
            kept.push(Finding {
                count: Count::new(count),
                rule: Text::new("…"),
            });
        }
        Self(kept)
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The findings in their order.
    pub fn iter(&self) -> impl Iterator<Item = &Finding> {
        self.0.iter()
    }
}

impl<'de> Deserialize<'de> for Findings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        bounded(Vec::deserialize(deserializer)?, finding_cost).map(Self)
    }
}

fn finding_cost(finding: &Finding) -> usize {
    finding.rule.cost().saturating_add(FINDING_FRAME)
}

/// A number that every reader of JSON reads alike: at most 2^53 − 1, larger ones become that.
#[derive(
    Clone, Copy, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize,
)]
#[serde(from = "u64")]
pub struct Count(u64);

impl Count {
    /// The largest.
    pub const MAX: u64 = (1 << 53) - 1;

    /// The number, or the largest there is.
    #[must_use]
    pub fn new(number: u64) -> Self {
        Self(number.min(Self::MAX))
    }

    /// The number.
    #[must_use]
    pub fn get(self) -> u64 {
        self.0
    }
}

impl From<u64> for Count {
    fn from(number: u64) -> Self {
        Self::new(number)
    }
}

/// How many elements were left out of a list, and what they were.
struct Rest {
    left_out: usize,
    digest: Sha256Digest,
}

impl Rest {
    /// Each element is one or more strings, hashed with their lengths in front.
    fn of<'a, const N: usize>(elements: impl Iterator<Item = [&'a str; N]>) -> Option<Self> {
        let mut left_out = 0usize;
        let mut hashed = Vec::new();
        for element in elements {
            left_out = left_out.saturating_add(1);
            for text in element {
                hashed.extend_from_slice(Sha256Digest::of(text.as_bytes()).as_bytes());
            }
        }
        (left_out > 0).then(|| Self {
            left_out,
            digest: Sha256Digest::of(&hashed),
        })
    }
}

impl fmt::Display for Rest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "… {} more, {}", self.left_out, self.digest)
    }
}

/// Hands elements to `keep`, which answers what they cost, until the list is full; the rest comes back.
fn fill<T>(mut elements: impl Iterator<Item = T>, mut keep: impl FnMut(&T) -> usize) -> Vec<T> {
    let mut room = LIST_MAX;
    for element in elements.by_ref() {
        // The worst element still fits behind a list that has this much room left.
        if room < ELEMENT_MAX {
            let mut rest = vec![element];
            rest.extend(elements);
            return rest;
        }
        room = room.saturating_sub(keep(&element).saturating_add(ELEMENT_FRAME));
    }
    Vec::new()
}

fn bounded<T, E: de::Error>(list: Vec<T>, cost: impl Fn(&T) -> usize) -> Result<Vec<T>, E> {
    let total = list.iter().fold(0usize, |sum, element| {
        sum.saturating_add(cost(element))
            .saturating_add(ELEMENT_FRAME)
    });
    if total <= LIST_MAX {
        Ok(list)
    } else {
        Err(E::custom("a list is longer than an entry may carry"))
    }
}

fn fits(text: &str, limit: usize) -> bool {
    // No character is written with more than six times its bytes.
    text.len() <= limit / 6
        || (text.len() <= limit && text.chars().map(written).sum::<usize>() <= limit)
}

/// Bytes that canonical JSON writes for a character.
fn written(c: char) -> usize {
    match c {
        '"' | '\\' | '\u{8}' | '\t' | '\n' | '\u{c}' | '\r' => 2,
        '\0'..='\u{1f}' => 6,
        _ => c.len_utf8(),
    }
}

/// Bytes that `…sha256:<hex>` takes.
const CUT_MARK: usize = 3 + 7 + 64;
/// Bytes of a list as written in JSON.
const LIST_MAX: usize = 8_192;
/// Bytes of the largest element: two texts and what stands around them.
const ELEMENT_MAX: usize = 2 * Text::MAX + ELEMENT_FRAME + 256;
/// Quotation marks, colon, comma.
const ELEMENT_FRAME: usize = 8;
/// `{"count":9007199254740991,"rule":""}`.
const FINDING_FRAME: usize = 40;

#[cfg(test)]
mod tests;

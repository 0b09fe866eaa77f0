//! What a key of the configuration is.

use crate::config::shape::Shape;

/// One key of the configuration file.
#[derive(Debug, PartialEq)]
pub(crate) struct Key {
    /// Dotted path, `attestation.provider`.
    pub(crate) path: &'static str,
    pub(crate) kind: Kind,
    pub(crate) default: Default,
    pub(crate) origin: Origin,
    pub(crate) doc: &'static str,
}

/// What a key holds.
#[derive(Debug, PartialEq)]
pub(crate) enum Kind {
    Address,
    Bool,
    Choice(&'static [Word]),
    /// Above the first, up to and including the second.
    Fraction(f64, f64),
    /// Name → true or false.
    Flags,
    Integer(i64, i64),
    /// List of texts.
    List,
    Path,
    Principals,
    /// Label → rank.
    Ranks,
    /// With parts of its own.
    Shaped(Shape),
    Text,
    /// Name → text.
    Texts,
}

/// One word a choice accepts.
#[derive(Debug, PartialEq)]
pub(crate) struct Word {
    pub(crate) text: &'static str,
    pub(crate) status: Status,
}

/// Whether this version has what a word or key asks for.
#[derive(Debug, PartialEq)]
pub(crate) enum Status {
    Available,
    /// Refused by name; the text is the remedy.
    Later(&'static str),
}

/// The value that holds when a key is absent.
#[derive(Debug, PartialEq)]
pub(crate) enum Default {
    /// None: the part is off, or the value depends on something the documentation names.
    Absent,
    Bool(bool),
    /// An empty mapping or list.
    Empty,
    Fraction(&'static str),
    Integer(i64),
    Text(&'static str),
}

/// Where a key comes from.
#[derive(Debug, PartialEq)]
pub(crate) enum Origin {
    /// Known to the Python cMCP 0.7.1; `Status::Later` keys are accepted at their default only.
    Inherited(Status),
    /// New here.
    Ours,
}

impl Key {
    /// The last segment of the path.
    pub(crate) fn name(&self) -> &'static str {
        self.path.rsplit('.').next().unwrap_or(self.path)
    }

    /// What a value has to be, for a message.
    pub(crate) fn expected(&self) -> String {
        match &self.kind {
            Kind::Address => "`host:port` or `[v6]:port`".to_owned(),
            Kind::Bool => "`true` or `false`".to_owned(),
            Kind::Choice(words) => one_of(words),
            Kind::Flags => "a mapping of names to `true` or `false`".to_owned(),
            Kind::Fraction(above, to) => format!("a number above {above} and up to {to}"),
            Kind::Integer(from, to) => format!("a whole number from {from} to {to}"),
            Kind::List => "a list of texts".to_owned(),
            Kind::Path => "a path".to_owned(),
            Kind::Principals => "a list of principals".to_owned(),
            Kind::Ranks => "a mapping of labels to ranks, whole numbers from 0".to_owned(),
            Kind::Shaped(shape) => shape.expected(),
            Kind::Text => "a text".to_owned(),
            Kind::Texts => "a mapping of names to texts".to_owned(),
        }
    }

    /// The remedy, where the whole key belongs to a later version.
    pub(crate) fn later(&self) -> Option<&'static str> {
        match &self.origin {
            Origin::Inherited(Status::Later(remedy)) => Some(remedy),
            Origin::Inherited(Status::Available) | Origin::Ours => None,
        }
    }
}

fn one_of(words: &[Word]) -> String {
    let quoted: Vec<String> = words
        .iter()
        .map(|word| format!("`{}`", word.text))
        .collect();
    match quoted.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
        None => String::new(),
    }
}

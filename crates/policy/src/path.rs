//! Paths into a tool's result: the part of RFC 9535 that names places and decides nothing.
//!
//! `$.a.b[*].c[0]`, with `["any name"]` where a name is not a plain word. No filters, slices or
//! descendants: what a path names can be seen by reading it.

mod parse;

use std::{fmt, str::FromStr};

use cmcp_json::Value;

use crate::catalog::ItemKind;

/// Where something is in a JSON value; it may name several places (`[*]`) or none.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct JsonPath {
    steps: Vec<Step>,
}

/// What stands in a place after its value was taken out.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Replacement {
    /// The string [`Replacement::MARK`].
    Mark,
    /// `null`.
    Null,
    /// Nothing: the member is removed. An array element becomes `null`, so that the others keep
    /// their places.
    Removal,
}

/// Why a text is not a path.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("path `{path}` is not understood at character {at}: {kind}")]
pub struct PathError {
    /// The text.
    pub path: String,
    /// The fault's place in it, in characters from 1.
    pub at: usize,
    /// The fault.
    pub kind: PathErrorKind,
}

/// What is wrong with a path.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum PathErrorKind {
    /// It names the whole value.
    #[error("it names everything; name a member, as in `$.structuredContent.ssn`")]
    Everything,
    /// Neither `.name` nor a bracket follows.
    #[error("expected `.name`, `[\"name\"]`, `[0]` or `[*]`")]
    Step,
    /// An index that no array has.
    #[error("an index is a whole number below 2^31, without sign or leading zero")]
    Index,
    /// More than [`JsonPath::MAX_STEPS`] steps.
    #[error("more than 32 steps")]
    Long,
    /// A name that has no end, or an escape other than `\"`, `\'` and `\\`.
    #[error("the quoted name does not end, or holds an escape other than `\\\"`, `\\'` and `\\\\`")]
    Quote,
    /// The text does not start with `$`.
    #[error("a path starts with `$`")]
    Root,
    /// A tool result has no such member.
    #[error(
        "a tool result has `structuredContent`, `content` and `_meta`; write `$.structuredContent.…` for a member of the structured output"
    )]
    NotInResult,
    /// What is read from a resource has no such member.
    #[error(
        "what is read from a resource has `contents` and `_meta`; write `$.contents[*].text` for its text"
    )]
    NotInContents,
    /// What a prompt comes to has no such member.
    #[error(
        "what a prompt comes to has `messages`, `description` and `_meta`; write `$.messages[*].content.text` for its text"
    )]
    NotInPrompt,
}

impl JsonPath {
    /// The most steps a path may have.
    pub const MAX_STEPS: usize = 32;

    /// A path that is to be applied to some result, a tool's or another: its first step must be a
    /// member that such a result has.
    pub fn parse_in_result(text: &str) -> Result<Self, PathError> {
        let mut known = ItemKind::ALL.iter().flat_map(|kind| kind.result_members());
        Self::parse_within(text, &mut |name| known.any(|known| *known == name))
            .map_err(|found| found.unwrap_or_else(|| not_in(text, PathErrorKind::NotInResult)))
    }

    /// A path that is to be applied to the result of using an item of that kind.
    pub fn parse_in_result_of(kind: ItemKind, text: &str) -> Result<Self, PathError> {
        let known = kind.result_members();
        let missing = match kind {
            ItemKind::Tool => PathErrorKind::NotInResult,
            ItemKind::Resource | ItemKind::ResourceTemplate => PathErrorKind::NotInContents,
            ItemKind::Prompt => PathErrorKind::NotInPrompt,
        };
        Self::parse_within(text, &mut |name| known.contains(&name))
            .map_err(|found| found.unwrap_or_else(|| not_in(text, missing)))
    }

    fn parse_within(
        text: &str,
        known: &mut dyn FnMut(&str) -> bool,
    ) -> Result<Self, Option<PathError>> {
        let path = text.parse::<Self>().map_err(Some)?;
        match path.steps.first() {
            Some(Step::Name(name)) if known(name) => Ok(path),
            Some(Step::Name(_) | Step::Every | Step::Index(_)) | None => Err(None),
        }
    }

    /// The rest of a path that begins with that member, and `None` for other paths and for the
    /// member itself.
    #[must_use]
    pub fn below(&self, member: &str) -> Option<Self> {
        match self.steps.split_first() {
            Some((Step::Name(name), rest)) if name == member && !rest.is_empty() => Some(Self {
                steps: rest.to_vec(),
            }),
            _ => None,
        }
    }

    /// The rest of a path that begins with an index or `[*]`, and `None` for other paths.
    #[must_use]
    pub fn below_element(&self) -> Option<Self> {
        match self.steps.split_first() {
            Some((Step::Every | Step::Index(_), rest)) if !rest.is_empty() => Some(Self {
                steps: rest.to_vec(),
            }),
            _ => None,
        }
    }

    /// Whether the path names the given member of the root and nothing below it.
    #[must_use]
    pub fn is_member(&self, member: &str) -> bool {
        matches!(self.steps.as_slice(), [Step::Name(name)] if name == member)
    }

    /// Whether the value has anything at the places named.
    #[must_use]
    pub fn found_in(&self, root: &Value) -> bool {
        found(&self.steps, root)
    }

    /// Replaces what is at the places named and returns what was there.
    pub fn replace(&self, root: &mut Value, with: Replacement) -> Vec<Value> {
        let mut taken = Vec::new();
        take(&self.steps, root, with, &mut taken);
        taken
    }
}

impl Replacement {
    /// What [`Replacement::Mark`] writes.
    pub const MARK: &'static str = "[redacted]";

    fn value(self) -> Value {
        match self {
            Self::Mark => Value::from(Self::MARK),
            Self::Null | Self::Removal => Value::Null,
        }
    }
}

impl FromStr for JsonPath {
    type Err = PathError;

    fn from_str(text: &str) -> Result<Self, PathError> {
        parse::parse(text).map(|steps| Self { steps })
    }
}

impl fmt::Display for JsonPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("$")?;
        self.steps.iter().try_for_each(|step| step.fmt(f))
    }
}

#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
enum Step {
    /// Every element of an array, every member of an object.
    Every,
    Index(usize),
    Name(String),
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Every => f.write_str("[*]"),
            Self::Index(index) => write!(f, "[{index}]"),
            Self::Name(name) if parse::is_plain(name) => write!(f, ".{name}"),
            Self::Name(name) => {
                let escaped = name.replace('\\', "\\\\").replace('"', "\\\"");
                write!(f, "[\"{escaped}\"]")
            }
        }
    }
}

fn not_in(text: &str, kind: PathErrorKind) -> PathError {
    PathError {
        path: text.to_owned(),
        at: 2,
        kind,
    }
}

fn found(steps: &[Step], value: &Value) -> bool {
    let Some((step, rest)) = steps.split_first() else {
        return true;
    };
    match (step, value) {
        (Step::Name(name), Value::Object(object)) => {
            object.get(name).is_some_and(|member| found(rest, member))
        }
        (Step::Index(index), Value::Array(elements)) => elements
            .get(*index)
            .is_some_and(|element| found(rest, element)),
        (Step::Every, Value::Array(elements)) => {
            elements.iter().any(|element| found(rest, element))
        }
        (Step::Every, Value::Object(object)) => {
            object.iter().any(|(_, member)| found(rest, member))
        }
        (Step::Every | Step::Index(_) | Step::Name(_), _) => false,
    }
}

fn take(steps: &[Step], value: &mut Value, with: Replacement, taken: &mut Vec<Value>) {
    let Some((step, rest)) = steps.split_first() else {
        taken.push(std::mem::replace(value, with.value()));
        return;
    };
    match (step, value) {
        (Step::Name(name), Value::Object(object)) => {
            if rest.is_empty() && with == Replacement::Removal {
                taken.extend(object.remove(name));
            } else if let Some(member) = object.get_mut(name) {
                take(rest, member, with, taken);
            }
        }
        (Step::Index(index), Value::Array(elements)) => {
            if let Some(element) = elements.get_mut(*index) {
                take(rest, element, with, taken);
            }
        }
        (Step::Every, Value::Array(elements)) => {
            elements
                .iter_mut()
                .for_each(|element| take(rest, element, with, taken));
        }
        (Step::Every, Value::Object(object)) => {
            if rest.is_empty() && with == Replacement::Removal {
                taken.extend(std::mem::take(object).into_iter().map(|(_, member)| member));
            } else {
                object
                    .iter_mut()
                    .for_each(|(_, member)| take(rest, member, with, taken));
            }
        }
        (Step::Every | Step::Index(_) | Step::Name(_), _) => {}
    }
}

#[cfg(test)]
mod tests;

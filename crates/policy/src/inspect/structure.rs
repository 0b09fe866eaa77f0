//! What is wrong with something that is not a tool result, and reading its members.

use cmcp_json::{Object, Value};

use super::{form::FormError, url::UrlError};

/// Why something is not what the protocol says it is, so that it may not be passed on.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum StructureError {
    /// A part is of another kind than MCP says.
    #[error("`{place}` is {found}, not {expected}")]
    Malformed {
        /// The part.
        place: &'static str,
        /// The kind it should have.
        expected: &'static str,
        /// The kind it has.
        found: &'static str,
    },
    /// A text that is none of the words there are.
    #[error("`{place}` is none of {known}")]
    Word {
        /// The part.
        place: &'static str,
        /// Those there are.
        known: &'static str,
    },
    /// More than may be.
    #[error("`{place}` has more than {most} elements")]
    TooMany {
        /// The part.
        place: &'static str,
        /// How many there may be.
        most: usize,
    },
    /// Both forms of a content, or neither.
    #[error("`{place}` has to have either `text` or `blob`")]
    Contents {
        /// The part.
        place: &'static str,
    },
    /// A form that cannot be asked for, or content that does not fit the form.
    #[error("{0}")]
    Form(#[from] FormError),
    /// An answer without consent that has content all the same, or one to a link.
    #[error("the answer carries content, which only the acceptance of a form does")]
    Content,
    /// A link that no person may be sent to.
    #[error("the link cannot be shown to a person: {0}")]
    Link(#[from] UrlError),
    /// What a path names cannot be taken out of a sound result.
    #[error("what `{paths}` name cannot be taken out without breaking the result")]
    Redaction {
        /// The paths.
        paths: String,
    },
}

/// A value of the wrong kind.
pub(super) fn malformed(
    place: &'static str,
    expected: &'static str,
    value: &Value,
) -> StructureError {
    StructureError::Malformed {
        place,
        expected,
        found: value.kind(),
    }
}

fn missing(place: &'static str, expected: &'static str) -> StructureError {
    StructureError::Malformed {
        place,
        expected,
        found: "missing",
    }
}

pub(super) fn object<'v>(
    value: &'v Value,
    place: &'static str,
) -> Result<&'v Object, StructureError> {
    value
        .as_object()
        .ok_or_else(|| malformed(place, "an object", value))
}

/// A member that must be an array.
pub(super) fn array<'v>(
    object: &'v Object,
    name: &str,
    place: &'static str,
) -> Result<&'v [Value], StructureError> {
    let value = object.get(name).ok_or_else(|| missing(place, "an array"))?;
    value
        .as_array()
        .ok_or_else(|| malformed(place, "an array", value))
}

/// A member that must be a string.
pub(super) fn string<'v>(
    object: &'v Object,
    name: &str,
    place: &'static str,
) -> Result<&'v str, StructureError> {
    optional_string(object, name, place)?.ok_or_else(|| missing(place, "a string"))
}

/// A member that is a string where it is there.
pub(super) fn optional_string<'v>(
    object: &'v Object,
    name: &str,
    place: &'static str,
) -> Result<Option<&'v str>, StructureError> {
    let Some(value) = object.get(name) else {
        return Ok(None);
    };
    let text = value.as_str();
    text.map(Some)
        .ok_or_else(|| malformed(place, "a string", value))
}

/// A member that is of one kind where it is there.
pub(super) fn optional(
    object: &Object,
    name: &str,
    place: &'static str,
    (expected, fits): (&'static str, fn(&Value) -> bool),
) -> Result<(), StructureError> {
    match object.get(name) {
        Some(value) if !fits(value) => Err(malformed(place, expected, value)),
        Some(_) | None => Ok(()),
    }
}

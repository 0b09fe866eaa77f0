use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use crate::parse::{self, ParseError};

/// A number as it was spelled; always one that JSON allows and that is finite as a double.
#[derive(Clone)]
pub struct Number(Spelling);

/// Most numbers are short, and stand in the value itself: a text of little else than digits would
/// otherwise take an allocation for each.
#[derive(Clone)]
enum Spelling {
    Long(Box<str>),
    /// INVARIANT: as many of the bytes as `length` says are ASCII.
    Short {
        length: u8,
        bytes: [u8; SHORT],
    },
}

impl Number {
    /// INVARIANT: `spelling` has been read by [`parse::number::scan`] and is finite.
    pub(crate) fn from_checked(spelling: &str) -> Self {
        let mut bytes = [0; SHORT];
        let room = bytes.get_mut(..spelling.len());
        match (room, u8::try_from(spelling.len())) {
            (Some(room), Ok(length)) => {
                room.copy_from_slice(spelling.as_bytes());
                Self(Spelling::Short { length, bytes })
            }
            (_, _) => Self(Spelling::Long(spelling.into())),
        }
    }

    /// The spelling.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Spelling::Long(spelling) => spelling,
            Spelling::Short { length, bytes } => {
                let spelling = bytes.get(..usize::from(*length)).unwrap_or_default();
                std::str::from_utf8(spelling).unwrap_or_default()
            }
        }
    }

    /// Whether it is spelled without fraction and exponent.
    #[must_use]
    pub fn is_integer_spelling(&self) -> bool {
        !self
            .as_str()
            .bytes()
            .any(|byte| matches!(byte, b'.' | b'e' | b'E'))
    }

    /// The integer, when it is spelled as one and fits.
    #[must_use]
    pub fn as_i64(&self) -> Option<i64> {
        self.as_str().parse().ok()
    }

    /// The integer, when it is spelled as one, fits and has no sign.
    #[must_use]
    pub fn as_u64(&self) -> Option<u64> {
        self.as_str().parse().ok()
    }

    /// The nearest double; finite.
    #[must_use]
    pub fn as_f64(&self) -> f64 {
        self.as_str().parse().unwrap_or(f64::NAN)
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Number {}

impl Hash for Number {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Number({})", self.as_str())
    }
}

impl FromStr for Number {
    type Err = ParseError;

    /// Takes exactly the spellings that JSON allows, up to 1,024 characters.
    fn from_str(spelling: &str) -> Result<Self, ParseError> {
        parse::number::whole(spelling)
    }
}

impl From<i64> for Number {
    fn from(integer: i64) -> Self {
        Self::from_checked(&integer.to_string())
    }
}

impl From<u64> for Number {
    fn from(integer: u64) -> Self {
        Self::from_checked(&integer.to_string())
    }
}

/// With its length and what tells the two apart, as long as a text or a list is.
const SHORT: usize = 22;

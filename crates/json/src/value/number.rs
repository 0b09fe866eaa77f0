use std::fmt;
use std::str::FromStr;

use crate::parse::{self, ParseError};

/// A number as it was spelled; always one that JSON allows and that is finite as a double.
#[derive(Clone, Eq, Hash, PartialEq)]
pub struct Number(Box<str>);

impl Number {
    /// INVARIANT: `spelling` has been read by [`parse::number::scan`] and is finite.
    pub(crate) fn from_checked(spelling: &str) -> Self {
        Self(spelling.into())
    }

    /// The spelling.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is spelled without fraction and exponent.
    #[must_use]
    pub fn is_integer_spelling(&self) -> bool {
        !self
            .0
            .bytes()
            .any(|byte| matches!(byte, b'.' | b'e' | b'E'))
    }

    /// The integer, when it is spelled as one and fits.
    #[must_use]
    pub fn as_i64(&self) -> Option<i64> {
        self.0.parse().ok()
    }

    /// The integer, when it is spelled as one, fits and has no sign.
    #[must_use]
    pub fn as_u64(&self) -> Option<u64> {
        self.0.parse().ok()
    }

    /// The nearest double; finite.
    #[must_use]
    pub fn as_f64(&self) -> f64 {
        self.0.parse().unwrap_or(f64::NAN)
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Number({})", self.0)
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
        Self(integer.to_string().into_boxed_str())
    }
}

impl From<u64> for Number {
    fn from(integer: u64) -> Self {
        Self(integer.to_string().into_boxed_str())
    }
}

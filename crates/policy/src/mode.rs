//! What happens to a call that policy denies.

use std::{fmt, str::FromStr};

/// Enforcement mode.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Mode {
    /// The call proceeds; log, record and caller learn that it would have been denied.
    Advisory,
    /// The call is refused.
    #[default]
    Enforcing,
    /// The call proceeds; only the sealed entry and the record say that it would have been denied.
    Silent,
}

impl Mode {
    /// The configuration's word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Advisory => "advisory",
            Self::Enforcing => "enforcing",
            Self::Silent => "silent",
        }
    }

    /// The trust record's word.
    #[must_use]
    pub fn trace_word(self) -> &'static str {
        match self {
            Self::Advisory => "advisory",
            Self::Enforcing => "enforce",
            Self::Silent => "silent",
        }
    }

    /// Whether a denied call is refused.
    #[must_use]
    pub fn refuses(self) -> bool {
        match self {
            Self::Enforcing => true,
            Self::Advisory | Self::Silent => false,
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Mode {
    type Err = UnknownMode;

    fn from_str(word: &str) -> Result<Self, UnknownMode> {
        match word {
            "advisory" => Ok(Self::Advisory),
            "enforcing" => Ok(Self::Enforcing),
            "silent" => Ok(Self::Silent),
            _ => Err(UnknownMode(word.to_owned())),
        }
    }
}

/// A word that names no enforcement mode.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("`{0}` is not an enforcement mode: use `enforcing`, `advisory` or `silent`")]
pub struct UnknownMode(pub String);

#[cfg(test)]
mod tests;

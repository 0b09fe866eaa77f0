mod civil;
mod parse;

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use self::civil::Civil;

/// A moment in UTC, to the microsecond, in the years 1 to 9999.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Timestamp(i64);

/// Why a text is not a moment.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum TimestampError {
    /// Not of the form `2026-06-05T00:00:00Z`.
    #[error("not an RFC 3339 time: write it like `2026-06-05T00:00:00Z`")]
    Form,
    /// No zone: the moment is not known.
    #[error("time without a zone: end it with `Z` or an offset like `+02:00`")]
    ZoneMissing,
    /// A field beyond its range; leap seconds are not taken.
    #[error("no such date or time of day")]
    Range,
}

impl Timestamp {
    /// The first moment of year 1.
    pub const MIN: Self = Self(-62_135_596_800_000_000);
    /// The last microsecond of year 9999.
    pub const MAX: Self = Self(253_402_300_799_999_999);

    /// Microseconds since 1970; beyond [`Self::MIN`] and [`Self::MAX`], the nearer of the two.
    #[must_use]
    pub fn from_micros(micros: i64) -> Self {
        Self(micros).clamp(Self::MIN, Self::MAX)
    }

    /// Microseconds since 1970.
    #[must_use]
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Seconds since 1970; beyond [`Self::MIN`] and [`Self::MAX`], the nearer of the two.
    #[must_use]
    pub fn from_unix_seconds(seconds: i64) -> Self {
        Self::from_micros(seconds.saturating_mul(MICROS_PER_SECOND))
    }

    /// Whole seconds since 1970, rounded towards the past.
    #[must_use]
    pub const fn unix_seconds(self) -> i64 {
        self.0.div_euclid(MICROS_PER_SECOND)
    }

    /// Reads RFC 3339 with a zone; digits beyond the microsecond are dropped.
    ///
    /// # Errors
    ///
    /// Another form, no zone, or no such moment.
    pub fn parse_rfc3339(text: &str) -> Result<Self, TimestampError> {
        parse::rfc3339(text)
    }

    /// `2026-06-05T00:00:00Z`, with six digits of fraction unless they are zero.
    #[must_use]
    pub fn rfc3339(self) -> String {
        format!("{}Z", Civil::from(self))
    }

    /// What Python's `datetime.isoformat()` writes: as RFC 3339, but `+00:00` for `Z`.
    #[must_use]
    pub fn python_iso(self) -> String {
        format!("{}+00:00", Civil::from(self))
    }

    /// That much later; `None` beyond [`Self::MAX`].
    #[must_use]
    pub fn checked_add(self, duration: Duration) -> Option<Self> {
        let micros = i64::try_from(duration.as_micros()).ok()?;
        let later = Self(self.0.checked_add(micros)?);
        (later <= Self::MAX).then_some(later)
    }

    /// That much earlier; `None` before [`Self::MIN`].
    #[must_use]
    pub fn checked_sub(self, duration: Duration) -> Option<Self> {
        let micros = i64::try_from(duration.as_micros()).ok()?;
        let earlier = Self(self.0.checked_sub(micros)?);
        (earlier >= Self::MIN).then_some(earlier)
    }

    /// How long after `earlier` this is; zero when it is not after.
    #[must_use]
    pub fn saturating_since(self, earlier: Self) -> Duration {
        let micros = self.0.saturating_sub(earlier.0);
        Duration::from_micros(u64::try_from(micros).unwrap_or_default())
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.rfc3339())
    }
}

impl FromStr for Timestamp {
    type Err = TimestampError;

    fn from_str(text: &str) -> Result<Self, TimestampError> {
        Self::parse_rfc3339(text)
    }
}

const MICROS_PER_SECOND: i64 = 1_000_000;

#[cfg(test)]
mod tests;

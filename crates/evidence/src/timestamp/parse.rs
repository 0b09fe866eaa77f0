use super::civil::Civil;
use super::{MICROS_PER_SECOND, Timestamp, TimestampError};

pub(super) fn rfc3339(text: &str) -> Result<Timestamp, TimestampError> {
    let mut fields = Fields(text.as_bytes());
    let year = fields.number(4)?;
    fields.literal(b'-')?;
    let month = fields.number(2)?;
    fields.literal(b'-')?;
    let day = fields.number(2)?;
    fields.literal(b'T')?;
    let hour = fields.number(2)?;
    fields.literal(b':')?;
    let minute = fields.number(2)?;
    fields.literal(b':')?;
    let second = fields.number(2)?;
    let fraction = fields.fraction()?;
    let offset_minutes = fields.zone()?;
    if hour > 23 || minute > 59 || second > 59 {
        return Err(TimestampError::Range);
    }
    let seconds = hour
        .saturating_mul(3600)
        .saturating_add(minute.saturating_mul(60))
        .saturating_add(second);
    let local = Civil {
        year,
        month,
        day,
        micros: seconds
            .saturating_mul(MICROS_PER_SECOND)
            .saturating_add(fraction),
    };
    let offset = offset_minutes.saturating_mul(60 * MICROS_PER_SECOND);
    local
        .to_micros()
        .and_then(|micros| micros.checked_sub(offset))
        .map(Timestamp)
        .filter(|moment| (Timestamp::MIN..=Timestamp::MAX).contains(moment))
        .ok_or(TimestampError::Range)
}

/// What is left to be read.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn number(&mut self, digits: usize) -> Result<i64, TimestampError> {
        let (field, rest) = self
            .0
            .split_at_checked(digits)
            .ok_or(TimestampError::Form)?;
        self.0 = rest;
        field.iter().try_fold(0_i64, |number, byte| {
            let digit = char::from(*byte).to_digit(10).ok_or(TimestampError::Form)?;
            Ok(number.saturating_mul(10).saturating_add(digit.into()))
        })
    }

    fn literal(&mut self, literal: u8) -> Result<(), TimestampError> {
        self.0 = self
            .0
            .strip_prefix(&[literal])
            .ok_or(TimestampError::Form)?;
        Ok(())
    }

    /// In microseconds; zero when there is none.
    fn fraction(&mut self) -> Result<i64, TimestampError> {
        if self.literal(b'.').is_err() {
            return Ok(0);
        }
        let digits = self
            .0
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        if !(1..=MAX_FRACTION_DIGITS).contains(&digits) {
            return Err(TimestampError::Form);
        }
        let kept = digits.min(6);
        let mut micros = self.number(kept)?;
        for _ in kept..6 {
            micros = micros.saturating_mul(10);
        }
        self.number(digits.saturating_sub(kept))?;
        Ok(micros)
    }

    /// Minutes that local time is ahead of UTC.
    fn zone(&mut self) -> Result<i64, TimestampError> {
        let ahead = match self.0 {
            b"Z" => return Ok(0),
            [] => return Err(TimestampError::ZoneMissing),
            [b'+', ..] => 1,
            [b'-', ..] => -1,
            [..] => return Err(TimestampError::Form),
        };
        self.0 = self.0.get(1..).unwrap_or_default();
        let hours = self.number(2)?;
        self.literal(b':')?;
        let minutes = self.number(2)?;
        if !self.0.is_empty() {
            return Err(TimestampError::Form);
        }
        if hours > 23 || minutes > 59 {
            return Err(TimestampError::Range);
        }
        Ok(hours
            .saturating_mul(60)
            .saturating_add(minutes)
            .saturating_mul(ahead))
    }
}

const MAX_FRACTION_DIGITS: usize = 9;

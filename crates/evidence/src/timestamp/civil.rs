use std::fmt;

use super::{MICROS_PER_SECOND, Timestamp};

/// A date of the proleptic Gregorian calendar and a time of day, in UTC.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Civil {
    pub(super) year: i64,
    pub(super) month: i64,
    pub(super) day: i64,
    /// Since midnight.
    pub(super) micros: i64,
}

impl Civil {
    /// `None` when there is no such date in the years 1 to 9999.
    pub(super) fn to_micros(self) -> Option<i64> {
        let Self {
            year,
            month,
            day,
            micros,
        } = self;
        let exists = (1..=9999).contains(&year)
            && (1..=12).contains(&month)
            && (1..=days_in_month(year, month)).contains(&day)
            && (0..MICROS_PER_DAY).contains(&micros);
        if !exists {
            return None;
        }
        days_from_civil(year, month, day)
            .checked_mul(MICROS_PER_DAY)?
            .checked_add(micros)
    }
}

impl From<Timestamp> for Civil {
    fn from(moment: Timestamp) -> Self {
        let micros = moment.micros();
        let (year, month, day) = civil_from_days(micros.div_euclid(MICROS_PER_DAY));
        Self {
            year,
            month,
            day,
            micros: micros.rem_euclid(MICROS_PER_DAY),
        }
    }
}

impl fmt::Display for Civil {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            year,
            month,
            day,
            micros,
        } = self;
        let seconds = micros.div_euclid(MICROS_PER_SECOND);
        let fraction = micros.rem_euclid(MICROS_PER_SECOND);
        let (hour, minute, second) = (
            seconds.div_euclid(3600),
            seconds.div_euclid(60).rem_euclid(60),
            seconds.rem_euclid(60),
        );
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}"
        )?;
        match fraction {
            0 => Ok(()),
            fraction => write!(f, ".{fraction:06}"),
        }
    }
}

// Both conversions count days from 1 March of year 0, so that the leap day ends a year, and in eras
// of 400 years, which all have the same number of days. Callers bound years to 1–9999.
#[expect(clippy::arithmetic_side_effects, reason = "years are within 1–9999")]
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = match month {
        ..=2 => (year - 1, month + 9),
        _ => (year, month - 3),
    };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * month + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * DAYS_PER_ERA + day_of_era - DAYS_TO_1970
}

#[expect(
    clippy::arithmetic_side_effects,
    reason = "a timestamp is within years 1–9999"
)]
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + DAYS_TO_1970;
    let era = days.div_euclid(DAYS_PER_ERA);
    let day_of_era = days.rem_euclid(DAYS_PER_ERA);
    // One leap day every 4 years, but not every 100, but every 400.
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let year = year_of_era + era * 400;
    match month {
        10.. => (year + 1, month - 9, day),
        _ => (year, month + 3, day),
    }
}

fn days_in_month(year: i64, month: i64) -> i64 {
    let leap = (year.rem_euclid(4) == 0 && year.rem_euclid(100) != 0) || year.rem_euclid(400) == 0;
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

const MICROS_PER_DAY: i64 = 86_400 * MICROS_PER_SECOND;
const DAYS_PER_ERA: i64 = 146_097;
/// From 1 March of year 0.
const DAYS_TO_1970: i64 = 719_468;

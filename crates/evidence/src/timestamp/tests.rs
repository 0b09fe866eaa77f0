use std::time::Duration;

use super::{Timestamp, TimestampError};

#[track_caller]
fn assert_reads(text: &str, micros: i64) {
    assert_eq!(
        Timestamp::parse_rfc3339(text).map(Timestamp::micros),
        Ok(micros),
        "{text}"
    );
}

#[test]
fn known_moments_are_read() {
    assert_reads("1970-01-01T00:00:00Z", 0);
    assert_reads("1969-12-31T23:59:59.999999Z", -1);
    assert_reads("2000-02-29T12:00:00Z", 951_825_600_000_000);
    assert_reads("2026-11-20T09:12:41.438842+00:00", 1_795_165_961_438_842);
    assert_reads("2026-07-25T17:20:00Z", 1_785_000_000_000_000);
    assert_reads("0001-01-01T00:00:00Z", Timestamp::MIN.micros());
    assert_reads("9999-12-31T23:59:59.999999Z", Timestamp::MAX.micros());
}

#[test]
fn zones_are_taken_into_account() {
    assert_reads("1970-01-01T02:00:00+02:00", 0);
    assert_reads("1969-12-31T18:30:00-05:30", 0);
    assert_reads("1970-01-01T00:00:00-00:00", 0);
    assert_eq!(
        Timestamp::parse_rfc3339("0001-01-01T00:00:00+00:01"),
        Err(TimestampError::Range)
    );
    assert_eq!(
        Timestamp::parse_rfc3339("9999-12-31T23:59:59-00:01"),
        Err(TimestampError::Range)
    );
}

#[test]
fn fractions_are_read_to_the_microsecond() {
    assert_reads("1970-01-01T00:00:00.5Z", 500_000);
    assert_reads("1970-01-01T00:00:00.000001Z", 1);
    assert_reads("1970-01-01T00:00:00.1234567Z", 123_456);
    assert_reads("1970-01-01T00:00:00.999999999Z", 999_999);
}

#[test]
fn other_forms_are_refused() {
    for text in [
        "",
        "1970-01-01",
        "1970-01-01T00:00Z",
        "1970-01-01t00:00:00Z",
        "1970-01-01 00:00:00Z",
        "1970-01-01T00:00:00z",
        "1970-1-1T00:00:00Z",
        "19700101T000000Z",
        "+1970-01-01T00:00:00Z",
        "1970-01-01T00:00:00.Z",
        "1970-01-01T00:00:00.0000000000Z",
        "1970-01-01T00:00:00,5Z",
        "1970-01-01T00:00:00ZZ",
        "1970-01-01T00:00:00+0200",
        "1970-01-01T00:00:00+02",
        "1970-01-01T00:00:00+02:00Z",
        " 1970-01-01T00:00:00Z",
        "١٩٧٠-01-01T00:00:00Z",
    ] {
        assert_eq!(
            Timestamp::parse_rfc3339(text),
            Err(TimestampError::Form),
            "{text}"
        );
    }
    for text in ["1970-01-01T00:00:00", "1970-01-01T00:00:00.5"] {
        assert_eq!(
            Timestamp::parse_rfc3339(text),
            Err(TimestampError::ZoneMissing)
        );
    }
}

#[test]
fn dates_and_times_that_do_not_exist_are_refused() {
    for text in [
        "0000-01-01T00:00:00Z",
        "1970-00-01T00:00:00Z",
        "1970-13-01T00:00:00Z",
        "1970-01-00T00:00:00Z",
        "1970-04-31T00:00:00Z",
        "1970-01-32T00:00:00Z",
        "2023-02-29T00:00:00Z",
        "1900-02-29T00:00:00Z",
        "2100-02-29T00:00:00Z",
        "1970-01-01T24:00:00Z",
        "1970-01-01T00:60:00Z",
        "2016-12-31T23:59:60Z",
        "1970-01-01T00:00:00+24:00",
        "1970-01-01T00:00:00+00:60",
    ] {
        assert_eq!(
            Timestamp::parse_rfc3339(text),
            Err(TimestampError::Range),
            "{text}"
        );
    }
}

#[test]
fn a_moment_is_written_with_its_fraction_only_when_it_has_one() {
    let whole = Timestamp::from_unix_seconds(1_785_000_000);
    assert_eq!(whole.rfc3339(), "2026-07-25T17:20:00Z");
    assert_eq!(whole.python_iso(), "2026-07-25T17:20:00+00:00");
    let fraction = Timestamp::from_micros(1_795_165_961_438_842);
    assert_eq!(fraction.to_string(), "2026-11-20T09:12:41.438842Z");
    assert_eq!(fraction.python_iso(), "2026-11-20T09:12:41.438842+00:00");
    assert_eq!(
        Timestamp::from_micros(1_000_010).rfc3339(),
        "1970-01-01T00:00:01.000010Z"
    );
}

#[test]
fn every_day_of_ten_thousand_years_is_read_as_it_is_written() {
    let mut moment = Timestamp::MIN;
    let (mut year, mut days) = (1, 0);
    while let Some(next) = moment.checked_add(Duration::from_secs(86_400)) {
        let text = next.rfc3339();
        assert_eq!(Timestamp::parse_rfc3339(&text), Ok(next));
        days += 1;
        if text.contains("-01-01T") {
            let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            assert_eq!(days, if leap { 366 } else { 365 }, "{text}");
            (year, days) = (year + 1, 0);
        }
        moment = next;
    }
    assert_eq!((year, days), (9999, 364));
}

#[test]
fn moments_stay_within_ten_thousand_years() {
    assert_eq!(Timestamp::from_micros(i64::MAX), Timestamp::MAX);
    assert_eq!(Timestamp::from_micros(i64::MIN), Timestamp::MIN);
    assert_eq!(Timestamp::from_unix_seconds(i64::MAX), Timestamp::MAX);
    let micro = Duration::from_micros(1);
    assert_eq!(Timestamp::MAX.checked_add(micro), None);
    assert_eq!(Timestamp::MIN.checked_sub(micro), None);
    assert_eq!(Timestamp::MIN.checked_add(Duration::MAX), None);
    assert_eq!(Timestamp::MAX.rfc3339(), "9999-12-31T23:59:59.999999Z");
    assert_eq!(Timestamp::MIN.rfc3339(), "0001-01-01T00:00:00Z");
}

#[test]
fn differences_are_never_negative() {
    let (early, late) = (Timestamp::from_micros(-5), Timestamp::from_micros(7));
    assert_eq!(late.saturating_since(early), Duration::from_micros(12));
    assert_eq!(early.saturating_since(late), Duration::ZERO);
    assert_eq!(late.checked_sub(Duration::from_micros(12)), Some(early));
    assert_eq!(early.unix_seconds(), -1);
}

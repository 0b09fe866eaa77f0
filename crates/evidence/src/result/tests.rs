use super::*;
use crate::check::checks;

checks! {
    /// Two, for these tests.
    ALL:
    FIRST = "test.first", "the first holds", "mend the first";
    SECOND = "test.second", "the second holds", "mend the second";
}

fn conclude(platform: Platform, decide: impl FnOnce(&mut Checks)) -> Status {
    let mut checks = Checks::new();
    checks.require(ALL);
    decide(&mut checks);
    let at = Timestamp::from_unix_seconds(0);
    AttestationResult::conclude(platform, checks, Proved::default(), at).status
}

#[test]
fn everything_met_affirms() {
    let status = conclude(Platform::Snp, |checks| {
        checks.met(&FIRST);
        checks.not_applicable(&SECOND, "an older report has no such field");
    });
    assert_eq!(status, Status::Affirming);
}

#[test]
fn what_is_tolerated_warns() {
    let status = conclude(Platform::Snp, |checks| {
        checks.met(&FIRST);
        checks.tolerate(&SECOND, "OutOfDate", None);
    });
    assert_eq!(status, Status::Warning);
}

#[test]
fn what_failed_or_was_not_done_contradicts() {
    let failed = conclude(Platform::Snp, |checks| {
        checks.met(&FIRST);
        checks.fail(&SECOND, "one", "two");
    });
    assert_eq!(failed, Status::Contraindicated);
    let forgotten = conclude(Platform::Snp, |checks| checks.met(&FIRST));
    assert_eq!(forgotten, Status::Contraindicated);
    let nothing = conclude(Platform::Snp, |checks| {
        checks.not_applicable(&FIRST, "nothing");
        checks.not_applicable(&SECOND, "nothing");
    });
    assert_eq!(nothing, Status::Contraindicated);
}

#[test]
fn software_shows_nothing_whatever_its_checks_say() {
    let status = conclude(Platform::Software, |checks| {
        checks.met(&FIRST);
        checks.met(&SECOND);
    });
    assert_eq!(status, Status::None);
}

#[test]
fn the_earliest_end_counts() {
    let mut proved = Proved::default();
    proved.until(Timestamp::from_unix_seconds(20));
    proved.until(Timestamp::from_unix_seconds(10));
    proved.until(Timestamp::from_unix_seconds(30));
    assert_eq!(proved.not_after, Some(Timestamp::from_unix_seconds(10)));
}

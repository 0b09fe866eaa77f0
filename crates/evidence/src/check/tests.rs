use super::*;

checks! {
    /// Two, for these tests.
    ALL:
    FIRST = "test.first", "the first holds", "mend the first";
    SECOND = "test.second", "the second holds", "mend the second";
}

#[test]
fn a_required_check_that_nobody_decides_is_not_done() {
    let mut checks = Checks::new();
    checks.require(ALL);
    checks.met(&FIRST);
    let found = checks.finish();
    assert_eq!(found.len(), 2);
    assert_eq!(found[0].outcome, Outcome::Met);
    assert_eq!(found[1].check, &SECOND);
    assert_eq!(found[1].outcome, Outcome::NotDone);
}

#[test]
fn a_check_that_failed_once_is_not_met() {
    let mut checks = Checks::new();
    checks.met(&FIRST);
    checks.fail(&FIRST, "one", "two");
    assert!(!checks.is_met(&FIRST));
    assert!(!checks.is_met(&SECOND));
    assert_eq!(checks.finish().len(), 2);
}

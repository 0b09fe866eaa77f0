use super::*;

#[test]
fn a_stream_may_say_so_much_in_so_much_time() {
    let now = Instant::now();
    let mut pace = Pace::default();
    assert!(pace.allows(PACE_BYTES, now));
    assert!(!pace.allows(1, now + PACE_WINDOW / 2));
    assert!(pace.allows(PACE_BYTES, now + PACE_WINDOW));
}

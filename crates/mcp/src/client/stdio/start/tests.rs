use super::*;

#[test]
fn the_first_restart_is_immediate_and_the_pauses_double_up_to_a_limit() {
    let now = Instant::now();
    let mut ends = Ends::default();
    let mut pauses = Vec::new();
    for _ in 0..12 {
        ends.note(Duration::from_secs(1), now);
        pauses.push(ends.remaining(now).as_millis());
    }
    assert_eq!(pauses[..6], [0, 200, 400, 800, 1600, 3200]);
    assert_eq!(pauses[11], 30_000);
    ends.note(Duration::from_secs(3600), now);
    assert_eq!(
        ends.remaining(now),
        Duration::ZERO,
        "a long life makes up for it"
    );
}

use super::*;

#[test]
fn the_server_s_pause_is_obeyed_and_grows_only_while_it_cannot_be_reached() {
    let asked = |milliseconds, failed| Trail {
        retry: Some(Duration::from_millis(milliseconds)),
        failed,
        ..Trail::default()
    };
    assert_eq!(asked(3_000, 0).pause(), Duration::from_secs(3));
    assert_eq!(asked(0, 0).pause(), SHORTEST_PAUSE);
    assert_eq!(asked(u64::MAX, 0).pause(), LONGEST_PAUSE);
    assert_eq!(asked(100, 2).pause(), Duration::from_secs(2));
    let pauses = [0, 1, 5].map(|failed| {
        Trail {
            failed,
            ..Trail::default()
        }
        .pause()
    });
    assert_eq!(pauses.map(|pause| pause.as_millis()), [500, 1_000, 16_000]);
}

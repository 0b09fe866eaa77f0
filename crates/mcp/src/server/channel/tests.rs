use super::{UNREAD, read_event_id, state::KEPT};

#[test]
fn event_ids_are_read_as_they_are_written_and_nothing_else_is() {
    assert_eq!(read_event_id("3-17"), Some((3, 17)));
    assert_eq!(
        read_event_id(&super::event_id(u64::MAX, 0)),
        Some((u64::MAX, 0))
    );
    for id in [
        "",
        "-",
        "3",
        "3-",
        "-3",
        "3 -1",
        "3-1 ",
        "+3-1",
        "3--1",
        "3-1-1",
        "٣-1",
        "18446744073709551616-0",
    ] {
        assert_eq!(read_event_id(id), None, "{id}");
    }
}

#[test]
fn less_is_kept_for_coming_back_than_may_wait_to_be_read() {
    const { assert!(KEPT < UNREAD) };
}

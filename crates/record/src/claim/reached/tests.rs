use super::*;

/// After a start at `public`, these calls in the order of the log.
fn after(calls: &[(&str, &str)]) -> Reached {
    let mut reached = Reached::default();
    reached.state("public");
    for (before, after) in calls {
        reached.note(before, after);
    }
    reached
}

#[test]
fn a_call_written_late_does_not_lower_it() {
    let rise = ("public", "phi");
    let late = ("public", "public");
    assert_eq!(after(&[]).as_str(), "public");
    assert_eq!(after(&[late]).as_str(), "public");
    assert_eq!(after(&[rise]).as_str(), "phi");
    assert_eq!(after(&[rise, late]).as_str(), "phi");
    assert_eq!(after(&[late, rise, late, late]).as_str(), "phi");
    // Another session of the principal may have raised it between two calls.
    assert_eq!(after(&[("phi", "phi"), late]).as_str(), "phi");
}

#[test]
fn what_one_call_left_behind_is_lower_in_every_order() {
    let steps = [("public", "pii"), ("pii", "phi"), ("public", "public")];
    for order in [
        [0, 1, 2],
        [0, 2, 1],
        [1, 0, 2],
        [1, 2, 0],
        [2, 0, 1],
        [2, 1, 0],
    ] {
        let calls = order.map(|place: usize| steps[place]);
        assert_eq!(after(&calls).as_str(), "phi", "{calls:?}");
    }
}

#[test]
fn of_labels_that_no_call_connects_the_last_counts_until_one_does() {
    let apart = [("public", "phi"), ("public", "mnpi")];
    assert_eq!(after(&apart).as_str(), "mnpi");
    let [phi, mnpi] = apart;
    assert_eq!(after(&[phi, mnpi, ("mnpi", "phi")]).as_str(), "phi");
    assert_eq!(
        after(&[mnpi, ("mnpi", "mnpi"), ("mnpi", "phi"), mnpi]).as_str(),
        "phi"
    );
}

#[test]
fn what_the_log_states_stands_and_rises_again() {
    let mut reached = after(&[("public", "phi")]);
    reached.state("public");
    assert_eq!(reached.as_str(), "public");
    reached.note("public", "pii");
    assert_eq!(reached.as_str(), "pii");
}

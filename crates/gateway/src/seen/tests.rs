use cmcp_policy::sensitivity::{Sensitivity, Vocabulary};

use super::*;

fn label(name: &str) -> Sensitivity {
    Vocabulary::builtin().sensitivity(name).unwrap()
}

fn row(mark: &Mark) -> MarkRow {
    MarkRow {
        principal: mark.principal.clone(),
        version: mark.version,
        sensitivity: mark.sensitivity.clone(),
        resets: mark.resets,
        seen: mark.seen.clone(),
    }
}

#[test]
fn every_label_and_every_injection_outlives_the_process() {
    let seen = Seen::nothing("p");
    seen.update(|state| {
        state.raise(&label("hipaa_phi"));
        state.raise(&label("mnpi"));
        state.note_injection();
    });
    let again = Seen::restore(&row(&seen.mark()), &Vocabulary::builtin()).unwrap();
    assert_eq!(again.view(), seen.view());
    assert!(again.view().sensitivities.contains("mnpi"));
    assert_eq!(again.view().injection_events, 1);
}

#[test]
fn a_mark_is_newer_exactly_when_something_changed() {
    let seen = Seen::nothing("p");
    let first = seen.mark();
    seen.update(|state| {
        state.raise(&Sensitivity::public());
    });
    assert_eq!(seen.mark(), first);
    seen.update(|state| {
        state.raise(&label("pii"));
    });
    assert!(seen.mark().version > first.version);
}

#[test]
fn a_reset_clears_and_counts_and_is_newer_than_what_it_clears() {
    let seen = Seen::nothing("p");
    seen.update(|state| {
        state.raise(&label("pii"));
    });
    let high = seen.mark();
    let _before = seen.reset();
    assert_eq!(seen.view().max_sensitivity, Sensitivity::public());
    assert_eq!(seen.view().reset_count, 1);
    assert!(seen.mark().version > high.version);
}

#[test]
fn a_reset_that_was_not_recorded_leaves_the_state_at_least_as_high() {
    let seen = Seen::nothing("p");
    seen.update(|state| {
        state.raise(&label("hipaa_phi"));
    });
    let before = seen.reset();
    seen.update(|state| {
        state.raise(&label("pii"));
    });
    seen.put_back(before);
    let view = seen.view();
    assert_eq!(view.max_sensitivity, label("hipaa_phi"));
    assert!(view.sensitivities.contains("pii"));
    assert_eq!(view.reset_count, 0);
}

#[test]
fn a_label_that_nobody_knows_any_more_is_not_restored() {
    let seen = Seen::nothing("p");
    let stored = MarkRow {
        sensitivity: "retired".to_owned(),
        ..row(&seen.mark())
    };
    assert!(Seen::restore(&stored, &Vocabulary::builtin()).is_none());
}

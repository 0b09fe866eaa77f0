use super::*;
use crate::{
    fixture::{catalog, tool},
    sensitivity::Vocabulary,
};

fn label(name: &str) -> Sensitivity {
    Vocabulary::builtin().sensitivity(name).unwrap()
}

#[test]
fn a_session_only_ever_rises() {
    let mut state = SessionState::default();
    assert!(state.raise(&label("hipaa_phi")));
    assert!(!state.raise(&label("pii")));
    assert!(!state.raise(&label("public")));
    assert_eq!(state.view().max_sensitivity, label("hipaa_phi"));
}

#[test]
fn of_two_labels_with_equal_rank_the_earlier_is_the_highest_and_both_are_known() {
    let mut state = SessionState::default();
    state.raise(&label("hipaa_phi"));
    assert!(!state.raise(&label("mnpi")));
    let view = state.view();
    assert_eq!(view.max_sensitivity.name(), "hipaa_phi");
    let seen: Vec<_> = view.sensitivities.iter().map(String::as_str).collect();
    assert_eq!(seen, ["hipaa_phi", "mnpi", "public"]);
}

#[test]
fn the_next_session_starts_at_the_inherited_mark() {
    let view = SessionState::inherit(label("mnpi"), 2).view();
    assert_eq!(view.max_sensitivity.name(), "mnpi");
    assert_eq!(view.reset_count, 2);
    assert!(view.sensitivities.contains("mnpi"));
}

#[test]
fn a_view_is_not_changed_by_what_comes_after_and_tools_are_remembered_once() {
    let catalog = catalog(vec![tool("a", "{}")]);
    let mut state = SessionState::default();
    let before = state.view();
    for _ in 0..1000 {
        state.note_call(&catalog.tools()[0]);
        state.note_injection();
    }
    assert_eq!(before, SessionView::default());
    let after = state.view();
    assert_eq!(after.tools_used.len(), 1);
    assert_eq!(after.injection_events, 1000);
}

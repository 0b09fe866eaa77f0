use super::*;

fn asked(advice: &[(&str, &str)]) -> Option<Escalation> {
    Escalation::of(
        &advice
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect(),
    )
}

#[test]
fn an_approver_under_any_of_its_names_means_step_up() {
    for key in ["approver", "escalate", "escalation", "hitl"] {
        assert_eq!(asked(&[(key, "")]), Some(Escalation::StepUp));
    }
    assert_eq!(asked(&[("reason", "because")]), None);
    assert_eq!(asked(&[]), None);
}

#[test]
fn a_declared_decision_wins_over_the_approver() {
    assert_eq!(asked(&[("aarm_decision", "deny"), ("approver", "z")]), None);
    assert_eq!(
        asked(&[("aarm_decision", " Defer ")]),
        Some(Escalation::Defer)
    );
    assert_eq!(
        asked(&[("aarm_decision", "step_up")]),
        Some(Escalation::StepUp)
    );
}

#[test]
fn a_declared_decision_never_turns_a_no_into_a_yes() {
    assert_eq!(asked(&[("aarm_decision", "allow")]), None);
    assert_eq!(
        asked(&[("aarm_decision", "modify"), ("hitl", "")]),
        Some(Escalation::StepUp)
    );
}

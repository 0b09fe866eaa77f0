use super::*;

#[test]
fn every_verdict_reads_back_from_its_word() {
    for verdict in Verdict::ALL {
        assert_eq!(verdict.as_str().parse(), Ok(verdict));
        assert_eq!(
            serde_json::to_string(&verdict).unwrap(),
            format!("\"{verdict}\"")
        );
    }
    assert_eq!("Allow".parse::<Verdict>(), Err(UnknownVerdict));
}

#[test]
fn counts_are_kept_per_verdict() {
    let mut counts = VerdictCounts::default();
    for verdict in Verdict::ALL {
        counts.note(verdict);
    }
    counts.note(Verdict::Deny);
    assert_eq!(counts.total(), 8);
    assert_eq!(counts.of(Verdict::Deny), 2);
    assert_eq!(counts.denied(), 3);
    assert_eq!(counts.of(Verdict::StepUp), 1);
}

#[test]
fn a_claim_calls_step_up_and_defer_a_denial() {
    assert_eq!(Verdict::StepUp.claim_word(), "deny");
    assert_eq!(Verdict::Defer.claim_word(), "deny");
    assert_eq!(Verdict::Redact.claim_word(), "redact");
}

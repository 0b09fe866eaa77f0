use super::*;
use crate::{
    audit::{Count, Kind, SessionEnd, Text, samples},
    export::{
        Examination, ExportFailure, Problem, Writer,
        tests::{faults, key, ours, read},
    },
    verdict::Verdict,
};

fn call(id: &str) -> Call {
    Call {
        call_id: Text::new(id),
        ..samples::call("echo")
    }
}

fn intent(id: &str) -> Kind {
    Kind::Intent(Box::new(crate::audit::Intent { call: call(id) }))
}

fn outcome(id: &str, intent: Option<u64>) -> Kind {
    Kind::Outcome(Box::new(outcome_of(id, intent)))
}

fn outcome_of(id: &str, intent: Option<u64>) -> Outcome {
    Outcome {
        call: call(id),
        intent_seq: intent.map(Count::new),
        ..samples::outcome("echo", Verdict::Allow)
    }
}

fn end() -> Kind {
    Kind::SessionEnd(SessionEnd {
        reason: Text::new("closed"),
        sensitivity: Text::new("public"),
        successor: None,
    })
}

fn wrong(kinds: impl IntoIterator<Item = Kind>) -> Vec<(Option<u64>, &'static str)> {
    faults(&ours(&samples::log_of(kinds)))
}

fn holds(kinds: impl IntoIterator<Item = Kind>) {
    let export = ours(&samples::log_of(kinds));
    assert!(read(&export, Some(&key().public())).is_ok());
}

#[test]
fn intents_and_outcomes_in_any_order_hold() {
    holds([
        intent("a"),
        intent("b"),
        outcome("c", None),
        outcome("b", Some(2)),
        outcome("a", Some(1)),
        // The same call may be attempted again.
        intent("a"),
        outcome("a", Some(6)),
        end(),
    ]);
}

#[test]
fn every_action_has_one_outcome() {
    let [kinds, twice, open] = [true, false, false].map(|_| samples::later_kinds());
    holds(kinds.into_iter().chain([end()]));
    // The fifth of them is an intent, which the sixth answers.
    let answer = twice[5].clone();
    assert_eq!(
        wrong(twice.into_iter().chain([answer, end()])),
        [(Some(9), "intent_not_open")]
    );
    let open = open.into_iter().take(5).chain([end()]);
    assert_eq!(wrong(open), [(Some(5), "intent_open")]);
}

#[test]
fn an_intent_may_be_open_while_the_session_goes_on() {
    holds([intent("a"), intent("b"), outcome("b", Some(2))]);
}

#[test]
fn an_intent_that_is_open_when_the_session_ends_is_named() {
    assert_eq!(
        wrong([intent("a"), intent("b"), outcome("b", Some(2)), end()]),
        [(Some(1), "intent_open")]
    );
    // Every end counts: a session that was opened once more does not heal it, and is told once.
    assert_eq!(
        wrong([intent("a"), end(), outcome("a", Some(1)), end()]),
        [(Some(1), "intent_open"), (Some(3), "intent_not_open")]
    );
}

#[test]
fn a_second_outcome_of_an_intent_is_named() {
    let twice = [
        intent("a"),
        outcome("a", Some(1)),
        outcome("a", Some(1)),
        end(),
    ];
    assert_eq!(wrong(twice), [(Some(3), "intent_not_open")]);
}

#[test]
fn an_outcome_that_names_no_intent_of_its_call_is_named() {
    // An outcome, an entry that was never written, itself, and another call's intent.
    for named in [1, 9, 3] {
        let kinds = [outcome("a", None), intent("b"), outcome("c", Some(named))];
        assert_eq!(wrong(kinds), [(Some(3), "intent_not_open")], "{named}");
    }
    assert_eq!(
        wrong([intent("a"), outcome("b", Some(1)), end()]),
        [(Some(1), "intent_open"), (Some(2), "intent_not_open")]
    );
}

#[test]
fn an_outcome_beside_the_open_intent_of_its_call_is_named() {
    let kinds = [
        intent("a"),
        outcome("a", None),
        outcome("a", Some(1)),
        end(),
    ];
    assert_eq!(wrong(kinds), [(Some(2), "intent_not_named")]);
    // Without an intent, or after it was answered, nothing tells: ids of calls are not kept.
    holds([outcome("a", None), outcome("a", None), end()]);
    holds([
        intent("a"),
        outcome("a", Some(1)),
        outcome("a", None),
        end(),
    ]);
}

#[test]
fn a_faulty_entry_is_not_blamed_on_its_counterpart() {
    let stored = samples::log_of([intent("a"), outcome("a", Some(1)), end()]);
    let with = |place: usize, from: &str, to: &str| {
        let mut damaged = stored.clone();
        let text = String::from_utf8(damaged[place].clone()).unwrap();
        damaged[place] = text.replace(from, to).into_bytes();
        assert_ne!(damaged, stored);
        let found = examined(&damaged);
        assert_eq!(found.len(), 1, "{found:?}");
        (found[0].entry, found[0].fault.code())
    };
    for (place, entry) in [(1, Some(1)), (2, Some(2))] {
        assert_eq!(
            with(place, "\"v\":1", "\"v\":0"),
            (entry, "entry_version_unknown")
        );
        assert_eq!(with(place, "\"echo\"", "null"), (entry, "entry_malformed"));
        let other = with(place, "\"call_id\":\"a\"", "\"call_id\":\"b\"");
        assert_eq!(other, (entry, "entry_altered"));
    }
    let other = with(2, "\"intent_seq\":1", "\"intent_seq\":2");
    assert_eq!(other, (Some(2), "entry_altered"));
}

fn examined(stored: &[Vec<u8>]) -> Vec<Problem> {
    let mut examination = Examination::default();
    stored.iter().for_each(|entry| examination.entry(entry));
    examination.conclude(samples::LOG, None).problems
}

#[test]
fn a_stored_log_is_paired_too() {
    let log = |end: Option<Kind>| examined(&samples::log_of([intent("a")].into_iter().chain(end)));
    assert_eq!(log(None), []);
    let open = Problem {
        entry: Some(1),
        fault: Fault::IntentOpen,
    };
    assert_eq!(log(Some(end())), [open]);
}

#[test]
fn what_is_wrong_with_the_document_is_told_beside_it() {
    let stored = samples::log_of([intent("a"), end()]);
    let mut writer = Writer::new(Vec::new(), samples::LOG).unwrap();
    stored.iter().for_each(|entry| writer.entry(entry).unwrap());
    let signed = writer.checkpoint(samples::at(9)).sign(&key());
    let export = String::from_utf8(writer.finish(&signed).unwrap()).unwrap();
    let unsigned = export.replace("\"signature\":", "\"sig\":");
    assert_eq!(
        faults(unsigned.as_bytes()),
        [
            (Some(1), "intent_open"),
            (None, "export_member"),
            (None, "export_signature_missing")
        ]
    );
}

#[test]
fn more_open_intents_than_calls_can_be_in_flight_are_not_kept() {
    let mut intents = Intents::default();
    let most = Intents::MAX as u64;
    for seq in 0..most {
        intents.begin((seq, seq), &call(&seq.to_string()));
    }
    assert!(intents.problems.is_empty());
    intents.begin((most, most), &call("one more"));
    assert_eq!(intents.open.len(), Intents::MAX);
    intents.finish(most + 1, &outcome_of("0", Some(0)));
    intents.begin((most + 2, most + 2), &call("another"));
    assert_eq!(intents.open.len(), Intents::MAX);
    let mut problems = Problems::default();
    intents.report(&mut problems);
    let failure = problems.failure(None);
    let only = Problem {
        entry: Some(most),
        fault: Fault::IntentsTooMany,
    };
    assert_eq!(failure.problems, [only]);

    intents.end();
    assert!(intents.open.is_empty() && intents.calls.is_empty());
    let mut problems = Problems::default();
    intents.report(&mut problems);
    let failure = problems.failure(None);
    assert_eq!(failure.problems.len(), ExportFailure::LISTED);
    assert_eq!(failure.unlisted, most + 1 - ExportFailure::LISTED as u64);
}

//! The run-time measurement registers against event logs.

use std::fs;

use sha2::{Digest as _, Sha384};

use super::{Section, Trial, assert_refused, assert_status, forge::Mint};
use crate::{AttestationResult, Part, Status};

/// One event: register (n is RTMR n-1), type, digest, data.
struct Event(u32, u32, Vec<u8>, Vec<u8>);

const SEPARATOR: u32 = 4;
const ACTION: u32 = 0x8000_0007;
const IPL: u32 = 0x0d;

fn sha384(data: &[u8]) -> Vec<u8> {
    Sha384::digest(data).to_vec()
}

fn measured(register: u32, kind: u32, data: &[u8]) -> Event {
    Event(register, kind, sha384(data), data.to_vec())
}

/// What firmware and loader write into the first three registers.
fn boot() -> Vec<Event> {
    vec![
        measured(1, ACTION, b"firmware"),
        measured(1, SEPARATOR, &[0; 4]),
        measured(2, ACTION, b"Calling EFI Application from Boot Option"),
        measured(2, SEPARATOR, &[0; 4]),
        Event(
            3,
            IPL,
            sha384(b"kernel command line"),
            b"something else".to_vec(),
        ),
    ]
}

fn log(events: &[Event]) -> Vec<u8> {
    let mut header = b"Spec ID Event03\0".to_vec();
    header.extend([0, 0, 0, 0, 0, 2, 0, 2, 1, 0, 0, 0, 0x0c, 0, 48, 0, 0]);
    let mut bytes = [0_u32.to_le_bytes(), 3_u32.to_le_bytes()].concat();
    bytes.extend([0; 20]);
    bytes.extend(u32::try_from(header.len()).unwrap().to_le_bytes());
    bytes.extend(header);
    for Event(register, kind, digest, data) in events {
        bytes.extend([*register, *kind, 1].map(u32::to_le_bytes).concat());
        bytes.extend([0x0c, 0]);
        bytes.extend(digest);
        bytes.extend(u32::try_from(data.len()).unwrap().to_le_bytes());
        bytes.extend(data);
    }
    bytes
}

fn value(events: &[Event], register: u32) -> Vec<u8> {
    let own = events.iter().filter(|Event(of, ..)| *of == register);
    own.fold(vec![0; 48], |value, Event(_, _, digest, _)| {
        sha384(&[value, digest.clone()].concat())
    })
}

/// A domain whose first three registers are what these events lead to, with the log and these rules.
fn judge(events: &[Event], log: Option<Vec<u8>>, rules: [&str; 3]) -> AttestationResult {
    let mut mint = Mint::tdx();
    for register in 0..3 {
        let at = 328 + 48 * register;
        let value = value(events, u32::try_from(register).unwrap() + 1);
        mint.body[at..at + 48].copy_from_slice(&value);
    }
    let forged = mint.build();
    let [first, second, third] = rules;
    let section = Section::tdx(&forged.root)
        .with("rtmr0", first)
        .with("rtmr1", second)
        .with("rtmr2", third);
    let mut trial = Trial::of(&forged, section);
    if let Some(log) = log {
        trial.evidence = trial.evidence.with(Part::EventLog, log);
    }
    trial.judge()
}

const REPLAYED: [&str; 3] = [r#""replayed""#; 3];

#[test]
fn registers_that_the_log_leads_to_are_accepted() {
    let events = boot();
    let result = judge(&events, Some(log(&events)), REPLAYED);
    assert_status(&result, Status::Affirming);
    let told = result
        .notes
        .iter()
        .any(|note| note.starts_with("1 events of the log have digests"));
    assert!(told, "{:?}", result.notes);
}

#[test]
fn a_register_without_events_is_zero_and_measured_texts_need_no_note() {
    let events: Vec<Event> = boot()
        .into_iter()
        .filter(|Event(of, ..)| *of != 3)
        .collect();
    let result = judge(&events, Some(log(&events)), REPLAYED);
    assert_status(&result, Status::Affirming);
    assert_eq!(result.notes, Vec::<String>::new());
}

#[test]
fn b19_a_log_that_leads_elsewhere_is_refused() {
    let events = boot();
    let mut other = boot();
    other[4].2 = sha384(b"another command line");
    assert_refused(&judge(&events, Some(log(&other)), REPLAYED), &["tdx.rtmr2"]);
    let ignored = [r#""replayed""#, r#""replayed""#, r#""ignored""#];
    assert_status(
        &judge(&events, Some(log(&other)), ignored),
        Status::Affirming,
    );
}

#[test]
fn a_missing_or_unreadable_log_is_refused_where_a_register_needs_it() {
    let events = boot();
    let all = ["tdx.event-log", "tdx.rtmr0", "tdx.rtmr1", "tdx.rtmr2"];
    assert_refused(&judge(&events, None, REPLAYED), &all);
    assert_refused(&judge(&events, Some(vec![1]), REPLAYED), &all);
    let mut cut = log(&events);
    cut.pop();
    assert_refused(&judge(&events, Some(cut), REPLAYED), &all);
}

#[test]
fn a_digest_that_does_not_follow_from_its_event_is_refused() {
    let mut events = boot();
    events[2].3 = b"Calling EFI Application from Boot Option 2".to_vec();
    let all = ["tdx.event-log", "tdx.rtmr0", "tdx.rtmr1", "tdx.rtmr2"];
    assert_refused(&judge(&events, Some(log(&events)), REPLAYED), &all);
    // Of a register that is not judged by the log it says nothing.
    let rules = [r#""replayed""#, r#""ignored""#, r#""replayed""#];
    assert_status(
        &judge(&events, Some(log(&events)), rules),
        Status::Affirming,
    );
}

#[test]
fn b19_an_event_behind_the_separator_is_refused() {
    // The first register stands for two PCRs, which are closed one after the other.
    let mut events = boot();
    events.push(measured(1, SEPARATOR, &[0; 4]));
    assert_status(
        &judge(&events, Some(log(&events)), REPLAYED),
        Status::Affirming,
    );
    events.push(measured(1, ACTION, b"late firmware"));
    let all = ["tdx.event-log", "tdx.rtmr0", "tdx.rtmr1", "tdx.rtmr2"];
    assert_refused(&judge(&events, Some(log(&events)), REPLAYED), &all);
    let rules = [r#""ignored""#, r#""replayed""#, r#""replayed""#];
    assert_status(
        &judge(&events, Some(log(&events)), rules),
        Status::Affirming,
    );
}

#[test]
fn only_events_that_policy_names_are_accepted_where_it_names_them() {
    let events = boot();
    let named = |names: &[&str]| {
        let digests = names.iter().map(|name| {
            let digest = crate::hex::encode(&sha384(name.as_bytes()));
            format!(r#""{name}":"{digest}""#)
        });
        format!(
            r#"{{"events":{{{}}}}}"#,
            digests.collect::<Vec<_>>().join(",")
        )
    };
    let line = named(&["kernel command line", "another"]);
    let rules = [r#""replayed""#, r#""replayed""#, &line];
    assert_status(
        &judge(&events, Some(log(&events)), rules),
        Status::Affirming,
    );
    let line = named(&["another"]);
    let rules = [r#""replayed""#, r#""replayed""#, &line];
    assert_refused(&judge(&events, Some(log(&events)), rules), &["tdx.rtmr2"]);
}

#[test]
fn captured_logs_lead_to_the_registers_of_their_quote_or_not() {
    let Some(folder) = super::vectors() else {
        return;
    };
    let quote = fs::read(folder.join("tdx/attestation-rs-tdx_quote_live.dat")).unwrap();
    for (name, expected) in [
        ("attestation-rs-tdx_ccel_live2.dat", None),
        ("attestation-rs-tdx_ccel_live.bin", Some("tdx.rtmr2")),
    ] {
        let log = fs::read(folder.join("ccel").join(name)).unwrap();
        let mut trial = super::captured::trial(&quote, None);
        for register in ["rtmr0", "rtmr1", "rtmr2"] {
            trial.section = trial.section.with(register, r#""replayed""#);
        }
        trial.evidence = trial.evidence.with(Part::EventLog, log);
        let result = trial.judge();
        match expected {
            None => assert_status(&result, Status::Warning),
            Some(check) => assert_refused(&result, &[check]),
        }
    }
}

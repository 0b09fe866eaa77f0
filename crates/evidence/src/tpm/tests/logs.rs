//! Logs that are broken in one thing.

use super::machine::{Machine, failures};
use crate::{
    Status,
    check::Outcome,
    eventlog::{
        HashAlg, Kind,
        tests::build::{self, Log, sound, variable},
    },
    hex,
};

const BANK: HashAlg = HashAlg::Sha256;

#[test]
fn a_log_that_is_missing_or_cannot_be_read_is_refused() {
    let without = Machine::sound().with(|machine| machine.log = None);
    assert_eq!(without.failures(), ["tpm.log"]);
    let broken = Machine::sound().with(|machine| machine.log.as_mut().unwrap().truncate(300));
    assert_eq!(broken.failures(), ["tpm.log"]);
}

#[test]
fn b19_a_log_that_leads_elsewhere_is_refused() {
    // The last event belongs to PCR 5.
    let more = sound(&[BANK]).event(4, Kind::EfiAction, b"x");
    let more = Machine::sound().with(|machine| machine.log = Some(more.bytes()));
    assert_eq!(more.failures(), ["tpm.replay"]);
    let less = Machine::sound().with(|machine| {
        let bytes = machine.log.take().unwrap();
        let log = crate::eventlog::parse(&bytes).expect("a log");
        let end = log.events().last().unwrap().at;
        machine.log = Some(bytes[..end].to_vec());
    });
    assert_eq!(less.failures(), ["tpm.replay"]);
    let other_bank = Machine::sound().with(|machine| {
        machine.log = Some(sound(&[HashAlg::Sha384]).bytes());
    });
    assert_eq!(other_bank.failures(), ["tpm.replay"]);
    // Nothing of a log that leads elsewhere is read.
    let result = more.result();
    let order = result
        .failures()
        .find(|checked| checked.check.code == "tpm.event-order");
    assert_eq!(
        order.map(|checked| &checked.outcome),
        Some(&Outcome::NotDone)
    );
}

#[test]
fn b19_events_behind_the_separator_are_refused_or_reported() {
    let late = Machine::booted(&sound(&[BANK]).event(2, Kind::EfiAction, b"late"));
    assert_eq!(late.failures(), ["tpm.event-order"]);
    let told = late.policy(
        "\"event_order\": \"refused\"",
        "\"event_order\": \"reported\"",
    );
    let result = told.result();
    assert_eq!(failures(&result), [""; 0]);
    assert_eq!(result.status, Status::Warning);
    assert_eq!(
        tolerated(&result),
        ["PCR 2: event 17: EV_EFI_ACTION stands behind the separator"]
    );
}

#[test]
fn b19_an_event_that_says_something_else_than_was_measured_is_refused_or_reported() {
    let lies = sound(&[BANK]).measured(5, Kind::GptEvent, b"one", b"another");
    let lies = Machine::booted(&lies);
    assert_eq!(lies.failures(), ["tpm.payloads"]);
    let told = lies.policy("\"payloads\": \"refused\"", "\"payloads\": \"reported\"");
    let result = told.result();
    assert_eq!(failures(&result), [""; 0]);
    assert_eq!(result.status, Status::Warning);
    assert_eq!(
        tolerated(&result),
        ["PCR 5: the digest of event 17, EV_EFI_GPT_EVENT, is not over its data"]
    );
}

#[test]
fn b19_events_of_ignored_pcrs_are_told() {
    let log = sound(&[BANK])
        .event(12, Kind::Ipl, b"x")
        .event(0, Kind::NoAction, b"told");
    let result = Machine::booted(&log).result();
    assert_eq!(failures(&result), [""; 0]);
    for note in [
        "events of PCRs {0, 12} are not proved: not replayed",
        "1 events only tell something: nothing of it was measured",
    ] {
        assert!(
            result.notes.iter().any(|known| known == note),
            "{:?}",
            result.notes
        );
    }
}

#[test]
fn an_event_that_is_not_named_is_refused() {
    let application = Kind::BootServicesApplication;
    let more = sound(&[BANK]).measured(4, application, b"something else", b"a path");
    assert_eq!(Machine::booted(&more).failures(), ["tpm.events"]);
    // Without the boot loader that is required.
    let none = Log::new(&[BANK])
        .event(7, Kind::VariableDriverConfig, &variable("SecureBoot", &[1]))
        .separators(0..=7);
    let none = Machine::booted(&none);
    assert_eq!(none.failures(), ["tpm.events"]);
    let optional = none.policy("\"required\": [\"loader\"]", "\"required\": []");
    assert_eq!(optional.failures(), [""; 0]);
}

#[test]
fn secure_boot_that_is_off_or_not_told_is_refused() {
    let log = |content: &[u8]| {
        Log::new(&[BANK])
            .event(
                7,
                Kind::VariableDriverConfig,
                &variable("SecureBoot", content),
            )
            .event(
                4,
                Kind::EfiAction,
                b"Calling EFI Application from Boot Option",
            )
            .separators(0..=7)
            .measured(
                4,
                Kind::BootServicesApplication,
                b"the boot loader",
                b"a path",
            )
    };
    assert_eq!(Machine::booted(&log(&[1])).failures(), [""; 0]);
    let off = Machine::booted(&log(&[0]));
    assert_eq!(off.failures(), ["tpm.secure-boot"]);
    assert_eq!(Machine::booted(&log(&[2])).failures(), ["tpm.secure-boot"]);
    let not_judged = off.policy(
        "\"secure_boot\": \"required\"",
        "\"secure_boot\": \"not-judged\"",
    );
    assert_eq!(not_judged.failures(), [""; 0]);
}

#[test]
fn the_kernels_list_must_be_of_this_boot_and_lead_to_pcr_10() {
    let changed = |change: fn(&mut Machine)| Machine::sound().with(change).failures();
    assert_eq!(changed(|machine| machine.ima = None), ["tpm.ima"]);
    assert_eq!(changed(|machine| machine.ima = Some(vec![1])), ["tpm.ima"]);
    assert_eq!(
        changed(|machine| machine.ima = Some(Vec::new())),
        ["tpm.ima"]
    );
    assert_eq!(
        changed(|machine| {
            machine.ima = Some(build::ima(&[("boot_aggregate", &[1; 32])]));
        }),
        ["tpm.ima"]
    );
    // The list of a boot whose PCRs 0 to 9 were others, with a PCR 10 that fits it.
    let other = Machine::booted(&sound(&[BANK]).event(9, Kind::EventTag, b"x"));
    let mixed = Machine::sound().with(|machine| {
        machine.ima = other.ima;
        let at = 10 * 32;
        machine.pcrs[at..at + 32].copy_from_slice(&other.pcrs[at..at + 32]);
        machine.quote.digest = BANK.digest(&machine.pcrs);
    });
    assert_eq!(mixed.failures(), ["tpm.ima"]);
}

#[test]
fn entries_that_a_file_changed_under_or_of_another_pcr_are_refused() {
    let list = |change: fn(&mut Vec<u8>)| {
        let machine = Machine::sound().with(|machine| {
            let mut ima = machine.ima.take().unwrap();
            change(&mut ima);
            let log = crate::eventlog::ImaLog::parse(&ima).expect("a list");
            let value = log.entries().iter().fold(vec![0; 32], |value, entry| {
                BANK.extend(&value, &entry.extends(BANK))
            });
            let at = 10 * 32;
            machine.pcrs[at..at + 32].copy_from_slice(&value);
            machine.quote.digest = BANK.digest(&machine.pcrs);
            machine.ima = Some(ima);
        });
        machine.failures()
    };
    assert_eq!(list(|_| {}), [""; 0]);
    assert_eq!(list(|ima| ima[0] = 11), ["tpm.ima"]);
    assert_eq!(list(|ima| ima[4..24].fill(0)), ["tpm.ima"]);
    assert_eq!(list(|ima| ima[5] ^= 1), ["tpm.ima"]);
}

#[test]
fn a_file_that_is_not_named_is_refused() {
    let files: [(&str, &[u8]); 2] = [("/usr/bin/true", &[2; 32]), ("/tmp/x", &[3; 32])];
    let more = Machine::measured(&sound(&[BANK]), &files);
    assert_eq!(more.failures(), ["tpm.ima-files"]);
    let named = format!("{{\"true\": \"{}\"}}", hex::encode(&[2; 32]));
    assert_eq!(more.policy(&named, "\"any-file\"").failures(), [""; 0]);
}

#[test]
fn entries_later_than_the_quote_are_told_and_not_judged() {
    let later = Machine::sound().with(|machine| {
        let ima = machine.ima.as_mut().unwrap();
        ima.extend(build::ima_entry("/tmp/x", &[3; 32]));
    });
    let result = later.result();
    assert_eq!(failures(&result), [""; 0]);
    let note = "1 entries of the list are later than the quote";
    assert!(result.notes.iter().any(|known| known == note));
}

#[test]
fn logs_that_nobody_asked_for_are_told() {
    let machine = Machine::sound();
    let ima = format!("{{\"true\": \"{}\"}}", hex::encode(&[2; 32]));
    let loose = machine
        .policy("\"1-3\": \"replayed\"", "\"1-3\": \"ignored\"")
        .policy("\"5-10\": \"replayed\"", "\"5-10\": \"ignored\"")
        .policy("\"11\": \"replayed\"", "\"11\": \"ignored\"")
        .policy(
            "\"secure_boot\": \"required\"",
            "\"secure_boot\": \"not-judged\"",
        )
        .policy(&ima, "\"ignored\"");
    let events = loose.policy.split("\"4\": ").nth(1).unwrap();
    let events = events.split("},\n").next().unwrap().to_owned() + "}";
    let loose = loose.policy(&events, "\"ignored\"");
    let result = loose.result();
    assert_eq!(failures(&result), [""; 0]);
    assert_eq!(result.status, Status::Affirming);
    for note in [
        "an event log was sent, and no PCR is replayed from the event log: not judged",
        "a measurement list was sent, and the reference values say `ignored`: not judged",
    ] {
        assert!(
            result.notes.iter().any(|known| known == note),
            "{:?}",
            result.notes
        );
    }
}

/// What policy tolerates.
fn tolerated(result: &crate::AttestationResult) -> Vec<&str> {
    let outcomes = result.checks.iter().map(|checked| &checked.outcome);
    outcomes
        .filter_map(|outcome| match outcome {
            Outcome::Tolerated { what, .. } => Some(what.as_str()),
            Outcome::Met
            | Outcome::NotApplicable { .. }
            | Outcome::Failed { .. }
            | Outcome::NotDone => None,
        })
        .collect()
}

#[test]
fn a_file_digest_of_another_algorithm_is_not_the_named_one() {
    let machine = Machine::sound().with(|machine| {
        let mut ima = machine.ima.take().unwrap();
        // The second entry's digest, named as of an algorithm of the same size, with its hash made anew.
        let at = ima
            .windows(8)
            .rposition(|window| window == b"sha256:\0")
            .unwrap();
        ima[at..at + 8].copy_from_slice(b"sm3256:\0");
        let log = crate::eventlog::ImaLog::parse(&ima).expect("a list");
        let entry = &log.entries()[1];
        let hash = HashAlg::Sha1.digest(entry.data);
        let place = entry.at + 4;
        ima[place..place + 20].copy_from_slice(&hash);
        let log = crate::eventlog::ImaLog::parse(&ima).expect("a list");
        let value = log.entries().iter().fold(vec![0; 32], |value, entry| {
            BANK.extend(&value, &entry.extends(BANK))
        });
        machine.pcrs[320..352].copy_from_slice(&value);
        machine.quote.digest = BANK.digest(&machine.pcrs);
        machine.ima = Some(ima);
    });
    assert_eq!(machine.failures(), ["tpm.ima-files"]);
}

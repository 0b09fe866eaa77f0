//! What the event log says, as far as the quoted PCRs prove it.

use std::collections::BTreeSet;

use super::{
    ima,
    judge::{Case, EVENTS, LOG, ORDER, PAYLOADS, Quoted, REPLAY, SECURE_BOOT},
    policy::{EventRule, Findings, PcrRule, SecureBoot},
};
use crate::{
    Proved,
    check::{Check, Checks},
    eventlog::{self, EventLog, HashAlg, Kind, Payload},
    hex,
};

/// Judges the logs.
pub(super) fn judge(
    case: &Case<'_>,
    quoted: &Quoted<'_>,
    checks: &mut Checks,
    proved: &mut Proved,
) {
    ima::judge(case, quoted, checks, proved);
    let mut explained = case.policy.explained();
    // PCR 10 is the kernel's, and its own list explains it.
    explained.remove(&IMA_PCR);
    if explained.is_empty() {
        let why = "no PCR is replayed from the event log";
        for check in [&LOG, &REPLAY, &ORDER, &PAYLOADS, &EVENTS, &SECURE_BOOT] {
            checks.not_applicable(check, why);
        }
        if case.event_log.is_some() {
            proved.note(format!("an event log was sent, and {why}: not judged"));
        }
        return;
    }
    let Some(bytes) = case.event_log else {
        checks.fail(&LOG, "an event log", "none was sent");
        return;
    };
    let Some(log) = checks.take(&LOG, eventlog::parse(bytes), "a TCG2 log") else {
        return;
    };
    let judged = Judged {
        log: &log,
        bank: case.policy.bank,
        explained: &explained,
    };
    if judged.replay(quoted, checks) {
        judged.order(case.policy.event_order, checks);
        judged.payloads(case.policy.payloads, checks, proved);
        judged.events(case, checks);
        judged.secure_boot(case.policy.secure_boot, checks);
        judged.unproved(proved);
    }
}

/// A log and the PCRs that it has to explain.
struct Judged<'a> {
    log: &'a EventLog<'a>,
    bank: HashAlg,
    explained: &'a BTreeSet<u32>,
}

impl Judged<'_> {
    /// Nothing of a log is read before it leads to what was quoted.
    fn replay(&self, quoted: &Quoted<'_>, checks: &mut Checks) -> bool {
        let values = match self.log.replay(self.bank) {
            Ok(values) => values,
            Err(error) => {
                checks.fail(
                    &REPLAY,
                    "a digest of the quoted bank for every event",
                    error,
                );
                return false;
            }
        };
        let mut same = true;
        for pcr in self.explained {
            let first = || self.log.first_value(*pcr, self.bank);
            let value = values.get(pcr).cloned().unwrap_or_else(first);
            let found = quoted.get(pcr).copied().unwrap_or_default();
            if value != found {
                same = false;
                let expected = format!("PCR {pcr} is {}, by the log", hex::encode(&value));
                checks.fail(&REPLAY, expected, hex::encode(found));
            }
        }
        if same {
            checks.met(&REPLAY);
        }
        same
    }

    fn order(&self, rule: Findings, checks: &mut Checks) {
        let odd = self.log.oddities(self.bank).into_iter();
        let odd = odd.filter(|odd| self.explained.contains(&odd.register));
        let found: Vec<String> = odd
            .map(|odd| {
                let event = odd.event.map(|event| format!("event {event}: "));
                format!(
                    "PCR {}: {}{}",
                    odd.register,
                    event.unwrap_or_default(),
                    odd.what
                )
            })
            .collect();
        let expected = "no event behind its PCR's separator that firmware does not put there";
        findings(&ORDER, (rule, expected), &found, checks);
    }

    fn payloads(&self, rule: Findings, checks: &mut Checks, proved: &mut Proved) {
        let mut found = Vec::new();
        let mut elsewhere = 0_usize;
        let events = self.log.extended();
        for event in events.filter(|event| self.explained.contains(&event.register)) {
            match event.payload(self.bank) {
                Some(Payload::Recomputed(_)) => {}
                Some(Payload::Elsewhere(_)) => elsewhere = elsewhere.saturating_add(1),
                Some(Payload::Differs) | None => found.push(format!(
                    "PCR {}: the digest of event {}, {}, is not over its data",
                    event.register,
                    event.number,
                    eventlog::kind_name(event.kind),
                )),
            }
        }
        if elsewhere > 0 {
            proved.note(format!(
                "the digests of {elsewhere} events are over what is not in the log: what these \
                 events say of it is not proved"
            ));
        }
        let expected = "digests over the data of events whose type says so";
        findings(&PAYLOADS, (rule, expected), &found, checks);
    }

    fn events(&self, case: &Case<'_>, checks: &mut Checks) {
        let mut named = false;
        let mut failed = false;
        for (pcr, rule) in &case.policy.pcrs {
            if let PcrRule::Events(rule) = rule {
                named = true;
                failed |= !self.events_of(*pcr, rule, checks);
            }
        }
        if !named {
            checks.not_applicable(&EVENTS, "no PCR has named events");
        } else if !failed {
            checks.met(&EVENTS);
        }
    }

    fn events_of(&self, pcr: u32, rule: &EventRule, checks: &mut Checks) -> bool {
        let separator = self.bank.digest(&[0; 4]);
        let mut seen: BTreeSet<&str> = BTreeSet::new();
        let mut fine = true;
        for event in self.log.extended().filter(|event| event.register == pcr) {
            let digest = event.digest(self.bank).unwrap_or_default();
            let names = rule.allowed.iter().filter(|(_, known)| known == digest);
            let names: Vec<&str> = names.map(|(name, _)| name.as_str()).collect();
            let unnamed = names.is_empty();
            seen.extend(names);
            if unnamed && digest != separator {
                fine = false;
                let expected = format!("PCR {pcr}: an event that the reference values name");
                let kind = eventlog::kind_name(event.kind);
                let found = format!("event {}, {kind}, {}", event.number, hex::encode(digest));
                checks.fail(&EVENTS, expected, found);
            }
        }
        for name in &rule.required {
            if !seen.contains(name.as_str()) {
                fine = false;
                checks.fail(
                    &EVENTS,
                    format_args!("PCR {pcr}: event `{name}`"),
                    "not in the log",
                );
            }
        }
        fine
    }

    fn secure_boot(&self, rule: SecureBoot, checks: &mut Checks) {
        match rule {
            SecureBoot::NotJudged => {
                checks.not_applicable(&SECURE_BOOT, "the reference values say `not-judged`");
            }
            SecureBoot::Required => {
                let found = self.log.secure_boot(self.bank);
                let word = match found {
                    Some(true) => "on",
                    Some(false) => "off",
                    None => "not told by one measured variable",
                };
                checks.expect(&SECURE_BOOT, found == Some(true), "on", word);
            }
        }
    }

    /// Events that extend PCRs which nobody compared.
    fn unproved(&self, proved: &mut Proved) {
        let others = self
            .log
            .extended()
            .filter(|event| !self.explained.contains(&event.register));
        let mut registers = BTreeSet::new();
        for event in others {
            registers.insert(event.register);
        }
        if !registers.is_empty() {
            proved.note(format!(
                "events of PCRs {registers:?} are not proved: not replayed"
            ));
        }
        let told = self.log.events().iter();
        let told = told
            .filter(|event| event.kind == Kind::NoAction.id())
            .count();
        if told > 0 {
            proved.note(format!(
                "{told} events only tell something: nothing of it was measured"
            ));
        }
    }
}

/// Fails a check by what was found, or tolerates it, as policy says.
fn findings(
    check: &'static Check,
    (rule, expected): (Findings, &'static str),
    found: &[String],
    checks: &mut Checks,
) {
    match rule {
        Findings::Refused | Findings::Reported if found.is_empty() => checks.met(check),
        Findings::Refused => checks.fail(check, expected, found.join("; ")),
        Findings::Reported => checks.tolerate(check, found.join("; "), None),
    }
}

const IMA_PCR: u32 = 10;

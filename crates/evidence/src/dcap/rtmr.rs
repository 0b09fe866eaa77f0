//! The run-time measurement registers: pinned, or replayed from the boot event log, or ignored by name.

use std::collections::BTreeMap;

use cmcp_json::Value;

use super::{checks, judge::Judge, trust::inner};
use crate::{
    check::Check,
    eventlog::{self, EventLog, HashAlg, LogError, Payload},
    hex,
    policy::{Fields, Measurements, fields},
    reader::Malformed,
    result::About,
};

/// How a register is judged.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum RegisterRule {
    /// Any value: its claim is told and nothing is proved by it.
    Ignored,
    /// One of these values.
    Pinned(Vec<Vec<u8>>),
    /// The event log leads to its value; what the events are is not judged.
    Replayed,
    /// The event log leads to its value, and every event of it has one of these digests.
    Events(Vec<(String, Vec<u8>)>),
}

impl RegisterRule {
    pub(super) fn read(fields: &mut Fields<'_>, name: &'static str) -> Option<Self> {
        fields.read(name, |value| match (value.as_str(), value.as_array()) {
            (Some("ignored"), _) => Ok(Self::Ignored),
            (Some("replayed"), _) => Ok(Self::Replayed),
            (_, Some([])) => Err("is an empty list: write what is accepted".to_owned()),
            (_, Some(list)) => {
                let values = list.iter().map(|value| fields::hex_of(value, REGISTER));
                values.collect::<Result<_, _>>().map(Self::Pinned)
            }
            (_, None) if value.as_object().is_some() => events(value),
            (_, None) => Err(
                "must be `ignored`, `replayed`, a list of values, or a mapping with `events`"
                    .to_owned(),
            ),
        })
    }

    const fn needs_log(&self) -> bool {
        match self {
            Self::Ignored | Self::Pinned(_) => false,
            Self::Replayed | Self::Events(_) => true,
        }
    }
}

fn events(value: &Value) -> Result<RegisterRule, String> {
    let named = inner(value, |fields| fields.measurements("events", REGISTER))?;
    match named {
        Measurements::Named(list) => Ok(RegisterRule::Events(list)),
        Measurements::None => Err("`events` must name the events that are accepted".to_owned()),
    }
}

/// Why a log says nothing.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
enum LogFault {
    #[error("none came with the evidence")]
    Absent,
    #[error(transparent)]
    Malformed(#[from] Malformed),
    #[error(transparent)]
    Replay(#[from] LogError),
    #[error("digests that are not those of their events: {0}")]
    Payload(String),
    #[error("events that firmware does not make: {0}")]
    Odd(String),
}

impl Judge<'_> {
    /// Judges all four registers.
    pub(super) fn registers(
        &mut self,
        rules: [&RegisterRule; 4],
        log: Option<&[u8]>,
        found: [&[u8]; 4],
    ) {
        let names = ["rtmr0", "rtmr1", "rtmr2", "rtmr3"];
        for (name, value) in names.into_iter().zip(found) {
            self.proved.claim(About::What, name, hex::encode(value));
        }
        let log = if rules.iter().any(|rule| rule.needs_log()) {
            self.log(rules, log)
        } else {
            let why = "no register is judged by it";
            self.checks.not_applicable(&checks::TDX_EVENT_LOG, why);
            if log.is_some() {
                self.proved.note(
                    "an event log came and was not looked at: policy judges no register by it",
                );
            }
            None
        };
        let each = [
            &checks::TDX_RTMR0,
            &checks::TDX_RTMR1,
            &checks::TDX_RTMR2,
            &checks::TDX_RTMR3,
        ];
        let indexes = 1_u32..;
        for (((check, rule), value), index) in each.into_iter().zip(rules).zip(found).zip(indexes) {
            self.register(check, rule, value, (index, log.as_ref()));
        }
    }

    /// Reads and replays the log, and recomputes the digests of the registers that are judged by it.
    fn log<'l>(
        &mut self,
        rules: [&RegisterRule; 4],
        log: Option<&'l [u8]>,
    ) -> Option<Replayed<'l>> {
        let judged = |register: u32| {
            let rule = (1..).zip(rules).find(|(index, _)| *index == register);
            rule.is_some_and(|(_, rule)| rule.needs_log())
        };
        let read = replay(log).and_then(|replayed| replayed.check(judged));
        let expected = "a CCEL with SHA-384 digests that follow from its events";
        let replayed = self.checks.take(&checks::TDX_EVENT_LOG, read, expected)?;
        let unmeasured = replayed.unmeasured(judged);
        if unmeasured > 0 {
            let sentence = format!(
                "{unmeasured} events of the log have digests over something that is not in it: their text proves nothing"
            );
            self.proved.note(sentence);
        }
        Some(replayed)
    }

    fn register(
        &mut self,
        check: &'static Check,
        rule: &RegisterRule,
        value: &[u8],
        (index, log): (u32, Option<&Replayed<'_>>),
    ) {
        match rule {
            RegisterRule::Ignored => self
                .checks
                .not_applicable(check, "policy says `ignored`: it proves nothing"),
            RegisterRule::Pinned(values) => {
                let listed = values.iter().any(|known| known == value);
                let wanted = values.iter().map(|value| hex::encode(value));
                let wanted = wanted.collect::<Vec<_>>().join(" or ");
                self.checks
                    .expect(check, listed, wanted, hex::encode(value));
            }
            RegisterRule::Replayed | RegisterRule::Events(_) => {
                let Some(log) = log else {
                    let expected = "a value that the event log leads to";
                    return self.checks.fail(check, expected, "no log to replay");
                };
                let led_to = log.value(index);
                let same = led_to == value;
                let (wanted, actual) = (hex::encode(&led_to), hex::encode(value));
                self.checks.expect(check, same, wanted, actual);
                if let RegisterRule::Events(known) = rule {
                    self.named_events(check, known, (index, log));
                }
            }
        }
    }

    fn named_events(
        &mut self,
        check: &'static Check,
        known: &[(String, Vec<u8>)],
        (index, log): (u32, &Replayed<'_>),
    ) {
        let names = known.iter().map(|(name, _)| name.as_str());
        let wanted = format!("only events of {}", names.collect::<Vec<_>>().join(", "));
        let events = log.log.extended().filter(|event| event.register == index);
        for event in events {
            let digest = event.digest(HashAlg::Sha384).unwrap_or_default();
            if !known.iter().any(|(_, known)| known == digest) {
                let found = format!("event {}, {}", event.number, hex::encode(digest));
                self.checks.fail(check, &wanted, found);
            }
        }
    }
}

/// A log and where it leads.
struct Replayed<'a> {
    log: EventLog<'a>,
    values: BTreeMap<u32, Vec<u8>>,
}

fn replay(bytes: Option<&[u8]>) -> Result<Replayed<'_>, LogFault> {
    let log = eventlog::parse_ccel(bytes.ok_or(LogFault::Absent)?)?;
    let values = log.replay(HashAlg::Sha384)?;
    Ok(Replayed { log, values })
}

impl Replayed<'_> {
    /// A register without events keeps the value that it began with.
    fn value(&self, index: u32) -> Vec<u8> {
        let first = || self.log.first_value(index, HashAlg::Sha384);
        self.values.get(&index).cloned().unwrap_or_else(first)
    }

    fn check(self, judged: impl Fn(u32) -> bool) -> Result<Self, LogFault> {
        let differing = self.log.extended().filter(|event| {
            judged(event.register) && event.payload(HashAlg::Sha384) == Some(Payload::Differs)
        });
        let differing: Vec<String> = differing.map(|event| event.number.to_string()).collect();
        if !differing.is_empty() {
            return Err(LogFault::Payload(differing.join(", ")));
        }
        let odd = self.log.oddities(HashAlg::Sha384).into_iter();
        let odd: Vec<String> = odd
            .filter(|oddity| judged(oddity.register))
            .map(|oddity| match oddity.event {
                Some(number) => format!("event {number} {}", oddity.what),
                None => format!("MR {}: {}", oddity.register, oddity.what),
            })
            .collect();
        if odd.is_empty() {
            Ok(self)
        } else {
            Err(LogFault::Odd(odd.join("; ")))
        }
    }

    fn unmeasured(&self, judged: impl Fn(u32) -> bool) -> usize {
        let events = self.log.extended().filter(|event| judged(event.register));
        let elsewhere = events.filter(|event| {
            matches!(
                event.payload(HashAlg::Sha384),
                Some(Payload::Elsewhere(_)) | None
            )
        });
        elsewhere.count()
    }
}

/// A SHA-384 digest.
const REGISTER: usize = 48;

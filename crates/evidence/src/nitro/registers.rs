//! The registers: what was measured, and by which pins it is accepted.

use super::{
    Document, EnclavePolicy, InstancePolicy, Kind, NitroPolicy, Registers,
    checks::{CONFIGURATION, DEBUG, INSTANCE, MEASUREMENT, REGISTERS, ROLE, SIGNER, shown},
    document::PCRS,
};
use crate::{
    check::{Check, Checks},
    hex,
    policy::Pin,
    result::{About, Proved},
};

/// Judges them by the section for the document's kind.
pub(super) fn judge(
    policy: &NitroPolicy,
    document: &Document<'_>,
    checks: &mut Checks,
    proved: &mut Proved,
) {
    for (index, about, name) in claims(document.kind) {
        if let Some(value) = document.pcr(*index) {
            proved.claim(*about, name, hex::encode(value));
        }
    }
    match (document.kind, &policy.enclave, &policy.instance) {
        (Kind::Enclave, Some(policy), _) => enclave(policy, document, checks),
        (Kind::Instance, _, Some(policy)) => instance(policy, document, checks, proved),
        (Kind::Enclave, None, _) | (Kind::Instance, _, None) => {}
    }
}

const fn claims(kind: Kind) -> &'static [(u8, About, &'static str)] {
    match kind {
        Kind::Enclave => &[
            (0, About::What, "measurement"),
            (1, About::What, "pcr1"),
            (2, About::What, "pcr2"),
            (3, About::Who, "pcr3"),
            (4, About::Where, "pcr4"),
            (8, About::Who, "pcr8"),
        ],
        Kind::Instance => &[
            (4, About::What, "measurement"),
            (7, About::What, "pcr7"),
            (12, About::What, "pcr12"),
        ],
    }
}

fn enclave(policy: &EnclavePolicy, document: &Document<'_>, checks: &mut Checks) {
    debug(document, checks);
    let image = document.pcr(0);
    let known = image.is_some_and(|value| policy.measurements.name_of(value).is_some());
    checks.expect(
        &MEASUREMENT,
        known,
        format_args!("PCR0 {}", policy.measurements.expected()),
        found(image),
    );
    pinned(document, &CONFIGURATION, (1, &policy.pcr1), checks);
    pinned(document, &CONFIGURATION, (2, &policy.pcr2), checks);
    pinned(document, &ROLE, (3, &policy.pcr3), checks);
    pinned(document, &INSTANCE, (4, &policy.pcr4), checks);
    pinned(document, &SIGNER, (8, &policy.pcr8), checks);
    others(document, &policy.other_pcrs, &[0, 1, 2, 3, 4, 8], checks);
}

fn debug(document: &Document<'_>, checks: &mut Checks) {
    let zero: Vec<u8> = (0..3)
        .filter(|index| document.pcr(*index).is_none_or(is_zero))
        .collect();
    let found = match zero.as_slice() {
        [0, 1, 2] => "all three are zero: a debug enclave, whose memory its parent can read".into(),
        zero => format!("{zero:?} are zero or missing"),
    };
    checks.expect(&DEBUG, zero.is_empty(), "measurements of the image", found);
}

fn instance(
    policy: &InstancePolicy,
    document: &Document<'_>,
    checks: &mut Checks,
    proved: &mut Proved,
) {
    proved.note(
        "A NitroTPM's registers say what an instance started; its administrator can still enter it unless what was started prevents that.",
    );
    checks.not_applicable(&DEBUG, "an instance has no debug mode");
    checks.not_applicable(&ROLE, "an instance's document does not name its role");
    checks.not_applicable(
        &SIGNER,
        "an instance's image is not signed as an enclave's is",
    );
    for (index, pin) in [(4, &policy.pcr4), (7, &policy.pcr7)] {
        let value = document.pcr(index);
        checks.expect(
            &MEASUREMENT,
            value.is_some_and(|value| !is_zero(value)),
            format_args!("PCR{index} measured"),
            found(value),
        );
        pinned(document, &MEASUREMENT, (index, pin), checks);
    }
    pinned(document, &CONFIGURATION, (12, &policy.pcr12), checks);
    others(
        document,
        &policy.other_pcrs,
        &[0, 1, 2, 3, 4, 5, 6, 7, 12],
        checks,
    );
}

fn pinned(
    document: &Document<'_>,
    check: &'static Check,
    (index, pin): (u8, &Pin<Vec<u8>>),
    checks: &mut Checks,
) {
    let value = document.pcr(index);
    match pin {
        Pin::Any => checks.not_applicable(check, format_args!("policy takes any PCR{index}")),
        Pin::OneOf(list) => {
            let listed = value.is_some_and(|value| list.iter().any(|known| known == value));
            checks.expect(
                check,
                listed,
                format_args!("a PCR{index} that policy lists"),
                found(value),
            );
        }
    }
}

fn others(document: &Document<'_>, rule: &Registers, decided: &[u8], checks: &mut Checks) {
    let listed = match rule {
        Registers::Any => {
            checks.not_applicable(&REGISTERS, "policy takes any value of the other registers");
            return;
        }
        Registers::UnusedBut(listed) => listed,
    };
    for index in (0..PCRS).filter(|index| !decided.contains(index)) {
        let value = document.pcr(index);
        let pin = listed.iter().find(|(known, _)| *known == index);
        let (met, expected) = match (pin, value) {
            (Some((_, known)), value) => (value == Some(known.as_slice()), shown(known)),
            (None, value) => (
                value.is_none_or(|value| is_unused(document.kind, index, value)),
                "unused".to_owned(),
            ),
        };
        checks.expect(
            &REGISTERS,
            met,
            format_args!("PCR{index} {expected}"),
            found(value),
        );
    }
}

// A TPM's registers for a dynamic launch are all ones until there is one.
fn is_unused(kind: Kind, index: u8, value: &[u8]) -> bool {
    match kind {
        Kind::Instance if (17..=22).contains(&index) => value.iter().all(|byte| *byte == 0xff),
        Kind::Enclave | Kind::Instance => is_zero(value),
    }
}

fn is_zero(value: &[u8]) -> bool {
    value.iter().all(|byte| *byte == 0)
}

fn found(value: Option<&[u8]>) -> String {
    value.map_or_else(|| "not in the document".to_owned(), shown)
}

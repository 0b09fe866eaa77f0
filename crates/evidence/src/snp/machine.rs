//! Checks of the machine and its firmware.

use super::{
    ALIAS_CHECK, CHIP_ID, FIRMWARE, IDENTITY, LAUNCH_TCB, MITIGATIONS, RESERVED, SMT, TCB,
    TCB_ORDER, TSME,
    bits::{self, Bit},
    guest::{demands, forbids, pinned},
    policy::{Floors, Identity, MachineRules, SnpPolicy},
    report::{Mitigations, Report},
    tcb::{Product, Tcb},
};
use crate::{
    About, Proved,
    check::{Check, Checks},
    hex,
};

/// The firmware versions of a report, read as its product lays them out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Versions {
    pub(crate) reported: Tcb,
    pub(crate) committed: Tcb,
    pub(crate) current: Tcb,
    pub(crate) launch: Tcb,
}

impl Versions {
    /// Reads the four of them; a byte that the product keeps free is told through [`RESERVED`].
    pub(crate) fn read(report: &Report<'_>, product: Product, checks: &mut Checks) -> Self {
        let mut one = |what: &str, bytes: [u8; 8]| match Tcb::read(product, bytes) {
            Ok(tcb) => tcb,
            Err((tcb, used)) => {
                checks.fail(
                    &RESERVED,
                    "zeros where nothing is defined",
                    format_args!("byte {used} of {what} is used: {}", hex::encode(&bytes)),
                );
                tcb
            }
        };
        Self {
            reported: one("reported_tcb", report.reported_tcb),
            committed: one("committed_tcb", report.committed_tcb),
            current: one("current_tcb", report.current_tcb),
            launch: one("launch_tcb", report.launch_tcb),
        }
    }

    /// Decides the checks about them.
    pub(crate) fn check(&self, floors: Option<Floors>, checks: &mut Checks, proved: &mut Proved) {
        proved.claim(About::Where, "reported-tcb", self.reported);
        proved.claim(About::Where, "launch-tcb", self.launch);
        let Self {
            reported,
            committed,
            current,
            launch,
        } = self;
        checks.expect(
            &TCB_ORDER,
            committed.reaches(reported) && current.reaches(committed),
            "reported, committed and current firmware, each not behind the one before",
            format_args!("reported {reported}; committed {committed}; current {current}"),
        );
        // Without floors the product is refused already; comparing with nothing would say "met".
        let Some(Floors { tcb, launch_tcb }) = floors else {
            return;
        };
        floor(&TCB, reported, &tcb, checks);
        floor(&LAUNCH_TCB, launch, &launch_tcb, checks);
    }
}

fn floor(check: &'static Check, actual: &Tcb, least: &Tcb, checks: &mut Checks) {
    checks.expect(
        check,
        actual.reaches(least),
        format_args!("at least {least}"),
        actual,
    );
}

/// Decides every check about how the machine is set up.
pub(crate) fn check(
    report: &Report<'_>,
    policy: &SnpPolicy,
    checks: &mut Checks,
    proved: &mut Proved,
) {
    let MachineRules {
        firmware,
        alias_check,
        smt,
        tsme,
        mitigations,
    } = &policy.machine;
    for (check, bit, must) in [
        (&ALIAS_CHECK, &bits::ALIAS_CHECK, demands(*alias_check)),
        (&SMT, &bits::SMT, forbids(*smt)),
        (&TSME, &bits::TSME, demands(*tsme)),
    ] {
        platform_bit(check, bit, must, report.platform_info, checks);
    }
    let unknown = bits::unknown(report.platform_info, &bits::PLATFORM);
    for bit in bits::numbers(unknown) {
        proved.note(format!(
            "platform_info has bit {bit} set, which has no meaning here"
        ));
    }
    checks.expect(
        &FIRMWARE,
        report.committed >= *firmware && report.current >= report.committed,
        format_args!("{firmware} or later committed, and not ahead of what runs"),
        format_args!("{} committed, {} runs", report.committed, report.current),
    );
    mitigation(report, mitigations.launch, mitigations.current, checks);
    pinned(&CHIP_ID, &policy.chip_ids, report.chip_id, checks);
    identity(policy, checks, proved);
}

fn platform_bit(
    check: &'static Check,
    bit: &Bit,
    must: Option<bool>,
    word: u64,
    checks: &mut Checks,
) {
    let set = bit.is_set(word);
    let state = |set: bool| if set { "set" } else { "clear" };
    match must {
        None => checks.met(check),
        Some(must) => {
            checks.expect(
                check,
                set == must,
                format_args!("`{}` {} in platform_info", bit.name, state(must)),
                state(set),
            );
        }
    }
}

fn mitigation(report: &Report<'_>, launch: u64, current: u64, checks: &mut Checks) {
    let demanded = format!(
        "bits {:?} at launch and {:?} now",
        bits::numbers(launch),
        bits::numbers(current)
    );
    match report.mitigations {
        _ if launch == 0 && current == 0 => checks.met(&MITIGATIONS),
        None => checks.fail(
            &MITIGATIONS,
            demanded,
            format_args!("a report of version {}, which has none", report.version),
        ),
        Some(Mitigations {
            launch: at_launch,
            current: now,
        }) => {
            checks.expect(
                &MITIGATIONS,
                at_launch & launch == launch && now & current == current,
                demanded,
                format_args!(
                    "bits {:?} at launch and {:?} now",
                    bits::numbers(at_launch),
                    bits::numbers(now)
                ),
            );
        }
    }
}

fn identity(policy: &SnpPolicy, checks: &mut Checks, proved: &mut Proved) {
    match policy.identity {
        Identity::Pinned => {
            checks.expect(
                &IDENTITY,
                policy.pins_identity(),
                "pinned chips or host data",
                "neither is pinned",
            );
        }
        Identity::DangerAnyMachine => checks.tolerate(
            &IDENTITY,
            "any machine that runs the measurement, whoever it belongs to",
            None,
        ),
        Identity::Outer => {
            checks.not_applicable(
                &IDENTITY,
                "the platform that the report is part of decides it",
            );
        }
    }
    if !policy.pins_identity() && policy.identity != Identity::Outer {
        proved.note("it may be any machine that runs the measurement");
    }
}

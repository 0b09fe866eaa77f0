//! Checks of what the guest was launched with.

use super::{
    ABI, AES_256_XTS, AUTHOR_KEY, CIPHERTEXT_HIDING, CXL, DEBUG, FAMILY_ID, GUEST_SMT, GUEST_SVN,
    HOST_DATA, ID_KEY, IMAGE_ID, MEASUREMENT, MIGRATION, PAGE_SWAP, POLICY_BIT, RAPL,
    SINGLE_SOCKET, VMPL,
    bits::{self, Bit},
    policy::{Allowance, Demand, GuestRules, IdBlockRules, Migration, SnpPolicy},
    report::Report,
};
use crate::{
    About, Proved,
    check::{Check, Checks},
    hex,
    policy::Pin,
};

/// Decides every check about the guest.
pub(crate) fn check(
    report: &Report<'_>,
    policy: &SnpPolicy,
    checks: &mut Checks,
    proved: &mut Proved,
) {
    let SnpPolicy {
        guest,
        id_block,
        measurements,
        host_data,
        ..
    } = policy;
    guest_policy(report, guest, checks);
    migration(report, &guest.migration, checks);
    checks.expect(
        &VMPL,
        guest.vmpl.contains(&report.vmpl),
        format_args!("one of {:?}", guest.vmpl),
        report.vmpl,
    );
    let name = measurements.name_of(report.measurement);
    checks.expect(
        &MEASUREMENT,
        name.is_some(),
        measurements.expected(),
        hex::encode(report.measurement),
    );
    if let Some(name) = name {
        proved.claim(About::What, "measurement-name", name);
    }
    pinned(&HOST_DATA, host_data, report.host_data, checks);
    id_block_checks(report, id_block, checks);
}

fn guest_policy(report: &Report<'_>, rules: &GuestRules, checks: &mut Checks) {
    let word = report.policy;
    let one = |check: &'static Check, bit: &Bit, must: Option<bool>, checks: &mut Checks| {
        let set = bit.is_set(word);
        let state = |set: bool| format!("`{}` {}", bit.name, if set { "set" } else { "clear" });
        match must {
            Some(must) => {
                checks.expect(check, set == must, state(must), state(set));
            }
            None => checks.met(check),
        }
    };
    one(&DEBUG, &bits::DEBUG, Some(false), checks);
    one(&POLICY_BIT, &bits::MUST_BE_ONE, Some(true), checks);
    one(&GUEST_SMT, &bits::GUEST_SMT, forbids(rules.smt), checks);
    one(&CXL, &bits::CXL, forbids(rules.cxl), checks);
    for (check, bit, demand) in [
        (&SINGLE_SOCKET, &bits::SINGLE_SOCKET, rules.single_socket),
        (
            &CIPHERTEXT_HIDING,
            &bits::GUEST_HIDING,
            rules.ciphertext_hiding,
        ),
        (&AES_256_XTS, &bits::AES_256_XTS, rules.aes_256_xts),
        (&RAPL, &bits::GUEST_RAPL, rules.rapl_disabled),
        (&PAGE_SWAP, &bits::SWAP_DISABLED, rules.page_swap_disabled),
    ] {
        one(check, bit, demands(demand), checks);
    }
    let [minor, major, ..] = (word & bits::ABI).to_le_bytes();
    let (least_major, least_minor) = rules.abi;
    checks.expect(
        &ABI,
        (major, minor) >= rules.abi,
        format_args!("{least_major}.{least_minor} or later"),
        format_args!("{major}.{minor}"),
    );
}

pub(super) const fn forbids(allowance: Allowance) -> Option<bool> {
    match allowance {
        Allowance::Allowed => None,
        Allowance::Forbidden => Some(false),
    }
}

pub(super) const fn demands(demand: Demand) -> Option<bool> {
    match demand {
        Demand::Required => Some(true),
        Demand::NotRequired => None,
    }
}

fn migration(report: &Report<'_>, rule: &Migration, checks: &mut Checks) {
    let bound = bits::MIGRATE_MA.is_set(report.policy);
    match rule {
        _ if !bound => checks.met(&MIGRATION),
        Migration::Refused => checks.fail(
            &MIGRATION,
            "a guest that no agent may take along",
            "`migrate-ma` set",
        ),
        Migration::By(agents) => {
            let known = agents.iter().any(|agent| agent == report.report_id_ma);
            checks.expect(
                &MIGRATION,
                known,
                "a migration agent that the policy lists",
                hex::encode(report.report_id_ma),
            );
        }
    }
}

fn id_block_checks(report: &Report<'_>, rules: &IdBlockRules, checks: &mut Checks) {
    let IdBlockRules {
        id_key_digests,
        author_key_digests,
        family_ids,
        image_ids,
        guest_svn,
    } = rules;
    pinned(&ID_KEY, id_key_digests, report.id_key_digest, checks);
    pinned(&FAMILY_ID, family_ids, report.family_id, checks);
    pinned(&IMAGE_ID, image_ids, report.image_id, checks);
    checks.expect(
        &GUEST_SVN,
        report.guest_svn >= *guest_svn,
        format_args!("{guest_svn} or more"),
        report.guest_svn,
    );
    let named = bits::AUTHOR_KEY.is_set(report.flags.into());
    let digest = report.author_key_digest;
    if !named && digest.iter().any(|byte| *byte != 0) {
        checks.fail(
            &AUTHOR_KEY,
            "no digest where the flags name no author",
            hex::encode(digest),
        );
    }
    pinned(&AUTHOR_KEY, author_key_digests, digest, checks);
}

/// Decides a check by a list of accepted values.
pub(super) fn pinned(check: &'static Check, pin: &Pin<Vec<u8>>, value: &[u8], checks: &mut Checks) {
    match pin {
        Pin::Any => checks.met(check),
        Pin::OneOf(list) => {
            let known = list.iter().any(|known| known == value);
            let accepted: Vec<String> = list.iter().map(|known| hex::encode(known)).collect();
            checks.expect(
                check,
                known,
                format_args!("one of {}", accepted.join(", ")),
                hex::encode(value),
            );
        }
    }
}

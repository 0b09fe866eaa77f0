//! What the kernel's list says, as far as PCR 10 proves it.

use super::{
    judge::{Case, FILES, IMA, Quoted},
    policy::ImaRule,
};
use crate::{
    Proved,
    check::Checks,
    eventlog::{HashAlg, ImaEntry, ImaLog},
    hex,
};

/// Judges the list: it begins with a digest over PCRs 0 to 9, so it is of this boot, and leads to PCR 10.
pub(super) fn judge(
    case: &Case<'_>,
    quoted: &Quoted<'_>,
    checks: &mut Checks,
    proved: &mut Proved,
) {
    let rule = &case.policy.ima;
    if *rule == ImaRule::Ignored {
        let why = "the reference values say `ignored`";
        checks.not_applicable(&IMA, why);
        checks.not_applicable(&FILES, why);
        if case.ima_log.is_some() {
            proved.note(format!(
                "a measurement list was sent, and {why}: not judged"
            ));
        }
        return;
    }
    let Some(bytes) = case.ima_log else {
        checks.fail(&IMA, "a measurement list", "none was sent");
        return;
    };
    let log = match ImaLog::parse(bytes) {
        Ok(log) => log,
        Err(error) => {
            checks.fail(&IMA, "a measurement list", error);
            return;
        }
    };
    let bank = case.policy.bank;
    let value = quoted.get(&IMA_PCR).copied().unwrap_or_default();
    let Some(count) = log.explains(bank, &vec![0; bank.size()], value) else {
        checks.fail(&IMA, "a list that leads to PCR 10", hex::encode(value));
        return;
    };
    let (entries, rest) = log.entries().split_at_checked(count).unwrap_or_default();
    if !rest.is_empty() {
        let later = rest.len();
        proved.note(format!(
            "{later} entries of the list are later than the quote"
        ));
    }
    if let Some(strange) = entries.iter().find(|entry| !is_sound(entry)) {
        let expected = "entries of PCR 10, measured while nobody could change them";
        let found = format!("the entry at byte {}", strange.at);
        checks.fail(&IMA, expected, found);
        return;
    }
    let Some((first, rest)) = entries.split_first() else {
        checks.fail(
            &IMA,
            "a list that begins with `boot_aggregate`",
            "an empty list",
        );
        return;
    };
    aggregate(bank, quoted, first, checks);
    files(rule, rest, checks);
}

fn is_sound(entry: &ImaEntry<'_>) -> bool {
    entry.pcr == IMA_PCR && !entry.is_violation() && entry.is_consistent()
}

fn aggregate(bank: HashAlg, quoted: &Quoted<'_>, first: &ImaEntry<'_>, checks: &mut Checks) {
    let firmware: Vec<&[u8]> = quoted.range(..IMA_PCR).map(|(_, value)| *value).collect();
    let aggregate = bank.digest(&firmware.concat());
    let named = first.name == "boot_aggregate" && first.algorithm == bank.as_str();
    let expected = hex::encode(&aggregate);
    let found = hex::encode(first.digest);
    checks.expect(
        &IMA,
        named && first.digest == aggregate,
        format_args!("boot_aggregate {bank}:{expected}"),
        format_args!("{} {}:{found}", first.name, first.algorithm),
    );
}

fn files(rule: &ImaRule, files: &[ImaEntry<'_>], checks: &mut Checks) {
    let ImaRule::Files(accepted) = rule else {
        checks.not_applicable(&FILES, "the reference values say `any-file`");
        return;
    };
    let unknown = files.iter().filter(|file| {
        // The reference values name SHA-2 digests, told apart by their size.
        let alg = HashAlg::ALL
            .into_iter()
            .find(|alg| alg.as_str() == file.algorithm);
        let sized = alg.is_some_and(|alg| alg.size() == file.digest.len());
        !sized || !accepted.iter().any(|(_, known)| known == file.digest)
    });
    let unknown = unknown.map(|file| format!("{} {}", file.name, hex::encode(file.digest)));
    let unknown: Vec<String> = unknown.collect();
    let expected = "files that the reference values name";
    checks.expect(&FILES, unknown.is_empty(), expected, unknown.join(", "));
}

const IMA_PCR: u32 = 10;

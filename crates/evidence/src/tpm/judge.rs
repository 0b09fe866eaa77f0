use std::collections::BTreeMap;

use super::{
    attest::Attest,
    log,
    policy::{Carried, Clock, PcrRule, QuotePolicy},
    signature::QuoteSignature,
};
use crate::{
    Proved, Sha256Digest,
    check::{Checks, checks},
    eventlog::HashAlg,
    hex,
    result::About,
    x509::VerifyingKey,
};

checks! {
    /// What is checked of every quote, whatever made its key trusted.
    QUOTE:
    ATTEST = "tpm.attest", "the quote can be read to its last byte and was made by a TPM",
        "send the TPMS_ATTEST as the TPM returned it";
    SIGNATURE = "tpm.signature", "the attestation key signed the quote",
        "send quote and signature of one TPM2_Quote";
    BINDING = "tpm.binding", "the quote was made for this challenge",
        "quote with the challenge as qualifying data";
    COUNTERS = "tpm.counters", "the TPM was not set back to before it was last seen",
        "find out why its reset or restart count fell before raising or lowering `counters`";
    CLOCK = "tpm.clock", "the TPM is sure that its clock did not go back",
        "shut the TPM down in order, or decide `clock: any`";
    FIRMWARE = "tpm.firmware", "the TPM's firmware version is one that is accepted",
        "update the TPM, or add its version to the reference values";
    SELECTION = "tpm.selection", "the quoted bank and PCRs are those that are expected",
        "quote exactly the PCRs that the reference values name in `quoted`";
    DIGEST = "tpm.pcr-digest", "the PCR values that came along are those that were quoted",
        "send the values of the quoted PCRs in the order of the selection";
    PCRS = "tpm.pcrs", "every PCR with values holds one of them",
        "find out what changed; add the value if the change is wanted";
    LOG = "tpm.log", "the event log can be read",
        "send the event log of this boot";
    REPLAY = "tpm.replay", "the event log leads to the PCRs that are to be replayed",
        "send the event log of this boot, with digests of the quoted bank";
    ORDER = "tpm.event-order", "events stand in an order that firmware produces",
        "find out who extended PCRs after firmware handed over, or decide `event_order: reported`";
    PAYLOADS = "tpm.payloads", "the data of events is what was measured, where that can be told",
        "send the log as firmware wrote it, or decide `payloads: reported`";
    EVENTS = "tpm.events", "every event of a PCR with named events is one of them, and those required are there",
        "find out what was measured; name it if it is wanted";
    SECURE_BOOT = "tpm.secure-boot", "firmware measured that secure boot is on",
        "turn secure boot on, or decide `secure_boot: not-judged`";
    IMA = "tpm.ima", "the kernel's measurement list begins with this boot and leads to PCR 10",
        "send the binary measurement list of this boot, read after the quote; quote a bank whose algorithm the kernel has built in (SHA-256)";
    FILES = "tpm.ima-files", "every file that the kernel measured is one that is accepted",
        "find out where the file came from; name its digest if it is wanted";
}

/// A quote and what it is judged by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Case<'a> {
    /// The `TPMS_ATTEST`.
    pub(crate) attest: &'a [u8],
    /// Its signature.
    pub(crate) signature: &'a [u8],
    /// The attestation key. That it is a TPM's is the caller's to show.
    pub(crate) key: &'a VerifyingKey,
    /// The values of the quoted PCRs, in the order of the selection.
    pub(crate) pcrs: Option<&'a [u8]>,
    /// The boot event log.
    pub(crate) event_log: Option<&'a [u8]>,
    /// The kernel's measurement list.
    pub(crate) ima_log: Option<&'a [u8]>,
    /// What is accepted.
    pub(crate) policy: &'a QuotePolicy,
    /// What the quote must have been made for; none where nobody said.
    pub(crate) expected_extra: Option<&'a [u8]>,
}

/// The values of the quoted PCRs.
pub(super) type Quoted<'a> = BTreeMap<u32, &'a [u8]>;

/// Judges a quote under a key that is taken for a TPM's.
pub(crate) fn judge(case: &Case<'_>, checks: &mut Checks, proved: &mut Proved) {
    checks.require(QUOTE);
    let expected = "a quote";
    let Some(attest) = checks.take(&ATTEST, Attest::parse(case.attest), expected) else {
        return;
    };
    let hash = signature(case, checks);
    binding(case, &attest, checks);
    clock(case.policy, &attest, checks);
    claims(&attest, proved);
    let Some(quoted) = hash.and_then(|hash| pcrs(case, &attest, hash, checks)) else {
        return;
    };
    values(case.policy, &quoted, checks, proved);
    log::judge(case, &quoted, checks, proved);
}

/// Returns the hash of the signing scheme, which is the one over the PCR values too.
fn signature(case: &Case<'_>, checks: &mut Checks) -> Option<HashAlg> {
    let signature = match QuoteSignature::parse(case.signature, case.key) {
        Ok(signature) => signature,
        Err(error) => {
            checks.fail(&SIGNATURE, "a signature", error);
            return None;
        }
    };
    let verified = signature.verify(case.key, case.attest);
    checks.take(
        &SIGNATURE,
        verified,
        "a signature of the attestation key over the quote",
    );
    let (_, hash) = signature.scheme();
    Some(hash)
}

fn binding(case: &Case<'_>, attest: &Attest<'_>, checks: &mut Checks) {
    let Some(expected) = case.expected_extra else {
        checks.not_applicable(&BINDING, "no binding was named");
        return;
    };
    let digest = Sha256Digest::of(expected);
    let carried: &[u8] = match case.policy.qualifying_data {
        Carried::Whole => expected,
        Carried::Sha256 => digest.as_bytes(),
    };
    checks.expect(
        &BINDING,
        attest.extra == carried,
        hex::encode(carried),
        hex::encode(attest.extra),
    );
}

fn clock(policy: &QuotePolicy, attest: &Attest<'_>, checks: &mut Checks) {
    let found = (attest.reset_count, attest.restart_count);
    match policy.counters {
        None => checks.not_applicable(&COUNTERS, "the reference values say `any`"),
        // A reset begins the restarts anew, so the pair is compared as one.
        Some(seen) => {
            checks.expect(
                &COUNTERS,
                found >= (seen.reset, seen.restart),
                format_args!("reset {}, restart {} or later", seen.reset, seen.restart),
                format_args!("reset {}, restart {}", found.0, found.1),
            );
        }
    }
    match policy.clock {
        Clock::Any => checks.not_applicable(&CLOCK, "the reference values say `any`"),
        Clock::Safe => {
            checks.expect(&CLOCK, attest.safe, "safe", "not safe");
        }
    }
    if policy.firmware.is_any() {
        checks.not_applicable(&FIRMWARE, "the reference values say `any`");
    } else {
        checks.expect(
            &FIRMWARE,
            policy.firmware.allows(&attest.firmware),
            "a version that the reference values name",
            format_args!("{:016x}", attest.firmware),
        );
    }
}

fn claims(attest: &Attest<'_>, proved: &mut Proved) {
    proved.claim(About::When, "qualifying-data", hex::encode(attest.extra));
    proved.claim(About::When, "clock-ms", attest.clock);
    proved.claim(About::When, "clock-safe", attest.safe);
    proved.claim(About::When, "reset-count", attest.reset_count);
    proved.claim(About::When, "restart-count", attest.restart_count);
    proved.claim(About::Where, "qualified-signer", hex::encode(attest.signer));
    let firmware = format!("{:016x}", attest.firmware);
    proved.claim(About::Where, "tpm-firmware", firmware);
}

/// The values of the quoted PCRs, if they are the expected ones and came along.
fn pcrs<'a>(
    case: &Case<'a>,
    attest: &Attest<'_>,
    hash: HashAlg,
    checks: &mut Checks,
) -> Option<Quoted<'a>> {
    let bank = case.policy.bank;
    let expected: Vec<u32> = case.policy.quoted.iter().copied().collect();
    // A selection of nothing from another bank quotes nothing.
    let mut selections = attest
        .selections
        .iter()
        .filter(|selection| selection.pcrs().next().is_some());
    let found = match (selections.next(), selections.next()) {
        (Some(only), None) if only.bank == bank.id() => only.pcrs().collect(),
        (Some(_) | None, _) => Vec::new(),
    };
    let selected = checks.expect(
        &SELECTION,
        found == expected,
        format_args!("{bank}: {expected:?}"),
        describe(attest),
    );
    let values = case.pcrs.unwrap_or_default();
    let digest = hash.digest(values);
    let whole = checks.expect(
        &DIGEST,
        digest == attest.pcr_digest,
        format_args!("values whose {hash} is {}", hex::encode(attest.pcr_digest)),
        format_args!(
            "{} bytes whose {hash} is {}",
            values.len(),
            hex::encode(&digest)
        ),
    );
    let chunks = values.chunks_exact(bank.size());
    let fits = chunks.remainder().is_empty() && chunks.len() == expected.len();
    // Values that are not those of the selection would be judged under the wrong numbers.
    (selected && whole && fits).then(|| expected.into_iter().zip(chunks).collect())
}

fn describe(attest: &Attest<'_>) -> String {
    let selections = attest.selections.iter().map(|selection| {
        let bank = HashAlg::from_id(selection.bank);
        let bank = bank.map_or_else(
            || format!("{:#06x}", selection.bank),
            |bank| bank.to_string(),
        );
        format!("{bank}: {:?}", selection.pcrs().collect::<Vec<u32>>())
    });
    selections.collect::<Vec<String>>().join(", ")
}

fn values(policy: &QuotePolicy, quoted: &Quoted<'_>, checks: &mut Checks, proved: &mut Proved) {
    let mut failed = false;
    let mut ignored = Vec::new();
    for (pcr, rule) in &policy.pcrs {
        let value = quoted.get(pcr).copied().unwrap_or_default();
        match rule {
            PcrRule::Values(accepted) if accepted.iter().any(|known| known == value) => {}
            PcrRule::Values(accepted) => {
                failed = true;
                let accepted: Vec<String> =
                    accepted.iter().map(|value| hex::encode(value)).collect();
                let expected = format!("PCR {pcr} is {}", accepted.join(" or "));
                checks.fail(&PCRS, expected, hex::encode(value));
            }
            PcrRule::Replayed | PcrRule::Events(_) => {}
            PcrRule::Ignored => {
                ignored.push(pcr.to_string());
                continue;
            }
        }
        let name = usize::try_from(*pcr).ok().and_then(|pcr| NAMES.get(pcr));
        if let Some(name) = name {
            proved.claim(About::What, name, hex::encode(value));
        }
    }
    if !failed {
        checks.met(&PCRS);
    }
    if !ignored.is_empty() {
        proved.note(format!(
            "PCRs {} are ignored by the reference values",
            ignored.join(", ")
        ));
    }
}

/// The names of the claims about PCRs.
const NAMES: [&str; 24] = [
    "pcr-0", "pcr-1", "pcr-2", "pcr-3", "pcr-4", "pcr-5", "pcr-6", "pcr-7", "pcr-8", "pcr-9",
    "pcr-10", "pcr-11", "pcr-12", "pcr-13", "pcr-14", "pcr-15", "pcr-16", "pcr-17", "pcr-18",
    "pcr-19", "pcr-20", "pcr-21", "pcr-22", "pcr-23",
];

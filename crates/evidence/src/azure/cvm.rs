//! Confidential VMs: hardware vouches for the paravisor's runtime data, the runtime data for the vTPM's
//! key, and the key for what was booted and for whose challenge.

mod digest;
mod policy;

pub(super) use digest::key_digest;
pub use policy::{AzureSnpPolicy, AzureTdxPolicy, ConsoleRule, Demand, IdentityRule, MachineRules};

use crate::{
    About, Input, Part, Platform, Proved,
    azure::{
        hcl::{self, Hardware},
        runtime::{RsaKey, Runtime, Switch},
    },
    check::{Checks, checks},
    dcap, hex,
    policy::Pin,
    snp, tpm,
    x509::{Certificate, VerifyingKey},
};

checks! {
    /// What is checked of a confidential VM beside its hardware report and its vTPM's quote.
    ALL:
    PARTS = "azure.parts", "the evidence has the paravisor's report and a quote of its vTPM with the signature, each once",
        "send NV index 0x01400001, and a quote by the key at 0x81000003";
    HCL = "azure.hcl-report", "the paravisor's report is whole, and its types, versions and lengths are known",
        "send NV index 0x01400001 as it was read";
    REPORT_TYPE = "azure.report-type", "the hardware report inside is of the kind that the evidence is said to be",
        "name the evidence after the machine's hardware";
    RUNTIME = "azure.runtime-data", "the runtime data names the vTPM's keys, each once",
        "send NV index 0x01400001 as it was read";
    KEY = "azure.attestation-key", "the vTPM's attestation key is one that is used here",
        "move the machine to a host that makes stronger keys";
    AK_CERTIFICATE = "azure.ak-certificate", "a certificate of an attestation key that came along is of the key in the runtime data",
        "staple NV index 0x01C101D0 of this machine, and that of no other";
    SECURE_BOOT = "azure.secure-boot", "the firmware checked what it started, if that is demanded",
        "turn secure boot on, or decide `secure_boot`";
    CONSOLE = "azure.console", "the host has no console of the machine, if that is demanded",
        "have the console turned off, or decide `console`";
    USER_DATA = "azure.user-data", "the 64 bytes that the guest had put into the runtime data are listed",
        "write the listed bytes to NV index 0x01400002 and read the report again after three seconds";
    IDENTITY = "azure.identity", "chips or vTPM keys are pinned, or the policy says that any machine will do",
        "pin `endorsement_keys`, `attestation_keys` or the chip";
    KEY_PIN = "azure.key-pin", "the vTPM's keys are listed",
        "add the digests of the keys to `attestation_keys` or `endorsement_keys` if the machine is yours";
}

/// Judges the evidence of the platform `azure-snp`.
pub(crate) fn appraise_snp(
    input: &Input<'_>,
    policy: &AzureSnpPolicy,
    checks: &mut Checks,
    proved: &mut Proved,
) {
    checks.require(snp::ALL);
    let Some((hardware, report_data)) = machine(input, &policy.machine, (checks, proved)) else {
        return;
    };
    let report = match hardware {
        Hardware::Snp(report) => Ok(report),
        Hardware::Tdx(_) => Err(hardware.kind()),
    };
    let Some(report) = checks.take(&REPORT_TYPE, report, "an SNP report") else {
        return;
    };
    let case = snp::Case {
        report,
        endorsements: input.endorsements,
        policy: &policy.snp,
        binding: Some(report_data),
        at: input.at,
    };
    snp::judge(&case, checks, proved);
}

/// Judges the evidence of the platform `azure-tdx`.
pub(crate) fn appraise_tdx(
    input: &Input<'_>,
    policy: &AzureTdxPolicy,
    checks: &mut Checks,
    proved: &mut Proved,
) {
    checks.require(dcap::checks::TDX);
    let Some((hardware, report_data)) = machine(input, &policy.machine, (checks, proved)) else {
        return;
    };
    let kind = match hardware {
        Hardware::Tdx(_) => Ok(()),
        Hardware::Snp(_) => Err(hardware.kind()),
    };
    let known = checks.take(&REPORT_TYPE, kind, "a TDREPORT");
    let Some(quote) = input.evidence.part(Part::Quote) else {
        let found = input.evidence.all(Part::Quote).count();
        checks.fail(&PARTS, "one quote of the hardware", found);
        return;
    };
    if known.is_none() {
        return;
    }
    proved.note(
        "the TDREPORT inside the paravisor's report was not looked at: only the quote made of it can be verified elsewhere",
    );
    let case = dcap::Case {
        quote,
        // The log is of the vTPM's registers; the paravisor leaves those of the hardware alone.
        event_log: None,
        endorsements: input.endorsements,
        report_data: Some(report_data),
        at: input.at,
    };
    dcap::judge_tdx(&case, &policy.tdx, checks, proved);
}

/// Judges everything but the hardware's report: returns it, with the report data that it must have.
fn machine<'a>(
    input: &Input<'a>,
    rules: &MachineRules,
    (checks, proved): (&mut Checks, &mut Proved),
) -> Option<(Hardware<'a>, [u8; 64])> {
    checks.require(ALL);
    not_looked_at(input, proved);
    identity(rules, checks);
    let parts = [Part::HclReport, Part::Attest, Part::Signature];
    let [Some(report), Some(attest), Some(signature)] = parts.map(|part| input.evidence.part(part))
    else {
        let found = parts.map(|part| {
            let count = input.evidence.all(part).count();
            format!("{count} of `{}`", part.as_str())
        });
        checks.fail(&PARTS, "one of each", found.join(", "));
        return None;
    };
    checks.met(&PARTS);
    let expected = "a report of version 1 or 2, as the paravisor writes it";
    let report = checks.take(&HCL, hcl::parse(report), expected)?;
    let report_data = super::digest_and_zeros(report.runtime);
    let expected = "strict JSON with `HCLAkPub` among its keys";
    if let Some(runtime) = checks.take(&RUNTIME, Runtime::parse(report.runtime), expected) {
        configuration(&runtime, rules, checks, proved);
        let RsaKey { n, e } = &runtime.attestation_key;
        let key = VerifyingKey::from_rsa_components(n, e);
        if let Some(key) = checks.take(&KEY, key, "an RSA key of at least 2048 bits") {
            certificate(input, &key, rules, (checks, proved));
            let case = tpm::Case {
                attest,
                signature,
                key: &key,
                pcrs: input.evidence.part(Part::Pcrs),
                event_log: input.evidence.part(Part::EventLog),
                ima_log: input.evidence.part(Part::ImaLog),
                policy: &rules.quote,
                expected_extra: input.binding.challenge(),
            };
            tpm::judge(&case, checks, proved);
        }
    }
    proved.note("the paravisor is part of what is trusted: it holds the vTPM and its keys");
    Some((report.hardware, report_data))
}

fn not_looked_at(input: &Input<'_>, proved: &mut Proved) {
    let known = [
        Part::HclReport,
        Part::Attest,
        Part::Signature,
        Part::Pcrs,
        Part::EventLog,
        Part::ImaLog,
    ];
    let of_tdx = input.evidence.platform() == Platform::AzureTdx;
    let quote = of_tdx.then_some(Part::Quote);
    for (part, _) in input.evidence.parts() {
        if !known.contains(&part) && quote != Some(part) {
            proved.note(format!("the part `{}` was not looked at", part.as_str()));
        }
    }
}

fn identity(rules: &MachineRules, checks: &mut Checks) {
    match rules.identity {
        IdentityRule::Pinned => checks.met(&IDENTITY),
        IdentityRule::DangerAnyMachine => {
            let what = "any machine that boots the same, whoever it belongs to";
            checks.tolerate(&IDENTITY, what, None);
        }
    }
}

fn configuration(
    runtime: &Runtime,
    rules: &MachineRules,
    checks: &mut Checks,
    proved: &mut Proved,
) {
    for name in &runtime.unknown {
        proved.note(format!(
            "the runtime data has {name}, which is not known here"
        ));
    }
    let (secure_boot, console) = (runtime.secure_boot, runtime.console);
    proved.claim(About::What, "secure-boot", secure_boot.as_str());
    proved.claim(About::What, "console", console.as_str());
    if let Some(id) = &runtime.vm_id {
        proved.claim(About::Where, "vm-id", id);
    }
    match rules.secure_boot {
        Demand::Required => {
            let on = secure_boot == Switch::On;
            checks.expect(&SECURE_BOOT, on, "on", secure_boot.as_str());
        }
        Demand::NotJudged => checks.not_applicable(&SECURE_BOOT, "the policy does not judge it"),
    }
    match rules.console {
        ConsoleRule::Refused => {
            let off = console == Switch::Off;
            checks.expect(&CONSOLE, off, "off", console.as_str());
        }
        ConsoleRule::Allowed => checks.not_applicable(&CONSOLE, "the policy allows one"),
    }
    let data = runtime.user_data.as_deref();
    let digits = data.map_or_else(|| "none".to_owned(), hex::encode);
    match &rules.user_data {
        Pin::Any => checks.not_applicable(&USER_DATA, "the policy takes any"),
        Pin::OneOf(list) => {
            let listed = list.iter().any(|known| Some(known.as_slice()) == data);
            checks.expect(&USER_DATA, listed, "bytes that the policy lists", &digits);
        }
    }
    proved.claim(About::What, "user-data", digits);
    keys(runtime, rules, checks, proved);
}

fn keys(runtime: &Runtime, rules: &MachineRules, checks: &mut Checks, proved: &mut Proved) {
    let attestation = Some(key_digest(&runtime.attestation_key));
    let endorsement = runtime.endorsement_key.as_ref().map(key_digest);
    if rules.attestation_keys.is_any() && rules.endorsement_keys.is_any() {
        checks.not_applicable(&KEY_PIN, "the policy pins neither");
    }
    for (name, digest, pin) in [
        ("attestation-key", attestation, &rules.attestation_keys),
        ("endorsement-key", endorsement, &rules.endorsement_keys),
    ] {
        let digits = digest.map_or_else(|| "none".to_owned(), |digest| digest.hex());
        if let Pin::OneOf(list) = pin {
            let digest = digest.map(|digest| digest.as_bytes().to_vec());
            let listed = digest.is_some_and(|digest| list.contains(&digest));
            let expected = format_args!("an {name} that the policy lists");
            checks.expect(&KEY_PIN, listed, expected, &digits);
        }
        proved.claim(About::Where, name, digits);
    }
}

fn certificate(
    input: &Input<'_>,
    key: &VerifyingKey,
    rules: &MachineRules,
    (checks, proved): (&mut Checks, &mut Proved),
) {
    let all = input.endorsements.certificates.iter();
    let read: Vec<Certificate> = all
        .filter_map(|der| Certificate::from_padded_der(der).ok())
        .collect();
    let of_attestation_key = |certificate: &&Certificate| {
        let usages = certificate.extended_key_usages();
        !certificate.is_ca() && usages.iter().any(|usage| usage == AK_USAGE)
    };
    let mut found = read.iter().filter(of_attestation_key).peekable();
    if found.peek().is_none() {
        checks.not_applicable(
            &AK_CERTIFICATE,
            "no certificate of an attestation key came along",
        );
    }
    for certificate in found {
        checks.expect(
            &AK_CERTIFICATE,
            certificate.key() == Ok(key),
            "the key of the runtime data",
            format_args!("another, of `{}`", certificate.name()),
        );
    }
    match &rules.ak_certificate {
        Some(policy) => {
            let case = tpm::AkCase {
                key,
                endorsements: input.endorsements,
                policy,
                vendor: tpm::AZURE_ROOTS,
                at: input.at,
            };
            tpm::judge_certificate(&case, checks, proved);
        }
        None => proved.note(
            "the vTPM's key was not held against Microsoft's certificate of it: the hardware's word for it was enough",
        ),
    }
}

/// TCG's purpose of attestation keys (`tcg-kp-AIKCertificate`).
const AK_USAGE: &str = "2.23.133.8.3";

#[cfg(test)]
mod tests;

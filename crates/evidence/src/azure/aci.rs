//! Confidential containers: an SNP report of a utility VM that Microsoft endorses, launched for one
//! container policy.

use crate::{
    About, Binding, Input, Part, Proved, Sha256Digest,
    azure::{
        cce,
        uvm::{self, Uvm, UvmRules},
    },
    check::{Checks, checks},
    hex,
    policy::{Fields, Measurements, fields},
    snp::{self, SnpPolicy},
};

checks! {
    /// What is checked of a confidential container beside its SNP report.
    ALL:
    REPORT = "aci.report", "the evidence has one report",
        "send the report as the utility VM's device gave it, once";
    RUNTIME_DATA = "aci.runtime-data", "the report data is the digest of the runtime data, and nothing else",
        "send the runtime data byte for byte as it was hashed";
    UVM = "aci.uvm", "one endorsement of the utility VM is there, of a form that is known",
        "staple `reference-info-base64` of the container group, decoded";
    UVM_ISSUER = "aci.uvm-issuer", "the endorsement's issuer is listed",
        "list the `did:x509` name in `uvm.issuers`";
    UVM_ROOT = "aci.uvm-root", "the last certificate is the one that the issuer's name gives the digest of",
        "staple the endorsement that came with the container group";
    UVM_EKU = "aci.uvm-eku", "the signer's certificate is for what the issuer's name demands",
        "staple the endorsement that came with the container group";
    UVM_CHAIN = "aci.uvm-chain", "the signer's certificate leads to the root",
        "staple the endorsement with its whole chain";
    UVM_TIME = "aci.uvm-time", "the authorities hold at the time of the appraisal, and the signer's certificate did when it signed",
        "staple a newer endorsement";
    UVM_SIGNATURE = "aci.uvm-signature", "the endorsement is signed by the signer's key with PS384",
        "staple the endorsement byte for byte";
    UVM_FEED = "aci.uvm-feed", "the endorsement is about an image that is listed",
        "list the feed in `uvm.feeds`";
    UVM_SVN = "aci.uvm-svn", "the utility VM's security version is not below the floor",
        "start the container group anew on a host with a newer utility VM";
    MEASUREMENT = "aci.measurement", "the measurement that is endorsed is the report's",
        "staple the endorsement of this container group's own utility VM";
    POLICY = "aci.policy", "the container policy whose digest the report carries is there",
        "staple `security-policy-base64` of the container group, decoded";
    HOST_DATA = "aci.host-data", "the container policy is one that the reference values name",
        "compute its digest with `cmcp measure cce` and name it in `container_policies`";
    LINT = "aci.lint", "the container policy allows what it lists and no more",
        "close what was found in the container policy, or tolerate it by name in `tolerated_findings`";
    IDENTITY = "aci.identity", "something says whose container group it is, or the policy says that anybody's will do",
        "pin `snp.chip_ids`, or decide `identity`";
}

/// What is accepted of confidential containers.
#[derive(Clone, Debug)]
pub struct AciPolicy {
    /// What is accepted of the SNP report. `measurements: none` says that the endorsement alone decides.
    pub snp: SnpPolicy,
    /// What is accepted of the utility VM's endorsement.
    pub uvm: UvmRules,
    /// Container policies by name: digests of the decoded text.
    pub container_policies: Measurements,
    /// Findings in them that are tolerated, each as the appraisal words it.
    pub tolerated_findings: Vec<String>,
    /// Whether what the report data is a digest of has to be there.
    pub runtime_data: RuntimeDataRule,
    /// What says whose container group it is.
    pub identity: IdentityRule,
}

/// Whether runtime data has to be there.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum RuntimeDataRule {
    /// It has to.
    Required,
    /// The report data may be a digest of something that is not sent.
    NotRequired,
}

/// What says whose container group it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum IdentityRule {
    /// The container policies that are accepted name their operator: no other could use them.
    ContainerPolicy,
    /// Chips or host data are pinned.
    Pinned,
    /// Anybody's container group passes.
    DangerAnyMachine,
}

impl AciPolicy {
    /// Reads its section.
    pub(crate) fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let snp = fields.section("snp", SnpPolicy::read_inner);
        let uvm = fields.section("uvm", UvmRules::read);
        let container_policies = fields.measurements("container_policies", 32);
        let tolerated_findings = fields.list("tolerated_findings", |value| {
            let finding = fields::text(value)?;
            if tolerable(&finding) {
                Ok(finding)
            } else {
                Err(format!(
                    "`{finding}` is not a finding that can be tolerated; write it as the appraisal does: `stdio containers[app]`"
                ))
            }
        });
        let runtime_data = fields.word(
            "runtime_data",
            &[
                ("required", RuntimeDataRule::Required),
                ("not-required", RuntimeDataRule::NotRequired),
            ],
        );
        let identity = fields.word(
            "identity",
            &[
                ("container-policy", IdentityRule::ContainerPolicy),
                ("pinned", IdentityRule::Pinned),
                ("danger-any-machine", IdentityRule::DangerAnyMachine),
            ],
        );
        let policy = Self {
            snp: snp?,
            uvm: uvm?,
            container_policies: container_policies?,
            tolerated_findings: tolerated_findings?,
            runtime_data: runtime_data?,
            identity: identity?,
        };
        if policy.identity == IdentityRule::Pinned && !policy.snp.pins_identity() {
            fields.fault(
                "identity",
                "is `pinned`, and neither `snp.chip_ids` nor `snp.host_data` is",
            );
            return None;
        }
        Some(policy)
    }
}

// A policy with code in it was not read to its end: what else is in it nobody knows.
fn tolerable(finding: &str) -> bool {
    let Some((kind, place)) = finding.split_once(' ') else {
        return false;
    };
    let known = cce::FindingKind::ALL
        .iter()
        .find(|known| known.as_str() == kind);
    !place.is_empty() && known.is_some_and(|kind| *kind != cce::FindingKind::Unreadable)
}

/// Judges the evidence of the platform `aci`.
pub(crate) fn appraise(
    input: &Input<'_>,
    policy: &AciPolicy,
    checks: &mut Checks,
    proved: &mut Proved,
) {
    checks.require(ALL);
    checks.require(snp::ALL);
    for (part, _) in input.evidence.parts() {
        if !matches!(part, Part::Report | Part::RuntimeData) {
            proved.note(format!("the part `{}` was not looked at", part.as_str()));
        }
    }
    identity(policy, checks);
    let binding = input.binding.report_data();
    if *input.binding != Binding::Unknown && binding.is_none() {
        let expected = "a challenge of at most 64 bytes";
        checks.fail(
            &snp::BINDING,
            expected,
            "a longer one, which no report can carry",
        );
    }
    let Some(bytes) = input.evidence.part(Part::Report) else {
        let found = input.evidence.all(Part::Report).count();
        checks.fail(&REPORT, "one report", found);
        return;
    };
    checks.met(&REPORT);
    // What follows compares with fields of the report; if it cannot be read, the judge of reports says why.
    let report = snp::parse(bytes).ok();
    let field = |read: fn(&snp::Report<'_>) -> Vec<u8>| report.as_ref().map(read);
    let measurement = field(|report| report.measurement.to_vec()).unwrap_or_default();
    let host_data = field(|report| report.host_data.to_vec()).unwrap_or_default();
    let report_data = field(|report| report.report_data.to_vec()).unwrap_or_default();
    runtime_data(input, policy, &report_data, checks);
    container_policy(input, policy, &host_data, (checks, proved));
    let endorsed = endorsement(input, policy, &measurement, (checks, proved));
    let snp = SnpPolicy {
        measurements: launch_measurements(policy, endorsed, &measurement),
        ..policy.snp.clone()
    };
    let case = snp::Case {
        report: bytes,
        endorsements: input.endorsements,
        policy: &snp,
        binding,
        at: input.at,
    };
    snp::judge(&case, checks, proved);
}

// An endorsement that met every check names the measurement; where the policy names some itself, those count.
fn launch_measurements(policy: &AciPolicy, endorsed: Option<String>, value: &[u8]) -> Measurements {
    match (&policy.snp.measurements, endorsed) {
        (Measurements::None, Some(name)) => Measurements::Named(vec![(name, value.to_vec())]),
        (known, _) => known.clone(),
    }
}

fn identity(policy: &AciPolicy, checks: &mut Checks) {
    match policy.identity {
        IdentityRule::ContainerPolicy | IdentityRule::Pinned => checks.met(&IDENTITY),
        IdentityRule::DangerAnyMachine => {
            let what = "any container group with an accepted policy, whoever started it";
            checks.tolerate(&IDENTITY, what, None);
        }
    }
}

fn runtime_data(input: &Input<'_>, policy: &AciPolicy, report_data: &[u8], checks: &mut Checks) {
    let mut parts = input.evidence.all(Part::RuntimeData);
    match (parts.next(), parts.next(), policy.runtime_data) {
        (Some(bytes), None, _) => {
            let expected = super::digest_and_zeros(bytes);
            checks.expect(
                &RUNTIME_DATA,
                report_data == expected,
                hex::encode(&expected),
                hex::encode(report_data),
            );
        }
        (None, _, RuntimeDataRule::NotRequired) => {
            checks.not_applicable(&RUNTIME_DATA, "none was sent, and none is required");
        }
        (found, _, RuntimeDataRule::Required | RuntimeDataRule::NotRequired) => {
            let actual = if found.is_some() { "several" } else { "none" };
            checks.fail(&RUNTIME_DATA, "runtime data, once", actual);
        }
    }
}

fn container_policy(
    input: &Input<'_>,
    policy: &AciPolicy,
    host_data: &[u8],
    (checks, proved): (&mut Checks, &mut Proved),
) {
    let name = policy.container_policies.name_of(host_data);
    checks.expect(
        &HOST_DATA,
        name.is_some(),
        policy.container_policies.expected(),
        hex::encode(host_data),
    );
    proved.claim(About::What, "container-policy", hex::encode(host_data));
    if let Some(name) = name {
        proved.claim(About::What, "container-policy-name", name);
    }
    let is_it = |text: &&Vec<u8>| Sha256Digest::of(text).as_bytes().as_slice() == host_data;
    let others = input
        .endorsements
        .policies
        .iter()
        .filter(|text| !is_it(text));
    let (others, found) = (
        others.count(),
        input.endorsements.policies.iter().find(is_it),
    );
    let actual = format_args!("{others} with other digests");
    checks.expect(&POLICY, found.is_some(), hex::encode(host_data), actual);
    let Some(text) = found else {
        return;
    };
    if others > 0 {
        proved.note(format!(
            "{others} container policies that the report is not for were left out"
        ));
    }
    lint(text, policy, checks);
}

fn lint(text: &[u8], policy: &AciPolicy, checks: &mut Checks) {
    let findings = cce::lint(text);
    if findings.is_empty() {
        checks.met(&LINT);
    }
    let more = findings.len().saturating_sub(MOST_FINDINGS);
    if more > 0 {
        let actual = format_args!("{more} more findings than are looked at");
        checks.fail(&LINT, "a policy that leaves nothing open", actual);
    }
    for finding in findings.into_iter().take(MOST_FINDINGS) {
        let words = finding.to_string();
        if policy.tolerated_findings.contains(&words) {
            checks.tolerate(&LINT, words, None);
        } else {
            checks.fail(&LINT, "a policy that leaves nothing open", words);
        }
    }
}

/// What to call the measurement, if an endorsement of it met every check.
fn endorsement(
    input: &Input<'_>,
    policy: &AciPolicy,
    measurement: &[u8],
    (checks, proved): (&mut Checks, &mut Proved),
) -> Option<String> {
    let all = &input.endorsements.uvm;
    let parsed: Vec<_> = all
        .iter()
        .take(MOST)
        .map(|bytes| Uvm::parse(bytes))
        .collect();
    let endorses =
        |uvm: &&Result<Uvm<'_>, _>| uvm.as_ref().is_ok_and(|uvm| uvm.measurement == measurement);
    // The one for this measurement counts; where there is none, the first says what is wrong.
    let chosen = parsed.iter().find(endorses).or_else(|| parsed.first());
    let uvm = match chosen {
        None => {
            checks.fail(&UVM, "an endorsement of the utility VM", "none");
            return None;
        }
        Some(Err(error)) => {
            checks.fail(&UVM, "COSE with CWT claims or a JSON payload", error);
            return None;
        }
        Some(Ok(uvm)) => uvm,
    };
    checks.met(&UVM);
    if all.len() > 1 {
        let others = all.len().saturating_sub(1);
        proved.note(format!(
            "{others} endorsements of utility VMs beside this one's were left out"
        ));
    }
    let accepted = uvm::judge(uvm, &policy.uvm, input.at, (checks, proved));
    let same = checks.expect(
        &MEASUREMENT,
        uvm.measurement == measurement,
        hex::encode(measurement),
        hex::encode(&uvm.measurement),
    );
    let Uvm { feed, svn, .. } = uvm;
    proved.claim(About::What, "uvm-feed", feed);
    proved.claim(About::What, "uvm-svn", svn);
    (accepted && same).then(|| format!("{feed}, security version {svn}, endorsed"))
}

const MOST: usize = 8;
/// The allow-everything policy has 22.
const MOST_FINDINGS: usize = 100;

#[cfg(test)]
mod tests;

use super::*;
use crate::{
    AttestationResult, Binding, Endorsements, Evidence, Platform, ReferenceValues, Status,
    Timestamp, appraise,
    azure::{
        tests::forged::{Endorsement, cce_policy},
        uvm::Form,
    },
    check::Outcome,
    policy::{Freshness, Pin},
    snp::{
        Identity, Product,
        forge::{Forge, MEASUREMENT as LAUNCHED, failed},
    },
};

/// Everything that the evidence is made of; a test changes what it wants broken.
struct Group {
    hardware: Forge,
    runtime: Option<Vec<u8>>,
    text: String,
    uvm: Vec<Vec<u8>>,
    policies: Vec<Vec<u8>>,
    rules: AciPolicy,
}

impl Group {
    fn new() -> Self {
        let runtime = b"{\"keys\":[],\"nonce\":\"1\"}".to_vec();
        let text = cce_policy();
        let uvm = Endorsement::new(Form::Cwt, &LAUNCHED);
        let hardware = Forge::new(Product::Genoa)
            .put(0x50, &crate::azure::digest_and_zeros(&runtime))
            .put(0xc0, Sha256Digest::of(text.as_bytes()).as_bytes());
        let mut snp = hardware.policy();
        snp.measurements = Measurements::None;
        snp.host_data = Pin::Any;
        snp.identity = Identity::Outer;
        let digest = Sha256Digest::of(text.as_bytes()).as_bytes().to_vec();
        Self {
            rules: AciPolicy {
                snp,
                uvm: UvmRules {
                    issuers: vec![uvm.issuer.clone()],
                    feeds: vec!["ContainerPlat-AMD-UVM".to_owned()],
                    svn: 104,
                },
                container_policies: Measurements::Named(vec![("release".to_owned(), digest)]),
                tolerated_findings: Vec::new(),
                runtime_data: RuntimeDataRule::Required,
                identity: IdentityRule::ContainerPolicy,
            },
            hardware,
            runtime: Some(runtime),
            policies: vec![text.clone().into_bytes()],
            text,
            uvm: vec![uvm.signed()],
        }
    }

    /// With another container policy, which the host launched it for and which is accepted.
    fn policy(mut self, from: &str, to: &str) -> Self {
        let text = self.text.replace(from, to);
        assert_ne!(text, self.text);
        let digest = Sha256Digest::of(text.as_bytes());
        self.hardware = self.hardware.put(0xc0, digest.as_bytes());
        self.rules.container_policies =
            Measurements::Named(vec![("other".to_owned(), digest.as_bytes().to_vec())]);
        self.policies = vec![text.into_bytes()];
        self
    }

    fn judge(self) -> AttestationResult {
        let mut evidence = Evidence::new(Platform::Aci).with(Part::Report, self.hardware.report());
        if let Some(runtime) = &self.runtime {
            evidence = evidence.with(Part::RuntimeData, runtime.clone());
        }
        self.judge_evidence(&evidence)
    }

    fn judge_evidence(self, evidence: &Evidence) -> AttestationResult {
        let endorsements = Endorsements {
            uvm: self.uvm,
            policies: self.policies,
            ..self.hardware.endorsements()
        };
        let data = <[u8; 64]>::try_from(&self.hardware.signed[0x50..0x90]).expect("64 bytes");
        appraise(&Input {
            evidence,
            endorsements: &endorsements,
            binding: &Binding::ReportData(crate::ReportData::from_bytes(data)),
            policy: &ReferenceValues {
                aci: Some(self.rules),
                ..ReferenceValues::refusing_all(Freshness::Required)
            },
            at: Timestamp::parse_rfc3339("2026-06-01T00:00:00Z").expect("a time"),
        })
    }
}

#[test]
fn a_container_group_as_it_should_be_is_affirmed() {
    for form in [Form::Cwt, Form::Json] {
        let mut group = Group::new();
        group.uvm = vec![Endorsement::new(form, &LAUNCHED).signed()];
        let result = group.judge();
        assert_eq!(failed(&result), [""; 0]);
        assert_eq!(result.status, Status::Affirming);
        assert_eq!(result.claim("uvm-svn"), Some("104"));
        assert_eq!(result.claim("uvm-feed"), Some("ContainerPlat-AMD-UVM"));
        assert_eq!(result.claim("container-policy-name"), Some("release"));
        for check in ALL {
            let met = |checked: &&crate::check::Checked| checked.check.code == check.code;
            let outcomes: Vec<_> = result.checks.iter().filter(met).collect();
            assert_eq!(outcomes.len(), 1, "{}", check.code);
            assert_eq!(outcomes[0].outcome, Outcome::Met, "{}", check.code);
        }
    }
}

#[test]
fn the_report_has_to_be_there_once() {
    let none = Group::new().judge_evidence(&Evidence::new(Platform::Aci));
    assert_eq!(failed(&none), ["aci.report"]);
    let undone = |checked: &&crate::check::Checked| checked.outcome == Outcome::NotDone;
    assert!(none.checks.iter().filter(undone).count() > 50);
    let group = Group::new();
    let report = group.hardware.report();
    let twice = Evidence::new(Platform::Aci)
        .with(Part::Report, report.clone())
        .with(Part::Report, report);
    assert_eq!(failed(&group.judge_evidence(&twice)), ["aci.report"]);
    let short = Evidence::new(Platform::Aci).with(Part::Report, [0; 10]);
    let result = Group::new().judge_evidence(&short);
    assert!(failed(&result).contains(&"snp.format"));
    assert_eq!(result.status, Status::Contraindicated);
}

#[test]
fn runtime_data_that_was_not_hashed_is_refused() {
    let mut group = Group::new();
    group.runtime = Some(b"{\"keys\":[], \"nonce\":\"1\"}".to_vec());
    assert_eq!(failed(&group.judge()), ["aci.runtime-data"]);
    let mut group = Group::new();
    group.runtime = None;
    assert_eq!(failed(&group.judge()), ["aci.runtime-data"]);
    let mut group = Group::new();
    group.runtime = None;
    group.rules.runtime_data = RuntimeDataRule::NotRequired;
    assert_eq!(group.judge().status, Status::Affirming);
    // Where it is there, it counts, required or not.
    let mut group = Group::new();
    group.runtime = Some(Vec::new());
    group.rules.runtime_data = RuntimeDataRule::NotRequired;
    assert_eq!(failed(&group.judge()), ["aci.runtime-data"]);
    for rule in [RuntimeDataRule::Required, RuntimeDataRule::NotRequired] {
        let mut group = Group::new();
        group.rules.runtime_data = rule;
        let runtime = group.runtime.clone().expect("runtime data");
        let twice = Evidence::new(Platform::Aci)
            .with(Part::Report, group.hardware.report())
            .with(Part::RuntimeData, runtime.clone())
            .with(Part::RuntimeData, runtime);
        assert_eq!(failed(&group.judge_evidence(&twice)), ["aci.runtime-data"]);
    }
}

#[test]
fn report_data_with_something_in_its_second_half_is_refused() {
    let mut group = Group::new();
    group.hardware = group.hardware.put(0x8f, &[1]);
    assert_eq!(failed(&group.judge()), ["aci.runtime-data"]);
}

#[test]
fn a_utility_vm_that_nobody_endorses_is_refused() {
    let mut group = Group::new();
    group.uvm.clear();
    assert_eq!(failed(&group.judge()), ["aci.uvm", "snp.measurement"]);
    let mut group = Group::new();
    group.uvm = vec![b"no COSE".to_vec()];
    assert_eq!(failed(&group.judge()), ["aci.uvm", "snp.measurement"]);
    let mut group = Group::new();
    group.uvm = vec![Endorsement::new(Form::Cwt, &[9; 48]).signed()];
    assert_eq!(
        failed(&group.judge()),
        ["aci.measurement", "snp.measurement"]
    );
    // An endorsement that fails a check of its own names no measurement.
    let mut group = Group::new();
    let mut old = Endorsement::new(Form::Cwt, &LAUNCHED);
    old.svn = 103;
    group.uvm = vec![old.signed()];
    assert_eq!(failed(&group.judge()), ["aci.uvm-svn", "snp.measurement"]);
    // Measurements that the policy names itself count beside the endorsement.
    let mut group = Group::new();
    group.rules.snp.measurements = Measurements::Named(vec![("x".to_owned(), vec![8; 48])]);
    assert_eq!(failed(&group.judge()), ["snp.measurement"]);
}

#[test]
fn c07_endorsements_of_other_utility_vms_change_nothing() {
    let mut group = Group::new();
    let other = Endorsement::new(Form::Json, &[9; 48]).signed();
    group.uvm = vec![b"no COSE".to_vec(), other, group.uvm.remove(0)];
    group.policies.insert(0, b"package policy\n".to_vec());
    let result = group.judge();
    assert_eq!(result.status, Status::Affirming);
    let notes = result.notes.join("\n");
    assert!(notes.contains("2 endorsements of utility VMs"), "{notes}");
    assert!(notes.contains("1 container policies"), "{notes}");
}

#[test]
fn endorsements_are_looked_at_up_to_a_number() {
    for (before, expected) in [(7, vec![]), (8, vec!["aci.uvm", "snp.measurement"])] {
        let mut group = Group::new();
        let own = group.uvm.remove(0);
        group.uvm = vec![b"no COSE".to_vec(); before];
        group.uvm.push(own);
        assert_eq!(failed(&group.judge()), expected);
    }
}

#[test]
fn a_container_policy_that_nobody_approved_is_refused() {
    let mut group = Group::new();
    let digest = vec![1; 32];
    group.rules.container_policies = Measurements::Named(vec![("release".to_owned(), digest)]);
    assert_eq!(failed(&group.judge()), ["aci.host-data"]);
    let mut group = Group::new();
    group.rules.container_policies = Measurements::None;
    assert_eq!(failed(&group.judge()), ["aci.host-data"]);
    // Approved, and the host launched another.
    let mut group = Group::new();
    group.hardware = group.hardware.put(0xc0, &[3; 32]);
    assert_eq!(failed(&group.judge()), ["aci.host-data", "aci.policy"]);
}

#[test]
fn the_text_of_the_container_policy_has_to_be_there() {
    let mut group = Group::new();
    group.policies.clear();
    let result = group.judge();
    assert_eq!(failed(&result), ["aci.policy"]);
    let lint = result
        .checks
        .iter()
        .find(|checked| checked.check.code == "aci.lint");
    assert_eq!(lint.expect("the check").outcome, Outcome::NotDone);
    // Its base64 text has another digest.
    let mut group = Group::new();
    group.policies = vec![b"cGFja2FnZSBwb2xpY3kK".to_vec()];
    assert_eq!(failed(&group.judge()), ["aci.policy"]);
}

#[test]
fn a_container_policy_that_allows_everything_is_refused_though_it_is_approved() {
    let open = |group: Group| {
        group.policy(
            "create_container := data.framework.create_container",
            "create_container := {\"allowed\": true}",
        )
    };
    assert_eq!(failed(&open(Group::new()).judge()), ["aci.lint"]);
    let mut group = open(Group::new());
    group.rules.tolerated_findings = vec!["allow-everything create_container".to_owned()];
    let result = group.judge();
    assert_eq!(failed(&result), [""; 0]);
    assert_eq!(result.status, Status::Warning);
    let mut group = open(Group::new());
    group.rules.tolerated_findings = vec!["allow-everything exec_external".to_owned()];
    assert_eq!(failed(&group.judge()), ["aci.lint"]);
}

#[test]
fn findings_without_end_are_refused_whatever_is_tolerated() {
    let rules: String = (0..101)
        .map(|rule| {
            format!("{{\"pattern\":\"A{rule}=.*\",\"required\":false,\"strategy\":\"re2\"}},")
        })
        .collect();
    let mut group = Group::new().policy("\"env_rules\":[", &format!("\"env_rules\":[{rules}"));
    group.rules.tolerated_findings = (0..101)
        .map(|rule| format!("unanchored-env containers[app].env_rules A{rule}=.*"))
        .collect();
    assert_eq!(failed(&group.judge()), ["aci.lint"]);
}

#[test]
fn checks_of_the_report_are_part_of_the_appraisal() {
    for (at, byte, code) in [
        (0x0a, 0x0b, "snp.debug"),
        (0x30, 1, "snp.vmpl"),
        (0x1a0, 0, "snp.vek-chip"),
    ] {
        let mut group = Group::new();
        group.hardware = group.hardware.put(at, &[byte]);
        assert!(failed(&group.judge()).contains(&code), "{code}");
    }
    let mut group = Group::new();
    group.hardware.crl = None;
    assert_eq!(failed(&group.judge()), ["snp.revocation"]);
}

#[test]
fn anybodys_container_group_is_put_up_with_by_name() {
    let mut group = Group::new();
    group.rules.identity = IdentityRule::DangerAnyMachine;
    let result = group.judge();
    assert_eq!(result.status, Status::Warning);
    assert_eq!(failed(&result), [""; 0]);
}

#[test]
fn findings_that_cannot_be_tolerated_are_refused_at_load() {
    assert!(tolerable("stdio containers[app]"));
    assert!(tolerable("fragment did:x509:0:sha256:a::eku:1.2 feed"));
    for finding in ["unreadable line 3: x", "stdio", "stdio ", "Stdio x", ""] {
        assert!(!tolerable(finding), "{finding}");
    }
}

#[test]
fn a_challenge_that_no_report_can_carry_is_not_taken_for_none() {
    let group = Group::new();
    let evidence = Evidence::new(Platform::Aci)
        .with(Part::Report, group.hardware.report())
        .with(
            Part::RuntimeData,
            group.runtime.clone().expect("runtime data"),
        );
    let result = appraise(&Input {
        evidence: &evidence,
        endorsements: &Endorsements {
            uvm: group.uvm,
            policies: group.policies,
            ..group.hardware.endorsements()
        },
        binding: &Binding::Challenge(vec![1; 65]),
        policy: &ReferenceValues {
            aci: Some(group.rules),
            ..ReferenceValues::refusing_all(Freshness::Required)
        },
        at: Timestamp::parse_rfc3339("2026-06-01T00:00:00Z").expect("a time"),
    });
    assert_eq!(failed(&result), ["evidence.fresh", "snp.binding"]);
}

#[test]
fn a_report_for_another_challenge_is_refused() {
    let mut group = Group::new();
    let report = group.hardware.report();
    let evidence = Evidence::new(Platform::Aci)
        .with(Part::Report, report)
        .with(
            Part::RuntimeData,
            group.runtime.clone().expect("runtime data"),
        );
    group.hardware = group.hardware.put(0x50, &[7; 64]);
    assert_eq!(failed(&group.judge_evidence(&evidence)), ["snp.binding"]);
}

fn faults(text: &str) -> Vec<String> {
    let value = crate::azure::tests::vectors::json(text.as_bytes());
    let mut faults = Vec::new();
    let policy = Fields::open(&value, "aci", &mut faults).and_then(|mut fields| {
        let policy = AciPolicy::read(&mut fields);
        fields.close();
        policy
    });
    assert!(policy.is_some() || !faults.is_empty());
    faults.iter().map(ToString::to_string).collect()
}

#[test]
fn c01_c02_every_field_of_the_section_is_decided_and_none_is_unknown() {
    let good = crate::azure::tests::captured::aci_section();
    assert_eq!(faults(&good), [""; 0]);
    let value = crate::azure::tests::vectors::json(good.as_bytes());
    let names: Vec<&str> = value.as_object().expect("an object").keys().collect();
    assert_eq!(names.len(), 6);
    for name in names {
        let mut without = value.as_object().expect("an object").clone();
        without.remove(name);
        let without = cmcp_json::Value::Object(without).to_vec();
        let found = faults(std::str::from_utf8(&without).expect("text"));
        let expected = format!(
            "`aci.{name}`: is not decided; a field that is left out is never taken for granted"
        );
        assert_eq!(found, [expected]);
    }
    let more = good.replacen('{', "{\"lint\":\"off\",", 1);
    assert!(faults(&more)[0].starts_with("`aci.lint`: is not known here"));
    let finding = good.replace(
        "\"tolerated_findings\":[]",
        "\"tolerated_findings\":[\"unreadable line 1: x\"]",
    );
    assert!(
        faults(&finding)[0]
            .starts_with("`aci.tolerated_findings`: `unreadable line 1: x` is not a finding")
    );
    let empty = good.replace(
        "\"container_policies\":\"none\"",
        "\"container_policies\":{}",
    );
    assert!(faults(&empty)[0].starts_with("`aci.container_policies`"));
    let any = good.replace(
        "\"container_policies\":\"none\"",
        "\"container_policies\":\"any\"",
    );
    assert!(faults(&any)[0].starts_with("`aci.container_policies`"));
}

#[test]
fn c05_what_the_section_says_of_identity_must_agree() {
    let good = crate::azure::tests::captured::aci_section();
    let pinned = good.replace(
        "\"identity\":\"container-policy\"",
        "\"identity\":\"pinned\"",
    );
    assert_eq!(
        faults(&pinned),
        ["`aci.identity`: is `pinned`, and neither `snp.chip_ids` nor `snp.host_data` is"]
    );
    let chip = format!("\"chip_ids\":[\"{}\"]", "07".repeat(64));
    assert_eq!(
        faults(&pinned.replace("\"chip_ids\":\"any\"", &chip)),
        [""; 0]
    );
}

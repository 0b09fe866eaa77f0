use super::*;
use crate::{
    AttestationResult, Endorsements, Evidence, Platform, Status,
    azure::tests::{
        captured,
        forged::hcl,
        vm::{self, Vm, ak, ak_certificate, ek, jwk},
    },
    check::Outcome,
    forge::{Alg, Cert, Key},
    snp::forge::failed,
};

fn not_done(result: &AttestationResult) -> usize {
    let undone = |checked: &&crate::check::Checked| checked.outcome == Outcome::NotDone;
    result.checks.iter().filter(undone).count()
}

fn outcome<'a>(result: &'a AttestationResult, code: &str) -> &'a Outcome {
    let mut found = result
        .checks
        .iter()
        .filter(|checked| checked.check.code == code);
    let first = found.next().expect("the check");
    assert!(found.next().is_none(), "{code} was decided twice");
    &first.outcome
}

#[test]
fn a_machine_as_it_should_be_is_affirmed() {
    let result = Vm::new().judge();
    assert_eq!(failed(&result), [""; 0]);
    assert_eq!(result.status, Status::Affirming);
    assert_eq!(result.claim("secure-boot"), Some("on"));
    assert_eq!(result.claim("console"), Some("off"));
    assert_eq!(result.claim("vm-id"), Some("390CBCF5"));
    assert_eq!(result.claim("user-data"), Some("ab".repeat(64).as_str()));
    let digest = |key: &Key| hex::encode(&vm::digest(key));
    assert_eq!(
        result.claim("attestation-key"),
        Some(digest(&ak()).as_str())
    );
    assert_eq!(
        result.claim("endorsement-key"),
        Some(digest(&ek()).as_str())
    );
    assert_eq!(result.claim("pcr-4"), Some("04".repeat(32).as_str()));
    // The first of what it rests on to end: the revocation lists and the AK's certificate.
    assert_eq!(
        result.not_after.map(|end| end.to_string()).as_deref(),
        Some("2027-01-01T00:00:00Z")
    );
    for check in ALL {
        assert!(
            matches!(outcome(&result, check.code), Outcome::Met),
            "{}",
            check.code
        );
    }
}

#[test]
fn a_part_that_is_missing_or_there_twice_is_refused() {
    let vm = Vm::new();
    let whole = vm.evidence();
    let judged = |evidence: &Evidence| vm::judge(evidence, &vm.endorsements(), Vm::policy());
    for left_out in [Part::HclReport, Part::Attest, Part::Signature] {
        let mut missing = Evidence::new(Platform::AzureSnp);
        let mut twice = Evidence::new(Platform::AzureSnp);
        for (part, bytes) in whole.parts() {
            twice = twice.with(part, bytes);
            if part == left_out {
                twice = twice.with(part, bytes);
            } else {
                missing = missing.with(part, bytes);
            }
        }
        for evidence in [missing, twice] {
            let result = judged(&evidence);
            assert_eq!(failed(&result), ["azure.parts"]);
            assert!(not_done(&result) > 20);
            assert_eq!(result.status, Status::Contraindicated);
        }
    }
    let more = judged(&whole.with(Part::Quote, [1]).with(Part::Token, [2]));
    assert_eq!(more.status, Status::Affirming);
    for part in ["quote", "token"] {
        let note = format!("the part `{part}` was not looked at");
        assert!(more.notes.contains(&note));
    }
}

#[test]
fn a_report_that_cannot_be_read_is_refused() {
    let vm = Vm::new();
    let evidence = |report: Vec<u8>| {
        let mut evidence = Evidence::new(Platform::AzureSnp);
        for (part, bytes) in vm.evidence().parts() {
            let bytes = if part == Part::HclReport {
                report.clone()
            } else {
                bytes.to_vec()
            };
            evidence = evidence.with(part, bytes);
        }
        evidence
    };
    let judged = |report| vm::judge(&evidence(report), &vm.endorsements(), Vm::policy());
    // Hash type SHA-384, which no report is known to have.
    let mut report = vm.report();
    report[0x4cc] = 2;
    assert_eq!(failed(&judged(report)), ["azure.hcl-report"]);
    let mut report = vm.report();
    report.truncate(0x4d4 + 10);
    assert_eq!(failed(&judged(report)), ["azure.hcl-report"]);
}

#[test]
fn the_kind_of_hardware_inside_must_be_the_kind_that_is_named() {
    let mut vm = Vm::new();
    vm.report_type = 4;
    vm.slot = Some(vec![1; 1024]);
    let result = vm.judge();
    assert_eq!(failed(&result), ["azure.report-type"]);
    assert_eq!(
        *outcome(&result, "azure.report-type"),
        Outcome::Failed {
            expected: "an SNP report".to_owned(),
            actual: "a TDREPORT".to_owned()
        }
    );
}

#[test]
fn b24_runtime_data_that_the_hardware_did_not_sign_is_refused() {
    let mut vm = Vm::new();
    vm.slot = Some({
        let report = vm.report();
        report[0x20..0x20 + 1184].to_vec()
    });
    assert_eq!(vm.judge().status, Status::Affirming);
    // The same meaning in other bytes is other runtime data.
    let vm = vm.edit("\"keys\":[", "\"keys\": [");
    assert_eq!(failed(&vm.judge()), ["snp.binding"]);
}

#[test]
fn b24_report_data_counts_with_all_its_bytes() {
    use sha2::Digest as _;
    let mut vm = Vm::new();
    let mut data = sha2::Sha256::digest(&vm.runtime).to_vec();
    data.resize(64, 0);
    data[63] = 1;
    vm.slot = Some(vm.hardware.clone().put(0x50, &data).report());
    assert_eq!(failed(&vm.judge()), ["snp.binding"]);
}

#[test]
fn b24_a_quote_of_another_key_is_refused() {
    let mut vm = Vm::new();
    vm.signer = Key::rsa2048(4);
    assert_eq!(failed(&vm.judge()), ["tpm.signature"]);
    let mut vm = Vm::new();
    vm.signer = ek();
    assert_eq!(failed(&vm.judge()), ["tpm.signature"]);
}

#[test]
fn b24_a_certificate_of_another_key_is_refused() {
    let mut vm = Vm::new();
    vm.certificate = vm.issuer.issue(ak_certificate(&Key::rsa2048(4)));
    assert_eq!(
        failed(&vm.judge()),
        ["azure.ak-certificate", "tpm.ak-chain"]
    );
    // Where no certificate is demanded, one that is there still must not contradict.
    let result = vm.judge_by(|rules| rules.ak_certificate = None);
    assert_eq!(failed(&result), ["azure.ak-certificate"]);
    // An authority with that purpose is no attestation key.
    vm.certificate = vm.issuer.issue(ak_certificate(&Key::rsa2048(4)).ca(None));
    let result = vm.judge_by(|rules| rules.ak_certificate = None);
    assert_eq!(failed(&result), [""; 0]);
}

#[test]
fn a_certificate_is_demanded_or_not() {
    let mut vm = Vm::new();
    vm.certificate.clear();
    assert_eq!(failed(&vm.judge()), ["tpm.ak-chain"]);
    let result = vm.judge_by(|rules| rules.ak_certificate = None);
    assert_eq!(result.status, Status::Affirming);
    assert!(matches!(
        outcome(&result, "azure.ak-certificate"),
        Outcome::NotApplicable { .. }
    ));
    assert!(
        result
            .notes
            .iter()
            .any(|note| note.contains("the hardware's word for it was enough"))
    );
    let certified = |certificate: Cert| {
        let mut vm = Vm::new();
        vm.certificate = vm.issuer.issue(certificate);
        vm.judge()
    };
    let expired = ak_certificate(&ak()).validity("2025-01-01T00:00:00Z", "2026-01-01T00:00:00Z");
    assert_eq!(failed(&certified(expired)), ["tpm.ak-chain"]);
    let other = Cert::new("vm", &ak())
        .key_usage(0x80)
        .purposes(&["1.3.6.1.5.5.7.3.1"]);
    assert_eq!(failed(&certified(other)), ["tpm.ak-usage"]);
    let mut vm = Vm::new();
    vm.root = crate::forge::Authority::root("Other", Key::p384("other"), Alg::EcdsaSha384);
    vm.issuer = vm
        .root
        .sub("Test vTPM CA", Key::p384("vtpm ca"), Alg::EcdsaSha384);
    assert_eq!(failed(&vm.judge()), ["tpm.ak-chain"]);
}

#[test]
fn a_certificate_that_was_revoked_is_refused() {
    let vm = Vm::new();
    let mut endorsements = vm.endorsements();
    endorsements.crls.pop();
    let result = vm::judge(&vm.evidence(), &endorsements, Vm::policy());
    assert_eq!(failed(&result), ["tpm.ak-revocation"]);
    endorsements.crls.push(vm.issuer.crl(&[&[0x51]]));
    let result = vm::judge(&vm.evidence(), &endorsements, Vm::policy());
    assert_eq!(failed(&result), ["tpm.ak-revocation"]);
}

#[test]
fn runtime_data_that_is_not_clear_about_its_keys_is_refused() {
    let again = format!("\"keys\":[{},", jwk("HCLAkPub", "sign", &Key::rsa2048(4)));
    for (from, to) in [
        ("\"keys\":[", again.as_str()),
        ("HCLAkPub", "HCLAkPuB"),
        ("\"keys\":", "\"keyz\":"),
        ("\"secure-boot\":true", "\"secure-boot\":1"),
        ("5\"}", "5\",}"),
    ] {
        let vm = Vm::new().edit(from, to);
        assert_eq!(failed(&vm.judge()), ["azure.runtime-data"], "{from}");
    }
}

#[test]
fn b17_a_weak_attestation_key_is_refused() {
    let mut vm = Vm::new();
    vm.runtime = vm::runtime(&Key::rsa1024());
    vm.signer = Key::rsa1024();
    let result = vm.judge();
    assert_eq!(failed(&result), ["azure.key-pin", "azure.attestation-key"]);
}

#[test]
fn how_the_machine_is_set_up_is_judged() {
    let one = |from: &str, to: &str, code: &str| {
        let vm = Vm::new().edit(from, to);
        assert_eq!(failed(&vm.judge()), [code], "{from} {to}");
    };
    one(
        "\"secure-boot\":true",
        "\"secure-boot\":false",
        "azure.secure-boot",
    );
    one("\"secure-boot\":true,", "", "azure.secure-boot");
    one(
        "\"console-enabled\":false",
        "\"console-enabled\":true",
        "azure.console",
    );
    one("\"console-enabled\":false,", "", "azure.console");
    one("AB\"}", "AC\"}", "azure.user-data");
    let data = format!(",\"user-data\":\"{}\"", "AB".repeat(64));
    one(&data, "", "azure.user-data");
    let open = Vm::new()
        .edit("\"secure-boot\":true", "\"secure-boot\":false")
        .edit("\"console-enabled\":false", "\"console-enabled\":true")
        .edit("AB\"}", "AC\"}");
    let result = open.judge_by(|rules| {
        rules.secure_boot = Demand::NotJudged;
        rules.console = ConsoleRule::Allowed;
        rules.user_data = Pin::Any;
    });
    assert_eq!(result.status, Status::Affirming);
    assert_eq!(result.claim("secure-boot"), Some("off"));
    assert_eq!(result.claim("console"), Some("on"));
}

#[test]
fn keys_of_another_machine_are_refused() {
    let other = jwk("HCLEkPub", "encrypt", &Key::rsa2048(4));
    let vm = Vm::new().edit(&jwk("HCLEkPub", "encrypt", &ek()), &other);
    assert_eq!(failed(&vm.judge()), ["azure.key-pin"]);
    let result = vm.judge_by(|rules| rules.endorsement_keys = Pin::Any);
    assert_eq!(result.status, Status::Affirming);
    let without = format!(",{}", jwk("HCLEkPub", "encrypt", &ek()));
    let vm = Vm::new().edit(&without, "");
    assert_eq!(failed(&vm.judge()), ["azure.key-pin"]);
    let key = Key::rsa2048(4);
    let mut vm = Vm::new();
    vm.runtime = vm::runtime(&key);
    vm.signer = key.clone();
    vm.certificate = vm.issuer.issue(ak_certificate(&key));
    assert_eq!(failed(&vm.judge()), ["azure.key-pin"]);
    let result = vm.judge_by(|rules| {
        rules.attestation_keys = Pin::Any;
        rules.endorsement_keys = Pin::Any;
    });
    assert_eq!(result.status, Status::Affirming);
    assert!(matches!(
        outcome(&result, "azure.key-pin"),
        Outcome::NotApplicable { .. }
    ));
}

#[test]
fn any_machine_is_put_up_with_by_name_and_warned_of() {
    let result = Vm::new().judge_by(|rules| rules.identity = IdentityRule::DangerAnyMachine);
    assert_eq!(result.status, Status::Warning);
    assert!(matches!(
        outcome(&result, "azure.identity"),
        Outcome::Tolerated { .. }
    ));
}

#[test]
fn a_quote_for_another_challenge_is_refused() {
    for extra in [
        &b"another challenge"[..],
        b"",
        b"a challenge\0",
        b"a challeng",
    ] {
        let mut vm = Vm::new();
        vm.extra = extra.to_vec();
        assert_eq!(failed(&vm.judge()), ["tpm.binding"]);
    }
}

#[test]
fn what_was_booted_is_judged() {
    let mut vm = Vm::new();
    vm.pcrs[4 * 32] ^= 1;
    assert_eq!(failed(&vm.judge()), ["tpm.pcrs"]);
}

#[test]
fn faults_of_the_hardware_are_told_beside_those_of_the_machine() {
    let mut vm = Vm::new().edit("\"secure-boot\":true", "\"secure-boot\":false");
    vm.hardware = vm.hardware.put(0x0a, &[0x0b]);
    let result = vm.judge();
    assert_eq!(failed(&result), ["azure.secure-boot", "snp.debug"]);
}

#[test]
fn what_is_not_known_is_named() {
    let vm = Vm::new().edit(
        "\"tpm-enabled\":true",
        "\"tpm-enabled\":true,\"new-switch\":1",
    );
    let result = vm.judge();
    assert_eq!(result.status, Status::Affirming);
    let note = "the runtime data has vm-configuration.new-switch, which is not known here";
    assert!(
        result.notes.iter().any(|known| known == note),
        "{:?}",
        result.notes
    );
}

#[test]
fn b01_no_byte_of_the_evidence_can_be_changed() {
    let vm = Vm::new();
    let (evidence, endorsements) = (vm.evidence(), vm.endorsements());
    for (broken, step) in [
        (Part::HclReport, 61),
        (Part::Attest, 3),
        (Part::Signature, 17),
        (Part::Pcrs, 41),
    ] {
        let length = evidence.part(broken).expect("the part").len();
        for index in (0..length).step_by(step) {
            let mut changed = Evidence::new(Platform::AzureSnp);
            for (part, bytes) in evidence.parts() {
                let mut bytes = bytes.to_vec();
                if part == broken {
                    bytes[index] ^= 1 << (index % 8);
                }
                changed = changed.with(part, bytes);
            }
            let result = vm::judge(&changed, &endorsements, Vm::policy());
            assert_eq!(
                result.status,
                Status::Contraindicated,
                "{} {index}",
                broken.as_str()
            );
        }
    }
}

#[test]
fn a_tdreport_needs_a_quote_beside_it() {
    let evidence = Evidence::new(Platform::AzureTdx);
    let report = hcl(2, 4, &[0; 1024], vm::runtime(&ak()).as_bytes());
    let vm = Vm::new();
    let attest = vm.attest();
    let signature = vm.signer.sign_fixed(Alg::RsaSha256, &attest);
    let evidence = evidence
        .with(Part::HclReport, report)
        .with(Part::Attest, attest)
        .with(Part::Signature, signature)
        .with(Part::Pcrs, vm.pcrs.clone());
    let result = captured::judge_tdx(&evidence, &Endorsements::default());
    assert_eq!(failed(&result), ["azure.parts"]);
    assert!(not_done(&result) > 20);
    assert!(matches!(
        outcome(&result, "azure.report-type"),
        Outcome::Met
    ));
}

#[test]
fn an_snp_report_is_no_evidence_of_tdx() {
    let vm = Vm::new();
    let snp = vm.evidence();
    let evidence = snp.parts().fold(
        Evidence::new(Platform::AzureTdx),
        |evidence, (part, bytes)| evidence.with(part, bytes),
    );
    let evidence = evidence.with(Part::Quote, [4, 0]);
    let result = captured::judge_tdx(&evidence, &Endorsements::default());
    assert!(failed(&result).contains(&"azure.report-type"));
    assert!(!failed(&result).iter().any(|code| code.starts_with("tdx.")));
    assert!(not_done(&result) > 20);
}

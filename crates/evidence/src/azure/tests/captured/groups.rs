//! Confidential containers.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use cmcp_json::Value;

use super::{
    super::vectors::{Row, rows, shared},
    amd, read, snp_section,
};
use crate::{
    AttestationResult, Binding, Endorsements, Evidence, Input, Part, Platform, ReferenceValues,
    Sha256Digest, Status, Timestamp, appraise,
    azure::{HostCertificates, SecurityContext, cce, uvm::Uvm},
    hex, measure,
    policy::Freshness,
    snp::{self, forge::failed},
    x509,
};

/// A captured container group: everything but what a row replaces.
struct Group {
    report: Vec<u8>,
    runtime: Option<Vec<u8>>,
    certificates: Vec<Vec<u8>>,
    uvm: Vec<Vec<u8>>,
    policies: Vec<Vec<u8>>,
    svn: u64,
    tolerated: bool,
    at: &'static str,
}

impl Group {
    fn sidecar() -> Self {
        let file =
            |name: &str| shared(&format!("azure/aci-sidecar-2023/{name}")).expect("the file");
        let policy = measure::cce::host_data(&file("uvm_security_policy.base64"));
        let thim = HostCertificates::parse(&file("uvm_host_amd_certificate.json"));
        let thim = thim.expect("certificates").certificates;
        let pem = x509::all_from_pem(&file("uvm_host_amd_certificate.pem")).expect("PEM");
        assert_eq!(thim, pem, "both files hold the same certificates");
        Self {
            report: file("snp_report.bin"),
            runtime: Some(file("runtime_data.json")),
            certificates: thim,
            uvm: vec![file("body.uvm_reference_info.bin")],
            policies: vec![policy.expect("a policy").policy],
            svn: 22,
            tolerated: true,
            at: "2024-06-01T00:00:00Z",
        }
    }

    fn judge(self) -> AttestationResult {
        let report = snp::parse(&self.report).expect("a report");
        let findings: Vec<String> = self
            .policies
            .iter()
            .flat_map(|policy| cce::lint(policy))
            .map(|finding| format!("{:?}", finding.to_string()))
            .filter(|_| self.tolerated)
            .collect();
        let issuer = "did:x509:0:sha256:I__iuL25oXEVFdTP_aBLx_eT1RPHbCQ_ECBQfYZpt9s::eku:1.3.6.1.4.1.311.76.59.1.2";
        let section = format!(
            r#"{{"snp":{},"uvm":{{"issuers":["{issuer}"],"feeds":["ContainerPlat-AMD-UVM"],"svn_at_least":{}}},
            "container_policies":{{"captured":"{}"}},"tolerated_findings":[{}],"runtime_data":"not-required",
            "identity":"container-policy"}}"#,
            snp_section("", "\"none\""),
            self.svn,
            hex::encode(report.host_data),
            findings.join(",")
        );
        let mut evidence = Evidence::new(Platform::Aci).with(Part::Report, self.report.clone());
        if let Some(runtime) = self.runtime {
            evidence = evidence.with(Part::RuntimeData, runtime);
        }
        let data = report.report_data.try_into().expect("64 bytes");
        appraise(&Input {
            evidence: &evidence,
            endorsements: &Endorsements {
                certificates: self.certificates,
                uvm: self.uvm,
                policies: self.policies,
                ..Endorsements::default()
            },
            binding: &Binding::ReportData(crate::ReportData::from_bytes(data)),
            policy: &ReferenceValues {
                aci: Some(read(&section, crate::azure::AciPolicy::read)),
                ..ReferenceValues::refusing_all(Freshness::Required)
            },
            at: Timestamp::parse_rfc3339(self.at).expect("a time"),
        })
    }
}

fn base64(text: &[u8]) -> Vec<u8> {
    STANDARD.decode(text.trim_ascii_end()).expect("base64")
}

#[test]
fn container_groups_get_the_verdict_that_is_stated() {
    for row in rows("aci") {
        let mut group = Group::sidecar();
        let expected: &[&str] = match row.id() {
            "aci-sidecar" => {
                stated_of_uvm(&row, &row.file("uvm"));
                &[]
            }
            "aci-sidecar-svn-floor" => {
                group.svn = 100;
                &["aci.uvm-svn", "snp.measurement"]
            }
            "aci-wrong-endorsement" => {
                group.uvm = vec![base64(&row.file("uvm"))];
                &["aci.measurement", "snp.measurement"]
            }
            "aci-wrong-vcek" => {
                let json = base64(&row.file("certs"));
                let host = HostCertificates::parse(&json).expect("certificates");
                // The row's certificates are those of the sidecar's machine, or of none that signed its report.
                assert_eq!(row.file("report"), group.report);
                group.certificates = host.certificates;
                &["snp.vek-chip", "snp.signature"]
            }
            "aci-policy-lint" => {
                for text in row.files("policy") {
                    allows_everything(&text);
                }
                group.tolerated = false;
                &["aci.lint"]
            }
            "aci-security-context" => {
                security_context(&row);
                continue;
            }
            "aci-host-data-of-milan" => {
                group = milan(&row, group);
                &["aci.measurement", "snp.measurement"]
            }
            other => panic!("{other}: a row that this test does not know"),
        };
        let result = group.judge();
        println!("{}: {} {:?}", row.id(), result.status, failed(&result));
        assert_eq!(failed(&result), expected, "{}", row.id());
        let accepted = matches!(result.status, Status::Affirming | Status::Warning);
        // The report of Milan comes without its endorsement: the row asks for its host data alone.
        if row.id() != "aci-host-data-of-milan" {
            assert_eq!(accepted, row.accepts(), "{}", row.id());
        }
    }
}

fn allows_everything(text: &[u8]) {
    let policy = measure::cce::host_data(text).expect("a policy").policy;
    let found: Vec<String> = cce::lint(&policy).iter().map(ToString::to_string).collect();
    for finding in [
        "allow-everything create_container",
        "allow-everything exec_in_container",
        "exec exec_in_container",
        "allow-everything exec_external",
        "exec exec_external",
        "stdio create_container",
        "stdio exec_external",
        "fragment load_fragment",
    ] {
        assert!(found.iter().any(|known| known == finding), "{finding}");
    }
}

fn milan(row: &Row, group: Group) -> Group {
    let vcek = shared("snp/ms-tav-milan_vcek.pem").expect("the file");
    let mut certificates = amd().certificates;
    certificates.push(x509::one_from_pem(&vcek).expect("PEM"));
    Group {
        report: row.file("report"),
        runtime: None,
        certificates,
        policies: vec![
            measure::cce::host_data(&row.file("policy"))
                .expect("a policy")
                .policy,
        ],
        at: "2026-06-01T00:00:00Z",
        ..group
    }
}

fn security_context(row: &Row) {
    let (certificates, uvm, policy) = (row.file("certs"), row.file("uvm"), row.file("policy"));
    let context = SecurityContext {
        host_amd_cert: &certificates,
        reference_info: &uvm,
        security_policy: &policy,
    };
    let endorsements = context.endorsements().expect("endorsements");
    let digest = row
        .value("policy_sha256")
        .and_then(Value::as_str)
        .expect("a digest");
    assert_eq!(Sha256Digest::of(&endorsements.policies[0]).hex(), digest);
    stated_of_uvm(row, &endorsements.uvm[0]);
    let read = |der: &Vec<u8>| x509::Certificate::from_der(der).expect("a certificate");
    let all: Vec<x509::Certificate> = endorsements.certificates.iter().map(read).collect();
    let root = shared("snp/amd-milan-ark.pem").expect("the file");
    let root = x509::one_from_pem(&root).expect("PEM");
    let at = Timestamp::parse_rfc3339("2024-06-01T00:00:00Z").expect("a time");
    let chain = x509::verify_chain(
        &all[0],
        &all[1..],
        &[x509::Certificate::from_der(&root).expect("a certificate")],
        &x509::ChainRules::at(at),
    );
    assert_eq!(chain.expect("a chain").len(), 3);
    assert!(row.accepts());
}

fn stated_of_uvm(row: &Row, bytes: &[u8]) {
    let uvm = Uvm::parse(bytes).expect("an endorsement");
    let text = |name: &str| row.value(name).and_then(Value::as_str).map(str::to_owned);
    assert_eq!(row.value("uvm_svn").and_then(Value::as_u64), Some(uvm.svn));
    for (stated, found) in [("feed", uvm.feed), ("issuer", uvm.issuer)] {
        assert_eq!(text(stated).unwrap_or_else(|| found.to_owned()), found);
    }
    let measurement = hex::encode(&uvm.measurement);
    assert_eq!(
        text("measurement").unwrap_or_else(|| measurement.clone()),
        measurement
    );
}

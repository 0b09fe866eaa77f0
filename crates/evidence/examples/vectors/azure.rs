//! Azure's machines and container groups.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use cmcp_evidence::{
    Binding, Endorsements, Evidence, Part, Platform, ReportData, Sha256Digest, Timestamp,
    azure::{HostCertificates, SecurityContext, cce, hcl},
    dcap::{self, Body},
    hex, measure, snp,
    tpm::Attest,
    wire::{Content, recognise},
    x509,
};

use super::{
    Result,
    case::{Asks, Case, Row},
    policy::Policy,
    reports::anybodys,
    vectors::{Stated, Vectors},
};

/// A confidential machine.
pub(crate) fn machine(vectors: &Vectors, row: &Stated) -> Result<Row> {
    if row.has_file("chain") {
        return other_chip(vectors, row);
    }
    let (evidence, mut endorsements) = match row.has_file("evidence") {
        true => whole(&vectors.file(row.file("evidence")?)?)?,
        false => parts(vectors, row)?,
    };
    endorsements.certificates.extend(vectors.amd()?);
    if row.has_file("collateral") {
        endorsements.intel = vec![vectors.file(row.file("collateral")?)?];
    }
    let attest = Attest::parse(evidence.part(Part::Attest).ok_or("a quote")?)?;
    let quoted = attest.extra.to_vec();
    if row.value("qualifying_data").is_some() && row.hex("qualifying_data")? != quoted {
        return Err("the quoted data is another than stated".into());
    }
    let id = row.text("id")?;
    let mut policy = policy(&evidence, &endorsements, row)?;
    let binding = match (id.ends_with("nonce"), quoted.is_empty()) {
        (true, _) => Binding::Challenge(b"another challenge".to_vec()),
        (false, false) => Binding::Challenge(quoted),
        // Quoted for no challenge at all.
        (false, true) => {
            policy = policy.with("freshness", r#""unproven""#)?;
            policy.name = "machine of Azure, SNP, for no challenge";
            Binding::Unknown
        }
    };
    let case = Case {
        policy,
        row,
        evidence,
        endorsements,
        binding,
        at: row.time(AT)?,
    };
    let reasons: &[&str] = match id.ends_with("nonce") {
        true => &["tpm.binding"],
        false => &["dcap.tcb-info-time"],
    };
    // One machine lets its host have the guest's page faults, which no policy accepts; its rows ask for
    // bindings.
    case.judge(Asks::Beside(&["tdx.sept-ve-disable"]), reasons)
}

fn whole(file: &[u8]) -> Result<(Evidence, Endorsements)> {
    match recognise(file)?.content {
        Content::Evidence(collected) => Ok((collected.evidence, collected.endorsements)),
        Content::Claimed(_) | Content::Certificate(_) => Err("evidence of a machine".into()),
    }
}

fn parts(vectors: &Vectors, row: &Stated) -> Result<(Evidence, Endorsements)> {
    let file = |purpose: &str| vectors.file(row.file(purpose)?);
    let evidence = Evidence::new(Platform::AzureTdx)
        .with(Part::HclReport, file("hcl")?)
        .with(Part::Attest, file("tpm_quote")?)
        .with(Part::Signature, file("tpm_signature")?)
        .with(Part::Pcrs, file("pcrs")?)
        .with(Part::Quote, file("td_quote")?);
    let names = row.files().into_iter().filter(|name| name.contains("/ak_"));
    let certificates: Result<Vec<Vec<u8>>> = names.map(|name| vectors.certificate(&name)).collect();
    let endorsements = Endorsements {
        certificates: certificates?,
        ..Endorsements::default()
    };
    Ok((evidence, endorsements))
}

/// As shipped, but that nobody has pinned captured machines: PCR 0 is pinned to what it is.
fn policy(evidence: &Evidence, endorsements: &Endorsements, row: &Stated) -> Result<Policy> {
    let report = evidence.part(Part::HclReport).ok_or("a report")?;
    let (name, section) = match (evidence.platform(), endorsements.intel.is_empty()) {
        (Platform::AzureSnp, _) => ("machine of Azure, SNP", "azure-snp"),
        (_, true) => ("machine of Azure, TDX, chain only", "azure-tdx"),
        (_, false) => ("machine of Azure, TDX", "azure-tdx"),
    };
    let mut policy = Policy::shipped(name)?;
    policy = match hcl::parse(report)?.hardware {
        hcl::Hardware::Snp(slot) => anybodys(policy, "azure-snp/snp")?
            .measured("azure-snp/snp/measurements", snp::parse(slot)?.measurement)?,
        hcl::Hardware::Tdx(_) => {
            let quote = evidence.part(Part::Quote).ok_or("a quote")?;
            let Body::Domain(domain) = dcap::parse(quote)?.body else {
                return Err("no trust domain".into());
            };
            if endorsements.intel.is_empty() {
                policy = policy.with("azure-tdx/tdx/collateral", r#""danger-chain-only""#)?;
            }
            policy
                .with("azure-tdx/tdx/tcb_evaluation_at_least", "0")?
                .measured("azure-tdx/tdx/measurements", domain.mrtd)?
        }
    };
    let pcrs = evidence.part(Part::Pcrs).ok_or("PCRs")?;
    let first = hex::encode(pcrs.get(..32).ok_or("PCR 0")?);
    let at = |name: &str| format!("{section}/{name}");
    let ignored = format!(r#"{{"0":["{first}"],"1-23":"ignored"}}"#);
    policy = policy
        .said(
            &at("vtpm/pcrs"),
            &ignored,
            "PCR 0 as captured, others ignored",
        )?
        .with(&at("console"), r#""allowed""#)?
        .with(&at("endorsement_keys"), r#""any""#)?
        .with(&at("identity"), r#""danger-any-machine""#)?;
    if row.has_file("ak_cert") {
        let microsofts =
            r#"{"roots":"vendor","keys":"any","gce_projects":"any","revocation":"not-checked"}"#;
        policy = policy.with(&at("ak_certificate"), microsofts)?;
        policy.name = "machine of Azure, TDX, with its key's certificate";
        if !endorsements.intel.is_empty() {
            policy.name = "machine of Azure, TDX, with its key's certificate and collateral";
        }
    }
    Ok(policy)
}

/// The hardware's report by itself, under the certificates of another chip.
fn other_chip(vectors: &Vectors, row: &Stated) -> Result<Row> {
    let file = vectors.file(row.file("hcl")?)?;
    let report = hcl::parse(&file)?;
    let hcl::Hardware::Snp(slot) = report.hardware else {
        return Err("not SNP".into());
    };
    let case = Case {
        row,
        evidence: Evidence::new(Platform::Snp).with(Part::Report, slot),
        endorsements: Endorsements {
            certificates: x509::all_from_pem(&vectors.file(row.file("chain")?)?)?,
            ..Endorsements::default()
        },
        binding: Binding::Challenge(Sha256Digest::of(report.runtime).as_bytes().to_vec()),
        policy: anybodys(Policy::shipped("report")?, "snp")?
            .with("snp/identity", r#""danger-any-machine""#)?
            .with("snp/chip_ids", r#""any""#)?
            .measured("snp/measurements", snp::parse(slot)?.measurement)?,
        at: Timestamp::parse_rfc3339(AT)?,
    };
    case.judge(Asks::All, &["snp.signature", "snp.vek-chip"])
}

/// A container group: that of the sidecar, and what the row has otherwise.
pub(crate) fn group(vectors: &Vectors, row: &Stated) -> Result<Row> {
    let id = row.text("id")?.to_owned();
    let mut group = Group::sidecar(vectors)?;
    let (asks, reasons): (Asks<'_>, &[&str]) = match id.as_str() {
        "aci-sidecar" => (Asks::All, &[]),
        "aci-sidecar-svn-floor" => {
            group.svn = 100;
            (Asks::All, &["aci.uvm-svn"])
        }
        "aci-wrong-endorsement" => {
            group.uvm = vec![base64(&vectors.file(row.file("uvm")?)?)?];
            (Asks::All, &["aci.measurement"])
        }
        "aci-wrong-vcek" => {
            let json = base64(&vectors.file(row.file("certs")?)?)?;
            group.certificates = HostCertificates::parse(&json)?.certificates;
            (Asks::All, &["snp.vek-chip", "snp.signature"])
        }
        "aci-policy-lint" => {
            group.tolerated = false;
            (Asks::All, &["aci.lint"])
        }
        "aci-security-context" => return security_context(vectors, row),
        "aci-host-data-of-milan" => {
            group = group.of_milan(vectors, row)?;
            (Asks::Only(&["aci.host-data", "aci.policy"]), &[])
        }
        other => return Err(format!("`{other}` is not known").into()),
    };
    group.judge(row, asks, reasons)
}

struct Group {
    report: Vec<u8>,
    runtime: Vec<u8>,
    certificates: Vec<Vec<u8>>,
    uvm: Vec<Vec<u8>>,
    policies: Vec<Vec<u8>>,
    svn: u64,
    tolerated: bool,
    at: &'static str,
}

impl Group {
    fn sidecar(vectors: &Vectors) -> Result<Self> {
        let file = |name: &str| vectors.file(&format!("azure/aci-sidecar-2023/{name}"));
        let policy = measure::cce::host_data(&file("uvm_security_policy.base64")?)?;
        let thim = HostCertificates::parse(&file("uvm_host_amd_certificate.json")?)?;
        let pem = x509::all_from_pem(&file("uvm_host_amd_certificate.pem")?)?;
        if thim.certificates != pem {
            return Err("the two files hold different certificates".into());
        }
        Ok(Self {
            report: file("snp_report.bin")?,
            runtime: file("runtime_data.json")?,
            certificates: thim.certificates,
            uvm: vec![file("body.uvm_reference_info.bin")?],
            policies: vec![policy.policy],
            svn: 22,
            tolerated: true,
            at: "2024-06-01T00:00:00Z",
        })
    }

    fn of_milan(self, vectors: &Vectors, row: &Stated) -> Result<Self> {
        let policy = vectors.file(row.file("policy")?)?;
        let mut certificates = vectors.amd()?;
        certificates.push(vectors.certificate("snp/ms-tav-milan_vcek.pem")?);
        Ok(Self {
            report: vectors.file(row.file("report")?)?,
            certificates,
            policies: vec![measure::cce::host_data(&policy)?.policy],
            at: AT,
            ..self
        })
    }

    fn judge(self, row: &Stated, asks: Asks<'_>, reasons: &[&str]) -> Result<Row> {
        let report = snp::parse(&self.report)?;
        let findings = self.policies.iter().flat_map(|policy| cce::lint(policy));
        let findings: Vec<String> = findings
            .map(|finding| format!("{:?}", finding.to_string()))
            .filter(|_| self.tolerated)
            .collect();
        let name = match (self.tolerated, self.svn) {
            (false, _) => "container group, its policy linted",
            (true, 100) => "container group, floor as shipped",
            (true, _) => "container group",
        };
        let mut policy = anybodys(Policy::shipped(name)?, "aci/snp")?
            .measured("aci/container_policies", report.host_data)?
            .captured(
                "aci/tolerated_findings",
                &format!("[{}]", findings.join(",")),
            )?;
        if self.svn != 100 {
            policy = policy.with("aci/uvm/svn_at_least", &self.svn.to_string())?;
        }
        let data = <[u8; 64]>::try_from(report.report_data).map_err(|_| "64 bytes")?;
        let case = Case {
            row,
            evidence: Evidence::new(Platform::Aci)
                .with(Part::Report, self.report.clone())
                .with(Part::RuntimeData, self.runtime),
            endorsements: Endorsements {
                certificates: self.certificates,
                uvm: self.uvm,
                policies: self.policies,
                ..Endorsements::default()
            },
            binding: Binding::ReportData(ReportData::from_bytes(data)),
            policy,
            at: Timestamp::parse_rfc3339(self.at)?,
        };
        case.judge(asks, reasons)
    }
}

/// The three files of a group without its report: what can be checked of them.
fn security_context(vectors: &Vectors, row: &Stated) -> Result<Row> {
    let file = |purpose: &str| vectors.file(row.file(purpose)?);
    let (certificates, uvm, policy) = (file("certs")?, file("uvm")?, file("policy")?);
    let context = SecurityContext {
        host_amd_cert: &certificates,
        reference_info: &uvm,
        security_policy: &policy,
    };
    let found = context.endorsements()?;
    let digest = found
        .policies
        .first()
        .map(|policy| Sha256Digest::of(policy).hex());
    let stated = row
        .value("policy_sha256")
        .and_then(cmcp_json::Value::as_str);
    let read = |der: &Vec<u8>| x509::Certificate::from_der(der);
    let all: std::result::Result<Vec<_>, _> = found.certificates.iter().map(read).collect();
    let all = all?;
    let (leaf, others) = all.split_first().ok_or("a certificate")?;
    let root = x509::Certificate::from_der(&vectors.certificate("snp/amd-milan-ark.pem")?)?;
    let at = Timestamp::parse_rfc3339("2024-06-01T00:00:00Z")?;
    let chain = x509::verify_chain(leaf, others, &[root], &x509::ChainRules::at(at));
    let endorsement =
        cmcp_evidence::azure::uvm::Uvm::parse(found.uvm.first().ok_or("an endorsement")?)?;
    let svn = row.value("uvm_svn").and_then(cmcp_json::Value::as_u64);
    let holds = digest.as_deref() == stated && chain.is_ok() && svn == Some(endorsement.svn);
    let says = match chain {
        Ok(chain) => format!(
            "{} certificates to AMD's root, svn {}",
            chain.len(),
            endorsement.svn
        ),
        Err(error) => error.to_string(),
    };
    let mut judged = Row::new(row, holds, says)?;
    judged.at = Some(at);
    Ok(judged)
}

fn base64(text: &[u8]) -> Result<Vec<u8>> {
    Ok(STANDARD.decode(text.trim_ascii_end())?)
}

/// A time at which the captured machines' certificates hold.
const AT: &str = "2026-06-09T00:00:00Z";

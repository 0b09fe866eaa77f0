//! Captured reports, judged as the table beside them says.

use std::path::Path;

use cmcp_json::{Limits, Value};

use super::*;
use crate::{
    AttestationResult, ReportData,
    check::Outcome,
    policy::{Measurements, Pin, fields::Roots},
};

/// A file of the shared vectors; without it, outside CI, the test is skipped.
pub(crate) fn shared(name: &str) -> Option<Vec<u8>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared/vectors")
        .join(name);
    match std::fs::read(&path) {
        Ok(bytes) => Some(bytes),
        Err(error) if std::env::var_os("CI").is_some_and(|value| value == "true") => {
            panic!("{}: {error}", path.display())
        }
        Err(_) => {
            eprintln!("skipped: ../shared is not here");
            None
        }
    }
}

fn table() -> Option<Vec<Value>> {
    let text = shared("expectations-snp.json")?;
    let value = cmcp_json::parse(&text, &Limits::DOCUMENT).unwrap();
    Some(value.as_array().unwrap().to_vec())
}

fn text<'a>(row: &'a Value, name: &str) -> &'a str {
    let value = row.as_object().unwrap().get(name).unwrap();
    value.as_str().unwrap()
}

fn member<'a>(row: &'a Value, name: &str) -> Option<&'a Value> {
    row.as_object().unwrap().get(name)
}

fn bytes(name: &str) -> Vec<u8> {
    let bytes = shared(name).unwrap();
    if name.ends_with(".hex") {
        hex::decode(&str::from_utf8(&bytes).unwrap().trim().to_lowercase()).unwrap()
    } else if name.ends_with(".pem") {
        crate::x509::one_from_pem(&bytes).unwrap()
    } else {
        bytes
    }
}

fn endorsed(vek: &str) -> Endorsements {
    let mut certificates = vec![bytes(vek)];
    for product in ["milan", "genoa", "turin"] {
        certificates.push(bytes(&format!("snp/amd-{product}-ask.pem")));
    }
    Endorsements {
        certificates,
        ..Endorsements::default()
    }
}

/// What the strict policy becomes for captures: AMD's roots, floors of zero, Milan also where a report
/// does not name its product, no demands on the machine's set-up, and no list, for none is published.
fn policy(measurement: &str, host_data: &str) -> SnpPolicy {
    let mut policy = forge::policy(Vec::new());
    policy.roots = Roots::Vendor;
    policy.products = Products {
        milan: Some(Floors::default()),
        genoa: Some(Floors::default()),
        turin: Some(Floors::default()),
    };
    policy.unnamed_product = Some(Product::Milan);
    policy.revocation = Revocation::NotChecked;
    policy.machine = MachineRules {
        firmware: Firmware {
            major: 0,
            minor: 0,
            build: 0,
        },
        alias_check: Demand::NotRequired,
        smt: Allowance::Allowed,
        tsme: Demand::NotRequired,
        mitigations: MitigationRules::default(),
    };
    policy.measurements = Measurements::Named(vec![(
        "captured".to_owned(),
        hex::decode(measurement).unwrap(),
    )]);
    policy.host_data = Pin::OneOf(vec![hex::decode(host_data).unwrap()]);
    policy.chip_ids = Pin::Any;
    policy
}

/// The captured Genoa report of version 5 and a policy that accepts it.
pub(crate) fn genoa() -> Option<(Vec<u8>, Endorsements, SnpPolicy)> {
    let report = shared("snp/attestation-rs-live-report-v5-genoa.bin")?;
    let endorsements = endorsed("snp/attestation-rs-live-vcek-genoa.der");
    let measurement = hex::encode(parse(&report).unwrap().measurement);
    Some((
        report,
        endorsements,
        policy(&measurement, &hex::encode(&[0; 32])),
    ))
}

/// Judges the captured Genoa report, or what became of it.
pub(crate) fn judge(
    report: Vec<u8>,
    endorsements: &Endorsements,
    policy: &SnpPolicy,
) -> AttestationResult {
    let mut data = [0; 64];
    data[..17].copy_from_slice(b"hello-attestation");
    let binding = Binding::ReportData(ReportData::from_bytes(data));
    forge::judge_at(
        report,
        endorsements,
        policy,
        &binding,
        "2026-06-01T00:00:00Z",
    )
}

/// A captured report and what it is judged with.
pub(crate) struct Capture {
    pub(crate) report: Vec<u8>,
    endorsements: Endorsements,
    policy: SnpPolicy,
    binding: Binding,
    at: String,
}

impl Capture {
    fn of(row: &Value) -> Self {
        let data = hex::decode(text(row, "report_data")).unwrap();
        let valid = member(row, "vek_valid").unwrap().as_array().unwrap();
        let from = Timestamp::parse_rfc3339(valid[0].as_str().unwrap()).unwrap();
        Self {
            report: bytes(text(row, "report")),
            endorsements: endorsed(text(row, "vek")),
            policy: policy(text(row, "measurement"), text(row, "host_data")),
            binding: Binding::ReportData(ReportData::from_bytes(data.try_into().unwrap())),
            at: from.rfc3339(),
        }
    }

    pub(crate) fn judge(&self, report: Vec<u8>) -> AttestationResult {
        forge::judge_at(
            report,
            &self.endorsements,
            &self.policy,
            &self.binding,
            &self.at,
        )
    }
}

/// Every capture that the table accepts.
pub(crate) fn accepted() -> Option<Vec<Capture>> {
    let rows = table()?;
    let accepted = rows.iter().filter(|row| text(row, "expect") == "accept");
    Some(accepted.map(Capture::of).collect())
}

#[test]
fn every_row_has_its_verdict_and_its_reasons() {
    let Some(rows) = table() else { return };
    assert_eq!(rows.len(), 12);
    for row in &rows {
        let capture = Capture::of(row);
        let result = capture.judge(capture.report.clone());
        let failures = failed(&result);
        let name = format!(
            "{} with {}: {failures:?}",
            text(row, "report"),
            text(row, "vek")
        );
        let accepted = matches!(result.status, Status::Affirming | Status::Warning);
        assert_eq!(accepted, text(row, "expect") == "accept", "{name}");
        let met = |code: &str| !failures.contains(&code);
        let results: Vec<&str> = member(row, "result")
            .unwrap()
            .as_array()
            .unwrap()
            .iter()
            .map(|value| value.as_str().unwrap())
            .collect();
        let said = |start: &str| results.iter().find(|said| said.starts_with(start)).unwrap();
        assert_eq!(met("snp.signature"), *said("sig") == "sig OK", "{name}");
        assert_eq!(met("snp.vek-tcb"), *said("tcb") == "tcb match", "{name}");
        assert_eq!(met("snp.vek-chip"), *said("hwid") == "hwid match", "{name}");
        // The table follows the certificate to its own root, whatever product the report is of.
        let own_product = met("snp.vek-product");
        let chain = *said("chain") == "chain OK" && own_product;
        assert_eq!(met("snp.chain"), chain, "{name}");
        assert_eq!(
            !met("snp.debug"),
            member(row, "debug").unwrap().as_bool().unwrap(),
            "{name}"
        );
        if text(row, "expect") == "accept" {
            assert_eq!(failures, [""; 0], "{name}");
        }
    }
}

#[test]
fn every_row_reads_as_the_table_says() {
    let Some(rows) = table() else { return };
    for row in &rows {
        let bytes = bytes(text(row, "report"));
        let report = parse(&bytes).unwrap();
        let number = |name: &str| member(row, name).unwrap().as_u64().unwrap();
        assert_eq!(u64::from(report.version), number("version"));
        assert_eq!(u64::from(report.vmpl), number("vmpl"));
        assert_eq!(format!("{:#x}", report.policy), text(row, "policy"));
        assert_eq!(hex::encode(report.measurement), text(row, "measurement"));
        assert_eq!(hex::encode(report.host_data), text(row, "host_data"));
        assert_eq!(hex::encode(report.report_data), text(row, "report_data"));
        assert_eq!(hex::encode(&report.reported_tcb), text(row, "reported_tcb"));
        if let Some(word) = member(row, "platform_info") {
            assert_eq!(
                format!("{:#x}", report.platform_info),
                word.as_str().unwrap()
            );
        }
        if let Some(fms) = member(row, "cpuid_fms") {
            let cpuid = report
                .cpuid
                .map(|cpuid| hex::encode(&[cpuid.family, cpuid.model, cpuid.stepping]));
            assert_eq!(cpuid.as_deref(), fms.as_str());
        }
        assert!(!show(&bytes).unwrap().is_empty());
    }
}

#[test]
fn a_captured_milan_report_fails_the_strict_policy_by_product() {
    let Some(rows) = table() else { return };
    let row = &rows[3];
    let mut capture = Capture::of(row);
    capture.policy.products.milan = None;
    let result = capture.judge(capture.report.clone());
    assert_eq!(failed(&result), ["snp.product"]);
}

#[test]
fn b05_a_captured_report_under_the_roots_of_another_product_is_refused() {
    let Some((report, endorsements, mut policy)) = genoa() else {
        return;
    };
    for product in ["milan", "turin"] {
        policy.roots = Roots::These(vec![bytes(&format!("snp/amd-{product}-ark.pem"))]);
        let result = judge(report.clone(), &endorsements, &policy);
        assert_eq!(failed(&result), ["snp.chain"], "{product}");
    }
}

#[test]
fn a_captured_certificate_is_not_used_before_or_after_its_time() {
    let Some((report, endorsements, policy)) = genoa() else {
        return;
    };
    for time in ["2026-02-17T23:01:35Z", "2033-02-17T23:01:37Z"] {
        let result = forge::judge_at(
            report.clone(),
            &endorsements,
            &policy,
            &Binding::Unknown,
            time,
        );
        assert_eq!(failed(&result), ["snp.validity"], "{time}");
    }
}

#[test]
fn a_captured_turin_certificate_says_what_amds_do() {
    let Some(_) = table() else { return };
    let der = bytes("snp/sev-crate-turin-vcek.der");
    let certificate = crate::x509::Certificate::from_der(&der).unwrap();
    let vek = vek::Vek::read(&certificate).unwrap();
    assert_eq!(vek.product_name, "Turin");
    assert_eq!(
        vek.tcb.to_string(),
        "fmc 0, bootloader 0, tee 0, snp 0, microcode 9"
    );
    assert_eq!(
        vek.holder,
        vek::Holder::Chip {
            hwid: hex::decode("1e550a8ee5cf9f4d").unwrap()
        }
    );
}

#[test]
fn roots_are_those_of_the_shared_vectors() {
    let Some(_) = table() else { return };
    for product in Product::ALL {
        let name = format!("snp/amd-{}-ark.pem", product.as_str().to_lowercase());
        let own = roots::of(product, &Roots::Vendor).unwrap();
        assert_eq!(own.len(), 1);
        assert_eq!(own[0].der(), bytes(&name), "{product}");
    }
}

#[test]
fn amds_vlek_intermediates_stand_below_the_same_roots() {
    let Some(_) = table() else { return };
    for product in Product::ALL {
        let name = format!(
            "snp/trustee-{}_ask_ark_asvk.pem",
            product.as_str().to_lowercase()
        );
        let root = &roots::of(product, &Roots::Vendor).unwrap()[0];
        let all = crate::x509::all_from_pem(&shared(&name).unwrap()).unwrap();
        let all: Vec<_> = all
            .iter()
            .map(|der| crate::x509::Certificate::from_der(der).unwrap())
            .collect();
        let expected = format!("SEV-VLEK-{product}");
        let asvk = all
            .iter()
            .find(|certificate| certificate.common_name().as_ref() == Some(&expected))
            .unwrap();
        asvk.verify_signed_by(root).unwrap();
    }
}

#[test]
fn a_captured_report_costs_at_most_five_milliseconds() {
    let Some((report, endorsements, policy)) = genoa() else {
        return;
    };
    // Unoptimised code says nothing about speed.
    if cfg!(debug_assertions) {
        return;
    }
    let start = std::time::Instant::now();
    for _ in 0..20 {
        let result = judge(report.clone(), &endorsements, &policy);
        assert_eq!(result.status, Status::Warning);
    }
    let each = start.elapsed() / 20;
    println!("chain and report: {each:?}");
    assert!(each.as_millis() < 5, "{each:?}");
}

#[test]
fn a_tolerated_missing_list_is_told() {
    let Some((report, endorsements, policy)) = genoa() else {
        return;
    };
    let result = judge(report, &endorsements, &policy);
    assert_eq!(result.status, Status::Warning);
    let tolerated: Vec<&str> = result
        .checks
        .iter()
        .filter(|checked| matches!(checked.outcome, Outcome::Tolerated { .. }))
        .map(|checked| checked.check.code)
        .collect();
    assert_eq!(tolerated, ["snp.revocation"]);
}

//! SEV-SNP reports.

use cmcp_evidence::{Binding, Endorsements, Evidence, Part, Platform, ReportData, hex};

use super::{
    Result,
    case::{Asks, Case, Row},
    policy::Policy,
    vectors::{Stated, Vectors},
};

pub(crate) fn judge(vectors: &Vectors, row: &Stated) -> Result<Row> {
    let (name, vek) = (row.text("report")?, row.text("vek")?);
    let report = match name.ends_with(".hex") {
        true => {
            let digits = String::from_utf8(vectors.file(name)?)?;
            hex::decode(&digits.trim().to_ascii_lowercase())?
        }
        false => vectors.file(name)?,
    };
    let mut certificates = vec![vectors.certificate(vek)?];
    certificates.extend(vectors.amd()?);
    let data = hex::decode(row.text("report_data")?)?;
    let data = <[u8; 64]>::try_from(data).map_err(|_| "report data of 64 bytes")?;
    let measurement = hex::decode(row.text("measurement")?)?;
    let case = Case {
        row,
        evidence: Evidence::new(Platform::Snp).with(Part::Report, report),
        endorsements: Endorsements {
            certificates,
            ..Endorsements::default()
        },
        binding: Binding::ReportData(ReportData::from_bytes(data)),
        policy: anybodys(Policy::shipped("report")?, "snp")?
            .with("snp/identity", r#""danger-any-machine""#)?
            .with("snp/chip_ids", r#""any""#)?
            .measured("snp/measurements", &measurement)?,
        at: row.time(AT)?,
    };
    let stated = row.maybe("reason").unwrap_or_default();
    let reasons: Vec<&str> = REASONS
        .iter()
        .filter(|(words, _)| stated.contains(words))
        .map(|(_, code)| *code)
        .collect();
    let mut judged = case.judge(Asks::All, &reasons)?;
    judged.id = format!("{name} under {vek}");
    judged.files = vec![name.to_owned(), vek.to_owned()];
    judged.asks = "appraisal".to_owned();
    Ok(judged)
}

/// Milan and old firmware, which captures come from; no list, for none is published.
pub(crate) fn anybodys(policy: Policy, section: &str) -> Result<Policy> {
    let zeros = r#"{"bootloader":0,"tee":0,"snp":0,"microcode":0}"#;
    let floors = format!(r#"{{"tcb":{zeros},"launch_tcb":{zeros}}}"#);
    let at = |name: &str| format!("{section}/{name}");
    policy
        .said(&at("products/milan"), &floors, "no floor")?
        .said(&at("products/genoa"), &floors, "no floor")?
        .with(&at("unnamed_product"), r#""milan""#)?
        .with(&at("revocation"), r#""not-checked""#)?
        .with(&at("guest/smt"), r#""allowed""#)?
        .with(&at("machine/firmware"), r#""0.0""#)?
        .with(&at("machine/smt"), r#""allowed""#)?
        .with(&at("machine/alias_check"), r#""not-required""#)
}

/// The words of stated reasons, and what has to fail for them.
const REASONS: &[(&str, &str)] = &[
    ("DEBUG", "snp.debug"),
    ("chain FAIL", "snp.chain"),
    ("sig FAIL", "snp.signature"),
    ("tcb MISMATCH", "snp.vek-tcb"),
    ("hwid MISMATCH", "snp.vek-chip"),
];

/// Every chip's certificate of the table holds at this time.
const AT: &str = "2026-11-20T00:00:00Z";

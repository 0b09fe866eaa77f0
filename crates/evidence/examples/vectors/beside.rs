//! Files whose verdict stands in the folder's own description and in no table.

use cmcp_evidence::{
    Binding, Collected, Endorsements, Evidence, Part, Platform, Sha256Digest, Status, Timestamp,
    azure::hcl,
    dcap::{self, Body},
    snp,
    wire::{Content, recognise},
    x509,
};

use super::{
    Result,
    case::{Row, Verdict, decide},
    policy::Policy,
    quotes,
    reports::anybodys,
    vectors::Vectors,
};

pub(crate) fn all(vectors: &Vectors) -> Result<Vec<Row>> {
    let mut rows = vec![turin(vectors)?, paravisor(vectors)?];
    let envelopes = [
        ("snp/attestation-rs-live-evidence-genoa.json", None),
        (
            "snp/dstack-milan-attestation.bin",
            Some("snp/dstack-milan-vcek.pem"),
        ),
        (
            "snp/dstack-milan-attestation.json",
            Some("snp/dstack-milan-vcek.pem"),
        ),
    ];
    for (name, vek) in envelopes {
        rows.push(report(vectors, name, vek)?);
    }
    let quotes = [
        (
            "tdx/dstack-quote-report.json",
            "attestation-rs-90c06f000000",
            "2026-03-17T00:00:00Z",
        ),
        (
            "tdx/dstack-tdx-lite-attestation.json",
            "flashbots-azure-collateral-with-ak-intermediates-1780922561",
            "2026-06-09T00:00:00Z",
        ),
    ];
    for (name, collateral, at) in quotes {
        rows.push(quote(vectors, name, collateral, at)?);
    }
    Ok(rows)
}

/// A chip's certificate of Turin: its chain holds.
fn turin(vectors: &Vectors) -> Result<Row> {
    let files = [
        "snp/sev-crate-turin-vcek.der",
        "snp/sev-crate-turin-cert_chain.pem",
    ];
    let [leaf, chain] = files;
    let leaf = x509::Certificate::from_der(&vectors.certificate(leaf)?)?;
    let others: std::result::Result<Vec<_>, _> = x509::all_from_pem(&vectors.file(chain)?)?
        .iter()
        .map(|der| x509::Certificate::from_der(der))
        .collect();
    let root = x509::Certificate::from_der(&vectors.certificate("snp/amd-turin-ark.pem")?)?;
    let at = Timestamp::parse_rfc3339(AT)?;
    let rules = x509::ChainRules::at(at);
    let found = x509::verify_chain(&leaf, &others?, &[root], &rules);
    Ok(Row {
        id: files.join(" with "),
        files: files.map(str::to_owned).to_vec(),
        asks: "chain to AMD's root".to_owned(),
        at: Some(at),
        verdict: Verdict::from(found.is_ok()),
        found: match found {
            Ok(chain) => format!("{} certificates", chain.len()),
            Err(error) => error.to_string(),
        },
        ..Row::stated(Verdict::Accept)
    })
}

/// The hardware's report in a paravisor's, under its own machine's certificate.
fn paravisor(vectors: &Vectors) -> Result<Row> {
    let files = [
        "azure-vtpm/trustee-az-snp-hcl-report.bin",
        "azure-vtpm/trustee-az-snp-vcek.pem",
    ];
    let [name, chain] = files;
    let bytes = vectors.file(name)?;
    let report = hcl::parse(&bytes)?;
    let hcl::Hardware::Snp(slot) = report.hardware else {
        return Err("not SNP".into());
    };
    let collected = Collected {
        evidence: Evidence::new(Platform::Snp).with(Part::Report, slot),
        endorsements: Endorsements {
            certificates: x509::all_from_pem(&vectors.file(chain)?)?,
            ..Endorsements::default()
        },
    };
    let data = Sha256Digest::of(report.runtime).as_bytes().to_vec();
    let row = judged(&collected, policy(slot)?, Binding::Challenge(data), AT)?;
    Ok(Row {
        id: files.join(" under "),
        files: files.map(str::to_owned).to_vec(),
        ..row
    })
}

/// A report in somebody's envelope.
fn report(vectors: &Vectors, name: &str, vek: Option<&str>) -> Result<Row> {
    let mut collected = opened(vectors, name)?;
    let mut files = vec![name.to_owned()];
    if let Some(vek) = vek {
        collected
            .endorsements
            .certificates
            .push(vectors.certificate(vek)?);
        files.push(vek.to_owned());
    }
    collected.endorsements.certificates.extend(vectors.amd()?);
    let report = collected.evidence.part(Part::Report).ok_or("a report")?;
    let data = snp::parse(report)?.report_data.to_vec();
    let policy = policy(report)?;
    let row = judged(&collected, policy, Binding::Challenge(data), AT)?;
    Ok(Row {
        id: files.join(" under "),
        files,
        ..row
    })
}

fn policy(report: &[u8]) -> Result<Policy> {
    anybodys(Policy::shipped("report")?, "snp")?
        .with("snp/identity", r#""danger-any-machine""#)?
        .with("snp/chip_ids", r#""any""#)?
        .measured("snp/measurements", snp::parse(report)?.measurement)
}

/// A quote in somebody's envelope; the log beside it is looked at where policy asks for it.
fn quote(vectors: &Vectors, name: &str, collateral: &str, at: &str) -> Result<Row> {
    let collateral = format!("tdx/collateral-json/{collateral}.json");
    let mut collected = opened(vectors, name)?;
    collected.endorsements.intel = vec![vectors.file(&collateral)?];
    let quote = collected.evidence.part(Part::Quote).ok_or("a quote")?;
    let Body::Domain(_) = dcap::parse(quote)?.body else {
        return Err("no trust domain".into());
    };
    let policy = quotes::policy(quote, "quote")?;
    let row = judged(&collected, policy, Binding::Unknown, at)?;
    Ok(Row {
        id: format!("{name} with {collateral}"),
        files: vec![name.to_owned(), collateral],
        ..row
    })
}

fn opened(vectors: &Vectors, name: &str) -> Result<Collected> {
    match recognise(&vectors.file(name)?)?.content {
        Content::Evidence(collected) => Ok(collected),
        Content::Claimed(_) | Content::Certificate(_) => Err("evidence in an envelope".into()),
    }
}

fn judged(collected: &Collected, policy: Policy, binding: Binding, at: &str) -> Result<Row> {
    let at = Timestamp::parse_rfc3339(at)?;
    let result = decide(collected, &policy, &binding, at)?;
    let failed: Vec<&str> = result
        .failures()
        .map(|checked| checked.check.code)
        .collect();
    let accepts = matches!(result.status, Status::Affirming | Status::Warning);
    Ok(Row {
        asks: "appraisal".to_owned(),
        at: Some(at),
        policy: Some(policy),
        verdict: Verdict::from(accepts),
        status: Some(result.status),
        found: failed.join(", "),
        ..Row::stated(Verdict::Accept)
    })
}

const AT: &str = "2026-06-20T00:00:00Z";

//! SGX and TDX quotes.

use cmcp_evidence::{
    Binding, Endorsements, Evidence, Part, Platform,
    dcap::{self, Body},
};

use super::{
    Result,
    case::{Asks, Case, Row},
    policy::Policy,
    vectors::{Stated, Vectors},
};

/// Quote, collateral, time.
pub(crate) fn with_collateral(vectors: &Vectors, row: &Stated) -> Result<Row> {
    let (quote, collateral) = (row.text("quote")?, row.text("collateral")?);
    let bytes = vectors.file(quote)?;
    let case = Case {
        row,
        evidence: evidence(&bytes)?,
        endorsements: Endorsements {
            intel: vec![vectors.file(collateral)?],
            ..Endorsements::default()
        },
        binding: Binding::Unknown,
        policy: policy(&bytes, "quote")?,
        at: row.time("")?,
    };
    let mut judged = case.judge(Asks::All, &[])?;
    judged.id = format!("{quote} with {collateral}");
    judged.files = vec![quote.to_owned(), collateral.to_owned()];
    judged.asks = "appraisal".to_owned();
    Ok(judged)
}

/// A quote without collateral: its chain, or the whole.
pub(crate) fn alone(vectors: &Vectors, row: &Stated) -> Result<Row> {
    let bytes = vectors.file(row.file("quote")?)?;
    let whole = row.text("id")?.ends_with("-default");
    let policy = match whole {
        true => Policy::shipped("shipped")?,
        false => chain_only(policy(&bytes, "quote, chain only")?, &bytes)?,
    };
    let case = Case {
        row,
        evidence: evidence(&bytes)?,
        endorsements: Endorsements::default(),
        binding: Binding::Unknown,
        policy,
        at: row.time(AT)?,
    };
    // Debug enclaves fail for that; the row asks for the chain.
    let asks = match whole {
        true => Asks::All,
        false => Asks::Only(CHAIN),
    };
    case.judge(asks, &["sgx.debug"])
}

const CHAIN: &[&str] = &[
    "dcap.format",
    "dcap.padding",
    "dcap.qe-vendor",
    "dcap.pck-chain",
    "dcap.qe-signature",
    "dcap.qe-binding",
    "dcap.quote-signature",
];

fn evidence(quote: &[u8]) -> Result<Evidence> {
    let platform = match dcap::parse(quote)?.body {
        Body::Enclave(_) => Platform::Sgx,
        Body::Domain(_) => Platform::Tdx,
    };
    Ok(Evidence::new(platform).with(Part::Quote, quote))
}

/// As shipped, but that nobody has pinned machines and registers of captures.
pub(crate) fn policy(quote: &[u8], name: &'static str) -> Result<Policy> {
    let policy = Policy::shipped(name)?.with("freshness", r#""unproven""#)?;
    match dcap::parse(quote)?.body {
        Body::Enclave(report) => {
            machine(policy, "sgx")?.measured("sgx/measurements", report.mrenclave)
        }
        Body::Domain(report) => {
            let mut policy = machine(policy, "tdx")?;
            for register in ["rtmr0", "rtmr1", "rtmr2", "rtmr3"] {
                policy = policy.with(&format!("tdx/{register}"), r#""ignored""#)?;
            }
            policy.measured("tdx/measurements", report.mrtd)
        }
    }
}

fn machine(policy: Policy, section: &str) -> Result<Policy> {
    policy
        .with(&format!("{section}/identity"), r#""danger-any-machine""#)?
        .with(&format!("{section}/ppids"), r#""any""#)?
        .with(&format!("{section}/tcb_evaluation_at_least"), "0")
}

fn chain_only(policy: Policy, quote: &[u8]) -> Result<Policy> {
    let section = match dcap::parse(quote)?.body {
        Body::Enclave(_) => "sgx",
        Body::Domain(_) => "tdx",
    };
    policy.with(&format!("{section}/collateral"), r#""danger-chain-only""#)
}

/// Any time at which the certificates of machines hold.
const AT: &str = "2026-06-09T00:00:00Z";

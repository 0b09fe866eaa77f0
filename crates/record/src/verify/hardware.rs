//! What a record's own evidence establishes (`trace.md` section 4, "Grades"; the draft of TRACE v0.3).
//!
//! Only the rule for TDX quotes is in the draft. Evidence of another format counts as evidence that
//! this verifier cannot read, and a record is not refused for that.

use cmcp_evidence::{
    Commitment, Platform, ReportData, Sha256Digest, Timestamp, b64,
    dcap::{self, GenuineDomain, Moment},
    hex,
};

use super::report::{Check, Field, Grade};
use super::{Appraisal, Expectations, Freshness, Pin, common};
use crate::code::Code;
use crate::trust_record::TrustRecord;
use crate::trust_record::schema::SOFTWARE_ONLY;

/// Decides everything that a record's evidence decides.
pub(super) fn judge(
    record: &TrustRecord,
    expectations: &Expectations,
    now: Timestamp,
    checks: &mut Vec<Check>,
) -> Grade {
    let platform = record.text(&["runtime", "platform"]).unwrap_or_default();
    let measurement = record.text(&["runtime", "measurement"]).unwrap_or_default();
    let moment = match expectations.freshness {
        Freshness::Checked { .. } => Moment::At(now),
        Freshness::NotChecked => Moment::Ever,
    };
    let held = Held::of(record);
    let judged = match (&expectations.evidence, held.bytes()) {
        (Pin::Pinned(appraisal), Some(_)) => Some(appraisal),
        (Pin::Pinned(_), None) | (Pin::NotPinned, _) => None,
    };
    let grade = match (judged, held) {
        (_, Held::Nothing) => without(platform, checks),
        (Some(appraisal), Held::TdxQuote(quote) | Held::SnpReport(quote)) => {
            appraised(record, appraisal, &quote, checks)
        }
        (_, Held::Unreadable(code, what)) => {
            unbound(checks);
            checks.push(
                Check::not_established(Field::HardwareAttestation, code)
                    .actual(format_args!("`{what}`"))
                    .remedy("a record is as good as the evidence that comes inside it: ask for a TDX quote"),
            );
            Grade::Unattested
        }
        (None, Held::SnpReport(_)) => {
            unbound(checks);
            checks.push(
                Check::not_established(Field::HardwareAttestation, Code::EvidenceUnsupported)
                    .actual("`sev-snp-report-v2`")
                    .remedy("a report is judged by reference values and the certificate of its chip: give both"),
            );
            Grade::Unattested
        }
        (None, Held::TdxQuote(quote)) => quoted(record, &quote, moment, checks),
    };
    checks.push(Check::skip(
        Field::AgentManifestBinding,
        "no agent manifest was given",
    ));
    checks.push(match (judged, &expectations.measurements) {
        (Some(appraisal), Pin::NotPinned) => appraisal.launch(),
        (Some(_), Pin::Pinned(_)) | (None, _) => {
            common::launch_measurement(&expectations.measurements, platform, measurement)
        }
    });
    grade
}

/// The evidence of a record, as far as it can be read at all.
enum Held<'a> {
    Nothing,
    Unreadable(Code, &'a str),
    TdxQuote(Vec<u8>),
    SnpReport(Vec<u8>),
}

impl<'a> Held<'a> {
    fn of(record: &'a TrustRecord) -> Self {
        let text = |name| record.text(&["runtime", "evidence", name]);
        let Some(format) = text("format") else {
            return Self::Nothing;
        };
        let Some(quote) = text("quote") else {
            return Self::Unreadable(Code::EvidenceByReference, format);
        };
        // What is no base64url is no quote either, and refused as one.
        let quote = || b64::decode(quote).unwrap_or_default();
        match format {
            "tdx-quote-v4" => Self::TdxQuote(quote()),
            "sev-snp-report-v2" => Self::SnpReport(quote()),
            other => Self::Unreadable(Code::EvidenceUnsupported, other),
        }
    }

    /// Evidence that can be judged.
    fn bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Nothing | Self::Unreadable(..) => None,
            Self::TdxQuote(bytes) | Self::SnpReport(bytes) => Some(bytes),
        }
    }
}

fn without(platform: &str, checks: &mut Vec<Check>) -> Grade {
    unbound(checks);
    checks.push(if platform == SOFTWARE_ONLY {
        Check::not_established(Field::HardwareAttestation, Code::SoftwareEvidence)
            .remedy("the gateway ran without hardware: trust it as far as you trust its operator")
    } else {
        Check::not_established(Field::HardwareAttestation, Code::EvidenceAbsent)
            .actual(format_args!("`{platform}` by name alone"))
            .remedy("a platform's name is no evidence: ask the producer for its quote")
    });
    Grade::Unattested
}

fn unbound(checks: &mut Vec<Check>) {
    for field in [
        Field::PublicKeyBinding,
        Field::AuditChainBinding,
        Field::MeasurementBinding,
    ] {
        checks.push(Check::skip(field, "no evidence came with the record"));
    }
}

/// In the order of the draft: the quote, what the record says of it, its measurement, its binding.
fn quoted(record: &TrustRecord, quote: &[u8], moment: Moment, checks: &mut Vec<Check>) -> Grade {
    let genuine = match dcap::genuine_domain(quote, moment) {
        Ok(genuine) => genuine,
        Err(error) => {
            unbound(checks);
            checks.push(
                Check::fail(Field::HardwareAttestation, Code::EvidenceInvalid)
                    .expected("a TDX quote that leads to Intel's root")
                    .actual(error),
            );
            return Grade::Reject;
        }
    };
    established(record, &genuine, checks)
}

/// What a genuine quote establishes about the record that carries it.
fn established(record: &TrustRecord, genuine: &GenuineDomain, checks: &mut Vec<Check>) -> Grade {
    checks.push(Check::skip(
        Field::AuditChainBinding,
        "the record comes without the commitment that its evidence carries",
    ));
    checks.push(
        contradiction(record, TDX).unwrap_or_else(|| Check::pass(Field::HardwareAttestation)),
    );
    let digits = genuine.measurement.hex();
    says_key(record, (&digits, &genuine.report_data), checks)
}

/// Whether the evidence measured what the record says, and commits to the key that signed it.
fn says_key(
    record: &TrustRecord,
    (digits, report_data): (&str, &ReportData),
    checks: &mut Vec<Check>,
) -> Grade {
    let stated = record.text(&["runtime", "measurement"]).unwrap_or_default();
    let measured = format!("sha384:{digits}");
    checks.push(if stated == measured {
        Check::pass(Field::MeasurementBinding).actual(measured)
    } else {
        Check::fail(Field::MeasurementBinding, Code::MeasurementMismatch)
            .expected(measured)
            .actual(stated)
    });
    let key = record.confirmation_key().ok();
    let committed = key.map(|key| Sha256Digest::of(key.as_bytes()));
    let (first, _) = report_data.as_bytes().split_at(32);
    if committed.is_some_and(|digest| digest.as_bytes() == first) {
        checks.push(Check::pass(Field::PublicKeyBinding));
        return Grade::Attested;
    }
    checks.push(
        Check::not_established(Field::PublicKeyBinding, Code::EvidenceUnbound)
            .remedy("the hardware is genuine, and does not vouch for who signed the record"),
    );
    Grade::PlatformAttested
}

/// A quote carries the chain that verifies it; the certificate of a chip travels beside a report.
const TDX: (&str, &str) = ("intel-tdx", "embedded");
const SNP: (&str, &str) = ("amd-sev-snp", "required");

fn contradiction(record: &TrustRecord, (word, collateral): (&str, &str)) -> Option<Check> {
    let failed = || Check::fail(Field::HardwareAttestation, Code::EvidenceContradicted);
    let platform = record.text(&["runtime", "platform"]).unwrap_or_default();
    if platform != word {
        let actual = format_args!("`{platform}`");
        return Some(failed().expected(format_args!("`{word}`")).actual(actual));
    }
    match record.text(&["runtime", "evidence", "collateral"]) {
        Some(other) if other != collateral => {
            let expected = format_args!("collateral `{collateral}`");
            let actual = format_args!("collateral `{other}`");
            Some(failed().expected(expected).actual(actual))
        }
        Some(_) | None => None,
    }
}

/// What reference values say of the evidence, and what it says of the record.
fn appraised(
    record: &TrustRecord,
    appraisal: &Appraisal,
    quote: &[u8],
    checks: &mut Vec<Check>,
) -> Grade {
    if !appraisal.is_of(quote) {
        unbound(checks);
        checks.push(
            Check::fail(Field::HardwareAttestation, Code::EvidenceContradicted)
                .expected("an appraisal of this record's evidence")
                .actual("one of other evidence"),
        );
        return Grade::Reject;
    }
    let layout = match appraisal.platform() {
        Platform::Snp => SNP,
        Platform::Aci
        | Platform::AzureSnp
        | Platform::AzureTdx
        | Platform::Gcp
        | Platform::Gpu
        | Platform::Maa
        | Platform::Nitro
        | Platform::Nras
        | Platform::Sgx
        | Platform::Software
        | Platform::Tdx
        | Platform::Tpm => TDX,
    };
    checks.push(committed(record, appraisal));
    checks.push(contradiction(record, layout).unwrap_or_else(|| appraisal.hardware()));
    let digits = hex::encode(appraisal.measurement());
    says_key(record, (&digits, appraisal.report_data()), checks)
}

/// Whether the evidence carries the commitment that came beside the record, and the record says the same.
fn committed(record: &TrustRecord, appraisal: &Appraisal) -> Check {
    let field = Field::AuditChainBinding;
    let Pin::Pinned(commitment) = appraisal.commitment() else {
        return Check::skip(
            field,
            "the record comes without the commitment that its evidence carries",
        );
    };
    if !appraisal.is_bound() {
        return Check::fail(field, Code::CommitmentMismatch)
            .expected("report data over this key and this commitment")
            .actual(appraisal.report_data().hex());
    }
    let Commitment {
        nonce,
        policy,
        log_root,
        ..
    } = commitment;
    let stated = [
        (&["runtime", "nonce"][..], nonce.clone()),
        (&["policy", "bundle_hash"], Some(policy.to_string())),
        (&["tool_transcript", "hash"], Some(log_root.to_string())),
    ];
    for (place, expected) in stated {
        let found = record.text(place);
        if found != expected.as_deref() {
            let place = place.join(".");
            let expected = expected.unwrap_or_else(|| "none".to_owned());
            return Check::fail(field, Code::CommitmentMismatch)
                .expected(format_args!("`{place}`: {expected}"))
                .actual(found.unwrap_or("none"));
        }
    }
    Check::pass(field)
}

#[cfg(test)]
mod tests;

use cmcp_evidence::{ReportData, Sha256Digest, Sha384Digest, b64, hex};
use cmcp_json::{Object, Value};

use super::*;
use crate::audit::samples::vector;
use crate::trust_record::AcceptedProfiles;
use crate::trust_record::tests::{changed, key, member};
use crate::verify::{Outcome, Report, Status, verify_record};

/// A genuine quote, and the measurement it states.
fn quote() -> Option<(Vec<u8>, String)> {
    let quote = vector("tdx/dstack-tdx-lite-getquote.quote.bin")?;
    let measurement = format!("sha384:{}", hex::encode(&quote[184..232]));
    Some((quote, measurement))
}

/// A record of the draft that carries this quote, changed and signed.
fn record(quote: &[u8], measurement: &str, change: impl FnOnce(&mut Object)) -> Vec<u8> {
    changed(|record| {
        record.insert("eat_profile", crate::trust_record::PROFILE_V0_3);
        let runtime = Object::from([
            ("platform", Value::from("intel-tdx")),
            ("measurement", Value::from(measurement)),
            (
                "evidence",
                Value::Object(Object::from([
                    ("format", "tdx-quote-v4".to_owned()),
                    ("quote", b64::encode(quote)),
                ])),
            ),
        ]);
        record.insert("runtime", Value::Object(runtime));
        change(record);
    })
}

fn judged(record: &[u8]) -> Report {
    let mut expected = Expectations::unpinned(Freshness::NotChecked);
    expected.profiles = AcceptedProfiles::with_draft();
    verify_record(record, None, &expected, Timestamp::MIN)
}

fn line(report: &Report, field: Field) -> (Outcome, Option<Code>) {
    let check = report.checks.iter().find(|check| check.field == field);
    check.map(|check| (check.outcome, check.code)).unwrap()
}

#[test]
fn a_genuine_quote_of_another_key_is_platform_attested() {
    let Some((quote, measurement)) = quote() else {
        return;
    };
    let report = judged(&record(&quote, &measurement, |_| ()));
    assert_eq!(report.grade, Grade::PlatformAttested);
    assert_eq!(report.status, Status::PartiallyVerified);
    assert_eq!(line(&report, Field::HardwareAttestation).0, Outcome::Pass);
    assert_eq!(line(&report, Field::MeasurementBinding).0, Outcome::Pass);
    assert_eq!(
        line(&report, Field::PublicKeyBinding),
        (Outcome::NotEstablished, Some(Code::EvidenceUnbound))
    );
}

#[test]
fn a_record_that_contradicts_its_quote_is_refused() {
    let Some((quote, measurement)) = quote() else {
        return;
    };
    let other = |name: &'static str, value: &'static str| {
        judged(&record(&quote, &measurement, |record| {
            *member(record, &["runtime", name]) = Value::from(value);
        }))
    };
    let platform = other("platform", "amd-sev-snp");
    assert_eq!(platform.grade, Grade::Reject);
    assert_eq!(
        line(&platform, Field::HardwareAttestation).1,
        Some(Code::EvidenceContradicted)
    );
    let measured = judged(&record(
        &quote,
        &format!("sha384:{}", "00".repeat(48)),
        |_| (),
    ));
    assert_eq!(measured.grade, Grade::Reject);
    assert_eq!(
        line(&measured, Field::MeasurementBinding).1,
        Some(Code::MeasurementMismatch)
    );
    let collateral = judged(&record(&quote, &measurement, |record| {
        let evidence = member(record, &["runtime", "evidence"]);
        evidence
            .as_object_mut()
            .unwrap()
            .insert("collateral", "required");
    }));
    assert_eq!(
        line(&collateral, Field::HardwareAttestation).1,
        Some(Code::EvidenceContradicted)
    );
}

#[test]
fn b01_a_quote_with_a_flipped_bit_is_refused() {
    let Some((quote, measurement)) = quote() else {
        return;
    };
    // One bit in the header, in the body and in each link behind it.
    for at in [4, 60, 200, 600, 640, 700, 800, 1200, 1300] {
        let mut forged = quote.clone();
        forged[at] ^= 1;
        let report = judged(&record(&forged, &measurement, |_| ()));
        assert_eq!(report.grade, Grade::Reject, "byte {at}");
        assert_eq!(
            line(&report, Field::HardwareAttestation),
            (Outcome::Fail, Some(Code::EvidenceInvalid)),
            "byte {at}"
        );
    }
    let report = judged(&record(b"no quote", &measurement, |_| ()));
    assert_eq!(report.grade, Grade::Reject);
}

#[test]
fn evidence_that_cannot_be_read_here_establishes_nothing_and_refuses_nothing() {
    let other = |evidence: Object| {
        judged(&record(b"", "sha384:", |record| {
            *member(record, &["runtime", "measurement"]) =
                Value::from(format!("sha384:{}", "11".repeat(48)));
            *member(record, &["runtime", "evidence"]) = Value::Object(evidence);
        }))
    };
    let named = other(Object::from([
        ("format", "tdx-quote-v4".to_owned()),
        ("quote_digest", Sha256Digest::of(b"quote").to_string()),
    ]));
    let foreign = other(Object::from([
        ("format", "sev-snp-report-v2"),
        ("quote", "AAAA"),
    ]));
    for (report, code) in [
        (named, Code::EvidenceByReference),
        (foreign, Code::EvidenceUnsupported),
    ] {
        assert_eq!(report.grade, Grade::Unattested);
        assert_eq!(
            line(&report, Field::HardwareAttestation),
            (Outcome::NotEstablished, Some(code))
        );
    }
    let both = other(Object::from([
        ("format", "tdx-quote-v4".to_owned()),
        ("quote", "AAAA".to_owned()),
        ("quote_digest", Sha256Digest::of(b"quote").to_string()),
    ]));
    assert_eq!(both.grade, Grade::Reject);
}

#[test]
fn a_quote_that_commits_to_the_signing_key_attests_the_record() {
    let measurement = Sha384Digest::of(b"code");
    let record = record(b"quote", &format!("sha384:{}", measurement.hex()), |_| ());
    let record = TrustRecord::parse(&record, &AcceptedProfiles::with_draft()).unwrap();
    let committed = Sha256Digest::of(key().public().as_bytes());
    let grade = |first: &[u8; 32]| {
        let mut data = [7; 64];
        data[..32].copy_from_slice(first);
        let genuine = GenuineDomain {
            measurement,
            report_data: ReportData::from_bytes(data),
        };
        established(&record, &genuine, &mut Vec::new())
    };
    assert_eq!(grade(committed.as_bytes()), Grade::Attested);
    assert_eq!(grade(&[0; 32]), Grade::PlatformAttested);
}

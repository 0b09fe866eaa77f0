//! Records with evidence, judged by reference values.

use std::{fs, path::Path};

use cmcp_evidence::{Commitment, Endorsements, Sha256Digest, SigningKey, Timestamp, b64, hex};
use cmcp_json::{Form, Limits, Object, Value, canonical_without};
use cmcp_record::{
    trust_record::{Enforcement, PROFILE_V0_3, Policy, RecordDraft, Runtime, Transcript},
    verify::Sidecar,
};

use crate::{
    captured::{Case, genoa},
    support::{Ran, run},
};

fn digest() -> Sha256Digest {
    Sha256Digest::of(b"something")
}

fn draft() -> RecordDraft {
    RecordDraft {
        issued_at: now(),
        subject: "spiffe://trust.example.org/gateway/g1".to_owned(),
        policy: Policy {
            bundle_hash: digest().into(),
            version: "1".to_owned(),
            enforcement: Enforcement::Enforce,
        },
        data_class: "public".to_owned(),
        transcript: Transcript {
            root: digest(),
            calls: 2,
        },
        binary: digest().into(),
        runtime: Runtime::Software,
        challenge: None,
    }
}

fn now() -> Timestamp {
    let since = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
    Timestamp::from_unix_seconds(i64::try_from(since).unwrap())
}

/// A signed record that carries this report, or none.
fn record(report: Option<&[u8]>) -> Vec<u8> {
    let key = SigningKey::from_seed(&[7; 32]);
    let signed = draft().sign(&key).unwrap();
    let Some(report) = report else { return signed };
    let mut record = cmcp_json::parse(&signed, &Limits::DOCUMENT).unwrap();
    let members = record.as_object_mut().unwrap();
    let evidence = Object::from([
        ("format", "sev-snp-report-v2".to_owned()),
        ("quote", b64::encode(report)),
    ]);
    let measurement = report.get(0x90..0xc0).unwrap_or_default();
    let measurement = format!("sha384:{}", hex::encode(measurement));
    let runtime = Object::from([
        ("platform", Value::from("amd-sev-snp")),
        ("measurement", measurement.into()),
        ("evidence", evidence.into()),
    ]);
    members.insert("eat_profile", PROFILE_V0_3);
    members.insert("runtime", runtime);
    let preimage = canonical_without(&record, "signature", Form::JcsStrict).unwrap();
    let members = record.as_object_mut().unwrap();
    members.insert("signature", key.sign(&preimage).to_b64url());
    record.to_vec()
}

/// `cmcp verify` of `record.json` by the case's reference values, of which freshness is not asked.
fn verify(folder: &Path, case: &Case, more: &[&str]) -> Ran {
    let values = case
        .values
        .replace("freshness: challenge-required", "freshness: unproven");
    fs::write(folder.join("mine.yaml"), values).unwrap();
    let mut all = vec!["verify", "record.json", "--reference-values", "mine.yaml"];
    for path in &case.endorsements {
        all.extend(["--endorsements", path]);
    }
    all.extend_from_slice(more);
    run(folder, &all, &[])
}

#[test]
fn evidence_in_a_record_is_judged_by_reference_values() {
    let Some(case) = genoa() else { return };
    let folder = tempfile::tempdir().unwrap();
    let report = fs::read(&case.evidence).unwrap();
    fs::write(folder.path().join("record.json"), record(Some(&report))).unwrap();
    let accepted = verify(folder.path(), &case, &[]);
    assert_eq!(accepted.code, 3, "{}{}", accepted.out, accepted.err);
    for line in [
        "[cmcp verify] hardware_attestation     PASS  accepted by the reference values, but for what the reference values tolerate",
        "[cmcp verify] launch_measurement       PASS  release-1",
        "[cmcp verify] public_key_binding       OPEN  evidence_unbound; the hardware is genuine, and does not vouch for who signed the record",
    ] {
        assert!(accepted.out.contains(line), "{line}\n{}", accepted.out);
    }
    let other = Case {
        values: case.values.replace("not-checked", "crl-required"),
        ..case
    };
    let refused = verify(folder.path(), &other, &[]);
    assert_eq!(refused.code, 1, "{}{}", refused.out, refused.err);
    let line = "hardware_attestation     FAIL  evidence_refused";
    assert!(refused.out.contains(line), "{}", refused.out);
}

#[test]
fn a_commitment_that_the_evidence_does_not_carry_fails() {
    let Some(case) = genoa() else { return };
    let folder = tempfile::tempdir().unwrap();
    let report = fs::read(&case.evidence).unwrap();
    fs::write(folder.path().join("record.json"), record(Some(&report))).unwrap();
    let sidecar = Sidecar {
        commitment: Commitment {
            nonce: None,
            policy: digest(),
            catalog: digest(),
            config: digest(),
            log_size: 2,
            log_root: digest(),
        },
        endorsements: Endorsements::default(),
    };
    fs::write(folder.path().join("commitment.json"), sidecar.to_json()).unwrap();
    let ran = verify(folder.path(), &case, &["--commitment", "commitment.json"]);
    assert_eq!(ran.code, 1, "{}{}", ran.out, ran.err);
    let line = "FAIL  commitment_mismatch";
    assert!(ran.out.contains(line), "{}", ran.out);
    fs::write(folder.path().join("commitment.json"), "{}").unwrap();
    let ran = verify(folder.path(), &case, &["--commitment", "commitment.json"]);
    assert_eq!(ran.code, 1);
    assert_eq!(
        ran.err,
        "error: commitment.json: `type` must be a text; ask the record's producer for its commitment\n"
    );
}

#[test]
fn a_record_without_evidence_is_reported_and_one_with_broken_evidence_refused() {
    let Some(case) = genoa() else { return };
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("record.json"), record(None)).unwrap();
    let judged = verify(folder.path(), &case, &[]);
    let plain = run(folder.path(), &["verify", "record.json"], &[]);
    assert_eq!(
        (judged.code, &judged.out),
        (3, &plain.out),
        "{}",
        judged.err
    );
    fs::write(folder.path().join("record.json"), record(Some(&[1; 40]))).unwrap();
    let broken = verify(folder.path(), &case, &[]);
    assert_eq!((broken.code, broken.out.as_str()), (1, ""));
    let begins = "error: record.json: the evidence it carries is not judged: ";
    assert!(broken.err.starts_with(begins), "{}", broken.err);
}

#[test]
fn mistakes_in_reference_values_end_as_every_failure_of_verify_does() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("record.json"), record(None)).unwrap();
    fs::write(folder.path().join("wrong.yaml"), "format: other\n").unwrap();
    let verify = |more: &[&str]| {
        let mut all = vec!["verify", "record.json"];
        all.extend_from_slice(more);
        run(folder.path(), &all, &[])
    };
    let wrong = verify(&["--reference-values", "wrong.yaml"]);
    assert_eq!(wrong.code, 1);
    assert!(wrong.err.starts_with("error: "), "{}", wrong.err);
    assert_eq!(verify(&["--reference-values", "none.yaml"]).code, 1);
    for alone in ["--endorsements", "--commitment", "--reference-values-key"] {
        assert_eq!(verify(&[alone, "x"]).code, 2, "{alone}");
    }
}

//! Evidence in records and claims, judged by reference values. The machine is forged: an AMD-like chain under a
//! root of the test, and a report that it signed.

#[path = "../../../../evidence/src/forge.rs"]
#[expect(
    dead_code,
    unused_imports,
    reason = "a chain of AMD's shape is all that is forged here"
)]
mod forge;

use cmcp_evidence::{
    Commitment, Endorsements, Platform, Preimage, PublicKey, ReferenceValues, Sha256Digest,
    Sha384Digest, SigningKey, b64, hex,
};
use cmcp_json::{Limits, Object, Value};

use self::forge::{Alg, Cert, Crl, Key, der, pem};
use super::{claims, expectations, failures, judge, now, outcome};
use crate::code::Code;
use crate::trust_record::tests::{changed, key, member};
use crate::trust_record::{AcceptedProfiles, PROFILE_V0_3};
use crate::verify::{
    Appraisal, Asked, Expectations, Field, Grade, NotAppraised, Outcome, Pin, Report, Sidecar,
};

const MEASUREMENT: [u8; 48] = [0x5a; 48];
const CHIP: [u8; 64] = [0xc1; 64];
/// Firmware of Genoa: boot loader, TEE, reserved, SNP, microcode.
const TCB: [u8; 8] = [10, 0, 0, 0, 0, 0, 0x17, 0x54];

struct Machine {
    signed: Vec<u8>,
}

impl Machine {
    fn new(report_data: &[u8]) -> Self {
        let mut signed = vec![0; 0x2a0];
        let mut put = |at: usize, bytes: &[u8]| signed[at..at + bytes.len()].copy_from_slice(bytes);
        put(0x000, &[5]);
        put(0x008, &[0, 0, 3]);
        put(0x034, &[1]);
        put(0x040, &[0x24]);
        put(0x050, report_data);
        put(0x090, &MEASUREMENT);
        put(0x160, &[0xff; 32]);
        put(0x188, &[0x19, 0x11, 0x01]);
        put(0x1a0, &CHIP);
        for at in [0x038, 0x180, 0x1e0, 0x1f0] {
            put(at, &TCB);
        }
        for at in [0x1e8, 0x1ec] {
            put(at, &[40, 55, 1]);
        }
        Self { signed }
    }

    fn for_record(commitment: &Commitment, key: &PublicKey) -> Self {
        Self::new(
            Preimage::Record { key, commitment }
                .report_data()
                .as_bytes(),
        )
    }

    fn report(&self) -> Vec<u8> {
        let fixed = Key::p384("vek").sign_fixed(Alg::EcdsaSha384, &self.signed);
        let mut report = self.signed.clone();
        for number in fixed.chunks(48) {
            report.extend(number.iter().rev());
            report.resize(report.len() + 24, 0);
        }
        report.resize(1184, 0);
        report
    }
}

fn root() -> Vec<u8> {
    let key = Key::rsa4096(0);
    Cert::new("ARK-Genoa", &key)
        .ca(None)
        .key_usage(0x06)
        .signed(Alg::PssSha384, &key)
}

fn endorsements() -> Endorsements {
    let (root_key, sub_key) = (Key::rsa4096(0), Key::rsa4096(1));
    let sub = Cert::new("SEV-Genoa", &sub_key)
        .issuer("ARK-Genoa")
        .ca(Some(0))
        .key_usage(0x04)
        .signed(Alg::PssSha384, &root_key);
    let number = |value: u8| der::element(0x02, [value]);
    let extensions = [
        ("1", number(0)),
        ("2", der::element(0x16, b"Genoa")),
        ("3.1", number(TCB[0])),
        ("3.2", number(TCB[1])),
        ("3.3", number(TCB[6])),
        ("3.8", number(TCB[7])),
        ("4", CHIP.to_vec()),
    ];
    let leaf = Cert::new("SEV-VCEK", &Key::p384("vek"))
        .issuer("SEV-Genoa")
        .serial(&[0]);
    let leaf = extensions.iter().fold(leaf, |leaf, (arc, value)| {
        leaf.extension(&format!("1.3.6.1.4.1.3704.1.{arc}"), false, value)
    });
    Endorsements {
        certificates: vec![leaf.signed(Alg::PssSha384, &sub_key), sub],
        crls: vec![Crl::new("ARK-Genoa").signed(Alg::PssSha384, &root_key)],
        ..Endorsements::default()
    }
}

/// Reference values that accept the machine, with a place of its section decided otherwise.
fn values(freshness: &str, change: impl FnOnce(&mut Object)) -> ReferenceValues {
    let floors = r#"{"bootloader":0,"tee":0,"snp":23,"microcode":0}"#;
    let section = format!(
        r#"{{"identity":"pinned","roots":[{root}],"products":{{"milan":"refused",
        "genoa":{{"tcb":{floors},"launch_tcb":{floors}}},"turin":"refused"}},"unnamed_product":"refused",
        "signing_keys":{{"vcek":"accepted","vlek":"refused"}},"revocation":"crl-required",
        "guest":{{"vmpl":[0],"abi":"0.0","smt":"allowed","single_socket":"not-required","migration":"refused",
        "ciphertext_hiding":"not-required","cxl":"forbidden","aes_256_xts":"not-required",
        "rapl_disabled":"not-required","page_swap_disabled":"not-required"}},
        "machine":{{"firmware":"1.55","alias_check":"required","smt":"allowed","tsme":"not-required",
        "mitigations":{{"launch":"none","current":"none"}}}},
        "id_block":{{"id_key_digests":"any","author_key_digests":"any","family_ids":"any","image_ids":"any",
        "guest_svn":0}},"measurements":{{"release":"{measurement}"}},"host_data":"any",
        "chip_ids":["{chip}"]}}"#,
        root = Value::from(pem("CERTIFICATE", &root())),
        measurement = hex::encode(&MEASUREMENT),
        chip = hex::encode(&CHIP),
    );
    let mut section = cmcp_json::parse(section.as_bytes(), &Limits::DOCUMENT).unwrap();
    change(section.as_object_mut().unwrap());
    let mut document = Object::from([
        ("format", "cmcp-reference-values/v1"),
        ("freshness", freshness),
    ]);
    document.insert("withdrawn", "none");
    for platform in Platform::ALL {
        if platform == Platform::Snp {
            document.insert("snp", section.clone());
        } else if platform != Platform::Software {
            document.insert(platform.as_str(), "refused");
        }
    }
    ReferenceValues::read(&document.into()).unwrap_or_else(|faults| panic!("{faults:#?}"))
}

fn strict() -> ReferenceValues {
    values("challenge-required", |_| {})
}

fn commitment() -> Commitment {
    Commitment {
        nonce: None,
        policy: Sha256Digest::of(b"policy"),
        catalog: Sha256Digest::of(b"catalog"),
        config: Sha256Digest::of(b"config"),
        log_size: 7,
        log_root: Sha256Digest::of(b"root"),
    }
}

fn machine() -> Machine {
    Machine::for_record(&commitment(), &key().public())
}

/// A record of the draft that carries this report.
fn record(machine: &Machine, change: impl FnOnce(&mut Object)) -> Vec<u8> {
    changed(|record| {
        record.insert("eat_profile", PROFILE_V0_3);
        let evidence = Object::from([
            ("format", "sev-snp-report-v2".to_owned()),
            ("quote", b64::encode(&machine.report())),
        ]);
        let runtime = Object::from([
            ("platform", Value::from("amd-sev-snp")),
            (
                "measurement",
                format!("sha384:{}", hex::encode(&MEASUREMENT)).into(),
            ),
            ("evidence", evidence.into()),
        ]);
        record.insert("runtime", runtime);
        change(record);
    })
}

fn appraise(document: &[u8], values: &ReferenceValues, commitment: Pin<Commitment>) -> Appraisal {
    let asked = Asked {
        reference_values: values,
        endorsements: &endorsements(),
        commitment,
        at: now(),
    };
    Appraisal::judge(document, &asked).unwrap()
}

fn by(appraisal: Appraisal) -> Expectations {
    Expectations {
        profiles: AcceptedProfiles::with_draft(),
        evidence: Pin::Pinned(appraisal),
        ..expectations()
    }
}

/// Judges a record by values, with the commitment beside it or without.
fn verified(record: &[u8], values: &ReferenceValues, commitment: Pin<Commitment>) -> Report {
    judge(record, &by(appraise(record, values, commitment)))
}

#[test]
fn a_record_whose_evidence_carries_its_key_and_its_commitment_is_attested() {
    let record = record(&machine(), |_| {});
    let report = verified(&record, &strict(), Pin::Pinned(commitment()));
    assert_eq!(failures(&report), []);
    assert_eq!(report.grade, Grade::Attested);
    for field in [
        Field::HardwareAttestation,
        Field::PublicKeyBinding,
        Field::AuditChainBinding,
        Field::MeasurementBinding,
        Field::LaunchMeasurement,
    ] {
        assert_eq!(outcome(&report, field), Outcome::Pass, "{field}");
    }
    let launch = report
        .checks
        .iter()
        .find(|check| check.field == Field::LaunchMeasurement);
    assert_eq!(launch.unwrap().actual.as_deref(), Some("release"));
}

#[test]
fn without_the_commitment_only_the_key_is_bound_and_freshness_is_not_shown() {
    let record = record(&machine(), |_| {});
    let report = verified(&record, &strict(), Pin::NotPinned);
    assert_eq!(
        failures(&report),
        [(Field::HardwareAttestation, Code::EvidenceRefused)]
    );
    assert_eq!(report.grade, Grade::Reject);
    let unproven = values("unproven", |_| {});
    let report = verified(&record, &unproven, Pin::NotPinned);
    assert_eq!(failures(&report), []);
    assert_eq!(report.grade, Grade::Attested);
    assert_eq!(outcome(&report, Field::AuditChainBinding), Outcome::Skip);
}

#[test]
fn a_commitment_that_the_evidence_does_not_carry_is_refused() {
    let record = record(&machine(), |_| {});
    let other = Commitment {
        config: Sha256Digest::of(b"another"),
        ..commitment()
    };
    let report = verified(&record, &strict(), Pin::Pinned(other));
    assert_eq!(
        failures(&report),
        [(Field::AuditChainBinding, Code::CommitmentMismatch)]
    );
    assert_eq!(report.grade, Grade::Reject);
}

#[test]
fn a_record_that_says_otherwise_than_its_commitment_is_refused() {
    let changes: [(&[&str], Value); 2] = [
        (
            &["policy", "bundle_hash"],
            Sha256Digest::of(b"other").into(),
        ),
        (
            &["tool_transcript", "hash"],
            Sha256Digest::of(b"other").into(),
        ),
    ];
    for (place, value) in changes {
        let record = record(&machine(), |record| *member(record, place) = value);
        let report = verified(&record, &strict(), Pin::Pinned(commitment()));
        let expected = [(Field::AuditChainBinding, Code::CommitmentMismatch)];
        assert_eq!(failures(&report), expected, "{place:?}");
    }
    let record = record(&machine(), |record| {
        let runtime = member(record, &["runtime"]).as_object_mut().unwrap();
        runtime.insert("nonce", "AAAAAAAAAAAAAAAAAAAAAA");
    });
    let report = verified(&record, &strict(), Pin::Pinned(commitment()));
    assert_eq!(
        failures(&report),
        [(Field::AuditChainBinding, Code::CommitmentMismatch)]
    );
}

#[test]
fn evidence_of_another_key_does_not_vouch_for_the_record() {
    let stranger = SigningKey::from_seed(&[9; 32]).public();
    let record = record(&Machine::for_record(&commitment(), &stranger), |_| {});
    let report = verified(&record, &strict(), Pin::Pinned(commitment()));
    assert_eq!(
        failures(&report),
        [(Field::AuditChainBinding, Code::CommitmentMismatch)]
    );
    let report = verified(&record, &values("unproven", |_| {}), Pin::NotPinned);
    assert_eq!(failures(&report), []);
    assert_eq!(report.grade, Grade::PlatformAttested);
}

#[test]
fn what_the_reference_values_do_not_accept_is_refused() {
    let mut debugged = machine();
    debugged.signed[0x0a] |= 0x08;
    let record = record(&debugged, |_| {});
    let report = verified(&record, &strict(), Pin::Pinned(commitment()));
    assert_eq!(
        failures(&report),
        [(Field::HardwareAttestation, Code::EvidenceRefused)]
    );
    let hardware = report.failures().next().unwrap();
    assert_eq!(hardware.actual.as_deref(), Some("snp.debug"));
    assert_eq!(report.grade, Grade::Reject);
}

#[test]
fn a_measurement_that_nobody_named_is_refused_where_it_is_looked_for() {
    let record = record(&machine(), |_| {});
    let others = values("challenge-required", |section| {
        let other = Object::from([("release", "00".repeat(48))]);
        section.insert("measurements", other);
    });
    let report = verified(&record, &others, Pin::Pinned(commitment()));
    assert_eq!(
        failures(&report),
        [(Field::LaunchMeasurement, Code::MeasurementMismatch)]
    );
    assert_eq!(outcome(&report, Field::HardwareAttestation), Outcome::Pass);
}

#[test]
fn an_appraisal_of_other_evidence_is_none_of_this_records() {
    let one = record(&machine(), |_| {});
    let mut other = machine();
    other.signed[0x0c0] = 1;
    let other = record(&other, |_| {});
    let appraisal = appraise(&one, &strict(), Pin::Pinned(commitment()));
    let report = judge(&other, &by(appraisal));
    assert_eq!(
        failures(&report),
        [(Field::HardwareAttestation, Code::EvidenceContradicted)]
    );
    assert_eq!(report.grade, Grade::Reject);
}

#[test]
fn a_record_that_contradicts_its_report_is_refused() {
    let cases: [(&[&str], &str); 2] = [
        (&["runtime", "platform"], "intel-tdx"),
        (&["runtime", "evidence", "collateral"], "embedded"),
    ];
    for (place, value) in cases {
        let record = record(&machine(), |record| {
            let (name, parent) = place.split_last().unwrap();
            let parent = member(record, parent).as_object_mut().unwrap();
            parent.insert(*name, value);
        });
        let report = verified(&record, &strict(), Pin::Pinned(commitment()));
        let expected = [(Field::HardwareAttestation, Code::EvidenceContradicted)];
        assert_eq!(failures(&report), expected, "{place:?}");
    }
    let measured = record(&machine(), |record| {
        *member(record, &["runtime", "measurement"]) =
            Value::from(format!("sha384:{}", "ab".repeat(48)));
    });
    let report = verified(&measured, &strict(), Pin::Pinned(commitment()));
    assert_eq!(
        failures(&report),
        [(Field::MeasurementBinding, Code::MeasurementMismatch)]
    );
}

#[test]
fn a_report_without_reference_values_establishes_nothing() {
    let record = record(&machine(), |_| {});
    let expected = Expectations {
        profiles: AcceptedProfiles::with_draft(),
        ..expectations()
    };
    let report = judge(&record, &expected);
    assert_eq!(
        (failures(&report), report.grade),
        (vec![], Grade::Unattested)
    );
}

#[test]
fn documents_without_evidence_that_is_read_are_not_appraised() {
    let judge = |document: &[u8]| {
        let asked = Asked {
            reference_values: &strict(),
            endorsements: &endorsements(),
            commitment: Pin::NotPinned,
            at: now(),
        };
        Appraisal::judge(document, &asked).map(|_| ()).unwrap_err()
    };
    assert_eq!(judge(&changed(|_| {})), NotAppraised::Nothing);
    assert!(matches!(judge(b"{"), NotAppraised::Document(_)));
    let evidence = |name: &'static str, value: &'static str| {
        record(&machine(), |record| {
            *member(record, &["runtime", "evidence", name]) = Value::from(value);
        })
    };
    let format = "tpm2-quote".to_owned();
    assert_eq!(
        judge(&evidence("format", "tpm2-quote")),
        NotAppraised::Unsupported { format }
    );
    assert!(matches!(
        judge(&evidence("quote", "AA==")),
        NotAppraised::Encoding(_)
    ));
    assert!(matches!(
        judge(&evidence("quote", "AAAA")),
        NotAppraised::Malformed(_)
    ));
}

/// A claim of the older form with this report, and what it says its report data was.
fn claim(machine: &Machine) -> Vec<u8> {
    claims::changed(|claim| {
        *member(claim, &["trace", "runtime"]) = Value::Object(Object::from([
            ("platform", "amd-sev-snp".to_owned()),
            ("measurement", Sha384Digest::of(&MEASUREMENT).to_string()),
            ("nonce", b64::encode(&older_report_data())),
        ]));
        let gateway = member(claim, &["gateway"]).as_object_mut().unwrap();
        let raw = Object::from([("raw_evidence", b64::encode(&machine.report()))]);
        gateway.insert("attestation_evidence", raw);
    })
}

fn older_report_data() -> Vec<u8> {
    let root = Sha256Digest::of(Sha256Digest::of(b"entry").as_bytes());
    [*key().public().thumbprint().as_bytes(), *root.as_bytes()].concat()
}

#[test]
fn a_claim_whose_evidence_repeats_it_is_attested() {
    let claim = claim(&Machine::new(&older_report_data()));
    let report = judge(&claim, &by(appraise(&claim, &strict(), Pin::NotPinned)));
    assert_eq!(failures(&report), []);
    assert_eq!(report.grade, Grade::Attested);
    for field in [
        Field::HardwareAttestation,
        Field::PublicKeyBinding,
        Field::AuditChainBinding,
        Field::MeasurementBinding,
        Field::LaunchMeasurement,
    ] {
        assert_eq!(outcome(&report, field), Outcome::Pass, "{field}");
    }
}

#[test]
fn a_claim_whose_evidence_says_otherwise_is_refused() {
    let claim = claim(&Machine::new(&[7; 64]));
    let report = judge(&claim, &by(appraise(&claim, &strict(), Pin::NotPinned)));
    let both = [
        (Field::PublicKeyBinding, Code::CommitmentMismatch),
        (Field::AuditChainBinding, Code::CommitmentMismatch),
    ];
    assert_eq!(failures(&report), both);
    assert_eq!(report.grade, Grade::Reject);
    let mut debugged = Machine::new(&older_report_data());
    debugged.signed[0x0a] |= 0x08;
    let claim = self::claim(&debugged);
    let report = judge(&claim, &by(appraise(&claim, &strict(), Pin::NotPinned)));
    assert_eq!(
        failures(&report),
        [(Field::HardwareAttestation, Code::EvidenceRefused)]
    );
}

#[test]
fn a_sidecar_is_read_as_it_is_written() {
    let sidecar = Sidecar {
        commitment: Commitment {
            nonce: Some("AAAAAAAAAAAAAAAAAAAAAA".to_owned()),
            ..commitment()
        },
        endorsements: endorsements(),
    };
    assert_eq!(Sidecar::parse(&sidecar.to_json()), Ok(sidecar));
}

//! Confidential VMs.

use cmcp_json::Value;

use super::{
    super::vectors::{Row, rows, shared},
    MICROSOFTS, NO_CERTIFICATE, amd, machine_section, read, snp_section, tdx_section,
};
use crate::{
    AttestationResult, Binding, Endorsements, Evidence, Input, Part, Platform, ReferenceValues,
    Sha256Digest, Status, Timestamp, appraise,
    azure::{
        cvm::key_digest,
        hcl,
        runtime::{Runtime, Switch},
        show_hcl,
    },
    dcap, hex,
    policy::Freshness,
    snp::{self, forge::failed},
    wire::{Content, recognise},
    x509,
};

/// A captured machine.
struct Captured {
    evidence: Evidence,
    endorsements: Endorsements,
    pcr0: String,
    qualifying_data: Vec<u8>,
}

impl Captured {
    /// Takes other projects' JSON as the program does.
    fn open(row: &Row) -> Self {
        let found = recognise(&row.file("evidence")).expect("evidence");
        let Content::Evidence(collected) = found.content else {
            panic!("{}: {:?}", row.id(), found.format);
        };
        Self::new(row, collected.evidence, collected.endorsements)
    }

    /// Takes single files.
    fn parts(row: &Row) -> Self {
        let evidence = Evidence::new(Platform::AzureTdx)
            .with(Part::HclReport, row.file("hcl"))
            .with(Part::Attest, row.file("tpm_quote"))
            .with(Part::Signature, row.file("tpm_signature"))
            .with(Part::Pcrs, row.file("pcrs"))
            .with(Part::Quote, row.file("td_quote"));
        let certificates = row
            .files("ak_cert")
            .into_iter()
            .chain(row.files("ak_intermediates"));
        let endorsements = Endorsements {
            certificates: certificates
                .map(|pem| x509::one_from_pem(&pem).expect("PEM"))
                .collect(),
            ..Endorsements::default()
        };
        Self::new(row, evidence, endorsements)
    }

    fn new(row: &Row, evidence: Evidence, mut endorsements: Endorsements) -> Self {
        let attest = evidence.part(Part::Attest).expect("a quote");
        let attest = crate::tpm::Attest::parse(attest).expect("a quote");
        let qualifying_data = attest.extra.to_vec();
        if let Some(stated) = row.value("qualifying_data").and_then(Value::as_str) {
            assert_eq!(hex::encode(&qualifying_data), stated, "{}", row.id());
        }
        endorsements.certificates.extend(amd().certificates);
        endorsements.intel = row.files("collateral");
        let pcrs = evidence.part(Part::Pcrs).expect("PCRs");
        Self {
            pcr0: hex::encode(&pcrs[..32]),
            qualifying_data,
            evidence,
            endorsements,
        }
    }

    fn report(&self) -> hcl::Hcl<'_> {
        let report = self.evidence.part(Part::HclReport).expect("a report");
        hcl::parse(report).expect("a report")
    }

    fn policy(&self, ak_certificate: &str) -> ReferenceValues {
        let runtime = Runtime::parse(self.report().runtime).expect("runtime data");
        let key = key_digest(&runtime.attestation_key).hex();
        let machine = machine_section(&self.pcr0, &key, ak_certificate);
        let none = ReferenceValues::refusing_all(Freshness::Required);
        match self.report().hardware {
            hcl::Hardware::Snp(report) => {
                let measurement = hex::encode(snp::parse(report).expect("a report").measurement);
                let snp = snp_section("", &format!(r#"{{"captured":"{measurement}"}}"#));
                let section = format!(r#"{{"snp":{snp},{machine}}}"#);
                let azure_snp = Some(read(&section, crate::azure::AzureSnpPolicy::read));
                ReferenceValues { azure_snp, ..none }
            }
            hcl::Hardware::Tdx(_) => {
                let collateral = if self.endorsements.intel.is_empty() {
                    "danger-chain-only"
                } else {
                    "required"
                };
                let quote = self.evidence.part(Part::Quote).expect("a quote");
                let dcap::Body::Domain(report) = dcap::parse(quote).expect("a quote").body else {
                    panic!("not a trust domain");
                };
                let tdx = tdx_section(collateral, &hex::encode(report.mrtd));
                let section = format!(r#"{{"tdx":{tdx},{machine}}}"#);
                let azure_tdx = Some(read(&section, crate::azure::AzureTdxPolicy::read));
                ReferenceValues { azure_tdx, ..none }
            }
        }
    }

    /// A quote without qualifying data was made for nobody: a policy that wants a challenge refuses it.
    fn judge(&self, challenge: &[u8], at: &str, ak_certificate: &str) -> AttestationResult {
        let (freshness, binding) = match challenge {
            [] => (Freshness::Unproven, Binding::Unknown),
            bytes => (Freshness::Required, Binding::Challenge(bytes.to_vec())),
        };
        appraise(&Input {
            evidence: &self.evidence,
            endorsements: &self.endorsements,
            binding: &binding,
            policy: &ReferenceValues {
                freshness,
                ..self.policy(ak_certificate)
            },
            at: Timestamp::parse_rfc3339(at).expect("a time"),
        })
    }
}

/// What fails of trust domains although their rows accept: the rows leave out attributes, and one machine
/// lets the host have the guest's page faults, which is never accepted.
fn beside_the_row(codes: &[&'static str]) -> Vec<&'static str> {
    let beside = |code: &&&str| **code == "tdx.sept-ve-disable";
    codes.iter().filter(|code| !beside(code)).copied().collect()
}

#[test]
fn machines_get_the_verdict_that_is_stated() {
    let mut seen = 0;
    for row in rows("azure-vtpm") {
        seen += 1;
        if row.has("chain") {
            chip_of_another_machine(&row);
            continue;
        }
        let captured = if row.has("evidence") {
            Captured::open(&row)
        } else {
            Captured::parts(&row)
        };
        let ak_certificate = if row.has("ak_cert") {
            MICROSOFTS
        } else {
            NO_CERTIFICATE
        };
        let at = row.at().unwrap_or("2026-06-09T00:00:00Z");
        let nonce = row.id().ends_with("nonce");
        let challenge: &[u8] = if nonce {
            b"another challenge"
        } else {
            &captured.qualifying_data
        };
        let result = captured.judge(challenge, at, ak_certificate);
        let left_out = |note: &String| note.starts_with("the part ");
        assert!(!result.notes.iter().any(left_out), "{}", row.id());
        let failed = failed(&result);
        println!("{}: {} {failed:?}", row.id(), result.status);
        if row.accepts() {
            assert_eq!(
                beside_the_row(&failed),
                [""; 0],
                "{}: {result:#?}",
                row.id()
            );
            stated(&row, &captured);
        } else if nonce {
            assert_eq!(beside_the_row(&failed), ["tpm.binding"], "{}", row.id());
        } else {
            assert!(row.id().ends_with("expired-collateral"), "{}", row.id());
            assert!(failed.contains(&"dcap.tcb-info-time"), "{}", row.id());
        }
        // Only one row brings all that vouches for its machine: AMD's revocation list is in none of them, and
        // Intel's collateral in few. The policy puts up with that by name.
        let sept_ve = failed.len() != beside_the_row(&failed).len();
        let expected = match (row.accepts() && !sept_ve, row.id()) {
            (true, "azure-tdx-live-tcb") => Status::Affirming,
            (true, _) => Status::Warning,
            (false, _) => Status::Contraindicated,
        };
        assert_eq!(result.status, expected, "{}", row.id());
    }
    assert!(seen == 20 || seen == 0, "{seen}");
}

fn chip_of_another_machine(row: &Row) {
    let report = row.file("hcl");
    let report = hcl::parse(&report).expect("a report");
    let result = as_snp(&report, &row.file("chain"));
    let failed = failed(&result);
    assert!(
        failed.contains(&"snp.signature") && failed.contains(&"snp.vek-chip"),
        "{failed:?}"
    );
    assert!(!row.accepts() && result.status == Status::Contraindicated);
}

/// The hardware's report by itself, under those certificates.
fn as_snp(report: &hcl::Hcl<'_>, chain: &[u8]) -> AttestationResult {
    let hcl::Hardware::Snp(slot) = report.hardware else {
        panic!("not SNP");
    };
    let measurement = hex::encode(snp::parse(slot).expect("a report").measurement);
    let section = snp_section(
        r#""identity":"danger-any-machine","#,
        &format!(r#"{{"captured":"{measurement}"}}"#),
    );
    appraise(&Input {
        evidence: &Evidence::new(Platform::Snp).with(Part::Report, slot),
        endorsements: &Endorsements {
            certificates: x509::all_from_pem(chain).expect("PEM"),
            ..Endorsements::default()
        },
        binding: &Binding::Challenge(Sha256Digest::of(report.runtime).as_bytes().to_vec()),
        policy: &ReferenceValues {
            snp: Some(read(&section, snp::SnpPolicy::read)),
            ..ReferenceValues::refusing_all(Freshness::Required)
        },
        at: Timestamp::parse_rfc3339("2024-01-01T00:00:00Z").expect("a time"),
    })
}

fn stated(row: &Row, captured: &Captured) {
    let report = captured.report();
    let runtime = Runtime::parse(report.runtime).expect("runtime data");
    if let Some(data) = row.value("user_data").and_then(Value::as_str) {
        assert_eq!(
            runtime.user_data.map(|data| hex::encode(&data)).as_deref(),
            Some(data)
        );
    }
    if let Some(secure_boot) = row.value("secure_boot").and_then(Value::as_bool) {
        assert_eq!(runtime.secure_boot == Switch::On, secure_boot);
    }
    if let Some(kind) = row.value("report_type").and_then(Value::as_u64) {
        assert_eq!(matches!(report.hardware, hcl::Hardware::Snp(_)), kind == 2);
    }
    if let (Some(measurement), hcl::Hardware::Snp(slot)) = (
        row.value("measurement").and_then(Value::as_str),
        report.hardware,
    ) {
        assert_eq!(
            hex::encode(snp::parse(slot).expect("a report").measurement),
            measurement
        );
    }
}

#[test]
fn files_without_a_row_say_what_is_stated_of_them() {
    let folder = "azure-vtpm";
    for name in [
        "az-cvm-vtpm-crate-hcl-report-snp.bin",
        "az-cvm-vtpm-crate-hcl-report-tdx.bin",
        "flashbots-hclreport.bin",
        "trustee-az-snp-hcl-report.bin",
        "trustee-az-tdx-hcl-report.bin",
    ] {
        let Some(bytes) = shared(&format!("{folder}/{name}")) else {
            return;
        };
        let report = hcl::parse(&bytes).expect(name);
        let expected = crate::azure::digest_and_zeros(report.runtime);
        let data = match report.hardware {
            hcl::Hardware::Snp(slot) => &slot[0x50..0x90],
            hcl::Hardware::Tdx(slot) => &slot[0x80..0xc0],
        };
        assert_eq!(data, expected, "{name}: the digest of the runtime data");
        assert!(show_hcl(&bytes).is_ok(), "{name}");
    }
    let file = |name: &str| shared(&format!("{folder}/{name}")).expect("the file");
    let runtime = Runtime::parse(&file("az-cvm-vtpm-crate-var-data.bin")).expect("runtime data");
    assert_eq!(
        (runtime.secure_boot, runtime.unknown),
        (Switch::On, Vec::new())
    );
    // A report under its own machine's certificate, which is here alone.
    let report = file("trustee-az-snp-hcl-report.bin");
    let report = hcl::parse(&report).expect("a report");
    let result = as_snp(&report, &file("trustee-az-snp-vcek.pem"));
    assert_eq!(failed(&result), [""; 0]);
}

#[test]
fn b01_no_bit_of_a_paravisors_report_is_left_out() {
    let Some(bytes) = shared("azure-vtpm/trustee-az-snp-hcl-report.bin") else {
        return;
    };
    let whole = hcl::parse(&bytes).expect("a report");
    for index in 0..bytes.len() {
        for bit in 0..8 {
            let mut flipped = bytes.clone();
            flipped[index] ^= 1 << bit;
            // What still reads has another hardware report or other runtime data; both are signed for.
            if let Ok(report) = hcl::parse(&flipped) {
                let changed = (report.hardware, report.runtime) != (whole.hardware, whole.runtime);
                let version = (4..8).contains(&index);
                assert!(changed || version, "bit {bit} of byte {index}");
            }
        }
    }
}

#[test]
fn b24_captured_runtime_data_counts_byte_by_byte() {
    for row in rows("azure-vtpm") {
        let code = match row.id() {
            "azure-snp-live" => "snp.binding",
            "azure-tdx-live-tcb" => "tdx.binding",
            _ => continue,
        };
        let mut captured = Captured::open(&row);
        let challenge = captured.qualifying_data.clone();
        let mut evidence = Evidence::new(captured.evidence.platform());
        for (part, bytes) in captured.evidence.parts() {
            let mut bytes = bytes.to_vec();
            if part == Part::HclReport {
                // The machine's number, which nothing here rests on.
                let name = b"\"vmUniqueId\":\"";
                let at = bytes.windows(name.len()).position(|window| window == name);
                bytes[at.expect("the number") + name.len()] ^= 1;
            }
            evidence = evidence.with(part, bytes);
        }
        captured.evidence = evidence;
        let result = captured.judge(&challenge, "2026-06-09T00:00:00Z", NO_CERTIFICATE);
        assert_eq!(failed(&result), [code], "{}", row.id());
    }
}

use std::{collections::BTreeMap, path::Path};

use super::{Content, Fault, Format, Recognised, Unrecognised, recognise};
use crate::{
    Collected, Endorsements, Evidence, Part, Platform, b64, hex, snp,
    wire::{container, vectors::shared},
};

fn evidence(recognised: Recognised) -> Evidence {
    match recognised.content {
        Content::Evidence(collected) => collected.evidence,
        Content::Claimed(_) | Content::Certificate(_) => panic!("{recognised:?}"),
    }
}

fn parts(evidence: &Evidence) -> Vec<&'static str> {
    evidence.parts().map(|(part, _)| part.as_str()).collect()
}

/// What every file of the shared vectors is recognised as.
fn all() -> Option<BTreeMap<String, Result<Recognised, Unrecognised>>> {
    shared("README.md")?;
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/vectors");
    let mut found = BTreeMap::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path
                    .strip_prefix(&root)
                    .expect("inside")
                    .to_string_lossy()
                    .into_owned();
                found.insert(name, recognise(&std::fs::read(&path).expect("a file")));
            }
        }
    }
    Some(found)
}

/// Files, the format they are in, the platform, and the parts they hold.
const EVIDENCE: &[(&str, Format, Platform, &str)] = &[
    (
        "sgx/dcap-qvl-sgx_quote",
        Format::SgxQuote,
        Platform::Sgx,
        "quote",
    ),
    (
        "ratls-certs/gramine.quote.bin",
        Format::SgxQuote,
        Platform::Sgx,
        "quote",
    ),
    (
        "tdx/dcap-qvl-tdx_quote",
        Format::TdxQuote,
        Platform::Tdx,
        "quote",
    ),
    (
        "tdx/dcap-qvl-tdx_quote_td15ex",
        Format::TdxQuote,
        Platform::Tdx,
        "quote",
    ),
    (
        "tdx/trustee-tdx_quote_5.dat",
        Format::TdxQuote,
        Platform::Tdx,
        "quote",
    ),
    (
        "tdx/attestation-rs-tdx_quote_live.dat",
        Format::TdxQuote,
        Platform::Tdx,
        "quote",
    ),
    (
        "tdx/dstack-quote-report.json",
        Format::DstackQuote,
        Platform::Tdx,
        "quote event_log",
    ),
    (
        "tdx/dstack-tdx-lite-getquote.json",
        Format::DstackQuote,
        Platform::Tdx,
        "quote event_log",
    ),
    (
        "tdx/dstack-tdx-lite-attestation.json",
        Format::DstackAttestation,
        Platform::Tdx,
        "quote",
    ),
    (
        "snp/sev-crate-milan-report.hex",
        Format::SnpReport,
        Platform::Snp,
        "report",
    ),
    (
        "snp/attestation-rs-live-report-v5-genoa.bin",
        Format::SnpReport,
        Platform::Snp,
        "report",
    ),
    (
        "azure/aci-sidecar-2023/snp_report.bin",
        Format::SnpReport,
        Platform::Snp,
        "report",
    ),
    (
        "snp/attestation-rs-live-evidence-genoa.json",
        Format::AttestationRs,
        Platform::Snp,
        "report",
    ),
    (
        "snp/dstack-milan-attestation.bin",
        Format::DstackAttestation,
        Platform::Snp,
        "report",
    ),
    (
        "snp/dstack-milan-attestation.json",
        Format::DstackAttestation,
        Platform::Snp,
        "report",
    ),
    (
        "nitro/dstack-nitro_attestation.bin",
        Format::DstackAttestation,
        Platform::Nitro,
        "document",
    ),
    (
        "azure-vtpm/flashbots-hclreport.bin",
        Format::HclReport,
        Platform::AzureTdx,
        "hcl_report",
    ),
    (
        "azure-vtpm/trustee-az-snp-hcl-report.bin",
        Format::HclReport,
        Platform::AzureSnp,
        "hcl_report",
    ),
    (
        "azure-vtpm/trustee-az-snp-evidence-v0.json",
        Format::AzureVtpmUnversioned,
        Platform::AzureSnp,
        AZURE_SNP,
    ),
    (
        "azure-vtpm/trustee-az-snp-evidence-genoa.json",
        Format::AzureVtpmUnversioned,
        Platform::AzureSnp,
        AZURE_SNP,
    ),
    (
        "azure-vtpm/trustee-az-snp-evidence-v1.json",
        Format::AzureVtpm,
        Platform::AzureSnp,
        AZURE_SNP,
    ),
    (
        "azure-vtpm/attestation-rs-az-snp-live-evidence.json",
        Format::AttestationRs,
        Platform::AzureSnp,
        AZURE_SNP,
    ),
    (
        "azure-vtpm/attestation-rs-az-snp-milan-v3-attestation.json",
        Format::AttestationRs,
        Platform::AzureSnp,
        AZURE_SNP,
    ),
    (
        "azure-vtpm/attestation-rs-az-tdx-live-evidence.json",
        Format::AzureVtpm,
        Platform::AzureTdx,
        AZURE_TDX,
    ),
    (
        "azure-vtpm/trustee-az-tdx-evidence-v0.json",
        Format::AzureVtpmUnversioned,
        Platform::AzureTdx,
        AZURE_TDX,
    ),
    (
        "azure-vtpm/trustee-az-tdx-evidence-v1.json",
        Format::AzureVtpm,
        Platform::AzureTdx,
        AZURE_TDX,
    ),
    (
        "azure-vtpm/trustee-az-snp-tpm-quote-v1.json",
        Format::TpmQuote,
        Platform::Tpm,
        "attest signature pcrs",
    ),
    (
        "azure-vtpm/trustee-az-snp-tpm-quote.msg",
        Format::TpmsAttest,
        Platform::Tpm,
        "attest",
    ),
    (
        "tpm/dstack-tpms_attest.bin",
        Format::TpmsAttest,
        Platform::Tpm,
        "attest",
    ),
    (
        "nvidia/nvtrust-hopperAttestationReport.txt",
        Format::SpdmMeasurements,
        Platform::Gpu,
        "report",
    ),
    (
        "nvidia/dstack-nvat-h100-claims.json",
        Format::NvatResult,
        Platform::Nras,
        "token",
    ),
    (
        "azure/maa/cvm-sharedeus2-2025-12.jwt",
        Format::Jws,
        Platform::Maa,
        "token",
    ),
    (
        "azure/maa/cvm-sharedweu-2023-03.jwt",
        Format::Jws,
        Platform::Maa,
        "token",
    ),
];

const AZURE_SNP: &str = "hcl_report attest signature pcrs";
const AZURE_TDX: &str = "hcl_report attest signature pcrs quote";

#[test]
fn captured_evidence_is_recognised_by_its_bytes() {
    let Some(found) = all() else { return };
    for (name, format, platform, parts) in EVIDENCE {
        let recognised = found[*name]
            .clone()
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(recognised.format, *format, "{name}");
        let evidence = evidence(recognised);
        assert_eq!(evidence.platform(), *platform, "{name}");
        assert_eq!(self::parts(&evidence).join(" "), *parts, "{name}");
    }
    let gpus = evidence(
        found["nvidia/nvtrust-ppcie-gpu_evidence.json"]
            .clone()
            .expect("GPUs"),
    );
    assert_eq!(
        (
            gpus.all(Part::Report).count(),
            gpus.all(Part::Certificates).count()
        ),
        (8, 8)
    );
    for name in ["gramine", "rats-tls", "rats-rs-demo-sgx"] {
        for ending in ["der", "pem"] {
            let name = format!("ratls-certs/{name}-cert.{ending}");
            let recognised = found[&name]
                .clone()
                .unwrap_or_else(|error| panic!("{name}: {error}"));
            assert!(
                matches!(recognised.content, Content::Certificate(_)),
                "{name}"
            );
        }
    }
}

/// Endorsements, and claims that nobody signed.
const NOT_EVIDENCE: &[&str] = &[
    "snp/amd-milan-ark.pem",
    "snp/trustee-test-vcek.der",
    "tdx/dcap-qvl-tdx_quote_collateral.json",
    "tdx/go-tdx-guest-pckcrl",
    "tdx/dcap-rs-tcbinfov3_00806f050000.json",
    "azure/maa/sharedeus2-jwks-recovered.json",
    "azure/aci-sidecar-2023/body.uvm_reference_info.bin",
    "azure/aci-security-context/reference-info-base64",
    "azure/aci-security-context/host-amd-cert-base64",
    "azure/aci-sidecar-2023/uvm_host_amd_certificate.json",
    "nvidia/nvtrust-Driver_RIM_test_no_gpu.swidtag",
    "nvidia/nvtrust-hopperCertChain.txt",
    "azure/gcp-confidential-space/jwt_payload_full.json",
    "azure/maa/cvm-sample.payload.json",
    "azure/maa/aci-sharedeus-2023-09.payload.json",
    "nvidia/nvtrust-nras-gpu-overall_claims_remote.json",
];

#[test]
fn captured_files_that_are_not_evidence_are_said_to_be_none() {
    let Some(found) = all() else { return };
    for name in NOT_EVIDENCE {
        let found = &found[*name];
        assert!(
            matches!(found, Err(Unrecognised::NotEvidence { .. })),
            "{name} {found:?}"
        );
    }
    for name in ["tpm/go-tpm-tools-gce-cos-85-nonce9009.pb", "README.md"] {
        let found = &found[name];
        assert!(
            matches!(found, Err(Unrecognised::Unknown { .. })),
            "{name} {found:?}"
        );
    }
}

#[test]
fn captured_wrappers_of_other_types_are_read_and_not_taken_for_evidence() {
    let Some(found) = all() else { return };
    for name in [
        "eat/cmw-crate-collection-cbor-ok.cbor",
        "eat/cmw-crate-collection-ok.json",
    ] {
        let Err(Unrecognised::Broken { format, fault }) = &found[name] else {
            panic!("{name}")
        };
        assert_eq!(*format, Format::Cmw);
        assert!(matches!(fault, Fault::Wrapped { .. }), "{fault}");
    }
    for name in [
        "eat/cmw-crate-x509-cert+cbor-cmw.der",
        "eat/cmw-crate-x509-cert+json-cmw.der",
    ] {
        let Err(Unrecognised::Broken { format, .. }) = &found[name] else {
            panic!("{name}")
        };
        assert_eq!(*format, Format::Certificate);
    }
}

#[test]
fn what_an_envelope_holds_is_what_lies_beside_it_raw() {
    let Some(found) = all() else { return };
    let held = |name: &str, part| {
        evidence(found[name].clone().expect("evidence"))
            .part(part)
            .expect("a part")
            .to_vec()
    };
    let pairs = [
        (
            "snp/dstack-milan-attestation.bin",
            Part::Report,
            "snp/dstack-milan-report.bin",
        ),
        (
            "tdx/dstack-quote-report.json",
            Part::Quote,
            "tdx/dstack-quote-report.quote.bin",
        ),
        (
            "tdx/dstack-tdx-lite-getquote.json",
            Part::Quote,
            "tdx/dstack-tdx-lite-getquote.quote.bin",
        ),
        (
            "tdx/dstack-tdx-lite-attestation.json",
            Part::Quote,
            "tdx/dstack-tdx-lite-getquote.quote.bin",
        ),
    ];
    for (envelope, part, raw) in pairs {
        assert!(Some(held(envelope, part)) == shared(raw), "{envelope}");
    }
}

fn report() -> Vec<u8> {
    let mut report = vec![0; snp::LENGTH];
    report[0] = 3;
    report[0x34] = 1;
    report
}

fn quote(padding: &[u8]) -> Vec<u8> {
    let mut quote = shared("tdx/trustee-tdx_quote_5.dat").unwrap_or_default();
    quote.extend_from_slice(padding);
    quote
}

#[test]
fn b26_a_second_piece_of_evidence_behind_the_first_is_refused() {
    let two = [report(), report()].concat();
    assert_eq!(
        recognise(&two),
        Err(Unrecognised::Trailing {
            format: Format::SnpReport,
            left: snp::LENGTH
        })
    );
    let digits = hex::encode(&two);
    assert_eq!(
        recognise(digits.as_bytes()),
        Err(Unrecognised::Trailing {
            format: Format::SnpReport,
            left: snp::LENGTH
        })
    );
    if quote(&[]).is_empty() {
        return;
    }
    let two = quote(&quote(&[]));
    assert!(matches!(
        recognise(&two),
        Err(Unrecognised::Trailing {
            format: Format::TdxQuote,
            ..
        })
    ));
    let mixed = quote(&report());
    assert!(matches!(
        recognise(&mixed),
        Err(Unrecognised::Trailing {
            format: Format::TdxQuote,
            ..
        })
    ));
    let mixed = quote(&[0, 0, 0, 1]);
    assert_eq!(
        recognise(&mixed),
        Err(Unrecognised::Trailing {
            format: Format::TdxQuote,
            left: 4
        })
    );
}

#[test]
fn zeros_behind_the_end_are_passed_over_and_said() {
    let padded = [report(), vec![0; 100]].concat();
    let recognised = recognise(&padded).expect("a report");
    assert_eq!(
        recognised.notes,
        ["100 zeros behind its end were passed over"]
    );
    assert_eq!(
        evidence(recognised).part(Part::Report),
        Some(report().as_slice())
    );
    assert_eq!(
        recognise(&report()).expect("a report").notes,
        Vec::<String>::new()
    );
}

#[test]
fn b27_digits_and_base64_are_read_in_one_spelling_only() {
    let mut bytes = report();
    bytes[0x50..0x90].fill(0xfb);
    let plain = b64::encode(&bytes);
    let encoded = |text: &str| recognise(text.as_bytes()).map(|recognised| recognised.encoding);
    assert_eq!(encoded(&plain), Ok(Some("base64")));
    assert_eq!(encoded(&format!("{plain}\n")), Ok(Some("base64")));
    assert_eq!(
        encoded(&hex::encode(&bytes)),
        Ok(Some("hexadecimal digits"))
    );
    assert_eq!(
        encoded(&hex::encode(&bytes).to_uppercase()),
        Ok(Some("hexadecimal digits"))
    );
    let standard = plain.replace('-', "+").replace('_', "/");
    assert_eq!(encoded(&standard), Ok(Some("base64")));
    let mixed = standard.replacen('+', "-", 1);
    let mut stray = plain.clone();
    stray.pop();
    stray.push('B');
    let (head, tail) = plain.split_at(64);
    for wrong in [
        mixed.as_str(),
        &format!("{head}\n{tail}"),
        &format!("{head} {tail}"),
        &format!("{plain}=="),
        &format!("{plain}==="),
        &stray,
    ] {
        assert!(
            matches!(encoded(wrong), Err(Unrecognised::Unknown { .. })),
            "{wrong}"
        );
    }
}

#[test]
fn nothing_is_taken_for_the_nearest_known_format() {
    let mut version = report();
    version[0] = 9;
    assert!(matches!(
        recognise(&version),
        Err(Unrecognised::Broken {
            format: Format::SnpReport,
            fault: Fault::Field(_)
        })
    ));
    let mut short = report();
    short.pop();
    assert!(matches!(
        recognise(&short),
        Err(Unrecognised::Unknown { .. })
    ));
    assert_eq!(recognise(&[]), Err(Unrecognised::Empty));
    let large = vec![0; (32 << 20) + 1];
    assert_eq!(
        recognise(&large),
        Err(Unrecognised::Large {
            size: (32 << 20) + 1
        })
    );
    for text in [
        "",
        " ",
        "evidence",
        "{}",
        "[]",
        "null",
        r#"{"quote":"00"}"#,
        "a.b.c",
        "eyJ9.e30.AA",
        "<x/>",
    ] {
        assert!(recognise(text.as_bytes()).is_err(), "{text}");
    }
}

#[test]
fn our_container_is_recognised_and_its_faults_are_told() {
    let collected = Collected {
        evidence: Evidence::new(Platform::Snp).with(Part::Report, report()),
        endorsements: Endorsements {
            crls: vec![vec![1]],
            ..Endorsements::default()
        },
    };
    let recognised = recognise(&container::encode(&collected)).expect("a container");
    assert_eq!(recognised.format, Format::Container);
    assert_eq!(recognised.content, Content::Evidence(collected));
    assert!(matches!(
        recognise(br#"{"format":"cmcp-evidence/v9"}"#),
        Err(Unrecognised::Broken {
            format: Format::Container,
            fault: Fault::Container(_)
        })
    ));
}

#[test]
fn a_trust_record_with_evidence_is_recognised() {
    let record = |evidence: &str| {
        let text = format!(
            r#"{{"eat_profile":"tag:agentrust-io.com,2026:trace-v0.3","runtime":{{"platform":"amd-sev-snp"{evidence}}}}}"#
        );
        recognise(text.as_bytes())
    };
    let quote = b64::encode(&report());
    let found = record(&format!(
        r#","evidence":{{"format":"sev-snp-report-v2","quote":"{quote}"}}"#
    ))
    .expect("evidence");
    assert_eq!(found.format, Format::TrustRecord);
    assert_eq!(
        evidence(found).part(Part::Report),
        Some(report().as_slice())
    );
    assert!(matches!(record(""), Err(Unrecognised::NotEvidence { .. })));
    for wrong in [
        r#"{"format":"sev-snp-report-v2","quote_digest":"sha256:00"}"#,
        r#"{"format":"sev-snp-report-v9","quote":"AAAA"}"#,
        r#"{"format":"sev-snp-report-v2","quote":"AA=="}"#,
    ] {
        let found = record(&format!(r#","evidence":{wrong}"#));
        assert!(
            matches!(
                found,
                Err(Unrecognised::Broken {
                    format: Format::TrustRecord,
                    ..
                })
            ),
            "{wrong}"
        );
    }
}

#[test]
fn tokens_are_known_by_their_claims() {
    let token = |claims: &str| {
        format!(
            "{}.{}.{}",
            b64::encode(b"{}"),
            b64::encode(claims.as_bytes()),
            b64::encode(b"sig")
        )
    };
    let platform =
        |claims: &str| recognise(token(claims).as_bytes()).map(|found| evidence(found).platform());
    assert_eq!(
        platform(r#"{"x-ms-attestation-type":"sevsnpvm"}"#),
        Ok(Platform::Maa)
    );
    assert_eq!(
        platform(r#"{"iss":"https://confidentialcomputing.googleapis.com"}"#),
        Ok(Platform::Gcp)
    );
    assert_eq!(
        platform(r#"{"x-nvidia-overall-att-result":true}"#),
        Ok(Platform::Nras)
    );
    for claims in [
        r#"{"iss":"https://example.com"}"#,
        r#"{"iss":"a","iss":"b"}"#,
        "[]",
        "{",
    ] {
        assert!(
            matches!(platform(claims), Err(Unrecognised::Unknown { .. })),
            "{claims}"
        );
    }
    let answer = format!(r#"[["JWT","{}"],{{"GPU-0":"x"}}]"#, token("{}"));
    let found = recognise(answer.as_bytes()).expect("an answer");
    assert_eq!(
        (found.format, evidence(found).part(Part::Token)),
        (Format::NrasAnswer, Some(answer.as_bytes()))
    );
}

#[test]
fn the_name_of_every_format_is_its_own() {
    let formats = [
        Format::AttestationRs,
        Format::AzureVtpm,
        Format::AzureVtpmUnversioned,
        Format::Certificate,
        Format::Claimed,
        Format::Cmw,
        Format::Container,
        Format::DstackAttestation,
        Format::DstackQuote,
        Format::GpuList,
        Format::HclReport,
        Format::Jws,
        Format::NitroDocument,
        Format::NrasAnswer,
        Format::NvatResult,
        Format::TrustRecord,
        Format::SgxQuote,
        Format::SnpReport,
        Format::SpdmMeasurements,
        Format::TdxQuote,
        Format::TpmsAttest,
        Format::TpmQuote,
    ];
    let names: std::collections::BTreeSet<&str> =
        formats.iter().map(|format| format.as_str()).collect();
    assert_eq!(names.len(), formats.len());
}

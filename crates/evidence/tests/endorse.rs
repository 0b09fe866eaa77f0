//! Files that are offered as endorsements, and what has to be fetched for evidence.
#![cfg(test)]

use std::path::Path;

use cmcp_evidence::{
    Evidence, Part, Platform,
    dcap::{self, Tee},
    endorse::{Kind, Offered, Sorted},
    needs::{AmdKey, Need, NeedsError, PckAuthority, needs},
    snp::Product,
    x509::{Certificate, all_from_pem},
};
use cmcp_json::{Limits, Value, parse};

/// A captured file; none where the captures are not here.
fn vector(name: &str) -> Option<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/vectors");
    if !folder.is_dir() {
        assert_ne!(option_env!("CI"), Some("true"), "../shared is not here");
        eprintln!("skipped: ../shared is not here");
        return None;
    }
    Some(std::fs::read(folder.join(name)).unwrap())
}

fn sorted(files: &[(&str, Vec<u8>)], known: &[Certificate]) -> Sorted {
    let offered: Vec<Offered> = files
        .iter()
        .map(|(name, bytes)| Offered {
            name: (*name).to_owned(),
            bytes: bytes.clone(),
        })
        .collect();
    let mut sorted = Sorted::default();
    sorted.offer(&offered, known);
    sorted
}

fn kind(bytes: &[u8]) -> (Kind, String) {
    let sorted = sorted(&[("file", bytes.to_vec())], &[]);
    (sorted.items[0].kind, sorted.items[0].says.clone())
}

#[test]
fn a_file_is_recognised_by_what_stands_in_it() {
    for (name, expected) in [
        ("snp/attestation-rs-live-vcek-genoa.der", Kind::Certificates),
        ("snp/trustee-turin_ask_ark_asvk.pem", Kind::Certificates),
        (
            "tdx/attestation-rs-collateral-pck_crl_platform.der",
            Kind::RevocationLists,
        ),
        ("tdx/go-tdx-guest-rootcrl.der", Kind::RevocationLists),
        (
            "tdx/dcap-qvl-tdx_quote_collateral.json",
            Kind::IntelCollateral,
        ),
        (
            "tdx/attestation-rs-collateral-tcb_info_50806f000000.json",
            Kind::IntelTcbInfo,
        ),
        (
            "tdx/go-tdx-guest-sample_qeIdentity_response",
            Kind::IntelQeIdentity,
        ),
        ("azure/maa/sharedeus2-jwks-recovered.json", Kind::KeySet),
        (
            "azure/aci-sidecar-2023/uvm_host_amd_certificate.json",
            Kind::HostCertificates,
        ),
        (
            "azure/aci-security-context/host-amd-cert-base64",
            Kind::HostCertificates,
        ),
        (
            "azure/aci-sidecar-2023/body.uvm_reference_info.bin",
            Kind::Uvm,
        ),
        (
            "azure/aci-security-context/reference-info-base64",
            Kind::Uvm,
        ),
        (
            "azure/aci-security-context/security-policy-base64",
            Kind::Policy,
        ),
        ("nvidia/nvtrust-Driver_RIM_test_no_gpu.swidtag", Kind::Rim),
        ("nvidia/trustee-test-rim.b64", Kind::Rim),
        ("snp/attestation-rs-live-report-v5-genoa.bin", Kind::Unknown),
        ("eat/ear-crate-claims.json", Kind::Unknown),
    ] {
        let Some(bytes) = vector(name) else { return };
        let (found, says) = kind(&bytes);
        assert_eq!(found, expected, "{name}: {says}");
        assert!(found != Kind::Unknown || !says.is_empty(), "{name}");
    }
}

#[test]
fn what_endorses_nothing_says_why() {
    for (bytes, says) in [
        (&b""[..], "the file is empty"),
        (&b"\xff\xfe"[..], "neither DER, COSE nor text"),
        (&b"hello"[..], "no kind of text that endorses anything"),
        (
            &b"\x84\x40\xa0\x40\x40"[..],
            "COSE, and no endorsement of a utility VM: ",
        ),
        (
            &b"{}"[..],
            "JSON with none of the members that endorsements have",
        ),
        (&b"{\"keys\":[],\"keys\":[]}"[..], "not strict JSON: "),
        (
            &b"{\"tcbInfo\":{}}"[..],
            "an answer of Intel's service without `id`",
        ),
        (
            &b"-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----\n"[..],
            "PEM block",
        ),
        (
            &b"\x30\x03\x02\x01\x00"[..],
            "DER, and neither list nor certificate: ",
        ),
    ] {
        let (kind, found) = kind(bytes);
        assert_eq!(kind, Kind::Unknown);
        assert!(found.starts_with(says), "{found}");
    }
}

#[test]
fn one_wrapping_in_base64_or_digits_is_taken_off() {
    let Some(der) = vector("snp/attestation-rs-live-vcek-genoa.der") else {
        return;
    };
    let digits = cmcp_evidence::hex::encode(&der).to_uppercase();
    let (kind, says) = kind(format!("{digits}\n").as_bytes());
    assert_eq!(
        (kind, says.as_str()),
        (Kind::Certificates, "SEV-VCEK, in hexadecimal digits")
    );
}

/// The certificates in a quote, which a verifier has at hand.
fn carried(quote: &str) -> Option<Vec<Certificate>> {
    let quote = vector(quote)?;
    let quote = dcap::parse(&quote).unwrap();
    let pem = quote.quoting.certificates;
    let pem = all_from_pem(pem.strip_suffix(&[0]).unwrap_or(pem)).unwrap();
    Some(
        pem.iter()
            .map(|der| Certificate::from_der(der).unwrap())
            .collect(),
    )
}

const RAW: [&str; 5] = [
    "tdx/attestation-rs-collateral-tcb_info_50806f000000.json",
    "tdx/attestation-rs-collateral-td_qe_identity.json",
    "tdx/attestation-rs-collateral-tcb_signing_chain.pem",
    "tdx/attestation-rs-collateral-pck_crl_platform.der",
    "tdx/attestation-rs-collateral-root_ca_crl.der",
];

#[test]
fn raw_answers_of_intel_are_put_together_byte_by_byte() {
    let Some(known) = carried("tdx/attestation-rs-tdx_quote_live.dat") else {
        return;
    };
    let files: Vec<(&str, Vec<u8>)> = RAW
        .iter()
        .map(|name| (*name, vector(name).unwrap()))
        .collect();
    let sorted = sorted(&files, &known);
    let [document] = sorted.endorsements.intel.as_slice() else {
        panic!("{:?}", sorted.items);
    };
    let document = parse(document, &Limits::DOCUMENT).unwrap();
    let same = vector("tdx/collateral-json/attestation-rs-50806f000000.json").unwrap();
    let same = parse(&same, &Limits::DOCUMENT).unwrap();
    for member in ["tcb_info", "qe_identity", "root_ca_crl", "pck_crl"] {
        let text = |document: &Value| {
            let text = document.get(member).and_then(Value::as_str).unwrap();
            text.to_ascii_lowercase()
        };
        assert_eq!(text(&document), text(&same), "{member}");
    }
    // Without one of them there is no collateral, and what is missing is said.
    for left in 0..RAW.len() {
        let mut files = files.clone();
        let (name, _) = files.remove(left);
        let without = self::sorted(&files, &known);
        assert!(without.endorsements.intel.is_empty(), "{name}");
        let said = without
            .items
            .iter()
            .any(|item| item.says.contains("of no use without"));
        assert_eq!(
            said,
            left != 0 || without.items.len() > 1,
            "{name}: {:?}",
            without.items
        );
    }
    let stranger = self::sorted(&files, &[]);
    assert!(stranger.endorsements.intel.is_empty());
    assert_eq!(
        stranger.items[0].says,
        "TDX 50806f000000; of no use without the revocation list of a PCK authority and that authority's certificate"
    );
}

#[test]
fn what_a_quote_needs_is_what_its_collateral_has() {
    for (name, collateral, tee) in [
        (
            "tdx/dcap-qvl-tdx_quote",
            "tdx/dcap-qvl-tdx_quote_collateral.json",
            Tee::Tdx,
        ),
        (
            "sgx/dcap-qvl-sgx_quote",
            "sgx/dcap-qvl-sgx_quote_collateral.json",
            Tee::Sgx,
        ),
    ] {
        let Some(quote) = vector(name) else { return };
        let platform = match tee {
            Tee::Sgx => Platform::Sgx,
            Tee::Tdx => Platform::Tdx,
        };
        let evidence = Evidence::new(platform).with(Part::Quote, quote);
        let needs = needs(&evidence, None).unwrap();
        let collateral = parse(&vector(collateral).unwrap(), &Limits::DOCUMENT).unwrap();
        let part = |name: &str, wrap: &str| {
            let text = collateral.get(name).and_then(Value::as_str).unwrap();
            format!(r#"{{"{wrap}":{text},"signature":"00"}}"#).into_bytes()
        };
        let crl = |name: &str| {
            let digits = collateral.get(name).and_then(Value::as_str).unwrap();
            cmcp_evidence::hex::decode(digits).unwrap()
        };
        assert_eq!(
            needs[0].check(&part("tcb_info", "tcbInfo")),
            Ok(()),
            "{name}"
        );
        assert_eq!(
            needs[1].check(&part("qe_identity", "enclaveIdentity")),
            Ok(())
        );
        assert_eq!(needs[2].check(&crl("pck_crl")), Ok(()));
        assert_eq!(needs[3].check(&crl("root_ca_crl")), Ok(()));
        assert_eq!(needs.len(), 4);
        // What is another's, or no such document, is not taken.
        assert!(
            needs[0]
                .check(&part("qe_identity", "enclaveIdentity"))
                .is_err()
        );
        let other = String::from_utf8(part("tcb_info", "tcbInfo")).unwrap();
        let other = other
            .replace("\"fmspc\":\"", "\"fmspc\":\"0")
            .replace("\"id\":\"", "\"id\":\"X");
        assert!(needs[0].check(other.as_bytes()).is_err());
        assert!(needs[2].check(b"<html>").is_err());
    }
}

#[test]
fn the_paths_of_intels_service_are_those_of_its_fourth_version() {
    let paths: Vec<String> = [
        Need::IntelTcbInfo(Tee::Tdx, [0x50, 0x80, 0x6f, 0, 0, 0]),
        Need::IntelTcbInfo(Tee::Sgx, [0, 0xa0, 0x67, 0x11, 0, 0]),
        Need::IntelQeIdentity(Tee::Tdx),
        Need::IntelPckCrl(PckAuthority::Processor),
    ]
    .iter()
    .map(Need::path)
    .collect();
    assert_eq!(
        paths,
        [
            "/tdx/certification/v4/tcb?fmspc=50806f000000&update=standard",
            "/sgx/certification/v4/tcb?fmspc=00a067110000&update=standard",
            "/tdx/certification/v4/qe/identity?update=standard",
            "/sgx/certification/v4/pckcrl?ca=processor&encoding=der",
        ]
    );
}

#[test]
fn a_report_asks_for_its_chips_certificate_and_no_others() {
    let Some(report) = vector("snp/attestation-rs-live-report-v5-genoa.bin") else {
        return;
    };
    let evidence = Evidence::new(Platform::Snp).with(Part::Report, report.clone());
    let needs = needs(&evidence, None).unwrap();
    assert_eq!(needs[0], Need::AmdChain(Product::Genoa, AmdKey::Vcek));
    assert_eq!(needs[1], Need::AmdCrl(Product::Genoa, AmdKey::Vcek));
    let vcek = &needs[2];
    assert!(vcek.lasts() && !needs[0].lasts());
    let chip = cmcp_evidence::hex::encode(&report[0x1a0..0x1e0]);
    let tcb = &report[0x180..0x188];
    assert_eq!(
        vcek.path(),
        format!(
            "/vcek/v1/Genoa/{chip}?blSPL={:02}&teeSPL={:02}&snpSPL={:02}&ucodeSPL={:02}",
            tcb[0], tcb[1], tcb[6], tcb[7]
        )
    );
    assert_eq!(needs[1].path(), "/vcek/v1/Genoa/crl");
    assert_eq!(
        vcek.check(&vector("snp/attestation-rs-live-vcek-genoa.der").unwrap()),
        Ok(())
    );
    assert_eq!(
        vcek.check(&vector("snp/sev-crate-milan-vcek.der").unwrap()),
        Err("the certificate is another chip's".to_owned())
    );
    let root = vector("snp/go-sev-guest-ask_ark_genoa.pem").unwrap();
    assert_eq!(needs[0].check(&root), Ok(()));
    assert!(needs[1].check(&root).is_err());
}

#[test]
fn a_report_that_does_not_say_enough_is_not_guessed_about() {
    let Some(report) = vector("snp/trustee-test-report.bin") else {
        return;
    };
    let evidence = |report: &[u8]| Evidence::new(Platform::Snp).with(Part::Report, report);
    let needs = |report: &[u8], product| needs(&evidence(report), product);
    assert_eq!(needs(&report, None), Err(NeedsError::ProductUnnamed));
    let named = needs(&report, Some(Product::Milan)).unwrap();
    assert_eq!(
        named[2].check(&vector("snp/trustee-test-vcek.der").unwrap()),
        Ok(())
    );
    let mut masked = report.clone();
    masked[0x1a0..0x1e0].fill(0);
    assert_eq!(
        needs(&masked, Some(Product::Milan)),
        Err(NeedsError::ChipMasked)
    );
    // A provider's key: its certificate is not AMD's to give.
    let mut lent = report;
    lent[0x48] = 1 << 2;
    assert_eq!(
        needs(&lent, Some(Product::Milan)).unwrap(),
        [
            Need::AmdChain(Product::Milan, AmdKey::Vlek),
            Need::AmdCrl(Product::Milan, AmdKey::Vlek)
        ]
    );
    let software = Evidence::new(Platform::Software);
    assert!(matches!(
        self::needs(&software, None),
        Err(NeedsError::Nothing {
            platform: Platform::Software,
            ..
        })
    ));
}

#[test]
fn a_token_names_its_issuer_and_a_files_name_cannot_leave_its_folder() {
    let Some(token) = vector("azure/maa/cvm-sharedeus2-2025-12.jwt") else {
        return;
    };
    let evidence = Evidence::new(Platform::Maa).with(Part::Token, token);
    let needs = needs(&evidence, None).unwrap();
    let [need] = needs.as_slice() else {
        panic!("{needs:?}");
    };
    assert_eq!(
        (need.path().as_str(), need.file().as_str()),
        ("/certs", "maa-keys-sharedeus2.eus2.attest.azure.net.json")
    );
    assert_eq!(
        need.check(&vector("azure/maa/sharedeus2-jwks-recovered.json").unwrap()),
        Ok(())
    );
    assert!(need.check(b"{\"keys\":[]}").is_err());
    let hostile = Need::MaaKeys {
        issuer: "https://a/../../etc/passwd".to_owned(),
    };
    assert_eq!(hostile.file(), "maa-keys-a.json");
    let hostile = Need::MaaKeys {
        issuer: "..\\..\\x:y@z".to_owned(),
    };
    assert_eq!(hostile.file(), "maa-keys-..-..-x-y-z.json");
}

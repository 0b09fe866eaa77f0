//! Captured quotes with the collateral of their time.

use std::fs;

use cmcp_json::{Limits, Value};

use super::{Section, Trial, assert_refused, assert_status, vectors};
use crate::{
    Binding, Endorsements, Evidence, Part, Sha384Digest, Status, Timestamp,
    dcap::{Body, Machine, Quote, links, parse},
    hex,
    measure::tdx::ImageParts,
    x509::Certificate,
};

/// Judges a captured quote by the default policy, with this one's machine and program as what is accepted.
/// Without collateral: by certificates and signatures alone, a day after the PCK certificate was issued.
pub(super) fn trial(bytes: &[u8], collateral: Option<(&[u8], Timestamp)>) -> Trial {
    let quote = parse(bytes).unwrap();
    let leaf = leaf(&quote);
    let machine = Machine::read(leaf.extension("1.2.840.113741.1.13.1")).unwrap();
    let ppid = format!(r#"["{}"]"#, hex::encode(&machine.ppid));
    let any = r#""any""#;
    let platform = r#"{"dynamic_platform":"allowed","cached_keys":"allowed","smt":"allowed","memory":["standard","scalable","scalable-with-integrity"]}"#;
    let section = match quote.body {
        Body::Domain(report) => Section::tdx("")
            .with("xfam", r#"{"required":"0x3","allowed":"0x65fe7"}"#)
            .with("mrseam", any)
            .with(
                "measurements",
                format!(r#"{{"it":"{}"}}"#, hex::encode(report.mrtd)),
            )
            .with("rtmr0", r#""ignored""#)
            .with("rtmr1", r#""ignored""#)
            .with("rtmr2", r#""ignored""#)
            .with("rtmr3", r#""ignored""#)
            .with("mrconfigid", any)
            .with("mrowner", any)
            .with("mrownerconfig", any),
        Body::Enclave(report) => Section::sgx("")
            .with(
                "measurements",
                format!(r#"{{"it":"{}"}}"#, hex::encode(report.mrenclave)),
            )
            .with("config_svn_at_least", "0"),
    };
    let section = section
        .with("platform", platform)
        .with("ppids", ppid)
        .with("tcb_evaluation_at_least", "17");
    let (section, at, intel) = match collateral {
        Some((document, at)) => (section, at, vec![document.to_vec()]),
        None => {
            let day = std::time::Duration::from_secs(86_400);
            let at = leaf.not_before().checked_add(day).unwrap();
            (section.chain_only(), at, Vec::new())
        }
    };
    Trial {
        evidence: Evidence::new(section.platform).with(Part::Quote, bytes),
        endorsements: Endorsements {
            intel,
            ..Endorsements::default()
        },
        binding: Binding::Unknown,
        section,
        at,
    }
}

fn leaf(quote: &Quote<'_>) -> Certificate {
    let chain = links::certificates(quote.quoting.certificates).unwrap();
    chain.into_iter().next().unwrap()
}

fn expectations(name: &str) -> Option<Value> {
    let text = fs::read(vectors()?.join(name)).unwrap();
    Some(cmcp_json::parse(&text, &Limits::DOCUMENT).unwrap())
}

fn text<'a>(row: &'a Value, member: &str) -> &'a str {
    row.get(member).unwrap().as_str().unwrap()
}

/// What a captured pair is refused for; nothing else may fail.
fn reasons(quote: &str, now: &str) -> Vec<&'static str> {
    let levels: &[&str] = &["dcap.appraisal", "dcap.tcb-status", "dcap.advisories"];
    let behind = ["dcap.tcb-status", "dcap.advisories"];
    let late = [
        "dcap.revocation",
        "dcap.tcb-info-time",
        "dcap.qe-identity-time",
    ];
    match (quote, now) {
        (_, "2026-11-20T00:00:00Z") => [&late, levels].concat(),
        ("sgx/dcap-qvl-sgx_quote", _) | ("tdx/dcap-rs-quote_tdx_00806f050000.dat", _) => {
            behind.to_vec()
        }
        ("tdx/dcap-qvl-tdx_quote_outdated", _) => levels.to_vec(),
        ("tdx/flashbots-gcp-tdx-1782809233226668671", "2026-01-28T00:00:00Z") => {
            [&["dcap.pck-chain", "dcap.revocation"], levels].concat()
        }
        ("tdx/flashbots-gcp-tdx-1782809233226668671", "2026-03-17T00:00:00Z") => {
            [&["dcap.pck-chain", "dcap.revocation", "dcap.fmspc"], levels].concat()
        }
        ("azure-vtpm/trustee-az-tdx-td-quote.bin", _) => {
            [&["tdx.sept-ve-disable"], levels].concat()
        }
        ("tdx/trustee-tdx_quote_4.dat", _) => [&["tdx.debug"], levels].concat(),
        ("tdx/trustee-tdx_quote_5.dat", _) => [&["tdx.service-tds"], levels].concat(),
        ("tdx/attestation-rs-tdx_quote_live.dat", _) => {
            [&["dcap.collateral-pck"], behind.as_slice()].concat()
        }
        ("ratls-certs/gramine.quote.bin", _) => {
            [&["sgx.debug", "dcap.fmspc", "dcap.revocation"], levels].concat()
        }
        ("tdx/dcap-qvl-tdx_quote", "2025-01-01T00:00:00Z") => {
            let early = [
                "dcap.pck-chain",
                "dcap.tcb-signer",
                "dcap.tcb-info-signature",
                "dcap.qe-identity-signature",
            ];
            [&early, late.as_slice(), levels].concat()
        }
        (other, now) => panic!("{other} at {now} has no reason to be refused"),
    }
}

/// An SGX quote with the collateral of TDX, which has the signature of Intel too.
const MIXED: [&str; 8] = [
    "dcap.fmspc",
    "dcap.qe-identity",
    "dcap.qe-identity-kind",
    "dcap.revocation",
    "dcap.tcb-info-kind",
    "dcap.appraisal",
    "dcap.tcb-status",
    "dcap.advisories",
];

#[test]
fn captured_quotes_have_the_verdict_that_is_stated() {
    let Some(rows) = expectations("expectations-dcap.json") else {
        return;
    };
    let folder = vectors().unwrap();
    for row in rows.as_array().unwrap() {
        let (name, now) = (text(row, "quote"), text(row, "now"));
        let quote = fs::read(folder.join(name)).unwrap();
        let collateral = fs::read(folder.join(text(row, "collateral"))).unwrap();
        let at: Timestamp = now.parse().unwrap();
        let result = trial(&quote, Some((&collateral, at))).judge();
        let of_tdx = text(row, "collateral").starts_with("tdx/");
        match text(row, "expect") {
            "accept" => assert_status(&result, Status::Affirming),
            "reject" if name.starts_with("sgx/") && of_tdx => assert_refused(&result, &MIXED),
            "reject" => assert_refused(&result, &reasons(name, now)),
            other => panic!("{other}"),
        }
        // What the other implementation is known to answer, it answers here.
        let told = text(row.get("dcap_qvl_0_7_1").unwrap(), "verify");
        if let Some((_, status)) = told.split_once("OK status=") {
            let status = status.split(' ').next();
            assert_eq!(result.claim("tcb-status"), status, "{name} at {now}");
        }
    }
}

#[test]
fn a_captured_status_that_policy_names_is_a_warning() {
    let Some(folder) = vectors() else {
        return;
    };
    let quote = fs::read(folder.join("sgx/dcap-qvl-sgx_quote")).unwrap();
    let collateral = fs::read(folder.join("sgx/dcap-qvl-sgx_quote_collateral.json")).unwrap();
    let at = "2025-06-20T00:00:00Z".parse().unwrap();
    let mut trial = trial(&quote, Some((&collateral, at)));
    trial.section = trial
        .section
        .with(
            "tolerated_statuses",
            r#"[{"status":"ConfigurationAndSWHardeningNeeded","until":"2025-07-01T00:00:00Z","grace_days":"unlimited"}]"#,
        )
        .with(
            "tolerated_advisories",
            r#"[{"id":"INTEL-SA-00289","until":"2025-07-01T00:00:00Z"},{"id":"INTEL-SA-00615","until":"2025-07-01T00:00:00Z"}]"#,
        );
    assert_status(&trial.judge(), Status::Warning);
}

#[test]
fn captured_chains_have_the_verdict_that_is_stated() {
    let Some(cases) = expectations("expectations-other.json") else {
        return;
    };
    let folder = vectors().unwrap();
    let cases = cases.as_array().unwrap();
    let own = cases
        .iter()
        .filter(|case| matches!(text(case, "kind"), "tdx" | "sgx"));
    let mut seen = 0;
    for case in own {
        let id = text(case, "id");
        let quote = fs::read(folder.join(text(case.get("files").unwrap(), "quote"))).unwrap();
        let result = trial(&quote, None).judge();
        match (id, text(case, "expect")) {
            // The chain holds, and the enclave is in debug mode all the same.
            ("sgx-gramine-chain" | "sgx-gramine-default", expected) => {
                assert_eq!(
                    expected,
                    if id.ends_with("chain") {
                        "accept"
                    } else {
                        "reject"
                    }
                );
                assert_refused(&result, &["sgx.debug"]);
            }
            (_, "accept") => assert_status(&result, Status::Warning),
            (_, other) => panic!("{other}"),
        }
        if let Some(values) = case.get("values") {
            compare(values, &quote, &result);
        }
        seen += 1;
    }
    assert_eq!(seen, 5);
}

/// The values that are stated are those that were found.
fn compare(values: &Value, bytes: &[u8], result: &crate::AttestationResult) {
    let quote = parse(bytes).unwrap();
    for (name, value) in values.as_object().unwrap().iter() {
        let claim = match name {
            "pck_issuer" => {
                assert_eq!(leaf(&quote).issuer_common_name().as_deref(), value.as_str());
                continue;
            }
            "trailing_bytes" => {
                assert_eq!(u64::try_from(quote.rest.len()).ok(), value.as_u64());
                continue;
            }
            "version" => {
                let version = value.as_u64().unwrap().to_string();
                assert_eq!(result.claim("quote-version"), Some(version.as_str()));
                continue;
            }
            "td_attributes_le" => "td-attributes",
            "fmspc" | "mrtd" => name,
            other => panic!("{other}"),
        };
        assert_eq!(result.claim(claim), value.as_str(), "{name}");
    }
}

#[test]
fn registers_recomputed_from_an_image_are_those_of_the_quote() {
    let Some(folder) = vectors() else {
        return;
    };
    let inputs =
        fs::read(folder.join("measurement/flashbots-gcp-tdx-portable-inputs.json")).unwrap();
    let inputs = cmcp_json::parse(&inputs, &Limits::DOCUMENT).unwrap();
    let image = inputs.get("image").unwrap();
    let part = |name: &str| Sha384Digest::from_hex(text(image, name)).unwrap();
    let parts = ImageParts {
        gpt: part("gpt_disk_guid_hash"),
        uki: part("uki_authenticode"),
        kernel: part("kernel_authenticode"),
        command_line: part("cmdline_hash"),
        initrd: part("initrd_hash"),
    };
    let quote = fs::read(folder.join(text(&inputs, "quote"))).unwrap();
    let collateral =
        folder.join("tdx/collateral-json/flashbots-gcp-tdx-collateral-1782809233226668671.json");
    let collateral = fs::read(collateral).unwrap();
    let judge = |parts: &ImageParts| {
        let at = "2026-07-01T00:00:00Z".parse().unwrap();
        let mut trial = trial(&quote, Some((&collateral, at)));
        let [first, second] = [parts.rtmr1(), parts.rtmr2()]
            .map(|value| format!(r#"["{}"]"#, hex::encode(value.as_bytes())));
        trial.section = trial.section.with("rtmr1", first).with("rtmr2", second);
        trial.judge()
    };
    assert_status(&judge(&parts), Status::Affirming);
    let swapped = ImageParts {
        command_line: parts.initrd,
        initrd: parts.command_line,
        ..parts
    };
    assert_refused(&judge(&swapped), &["tdx.rtmr2"]);
    let swapped = ImageParts {
        uki: parts.kernel,
        kernel: parts.uki,
        ..parts
    };
    assert_refused(&judge(&swapped), &["tdx.rtmr1"]);
}

#[test]
fn the_root_is_the_one_that_quotes_end_with() {
    let Some(folder) = vectors() else {
        return;
    };
    let quote = fs::read(folder.join("tdx/dcap-qvl-tdx_quote")).unwrap();
    let chain = links::certificates(parse(&quote).unwrap().quoting.certificates).unwrap();
    let root = chain.last().unwrap().sha256().to_string();
    assert!(
        root.ends_with("44a0196b2b99f889b8e149e95b807a350e7424964399e885a7cbb8ccfab674d3"),
        "{root}"
    );
    let roots = super::super::judge::roots(&crate::policy::fields::Roots::Vendor);
    assert_eq!(roots, [chain.last().unwrap().clone()]);
}

//! Captured devices and manifests, judged as the table beside them says.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cmcp_json::{Limits, Value};

use super::super::{rim::RimError, *};
use crate::{
    AttestationResult, Endorsements, Evidence, Platform, ReferenceValues, Status, appraise, hex,
    nitro::{
        forge::{all, failed, few, found, no_flip_is_accepted},
        tests::vectors::{member, rows, shared, text_of},
    },
    policy::{Freshness, Pin, fields::Roots},
    x509::{self, Certificate},
};

/// The table's rows do not depend on time: the certificates of devices hold until the year 9999.
const AT: &str = "2026-11-20T00:00:00Z";

fn digits(name: &str) -> Vec<u8> {
    let text = String::from_utf8(shared(name).unwrap()).unwrap();
    let digits: String = text.chars().filter(char::is_ascii_hexdigit).collect();
    hex::decode(&digits.to_ascii_lowercase()).unwrap()
}

/// Nothing but what the rows speak of: there are no manifests for what runs on these devices.
fn policy(root: Vec<u8>, count: usize) -> GpuPolicy {
    GpuPolicy {
        roots: Roots::These(vec![root]),
        rim_roots: Roots::Vendor,
        architectures: vec![Architecture::Hopper],
        device_count: count,
        identity: Identity::DangerAnyMachine,
        devices: Pin::Any,
        drivers: Pin::Any,
        vbios: Pin::Any,
        modes: Pin::Any,
        measurements: Comparison::DangerNotCompared,
        rim_signature: RimSignature::Required,
        rims: Pin::Any,
        revocation: Revocation::NotChecked,
    }
}

fn judge(devices: &[Device], policy: &GpuPolicy, binding: &Binding) -> AttestationResult {
    let mut values = ReferenceValues::refusing_all(Freshness::Unproven);
    values.gpu = Some(policy.clone());
    let mut evidence = Evidence::new(Platform::Gpu);
    for (report, pem) in devices {
        evidence = evidence
            .with(Part::Report, report.clone())
            .with(Part::Certificates, pem.clone());
    }
    appraise(&Input {
        evidence: &evidence,
        endorsements: &Endorsements::default(),
        binding,
        policy: &values,
        at: Timestamp::parse_rfc3339(AT).unwrap(),
    })
}

/// A report and its certificates.
type Device = (Vec<u8>, Vec<u8>);

/// The devices of a row, and the nonce that it names beside them.
fn devices(row: &Value) -> (Vec<Device>, Option<Vec<u8>>) {
    if member(row, &["files", "report"]).is_some() {
        let report = digits(text_of(row, &["files", "report"]));
        let pem = shared(text_of(row, &["files", "chain"])).unwrap();
        return (vec![(report, pem)], None);
    }
    let list = shared(text_of(row, &["files", "evidence"])).unwrap();
    let list = cmcp_json::parse(&list, &Limits::DOCUMENT).unwrap();
    let list = list.as_array().unwrap();
    let decode = |entry: &Value, name: &str| STANDARD.decode(text_of(entry, &[name])).unwrap();
    let devices = list
        .iter()
        .map(|entry| (decode(entry, "evidence"), decode(entry, "certificate")))
        .collect();
    let nonce = hex::decode(text_of(&list[0], &["nonce"])).unwrap();
    for entry in list {
        assert_eq!(hex::decode(text_of(entry, &["nonce"])).unwrap(), nonce);
    }
    (devices, Some(nonce))
}

#[test]
fn every_captured_device_has_its_stated_verdict() {
    let Some(rows) = rows("nvidia") else {
        return;
    };
    assert_eq!(rows.len(), 5);
    for row in &rows {
        let id = text_of(row, &["id"]);
        let (devices, nonce) = devices(row);
        let root = shared(text_of(row, &["files", "root"])).unwrap();
        let policy = policy(x509::one_from_pem(&root).unwrap(), devices.len());
        let binding = nonce.map_or(Binding::Unknown, Binding::Challenge);
        let result = judge(&devices, &policy, &binding);
        match text_of(row, &["expect"]) {
            "accept" => assert_eq!(
                result.status,
                Status::Warning,
                "{id}: {:?}",
                failed(&result)
            ),
            "reject" => {
                assert_eq!(result.status, Status::Contraindicated, "{id}");
                let codes = failed(&result);
                assert!(codes.contains(&"gpu.chain"), "{id}: {codes:?}");
                let leaf = !text_of(row, &["reason"]).contains("signature fails");
                assert_eq!(!codes.contains(&"gpu.signature"), leaf, "{id}");
            }
            other => panic!("{id}: {other}"),
        }
        let Some(blocks) = member(row, &["values", "blocks"]) else {
            continue;
        };
        let length = member(row, &["values", "opaque_length"])
            .unwrap()
            .as_u64()
            .unwrap();
        for (report, _) in &devices {
            let report = parse(report).unwrap();
            let opaque: usize = report
                .opaque
                .iter()
                .map(|field| field.value.len() + 4)
                .sum();
            assert_eq!(
                report.measurements.len() as u64,
                blocks.as_u64().unwrap(),
                "{id}"
            );
            assert_eq!(opaque as u64, length, "{id}");
        }
        if let Some(entries) = member(row, &["values", "entries"]) {
            assert_eq!(devices.len() as u64, entries.as_u64().unwrap(), "{id}");
            assert_eq!(result.claim("mode"), Some("flag-2"));
            let other = Binding::Challenge(vec![0; 32]);
            assert_eq!(failed(&judge(&devices, &policy, &other)), ["gpu.binding"]);
        }
    }
}

fn hopper() -> Option<Device> {
    let pem = shared("nvidia/nvtrust-hopperCertChain.txt")?;
    Some((digits("nvidia/nvtrust-hopperAttestationReport.txt"), pem))
}

#[test]
fn a_captured_device_says_what_other_readers_read() {
    let Some((report, pem)) = hopper() else {
        return;
    };
    let claims = shared("nvidia/trustee-hopperAttestationReport-claims.txt").unwrap();
    let claims = cmcp_json::parse(&claims, &Limits::DOCUMENT).unwrap();
    let parsed = parse(&report).unwrap();
    let config = |name: &str| text_of(&claims, &["config", name]).to_owned();
    assert_eq!(parsed.driver_version().unwrap(), config("driver_version"));
    let vbios = parsed.vbios_version().unwrap();
    assert_eq!(vbios.to_ascii_lowercase(), config("vbios_version"));
    assert_eq!(hex::encode(parsed.field(20).unwrap()), config("fwid"));
    for measurement in &parsed.measurements {
        let number = measurement.index.to_string();
        let expected = text_of(&claims, &["measurements", &number]);
        assert_eq!(hex::encode(measurement.value), expected, "{number}");
    }
    let root = x509::one_from_pem(DEVICE_ROOT).unwrap();
    let result = judge(&[(report, pem)], &policy(root, 1), &Binding::Unknown);
    assert_eq!(result.claim("chip"), Some("GH100"));
    assert_eq!(
        result.claim("device"),
        Some("NVIDIA:GH100:48B02D92494BADF4")
    );
    assert_eq!(result.claim("driver"), Some("550.90.07"));
    assert_eq!(result.claim("mode"), Some("unstated"));
}

fn flips(bits: fn(usize) -> Vec<u32>) {
    let Some((report, pem)) = hopper() else {
        return;
    };
    let policy = policy(x509::one_from_pem(DEVICE_ROOT).unwrap(), 1);
    no_flip_is_accepted(&report, bits, |report| {
        let result = judge(&[(report, pem.clone())], &policy, &Binding::Unknown);
        result.status != Status::Contraindicated
    });
}

#[test]
fn b01_bits_flipped_in_the_captured_report_are_refused() {
    flips(few);
}

#[test]
#[ignore = "minutes; some of them are flipped always"]
fn b01_any_bit_flipped_in_the_captured_report_is_refused() {
    flips(all);
}

#[test]
fn a_captured_device_is_refused_by_a_policy_that_asks_for_more() {
    let Some(device) = hopper() else {
        return;
    };
    let root = x509::one_from_pem(DEVICE_ROOT).unwrap();
    let mut strict = policy(root, 1);
    strict.measurements = Comparison::Rim;
    strict.revocation = Revocation::Required;
    strict.drivers = Pin::OneOf(vec!["595.71.05".to_owned()]);
    let result = judge(&[device], &strict, &Binding::Unknown);
    for code in [
        "gpu.rim",
        "gpu.revocation",
        "gpu.driver",
        "gpu.measurements",
        "gpu.debug",
    ] {
        assert!(failed(&result).contains(&code), "{code}");
    }
    assert!(
        found(&result, "gpu.revocation").contains("has no revocation list")
            || !found(&result, "gpu.revocation").is_empty()
    );
}

fn manifests() -> Option<Vec<Vec<u8>>> {
    let names = [
        "nvidia/nvtrust-1010_0200_882_96005E0001_PROD.swidtag",
        "nvidia/nvtrust-1010_0200_882_96005E0001_test_no_gpu.swidtag",
        "nvidia/nvtrust-Driver_RIM_test_no_gpu.swidtag",
    ];
    let mut manifests: Vec<Vec<u8>> = names
        .iter()
        .map(|name| shared(name))
        .collect::<Option<_>>()?;
    let text = String::from_utf8(shared("nvidia/trustee-test-rim.b64")?).unwrap();
    let text: String = text.split_whitespace().collect();
    manifests.push(STANDARD.decode(text).unwrap());
    Some(manifests)
}

#[test]
fn captured_manifests_are_signed_by_the_pinned_root_and_break_when_touched() {
    let Some(manifests) = manifests() else {
        return;
    };
    let root = Certificate::from_der(&x509::one_from_pem(RIM_ROOT).unwrap()).unwrap();
    let at = Timestamp::parse_rfc3339("2025-01-01T00:00:00Z").unwrap();
    for (number, bytes) in manifests.iter().enumerate() {
        let rim = Rim::parse(bytes).unwrap();
        let certificates: Vec<Certificate> = rim
            .certificates
            .iter()
            .map(|der| Certificate::from_der(der).unwrap())
            .collect();
        let path = x509::verify_chain(
            &certificates[0],
            &certificates[1..],
            std::slice::from_ref(&root),
            &x509::ChainRules::at(at),
        );
        assert_eq!(path.unwrap().len(), 4, "{number}");
        assert_eq!(
            rim.verify(certificates[0].key().unwrap()),
            Ok(()),
            "{number}"
        );
        assert!(
            rim.verify(certificates[1].key().unwrap()).is_err(),
            "{number}"
        );
        assert_eq!(rim.product, "GH100");
        // One digit of one golden value.
        let text = String::from_utf8(bytes.clone()).unwrap();
        let place = text.find("ns2:Hash0=\"").unwrap() + 11;
        let mut touched = bytes.clone();
        touched[place] = if touched[place] == b'a' { b'b' } else { b'a' };
        let touched = Rim::parse(&touched).unwrap();
        assert_eq!(
            touched.verify(certificates[0].key().unwrap()),
            Err(RimError::Digest)
        );
    }
}

#[test]
fn captured_manifests_say_what_they_are_for() {
    let Some(manifests) = manifests() else {
        return;
    };
    let versions: Vec<String> = manifests
        .iter()
        .map(|bytes| Rim::parse(bytes).unwrap().version)
        .collect();
    assert_eq!(
        versions,
        [
            "96.00.5E.00.01",
            "96.00.5E.00.01",
            "545.00",
            "96.00.74.00.1C"
        ]
    );
    let driver = Rim::parse(&manifests[2]).unwrap();
    let vbios = Rim::parse(&manifests[0]).unwrap();
    let active = |rim: &Rim| {
        rim.active
            .iter()
            .map(|golden| golden.index)
            .collect::<Vec<_>>()
    };
    assert_eq!(active(&vbios), [0, 1, 2, 3, 4, 5, 6, 8, 9, 10, 11, 12]);
    let expected: Vec<u8> = [7].into_iter().chain(21..=40).collect();
    assert_eq!(active(&driver), expected);
    assert_eq!(vbios.active[11].values.len(), 4);
}

#[test]
fn captured_reports_and_manifests_are_shown() {
    let Some((report, _)) = hopper() else {
        return;
    };
    let fields = show(&report).unwrap();
    let value = |name: &str| {
        let found = fields.iter().find(|field| field.name == name);
        found.map(|field| field.value.clone()).unwrap_or_default()
    };
    assert_eq!(value("opaque.3.driver-version"), "550.90.07");
    assert_eq!(value("opaque.6.vbios-version"), "96.00.9F.00.01");
    assert_eq!(value("opaque.17.project"), "1010");
    assert!(value("measurement.2").starts_with("8048dfd1"));
    for field in &fields {
        let bytes = hex::decode(&field.value).unwrap_or_default();
        if let Some(at) = field.at.filter(|_| bytes.len() > 8) {
            assert_eq!(report[at..at + bytes.len()], bytes, "{}", field.name);
        }
    }
    for manifest in manifests().unwrap() {
        assert!(show_rim(&manifest).unwrap().len() > 10);
    }
}

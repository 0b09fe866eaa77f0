use cmcp_json::Limits;

use super::super::*;
use crate::policy::{Fields, Pin, PolicyFault};

const SECTION: &str = r#"{
  "roots": "vendor",
  "rim_roots": "vendor",
  "architectures": ["hopper", "blackwell"],
  "device_count": 8,
  "identity": "pinned",
  "devices": ["000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"],
  "drivers": ["550.90.07"],
  "vbios": "any",
  "modes": ["unstated", "flag-0", "flag-1", "flag-2"],
  "measurements": "rim",
  "rim_signature": "required",
  "rims": "any",
  "revocation": "required"
}"#;

fn read(text: &str) -> Result<GpuPolicy, Vec<PolicyFault>> {
    let value = cmcp_json::parse(text.as_bytes(), &Limits::DOCUMENT).unwrap();
    let mut faults = Vec::new();
    let mut fields = Fields::open(&value, "gpu", &mut faults).unwrap();
    let policy = GpuPolicy::read(&mut fields);
    fields.close();
    match policy {
        Some(policy) if faults.is_empty() => Ok(policy),
        Some(_) | None => Err(faults),
    }
}

fn places(from: &str, to: &str) -> Vec<String> {
    assert!(SECTION.contains(from), "{from}");
    let faults = read(&SECTION.replacen(from, to, 1)).unwrap_err();
    assert!(!faults.is_empty());
    faults.into_iter().map(|fault| fault.path).collect()
}

#[test]
fn a_section_is_read_as_it_is_written() {
    let policy = read(SECTION).unwrap();
    assert_eq!(
        policy.architectures,
        [Architecture::Hopper, Architecture::Blackwell]
    );
    assert_eq!(policy.device_count, 8);
    assert_eq!(policy.identity, Identity::Pinned);
    assert_eq!(policy.drivers, Pin::OneOf(vec!["550.90.07".to_owned()]));
    assert_eq!(policy.vbios, Pin::Any);
    assert_eq!(
        policy.modes,
        Pin::OneOf(vec![Mode::Unstated, Mode::Flag0, Mode::Flag1, Mode::Flag2])
    );
    assert_eq!(policy.measurements, Comparison::Rim);
    assert_eq!(policy.rim_signature, RimSignature::Required);
    assert_eq!(policy.revocation, Revocation::Required);
    let other = SECTION
        .replace(
            "\"measurements\": \"rim\"",
            "\"measurements\": \"danger-not-compared\"",
        )
        .replace(
            "\"revocation\": \"required\"",
            "\"revocation\": \"not-checked\"",
        );
    let policy = read(&other).unwrap();
    assert_eq!(policy.measurements, Comparison::DangerNotCompared);
    assert_eq!(policy.revocation, Revocation::NotChecked);
}

#[test]
fn c02_every_field_has_to_be_decided_and_no_other_is_known() {
    let value = cmcp_json::parse(SECTION.as_bytes(), &Limits::DOCUMENT).unwrap();
    for name in value.as_object().unwrap().keys() {
        let renamed = SECTION.replacen(&format!("\"{name}\":"), &format!("\"{name}_\":"), 1);
        let faults = read(&renamed).unwrap_err();
        let places: Vec<&str> = faults.iter().map(|fault| fault.path.as_str()).collect();
        assert_eq!(places.len(), 2, "{places:?}");
        assert!(
            places.contains(&format!("gpu.{name}").as_str()),
            "{places:?}"
        );
        assert!(
            places.contains(&format!("gpu.{name}_").as_str()),
            "{places:?}"
        );
    }
}

#[test]
fn c01_an_empty_list_is_an_error() {
    for (from, place) in [
        (r#"["hopper", "blackwell"]"#, "gpu.architectures"),
        (r#"["550.90.07"]"#, "gpu.drivers"),
        (r#"["unstated", "flag-0", "flag-1", "flag-2"]"#, "gpu.modes"),
    ] {
        assert_eq!(places(from, "[]"), [place]);
    }
    assert_eq!(places(r#""rims": "any""#, r#""rims": []"#), ["gpu.rims"]);
    assert_eq!(
        places(r#""rim_roots": "vendor""#, r#""rim_roots": []"#),
        ["gpu.rim_roots"]
    );
}

#[test]
fn words_that_are_not_known_are_errors() {
    for (from, to, place) in [
        ("\"blackwell\"", "\"ampere\"", "gpu.architectures"),
        (
            "[\"hopper\", \"blackwell\"]",
            "\"hopper\"",
            "gpu.architectures",
        ),
        ("\"flag-2\"", "\"unknown\"", "gpu.modes"),
        ("\"flag-2\"", "2", "gpu.modes"),
        (
            "\"device_count\": 8",
            "\"device_count\": 17",
            "gpu.device_count",
        ),
        (
            "\"device_count\": 8",
            "\"device_count\": 0",
            "gpu.device_count",
        ),
        (
            "\"measurements\": \"rim\"",
            "\"measurements\": \"none\"",
            "gpu.measurements",
        ),
        (
            "\"rim_signature\": \"required\"",
            "\"rim_signature\": \"no\"",
            "gpu.rim_signature",
        ),
        (
            "\"revocation\": \"required\"",
            "\"revocation\": \"crl\"",
            "gpu.revocation",
        ),
        ("000102", "0001", "gpu.devices"),
    ] {
        assert_eq!(places(from, to), [place], "{to}");
    }
}

#[test]
fn c05_contradictions_are_errors() {
    let devices = r#"["000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"]"#;
    assert_eq!(places(devices, "\"any\""), ["gpu.identity"]);
    let anybody = SECTION
        .replace(devices, "\"any\"")
        .replace("\"pinned\"", "\"danger-any-machine\"");
    assert_eq!(read(&anybody).unwrap().identity, Identity::DangerAnyMachine);
    let required = "\"rim_signature\": \"required\"";
    let unchecked = "\"rim_signature\": \"not-checked\"";
    assert_eq!(places(required, unchecked), ["gpu.rims"]);
    let listed = SECTION
        .replace(required, unchecked)
        .replace("\"rims\": \"any\"", &format!("\"rims\": {devices}"));
    assert_eq!(
        read(&listed).unwrap().rim_signature,
        RimSignature::NotChecked
    );
    let uncompared = SECTION.replace(required, unchecked).replace(
        "\"measurements\": \"rim\"",
        "\"measurements\": \"danger-not-compared\"",
    );
    assert!(read(&uncompared).is_ok());
}

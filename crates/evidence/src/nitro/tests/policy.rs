use cmcp_json::Limits;

use super::super::*;
use crate::policy::{Fields, Measurements, Pin, PolicyFault};

const ENCLAVE: &str = r#"{
    "measurements": {"one": "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f"},
    "pcr1": "any",
    "pcr2": "any",
    "pcr3": "any",
    "pcr4": "any",
    "pcr8": "any",
    "other_pcrs": "unused"
  }"#;

const INSTANCE: &str = r#"{
    "pcr4": ["PCR"],
    "pcr7": "any",
    "pcr12": ["PCR"],
    "other_pcrs": "unused"
  }"#;

const SECTION: &str = r#"{
  "roots": "vendor",
  "revocation": "crl-required",
  "max_age_seconds": 300,
  "max_skew_seconds": 60,
  "identity": "pinned",
  "instances": ["i-0123456789abcdef0"],
  "nonce": "binding",
  "user_data": "absent",
  "public_key": "any",
  "enclave": ENCLAVE,
  "instance": INSTANCE
}"#;

fn section() -> String {
    SECTION
        .replace("ENCLAVE", ENCLAVE)
        .replace("INSTANCE", INSTANCE)
        .replace("PCR\"", &format!("{}\"", "7".repeat(96)))
}

fn read(text: &str) -> Result<NitroPolicy, Vec<PolicyFault>> {
    let value = cmcp_json::parse(text.as_bytes(), &Limits::DOCUMENT).unwrap();
    let mut faults = Vec::new();
    let mut fields = Fields::open(&value, "nitro", &mut faults).unwrap();
    let policy = NitroPolicy::read(&mut fields);
    fields.close();
    match policy {
        Some(policy) if faults.is_empty() => Ok(policy),
        Some(_) | None => Err(faults),
    }
}

fn places(from: &str, to: &str) -> Vec<String> {
    let text = section();
    assert!(text.contains(from), "{from}");
    let faults = read(&text.replace(from, to)).unwrap_err();
    assert!(!faults.is_empty());
    faults.into_iter().map(|fault| fault.path).collect()
}

#[test]
fn a_section_is_read_as_it_is_written() {
    let policy = read(&section()).unwrap();
    assert_eq!(policy.max_age.as_secs(), 300);
    assert_eq!(policy.revocation, Revocation::CrlRequired);
    assert_eq!(policy.nonce, FieldRule::Binding);
    assert_eq!(policy.user_data, FieldRule::Absent);
    assert_eq!(policy.public_key, FieldRule::Any);
    let enclave = policy.enclave.unwrap();
    let Measurements::Named(named) = enclave.measurements else {
        panic!("no measurement");
    };
    assert_eq!(named[0].1[47], 0x2f);
    assert_eq!(enclave.other_pcrs, Registers::UnusedBut(Vec::new()));
    assert_eq!(
        policy.instance.unwrap().pcr4,
        Pin::OneOf(vec![vec![0x77; 48]])
    );
}

#[test]
fn c02_every_field_has_to_be_decided_and_no_other_is_known() {
    let text = section();
    for name in [
        "roots",
        "revocation",
        "max_age_seconds",
        "max_skew_seconds",
        "identity",
        "instances",
        "nonce",
        "user_data",
        "public_key",
        "enclave",
        "instance",
        "measurements",
        "pcr1",
        "pcr2",
        "pcr3",
        "pcr8",
    ] {
        let renamed = text.replacen(&format!("\"{name}\""), &format!("\"{name}_\""), 1);
        let faults = read(&renamed).unwrap_err();
        let ends = |end: &str| faults.iter().any(|fault| fault.path.ends_with(end));
        assert!(
            ends(&format!("{name}_")) && ends(name),
            "{name}: {faults:?}"
        );
    }
    for (index, name) in ["pcr4", "other_pcrs", "pcr7", "pcr12"].iter().enumerate() {
        let (before, behind) = text.rsplit_once(&format!("\"{name}\"")).unwrap();
        let renamed = format!("{before}\"_{name}\"{behind}");
        let faults = read(&renamed).unwrap_err();
        assert!(faults.len() >= 2, "{index}");
    }
}

#[test]
fn c01_an_empty_list_is_an_error() {
    assert_eq!(
        places(r#"["i-0123456789abcdef0"]"#, "[]"),
        ["nitro.instances"]
    );
    assert_eq!(
        places(r#""public_key": "any""#, r#""public_key": []"#),
        ["nitro.public_key"]
    );
    assert_eq!(
        places(r#""roots": "vendor""#, r#""roots": []"#),
        ["nitro.roots"]
    );
    assert_eq!(
        places(r#""pcr1": "any""#, r#""pcr1": []"#),
        ["nitro.enclave.pcr1"]
    );
    assert_eq!(
        places(r#""other_pcrs": "unused""#, r#""other_pcrs": {}"#),
        ["nitro.enclave.other_pcrs", "nitro.instance.other_pcrs"]
    );
}

#[test]
fn values_out_of_range_are_errors() {
    for (from, to, place) in [
        (
            "\"max_age_seconds\": 300",
            "\"max_age_seconds\": 10801",
            "nitro.max_age_seconds",
        ),
        (
            "\"max_skew_seconds\": 60",
            "\"max_skew_seconds\": 301",
            "nitro.max_skew_seconds",
        ),
        ("i-0123456789abcdef0", "i-", "nitro.instances"),
        (
            "i-0123456789abcdef0",
            "0123456789abcdef0",
            "nitro.instances",
        ),
        ("i-0123456789abcdef0", "i-01-enc02", "nitro.instances"),
        (
            "\"public_key\": \"any\"",
            "\"public_key\": \"binding\"",
            "nitro.public_key",
        ),
        (
            "\"public_key\": \"any\"",
            "\"public_key\": [\"0g\"]",
            "nitro.public_key",
        ),
        (
            "\"public_key\": \"any\"",
            "\"public_key\": [7]",
            "nitro.public_key",
        ),
        (
            "\"public_key\": \"any\"",
            "\"public_key\": true",
            "nitro.public_key",
        ),
        (
            "\"user_data\": \"absent\"",
            "\"user_data\": \"none\"",
            "nitro.user_data",
        ),
        ("\"crl-required\"", "\"required\"", "nitro.revocation"),
    ] {
        assert_eq!(places(from, to), [place], "{to}");
    }
}

#[test]
fn values_and_registers_have_their_lengths_and_numbers() {
    let long = format!("\"public_key\": [\"{}\"]", "00".repeat(1025));
    assert_eq!(
        places("\"public_key\": \"any\"", &long),
        ["nitro.public_key"]
    );
    let value = "5".repeat(96);
    for (name, fits) in [
        ("16", true),
        ("31", true),
        ("32", false),
        ("016", false),
        ("8", false),
        ("x", false),
    ] {
        let text = section().replacen(
            "\"other_pcrs\": \"unused\"",
            &format!("\"other_pcrs\": {{\"{name}\": \"{value}\"}}"),
            1,
        );
        assert_eq!(read(&text).is_ok(), fits, "{name}");
    }
}

#[test]
fn c05_contradictions_are_errors() {
    assert_eq!(
        places("\"user_data\": \"absent\"", "\"user_data\": \"binding\""),
        ["nitro.user_data"]
    );
    assert_eq!(
        places("\"nonce\": \"binding\"", "\"nonce\": \"any\""),
        ["nitro.user_data"]
    );
    // Neither kind can be told whose it is; the role alone says it of an enclave.
    let faults = places(r#"["i-0123456789abcdef0"]"#, "\"any\"");
    assert_eq!(faults, ["nitro.identity", "nitro.identity"]);
    let role = section()
        .replace(r#"["i-0123456789abcdef0"]"#, "\"any\"")
        .replace(
            "\"pcr3\": \"any\"",
            &format!("\"pcr3\": [\"{}\"]", "3".repeat(96)),
        );
    let faults = read(&role).unwrap_err();
    assert_eq!(faults.len(), 1);
    assert!(faults[0].what.contains("instance"));
    let anybody = section()
        .replace(r#"["i-0123456789abcdef0"]"#, "\"any\"")
        .replace("\"pinned\"", "\"danger-any-machine\"");
    assert_eq!(read(&anybody).unwrap().identity, Identity::DangerAnyMachine);
    let text = section().replace(ENCLAVE, "\"refused\"");
    assert!(read(&text).unwrap().enclave.is_none());
    let instance = INSTANCE.replace("PCR\"", &format!("{}\"", "7".repeat(96)));
    let text = text.replace(&instance, "\"refused\"");
    let faults = read(&text).unwrap_err();
    assert_eq!(faults[0].path, "nitro.enclave");
}

#[test]
fn c05_an_instance_has_to_be_told_apart_by_what_it_started() {
    let pin = format!("[\"{}\"]", "7".repeat(96));
    let with = |pcr4: &str, pcr7: &str, pcr12: &str| {
        let instance = format!(
            "{{\"pcr4\": {pcr4}, \"pcr7\": {pcr7}, \"pcr12\": {pcr12}, \"other_pcrs\": \"any\"}}"
        );
        let own = INSTANCE.replace("PCR\"", &format!("{}\"", "7".repeat(96)));
        let read = read(&section().replace(&own, &instance));
        read.map(|_| ()).map_err(|faults| {
            faults
                .into_iter()
                .map(|fault| fault.path)
                .collect::<Vec<_>>()
        })
    };
    let any = "\"any\"";
    assert_eq!(with(&pin, any, &pin), Ok(()));
    assert_eq!(with(any, &pin, any), Ok(()));
    assert_eq!(
        with(&pin, any, any),
        Err(vec!["nitro.instance.pcr12".to_owned()])
    );
    assert_eq!(
        with(any, any, any),
        Err(vec![
            "nitro.instance.pcr4".to_owned(),
            "nitro.instance.pcr12".to_owned()
        ])
    );
}

use super::*;

fn fault(changes: &[(&str, Option<&str>)]) -> Vec<String> {
    read(&changed(&policy(), changes), NrasPolicy::read).unwrap_err()
}

#[test]
fn c01_every_field_is_decided() {
    let names: Vec<String> = object(&policy()).keys().map(str::to_owned).collect();
    assert_eq!(names.len(), 10);
    for name in names {
        let faults = fault(&[(&name, None)]);
        assert!(
            faults
                .iter()
                .any(|fault| fault.starts_with(&format!("`{name}`: is not decided"))),
            "{name}: {faults:?}"
        );
    }
}

#[test]
fn c01_c02_empty_and_unknown_fields_are_errors() {
    for name in [
        "issuers",
        "models",
        "driver_versions",
        "vbios_versions",
        "device_ids",
    ] {
        assert!(!fault(&[(name, Some("[]"))]).is_empty(), "{name}");
    }
    for changes in [
        ("signers/keys", Some("[]")),
        ("signers/roots", Some("[]")),
        ("signers/other", Some("1")),
        ("debug", Some("true")),
        ("devices", Some("0")),
        ("devices", Some("65")),
        ("issuers", Some("[\"nras\"]")),
    ] {
        assert!(!fault(&[changes]).is_empty(), "{changes:?}");
    }
}

#[test]
fn c05_contradictions_are_errors() {
    let pem = cmcp_json::Value::from(forge::pem("CERTIFICATE", &[1])).to_string();
    let roots = format!("[{pem}]");
    for changes in [
        ("signers/keys", Some("\"none\"")),
        ("signers/roots", Some(roots.as_str())),
        ("identity", Some("\"danger-any-machine\"")),
        ("device_ids", Some("\"any\"")),
    ] {
        assert_eq!(fault(&[changes]).len(), 1, "{changes:?}");
    }
}

#[test]
fn no_root_of_the_service_is_compiled_in() {
    let vendor = r#"{"keys":"none","roots":"vendor"}"#;
    let faults = fault(&[("signers", Some(vendor))]);
    assert!(faults[0].contains("no root of the service is compiled in"));
}

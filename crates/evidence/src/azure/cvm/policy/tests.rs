use super::*;
use crate::{
    azure::tests::{
        captured,
        vectors::json,
        vm::{self, ak},
    },
    hex,
};

fn faults(text: &str) -> Vec<String> {
    let value = json(text.as_bytes());
    let mut faults = Vec::new();
    let policy = Fields::open(&value, "azure-snp", &mut faults).and_then(|mut fields| {
        let policy = AzureSnpPolicy::read(&mut fields);
        fields.close();
        policy
    });
    assert!(policy.is_some() || !faults.is_empty());
    faults.iter().map(ToString::to_string).collect()
}

#[test]
fn c01_c02_every_field_of_the_section_is_decided_and_none_is_unknown() {
    let good = captured::azure_snp_section();
    assert_eq!(faults(&good), [""; 0]);
    let value = json(good.as_bytes());
    let names: Vec<&str> = value.as_object().expect("an object").keys().collect();
    assert_eq!(names.len(), 9);
    for name in names {
        let mut without = value.as_object().expect("an object").clone();
        without.remove(name);
        let without = cmcp_json::Value::Object(without).to_vec();
        let found = faults(std::str::from_utf8(&without).expect("text"));
        let expected = format!(
            "`azure-snp.{name}`: is not decided; a field that is left out is never taken for granted"
        );
        assert_eq!(found, [expected]);
    }
    let more = good.replacen('{', "{\"secureboot\":\"required\",", 1);
    assert!(faults(&more)[0].starts_with("`azure-snp.secureboot`: is not known here"));
    for (name, value) in [
        ("attestation_keys", "[]"),
        ("user_data", "[\"00\"]"),
        ("console", "true"),
        ("secure_boot", "\"on\""),
    ] {
        let mut other = json(good.as_bytes());
        let value = json(value.as_bytes());
        other
            .as_object_mut()
            .expect("an object")
            .insert(name, value);
        let found = faults(std::str::from_utf8(&other.to_vec()).expect("text"));
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(
            found[0].starts_with(&format!("`azure-snp.{name}`")),
            "{found:?}"
        );
    }
}

#[test]
fn c05_what_the_section_says_of_identity_must_agree() {
    let good = captured::azure_snp_section();
    let danger = good.replace(
        "\"identity\":\"pinned\"",
        "\"identity\":\"danger-any-machine\"",
    );
    assert_ne!(good, danger);
    assert_eq!(
        faults(&danger),
        [
            "`azure-snp.identity`: is `danger-any-machine`, and a chip or a key of the vTPM is pinned: write `pinned`"
        ]
    );
    let key = hex::encode(&vm::digest(&ak()));
    let open = good.replace(&format!("[\"{key}\"]"), "\"any\"");
    assert_ne!(good, open);
    assert_eq!(
        faults(&open),
        [
            "`azure-snp.identity`: is `pinned`, and neither a chip nor a key of the vTPM is: pin `endorsement_keys`, `attestation_keys` or the chip"
        ]
    );
    let open = open.replace(
        "\"identity\":\"pinned\"",
        "\"identity\":\"danger-any-machine\"",
    );
    assert_eq!(faults(&open), [""; 0]);
    let chip = format!("\"chip_ids\":[\"{}\"]", "07".repeat(64));
    let by_chip = good
        .replace(&format!("[\"{key}\"]"), "\"any\"")
        .replace("\"chip_ids\":\"any\"", &chip);
    assert_eq!(faults(&by_chip), [""; 0]);
}

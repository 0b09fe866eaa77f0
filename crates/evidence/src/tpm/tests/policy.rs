//! Policies that decide too little or contradict themselves are refused when they are read.

use super::machine::{Machine, reference_values};
use crate::hex;

/// The faults of the sound machine's policy after one text was replaced.
fn faults(from: &str, to: &str) -> Vec<String> {
    let policy = Machine::sound().policy(from, to).policy;
    match reference_values(&policy) {
        Ok(_) => Vec::new(),
        Err(faults) => faults.iter().map(ToString::to_string).collect(),
    }
}

fn fault(from: &str, to: &str) -> String {
    let mut faults = faults(from, to);
    assert_eq!(faults.len(), 1, "{faults:#?}");
    faults.pop().unwrap()
}

#[test]
fn a_sound_policy_is_read() {
    assert_eq!(
        faults("\"clock\": \"safe\"", "\"clock\": \"safe\""),
        [""; 0]
    );
}

#[test]
fn c01_every_field_is_decided_and_no_list_is_empty() {
    let policy = Machine::sound().policy;
    for name in [
        "names",
        "certificates",
        "identity",
        "quote",
        "bank",
        "quoted",
        "pcrs",
        "software",
        "secure_boot",
        "event_order",
        "payloads",
        "ima",
        "qualifying_data",
        "counters",
        "clock",
        "firmware",
        "reset",
        "restart",
    ] {
        let named = format!("\"{name}\":");
        assert!(policy.contains(&named), "{name}");
        let without = policy.replace(&named, &format!("\"{name}s\":"));
        let faults = reference_values(&without).expect_err(name);
        let says = |part: &str| faults.iter().any(|fault| fault.to_string().contains(part));
        assert!(
            says("is not decided") && says("is not known here"),
            "{faults:#?}"
        );
    }
    let name = hex::encode(&super::machine::name(&Machine::sound().area));
    assert!(fault(&format!("[\"{name}\"]"), "[]").contains("`none` or a list"));
    assert!(fault("\"firmware\": [\"0001000200030004\"]", "\"firmware\": []").contains("empty"));
    let file = format!("{{\"true\": \"{}\"}}", hex::encode(&[2; 32]));
    assert!(fault(&file, "{}").contains("not empty"));
    assert!(fault("\"1-3\": \"replayed\"", "\"1-3\": []").contains("empty list"));
}

#[test]
fn c04_digests_of_another_size_are_faults() {
    let short = fault("\"loader\": \"", "\"loader\": \"00");
    assert!(
        short.contains("`loader` must have 64 hexadecimal digits"),
        "{short}"
    );
    let faults = faults("\"bank\": \"sha256\"", "\"bank\": \"sha384\"");
    assert!(
        faults.iter().any(|fault| fault.contains("must have 96")),
        "{faults:#?}"
    );
    let name = fault("\"names\": [\"000b", "\"names\": [\"000c");
    assert!(name.contains("names of keys"), "{name}");
}

#[test]
fn c05_contradictions_are_faults() {
    assert!(fault("\"quoted\": \"0-11\"", "\"quoted\": \"0-10\"").contains("judges PCR 11"));
    let seven = fault("\"5-10\": \"replayed\"", "\"5-6,8-10\": \"replayed\"");
    assert!(seven.contains("does not decide PCR 7"), "{seven}");
    let twice = fault("\"1-3\": \"replayed\"", "\"1-5\": \"replayed\"");
    assert!(twice.contains("twice"), "{twice}");
    for range in ["3-1", "1-24", "2,1", "1-", "x"] {
        let wrong = fault(
            "\"1-3\": \"replayed\"",
            &format!("\"{range}\": \"replayed\""),
        );
        assert!(wrong.contains("must be PCRs"), "{wrong}");
    }
    let unknown = fault("\"required\": [\"loader\"]", "\"required\": [\"kernel\"]");
    assert!(
        unknown.contains("which `allowed` does not name"),
        "{unknown}"
    );
    let file = format!("{{\"true\": \"{}\"}}", hex::encode(&[2; 32]));
    assert!(fault(&file, "\"ignored\"").contains("belong together"));
    let without = Machine::sound()
        .policy(
            "\"5-10\": \"replayed\"",
            "\"5-6,8-10\": \"replayed\", \"7\": \"ignored\"",
        )
        .policy("\"quoted\": \"0-11\"", "\"quoted\": \"0-6,8-11\"");
    let faults = reference_values(&without.policy).expect_err("faults");
    let says = |part: &str| faults.iter().any(|fault| fault.to_string().contains(part));
    assert!(
        says("leaves out PCR 7") && says("needs PCRs 0 to 9"),
        "{faults:#?}"
    );
}

#[test]
fn a_policy_under_which_anything_passes_must_say_danger() {
    let none = Machine::sound();
    let name = hex::encode(&super::machine::name(&none.area));
    let nobody = fault(&format!("[\"{name}\"]"), "\"none\"");
    assert!(nobody.contains("no key can be trusted"), "{nobody}");
    let open = "\"certificates\": {\"roots\": \"vendor\", \"keys\": \"any\", \"gce_projects\": \
                \"any\", \"revocation\": \"not-checked\"}";
    let anybody = fault("\"certificates\": \"refused\"", open);
    assert!(anybody.contains("danger-any-machine"), "{anybody}");
    let values = format!("[\"{}\"]", hex::encode(&none.pcrs[..32]));
    let events = none.policy.split("\"4\": ").nth(1).unwrap();
    let events = events.split("},\n").next().unwrap().to_owned() + "}";
    let loose = none
        .policy(&values, "\"replayed\"")
        .policy(&events, "\"replayed\"");
    let faults = reference_values(&loose.policy).expect_err("faults");
    assert_eq!(faults.len(), 1);
    assert!(
        faults[0].to_string().contains("danger-any-software"),
        "{faults:#?}"
    );
    let said = loose.policy(
        "\"software\": \"pinned\"",
        "\"software\": \"danger-any-software\"",
    );
    assert!(reference_values(&said.policy).is_ok());
}

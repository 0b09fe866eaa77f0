//! The section of the policy: what it says, and what it is refused for.

use cmcp_json::{Limits, Value};

use super::*;
use crate::policy::{Fields, Pin, PolicyFault};

const SECTION: &str = r#"{
  "roots": "vendor",
  "products": {
    "milan": "refused",
    "genoa": {
      "tcb": {"bootloader": 0, "tee": 0, "snp": 23, "microcode": 0},
      "launch_tcb": {"bootloader": 0, "tee": 0, "snp": 23, "microcode": 0}
    },
    "turin": {
      "tcb": {"fmc": 0, "bootloader": 0, "tee": 0, "snp": 1, "microcode": 0},
      "launch_tcb": {"fmc": 0, "bootloader": 0, "tee": 0, "snp": 1, "microcode": 0}
    }
  },
  "unnamed_product": "refused",
  "signing_keys": {"vcek": "accepted", "vlek": "refused"},
  "revocation": "crl-required",
  "guest": {
    "vmpl": [0],
    "abi": "0.0",
    "smt": "allowed",
    "single_socket": "not-required",
    "migration": "refused",
    "ciphertext_hiding": "not-required",
    "cxl": "forbidden",
    "aes_256_xts": "not-required",
    "rapl_disabled": "not-required",
    "page_swap_disabled": "not-required"
  },
  "machine": {
    "firmware": "1.55",
    "alias_check": "required",
    "smt": "allowed",
    "tsme": "not-required",
    "mitigations": {"launch": "none", "current": "none"}
  },
  "id_block": {
    "id_key_digests": "any",
    "author_key_digests": "any",
    "family_ids": "any",
    "image_ids": "any",
    "guest_svn": 0
  },
  "measurements": "none",
  "host_data": ["4848484848484848484848484848484848484848484848484848484848484848"],
  "chip_ids": "any",
  "identity": "pinned"
}"#;

fn read(text: &str) -> Result<SnpPolicy, Vec<PolicyFault>> {
    let value = cmcp_json::parse(text.as_bytes(), &Limits::DOCUMENT).unwrap();
    read_value(&value)
}

fn read_value(value: &Value) -> Result<SnpPolicy, Vec<PolicyFault>> {
    let mut faults = Vec::new();
    let mut fields = Fields::open(value, "snp", &mut faults).unwrap();
    let policy = SnpPolicy::read(&mut fields);
    fields.close();
    match policy {
        Some(policy) if faults.is_empty() => Ok(policy),
        Some(_) | None => {
            assert!(!faults.is_empty(), "a policy that is refused says why");
            Err(faults)
        }
    }
}

/// The places of what is wrong when one text stands in place of another.
fn faults(from: &str, to: &str) -> Vec<String> {
    assert_eq!(SECTION.matches(from).count(), 1, "{from}");
    let faults = read(&SECTION.replace(from, to)).unwrap_err();
    faults.into_iter().map(|fault| fault.path).collect()
}

fn accepted(from: &str, to: &str) -> SnpPolicy {
    assert_eq!(SECTION.matches(from).count(), 1, "{from}");
    read(&SECTION.replace(from, to)).unwrap()
}

#[test]
fn the_section_reads_as_it_is_written() {
    let policy = read(SECTION).unwrap();
    assert_eq!(policy.products.milan, None);
    assert_eq!(policy.products.genoa.unwrap().tcb.snp, 0x17);
    assert_eq!(policy.products.turin.unwrap().launch_tcb.snp, 1);
    assert_eq!(policy.unnamed_product, None);
    assert_eq!(policy.signing_keys.vcek, Vcek::Accepted);
    assert_eq!(policy.signing_keys.vlek, Vlek::Refused);
    assert_eq!(policy.revocation, Revocation::CrlRequired);
    assert_eq!(policy.guest.vmpl, [0]);
    assert_eq!(policy.guest.abi, (0, 0));
    assert_eq!(policy.guest.smt, Allowance::Allowed);
    assert_eq!(policy.guest.cxl, Allowance::Forbidden);
    assert_eq!(policy.guest.single_socket, Demand::NotRequired);
    assert_eq!(policy.guest.migration, Migration::Refused);
    assert_eq!(policy.machine.alias_check, Demand::Required);
    assert_eq!(policy.machine.firmware.to_string(), "1.55.0");
    assert_eq!(policy.machine.mitigations, MitigationRules::default());
    assert_eq!(policy.host_data, Pin::OneOf(vec![vec![0x48; 32]]));
    assert_eq!(policy.chip_ids, Pin::Any);
    assert_eq!(policy.identity, Identity::Pinned);
}

#[test]
fn every_field_about_the_guest_is_read_for_itself() {
    let guest = |from: &str, to: &str| accepted(from, to).guest;
    assert_eq!(guest("\"vmpl\": [0]", "\"vmpl\": [1, 3]").vmpl, [1, 3]);
    assert_eq!(guest("\"abi\": \"0.0\"", "\"abi\": \"1.55\"").abi, (1, 55));
    for (name, field) in [
        (
            "single_socket",
            (|rules| rules.single_socket) as fn(&GuestRules) -> Demand,
        ),
        ("ciphertext_hiding", |rules| rules.ciphertext_hiding),
        ("aes_256_xts", |rules| rules.aes_256_xts),
        ("rapl_disabled", |rules| rules.rapl_disabled),
        ("page_swap_disabled", |rules| rules.page_swap_disabled),
    ] {
        let from = format!("\"{name}\": \"not-required\"");
        let rules = guest(&from, &format!("\"{name}\": \"required\""));
        assert_eq!(field(&rules), Demand::Required, "{name}");
    }
    let agents =
        "\"migration\": [\"0101010101010101010101010101010101010101010101010101010101010101\"]";
    let rules = guest("\"migration\": \"refused\"", agents);
    assert_eq!(rules.migration, Migration::By(vec![vec![1; 32]]));
}

#[test]
fn every_field_about_the_machine_is_read_for_itself() {
    let machine = |from: &str, to: &str| accepted(from, to).machine;
    assert_eq!(
        machine("\"tsme\": \"not-", "\"tsme\": \"").tsme,
        Demand::Required
    );
    assert_eq!(
        machine("\"alias_check\": \"", "\"alias_check\": \"not-").alias_check,
        Demand::NotRequired
    );
    let rules = machine("\"launch\": \"none\"", "\"launch\": [0, 1, 3]");
    assert_eq!(
        (rules.mitigations.launch, rules.mitigations.current),
        (11, 0)
    );
    let rules = machine("\"current\": \"none\"", "\"current\": [63]");
    assert_eq!(
        (rules.mitigations.launch, rules.mitigations.current),
        (0, 1 << 63)
    );
    let firmware = machine("\"1.55\"", "\"1.55.40\"").firmware;
    assert_eq!(
        (firmware.major, firmware.minor, firmware.build),
        (1, 55, 40)
    );
}

#[test]
fn every_field_about_signers_and_products_is_read_for_itself() {
    let keys = accepted(
        "{\"vcek\": \"accepted\", \"vlek\": \"refused\"}",
        "{\"vcek\": \"refused\", \"vlek\": {\"csp_ids\": [\"cloud\"]}}",
    )
    .signing_keys;
    assert_eq!(keys.vcek, Vcek::Refused);
    let csp_ids = Pin::OneOf(vec!["cloud".to_owned()]);
    assert_eq!(keys.vlek, Vlek::Accepted { csp_ids });
    let revocation = accepted("crl-required", "not-checked").revocation;
    assert_eq!(revocation, Revocation::NotChecked);
    let unnamed = accepted(
        "\"unnamed_product\": \"refused\"",
        "\"unnamed_product\": \"turin\"",
    );
    assert_eq!(unnamed.unnamed_product, Some(Product::Turin));
    let tcb = "{\"bootloader\": 4, \"tee\": 1, \"snp\": 24, \"microcode\": 219}";
    let milan = format!("\"milan\": {{\"tcb\": {tcb}, \"launch_tcb\": {tcb}}}");
    let milan = accepted("\"milan\": \"refused\"", &milan)
        .products
        .milan
        .unwrap();
    let floor = Tcb {
        fmc: 0,
        bootloader: 4,
        tee: 1,
        snp: 24,
        microcode: 219,
    };
    assert_eq!((milan.tcb, milan.launch_tcb), (floor, floor));
}

#[test]
fn c02_no_field_may_be_left_out_and_none_may_be_added() {
    let value = cmcp_json::parse(SECTION.as_bytes(), &Limits::DOCUMENT).unwrap();
    let mut left_out = 0;
    each_object(&value, &mut Vec::new(), &mut |path, name| {
        let mut changed = value.clone();
        let mut object = changed.as_object_mut().unwrap();
        for step in path {
            object = object.get_mut(step).unwrap().as_object_mut().unwrap();
        }
        let full = [path, &[name.to_owned()]].concat().join(".");
        let taken = object.remove(name).unwrap();
        let missing = read_value(&changed).unwrap_err();
        assert!(
            missing
                .iter()
                .any(|fault| fault.path == format!("snp.{full}")),
            "{full}: {missing:?}"
        );
        let mut object = changed.as_object_mut().unwrap();
        for step in path {
            object = object.get_mut(step).unwrap().as_object_mut().unwrap();
        }
        object.insert(name.to_owned(), taken);
        object.insert(format!("{name}x"), Value::Bool(true));
        let unknown = read_value(&changed).unwrap_err();
        assert!(
            unknown
                .iter()
                .any(|fault| fault.path == format!("snp.{full}x")),
            "{full}: {unknown:?}"
        );
        left_out += 1;
    });
    assert_eq!(left_out, 61);
}

fn each_object(value: &Value, path: &mut Vec<String>, visit: &mut impl FnMut(&[String], &str)) {
    let Some(object) = value.as_object() else {
        return;
    };
    for (name, inner) in object.iter() {
        visit(path, name);
        path.push(name.to_owned());
        each_object(inner, path, visit);
        path.pop();
    }
}

#[test]
fn c01_empty_lists_are_no_policy() {
    for (from, path) in [
        ("\"roots\": \"vendor\"", "snp.roots"),
        ("\"vmpl\": [0]", "snp.guest.vmpl"),
        ("\"migration\": \"refused\"", "snp.guest.migration"),
        ("\"launch\": \"none\"", "snp.machine.mitigations.launch"),
        ("\"current\": \"none\"", "snp.machine.mitigations.current"),
        ("\"id_key_digests\": \"any\"", "snp.id_block.id_key_digests"),
        ("\"family_ids\": \"any\"", "snp.id_block.family_ids"),
        ("\"chip_ids\": \"any\"", "snp.chip_ids"),
    ] {
        let name = from.split(':').next().unwrap();
        assert_eq!(faults(from, &format!("{name}: []")), [path]);
    }
    assert_eq!(
        faults("\"measurements\": \"none\"", "\"measurements\": {}"),
        ["snp.measurements"]
    );
    assert_eq!(
        faults("\"vlek\": \"refused\"", "\"vlek\": {\"csp_ids\": []}"),
        ["snp.signing_keys.vlek.csp_ids"]
    );
}

#[test]
fn values_of_another_kind_or_length_are_refused() {
    for (from, to, path) in [
        (
            "\"bootloader\": 0, \"tee\": 0, \"snp\": 23, \"microcode\": 0},",
            "\"bootloader\": 256, \"tee\": 0, \"snp\": 23, \"microcode\": 0},",
            "snp.products.genoa.tcb.bootloader",
        ),
        ("\"vmpl\": [0]", "\"vmpl\": [4]", "snp.guest.vmpl"),
        ("\"vmpl\": [0]", "\"vmpl\": 0", "snp.guest.vmpl"),
        ("\"abi\": \"0.0\"", "\"abi\": \"1.55.3\"", "snp.guest.abi"),
        ("\"abi\": \"0.0\"", "\"abi\": 1.55", "snp.guest.abi"),
        (
            "\"firmware\": \"1.55\"",
            "\"firmware\": \"1\"",
            "snp.machine.firmware",
        ),
        (
            "\"firmware\": \"1.55\"",
            "\"firmware\": \"1.256\"",
            "snp.machine.firmware",
        ),
        (
            "\"launch\": \"none\"",
            "\"launch\": [64]",
            "snp.machine.mitigations.launch",
        ),
        (
            "\"guest_svn\": 0",
            "\"guest_svn\": 4294967296",
            "snp.id_block.guest_svn",
        ),
        (
            "\"revocation\": \"crl-required\"",
            "\"revocation\": \"maybe\"",
            "snp.revocation",
        ),
        (
            "\"migration\": \"refused\"",
            "\"migration\": [\"01\"]",
            "snp.guest.migration",
        ),
        (
            "\"chip_ids\": \"any\"",
            "\"chip_ids\": [\"00\"]",
            "snp.chip_ids",
        ),
    ] {
        assert_eq!(faults(from, to), [path], "{to}");
    }
}

#[test]
fn c04_a_measurement_of_another_length_is_refused() {
    let sha256 = "\"measurements\": {\"image\": \"4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d\"}";
    assert_eq!(
        faults("\"measurements\": \"none\"", sha256),
        ["snp.measurements"]
    );
}

#[test]
fn c05_fields_that_contradict_each_other_are_refused() {
    assert_eq!(
        faults(
            "\"unnamed_product\": \"refused\"",
            "\"unnamed_product\": \"milan\""
        ),
        ["snp.unnamed_product"]
    );
    assert_eq!(
        faults("\"vcek\": \"accepted\"", "\"vcek\": \"refused\""),
        ["snp.signing_keys.vlek"]
    );
    assert_eq!(
        faults(
            "\"identity\": \"pinned\"",
            "\"identity\": \"danger-any-machine\""
        ),
        ["snp.identity"]
    );
    let host = "[\"4848484848484848484848484848484848484848484848484848484848484848\"]";
    assert_eq!(faults(host, "\"any\""), ["snp.identity"]);
    let masked = format!("\"chip_ids\": [\"{}\"]", "00".repeat(64));
    assert_eq!(faults("\"chip_ids\": \"any\"", &masked), ["snp.chip_ids"]);
    for (from, to) in [
        ("\"guest_svn\": 0", "\"guest_svn\": 1"),
        (
            "\"family_ids\": \"any\"",
            "\"family_ids\": [\"01010101010101010101010101010101\"]",
        ),
        (
            "\"image_ids\": \"any\"",
            "\"image_ids\": [\"01010101010101010101010101010101\"]",
        ),
    ] {
        assert_eq!(faults(from, to), ["snp.id_block.id_key_digests"], "{to}");
    }
    let every = SECTION.replace("\"genoa\": {", "\"genoa\": \"refused\", \"x\": {");
    assert!(read(&every).is_err());
}

#[test]
fn every_product_refused_is_no_policy() {
    let mut value = cmcp_json::parse(SECTION.as_bytes(), &Limits::DOCUMENT).unwrap();
    let products = value.as_object_mut().unwrap().get_mut("products").unwrap();
    for product in ["genoa", "turin"] {
        let refused = Value::String("refused".to_owned());
        products
            .as_object_mut()
            .unwrap()
            .insert(product.to_owned(), refused);
    }
    let faults = read_value(&value).unwrap_err();
    assert_eq!(faults[0].path, "snp.products.milan");
}

#[test]
fn danger_is_a_word_that_has_to_be_written() {
    let host = "[\"4848484848484848484848484848484848484848484848484848484848484848\"]";
    let text = SECTION.replace(host, "\"any\"").replace(
        "\"identity\": \"pinned\"",
        "\"identity\": \"danger-any-machine\"",
    );
    let policy = read(&text).unwrap();
    assert_eq!(policy.identity, Identity::DangerAnyMachine);
}

#[test]
fn another_platforms_section_decides_about_identity_itself() {
    let text = SECTION.replace(",\n  \"identity\": \"pinned\"", "");
    let value = cmcp_json::parse(text.as_bytes(), &Limits::DOCUMENT).unwrap();
    let mut faults = Vec::new();
    let mut fields = Fields::open(&value, "snp", &mut faults).unwrap();
    let policy = SnpPolicy::read_inner(&mut fields).unwrap();
    fields.close();
    assert_eq!(faults, []);
    assert_eq!(policy.identity, Identity::Outer);
}

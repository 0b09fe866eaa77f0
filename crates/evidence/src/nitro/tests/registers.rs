//! Kinds of documents, and their registers.

use super::super::{
    forge::{self, Forge, failed, found, policy},
    *,
};
use super::judged::refused;
use crate::{
    Status,
    policy::{Measurements, Pin},
};

#[test]
fn a_kind_that_policy_refuses_is_refused() {
    let mut enclaves = policy();
    enclaves.instance = None;
    let codes = [
        "nitro.kind",
        "nitro.debug",
        "nitro.measurement",
        "nitro.configuration",
        "nitro.image-signer",
        "nitro.registers",
        "nitro.role",
    ];
    assert_eq!(failed(&Forge::instance().judge_by(&enclaves)), codes);
    let mut instances = policy();
    instances.enclave = None;
    instances.identity = Identity::Pinned;
    assert_eq!(failed(&Forge::enclave().judge_by(&instances)), codes);
}

#[test]
fn a_module_that_is_named_as_the_other_kind_is_refused() {
    let mut forge = Forge::enclave();
    forge.module_id = Forge::instance().module_id;
    forge.leaf = forge::leaf(&forge.module_id, &forge.key);
    let codes = failed(&forge.judge());
    assert!(codes.contains(&"nitro.kind"), "{codes:?}");
    for module in ["-enc0123", "x-12-enc01", "i-0123456789abcdef0-enc"] {
        let mut forge = Forge::enclave();
        forge.module_id = module.to_owned();
        forge.leaf = forge::leaf(module, &forge.key);
        let codes = failed(&forge.judge());
        assert!(codes.contains(&"nitro.kind"), "{module}: {codes:?}");
    }
}

#[test]
fn b04_a_debug_enclave_is_refused_by_name() {
    let mut forge = Forge::enclave();
    for index in 0..3 {
        forge.pcrs[index].1.fill(0);
    }
    let mut zeros = policy();
    let enclave = zeros.enclave.as_mut().unwrap();
    enclave.measurements = Measurements::Named(vec![("zero".to_owned(), vec![0; 48])]);
    enclave.pcr1 = Pin::OneOf(vec![vec![0; 48]]);
    enclave.pcr2 = Pin::Any;
    let result = forge.judge_by(&zeros);
    assert_eq!(failed(&result), ["nitro.debug"]);
    assert!(found(&result, "nitro.debug").contains("a debug enclave"));
    // One of them alone is no debug enclave, and no image either.
    for index in 0..3 {
        let mut forge = Forge::enclave();
        forge.pcrs[index].1.fill(0);
        let result = forge.judge();
        assert!(failed(&result).contains(&"nitro.debug"));
        assert!(found(&result, "nitro.debug").contains(&format!("[{index}]")));
    }
}

#[test]
fn each_register_of_an_enclave_is_held_to_its_pin() {
    for (index, code) in [
        (0, "nitro.measurement"),
        (1, "nitro.configuration"),
        (2, "nitro.configuration"),
        (3, "nitro.role"),
        (4, "nitro.instance"),
        (8, "nitro.image-signer"),
        (5, "nitro.registers"),
        (15, "nitro.registers"),
    ] {
        let mut forge = Forge::enclave();
        forge.pcrs[index].1[47] ^= 1;
        refused(&forge, &[code]);
        forge.pcrs.remove(index);
        let codes = failed(&forge.judge());
        let unused = [5, 15].contains(&index);
        assert_eq!(codes.is_empty(), unused, "{index}");
        assert!(unused || codes.contains(&code), "{index}: {codes:?}");
    }
}

#[test]
fn each_register_of_an_instance_is_held_to_its_pin() {
    for (index, code) in [
        (4, "nitro.measurement"),
        (7, "nitro.measurement"),
        (12, "nitro.configuration"),
        (8, "nitro.registers"),
        (16, "nitro.registers"),
        (17, "nitro.registers"),
        (22, "nitro.registers"),
        (23, "nitro.registers"),
    ] {
        let mut forge = Forge::instance();
        forge.pcrs[index].1[47] ^= 1;
        refused(&forge, &[code]);
    }
    // AWS's own firmware is AWS's to change.
    for index in [0, 1, 2, 3, 5, 6] {
        let mut forge = Forge::instance();
        forge.pcrs[index].1[47] ^= 1;
        assert_eq!(forge.judge().status, Status::Affirming, "{index}");
    }
}

#[test]
fn an_instance_that_measured_nothing_is_refused_whatever_policy_pins() {
    let mut zeros = policy();
    let instance = zeros.instance.as_mut().unwrap();
    instance.pcr4 = Pin::OneOf(vec![vec![0; 48]]);
    let mut forge = Forge::instance();
    forge.pcrs[4].1.fill(0);
    assert_eq!(failed(&forge.judge_by(&zeros)), ["nitro.measurement"]);
}

#[test]
fn a_policy_without_measurements_says_what_was_found() {
    let mut none = policy();
    none.enclave.as_mut().unwrap().measurements = Measurements::None;
    let result = Forge::enclave().judge_by(&none);
    assert_eq!(failed(&result), ["nitro.measurement"]);
    assert_eq!(found(&result, "nitro.measurement"), "a0".repeat(48));
}

#[test]
fn registers_that_policy_lists_must_hold_what_it_says() {
    let mut listed = policy();
    let others = Registers::UnusedBut(vec![(16, vec![9; 48])]);
    listed.enclave.as_mut().unwrap().other_pcrs = others;
    let mut forge = Forge::enclave();
    assert_eq!(failed(&forge.judge_by(&listed)), ["nitro.registers"]);
    forge.pcrs.push((16, vec![9; 48]));
    assert_eq!(failed(&forge.judge_by(&listed)), [""; 0]);
    forge.pcrs.push((17, vec![9; 48]));
    assert_eq!(failed(&forge.judge_by(&listed)), ["nitro.registers"]);
    listed.enclave.as_mut().unwrap().other_pcrs = Registers::Any;
    assert_eq!(failed(&forge.judge_by(&listed)), [""; 0]);
}

#[test]
fn another_instance_is_refused() {
    let mut forge = Forge::enclave();
    forge.module_id = "i-0123456789abcdef1-enc0123456789abcdef".to_owned();
    forge.leaf = forge::leaf(&forge.module_id, &forge.key);
    refused(&forge, &["nitro.instance"]);
}

#[test]
fn a03_anybodys_machine_is_taken_only_where_the_policy_says_danger() {
    let mut any = policy();
    any.instances = Pin::Any;
    let enclave = any.enclave.as_mut().unwrap();
    enclave.pcr3 = Pin::Any;
    enclave.pcr4 = Pin::Any;
    assert_eq!(failed(&Forge::enclave().judge_by(&any)), ["nitro.identity"]);
    any.identity = Identity::DangerAnyMachine;
    assert_eq!(Forge::enclave().judge_by(&any).status, Status::Warning);
    any.identity = Identity::Pinned;
    any.enclave.as_mut().unwrap().pcr3 = Pin::OneOf(vec![vec![0xa3; 48]]);
    assert_eq!(Forge::enclave().judge_by(&any).status, Status::Affirming);
    // The role is not in an instance's document.
    assert_eq!(
        failed(&Forge::instance().judge_by(&any)),
        ["nitro.identity"]
    );
}

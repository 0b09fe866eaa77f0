//! The machine and its firmware, one field at a time.

use super::*;
use crate::policy::Pin;

fn genoa() -> Forge {
    Forge::new(Product::Genoa)
}

#[test]
fn b08_an_incomplete_alias_check_is_refused_where_it_is_demanded() {
    let forge = genoa().put(0x40, &[0x04]);
    let mut policy = forge.policy();
    let result = forge.judge(&policy);
    assert_eq!(failed(&result), ["snp.alias-check"]);
    let told = format!("{:?}", result.failures().next().unwrap());
    assert!(told.contains("alias-check-complete"), "{told}");
    policy.machine.alias_check = Demand::NotRequired;
    assert_eq!(forge.judge(&policy).status, Status::Affirming);
}

#[test]
fn b08_smt_is_refused_where_it_is_forbidden() {
    let forge = genoa().put(0x40, &[0x25]);
    let mut policy = forge.policy();
    let result = forge.judge(&policy);
    assert_eq!(failed(&result), ["snp.smt"]);
    assert!(format!("{:?}", result.failures().next()).contains("`smt`"));
    policy.machine.smt = Allowance::Allowed;
    assert_eq!(forge.judge(&policy).status, Status::Affirming);
}

#[test]
fn memory_encryption_of_the_whole_machine_is_refused_or_not() {
    let mut policy = genoa().policy();
    policy.machine.tsme = Demand::Required;
    assert_eq!(failed(&genoa().judge(&policy)), ["snp.tsme"]);
    let with = genoa().put(0x40, &[0x26]);
    assert_eq!(with.judge(&policy).status, Status::Affirming);
}

#[test]
fn every_component_of_the_firmware_has_a_floor_that_is_missed_by_one() {
    // Component, its byte in the report, its extension in the certificate.
    let genoa = [
        ("bootloader", 0, "3.1"),
        ("tee", 1, "3.2"),
        ("snp", 6, "3.3"),
        ("microcode", 7, "3.8"),
    ];
    let turin = [
        ("fmc", 0, "3.9"),
        ("bootloader", 1, "3.1"),
        ("tee", 2, "3.2"),
        ("snp", 3, "3.3"),
        ("microcode", 7, "3.8"),
    ];
    let cases = genoa
        .map(|case| (Product::Genoa, case))
        .into_iter()
        .chain(turin.map(|case| (Product::Turin, case)));
    for (product, (component, byte, extension)) in cases {
        let floor = Tcb {
            fmc: if product == Product::Turin { 9 } else { 0 },
            bootloader: 9,
            tee: 9,
            snp: 9,
            microcode: 9,
        };
        for (version, met) in [(8, false), (9, true), (200, true)] {
            let mut forge = Forge::new(product);
            for at in [0x038, 0x180, 0x1e0, 0x1f0] {
                for (_, place, arc) in if product == Product::Turin {
                    &turin[..]
                } else {
                    &genoa[..]
                } {
                    forge = forge.put(at + place, &[9]);
                    forge.vek.set(arc, Some(forge::integer(9)));
                }
                forge = forge.put(at + byte, &[version]);
            }
            forge.vek.set(extension, Some(forge::integer(version)));
            let mut policy = forge.policy();
            let floors = Some(Floors {
                tcb: floor,
                launch_tcb: Tcb::default(),
            });
            policy.products = Products {
                milan: None,
                genoa: floors,
                turin: floors,
            };
            let expected: &[&str] = if met { &[] } else { &["snp.tcb"] };
            let result = forge.judge(&policy);
            assert_eq!(failed(&result), expected, "{product} {component} {version}");
        }
    }
}

#[test]
fn entrysign_floors_refuse_what_is_one_below() {
    let mut forge = genoa();
    for at in [0x038, 0x180, 0x1e0, 0x1f0] {
        forge = forge.put(at + 6, &[0x16]);
    }
    forge.vek.set("3.3", Some(forge::integer(0x16)));
    assert_eq!(
        failed(&forge.judge(&forge.policy())),
        ["snp.tcb", "snp.launch-tcb"]
    );
}

#[test]
fn the_firmware_that_the_guest_was_launched_on_has_a_floor() {
    let forge = genoa().put(0x1f6, &[0x16]);
    assert_eq!(failed(&forge.judge(&forge.policy())), ["snp.launch-tcb"]);
}

#[test]
fn reported_firmware_ahead_of_committed_or_committed_ahead_of_current_is_refused() {
    let policy = genoa().policy();
    for at in [0x1e7, 0x03f] {
        let behind = genoa().put(at, &[0x53]);
        assert_eq!(failed(&behind.judge(&policy)), ["snp.tcb-order"], "{at:#x}");
    }
    // The other way round is what a machine between update and commit looks like.
    let ahead = genoa().put(0x03f, &[0x55]);
    assert_eq!(ahead.judge(&policy).status, Status::Affirming);
}

#[test]
fn an_order_of_integers_does_not_stand_in_for_components() {
    // As one little-endian number the committed version is the larger; its boot loader is older.
    let forge = genoa()
        .put(0x1e0, &[9])
        .put(0x1e7, &[0xff])
        .put(0x3f, &[0xff]);
    assert_eq!(failed(&forge.judge(&forge.policy())), ["snp.tcb-order"]);
}

#[test]
fn committed_firmware_has_a_floor_and_is_not_ahead_of_what_runs() {
    let policy = genoa().policy();
    let old = genoa().put(0x1e8, &[39, 55, 1]).put(0x1ec, &[39, 55, 1]);
    assert_eq!(failed(&old.judge(&policy)), ["snp.firmware"]);
    let not_committed = genoa().put(0x1ec, &[39, 55, 1]);
    assert_eq!(failed(&not_committed.judge(&policy)), ["snp.firmware"]);
    let ahead = genoa().put(0x1ec, &[41, 55, 1]);
    assert_eq!(failed(&ahead.judge(&policy)), ["snp.firmware"]);
    let newer = genoa().put(0x1e8, &[0, 58, 1]).put(0x1ec, &[0, 56, 1]);
    assert_eq!(newer.judge(&policy).status, Status::Affirming);
}

#[test]
fn a_mitigation_that_was_not_verified_is_refused() {
    let mut policy = genoa().policy();
    for at in [0x1f8, 0x200] {
        let forge = genoa().put(at, &[0b0011]);
        assert_eq!(
            failed(&forge.judge(&policy)),
            ["snp.mitigations"],
            "{at:#x}"
        );
    }
    let more = genoa().put(0x1f8, &[0xff]).put(0x200, &[0xff]);
    assert_eq!(more.judge(&policy).status, Status::Affirming);
    let old = genoa().put(0, &[3]).put(0x1f8, &[0; 16]);
    assert_eq!(failed(&old.judge(&policy)), ["snp.mitigations"]);
    policy.machine.mitigations.current = 0;
    assert_eq!(failed(&old.judge(&policy)), ["snp.mitigations"]);
}

#[test]
fn a03_a_chip_that_is_not_listed_is_refused() {
    let mut forge = genoa();
    let policy = forge.policy();
    let mut other = forge::CHIP;
    other[63] ^= 1;
    forge.vek.set("4", Some(other.to_vec()));
    let forge = forge.put(0x1a0, &other);
    assert_eq!(failed(&forge.judge(&policy)), ["snp.chip-id"]);
}

#[test]
fn a03_any_machine_is_taken_only_where_the_policy_says_danger() {
    let mut policy = genoa().policy();
    policy.chip_ids = Pin::Any;
    assert_eq!(
        genoa().judge(&policy).status,
        Status::Affirming,
        "host data is pinned"
    );
    policy.host_data = Pin::Any;
    assert_eq!(failed(&genoa().judge(&policy)), ["snp.identity"]);
    policy.identity = Identity::DangerAnyMachine;
    let result = genoa().judge(&policy);
    assert_eq!(result.status, Status::Warning);
    assert!(result.notes.iter().any(|note| note.contains("any machine")));
    policy.identity = Identity::Outer;
    assert_eq!(genoa().judge(&policy).status, Status::Affirming);
}

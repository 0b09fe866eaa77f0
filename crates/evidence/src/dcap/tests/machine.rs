//! What the PCK certificate says of the machine, and what policy accepts of it.

use super::{
    Section, Trial, assert_refused, assert_status, forge::Mint, forge::member, judge,
    links::with_chain,
};
use crate::{
    Status,
    forge::{Cert, der},
};

#[test]
fn a_pck_certificate_that_does_not_name_its_machine_is_refused() {
    let mint = Mint::tdx();
    let of_machine = [
        "dcap.machine",
        "dcap.dynamic-platform",
        "dcap.cached-keys",
        "dcap.smt",
        "dcap.memory",
        "dcap.ppid",
    ];
    let twice = der::sequence(&[
        member("1", der::octets([0; 16])),
        member("1", der::octets([0; 16])),
    ]);
    let short = mint.machine.clone();
    let short = super::forge::Machine {
        fmspc: vec![0; 5],
        ..short
    };
    for extension in [
        twice,
        der::sequence(&[]),
        short.extension(),
        vec![0x30, 0x80],
    ] {
        let leaf = Cert::new("Intel SGX PCK Certificate", &mint.pck)
            .key_usage(0xc0)
            .extension("1.2.840.113741.1.13.1", false, extension);
        let chain = super::forge::chain(&[&mint.ca.issue(leaf), &mint.ca.der]);
        assert_refused(&with_chain(&mint, &chain).judge(), &of_machine);
    }
}

#[test]
fn members_of_the_pck_extension_without_a_name_are_told() {
    let mut mint = Mint::tdx();
    mint.machine.more.push(member("9", der::number(1)));
    let result = judge(&mint);
    assert_status(&result, Status::Affirming);
    let told = result
        .notes
        .iter()
        .any(|note| note.contains("1.2.840.113741.1.13.1.9"));
    assert!(told, "{:?}", result.notes);
}

#[test]
fn flags_of_the_machine_are_judged_by_name() {
    let rules = |dynamic: &str, cached: &str, smt: &str| {
        format!(
            r#"{{"dynamic_platform":"{dynamic}","cached_keys":"{cached}","smt":"{smt}","memory":["standard"]}}"#
        )
    };
    let judge = |flags: Option<[bool; 3]>, rules: String| {
        let mut mint = Mint::tdx();
        mint.machine.flags = flags;
        let forged = mint.build();
        let section = Section::tdx(&forged.root).with("platform", rules);
        Trial::of(&forged, section).judge()
    };
    let all = rules("refused", "refused", "refused");
    assert_refused(
        &judge(Some([true, false, false]), all.clone()),
        &["dcap.dynamic-platform"],
    );
    assert_refused(
        &judge(Some([false, true, false]), all.clone()),
        &["dcap.cached-keys"],
    );
    assert_refused(
        &judge(Some([false, false, true]), all.clone()),
        &["dcap.smt"],
    );
    assert_status(&judge(Some([false; 3]), all.clone()), Status::Affirming);
    // A certificate of the Processor CA tells nothing, and nothing is taken for granted about threads.
    assert_refused(&judge(None, all), &["dcap.smt"]);
    let none = rules("allowed", "allowed", "allowed");
    assert_status(&judge(Some([true; 3]), none.clone()), Status::Affirming);
    assert_status(&judge(None, none), Status::Affirming);
}

#[test]
fn memory_protection_and_ppid_are_judged() {
    let mut mint = Mint::tdx();
    mint.machine.sgx_type = 1;
    assert_refused(&judge(&mint), &["dcap.memory"]);
    mint.machine.sgx_type = 3;
    assert_refused(
        &judge(&mint),
        &[
            "dcap.machine",
            "dcap.dynamic-platform",
            "dcap.cached-keys",
            "dcap.smt",
            "dcap.memory",
            "dcap.ppid",
            "dcap.fmspc",
            "dcap.pce-id",
        ],
    );
    let mut mint = Mint::tdx();
    mint.machine.ppid[15] ^= 1;
    assert_refused(&judge(&mint), &["dcap.ppid"]);
}

#[test]
fn a_member_of_another_type_or_length_is_refused() {
    use crate::dcap::{Machine, MachineError};
    let honest = Mint::tdx().machine;
    let read = |machine: &super::forge::Machine| Machine::read(Some(&machine.extension()));
    assert!(read(&honest).is_ok());
    let with = |change: fn(&mut super::forge::Machine)| {
        let mut machine = honest.clone();
        change(&mut machine);
        read(&machine).unwrap_err()
    };
    assert_eq!(
        with(|machine| machine.ppid.truncate(15)),
        MachineError::Form("PPID")
    );
    assert_eq!(
        with(|machine| machine.pce_id.push(0)),
        MachineError::Form("PCEID")
    );
    assert_eq!(
        with(|machine| machine.fmspc.clear()),
        MachineError::Form("FMSPC")
    );
    assert_eq!(
        with(|machine| machine.sgx_type = 9),
        MachineError::Form("SGX type")
    );
    assert_eq!(with(|machine| machine.pce_svn = 65_536), MachineError::Der);
    let twice = with(|machine| machine.more.push(member("1", der::octets([0; 16]))));
    assert_eq!(
        twice,
        MachineError::Twice("1.2.840.113741.1.13.1.1".to_owned())
    );
    let many = with(|machine| {
        let more = (20..60).map(|number| member(&number.to_string(), der::null()));
        machine.more.extend(more);
    });
    assert_eq!(many, MachineError::Der);
    let odd = with(|machine| machine.more.push(der::null()));
    assert_eq!(odd, MachineError::Der);
    assert_eq!(Machine::read(None), Err(MachineError::Absent));
    assert_eq!(
        Machine::read(Some(&der::octets([]))),
        Err(MachineError::Der)
    );
    assert_eq!(
        Machine::read(Some(&der::sequence(&[]))),
        Err(MachineError::Missing("TCB"))
    );
}

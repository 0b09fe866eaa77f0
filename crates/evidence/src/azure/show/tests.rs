use super::*;
use crate::azure::{
    tests::{
        forged::{Endorsement, cce_policy, hcl},
        vm::{Vm, ak, runtime},
    },
    uvm::Form,
};

fn value<'a>(fields: &'a [Field], name: &str) -> &'a Field {
    let found = fields.iter().find(|field| field.name == name);
    found.unwrap_or_else(|| panic!("{name}"))
}

#[test]
fn every_field_of_a_paravisors_report_is_told() {
    let vm = Vm::new().edit("\"tpm-enabled\"", "\"new\":1,\"tpm-enabled\"");
    let fields = show_hcl(&vm.report()).expect("fields");
    assert_eq!(value(&fields, "hcl.version").value, "2");
    assert_eq!(
        value(&fields, "hcl.report_type").says,
        "what is inside: SEV-SNP"
    );
    assert_eq!(value(&fields, "report.version").at, Some(0x20));
    let report_data = &value(&fields, "report.report_data").value;
    let digest = &value(&fields, "hcl.runtime_data.sha256").value;
    assert!(report_data.starts_with(digest.as_str()));
    assert_eq!(value(&fields, "hcl.runtime_data.secure-boot").value, "on");
    assert_eq!(
        value(&fields, "hcl.runtime_data.user-data").value,
        "ab".repeat(64)
    );
    assert_eq!(
        value(&fields, "hcl.runtime_data.vm-configuration.new").says,
        "not known here"
    );
    let key = &value(&fields, "hcl.runtime_data.HCLAkPub").value;
    let digest = hex::encode(&crate::azure::tests::vm::digest(&ak()));
    assert_eq!(*key, format!("{digest} (RSA, 2048 bits)"));
}

#[test]
fn a_tdreport_is_told_as_what_it_is_worth() {
    let report = hcl(1, 4, &[3; 1024], runtime(&ak()).as_bytes());
    let fields = show_hcl(&report).expect("fields");
    assert!(
        value(&fields, "hcl.tdreport")
            .says
            .contains("on its own machine only")
    );
    assert_eq!(value(&fields, "hcl.report_type").value, "4");
    let unreadable = hcl(1, 4, &[3; 1024], b"{}");
    assert_eq!(
        show_hcl(&unreadable).expect_err("no keys").what,
        "runtime data"
    );
    assert_eq!(show_hcl(b"HCLB").expect_err("no report").what, "magic");
}

#[test]
fn every_field_of_an_endorsement_is_told() {
    for form in [Form::Cwt, Form::Json] {
        let mut endorsement = Endorsement::new(form, &[5; 48]);
        endorsement.header = Some(("other", 1));
        let fields = show_uvm(&endorsement.signed()).expect("fields");
        assert_eq!(value(&fields, "uvm.form").value, form.as_str());
        assert_eq!(value(&fields, "uvm.svn").value, "104");
        assert_eq!(value(&fields, "uvm.measurement").value, "05".repeat(48));
        assert_eq!(
            value(&fields, "uvm.signed_at").value,
            "2026-02-01T00:00:00Z"
        );
        assert_eq!(value(&fields, "uvm.certificates.0").value, "ContainerPlat");
        assert_eq!(value(&fields, "uvm.unknown").value, "header `other`");
    }
    assert_eq!(show_uvm(b"x").expect_err("no COSE").what, "endorsement");
}

#[test]
fn what_a_container_policy_leaves_open_is_told() {
    let closed = show_container_policy(cce_policy().as_bytes());
    assert_eq!(value(&closed, "container_policy.findings").value, "none");
    let open = show_container_policy(b"package policy\nexec_external := {\"allowed\": true}\n");
    assert_eq!(
        value(&open, "container_policy.finding").value,
        "allow-everything exec_external"
    );
    let digest = &value(&open, "container_policy.sha256").value;
    assert_eq!(digest.len(), 64);
}

//! The policies: nothing is left out, nothing is empty, nothing contradicts itself.

use super::Section;

#[track_caller]
fn fault(section: &Section, path: &str, what: &str) {
    let faults = section.read().unwrap_err();
    let told: Vec<String> = faults.iter().map(ToString::to_string).collect();
    let found = faults
        .iter()
        .any(|fault| fault.path == path && fault.what.contains(what));
    assert!(found, "{told:#?}");
}

#[test]
fn the_policies_of_these_tests_are_sound() {
    assert!(Section::tdx("").read().is_ok());
    assert!(Section::sgx("").read().is_ok());
}

#[test]
fn c01_a_field_that_is_left_out_is_a_fault() {
    for section in [Section::tdx(""), Section::sgx("")] {
        for (name, _) in section.members.clone() {
            let path = format!("{}.{name}", section.platform);
            fault(&section.clone().without(name), &path, "is not decided");
        }
    }
}

#[test]
fn c01_an_empty_list_is_a_fault() {
    for name in [
        "ppids",
        "mrseam",
        "mrsignerseam",
        "mrconfigid",
        "mrowner",
        "mrownerconfig",
        "rtmr0",
        "rtmr1",
        "rtmr2",
        "rtmr3",
        "roots",
    ] {
        let path = format!("tdx.{name}");
        let section = Section::tdx("").with(name, "[]");
        let faults = section.read().unwrap_err();
        assert!(
            faults.iter().any(|fault| fault.path == path),
            "{name}: {faults:?}"
        );
    }
    for name in ["config_ids", "family_ids", "ext_prod_ids", "signers"] {
        let path = format!("sgx.{name}");
        let section = Section::sgx("").with(name, "[]");
        let faults = section.read().unwrap_err();
        assert!(
            faults.iter().any(|fault| fault.path == path),
            "{name}: {faults:?}"
        );
    }
    fault(
        &Section::tdx("").with("measurements", "{}"),
        "tdx.measurements",
        "is empty",
    );
    fault(
        &Section::tdx("").with("rtmr1", r#"{"events":{}}"#),
        "tdx.rtmr1",
        "is empty",
    );
    fault(
        &Section::tdx("").with("rtmr1", r#"{"events":"none"}"#),
        "tdx.rtmr1",
        "must name",
    );
    let platform =
        r#"{"dynamic_platform":"allowed","cached_keys":"allowed","smt":"allowed","memory":[]}"#;
    fault(
        &Section::tdx("").with("platform", platform),
        "tdx.platform.memory",
        "empty",
    );
}

#[test]
fn c02_a_field_that_is_not_known_is_a_fault() {
    fault(
        &Section::tdx("").with("mrteam", "1"),
        "tdx.mrteam",
        "is not known here",
    );
    fault(
        &Section::sgx("").with("mrenclave", "1"),
        "sgx.mrenclave",
        "is not known here",
    );
    let statuses =
        r#"[{"status":"OutOfDate","until":"2026-07-01T00:00:00Z","grace_days":1,"why":"x"}]"#;
    fault(
        &Section::tdx("").with("tolerated_statuses", statuses),
        "tdx.tolerated_statuses",
        "is not known here",
    );
    let xfam = r#"{"required":"0x3","allowed":"0x3","forbidden":"0x0"}"#;
    fault(
        &Section::tdx("").with("xfam", xfam),
        "tdx.xfam.forbidden",
        "is not known here",
    );
}

#[test]
fn c04_a_value_of_another_length_is_a_fault() {
    let section =
        Section::tdx("").with("measurements", format!(r#"{{"a":"{}"}}"#, "11".repeat(32)));
    assert!(
        section
            .read()
            .unwrap_err()
            .iter()
            .any(|fault| fault.path == "tdx.measurements")
    );
    let section = Section::tdx("").with("rtmr0", format!(r#"["{}"]"#, "11".repeat(32)));
    assert!(
        section
            .read()
            .unwrap_err()
            .iter()
            .any(|fault| fault.path == "tdx.rtmr0")
    );
}

#[test]
fn c05_what_contradicts_itself_is_a_fault() {
    let chain_only = Section::tdx("").with("collateral", r#""danger-chain-only""#);
    fault(
        &chain_only,
        "tdx.tcb_evaluation_at_least",
        "cannot be judged",
    );
    let statuses = r#"[{"status":"OutOfDate","until":"2026-07-01T00:00:00Z","grace_days":1}]"#;
    let advisories = r#"[{"id":"INTEL-SA-1","until":"2026-07-01T00:00:00Z"}]"#;
    let section = chain_only
        .with("tolerated_statuses", statuses)
        .with("tolerated_advisories", advisories);
    fault(&section, "tdx.tolerated_statuses", "cannot be judged");
    fault(&section, "tdx.tolerated_advisories", "cannot be judged");
    let xfam = r#"{"required":"0x4","allowed":"0x3"}"#;
    fault(
        &Section::tdx("").with("xfam", xfam),
        "tdx.xfam.required",
        "not in `allowed`",
    );
}

#[test]
fn c05_the_word_about_identity_is_what_the_pins_say() {
    let zeros = format!(r#"["{}"]"#, "00".repeat(48));
    let nothing = Section::tdx("")
        .with("ppids", r#""any""#)
        .with("mrconfigid", zeros.clone())
        .with("mrowner", zeros.clone())
        .with("rtmr3", zeros.clone());
    fault(&nothing, "tdx.identity", "nothing is");
    let danger = nothing.clone().with("identity", r#""danger-any-machine""#);
    assert!(danger.read().is_ok());
    let own = format!(r#"["{}"]"#, "01".repeat(48));
    for (name, value) in [
        ("ppids", format!(r#"["{}"]"#, "01".repeat(16))),
        ("mrconfigid", own.clone()),
        ("mrowner", own.clone()),
        ("rtmr3", own),
    ] {
        assert!(
            nothing.clone().with(name, value.clone()).read().is_ok(),
            "{name}"
        );
        fault(
            &danger.clone().with(name, value),
            "tdx.identity",
            "write `pinned`",
        );
    }
    let enclave = Section::sgx("").with("ppids", r#""any""#);
    fault(&enclave, "sgx.identity", "nothing is");
    let config = format!(r#"["{}"]"#, "01".repeat(64));
    assert!(enclave.with("config_ids", config).read().is_ok());
}

#[test]
fn statuses_that_need_no_tolerance_or_get_none_are_faults() {
    for (status, what) in [
        ("UpToDate", "always accepted"),
        ("Revoked", "never tolerated"),
        ("Fine", "must be one of"),
    ] {
        let value =
            format!(r#"[{{"status":"{status}","until":"2026-07-01T00:00:00Z","grace_days":1}}]"#);
        fault(
            &Section::tdx("").with("tolerated_statuses", value),
            "tdx.tolerated_statuses",
            what,
        );
    }
    let value = r#"[{"status":"OutOfDate","until":"2026-07-01T00:00:00Z","grace_days":"long"}]"#;
    fault(
        &Section::tdx("").with("tolerated_statuses", value),
        "tdx.tolerated_statuses",
        "or `unlimited`",
    );
    let value = r#"[{"status":"OutOfDate","grace_days":1}]"#;
    fault(
        &Section::tdx("").with("tolerated_statuses", value),
        "tdx.tolerated_statuses",
        "is not decided",
    );
}

#[test]
fn masks_are_hexadecimal() {
    for mask in ["3", "0x", "0xg", "0x10000000000000000", "-0x1", "0x+1"] {
        let xfam = format!(r#"{{"required":"0x0","allowed":"{mask}"}}"#);
        fault(
            &Section::tdx("").with("xfam", xfam),
            "tdx.xfam.allowed",
            "must be hexadecimal",
        );
    }
    let miscselect = r#"{"required":"0x0","allowed":"0x100000000"}"#;
    fault(
        &Section::sgx("").with("miscselect", miscselect),
        "sgx.miscselect.allowed",
        "0xffffffff",
    );
}

#[test]
fn registers_are_ignored_replayed_pinned_or_named() {
    for value in [r#""sometimes""#, "7", "null"] {
        let section = Section::tdx("").with("rtmr1", value);
        fault(&section, "tdx.rtmr1", "must be `ignored`, `replayed`");
    }
}

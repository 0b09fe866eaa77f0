//! The checks of a trust domain.

use super::{Section, Trial, assert_refused, assert_status, failures, forge::Mint, judge};
use crate::{Evidence, Part, Platform, Status};

/// With other attributes; bits are numbered from the least.
fn attributes(bits: &[u32]) -> Mint {
    let mut mint = Mint::tdx();
    let value = bits.iter().fold(0_u64, |value, bit| value | 1 << bit);
    mint.body[120..128].copy_from_slice(&value.to_le_bytes());
    mint
}

const ALSO: [&str; 3] = ["dcap.appraisal", "dcap.tcb-status", "dcap.advisories"];

#[test]
fn b10_every_attribute_bit_is_judged_by_name() {
    assert_status(&judge(&attributes(&[28])), Status::Affirming);
    for bit in 0..64 {
        let expected = match bit {
            0 => "tdx.debug",
            4..=6 => "tdx.profiling",
            16 | 27 => continue,
            17 => "tdx.servtd-ext",
            28 => continue,
            29 => "tdx.migratable",
            30 => "tdx.pks",
            31 => "tdx.key-locker",
            62 => "tdx.tpa",
            63 => "tdx.perfmon",
            _ => "tdx.reserved",
        };
        let codes = failures(&judge(&attributes(&[28, bit])));
        let ours: Vec<_> = codes
            .into_iter()
            .filter(|code| !ALSO.contains(code))
            .collect();
        assert_eq!(ours, [expected], "bit {bit}");
    }
}

#[test]
fn b10_a_debug_domain_is_refused_with_collateral_and_without() {
    let mint = attributes(&[0, 28]);
    let expected = [&["tdx.debug"], ALSO.as_slice()].concat();
    assert_refused(&judge(&mint), &expected);
    let forged = mint.build();
    let section = Section::tdx(&forged.root).chain_only();
    assert_refused(&Trial::of(&forged, section).judge(), &["tdx.debug"]);
}

#[test]
fn b10_a_domain_that_its_host_can_fault_is_refused() {
    let expected = [&["tdx.sept-ve-disable"], ALSO.as_slice()].concat();
    assert_refused(&judge(&attributes(&[])), &expected);
}

#[test]
fn attributes_that_policy_decides_are_as_it_says() {
    let names = [
        "icssd",
        "servtd_ext",
        "lass",
        "pks",
        "key_locker",
        "tpa",
        "perfmon",
    ];
    let bits = [16, 17, 27, 30, 31, 62, 63];
    for (name, bit) in names.into_iter().zip(bits) {
        let judge = |rule: &str, set: bool| {
            let mint = attributes(&[28, if set { bit } else { 28 }]);
            let forged = mint.build();
            let members = names.map(|other| {
                let rule = if other == name { rule } else { "either" };
                format!(r#""{other}":"{rule}""#)
            });
            let section = Section::tdx(&forged.root)
                .chain_only()
                .with("attributes", format!("{{{}}}", members.join(",")));
            failures(&Trial::of(&forged, section).judge())
        };
        let check = format!("tdx.{}", name.replace('_', "-"));
        assert_eq!(judge("required", true), Vec::<&str>::new());
        assert_eq!(judge("required", false), [check.as_str()]);
        assert_eq!(judge("refused", true), [check.as_str()]);
        assert_eq!(judge("refused", false), Vec::<&str>::new());
        assert_eq!(judge("either", true), Vec::<&str>::new());
        assert_eq!(judge("either", false), Vec::<&str>::new());
    }
}

#[test]
fn b10_processor_features_beyond_the_mask_or_missing_are_refused() {
    for xfam in [0x618e5_u64, 0x718e7, 0x8000_0000_0006_18e7] {
        let mut mint = Mint::tdx();
        mint.body[128..136].copy_from_slice(&xfam.to_le_bytes());
        assert_refused(&judge(&mint), &["tdx.xfam"]);
    }
    let mut mint = Mint::tdx();
    mint.body[128..136].copy_from_slice(&0x3_u64.to_le_bytes());
    assert_status(&judge(&mint), Status::Affirming);
}

#[test]
fn b10_each_field_that_policy_pins_is_compared() {
    let fields = [
        (16, "tdx.mrseam", false),
        (63, "tdx.mrseam", false),
        (64, "tdx.mrsignerseam", true),
        (111, "tdx.mrsignerseam", true),
        (112, "tdx.seam-attributes", true),
        (119, "tdx.seam-attributes", true),
        (136, "tdx.measurement", false),
        (183, "tdx.measurement", false),
        (184, "tdx.mrconfigid", false),
        (231, "tdx.mrconfigid", false),
        (232, "tdx.mrowner", false),
        (279, "tdx.mrowner", false),
        (280, "tdx.mrownerconfig", false),
        (327, "tdx.mrownerconfig", false),
        (328, "tdx.rtmr0", false),
        (375, "tdx.rtmr0", false),
        (376, "tdx.rtmr1", false),
        (424, "tdx.rtmr2", false),
        (472, "tdx.rtmr3", false),
        (519, "tdx.rtmr3", false),
        (520, "tdx.binding", false),
        (583, "tdx.binding", false),
    ];
    for (place, check, also) in fields {
        let mut mint = Mint::tdx();
        mint.body[place] ^= 1;
        let also: &[&str] = if also { &ALSO } else { &[] };
        assert_refused(&judge(&mint), &[&[check], also].concat());
    }
}

#[test]
fn a_field_that_policy_leaves_free_is_told_as_not_judged() {
    let forged = Mint::tdx().build();
    let section = Section::tdx(&forged.root)
        .with("mrseam", r#""any""#)
        .with("mrowner", r#""any""#)
        .with("rtmr0", r#""ignored""#);
    let result = Trial::of(&forged, section).judge();
    assert_status(&result, Status::Affirming);
    for code in ["tdx.mrseam", "tdx.mrowner", "tdx.rtmr0"] {
        let checked = result
            .checks
            .iter()
            .find(|checked| checked.check.code == code);
        assert_eq!(
            checked.unwrap().outcome.as_str(),
            "not-applicable",
            "{code}"
        );
    }
    assert_eq!(result.claim("mrseam"), Some("5e".repeat(48).as_str()));
}

#[test]
fn no_measurement_named_is_a_refusal() {
    let forged = Mint::tdx().build();
    let section = Section::tdx(&forged.root).with("measurements", r#""none""#);
    assert_refused(&Trial::of(&forged, section).judge(), &["tdx.measurement"]);
}

#[test]
fn service_domains_are_none_or_listed() {
    let hash = |byte: &str| format!(r#"["{}"]"#, byte.repeat(48));
    // MRSERVICETD of 1.5; of the extended report also what was bound first and what is bound now.
    for (kind, place) in [(3, 600), (4, 600), (4, 729), (4, 829)] {
        let mut mint = Mint::tdx5(kind);
        mint.body[6 + place..6 + place + 48].fill(0x5d);
        assert_refused(&judge(&mint), &["tdx.service-tds"]);
        let forged = mint.build();
        let listed = Section::tdx(&forged.root).with("service_tds", hash("5d"));
        assert_status(&Trial::of(&forged, listed).judge(), Status::Affirming);
        let other = Section::tdx(&forged.root).with("service_tds", hash("5e"));
        assert_refused(&Trial::of(&forged, other).judge(), &["tdx.service-tds"]);
    }
}

#[test]
fn devices_are_none_or_listed_and_the_domain_is_undivided() {
    let mut mint = Mint::tdx5(4);
    mint.body[6 + 681] = 1;
    assert_refused(&judge(&mint), &["tdx.devices"]);
    let forged = mint.build();
    let devices = format!(r#"["01{}"]"#, "00".repeat(47));
    let listed = Section::tdx(&forged.root).with("devices", devices);
    assert_status(&Trial::of(&forged, listed).judge(), Status::Affirming);
    let mut mint = Mint::tdx5(4);
    mint.body[6 + 648] = 1;
    assert_refused(&judge(&mint), &["tdx.partition"]);
}

#[test]
fn what_an_extended_report_tells_is_claimed() {
    let result = judge(&Mint::tdx5(4));
    assert_eq!(result.claim("td-id"), Some("1d".repeat(32).as_str()));
    assert_eq!(
        result.claim("tee-tcb-svn2"),
        Some("04010200000000000000000000000000")
    );
}

#[test]
fn b09_an_enclaves_quote_is_no_domains_and_the_other_way_round() {
    let forged = Mint::sgx().build();
    let mut trial = Trial::of(&forged, Section::tdx(&forged.root));
    trial.evidence = Evidence::new(Platform::Tdx).with(Part::Quote, forged.quote);
    let codes = failures(&trial.judge());
    assert!(
        codes.contains(&"tdx.version") && codes.contains(&"tdx.debug"),
        "{codes:?}"
    );

    let forged = Mint::tdx().build();
    let mut trial = Trial::of(&forged, Section::sgx(&forged.root));
    trial.evidence = Evidence::new(Platform::Sgx).with(Part::Quote, forged.quote);
    let codes = failures(&trial.judge());
    assert!(
        codes.contains(&"sgx.version") && codes.contains(&"sgx.debug"),
        "{codes:?}"
    );
}

#[test]
fn c06_a_result_lists_every_check_also_those_not_done() {
    let forged = Mint::tdx().build();
    let mut trial = Trial::of(&forged, Section::tdx(&forged.root));
    trial.evidence = Evidence::new(Platform::Tdx).with(Part::Quote, [0]);
    let result = trial.judge();
    use crate::dcap::checks;
    for check in [checks::QUOTE, checks::TCB, checks::TDX].concat() {
        let listed = result.checks.iter().any(|checked| checked.check == check);
        assert!(listed, "{}", check.code);
    }
}

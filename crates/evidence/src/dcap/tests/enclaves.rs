//! The checks of an enclave.

use super::{
    Section, Trial, assert_refused, assert_status, failures,
    forge::{Mint, header, typed},
    judge,
};
use crate::Status;

const ALSO: [&str; 3] = ["dcap.appraisal", "dcap.tcb-status", "dcap.advisories"];

fn attributes(bits: &[u32]) -> Mint {
    let mut mint = Mint::sgx();
    let value = bits.iter().fold(0_u64, |value, bit| value | 1 << bit);
    mint.body[48..56].copy_from_slice(&value.to_le_bytes());
    mint
}

#[test]
fn every_attribute_bit_is_judged_by_name() {
    assert_refused(&judge(&attributes(&[2])), &["sgx.init"]);
    assert_refused(&judge(&attributes(&[0])), &["sgx.mode64"]);
    for bit in 3..64 {
        let expected = match bit {
            4 => "sgx.provision-key",
            5 => "sgx.einittoken-key",
            6 => continue,
            7 => "sgx.kss",
            10 => "sgx.aex-notify",
            _ => "sgx.reserved",
        };
        assert_refused(&judge(&attributes(&[0, 2, bit])), &[expected]);
    }
    assert_status(&judge(&attributes(&[0, 2, 6])), Status::Affirming);
}

#[test]
fn a_debug_enclave_is_refused_with_collateral_and_without() {
    let mint = attributes(&[0, 1, 2]);
    assert_refused(&judge(&mint), &[&["sgx.debug"], ALSO.as_slice()].concat());
    let forged = mint.build();
    let section = Section::sgx(&forged.root).chain_only();
    assert_refused(&Trial::of(&forged, section).judge(), &["sgx.debug"]);
}

#[test]
fn attributes_that_policy_decides_are_as_it_says() {
    for (name, bit) in [("mode64", 2), ("cet", 6), ("kss", 7), ("aex_notify", 10)] {
        let judge = |rule: &str, set: bool| {
            let mint = attributes(&[0, if set { bit } else { 0 }]);
            let forged = mint.build();
            let members = ["mode64", "cet", "kss", "aex_notify"].map(|other| {
                let rule = if other == name { rule } else { "either" };
                format!(r#""{other}":"{rule}""#)
            });
            let section = Section::sgx(&forged.root)
                .chain_only()
                .with("attributes", format!("{{{}}}", members.join(",")));
            failures(&Trial::of(&forged, section).judge())
        };
        let check = format!("sgx.{}", name.replace('_', "-"));
        assert_eq!(judge("required", false), [check.as_str()]);
        assert_eq!(judge("refused", true), [check.as_str()]);
        for (rule, set) in [
            ("required", true),
            ("refused", false),
            ("either", true),
            ("either", false),
        ] {
            assert_eq!(judge(rule, set), Vec::<&str>::new(), "{name} {rule} {set}");
        }
    }
}

#[test]
fn features_beyond_the_masks_or_missing_are_refused() {
    for (range, value, check) in [
        (56..64, 0x1e7_u64, "sgx.xfrm"),
        (56..64, 0xe6, "sgx.xfrm"),
        (16..20, 0x2, "sgx.miscselect"),
    ] {
        let mut mint = Mint::sgx();
        let length = range.len();
        mint.body[range].copy_from_slice(&value.to_le_bytes()[..length]);
        assert_refused(&judge(&mint), &[check]);
    }
    let mut mint = Mint::sgx();
    mint.body[16] = 1;
    assert_status(&judge(&mint), Status::Affirming);
}

#[test]
fn fields_that_are_reserved_are_zero() {
    for place in [20, 31, 96, 127, 160, 191, 262, 303] {
        let mut mint = Mint::sgx();
        mint.body[place] = 1;
        assert_refused(&judge(&mint), &["sgx.reserved"]);
    }
}

#[test]
fn each_field_that_policy_pins_is_compared() {
    for (place, check) in [
        (64, "sgx.measurement"),
        (95, "sgx.measurement"),
        (192, "sgx.config-id"),
        (255, "sgx.config-id"),
        (304, "sgx.family"),
        (319, "sgx.family"),
        (32, "sgx.family"),
        (47, "sgx.family"),
        (320, "sgx.binding"),
        (383, "sgx.binding"),
    ] {
        let mut mint = Mint::sgx();
        mint.body[place] ^= 1;
        assert_refused(&judge(&mint), &[check]);
    }
}

#[test]
fn the_floor_of_the_configuration_missed_by_one_is_refused() {
    let mut mint = Mint::sgx();
    mint.body[260] = 4;
    assert_refused(&judge(&mint), &["sgx.config-svn"]);
    mint.body[260] = 6;
    assert_status(&judge(&mint), Status::Affirming);
}

#[test]
fn a_signers_product_from_its_floor_on_is_accepted() {
    let signers = |mrsigner: &str, product: u16, svn: u16| {
        format!(
            r#"[{{"name":"us","mrsigner":"{}","isv_prod_id":{product},"isv_svn_at_least":{svn}}}]"#,
            mrsigner.repeat(32)
        )
    };
    let judge = |signers: String| {
        let forged = Mint::sgx().build();
        let section = Section::sgx(&forged.root)
            .with("measurements", r#""none""#)
            .with("signers", signers);
        Trial::of(&forged, section).judge()
    };
    // The forged enclave is product 7, version 3.
    let result = judge(signers("51", 7, 3));
    assert_status(&result, Status::Affirming);
    assert_eq!(result.claim("signer-name"), Some("us"));
    assert_refused(&judge(signers("51", 7, 4)), &["sgx.isv-svn"]);
    assert_refused(&judge(signers("51", 8, 3)), &["sgx.measurement"]);
    assert_refused(&judge(signers("52", 7, 3)), &["sgx.measurement"]);
    assert_refused(&judge(r#""none""#.to_owned()), &["sgx.measurement"]);
}

#[test]
fn b09_an_enclaves_quote_of_version_5_is_refused() {
    let mut mint = Mint::sgx();
    mint.header = header(5, 0);
    mint.body = typed(1, &mint.body);
    assert_refused(&judge(&mint), &[&["sgx.version"], ALSO.as_slice()].concat());
}

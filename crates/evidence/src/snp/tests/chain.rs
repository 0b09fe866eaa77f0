//! Who signed: certificates, chains, revocation lists, one field at a time.

use super::*;
use crate::{
    forge::{Alg, Cert, Crl, Key, der},
    policy::Pin,
};

fn genoa() -> Forge {
    Forge::new(Product::Genoa)
}

fn judged(forge: &Forge) -> Vec<&'static str> {
    failed(&forge.judge(&forge.policy()))
}

#[test]
fn a_chain_of_amds_own_sizes_is_accepted() {
    let [root, intermediate] = [Key::rsa4096(0), Key::rsa4096(1)];
    let forge = genoa();
    let ark = Cert::new("ARK-Genoa", &root)
        .ca(None)
        .key_usage(0x06)
        .signed(Alg::PssSha384, &root);
    let ask = Cert::new("SEV-Genoa", &intermediate)
        .issuer("ARK-Genoa")
        .ca(Some(0))
        .key_usage(0x04)
        .signed(Alg::PssSha384, &root);
    let leaf = forge
        .vek
        .extensions
        .iter()
        .fold(
            Cert::new("SEV-VCEK", &forge.vek.key)
                .issuer("SEV-Genoa")
                .serial(&[0]),
            |leaf, (arc, value)| leaf.extension(&format!("1.3.6.1.4.1.3704.1.{arc}"), false, value),
        )
        .signed(Alg::PssSha384, &intermediate);
    let endorsements = Endorsements {
        certificates: vec![ask, leaf],
        crls: vec![Crl::new("ARK-Genoa").signed(Alg::PssSha384, &root)],
        ..Endorsements::default()
    };
    let result = forge::judge(forge.report(), &endorsements, &forge::policy(vec![ark]));
    assert_eq!(failed(&result), [""; 0]);
    assert_eq!(result.status, Status::Affirming);
}

#[test]
fn a_signature_that_is_zero_or_out_of_range_is_refused() {
    let forge = genoa();
    let policy = forge.policy();
    let endorsements = forge.endorsements();
    let with = |r: &[u8], s: &[u8]| {
        let mut report = forge.report();
        report[0x2a0..0x330].fill(0);
        report[0x2a0..0x2a0 + r.len()].copy_from_slice(r);
        report[0x2e8..0x2e8 + s.len()].copy_from_slice(s);
        failed(&forge::judge(report, &endorsements, &policy))
    };
    let good = forge.report();
    let (r, s) = (&good[0x2a0..0x2d0], &good[0x2e8..0x318]);
    assert_eq!(with(r, s), [""; 0]);
    assert_eq!(with(&[], &[]), ["snp.signed", "snp.signature"]);
    assert_eq!(with(r, &[]), ["snp.signature"]);
    assert_eq!(with(&[], s), ["snp.signature"]);
    assert_eq!(with(s, r), ["snp.signature"]);
    assert_eq!(with(&[0xff; 48], s), ["snp.signature"]);
    let long = [r, &[1]].concat();
    assert_eq!(with(&long, s), ["snp.signature"]);
}

#[test]
fn a_report_that_another_key_signed_is_refused() {
    let forge = genoa();
    let mut other = genoa();
    other.vek.key = Key::p384("another");
    let result = forge::judge(other.report(), &forge.endorsements(), &forge.policy());
    assert_eq!(failed(&result), ["snp.signature"]);
}

#[test]
fn b16_a_key_on_another_curve_signs_nothing() {
    let mut forge = genoa();
    let report = forge.report();
    forge.vek.key = Key::p256("short");
    let result = forge::judge(report, &forge.endorsements(), &forge.policy());
    assert_eq!(failed(&result), ["snp.signature"]);
}

#[test]
fn b05_a_vlek_is_not_taken_for_a_vcek_nor_the_other_way_round() {
    let both = |forge: &Forge| {
        let mut policy = forge.policy();
        policy.signing_keys.vlek = Vlek::Accepted { csp_ids: Pin::Any };
        failed(&forge.judge(&policy))
    };
    let vlek = Forge::vlek(Product::Genoa, "cloud");
    assert_eq!(both(&vlek), [""; 0]);
    assert_eq!(both(&vlek.clone().put(0x48, &[0])), ["snp.signing-key"]);
    assert_eq!(both(&genoa().put(0x48, &[1 << 2])), ["snp.signing-key"]);
    for kind in [2, 3, 4, 5, 6, 7] {
        assert_eq!(
            both(&genoa().put(0x48, &[kind << 2])),
            ["snp.signing-key"],
            "{kind}"
        );
    }
    // The intermediate of the other kind, with certificates that are whole otherwise.
    let mut swapped = vlek;
    swapped.names[1] = "SEV-Genoa".to_owned();
    assert_eq!(both(&swapped), ["snp.chain"]);
    let mut swapped = genoa();
    swapped.names[1] = "SEV-VLEK-Genoa".to_owned();
    assert_eq!(both(&swapped), ["snp.chain"]);
}

#[test]
fn a_kind_of_key_that_the_policy_refuses_is_refused() {
    let vlek = Forge::vlek(Product::Genoa, "cloud");
    assert_eq!(judged(&vlek), ["snp.csp", "snp.signing-key"]);
    let mut policy = genoa().policy();
    policy.signing_keys = SigningKeys {
        vcek: Vcek::Refused,
        vlek: Vlek::Accepted { csp_ids: Pin::Any },
    };
    assert_eq!(failed(&genoa().judge(&policy)), ["snp.signing-key"]);
}

#[test]
fn a_provider_that_is_not_listed_is_refused() {
    let vlek = Forge::vlek(Product::Turin, "cloud");
    let mut policy = vlek.policy();
    let mut with = |ids: &[&str]| {
        let csp_ids = Pin::OneOf(ids.iter().map(|id| (*id).to_owned()).collect());
        policy.signing_keys.vlek = Vlek::Accepted { csp_ids };
        vlek.judge(&policy)
    };
    assert_eq!(failed(&with(&["another", "clou"])), ["snp.csp"]);
    let accepted = with(&["another", "cloud"]);
    assert_eq!(accepted.status, Status::Affirming);
    assert_eq!(accepted.claim("csp-id"), Some("cloud"));
    assert_eq!(accepted.claim("signing-key"), Some("vlek"));
}

#[test]
fn b05_a_certificate_under_the_root_of_another_product_is_refused() {
    let forge = genoa();
    let turin = Forge::new(Product::Turin);
    let roots = vec![forge.root(), turin.root()];
    let policy = forge::policy(roots);
    // The certificate says Genoa and is otherwise right, and Turin's authorities issued it.
    let mut wrong = genoa();
    wrong.names = turin.names.clone();
    wrong.crl = turin.crl.clone();
    assert_eq!(failed(&wrong.judge(&policy)), ["snp.chain"]);
    // The processor is Genoa's, and everything else is Turin's.
    let wrong = turin.put(0x188, &[0x19, 0x11, 0x01]);
    let codes = failed(&wrong.judge(&policy));
    for code in [
        "snp.vek-product",
        "snp.vek-tcb",
        "snp.vek-chip",
        "snp.chain",
    ] {
        assert!(codes.contains(&code), "{code} is not in {codes:?}");
    }
}

#[test]
fn b05_a_certificate_that_names_another_product_is_refused() {
    let mut forge = genoa();
    forge.vek.set("2", Some(forge::ia5("Milan-B0")));
    assert_eq!(judged(&forge), ["snp.vek-product"]);
    forge.vek.set("2", Some(forge::ia5("Genoa-B1")));
    assert_eq!(judged(&forge), [""; 0]);
    forge.vek.set("2", Some(forge::ia5("Siena")));
    assert_eq!(judged(&forge), ["snp.vek-product"]);
}

#[test]
fn a_root_that_the_policy_does_not_name_is_refused() {
    let forge = genoa();
    let stranger = Cert::new("ARK-Genoa", &Key::rsa2048(2))
        .ca(None)
        .key_usage(0x06)
        .signed(Alg::PssSha384, &Key::rsa2048(2));
    let result = forge.judge(&forge::policy(vec![stranger]));
    assert_eq!(failed(&result), ["snp.chain"]);
    let turin = Forge::new(Product::Turin).root();
    assert_eq!(
        failed(&forge.judge(&forge::policy(vec![turin]))),
        ["snp.chain"]
    );
    let mut vendor = forge.policy();
    vendor.roots = crate::policy::fields::Roots::Vendor;
    assert_eq!(failed(&forge.judge(&vendor)), ["snp.chain"]);
}

#[test]
fn a_leaf_that_the_root_issued_itself_is_refused() {
    let forge = genoa();
    let leaf = forge
        .vek
        .extensions
        .iter()
        .fold(
            Cert::new("SEV-VCEK", &forge.vek.key).issuer("ARK-Genoa"),
            |leaf, (arc, value)| leaf.extension(&format!("1.3.6.1.4.1.3704.1.{arc}"), false, value),
        )
        .signed(Alg::PssSha384, &forge::root_key());
    let endorsements = Endorsements {
        certificates: vec![leaf],
        ..forge.endorsements()
    };
    let result = forge::judge(forge.report(), &endorsements, &forge.policy());
    assert_eq!(failed(&result), ["snp.chain"]);
}

#[test]
fn b14_a_missing_intermediate_or_one_too_many_is_refused() {
    let forge = genoa();
    let mut endorsements = forge.endorsements();
    endorsements.certificates.remove(1);
    let result = forge::judge(forge.report(), &endorsements, &forge.policy());
    assert_eq!(failed(&result), ["snp.chain"]);
    let between = Key::rsa2048(3);
    let first = Cert::new("SEV-Genoa", &forge::intermediate_key())
        .issuer("between")
        .ca(None)
        .key_usage(0x04)
        .signed(Alg::PssSha384, &between);
    let second = Cert::new("between", &between)
        .issuer("ARK-Genoa")
        .ca(None)
        .key_usage(0x04)
        .signed(Alg::PssSha384, &forge::root_key());
    let endorsements = Endorsements {
        certificates: vec![forge.leaf(), first, second],
        ..forge.endorsements()
    };
    let result = forge::judge(forge.report(), &endorsements, &forge.policy());
    assert_eq!(failed(&result), ["snp.chain"]);
}

#[test]
fn a_certificate_is_valid_from_its_first_to_its_last_moment() {
    let forge = genoa();
    let at = |time: &str| {
        let binding = Binding::ReportData(crate::ReportData::from_bytes(forge::CHALLENGE));
        let mut policy = forge.policy();
        policy.revocation = Revocation::NotChecked;
        forge::judge_at(
            forge.report(),
            &forge.endorsements(),
            &policy,
            &binding,
            time,
        )
    };
    assert_eq!(failed(&at("2025-12-31T23:59:59Z")), ["snp.validity"]);
    assert_eq!(failed(&at("2026-01-01T00:00:00Z")), [""; 0]);
    assert_eq!(failed(&at("2033-01-01T00:00:00Z")), [""; 0]);
    assert_eq!(failed(&at("2033-01-01T00:00:01Z")), ["snp.validity"]);
    // Root and intermediate end in 2040: theirs count too.
    assert!(failed(&at("2041-01-01T00:00:00Z")).contains(&"snp.validity"));
}

#[test]
fn the_certificate_has_to_be_for_the_firmware_that_the_report_claims() {
    for (arc, other) in [("3.1", 11), ("3.2", 1), ("3.3", 0x18), ("3.8", 0x55)] {
        let mut forge = genoa();
        forge.vek.set(arc, Some(forge::integer(other)));
        assert_eq!(judged(&forge), ["snp.vek-tcb"], "{arc}");
    }
    let mut forge = Forge::new(Product::Turin);
    forge.vek.set("3.9", Some(forge::integer(2)));
    assert_eq!(judged(&forge), ["snp.vek-tcb"]);
    let mut forge = genoa();
    forge.vek.set("3.9", Some(forge::integer(1)));
    assert_eq!(
        judged(&forge),
        ["snp.vek-tcb"],
        "Genoa has no such component"
    );
    // Claiming newer firmware than the key is for, with everything else raised along.
    let claim = [0x038, 0x180, 0x1e0, 0x1f0]
        .into_iter()
        .fold(genoa(), |forge, at| forge.put(at + 6, &[0x20]));
    assert_eq!(judged(&claim), ["snp.vek-tcb"]);
}

#[test]
fn the_certificate_has_to_be_for_the_chip_that_the_report_names() {
    let mut forge = genoa();
    let mut other = forge::CHIP.to_vec();
    other[63] ^= 1;
    forge.vek.set("4", Some(other));
    assert_eq!(judged(&forge), ["snp.vek-chip"]);
    forge.vek.set("4", Some(forge::CHIP[..8].to_vec()));
    assert_eq!(
        judged(&forge),
        ["snp.vek-chip"],
        "Turin's short form is not Genoa's"
    );
    forge.vek.set("4", Some(der::octets(forge::CHIP)));
    assert_eq!(judged(&forge), [""; 0], "wrapped");
    let mut turin = Forge::new(Product::Turin);
    turin.vek.set("4", Some(b"Sixty-fo".to_vec()));
    assert_eq!(judged(&turin), [""; 0]);
    turin.vek.set("4", Some(b"Sixty-f0".to_vec()));
    assert_eq!(judged(&turin), ["snp.vek-chip"]);
    turin.vek.set("4", Some(forge::CHIP.to_vec()));
    assert_eq!(judged(&turin), ["snp.vek-chip"]);
    // A chip whose identifier begins like a wrapping of the rest of it.
    let mut chip = forge::CHIP;
    chip[..2].copy_from_slice(&[0x04, 62]);
    forge.vek.set("4", Some(chip.to_vec()));
    assert_eq!(judged(&forge.clone().put(0x1a0, &chip)), ["snp.chip-id"]);
    let masked = genoa().put(0x1a0, &[0; 64]);
    assert_eq!(judged(&masked), ["snp.chip-id", "snp.vek-chip"]);
}

#[test]
fn a_machine_that_may_not_use_its_key_is_refused() {
    assert_eq!(judged(&genoa().put(0x48, &[2])), ["snp.mask-chip-key"]);
}

#[test]
fn extensions_that_are_not_amds_are_refused() {
    let long = vec![0x16, 0x81, 0x05];
    for (arc, value) in [
        ("1", Some(forge::integer(2))),
        ("2", None),
        ("2", Some(long)),
        ("2", Some(vec![0x16, 3, b'G'])),
        ("2", Some(vec![0x16, 2, 0xff, 0xfe])),
        ("3.1", None),
        ("3.1", Some(vec![0x02, 0x01, 0x80])),
        ("3.1", Some(vec![0x02, 0x02, 0x00, 0x0a])),
        ("3.1", Some(vec![0x02, 0x02, 0x01, 0x00])),
        ("3.1", Some(vec![0x02, 0x01, 0x0a, 0x00])),
        ("3.3", Some(vec![0x04, 0x01, 0x17])),
        ("3.4", Some(forge::integer(1))),
        ("3.7", Some(forge::integer(1))),
        ("4", None),
        ("4", Some(vec![0; 63])),
        ("5", Some(forge::ia5("cloud"))),
    ] {
        let mut forge = genoa();
        forge.vek.set(arc, value.clone());
        assert_eq!(judged(&forge), ["snp.vek"], "{arc} {value:?}");
    }
    let mut turin = Forge::new(Product::Turin);
    turin.vek.set("3.9", None);
    assert_eq!(judged(&turin), ["snp.vek"]);
}

#[test]
fn a_report_without_its_certificate_is_refused() {
    let forge = genoa();
    let endorsements = Endorsements {
        certificates: vec![forge.intermediate(), b"no certificate".to_vec()],
        ..Endorsements::default()
    };
    let result = forge::judge(forge.report(), &endorsements, &forge.policy());
    assert_eq!(failed(&result), ["snp.certificate"]);
    assert!(forge::not_done(&result).contains(&"snp.signature"));
    assert!(
        result
            .notes
            .iter()
            .any(|note| note.contains("endorsement 1"))
    );
    let mut many = forge.endorsements();
    many.certificates.resize(33, forge.intermediate());
    let result = forge::judge(forge.report(), &many, &forge.policy());
    assert_eq!(failed(&result), ["snp.certificate"]);
}

#[test]
fn c07_of_several_certificates_the_one_that_signed_is_taken_and_the_others_are_named() {
    let forge = genoa();
    let mut older = genoa();
    older.vek.key = Key::p384("older");
    older.vek.set("3.3", Some(forge::integer(0x16)));
    let vlek = Forge::vlek(Product::Genoa, "cloud");
    let mut endorsements = forge.endorsements();
    endorsements.certificates.insert(0, older.leaf());
    endorsements.certificates.insert(0, vlek.intermediate());
    let result = forge::judge(forge.report(), &endorsements, &forge.policy());
    assert_eq!(result.status, Status::Affirming);
    for unused in ["SEV-VCEK came", "SEV-VLEK-Genoa came", "was not used"] {
        let unused = unused.trim_end_matches(" came");
        assert!(
            result.notes.iter().any(|note| note.contains(unused)),
            "{unused}"
        );
    }
    assert!(!result.notes.iter().any(|note| note.contains("ARK-Genoa")));
}

#[test]
fn a_chain_that_is_signed_otherwise_than_amd_does_is_refused() {
    let mut forge = genoa();
    forge.alg = Alg::PssSha384Salt(32);
    let codes = judged(&forge);
    assert_eq!(codes, ["snp.chain"]);
}

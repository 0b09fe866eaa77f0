use std::time::Duration;

use super::super::{
    forge::{
        self, CHALLENGE, Forge, INSTANCE, MADE, bytes, failed, found, int, judge, judge_bound, map,
        policy, text, uint,
    },
    *,
};
use crate::{
    About, AttestationResult, Evidence, Platform, ReferenceValues, Status, Timestamp, appraise,
    check::Outcome,
    forge::{Alg, Cert, Key},
    policy::{Freshness, fields::Roots},
};

pub(super) fn refused(forge: &Forge, codes: &[&str]) -> AttestationResult {
    let result = forge.judge();
    assert_eq!(failed(&result), codes);
    assert_eq!(result.status, Status::Contraindicated);
    result
}

#[test]
fn an_enclave_and_an_instance_are_accepted_with_every_check_decided() {
    for forge in [Forge::enclave(), Forge::instance()] {
        let result = forge.judge();
        assert_eq!(failed(&result), [""; 0]);
        assert_eq!(result.status, Status::Affirming);
        for check in ALL {
            let decided = result
                .checks
                .iter()
                .any(|checked| checked.check.code == check.code);
            assert!(decided, "{} is not decided", check.code);
        }
    }
}

#[test]
fn what_is_proved_answers_what_who_where_and_when() {
    let result = Forge::enclave().judge();
    let value = |byte: &str| byte.repeat(48);
    for (name, expected) in [
        ("measurement", value("a0")),
        ("pcr1", value("a1")),
        ("pcr2", value("a2")),
        ("pcr3", value("a3")),
        ("pcr4", value("a4")),
        ("pcr8", value("a8")),
        ("instance", INSTANCE.to_owned()),
        ("module", format!("{INSTANCE}-enc0123456789abcdef")),
        ("made-at", MADE.to_owned()),
        ("nonce", crate::hex::encode(CHALLENGE)),
    ] {
        assert_eq!(result.claim(name), Some(expected.as_str()), "{name}");
    }
    let about = |about| result.claims.iter().any(|claim| claim.about == about);
    assert!([About::What, About::Who, About::Where, About::When].map(about) == [true; 4]);
    // Five minutes are less than its certificate's three hours.
    let end = Timestamp::parse_rfc3339("2026-05-01T12:05:00Z").unwrap();
    assert_eq!(result.not_after, Some(end));
    let mut patient = policy();
    patient.max_age = Duration::from_secs(10_800);
    let end = Timestamp::parse_rfc3339("2026-05-01T14:59:59Z").unwrap();
    assert_eq!(Forge::enclave().judge_by(&patient).not_after, Some(end));
    let instance = Forge::instance().judge();
    assert_eq!(instance.claim("measurement"), Some(value("b4").as_str()));
    assert_eq!(instance.claim("pcr7"), Some(value("b7").as_str()));
    assert_eq!(instance.claim("pcr12"), Some(value("12").as_str()));
    assert!(
        instance
            .notes
            .iter()
            .any(|note| note.contains("administrator"))
    );
}

#[test]
fn a_document_that_is_missing_or_there_twice_is_refused() {
    let document = Forge::enclave().document();
    let twice = Evidence::new(Platform::Nitro)
        .with(Part::Document, document.clone())
        .with(Part::Document, document);
    for evidence in [Evidence::new(Platform::Nitro), twice] {
        let mut values = ReferenceValues::refusing_all(Freshness::Unproven);
        values.nitro = Some(policy());
        let result = appraise(&Input {
            evidence: &evidence,
            endorsements: &crate::Endorsements::default(),
            binding: &Binding::Unknown,
            policy: &values,
            at: Timestamp::parse_rfc3339(MADE).unwrap(),
        });
        assert_eq!(failed(&result).first(), Some(&"nitro.document"));
        assert_eq!(result.failures().count(), ALL.len());
    }
}

#[test]
fn bytes_that_are_no_document_leave_every_other_check_undone() {
    let result = judge(&[0x84, 0, 0, 0, 0], &policy(), &[], MADE);
    assert_eq!(result.failures().count(), ALL.len());
    let undone = |code: &str| {
        let of = result
            .checks
            .iter()
            .find(|checked| checked.check.code == code);
        of.unwrap().outcome == Outcome::NotDone
    };
    assert!(undone("nitro.signature") && undone("nitro.chain") && !undone("nitro.document"));
}

#[test]
fn b21_an_algorithm_that_is_not_the_keys_is_refused() {
    let mut forge = Forge::enclave();
    forge.protected = map(&[(int(1), int(-7))]);
    let result = refused(&forge, &["nitro.algorithm", "nitro.signature"]);
    assert!(found(&result, "nitro.algorithm").contains("is -7, and must be ES384"));
    // Named as it must be, and made with another digest.
    let mut forge = Forge::enclave();
    forge.algorithm = Alg::EcdsaSha256;
    refused(&forge, &["nitro.signature"]);
}

#[test]
fn b21_an_algorithm_that_nobody_signed_is_refused() {
    for protected in [map(&[]), Vec::new()] {
        let mut forge = Forge::enclave();
        forge.protected = protected.clone();
        let result = refused(&forge, &["nitro.algorithm", "nitro.signature"]);
        assert!(found(&result, "nitro.algorithm").contains("not named"));
        forge.unprotected = map(&[(int(1), int(-35))]);
        let result = forge.judge();
        assert_eq!(failed(&result).first(), Some(&"nitro.document"));
        assert!(found(&result, "nitro.document").contains("header 1 is unprotected"));
    }
    let mut forge = Forge::enclave();
    forge.unprotected = map(&[(int(4), bytes(b"key"))]);
    let result = refused(&forge, &["nitro.algorithm"]);
    assert!(found(&result, "nitro.algorithm").contains("1 protected and 1 unprotected"));
    let mut forge = Forge::enclave();
    forge.protected = map(&[(int(1), int(-35)), (int(3), int(0))]);
    refused(&forge, &["nitro.algorithm"]);
}

#[test]
fn a_p256_signature_is_refused() {
    let mut forge = Forge::enclave();
    let key = Key::p256("nitro");
    forge.leaf = forge::leaf(&forge.module_id, &key);
    forge.key = key;
    forge.algorithm = Alg::EcdsaSha256;
    refused(&forge, &["nitro.signature"]);
}

#[test]
fn a_document_that_another_key_signed_is_refused() {
    let mut forge = Forge::enclave();
    forge.key = Key::p384("somebody else");
    refused(&forge, &["nitro.signature"]);
}

#[test]
fn b16_a_signature_of_zero_or_of_another_length_is_refused() {
    let document = Forge::enclave().document();
    let crls = Forge::enclave().crls;
    let at = document.len() - 96;
    for range in [at..at + 48, at + 48..at + 96, at..at + 96] {
        let mut zeroed = document.clone();
        zeroed[range].fill(0);
        let result = judge(&zeroed, &policy(), &crls, MADE);
        assert_eq!(failed(&result), ["nitro.signature"]);
    }
    // One byte fewer, and the length before it says so.
    let mut short = document[..document.len() - 1].to_vec();
    short[at - 1] = 95;
    let result = judge(&short, &policy(), &crls, MADE);
    assert_eq!(failed(&result), ["nitro.signature"]);
}

#[test]
fn a_chain_to_another_root_is_refused() {
    let mut other = policy();
    other.roots = Roots::Vendor;
    let result = Forge::enclave().judge_by(&other);
    assert_eq!(failed(&result), ["nitro.chain", "nitro.revocation"]);
}

#[test]
fn a_chain_with_a_gap_is_refused() {
    let mut forge = Forge::enclave();
    forge.without_issuer = true;
    let result = refused(&forge, &["nitro.chain", "nitro.revocation"]);
    assert!(found(&result, "nitro.chain").contains("zone.test"));
}

#[test]
fn a_certificate_that_was_not_valid_when_the_document_was_made_is_refused() {
    for (from, until) in [
        ("2026-05-01T12:00:01Z", "2026-05-01T14:59:59Z"),
        ("2026-05-01T11:00:00Z", "2026-05-01T11:59:59Z"),
    ] {
        let mut forge = Forge::enclave();
        forge.leaf = forge.leaf.validity(from, until);
        refused(&forge, &["nitro.chain", "nitro.revocation"]);
    }
}

#[test]
fn a_certificate_of_another_module_is_refused() {
    let key = Forge::enclave().key;
    let name = |name: &str| {
        let mut forge = Forge::enclave();
        let until = "2026-05-01T14:59:59Z";
        forge.leaf = Cert::new(name, &key)
            .validity("2026-05-01T11:59:56Z", until)
            .key_usage(0x80);
        forge
    };
    let module = format!("{INSTANCE}-enc0123456789abcdef");
    refused(
        &name("i-0123456789abcdef1-enc0.region.test"),
        &["nitro.certificate"],
    );
    refused(&name(&module), &["nitro.certificate"]);
    refused(
        &name(&format!("{module}0.region.test")),
        &["nitro.certificate"],
    );
    assert_eq!(
        name(&format!("{module}.other.test")).judge().status,
        Status::Affirming
    );
}

#[test]
fn an_authority_that_signs_a_document_itself_is_refused() {
    let mut forge = Forge::enclave();
    forge.leaf = forge.leaf.ca(None);
    refused(&forge, &["nitro.certificate"]);
}

#[test]
fn a_certificate_that_may_not_sign_is_refused() {
    let mut forge = Forge::enclave();
    let key = forge.key.clone();
    forge.leaf = Cert::new(&format!("{}.region.test", forge.module_id), &key).key_usage(0x04);
    refused(&forge, &["nitro.chain", "nitro.revocation"]);
}

#[test]
fn b13_a_list_that_is_missing_expired_or_not_yet_valid_is_refused() {
    let mut forge = Forge::enclave();
    forge.crls.remove(1);
    let result = refused(&forge, &["nitro.revocation"]);
    assert!(found(&result, "nitro.revocation").contains("region.test"));
    for (this, next) in [
        ("2026-05-02T00:00:00Z", "2027-01-01T00:00:00Z"),
        ("2025-01-01T00:00:00Z", "2026-05-01T12:00:00Z"),
    ] {
        let region = forge::regional();
        let list = crate::forge::Crl::new(&region.name)
            .updates(this, Some(next))
            .signed(region.alg, &region.key);
        let mut forge = Forge::enclave();
        forge.crls[1] = list;
        refused(&forge, &["nitro.revocation"]);
    }
    let mut forge = Forge::enclave();
    forge.crls.push(b"no list".to_vec());
    refused(&forge, &["nitro.revocation"]);
}

#[test]
fn b13_a_revoked_certificate_is_refused_also_where_no_list_is_asked_for() {
    let revoked = [
        (0, forge::root().crl(&[b"nitro region"])),
        (1, forge::regional().crl(&[b"nitro zone"])),
        (2, forge::zone_list(b"nitro leaf")),
    ];
    let mut lax = policy();
    lax.revocation = Revocation::NotChecked;
    for (place, list) in revoked {
        let mut forge = Forge::enclave();
        if place == 2 {
            forge.crls.push(list);
        } else {
            forge.crls[place] = list;
        }
        refused(&forge, &["nitro.revocation"]);
        assert_eq!(failed(&forge.judge_by(&lax)), ["nitro.revocation"]);
    }
    let mut without = Forge::enclave();
    without.crls.clear();
    assert_eq!(without.judge_by(&lax).status, Status::Affirming);
}

#[test]
fn b13_certificates_that_name_no_list_are_refused_where_lists_are_asked_for() {
    let mut forge = Forge::enclave();
    forge.lists = forge::Lists::NotNamed;
    let result = refused(&forge, &["nitro.revocation"]);
    assert_eq!(found(&result, "nitro.revocation"), "none does");
}

#[test]
fn a_bundle_with_something_else_in_it_is_refused() {
    let mut forge = Forge::enclave();
    forge.bundled = Some(b"no certificate".to_vec());
    refused(&forge, &["nitro.chain", "nitro.revocation"]);
}

#[test]
fn the_result_ends_with_the_first_list() {
    let region = forge::regional();
    let mut forge = Forge::enclave();
    forge.crls[1] = crate::forge::Crl::new(&region.name)
        .updates("2026-01-01T00:00:00Z", Some("2026-05-01T12:01:00Z"))
        .signed(region.alg, &region.key);
    let end = Timestamp::parse_rfc3339("2026-05-01T12:01:00Z").unwrap();
    assert_eq!(forge.judge().not_after, Some(end));
}

#[test]
fn a_document_is_refused_when_it_is_too_old_or_of_the_future() {
    let document = Forge::enclave().document();
    let crls = Forge::enclave().crls;
    for (at, status) in [
        ("2026-05-01T12:05:00Z", Status::Affirming),
        ("2026-05-01T12:05:01Z", Status::Contraindicated),
        ("2026-05-01T11:59:00Z", Status::Affirming),
        ("2026-05-01T11:58:59Z", Status::Contraindicated),
    ] {
        let result = judge(&document, &policy(), &crls, at);
        assert_eq!(result.status, status, "{at}");
        if status == Status::Contraindicated {
            assert_eq!(failed(&result), ["nitro.age"], "{at}");
        }
    }
}

#[test]
fn a_time_beyond_all_calendars_is_refused() {
    for timestamp in [u64::MAX, 0] {
        let mut forge = Forge::enclave();
        forge.timestamp = timestamp;
        let codes = failed(&forge.judge());
        assert!(
            codes.contains(&"nitro.age") && codes.contains(&"nitro.chain"),
            "{codes:?}"
        );
        assert_eq!(codes.contains(&"nitro.fields"), timestamp == 0);
    }
}

#[test]
fn another_digest_is_refused() {
    for digest in ["SHA256", "sha384", "SHA512"] {
        let mut forge = Forge::enclave();
        forge.digest = digest.to_owned();
        refused(&forge, &["nitro.fields"]);
    }
}

#[test]
fn a_field_that_nobody_specified_is_refused_by_name() {
    let mut forge = Forge::enclave();
    forge.more.push((text("tee_version"), uint(1)));
    let result = refused(&forge, &["nitro.fields"]);
    assert!(found(&result, "nitro.fields").contains("tee_version"));
    let mut forge = Forge::enclave();
    forge.more.push((uint(7), uint(1)));
    let result = refused(&forge, &["nitro.fields"]);
    assert!(found(&result, "nitro.fields").contains("a number as a name"));
}

#[test]
fn fields_hold_at_most_what_aws_says() {
    let mut any = policy();
    any.user_data = FieldRule::Any;
    any.public_key = FieldRule::Any;
    let with = |forge: Forge, data: usize, key: usize| {
        let mut forge = forge;
        forge.user_data = Some(vec![7; data]);
        forge.public_key = Some(vec![7; key]);
        failed(&forge.judge_by(&any))
    };
    assert_eq!(with(Forge::enclave(), 512, 1024), [""; 0]);
    assert_eq!(with(Forge::enclave(), 513, 1024), ["nitro.fields"]);
    assert_eq!(with(Forge::enclave(), 512, 1025), ["nitro.fields"]);
    assert_eq!(with(Forge::instance(), 1024, 1024), [""; 0]);
    assert_eq!(with(Forge::instance(), 1025, 1024), ["nitro.fields"]);
    let long = vec![7; 513];
    let binding = Binding::Challenge(long.clone());
    let mut forge = Forge::enclave();
    forge.nonce = Some(long);
    let result = judge_bound(&forge.document(), &any, &forge.crls, (MADE, &binding));
    assert_eq!(failed(&result), ["nitro.fields"]);
}

#[test]
fn the_binding_is_compared_as_a_whole() {
    let crls = Forge::enclave().crls;
    let short = CHALLENGE[..31].to_vec();
    let longer = [CHALLENGE, &[0]].concat();
    for nonce in [
        None,
        Some(Vec::new()),
        Some(short),
        Some(longer),
        Some(vec![0; 32]),
    ] {
        let mut forge = Forge::enclave();
        forge.nonce = nonce;
        refused(&forge, &["nitro.binding"]);
    }
    let mut forge = Forge::enclave();
    forge.user_data = forge.nonce.take();
    let codes = failed(&forge.judge());
    assert_eq!(codes, ["nitro.binding", "nitro.user-data"]);
    let mut by_data = policy();
    by_data.nonce = FieldRule::Absent;
    by_data.user_data = FieldRule::Binding;
    assert_eq!(failed(&forge.judge_by(&by_data)), [""; 0]);
    // All 64 bytes of report data, as they are.
    let data = crate::ReportData::from_bytes([7; 64]);
    forge.user_data = Some(vec![7; 64]);
    let binding = Binding::ReportData(data);
    let result = judge_bound(&forge.document(), &by_data, &crls, (MADE, &binding));
    assert_eq!(failed(&result), [""; 0]);
    forge.user_data = Some([vec![7; 32], vec![0; 32]].concat());
    let result = judge_bound(&forge.document(), &by_data, &crls, (MADE, &binding));
    assert_eq!(failed(&result), ["nitro.binding"]);
}

#[test]
fn without_a_challenge_the_binding_says_nothing() {
    let forge = Forge::enclave();
    let binding = Binding::Unknown;
    let result = judge_bound(&forge.document(), &policy(), &forge.crls, (MADE, &binding));
    assert_eq!(result.status, Status::Affirming);
    let of = result
        .checks
        .iter()
        .find(|checked| checked.check.code == "nitro.binding");
    assert!(matches!(of.unwrap().outcome, Outcome::NotApplicable { .. }));
}

#[test]
fn each_field_is_held_to_its_rule() {
    let present = |place: usize| {
        let mut forge = Forge::enclave();
        match place {
            0 => forge.user_data = Some(b"data".to_vec()),
            _ => forge.public_key = Some(b"data".to_vec()),
        }
        forge
    };
    for (place, code) in [(0, "nitro.user-data"), (1, "nitro.public-key")] {
        refused(&present(place), &[code]);
        let ruled = |rule: FieldRule| {
            let mut policy = policy();
            match place {
                0 => policy.user_data = rule,
                _ => policy.public_key = rule,
            }
            policy
        };
        let one = |value: &[u8]| ruled(FieldRule::OneOf(vec![value.to_vec()]));
        assert_eq!(failed(&present(place).judge_by(&one(b"data"))), [""; 0]);
        assert_eq!(failed(&present(place).judge_by(&one(b"date"))), [code]);
        assert_eq!(failed(&Forge::enclave().judge_by(&one(b"data"))), [code]);
        assert_eq!(
            failed(&present(place).judge_by(&ruled(FieldRule::Any))),
            [""; 0]
        );
    }
    let mut nonces = policy();
    nonces.nonce = FieldRule::OneOf(vec![b"other".to_vec()]);
    nonces.user_data = FieldRule::Binding;
    let mut forge = Forge::enclave();
    forge.user_data = Some(CHALLENGE.to_vec());
    assert_eq!(failed(&forge.judge_by(&nonces)), ["nitro.nonce"]);
    let result = forge.judge_by(&policy());
    assert_eq!(
        result.claim("user-data"),
        Some(crate::hex::encode(CHALLENGE).as_str())
    );
}

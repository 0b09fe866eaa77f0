use super::*;
use crate::{
    azure::tests::{
        forged::{EKU, Endorsement, issuer},
        vectors::shared,
    },
    check::Check,
    forge::{Alg as Signs, Key},
};

static ALL: &[&Check] = &[
    &aci::UVM_ISSUER,
    &aci::UVM_ROOT,
    &aci::UVM_EKU,
    &aci::UVM_CHAIN,
    &aci::UVM_TIME,
    &aci::UVM_SIGNATURE,
    &aci::UVM_FEED,
    &aci::UVM_SVN,
];

const FORMS: [Form; 2] = [Form::Cwt, Form::Json];

fn rules(endorsement: &Endorsement) -> UvmRules {
    UvmRules {
        issuers: vec![
            "did:x509:0:sha256:other".to_owned(),
            endorsement.issuer.clone(),
        ],
        feeds: vec!["Other".to_owned(), "ContainerPlat-AMD-UVM".to_owned()],
        svn: 104,
    }
}

fn at() -> Timestamp {
    Timestamp::parse_rfc3339("2026-11-20T00:00:00Z").expect("a time")
}

/// The checks that fail of what was signed; rules and time are those of the unbroken one.
fn failures(bytes: &[u8], rules: &UvmRules, at: Timestamp) -> Vec<&'static str> {
    let uvm = Uvm::parse(bytes).expect("an endorsement");
    let (mut checks, mut proved) = (Checks::new(), Proved::default());
    checks.require(ALL);
    let met = judge(&uvm, rules, at, (&mut checks, &mut proved));
    let mut failed: Vec<_> = checks
        .finish()
        .into_iter()
        .filter(|checked| checked.outcome != crate::check::Outcome::Met)
        .map(|checked| checked.check.code)
        .collect();
    failed.dedup();
    assert_eq!(met, failed.is_empty());
    failed
}

fn broken(form: Form, change: impl Fn(&mut Endorsement)) -> Vec<&'static str> {
    let good = Endorsement::new(form, &[5; 48]);
    let mut bad = good.clone();
    change(&mut bad);
    failures(&bad.signed(), &rules(&good), at())
}

#[test]
fn both_forms_say_the_same() {
    for form in FORMS {
        let endorsement = Endorsement::new(form, &[5; 48]);
        let bytes = endorsement.signed();
        let uvm = Uvm::parse(&bytes).expect("an endorsement");
        assert_eq!(uvm.form, form);
        assert_eq!(uvm.issuer, endorsement.issuer);
        assert_eq!((uvm.feed, uvm.svn), ("ContainerPlat-AMD-UVM", 104));
        assert_eq!(uvm.measurement, [5; 48]);
        assert_eq!(
            uvm.signed_at.map(Timestamp::unix_seconds),
            Some(1_769_904_000)
        );
        assert_eq!(uvm.certificates.len(), 3);
        assert!(uvm.unknown.is_empty());
        assert_eq!(failures(&bytes, &rules(&endorsement), at()), [""; 0]);
    }
}

#[test]
fn each_field_that_is_not_as_it_has_to_be_fails_its_own_check() {
    for form in FORMS {
        assert_eq!(
            broken(form, |it| it.feed = "ConfAKS-AMD-UVM"),
            ["aci.uvm-feed"]
        );
        assert_eq!(broken(form, |it| it.svn = 103), ["aci.uvm-svn"]);
        assert_eq!(
            broken(form, |it| it.signed_at = Some(1_769_904_000 + 86_400 * 60)),
            ["aci.uvm-time"]
        );
        assert_eq!(
            broken(form, |it| it.signed_at = Some(1_769_904_000 - 86_400 * 60)),
            ["aci.uvm-time"]
        );
        assert_eq!(
            broken(form, |it| it.key = Key::rsa2048(1)),
            ["aci.uvm-signature"]
        );
        assert_eq!(
            broken(form, |it| it.signs = Signs::PssSha256),
            ["aci.uvm-signature"]
        );
        assert_eq!(broken(form, |it| it.alg = -37), ["aci.uvm-signature"]);
        let signer = |purposes: &'static [&'static str]| {
            broken(form, |it| {
                let good = it.clone();
                *it = good.signer(|_| {
                    crate::forge::Cert::new("ContainerPlat", &Key::rsa2048(0))
                        .validity("2026-01-01T00:00:00Z", "2026-03-01T00:00:00Z")
                        .key_usage(0x80)
                        .purposes(purposes)
                });
            })
        };
        assert_eq!(signer(&[EKU]), [""; 0]);
        assert_eq!(signer(&["1.3.6.1.4.1.311.76.59.1.1"]), ["aci.uvm-eku"]);
        assert_eq!(signer(&["1.3.6.1.4.1.311.76.59.1.22"]), ["aci.uvm-eku"]);
    }
}

#[test]
fn an_issuer_that_nobody_pinned_is_refused() {
    for form in FORMS {
        // A whole chain of somebody else's, which names itself truthfully.
        let other = crate::forge::Authority::root("Root", Key::p384("other"), Signs::EcdsaSha384);
        let theirs = broken(form, |it| {
            let leaf = crate::forge::Cert::new("ContainerPlat", &it.key)
                .validity("2026-01-01T00:00:00Z", "2026-03-01T00:00:00Z")
                .key_usage(0x80)
                .purposes(&[EKU]);
            it.chain = vec![other.issue(leaf), other.der.clone()];
            it.issuer = issuer(&it.chain);
        });
        assert_eq!(theirs, ["aci.uvm-issuer"]);
        // The same that claims the pinned name.
        let claimed = broken(form, |it| {
            let leaf = crate::forge::Cert::new("ContainerPlat", &it.key)
                .validity("2026-01-01T00:00:00Z", "2026-03-01T00:00:00Z")
                .key_usage(0x80)
                .purposes(&[EKU]);
            it.chain = vec![other.issue(leaf), other.der.clone()];
        });
        assert_eq!(claimed, ["aci.uvm-root"]);
        let unknown = broken(form, |it| it.issuer = "did:web:example".to_owned());
        assert_eq!(unknown[..2], ["aci.uvm-issuer", "aci.uvm-chain"]);
    }
}

#[test]
fn the_chain_is_whole_and_in_order_and_nothing_else() {
    let form = Form::Cwt;
    let chain = |change: fn(&mut Vec<Vec<u8>>)| broken(form, |it| change(&mut it.chain));
    // Without the intermediate; with the root alone behind the signer.
    assert_eq!(chain(|chain| drop(chain.remove(1)))[..1], ["aci.uvm-chain"]);
    let stranger = crate::forge::Authority::root("X", Key::p384("x"), Signs::EcdsaSha384);
    let more = broken(form, |it| it.chain.insert(1, stranger.der.clone()));
    assert_eq!(more[..1], ["aci.uvm-chain"]);
    let swapped = chain(|chain| chain.swap(0, 1));
    assert!(swapped.contains(&"aci.uvm-chain") && swapped.contains(&"aci.uvm-signature"));
    assert!(chain(|chain| chain.truncate(1)).contains(&"aci.uvm-chain"));
    let unsigned = broken(form, |it| {
        let ca = crate::forge::Authority::root(
            "Test Products CA",
            Key::p384("fake"),
            Signs::EcdsaSha384,
        );
        let leaf = crate::forge::Cert::new("ContainerPlat", &it.key)
            .validity("2026-01-01T00:00:00Z", "2026-03-01T00:00:00Z")
            .key_usage(0x80)
            .purposes(&[EKU]);
        it.chain[0] = ca.issue(leaf);
    });
    assert_eq!(unsigned[..1], ["aci.uvm-chain"]);
}

#[test]
fn authorities_have_to_hold_at_the_time_of_the_appraisal() {
    let endorsement = Endorsement::new(Form::Cwt, &[5; 48]);
    let (bytes, rules) = (endorsement.signed(), rules(&endorsement));
    let at = |text| Timestamp::parse_rfc3339(text).expect("a time");
    assert_eq!(
        failures(&bytes, &rules, at("2039-12-31T00:00:00Z")),
        [""; 0]
    );
    assert_eq!(
        failures(&bytes, &rules, at("2040-01-02T00:00:00Z")),
        ["aci.uvm-time"]
    );
    assert_eq!(
        failures(&bytes, &rules, at("2019-12-31T00:00:00Z")),
        ["aci.uvm-time"]
    );
}

#[test]
fn what_is_not_of_its_form_is_not_read() {
    let member = |bytes: &[u8]| match Uvm::parse(bytes) {
        Err(UvmError::Member(name, _)) => name,
        other => panic!("{other:?}"),
    };
    for form in FORMS {
        let good = Endorsement::new(form, &[5; 48]);
        let mut bad = good.clone();
        bad.content_type = "text/plain";
        assert_eq!(member(&bad.signed()), "content type");
        let mut bad = good.clone();
        bad.tag = false;
        assert!(matches!(
            Uvm::parse(&bad.signed()),
            Err(UvmError::Cose(CoseError::TagMissing))
        ));
        let mut bad = good.clone();
        bad.measurement.pop();
        let name = member(&bad.signed());
        assert!(["payload", LAUNCH_MEASUREMENT].contains(&name), "{name}");
        let mut bad = good.clone();
        bad.chain[1] = vec![0x30, 0];
        assert!(matches!(
            Uvm::parse(&bad.signed()),
            Err(UvmError::Certificate(1, _))
        ));
        let mut trailing = good.signed();
        trailing.push(0);
        assert!(matches!(Uvm::parse(&trailing), Err(UvmError::Cose(_))));
    }
    // A message with claims is of the newer form: a payload of the older one is no way around its svn.
    let cwt = Endorsement::new(Form::Cwt, &[5; 48]);
    let json = br#"{"x-ms-sevsnpvm-guestsvn":"999","x-ms-sevsnpvm-launchmeasurement":"00"}"#;
    assert_eq!(member(&cwt.sealed(&cwt.protected(), json)), "payload");
    let json = Endorsement::new(Form::Json, &[5; 48]);
    let protected = json.protected();
    let measurement = "05".repeat(48);
    for (svn, name) in [
        ("+22", GUEST_SVN),
        ("", GUEST_SVN),
        ("-1", GUEST_SVN),
        ("99999999999999999999", GUEST_SVN),
    ] {
        let payload = format!(
            r#"{{"x-ms-sevsnpvm-guestsvn":"{svn}","x-ms-sevsnpvm-launchmeasurement":"{measurement}"}}"#
        );
        assert_eq!(member(&json.sealed(&protected, payload.as_bytes())), name);
    }
    let number = format!(
        r#"{{"x-ms-sevsnpvm-guestsvn":22,"x-ms-sevsnpvm-launchmeasurement":"{measurement}"}}"#
    );
    assert_eq!(
        member(&json.sealed(&protected, number.as_bytes())),
        GUEST_SVN
    );
    assert!(matches!(
        Uvm::parse(&json.sealed(&protected, b"{")),
        Err(UvmError::Json(_))
    ));
}

#[test]
fn headers_and_members_that_are_not_known_are_named() {
    let mut endorsement = Endorsement::new(Form::Json, &[5; 48]);
    endorsement.header = Some(("other", 1));
    let payload = format!(
        r#"{{"x-ms-sevsnpvm-guestsvn":"104","x-ms-sevsnpvm-launchmeasurement":"{}","new":1}}"#,
        "05".repeat(48)
    );
    let bytes = endorsement.sealed(&endorsement.protected(), payload.as_bytes());
    let uvm = Uvm::parse(&bytes).expect("an endorsement");
    assert_eq!(uvm.unknown, ["header `other`", "member `new`"]);
    let mut endorsement = Endorsement::new(Form::Cwt, &[5; 48]);
    endorsement.header = Some(("other", 1));
    let bytes = endorsement.signed();
    assert_eq!(
        Uvm::parse(&bytes).expect("an endorsement").unknown,
        ["header `other`"]
    );
}

#[test]
fn b01_no_bit_of_an_endorsement_can_be_changed() {
    let endorsement = Endorsement::new(Form::Cwt, &[5; 48]);
    let (bytes, rules) = (endorsement.signed(), rules(&endorsement));
    // RSA verification costs: one bit of each seventh byte, other bits at other bytes.
    for index in (0..bytes.len()).step_by(7) {
        let mut flipped = bytes.clone();
        flipped[index] ^= 1 << (index % 8);
        if Uvm::parse(&flipped).is_ok() {
            assert_ne!(failures(&flipped, &rules, at()), [""; 0], "byte {index}");
        }
    }
}

#[test]
fn c01_rules_without_an_issuer_or_a_feed_are_refused() {
    let read = |text: &str| {
        let value = cmcp_json::parse(text.as_bytes(), &Limits::DOCUMENT).expect("JSON");
        let mut faults = Vec::new();
        let rules = Fields::open(&value, "uvm", &mut faults).and_then(|mut fields| {
            let rules = UvmRules::read(&mut fields);
            fields.close();
            rules
        });
        (
            rules,
            faults.iter().map(ToString::to_string).collect::<Vec<_>>(),
        )
    };
    let did = "did:x509:0:sha256:I__iuL25oXEVFdTP_aBLx_eT1RPHbCQ_ECBQfYZpt9s::eku:1.2.3";
    let good = format!(r#"{{"issuers":["{did}"],"feeds":["f"],"svn_at_least":100}}"#);
    assert!(read(&good).0.is_some());
    for (from, to, fault) in [
        (
            format!("[\"{did}\"]"),
            "[]",
            "`uvm.issuers`: is an empty list: write what is accepted",
        ),
        (
            "[\"f\"]".to_owned(),
            "[]",
            "`uvm.feeds`: is an empty list: write what is accepted",
        ),
        (
            "100".to_owned(),
            "-1",
            "`uvm.svn_at_least`: must be a whole number from 0 to 4294967295",
        ),
        (
            did.to_owned(),
            "did:web:x",
            "`uvm.issuers`: `did:web:x` is not `did:x509:0:sha256:DIGEST::eku:OID`",
        ),
    ] {
        let (rules, faults) = read(&good.replace(&from, to));
        assert!(rules.is_none());
        assert_eq!(faults, [fault]);
    }
}

#[test]
fn real_endorsements_hold_long_after_their_signer_expired() {
    let Some(bytes) = shared("azure/aci-sidecar-2023/body.uvm_reference_info.bin") else {
        return;
    };
    let uvm = Uvm::parse(&bytes).expect("an endorsement");
    assert_eq!(uvm.form, Form::Json);
    assert_eq!((uvm.feed, uvm.svn), ("ContainerPlat-AMD-UVM", 22));
    assert!(uvm.unknown.is_empty(), "{:?}", uvm.unknown);
    let rules = UvmRules {
        issuers: vec![uvm.issuer.to_owned()],
        feeds: vec![uvm.feed.to_owned()],
        svn: 22,
    };
    assert_eq!(failures(&bytes, &rules, at()), [""; 0]);
    let floor = UvmRules { svn: 100, ..rules };
    assert_eq!(failures(&bytes, &floor, at()), ["aci.uvm-svn"]);
}

#[test]
fn a_time_that_is_not_stated_is_not_looked_at() {
    for form in FORMS {
        assert_eq!(broken(form, |it| it.signed_at = None), [""; 0]);
        let mut endorsement = Endorsement::new(form, &[5; 48]);
        endorsement.signed_at = None;
        let bytes = endorsement.signed();
        assert_eq!(Uvm::parse(&bytes).expect("an endorsement").signed_at, None);
    }
}

#[test]
fn the_type_of_a_payload_can_stand_as_that_of_its_preimage() {
    assert_eq!(broken(Form::Cwt, |it| it.type_header = 259), [""; 0]);
    let mut endorsement = Endorsement::new(Form::Cwt, &[5; 48]);
    endorsement.type_header = 259;
    let bytes = endorsement.signed();
    assert!(
        Uvm::parse(&bytes)
            .expect("an endorsement")
            .unknown
            .is_empty()
    );
}

#[test]
fn a_result_ends_with_the_first_authority() {
    let endorsement = Endorsement::new(Form::Cwt, &[5; 48]);
    let bytes = endorsement.signed();
    let uvm = Uvm::parse(&bytes).expect("an endorsement");
    let (mut checks, mut proved) = (Checks::new(), Proved::default());
    judge(&uvm, &rules(&endorsement), at(), (&mut checks, &mut proved));
    let result = crate::AttestationResult::conclude(crate::Platform::Aci, checks, proved, at());
    let end = result.not_after.map(|end| end.to_string());
    assert_eq!(end.as_deref(), Some("2040-01-01T00:00:00Z"));
}

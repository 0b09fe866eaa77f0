use super::super::{
    CMW, Carrier, CarrierError, Claimed, DICE, ENDORSEMENTS, Form, Issuer, Legacy, Question,
};
use crate::{
    AttestationResult, Endorsements, Evidence, Part, Platform, Preimage, ReferenceValues,
    ReportData, Role, Session, SuiteHash, Timestamp, Unbound,
    cbor::{self, CborError, Item},
    check::Outcome,
    forge::{Alg, Authority, Cert, Key, der},
    policy::Freshness,
    wire::{
        Content, Format,
        cmw::{Cmw, Collection, Kind, Label, Record},
        own::Own,
        recognise,
    },
    x509::CertError,
};

fn key() -> Key {
    Key::p256("certificate")
}

/// The first bytes of a TDX quote: enough to know the platform.
fn quote() -> Vec<u8> {
    let mut quote = vec![4, 0, 2, 0, 0x81, 0, 0, 0];
    quote.resize(64, 0x5a);
    quote
}

fn claims() -> Vec<u8> {
    Preimage::Certificate {
        spki: &key().spki(),
    }
    .encode()
}

fn tagged(tag: u64, items: Vec<Item<'_>>) -> Vec<u8> {
    cbor::encode(&Item::Tag(tag, Box::new(Item::Array(items))))
}

fn evidence() -> Vec<u8> {
    tagged(60_000, vec![Item::Bytes(&quote()), Item::Bytes(&claims())])
}

fn certificate() -> Cert {
    Cert::new("attested", &key())
}

fn with_dice(value: &[u8]) -> Vec<u8> {
    sign(&certificate().extension(DICE, false, value))
}

fn sign(cert: &Cert) -> Vec<u8> {
    cert.signed(Alg::EcdsaSha256, &key())
}

fn own() -> Own {
    Own {
        evidence: Evidence::new(Platform::Snp).with(Part::Report, *b"report"),
        claims: claims(),
        certificates: vec![b"vcek".to_vec()],
    }
}

fn with_cmw(cmw: &Cmw) -> Vec<u8> {
    let value = der::element(0x04, cmw.to_cbor());
    sign(&certificate().extension(CMW, false, value))
}

fn at(time: &str) -> Timestamp {
    Timestamp::parse_rfc3339(time).expect("a time")
}

fn appraise(der: &[u8], issuer: Issuer, time: &str) -> AttestationResult {
    let carrier = Carrier::read(der, &Legacy::ALL).expect("evidence");
    carrier.appraise(&Question {
        endorsements: &Endorsements::default(),
        issuer,
        policy: &ReferenceValues::refusing_all(Freshness::Unproven),
        at: at(time),
    })
}

fn failed(result: &AttestationResult, code: &str) -> bool {
    let checked = result
        .checks
        .iter()
        .find(|checked| checked.check.code == code);
    matches!(checked.expect("the check").outcome, Outcome::Failed { .. })
}

#[test]
fn the_interoperable_extension_is_read_and_written() {
    let carrier = Carrier::read(&with_dice(&evidence()), &[]).expect("evidence");
    assert_eq!(
        carrier.evidence,
        Evidence::new(Platform::Tdx).with(Part::Quote, quote())
    );
    assert_eq!(carrier.form, Form::Claims(claims()));
    assert_eq!(
        carrier.report_data(),
        Ok(ReportData::of_preimage(&claims()))
    );
    let claimed = Claimed {
        evidence: carrier.evidence,
        claims: claims(),
        endorsements: Endorsements::default(),
    };
    assert_eq!(claimed.encode(), evidence());
    assert_eq!(Claimed::read(&evidence()), Ok(claimed));
}

#[test]
fn other_platforms_travel_in_a_wrapper() {
    let der = with_cmw(&Cmw::Record(own().record()));
    let carrier = Carrier::read(&der, &[]).expect("evidence");
    assert_eq!(carrier.evidence, own().evidence);
    assert_eq!(carrier.endorsements.certificates, [b"vcek"]);
    assert_eq!(
        carrier.report_data(),
        Ok(ReportData::of_preimage(&claims()))
    );
    let claimed = Claimed {
        evidence: carrier.evidence,
        claims: claims(),
        endorsements: carrier.endorsements,
    };
    assert_eq!(Claimed::read(&claimed.encode()), Ok(claimed));
}

#[test]
fn wrappers_that_hold_something_else_are_refused_by_name() {
    let other = Record {
        kind: Kind::Media("application/eat+cwt".to_owned()),
        ..own().record()
    };
    let numbered = Record {
        kind: Kind::ContentFormat(7),
        ..own().record()
    };
    let wrapped = |found: &str| {
        Err(CarrierError::Wrapped {
            found: found.to_owned(),
        })
    };
    let collection = Cmw::Collection(Collection {
        kind: None,
        entries: vec![(Label::Number(1), Cmw::Record(own().record()))],
    });
    let read = |cmw| Carrier::read(&with_cmw(&cmw), &[]).map(|carrier| carrier.form);
    assert_eq!(
        read(Cmw::Record(other)),
        wrapped("a record `application/eat+cwt`")
    );
    assert_eq!(
        read(Cmw::Record(numbered)),
        wrapped("a record `content format 7`")
    );
    assert_eq!(read(collection), wrapped("a collection of 1"));
    let result = cbor::encode(&Item::Array(vec![
        Item::Text(crate::wire::own::MEDIA_TYPE),
        Item::Bytes(&own().encode()),
        Item::Uint(8),
    ]));
    let result = sign(&certificate().extension(CMW, false, der::element(0x04, result)));
    assert_eq!(
        Carrier::read(&result, &[]).map(|carrier| carrier.form),
        wrapped("a record that is not said to be evidence")
    );
}

#[test]
fn a05_a_certificate_without_evidence_or_with_an_empty_extension_is_refused() {
    assert_eq!(
        Carrier::read(&sign(&certificate()), &[]),
        Err(CarrierError::Absent)
    );
    assert_eq!(
        Carrier::read(&with_dice(&[]), &[]),
        Err(CarrierError::Cbor(CborError::Ended {
            what: "the head of an item",
            at: 0
        }))
    );
}

#[test]
fn two_extensions_with_evidence_are_refused() {
    let wrapper = der::element(0x04, Cmw::Record(own().record()).to_cbor());
    let both = certificate()
        .extension(DICE, false, evidence())
        .extension(CMW, false, wrapper);
    assert_eq!(Carrier::read(&sign(&both), &[]), Err(CarrierError::Two));
    let twice = certificate()
        .extension(DICE, false, evidence())
        .extension(DICE, false, evidence());
    assert!(matches!(
        Carrier::read(&sign(&twice), &[]),
        Err(CarrierError::Certificate(
            CertError::DuplicateExtension { .. }
        ))
    ));
}

fn refused(value: &[u8], error: CarrierError) {
    assert_eq!(Carrier::read(&with_dice(value), &[]), Err(error));
}

#[test]
fn other_tags_than_a_quotes_are_refused_by_name() {
    let (quote, claims) = (quote(), claims());
    let both = || vec![Item::Bytes(&quote), Item::Bytes(&claims)];
    for tag in [60_001, 60_002] {
        refused(&tagged(tag, both()), CarrierError::Tag { tag });
    }
    let shape = |place, expected, found| CarrierError::Shape {
        place,
        expected,
        found,
    };
    refused(
        &cbor::encode(&Item::Array(both())),
        shape("the item", "tagged 60000", "an array"),
    );
    let alone = cbor::encode(&Item::Tag(60_000, Box::new(Item::Bytes(&quote))));
    refused(
        &alone,
        shape("the tagged item", "an array", "a byte string"),
    );
}

#[test]
fn extensions_that_are_not_as_they_have_to_be_are_refused_by_name() {
    let (quote, claims) = (quote(), claims());
    let shape = |place, expected, found| CarrierError::Shape {
        place,
        expected,
        found,
    };
    let length = || shape("the array", "of two items", "of another length");
    refused(&tagged(60_000, vec![Item::Bytes(&quote)]), length());
    let three = vec![Item::Bytes(&quote), Item::Bytes(&claims), Item::Null];
    refused(&tagged(60_000, three), length());
    let null = vec![Item::Null, Item::Bytes(&claims)];
    refused(
        &tagged(60_000, null),
        shape("the quote", "a byte string", "null"),
    );
    let text = vec![Item::Bytes(&quote), Item::Text("x")];
    refused(
        &tagged(60_000, text),
        shape("the claims-buffer", "a byte string", "a text string"),
    );
    let trailing = [evidence(), vec![0]].concat();
    let at = evidence().len();
    refused(&trailing, CborError::Trailing { at, left: 1 }.into());
    refused(
        b"\xd9\xea\x60\x9f\x40\x40\xff",
        CborError::Indefinite { at: 3 }.into(),
    );
    let mut local = quote.clone();
    local[4] = 0x82;
    let value = tagged(60_000, vec![Item::Bytes(&local), Item::Bytes(&claims)]);
    assert!(matches!(
        Carrier::read(&with_dice(&value), &[]),
        Err(CarrierError::Quote(_))
    ));
}

#[test]
fn claims_of_a_connection_are_not_a_certificates() {
    let spki = key().spki();
    let session = Preimage::Session(Session {
        role: Role::Server,
        attester: &spki,
        peer: None,
        name: None,
        exporter: [7; 32],
        suite: SuiteHash::Sha256,
    });
    let value = tagged(
        60_000,
        vec![Item::Bytes(&quote()), Item::Bytes(&session.encode())],
    );
    let carrier = Carrier::read(&with_dice(&value), &[]).expect("evidence");
    assert!(matches!(carrier.report_data(), Err(Unbound::Kind(_))));
    let claimed = Claimed::read(&value).expect("evidence");
    assert_eq!(
        session.accepts(Some(&claimed.claims)),
        Ok(session.report_data())
    );
}

#[test]
fn an_older_extension_is_read_where_it_is_alone_and_named() {
    let oids = [
        (Legacy::Gramine, "0.6.9.42.840.113741.1337.6"),
        (Legacy::Dstack, "1.3.6.1.4.1.62397.1.1"),
    ];
    for (legacy, oid) in oids {
        let older = certificate().extension(oid, false, quote());
        let der = sign(&older);
        assert_eq!(
            Carrier::read(&der, &[]),
            Err(CarrierError::Unnamed {
                found: legacy.as_str()
            })
        );
        let carrier = Carrier::read(&der, &[legacy]).expect("evidence");
        assert_eq!(carrier.form, Form::Legacy(legacy));
        assert_eq!(carrier.report_data(), Ok(legacy.report_data(&key().spki())));
        assert_eq!(carrier.evidence.platform(), Platform::Tdx);

        let both = sign(&older.extension(DICE, false, evidence()));
        let carrier = Carrier::read(&both, &Legacy::ALL).expect("evidence");
        assert_eq!(carrier.form, Form::Claims(claims()));
    }
    let two = certificate()
        .extension(oids[0].1, false, quote())
        .extension(oids[1].1, false, quote());
    assert_eq!(
        Carrier::read(&sign(&two), &Legacy::ALL),
        Err(CarrierError::Two)
    );
    let intel = sign(&certificate().extension("1.2.840.113741.1.13.1", false, quote()));
    assert_eq!(
        Carrier::read(&intel, &Legacy::ALL),
        Err(CarrierError::BindsNothing)
    );
    assert_eq!(
        Legacy::Dstack.report_data(b"key").hex(),
        crate::hex::encode(&<sha2::Sha512 as sha2::Digest>::digest(b"ratls-cert:key"))
    );
}

#[test]
fn a_certificate_has_to_be_signed_by_its_own_key_or_by_an_authority_that_was_checked() {
    let time = "2026-06-05T00:00:00Z";
    let der = with_dice(&evidence());
    assert!(!failed(
        &appraise(&der, Issuer::Itself, time),
        "certificate.signature"
    ));
    let authority = Authority::root("authority", Key::p384("authority"), Alg::EcdsaSha384);
    let issued = certificate()
        .issuer("authority")
        .extension(DICE, false, evidence())
        .signed(Alg::EcdsaSha384, &authority.key);
    assert!(failed(
        &appraise(&issued, Issuer::Itself, time),
        "certificate.signature"
    ));
    let checked = appraise(&issued, Issuer::Checked, time);
    assert!(!failed(&checked, "certificate.signature"));
    assert!(!failed(&checked, "certificate.key"));
    // The bits of the certificate count, too: another name, signed by nobody.
    let mut changed = der;
    let at = changed
        .windows(8)
        .position(|window| window == b"attested")
        .expect("the name");
    changed[at] = b'A';
    assert!(failed(
        &appraise(&changed, Issuer::Itself, time),
        "certificate.signature"
    ));
}

#[test]
fn a10_a_certificate_out_of_its_time_is_refused_with_the_time() {
    let der = with_dice(&evidence());
    for (time, outside) in [
        ("2019-12-31T23:59:59Z", true),
        ("2020-01-01T00:00:00Z", false),
        ("2040-01-01T00:00:00Z", false),
        ("2040-01-01T00:00:01Z", true),
    ] {
        let result = appraise(&der, Issuer::Itself, time);
        assert_eq!(failed(&result, "certificate.validity"), outside, "{time}");
        let checked = result
            .checks
            .iter()
            .find(|checked| checked.check.code == "certificate.validity");
        if let Outcome::Failed { expected, .. } = &checked.expect("the check").outcome {
            assert!(expected.contains(time), "{expected}");
        }
        assert_eq!(result.not_after, Some(at("2040-01-01T00:00:00Z")));
    }
}

#[test]
fn a_critical_extension_without_a_name_is_refused() {
    let der = sign(&certificate().extension(DICE, false, evidence()).extension(
        "1.2.3.4",
        true,
        [5, 0],
    ));
    let result = appraise(&der, Issuer::Itself, "2026-06-05T00:00:00Z");
    assert!(failed(&result, "certificate.critical"));
}

#[test]
fn a_certificate_is_no_answer_to_a_challenge() {
    let carrier = Carrier::read(&with_dice(&evidence()), &[]).expect("evidence");
    let result = carrier.appraise(&Question {
        endorsements: &Endorsements::default(),
        issuer: Issuer::Itself,
        policy: &ReferenceValues::refusing_all(Freshness::Required),
        at: at("2026-06-05T00:00:00Z"),
    });
    assert!(failed(&result, "certificate.fresh"));
}

#[test]
fn endorsements_in_the_certificate_become_collateral() {
    let tcb: &[u8] = br#"{"tcbInfo":{"id":"TDX"},"signature":"aa"}"#;
    let identity: &[u8] = br#"{"enclaveIdentity":{"id":"TD_QE"},"signature":"bb"}"#;
    let der_list: &[u8] = &[0x30, 0x81, 0x01];
    let items = |crl: &'static [u8]| {
        vec![
            Item::Uint(3),
            Item::Bytes(tcb),
            Item::Bytes(b"chain\0"),
            Item::Bytes(crl),
            Item::Bytes(der_list),
            Item::Bytes(b"chain"),
            Item::Bytes(identity),
            Item::Bytes(b"chain"),
        ]
    };
    let read = |items: Vec<Item<'_>>| {
        let cert = certificate().extension(DICE, false, evidence()).extension(
            ENDORSEMENTS,
            false,
            tagged(60_000, items),
        );
        Carrier::read(&sign(&cert), &[]).map(|carrier| carrier.endorsements.intel)
    };
    let plain = read(items(&[0x30, 0x81, 0x01])).expect("collateral");
    assert_eq!(plain.len(), 1);
    let json = cmcp_json::parse(&plain[0], &cmcp_json::Limits::DOCUMENT).expect("JSON");
    let member = |name: &str| json.get(name).and_then(cmcp_json::Value::as_str);
    assert_eq!(member("tcb_info"), Some(r#"{"id":"TDX"}"#));
    assert_eq!(member("tcb_info_issuer_chain"), Some("chain"));
    assert_eq!(member("pck_crl"), Some("308101"));
    assert_eq!(read(items(b"308101")), Ok(plain.clone()));
    let mut with_time = items(&[0x30, 0x81, 0x01]);
    with_time.push(Item::Uint(1_780_000_000));
    assert_eq!(read(with_time.clone()), Ok(plain));
    with_time.push(Item::Null);
    let wrong = CarrierError::Shape {
        place: "the endorsements",
        expected: "eight or nine items",
        found: "of another length",
    };
    assert_eq!(read(with_time), Err(wrong.clone()));
    assert_eq!(read(items(b"308101")[..7].to_vec()), Err(wrong));
    assert!(matches!(
        read(items(b"neither")),
        Err(CarrierError::Shape {
            place: "crl_pck_cert",
            ..
        })
    ));
}

#[test]
fn a_certificate_is_recognised_in_der_and_pem() {
    let der = with_dice(&evidence());
    for bytes in [
        der.clone(),
        crate::forge::pem("CERTIFICATE", &der).into_bytes(),
    ] {
        let recognised = recognise(&bytes).expect("a certificate");
        assert_eq!(recognised.format, Format::Certificate);
        assert_eq!(recognised.content, Content::Certificate(der.clone()));
    }
    let claimed = recognise(&evidence()).expect("evidence");
    assert_eq!(claimed.format, Format::Claimed);
    assert!(matches!(claimed.content, Content::Claimed(_)));
    let cmw = recognise(&Cmw::Record(own().record()).to_cbor()).expect("evidence");
    assert_eq!(cmw.format, Format::Cmw);
}

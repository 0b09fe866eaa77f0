use super::super::{
    forge::{
        self, Answer as Forged, Bench, Device, good, responder, revoked, serial_of, unknown,
        wrapped,
    },
    *,
};
use crate::{
    Status, Timestamp,
    forge::{Alg, Authority, Cert, Crl, Key, der},
    nitro::forge::{failed, found},
    x509::Certificate,
};

fn pair() -> (Certificate, Certificate, Forged) {
    let device = Device::new("one");
    let [subject, issuer, ..] = device.authorities();
    let answer = Forged::of(&serial_of(&subject.name), &issuer);
    let read = |der: &[u8]| Certificate::from_der(der).unwrap();
    (read(&subject.der), read(&issuer.der), answer)
}

fn status(answer: &Forged) -> Result<Timestamp, OcspError> {
    let (subject, issuer, _) = pair();
    let bytes = answer.signed();
    let at = Timestamp::parse_rfc3339(forge::NOW).unwrap();
    Answer::parse(&bytes)?.status(&subject, &issuer, at)
}

fn fault(answer: &Forged) -> String {
    status(answer).unwrap_err().to_string()
}

#[test]
fn a_good_answer_holds_until_its_next_update() {
    let (subject, issuer, answer) = pair();
    let end = Timestamp::parse_rfc3339("2026-06-01T00:00:00Z").unwrap();
    assert_eq!(status(&answer), Ok(end));
    let bytes = answer.signed();
    assert!(Answer::parse(&bytes).unwrap().is_about(&subject, &issuer));
    assert!(!Answer::parse(&bytes).unwrap().is_about(&issuer, &subject));
    for hash in ["1.3.14.3.2.26", "2.16.840.1.101.3.4.2.2"] {
        let (.., mut answer) = pair();
        answer.hash = hash;
        assert_eq!(status(&answer), Ok(end), "{hash}");
    }
    let (.., mut answer) = pair();
    answer.hash = "1.2.840.113549.2.5";
    assert!(fault(&answer).contains("does not know"));
}

#[test]
fn the_issuer_may_answer_itself() {
    let (.., mut answer) = pair();
    answer.responder = None;
    assert!(status(&answer).is_ok());
    answer.issuer.key = Key::p384("nobody");
    assert!(fault(&answer).contains("signature"), "{}", fault(&answer));
}

#[test]
fn a_responder_that_the_issuer_did_not_certify_for_it_is_refused() {
    let key = Key::p384("responder");
    let with = |responder: Cert| {
        let (.., mut answer) = pair();
        answer.responder = Some(responder);
        fault(&answer)
    };
    let plain = || Cert::new("test responder", &key).key_usage(0x80);
    assert!(with(plain()).contains("not certified to sign it"));
    assert!(with(plain().purposes(&["1.3.6.1.5.5.7.3.8"])).contains("not certified to sign it"));
    let usage = Cert::new("test responder", &key)
        .key_usage(0x04)
        .purposes(&["1.3.6.1.5.5.7.3.9"]);
    assert!(with(usage).contains("key usage"));
    for (from, until) in [
        ("2020-01-01T00:00:00Z", "2026-05-01T11:59:59Z"),
        ("2026-05-01T12:00:01Z", "2040-01-01T00:00:00Z"),
    ] {
        assert!(!with(responder(&key).validity(from, until)).is_empty());
    }
    assert!(
        with(Cert::new("somebody else", &key).purposes(&["1.3.6.1.5.5.7.3.9"])).contains("nobody")
    );
    // Certified by somebody else of the issuer's name.
    let (.., mut answer) = pair();
    let other = Authority::root(&answer.issuer.name, Key::p384("nobody"), Alg::EcdsaSha384);
    let certificate = other.issue(responder(&key));
    answer.key = key;
    let own = answer.issuer.issue(answer.responder.clone().unwrap());
    let bytes = answer.signed();
    let at = bytes
        .windows(own.len())
        .position(|window| window == own)
        .unwrap();
    // Both certificates have signatures of nearly equal length; what differs is put right by hand.
    if own.len() == certificate.len() {
        let mut bytes = bytes;
        bytes[at..at + own.len()].copy_from_slice(&certificate);
        let (subject, issuer, _) = pair();
        let now = Timestamp::parse_rfc3339(forge::NOW).unwrap();
        assert!(
            Answer::parse(&bytes)
                .unwrap()
                .status(&subject, &issuer, now)
                .is_err()
        );
    }
}

#[test]
fn a_responders_signature_is_verified() {
    let (.., mut answer) = pair();
    answer.responder = Some(responder(&Key::p384("another")));
    assert!(matches!(status(&answer), Err(OcspError::Signer(_))));
    let (.., mut answer) = pair();
    answer.alg = Alg::EcdsaSha256;
    assert!(status(&answer).is_ok());
    answer.alg = Alg::EcdsaSha512;
    assert!(fault(&answer).contains("1.2.840.10045.4.3.4"));
}

#[test]
fn b01_any_bit_flipped_in_an_answer_is_refused_or_changes_nothing_signed() {
    let (subject, issuer, answer) = pair();
    let bytes = answer.signed();
    let at = Timestamp::parse_rfc3339(forge::NOW).unwrap();
    for place in 0..bytes.len() {
        let mut flipped = bytes.clone();
        flipped[place] ^= 1 << (place % 8);
        let status =
            Answer::parse(&flipped).and_then(|answer| answer.status(&subject, &issuer, at));
        assert!(status.is_err(), "{place}");
    }
}

#[test]
fn an_answer_of_another_time_is_refused() {
    for (from, until) in [
        ("2026-05-01T12:00:01Z", Some("2026-06-01T00:00:00Z")),
        ("2026-04-01T00:00:00Z", Some("2026-05-01T12:00:00Z")),
        ("2026-04-01T00:00:00Z", None),
    ] {
        let (.., mut answer) = pair();
        answer.from = from.to_owned();
        answer.until = until.map(str::to_owned);
        assert!(
            matches!(status(&answer), Err(OcspError::Time { .. })),
            "{from} {until:?}"
        );
    }
}

#[test]
fn b13_a_revoked_certificate_is_refused_at_any_time() {
    let (.., mut answer) = pair();
    answer.status = revoked();
    assert!(matches!(status(&answer), Err(OcspError::Revoked { .. })));
    answer.until = Some("2026-04-02T00:00:00Z".to_owned());
    assert!(matches!(status(&answer), Err(OcspError::Revoked { .. })));
}

#[test]
fn a_certificate_that_nobody_knows_is_refused() {
    let (.., mut answer) = pair();
    answer.status = unknown();
    assert!(matches!(status(&answer), Err(OcspError::Unknown { .. })));
    let (.., mut answer) = pair();
    answer.serial = vec![5];
    assert!(matches!(status(&answer), Err(OcspError::Unknown { .. })));
}

#[test]
fn answers_of_another_form_are_refused() {
    let (.., mut answer) = pair();
    answer.code = 6;
    assert_eq!(status(&answer), Err(OcspError::Status { status: 6 }));
    let kind = wrapped(0, "1.3.6.1.5.5.7.48.1.2", &[]);
    assert!(matches!(Answer::parse(&kind), Err(OcspError::Kind { .. })));
    let (.., answer) = pair();
    let bytes = answer.signed();
    assert!(Answer::parse(&[bytes.as_slice(), &[0]].concat()).is_err());
    for end in 0..bytes.len() {
        assert!(Answer::parse(&bytes[..end]).is_err(), "{end}");
    }
    assert!(Answer::parse(&vec![0x30; 1 << 17]).is_err());
    for odd in [
        der::element(0x83, []),
        der::element(0x80, [0]),
        der::element(0x82, [0]),
        der::null(),
    ] {
        let (.., mut answer) = pair();
        answer.status = odd;
        assert!(matches!(status(&answer), Err(OcspError::Malformed(_))));
    }
    let (.., mut answer) = pair();
    answer.status = good();
    assert!(status(&answer).is_ok());
}

#[test]
fn each_certificate_of_a_device_and_of_a_manifest_needs_an_answer() {
    let whole = Bench::new();
    assert_eq!(whole.ocsp.len(), 5);
    for place in 0..5 {
        let mut bench = whole.clone();
        bench.ocsp.remove(place);
        assert_eq!(failed(&bench.judge()), ["gpu.revocation"], "{place}");
    }
    let mut bench = whole.clone();
    bench.ocsp.push(b"no answer".to_vec());
    assert_eq!(failed(&bench.judge()), ["gpu.revocation"]);
    let mut bench = whole.clone();
    bench.crls.push(b"no list".to_vec());
    assert_eq!(failed(&bench.judge()), ["gpu.revocation"]);
    let mut bench = whole;
    bench.ocsp = vec![bench.ocsp[0].clone(); 129];
    let result = bench.judge();
    assert!(found(&result, "gpu.revocation").contains("at most 128"));
}

#[test]
fn b13_what_says_revoked_decides_also_where_nobody_asked() {
    let device = Device::new("one");
    let [own, provisioner, generation, root] = device.authorities();
    let issuer = forge::rim_issuer();
    let pairs = [
        (serial_of(&own.name), &provisioner),
        (serial_of(&provisioner.name), &generation),
        (serial_of(&generation.name), &root),
        (b"rim leaf".to_vec(), &issuer),
        (serial_of(&issuer.name), &forge::rim_root()),
    ];
    for (serial, issuer) in pairs {
        let mut answer = Forged::of(&serial, issuer);
        answer.status = revoked();
        let mut bench = Bench::new();
        bench.ocsp.push(answer.signed());
        assert_eq!(
            failed(&bench.judge()),
            ["gpu.revocation"],
            "{}",
            issuer.name
        );
        bench.ocsp = vec![answer.signed()];
        bench.policy.revocation = Revocation::NotChecked;
        assert_eq!(
            failed(&bench.judge()),
            ["gpu.revocation"],
            "{}",
            issuer.name
        );
        let list = Crl::new(&issuer.name)
            .revoke(&serial)
            .signed(issuer.alg, &issuer.key);
        bench.ocsp.clear();
        bench.crls = vec![list];
        assert_eq!(
            failed(&bench.judge()),
            ["gpu.revocation"],
            "{}",
            issuer.name
        );
        bench.crls.clear();
        assert_eq!(bench.judge().status, Status::Affirming);
    }
}

#[test]
fn the_result_ends_with_the_first_answer() {
    let mut bench = Bench::new();
    let issuer = forge::rim_root();
    let mut answer = Forged::of(&serial_of(&forge::rim_issuer().name), &issuer);
    answer.until = Some("2026-05-02T00:00:00Z".to_owned());
    bench.ocsp[1] = answer.signed();
    let end = Timestamp::parse_rfc3339("2026-05-02T00:00:00Z").unwrap();
    assert_eq!(bench.judge().not_after, Some(end));
    // Another that holds longer takes its place.
    bench
        .ocsp
        .push(Forged::of(&answer.serial, &issuer).signed());
    let end = Timestamp::parse_rfc3339("2026-06-01T00:00:00Z").unwrap();
    assert_eq!(bench.judge().not_after, Some(end));
}

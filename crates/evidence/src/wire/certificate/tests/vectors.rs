use cmcp_json::Value;

use super::super::{Carrier, Form, Issuer, Legacy, Question};
use crate::{
    AttestationResult, Endorsements, Part, Platform, ReferenceValues, Timestamp, Unbound,
    check::Outcome,
    dcap, hex,
    policy::Freshness,
    wire::vectors::{rows, shared},
};

fn text<'a>(row: &'a Value, path: &[&str]) -> Option<&'a str> {
    let found = path.iter().try_fold(row, |value, name| value.get(name));
    found.and_then(Value::as_str)
}

fn id(row: &Value) -> &str {
    text(row, &["id"]).expect("an id")
}

fn appraise(carrier: &Carrier, at: Timestamp) -> AttestationResult {
    carrier.appraise(&Question {
        endorsements: &Endorsements::default(),
        issuer: Issuer::Itself,
        policy: &ReferenceValues::refusing_all(Freshness::Unproven),
        at,
    })
}

fn outcome<'a>(result: &'a AttestationResult, code: &str) -> &'a Outcome {
    let checked = result
        .checks
        .iter()
        .find(|checked| checked.check.code == code);
    &checked.expect("the check").outcome
}

fn report_data<'a>(quote: &dcap::Quote<'a>) -> &'a [u8] {
    match quote.body {
        dcap::Body::Enclave(body) => body.report_data,
        dcap::Body::Domain(body) => body.report_data,
    }
}

/// A time at which the certificate is valid.
fn within(carrier: &Carrier) -> Timestamp {
    carrier.certificate.not_before()
}

#[test]
fn captured_certificates_bind_their_keys() {
    let mut seen = 0;
    for row in rows("ratls")
        .iter()
        .filter(|row| id(row).ends_with("-binding"))
    {
        let Some(der) = shared(text(row, &["files", "cert"]).expect("a file")) else {
            return;
        };
        let carrier = Carrier::read(&der, &[]).expect("evidence");
        let Form::Claims(buffer) = &carrier.form else {
            panic!("{}", id(row))
        };
        let claims = crate::Claims::parse(buffer).expect("claims");
        let mut names: Vec<&str> = claims.iter().map(|(name, _)| name).collect();
        names.sort_unstable();
        let listed = row.get("values").and_then(|values| values.get("claims"));
        let listed: Vec<&str> = listed
            .and_then(Value::as_array)
            .expect("claims")
            .iter()
            .filter_map(Value::as_str)
            .collect();
        assert_eq!(names, listed, "{}", id(row));
        let (hash, key) = claims.key();
        let number = row
            .get("values")
            .and_then(|values| values.get("pubkey_hash_alg"));
        assert_eq!(Some(hash.number()), number.and_then(Value::as_u64));
        assert_eq!(
            Some(hex::encode(key).as_str()),
            text(row, &["values", "pubkey_hash"])
        );

        let quote = carrier.evidence.part(Part::Quote).expect("a quote");
        let length = row
            .get("values")
            .and_then(|values| values.get("quote_length"));
        assert_eq!(
            u64::try_from(quote.len()).ok(),
            length.and_then(Value::as_u64)
        );
        assert_eq!(carrier.evidence.platform(), Platform::Sgx);
        assert_eq!(carrier.endorsements, Endorsements::default());
        let parsed = dcap::parse(quote).expect("a quote");
        assert_eq!(
            report_data(&parsed),
            carrier.report_data().expect("bound").as_bytes()
        );

        let result = appraise(&carrier, within(&carrier));
        for code in [
            "certificate.key",
            "certificate.signature",
            "certificate.validity",
            "certificate.critical",
            "certificate.fresh",
        ] {
            assert_eq!(outcome(&result, code), &Outcome::Met, "{} {code}", id(row));
        }
        seen += 1;
    }
    assert!(seen == 3 || seen == 0, "{seen}");
}

#[test]
fn captured_certificates_are_refused_after_their_time() {
    for row in rows("ratls")
        .iter()
        .filter(|row| id(row).ends_with("-expired"))
    {
        let Some(der) = shared(text(row, &["files", "cert"]).expect("a file")) else {
            return;
        };
        let carrier = Carrier::read(&der, &[]).expect("evidence");
        let at = Timestamp::parse_rfc3339(text(row, &["at"]).expect("a time")).expect("a time");
        let result = appraise(&carrier, at);
        let Outcome::Failed { actual, .. } = outcome(&result, "certificate.validity") else {
            panic!("{}", id(row))
        };
        let reason = text(row, &["reason"]).expect("a reason");
        let until = reason
            .trim_start_matches("not_after ")
            .trim_end_matches("+00:00");
        assert!(actual.contains(until), "{actual} {until}");
    }
}

#[test]
fn evidence_with_the_key_of_another_certificate_is_refused() {
    for row in rows("ratls")
        .iter()
        .filter(|row| id(row) == "ratls-swapped-evidence")
    {
        let read = |name| {
            let der = shared(text(row, &["files", name]).expect("a file")).expect("the file");
            Carrier::read(&der, &[]).expect("evidence")
        };
        let swapped = Carrier {
            certificate: read("spki_from").certificate,
            ..read("evidence_from")
        };
        assert_eq!(swapped.report_data(), Err(Unbound::Key));
        let result = appraise(&swapped, within(&swapped));
        assert!(matches!(
            outcome(&result, "certificate.key"),
            Outcome::Failed { .. }
        ));
    }
}

#[test]
fn a_captured_legacy_extension_binds_by_the_key_alone() {
    let Some(der) = shared("ratls-certs/gramine-cert.der") else {
        return;
    };
    let certificate = crate::x509::Certificate::from_der(&der).expect("a certificate");
    let quote = certificate
        .extension("0.6.9.42.840.113741.1337.6")
        .expect("Gramine's extension");
    assert_eq!(
        Some(quote),
        shared("ratls-certs/gramine.legacy-quote.bin").as_deref()
    );
    let parsed = dcap::parse(quote).expect("a quote");
    let expected = Legacy::Gramine.report_data(certificate.spki());
    assert_eq!(report_data(&parsed), expected.as_bytes());
}

#[test]
fn captured_certificates_in_pem_are_the_same() {
    for name in ["gramine", "rats-tls", "rats-rs-demo-sgx"] {
        let Some(pem) = shared(&format!("ratls-certs/{name}-cert.pem")) else {
            return;
        };
        let der = shared(&format!("ratls-certs/{name}-cert.der")).expect("DER");
        assert_eq!(
            crate::x509::one_from_pem(&pem).as_deref(),
            Ok(der.as_slice())
        );
        let quote = shared(&format!("ratls-certs/{name}.quote.bin")).expect("a quote");
        let carrier = Carrier::read(&der, &[]).expect("evidence");
        assert_eq!(carrier.evidence.part(Part::Quote), Some(quote.as_slice()));
    }
}

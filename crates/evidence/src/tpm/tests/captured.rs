//! Captured quotes, each with what `expectations-other.json` says of it.

use std::collections::BTreeMap;

use cmcp_json::Value;

use super::machine::{failures, reference_values};
use crate::{
    AttestationResult, Binding, Endorsements, Evidence, Input, Platform, ReferenceValues, Status,
    Timestamp, appraise,
    check::Outcome,
    eventlog::{
        self, HashAlg,
        tests::{at, rows, shared, shared_tool},
    },
    evidence::Part,
    hex,
    tpm::{AkPublic, Attest, QuoteSignature},
    x509,
};

/// The fields of a protobuf message: number, and bytes or the last byte of a number.
fn fields(mut bytes: &[u8]) -> Vec<(u64, Vec<u8>)> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let key = varint(&mut bytes);
        let value = varint(&mut bytes);
        match key & 7 {
            0 => found.push((key >> 3, value.to_be_bytes().to_vec())),
            2 => {
                let (field, rest) = bytes.split_at(usize::try_from(value).unwrap());
                found.push((key >> 3, field.to_vec()));
                bytes = rest;
            }
            other => panic!("wire type {other}"),
        }
    }
    found
}

fn varint(bytes: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..).step_by(7) {
        let (byte, rest) = bytes.split_first().expect("a byte");
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if *byte < 0x80 {
            break;
        }
    }
    value
}

fn field(fields: &[(u64, Vec<u8>)], number: u64) -> Vec<u8> {
    let found = fields.iter().find(|(known, _)| *known == number);
    found
        .unwrap_or_else(|| panic!("no field {number}"))
        .1
        .clone()
}

/// Why a captured key is trusted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Trust {
    Name,
    Certificate,
}

/// Quote, signature, and the values of the quoted PCRs.
type Quoted = (Vec<u8>, Vec<u8>, Vec<u8>);

/// An attestation of go-tpm-tools.
struct Capture {
    ak: Vec<u8>,
    certificate: Vec<u8>,
    log: Vec<u8>,
    /// By the bank's number.
    quotes: BTreeMap<u16, Quoted>,
}

impl Capture {
    fn read(name: &str) -> Option<Self> {
        let message = fields(&shared(name)?);
        let quotes = message
            .iter()
            .filter(|(number, _)| *number == 2)
            .map(|(_, quote)| {
                let quote = fields(quote);
                let pcrs = fields(&field(&quote, 3));
                let bank = *field(&pcrs, 1).last().unwrap();
                let values = pcrs
                    .iter()
                    .filter(|(number, _)| *number == 2)
                    .map(|(_, entry)| {
                        let entry = fields(entry);
                        (*field(&entry, 1).last().unwrap(), field(&entry, 2))
                    });
                let values: BTreeMap<u8, Vec<u8>> = values.collect();
                let values = values.into_values().flatten().collect();
                (
                    u16::from(bank),
                    (field(&quote, 1), field(&quote, 2), values),
                )
            });
        let quotes = quotes.collect();
        Some(Self {
            ak: field(&message, 1),
            certificate: field(&message, 6),
            log: field(&message, 3),
            quotes,
        })
    }

    fn evidence(&self, bank: HashAlg) -> Evidence {
        let (attest, signature, pcrs) = &self.quotes[&bank.id()];
        Evidence::new(Platform::Tpm)
            .with(Part::AkPublic, self.ak.clone())
            .with(Part::Attest, attest.clone())
            .with(Part::Signature, signature.clone())
            .with(Part::Pcrs, pcrs.clone())
            .with(Part::EventLog, self.log.clone())
    }

    /// Names the key, pins PCR 4 by its value, and has everything else replayed that the log explains.
    fn policy(&self, bank: HashAlg, trust: Trust) -> ReferenceValues {
        let (_, _, values) = &self.quotes[&bank.id()];
        let loader = hex::encode(values.chunks(bank.size()).nth(4).expect("PCR 4"));
        let key = AkPublic::parse(&self.ak).expect("a key");
        let name = hex::encode(&key.name().expect("a name"));
        let (names, certificates) = if trust == Trust::Certificate {
            let section = "{\"roots\": \"vendor\", \"keys\": \"any\", \"gce_projects\": \
                           [\"google.com:wuale-gcp-testing\"], \"revocation\": \"not-checked\"}";
            ("\"none\"".to_owned(), section)
        } else {
            (format!("[\"{name}\"]"), "\"refused\"")
        };
        let text = format!(
            r#"{{"names": {names}, "certificates": {certificates}, "identity": "pinned", "quote": {{
                "bank": "{bank}", "quoted": "0-23",
                "pcrs": {{"0-3,5-9": "replayed", "4": ["{loader}"], "10": "ignored", "11-14": "replayed", "15-23": "ignored"}},
                "software": "pinned", "secure_boot": "required", "event_order": "refused",
                "payloads": "reported", "ima": "ignored", "qualifying_data": "whole",
                "counters": "any", "clock": "any", "firmware": "any"}}}}"#
        );
        reference_values(&text).unwrap_or_else(|faults| panic!("{faults:#?}"))
    }

    fn appraise(&self, bank: HashAlg, trust: Trust, binding: &Binding) -> AttestationResult {
        let intermediate = shared("tpm/go-tpm-tools-tpm_ek_intermediate_2.crt").expect("a file");
        let endorsements = Endorsements {
            certificates: vec![self.certificate.clone(), intermediate],
            ..Endorsements::default()
        };
        appraise(&Input {
            evidence: &self.evidence(bank),
            endorsements: &endorsements,
            binding,
            policy: &self.policy(bank, trust),
            at: Timestamp::parse_rfc3339("2026-06-09T00:00:00Z").expect("a time"),
        })
    }
}

#[test]
fn captured_quotes_have_the_verdicts_that_are_stated() {
    for row in rows("tpm") {
        let id = at(&row, "id").as_str().expect("an id");
        let name = at(&row, "files.attestation").as_str().expect("a name");
        let Some(capture) = Capture::read(name) else {
            return;
        };
        assert_eq!(capture.quotes.len(), 3, "{id}");
        // Where a nonce is required and the row names none, any will do: none was quoted.
        let stated = row
            .get("values")
            .and_then(|values| values.get("qualifying_data"));
        let stated = stated.and_then(Value::as_str).unwrap_or("00");
        let binding = Binding::Challenge(hex::decode(stated).expect("hex"));
        for bank in [HashAlg::Sha256, HashAlg::Sha384] {
            for trust in [Trust::Name, Trust::Certificate] {
                let result = capture.appraise(bank, trust, &binding);
                match at(&row, "expect").as_str() {
                    Some("accept") => {
                        assert_eq!(failures(&result), [""; 0], "{id} {bank}");
                        assert_eq!(result.claim("qualifying-data"), Some(stated));
                        // An old shim hashed fewer bytes of the variable than it logged.
                        assert_eq!(result.status, Status::Warning, "{id} {bank}");
                        let told = "EV_EFI_VARIABLE_AUTHORITY, is not over its data";
                        let mut payloads = result.checks.iter();
                        let payloads =
                            payloads.find(|checked| checked.check.code == "tpm.payloads");
                        let Some(Outcome::Tolerated { what, .. }) =
                            payloads.map(|checked| &checked.outcome)
                        else {
                            panic!("tolerated");
                        };
                        assert_eq!(what.matches(told).count(), 2);
                    }
                    Some("reject") => {
                        assert_eq!(failures(&result), ["tpm.binding"], "{id} {bank}");
                        assert_eq!(result.claim("qualifying-data"), Some(""));
                    }
                    other => panic!("{other:?}"),
                }
            }
        }
    }
}

#[test]
fn captured_quotes_of_every_bank_hold() {
    for row in rows("tpm") {
        let name = at(&row, "files.attestation").as_str().expect("a name");
        let Some(capture) = Capture::read(name) else {
            return;
        };
        let ak = AkPublic::parse(&capture.ak).expect("a key");
        assert_eq!(ak.area.expect("an area").faults(), [""; 0]);
        for (bank, (attest, signature, pcrs)) in &capture.quotes {
            let read = Attest::parse(attest).expect("a quote");
            let [selection] = read.selections.as_slice() else {
                panic!("one selection");
            };
            assert_eq!(selection.bank, *bank);
            assert_eq!(
                selection.pcrs().collect::<Vec<u32>>(),
                (0..24).collect::<Vec<u32>>()
            );
            let signature = QuoteSignature::parse(signature, &ak.key).expect("a signature");
            assert_eq!(signature.verify(&ak.key, attest), Ok(()));
            // SHA-256 over the values of every bank: the signing scheme's hash.
            assert_eq!(HashAlg::Sha256.digest(pcrs), read.pcr_digest);
            if let Some(bank @ (HashAlg::Sha256 | HashAlg::Sha384)) = HashAlg::from_id(*bank) {
                let log = eventlog::parse(&capture.log).expect("a log");
                for (pcr, value) in log.replay(bank).expect("values") {
                    let quoted = pcrs.chunks(bank.size()).nth(usize::try_from(pcr).unwrap());
                    assert_eq!(quoted, Some(value.as_slice()), "{bank} {pcr}");
                }
            }
        }
    }
}

#[test]
fn a_captured_certificate_names_project_and_machine() {
    let Some(capture) = Capture::read("tpm/go-tpm-tools-gce-cos-85-nonce9009.pb") else {
        return;
    };
    let binding = Binding::Challenge(vec![0x90, 0x09]);
    let result = capture.appraise(HashAlg::Sha256, Trust::Certificate, &binding);
    assert_eq!(
        result.claim("gce-project"),
        Some("google.com:wuale-gcp-testing")
    );
    assert_eq!(result.claim("gce-zone"), Some("us-central1-a"));
    assert_eq!(result.claim("gce-instance"), Some("6797026933021542085"));
    let end = result.not_after.map(|end| end.to_string());
    assert_eq!(end.as_deref(), Some("2051-08-24T23:16:05Z"));
}

#[test]
fn b01_every_single_bit_of_a_captured_quote_counts() {
    let Some(capture) = Capture::read("tpm/go-tpm-tools-gce-cos-85-nonce9009.pb") else {
        return;
    };
    let bank = HashAlg::Sha256;
    let policy = capture.policy(bank, Trust::Name);
    let whole = capture.evidence(bank);
    let refused = |evidence: &Evidence| {
        let result = appraise(&Input {
            evidence,
            endorsements: &Endorsements::default(),
            binding: &Binding::Challenge(vec![0x90, 0x09]),
            policy: &policy,
            at: Timestamp::parse_rfc3339("2026-06-09T00:00:00Z").expect("a time"),
        });
        result.status == Status::Contraindicated
    };
    assert!(!refused(&whole));
    for part in [Part::AkPublic, Part::Attest, Part::Signature] {
        for bit in 0..whole.part(part).expect("a part").len() * 8 {
            assert!(refused(&flipped(&whole, part, bit)), "{part:?} bit {bit}");
        }
    }
    // One bit of each byte of the values.
    for byte in 0..whole.part(Part::Pcrs).expect("values").len() {
        assert!(
            refused(&flipped(&whole, Part::Pcrs, byte * 8 + byte % 8)),
            "byte {byte}"
        );
    }
    // Of the log, every digest of the quoted bank in a PCR that is replayed.
    let log = eventlog::parse(&capture.log).expect("a log");
    let replayed = log
        .extended()
        .filter(|event| (0..10).contains(&event.register));
    for event in replayed.filter(|event| event.register != 4) {
        let digest = event.digest(bank).expect("a digest");
        let at = capture
            .log
            .windows(32)
            .position(|window| window == digest)
            .expect("there");
        assert!(
            refused(&flipped(&whole, Part::EventLog, at * 8)),
            "event {}",
            event.number
        );
    }
}

fn flipped(evidence: &Evidence, part: Part, bit: usize) -> Evidence {
    let mut changed = Evidence::new(evidence.platform());
    for (kind, bytes) in evidence.parts() {
        let mut bytes = bytes.to_vec();
        if kind == part {
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
        changed = changed.with(kind, bytes);
    }
    changed
}

#[test]
fn a_captured_quote_of_an_elliptic_key_holds() {
    let read = |name: &str| shared_tool(&format!("measured-boot/{name}"));
    let (Some(attest), Some(signature)) = (read("q.msg"), read("q.sig")) else {
        return;
    };
    let spki = x509::key_from_pem(&read("ak.pem").expect("a key")).expect("PEM");
    let ak = AkPublic::parse(&spki).expect("a key");
    let signature = QuoteSignature::parse(&signature, &ak.key).expect("a signature");
    assert_eq!(signature.verify(&ak.key, &attest), Ok(()));
    let quote = Attest::parse(&attest).expect("a quote");
    assert_eq!(
        quote.selections[0].pcrs().collect::<Vec<u32>>(),
        [0, 7, 11, 14, 16, 23]
    );
    // tpm2-tools write selections of a fixed size, a count, and digests of a fixed size.
    let values = read("q.pcrs").expect("values");
    let values: Vec<u8> = values[140..]
        .chunks(66)
        .take(6)
        .flat_map(|value| value[2..34].to_vec())
        .collect();
    assert_eq!(HashAlg::Sha256.digest(&values), quote.pcr_digest);
    for bit in 0..attest.len() * 8 {
        let mut changed = attest.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        assert!(signature.verify(&ak.key, &changed).is_err(), "bit {bit}");
    }
}

#[test]
fn a_captured_attestation_is_read() {
    let Some(bytes) = shared("tpm/dstack-tpms_attest.bin") else {
        return;
    };
    let quote = Attest::parse(&bytes).expect("a quote");
    assert_eq!(quote.extra, [0x12, 0x34, 0x56, 0x78]);
    assert_eq!(
        (quote.reset_count, quote.restart_count, quote.safe),
        (16, 0, true)
    );
    assert_eq!(quote.firmware, 0x2016_0511_0016_2800);
    assert_eq!(quote.selections[0].pcrs().collect::<Vec<u32>>(), [0, 1, 2]);
    for end in 0..bytes.len() {
        assert!(Attest::parse(&bytes[..end]).is_err());
    }
}

#[test]
fn every_field_of_captured_evidence_is_shown() {
    let Some(capture) = Capture::read("tpm/go-tpm-tools-gce-cos-85-nonce9009.pb") else {
        return;
    };
    let fields = crate::tpm::show(&capture.evidence(HashAlg::Sha256)).expect("fields");
    let value = |name: &str| {
        let found = fields.iter().find(|field| field.name == name);
        found.unwrap_or_else(|| panic!("no {name}")).value.clone()
    };
    assert_eq!(value("attest.extra_data"), "9009");
    assert_eq!(value("attest.safe"), "true");
    assert_eq!(value("attest.reset_count"), "10");
    assert_eq!(
        value("ak_public.attributes"),
        "fixedTPM fixedParent sensitiveDataOrigin userWithAuth restricted sign"
    );
    assert_eq!(value("ak_public.scheme"), "0x0014 0x000b");
    let pcr = "attest.pcr_select.sha256";
    assert_eq!(value(pcr).split(',').count(), 24);
    let log = eventlog::parse(&capture.log).expect("a log");
    let events = fields
        .iter()
        .filter(|field| field.name.starts_with("event_log."));
    assert!(events.count() > log.events().len());
}

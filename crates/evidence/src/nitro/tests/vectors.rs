//! The captured document, judged as the table beside it says.

use std::{path::Path, time::Duration};

use cmcp_json::{Limits, Value};

use super::super::{
    forge::{all, failed, few, judge_bound, no_flip_is_accepted},
    *,
};
use crate::{
    Status, Timestamp, hex,
    policy::{Measurements, Pin, fields::Roots},
    x509,
};

/// A file of the shared vectors; without it, outside CI, the test is skipped.
pub(crate) fn shared(name: &str) -> Option<Vec<u8>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared/vectors")
        .join(name);
    match std::fs::read(&path) {
        Ok(bytes) => Some(bytes),
        Err(error) if std::env::var_os("CI").is_some_and(|value| value == "true") => {
            panic!("{}: {error}", path.display())
        }
        Err(_) => {
            eprintln!("skipped: ../shared is not here");
            None
        }
    }
}

/// The rows of a kind.
pub(crate) fn rows(kind: &str) -> Option<Vec<Value>> {
    let text = shared("expectations-other.json")?;
    let table = cmcp_json::parse(&text, &Limits::DOCUMENT).unwrap();
    let of_kind = |row: &&Value| text_of(row, &["kind"]) == kind;
    Some(
        table
            .as_array()
            .unwrap()
            .iter()
            .filter(of_kind)
            .cloned()
            .collect(),
    )
}

/// The text at a place of a row.
pub(crate) fn text_of<'a>(row: &'a Value, place: &[&str]) -> &'a str {
    member(row, place).unwrap().as_str().unwrap()
}

/// The value at a place of a row.
pub(crate) fn member<'a>(row: &'a Value, place: &[&str]) -> Option<&'a Value> {
    let mut value = row;
    for name in place {
        value = value.as_object()?.get(name)?;
    }
    Some(value)
}

/// The captured file is an envelope of whoever captured it (SCALE): a version, a kind, a length in a
/// compact form, the document, and what that program keeps beside it.
pub(crate) fn captured() -> Option<Vec<u8>> {
    let file = shared("nitro/dstack-nitro_attestation.bin")?;
    let length = usize::from(u16::from_le_bytes([file[2], file[3]]) >> 2);
    Some(file[4..4 + length].to_vec())
}

/// What the captured enclave is.
pub(crate) fn captured_policy(document: &[u8], root: Vec<u8>) -> NitroPolicy {
    let parsed = parse(document).unwrap();
    let pin = |index: u8| Pin::OneOf(vec![parsed.pcr(index).unwrap().to_vec()]);
    let image = parsed.pcr(0).unwrap().to_vec();
    NitroPolicy {
        roots: Roots::These(vec![root]),
        revocation: Revocation::NotChecked,
        max_age: Duration::from_secs(10_800),
        max_skew: Duration::from_secs(60),
        identity: Identity::Pinned,
        instances: Pin::OneOf(vec!["i-0827e799ec9232d44".to_owned()]),
        nonce: FieldRule::Absent,
        user_data: FieldRule::Binding,
        public_key: FieldRule::Absent,
        enclave: Some(EnclavePolicy {
            measurements: Measurements::Named(vec![("captured".to_owned(), image)]),
            pcr1: pin(1),
            pcr2: pin(2),
            pcr3: pin(3),
            pcr4: pin(4),
            pcr8: pin(8),
            other_pcrs: Registers::UnusedBut(Vec::new()),
        }),
        instance: None,
    }
}

#[test]
fn every_captured_document_has_its_stated_verdict() {
    let Some(rows) = rows("nitro") else {
        return;
    };
    assert_eq!(rows.len(), 2);
    for row in &rows {
        let id = text_of(row, &["id"]);
        let document = captured().unwrap();
        let root = shared(text_of(row, &["files", "root"])).unwrap();
        let policy = captured_policy(&document, x509::one_from_pem(&root).unwrap());
        let user_data = parse(&document).unwrap().user_data.unwrap().to_vec();
        let binding = Binding::Challenge(user_data);
        let at = text_of(row, &["at"]);
        let result = judge_bound(&document, &policy, &[], (at, &binding));
        match text_of(row, &["expect"]) {
            "accept" => assert_eq!(
                result.status,
                Status::Affirming,
                "{id}: {:?}",
                failed(&result)
            ),
            "reject" => {
                assert_eq!(result.status, Status::Contraindicated, "{id}");
                assert_eq!(failed(&result), ["nitro.age"], "{id}");
            }
            other => panic!("{id}: {other}"),
        }
        let Some(made) = member(row, &["values", "timestamp_ms"]) else {
            continue;
        };
        assert_eq!(
            parse(&document).unwrap().timestamp,
            made.as_u64().unwrap(),
            "{id}"
        );
        let offset = member(row, &["values", "cose_offset"])
            .unwrap()
            .as_u64()
            .unwrap();
        let file = shared(text_of(row, &["files", "document"])).unwrap();
        let start = usize::try_from(offset).unwrap();
        assert_eq!(file[start..start + document.len()], document, "{id}");
        let end = text_of(row, &["values", "leaf"])
            .rsplit(' ')
            .next()
            .unwrap();
        assert_eq!(
            result.not_after,
            Some(Timestamp::parse_rfc3339(end).unwrap()),
            "{id}"
        );
    }
}

#[test]
fn the_pinned_root_is_the_one_that_the_captured_document_leads_to() {
    let Some(document) = captured() else {
        return;
    };
    let mut policy = captured_policy(&document, Vec::new());
    policy.roots = Roots::Vendor;
    let at = "2025-12-25T13:15:38Z";
    let result = judge_bound(&document, &policy, &[], (at, &Binding::Unknown));
    assert_eq!(result.status, Status::Affirming, "{:?}", failed(&result));
    assert_eq!(result.claim("instance"), Some("i-0827e799ec9232d44"));
    let root = x509::one_from_pem(AWS_ROOT).unwrap();
    assert_eq!(
        hex::encode(crate::Sha256Digest::of(&root).as_bytes()),
        "641a0321a3e244efe456463195d606317ed7cdcc3c1756e09893f3c68f79bb5b"
    );
}

#[test]
fn a_captured_document_without_the_lists_that_its_chain_names_is_refused() {
    let Some(document) = captured() else {
        return;
    };
    let mut policy = captured_policy(&document, x509::one_from_pem(AWS_ROOT).unwrap());
    policy.revocation = Revocation::CrlRequired;
    let at = "2025-12-25T13:15:38Z";
    let result = judge_bound(&document, &policy, &[], (at, &Binding::Unknown));
    assert_eq!(failed(&result), ["nitro.revocation"]);
}

fn flips(bits: fn(usize) -> Vec<u32>) {
    let Some(document) = captured() else {
        return;
    };
    let policy = captured_policy(&document, x509::one_from_pem(AWS_ROOT).unwrap());
    no_flip_is_accepted(&document, bits, |document| {
        let at = ("2025-12-25T13:15:38Z", &Binding::Unknown);
        judge_bound(&document, &policy, &[], at).status != Status::Contraindicated
    });
}

#[test]
fn b01_bits_flipped_in_the_captured_document_are_refused() {
    flips(few);
}

#[test]
#[ignore = "minutes; some of them are flipped always"]
fn b01_any_bit_flipped_in_the_captured_document_is_refused() {
    flips(all);
}

#[test]
fn a_captured_document_is_shown_field_by_field() {
    let Some(document) = captured() else {
        return;
    };
    let fields = show(&document).unwrap();
    let value = |name: &str| {
        let found = fields.iter().find(|field| field.name == name);
        found.map(|field| field.value.clone()).unwrap_or_default()
    };
    assert_eq!(value("framing"), "untagged");
    assert_eq!(value("protected"), "a1013822");
    assert_eq!(
        value("module_id"),
        "i-0827e799ec9232d44-enc019b55a68bd2ed4b"
    );
    assert!(value("pcr0").starts_with("5cb702954321826d"));
    assert_eq!(value("nonce"), "absent");
    for field in &fields {
        let digits = hex::decode(&field.value).unwrap_or_default();
        let Some(at) = field.at.filter(|_| digits.len() > 4) else {
            continue;
        };
        assert_eq!(document[at..at + digits.len()], digits, "{}", field.name);
    }
}

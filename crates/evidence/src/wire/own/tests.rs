use super::{Own, OwnError};
use crate::{
    Evidence, Part, Platform,
    cbor::{self, CborError, Item},
};

fn snp() -> Own {
    Own {
        evidence: Evidence::new(Platform::Snp).with(Part::Report, *b"report"),
        claims: vec![0xa0],
        certificates: vec![b"vcek".to_vec()],
    }
}

#[test]
fn what_is_written_is_read_again() {
    let tpm = Evidence::new(Platform::Tpm)
        .with(Part::AkPublic, *b"key")
        .with(Part::Attest, *b"quote")
        .with(Part::Signature, *b"signature");
    let gpus = Evidence::new(Platform::Gpu)
        .with(Part::Certificates, *b"1")
        .with(Part::Certificates, *b"2")
        .with(Part::Report, *b"1")
        .with(Part::Report, *b"2");
    let alone = Evidence::new(Platform::Tpm).with(Part::Attest, *b"quote");
    let with_log = Evidence::new(Platform::Snp)
        .with(Part::EventLog, *b"log")
        .with(Part::Report, *b"report");
    for evidence in [
        tpm,
        gpus,
        alone,
        with_log,
        snp().evidence,
        Evidence::new(Platform::Software),
    ] {
        let own = Own { evidence, ..snp() };
        assert_eq!(Own::decode(&own.encode()), Ok(own));
    }
    let bare = Own {
        certificates: vec![],
        ..snp()
    };
    assert_eq!(bare.encode(), b"\xa3\x01\x63snp\x02\x46report\x03\x41\xa0");
    assert_eq!(Own::decode(&bare.encode()), Ok(bare));
}

fn map(members: Vec<(u64, Item<'_>)>) -> Vec<u8> {
    let members = members
        .into_iter()
        .map(|(key, value)| (Item::Uint(key), value));
    cbor::encode(&Item::Map(members.collect()))
}

fn refused(bytes: &[u8], error: OwnError) {
    assert_eq!(Own::decode(bytes), Err(error), "{bytes:x?}");
}

fn named(name: &str) -> (u64, Item<'_>) {
    (1, Item::Text(name))
}

fn report() -> (u64, Item<'static>) {
    (2, Item::Bytes(b"report"))
}

fn buffer() -> (u64, Item<'static>) {
    (3, Item::Bytes(b"\xa0"))
}

fn parts<'a>(name: &'a str, value: Item<'a>) -> (u64, Item<'a>) {
    (2, Item::Map(vec![(Item::Text(name), value)]))
}

#[test]
fn what_is_missing_or_of_another_kind_is_refused_by_name() {
    let shape = |place, expected| OwnError::Shape { place, expected };
    refused(&[0x80], shape("evidence", "a map"));
    refused(&map(vec![report(), buffer()]), shape("platform", "a text"));
    let number = (1, Item::Uint(1));
    refused(
        &map(vec![number, report(), buffer()]),
        shape("platform", "a text"),
    );
    let either = "a byte string, or a map of parts by name";
    refused(
        &map(vec![named("snp"), buffer()]),
        shape("evidence", either),
    );
    refused(
        &map(vec![named("snp"), report()]),
        shape("claims-buffer", "a byte string"),
    );
    let list = "a list of byte strings";
    let bare = (4, Item::Bytes(b"x"));
    refused(
        &map(vec![named("snp"), report(), buffer(), bare]),
        shape("certificates", list),
    );
}

#[test]
fn what_is_not_known_is_refused_by_name() {
    let name = "sev".to_owned();
    refused(
        &map(vec![named("sev"), report(), buffer()]),
        OwnError::Platform { name },
    );
    let more = (5, Item::Null);
    refused(
        &map(vec![named("snp"), report(), buffer(), more]),
        OwnError::Unknown,
    );
    let platform = Platform::Tpm;
    refused(
        &map(vec![named("tpm"), report(), buffer()]),
        OwnError::Unnamed { platform },
    );
    let other = parts("quotes", Item::Bytes(b"x"));
    let name = "quotes".to_owned();
    refused(
        &map(vec![named("tpm"), other, buffer()]),
        OwnError::Part { name },
    );
    let two = parts(
        "report",
        Item::Array(vec![Item::Bytes(b"1"), Item::Bytes(b"2")]),
    );
    let (part, platform) = ("report", Platform::Snp);
    refused(
        &map(vec![named("snp"), two, buffer()]),
        OwnError::Twice { part, platform },
    );
}

#[test]
fn there_is_one_spelling() {
    // A single part that stands for the whole is not named.
    let spelled = parts("report", Item::Bytes(b"x"));
    refused(&map(vec![named("snp"), spelled, buffer()]), OwnError::Order);
    refused(
        b"\xa3\x02\x46report\x01\x63snp\x03\x41\xa0",
        OwnError::Order,
    );
    let wide = b"\xa3\x01\x63snp\x02\x58\x06report\x03\x41\xa0";
    refused(wide, CborError::Wide { at: 7 }.into());
    let two = [snp().encode(), snp().encode()].concat();
    refused(&two, CborError::Trailing { at: 24, left: 24 }.into());
}

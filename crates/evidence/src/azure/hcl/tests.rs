use super::*;
use crate::azure::tests::forged::hcl;

fn refused(change: impl Fn(&mut Vec<u8>)) -> (&'static str, usize) {
    let mut bytes = hcl(2, 2, &[7; 1184], b"{}");
    assert!(parse(&bytes).is_ok());
    change(&mut bytes);
    let error = parse(&bytes).expect_err("refused");
    (error.what, error.at)
}

fn put(bytes: &mut [u8], at: usize, number: u32) {
    bytes[at..at + 4].copy_from_slice(&number.to_le_bytes());
}

#[test]
fn a_report_is_read_by_its_declared_lengths_and_cut_at_zeros() {
    let mut bytes = hcl(1, 2, &[7; 1184], b"{\"a\":1}");
    bytes.resize(4096, 0);
    let report = parse(&bytes).expect("a report");
    assert_eq!(report.version, 1);
    assert_eq!(report.hardware, Hardware::Snp(&[7; 1184]));
    assert_eq!(report.runtime, b"{\"a\":1}");
    let bytes = hcl(2, 4, &[9; 1024], b"");
    let report = parse(&bytes).expect("a report");
    assert_eq!(report.hardware, Hardware::Tdx(&[9; 1024]));
    assert_eq!(report.hardware.kind(), "a TDREPORT");
}

#[test]
fn every_field_that_is_not_known_is_refused_by_name() {
    for (at, number, what) in [
        (0, 0, "magic"),
        (4, 0, "version"),
        (4, 3, "version"),
        (12, 1, "request type"),
        (16, 1, "status"),
        (0x4c4, 2, "runtime data version"),
        (0x4c8, 0, "report type"),
        (0x4c8, 3, "report type"),
        (0x4cc, 0, "hash type"),
        (0x4cc, 2, "hash type"),
    ] {
        assert_eq!(refused(|bytes| put(bytes, at, number)), (what, at));
    }
    assert_eq!(refused(|bytes| bytes[31] = 1), ("reserved", 31));
    let mut bytes = hcl(2, 2, &[7; 1184], b"{}");
    put(&mut bytes, 0x4cc, 2);
    let error = parse(&bytes).expect_err("SHA-384");
    assert_eq!(
        (error.expected.as_str(), error.found.as_str()),
        ("1 (SHA-256)", "2 (SHA-384)")
    );
}

#[test]
fn lengths_that_lie_are_refused() {
    for size in [0, 1, 1237, 1239, u32::MAX] {
        assert_eq!(refused(|bytes| put(bytes, 8, size)), ("size", 8));
    }
    for length in [0, 19, 21, 23, u32::MAX] {
        let place = refused(|bytes| put(bytes, 0x4c0, length));
        assert_eq!(place, ("runtime data size", 0x4c0));
    }
    for length in [1, 3, u32::MAX] {
        let place = refused(|bytes| put(bytes, 0x4d0, length));
        assert_eq!(place, ("runtime data size", 0x4c0));
    }
    for length in [1_u32, 3, 1 << 31] {
        let (what, _) = refused(|bytes| {
            put(bytes, 0x4c0, length + 20);
            put(bytes, 0x4d0, length);
        });
        assert!(["size", "runtime data"].contains(&what), "{what}");
    }
}

#[test]
fn b26_anything_but_zeros_behind_the_report_is_refused() {
    assert_eq!(refused(|bytes| bytes.push(1)).0, "bytes behind the report");
    let mut bytes = hcl(2, 4, &[9; 1024], b"{}");
    bytes[0x20 + 1024] = 1;
    let error = parse(&bytes).expect_err("refused");
    assert_eq!(
        (error.what, error.at),
        ("bytes behind the TDREPORT", 0x20 + 1024)
    );
}

#[test]
fn every_truncation_is_refused() {
    let whole = hcl(2, 2, &[7; 1184], b"{\"keys\":[]}");
    for length in 0..whole.len() {
        assert!(parse(&whole[..length]).is_err(), "{length}");
    }
}

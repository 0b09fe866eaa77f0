//! What is no quote: versions, types and lengths.

use proptest::prelude::*;

use super::forge::{Mint, domain, header, typed};
use crate::{
    dcap::{Body, Collateral, Quote, Tee, parse},
    reader::Malformed,
};

fn fault(bytes: &[u8]) -> Malformed {
    parse(bytes).unwrap_err()
}

#[test]
fn every_kind_is_viewed() {
    for (mint, version, tee, length) in [
        (Mint::sgx(), 3, Tee::Sgx, 432),
        (Mint::tdx(), 4, Tee::Tdx, 632),
        (Mint::tdx5(2), 5, Tee::Tdx, 638),
        (Mint::tdx5(3), 5, Tee::Tdx, 702),
        (Mint::tdx5(4), 5, Tee::Tdx, 939),
    ] {
        let bytes = mint.quote();
        let quote: Quote<'_> = parse(&bytes).unwrap();
        assert_eq!((quote.header.version, quote.header.tee), (version, tee));
        assert_eq!(quote.signed, mint.signed());
        assert_eq!(quote.signed.len(), length);
        assert_eq!(quote.quoting.auth_data, mint.auth);
        assert!(quote.rest.is_empty());
        match quote.body {
            Body::Enclave(report) => assert_eq!(report.mrenclave, [0xe1; 32]),
            Body::Domain(report) => {
                assert_eq!(report.mrtd, [0x11; 48]);
                assert_eq!(report.rtmrs[3], [0xa3; 48]);
                assert_eq!(report.report_data, [0x77; 64]);
            }
        }
    }
}

#[test]
fn b09_every_other_version_key_type_or_technology_is_refused() {
    let with = |at: usize, bytes: &[u8]| {
        let mut quote = Mint::tdx().quote();
        quote[at..at + bytes.len()].copy_from_slice(bytes);
        fault(&quote)
    };
    for version in [0_u16, 1, 2, 6, 0x0400, u16::MAX] {
        assert_eq!(with(0, &version.to_le_bytes()).what, "version");
    }
    for key in [0_u16, 1, 3, u16::MAX] {
        assert_eq!(with(2, &key.to_le_bytes()).what, "att_key_type");
    }
    for tee in [0_u32, 1, 0x80, 0x8100_0000, u32::MAX] {
        assert_eq!(with(4, &tee.to_le_bytes()).what, "tee_type");
    }
    let mut enclave = Mint::sgx().quote();
    enclave[4] = 0x81;
    assert_eq!(fault(&enclave).what, "tee_type");
}

#[test]
fn b09_versions_4_and_5_are_not_taken_for_one_another() {
    let mut four = Mint::tdx().quote();
    four[0] = 5;
    assert_eq!(fault(&four).what, "body_type");
    for kind in 2..=4 {
        let mut five = Mint::tdx5(kind).quote();
        five[0] = 4;
        assert!(parse(&five).is_err(), "{kind}");
    }
}

#[test]
fn b09_unknown_body_types_and_sizes_that_are_not_theirs_are_refused() {
    for kind in [0_u16, 1, 5, 6, 0x0200, u16::MAX] {
        let mut mint = Mint::tdx5(2);
        mint.body = typed(kind, &domain(584));
        assert_eq!(fault(&mint.quote()).what, "body_type", "{kind}");
    }
    let mut enclave = Mint::sgx();
    enclave.header = header(5, 0);
    enclave.body = typed(2, &domain(584));
    assert_eq!(fault(&enclave.quote()).what, "body_type");
    for (kind, right) in [(2_u16, 584_u32), (3, 648), (4, 885)] {
        for size in [0, right - 1, right + 1, 584, 648, 885, u32::MAX] {
            if size == right {
                continue;
            }
            let mut mint = Mint::tdx5(kind);
            mint.body[2..6].copy_from_slice(&size.to_le_bytes());
            assert_eq!(fault(&mint.quote()).what, "body_size", "{kind} {size}");
        }
    }
}

/// Where the lengths of a quote stand, and how long they are.
fn lengths(mint: &Mint) -> Vec<(usize, usize)> {
    let signed = mint.signed().len();
    let block = signed + 4 + 128;
    if mint.header[0] == 3 {
        let auth = block + 448;
        return vec![(signed, 4), (auth, 2), (auth + 2 + 32 + 2, 4)];
    }
    let auth = block + 6 + 448;
    vec![
        (signed, 4),
        (block + 2, 4),
        (auth, 2),
        (auth + 2 + 32 + 2, 4),
    ]
}

#[test]
fn b09_every_length_that_lies_is_refused_without_reading_over() {
    for mint in [Mint::sgx(), Mint::tdx(), Mint::tdx5(4)] {
        let honest = mint.quote();
        assert!(parse(&honest).is_ok());
        for (at, width) in lengths(&mint) {
            let mut stored = [0; 8];
            stored[..width].copy_from_slice(&honest[at..at + width]);
            let right = u64::from_le_bytes(stored);
            let most = if width == 2 { 0xffff } else { 0xffff_ffff };
            for length in [0, right - 1, right + 1, most] {
                let mut quote = honest.clone();
                quote[at..at + width].copy_from_slice(&length.to_le_bytes()[..width]);
                assert!(parse(&quote).is_err(), "{length} at {at}");
            }
        }
    }
}

#[test]
fn b09_other_certification_data_is_refused_by_its_type() {
    for kind in [0_u16, 1, 2, 3, 4, 6, 7, u16::MAX] {
        let mint = Mint::tdx();
        let mut quote = mint.quote();
        let [.., (at, _)] = lengths(&mint)[..] else {
            panic!()
        };
        quote[at - 2..at].copy_from_slice(&kind.to_le_bytes());
        assert_eq!(fault(&quote).what, "cert_type", "{kind}");
        let mut quote = mint.quote();
        let at = mint.signed().len() + 4 + 128;
        if kind != 6 {
            quote[at..at + 2].copy_from_slice(&kind.to_le_bytes());
            assert_eq!(fault(&quote).what, "cert_type", "{kind}");
        }
    }
}

#[test]
fn every_truncation_is_refused() {
    for mint in [Mint::sgx(), Mint::tdx5(4)] {
        let quote = mint.quote();
        for length in 0..quote.len() {
            assert!(parse(&quote[..length]).is_err(), "{length}");
        }
    }
}

#[test]
fn an_oversized_quote_is_refused_before_it_is_read() {
    let mut quote = Mint::tdx().quote();
    quote.resize((64 << 10) + 1, 0);
    assert_eq!(fault(&quote).what, "quote");
    quote.truncate(64 << 10);
    assert!(parse(&quote).is_ok());
}

proptest! {
    #[test]
    fn no_bytes_make_the_parsers_panic(
        bytes in proptest::collection::vec(any::<u8>(), 0..6000),
        place in 0_usize..5000,
        value: [u8; 4],
    ) {
        let _ = parse(&bytes);
        let _ = Collateral::parse(&bytes);
        let mut quote = Mint::tdx5(4).quote();
        for (offset, byte) in value.into_iter().enumerate() {
            if let Some(target) = quote.get_mut(place + offset) {
                *target = byte;
            }
        }
        if let Ok(quote) = parse(&quote) {
            let _ = super::super::links::certificates(quote.quoting.certificates);
        }
        let _ = super::super::show(&quote);
    }
}

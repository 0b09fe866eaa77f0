//! Every bit of a captured quote that somebody signed, one by one.

use std::fs;

use crate::{Endorsements, Evidence, Input, Part, Platform, Status, dcap::parse};

/// Flips each bit of a range and asserts that the quote is then refused.
fn refuses_every_flip(quote: &[u8], places: impl Iterator<Item = usize>) {
    let trial = super::captured::trial(quote, None);
    let policy = trial.section.read().unwrap();
    let judge = |quote: Vec<u8>| {
        let evidence = Evidence::new(Platform::Tdx).with(Part::Quote, quote);
        crate::appraise(&Input {
            evidence: &evidence,
            endorsements: &Endorsements::default(),
            binding: &trial.binding,
            policy: &policy,
            at: trial.at,
        })
        .status
    };
    assert_eq!(judge(quote.to_vec()), Status::Warning);
    for place in places {
        for bit in 0..8 {
            let mut flipped = quote.to_vec();
            flipped[place] ^= 1 << bit;
            assert_eq!(
                judge(flipped),
                Status::Contraindicated,
                "bit {bit} of byte {place}"
            );
        }
    }
}

#[test]
fn b01_no_bit_of_header_and_body_can_be_flipped() {
    let Some(folder) = super::vectors() else {
        return;
    };
    let quote = fs::read(folder.join("tdx/dcap-qvl-tdx_quote")).unwrap();
    let signed = parse(&quote).unwrap().signed.len();
    refuses_every_flip(&quote, 0..signed);
}

#[test]
fn b01_no_bit_of_signatures_keys_and_the_quoting_enclaves_report_can_be_flipped() {
    let Some(folder) = super::vectors() else {
        return;
    };
    let quote = fs::read(folder.join("tdx/dcap-qvl-tdx_quote")).unwrap();
    let view = parse(&quote).unwrap();
    let (begin, end) = (view.signed.len(), view.quoting.certificates_at);
    refuses_every_flip(&quote, begin..end);
}

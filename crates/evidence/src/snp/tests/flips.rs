//! Every bit of what is signed counts.

use super::*;
use crate::AttestationResult;

/// Which bits of a byte are flipped, one after the other.
type Bits = fn(usize) -> Vec<u32>;

fn all(_at: usize) -> Vec<u32> {
    (0..8).collect()
}

/// All of them where something is said or signed, and one of each byte that is kept free behind it.
fn meant(at: usize) -> Vec<u32> {
    if at < 0x330 { all(at) } else { one(at) }
}

/// Another one in each byte: where all of them would only cost time.
fn one(at: usize) -> Vec<u32> {
    vec![u32::try_from(at % 8).unwrap()]
}

/// Each flip is judged as a whole: what a signature does not cover has to be caught by a check.
fn no_flip_is_accepted(
    bytes: &[u8],
    bits: Bits,
    judge: impl Fn(Vec<u8>) -> AttestationResult + Sync,
) {
    assert_ne!(judge(bytes.to_vec()).status, Status::Contraindicated);
    let half = bytes.len() / 2;
    std::thread::scope(|scope| {
        for range in [0..half, half..bytes.len()] {
            let judge = &judge;
            scope.spawn(move || {
                for at in range {
                    for bit in bits(at) {
                        let mut flipped = bytes.to_vec();
                        flipped[at] ^= 1 << bit;
                        let result = judge(flipped);
                        let place = format!("bit {bit} of byte {at:#x}");
                        assert_eq!(result.status, Status::Contraindicated, "{place}");
                        assert!(result.failures().count() > 0, "{place}");
                    }
                }
            });
        }
    });
}

#[test]
fn b01_any_bit_flipped_in_a_captured_report_is_refused() {
    let Some((report, endorsements, policy)) = vectors::genoa() else {
        return;
    };
    no_flip_is_accepted(&report, meant, |report| {
        vectors::judge(report, &endorsements, &policy)
    });
}

#[test]
#[ignore = "minutes; the same of one report runs always"]
fn b01_any_bit_flipped_in_every_captured_report_is_refused() {
    let Some(captures) = vectors::accepted() else {
        return;
    };
    for capture in captures {
        no_flip_is_accepted(&capture.report, all, |report| capture.judge(report));
    }
}

#[test]
fn b01_any_byte_changed_in_a_forged_report_is_refused() {
    let forge = Forge::new(Product::Turin);
    let endorsements = forge.endorsements();
    let policy = forge.policy();
    no_flip_is_accepted(&forge.report(), one, |report| {
        forge::judge(report, &endorsements, &policy)
    });
}

#[test]
fn b01_any_byte_changed_in_the_certificates_is_refused() {
    let forge = Forge::new(Product::Genoa);
    let whole = forge.endorsements();
    let policy = forge.policy();
    for number in [0, 1] {
        no_flip_is_accepted(&whole.certificates[number], one, |certificate| {
            let mut endorsements = whole.clone();
            endorsements.certificates[number] = certificate;
            forge::judge(forge.report(), &endorsements, &policy)
        });
    }
}

#[test]
fn b01_any_byte_changed_in_the_revocation_list_is_refused() {
    let forge = Forge::new(Product::Genoa);
    let whole = forge.endorsements();
    let policy = forge.policy();
    no_flip_is_accepted(&whole.crls[0], one, |crl| {
        let mut endorsements = whole.clone();
        endorsements.crls[0] = crl;
        forge::judge(forge.report(), &endorsements, &policy)
    });
}

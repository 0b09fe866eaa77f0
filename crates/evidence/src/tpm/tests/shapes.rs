//! Bytes of other shapes: nothing is read over, nothing panics.

use proptest::prelude::*;

use super::machine::{ECDSA, Machine, SOUND, public_area, sized, tpmt_signature};
use crate::{
    eventlog,
    forge::{Alg, Key},
    tpm::{AkPublic, Attest, QuoteSignature},
};

#[test]
fn cuts_and_tails_of_a_quote_are_refused() {
    let bytes = Machine::sound().quote.bytes();
    assert!(Attest::parse(&bytes).is_ok());
    for end in 0..bytes.len() {
        assert!(Attest::parse(&bytes[..end]).is_err(), "{end}");
    }
    assert!(Attest::parse(&[&bytes[..], &[0]].concat()).is_err());
}

#[test]
fn lengths_of_a_quote_that_lie_are_refused() {
    let mut many = Machine::sound().quote;
    many.selections = vec![(0x000b, vec![0; 3]); 17];
    assert_eq!(
        Attest::parse(&many.bytes()).unwrap_err().what,
        "number of PCR selections"
    );
    let mut wide = Machine::sound().quote;
    wide.selections = vec![(0x000b, vec![0; 5])];
    assert_eq!(
        Attest::parse(&wide.bytes()).unwrap_err().what,
        "size of a PCR selection"
    );
    let bytes = Machine::sound().quote.bytes();
    for value in [0, 33, 35, u16::MAX] {
        let mut changed = bytes.clone();
        changed[6..8].copy_from_slice(&u16::to_be_bytes(value));
        assert!(Attest::parse(&changed).is_err(), "{value}");
    }
}

#[test]
fn public_areas_of_other_shapes_are_refused() {
    let area = public_area(&Key::p256("x"), SOUND, ECDSA);
    assert!(AkPublic::parse(&area).is_ok());
    for end in 0..area.len() {
        assert!(AkPublic::parse(&area[..end]).is_err(), "{end}");
        assert!(AkPublic::parse(&sized(&area[..end])).is_err(), "{end}");
    }
    assert!(AkPublic::parse(&[&area[..], &[0]].concat()).is_err());
    assert!(AkPublic::parse(&[&sized(&area)[..], &[0]].concat()).is_err());
    // A point that is not on the curve, a curve without a name, a keyed hash, a symmetric cipher.
    for (at, value) in [
        (area.len() - 1, area[area.len() - 1] ^ 1),
        (17, 5),
        (1, 8),
        (1, 0x25),
    ] {
        let mut changed = area.clone();
        changed[at] = value;
        assert!(AkPublic::parse(&changed).is_err(), "{at}");
    }
}

#[test]
fn signatures_of_other_schemes_are_refused() {
    let key = Key::p256("x");
    let good = tpmt_signature(&key, Alg::EcdsaSha256, b"message");
    for scheme in [0x0005_u16, 0x0010, 0x001a, 0x001b, 0x001c] {
        let mut changed = good.clone();
        changed[..2].copy_from_slice(&scheme.to_be_bytes());
        let error = QuoteSignature::parse_tpmt(&changed).unwrap_err();
        assert_eq!(error.what, "signature scheme");
    }
    let mut hash = good;
    hash[3] = 0x12;
    assert_eq!(
        QuoteSignature::parse_tpmt(&hash).unwrap_err().what,
        "hash of the signature"
    );
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = Attest::parse(&bytes);
        let _ = AkPublic::parse(&bytes);
        let _ = QuoteSignature::parse_tpmt(&bytes);
        let _ = eventlog::parse(&bytes);
        let _ = eventlog::ImaLog::parse(&bytes);
        let _ = eventlog::CelLog::parse(&bytes);
        let _ = eventlog::JsonLog::parse(&bytes);
    }

    #[test]
    fn no_change_of_a_sound_machine_panics(part in 0_usize..6, at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let machine = Machine::sound();
        let mut changed = crate::Evidence::new(crate::Platform::Tpm);
        for (index, (kind, bytes)) in machine.evidence().parts().enumerate() {
            let mut bytes = bytes.to_vec();
            if index == part {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            changed = changed.with(kind, bytes);
        }
        let _ = machine.judge(&changed);
        let _ = crate::tpm::show(&changed);
    }
}

//! One thing broken at a time: each check has a test that fails when the check is not made.

use super::machine::{CHALLENGE, ECDSA, Machine, bitmap, failures};
use crate::{
    Binding, Status,
    check::Outcome,
    eventlog::HashAlg,
    evidence::Part,
    forge::{Alg, Key},
    hex,
};

const BANK: HashAlg = HashAlg::Sha256;

#[test]
fn a_sound_machine_is_affirmed_and_every_check_is_decided() {
    let result = Machine::sound().result();
    assert_eq!(failures(&result), [""; 0]);
    assert_eq!(result.failures().count(), 0);
    assert_eq!(result.status, Status::Affirming);
    assert_eq!(
        result.claim("qualifying-data"),
        Some(hex::encode(&CHALLENGE).as_str())
    );
    assert_eq!(result.claim("reset-count"), Some("5"));
    assert_eq!(result.claim("tpm-firmware"), Some("0001000200030004"));
    assert!(result.claim("pcr-4").is_some() && result.claim("pcr-12").is_none());
    let ignored =
        "PCRs 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23 are ignored by the reference values";
    assert!(
        result.notes.iter().any(|note| note == ignored),
        "{:?}",
        result.notes
    );
}

#[test]
fn keys_of_every_kind_sign_quotes() {
    let p384 = Machine::sound().keyed(Key::p384("attestation"), Alg::EcdsaSha384, (0x0018, 0x000c));
    // The digest over the PCRs is made with the hash of the signing scheme.
    let p384 = p384.with(|machine| machine.quote.digest = HashAlg::Sha384.digest(&machine.pcrs));
    assert_eq!(p384.failures(), [""; 0]);
    let rsa = Machine::sound().keyed(Key::rsa2048(0), Alg::RsaSha256, (0x0014, 0x000b));
    assert_eq!(rsa.failures(), [""; 0]);
    let raw = rsa.clone().with(|machine| machine.raw_signature = true);
    assert_eq!(raw.failures(), [""; 0]);
    let pss = Machine::sound().keyed(Key::rsa2048(0), Alg::PssSha256, (0x0016, 0x000b));
    assert_eq!(pss.failures(), [""; 0]);
    // A public area with its length before it.
    let sized = Machine::sound().with(|machine| {
        machine.area = super::machine::sized(&machine.area);
    });
    assert_eq!(sized.failures(), [""; 0]);
}

#[test]
fn the_digest_over_pcrs_has_the_hash_of_the_signature() {
    let wrong =
        Machine::sound().keyed(Key::p384("attestation"), Alg::EcdsaSha384, (0x0018, 0x000c));
    assert_eq!(wrong.failures(), ["tpm.pcr-digest"]);
}

#[test]
fn a_part_that_is_missing_or_there_twice_is_refused() {
    let machine = Machine::sound();
    let whole = machine.evidence();
    for part in [Part::AkPublic, Part::Attest, Part::Signature] {
        let mut without = crate::Evidence::new(crate::Platform::Tpm);
        for (kind, bytes) in whole.parts().filter(|(kind, _)| *kind != part) {
            without = without.with(kind, bytes);
        }
        assert_eq!(failures(&machine.judge(&without)), ["tpm.parts"]);
        let twice = whole.clone().with(part, whole.part(part).unwrap());
        assert_eq!(failures(&machine.judge(&twice)), ["tpm.parts"]);
    }
    let other = whole.clone().with(Part::Quote, b"x");
    let result = machine.judge(&other);
    assert_eq!(result.status, Status::Affirming);
    let note = "the part `quote` is not of a TPM: not judged";
    assert!(result.notes.iter().any(|known| known == note));
    let twice = whole
        .clone()
        .with(Part::Pcrs, whole.part(Part::Pcrs).unwrap());
    assert_eq!(failures(&machine.judge(&twice)), ["tpm.pcr-digest"]);
}

#[test]
fn what_is_not_a_quote_made_by_a_tpm_is_refused() {
    let refused = |change: fn(&mut Machine)| Machine::sound().with(change).failures();
    assert_eq!(refused(|machine| machine.quote.magic ^= 1), ["tpm.attest"]);
    // A certification of a key has the same magic, and no PCRs.
    assert_eq!(
        refused(|machine| machine.quote.kind = 0x8017),
        ["tpm.attest"]
    );
    assert_eq!(refused(|machine| machine.quote.safe = 2), ["tpm.attest"]);
    let machine = Machine::sound();
    let longer = [machine.quote.bytes(), vec![0]].concat();
    let evidence = crate::Evidence::new(crate::Platform::Tpm)
        .with(Part::AkPublic, machine.area.clone())
        .with(Part::Attest, longer.clone())
        .with(
            Part::Signature,
            super::machine::tpmt_signature(&machine.key, machine.alg, &longer),
        )
        .with(Part::Pcrs, machine.pcrs.clone());
    assert_eq!(failures(&machine.judge(&evidence)), ["tpm.attest"]);
}

#[test]
fn a_signature_of_another_key_is_refused() {
    let other = Machine::sound().with(|machine| machine.key = Key::p256("somebody"));
    assert_eq!(other.failures(), ["tpm.signature"]);
    let weak = Machine::sound();
    let mut signature = super::machine::tpmt_signature(&weak.key, weak.alg, &weak.quote.bytes());
    signature[3] = 0x04;
    let replaced = replace(&weak, Part::Signature, &signature);
    assert_eq!(
        failures(&replaced),
        ["tpm.ak-scheme", "tpm.signature", "tpm.pcr-digest"]
    );
}

fn replace(machine: &Machine, part: Part, bytes: &[u8]) -> crate::AttestationResult {
    let mut evidence = crate::Evidence::new(crate::Platform::Tpm);
    for (kind, before) in machine.evidence().parts() {
        evidence = evidence.with(kind, if kind == part { bytes } else { before });
    }
    machine.judge(&evidence)
}

#[test]
fn b16_signatures_with_numbers_out_of_range_are_refused() {
    let machine = Machine::sound();
    let good = super::machine::tpmt_signature(&machine.key, machine.alg, &machine.quote.bytes());
    let with = |r: &[u8], s: &[u8]| {
        let numbers = [super::machine::sized(r), super::machine::sized(s)].concat();
        let bytes = [&good[..4], &numbers].concat();
        failures(&replace(&machine, Part::Signature, &bytes))
    };
    let (r, s) = (&good[6..38], &good[40..72]);
    assert_eq!(with(r, s), [""; 0]);
    let order =
        hex::decode("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551").unwrap();
    for (r, s) in [
        (&[0; 32][..], s),
        (r, &[0; 32][..]),
        (&order, s),
        (r, &order),
        (&[], s),
        (r, &[]),
        (&[&[0], r].concat(), s),
        (r, &r[1..]),
        (s, r),
    ] {
        assert_eq!(with(r, s), ["tpm.signature"]);
    }
    // DER, r‖s without lengths, trailing bytes, a cut.
    for bytes in [
        &machine.key.sign(machine.alg, &machine.quote.bytes())[..],
        &[r, s].concat(),
        &[&good[..], &[0]].concat(),
        &good[..good.len() - 1],
    ] {
        let failed = failures(&replace(&machine, Part::Signature, bytes));
        assert_eq!(failed, ["tpm.ak-scheme", "tpm.signature"]);
    }
}

#[test]
fn b16_a_hash_that_is_not_the_curves_is_refused() {
    let wrong = Machine::sound().keyed(Key::p384("attestation"), Alg::EcdsaSha256, ECDSA);
    assert_eq!(wrong.failures(), ["tpm.signature"]);
    let wrong =
        Machine::sound().keyed(Key::p256("attestation"), Alg::EcdsaSha384, (0x0018, 0x000c));
    let wrong = wrong.with(|machine| machine.quote.digest = HashAlg::Sha384.digest(&machine.pcrs));
    assert_eq!(wrong.failures(), ["tpm.signature"]);
}

#[test]
fn another_challenge_is_refused() {
    let other = Machine::sound().with(|machine| machine.quote.extra[31] ^= 1);
    assert_eq!(other.failures(), ["tpm.binding"]);
    let cut = Machine::sound().with(|machine| machine.quote.extra.truncate(31));
    assert_eq!(cut.failures(), ["tpm.binding"]);
    let longer = Machine::sound().with(|machine| machine.quote.extra.push(0));
    assert_eq!(longer.failures(), ["tpm.binding"]);
    let empty = Machine::sound().with(|machine| machine.quote.extra.clear());
    assert_eq!(empty.failures(), ["tpm.binding"]);
    let unknown = Machine::sound().with(|machine| machine.binding = Binding::Unknown);
    let result = unknown.result();
    assert_eq!(failures(&result), [""; 0]);
    let binding = result
        .checks
        .iter()
        .find(|checked| checked.check.code == "tpm.binding");
    assert!(matches!(
        binding.unwrap().outcome,
        Outcome::NotApplicable { .. }
    ));
}

#[test]
fn a_digest_of_the_challenge_is_taken_only_where_policy_says_so() {
    let hashed = Machine::sound().with(|machine| machine.quote.extra = BANK.digest(&CHALLENGE));
    assert_eq!(hashed.failures(), ["tpm.binding"]);
    let said = hashed.policy(
        "\"qualifying_data\": \"whole\"",
        "\"qualifying_data\": \"sha256\"",
    );
    assert_eq!(said.failures(), [""; 0]);
    let whole = Machine::sound().policy(
        "\"qualifying_data\": \"whole\"",
        "\"qualifying_data\": \"sha256\"",
    );
    assert_eq!(whole.failures(), ["tpm.binding"]);
}

#[test]
fn b20_counters_that_went_back_are_refused() {
    let counted = |reset: u32, restart: u32| {
        let machine = Machine::sound().with(|machine| {
            machine.quote.reset = reset;
            machine.quote.restart = restart;
        });
        machine.failures()
    };
    assert_eq!(counted(5, 1), [""; 0]);
    assert_eq!(counted(5, 2), [""; 0]);
    assert_eq!(counted(6, 0), [""; 0]);
    assert_eq!(counted(5, 0), ["tpm.counters"]);
    assert_eq!(counted(4, 9), ["tpm.counters"]);
}

#[test]
fn a_clock_that_is_not_sure_is_refused_unless_policy_says_so() {
    let unsure = Machine::sound().with(|machine| machine.quote.safe = 0);
    assert_eq!(unsure.failures(), ["tpm.clock"]);
    assert_eq!(
        unsure
            .policy("\"clock\": \"safe\"", "\"clock\": \"any\"")
            .failures(),
        [""; 0]
    );
}

#[test]
fn another_firmware_is_refused() {
    let other = Machine::sound().with(|machine| machine.quote.firmware ^= 1);
    assert_eq!(other.failures(), ["tpm.firmware"]);
    let any = other.policy(
        "\"firmware\": [\"0001000200030004\"]",
        "\"firmware\": \"any\"",
    );
    assert_eq!(any.failures(), [""; 0]);
}

#[test]
fn another_selection_is_refused_even_if_its_digest_fits() {
    let selected = |selections: Vec<(u16, Vec<u8>)>| {
        let machine = Machine::sound().with(|machine| machine.quote.selections = selections);
        machine.failures()
    };
    assert_eq!(
        selected(vec![(0x000b, bitmap(0..12)), (0x0004, vec![0; 3])]),
        [""; 0]
    );
    assert_eq!(selected(vec![(0x000c, bitmap(0..12))]), ["tpm.selection"]);
    assert_eq!(selected(vec![(0x000b, bitmap(0..11))]), ["tpm.selection"]);
    assert_eq!(selected(vec![(0x000b, bitmap(0..13))]), ["tpm.selection"]);
    assert_eq!(
        selected(vec![(0x000b, bitmap((0..11).chain([16])))]),
        ["tpm.selection"]
    );
    assert_eq!(selected(vec![]), ["tpm.selection"]);
    let twice = vec![(0x000b, bitmap(0..12)), (0x000b, bitmap(0..12))];
    assert_eq!(selected(twice), ["tpm.selection"]);
    // The values of two PCRs exchanged in number, and so in order: the digest over them is the same.
    let halves = vec![(0x000b, bitmap(0..6)), (0x000b, bitmap(6..12))];
    assert_eq!(selected(halves), ["tpm.selection"]);
}

#[test]
fn values_that_were_not_quoted_are_refused() {
    let other = Machine::sound().with(|machine| machine.pcrs[40] ^= 1);
    assert_eq!(other.failures(), ["tpm.pcr-digest"]);
    let none = Machine::sound().with(|machine| machine.pcrs.clear());
    assert_eq!(none.failures(), ["tpm.pcr-digest"]);
    let longer = Machine::sound().with(|machine| {
        machine.pcrs.push(0);
        machine.quote.digest = BANK.digest(&machine.pcrs);
    });
    // Nobody can say which PCR the byte belongs to.
    assert_eq!(longer.result().status, Status::Contraindicated);
}

#[test]
fn a_pcr_with_another_value_is_refused() {
    let pinned = Machine::sound();
    let value = hex::encode(&pinned.pcrs[..32]);
    let other = pinned.policy(&value, &hex::encode(&[9; 32]));
    assert_eq!(other.failures(), ["tpm.pcrs"]);
}

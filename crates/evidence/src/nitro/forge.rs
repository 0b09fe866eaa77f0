//! Forges documents under a root of its own, with any field broken. The CBOR is written here.

use super::{
    EnclavePolicy, FieldRule, Identity, InstancePolicy, NitroPolicy, Registers, Revocation,
};
use crate::{
    AttestationResult, Binding, Endorsements, Evidence, Input, Part, Platform, ReferenceValues,
    Timestamp, appraise,
    check::Outcome,
    forge::{Alg, Authority, Cert, Crl, Key},
    policy::{Freshness, Measurements, Pin, fields::Roots},
};
use std::time::Duration;

/// When forged documents are made.
pub(crate) const MADE: &str = "2026-05-01T12:00:00Z";
pub(crate) const INSTANCE: &str = "i-0123456789abcdef0";
pub(crate) const CHALLENGE: &[u8] = b"0123456789abcdef0123456789abcdef";

/// A document before it is signed.
#[derive(Clone, Debug)]
pub(crate) struct Forge {
    pub(crate) module_id: String,
    pub(crate) digest: String,
    pub(crate) timestamp: u64,
    pub(crate) pcrs_name: &'static str,
    pub(crate) pcrs: Vec<(u64, Vec<u8>)>,
    pub(crate) nonce: Option<Vec<u8>>,
    pub(crate) user_data: Option<Vec<u8>>,
    pub(crate) public_key: Option<Vec<u8>>,
    /// Members behind the others, already written.
    pub(crate) more: Vec<(Vec<u8>, Vec<u8>)>,
    pub(crate) protected: Vec<u8>,
    pub(crate) unprotected: Vec<u8>,
    pub(crate) algorithm: Alg,
    pub(crate) key: Key,
    pub(crate) leaf: Cert,
    /// Leaves the issuer out of the bundle.
    pub(crate) without_issuer: bool,
    /// Puts this behind the bundle.
    pub(crate) bundled: Option<Vec<u8>>,
    /// Has certificates say where revocation lists are.
    pub(crate) lists: Lists,
    pub(crate) crls: Vec<Vec<u8>>,
}

impl Forge {
    /// An enclave that everything is right with.
    pub(crate) fn enclave() -> Self {
        let key = Key::p384("nitro enclave");
        let module_id = format!("{INSTANCE}-enc0123456789abcdef");
        let registers = [
            (0, 0xa0),
            (1, 0xa1),
            (2, 0xa2),
            (3, 0xa3),
            (4, 0xa4),
            (8, 0xa8),
        ];
        Self {
            leaf: leaf(&module_id, &key),
            module_id,
            digest: "SHA384".to_owned(),
            timestamp: 1000 * Timestamp::parse_rfc3339(MADE).unwrap().unix_seconds() as u64,
            pcrs_name: "pcrs",
            pcrs: registers_of(16, &registers),
            nonce: Some(CHALLENGE.to_vec()),
            user_data: None,
            public_key: None,
            more: Vec::new(),
            protected: map(&[(int(1), int(-35))]),
            unprotected: map(&[]),
            algorithm: Alg::EcdsaSha384,
            key,
            without_issuer: false,
            bundled: None,
            lists: Lists::Named,
            crls: vec![root().crl(&[]), regional().crl(&[])],
        }
    }

    /// An instance that everything is right with.
    pub(crate) fn instance() -> Self {
        let enclave = Self::enclave();
        let module_id = format!("{INSTANCE}-tpm0000000000000000");
        let mut pcrs = registers_of(24, &[(0, 1), (2, 2), (4, 0xb4), (7, 0xb7), (12, 0x12)]);
        for (_, value) in &mut pcrs[17..23] {
            value.fill(0xff);
        }
        Self {
            leaf: leaf(&module_id, &enclave.key),
            module_id,
            pcrs_name: "nitrotpm_pcrs",
            pcrs,
            ..enclave
        }
    }

    /// The payload.
    pub(crate) fn payload(&self) -> Vec<u8> {
        let pcrs: Vec<(Vec<u8>, Vec<u8>)> = self
            .pcrs
            .iter()
            .map(|(index, value)| (uint(*index), bytes(value)))
            .collect();
        let region = below(&root(), "region.test", ("nitro region", self.lists));
        let zone = below(&region, "zone.test", ("nitro zone", self.lists));
        let leaf = zone.issue(self.leaf.clone());
        let mut bundle = vec![root().der, region.der, zone.der];
        if self.without_issuer {
            bundle.pop();
        }
        bundle.extend(self.bundled.clone());
        let bundle: Vec<Vec<u8>> = bundle.iter().map(bytes).collect();
        let optional = |value: &Option<Vec<u8>>| value.as_ref().map_or_else(|| vec![0xf6], bytes);
        let mut members = vec![
            (text("module_id"), text(&self.module_id)),
            (text("digest"), text(&self.digest)),
            (text("timestamp"), uint(self.timestamp)),
            (text(self.pcrs_name), map(&pcrs)),
            (text("certificate"), bytes(&leaf)),
            (text("cabundle"), array(&bundle)),
            (text("public_key"), optional(&self.public_key)),
            (text("user_data"), optional(&self.user_data)),
            (text("nonce"), optional(&self.nonce)),
        ];
        members.extend(self.more.clone());
        open_map(&members)
    }

    /// The document, as the hypervisor would give it.
    pub(crate) fn document(&self) -> Vec<u8> {
        self.sealed(&self.payload())
    }

    /// A signed document around any payload.
    pub(crate) fn sealed(&self, payload: &[u8]) -> Vec<u8> {
        let signed = array(&[
            text("Signature1"),
            bytes(&self.protected),
            bytes([]),
            bytes(payload),
        ]);
        let signature = self.key.sign_fixed(self.algorithm, &signed);
        array(&[
            bytes(&self.protected),
            self.unprotected.clone(),
            bytes(payload),
            bytes(signature),
        ])
    }

    /// What is found of it under the policy that fits it.
    pub(crate) fn judge(&self) -> AttestationResult {
        self.judge_by(&policy())
    }

    /// What is found of it.
    pub(crate) fn judge_by(&self, policy: &NitroPolicy) -> AttestationResult {
        judge(&self.document(), policy, &self.crls, MADE)
    }
}

/// What is found of a document's bytes.
pub(crate) fn judge(
    document: &[u8],
    policy: &NitroPolicy,
    crls: &[Vec<u8>],
    at: &str,
) -> AttestationResult {
    let binding = Binding::Challenge(CHALLENGE.to_vec());
    judge_bound(document, policy, crls, (at, &binding))
}

/// What is found of a document's bytes.
pub(crate) fn judge_bound(
    document: &[u8],
    policy: &NitroPolicy,
    crls: &[Vec<u8>],
    (at, binding): (&str, &Binding),
) -> AttestationResult {
    let mut values = ReferenceValues::refusing_all(Freshness::Unproven);
    values.nitro = Some(policy.clone());
    appraise(&Input {
        evidence: &Evidence::new(Platform::Nitro).with(Part::Document, document),
        endorsements: &Endorsements {
            crls: crls.to_vec(),
            ..Endorsements::default()
        },
        binding,
        policy: &values,
        at: Timestamp::parse_rfc3339(at).unwrap(),
    })
}

/// Flips one bit of each byte that `bits` names: what a signature does not cover has to be caught by a check.
pub(crate) fn no_flip_is_accepted(
    bytes: &[u8],
    bits: fn(usize) -> Vec<u32>,
    judge: impl Fn(Vec<u8>) -> bool + Sync,
) {
    assert!(judge(bytes.to_vec()));
    let half = bytes.len() / 2;
    std::thread::scope(|scope| {
        for range in [0..half, half..bytes.len()] {
            let judge = &judge;
            scope.spawn(move || {
                for at in range {
                    for bit in bits(at) {
                        let mut flipped = bytes.to_vec();
                        flipped[at] ^= 1 << bit;
                        assert!(!judge(flipped), "bit {bit} of byte {at:#x}");
                    }
                }
            });
        }
    });
}

/// All of them.
pub(crate) fn all(_at: usize) -> Vec<u32> {
    (0..8).collect()
}

/// One in every eighth byte: a chain takes milliseconds to verify.
pub(crate) fn few(at: usize) -> Vec<u32> {
    if at % 8 == 3 {
        vec![u32::try_from(at / 8 % 8).unwrap()]
    } else {
        Vec::new()
    }
}

/// The codes of the checks that failed or were not done.
pub(crate) fn failed(result: &AttestationResult) -> Vec<&'static str> {
    let mut codes: Vec<&str> = result
        .failures()
        .map(|checked| checked.check.code)
        .collect();
    codes.dedup();
    codes
}

/// What was found where a check failed.
pub(crate) fn found(result: &AttestationResult, code: &str) -> String {
    let mut found = result
        .checks
        .iter()
        .filter(|checked| checked.check.code == code)
        .filter_map(|checked| match &checked.outcome {
            Outcome::Failed { actual, .. } => Some(actual.clone()),
            Outcome::Met
            | Outcome::Tolerated { .. }
            | Outcome::NotApplicable { .. }
            | Outcome::NotDone => None,
        });
    found.next().unwrap_or_default()
}

/// A policy that everything forged is right by.
pub(crate) fn policy() -> NitroPolicy {
    let value = |byte: u8| vec![byte; 48];
    let pin = |byte: u8| Pin::OneOf(vec![value(byte)]);
    NitroPolicy {
        roots: Roots::These(vec![root().der]),
        revocation: Revocation::CrlRequired,
        max_age: Duration::from_secs(300),
        max_skew: Duration::from_secs(60),
        identity: Identity::Pinned,
        instances: Pin::OneOf(vec![INSTANCE.to_owned()]),
        nonce: FieldRule::Binding,
        user_data: FieldRule::Absent,
        public_key: FieldRule::Absent,
        enclave: Some(EnclavePolicy {
            measurements: Measurements::Named(vec![("forged".to_owned(), value(0xa0))]),
            pcr1: pin(0xa1),
            pcr2: pin(0xa2),
            pcr3: pin(0xa3),
            pcr4: pin(0xa4),
            pcr8: pin(0xa8),
            other_pcrs: Registers::UnusedBut(Vec::new()),
        }),
        instance: Some(InstancePolicy {
            pcr4: pin(0xb4),
            pcr7: pin(0xb7),
            pcr12: pin(0x12),
            other_pcrs: Registers::UnusedBut(Vec::new()),
        }),
    }
}

pub(crate) fn root() -> Authority {
    Authority::root("test nitro root", Key::p384("nitro root"), Alg::EcdsaSha384)
}

/// Below the root; its certificate says where the root's revocation list is.
pub(crate) fn regional() -> Authority {
    below(&root(), "region.test", ("nitro region", Lists::Named))
}

/// Below the region; its certificate says where the region's revocation list is.
pub(crate) fn zonal() -> Authority {
    below(&regional(), "zone.test", ("nitro zone", Lists::Named))
}

/// Whether certificates say where revocation lists are.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Lists {
    Named,
    NotNamed,
}

fn below(issuer: &Authority, name: &str, (seed, lists): (&str, Lists)) -> Authority {
    let key = Key::p384(seed);
    let certificate = Cert::new(name, &key)
        .serial(seed.as_bytes())
        .ca(None)
        .key_usage(0x06);
    let certificate = match lists {
        Lists::Named => certificate.extension("2.5.29.31", false, [0x30, 0]),
        Lists::NotNamed => certificate,
    };
    Authority {
        name: name.to_owned(),
        der: issuer.issue(certificate),
        key,
        alg: Alg::EcdsaSha384,
    }
}

/// The leaf's certificate: three hours, as AWS's.
pub(crate) fn leaf(module_id: &str, key: &Key) -> Cert {
    Cert::new(&format!("{module_id}.region.test"), key)
        .serial(b"nitro leaf")
        .validity("2026-05-01T11:59:56Z", "2026-05-01T14:59:59Z")
        .key_usage(0x80)
}

/// A revocation list of the zone, which says nowhere that it publishes one.
pub(crate) fn zone_list(serial: &[u8]) -> Vec<u8> {
    Crl::new("zone.test")
        .revoke(serial)
        .signed(Alg::EcdsaSha384, &zonal().key)
}

fn registers_of(count: u64, measured: &[(u64, u8)]) -> Vec<(u64, Vec<u8>)> {
    let value = |index: u64| {
        let found = measured.iter().find(|(known, _)| *known == index);
        vec![found.map_or(0, |(_, byte)| *byte); 48]
    };
    (0..count).map(|index| (index, value(index))).collect()
}

pub(crate) fn head(major: u8, number: u64) -> Vec<u8> {
    let major = major << 5;
    match number {
        0..24 => vec![major | number as u8],
        24..0x100 => vec![major | 24, number as u8],
        0x100..0x1_0000 => [&[major | 25][..], &(number as u16).to_be_bytes()].concat(),
        0x1_0000..0x1_0000_0000 => [&[major | 26][..], &(number as u32).to_be_bytes()].concat(),
        _ => [&[major | 27][..], &number.to_be_bytes()].concat(),
    }
}

pub(crate) fn uint(number: u64) -> Vec<u8> {
    head(0, number)
}

pub(crate) fn int(number: i64) -> Vec<u8> {
    if number < 0 {
        head(1, !number as u64)
    } else {
        head(0, number as u64)
    }
}

pub(crate) fn bytes(value: impl AsRef<[u8]>) -> Vec<u8> {
    [
        head(2, value.as_ref().len() as u64),
        value.as_ref().to_vec(),
    ]
    .concat()
}

pub(crate) fn text(value: &str) -> Vec<u8> {
    [head(3, value.len() as u64), value.as_bytes().to_vec()].concat()
}

pub(crate) fn array(items: &[Vec<u8>]) -> Vec<u8> {
    [head(4, items.len() as u64), items.concat()].concat()
}

pub(crate) fn map(pairs: &[(Vec<u8>, Vec<u8>)]) -> Vec<u8> {
    [head(5, pairs.len() as u64), flat(pairs)].concat()
}

/// A map of indefinite length, as the hypervisor writes it.
pub(crate) fn open_map(pairs: &[(Vec<u8>, Vec<u8>)]) -> Vec<u8> {
    [vec![0xbf], flat(pairs), vec![0xff]].concat()
}

fn flat(pairs: &[(Vec<u8>, Vec<u8>)]) -> Vec<u8> {
    let pair = |(key, value): &(Vec<u8>, Vec<u8>)| [key.clone(), value.clone()].concat();
    pairs.iter().flat_map(pair).collect()
}

//! A machine of our own making: keys, PCRs, logs and quotes, with any field broken that a test wants broken.

use std::collections::BTreeMap;

use cmcp_json::Limits;

use crate::{
    AttestationResult, Binding, Endorsements, Evidence, Input, Platform, ReferenceValues,
    Timestamp, appraise,
    check::Outcome,
    eventlog::{
        self, HashAlg, ImaLog,
        tests::build::{self, Log},
    },
    evidence::Part,
    forge::{Alg, Key},
    hex,
};

/// What a quote states.
#[derive(Clone, Debug)]
pub(crate) struct Quote {
    pub(crate) magic: u32,
    pub(crate) kind: u16,
    pub(crate) signer: Vec<u8>,
    pub(crate) extra: Vec<u8>,
    pub(crate) clock: u64,
    pub(crate) reset: u32,
    pub(crate) restart: u32,
    pub(crate) safe: u8,
    pub(crate) firmware: u64,
    pub(crate) selections: Vec<(u16, Vec<u8>)>,
    pub(crate) digest: Vec<u8>,
}

impl Quote {
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.magic.to_be_bytes().to_vec();
        bytes.extend(self.kind.to_be_bytes());
        bytes.extend(sized(&self.signer));
        bytes.extend(sized(&self.extra));
        bytes.extend(self.clock.to_be_bytes());
        bytes.extend(self.reset.to_be_bytes());
        bytes.extend(self.restart.to_be_bytes());
        bytes.push(self.safe);
        bytes.extend(self.firmware.to_be_bytes());
        bytes.extend(u32::try_from(self.selections.len()).unwrap().to_be_bytes());
        for (bank, bitmap) in &self.selections {
            bytes.extend(bank.to_be_bytes());
            bytes.push(u8::try_from(bitmap.len()).unwrap());
            bytes.extend(bitmap);
        }
        bytes.extend(sized(&self.digest));
        bytes
    }
}

/// A `TPM2B`.
pub(crate) fn sized(bytes: &[u8]) -> Vec<u8> {
    let size = u16::try_from(bytes.len()).unwrap().to_be_bytes();
    [size.as_slice(), bytes].concat()
}

/// A `TPMT_PUBLIC` of a key.
pub(crate) fn public_area(key: &Key, attributes: u32, scheme: (u16, u16)) -> Vec<u8> {
    let rsa = matches!(key, Key::Rsa(_));
    let kind: u16 = if rsa { 0x0001 } else { 0x0023 };
    let mut area = kind.to_be_bytes().to_vec();
    area.extend(0x000b_u16.to_be_bytes());
    area.extend(attributes.to_be_bytes());
    area.extend(sized(&[]));
    area.extend(0x0010_u16.to_be_bytes());
    area.extend(scheme.0.to_be_bytes());
    if scheme.0 != 0x0010 {
        area.extend(scheme.1.to_be_bytes());
    }
    if rsa {
        let (modulus, _) = key.modulus_and_exponent();
        area.extend(u16::try_from(modulus.len() * 8).unwrap().to_be_bytes());
        area.extend([0; 4]);
        area.extend(sized(&modulus));
        return area;
    }
    let point = key.point();
    let (x, y) = point[1..].split_at((point.len() - 1) / 2);
    let curve: u16 = if x.len() == 32 { 0x0003 } else { 0x0004 };
    area.extend(curve.to_be_bytes());
    area.extend(0x0010_u16.to_be_bytes());
    area.extend(sized(x));
    area.extend(sized(y));
    area
}

/// A `TPMT_SIGNATURE`.
pub(crate) fn tpmt_signature(key: &Key, alg: Alg, message: &[u8]) -> Vec<u8> {
    let (_, scheme, hash) = *[
        (Alg::EcdsaSha256, 0x0018_u16, 0x000b_u16),
        (Alg::EcdsaSha384, 0x0018, 0x000c),
        (Alg::RsaSha256, 0x0014, 0x000b),
        (Alg::RsaSha384, 0x0014, 0x000c),
        (Alg::PssSha256, 0x0016, 0x000b),
    ]
    .iter()
    .find(|(known, _, _)| *known == alg)
    .expect("an algorithm of TPMs");
    let mut signature = scheme.to_be_bytes().to_vec();
    signature.extend(hash.to_be_bytes());
    let bytes = key.sign_fixed(alg, message);
    if let Key::Rsa(_) = key {
        signature.extend(sized(&bytes));
    } else {
        let (r, s) = bytes.split_at(bytes.len() / 2);
        signature.extend(sized(r));
        signature.extend(sized(s));
    }
    signature
}

/// The name of a key.
pub(crate) fn name(area: &[u8]) -> Vec<u8> {
    [vec![0x00, 0x0b], HashAlg::Sha256.digest(area)].concat()
}

/// Bits of PCRs.
pub(crate) fn bitmap(pcrs: impl IntoIterator<Item = u32>) -> Vec<u8> {
    let mut bitmap = vec![0; 3];
    for pcr in pcrs {
        bitmap[usize::try_from(pcr / 8).unwrap()] |= 1 << (pcr % 8);
    }
    bitmap
}

pub(crate) const SOUND: u32 = 0x0005_0072;
pub(crate) const ECDSA: (u16, u16) = (0x0018, 0x000b);
pub(crate) const CHALLENGE: [u8; 32] = [0x5a; 32];
const BANK: HashAlg = HashAlg::Sha256;

/// A machine whose evidence is accepted under its own policy, until a test changes something.
#[derive(Clone)]
pub(crate) struct Machine {
    pub(crate) key: Key,
    pub(crate) alg: Alg,
    pub(crate) area: Vec<u8>,
    pub(crate) quote: Quote,
    pub(crate) pcrs: Vec<u8>,
    pub(crate) log: Option<Vec<u8>>,
    pub(crate) ima: Option<Vec<u8>>,
    pub(crate) raw_signature: bool,
    pub(crate) policy: String,
    pub(crate) endorsements: Endorsements,
    pub(crate) binding: Binding,
    pub(crate) at: &'static str,
}

impl Machine {
    pub(crate) fn sound() -> Self {
        Self::booted(&build::sound(&[BANK]))
    }

    /// A machine that booted by this log.
    pub(crate) fn booted(log: &Log) -> Self {
        Self::measured(log, &[("/usr/bin/true", &[2; 32])])
    }

    /// A machine that booted by this log and then ran these files.
    pub(crate) fn measured(log: &Log, files: &[(&str, &[u8])]) -> Self {
        let bytes = log.bytes();
        let mut values: BTreeMap<u32, Vec<u8>> = (0..24).map(|pcr| (pcr, vec![0; 32])).collect();
        let parsed = eventlog::parse(&bytes).expect("a log");
        values.extend(parsed.replay(BANK).expect("values"));
        let firmware: Vec<u8> = values
            .range(..10)
            .flat_map(|(_, value)| value.clone())
            .collect();
        let aggregate = BANK.digest(&firmware);
        let mut entries: Vec<(&str, &[u8])> = vec![("boot_aggregate", &aggregate)];
        entries.extend(files);
        let ima = build::ima(&entries);
        let list = ImaLog::parse(&ima).expect("a list");
        let value = list.entries().iter().fold(vec![0; 32], |value, entry| {
            BANK.extend(&value, &entry.extends(BANK))
        });
        values.insert(10, value);
        let key = Key::p256("attestation");
        let area = public_area(&key, SOUND, ECDSA);
        let mut machine = Self {
            key,
            alg: Alg::EcdsaSha256,
            area: area.clone(),
            quote: Quote {
                magic: 0xff54_4347,
                kind: 0x8018,
                signer: [vec![0, 0x0b], vec![1; 32]].concat(),
                extra: CHALLENGE.to_vec(),
                clock: 1000,
                reset: 5,
                restart: 1,
                safe: 1,
                firmware: 0x0001_0002_0003_0004,
                selections: vec![(0x000b, bitmap(0..12))],
                digest: Vec::new(),
            },
            pcrs: Vec::new(),
            log: Some(bytes),
            ima: Some(ima.clone()),
            raw_signature: false,
            policy: policy(&hex::encode(&name(&area)), &values),
            endorsements: Endorsements::default(),
            binding: Binding::Challenge(CHALLENGE.to_vec()),
            at: "2026-06-09T00:00:00Z",
        };
        machine.hold(&values);
        machine
    }

    /// Holds these values in the PCRs that it quotes.
    pub(crate) fn hold(&mut self, values: &BTreeMap<u32, Vec<u8>>) {
        let quoted = values.range(0..12).flat_map(|(_, value)| value.clone());
        self.pcrs = quoted.collect();
        self.quote.digest = BANK.digest(&self.pcrs);
    }

    /// With another text in its policy, which must be there.
    pub(crate) fn policy(mut self, from: &str, to: &str) -> Self {
        assert!(self.policy.contains(from), "no {from} in {}", self.policy);
        self.policy = self.policy.replace(from, to);
        self
    }

    /// With something changed.
    pub(crate) fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    /// With another key: its area and name, and a quote signed by it.
    pub(crate) fn keyed(mut self, key: Key, alg: Alg, scheme: (u16, u16)) -> Self {
        let before = hex::encode(&name(&self.area));
        self.area = public_area(&key, SOUND, scheme);
        self.key = key;
        self.alg = alg;
        let after = hex::encode(&name(&self.area));
        self.policy(&before, &after)
    }

    /// Its evidence.
    pub(crate) fn evidence(&self) -> Evidence {
        let attest = self.quote.bytes();
        let signature = if self.raw_signature {
            self.key.sign_fixed(self.alg, &attest)
        } else {
            tpmt_signature(&self.key, self.alg, &attest)
        };
        let mut evidence = Evidence::new(Platform::Tpm)
            .with(Part::AkPublic, self.area.clone())
            .with(Part::Attest, attest)
            .with(Part::Signature, signature)
            .with(Part::Pcrs, self.pcrs.clone());
        if let Some(log) = &self.log {
            evidence = evidence.with(Part::EventLog, log.clone());
        }
        if let Some(ima) = &self.ima {
            evidence = evidence.with(Part::ImaLog, ima.clone());
        }
        evidence
    }

    /// What an appraisal of its evidence finds.
    pub(crate) fn result(&self) -> AttestationResult {
        self.judge(&self.evidence())
    }

    /// What an appraisal of other evidence finds.
    pub(crate) fn judge(&self, evidence: &Evidence) -> AttestationResult {
        let policy = reference_values(&self.policy).unwrap_or_else(|faults| panic!("{faults:#?}"));
        appraise(&Input {
            evidence,
            endorsements: &self.endorsements,
            binding: &self.binding,
            policy: &policy,
            at: Timestamp::parse_rfc3339(self.at).expect("a time"),
        })
    }

    /// The checks that failed, each once.
    pub(crate) fn failures(&self) -> Vec<&'static str> {
        failures(&self.result())
    }
}

/// The checks that failed, each once; those that were not done only because another failed are left out.
pub(crate) fn failures(result: &AttestationResult) -> Vec<&'static str> {
    let failed = result
        .failures()
        .filter(|checked| checked.outcome != Outcome::NotDone);
    let mut codes: Vec<&str> = failed.map(|checked| checked.check.code).collect();
    codes.dedup();
    codes
}

/// Reference values that refuse everything but this section.
pub(crate) fn reference_values(
    tpm: &str,
) -> Result<ReferenceValues, Vec<crate::policy::PolicyFault>> {
    let others: String = Platform::ALL
        .into_iter()
        .filter(|platform| *platform != Platform::Tpm && *platform != Platform::Software)
        .map(|platform| format!("\"{platform}\": \"refused\", "))
        .collect();
    let text = format!(
        "{{\"format\": \"cmcp-reference-values/v1\", \"freshness\": \"unproven\", \"withdrawn\": \"none\", {others}\"tpm\": {tpm}}}"
    );
    let value = cmcp_json::parse(text.as_bytes(), &Limits::DOCUMENT).expect("JSON");
    ReferenceValues::read(&value)
}

/// The policy of the machine.
fn policy(name: &str, values: &BTreeMap<u32, Vec<u8>>) -> String {
    let digest = |bytes: &[u8]| hex::encode(&BANK.digest(bytes));
    format!(
        r#"{{
        "names": ["{name}"],
        "certificates": "refused",
        "identity": "pinned",
        "quote": {{
            "bank": "sha256",
            "quoted": "0-11",
            "pcrs": {{
                "0": ["{pcr0}"],
                "1-3": "replayed",
                "4": {{"allowed": {{"action": "{action}", "loader": "{loader}"}}, "required": ["loader"]}},
                "5-10": "replayed",
                "11": "replayed",
                "12-23": "ignored"
            }},
            "software": "pinned",
            "secure_boot": "required",
            "event_order": "refused",
            "payloads": "refused",
            "ima": {{"true": "{file}"}},
            "qualifying_data": "whole",
            "counters": {{"reset": 5, "restart": 1}},
            "clock": "safe",
            "firmware": ["0001000200030004"]
        }}
    }}"#,
        pcr0 = hex::encode(&values[&0]),
        action = digest(b"Calling EFI Application from Boot Option"),
        loader = digest(b"the boot loader"),
        file = hex::encode(&[2; 32]),
    )
}

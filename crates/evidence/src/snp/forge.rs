//! Forges machines: an AMD-like chain under roots of the test and a report that it signed, with any field
//! broken that a test wants broken.

use super::{
    Allowance, Demand, Firmware, Floors, GuestRules, IdBlockRules, Identity, MachineRules,
    Migration, MitigationRules, Product, Products, Revocation, SigningKeys, SnpPolicy, Tcb, Vcek,
    Vlek,
};
use crate::{
    AttestationResult, Binding, Endorsements, Evidence, Input, Part, Platform, ReferenceValues,
    ReportData, Timestamp, appraise,
    check::{Checked, Outcome},
    forge::{Alg, Cert, Crl, Key, der},
    policy::{Freshness, Measurements, Pin, fields::Roots},
};

/// A machine and the guest that asked it for a report.
#[derive(Clone, Debug)]
pub(crate) struct Forge {
    /// The signed part of the report; whatever is put here is signed.
    pub(crate) signed: Vec<u8>,
    /// The names of root and intermediate.
    pub(crate) names: [String; 2],
    /// The certificate of the signing key.
    pub(crate) vek: Vek,
    /// AMD's revocation list before it is signed; none: it is left out.
    pub(crate) crl: Option<Crl>,
    /// Who signs the revocation list.
    pub(crate) crl_signer: Key,
    /// How root and intermediate sign.
    pub(crate) alg: Alg,
}

/// The fields of a signing key's certificate.
#[derive(Clone, Debug)]
pub(crate) struct Vek {
    pub(crate) key: Key,
    pub(crate) from: &'static str,
    pub(crate) until: &'static str,
    /// Object identifiers below AMD's arc, and what they hold.
    pub(crate) extensions: Vec<(String, Vec<u8>)>,
}

impl Vek {
    /// With another value in an extension, or without it.
    pub(crate) fn set(&mut self, arc: &str, value: Option<Vec<u8>>) {
        self.extensions.retain(|(known, _)| known != arc);
        if let Some(value) = value {
            self.extensions.push((arc.to_owned(), value));
        }
    }
}

impl Forge {
    /// A healthy machine of that product, whose chip signs a report of version 5.
    pub(crate) fn new(product: Product) -> Self {
        let root = format!("ARK-{product}");
        Self {
            signed: signed(product),
            crl: Some(Crl::new(&root)),
            crl_signer: root_key(),
            names: [root, format!("SEV-{product}")],
            vek: Vek {
                key: Key::p384("vek"),
                from: "2026-01-01T00:00:00Z",
                until: "2033-01-01T00:00:00Z",
                extensions: extensions(product),
            },
            alg: Alg::PssSha384,
        }
    }

    /// The same machine, signing with a key that its provider loaded.
    pub(crate) fn vlek(product: Product, provider: &str) -> Self {
        let mut forge = Self::new(product);
        forge.names[1] = format!("SEV-VLEK-{product}");
        forge.vek.set("4", None);
        forge.vek.set("5", Some(ia5(provider)));
        forge.put(0x48, &[1 << 2])
    }

    /// With these bytes at that place of the report, before it is signed.
    pub(crate) fn put(mut self, at: usize, bytes: &[u8]) -> Self {
        self.signed[at..at + bytes.len()].copy_from_slice(bytes);
        self
    }

    /// The report, signed.
    pub(crate) fn report(&self) -> Vec<u8> {
        let fixed = self.vek.key.sign_fixed(Alg::EcdsaSha384, &self.signed);
        let mut report = self.signed.clone();
        for number in fixed.chunks(fixed.len() / 2) {
            report.extend(number.iter().rev());
            report.resize(report.len() + 72 - number.len(), 0);
        }
        report.resize(1184, 0);
        report
    }

    /// The root's certificate.
    pub(crate) fn root(&self) -> Vec<u8> {
        Cert::new(&self.names[0], &root_key())
            .serial(&[3, 0, 0])
            .ca(None)
            .key_usage(0x06)
            .signed(self.alg, &root_key())
    }

    /// The intermediate's certificate.
    pub(crate) fn intermediate(&self) -> Vec<u8> {
        Cert::new(&self.names[1], &intermediate_key())
            .issuer(&self.names[0])
            .serial(&INTERMEDIATE_SERIAL)
            .ca(Some(0))
            .key_usage(0x04)
            .signed(self.alg, &root_key())
    }

    /// The signing key's certificate: serial number 0, and neither constraints nor usage, like AMD's.
    pub(crate) fn leaf(&self) -> Vec<u8> {
        let name = if self.names[1].contains("VLEK") {
            "SEV-VLEK"
        } else {
            "SEV-VCEK"
        };
        let Vek {
            key,
            from,
            until,
            extensions,
        } = &self.vek;
        let certificate = Cert::new(name, key)
            .issuer(&self.names[1])
            .serial(&[0])
            .validity(from, until);
        extensions
            .iter()
            .fold(certificate, |certificate, (arc, value)| {
                certificate.extension(&format!("1.3.6.1.4.1.3704.1.{arc}"), false, value)
            })
            .signed(self.alg, &intermediate_key())
    }

    /// Everything that a host staples.
    pub(crate) fn endorsements(&self) -> Endorsements {
        let crl = self.crl.as_ref();
        Endorsements {
            certificates: vec![self.leaf(), self.intermediate(), self.root()],
            crls: crl
                .map(|crl| crl.signed(self.alg, &self.crl_signer))
                .into_iter()
                .collect(),
            ..Endorsements::default()
        }
    }

    /// A policy that accepts this machine and pins all that can be pinned.
    pub(crate) fn policy(&self) -> SnpPolicy {
        policy(vec![self.root()])
    }

    /// The appraisal of this machine under a policy.
    pub(crate) fn judge(&self, policy: &SnpPolicy) -> AttestationResult {
        judge(self.report(), &self.endorsements(), policy)
    }
}

/// The firmware of a healthy machine, as its product lays it out.
const fn firmware(product: Product) -> [u8; 8] {
    match product {
        Product::Milan => [4, 0, 0, 0, 0, 0, 0x18, 0xdb],
        Product::Genoa => [10, 0, 0, 0, 0, 0, 0x17, 0x54],
        Product::Turin => [1, 1, 1, 4, 0, 0, 0, 0x51],
    }
}

/// The signed part of its report.
fn signed(product: Product) -> Vec<u8> {
    let cpuid = match product {
        Product::Milan => [0x19, 0x01, 0x01],
        Product::Genoa => [0x19, 0x11, 0x01],
        Product::Turin => [0x1a, 0x02, 0x01],
    };
    let mut signed = vec![0; 0x2a0];
    let mut put = |at: usize, bytes: &[u8]| signed[at..at + bytes.len()].copy_from_slice(bytes);
    put(0x000, &[5]);
    put(0x008, &[0, 0, 3]);
    put(0x034, &[1]);
    put(0x040, &[0x24]);
    put(0x050, &CHALLENGE);
    put(0x090, &MEASUREMENT);
    put(0x0c0, &HOST_DATA);
    put(0x140, &[0x1d; 32]);
    put(0x160, &[0xff; 32]);
    put(0x188, &cpuid);
    put(0x1a0, &CHIP);
    for at in [0x038, 0x180, 0x1e0, 0x1f0] {
        put(at, &firmware(product));
    }
    for at in [0x1e8, 0x1ec] {
        put(at, &[40, 55, 1]);
    }
    put(0x1f8, &[0x0b]);
    put(0x200, &[0x0b]);
    signed
}

/// What the certificate of its signing key says.
fn extensions(product: Product) -> Vec<(String, Vec<u8>)> {
    let tcb = firmware(product);
    let (version, [bootloader, tee, snp], hwid) = match product {
        Product::Milan | Product::Genoa => (0, [tcb[0], tcb[1], tcb[6]], &CHIP[..]),
        Product::Turin => (1, [tcb[1], tcb[2], tcb[3]], &CHIP[..8]),
    };
    let mut extensions = vec![
        ("1".to_owned(), integer(version)),
        ("2".to_owned(), ia5(product.as_str())),
        ("3.1".to_owned(), integer(bootloader)),
        ("3.2".to_owned(), integer(tee)),
        ("3.3".to_owned(), integer(snp)),
        ("3.5".to_owned(), integer(0)),
        ("3.6".to_owned(), integer(0)),
        ("3.7".to_owned(), integer(0)),
        ("3.8".to_owned(), integer(tcb[7])),
        ("4".to_owned(), hwid.to_vec()),
    ];
    if product == Product::Turin {
        extensions.push(("3.9".to_owned(), integer(tcb[0])));
    }
    extensions
}

/// Judges a report for the challenge that the forge answers, in the middle of 2026.
pub(crate) fn judge(
    report: Vec<u8>,
    endorsements: &Endorsements,
    policy: &SnpPolicy,
) -> AttestationResult {
    let binding = Binding::ReportData(ReportData::from_bytes(CHALLENGE));
    judge_at(
        report,
        endorsements,
        policy,
        &binding,
        "2026-06-01T00:00:00Z",
    )
}

/// Judges a report at a time and for a challenge.
pub(crate) fn judge_at(
    report: Vec<u8>,
    endorsements: &Endorsements,
    policy: &SnpPolicy,
    binding: &Binding,
    at: &str,
) -> AttestationResult {
    appraise(&Input {
        evidence: &Evidence::new(Platform::Snp).with(Part::Report, report),
        endorsements,
        binding,
        policy: &reference_values(policy.clone()),
        at: Timestamp::parse_rfc3339(at).unwrap(),
    })
}

/// Reference values that accept nothing else.
pub(crate) fn reference_values(snp: SnpPolicy) -> ReferenceValues {
    ReferenceValues {
        snp: Some(snp),
        ..ReferenceValues::refusing_all(Freshness::Unproven)
    }
}

/// A policy that pins what the forge makes, under these roots.
pub(crate) fn policy(roots: Vec<Vec<u8>>) -> SnpPolicy {
    SnpPolicy {
        roots: Roots::These(roots),
        products: Products {
            milan: None,
            genoa: Some(floors(0, 10, 0x17)),
            turin: Some(floors(1, 1, 4)),
        },
        unnamed_product: None,
        signing_keys: SigningKeys {
            vcek: Vcek::Accepted,
            vlek: Vlek::Refused,
        },
        revocation: Revocation::CrlRequired,
        guest: GuestRules {
            vmpl: vec![0],
            abi: (0, 0),
            smt: Allowance::Allowed,
            single_socket: Demand::NotRequired,
            migration: Migration::Refused,
            ciphertext_hiding: Demand::NotRequired,
            cxl: Allowance::Forbidden,
            aes_256_xts: Demand::NotRequired,
            rapl_disabled: Demand::NotRequired,
            page_swap_disabled: Demand::NotRequired,
        },
        machine: MachineRules {
            firmware: Firmware {
                major: 1,
                minor: 55,
                build: 40,
            },
            alias_check: Demand::Required,
            smt: Allowance::Forbidden,
            tsme: Demand::NotRequired,
            mitigations: MitigationRules {
                launch: 0b1011,
                current: 0b1011,
            },
        },
        id_block: IdBlockRules {
            id_key_digests: Pin::Any,
            author_key_digests: Pin::Any,
            family_ids: Pin::Any,
            image_ids: Pin::Any,
            guest_svn: 0,
        },
        measurements: Measurements::Named(vec![("forged".to_owned(), MEASUREMENT.to_vec())]),
        host_data: Pin::OneOf(vec![HOST_DATA.to_vec()]),
        chip_ids: Pin::OneOf(vec![CHIP.to_vec()]),
        identity: Identity::Pinned,
    }
}

fn floors(fmc: u8, bootloader: u8, snp: u8) -> Floors {
    let tcb = Tcb {
        fmc,
        bootloader,
        tee: 0,
        snp,
        microcode: 0,
    };
    Floors {
        tcb,
        launch_tcb: tcb,
    }
}

/// The codes of the checks that failed, in their order, each once.
pub(crate) fn failed(result: &AttestationResult) -> Vec<&'static str> {
    let mut codes: Vec<&str> = Vec::new();
    for Checked { check, outcome } in &result.checks {
        if matches!(outcome, Outcome::Failed { .. }) && !codes.contains(&check.code) {
            codes.push(check.code);
        }
    }
    codes
}

/// The codes of the checks that were not reached.
pub(crate) fn not_done(result: &AttestationResult) -> Vec<&'static str> {
    result
        .checks
        .iter()
        .filter(|checked| checked.outcome == Outcome::NotDone)
        .map(|checked| checked.check.code)
        .collect()
}

/// A DER INTEGER.
pub(crate) fn integer(number: u8) -> Vec<u8> {
    der::number(number.into())
}

/// A DER IA5String.
pub(crate) fn ia5(text: &str) -> Vec<u8> {
    der::element(0x16, text)
}

/// Who signs intermediates and the revocation list.
pub(crate) fn root_key() -> Key {
    Key::rsa2048(0)
}

/// Who signs the keys of chips.
pub(crate) fn intermediate_key() -> Key {
    Key::rsa2048(1)
}

pub(crate) const INTERMEDIATE_SERIAL: [u8; 3] = [3, 0, 1];
pub(crate) const CHALLENGE: [u8; 64] =
    *b"a challenge of the test, sixty-four bytes long to fill it all up";
pub(crate) const MEASUREMENT: [u8; 48] = [0x4d; 48];
pub(crate) const HOST_DATA: [u8; 32] = [0x48; 32];
pub(crate) const CHIP: [u8; 64] =
    *b"Sixty-four bytes that stand for a chip, eight of them for Turin.";

//! Forges devices, manifests and status answers under roots of its own, with any field broken.

mod answer;
mod manifest;

pub(crate) use answer::{Answer, good, responder, revoked, rim_answers, unknown, wrapped};
pub(crate) use manifest::Manifest;

use super::{Architecture, Case, Comparison, GpuPolicy, Identity, Revocation, RimSignature, judge};
use crate::{
    AttestationResult, Platform, Sha256Digest, Timestamp,
    check::Checks,
    forge::{Alg, Authority, Cert, Crl, Key, der, pem},
    policy::{Pin, fields::Roots},
    result::Proved,
};

/// When forged devices are judged.
pub(crate) const NOW: &str = "2026-05-01T12:00:00Z";
pub(crate) const NONCE: [u8; 32] = [0x4e; 32];
pub(crate) const DRIVER: &str = "550.90.07";
pub(crate) const VBIOS: &str = "96.00.9F.00.01";

/// A device, and what it answers.
#[derive(Clone, Debug)]
pub(crate) struct Device {
    /// What tells it from others.
    pub(crate) seed: String,
    pub(crate) chip: String,
    pub(crate) nonce: Vec<u8>,
    pub(crate) measurements: Vec<(u8, Vec<u8>)>,
    pub(crate) opaque: Vec<(u16, Vec<u8>)>,
    /// The leaf before it is issued.
    pub(crate) leaf: Cert,
    pub(crate) key: Key,
    /// Replaces the certificates.
    pub(crate) chain: Option<Vec<Vec<u8>>>,
}

impl Device {
    /// A device that everything is right with.
    pub(crate) fn new(seed: &str) -> Self {
        let key = Key::p384(&format!("gpu leaf {seed}"));
        let leaf = leaf(&key, "GH100 A01 GSP FMC LF", &[0xf0; 48]);
        let mut versions = vec![0x00, 0x9f, 0x00, 0x96, 0x01];
        versions.extend([0; 3]);
        Self {
            seed: seed.to_owned(),
            chip: "GH100".to_owned(),
            nonce: NONCE.to_vec(),
            measurements: (1..=64).map(|index| (index, vec![index - 1; 48])).collect(),
            opaque: vec![
                (6, versions),
                (3, format!("{DRIVER}\0").into_bytes()),
                (11, vec![0xaa]),
                (20, vec![0xf0; 48]),
                (34, vec![1, 0]),
                (36, vec![2, 0]),
            ],
            leaf,
            key,
            chain: None,
        }
    }

    /// Sets a field, or takes it away.
    pub(crate) fn field(mut self, kind: u16, value: Option<&[u8]>) -> Self {
        self.opaque.retain(|(known, _)| *known != kind);
        self.opaque
            .extend(value.map(|value| (kind, value.to_vec())));
        self
    }

    /// What its signature is over.
    pub(crate) fn signed(&self) -> Vec<u8> {
        let blocks: Vec<u8> = self
            .measurements
            .iter()
            .flat_map(|(index, value)| block(*index, value))
            .collect();
        let opaque: Vec<u8> = self
            .opaque
            .iter()
            .flat_map(|(kind, value)| {
                let length = u16::try_from(value.len()).unwrap();
                [&kind.to_le_bytes(), &length.to_le_bytes(), value.as_slice()].concat()
            })
            .collect();
        let length = u32::try_from(blocks.len()).unwrap().to_le_bytes();
        [
            &[0x11, 0xe0, 0x01, 0xff],
            self.nonce.as_slice(),
            &[0, 0x11, 0x60, 0x00, 0],
            &[u8::try_from(self.measurements.len()).unwrap()],
            &length[..3],
            &blocks,
            &[0xd0; 32],
            &u16::try_from(opaque.len()).unwrap().to_le_bytes(),
            &opaque,
        ]
        .concat()
    }

    /// Its report.
    pub(crate) fn report(&self) -> Vec<u8> {
        self.sealed(&self.signed())
    }

    /// A report around any bytes.
    pub(crate) fn sealed(&self, signed: &[u8]) -> Vec<u8> {
        let signature = self.key.sign_fixed(Alg::EcdsaSha384, signed);
        [signed, &signature].concat()
    }

    /// Who issued what: the device, the provisioner, the generation, the root.
    pub(crate) fn authorities(&self) -> [Authority; 4] {
        let root = device_root();
        let generation = named(
            &root,
            &format!("NVIDIA {} Identity", self.chip),
            "generation",
        );
        let provisioner = named(&generation, "NVIDIA Provisioner ICA 1", "provisioner");
        let device = named(
            &provisioner,
            &format!("{} A01 GSP BROM", self.chip),
            &self.seed,
        );
        [device, provisioner, generation, root]
    }

    /// Its certificates, DER, leaf first.
    pub(crate) fn certificates(&self) -> Vec<Vec<u8>> {
        if let Some(chain) = &self.chain {
            return chain.clone();
        }
        let authorities = self.authorities();
        let mut chain = vec![authorities[0].issue(self.leaf.clone())];
        chain.extend(authorities.map(|authority| authority.der));
        chain
    }

    /// Its certificates, PEM.
    pub(crate) fn pem(&self) -> Vec<u8> {
        let blocks: Vec<String> = self
            .certificates()
            .iter()
            .map(|der| pem("CERTIFICATE", der))
            .collect();
        blocks.concat().into_bytes()
    }

    /// What policy knows it by.
    pub(crate) fn pin(&self) -> Vec<u8> {
        let [device, ..] = self.authorities();
        Sha256Digest::of(&device.key.spki()).as_bytes().to_vec()
    }

    /// Good answers for its certificates.
    pub(crate) fn answers(&self) -> Vec<Vec<u8>> {
        let [device, provisioner, generation, root] = self.authorities();
        [
            (&device, &provisioner),
            (&provisioner, &generation),
            (&generation, &root),
        ]
        .iter()
        .map(|(subject, issuer)| Answer::of(&serial_of(&subject.name), issuer).signed())
        .collect()
    }
}

/// One measurement's block.
pub(crate) fn block(index: u8, value: &[u8]) -> Vec<u8> {
    let length = u16::try_from(value.len()).unwrap();
    [
        &[index, 1][..],
        &(length + 3).to_le_bytes(),
        &[1],
        &length.to_le_bytes(),
        value,
    ]
    .concat()
}

/// A leaf of a device with that firmware.
pub(crate) fn leaf(key: &Key, subject: &str, firmware: &[u8]) -> Cert {
    let digest = der::sequence(&[der::oid("2.16.840.1.101.3.4.2.2"), der::octets(firmware)]);
    let composite = der::sequence(&[der::number(1), key.spki(), digest]);
    let text = der::element(0x0c, "NVIDIA:GH100:0123456789ABCDEF");
    let other = [der::oid("1.3.6.1.4.1.412.274.1"), der::explicit(0, text)].concat();
    Cert::new(subject, key)
        .serial(b"gpu leaf")
        .key_usage(0x80)
        .extension(
            "2.5.29.17",
            false,
            der::sequence(&[der::explicit(0, other)]),
        )
        .extension("2.23.133.5.4.1", false, composite)
}

fn named(issuer: &Authority, name: &str, seed: &str) -> Authority {
    let key = Key::p384(&format!("gpu {seed}"));
    let certificate = Cert::new(name, &key)
        .serial(&serial_of(name))
        .ca(None)
        .key_usage(0x06);
    Authority {
        name: name.to_owned(),
        der: issuer.issue(certificate),
        key,
        alg: Alg::EcdsaSha384,
    }
}

/// The serial number that an authority of that name has.
pub(crate) fn serial_of(name: &str) -> Vec<u8> {
    let digest = Sha256Digest::of(name.as_bytes());
    [&[0x11], &digest.as_bytes()[..7]].concat()
}

pub(crate) fn device_root() -> Authority {
    Authority::root("test device root", Key::p384("gpu root"), Alg::EcdsaSha384)
}

pub(crate) fn rim_root() -> Authority {
    Authority::root(
        "test manifest root",
        Key::p384("rim root"),
        Alg::EcdsaSha384,
    )
}

/// Who issues the certificates that manifests are signed with.
pub(crate) fn rim_issuer() -> Authority {
    named(&rim_root(), "test manifest authority", "rim issuer")
}

/// Lists of every issuer of a device's certificates.
pub(crate) fn lists(device: &Device) -> Vec<Vec<u8>> {
    let [_, provisioner, generation, root] = device.authorities();
    [provisioner, generation, root]
        .iter()
        .map(|issuer| Crl::new(&issuer.name).signed(issuer.alg, &issuer.key))
        .collect()
}

/// Everything that forged devices are judged by.
#[derive(Clone, Debug)]
pub(crate) struct Bench {
    pub(crate) devices: Vec<Device>,
    pub(crate) rims: Vec<Vec<u8>>,
    pub(crate) ocsp: Vec<Vec<u8>>,
    pub(crate) crls: Vec<Vec<u8>>,
    pub(crate) policy: GpuPolicy,
    pub(crate) nonce: Option<Vec<u8>>,
    pub(crate) at: &'static str,
}

impl Bench {
    /// With one device that everything is right with.
    pub(crate) fn new() -> Self {
        Self::with(vec![Device::new("one")])
    }

    /// With these devices.
    pub(crate) fn with(devices: Vec<Device>) -> Self {
        let rims = [Manifest::driver(), Manifest::vbios()];
        let mut ocsp = rim_answers();
        ocsp.extend(devices.iter().flat_map(Device::answers));
        Self {
            rims: rims.map(|rim| rim.signed().into_bytes()).to_vec(),
            ocsp,
            crls: Vec::new(),
            policy: policy(&devices),
            nonce: Some(NONCE.to_vec()),
            at: NOW,
            devices,
        }
    }

    /// What is found.
    pub(crate) fn judge(&self) -> AttestationResult {
        let reports: Vec<Vec<u8>> = self.devices.iter().map(Device::report).collect();
        let chains: Vec<Vec<u8>> = self.devices.iter().map(Device::pem).collect();
        self.judge_bytes(&reports, &chains)
    }

    /// What is found of any bytes.
    pub(crate) fn judge_bytes(&self, reports: &[Vec<u8>], chains: &[Vec<u8>]) -> AttestationResult {
        let at = Timestamp::parse_rfc3339(self.at).unwrap();
        let (mut checks, mut proved) = (Checks::new(), Proved::default());
        let case = Case {
            reports: reports.iter().map(Vec::as_slice).collect(),
            certificates: chains.iter().map(Vec::as_slice).collect(),
            rims: &self.rims,
            ocsp: &self.ocsp,
            crls: &self.crls,
            policy: &self.policy,
            nonce: self.nonce.clone(),
            at,
        };
        judge(&case, &mut checks, &mut proved);
        AttestationResult::conclude(Platform::Gpu, checks, proved, at)
    }
}

/// A policy that these devices are right by.
pub(crate) fn policy(devices: &[Device]) -> GpuPolicy {
    GpuPolicy {
        roots: Roots::These(vec![device_root().der]),
        rim_roots: Roots::These(vec![rim_root().der]),
        architectures: vec![Architecture::Hopper],
        device_count: devices.len(),
        identity: Identity::Pinned,
        devices: Pin::OneOf(devices.iter().map(Device::pin).collect()),
        drivers: Pin::OneOf(vec![DRIVER.to_owned()]),
        vbios: Pin::OneOf(vec![VBIOS.to_owned()]),
        modes: Pin::OneOf(vec![super::Mode::Flag2]),
        measurements: Comparison::Rim,
        rim_signature: RimSignature::Required,
        rims: Pin::Any,
        revocation: Revocation::Required,
    }
}

//! A confidential VM that is forged: an AMD-like machine, a paravisor's report, a vTPM with its certificate.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest as _, Sha256};

use super::forged::hcl;
use crate::{
    AttestationResult, Binding, Endorsements, Evidence, Input, Part, Platform, ReferenceValues,
    Timestamp, appraise,
    azure::cvm::{AzureSnpPolicy, ConsoleRule, Demand, IdentityRule, MachineRules},
    b64,
    eventlog::HashAlg,
    forge::{Alg, Authority, Cert, Key},
    policy::{Freshness, Pin, fields::Roots},
    snp::{Identity, Product, forge::Forge},
    tpm::{
        Carried, CertificatePolicy, Clock, Findings, ImaRule, PcrRule, QuotePolicy, Revocation,
        SecureBoot,
    },
};

/// Everything that the evidence is made of; a test changes what it wants broken.
pub(crate) struct Vm {
    pub(crate) hardware: Forge,
    /// The slot of the paravisor's report; none: a report that the hardware signs over the runtime data.
    pub(crate) slot: Option<Vec<u8>>,
    pub(crate) report_type: u32,
    pub(crate) runtime: String,
    /// Whose key signs the quote.
    pub(crate) signer: Key,
    pub(crate) extra: Vec<u8>,
    pub(crate) pcrs: Vec<u8>,
    pub(crate) root: Authority,
    pub(crate) issuer: Authority,
    /// The attestation key's certificate, as it lies in its NV index; empty: there is none.
    pub(crate) certificate: Vec<u8>,
}

impl Vm {
    pub(crate) fn new() -> Self {
        let root = Authority::root("Test vTPM Root", Key::p384("vtpm root"), Alg::EcdsaSha384);
        let issuer = root.sub("Test vTPM CA", Key::p384("vtpm ca"), Alg::EcdsaSha384);
        let mut certificate = issuer.issue(ak_certificate(&ak()));
        certificate.resize(4096, 0);
        Self {
            hardware: Forge::new(Product::Genoa),
            slot: None,
            report_type: 2,
            runtime: runtime(&ak()),
            signer: ak(),
            extra: b"a challenge".to_vec(),
            pcrs: (0..24).flat_map(|pcr| [pcr; 32]).collect(),
            root,
            issuer,
            certificate,
        }
    }

    /// With another text in the runtime data, which the hardware signs.
    pub(crate) fn edit(mut self, from: &str, to: &str) -> Self {
        let changed = self.runtime.replace(from, to);
        assert_ne!(changed, self.runtime, "{from}");
        self.runtime = changed;
        self
    }

    pub(crate) fn report(&self) -> Vec<u8> {
        let slot = self.slot.clone().unwrap_or_else(|| {
            let mut data = Sha256::digest(&self.runtime).to_vec();
            data.resize(64, 0);
            self.hardware.clone().put(0x50, &data).report()
        });
        let mut report = hcl(2, self.report_type, &slot, self.runtime.as_bytes());
        report.resize(report.len().max(2600), 0);
        report
    }

    pub(crate) fn attest(&self) -> Vec<u8> {
        let mut attest = vec![0xff, 0x54, 0x43, 0x47, 0x80, 0x18, 0, 34, 0, 11];
        attest.extend([7; 32]);
        attest.extend(u16::try_from(self.extra.len()).unwrap().to_be_bytes());
        attest.extend(&self.extra);
        attest.extend(1_000_000_u64.to_be_bytes());
        attest.extend(1_u32.to_be_bytes());
        attest.extend(0_u32.to_be_bytes());
        attest.push(1);
        attest.extend(0x2003_1200_1200_0300_u64.to_be_bytes());
        attest.extend([0, 0, 0, 1, 0, 11, 3, 0xff, 0xff, 0xff, 0, 32]);
        attest.extend(Sha256::digest(&self.pcrs));
        attest
    }

    pub(crate) fn evidence(&self) -> Evidence {
        let attest = self.attest();
        let signature = self.signer.sign_fixed(Alg::RsaSha256, &attest);
        Evidence::new(Platform::AzureSnp)
            .with(Part::HclReport, self.report())
            .with(Part::Attest, attest)
            .with(Part::Signature, signature)
            .with(Part::Pcrs, self.pcrs.clone())
    }

    pub(crate) fn endorsements(&self) -> Endorsements {
        let mut endorsements = self.hardware.endorsements();
        endorsements.certificates.push(self.issuer.der.clone());
        if !self.certificate.is_empty() {
            endorsements.certificates.push(self.certificate.clone());
        }
        endorsements
            .crls
            .extend([self.root.crl(&[]), self.issuer.crl(&[])]);
        endorsements
    }

    /// A policy that pins everything about the unbroken machine.
    pub(crate) fn policy() -> AzureSnpPolicy {
        let vm = Self::new();
        let mut snp = vm.hardware.policy();
        snp.identity = Identity::Outer;
        AzureSnpPolicy {
            snp,
            machine: MachineRules {
                quote: quote_policy(),
                ak_certificate: Some(CertificatePolicy {
                    roots: Roots::These(vec![vm.root.der]),
                    keys: Pin::Any,
                    gce_projects: Pin::Any,
                    revocation: Revocation::CrlRequired,
                }),
                secure_boot: Demand::Required,
                console: ConsoleRule::Refused,
                user_data: Pin::OneOf(vec![vec![0xab; 64]]),
                attestation_keys: Pin::OneOf(vec![digest(&ak())]),
                endorsement_keys: Pin::OneOf(vec![digest(&ek())]),
                identity: IdentityRule::Pinned,
            },
        }
    }

    pub(crate) fn judge(&self) -> AttestationResult {
        judge(&self.evidence(), &self.endorsements(), Self::policy())
    }

    pub(crate) fn judge_by(&self, change: impl Fn(&mut MachineRules)) -> AttestationResult {
        let mut policy = Self::policy();
        change(&mut policy.machine);
        judge(&self.evidence(), &self.endorsements(), policy)
    }
}

/// Judges for the challenge that the forge answers, in the middle of 2026.
pub(crate) fn judge(
    evidence: &Evidence,
    endorsements: &Endorsements,
    policy: AzureSnpPolicy,
) -> AttestationResult {
    appraise(&Input {
        evidence,
        endorsements,
        binding: &Binding::Challenge(b"a challenge".to_vec()),
        policy: &ReferenceValues {
            azure_snp: Some(policy),
            ..ReferenceValues::refusing_all(Freshness::Required)
        },
        at: Timestamp::parse_rfc3339("2026-06-01T00:00:00Z").unwrap(),
    })
}

/// Takes the forged PCRs; the log is not judged.
pub(crate) fn quote_policy() -> QuotePolicy {
    let mut pcrs: BTreeMap<u32, PcrRule> = (0..24).map(|pcr| (pcr, PcrRule::Ignored)).collect();
    pcrs.insert(4, PcrRule::Values(vec![vec![4; 32]]));
    QuotePolicy {
        bank: HashAlg::Sha256,
        quoted: BTreeSet::from_iter(0..24),
        pcrs,
        secure_boot: SecureBoot::NotJudged,
        event_order: Findings::Refused,
        payloads: Findings::Refused,
        ima: ImaRule::Ignored,
        qualifying_data: Carried::Whole,
        counters: None,
        clock: Clock::Safe,
        firmware: Pin::Any,
    }
}

/// The runtime data of a machine with that attestation key.
pub(crate) fn runtime(ak: &Key) -> String {
    format!(
        r#"{{"keys":[{},{}],"vm-configuration":{{"console-enabled":false,"secure-boot":true,"tpm-enabled":true,"tpm-persisted":true,"vmUniqueId":"390CBCF5"}},"user-data":"{}"}}"#,
        jwk("HCLAkPub", "sign", ak),
        jwk("HCLEkPub", "encrypt", &ek()),
        "AB".repeat(64)
    )
}

pub(crate) fn jwk(kid: &str, operation: &str, key: &Key) -> String {
    let (n, e) = key.modulus_and_exponent();
    format!(
        r#"{{"kid":"{kid}","key_ops":["{operation}"],"kty":"RSA","e":"{}","n":"{}"}}"#,
        b64::encode(&e),
        b64::encode(&n)
    )
}

pub(crate) fn ak_certificate(key: &Key) -> Cert {
    Cert::new("vm.ConfidentialVM.Azure.windows.net", key)
        .serial(&[0x51])
        .validity("2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z")
        .key_usage(0x80)
        .purposes(&["1.3.6.1.4.1.311.10.3.12", "2.23.133.8.3"])
}

pub(crate) fn ak() -> Key {
    Key::rsa2048(2)
}

pub(crate) fn ek() -> Key {
    Key::rsa2048(3)
}

pub(crate) fn digest(key: &Key) -> Vec<u8> {
    Sha256::digest(key.spki()).to_vec()
}

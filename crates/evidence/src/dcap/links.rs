//! From the report to the root: signatures, the quoting enclave's commitment, the PCK's certificates.

use sha2::{Digest as _, Sha256};

use super::{
    checks,
    judge::Judge,
    pck::{self, FlagName, Machine},
    quote::{Quote, Quoting},
    trust::{Bit, FlagRule},
};
use crate::{
    Proved, hex,
    result::About,
    x509::{
        self, CertError, Certificate, ChainError, ChainRules, Curve, KeyUnsupported, LeafUse,
        PemError, Scheme, SignatureBytes, Validity, VerifyingKey,
    },
};

/// Why no chain leads from a certificate to a trusted root.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum LinkError {
    /// The certificates are not in PEM.
    #[error(transparent)]
    Pem(#[from] PemError),
    /// One cannot be read.
    #[error(transparent)]
    Certificate(#[from] CertError),
    /// They lead nowhere.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// They lead to a root by another way than Intel's.
    #[error("a chain of {found} certificates, and Intel's has {expected}")]
    Length {
        /// How many it has.
        expected: usize,
        /// How many there are.
        found: usize,
    },
    /// The issuer or signer is not the one that has this task.
    #[error("`{found}` is not {expected}")]
    Role {
        /// Whose task it is.
        expected: &'static str,
        /// Whose certificate it is.
        found: String,
    },
    /// A key cannot be used.
    #[error(transparent)]
    Key(#[from] KeyUnsupported),
}

/// What the certificates of a quote say, as far as they could be read.
#[derive(Debug, Default)]
pub(super) struct Links {
    /// The PCK's certificates as they came, leaf first.
    pub certificates: Vec<Certificate>,
    /// From leaf to root, verified.
    pub path: Option<Vec<Certificate>>,
    /// What the leaf says of the machine.
    pub machine: Option<Machine>,
}

/// Reads certificates in PEM. A quote's end with a NUL, like a text in C.
pub(super) fn certificates(pem: &[u8]) -> Result<Vec<Certificate>, LinkError> {
    let blocks = x509::all_from_pem(pem.strip_suffix(&[0]).unwrap_or(pem))?;
    let read = blocks.iter().map(|der| Certificate::from_der(der));
    Ok(read.collect::<Result<_, _>>()?)
}

impl Judge<'_> {
    /// Everything between the report and the root.
    pub(super) fn links(&mut self, quote: &Quote<'_>) -> Links {
        let vendor = quote.header.qe_vendor;
        self.checks.expect(
            &checks::QE_VENDOR,
            vendor == INTEL_QE,
            hex::encode(&INTEL_QE),
            hex::encode(vendor),
        );
        self.quote_signature(quote);
        self.qe_report(quote.attestation_key, &quote.quoting);
        let certificates = match certificates(quote.quoting.certificates) {
            Ok(certificates) => certificates,
            Err(error) => {
                let expected = "certificates of the PCK, PEM";
                self.checks.fail(&checks::PCK_CHAIN, expected, error);
                return Links::default();
            }
        };
        let path = self.pck_path(&certificates);
        let Some(leaf) = certificates.first() else {
            return Links::default();
        };
        self.qe_signature(leaf, &quote.quoting);
        let machine = Machine::read(leaf.extension(pck::EXTENSION));
        let expected = "the extension that Intel writes";
        let machine = self.checks.take(&checks::MACHINE, machine, expected);
        if let Some(machine) = &machine {
            self.platform(machine);
            state(machine, self.proved);
        }
        Links {
            certificates,
            path,
            machine,
        }
    }

    fn quote_signature(&mut self, quote: &Quote<'_>) {
        let (x, y) = quote
            .attestation_key
            .split_at_checked(32)
            .unwrap_or_default();
        let expected = "a signature by the attestation key";
        match VerifyingKey::from_xy(Curve::P256, x, y) {
            Err(error) => self.checks.fail(&checks::QUOTE_SIGNATURE, expected, error),
            Ok(key) => {
                let signature = SignatureBytes::Fixed(quote.signature);
                let result = key.verify(Scheme::EcdsaSha256, quote.signed, signature);
                self.checks.take(&checks::QUOTE_SIGNATURE, result, expected);
            }
        }
    }

    /// The report's data is the digest of key and authentication data, and zeros.
    fn qe_report(&mut self, attestation_key: &[u8], quoting: &Quoting<'_>) {
        let mut hash = Sha256::new();
        hash.update(attestation_key);
        hash.update(quoting.auth_data);
        let mut expected = [0; 64];
        for (byte, digest) in expected.iter_mut().zip(hash.finalize()) {
            *byte = digest;
        }
        self.checks.expect(
            &checks::QE_BINDING,
            quoting.report.report_data == expected,
            hex::encode(&expected),
            hex::encode(quoting.report.report_data),
        );
        let flags = quoting.report.flags;
        self.checks.expect(
            &checks::QE_STATE,
            Bit::of(flags, 0) == Bit::Set && Bit::of(flags, 1) == Bit::Clear,
            "INIT set and DEBUG clear",
            format_args!("attributes {flags:#x}"),
        );
    }

    fn qe_signature(&mut self, leaf: &Certificate, quoting: &Quoting<'_>) {
        let expected = "a signature by the key of the PCK certificate";
        match leaf.key() {
            Err(error) => self.checks.fail(&checks::QE_SIGNATURE, expected, error),
            Ok(key) => {
                let signature = SignatureBytes::Fixed(quoting.signature);
                let result = key.verify(Scheme::EcdsaSha256, quoting.report.bytes, signature);
                self.checks.take(&checks::QE_SIGNATURE, result, expected);
            }
        }
    }

    fn pck_path(&mut self, certificates: &[Certificate]) -> Option<Vec<Certificate>> {
        let path = self.path(certificates, 3).and_then(|path| {
            let issuer = path.get(1).map(Certificate::name).unwrap_or_default();
            if PCK_AUTHORITIES.contains(&issuer.as_str()) {
                Ok(path)
            } else {
                Err(LinkError::Role {
                    expected: "an authority for PCK certificates",
                    found: issuer,
                })
            }
        });
        let expected = "a chain over a PCK authority to a trusted root";
        let path = self.checks.take(&checks::PCK_CHAIN, path, expected)?;
        self.rests_on(&path);
        Some(path)
    }

    /// The chain from the first certificate to a trusted root, of exactly that many.
    pub(super) fn path(
        &self,
        certificates: &[Certificate],
        length: usize,
    ) -> Result<Vec<Certificate>, LinkError> {
        let (leaf, others) = certificates.split_first().ok_or(PemError::None {
            label: "CERTIFICATE",
        })?;
        let rules = ChainRules {
            max_certificates: length,
            validity: Validity::At(self.at),
            leaf: LeafUse::Signs,
        };
        let path = x509::verify_chain(leaf, others, &self.roots, &rules)?;
        if path.len() == length {
            Ok(path)
        } else {
            Err(LinkError::Length {
                expected: length,
                found: path.len(),
            })
        }
    }

    pub(super) fn rests_on(&mut self, path: &[Certificate]) {
        for certificate in path {
            self.proved.until(certificate.not_after());
        }
    }

    fn platform(&mut self, machine: &Machine) {
        let trust = self.trust;
        let rules = &trust.platform;
        let flags = [
            (
                &checks::DYNAMIC_PLATFORM,
                FlagName::DynamicPlatform,
                rules.dynamic_platform,
            ),
            (
                &checks::CACHED_KEYS,
                FlagName::CachedKeys,
                rules.cached_keys,
            ),
            (&checks::SMT, FlagName::Smt, rules.smt),
        ];
        for (check, name, rule) in flags {
            let flag = machine.flag(name);
            let found = flag.map_or("not told: only the Platform CA tells it", |set| {
                if set { "yes" } else { "no" }
            });
            // A machine of one package has neither of the first two, and is not told about the third.
            let clear = match name {
                FlagName::DynamicPlatform | FlagName::CachedKeys => flag != Some(true),
                FlagName::Smt => flag == Some(false),
            };
            let met = rule == FlagRule::Allowed || clear;
            self.checks.expect(check, met, "no", found);
        }
        let memory = machine.memory;
        let accepted = rules.memory.iter().map(|kind| kind.as_str());
        self.checks.expect(
            &checks::MEMORY,
            rules.memory.contains(&memory),
            accepted.collect::<Vec<_>>().join(" or "),
            memory.as_str(),
        );
        self.pin(&checks::PPID, &trust.ppids, &machine.ppid);
        for unknown in &machine.unknown {
            let sentence =
                format!("the PCK certificate has member {unknown}, which has no name here");
            self.proved.note(sentence);
        }
    }
}

/// What the certificate says of the machine.
fn state(machine: &Machine, proved: &mut Proved) {
    proved.claim(About::Where, "ppid", hex::encode(&machine.ppid));
    proved.claim(About::Where, "fmspc", hex::encode(&machine.fmspc));
    proved.claim(About::Where, "pce-id", hex::encode(&machine.pce_id));
    proved.claim(About::Where, "pce-svn", machine.pce_svn);
    proved.claim(
        About::Where,
        "tcb-components",
        hex::encode(&machine.components),
    );
    proved.claim(About::Where, "cpu-svn", hex::encode(&machine.cpu_svn));
    proved.claim(About::Where, "memory", machine.memory.as_str());
    if let Some(instance) = machine.platform_instance {
        proved.claim(About::Where, "platform-instance", hex::encode(&instance));
    }
    for name in FlagName::ALL {
        if let Some(set) = machine.flag(name) {
            proved.claim(About::Where, name.as_str(), if set { "yes" } else { "no" });
        }
    }
}

/// Intel's quoting enclave, as quotes name its vendor.
const INTEL_QE: [u8; 16] = [
    0x93, 0x9a, 0x72, 0x33, 0xf7, 0x9c, 0x4c, 0xa9, 0x94, 0x0a, 0x0d, 0xb3, 0x95, 0x7f, 0x06, 0x07,
];
const PCK_AUTHORITIES: [&str; 2] = ["Intel SGX PCK Platform CA", "Intel SGX PCK Processor CA"];

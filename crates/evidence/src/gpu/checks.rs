//! What is checked of devices.

use super::{
    Case, DEVICE_ROOT, Mode, Report,
    chain::{self, Chain},
    golden::{self, Measured},
    opaque::{self, FWID, NVDEC0, OPAQUE_VERSION},
    policy::{Architecture, Identity, is_listed},
};
use crate::{
    Sha256Digest,
    check::{Checks, checks},
    hex,
    policy::Pin,
    result::{About, Proved},
    x509::{Certificate, Scheme, SignatureBytes},
};

checks! {
    /// What is checked of the devices of a machine.
    ALL:
    DEVICES = "gpu.devices", "there are as many devices as policy says, each once and with its own certificates",
        "send the report and the certificates of every device, or correct `device_count`";
    REPORT = "gpu.report", "each report is one SPDM 1.1 request, its response and a signature, and nothing else",
        "send the bytes that the driver gave, unchanged";
    CHAIN = "gpu.chain", "five certificates lead from the signing key to the pinned root, all valid now",
        "send the device's certificates, leaf first and root last";
    SIGNATURE = "gpu.signature", "the signature is the leaf's, over everything before it",
        "ask for a new report: this one was changed, or the certificates are another device's";
    REVOCATION = "gpu.revocation", "every certificate below a root is known not to be revoked",
        "staple the answers of the status responders that the certificates name, or decide `revocation: not-checked`";
    FIRMWARE_ID = "gpu.firmware-id", "the firmware that the report names is the one that its key is certified for",
        "send the certificates of the device that made the report, after its last restart";
    ARCHITECTURE = "gpu.architecture", "the chip is of a generation that policy names",
        "name the generation in `architectures` if its devices are meant";
    FIELDS = "gpu.fields", "every field of the report is known and well formed",
        "see whether the format has changed before these reports are trusted";
    BINDING = "gpu.binding", "every device was asked with the nonce that the verifier expects",
        "ask every device again, with the nonce of this challenge";
    DRIVER = "gpu.driver", "the driver is one that policy names",
        "install it, or name this one if you know it";
    VBIOS = "gpu.vbios", "the VBIOS is one that policy names",
        "install it, or name this one if you know it";
    MODE = "gpu.mode", "confidential computing is on in a way that policy names",
        "switch the mode, or name this one";
    RIM = "gpu.rim", "there is a manifest for the driver and one for the VBIOS of every device",
        "staple NVIDIA's manifests for the versions that the report names";
    RIM_SIGNATURE = "gpu.rim-signature", "each manifest is signed as a whole, by a certificate that leads to the pinned root",
        "staple the manifests as NVIDIA serves them now: their certificates expire and are renewed";
    RIM_PINS = "gpu.rim-pins", "each manifest is one that policy lists",
        "add its digest to `rims` if you know it";
    MEASUREMENTS = "gpu.measurements", "every measurement that the manifests name has one of its golden values",
        "update driver and VBIOS together, and restart the device";
    DEBUG = "gpu.debug", "debugging is off, as the golden measurements imply",
        "switch the device's debug mode off and restart it";
    SECURE_BOOT = "gpu.secure-boot", "the device started NVIDIA's firmware, as the golden measurements imply",
        "restore the device's firmware and restart it";
    DEVICE = "gpu.device", "each device is one that policy lists",
        "add the digest of its key to `devices` if it is yours";
    IDENTITY = "gpu.identity", "a pin of policy says whose devices they are",
        "list the devices";
}

/// Judges the devices of a machine.
pub fn judge(case: &Case<'_>, checks: &mut Checks, proved: &mut Proved) {
    checks.require(ALL);
    proved.note(
        "Nothing binds a GPU to the machine that it is used from: reports relayed from devices elsewhere cannot be told apart.",
    );
    identity(case, checks);
    let expected = case.policy.device_count;
    let (reports, chains) = (case.reports.len(), case.certificates.len());
    if !checks.expect(
        &DEVICES,
        reports == expected && chains == expected,
        format_args!("{expected} reports and as many chains"),
        format_args!("{reports} reports and {chains} chains"),
    ) {
        return;
    }
    let mut parsed = Vec::new();
    for (report, pem) in case.reports.iter().zip(&case.certificates) {
        if let Some(report) = checks.take(&REPORT, Report::parse(report), "an SPDM report") {
            parsed.push((report, *pem));
        }
    }
    let mut measured = Vec::new();
    let mut keys = Vec::new();
    for (number, (report, pem)) in parsed.iter().enumerate() {
        let device = Device {
            number,
            report,
            pem,
        };
        let Some(chain) = device.judge(case, checks, proved) else {
            continue;
        };
        keys.extend(chain.device().map(device_key));
        if let Some(chip) = chain.chip() {
            measured.push(Measured {
                number,
                report,
                chip,
            });
        }
    }
    let count = keys.len();
    keys.sort_unstable();
    keys.dedup();
    checks.expect(
        &DEVICES,
        keys.len() == count,
        "each device once",
        "one of them twice",
    );
    if measured.len() == expected {
        golden::judge(case, &measured, checks, proved);
    }
}

struct Device<'a> {
    number: usize,
    report: &'a Report<'a>,
    pem: &'a [u8],
}

impl Device<'_> {
    fn judge(&self, case: &Case<'_>, checks: &mut Checks, proved: &mut Proved) -> Option<Chain> {
        self.signature(checks);
        self.fields(checks);
        self.binding(case, checks, proved);
        self.versions(case, checks, proved);
        let roots = chain::trusted(&case.policy.roots, DEVICE_ROOT);
        let verified = roots.and_then(|roots| Chain::verify(self.pem, &roots, case.at));
        let chain = checks.take(
            &CHAIN,
            verified,
            self.expected("five certificates to the root"),
        )?;
        for certificate in chain.path() {
            proved.until(certificate.not_after());
        }
        self.chip(case, &chain, checks, proved);
        self.device(case, &chain, checks, proved);
        self.revocation(case, &chain, checks, proved);
        Some(chain)
    }

    fn expected(&self, what: impl std::fmt::Display) -> String {
        format!("device {}: {what}", self.number)
    }

    // By the first certificate, whether or not its chain holds: both are told.
    fn signature(&self, checks: &mut Checks) {
        let leaf = chain::leaf(self.pem);
        let verified = leaf.as_ref().map_err(Clone::clone).and_then(|leaf| {
            let key = leaf.key().map_err(|error| error.to_string())?;
            let signature = SignatureBytes::Fixed(self.report.signature);
            key.verify(Scheme::EcdsaSha384, self.report.signed, signature)
                .map_err(|error| error.to_string())
        });
        checks.take(
            &SIGNATURE,
            verified,
            self.expected("a signature by its leaf"),
        );
        let Ok(leaf) = leaf else {
            return;
        };
        let (reported, certified) = (self.report.field(FWID), chain::firmware_id(&leaf));
        let shown = |id: Option<&[u8]>| id.map_or_else(|| "none".to_owned(), hex::encode);
        checks.expect(
            &FIRMWARE_ID,
            reported.is_some() && reported == certified,
            self.expected(format_args!("firmware {}, as certified", shown(certified))),
            shown(reported),
        );
    }

    fn fields(&self, checks: &mut Checks) {
        let known = |kind: u16| opaque::name(kind).is_some();
        let unknown: Vec<String> = self
            .report
            .opaque
            .iter()
            .filter(|field| !known(field.kind))
            .map(|field| field.kind.to_string())
            .collect();
        checks.expect(
            &FIELDS,
            unknown.is_empty(),
            self.expected("fields that are known"),
            format_args!("also {}", unknown.join(", ")),
        );
        let version = self.report.field(OPAQUE_VERSION);
        checks.expect(
            &FIELDS,
            version.is_none_or(|version| KNOWN_VERSIONS.contains(&version)),
            self.expected("version 1 of the fields"),
            version.map_or_else(String::new, hex::encode),
        );
        let decoder = self.report.field(NVDEC0);
        checks.expect(
            &FIELDS,
            decoder.is_some_and(|decoder| DECODER_STATES.contains(&decoder)),
            self.expected("a video decoder that is on (aa) or off (55)"),
            decoder.map_or_else(|| "not told".to_owned(), hex::encode),
        );
        checks.expect(
            &FIELDS,
            self.report.mode() != Mode::Unknown,
            self.expected("a feature flag of 0, 1 or 2"),
            "another",
        );
    }

    fn binding(&self, case: &Case<'_>, checks: &mut Checks, proved: &mut Proved) {
        let found = self.report.nonce;
        proved.claim(About::When, "nonce", hex::encode(found));
        let Some(expected) = &case.nonce else {
            checks.not_applicable(&BINDING, "no binding was named");
            return;
        };
        checks.expect(
            &BINDING,
            found == expected.as_slice(),
            self.expected(hex::encode(expected)),
            hex::encode(found),
        );
    }

    fn versions(&self, case: &Case<'_>, checks: &mut Checks, proved: &mut Proved) {
        let policy = case.policy;
        for (check, claim, version, pin) in [
            (
                &DRIVER,
                "driver",
                self.report.driver_version(),
                &policy.drivers,
            ),
            (&VBIOS, "vbios", self.report.vbios_version(), &policy.vbios),
        ] {
            if let Some(version) = &version {
                proved.claim(About::What, claim, version);
            }
            checks.expect(
                check,
                version.as_ref().is_some_and(|version| pin.allows(version)),
                self.expected(listed(pin)),
                version.as_deref().unwrap_or("no version"),
            );
        }
        let mode = self.report.mode();
        proved.claim(About::What, "mode", mode.as_str());
        checks.expect(
            &MODE,
            policy.modes.allows(&mode),
            self.expected("a mode that policy lists"),
            mode.as_str(),
        );
    }

    fn chip(&self, case: &Case<'_>, chain: &Chain, checks: &mut Checks, proved: &mut Proved) {
        let chip = chain.chip();
        let architecture = chip.as_deref().and_then(Architecture::of);
        let accepted = architecture
            .is_some_and(|architecture| case.policy.architectures.contains(&architecture));
        let shown = chip
            .as_deref()
            .unwrap_or("a chip that its certificates do not agree on");
        proved.claim(About::Where, "chip", shown.escape_debug());
        let names: Vec<&str> = case
            .policy
            .architectures
            .iter()
            .map(|known| known.as_str())
            .collect();
        checks.expect(
            &ARCHITECTURE,
            accepted,
            self.expected(names.join(" or ")),
            shown.escape_debug(),
        );
        let told = self.report.chip();
        checks.expect(
            &ARCHITECTURE,
            told.is_none() || told == chip,
            self.expected(format_args!("{}, as certified", shown.escape_debug())),
            told.unwrap_or_default(),
        );
    }

    fn device(&self, case: &Case<'_>, chain: &Chain, checks: &mut Checks, proved: &mut Proved) {
        let Some(device) = chain.device() else {
            return;
        };
        let key = device_key(device);
        proved.claim(About::Where, "device-key", key.hex());
        if let Some(name) = chain.path().first().and_then(chain::device_name) {
            proved.claim(About::Where, "device", name);
        }
        checks.expect(
            &DEVICE,
            is_listed(&case.policy.devices, key.as_bytes()),
            self.expected("a device that policy lists"),
            key.hex(),
        );
    }

    // The leaf is issued by the device's own key: to revoke the device is to revoke it, and no responder
    // knows it.
    fn revocation(&self, case: &Case<'_>, chain: &Chain, checks: &mut Checks, proved: &mut Proved) {
        let issued = chain.path().get(1..).unwrap_or_default();
        chain::revocation(case, issued, &self.expected("device"), (checks, proved));
    }
}

fn identity(case: &Case<'_>, checks: &mut Checks) {
    match case.policy.identity {
        Identity::DangerAnyMachine => checks.tolerate(
            &IDENTITY,
            "anybody's genuine devices, by `danger-any-machine`",
            None,
        ),
        Identity::Pinned => {
            let pinned = !case.policy.devices.is_any();
            checks.expect(&IDENTITY, pinned, "a list of devices", "any");
        }
    }
}

fn device_key(device: &Certificate) -> Sha256Digest {
    Sha256Digest::of(device.spki())
}

fn listed(pin: &Pin<String>) -> String {
    match pin {
        Pin::Any => "any version".to_owned(),
        Pin::OneOf(list) => list.join(" or "),
    }
}

const KNOWN_VERSIONS: [&[u8]; 2] = [&[1], &[1, 0]];
const DECODER_STATES: [&[u8]; 2] = [&[0x55], &[0xaa]];

//! Trust domains.

use super::{
    checks,
    judge::Judge,
    quote::{Body, DomainReport, Quote},
    rtmr::RegisterRule,
    trust::{Bit, BitRule, Bits, Identity, Pinned, Trust},
};
use crate::{
    Endorsements, Proved, Timestamp,
    check::Checks,
    hex,
    policy::{Fields, Measurements, Pin, fields},
    result::About,
};

/// Which trust domains are accepted.
#[derive(Clone, Debug)]
pub struct TdxPolicy {
    /// Whom to believe, and how far behind a machine may be.
    pub trust: Trust,
    /// Whether something says whose machine it is.
    pub identity: Identity,
    /// Attributes that may be one or the other.
    pub attributes: AttributeRules,
    /// Processor features.
    pub xfam: Bits,
    /// TDX modules.
    pub mrseam: Pin<Vec<u8>>,
    /// Their signers; zeros stand for Intel.
    pub mrsignerseam: Pin<Vec<u8>>,
    /// Service domains that may be bound.
    pub service_tds: Vec<Vec<u8>>,
    /// Sets of devices that may be assigned.
    pub devices: Vec<Vec<u8>>,
    /// MRTD by name.
    pub measurements: Measurements,
    /// The run-time measurement registers.
    pub registers: [RegisterRule; 4],
    /// Configurations.
    pub mrconfigid: Pin<Vec<u8>>,
    /// Owners.
    pub mrowner: Pin<Vec<u8>>,
    /// Owners' configurations.
    pub mrownerconfig: Pin<Vec<u8>>,
}

/// Attributes that may be one or the other. Debug, profiling and migration are refused always, and page
/// faults of the host's making always end the domain.
#[derive(Clone, Copy, Debug)]
pub struct AttributeRules {
    /// Defence against single stepping by instruction counts.
    pub icssd: BitRule,
    /// Extension for service domains.
    pub servtd_ext: BitRule,
    /// Linear address space separation.
    pub lass: BitRule,
    /// Supervisor protection keys.
    pub pks: BitRule,
    /// Key Locker.
    pub key_locker: BitRule,
    /// Provisioning agent for devices.
    pub tpa: BitRule,
    /// Performance monitoring.
    pub perfmon: BitRule,
}

impl TdxPolicy {
    /// Reads its section.
    pub(crate) fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let identity = Identity::read(fields);
        let policy = Self::read_inner(fields);
        let policy = Self {
            identity: identity?,
            ..policy?
        };
        let pins = "`ppids`, `mrconfigid`, `mrowner` and `rtmr3`, to something else than zeros";
        policy
            .identity
            .contradictions(fields, policy.pinned(), pins);
        Some(policy)
    }

    /// Reads the section where another platform's decides about identity.
    pub(crate) fn read_inner(fields: &mut Fields<'_>) -> Option<Self> {
        let trust = Trust::read(fields);
        let attributes = fields.section("attributes", AttributeRules::read);
        let xfam = fields.section("xfam", |fields| Bits::read(fields, u64::MAX));
        let mrseam = fields.hex_pin("mrseam", 48);
        let mrsignerseam = fields.hex_pin("mrsignerseam", 48);
        let service_tds = fields.list("service_tds", |value| fields::hex_of(value, 48));
        let devices = fields.list("devices", |value| fields::hex_of(value, 48));
        let measurements = fields.measurements("measurements", 48);
        let registers =
            ["rtmr0", "rtmr1", "rtmr2", "rtmr3"].map(|name| RegisterRule::read(fields, name));
        let [rtmr0, rtmr1, rtmr2, rtmr3] = registers;
        let mrconfigid = fields.hex_pin("mrconfigid", 48);
        let mrowner = fields.hex_pin("mrowner", 48);
        let mrownerconfig = fields.hex_pin("mrownerconfig", 48);
        Some(Self {
            trust: trust?,
            identity: Identity::Outer,
            attributes: attributes?,
            xfam: xfam?,
            mrseam: mrseam?,
            mrsignerseam: mrsignerseam?,
            service_tds: service_tds?,
            devices: devices?,
            measurements: measurements?,
            registers: [rtmr0?, rtmr1?, rtmr2?, rtmr3?],
            mrconfigid: mrconfigid?,
            mrowner: mrowner?,
            mrownerconfig: mrownerconfig?,
        })
    }

    fn pinned(&self) -> Pinned {
        let [_, _, _, rtmr3] = &self.registers;
        let application = match rtmr3 {
            RegisterRule::Pinned(values) => Pin::OneOf(values.clone()),
            RegisterRule::Ignored | RegisterRule::Replayed | RegisterRule::Events(_) => Pin::Any,
        };
        Pinned::by(&[
            &self.trust.ppids,
            &self.mrconfigid,
            &self.mrowner,
            &application,
        ])
    }
}

impl AttributeRules {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let icssd = BitRule::read(fields, "icssd");
        let servtd_ext = BitRule::read(fields, "servtd_ext");
        let lass = BitRule::read(fields, "lass");
        let pks = BitRule::read(fields, "pks");
        let key_locker = BitRule::read(fields, "key_locker");
        let tpa = BitRule::read(fields, "tpa");
        let perfmon = BitRule::read(fields, "perfmon");
        Some(Self {
            icssd: icssd?,
            servtd_ext: servtd_ext?,
            lass: lass?,
            pks: pks?,
            key_locker: key_locker?,
            tpa: tpa?,
            perfmon: perfmon?,
        })
    }
}

/// A quote of a trust domain, and what it is judged by.
pub(crate) struct Case<'a> {
    /// The quote; zeros may follow it.
    pub quote: &'a [u8],
    /// The boot event log.
    pub event_log: Option<&'a [u8]>,
    /// What came with the evidence.
    pub endorsements: &'a Endorsements,
    /// The report data that is expected, where one is.
    pub report_data: Option<[u8; 64]>,
    /// The time of the appraisal.
    pub at: Timestamp,
}

/// Judges a quote of a trust domain. Every check of [`checks::QUOTE`], [`checks::TCB`] and
/// [`checks::TDX`] is required from here on.
pub(crate) fn judge_tdx(
    case: &Case<'_>,
    policy: &TdxPolicy,
    checks: &mut Checks,
    proved: &mut Proved,
) {
    checks.require(checks::TDX);
    let mut judge = Judge::new((case.endorsements, case.at), &policy.trust, checks, proved);
    let Some(quote) = judge.quote(case.quote) else {
        return;
    };
    if let Some(report) = judge.domain(&quote) {
        judge.attributes(policy, &report);
        judge.module(policy, &report);
        judge.companions(policy, &report);
        judge.measured(policy, &report, case.event_log);
        judge.binding(&checks::TDX_BINDING, case.report_data, report.report_data);
        judge.identity(&checks::TDX_IDENTITY, policy.identity);
    }
}

impl Judge<'_> {
    fn domain<'q>(&mut self, quote: &Quote<'q>) -> Option<DomainReport<'q>> {
        let (report, found) = match quote.body {
            Body::Domain(report) => (Some(report), "a trust domain"),
            Body::Enclave(_) => (None, "an enclave"),
        };
        self.checks.expect(
            &checks::TDX_VERSION,
            report.is_some(),
            "version 4 or 5, about a trust domain",
            format_args!("version {}, about {found}", quote.header.version),
        );
        report
    }

    fn attributes(&mut self, policy: &TdxPolicy, report: &DomainReport<'_>) {
        let bits = report.attributes;
        self.proved.claim(
            About::What,
            "td-attributes",
            hex::encode(&bits.to_le_bytes()),
        );
        let found = format!("{bits:#018x}");
        let clear = [
            (&checks::TDX_DEBUG, DEBUG),
            (&checks::TDX_PROFILING, PROFILING),
            (&checks::TDX_RESERVED, !NAMED),
            (&checks::TDX_MIGRATABLE, MIGRATABLE),
        ];
        for (check, mask) in clear {
            let expected = format!("no bit of {mask:#018x}");
            self.checks
                .expect(check, bits & mask == 0, expected, &found);
        }
        self.bit(
            &checks::TDX_SEPT_VE_DISABLE,
            BitRule::Required,
            Bit::of(bits, 28),
        );
        let AttributeRules {
            icssd,
            servtd_ext,
            lass,
            pks,
            key_locker,
            tpa,
            perfmon,
        } = policy.attributes;
        self.bit(&checks::TDX_ICSSD, icssd, Bit::of(bits, 16));
        self.bit(&checks::TDX_SERVTD_EXT, servtd_ext, Bit::of(bits, 17));
        self.bit(&checks::TDX_LASS, lass, Bit::of(bits, 27));
        self.bit(&checks::TDX_PKS, pks, Bit::of(bits, 30));
        self.bit(&checks::TDX_KEY_LOCKER, key_locker, Bit::of(bits, 31));
        self.bit(&checks::TDX_TPA, tpa, Bit::of(bits, 62));
        self.bit(&checks::TDX_PERFMON, perfmon, Bit::of(bits, 63));
        let xfam = report.xfam;
        self.proved
            .claim(About::What, "xfam", hex::encode(&xfam.to_le_bytes()));
        self.checks.expect(
            &checks::TDX_XFAM,
            policy.xfam.allow(xfam),
            policy.xfam.expected(),
            format_args!("{xfam:#x}"),
        );
    }

    fn module(&mut self, policy: &TdxPolicy, report: &DomainReport<'_>) {
        let module = [
            ("mrseam", report.mrseam),
            ("mrsignerseam", report.mrsignerseam),
            ("tee-tcb-svn", report.tee_tcb_svn),
        ];
        for (name, value) in module {
            self.proved.claim(About::Where, name, hex::encode(value));
        }
        let attributes = report.seam_attributes;
        self.checks.expect(
            &checks::TDX_SEAM_ATTRIBUTES,
            attributes == 0,
            "0",
            format_args!("{attributes:#x}"),
        );
        self.pin(&checks::TDX_MRSEAM, &policy.mrseam, report.mrseam);
        self.pin(
            &checks::TDX_MRSIGNERSEAM,
            &policy.mrsignerseam,
            report.mrsignerseam,
        );
    }

    /// Service domains and devices, as far as the report knows of them.
    fn companions(&mut self, policy: &TdxPolicy, report: &DomainReport<'_>) {
        let Some(newer) = report.newer else {
            let why = "a report of TDX 1.0 has none: a domain with service domains never gets one";
            self.checks.not_applicable(&checks::TDX_SERVICE_TDS, why);
            let why = "only an extended report tells";
            self.checks.not_applicable(&checks::TDX_DEVICES, why);
            return self.checks.not_applicable(&checks::TDX_PARTITION, why);
        };
        self.proved.claim(
            About::Where,
            "tee-tcb-svn2",
            hex::encode(newer.tee_tcb_svn2),
        );
        let Some(extended) = report.extended else {
            self.listed_or_none(&policy.service_tds, &[newer.mrservicetd]);
            let why = "only an extended report tells";
            self.checks.not_applicable(&checks::TDX_DEVICES, why);
            return self.checks.not_applicable(&checks::TDX_PARTITION, why);
        };
        let bound = [
            newer.mrservicetd,
            extended.init_servtd_hash,
            extended.cur_servtd_hash,
        ];
        self.listed_or_none(&policy.service_tds, &bound);
        let devices = extended.dev_info;
        let known = is_zero(devices) || policy.devices.iter().any(|known| known == devices);
        self.checks.expect(
            &checks::TDX_DEVICES,
            known,
            "no devices, or a set that `devices` lists",
            hex::encode(devices),
        );
        self.checks
            .expect(&checks::TDX_PARTITION, extended.vmid == 0, 0, extended.vmid);
        let told = [
            ("td-id", extended.td_id),
            ("init-cpu-svn", extended.init_cpu_svn),
            ("init-tee-tcb-svn", extended.init_tee_tcb_svn),
            ("init-tee-fmspc", extended.init_tee_fmspc),
            ("init-servtd-attributes", extended.init_servtd_attr),
            ("cur-servtd-attributes", extended.cur_servtd_attr),
        ];
        for (name, value) in told {
            self.proved.claim(About::Where, name, hex::encode(value));
        }
    }

    fn listed_or_none(&mut self, accepted: &[Vec<u8>], bound: &[&[u8]]) {
        let unknown = bound
            .iter()
            .find(|hash| !is_zero(hash) && !accepted.iter().any(|known| known == *hash));
        self.checks.expect(
            &checks::TDX_SERVICE_TDS,
            unknown.is_none(),
            "none, or one that `service_tds` lists",
            hex::encode(unknown.copied().unwrap_or_default()),
        );
    }

    fn measured(&mut self, policy: &TdxPolicy, report: &DomainReport<'_>, log: Option<&[u8]>) {
        let told = [
            (About::What, "mrtd", report.mrtd),
            (About::What, "mrconfigid", report.mrconfigid),
            (About::Who, "mrowner", report.mrowner),
            (About::Who, "mrownerconfig", report.mrownerconfig),
        ];
        for (about, name, value) in told {
            self.proved.claim(about, name, hex::encode(value));
        }
        let named = policy.measurements.name_of(report.mrtd);
        self.checks.expect(
            &checks::TDX_MEASUREMENT,
            named.is_some(),
            policy.measurements.expected(),
            hex::encode(report.mrtd),
        );
        if let Some(name) = named {
            self.proved.claim(About::What, "measurement-name", name);
        }
        self.registers(policy.registers.each_ref(), log, report.rtmrs);
        self.pin(
            &checks::TDX_MRCONFIGID,
            &policy.mrconfigid,
            report.mrconfigid,
        );
        self.pin(&checks::TDX_MROWNER, &policy.mrowner, report.mrowner);
        self.pin(
            &checks::TDX_MROWNERCONFIG,
            &policy.mrownerconfig,
            report.mrownerconfig,
        );
    }
}

fn is_zero(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| *byte == 0)
}

const DEBUG: u64 = 1;
const PROFILING: u64 = 0b111 << 4;
const MIGRATABLE: u64 = 1 << 29;
/// Bits 0, 4 to 6, 16, 17, 27 to 31, 62 and 63.
const NAMED: u64 = 0xc000_0000_f803_0071;

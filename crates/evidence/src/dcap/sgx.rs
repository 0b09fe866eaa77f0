//! Enclaves.

use cmcp_json::Value;

use super::{
    checks,
    judge::Judge,
    quote::{Body, EnclaveReport, Quote},
    trust::{Bit, BitRule, Bits, Identity, Pinned, Trust, inner},
};
use crate::{
    Endorsements, Proved, Timestamp,
    check::Checks,
    hex,
    policy::{Fields, Measurements, Pin, fields},
    result::About,
};

/// Which enclaves are accepted.
#[derive(Clone, Debug)]
pub struct SgxPolicy {
    /// Whom to believe, and how far behind a machine may be.
    pub trust: Trust,
    /// Whether something says whose machine it is.
    pub identity: Identity,
    /// Attributes that may be one or the other.
    pub attributes: EnclaveRules,
    /// Processor features.
    pub xfrm: Bits,
    /// Features of the state save area.
    pub miscselect: Bits,
    /// MRENCLAVE by name.
    pub measurements: Measurements,
    /// Signers whose products are accepted.
    pub signers: Vec<Signer>,
    /// Configurations.
    pub config_ids: Pin<Vec<u8>>,
    /// The least version of the configuration.
    pub config_svn_at_least: u64,
    /// Families of products.
    pub family_ids: Pin<Vec<u8>>,
    /// Extended product ids.
    pub ext_prod_ids: Pin<Vec<u8>>,
}

/// Attributes that may be one or the other. Debug and the keys of Intel's own enclaves are refused always.
#[derive(Clone, Copy, Debug)]
pub struct EnclaveRules {
    /// 64-bit mode.
    pub mode64: BitRule,
    /// Control-flow enforcement.
    pub cet: BitRule,
    /// Key separation and sharing.
    pub kss: BitRule,
    /// Notification of asynchronous exits.
    pub aex_notify: BitRule,
}

/// A signer whose product is accepted.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Signer {
    /// What to call it.
    pub name: String,
    /// Digest of its key.
    pub mrsigner: Vec<u8>,
    /// Its product.
    pub isv_prod_id: u64,
    /// The least security version.
    pub isv_svn_at_least: u64,
}

impl SgxPolicy {
    /// Reads its section.
    pub(crate) fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let identity = Identity::read(fields);
        let trust = Trust::read(fields);
        let attributes = fields.section("attributes", EnclaveRules::read);
        let xfrm = fields.section("xfrm", |fields| Bits::read(fields, u64::MAX));
        let miscselect = fields.section("miscselect", |fields| {
            Bits::read(fields, u64::from(u32::MAX))
        });
        let measurements = fields.measurements("measurements", 32);
        let signers = fields.read("signers", signers);
        let config_ids = fields.hex_pin("config_ids", 64);
        let config_svn = fields.number("config_svn_at_least", u64::from(u16::MAX));
        let family_ids = fields.hex_pin("family_ids", 16);
        let ext_prod_ids = fields.hex_pin("ext_prod_ids", 16);
        let policy = Self {
            trust: trust?,
            identity: identity?,
            attributes: attributes?,
            xfrm: xfrm?,
            miscselect: miscselect?,
            measurements: measurements?,
            signers: signers?,
            config_ids: config_ids?,
            config_svn_at_least: config_svn?,
            family_ids: family_ids?,
            ext_prod_ids: ext_prod_ids?,
        };
        let pinned = Pinned::by(&[&policy.trust.ppids, &policy.config_ids]);
        let pins = "`ppids` and `config_ids`, to something else than zeros";
        policy.identity.contradictions(fields, pinned, pins);
        Some(policy)
    }
}

impl EnclaveRules {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let mode64 = BitRule::read(fields, "mode64");
        let cet = BitRule::read(fields, "cet");
        let kss = BitRule::read(fields, "kss");
        let aex_notify = BitRule::read(fields, "aex_notify");
        Some(Self {
            mode64: mode64?,
            cet: cet?,
            kss: kss?,
            aex_notify: aex_notify?,
        })
    }
}

fn signers(value: &Value) -> Result<Vec<Signer>, String> {
    match (value.as_str(), value.as_array()) {
        (Some("none"), _) => Ok(Vec::new()),
        (_, Some(list)) if !list.is_empty() => list.iter().map(signer).collect(),
        (_, _) => Err("must be `none` or a list of signers that is not empty".to_owned()),
    }
}

fn signer(value: &Value) -> Result<Signer, String> {
    inner(value, |fields| {
        let name = fields.text("name");
        let mrsigner = fields.read("mrsigner", |value| fields::hex_of(value, 32));
        let isv_prod_id = fields.number("isv_prod_id", u64::from(u16::MAX));
        let isv_svn = fields.number("isv_svn_at_least", u64::from(u16::MAX));
        Some(Signer {
            name: name?,
            mrsigner: mrsigner?,
            isv_prod_id: isv_prod_id?,
            isv_svn_at_least: isv_svn?,
        })
    })
}

/// A quote of an enclave, and what it is judged by.
pub(super) struct Case<'a> {
    pub quote: &'a [u8],
    pub endorsements: &'a Endorsements,
    pub report_data: Option<[u8; 64]>,
    pub at: Timestamp,
}

pub(super) fn judge_sgx(
    case: &Case<'_>,
    policy: &SgxPolicy,
    checks: &mut Checks,
    proved: &mut Proved,
) {
    checks.require(checks::SGX);
    let mut judge = Judge::new((case.endorsements, case.at), &policy.trust, checks, proved);
    let Some(quote) = judge.quote(case.quote) else {
        return;
    };
    if let Some(report) = judge.enclave(&quote) {
        judge.enclave_attributes(policy, &report);
        judge.code(policy, &report);
        judge.configuration(policy, &report);
        judge.binding(&checks::SGX_BINDING, case.report_data, report.report_data);
        judge.identity(&checks::SGX_IDENTITY, policy.identity);
    }
}

impl Judge<'_> {
    fn enclave<'q>(&mut self, quote: &Quote<'q>) -> Option<EnclaveReport<'q>> {
        let (report, found) = match quote.body {
            Body::Enclave(report) => (Some(report), "an enclave"),
            Body::Domain(_) => (None, "a trust domain"),
        };
        self.checks.expect(
            &checks::SGX_VERSION,
            report.is_some() && quote.header.version == 3,
            "version 3, about an enclave",
            format_args!("version {}, about {found}", quote.header.version),
        );
        report
    }

    fn enclave_attributes(&mut self, policy: &SgxPolicy, report: &EnclaveReport<'_>) {
        let flags = report.flags;
        self.proved
            .claim(About::What, "attributes", format_args!("{flags:#x}"));
        let fixed = [
            (&checks::SGX_INIT, BitRule::Required, 0),
            (&checks::SGX_DEBUG, BitRule::Refused, 1),
            (&checks::SGX_PROVISION_KEY, BitRule::Refused, 4),
            (&checks::SGX_EINITTOKEN_KEY, BitRule::Refused, 5),
        ];
        let EnclaveRules {
            mode64,
            cet,
            kss,
            aex_notify,
        } = policy.attributes;
        let decided = [
            (&checks::SGX_MODE64, mode64, 2),
            (&checks::SGX_CET, cet, 6),
            (&checks::SGX_KSS, kss, 7),
            (&checks::SGX_AEX_NOTIFY, aex_notify, 10),
        ];
        for (check, rule, number) in fixed.into_iter().chain(decided) {
            self.bit(check, rule, Bit::of(flags, number));
        }
        let free = report.reserved.iter().copied().flatten();
        let free = free.filter(|byte| **byte != 0).count();
        self.checks.expect(
            &checks::SGX_RESERVED,
            flags & !NAMED == 0 && free == 0,
            format_args!("no attribute beyond {NAMED:#x}, reserved fields zero"),
            format_args!("attributes {flags:#x}, {free} reserved bytes not zero"),
        );
        let masks = [
            (&checks::SGX_XFRM, policy.xfrm, report.xfrm),
            (
                &checks::SGX_MISCSELECT,
                policy.miscselect,
                u64::from(report.miscselect),
            ),
        ];
        for (check, bits, found) in masks {
            let met = bits.allow(found);
            self.checks
                .expect(check, met, bits.expected(), format_args!("{found:#x}"));
        }
        self.proved
            .claim(About::What, "xfrm", format_args!("{:#x}", report.xfrm));
    }

    /// The enclave itself is named, or a signer and its product are.
    fn code(&mut self, policy: &SgxPolicy, report: &EnclaveReport<'_>) {
        let (mrenclave, mrsigner) = (hex::encode(report.mrenclave), hex::encode(report.mrsigner));
        self.proved.claim(About::What, "mrenclave", &mrenclave);
        self.proved.claim(About::What, "mrsigner", &mrsigner);
        self.proved
            .claim(About::What, "isv-prod-id", report.isv_prod_id);
        self.proved.claim(About::What, "isv-svn", report.isv_svn);
        if let Some(name) = policy.measurements.name_of(report.mrenclave) {
            self.proved.claim(About::What, "measurement-name", name);
            self.checks.met(&checks::SGX_MEASUREMENT);
            let why = "the enclave itself is named, with its version";
            return self.checks.not_applicable(&checks::SGX_ISV_SVN, why);
        }
        let signer = policy.signers.iter().find(|signer| {
            signer.mrsigner == report.mrsigner
                && signer.isv_prod_id == u64::from(report.isv_prod_id)
        });
        let Some(signer) = signer else {
            let signers = policy.signers.iter().map(|signer| signer.name.as_str());
            let signers = signers.collect::<Vec<_>>().join(", ");
            let expected = format!(
                "{}, or a signer ({signers})",
                policy.measurements.expected()
            );
            let product = report.isv_prod_id;
            let found = format!("MRENCLAVE {mrenclave}, MRSIGNER {mrsigner}, product {product}");
            self.checks.fail(&checks::SGX_MEASUREMENT, expected, found);
            let why = "no entry says which is the least";
            return self.checks.not_applicable(&checks::SGX_ISV_SVN, why);
        };
        self.proved.claim(About::What, "signer-name", &signer.name);
        self.checks.met(&checks::SGX_MEASUREMENT);
        self.checks.expect(
            &checks::SGX_ISV_SVN,
            u64::from(report.isv_svn) >= signer.isv_svn_at_least,
            format_args!("{} or more", signer.isv_svn_at_least),
            report.isv_svn,
        );
    }

    fn configuration(&mut self, policy: &SgxPolicy, report: &EnclaveReport<'_>) {
        let told = [
            ("config-id", report.config_id),
            ("family-id", report.family_id),
            ("ext-prod-id", report.ext_prod_id),
        ];
        for (name, value) in told {
            self.proved.claim(About::What, name, hex::encode(value));
        }
        self.proved
            .claim(About::What, "config-svn", report.config_svn);
        self.pin(&checks::SGX_CONFIG_ID, &policy.config_ids, report.config_id);
        self.checks.expect(
            &checks::SGX_CONFIG_SVN,
            u64::from(report.config_svn) >= policy.config_svn_at_least,
            format_args!("{} or more", policy.config_svn_at_least),
            report.config_svn,
        );
        self.pin(&checks::SGX_FAMILY, &policy.family_ids, report.family_id);
        self.pin(
            &checks::SGX_FAMILY,
            &policy.ext_prod_ids,
            report.ext_prod_id,
        );
    }
}

/// Bits 0 to 2, 4 to 7 and 10.
const NAMED: u64 = 0b100_1111_0111;

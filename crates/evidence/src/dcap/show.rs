//! Every field of a quote, explained.

use super::{
    links::certificates,
    pck::{self, FlagName, Machine},
    quote::{
        Body, DomainReport, EnclaveReport, ExtendedReport, NewerReport, Quote, Quoting, Tee, parse,
    },
    trust::Bit,
};
use crate::{hex, reader::Malformed, show::Field, x509::Certificate};

/// Every field of a quote, in its order, and what its certificates say of the machine.
pub(crate) fn show(bytes: &[u8]) -> Result<Vec<Field>, Malformed> {
    let quote = parse(bytes)?;
    let mut fields = header(&quote);
    let body = match quote.body {
        Body::Enclave(report) => enclave("quote.report", &report),
        Body::Domain(report) => domain(&report),
    };
    fields.extend(body);
    fields.extend(signature(&quote));
    fields.extend(quoting(&quote.quoting));
    if !quote.rest.is_empty() {
        let at = bytes.len().saturating_sub(quote.rest.len());
        let zeros = quote.rest.iter().all(|byte| *byte == 0);
        let says = if zeros {
            "padding: zeros, left out"
        } else {
            "not zeros: refused"
        };
        let length = format!("{} bytes", quote.rest.len());
        fields.push(Field::at(at, "quote.rest", length, says));
    }
    Ok(fields)
}

/// Where a field stands in its report, what it is called, and what it says.
type Row = (usize, &'static str, &'static str);

fn rows<const N: usize>(
    (name, at): (&str, usize),
    table: &[Row; N],
    values: [String; N],
) -> Vec<Field> {
    let rows = table.iter().zip(values);
    rows.map(|((offset, field, says), value)| {
        Field::at(
            at.saturating_add(*offset),
            format!("{name}.{field}"),
            value,
            *says,
        )
    })
    .collect()
}

fn header(quote: &Quote<'_>) -> Vec<Field> {
    let header = &quote.header;
    let tee = match header.tee {
        Tee::Sgx => "0x0",
        Tee::Tdx => "0x81",
    };
    let values = [
        header.version.to_string(),
        "2".to_owned(),
        tee.to_owned(),
        header.qe_svn.to_string(),
        header.pce_svn.to_string(),
        hex::encode(header.qe_vendor),
        hex::encode(header.user_data),
    ];
    rows(("quote", 0), &HEADER, values)
}

fn enclave(name: &str, report: &EnclaveReport<'_>) -> Vec<Field> {
    let values = [
        hex::encode(report.cpu_svn),
        format!("{:#x}", report.miscselect),
        hex::encode(report.ext_prod_id),
        format!("{:#x}", report.flags),
        format!("{:#x}", report.xfrm),
        hex::encode(report.mrenclave),
        hex::encode(report.mrsigner),
        hex::encode(report.config_id),
        report.isv_prod_id.to_string(),
        report.isv_svn.to_string(),
        report.config_svn.to_string(),
        hex::encode(report.family_id),
        hex::encode(report.report_data),
    ];
    let mut fields = rows((name, report.at), &ENCLAVE, values);
    explain(
        &mut fields,
        "attributes",
        names(report.flags, &ENCLAVE_BITS),
    );
    for (offset, free) in [20, 96, 160, 262].into_iter().zip(report.reserved) {
        if free.iter().any(|byte| *byte != 0) {
            let at = report.at.saturating_add(offset);
            let says = "reserved, and not zero";
            fields.push(bytes(at, format!("{name}.reserved"), free, says));
        }
    }
    fields
}

fn domain(report: &DomainReport<'_>) -> Vec<Field> {
    let [rtmr0, rtmr1, rtmr2, rtmr3] = report.rtmrs.map(hex::encode);
    let values = [
        hex::encode(report.tee_tcb_svn),
        hex::encode(report.mrseam),
        hex::encode(report.mrsignerseam),
        format!("{:#x}", report.seam_attributes),
        format!("{:#x}", report.attributes),
        format!("{:#x}", report.xfam),
        hex::encode(report.mrtd),
        hex::encode(report.mrconfigid),
        hex::encode(report.mrowner),
        hex::encode(report.mrownerconfig),
        rtmr0,
        rtmr1,
        rtmr2,
        rtmr3,
        hex::encode(report.report_data),
    ];
    let mut fields = rows(("quote", report.at), &DOMAIN, values);
    explain(
        &mut fields,
        "td_attributes",
        names(report.attributes, &DOMAIN_BITS),
    );
    if let Some(NewerReport {
        tee_tcb_svn2,
        mrservicetd,
    }) = report.newer
    {
        let values = [tee_tcb_svn2, mrservicetd].map(hex::encode);
        fields.extend(rows(("quote", report.at), &NEWER, values));
    }
    let extended = report.extended.iter();
    fields.extend(extended.flat_map(|extended| extended_rows(report.at, extended)));
    fields
}

fn extended_rows(at: usize, report: &ExtendedReport<'_>) -> Vec<Field> {
    let ExtendedReport {
        vmid,
        td_id,
        dev_info,
        init_servtd_hash,
        init_servtd_attr,
        init_cpu_svn,
        init_tee_tcb_svn,
        init_tee_fmspc,
        cur_servtd_hash,
        cur_servtd_attr,
    } = *report;
    let values = [
        &[vmid],
        td_id,
        dev_info,
        init_servtd_hash,
        init_servtd_attr,
        init_cpu_svn,
        init_tee_tcb_svn,
        init_tee_fmspc,
        cur_servtd_hash,
        cur_servtd_attr,
    ];
    rows(("quote", at), &EXTENDED, values.map(hex::encode))
}

/// Adds to what a field says.
fn explain(fields: &mut [Field], name: &str, says: String) {
    let mut named = fields.iter_mut();
    if let Some(field) = named.find(|field| field.name.ends_with(&format!(".{name}"))) {
        field.says = says;
    }
}

/// The attestation key and what it signed.
fn signature(quote: &Quote<'_>) -> Vec<Field> {
    let at = |offset: usize| quote.signed.len().saturating_add(offset);
    vec![
        bytes(
            at(4),
            "quote.signature",
            quote.signature,
            "r and s, by the attestation key over everything before",
        ),
        bytes(
            at(68),
            "quote.attestation_key",
            quote.attestation_key,
            "x and y, P-256",
        ),
    ]
}

fn quoting(quoting: &Quoting<'_>) -> Vec<Field> {
    let mut fields = enclave("quote.qe_report", &quoting.report);
    let at = |offset: usize| quoting.report.at.saturating_add(offset);
    fields.push(bytes(
        at(384),
        "quote.qe_signature",
        quoting.signature,
        "r and s, by the PCK over the quoting enclave's report",
    ));
    fields.push(bytes(
        at(450),
        "quote.qe_auth_data",
        quoting.auth_data,
        "what the report commits to besides the attestation key",
    ));
    match certificates(quoting.certificates) {
        Ok(chain) => {
            for (number, certificate) in chain.iter().enumerate() {
                fields.push(Field::at(
                    quoting.certificates_at,
                    format!("quote.certificates.{number}"),
                    certificate.name(),
                    validity(certificate),
                ));
            }
            fields.extend(chain.first().into_iter().flat_map(machine));
        }
        Err(error) => fields.push(Field::at(
            quoting.certificates_at,
            "quote.certificates",
            "unreadable",
            error.to_string(),
        )),
    }
    fields
}

fn validity(certificate: &Certificate) -> String {
    let (from, until) = (certificate.not_before(), certificate.not_after());
    let issuer = certificate.issuer_common_name().unwrap_or_default();
    format!("issued by {issuer}, valid from {from} until {until}")
}

fn machine(leaf: &Certificate) -> Vec<Field> {
    let machine = match Machine::read(leaf.extension(pck::EXTENSION)) {
        Ok(machine) => machine,
        Err(error) => return vec![Field::new("pck", "unreadable", error.to_string())],
    };
    let plain = |name: &str, value: &[u8], says: &str| Field::new(name, hex::encode(value), says);
    let mut fields = vec![
        plain(
            "pck.ppid",
            &machine.ppid,
            "identifies the processor package",
        ),
        plain(
            "pck.components",
            &machine.components,
            "security versions of the machine's components",
        ),
        Field::new(
            "pck.pce_svn",
            machine.pce_svn,
            "security version of the certification enclave",
        ),
        plain(
            "pck.cpu_svn",
            &machine.cpu_svn,
            "the components as the processor encodes them",
        ),
        plain(
            "pck.pce_id",
            &machine.pce_id,
            "identifies the certification enclave",
        ),
        plain("pck.fmspc", &machine.fmspc, "kind of machine"),
        Field::new(
            "pck.sgx_type",
            machine.memory.as_str(),
            "how memory is protected",
        ),
    ];
    if let Some(instance) = machine.platform_instance {
        let says = "identifies a machine of several packages";
        fields.push(plain("pck.platform_instance", &instance, says));
    }
    for name in FlagName::ALL {
        if let Some(set) = machine.flag(name) {
            let value = if set { "yes" } else { "no" };
            fields.push(Field::new(format!("pck.{}", name.as_str()), value, ""));
        }
    }
    for member in machine.unknown {
        fields.push(Field::new("pck.unknown", member, "has no name here"));
    }
    fields
}

fn bytes(at: usize, name: impl Into<String>, value: &[u8], says: &str) -> Field {
    Field::at(at, name, hex::encode(value), says)
}

/// The names of the bits that are set.
fn names(value: u64, known: &[(u32, &str)]) -> String {
    let mut names: Vec<String> = Vec::new();
    for number in 0..64 {
        if Bit::of(value, number) == Bit::Set {
            let name = known.iter().find(|(bit, _)| *bit == number);
            names.push(name.map_or_else(
                || format!("bit {number}, which has no name here"),
                |(_, name)| (*name).to_owned(),
            ));
        }
    }
    names.join(", ")
}

const ENCLAVE_BITS: [(u32, &str); 8] = [
    (0, "INIT"),
    (1, "DEBUG"),
    (2, "MODE64BIT"),
    (4, "PROVISION_KEY"),
    (5, "EINITTOKEN_KEY"),
    (6, "CET"),
    (7, "KSS"),
    (10, "AEX_NOTIFY"),
];
const DOMAIN_BITS: [(u32, &str); 13] = [
    (0, "DEBUG"),
    (4, "profiling"),
    (5, "profiling"),
    (6, "profiling"),
    (16, "ICSSD"),
    (17, "SERVTD_EXT"),
    (27, "LASS"),
    (28, "SEPT_VE_DISABLE"),
    (29, "MIGRATABLE"),
    (30, "PKS"),
    (31, "KL"),
    (62, "TPA"),
    (63, "PERFMON"),
];

const HEADER: [Row; 7] = [
    (0, "version", "3 for SGX, 4 and 5 for TDX"),
    (2, "att_key_type", "2: ECDSA P-256"),
    (
        4,
        "tee_type",
        "0x0: SGX, about an enclave; 0x81: TDX, about a trust domain",
    ),
    (
        8,
        "qe_svn",
        "the quoting enclave's version, where it is told here",
    ),
    (
        10,
        "pce_svn",
        "the certification enclave's version, where it is told here",
    ),
    (12, "qe_vendor_id", "who made the quoting enclave"),
    (
        28,
        "user_data",
        "the quoting enclave's own; the first 16 bytes identify it",
    ),
];
const ENCLAVE: [Row; 13] = [
    (0, "cpu_svn", "security version of the processor"),
    (16, "miscselect", "features of the state save area"),
    (32, "isv_ext_prod_id", "extended product id"),
    (48, "attributes", ""),
    (56, "xfrm", "processor features that it may use"),
    (64, "mrenclave", "digest over the enclave as built"),
    (128, "mrsigner", "digest of its signer's key"),
    (192, "config_id", "set by whoever launched it"),
    (256, "isv_prod_id", "product id"),
    (258, "isv_svn", "security version"),
    (260, "config_svn", "version of the configuration"),
    (304, "isv_family_id", "family of the product"),
    (320, "report_data", "64 bytes of the enclave's choice"),
];
const DOMAIN: [Row; 15] = [
    (
        0,
        "tee_tcb_svn",
        "security versions of TDX module and loader, at launch",
    ),
    (16, "mrseam", "digest of the TDX module"),
    (
        64,
        "mrsignerseam",
        "digest of its signer's key; zeros stand for Intel",
    ),
    (
        112,
        "seam_attributes",
        "attributes of the TDX module; none is in use",
    ),
    (120, "td_attributes", ""),
    (128, "xfam", "processor features that it may use"),
    (136, "mrtd", "digest over the firmware volume as launched"),
    (
        184,
        "mrconfigid",
        "set by whoever launched it: configuration",
    ),
    (232, "mrowner", "set by whoever launched it: owner"),
    (
        280,
        "mrownerconfig",
        "set by whoever launched it: the owner's configuration",
    ),
    (
        328,
        "rtmr0",
        "the firmware's configuration: memory, ACPI, boot variables",
    ),
    (376, "rtmr1", "boot loader and kernel"),
    (424, "rtmr2", "command line and initial disk"),
    (472, "rtmr3", "the application's own"),
    (520, "report_data", "64 bytes of the domain's choice"),
];
const NEWER: [Row; 2] = [
    (584, "tee_tcb_svn2", "security versions now"),
    (
        600,
        "mrservicetd",
        "digest of the service domains bound to it; zeros stand for none",
    ),
];
const EXTENDED: [Row; 10] = [
    (
        648,
        "vmid",
        "virtual machine in the domain; 0 for an undivided one",
    ),
    (649, "td_id", "identifies the domain from its launch on"),
    (
        681,
        "dev_info",
        "digest over the devices assigned to it; zeros stand for none",
    ),
    (729, "init_servtd_hash", "service domains bound at launch"),
    (777, "init_servtd_attr", "their attributes"),
    (
        785,
        "init_cpu_svn",
        "security version of the processor at launch",
    ),
    (
        801,
        "init_tee_tcb_svn",
        "security versions of the module at launch",
    ),
    (817, "init_tee_fmspc", "kind of machine at launch"),
    (829, "cur_servtd_hash", "service domains bound now"),
    (877, "cur_servtd_attr", "their attributes"),
];

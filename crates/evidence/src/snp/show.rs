//! Every field of a report, explained.

use super::{
    bits::{self, Bit},
    report::{Firmware, Mitigations, Report, parse},
    tcb::{Product, Tcb},
};
use crate::{hex, reader::Malformed, show::Field};

/// Every field of a report, in its order.
pub(crate) fn show(bytes: &[u8]) -> Result<Vec<Field>, Malformed> {
    let report = parse(bytes)?;
    let product = report
        .cpuid
        .and_then(|cpuid| Product::from_cpuid(cpuid).ok());
    let mut fields = guest(&report, product);
    fields.extend(given(&report));
    fields.extend(machine(&report, product));
    for (at, run) in report.used_reserved() {
        fields.push(Field::at(
            at,
            "report.reserved",
            hex::encode(run),
            "not zero, although nothing is defined here for this version",
        ));
    }
    let (signature, says) = match report.signature.big_endian() {
        Some(bytes) => (
            hex::encode(&bytes),
            "r and s, big-endian; ECDSA on P-384 over the first 672 bytes",
        ),
        None => (
            "too large".to_owned(),
            "r or s is longer than 48 bytes, so this is no signature",
        ),
    };
    fields.push(Field::at(0x2a0, "report.signature", signature, says));
    Ok(fields)
}

fn guest(report: &Report<'_>, product: Option<Product>) -> Vec<Field> {
    let [minor, major, ..] = (report.policy & bits::ABI).to_le_bytes();
    let mut fields = vec![
        Field::at(0, "report.version", report.version, version(report)),
        Field::at(
            4,
            "report.guest_svn",
            report.guest_svn,
            "security version of the guest, from its ID block",
        ),
        Field::at(
            8,
            "report.policy",
            format!("{:#x}", report.policy),
            format!(
                "guest policy; it asks for interface {major}.{minor} or later, and {}",
                sentence(report.policy & !bits::ABI, &bits::POLICY)
            ),
        ),
        Field::at(
            0x10,
            "report.family_id",
            hex::encode(report.family_id),
            "family of the guest, from its ID block",
        ),
        Field::at(
            0x20,
            "report.image_id",
            hex::encode(report.image_id),
            "image of the guest, from its ID block",
        ),
        Field::at(
            0x30,
            "report.vmpl",
            report.vmpl,
            "privilege level that asked; 0 is the highest",
        ),
        Field::at(
            0x34,
            "report.signature_algo",
            report.signature_algo,
            match report.signature_algo {
                1 => "ECDSA on P-384 with SHA-384",
                _ => "not known",
            },
        ),
        tcb(
            0x38,
            "current_tcb",
            report.current_tcb,
            product,
            "that runs",
        ),
    ];
    fields.extend(words(report));
    fields
}

fn words(report: &Report<'_>) -> Vec<Field> {
    let platform = Field::at(
        0x40,
        "report.platform_info",
        format!("{:#x}", report.platform_info),
        sentence(report.platform_info, &bits::PLATFORM),
    );
    let flags = u64::from(report.flags);
    let key = match (flags & bits::SIGNING_KEY) >> 2 {
        0 => "the chip's key (VCEK) signs",
        1 => "a provider's key (VLEK) signs",
        7 => "no key signs",
        _ => "a key of a kind that is not known signs",
    };
    let rest = sentence(flags & !bits::SIGNING_KEY, &bits::FLAGS);
    let flags = Field::at(
        0x48,
        "report.flags",
        format!("{flags:#x}"),
        format!("{key}; {rest}"),
    );
    vec![platform, flags]
}

fn given(report: &Report<'_>) -> Vec<Field> {
    let agent = if report.report_id_ma.iter().all(|byte| *byte == 0xff) {
        "no migration agent"
    } else {
        "report id of the migration agent"
    };
    [
        (
            0x50,
            "report_data",
            report.report_data,
            "what the guest had signed",
        ),
        (
            0x90,
            "measurement",
            report.measurement,
            "launch digest of the guest",
        ),
        (
            0xc0,
            "host_data",
            report.host_data,
            "what the host said when it launched the guest",
        ),
        (
            0xe0,
            "id_key_digest",
            report.id_key_digest,
            "SHA-384 of the key that signed the ID block; zeros where there is none",
        ),
        (
            0x110,
            "author_key_digest",
            report.author_key_digest,
            "SHA-384 of the key that certified that signer; zeros where there is none",
        ),
        (
            0x140,
            "report_id",
            report.report_id,
            "this guest, for as long as it runs",
        ),
        (0x160, "report_id_ma", report.report_id_ma, agent),
    ]
    .into_iter()
    .map(|(at, name, value, says)| {
        Field::at(at, format!("report.{name}"), hex::encode(value), says)
    })
    .collect()
}

fn machine(report: &Report<'_>, product: Option<Product>) -> Vec<Field> {
    let mut fields = vec![tcb(
        0x180,
        "reported_tcb",
        report.reported_tcb,
        product,
        "that the signing key is for",
    )];
    if let Some(cpuid) = report.cpuid {
        let says = match Product::from_cpuid(cpuid) {
            Ok(product) => format!("processor: {product}"),
            Err(words) => format!("processor: {words}"),
        };
        let value = format!(
            "family {:#x}, model {:#x}, stepping {:#x}",
            cpuid.family, cpuid.model, cpuid.stepping
        );
        fields.push(Field::at(0x188, "report.cpuid", value, says));
    }
    let chip = if report.chip_id.iter().all(|byte| *byte == 0) {
        "zeros: the host masks the chip's identifier"
    } else {
        "the chip"
    };
    fields.extend([
        Field::at(0x1a0, "report.chip_id", hex::encode(report.chip_id), chip),
        tcb(
            0x1e0,
            "committed_tcb",
            report.committed_tcb,
            product,
            "that the machine cannot go back behind",
        ),
        firmware(0x1e8, "current_version", report.current, "runs"),
        firmware(
            0x1ec,
            "committed_version",
            report.committed,
            "is the oldest that may run",
        ),
        tcb(
            0x1f0,
            "launch_tcb",
            report.launch_tcb,
            product,
            "that the guest was launched on",
        ),
    ]);
    if let Some(Mitigations { launch, current }) = report.mitigations {
        fields.extend([
            vector(0x1f8, "launch_mit_vector", launch, "at launch"),
            vector(0x200, "current_mit_vector", current, "now"),
        ]);
    }
    fields
}

fn version(report: &Report<'_>) -> &'static str {
    match report.version {
        2 => "names no processor and has no mitigation vectors",
        5 => "names the processor and the mitigations",
        _ => "names the processor, and has no mitigation vectors",
    }
}

fn tcb(at: usize, name: &str, bytes: [u8; 8], product: Option<Product>, which: &str) -> Field {
    let says = match product {
        Some(product) => {
            let (Ok(tcb) | Err((tcb, _))) = Tcb::read(product, bytes);
            format!("firmware {which}: {tcb}")
        }
        None => format!("firmware {which}; how it is laid out depends on the product"),
    };
    Field::at(at, format!("report.{name}"), hex::encode(&bytes), says)
}

fn firmware(at: usize, name: &str, version: Firmware, which: &str) -> Field {
    let says = format!("SEV firmware that {which}: major, minor, build");
    Field::at(at, format!("report.{name}"), version, says)
}

fn vector(at: usize, name: &str, word: u64, when: &str) -> Field {
    let says = format!(
        "mitigations verified {when}: bits {:?}",
        bits::numbers(word)
    );
    Field::at(at, format!("report.{name}"), format!("{word:#x}"), says)
}

/// What the bits of a word say.
fn sentence(word: u64, known: &[Bit]) -> String {
    let set = known.iter().filter(|bit| bit.is_set(word));
    let mut says: Vec<String> = set.map(|bit| bit.says.to_owned()).collect();
    let unknown = bits::numbers(bits::unknown(word, known));
    if !unknown.is_empty() {
        says.push(format!(
            "bits {unknown:?} are set, which have no meaning here"
        ));
    }
    if says.is_empty() {
        "no bit is set".to_owned()
    } else {
        says.join("; ")
    }
}

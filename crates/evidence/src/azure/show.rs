//! Every field of Azure's evidence, explained.

use super::{
    cce,
    cvm::key_digest,
    hcl::{self, HEADER, Hardware, RUNTIME},
    runtime::{RsaKey, Runtime},
    uvm::Uvm,
};
use crate::{Sha256Digest, hex, reader::Malformed, show::Field, snp};

/// Every field of a paravisor's report, the hardware's inside it included.
pub(crate) fn show_hcl(bytes: &[u8]) -> Result<Vec<Field>, Malformed> {
    let report = hcl::parse(bytes)?;
    let (kind, digest) = match report.hardware {
        Hardware::Snp(_) => ("2", "SEV-SNP"),
        Hardware::Tdx(_) => ("4", "TDX"),
    };
    let length = report.runtime.len();
    let mut fields = vec![
        Field::at(0, "hcl.magic", "HCLA", ""),
        Field::at(4, "hcl.version", report.version, "version of the layout"),
        Field::at(12, "hcl.request_type", 2, "a report"),
        Field::at(16, "hcl.status", 0, "success"),
        Field::at(
            0x4c8,
            "hcl.report_type",
            kind,
            format!("what is inside: {digest}"),
        ),
        Field::at(
            0x4cc,
            "hcl.hash_type",
            1,
            "the hardware's report data is a SHA-256 digest of the runtime data, then zeros",
        ),
        Field::at(0x4d0, "hcl.runtime_size", length, "bytes of runtime data"),
    ];
    match report.hardware {
        Hardware::Snp(slot) => fields.extend(snp::show(slot)?.into_iter().map(|field| Field {
            at: field.at.map(|at| at.saturating_add(HEADER)),
            ..field
        })),
        Hardware::Tdx(slot) => fields.push(Field::at(
            HEADER,
            "hcl.tdreport",
            Sha256Digest::of(slot),
            "a TDREPORT; its MAC holds on its own machine only, so that the quote made of it counts",
        )),
    }
    fields.push(Field::at(
        RUNTIME,
        "hcl.runtime_data.sha256",
        Sha256Digest::of(report.runtime).hex(),
        "has to be the first half of the hardware's report data",
    ));
    fields.extend(runtime(report.runtime)?);
    Ok(fields)
}

fn runtime(bytes: &[u8]) -> Result<Vec<Field>, Malformed> {
    let runtime = Runtime::parse(bytes).map_err(|error| {
        Malformed::new(
            "runtime data",
            RUNTIME,
            "JSON as the paravisor writes it",
            error,
        )
    })?;
    let Runtime {
        attestation_key,
        endorsement_key,
        secure_boot,
        console,
        user_data,
        vm_id,
        unknown,
    } = &runtime;
    let key = |key: &RsaKey| {
        let bits = key.n.len().saturating_mul(8);
        format!("{} (RSA, {bits} bits)", key_digest(key).hex())
    };
    let absent = || "none".to_owned();
    let mut fields = vec![
        named(
            "HCLAkPub",
            key(attestation_key),
            "the vTPM's attestation key: SHA-256 of its SubjectPublicKeyInfo",
        ),
        named(
            "HCLEkPub",
            endorsement_key.as_ref().map_or_else(absent, key),
            "the vTPM's endorsement key, likewise",
        ),
        named(
            "secure-boot",
            secure_boot.as_str().to_owned(),
            "whether the firmware checked what it started",
        ),
        named(
            "console-enabled",
            console.as_str().to_owned(),
            "whether the host has a console of the machine",
        ),
        named(
            "user-data",
            user_data.as_deref().map_or_else(absent, hex::encode),
            "64 bytes that the guest wrote to NV index 0x01400002",
        ),
        named(
            "vmUniqueId",
            vm_id.clone().unwrap_or_else(absent),
            "the number that Azure gives the machine",
        ),
    ];
    for name in unknown {
        fields.push(named(name, String::new(), "not known here"));
    }
    Ok(fields)
}

fn named(name: &str, value: String, says: &str) -> Field {
    Field::new(format!("hcl.runtime_data.{name}"), value, says)
}

/// Every field of a utility VM's endorsement.
pub(crate) fn show_uvm(bytes: &[u8]) -> Result<Vec<Field>, Malformed> {
    let uvm = Uvm::parse(bytes).map_err(|error| {
        Malformed::new(
            "endorsement",
            0,
            "COSE with CWT claims or a JSON payload",
            error,
        )
    })?;
    let signed_at = uvm
        .signed_at
        .map_or_else(|| "not stated".to_owned(), |at| at.to_string());
    let mut fields = vec![
        Field::new("uvm.form", uvm.form.as_str(), ""),
        Field::new(
            "uvm.issuer",
            uvm.issuer,
            "names its root by digest, and what the signer's certificate must be for",
        ),
        Field::new("uvm.feed", uvm.feed, "what it is about"),
        Field::new("uvm.svn", uvm.svn, "security version of the utility VM"),
        Field::new(
            "uvm.measurement",
            hex::encode(&uvm.measurement),
            "has to be the report's launch digest",
        ),
        Field::new("uvm.signed_at", signed_at, "as the signer says"),
    ];
    for (index, certificate) in uvm.certificates.iter().enumerate() {
        let (from, until) = (certificate.not_before(), certificate.not_after());
        fields.push(Field::new(
            format!("uvm.certificates.{index}"),
            certificate.name(),
            format!(
                "valid from {from} to {until}, SHA-256 {}",
                certificate.sha256().hex()
            ),
        ));
    }
    for name in &uvm.unknown {
        fields.push(Field::new("uvm.unknown", name, "not known here"));
    }
    Ok(fields)
}

/// What a container policy leaves open.
pub(crate) fn show_container_policy(bytes: &[u8]) -> Vec<Field> {
    let mut fields = vec![Field::new(
        "container_policy.sha256",
        Sha256Digest::of(bytes).hex(),
        "HOST_DATA of a report that it was launched for",
    )];
    let findings = cce::lint(bytes);
    if findings.is_empty() {
        fields.push(Field::new(
            "container_policy.findings",
            "none",
            "it allows what it lists and no more",
        ));
    }
    for finding in findings {
        fields.push(Field::new("container_policy.finding", finding, "left open"));
    }
    fields
}

#[cfg(test)]
mod tests;

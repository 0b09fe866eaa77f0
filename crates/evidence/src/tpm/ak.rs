//! Whether an attestation key is a TPM's: a certificate says so, or somebody who activated it once.

use super::policy::{CertificatePolicy, Revocation};
use crate::{
    Endorsements, Proved, Timestamp,
    check::{Checks, checks},
    policy::fields::Roots,
    result::About,
    x509::{
        self, Certificate, ChainRules, Crl, VerifyingKey,
        der::{self, Der},
    },
};

checks! {
    /// What is checked of an attestation key's certificate.
    CERTIFICATE:
    CHAIN = "tpm.ak-chain", "a chain of valid certificates leads from the attestation key to a root that is trusted",
        "staple the key's certificate and its intermediates, or trust the key by name after activating it";
    USAGE = "tpm.ak-usage", "the certificate is for a TPM's key",
        "take the certificate that was issued for the attestation key";
    REVOKED = "tpm.ak-revocation", "no certificate of the chain is revoked",
        "staple a current revocation list of every issuer, or decide `revocation: not-checked`";
    IDENTITY = "tpm.identity", "the reference values name this key, or the project of its machine",
        "add the key or the project to the reference values if the machine is yours";
}

/// What an attestation key's certificate is judged by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AkCase<'a> {
    /// The key that signed the quote.
    pub(crate) key: &'a VerifyingKey,
    /// What came with it.
    pub(crate) endorsements: &'a Endorsements,
    /// What is accepted.
    pub(crate) policy: &'a CertificatePolicy,
    /// What `vendor` stands for.
    pub(crate) vendor: &'a [&'a [u8]],
    /// When.
    pub(crate) at: Timestamp,
}

/// Judges the certificate of an attestation key, and tells what it states.
pub(crate) fn judge_certificate(case: &AkCase<'_>, checks: &mut Checks, proved: &mut Proved) {
    checks.require(CERTIFICATE);
    let certificates = certificates(&case.endorsements.certificates, proved);
    let expected = "a certificate of the attestation key, chained to a trusted root";
    let Some(chain) = checks.take(&CHAIN, chain(case, &certificates), expected) else {
        return;
    };
    let Some(leaf) = chain.first() else {
        return;
    };
    for certificate in &chain {
        proved.until(certificate.not_after());
    }
    let usages = leaf.extended_key_usages();
    let known = usages
        .iter()
        .any(|usage| TPM_USAGES.contains(&usage.as_str()));
    checks.expect(
        &USAGE,
        known,
        format_args!("one of {}", TPM_USAGES.join(", ")),
        format_args!("[{}]", usages.join(", ")),
    );
    revocation(case, &chain, checks, proved);
    pinned(case, leaf, checks, proved);
}

/// What `vendor` stands for where TPMs stand alone.
pub(crate) const VENDOR_ROOTS: &[&[u8]] = &[GCP_ROOT, GCP_OLD_ROOT, AZURE_ROOT, MICROSOFT_ROOT];
/// What `vendor` stands for behind Azure's paravisor.
pub(crate) const AZURE_ROOTS: &[&[u8]] = &[AZURE_ROOT, MICROSOFT_ROOT];

const GCP_ROOT: &[u8] = include_bytes!("../../roots/gcp-ek-ak-root.pem");
const GCP_OLD_ROOT: &[u8] = include_bytes!("../../roots/gcp-tpm-ek-root-1.pem");
const AZURE_ROOT: &[u8] = include_bytes!("../../roots/azure-virtual-tpm-root-2023.pem");
const MICROSOFT_ROOT: &[u8] = include_bytes!("../../roots/microsoft-rsa-devices-root-2021.pem");

/// Those that can be read. Others cannot help the evidence, and are told.
fn certificates(all: &[Vec<u8>], proved: &mut Proved) -> Vec<Certificate> {
    let mut read = Vec::new();
    for (index, bytes) in all.iter().enumerate() {
        match Certificate::from_padded_der(bytes) {
            Ok(certificate) => read.push(certificate),
            Err(error) => proved.note(format!("certificate {index} cannot be read: {error}")),
        }
    }
    read
}

fn chain(case: &AkCase<'_>, certificates: &[Certificate]) -> Result<Vec<Certificate>, String> {
    let roots = roots(case)?;
    let rules = ChainRules::at(case.at);
    let of_key = |certificate: &&Certificate| certificate.key().ok() == Some(case.key);
    let mut fault = "no certificate that came with it is of this key".to_owned();
    for leaf in certificates.iter().filter(of_key) {
        match x509::verify_chain(leaf, certificates, &roots, &rules) {
            Ok(chain) => return Ok(chain),
            Err(error) => fault = error.to_string(),
        }
    }
    Err(fault)
}

fn roots(case: &AkCase<'_>) -> Result<Vec<Certificate>, String> {
    let read = |der: &[u8]| Certificate::from_der(der).map_err(|error| error.to_string());
    match &case.policy.roots {
        Roots::Vendor => {
            let pem = case.vendor.iter();
            pem.map(|pem| read(&x509::one_from_pem(pem).map_err(|error| error.to_string())?))
                .collect()
        }
        Roots::These(list) => list.iter().map(|der| read(der)).collect(),
    }
}

fn revocation(case: &AkCase<'_>, chain: &[Certificate], checks: &mut Checks, proved: &mut Proved) {
    match case.policy.revocation {
        Revocation::NotChecked => {
            checks.not_applicable(&REVOKED, "the reference values say `not-checked`");
        }
        Revocation::CrlRequired => {
            let lists: Vec<Crl> = case
                .endorsements
                .crls
                .iter()
                .filter_map(|der| Crl::from_der(der).ok())
                .collect();
            let result = x509::check_revocation(chain, &lists, case.at);
            let expected = "a current list of every issuer, without these certificates";
            if let Some(until) = checks.take(&REVOKED, result, expected) {
                proved.until(until);
            }
        }
    }
}

fn pinned(case: &AkCase<'_>, leaf: &Certificate, checks: &mut Checks, proved: &mut Proved) {
    let key = crate::Sha256Digest::of(leaf.spki());
    let key_text = crate::hex::encode(key.as_bytes());
    proved.claim(About::Where, "ak-key", &key_text);
    let machine = leaf.extension(GCE_INSTANCE).map(GceInstance::parse);
    let machine = machine.and_then(Result::ok);
    if let Some(machine) = &machine {
        proved.claim(About::Who, "gce-project", &machine.project);
        proved.claim(About::Where, "gce-zone", &machine.zone);
        proved.claim(About::Where, "gce-instance", machine.instance);
    }
    let policy = case.policy;
    if policy.is_open() {
        checks.not_applicable(&IDENTITY, "the reference values say `danger-any-machine`");
        return;
    }
    let key_named = policy.keys.allows(&key.as_bytes().to_vec());
    let project = machine.map(|machine| machine.project);
    let project_named = match &project {
        Some(project) => policy.gce_projects.allows(project),
        None => policy.gce_projects.is_any(),
    };
    checks.expect(
        &IDENTITY,
        key_named && project_named,
        "a key and a project that the reference values name",
        format_args!(
            "key {key_text}, {}",
            project.as_deref().map_or("no project", |project| project)
        ),
    );
}

/// What Google writes into the certificate of a machine's attestation key.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct GceInstance {
    /// The zone that it runs in.
    pub(crate) zone: String,
    /// The project that it belongs to.
    pub(crate) project: String,
    /// Its number.
    pub(crate) instance: u64,
}

impl GceInstance {
    /// Reads the content of the extension.
    pub(crate) fn parse(content: &[u8]) -> Result<Self, crate::reader::Malformed> {
        let text = |element: der::Element<'_>| String::from_utf8_lossy(element.value).into_owned();
        let mut outer = Der::new(content);
        let mut inner = outer.sequence("instance information")?;
        outer.end("instance information")?;
        let zone = text(inner.expect("zone", der::UTF8_STRING)?);
        inner.unsigned("project number")?;
        let project = text(inner.expect("project", der::UTF8_STRING)?);
        let instance = inner.number("instance number")?;
        // Its name and its security properties follow; nothing here rests on them.
        Ok(Self {
            zone,
            project,
            instance,
        })
    }
}

/// TCG's purposes of attestation keys and endorsement keys: Google certifies its attestation keys under
/// the second. A real endorsement key cannot sign a quote.
const TPM_USAGES: [&str; 2] = ["2.23.133.8.3", "2.23.133.8.1"];
const GCE_INSTANCE: &str = "1.3.6.1.4.1.11129.2.1.21";

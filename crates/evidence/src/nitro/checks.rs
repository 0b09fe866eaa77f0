//! What is checked of a document.

use super::{
    AWS_ROOT, Case, Document, Framing, Kind, NitroPolicy, carried,
    policy::{Identity, Revocation},
    registers,
};
use crate::{
    Timestamp,
    check::{Checks, checks},
    cose::Alg,
    hex,
    policy::fields::Roots,
    result::{About, Proved},
    x509::{self, Certificate, ChainRules, Crl, RevocationError},
};

checks! {
    /// What is checked of a document, of either kind.
    ALL:
    DOCUMENT = "nitro.document", "the document is one signed CBOR map of the form that AWS specifies, and nothing else",
        "send the bytes that the hypervisor gave, unchanged";
    ALGORITHM = "nitro.algorithm", "the protected header names ES384 and nothing else, and the unprotected header is empty",
        "send the bytes that the hypervisor gave; another signature is not AWS's";
    CHAIN = "nitro.chain", "the signing certificate leads to the pinned root, and all were valid when the document was made",
        "send the certificates of the document itself, or pin the root of its partition";
    SIGNER_OF_DOCUMENT = "nitro.certificate", "the signing certificate is of the module that the document names, and is no authority",
        "send a document whose certificate was issued for its own module";
    SIGNATURE = "nitro.signature", "the signature is the signing certificate's, over the payload as it came",
        "ask for a new document: this one was changed";
    REVOCATION = "nitro.revocation", "no authority that publishes a revocation list has revoked a certificate of the chain",
        "staple the revocation lists that the certificates name, or decide `revocation: not-checked`";
    AGE = "nitro.age", "the document is not older than policy allows, and not of the future",
        "ask for a new document: they are meant to be used at once";
    FIELDS = "nitro.fields", "every field has a value that AWS specifies, and none is unknown",
        "see whether the format has changed before this document is trusted";
    KIND = "nitro.kind", "the document is of a kind that policy accepts, and its module is named as that kind",
        "write a section for `enclave` or `instance`, or take a document of the other kind";
    DEBUG = "nitro.debug", "PCR0, PCR1 and PCR2 are not zero: the enclave is not in debug mode",
        "start the enclave without `--debug-mode`";
    MEASUREMENT = "nitro.measurement", "what was started is in the reference values: PCR0 of an enclave, PCR4 and PCR7 of an instance",
        "name the measurement in the reference values if you know what it was built from";
    CONFIGURATION = "nitro.configuration", "PCR1 and PCR2 of an enclave, or PCR12 of an instance, are as policy says",
        "build the image from the same kernel, ramdisk and application, or pin these";
    SIGNER = "nitro.image-signer", "PCR8 is the certificate that policy names for signing enclave images",
        "sign the image with that certificate, or pin the one it was signed with";
    REGISTERS = "nitro.registers", "every other register is unused, or holds what policy says",
        "name the register in `other_pcrs`, or decide `any`";
    ROLE = "nitro.role", "PCR3 is a role that policy names",
        "give the parent instance that role, or pin the one it has";
    INSTANCE = "nitro.instance", "the instance is one that policy names, by PCR4 of an enclave and by the module's name",
        "name the instance in the reference values if it is yours";
    IDENTITY = "nitro.identity", "a pin of policy says whose machine it is",
        "name `instances`, PCR3 or PCR4";
    BINDING = "nitro.binding", "the field that policy names carries exactly what the verifier expects",
        "ask for a document for this challenge";
    NONCE = "nitro.nonce", "the nonce is as policy says",
        "make the document with the nonce that policy asks for";
    USER_DATA = "nitro.user-data", "the user data are as policy says",
        "make the document with the user data that policy asks for";
    PUBLIC_KEY = "nitro.public-key", "the public key is as policy says",
        "make the document with the key that policy asks for";
}

/// Judges a document.
pub fn judge(case: &Case<'_>, checks: &mut Checks, proved: &mut Proved) {
    checks.require(ALL);
    let parsed = Document::parse(case.document);
    let Some(document) = checks.take(&DOCUMENT, parsed, "a signed Nitro document") else {
        return;
    };
    if document.framing != Framing::Bare {
        let framing = document.framing.as_str();
        proved.note(format!(
            "The document came with {framing} before it; nobody signed that."
        ));
    }
    signature(case, &document, checks, proved);
    age(case, &document, checks, proved);
    carried::judge(case, &document, checks, proved);
    kind(case.policy, &document, checks);
    registers::judge(case.policy, &document, checks, proved);
    identity(case.policy, &document, checks, proved);
}

fn signature(case: &Case<'_>, document: &Document<'_>, checks: &mut Checks, proved: &mut Proved) {
    algorithm(document, checks);
    let leaf = match Certificate::from_der(document.certificate) {
        Ok(leaf) => leaf,
        Err(fault) => {
            checks.fail(&CHAIN, "an X.509 certificate", fault);
            return;
        }
    };
    signer(document, &leaf, checks);
    let verified = leaf
        .key()
        .map_err(|error| error.to_string())
        .and_then(|key| {
            let verified = document.cose.verify(key, Alg::Es384);
            verified.map_err(|error| error.to_string())
        });
    checks.take(&SIGNATURE, verified, "a signature by the certificate's key");
    let path = path(case.policy, document, &leaf);
    if let Some(path) = checks.take(&CHAIN, path, "a chain to the pinned root") {
        for certificate in &path {
            proved.until(certificate.not_after());
        }
        revocation(case, &path, checks, proved);
    }
}

fn algorithm(document: &Document<'_>, checks: &mut Checks) {
    let cose = &document.cose;
    let named = cose.check_algorithm(Alg::Es384);
    checks.take(&ALGORITHM, named, "ES384 in the protected header");
    checks.expect(
        &ALGORITHM,
        cose.headers.len() == 1 && cose.unprotected.is_empty(),
        "one protected header and no other",
        format_args!(
            "{} protected and {} unprotected",
            cose.headers.len(),
            cose.unprotected.len()
        ),
    );
}

fn signer(document: &Document<'_>, leaf: &Certificate, checks: &mut Checks) {
    let name = leaf.common_name().unwrap_or_default();
    let rest = name.strip_prefix(document.module_id);
    checks.expect(
        &SIGNER_OF_DOCUMENT,
        rest.is_some_and(|rest| rest.starts_with('.')),
        format_args!(
            "a name that begins with `{}.`",
            document.module_id.escape_debug()
        ),
        format_args!("`{}`", name.escape_debug()),
    );
    checks.expect(
        &SIGNER_OF_DOCUMENT,
        !leaf.is_ca(),
        "a certificate that issues no others",
        "an authority's",
    );
}

fn path(
    policy: &NitroPolicy,
    document: &Document<'_>,
    leaf: &Certificate,
) -> Result<Vec<Certificate>, String> {
    let roots = trusted(&policy.roots, &[AWS_ROOT])?;
    let mut others = Vec::new();
    for der in &document.cabundle {
        others.push(Certificate::from_der(der).map_err(|error| error.to_string())?);
    }
    let rules = ChainRules::at(document.made_at());
    x509::verify_chain(leaf, &others, &roots, &rules).map_err(|error| error.to_string())
}

// AWS's zonal authorities and instances publish no list; their certificates live a day or a few. A list
// that names a certificate counts whether or not it was asked for.
fn revocation(case: &Case<'_>, path: &[Certificate], checks: &mut Checks, proved: &mut Proved) {
    let needed = case.policy.revocation == Revocation::CrlRequired;
    if !needed {
        checks.not_applicable(&REVOCATION, "policy says `revocation: not-checked`");
    }
    let crls: Result<Vec<Crl>, _> = case.crls.iter().map(|der| Crl::from_der(der)).collect();
    let crls = match crls {
        Ok(crls) => crls,
        Err(fault) => {
            checks.fail(&REVOCATION, "revocation lists", fault);
            return;
        }
    };
    let mut lists = 0_usize;
    for pair in path.windows(2) {
        let published = pair
            .first()
            .is_some_and(|issued| issued.extension(CRL_DISTRIBUTION_POINTS).is_some());
        let needed = needed && published;
        lists = lists.saturating_add(usize::from(published));
        let judged = x509::check_revocation(pair, &crls, case.at);
        let revoked = matches!(judged, Err(RevocationError::Revoked { .. }));
        if !needed && !revoked {
            continue;
        }
        if let Some(end) = checks.take(&REVOCATION, judged, "a list that does not name it") {
            proved.until(end);
        }
    }
    if needed && lists == 0 {
        let expected = "certificates that say where their lists are";
        checks.fail(&REVOCATION, expected, "none does");
    }
}

fn age(case: &Case<'_>, document: &Document<'_>, checks: &mut Checks, proved: &mut Proved) {
    let (made, policy) = (document.made_at(), case.policy);
    proved.claim(About::When, "made-at", made);
    let end = made.checked_add(policy.max_age).unwrap_or(Timestamp::MAX);
    proved.until(end);
    checks.expect(
        &AGE,
        case.at <= end,
        format_args!("at most {} seconds old", policy.max_age.as_secs()),
        format_args!("made at {made}, judged at {}", case.at),
    );
    let latest = case
        .at
        .checked_add(policy.max_skew)
        .unwrap_or(Timestamp::MAX);
    checks.expect(
        &AGE,
        made <= latest,
        format_args!("at most {} seconds ahead", policy.max_skew.as_secs()),
        format_args!("made at {made}, judged at {}", case.at),
    );
}

fn kind(policy: &NitroPolicy, document: &Document<'_>, checks: &mut Checks) {
    let (accepted, other) = match document.kind {
        Kind::Enclave => (policy.enclave.is_some(), Kind::Instance),
        Kind::Instance => (policy.instance.is_some(), Kind::Enclave),
    };
    let kind = document.kind.as_str();
    checks.expect(
        &KIND,
        accepted,
        format_args!("an {}", other.as_str()),
        format_args!("an {kind}"),
    );
    checks.expect(
        &KIND,
        document.instance().is_some(),
        format_args!("a module named `i-…{}…`", document.kind.infix()),
        format_args!("`{}`", document.module_id.escape_debug()),
    );
}

fn identity(
    policy: &NitroPolicy,
    document: &Document<'_>,
    checks: &mut Checks,
    proved: &mut Proved,
) {
    let module = document.module_id.escape_debug();
    proved.claim(About::Where, "module", module);
    if let Some(instance) = document.instance() {
        proved.claim(About::Where, "instance", instance.escape_debug());
        checks.expect(
            &INSTANCE,
            policy.instances.allows(&instance.to_owned()),
            "an instance that policy names",
            instance.escape_debug(),
        );
    }
    match policy.identity {
        Identity::DangerAnyMachine => checks.tolerate(
            &IDENTITY,
            "anybody's genuine machine, by `danger-any-machine`",
            None,
        ),
        Identity::Pinned => {
            let named = policy.names_a_machine(document.kind);
            checks.expect(
                &IDENTITY,
                named,
                "a pin that names the machine or its owner",
                "none",
            );
        }
    }
}

/// The certificates that a policy's roots stand for.
///
/// # Errors
///
/// One of them is no certificate.
pub(crate) fn trusted(roots: &Roots, vendor: &[&[u8]]) -> Result<Vec<Certificate>, String> {
    let ders: Vec<Vec<u8>> = match roots {
        Roots::These(ders) => ders.clone(),
        Roots::Vendor => {
            let ders: Result<Vec<Vec<u8>>, _> =
                vendor.iter().map(|pem| x509::one_from_pem(pem)).collect();
            ders.map_err(|error| error.to_string())?
        }
    };
    let certificates: Result<Vec<Certificate>, _> =
        ders.iter().map(|der| Certificate::from_der(der)).collect();
    certificates.map_err(|error| error.to_string())
}

/// A register's or field's bytes for a message.
pub(super) fn shown(bytes: &[u8]) -> String {
    if bytes.is_empty() {
        return "empty".to_owned();
    }
    hex::encode(bytes)
}

const CRL_DISTRIBUTION_POINTS: &str = "2.5.29.31";

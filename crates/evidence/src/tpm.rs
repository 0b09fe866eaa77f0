//! TPM 2.0 quotes.
//!
//! A quote is a `TPMS_ATTEST`, signed by an attestation key that a certificate or an earlier activation
//! makes a TPM's. It proves a digest over PCRs; the PCRs prove digests of events; an event's data counts
//! where its digest is over it. Each step is checked, and a PCR that policy neither pins nor has replayed
//! is named as ignored.

mod ak;
mod attest;
mod ima;
mod judge;
mod log;
mod policy;
mod public;
mod show;
mod signature;

pub(crate) use ak::CERTIFICATE as CERTIFICATE_CHECKS;
pub use attest::{Attest, Selection};
pub(crate) use judge::QUOTE as QUOTE_CHECKS;
pub use policy::{
    Carried, CertificatePolicy, Clock, Counters, EventRule, Findings, ImaRule, PcrRule,
    QuotePolicy, Revocation, SecureBoot, TpmPolicy,
};
pub use public::{AkPublic, PublicArea, PublicFault};
pub use signature::{QuoteSignature, SignatureFault};
pub(crate) use {
    ak::{AZURE_ROOTS, AkCase, judge_certificate},
    judge::{Case, judge},
    show::show,
};

use crate::{
    Input, Proved,
    check::{Checks, checks},
    evidence::Part,
    hex,
    result::About,
};

checks! {
    /// What is checked of an attestation key that stands alone.
    KEY:
    PARTS = "tpm.parts", "attestation key, quote and signature are there, each once",
        "send `ak_public`, `attest`, `signature` and `pcrs`, each once";
    PUBLIC = "tpm.ak", "the attestation key is RSA of 2048 bits or more, or ECC on P-256 or P-384",
        "make an attestation key of such a kind";
    ATTRIBUTES = "tpm.ak-attributes", "the attestation key signs only what its TPM made, and never left it",
        "make the key with fixedTPM, fixedParent, sensitiveDataOrigin, restricted and sign, without decrypt";
    SCHEME = "tpm.ak-scheme", "the quote is signed by the scheme of the key",
        "quote with the scheme that the key was made with";
    TRUST = "tpm.ak-trust", "the attestation key is one that the reference values name, or has a certificate that they accept",
        "activate the key once and add its name to `names`, or accept certificates";
}

/// Judges a quote.
pub(crate) fn appraise(
    input: &Input<'_>,
    policy: &TpmPolicy,
    checks: &mut Checks,
    proved: &mut Proved,
) {
    checks.require(KEY);
    let evidence = input.evidence;
    let parts = [Part::AkPublic, Part::Attest, Part::Signature].map(|part| evidence.part(part));
    let [Some(public), Some(attest), Some(signature)] = parts else {
        let count = evidence.parts().count();
        checks.fail(
            &PARTS,
            "each part once",
            format_args!("something else among {count} parts"),
        );
        return;
    };
    checks.met(&PARTS);
    unused(input, proved);
    let expected = "an attestation key";
    let Some(ak) = checks.take(&PUBLIC, AkPublic::parse(public), expected) else {
        return;
    };
    attributes(&ak, checks);
    scheme(&ak, signature, checks);
    trust(input, policy, &ak, checks, proved);
    let case = Case {
        attest,
        signature,
        key: &ak.key,
        pcrs: evidence.part(Part::Pcrs),
        event_log: evidence.part(Part::EventLog),
        ima_log: evidence.part(Part::ImaLog),
        policy: &policy.quote,
        expected_extra: input.binding.challenge(),
    };
    judge(&case, checks, proved);
}

/// Parts that have no place here prove nothing; who sent them should know.
fn unused(input: &Input<'_>, proved: &mut Proved) {
    const USED: [Part; 6] = [
        Part::AkPublic,
        Part::Attest,
        Part::EventLog,
        Part::ImaLog,
        Part::Pcrs,
        Part::Signature,
    ];
    for (part, _) in input.evidence.parts() {
        if !USED.contains(&part) {
            proved.note(format!(
                "the part `{}` is not of a TPM: not judged",
                part.as_str()
            ));
        }
    }
}

fn attributes(ak: &AkPublic<'_>, checks: &mut Checks) {
    let Some(area) = &ak.area else {
        let why = "no public area was sent: who issued the certificate vouches for the key";
        checks.not_applicable(&ATTRIBUTES, why);
        return;
    };
    let faults = area.faults();
    checks.expect(
        &ATTRIBUTES,
        faults.is_empty(),
        "a restricted signing key that its TPM made",
        faults.join(", "),
    );
}

fn scheme(ak: &AkPublic<'_>, signature: &[u8], checks: &mut Checks) {
    let Some((scheme, hash)) = ak.area.and_then(|area| area.scheme) else {
        checks.not_applicable(&SCHEME, "no public area names a scheme");
        return;
    };
    let expected = format!("scheme {scheme:#06x} with hash {hash:#06x}");
    match QuoteSignature::parse(signature, &ak.key) {
        Ok(signature) => {
            let (used, alg) = signature.scheme();
            let same = used == scheme && alg.id() == hash;
            let found = format!("scheme {used:#06x} with hash {:#06x}", alg.id());
            checks.expect(&SCHEME, same, expected, found);
        }
        Err(error) => checks.fail(&SCHEME, expected, error),
    }
}

/// A name commits to the attributes too, so a key that is trusted by name needs no certificate. A key
/// without its public area has no name.
fn trust(
    input: &Input<'_>,
    policy: &TpmPolicy,
    ak: &AkPublic<'_>,
    checks: &mut Checks,
    proved: &mut Proved,
) {
    let name = ak.name();
    if let Some(name) = &name {
        proved.claim(About::Where, "ak-name", hex::encode(name));
    }
    if name
        .as_ref()
        .is_some_and(|name| policy.names.contains(name))
    {
        checks.met(&TRUST);
        checks.met(&ak::IDENTITY);
        return;
    }
    let Some(certificates) = &policy.certificates else {
        let found = name.map_or_else(
            || "a key without a name".to_owned(),
            |name| hex::encode(&name),
        );
        checks.fail(&TRUST, "a key that `names` lists", found);
        return;
    };
    checks.met(&TRUST);
    let case = AkCase {
        key: &ak.key,
        endorsements: input.endorsements,
        policy: certificates,
        vendor: ak::VENDOR_ROOTS,
        at: input.at,
    };
    judge_certificate(&case, checks, proved);
}

#[cfg(test)]
mod tests;

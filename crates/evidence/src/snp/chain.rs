//! Checks of who signed a report: certificate, chain, revocation, signature.

use super::{
    CERTIFICATE, CHAIN, CSP, Case, MASK, REVOCATION, SIGNATURE, SIGNED, SIGNING_KEY, VALIDITY, VEK,
    VEK_CHIP, VEK_PRODUCT, VEK_TCB, bits,
    policy::{Revocation, SigningKeys, Vcek, Vlek},
    report::{RawSignature, Report},
    roots,
    tcb::{Product, Tcb},
    vek::{Holder, Vek},
};
use crate::{
    About, Proved, Timestamp,
    check::Checks,
    hex,
    policy::Pin,
    x509::{
        Certificate, ChainRules, Crl, LeafUse, RevocationError, Scheme, SignatureBytes, Validity,
        check_revocation, verify_chain,
    },
};

/// The certificate that should have signed the report, and those that came with it.
#[derive(Debug)]
pub(crate) struct Signer {
    leaf: Certificate,
    /// What the certificate says; none if it cannot be read.
    pub(crate) vek: Option<Vek>,
    signature: Result<(), String>,
    others: Vec<Certificate>,
}

impl Signer {
    /// Finds the signer's certificate. Endorsements come in any order, and a host's table may hold keys of
    /// more than one firmware: the one whose key signed is taken, or the first, so that its faults are told.
    pub(crate) fn find(
        case: &Case<'_>,
        report: &Report<'_>,
        checks: &mut Checks,
        proved: &mut Proved,
    ) -> Option<Self> {
        let came = &case.endorsements.certificates;
        let mut all = Vec::new();
        for (number, der) in came.iter().take(MAX_CERTIFICATES).enumerate() {
            match Certificate::from_der(der) {
                Ok(certificate) => all.push(certificate),
                Err(error) => {
                    proved.note(format!("endorsement {number} was not read: {error}"));
                }
            }
        }
        let found = candidate(&all, report);
        let within = came.len() <= MAX_CERTIFICATES;
        checks.expect(
            &CERTIFICATE,
            found.is_some() && within,
            format_args!("one VCEK or VLEK among at most {MAX_CERTIFICATES} certificates"),
            format_args!(
                "{} among {}",
                if found.is_some() { "one" } else { "none" },
                came.len()
            ),
        );
        let (place, signature) = found?;
        let leaf = all.remove(place);
        let vek = checks.take(&VEK, Vek::read(&leaf), "AMD's extensions, each as defined");
        Some(Self {
            leaf,
            vek,
            signature,
            others: all,
        })
    }

    /// Decides every check about the signer.
    pub(crate) fn check(self, subject: &Subject<'_>, checks: &mut Checks, proved: &mut Proved) {
        let Subject { case, report, .. } = subject;
        if let Some(vek) = &self.vek {
            signing_key(vek, report, &case.policy.signing_keys, checks, proved);
            names(vek, report, subject.product, checks);
            let path = self.chain(vek, subject);
            let expected = format_args!(
                "{}, `{}`, `ARK-{}`",
                vek.holder.as_str(),
                intermediate(vek, subject.product),
                subject.product
            );
            if let Some(path) = checks.take(&CHAIN, path, expected) {
                validity(&path, case.at, checks, proved);
                revocation(&path, case, checks, proved);
                self.unused(&path, proved);
            }
        }
        checks.take(
            &SIGNATURE,
            self.signature,
            "a signature by the certificate's key over the report's first 672 bytes",
        );
    }

    fn chain(&self, vek: &Vek, subject: &Subject<'_>) -> Result<Vec<Certificate>, String> {
        let rules = ChainRules {
            max_certificates: 3,
            validity: Validity::NotChecked {
                why: "times are a check of their own",
            },
            leaf: LeafUse::Signs,
        };
        let roots = roots::of(subject.product, &subject.case.policy.roots)?;
        let path = verify_chain(&self.leaf, &self.others, &roots, &rules)
            .map_err(|error| error.to_string())?;
        let issuer = path.get(1).and_then(Certificate::common_name);
        let issuer = issuer.unwrap_or_default();
        if path.len() == 3 && issuer == intermediate(vek, subject.product) {
            return Ok(path);
        }
        let length = path.len();
        Err(format!(
            "a chain of {length} certificates, issued by `{issuer}`"
        ))
    }

    fn unused(&self, path: &[Certificate], proved: &mut Proved) {
        for certificate in &self.others {
            let root = certificate.subject() == certificate.issuer();
            if !root && !path.contains(certificate) {
                proved.note(format!(
                    "the certificate of {} came and was not used",
                    certificate.name()
                ));
            }
        }
    }
}

/// A report whose product is known, and what it is judged by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subject<'a> {
    pub(crate) case: &'a Case<'a>,
    pub(crate) report: &'a Report<'a>,
    pub(crate) product: Product,
}

/// Who issues the keys of chips and of providers.
fn intermediate(vek: &Vek, product: Product) -> String {
    match vek.holder {
        Holder::Chip { .. } => format!("SEV-{product}"),
        Holder::Provider { .. } => format!("SEV-VLEK-{product}"),
    }
}

/// The certificate whose key signed, or the first that could be meant, and whether it did.
fn candidate(all: &[Certificate], report: &Report<'_>) -> Option<(usize, Result<(), String>)> {
    let mut first = None;
    for (place, certificate) in all.iter().enumerate() {
        if !Vek::is(certificate) {
            continue;
        }
        let signature = verify(certificate, report);
        if signature.is_ok() {
            return Some((place, signature));
        }
        first = first.or(Some((place, signature)));
    }
    first
}

/// Decides the checks that need no certificate.
pub(crate) fn check_words(report: &Report<'_>, checks: &mut Checks) {
    checks.expect(
        &MASK,
        !bits::MASK_CHIP_KEY.is_set(report.flags.into()),
        "`mask-chip-key` clear",
        "set",
    );
    checks.expect(&SIGNED, !report.signature.is_zero(), "a signature", "zeros");
}

fn signing_key(
    vek: &Vek,
    report: &Report<'_>,
    keys: &SigningKeys,
    checks: &mut Checks,
    proved: &mut Proved,
) {
    let holder = vek.holder.as_str();
    let said = match (u64::from(report.flags) & bits::SIGNING_KEY) >> 2 {
        0 => "VCEK",
        1 => "VLEK",
        7 => "none",
        _ => "a key of a kind that is not known",
    };
    proved.claim(About::Where, "signing-key", holder.to_ascii_lowercase());
    let accepted = match &vek.holder {
        Holder::Chip { .. } => {
            checks.not_applicable(&CSP, "a VCEK names no provider");
            keys.vcek == Vcek::Accepted
        }
        Holder::Provider { csp_id } => {
            proved.claim(About::Where, "csp-id", csp_id);
            match &keys.vlek {
                Vlek::Refused => {
                    checks.fail(&CSP, "no provider's key", csp_id);
                    false
                }
                Vlek::Accepted { csp_ids } => {
                    let expected = match csp_ids {
                        Pin::Any => "any provider".to_owned(),
                        Pin::OneOf(list) => format!("one of {}", list.join(", ")),
                    };
                    checks.expect(&CSP, csp_ids.allows(csp_id), expected, csp_id);
                    true
                }
            }
        }
    };
    checks.expect(
        &SIGNING_KEY,
        said == holder && accepted,
        "flags that name the certificate's kind, and a policy that accepts it",
        format_args!(
            "flags: {said}; certificate: {holder}, {}",
            if accepted { "accepted" } else { "refused" }
        ),
    );
}

fn names(vek: &Vek, report: &Report<'_>, product: Product, checks: &mut Checks) {
    checks.expect(
        &VEK_PRODUCT,
        Product::from_name(&vek.product_name) == Some(product),
        product,
        &vek.product_name,
    );
    // A byte that nothing is defined for is told elsewhere.
    let (Ok(reported) | Err((reported, _))) = Tcb::read(product, report.reported_tcb);
    checks.expect(&VEK_TCB, vek.tcb == reported, reported, vek.tcb);
    match &vek.holder {
        Holder::Provider { .. } => checks.not_applicable(&VEK_CHIP, "a VLEK names no chip"),
        Holder::Chip { hwid } => {
            let length = match product {
                Product::Milan | Product::Genoa => 64,
                Product::Turin => 8,
            };
            let chip = report.chip_id.get(..length).unwrap_or_default();
            checks.expect(
                &VEK_CHIP,
                hwid.as_slice() == chip,
                hex::encode(chip),
                hex::encode(hwid),
            );
        }
    }
}

fn validity(path: &[Certificate], at: Timestamp, checks: &mut Checks, proved: &mut Proved) {
    checks.met(&VALIDITY);
    for certificate in path {
        let (from, until) = (certificate.not_before(), certificate.not_after());
        proved.until(until);
        if at < from || at > until {
            checks.fail(
                &VALIDITY,
                format_args!("{} is valid from {from} to {until}", certificate.name()),
                at,
            );
        }
    }
}

/// AMD's root lists the intermediates that it revoked. Signing keys of chips all have serial number 0, so
/// a list that names it can only mean all of them, and the root's own end is listed nowhere else.
fn revocation(path: &[Certificate], case: &Case<'_>, checks: &mut Checks, proved: &mut Proved) {
    let [leaf, issued @ ..] = path else {
        return;
    };
    let Some(root) = issued.last() else {
        return;
    };
    let mut crls = Vec::new();
    if case.endorsements.crls.len() > MAX_CRLS {
        proved.note(format!(
            "only the first {MAX_CRLS} revocation lists were looked at"
        ));
    }
    for (number, der) in case.endorsements.crls.iter().take(MAX_CRLS).enumerate() {
        match Crl::from_der(der) {
            Ok(crl) => crls.push(crl),
            Err(error) => proved.note(format!("revocation list {number} was not read: {error}")),
        }
    }
    let named = [leaf, root].into_iter().find(|certificate| {
        crls.iter()
            .any(|crl| crl.lists(certificate.serial()) && crl.verify(root).is_ok())
    });
    let expected = format!("a valid revocation list of {} without them", root.name());
    if let Some(certificate) = named {
        let actual = format_args!("it names {}", certificate.name());
        checks.fail(&REVOCATION, expected, actual);
        return;
    }
    match (
        check_revocation(issued, &crls, case.at),
        case.policy.revocation,
    ) {
        (Ok(until), _) => {
            proved.until(until);
            checks.met(&REVOCATION);
        }
        (
            Err(
                error @ (RevocationError::Missing { .. }
                | RevocationError::Signature(_)
                | RevocationError::NotYet { .. }
                | RevocationError::Expired { .. }
                | RevocationError::Endless { .. }),
            ),
            Revocation::NotChecked,
        ) => checks.tolerate(&REVOCATION, error, None),
        (Err(error), Revocation::CrlRequired | Revocation::NotChecked) => {
            checks.fail(&REVOCATION, expected, error);
        }
    }
}

/// Verifies the report's signature over the bytes that came.
fn verify(signer: &Certificate, report: &Report<'_>) -> Result<(), String> {
    let key = signer.key().map_err(ToString::to_string)?;
    let signature = RawSignature::big_endian(&report.signature)
        .ok_or("a number of more than 48 bytes in the signature")?;
    key.verify(
        Scheme::EcdsaSha384,
        report.signed,
        SignatureBytes::Fixed(&signature),
    )
    .map_err(|error| error.to_string())
}

/// A guest's own chain has three; composite evidence brings a few of other platforms along.
const MAX_CERTIFICATES: usize = 32;
const MAX_CRLS: usize = 16;

//! The certificates of a device, and whether any of them is revoked.

use super::{Answer, Case, checks::REVOCATION, ocsp::OcspError, policy::Revocation};
use crate::{
    Timestamp,
    check::Checks,
    policy::fields::Roots,
    result::Proved,
    x509::{
        self, Certificate, ChainRules, Crl, RevocationError,
        der::{self, Der},
    },
};

/// A chain from the device's signing key to the root: signing key, device, provisioner, generation, root.
#[derive(Clone, Debug)]
pub(super) struct Chain {
    path: Vec<Certificate>,
}

impl Chain {
    /// Reads and verifies the certificates that came with a report.
    pub(super) fn verify(pem: &[u8], roots: &[Certificate], at: Timestamp) -> Result<Self, String> {
        let certificates = read(pem)?;
        if certificates.len() != LENGTH {
            return Err(format!("{} certificates", certificates.len()));
        }
        let (leaf, others) = certificates.split_first().ok_or("no certificate")?;
        let path = x509::verify_chain(leaf, others, roots, &ChainRules::at(at))
            .map_err(|error| error.to_string())?;
        if path.len() != LENGTH {
            return Err(format!("a chain of {}", path.len()));
        }
        Ok(Self { path })
    }

    /// From the signing key's certificate to the root.
    pub(super) fn path(&self) -> &[Certificate] {
        &self.path
    }

    /// The certificate of the device itself: its key is burnt in, and NVIDIA certified it.
    pub(super) fn device(&self) -> Option<&Certificate> {
        self.path.get(1)
    }

    /// The chip that NVIDIA certified: the certificate below the root is `NVIDIA GH100 Identity`, and the
    /// device's own certificates begin with the chip's name.
    pub(super) fn chip(&self) -> Option<String> {
        let generation = self.path.get(3)?.common_name()?;
        let chip = generation
            .strip_prefix("NVIDIA ")?
            .strip_suffix(" Identity")?;
        let below = self.path.get(..2)?;
        let agrees = |certificate: &Certificate| {
            let name = certificate.common_name().unwrap_or_default();
            name.split(' ').next() == Some(chip)
        };
        below.iter().all(agrees).then(|| chip.to_owned())
    }
}

/// The certificate whose key signed a report, without regard to its chain.
pub(super) fn leaf(pem: &[u8]) -> Result<Certificate, String> {
    read(pem)?
        .into_iter()
        .next()
        .ok_or_else(|| "no certificate".to_owned())
}

fn read(pem: &[u8]) -> Result<Vec<Certificate>, String> {
    let ders = x509::all_from_pem(pem).map_err(|error| error.to_string())?;
    let read = |der: &Vec<u8>| Certificate::from_der(der).map_err(|error| error.to_string());
    ders.iter().map(read).collect()
}

/// The firmware that holds the signing key, as its certificate says: SHA-384, the end of a DICE extension.
pub(super) fn firmware_id(leaf: &Certificate) -> Option<&[u8]> {
    let extension = FIRMWARE_ID.iter().find_map(|oid| leaf.extension(oid))?;
    let at = extension.len().checked_sub(SHA384)?;
    let (before, digest) = extension.split_at_checked(at)?;
    before.ends_with(&[der::OCTET_STRING, 48]).then_some(digest)
}

/// The device's name in its certificate: `NVIDIA:GH100:48B02D92494BADF4`.
pub(super) fn device_name(leaf: &Certificate) -> Option<String> {
    let mut names = Der::new(leaf.extension(SUBJECT_ALT_NAME)?)
        .sequence("names")
        .ok()?;
    let mut name = names.expect("name", der::context(0)).ok()?.inside();
    if name.oid("name").ok()? != SPDM_DEVICE {
        return None;
    }
    let mut inside = name.expect("name", der::context(0)).ok()?.inside();
    let text = inside.expect("name", der::UTF8_STRING).ok()?;
    let text = str::from_utf8(text.value).ok()?;
    let plain = text.bytes().all(|byte| byte.is_ascii_graphic());
    plain.then(|| text.to_owned())
}

/// Whether every certificate of a path but the last is known to be good. What says that one is revoked
/// counts whether or not it was asked for.
pub(super) fn revocation(
    case: &Case<'_>,
    path: &[Certificate],
    whose: &str,
    (checks, proved): (&mut Checks, &mut Proved),
) {
    let whose = whose.escape_debug();
    let expected = format_args!("{whose}: certificates known to be good");
    let status = match Status::read(case) {
        Ok(status) => status,
        Err(fault) => {
            checks.fail(&REVOCATION, expected, fault);
            return;
        }
    };
    match (status.of_path(path), case.policy.revocation) {
        (Ok(until), _) => {
            checks.met(&REVOCATION);
            proved.until(until);
        }
        (Err(Doubt::Unknown(_)), Revocation::NotChecked) => {
            checks.not_applicable(&REVOCATION, "policy says `revocation: not-checked`");
        }
        (Err(Doubt::Unknown(fault) | Doubt::Revoked(fault)), _) => {
            checks.fail(&REVOCATION, expected, fault);
        }
    }
}

enum Doubt {
    Revoked(String),
    Unknown(String),
}

// What says whether certificates are revoked.
struct Status<'a> {
    answers: Vec<Answer<'a>>,
    crls: Vec<Crl>,
    at: Timestamp,
}

impl<'a> Status<'a> {
    fn read(case: &Case<'a>) -> Result<Self, String> {
        if case.ocsp.len() > MAX_ANSWERS {
            return Err(format!(
                "{} status answers; at most {MAX_ANSWERS} are read",
                case.ocsp.len()
            ));
        }
        let answers: Result<Vec<Answer<'a>>, OcspError> =
            case.ocsp.iter().map(|bytes| Answer::parse(bytes)).collect();
        let crls: Result<Vec<Crl>, _> = case.crls.iter().map(|der| Crl::from_der(der)).collect();
        Ok(Self {
            answers: answers.map_err(|error| error.to_string())?,
            crls: crls.map_err(|error| error.to_string())?,
            at: case.at,
        })
    }

    // Until when all of them are good. A revoked one is found also behind one of which nothing is known.
    fn of_path(&self, path: &[Certificate]) -> Result<Timestamp, Doubt> {
        let (mut earliest, mut unknown) = (Timestamp::MAX, None);
        for pair in path.windows(2) {
            if let [certificate, issuer] = pair {
                match self.of(certificate, issuer) {
                    Ok(until) => earliest = earliest.min(until),
                    Err(Doubt::Unknown(fault)) => unknown = unknown.or(Some(fault)),
                    Err(revoked @ Doubt::Revoked(_)) => return Err(revoked),
                }
            }
        }
        unknown.map_or(Ok(earliest), |fault| Err(Doubt::Unknown(fault)))
    }

    // One answer or list that holds is enough, and one that says revoked decides.
    fn of(&self, certificate: &Certificate, issuer: &Certificate) -> Result<Timestamp, Doubt> {
        let (mut good, mut fault) = (None, None);
        for answer in &self.answers {
            if !answer.is_about(certificate, issuer) {
                continue;
            }
            match answer.status(certificate, issuer, self.at) {
                Ok(until) => good = good.max(Some(until)),
                Err(error @ OcspError::Revoked { .. }) => {
                    return Err(Doubt::Revoked(error.to_string()));
                }
                Err(error) => fault = Some(error.to_string()),
            }
        }
        let pair = [certificate.clone(), issuer.clone()];
        match x509::check_revocation(&pair, &self.crls, self.at) {
            Ok(until) => good = good.max(Some(until)),
            Err(error @ RevocationError::Revoked { .. }) => {
                return Err(Doubt::Revoked(error.to_string()));
            }
            Err(error) => fault = fault.or_else(|| Some(error.to_string())),
        }
        let nothing = || format!("nothing about {}", certificate.name());
        good.ok_or_else(|| Doubt::Unknown(fault.unwrap_or_else(nothing)))
    }
}

/// The certificates that a policy's roots stand for.
pub(super) fn trusted(roots: &Roots, vendor: &[u8]) -> Result<Vec<Certificate>, String> {
    crate::nitro::trusted(roots, &[vendor])
}

const LENGTH: usize = 5;
const SHA384: usize = 48;
// Hopper's, a composite device identifier; and Blackwell's.
const FIRMWARE_ID: [&str; 2] = ["2.23.133.5.4.1", "2.23.133.5.4.1.1"];
const SUBJECT_ALT_NAME: &str = "2.5.29.17";
const SPDM_DEVICE: &str = "1.3.6.1.4.1.412.274.1";
const MAX_ANSWERS: usize = 128;

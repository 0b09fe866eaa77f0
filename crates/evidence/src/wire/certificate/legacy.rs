//! Extensions of single issuers, older than the interoperable one.

use sha2::{Digest as _, Sha512};

use super::{Carrier, CarrierError, Form, quote_platform};
use crate::{Endorsements, Evidence, Part, ReportData, x509::Certificate};

/// An older extension that can be allowed by name.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Legacy {
    /// dstack's: a raw quote.
    Dstack,
    /// Gramine's: a raw quote.
    Gramine,
}

impl Legacy {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Dstack, Self::Gramine];

    /// Its name in configuration and output.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Dstack => "dstack",
            Self::Gramine => "gramine",
        }
    }

    // Gramine's is an encoding mistake that became the wire format: the bytes of an identifier inside another.
    const fn oid(self) -> &'static str {
        match self {
            Self::Dstack => "1.3.6.1.4.1.62397.1.1",
            Self::Gramine => "0.6.9.42.840.113741.1337.6",
        }
    }

    /// What its quote carries for a key, DER `SubjectPublicKeyInfo`.
    #[must_use]
    pub fn report_data(self, spki: &[u8]) -> ReportData {
        match self {
            Self::Dstack => {
                let mut hash = Sha512::new_with_prefix(b"ratls-cert:");
                hash.update(spki);
                ReportData::from_bytes(hash.finalize().into())
            }
            Self::Gramine => ReportData::of_preimage(spki),
        }
    }
}

/// Reads an older extension, where it is named and alone.
pub(super) fn read(certificate: Certificate, named: &[Legacy]) -> Result<Carrier, CarrierError> {
    let mut found = Legacy::ALL
        .into_iter()
        .filter_map(|legacy| Some((legacy, certificate.extension(legacy.oid())?)));
    let (legacy, quote) = match (found.next(), found.next()) {
        (Some(only), None) => only,
        (Some(_), Some(_)) => return Err(CarrierError::Two),
        (None, _) if certificate.extension(INTEL).is_some() => {
            return Err(CarrierError::BindsNothing);
        }
        (None, _) => return Err(CarrierError::Absent),
    };
    if !named.contains(&legacy) {
        let found = legacy.as_str();
        return Err(CarrierError::Unnamed { found });
    }
    let evidence = Evidence::new(quote_platform(quote)?).with(Part::Quote, quote);
    Ok(Carrier {
        evidence,
        endorsements: Endorsements::default(),
        form: Form::Legacy(legacy),
        certificate,
    })
}

/// Also the arc of what a PCK certificate says about its machine: those are no evidence either.
const INTEL: &str = "1.2.840.113741.1.13.1";

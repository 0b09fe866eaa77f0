//! Revocation lists (RFC 5280, 5): whole ones, of one issuer, signed by that issuer.

use std::ops::Range;

use super::{
    CertError, Certificate, ChainError, algorithm,
    der::{self, Der},
    extension::{Extension, extension_list},
    key::Scheme,
    name::{common_name, printable},
};
use crate::{Timestamp, reader::Malformed};

/// Why bytes are not a revocation list that is used here.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum CrlError {
    /// Too large to be read.
    #[error("revocation list of {size} bytes: at most {MAX_CRL} are read")]
    Size {
        /// Its size.
        size: usize,
    },
    /// Not DER, or not a revocation list.
    #[error("revocation list: {0}")]
    Malformed(#[from] Malformed),
    /// The signature algorithm outside the signed part is not the one inside.
    #[error("the revocation list names two signature algorithms, one signed and another not")]
    AlgorithmsDiffer,
    /// Its extensions are not well formed.
    #[error("revocation list: {0}")]
    Extensions(CertError),
    /// A critical extension that narrows what it says: a list of changes, of some reasons, of others' certificates.
    #[error(
        "the revocation list has the critical extension `{oid}`, so it is not the whole list of its issuer"
    )]
    Critical {
        /// The extension's object identifier.
        oid: String,
    },
}

/// A revocation list: its bytes as they came, and where in them everything is.
#[derive(Clone, Debug)]
pub struct Crl {
    der: Vec<u8>,
    tbs: Range<usize>,
    issuer: Range<usize>,
    entries: Option<Range<usize>>,
    signature: Range<usize>,
    algorithm: Result<Scheme, String>,
    this_update: Timestamp,
    next_update: Option<Timestamp>,
    extensions: Vec<Extension>,
}

impl PartialEq for Crl {
    fn eq(&self, other: &Self) -> bool {
        self.der == other.der
    }
}

impl Eq for Crl {}

impl Crl {
    /// Reads one revocation list with nothing behind it.
    ///
    /// # Errors
    ///
    /// It is too large, not DER, not a revocation list, or not a whole one.
    pub fn from_der(der: &[u8]) -> Result<Self, CrlError> {
        if der.len() > MAX_CRL {
            return Err(CrlError::Size { size: der.len() });
        }
        let mut outer = Der::new(der);
        let mut list = outer.sequence("revocation list")?;
        outer.end("revocation list")?;
        let tbs = list.expect("signed part", der::SEQUENCE)?;
        let algorithm = list.expect("signature algorithm", der::SEQUENCE)?;
        let signature = list.expect("signature", der::BIT_STRING)?;
        list.end("revocation list")?;
        Der::new(signature.whole).bytes_of_bits("signature")?;
        let signature = signature.value_range();
        let mut fields = tbs.inside();
        version(&mut fields)?;
        if fields.expect("signature algorithm", der::SEQUENCE)?.whole != algorithm.whole {
            return Err(CrlError::AlgorithmsDiffer);
        }
        let issuer = fields.expect("issuer", der::SEQUENCE)?;
        let this_update = fields.time("this update")?;
        let next_update = match fields.next_tag() {
            Some(der::UTC_TIME | der::GENERALIZED_TIME) => Some(fields.time("next update")?),
            Some(_) | None => None,
        };
        let entries = fields.optional("revoked certificates", der::SEQUENCE)?;
        let extensions = match fields.optional("extensions", der::context(0))? {
            Some(wrapper) => whole_list(wrapper.inside())?,
            None => Vec::new(),
        };
        fields.end("signed part")?;
        if let Some(entries) = entries {
            check_entries(entries.inside())?;
        }
        Ok(Self {
            der: der.to_vec(),
            tbs: tbs.range(),
            issuer: issuer.range(),
            entries: entries.map(|entries| entries.value_range()),
            signature: signature.start.saturating_add(1)..signature.end,
            algorithm: algorithm::scheme(algorithm),
            this_update,
            next_update,
            extensions,
        })
    }

    /// All its bytes.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// The name of its issuer, DER.
    #[must_use]
    pub fn issuer(&self) -> &[u8] {
        self.bytes(&self.issuer)
    }

    /// When it was made.
    #[must_use]
    pub const fn this_update(&self) -> Timestamp {
        self.this_update
    }

    /// When the next one is there at the latest.
    #[must_use]
    pub const fn next_update(&self) -> Option<Timestamp> {
        self.next_update
    }

    /// Its number, big endian, where it has one: later lists of an issuer have larger ones.
    #[must_use]
    pub fn number(&self) -> Option<&[u8]> {
        let found = self
            .extensions
            .iter()
            .find(|extension| extension.oid == CRL_NUMBER)?;
        Der::new(self.bytes(&found.value))
            .unsigned("CRL number")
            .ok()
    }

    /// Verifies that `issuer` made it: name, key usage and signature.
    ///
    /// # Errors
    ///
    /// Another has that name, may not sign revocation lists, or did not sign this one.
    pub fn verify(&self, issuer: &Certificate) -> Result<(), ChainError> {
        let subject = || format!("the revocation list of {}", self.issuer_name());
        if issuer.subject() != self.issuer() {
            return Err(ChainError::NoIssuer {
                subject: subject(),
                issuer: self.issuer_name(),
            });
        }
        if issuer.key_usage().is_some_and(|usage| !usage.crl_sign()) {
            return Err(ChainError::Usage {
                subject: issuer.name(),
                usage: "revocation lists",
            });
        }
        let scheme = self
            .algorithm
            .as_ref()
            .map_err(|oid| ChainError::Algorithm {
                subject: subject(),
                oid: oid.clone(),
            })?;
        let key = issuer.key().map_err(|error| ChainError::Key {
            subject: issuer.name(),
            error: error.clone(),
        })?;
        let signature = algorithm::signature(*scheme, self.bytes(&self.signature));
        key.verify(*scheme, self.bytes(&self.tbs), signature)
            .map_err(|error| ChainError::Signature {
                subject: subject(),
                issuer: issuer.name(),
                error,
            })
    }

    /// Whether the certificate with this serial number (the contents of its INTEGER) is revoked.
    #[must_use]
    pub fn lists(&self, serial: &[u8]) -> bool {
        let Some(entries) = &self.entries else {
            return false;
        };
        let mut entries = Der::new(self.bytes(entries));
        while let Ok(mut entry) = entries.sequence("revoked certificate") {
            if entry.integer("serial number") == Ok(serial) {
                return true;
            }
        }
        false
    }

    /// How many certificates it revokes.
    #[must_use]
    pub fn len(&self) -> usize {
        let Some(entries) = &self.entries else {
            return 0;
        };
        let mut entries = Der::new(self.bytes(entries));
        std::iter::from_fn(|| entries.sequence("revoked certificate").ok()).count()
    }

    /// Whether it revokes nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The common name of its issuer, for messages.
    fn issuer_name(&self) -> String {
        printable(common_name(self.issuer()))
            .unwrap_or_else(|| "an issuer without a name".to_owned())
    }

    fn bytes(&self, range: &Range<usize>) -> &[u8] {
        self.der.get(range.clone()).unwrap_or_default()
    }
}

/// Why certificates are not known to be good.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum RevocationError {
    /// No list of the issuer.
    #[error("no revocation list of {issuer} came with the evidence: staple it")]
    Missing {
        /// The issuer.
        issuer: String,
    },
    /// A list that its issuer did not sign.
    #[error("revocation list: {0}")]
    Signature(ChainError),
    /// A list from later.
    #[error("the revocation list of {issuer} is from {from}, and it is {at}")]
    NotYet {
        /// The issuer.
        issuer: String,
        /// When it was made.
        from: Timestamp,
        /// The time asked about.
        at: Timestamp,
    },
    /// A list whose successor is due.
    #[error("the revocation list of {issuer} was to be replaced at {until}, and it is {at}")]
    Expired {
        /// The issuer.
        issuer: String,
        /// When the next one was due.
        until: Timestamp,
        /// The time asked about.
        at: Timestamp,
    },
    /// A list that never ends: nobody could tell an old one from the current one.
    #[error("the revocation list of {issuer} does not say when the next one comes")]
    Endless {
        /// The issuer.
        issuer: String,
    },
    /// A certificate is revoked.
    #[error("{subject} (serial number {serial}) is revoked by {issuer}")]
    Revoked {
        /// The certificate.
        subject: String,
        /// Its serial number, in hexadecimal digits.
        serial: String,
        /// Who revoked it.
        issuer: String,
    },
}

/// Looks up every certificate of a chain but the last in the list of its issuer, which stands behind it.
/// Where some link has no list by design (AMD lists intermediates only), give the part of the chain that has.
///
/// Returns the earliest time at which a list is due to be replaced; [`Timestamp::MAX`] for a path without links.
///
/// # Errors
///
/// A certificate is revoked, or its issuer's list is missing, forged, of another time or without an end.
pub fn check_revocation(
    path: &[Certificate],
    crls: &[Crl],
    at: Timestamp,
) -> Result<Timestamp, RevocationError> {
    let issuers = path.iter().skip(1);
    let mut earliest = Timestamp::MAX;
    for (certificate, issuer) in path.iter().zip(issuers) {
        earliest = earliest.min(check_link(certificate, issuer, crls, at)?);
    }
    Ok(earliest)
}

/// Any genuine list that names the certificate decides, also one of another time: a revocation is not undone.
fn check_link(
    certificate: &Certificate,
    issuer: &Certificate,
    crls: &[Crl],
    at: Timestamp,
) -> Result<Timestamp, RevocationError> {
    let mut good = None;
    let mut fault = None;
    for crl in crls.iter().filter(|crl| crl.issuer() == issuer.subject()) {
        if let Err(error) = crl.verify(issuer) {
            fault = Some(RevocationError::Signature(error));
            continue;
        }
        if crl.lists(certificate.serial()) {
            return Err(RevocationError::Revoked {
                subject: certificate.name(),
                serial: crate::hex::encode(certificate.serial()),
                issuer: issuer.name(),
            });
        }
        match current(crl, at) {
            Ok(until) => good = good.max(Some(until)),
            Err(error) => fault = Some(error),
        }
    }
    match (good, fault) {
        (Some(until), _) => Ok(until),
        (None, Some(error)) => Err(error),
        (None, None) => Err(RevocationError::Missing {
            issuer: issuer.name(),
        }),
    }
}

/// When the list ends, if it holds now.
fn current(crl: &Crl, at: Timestamp) -> Result<Timestamp, RevocationError> {
    let issuer = crl.issuer_name();
    let from = crl.this_update();
    let Some(until) = crl.next_update() else {
        return Err(RevocationError::Endless { issuer });
    };
    if at < from {
        Err(RevocationError::NotYet { issuer, from, at })
    } else if at >= until {
        Err(RevocationError::Expired { issuer, until, at })
    } else {
        Ok(until)
    }
}

/// Version 2, written 1, or none for version 1.
fn version(fields: &mut Der<'_>) -> Result<(), Malformed> {
    if fields.next_tag() != Some(der::INTEGER) {
        return Ok(());
    }
    let at = fields.at();
    match fields.number("version")? {
        1 => Ok(()),
        other => Err(Malformed::new("version", at, "version 2, written 1", other)),
    }
}

fn whole_list(mut wrapper: Der<'_>) -> Result<Vec<Extension>, CrlError> {
    let mut list = wrapper.sequence("extensions")?;
    wrapper.end("extensions")?;
    let extensions = extension_list(&mut list).map_err(CrlError::Extensions)?;
    match extensions.iter().find(|extension| extension.critical) {
        Some(critical) => Err(CrlError::Critical {
            oid: critical.oid.clone(),
        }),
        None => Ok(extensions),
    }
}

/// Every entry is well formed, and none speaks of another issuer's certificate.
fn check_entries(mut entries: Der<'_>) -> Result<(), CrlError> {
    while !entries.is_done() {
        let mut entry = entries.sequence("revoked certificate")?;
        entry.integer("serial number")?;
        entry.time("revocation date")?;
        if !entry.is_done() {
            let mut list = entry.sequence("entry extensions")?;
            let extensions = extension_list(&mut list).map_err(CrlError::Extensions)?;
            if let Some(critical) = extensions.into_iter().find(|extension| extension.critical) {
                return Err(CrlError::Critical { oid: critical.oid });
            }
        }
        entry.end("revoked certificate")?;
    }
    Ok(())
}

const CRL_NUMBER: &str = "2.5.29.20";
/// Intel's and AMD's have kilobytes; a vendor that revoked ten thousand keys stays below.
const MAX_CRL: usize = 4 << 20;

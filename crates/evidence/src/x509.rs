//! X.509 certificates, chains and revocation lists (RFC 5280), read in place and verified over the bytes
//! that came.

mod algorithm;
mod chain;
mod crl;
pub mod der;
mod extension;
mod key;
mod name;
mod pem;

pub use chain::{ChainError, ChainRules, LeafUse, Validity, verify_chain};
pub use crl::{Crl, CrlError, RevocationError, check_revocation};
pub use extension::KeyUsage;
pub use key::{
    BadSignature, Curve, KeyKind, KeyUnsupported, MAX_RSA_BITS, MIN_RSA_BITS, Scheme,
    SignatureBytes, VerifyingKey,
};
pub use pem::{PemError, all_from_pem, crls_from_pem, key_from_pem, one_from_pem};

use std::ops::Range;

use self::{
    der::Der,
    extension::{BasicConstraints, Extension, MAX_EXTENSIONS, basic, key_usage, purposes},
    name::{common_name, printable},
};
use crate::{Sha256Digest, Timestamp, reader::Malformed};

/// Why bytes are not a certificate that is used here.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum CertError {
    /// Too large to be read.
    #[error("certificate of {size} bytes: at most {MAX_CERTIFICATE} are read")]
    Size {
        /// Its size.
        size: usize,
    },
    /// Not DER, or not a certificate.
    #[error("certificate: {0}")]
    Malformed(#[from] Malformed),
    /// Bytes behind it.
    #[error("{extra} bytes behind the certificate: give it alone")]
    Trailing {
        /// How many.
        extra: usize,
    },
    /// Bytes behind it that are not the zeros of an unused storage area.
    #[error("byte {at} behind the certificate is not zero: only zero padding is cut off")]
    Padding {
        /// The first that is not zero.
        at: usize,
    },
    /// The signature algorithm outside the signed part is not the one inside.
    #[error("the certificate names two signature algorithms, one signed and another not")]
    AlgorithmsDiffer,
    /// An extension twice.
    #[error("extension `{oid}` is there twice")]
    DuplicateExtension {
        /// Its object identifier.
        oid: String,
    },
    /// More extensions than are read.
    #[error("more than {MAX_EXTENSIONS} extensions")]
    TooManyExtensions,
}

/// A certificate: its bytes as they came, and where in them everything is.
#[derive(Clone, Debug)]
pub struct Certificate {
    der: Vec<u8>,
    tbs: Range<usize>,
    serial: Range<usize>,
    issuer: Range<usize>,
    subject: Range<usize>,
    spki: Range<usize>,
    signature: Range<usize>,
    algorithm: Result<Scheme, String>,
    not_before: Timestamp,
    not_after: Timestamp,
    key: Result<VerifyingKey, KeyUnsupported>,
    extensions: Vec<Extension>,
    basic: Option<BasicConstraints>,
    key_usage: Option<KeyUsage>,
    extended_key_usages: Vec<String>,
}

impl PartialEq for Certificate {
    fn eq(&self, other: &Self) -> bool {
        self.der == other.der
    }
}

impl Eq for Certificate {}

impl Certificate {
    /// Reads one certificate with nothing behind it.
    ///
    /// # Errors
    ///
    /// It is too large, not DER, not a certificate, or not alone.
    pub fn from_der(der: &[u8]) -> Result<Self, CertError> {
        let mut outer = Der::new(der);
        if der.len() > MAX_CERTIFICATE {
            return Err(CertError::Size { size: der.len() });
        }
        let certificate = outer.expect("certificate", der::SEQUENCE)?;
        let extra = der.len().saturating_sub(certificate.whole.len());
        if extra > 0 {
            return Err(CertError::Trailing { extra });
        }
        Self::read(der, certificate)
    }

    /// Reads a certificate out of a storage area: it is cut at its own length, and zeros alone may follow.
    ///
    /// # Errors
    ///
    /// As for [`Self::from_der`], or something else than zeros follows.
    pub fn from_padded_der(bytes: &[u8]) -> Result<Self, CertError> {
        if bytes.len() > MAX_CERTIFICATE {
            return Err(CertError::Size { size: bytes.len() });
        }
        let certificate = Der::new(bytes).expect("certificate", der::SEQUENCE)?;
        let (_, padding) = bytes
            .split_at_checked(certificate.whole.len())
            .unwrap_or_default();
        if let Some(offset) = padding.iter().position(|byte| *byte != 0) {
            let at = certificate.whole.len().saturating_add(offset);
            return Err(CertError::Padding { at });
        }
        Self::from_der(certificate.whole)
    }

    fn read(der: &[u8], certificate: der::Element<'_>) -> Result<Self, CertError> {
        let mut outer = certificate.inside();
        let tbs = outer.expect("signed part", der::SEQUENCE)?;
        let algorithm = outer.expect("signature algorithm", der::SEQUENCE)?;
        let signature = outer.expect("signature", der::BIT_STRING)?;
        outer.end("certificate")?;
        Der::new(signature.whole).bytes_of_bits("signature")?;
        let mut fields = tbs.inside();
        let extended = version(&mut fields)?;
        let serial = { fields }.any("serial number")?;
        fields.integer("serial number")?;
        if fields.expect("signature algorithm", der::SEQUENCE)?.whole != algorithm.whole {
            return Err(CertError::AlgorithmsDiffer);
        }
        let issuer = fields.expect("issuer", der::SEQUENCE)?;
        let mut validity = fields.sequence("validity")?;
        let not_before = validity.time("not before")?;
        let not_after = validity.time("not after")?;
        validity.end("validity")?;
        let subject = fields.expect("subject", der::SEQUENCE)?;
        let spki = fields.expect("subject public key info", der::SEQUENCE)?;
        let extensions = if extended {
            extension::of_certificate(&mut fields)?
        } else {
            Vec::new()
        };
        fields.end("signed part")?;
        let signature = signature.value_range();
        let mut read = Self {
            der: der.to_vec(),
            tbs: tbs.range(),
            serial: serial.value_range(),
            issuer: issuer.range(),
            subject: subject.range(),
            spki: spki.range(),
            signature: signature.start.saturating_add(1)..signature.end,
            algorithm: algorithm::scheme(algorithm),
            not_before,
            not_after,
            key: VerifyingKey::from_spki_der(spki.whole),
            extensions,
            basic: None,
            key_usage: None,
            extended_key_usages: Vec::new(),
        };
        read.basic = read.extension(BASIC_CONSTRAINTS).map(basic).transpose()?;
        read.key_usage = read.extension(KEY_USAGE).map(key_usage).transpose()?;
        read.extended_key_usages = match read.extension(EXTENDED_KEY_USAGE) {
            Some(value) => purposes(value)?,
            None => Vec::new(),
        };
        Ok(read)
    }

    /// All its bytes.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// The signed part, DER.
    #[must_use]
    pub fn tbs(&self) -> &[u8] {
        self.bytes(&self.tbs)
    }

    /// The public key, DER `SubjectPublicKeyInfo`.
    #[must_use]
    pub fn spki(&self) -> &[u8] {
        self.bytes(&self.spki)
    }

    /// The name of its subject, DER.
    #[must_use]
    pub fn subject(&self) -> &[u8] {
        self.bytes(&self.subject)
    }

    /// The name of its issuer, DER.
    #[must_use]
    pub fn issuer(&self) -> &[u8] {
        self.bytes(&self.issuer)
    }

    /// The last common name of its subject.
    #[must_use]
    pub fn common_name(&self) -> Option<String> {
        common_name(self.subject())
    }

    /// The last common name of its issuer.
    #[must_use]
    pub fn issuer_common_name(&self) -> Option<String> {
        common_name(self.issuer())
    }

    /// What to call it in a message: the common name in printable letters, or its digest.
    #[must_use]
    pub fn name(&self) -> String {
        printable(self.common_name()).unwrap_or_else(|| self.sha256().to_string())
    }

    /// Its serial number: the contents of the INTEGER. Zero occurs (VCEK).
    #[must_use]
    pub fn serial(&self) -> &[u8] {
        self.bytes(&self.serial)
    }

    /// When it begins to hold.
    #[must_use]
    pub const fn not_before(&self) -> Timestamp {
        self.not_before
    }

    /// When it ceases to hold.
    #[must_use]
    pub const fn not_after(&self) -> Timestamp {
        self.not_after
    }

    /// Its public key.
    ///
    /// # Errors
    ///
    /// The key is of a kind, curve or size that is not used here.
    pub const fn key(&self) -> Result<&VerifyingKey, &KeyUnsupported> {
        self.key.as_ref()
    }

    /// How it is signed.
    ///
    /// # Errors
    ///
    /// The object identifier, and what is wrong with it, of an algorithm that is not used here.
    pub fn scheme(&self) -> Result<Scheme, &str> {
        self.algorithm.as_ref().copied().map_err(String::as_str)
    }

    /// Its signature: DER for ECDSA.
    #[must_use]
    pub fn signature(&self) -> &[u8] {
        self.bytes(&self.signature)
    }

    /// The contents of an extension.
    #[must_use]
    pub fn extension(&self, oid: &str) -> Option<&[u8]> {
        let found = self
            .extensions
            .iter()
            .find(|extension| extension.oid == oid)?;
        Some(self.bytes(&found.value))
    }

    /// Every extension: its object identifier, whether it is critical, and its contents.
    pub fn extensions(&self) -> impl Iterator<Item = (&str, bool, &[u8])> {
        self.extensions.iter().map(|extension| {
            let value = self.bytes(&extension.value);
            (extension.oid.as_str(), extension.critical, value)
        })
    }

    /// Whether it says that it may issue certificates.
    #[must_use]
    pub fn is_ca(&self) -> bool {
        self.basic.as_ref().is_some_and(|basic| basic.ca)
    }

    /// How many authorities may stand between it and a leaf, where it says so.
    #[must_use]
    pub fn path_len(&self) -> Option<u64> {
        self.basic.as_ref().and_then(|basic| basic.path_len)
    }

    /// What its key may be used for, where it says so.
    #[must_use]
    pub const fn key_usage(&self) -> Option<KeyUsage> {
        self.key_usage
    }

    /// The purposes that its key is for, as object identifiers.
    #[must_use]
    pub fn extended_key_usages(&self) -> &[String] {
        &self.extended_key_usages
    }

    /// The digest of all its bytes.
    #[must_use]
    pub fn sha256(&self) -> Sha256Digest {
        Sha256Digest::of(&self.der)
    }

    /// The critical extensions that a chain's verification does not look into.
    #[must_use]
    pub fn unknown_critical(&self) -> Vec<String> {
        let unknown = self
            .extensions
            .iter()
            .filter(|extension| extension.critical)
            .filter(|extension| !UNDERSTOOD.contains(&extension.oid.as_str()));
        unknown.map(|extension| extension.oid.clone()).collect()
    }

    /// Whether its signature was made by the key of that certificate. Names, times and uses are not looked at.
    ///
    /// # Errors
    ///
    /// Algorithm or key are not used here, or the signature does not hold.
    pub fn verify_signed_by(&self, issuer: &Self) -> Result<(), ChainError> {
        let scheme = self.scheme().map_err(|oid| ChainError::Algorithm {
            subject: self.name(),
            oid: oid.to_owned(),
        })?;
        let key = issuer.key().map_err(|error| ChainError::Key {
            subject: issuer.name(),
            error: error.clone(),
        })?;
        key.verify(
            scheme,
            self.tbs(),
            algorithm::signature(scheme, self.signature()),
        )
        .map_err(|error| ChainError::Signature {
            subject: self.name(),
            issuer: issuer.name(),
            error,
        })
    }

    fn bytes(&self, range: &Range<usize>) -> &[u8] {
        self.der.get(range.clone()).unwrap_or_default()
    }
}

/// Whether extensions may follow: version 3. Version 1 has none, and version 2 is used by nobody.
fn version(fields: &mut Der<'_>) -> Result<bool, Malformed> {
    let Some(version) = fields.optional("version", der::context(0))? else {
        return Ok(false);
    };
    let mut inside = version.inside();
    let number = inside.number("version")?;
    inside.end("version")?;
    if number == 2 {
        Ok(true)
    } else {
        Err(Malformed::new(
            "version",
            version.at,
            "version 3, written 2",
            number,
        ))
    }
}

/// PCK certificates and VCEKs have less than 2 KiB, Azure's carry policy text.
pub const MAX_CERTIFICATE: usize = 64 << 10;

const BASIC_CONSTRAINTS: &str = "2.5.29.19";
const KEY_USAGE: &str = "2.5.29.15";
const EXTENDED_KEY_USAGE: &str = "2.5.29.37";
/// No chain here is matched against a name, so what names a subject otherwise restricts nothing.
const SUBJECT_ALT_NAME: &str = "2.5.29.17";
const UNDERSTOOD: &[&str] = &[
    BASIC_CONSTRAINTS,
    KEY_USAGE,
    EXTENDED_KEY_USAGE,
    SUBJECT_ALT_NAME,
];

#[cfg(test)]
mod tests;

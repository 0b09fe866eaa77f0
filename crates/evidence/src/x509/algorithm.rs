//! Signature algorithms by their X.509 identifiers.

use super::{
    der::{self, Der, Element},
    key::{Scheme, SignatureBytes},
};
use crate::reader::Malformed;

/// The scheme that an `AlgorithmIdentifier` names, or its object identifier and what is wrong with it.
pub(super) fn scheme(algorithm: Element<'_>) -> Result<Scheme, String> {
    let mut inside = algorithm.inside();
    let oid = inside
        .oid("signature algorithm")
        .map_err(|error| error.to_string())?;
    let plain = match oid.as_str() {
        "1.2.840.10045.4.3.2" => Scheme::EcdsaSha256,
        "1.2.840.10045.4.3.3" => Scheme::EcdsaSha384,
        "1.2.840.10045.4.3.4" => Scheme::EcdsaSha512,
        "1.2.840.113549.1.1.11" => Scheme::RsaPkcs1Sha256,
        "1.2.840.113549.1.1.12" => Scheme::RsaPkcs1Sha384,
        "1.2.840.113549.1.1.13" => Scheme::RsaPkcs1Sha512,
        "1.2.840.113549.1.1.10" => {
            return pss(inside).map_err(|fault| format!("{oid} ({fault})"));
        }
        _ => return Err(oid),
    };
    no_parameters(inside)
        .map(|()| plain)
        .map_err(|fault| format!("{oid} ({fault})"))
}

/// How a certificate or revocation list writes a signature of that scheme.
pub(super) const fn signature(scheme: Scheme, bytes: &[u8]) -> SignatureBytes<'_> {
    match scheme {
        Scheme::EcdsaSha256 | Scheme::EcdsaSha384 | Scheme::EcdsaSha512 => {
            SignatureBytes::Der(bytes)
        }
        Scheme::RsaPkcs1Sha256
        | Scheme::RsaPkcs1Sha384
        | Scheme::RsaPkcs1Sha512
        | Scheme::RsaPssSha256
        | Scheme::RsaPssSha384
        | Scheme::RsaPssSha512 => SignatureBytes::Rsa(bytes),
    }
}

/// Absent or NULL. RFC 5758 wants them absent for ECDSA; Gramine writes NULL.
fn no_parameters(mut parameters: Der<'_>) -> Result<(), Malformed> {
    if let Some(null) = parameters.optional("signature parameters", der::NULL)?
        && !null.value.is_empty()
    {
        let found = format!("{} bytes in it", null.value.len());
        return Err(Malformed::new(
            "signature parameters",
            null.at,
            "NULL",
            found,
        ));
    }
    parameters.end("signature parameters")
}

/// RSASSA-PSS (RFC 4055): one hash for message and mask, a salt as long as the hash.
fn pss(mut inside: Der<'_>) -> Result<Scheme, Malformed> {
    let at = inside.at();
    let fault = |expected: &str, found: &str| Malformed::new("PSS parameters", at, expected, found);
    let mut parameters = inside.sequence("PSS parameters")?;
    inside.end("PSS parameters")?;
    let hash = parameters.expect("PSS hash", der::context(0))?;
    let hash = hash_of(hash.inside())?;
    let mask = parameters.expect("PSS mask", der::context(1))?;
    let mut outer = mask.inside();
    let mut mask = outer.sequence("PSS mask")?;
    outer.end("PSS mask")?;
    let mask_oid = mask.oid("PSS mask")?;
    if mask_oid != MGF1 {
        return Err(fault("MGF1", &mask_oid));
    }
    let mask_hash = hash_of(mask)?;
    let mut salt = parameters.expect("PSS salt", der::context(2))?.inside();
    let length = salt.number("PSS salt")?;
    salt.end("PSS salt")?;
    if let Some(trailer) = parameters.optional("PSS trailer", der::context(3))? {
        let mut trailer = trailer.inside();
        if trailer.number("PSS trailer")? != 1 {
            return Err(fault("trailer 1", "another"));
        }
        trailer.end("PSS trailer")?;
    }
    parameters.end("PSS parameters")?;
    if hash != mask_hash {
        return Err(fault("one hash", "two"));
    }
    match (hash.as_str(), length) {
        (SHA256, 32) => Ok(Scheme::RsaPssSha256),
        (SHA384, 48) => Ok(Scheme::RsaPssSha384),
        (SHA512, 64) => Ok(Scheme::RsaPssSha512),
        (SHA256 | SHA384 | SHA512, _) => Err(fault("a salt as long as the hash", "another")),
        (_, _) => Err(fault("SHA-256, SHA-384 or SHA-512", &hash)),
    }
}

fn hash_of(mut inside: Der<'_>) -> Result<String, Malformed> {
    let mut hash = inside.sequence("PSS hash")?;
    inside.end("PSS hash")?;
    let oid = hash.oid("PSS hash")?;
    no_parameters(hash)?;
    Ok(oid)
}

const MGF1: &str = "1.2.840.113549.1.1.8";
const SHA256: &str = "2.16.840.1.101.3.4.2.1";
const SHA384: &str = "2.16.840.1.101.3.4.2.2";
const SHA512: &str = "2.16.840.1.101.3.4.2.3";

#[cfg(test)]
mod tests;

//! The interoperable extension: tagged CBOR.

use super::{CarrierError, Claimed, quote_platform};
use crate::{
    Endorsements, Evidence, Part, Platform,
    cbor::{self, Item, Limits},
    wire::collateral::Answers,
    x509::crls_from_pem,
};

/// Reads the extension with evidence, and the one with endorsements, which many issuers leave empty.
pub(super) fn read(evidence: &[u8], endorsements: &[u8]) -> Result<Claimed, CarrierError> {
    let item = cbor::parse(evidence, &Limits::FOREIGN)?;
    let items = quote_tag(&item)?;
    let [quote, claims] = items else {
        return Err(shape("the array", "of two items", "of another length"));
    };
    let quote = bytes(quote, "the quote")?;
    let platform = quote_platform(quote)?;
    Ok(Claimed {
        evidence: Evidence::new(platform).with(Part::Quote, quote),
        claims: bytes(claims, "the claims-buffer")?.to_vec(),
        endorsements: read_endorsements(endorsements)?,
    })
}

/// Writes the extension, for the platforms that have it.
pub(super) fn write(claimed: &Claimed) -> Option<Vec<u8>> {
    match claimed.evidence.platform() {
        Platform::Sgx | Platform::Tdx => {}
        Platform::Aci
        | Platform::AzureSnp
        | Platform::AzureTdx
        | Platform::Gcp
        | Platform::Gpu
        | Platform::Maa
        | Platform::Nitro
        | Platform::Nras
        | Platform::Snp
        | Platform::Software
        | Platform::Tpm => return None,
    }
    let mut parts = claimed.evidence.parts();
    match (parts.next(), parts.next()) {
        (Some((Part::Quote, quote)), None) => Some(cbor::encode(&Item::Tag(
            QUOTE,
            Box::new(Item::Array(vec![
                Item::Bytes(quote),
                Item::Bytes(&claimed.claims),
            ])),
        ))),
        (Some(_) | None, _) => None,
    }
}

fn read_endorsements(extension: &[u8]) -> Result<Endorsements, CarrierError> {
    let mut endorsements = Endorsements::default();
    if extension.is_empty() {
        return Ok(endorsements);
    }
    let item = cbor::parse(extension, &Limits::FOREIGN)?;
    let wrong = shape(
        "the endorsements",
        "eight or nine items",
        "of another length",
    );
    let [
        _version,
        tcb_info,
        tcb_info_chain,
        pck_crl,
        root_crl,
        crl_chain,
        qe_identity,
        qe_identity_chain,
        created @ ..,
    ] = quote_tag(&item)?
    else {
        return Err(wrong);
    };
    if created.len() > 1 {
        return Err(wrong);
    }
    let answers = Answers {
        tcb_info: text(tcb_info, "tcb_info")?,
        tcb_info_issuer_chain: text(tcb_info_chain, "tcb_issuer_chain")?,
        qe_identity: text(qe_identity, "qe_id_info")?,
        qe_identity_issuer_chain: text(qe_identity_chain, "qe_id_issuer_chain")?,
        pck_crl: &crl(pck_crl, "crl_pck_cert")?,
        pck_crl_issuer_chain: text(crl_chain, "crl_issuer_chain")?,
        root_ca_crl: &crl(root_crl, "crl_pck_proc_ca")?,
    };
    endorsements.intel.push(answers.to_json()?);
    Ok(endorsements)
}

fn quote_tag<'i, 'a>(item: &'i Item<'a>) -> Result<&'i [Item<'a>], CarrierError> {
    match item.as_tag() {
        Some((QUOTE, inner)) => inner
            .as_array()
            .ok_or_else(|| shape("the tagged item", "an array", inner.kind())),
        Some((tag, _)) => Err(CarrierError::Tag { tag }),
        None => Err(shape("the item", "tagged 60000", item.kind())),
    }
}

fn bytes<'a>(item: &Item<'a>, place: &'static str) -> Result<&'a [u8], CarrierError> {
    item.as_bytes()
        .ok_or_else(|| shape(place, "a byte string", item.kind()))
}

/// JSON or PEM; as texts of C they may end in a zero.
fn text<'a>(item: &Item<'a>, place: &'static str) -> Result<&'a [u8], CarrierError> {
    let found = match (item.as_bytes(), item.as_text()) {
        (Some(bytes), _) => bytes,
        (None, Some(text)) => text.as_bytes(),
        (None, None) => return Err(shape(place, "a string", item.kind())),
    };
    Ok(found.strip_suffix(&[0]).unwrap_or(found))
}

/// DER, or PEM, or DER in hexadecimal digits: Intel's library has changed its mind between versions.
fn crl(item: &Item<'_>, place: &'static str) -> Result<Vec<u8>, CarrierError> {
    let found = text(item, place)?;
    if found.first() == Some(&0x30) && found.get(1).is_some_and(|byte| *byte >= 0x80) {
        return Ok(found.to_vec());
    }
    let wrong = || {
        shape(
            place,
            "one revocation list: DER, PEM or hexadecimal",
            "something else",
        )
    };
    if found.starts_with(b"-----BEGIN") {
        return match crls_from_pem(found).map_err(|_| wrong())?.as_slice() {
            [only] => Ok(only.clone()),
            [..] => Err(wrong()),
        };
    }
    let digits = str::from_utf8(found).map_err(|_| wrong())?;
    crate::hex::decode(&digits.to_ascii_lowercase()).map_err(|_| wrong())
}

const fn shape(place: &'static str, expected: &'static str, found: &'static str) -> CarrierError {
    CarrierError::Shape {
        place,
        expected,
        found,
    }
}

/// The tag of a quote; 60001 is a report for the same machine, 60002 the first SGX report.
const QUOTE: u64 = 60_000;

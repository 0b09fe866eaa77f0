//! Extensions of certificates and revocation lists.

use std::ops::Range;

use super::{
    CertError,
    der::{self, Der},
};
use crate::reader::Malformed;

/// What a key may be used for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct KeyUsage(u16);

impl KeyUsage {
    /// To sign anything but certificates and revocation lists.
    #[must_use]
    pub const fn digital_signature(self) -> bool {
        self.0 & 0x8000 != 0
    }

    /// To sign certificates.
    #[must_use]
    pub const fn cert_sign(self) -> bool {
        self.0 & 0x0400 != 0
    }

    /// To sign revocation lists.
    #[must_use]
    pub const fn crl_sign(self) -> bool {
        self.0 & 0x0200 != 0
    }
}

/// One extension, and where its contents are.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Extension {
    pub(super) oid: String,
    pub(super) critical: bool,
    pub(super) value: Range<usize>,
}

/// Whether its subject may issue certificates.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct BasicConstraints {
    pub(super) ca: bool,
    pub(super) path_len: Option<u64>,
}

/// The extensions of a certificate, if it has any.
pub(super) fn of_certificate(fields: &mut Der<'_>) -> Result<Vec<Extension>, CertError> {
    let Some(wrapper) = fields.optional("extensions", der::context(3))? else {
        return Ok(Vec::new());
    };
    let mut inside = wrapper.inside();
    let mut list = inside.sequence("extensions")?;
    inside.end("extensions")?;
    extension_list(&mut list)
}

/// Reads what is left as a list of extensions.
pub(super) fn extension_list(list: &mut Der<'_>) -> Result<Vec<Extension>, CertError> {
    let mut extensions: Vec<Extension> = Vec::new();
    while !list.is_done() {
        if extensions.len() >= MAX_EXTENSIONS {
            return Err(CertError::TooManyExtensions);
        }
        let extension = extension(list)?;
        if extensions.iter().any(|known| known.oid == extension.oid) {
            return Err(CertError::DuplicateExtension { oid: extension.oid });
        }
        extensions.push(extension);
    }
    Ok(extensions)
}

fn extension(list: &mut Der<'_>) -> Result<Extension, Malformed> {
    let mut inside = list.sequence("extension")?;
    let oid = inside.oid("extension")?;
    let critical = inside.next_tag() == Some(der::BOOLEAN) && inside.boolean("critical")?;
    let value = inside.expect("extension value", der::OCTET_STRING)?;
    inside.end("extension")?;
    Ok(Extension {
        oid,
        critical,
        value: value.value_range(),
    })
}

/// `CA:FALSE` may be written out: some issuers do, although it is the default.
pub(super) fn basic(value: &[u8]) -> Result<BasicConstraints, Malformed> {
    let mut outer = Der::new(value);
    let mut inside = outer.sequence("basic constraints")?;
    outer.end("basic constraints")?;
    let ca = inside.next_tag() == Some(der::BOOLEAN) && inside.boolean("CA")?;
    let path_len = if inside.is_done() {
        None
    } else {
        Some(inside.number("path length")?)
    };
    inside.end("basic constraints")?;
    Ok(BasicConstraints { ca, path_len })
}

/// Reads the contents of a key usage.
pub(super) fn key_usage(value: &[u8]) -> Result<KeyUsage, Malformed> {
    let mut outer = Der::new(value);
    let bits = outer.expect("key usage", der::BIT_STRING)?;
    outer.end("key usage")?;
    let (first, second) = match bits.value {
        [unused, first] if *unused < 8 => (*first, 0),
        [unused, first, second] if *unused < 8 => (*first, *second),
        [..] => {
            let found = format!("{} bytes", bits.value.len());
            return Err(Malformed::new("key usage", bits.at, "9 bits", found));
        }
    };
    Ok(KeyUsage(u16::from_be_bytes([first, second])))
}

/// Reads the contents of an extended key usage.
pub(super) fn purposes(value: &[u8]) -> Result<Vec<String>, Malformed> {
    let mut outer = Der::new(value);
    let mut inside = outer.sequence("extended key usage")?;
    outer.end("extended key usage")?;
    let mut found = Vec::new();
    while !inside.is_done() {
        let at = inside.at();
        if found.len() >= MAX_EXTENSIONS {
            let most = format!("at most {MAX_EXTENSIONS} purposes");
            return Err(Malformed::new("extended key usage", at, most, "more"));
        }
        found.push(inside.oid("purpose")?);
    }
    Ok(found)
}

pub(super) const MAX_EXTENSIONS: usize = 64;
